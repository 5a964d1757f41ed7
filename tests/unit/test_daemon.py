#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What both daemons stand on, seen from outside: the program pond has nothing but the daemon room.

Runs in a network namespace of its own where it may make one, so that no port is ever taken; else on ports of its own.
"""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tap  # noqa: E402

POND = os.path.join(os.environ.get("TOP_BUILDDIR", "."), "tests/unit/pond")
BASE = 20000 + os.getpid() % 20000
VTY, CTRL, ADMIN, OTHER = BASE, BASE + 1, BASE + 2, BASE + 3
PORTS = ["-C", f"line vty; bind 127.0.0.1 {VTY}", "-C", f"ctrl; bind 127.0.0.1 {CTRL}",
         "-C", f"admin; listen 127.0.0.1 {ADMIN}"]
DIR = tempfile.TemporaryDirectory(prefix="weir-daemon-")


def write(name, text):
    path = os.path.join(DIR.name, name)
    with open(path, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return path


def check(*args, config=None):
    """pond -t: status, standard output, standard error."""
    argv = [POND, "-t"]
    if config is not None:
        argv += ["-c", write("check.cfg", config)]
    done = subprocess.run(argv + list(args), capture_output=True, text=True, timeout=20,
                          env={**os.environ, "NOTIFY_SOCKET": ""})
    return done.returncode, done.stdout, done.stderr


def equal(got, want):
    assert got == want, f"\n got {got!r}\nwant {want!r}"


def contains(text, part):
    assert part in text, f"\n{part!r} is not in\n{text!r}"


def refused(config, where, sentence):
    """-t ends with 1 and says this at this line."""
    status, _, err = check(config=config)
    equal(status, 1)
    equal(err, f"{DIR.name}/check.cfg{where}: {sentence}\n")


def take_port(port):
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


class Pond:
    """A running pond."""

    def __init__(self, config="", *args, notify=False, ports=True, wait=True):
        self.config = write("pond.cfg", config)
        self.state = tempfile.mkdtemp(dir=DIR.name)
        env = dict(os.environ)
        env.pop("NOTIFY_SOCKET", None)
        self.notify = None
        if notify:
            path = os.path.join(self.state, "notify")
            self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.notify.bind(path)
            self.notify.settimeout(5)
            env["NOTIFY_SOCKET"] = path
            env["WATCHDOG_USEC"] = "600000"
        self.errors = open(os.path.join(self.state, "stderr"), "w+b")
        self.output = open(os.path.join(self.state, "stdout"), "w+b")
        argv = [POND, "-c", self.config, "-S", self.state] + (PORTS if ports else []) + list(args)
        self.process = subprocess.Popen(argv, stdout=self.output, stderr=self.errors, env=env,
                                        preexec_fn=tap.die_with_parent)
        try:
            if wait:
                self.wait_for("ready\n")
        except BaseException:  # the next test wants the ports
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors.close()
        self.output.close()
        if self.notify:
            self.notify.close()

    def log(self):
        with open(self.errors.name, "rb") as log:
            return log.read().decode(errors="replace")

    def wait_for(self, text, seconds=20, after=0):
        """Until the log says it, after its first so many characters."""
        end = time.monotonic() + seconds
        while text not in self.log()[after:]:
            assert time.monotonic() < end, f"no {text!r} in {self.log()!r}"
            assert self.process.poll() is None or text in self.log()[after:], f"ended: {self.log()!r}"
            time.sleep(0.02)

    def reload(self, config, wait):
        before = len(self.log())
        write("pond.cfg", config)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(wait, after=before)

    def stop(self, want=0):
        self.process.send_signal(signal.SIGTERM)
        equal((self.process.wait(timeout=15), self.log() if self.process.returncode != want else ""), (want, ""))

    def vty(self, *commands):
        """Answers of the shell to these commands, as one text."""
        with socket.create_connection(("127.0.0.1", VTY), timeout=5) as shell:
            text = until_prompt(shell)
            for command in commands:
                shell.sendall(command.encode() + b"\r\n")
                text += until_prompt(shell)
        return text


def until_prompt(shell):
    data = b""
    while not re.search(rb"\npond[^\n]*[>#] $|^pond[^\n]*[>#] $|pond\([a-z-]+\)# $|pond[>#] $", data):
        part = shell.recv(4096)
        if not part:
            break
        data += part
    return data.decode(errors="replace")


def http(request, port=None, timeout=8):
    """Send octets, read until the end: status line's number, headers, body."""
    with socket.create_connection(("127.0.0.1", port or ADMIN), timeout=timeout) as peer:
        peer.sendall(request)
        data = b""
        while True:
            part = peer.recv(65536)
            if not part:
                break
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    equal(int(fields["Content-Length"]), len(body))
    equal(fields["Connection"], "close")
    return int(lines[0].split()[1]), fields, body.decode()


