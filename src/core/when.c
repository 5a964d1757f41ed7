/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Points in time as text: RFC 3339, proleptic Gregorian, years 0000 to 9999.  Pure arithmetic: the C library's gmtime
 * reads the environment and takes a lock. */
#include "core/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define MS_A_DAY     INT64_C(86400000)
#define FIRST_DAY    (-719528) /* 0000-01-01, from 1970-01-01 */
#define LAST_DAY     2932896   /* 9999-12-31 */
#define DAYS_400     146097
#define DAYS_TO_1970 865565 /* from -400-03-01, where 400 years begin */

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

unsigned when_days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month] + (month == 2 && is_leap(year));
}

/* Counted from March, so that the leap day is the last of its year, and of the year -400, so that all is positive. */
int64_t when_days(unsigned year, unsigned month, unsigned day)
{
	unsigned y = year + 400 - (month <= 2), m = (month + 9) % 12, in_400 = y % 400;

	return (int64_t)(y / 400) * DAYS_400 + in_400 * 365 + in_400 / 4 - in_400 / 100 + (153 * m + 2) / 5 + day - 1 -
	       DAYS_TO_1970;
}

void when_date(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	unsigned z = (unsigned)(days + DAYS_TO_1970), in_400 = z % DAYS_400;
	unsigned y = (in_400 - in_400 / 1460 + in_400 / 36524 - in_400 / 146096) / 365;
	unsigned in_year = in_400 - (365 * y + y / 4 - y / 100), m = (5 * in_year + 2) / 153;

	*day = in_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + z / DAYS_400 * 400 + (*month <= 2) - 400;
}

const char *when_print(char buf[static WEIR_WHEN_TEXT], int64_t ms)
{
	int64_t in_day = (ms % MS_A_DAY + MS_A_DAY) % MS_A_DAY;
	int64_t days = ms / MS_A_DAY - (ms % MS_A_DAY < 0);
	unsigned year, month, day, second = (unsigned)(in_day / 1000);

	if (days < FIRST_DAY || days > LAST_DAY) {
		snprintf(buf, WEIR_WHEN_TEXT, "out-of-range");
		return buf;
	}
	when_date(days, &year, &month, &day);
	snprintf(buf, WEIR_WHEN_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000, month % 100, day % 100,
		 second / 3600 % 100, second / 60 % 60, second % 60, (unsigned)(in_day % 1000));
	return buf;
}

/* A reader over the text; the error is sticky. */
struct text {
	const char *at, *end;
	bool bad;
};

static int64_t take_number(struct text *t, unsigned digits)
{
	int64_t n = 0;

	for (; digits && !t->bad; digits--) {
		t->bad = t->at == t->end || *t->at < '0' || *t->at > '9';
		if (!t->bad)
			n = n * 10 + (*t->at++ - '0');
	}
	return t->bad ? 0 : n;
}

static bool take_one_of(struct text *t, const char *set)
{
	if (t->bad || t->at == t->end)
		return false;
	for (; *set; set++)
		if (*t->at == *set) {
			t->at++;
			return true;
		}
	return false;
}

static void must(struct text *t, bool holds)
{
	if (!holds)
		t->bad = true;
}

/* YYYY-MM-DD as days since 1970 */
static int64_t take_date(struct text *t)
{
	unsigned year, month, day;

	year = (unsigned)take_number(t, 4);
	must(t, take_one_of(t, "-"));
	month = (unsigned)take_number(t, 2);
	must(t, take_one_of(t, "-"));
	day = (unsigned)take_number(t, 2);
	must(t, month >= 1 && month <= 12);
	if (t->bad)
		return 0;
	must(t, day >= 1 && day <= when_days_in_month(year, month));
	return when_days(year, month, day);
}

/* .123456 as ms; what is finer is cut */
static int64_t take_fraction(struct text *t)
{
	int64_t ms = 0, unit = 100;

	if (!take_one_of(t, "."))
		return 0;
	ms = take_number(t, 1) * unit;
	while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
		unit /= 10;
		ms += take_number(t, 1) * unit;
	}
	return ms;
}

/* Z or +hh:mm, in seconds */
static int64_t take_offset(struct text *t)
{
	int64_t hours, minutes;
	bool west;

	if (take_one_of(t, "Zz"))
		return 0;
	west = take_one_of(t, "-");
	must(t, west || take_one_of(t, "+"));
	hours = take_number(t, 2);
	must(t, take_one_of(t, ":"));
	minutes = take_number(t, 2);
	must(t, hours <= 23 && minutes <= 59);
	return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

int when_from_text(const char *text, size_t len, int64_t *ms)
{
	struct text t = {.at = text, .end = text + len};
	int64_t hour, minute, second, seconds, fraction;

	*ms = 0;
	seconds = take_date(&t) * 86400;
	if (!t.bad && t.at == t.end) {
		*ms = seconds * 1000;
		return 0;
	}
	must(&t, take_one_of(&t, "Tt "));
	hour = take_number(&t, 2);
	must(&t, take_one_of(&t, ":"));
	minute = take_number(&t, 2);
	must(&t, take_one_of(&t, ":"));
	second = take_number(&t, 2);
	fraction = take_fraction(&t);
	must(&t, hour <= 23 && minute <= 59 && second <= 60);
	seconds += hour * 3600 + minute * 60 + second - take_offset(&t);
	must(&t, second < 60 || seconds % 86400 == 0); /* a leap second ends a day in UTC */
	if (t.bad || t.at != t.end)
		return -EINVAL;
	*ms = seconds * 1000 + fraction;
	return 0;
}
