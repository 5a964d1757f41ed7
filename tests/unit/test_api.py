#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""The keeper's API, every route with good and with bad input, on a real keeper."""

import json
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api_lib  # noqa: E402
import tap  # noqa: E402
from api_lib import Keeper, contains, equal, imei  # noqa: E402

A = "352099001761481"
A14 = "35209900176148"
B = "490154203237518"
IMSI = "001010000000001"


def device(name, source="local"):
    return f"/v1/sources/{source}/devices/{name}"


def test_state_is_made_for_its_user_alone():
    with Keeper() as keeper:
        equal(stat.S_IMODE(os.stat(keeper.state).st_mode), 0o700)
        equal(stat.S_IMODE(os.stat(keeper.socket).st_mode), 0o660)


def test_probes_and_metrics():
    with Keeper() as keeper:
        equal(keeper.get("/livez").text, "alive\n")
        equal(keeper.get("/readyz").text, "ready\n")
        equal(keeper.get("/nothing").status, 404)
        metrics = keeper.get("/metrics")
        equal(metrics.status, 200)
        contains(metrics.text, "weir_keeper_ledger_serial 1\n")
        contains(metrics.text, "weir_keeper_register_lag 0\n")
        contains(metrics.text, 'weir_keeper_http_requests_total{status="404"} 1\n')
        for line in metrics.text.splitlines():
            assert line.startswith("#") or len(line.split(" ")) == 2, line


def test_status():
    with Keeper() as keeper:
        status = keeper.get("/v1/status").json
        equal((status["ready"], status["ledger"]["serial"], status["register"]["lag"]), (True, 1, 0))
        equal(status["import"], None)


def test_methods_and_paths():
    with Keeper() as keeper:
        answer = keeper.ask("DELETE", "/v1/status")
        equal((answer.status, answer.code, answer.headers["Allow"]), (405, "method", "GET"))
        answer = keeper.ask("POST", device(A))
        equal((answer.status, answer.headers["Allow"]), (405, "PUT, GET, DELETE"))
        equal(keeper.ask("BREW", "/v1/status").status, 405)
        equal(keeper.get("/v2/status").code, "no-such-route")
        equal(keeper.get("/v1/status/x").status, 404)
        equal(keeper.ask("HEAD", "/v1/status").bytes, b"")
        equal(keeper.get("/v1/status").type, "application/json")
        equal(keeper.get("/v2").type, "application/problem+json")


def test_problems_have_all_members():
    with Keeper() as keeper:
        problem = keeper.get("/v1/devices/123").json
        equal(sorted(problem), ["code", "detail", "status", "type"])
        equal((problem["type"], problem["status"], problem["code"]), ("urn:weir:problem:imei", 422, "imei"))
        contains(problem["detail"], "14 to 17 digits are needed")


def test_sources():
    with Keeper() as keeper:
        equal([s["source"] for s in keeper.get("/v1/sources").json["sources"]], ["local"])
        equal(keeper.put("/v1/sources/police").status, 201)
        equal(keeper.put("/v1/sources/police").status, 200)
        equal([s["source"] for s in keeper.get("/v1/sources").json["sources"]], ["local", "police"])
        for bad in ("Police", "a%20b", "x" * 33, "a%2Fb"):
            answer = keeper.put("/v1/sources/" + bad)
            equal((answer.status, answer.code), (422, "invalid"))
        answer = keeper.put(device(A, "nobody"), {})
        equal((answer.status, answer.code), (404, "no-such-source"))
        equal(keeper.get(device(A, "nobody")).status, 404)
        equal(keeper.delete(device(A, "nobody")).status, 404)
        equal(keeper.get("/v1/sources/nobody/export").status, 404)
        equal(keeper.load("nobody", "imei\n").status, 404)
        equal(keeper.serial(), 2)


