/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* For tests of core and gate: cmocka with its includes, one test a table row, and numbers that only look random. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/chance.h"

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* A test that is handed its row. */
#define ROW_TEST(row_name, fn, row) ((struct CMUnitTest){(row_name), (fn), NULL, NULL, (void *)(uintptr_t)(row)})

/* One for each row of a table whose rows have names, behind the n tests that there are. */
#define ADD_ROWS(tests, n, rows, fn)                                                                                   \
	do {                                                                                                           \
		for (size_t row_ = 0; row_ < N_ROWS(rows); row_++)                                                     \
			(tests)[(n)++] = ROW_TEST((rows)[row_].name, fn, &(rows)[row_]);                               \
	} while (0)

/* The same numbers on every run. */
static inline uint64_t rows_random(uint64_t *state)
{
	return chance_next(state);
}

static inline unsigned rows_random_below(uint64_t *state, unsigned n)
{
	return chance_below(state, n);
}
