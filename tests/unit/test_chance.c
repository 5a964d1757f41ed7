/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* core/chance: the same numbers from the same state, worked out apart (by arithmetic of any width), and spread. */
#include "core/chance.h"

#include "rows.h"

static const struct row {
	const char *rule;
	uint64_t state, first, second;
} rows[] = {
	{"from one", 1, UINT64_C(0x47e4ce4b896cdd1d), UINT64_C(0xabcfa6a8e079651d)},
	{"from all ones", UINT64_MAX, UINT64_C(0xf92cc9e5c6000000), UINT64_C(0x8ff484d8fd1eaee3)},
	{"0 begins somewhere too", 0, UINT64_C(0x0d83b3e29a21487a), UINT64_C(0x54c44c79f1fe9d67)},
};

static void same_numbers(void **state)
{
	const struct row *row = *state;
	uint64_t s = row->state;

	assert_int_equal(chance_next(&s), row->first);
	assert_int_equal(chance_next(&s), row->second);
}

static void below_is_below_and_even(void **state)
{
	unsigned seen[6] = {0};
	uint64_t s = 7;

	(void)state;
	for (unsigned i = 0; i < 6000; i++)
		seen[chance_below(&s, 6)]++;
	for (unsigned i = 0; i < 6; i++)
		assert_in_range(seen[i], 900, 1100);
	assert_int_equal(chance_below(&s, 1), 0);
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(rows) + 1] = {cmocka_unit_test(below_is_below_and_even)};

	for (size_t i = 0; i < N_ROWS(rows); i++)
		tests[i + 1] = ROW_TEST(rows[i].rule, same_numbers, &rows[i]);
	return cmocka_run_group_tests_name("chance", tests, NULL, NULL);
}
