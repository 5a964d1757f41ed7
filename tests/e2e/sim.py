#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""weir-sim against a server that does what each row wants: what it sends, what it says of what it gets, how it ends."""
import re
import shutil
import socket

import certs
import diameter as d
import gsup
import rig
import sbi

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
        ("an error is told with its cause", [gsup.ie(gsup.IE_CAUSE, b"\x60")], gsup.CHECK_ERR, 1,
         "error 96 invalid mandatory information"),
        ("also one that we have no name for", [gsup.ie(gsup.IE_CAUSE, b"\x6f")], gsup.CHECK_ERR, 1, "error 111 "),
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
    wanted = r"^200 answers; 200 verdicts, \d+ a second; p50 .*; accepted 200, refused 0, errors 0$"
    counted = re.search(wanted, said, re.M)
    t.ok(status == 0 and counted, "a load counts its answers", said)
    t.equal((most, waiting), (16, 0), "and keeps no more questions under way than it was told")
    status, said = Server(r, "load", "ten", "1").end()
    t.ok(status == 2 and "a count up to" in said, "a count that is none is told", (status, said))


# --- s13 ------------------------------------------------------------------------------------------
MME, EIR = "mme.sim.weir.test", ("eir.weir.test", "weir.test")


class S13Server:
    """One weir-sim s13 run: started, connected, past the capabilities exchange."""

    def __init__(self, r, *arguments, result=2001):
        listener = socket.create_server(("127.0.0.1", 3868))
        self.sim = r.start("weir-sim", rig.program("weir-sim"), "s13", "-i", IMSI, "-t", "700", "-n", MME, *arguments)
        self.skip = len(self.sim.text())
        listener.settimeout(5)
        self.peer = d.Peer(listener.accept()[0])
        listener.close()
        self.cer = self.peer.next(5)
        self.send(self.cer, 0, [d.avp(d.RESULT_CODE, result)] + d.origin(*EIR))

    def send(self, request, flags, avps):
        self.peer.send(d.message(request.code, request.application, flags, avps, request.hop, request.end))

    def question(self, seconds=3):
        return self.peer.next(seconds)

    def answer(self, q, *avps, flags=d.P, session=None):
        self.send(q, flags, [d.avp(d.SESSION_ID, session or q.text(d.SESSION_ID)), d.avp(d.AUTH_SESSION_STATE, 1)] +
                  d.origin(*EIR) + list(avps))

    def end(self):
        """(exit status, what it said); a goodbye is answered and kept."""
        self.dpr = None
        try:
            m = self.peer.next(2)
            if m and m.code == d.DP:
                self.dpr = m.number(d.DISCONNECT_CAUSE)
                self.send(m, 0, [d.avp(d.RESULT_CODE, 2001)] + d.origin(*EIR))
        except (d.Closed, OSError):
            pass                                               # a row may have closed it
        status = self.sim.process.wait(5)
        self.peer.close()
        return status, self.sim.text()[self.skip:]


def experimental(code):
    return d.avp(d.EXPERIMENTAL_RESULT, [d.avp(d.VENDOR_ID, d.VENDOR_3GPP), d.avp(d.EXPERIMENTAL_RESULT_CODE, code)])


def status_avps(value):
    return [d.avp(d.RESULT_CODE, 2001), d.avp(d.EQUIPMENT_STATUS, value)]


def s13_check(r, reply, *arguments):
    """weir-sim s13 check of one device, answered by reply(server, question)."""
    server = S13Server(r, *(arguments or ("check", "001000010000015")))
    q = server.question()
    reply(server, q)
    return server, q, server.end()


