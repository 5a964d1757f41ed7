/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* IMSI and MSISDN: from text and BCD, and back. */
#include "core/digits.h"

#include <errno.h>
#include <stdlib.h>

#include "rows.h"

struct text_row {
	const char *rule;
	enum { IMSI, PREFIX, MSISDN } kind;
	const char *text, *printed; /* NULL: refused */
};

static const struct text_row text_rows[] = {
	{"an IMSI of 15 digits", IMSI, "001010000000001", "001010000000001"},
	{"an IMSI of 5 digits", IMSI, "00101", "00101"},
	{"refused: an IMSI of 4 digits", IMSI, "0010", NULL},
	{"refused: an IMSI of 16 digits", IMSI, "0010100000000012", NULL},
	{"refused: an IMSI with a letter", IMSI, "00101000000000a", NULL},
	{"refused: an IMSI with a space", IMSI, "00101 00000001", NULL},
	{"refused: an empty IMSI", IMSI, "", NULL},
	{"a prefix of one digit", PREFIX, "0", "0"},
	{"a prefix of 15 digits", PREFIX, "999999999999999", "999999999999999"},
	{"refused: an empty prefix", PREFIX, "", NULL},
	{"refused: a prefix with a star", PREFIX, "001*", NULL},
	{"a number as dialled", MSISDN, "+49 30-1234567", "49301234567"},
	{"a number without plus", MSISDN, "0049301234567", "0049301234567"},
	{"refused: a plus inside", MSISDN, "49+30", NULL},
	{"refused: only a plus", MSISDN, "+", NULL},
	{"refused: a space before the number", MSISDN, " 4930", NULL},
	{"refused: a number of 16 digits", MSISDN, "+4930123456789012", NULL},
	{"refused: an empty number", MSISDN, "", NULL},
	{"refused: a number with letters", MSISDN, "+49 CALL ME", NULL},
};

static void test_text_row(void **state)
{
	const struct text_row *row = *state;
	struct weir_imsi imsi = {42};
	struct weir_msisdn msisdn = {42};
	char buf[WEIR_DIGITS_TEXT];
	size_t len = strlen(row->text);
	int rc;

	if (row->kind == MSISDN)
		rc = msisdn_from_text(row->text, len, &msisdn);
	else if (row->kind == IMSI)
		rc = imsi_from_text(row->text, len, &imsi);
	else
		rc = imsi_prefix_from_text(row->text, len, &imsi);
	assert_int_equal(rc, row->printed ? 0 : -EINVAL);
	if (row->kind == MSISDN)
		msisdn_print(buf, msisdn);
	else
		imsi_print(buf, imsi);
	assert_string_equal(buf, row->printed ? row->printed : "");
	if (row->kind != MSISDN)
		assert_int_equal(imsi_length(imsi), strlen(buf));
}

struct bcd_row {
	const char *rule;
	uint8_t octets[9];
	size_t len;
	const char *printed; /* NULL: refused */
};

static const struct bcd_row bcd_rows[] = {
	{"15 digits fill eight octets with a filler", {0x00, 0x01, 0x01, 0, 0, 0, 0, 0xf1}, 8, "001010000000001"},
	{"14 digits fill seven octets", {0x00, 0x01, 0x01, 0, 0, 0, 0x10}, 7, "00101000000001"},
	{"5 digits", {0x00, 0x01, 0xf1}, 3, "00101"},
	{"more fillers at the end do not count", {0x00, 0x01, 0xf1, 0xff}, 4, "00101"},
	{"refused: no octet", {0}, 0, NULL},
	{"refused: 4 digits", {0x00, 0x01}, 2, NULL},
	{"refused: 16 digits", {0x00, 0x01, 0x01, 0, 0, 0, 0, 0x21}, 8, NULL},
	{"refused: nine octets", {0x00, 0x01, 0x01, 0, 0, 0, 0, 0xf1, 0xff}, 9, NULL},
	{"refused: a digit after the filler", {0x00, 0xf1, 0x01, 0xf1}, 4, NULL},
	{"refused: a filler in the low nibble and a digit above", {0x00, 0x01, 0x01, 0x1f}, 4, NULL},
	{"refused: a nibble above nine", {0x00, 0x0a, 0x01, 0xf1}, 4, NULL},
	{"refused: only fillers", {0xff, 0xff, 0xff}, 3, NULL},
};

