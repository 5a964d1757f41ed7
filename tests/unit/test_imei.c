/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One device in every form that arrives: the key is the same, the rest is kept apart. */
#include "core/imei.h"

#include <stdlib.h>

#include "rows.h"

#define DEVICE UINT64_C(35209900176148)

struct row {
	const char *rule;
	enum { TEXT, TBCD, PEI } form;
	const char *bytes;
	size_t len; /* TBCD only */
	enum weir_imei_fault fault;
	uint64_t key;
	int svn, given_check;
	unsigned digits, at;
};

#define TAKEN(key, digits, check, svn)	       0, WEIR_IMEI_OK, key, svn, check, digits, 0
#define REFUSED(fault, at)		       0, fault, 0, WEIR_NO_SVN, -1, 0, at
#define TAKEN_OF(len, key, digits, check, svn) len, WEIR_IMEI_OK, key, svn, check, digits, 0
#define REFUSED_OF(len, fault, at)	       len, fault, 0, WEIR_NO_SVN, -1, 0, at

static const struct row rows[] = {
	{"text: 14 digits", TEXT, "35209900176148", TAKEN(DEVICE, 14, -1, WEIR_NO_SVN)},
	{"text: 15 digits, the last is the check digit", TEXT, "352099001761481", TAKEN(DEVICE, 15, 1, WEIR_NO_SVN)},
	{"text: a wrong check digit is kept", TEXT, "352099001761487", TAKEN(DEVICE, 15, 7, WEIR_NO_SVN)},
	{"text: 16 digits, the last two are the SVN", TEXT, "3520990017614823", TAKEN(DEVICE, 16, -1, 23)},
	{"text: 17 digits have both", TEXT, "35209900176148123", TAKEN(DEVICE, 17, 1, 23)},
	{"text: as printed by *#06#", TEXT, "352099001761481/23", TAKEN(DEVICE, 17, 1, 23)},
	{"text: dashes as on the box", TEXT, "35-209900-176148-1", TAKEN(DEVICE, 15, 1, WEIR_NO_SVN)},
	{"text: spaces, dots and slashes", TEXT, " 35.209900/176148 1 ", TAKEN(DEVICE, 15, 1, WEIR_NO_SVN)},
	{"text: leading zeros count", TEXT, "00101234567890", TAKEN(UINT64_C(101234567890), 14, -1, WEIR_NO_SVN)},
	{"text: all zeros can be read", TEXT, "000000000000000", TAKEN(0, 15, 0, WEIR_NO_SVN)},
	{"text: SVN 99", TEXT, "3520990017614899", TAKEN(DEVICE, 16, -1, 99)},
	{"text: empty", TEXT, "", REFUSED(WEIR_IMEI_EMPTY, 0)},
	{"text: only separators", TEXT, "- /", REFUSED(WEIR_IMEI_EMPTY, 3)},
	{"text: 13 digits", TEXT, "3520990017614", REFUSED(WEIR_IMEI_SHORT, 13)},
	{"text: 18 digits", TEXT, "352099001761481234", REFUSED(WEIR_IMEI_LONG, 17)},
	{"text: a letter", TEXT, "3520990O176148", REFUSED(WEIR_IMEI_LETTER, 7)},
	{"text: a letter after too few digits is the first fault", TEXT, "12x", REFUSED(WEIR_IMEI_LETTER, 2)},
	{"text: a plus is not a separator", TEXT, "+35209900176148", REFUSED(WEIR_IMEI_LETTER, 0)},
	{"text: an octet above 127", TEXT,
	 "35209900\xb2"
	 "76148",
	 REFUSED(WEIR_IMEI_LETTER, 8)},

	{"tbcd: seven octets are 14 digits", TBCD, "\x53\x02\x99\x00\x71\x16\x84",
	 TAKEN_OF(7, DEVICE, 14, -1, WEIR_NO_SVN)},
	{"tbcd: the spare 0 of MAP and a filler", TBCD, "\x53\x02\x99\x00\x71\x16\x84\xf0",
	 TAKEN_OF(8, DEVICE, 15, 0, WEIR_NO_SVN)},
	{"tbcd: a check digit and a filler", TBCD, "\x53\x02\x99\x00\x71\x16\x84\xf1",
	 TAKEN_OF(8, DEVICE, 15, 1, WEIR_NO_SVN)},
	{"tbcd: IMEISV", TBCD, "\x53\x02\x99\x00\x71\x16\x84\x32", TAKEN_OF(8, DEVICE, 16, -1, 23)},
	{"tbcd: an octet of fillers at the end", TBCD, "\x53\x02\x99\x00\x71\x16\x84\xff",
	 TAKEN_OF(8, DEVICE, 14, -1, WEIR_NO_SVN)},
	{"tbcd: no octet", TBCD, "", REFUSED_OF(0, WEIR_IMEI_EMPTY, 0)},
	{"tbcd: six octets", TBCD, "\x53\x02\x99\x00\x71\x16", REFUSED_OF(6, WEIR_IMEI_SHORT, 6)},
	{"tbcd: 13 digits and a filler", TBCD, "\x53\x02\x99\x00\x71\x16\xf4", REFUSED_OF(7, WEIR_IMEI_SHORT, 6)},
	{"tbcd: nine octets", TBCD, "\x53\x02\x99\x00\x71\x16\x84\x32\xff", REFUSED_OF(9, WEIR_IMEI_LONG, 8)},
	{"tbcd: a nibble of 0xa", TBCD, "\x53\x02\x99\x00\xa1\x16\x84", REFUSED_OF(7, WEIR_IMEI_LETTER, 4)},
	{"tbcd: a digit after a filler", TBCD, "\x53\x02\x99\xf0\x71\x16\x84", REFUSED_OF(7, WEIR_IMEI_LETTER, 3)},
	{"tbcd: a filler below a digit", TBCD, "\x53\x02\x99\x00\x71\x16\x84\x2f", REFUSED_OF(8, WEIR_IMEI_LETTER, 7)},
	{"tbcd: only fillers", TBCD, "\xff\xff\xff\xff\xff\xff\xff", REFUSED_OF(7, WEIR_IMEI_EMPTY, 0)},

	{"pei: imei- and 15 digits", PEI, "imei-352099001761481", TAKEN(DEVICE, 15, 1, WEIR_NO_SVN)},
	{"pei: imeisv- and 16 digits", PEI, "imeisv-3520990017614823", TAKEN(DEVICE, 16, -1, 23)},
	{"pei: imei- with 14 digits", PEI, "imei-35209900176148", REFUSED(WEIR_IMEI_SHORT, 19)},
	{"pei: imei- with 16 digits", PEI, "imei-3520990017614823", REFUSED(WEIR_IMEI_LONG, 20)},
	{"pei: imeisv- with 15 digits", PEI, "imeisv-352099001761481", REFUSED(WEIR_IMEI_SHORT, 22)},
	{"pei: imeisv- with 17 digits", PEI, "imeisv-35209900176148231", REFUSED(WEIR_IMEI_LONG, 23)},
	{"pei: separators are letters here", PEI, "imei-35-209900-176148", REFUSED(WEIR_IMEI_LETTER, 7)},
	{"pei: imei- and nothing", PEI, "imei-", REFUSED(WEIR_IMEI_EMPTY, 5)},
	{"pei: a MAC address", PEI, "mac-00-00-5E-00-53-00", REFUSED(WEIR_IMEI_SCHEME, 0)},
	{"pei: an EUI", PEI, "eui-00-00-5E-EF-10-00-00-00", REFUSED(WEIR_IMEI_SCHEME, 0)},
	{"pei: large letters", PEI, "IMEI-352099001761481", REFUSED(WEIR_IMEI_SCHEME, 0)},
	{"pei: no scheme", PEI, "352099001761481", REFUSED(WEIR_IMEI_SCHEME, 0)},
	{"pei: empty", PEI, "", REFUSED(WEIR_IMEI_SCHEME, 0)},
};

