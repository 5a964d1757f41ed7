# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Diameter (RFC 6733) and S13 (TS 29.272) as the tests speak them: an MME of our own over a raw socket.

Made from the description of the protocol, with no code in common with src/wire, so that it can disagree with it.
"""
import itertools
import os
import socket
import ssl
import struct
import time

CE, DW, DP, ECR = 257, 280, 282, 324
BASE, S13, S6A, RELAY = 0, 16777252, 16777251, 0xFFFFFFFF
VENDOR_3GPP = 10415
R, P, E, T = 0x80, 0x40, 0x20, 0x10                            # flags of a message
V, M = 0x80, 0x40                                              # flags of an AVP

USER_NAME, PROXY_STATE, HOST_IP_ADDRESS, AUTH_APPLICATION_ID, ACCT_APPLICATION_ID = 1, 33, 257, 258, 259
VENDOR_APPLICATION, SESSION_ID, ORIGIN_HOST, SUPPORTED_VENDOR_ID, VENDOR_ID, FIRMWARE = 260, 263, 264, 265, 266, 267
RESULT_CODE, PRODUCT_NAME, DISCONNECT_CAUSE, AUTH_SESSION_STATE, ORIGIN_STATE_ID = 268, 269, 273, 277, 278
FAILED_AVP, PROXY_HOST, ERROR_MESSAGE, ROUTE_RECORD, DESTINATION_REALM, PROXY_INFO = 279, 280, 281, 282, 283, 284
DESTINATION_HOST, ORIGIN_REALM, EXPERIMENTAL_RESULT, EXPERIMENTAL_RESULT_CODE, INBAND_SECURITY = 293, 296, 297, 298, 299
DRMP, SUPPORTED_FEATURES = 301, 628
TERMINAL_INFORMATION, IMEI, SOFTWARE_VERSION, EQUIPMENT_STATUS, MEID = 1401, 1402, 1403, 1445, 1471
STATUS = {0: "white", 1: "black", 2: "grey"}


# --- encode ---------------------------------------------------------------------------------------
def avp(code, value=b"", flags=None, vendor=None, length=None, pad=True):
    """value: octets, text, a number, or a list of AVPs.  length: what its header says, where that is not so."""
    if vendor is None:
        vendor = VENDOR_3GPP if code >= SUPPORTED_FEATURES else 0
    if flags is None:
        flags = M | (V if vendor else 0)
    if isinstance(value, str):
        value = value.encode()
    elif isinstance(value, int):
        value = struct.pack("!I", value)
    elif isinstance(value, list):
        value = b"".join(value)
    header = 12 if flags & V else 8
    if length is None:
        length = header + len(value)
    octets = struct.pack("!II", code, flags << 24 | length & 0xFFFFFF)
    if flags & V:
        octets += struct.pack("!I", vendor)
    return octets + value + (b"\0" * (-len(value) % 4) if pad else b"")


def message(code, application, flags, avps, hop=0, end=0, version=1, length=None):
    body = b"".join(avps)
    if length is None:
        length = 20 + len(body)
    return struct.pack("!IIIII", version << 24 | length & 0xFFFFFF, flags << 24 | code, application, hop, end) + body


def address(text):
    """An AVP value of type Address."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return struct.pack("!H", 2 if family == socket.AF_INET6 else 1) + socket.inet_pton(family, text)


def vendor_application(application=S13, vendor=VENDOR_3GPP):
    return avp(VENDOR_APPLICATION, [avp(VENDOR_ID, vendor), avp(AUTH_APPLICATION_ID, application)])


def origin(host, realm):
    return [avp(ORIGIN_HOST, host), avp(ORIGIN_REALM, realm)]


def terminal(imei, svn=None, *more):
    inside = [] if imei is None else [avp(IMEI, imei)]
    inside += [] if svn is None else [avp(SOFTWARE_VERSION, svn)]
    return avp(TERMINAL_INFORMATION, inside + list(more))


def cer_avps(host, realm, addresses=("127.0.0.1",), applications=None):
    return (origin(host, realm) + [avp(HOST_IP_ADDRESS, address(a)) for a in addresses] +
            [avp(VENDOR_ID, 0), avp(PRODUCT_NAME, "weir tests", flags=0), avp(SUPPORTED_VENDOR_ID, VENDOR_3GPP)] +
            ([vendor_application()] if applications is None else list(applications)))


