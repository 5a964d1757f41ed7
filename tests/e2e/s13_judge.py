#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The judge is judged: weir_s13.fdx, which says of weir-gate's answers that they are right, must find each fault that a
server of ours puts into its answers.  Weir is not in it.
"""
import socket
import threading

import certs
import diameter as d
import freediameter as fd
import rig

STATUS, STATE = d.avp(d.EQUIPMENT_STATUS, 0), d.avp(d.AUTH_SESSION_STATE, 1)
SUCCESS, UNKNOWN = d.avp(d.RESULT_CODE, 2001), d.avp(d.EXPERIMENTAL_RESULT, [
    d.avp(d.VENDOR_ID, d.VENDOR_3GPP), d.avp(d.EXPERIMENTAL_RESULT_CODE, 5422)])
ORIGIN = d.origin(fd.EIR, fd.REALM)
GOOD = [SUCCESS, STATE] + ORIGIN + [STATUS]
SILENCE = object()

# name, what is expected to be told, flags of the answer, its AVPs behind the Session-Id, whether that comes first
FAULTS = (
    ("an AVP that must be there is not", "white", d.P, [SUCCESS] + ORIGIN + [STATUS]),
    ("Session-Id is not first", "white", d.P, None),
    ("Result-Code twice", "white", d.P, GOOD + [SUCCESS]),
    ("two statuses", "white", d.P, GOOD + [STATUS]),
    ("both results", "white", d.P, GOOD + [UNKNOWN]),
    ("no result", "white", d.P, [STATE] + ORIGIN + [STATUS]),
    ("another status", "black", d.P, GOOD),
    ("a status that there is not", "white", d.P, GOOD[:-1] + [d.avp(d.EQUIPMENT_STATUS, 3)]),
    ("a success without a status", "white", d.P, GOOD[:-1]),
    ("a status without a success", "unknown", d.P, [UNKNOWN, STATE] + ORIGIN + [STATUS]),
    ("unknown told as a Result-Code", "unknown", d.P, [d.avp(d.RESULT_CODE, 5422), STATE] + ORIGIN),
    ("an experimental result of another vendor", "unknown", d.P, [d.avp(d.EXPERIMENTAL_RESULT, [
        d.avp(d.VENDOR_ID, 1), d.avp(d.EXPERIMENTAL_RESULT_CODE, 5422)]), STATE] + ORIGIN),
    ("sessions are kept", "white", d.P, [SUCCESS, d.avp(d.AUTH_SESSION_STATE, 0)] + ORIGIN + [STATUS]),
    ("no P bit", "white", 0, GOOD),
    ("the E bit in a success", "white", d.P | d.E, GOOD),
    ("a protocol error without the E bit", "3004", d.P, [d.avp(d.RESULT_CODE, 3004), STATE] + ORIGIN),
    ("the T bit", "white", d.P | d.T, GOOD),
    ("a reserved bit", "white", d.P | 1, GOOD),
    ("a status without its M bit", "white", d.P, GOOD[:-1] + [d.avp(d.EQUIPMENT_STATUS, 0, flags=d.V)]),
    ("an AVP with a reserved bit", "white", d.P, [d.avp(d.RESULT_CODE, 2001, flags=d.M | 1)] + GOOD[1:]),
    ("an AVP that nobody knows", "white", d.P, GOOD + [d.avp(7777, b"what", flags=0)]),
    ("no answer at all", "white", d.P, SILENCE),
)
LIE = ("an AVP whose length lies", "white", d.P, GOOD[:-1] + [d.avp(d.EQUIPMENT_STATUS, 0, length=200)])
FINE = (
    ("a white one", "white", d.P, GOOD),
    ("an unknown one", "unknown", d.P, [UNKNOWN, STATE] + ORIGIN),
    ("a protocol error", "3004", d.P | d.E, [d.avp(d.RESULT_CODE, 3004)] + ORIGIN),
)


class FaultyServer(threading.Thread):
    """Answers the n-th device as the n-th row says."""

    def __init__(self, address, rows):
        super().__init__(daemon=True)
        self.rows, self.s = rows, socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(address)
        self.s.listen(4)

    def run(self):
        while True:
            peer = d.Peer(self.s.accept()[0])
            try:
                while self.serve(peer):
                    pass
            except (d.Closed, d.Malformed):
                pass
            peer.close()

    def serve(self, peer):
        m = peer.next(60)
        if m and m.is_request:
            answer = self.answer(m)
            if answer:
                peer.send(answer)
        return m is not None

    def answer(self, m):
        if m.code == d.CE:
            return d.message(d.CE, 0, 0, [SUCCESS] + d.cer_avps(fd.EIR, fd.REALM, (fd.GATE,)), m.hop, m.end)
        if m.code != d.ECR:
            return d.message(m.code, 0, 0, [SUCCESS] + ORIGIN, m.hop, m.end)
        imei = [a.text for a in m.one(d.TERMINAL_INFORMATION).avps if a.code == d.IMEI][0]
        _, _, flags, avps = self.rows[int(imei[-3:])]
        session = m.one(d.SESSION_ID).octets
        if avps is SILENCE:
            return None
        return d.message(d.ECR, d.S13, flags, GOOD + [session] if avps is None else [session] + avps, m.hop, m.end)


def ask(r, pki, name, rows):
    """What the client says of them, asked one by one."""
    asked = fd.questions(r.path(name), [("00100001000%03d" % n, None, None, row[1]) for n, row in enumerate(rows)])
    client = fd.Node(r, name, fd.MME, [fd.CLIENT], pki, "client questions=%s realm=%s patience=3" % (
        asked, fd.REALM), [(fd.EIR, [fd.GATE], fd.PORT, False)]).start()
    summary = client.summary(90)
    client.wait()
    return summary, client


def body(r):
    t = r.tap
    fd.add_addresses()
    pki = certs.Pki(r.path("tls"))
    rows = FINE + FAULTS + (LIE,)
    FaultyServer((fd.GATE, fd.PORT), rows).start()
    summary, client = ask(r, pki, "judge", rows)
    found = client.running.text()
    for n, (name, *_) in enumerate(rows[:-1]):
        imei = "00100001000%03d" % n
        told = ("wrong: %s " % imei in found) or ("silent: %s " % imei in found)
        if n < len(FINE):
            t.ok(not told, "nothing is said against %s" % name)
        else:
            t.ok(told, "it finds: %s" % name, summary)
    t.equal(summary.undelivered, 1, "it takes for no answer, and hangs up on: %s" % LIE[0])
    t.equal(summary.right, len(FINE), "and counts as right what is")


if __name__ == "__main__":
    fd.need()
    rig.in_namespace()
    rig.Rig("s13_judge").run(body, 120)
