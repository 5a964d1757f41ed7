/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Header fields and bodies of TS 29.500 and TS 29.571.  Reads nothing beyond the length that it is given, and prints no
 * octet of a peer's without looking at it. */
#include "wire/sbi.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mask.h"
#include "core/when.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void trim(const char **text, size_t *len)
{
	while (*len && (**text == ' ' || **text == '\t')) {
		(*text)++;
		(*len)--;
	}
	while (*len && ((*text)[*len - 1] == ' ' || (*text)[*len - 1] == '\t'))
		(*len)--;
}

/* All of it is digits, at most max of them. */
static int read_number(const char *text, size_t len, unsigned max, uint32_t *out)
{
	uint32_t value = 0;

	trim(&text, &len);
	if (!len || len > max)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return -EINVAL;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*out = value;
	return 0;
}

/* What is being printed: full is sticky, and the end says so once. */
struct out {
	char *buf;
	size_t size, len;
	bool full;
};

static void out_put(struct out *out, const char *text, size_t len)
{
	if (out->full || len >= out->size - out->len) {
		out->full = true;
		return;
	}
	memcpy(out->buf + out->len, text, len);
	out->len += len;
}

static void __attribute__((format(printf, 2, 3))) out_print(struct out *out, const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		out->full = true;
	else
		out_put(out, text, (size_t)n);
}

static size_t out_end(struct out *out)
{
	if (!out->size)
		return 0;
	if (out->full)
		out->len = 0;
	out->buf[out->len] = '\0';
	return out->len;
}

/* --- time */

static const char day_names[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

#define S_A_DAY 86400
#define LAST_S  INT64_C(253402300799) /* the end of the year 9999 */

static size_t print_date(char *buf, size_t size, int64_t s, const char *fraction)
{
	struct out out = {.buf = buf, .size = size};
	unsigned year, month, day, in_day;

	s = s < 0 ? 0 : s > LAST_S ? LAST_S : s;
	in_day = (unsigned)(s % S_A_DAY);
	when_date(s / S_A_DAY, &year, &month, &day);
	out_print(&out, "%s, %02u %s %04u %02u:%02u:%02u%s GMT", day_names[(s / S_A_DAY + 3) % 7], day,
		  month_names[month - 1], year, in_day / 3600, in_day / 60 % 60, in_day % 60, fraction);
	return out_end(&out);
}

size_t sbi_date_print(char *buf, size_t size, int64_t s)
{
	return print_date(buf, size, s, "");
}

size_t sbi_timestamp_print(char *buf, size_t size, int64_t ms)
{
	char fraction[8];

	ms = ms < 0 ? 0 : ms;
	snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)(ms % 1000));
	return print_date(buf, size, ms / 1000, fraction);
}

/* A reader over a text; bad is sticky. */
struct in {
	const char *at, *end;
	bool bad;
};

static unsigned in_number(struct in *in, unsigned digits)
{
	unsigned value = 0;

	if ((size_t)(in->end - in->at) < digits)
		in->bad = true;
	for (; digits && !in->bad; digits--, in->at++) {
		if (!is_digit(*in->at))
			in->bad = true;
		value = value * 10 + (unsigned)(*in->at - '0');
	}
	return in->bad ? 0 : value;
}

static void in_word(struct in *in, const char *word)
{
	size_t len = strlen(word);

	if (in->bad || (size_t)(in->end - in->at) < len || memcmp(in->at, word, len))
		in->bad = true;
	else
		in->at += len;
}

static unsigned in_name(struct in *in, const char (*names)[4], unsigned n)
{
	for (unsigned i = 0; i < n && !in->bad && in->end - in->at >= 3; i++) {
		if (!memcmp(in->at, names[i], 3)) {
			in->at += 3;
			return i;
		}
	}
	in->bad = true;
	return 0;
}

int sbi_timestamp_read(const char *text, size_t len, int64_t *ms)
{
	struct in in = {.at = text, .end = text + len};
	unsigned year, month, day, hour, minute, second, fraction = 0;

	trim(&in.at, &len);
	in.end = in.at + len;
	in_name(&in, day_names, 7);
	in_word(&in, ", ");
	day = in_number(&in, 2);
	in_word(&in, " ");
	month = in_name(&in, month_names, 12) + 1;
	in_word(&in, " ");
	year = in_number(&in, 4);
	in_word(&in, " ");
	hour = in_number(&in, 2);
	in_word(&in, ":");
	minute = in_number(&in, 2);
	in_word(&in, ":");
	second = in_number(&in, 2);
	if (!in.bad && in.at < in.end && *in.at == '.') {
		in.at++;
		fraction = in_number(&in, 3);
	}
	in_word(&in, " GMT");
	if (in.bad || in.at != in.end || year < 1970 || hour > 23 || minute > 59 || second > 60 || !day ||
	    day > when_days_in_month(year, month))
		return -EINVAL;
	*ms = ((when_days(year, month, day) * S_A_DAY + hour * 3600 + minute * 60 + second) * 1000) + fraction;
	return 0;
}