def test_device_put_get_delete():
    with Keeper() as keeper:
        equal(keeper.get(device(A)).code, "not-listed")
        answer = keeper.put(device("35-209900-176148-1"), {"list": "black", "reason": "stolen"}).json
        equal((answer["imei"], answer["device"], answer["changed"], answer["serial"]), (A, A14, True, 2))
        equal((answer["before"], answer["after"], answer["others"]), ("unknown", "black", 0))
        equal(keeper.colour(A), "black")
        again = keeper.put(device(A), {"list": "black", "reason": "stolen"}).json
        equal((again["changed"], again["serial"]), (False, 2))
        entry = keeper.get(device(A14)).json
        equal((entry["list"], entry["reason"], entry["source"], entry["serial"]), ("black", "stolen", "local", 2))
        changed = keeper.put(device(A), {"list": "grey"}).json
        equal((changed["changed"], changed["before"], changed["after"]), (True, "black", "grey"))
        gone = keeper.delete(device(A)).json
        equal((gone["changed"], gone["before"], gone["after"], gone["serial"]), (True, "grey", "unknown", 4))
        equal(keeper.delete(device(A)).json["changed"], False)
        equal(keeper.get(device(A)).status, 404)


def test_every_form_is_one_device():
    with Keeper() as keeper:
        for form in (A14, A, "35209900176148%200", "35-209900-176148-1", "35.209900/176148/1".replace("/", "%2F")):
            answer = keeper.put(device(form))
            equal((form, answer.status, answer.json["imei"]), (form, 200, A))
        equal(keeper.serial(), 2)


def test_a_device_listed_in_any_form_is_found_in_any_other():
    forms = (A14, A, A14 + "23", A + "/23", A14 + "07")
    for listed in forms:
        with Keeper() as keeper:
            answer = keeper.put(device(listed.replace("/", "%2F")), {"list": "black"})
            equal((listed, answer.status, answer.json["imei"]), (listed, 200, A))
            for asked in forms:
                equal((listed, asked, keeper.colour(asked)), (listed, asked, "black"))


def test_versions_are_listed_apart_where_they_are_named():
    with Keeper() as keeper:
        equal(keeper.put(device(A14) + "?svn=2").code, "svn")
        answer = keeper.put(device(A14) + "?svn=23", {"list": "black"}).json
        equal(answer["entry"]["svn"], 23)
        equal(keeper.colour(A14 + "23"), "black")
        equal(keeper.colour(A + "%s" % "/23"), "black")
        equal(keeper.colour(A14 + "24"), "unknown")
        equal(keeper.colour(A14), "unknown")
        equal(keeper.get(device(A14)).status, 404)
        equal(keeper.get(device(A14 + "23")).status, 404)
        equal(keeper.get(device(A14) + "?svn=23").status, 200)
        keeper.put(device(A14) + "?svn=24", {"list": "white"})
        keeper.put(device(A14), {"list": "black"})
        equal(keeper.colour(A14 + "24"), "black")
        equal(keeper.delete(device(A14) + "?svn=23").json["changed"], True)


def test_a_wrong_check_digit_is_refused_and_corrected():
    with Keeper() as keeper:
        answer = keeper.put(device(A14 + "7"))
        equal((answer.status, answer.code, answer.json["correction"]), (422, "check-digit", A))
        contains(answer.json["detail"], A + " would be right")
        equal(keeper.serial(), 1)
        answer = keeper.put(device(A14 + "7") + "?check=ignore")
        equal((answer.status, answer.json["imei"]), (200, A))
        equal(answer.json["remark"], {"code": "check-digit", "given": 7, "correction": A})
        equal(keeper.put(device(A14 + "0")).json["changed"], False)  # the spare digit of a network
        equal(keeper.delete(device(A14 + "7")).json["changed"], True)  # what is taken off needs no care
        answer = keeper.put(f"/v1/sources/local/pairs/{A14}7/{IMSI}")
        equal((answer.status, answer.code), (422, "check-digit"))


