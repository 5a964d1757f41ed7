/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the generator of lists and the client that asks for them agree on.
 *
 * ROWS devices are listed out of a space of 2 * ROWS numbers that begins at the test TAC 00100000, so one question in
 * two finds something.  The order of the list and the order of the questions are two permutations of that space, each
 * a small Feistel network with cycle walking: nothing is kept in memory, nothing repeats, and whether a number is
 * listed can be computed, so that the client checks every verdict it gets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BENCH_FIRST_KEY UINT64_C(100000000000) /* TAC 00100000, serial number 000000 */
#define BENCH_ROWS_MAX UINT64_C(5000000000)
#define BENCH_LIST_SEED 0x5745495231ull
#define BENCH_ROUNDS 4

static inline uint32_t bench_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

/* Half the bits of a number that can hold the space. */
static inline unsigned bench_half(uint64_t space)
{
	unsigned half = 1;

	while (half < 31 && (UINT64_C(1) << (2 * half)) < space)
		half++;
	return half;
}

static inline uint64_t bench_permute(uint64_t i, uint64_t space, uint64_t seed)
{
	unsigned half = bench_half(space), r;
	uint32_t mask = (uint32_t)((UINT64_C(1) << half) - 1);

	do {
		uint32_t left = (uint32_t)(i >> half), right = (uint32_t)i & mask, next;

		for (r = 0; r < BENCH_ROUNDS; r++) {
			next = left ^ (bench_mix(seed + ((uint64_t)r << 56) + right) & mask);
			left = right;
			right = next;
		}
		i = (uint64_t)left << half | right;
	} while (i >= space);
	return i;
}

static inline uint64_t bench_unpermute(uint64_t i, uint64_t space, uint64_t seed)
{
	unsigned half = bench_half(space), r;
	uint32_t mask = (uint32_t)((UINT64_C(1) << half) - 1);

	do {
		uint32_t left = (uint32_t)(i >> half), right = (uint32_t)i & mask, before;

		for (r = BENCH_ROUNDS; r-- > 0;) {
			before = right ^ (bench_mix(seed + ((uint64_t)r << 56) + left) & mask);
			right = left;
			left = before;
		}
		i = (uint64_t)left << half | right;
	} while (i >= space);
	return i;
}

/* The i-th listed device. */
static inline uint64_t bench_listed_key(uint64_t i, uint64_t rows)
{
	return BENCH_FIRST_KEY + bench_permute(i, 2 * rows, BENCH_LIST_SEED);
}

static inline bool bench_is_listed(uint64_t key, uint64_t rows)
{
	return bench_unpermute(key - BENCH_FIRST_KEY, 2 * rows, BENCH_LIST_SEED) < rows;
}