def get(path, port=None):
    return http(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), port)


# Options


def test_help_names_every_option():
    done = subprocess.run([POND, "-h"], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0)
    for option in "-c -C -S -t -d -e -s -T -X -V -h".split():
        contains(done.stdout, f"  {option}, --")
    assert re.search(r"--config-file FILE +configuration \(default /\S+/weir/pond\.cfg\)\n", done.stdout), done.stdout


def test_version():
    done = subprocess.run([POND, "-V"], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0)
    assert re.match(r"pond \d+\.\d+\.\d+\n.*AGPL", done.stdout, re.S), done.stdout


def test_wrong_command_lines_end_with_2():
    for args in (["-Z"], ["word"], ["-c"], ["-e", "9"], ["-e", "x"], ["-c", ""], ["-S", "x" * 300],
                 ["-C", "a"] * 65):
        done = subprocess.run([POND] + args, capture_output=True, text=True, timeout=20)
        equal((done.returncode, done.stdout), (2, ""))
        contains(done.stderr, "-h lists the options")


def test_command_reference_is_xml():
    import xml.etree.ElementTree as tree
    done = subprocess.run([POND, "-X"], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0)
    commands = tree.fromstring(done.stdout.split("pond: ended")[0])
    ids = {command.get("id") for command in commands.iter() if command.get("id")}
    assert "depth <1-100>" in ids and "listen A.B.C.D <1-65535>" in ids, ids


# Configuration


def test_good_configuration():
    status, out, err = check(config="! a comment\n\npond\n depth 5\n inlet north\n  flow fast\n name x\n"
                                    "line vty\n no login\n")
    equal((status, err), (0, ""))
    contains(out, "pond: the configuration is good\n")


def test_check_touches_nothing():
    state = tempfile.mkdtemp(dir=DIR.name)
    with take_port(0) as taken:
        status, _, err = check("-S", state, "-C", f"admin; listen 127.0.0.1 {taken.getsockname()[1]}", config="pond\n")
    equal((status, err), (0, ""))
    equal(os.listdir(state), [])


def test_file_that_is_not_there():
    status, _, err = check("-c", "/nonexistent/x.cfg")
    equal((status, err), (1, "/nonexistent/x.cfg: cannot be opened: No such file or directory; -c names the file\n"))
    status, _, err = check("-c", DIR.name)
    equal((status, err), (1, f"{DIR.name}: cannot be read further: Is a directory\n"))


def test_mistyped_word():
    refused("pond\n depth 4\n!\n dpeth 5\n", ":4", '"dpeth" is not known in node pond; "depth" would be right')


def test_mistyped_node():
    refused("\n\nponds\n depth 5\n", ":3", '"ponds" is not known at the top level; "pond" would be right')


def test_abbreviation():
    refused("pond\n dep 5\n", ":2", '"dep" is not known in node pond; "depth" would be right')


def test_unlike_anything():
    status, _, err = check(config="pond\n xyzzy 5\n")
    equal(status, 1)
    equal(err.partition(": ")[2], '"xyzzy" is not known in node pond; right would be: '
          "depth, name, limit, slow-end, inlet\n")
    for typed in ("lst", "discrad", "ext", "writ"):
        err = check(config=f"pond\n {typed} 5\n")[2]
        assert not re.search(r"\b(list|discard|exit|write|show|help)\b", err.partition("right")[2]), err


def test_top_level_is_told_whole():
    err = check(config="xyzzy 5\n")[2]
    contains(err, '"xyzzy" is not known at the top level; right would be: ')
    words = err.strip().partition("right would be: ")[2].split(", ")
    assert {"admin", "ctrl", "line", "log", "pond", "stats"} <= set(words), err
    assert not {"show", "write", "list", "exit", "end", "help", "discard"} & set(words), err


def test_value_outside_its_range():
    refused("pond\n depth 500\n", ":2", '"500" cannot follow "depth"; right would be: <1-100> (in cm)')


