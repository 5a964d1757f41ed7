#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# The units: as closed as they can be by systemd's own measure, 0 (closed) to 10; and the gate is not the keeper.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
limit=15 # tenths

open_units() { # FOLDER
	local unit said
	for unit in "$1"/*.service; do
		said=$(systemd-analyze security --offline=true --threshold=$limit "$unit" 2>&1) ||
			echo "${unit##*/}: $(tail -n 1 <<<"$said")"
	done
}

value() { # UNIT SETTING
	sed -n "s/^$2=//p" "$1"
}

# What keeps a broken gate from being the keeper; tests/e2e/users.py shows that it does.
separation() { # FOLDER
	local gate=$1/weir-gate.service keeper=$1/weir-keeper.service
	[ "$(value "$gate" User)" != "$(value "$keeper" User)" ] || echo "both run as one user"
	[ "$(value "$keeper" StateDirectoryMode)" = 1770 ] || echo "the state directory is not sticky"
	[ -z "$(value "$gate" StateDirectory)" ] || echo "the gate's unit would take the state directory over"
	for secret in ledger seen; do
		value "$gate" InaccessiblePaths | grep -qw -- "-/var/lib/weir/$secret" || echo "the gate sees $secret"
	done
	# In a user namespace SO_PEERCRED calls everybody but root and the keeper nobody: no "allow" would match.
	[ "$(value "$keeper" PrivateUsers)" = no ] || echo "the keeper cannot tell its callers apart"
}

plant weir-gate.service '[Service]\nExecStart=/bin/true\nUser=weir\nStateDirectory=weir\n'
plant weir-keeper.service '[Service]\nExecStart=/bin/true\nUser=weir\nPrivateUsers=yes\n'
found=$(separation "$planted")
for wanted in 'one user' 'not sticky' 'take the state' 'sees ledger' 'sees seen' 'tell its callers'; do
	finds "units where \"$wanted\"" "$found" "$wanted"
done
none "the gate's unit is not the keeper's" "$(separation "$top/contrib/systemd")"

if systemd-analyze security --help 2>/dev/null | grep -q -- --offline; then
	finds "a unit that is open" "$(open_units "$planted")" 'weir-gate.service: '
	none "no unit is more open than 1.5" "$(open_units "$top/contrib/systemd")"
else
	skip "no unit is more open than 1.5" "systemd-analyze is not installed, or too old"
fi
finish
