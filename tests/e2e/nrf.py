#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""weir-gate at an NRF: it registers, is heard of, is forgotten, finds the NRF gone, stalled, confused or hostile, and
deregisters; and the access tokens of that NRF, over real requests.  The NRF is nrf_stand_in.js, the AMF Node's http2.
"""
import json
import os
import re
import signal
import time
import urllib.parse

import certs
import rig
import sbi
import weir

US = "4947a69a-f61b-4bc1-b9da-47c9c5d14b64"
AMF = "9faf1bbc-6e4a-4454-a507-a14ef8e1bc5c"
NRF = ("127.0.0.10", 7777)
OTHER = ("127.0.0.11", 7777)
LISTED = sbi.status_path("imei-001000010000014")
BEAT_S = 1


class Nrf(sbi.Lines):
    """The stand-in, and what happened there."""

    def __init__(self, address=NRF, **options):
        options.setdefault("timer", BEAT_S)
        super().__init__("nrf_stand_in.js", str(address[1]), json.dumps(dict(options, host=address[0])))
        self.address, self.seen = address, []
        ready = self.event("ready", 10)
        if not ready:
            raise RuntimeError("nrf_stand_in.js does not come up on %s:%d" % address)
        self.issuer = ready["issuer"]

    def take_all(self):
        while True:
            line = self.next(0)
            if line is None:
                return
            self.seen.append(line)

    def event(self, name, seconds=5.0, **like):
        """The next event of this name and with these members, waited for; what comes before it is gone."""
        stop = time.monotonic() + seconds
        while True:
            line = self.seen.pop(0) if self.seen else self.next(stop - time.monotonic())
            if line is None:
                return None
            if line["event"] == name and all(line.get(k) == v for k, v in like.items()):
                return line

    def count(self, *names):
        """How many of these events came and were not taken yet."""
        self.take_all()
        return sum(line["event"] in names for line in self.seen)

    def clear(self):
        self.take_all()
        self.seen = []

    def do(self, what, **more):
        self.clear()
        self.say(dict(more, do=what))
        return self.event("done", do=what)

    def sign(self, claims, header=None, by="nrf"):
        return self.do("sign", claims=claims, header=header or {}, **{"as": by})["token"]

    def kill(self):
        self.process.kill()
        self.process.wait()


def line_of(address, scheme="http", name=None):
    return "nrf; server %s %s %d%s" % (scheme, address[0], address[1], " name " + name if name else "")


def settings(*more):
    return ["n5g; nf-instance-id " + US, "nrf; plmn 001 01", line_of(NRF)] + list(more)


def shown(pattern):
    return re.search(pattern, rig.vty(weir.GATE_VTY, "show nrf"), re.M)


def gauge():
    return weir.metrics(weir.GATE_ADMIN)["weir_gate_nrf_registered"]


def counter(name):
    return weir.metrics(weir.GATE_ADMIN)["weir_gate_nrf_%s_total" % name]


def is_registered():
    return shown("^state +registered$") and shown("^failures +0 ")


# --- good days ------------------------------------------------------------------------------------
def registers(t, w, nrf):
    os.mkdir(w.state)                                          # no keeper has been here
    w.start_gate(*settings())
    put = nrf.event("register")
    t.ok(put and put["wrong"] == [] and put["id"] == US and put["status"] == 201, "the gate registers", put)
    t.equal(put["profile"]["nfStatus"], "SUSPENDED", "as suspended while it has no register to look into")
    w.start_keeper()
    put = nrf.event("register", 5)
    t.ok(put and put["status"] == 200 and put["profile"]["nfStatus"] == "REGISTERED", "and as ready when it has", put)
    t.equal(put["profile"]["plmnList"], [{"mcc": "001", "mnc": "01"}], "with its PLMN")
    w.must("block", "00100001000001")


def is_heard_of(t, nrf):
    beats = [nrf.event("heartbeat", 2 * BEAT_S) for _ in range(3)]
    t.ok(all(b and b["known"] and b["wrong"] == [] and b["id"] == US for b in beats), "heartbeats come in time", beats)
    t.equal(nrf.count("session", "closed"), 0, "all over one connection")
    t.ok(is_registered() and shown("^heartbeat +every %d s" % BEAT_S), "show nrf says so",
         rig.vty(weir.GATE_VTY, "show nrf"))
    t.ok(gauge() == 1 and counter("registered") == 2 and counter("heartbeats") >= 3, "and the metrics")


def is_found(t, nrf):
    """As an AMF finds it: discovery, token, request."""
    amf = sbi.Client("http://%s:%d" % nrf.address)
    path = "/nnrf-disc/v1/nf-instances?target-nf-type=5G_EIR&service-names=n5g-eir-eic&requester-nf-type="
    found = amf.ask(path + "AMF").json["nfInstances"]
    t.equal(amf.ask(path + "SMF").json["nfInstances"], [], "who is not allowed to does not find it")
    t.equal([i["nfInstanceId"] for i in found], [US], "an AMF finds it at the NRF")
    point = found[0]["services"][0]
    end = point["ipEndPoints"][0]
    url = "%s://%s:%d" % (point["scheme"], end["ipv4Address"], end["port"])
    amf.end()
    amf = sbi.Client(url)
    t.equal(amf.ask(LISTED).brief, "BLACKLISTED", "and is answered where the NRF said (%s)" % url)
    amf.end()


# --- bad days -------------------------------------------------------------------------------------
def is_forgotten(t, nrf):
    nrf.do("forget")
    lost, put = nrf.event("heartbeat", 3, known=False), nrf.event("register", 0.5)
    t.ok(lost and put and put["status"] == 201, "forgotten, it registers anew at once", (lost, put))
    t.ok(rig.until(lambda: counter("forgotten") == 1 and gauge() == 1, 2), "and has counted that")


def comes_back(t, nrf, name, seconds=6):
    """Whatever was wrong is over."""
    beat = nrf.event("heartbeat", seconds, known=True)
    t.ok(beat and rig.until(is_registered, 2), "%s: afterwards all is well" % name, rig.vty(weir.GATE_VTY, "show nrf"))


def gets_bad_answers(t, nrf):
    elsewhere = {"location": "http://%s:%d/nnrf-nfm/v1/nf-instances/%s" % (OTHER + (US,))}
    rows = (
        ("503", {"status": 503, "body": '{"status":503,"cause":"NF_CONGESTION"}'}),
        ("400 on a heartbeat", {"status": 400, "method": "PATCH"}),
        ("307 to another place", {"status": 307, "headers": elsewhere}),
        ("308 to another place", {"status": 308, "headers": elsewhere}),
        ("a body of 70,000 octets", {"status": 200, "body": "[" * 70000}),
        ("header fields of 20,000 octets", {"status": 200, "headers": {"x": "y" * 20000}}),
    )
    trap = Nrf(OTHER)
    for name, answer in rows:
        failed = counter("failed")
        nrf.do("answer", **answer)
        t.ok(rig.until(lambda: counter("failed") > failed and gauge() == 0, 4), "%s: a failure, and told so" % name)
        nrf.do("answer")
        comes_back(t, nrf, name)
    t.equal(trap.count("session"), 0, "nobody went to that other place")
    t.equal(counter("redirected"), 2, "and it was counted")
    trap.end()
    harmless = ('{"heartBeatTimer":"soon"}', '{"heartBeatTimer":[]}', "[1]", "<html>", "\x00", '{"a":' * 3000)
    for body in harmless:
        beats = counter("heartbeats")
        nrf.do("answer", status=200, body=body, times=1)
        t.ok(rig.until(lambda: counter("heartbeats") > beats, 3) and gauge() == 1,
             "answer %.24r: taken for a yes" % body)


def nrf_ends_connections(t, nrf):
    for how in ("goaway", "drop"):
        failed = counter("failed")
        nrf.do(how)
        t.ok(nrf.event("session", 3), "%s: it comes over a new connection" % how)
        comes_back(t, nrf, how)
        t.equal(counter("failed"), failed, "%s is no failure" % how)


def nrf_stalls(t, nrf):
    nrf.do("stall")
    t.ok(rig.until(lambda: counter("late") >= 1 and gauge() == 0, 8), "no answer: a failure")
    amf = sbi.Client()
    t.equal(amf.ask(LISTED).brief, "BLACKLISTED", "AMFs are answered all the same")
    amf.end()
    nrf.do("go on")
    comes_back(t, nrf, "no answer", 12)


def nrf_restarts(t, w, nrf):
    before = len(re.findall("NRF http.*trying again", w.gate.text()))
    nrf.kill()
    t.ok(rig.until(lambda: gauge() == 0 and shown("^failures +[2-9]"), 8), "without an NRF it goes on trying")
    t.equal(len(re.findall("NRF http.*trying again", w.gate.text())), before + 1, "and has said so once")
    nrf = Nrf()
    put = nrf.event("register", 12)
    t.ok(put and put["status"] == 201, "the NRF is back and knows nobody: it registers", put)
    comes_back(t, nrf, "a restart of the NRF")
    return nrf


# --- configuration and the end --------------------------------------------------------------------
def is_reconfigured(t, nrf):
    session = rig.Vty(weir.GATE_VTY)

    def change(*lines):
        nrf.clear()
        for line in ("configure terminal", "nrf") + lines + ("end",):
            session(line)
    change("capacity 7", "priority 3", "fqdn eir.weir.test")
    put = nrf.event("register", 3)
    t.ok(put and put["profile"]["capacity"] == 7 and put["profile"]["priority"] == 3, "a change is told at once", put)
    written = session("show running-config")
    for line in (" server http 127.0.0.10 7777", " capacity 7", " fqdn eir.weir.test", " allowed-nf-types AMF",
                 " nf-instance-id " + US, " oauth2 off"):
        t.ok(re.search("^%s$" % re.escape(line), written, re.M), "given back:%s" % line)
    change("no server http %s %d" % NRF)
    gone = nrf.event("deregister", 3)
    t.ok(gone and gone["known"] and gone["id"] == US, "an NRF that is not configured any more hears farewell", gone)
    t.ok(rig.until(lambda: shown("^state +off$"), 2), "and that is that")
    change("server http %s %d" % NRF)
    t.ok(nrf.event("register", 3), "configured again, it registers again")
    session.close()


def says_farewell(t, w, nrf):
    nrf.clear()
    began = time.monotonic()
    status = w.gate.end()
    gone = nrf.event("deregister", 1)
    t.ok(gone and gone["known"], "told to end, it deregisters", gone)
    t.ok(status == 0 and time.monotonic() - began < 4, "and ends in order", (status, time.monotonic() - began))


def does_not_wait_long(t, w, nrf):
    w.start_gate(*settings())
    t.ok(nrf.event("register", 5), "registered again")
    nrf.do("stall")
    began = time.monotonic()
    status = w.gate.end()
    t.ok(status == 0 and time.monotonic() - began < 6, "an NRF that does not answer holds up the end for two seconds",
         (status, time.monotonic() - began))
    nrf.do("go on")


def one_of_two(t, w, nrf):
    other = Nrf(OTHER, onlyArray=True)
    w.start_gate("n5g; nf-instance-id " + US, line_of(OTHER), line_of(NRF))
    t.ok(other.event("register"), "of two NRFs the first is told")
    t.ok(not nrf.event("register", 0.5), "and the second is not")
    found = sbi.Client("http://%s:%d" % OTHER)
    answer = found.ask("/nnrf-disc/v1/nf-instances?target-nf-type=5G_EIR&requester-nf-type=AMF")
    t.ok([i["services"] != [] for i in answer.json["nfInstances"]] == [True], "an NRF of release 15 finds services")
    found.end()
    other.kill()
    t.ok(nrf.event("register", 5), "when the first is gone the second is")
    w.gate.end()
    t.ok(nrf.event("deregister", 1), "which also hears farewell")


def over_tls(t, r, w):
    pki = certs.Pki(r.path("nrf-tls"))
    nrf_pair, own = pki.make("nrf", ["nrf.weir.test"]), pki.make("own", ["eir.weir.test"])
    nrf = Nrf(OTHER, key=nrf_pair.key, cert=nrf_pair.certificate, ca=pki.ca())
    lines = ["n5g; nf-instance-id " + US, "nrf; tls ca " + pki.ca(), "nrf; tls certificate " + own.certificate,
             "nrf; tls key " + own.key]
    w.start_gate(*lines, line_of(OTHER, "https", "nrf.weir.test"))
    put = nrf.event("register", 5)
    t.ok(put and put["wrong"] == [], "over TLS, with certificates of both: it registers", put)
    t.ok(nrf.event("heartbeat", 3), "and is heard of")
    w.gate.end()
    t.ok(nrf.event("deregister", 2), "and deregisters")
    rows = (
        ("an NRF whose certificate has another name", lines + [line_of(OTHER, "https", "other.weir.test")]),
        ("an NRF of another authority", [lines[0], "nrf; tls ca " + pki.ca("other-ca"),
                                         line_of(OTHER, "https", "nrf.weir.test")]),
        ("without a certificate where one is demanded", [lines[0], lines[1], line_of(OTHER, "https", "nrf.weir.test")]),
    )
    for name, more in rows:
        w.start_gate(*more)
        t.ok(rig.until(lambda: counter("failed") >= 1, 5) and nrf.count("register") == 0, "%s: not registered" % name)
        w.gate.end()
    nrf.end()


# --- access tokens --------------------------------------------------------------------------------
def claims(**change):
    out = {"sub": AMF, "aud": "5G_EIR", "scope": "n5g-eir-eic", "exp": int(time.time()) + 600}
    out.update(change)
    return {k: v for k, v in out.items() if v is not None}


def with_token(amf, token):
    return amf.ask(LISTED, authorization="Bearer " + token)


def tokens(t, r, w, nrf):
    public = r.path("nrf.pem")
    nrf = Nrf(OTHER, public=public)
    w.start_gate("n5g; nf-instance-id " + US, "n5g; oauth2 required", "n5g; oauth2 key %s nrf-1" % public,
                 "n5g; oauth2 issuer " + nrf.issuer, line_of(OTHER))
    put = nrf.event("register", 5)
    t.ok(put and all(s["oauth2Required"] is True for s in put["profile"]["nfServices"]), "the profile asks for tokens")
    amf = sbi.Client()
    missing = amf.ask(LISTED)
    t.ok(missing.status == 401 and missing.headers.get("www-authenticate") == 'Bearer realm="n5g-eir-eic"',
         "no token: 401 without an error", missing)
    real_token(t, nrf, amf)
    now = int(time.time())
    bad = (
        ("expired", claims(exp=now - 1), {}, "nrf"),
        ("without exp", claims(exp=None), {}, "nrf"),
        ("not valid yet", claims(nbf=now + 300), {}, "nrf"),
        ("for another type", claims(aud="UDM"), {}, "nrf"),
        ("for another instance", claims(aud=[AMF]), {}, "nrf"),
        ("of another issuer", claims(iss=AMF), {}, "nrf"),
        ("of another key", claims(), {}, "stranger"),
        ("with a kid that we have not", claims(), {"kid": "nrf-2"}, "nrf"),
        ("alg none", claims(), {}, "none"),
        ("HS256 with the public key", claims(), {}, "hs256"),
        ("ES256 in name, HS256 in fact", claims(), {"alg": "ES256"}, "hs256"),
    )
    for name, what, header, by in bad:
        answer = with_token(amf, nrf.sign(what, header, by))
        t.ok(answer.status == 401 and 'error="invalid_token"' in answer.headers.get("www-authenticate", ""),
             "a token %s: 401 invalid_token" % name, answer)
    answer = with_token(amf, nrf.sign(claims(scope="nudm-sdm")))
    t.ok(answer.status == 403 and 'error="insufficient_scope"' in answer.headers.get("www-authenticate", ""),
         "a token for another service: 403 insufficient_scope", answer)
    for name, what in (("for our instance", claims(aud=[US])), ("with more scopes", claims(scope="a n5g-eir-eic b"))):
        t.equal(with_token(amf, nrf.sign(what)).brief, "BLACKLISTED", "a token %s: answered" % name)
    short = nrf.sign(claims(exp=now + 3))
    first = with_token(amf, short).brief
    t.ok(first == "BLACKLISTED" and rig.until(lambda: with_token(amf, short).status == 401, 5, 0.2),
         "a token ends while it is remembered", first)
    many(t, nrf, amf)
    renewed(t, w, nrf, amf)
    amf.end()
    w.gate.end()
    nrf.end()


def real_token(t, nrf, amf):
    """As an AMF gets one: from the NRF's token endpoint."""
    client = sbi.Client("http://%s:%d" % nrf.address)
    form = {"grant_type": "client_credentials", "nfInstanceId": AMF, "nfType": "AMF", "targetNfType": "5G_EIR",
            "scope": "n5g-eir-eic"}
    request = {"path": "/oauth2/token", "method": "POST", "body": urllib.parse.urlencode(form),
               "headers": {"content-type": "application/x-www-form-urlencoded"}}
    token = client.ask_all(request)[0].json["access_token"]
    t.equal(with_token(amf, token).brief, "BLACKLISTED", "a token of the NRF's own endpoint: answered")
    t.equal(amf.ask(LISTED, authorization="bearer  " + token).brief, "BLACKLISTED", "however Bearer is written")
    t.equal(amf.ask(LISTED, authorization="Basic " + token).status, 401, "but not as something else")
    client.end()


