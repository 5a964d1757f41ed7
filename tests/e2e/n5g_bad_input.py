#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What a hostile or broken network function may send to weir-gate's N5g-eir port, while a good AMF (Node's HTTP/2
client) keeps getting right answers.

Each function is one scene; after each, the good client must have had nothing but right answers, in time, on the one
connection it began with, and the gate must have kept no memory.  The bounds are those of src/gate/h2.h with slack for
what is on its way when the gate decides.
"""
import os
import socket
import ssl
import time

import bad
import certs
import h2raw as h
import rig
import sbi
import weir

LISTED, FREE = "imei-001000010000015", "imeisv-0010000200000242"
BUDGET, BUDGET_S = 400, 200                                    # src/gate/h2.h: H2_BUDGET, H2_BUDGET_S
GOOD = sbi.status_path(LISTED)
CALM = "GOAWAY ENHANCE_YOUR_CALM"


def good_client():
    """Asks for a listed and a free device at once, all the time on its first connection."""
    client, paths = sbi.Client(), (sbi.status_path(LISTED), sbi.status_path(FREE))

    def ask():
        answers = client.ask_all(*paths, seconds=bad.PATIENCE)
        for answer, wanted in zip(answers, ("BLACKLISTED", "404 ERROR_EQUIPMENT_UNKNOWN")):
            found = (answer.brief, answer.session) if answer else ("silence", client.events)
            yield found, (wanted, 1)
    return client, bad.GoodClient(ask)


def connect(opening=h.OPENING):
    return h.Connection(sbi.ADDRESS, opening)


def ready():
    """A connection past its first answer: the gate's floods budget is full, its SETTINGS are taken."""
    c = connect()
    c.ask(1, GOOD)
    return c


# --- floods ---------------------------------------------------------------------------------------
def flood(c, unit, most=20000, chunk=100, in_step=True):
    """Send unit(0), unit(1), ... until the connection ends or so many were sent: (frames sent, how it ended, seconds).
    In step: a PING and its answer after each chunk, so that not more was sent than the gate has looked at."""
    sent, pings, began = 0, 0, time.monotonic()
    while sent < most and not c.closed:
        octets = b"".join(unit(sent + i) for i in range(chunk))
        if not c.send(octets + (h.ping(b"in step.") if in_step else b""), 2):
            break
        sent += chunk
        pings += in_step
        if in_step:
            c.wait(lambda: c.last_pong == b"in step.", 2)
            c.last_pong = None
    return sent + pings, c.ending(3), time.monotonic() - began


def is_bounded(result, cost):
    """Ended, and not later than the budget allows for units of this cost: one chunk may be on its way."""
    sent, ending, seconds = result
    return bool(ending) and (sent - 101) * cost <= BUDGET + BUDGET_S * (seconds + 1)


def floods(t, w):
    """Each kind of frame that makes work and is no request: the gate asks to be left in peace, within its budget."""
    opened = h.headers(3, h.get_fields(GOOD, method="POST"), h.END_HEADERS)
    kinds = (
        ("PING", 1, b"", lambda n: h.ping()),
        ("PING answers that nobody asked for", 1, b"", lambda n: h.frame(h.PING, h.ACK, 0, b"12345678")),
        ("SETTINGS", 1, b"", lambda n: h.settings((h.MAX_STREAMS, n))),
        ("empty SETTINGS", 1, b"", lambda n: h.settings()),
        ("PRIORITY", 1, b"", lambda n: h.frame(h.PRIORITY, 0, 3 + 2 * n, b"\0\0\0\0\x10")),
        ("WINDOW_UPDATE of the connection", 1, b"", lambda n: h.window(0, 1)),
        ("WINDOW_UPDATE of a stream", 1, opened, lambda n: h.window(3, 1)),
        ("empty DATA", 1, opened, lambda n: h.frame(h.DATA, 0, 3)),
        ("padded DATA of nothing", 1, opened, lambda n: h.frame(h.DATA, h.PADDED, 3, b"\x08" + b"\0" * 8)),
        ("frames that nobody knows", 1, b"", lambda n: h.frame(0x77, 0xFF, 0, b"?" * 20)),
        ("CONTINUATION of nothing", 1, h.headers(3, h.get_fields(GOOD), h.END_STREAM),
         lambda n: h.frame(h.CONTINUATION, 0, 3)),
        ("CONTINUATION of header fields", 1, h.headers(3, h.get_fields(GOOD), h.END_STREAM),
         lambda n: h.frame(h.CONTINUATION, 0, 3, h.field("x-%d" % n, "y"))),
    )
    for name, cost, first, unit in kinds:
        c = ready()
        c.send(first)
        is_block = "CONTINUATION" in name
        result = flood(c, unit, in_step=not is_block)
        t.ok(is_block and result[1] or is_bounded(result, cost), "a flood of %s ends" % name, result)
        if not is_block:
            t.equal(result[1], CALM, "with the advice to be calm")
        c.close()


