#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""N5g-eir through the life of a gate: over TLS with certificates of either side, with certificates renewed, at its
capacity, without its keeper, told to end and started again, while an AMF keeps asking.
"""
import os
import re
import signal
import socket
import ssl
import time
import warnings

import certs
import h2raw as h
import rig
import sbi
import weir

LISTED, FREE = "imeisv-0010000100000142", "imei-001000020000021"
ASKED = (sbi.status_path(LISTED), sbi.status_path(FREE))
RIGHT = ["BLACKLISTED", "404 ERROR_EQUIPMENT_UNKNOWN"]
INSTANCE = "4947a69a-f61b-4bc1-b9da-47c9c5d14b64"
TLS = ("127.0.0.1", 7778)
TLS_URL = "https://127.0.0.1:%d" % TLS[1]


def is_right(client, **more):
    answers = client.ask_all(*ASKED, **more)
    return [a.brief if a else None for a in answers] == RIGHT


# --- TLS ------------------------------------------------------------------------------------------
class Tls:
    def __init__(self, r):
        self.pki = certs.Pki(r.path("tls"))
        self.gate = self.pki.make("gate", ["127.0.0.1", "eir.weir.test"])
        self.amf = self.pki.make("amf", ["amf.weir.test"])
        self.pool = self.pki.make("pool", ["pool.weir.test", "AMF2.Weir.test"])
        self.loop = self.pki.make("loop", ["amf2.weir.test", "pool.weir.test"])
        self.stranger = self.pki.make("stranger", ["amf.weir.test"], ca="other-ca")
        self.old = self.pki.make("old", ["amf.weir.test"], expired=True)

    def lines(self):
        return ["n5g; listen tls %s %d" % TLS, "n5g; tls certificate " + self.gate.certificate,
                "n5g; tls key " + self.gate.key, "n5g; tls ca " + self.pki.ca()]

    def client(self, pair=None, **more):
        if pair:
            more.update(key=pair.key, cert=pair.certificate)
        return sbi.Client(TLS_URL, ca=self.pki.ca(), retry=False, **more)

    def raw(self, alpn=("h2",), version=None, pair=None):
        """A TLS connection of Python's own, or the reason why there is none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.pki.ca())
        if alpn:
            context.set_alpn_protocols(alpn)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():                    # that the old ones are not to be used is known
                warnings.simplefilter("ignore")
                context.minimum_version = context.maximum_version = version
        if pair:
            context.load_cert_chain(pair.certificate, pair.key)
        sock = socket.create_connection(TLS, 5)
        try:
            sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
            c = h.Connection(None, sock=sock)
            return c.ask(1, ASKED[0], scheme="https")
        except (ssl.SSLError, OSError) as e:
            return "refused: %s" % e
        finally:
            sock.close()


def is_answered(found):
    return isinstance(found, tuple) and found == (200, b'{"status":"BLACKLISTED"}')


def tls_clients(t, tls):
    amf = tls.client(tls.amf)
    t.ok(is_right(amf), "an AMF with a certificate is answered over TLS")
    event = amf.event("connect")
    t.equal((event["tls"], event["alpn"]), ("TLSv1.3", "h2"), "TLS 1.3 and h2 were agreed on")
    amf.end()
    amf = tls.client(tls.amf, maxVersion="TLSv1.2")
    t.ok(is_right(amf), "so is one that knows no more than TLS 1.2")
    t.equal(amf.event("connect")["tls"], "TLSv1.2", "with which it is")
    amf.end()
    status, said = rig.command("curl", "-s", "--noproxy", "*", "--http2", "--cacert", tls.pki.ca(), "--cert",
                               tls.amf.certificate, "--key", tls.amf.key, *(TLS_URL + path for path in ASKED))
    t.ok(status == 0 and "BLACKLISTED" in said and "ERROR_EQUIPMENT_UNKNOWN" in said, "and curl, twice", said)
    status, said = rig.command("nghttp", "-v", "--cert", tls.amf.certificate, "--key", tls.amf.key,
                               TLS_URL + ASKED[0])
    t.ok(status == 0 and "BLACKLISTED" in said, "and nghttp", said)
    status, said = rig.command("h2load", "-n", 2000, "-c", 4, "-m", 16, TLS_URL + ASKED[0], seconds=40)
    t.ok(status == 0 and "2000 succeeded, 0 failed, 0 errored, 0 timeout" in said, "and h2load", said)


