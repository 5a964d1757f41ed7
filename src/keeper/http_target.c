/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Request targets and headers (RFC 9112 clauses 3, 5 and 6): the strict reading.  Never unescapes twice, never lets a
 * control character through. */
#include "keeper/http_target.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decode text in place up to one of stops or its end.  Returns where it stopped, NULL where it is malformed. */
static char *decode_until(char *text, const char *stops, bool plus_is_space)
{
	char *to = text, *from = text, c;

	for (; *from && !strchr(stops, *from); from++) {
		c = *from;
		if (c == '%') {
			if (hex_value(from[1]) < 0 || hex_value(from[2]) < 0)
				return NULL;
			c = (char)(hex_value(from[1]) << 4 | hex_value(from[2]));
			from += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c > 0x7e)
			return NULL;
		*to++ = c;
	}
	/* the stop character may stand where the terminator goes: keep it for the caller in front of it */
	if (to == from)
		return from;
	*to = '\0';
	return from;
}

/* Cut at a stop; returns the stop character and moves *at behind it (or to the end). */
static int take_part(char **at, const char *stops, bool plus_is_space)
{
	char *end = decode_until(*at, stops, plus_is_space);
	char stop;

	if (!end)
		return -EINVAL;
	stop = *end;
	*end = '\0';
	*at = stop ? end + 1 : end;
	return (unsigned char)stop;
}

static int take_path(char **at, struct http_target *target)
{
	int stop;

	do {
		char *segment = *at;

		stop = take_part(at, "/?", false);
		if (stop < 0)
			return stop;
		if (!*segment || target->n_segments == HTTP_SEGMENTS_MAX)
			return -EINVAL;
		target->segment[target->n_segments++] = segment;
	} while (stop == '/');
	return stop;
}

static int take_queries(char **at, struct http_target *target)
{
	int stop;

	do {
		struct http_query query = {.name = *at, .value = ""};

		stop = take_part(at, "=&", true);
		if (stop == '=') {
			query.value = *at;
			stop = take_part(at, "&", true);
		}
		if (stop < 0 || !*query.name || target->n_queries == HTTP_QUERY_MAX ||
		    http_target_query(target, query.name))
			return -EINVAL;
		target->query[target->n_queries++] = query;
	} while (stop == '&');
	return 0;
}

int http_target_parse(const char *uri, struct http_target *target, struct weir_why *why)
{
	char *at = target->storage;
	size_t len = strlen(uri);
	int rc;

	memset(target, 0, sizeof(*target));
	if (len > HTTP_TARGET_MAX)
		return why_set(why, -ENAMETOOLONG, "the target has %zu characters, at most %d are read", len,
			       HTTP_TARGET_MAX);
	memcpy(target->storage, uri, len + 1);
	if (*at++ != '/')
		return why_set(why, -EINVAL, "the target must begin with '/'");
	rc = take_path(&at, target);
	if (rc < 0)
		return why_set(why, rc,
			       "the path has an empty part, too many parts, or a character that is not "
			       "printable ASCII");
	if (rc == '?' && take_queries(&at, target) < 0)
		return why_set(why, -EINVAL,
			       "the query has an empty or repeated name, too many names, or a character "
			       "that is not printable ASCII");
	return 0;
}

const char *http_target_query(const struct http_target *target, const char *name)
{
	for (unsigned i = 0; i < target->n_queries; i++) {
		if (!strcmp(target->query[i].name, name))
			return target->query[i].value;
	}
	return NULL;
}

bool http_target_matches(const struct http_target *target, const char *shape)
{
	for (unsigned i = 0; i < target->n_segments; i++) {
		size_t len;

		if (*shape++ != '/')
			return false;
		len = strcspn(shape, "/");
		if (*shape != '{' && (strlen(target->segment[i]) != len || memcmp(target->segment[i], shape, len)))
			return false;
		shape += len;
	}
	return !*shape;
}

/* RFC 9110 clause 5.6.2: token. */
static bool is_token(const char *name, size_t len)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (size_t i = 0; i < len; i++) {
		if (!name[i] || !strchr(allowed, name[i]))
			return false;
	}
	return len > 0;
}

static bool is_field_text(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 && value[i] != '\t')
			return false;
		if (value[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_named(const char *name, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(name, word, len);
}

static bool is_number(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
	}
	return len > 0 && len <= 18;
}

bool http_guard_header(struct http_guard *guard, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (guard->fault)
		return false;
	if (!is_token(name, name_len))
		guard->fault = "a header's name has a character that is not allowed there";
	else if (!is_field_text(value, value_len))
		guard->fault = "a header's value has a control character";
	else if (is_named(name, name_len, "Host") && ++guard->hosts > 1)
		guard->fault = "the Host header came more than once";
	else if (is_named(name, name_len, "Content-Length") && (++guard->lengths > 1 || !is_number(value, value_len)))
		guard->fault = "Content-Length must come once and be a number";
	else if (is_named(name, name_len, "Transfer-Encoding") &&
		 (++guard->codings > 1 || !is_named(value, value_len, "chunked")))
		guard->fault = "Transfer-Encoding must come once and be \"chunked\"";
	else if (is_named(name, name_len, "Expect"))
		guard->expects = is_named(value, value_len, "100-continue");
	return !guard->fault;
}

const char *http_guard_fault(const struct http_guard *guard)
{
	if (guard->fault)
		return guard->fault;
	if (guard->lengths && guard->codings)
		return "Content-Length and Transfer-Encoding exclude one another";
	return NULL;
}
