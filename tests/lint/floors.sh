#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# The stairs of src/ go down only (doc/ARCHITECTURE.md), and every foreign library lives where the table says.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# room: the rooms it may include, besides itself
declare -A may=(
	[core]=""
	[wire]="core"
	[store]="core"
	[register]="core store"
	[daemon]="core"
	[gate]="core wire register daemon"
	[keeper]="core wire store register daemon"
	[tools]="core wire"
)

# header (a prefix): the rooms that may include it
declare -A lives=(
	[lmdb.h]="store"
	[microhttpd.h]="keeper"
	[gnutls/]="gate"
	[nghttp2/]="gate"
	[jwt.h]="gate"
	[linux/sctp.h]="gate"
	[sodium.h]="keeper"
	[sodium/]="keeper"
	[jansson.h]="keeper tools gate"
	[curl/]="tools"
	[csv.h]="wire"
	[systemd/]="daemon"
	[osmocom/]="daemon gate keeper"
	[talloc.h]="daemon gate keeper"
)

holds() { # WORD LIST
	case " $2 " in *" $1 "*) return 0 ;; esac
	return 1
}

# One include of one file: room, place, form (quote or angle), path.
check_include() {
	local room=$1 place=$2 form=$3 path=$4 other prefix
	other=${path%%/*}
	if [ "$form" = quote ] && [ "$path" != config.h ]; then
		if [ "$other" = "$path" ]; then # no room: of the same folder, or of none
			[ -f "$tree/src/$room/$path" ] ||
				echo "$place: \"$path\" has no room; \"$room/$path\" would be right"
		elif [ "$other" != "$room" ] && ! holds "$other" "${may[$room]}"; then
			echo "$place: $room may not include $path; it may include: ${may[$room]:-nothing but itself}"
		fi
	fi
	for prefix in "${!lives[@]}"; do
		if [ "${path#"$prefix"}" != "$path" ] && ! holds "$room" "${lives[$prefix]}"; then
			echo "$place: $room may not include $path; it lives in: ${lives[$prefix]}"
		fi
	done
}

include='^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]'

findings() { # TREE
	local dir room file line text path form tree=$1
	for dir in "$1"/src/*/; do
		room=$(basename "$dir")
		if [ -z "${may[$room]+known}" ]; then
			echo "src/$room: a room that tests/lint/floors.sh does not know"
			continue
		fi
		while IFS=: read -r file line text; do
			form=quote
			[ -z "${text##*<*>*}" ] && form=angle
			path=$(sed -E 's/^[^"<]*["<]([^">]*)[">].*/\1/' <<<"$text")
			check_include "$room" "src/$room/$(basename "$file"):$line" $form "$path"
		done < <(grep -nE "$include" /dev/null "$dir"*.c "$dir"*.h 2>/dev/null)
	done
}

plant src/core/a.c '#include "store/store.h"\n'
plant src/wire/a.h '#include "register/register.h"\n'
plant src/gate/a.c '#include "core/imei.h"
#include "keeper/ledger.h"
#include "store/store.h"
# include <lmdb.h>
'
plant src/keeper/here.h '\n'
plant src/keeper/a.c '#include "gate/check.h"\n#include "near.h"\n#include <csv.h>\n#include "here.h"\n'
plant src/tools/a.c '#include "keeper/ledger.h"\n#include <microhttpd.h>\n'
plant src/register/a.c '#include <stdio.h>\n#include "daemon/daemon.h"\n'
plant src/attic/a.c '\n'
found=$(findings "$planted")
finds "core on store" "$found" '^src/core/a.c:1: core may not include store/store.h'
finds "wire on register" "$found" '^src/wire/a.h:1: wire may not include'
finds "gate on keeper" "$found" '^src/gate/a.c:2: gate may not include keeper'
finds "gate on store" "$found" '^src/gate/a.c:3: gate may not include store'
finds "lmdb.h outside store" "$found" '^src/gate/a.c:4: gate may not include lmdb.h'
finds "keeper on gate" "$found" '^src/keeper/a.c:1: keeper may not include gate'
finds "an include without a room" "$found" '^src/keeper/a.c:2: .*keeper/near.h'
finds "csv.h outside wire" "$found" '^src/keeper/a.c:3: keeper may not include csv.h'
finds "tools on keeper" "$found" '^src/tools/a.c:1: tools may not'
finds "microhttpd.h outside keeper" "$found" '^src/tools/a.c:2: tools may not'
finds "register on daemon" "$found" '^src/register/a.c:2: register may not'
finds "a room nobody knows" "$found" '^src/attic: '
count "$found" 12
none "src keeps to its stairs" "$(findings "$top")"
finish
