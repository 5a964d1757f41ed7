/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/list: the first octet says how the file is cut into pieces and what the import says; the rest is the file.  Read
 * whole and in pieces it must give the same rows and refusals, and every row must survive being printed and read. */

#include "fuzz.h"
#include "wire/list.h"

#include <errno.h>
#include <string.h>

struct run {
	uint64_t digest;
	unsigned rows, rejects;
};

static void digest(struct run *run, uint64_t value)
{
	run->digest = (run->digest ^ value) * UINT64_C(1099511628211);
}

static void digest_text(struct run *run, const char *text)
{
	while (*text)
		digest(run, (uint8_t)*text++);
}

static int keep_row(const struct list_row *row, void *data)
{
	*(struct list_row *)data = *row;
	return 0;
}

static int no_reject(const struct list_reject *reject, void *data)
{
	(void)reject;
	(void)data;
	return -EINVAL;
}

static void check_printed(const struct list_row *row)
{
	const struct list_defaults defaults = {.colour = WEIR_GREY, .reason = WEIR_REASON_OTHER};
	struct list_row back = {.kind = 99};
	struct list_reader *reader = list_reader_alloc(&defaults, keep_row, no_reject, &back);
	char text[LIST_ROW_TEXT];
	int len = list_row_print(row, "fuzz", text, sizeof(text));

	MUST(reader && len > 0);
	MUST(list_reader_feed(reader, list_header, strlen(list_header), NULL) == 0);
	MUST(list_reader_feed(reader, text, (size_t)len, NULL) == 0);
	MUST(list_reader_finish(reader, NULL) == 0);
	MUST(back.kind == row->kind && back.from == row->from && back.to == row->to && back.svn == row->svn);
	MUST(back.imsi.packed == row->imsi.packed && back.colour == row->colour && back.rule == row->rule);
	MUST(back.reason == row->reason);
	list_reader_free(reader);
}

static int on_row(const struct list_row *row, void *data)
{
	struct run *run = data;

	MUST(row->from <= row->to && row->to < WEIR_IMEI_END);
	MUST((row->kind == LIST_PAIR) == (row->imsi.packed != 0));
	digest(run, row->kind);
	digest(run, row->from);
	digest(run, row->to);
	digest(run, (uint64_t)row->svn);
	digest(run, row->imsi.packed);
	digest(run, row->colour);
	digest(run, row->reason);
	digest(run, row->line);
	if (run->rows++ < 4)
		check_printed(row);
	return 0;
}

static int on_reject(const struct list_reject *reject, void *data)
{
	struct run *run = data;

	MUST(reject->fault > LIST_OK && reject->fault < LIST_N_FAULTS);
	MUST(reject->column_name);
	digest(run, reject->line);
	digest(run, reject->column);
	digest_text(run, reject->value);
	digest_text(run, reject->text);
	run->rejects++;
	return 0;
}

static struct run read_list(const struct list_defaults *defaults, const uint8_t *file, size_t len, size_t chunk)
{
	struct run run = {0};
	struct list_reader *reader = list_reader_alloc(defaults, on_row, on_reject, &run);
	struct weir_why why = {""};
	int rc = 0;

	MUST(reader);
	for (size_t at = 0; at < len && !rc; at += chunk)
		rc = list_reader_feed(reader, file + at, chunk < len - at ? chunk : len - at, &why);
	rc = list_reader_finish(reader, &why);
	MUST((rc == 0) == (why.text[0] == '\0'));
	digest(&run, (uint64_t)rc);
	digest_text(&run, why.text);
	MUST(list_reader_lines(reader) <= len + 1);
	MUST(run.rows <= list_reader_lines(reader));
	list_reader_free(reader);
	return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list_defaults defaults = {.colour = WEIR_BLACK};
	struct run whole, pieces;

	if (size == 0)
		return 0;
	defaults.strict_check_digit = data[0] & 0x80;
	whole = read_list(&defaults, data + 1, size - 1, size);
	pieces = read_list(&defaults, data + 1, size - 1, 1 + (data[0] & 0x7f));
	MUST(whole.digest == pieces.digest && whole.rows == pieces.rows && whole.rejects == pieces.rejects);
	return 0;
}
