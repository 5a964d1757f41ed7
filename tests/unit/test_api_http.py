#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The keeper's HTTP server against clients that are malformed, slow, many, gone, or not allowed."""

import concurrent.futures
import json
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api_lib  # noqa: E402
import tap  # noqa: E402
from api_lib import Keeper, contains, equal, imei, status_of  # noqa: E402

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
PUT = "/v1/sources/local/devices/"


ONE = "PUT " + PUT + "1 HTTP/1.1"


def request(line="GET /v1/status HTTP/1.1", headers=("Host: keeper",), body=b""):
    return ("\r\n".join([line, *headers]) + "\r\n\r\n").encode("latin-1") + body


# name, bytes; each must be refused with 400 or closed, and nothing after it may be answered
MALFORMED = (
    ("no Host", request(headers=())),
    ("two Hosts", request(headers=("Host: a", "Host: b"))),
    ("two equal lengths", request(ONE, ("Host: a", "Content-Length: 2", "Content-Length: 2"), b"{}")),
    ("two different lengths", request(ONE, ("Host: a", "Content-Length: 2", "Content-Length: 4"), b"{}")),
    ("a length beside chunked", request(ONE, ("Host: a", "Content-Length: 4", "Transfer-Encoding: chunked"),
                                        b"0\r\n\r\n")),
    ("chunked beside a length", request(ONE, ("Host: a", "Transfer-Encoding: chunked", "Content-Length: 4"),
                                        b"0\r\n\r\n")),
    ("gzip, chunked", request(ONE, ("Host: a", "Transfer-Encoding: gzip, chunked"), b"0\r\n\r\n")),
    ("an unknown coding", request(ONE, ("Host: a", "Transfer-Encoding: identity"), b"")),
    ("a negative length", request(ONE, ("Host: a", "Content-Length: -1"))),
    ("a length in hex", request(ONE, ("Host: a", "Content-Length: 0x2"), b"{}")),
    ("a length beyond 64 bits", request(ONE, ("Host: a", "Content-Length: 99999999999999999999"))),
    ("a space behind a name", request(headers=("Host: a", "X : 1"))),
    ("a name with a bracket", request(headers=("Host: a", "X[: 1"))),
    ("a control character in a value", request(headers=("Host: a", "X: a\x01b"))),
    ("an encoded NUL", request("GET /v1/sta%00tus HTTP/1.1")),
    ("an encoded line end", request("GET /v1/status%0d%0aX: HTTP/1.1")),
    ("half an escape", request("GET /v1/stat% HTTP/1.1")),
    ("letters above 127 in the path", request("GET /v1/st\xe4tus HTTP/1.1")),
    ("an absolute target", request("GET http://keeper/v1/status HTTP/1.1")),
    ("no target", request("GET")),
    ("a path with empty parts", request("GET /v1//status HTTP/1.1")),
    ("a target of 8000 characters", request("GET /" + "a" * 8000 + " HTTP/1.1")),
    ("headers beyond all measure", request(headers=["Host: a"] + ["X%d: %s" % (i, "y" * 100) for i in range(1000)])),
    ("HTTP/2 by force", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(100) + b"\r\n\r\n"),
    ("nothing but line ends and then junk", b"\r\n\r\n\xff\xfe\r\n\r\n"),
)


def test_malformed_requests_are_refused_and_end_the_connection():
    hidden = request("PUT " + PUT + imei(1) + " HTTP/1.1", ("Host: keeper", "Content-Length: 0"))
    with Keeper("api; request-timeout 2") as keeper:
        for name, data in MALFORMED:
            try:
                got = keeper.exchange(data + hidden, timeout=10)
            except BrokenPipeError:
                got = b""
            assert status_of(got) in (0, 400, 413, 414, 431, 501, 505), f"{name}: {got[:300]!r}"
            equal((name, got.count(b"HTTP/1.1 200")), (name, 0))
        equal(keeper.get(PUT + imei(1)).status, 404)  # no smuggled request was heard
        equal(keeper.serial(), 1)