def unread_floods(t, w):
    """The same by somebody who does not read what the gate answers."""
    for name, unit in (("PING", lambda n: h.ping()), ("SETTINGS", lambda n: h.settings())):
        c = ready()
        result = flood(c, unit, in_step=False)
        t.ok(result[1], "a flood of %s that is not read ends" % name, result)
        c.close()


def resets(t, w):
    """Streams that are begun and given up, by them or, tricked into it, by us."""
    def begun(n, *more, block=None, flags=h.END_STREAM | h.END_HEADERS):
        return h.headers(3 + 2 * n, block or h.get_fields(GOOD, *more), flags)

    def without(name):
        pairs = ((":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", GOOD))
        return h.fields(*(p for p in pairs if p[0] != name))
    open_post = h.get_fields(GOOD, method="POST")
    rows = (
        ("rapid reset", lambda n: begun(n) + h.reset(3 + 2 * n)),
        ("rapid reset of requests that are not whole",
         lambda n: begun(n, block=open_post, flags=h.END_HEADERS) + h.reset(3 + 2 * n)),
        ("names in capitals", lambda n: begun(n, ("Capital", "x"))),
        ("header fields of HTTP/1", lambda n: begun(n, ("connection", "keep-alive"))),
        ("header fields without a name", lambda n: begun(n, ("", "x"))),
        ("requests without a path", lambda n: begun(n, block=without(":path"))),
        ("requests without a method", lambda n: begun(n, block=without(":method"))),
        ("pseudo-header fields that nobody knows", lambda n: begun(n, block=h.get_fields(GOOD) + h.field(":odd", "x"))),
        ("pseudo-header fields at the end", lambda n: begun(n, block=h.fields(("x", "y")) + h.get_fields(GOOD))),
        ("windows that overflow", lambda n: begun(n, block=open_post, flags=h.END_HEADERS)
         + h.window(3 + 2 * n, 0x7FFFFFFF)),
        ("DATA after the end", lambda n: begun(n) + h.frame(h.DATA, 0, 3 + 2 * n, b"x")),
        ("header fields after the end", lambda n: begun(n) + begun(n)),
        ("streams that wait for themselves", lambda n: h.headers(3 + 2 * n, (3 + 2 * n).to_bytes(4, "big") + b"\x10"
                                                                 + h.get_fields(GOOD),
                                                                 h.END_STREAM | h.END_HEADERS | h.WITH_PRIORITY)),
        ("a body of another length", lambda n: begun(n, ("content-length", "5"), flags=h.END_HEADERS)
         + h.frame(h.DATA, h.END_STREAM, 3 + 2 * n, b"x")),
        ("more streams than are allowed", lambda n: begun(n, block=open_post, flags=h.END_HEADERS)),
    )
    for name, unit in rows:
        c = ready()
        result = flood(c, unit)
        t.ok(is_bounded(result, 2) and (result[1] or "").startswith(("GOAWAY", "closed")),
             "%s: it ends" % name, result)
        t.note("%s: %s after %d" % (name, result[1], result[0]))
        c.close()