static void test_bcd_row(void **state)
{
	const struct bcd_row *row = *state;
	struct weir_imsi imsi = {42};
	char buf[WEIR_DIGITS_TEXT];

	assert_int_equal(imsi_from_bcd(row->octets, row->len, &imsi), row->printed ? 0 : -EINVAL);
	assert_string_equal(imsi_print(buf, imsi), row->printed ? row->printed : "");
}

static void test_bcd_comes_back(void **state)
{
	uint64_t random = 7;
	struct weir_imsi imsi, again;
	uint8_t buf[8];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char text[16];
		unsigned n = 5 + rows_random_below(&random, 11);
		for (unsigned j = 0; j < n; j++)
			text[j] = (char)('0' + rows_random_below(&random, 10));
		assert_int_equal(imsi_from_text(text, n, &imsi), 0);
		assert_int_equal(imsi_to_bcd(imsi, buf, sizeof(buf)), (n + 1) / 2);
		assert_int_equal(imsi_from_bcd(buf, (n + 1) / 2, &again), 0);
		assert_true(imsi.packed == again.packed);
		assert_int_equal(imsi_to_bcd(imsi, buf, (n + 1) / 2 - 1), -ENOSPC);
	}
	assert_int_equal(imsi_to_bcd((struct weir_imsi){0}, buf, 0), 0);
}

/* Whatever the octets, the result is none or has 5 to 15 digits. */
static void test_any_octets_as_bcd(void **state)
{
	uint64_t random = 11;
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t bytes = rows_random(&random) & UINT64_C(0x7777777777777777);
		size_t len = rows_random_below(&random, 9);
		uint8_t *octets = malloc(len + 1);
		struct weir_imsi imsi;
		assert_non_null(octets);
		memcpy(octets + 1, &bytes, len);
		if (len && rows_random_below(&random, 2))
			octets[len] |= 0xf0;
		if (imsi_from_bcd(octets + 1, len, &imsi)) {
			assert_true(imsi.packed == 0);
		} else {
			taken++;
			assert_in_range(imsi_length(imsi), 5, 15);
		}
		free(octets);
	}
	assert_true(taken > 10000);
}

static void test_prefixes(void **state)
{
	static const struct {
		uint64_t imsi, prefix;
		bool begins;
	} rows[] = {
		{UINT64_C(1001010000000001), 1001, true},
		{UINT64_C(1001010000000001), 100101, true},
		{UINT64_C(1001010000000001), 100102, false},
		{UINT64_C(1001010000000001), UINT64_C(1001010000000001), true},
		{UINT64_C(100101), UINT64_C(1001010), false}, /* longer than the number */
		{UINT64_C(1001010000000001), 101, false},     /* "01" is not "001" */
		{UINT64_C(1001010000000001), 0, false},
		{0, 1001, false},
		{0, 0, false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ROWS(rows); i++)
		assert_int_equal(imsi_has_prefix((struct weir_imsi){rows[i].imsi}, (struct weir_imsi){rows[i].prefix}),
				 rows[i].begins);
}

int main(void)
{
	enum { N_TEXT = N_ROWS(text_rows), N_BCD = N_ROWS(bcd_rows) };
	struct CMUnitTest tests[N_TEXT + N_BCD + 3];

	for (unsigned i = 0; i < N_TEXT; i++)
		tests[i] = ROW_TEST(text_rows[i].rule, test_text_row, &text_rows[i]);
	for (unsigned i = 0; i < N_BCD; i++)
		tests[N_TEXT + i] = ROW_TEST(bcd_rows[i].rule, test_bcd_row, &bcd_rows[i]);
	tests[N_TEXT + N_BCD] = (struct CMUnitTest)cmocka_unit_test(test_bcd_comes_back);
	tests[N_TEXT + N_BCD + 1] = (struct CMUnitTest)cmocka_unit_test(test_any_octets_as_bcd);
	tests[N_TEXT + N_BCD + 2] = (struct CMUnitTest)cmocka_unit_test(test_prefixes);
	return cmocka_run_group_tests_name("digits", tests, NULL, NULL);
}