def s13_requests(r, t):
    def white(server, q):
        server.answer(q, *status_avps(0))
    rows = (
        ("15 digits go out as 14", ["001000010000015"], "00100001000001", None),
        ("an IMEISV goes out with its version apart", ["0010000100000142"], "00100001000001", "42"),
        ("or, with -d 16, in one", ["-d", "16", "0010000100000142"], "0010000100000142", None),
        ("or, with -d 15, as they are typed", ["-d", "15", "001000010000017"], "001000010000017", None),
    )
    for name, typed, imei, svn in rows:
        server, q, (status, said) = s13_check(r, white, *typed[:-1], "check", typed[-1])
        inside = {a.code: a.text for a in q.one(d.TERMINAL_INFORMATION).avps}
        t.ok(status == 0 and inside == {k: v for k, v in ((d.IMEI, imei), (d.SOFTWARE_VERSION, svn)) if v}, name,
             (status, said, inside))
    t.ok(server.cer.code == d.CE and server.cer.text(d.ORIGIN_HOST) == MME and
         server.cer.text(d.ORIGIN_REALM) == "sim.weir.test", "it says who it is", server.cer)
    t.ok(q.avps[0].code == d.SESSION_ID and q.text(d.SESSION_ID).startswith(MME + ";"), "it makes its own sessions", q)
    t.equal((q.code, q.application, q.flags & (d.R | d.P)), (d.ECR, d.S13, d.R | d.P), "it asks ME-Identity-Check")
    t.equal((q.text(d.USER_NAME), q.text(d.DESTINATION_REALM)), (IMSI, EIR[1]), "for its subscriber, of their realm")
    t.equal(server.dpr, 2, "and says goodbye")


def s13_verdicts(r, t):
    result = lambda code: [d.avp(d.RESULT_CODE, code)]         # noqa: E731
    rows = (
        ("status 0 is told as white", status_avps(0), d.P, 0, "white "),
        ("status 1 as black", status_avps(1), d.P, 0, "black "),
        ("status 2 as grey", status_avps(2), d.P, 0, "grey "),
        ("experimental 5422 as unknown", [experimental(5422)], d.P, 0, "unknown "),
        ("another result as an error with its name", result(5012), d.P, 1, "error 5012 unable-to-comply"),
        ("so too a protocol error", result(3004), d.P | d.E, 1, "error 3004 too-busy"),
        ("another experimental result with its number", [experimental(5001)], d.P, 1, "error 5001"),
        ("success without a status is no answer", result(2001), d.P, 1, "without a verdict"),
        ("nor is a status of another number", status_avps(3), d.P, 1, "weir-sim: an answer"),
        ("nor one without a result", [d.avp(d.EQUIPMENT_STATUS, 0)], d.P, 1, "without a verdict"),
    )
    for name, avps, flags, wanted, words in rows:
        _, _, (status, said) = s13_check(r, lambda server, q: server.answer(q, *avps, flags=flags))
        t.ok(status == wanted and words in said, name, (status, said))


def s13_failures(r, t):
    _, _, (status, said) = s13_check(r, lambda server, q: None)
    t.ok(status == 1 and "no answer within 700 ms" in said, "silence is told and fails", (status, said))
    _, _, (status, said) = s13_check(r, lambda server, q: server.peer.close())
    t.ok(status == 1 and "closed" in said, "a closed connection is told and fails", (status, said))
    _, _, (status, said) = s13_check(r, lambda server, q: server.answer(q, *status_avps(0), session="another"))
    t.ok(status == 1 and "another session" in said, "an answer of another session fails", (status, said))

    def other_number(server, q):
        q.hop += 1
        server.answer(q, *status_avps(0))
    _, _, (status, said) = s13_check(r, other_number)
    t.ok(status == 1 and "not asked for" in said, "an answer of another number fails", (status, said))
    _, _, (status, said) = s13_check(r, lambda server, q: server.peer.send(b"\1\0\0\6\0\0\0\0"))
    t.ok(status == 1 and "wrong length" in said, "a message of a wrong length fails", (status, said))
    server = S13Server(r, "check", "001000010000015", result=3010)
    status, said = server.end()
    t.ok(status == 1 and "3010 unknown-peer" in said, "who is not let in is told why", (status, said))
    status, said = rig.command(rig.program("weir-sim"), "s13", "-n", "host", "check", "001000010000015")
    t.ok(status == 2 and "realm" in said, "a name without a realm is told", (status, said))
    status, said = rig.command(rig.program("weir-sim"), "s13", "-a", "127.0.0.1:3869", "check", "001000010000015")
    t.ok(status == 1 and "cannot connect" in said, "nobody there is told and fails", (status, said))


