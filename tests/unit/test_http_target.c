/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Request targets and headers: what is taken, what is refused. */
#include "keeper/http_target.h"

#include <errno.h>

#include "rows.h"

struct target_row {
	const char *rule, *uri;
	int rc;
	const char *printed; /* segments in <>, then queries */
};

static const struct target_row target_rows[] = {
	{"a path is split at slashes", "/v1/sources", 0, "<v1><sources>"},
	{"an encoded slash stays in its segment", "/v1/devices/352099001761481%2F23", 0,
	 "<v1><devices><352099001761481/23>"},
	{"a query is split at & and =", "/v1/check?imei=1&imsi=2", 0, "<v1><check>imei=1;imsi=2;"},
	{"a query without = is empty", "/v1/check?dry", 0, "<v1><check>dry=;"},
	{"a second = belongs to the value", "/a?b=c=d", 0, "<a>b=c=d;"},
	{"a plus is a space in a query", "/a?b=c+d", 0, "<a>b=c d;"},
	{"a plus is a plus in a path", "/a+b", 0, "<a+b>"},
	{"decoding happens once", "/%2541", 0, "<%41>"},
	{"capitals and small letters in hex", "/%4a%4B", 0, "<JK>"},
	{"no slash at the start", "v1", -EINVAL, NULL},
	{"nothing at all", "", -EINVAL, NULL},
	{"the root has an empty part", "/", -EINVAL, NULL},
	{"an empty part", "/v1//sources", -EINVAL, NULL},
	{"a slash at the end", "/v1/", -EINVAL, NULL},
	{"an encoded NUL", "/v1/a%00b", -EINVAL, NULL},
	{"an encoded line feed", "/v1/a%0ab", -EINVAL, NULL},
	{"an encoded NUL in a query", "/v1?a=%00", -EINVAL, NULL},
	{"an octet above 126", "/v1/\xc3\xa4", -EINVAL, NULL},
	{"an encoded octet above 126", "/v1/%c3%a4", -EINVAL, NULL},
	{"half an escape", "/v1/%4", -EINVAL, NULL},
	{"an escape that is none", "/v1/%zz", -EINVAL, NULL},
	{"a percent sign at the end", "/v1/%", -EINVAL, NULL},
	{"a name twice", "/a?b=1&b=2", -EINVAL, NULL},
	{"a query without a name", "/a?=1", -EINVAL, NULL},
	{"an empty query", "/a?", -EINVAL, NULL},
	{"nine parts", "/1/2/3/4/5/6/7/8/9", -EINVAL, NULL},
	{"eight parts", "/1/2/3/4/5/6/7/8", 0, "<1><2><3><4><5><6><7><8>"},
	{"thirteen queries", "/a?a&b&c&d&e&f&g&h&i&j&k&l&m", -EINVAL, NULL},
};

static void print_target(const struct http_target *target, char out[static 256])
{
	*out = '\0';
	for (unsigned i = 0; i < target->n_segments; i++)
		snprintf(out + strlen(out), 256 - strlen(out), "<%s>", target->segment[i]);
	for (unsigned i = 0; i < target->n_queries; i++)
		snprintf(out + strlen(out), 256 - strlen(out), "%s=%s;", target->query[i].name, target->query[i].value);
}

static void test_target(void **state)
{
	const struct target_row *row = *state;
	struct http_target target;
	struct weir_why why = {0};
	char printed[256];

	assert_int_equal(http_target_parse(row->uri, &target, &why), row->rc);
	if (row->rc) {
		assert_true(*why.text);
		return;
	}
	print_target(&target, printed);
	assert_string_equal(printed, row->printed);
}

static void test_target_too_long(void **state)
{
	char uri[HTTP_TARGET_MAX + 2];
	struct http_target target;

	(void)state;
	memset(uri, 'a', sizeof(uri));
	uri[0] = '/';
	uri[HTTP_TARGET_MAX] = '\0';
	assert_int_equal(http_target_parse(uri, &target, NULL), 0);
	uri[HTTP_TARGET_MAX] = 'a';
	uri[HTTP_TARGET_MAX + 1] = '\0';
	assert_int_equal(http_target_parse(uri, &target, NULL), -ENAMETOOLONG);
}

/* Whatever stands there: never a read or a write outside, never a control character inside. */
static void test_target_random(void **state)
{
	static const char alphabet[] = "/?&=%+01aAfFgz \x01\xff";
	uint64_t seed = 20261124;
	struct http_target target;
	char uri[40];

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		unsigned len = rows_random_below(&seed, sizeof(uri) - 1);

		for (unsigned i = 0; i < len; i++)
			uri[i] = alphabet[rows_random_below(&seed, sizeof(alphabet) - 1)];
		uri[len] = '\0';
		if (http_target_parse(uri, &target, NULL) < 0)
			continue;
		for (unsigned i = 0; i < target.n_segments; i++) {
			assert_true(*target.segment[i]);
			for (const char *c = target.segment[i]; *c; c++)
				assert_true(*c >= 0x20 && *c <= 0x7e);
		}
	}
}

