/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/n5g and wire/sbi: the input is lines: the request target, then the values of header fields, one of each kind.
 * Every request gets an answer that has a body; what is said to be wrong lies inside of the target; bodies are JSON as
 * far as quotes and control characters go; what a log would get has no digits of an identity in it. */

#include "fuzz.h"
#include "wire/n5g.h"

#include <string.h>

struct line {
	const char *at;
	size_t len;
};

static struct line next_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	struct line line = {(const char *)*data, end ? (size_t)(end - *data) : *size};
	size_t taken = line.len + (end != NULL);

	*data += taken;
	*size -= taken;
	return line;
}

static void check_json(const char *text, size_t len)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		MUST(text[i] >= 0x20 && text[i] < 0x7f);
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && strchr("{[", text[i]))
			depth++;
		else if (!quoted && strchr("}]", text[i]))
			MUST(depth-- > 0);
	}
	MUST(!quoted && depth == 0 && len > 2);
}

static void try_target(struct line target, struct line accept)
{
	char buf[SBI_PROBLEM_TEXT];
	struct n5g_question q;
	enum n5g_answer answer = n5g_read("GET", 3, target.at, target.len, "", accept.len ? accept.at : NULL,
					  accept.len, &q);
	const char *body;
	bool constant;
	size_t len;

	MUST(answer == N5G_WHITE || (answer > N5G_UNKNOWN && answer < N5G_N_ANSWERS));
	MUST(q.query.imei.key < WEIR_IMEI_END);
	MUST(q.refusal == N5G_PARAM_MISSING || q.refusal == N5G_PARAM_INCORRECT);
	if (answer == N5G_PARAM_INVALID)
		MUST(q.param >= target.at && q.param + q.param_len <= target.at + target.len);
	if (answer == N5G_WHITE && q.query.fault && q.query.fault != WEIR_IMEI_SCHEME)
		MUST(q.param && q.reason);
	body = n5g_body(answer == N5G_WHITE ? q.refusal : answer, &q, buf, &len, &constant);
	check_json(body, len);
}

static unsigned digits_in_a_row(const char *text)
{
	unsigned most = 0, n = 0;

	for (; *text; text++) {
		n = *text >= '0' && *text <= '9' ? n + 1 : 0;
		most = n > most ? n : most;
	}
	return most;
}

static void try_fields(struct line correlation, struct line network, struct line stamp, struct line number)
{
	char buf[SBI_LOG_TEXT], date[SBI_TIMESTAMP_TEXT];
	int64_t ms, again;
	unsigned priority;
	uint32_t span;

	MUST(digits_in_a_row(sbi_correlation_mask(buf, correlation.at, correlation.len)) <= 8);
	MUST(strlen(buf) < SBI_LOG_TEXT && strlen(sbi_network_print(buf, network.at, network.len)) < SBI_LOG_TEXT);
	if (sbi_timestamp_read(stamp.at, stamp.len, &ms) == 0) {
		MUST(sbi_timestamp_print(date, sizeof(date), ms) == 33);
		MUST(sbi_timestamp_read(date, 33, &again) == 0 && (again == ms || ms > 253402300799999));
	}
	if (sbi_priority_read(number.at, number.len, &priority) == 0)
		MUST(priority <= 31);
	if (sbi_max_rsp_time_read(number.at, number.len, &span) == 0)
		MUST(span <= 99999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line line[6];

	for (unsigned i = 0; i < 6; i++)
		line[i] = next_line(&data, &size);
	try_target(line[0], line[1]);
	try_fields(line[2], line[3], line[4], line[5]);
	return 0;
}
