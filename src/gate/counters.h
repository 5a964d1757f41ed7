/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Counters of an interface as rows, so that their names and their help exist once: the terminal and the metrics print
 * whatever table they are given.
 *
 * The counters are a struct of uint64_t; a row says where in it.  A table is a value that points to both and is good
 * as long as they are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct counter_row {
	const char *name, *help; /* name: a word of a metric */
	size_t offset;
};

#define COUNTER_ROW(type, field, text)                                                                                 \
	{                                                                                                              \
#field, text, offsetof(type, field)                                                                    \
	}

struct counter_table {
	const char *name; /* of the interface: the first word of each metric */
	const struct counter_row *row;
	unsigned n;
	const void *counters;
};

static inline uint64_t counter_value(const struct counter_table *table, const struct counter_row *row)
{
	return *(const uint64_t *)((const char *)table->counters + row->offset);
}
