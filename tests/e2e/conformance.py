#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""A thousand devices asked over GSUP, S13 and N17, in every form of digits each of them knows, get one verdict.

What it must be is computed here, from how each device was listed, in ten lines that know nothing of src/.
"""
import json
import random
import subprocess

import diameter as d
import freediameter as fd
import gsup
import rig
import s13gate as s

DEVICES = 1000
IMSI, PAIRED = "001010000000001", "001010000000042"            # PAIRED is who pair rules name
BLACK_TAC, GREY_TAC = "00100050", "00100051"
N5G = ("127.0.0.1", 7777)


class Device:
    """kind says how it is listed; svn is what it presents where a form has one."""

    def __init__(self, imei, kind, svn):
        self.imei, self.kind, self.svn = imei, kind, svn

    def rows(self):
        listed = {"white": ["white"], "grey": ["grey"], "black": ["black"], "allowed": ["black"], "denied": ["white"]}
        rows = ["%s,,,,,%s,," % (self.imei, colour) for colour in listed.get(self.kind, [])]
        if self.kind == "version":
            rows.append("%s,07,,,,black,," % self.imei)
        if self.kind == "graver":                              # grey; black with this version
            rows += ["%s,,,,,grey,," % self.imei, "%s,07,,,,black,," % self.imei]
        if self.kind in ("allowed", "denied"):
            rows.append("%s,,,,,,%s,%s" % (self.imei, PAIRED, {"allowed": "allow", "denied": "deny"}[self.kind]))
        return rows

    def verdict(self, svn, imsi):
        if self.kind == "version":
            return "black" if svn == "07" else "unknown"
        if self.kind == "graver":
            return "black" if svn == "07" else "grey"
        if self.kind == "allowed":
            return "white" if imsi == PAIRED else "black"
        if self.kind == "denied":
            return "black" if imsi == PAIRED else "white"
        return {"tac": "black", "range": "grey", "none": "unknown"}.get(self.kind, self.kind)


def make_devices():
    """Serial numbers anywhere; kinds in turn."""
    rnd = random.Random(3)
    kinds = ("black", "none", "grey", "white", "version", "none", "graver", "allowed", "denied", "tac", "range", "none")
    devices, used = [], set()
    while len(devices) < DEVICES:
        kind = kinds[len(devices) % len(kinds)]
        tac = {"tac": BLACK_TAC, "range": GREY_TAC}.get(kind, "001000%02d" % rnd.randrange(10, 50))
        serial = rnd.randrange(1000 if kind == "range" else 1000000)
        imei = "%s%06d" % (tac, serial)
        if imei not in used:
            used.add(imei)
            devices.append(Device(imei, kind, rnd.choice(("07", "07", "42", "00"))))
    rnd.shuffle(devices)
    return devices


def fill(r, w, devices):
    rows = ["imei,svn,tac,from,to,list,imsi,pair"] + sum((device.rows() for device in devices), [])
    rows += [",,%s,,,black,," % BLACK_TAC, ",,,%s000000,%s000999,grey,," % (GREY_TAC, GREY_TAC)]
    with open(r.path("devices.csv"), "w") as f:
        f.write("\n".join(rows) + "\n")
    w.must("import", r.path("devices.csv"), "--source", "conformance")


def luhn(digits):
    total = sum(sum(divmod(int(c) * (2 if i % 2 else 1), 10)) for i, c in enumerate(digits))
    return str(-total % 10)


def questions(devices):
    """(device, svn or None, imsi): each presents itself with and without its version, to each of two subscribers."""
    for device in devices:
        for imsi in ((IMSI, PAIRED) if device.kind in ("allowed", "denied", "none") else (IMSI,)):
            for svn in (None, device.svn):
                yield device, svn, imsi


# --- the three ways to ask: {form: verdict} -------------------------------------------------------
def over_gsup(msc, device, svn, imsi):
    """GSUP knows accepted and refused only."""
    shown = {"14": device.imei, "15": device.imei + luhn(device.imei), "15 spare": device.imei + "0"} if svn is None \
        else {"16": device.imei + svn}
    return {form: msc.check(digits, imsi) for form, digits in shown.items()}


def over_s13(mme, device, svn, imsi):
    if svn is None:
        shown = {"14": (device.imei, None), "15": (device.imei + luhn(device.imei), None),
                 "15 spare": (device.imei + "0", None)}
    else:
        shown = {"14 and version": (device.imei, svn), "15 and version": (device.imei + luhn(device.imei), svn),
                 "16": (device.imei + svn, None), "16 and version": (device.imei + svn, svn)}
    return {form: mme.check(imei, version, imsi) for form, (imei, version) in shown.items()}


def paths_n5g(device, svn, imsi):
    """{form: path}; asked all together, since a client of HTTP/2 is a program of its own."""
    pei = {"imeisv": "imeisv-" + device.imei + svn} if svn else \
        {"imei": "imei-" + device.imei + luhn(device.imei), "imei spare": "imei-" + device.imei + "0"}
    return {form: "/n5g-eir-eic/v1/equipment-status?pei=%s&supi=imsi-%s" % (text, imsi) for form, text in pei.items()}


NODE = r"""
const http2 = require('http2');
const work = JSON.parse(require('fs').readFileSync(0));
const session = http2.connect(work.origin);
const answers = [];
let next = 0;
session.on('error', (error) => { console.log(JSON.stringify({ error: String(error) })); process.exit(1); });
function ask() {
	if (next === work.paths.length)
		return;
	const n = next++, request = session.request({ ':path': work.paths[n] });
	let text = '', status;
	request.on('response', (headers) => { status = headers[':status']; });
	request.on('data', (octets) => { text += octets; });
	request.on('end', () => {
		answers[n] = [status, text];
		if (answers.filter((a) => a).length === work.paths.length) {
			console.log(JSON.stringify(answers));
			session.close();
		} else
			ask();
	});
	request.end();
}
for (let i = 0; i < 16; i++)
	ask();
