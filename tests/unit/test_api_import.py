#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Lists in and out over the API: good files, bad files, half files, two at a time, and what is served meanwhile."""

import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api_lib  # noqa: E402
import tap  # noqa: E402
from api_lib import Keeper, contains, equal, imei  # noqa: E402

COUNTS = ("rows", "rejected", "remarks", "duplicates", "added", "changed", "removed", "unchanged")


def counts(answer):
    equal((answer.status, answer.text[:0] if answer.status == 200 else answer.text), (200, ""))
    return {name: answer.json[name] for name in COUNTS if answer.json[name]}


def listing(numbers, colour="black"):
    return "imei,list\n" + "".join(f"{imei(n)},{colour}\n" for n in numbers)


def exported(keeper, path="/v1/export"):
    answer = keeper.get(path)
    equal((answer.status, answer.type), (200, "text/csv; charset=utf-8"))
    lines = answer.text.splitlines()
    equal(lines[0], "imei,svn,tac,from,to,list,imsi,pair,reason,source")
    return lines[1:]


def test_merge_replace_take_off():
    with Keeper() as keeper:
        receipt = keeper.load("local", listing(range(10)))
        equal(counts(receipt), {"rows": 10, "added": 10})
        equal((receipt.json["in_force"], receipt.json["turned_black"], receipt.json["serial"], receipt.json["rejects"]),
              (True, 10, 2, []))
        equal(keeper.colour(imei(3)), "black")
        equal(counts(keeper.load("local", listing(range(5, 15), "grey"))), {"rows": 10, "added": 5, "changed": 5})
        equal(keeper.colour(imei(5)), "grey")
        equal(counts(keeper.load("local", listing(range(10)), "?mode=replace")),
              {"rows": 10, "changed": 5, "removed": 5, "unchanged": 5})
        equal((keeper.colour(imei(12)), keeper.colour(imei(5))), ("unknown", "black"))
        equal(counts(keeper.load("local", listing(range(3)), "?mode=take-off")), {"rows": 3, "removed": 3})
        equal((keeper.colour(imei(2)), keeper.colour(imei(3))), ("unknown", "black"))
        equal(keeper.serial(), 5)
        equal(keeper.verify()["clean"], True)


def test_a_dry_run_changes_nothing():
    with Keeper() as keeper:
        receipt = keeper.load("local", listing(range(10)), "?dry_run=1")
        equal(counts(receipt), {"rows": 10, "added": 10})
        equal((receipt.json["in_force"], receipt.json["dry_run"], receipt.json["serial"]), (False, True, 0))
        equal((keeper.serial(), keeper.colour(imei(1))), (1, "unknown"))


def test_defaults_of_the_query():
    with Keeper() as keeper:
        equal(keeper.load("local", f"imei\n{imei(1)}\n", "?list=grey&reason=lost").status, 200)
        equal(keeper.check(imei(1))["verdict"]["reason"], "lost")
        for query in ("?mode=add", "?list=blue", "?reason=x", "?dry_run=yes", "?max_rejects=many", "?max_rejects=-1",
                      "?max_rejects=18446744073709551616", "?max_rejects=99999999999999999999999",
                      "?what=1"):
            answer = keeper.load("local", "imei\n", query)
            equal((query, answer.status, answer.code), (query, 422, "query"))


