/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reads and prints the identity of a device (TS 23.003 clause 6.2, check digit annex B).  Whatever the form, a reader
 * collects digits and one place (reading_finish) decides what they mean.  It must never guess: a form that is not one
 * of imei.h's is a fault with the place where it begins. */
#include "core/imei.h"

#include <string.h>

#define KEY_DIGITS 14
#define MAX_DIGITS 17

static const char *const fault_texts[WEIR_IMEI_N_FAULTS] = {
	[WEIR_IMEI_OK] = "is well formed",
	[WEIR_IMEI_EMPTY] = "has no digit at all",
	[WEIR_IMEI_SHORT] = "has too few digits",
	[WEIR_IMEI_LONG] = "has too many digits",
	[WEIR_IMEI_LETTER] = "has something in it that is not a digit",
	[WEIR_IMEI_SCHEME] = "is neither imei- nor imeisv-",
};

static const char *const class_names[WEIR_IMEI_N_CLASSES] = {
	[WEIR_IMEI_ORDINARY] = "ordinary", [WEIR_IMEI_ZERO] = "all-zero", [WEIR_IMEI_REPEATED] = "repeated",
	[WEIR_IMEI_COUNTING] = "counting", [WEIR_IMEI_TEST] = "test",
};

struct digits {
	uint8_t digit[MAX_DIGITS];
	unsigned n;
};

static enum weir_imei_fault reading_fail(struct weir_imei_reading *out, enum weir_imei_fault fault, size_t at)
{
	*out = (struct weir_imei_reading){
		.imei.svn = WEIR_NO_SVN,
		.given_check = -1,
		.at = at < UINT8_MAX ? (uint8_t)at : UINT8_MAX,
	};
	return fault;
}

/* 14 to 17 digits become a device; the table at the top of imei.h.  end: where more digits should have been. */
static enum weir_imei_fault reading_finish(const struct digits *digits, size_t end, struct weir_imei_reading *out)
{
	const uint8_t *d = digits->digit;
	const unsigned n = digits->n;
	uint64_t key = 0;

	if (n < KEY_DIGITS)
		return reading_fail(out, n ? WEIR_IMEI_SHORT : WEIR_IMEI_EMPTY, end);
	for (unsigned i = 0; i < KEY_DIGITS; i++)
		key = key * 10 + d[i];
	*out = (struct weir_imei_reading){
		.imei = {.key = key, .svn = n >= 16 ? (int8_t)(d[n - 2] * 10 + d[n - 1]) : WEIR_NO_SVN},
		.digits = (uint8_t)n,
		.given_check = n == 15 || n == 17 ? (int8_t)d[14] : -1,
	};
	return WEIR_IMEI_OK;
}

