/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Flattening: overlapping ranges become disjoint ones that say, for every device, what the narrowest range over it
 * says. */
#include "register/register.h"

#include <stdlib.h>
#include <time.h>

#include "core/imei.h"
#include "rows.h"

#include <errno.h>

#define W WEIR_ON(WEIR_WHITE)
#define G WEIR_ON(WEIR_GREY)
#define B WEIR_ON(WEIR_BLACK)

static const struct {
	const char *name;
	struct register_range in[6], out[12];
} rows[] = {
	{"nothing gives nothing", {{0}}, {{0}}},
	{"one range stays as it is", {{10, 20, {W, 1}}}, {{10, 20, {W, 1}}}},
	{"neighbours stay apart", {{20, 29, {W, 0}}, {10, 19, {W, 0}}}, {{10, 19, {W, 0}}, {20, 29, {W, 0}}}},
	{"a narrow range cuts a hole into a wide one",
	 {{0, 99, {W, 0}}, {40, 49, {B, 1}}},
	 {{0, 39, {W, 0}}, {40, 49, {B, 1}}, {50, 99, {W, 0}}}},
	{"three levels nest",
	 {{0, 99, {W, 0}}, {20, 79, {G, 0}}, {40, 49, {B, 1}}},
	 {{0, 19, {W, 0}}, {20, 39, {G, 0}}, {40, 49, {B, 1}}, {50, 79, {G, 0}}, {80, 99, {W, 0}}}},
	{"where two cross, the narrower speaks",
	 {{0, 50, {W, 0}}, {40, 60, {B, 1}}},
	 {{0, 39, {W, 0}}, {40, 60, {B, 1}}}},
	{"a wider one that begins inside a narrower does not split it",
	 {{10, 20, {B, 1}}, {15, 99, {W, 0}}},
	 {{10, 20, {B, 1}}, {21, 99, {W, 0}}}},
	{"equal ranges are on the lists of both, for the graver one's reason",
	 {{10, 20, {W, 11}}, {10, 20, {B, 1}}},
	 {{10, 20, {W | B, 1}}}},
	{"the graver one's reason holds in either order",
	 {{10, 20, {W, 1}}, {10, 20, {B, 5}}, {30, 40, {B, 5}}, {30, 40, {G, 1}}},
	 {{10, 20, {W | B, 5}}, {30, 40, {G | B, 5}}}},
	{"of equal ranges on the same list the first reason that says something holds",
	 {{10, 20, {B, 0}}, {10, 20, {B, 5}}, {10, 20, {B, 2}}},
	 {{10, 20, {B, 2}}}},
	{"ranges of one width that cross are merged where they do",
	 {{0, 9, {W, 0}}, {5, 14, {B, 1}}},
	 {{0, 4, {W, 0}}, {5, 9, {W | B, 1}}, {10, 14, {B, 1}}}},
	{"a single device is the narrowest of all",
	 {{0, 99, {W, 0}}, {50, 50, {G, 0}}, {49, 51, {B, 1}}},
	 {{0, 48, {W, 0}}, {49, 49, {B, 1}}, {50, 50, {G, 0}}, {51, 51, {B, 1}}, {52, 99, {W, 0}}}},
	{"the whole space is a range", {{0, WEIR_IMEI_END - 1, {G, 0}}}, {{0, WEIR_IMEI_END - 1, {G, 0}}}},
	{"shared ends are no accident",
	 {{0, 99, {W, 0}}, {90, 99, {B, 1}}, {0, 9, {G, 0}}},
	 {{0, 9, {G, 0}}, {10, 89, {W, 0}}, {90, 99, {B, 1}}}},
};

static unsigned count(const struct register_range *ranges)
{
	unsigned n = 0;

	while (ranges[n].listing.lists)
		n++;
	return n;
}

static void test_row(void **state)
{
	unsigned row = (unsigned)(uintptr_t)*state, n = count(rows[row].in);
	struct register_range flat[12] = {{0}};

	assert_int_equal(register_flatten(rows[row].in, n, flat), count(rows[row].out));
	for (unsigned i = 0; i < count(rows[row].out); i++) {
		assert_int_equal(flat[i].from, rows[row].out[i].from);
		assert_int_equal(flat[i].to, rows[row].out[i].to);
		assert_int_equal(flat[i].listing.lists, rows[row].out[i].listing.lists);
		assert_int_equal(flat[i].listing.reason, rows[row].out[i].listing.reason);
	}
}

