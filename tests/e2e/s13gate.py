# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""How the tests of S13 start Weir: on an address that freeDiameter can reach, with some devices on its lists."""
import re

import freediameter as fd
import rig
import weir

BLACK, GREY, WHITE, FREE = "00100001000001", "00100001000002", "00100001000003", "00100002000001"
VERSIONED = "00100001000004"                                   # black with software version 07 only
PAIRED = "00100001000005"                                      # black, but allowed to ALLOWED
COUNTERFEIT = "00100009"                                       # a black TAC
FAULTY_FROM, FAULTY_TO = "00100008000000", "00100008000999"    # a grey range
IMSI, ALLOWED = "001010000000001", "001010000000042"
LIST = "imei,svn,tac,from,to,list,imsi,pair\n" + "".join(row + "\n" for row in (
    BLACK + ",,,,,black,,", GREY + ",,,,,grey,,", WHITE + ",,,,,white,,", VERSIONED + ",07,,,,black,,",
    PAIRED + ",,,,,black,,", PAIRED + ",,,,,," + ALLOWED + ",allow", ",," + COUNTERFEIT + ",,,black,,",
    ",,," + FAULTY_FROM + "," + FAULTY_TO + ",grey,,"))


def forms(imei, svn):
    """(IMEI AVP, Software-Version AVP) in every way a device may present itself; with 15 digits any last one."""
    return ((imei, None), (imei + "0", None), (imei + "7", None), (imei, svn), (imei + "0", svn), (imei + svn, None),
            (imei + svn, svn))


def questions():
    """(IMEI, SVN, IMSI, expected): every list in every form of digits."""
    rows = []
    for imei, imsi, verdict in ((BLACK, IMSI, "black"), (GREY, IMSI, "grey"), (WHITE, None, "white"),
                                (FREE, IMSI, "unknown"), (PAIRED, IMSI, "black"), (PAIRED, None, "black"),
                                (PAIRED, ALLOWED, "white"), (COUNTERFEIT + "000001", IMSI, "black"),
                                (FAULTY_FROM, IMSI, "grey"), (FAULTY_TO, None, "grey")):
        rows += [(shown, svn, imsi, verdict) for shown, svn in forms(imei, "42")]
    rows += [(VERSIONED, "07", IMSI, "black"), (VERSIONED + "07", None, IMSI, "black"),
             (VERSIONED + "08", None, IMSI, "unknown"), (VERSIONED, None, IMSI, "unknown"),
             (VERSIONED, "08", None, "unknown")]
    return rows


class Weir(weir.Weir):
    """places: "10.99.0.1 3868", "tls 10.99.0.1 5868", ...; more: further commands of the node s13."""

    def __init__(self, r, places=("%s %d" % (fd.GATE, fd.PORT),), more=(), peers=("* address 10.0.0.0/8",)):
        super().__init__(r, hlr=False)
        lines = ["origin-host " + fd.EIR, "origin-realm " + fd.REALM, "connections-per-peer 1"]
        lines += ["peer " + peer for peer in peers] + ["listen " + place for place in places] + list(more)
        self.gate_lines += ["s13; " + line for line in lines]

    def fill(self):
        path = self.r.path("s13-list.csv")
        with open(path, "w") as f:
            f.write(LIST)
        self.must("import", path, "--source", "s13")

    def start(self):
        self.start_keeper()
        self.fill()
        self.start_gate()


    def vty_counter(self, name):
        """A counter of the interface, as `show counters` has it."""
        found = re.search(r"^s13 +%s +(\d+) " % re.escape(name), rig.vty(weir.GATE_VTY, "show counters s13"), re.M)
        return int(found.group(1)) if found else -1


def gate_listens(address=(fd.GATE, fd.PORT)):
    return rig.until(lambda: rig.listens(address), 10, 0.05)


def connections():
    """{name: line} of the Diameter peers that are connected, as the gate's VTY tells it."""
    found = {}
    for line in rig.vty(weir.GATE_VTY, "show peers s13").splitlines():
        words = line.split()
        if words and words[-1].endswith("." + fd.REALM):
            found[words[-1]] = line
    return found
