#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Every golden GSUP vector, put into a capture file, is dissected by tshark without a malformed packet, an expert
# warning or an IE of a length it does not like, and tshark reads the same type, subscriber and name as NAME.txt says.
# Vectors that are wrong on purpose say so in their decoded form ("imei: has ..."); tshark must still walk through them.
set -u
# shellcheck source-path=SCRIPTDIR source=tshark_lib.sh
. "$(dirname "$0")/tshark_lib.sh"
vectors=$vectors/gsup

hexes=("$vectors"/*.hex)
dissect 4222 frame.number gsm_ipa.data_len _ws.malformed _ws.expert.message gsup.ie.len.invalid gsup.msg_type \
	e212.imsi gsup.source_name gsup.dest_name gsup.imei_check_res gsup.cause

# what the text says, in tshark's words
decoded() { sed -n "s/^  $1: //p" "$vectors/$name.txt"; }

i=0
while IFS='|' read -r _ len malformed expert invalid type imsi source dest result cause; do
	hex=${hexes[i++]}
	name=$(basename "$hex" .hex)
	size=$(octets_of "$hex")
	complaints=
	[ -z "$malformed" ] || complaints+=" malformed"
	[ -z "$expert" ] || complaints+=" expert($expert)"
	[ -z "$invalid" ] || complaints+=" ie-length"
	[ "$len" = $((size - 3)) ] || complaints+=" not-dissected"
	ok "$name: no complaint" "$complaints"

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
	ok "$name: tshark reads the same" "$differ"
done <"$work/fields"
