#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""N5g-eir_EquipmentIdentityCheck (TS 29.511) as network functions see it: weir-gate with its example configuration,
asked by Node's HTTP/2 client, nghttp, h2load and curl.  The rows are those of TS 29.511 6.1, TS 29.500 5.2.7.2 and 6.
"""
import itertools
import json
import re

import rig
import sbi
import weir

# One device of each colour, with its check digit; SV is the same in the form that AMFs send.
WHITE, BLACK, GREY, NONE = "001000010000015", "001000020000021", "001000030000037", "001000040000043"
LIST = "imei,list\n%s,white\n%s,black\n%s,grey\n" % (WHITE, BLACK, GREY)
UNKNOWN = "404 ERROR_EQUIPMENT_UNKNOWN"
COLOURS = ((WHITE, "WHITELISTED"), (BLACK, "BLACKLISTED"), (GREY, "GREYLISTED"), (NONE, UNKNOWN))


def sv(imei, svn="42"):
    return "imeisv-" + imei[:14] + svn


def path_of(*pairs):
    return sbi.RESOURCE + ("?" + "&".join("%s=%s" % p for p in pairs) if pairs else "")


def params(answer):
    """The names in invalidParams."""
    return [p.get("param") for p in answer.json.get("invalidParams", [])]


# --- what is asked --------------------------------------------------------------------------------
def colours(t, amf):
    for imei, wanted in COLOURS:
        t.equal(amf.ask(sbi.status_path("imei-" + imei)).brief, wanted, "an imei: %s" % wanted)
        t.equal(amf.ask(sbi.status_path(sv(imei))).brief, wanted, "the same device as an imeisv: %s" % wanted)
    t.equal(amf.ask(sbi.status_path("imei-" + BLACK, supi=None)).brief, "BLACKLISTED", "a pei is enough")
    wrong = BLACK[:14] + str((int(BLACK[14]) + 5) % 10)
    t.equal(amf.ask(sbi.status_path("imei-" + wrong)).brief, "BLACKLISTED", "the check digit is not looked at")


def parameters(t, amf):
    """In any order, percent-encoded or not (RFC 3986 2.1)."""
    pairs = (("pei", sv(BLACK)), ("supi", sbi.SUPI), ("gpsi", "msisdn-0123456789"), ("supported-features", "0"))
    orders = [path_of(*p) for n in range(1, 5) for p in itertools.permutations(pairs, n) if pairs[0] in p]
    found = {a.brief if a else None for a in amf.ask_all(*orders)}
    t.equal(found, {"BLACKLISTED"}, "all %d orders of the parameters" % len(orders))
    every = "".join("%%%02x" % ord(c) for c in sv(BLACK))
    rows = (
        ("every octet of the pei encoded", [("pei", every)], "BLACKLISTED"),
        ("in capitals", [("pei", every.upper())], "BLACKLISTED"),
        ("only its dash", [("pei", sv(BLACK).replace("-", "%2D"))], "BLACKLISTED"),
        ("a parameter's name encoded", [("%70ei", sv(BLACK))], "BLACKLISTED"),
        ("a supi that is a network access identifier", [("pei", sv(BLACK)), ("supi", "nai-user%40weir.test")],
         "BLACKLISTED"),
        ("a gpsi that is an external identifier", [("pei", sv(BLACK)), ("gpsi", "extid-a%40weir.test")], "BLACKLISTED"),
        ("supported features of some length", [("pei", sv(BLACK)), ("supported-features", "0A1f")], "BLACKLISTED"),
    )
    for name, pairs, wanted in rows:
        t.equal(amf.ask(path_of(*pairs)).brief, wanted, name)
    for kind in ("mac-00-00-5E-00-53-01", "mac-00-00-5E-00-53-01-untrusted", "eui-00-00-5E-FF-FE-00-53-01",
                 "something-else"):
        t.equal(amf.ask(sbi.status_path(kind)).brief, UNKNOWN, "a %s is on no list" % kind.split("-")[0])


def wrong_parameters(t, amf):
    pei = ("pei", "imei-" + BLACK)
    missing, bad, optional = ("400 MANDATORY_QUERY_PARAM_MISSING", "400 MANDATORY_QUERY_PARAM_INCORRECT",
                              "400 OPTIONAL_QUERY_PARAM_INCORRECT")
    rows = (
        ("no query at all", [], missing, "pei"),
        ("no pei", [("supi", sbi.SUPI)], missing, "pei"),
        ("an empty pei", [("pei", "")], bad, "pei"),
        ("an imei of 14 digits", [("pei", "imei-" + BLACK[:14])], bad, "pei"),
        ("an imei of 16 digits", [("pei", "imei-" + BLACK + "0")], bad, "pei"),
        ("an imeisv of 15 digits", [("pei", "imeisv-" + BLACK)], bad, "pei"),
        ("an imei with a letter", [("pei", "imei-00100002000O023")], bad, "pei"),
        ("a percent sign with nothing behind it", [("pei", "imei-%")], bad, "pei"),
        ("a percent sign with no number", [("pei", "imei-%zz")], bad, "pei"),
        ("a NUL in a pei", [("pei", "imei-" + BLACK + "%00")], bad, "pei"),
        ("a supi of four digits", [pei, ("supi", "imsi-0010")], optional, "supi"),
        ("a supi of 16 digits", [pei, ("supi", "imsi-0010100000000011")], optional, "supi"),
        ("a supi with a letter", [pei, ("supi", "imsi-00101000000000a")], optional, "supi"),
        ("an msisdn with a letter", [pei, ("gpsi", "msisdn-0123a")], optional, "gpsi"),
        ("supported features that are no hexadecimal number", [pei, ("supported-features", "xyz")], optional,
         "supported-features"),
        ("a parameter that nobody knows", [pei, ("colour", "pink")], "400 INVALID_QUERY_PARAM", "colour"),
    )
    for name, pairs, wanted, param in rows:
        answer = amf.ask(path_of(*pairs))
        t.ok(answer.brief == wanted and params(answer) == ["query " + param], "%s: %s" % (name, wanted), answer)


def wrong_requests(t, amf):
    good = sbi.status_path("imei-" + BLACK)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = amf.ask(good, method)
        t.ok(answer.brief == "405 METHOD_NOT_ALLOWED" and answer.headers.get("allow") == "GET",
             "%s is not allowed, and the answer says what is" % method, answer)
    answer = amf.ask(good.replace("/v1/", "/v2/"))
    versions = answer.json.get("supportedApiVersions")
    t.ok(answer.brief == "400 INVALID_API" and versions,
         "another version of the API, and the answer says which there are", answer)
    t.equal(amf.ask("/nudm-sdm/v2/imsi-001010000000001/nssai").brief, "400 INVALID_API", "another API")
    t.equal(amf.ask("/").brief, "400 INVALID_API", "no API")
    for path in (sbi.API + "/equipment-statuses", sbi.API, sbi.RESOURCE + "/1", sbi.API + "//equipment-status"):
        found = amf.ask(path + "?pei=imei-" + BLACK).brief
        t.equal(found, "404 RESOURCE_URI_STRUCTURE_NOT_FOUND", "no resource: %s" % path)
    answer = amf.ask(good + "&gpsi=" + "x" * 9000)
    t.equal(answer.status, 414, "a target that is too long")
    rows = (("application/json", 200), ("*/*", 200), ("application/*", 200), ("text/html", 406),
            ("image/png, text/*", 406), ("text/html, application/json;q=0.5", 200),
            ("application/json,application/problem+json", 200))
    for accept, wanted in rows:
        t.equal(amf.ask(good, accept=accept).status, wanted, "accept: %s" % accept)
    t.equal(amf.ask(good).status, 200, "no accept at all")


# --- header fields --------------------------------------------------------------------------------
def header_fields(t, amf):
    good = sbi.status_path("imei-" + BLACK)
    answer = amf.ask(good)
    t.ok(answer.headers.get("server") == "5G_EIR", "the answer says who gave it", answer)
    t.equal(answer.headers.get("cache-control"), "no-store", "and that it must not be kept")
    t.equal(answer.headers.get("content-length"), str(len(answer.body)), "and its length")
    problem = amf.ask(path_of())
    t.equal(problem.json.get("status"), 400, "a problem repeats its status")
    rows = (
        ("asked now, ten seconds of patience", {"max_rsp_time": "10000", "sender_timestamp": sbi.time_text(0)}, 200),
        ("asked two seconds ago, one of patience", {"max_rsp_time": "1000", "sender_timestamp": sbi.time_text(-2)},
         504),
        ("asked an hour ago: a wrong clock", {"max_rsp_time": "1000", "sender_timestamp": sbi.time_text(-3600)}, 200),
        ("patience without a time: from now on", {"max_rsp_time": "1000"}, 200),
        ("no patience at all", {"max_rsp_time": "0"}, 504),
        ("a time without patience", {"sender_timestamp": sbi.time_text(-3600)}, 200),
        ("a clock that is ahead of ours", {"max_rsp_time": "1000", "sender_timestamp": sbi.time_text(3600)}, 200),
        ("patience that is no number", {"max_rsp_time": "soon", "sender_timestamp": sbi.time_text(-3600)}, 200),
        ("a time that is none", {"max_rsp_time": "1000", "sender_timestamp": "yesterday"}, 200),
        ("a time with one digit less", {"max_rsp_time": "1000", "sender_timestamp": sbi.time_text(-9)[:-5] + " GMT"},
         None),
        ("a priority", {"message_priority": "5"}, 200),
        ("a priority that is none", {"message_priority": "99"}, 200),
        ("a correlation", {"correlation_info": "imsi-001010000000001"}, 200),
        ("a field that nobody knows", {"weather": "rain"}, 200),
    )
    for name, given, wanted in rows:
        answer = amf.ask(good, **{"3gpp-sbi-" + k: v for k, v in given.items()})
        t.ok(answer.status in ([wanted] if wanted else [200, 504]), "%s: %s" % (name, wanted or "an answer"), answer)
        if answer.status == 504:
            t.equal(answer.brief, "504 TIMED_OUT_REQUEST", "with its cause")


# --- clients --------------------------------------------------------------------------------------
def node(t, amf):
    """Many streams at once on one session."""
    asked = [COLOURS[n % 4] for n in range(1000)]
    paths = [sbi.status_path(sv(imei, "%02d" % (n % 100))) for n, (imei, _) in enumerate(asked)]
    answers = amf.ask_all(*paths, seconds=30)
    wrong = [(a, w) for a, (_, w) in zip(answers, asked) if not a or a.brief != w]
    t.equal(wrong[:3], [], "a thousand requests in one turn are answered rightly")
    t.equal({a.session for a in answers if a}, {1}, "on one connection")


def nghttp(t):
    urls = [sbi.URL + sbi.status_path(sv(imei)) for imei, _ in COLOURS]
    status, said = rig.command("nghttp", "-v", *urls)
    t.equal(status, 0, "nghttp ends well")
    for _, wanted in COLOURS:
        t.ok(wanted.rsplit(maxsplit=1)[-1] in said, "nghttp is told %s" % wanted, said[-2000:])
    t.ok(re.search(r"recv SETTINGS.*?MAX_CONCURRENT_STREAMS\(0x03\):\d+", said, re.S),
         "and how many streams it may open", said)
    t.ok("PUSH_PROMISE" not in said, "and nothing else is pushed on it")


def h2load(t, r):
    """As many clients and streams as the benchmark has; each answer's status is counted."""
    with open(r.path("uris"), "w") as f:
        for n, (imei, _) in enumerate(COLOURS[:3] * 10):
            f.write(sbi.URL + sbi.status_path(sv(imei, "%02d" % n)) + "\n")
    for clients, streams, count in ((1, 1, 200), (4, 16, 4000), (16, 100, 16000), (100, 10, 10000)):
        status, said = rig.command("h2load", "-n", count, "-c", clients, "-m", streams, "-i", r.path("uris"),
                                   seconds=40)
        told = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
        t.ok(status == 0 and told and told.groups() == (str(count), "0", "0", "0") and
             codes.groups() == (str(count), "0", "0", "0"), "h2load, %d x %d: all answered" % (clients, streams), said)


