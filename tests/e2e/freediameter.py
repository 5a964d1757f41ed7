# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Debian's freeDiameter as a peer: client, relay or server, with S13 taught to it by tests/peers/weir_s13.fdx.

freeDiameter does not bind to 127.0.0.0/8, so tests that use it run in a network namespace with addresses of their own.
"""
import os
import re
import subprocess
import time

import rig

FDX = os.path.join(rig.TOP_BUILDDIR, "tests", "peers", "weir_s13.fdx")
REALM = "weir.test"
GATE, CLIENT, RELAY, OTHER = "10.99.0.1", "10.99.0.2", "10.99.0.3", "10.99.0.4"
SECOND = {GATE: "10.98.0.1", CLIENT: "10.98.0.2", RELAY: "10.98.0.3", OTHER: "10.98.0.4"}    # for multi-homed SCTP
EIR, MME, DRA = "eir." + REALM, "mme." + REALM, "dra." + REALM
PORT, TLS_PORT = 3868, 5868
SUMMARY = (r"weir_s13: (\d+) asked, (\d+) right, (\d+) wrong, (\d+) silent, (\d+) undelivered, (\d+) broken, "
           r"(\d+)/s, p50 (\d+) us, p99 (\d+) us")


def need():
    rig.need("freeDiameterd", "openssl", "ip")
    if not os.path.exists("/usr/lib/freeDiameter/dict_dcca_3gpp.fdx"):
        rig.skip_all("freediameter-extensions is not installed")
    if not os.path.exists(FDX):
        rig.skip_all("weir_s13.fdx is not built: libfreediameter-dev was not there when this was configured")


def add_addresses():
    for first, second in SECOND.items():
        for address in (first, second):
            subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=False, capture_output=True)


class Summary:
    """The client's last line."""

    def __init__(self, match):
        numbers = [int(n) for n in match.groups()]
        (self.asked, self.right, self.wrong, self.silent, self.undelivered, self.broken,
         self.rate, self.p50_us, self.p99_us) = numbers

    def all_right(self, asked):
        return self.asked == self.right == asked and not self.broken

    def __repr__(self):
        return ", ".join("%d %s" % (v, k) for k, v in vars(self).items())


def questions(path, rows):
    """rows of (imei, svn, imsi, expected), None for what is left out."""
    with open(path, "w") as f:
        for row in rows:
            f.write(" ".join(field or "-" for field in row) + "\n")
    return path


class Node:
    """A freeDiameter to be started.  pki: certs.Pki; peers: (identity, addresses, port, secure)."""

    def __init__(self, r, name, identity, addresses, pki, work, peers=(), relay=False, sctp=False, watchdog=6,
                 secure_port=0, realm=REALM):
        self.r, self.name = r, name
        self.config = r.path(name + ".conf")
        pair = pki.make(name, [identity])
        lines = ['Identity = "%s";' % identity, 'Realm = "%s";' % realm, "Port = %d;" % PORT,
                 "SecPort = %d;" % secure_port, "No_SCTP;" if not sctp else "No_TCP;", "No_IPv6;", "TcTimer = 6;",
                 "TwTimer = %d;" % watchdog, "AppServThreads = 2;",
                 'TLS_Cred = "%s", "%s";' % (pair.certificate, pair.key), 'TLS_CA = "%s";' % pki.ca()]
        lines += ['ListenOn = "%s";' % address for address in addresses]
        lines += ["NoRelay;"] * (not relay)
        for extension in ("dict_nasreq", "dict_dcca", "dict_dcca_3gpp"):
            lines.append('LoadExtension = "%s.fdx";' % extension)
        lines.append('LoadExtension = "%s" : "%s";' % (FDX, work))
        self.route(lines, peers, realm)
        for identity_, to, port, secure in peers:
            options = ['ConnectTo = "%s";' % address for address in to] + ["Port = %d;" % port]
            options += [] if secure else ["No_TLS;"]
            lines.append('ConnectPeer = "%s" { %s };' % (identity_, " ".join(options)))
        with open(self.config, "w") as f:
            f.write("\n".join(lines) + "\n")

    def route(self, lines, peers, realm):
        """Everything to the first peer, whatever its realm; any peer may connect without TLS."""
        with open(self.r.path(self.name + ".acl"), "w") as f:
            f.write("ALLOW_IPSEC *.%s\n" % realm)
        lines.append('LoadExtension = "acl_wl.fdx" : "%s";' % self.r.path(self.name + ".acl"))
        if peers:
            with open(self.r.path(self.name + ".rt"), "w") as f:
                f.write('* : "%s" += 50 ;\n' % peers[0][0])
            lines.append('LoadExtension = "rt_default.fdx" : "%s";' % self.r.path(self.name + ".rt"))

    def start(self):
        self.running = self.r.start(self.name, "freeDiameterd", "-c", self.config)
        return self

    def start_listening(self, address):
        self.running = self.r.start_listening(self.name, address, "freeDiameterd", "-c", self.config)
        return self

    def said(self, pattern, seconds=5.0):
        return self.running.said(pattern, seconds)

    def count(self, pattern):
        return len(re.findall(pattern, self.running.text()))

    def summary(self, seconds=30):
        """What a client says at its end, waited for."""
        found = self.said(SUMMARY, seconds)
        if not found:
            raise RuntimeError("%s has no summary after %d s" % (self.name, seconds))
        return Summary(found)

    def wait(self, seconds=15):
        """Its end; False where it had to be killed."""
        stop = time.monotonic() + seconds
        while self.running.alive() and time.monotonic() < stop:
            time.sleep(0.05)
        if self.running.alive():
            self.running.kill()
            return False
        return True

    def complaints(self):
        return re.findall(r"weir_s13: (?:wrong|silent|broken): .*", self.running.text())