def many(t, nrf, amf):
    """One token is verified once however often it is shown; many new ones at once are told to wait."""
    verified = weir.metrics(weir.GATE_ADMIN)["weir_gate_token_verified_total"]
    token = nrf.sign(claims())
    answers = amf.ask_all(*[{"path": LISTED, "headers": {"authorization": "Bearer " + token}}] * 90)
    after = weir.metrics(weir.GATE_ADMIN)
    t.ok(all(a and a.brief == "BLACKLISTED" for a in answers) and
         after["weir_gate_token_verified_total"] == verified + 1, "one token, 90 requests, one verification")
    bad = [token[:-8] + "%07dA" % i for i in range(90)]            # still base64url of 64 octets
    answers = amf.ask_all(*({"path": LISTED, "headers": {"authorization": "Bearer " + b}} for b in bad))
    kinds = {a.status for a in answers if a}
    busy = [a for a in answers if a and a.status == 503]
    t.ok(kinds == {401, 503} and all(a.headers.get("retry-after") == "1" for a in busy),
         "90 bad ones at once: some are told to wait", kinds)
    t.equal(with_token(amf, token).brief, "BLACKLISTED", "who is known does not wait")


def renewed(t, w, nrf, amf):
    """The NRF has another key: after SIGHUP it counts, and the old one does not."""
    time.sleep(0.5)                                            # until new ones are verified again
    old = nrf.sign(claims())
    nrf.do("renew")
    new = nrf.sign(claims())
    t.equal(with_token(amf, old).brief, "BLACKLISTED", "a moment later others are verified again")
    t.equal(with_token(amf, new).status, 401, "a new key is not known yet")
    w.gate.process.send_signal(signal.SIGHUP)
    t.ok(rig.until(lambda: with_token(amf, new).brief == "BLACKLISTED", 5, 0.2), "after SIGHUP it is")
    t.equal(with_token(amf, old).status, 401, "and the old one is not")


def main(r):
    t, w = r.tap, weir.Weir(r, hlr=False)
    w.gate_lines = ["n5g; listen %s %d" % sbi.ADDRESS, "n5g; peer * address 127.0.0.0/8"]
    nrf = Nrf()
    registers(t, w, nrf)
    is_heard_of(t, nrf)
    is_found(t, nrf)
    is_forgotten(t, nrf)
    gets_bad_answers(t, nrf)
    nrf_ends_connections(t, nrf)
    nrf_stalls(t, nrf)
    nrf = nrf_restarts(t, w, nrf)
    is_reconfigured(t, nrf)
    says_farewell(t, w, nrf)
    does_not_wait_long(t, w, nrf)
    one_of_two(t, w, nrf)
    nrf.end()
    over_tls(t, r, w)
    tokens(t, r, w, nrf)


if __name__ == "__main__":
    rig.need("node", "openssl")
    rig.in_namespace()
    rig.Rig("nrf").run(main, 240)
