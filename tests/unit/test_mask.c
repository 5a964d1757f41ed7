/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Masks keep what places a line and hide what names a phone. */
#include "core/mask.h"

#include "rows.h"

struct row {
	const char *rule, *masked;
	enum { IMEI, IMSI, MSISDN } kind;
	uint64_t value;
};

static const struct row rows[] = {
	{"a device keeps its TAC", "35209900******", IMEI, UINT64_C(35209900176148)},
	{"a device keeps leading zeros", "00101234******", IMEI, UINT64_C(101234567890)},
	{"the all-zero device has a TAC too", "00000000******", IMEI, 0},
	{"a key above every device is none", "none", IMEI, WEIR_IMEI_END},
	{"the greatest integer is none", "none", IMEI, UINT64_MAX},
	{"a subscriber keeps MCC and MNC", "00101**********", IMSI, UINT64_C(1001010000000001)},
	{"a short IMSI hides the rest", "00101*", IMSI, UINT64_C(1001011)},
	{"a prefix of five digits stays", "00101", IMSI, UINT64_C(100101)},
	{"no IMSI is none", "none", IMSI, 0},
	{"an integer that is no IMSI does not overrun", "74407**********", IMSI, UINT64_MAX},
	{"a number keeps two digits", "49*********", MSISDN, UINT64_C(149301234567)},
	{"no number is none", "none", MSISDN, 0},
};

static void test_row(void **state)
{
	const struct row *row = *state;
	char buf[WEIR_MASK_TEXT];
	const char *masked = NULL;

	switch (row->kind) {
	case IMEI:
		masked = mask_imei(buf, row->value);
		break;
	case IMSI:
		masked = mask_imsi(buf, (struct weir_imsi){row->value});
		break;
	case MSISDN:
		masked = mask_msisdn(buf, (struct weir_msisdn){row->value});
		break;
	}
	assert_ptr_equal(masked, buf);
	assert_string_equal(masked, row->masked);
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(rows)];

	for (unsigned i = 0; i < N_ROWS(rows); i++)
		tests[i] = ROW_TEST(rows[i].rule, test_row, &rows[i]);
	return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