# --- decode ---------------------------------------------------------------------------------------
class Malformed(Exception):
    pass


class Avp:
    def __init__(self, code, flags, vendor, value, octets):
        self.code, self.flags, self.vendor, self.value, self.octets = code, flags, vendor, value, octets

    @property
    def number(self):
        if len(self.value) != 4:
            raise Malformed("AVP %d is no number" % self.code)
        return struct.unpack("!I", self.value)[0]

    @property
    def text(self):
        return self.value.decode()

    @property
    def avps(self):
        return walk(self.value)

    def __repr__(self):
        return "%d%s=%s" % (self.code, "@%d" % self.vendor if self.vendor else "", self.value.hex())


def walk(octets):
    """The AVPs in octets; Malformed where anything about lengths, flags or padding is not as it must be sent."""
    found, at = [], 0
    while at < len(octets):
        if len(octets) - at < 8:
            raise Malformed("%d octets behind the last AVP" % (len(octets) - at))
        code, word = struct.unpack_from("!II", octets, at)
        flags, length = word >> 24, word & 0xFFFFFF
        header = 12 if flags & V else 8
        padded = length + -length % 4
        if length < header or at + padded > len(octets):
            raise Malformed("AVP %d of %d octets where %d are left" % (code, length, len(octets) - at))
        if flags & 0x3F & ~0x20:
            raise Malformed("AVP %d with reserved flags %02x" % (code, flags))
        if any(octets[at + length:at + padded]):
            raise Malformed("AVP %d with padding that is not zero" % code)
        vendor = struct.unpack_from("!I", octets, at + 8)[0] if flags & V else 0
        found.append(Avp(code, flags, vendor, octets[at + header:at + length], octets[at:at + padded]))
        at += padded
    return found


class Message:
    def __init__(self, octets):
        self.octets = octets
        first, second, self.application, self.hop, self.end = struct.unpack_from("!IIIII", octets)
        self.version, self.length = first >> 24, first & 0xFFFFFF
        self.flags, self.code = second >> 24, second & 0xFFFFFF
        self.avps = walk(octets[20:])

    def all(self, code):
        return [a for a in self.avps if a.code == code]

    def one(self, code):
        found = self.all(code)
        return found[0] if found else None

    def number(self, code):
        found = self.one(code)
        return found.number if found else None

    def text(self, code):
        found = self.one(code)
        return found.text if found else None

    @property
    def is_request(self):
        return bool(self.flags & R)

    @property
    def result(self):
        """The Result-Code, or the Experimental-Result-Code."""
        code = self.number(RESULT_CODE)
        group = self.one(EXPERIMENTAL_RESULT)
        if (code is None) == (group is None):
            raise Malformed("not exactly one of Result-Code and Experimental-Result")
        if code is None:
            code = [a.number for a in group.avps if a.code == EXPERIMENTAL_RESULT_CODE][0]
        return code

    @property
    def verdict(self):
        """As the questions of tests/peers name it: white, black, grey, unknown, or the Result-Code in digits."""
        status = self.number(EQUIPMENT_STATUS)
        if self.result == 2001 and status is not None:
            return STATUS.get(status, "strange")
        return "unknown" if self.result == 5422 else str(self.result)

    def failed(self):
        """The AVPs in Failed-AVP; [] where there is none."""
        group = self.one(FAILED_AVP)
        return group.avps if group else []

    def __repr__(self):
        return "%d/%d flags %02x %r" % (self.code, self.application, self.flags, self.avps)


# --- a connection ---------------------------------------------------------------------------------
class Closed(Exception):
    pass


class Peer:
    """One connection, read in whole messages."""

    def __init__(self, sock):
        self.s, self.buf, self.seen = sock, b"", []
        if sock.type == socket.SOCK_STREAM and sock.proto in (0, socket.IPPROTO_TCP):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets):
        self.s.settimeout(5)
        try:
            self.s.sendall(octets)
        except (OSError, ssl.SSLError) as e:
            raise Closed(str(e)) from e

    def next(self, seconds):
        """The next message, None where none came in time, Closed where none will, Malformed where it is none."""
        stop = time.monotonic() + seconds
        while True:
            if len(self.buf) >= 4:
                length = struct.unpack("!I", self.buf[:4])[0] & 0xFFFFFF
                if length < 20 or length % 4:
                    raise Malformed("a message of %d octets" % length)
                if len(self.buf) >= length:
                    octets, self.buf = self.buf[:length], self.buf[length:]
                    return Message(octets)
            left = stop - time.monotonic()
            if left <= 0:
                return None
            self.s.settimeout(left)
            try:
                octets = self.s.recv(65536)
            except (socket.timeout, ssl.SSLWantReadError):
                return None
            except OSError as e:
                raise Closed(str(e)) from e
            if not octets:
                raise Closed("end")
            self.buf += octets

    def closed(self, seconds=5):
        """True when the other side closes within the time; what comes before that is kept in seen."""
        stop = time.monotonic() + seconds
        try:
            while time.monotonic() < stop:
                m = self.next(stop - time.monotonic())
                if m:
                    self.seen.append(m)
        except Closed:
            return True
        return False

    def close(self):
        try:
            self.s.close()
        except OSError:
            pass


