#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The commands of weir-gate, seen from outside: what is configured is given back and reads again, what is wrong is told
with its line, every command has its help, and what is shown is there.

Runs in a network namespace of its own where it may make one; else on ports of its own.
"""

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.environ.get("TOP_SRCDIR", "."), "tests/e2e"))
import certs  # noqa: E402
import tap  # noqa: E402

GATE = os.path.join(os.environ.get("TOP_BUILDDIR", "."), "src/weir-gate")
EXAMPLE = os.path.join(os.environ.get("TOP_SRCDIR", "."), "doc/examples/weir-gate.cfg")
BASE = 20000 + os.getpid() % 20000
VTY, CTRL, ADMIN, GSUP, OTHER, S13, N5G = range(BASE, BASE + 7)
PORTS = ["-C", f"line vty; bind 127.0.0.1 {VTY}", "-C", f"ctrl; bind 127.0.0.1 {CTRL}",
         "-C", f"admin; listen 127.0.0.1 {ADMIN}"]
DIR = tempfile.TemporaryDirectory(prefix="weir-vty-gate-")
ENV = {**os.environ, "NOTIFY_SOCKET": ""}

# A public key of nobody's.
KEY = os.path.join(DIR.name, "nrf.pem")
with open(KEY, "w") as key_file:
    key_file.write("""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEz+MsS+wOvoUVb3mNY/j8UIVt21pk
0XJEk1JEDPfouaL2uUcn4q1mg432X3D29uiUqTr9QvzbtfPy4JmB1zuQPQ==
-----END PUBLIC KEY-----
""")

# An MME as a pool has it (TS 23.003 19.4.2.4), of 69 octets.
MMEGI = "topoff.vip1.a.mmec01.mmegi0001.mme.epc.mnc001.mcc001.3gppnetwork.org"

# Each setting of each node, at least once, none of them the default.
FULL = f"""traffic
 max-connections 77
 capacity 123456
gsup
 listen 127.0.0.1 {GSUP}
 listen 127.0.0.2 {GSUP}
 peer MSC-* address 127.0.0.0/8
 peer SGSN-1 address 10.1.2.3/32
 peer * address 2001:db8::/32
 hlr 127.0.0.9 4222
 hlr check-imei wait 250
s13
 origin-host eir.weir.example
 origin-realm weir.example
 realm epc.mnc001.mcc001.3gppnetwork.org
 realm example
 listen 127.0.0.1 {S13}
 peer mme* realm example address 127.0.0.0/8
 peer dra1.example address 10.0.0.0/8
 peer {MMEGI} realm epc.mnc001.mcc001.3gppnetwork.org address 10.0.0.0/8
 rate mme1.example limit 100 reserve 50
 rate mme* limit 1000
 rate {MMEGI} limit 1000
 agent dra1.example
 agent {MMEGI}
 watchdog 6
 connections-per-peer 16
 foreign limit 5
n5g
 listen 127.0.0.1 {N5G}
 peer amf* address 127.0.0.0/8
 rate amf* limit 10
 nf-instance-id 4947a69a-f61b-4bc1-b9da-47c9c5d14b64
 api-prefix /eir
 max-streams 7
 max-age 5
 client-certificate required
 response-time from arrival
 oauth2 required
 oauth2 issuer 0a1b2c3d-0000-4000-8000-00000000000f
 oauth2 key {KEY} nrf-1
nrf
 server http 127.0.0.9 7777
 server http ::1 7777 name nrf.example
 advertise http 127.0.0.1 7777
 advertise https 2001:db8::9 443
 fqdn eir.weir.example
 plmn 001 01
 plmn 001 001
 priority 7
 capacity 8
 heartbeat 9
 allowed-nf-types AMF SCP
 tls certificate a
 tls key b
 tls ca c
policy
 override grey
 special all-zero black
 special repeated refuse
 special counting white
 special test unknown
 imsi-prefix 00101 white
 imsi-prefix 001012 restrictive grey
 imsi-prefix 001012 default-unknown black
 imsi-prefix 26201 refuse
 imsi-prefix 26201 default-unknown white
 imsi-prefix 9 continue
 default peer refuse
 default malformed black
 default store-failure refuse
 default restrictive grey
 default unknown white
 interface gsup peer continue
 interface gsup malformed white
 interface gsup store-failure unknown
 interface gsup restrictive black
 interface gsup unknown grey
 interface s13 unknown black
 interface n5g malformed refuse
 interface map peer white
 peer gsup MSC-* peer black
 peer gsup MSC-* unknown white
 peer s13 mme.* store-failure black
 peer s13 {MMEGI} unknown white
