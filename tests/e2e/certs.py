# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Certificates for tests, made anew by openssl in a folder of the test's own.

    pki = Pki(r.path("tls"))                       # authorities "ca" and "other-ca"
    gate = pki.make("gate", ["eir.weir.test"])     # gate.key, gate.certificate, gate.names
    mme = pki.make("mme", ["mme.weir.test"])
    stranger = pki.make("stranger", ["mme.weir.test"], ca="other-ca")
    old = pki.make("old", ["mme.weir.test"], expired=True)
    pki.ca("ca"), pki.ca("other-ca")               # the authorities' own certificates

    soon = pki.make("soon", ["gate.weir.test"], days=7)
    locked = pki.lock("gate")                      # the file of its key, with a passphrase

One certificate serves both ends (serverAuth and clientAuth); an entry of names that is an address becomes an
iPAddress, any other a dNSName, and the first is the common name.  Needs openssl: rig.need("openssl").
"""
import collections
import ipaddress
import os
import subprocess
import time

Pair = collections.namedtuple("Pair", "key certificate names")

CONFIG = """
[ca]
default_ca = it
[it]
dir = .
database = index-%(ca)s
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = none
unique_subject = no
[any]
commonName = supplied
"""


def alternative(name):
    try:
        return "IP:%s" % ipaddress.ip_address(name)
    except ValueError:
        return "DNS:" + name


def moment(days):
    """A time so many days from now, as openssl ca wants it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 86400 * days))


class Pki:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.write("serial", "1000\n")
        for name in ("ca", "other-ca"):
            self.write("index-" + name, "")
            self.make_key(name)
            self.openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", "/CN=Weir test " + name, "-days", "90",
                         "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", name + ".pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def ca(self, name="ca"):
        return self.path(name + ".pem")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write(text)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl"] + list(arguments), cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        if done.returncode:
            raise RuntimeError("openssl %s: %s" % (" ".join(arguments), done.stdout.decode(errors="replace")))

    def make_key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name + ".key")

    def lock(self, name):
        self.openssl("pkcs8", "-topk8", "-in", name + ".key", "-passout", "pass:secret", "-out", name + "-locked.key")
        return self.path(name + "-locked.key")

    def make(self, name, names, ca="ca", expired=False, days=60):
        """A key and a certificate that ca signed, good for so many days or, where expired, until yesterday."""
        self.write(name + ".ext", "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                                  "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n"
                   % ",".join(alternative(n) for n in names))
        self.write(name + ".cnf", CONFIG % {"ca": ca})
        self.make_key(name)
        self.openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + names[0], "-out", name + ".csr")
        self.openssl("ca", "-batch", "-notext", "-config", name + ".cnf", "-cert", ca + ".pem", "-keyfile", ca + ".key",
                     "-extfile", name + ".ext", "-startdate", moment(-10), "-enddate", moment(-1 if expired else days),
                     "-in", name + ".csr", "-out", name + ".pem")
        return Pair(self.path(name + ".key"), self.path(name + ".pem"), list(names))
