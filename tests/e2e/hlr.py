#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Weir in front of Debian's osmo-hlr, asked by an MSC of our own: no SCTP needed, so it runs wherever osmo-hlr is.

Each function is one scene; scenes share the programs and come in this order.
"""
import random
import re
import signal
import time

import gsup
import rig
import weir

ALICE, BOB, CAROL = "001010000000001", "001010000000002", "001010000000003"
FREE, LISTED, LATER = "00100001000001", "00100002000002", "00100003000003"
HLR_VTY = 4258


def start_hlr(r):
    return r.start_listening("hlr", weir.HLR, "osmo-hlr", "-c", rig.HERE + "/cfg/osmo-hlr.cfg", "-l", r.path("hlr.db"))


def stored_imei(imsi):
    found = re.search(r"IMEI: (\d{14})", rig.vty(HLR_VTY, "show subscriber imsi " + imsi))
    return found and found.group(1)


def attach(msc, imsi, imei):
    """What osmo-msc does with check-imei-rqd 1: the HLR first, then the check."""
    updated = msc.update_location(imsi)
    return updated if updated != "accept" else msc.check(imei, imsi)


def reconnect(name, seconds=15):
    """An MSC that comes back as osmo-msc does: until it is connected and its HLR answers."""
    def attempt():
        try:
            msc = gsup.Msc(name, connect=1, seconds=1)
            if msc.update_location(ALICE, 2) == "accept":
                return msc
            msc.close()
        except (gsup.Closed, OSError):
            pass
        return None
    return rig.until(attempt, seconds, 0.2)


# --- scenes ---------------------------------------------------------------------------------------
def passes_on(t, w, msc):
    """What is not a check goes to the HLR and comes back; what is one is answered, and the HLR learns the IMEI."""
    known = rig.until(lambda: "'MSC-one'" in rig.vty(HLR_VTY, "show gsup-connections"))
    t.ok(known, "the HLR sees the MSC under its own name")
    t.equal(msc.update_location(ALICE), "accept", "an update location passes through to the HLR and back")
    t.equal(msc.update_location("001010000000099"), "error:2", "the HLR's refusal of a stranger comes back")
    t.equal(msc.check(FREE, ALICE), "ack", "a device on no list is accepted")
    t.equal(rig.until(lambda: stored_imei(ALICE), 3), FREE, "the HLR has stored its IMEI")
    source = gsup.ie(gsup.IE_SOURCE, b"MSC-far\0")
    msc.send(gsup.check_request(ALICE, FREE, source))
    f = msc.wait(lambda g: g.kind in gsup.CHECK_ANSWERS)
    t.equal(f and f.ies.get(gsup.IE_DESTINATION), b"MSC-far\0", "the source name comes back as destination name")
    t.equal(f and gsup.unbcd(f.ies.get(gsup.IE_IMSI, b"")), ALICE, "the answer names the subscriber")
    t.equal(f and f.ies.get(gsup.IE_CLASS), b"\x01", "the answer has the request's message class")


def refuses(t, w, msc):
    """A list decides, in whatever form a device was listed and presents itself."""
    w.must("block", LISTED)
    t.equal(msc.check(LISTED, BOB), "nack", "a blocked device is refused")
    t.equal(msc.check(LISTED + "77", BOB), "nack", "and refused with its IMEISV")
    t.equal(msc.check(LISTED + "0", BOB), "nack", "and refused with 15 digits")
    t.equal(msc.check(FREE, BOB), "ack", "another device is still accepted")
    t.equal(msc.check(FREE + "77", BOB), "ack", "also with 16 digits, which the HLR would not take")
    rig.until(lambda: stored_imei(BOB) == FREE, 3)
    t.equal(msc.check(LISTED, BOB), "nack", "the blocked device is refused again")
    msc.update_location(BOB)                                   # in order: the HLR has had whatever came before
    t.equal(stored_imei(BOB), FREE, "the HLR never saw the refused device")
    w.must("unblock", LISTED)
    t.equal(msc.check(LISTED, BOB), "ack", "an unblocked device is accepted again")


def blocks_now(t, w, msc):
    """Who is attached with a device that turns black is thrown off, at his MSC only."""
    other = gsup.Msc("MSC-two")
    t.equal(attach(msc, ALICE, LATER), "ack", "Alice attaches at MSC-one")
    t.equal(attach(other, CAROL, FREE), "ack", "Carol attaches at MSC-two with another device")
    before = time.monotonic()
    w.must("block", LATER)
    returned = time.monotonic()
    when = msc.cancelled(ALICE)
    if t.ok(when, "Alice's location is cancelled when her device is blocked"):
        t.note("block took %.0f ms, cancelled %.1f ms after weirctl returned" %
               (1e3 * (returned - before), 1e3 * max(0, when - returned)))
        f = msc.cancels[-1][2]
        t.equal(f.ies.get(gsup.IE_CN_DOMAIN), b"\x02", "the cancel is for the CS domain")
        t.equal(f.ies.get(gsup.IE_CANCEL_TYPE), b"\x01", "and of type withdraw")
    t.equal(other.cancelled(CAROL, 0.5), None, "Carol stays")
    t.equal([c[1] for c in msc.cancels], [ALICE], "and nobody else is cancelled at MSC-one")
    t.equal(msc.check(LATER, ALICE), "nack", "Alice is refused when she comes back")
    w.must("unblock", LATER)
    t.equal(attach(msc, ALICE, LATER), "ack", "after unblock she is accepted")
    other.close()


def keeper_dies(t, w, msc):
    w.must("block", LISTED)
    w.keeper.kill()
    t.equal([msc.check(LISTED, BOB), msc.check(FREE, BOB)], ["nack", "ack"], "with the keeper killed, checks go on")
    t.equal(msc.update_location(BOB), "accept", "and so does what passes to the HLR")
    w.start_keeper()
    t.equal(attach(msc, ALICE, LATER), "ack", "with the keeper back, Alice attaches")
    w.must("block", LATER)
    t.ok(msc.cancelled(ALICE), "and is thrown off when her device is blocked")
    msc.cancels.clear()
    w.must("unblock", LATER)


def gate_sleeps(t, w, msc):
    """A gate that was not there when a device turned black looks again."""
    t.equal(attach(msc, ALICE, LATER), "ack", "Alice attaches once more")
    w.gate.process.send_signal(signal.SIGSTOP)
    w.must("block", LATER)
    w.gate.process.send_signal(signal.SIGCONT)
    t.ok(msc.cancelled(ALICE), "a gate that slept while her device was blocked throws her off when it wakes")
    msc.cancels.clear()
    w.must("unblock", LATER)


def hlr_dies(t, w, msc, hlr, r):
    hlr.kill()
    gone = msc.closed(1)
    t.note("with the HLR killed, the MSC's connection %s" % ("is closed" if gone else "stands"))
    if not gone:
        t.equal(msc.check(LISTED, BOB), "nack", "while the HLR is away a blocked device is refused")
        t.equal(msc.check(FREE, BOB), "ack", "and another one accepted")
    start_hlr(r)
    msc.close()
    back = reconnect("MSC-one")
    t.ok(back, "with the HLR back, an MSC attaches subscribers again within 15 s")
    return back


def gate_dies(t, w, msc):
    w.gate.kill()
    t.ok(msc.closed(2), "a killed gate's connections are closed")
    w.start_gate()
    back = reconnect("MSC-one")
    t.ok(back, "with the gate back, the MSC goes on")
    t.equal([back.check(LISTED, BOB), back.check(FREE, BOB)], ["nack", "ack"], "and the answers are the same as before")
    return back


def counters_close(t):
    values = weir.check_counters()
    parts = sum(v for k, v in values.items() if k != "received")
    t.ok(values.get("received", 0) > 0 and values["received"] == parts, "received is the sum of its parts", values)


def untouched(t, w):
    """Frames that are no checks pass octet for octet, whatever is in them."""
    fake = gsup.FakeHlr()
    msc = gsup.Msc("MSC-odd")
    up = fake.accept()
    t.equal(up.identity and up.identity.octets, gsup.id_response("MSC-odd"), "the HLR gets the MSC's own identity")
    rnd = random.Random(1)

    def odd():
        kind = rnd.choice([0x04, 0x0C, 0x20, 0x1E, 0x12, 0x77, 0xFF])
        body = bytes([gsup.EXT_GSUP, kind]) + rnd.randbytes(rnd.choice([0, 1, 2, 30, 255, 1400]))
        return gsup.frame(gsup.OSMO, body)

    for name, one, other in (("MSC to HLR", msc, up), ("HLR to MSC", up, msc)):
        sent = [odd() for _ in range(300)]
        one.send(b"".join(sent))
        got = []
        while len(got) < len(sent):
            f = other.next(3)
            if f is None:
                break
            if f.protocol == gsup.OSMO:
                got.append(f.octets)
        t.ok(got == sent, "300 odd frames pass untouched, " + name, "%d came" % len(got))
    msc.close()
    t.ok(closes(up), "when the MSC goes, its leg to the HLR goes")
    up.close()
    fake.close()


def closes(peer):
    try:
        while peer.next(5):
            pass
    except gsup.Closed:
        return True
    return False


def body(r):
    t = r.tap
    hlr = start_hlr(r)
    for imsi in (ALICE, BOB, CAROL):
        rig.vty(HLR_VTY, "subscriber imsi %s create" % imsi)
    w = weir.Weir(r)
    w.start()
    msc = gsup.Msc("MSC-one")
    passes_on(t, w, msc)
    refuses(t, w, msc)
    blocks_now(t, w, msc)
    msc.cancels.clear()
    keeper_dies(t, w, msc)
    gate_sleeps(t, w, msc)
    msc = hlr_dies(t, w, msc, hlr, r)
    msc = gate_dies(t, w, msc)
    counters_close(t)
    msc.close()
    r.running[[one.name for one in r.running].index("hlr")].kill()
    untouched(t, w)
    status, said = w.ctl("verify")
    t.ok(status == 0, "ledger and register agree", said)
    t.equal(w.gate.end(), 0, "the gate ends in order")
    t.equal(w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    rig.need("osmo-hlr")
    rig.in_namespace()
    rig.Rig("hlr").run(body, 120)
