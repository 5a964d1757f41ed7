# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""GSUP over IPA as the tests speak it: an MSC of our own over a raw socket, and an HLR that does what a test wants.

Made from the description of the protocol, with no code in common with src/wire, so that it can disagree with it.
"""
import select
import socket
import struct
import time

OSMO, CCM, EXT_GSUP = 0xEE, 0xFE, 0x05
PING, PONG, ID_GET, ID_RESP, ID_ACK = 0, 1, 4, 5, 6
UPDATE_REQ, UPDATE_ERR, UPDATE_RES = 0x04, 0x05, 0x06
INSERT_REQ, INSERT_RES = 0x10, 0x12
CANCEL_REQ, CANCEL_ERR, CANCEL_RES = 0x1C, 0x1D, 0x1E
CHECK_REQ, CHECK_ERR, CHECK_RES = 0x30, 0x31, 0x32
CHECK_ANSWERS = (CHECK_ERR, CHECK_RES)
IE_IMSI, IE_CAUSE, IE_CANCEL_TYPE, IE_CLASS, IE_CN_DOMAIN = 0x01, 0x02, 0x06, 0x0A, 0x28
IE_IMEI, IE_IMEI_RESULT, IE_SOURCE, IE_DESTINATION = 0x50, 0x51, 0x60, 0x61


def bcd(digits):
    d = digits + ("f" if len(digits) % 2 else "")
    return bytes(int(d[i + 1] + d[i], 16) for i in range(0, len(d), 2))


def unbcd(octets):
    return "".join("%x%x" % (o & 15, o >> 4) for o in octets).rstrip("f")


def frame(protocol, body):
    return struct.pack("!HB", len(body), protocol) + body


def ie(tag, value):
    return bytes([tag, len(value)]) + value


def message(kind, *ies):
    return frame(OSMO, bytes([EXT_GSUP, kind]) + b"".join(ies))


def imei_ie(digits):
    """A BCD number: its own length octet, then the digits."""
    octets = bcd(digits)
    return ie(IE_IMEI, bytes([len(octets)]) + octets)


def check_request(imsi, imei, *more):
    return message(CHECK_REQ, ie(IE_IMSI, bcd(imsi)), imei_ie(imei), ie(IE_CLASS, b"\x01"), *more)


def id_response(name):
    items = b""
    for tag, text in ((0x08, "0/0/0"), (0x07, "00:00:00:00:00:00"), (0x01, name), (0x00, name)):
        value = text.encode() + b"\0"
        items += struct.pack("!HB", len(value) + 1, tag) + value
    return frame(CCM, bytes([ID_RESP]) + items)


class Frame:
    def __init__(self, octets):
        self.octets, self.protocol, self.body = octets, octets[2], octets[3:]
        self.kind, self.ies = None, {}
        if self.protocol == OSMO and self.body[:1] == b"\x05" and len(self.body) > 1:
            self.kind = self.body[1]
            i = 2
            while i + 2 <= len(self.body):
                self.ies.setdefault(self.body[i], self.body[i + 2:i + 2 + self.body[i + 1]])
                i += 2 + self.body[i + 1]

    def is_ccm(self, kind):
        return self.protocol == CCM and self.body[:1] == bytes([kind])

    def __repr__(self):
        return self.octets.hex()


class Closed(Exception):
    pass


class Peer:
    """One connection, read in whole frames."""

    def __init__(self, sock):
        self.s, self.buf = sock, b""
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames = []                                       # that came while something else was waited for

    def send(self, octets):
        self.s.settimeout(5)
        try:
            self.s.sendall(octets)
        except OSError as e:
            raise Closed(str(e)) from e

    def next(self, seconds):
        """The next frame, None where none came in time, Closed where none will."""
        stop = time.monotonic() + seconds
        while True:
            if len(self.buf) >= 3:
                size = 3 + struct.unpack("!H", self.buf[:2])[0]
                if len(self.buf) >= size:
                    octets, self.buf = self.buf[:size], self.buf[size:]
                    return Frame(octets)
            left = stop - time.monotonic()
            if left <= 0 or not select.select([self.s], [], [], left)[0]:
                return None
            try:
                octets = self.s.recv(65536)
            except OSError as e:
                raise Closed(str(e)) from e
            if not octets:
                raise Closed("end of file")
            self.buf += octets

    def close(self):
        self.s.close()


class Msc(Peer):
    """A client.  It behaves: names itself when asked, answers pings, inserts of subscriber data and cancels."""

    def __init__(self, name, address=("127.0.0.1", 4222), seconds=5, connect=5):
        super().__init__(socket.create_connection(address, connect))
        self.name, self.cancels, self.acked = name, [], False
        got = self.wait(lambda f: f.is_ccm(ID_GET), seconds)
        if got is None:
            raise Closed("was not asked for a name")

    def behave(self, f):
        """Answer what a good MSC answers; True where that was all there is to the frame."""
        if f.is_ccm(PING):
            self.send(frame(CCM, bytes([PONG])))
        elif f.is_ccm(ID_GET):
            self.send(id_response(self.name))
            self.send(frame(CCM, bytes([ID_ACK])))
        elif f.is_ccm(ID_ACK):
            self.acked = True
        elif f.kind == INSERT_REQ:
            self.send(message(INSERT_RES, ie(IE_IMSI, f.ies[IE_IMSI]), *self.routed_back(f)))
        elif f.kind == CANCEL_REQ:
            self.cancels.append((time.monotonic(), unbcd(f.ies[IE_IMSI]), f))
            self.send(message(CANCEL_RES, ie(IE_IMSI, f.ies[IE_IMSI]), *self.routed_back(f)))
        else:
            return False
        return True

    @staticmethod
    def routed_back(f):
        return [ie(IE_DESTINATION, f.ies[IE_SOURCE])] if IE_SOURCE in f.ies else []

    def wait(self, wanted, seconds=5):
        """The next frame that wanted() likes; whatever else comes is answered or kept in frames."""
        stop = time.monotonic() + seconds
        while True:
            f = self.next(stop - time.monotonic())
            if f is None:
                return None
            behaved = self.behave(f)
            if wanted(f):
                return f
            if not behaved:
                self.frames.append(f)

    def check(self, imei, imsi="001010000000001", *more, seconds=6):
        """"ack", "nack", "error:CAUSE" or "silence"."""
        self.send(check_request(imsi, imei, *more))
        return verdict(self.wait(lambda f: f.kind in CHECK_ANSWERS, seconds))

    def update_location(self, imsi, seconds=6):
        self.send(message(UPDATE_REQ, ie(IE_IMSI, bcd(imsi)), ie(IE_CN_DOMAIN, b"\x02"), ie(IE_CLASS, b"\x01")))
        f = self.wait(lambda g: g.kind in (UPDATE_RES, UPDATE_ERR), seconds)
        if f is None:
            return "silence"
        return "accept" if f.kind == UPDATE_RES else "error:%d" % f.ies[IE_CAUSE][0]

    def cancelled(self, imsi, seconds=5):
        """When this subscriber's location was cancelled (monotonic), waited for; None where it was not."""
        stop = time.monotonic() + seconds
        while True:
            for when, who, _ in self.cancels:
                if who == imsi:
                    return when
            if time.monotonic() > stop:
                return None
            f = self.next(min(0.1, max(0, stop - time.monotonic())))
            if f and not self.behave(f):
                self.frames.append(f)

    def closed(self, seconds=5):
        """True when the other side closed the connection within the time."""
        try:
            self.wait(lambda f: False, seconds)
        except Closed:
            return True
        return False


def verdict(f):
    if f is None:
        return "silence"
    if f.kind == CHECK_ERR:
        return "error:%d" % f.ies[IE_CAUSE][0]
    return {b"\0": "ack", b"\1": "nack"}.get(f.ies.get(IE_IMEI_RESULT), "strange")


class FakeHlr:
    """Listens as an HLR.  accept() gives the next connection as a Peer that was asked for its name."""

    def __init__(self, address=("127.0.0.2", 4222)):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(address)
        self.s.listen(16)

    def accept(self, seconds=5):
        self.s.settimeout(seconds)
        peer = Peer(self.s.accept()[0])
        peer.send(frame(CCM, bytes([ID_GET]) + b"".join(b"\x01" + bytes([t]) for t in (8, 7, 2, 3, 4, 5, 1, 0))))
        peer.identity = peer.next(seconds)
        return peer

    def close(self):
        self.s.close()
