#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What a hostile or broken network element may send to weir-gate, while a good one keeps getting right answers.

Each function is one scene; after each, the good client must have had nothing but right answers, in time.
"""
import socket
import struct
import time

import bad
import gsup
import rig
import weir

LISTED, FREE = "00100001000001", "00100002000002"
IMSI, OTHER_IMSI = "001010000000001", "001010000000042"
MESSAGES = {
    "check": gsup.check_request(IMSI, LISTED, gsup.ie(gsup.IE_SOURCE, b"MSC-far\0")),
    "identity": gsup.id_response("MSC-flip"),
    "ping": gsup.frame(gsup.CCM, bytes([gsup.PING])),
    "cancel result": gsup.message(gsup.CANCEL_RES, gsup.ie(gsup.IE_IMSI, gsup.bcd(IMSI)),
                                  gsup.ie(gsup.IE_CLASS, b"\x01")),
    "update": gsup.message(gsup.UPDATE_REQ, gsup.ie(gsup.IE_IMSI, gsup.bcd(IMSI)), gsup.ie(gsup.IE_CN_DOMAIN, b"\x02")),
}


def good_client():
    """Asks for a listed and a free device in turn."""
    msc = gsup.Msc("MSC-good")

    def ask():
        for imei, wanted in ((LISTED, "nack"), (FREE, "ack")):
            try:
                found = msc.check(imei, IMSI, seconds=bad.PATIENCE)
            except gsup.Closed as e:
                found = "closed: %s" % e
            yield found, wanted
    return bad.GoodClient(ask)


def raw(seconds=2):
    s = socket.create_connection(weir.GATE, 5)
    s.settimeout(seconds)
    return s


def identified(name):
    """A connection past its handshake: it has had an answer."""
    msc = gsup.Msc(name)
    msc.check(FREE)
    return msc


def ends(s, seconds=2):
    """Read until the gate closes; False where it does not."""
    s.settimeout(seconds)
    try:
        while s.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


# --- scenes ---------------------------------------------------------------------------------------
def truncations(t, w):
    """Every proper prefix of every message, then the end of the connection: the gate closes its side and goes on."""
    for name, octets in MESSAGES.items():
        stuck = 0
        for cut in range(len(octets)):
            s = raw()
            if name != "identity":
                s.sendall(gsup.id_response("MSC-cut"))
            s.sendall(octets[:cut])
            s.shutdown(socket.SHUT_WR)
            stuck += not ends(s)
            s.close()
        t.equal(stuck, 0, "every truncated %s ends its connection" % name)


def flips(t, w):
    """Every bit of every message.  Where the framing survives, the connection is closed or goes on rightly."""
    for name, octets in MESSAGES.items():
        wrong = []
        for bit in range(8 * len(octets)):
            bad = bytearray(octets)
            bad[bit // 8] ^= 0x80 >> bit % 8
            framed = bit >= 16
            try:
                found = after(bytes(bad), name)
            except (gsup.Closed, OSError):
                continue                                       # refused and closed: fine
            if framed and found != "nack":
                wrong.append((bit, found))
        t.equal(wrong, [], "after any one flipped bit in a %s the connection is closed or answers rightly" % name)


def after(bad, name):
    """Send it, then ask for the listed device; that one's answer."""
    if name == "identity":
        peer = gsup.Peer(socket.create_connection(weir.GATE, 5))
        peer.send(bad)
    else:
        peer = gsup.Msc("MSC-flip")
        peer.send(bad)
    try:
        peer.send(gsup.check_request(OTHER_IMSI, LISTED))
        while True:
            f = peer.next(0.1 if struct.unpack("!H", bad[:2])[0] != len(bad) - 3 else 3)
            if f is None:
                return "silence"
            if f.kind in gsup.CHECK_ANSWERS and gsup.unbcd(f.ies.get(gsup.IE_IMSI, b"")) == OTHER_IMSI:
                return gsup.verdict(f)
    finally:
        peer.close()


