/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Finds header, rows and cells in a stream of CSV (RFC 4180); what the cells mean is list_row.c's.
 *
 * libcsv parses, one whole line at a time, so that a row that cannot be read costs that row and no other: the octets of
 * a row that is not finished are kept, and where its quotes turn out wrong they are read again from its second line on.
 * That stays linear because libcsv is strict: a line that leaves a quote open has an odd number of quotes, a line that
 * stays inside has an even one, so a line read twice is finished the second time.
 * It must never keep more than one row and never trust a length that is not bounded by LIST_LINE_MAX. */

#include "wire/list.h"

#include "core/imei.h"
#include "wire/list_row.h"

#include <csv.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS    256
#define COLUMN_IGNORED LIST_N_COLUMNS

#define AS_TEXT_(x) #x
#define AS_TEXT(x)  AS_TEXT_(x)

struct list_reader {
	struct list_defaults defaults;
	list_row_fn *row_fn;
	list_reject_fn *reject_fn;
	void *data;
	struct csv_parser csv;
	int err;              /* sticky */
	struct weir_why *why; /* of the call we are in */

	uint8_t role[MAX_COLUMNS]; /* enum list_column or COLUMN_IGNORED, by place */
	unsigned n_columns;        /* 0: the header is not read yet */
	char names[100];           /* what the header has, for a sentence */
	char ignored[64];          /* the first column of them that nobody knows */
	bool fifteen;

	struct list_cells cells; /* of the row being read */
	unsigned n_cells;
	bool open;  /* the row is not finished */
	bool extra; /* it has a filled cell past the header's columns */
	bool cut;   /* its last line is the file's and had no line end */
	uint64_t lines, row_line;

	bool unended;                /* the last line of buf has an end of ours */
	bool skipping;               /* dropping an over-long line up to its end */
	size_t len;                  /* octets of the unfinished row in buf */
	size_t parsed;               /* of those: whole lines that libcsv has seen */
	char buf[LIST_LINE_MAX + 1]; /* room for the line end that the last line may lack */
};

/* --- refusals ------------------------------------------------------------------------------------------------- */

static void refuse_file(struct list_reader *reader, const char *sentence)
{
	reader->err = why_set(reader->why, -EINVAL, "line %llu: %s", (unsigned long long)reader->row_line, sentence);
}

/* A whole row; or the file, where the row is its header. */
static void refuse_row(struct list_reader *reader, enum list_fault fault, const char *text)
{
	struct list_reject reject;

	if (reader->n_columns == 0) {
		refuse_file(reader, text);
		return;
	}
	list_reject_row(&reject, fault, reader->row_line, text);
	reject.remark = fault == LIST_LINE_BREAK || fault == LIST_UNKNOWN_COLUMN;
	reader->err = reader->reject_fn(&reject, reader->data);
}

/* --- header --------------------------------------------------------------------------------------------------- */

static bool is_plain_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || s[i] == '_' || s[i] == '-' || s[i] == ' '))
			return false;
	return len > 0;
}

/* Digits could be somebody's identity: such a name is not repeated. */
static void note_name(struct list_reader *reader, const char *name, size_t len)
{
	size_t used = strlen(reader->names), room = sizeof(reader->names) - used;

	if (!is_plain_name(name, len)) {
		name = "?";
		len = 1;
	}
	if (len + 3 > room)
		return;
	if (used) {
		memcpy(reader->names + used, ", ", 2);
		used += 2;
	}
	memcpy(reader->names + used, name, len);
	reader->names[used + len] = '\0';
}

static void name_column(struct list_reader *reader, unsigned at, const char *name)
{
	struct list_cells *cells = &reader->cells;
	bool known = !strcmp(name, "source"); /* an export says it; an import has its own */

	reader->role[at] = COLUMN_IGNORED;
	if (!strcmp(name, "change_type")) {
		refuse_file(reader,
			    "a column change_type says that this file lists differences; a full list is needed");
		return;
	}
	for (unsigned i = 0; i < LIST_N_COLUMNS; i++) {
		if (strcmp(name, list_column_names[i]) != 0)
			continue;
		if (cells->column[i])
			reader->err = why_set(reader->why, -EINVAL, "line %llu: columns %u and %u are both called %s",
					      (unsigned long long)reader->row_line, cells->column[i], at + 1, name);
		cells->column[i] = (uint16_t)(at + 1);
		reader->role[at] = (uint8_t)i;
		known = true;
	}
	if (!known && !reader->ignored[0])
		snprintf(reader->ignored, sizeof(reader->ignored), "there is no column list, and column %u is not known",
			 at + 1);
}