struct match_row {
	const char *rule, *uri, *shape;
	bool matches;
};

static const struct match_row match_rows[] = {
	{"the same words", "/v1/sources", "/v1/sources", true},
	{"a word in braces takes any segment", "/v1/sources/x", "/v1/sources/{source}", true},
	{"but not two", "/v1/sources/x/y", "/v1/sources/{source}", false},
	{"and not none", "/v1/sources", "/v1/sources/{source}", false},
	{"words behind braces count", "/v1/sources/x/export", "/v1/sources/{source}/export", true},
	{"another word", "/v1/sources/x/import", "/v1/sources/{source}/export", false},
	{"the beginning of a word is not the word", "/v1/source", "/v1/sources", false},
	{"more than the word is not the word", "/v1/sourcess", "/v1/sources", false},
	{"a brace in the request is only a character", "/v1/{source}", "/v1/sources", false},
};

static void test_match(void **state)
{
	const struct match_row *row = *state;
	struct http_target target;

	assert_int_equal(http_target_parse(row->uri, &target, NULL), 0);
	assert_int_equal(http_target_matches(&target, row->shape), row->matches);
}

struct header {
	const char *name, *value;
};

struct guard_row {
	const char *rule;
	struct header header[3];
	bool good, expects;
};

static const struct guard_row guard_rows[] = {
	{"one Host", {{"Host", "a"}}, true, false},
	{"two Hosts", {{"Host", "a"}, {"host", "a"}}, false, false},
	{"one length", {{"Content-Length", "12"}}, true, false},
	{"two lengths, even equal ones", {{"Content-Length", "12"}, {"Content-Length", "12"}}, false, false},
	{"a length with a sign", {{"Content-Length", "+12"}}, false, false},
	{"a list of lengths", {{"Content-Length", "12, 12"}}, false, false},
	{"an empty length", {{"Content-Length", ""}}, false, false},
	{"a length of 19 digits", {{"Content-Length", "1000000000000000000"}}, false, false},
	{"chunked", {{"Transfer-Encoding", "chunked"}}, true, false},
	{"chunked in capitals", {{"Transfer-Encoding", "Chunked"}}, true, false},
	{"another coding before chunked", {{"Transfer-Encoding", "gzip, chunked"}}, false, false},
	{"chunked twice", {{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, false, false},
	{"a length beside a coding", {{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}, false, false},
	{"a coding beside a length", {{"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}, false, false},
	{"a space in a name", {{"X Y", "1"}}, false, false},
	{"a space behind a name", {{"Host ", "a"}}, false, false},
	{"an empty name", {{"", "1"}}, false, false},
	{"a tab in a value", {{"X", "a\tb"}}, true, false},
	{"a carriage return in a value", {{"X", "a\rb"}}, false, false},
	{"a line feed in a value", {{"X", "a\nb"}}, false, false},
	{"DEL in a value", {{"X", "a\x7f"}}, false, false},
	{"letters above 127 in a value", {{"X", "\xc3\xa4"}}, true, false},
	{"the client waits for 100", {{"Expect", "100-Continue"}}, true, true},
	{"the client expects something else", {{"Expect", "200-ok"}}, true, false},
};

static void test_guard(void **state)
{
	const struct guard_row *row = *state;
	struct http_guard guard = {0};

	for (unsigned i = 0; i < 3 && row->header[i].name; i++)
		http_guard_header(&guard, row->header[i].name, strlen(row->header[i].name), row->header[i].value,
				  strlen(row->header[i].value));
	assert_int_equal(http_guard_fault(&guard) == NULL, row->good);
	assert_int_equal(guard.expects, row->expects);
}

static void test_guard_nul(void **state)
{
	struct http_guard guard = {0};

	(void)state;
	assert_false(http_guard_header(&guard, "X", 1, "a\0b", 3));
	guard = (struct http_guard){0};
	assert_false(http_guard_header(&guard, "X\0Y", 3, "a", 1));
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(target_rows) + N_ROWS(match_rows) + N_ROWS(guard_rows) + 3];
	unsigned n = 0;

	for (unsigned i = 0; i < N_ROWS(target_rows); i++)
		tests[n++] = ROW_TEST(target_rows[i].rule, test_target, &target_rows[i]);
	for (unsigned i = 0; i < N_ROWS(match_rows); i++)
		tests[n++] = ROW_TEST(match_rows[i].rule, test_match, &match_rows[i]);
	for (unsigned i = 0; i < N_ROWS(guard_rows); i++)
		tests[n++] = ROW_TEST(guard_rows[i].rule, test_guard, &guard_rows[i]);
	tests[n++] = ROW_TEST("a target of 1024 characters is read, of 1025 not", test_target_too_long, NULL);
	tests[n++] = ROW_TEST("no random target brings a control character", test_target_random, NULL);
	tests[n++] = ROW_TEST("a NUL in a header", test_guard_nul, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