static bool is_separator(char c)
{
	return c == '-' || c == ' ' || c == '/' || c == '.';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

enum weir_imei_fault imei_from_text(const char *text, size_t len, struct weir_imei_reading *out)
{
	struct digits digits = {.n = 0};

	for (size_t i = 0; i < len; i++) {
		if (is_separator(text[i]))
			continue;
		if (!is_digit(text[i]))
			return reading_fail(out, WEIR_IMEI_LETTER, i);
		if (digits.n == MAX_DIGITS)
			return reading_fail(out, WEIR_IMEI_LONG, i);
		digits.digit[digits.n++] = (uint8_t)(text[i] - '0');
	}
	return reading_finish(&digits, len, out);
}

/* TS 29.002 17.7.8: 8 octets, the last one digit and filler where there is no SVN.  GSUP sends 7 octets for 14 digits.
 * Fillers may stand at the end only. */
enum weir_imei_fault imei_from_tbcd(const uint8_t *octets, size_t len, struct weir_imei_reading *out)
{
	struct digits digits = {.n = 0};
	size_t filler_at = SIZE_MAX;

	if (len > 8)
		return reading_fail(out, WEIR_IMEI_LONG, 8);
	for (size_t i = 0; i < 2 * len; i++) {
		uint8_t nibble = i % 2 ? octets[i / 2] >> 4 : octets[i / 2] & 0xf;
		if (nibble == 0xf) {
			if (filler_at == SIZE_MAX)
				filler_at = i / 2;
			continue;
		}
		if (filler_at != SIZE_MAX)
			return reading_fail(out, WEIR_IMEI_LETTER, filler_at);
		if (nibble > 9)
			return reading_fail(out, WEIR_IMEI_LETTER, i / 2);
		digits.digit[digits.n++] = nibble;
	}
	return reading_finish(&digits, filler_at != SIZE_MAX ? filler_at : len, out);
}

static bool pei_takes(const char *pei, size_t len, const char *scheme, size_t *at)
{
	size_t n = strlen(scheme);

	if (len < n || memcmp(pei, scheme, n))
		return false;
	*at = n;
	return true;
}

enum weir_imei_fault imei_from_pei(const char *pei, size_t len, struct weir_imei_reading *out)
{
	struct digits digits = {.n = 0};
	unsigned wanted;
	size_t at;

	if (pei_takes(pei, len, "imei-", &at))
		wanted = 15;
	else if (pei_takes(pei, len, "imeisv-", &at))
		wanted = 16;
	else
		return reading_fail(out, WEIR_IMEI_SCHEME, 0);
	for (; at < len; at++) {
		if (!is_digit(pei[at]))
			return reading_fail(out, WEIR_IMEI_LETTER, at);
		if (digits.n == wanted)
			return reading_fail(out, WEIR_IMEI_LONG, at);
		digits.digit[digits.n++] = (uint8_t)(pei[at] - '0');
	}
	if (digits.n && digits.n < wanted)
		return reading_fail(out, WEIR_IMEI_SHORT, len);
	return reading_finish(&digits, len, out);
}

/* TS 23.003 annex B: double every other digit from the right, add the digits, complete to a multiple of ten. */
unsigned imei_check_digit(uint64_t key)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < KEY_DIGITS; i++, key /= 10) {
		unsigned digit = (unsigned)(key % 10);
		if (i % 2 == 0)
			digit = digit < 5 ? digit * 2 : digit * 2 - 9;
		sum += digit;
	}
	return (10 - sum % 10) % 10;
}

bool imei_check_is_wrong(const struct weir_imei_reading *reading)
{
	return reading->given_check >= 0 && (unsigned)reading->given_check != imei_check_digit(reading->imei.key);
}

enum weir_imei_class imei_classify(const struct weir_imei *imei)
{
	const uint64_t ones = UINT64_C(11111111111111);

	if (imei->key == 0)
		return WEIR_IMEI_ZERO;
	if (imei->key < WEIR_IMEI_END && imei->key % ones == 0)
		return WEIR_IMEI_REPEATED;
	if (imei->key == UINT64_C(1234567890123) || imei->key == UINT64_C(12345678901234))
		return WEIR_IMEI_COUNTING;
	if (imei->key < WEIR_IMEI_END / 100)
		return WEIR_IMEI_TEST;
	return WEIR_IMEI_ORDINARY;
}

/* The lowest n digits; whatever the key, no more are written. */
static void print_digits(char *buf, unsigned n, uint64_t key)
{
	buf[n] = '\0';
	for (; n; n--, key /= 10)
		buf[n - 1] = (char)('0' + key % 10);
}

const char *imei_print(char buf[static WEIR_IMEI_TEXT], uint64_t key)
{
	print_digits(buf, KEY_DIGITS, key);
	return buf;
}

const char *imei_print_checked(char buf[static WEIR_IMEI_TEXT], uint64_t key)
{
	print_digits(buf, KEY_DIGITS, key);
	print_digits(buf + KEY_DIGITS, 1, imei_check_digit(key));
	return buf;
}

const char *imei_fault_text(enum weir_imei_fault fault)
{
	return (unsigned)fault < WEIR_IMEI_N_FAULTS ? fault_texts[fault] : "?";
}

const char *imei_class_name(enum weir_imei_class class)
{
	return (unsigned)class < WEIR_IMEI_N_CLASSES ? class_names[class] : "?";
}
