#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""Lists as people send them: what weirctl import says of good and broken files; export gives back what went in.

One row a file: its bytes, what must be taken, and which rows must be rejected with which code at which line.
"""
import csv
import io
import json

import rig
import weir

A, B, C, D = "001000010000015", "001000010000023", "001000010000031", "001000010000049"
HEAD = "imei,list\n"

# name, bytes, rows taken, [(line, code)] of rejected rows, [(line, code)] of remarks
FILES = (
    ("a good file", HEAD + "%s,black\n%s,white\n" % (A, B), 2, [], []),
    ("no header: one column of devices", "%s\n%s\n" % (A, B), 2, [], []),
    ("a byte order mark and CRLF", "\ufeff" + HEAD.replace("\n", "\r\n") + A + ",black\r\n", 1, [], []),
    ("semicolons and quotes", 'imei;list\n"%s";"black"\n' % A, 1, [], []),
    ("columns nobody knows, in any order and case", "Owner,LIST,Imei\n\"Smith; \"\"J\"\"\",grey,%s\n" % A, 1, [], []),
    ("a misspelt column", "imei,colour\n%s,white\n" % A, 1, [], [(1, "unknown-column")]),
    ("separators in an IMEI", HEAD + "00-100001-000001-5,black\n", 1, [], []),
    ("13 digits", HEAD + "0010000100000,black\n%s,black\n" % A, 1, [(2, "too-short")], []),
    ("18 digits", HEAD + "001000010000015123,black\n%s,black\n" % A, 1, [(2, "too-long")], []),
    ("letters", HEAD + "00100001000O015,black\n%s,black\n" % A, 1, [(2, "bad-character")], []),
    ("a NUL in a row", (HEAD + "00100001\0000001,black\n%s,black\n" % A), 1, [(2, "bad-character")], []),
    ("a row without an IMEI", HEAD + ",black\n%s,black\n" % A, 1, [(2, "empty")], []),
    ("a list nobody knows", HEAD + "%s,purple\n%s,black\n" % (A, B), 1, [(2, "bad-list")], []),
    ("a row of 8 KiB", HEAD + "9" * 8192 + ",black\n%s,black\n" % A, 1, [(2, "row-too-long")], []),
    ("a wrong check digit is only remarked", HEAD + A[:14] + "9,black\n", 1, [], [(2, "check-digit")]),
    ("the same row twice is one", HEAD + "%s,black\n" % A * 2, 1, [], []),
    ("the same device on another list is a conflict", HEAD + "%s,black\n%s,white\n" % (A, A), 1, [(3, "conflict")], []),
    ("a file cut in the middle of a quoted cell", HEAD + '%s,black\n"0010000' % A, 1, [(3, "bad-quotes")], []),
    ("a file cut in the middle of a number", HEAD + "%s,black\n0010000" % A, 1, [(3, "cut")], []),
    ("a last row without its newline", HEAD + "%s,black\n%s,black" % (A, B), 2, [], []),
)
# name, bytes: nothing can be read at all
UNREADABLE = (
    ("an empty file", ""),
    ("a file of NULs", "\0" * 5000),
    ("a header without any column we know", "colour,owner\nblack,Smith\n"),
    ("a photograph", bytes(range(256)) * 64),
)


def write(r, text):
    path = r.path("list.csv")
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def told(receipt, remark):
    return [(row["line"], row["code"]) for row in receipt["rejects"] if row["remark"] == remark]


def row_by_row(t, r, w):
    for number, (name, text, rows, rejected, remarks) in enumerate(FILES):
        source = "file%d" % number
        status, said = w.ctl("--json", "import", write(r, text), "--source", source)
        if not t.equal(status, 0, name + ": imported"):
            t.note(said)
            continue
        receipt = json.loads(said)
        found = (receipt["rows"], told(receipt, False), told(receipt, True))
        t.equal(found, (rows, rejected, remarks), name + ": as told")
        exported = list(csv.DictReader(io.StringIO(w.must("export", "--source", source))))
        t.equal(len(exported), rows, name + ": as exported")


def unreadable(t, r, w):
    for number, (name, text) in enumerate(UNREADABLE):
        source = "junk%d" % number
        status, said = w.ctl("import", write(r, text), "--source", source)
        t.ok(status == 2 and len(said) > 20, name + " is refused in words", (status, said))
        t.equal(len(w.must("export", "--source", source).splitlines()), 1, name + " leaves nothing behind")
    status, said = w.ctl("import", r.path("no-such-file"), "--source", "x")
    t.ok(status not in (0, 2) and "no-such-file" in said, "a file that is not there is refused here", (status, said))


def dry_run(t, r, w):
    path = write(r, HEAD + "%s,black\n%s,black\n" % (C, D))
    receipt = w.json("import", path, "--source", "dry", "--dry-run")
    t.equal((receipt["rows"], receipt["added"], receipt["in_force"]), (2, 2, False), "a dry run says what it would do")
    t.equal(len(w.must("export", "--source", "dry").splitlines()), 1, "and does nothing")


def modes(t, r, w):
    w.json("import", write(r, HEAD + "%s,black\n%s,black\n" % (C, D)), "--source", "modes")
    receipt = w.json("import", write(r, HEAD + "%s,black\n" % C), "--source", "modes", "--mode", "replace")
    t.equal((receipt["removed"], receipt["unchanged"]), (1, 1), "replace takes off what the file lacks")
    receipt = w.json("import", write(r, HEAD + "%s,black\n" % C), "--source", "modes", "--mode", "take-off")
    t.equal(receipt["removed"], 1, "take-off takes off what the file has")


def too_many_rejects(t, r, w):
    path = write(r, HEAD + "%s,black\n" % A + "1234,black\n" * 50)
    status, said = w.ctl("import", path, "--source", "many", "--max-rejects", "49")
    t.ok(status == 2, "an import with too many rejected rows is refused whole", (status, said))
    t.equal(len(w.must("export", "--source", "many").splitlines()), 1, "and leaves nothing behind")


def there_and_back(t, r, w):
    """The sample list; its export imported into another source exports the same."""
    w.must("import", rig.example("sample-list.csv"), "--source", "sample")
    once = w.must("export", "--source", "sample")
    w.must("import", write(r, once), "--source", "again")
    twice = w.must("export", "--source", "again").replace(",again", ",sample")
    t.equal(twice, once, "an export imported again exports the same")
    with open(rig.example("sample-list.csv")) as f:
        t.equal(len(once.splitlines()), len(f.readlines()), "and has every row of the sample list")


def nobody_elses(t, r, w):
    """Only the owning source removes its own entry."""
    for source in ("operator", "police"):
        w.must("source", source)
        w.must("block", C, "--source", source)
    w.must("unblock", C, "--source", "operator")
    t.equal(w.ctl("check", C)[0], 4, "a device that two sources block stays blocked when one takes it off")
    w.must("unblock", C, "--source", "police")
    t.equal(w.ctl("check", C)[0], 0, "and is free when both have")


def body(r):
    w = weir.Weir(r, hlr=False)
    w.start_keeper()
    for scene in (nobody_elses, row_by_row, unreadable, dry_run, modes, too_many_rejects, there_and_back):
        scene(r.tap, r, w)
    status, said = w.ctl("verify")
    r.tap.ok(status == 0, "ledger and register agree", said)
    r.tap.equal(w.keeper.end(), 0, "the keeper ends in order")


if __name__ == "__main__":
    rig.in_namespace()
    rig.Rig("lists").run(body, 120)
