#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The section "Certificates" of doc/PEERS.md, as it stands there: its openssl lines make the certificates, its
configuration is weir-gate's, its lines for the MME's and the AMF's people are run, and freeDiameter with them.

Only the folders are others.
"""
import os
import re
import subprocess

import certs
import freediameter as fd
import rig
import weir

GATE, MME_ADDRESS = "10.0.0.30", "10.0.0.31"
EIR, MME = "eir.epc.mnc001.mcc001.3gppnetwork.org", "mme.epc.mnc001.mcc001.3gppnetwork.org"
REALM = EIR.partition(".")[2]


def blocks():
    """(what stands behind ```, text) of each fenced block of the section."""
    with open(os.path.join(rig.TOP_SRCDIR, "doc", "PEERS.md"), encoding="utf-8") as f:
        section = re.search(r"^## Certificates\n(.*?)^## ", f.read(), re.M | re.S).group(1)
    return re.findall(r"^```(\w*)\n(.*?)^```", section, re.M | re.S)


def shell(folder, lines):
    """(exit status of the first that fails or 0, all they said)"""
    path = "%s:%s" % (os.path.join(rig.TOP_BUILDDIR, "src"), os.environ["PATH"])
    return rig.command("bash", "-e", "-o", "pipefail", "-c", lines, cwd=folder, env=dict(os.environ, PATH=path))


class Recipe:
    """What freediameter.Node takes certificates from: those of the recipe."""

    def __init__(self, folder):
        self.folder = folder

    def make(self, name, names):
        return certs.Pair(os.path.join(self.folder, name + ".key"), os.path.join(self.folder, name + ".pem"), names)

    def ca(self):
        return os.path.join(self.folder, "ca.pem")


def gate_lines(config, folder):
    """The -C lines of a configuration text."""
    node, out = None, []
    for line in config.replace("/etc/weir", folder).splitlines():
        if line.startswith(" "):
            out.append("%s; %s" % (node, line.strip()))
        else:
            node = line
    return out


def ask(t, folder, lines):
    wanted = {"cat": "", "gnutls-cli": r"(?s)^- Status: The certificate is trusted.*Handshake was completed",
              "weir-sim": r"^001000010000015  unknown ", "curl": r'(?s)^< HTTP/2 404 .*"ERROR_EQUIPMENT_UNKNOWN"',
              "nghttp": r"(?s):status: 404.*ERROR_EQUIPMENT_UNKNOWN"}
    for line in lines.splitlines():
        program = line.split()[0]
        if rig.shutil.which(program) or program == "weir-sim":
            status, said = shell(folder, line)
            t.ok(status == 0 and re.search(wanted[program], said, re.M), program + " does what PEERS.md says", said)
        else:
            t.ok(True, "%s # SKIP it is not installed" % program)


def free_diameter(r, folder):
    if not os.path.exists(fd.FDX) or not rig.shutil.which("freeDiameterd"):
        r.tap.ok(True, "freeDiameter # SKIP it or weir_s13.fdx is not there")
        return
    rows = fd.questions(r.path("questions"), [("00100001000001", None, "001010000000001", "unknown")])
    work = "client questions=%s realm=%s window=1 rounds=3 linger=1" % (rows, REALM)
    mme = fd.Node(r, "mme", MME, [MME_ADDRESS], Recipe(folder), work, [(EIR, [GATE], fd.TLS_PORT, True)], realm=REALM)
    summary = mme.start().summary()
    r.tap.ok(summary.all_right(3), "freeDiameter asks over TLS with the MME's certificate", summary)


def body(r):
    t, folder = r.tap, r.path("tls")
    os.mkdir(folder)
    (_, make), (_, config), (_, asking) = blocks()[:3]
    t.ok(len(make.splitlines()) == 6, "the recipe has six lines", make)
    status, said = shell(folder, make)
    t.equal(status, 0, "it runs")
    for name in ("gate", "mme", "amf"):
        status, said = shell(folder, "openssl verify -x509_strict -purpose any -CAfile ca.pem %s.pem" % name)
        t.equal((status, said), (0, name + ".pem: OK\n"), "the authority has signed " + name)
    for address in (GATE, MME_ADDRESS):
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    w = weir.Weir(r, hlr=False)
    w.gate_lines += gate_lines(config, folder)
    w.start()
    ask(t, folder, asking)
    free_diameter(r, folder)
    t.equal(w.gate.end(), 0, "the gate ends in order")


if __name__ == "__main__":
    rig.need("openssl")
    rig.in_namespace()
    rig.Rig("tls_recipe").run(body, 90)
