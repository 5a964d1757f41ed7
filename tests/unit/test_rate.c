/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* core/rate: buckets over a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/rate.h"

#define SECOND 1000000ll

/* How many of n questions at one moment are admitted. */
static unsigned admitted(struct rate_peer *peer, struct rate_terms terms, struct rate_gate *gate, uint32_t capacity,
			 unsigned priority, int64_t now_us, unsigned n)
{
	unsigned yes = 0;

	for (unsigned i = 0; i < n; i++)
		yes += rate_admit(peer, &terms, gate, capacity, priority, now_us) == RATE_ADMIT;
	return yes;
}

static void without_terms_everything_is_admitted(void **state)
{
	struct rate_peer peer = {0};

	(void)state;
	assert_int_equal(admitted(&peer, (struct rate_terms){0}, NULL, 0, 31, SECOND, 100000), 100000);
	assert_int_equal(peer.shed, 0);
}

static void a_limit_holds_over_a_second_whatever_the_pace(void **state)
{
	static const unsigned paces[] = {1, 7, 1000, 50000};

	(void)state;
	for (unsigned p = 0; p < 4; p++) {
		struct rate_peer peer = {0};
		unsigned yes = 0;
		for (int64_t us = 0; us < 10 * SECOND; us += paces[p])
			yes += admitted(&peer, (struct rate_terms){.limit = 1000}, NULL, 0, 0, SECOND + us,
					1 + paces[p] / 500);
		assert_in_range(yes, 9900, 10100 + 1);
		assert_true(peer.shed > 0);
	}
}

static void a_burst_is_a_tenth_of_a_second_and_at_least_one(void **state)
{
	struct rate_peer fast = {0}, slow = {0};

	(void)state;
	assert_int_equal(admitted(&fast, (struct rate_terms){.limit = 1000}, NULL, 0, 0, SECOND, 500), 100);
	assert_int_equal(admitted(&slow, (struct rate_terms){.limit = 1}, NULL, 0, 0, SECOND, 500), 1);
	assert_int_equal(admitted(&slow, (struct rate_terms){.limit = 1}, NULL, 0, 0, 2 * SECOND - 1, 1), 0);
	assert_int_equal(admitted(&slow, (struct rate_terms){.limit = 1}, NULL, 0, 0, 2 * SECOND + 1, 1), 1);
}

static void a_long_silence_and_a_clock_that_goes_back_overflow_nothing(void **state)
{
	struct rate_peer peer = {0};
	const struct rate_terms terms = {.limit = 100000000};

	(void)state;
	assert_int_equal(admitted(&peer, terms, NULL, 0, 0, 1, 20000000), 10000000);
	assert_int_equal(admitted(&peer, terms, NULL, 0, 0, INT64_MAX / 2, 20000000), 10000000);
	assert_int_equal(admitted(&peer, terms, NULL, 0, 0, 5, 10), 0);
}

static void the_less_urgent_are_shed_first(void **state)
{
	struct rate_peer peer = {0};
	struct rate_gate gate = {0};
	unsigned last, middle, first;

	(void)state;
	last = admitted(&peer, (struct rate_terms){0}, &gate, 1000, 31, SECOND, 1000);
	middle = admitted(&peer, (struct rate_terms){0}, &gate, 1000, RATE_DEFAULT_PRIORITY, SECOND, 1000);
	first = admitted(&peer, (struct rate_terms){0}, &gate, 1000, 0, SECOND, 1000);
	assert_in_range(last, 55, 58);
	assert_in_range(middle, 5, 8);
	assert_int_equal(last + middle + first, 100);
	assert_int_equal(gate.taken, 100);
	assert_int_equal(gate.shed, 2900);
	assert_int_equal(admitted(&peer, (struct rate_terms){0}, &gate, 1000, 999, SECOND, 1), 0);
}

static void a_reservation_is_answered_when_the_gate_is_at_its_capacity(void **state)
{
	struct rate_peer greedy = {0}, reserved = {0};
	struct rate_gate gate = {0};
	const struct rate_terms terms = {.reserve = 200};

	(void)state;
	admitted(&greedy, (struct rate_terms){0}, &gate, 1000, 0, SECOND, 1000);
	assert_int_equal(admitted(&reserved, terms, &gate, 1000, 31, SECOND, 1000), 20);
	assert_int_equal(greedy.shed, 900);
	/* what it took is worked off before the others come again */
	assert_int_equal(admitted(&greedy, (struct rate_terms){0}, &gate, 1000, 0, SECOND + 20000, 10), 0);
	assert_int_equal(admitted(&greedy, (struct rate_terms){0}, &gate, 1000, 0, SECOND + 25000, 10), 5);
}

static void a_limit_beats_a_reservation(void **state)
{
	struct rate_peer peer = {0};
	struct rate_gate gate = {0};

	(void)state;
	assert_int_equal(
		admitted(&peer, (struct rate_terms){.limit = 10, .reserve = 1000}, &gate, 1000, 0, SECOND, 100), 1);
	assert_int_equal(rate_admit(&peer, &(struct rate_terms){.limit = 10}, &gate, 1000, 0, SECOND), RATE_SHED_PEER);
	assert_int_equal(gate.taken, 1);
	assert_int_equal(gate.shed, 0); /* by the limit alone */
}

static void costs_are_taken_whole_or_not(void **state)
{
	struct rate rate = {0};

	(void)state;
	assert_true(rate_take(&rate, 10, 8, 8, SECOND));
	assert_false(rate_take(&rate, 10, 8, 1, SECOND));
	assert_false(rate_take(&rate, 10, 8, 2, SECOND + 100000));
	assert_true(rate_take(&rate, 10, 8, 1, SECOND + 100000));
	assert_false(rate_take(&rate, 0, 8, 0, SECOND));
}

static void waiting_is_told_in_whole_seconds(void **state)
{
	struct rate rate = {0};

	(void)state;
	assert_int_equal(rate_wait_s(&rate, 10, SECOND), 1);
	rate_take(&rate, 1, 5, 5, SECOND);
	assert_int_equal(rate_wait_s(&rate, 1, SECOND), 1);
	rate.tokens = -4000000;
	assert_int_equal(rate_wait_s(&rate, 1, SECOND), 5);
	assert_int_equal(rate_wait_s(&rate, 1, 3 * SECOND), 3);
	assert_int_equal(rate_wait_s(&rate, 0, SECOND), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_terms_everything_is_admitted),
		cmocka_unit_test(a_limit_holds_over_a_second_whatever_the_pace),
		cmocka_unit_test(a_burst_is_a_tenth_of_a_second_and_at_least_one),
		cmocka_unit_test(a_long_silence_and_a_clock_that_goes_back_overflow_nothing),
		cmocka_unit_test(the_less_urgent_are_shed_first),
		cmocka_unit_test(a_reservation_is_answered_when_the_gate_is_at_its_capacity),
		cmocka_unit_test(a_limit_beats_a_reservation),
		cmocka_unit_test(costs_are_taken_whole_or_not),
		cmocka_unit_test(waiting_is_told_in_whole_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
