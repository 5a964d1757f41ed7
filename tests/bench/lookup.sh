#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Look-ups in the register, hits and misses, one by one and by 64, against a pointer chase of the same size as its file
# and against plain LMDB: at 1 and 10 million devices, or those of SIZES ("1000000 10000000 100000000").
#
#   SIZES="1000000 10000000" ROUNDS=25 lookup.sh
set -u
top_builddir=${TOP_BUILDDIR:-$(cd "$(dirname "$0")/../.." && pwd)/build}
bench=$top_builddir/tests/bench/bench_lookup
[ -x "$bench" ] || { echo "$0: $bench is not built (make bench builds it)" >&2; exit 1; }

echo "# $(nproc) cores, $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"
for size in ${SIZES:-1000000 10000000}; do
	"$bench" -n "$size" -r "${ROUNDS:-25}" || exit 1
done