def test_bad_devices():
    with Keeper() as keeper:
        for bad in ("3520990017614", "352099001761481234", "3520990O176148", "x", "%20"):
            for method in ("PUT", "GET", "DELETE"):
                answer = keeper.ask(method, device(bad))
                equal((bad, answer.status, answer.code), (bad, 422, "imei"))
        equal(keeper.serial(), 1)


def test_bad_bodies():
    rows = (
        ("{", 400, "json"), ("[]", 400, "json"), ('"black"', 400, "json"),
        ('{"list":"grey","list":"grey"}', 400, "json"),
        ('{"list":"blue"}', 422, "list"), ('{"list":"unknown"}', 422, "list"), ('{"list":7}', 422, "list"),
        ('{"reason":"bored"}', 422, "reason"), ('{"lists":"black"}', 422, "member"),
        ('{"pair":"allow"}', 422, "member"),
        ('{"l\u00e4st":"black"}'.encode(), 422, "member"), ('{"list":"black"} x', 400, "json"),
        ("{" + " " * 4100 + "}", 413, "too-large"), ("[" * 4000, 400, "json"), (b'{"list":"bl\x00ck"}', 400, "json"),
    )
    with Keeper() as keeper:
        for body, status, code in rows:
            answer = keeper.put(device(A), body)
            equal((body[:40], answer.status, answer.code), (body[:40], status, code))
        answer = keeper.ask("GET", "/v1/status", "a body")
        equal((answer.status, answer.code), (413, "too-large"))
        equal(keeper.serial(), 1)


def test_ranges_and_tacs():
    path = "/v1/sources/local/ranges/"
    with Keeper() as keeper:
        answer = keeper.put(path + "35209900000000-35209900999998", {"list": "grey", "reason": "counterfeit"}).json
        equal(answer["changed"], True)
        equal((answer["entry"]["from"], answer["entry"]["to"]), ("35209900000000", "35209900999998"))
        equal(keeper.check(A)["verdict"], {"colour": "grey", "answer": "colour", "reason": "counterfeit", "step": 9,
                                          "step_name": "range", "serial": 2})
        equal(keeper.colour("35209900999999"), "unknown")
        equal(keeper.get(path + "35209900000000-35209900999998").json["list"], "grey")
        equal(keeper.get(path + "35209900000000-35209900999999").status, 404)
        equal(keeper.put("/v1/sources/local/tacs/35209900", {"list": "black"}).json["entry"]["to"], "35209900999999")
        equal(keeper.colour("35209900999999"), "black")
        equal(keeper.delete("/v1/sources/local/tacs/35209900").json["changed"], True)
        equal(keeper.delete(path + "35209900000000-35209900999998").json["changed"], True)
        equal(keeper.colour(A), "unknown")
        for bad in ("35209900000000", "35209900999999-35209900000000", "3520990000000-35209900999999",
                    "35209900000000-3520990099999x", "35209900000000_35209900999999"):
            equal((bad, keeper.put(path + bad).code), (bad, "range"))
        for bad in ("3520990", "352099001", "3520990x"):
            equal((bad, keeper.put("/v1/sources/local/tacs/" + bad).code), (bad, "tac"))
        equal(keeper.verify()["clean"], True)


