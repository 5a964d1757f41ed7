#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What weir-gate sends over Diameter, read by decoders that are not ours: tshark and scapy.

Every kind of message is asked for once and kept as octets; both must read all of it without a complaint, and find in it
what our own codec (diameter.py) found.
"""
import json
import subprocess

import diameter as d
import freediameter as fd
import rig
import s13gate as s

ADDRESS = (fd.GATE, fd.PORT)

# Octets on standard input, one message a line in hex; what scapy finds, one JSON line a message.
SCAPY = r"""
import json, sys, logging
logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.contrib import diameter
def avps(found):
    out = []
    for a in found:
        value = a.val
        if isinstance(value, list):
            out.append([a.avpCode, avps(value)])
        else:
            out.append([a.avpCode, value.hex() if isinstance(value, bytes) else value])
    return out
for line in sys.stdin:
    octets = bytes.fromhex(line)
    message = diameter.DiamG(octets)
    print(json.dumps({"length": message.drLen, "code": message.drCode, "application": message.drAppId,
                      "flags": int(message.drFlags), "avps": avps(message.avpList),
                      "rest": bytes(message.payload).hex()}))
"""


def collect(t, w):
    """[(what it is, Message)] of all that the gate sends."""
    peer = d.Mme(ADDRESS, "decoded." + fd.REALM)
    kept = [("CEA", peer.cea)]

    def keep(name, wanted, code=d.ECR, application=d.S13, flags=d.R | d.P, avps=None, sender=None):
        m = (sender or peer).ask(code, application, avps or peer.ecr_avps(s.BLACK), flags)
        t.equal(m and m.result, wanted, "there is %s" % name)
        if m:
            kept.append((name, m))

    good = peer.ecr_avps(s.BLACK, "42", s.IMSI)
    origin = d.origin(peer.host, peer.realm)
    proxies = [d.avp(d.PROXY_INFO, [d.avp(d.PROXY_HOST, "dra.weir.test"), d.avp(d.PROXY_STATE, b"abcde")])] * 2
    keep("a black ECA", 2001, avps=good)
    keep("a grey ECA", 2001, avps=peer.ecr_avps(s.GREY + "0"))
    keep("a white ECA", 2001, avps=peer.ecr_avps(s.WHITE + "42"))
    keep("an ECA with Proxy-Info", 2001, avps=good + proxies)
    keep("an unknown ECA", 5422, avps=peer.ecr_avps(s.FREE))
    keep("5001", 5001, avps=good + [d.avp(7777, b"what?")])
    keep("5004", 5004, avps=peer.ecr_avps("123"))
    keep("5005", 5005, avps=good[:5] + good[6:])
    keep("5005 in a group", 5005, avps=good[:6] + [d.terminal(None, "42")])
    keep("5009", 5009, avps=good + good[3:4])
    keep("5014", 5014, avps=good + [d.avp(d.USER_NAME, "1", length=7)])
    keep("3001", 3001, code=316)
    keep("3002", 3002, avps=good + [d.avp(d.DESTINATION_HOST, "hss.weir.test")])
    keep("3003", 3003, avps=peer.ecr_avps(s.BLACK, realm="elsewhere.test"))
    keep("3005", 3005, avps=good + [d.avp(d.ROUTE_RECORD, fd.EIR)])
    keep("3007", 3007, code=316, application=d.S6A)
    keep("3008", 3008, flags=d.R)
    keep("3009", 3009, avps=good[:3] + [d.avp(d.ORIGIN_HOST, peer.host, flags=0)] + good[4:])
    keep("DWA", 2001, d.DW, d.BASE, d.R, origin)
    keep("a DWA of error", 5005, d.DW, d.BASE, d.R, origin[1:])
    other = d.Mme(ADDRESS, "leaving." + fd.REALM)
    keep("DPA", 2001, d.DP, d.BASE, d.R, d.origin(other.host, other.realm) + [d.avp(d.DISCONNECT_CAUSE, 0)], other)
    for name, avps in (("a CEA of error", d.cer_avps("odd." + fd.REALM, fd.REALM, applications=[])),):
        refused = d.Peer(d.socket.create_connection(ADDRESS, 5))
        refused.send(d.message(d.CE, d.BASE, d.R, avps, 1, 1))
        kept.append((name, refused.next(5)))
    dwr = peer.wait(lambda m: m.code == d.DW and m.is_request, 15)
    if t.ok(dwr, "there is a DWR"):
        kept.append(("DWR", dwr))
        peer.behave(dwr)
    w.gate.process.terminate()
    dpr = peer.wait(lambda m: m.code == d.DP and m.is_request, 5)
    if t.ok(dpr, "there is a DPR"):
        kept.append(("DPR", dpr))
        peer.behave(dpr)
    t.equal(w.gate.process.wait(10), 0, "the gate ends in order")
    return kept


# --- tshark ---------------------------------------------------------------------------------------
def packets(r, kept):
    """A capture file with one packet a message."""
    text, capture = r.path("messages.txt"), r.path("messages.pcap")
    with open(text, "w") as f:
        for _, m in kept:
            f.write("000000 %s\n" % m.octets.hex(" "))
    subprocess.run(["text2pcap", "-q", "-T", "3868,3868", text, capture], check=True, capture_output=True, timeout=60)
    return capture


def tshark(capture, *arguments):
    done = subprocess.run(["tshark", "-n", "-r", capture, "-o", "tcp.desegment_tcp_streams:FALSE"] + list(arguments),
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True)
    return done.stdout.decode().splitlines()


def by_tshark(t, r, kept):
    capture = packets(r, kept)
    fields = ("diameter.length", "diameter.cmd.code", "diameter.applicationId", "diameter.flags",
              "diameter.Session-Id", "diameter.Origin-Host", "diameter.Result-Code",
              "diameter.Experimental-Result-Code", "diameter.Equipment-Status",
              "_ws.malformed", "_ws.expert.message", "diameter.avp.code")
    rows = tshark(capture, "-T", "fields", "-E", "separator=|", *sum((["-e", f] for f in fields), []))
    if not t.equal(len(rows), len(kept), "tshark finds every message"):
        return
    for (name, m), row in zip(kept, rows):
        found = dict(zip(fields, row.split("|")))
        # The error is what the peer sent: Failed-AVP holds it as it came, and tshark reads that too.
        complaint = found["_ws.malformed"] + found["_ws.expert.message"]
        t.ok(not complaint or (name in ("5001", "5014") and m.failed()), "tshark has no complaint about %s" % name,
             complaint)
        read = [int(found[f], 0) for f in fields[:4]]
        wanted = [m.length, m.code, m.application, m.flags]
        t.equal((read, found["diameter.Session-Id"] or None, first(found["diameter.Origin-Host"])),
                (wanted, m.text(d.SESSION_ID), m.text(d.ORIGIN_HOST)), "and reads who sends what to whom")
        if not m.is_request:
            code = found["diameter.Result-Code"] or found["diameter.Experimental-Result-Code"]
            status = found["diameter.Equipment-Status"]
            number = m.number(d.EQUIPMENT_STATUS)
            t.equal((code, status), (str(m.result), "" if number is None else str(number)), "and what it says")


def first(text):
    return text.split(",")[0]


# --- scapy ----------------------------------------------------------------------------------------
def python_with_scapy():
    for program in ("python3", "/usr/bin/python3"):
        try:
            if not subprocess.run([program, "-c", "import scapy.contrib.diameter"], capture_output=True, timeout=60,
                                  check=False).returncode:
                return program
        except OSError:
            pass
    return None


def by_scapy(t, kept):
    program = python_with_scapy()
    if not program:
        t.note("scapy is not installed: read by tshark only")
        return
    done = subprocess.run([program, "-c", SCAPY], input="".join(m.octets.hex() + "\n" for _, m in kept).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100, check=False)
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    if not t.equal((done.returncode, len(rows)), (0, len(kept)), "scapy reads every message"):
        t.note(done.stderr.decode(errors="replace")[-2000:])
        return
    for (name, m), row in zip(kept, rows):
        found = [row["length"], row["code"], row["application"], row["flags"], [a[0] for a in row["avps"]], row["rest"]]
        t.equal(found, [m.length, m.code, m.application, m.flags, [a.code for a in m.avps], ""],
                "scapy reads %s as we do" % name)
        values = {a[0]: a[1] for a in row["avps"]}
        if m.number(d.EQUIPMENT_STATUS) is not None:
            t.equal(values.get(d.EQUIPMENT_STATUS), m.number(d.EQUIPMENT_STATUS), "and its status")


def body(r):
    t = r.tap
    fd.add_addresses()
    w = s.Weir(r, more=("watchdog 6",))
    w.start()
    s.gate_listens()
    kept = collect(t, w)
    by_tshark(t, r, kept)
    by_scapy(t, kept)
    w.keeper.end()


if __name__ == "__main__":
    rig.need("tshark", "text2pcap", "ip")
    rig.in_namespace()
    rig.Rig("s13_decoders").run(body, 120)