def curl(t):
    """One request a process: Debian 12's libcurl cannot reuse a cleartext HTTP/2 connection."""
    for imei, wanted in COLOURS:
        status, said = rig.command("curl", "-s", "--noproxy", "*", "--http2-prior-knowledge", "-w", "\n%{http_code}",
                               sbi.URL + sbi.status_path("imei-" + imei))
        body, told = said.rsplit("\n", 1)
        found = json.loads(body)
        found = found.get("status") if told == "200" else "%s %s" % (told, found.get("cause"))
        t.ok(status == 0 and found == wanted, "curl is told %s" % wanted, said)


def sim(t):
    for imei, wanted in zip((c[0] for c in COLOURS), ("white", "black", "grey", "unknown")):
        status, said = rig.command(rig.program("weir-sim"), "n5g", "check", imei)
        t.ok(status == 0 and said.split()[1] == wanted, "weir-sim is told %s" % wanted, said)


def counters(t):
    values = weir.check_counters("n5g")
    parts = sum(v for k, v in values.items() if k != "received")
    t.ok(values["received"] == parts, "received is the sum of its parts", values)
    for tally in ("white", "black", "grey", "unknown", "malformed"):
        t.ok(values.get(tally, 0) > 0, "%s was counted" % tally, values)


def body(r):
    t = r.tap
    w = weir.Weir(r, hlr=False)
    w.start()
    with open(r.path("list.csv"), "w") as f:
        f.write(LIST)
    w.must("import", r.path("list.csv"), "--source", "test")
    amf = sbi.Client()
    for scene in (colours, parameters, wrong_parameters, wrong_requests, header_fields, node):
        scene(t, amf)
    nghttp(t)
    h2load(t, r)
    curl(t)
    sim(t)
    counters(t)
    t.equal(amf.end(), 0, "Node's client ends well")
    t.equal(w.gate.end(), 0, "the gate ends in order")


if __name__ == "__main__":
    rig.need("node", "nghttp", "h2load", "curl")
    rig.in_namespace()
    rig.Rig("n5g").run(body, 120)
