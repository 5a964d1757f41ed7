#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Everything that can be checked by a machine, from a clean clone, in one go and under half an hour:
#
#   sanitized   AddressSanitizer and UBSan, warnings are errors: make check (units, lints, end to end)
#   plain       as packaged: make check again, and the demo that checks itself
#   fuzz        every fuzz target for 12 seconds (FUZZ_SECONDS)
#   distcheck   make distcheck from a folder of its own
#   package     the Debian packages and what is in them
#
#   contrib/check.sh [PART...]     all parts, or those named
#
# As root it installs what is missing (debian/control, and the list of tools below); otherwise it says what is missing
# and skips the parts that need it.  The last line is "N passed, N failed, N skipped"; the status is 1 if one failed.
# Programs are built in build/check-*, what fuzzing finds lands in build/.  Every step has a limit, and all together
# have TOTAL; a step that leaves a process behind has failed, and what it left is ended.  The time of each part is told.
set -u
. "$(dirname "$0")/lib.sh"

# What only the checks need: counterparts, dissectors, compilers.  PROGRAM:PACKAGE
tools='tshark:tshark osmo-stp:osmo-stp osmo-hlr:osmo-hlr osmo-msc:osmo-msc osmo-mgw:osmo-mgw
	linux.uml:user-mode-linux modprobe:kmod ip:iproute2 systemd-analyze:systemd
	clang:clang sqlite3:sqlite3 curl:curl openssl:openssl node:nodejs npm:npm nghttp:nghttp2-client
	nghttpd:nghttp2-server gnutls-cli:gnutls-bin freeDiameterd:freediameterd
	shellcheck:shellcheck codespell:codespell
	nc:netcat-openbsd dpkg-buildpackage:dpkg-dev dh:debhelper lintian:lintian python3:python3'
# Packages without a program that tells them.
packages='lksctp-tools libclang-rt-14-dev freediameter-extensions libfreediameter-dev python3-scapy'
TOTAL=1740 # seconds
all_parts='sanitized plain fuzz distcheck package'

parts=()
passed=0
failed=0
skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-check.XXXXXX") || exit 1
# What tests leave in the temporary folder goes with ours; tests with several users must be able to pass through.
chmod 711 "$work" && mkdir -m 1777 "$work/tmp" || exit 1
export TMPDIR=$work/tmp

pass() { passed=$((passed + 1)); say "passed: $1"; }
fail() { failed=$((failed + 1)); say "FAILED: $1"; }
skip() { skipped=$((skipped + 1)); say "skipped: $1: $2"; }

# Each step runs in a session of its own, so that what it leaves behind can be ended by its session and nothing else.
step_session=
end_session() {
	[ -n "$step_session" ] || return 0
	pkill -KILL -s "$step_session" 2>/dev/null
	step_session=
}

# What still runs of a step that has ended; the kernel gets a moment to end what died with its parent.
left_behind() {
	local left
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		left=$(ps -o stat=,pid=,args= -s "$step_session" | awk '!/^Z/')
		[ -n "$left" ] || return 1
		sleep 0.2
	done
	echo "left behind: $left"
}

