#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""kill -9 of the keeper at random moments, while clients put, remove and import, and a gate keeps the register mapped.

Nothing that was acknowledged may be lost, nothing that was refused may be there, and ledger and register must be whole
and agree after every start.  An answer that never came leaves both possibilities open, for that one device."""

import csv
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api_lib  # noqa: E402
import tap  # noqa: E402
from api_lib import Keeper, equal, imei  # noqa: E402

SEED = int(os.environ.get("WEIR_SEED", "20261124"))
KILLS = int(os.environ.get("WEIR_KILLS", "20"))
SECONDS = 60
WRITERS = 6
DEVICES = 40  # of each writer: so that they change often
COLOURS = ("black", "grey", "white", None)


def start_gate(keeper):
    """A gate that outlives the keepers: then LMDB's lock file does too, with all that a killed writer left in it."""
    gate = os.path.join(api_lib.BUILD, "src/weir-gate")
    if not os.environ.get("WEIR_IN_NAMESPACE") or not os.path.exists(gate):
        print("# without a gate")
        return None
    log = open(os.path.join(keeper.top, "gate.log"), "wb")
    return subprocess.Popen([gate, "-S", keeper.state, "-c", "/dev/null", "-s"], stdout=log, stderr=log,
                            env={**os.environ, "NOTIFY_SOCKET": ""}, preexec_fn=tap.die_with_parent)


def end_gate(gate):
    if gate:
        gate.terminate()
        equal(gate.wait(15), 0)


def kill_gate(gate):
    """Where the test failed before end_gate."""
    if gate and gate.poll() is None:
        gate.kill()
        gate.wait()


class Writer(threading.Thread):
    """Changes its own devices over one connection until the keeper dies; remembers what it was told."""

    def __init__(self, keeper, number, known, seed):
        super().__init__()
        self.keeper, self.number, self.known, self.dice = keeper, number, known, random.Random(seed)
        self.acknowledged, self.serial, self.fault = 0, 0, None

    def run(self):
        try:
            connection = api_lib.Connection(self.keeper.socket)
            while True:
                self.change(connection, self.number * 1000 + self.dice.randrange(DEVICES), self.dice.choice(COLOURS))
        except (OSError, http.client.HTTPException):
            pass  # the kill
        except AssertionError as fault:
            self.fault = fault

    def change(self, connection, number, colour):
        path = "/v1/sources/local/devices/" + imei(number)
        self.known[number] = self.known.get(number, {None}) | {colour}  # from now on both are possible
        if colour:
            connection.request("PUT", path, json.dumps({"list": colour}))
        else:
            connection.request("DELETE", path)
        answer = connection.getresponse()
        got = json.loads(answer.read())
        equal(answer.status, 200)
        assert got["serial"] >= self.serial, f"serial {got['serial']} after {self.serial}"
        self.serial = got["serial"]
        self.known[number] = {colour}
        self.acknowledged += 1


class Importer(threading.Thread):
    """Replaces the list of one source again and again: it is always one whole list."""

    def __init__(self, keeper, state):
        super().__init__()
        self.keeper, self.state, self.fault, self.acknowledged = keeper, state, None, 0

    def run(self):
        try:
            while True:
                number = max(self.state["possible"]) + 1
                self.state["possible"].add(number)
                answer = self.keeper.load("police", rows_of(number), "?mode=replace&list=grey")
                equal(answer.status, 200)
                self.state["possible"] = {number}
                self.acknowledged += 1
        except (OSError, http.client.HTTPException):
            pass
        except AssertionError as fault:
            self.fault = fault


def devices_of(number):
    """The list that import `number` leaves: three hundred devices, half of them shared with the next one's."""
    return {100000 + number * 150 + i for i in range(300)} if number else set()


def rows_of(number):
    return "imei\n" + "".join(imei(n) + "\n" for n in sorted(devices_of(number)))


def listed(keeper, source):
    """What the ledger says a source lists: device number -> colour."""
    lines = keeper.get(f"/v1/sources/{source}/export", timeout=60).text.splitlines()
    return {int(row["imei"][:14]) - 35209900000000: row["list"] for row in csv.DictReader(lines)}


def wait_applied(keeper):
    deadline = time.monotonic() + 30
    while keeper.get("/v1/import").json["running"]:
        assert time.monotonic() < deadline, "the import is never applied"
        time.sleep(0.01)


def judge(keeper, known, state, serial):
    wait_applied(keeper)
    assert keeper.serial() >= serial, f"serial {keeper.serial()}, but {serial} was acknowledged"
    local = listed(keeper, "local")
    for number, possible in known.items():
        got = local.get(number)
        assert got in possible, f"device {number} is {got}, possible {possible}"
        known[number] = {got}
    police = set(listed(keeper, "police"))
    whole = [number for number in state["possible"] if devices_of(number) == police]
    assert whole, f"{len(police)} devices are no whole list of {state['possible']}"
    state["possible"] = set(whole)
    for number in random.Random(serial).sample(sorted(known), min(5, len(known))):
        colour = next(iter(known[number])) or "unknown"
        equal(keeper.colour(imei(number)), colour)
    found = keeper.verify()
    assert found["clean"], found


def test_nothing_acknowledged_is_lost_by_kill_9():
    dice = random.Random(SEED)
    known, state, serial, acknowledged, imports, kills = {}, {"possible": {0}}, 0, 0, 0, 0
    end = time.monotonic() + SECONDS
    with Keeper() as keeper:
        keeper.put("/v1/sources/police")
        gate = start_gate(keeper)
        try:
            while kills < KILLS and time.monotonic() < end:
                writers = [Writer(keeper, i, known, dice.random()) for i in range(WRITERS)]
                importer = Importer(keeper, state)
                for thread in (*writers, importer):
                    thread.start()
                time.sleep(dice.choice((0.01, 0.05, 0.1, 0.2, 0.4)) * dice.uniform(0.5, 2))
                keeper.process.send_signal(signal.SIGKILL)
                keeper.process.wait()
                for thread in (*writers, importer):
                    thread.join(20)
                    assert not thread.is_alive(), "a client hangs after the kill"
                    if thread.fault:
                        raise thread.fault
                kills += 1
                serial = max(serial, *(writer.serial for writer in writers))
                acknowledged += sum(writer.acknowledged for writer in writers)
                imports += importer.acknowledged
                keeper.start()
                judge(keeper, known, state, serial)
            end_gate(gate)
        finally:
            kill_gate(gate)
    print(f"# seed {SEED}: {kills} kills, {acknowledged} changes and {imports} imports acknowledged, none lost")
    assert kills >= min(KILLS, 5) and acknowledged > 20, "too little happened to say anything"


if __name__ == "__main__":
    api_lib.enter_namespace(__file__)
    tap.run(globals())
