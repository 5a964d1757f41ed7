#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# GSUP Check-IMEI: weir-gate with ROWS devices listed, against a bare epoll echo of the same frames and against Debian's
# osmo-hlr answering the same checks (one known subscriber, IMEIs not stored, which is its fastest).  Rounds are
# interleaved; what counts are the medians of the ratios within a round.  Servers stay on core 0; the client shares it
# at depth 1 and has the other one otherwise; weir-keeper, which stores who was seen, runs where there is room.
#
#   ROWS=10000000 ROUNDS=5 DEPTHS="1 64 256" gsup.sh
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
in_namespace "$@"
depths=${DEPTHS:-1 64 256}
begin
for program in bench_gsup echo; do
	[ -x "$bench/$program" ] || die "$bench/$program is not built"
done
have_hlr=
command -v osmo-hlr >/dev/null && have_hlr=1 || echo "# osmo-hlr is not installed: not compared"

set_up() {
	start_keeper
	list_devices
	rm -f "$work/list.csv"
	start gate "$top_builddir/src/weir-gate" -S "$work/state" -c "$top_srcdir/doc/examples/weir-gate.cfg" \
		-C 'gsup; no hlr'
	gate=$pid
	start echo "$bench/echo" 5222
	echo=$pid
	gate_listens 4222
	wait_for 10 port_open 127.0.0.1 5222 || die "the echo does not listen"
	[ -z "$have_hlr" ] || set_up_hlr
	for pid in $gate $echo ${have_hlr:+$hlr}; do taskset -acp 0 "$pid" >/dev/null; done
}

set_up_hlr() {
	sed '/store-imei/d; s/set-all info/set-all error/' "$top_srcdir/tests/e2e/cfg/osmo-hlr.cfg" >"$work/hlr.cfg"
	start hlr osmo-hlr -c "$work/hlr.cfg" -l "$work/hlr.db"
	hlr=$pid
	wait_for 10 port_open 127.0.0.2 4222 || die "osmo-hlr does not listen"
	exec 3<>/dev/tcp/127.0.0.1/4258
	printf 'enable\nsubscriber imsi 001010000000001 create\nexit\n' >&3
	timeout 5 cat <&3 >/dev/null
	exec 3>&-
}

# measure SERVER DEPTH ROUND: one line of results
measure() {
	local server=$1 depth=$2 round=$3 core=1 count how
	[ "$depth" = 1 ] || [ "$(nproc)" = 1 ] && core=0
	count=$((depth == 1 ? 100000 : depth < 200 ? 600000 : 1500000))
	case $server in
	echo) how="-E -p 5222 -P $echo" ;;
	weir) how="-L -p 4222 -P $gate" ;;
	hlr) how="-H -a 127.0.0.2 -p 4222 -P $hlr"; count=$((depth == 1 ? 40000 : 60000)) ;;
	esac
	[ $count -le $((2 * rows)) ] || count=$((2 * rows))
	# shellcheck disable=SC2086 # $how is words
	line=$(taskset -c $core "$bench/bench_gsup" $how -r "$rows" -c "$count" -d "$depth" -s "$round$depth") ||
		die "$server at depth $depth failed"
	[ "$round" = 0 ] || echo "$round $depth $server $line" >>"$work/results"
}

report() {
	local depth server
	printf '%-6s %-6s %12s %10s %10s %12s\n' depth server 'answers/s' 'p50 us' 'p99 us' 'CPU ns each'
	for depth in $depths; do
		for server in $servers; do
			printf '%-6s %-6s %12.0f %10.1f %10.1f %12.0f\n' "$depth" "$server" \
				"$(column "$server" "$depth" 4 | median)" \
				"$(column "$server" "$depth" 5 | median | awk '{ print $1 / 1000 }')" \
				"$(column "$server" "$depth" 6 | median | awk '{ print $1 / 1000 }')" \
				"$(column "$server" "$depth" 7 | median)"
		done
	done
	for depth in $depths; do
		printf 'depth %-4s weir/echo: rate %.2f  p50 %.2f  CPU %.2f' "$depth" "$(ratio weir echo "$depth" 4)" \
			"$(ratio weir echo "$depth" 5)" "$(ratio weir echo "$depth" 7)"
		[ -z "$have_hlr" ] ||
			printf '   weir/hlr: rate %.2f  p50 %.2f  CPU %.2f' "$(ratio weir hlr "$depth" 4)" \
				"$(ratio weir hlr "$depth" 5)" "$(ratio weir hlr "$depth" 7)"
		echo
	done
}

set_up
servers="echo weir${have_hlr:+ hlr}"
for round in $(seq 0 "$rounds"); do # round 0 warms up: pages, caches, prepared statements
	for depth in $depths; do
		for server in $servers; do
			measure "$server" "$depth" "$round"
		done
	done
done
report
case " $depths " in *" 1 "*) goal "p50 at depth 1, over the echo's" "$(ratio weir echo 1 5)" '<=' 1.3 ;; esac
[ -z "$have_hlr" ] ||
	case " $depths " in *" 64 "*) goal "rate at depth 64, over osmo-hlr's" "$(ratio weir hlr 64 4)" '>=' 6 ;; esac
exit 0
