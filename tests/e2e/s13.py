#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""S13 with real peers: Debian's freeDiameter asks weir-gate directly, through a relay and over TLS.

freeDiameter checks each answer against its dictionary; tests/peers judges the rest.  Each function is one scene; scenes
share the gate and come in this order.
"""
import os
import re
import signal
import socket
import ssl
import time

import certs
import diameter as d
import freediameter as fd
import rig
import s13gate as s
import weir

TO_GATE = (fd.EIR, [fd.GATE], fd.PORT, False)
TO_GATE_TLS = (fd.EIR, [fd.GATE], fd.TLS_PORT, True)
ADDRESS, TLS_ADDRESS = (fd.GATE, fd.PORT), (fd.GATE, fd.TLS_PORT)


class Scene:
    """What every scene needs."""

    def __init__(self, r):
        self.r, self.t = r, r.tap
        self.pki = certs.Pki(r.path("tls"))
        gate = self.pki.make("gate", [fd.EIR])
        self.asked = fd.questions(r.path("questions"), s.questions())
        self.n = len(s.questions())
        self.w = s.Weir(r, ("%s %d" % ADDRESS, "tls %s %d" % TLS_ADDRESS),
                        ("tls certificate " + gate.certificate, "tls key " + gate.key, "tls ca " + self.pki.ca(),
                         "watchdog 10", "agent " + fd.DRA))
        self.w.gate_lines.append("policy; peer s13 Lenient.* unknown white")

    def client(self, name, peer, identity=fd.MME, address=fd.CLIENT, work="window=32", **more):
        return fd.Node(self.r, name, identity, [address], self.pki,
                       "client questions=%s realm=%s %s" % (self.asked, fd.REALM, work), [peer], **more).start()

    def all_right(self, client, rounds, name):
        summary = client.summary(60)
        if not self.t.ok(summary.all_right(self.n * rounds), "%s: %d checks, every list in every form of digits"
                         % (name, self.n * rounds), summary):
            self.t.note("\n".join(client.complaints()[:20]))
        self.t.note("%s: %s" % (name, summary))


# --- scenes ---------------------------------------------------------------------------------------
def directly(c):
    """One that keeps asking whether the gate is there, and beside it one that is asked, since it keeps silent."""
    mute = d.Peer(socket.create_connection(TLS_ADDRESS, 5))    # begins no handshake
    quiet = c.client("quiet", TO_GATE, "quiet." + fd.REALM, fd.OTHER, "linger=14", watchdog=60)
    client = c.client("client", TO_GATE, work="window=32 rounds=20 linger=12 host=" + fd.EIR)
    c.all_right(client, 20, "freeDiameter, directly")
    c.all_right(quiet, 1, "another one, one by one")
    c.t.equal({fd.MME, "quiet." + fd.REALM} - set(s.connections()), set(), "the gate shows both")
    c.t.ok(client.said(r"received DWA, " + fd.EIR, 14), "the watchdog of the one is answered")
    c.t.ok(quiet.said(r"received DWR, " + fd.EIR, 14), "the silent one is asked whether it is there")
    c.t.ok(client.wait() and quiet.wait(), "both end by themselves")
    c.t.equal([client.count("sent DPR, "), client.count("received DPA, ")], [1, 1], "their DPR is answered")
    c.t.equal([quiet.count("sent DWR"), quiet.count("sent DWA") - quiet.count("received DWR")], [0, 0],
              "the silent one did not ask, and answered")
    c.t.ok(rig.until(lambda: fd.MME not in s.connections(), 5), "and the gate knows that they have gone")
    c.t.ok(mute.closed(0.1), "who begins no handshake on the TLS port was closed meanwhile")


def through_a_relay(c):
    relay = fd.Node(c.r, "relay", fd.DRA, [fd.RELAY], c.pki, "watch", [TO_GATE], relay=True)
    relay.start_listening((fd.RELAY, fd.PORT))
    c.t.ok(relay.said("connected " + fd.EIR), "a relay connects to the gate")
    client = c.client("far", (fd.DRA, [fd.RELAY], fd.PORT, False), work="window=32 rounds=10")
    c.all_right(client, 10, "freeDiameter, through a relay")
    c.t.ok(client.wait(), "it ends by itself")
    relay.running.end()


def over_tls(c):
    client = c.client("tls", TO_GATE_TLS, work="window=32 rounds=10 linger=1")
    c.all_right(client, 10, "freeDiameter, over TLS")
    c.t.ok(client.said(r"connected %s TCP,TLS" % fd.EIR), "on a connection that is TLS")
    c.t.ok(client.wait(), "it ends by itself")


def tls_names(c):
    """Who may speak on the TLS port, by our own client with one certificate or another."""
    def connect(pair, host, **more):
        shown = (pair.certificate, pair.key) if pair else (None, None)
        return d.Mme(None, host, sock=d.over_tls(TLS_ADDRESS, c.pki.ca(), *shown, name=fd.EIR, **more))

    own = c.pki.make("own", ["own." + fd.REALM])
    mme = connect(own, "own." + fd.REALM)
    c.t.equal([mme.cea.result, mme.check(s.BLACK)], [2001, "black"], "a certificate with its name: served")
    c.t.equal(mme.s.version(), "TLSv1.3", "with TLS 1.3")
    mme.close()
    mme = connect(own, "own." + fd.REALM, newest=ssl.TLSVersion.TLSv1_2)
    c.t.equal([mme.s.version(), mme.check(s.BLACK)], ["TLSv1.2", "black"], "or with TLS 1.2")
    mme.close()
    mme = connect(own, "other." + fd.REALM)
    c.t.equal([mme.cea.result, bool(mme.cea.flags & d.E)], [3010, True], "a certificate of another name: 3010")
    c.t.ok(mme.closed(), "and closed")
    c.t.equal(refused(lambda: connect(None, "own." + fd.REALM)), True, "no certificate: no handshake")
    for name, how, more in (("stranger", "another authority's", {"ca": "other-ca"}), ("old", "one that is over",
                                                                                     {"expired": True})):
        pair = c.pki.make(name, ["own." + fd.REALM], **more)
        c.t.equal(refused(lambda: connect(pair, "own." + fd.REALM)), True, how + ": no handshake")
    plain = d.Mme(TLS_ADDRESS, greet=False)
    plain.send_request(d.CE, d.BASE, d.cer_avps("own." + fd.REALM, fd.REALM), d.R)
    c.t.ok(closes(plain), "a CER in clear on the TLS port: closed without an answer")
    c.t.equal(d.Mme(ADDRESS, "own." + fd.REALM).check(s.GREY), "grey", "and the next one is served")


def refused(connect):
    """With TLS 1.3 a client learns only with the first octets it reads that its certificate was not taken."""
    try:
        connect()
    except (ssl.SSLError, d.Closed, OSError):
        return True
    return False


def closes(peer, seconds=8):
    try:
        return peer.closed(seconds) and not peer.seen
    except d.Malformed:
        return True                                            # a TLS alert, which is no Diameter


def twice(c):
    """One Origin-Host on two connections, in whatever letters: the newer one goes on."""
    first = d.Mme(ADDRESS, "twin." + fd.REALM)
    second = d.Mme(ADDRESS, "TWIN." + fd.REALM)
    c.t.equal(second.cea.result, 2001, "a second connection of the same name is taken in")
    c.t.ok(first.closed() and first.dpr is not None, "the first one is told to go, with a DPR, and closed")
    c.t.equal(second.check(s.BLACK), "black", "the second goes on")
    c.t.ok(rig.until(lambda: len([n for n in s.connections() if n.lower().startswith("twin.")]) == 1),
           "and is the only one that is shown")
    first.close()
    second.close()


def policies(c):
    """What one peer is told need not be what another is."""
    lenient, strict = d.Mme(ADDRESS, "lenient." + fd.REALM), d.Mme(ADDRESS, "strict." + fd.REALM)
    c.t.equal([lenient.check(s.FREE), strict.check(s.FREE)], ["white", "unknown"],
              "a peer whose rule says so is told white for unknown, another one 5422")
    c.t.equal([lenient.check(s.BLACK), strict.check(s.BLACK)], ["black", "black"], "and both black for black")
    lenient.close()
    strict.close()


def broken_store(c):
    """The register cut short under the gate: a failure is told as one, and nothing that is black as white."""
    c.w.keeper.end()
    os.truncate(os.path.join(os.path.realpath(os.path.join(c.w.state, "register")), "data.mdb"), 8192)
    mme = d.Mme(ADDRESS, "unlucky." + fd.REALM)
    found = [mme.check(imei) for imei in (s.BLACK, s.FREE, s.GREY) for _ in range(3)]
    c.t.ok(set(found) <= {"5012", "black", "unknown", "grey"} and "5012" in found,
           "the register cut short, a check is told 5012 at once", found)
    mme.close()


def restarts(c):
    """A client that asks all the time sees the gate say goodbye, come back, and nothing wrong in between."""
    client = c.client("steady", TO_GATE, work="window=8 pace=5 seconds=13 patience=12")
    c.t.ok(client.said("connected " + fd.EIR), "a client asks all the time")
    time.sleep(1)
    c.w.keeper.kill()
    time.sleep(1)
    status = c.w.gate.end()
    c.t.equal(status, 0, "the keeper killed, then the gate told to end, it ends in order")
    c.t.ok(client.said(r"received DPR, " + fd.EIR), "its DPR has come")
    c.t.ok(re.search(r"sent a DPR with cause: REBOOTING", client.running.text()), "with cause REBOOTING")
    c.w.start_gate()
    c.t.ok(rig.until(lambda: client.count("connected " + fd.EIR + " TCP") >= 2, 15, 0.1),
           "the gate back, the client connects again")
    summary = client.summary(40)
    c.t.equal([summary.wrong, summary.silent, summary.broken], [0, 0, 0], "nothing was wrong, silent or broken")
    c.t.ok(summary.right > 500, "and most was answered", summary)
    c.t.note("over the restart: %s" % summary)
    c.t.ok(client.wait(), "the client ends by itself")
    c.w.start_keeper()


def killed(c):
    """kill -9 of the gate under load: only what was under way is lost."""
    client = c.client("hit", TO_GATE, work="window=8 pace=5 seconds=10 patience=12")
    c.t.ok(client.said("connected " + fd.EIR), "a client asks all the time")
    time.sleep(1)
    c.w.gate.process.send_signal(signal.SIGKILL)
    c.w.gate.process.wait()
    c.w.start_gate()
    summary = client.summary(40)
    c.t.equal([summary.wrong, summary.silent, summary.broken], [0, 0, 0],
              "the gate killed and started again, nothing was wrong, silent or broken")
    c.t.ok(client.count("connected " + fd.EIR + " TCP") >= 2, "and the client had connected again", summary)
    c.t.note("over the kill: %s" % summary)
    client.wait()


def reload(c):
    """SIGHUP closes nobody, also not later: who is quiet is asked first, at most 12 s after it was heard."""
    mme = d.Mme(ADDRESS, "stays." + fd.REALM)
    time.sleep(1)
    c.w.gate.process.send_signal(signal.SIGHUP)
    mme.wait(lambda m: False, 13)
    c.t.ok(mme.dwr > 0, "after SIGHUP a quiet peer is asked whether it is there")
    c.t.equal(mme.check(s.BLACK), "black", "and its connection stands and is served")
    mme.close()


def counters_close(t):
    values = weir.check_counters("s13")
    parts = sum(v for k, v in values.items() if k != "received")
    t.ok(values.get("received", 0) > 0 and values["received"] == parts, "received is the sum of its parts", values)


def body(r):
    fd.add_addresses()
    c = Scene(r)
    c.w.start()
    c.t.ok(s.gate_listens(), "the gate listens for Diameter")
    for scene in (directly, through_a_relay, over_tls, tls_names, twice, policies, reload, restarts, killed,
                  broken_store):
        began = time.monotonic()
        scene(c)
        c.t.note("%s: %.1f s" % (scene.__name__, time.monotonic() - began))
    counters_close(c.t)
    c.t.equal(c.w.gate.end(), 0, "the gate ends in order")


if __name__ == "__main__":
    fd.need()
    rig.in_namespace()
    rig.Rig("s13").run(body, 240)