static void test_what_is_no_range_is_refused(void **state)
{
	static const struct register_range bad[] = {
		{20, 10, {B, 0}}, {0, WEIR_IMEI_END, {B, 0}}, {0, 1, {0, 0}}, {0, 1, {WEIR_ON(WEIR_UNKNOWN), 0}},
		{0, 1, {B, 256}},
	};
	struct register_range flat[2];

	(void)state;
	for (unsigned i = 0; i < N_ROWS(bad); i++)
		assert_int_equal(register_flatten(&bad[i], 1, flat), -EINVAL);
}

/* --- against the definition, device by device ------------------------------------------------- */

#define SPACE      200u
#define MAX_RANGES 40u

static uint8_t lists_by_definition(const struct register_range *ranges, unsigned n, uint64_t device)
{
	uint64_t narrowest = UINT64_MAX;
	uint8_t lists = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t width = ranges[i].to - ranges[i].from;

		if (device < ranges[i].from || device > ranges[i].to || width > narrowest)
			continue;
		lists = width < narrowest ? ranges[i].listing.lists : lists | ranges[i].listing.lists;
		narrowest = width;
	}
	return lists;
}

static void test_random_ranges_say_what_the_definition_says_for_every_device(void **state)
{
	struct register_range in[MAX_RANGES], flat[2 * MAX_RANGES];
	uint64_t random = 11;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = 1 + rows_random_below(&random, MAX_RANGES);
		unsigned widths = 1 + rows_random_below(&random, SPACE);
		unsigned at = 0;
		int n_flat;

		for (unsigned i = 0; i < n; i++) {
			in[i].from = rows_random_below(&random, SPACE);
			in[i].to = in[i].from + rows_random_below(&random, widths);
			in[i].listing = (struct weir_listing){(uint8_t)(1 + rows_random_below(&random, 7)), 1};
		}
		n_flat = register_flatten(in, n, flat);
		assert_in_range(n_flat, 1, 2 * n);
		for (int i = 1; i < n_flat; i++)
			assert_true(flat[i - 1].to < flat[i].from);
		for (unsigned device = 0; device < 2 * SPACE; device++) {
			uint8_t lists = 0;

			while (at < (unsigned)n_flat && flat[at].to < device)
				at++;
			if (at < (unsigned)n_flat && flat[at].from <= device)
				lists = flat[at].listing.lists;
			if (lists != lists_by_definition(in, n, device))
				fail_msg("round %u, device %u: %u, not %u", round, device, lists,
					 lists_by_definition(in, n, device));
		}
	}
}

static double seconds_for(struct register_range *in, unsigned n, int *n_flat)
{
	struct register_range *flat = calloc(2 * (size_t)n, sizeof(*flat));
	clock_t start = clock();

	assert_non_null(flat);
	*n_flat = register_flatten(in, n, flat);
	free(flat);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Far more than n log n needs, far less than n squared takes. */
static void test_a_hundred_thousand_ranges_take_no_square(void **state)
{
	enum {
		N = 100000
	};
	struct register_range *in = calloc(N, sizeof(*in));
	int n_flat;

	(void)state;
	assert_non_null(in);
	for (unsigned i = 0; i < N; i++)
		in[i] = (struct register_range){
			UINT64_C(1000000) * (N - i), UINT64_C(1000000) * (N - i) + 999999, {W, 0}};
	assert_true(seconds_for(in, N, &n_flat) < 3);
	assert_int_equal(n_flat, N);
	for (unsigned i = 0; i < N; i++) /* nested like onions */
		in[i] = (struct register_range){i, 3 * N - i, {(uint8_t)(1 + i % 7), 0}};
	assert_true(seconds_for(in, N, &n_flat) < 3);
	assert_int_equal(n_flat, 2 * N - 1);
	for (unsigned i = 0; i < N; i++) /* all inside of one wide one, in groups of equals */
		in[i] = (struct register_range){
			UINT64_C(20) * (i / 3), UINT64_C(20) * (i / 3) + 9, {(uint8_t)(1 << i % 3), 0}};
	in[0] = (struct register_range){0, WEIR_IMEI_END - 1, {G, 0}};
	assert_true(seconds_for(in, N, &n_flat) < 3);
	assert_in_range(n_flat, 2 * (N / 3), 2 * (N / 3) + 2);
	free(in);
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(rows) + 3];
	unsigned n;

	for (n = 0; n < N_ROWS(rows); n++)
		tests[n] = ROW_TEST(rows[n].name, test_row, n);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_what_is_no_range_is_refused);
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(test_random_ranges_say_what_the_definition_says_for_every_device);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_a_hundred_thousand_ranges_take_no_square);
	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
