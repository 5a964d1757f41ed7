/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Heads of HTTP requests: what is answered, what is refused, and that neither cutting nor flipping a bit surprises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/request.h"

static const char good[] = "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost:9280\r\nAccept: */*\r\n\r\n";

static const struct row {
	const char *rule;
	const char *bytes;
	int status;
	const char *path;
} rows[] = {
	{"HTTP/1.1 with fields", "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200, "/livez"},
	{"HTTP/1.0 without fields", "GET / HTTP/1.0\r\n\r\n", 200, "/"},
	{"a query is no part of the path", "GET /livez?verbose HTTP/1.1\r\n\r\n", 200, "/livez"},
	{"what follows the head is not looked at", "GET / HTTP/1.1\r\n\r\n\001\002", 200, "/"},
	{"a field may be empty", "GET / HTTP/1.1\r\nA:\r\n\r\n", 200, "/"},
	{"nothing yet", "", REQUEST_MORE, ""},
	{"no end of the head yet", "GET / HTTP/1.1\r\nHost: a\r\n", REQUEST_MORE, ""},
	{"another method", "POST /metrics HTTP/1.1\r\n", 405, ""},
	{"a method is known by its case", "get / HTTP/1.1\r\n", 405, ""},
	{"HEAD is another method", "HEAD / HTTP/1.1\r\n", 405, ""},
	{"an unknown version", "GET / HTTP/2.0\r\n\r\n", 505, ""},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", 505, ""},
	{"another protocol after the target", "GET / RTSP/1.0\r\n\r\n", 400, ""},
	{"HTTP/0.9 has no version", "GET /\r\n", 400, ""},
	{"a target must begin with a slash", "GET http://a/ HTTP/1.1\r\n\r\n", 400, ""},
	{"two spaces", "GET  / HTTP/1.1\r\n\r\n", 400, ""},
	{"no target", "GET  HTTP/1.1\r\n\r\n", 400, ""},
	{"a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 400, ""},
	{"a folded field", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, ""},
	{"a field without a colon", "GET / HTTP/1.1\r\nabc\r\n\r\n", 400, ""},
	{"a space before the colon", "GET / HTTP/1.1\r\nA : b\r\n\r\n", 400, ""},
	{"a control character in a field", "GET / HTTP/1.1\r\nA: \001\r\n\r\n", 400, ""},
	{"a letter beyond ASCII in the target", "GET /\303\244 HTTP/1.1\r\n\r\n", 400, ""},
	{"a TLS hello is refused at its first octet", "\026\003\001", 400, ""},
	{"a method without an end", "AAAAAAAAAAAAAAAAAAAA", 400, ""},
	{"a long target",
	 "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n", 414, ""},
};

static void test_rows(void **state)
{
	char path[REQUEST_MAX_PATH];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = request_read(rows[i].bytes, strlen(rows[i].bytes), path);

		if (status != rows[i].status || strcmp(path, rows[i].path))
			fail_msg("%s: got %d \"%s\"", rows[i].rule, status, path);
	}
}

/* A copy of exactly these octets, so that the sanitizer sees a step beyond them. */
static int read_copy(const char *bytes, size_t len, char path[static REQUEST_MAX_PATH])
{
	char *copy = malloc(len ? len : 1);
	int status;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	status = request_read(copy, len, path);
	free(copy);
	return status;
}

static void test_prefixes_want_more(void **state)
{
	char path[REQUEST_MAX_PATH];

	(void)state;
	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		assert_int_equal(read_copy(good, len, path), REQUEST_MORE);
		assert_string_equal(path, "");
	}
	assert_int_equal(read_copy(good, sizeof(good) - 1, path), 200);
	assert_string_equal(path, "/metrics");
}

/* Octet by octet or at once: the same answer, and once refused always refused. */
static void test_pieces_agree(void **state)
{
	char path[REQUEST_MAX_PATH];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].bytes);
		int first = REQUEST_MORE;

		for (size_t n = 0; n <= len && first == REQUEST_MORE; n++)
			first = read_copy(rows[i].bytes, n, path);
		if (first != rows[i].status)
			fail_msg("%s: %d in pieces, %d at once", rows[i].rule, first, rows[i].status);
	}
}

static void test_bit_flips(void **state)
{
	char bytes[sizeof(good)], path[REQUEST_MAX_PATH];

	(void)state;
	for (size_t bit = 0; bit < (sizeof(good) - 1) * 8; bit++) {
		int status;

		memcpy(bytes, good, sizeof(good));
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
		status = read_copy(bytes, sizeof(good) - 1, path);
		assert_true(status == REQUEST_MORE || status == 200 || (status >= 400 && status <= 505));
		assert_true(status == 200 ? path[0] == '/' : !path[0]);
	}
}

static void test_too_long(void **state)
{
	char bytes[REQUEST_MAX + 1], path[REQUEST_MAX_PATH];

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "GET / HTTP/1.1\r\nA: ", 19);
	assert_int_equal(request_read(bytes, REQUEST_MAX - 1, path), REQUEST_MORE);
	assert_int_equal(request_read(bytes, REQUEST_MAX, path), 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),         cmocka_unit_test(test_prefixes_want_more),
		cmocka_unit_test(test_pieces_agree), cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
