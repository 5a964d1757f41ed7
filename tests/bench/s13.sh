#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Diameter S13: weir-gate with ROWS devices listed, against a bare epoll echo that takes and gives as many octets (an
# answer for each request, of the sizes that the gate's have: 348 and 252), and against Debian's freeDiameter answering
# the same constant ECA to everything (tests/peers).  Each request has a Session-Id and an IMEI of its own, one in two
# listed.  Rounds are interleaved; what counts are the medians of the ratios within a round.  Servers stay on core 0;
# the client shares it at depth 1 on one connection and has the other one otherwise; weir-keeper runs where
# nothing else wants to.
#
# Then the gate alone, against itself: at depth 1, with more and more connections that all ask, and with one that asks
# among more and more that are silent.  Allocations are counted by a library that is preloaded into the gate.
#
#   ROWS=10000000 ROUNDS=5 DEPTHS="1 16 64 256" CONNECTIONS="1 4" CROWDS="1 10 100 1000" s13.sh
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
in_namespace "$@"
depths=${DEPTHS:-1 16 64 256}
connections=${CONNECTIONS:-1 4}
crowds=${CROWDS:-1 10 100 1000}
realm=epc.mnc001.mcc001.3gppnetwork.org
first=0 # of the names that freeDiameter has not seen yet
begin
for program in bench_s13 echo count_malloc.so; do
	[ -x "$bench/$program" ] || die "$bench/$program is not built"
done
ulimit -n "$(ulimit -Hn)"
fdx=$top_builddir/tests/peers/weir_s13.fdx
have_fd=
if command -v freeDiameterd >/dev/null && [ -f "$fdx" ]; then have_fd=1
else echo "# freeDiameter with weir_s13.fdx is not there: not compared"; fi

set_up() {
	start_keeper_aside
	list_devices
	rm -f "$work/list.csv"
	head -c 8 /dev/zero >"$work/allocations"
	start gate env LD_PRELOAD="$bench/count_malloc.so" COUNT_MALLOC_FILE="$work/allocations" \
		"$top_builddir/src/weir-gate" -S "$work/state" -c "$top_srcdir/doc/examples/weir-gate.cfg" \
		-C 'traffic; max-connections 4000' -C "s13; origin-host eir.$realm" -C "s13; origin-realm $realm"
	gate=$pid
	gate_listens 3868
	taskset -acp 0 "$gate" >/dev/null
	[ -z "$have_fd" ] || set_up_fd
	# What the gate's answers measure is what the echo sends.
	measure weir 1 1 0
	read -r request answer <<<"$(awk '{ print $6, $7 }' <<<"$line")"
	start echo "$bench/echo" 5868 "$request" "$answer"
	echo=$pid
	wait_for 10 port_open 127.0.0.1 5868 || die "the echo does not listen"
	taskset -acp 0 "$echo" >/dev/null
	echo "# requests of $request octets, answers of $answer"
}

# freeDiameter does not bind to 127.0.0.0/8.
set_up_fd() {
	ip addr add 10.99.0.2/32 dev lo || die "no address for freeDiameter"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=eir.$realm" -keyout "$work/fd.key" \
		-out "$work/fd.pem" 2>/dev/null || die "no certificate for freeDiameter"
	echo "ALLOW_IPSEC *.$realm" >"$work/fd.acl"
	cat >"$work/fd.conf" <<-CONF
		Identity = "eir.$realm";
		Realm = "$realm";
		Port = 3868;
		SecPort = 0;
		No_SCTP;
		No_IPv6;
		NoRelay;
		AppServThreads = 2;
		ListenOn = "10.99.0.2";
		TLS_Cred = "$work/fd.pem", "$work/fd.key";
		TLS_CA = "$work/fd.pem";
		LoadExtension = "dict_nasreq.fdx";
		LoadExtension = "dict_dcca.fdx";
		LoadExtension = "dict_dcca_3gpp.fdx";
		LoadExtension = "acl_wl.fdx" : "$work/fd.acl";
		LoadExtension = "$fdx" : "server status=white";
	CONF
	start fd taskset -c 0 freeDiameterd -c "$work/fd.conf"
	fd=$pid
	wait_for 20 port_open 10.99.0.2 3868 || { tail -5 "$work/fd.log" >&2; die "freeDiameter does not listen"; }
}

# run COUNT CORE OPTION...: one line of results in $line
run() {
	local count=$1 core=$2
	shift 2
	[ "$count" -le $((2 * rows)) ] || count=$((2 * rows))
	line=$(taskset -c "$core" "$bench/bench_s13" "$@" -r "$rows" -c "$count") || die "$* failed"
}

