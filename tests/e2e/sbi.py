# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""What the tests of N5g-eir share: Node's HTTP/2 client and a fake server as objects, the paths of TS 29.511.

Both are programs that speak lines of JSON (n5g_client.js, n5g_fake.js); they end with the test.
"""
import datetime
import json
import os
import queue
import subprocess
import threading
import time

import rig

ADDRESS = ("127.0.0.1", 7777)
URL = "http://%s:%d" % ADDRESS
API = "/n5g-eir-eic/v1"
RESOURCE = API + "/equipment-status"
SUPI = "imsi-001010000000001"


def status_path(pei, supi=SUPI):
    return "%s?pei=%s%s" % (RESOURCE, pei, "&supi=" + supi if supi else "")


def time_text(seconds_from_now):
    """As 3gpp-Sbi-Sender-Timestamp has it (TS 29.500 5.2.3.3.2)."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return now.strftime("%a, %d %b %Y %H:%M:%S.") + "%03d GMT" % (now.microsecond // 1000)


class Lines:
    """A Node program that takes and gives JSON lines."""

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(["node", os.path.join(rig.HERE, script)] + list(arguments),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=rig.die_with_parent)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def say(self, what):
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, seconds=5.0):
        """The next line; None at its end or when the time is over."""
        try:
            return self.lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def end(self, seconds=5):
        """End its input; the exit status, None where it had to be killed."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Answer:
    """What came of a request: status, headers, body, parsed where it is JSON; or error."""

    def __init__(self, line):
        self.error, self.reset = line.get("error"), line.get("reset")
        self.status, self.headers = line.get("status"), line.get("headers", {})
        self.body, self.ms, self.session = line.get("body"), line.get("ms"), line.get("session")
        try:
            self.json = json.loads(self.body or "")
        except ValueError:
            self.json = {}

    def __repr__(self):
        return "error %s" % self.error if self.error else "%s %s %s" % (self.status, self.headers, self.body)

    @property
    def brief(self):
        """What a test compares: a colour, or status and cause."""
        if self.error:
            return "error: " + self.error
        kind = self.headers.get("content-type")
        if self.status == 200 and kind == "application/json" and list(self.json) == ["status"]:
            return self.json["status"]
        if kind == "application/problem+json" and self.json.get("status") == self.status:
            return "%d %s" % (self.status, self.json.get("cause"))
        return "%s, %s, %s" % (self.status, kind, self.body)


class Client(Lines):
    """An AMF: Node's http2 client.  Requests may be dicts for n5g_client.js or paths."""

    def __init__(self, url=URL, **options):
        super().__init__("n5g_client.js", url, json.dumps(options))
        self.events, self.count = [], 0

    def send(self, *requests):
        """All of them in one turn; their ids."""
        out = []
        for request in requests:
            self.count += 1
            request = {"path": request} if isinstance(request, str) else request
            out.append(dict(request, id=self.count))
        self.say(out)
        return [request["id"] for request in out]

    def take(self, seconds=5.0):
        """(id, Answer) of the next one, or None; events on the way are kept in self.events."""
        stop = time.monotonic() + seconds
        while True:
            line = self.next(stop - time.monotonic())
            if line is None:
                return None
            if "event" not in line:
                return line["id"], Answer(line)
            self.events.append(line)

    def ask_all(self, *requests, seconds=10.0):
        """The answers, in the order of the requests; None for what did not come."""
        ids, answers, stop = self.send(*requests), {}, time.monotonic() + seconds
        while len(answers) < len(ids):
            taken = self.take(stop - time.monotonic())
            if taken is None:
                break
            answers[taken[0]] = taken[1]
        return [answers.get(i) for i in ids]

    def ask(self, path, method="GET", seconds=5.0, **headers):
        """One request; header names may be given with _ for -."""
        request = {"path": path, "method": method, "headers": {k.replace("_", "-"): v for k, v in headers.items()}}
        return self.ask_all(request, seconds=seconds)[0]

    def event(self, name, seconds=5.0):
        """The first event of this name, waited for and taken; None where it never came."""
        stop = time.monotonic() + seconds
        while True:
            for found in self.events:
                if found["event"] == name:
                    self.events.remove(found)
                    return found
            line = self.next(stop - time.monotonic())
            if line is None:
                return None
            if "event" in line:
                self.events.append(line)


class Fake(Lines):
    """A server that gives the answer that was set."""

    def __init__(self, port=ADDRESS[1], **tls):
        super().__init__("n5g_fake.js", str(port), *([json.dumps(tls)] if tls else []))
        if self.next() != {"event": "ready"}:
            raise RuntimeError("n5g_fake.js did not come up")

    def set(self, **answer):
        self.say(answer)
        while self.next() != {"event": "set"}:
            pass

    def request(self, seconds=5.0):
        """The next request that came, or None."""
        return self.next(seconds)