def wrong_identities(t, w):
    msc = identified("MSC-wrong")

    def asked(*ies):
        msc.send(gsup.message(gsup.CHECK_REQ, *ies))
        return gsup.verdict(msc.wait(lambda f: f.kind in gsup.CHECK_ANSWERS))

    imsi, cls = gsup.ie(gsup.IE_IMSI, gsup.bcd(IMSI)), gsup.ie(gsup.IE_CLASS, b"\x01")
    cases = {
        "13 digits": gsup.imei_ie(FREE[:13]),
        "no digits": gsup.ie(gsup.IE_IMEI, b"\0"),
        "an empty IE": gsup.ie(gsup.IE_IMEI, b""),
        "letters": gsup.ie(gsup.IE_IMEI, b"\x07" + bytes.fromhex("abcdefabcdefab")),
        "30 octets": gsup.ie(gsup.IE_IMEI, b"\x1d" + b"\x11" * 29),
        "a length that lies": gsup.ie(gsup.IE_IMEI, b"\x30" + gsup.bcd(FREE)),
    }
    for name, imei in cases.items():
        found = asked(imsi, imei, cls)
        t.ok(found.startswith("error:"), "an IMEI of %s gets an error" % name, found)
    t.ok(asked(imsi, cls).startswith("error:"), "a check without an IMEI gets an error")
    t.ok(asked(gsup.imei_ie(LISTED), cls) in ("nack", "error:96"), "a listed device without an IMSI is not let through")
    t.equal(asked(gsup.ie(0x99, b"?" * 200), imsi, gsup.ie(0xEE, b""), gsup.imei_ie(LISTED), cls), "nack",
            "IEs that nobody knows are skipped: a listed device is refused")
    t.equal(asked(gsup.ie(0x99, b"?" * 200), imsi, gsup.imei_ie(FREE), cls), "ack", "and a free one accepted")
    msc.close()


def oversized(t, w):
    """The greatest frame there can be, whole and in part, and many small ones at once."""
    memory = bad.Memory(w)
    for _ in range(20):
        s = raw()
        try:
            s.sendall(gsup.id_response("MSC-big") + gsup.frame(gsup.OSMO, b"\x05\x30" + b"\x99" * 65533))
            s.shutdown(socket.SHUT_WR)
            ends(s, 1)
        except OSError:
            pass
        s.close()
    memory.stays_below(t, 16, "twenty frames of 64 KiB leave nothing behind")
    msc = identified("MSC-many")
    msc.send(gsup.check_request(IMSI, LISTED) * 2000)
    found = [gsup.verdict(msc.wait(lambda f: f.kind == gsup.CHECK_RES, 10)) for _ in range(2000)]
    t.equal(set(found), {"nack"}, "two thousand checks in one write get as many answers")
    msc.close()


def trickled(t, w):
    msc = identified("MSC-slow")
    for octet in gsup.check_request(IMSI, LISTED):
        msc.send(bytes([octet]))
        time.sleep(0.003)
    found = gsup.verdict(msc.wait(lambda f: f.kind == gsup.CHECK_RES))
    t.equal(found, "nack", "a check that comes octet by octet is answered")
    msc.close()


def never_reads(t, w):
    """Asks and asks and never reads: the gate stops reading it, keeps nothing of it, and closes it."""
    memory, octets = bad.Memory(w), gsup.check_request(IMSI, FREE) * 1000
    greedy = [identified("MSC-deaf%d" % i) for i in range(4)]
    bad.never_read(t, memory, [msc.s for msc in greedy], lambda _: octets)
    closed = rig.until(lambda: weir.connections("MSC-deaf") == 0, 25, 0.5)
    t.ok(closed, "and are closed within half a minute")
    for msc in greedy:
        msc.close()


def crowd(t, w):
    """A thousand connections that all ask; then more than are allowed."""
    many = bad.allow_descriptors(t, 1000, 200)
    crowd_ = [gsup.Msc("MSC-%d" % i, seconds=10) for i in range(many)]
    for msc in crowd_:
        msc.send(gsup.check_request(IMSI, LISTED))
    found = [gsup.verdict(msc.wait(lambda f: f.kind == gsup.CHECK_RES, 10)) for msc in crowd_]
    t.equal((len(found), set(found)), (many, {"nack"}), "%d connections are all answered" % many)
    extra = [raw() for _ in range(200)]
    refused = sum(ends(s, 0.05) for s in extra)
    t.note("%d of 200 more were closed" % refused)
    t.equal(crowd_[0].check(LISTED), "nack", "those that stand go on")
    for s in extra + crowd_:
        s.close()


def silent(t, w):
    """Connections that never say who they are get no answer to a check."""
    s = gsup.Peer(socket.create_connection(weir.GATE, 5))
    s.send(gsup.check_request(IMSI, FREE))
    answer = None
    try:
        while answer is None:
            f = s.next(1)
            if f is None:
                break
            answer = f if f.kind is not None else None
    except gsup.Closed:
        pass
    t.equal(answer, None, "who has not said who he is gets no verdict")
    s.close()


SCENES = (truncations, flips, wrong_identities, oversized, trickled, silent, crowd, never_reads)


def body(r):
    t = r.tap
    w = weir.Weir(r, hlr=False)
    w.start()
    w.must("block", LISTED)
    bad.scenes(t, w, good_client(), *SCENES)
    found = bad.counted(t, "gsup")
    t.ok(found.get("malformed", 0) > 0, "malformed identities were counted", found)
    bad.end(t, w)


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("bad_input").run(body, 240)