"""


def write(name, text):
    path = os.path.join(DIR.name, name)
    with open(path, "w") as out:
        out.write(text)
    return path


def equal(got, want):
    assert got == want, f"\n got {got!r}\nwant {want!r}"


def contains(text, part):
    assert part in text, f"\n{part!r} is not in\n{text!r}"


def check(text):
    """weir-gate -t on this text: status and what it said."""
    done = subprocess.run([GATE, "-t", "-S", DIR.name, "-c", write("check.cfg", text)], capture_output=True, text=True,
                          timeout=30, env=ENV)
    return done.returncode, done.stderr


class Gate:
    """A running weir-gate and a telnet session with it."""

    def __init__(self, text):
        self.log = open(os.path.join(DIR.name, "gate.log"), "w+")
        self.path = write("run.cfg", text)
        self.process = subprocess.Popen([GATE, "-S", DIR.name, "-c", self.path, "-s"] + PORTS, env=ENV, stderr=self.log,
                                        stdout=self.log, preexec_fn=tap.die_with_parent)
        try:
            self.vty = self.connect(VTY)
            self.read()
        except BaseException:  # the next test wants the ports
            self.process.kill()
            self.process.wait()
            raise

    def connect(self, port):
        for _ in range(200):
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=10)
            except OSError:
                assert self.process.poll() is None, self.said()
                time.sleep(0.05)
        raise AssertionError("weir-gate does not listen\n" + self.said())

    def said(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()

    def read(self):
        """Up to the next prompt."""
        data = b""
        while not re.search(rb"weir-gate[^\r\n]*[>#] $", data):
            more = self.vty.recv(65536)
            assert more, "the VTY closed"
            data += more
        text = re.sub(rb"\xff[\xfb-\xfe].", b"", data).decode().replace("\r", "")
        return text[:text.rstrip("\n").rfind("\n") + 1]

    def ask(self, line):
        self.vty.sendall(line.encode() + b"\n")
        answer = self.read()
        return answer.partition("\n")[2]

    def ask_help(self, line):
        """What '?' behind this line offers; the line is then thrown away."""
        self.vty.sendall(line.encode() + b"?")
        time.sleep(0.05)
        self.vty.sendall(b"\x15")
        time.sleep(0.05)
        self.vty.settimeout(0.2)
        data = b""
        try:
            while True:
                data += self.vty.recv(65536)
        except socket.timeout:
            pass
        self.vty.settimeout(10)
        self.vty.sendall(b"\n")
        self.read()
        return data.decode(errors="replace").replace("\r", "")

    def configuration(self):
        """Our nodes of the running configuration."""
        text = self.ask("show running-config")
        blocks = re.split(r"^!\n", text, flags=re.M)
        return {b.split("\n", 1)[0]: b for b in blocks if b.split("\n", 1)[0] in
                ("traffic", "gsup", "s13", "n5g", "nrf", "policy")}

    def metrics(self):
        admin = self.connect(ADMIN)
        admin.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        page = b""
        while True:
            more = admin.recv(65536)
            if not more:
                return page.decode()
            page += more

    def reload(self):
        self.process.send_signal(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.vty.close()
        self.process.terminate()
        assert self.process.wait(20) == 0, self.said()


def in_order(text):
    """A configuration as {node: sorted lines}: the order of lines within our nodes means nothing."""
    nodes, node = {}, None
    for line in text.splitlines():
        if line and not line.startswith((" ", "!")):
            node = line
            nodes[node] = []
        elif line.startswith(" ") and not line.strip().startswith("!"):
            nodes[node].append(line.strip())
    return {name: sorted(lines) for name, lines in nodes.items()}


# --- the text

def test_the_example_is_good():
    with open(EXAMPLE) as f:
        status, said = check(f.read())
    equal(status, 0)
    assert not re.search(r":\d+:", said), said


def test_every_setting_is_given_back():
    text = FULL.replace(f" listen 127.0.0.2 {GSUP}\n", "").replace(" hlr 127.0.0.9", " hlr 127.0.0.1")
    with Gate(text) as gate:
        gate.ask("enable")
        given = "".join(gate.configuration().values())
        equal(in_order(given), in_order(text))


def test_what_is_given_back_reads_again_to_the_same():
    with Gate(FULL) as gate:
        gate.ask("enable")
        first = "".join(gate.configuration().values())
    equal(check(first)[0], 0)
    with Gate(first) as gate:
        gate.ask("enable")
        equal("".join(gate.configuration().values()), first)


def test_write_file_reads_again_to_the_same():
    with Gate(FULL) as gate:
        gate.ask("enable")
        first = gate.configuration()
        gate.ask("write file " + os.path.join(DIR.name, "written.cfg"))
    with open(os.path.join(DIR.name, "written.cfg")) as f:
        written = f.read()
    with Gate(written) as gate:
        gate.ask("enable")
        equal(gate.configuration(), first)


BAD = [
    ("gsup\n listen 127.0.0.1\n", 2, ""),
    ("gsup\n listen 127.0.0.1 0\n", 2, ""),
    ("gsup\n listen 127.0.0.1 65536\n", 2, ""),
    ("gsup\n listen localhost 4222\n", 2, ""),
    ("gsup\n peer A address 10.0.0.1/8\n", 2, "no bits set behind the length"),
    ("gsup\n peer A address 10.0.0.0/33\n", 2, "is no address prefix"),
    ("gsup\n peer A*B address 10.0.0.0/8\n", 2, "'*' may only be its last character"),
    ("gsup\n peer %s address 10.0.0.0/8\n" % ("A" * 256), 2, "1 to 255 are needed"),
    ("gsup\n no peer A address 10.0.0.0/8\n", 2, "there is no rule"),
    ("gsup\n hlr check-imei wait 99\n", 2, ""),
    ("gsup\n hlr check-imei wait 4001\n", 2, ""),
    ("gsup\n hlr check-imei sometimes\n", 2, ""),
    ("s13\n origin-host eir weir\n", 2, ""),
    ("s13\n origin-host eir/weir\n", 2, "is no Diameter name"),
    ("s13\n origin-realm %s\n" % ("a" * 256), 2, "is no Diameter name"),
    ("s13\n realm b@d\n", 2, "is no Diameter name"),
    ("s13\n" + "".join(f" realm r{i}\n" for i in range(17)), 18, "more than 16 realms"),
    ("s13\n no realm elsewhere\n", 2, "there is no 'realm elsewhere'"),
    ("s13\n agent a*b\n", 2, "'*' may only be its last character"),
    ("s13\n" + "".join(f" agent a{i}\n" for i in range(65)), 66, "more than 64 agents"),
    ("s13\n no agent dra\n", 2, "there is no 'agent dra'"),
    ("s13\n watchdog 5\n", 2, ""),
    ("s13\n watchdog 601\n", 2, ""),
    ("s13\n connections-per-peer 17\n", 2, ""),
    ("s13\n foreign limit 0\n", 2, ""),
    ("s13\n foreign allow\n", 2, ""),
    ("n5g\n nf-instance-id 4947a69a\n", 2, "is no UUID"),
    ("n5g\n nf-instance-id 4947a69a-f61b-4bc1-b9da-47c9c5d14b6x\n", 2, "is no UUID"),
    ("n5g\n api-prefix eir\n", 2, "is no prefix"),
    ("n5g\n api-prefix /eir/\n", 2, "is no prefix"),
    ("n5g\n api-prefix /%s\n" % ("a" * 128), 2, "is no prefix"),
    ("n5g\n max-streams 0\n", 2, ""),
    ("n5g\n max-streams 1001\n", 2, ""),
    ("n5g\n max-age 0\n", 2, ""),
    ("n5g\n client-certificate maybe\n", 2, ""),
    ("n5g\n response-time from birth\n", 2, ""),
    ("n5g\n listen sctp 127.0.0.1 7777\n", 2, ""),
    ("n5g\n peer amf realm r address 10.0.0.0/8\n", 2, ""),
    ("n5g\n oauth2 sometimes\n", 2, ""),
    ("n5g\n oauth2 issuer nobody\n", 2, "is no UUID"),
    ("n5g\n oauth2 key %s\n" % ("a" * 256), 2, "at most 255 characters"),
    ("n5g\n oauth2 key a %s\n" % ("k" * 64), 2, "at most 63 characters"),
    ("n5g\n" + "".join(f" oauth2 key k{i}\n" for i in range(9)), 10, "more than 8 keys"),
    ("n5g\n no oauth2 key a\n", 2, "there is no 'oauth2 key a'"),
    ("nrf\n server ftp 127.0.0.1 1\n", 2, ""),
    ("nrf\n server http nrf.example 1\n", 2, ""),
    ("nrf\n server https 127.0.0.1 443 name a..b\n", 2, "is no host name"),
    ("nrf\n" + "".join(f" server http 127.0.0.{i} 1\n" for i in range(1, 6)), 6, "more than 4 NRFs"),
    ("nrf\n no server http 127.0.0.1 1\n", 2, "there is no 'server http 127.0.0.1 1'"),
    ("nrf\n" + "".join(f" advertise http 127.0.0.{i} 1\n" for i in range(1, 10)), 10, "more than 8 addresses"),
    ("nrf\n no advertise http 127.0.0.1 1\n", 2, "there is no 'advertise http 127.0.0.1 1'"),
    ("nrf\n fqdn -\u00e4\n", 2, "is no host name"),
    ("nrf\n plmn 1 01\n", 2, "is no MCC"),
    ("nrf\n plmn 001 1\n", 2, "is no MNC"),
    ("nrf\n no plmn 001 01\n", 2, "there is no 'plmn 001 01'"),
    ("nrf\n heartbeat 0\n", 2, ""),
    ("nrf\n capacity 65536\n", 2, ""),
    ("nrf\n allowed-nf-types amf\n", 2, "is no NF type"),
    ("traffic\n max-connections 1\n", 2, ""),
    ("policy\n override purple\n", 2, ""),
    ("policy\n override refuse\n", 2, ""),
    ("policy\n special ordinary black\n", 2, ""),
    ("policy\n default store-failure grey\n", 2, ""),
    ("policy\n default unknown inherit\n", 2, ""),
    ("policy\n interface gsup restrictive white\n", 2, ""),
    ("policy\n interface sctp unknown white\n", 2, ""),
    ("policy\n peer gsup A*B unknown white\n", 2, "'*' may only be its last character"),
    ("policy\n imsi-prefix 0010x white\n", 2, "is no IMSI prefix"),
    ("policy\n imsi-prefix 0123456789012345 white\n", 2, "is no IMSI prefix"),
    ("policy\n imsi-prefix 00101 unknown white\n", 2, '"white" is too much'),
    ("policy\n no imsi-prefix 00101\n", 2, "there is no rule"),
    ("!\n!\ngsup\n!\n bogus\n", 5, ""),
]


def test_what_is_wrong_is_told_with_file_and_line():
    for text, line, sentence in BAD:
        status, said = check(text)
        assert status == 1, f"{text!r} was taken"
        contains(said, f"check.cfg:{line}: ")
        contains(said, sentence)


def test_every_node_is_told_to_who_misses_one():
    said = check("s12\n")[1]
    words = check("xyzzy\n")[1].strip().partition("right would be: ")[2].split(", ")
    assert {"traffic", "gsup", "s13", "n5g", "nrf", "policy", "admin", "ctrl"} <= set(words), words
    contains(said, '"s13" would be right')
    said = check("traffic\n xyzzy\n")[1]
    contains(said, "right would be: max-connections, capacity")


def test_s13_needs_a_name_to_listen():
    for name in ("", " origin-host eir.weir.example\n", " origin-realm weir.example\n"):
        status, said = check(f"s13\n{name} listen 127.0.0.1 3868\n")
        equal(status, 1)
        contains(said, "origin-host and origin-realm are needed")
    equal(check("s13\n origin-host EIR.weir.example\n origin-realm weir.example\n foreign refuse\n"
                " listen sctp 127.0.0.1 3868 127.0.0.2\n peer * address 127.0.0.0/8\n"), (0, ""))


def test_certificates_are_looked_at_before_a_port_is_touched():
    for interface, more in (("s13", " origin-host a.b\n origin-realm b\n"), ("n5g", "")):
        status, said = check(f"{interface}\n{more} listen tls 127.0.0.1 5868\n")
        equal(status, 1)
        contains(said, f"{interface}: TLS needs 'tls certificate FILE' and 'tls key FILE'")
        status, said = check(f"{interface}\n{more} listen tls 127.0.0.1 5868\n"
                             " tls certificate no.pem\n tls key no.key\n")
        equal(status, 1)
        contains(said, "no.pem")


def pki():
    """Certificates of this run; made once."""
    if not pki.made:
        pki.made = certs.Pki(os.path.join(DIR.name, "pki"))
    return pki.made


pki.made = None


def s13_tls(certificate, key, ca=None):
    return (f"s13\n origin-host eir.weir.test\n origin-realm weir.test\n peer * address 127.0.0.0/8\n"
            f" listen tls 127.0.0.1 5868\n tls certificate {certificate}\n tls key {key}\n tls ca {ca or pki().ca()}\n")


def test_files_of_tls_are_refused_with_the_file_and_why():
    gate, other = pki().make("gate", ["eir.weir.test"]), pki().make("other", ["eir.weir.test"])
    locked = pki().lock("gate")
    for certificate, key, ca, sentence in (
            ("/nonexist", gate.key, None, "s13: /nonexist: No such file or directory"),
            (gate.certificate, "/nonexist", None, "s13: /nonexist: No such file or directory"),
            (gate.certificate, DIR.name, None, f"s13: {DIR.name}: Is a directory"),
            (gate.certificate, gate.key, "/nonexist", "s13: /nonexist: No such file or directory"),
            (gate.certificate, gate.certificate, None, f"s13: no private key in {gate.certificate}"),
            (gate.key, gate.key, None, f"s13: no certificate in {gate.key}"),
            (gate.certificate, gate.key, gate.key, f"s13: no certificate in {gate.key}"),
            (gate.certificate, locked, None, f"s13: {locked}: the key has a passphrase; that is not supported"),
            (gate.certificate, other.key, None, f"s13: the key {other.key} is not that of {gate.certificate}")):
        status, said = check(s13_tls(certificate, key, ca))
        equal(status, 1)
        contains(said, sentence)


def test_our_own_certificate_is_judged():
    gate, named = pki().make("gate", ["eir.weir.test"]), pki().make("named", ["elsewhere.weir.test"])
    old = pki().make("old", ["eir.weir.test"], expired=True)
    soon = pki().make("soon", ["eir.weir.test"], days=7)
    equal(check(s13_tls(gate.certificate, gate.key)), (0, ""))
    for pair, sentence in ((named, f"s13: {named.certificate} does not carry eir.weir.test"),
                           (old, f"s13: {old.certificate} ended on 20"),
                           (soon, f"s13: {soon.certificate} ends on 20")):
        status, said = check(s13_tls(pair.certificate, pair.key))
        equal(status, 0)
        contains(said, "warning: " + sentence)
        equal(len(said.splitlines()), 1)
    n5g = (f"n5g\n peer * address 127.0.0.0/8\n listen tls 127.0.0.1 {N5G}\n tls certificate {old.certificate}\n"
           f" tls key {old.key}\n")
    contains(check(n5g)[1], f"warning: n5g: {old.certificate} ended on 20")
    contains(check(n5g + f"nrf\n server https 127.0.0.1 1 name nrf.weir.test\n tls ca {pki().ca()}\n"
                         f" tls certificate {soon.certificate}\n tls key {soon.key}\n fqdn weir.test\n")[1],
             f"warning: nrf: {soon.certificate} ends on 20")
    with Gate(s13_tls(gate.certificate, gate.key).replace("5868", str(S13))) as running:
        assert "ended on" not in running.said(), running.said()
        write("run.cfg", s13_tls(old.certificate, old.key).replace("5868", str(S13)))
        running.reload()
        for _ in range(100):
            if "ended on" in running.said():
                break
            time.sleep(0.05)
        contains(running.said(), f"s13: {old.certificate} ended on 20")


def test_what_is_good_and_yet_cannot_be_meant_is_told():
    peer = " peer * address 127.0.0.0/8\n"
    s13 = f"s13\n origin-host a.b\n origin-realm b\n listen 127.0.0.1 {S13}\n"
    nrf = "nrf\n server http 192.0.2.9 7777\n"
    for text, sentence in (
            (f"gsup\n listen 127.0.0.1 {GSUP}\n", "gsup listens and no 'peer' is allowed: everybody will be refused"),
            (s13, "s13 listens and no 'peer' is allowed: everybody will be refused"),
            (s13 + peer + " rate x limit 100 reserve 200\n",
             "s13: rate x: the reserve of 200 is above the limit of 100"),
            (f"n5g\n listen 127.0.0.1 {N5G}\n" + peer + nrf,
             f"nrf: http://192.0.2.9:7777 would be told that we are at http://127.0.0.1:{N5G}, which is its own "),
            ("n5g\n" + nrf + " advertise http ::1 80\n",
             "nrf: http://192.0.2.9:7777 would be told that we are at http://[::1]:80")):
        status, said = check(text)
        equal(status, 0)
        contains(said, "weir-gate: warning: " + sentence)
        equal(len(said.splitlines()), 1)
    equal(check(s13 + peer + " rate x limit 200 reserve 200\n rate y reserve 7\n"), (0, ""))
    equal(check(f"n5g\n listen 127.0.0.1 {N5G}\n{peer}nrf\n server http 127.0.0.9 7777\n"), (0, ""))
    equal(check(f"n5g\n listen 10.0.0.1 {N5G}\n{peer}{nrf}"), (0, ""))


def test_who_speaks_tls_in_the_wrong_place_is_told_apart():
    pair = pki().make("port", ["eir.weir.test"])
    config = (s13_tls(pair.certificate, pair.key).replace("5868", str(OTHER)) + f" listen 127.0.0.1 {S13}\n"
              f"n5g\n listen 127.0.0.1 {N5G}\n peer * address 127.0.0.0/8\nlog stderr\n logging level s13 info\n")
    with Gate(config) as gate:
        for port, octets, said in ((S13, b"\x16\3\1\2\0" + b"\1" * 60, "began with TLS on a port without it"),
                                   (N5G, b"\x16\3\1\2\0" + b"\1" * 60, "began with TLS on a port without it"),
                                   (OTHER, b"\1\0\0\x14" + b"\0" * 16, "speaks in clear on a TLS port")):
            before = gate.said().count(said)
            peer = gate.connect(port)
            peer.sendall(octets)
            try:
                while peer.recv(100):
                    pass
            except ConnectionResetError:
                pass
            peer.close()
            for _ in range(100):
                if gate.said().count(said) > before:
                    break
                time.sleep(0.05)
            equal(gate.said().count(said), before + 1)
        rejects = socket.create_connection(("127.0.0.1", OTHER), timeout=10)
        trust = ssl.create_default_context(cafile=pki().ca("other-ca"))
        try:
            trust.wrap_socket(rejects, server_hostname="eir.weir.test")
        except ssl.SSLError:
            pass
        for _ in range(100):
            if "the peer says" in gate.said():
                break
            time.sleep(0.05)
        assert re.search(r"DS13.* s13: 127.0.0.1:\d+: TLS failed: the peer says: ", gate.said()), gate.said()


def test_what_the_nrf_needs():
    server = "nrf\n server http 127.0.0.9 7777\n"
    rows = (
        ("n5g\n oauth2 required\n", "no key is given"),
        (server, "advertise http ADDRESS PORT"),
        ("n5g\n listen 0.0.0.0 7777\n" + server, "advertise http ADDRESS PORT"),
        (server + " server https 127.0.0.9 443\n advertise http 127.0.0.1 7777\n", "add 'name NAME'"),
        (server + " server https 127.0.0.9 443 name a\n advertise http 127.0.0.1 7777\n", "'tls ca FILE'"),
    )
    for text, sentence in rows:
        status, said = check(text)
        equal(status, 1)
        contains(said, sentence)
    equal(check("n5g\n listen 127.0.0.1 7777\n peer * address 127.0.0.0/8\n" + server), (0, ""))
    equal(check(server + " advertise http 127.0.0.1 7777\n"), (0, ""))


def test_the_nrf_is_shown():
    config = (f"n5g\n listen 127.0.0.1 {N5G}\nnrf\n server http 127.0.0.1 {OTHER}\n plmn 001 01\n plmn 001 001\n"
              " fqdn eir.weir.test\n advertise http 127.0.0.1 80\n advertise https ::1 443\n")
    with Gate(config) as gate:
        gate.ask("enable")
        for _ in range(100):
            shown = gate.ask("show nrf")
            if "in a row" in shown and "failures   0" not in shown:
                break
            time.sleep(0.05)
        contains(shown, "state      not registered, trying\n")
        contains(shown, "heartbeat  -\n")
        contains(shown, "told       http 127.0.0.1 80, https ::1 443, fqdn eir.weir.test, plmn 001-01, plmn 001-001\n")
        contains(shown, "the last: could not connect: Connection refused\n")
        contains(shown, f"nrf        http://127.0.0.1:{OTHER}")
        contains(shown, "last good  never")
        assert re.search(r"^failures   [1-9]\d* in a row, the last: ", shown, re.M), shown
        assert re.search(r"^instance   [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", shown, re.M), shown
        contains(gate.ask("show oauth2"), "tokens are off, 0 are remembered")
        assert "nf-instance-id" not in gate.configuration()["n5g"]
        write("run.cfg", "nrf\n bogus\n")
        gate.reload()  # which is refused, and gives back what is in force
        for _ in range(100):
            if "bogus" in gate.said():
                break
            time.sleep(0.05)
        assert "nf-instance-id" not in gate.configuration()["n5g"]
        contains(gate.configuration()["nrf"], f"server http 127.0.0.1 {OTHER}")
    with Gate(f"gsup\n listen 127.0.0.1 {GSUP}\nn5g\n nf-instance-id 4947A69A-F61B-4BC1-B9DA-47C9C5D14B64\n") as gate:
        contains(gate.ask("show nrf"), "state      off")
        gate.ask("enable")
        assert "nf-instance-id 4947a69a-f61b-4bc1-b9da-47c9c5d14b64" in gate.configuration()["n5g"]  # RFC 4122 3


def test_a_taken_port_is_told_and_ends_the_start():
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", OTHER))
    taken.listen()
    path = write("taken.cfg", f"gsup\n listen 127.0.0.1 {OTHER}\n")
    done = subprocess.run([GATE, "-S", DIR.name, "-c", path] + PORTS, capture_output=True, text=True, timeout=30,
                          env=ENV)
    taken.close()
    equal(done.returncode, 1)
    contains(done.stderr, f"127.0.0.1:{OTHER}")


# --- at the terminal

def test_every_command_has_help():
    with Gate(FULL) as gate:
        gate.ask("enable")
        offered = gate.ask_help("show ")
        for word in ("peers", "counters", "histogram", "register", "attached", "policy", "nrf", "oauth2"):
            assert re.search(rf"^\s+{word}\s+\S", offered, re.M), f"show {word} has no help:\n{offered}"
        contains(gate.ask_help("explain "), "A device")
        contains(gate.ask_help("explain imei "), "14 to 17 digits")
        gate.ask("configure terminal")
        for node, words in (("traffic", ["max-connections"]), ("gsup", ["listen", "peer", "hlr"]),
                            ("s13", ["listen", "peer", "rate", "tls", "origin-host", "origin-realm", "realm", "agent",
                                     "watchdog", "connections-per-peer", "foreign"]),
                            ("n5g", ["listen", "peer", "rate", "tls", "nf-instance-id", "api-prefix", "max-streams",
                                     "max-age", "client-certificate", "response-time", "oauth2"]),
                            ("nrf", ["server", "advertise", "fqdn", "plmn", "priority", "capacity", "heartbeat",
                                     "allowed-nf-types", "tls"]),
                            ("policy", ["override", "special", "default", "interface", "peer", "imsi-prefix"])):
            gate.ask(node)
            offered = gate.ask_help("")
            for word in words:
                assert re.search(rf"^\s+{word}\s+\S", offered, re.M), f"{node} {word} has no help:\n{offered}"
            gate.ask("exit")
        gate.ask("policy")
        for line in ("override ", "special ", "special all-zero ", "default ", "default peer ", "interface ",
                     "interface gsup ", "peer gsup ", "peer gsup X ", "peer gsup X unknown ", "imsi-prefix 1 ",
                     "imsi-prefix 1 default-unknown "):
            for row in gate.ask_help(line).splitlines():
                if re.match(r"  \S", row) and "<cr>" not in row:
                    assert re.match(r"  \S+\s+\S", row), f"{line}: no help for {row!r}"


def test_a_change_is_in_force_when_its_node_is_left():
    with Gate(f"gsup\n listen 127.0.0.1 {GSUP}\n peer * address 127.0.0.0/8\n") as gate:
        gate.ask("enable")
        contains(gate.ask("explain imei 490154203237518"), "verdict: white, decided by step 5 store")
        gate.ask("configure terminal")
        gate.ask("policy")
        gate.ask("override black")
        gate.ask("exit")
        gate.ask("end")
        contains(gate.ask("explain imei 490154203237518"), "verdict: black, decided by step 1 override")
        equal(gate.ask("show policy"), "policy\n override black\n")


def test_a_port_that_is_taken_leaves_what_was():
    with Gate(f"gsup\n listen 127.0.0.1 {GSUP}\n peer * address 127.0.0.0/8\n") as gate:
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", OTHER))
        taken.listen()
        gate.ask("enable")
        gate.ask("configure terminal")
        gate.ask("gsup")
        gate.ask(f"listen 127.0.0.1 {OTHER}")
        contains(gate.ask("exit"), "Not in force")
        taken.close()
        gate.connect(GSUP).close()


def test_a_mistake_is_not_saved_and_does_not_stay_in_the_way():
    text = (f"gsup\n listen 127.0.0.1 {GSUP}\n peer * address 127.0.0.0/8\n"
            "s13\n origin-host a.b\n origin-realm b\n")
    pending = ("not in force: s13: TLS needs 'tls certificate FILE' and 'tls key FILE'; "
               "'discard' drops what is pending\n")
    with Gate(text) as gate:
        gate.ask("enable")
        gate.ask("configure terminal")
        gate.ask("s13")
        gate.ask("listen tls 127.0.0.1 5868")
        contains(gate.ask("end"), "% N" + pending[1:])
        contains(gate.ask("write file"), "% Not saved: " + pending)
        contains(gate.ask("show running-config"), "Current configuration:\n!\n! " + pending)
        with open(gate.path) as kept:
            equal(kept.read(), text)
        gate.ask("configure terminal")
        gate.ask("policy")
        gate.ask("override black")
        contains(gate.ask("exit"), "% N" + pending[1:])
        gate.ask("s13")
        equal(gate.ask("discard"), "")
        gate.ask("exit")
        gate.ask("policy")
        gate.ask("override black")
        equal(gate.ask("end"), "")
        contains(gate.ask("show policy"), "override black")
        contains(gate.ask("write file"), "Configuration saved to")
        equal(gate.said().count("configuration changed at the terminal"), 1)
        with open(gate.path) as saved:
            equal(check(saved.read())[0], 0)


def test_a_reload_moves_the_listener_and_keeps_the_rest():
    with Gate(f"gsup\n listen 127.0.0.1 {GSUP}\n peer * address 127.0.0.0/8\n") as gate:
        peer = gate.connect(GSUP)
        peer.recv(100)
        write("run.cfg", f"gsup\n listen 127.0.0.1 {OTHER}\n peer * address 127.0.0.0/8\n")
        gate.reload()
        gate.connect(OTHER).close()
        peer.sendall(b"\x00\x01\xfe\x00")
        equal(peer.recv(100), b"\x00\x01\xfe\x01")
        peer.close()
        write("run.cfg", "gsup\n listen nowhere\n")
        gate.reload()
        gate.connect(OTHER).close()


# --- what is shown

def bcd(digits):
    digits += "f" * (len(digits) % 2)
    return bytes(int(digits[i + 1] + digits[i], 16) for i in range(0, len(digits), 2))


def check_request(imsi, imei):
    body = b"\x05\x30\x01" + bytes([len(bcd(imsi))]) + bcd(imsi) + b"\x50" + bytes([len(bcd(imei)) + 1, len(bcd(imei))])
    body += bcd(imei) + b"\x0a\x01\x01"
    return len(body).to_bytes(2, "big") + b"\xee" + body


def test_peers_counters_and_histogram_tell_what_happened():
    config = f"gsup\n listen 127.0.0.1 {GSUP}\n peer * address 127.0.0.0/8\npolicy\n imsi-prefix 00102 black\n"
    with Gate(config) as gate:
        peer = gate.connect(GSUP)
        peer.recv(100)
        peer.sendall(b"\x00\x0a\xfe\x05\x00\x07\x00MSC-1\x00"[:13])
        contains(str(peer.recv(100)), str(b"\x00\x01\xfe\x06")[2:-1])
        for imsi in ("001010000000001", "001020000000001", "001020000000002"):
            peer.sendall(check_request(imsi, "49015420323751"))
            peer.recv(100)
        shown = gate.ask("show peers")
        assert re.search(r"^ *\d+ gsup alone .* 3 .* 127.0.0.1:\d+ +MSC-1$", shown, re.M), shown
        contains(shown, "gsup: 1 connected, ")
        contains(shown, "s13: 0 connected, ")
        equal(len(re.findall(r"^  id", shown, re.M)), 1)
        equal(gate.ask("show peers s13"),
              "s13: 0 connected, 0 checks in the last second\ns13: 0 clients known by name\n")
        equal(gate.ask("show peers n5g"), "n5g: 0 connected, 0 checks in the last second\n")
        row = gate.ask("show counters").splitlines()[1].split()
        equal(row[:8], ["gsup", "3", "0", "0", "2", "0", "0", "0"])
        equal(row[8:10] + row[-1:], ["1", "0", "closes"])
        heads = gate.ask("show counters").splitlines()[0].split()
        equal(heads[:2] + heads[-1:], ["received", "white", "sum"])
        shown = gate.ask("show counters nonzero")
        assert re.search(r"^gsup +connected +1  peers that connected", shown, re.M), shown
        assert not re.search(r"^(s13|n5g|nrf|token|map) ", shown, re.M), shown
        assert not re.search(r"^\w+ +[a-z]\w* +0 ", shown, re.M), shown
        shown = gate.ask("show counters s13")
        assert re.search(r"^s13 +resent +0  checks that ", shown, re.M), shown
        assert not re.search(r"^(gsup|n5g|nrf|token|map) ", shown, re.M), shown
        assert not re.search(r"^(gsup|s13|n5g|map) ", gate.ask("show counters nrf"), re.M)
        assert not re.search(r"^map", gate.ask("show counters"), re.M)
        contains(gate.ask("show histogram"), "gsup: 3 checks")
        contains(gate.ask("show register"), "does not exist")
        contains(gate.ask("show attached"), "count")
        page = gate.metrics()
        contains(page, 'weir_gate_checks_received_total{interface="gsup"} 3\n')
        contains(page, 'weir_gate_checks_total{interface="gsup",tally="black"} 2\n')
        contains(page, "weir_gate_store_failed 1\n")
        contains(page, 'weir_gate_certificate_ends_seconds{interface="nrf"} 0\n')
        lone = re.findall(r"^# HELP \S+ (?:\d\d|of th).*", page, re.M)
        equal(lone, [])
        contains(page, 'weir_gate_check_seconds_count{interface="gsup"} 3\n')
        assert "490154" not in page and "00102000" not in page, "an identity in the metrics"
        assert "49015420323751" not in gate.said(), "an identity in the log"


def http2_check(name):
    """The octets of an HTTP/2 client that asks once; never mind for what."""
    headers = b"\x82\x86\x44" + bytes([len(name)]) + name.encode() + b"\x41\x01a"
    return (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" +
            len(headers).to_bytes(3, "big") + b"\1\5\0\0\0\1" + headers)


def test_limits_are_shown_with_the_peer():
    config = (f"n5g\n listen 127.0.0.1 {N5G}\n peer * address 127.0.0.0/8\n rate 127.* limit 100 reserve 7\n")
    with Gate(config) as gate:
        peer = gate.connect(N5G)
        peer.sendall(http2_check("/n5g-eir-eic/v1/equipment-status?pei=imei-001000000000009"))
        for _ in range(100):
            shown = gate.ask("show peers n5g")
            if " 100 " in shown:
                break
            time.sleep(0.05)
        assert re.search(r"^ *\d+ n5g  open .* 1 +100 +7 .* 127.0.0.1:\d+ +127.0.0.1$", shown, re.M), shown
        contains(shown.splitlines()[0], "limit   reserve")
        row = '{interface="n5g",peer="127.0.0.1"} %d\n'
        for name, value in (("checks_total", 1), ("shed_total", 0), ("up", 1)):
            contains(gate.metrics(), f"weir_gate_peer_{name}" + row % value)
        peer.close()
        for _ in range(100):
            page = gate.metrics()
            if "weir_gate_peer_up" + row % 0 in page:
                break
            time.sleep(0.05)
        contains(page, "weir_gate_peer_up" + row % 0)
        contains(page, "weir_gate_peer_checks_total" + row % 1)


def test_explain_reads_its_options_in_any_order():
    with Gate(FULL) as gate:
        for line, parts in (
                ("explain imei 35-209900-176148-1", ["imei 352099001761481", "imsi none, peer any", "interface gsup",
                                                      "interface s13", "interface n5g"]),
                ("explain imei 3520990017614823 peer MSC-1 imsi 001010000000001",
                 ["software version 23", "imsi 001010000000001, peer MSC-1"]),
                ("explain imei 35209900176148 interface s13 peer mme.1", ["peer mme.1", "interface s13"]),
                ("explain imei 35209900176148 peer MME.1 interface s13", ["peer MME.1", "interface s13"]),
                ("explain imei 35209900176148 peer " + "m" * 255, ["peer " + "m" * 255]),
                ("explain imei 12", ["imei has too few digits"]),
                ("explain imei 35209900176148 imsi", ["'imsi' needs a value"]),
                ("explain imei 35209900176148 imsi 12", ["'12' is no IMSI"]),
                ("explain imei 35209900176148 colour red", ["'colour' is not known here"]),
                ("explain imei 35209900176148 interface sctp", ["'sctp' is no interface"])):
            answer = gate.ask(line)
            for part in parts:
                contains(answer, part)


def test_explain_says_what_goes_over_the_wire():
    config = """policy
 imsi-prefix 00101 white
 imsi-prefix 00102 black
 imsi-prefix 00103 grey
 imsi-prefix 00105 refuse
 default store-failure refuse
 default malformed refuse
 peer s13 mme.* peer black
