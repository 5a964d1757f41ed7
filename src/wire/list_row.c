/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the cells of one list row mean, and the same row as text again.  The table of columns is in list.h.
 * Every refusal says what was found and what would be right; it must never guess a digit. */

#include "wire/list_row.h"

#include <csv.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char list_header[] = "imei,svn,tac,from,to,list,imsi,pair,reason,source\n";

const char *const list_column_names[LIST_N_COLUMNS] = {
	[LIST_COLUMN_IMEI] = "imei", [LIST_COLUMN_SVN] = "svn",	  [LIST_COLUMN_TAC] = "tac",
	[LIST_COLUMN_FROM] = "from", [LIST_COLUMN_TO] = "to",	  [LIST_COLUMN_LIST] = "list",
	[LIST_COLUMN_IMSI] = "imsi", [LIST_COLUMN_PAIR] = "pair", [LIST_COLUMN_REASON] = "reason",
};

static const char *const fault_names[LIST_N_FAULTS] = {
	[LIST_OK] = "ok",
	[LIST_EMPTY_CELL] = "empty",
	[LIST_TOO_SHORT] = "too-short",
	[LIST_TOO_LONG] = "too-long",
	[LIST_BAD_CHARACTER] = "bad-character",
	[LIST_BAD_SVN] = "bad-svn",
	[LIST_BAD_TAC] = "bad-tac",
	[LIST_BAD_RANGE] = "bad-range",
	[LIST_BAD_IMSI] = "bad-imsi",
	[LIST_BAD_LIST] = "bad-list",
	[LIST_BAD_PAIR] = "bad-pair",
	[LIST_BAD_REASON] = "bad-reason",
	[LIST_EXTRA_CELLS] = "extra-cells",
	[LIST_CONFLICT] = "conflict",
	[LIST_ROW_TOO_LONG] = "row-too-long",
	[LIST_BAD_QUOTES] = "bad-quotes",
	[LIST_CUT] = "cut",
	[LIST_UNKNOWN_COLUMN] = "unknown-column",
	[LIST_LINE_BREAK] = "line-break",
	[LIST_CHECK_DIGIT] = "check-digit",
	[LIST_LEADING_ZERO] = "leading-zero",
};

const char *list_fault_name(enum list_fault fault)
{
	return (unsigned)fault < LIST_N_FAULTS ? fault_names[fault] : "?";
}

/* --- refusals ------------------------------------------------------------------------------------------------- */

void list_reject_row(struct list_reject *reject, enum list_fault fault, uint64_t line, const char *text)
{
	*reject = (struct list_reject){.fault = fault, .line = line, .column_name = ""};
	snprintf(reject->text, sizeof(reject->text), "%s", text);
}

/* What one row is read with. */
struct reading {
	const struct list_defaults *defaults;
	const struct list_cells *cells;
	bool *fifteen;
	struct list_row *row;
	struct list_reject *reject;
};

static void copy_value(struct list_reject *reject, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len && i < LIST_CELL_MAX - 1 && i < sizeof(reject->value) - 1; i++)
		reject->value[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	reject->value[i] = '\0';
}

static void __attribute__((format(printf, 4, 5)))
say(struct reading *r, enum list_column column, enum list_fault fault, const char *format, ...)
{
	struct list_reject *reject = r->reject;
	va_list ap;

	reject->fault = fault;
	reject->column = r->cells->column[column];
	reject->column_name = list_column_names[column];
	copy_value(reject, r->cells->text[column], r->cells->len[column]);
	va_start(ap, format);
	vsnprintf(reject->text, sizeof(reject->text), format, ap);
	va_end(ap);
}

/* A refusal of one cell; false, so that a reader can return it. */
#define refuse(r, column, fault, ...) (say(r, column, fault, __VA_ARGS__), false)

static bool given(const struct reading *r, enum list_column column)
{
	return r->cells->len[column] > 0;
}