# --- header blocks --------------------------------------------------------------------------------
def header_bombs(t, w):
    """Header lists that are too many or too much: refused or cut, and never kept."""
    ok = h.get_fields(GOOD)
    big = b"\x40" + h.text("bomb") + h.text("x" * 3900)        # indexed: 3936 octets of the table of 4096
    rows = (
        ("16 MB of header fields", ok + h.field("x", "y" * 16000) * 1000),
        ("10,000 header fields", ok + b"".join(h.field("x-%d" % n, "y") for n in range(10000))),
        ("one header field of 60 KB", ok + h.field("x", "y" * 60000)),
        ("a header field that says it has 4 GB", ok + b"\0\x01x" + h.number(2**32, 7) + b"y" * 100),
        ("a length of 200 octets", ok + b"\0\x01x\x7f" + b"\xff" * 200),
        ("an HPACK bomb: 3.9 KB told 16,000 times", ok + big + b"\xbe" * 16000),
        ("a table that is resized 10,000 times", (b"\x20" + h.number(4096, 5, 0x20)) * 10000 + ok),
        ("a table greater than allowed", h.number(1 << 20, 5, 0x20) + ok),
        ("an index that the tables do not have", ok + b"\xfe"),
        ("the index 0", ok + b"\x80"),
        ("Huffman code with EOS in it", ok + b"\0\x01x\x84\xff\xff\xff\xff"),
        ("a block that ends within a field", ok + b"\0\x05ab"),
        ("one cookie of 15 KB in a thousand crumbs", ok + h.field("cookie", "crumb=0123456") * 1000),
    )
    memory, worst = bad.Memory(w), 0
    for name, block in rows:
        c = ready()
        c.send(h.blocks(3, block), 5)
        found = c.answer(3, 5)
        worst = max(worst, memory.grown())
        t.ok(found != "silence" and (not isinstance(found, tuple) or found[0] in (200, 400, 413, 414, 431)),
             "%s: told" % name, found)
        t.note("%s: %s" % (name, found))
        c.close()
    t.ok(worst < 32, "header bombs leave nothing behind", "%.0f MiB" % worst)


def many_bombs(t, w):
    """Fifty connections, each with a header block that never ends."""
    memory = bad.Memory(w)
    crowd = [ready() for _ in range(50)]
    for c in crowd:
        c.send(h.headers(3, h.get_fields(GOOD), 0))
    for _ in range(64):
        for c in crowd:
            if not c.closed:
                c.send(h.frame(h.CONTINUATION, 0, 3, h.field("x", "y" * 16000)), 1)
                c.read()
    memory.stays_below(t, 32, "fifty header blocks without an end are not kept")
    t.ok(all(c.ending(10) for c in crowd), "and their connections end")
    for c in crowd:
        c.close()


# --- windows, bodies, time ------------------------------------------------------------------------
def no_window(t, w):
    """Answers that cannot leave because the asker gives them no window, and never reads."""
    memory = bad.Memory(w)
    crowd = [connect(h.PREFACE + h.settings((h.INITIAL_WINDOW, 0))) for _ in range(20)]
    for c in crowd:
        c.send(b"".join(h.request(1 + 2 * n, GOOD) for n in range(100)))
    time.sleep(1)
    memory.stays_below(t, 32, "two thousand answers that nobody takes are little")
    began = time.monotonic()
    left = [c for c in crowd if not c.wait(lambda: len(c.resets) >= 100, 20) and not c.ending(0)]
    t.equal(len(left), 0, "and are given up")
    t.note("after %.1f s" % (time.monotonic() - began))
    for c in crowd:
        c.close()


def never_reads(t, w):
    """Asks and asks and never reads: the gate stops reading it, keeps nothing of it, and closes it."""
    memory, greedy, first = bad.Memory(w), [connect() for _ in range(4)], [-1] * 4

    def a_hundred(i):
        first[i] += 100
        return b"".join(h.request(2 * (first[i] + n) + 1, GOOD) for n in range(100))
    bad.never_read(t, memory, [c.s for c in greedy], a_hundred)
    gone = rig.until(lambda: all(is_gone(c) for c in greedy), 40, 0.5)
    t.ok(gone, "and are closed within forty seconds")
    for c in greedy:
        c.close()