def test_every_cut_of_a_request_is_harmless():
    whole = request("PUT " + PUT + imei(1) + " HTTP/1.1", ("Host: k", "Content-Length: 16"), b'{"list":"black"}')
    with Keeper() as keeper:
        for cut in range(len(whole)):
            with keeper.raw(whole[:cut]) as sock:
                sock.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 20
        while keeper.get("/v1/status").json["http"]["connections"] > 1:
            assert time.monotonic() < deadline
        equal(keeper.serial(), 1)
        equal(status_of(keeper.exchange(whole, timeout=1)), 200)


def test_every_flipped_bit_is_harmless():
    """Whatever comes: an answer below 500 or none, and the keeper lives."""
    whole = request("PUT " + PUT + imei(1) + " HTTP/1.1", ("Host: k", "Content-Length: 16"), b'{"list":"black"}')
    with Keeper("api; request-timeout 1") as keeper:
        socks = []
        for bit in range(len(whole) * 8):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            sock = keeper.raw(bytes(data))
            sock.shutdown(socket.SHUT_WR)
            socks.append(sock)
            if len(socks) == 200 or bit == len(whole) * 8 - 1:
                for one in socks:
                    status = status_of(api_lib.read_all(one))
                    assert status < 500 or status in (501, 505), status
                    one.close()
                socks = []
        equal(keeper.get("/livez").status, 200)
        equal(keeper.verify()["clean"], True)


def test_pipelined_requests_are_answered_in_order():
    with Keeper() as keeper:
        data = b"".join(request("PUT " + PUT + imei(i) + " HTTP/1.1", ("Host: k", "Content-Length: 0"))
                        for i in range(50))
        last = request("GET /v1/status HTTP/1.1", ("Host: k", "Connection: close"))
        got = keeper.exchange(data + last)
        equal(got.count(b"HTTP/1.1 200 OK"), 51)
        places = [got.index(imei(i).encode()) for i in range(50)]
        equal(places, sorted(places))


def test_a_request_in_single_octets():
    whole = request("PUT " + PUT + imei(1) + " HTTP/1.1",
                    ("Host: k", "Transfer-Encoding: chunked", "Connection: close"),
                    b'1\r\n{\r\nf\r\n"list":"black"}\r\n0\r\n\r\n')
    with Keeper() as keeper:
        with keeper.raw() as sock:
            for i in range(len(whole)):
                sock.sendall(whole[i:i + 1])
            got = api_lib.read_all(sock)
        equal(status_of(got), 200)
        equal(keeper.colour(imei(1)), "black")


def test_slow_clients_are_cut_and_hurt_nobody():
    """Heads and bodies that trickle, connections that say nothing: all cut in time, while others are served."""
    head = request("GET /v1/status HTTP/1.1")[:-2]
    body = request("POST /v1/sources/local/import HTTP/1.1", ("Host: k", "Content-Length: 100000"), b"imei\n")
    with Keeper("api; request-timeout 1", "api; connections 400") as keeper:
        slow = [keeper.raw(data) for _ in range(60) for data in (b"", head, b"G")] + [keeper.raw(body)]
        start, worst = time.monotonic(), 0.0
        left = set(slow)
        while left and time.monotonic() < start + 15:
            asked = time.monotonic()
            equal(keeper.get("/livez").status, 200)
            worst = max(worst, time.monotonic() - asked)
            for sock in list(left):
                try:
                    sock.sendall(b"X")
                    sock.setblocking(False)
                    if not sock.recv(100):
                        left.discard(sock)
                except BlockingIOError:
                    pass
                except OSError:
                    left.discard(sock)
            time.sleep(0.2)
        equal(len(left), 0)
        assert worst < 1, worst
        for sock in slow:
            sock.close()
        equal(keeper.load("local", f"imei\n{imei(1)}\n").status, 200)  # the trickled upload did not keep the import
        assert keeper.get("/v1/status").json["http"]["cut"] >= 181


