#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The keeper and the gate as two users, as the package runs them (contrib/systemd): the gate does its work, and a
broken gate, with all that its user may do, reaches neither the ledger nor who was seen nor the keeper's rights.

Without systemd: two throw-away uids with one group, and a state directory as StateDirectory makes it.  What the units
take away on top (mounts, system calls) is not looked at here.
"""
import os
import shutil
import stat
import traceback

import gsup
import rig
import weir

KEEPER, GATE, GROUP = 61701, 61702, 61703
ALICE, BOB = "001010000000001", "001010000000002"
FREE, LISTED, LATER = "00100001000001", "00100002000002", "00100003000003"


class Users(weir.Weir):
    """Weir, each daemon under its own uid, from copies of the programs that those can reach."""

    def __init__(self, r):
        super().__init__(r, hlr=False)
        os.chmod(r.tmp, 0o711)
        for name in ("weir-keeper", "weir-gate"):
            shutil.copy(rig.program(name), r.path(name))
            shutil.copy(rig.example(name + ".cfg"), r.path(name + ".cfg"))
        os.mkdir(self.state)
        os.chown(self.state, KEEPER, GROUP)
        os.chmod(self.state, 0o1770)

    def options(self, name, lines):
        uid = KEEPER if name == "weir-keeper" else GATE
        out = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % GROUP, "--clear-groups", "--no-new-privs",
               "--bounding-set=-all", "--pdeathsig=KILL", "sh", "-c", 'umask 0077; exec "$@"', "sh",
               self.r.path(name), "-S", self.state, "-c", self.r.path(name + ".cfg")]
        for line in lines:
            out += ["-C", line]
        return out

    def inside(self, name):
        return os.path.join(self.state, name)


def as_gate(action):
    """What action() returns, or the class of its error, done by a process with the gate's uid and group alone."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        rig.die_with_parent()
        said = "?"
        try:
            os.setgroups([])
            os.setresgid(GROUP, GROUP, GROUP)
            os.setresuid(GATE, GATE, GATE)
            said = str(action())
        except OSError as e:
            said = type(e).__name__
        except Exception:                                      # a mistake of the test's own: shown as such
            said = traceback.format_exc()
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def ask(path, method, target):
    """The status line's number from the keeper's socket."""
    import crash
    return crash.Api(path).ask(method, target)


def open_with(path, flags):
    os.close(os.open(path, flags))
    return "opened"