static void keep_cell(struct list_reader *reader, unsigned column, const char *s, size_t len)
{
	char *text = reader->cells.text[column];
	size_t kept = len < LIST_CELL_MAX ? len : LIST_CELL_MAX - 1;

	memcpy(text, s, kept);
	text[kept] = '\0';
	reader->cells.len[column] = (uint16_t)len; /* a row is at most LIST_LINE_MAX octets */
}

/* The first cell is kept in the place of an IMEI: there may be no header. */
static void header_cell(struct list_reader *reader, unsigned at, const char *s, size_t len)
{
	char name[LIST_CELL_MAX];
	size_t i;

	if (at >= MAX_COLUMNS) {
		refuse_file(reader, "more than 256 columns");
		return;
	}
	if (at == 0)
		keep_cell(reader, LIST_COLUMN_IMEI, s, len);
	for (i = 0; i < len && i < sizeof(name) - 1; i++)
		name[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	name[i] = '\0';
	note_name(reader, name, i);
	name_column(reader, at, name);
}

static void refuse_header(struct list_reader *reader, enum weir_imei_fault fault)
{
	const char *names = reader->names;

	if (reader->n_cells == 1 && names[0] == '?')
		reader->err = why_set(
			reader->why, -EINVAL,
			"line %llu names no column and is no IMEI either: it %s; a header is needed such as imei,list",
			(unsigned long long)reader->row_line, imei_fault_text(fault));
	else if (fault == WEIR_IMEI_OK)
		refuse_file(reader,
			    "a row of several cells before any header; a first line is needed such as imei,list");
	else
		reader->err = why_set(reader->why, -EINVAL,
				      "line %llu: the header needs a column imei, or tac, or from and to; it has: %s",
				      (unsigned long long)reader->row_line, names);
}

/* True where the line was no header but the first row of a file that has none. */
static bool header_end(struct list_reader *reader)
{
	struct list_cells *cells = &reader->cells;
	bool range = cells->column[LIST_COLUMN_FROM] && cells->column[LIST_COLUMN_TO];
	uint16_t len = cells->len[LIST_COLUMN_IMEI];
	struct weir_imei_reading imei;
	enum weir_imei_fault fault;

	if (cells->column[LIST_COLUMN_IMEI] || cells->column[LIST_COLUMN_TAC] || range) {
		reader->n_columns = reader->n_cells;
		if (reader->ignored[0] && !cells->column[LIST_COLUMN_LIST] && !cells->column[LIST_COLUMN_IMSI])
			refuse_row(reader, LIST_UNKNOWN_COLUMN, reader->ignored);
		return false;
	}
	fault = imei_from_text(cells->text[LIST_COLUMN_IMEI], len < LIST_CELL_MAX ? len : LIST_CELL_MAX - 1, &imei);
	if (fault != WEIR_IMEI_OK || reader->n_cells > 1) {
		refuse_header(reader, fault);
		return false;
	}
	reader->role[0] = LIST_COLUMN_IMEI;
	cells->column[LIST_COLUMN_IMEI] = 1;
	reader->n_columns = 1;
	return true;
}

/* The delimiter that stands most often outside quotes. */
static char find_delimiter(const char *line, size_t len)
{
	static const char candidates[] = ",;\t|";
	unsigned count[sizeof(candidates) - 1] = {0}, best = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		const char *c = line[i] ? strchr(candidates, line[i]) : NULL;

		if (line[i] == '"')
			quoted = !quoted;
		else if (c && !quoted)
			count[c - candidates]++;
	}
	for (unsigned i = 1; i < sizeof(candidates) - 1; i++)
		if (count[i] > count[best])
			best = i;
	return candidates[best];
}

static bool is_utf16(const char *line, size_t len)
{
	return len >= 2 && (!memcmp(line, "\xff\xfe", 2) || !memcmp(line, "\xfe\xff", 2));
}

/* Look at the first line before libcsv does.  Returns how many octets of it are a byte order mark. */
static size_t header_begin(struct list_reader *reader, const char *line, size_t len)
{
	const char *cr = memchr(line, '\r', len);
	size_t bom = reader->lines == 1 && len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3) ? 3 : 0;

	if (reader->lines == 1 && is_utf16(line, len))
		refuse_file(reader, "the file is UTF-16; UTF-8 is needed");
	else if (cr && cr + 1 < line + len && cr[1] != '\n' && cr[1] != '\r')
		refuse_file(reader, "lines end in CR alone; LF or CRLF is needed");
	csv_set_delim(&reader->csv, (unsigned char)find_delimiter(line, len));
	return bom;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