def test_a_client_that_never_reads_is_cut():
    with Keeper("api; request-timeout 1") as keeper:
        rows = "imei\n" + "".join(imei(i) + "\n" for i in range(40000))
        equal(keeper.load("local", rows).status, 200)
        with keeper.raw(request("GET /v1/export HTTP/1.1")) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deadline = time.monotonic() + 15
            while keeper.get("/v1/status").json["http"]["cut"] == 0:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_more_connections_than_allowed_wait_for_their_turn():
    with Keeper("api; connections 8", "api; request-timeout 1") as keeper:
        idle = [keeper.raw() for _ in range(20)]
        equal(keeper.get("/livez").status, 200)
        for sock in idle:
            sock.close()


def test_idle_connections_do_not_keep_others_out():
    """Who was answered and stays, or was refused and goes on sending, makes room in a second or two."""
    refused = request("POST /nowhere HTTP/1.1", ("Host: k", "Content-Length: 500000"), b"x")
    for data in (request("GET /livez HTTP/1.1"), refused):
        with Keeper("api; connections 64") as keeper:
            idle = [keeper.raw(data) for _ in range(200)]
            start = time.monotonic()
            equal(keeper.get("/livez").status, 200)
            took = time.monotonic() - start
            assert took < 8, took
            for sock in idle:
                sock.close()


def test_an_upload_keeps_its_place():
    head = request("POST /v1/sources/local/import HTTP/1.1", ("Host: k", "Content-Length: 21", "Connection: close"))
    with Keeper("api; connections 8") as keeper:
        with keeper.raw(head) as sock:
            idle = [keeper.raw(request("GET /livez HTTP/1.1")) for _ in range(30)]
            for _ in range(5):
                time.sleep(0.5)
                equal(keeper.get("/livez").status, 200)
            sock.sendall(b"imei\n" + imei(1).encode() + b"\n")
            equal(status_of(api_lib.read_all(sock)), 200)
            for one in idle:
                one.close()


def test_head_of_an_export_has_no_body():
    with Keeper() as keeper:
        got = keeper.exchange(request("HEAD /v1/export HTTP/1.1") + request("GET /livez HTTP/1.1"))
        head, _, rest = got.partition(b"\r\n\r\n")
        contains(head, b" 200 OK")
        equal(rest, b"")  # and nothing after it
        last = request("GET /livez HTTP/1.1", ("Host: k", "Connection: close"))
        got = keeper.exchange(request("HEAD /livez HTTP/1.1") + last)
        equal(got.count(b"HTTP/1.1 200 OK"), 2)


def test_two_hundred_parallel_changes_need_few_commits():
    with Keeper() as keeper:
        socks = [keeper.raw() for _ in range(200)]
        for number, sock in enumerate(socks):
            sock.sendall(request("PUT " + PUT + imei(number) + " HTTP/1.1", ("Host: k", "Content-Length: 0",
                                                                           "Connection: close")))
        serials = set()
        for sock in socks:
            got = api_lib.read_all(sock)
            equal(status_of(got), 200)
            serials.add(json.loads(got.split(b"\r\n\r\n", 1)[1])["serial"])
            sock.close()
        equal(serials, set(range(2, 202)))
        turns = keeper.get("/v1/status").json["turns"]
        equal(turns["changes"], 200)
        assert turns["commits"] <= 60, turns
        print(f"# 200 changes in {turns['commits']} commits")
        equal(keeper.verify()["clean"], True)


def test_one_bad_change_does_not_spoil_its_turn():
    with Keeper() as keeper:
        def one(number):
            if number % 3 == 2:
                return keeper.put(PUT + imei(number), {"list": "blue"}).status
            return keeper.put(PUT + imei(number), {"list": "grey"}).status
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            equal(list(pool.map(one, range(90))), [200, 200, 422] * 30)
        equal(keeper.serial(), 61)