def s13_listening(r, t):
    server = S13Server(r, "listen", "001000010000015")
    server.answer(server.question(), *status_avps(0))
    t.ok(server.sim.said("^listening"), "it stays")
    server.peer.send(d.message(d.DW, d.BASE, d.R, d.origin(*EIR), 7, 8))
    m = server.question()
    t.ok(m and (m.code, m.hop, m.end, m.number(d.RESULT_CODE)) == (d.DW, 7, 8, 2001), "it answers a watchdog", m)
    server.peer.send(d.message(d.DP, d.BASE, d.R, d.origin(*EIR) + [d.avp(d.DISCONNECT_CAUSE, 0)], 9, 10))
    m = server.question()
    t.ok(m and (m.code, m.number(d.RESULT_CODE)) == (d.DP, 2001), "and a goodbye", m)
    status, said = server.end()
    t.ok(status == 1 and "says goodbye" in said, "and ends after it", (status, said))


def s13_load(r, t):
    server, most, batch = S13Server(r, "load", "200", "16"), 0, []
    for i in range(200):
        batch.append(server.question())
        if len(batch) == 16 or i == 199:
            most = max(most, len(batch))
            extra = server.question(0.05)
            for q in reversed(batch):                          # a relay may turn their order
                server.answer(q, *status_avps(len(batch) % 3))
            batch = []
    status, said = server.end()
    counted = re.search("200 answers.*white 0, grey 8, black 192, unknown 0, errors 0", said)
    t.ok(status == 0 and counted, "a load counts its answers, in whatever order they come", said)
    t.equal((most, extra), (16, None), "and keeps no more questions under way than it was told")


def s13_load_errors(r, t):
    """Most are refused as too busy: that is no rate to be proud of."""
    server = S13Server(r, "load", "50", "10")
    for i in range(50):
        q = server.question()
        if i % 10:
            server.answer(q, d.avp(d.RESULT_CODE, 3004 if i % 2 else 5012), flags=d.P)
        else:
            server.answer(q, *status_avps(0))
    status, said = server.end()
    wanted = (r"^50 answers; 5 verdicts, \d+ a second; p50 \d+ us, p99 \d+ us; "
              "white 5, grey 0, black 0, unknown 0, errors 45: 3004 too-busy 25, 5012 unable-to-comply 20$")
    t.ok(re.search(wanted, said, re.M), "a load names its errors, and rates the verdicts", said)
    t.equal((status, server.dpr), (1, 2), "and fails, in order")
    server = S13Server(r, "load", "12", "12")
    for i in range(12):
        server.answer(server.question(), experimental(5001 + i))
    status, said = server.end()
    wanted = r"^12 answers; 0 verdicts; white 0, .*, errors 12: 5001 experimental 1, .*, 5007 experimental 1, others 5$"
    t.ok(status == 1 and re.search(wanted, said, re.M), "many kinds of them are bounded, and none is no rate", said)


# --- n5g ------------------------------------------------------------------------------------------
def n5g(*arguments):
    return rig.command(rig.program("weir-sim"), "n5g", "-i", IMSI, "-t", "700", *arguments)


def n5g_requests(t, fake):
    """What an AMF's request looks like on the wire."""
    fake.set(status=200, headers={"content-type": "application/json"}, body='{"status":"WHITELISTED"}')
    rows = (
        ("15 digits go out as an imei", ["001000010000015"], "imei-001000010000015"),
        ("whatever their check digit is", ["001000010000017"], "imei-001000010000017"),
        ("14 digits get their check digit", ["00100001000001"], "imei-001000010000015"),
        ("16 digits go out as an imeisv", ["0010000100000142"], "imeisv-0010000100000142"),
        ("an imeisv can be asked for with 15 digits", ["-d", "15", "0010000100000142"], "imei-001000010000015"),
        ("a PEI goes out as it is typed", ["mac-00-00-5e-00-53-01"], "mac-00-00-5e-00-53-01"),
    )
    for name, typed, pei in rows:
        status, said = n5g(*typed[:-1], "check", typed[-1])
        asked = (fake.request() or {}).get("headers", {})
        wanted = "%s?pei=%s&supi=imsi-%s" % (sbi.RESOURCE, pei, IMSI)
        t.ok(status == 0 and asked.get(":path") == wanted, name, (status, said, asked))
    t.ok(re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3} GMT", asked.get("3gpp-sbi-sender-timestamp", "")),
         "it says when it asks", asked)
    t.equal(asked.get("3gpp-sbi-max-rsp-time"), "700", "and how long it waits")
    status, said = n5g("check", "0010000100000", "001000010000015")
    t.ok(status == 2 and "too few digits" in said, "13 digits are told and not sent", (status, said))