def tls_refused(t, tls):
    """Who is not let in, and who nevertheless is: a certificate is asked for but not demanded."""
    t.ok(is_answered(tls.raw(pair=tls.amf)), "Python's TLS with a certificate: answered")
    found = tls.raw()
    t.ok(is_answered(found), "without one too", found)
    rows = (
        ("a certificate of another authority", {"pair": tls.stranger}),
        ("a certificate that has expired", {"pair": tls.old}),
        ("no ALPN", {"alpn": None, "pair": tls.amf}),
        ("ALPN without h2", {"alpn": ["http/1.1"], "pair": tls.amf}),
        ("TLS 1.1", {"version": ssl.TLSVersion.TLSv1_1, "pair": tls.amf}),
        ("TLS 1.0", {"version": ssl.TLSVersion.TLSv1, "pair": tls.amf}),
    )
    for name, how in rows:
        found = tls.raw(**how)
        t.ok(not isinstance(found, tuple), "%s: refused" % name, found)
    c = h.Connection(TLS)
    c.send(h.request(1, ASKED[0]))
    t.ok(c.ending(10) and 1 not in c.statuses, "cleartext where TLS is spoken: refused", c.statuses)
    c.close()


def renewed(t, w, tls):
    """New files and SIGHUP: new connections see the new certificate, those that stand go on."""
    before = tls.client(tls.amf)
    t.ok(is_right(before), "before the certificate is renewed an AMF is answered")
    old = before.event("connect")["certificate"]
    tls.pki.make("gate", tls.gate.names)
    w.gate.process.send_signal(signal.SIGHUP)

    def seen():
        after = tls.client(tls.amf)
        right, event = is_right(after), after.event("connect")
        after.end()
        return right and event["certificate"] != old
    t.ok(rig.until(seen, 10, 0.2), "after SIGHUP new connections see the new certificate")
    answers = before.ask_all(*ASKED)
    t.equal([(a.brief, a.session) for a in answers], [(b, 1) for b in RIGHT], "a connection that stands goes on")
    with open(tls.gate.certificate, "w") as f:
        f.write("this is no certificate\n")
    w.gate.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    after = tls.client(tls.amf)
    t.ok(w.gate.alive() and is_right(after), "a certificate that cannot be read is not taken: the old one stays")
    after.end()
    before.end()


def required(t, w, tls):
    """The same with client certificates demanded."""
    tls.gate = tls.pki.make("gate", tls.gate.names)
    again(w, *tls.lines(), "n5g; client-certificate required")
    t.ok(is_answered(tls.raw(pair=tls.amf)), "where certificates are demanded: with one answered")
    found = tls.raw()
    t.ok(not isinstance(found, tuple), "without one refused", found)


def named(t, w, tls):
    """Who may ask is told by the certificate, else by the address."""
    again(w, *tls.lines(), "n5g; no peer * address 127.0.0.0/8", "n5g; peer amf.weir.* address 127.0.0.0/8",
          "n5g; peer aMF2.weir.test address 127.0.0.0/8", "policy; peer n5g AMF2.* peer grey")
    amf = tls.client(tls.amf)
    t.ok(is_right(amf), "a name that is allowed is answered")
    amf.end()
    for name, pair in (("the second of two", tls.pool), ("the first of two", tls.loop)):
        amf = tls.client(pair)
        t.equal(amf.ask(ASKED[0]).brief, "GREYLISTED", "%s names is allowed, and the policy's terms are its" % name)
        t.ok(re.search(" amf2.weir.test$", rig.vty(weir.GATE_VTY, "show peers n5g"), re.M), "and that one is shown")
        amf.end()
    for name, other in (("another name", tls.client(tls.gate)), ("no name", tls.client()), ("no TLS", sbi.Client())):
        answer = other.ask(ASKED[0])
        t.ok(answer.status == 403 and "LISTED" not in answer.body, "%s: forbidden" % name, answer)
        other.end()


# --- settings -------------------------------------------------------------------------------------
def again(w, *lines):
    w.gate.end()
    w.gate_lines = list(lines)
    w.start_gate()