finish() {
	end_session
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# bounded SECONDS LOG COMMAND...: its status; 124 when the time was over, 125 where it left processes behind.
bounded() {
	local seconds=$1 log=$2 status left=$((TOTAL - SECONDS))
	shift 2
	[ "$left" -gt 0 ] || left=1
	[ "$seconds" -lt "$left" ] || seconds=$left
	setsid timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null &
	step_session=$!
	wait "$step_session"
	status=$?
	[ $status = 124 ] || ! left_behind >>"$log" || status=125
	end_session
	return $status
}

# step NAME SECONDS COMMAND...: one check.
step() {
	local name=$1 seconds=$2 log=$work/log status
	shift 2
	say "$name"
	bounded "$seconds" "$log" "$@"
	status=$?
	if [ $status = 0 ]; then
		pass "$name"
		return 0
	fi
	tail -n 60 "$log" >&2
	[ $status = 124 ] && complain "$name: not done after $seconds seconds"
	fail "$name"
	return 1
}

install_tools() {
	local pair wanted=()
	for pair in $tools; do
		command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
	done
	for pair in $packages; do
		dpkg-query -W "$pair" >/dev/null 2>&1 || wanted+=("$pair")
	done
	[ ${#wanted[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		complain "not installed, and only root can install them: ${wanted[*]}; parts that need them are skipped"
		return 0
	fi
	say "installing tools: ${wanted[*]}"
	quietly "apt-get update" apt update
	quietly "apt-get install" apt install "${wanted[@]}" ||
		complain "some tools could not be installed; parts that need them are skipped"
}

skipped_line='^(ok|1\.\.0).*# *[Ss][Kk][Ii][Pp]'

# Sum the lines that automake prints, name what failed and what was skipped and why.
sum_make_check() { # NAME LOG BUILD
	local p f s
	p=$(sed -nE 's/^# (X?PASS|XFAIL): +([0-9]+)$/\2/p' "$2" | awk '{ n += $1 } END { print n + 0 }')
	f=$(sed -nE 's/^# (FAIL|XPASS|ERROR): +([0-9]+)$/\2/p' "$2" | awk '{ n += $1 } END { print n + 0 }')
	s=$(sed -nE 's/^# SKIP: +([0-9]+)$/\1/p' "$2" | awk '{ n += $1 } END { print n + 0 }')
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	grep -E '^(FAIL|ERROR|XPASS): ' "$2" >&2
	find "$3/tests" -name '*.log' ! -name test-suite.log -exec grep -HE "$skipped_line" {} + 2>/dev/null |
		sed -E "s|^$3/tests/|== skipped: |; s/\.log:[^#]*# *[Ss][Kk][Ii][Pp]/: /" | sort -u >&2
	say "$1: $p passed, $f failed, $s skipped"
	[ "$p" -gt 0 ]
}

make_check() { # NAME BUILD
	local log=$work/check.log status
	say "$1: make check"
	bounded 900 "$log" make -s -C "$2" -j"$(nproc)" -k check VERBOSE=
	status=$?
	if ! sum_make_check "$1" "$log" "$2" || [ $status = 125 ] ||
		{ [ $status != 0 ] && ! grep -qE '^# (FAIL|ERROR): +[1-9]' "$log"; }; then
		tail -n 60 "$log" >&2
		fail "$1: make check (status $status)"
	elif [ $status != 0 ]; then
		find "$2/tests" -name '*.trs' -exec grep -lE '^:global-test-result: (FAIL|ERROR)' {} + 2>/dev/null |
			while read -r trs; do show_failure "${trs%.trs}.log"; done >&2
	fi
}

# Of the log of a test: what is not ok with the first lines of why, and the end where it ended otherwise.
show_failure() { # LOG
	echo "-- $1"
	awk '/^not ok/ { left = 16 } left > 0 && !/^(ok|PASS:)/ { print; left-- }' "$1"
	grep -q '^not ok' "$1" || grep -vE '^(ok|PASS:) ' "$1" | tail -n 30
}

# shellcheck disable=SC2016
built() { # NAME BUILD OPTION...
	local name=$1
	shift
	step "$name: build" 600 bash -c '. "$0" && build_here "$@"' "$top/contrib/lib.sh" "$@"
}

part_sanitized() {
	built sanitized "$top/build/check-sanitized" --enable-sanitize --enable-werror &&
		make_check sanitized "$top/build/check-sanitized"
}

part_plain() {
	built plain "$top/build/check-plain" --enable-werror || return
	make_check plain "$top/build/check-plain"
	step "plain: the demo" 120 env BUILDDIR="$top/build/check-plain" bash "$top/contrib/demo.sh" --once
}

part_fuzz() {
	local target name corpus seconds=${FUZZ_SECONDS:-12} build=$top/build/check-fuzz found=
	if ! command -v clang >/dev/null; then
		skip fuzz "clang is not installed"
		return
	fi
	CC=clang built fuzz "$build" --enable-fuzz || return
	step "fuzz: seeds" 60 make -s -C "$build/tests" fuzz/seeds.stamp
	for target in "$build"/tests/fuzz/fuzz_*; do
		{ [ -x "$target" ] && [ -f "$target" ]; } || continue
		found=1
		name=$(basename "$target")
		corpus=$work/corpus-$name
		mkdir -p "$corpus"
		step "$name for $seconds s" $((seconds + 60)) "$target" -max_total_time="$seconds" -timeout=10 \
			-max_len=8192 -rss_limit_mb=1024 -artifact_prefix="$top/build/$name-" -verbosity=0 \
			"$corpus" "$build/tests/fuzz/seeds/${name#fuzz_}"
	done
	[ -n "$found" ] || fail "fuzz: there is no target in $build/tests/fuzz"
}

# From a folder that is not the tree, with the tree as it would be released.
part_distcheck() {
	built distcheck "$top/build/check-plain" --enable-werror || return
	# The long tests ran twice above: here a few rounds show that their files are in the archive.
	step "make distcheck" 900 env WEIR_KILLS=5 ROUNDS=2 make -s -j"$(nproc)" -C "$top/build/check-plain" distcheck
}

# A copy of the tree as git knows it, or all of it where there is no git.
copy_tree() { # TO
	mkdir -p "$1"
	if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$top" ls-files -z --cached --others --exclude-standard |
			tar -C "$top" --ignore-failed-read --null -T - -cf - 2>/dev/null | tar -C "$1" -xf -
	else
		tar -C "$top" --exclude=./build -cf - . | tar -C "$1" -xf -
	fi
}

look_inside() { # FOLDER OF .deb
	local deb
	for deb in weir weir-sim; do
		ls "$1/$deb"_*.deb >/dev/null || return 1
	done
	dpkg-deb -c "$1"/weir_*.deb >"$1/contents"
	for path in usr/bin/weir-gate usr/bin/weir-keeper usr/bin/weirctl \
		etc/weir/weir-gate.cfg etc/weir/weir-keeper.cfg usr/lib/sysusers.d/weir.conf \
		lib/systemd/system/weir-gate.service lib/systemd/system/weir-keeper.service \
		usr/share/man/man8/weir-gate.8.gz usr/share/man/man8/weir-keeper.8.gz \
		usr/share/man/man5/weir-gate.cfg.5.gz usr/share/man/man1/weirctl.1.gz; do
		grep -qE " \./$path( |\$)" "$1/contents" || { echo "$path is not in the package"; return 1; }
	done
	dpkg-deb -f "$1"/weir_*.deb Depends | grep -q liblmdb0 || { echo "no dependency on liblmdb0"; return 1; }
}
export -f look_inside

part_package() {
	local program
	for program in dpkg-buildpackage dh lintian; do
		if ! command -v $program >/dev/null; then
			skip package "$program is not installed"
			return
		fi
	done
	copy_tree "$work/package/weir"
	# The tests ran above; the package is built without them to stay within the time.
	step "dpkg-buildpackage" 600 env -C "$work/package/weir" DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" \
		dpkg-buildpackage -b -us -uc || return
	step "what is in the packages" 60 bash -c "look_inside '$work/package'"
	step "lintian" 300 lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs \
		"$work"/package/weir_*.changes
}

for part in "$@"; do
	case " $all_parts " in *" $part "*) ;; *) sed -n '5,16s/^# \{0,1\}//p' "$0"; exit 2 ;; esac
done
[ $# -gt 0 ] || read -ra parts <<<"$all_parts"
if install_dependencies; then
	install_tools
	for part in "$@" "${parts[@]}"; do
		begun=$SECONDS
		"part_$part"
		say "$part: $((SECONDS - begun)) seconds"
	done
else
	fail "installing what the build needs"
fi
say "$SECONDS seconds"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