/* In a block of its own, so that a sanitizer sees one octet too far. */
static enum weir_imei_fault read_form(int form, const char *bytes, size_t len, struct weir_imei_reading *out)
{
	char *copy = malloc(len + 1);
	enum weir_imei_fault fault;

	assert_non_null(copy);
	memcpy(copy + 1, bytes, len);
	memset(out, 0x55, sizeof(*out));
	if (form == TEXT)
		fault = imei_from_text(copy + 1, len, out);
	else if (form == TBCD)
		fault = imei_from_tbcd((const uint8_t *)copy + 1, len, out);
	else
		fault = imei_from_pei(copy + 1, len, out);
	free(copy);
	return fault;
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct weir_imei_reading reading;

	assert_int_equal(read_form(row->form, row->bytes, row->form == TBCD ? row->len : strlen(row->bytes), &reading),
			 row->fault);
	assert_true(reading.imei.key == row->key);
	assert_int_equal(reading.imei.svn, row->svn);
	assert_int_equal(reading.given_check, row->given_check);
	assert_int_equal(reading.digits, row->digits);
	assert_int_equal(reading.at, row->at);
}

/* What every reading promises, whatever the input. */
static bool assert_sound(enum weir_imei_fault fault, const struct weir_imei_reading *r)
{
	assert_in_range(fault, 0, WEIR_IMEI_N_FAULTS - 1);
	if (fault) {
		assert_true(r->imei.key == 0 && r->imei.svn == WEIR_NO_SVN && r->digits == 0 && r->given_check == -1);
		return false;
	}
	assert_true(r->imei.key < WEIR_IMEI_END);
	assert_in_range(r->digits, 14, 17);
	assert_true(r->imei.svn >= WEIR_NO_SVN && r->imei.svn <= 99);
	assert_int_equal(r->imei.svn != WEIR_NO_SVN, r->digits >= 16);
	assert_int_equal(r->given_check >= 0, r->digits % 2 == 1);
	assert_true(r->given_check <= 9);
	return true;
}

