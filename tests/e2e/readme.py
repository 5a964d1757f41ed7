#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The README's tour, as it stands there: every command of its shell blocks is run, in order, in one shell.

Only the folders are others: the programs of this build, and a state directory of the test's own.
"""
import os
import re
import subprocess

import rig

TOP = os.environ["TOP_SRCDIR"]


def commands():
    """The lines of the shell blocks from "A tour" on."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        tour = f.read().split("## A tour", 1)[1]
    blocks = re.findall(r"^```sh\n(.*?)^```", tour, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def script(lines, state):
    """Each line, and after it what became of it."""
    out = []
    for number, line in enumerate(lines):
        line = line.replace("build/src", os.path.join(os.environ["TOP_BUILDDIR"], "src")).replace("/tmp/weir", state)
        out += [line, 'echo "status %d $?"' % number]
    return "\n".join(out + ["kill $(jobs -p); wait"])


def body(r):
    t = r.tap
    lines = commands()
    t.ok(len(lines) >= 10, "the README has a tour of %d commands" % len(lines))
    ran = subprocess.run(["bash", "-c", script(lines, r.path("state"))], cwd=TOP, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=90, text=True, check=False)
    status = dict(re.findall(r"^status (\d+) (\d+)$", ran.stdout, re.M))
    for number, line in enumerate(lines):
        wanted = "4" if " check " in line and "weirctl" in line else "0"  # 4: the device is black
        t.equal(status.get(str(number)), wanted, line.split("#")[0].strip())
    t.ok("refused" in ran.stdout and "accepted" in ran.stdout, "one device is white, one is black", ran.stdout)
    told = [len(re.findall(r"^0010000100000\d+  %s " % colour, ran.stdout, re.M)) for colour in ("white", "black")]
    t.equal(told, [2, 2], "to an MME and to an AMF too")
    t.ok("clean: " in ran.stdout, "and ledger and register agree", ran.stdout)


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("readme").run(body, 120)