# name, bytes, counts of the receipt (None: refused with this code instead), codes of the rejects
ONE, TWO = imei(1), imei(2)
BOTH = {"rows": 1, "added": 1, "rejected": 1}  # one bad row, and the good one after it
FILES = (
    ("a header alone lists nothing", "imei\n", {}, []),
    ("no header, one column", f"{ONE}\n{TWO}\n", {"rows": 2, "added": 2}, []),
    ("BOM, CRLF, semicolons, capitals", f"\ufeffIMEI;LIST\r\n{ONE};GREY\r\n", None, None),
    ("semicolons", f"imei;list\r\n{ONE};grey\r\n", {"rows": 1, "added": 1}, []),
    ("a byte order mark", f"\ufeffimei\n{ONE}\n", {"rows": 1, "added": 1}, []),
    ("quotes", f'"imei","list"\n"{ONE}","grey"\n', {"rows": 1, "added": 1}, []),
    ("no line end at the end", f"imei\n{ONE}", {"rows": 1, "added": 1}, []),
    ("13 digits", f"imei\n3520990017614\n{ONE}\n", BOTH, ["too-short"]),
    ("18 digits", f"imei\n352099001761481234\n{ONE}\n", BOTH, ["too-long"]),
    ("letters", f"imei\nphone\n{ONE}\n", BOTH, ["bad-character"]),
    ("a NUL in a cell", f"imei\n3520990\x00176148\n{ONE}\n", BOTH, ["bad-character"]),
    ("an unknown list", f"imei,list\n{TWO},blue\n{ONE},grey\n", BOTH, ["bad-list"]),
    ("an unknown reason", f"imei,reason\n{TWO},bored\n{ONE},\n", BOTH, ["bad-reason"]),
    ("a bad TAC", f"tac,imei\n1234567,\n,{ONE}\n", BOTH, ["bad-tac"]),
    ("a range backwards", f"from,to,imei\n35209900000009,35209900000001,\n,,{ONE}\n",
     BOTH, ["bad-range"]),
    ("a quote that never closes", f'imei\n"{TWO}\n{ONE}\n', BOTH, ["bad-quotes"]),
    ("a row without end", "imei\n" + "1" * 5000 + f"\n{ONE}\n", BOTH, ["row-too-long"]),
    ("more cells than columns", f"imei\n{TWO},x,y\n{ONE}\n", BOTH, ["extra-cells"]),
    ("the same row twice", f"imei\n{ONE}\n{ONE}\n", {"rows": 1, "added": 1, "duplicates": 1}, []),
    ("a wrong check digit is a remark", f"imei\n{ONE[:14]}{(int(ONE[14]) + 1) % 10 or 1}\n",
     {"rows": 1, "added": 1, "remarks": 1}, ["check-digit"]),
    ("an empty file", "", "unreadable", None),
    ("no usable header", "colour,shape\nred,round\n", "unreadable", None),
    ("a file of differences", f"imei,change_type\n{ONE},remove\n", "unreadable", None),
    ("binary junk", bytes(range(256)) * 20, "unreadable", None),
    ("only NULs", bytes(5000), "unreadable", None),
)


def test_files_good_and_bad():
    with Keeper() as keeper:
        for name, data, want, codes in FILES:
            keeper.load("local", "imei\n", "?mode=replace")
            serial = keeper.serial()
            if isinstance(data, str):
                data = data.encode()
            answer = keeper.load("local", data)
            if want is None:  # a capital colour may be taken or not, but never half
                assert answer.status == 200 and answer.json["rows"] + answer.json["rejected"] == 1, answer.text
            elif isinstance(want, str):
                equal((name, answer.status, answer.code), (name, 422, want))
                assert len(answer.json["detail"]) > 20, answer.json
                equal(keeper.serial(), serial)
            else:
                equal((name, counts(answer)), (name, want))
                equal((name, [reject["code"] for reject in answer.json["rejects"]]), (name, codes))
                for reject in answer.json["rejects"]:
                    assert reject["line"] > 0 and reject["text"], reject
        equal(keeper.verify()["clean"], True)


def test_a_reject_says_where_and_why():
    with Keeper() as keeper:
        reject = keeper.load("local", f"list,imei\nblack,{ONE}\nblack,3520990017614\n").json["rejects"][0]
        equal((reject["line"], reject["column"], reject["column_name"]), (3, 2, "imei"))
        equal(reject["value"], "3520990017614")
        contains(reject["text"], "13 digits")


def test_a_conflict_in_one_file_is_told():
    with Keeper() as keeper:
        answer = keeper.load("local", f"imei,list\n{ONE},black\n{ONE},grey\n")
        equal([reject["code"] for reject in answer.json["rejects"]], ["conflict"])
        equal(keeper.verify()["clean"], True)


def test_too_many_rejects_refuse_it_all():
    rows = listing(range(50)) + "x,black\n" * 11
    with Keeper() as keeper:
        answer = keeper.load("local", rows, "?max_rejects=10")
        equal((answer.status, answer.code), (422, "too-many-rejects"))
        equal((answer.json["receipt"]["rejected"], answer.json["receipt"]["in_force"]), (11, False))
        equal((keeper.serial(), keeper.colour(imei(1))), (1, "unknown"))
        equal(keeper.load("local", rows, "?max_rejects=11").status, 200)
        many = keeper.load("local", "imei\n" + "x\n" * 5000 + ONE + "\n", "?max_rejects=6000")
        equal((many.status, many.json["rejected"], len(many.json["rejects"]), many.json["rejects_whole"]),
              (200, 5000, 1000, False))


