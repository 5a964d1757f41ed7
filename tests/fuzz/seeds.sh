#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# seeds.sh SRCDIR OUT TARGET...  Makes OUT/TARGET of SRCDIR/fuzz/corpus/TARGET and of the golden vectors in
# SRCDIR/vectors/TARGET, which are hex there and octets here.
set -eu
src=$1 out=$2
shift 2
rm -rf "$out"
for target; do
	mkdir -p "$out/$target"
	for file in "$src/fuzz/corpus/$target"/*; do
		[ -e "$file" ] || continue
		cat "$file" >"$out/$target/$(basename "$file")"
	done
	vectors=("$src/vectors/$target"/*.hex)
	[ "$target" != s13 ] || vectors+=("$src/vectors/diameter"/*.hex) # one target reads both
	for hex in "${vectors[@]}"; do
		[ -e "$hex" ] || continue
		printf '%b' "$(tr -d ' \n' <"$hex" | sed 's/../\\x&/g')" >"$out/$target/vector-$(basename "$hex" .hex)"
	done
done