def test_pairs():
    path = f"/v1/sources/local/pairs/{A}/"
    with Keeper() as keeper:
        equal(keeper.put(path + IMSI, {"pair": "deny", "reason": "fraud"}).json["entry"]["pair"], "deny")
        equal(keeper.colour(A, imsi=IMSI), "black")
        equal(keeper.colour(A), "unknown")
        equal(keeper.colour(A, imsi="001010000000002"), "unknown")
        equal(keeper.get(path + IMSI).json["pair"], "deny")
        keeper.put(device(A))
        equal(keeper.put(path + IMSI, {"pair": "allow"}).json["changed"], True)
        equal((keeper.colour(A, imsi=IMSI), keeper.colour(A)), ("white", "black"))
        keeper.put(path + IMSI, {"pair": "fixed"})
        equal(keeper.colour(B, imsi=IMSI), "black")
        equal(keeper.delete(path + IMSI).json["changed"], True)
        equal(keeper.colour(B, imsi=IMSI), "unknown")
        equal(keeper.put(path + "1234", {}).code, "imsi")
        equal(keeper.put(path + "00101000000000x", {}).code, "imsi")
        equal(keeper.put(path + IMSI, {"pair": "none"}).code, "pair")
        equal(keeper.put(path + IMSI, {"list": "black"}).code, "member")
        equal(keeper.put(f"/v1/sources/local/pairs/{A}").status, 404)
        equal(keeper.verify()["clean"], True)


def test_only_the_owner_takes_off():
    with Keeper() as keeper:
        keeper.put("/v1/sources/police")
        keeper.put(device(A, "police"), {"list": "black", "reason": "stolen"})
        answer = keeper.put(device(A), {"list": "white"}).json
        equal((answer["before"], answer["after"], answer["others"]), ("black", "black", 1))
        answer = keeper.get("/v1/devices/" + A).json
        equal([(e["source"], e["list"]) for e in answer["entries"]], [("local", "white"), ("police", "black")])
        equal((answer["verdict"]["colour"], answer["facts"]["device"]["lists"]), ("black", ["white", "black"]))
        answer = keeper.delete(device(A)).json
        equal((answer["after"], answer["others"]), ("black", 1))
        equal(keeper.delete(device(A, "police")).json["after"], "unknown")


def test_history():
    with Keeper() as keeper:
        keeper.put(device(A), {"list": "black", "reason": "stolen"})
        keeper.put(device(B))
        keeper.put("/v1/sources/police")
        equal(keeper.load("police", f"imei,list\n{A},grey\n{B},grey\n").status, 200)
        keeper.delete(device(A))
        answer = keeper.get(f"/v1/devices/{A}/history").json
        equal([(e["serial"], e["event"], e["source"], e["row"]["list"]) for e in answer["events"]],
              [(2, "put", "local", "black"), (5, "merge", "police", "grey"), (6, "remove", "local", "black")])
        equal({e["actor"].split("(")[0] for e in answer["events"]}, {f"uid:{os.getuid()}"})
        equal(keeper.get("/v1/devices/352099009999999/history").json["events"], [])
        equal(keeper.get("/v1/devices/x/history").code, "imei")


def test_check():
    with Keeper() as keeper:
        answer = keeper.check(A + "/23")
        equal((answer["imei"], answer["svn"], answer["imsi"], answer["interface"]), (A, 23, None, "gsup"))
        equal(answer["trace"][-1]["name"], "default")
        equal([line["decided"] for line in answer["trace"]].count(True), 1)
        equal(keeper.check(A, interface="s13")["interface"], "s13")
        equal(keeper.check("000000000000000")["class"], "all-zero")
        equal(keeper.get("/v1/check").code, "imei")
        equal(keeper.get("/v1/check?imei=1").code, "imei")
        equal(keeper.get(f"/v1/check?imei={A}&imsi=1").code, "imsi")
        equal(keeper.get(f"/v1/check?imei={A}&interface=smoke").code, "interface")
        equal(keeper.get(f"/v1/check?imei={A}&imei={A}").status, 400)


def test_rebuild_and_verify():
    with Keeper() as keeper:
        keeper.put(device(A))
        before = keeper.get("/v1/status").json["register"]
        equal(keeper.ask("POST", "/v1/rebuild").json, {"rebuilt": True})
        after = keeper.get("/v1/status").json["register"]
        equal(after["generation"], before["generation"] + 1)
        equal(after["digest"], before["digest"])
        equal(keeper.colour(A), "black")
        equal(keeper.verify(), {"whole": True, "clean": True, "findings": 0, "sentences": []})
        lines = keeper.ask("POST", "/v1/verify", headers={"Accept": "application/x-ndjson"}).text.splitlines()
        equal(json.loads(lines[-1]), {"result": {"whole": True, "clean": True, "findings": 0}})