def mode_of(path):
    status = os.lstat(path)
    return "%o %d:%d" % (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


# --- scenes ---------------------------------------------------------------------------------------
def files(t, w):
    """What each file lets the group do."""
    register = os.path.realpath(w.inside("register"))
    for path, wanted, name in (
            (register, "750 %d:%d" % (KEEPER, GROUP), "the register may be entered by the group"),
            (register + "/data.mdb", "640 %d:%d" % (KEEPER, GROUP), "and read by it"),
            (register + "/lock.mdb", "660 %d:%d" % (KEEPER, GROUP), "and a reader may take a slot"),
            (w.inside("ledger"), "700 %d:%d" % (KEEPER, GROUP), "the ledger is the keeper's own"),
            (w.inside("ledger/data.mdb"), "600 %d:%d" % (KEEPER, GROUP), "with its file"),
            (w.inside("seen"), "700 %d:%d" % (KEEPER, GROUP), "so are the sightings"),
            (w.inside("keeper.lock"), "600 %d:%d" % (KEEPER, GROUP), "and the lock"),
            (w.inside("keeper.sock"), "660 %d:%d" % (KEEPER, GROUP), "the group may connect to the keeper"),
            (w.inside("keeper.sightings"), "660 %d:%d" % (KEEPER, GROUP), "and report sightings"),
            (w.inside("gate.orders"), "660 %d:%d" % (GATE, GROUP), "the gate's socket is the gate's")):
        t.equal(mode_of(path), wanted, name)


def works(t, w, msc):
    """Nothing is missing for the work of the two."""
    w.must("block", LISTED)
    t.equal(msc.check(LISTED, BOB), "nack", "the gate refuses what the keeper lists")
    t.equal(msc.check(FREE, ALICE), "ack", "and accepts the others")
    w.must("block", FREE)
    t.ok(msc.cancelled(ALICE), "who is blocked is thrown off: the keeper reaches the gate's socket")
    seen = rig.until(lambda: w.json("show", FREE)["seen"], 5, 0.1)
    t.equal(seen and seen[0]["imsi"], ALICE, "the gate's sightings reach the keeper")
    w.must("rebuild")
    w.must("block", LATER)
    t.equal(rig.until(lambda: msc.check(LATER, BOB) == "nack"), True, "the gate follows to a new generation")


def broken_gate(t, w):
    """What somebody can do who took the gate over."""
    sock, put = w.inside("keeper.sock"), "/v1/sources/local/devices/" + FREE
    t.equal(as_gate(lambda: ask(sock, "GET", "/livez")), "200", "its user reaches the keeper's socket")
    t.equal(as_gate(lambda: ask(sock, "PUT", put)), "403", "but may not list a device")
    t.equal(as_gate(lambda: ask(sock, "DELETE", put)), "403", "nor take one off")
    t.equal(as_gate(lambda: ask(sock, "GET", "/v1/export")), "403", "nor read the lists")
    register = os.path.realpath(w.inside("register"))
    for path, flags, name in (("ledger/data.mdb", os.O_RDONLY, "read the ledger"),
                              ("ledger/lock.mdb", os.O_RDWR, "hold the ledger's lock"),
                              ("seen/data.mdb", os.O_RDONLY, "read who was seen"),
                              ("keeper.lock", os.O_RDONLY, "hold the keeper's lock"),
                              (register + "/data.mdb", os.O_RDWR, "write the register")):
        t.equal(as_gate(lambda: open_with(w.inside(path), flags)), "PermissionError", "its user may not " + name)
    for name in ("register", "keeper.sock", "keeper.sightings", "keeper.lock"):
        t.equal(as_gate(lambda: os.unlink(w.inside(name))), "PermissionError", "nor remove %s" % name)
        t.equal(as_gate(lambda: os.rename(w.inside("gate.orders"), w.inside(name))), "PermissionError",
                "nor put its own in its place")
    for path in (w.inside("ledger"), w.inside("seen"), register):
        t.equal(as_gate(lambda: os.rename(path, w.inside("x"))), "PermissionError",
                "nor move %s away" % os.path.basename(path).split(".")[0])


def planted_names(t, w):
    """Names that the gate may make in the state directory lead the keeper nowhere when it tidies up."""
    current = os.path.realpath(w.inside("register"))
    number = int(current.rsplit(".", 1)[1])
    rest = "register.%d.new-abcdef" % (number + 1)
    as_gate(lambda: os.symlink("ledger", w.inside(rest)))
    t.ok(os.path.islink(w.inside(rest)), "a broken gate may make a name in the state directory")
    w.must("rebuild")
    t.equal(private(w), [True] * 4, "a link called like the rest of a new register leads a rebuild nowhere")
    for name, target in (("register.77", "ledger"), ("register.78", "seen")):
        as_gate(lambda: os.symlink(target, w.inside(name)))
    t.equal(w.keeper.end(), 0, "the keeper ends")
    w.start_keeper()
    t.equal(private(w), [True] * 4, "nor does one called like an old register lead a start anywhere")
    t.equal(len([n for n in os.listdir(w.state) if n.startswith("register.")]), 1, "and such links are removed")
    t.equal(w.ctl("check", LISTED)[0], 4, "what was listed is listed")


def private(w):
    return [os.path.exists(w.inside(d + "/" + f)) for d in ("ledger", "seen") for f in ("data.mdb", "lock.mdb")]


def comes_back(t, w):
    """A gate that was killed finds its own socket in the way and may replace it."""
    w.gate.kill()
    w.start_gate()
    msc = gsup.Msc("MSC-two")
    t.equal(msc.check(LISTED, BOB), "nack", "a killed gate comes back")
    t.equal(msc.check(LATER + "0", BOB), "nack", "with the lists as they are")
    msc.close()


def body(r):
    if as_gate(lambda: os.stat(r.tmp)) == "PermissionError":
        r.end_all()
        rig.skip_all("other users cannot pass through %s" % os.path.dirname(r.tmp))
    w = Users(r)
    w.start()
    msc = gsup.Msc("MSC-one")
    works(r.tap, w, msc)
    files(r.tap, w)
    broken_gate(r.tap, w)
    planted_names(r.tap, w)
    comes_back(r.tap, w)
    status, said = w.ctl("verify")
    r.tap.ok(status == 0, "ledger and register agree", said)
    r.tap.equal(w.gate.end(), 0, "the gate ends in order")
    r.tap.equal(w.keeper.end(), 0, "and so does the keeper")


if __name__ == "__main__":
    if os.geteuid() != 0:
        rig.skip_all("only root can be two users")
    rig.need("setpriv")
    rig.in_namespace()
    rig.Rig("users").run(body, 120)
