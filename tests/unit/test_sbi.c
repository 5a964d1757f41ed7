/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/sbi: header fields of TS 29.500 row by row, dates against the C library's, and what is printed. */
#include "wire/sbi.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rows.h"

/* An exact copy on the heap: a sanitizer sees the first octet behind it. */
static char *copy(const char *text)
{
	char *at = malloc(strlen(text) + !*text);

	memcpy(at, text, strlen(text));
	return at;
}

struct date_row {
	const char *name, *text;
	int64_t ms; /* -1: refused */
};

static const struct date_row date_rows[] = {
	{"the beginning", "Thu, 01 Jan 1970 00:00:00.000 GMT", 0},
	{"milliseconds", "Sun, 04 Aug 2019 08:49:37.845 GMT", 1564908577845},
	{"no fraction", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
	{"leap day", "Sat, 29 Feb 2020 23:59:59.999 GMT", 1583020799999},
	{"leap day of a century", "Tue, 29 Feb 2000 00:00:00.001 GMT", 951782400001},
	{"a leap second", "Sat, 31 Dec 2016 23:59:60.000 GMT", 1483228800000},
	{"blanks around it", " Thu, 01 Jan 1970 00:00:01.000 GMT\t", 1000},
	{"another day of the week is taken", "Mon, 01 Jan 1970 00:00:00.000 GMT", 0},
	{"the last year", "Fri, 31 Dec 9999 23:59:59.999 GMT", 253402300799999},
	{"before 1970", "Wed, 31 Dec 1969 23:59:59.000 GMT", -1},
	{"no leap day", "Fri, 29 Feb 2019 00:00:00.000 GMT", -1},
	{"no leap day in 1900 plus 200", "Mon, 29 Feb 2100 00:00:00.000 GMT", -1},
	{"day 0", "Thu, 00 Jan 1970 00:00:00.000 GMT", -1},
	{"hour 24", "Thu, 01 Jan 1970 24:00:00.000 GMT", -1},
	{"second 61", "Thu, 01 Jan 1970 00:00:61.000 GMT", -1},
	{"a zone", "Thu, 01 Jan 1970 00:00:00.000 +0100", -1},
	{"two digits of a fraction", "Thu, 01 Jan 1970 00:00:00.00 GMT", -1},
	{"more behind it", "Thu, 01 Jan 1970 00:00:00.000 GMT,", -1},
	{"case counts", "thu, 01 jan 1970 00:00:00.000 gmt", -1},
	{"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", -1},
	{"a number", "1564908577845", -1},
	{"empty", "", -1},
};

static void test_date(void **state)
{
	const struct date_row *row = *state;
	char *text = copy(row->text);
	int64_t ms = -1;
	int rc = sbi_timestamp_read(text, strlen(row->text), &ms);

	assert_int_equal(rc, row->ms < 0 ? -22 : 0);
	assert_true(ms == row->ms);
	free(text);
}

static void test_prefixes_of_a_date(void **state)
{
	const char *text = "Sun, 04 Aug 2019 08:49:37.845 GMT";
	int64_t ms;

	(void)state;
	for (size_t len = 0; len < strlen(text); len++) {
		char *cut = malloc(len + 1);
		memcpy(cut, text, len);
		cut = realloc(cut, len ? len : 1);
		assert_int_equal(sbi_timestamp_read(cut, len, &ms), -22);
		free(cut);
	}
}

/* Every day of 900 years, some second of it, both ways and as the C library has it. */
static void test_dates_all(void **state)
{
	uint64_t seed = 7;
	char ours[SBI_TIMESTAMP_TEXT], theirs[64];

	(void)state;
	for (int64_t day = 0; day < 330000; day++) {
		time_t s = day * 86400 + rows_random_below(&seed, 86400);
		int64_t ms = (int64_t)s * 1000 + rows_random_below(&seed, 1000), again = -1;
		struct tm tm;
		gmtime_r(&s, &tm);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_int_equal(sbi_date_print(ours, sizeof(ours), s), 29);
		assert_string_equal(ours, theirs);
		assert_int_equal(sbi_timestamp_print(ours, sizeof(ours), ms), 33);
		assert_int_equal(sbi_timestamp_read(ours, 33, &again), 0);
		assert_true(again == ms);
	}
}

struct accept_row {
	const char *name, *text;
	bool accepts;
};

static const struct accept_row accept_rows[] = {
	{"json", "application/json", true},
	{"as Open5GS sends it", "application/json,application/problem+json", true},
	{"anything", "*/*", true},
	{"anything of application", "application/*", true},
	{"problems only", "application/problem+json", false},
	{"text only", "text/plain", false},
	{"case does not count", "Application/JSON", true},
	{"weight", "application/json;q=0.5", true},
	{"weight 0", "application/json;q=0", false},
	{"weight 0.000", "application/json; q=0.000", false},
	{"weight 0 of json beats anything", "*/*, application/json;q=0", false},
	{"weight 0 of anything else", "*/*;q=0, application/json", true},
	{"weight 0 of its family", "*/*, application/*;q=0", false},
	{"other parameters", "application/json;charset=utf-8 ; Q=0", false},
	{"blanks", "  text/html , application/json ;q=1", true},
	{"empty parts", ",,application/json,", true},
	{"empty", "", false},
	{"a longer name", "application/jsonp", false},
};

static void test_accept(void **state)
{
	const struct accept_row *row = *state;
	char *text = copy(row->text);

	assert_int_equal(sbi_accepts_json(text, strlen(row->text)), row->accepts);
	free(text);
}

static void test_numbers(void **state)
{
	unsigned priority = 77;
	uint32_t ms = 77;

	(void)state;
	assert_int_equal(sbi_priority_read("0", 1, &priority), 0);
	assert_int_equal(priority, 0);
	assert_int_equal(sbi_priority_read(" 31 ", 4, &priority), 0);
	assert_int_equal(priority, 31);
	assert_int_equal(sbi_priority_read("32", 2, &priority), -22);
	assert_int_equal(sbi_priority_read("", 0, &priority), -22);
	assert_int_equal(sbi_priority_read("-1", 2, &priority), -22);
	assert_int_equal(sbi_priority_read("007", 3, &priority), -22);
	assert_int_equal(priority, 31);
	assert_int_equal(sbi_max_rsp_time_read("10000", 5, &ms), 0);
	assert_int_equal(ms, 10000);
	assert_int_equal(sbi_max_rsp_time_read("100000", 6, &ms), -22);
	assert_int_equal(sbi_max_rsp_time_read("1.5", 3, &ms), -22);
	assert_int_equal(sbi_max_rsp_time_read("10,20", 5, &ms), -22); /* sent twice */
	assert_int_equal(ms, 10000);
}

struct text_row {
	const char *name, *text, *printed;
};

static const struct text_row correlation_rows[] = {
	{"imsi", "imsi-001010000000001", "imsi-00101**********"},
	{"device", "imei-001001230000019", "imei-00100123******"},
	{"imeisv", "imeisv-0010012300000123", "imeisv-00100123******"},
	{"several", "imsi-001010000000001; msisdn-491234567", "imsi-00101**********; msisdn-49*******"},
	{"suci", "suci-0-001-01-0-0-0-0000000001", "suci-***"},
	{"nai", "nai-someone@example.org", "nai-***"},
	{"an imsi that is none", "imsi-someone", "imsi-***"},
	{"a kind of its own", "token-abc", "token-***"},
	{"digits as a kind", "001010000000001-1", "..."},
	{"no value", "imsi", "..."},
	{"empty", "", "..."},
	{"one is bad", "imsi-001010000000001;;", "..."},
};

static void test_correlation(void **state)
{
	const struct text_row *row = *state;
	char buf[SBI_LOG_TEXT], *text = copy(row->text);

	assert_string_equal(sbi_correlation_mask(buf, text, strlen(row->text)), row->printed);
	free(text);
}

static void test_long_correlation(void **state)
{
	char buf[SBI_LOG_TEXT], text[2000] = "";

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		strcat(text, "imsi-001010000000001;");
	assert_string_equal(sbi_correlation_mask(buf, text, strlen(text)), "...");
}

static const struct text_row network_rows[] = {
	{"plmn", "001-01", "001-01"},
	{"three digits", "001-001", "001-001"},
	{"with a NID and a source", "001-01-0000000000a; src: SEPP-sepp.example.org",
	 "001-01-0000000000a; src: SEPP-sepp.example.org"},
	{"line breaks go nowhere", "001-01\n", "..."},
	{"something else", "hello world", "..."},
	{"empty", "", "..."},
};

static void test_network(void **state)
{
	const struct text_row *row = *state;
	char buf[SBI_LOG_TEXT], *text = copy(row->text);

	assert_string_equal(sbi_network_print(buf, text, strlen(row->text)), row->printed);
	free(text);
}

static void test_control(void **state)
{
	const char *id = "54804518-4191-46b3-955c-ac631f953ed8";
	char buf[SBI_CONTROL_TEXT];

	(void)state;
	assert_true(sbi_oci_print(buf, sizeof(buf), 1580806177, 75, 50, id) > 0);
	assert_string_equal(buf, "Timestamp: \"Tue, 04 Feb 2020 08:49:37 GMT\"; Period-of-Validity: 75s; "
				 "Overload-Reduction-Metric: 50%; NF-Instance: 54804518-4191-46b3-955c-ac631f953ed8");
	assert_true(sbi_lci_print(buf, sizeof(buf), 1580806177, 250, id) > 0);
	assert_string_equal(buf, "Timestamp: \"Tue, 04 Feb 2020 08:49:37 GMT\"; Load-Metric: 100%; "
				 "NF-Instance: 54804518-4191-46b3-955c-ac631f953ed8");
	assert_int_equal(sbi_lci_print(buf, 20, 0, 1, id), 0);
	assert_string_equal(buf, "");
}

static void test_uuid(void **state)
{
	char uuid[SBI_UUID_TEXT] = "as it was";

	(void)state;
	assert_int_equal(sbi_uuid_read("54804518-4191-46b3-955c-ac631f953ed", 35, uuid), -EINVAL);
	assert_int_equal(sbi_uuid_read("54804518x4191-46b3-955c-ac631f953ed8", 36, uuid), -EINVAL);
	assert_int_equal(sbi_uuid_read("5480451g-4191-46b3-955c-ac631f953ed8", 36, uuid), -EINVAL);
	assert_string_equal(uuid, "as it was");
	assert_int_equal(sbi_uuid_read("54804518-4191-46B3-955C-aC631f953ED8x", 36, uuid), 0);
	assert_string_equal(uuid, "54804518-4191-46b3-955c-ac631f953ed8");
}

static void test_problem(void **state)
{
	struct sbi_problem p = {.status = 400, .title = "Bad Request", .cause = "C", .detail = "d"};
	char buf[SBI_PROBLEM_TEXT], name[300];

	(void)state;
	assert_true(sbi_problem_print(buf, sizeof(buf), &p) > 0);
	assert_string_equal(buf, "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"d\",\"cause\":\"C\"}");
	p.detail = p.cause = NULL;
	p.param = "a\"b\\c\n\xff\x7f";
	p.param_len = 8;
	p.reason = "r";
	p.version = "v1";
	assert_true(sbi_problem_print(buf, sizeof(buf), &p) > 0);
	assert_string_equal(buf, "{\"title\":\"Bad Request\",\"status\":400,\"invalidParams\":[{\"param\":"
				 "\"query a\\\"b\\\\c\\u000a?\\u007f\",\"reason\":\"r\"}],"
				 "\"supportedApiVersions\":[\"v1\"]}");
	memset(name, 1, sizeof(name)); /* six characters each */
	p.param = name;
	p.param_len = sizeof(name);
	assert_true(sbi_problem_print(buf, sizeof(buf), &p) > 6 * SBI_PARAM_TEXT);
	assert_int_equal(sbi_problem_print(buf, 40, &p), 0);
}

static void test_decode(void **state)
{
	char buf[8];

	(void)state;
	assert_int_equal(sbi_decode("a%2db+", 6, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "a-b+", 4);
	assert_int_equal(sbi_decode("%00", 3, buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], 0);
	assert_int_equal(sbi_decode("%", 1, buf, sizeof(buf)), -22);
	assert_int_equal(sbi_decode("%a", 2, buf, sizeof(buf)), -22);
	assert_int_equal(sbi_decode("%0g", 3, buf, sizeof(buf)), -22);
	assert_int_equal(sbi_decode("123456789", 9, buf, sizeof(buf)), -28);
	assert_int_equal(sbi_decode("", 0, buf, sizeof(buf)), 0);
}

int main(void)
{
	static struct CMUnitTest tests[200];
	size_t n = 0;

	ADD_ROWS(tests, n, date_rows, test_date);
	ADD_ROWS(tests, n, accept_rows, test_accept);
	ADD_ROWS(tests, n, correlation_rows, test_correlation);
	ADD_ROWS(tests, n, network_rows, test_network);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_prefixes_of_a_date);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_dates_all);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_numbers);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_long_correlation);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_control);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_uuid);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_problem);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_decode);
	return _cmocka_run_group_tests("sbi", tests, n, NULL, NULL);
}
