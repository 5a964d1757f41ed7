# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What the end-to-end tests stand on: TAP, programs that end with the test, telnet VTYs, a time limit on everything.

A test names what it needs, starts programs through a Rig and says ok(...) a number of times.  Whatever goes wrong in
between is one failed line with the last lines of every program's log, and every program is ended by its id.
"""
import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP_SRCDIR = os.environ.get("TOP_SRCDIR") or os.environ.get("RIG_TOP_SRCDIR") or os.path.dirname(os.path.dirname(HERE))
TOP_BUILDDIR = os.environ.get("TOP_BUILDDIR") or os.environ.get("RIG_TOP_BUILDDIR") or os.path.join(TOP_SRCDIR, "build")


def program(name):
    return os.path.join(TOP_BUILDDIR, "src", name)


def is_sanitized(name):
    with open(program(name), "rb") as f:
        return b"__asan_init" in f.read()


def example(name):
    return os.path.join(TOP_SRCDIR, "doc", "examples", name)


# --- TAP ------------------------------------------------------------------------------------------
class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def ok(self, condition, name, found=None):
        """One line; what was found instead is told where it failed."""
        self.n += 1
        self.failed += not condition
        print("%sok %d - %s" % ("" if condition else "not ", self.n, name), flush=True)
        if not condition and found is not None:
            self.note("found: %s" % (found,))
        return bool(condition)

    def equal(self, found, wanted, name):
        return self.ok(found == wanted, name, "%r, wanted %r" % (found, wanted))

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def finish(self):
        print("1..%d" % self.n, flush=True)
        sys.exit(1 if self.failed or not self.n else 0)


def skip_all(reason):
    print("1..0 # SKIP " + reason, flush=True)
    sys.exit(0)


def need(*programs):
    """Skip the whole test, with the reason, where a foreign program is missing; ours must be there."""
    for name in programs:
        if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            skip_all("%s is not installed" % name)


def time_limit(seconds):
    def over(_signal, _frame):
        raise TimeoutError("the test took longer than %d s" % seconds)
    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)


def in_namespace():
    """Run this script again in a network namespace of its own (loopback only): well-known ports are free there."""
    if os.environ.get("RIG_NAMESPACE"):
        return
    need("unshare", "ip")
    probe = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    if os.geteuid() != 0:
        probe[1:1] = ["-r"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        skip_all("no network namespace may be made here")
    os.environ["RIG_NAMESPACE"] = "1"
    again = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable] + sys.argv
    os.execvp("unshare", probe[:probe.index("ip")] + again)


def with_sctp(need_more):
    """Run this script again inside sctp-run, where there is SCTP; need_more() skips where more than that is missing."""
    if os.environ.get("SCTP_RUN_INSIDE") or os.environ.get("RIG_INSIDE"):
        return
    need("checksctp")
    need_more()
    os.environ.update(RIG_TOP_SRCDIR=TOP_SRCDIR, RIG_TOP_BUILDDIR=TOP_BUILDDIR, RIG_INSIDE="1")
    if subprocess.run(["checksctp"], capture_output=True, check=False).returncode:
        need("linux.uml", "insmod")
        if is_sanitized("weir-gate"):
            skip_all("no SCTP here, and AddressSanitizer does not run inside user-mode-linux; a plain build does")
    os.execv(HERE + "/sctp-run", ["sctp-run", "-t", "240", sys.executable] + sys.argv)


def until(condition, seconds=5.0, step=0.02):
    """The first true value of condition(), or its last value when the time is over."""
    stop = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > stop:
            return value
        time.sleep(step)


# --- programs -------------------------------------------------------------------------------------
def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)                 # PR_SET_PDEATHSIG: nothing outlives the test


class Running:
    """A program with its log.  end() in order, kill() at once; both wait for it."""

    def __init__(self, name, argv, log, **more):
        self.name, self.argv, self.log = name, argv, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            preexec_fn=die_with_parent, **more)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def said(self, pattern, seconds=5.0):
        """The match of pattern in the log, waited for; None where it never came."""
        return until(lambda: re.search(pattern, self.text(), re.M), seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, seconds=10):
        """SIGTERM; the exit status, or None where it had to be killed."""
        if self.alive():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Rig:
    def __init__(self, name):
        """Logs stay in the current directory, e2e-NAME.PROGRAM.log; state lives and ends in a temporary folder."""
        self.tap, self.name = Tap(), name
        for old in glob.glob("e2e-%s.*.log" % name):
            os.unlink(old)
        self.tmp = tempfile.mkdtemp(prefix="weir-%s." % name)
        self.running = []

    def path(self, name):
        return os.path.join(self.tmp, name)

    def start(self, name, *argv, **more):
        """Start a program; a second one of the same name writes on in the same log."""
        self.running = [r for r in self.running if r.name != name]
        one = Running(name, [str(a) for a in argv], os.path.abspath("e2e-%s.%s.log" % (self.name, name)), **more)
        self.running.append(one)
        return one

    def start_listening(self, name, address, *argv, seconds=10.0, **more):
        one = self.start(name, *argv, **more)
        if not until(lambda: listens(address) or not one.alive(), seconds, 0.05) or not one.alive():
            raise RuntimeError("%s does not listen on %s:%d" % ((name,) + address))
        return one

    def end_all(self):
        for one in reversed(self.running):
            one.end(3)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def run(self, body, seconds):
        """body(rig) under a time limit, then the plan.  Nothing that was started survives."""
        time_limit(seconds)
        try:
            body(self)
        except Exception as e:                                 # whatever it was, it is the test's result
            self.tap.ok(False, "the test ran to its end", "%s: %s" % (type(e).__name__, e))
            import traceback
            self.tap.note(traceback.format_exc())
        signal.alarm(0)
        if self.tap.failed:
            for one in self.running:
                self.tap.note("--- last lines of %s (%s)" % (one.log, "runs" if one.alive() else "ended"))
                self.tap.note("\n".join(one.text().splitlines()[-12:]))
        self.end_all()
        self.tap.finish()


def listens(address):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(address) == 0


def command(*argv, seconds=20, **more):
    """Run to its end; (status, all it said)."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds, check=False, **more)
    return done.returncode, done.stdout.decode(errors="replace")


# --- VTY ------------------------------------------------------------------------------------------
class Vty:
    """One telnet session with an Osmocom VTY."""

    def __init__(self, port, host="127.0.0.1", seconds=5):
        self.s = socket.create_connection((host, port), seconds)
        self.s.settimeout(seconds)
        self.read_prompt()
        self("enable")
        self("terminal length 0")

    def read_prompt(self):
        text = b""
        while not re.search(rb"(^|\n)[^\n]{1,40}[>#] $", text):
            octets = self.s.recv(65536)
            if not octets:
                break
            text += octets
        return re.sub(rb"\xff[\xfb-\xfe].", b"", text).decode(errors="replace").replace("\r", "")

    def __call__(self, line):
        """What the command said."""
        self.s.sendall(line.encode() + b"\n")
        said = self.read_prompt()
        return said[:said.rfind("\n")] if "\n" in said else ""

    def close(self):
        self.s.close()


def vty(port, *lines):
    """What the last of these commands said, in a session of their own."""
    session, said = Vty(port), ""
    try:
        for line in lines:
            said = session(line)
    finally:
        session.close()
    return said
