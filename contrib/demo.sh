#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Weir in a minute: installs what is missing, builds, starts weir-keeper and weir-gate with the example configurations,
# imports a list of test devices, plays three mobile cores with weir-sim, and says what was asked and answered.
#
#   contrib/demo.sh          then waits until Ctrl-C, so that you can go on by hand
#   contrib/demo.sh --once   checks what it saw and exits with 0 or 1
#
# State lives in a temporary folder; everything listens on loopback and unprivileged ports; all ends with the script.
# Root is needed only to install packages.
set -u
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
build=${BUILDDIR:-$top/build}
bin=$build/src
sample=$top/doc/examples/sample-list.csv
once=
case ${1-} in
'') ;;
--once) once=1 ;;
*) sed -n '5,13s/^# \{0,1\}//p' "$0"; [ "$1" = -h ] && exit 0; exit 2 ;;
esac

WHITE=001000010000015 BLACK=001000010000031 BLACK_SVN=0010000100000377 UNKNOWN=001000050000016 MINE=001000050000024
me=001010000000001
work='' keeper='' gate='' listener='' wrong=0

# shellcheck disable=SC2317 # the trap below calls it
clean_up() {
	local pid
	for pid in $listener $gate $keeper; do kill "$pid" 2>/dev/null; done
	for pid in $listener $gate $keeper; do wait "$pid" 2>/dev/null; done
	[ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'echo; exit 0' INT TERM

fail() {
	echo "demo: $*" >&2
	[ -z "$work" ] || tail -n 5 "$work"/*.log >&2
	exit 1
}

# --- ports: the defaults where they are free, others where something of yours is there ------------
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_ports() {
	local offset port
	for offset in 0 20000 21000 22000 23000; do
		for port in 4222 3868 7777 4279 4280 4281 4282 8483 9281; do
			port_taken $((port + offset)) && continue 2
		done
		gsup=$((4222 + offset)) s13=$((3868 + offset)) n5g=$((7777 + offset)) moved_by=$offset
		return
	done
	fail "no free ports found on 127.0.0.1"
}

# The lines that move a daemon away from its default ports: VTY, CTRL, admin
moved() {
	[ "$moved_by" = 0 ] && return
	printf -- '-C\nline vty; bind 127.0.0.1 %d\n-C\nctrl; bind 127.0.0.1 %d\n-C\nadmin; listen 127.0.0.1 %d\n' \
		$(($1 + moved_by)) $(($2 + moved_by)) $(($3 + moved_by))
}

moved_interfaces() {
	[ "$moved_by" = 0 ] && return
	printf -- '-C\n%s; no listen 127.0.0.1 %d\n-C\n%s; listen 127.0.0.1 %d\n' \
		gsup 4222 gsup "$gsup" s13 3868 s13 "$s13" n5g 7777 n5g "$n5g"
}

# until_true SECONDS COMMAND...
until_true() {
	local stop=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$stop" ] || return 1
		sleep 0.05
	done
}

weirctl() { "$bin/weirctl" -S "$work/state" "$@"; }

# sim COUNTERPART ARGUMENT...
sim() {
	local counterpart=$1
	shift
	"$bin/weir-sim" "$counterpart" -a "127.0.0.1:${!counterpart}" "$@"
}

start_weir() {
	local lines port
	work=$(mktemp -d "${TMPDIR:-/tmp}/weir-demo.XXXXXX") || exit 1
	choose_ports
	mapfile -t lines < <(moved 4281 4282 9281)
	"$bin/weir-keeper" -S "$work/state" -c "$top/doc/examples/weir-keeper.cfg" "${lines[@]}" \
		>"$work/keeper.log" 2>&1 &
	keeper=$!
	until_true 20 weirctl status || fail "weir-keeper did not come up"
	mapfile -t lines < <(moved 4279 4280 8483; moved_interfaces)
	"$bin/weir-gate" -S "$work/state" -c "$top/doc/examples/weir-gate.cfg" "${lines[@]}" \
		>"$work/gate.log" 2>&1 &
	gate=$!
	for port in "$gsup" "$s13" "$n5g"; do
		until_true 20 port_taken "$port" || fail "weir-gate did not come up"
	done
}

# --- the scenes: each prints one line -------------------------------------------------------------
# line WHAT WANTED FOUND TIME
line() {
	local mark=
	[ "$2" = "$3" ] || { mark="   <-- expected: $2"; wrong=$((wrong + 1)); }
	printf '  %-58s %-10s %10s%s\n' "$1" "$3" "$4" "$mark"
}

# asks WHAT IMEI GSUP-WANTED WANTED: the same device, asked for by three cores; the words are those of their protocols
asks() {
	local counterpart verdict time wanted=$3 mark=
	printf '  %-58s' "$1"
	for counterpart in gsup s13 n5g; do
		read -r _ verdict time < <(sim $counterpart check "$2" 2>>"$work/sim.log")
		printf ' %-8s %8s' "${verdict:-nothing}" "${time:-}"
		[ "${verdict-}" = "$wanted" ] ||
			{ mark="$mark   <-- $counterpart, expected: $wanted"; wrong=$((wrong + 1)); }
		wanted=$4
	done
	echo "$mark"
}

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

imports() {
	local before rows
	before=$(now_ms)
	weirctl import "$sample" --source sample >"$work/import.log" 2>&1 ||
		fail "weirctl import failed: $(cat "$work/import.log")"
	rows=$(($(wc -l <"$sample") - 1))
	line "weirctl import sample-list.csv: $rows rows" imported imported "$(($(now_ms) - before)) ms"
}

# A phone is attached, its owner reports it stolen: it is thrown off, and refused when it comes back.
blocks_now() {
	local before after
	sim gsup -n MSC-home -i $me listen $MINE >"$work/listen.out" 2>>"$work/sim.log" &
	listener=$!
	until_true 10 grep -q listening "$work/listen.out" || fail "the phone did not attach"
	line "a phone attaches ($MINE), on no list" accepted "$(awk 'NR == 1 { print $2 }' "$work/listen.out")" \
		"$(awk 'NR == 1 { print $3, $4 }' "$work/listen.out")"
	before=$(now_ms)
	weirctl block $MINE >"$work/block.log" 2>&1 || fail "weirctl block failed: $(cat "$work/block.log")"
	until_true 5 grep -q "location cancel" "$work/listen.out"
	after=$(now_ms)
	line "weirctl block $MINE: it is thrown off" cancelled \
		"$(grep -q "location cancel for $me" "$work/listen.out" && echo cancelled || echo attached)" \
		"$((after - before)) ms"
	asks "it comes back" $MINE refused black
	weirctl unblock $MINE >"$work/unblock.log" 2>&1 || fail "weirctl unblock failed: $(cat "$work/unblock.log")"
	asks "weirctl unblock $MINE: it comes back" $MINE accepted unknown
}

play() {
	echo
	echo "Three cores ask: GSUP (127.0.0.1:$gsup) as osmo-msc does for each phone that attaches,"
	echo "Diameter S13 (:$s13) as an MME does, N5g-eir over HTTP/2 (:$n5g) as an AMF does:"
	imports
	printf '  %-58s %-17s %-17s %s\n' "" GSUP S13 N5g
	asks "on the white list           $WHITE" $WHITE accepted white
	asks "on the black list           $BLACK" $BLACK refused black
	asks "the same, with its IMEISV   $BLACK_SVN" $BLACK_SVN refused black
	asks "on no list                  $UNKNOWN" $UNKNOWN accepted unknown
	blocks_now
}

what_next() {
	local w="${bin#"$PWD"/}/weirctl -S $work/state"
	cat <<-END

	It goes on running until Ctrl-C.  In another terminal, in $PWD:
	  $w check $BLACK                 why it is what it is
	  $w history $MINE               what happened to it
	  $w block 001000050000032
	  ${bin#"$PWD"/}/weir-sim gsup -a 127.0.0.1:$gsup check 001000050000032
	  ${bin#"$PWD"/}/weir-sim s13 -a 127.0.0.1:$s13 check 001000050000032
	  ${bin#"$PWD"/}/weir-sim n5g -a 127.0.0.1:$n5g check 001000050000032
	  telnet (or nc) 127.0.0.1 $((4279 + moved_by))   then: show peers, show counters, explain imei $BLACK
	Point osmo-msc at it ("hlr", "remote-port $gsup") and your HLR behind it, an MME at port $s13, an AMF at
	http://127.0.0.1:$n5g: doc/examples/weir-gate.cfg
	END
}

install_dependencies || exit 1
build_here "$build" || exit 1
start_weir
play
[ $wrong = 0 ] || fail "$wrong answers were not as expected"
[ -z "$once" ] || { echo "demo: all as expected"; exit 0; }
what_next
wait "$gate"
fail "weir-gate ended"
