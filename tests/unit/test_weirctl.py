#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""weirctl as people and scripts use it: what it prints, what it leaves behind, how it exits."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api_lib  # noqa: E402
import tap  # noqa: E402
from api_lib import Keeper, contains, equal, imei  # noqa: E402

OK, USAGE, REFUSED, UNREACHABLE, BLACK, GREY, FINDINGS, LOCAL = range(8)
A = "352099001761481"
IMSI = "001010000000001"


def run(*args, **more):
    done = subprocess.run([api_lib.WEIRCTL, *args], capture_output=True, text=True, timeout=30, **more)
    return done.returncode, done.stdout, done.stderr


def good(result, part=""):
    status, out, err = result
    equal((status, err), (OK, ""))
    contains(out, part)
    return out


def test_help_and_usage():
    contains(good(run("--help")), "exit status:\n  0  done")
    contains(good(run("import", "--help")), "--max-rejects N")
    good(run("--version"), "weirctl ")
    for args, part in ((("fly",), "no such verb: fly"), (("--fly",), "no such option"), (("-S",), "no such option"),
                       (("block",), "block: needs IMEI"), (("block", "1", "2"), "one word too many: 2"),
                       (("block", "1", "--colour", "x"), "no such option"),
                       (("block", "1", "--reason"), "value is missing"),
                       (("import", "x"), "--source NAME is needed"), (("tac", "paint", "35209900"), "put or remove"),
                       (("block", "1", "--force=yes"), "no such option"),
                       (("-S", "/" + "x" * 120, "status"), "longer than")):
        status, out, err = run(*args)
        equal((args, status, out), (args, USAGE, ""))
        contains(err, part)
    equal(run()[0], USAGE)


def test_no_keeper():
    with tempfile.TemporaryDirectory() as top:
        for args in (("status",), ("export",), ("verify",), ("import", "/dev/null", "--source", "x"), ("block", A)):
            status, out, err = run("-S", top, *args)
            equal((args, status, out), (args, UNREACHABLE, ""))
            contains(err, f"no keeper answers at {top}/keeper.sock")
        status, _, err = run("-S", top, "check", A)
        equal(status, UNREACHABLE)
        contains(err, "check asks the keeper")


def test_a_keeper_that_hangs_up():
    with tempfile.TemporaryDirectory() as top:
        server = socket.socket(socket.AF_UNIX)
        server.bind(top + "/keeper.sock")
        server.listen()

        def serve():
            for reply in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
                          b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nimei\n\r\n"):
                sock = server.accept()[0]
                sock.recv(65536)
                sock.sendall(reply)
                sock.close()
        thread = threading.Thread(target=serve)
        thread.start()
        for args in (("status",), ("status",), ("export", "-o", top + "/out.csv")):
            status, _, err = run("-S", top, *args)
            equal((args, status), (args, UNREACHABLE))
            contains(err, "hung up before its answer was whole")
        thread.join()
        equal(sorted(os.listdir(top)), ["keeper.sock"])  # no half file


def test_a_stream_without_end_ends_with_its_refusal():
    with Keeper() as keeper:
        status, _, err = keeper.ctl("import", "/dev/zero", "--source", "police")
        equal(status, REFUSED)
        contains(err, "[unreadable]")


def test_a_stopped_keeper_is_not_waited_for():
    with Keeper() as keeper:
        keeper.process.send_signal(signal.SIGSTOP)
        try:
            status, _, err = keeper.ctl("status")
        finally:
            keeper.process.send_signal(signal.SIGCONT)
        equal(status, UNREACHABLE)
        contains(err, "does not answer: nothing came in 30 s")


def test_an_answer_without_what_is_needed():
    with tempfile.TemporaryDirectory() as top:
        server = socket.socket(socket.AF_UNIX)
        server.bind(top + "/keeper.sock")
        server.listen()
        verbs = (("check", A), ("show", A), ("history", A), ("sources",), ("status",), ("source", "x"), ("block", A),
                 ("rebuild",), ("verify",), ("--json", "verify"), ("import", "/dev/null", "--source", "x"))

        def serve():
            for _ in verbs:
                sock = server.accept()[0]
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                sock.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for args in verbs:
            status, out, err = run("-S", top, *args)
            equal((args, status, out), (args, UNREACHABLE, ""))
            contains(err, "the keeper's answer cannot be understood")
        thread.join()