def test_none_may_be_rejected():
    bad = listing(range(50)) + "x,black\n"
    conflict = f"imei,list\n{ONE},black\n{ONE},grey\n"  # found only when the file is folded
    with Keeper() as keeper:
        for rows in (bad, conflict):
            for query in ("?max_rejects=0", "?max_rejects=0&dry_run=1"):
                answer = keeper.load("local", rows, query)
                equal((answer.status, answer.code), (422, "too-many-rejects"))
                equal((answer.json["receipt"]["rejected"], answer.json["receipt"]["in_force"]), (1, False))
        equal((keeper.serial(), keeper.colour(imei(1))), (1, "unknown"))
        equal(counts(keeper.load("local", listing(range(50)), "?max_rejects=0")), {"rows": 50, "added": 50})
        equal(keeper.load("local", bad).status, 200)


def test_strict_rejects_wrong_check_digits():
    with Keeper() as keeper:
        wrong = ONE[:14] + str((int(ONE[14]) + 1) % 9 + 1)
        if wrong == ONE:
            wrong = ONE[:14] + str((int(ONE[14]) + 2) % 9 + 1)
        equal(counts(keeper.load("local", f"imei\n{wrong}\n{TWO}\n", "?strict=1")), BOTH)


def test_what_goes_out_comes_in_again():
    rows = ("imei,from,to,list,imsi,pair,reason\n"
            f"{imei(1)},,,black,,,stolen\n{imei(2)[:14]}07,,,grey,,,\n"
            ",35310000000000,35310000999999,grey,,,counterfeit\n"
            f",35320000000005,35320000000009,white,,,\n{imei(3)},,,,001010000000001,deny,fraud\n")
    with Keeper() as keeper:
        keeper.put("/v1/sources/police")
        equal(counts(keeper.load("police", rows)), {"rows": 5, "added": 5})
        keeper.put("/v1/sources/local/devices/" + imei(1))
        lines = exported(keeper, "/v1/sources/police/export")
        equal(len(lines), 5)
        equal(len(exported(keeper)), 6)
        csv = keeper.get("/v1/sources/police/export").text
        equal(counts(keeper.load("police", csv, "?mode=replace")), {"rows": 5, "unchanged": 5})
        keeper.put("/v1/sources/copy")
        equal(counts(keeper.load("copy", csv)), {"rows": 5, "added": 5})
        strip = [line.rsplit(",", 1)[0] for line in lines]
        equal([line.rsplit(",", 1)[0] for line in exported(keeper, "/v1/sources/copy/export")], strip)


def test_many_rows_and_single_requests_between():
    """While a hundred thousand rows go in, go out and are verified, others are answered."""
    count = 100000
    with Keeper() as keeper:
        worst, answers, stop = [0.0], [0], threading.Event()

        def bystander():
            while not stop.is_set():
                start = time.monotonic()
                equal(keeper.get("/livez").status, 200)
                worst[0] = max(worst[0], time.monotonic() - start)
                answers[0] += 1
                time.sleep(0.005)
        thread = threading.Thread(target=bystander)
        thread.start()
        try:
            keeper.put("/v1/sources/police")
            equal(counts(keeper.load("police", listing(range(count)), timeout=120)), {"rows": count, "added": count})
            equal(len(exported(keeper)), count)
            equal(keeper.verify()["clean"], True)
        finally:
            stop.set()
            thread.join()
        print(f"# {answers[0]} requests served meanwhile, the slowest in {worst[0] * 1000:.0f} ms")
        # how many depends on how fast all of it was done: 18 were seen on a quick machine
        assert answers[0] > 5 and worst[0] < 5, (answers, worst)


def test_verify_and_rebuild_do_not_disturb_one_another():
    """A rebuild under a verification is no finding; a verification under a rebuild waits or is refused."""
    with Keeper() as keeper:
        equal(keeper.load("local", listing(range(60000)), timeout=120).status, 200)
        statuses, stop = set(), threading.Event()

        def verifier(accept):
            while not stop.is_set():
                answer = keeper.ask("POST", "/v1/verify", headers={"Accept": accept}, timeout=60)
                statuses.add((answer.status, answer.code if answer.status != 200 else
                              "clean" if '"clean":true' in answer.text else answer.text))
        threads = [threading.Thread(target=verifier, args=(accept,)) for accept in ("*/*", "application/x-ndjson")]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6):
                equal(keeper.ask("POST", "/v1/rebuild", timeout=60).status, 200)
                time.sleep(0.05)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert statuses <= {(200, "clean"), (409, "busy")} and (200, "clean") in statuses, statuses


def fill(path):
    with open(path, "wb", buffering=0) as ballast:
        try:
            for size in (65536, 4096):
                try:
                    while ballast.write(bytes(size)):
                        pass
                except OSError:
                    continue
        finally:
            pass