def test_wrong_choice():
    refused("pond\n inlet a\n  flow fats\n", ":3", '"fats" cannot follow "flow"; "fast" would be right')
    refused("pond\n inlet a\n  flow quickly\n", ":3",
            '"quickly" cannot follow "flow"; right would be: slow (Slowly), fast (Fast)')


def test_wrong_address():
    refused("admin\n listen localhost 80\n", ":2",
            '"localhost" cannot follow "listen"; right would be: A.B.C.D (Local address, on loopback)')
    refused("admin\n listen 127.0.0.1 0\n", ":2",
            '"0" cannot follow "listen 127.0.0.1"; right would be: <1-65535> (TCP port)')


def test_too_few_words():
    refused("pond\n depth\n", ":2", '"depth" is not complete; what follows would be: <1-100> (in cm)')
    refused("pond\n inlet a\n  flow\n", ":3",
            '"flow" is not complete; what follows would be: slow (Slowly), fast (Fast)')


def test_too_many_words():
    refused("pond\n depth 5 6\n", ":2", '"6" is too much; the line would be right if it ended after "depth 5"')


def test_right_word_at_the_wrong_depth():
    refused("pond\n inlet a\n  depth 5\n", ":3",
            '"depth" is not known in node inlet; with less indentation it would be right, in node pond')


def test_indentation():
    refused(" pond\ndepth 5\n", ":1", "the first line is indented; it must begin in the first column")
    refused("pond\n depth 5\n   name x\n", ":3", '"name x" is indented unlike the lines above; the column of the line '
            "above would be right, and one space more only below a line that opens a node")
    refused("pond\n\tdepth 5\n name x\n", ":3", '"name x" is indented unlike the lines above; the column of the line '
            "above would be right, and one space more only below a line that opens a node")


def test_command_refuses_in_its_own_words():
    refused("pond\n name " + "x" * 32 + "\n", ":2",
            f'the name "{"x" * 32}" is too long; 31 letters are enough')
    refused("admin\n listen 10.0.0.1 80\n", ":2",
            "10.0.0.1 is not on loopback, and this port has neither login nor encryption; 127.0.0.1 would be right")


def test_text_refused_as_a_whole():
    refused("pond\n depth 50\n limit 40\n", "", "depth 50 is beyond limit 40")


def test_words_for_the_terminal():
    for words in ("write file", "write", "show running-config", "list", "help", "end", "exit", "discard"):
        status, _, err = check(config=f"pond\n {words}\n")
        equal(status, 1)
        contains(err, f'check.cfg:2: "{words}" is for the terminal, not for a configuration; leave the line out')


def test_long_lines():
    equal(check(config="pond\n ! " + "x" * 497 + "\n depth 5\n")[0], 0)
    refused("pond\n name " + "x" * 600 + "\n", ":2", "the line has 606 characters; at most 500 are read")


def test_binary_rubbish():
    refused(b"pond\n depth\0 5\n", ":2", "the line holds a NUL; plain text would be right")
    for seed in range(40):
        rubbish = bytes((seed * 7919 + i * 31 + i * i * seed) % 256 for i in range(1, 300))
        status, _, err = check(config=rubbish)
        assert status in (0, 1), (status, err)
        assert status == 0 or re.match(r".*check.cfg:\d+: ", err), err


def test_dos_line_ends_and_no_last_line_end():
    equal(check(config="pond\r\n depth 5\r\n\r\nadmin\r\n no listen")[0], 0)


def test_option_lines():
    equal(check("-C", "pond; depth 5", "-C", "pond; inlet a; flow fast", config="")[0], 0)
    equal(check("-C", " pond ;  depth 5 ", config="")[0], 0)


def test_option_lines_are_named():
    status, _, err = check("-C", "pond; depth 5", "-C", "pond; dept 6", config="")
    equal((status, err), (1, '-C 2: "dept" is not known in node pond; "depth" would be right\n'))
    equal(check("-C", "pond;; depth 5", config="")[2], "-C 1: a part is empty; 'node; line' would be right\n")
    equal(check("-C", "", config="")[2], "-C 1: a part is empty; 'node; line' would be right\n")
    equal(check("-C", "pond; depth 5; name x", config="")[2],
          "-C 1: nothing can follow with ';' before \"name x\", it opens no node; another -C would be right\n")
    equal(check("-C", "pond\n depth 5", config="")[2],
          "-C 1: there is a line end in it; use ';' to go one node deeper, another -C for another line\n")