static void row_begin(struct list_reader *reader)
{
	memset(reader->cells.len, 0, sizeof(reader->cells.len));
	reader->n_cells = 0;
	reader->extra = false;
	reader->open = true;
	reader->row_line = reader->lines;
}

static void row_read(struct list_reader *reader)
{
	struct list_reject reject = {.fault = LIST_OK};
	struct list_row row;
	bool good;

	if (reader->lines > reader->row_line)
		refuse_row(reader, LIST_LINE_BREAK,
			   "has line ends inside quotes, and was read as one row; is that meant?");
	if (reader->err)
		return;
	good = list_row_read(&reader->defaults, &reader->cells, reader->row_line, &reader->fifteen, &row, &reject);
	if (reject.fault != LIST_OK)
		reader->err = reader->reject_fn(&reject, reader->data);
	if (good && !reader->err)
		reader->err = reader->row_fn(&row, reader->data);
}

static void on_cell(void *s, size_t len, void *data)
{
	struct list_reader *reader = data;
	unsigned at = reader->n_cells++;

	if (reader->err)
		return;
	if (reader->n_columns == 0)
		header_cell(reader, at, s, len);
	else if (at >= reader->n_columns)
		reader->extra |= len > 0;
	else if (reader->role[at] != COLUMN_IGNORED)
		keep_cell(reader, reader->role[at], s, len);
}

static void on_row_end(int c, void *data)
{
	struct list_reader *reader = data;

	(void)c;
	reader->open = false;
	if (reader->err || reader->n_cells == 0)
		return;
	if (reader->n_columns == 0 && !header_end(reader))
		return;
	if (reader->extra)
		refuse_row(reader, LIST_EXTRA_CELLS, "has more cells than the header has columns");
	else if (reader->cut && reader->n_cells < reader->n_columns)
		refuse_row(reader, LIST_CUT, "is the last row, has no line end and too few cells: was the file cut?");
	else
		row_read(reader);
}

/* --- lines ---------------------------------------------------------------------------------------------------- */

/* libcsv has no word for "forget this row". */
static void row_forget(struct list_reader *reader)
{
	csv_fini(&reader->csv, NULL, NULL, NULL);
	reader->open = false;
}

/* One line with its end.  False where its quotes are wrong: the row is still to be refused. */
static bool parse_line(struct list_reader *reader, const char *line, size_t len)
{
	size_t skip = 0;

	reader->lines++;
	if (!reader->open)
		row_begin(reader);
	if (reader->n_columns == 0 && reader->row_line == reader->lines)
		skip = header_begin(reader, line, len);
	if (reader->err)
		return true;
	if (csv_parse(&reader->csv, line + skip, len - skip, on_cell, on_row_end, reader) == len - skip)
		return true;
	if (csv_error(&reader->csv) == CSV_EPARSE)
		return false;
	reader->err = -ENOMEM;
	return true;
}

static void refuse_bare_quote(struct list_reader *reader)
{
	row_forget(reader);
	refuse_row(reader, LIST_BAD_QUOTES, "a quote stands inside a cell; quote the cell and double the quote");
}

static void refuse_open_quote(struct list_reader *reader, const char *text)
{
	row_forget(reader);
	refuse_row(reader, LIST_BAD_QUOTES, text);
	reader->lines = reader->row_line; /* what comes next is the line behind it, again */
}

static size_t after_line(const char *buf, size_t from, size_t len)
{
	const char *end = memchr(buf + from, '\n', len - from);

	return end ? (size_t)(end - buf) + 1 : 0;
}

/* Parse the whole lines in buf from pos on; rows begin at start.  Keeps what is not finished. */
static void parse_buffer(struct list_reader *reader, size_t start, size_t pos)
{
	char *buf = reader->buf;
	size_t next;

	while (!reader->err && (next = after_line(buf, pos, reader->len)) > 0) {
		bool first = start == pos;

		reader->cut = reader->unended && next == reader->len;
		if (parse_line(reader, buf + pos, next - pos)) {
			pos = next;
		} else if (first) {
			refuse_bare_quote(reader);
			pos = next;
		} else {
			refuse_open_quote(reader, "opens a quote that is not closed where it should be");
			pos = start = after_line(buf, start, reader->len);
		}
		if (!reader->open)
			start = pos;
	}
	if (start > 0)
		memmove(buf, buf + start, reader->len - start);
	reader->len -= start;
	reader->parsed = pos - start;
}

