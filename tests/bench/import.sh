#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Import of ROWS shuffled devices through weirctl (every row checked, in the ledger, in the register, durable when
# weirctl returns) against sqlite3's .import of the same rows into a table with a primary key, with its journal and its
# syncs off, which is its fastest and promises nothing.  Both begin with nothing; rounds are interleaved.
#
#   ROWS=10000000 ROUNDS=1 import.sh
set -u
ROUNDS=${ROUNDS:-1}
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
in_namespace "$@"
begin
command -v sqlite3 >/dev/null || die "sqlite3 is not installed"

import_weir() {
	rm -rf "$work/state"
	start_keeper
	seconds weirctl import "$work/list.csv" --source bench >"$work/import.log" 2>&1
	weir=$took
	check_weir
	kill "$pid" && wait "$pid" 2>/dev/null
}

# It is all there: the keeper counts as many entries, and a listed and a free device are told apart.
check_weir() {
	local entries listed free
	entries=$(weirctl export --source bench | tail -n +2 | wc -l)
	[ "$entries" = "$rows" ] || die "$entries rows were exported, $rows imported"
	listed=$(tail -1 "$work/list.csv" | cut -d, -f1)
	free=350000000000006
	weirctl check "$listed" | grep -q black || die "a listed device is not black"
	! weirctl check "$free" | grep -q black || die "a device on no list is black"
}

import_sqlite() {
	rm -f "$work/yardstick.db"
	seconds sqlite3 "$work/yardstick.db" 'PRAGMA journal_mode=OFF' 'PRAGMA synchronous=OFF' \
		'CREATE TABLE device(imei INTEGER PRIMARY KEY, list TEXT, reason TEXT)' '.mode csv' \
		".import --skip 1 '$work/list.csv' device" >"$work/sqlite.log"
	sqlite=$took
	[ "$(sqlite3 "$work/yardstick.db" 'SELECT count(*) FROM device')" = "$rows" ] ||
		die "sqlite3 did not take it all"
	rm -f "$work/yardstick.db"
}

"$bench/gen_list" "$rows" >"$work/list.csv" || die "no list"
for round in $(seq "$rounds"); do
	import_weir
	import_sqlite
	echo "round $round: weir $weir s, sqlite3 $sqlite s"
	echo "$weir $sqlite" >>"$work/results"
done
printf 'median: weir %.2f s (%.2f million rows/s), sqlite3 %.2f s\n' "$(cut -d' ' -f1 "$work/results" | median)" \
	"$(awk -v n="$rows" '{ print n / $1 / 1e6 }' "$work/results" | median)" \
	"$(cut -d' ' -f2 "$work/results" | median)"
goal "import speed, over sqlite3's" "$(awk '{ print $2 / $1 }' "$work/results" | median)" '>=' 5
