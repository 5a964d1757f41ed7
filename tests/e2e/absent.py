#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Block now over restarts: what a gate's own table forgot, the keeper remembers.  weir-sim is the MSC; no HLR."""
import rig
import weir

SEEN_S = 3      # sightings go out when they are a second old, and are stored within another
LATE_S = 6      # an order that had to wait comes within seconds


class Msc:
    """weir-sim listen.  With a device it asks, like an MSC where somebody attaches; without one it only comes back."""

    def __init__(self, r, n, *devices):
        self.imsi = "0010100000000%02d" % n
        self.one = r.start("msc-%d%s" % (n, "" if devices else "-back"), rig.program("weir-sim"), "gsup",
                           "-n", "MSC-%d" % n, "-i", self.imsi, "listen", *devices)
        self.one.said("listening")

    def cancelled(self, seconds=LATE_S):
        return bool(self.one.said("location cancel for " + self.imsi, seconds))


def device(n):
    return "001000%02d000001" % n


def attach(t, r, w, n, imei=None):
    """Somebody attaches and the keeper has heard of it; his MSC goes with the gate."""
    imei = imei or device(n)
    msc = Msc(r, n, imei)
    t.ok(msc.one.said("accepted"), "%d attaches" % n)
    t.ok(rig.until(lambda: any(s["imsi"] == msc.imsi for s in w.json("show", imei)["seen"]), SEEN_S, 0.2),
         "and the keeper knows it")
    return msc


def restart_between(r, w, msc, *change):
    """The gate is killed, the change is made, the gate starts again."""
    w.gate.kill()
    msc.one.kill()
    w.must(*change)
    w.start_gate()


def gate_was_away(t, r, w):
    """Case 1: nobody was there to be told."""
    msc = attach(t, r, w, 1)
    restart_between(r, w, msc, "block", device(1))
    t.ok(Msc(r, 1).cancelled(), "blocked while the gate was away: cancelled when gate and MSC are back")


def gate_forgot(t, r, w):
    """Case 2: the gate is there, and its table is empty; the MSC is back and asks nothing."""
    rows = (
        (2, ("range", "put", "00100002000000", "00100002999999"), "a range"),
        (3, ("tac", "put", "00100003"), "a TAC"),
        (4, ("pair", "deny", device(4), "001010000000004"), "a denied pair"),
        (5, ("pair", "fixed", "00100099000001", "001010000000005"), "a SIM fixed to another device"),
        (6, ("block", device(6)), "a device"),
    )
    for msc in [attach(t, r, w, row[0]) for row in rows]:
        msc.one.kill()
    w.gate.kill()
    w.start_gate()
    for n, change, what in rows:
        back = Msc(r, n)
        t.ok(not back.cancelled(0.3), "%d is back" % n)
        w.must(*change)
        t.ok(back.cancelled(), "%s turns black after a gate restart: cancelled" % what)


def missed_then_restarted(t, r, w):
    """Told, but the MSC was away; and then the gate forgot it."""
    msc = attach(t, r, w, 7)
    msc.one.kill()
    w.must("block", device(7))
    w.gate.kill()
    w.start_gate()
    t.ok(Msc(r, 7).cancelled(), "told while the MSC was away, gate restarted: cancelled when the MSC is back")


def clones(t, r, w):
    """All who were seen in one device, not only the last."""
    mscs = [attach(t, r, w, n, device(8)) for n in (8, 9, 10)]
    for msc in mscs:
        msc.one.kill()
    w.gate.kill()
    w.start_gate()
    back = [Msc(r, n) for n in (8, 9, 10)]
    w.must("block", device(8))
    t.equal([b.cancelled() for b in back], [True] * 3, "three subscribers of one device are all cancelled")


def keeper_forgot(t, r, w):
    """Gate away while blocked, and the keeper restarted before it came back."""
    msc = attach(t, r, w, 11)
    w.gate.kill()
    msc.one.kill()
    w.must("block", device(11))
    w.keeper.kill()
    w.start_keeper()
    w.start_gate()
    t.ok(Msc(r, 11).cancelled(), "blocked, then the keeper killed too: cancelled when all are back")


def body(r):
    w = weir.Weir(r, hlr=False)
    w.start()
    for scene in (gate_was_away, gate_forgot, missed_then_restarted, clones, keeper_forgot):
        scene(r.tap, r, w)
    r.tap.equal(w.gate.end(), 0, "the gate ends in order")
    r.tap.equal(w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("absent").run(body, 180)
