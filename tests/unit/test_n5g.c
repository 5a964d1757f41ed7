/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/n5g: each rule of the header a row; golden request targets; bodies as the API has them. */
#include "wire/n5g.h"

#include <stdlib.h>

#include "lines.h"
#include "rows.h"
#include "vectors.h"

#define PATH "/n5g-eir-eic/v1/equipment-status"
#define PEI  "pei=imei-001001230000019"

struct row {
	const char *name, *path;
	enum n5g_answer answer; /* N5G_WHITE: a question */
	enum weir_imei_fault fault;
	const char *param; /* what is told to be wrong; NULL: nothing */
	const char *method, *accept, *prefix;
};

static const struct row rows[] = {
	{"an imei", PATH "?" PEI, N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"an imeisv", PATH "?pei=imeisv-0010012300000123", N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"with all parameters", PATH "?" PEI "&supi=imsi-001010000000001&gpsi=msisdn-491234567&supported-features=0f",
	 N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"in another order", PATH "?supported-features=&gpsi=extid-a@b&supi=nai-a@b&" PEI, N5G_WHITE, WEIR_IMEI_OK,
	 NULL, NULL, NULL, NULL},
	{"percent-encoded", PATH "?p%65i=%69mei%2D001001230000019&supi=imsi%2d001010000000001", N5G_WHITE, WEIR_IMEI_OK,
	 NULL, NULL, NULL, NULL},
	{"a path that is percent-encoded", "/n5g%2Deir-eic/%76%31/equipment%2dstatus?" PEI, N5G_WHITE, WEIR_IMEI_OK,
	 NULL, NULL, NULL, NULL},
	{"a proxy's cache key", PATH "?ck=1f2e&" PEI, N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"empty pairs do not matter", PATH "?&" PEI "&&", N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"a prefix", "/eir/a" PATH "?" PEI, N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, "/eir/a"},

	{"mac", PATH "?pei=mac-00-0a-95-9d-68-16", N5G_WHITE, WEIR_IMEI_SCHEME, NULL, NULL, NULL, NULL},
	{"mac that is not trusted", PATH "?pei=mac-00-0A-95-9d-68-16-untrusted", N5G_WHITE, WEIR_IMEI_SCHEME, NULL,
	 NULL, NULL, NULL},
	{"eui64", PATH "?pei=eui-00-0a-95-9d-68-16-00-01", N5G_WHITE, WEIR_IMEI_SCHEME, NULL, NULL, NULL, NULL},
	{"another kind", PATH "?pei=meid-a1000009999999", N5G_WHITE, WEIR_IMEI_SCHEME, NULL, NULL, NULL, NULL},
	{"another kind that begins alike", PATH "?pei=machine", N5G_WHITE, WEIR_IMEI_SCHEME, NULL, NULL, NULL, NULL},
	{"mac of five", PATH "?pei=mac-00-0a-95-9d-68", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"mac of seven", PATH "?pei=mac-00-0a-95-9d-68-16-17", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"mac with a letter", PATH "?pei=mac-00-0a-95-9d-68-1g", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"eui of seven", PATH "?pei=eui-00-0a-95-9d-68-16-00", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"an imei of 14 digits", PATH "?pei=imei-00100123000001", N5G_WHITE, WEIR_IMEI_SHORT, "pei", NULL, NULL, NULL},
	{"an imei of 16 digits", PATH "?pei=imei-0010012300000123", N5G_WHITE, WEIR_IMEI_LONG, "pei", NULL, NULL, NULL},
	{"an imeisv of 15 digits", PATH "?pei=imeisv-001001230000019", N5G_WHITE, WEIR_IMEI_SHORT, "pei", NULL, NULL,
	 NULL},
	{"an imei with a letter", PATH "?pei=imei-00100123000001a", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL,
	 NULL},
	{"an imei of nothing", PATH "?pei=imei-", N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},
	{"pei of nothing", PATH "?pei=", N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},
	{"pei without a value", PATH "?pei", N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},
	{"pei with a NUL", PATH "?pei=a%00", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"pei with a broken escape", PATH "?pei=imei-00100123000001%3", N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL,
	 NULL},
	{"pei twice", PATH "?" PEI "&" PEI, N5G_WHITE, WEIR_IMEI_LETTER, "pei", NULL, NULL, NULL},
	{"no pei", PATH "?supi=imsi-001010000000001", N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},
	{"no query", PATH, N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},
	{"an empty query", PATH "?", N5G_WHITE, WEIR_IMEI_EMPTY, "pei", NULL, NULL, NULL},

	{"supi of another kind", PATH "?" PEI "&supi=gci-1", N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"supi of four digits", PATH "?" PEI "&supi=imsi-0010", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "supi", NULL, NULL,
	 NULL},
	{"supi of 16 digits", PATH "?supi=imsi-0010100000000011&" PEI, N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "supi", NULL,
	 NULL, NULL},
	{"supi of nothing", PATH "?" PEI "&supi=", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "supi", NULL, NULL, NULL},
	{"supi twice", PATH "?" PEI "&supi=a&supi=a", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "supi", NULL, NULL, NULL},
	{"supi with a broken escape", PATH "?" PEI "&supi=%zz", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "supi", NULL, NULL,
	 NULL},
	{"gpsi with letters", PATH "?" PEI "&gpsi=msisdn-49abc", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "gpsi", NULL, NULL,
	 NULL},
	{"gpsi extid without a domain", PATH "?" PEI "&gpsi=extid-a@", N5G_OPTION_INCORRECT, WEIR_IMEI_OK, "gpsi", NULL,
	 NULL, NULL},
	{"features that are not hexadecimal", PATH "?" PEI "&supported-features=g", N5G_OPTION_INCORRECT, WEIR_IMEI_OK,
	 "supported-features", NULL, NULL, NULL},
	{"what is wrong with supi is told before pei", PATH "?pei=imei-1&supi=", N5G_OPTION_INCORRECT, WEIR_IMEI_SHORT,
	 "supi", NULL, NULL, NULL},
	{"another parameter", PATH "?" PEI "&sup=1", N5G_PARAM_INVALID, WEIR_IMEI_OK, "sup", NULL, NULL, NULL},
	{"a name of other case", PATH "?" PEI "&Supi=1", N5G_PARAM_INVALID, WEIR_IMEI_OK, "Supi", NULL, NULL, NULL},
	{"a name with a broken escape", PATH "?" PEI "&%su=1", N5G_PARAM_INVALID, WEIR_IMEI_OK, "%su", NULL, NULL,
	 NULL},
	{"a pair without a name", PATH "?" PEI "&=1", N5G_PARAM_INVALID, WEIR_IMEI_OK, "", NULL, NULL, NULL},

	{"another API", "/nudm-sdm/v2/x?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"another version", "/n5g-eir-eic/v2/equipment-status?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL,
	 NULL},
	{"a version that begins alike", "/n5g-eir-eic/v10/equipment-status?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL,
	 NULL, NULL, NULL},
	{"an API that begins alike", "/n5g-eir-eicx/v1/equipment-status?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL,
	 NULL, NULL, NULL},
	{"no version", "/n5g-eir-eic", N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"the root", "/", N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"the asterisk", "*", N5G_API_INVALID, WEIR_IMEI_OK, NULL, "OPTIONS", NULL, NULL},
	{"nothing", "", N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"without the prefix", PATH "?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, "/eir"},
	{"with a prefix that nobody has", "/eir" PATH "?" PEI, N5G_API_INVALID, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"a slash that is encoded is none", "/n5g-eir-eic%2fv1/equipment-status?" PEI, N5G_API_INVALID, WEIR_IMEI_OK,
	 NULL, NULL, NULL, NULL},
	{"another resource", "/n5g-eir-eic/v1/equipment?" PEI, N5G_PATH_UNKNOWN, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"no resource", "/n5g-eir-eic/v1", N5G_PATH_UNKNOWN, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"a part of the resource", PATH "/x?" PEI, N5G_PATH_UNKNOWN, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"a slash behind it", PATH "/?" PEI, N5G_PATH_UNKNOWN, WEIR_IMEI_OK, NULL, NULL, NULL, NULL},
	{"a path with a broken escape", "/n5g-eir-eic/v1/equipment-status%", N5G_PATH_UNKNOWN, WEIR_IMEI_OK, NULL, NULL,
	 NULL, NULL},
	{"POST", PATH "?" PEI, N5G_METHOD_WRONG, WEIR_IMEI_OK, NULL, "POST", NULL, NULL},
	{"HEAD", PATH "?" PEI, N5G_METHOD_WRONG, WEIR_IMEI_OK, NULL, "HEAD", NULL, NULL},
	{"methods have case", PATH "?" PEI, N5G_METHOD_WRONG, WEIR_IMEI_OK, NULL, "get", NULL, NULL},
	{"POST to another API", "/x", N5G_API_INVALID, WEIR_IMEI_OK, NULL, "POST", NULL, NULL},
	{"accept of text only", PATH "?" PEI, N5G_NOT_ACCEPTABLE, WEIR_IMEI_OK, NULL, NULL, "text/html", NULL},
	{"accept of anything", PATH "?" PEI, N5G_WHITE, WEIR_IMEI_OK, NULL, NULL, "*/*", NULL},
	{"the method is told before what is accepted", PATH, N5G_METHOD_WRONG, WEIR_IMEI_OK, NULL, "PUT", "text/html",
	 NULL},
};

static void test_row(void **state)
{
	const struct row *row = *state;
	const char *method = row->method ? row->method : "GET";
	struct n5g_question q;
	size_t len = strlen(row->path);
	char *path = malloc(len + !len);
	enum n5g_answer answer;

	memcpy(path, row->path, len);
	answer = n5g_read(method, strlen(method), path, len, row->prefix ? row->prefix : "", row->accept,
			  row->accept ? strlen(row->accept) : 0, &q);
	assert_string_equal(n5g_answer_name(answer), n5g_answer_name(row->answer));
	if (answer == N5G_WHITE)
		assert_int_equal(q.query.fault, row->fault);
	if (row->param) {
		assert_int_equal(q.param_len, strlen(row->param));
		assert_memory_equal(q.param, row->param, q.param_len);
		assert_non_null(q.reason);
	} else {
		assert_null(q.param);
	}
	free(path);
}

static void read_ok(const char *path, struct n5g_question *q)
{
	assert_int_equal(n5g_read("GET", 3, path, strlen(path), "", NULL, 0, q), N5G_WHITE);
}

static void test_identities(void **state)
{
	char imsi[WEIR_DIGITS_TEXT];
	struct n5g_question q;

	(void)state;
	read_ok(PATH "?" PEI "&supi=imsi-001010000000001", &q);
	assert_true(q.query.imei.key == 100123000001);
	assert_int_equal(q.query.imei.svn, WEIR_NO_SVN);
	assert_string_equal(imsi_print(imsi, q.query.imsi), "001010000000001");
	assert_int_equal(q.query.interface, WEIR_IF_N5G);
	read_ok(PATH "?supi=nai-x@y&pei=imeisv-0010012300000123", &q);
	assert_true(q.query.imei.key == 100123000001);
	assert_int_equal(q.query.imei.svn, 23);
	assert_true(q.query.imsi.packed == 0);
	read_ok(PATH "?gpsi=msisdn-491234567&" PEI, &q);
	assert_true(q.query.imsi.packed == 0); /* an MSISDN is none */
}

static void test_missing_or_incorrect(void **state)
{
	struct n5g_question q;

	(void)state;
	read_ok(PATH, &q);
	assert_int_equal(q.refusal, N5G_PARAM_MISSING);
	read_ok(PATH "?pei=imei-1", &q);
	assert_int_equal(q.refusal, N5G_PARAM_INCORRECT);
	read_ok(PATH "?pei=", &q);
	assert_int_equal(q.refusal, N5G_PARAM_INCORRECT);
}

static void test_lengths(void **state)
{
	static char path[N5G_PATH_MAX + 2];
	struct n5g_question q;
	size_t n = strlen(PATH "?" PEI "&supi=");

	(void)state;
	memset(path, 'a', sizeof(path));
	memcpy(path, PATH "?" PEI "&supi=", n);
	assert_int_equal(n5g_read("GET", 3, path, n + N5G_VALUE_MAX, "", NULL, 0, &q), N5G_WHITE);
	assert_int_equal(n5g_read("GET", 3, path, n + N5G_VALUE_MAX + 1, "", NULL, 0, &q), N5G_OPTION_INCORRECT);
	assert_int_equal(n5g_read("GET", 3, path, N5G_PATH_MAX, "", NULL, 0, &q), N5G_OPTION_INCORRECT);
	assert_int_equal(n5g_read("GET", 3, path, N5G_PATH_MAX + 1, "", NULL, 0, &q), N5G_URI_TOO_LONG);
	memcpy(path + n, "%61", 3); /* decoded it just fits */
	assert_int_equal(n5g_read("GET", 3, path, n + N5G_VALUE_MAX + 2, "", NULL, 0, &q), N5G_WHITE);
	assert_int_equal(n5g_read("GET", 3, path, n + N5G_VALUE_MAX + 3, "", NULL, 0, &q), N5G_OPTION_INCORRECT);
}

static void assert_body(enum n5g_answer answer, const char *path, unsigned status, const char *body)
{
	char buf[SBI_PROBLEM_TEXT];
	struct n5g_question q;
	const char *text;
	bool constant;
	size_t len;

	n5g_read("GET", 3, path, strlen(path), "", NULL, 0, &q);
	text = n5g_body(answer, &q, buf, &len, &constant);
	assert_int_equal(n5g_answer_status(answer), status);
	assert_int_equal(len, strlen(body));
	assert_memory_equal(text, body, len);
	assert_int_equal(constant, text != buf);
}

static void test_bodies(void **state)
{
	(void)state;
	assert_body(N5G_WHITE, PATH, 200, "{\"status\":\"WHITELISTED\"}");
	assert_body(N5G_GREY, PATH, 200, "{\"status\":\"GREYLISTED\"}");
	assert_body(N5G_BLACK, PATH, 200, "{\"status\":\"BLACKLISTED\"}");
	assert_body(N5G_UNKNOWN, PATH, 404,
		    "{\"title\":\"Not Found\",\"status\":404,\"cause\":\"ERROR_EQUIPMENT_UNKNOWN\"}");
	assert_body(N5G_PARAM_INVALID, PATH "?x\"=1", 400,
		    "{\"title\":\"Bad Request\",\"status\":400,\"cause\":\"INVALID_QUERY_PARAM\",\"invalidParams\":"
		    "[{\"param\":\"query x\\\"\",\"reason\":\"is not a parameter of this API\"}]}");
	assert_body(N5G_PARAM_MISSING, PATH, 400,
		    "{\"title\":\"Bad Request\",\"status\":400,\"cause\":\"MANDATORY_QUERY_PARAM_MISSING\","
		    "\"invalidParams\":[{\"param\":\"query pei\",\"reason\":\"is missing\"}]}");
	assert_body(N5G_API_INVALID, "/x", 400,
		    "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"this is n5g-eir-eic v1\","
		    "\"cause\":\"INVALID_API\",\"supportedApiVersions\":[\"v1\"]}");
	assert_body(N5G_FORBIDDEN, PATH, 403,
		    "{\"title\":\"Forbidden\",\"status\":403,\"detail\":\"not allowed by configuration\"}");
}

/* Every answer has a name of its own, a status and, above 200, a title. */
static void test_every_answer(void **state)
{
	char buf[SBI_PROBLEM_TEXT];
	bool constant;
	size_t len;

	(void)state;
	for (enum n5g_answer a = 0; a < N5G_N_ANSWERS; a++) {
		assert_non_null(n5g_answer_name(a));
		for (enum n5g_answer b = 0; b < a; b++)
			assert_string_not_equal(n5g_answer_name(a), n5g_answer_name(b));
		assert_in_range(n5g_answer_status(a), 200, 504);
		n5g_body(a, NULL, buf, &len, &constant);
		assert_in_range(len, 10, SBI_PROBLEM_TEXT);
	}
	assert_string_equal(n5g_answer_name(N5G_N_ANSWERS), "?");
}

static void test_prefixes_fit(void **state)
{
	(void)state;
	assert_true(n5g_prefix_is_fit(""));
	assert_true(n5g_prefix_is_fit("/a"));
	assert_true(n5g_prefix_is_fit("/a/b.c_~-1"));
	assert_false(n5g_prefix_is_fit("/"));
	assert_false(n5g_prefix_is_fit("a"));
	assert_false(n5g_prefix_is_fit("/a/"));
	assert_false(n5g_prefix_is_fit("/a//b"));
	assert_false(n5g_prefix_is_fit("/a?b"));
	assert_false(n5g_prefix_is_fit("/%41"));
}

/* --- golden request targets */

static void print_question(enum n5g_answer answer, const struct n5g_question *q)
{
	char imei[WEIR_IMEI_TEXT], imsi[WEIR_DIGITS_TEXT], svn[8] = "none";

	line("answer: %s", answer == N5G_WHITE ? "by decision" : n5g_answer_name(answer));
	if (answer == N5G_WHITE && q->query.fault == WEIR_IMEI_OK) {
		if (q->query.imei.svn != WEIR_NO_SVN)
			snprintf(svn, sizeof(svn), "%02d", q->query.imei.svn);
		line("imei: %s", imei_print(imei, q->query.imei.key));
		line("svn: %s", svn);
	} else if (answer == N5G_WHITE) {
		line("imei: %s", imei_fault_text(q->query.fault));
	}
	if (q->query.imsi.packed)
		line("imsi: %s", imsi_print(imsi, q->query.imsi));
	if (q->param)
		line("wrong: %.*s %s", (int)q->param_len, q->param, q->reason);
}

static enum n5g_answer read_bytes(const uint8_t *bytes, size_t len, struct n5g_question *q)
{
	return n5g_read("GET", 3, (const char *)bytes, len, "", NULL, 0, q);
}

static void sane(const uint8_t *bytes, size_t len, void *data)
{
	struct n5g_question q;
	enum n5g_answer answer = read_bytes(bytes, len, &q);

	(void)data;
	assert_in_range(answer, 0, N5G_N_ANSWERS - 1);
	assert_true(q.query.fault || q.query.imei.key < WEIR_IMEI_END);
}

static const char *print_bytes(const uint8_t *bytes, size_t len)
{
	struct n5g_question q;

	lines_begin();
	print_question(read_bytes(bytes, len, &q), &q);
	return lines();
}

static void test_vectors(void **state)
{
	(void)state;
	vectors_decode("n5g", print_bytes);
	vectors_prefixes("n5g", sane, NULL);
	vectors_bitflips("n5g", sane, NULL);
}

int main(void)
{
	static struct CMUnitTest tests[N_ROWS(rows) + 16];
	size_t n = 0;

	ADD_ROWS(tests, n, rows, test_row);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_identities);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_missing_or_incorrect);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_lengths);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_bodies);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_answer);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_prefixes_fit);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_vectors);
	return _cmocka_run_group_tests("n5g", tests, n, NULL, NULL);
}
