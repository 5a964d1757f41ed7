#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""weir-keeper killed with -9 at random moments under load.

Writers change single devices over the API, each waiting for its answer; now and then an import runs; the gate is asked
all the time.  After each death: what was acknowledged is there, what was under way is there or not but nothing in
between, the register says what the ledger says, and the gate never stopped.  The moments come from a seed, which is
told; SEED=N repeats it, ROUNDS=N makes more of them.
"""
import http.client
import os
import random
import socket
import threading
import time

import gsup
import rig
import weir

ROUNDS = int(os.environ.get("ROUNDS", "8"))
WRITERS, DEVICES = 4, 40                                       # devices of each writer
IMPORT_ROWS = 30000
IMPORT_FIRST = 100500000000                                    # as a number: TAC 00100500
IMSI = "001010000000001"


def check_digit(digits):
    total = 0
    for i, c in enumerate(digits):
        d = int(c) * (1 + i % 2)
        total += d - 9 if d > 9 else d
    return digits + str(-total % 10)


class Api(http.client.HTTPConnection):
    """The keeper's API on its UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)

    def ask(self, method, target):
        """The status, or None where there was no answer."""
        try:
            self.request(method, target)
            answer = self.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.close()
            return None


class Writer(threading.Thread):
    """Puts and removes its own devices; knows what each must be: listed, free, or either (asked, not answered)."""

    def __init__(self, number, path, seed):
        super().__init__(daemon=True)
        self.api, self.rnd, self.stop, self.acknowledged, self.refused = Api(path), random.Random(seed), False, 0, []
        self.state = {"%014d" % (100400000000 + number * 1000 + i): {False} for i in range(DEVICES)}

    def run(self):
        while not self.stop:
            imei, put = self.rnd.choice(list(self.state)), self.rnd.random() < 0.6
            before, self.state[imei] = self.state[imei], {False, True}
            status = self.api.ask("PUT" if put else "DELETE", "/v1/sources/crash/devices/" + imei)
            if status is None:
                return
            if status == 200 or not put and status == 404:
                self.state[imei] = {put}
                self.acknowledged += 1
            else:
                self.state[imei] = before
                self.refused.append(status)


class Asker(threading.Thread):
    """An MSC whose every check must be answered in time, whatever happens to the keeper."""

    def __init__(self):
        super().__init__(daemon=True)
        self.msc, self.stop, self.answers, self.wrong, self.worst = gsup.Msc("MSC-asker"), False, 0, [], 0.0

    def run(self):
        while not self.stop:
            before = time.monotonic()
            try:
                found = self.msc.check("00100600000001", IMSI)
            except gsup.Closed as e:
                found = "closed: %s" % e
            self.worst = max(self.worst, time.monotonic() - before)
            if found != "ack":
                self.wrong.append(found)
                return
            self.answers += 1
            time.sleep(0.001)


def listed(w, source):
    """Which devices a source lists, as its export tells."""
    said = w.must("export", "--source", source)
    return {line.split(",")[0][:14] for line in said.splitlines() if line[:1].isdigit()}


def write_import(r):
    path = r.path("import.csv")
    with open(path, "w") as f:
        f.write("imei,list\n")
        f.writelines("%s,black\n" % check_digit("%014d" % (IMPORT_FIRST + i)) for i in range(IMPORT_ROWS))
    return path


def one_round(r, w, number, seed, states, imports):
    """Load, death, restart.  What must be true afterwards."""
    t, rnd = r.tap, random.Random(seed)
    path = os.path.join(w.state, "keeper.sock")
    writers = [Writer(i, path, seed + i) for i in range(WRITERS)]
    for writer, state in zip(writers, states):
        writer.state = state
        writer.start()
    bulk = None
    if number % 2:
        bulk = r.start("import", rig.program("weirctl"), "-S", w.state, "import", imports, "--source", "bulk")
    rig.until(lambda: sum(x.acknowledged for x in writers) > 0, 10)
    time.sleep(rnd.uniform(0.01, 0.6))
    w.keeper.kill()
    for writer in writers:
        writer.join(15)
    acknowledged = sum(x.acknowledged for x in writers)
    refused = [s for x in writers for s in x.refused]
    t.ok(acknowledged > 0 and not refused, "round %d: killed under load" % number, "%d, %s" % (acknowledged, refused))
    accepted = bulk and bulk.process.wait(15) == 0
    w.start_keeper()
    found = listed(w, "crash")
    wrong = [(i, s, i in found) for state in states for i, s in state.items() if (i in found) not in s]
    t.equal(wrong, [], "round %d: all of %d acknowledged changes are as they were told" % (number, acknowledged))
    for state in states:
        for imei in state:
            state[imei] = {imei in found}
    if bulk:
        rows = rig.until(lambda: whole_import(w, accepted), 20, 0.3)
        t.ok(rows, "round %d: the import (%s) is there as a whole or not at all" %
             (number, "acknowledged" if accepted else "cut off"), len(listed_or_none(w, "bulk")))
    status, said = w.ctl("verify", seconds=60)
    t.ok(status == 0, "round %d: ledger and register agree" % number, said)
    return acknowledged


def listed_or_none(w, source):
    status, said = w.ctl("export", "--source", source)
    return [] if status else [line for line in said.splitlines() if line[:1].isdigit()]


def whole_import(w, accepted):
    return len(listed_or_none(w, "bulk")) in ([IMPORT_ROWS] if accepted else [0, IMPORT_ROWS])


def gate_agrees(t, states):
    """What the gate says of every device, once all is quiet."""
    msc = gsup.Msc("MSC-end")
    wrong = []
    for state in states:
        for imei, wanted in state.items():
            found = msc.check(imei)
            if wanted != {found == "nack"}:
                wrong.append((imei, wanted, found))
    t.equal(wrong, [], "the gate refuses exactly the listed devices")
    msc.close()


def body(r):
    t = r.tap
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    t.note("SEED=%d" % seed)
    w = weir.Weir(r, hlr=False)
    w.start()
    api = Api(os.path.join(w.state, "keeper.sock"))
    t.ok(api.ask("PUT", "/v1/sources/crash") == 201, "a source is made")
    api.close()
    asker = Asker()
    asker.start()
    states = [Writer(i, "", 0).state for i in range(WRITERS)]
    imports = write_import(r)
    total = sum(one_round(r, w, i, seed + 100 * i, states, imports) for i in range(ROUNDS))
    t.note("%d changes acknowledged in all" % total)
    gate_agrees(t, states)
    asker.stop = True
    asker.join(6)
    t.ok(not asker.wrong and asker.answers, "meanwhile the gate answered %d checks" % asker.answers, asker.wrong)
    t.note("the slowest took %.1f ms" % (1e3 * asker.worst))
    t.equal(w.gate.end(), 0, "the gate ends in order")
    t.equal(w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("crash").run(body, 180)
