/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the service-based interfaces of the 5G core have in common (TS 29.500, TS 29.501, TS 29.571): header fields in
 * the grammar of TS 29.500 annex D, and ProblemDetails.
 *
 * Pure: texts in, values out, time as an argument.  A text has a length and need not be terminated.  Readers return 0
 * or -EINVAL and leave what they were given alone on failure: a header that cannot be read is one that was not sent (TS
 * 29.500 5.2.3.1), and the caller counts it.  Printers write a terminated text and return its length; where it does not
 * fit they write "" and return 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- time */

#define SBI_DATE_TEXT 30
/* "Sun, 29 Nov 2026 15:04:05 GMT" (RFC 9110 5.6.7), seconds since 1970, of the years 1970 to 9999. */
size_t sbi_date_print(char *buf, size_t size, int64_t s);
/* 3gpp-Sbi-Sender-Timestamp: the same with ".123" in front of " GMT", in milliseconds since 1970.  Seconds without a
 * fraction are taken too.  The name of the day must be one, and is not compared with the date. */
int sbi_timestamp_read(const char *text, size_t len, int64_t *ms);
#define SBI_TIMESTAMP_TEXT 34
size_t sbi_timestamp_print(char *buf, size_t size, int64_t ms);
/* 3gpp-Sbi-Max-Rsp-Time: 1 to 5 digits, milliseconds. */
int sbi_max_rsp_time_read(const char *text, size_t len, uint32_t *ms);

/* --- priority, correlation, origin */

/* 3gpp-Sbi-Message-Priority: 0 (first) to 31 (last). */
int sbi_priority_read(const char *text, size_t len, unsigned *priority);

#define SBI_LOG_TEXT 160
/* 3gpp-Sbi-Correlation-Info names subscribers and devices: for a log, each of its parts as its kind and a masked value
 * ("imsi-00101*****; imei-00100123******"; kinds that core/mask.h does not know: "suci-***").  What is not of the
 * grammar, or does not fit, is "...". */
const char *sbi_correlation_mask(char buf[static SBI_LOG_TEXT], const char *text, size_t len);
/* 3gpp-Sbi-Originating-Network-Id for a log: it names a network and a host; "..." where it is not of the grammar. */
const char *sbi_network_print(char buf[static SBI_LOG_TEXT], const char *text, size_t len);

/* --- load and overload */

#define SBI_CONTROL_TEXT 200
/* 3gpp-Sbi-Oci and 3gpp-Sbi-Lci (TS 29.500 6.4.3, 6.3.3) of an NF instance as a producer. */
size_t sbi_oci_print(char *buf, size_t size, int64_t now_s, unsigned valid_s, unsigned reduction_percent,
		     const char *instance);
size_t sbi_lci_print(char *buf, size_t size, int64_t now_s, unsigned load_percent, const char *instance);

/* A UUID as 8-4-4-4-12 hexadecimal digits, in any case of letters; in small ones out (RFC 4122 3). */
#define SBI_UUID_TEXT 37
int sbi_uuid_read(const char *text, size_t len, char out[static SBI_UUID_TEXT]);

static inline bool sbi_is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* --- negotiation */

/* Does this Accept field (RFC 9110 12.5.1) allow application/json?  The most specific range that covers it decides; its
 * weight 0 means no. */
bool sbi_accepts_json(const char *text, size_t len);

/* --- ProblemDetails (TS 29.571 5.2.4.1) */

struct sbi_problem {
	unsigned status;
	const char *title, *cause, *detail; /* cause and detail may be NULL; printed as they are: no quotes in them */
	/* invalidParams with one entry; param NULL: none.  The name may be anything: it is escaped, and cut to
	 * SBI_PARAM_TEXT. */
	const char *param, *reason;
	size_t param_len;
	const char *version; /* supportedApiVersions with one entry; NULL: none */
};

#define SBI_PARAM_TEXT   64
#define SBI_PROBLEM_TEXT 1024
size_t sbi_problem_print(char *buf, size_t size, const struct sbi_problem *problem);

/* Percent-decoding (RFC 3986 2.1) into buf.  Length, or -EINVAL for a broken escape, -ENOSPC. */
int sbi_decode(const char *text, size_t len, char *buf, size_t size);
