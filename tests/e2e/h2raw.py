# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""HTTP/2 by hand, for what no library would send: frames (RFC 9113) and header blocks (RFC 7541) as octets.

Header blocks are written with the static table and literals, without Huffman and without the dynamic table unless a
test writes an octet string of its own.  Of answers only the status and the body are read: a Connection asks for a
dynamic table of no entries, so that the status is the first field, by itself or as three digits.
"""
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADER_LIST = range(1, 7)
CODES = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
         "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
         "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
CANCEL = 8
STATIC = {(":method", "GET"): 2, (":method", "POST"): 3, (":path", "/"): 4, (":scheme", "http"): 6,
          (":scheme", "https"): 7}
STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


# --- writing --------------------------------------------------------------------------------------
def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """length: what the frame says of itself, where that is not the truth."""
    length = len(payload) if length is None else length
    return struct.pack("!IBI", length << 8 | kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", key, value) for key, value in pairs))


def ping(octets=b"weirweir"):
    return frame(PING, 0, 0, octets)


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", increment))


def number(value, bits, first=0):
    """RFC 7541 5.1: an integer whose first octet has room for so many bits below what is in first."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def text(value):
    octets = value if isinstance(value, bytes) else value.encode()
    return number(len(octets), 7) + octets


def field(name, value):
    """One header field: by index where the static table has it, else a literal that is not indexed."""
    index = STATIC.get((name, value))
    return number(index, 7, 0x80) if index else b"\x00" + text(name) + text(value)


def fields(*pairs):
    return b"".join(field(name, value) for name, value in pairs)


def get_fields(path, *more, method="GET", scheme="http", authority="127.0.0.1:7777"):
    return fields((":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more)


def headers(stream, block, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block)


def request(stream, path, *more, flags=END_STREAM | END_HEADERS, **pseudo):
    return headers(stream, get_fields(path, *more, **pseudo), flags)


def blocks(stream, block, size=16384):
    """A header block of any length as HEADERS and CONTINUATION frames."""
    parts = [block[i:i + size] for i in range(0, len(block), size)] or [b""]
    out = [frame(HEADERS, END_STREAM | (END_HEADERS if len(parts) == 1 else 0), stream, parts[0])]
    for n, part in enumerate(parts[1:], 2):
        out.append(frame(CONTINUATION, END_HEADERS if n == len(parts) else 0, stream, part))
    return b"".join(out)


OPENING = PREFACE + settings((TABLE_SIZE, 0))


# --- reading --------------------------------------------------------------------------------------
class Frame:
    def __init__(self, octets, payload):
        length, self.flags, self.stream = struct.unpack("!IBI", octets)
        self.kind, self.payload = length & 0xFF, payload

    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return code_name(struct.unpack("!I", self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8])[0])

    def status(self):
        """Of an answer's HEADERS, 0 where it cannot be told."""
        block = self.payload.lstrip(b"\x20")                   # the table's new size, where it is said
        if not block:
            return 0
        if block[0] & 0x80:
            return STATIC_STATUS.get(block[0] & 0x7F, 0)
        value = block[2:5]                                     # :status by index, three digits
        return int(value) if block[1:2] == b"\x03" and value.isdigit() else 0


def code_name(code):
    return CODES[code] if code < len(CODES) else "code %d" % code


class Connection:
    """A connection to a server; what it says is kept: statuses and bodies by stream, resets, the end."""

    def __init__(self, address, opening=OPENING, seconds=5, sock=None):
        self.s = sock or socket.create_connection(address, seconds)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.statuses, self.bodies, self.resets, self.frames = b"", {}, {}, {}, 0
        self.goaway = self.last = None
        self.closed, self.done, self.last_pong = False, set(), None
        if opening:
            self.send(opening)

    def send(self, octets, seconds=5.0):
        """False where the other side is gone or does not take it in time."""
        self.s.settimeout(seconds)
        try:
            self.s.sendall(octets)
            return True
        except (socket.timeout, OSError):
            return False

    def _take(self, f):
        self.frames += 1
        if f.kind == HEADERS:
            self.statuses[f.stream] = f.status()
        elif f.kind == DATA:
            self.bodies[f.stream] = self.bodies.get(f.stream, b"") + f.payload
        elif f.kind == RST_STREAM:
            self.resets[f.stream] = f.code()
        elif f.kind == GOAWAY:
            self.goaway, self.last = f.code(), struct.unpack("!I", f.payload[:4])[0]
        elif f.kind == SETTINGS and not f.flags & ACK:
            self.send(frame(SETTINGS, ACK))
        elif f.kind == PING and f.flags & ACK:
            self.last_pong = f.payload
        elif f.kind == PING:
            self.send(frame(PING, ACK, 0, f.payload))
        if f.kind == RST_STREAM or f.kind in (HEADERS, DATA) and f.flags & END_STREAM:
            self.done.add(f.stream)

    def _frames(self):
        while len(self.buffer) >= 9:
            length = self.buffer[0] << 16 | self.buffer[1] << 8 | self.buffer[2]
            if len(self.buffer) < 9 + length:
                return
            self._take(Frame(self.buffer[:9], self.buffer[9:9 + length]))
            self.buffer = self.buffer[9 + length:]

    def read(self, seconds=0.0):
        """Take what is there, waiting once for so long.  False where there was nothing."""
        if self.closed:
            return False
        self.s.settimeout(max(seconds, 0.0))
        try:
            octets = self.s.recv(262144)
        except (socket.timeout, BlockingIOError):
            return False
        except OSError:
            octets = b""
        self.closed = not octets
        self.buffer += octets
        self._frames()
        return bool(octets)

    def wait(self, condition, seconds=5.0):
        """Read until condition(), the end or the time is over; what the condition says then."""
        stop = time.monotonic() + seconds
        while not condition() and not self.closed and time.monotonic() < stop:
            self.read(stop - time.monotonic())
        return condition()

    def answer(self, stream, seconds=5.0):
        """(status, body) of a stream; what became of it where that is no answer."""
        self.wait(lambda: stream in self.done, seconds)
        if stream in self.resets:
            return self.resets[stream]
        if stream in self.done:
            return self.statuses.get(stream), self.bodies.get(stream, b"")
        return self.ending(0) or "silence"

    def ask(self, stream, path, *more, **pseudo):
        self.send(request(stream, path, *more, **pseudo))
        return self.answer(stream)

    def ending(self, seconds=5.0):
        """How it ended, waited for: "GOAWAY ENHANCE_YOUR_CALM", "closed", or None where it has not."""
        self.wait(lambda: False, seconds) if seconds else self.read()
        if not self.closed:
            return None
        return "GOAWAY " + self.goaway if self.goaway else "closed"

    def close(self):
        self.s.close()