/* The row that buf holds cannot be finished.  Go on behind its first line. */
static void give_up_row(struct list_reader *reader, const char *text)
{
	size_t start = after_line(reader->buf, 0, reader->len);

	refuse_open_quote(reader, text);
	if (!reader->err)
		parse_buffer(reader, start, start);
}

static void too_long(struct list_reader *reader)
{
	if (reader->parsed > 0) {
		give_up_row(reader, "opens a quote that is not closed within " AS_TEXT(LIST_LINE_MAX) " octets");
		return;
	}
	reader->lines++;
	reader->row_line = reader->lines;
	reader->len = 0;
	reader->skipping = true;
	refuse_row(reader, LIST_ROW_TOO_LONG,
		   "is longer than " AS_TEXT(LIST_LINE_MAX) " octets; is its line end LF or CRLF?");
}

static void take_line_in_place(struct list_reader *reader, const char *line, size_t len)
{
	if (!parse_line(reader, line, len)) {
		refuse_bare_quote(reader);
		return;
	}
	if (reader->open && !reader->err) {
		memcpy(reader->buf, line, len);
		reader->len = reader->parsed = len;
	}
}

static void take_piece(struct list_reader *reader, const char *bytes, size_t len, bool whole)
{
	memcpy(reader->buf + reader->len, bytes, len);
	reader->len += len;
	if (whole)
		parse_buffer(reader, 0, reader->parsed);
}

/* Take the first line of bytes, or what there is of it.  Returns how many octets were used up. */
static size_t take(struct list_reader *reader, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);
	size_t n = end ? (size_t)(end - bytes) + 1 : len;

	if (reader->skipping) {
		reader->skipping = !end;
		return n;
	}
	if (reader->len + n > LIST_LINE_MAX) {
		too_long(reader);
		return 0;
	}
	if (end && reader->len == 0)
		take_line_in_place(reader, bytes, n);
	else
		take_piece(reader, bytes, n, end);
	return n;
}

/* --- the reader ----------------------------------------------------------------------------------------------- */

static int is_row_end(unsigned char c)
{
	return c == '\n';
}

/* CR counts as a space, so that CRLF ends a row like LF does and a CR elsewhere stays a wrong character. */
static int is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct list_reader *list_reader_alloc(const struct list_defaults *defaults, list_row_fn *row_fn,
				      list_reject_fn *reject_fn, void *data)
{
	struct list_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	if (csv_init(&reader->csv, CSV_STRICT | CSV_REPALL_NL) != 0) {
		free(reader);
		return NULL;
	}
	csv_set_term_func(&reader->csv, is_row_end);
	csv_set_space_func(&reader->csv, is_space);
	reader->defaults = *defaults;
	reader->row_fn = row_fn;
	reader->reject_fn = reject_fn;
	reader->data = data;
	return reader;
}

int list_reader_feed(struct list_reader *reader, const void *bytes, size_t len, struct weir_why *why)
{
	const char *p = bytes, *end = p + len;

	reader->why = why;
	while (p < end && !reader->err)
		p += take(reader, p, (size_t)(end - p));
	reader->why = NULL;
	return reader->err;
}

/* The last line as if it had its end; then whatever a quote without end has swallowed. */
static void finish_rows(struct list_reader *reader)
{
	reader->unended = reader->len > reader->parsed;
	if (reader->unended) {
		reader->buf[reader->len++] = '\n';
		parse_buffer(reader, 0, reader->parsed);
	}
	while (!reader->err && reader->open)
		give_up_row(reader, "opens a quote that the file does not close: was it cut?");
}

int list_reader_finish(struct list_reader *reader, struct weir_why *why)
{
	reader->why = why;
	if (!reader->err)
		finish_rows(reader);
	if (!reader->err && reader->n_columns == 0)
		reader->err = why_set(why, -EINVAL, "the file is empty; a first line is needed such as imei,list");
	reader->why = NULL;
	return reader->err;
}

uint64_t list_reader_lines(const struct list_reader *reader)
{
	return reader->lines;
}

void list_reader_free(struct list_reader *reader)
{
	if (!reader)
		return;
	csv_free(&reader->csv);
	free(reader);
}
