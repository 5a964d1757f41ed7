/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Prints what may be read by everybody who reads logs: where a line belongs, never whose it is. */
#include "core/mask.h"

#include <string.h>

#define KEEP_IMEI   8 /* the TAC */
#define KEEP_IMSI   5 /* MCC and at least two digits of MNC; the third may already be the subscriber's */
#define KEEP_MSISDN 2 /* most of a country code */

static const char *hide(char buf[static WEIR_MASK_TEXT], const char *digits, size_t keep)
{
	size_t n = strlen(digits);

	if (n == 0)
		return strcpy(buf, "none");
	memcpy(buf, digits, n + 1);
	if (n > keep)
		memset(buf + keep, '*', n - keep);
	return buf;
}

const char *mask_imei(char buf[static WEIR_MASK_TEXT], uint64_t key)
{
	char digits[WEIR_IMEI_TEXT];

	if (key >= WEIR_IMEI_END)
		return strcpy(buf, "none");
	return hide(buf, imei_print(digits, key), KEEP_IMEI);
}

const char *mask_imsi(char buf[static WEIR_MASK_TEXT], struct weir_imsi imsi)
{
	char digits[WEIR_DIGITS_TEXT];

	return hide(buf, imsi_print(digits, imsi), KEEP_IMSI);
}

const char *mask_msisdn(char buf[static WEIR_MASK_TEXT], struct weir_msisdn msisdn)
{
	char digits[WEIR_DIGITS_TEXT];

	return hide(buf, msisdn_print(digits, msisdn), KEEP_MSISDN);
}
