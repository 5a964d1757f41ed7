#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Is every unit as closed as it can be?  systemd's own measure, 0 (closed) to 10: at most 1.5.
set -u
top=${1:-$(cd "$(dirname "$0")/.." && pwd)}
limit=15 # tenths
status=0

for unit in "$top"/contrib/systemd/*.service; do
	if said=$(systemd-analyze security --offline=true --threshold=$limit "$unit" 2>&1); then
		tail -n 1 <<<"$said"
	else
		printf '%s\n' "$said"
		status=1
	fi
done
exit $status