numbers = itertools.count(int.from_bytes(os.urandom(3), "big") << 8)


class Mme(Peer):
    """A client of S13.  It says who it is when made, unless told not to, and answers what a good one answers."""

    def __init__(self, to, host="mme.weir.test", realm="weir.test", greet=True, seconds=5, sock=None, bind=None,
                 applications=None):
        if sock is None:
            sock = socket.create_connection(to, seconds, (bind, 0) if bind else None)
        super().__init__(sock)
        self.host, self.realm, self.cea, self.dwr, self.dpr = host, realm, None, 0, None
        if greet:
            self.send_request(CE, BASE, cer_avps(host, realm, applications=applications), flags=R)
            self.cea = self.wait(lambda m: m.code == CE and not m.is_request, seconds)
            if self.cea is None:
                raise Closed("no CEA in time")

    def send_request(self, code, application, avps, flags=R | P):
        """-> its hop-by-hop identifier"""
        hop = next(numbers) & 0xFFFFFFFF
        self.send(message(code, application, flags, avps, hop, hop ^ 0x5A5A5A5A))
        return hop

    def session(self):
        return "%s;%d;%d" % (self.host, next(numbers), os.getpid())

    def ecr_avps(self, imei, svn=None, imsi=None, more=(), realm=None, session=None):
        return ([avp(SESSION_ID, session or self.session()), vendor_application(), avp(AUTH_SESSION_STATE, 1)] +
                origin(self.host, self.realm) + [avp(DESTINATION_REALM, realm or self.realm), terminal(imei, svn)] +
                ([avp(USER_NAME, imsi)] if imsi else []) + list(more))

    def behave(self, m):
        """Answer what a good peer answers; True where that was all there is to the message."""
        if m.is_request and m.code in (DW, DP):
            if m.code == DW:
                self.dwr += 1
            else:
                self.dpr = m.number(DISCONNECT_CAUSE)
            self.send(message(m.code, BASE, 0, [avp(RESULT_CODE, 2001)] + origin(self.host, self.realm), m.hop, m.end))
            return True
        return False

    def wait(self, wanted, seconds=5):
        stop = time.monotonic() + seconds
        while True:
            m = self.next(max(0, stop - time.monotonic()))
            if m is None:
                return None
            if wanted(m):
                return m
            if not self.behave(m):
                self.seen.append(m)

    def ask(self, code, application, avps, flags=R | P, seconds=5):
        """The answer to this request; None where there was none."""
        hop = self.send_request(code, application, avps, flags)
        return self.wait(lambda m: not m.is_request and m.hop == hop, seconds)

    def check(self, imei, svn=None, imsi=None, more=(), seconds=5):
        """white, black, grey, unknown, a Result-Code in digits, or silence."""
        m = self.ask(ECR, S13, self.ecr_avps(imei, svn, imsi, more), seconds=seconds)
        return m.verdict if m else "silence"

    def closed(self, seconds=5):
        """As Peer's, but answering what comes."""
        stop = time.monotonic() + seconds
        try:
            while time.monotonic() < stop:
                self.wait(lambda m: False, stop - time.monotonic())
        except Closed:
            return True
        return False


def over_tls(to, ca, certificate=None, key=None, name=None, newest=ssl.TLSVersion.MAXIMUM_SUPPORTED, seconds=5):
    """A connected TLS socket; certificate None shows none."""
    context = ssl.create_default_context(cafile=ca)
    context.maximum_version = newest
    context.check_hostname = name is not None
    if certificate:
        context.load_cert_chain(certificate, key)
    return context.wrap_socket(socket.create_connection(to, seconds), server_hostname=name)
