# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""How the end-to-end tests start Weir: the example configurations, plus -C lines for what a test needs otherwise."""
import json
import re
import urllib.request

import rig

GATE_VTY, KEEPER_VTY, GATE_ADMIN = 4279, 4281, 8483
GATE = ("127.0.0.1", 4222)
HLR = ("127.0.0.2", 4222)


class Weir:
    def __init__(self, r, hlr=True):
        self.r, self.state = r, r.path("state")
        self.gate_lines = ["gsup; hlr %s %d" % HLR] if hlr else []
        for name in ("weir-keeper", "weir-gate", "weirctl"):
            with open(rig.program(name), "rb"):                # ours must be there: an error, never a skip
                pass

    def options(self, name, lines):
        out = [rig.program(name), "-S", self.state, "-c", rig.example(name + ".cfg")]
        for line in lines:
            out += ["-C", line]
        return out

    def start_keeper(self):
        self.keeper = self.r.start("keeper", *self.options("weir-keeper", []))
        rig.until(lambda: self.ctl("status")[0] == 0 or not self.keeper.alive(), 15, 0.1)
        if self.ctl("status")[0] != 0:
            raise RuntimeError("weir-keeper does not come up: " + self.ctl("status")[1])
        return self.keeper

    def start_gate(self, *lines):
        self.gate = self.r.start_listening("gate", GATE, *self.options("weir-gate", self.gate_lines + list(lines)))
        return self.gate

    def start(self):
        self.start_keeper()
        self.start_gate()

    def ctl(self, *arguments, seconds=20):
        """(exit status, what it said)"""
        return rig.command(rig.program("weirctl"), "-S", self.state, *arguments, seconds=seconds)

    def must(self, *arguments):
        status, said = self.ctl(*arguments)
        if status:
            raise RuntimeError("weirctl %s ended with %d: %s" % (" ".join(arguments), status, said))
        return said

    def json(self, *arguments):
        return json.loads(self.must("--json", *arguments))


def metrics(port):
    """{name{labels}: value} of a daemon's admin listener."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=5) as answer:
        text = answer.read().decode()
    return {k: float(v) for k, v in re.findall(r"^([a-z_:][^ \n]*) ([-0-9.e+]+)$", text, re.M)}


def check_counters(interface="gsup"):
    """What became of an interface's checks, as the gate's metrics tell it: {"received": n, "white": n, ...}."""
    values = metrics(GATE_ADMIN)
    counters = {"received": values['weir_gate_checks_received_total{interface="%s"}' % interface]}
    for name, value in values.items():
        tally = re.fullmatch(r'weir_gate_checks_total{interface="%s",tally="(.*)"}' % interface, name)
        if tally:
            counters[tally.group(1)] = value
    return counters


def connections(prefix):
    """How many peers whose names begin so are connected, as the gate's VTY tells it."""
    return len(re.findall(r"^ *\d+ .* %s\S*$" % re.escape(prefix), rig.vty(GATE_VTY, "show peers gsup"), re.M))