int sbi_max_rsp_time_read(const char *text, size_t len, uint32_t *ms)
{
	return read_number(text, len, 5, ms);
}

/* --- priority, correlation, origin */

int sbi_priority_read(const char *text, size_t len, unsigned *priority)
{
	uint32_t value;

	if (read_number(text, len, 2, &value) || value > 31)
		return -EINVAL;
	*priority = value;
	return 0;
}

/* The kinds of TS 29.500 5.2.3.3.4; a kind that is not here is one that we do not know to be harmless. */
static bool has_kind(const char *text, size_t len, const char *kind)
{
	size_t n = strlen(kind);

	return len > n && !memcmp(text, kind, n);
}

static const char *mask_device(char buf[static WEIR_MASK_TEXT], const char *text, size_t len)
{
	struct weir_imei_reading reading;

	return imei_from_text(text, len, &reading) == WEIR_IMEI_OK ? mask_imei(buf, reading.imei.key) : "***";
}

static const char *mask_value(char buf[static WEIR_MASK_TEXT], const char *text, size_t len)
{
	struct weir_msisdn msisdn;
	struct weir_imsi imsi;

	if (has_kind(text, len, "imsi-") && imsi_from_text(text + 5, len - 5, &imsi) == 0)
		return mask_imsi(buf, imsi);
	if (has_kind(text, len, "msisdn-") && msisdn_from_text(text + 7, len - 7, &msisdn) == 0)
		return mask_msisdn(buf, msisdn);
	if (has_kind(text, len, "imeisv-"))
		return mask_device(buf, text + 7, len - 7);
	if (has_kind(text, len, "imei-"))
		return mask_device(buf, text + 5, len - 5);
	return "***";
}

static bool is_kind(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_alpha(text[i]))
			return false;
	}
	return len && len <= 16;
}

const char *sbi_correlation_mask(char buf[static SBI_LOG_TEXT], const char *text, size_t len)
{
	struct out out = {.buf = buf, .size = SBI_LOG_TEXT};
	const char *end = text + len, *next, *dash;
	char masked[WEIR_MASK_TEXT];

	for (; text < end; text = next + 1) {
		next = memchr(text, ';', (size_t)(end - text));
		next = next ? next : end;
		len = (size_t)(next - text);
		trim(&text, &len);
		dash = memchr(text, '-', len);
		if (!dash || !is_kind(text, (size_t)(dash - text)))
			out.full = true;
		else
			out_print(&out, "%s%.*s-%s", out.len ? "; " : "", (int)(dash - text), text,
				  mask_value(masked, text, len));
	}
	if (!out_end(&out))
		snprintf(buf, SBI_LOG_TEXT, "...");
	return buf;
}

const char *sbi_network_print(char buf[static SBI_LOG_TEXT], const char *text, size_t len)
{
	struct out out = {.buf = buf, .size = SBI_LOG_TEXT};

	trim(&text, &len);
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]) && !is_alpha(text[i]) && !memchr("-.:; ", text[i], 5))
			out.full = true;
	}
	if (len < 6 || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2]) || text[3] != '-')
		out.full = true;
	out_put(&out, text, len);
	if (!out_end(&out))
		snprintf(buf, SBI_LOG_TEXT, "...");
	return buf;
}

/* --- load and overload */

static unsigned percent(unsigned value)
{
	return value < 100 ? value : 100;
}

size_t sbi_oci_print(char *buf, size_t size, int64_t now_s, unsigned valid_s, unsigned reduction_percent,
		     const char *instance)
{
	struct out out = {.buf = buf, .size = size};
	char date[SBI_DATE_TEXT];

	sbi_date_print(date, sizeof(date), now_s);
	out_print(&out, "Timestamp: \"%s\"; Period-of-Validity: %us; Overload-Reduction-Metric: %u%%; NF-Instance: %s",
		  date, valid_s, percent(reduction_percent), instance);
	return out_end(&out);
}

