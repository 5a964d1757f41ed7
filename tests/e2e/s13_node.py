#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""S13 with a second foreign stack: npm's "diameter" for Node, fetched into the build tree when the test runs."""
import json
import os
import subprocess

import freediameter as fd
import rig
import s13gate as s

MODULE = "diameter@0.7.0"
FOLDER = os.path.join(rig.TOP_BUILDDIR, "tests", "node")
STATUS = {"WHITELISTED": "white", "BLACKLISTED": "black", "GREYLISTED": "grey"}


def fetch():
    """Outside of the namespace, where there is a network."""
    if os.path.exists(os.path.join(FOLDER, "node_modules", "diameter", "package.json")):
        return
    os.makedirs(FOLDER, exist_ok=True)
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts",
                               "--no-update-notifier", "--fetch-retries=1", "--fetch-timeout=20000", "--prefix", FOLDER,
                               MODULE], capture_output=True, timeout=100, check=False)
        why = done.stderr.decode(errors="replace").strip().splitlines()[:1]
    except subprocess.TimeoutExpired:
        why = ["no answer in time"]
    if not os.path.exists(os.path.join(FOLDER, "node_modules", "diameter", "package.json")):
        rig.skip_all("npm cannot fetch %s here: %s" % (MODULE, " ".join(why)))


def verdict(answer):
    body = dict((name, value) for name, value in answer["body"])
    if "Experimental-Result" in body:
        code = dict(body["Experimental-Result"])["Experimental-Result-Code"]
        return "unknown" if str(code) in ("5422", "DIAMETER_ERROR_EQUIPMENT_UNKNOWN") else str(code)
    if body.get("Result-Code") in (2001, "DIAMETER_SUCCESS"):
        return STATUS.get(body.get("Equipment-Status"), "strange")
    return str(body.get("Result-Code"))


def body(r):
    t = r.tap
    fd.add_addresses()
    w = s.Weir(r)
    w.start()
    s.gate_listens()
    rows = s.questions()
    work = {"host": fd.GATE, "port": fd.PORT, "identity": "node." + fd.REALM, "realm": fd.REALM,
            "questions": [[imei, svn, imsi, True] for imei, svn, imsi, _ in rows] + [[s.BLACK, None, None, False]]}
    done = subprocess.run(["node", "--no-deprecation", os.path.join(rig.HERE, "s13_node.js")],
                          input=json.dumps(work).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                          env=dict(os.environ, NODE_PATH=os.path.join(FOLDER, "node_modules")), check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    answers = [json.loads(line) for line in lines if line.startswith("{")]
    if not t.equal((done.returncode, len(answers)), (0, len(rows) + 3), "node-diameter connects, asks and disconnects"):
        t.note("\n".join(lines[-5:]))
        return
    cea, checks, without_p, dpa = answers[0], answers[1:-2], answers[-2], answers[-1]
    t.ok(cea["command"] == "Capabilities-Exchange" and ["Result-Code", "DIAMETER_SUCCESS"] in cea["body"],
         "its CER is answered", cea)
    t.ok(["Product-Name", "weir-gate"] in cea["body"] or any(n == "Product-Name" for n, _ in cea["body"]),
         "with what a CEA holds", cea)
    wrong = [(row, verdict(a)) for row, a in zip(rows, checks) if verdict(a) != row[3]]
    t.equal(wrong, [], "it reads the right verdict in %d answers" % len(rows))
    t.ok(all(a["flags"] == {"request": False, "proxiable": True, "error": False, "potentiallyRetransmitted": False}
             for a in checks), "flags are those of an answer")
    t.ok("3008" in verdict(without_p) or "INVALID_HDR_BITS" in verdict(without_p),
         "its ECR without the P bit is told so", without_p)
    t.ok(without_p["flags"]["error"], "with the E bit")
    t.ok(["Result-Code", "DIAMETER_SUCCESS"] in dpa["body"], "its DPR is answered", dpa)
    t.equal(w.gate.end(), 0, "the gate ends in order")


if __name__ == "__main__":
    rig.need("node", "npm", "ip")
    if not os.environ.get("RIG_NAMESPACE"):
        fetch()
    rig.in_namespace()
    rig.Rig("s13_node").run(body, 90)