def n5g_verdicts(t, fake):
    ok, problem = {"content-type": "application/json"}, {"content-type": "application/problem+json"}
    rows = (
        ("WHITELISTED is told as white", 200, ok, '{"status":"WHITELISTED"}', 0, "white "),
        ("BLACKLISTED as black", 200, ok, '{"status":"BLACKLISTED"}', 0, "black "),
        ("GREYLISTED as grey", 200, ok, '{"status":"GREYLISTED"}', 0, "grey "),
        ("ERROR_EQUIPMENT_UNKNOWN as unknown", 404, problem, '{"status":404,"cause":"ERROR_EQUIPMENT_UNKNOWN"}', 0,
         "unknown "),
        ("another cause as an error with its name", 503, problem, '{"status":503,"cause":"NF_CONGESTION"}', 1,
         "error 503 NF_CONGESTION "),
        ("with what it says more", 500, problem, '{"title":"T","cause":"SYSTEM_FAILURE","detail":"no list"}', 1,
         "error 500 SYSTEM_FAILURE: no list "),
        ("a problem without a cause is told in its own words", 403, problem,
         '{"title":"Forbidden","status":403,"detail":"not allowed by configuration"}', 1,
         "001000010000015  error 403 not allowed by configuration "),
        ("or by its title", 413, problem, '{"title":"Content Too Large","status":413}', 1,
         "error 413 Content Too Large "),
        ("whatever they are, on one line", 403, problem, '{"detail":"a\\u001b[31m\\nb\\u00e9 %s"}' % ("x" * 500), 1,
         "error 403 a?[31m?b?? " + "x" * 60),
        ("a 404 that says nothing is no answer", 404, problem, '{"status":404}', 1, "no verdict"),
        ("nor is a problem where there is none", 200, problem, '{"cause":"NF_CONGESTION"}', 1, "no verdict"),
        ("nor is a status of another word", 200, ok, '{"status":"PINKLISTED"}', 1, "no verdict"),
        ("nor one of another type", 200, {"content-type": "text/plain"}, '{"status":"WHITELISTED"}', 1, "no verdict"),
        ("nor what is no JSON", 200, ok, '{"status":"WHITELISTED"', 1, "no verdict"),
        ("nor an empty 200", 200, ok, "", 1, "no verdict"),
    )
    for name, code, headers, text, wanted, words in rows:
        fake.set(status=code, headers=headers, body=text)
        status, said = n5g("check", "001000010000015")
        fits = words in said and said[:-1].isprintable() and len(said) < 250
        t.ok(status == wanted and fits, name, (status, said))
        fake.request()


def n5g_failures(t, fake):
    fake.set(silent=True)
    status, said = n5g("check", "001000010000015")
    t.ok(status == 1 and "no answer within 700 ms" in said, "silence is told and fails", (status, said))
    fake.set(reset=True)
    status, said = n5g("check", "001000010000015")
    t.ok(status == 1 and "weir-sim: " in said, "a stream that is reset is told and fails", (status, said))
    fake.set(hangup=True)
    status, said = n5g("check", "001000010000015")
    t.ok(status == 1 and "weir-sim: " in said, "a closed connection is told and fails", (status, said))
    status, said = n5g("-a", "127.0.0.1:7778", "check", "001000010000015")
    t.ok(status == 1 and "cannot connect" in said, "nobody there is told and fails", (status, said))
    fake.set(status=403, headers={"content-type": "application/problem+json"}, body='{"detail":"no"}')
    status, said = n5g("check", "001000010000015", "001000010000031")
    t.ok(status == 1 and said.count("error 403 no ") == 2, "an error does not end the asking", (status, said))