size_t sbi_lci_print(char *buf, size_t size, int64_t now_s, unsigned load_percent, const char *instance)
{
	struct out out = {.buf = buf, .size = size};
	char date[SBI_DATE_TEXT];

	sbi_date_print(date, sizeof(date), now_s);
	out_print(&out, "Timestamp: \"%s\"; Load-Metric: %u%%; NF-Instance: %s", date, percent(load_percent), instance);
	return out_end(&out);
}

int sbi_uuid_read(const char *text, size_t len, char out[static SBI_UUID_TEXT])
{
	char uuid[SBI_UUID_TEXT] = "";

	if (len != SBI_UUID_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? text[i] != '-' : !sbi_is_hex(text[i]))
			return -EINVAL;
		uuid[i] = lower(text[i]);
	}
	memcpy(out, uuid, sizeof(uuid));
	return 0;
}

/* --- negotiation */

static bool is_word(const char *text, size_t len, const char *word)
{
	if (len != strlen(word))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (lower(text[i]) != word[i])
			return false;
	}
	return true;
}

/* Is there a weight of 0 among these parameters?  "q=0", "q=0.0", "q=0.000". */
static bool weighs_nothing(const char *text, const char *end)
{
	while (text < end) {
		const char *next = memchr(text, ';', (size_t)(end - text));
		size_t len;
		next = next ? next : end;
		len = (size_t)(next - text);
		trim(&text, &len);
		if (len >= 3 && lower(text[0]) == 'q' && text[1] == '=') {
			for (size_t i = 2; i < len; i++) {
				if (text[i] != '0' && text[i] != '.')
					return false;
			}
			return true;
		}
		text = next + 1;
	}
	return false;
}

/* How closely a range covers application/json: 0 not at all. */
static unsigned covers(const char *text, size_t len)
{
	if (is_word(text, len, "application/json"))
		return 3;
	if (is_word(text, len, "application/*"))
		return 2;
	return is_word(text, len, "*/*") ? 1 : 0;
}

bool sbi_accepts_json(const char *text, size_t len)
{
	const char *end = text + len, *next, *semicolon;
	unsigned best = 0, closeness;
	bool accepted = false;

	for (; text < end; text = next + 1) {
		next = memchr(text, ',', (size_t)(end - text));
		next = next ? next : end;
		semicolon = memchr(text, ';', (size_t)(next - text));
		semicolon = semicolon ? semicolon : next;
		len = (size_t)(semicolon - text);
		trim(&text, &len);
		closeness = covers(text, len);
		if (closeness <= best)
			continue;
		best = closeness;
		accepted = !weighs_nothing(semicolon < next ? semicolon + 1 : next, next);
	}
	return accepted;
}

/* --- ProblemDetails */

/* RFC 8259 7; octets that are not ASCII need not be UTF-8, so they are not passed on. */
static void put_escaped(struct out *out, const char *text, size_t len)
{
	size_t n = len < SBI_PARAM_TEXT ? len : SBI_PARAM_TEXT;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\')
			out_print(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			out_print(out, "\\u%04x", c);
		else if (c > 0x7f)
			out_put(out, "?", 1);
		else
			out_put(out, text + i, 1);
	}
}

size_t sbi_problem_print(char *buf, size_t size, const struct sbi_problem *problem)
{
	struct out out = {.buf = buf, .size = size};

	out_print(&out, "{\"title\":\"%s\",\"status\":%u", problem->title, problem->status);
	if (problem->detail)
		out_print(&out, ",\"detail\":\"%s\"", problem->detail);
	if (problem->cause)
		out_print(&out, ",\"cause\":\"%s\"", problem->cause);
	if (problem->param) {
		out_print(&out, ",\"invalidParams\":[{\"param\":\"query ");
		put_escaped(&out, problem->param, problem->param_len);
		out_print(&out, "\",\"reason\":\"%s\"}]", problem->reason);
	}
	if (problem->version)
		out_print(&out, ",\"supportedApiVersions\":[\"%s\"]", problem->version);
	out_put(&out, "}", 1);
	return out_end(&out);
}

/* --- percent-decoding */

static unsigned nibble(char c)
{
	return is_digit(c) ? (unsigned)(c - '0') : (unsigned)(lower(c) - 'a') + 10;
}

int sbi_decode(const char *text, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '%') {
			if (len - i < 3 || !sbi_is_hex(text[i + 1]) || !sbi_is_hex(text[i + 2]))
				return -EINVAL;
			c = (char)(nibble(text[i + 1]) << 4 | nibble(text[i + 2]));
			i += 2;
		}
		if (n == size)
			return -ENOSPC;
		buf[n++] = c;
	}
	return (int)n;
}
