/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Numbers that scatter (xorshift64*, S. Vigna): moments, first identifiers, tests.  Whoever saw one knows the next:
 * nothing secret may depend on them.
 *
 * Pure: the state is the caller's, and the same state gives the same numbers.  It begins with any number, of getrandom
 * or of a test; 0 is as good as another. */
#pragma once

#include <stdint.h>

static inline uint64_t chance_next(uint64_t *state)
{
	uint64_t x = *state ? *state : UINT64_C(0x9e3779b97f4a7c15); /* 0 would stay 0 */

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 to n - 1; n is not 0.  Of the upper half, which is the better one. */
static inline uint32_t chance_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(chance_next(state) >> 32) % n;
}