def test_an_import_on_a_full_disk_is_told_and_goes_on():
    with tempfile.TemporaryDirectory() as top:
        if not os.environ.get("WEIR_IN_NAMESPACE") or \
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", top], capture_output=True).returncode:
            return
        with Keeper(state=top + "/state") as keeper:
            answers = []
            thread = threading.Thread(target=lambda: answers.append(
                keeper.load("local", listing(range(200000)), timeout=60)))
            thread.start()
            deadline = time.monotonic() + 30
            while keeper.get("/v1/import").json.get("phase") != "applying":
                assert time.monotonic() < deadline and not answers, answers
            fill(top + "/ballast")
            thread.join()
            answer = answers[0]
            if answer.status == 202:  # otherwise it was through before the disk was full
                equal((answer.json["in_force"], answer.json["phase"]), (False, "applying"))
                contains(answer.json["detail"], "goes on by itself")
                contains(keeper.log(), "cannot go on")
            print(f"# answered with {answer.status}")
            os.unlink(top + "/ballast")
            wait_running(keeper, False)
            equal(keeper.colour(imei(199999)), "black")
            equal(keeper.verify()["clean"], True)
        subprocess.run(["umount", top], check=True)


def begin_upload(keeper, source="local", length=100000):
    return keeper.raw((f"POST /v1/sources/{source}/import HTTP/1.1\r\nHost: k\r\nContent-Length: {length}\r\n\r\n"
                       f"imei\n{imei(1)}\n").encode())


def wait_running(keeper, running=True):
    deadline = time.monotonic() + 10
    while keeper.get("/v1/import").json["running"] != running:
        assert time.monotonic() < deadline, "import " + ("does not begin" if running else "does not end")
        time.sleep(0.01)


def test_one_import_at_a_time():
    with Keeper() as keeper:
        with begin_upload(keeper):
            wait_running(keeper)
            state = keeper.get("/v1/import").json
            equal((state["source"], state["phase"], state["dry_run"]), ("local", "reading", False))
            answer = keeper.load("local", listing(range(3)))
            equal((answer.status, answer.code), (409, "import-running"))
            # who waits to be asked is not asked for his gigabyte
            with keeper.raw(b"POST /v1/sources/local/import HTTP/1.1\r\nHost: k\r\nContent-Length: 1000000000\r\n"
                            b"Expect: 100-continue\r\n\r\n") as sock:
                contains(api_lib.read_all(sock), b"HTTP/1.1 409")
            equal(keeper.ask("POST", "/v1/rebuild").status, 409)
            equal(keeper.put("/v1/sources/local/devices/" + imei(7)).status, 200)
        wait_running(keeper, False)
        equal(keeper.load("local", listing(range(3))).status, 200)


def test_a_client_that_leaves_in_the_middle_changes_nothing():
    with Keeper() as keeper:
        for length in (30, 50, 5000, 10**9):
            begin_upload(keeper, length=length).close()
            wait_running(keeper, False)
        chunked = keeper.raw(b"POST /v1/sources/local/import HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n"
                             b"15\r\nimei\n" + imei(1).encode() + b"\n\r\n")
        wait_running(keeper)
        chunked.close()
        wait_running(keeper, False)
        equal((keeper.serial(), keeper.colour(imei(1))), (1, "unknown"))
        contains(keeper.log(), "the client left in the middle, nothing was changed")


def test_chunked_and_expect():
    with Keeper() as keeper:
        rows = listing(range(1000)).encode()
        pieces = (rows[i:i + 7] for i in range(0, len(rows), 7))
        answer = keeper.load("local", pieces)  # an iterable is sent chunked
        equal(counts(answer), {"rows": 1000, "added": 1000})
        with keeper.raw(b"POST /v1/sources/local/import HTTP/1.1\r\nHost: k\r\nContent-Length: 22\r\n"
                        b"Expect: 100-continue\r\nConnection: close\r\n\r\n") as sock:
            contains(sock.recv(100), b"100 Continue")
            sock.sendall(b"imei\n" + imei(5000).encode() + b"\n\n")
            contains(api_lib.read_all(sock), b"200 OK")


def test_an_unreadable_file_is_told_at_its_end():
    with Keeper() as keeper:
        answer = keeper.load("local", b"colour\n" + b"red\n" * 500000)
        equal((answer.status, answer.code), (422, "unreadable"))
        equal(keeper.get("/v1/import").json["running"], False)


if __name__ == "__main__":
    api_lib.enter_namespace(__file__)
    tap.run(globals())
