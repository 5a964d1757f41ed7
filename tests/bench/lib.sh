# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What the benchmarks share: a network namespace, a folder that ends with the run, Weir with its example configurations,
# medians, and the sentence that says whether a goal was reached.  Sourced, not run.
# shellcheck shell=bash disable=SC2034

top_srcdir=${TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
top_builddir=${TOP_BUILDDIR:-$top_srcdir/build}
bench=$top_builddir/tests/bench
rows=${ROWS:-10000000}
rounds=${ROUNDS:-5}
pids=()

die() { echo "$0: $*" >&2; exit 1; }

# Again in a network namespace of our own: well-known ports are free there and nobody else's traffic is measured.
in_namespace() {
	[ -n "${BENCH_NAMESPACE:-}" ] && { ip link set lo up; return; }
	local as_root=()
	[ "$(id -u)" = 0 ] || as_root=(-r)
	BENCH_NAMESPACE=1 exec unshare -n "${as_root[@]}" bash "$0" "$@"
}

clean_up() {
	local pid
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
	rm -rf "$work"
}

begin() {
	local program
	work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX") || exit 1
	trap clean_up EXIT
	trap 'exit 1' INT TERM
	for program in "$bench/gen_list" "$top_builddir/src/weir-keeper" "$top_builddir/src/weirctl"; do
		[ -x "$program" ] || die "$program is not built (make bench builds it)"
	done
	echo "# $(nproc) cores, $(uname -r), load $(cut -d' ' -f1 /proc/loadavg); ROWS=$rows ROUNDS=$rounds"
}

# start NAME COMMAND...: in the background, its id in $pid, what it says in NAME.log
start() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pid=$!
	pids+=("$pid")
}

# wait_for SECONDS COMMAND...: until the command succeeds
wait_for() {
	local stop=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $stop ] || return 1
		sleep 0.1
	done
}

port_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

weirctl() { "$top_builddir/src/weirctl" -S "$work/state" "$@"; }

start_keeper() {
	start keeper "$top_builddir/src/weir-keeper" -S "$work/state" -c "$top_srcdir/doc/examples/weir-keeper.cfg"
	wait_for 20 weirctl status || { tail -5 "$work/keeper.log" >&2; die "weir-keeper does not come up"; }
}

# It keeps what the gate has seen meanwhile, as always, but takes no time from a client on the same core.
start_keeper_aside() {
	start_keeper
	chrt --idle --all-tasks --pid 0 "$pid" || die "chrt cannot set weir-keeper aside"
}

# seconds COMMAND...: run it; how long it took in $took
seconds() {
	local before=$EPOCHREALTIME
	"$@" || die "$* failed"
	took=$(awk -v a="$before" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')
}

# $rows devices on a list; the keeper must be there.
list_devices() {
	"$bench/gen_list" "$rows" >"$work/list.csv" || die "no list"
	seconds weirctl import "$work/list.csv" --source bench >"$work/import.log" 2>&1
	echo "# $rows devices imported in $took s"
}

# gate_listens PORT: waited for
gate_listens() {
	wait_for 10 port_open 127.0.0.1 "$1" || { tail -5 "$work/gate.log" >&2; die "weir-gate does not listen"; }
}

# The median of the numbers on standard input.
median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# goal SENTENCE FIGURE '<='|'>=' WANTED
goal() {
	awk -v s="$1" -v f="$2" -v op="$3" -v w="$4" 'BEGIN {
		reached = op == "<=" ? f <= w : f >= w
		printf "goal %s: %s is %.2f, wanted %s %s\n", reached ? "reached" : "MISSED", s, f, op, w }'
}

# Results are lines in $work/results: round, case, server, numbers.
#
# column SERVER CASE N: the values of one column, by round
column() { awk -v s="$1" -v d="$2" -v n="$3" '$3 == s && $2 == d { print $n }' "$work/results"; }

# ratio A B CASE N: the median of A's column over B's, round by round
ratio() { paste <(column "$1" "$3" "$4") <(column "$2" "$3" "$4") | awk '{ print $1 / $2 }' | median; }