def is_gone(c):
    """Has the gate closed this connection, whatever lies unread before the end?"""
    with open("/proc/net/tcp") as f:
        port = "%04X" % c.s.getsockname()[1]
        # established: 01
        return not any(line.split()[1].endswith(":" + port) and line.split()[3] == "01" for line in f.readlines()[1:])


def bodies(t, w):
    """Bodies that nobody asked for."""
    memory = bad.Memory(w)
    c = ready()
    c.send(h.headers(3, h.get_fields(GOOD), h.END_HEADERS) + h.frame(h.DATA, h.END_STREAM, 3, b"{}"))
    found = c.answer(3)
    t.ok(found[0] == 200 or found[0] == 400, "a GET with a small body is answered", found)
    for stream, method in ((5, "GET"), (7, "POST"), (9, "PUT")):
        c.send(h.headers(stream, h.get_fields(GOOD, method=method), h.END_HEADERS))
        for _ in range(100):
            c.read()
            if stream in c.done or c.closed or not c.send(h.frame(h.DATA, 0, stream, b"x" * 16384), 0.2):
                break
        found = c.answer(stream, 15)
        t.ok(found != "silence", "a body of %s that is too large is told" % method, found)
        t.note("%s: %s" % (method, found))
        c.close()
        c = ready()
    memory.stays_below(t, 16, "bodies leave nothing behind")
    c.close()


def trickled(t, w):
    c = connect(None)
    for octet in h.OPENING + h.request(1, GOOD):
        c.send(bytes([octet]))
        time.sleep(0.002)
    t.equal(c.answer(1)[0], 200, "a request that comes octet by octet is answered")
    c.close()
    c = connect()
    c.send(h.headers(1, h.get_fields(GOOD), h.END_HEADERS))
    began = time.monotonic()
    found = c.answer(1, 20)
    t.ok(found != "silence" and not isinstance(found, tuple), "a request that is never whole is given up", found)
    t.note("%s after %.1f s" % (found, time.monotonic() - began))
    c.close()


def silent(t, w):
    """Connections that say nothing, or stop after the preface."""
    memory = bad.Memory(w)
    crowd = [connect(None) for _ in range(250)] + [connect(h.PREFACE) for _ in range(25)] + \
        [connect(h.PREFACE[:10]) for _ in range(25)]
    are_closed(t, memory, crowd, 15, "300 connections that say nothing are closed")


def are_closed(t, memory, crowd, seconds, name):
    """By the gate, all of them, in time, and without cost."""
    began = time.monotonic()
    rig.until(lambda: still_open(crowd) == 0, seconds, 0.2)
    t.equal(still_open(crowd), 0, name)
    t.note("after %.1f s" % (time.monotonic() - began))
    memory.stays_below(t, 32, "and cost little")
    for c in crowd:
        c.close()


def still_open(connections):
    for c in connections:
        while c.read():
            pass
    return sum(not c.closed for c in connections)