def settings(t, w):
    again(w, "n5g; api-prefix /core/eir", "n5g; max-age 30", "n5g; max-streams 7", "n5g; response-time from arrival",
          "log stderr; logging level n5g debug")
    amf = sbi.Client()
    answer = amf.ask("/core/eir" + ASKED[0], **{"3gpp-sbi-max-rsp-time": "1000", "3gpp-sbi-sender-timestamp":
                     sbi.time_text(-5), "3gpp-sbi-correlation-info": "imsi-001010000000042"})
    t.equal(answer.brief, "BLACKLISTED", "behind a prefix, whatever the sender's clock says")
    t.equal(answer.headers.get("cache-control"), "max-age=30", "an answer may be kept as long as was configured")
    answer = amf.ask("/core/eir" + ASKED[1])
    t.equal(answer.headers.get("cache-control"), "no-store", "but not that nothing is known")
    t.equal(amf.ask(ASKED[0]).brief, "400 INVALID_API", "without the prefix there is nothing")
    t.equal(amf.event("settings")["settings"]["maxConcurrentStreams"], 7, "so many streams are offered")
    answers = amf.ask_all(*["/core/eir" + ASKED[0]] * 100)
    t.equal({a and a.brief for a in answers}, {"BLACKLISTED"}, "and a client that keeps to it gets all its answers")
    line = w.gate.said("^.*device .*correlation.*$")
    t.ok(line, "at debug level the log has the correlation")
    t.ok("001010000000042" not in w.gate.text() and LISTED[7:21] not in w.gate.text(), "and no identity in full",
         line and line.group(0))
    amf.end()


# --- load -----------------------------------------------------------------------------------------
def burst(amf, n):
    """n requests at once, urgent and not urgent in turn: the answers of both."""
    def request(priority):
        return {"path": ASKED[0], "headers": {"3gpp-sbi-message-priority": str(priority)}}
    answers = amf.ask_all(*(request(31 * (i % 2)) for i in range(n)), seconds=20)
    return answers[0::2], answers[1::2]


def shed(t, w, line, cause):
    again(w, line, "n5g; nf-instance-id " + INSTANCE)
    amf = sbi.Client()
    urgent, other = burst(amf, 400)
    refused = [a for a in urgent + other if a and a.brief == cause]
    answered = [a for a in urgent + other if a and a.brief == "BLACKLISTED"]
    t.ok(refused and answered and len(refused) + len(answered) == 400,
         "%s: each is answered or told %s" % (line, cause), {str(a and a.brief) for a in urgent + other})
    t.ok(all(a.headers.get("retry-after", "").isdigit() for a in refused), "and when to come again",
         refused and refused[0].headers)
    values = weir.check_counters("n5g")
    t.ok(values["shed"] == len(refused) and values["received"] == 400 == sum(values.values()) - 400,
         "what was refused was counted", values)
    return amf, urgent, other, refused


def capacity(t, w):
    amf, urgent, other, refused = shed(t, w, "traffic; capacity 200", "503 NF_CONGESTION")
    taken = [sum(a.brief == "BLACKLISTED" for a in part) for part in (urgent, other)]
    t.ok(taken[0] > taken[1], "of what is urgent more is answered", taken)
    t.ok(all("3gpp-sbi-oci" in a.headers for a in refused), "who is refused is told how congested we are",
         refused and refused[0].headers)
    t.ok(all(a.headers.get("server") == "5G_EIR-" + INSTANCE for a in refused), "and by whom")
    t.ok(rig.until(lambda: is_right(amf), 5, 0.3), "and afterwards it goes on")
    amf.end()


def limit(t, w):
    amf, *_ = shed(t, w, "n5g; rate * limit 100", "429 NF_CONGESTION_RISK")
    t.ok(rig.until(lambda: is_right(amf), 5, 0.3), "and afterwards it goes on")
    amf.end()


