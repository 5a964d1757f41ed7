#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Files taken away or cut short under the running daemons, and a second keeper where one works already.

The gate must never tell a listed device that it may be used while it can know better, and the keeper must not die
of it, nor empty a register because its ledger went missing.
"""
import glob
import os
import shutil
import time

import gsup
import rig
import weir

MINE, OTHER, BULK = "001000050000024", "001000050000032", 60000
IMSI = "001010000000001"


def bulk_list(r):
    path = r.path("bulk.csv")
    with open(path, "w") as f:
        f.write("imei\n" + "".join("0010009%07d\n" % i for i in range(BULK)))
    return path


def cut_register_is_made_anew(t, r, w, msc):
    w.must("import", bulk_list(r), "--source", "bulk")
    data = os.path.join(os.path.realpath(os.path.join(w.state, "register")), "data.mdb")
    os.truncate(data, 8192)
    time.sleep(1)
    t.ok(msc.check(MINE, IMSI) in ("ack", "nack"), "the register cut short, the gate still answers")
    status, said = w.ctl("rebuild", seconds=40)
    t.equal(status, 0, "the register is made anew")
    if status:
        t.note(said)
    time.sleep(4)                                              # the keeper sweeps its stores each few seconds
    t.ok(w.keeper.alive(), "and the keeper lives on")
    t.ok(rig.until(lambda: msc.check(MINE, IMSI) == "nack", 5), "the listed device is refused again")
    w.must("block", OTHER)
    t.ok(rig.until(lambda: msc.check(OTHER, IMSI) == "nack", 3), "and a change comes in force")
    status, said = w.ctl("verify", seconds=40)
    t.ok(status == 0, "ledger and register agree", said)


def second_keeper_is_refused(t, r, w, msc):
    options = w.options("weir-keeper", ["line vty; bind 127.0.0.1 5281", "ctrl; bind 127.0.0.1 5282",
                                        "admin; no listen"])
    before = w.json("status")["seen"]
    for _ in range(3):
        status, said = rig.command(*options, seconds=20)
        t.ok(status == 1 and "keeper" in said, "a second keeper is refused in words", (status, said[-300:]))
    t.ok(os.path.exists(os.path.join(w.state, "keeper.sightings")), "and leaves the first one's socket alone")
    msc.check("001000060000015", "001010000000077")
    t.ok(rig.until(lambda: w.json("status")["seen"] != before, 5, 0.2), "which still hears of who was seen")


def lost_ledger_is_refused(t, r, w, msc):
    t.equal(w.keeper.end(), 0, "the keeper ends")
    for path in glob.glob(os.path.join(w.state, "ledger*")):
        shutil.rmtree(path)
    status, said = rig.command(*w.options("weir-keeper", []), seconds=20)
    t.ok(status == 1 and "ledger" in said, "a keeper whose ledger is gone refuses to empty the register",
         (status, said[-300:]))
    t.equal(msc.check(MINE, IMSI), "nack", "and the listed device stays refused")


def body(r):
    t = r.tap
    w = weir.Weir(r, hlr=False)
    w.start()
    msc = gsup.Msc("MSC-damage")
    w.must("block", MINE, "--reason", "stolen")
    t.ok(rig.until(lambda: msc.check(MINE, IMSI) == "nack", 3), "a listed device is refused")
    second_keeper_is_refused(t, r, w, msc)
    cut_register_is_made_anew(t, r, w, msc)
    lost_ledger_is_refused(t, r, w, msc)
    t.equal(w.gate.end(), 0, "the gate ends in order")


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("damage").run(body, 150)
