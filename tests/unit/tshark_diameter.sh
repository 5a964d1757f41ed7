#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Every golden Diameter vector, put into a capture file, is dissected by tshark as NAME.txt says: command, flags,
# session, names, device, subscriber, result and status.  tshark may complain only of what is wrong on purpose
# ("fault:"), and of numbers that nobody gave out.
set -u
# shellcheck source-path=SCRIPTDIR source=tshark_lib.sh
. "$(dirname "$0")/tshark_lib.sh"

hexes=("$vectors"/diameter/*.hex "$vectors"/s13/*.hex)
dissect 3868 frame.number diameter.length _ws.malformed _ws.expert.message diameter.cmd.code diameter.flags \
	diameter.Session-Id diameter.Origin-Host diameter.Origin-Realm diameter.User-Name diameter.IMEI \
	diameter.Result-Code diameter.Experimental-Result-Code diameter.Equipment-Status diameter.Disconnect-Cause \
	diameter.DRMP

# What the text says; empty for "none" and for what it says nothing of.
decoded() { sed -n "s/^  $1: //p" "$text" | grep -vx none; }

check() { # NAME WANTED GOT
	[ "$2" = "$3" ] || differ+=" $1($3, not $2)"
}

declare -A code=([cer]=257 [cea]=257 [dwr]=280 [dwa]=280 [dpr]=282 [dpa]=282 [ecr]=324 [eca]=324)
declare -A bit=([request]=0x80 [proxiable]=0x40 [error]=0x20 [resent]=0x10)
declare -A status=([white]=0 [black]=1 [grey]=2)

# Complaints about what nobody knows are as it should be; others only where the vector is wrong on purpose.
unknown='Unknown (AVP [0-9]+ \(vendor=[A-Za-z0-9]+\)|command), if you know what this is[^.]*\.xml ?'
judge_expert() {
	local rest
	rest=$(sed -E "s/$unknown//g" <<<"$expert")
	[ -z "$rest$malformed" ] || grep -qE '^  (fault: [0-9]|imei: has no digit)' "$text" ||
		complaints+=" expert($malformed $rest)"
}

wanted_flags() {
	local flag want=0
	for flag in $(decoded flags); do
		((want |= ${bit[$flag]}))
	done
	printf '0x%02x' "$want"
}

while IFS='|' read -r number len malformed expert cmd flags session host realm user imei result experimental \
	equipment cause drmp; do
	hex=${hexes[number - 1]}
	text=${hex%.hex}.txt
	name=$(basename "$(dirname "$text")")/$(basename "$text" .txt)
	size=$(octets_of "$hex")
	complaints=
	judge_expert
	[ "$len" = "$size" ] || complaints+=" not-dissected"
	ok "$name: no complaint" "$complaints"

	differ=
	word=$(decoded command)
	[ "$word" = unknown ] || check command "${code[$word]}" "$cmd"
	check flags "$(wanted_flags)" "$flags"
	if [ "$(decoded fault)" = ok ]; then # else our reader stopped early, and tshark went on
		case $word in ecr | eca) check session "$(decoded session)" "$session" ;; esac
		check origin-host "$(decoded origin-host)" "$host"
		check origin-realm "$(decoded origin-realm)" "$realm"
		[ "$word" = dpr ] && check cause "$(decoded cause)" "$cause"
		[ "$word" = ecr ] && check priority "$(decoded priority)" "$drmp"
		if [ "$word" = ecr ]; then
			check imsi "$(decoded imsi)" "$user"
			case $(decoded imei) in has*) ;; *) check imei "$(decoded imei)" "${imei:0:14}" ;; esac
		fi
	fi
	check result "$(decoded result)" "$result"
	check experimental "$(decoded experimental)" "$experimental"
	want=$(decoded status)
	check status "${want:+${status[$want]}}" "$equipment"
	ok "$name: tshark reads the same" "$differ"
done <"$work/fields"