# measure SERVER DEPTH CONNECTIONS ROUND: one line of results
measure() {
	local server=$1 depth=$2 conns=$3 round=$4 core=1 count
	{ [ $((depth * conns)) = 1 ] || [ "$(nproc)" = 1 ]; } && core=0
	count=$((depth * conns == 1 ? 100000 : depth * conns < 64 ? 300000 : 500000))
	case $server in
	echo) run $((2 * count)) $core -E "$answer" -p 5868 -P "$echo" -d "$depth" -n "$conns" -s "$round$depth" ;;
	weir) run "$count" $core -L -p 3868 -P "$gate" -M "$work/allocations" -d "$depth" -n "$conns" \
		-s "$round$depth" ;;
	fd) run $((depth * conns == 1 ? 20000 : 60000)) $core -C -a 10.99.0.2 -p 3868 -P "$fd" -d "$depth" \
		-n "$conns" -f "$first"
		first=$((first + conns)) ;;
	esac
	[ "$round" = 0 ] || echo "$round $depth.$conns $server $line" >>"$work/results"
}

# crowd KIND N ROUND: the gate with N connections, at depth 1
crowd() {
	local kind=$1 n=$2 round=$3
	case $kind in
	busy) run $((n == 1 ? 50000 : 200000)) 1 -L -p 3868 -P "$gate" -d 1 -n "$n" -s "$round$n" ;;
	idle) run 100000 0 -L -p 3868 -P "$gate" -d 1 -n 1 -i $((n - 1)) -s "$round$n" ;;
	esac
	[ "$round" = 0 ] || echo "$round $kind.$n weir $line" >>"$work/results"
}

# row TITLE SERVER CASE
row() {
	printf '%-22s %12.0f %10.1f %10.1f %12.0f %12.4f\n' "$1" "$(column "$2" "$3" 4 | median)" \
		"$(column "$2" "$3" 5 | median | awk '{ print $1 / 1000 }')" \
		"$(column "$2" "$3" 6 | median | awk '{ print $1 / 1000 }')" \
		"$(column "$2" "$3" 7 | median)" "$(column "$2" "$3" 8 | median)"
}

report() {
	local depth conns server kind n
	printf '%-22s %12s %10s %10s %12s %12s\n' 'depth.connections' 'answers/s' 'p50 us' 'p99 us' 'CPU ns each' \
		'allocations'
	for conns in $connections; do
		for depth in $depths; do
			for server in $servers; do row "$depth.$conns $server" "$server" "$depth.$conns"; done
		done
	done
	for conns in $connections; do
		for depth in $depths; do
			printf 'depth.connections %-7s weir/echo: rate %.2f  p50 %.2f  CPU %.2f' "$depth.$conns" \
				"$(ratio weir echo "$depth.$conns" 4)" "$(ratio weir echo "$depth.$conns" 5)" \
				"$(ratio weir echo "$depth.$conns" 7)"
			[ -z "$have_fd" ] ||
				printf '   weir/freeDiameter: rate %.1f  p50 %.2f  CPU %.3f' \
					"$(ratio weir fd "$depth.$conns" 4)" "$(ratio weir fd "$depth.$conns" 5)" \
					"$(ratio weir fd "$depth.$conns" 7)"
			echo
		done
	done
	printf '%-22s %12s %10s %10s %12s\n' 'connections' 'answers/s' 'p50 us' 'p99 us' 'CPU ns each'
	for kind in busy idle; do
		for n in $crowds; do row "$n, $kind" weir "$kind.$n"; done
	done
}

reached() {
	[ -z "$(column weir 1.1 5)" ] || goal "p50 at depth 1, over the echo's" "$(ratio weir echo 1.1 5)" '<=' 1.35
	[ -z "$have_fd" ] || [ -z "$(column weir 64.1 4)" ] ||
		goal "rate at depth 64, over freeDiameter's" "$(ratio weir fd 64.1 4)" '>=' 8
	goal "allocations an answer, at most" "$(awk '$3 == "weir" { print $8 }' "$work/results" | sort -g | tail -1)" \
		'<=' 0.001
}

servers=weir
set_up
servers="echo weir${have_fd:+ fd}"
for round in $(seq 0 "$rounds"); do # round 0 warms up
	for conns in $connections; do
		for depth in $depths; do
			for server in $servers; do measure "$server" "$depth" "$conns" "$round"; done
		done
	done
	for kind in busy idle; do
		for n in $crowds; do crowd $kind "$n" "$round"; done
	done
done
report
reached
exit 0
