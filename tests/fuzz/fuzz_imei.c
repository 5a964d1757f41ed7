/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* core's readers of identities: the first octet picks the reader, the rest is what it reads.  What one of them takes
 * must come back the same from its printed form. */

#include "core/digits.h"
#include "core/imei.h"
#include "fuzz.h"

#include <string.h>

static void check_reading(enum weir_imei_fault fault, const struct weir_imei_reading *reading)
{
	struct weir_imei_reading again;
	char text[WEIR_IMEI_TEXT];

	MUST(fault < WEIR_IMEI_N_FAULTS && imei_fault_text(fault));
	if (fault != WEIR_IMEI_OK) {
		MUST(reading->imei.key == 0 && reading->digits == 0);
		return;
	}
	MUST(reading->imei.key < WEIR_IMEI_END);
	MUST(reading->imei.svn >= WEIR_NO_SVN && reading->imei.svn < 100);
	MUST(reading->digits >= 14 && reading->digits <= 17);
	MUST(reading->given_check >= -1 && reading->given_check <= 9);
	MUST(imei_classify(&reading->imei) < WEIR_IMEI_N_CLASSES);
	imei_print_checked(text, reading->imei.key);
	MUST(imei_from_text(text, strlen(text), &again) == WEIR_IMEI_OK);
	MUST(again.imei.key == reading->imei.key && !imei_check_is_wrong(&again));
}

static void check_imsi(int rc, struct weir_imsi imsi)
{
	struct weir_imsi again;
	char text[WEIR_DIGITS_TEXT];
	uint8_t bcd[8];
	int len;

	MUST((rc == 0) == (imsi.packed != 0));
	if (rc < 0)
		return;
	imsi_print(text, imsi);
	MUST(strlen(text) == imsi_length(imsi));
	MUST(imsi_prefix_from_text(text, strlen(text), &again) == 0 && again.packed == imsi.packed);
	MUST(imsi_has_prefix(imsi, again));
	if (imsi_length(imsi) < 5)
		return;
	len = imsi_to_bcd(imsi, bcd, sizeof(bcd));
	MUST(len > 0 && imsi_from_bcd(bcd, (size_t)len, &again) == 0 && again.packed == imsi.packed);
}

static void check_msisdn(int rc, struct weir_msisdn msisdn)
{
	struct weir_msisdn again;
	char text[WEIR_DIGITS_TEXT];

	MUST((rc == 0) == (msisdn.packed != 0));
	if (rc < 0)
		return;
	msisdn_print(text, msisdn);
	MUST(msisdn_from_text(text, strlen(text), &again) == 0 && again.packed == msisdn.packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_imei_reading reading;
	struct weir_msisdn msisdn;
	struct weir_imsi imsi;
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	size--;
	switch (data[0] % 7) {
	case 0:
		check_reading(imei_from_text(text, size, &reading), &reading);
		break;
	case 1:
		check_reading(imei_from_tbcd(data + 1, size, &reading), &reading);
		break;
	case 2:
		check_reading(imei_from_pei(text, size, &reading), &reading);
		break;
	case 3:
		check_imsi(imsi_from_text(text, size, &imsi), imsi);
		break;
	case 4:
		check_imsi(imsi_prefix_from_text(text, size, &imsi), imsi);
		break;
	case 5:
		check_imsi(imsi_from_bcd(data + 1, size, &imsi), imsi);
		break;
	default:
		check_msisdn(msisdn_from_text(text, size, &msisdn), msisdn);
		break;
	}
	return 0;
}