"""
    device = "explain imei 00100000000000"
    with Gate(config) as gate:
        for line, wire in (
                (device + " imsi 001010000000001", ("gsup: Check-IMEI Result, ACK",
                                                    "s13: 2001, Equipment-Status 0 (white)",
                                                    "n5g: 200 WHITELISTED")),
                (device + " imsi 001020000000001", ("gsup: Check-IMEI Result, NACK",
                                                    "s13: 2001, Equipment-Status 1 (black)", "n5g: 200 BLACKLISTED")),
                (device + " imsi 001030000000001", ("gsup: Check-IMEI Result, ACK",
                                                    "s13: 2001, Equipment-Status 2 (grey)",
                                                    "n5g: 200 GREYLISTED")),
                (device + " imsi 001050000000001", ("gsup: Check-IMEI Error, cause 17",
                                                    "s13: 5003 (authorization-rejected)", "n5g: 403 Forbidden")),
                (device, ("gsup: Check-IMEI Error, cause 17", "s13: 5012 (unable-to-comply)",
                          "n5g: 500 SYSTEM_FAILURE")),
                ("explain imei 12", ("gsup: Check-IMEI Error, cause 96", "s13: 5004 (invalid-avp-value)",
                                     "n5g: 400 MANDATORY_QUERY_PARAM_INCORRECT")),
                ("explain imei mac-00-00-5e-00-53-00", ("gsup: Check-IMEI Result, ACK", "s13: 5422 (equipment unknown)",
                                                        "n5g: 404 ERROR_EQUIPMENT_UNKNOWN"))):
            answer = gate.ask(line)
            for words in wire:
                assert re.search("^" + re.escape(words) + "$", answer, re.M), (line, words, answer)
            answer = gate.ask(line + " interface n5g")
            contains(answer, wire[2])
            assert "gsup" not in answer and "s13" not in answer, answer
        contains(gate.ask(device + " peer MME.1 interface s13"), "s13: 2001, Equipment-Status 1 (black)")
        contains(gate.ask("explain imei imei-001000000000009"), "imei 001000000000009")
        contains(gate.ask("explain imei imeisv-0010000000000023"), "software version 23")
        contains(gate.ask(device + " interface map"), "not spoken")


if __name__ == "__main__":
    tap.enter_namespace(DIR.cleanup)
    tap.run(globals())