def test_option_lines_after_a_file_that_ends_in_a_node():
    equal(check("-C", "pond; name y", config="pond\n inlet a\n  flow fast")[0], 0)


# Life


def test_ends_in_order():
    with Pond() as pond:
        assert os.path.exists(os.path.join(pond.state, "pond"))
        pond.stop()
        contains(pond.log(), "ending on SIGTERM")
        with open(pond.output.name) as out:
            contains(out.read(), "pond: ended")


def test_interrupt_ends_too():
    with Pond() as pond:
        pond.process.send_signal(signal.SIGINT)
        equal(pond.process.wait(timeout=10), 0)


def test_an_end_that_takes_a_while():
    with Pond("pond\n slow-end 700\n") as pond:
        begun = time.monotonic()
        pond.process.send_signal(signal.SIGTERM)
        pond.wait_for("ending on SIGTERM")
        equal(get("/livez")[0], 200)
        status, _, body = get("/readyz")
        equal((status, body), (503, "not ready: stopping\n"))
        equal(pond.process.wait(timeout=10), 0)
        assert time.monotonic() - begun >= 0.7


def test_ends_with_shells_and_pages_open():
    with Pond() as pond:
        with socket.create_connection(("127.0.0.1", VTY), timeout=5) as shell, \
                socket.create_connection(("127.0.0.1", VTY), timeout=5) as editor, \
                socket.create_connection(("127.0.0.1", ADMIN), timeout=5) as page:
            until_prompt(shell)
            until_prompt(editor)
            for command in ("enable", "logging enable", "configure terminal", "pond", "depth 3"):
                editor.sendall(command.encode() + b"\r\n")
                until_prompt(editor)
            page.sendall(b"GET /livez HT")
            pond.stop()


def test_second_signal_ends_at_once():
    with Pond("pond\n slow-end 60000\n") as pond:
        pond.process.send_signal(signal.SIGTERM)
        pond.wait_for("ending on SIGTERM")
        pond.stop()


def test_an_end_that_takes_too_long():
    with Pond("pond\n slow-end 60000\n") as pond:
        pond.stop(want=1)
        contains(pond.log(), "no orderly end within 10 s")


def test_taken_ports_are_said():
    for port, words in ((VTY, "line vty, bind"), (CTRL, "ctrl, bind"), (ADMIN, "admin listen")):
        with take_port(port):
            with Pond(wait=False) as pond:
                equal(pond.process.wait(timeout=10), 1)
                contains(pond.log(), f"pond: cannot start: {words}")


def test_state_that_cannot_be_written():
    with Pond("", "-S", "/nonexistent", wait=False) as pond:
        equal(pond.process.wait(timeout=10), 1)
        contains(pond.log(), "pond: cannot start: /nonexistent/pond cannot be written\n")


def test_reload():
    with Pond("pond\n depth 5\n") as pond:
        contains(pond.vty("show pond"), "depth 5 name unnamed")
        pond.reload("pond\n name new\n", "configuration reloaded")
        contains(pond.vty("show pond"), "depth 10 name new")


def test_reload_of_a_wrong_text_keeps_what_was():
    with Pond("pond\n depth 5\n name old\n") as pond:
        pond.reload("pond\n depth 6\n anme new\n", "not reloaded, all stays as it was")
        contains(pond.log(), 'pond.cfg:3: "anme" is not known in node pond; "name" would be right')
        contains(pond.vty("show pond"), "depth 5 name old")
        pond.reload("pond\n depth 99\n", "depth 99 is beyond limit 90")
        contains(pond.vty("show pond"), "depth 5 name old")
        contains(pond.vty("enable", "show running-config"), " depth 5\r\n name old\r\n")
        equal(get("/livez")[0], 200)
        pond.reload("pond\n depth 7\n", "configuration reloaded")
        contains(pond.vty("show pond"), "depth 7 name unnamed")
        pond.stop()


