/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Growable text with a sticky error: a page of metrics is many additions and one test at the end. */
#include "daemon/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_FIRST 4096
#define TEXT_MAX   (64u << 20) /* a page beyond this is a mistake, not a page */

static void text_fail(struct daemon_text *text)
{
	daemon_text_free(text);
	text->failed = true;
}

/* Room for more bytes and the terminating NUL. */
static bool text_reserve(struct daemon_text *text, size_t more)
{
	size_t size = text->size ? text->size : TEXT_FIRST;
	char *grown;

	if (more >= TEXT_MAX - text->len)
		return false;
	while (size <= text->len + more)
		size *= 2;
	if (size == text->size)
		return true;
	grown = realloc(text->text, size);
	if (!grown)
		return false;
	text->text = grown;
	text->size = size;
	return true;
}

void daemon_text_add(struct daemon_text *text, const char *format, ...)
{
	va_list args;
	int len;

	if (text->failed)
		return;
	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !text_reserve(text, (size_t)len)) {
		text_fail(text);
		return;
	}
	va_start(args, format);
	vsnprintf(text->text + text->len, text->size - text->len, format, args);
	va_end(args);
	text->len += (size_t)len;
}

void daemon_text_free(struct daemon_text *text)
{
	free(text->text);
	*text = (struct daemon_text){0};
}
