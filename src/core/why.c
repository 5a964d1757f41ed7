/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Keeps one sentence for people.  Must never overrun and never drop the error it is handed. */
#include "core/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_set(struct weir_why *why, int err, const char *format, ...)
{
	va_list args;

	if (!why)
		return err;
	va_start(args, format);
	if (vsnprintf(why->text, sizeof(why->text), format, args) < 0)
		why->text[0] = '\0';
	va_end(args);
	return err;
}