def test_reload_moves_the_admin_port():
    ports = PORTS[:4]
    with Pond(f"admin\n listen 127.0.0.1 {ADMIN}\n", *ports, ports=False) as pond:
        equal(get("/livez")[0], 200)
        pond.reload(f"admin\n listen 127.0.0.1 {OTHER}\n", "configuration reloaded")
        equal(get("/livez", OTHER)[0], 200)
        try:
            get("/livez")
            raise AssertionError("the old port still answers")
        except ConnectionRefusedError:
            pass
        with take_port(ADMIN):
            pond.reload(f"admin\n listen 127.0.0.1 {ADMIN}\n", "not reloaded, all stays as it was")
            contains(pond.log(), "pond.cfg: admin listen")
            equal(get("/livez", OTHER)[0], 200)
        pond.reload("admin\n no listen\n", "configuration reloaded")
        try:
            get("/livez", OTHER)
            raise AssertionError("a port that is off still answers")
        except ConnectionRefusedError:
            pass
        pond.stop()


def test_memory_report():
    with Pond() as pond:
        pond.process.send_signal(signal.SIGUSR1)
        pond.wait_for("vty_command")
        pond.stop()


def test_service_manager_is_told():
    def message(pond, begin):
        while True:
            text = pond.notify.recv(4096).decode()
            if text.startswith(begin):
                return text

    with Pond("pond\n slow-end 300\n", notify=True) as pond:
        equal(message(pond, "STATUS"), "STATUS=ready")
        message(pond, "WATCHDOG=1")
        begun = time.monotonic()
        message(pond, "WATCHDOG=1")
        assert time.monotonic() - begun < 0.6
        pond.reload("pond\n name dry\n", "not ready: the pond is dry")
        message(pond, "RELOADING=1\nMONOTONIC_USEC=")
        message(pond, "READY=1")
        equal(message(pond, "STATUS"), "STATUS=not ready: the pond is dry")
        pond.process.send_signal(signal.SIGTERM)
        message(pond, "STOPPING=1")
        equal(pond.process.wait(timeout=10), 0)


# Shell and control


def test_shell_changes_are_in_force_when_the_node_is_left():
    with Pond("pond\n depth 5\n") as pond:
        contains(pond.vty("enable", "configure terminal", "pond", "depth 6", "exit", "end", "show pond"), "depth 6 ")
        text = pond.vty("enable", "configure terminal", "pond", "limit 7", "depth 8", "exit")
        contains(text, "% Not in force: depth 8 is beyond limit 7")
        contains(pond.vty("show pond"), "depth 6 ")
        contains(pond.vty("enable", "configure terminal", "pond", "depth 7", "end", "show pond"), "depth 7 ")


PENDING = "depth 8 is beyond limit 7; 'discard' drops what is pending"
ELSEWHERE = os.path.join(DIR.name, "elsewhere.cfg")
SAVE = ("write file", "write memory", "write", "copy running-config startup-config", f"write file {ELSEWHERE}")


def test_what_is_not_in_force_is_not_saved():
    text = "pond\n depth 5\n limit 7\n"
    with Pond(text) as pond:
        said = pond.vty("enable", "configure terminal", "pond", "depth 8", "end", "show running-config", *SAVE)
        contains(said, f"% Not in force: {PENDING}\r\n")
        contains(said, f"Current configuration:\r\n!\r\n! not in force: {PENDING}\r\n!\r\n")
        equal(said.count(f"% Not saved: not in force: {PENDING}\r\n"), len(SAVE))
        assert "Configuration saved" not in said, said
        with open(pond.config) as kept:
            equal(kept.read(), text)
        assert not os.path.exists(ELSEWHERE)
        pond.stop()


def test_what_was_not_tried_is_not_saved():
    with Pond("pond\n depth 5\n") as pond:
        reason = "not in force: a node was changed and not left yet; 'discard' drops what is pending"
        said = pond.vty("enable", "configure terminal", "pond", "depth 6", "write file", "write terminal", "end",
                        "write file", "show running-config")
        contains(said, f"% Not saved: {reason}\r\n")
        contains(said, f"! {reason}\r\n!\r\n")
        equal([said.count(part) for part in ("Configuration saved to", "! not in force", "depth 6\r\n")], [1, 1, 3])
        equal(check("-c", pond.config)[0], 0)


def test_what_a_closed_session_left_can_be_dropped():
    with Pond("pond\n depth 5\n") as pond:
        pond.vty("enable", "configure terminal", "pond", "depth 6")
        contains(pond.vty("enable", "write file"), "% Not saved: not in force")
        said = pond.vty("enable", "discard", "show running-config", "write file")
        contains(said, " depth 5\r\n")
        contains(said, "Configuration saved to")
        assert "! not in force" not in said, said


