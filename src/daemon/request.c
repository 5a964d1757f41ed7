/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reading the head of a request.  Strict where being lenient serves nobody: CRLF ends lines, no folded fields, no
 * control characters, one space between the parts of the first line. */
#include "daemon/request.h"

#include <stdbool.h>
#include <string.h>

#define MAX_METHOD 16

/* A tchar of RFC 9110 clause 5.6.2. */
static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_length(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && is_token(bytes[n]))
		n++;
	return n;
}

static size_t graphic_length(const char *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && bytes[n] > ' ' && bytes[n] < 0x7f)
		n++;
	return n;
}

static int take_path(const char *target, size_t len, char path[static REQUEST_MAX_PATH])
{
	const char *query = memchr(target, '?', len);

	if (query)
		len = (size_t)(query - target);
	if (len >= REQUEST_MAX_PATH)
		return 414;
	memcpy(path, target, len);
	path[len] = 0;
	return 200;
}

/* "HTTP/1.0" or "HTTP/1.1" as far as it has come. */
static int check_version(const char *bytes, size_t len)
{
	static const char version[] = "HTTP/1.";
	size_t fixed = sizeof(version) - 1;

	if (memcmp(bytes, version, len < 5 ? len : 5))
		return 400;
	if (memcmp(bytes, version, len < fixed ? len : fixed) ||
	    (len > fixed && bytes[fixed] != '0' && bytes[fixed] != '1'))
		return 505;
	return len > fixed ? 200 : REQUEST_MORE;
}

/* The first line: its length with CRLF, or 0; *status where it ends the reading. */
static size_t first_line(const char *bytes, size_t len, char path[static REQUEST_MAX_PATH], int *status)
{
	size_t method = token_length(bytes, len), target, at;

	*status = 400;
	if (method == len)
		*status = len > MAX_METHOD ? 400 : REQUEST_MORE;
	if (!method || method > MAX_METHOD || method == len || bytes[method] != ' ')
		return 0;
	at = method + 1;
	target = graphic_length(bytes + at, len - at);
	if (target && bytes[at] != '/')
		return 0;
	if (at + target == len) {
		*status = REQUEST_MORE;
		return 0;
	}
	if (!target || bytes[at + target] != ' ')
		return 0;
	if (method != 3 || memcmp(bytes, "GET", 3)) {
		*status = 405;
		return 0;
	}
	*status = take_path(bytes + at, target, path);
	if (*status != 200)
		return 0;
	at += target + 1;
	*status = check_version(bytes + at, len - at);
	if (*status != 200)
		return 0;
	at += 8;
	*status = REQUEST_MORE;
	if (at < len && (bytes[at] != '\r' || (at + 1 < len && bytes[at + 1] != '\n')))
		*status = 400;
	return at + 2 <= len && *status != 400 ? at + 2 : 0;
}

/* One field or the empty line: its length with CRLF, or 0 with *status. */
static size_t field_line(const char *bytes, size_t len, int *status)
{
	size_t name = token_length(bytes, len), at = name;

	*status = REQUEST_MORE;
	if (name < len && bytes[name] != ':' && (name || bytes[0] != '\r'))
		*status = 400;
	if (name == len || *status == 400)
		return 0;
	while (at < len && (bytes[at] == '\t' || (unsigned char)bytes[at] >= ' ') && bytes[at] != 0x7f)
		at++;
	if ((at < len && bytes[at] != '\r') || (at + 1 < len && bytes[at + 1] != '\n'))
		*status = 400;
	return at + 2 <= len && *status != 400 ? at + 2 : 0;
}

static int read_head(const char *bytes, size_t len, char path[static REQUEST_MAX_PATH])
{
	int status;
	size_t at = first_line(bytes, len, path, &status);

	while (at) {
		size_t line = field_line(bytes + at, len - at, &status);

		if (!line)
			return status;
		if (line == 2)
			return 200;
		at += line;
	}
	return status;
}

int request_read(const char *bytes, size_t len, char path[static REQUEST_MAX_PATH])
{
	int status;

	path[0] = 0;
	status = read_head(bytes, len < REQUEST_MAX ? len : REQUEST_MAX, path);
	if (status != 200)
		path[0] = 0;
	if (status == REQUEST_MORE && len >= REQUEST_MAX)
		return 431;
	return status;
}
