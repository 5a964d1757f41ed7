#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""weir-sim against a server that does what each row wants: what it sends, what it says of what it gets, how it ends."""
import re

import gsup
import rig

IMSI = "001010000000042"


class Server(gsup.FakeHlr):
    """One weir-sim run: started, connected, past the handshake."""

    def __init__(self, r, *arguments):
        super().__init__(("127.0.0.1", 4222))
        self.sim = r.start("weir-sim", rig.program("weir-sim"), "gsup", "-i", IMSI, "-t", "700", *arguments)
        self.skip = len(self.sim.text())
        self.peer = self.accept()
        self.ack = self.peer.next(2)

    def question(self):
        return self.peer.next(3)

    def answer(self, f, *ies, kind=gsup.CHECK_RES):
        self.peer.send(gsup.message(kind, gsup.ie(gsup.IE_IMSI, f.ies[gsup.IE_IMSI]), *ies))

    def end(self):
        """(exit status, what it said)"""
        status = self.sim.process.wait(5)
        self.peer.close()
        self.close()
        return status, self.sim.text()[self.skip:]


def one_check(r, reply, *arguments):
    """weir-sim check of one device, answered by reply(server, question)."""
    server = Server(r, *(arguments or ("check", "001000010000015")))
    f = server.question()
    reply(server, f)
    return f, server.end()


def verdicts(r, t):
    rows = (
        ("a result of 0 is told as accepted", [gsup.ie(gsup.IE_IMEI_RESULT, b"\0")], gsup.CHECK_RES, 0, "accepted"),
        ("a result of 1 is told as refused", [gsup.ie(gsup.IE_IMEI_RESULT, b"\1")], gsup.CHECK_RES, 0, "refused"),
        ("an error is told with its cause", [gsup.ie(gsup.IE_CAUSE, b"\x60")], gsup.CHECK_ERR, 0, "error 96"),
        ("a result that says neither is no answer", [gsup.ie(gsup.IE_IMEI_RESULT, b"\2")], gsup.CHECK_RES, 1,
         "without a verdict"),
        ("a result without the IE is no answer", [], gsup.CHECK_RES, 1, "without a verdict"),
    )
    for name, ies, kind, wanted, words in rows:
        _, (status, said) = one_check(r, lambda server, f: server.answer(f, *ies, kind=kind))
        t.ok(status == wanted and words in said, name, (status, said))


def requests(r, t):
    def yes(server, f):
        server.answer(f, gsup.ie(gsup.IE_IMEI_RESULT, b"\0"))
    f, _ = one_check(r, yes)
    t.equal(f.octets, gsup.check_request(IMSI, "00100001000001"), "15 digits go out as the 14 that osmo-msc sends")
    f, _ = one_check(r, yes, "check", "0010000100000142")
    t.equal(f.octets, gsup.check_request(IMSI, "0010000100000142"), "an IMEISV goes out with its version")


def failures(r, t):
    _, (status, said) = one_check(r, lambda server, f: None)
    t.ok(status == 1 and "no answer within 700 ms" in said, "silence is told and fails", (status, said))
    _, (status, said) = one_check(r, lambda server, f: server.peer.close())
    t.ok(status == 1 and "closed" in said, "a closed connection is told and fails", (status, said))
    _, (status, said) = one_check(r, lambda server, f: server.peer.send(gsup.frame(gsup.OSMO, b"\x05\x32\x01\x09\x00")))
    t.ok(status == 1, "a truncated answer fails", (status, said))
    status, said = rig.command(rig.program("weir-sim"), "gsup", "-a", "127.0.0.1:4223", "check", "001000010000015")
    t.ok(status == 1 and "cannot connect" in said, "nobody there is told and fails", (status, said))
    status, said = rig.command(rig.program("weir-sim"), "gsup", "frobnicate")
    t.ok(status == 2 and "listen" in said, "an unknown command tells the known ones", (status, said))


def listening(r, t):
    server = Server(r, "listen", "001000010000015")
    t.ok(server.ack and server.ack.is_ccm(gsup.ID_ACK), "it names itself and acknowledges")
    server.answer(server.question(), gsup.ie(gsup.IE_IMEI_RESULT, b"\0"))
    server.peer.send(gsup.frame(gsup.CCM, bytes([gsup.PING])))
    f = server.peer.next(2)
    t.ok(f and f.is_ccm(gsup.PONG), "it answers a ping")
    imsi = gsup.ie(gsup.IE_IMSI, gsup.bcd(IMSI))
    server.peer.send(gsup.message(gsup.CANCEL_REQ, imsi, gsup.ie(gsup.IE_CANCEL_TYPE, b"\1")))
    f = server.peer.next(2)
    t.equal(f and f.octets, gsup.message(gsup.CANCEL_RES, imsi), "it gives up a cancelled subscriber")
    t.ok(server.sim.said(r"^\d\d:\d\d:\d\d\.\d{3}  location cancel for " + IMSI), "and says so with the time")
    t.equal(server.sim.end(), 0, "and ends in order when told to")
    server.end()


def load(r, t):
    server = Server(r, "load", "200", "16")
    most = waiting = 0
    batch = []
    for i in range(200):
        f = server.peer.next(2)
        batch.append(f)
        if len(batch) == 16 or i == 199:
            most = max(most, len(batch))
            waiting += server.peer.next(0.05) is not None
            for q in batch:
                server.answer(q, gsup.ie(gsup.IE_IMEI_RESULT, b"\0"))
            batch = []
    status, said = server.end()
    counted = re.search("200 answers.*accepted 200, refused 0, errors 0", said)
    t.ok(status == 0 and counted, "a load counts its answers", said)
    t.equal((most, waiting), (16, 0), "and keeps no more questions under way than it was told")


def body(r):
    for scene in (requests, verdicts, failures, listening, load):
        scene(r, r.tap)


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("sim").run(body, 60)
