# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""A real weir-keeper in a directory of its own, and ways to talk to it: well behaved, raw, slow."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import tap

BUILD = os.environ.get("TOP_BUILDDIR", ".")
SOURCE = os.environ.get("TOP_SRCDIR", ".")
KEEPER = os.path.join(BUILD, "src/weir-keeper")
WEIRCTL = os.path.join(BUILD, "src/weirctl")
BASE = 21000 + os.getpid() % 20000
PORTS = [f"line vty; bind 127.0.0.1 {BASE}", f"ctrl; bind 127.0.0.1 {BASE + 1}",
         f"admin; listen 127.0.0.1 {BASE + 2}"]


def enter_namespace(script):
    """Start again in namespaces of our own, where allowed: no port is ever taken, no mount is ever seen."""
    if os.environ.get("WEIR_IN_NAMESPACE"):
        return
    probe = subprocess.run(["unshare", "-nm", "ip", "link", "set", "lo", "up"], capture_output=True)
    if probe.returncode == 0:
        os.environ["WEIR_IN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-nm", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable,
                              os.path.abspath(script)] + sys.argv[1:])


class Connection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path, timeout=20):
        super().__init__("keeper", timeout=timeout)
        self.unix = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix)


class Answer:
    """Status, headers, text, and JSON where it is some."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()
        self.type = response.headers.get("Content-Type", "")
        is_json = self.type in ("application/json", "application/problem+json")
        self.json = json.loads(self.bytes) if is_json and self.bytes else None

    @property
    def text(self):
        return self.bytes.decode()

    @property
    def code(self):
        return self.json.get("code") if self.json else None


class Keeper:
    """Started in a new state directory; `with` ends it and fails when it did not end in order."""

    def __init__(self, *lines, state=None):
        self.own = state is None
        self.top = tempfile.mkdtemp(prefix="weir-api-") if self.own else os.path.dirname(state)
        self.state = state or os.path.join(self.top, "state")
        self.lines = [*PORTS, *lines]
        self.log_path = os.path.join(self.top, "log")
        self.process = None

    @property
    def socket(self):
        return os.path.join(self.state, "keeper.sock")

    def start(self):
        argv = [KEEPER, "-S", self.state, "-c", "/dev/null", "-s"]
        for line in self.lines:
            argv += ["-C", line]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": ""},
                                            preexec_fn=tap.die_with_parent)
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.get("/livez").status == 200:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None, "the keeper did not start:\n" + self.log()
            assert time.monotonic() < deadline, "the keeper does not answer:\n" + self.log()
            time.sleep(0.02)

    def stop(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the keeper does not end:\n" + self.log()) from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:  # the next test wants the ports
            self.kill()
            raise

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            status = self.stop()
        else:
            status = self.process.returncode
        log = self.log()
        if self.own:
            shutil.rmtree(self.top)
        if kind is None:
            assert status == 0, f"the keeper ended with {status}:\n{log}"
        else:
            print("# the keeper's log:\n# " + log.replace("\n", "\n# "))

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def ask(self, method, path, body=None, headers=None, timeout=20):
        connection = Connection(self.socket, timeout)
        try:
            if isinstance(body, dict):
                body = json.dumps(body)
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def put(self, path, body=None, **more):
        return self.ask("PUT", path, body, **more)

    def delete(self, path, **more):
        return self.ask("DELETE", path, **more)

    def check(self, imei, **query):
        query = urllib.parse.urlencode({"imei": imei, **query})
        answer = self.get("/v1/check?" + query)
        equal(answer.status, 200)
        return answer.json

    def colour(self, imei, **query):
        return self.check(imei, **query)["verdict"]["colour"]

    def serial(self):
        return self.get("/v1/status").json["ledger"]["serial"]

    def load(self, source, rows, query="", headers=None, **more):
        """Import text as CSV."""
        if isinstance(rows, str):
            rows = rows.encode()
        return self.ask("POST", f"/v1/sources/{source}/import{query}", rows, headers, **more)

    def raw(self, data=b"", timeout=5):
        """A connected socket, with something sent on it."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        end = time.monotonic() + timeout
        while True:
            try:
                sock.connect(self.socket)
                break
            except BlockingIOError:  # the queue of those who wait to be accepted is full
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        sock.sendall(data)
        return sock

    def exchange(self, data, timeout=5):
        """Send, then read until the other side closes or is silent."""
        with self.raw(data, timeout) as sock:
            return read_all(sock)

    def ctl(self, *args, stdin=None):
        """weirctl: exit status, standard output, standard error."""
        done = subprocess.run([WEIRCTL, "-S", self.state, *args], capture_output=True, text=True, input=stdin,
                              timeout=60)
        return done.returncode, done.stdout, done.stderr

    def verify(self):
        answer = self.ask("POST", "/v1/verify", timeout=120)
        equal(answer.status, 200)
        return answer.json


def vty(*commands):
    """What the VTY prints to these commands."""
    text = ""
    with socket.create_connection(("127.0.0.1", BASE), timeout=5) as sock:
        for command in ("", "terminal length 0", *commands):
            if command:
                sock.sendall(command.encode() + b"\r\n")
            piece = ""
            while not piece.endswith(("> ", "# ")):
                got = sock.recv(65536)
                assert got, "the VTY hung up"
                piece += got.decode(errors="replace")
            text += piece
    return text


def read_all(sock):
    got = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return got
            got += piece
    except (TimeoutError, ConnectionResetError):
        return got


def status_of(raw):
    """The status of the first answer in what came; 0 where the connection was closed without one."""
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.1 ") else 0


def equal(got, want):
    assert got == want, f"\n got {got!r}\nwant {want!r}"


def contains(text, part):
    assert part in text, f"\n{part!r} is not in\n{text!r}"


def luhn(digits):
    """The check digit of 14 digits, by the book (TS 23.003 annex B)."""
    total = 0
    for place, digit in enumerate(int(c) for c in digits):
        if place % 2:
            digit *= 2
        total += digit // 10 + digit % 10
    return str(-total % 10)


def imei(number):
    """A device by number, 15 digits with its check digit."""
    digits = f"{35209900000000 + number:014d}"
    return digits + luhn(digits)
