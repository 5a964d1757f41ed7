# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What the lints share.  A lint has a function that looks at a tree and prints one finding a line.  It is first shown a
# tree with planted violations and must find each, then the real tree and must find nothing: a lint that cannot fail is
# none.
# shellcheck shell=bash disable=SC2034

top=${TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${TOP_BUILDDIR:-$top/build}
tests=0
failures=0
planted=$(mktemp -d "${TMPDIR:-/tmp}/weir-lint.XXXXXX") || exit 1
trap 'rm -rf "$planted"' EXIT

# plant FILE TEXT: a file of the planted tree
plant() {
	mkdir -p "$planted/$(dirname "$1")"
	printf '%b' "$2" >"$planted/$1"
}

result() { # STATUS NAME FINDINGS
	tests=$((tests + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tests - $2"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $2"
		[ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/#   /'
	fi
}

skip() { # NAME REASON
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# finds NAME FINDINGS REGEX: the planted violation is among the findings
finds() {
	if printf '%s\n' "$2" | grep -qE -- "$3"; then
		result 0 "finds $1"
	else
		result 1 "finds $1" "nothing matches $3 in: $2"
	fi
}

# count FINDINGS N: as many and no more
count() {
	if [ "$(wc -l <<<"$1")" = "$2" ]; then
		result 0 "and nothing else"
	else
		result 1 "and nothing else" "$1"
	fi
}

# none NAME FINDINGS: the tree has no violation
none() {
	if [ -z "$2" ]; then
		result 0 "$1"
	else
		result 1 "$1" "$2"
	fi
}

finish() {
	echo "1..$tests"
	[ "$failures" = 0 ]
}
