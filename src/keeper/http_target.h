/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What a request's first line and headers say, read strictly.  Pure: bytes in, words out.
 *
 * libmicrohttpd 0.9.75 lets through what later versions refuse (two Hosts, two lengths, a length beside a transfer
 * coding); the guard below is what stands between it and the handlers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/why.h"

#define HTTP_TARGET_MAX   1024
#define HTTP_SEGMENTS_MAX 8
#define HTTP_QUERY_MAX    12

/* "/v1/sources/local?x=1", split and percent-decoded.  Every decoded character is printable ASCII; a decoded '/' stays
 * inside its segment. */
struct http_target {
	char storage[HTTP_TARGET_MAX + 1];
	const char *segment[HTTP_SEGMENTS_MAX];
	unsigned n_segments;
	struct http_query {
		const char *name, *value;
	} query[HTTP_QUERY_MAX];
	unsigned n_queries;
};

/* 0; -EINVAL with why; -ENAMETOOLONG. */
int http_target_parse(const char *uri, struct http_target *target, struct weir_why *why);
/* NULL where the query does not have it. */
const char *http_target_query(const struct http_target *target, const char *name);
/* Does the path have the shape of "/v1/sources/{source}"?  A word in braces takes any one segment. */
bool http_target_matches(const struct http_target *target, const char *shape);

/* Headers, one by one; after the first fault the rest is not looked at. */
struct http_guard {
	unsigned hosts, lengths, codings;
	bool expects; /* Expect: 100-continue: the body is still with the client */
	const char *fault;
};
/* False on a fault. */
bool http_guard_header(struct http_guard *guard, const char *name, size_t name_len, const char *value,
		       size_t value_len);
/* After the last header: NULL, or what is wrong. */
const char *http_guard_fault(const struct http_guard *guard);
