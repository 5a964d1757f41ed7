# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What the tests of hostile peers have in common, whatever the protocol.

A good client asks all the time; scene after scene something bad is done to the gate, and after each the good client
must have had nothing but right answers, in time.
"""
import resource
import threading
import time

import rig
import weir

PATIENCE = 5                                                   # seconds for the good client's answers


class GoodClient(threading.Thread):
    """ask() gives (found, wanted) of each answer of one round, as soon as it is there."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.answers, self.wrong, self.worst, self.stop = ask, 0, [], 0.0, False

    def run(self):
        while not self.stop:
            before = time.monotonic()
            for found, wanted in self.ask():
                if found != wanted:
                    self.wrong.append("%s, wanted %s" % (found, wanted))
                    self.stop = True
                self.answers += 1
                self.worst = max(self.worst, time.monotonic() - before)
                before = time.monotonic()
            time.sleep(0.002)


def scenes(t, w, good, *all_of_them):
    """Each scene(t, w) in turn, under the eyes of the good client."""
    good.start()
    rig.until(lambda: good.answers or good.wrong, PATIENCE)
    for scene in all_of_them:
        count, began = good.answers, time.monotonic()
        scene(t, w)
        rig.until(lambda: good.answers > count or good.wrong, PATIENCE)
        well = not good.wrong and good.answers > count and w.gate.alive()
        t.ok(well, "meanwhile a good client had only right answers",
             good.wrong or "%d answers" % (good.answers - count))
        t.note("%s: %.1f s, %d answers" % (scene.__name__, time.monotonic() - began, good.answers - count))
    good.stop = True
    good.join(PATIENCE)
    t.note("the slowest of %d answers took %.1f ms" % (good.answers, 1e3 * good.worst))


def counted(t, interface):
    """What became of all checks: the counters, which must close."""
    found = weir.check_counters(interface)
    parts = sum(v for k, v in found.items() if k != "received")
    t.ok(found.get("received", 0) > 0 and found["received"] == parts, "received is the sum of its parts", found)
    return found


def end(t, w):
    t.equal(w.gate.end(), 0, "the gate ends in order")
    t.equal(w.keeper.end(), 0, "and so does the keeper")


# --- what the gate keeps --------------------------------------------------------------------------
class Memory:
    """How much more the gate keeps resident than at first."""

    def __init__(self, w):
        self.pid = w.gate.pid
        self.before = self.resident_mib()

    def resident_mib(self):
        with open("/proc/%d/statm" % self.pid) as f:
            return int(f.read().split()[1]) * resource.getpagesize() / 2**20

    def grown(self):
        return self.resident_mib() - self.before

    def stays_below(self, t, most_mib, name, more=""):
        grown = self.grown()
        t.ok(grown < most_mib, name, "%.0f MiB%s" % (grown, more))


# --- crowds ---------------------------------------------------------------------------------------
def allow_descriptors(t, many, spare):
    """Room for so many connections and some; how many of them there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = (hard if hard != resource.RLIM_INFINITY else 4096) - spare
    if possible < many:
        t.note("only %d descriptors are allowed here: fewer connections" % hard)
    many = min(many, possible)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, many + spare), hard))
    return many


def overfill(sockets, more, seconds=15):
    """Send to peers that are not read from until none takes any more; how many octets they took.  more(i): what the
    i-th says next, whole, however often it takes to send it."""
    pending, blocked, sent = [b""] * len(sockets), [0] * len(sockets), 0
    for s in sockets:
        s.setblocking(False)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop and any(n < 200 for n in blocked):
        for i, s in enumerate(sockets):
            pending[i] = pending[i] or more(i)
            try:
                n = s.send(pending[i])
                pending[i], sent, blocked[i] = pending[i][n:], sent + n, 0
            except BlockingIOError:
                blocked[i] += 1
            except OSError:
                blocked[i] = 200                               # it was closed already
        time.sleep(0.001)
    return sent


def never_read(t, memory, sockets, more):
    """They ask and ask and never read: the gate stops reading them and keeps little of it."""
    sent = overfill(sockets, more)
    memory.stays_below(t, 32, "peers that never read make the gate keep little", " after %.0f MiB" % (sent / 2**20))