def test_block_check_unblock():
    with Keeper() as keeper:
        good(keeper.ctl("block", "35-209900-176148-1", "--reason", "stolen"),
             f"{A}: listed by local, in force (serial 2); own entries: unknown -> black\n")
        good(keeper.ctl("block", A, "--reason=stolen"), "nothing to change")
        status, out, err = keeper.ctl("check", A + "/23")
        equal((status, err), (BLACK, ""))
        contains(out, f"{A}  black (stolen)  decided at step 8, device\n")
        contains(out, "* ")
        good(keeper.ctl("show", A), "local   device  black  stolen")
        good(keeper.ctl("history", A), "put    local")
        good(keeper.ctl("unblock", A), "taken off by local, in force (serial 3); own entries: black -> unknown")
        good(keeper.ctl("unblock", A), "nothing to change")
        good(keeper.ctl("check", A), "unknown  decided at step 11, default")
        good(keeper.ctl("block", A, "--list", "grey"))
        equal(keeper.ctl("check", A)[0], GREY)
        equal(keeper.ctl("check", "123")[0], REFUSED)
        contains(keeper.ctl("block", A, "--source", "nobody")[2], "no source of that name")


def test_what_waits_for_the_register_is_not_in_force():
    with tempfile.TemporaryDirectory() as top:
        server = socket.socket(socket.AF_UNIX)
        server.bind(top + "/keeper.sock")
        server.listen()

        def serve():
            for changed in (True, False):
                body = json.dumps({"changed": changed, "in_force": False, "serial": 7, "before": "unknown",
                                   "after": "black", "others": 0, "entry": {"kind": "device"}, "imei": A})
                sock = server.accept()[0]
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 202 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                             % (len(body), body.encode()))
                sock.close()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        status, out, _ = run("-S", top, "block", A)
        equal((status, out), (OK, f"{A}: listed by local, recorded; in force when the register "
                                  "has caught up (serial 7); own entries: unknown -> black\n"))
        status, out, _ = run("-S", top, "block", A)
        equal(status, OK)
        contains(out, "nothing to change; recorded; in force when the register has caught up")
        thread.join()


def test_a_mistyped_number_is_corrected():
    with Keeper() as keeper:
        status, out, err = keeper.ctl("block", A[:14] + "7")
        equal((status, out), (REFUSED, ""))
        contains(err, f"the check digit 7 is wrong: {A} would be right")
        contains(err, f"give {A} if the rest is right")
        good(keeper.ctl("block", A[:14] + "7", "--force"), A)
        status, out, _ = keeper.ctl("--json", "block", A[:14] + "8")
        equal((status, json.loads(out)["correction"]), (REFUSED, A))


def test_pairs_ranges_tacs():
    with Keeper() as keeper:
        good(keeper.ctl("pair", "deny", A, IMSI, "--reason", "fraud"))
        equal(keeper.ctl("check", A, "--imsi", IMSI)[0], BLACK)
        equal(keeper.ctl("check", A)[0], OK)
        good(keeper.ctl("show", A), "with 001010000000001  deny")
        good(keeper.ctl("pair", "remove", A, IMSI))
        equal(keeper.ctl("check", A, "--imsi", IMSI)[0], OK)
        equal(keeper.ctl("pair", "marry", A, IMSI)[0], REFUSED)
        good(keeper.ctl("tac", "put", "35209900", "--list", "grey"))
        equal(keeper.ctl("check", A)[0], GREY)
        good(keeper.ctl("tac", "remove", "35209900"))
        good(keeper.ctl("range", "put", "35209900000000", "35209900999999"))
        equal(keeper.ctl("check", A)[0], BLACK)
        good(keeper.ctl("range", "remove", "35209900000000", "35209900999999"))
        equal(keeper.ctl("check", A)[0], OK)


def write(keeper, name, text):
    path = os.path.join(keeper.top, name)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    return path