"""


def verdict_n5g(status, text):
    answer = json.loads(text)
    if status == 200:
        return {"WHITELISTED": "white", "BLACKLISTED": "black", "GREYLISTED": "grey"}.get(answer["status"], text)
    return "unknown" if status == 404 and answer.get("cause") == "ERROR_EQUIPMENT_UNKNOWN" else "%d %s" % (status, text)


def over_n5g(paths):
    work = {"origin": "http://%s:%d" % N5G, "paths": paths}
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(work).encode(), stdout=subprocess.PIPE, timeout=60,
                          check=False)
    return [verdict_n5g(*answer) for answer in json.loads(done.stdout)]


# --- the whole ------------------------------------------------------------------------------------
def compare(t, name, asked):
    """asked: [(device, svn, imsi, wanted, {form: found})]"""
    wrong, forms, n = [], set(), 0
    for device, svn, imsi, wanted, found in asked:
        forms |= set(found)
        n += len(found)
        wrong += ["%s with version %s of %s: %s in form %s, wanted %s" % (
            device.kind, svn, imsi[-2:], verdict, form, wanted) for form, verdict in found.items() if verdict != wanted]
    t.ok(not wrong, "%s: %d checks in the forms %s" % (name, n, ", ".join(sorted(forms))),
         "%d wrong: %s" % (len(wrong), "; ".join(wrong[:8])))


def body(r):
    t = r.tap
    fd.add_addresses()
    w = s.Weir(r)
    w.start_keeper()
    devices = make_devices()
    fill(r, w, devices)
    w.start_gate()
    s.gate_listens()
    all_ = list(questions(devices))
    verdicts = [device.verdict(svn, imsi) for device, svn, imsi in all_]
    t.equal(set(verdicts), {"white", "grey", "black", "unknown"}, "a thousand devices, every verdict among them")
    mme, msc = d.Mme((fd.GATE, fd.PORT)), gsup.Msc("MSC-conformance")
    asked = list(zip(all_, verdicts))
    compare(t, "S13", [(*q, v, over_s13(mme, *q)) for q, v in asked])
    compare(t, "GSUP", [(*q, "nack" if v == "black" else "ack", over_gsup(msc, *q)) for q, v in asked])
    if rig.shutil.which("node") is None:
        print("ok %d - N17 # SKIP node is not installed" % (t.n + 1), flush=True)
        t.n += 1
    else:
        paths = [paths_n5g(*q) for q, _ in asked]
        found = iter(over_n5g([path for forms in paths for path in forms.values()]))
        compare(t, "N17", [(*q, v, {form: next(found) for form in forms}) for (q, v), forms in zip(asked, paths)])
    for device, svn, imsi in all_[:12]:
        said = w.ctl("--json", "check", device.imei + (svn or ""), "--imsi", imsi, "--interface", "s13")[1]
        verdict = json.loads(said)["verdict"]["colour"]
        t.equal(verdict, device.verdict(svn, imsi), "weirctl check says of a %s device what the cores were told"
                % device.kind)
    t.equal(w.gate.end(), 0, "the gate ends in order")
    t.equal(w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("conformance").run(body, 150)