def test_a_change_during_a_rebuild_is_not_in_force_yet():
    with Keeper() as keeper:
        rows = "".join(f"{35209900000000 + i}\n" for i in range(200000))
        equal(keeper.ask("POST", "/v1/sources/local/import", "imei\n" + rows).status, 200)
        answer = []
        rebuild = threading.Thread(target=lambda: answer.append(keeper.ask("POST", "/v1/rebuild")))
        rebuild.start()
        waiting = []
        n = 0
        while rebuild.is_alive():
            put = keeper.put(device(f"{35300000000000 + n}"))
            n += 1
            equal((put.status, put.json["in_force"]), (200, True) if put.status == 200 else (202, False))
            waiting.append(put.status == 202)
        rebuild.join()
        equal(answer[0].status, 200)
        equal(any(waiting), True)
        equal(keeper.get("/v1/status").json["register"]["lag"], 0)
        equal([keeper.colour(f"{35300000000000 + i}") for i in range(n)], ["black"] * n)
        last = keeper.put(device(f"{35300000000000 + n}"))
        equal((last.status, last.json["in_force"]), (200, True))


def test_all_is_there_after_a_restart():
    with Keeper() as keeper:
        keeper.put(device(A))
        serial = keeper.serial()
        equal(keeper.stop(), 0)
        assert not os.path.exists(keeper.socket)
        keeper.start()
        equal((keeper.serial(), keeper.colour(A)), (serial, "black"))
        keeper.kill()
        assert os.path.exists(keeper.socket)  # stale: it is taken over
        keeper.start()
        equal((keeper.serial(), keeper.colour(A)), (serial, "black"))


def test_two_keepers_do_not_share_a_directory():
    with Keeper() as keeper:
        other = subprocess.run([api_lib.KEEPER, "-S", keeper.state, "-c", "/dev/null", "-s",
                                "-C", f"line vty; bind 127.0.0.1 {api_lib.BASE + 10}",
                                "-C", f"ctrl; bind 127.0.0.1 {api_lib.BASE + 11}",
                                "-C", f"admin; listen 127.0.0.1 {api_lib.BASE + 12}"],
                               capture_output=True, text=True, timeout=20, env={**os.environ, "NOTIFY_SOCKET": ""})
        equal(other.returncode, 1)
        contains(other.stderr, f"another weir-keeper (pid {keeper.process.pid}) works in {keeper.state}")
        for name in ("keeper.sock", "keeper.sightings"):
            assert os.path.exists(os.path.join(keeper.state, name)), name
        equal(keeper.put(device(A)).status, 200)
        equal(keeper.colour(A), "black")


def test_a_full_disk_refuses_and_loses_nothing():
    """507, nothing of it happened, and all goes on when there is room again."""
    with tempfile.TemporaryDirectory() as top:
        if not os.environ.get("WEIR_IN_NAMESPACE") or \
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", top], capture_output=True).returncode:
            return
        with Keeper(state=top + "/state") as keeper:
            equal(keeper.put(device(imei(0))).status, 200)
            ballast = os.open(top + "/ballast", os.O_WRONLY | os.O_CREAT)
            try:
                while os.write(ballast, bytes(4096)):
                    pass
            except OSError:
                os.close(ballast)
            known, codes = {0}, set()
            for number in range(1, 200):
                answer = keeper.put(device(imei(number)))
                assert answer.status in (200, 507), answer.text
                if answer.status == 200:
                    known.add(number)
                else:
                    codes.add(answer.code)
            equal(codes, {"disk-full"})
            serial = keeper.serial()
            equal(serial, len(known) + 1)
            answer = keeper.load("local", "imei\n" + "".join(imei(n) + "\n" for n in range(1000, 3000)))
            equal((answer.status, answer.code, keeper.serial()), (507, "disk-full", serial))
            os.unlink(top + "/ballast")
            equal(keeper.put(device(imei(500))).json["serial"], serial + 1)
            deadline = time.monotonic() + 5
            while keeper.get("/readyz").status != 200:
                assert time.monotonic() < deadline, keeper.get("/readyz").text
                time.sleep(0.1)
            for number in range(200):
                equal((number, keeper.colour(imei(number))), (number, "black" if number in known else "unknown"))
            equal(keeper.verify()["clean"], True)
        subprocess.run(["umount", top], check=True)


