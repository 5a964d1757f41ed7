#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Is every unit as closed as it can be?  systemd's own measure, 0 (closed) to 10: at most 1.5.
set -u
top=${1:-$(cd "$(dirname "$0")/.." && pwd)}
limit=15 # tenths

if ! command -v systemd-analyze >/dev/null; then
	echo "systemd-analyze is not installed"
	exit 77
fi
status=0
for unit in "$top"/contrib/systemd/*.service; do
	systemd-analyze security --offline=true --threshold=$limit "$unit" >/tmp/weir-unit.$$ 2>&1 || status=1
	tail -n 1 /tmp/weir-unit.$$
	[ $status = 0 ] || grep -E '^\S*x ' /tmp/weir-unit.$$
	rm -f /tmp/weir-unit.$$
done
exit $status