def test_import_and_export():
    with Keeper() as keeper:
        rows = "".join(f"{imei(n)},black\n" for n in range(1000))
        path = write(keeper, "list.csv", "imei,list\n" + rows + "oops,black\n")
        out = good(keeper.ctl("import", path, "--source", "police", "--dry-run"))
        contains(out, "nothing was changed; it would be")
        equal(keeper.ctl("check", imei(5))[0], OK)
        out = good(keeper.ctl("import", path, "--source", "police"))
        contains(out, "source police: merge, in force (serial 3)\n  1000 rows taken of 1002 lines; 1 rejected")
        contains(out, "1002  imei    bad-character  oops")
        equal(keeper.ctl("check", imei(5))[0], BLACK)
        receipt = json.loads(good(keeper.ctl("--json", "import", path, "--source", "police")))
        equal((receipt["unchanged"], receipt["rejected"]), (1000, 1))
        status, out, err = keeper.ctl("import", path, "--source", "police", "--max-rejects", "0")
        equal(status, REFUSED)  # not one may be bad
        contains(out, "bad-character")
        contains(err, "[too-many-rejects]")
        status, out, err = keeper.ctl("import", write(keeper, "bad.csv", "colour\nred\n"), "--source", "police")
        equal(status, REFUSED)
        contains(err, "[unreadable]")
        one = f"imei\n{imei(5)}\n"
        good(keeper.ctl("import", "-", "--source", "police", "--mode", "take-off", stdin=one), "1 removed")
        copy = os.path.join(keeper.top, "copy.csv")
        good(keeper.ctl("export", "--source", "police", "-o", copy))
        with open(copy, encoding="ascii") as lines:
            equal(len(lines.readlines()), 1000)
        equal(good(keeper.ctl("export")), open(copy, encoding="ascii").read())
        good(keeper.ctl("import", copy, "--source", "copy"), "999 added")
        good(keeper.ctl("sources"), "police  999")
        equal(keeper.ctl("export", "--source", "nobody", "-o", copy + "2")[0], REFUSED)
        assert not os.path.exists(copy + "2") and not os.path.exists(copy + "2.part")
        equal(keeper.ctl("import", keeper.top + "/none.csv", "--source", "police")[0], LOCAL)
        equal(keeper.ctl("import", keeper.top, "--source", "police")[0], LOCAL)
        equal(keeper.ctl("export", "-o", keeper.top + "/none/x.csv")[0], LOCAL)
        status, _, err = keeper.ctl("import", path, "--source", "police", "--mode", "smash")
        equal(status, REFUSED)


def test_a_full_disk_at_the_export():
    with Keeper() as keeper:
        keeper.load("local", "imei\n" + "".join(imei(n) + "\n" for n in range(5000)))
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([api_lib.WEIRCTL, "-S", keeper.state, "export"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=30)
        equal(done.returncode, LOCAL)


def test_a_bar_on_a_terminal():
    with Keeper() as keeper:
        path = write(keeper, "list.csv", "imei\n" + "".join(imei(n) + "\n" for n in range(60000)))
        mother, child = pty.openpty()
        done = subprocess.Popen([api_lib.WEIRCTL, "-S", keeper.state, "import", path, "--source", "police"],
                                stdout=subprocess.PIPE, stderr=child, text=True,
                                preexec_fn=tap.die_with_parent)
        os.close(child)
        out = done.stdout.read()
        equal(done.wait(30), OK)
        drawn = b""
        try:
            while piece := os.read(mother, 65536):
                drawn += piece
        except OSError:
            pass
        done.stdout.close()
        os.close(mother)
        contains(out, "60000 added")
        contains(drawn, b"sending   [....")
        contains(drawn, b"[####")
        assert drawn.endswith(b" \r"), drawn  # and wiped away


def test_status_verify_rebuild():
    with Keeper() as keeper:
        good(keeper.ctl("status"), "register   serial 1, 0 behind")
        equal(json.loads(good(keeper.ctl("--json", "status")))["ready"], True)
        good(keeper.ctl("verify"), "clean: ledger and register are whole and agree")
        equal(json.loads(good(keeper.ctl("--json", "verify")))["clean"], True)
        good(keeper.ctl("rebuild"), "the register was made anew")
        good(keeper.ctl("source", "police"), "source police: made")
        good(keeper.ctl("source", "police"), "was there already")


if __name__ == "__main__":
    api_lib.enter_namespace(__file__)
    tap.run(globals())
