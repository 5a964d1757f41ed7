/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The identity of a device (3GPP TS 23.003 clause 6.2).
 *
 * A device is 14 digits: type allocation code (TAC, 8) and serial number (SNR, 6).  Everything that arrives
 * becomes those 14 digits as one integer, plus a software version number (SVN, two digits) where one was sent.
 * Two devices are the same when the 14 digits are: the check digit and the SVN never take part in a key.  So a
 * device that was listed in one form is found in every other:
 *
 *     14 digits  TAC SNR            S13 IMEI AVP, GSUP from osmo-msc, lists
 *     15 digits  TAC SNR C          printed on the box; C is the Luhn digit, or 0 where a network sends a spare
 *     16 digits  TAC SNR SVN        IMEISV
 *     17 digits  TAC SNR C SVN      what some phones show for *#06# ("352099001761481/23")
 *
 * The check digit is never part of the decision.  It is kept in the reading so that a person who mistyped a
 * number can be told which digit would be right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_NO_SVN (-1)
#define WEIR_IMEI_END UINT64_C(100000000000000) /* 10^14: one past the greatest key */

struct weir_imei {
	uint64_t key; /* the 14 digits as a number, below WEIR_IMEI_END */
	int8_t svn;   /* 0..99, or WEIR_NO_SVN */
};

enum weir_imei_fault {
	WEIR_IMEI_OK = 0,
	WEIR_IMEI_EMPTY,   /* no digit at all */
	WEIR_IMEI_SHORT,   /* fewer than 14 digits, or than a PEI of its kind has */
	WEIR_IMEI_LONG,    /* more than 17 digits (text) or more digits or octets than the form has */
	WEIR_IMEI_LETTER,  /* something that is neither a digit nor a separator, or a nibble above 9 */
	WEIR_IMEI_SCHEME,  /* a PEI of another kind than imei- or imeisv- */
	WEIR_IMEI_N_FAULTS
};

/* What was read, for people: the device and what was said about its check digit. */
struct weir_imei_reading {
	struct weir_imei imei;
	uint8_t digits;     /* how many digits the form had: 14, 15, 16 or 17 */
	int8_t given_check; /* the check digit as given, or -1 where the form has none */
	uint8_t at;         /* on failure: offset of the first offending character or octet */
};

/* Kinds of identity that no shipped phone has; the policy has a rule for each (core/policy.h). */
enum weir_imei_class {
	WEIR_IMEI_ORDINARY = 0,
	WEIR_IMEI_ZERO,     /* all digits 0: what a device without an IMEI sends */
	WEIR_IMEI_REPEATED, /* one other digit 14 times */
	WEIR_IMEI_COUNTING, /* 01234567890123 or 12345678901234: typed, not built */
	WEIR_IMEI_TEST,     /* reporting body 00: test equipment (GSMA TS.06) */
	WEIR_IMEI_N_CLASSES
};

/* Read text: 14 to 17 digits with any number of '-', ' ', '/' and '.' around and between them.  Not terminated by NUL:
 * len counts.  *out is cleared on failure (no SVN, no check digit) except for out->at; an at above 255 says 255. */
enum weir_imei_fault imei_from_text(const char *text, size_t len, struct weir_imei_reading *out);

/* Read TBCD or BCD-number digits (TS 29.002 17.7.8; the contents of the GSUP IMEI IE after its length octet): low
 * nibble first, 7 octets for 14 digits, 8 for 15 (filler 0xF above) or 16.  With 15 digits the last one is the
 * "spare" of TS 23.003 and is given_check. */
enum weir_imei_fault imei_from_tbcd(const uint8_t *octets, size_t len, struct weir_imei_reading *out);

/* Read a PEI (TS 29.571 5.3.2): "imei-" and 15 digits or "imeisv-" and 16, digits only. */
enum weir_imei_fault imei_from_pei(const char *pei, size_t len, struct weir_imei_reading *out);

/* The Luhn check digit (TS 23.003 annex B) of a key, 0..9. */
unsigned imei_check_digit(uint64_t key);

/* True where a check digit was given and is not the right one.  A given 0 counts as wrong here too; the caller
 * knows whether its form uses 0 as a spare. */
bool imei_check_is_wrong(const struct weir_imei_reading *reading);

enum weir_imei_class imei_classify(const struct weir_imei *imei);

/* TAC, the first eight digits. */
static inline uint32_t imei_tac(uint64_t key)
{
	return (uint32_t)(key / 1000000);
}

#define WEIR_IMEI_TEXT 18
/* The 14 digits, terminated. */
const char *imei_print(char buf[static WEIR_IMEI_TEXT], uint64_t key);
/* 15 digits with the right check digit: how people know it. */
const char *imei_print_checked(char buf[static WEIR_IMEI_TEXT], uint64_t key);

/* "has too few digits" and so on; for messages. */
const char *imei_fault_text(enum weir_imei_fault fault);
/* "all-zero", "repeated", "counting", "test", "ordinary": configuration words. */
const char *imei_class_name(enum weir_imei_class class);