static void test_every_prefix_of_every_row(void **state)
{
	struct weir_imei_reading r;

	(void)state;
	for (unsigned i = 0; i < N_ROWS(rows); i++) {
		size_t whole = rows[i].form == TBCD ? rows[i].len : strlen(rows[i].bytes);
		for (size_t len = 0; len < whole; len++)
			assert_sound(read_form(rows[i].form, rows[i].bytes, len, &r), &r);
	}
}

static void test_every_flipped_bit_of_every_row(void **state)
{
	struct weir_imei_reading r;
	char copy[64];

	(void)state;
	for (unsigned i = 0; i < N_ROWS(rows); i++) {
		size_t len = rows[i].form == TBCD ? rows[i].len : strlen(rows[i].bytes);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			memcpy(copy, rows[i].bytes, len);
			copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
			assert_sound(read_form(rows[i].form, copy, len, &r), &r);
		}
	}
}

static void test_every_form_of_a_device_has_its_key(void **state)
{
	uint64_t random = 3;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t key = rows_random(&random) % WEIR_IMEI_END;
		unsigned svn = rows_random_below(&random, 100), check = imei_check_digit(key);
		char digits[WEIR_IMEI_TEXT], text[40];
		struct weir_imei_reading r;
		imei_print(digits, key);
		for (unsigned form = 0; form < 6; form++) {
			static const struct {
				int kind;
				const char *scheme;
				bool has_check, has_svn;
				const char *slash;
			} forms[6] = {
				{TEXT, "", false, false, ""},	 {TEXT, "", true, false, ""},
				{TEXT, "", false, true, ""},	 {TEXT, "", true, true, "/"},
				{PEI, "imei-", true, false, ""}, {PEI, "imeisv-", false, true, ""},
			};
			int kind = forms[form].kind,
			    n = snprintf(text, sizeof(text), "%s%s", forms[form].scheme, digits);
			if (forms[form].has_check)
				n += snprintf(text + n, sizeof(text) - (size_t)n, "%u", check);
			if (forms[form].has_svn)
				n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%02u", forms[form].slash, svn);
			assert_true(assert_sound(read_form(kind, text, (size_t)n, &r), &r));
			assert_true(r.imei.key == key);
			assert_false(imei_check_is_wrong(&r));
		}
	}
}

static void test_long_text_says_where_within_an_octet(void **state)
{
	char text[400];
	struct weir_imei_reading r;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[399] = 'x';
	assert_int_equal(imei_from_text(text, sizeof(text), &r), WEIR_IMEI_LETTER);
	assert_int_equal(r.at, 255);
}