def load(t, w):
    """Under load connections are told so (TS 29.500 6.3), each of them not more than once a second."""
    again(w, "n5g; nf-instance-id " + INSTANCE)
    amf = sbi.Client()
    quiet = amf.ask(ASKED[0]).headers.get("3gpp-sbi-lci")
    t.equal(quiet, None, "with nothing to do there is no load to tell")
    busy = w.r.start("h2load", "h2load", "-D", "4", "-c", "4", "-m", "32", sbi.URL + ASKED[0])
    told = rig.until(lambda: amf.ask(ASKED[0]).headers.get("3gpp-sbi-lci"), 4, 0.01)
    t.ok(told and "Load-Metric:" in told and INSTANCE in told, "when there is much it is told", told)
    more = [amf.ask(ASKED[0]).headers.get("3gpp-sbi-lci") for _ in range(20)]
    t.ok(sum(m is not None for m in more) <= 1, "and not with every answer", more)
    t.equal(busy.process.wait(15), 0, "while all are answered")
    amf.end()


# --- ends -----------------------------------------------------------------------------------------
def keeper_killed(t, w):
    amf = sbi.Client()
    t.ok(is_right(amf), "with a keeper: right answers")
    w.keeper.kill()
    t.ok(all(is_right(amf) for _ in range(50)), "without it too")
    w.start_keeper()
    w.must("block", "00100005000005")
    answer = rig.until(lambda: amf.ask(sbi.status_path("imeisv-0010000500000501")).brief == "BLACKLISTED", 5, 0.1)
    t.ok(answer, "and when it is back what it lists is known on the same connection")
    amf.end()


def goodbye(t, w):
    """SIGTERM while a request is on its way: GOAWAY, then its answer, then the end."""
    c = h.Connection(sbi.ADDRESS)
    c.ask(1, ASKED[0])
    c.send(h.headers(3, h.get_fields(ASKED[0]), h.END_HEADERS))
    c.wait(lambda: False, 0.2)
    w.gate.process.terminate()
    t.ok(c.wait(lambda: c.goaway, 3), "told to end, the gate says so")
    t.equal(c.goaway, "NO_ERROR", "and that nothing is wrong")
    c.send(h.frame(h.DATA, h.END_STREAM, 3))
    t.equal(c.answer(3, 3), (200, b'{"status":"BLACKLISTED"}'), "what was begun is answered")
    t.equal(c.ending(5), "GOAWAY NO_ERROR", "then it closes")
    t.equal(w.gate.process.wait(10), 0, "and ends in order")
    c.close()


def restarted(t, w):
    """Gates come and go; an AMF that does as RFC 9113 6.8 says loses nothing."""
    amf, wrong, asked = sbi.Client(), [], 0
    t.ok(is_right(amf), "before the first restart: right answers")
    for _ in range(3):
        ids = []
        for _ in range(20):
            ids += amf.send(*ASKED)
            time.sleep(0.005)
        w.gate.process.terminate()
        ids += amf.send(*ASKED)
        w.gate.process.wait(10)
        w.start_gate()
        for _ in range(5):
            ids += amf.send(*ASKED)
        asked += len(ids)
        for _ in ids:
            taken = amf.take(10)
            if not taken or taken[1].brief != RIGHT[(taken[0] - 1) % 2]:
                wrong.append(taken)
    t.equal(wrong[:3], [], "over three restarts each of %d requests is answered rightly" % asked)
    t.ok(amf.event("goaway", 0), "and it was told each time")
    amf.end()


def alone(t, r):
    """A gate that never had a register says that it cannot tell, at once."""
    other = weir.Weir(r, hlr=False)
    other.state = r.path("empty")
    os.mkdir(other.state)
    other.start_gate()
    amf = sbi.Client()
    answer = amf.ask(ASKED[0])
    t.equal(answer.brief, "500 SYSTEM_FAILURE", "without a register the answer is a failure, and no colour")
    amf.end()
    other.gate.end()


def body(r):
    t = r.tap
    w, tls = weir.Weir(r, hlr=False), Tls(r)
    w.gate_lines = tls.lines()
    w.start()
    w.must("block", LISTED[7:21])
    tls_clients(t, tls)
    tls_refused(t, tls)
    renewed(t, w, tls)
    required(t, w, tls)
    named(t, w, tls)
    settings(t, w)
    capacity(t, w)
    limit(t, w)
    load(t, w)
    again(w)
    keeper_killed(t, w)
    goodbye(t, w)
    w.start_gate()
    restarted(t, w)
    w.gate.end()
    alone(t, r)


if __name__ == "__main__":
    rig.need("node", "nghttp", "h2load", "curl", "openssl")
    rig.in_namespace()
    rig.Rig("n5g_life").run(body, 180)
