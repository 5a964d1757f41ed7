/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Subscriber numbers: IMSI (TS 23.003 clause 2.2) and MSISDN (E.164), up to 15 digits.
 *
 * Leading zeros count (MCC 001), so the digits are held as one integer with a 1 in front: "00101" is 100101.
 * Zero means "none".  Two numbers are equal when the integers are; order has no meaning. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_imsi {
	uint64_t packed; /* 1 and the digits; 0 is none */
};

struct weir_msisdn {
	uint64_t packed;
};

#define WEIR_DIGITS_TEXT 17

/* 5 to 15 digits of text (a prefix: 1 to 15).  0 or -EINVAL; *out is none on failure. */
int imsi_from_text(const char *text, size_t len, struct weir_imsi *out);
int imsi_prefix_from_text(const char *text, size_t len, struct weir_imsi *out);
/* BCD as GSUP and MAP send an IMSI: low nibble first, filler 0xF at the end.  0 or -EINVAL. */
int imsi_from_bcd(const uint8_t *octets, size_t len, struct weir_imsi *out);
/* The reverse, for what we send ourselves.  Returns octets written, or -ENOSPC. */
int imsi_to_bcd(struct weir_imsi imsi, uint8_t *buf, size_t size);
/* As dialled: digits, an optional leading '+', '-' and ' ' between. */
int msisdn_from_text(const char *text, size_t len, struct weir_msisdn *out);

/* Digits only, terminated; "" for none. */
const char *imsi_print(char buf[static WEIR_DIGITS_TEXT], struct weir_imsi imsi);
const char *msisdn_print(char buf[static WEIR_DIGITS_TEXT], struct weir_msisdn msisdn);

unsigned imsi_length(struct weir_imsi imsi);
/* Does imsi begin with prefix?  None begins with nothing and nothing begins with none. */
bool imsi_has_prefix(struct weir_imsi imsi, struct weir_imsi prefix);
