/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Points in time: RFC 3339 in and out. */
#include "core/when.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rows.h"

struct row {
	const char *rule, *text;
	int64_t ms;
	const char *printed; /* NULL: cannot be read */
};

static const struct row rows[] = {
	{"the epoch", "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
	{"a bare date is midnight", "2026-11-24", INT64_C(1795478400000), "2026-11-24T00:00:00.000Z"},
	{"milliseconds", "2026-11-24T02:18:00.123Z", INT64_C(1795486680123), "2026-11-24T02:18:00.123Z"},
	{"one digit of fraction is tenths", "2026-11-24T02:18:00.1Z", INT64_C(1795486680100),
	 "2026-11-24T02:18:00.100Z"},
	{"finer than milliseconds is cut", "2026-11-24T02:18:00.1239999Z", INT64_C(1795486680123),
	 "2026-11-24T02:18:00.123Z"},
	{"small t and z", "2026-11-24t02:18:00z", INT64_C(1795486680000), "2026-11-24T02:18:00.000Z"},
	{"a space for T", "2026-11-24 02:18:00Z", INT64_C(1795486680000), "2026-11-24T02:18:00.000Z"},
	{"east is earlier in UTC", "2026-11-24T00:30:00+01:00", INT64_C(1795476600000), "2026-11-23T23:30:00.000Z"},
	{"west is later in UTC", "2026-11-23T20:30:00-03:30", INT64_C(1795478400000), "2026-11-24T00:00:00.000Z"},
	{"before 1970", "1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"},
	{"a leap day in a leap century", "2000-02-29", INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
	{"a leap second is the next second", "2016-12-31T23:59:60Z", INT64_C(1483228800000),
	 "2017-01-01T00:00:00.000Z"},
	{"a leap second in another zone", "2017-01-01T00:59:60+01:00", INT64_C(1483228800000),
	 "2017-01-01T00:00:00.000Z"},
	{"the first day there is", "0000-01-01", INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"},
	{"the last millisecond there is", "9999-12-31T23:59:59.999Z", INT64_C(253402300799999),
	 "9999-12-31T23:59:59.999Z"},
	{"refused: empty", "", 0, NULL},
	{"refused: no zone", "2026-11-24T02:18:00", 0, NULL},
	{"refused: no leap day in 1900", "1900-02-29", 0, NULL},
	{"refused: month 13", "2026-13-01", 0, NULL},
	{"refused: month 0", "2026-00-01", 0, NULL},
	{"refused: day 0", "2026-01-00", 0, NULL},
	{"refused: 31 April", "2026-04-31", 0, NULL},
	{"refused: hour 24", "2026-11-24T24:00:00Z", 0, NULL},
	{"refused: minute 60", "2026-11-24T00:60:00Z", 0, NULL},
	{"refused: second 60 in the middle of a day", "2026-11-24T12:30:60Z", 0, NULL},
	{"refused: second 61", "2026-12-31T23:59:61Z", 0, NULL},
	{"refused: a point and no fraction", "2026-11-24T02:18:00.Z", 0, NULL},
	{"refused: offset of 24 hours", "2026-11-24T02:18:00+24:00", 0, NULL},
	{"refused: offset without colon", "2026-11-24T02:18:00+0100", 0, NULL},
	{"refused: something after the end", "2026-11-24T02:18:00Z ", 0, NULL},
	{"refused: something after a date", "2026-11-24x", 0, NULL},
	{"refused: a sign before the year", "+2026-11-24", 0, NULL},
	{"refused: seconds since 1970", "1795478400", 0, NULL},
};

static void test_row(void **state)
{
	const struct row *row = *state;
	char buf[WEIR_WHEN_TEXT];
	int64_t ms = 42;

	assert_int_equal(when_from_text(row->text, strlen(row->text), &ms), row->printed ? 0 : -EINVAL);
	assert_true(ms == row->ms);
	if (row->printed)
		assert_string_equal(when_print(buf, ms), row->printed);
}

/* Every prefix is refused or is the bare date; the text is copied so that a sanitizer sees one octet too far. */
static void test_every_prefix_is_refused_or_a_date(void **state)
{
	const char *text = "2026-11-24T02:18:00.123+01:00";
	int64_t ms;

	(void)state;
	for (size_t len = 0; len < strlen(text); len++) {
		char *copy = malloc(len + 1);
		assert_non_null(copy);
		memcpy(copy + 1, text, len);
		assert_int_equal(when_from_text(copy + 1, len, &ms), len == strlen("2026-11-24") ? 0 : -EINVAL);
		free(copy);
	}
}

/* The C library is the oracle, through ten thousand years in steps that meet every day of the month and hour. */
static void test_the_same_as_the_c_library(void **state)
{
	char buf[WEIR_WHEN_TEXT], expected[80];
	struct tm tm;
	int64_t ms;

	(void)state;
	for (int64_t s = INT64_C(-62167219200); s < INT64_C(253402300800); s += 86400 * 17 + 3607) {
		time_t t = (time_t)s;
		assert_non_null(gmtime_r(&t, &tm));
		snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.007Z", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_string_equal(when_print(buf, s * 1000 + 7), expected);
		assert_int_equal(when_from_text(buf, strlen(buf), &ms), 0);
		assert_true(ms == s * 1000 + 7);
	}
}

static void test_times_that_no_year_has(void **state)
{
	static const int64_t far[] = {INT64_MIN, INT64_MAX, INT64_C(-62167219200001), INT64_C(253402300800000)};
	char buf[WEIR_WHEN_TEXT];

	(void)state;
	for (unsigned i = 0; i < N_ROWS(far); i++)
		assert_string_equal(when_print(buf, far[i]), "out-of-range");
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(rows) + 3];

	for (unsigned i = 0; i < N_ROWS(rows); i++)
		tests[i] = ROW_TEST(rows[i].rule, test_row, &rows[i]);
	tests[N_ROWS(rows)] = (struct CMUnitTest)cmocka_unit_test(test_every_prefix_is_refused_or_a_date);
	tests[N_ROWS(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(test_the_same_as_the_c_library);
	tests[N_ROWS(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(test_times_that_no_year_has);
	return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