def test_a_phone_that_turns_black_is_told_to_the_gate():
    """With whom it was last seen in, as the gate reported a moment before."""
    with Keeper() as keeper:
        gate = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        gate.bind(os.path.join(keeper.state, "gate.orders"))
        gate.settimeout(5)
        now = int(time.time())
        item = struct.pack(">QQIbBBB40s", int(A14), int("1" + IMSI), now, -1, 0, 3, 0, b"msc-1")
        sighting = struct.pack(">4sBBH", b"WSig", 1, 1, 8 + len(item)) + item
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.sendto(sighting, os.path.join(keeper.state, "keeper.sightings"))
        sender.sendto(b"junk", os.path.join(keeper.state, "keeper.sightings"))
        deadline = time.monotonic() + 5
        while not (seen := keeper.get("/v1/devices/" + A).json["seen"]):
            assert time.monotonic() < deadline
        equal((len(seen), seen[0]["imsi"], seen[0]["peer"], seen[0]["interface"]), (1, IMSI, "msc-1", "gsup"))
        keeper.put(device(A))
        magic, _, count, _, after, serial, key, subscriber, peer = struct.unpack(">4sBBHQQQQ40s8x", gate.recv(9000))
        equal((magic, count, after, serial), (b"WFlp", 1, 1, 2))
        equal((key, subscriber, peer.rstrip(b"\0")), (int(A14), int("1" + IMSI), b"msc-1"))
        contains(keeper.get("/metrics").text, "weir_keeper_sightings_malformed_total 1\n")


def test_configuration():
    example = os.path.join(api_lib.SOURCE, "doc/examples/weir-keeper.cfg")
    with tempfile.TemporaryDirectory() as top:
        done = subprocess.run([api_lib.KEEPER, "-S", top + "/none", "-c", example, "-t"], capture_output=True,
                              timeout=20)
        equal(done.returncode, 0)
        for lines, sentence in (("api\n allow user no-such-user-here read\n", "there is no user 'no-such-user-here'"),
                                ("api\n allow group no-such-group-x write\n", "there is no group"),
                                ("api\n connections 3\n", ""), ("seen\n days 0\n", "")):
            path = top + "/bad.cfg"
            with open(path, "w", encoding="ascii") as out:
                out.write(lines)
            done = subprocess.run([api_lib.KEEPER, "-S", top + "/none", "-c", path, "-t"], capture_output=True,
                                  text=True, timeout=20)
            equal(done.returncode, 1)
            contains(done.stderr, f"{path}:2: {sentence}")
        assert not os.path.exists(top + "/none")


def test_vty_shows_and_writes():
    with Keeper("api; allow uid 4711 write", "api; connections 100") as keeper:
        text = api_lib.vty("show status", "show sources", "show import", "enable", "show running-config")
        for part in ("Ledger: serial 1", "Register: serial 1, lag 0", "local", "no import is under way",
                     " allow uid 4711 write\r\n", " connections 100\r\n", "seen\r\n"):
            contains(text, part)
        equal(keeper.get("/livez").status, 200)


if __name__ == "__main__":
    api_lib.enter_namespace(__file__)
    tap.run(globals())
