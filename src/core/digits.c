/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Subscriber numbers as one integer with a 1 in front (TS 23.003 clause 2.2, E.164).  Readers must never take a
 * number of another length than the standards have, and leave "none" behind on failure. */
#include "core/digits.h"

#include <errno.h>

#define MAX_DIGITS	15
#define IMSI_MIN_DIGITS 5

/* One more digit; the caller counts them. */
static uint64_t push(uint64_t packed, unsigned digit)
{
	return packed * 10 + digit;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* min to 15 plain digits, or 0. */
static uint64_t pack_text(const char *text, size_t len, size_t min)
{
	uint64_t packed = 1;

	if (len < min || len > MAX_DIGITS)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return 0;
		packed = push(packed, (unsigned)(text[i] - '0'));
	}
	return packed;
}

int imsi_from_text(const char *text, size_t len, struct weir_imsi *out)
{
	out->packed = pack_text(text, len, IMSI_MIN_DIGITS);
	return out->packed ? 0 : -EINVAL;
}

int imsi_prefix_from_text(const char *text, size_t len, struct weir_imsi *out)
{
	out->packed = pack_text(text, len, 1);
	return out->packed ? 0 : -EINVAL;
}

int imsi_from_bcd(const uint8_t *octets, size_t len, struct weir_imsi *out)
{
	uint64_t packed = 1;
	unsigned n = 0;
	bool ended = false;

	out->packed = 0;
	if (len > (MAX_DIGITS + 1) / 2)
		return -EINVAL;
	for (size_t i = 0; i < 2 * len; i++) {
		uint8_t nibble = i % 2 ? octets[i / 2] >> 4 : octets[i / 2] & 0xf;
		if (nibble == 0xf) {
			ended = true;
			continue;
		}
		if (ended || nibble > 9 || n == MAX_DIGITS)
			return -EINVAL;
		packed = push(packed, nibble);
		n++;
	}
	if (n < IMSI_MIN_DIGITS)
		return -EINVAL;
	out->packed = packed;
	return 0;
}

/* The digits first to last; returns how many. */
static unsigned unpack(uint64_t packed, uint8_t digit[static MAX_DIGITS + 1])
{
	unsigned n = imsi_length((struct weir_imsi){packed});

	for (unsigned i = n; i; i--, packed /= 10)
		digit[i - 1] = (uint8_t)(packed % 10);
	return n;
}

int imsi_to_bcd(struct weir_imsi imsi, uint8_t *buf, size_t size)
{
	uint8_t digit[MAX_DIGITS + 1];
	unsigned n = unpack(imsi.packed, digit);

	if (size < (n + 1) / 2)
		return -ENOSPC;
	if (n % 2)
		digit[n] = 0xf;
	for (unsigned i = 0; i < (n + 1) / 2; i++)
		buf[i] = (uint8_t)(digit[2 * i] | digit[2 * i + 1] << 4);
	return (int)((n + 1) / 2);
}

int msisdn_from_text(const char *text, size_t len, struct weir_msisdn *out)
{
	uint64_t packed = 1;
	unsigned n = 0;

	out->packed = 0;
	for (size_t i = 0; i < len; i++) {
		if ((i == 0 && text[i] == '+') || (n && (text[i] == '-' || text[i] == ' ')))
			continue;
		if (!is_digit(text[i]) || n == MAX_DIGITS)
			return -EINVAL;
		packed = push(packed, (unsigned)(text[i] - '0'));
		n++;
	}
	if (!n)
		return -EINVAL;
	out->packed = packed;
	return 0;
}

static const char *print(char buf[static WEIR_DIGITS_TEXT], uint64_t packed)
{
	uint8_t digit[MAX_DIGITS + 1];
	unsigned n = unpack(packed, digit);

	for (unsigned i = 0; i < n; i++)
		buf[i] = (char)('0' + digit[i]);
	buf[n] = '\0';
	return buf;
}

const char *imsi_print(char buf[static WEIR_DIGITS_TEXT], struct weir_imsi imsi)
{
	return print(buf, imsi.packed);
}

const char *msisdn_print(char buf[static WEIR_DIGITS_TEXT], struct weir_msisdn msisdn)
{
	return print(buf, msisdn.packed);
}

/* An integer that no reader makes (from a damaged file, say) still counts as at most 15 digits. */
unsigned imsi_length(struct weir_imsi imsi)
{
	unsigned n = 0;

	while (n < MAX_DIGITS && imsi.packed >= 10) {
		imsi.packed /= 10;
		n++;
	}
	return n;
}

bool imsi_has_prefix(struct weir_imsi imsi, struct weir_imsi prefix)
{
	unsigned n = imsi_length(imsi), n_prefix = imsi_length(prefix);

	if (!n || !n_prefix)
		return false;
	for (; n > n_prefix; n--)
		imsi.packed /= 10;
	return imsi.packed == prefix.packed;
}