/* --- cells ---------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly n digits. */
static bool read_digits(const struct reading *r, enum list_column column, unsigned n, uint64_t *value)
{
	const char *text = r->cells->text[column];
	uint64_t v = 0;
	unsigned i;

	if (r->cells->len[column] != n)
		return false;
	for (i = 0; i < n; i++) {
		if (!is_digit(text[i]))
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	*value = v;
	return true;
}

/* A word of a table, in any case.  -1 where it is none. */
static int read_word(const struct reading *r, enum list_column column, int (*from_name)(const char *))
{
	char word[LIST_CELL_MAX];
	size_t len = r->cells->len[column], i;

	if (len >= sizeof(word))
		return -1;
	for (i = 0; i < len; i++) {
		char c = r->cells->text[column][i];

		if (c == '\0')
			return -1;
		word[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	word[len] = '\0';
	return from_name(word);
}

static bool is_spreadsheet_number(const char *text)
{
	return strstr(text, "E+") || strstr(text, "e+");
}

static bool refuse_character(struct reading *r, unsigned at)
{
	const char *text = r->cells->text[LIST_COLUMN_IMEI];
	unsigned char c = (unsigned char)text[at < LIST_CELL_MAX ? at : 0];

	if (is_spreadsheet_number(text))
		return refuse(r, LIST_COLUMN_IMEI, LIST_BAD_CHARACTER,
			      "a spreadsheet made a rounded number of it; export the column as text");
	if (c > 0x20 && c < 0x7f)
		return refuse(r, LIST_COLUMN_IMEI, LIST_BAD_CHARACTER,
			      "character %u is \"%c\"; digits are needed, with '-', ' ', '/' or '.' between", at + 1,
			      c);
	return refuse(r, LIST_COLUMN_IMEI, LIST_BAD_CHARACTER, "character %u is octet 0x%02x; digits are needed",
		      at + 1, c);
}

static bool refuse_imei(struct reading *r, enum weir_imei_fault fault, unsigned at)
{
	const char *text = r->cells->text[LIST_COLUMN_IMEI];
	unsigned digits = 0, i;

	for (i = 0; i < r->cells->len[LIST_COLUMN_IMEI] && i < LIST_CELL_MAX - 1; i++)
		digits += is_digit(text[i]);
	switch (fault) {
	case WEIR_IMEI_EMPTY:
		return refuse(r, LIST_COLUMN_IMEI, LIST_EMPTY_CELL, "has no digit; 14 to 17 are needed");
	case WEIR_IMEI_SHORT:
		return refuse(r, LIST_COLUMN_IMEI, LIST_TOO_SHORT, "has %u digits, 14 to 17 are needed%s", digits,
			      digits == 13 ? "; was a leading zero lost?" : "");
	case WEIR_IMEI_LONG:
		return refuse(r, LIST_COLUMN_IMEI, LIST_TOO_LONG, "has %u digits, 14 to 17 are needed", digits);
	default:
		return refuse_character(r, at);
	}
}

/* Remarks, and with strict_check_digit a refusal, on a device that could be read. */
static bool judge_check_digit(struct reading *r, const struct weir_imei_reading *imei)
{
	uint64_t key = imei->imei.key;

	*r->fifteen |= imei->digits == 15;
	if (imei->given_check > 0 && imei_check_is_wrong(imei)) {
		say(r, LIST_COLUMN_IMEI, LIST_CHECK_DIGIT, "check digit %d given, %u is right", imei->given_check,
		    imei_check_digit(key));
		r->reject->remark = true;
		return !r->defaults->strict_check_digit;
	}
	if (imei->digits == 14 && *r->fifteen && imei_check_digit(key / 10) == key % 10) {
		say(r, LIST_COLUMN_IMEI, LIST_LEADING_ZERO,
		    "has 14 digits where others have 15, and would be right behind a 0; was a leading zero lost?");
		r->reject->remark = true;
	}
	return true;
}

static bool read_imei(struct reading *r)
{
	const struct list_cells *cells = r->cells;
	struct weir_imei_reading imei;
	enum weir_imei_fault fault;

	if (cells->len[LIST_COLUMN_IMEI] >= LIST_CELL_MAX)
		return refuse(r, LIST_COLUMN_IMEI, LIST_TOO_LONG, "has %u characters; 14 to 17 digits are needed",
			      cells->len[LIST_COLUMN_IMEI]);
	fault = imei_from_text(cells->text[LIST_COLUMN_IMEI], cells->len[LIST_COLUMN_IMEI], &imei);
	if (fault != WEIR_IMEI_OK)
		return refuse_imei(r, fault, imei.at);
	r->row->from = r->row->to = imei.imei.key; /* whatever version the form carries: the device is meant */
	return judge_check_digit(r, &imei);
}

/* A spreadsheet may have eaten the leading zero. */
static bool read_svn(struct reading *r)
{
	uint64_t svn;

	if (!given(r, LIST_COLUMN_SVN))
		return true;
	if (r->row->kind != LIST_DEVICE)
		return refuse(r, LIST_COLUMN_SVN, LIST_BAD_SVN, "a software version goes with an imei only");
	if (!read_digits(r, LIST_COLUMN_SVN, 1, &svn) && !read_digits(r, LIST_COLUMN_SVN, 2, &svn))
		return refuse(r, LIST_COLUMN_SVN, LIST_BAD_SVN, "is not 2 digits");
	r->row->svn = (int8_t)svn;
	return true;
}

static bool read_tac(struct reading *r)
{
	uint64_t tac;

	if (!read_digits(r, LIST_COLUMN_TAC, 8, &tac))
		return refuse(r, LIST_COLUMN_TAC, LIST_BAD_TAC, "is not 8 digits%s",
			      r->cells->len[LIST_COLUMN_TAC] == 7 ? "; was a leading zero lost?" : "");
	r->row->kind = LIST_RANGE;
	r->row->from = tac * 1000000;
	r->row->to = r->row->from + 999999;
	return true;
}

static bool read_range(struct reading *r)
{
	struct list_row *row = r->row;

	row->kind = LIST_RANGE;
	if (!read_digits(r, LIST_COLUMN_FROM, 14, &row->from))
		return refuse(r, LIST_COLUMN_FROM, LIST_BAD_RANGE, "is not 14 digits");
	if (!read_digits(r, LIST_COLUMN_TO, 14, &row->to))
		return refuse(r, LIST_COLUMN_TO, LIST_BAD_RANGE, "is not 14 digits");
	if (row->to < row->from)
		return refuse(r, LIST_COLUMN_TO, LIST_BAD_RANGE, "is below from; the lower end comes first");
	return true;
}

static bool read_key(struct reading *r)
{
	bool imei = given(r, LIST_COLUMN_IMEI), tac = given(r, LIST_COLUMN_TAC);
	bool range = given(r, LIST_COLUMN_FROM) || given(r, LIST_COLUMN_TO);

	if (imei + tac + range > 1)
		return refuse(r, range ? LIST_COLUMN_FROM : LIST_COLUMN_TAC, LIST_BAD_RANGE,
			      "imei, tac and from,to exclude each other; one of them is needed");
	if (imei)
		return read_imei(r);
	if (tac)
		return read_tac(r);
	if (range)
		return read_range(r);
	return refuse(r, LIST_COLUMN_IMEI, LIST_EMPTY_CELL, "has no imei, tac or range");
}

static bool read_pair(struct reading *r)
{
	struct list_row *row = r->row;
	int rule = WEIR_PAIR_ALLOW;

	if (!given(r, LIST_COLUMN_IMSI))
		return refuse(r, LIST_COLUMN_PAIR, LIST_BAD_PAIR, "a pair needs an imsi");
	if (row->kind != LIST_DEVICE)
		return refuse(r, LIST_COLUMN_IMSI, LIST_BAD_PAIR, "a pair needs an imei, not a tac or a range");
	if (given(r, LIST_COLUMN_LIST))
		return refuse(r, LIST_COLUMN_LIST, LIST_BAD_PAIR, "must be empty where imsi makes the row a pair");
	if (given(r, LIST_COLUMN_SVN))
		return refuse(r, LIST_COLUMN_SVN, LIST_BAD_PAIR, "must be empty where imsi makes the row a pair");
	if (r->cells->len[LIST_COLUMN_IMSI] >= LIST_CELL_MAX ||
	    imsi_from_text(r->cells->text[LIST_COLUMN_IMSI], r->cells->len[LIST_COLUMN_IMSI], &row->imsi) < 0)
		return refuse(r, LIST_COLUMN_IMSI, LIST_BAD_IMSI, "is not 5 to 15 digits");
	if (given(r, LIST_COLUMN_PAIR))
		rule = read_word(r, LIST_COLUMN_PAIR, pair_rule_from_name);
	if (rule <= WEIR_PAIR_NONE)
		return refuse(r, LIST_COLUMN_PAIR, LIST_BAD_PAIR, "is not allow, deny or fixed");
	row->kind = LIST_PAIR;
	row->colour = WEIR_UNKNOWN;
	row->rule = (enum weir_pair_rule)rule;
	return true;
}

static bool read_colour(struct reading *r)
{
	int colour;

	if (!given(r, LIST_COLUMN_LIST))
		return true;
	colour = read_word(r, LIST_COLUMN_LIST, colour_from_name);
	if (colour < 0 || colour == WEIR_UNKNOWN)
		return refuse(r, LIST_COLUMN_LIST, LIST_BAD_LIST, "is not white, grey or black");
	r->row->colour = (enum weir_colour)colour;
	return true;
}

static bool read_reason(struct reading *r)
{
	int reason;

	if (!given(r, LIST_COLUMN_REASON))
		return true;
	reason = read_word(r, LIST_COLUMN_REASON, reason_from_name);
	if (reason < 0)
		return refuse(r, LIST_COLUMN_REASON, LIST_BAD_REASON,
			      "is not a reason such as stolen, lost or duplicate");
	r->row->reason = (uint16_t)reason;
	return true;
}

bool list_row_read(const struct list_defaults *defaults, const struct list_cells *cells, uint64_t line, bool *fifteen,
		   struct list_row *row, struct list_reject *reject)
{
	struct reading r = {.defaults = defaults, .cells = cells, .fifteen = fifteen, .row = row, .reject = reject};
	bool ok;

	*row = (struct list_row){
		.svn = WEIR_NO_SVN, .colour = defaults->colour, .reason = defaults->reason, .line = line};
	reject->fault = LIST_OK;
	reject->remark = false;
	reject->line = line;
	ok = read_key(&r);
	if (ok)
		ok = given(&r, LIST_COLUMN_IMSI) || given(&r, LIST_COLUMN_PAIR) ? read_pair(&r) :
										  read_svn(&r) && read_colour(&r);
	if (ok)
		ok = read_reason(&r);
	reject->remark &= ok; /* a refusal is none */
	return ok;
}

/* --- printing ------------------------------------------------------------------------------------------------- */

struct text {
	char *buf;
	size_t size, len;
	bool full;
};

static void put(struct text *out, const char *s, size_t len)
{
	if (out->full || len > out->size - out->len) {
		out->full = true;
		return;
	}
	memcpy(out->buf + out->len, s, len);
	out->len += len;
}

static void put_word(struct text *out, const char *word)
{
	put(out, word, strlen(word));
}

/* n digits with leading zeros. */
static void put_digits(struct text *out, uint64_t value, unsigned n)
{
	char digits[20];
	unsigned i;

	for (i = n; i-- > 0; value /= 10)
		digits[i] = (char)('0' + value % 10);
	put(out, digits, n);
}

static void put_device(struct text *out, const struct list_row *row)
{
	put_digits(out, row->from, 14);
	put_digits(out, imei_check_digit(row->from), 1);
	put_word(out, ",");
	if (row->kind == LIST_DEVICE && row->svn != WEIR_NO_SVN)
		put_digits(out, (uint64_t)row->svn, 2);
	put_word(out, ",,,");
}

static void put_range(struct text *out, const struct list_row *row)
{
	if (row->from % 1000000 == 0 && row->to == row->from + 999999) {
		put_word(out, ",,");
		put_digits(out, imei_tac(row->from), 8);
		put_word(out, ",,");
		return;
	}
	put_word(out, ",,,");
	put_digits(out, row->from, 14);
	put_word(out, ",");
	put_digits(out, row->to, 14);
}

static void put_pair(struct text *out, const struct list_row *row)
{
	char imsi[WEIR_DIGITS_TEXT];

	put_word(out, ",");
	put_word(out, imsi_print(imsi, row->imsi));
	put_word(out, ",");
	put_word(out, pair_rule_name(row->rule));
}

/* A source's name is somebody else's text: quoted where it needs to be. */
static void put_source(struct text *out, const char *source)
{
	size_t room = out->size - out->len, len;

	if (out->full || !strpbrk(source, ",\"\r\n")) {
		put_word(out, source);
		return;
	}
	len = csv_write(out->buf + out->len, room, source, strlen(source));
	if (len > room)
		out->full = true;
	else
		out->len += len;
}

int list_row_print(const struct list_row *row, const char *source, char *buf, size_t size)
{
	struct text out = {.buf = buf, .size = size};

	if (row->kind == LIST_RANGE)
		put_range(&out, row);
	else
		put_device(&out, row);
	put_word(&out, ",");
	if (row->kind == LIST_PAIR) {
		put_pair(&out, row);
	} else {
		put_word(&out, colour_name(row->colour));
		put_word(&out, ",,");
	}
	put_word(&out, ",");
	put_word(&out, reason_name(row->reason)); /* "none" too: empty would mean the import's default */
	put_word(&out, ",");
	put_source(&out, source);
	put(&out, "\n", 2);
	return out.full ? -ENOSPC : (int)out.len - 1;
}