def test_a_client_gone_before_its_answer():
    """What it wanted may happen or not, and nothing breaks."""
    with Keeper() as keeper:
        for number in range(100):
            keeper.raw(request("PUT " + PUT + imei(number) + " HTTP/1.1", ("Host: k", "Content-Length: 0"))).close()
            keeper.raw(request("POST /v1/verify HTTP/1.1", ("Host: k", "Content-Length: 0"))).close()
            keeper.raw(request("GET /v1/export HTTP/1.1")).close()
        equal(keeper.put(PUT + imei(1000)).status, 200)
        equal(keeper.verify()["clean"], True)


def as_nobody(keeper, method, path):
    """Status of a request that user nobody made."""
    script = ("import socket,sys\n"
              "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
              "s.sendall((sys.argv[2]+' '+sys.argv[3]+' HTTP/1.1\\r\\nHost: k\\r\\nContent-Length: 0\\r\\n'\n"
              "'Connection: close\\r\\n\\r\\n').encode())\n"
              "sys.stdout.write(s.recv(9999).decode())")
    done = subprocess.run([*AS_NOBODY, "/usr/bin/python3", "-c", script, keeper.socket, method, path],
                          capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0)
    return int(done.stdout.split(" ", 2)[1])


def opened(keeper):
    """Only the rights inside the keeper are left to stop somebody."""
    os.chmod(keeper.top, 0o755)
    os.chmod(keeper.state, 0o755)
    os.chmod(keeper.socket, 0o666)
    return keeper


def test_rights_by_peer_credentials():
    if os.getuid() != 0:
        return
    rows = (
        ((), (200, 403, 403, 403)),
        (("api; allow uid 65534 read",), (200, 200, 403, 403)),
        (("api; allow uid 65534 write",), (200, 200, 200, 200)),
        (("api; allow user nobody write",), (200, 200, 200, 200)),
        (("api; allow group nogroup read",), (200, 200, 403, 403)),
        (("api; allow uid 65533 write",), (200, 403, 403, 403)),
        (("api; allow uid 65534 write", "api; no allow uid 65534"), (200, 403, 403, 403)),
    )
    for lines, want in rows:
        with Keeper(*lines) as keeper:
            opened(keeper)
            got = (as_nobody(keeper, "GET", "/livez"), as_nobody(keeper, "GET", "/v1/status"),
                   as_nobody(keeper, "PUT", PUT + imei(1)), as_nobody(keeper, "POST", "/v1/rebuild"))
            equal((lines, got), (lines, want))
            equal(keeper.serial(), 2 if want[2] == 200 else 1)
            if want[2] == 200:
                actor = keeper.get(f"/v1/devices/{imei(1)}/history").json["events"][0]["actor"]
                equal(actor, "uid:65534(nobody)")


def test_the_socket_itself_keeps_strangers_out():
    if os.getuid() != 0:
        return
    with Keeper("api; allow uid 65534 write") as keeper:
        os.chmod(keeper.top, 0o755)
        os.chmod(keeper.state, 0o755)
        done = subprocess.run([*AS_NOBODY, api_lib.WEIRCTL, "-S", keeper.state, "status"], capture_output=True,
                              text=True, timeout=20)
        if "not found" in done.stderr or done.returncode == 126:
            return  # the build tree is closed to strangers too
        equal(done.returncode, 3)
        contains(done.stderr, "may not connect")


def test_sigterm_answers_who_waits_and_ends():
    with Keeper() as keeper:
        idle = keeper.raw()
        uploading = keeper.raw(request("POST /v1/sources/local/import HTTP/1.1", ("Host: k", "Content-Length: 100000"),
                                       b"imei\n" + imei(1).encode()))
        exporting = keeper.raw(request("GET /v1/export HTTP/1.1"))
        time.sleep(0.2)
        equal(keeper.stop(), 0)
        for sock in (idle, uploading, exporting):
            api_lib.read_all(sock)
            sock.close()
        keeper.start()
        equal((keeper.serial(), keeper.get("/v1/import").json["running"]), (1, False))


if __name__ == "__main__":
    api_lib.enter_namespace(__file__)
    tap.run(globals())
