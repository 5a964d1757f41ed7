/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The words: every value has one of its own and comes back from it; why_set keeps its promises. */
#include "core/verdict.h"

#include <errno.h>

#include "core/why.h"

#include "rows.h"

typedef const char *name_fn(unsigned value);
typedef int from_name_fn(const char *name);

static const char *any_colour(unsigned v)
{
	return colour_name(v);
}
static const char *any_reason(unsigned v)
{
	return reason_name(v);
}
static const char *any_step(unsigned v)
{
	return step_name(v);
}
static const char *any_tally(unsigned v)
{
	return tally_name(v);
}
static const char *any_interface(unsigned v)
{
	return interface_name(v);
}
static const char *any_pair_rule(unsigned v)
{
	return pair_rule_name(v);
}

static const struct words {
	const char *rule;
	name_fn *name;
	from_name_fn *from_name; /* NULL: never parsed */
	unsigned n;
} words[] = {
	{"every colour has a word", any_colour, colour_from_name, WEIR_N_COLOURS},
	{"every reason has a word", any_reason, reason_from_name, WEIR_N_REASONS},
	{"every step has a word", any_step, NULL, WEIR_N_STEPS},
	{"every tally has a word", any_tally, NULL, WEIR_N_TALLIES},
	{"every interface has a word", any_interface, interface_from_name, WEIR_N_INTERFACES},
	{"every pair rule has a word", any_pair_rule, pair_rule_from_name, WEIR_N_PAIR_RULES},
};

static void test_words(void **state)
{
	const struct words *w = *state;

	for (unsigned i = 0; i < w->n; i++) {
		assert_non_null(w->name(i));
		assert_string_not_equal(w->name(i), "?");
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(w->name(i), w->name(j));
		if (w->from_name)
			assert_int_equal(w->from_name(w->name(i)), i);
	}
	assert_string_equal(w->name(w->n), "?");
	assert_string_equal(w->name(UINT32_MAX), "?");
	if (w->from_name) {
		assert_int_equal(w->from_name("?"), -1);
		assert_int_equal(w->from_name(""), -1);
		assert_int_equal(w->from_name("Black"), -1);
	}
}

/* Stored and published: a changed number or word breaks stores, dashboards and clients. */
static void test_numbers_and_words_that_never_change(void **state)
{
	(void)state;
	assert_string_equal(reason_name(1), "stolen");
	assert_string_equal(reason_name(6), "not-type-approved");
	assert_string_equal(reason_name(12), "other");
	assert_string_equal(step_name(6), "pair");
	assert_string_equal(step_name(11), "default");
	assert_string_equal(colour_name(2), "black");
	assert_string_equal(pair_rule_name(3), "fixed");
	assert_string_equal(interface_name(WEIR_IF_N5G), "n5g");
	for (unsigned i = 0; i < WEIR_N_COLOURS; i++)
		assert_string_equal(tally_name(i), colour_name(i));
}

static void test_black_over_grey_over_white(void **state)
{
	(void)state;
	for (unsigned lists = 0; lists < 256; lists++) {
		enum weir_colour expected = lists & 4	? WEIR_BLACK
					    : lists & 2 ? WEIR_GREY
					    : lists & 1 ? WEIR_WHITE
							: WEIR_UNKNOWN;
		assert_int_equal(lists_gravest((uint8_t)lists), expected);
	}
}

static void test_lists_are_printed_within_24_octets(void **state)
{
	static const char *const texts[8] = {
		"none", "white", "grey", "white+grey", "black", "white+black", "grey+black", "white+grey+black",
	};
	char buf[24];

	(void)state;
	for (unsigned lists = 0; lists < 256; lists++)
		assert_string_equal(lists_print(buf, (uint8_t)lists), texts[lists & 7]);
}

static void test_a_long_sentence_is_cut(void **state)
{
	struct weir_why why;

	(void)state;
	memset(&why, 'x', sizeof(why));
	assert_int_equal(why_set(&why, -EINVAL, "%0500d", 1), -EINVAL);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_int_equal(why_set(&why, -ENOENT, "line %d: no such list", 35), -ENOENT);
	assert_string_equal(why.text, "line 35: no such list");
}

static void test_nobody_needs_to_read_the_sentence(void **state)
{
	(void)state;
	assert_int_equal(why_set(NULL, -EIO, "%s", "unread"), -EIO);
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(words) + 5];
	const struct CMUnitTest others[5] = {
		cmocka_unit_test(test_numbers_and_words_that_never_change),
		cmocka_unit_test(test_black_over_grey_over_white),
		cmocka_unit_test(test_lists_are_printed_within_24_octets),
		cmocka_unit_test(test_a_long_sentence_is_cut),
		cmocka_unit_test(test_nobody_needs_to_read_the_sentence),
	};

	for (unsigned i = 0; i < N_ROWS(words); i++)
		tests[i] = ROW_TEST(words[i].rule, test_words, &words[i]);
	memcpy(tests + N_ROWS(words), others, sizeof(others));
	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
