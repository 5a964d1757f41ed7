/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A sentence for people.
 *
 * A function whose failure a person must understand takes a struct weir_why and, on failure, leaves one
 * sentence in it: what was wrong, where, and what would be right ("line 35: imei has 13 digits, 14 to 17 are
 * needed").  It carries no identity in clear: callers mask (core/mask.h) before they print one.  A NULL
 * weir_why is allowed everywhere and means that nobody will read the sentence. */
#pragma once

struct weir_why {
	char text[240]; /* always terminated; "" until something failed */
};

/* Set the sentence; cut, never overrun.  Returns err unchanged, so that "return why_set(why, -EINVAL, ...)" reads
 * well. */
int why_set(struct weir_why *why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
