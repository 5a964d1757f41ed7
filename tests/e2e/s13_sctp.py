#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""S13 over SCTP, which is what a real MME speaks: freeDiameter asks weir-gate from one address and from two, and
through a relay; then one of the gate's two addresses goes away under it.

The kernels of most build machines have no SCTP: the script runs itself again inside sctp-run (user-mode-linux).
"""
import subprocess
import time

import certs
import freediameter as fd
import rig
import s13gate as s

SINGLE, MULTI = 3870, fd.PORT                                  # the gate's ports: one address, and both


def both(address):
    return [address, fd.SECOND[address]]


class Scene:
    def __init__(self, r):
        self.r, self.t = r, r.tap
        self.pki = certs.Pki(r.path("tls"))
        self.asked = fd.questions(r.path("questions"), s.questions())
        self.n = len(s.questions())
        self.w = s.Weir(r, ("sctp %s %d" % (fd.GATE, SINGLE),
                            "sctp %s %d %s" % (fd.GATE, MULTI, fd.SECOND[fd.GATE])), ("agent " + fd.DRA,))

    def client(self, name, addresses, peer, work):
        return fd.Node(self.r, name, fd.MME, addresses, self.pki, "client questions=%s realm=%s patience=10 %s"
                       % (self.asked, fd.REALM, work), [peer], sctp=True).start()

    def all_right(self, client, rounds, name):
        summary = client.summary(60)
        if not self.t.ok(summary.all_right(self.n * rounds), "%s: %d checks" % (name, self.n * rounds), summary):
            self.t.note("\n".join(client.complaints()[:20]))
        self.t.note("%s: %s" % (name, summary))
        self.t.ok(client.said("connected %s SCTP" % fd.EIR) or client.said("connected %s SCTP" % fd.DRA), "over SCTP")
        self.t.ok(client.wait(30) and client.count("received DPA"), "its DPR is answered")


def paths():
    """{address: state} of remote addresses of all associations; 2 is the active state of Linux."""
    found = {}
    with open("/proc/net/sctp/remaddr") as f:
        for line in f.read().splitlines()[1:]:
            words = line.split()
            found[words[0]] = int(words[-1])
    return found


def primary():
    """The address of the gate that the client's association sends to."""
    with open("/proc/net/sctp/assocs") as f:
        for line in f.read().splitlines()[1:]:
            chosen = [word[1:] for word in line.split("<->")[1].split() if word.startswith("*")]
            if chosen and chosen[0] in both(fd.GATE):
                return chosen[0]
    return None


def single(c):
    client = c.client("single", [fd.CLIENT], (fd.EIR, [fd.GATE], SINGLE, False), "window=8 rounds=3")
    c.all_right(client, 3, "one address on each side")


def multi(c):
    client = c.client("multi", both(fd.CLIENT), (fd.EIR, both(fd.GATE), MULTI, False), "window=8 rounds=3 linger=2")
    c.t.ok(client.said("connected " + fd.EIR, 10), "two addresses on each side: connected")
    found = paths()
    c.t.ok(set(both(fd.GATE)) <= set(found), "the association has both of the gate's addresses", found)
    c.all_right(client, 3, "two addresses on each side")


def through_a_relay(c):
    relay = fd.Node(c.r, "relay", fd.DRA, both(fd.RELAY), c.pki, "watch",
                    [(fd.EIR, both(fd.GATE), MULTI, False)], relay=True, sctp=True).start()
    c.t.ok(relay.said("connected %s SCTP" % fd.EIR, 15), "a relay connects to the gate")
    client = c.client("far", [fd.CLIENT], (fd.DRA, both(fd.RELAY), fd.PORT, False), "window=8 rounds=2")
    c.all_right(client, 2, "through a relay")
    relay.running.end()


def loses_an_address(c):
    client = c.client("losing", both(fd.CLIENT), (fd.EIR, both(fd.GATE), MULTI, False), "window=1 pace=20 seconds=14")
    c.t.ok(client.said("connected " + fd.EIR, 10), "a client asks all the time over two addresses")
    time.sleep(2)
    lost = primary()
    c.t.ok(lost, "one of them is the one it sends to")
    subprocess.run(["ip", "addr", "del", lost + "/32", "dev", "lo"], check=True)
    summary = client.summary(60)
    c.t.equal([summary.right, summary.wrong, summary.silent, summary.undelivered, summary.broken],
              [summary.asked, 0, 0, 0, 0], "that address gone, every check is answered all the same")
    c.t.equal(client.count("connected " + fd.EIR), 1, "on the same association")
    c.t.note("over the loss: %s" % summary)
    client.wait(30)
    subprocess.run(["ip", "addr", "add", lost + "/32", "dev", "lo"], check=True)


def says_goodbye(c):
    client = c.client("told", [fd.CLIENT], (fd.EIR, [fd.GATE], SINGLE, False), "rounds=1 linger=5")
    client.summary(30)
    c.t.equal(c.w.gate.end(), 0, "the gate ends in order")
    c.t.ok(client.said("received DPR, " + fd.EIR), "having said DPR over SCTP")
    client.wait(30)


def body(r):
    fd.add_addresses()
    c = Scene(r)
    c.w.start()
    for scene in (single, multi, through_a_relay, loses_an_address, says_goodbye):
        began = time.monotonic()
        scene(c)
        c.t.note("%s: %.1f s" % (scene.__name__, time.monotonic() - began))
    c.t.equal(c.w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    rig.with_sctp(fd.need)
    rig.Rig("s13_sctp").run(body, 200)