# --- octets ---------------------------------------------------------------------------------------
def strangers(t, w):
    """Other protocols, and HTTP/2 that begins wrongly."""
    rows = (
        ("HTTP/1.1", b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % GOOD.encode()),
        ("HTTP/1.1 that wants to upgrade", b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
         b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" % GOOD.encode()),
        ("HTTP/0.9", b"GET /\r\n"),
        ("a TLS hello", bytes.fromhex("16030100c2010000be0303") + b"\x55" * 184),
        ("GSUP", bytes.fromhex("0002fe0500")),
        ("Diameter", bytes.fromhex("010000c480000101") + b"\0" * 188),
        ("64 KB of zeros", b"\0" * 65536),
        ("64 KB of ones", b"\xff" * 65536),
        ("a preface with one letter changed", h.PREFACE.replace(b"SM", b"SN") + h.settings() + h.request(1, GOOD)),
        ("a preface in small letters", h.PREFACE.lower() + h.settings()),
        ("a request before SETTINGS", h.PREFACE + h.request(1, GOOD)),
        ("two prefaces", h.PREFACE + h.PREFACE + h.settings()),
    )
    for name, octets in rows:
        c = connect(None)
        c.send(octets, 2)
        ending = c.ending(8)
        t.ok(ending and 1 not in c.statuses, "%s: the connection ends" % name, (ending, c.statuses))
        if name.startswith("HTTP/1.1"):
            t.ok(b"505" in c.buffer[:20] or c.goaway, "and is told why", c.buffer[:60])
        c.close()


def wrong_frames(t, w):
    """Frames against RFC 9113: each ends the connection or the stream."""
    post = h.headers(3, h.get_fields(GOOD, method="POST"), h.END_HEADERS)
    both = (
        ("a frame of 16385 octets", h.frame(h.DATA, 0, 3, b"x" * 16385)),
        ("a frame that says 16 MB", h.frame(h.HEADERS, 5, 3, b"x" * 1000, length=0xFFFFFF)),
        ("SETTINGS of 5 octets", h.frame(h.SETTINGS, 0, 0, b"\0" * 5)),
        ("SETTINGS of a stream", h.frame(h.SETTINGS, 0, 3)),
        ("an acknowledgement with a payload", h.frame(h.SETTINGS, h.ACK, 0, b"\0" * 6)),
        ("ENABLE_PUSH of 2", h.settings((h.ENABLE_PUSH, 2))),
        ("INITIAL_WINDOW_SIZE of 2^31", h.settings((h.INITIAL_WINDOW, 1 << 31))),
        ("MAX_FRAME_SIZE of 1", h.settings((h.MAX_FRAME, 1))),
        ("a PING of 7 octets", h.frame(h.PING, 0, 0, b"1234567")),
        ("a PING of a stream", h.frame(h.PING, 0, 3, b"12345678")),
        ("RST_STREAM of 3 octets", post + h.frame(h.RST_STREAM, 0, 3, b"\0\0\0")),
        ("RST_STREAM of no stream", h.frame(h.RST_STREAM, 0, 0, b"\0\0\0\0")),
        ("RST_STREAM of a stream that was never opened", h.reset(9)),
        ("PRIORITY of 4 octets", h.frame(h.PRIORITY, 0, 3, b"\0\0\0\0")),
        ("WINDOW_UPDATE of 5 octets", h.frame(h.WINDOW_UPDATE, 0, 0, b"\0" * 5)),
        ("WINDOW_UPDATE of 0", h.window(0, 0)),
        ("a window beyond 2^31", h.window(0, 0x7FFFFFFF)),
        ("WINDOW_UPDATE of a stream that was never opened", h.window(9, 1)),
        ("DATA of no stream", h.frame(h.DATA, 0, 0, b"x")),
        ("DATA of a stream that was never opened", h.frame(h.DATA, 0, 9, b"x")),
        ("DATA that is all padding and more", post + h.frame(h.DATA, h.PADDED, 3, b"\xff12")),
        ("DATA without its padding's length", post + h.frame(h.DATA, h.PADDED, 3)),
        ("HEADERS of no stream", h.request(0, GOOD)),
        ("HEADERS of an even stream", h.request(4, GOOD)),
        ("HEADERS of a stream that was used", h.request(1, GOOD)),
        ("HEADERS of a lower stream", h.request(9, GOOD) + h.request(5, GOOD)),
        ("HEADERS with more padding than octets", h.headers(3, b"\xff" + h.get_fields(GOOD), 0xD)),
        ("HEADERS within a header block", h.headers(3, h.get_fields(GOOD), 1) + h.request(5, GOOD)),
        ("PING within a header block", h.headers(3, h.get_fields(GOOD), 1) + h.ping()),
        ("CONTINUATION of another stream", h.headers(3, h.get_fields(GOOD), 1) + h.frame(h.CONTINUATION, 4, 5)),
        ("CONTINUATION of nothing", h.frame(h.CONTINUATION, 4, 3)),
        ("PUSH_PROMISE of a client", h.frame(h.PUSH_PROMISE, 4, 1, b"\0\0\0\2" + h.get_fields(GOOD))),
        ("GOAWAY of 7 octets", h.frame(h.GOAWAY, 0, 0, b"\0" * 7)),
        ("GOAWAY of a stream", h.frame(h.GOAWAY, 0, 3, b"\0" * 8)),
        ("GOAWAY, and then a request", h.frame(h.GOAWAY, 0, 0, b"\0" * 8)),
    )
    for name, octets in both:
        c = ready()
        c.send(octets, 2)
        c.send(h.request(0x7FFFFF01, GOOD), 1)
        c.wait(lambda: c.goaway or 3 in c.done or 0x7FFFFF01 in c.done, 3)
        found = c.answer(0x7FFFFF01, 2) if not c.goaway else c.ending(5)
        right = found and (found[0] == 200 or str(found).startswith(("GOAWAY", "closed")))
        t.ok(right, "%s: told, or passed over" % name, (found, c.goaway, c.resets))
        if found and found[0] == 200:
            t.note("%s: the connection goes on %s" % (name, c.resets or ""))
        c.close()


def recorded():
    return h.OPENING + h.frame(h.SETTINGS, h.ACK) + h.request(
        1, sbi.status_path(LISTED), ("accept", "application/json,application/problem+json"), ("user-agent", "AMF"),
        ("3gpp-sbi-max-rsp-time", "10000"))


def truncations(t, w):
    """Every proper prefix of a connection, then its end: the gate closes its side."""
    octets, stuck, answered = recorded(), 0, 0
    for cut in range(len(octets)):
        c = connect(None)
        c.send(octets[:cut])
        c.s.shutdown(socket.SHUT_WR)
        stuck += not c.ending(8)
        answered += 1 in c.statuses
        c.close()
    t.equal((stuck, answered), (0, 0), "every truncated connection ends without an answer")


def flips(t, w):
    """Every bit of a connection: it ends or goes on rightly, or waits where the length of a frame was hit."""
    octets, wrong, went_on = recorded(), [], 0
    lengths = frame_lengths(octets)
    for bit in range(8 * len(octets)):
        bad = bytearray(octets)
        bad[bit // 8] ^= 0x80 >> bit % 8
        c = connect(None)
        c.send(bytes(bad) + h.request(0x7FFFFF01, sbi.status_path(FREE)))
        found = c.answer(0x7FFFFF01, 0.05 if bit // 8 in lengths else 2)
        right = isinstance(found, tuple) and found[0] == 404 and b"ERROR_EQUIPMENT_UNKNOWN" in found[1]
        went_on += right
        ended = isinstance(found, str) and found != "silence"
        if not right and not ended and not (bit // 8 in lengths and found == "silence"):
            wrong.append((bit // 8, bit % 8, found))
        c.close()
    t.equal(wrong, [], "after any one flipped bit a connection ends or answers rightly")
    t.note("%d of %d went on" % (went_on, 8 * len(octets)))


def frame_lengths(octets):
    """The offsets of the length octets of all frames behind the preface."""
    at, out = len(h.PREFACE), set()
    while at < len(octets):
        out.update(range(at, at + 3))
        at += 9 + int.from_bytes(octets[at:at + 3], "big")
    return out


def crowd(t, w):
    """Many connections that all ask; then more than are allowed."""
    many = bad.allow_descriptors(t, 900, 400)
    all_of_them = [ready() for _ in range(many)]               # who has not spoken yet gives way to others
    for c in all_of_them:
        c.send(h.request(3, GOOD))
    found = [c.answer(3, 10) for c in all_of_them]
    t.equal((len(found), {f[0] for f in found}), (many, {200}), "%d connections are all answered" % many)
    extra = [connect() for _ in range(250)]
    refused = sum(bool(c.ending(0.02)) for c in extra)
    t.note("%d of 250 more were closed" % refused)
    t.equal(all_of_them[0].ask(5, GOOD)[0], 200, "those that stand go on")
    for c in extra + all_of_them:
        c.close()


# --- TLS ------------------------------------------------------------------------------------------
TLS = ("127.0.0.1", 7778)


def client_hello():
    """What Python's TLS says first, with ALPN."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="eir.weir.test").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def tls_garbage(t, w):
    """Beginnings of handshakes, cut, changed, repeated: each connection ends, at the latest with its time for one."""
    hello, left = client_hello(), 0
    for cut in range(0, len(hello), 5):
        c = h.Connection(TLS, hello[:cut] or None)
        c.s.shutdown(socket.SHUT_WR)
        left += not c.ending(8)
        c.close()
    t.equal(left, 0, "every truncated TLS hello ends its connection")
    for at in range(0, len(hello), 3):
        bad = bytearray(hello)
        bad[at] ^= 1 << at % 8
        c = h.Connection(TLS, bytes(bad))
        c.s.shutdown(socket.SHUT_WR)
        left += not c.ending(8)
        c.close()
    t.equal(left, 0, "so does every hello with a flipped bit, answered or not")
    rows = (("records of 16 KB of nothing", b"\x17\x03\x03\x40\x00" + b"\0" * 16384),
            ("alerts", b"\x15\x03\x03\0\2\1\0" * 500),
            ("two hellos", hello * 2), ("a hundred hellos", hello * 100), ("zeros", b"\0" * 65536))
    for name, octets in rows:
        c = h.Connection(TLS, None)
        c.send(octets, 2)
        t.ok(c.ending(8), "%s where a handshake belongs: the connection ends" % name)
        c.close()


def tls_silence(t, w):
    """Who opens connections and never ends their handshakes keeps neither place nor memory for long."""
    memory, hello = bad.Memory(w), client_hello()
    silent_ones = [h.Connection(TLS, hello if n % 2 else hello[:50]) for n in range(200)]
    are_closed(t, memory, silent_ones, 12, "200 handshakes that are not gone on with are closed")


def tls_over(t, w):
    """Inside TLS the bounds are the same."""
    context = ssl.create_default_context(cafile=w.pki.ca())
    context.set_alpn_protocols(["h2"])

    def inside():
        c = h.Connection(None, sock=context.wrap_socket(socket.create_connection(TLS, 5), server_hostname="127.0.0.1"))
        c.ask(1, GOOD, scheme="https")
        return c
    c = inside()
    t.equal(c.statuses.get(1), 200, "a request over TLS is answered")
    result = flood(c, lambda n: h.ping())
    t.ok(is_bounded(result, 1) and result[1] == CALM, "a flood of PING over TLS ends", result)
    c.close()
    c = inside()
    result = flood(c, lambda n: h.headers(3 + 2 * n, h.get_fields(GOOD, scheme="https")) + h.reset(3 + 2 * n))
    t.ok(is_bounded(result, 2) and result[1] == CALM, "and so does a rapid reset", result)
    c.close()
    c = inside()
    c.s.unwrap()
    c.close()
    t.ok(True, "and an orderly end of TLS alone is an end")


SCENES = (truncations, flips, strangers, wrong_frames, header_bombs, many_bombs, floods, unread_floods, resets, bodies,
          trickled, tls_garbage, tls_silence, tls_over, crowd, silent, no_window, never_reads)


def body(r):
    t = r.tap
    # freed memory is given back at once, so that what is measured is what is kept
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    w = weir.Weir(r, hlr=False)
    w.pki = certs.Pki(r.path("tls"))
    pair = w.pki.make("gate", ["127.0.0.1"])
    w.gate_lines = ["n5g; listen tls %s %d" % TLS, "n5g; tls certificate " + pair.certificate,
                    "n5g; tls key " + pair.key]
    w.start()
    w.must("block", LISTED[5:])
    client, good = good_client()
    bad.scenes(t, w, good, *SCENES)
    client.end()
    bad.counted(t, "n5g")
    bad.end(t, w)


if __name__ == "__main__":
    rig.need("node", "openssl")
    rig.in_namespace()
    rig.Rig("n5g_bad_input").run(body, 300)
