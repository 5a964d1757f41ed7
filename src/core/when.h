/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Points in time as text.  Time itself always comes in as an argument: milliseconds since 1970-01-01T00:00:00Z. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WEIR_WHEN_TEXT 28

/* The proleptic Gregorian calendar, for the years 0 to 9999 and months 1 to 12; days are since 1970-01-01. */
unsigned when_days_in_month(unsigned year, unsigned month);
int64_t when_days(unsigned year, unsigned month, unsigned day);
void when_date(int64_t days, unsigned *year, unsigned *month, unsigned *day);

/* "2026-11-24T02:18:00.123Z" */
const char *when_print(char buf[static WEIR_WHEN_TEXT], int64_t ms);
/* RFC 3339 with Z or an offset, or a bare date (midnight UTC).  0 or -EINVAL. */
int when_from_text(const char *text, size_t len, int64_t *ms);
