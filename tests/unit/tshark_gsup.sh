#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Every golden GSUP vector, put into a capture file, is dissected by tshark without a malformed packet, an expert
# warning or an IE of a length it does not like, and tshark reads the same type, subscriber and name as NAME.txt says.
# Vectors that are wrong on purpose say so in their decoded form ("imei: has ..."); tshark must still walk through them.
set -u
vectors=${TOP_SRCDIR:-$(dirname "$0")/../..}/tests/vectors/gsup

for tool in tshark text2pcap; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 0; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-tshark.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

names=()
for hex in "$vectors"/*.hex; do
	names+=("$(basename "$hex" .hex)")
	# text2pcap wants an offset at the start of each packet
	printf '000000 %s\n' "$(tr -d ' \n' <"$hex" | sed 's/../& /g')"
done >"$work/frames.txt"
echo "1..$((2 * ${#names[@]} + 1))"

# GSUP's own port on both sides; TCP sequence numbers run on from packet to packet
text2pcap -q -T 4222,4222 "$work/frames.txt" "$work/frames.pcap" 2>"$work/err" || sed 's/^/# /' "$work/err"
tshark -r "$work/frames.pcap" -o tcp.desegment_tcp_streams:FALSE -T fields -E separator='|' -E aggregator=' ' \
	-e frame.number -e gsm_ipa.data_len -e _ws.malformed -e _ws.expert.message -e gsup.ie.len.invalid \
	-e gsup.msg_type -e e212.imsi -e gsup.source_name -e gsup.dest_name -e gsup.imei_check_res -e gsup.cause \
	>"$work/fields" 2>"$work/err" || sed 's/^/# /' "$work/err"

n=0
count=$(wc -l <"$work/fields")
if [ "$count" -eq ${#names[@]} ]; then echo "ok $((++n)) - one packet a vector"
else echo "not ok $((++n)) - one packet a vector: $count of ${#names[@]}"; fi

# what the text says, in tshark's words
decoded() { sed -n "s/^  $1: //p" "$vectors/$name.txt"; }

i=0
while IFS='|' read -r _ len malformed expert invalid type imsi source dest result cause; do
	name=${names[i++]}
	size=$(tr -d ' \n' <"$vectors/$name.hex" | wc -c)
	complaints=
	[ -z "$malformed" ] || complaints+=" malformed"
	[ -z "$expert" ] || complaints+=" expert($expert)"
	[ -z "$invalid" ] || complaints+=" ie-length"
	[ "$len" = $((size / 2 - 3)) ] || complaints+=" not-dissected"
	if [ -z "$complaints" ]; then echo "ok $((++n)) - $name: no complaint"
	else echo "not ok $((++n)) - $name:$complaints"; fi

	differ=
	if [ "$(decoded protocol)" = gsup ]; then
		hex=$(tr -d ' \n' <"$vectors/$name.hex")
		[ "$type" = "$((16#${hex:8:2}))" ] || differ+=" type($type)"
		want=$(decoded imsi)
		[ "${imsi}" = "${want/missing/}" ] || differ+=" imsi($imsi)"
		want=$(decoded source)
		[ "${source//:/}" = "${want:4}" ] || differ+=" source($source)"
		case $name in
		*result_ack*) [ "$((${result:-999}))" = 0 ] || differ+=" result($result)" ;;
		*result_nack*) [ "$((${result:-999}))" = 1 ] || differ+=" result($result)" ;;
		*error_96*) [ "$((${cause:-999}))" = 96 ] || differ+=" cause($cause)" ;;
		location_cancel_cs) [ "$((${cause:-999}))" = 6 ] || differ+=" cause($cause)" ;;
		esac
		case $name in
		*result_ack_source | *result_ack_session | *error_96_session)
			[ "${dest//:/}" = 4d53432d70726f7869656400 ] || differ+=" destination($dest)" ;;
		esac
	fi
	if [ -z "$differ" ]; then echo "ok $((++n)) - $name: tshark reads the same"
	else echo "not ok $((++n)) - $name: tshark reads differently:$differ"; fi
done <"$work/fields"
