# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What the dissections of golden vectors share.  Sourced, not run: skips where tshark is missing.
# shellcheck shell=bash disable=SC2034,SC2154

vectors=${TOP_SRCDIR:-$(dirname "$0")/../..}/tests/vectors
for tool in tshark text2pcap; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 0; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-tshark.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
n=0

# ok NAME [COMPLAINTS]: one line of TAP, well where there are none
ok() {
	if [ -z "${2:-}" ]; then echo "ok $((++n)) - $1"
	else echo "not ok $((++n)) - $1:$2"; fi
}

octets_of() { echo $(($(tr -d ' \n' <"$1" | wc -c) / 2)); }

# dissect PORT FIELD...: the vectors in hexes, a packet each, from the protocol's port to itself; these fields of each,
# a line with | between, in $work/fields.  The plan and its first line.
dissect() {
	local hex count wrong='' port=$1
	shift
	echo "1..$((2 * ${#hexes[@]} + 1))"
	for hex in "${hexes[@]}"; do
		# text2pcap wants an offset at the start of each packet
		printf '000000 %s\n' "$(tr -d ' \n' <"$hex" | sed 's/../& /g')"
	done >"$work/frames.txt"
	# TCP sequence numbers run on from packet to packet
	text2pcap -q -T "$port,$port" "$work/frames.txt" "$work/frames.pcap" 2>"$work/err" || sed 's/^/# /' "$work/err"
	tshark -r "$work/frames.pcap" -o tcp.desegment_tcp_streams:FALSE -T fields -E separator='|' -E aggregator=' ' \
		"${@/#/-e}" >"$work/fields" 2>"$work/err" || sed 's/^/# /' "$work/err"
	count=$(wc -l <"$work/fields")
	[ "$count" -eq ${#hexes[@]} ] || wrong=" $count of ${#hexes[@]}"
	ok "one packet a vector" "$wrong"
}