def test_discard_takes_back_what_is_pending():
    ports = ("no listen", f"listen 127.0.0.1 {OTHER}")
    with Pond("pond\n depth 5\n limit 7\n") as pond:
        for place in ([], ["end"], ["exit"], ["exit", "exit"], ["exit", "admin"], ["exit", "ctrl"],
                      ["inlet north"], ["exit", "admin", *ports]):
            said = pond.vty("enable", "configure terminal", "pond", "depth 8", *place, "discard", "end",
                            "show running-config", "discard")
            assert "! not in force" not in said, said
            contains(said, " depth 5\r\n")
            contains(said, "Nothing is pending\r\n")
            equal(get("/livez")[0], 200)
        contains(pond.vty("enable", "configure terminal", "pond", "depth 6", "end", "show pond"), "depth 6 ")


def test_leaving_a_node_unchanged_is_no_change():
    with Pond("pond\n depth 5\n") as pond:
        with take_port(OTHER):
            said = pond.vty("enable", "configure terminal", "admin", f"listen 127.0.0.1 {OTHER}", "exit", "pond",
                            "exit", "discard", "pond", "exit", "end", "write file")
        equal(said.count("% Not in force: admin listen"), 2)
        contains(said, "Configuration saved to")
        assert "changed at the terminal" not in pond.log(), pond.log()


def test_a_reload_drops_what_is_pending():
    with Pond("pond\n depth 5\n") as pond:
        for text, said in (("pond\n depth 7\n", "configuration reloaded"), ("ponds\n", "not reloaded")):
            pond.vty("enable", "configure terminal", "pond", "depth 95", "end")
            pond.reload(text, said)
            shown = pond.vty("enable", "show running-config")
            contains(shown, " depth 7\r\n")
            assert "! not in force" not in shown, shown


def test_a_change_at_the_terminal_is_logged_once():
    with Pond("pond\n depth 5\n") as pond:
        pond.vty("enable", "configure terminal", "pond", "inlet south", "flow fast", "end")
        pond.vty("enable", "configure terminal", "pond", "end")
        equal(pond.log().count("configuration changed at the terminal\n"), 1)


def test_written_file_reads_again():
    before = "! told once\npond\n depth 5\n name a\n inlet n\n  flow fast\n"
    with Pond(before) as pond:
        text = pond.vty("enable", "configure terminal", "pond", "name b", "end", "write file")
        contains(text, "Configuration saved to")
        with open(pond.config) as written:
            saved = written.read()
        contains(saved, "pond\n depth 5\n name b\n inlet n\n  flow fast\n")
        contains(saved, f"admin\n listen 127.0.0.1 {ADMIN}\n")
        contains(saved, f"ctrl\n bind 127.0.0.1 {CTRL}\n")
        assert "told once" not in saved, saved
        with open(pond.config + ".sav") as kept:
            equal(kept.read(), before)
        status, _, err = check("-c", pond.config)
        equal((status, err), (0, ""))
        pond.reload(saved, "configuration reloaded")
        contains(pond.vty("show pond"), "depth 5 name b inlet n fast")
        pond.stop()


def test_control_interface():
    with Pond() as pond:
        with socket.create_connection(("127.0.0.1", CTRL), timeout=5) as peer:
            text = b"GET 1 rate_ctr.abs.pond:gate.0.fish:in"
            peer.sendall(bytes([0, len(text) + 1, 0xee, 0]) + text)
            contains(peer.recv(4096)[4:].decode(), "GET_REPLY 1 rate_ctr.abs.pond:gate.0.fish:in 7")
            pond.stop()  # with a connection open


# Admin port


def test_pages():
    with Pond() as pond:
        status, fields, body = get("/livez")
        equal((status, body, fields["Content-Type"]), (200, "alive\n", "text/plain; charset=utf-8"))
        equal(get("/readyz")[::2], (200, "ready\n"))
        equal(get("/metrics?a=b")[0], 200)
        equal(get("/")[0], 404)
        equal(get("/metrics/")[0], 404)
        pond.reload("pond\n name dry\n", "not ready: the pond is dry")
        equal(get("/readyz")[::2], (503, "not ready: the pond is dry\n"))
        contains(get("/metrics")[2], "\nweir_ready 0\n")


SAMPLE = (r'([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="[^"]*")*\})?'
          r' (-?\d+(?:\.\d+)?)')