def n5g_tls(r, t):
    pki = certs.Pki(r.path("tls"))
    server = pki.make("server", ["127.0.0.1"])
    amf = pki.make("amf", ["amf.weir.test"])
    with open(r.path("amf.pem"), "wb") as out:
        for name in (amf.certificate, amf.key):
            with open(name, "rb") as f:
                shutil.copyfileobj(f, out)
    fake = sbi.Fake(key=server.key, cert=server.certificate, ca=pki.ca())
    fake.set(status=200, headers={"content-type": "application/json"}, body='{"status":"BLACKLISTED"}')
    status, said = n5g("-T", pki.ca(), "-c", r.path("amf.pem"), "check", "001000010000015")
    asked = fake.request()
    t.ok(status == 0 and "black" in said, "it asks over TLS", (status, said))
    t.equal(asked and asked.get("peer"), "amf.weir.test", "and shows its certificate")
    status, said = n5g("-T", pki.ca("other-ca"), "check", "001000010000015")
    t.ok(status == 1 and "certificate" in said, "a server of another authority is told and fails", (status, said))
    status, said = rig.command(rig.program("weir-sim"), "gsup", "-T", pki.ca(), "check", "001000010000015")
    t.ok(status == 2 and "has no TLS" in said, "gsup says that it has none", (status, said))
    status, said = n5g("-c", r.path("amf.pem"), "check", "001000010000015")
    t.ok(status == 2 and "-T" in said, "a certificate without TLS is told", (status, said))
    fake.end()


def n5g_scenes(r):
    if not shutil.which("node"):
        r.tap.ok(True, "n5g # SKIP node is not installed")
        return
    fake = sbi.Fake()
    for scene in (n5g_requests, n5g_verdicts, n5g_failures):
        scene(r.tap, fake)
    fake.end()
    n5g_tls(r, r.tap)


# --- wrong use ------------------------------------------------------------------------------------
def usage_errors(_r, t):
    """Each says what is wrong, and not what else there is to know."""
    imei = "001000010000015"
    rows = (
        ("a word that is no command", "s13 ask " + imei, '"ask" is no command of s13; check, listen, load are'),
        ("a word that is none of n5g", "n5g load 1 1", '"load" is no command of n5g; check is'),
        ("a check of nothing", "s13 check", "check needs an IMEI"),
        ("a load without a depth", "s13 load 10", "load needs COUNT and DEPTH"),
        ("a load of too many words", "gsup load 10 1 1", "load needs COUNT and DEPTH and no more"),
        ("no command", "s13", "s13 needs a command: check, listen, load"),
        ("a word that is no counterpart", "map check", '"map" is no counterpart; gsup, s13, n5g are'),
        ("a port too high", "s13 -a 127.0.0.1:99999 check " + imei, 'port: 1 to 65535, not "99999"'),
        ("also over HTTP", "n5g -a 127.0.0.1:99999 check " + imei, 'port: 1 to 65535, not "99999"'),
        ("a port of none", "n5g -a 127.0.0.1: check " + imei, 'port: 1 to 65535, not ""'),
        ("a port behind IPv6", "gsup -a [::1]:0 check " + imei, 'port: 1 to 65535, not "0"'),
        ("a bracket left open", "gsup -a [::1 check " + imei, 'a host is missing: "[::1"'),
        ("a port without a host", "n5g -a :7777 check " + imei, 'a host is missing: ":7777"'),
        ("an option that is none", "s13 -Q check " + imei, "-Q is no option of s13"),
        ("a long one", "s13 --frob check " + imei, "--frob is no option of s13"),
        ("TLS where there is none", "s13 -T ca.pem check " + imei, "s13 has no TLS"),
        ("an option without its value", "s13 -a", "-a needs a value"),
    )
    for name, words, wanted in rows:
        status, said = rig.command(rig.program("weir-sim"), *words.split())
        t.ok(status == 2 and wanted in said and said.count("\n") == 1, "wrong use: " + name, (status, said))


def helps(_r, t):
    for words, inside, outside in (
            ("--help", ("gsup:", "s13:", "n5g:", "-T FILE"), ()),
            ("s13 --help", ("s13:", "listen", "3868", "-a HOST"), ("gsup", "n5g", "-T FILE", "AMF")),
            ("s13 -h", ("s13:",), ("gsup", "n5g")),
            ("n5g -h", ("n5g:", "-T FILE"), ("gsup", "s13", "load")),
            ("gsup -V", ("weir-sim",), ("usage",)),
            ("--version", ("weir-sim",), ("usage",))):
        status, said = rig.command(rig.program("weir-sim"), *words.split())
        t.ok(status == 0 and all(w in said for w in inside) and not any(w in said for w in outside),
             "%s tells of what was asked for" % words, (status, said))


def body(r):
    for scene in (usage_errors, helps, requests, verdicts, failures, listening, load, s13_requests, s13_verdicts,
                  s13_failures, s13_listening, s13_load, s13_load_errors):
        scene(r, r.tap)
    n5g_scenes(r)


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("sim").run(body, 90)
