/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Sorting more rows than memory should hold.
 *
 * Rows of 16 octets are collected in runs; a full run is radix-sorted (stable) and kept: the first ones in memory,
 * those beyond in an unlinked file in the state directory.  A merge then gives all rows in order of key, equal keys in
 * order of arrival.  Memory: the runs kept in it and two more, whatever the number of rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sort_row {
	uint64_t key;
	uint64_t rest; /* line << 24 | reason << 8 | colour */
};

struct sort;

/* Nothing is allocated before the first row. NULL: out of memory. */
struct sort *sort_alloc(const char *dir, unsigned run_rows, unsigned runs_in_memory);
void sort_free(struct sort *sort);
/* 0, -ENOMEM, -ENOSPC or -EIO. */
int sort_add(struct sort *sort, uint64_t key, uint64_t rest);
uint64_t sort_count(const struct sort *sort);
/* No more rows; then next until it returns 0.  1: row is set; negative: the file could not be read. */
int sort_seal(struct sort *sort);
int sort_next(struct sort *sort, struct sort_row *row);

/* Octets appended and read back in order, in memory up to a mark and in an unlinked file beyond. */
struct spool;
struct spool *spool_alloc(const char *dir);
void spool_free(struct spool *spool);
int spool_append(struct spool *spool, const void *bytes, size_t len);
uint64_t spool_size(const struct spool *spool);
/* Exactly len octets from an offset. 0 or negative. */
int spool_read(struct spool *spool, uint64_t offset, void *bytes, size_t len);
