#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# N5g-eir over cleartext HTTP/2: weir-gate with ROWS devices listed, against nghttpd serving a static file as long as
# the answer, both asked by h2load with the same targets: clients x streams as SHAPES says.  Rounds are interleaved;
# what counts are the medians of the ratios within a round.  Servers stay on core 0; h2load shares it at 1x1 and has the
# other one otherwise, and so has weir-keeper, which stores who was seen.
#
# Every request of a client asks for another device, and every round for others; the clients of one h2load ask for the
# same ones at about the same time, so of 16 clients one in 16 looks up what is not in the processor's cache.
#
#   ROWS=10000000 ROUNDS=5 SHAPES="1x1 4x16 16x100" n5g.sh
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
in_namespace "$@"
shapes=${SHAPES:-1x1 4x16 16x100}
resource=/n5g-eir-eic/v1/equipment-status
answer='{"status":"BLACKLISTED"}'
begin
for program in h2load nghttpd curl; do
	command -v $program >/dev/null || die "$program is not installed"
done

set_up() {
	start_keeper_aside
	[ "$(nproc)" = 1 ] || taskset -acp 1 "$pid" >/dev/null
	list_devices
	start gate "$top_builddir/src/weir-gate" -S "$work/state" -c "$top_srcdir/doc/examples/weir-gate.cfg"
	gate=$pid
	mkdir -p "$work/www${resource%/*}"
	printf %s "$answer" >"$work/www$resource"
	start nghttpd nghttpd --no-tls -a 127.0.0.1 -d "$work/www" 7778
	nghttpd=$pid
	gate_listens 7777
	wait_for 10 port_open 127.0.0.1 7778 || die "nghttpd does not listen"
	for pid in $gate $nghttpd; do taskset -acp 0 "$pid" >/dev/null; done
}

# Both give the answer that is measured?
same_answer() {
	local port target found
	target=$(targets 1 1)
	for port in 7777 7778; do
		found=$(curl -s --noproxy '*' --http2-prior-knowledge "http://127.0.0.1:$port$target")
		[ "$found" = "$answer" ] || die "port $port answers '$found' where '$answer' is measured"
	done
}

# targets FIRST COUNT: as AMFs write them, from the list's shuffled order
targets() {
	tail -n +$(($1 + 1)) "$work/list.csv" | head -n "$2" | sed -E \
		"s|^([0-9]{14})[0-9],.*|$resource?pei=imeisv-\\100\\&supi=imsi-001010000000001|"
}

# How many requests a client makes, and all of them together; 8 clients' worth is enough for more
share() { [ "$1" = 1x1 ] && echo 60000 || echo 100000; }
count_of() { echo $(($(share "$1") * (${1%x*} < 8 ? ${1%x*} : 8))); }

cpu_ns() { awk "{ ns += \$1 } END { printf \"%.0f\", ns }" "/proc/$1"/task/*/schedstat; }

# measure SERVER SHAPE ROUND: a line of results: round, shape, server, answers a second, mean us, CPU ns each
measure() {
	local server=$1 shape=$2 round=$3 core=1 count port pid before said
	local clients=${shape%x*} streams=${shape#*x}
	[ "$shape" = 1x1 ] || [ "$(nproc)" = 1 ] && core=0
	count=$(count_of "$shape")
	case $server in
	weir) port=7777 pid=$gate ;;
	nghttpd) port=7778 pid=$nghttpd ;;
	esac
	before=$(cpu_ns "$pid")
	said=$(taskset -c $core h2load -n "$count" -c "$clients" -m "$streams" -i "$work/targets" \
		-B "http://127.0.0.1:$port") || die "h2load failed at $server"
	grep -q "^status codes: $count 2xx, 0 3xx, 0 4xx, 0 5xx" <<<"$said" ||
		die "$server did not answer all: $(grep -E '^(requests|status codes):' <<<"$said")"
	[ "$round" = 0 ] || awk -v r="$round" -v shape="$shape" -v server="$server" -v n="$count" \
		-v cpu=$(($(cpu_ns "$pid") - before)) '
		function us(t) { return t * (t ~ /us$/ ? 1 : t ~ /ms$/ ? 1e3 : 1e6) }
		/^finished in/ { rate = $4 }
		/^time for request:/ { mean = us($6) }
		END { print r, shape, server, rate, mean, cpu / n }' <<<"$said" >>"$work/results"
}

report() {
	local shape server
	printf '%-7s %-8s %12s %10s %12s\n' shape server 'answers/s' 'mean us' 'CPU ns each'
	for shape in $shapes; do
		for server in nghttpd weir; do
			printf '%-7s %-8s %12.0f %10.1f %12.0f\n' "$shape" $server \
				"$(column $server "$shape" 4 | median)" "$(column $server "$shape" 5 | median)" \
				"$(column $server "$shape" 6 | median)"
		done
	done
	for shape in $shapes; do
		printf '%-7s weir/nghttpd: rate %.2f  CPU %.2f\n' "$shape" "$(ratio weir nghttpd "$shape" 4)" \
			"$(ratio weir nghttpd "$shape" 6)"
	done
}

set_up
same_answer
first=1 # behind the header
for round in $(seq 0 "$rounds"); do # round 0 warms up: pages and caches
	for shape in $shapes; do
		targets $((first % rows)) "$(share "$shape")" >"$work/targets"
		first=$((first + $(share "$shape")))
		for server in nghttpd weir; do
			measure $server "$shape" "$round"
		done
	done
done
[ -s "$work/results" ] || die "no results"
report
for shape in $shapes; do
	goal "rate at $shape, over nghttpd's" "$(ratio weir nghttpd "$shape" 4)" '>=' 1.0
done
exit 0