def lint(text):
    """The rules of `promtool check metrics` that can be broken here; returns samples by name and labels."""
    types, helps, samples, done = {}, {}, {}, set()
    last = None
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in helps and words, line
            helps[name] = words
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in helps and name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
            continue
        match = re.fullmatch(SAMPLE, line)
        assert match, line
        name, labels, value = match.groups()
        assert name in types, f"no TYPE for {name}"
        assert name == last or name not in done, f"{name} is not in one piece"
        done.add(name)
        last = name
        equal(name.endswith("_total"), types[name] == "counter")
        assert "__" not in name and not re.search("_(count|sum|bucket|info_total)$", name), name
        assert (name, labels) not in samples, line
        samples[name, labels] = float(value)
    equal(set(types), {name for name, _ in samples})
    return samples


def test_metrics():
    with Pond():
        samples = lint(get("/metrics")[2])
        equal(samples["weir_pond_gate_fish_in_total", None], 7)
        equal(samples["weir_pond_gate_fish_total", None], 0)
        equal(samples["weir_inlet_drops_total", '{name="a\\"b\\\\c\\nd"}'], 0)
        equal(samples["weir_lot_of_used_total", '{idx="0"}'], 0)
        equal(samples["weir_lot_of_used_total", '{idx="3"}'], 4)
        equal(samples["weir_pond_level", None], -3)
        equal(samples["weir_pond_hook", None], 10)
        equal(samples["weir_ready", None], 1)


def test_malformed_requests():
    with Pond() as pond:
        for request, want in ((b"\x16\x03\x01\x02\x00", 400), (b"GET /livez\r\n\r\n", 400), (b"\r\n\r\n", 400),
                              (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
                              (b"GET /livez HTTP/3.0\r\n\r\n", 505), (b"GET /livez HTTP/1.1\r\n bad\r\n\r\n", 400),
                              (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\n\r\n", 414),
                              (b"GET /livez HTTP/1.1\r\nA: " + b"a" * 4096, 431),
                              (b"\0" * 64, 400), (b"GET \xff HTTP/1.1\r\n\r\n", 400)):
            status, fields, body = http(request)
            equal((request[:30], status), (request[:30], want))
            contains(body, str(want))
            equal("Allow" in fields, want == 405)
        equal(get("/livez")[0], 200)
        pond.stop()


def test_body_that_nobody_asked_for_does_not_cut_the_answer():
    with Pond():
        status, _, body = http(b"GET /livez HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n" + b"x" * 8000000)
        equal((status, body), (200, "alive\n"))


def test_request_in_single_octets():
    with Pond():
        with socket.create_connection(("127.0.0.1", ADMIN), timeout=5) as peer:
            for octet in b"GET /livez HTTP/1.1\r\nA: b\r\n\r\n":
                peer.sendall(bytes([octet]))
                time.sleep(0.005)
            contains(peer.recv(4096).decode(), "HTTP/1.1 200 OK\r\n")


def test_slow_requests_are_ended():
    with Pond():
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", ADMIN), timeout=8) as peer:
            peer.sendall(b"GET /livez")
            contains(peer.recv(4096).decode(), "HTTP/1.1 408 ")
        assert 1.5 < time.monotonic() - begun < 6


def test_connections_are_bounded():
    with Pond() as pond:
        idle = [socket.create_connection(("127.0.0.1", ADMIN), timeout=5) for _ in range(16)]
        time.sleep(0.2)
        status, _, _ = http(b"")
        equal(status, 503)
        begun = time.monotonic()
        while time.monotonic() - begun < 8:  # the idle ones are ended, then there is room again
            try:
                if get("/livez")[0] == 200:
                    break
            except (ConnectionError, IndexError):
                pass
            for peer in idle:
                if select.select([peer], [], [], 0)[0]:
                    peer.recv(4096)
            time.sleep(0.1)
        equal(get("/livez")[0], 200)
        for peer in idle:
            peer.close()
        pond.stop()


def test_peers_that_vanish():
    with Pond() as pond:
        for _ in range(200):
            peer = socket.create_connection(("127.0.0.1", ADMIN), timeout=5)
            peer.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
        end = time.monotonic() + 5
        while get("/livez")[0] != 200:
            assert time.monotonic() < end
        pond.stop()


if __name__ == "__main__":
    tap.enter_namespace(DIR.cleanup)
    tap.run(globals())