/* TS 23.003 annex B: IMEI 26053179311383 has check digit 7; others from devices' labels in public documents. */
static void test_check_digits(void **state)
{
	struct weir_imei_reading r;

	(void)state;
	assert_int_equal(imei_check_digit(UINT64_C(26053179311383)), 7);
	assert_int_equal(imei_check_digit(DEVICE), 1);
	assert_int_equal(imei_check_digit(UINT64_C(49015420323751)), 8);
	assert_int_equal(imei_check_digit(0), 0);
	assert_int_equal(imei_from_text("352099001761487", 15, &r), WEIR_IMEI_OK);
	assert_true(imei_check_is_wrong(&r));
	assert_int_equal(imei_from_text("352099001761480", 15, &r), WEIR_IMEI_OK);
	assert_true(imei_check_is_wrong(&r)); /* a spare 0 is the caller's to know */
	assert_int_equal(imei_from_text("35209900176148", 14, &r), WEIR_IMEI_OK);
	assert_false(imei_check_is_wrong(&r));
}

static void test_every_single_wrong_digit_shows(void **state)
{
	(void)state;
	for (uint64_t unit = 1; unit < WEIR_IMEI_END; unit *= 10)
		for (uint64_t change = 1; change < 10; change++) {
			uint64_t digit = DEVICE / unit % 10, other = (digit + change) % 10;
			assert_int_not_equal(imei_check_digit(DEVICE - digit * unit + other * unit),
					     imei_check_digit(DEVICE));
		}
}

static void test_classes(void **state)
{
	static const struct {
		uint64_t key;
		enum weir_imei_class class;
	} classes[] = {
		{DEVICE, WEIR_IMEI_ORDINARY},
		{0, WEIR_IMEI_ZERO},
		{UINT64_C(11111111111111), WEIR_IMEI_REPEATED},
		{UINT64_C(99999999999999), WEIR_IMEI_REPEATED},
		{UINT64_C(11111111111112), WEIR_IMEI_ORDINARY},
		{UINT64_C(1234567890123), WEIR_IMEI_COUNTING},
		{UINT64_C(12345678901234), WEIR_IMEI_COUNTING},
		{UINT64_C(101234567890), WEIR_IMEI_TEST},
		{UINT64_C(999999999999), WEIR_IMEI_TEST},
		{UINT64_C(1000000000000), WEIR_IMEI_ORDINARY},
		{WEIR_IMEI_END, WEIR_IMEI_ORDINARY},
		{UINT64_C(111111111111110), WEIR_IMEI_ORDINARY},
		{UINT64_MAX, WEIR_IMEI_ORDINARY},
	};

	(void)state;
	for (unsigned i = 0; i < N_ROWS(classes); i++)
		assert_int_equal(imei_classify(&(struct weir_imei){.key = classes[i].key}), classes[i].class);
	assert_string_equal(imei_class_name(WEIR_IMEI_ZERO), "all-zero");
	assert_string_equal(imei_class_name(WEIR_IMEI_TEST), "test");
	assert_string_equal(imei_class_name(WEIR_IMEI_N_CLASSES), "?");
	assert_string_equal(imei_fault_text(WEIR_IMEI_N_FAULTS), "?");
	for (unsigned i = 0; i < WEIR_IMEI_N_FAULTS; i++)
		assert_true(strlen(imei_fault_text(i)) > 1);
}

static void test_printing(void **state)
{
	char buf[WEIR_IMEI_TEXT];

	(void)state;
	assert_string_equal(imei_print(buf, DEVICE), "35209900176148");
	assert_string_equal(imei_print_checked(buf, DEVICE), "352099001761481");
	assert_string_equal(imei_print(buf, 42), "00000000000042");
	assert_int_equal(strlen(imei_print(buf, UINT64_MAX)), 14);
	assert_int_equal(strlen(imei_print_checked(buf, UINT64_MAX)), 15);
	assert_int_equal(imei_tac(DEVICE), 35209900);
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(test_every_prefix_of_every_row),
		cmocka_unit_test(test_every_flipped_bit_of_every_row),
		cmocka_unit_test(test_every_form_of_a_device_has_its_key),
		cmocka_unit_test(test_long_text_says_where_within_an_octet),
		cmocka_unit_test(test_check_digits),
		cmocka_unit_test(test_every_single_wrong_digit_shows),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_printing),
	};
	struct CMUnitTest tests[N_ROWS(rows) + N_ROWS(others)];

	for (unsigned i = 0; i < N_ROWS(rows); i++)
		tests[i] = ROW_TEST(rows[i].rule, test_row, &rows[i]);
	memcpy(tests + N_ROWS(rows), others, sizeof(others));
	return cmocka_run_group_tests_name("imei", tests, NULL, NULL);
}
