# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""M3UA (RFC 4666), SCCP (Q.713) and the BER that supplementary services are written in (X.690, TS 24.080).

The tests' own side of an SS7 link, made from the specifications and sharing no code with libosmo-sigtran, so that it
can disagree with it.  Needs kernel SCTP: run inside sctp-run.
"""
import socket
import struct
import time

IPPROTO_SCTP, SCTP_SNDINFO, PPID_M3UA = 132, 2, 3


# --- BER ------------------------------------------------------------------------------------------
def tlv(tag, *parts):
    """One element with a one-octet tag."""
    value = b"".join(parts)
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + value


def walk(octets):
    """[(tag, value)] of a string of elements with definite lengths; ValueError where one runs past the end."""
    out, i = [], 0
    while i < len(octets):
        tag, size = octets[i], octets[i + 1]
        i += 2
        if size & 0x80:
            n = size & 0x7F
            size, i = int.from_bytes(octets[i:i + n], "big"), i + n
        if i + size > len(octets):
            raise ValueError("BER length runs past the end")
        out.append((tag, octets[i:i + size]))
        i += size
    return out


def find(items, tag):
    return next((value for t, value in items if t == tag), None)


def tbcd(digits):
    d = digits + ("f" if len(digits) % 2 else "")
    return bytes(int(d[i + 1] + d[i], 16) for i in range(0, len(d), 2))


# --- components of supplementary services (TS 24.080 3.6) -----------------------------------------
INVOKE, RESULT, ERROR, REJECT = 0xA1, 0xA2, 0xA3, 0xA4


def invoke(invoke_id, operation, argument=b""):
    return tlv(INVOKE, tlv(0x02, bytes([invoke_id])), tlv(0x02, bytes([operation])), argument)


def result(invoke_id, operation=None, value=b""):
    body = b"" if operation is None else tlv(0x30, tlv(0x02, bytes([operation])), value)
    return tlv(RESULT, tlv(0x02, bytes([invoke_id])), body)


def parse_component(octets):
    """-> dict: type, id, op, arg (tag, value) or None, and for an error its code"""
    tag, body = walk(octets)[0]
    fields = walk(body)
    comp = {"type": tag, "id": fields[0][1][0], "op": None, "arg": None}
    rest = fields[1:]
    if tag == RESULT and rest:
        rest = walk(rest[0][1])
    if tag == ERROR:
        comp["error"] = rest[0][1][0]
    elif tag in (INVOKE, RESULT) and rest:
        comp["op"] = rest[0][1][0]
        comp["arg"] = rest[1] if len(rest) > 1 else None
    return comp


# --- M3UA -----------------------------------------------------------------------------------------
class M3UA:
    """One application server process.  up() brings it to active, with a dynamic routing key for its point code."""

    def __init__(self, remote, pc, timeout=10):
        self.pc, self.rctx, self.buf, self.inbox = pc, None, b"", []
        self.s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
        self.s.settimeout(timeout)
        self.s.connect(remote)

    @staticmethod
    def par(tag, value):
        return struct.pack("!HH", tag, 4 + len(value)) + value + b"\0" * (-len(value) % 4)

    @staticmethod
    def pars(octets):
        out, i = {}, 0
        while i + 4 <= len(octets):
            tag, size = struct.unpack("!HH", octets[i:i + 4])
            out.setdefault(tag, octets[i + 4:i + size])
            i += size + (-size % 4)
        return out

    def tx(self, cls, typ, *pars, stream=0):
        body = b"".join(pars)
        message = struct.pack("!BBBBI", 1, 0, cls, typ, 8 + len(body)) + body
        info = struct.pack("=HHIIi", stream, 0, socket.htonl(PPID_M3UA), 0, 0)
        self.s.sendmsg([message], [(IPPROTO_SCTP, SCTP_SNDINFO, info)])

    def rx(self, timeout):
        """The next message as (class, type, {tag: value}), or None."""
        stop = time.time() + timeout
        while True:
            if len(self.buf) >= 8:
                size = struct.unpack("!I", self.buf[4:8])[0]
                if len(self.buf) >= size:
                    message, self.buf = self.buf[:size], self.buf[size:]
                    pars = self.pars(message[8:])
                    if message[2:4] == b"\x03\x03":           # heartbeat
                        self.tx(3, 6, self.par(9, pars.get(9, b"")))
                        continue
                    return message[2], message[3], pars
            left = stop - time.time()
            if left <= 0:
                return None
            self.s.settimeout(left)
            try:
                octets = self.s.recv(65536)
            except socket.timeout:
                return None
            if not octets:
                raise EOFError("the M3UA peer went away")
            self.buf += octets

    def expect(self, cls, typ, timeout=5):
        stop = time.time() + timeout
        while time.time() < stop:
            m = self.rx(stop - time.time())
            if m and m[:2] == (cls, typ):
                return m[2]
            if m and m[:2] == (0, 0):
                raise IOError("M3UA error %r" % (m[2],))
            if m and m[0] == 1:
                self.inbox.append(m[2])
        raise TimeoutError("no M3UA message %d/%d" % (cls, typ))

    def routing_context(self):
        return self.par(6, struct.pack("!I", self.rctx))

    def up(self):
        self.tx(3, 1)                                          # ASPUP
        self.expect(3, 4)
        loadshare = self.par(0x000B, struct.pack("!I", 2))
        key = self.par(0x020A, struct.pack("!I", 1)) + loadshare + self.par(0x020B, struct.pack("!I", self.pc))
        self.tx(9, 1, self.par(0x0207, key))                   # REG REQ
        answer = self.pars(self.expect(9, 2)[0x0208])
        if answer[0x0212] != b"\0\0\0\0":
            raise IOError("routing key refused: %s" % answer[0x0212].hex())
        self.rctx = struct.unpack("!I", answer[0x0006])[0]
        self.tx(4, 1, loadshare, self.routing_context())       # ASPAC
        self.expect(4, 3)

    def send(self, dpc, sccp, sls=0):
        data = struct.pack("!IIBBBB", self.pc, dpc, 3, 0, 0, sls) + sccp
        self.tx(1, 1, self.routing_context(), self.par(0x0210, data), stream=1)

    def recv(self, timeout):
        """The octets of the next SCCP message, or None."""
        stop = time.time() + timeout
        while not self.inbox:
            m = self.rx(max(0, stop - time.time()))
            if m is None:
                return None
            if m[0] == 1:
                self.inbox.append(m[2])
        return self.inbox.pop(0)[0x0210][12:]


# --- SCCP -----------------------------------------------------------------------------------------
def address(ssn, pc):
    """A party address routed on point code and subsystem number."""
    return bytes([0x43]) + struct.pack("<H", pc) + bytes([ssn])


def unitdata(called, calling, data):
    pointers = bytes([3, 3 + len(called), 3 + len(called) + len(calling)])
    return b"\x09\x00" + pointers + bytes([len(called)]) + called + bytes([len(calling)]) + calling + \
        bytes([len(data)]) + data


def unitdata_data(octets):
    """The user data of a UDT or XUDT."""
    at = (4 if octets[0] == 0x09 else 5)
    at += octets[at]
    return octets[at + 1:at + 1 + octets[at]]
