/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A list as text: rows of CSV in, rows of CSV out, one definition for import, export and feed.
 *
 * The first line names the columns, in any order and case; unknown columns are ignored:
 *
 *   imei    a device: 14 to 17 digits, separators allowed; all forms list the device, whatever its software version
 *   svn     with imei: two digits, then only this software version of the device is listed
 *   tac     instead of imei: 8 digits, every device of that type
 *   from,to instead of imei: 14 digits each, a range, both ends in it
 *   list    white, grey or black (default: what the import says, else black)
 *   imsi    with imei: a pair; then pair says allow, deny or fixed (default allow), and list must be empty; a pair
 *           knows no software version
 *   reason  a word of core/verdict.h (default: what the import says, else none)
 *
 * A first line that is an IMEI itself means: no header, one column.  Delimiter: comma, semicolon, tab or pipe, found in
 * the header.  UTF-8 with or without BOM; LF or CRLF; quotes as RFC 4180, line breaks inside them too; at most
 * LIST_LINE_MAX octets a row, its line end included.  A row may have fewer cells than the header (the rest is empty),
 * not more.  Where a quote is never closed, only the line that opened it is lost: reading goes on at the next one.  A
 * column "change_type" is refused: such a file lists differences, and its removals would be read as listings.  Parsing
 * is libcsv's; this file turns cells into rows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "core/why.h"

#define LIST_LINE_MAX 4096

enum list_kind { LIST_DEVICE = 0, LIST_RANGE, LIST_PAIR };

struct list_row {
	enum list_kind kind;
	uint64_t from, to;      /* device, pair: from == to == the key */
	int8_t svn;             /* device: WEIR_NO_SVN, or the listed version */
	struct weir_imsi imsi;  /* pair */
	enum weir_colour colour;/* device, range; a pair has WEIR_UNKNOWN */
	enum weir_pair_rule rule; /* pair; WEIR_PAIR_NONE else */
	uint16_t reason;
	uint64_t line;          /* where it stood, from 1 */
};

/* Why a row is not taken, or taken with a remark (a row may have several).  Codes are API words: never rename. */
enum list_fault {
	LIST_OK = 0,
	LIST_EMPTY_CELL,    /* "empty": no imei, tac or range */
	LIST_TOO_SHORT,     /* "too-short": 13 digits say that a leading zero may be lost */
	LIST_TOO_LONG,      /* "too-long" */
	LIST_BAD_CHARACTER, /* "bad-character": letters, NUL */
	LIST_BAD_SVN,       /* "bad-svn" */
	LIST_BAD_TAC,       /* "bad-tac" */
	LIST_BAD_RANGE,     /* "bad-range": not 14 digits, to below from, or given beside imei or tac */
	LIST_BAD_IMSI,      /* "bad-imsi" */
	LIST_BAD_LIST,      /* "bad-list" */
	LIST_BAD_PAIR,      /* "bad-pair" */
	LIST_BAD_REASON,    /* "bad-reason" */
	LIST_EXTRA_CELLS,   /* "extra-cells": more than the header names, so nobody knows which is which */
	LIST_CONFLICT,      /* "conflict": the same key earlier in this file, with another value (importer) */
	LIST_ROW_TOO_LONG,  /* "row-too-long" */
	LIST_BAD_QUOTES,    /* "bad-quotes": one inside a bare cell, or one that never closes */
	LIST_CUT,           /* "cut": the last row has no line end and fewer cells than the header */
	LIST_UNKNOWN_COLUMN, /* "unknown-column", remark: the header has no list, and one that is ignored: was it meant? */
	LIST_LINE_BREAK,    /* "line-break", remark: a quoted cell holds line ends; two stray quotes look the same */
	LIST_CHECK_DIGIT,   /* "check-digit", remark: taken; the check digit is neither right nor the spare 0 */
	LIST_LEADING_ZERO,  /* "leading-zero", remark: taken; 14 digits among rows of 15, right behind a 0 */
	LIST_N_FAULTS
};

struct list_reject {
	enum list_fault fault;
	bool remark;           /* the row was taken */
	uint64_t line;
	unsigned column;       /* from 1; 0: the whole row */
	const char *column_name;
	char value[32];        /* as given, cut, non-printables replaced by '?' */
	char text[120];        /* "has 13 digits, 14 to 17 are needed; was a leading zero lost?" */
};

const char *list_fault_name(enum list_fault fault); /* the word in quotes above; "ok" */

/* Return nonzero to stop the reading with that error. */
typedef int list_row_fn(const struct list_row *row, void *data);
typedef int list_reject_fn(const struct list_reject *reject, void *data);

struct list_defaults {
	enum weir_colour colour;
	uint16_t reason;
	bool strict_check_digit; /* a wrong check digit rejects the row */
};

struct list_reader;
struct list_reader *list_reader_alloc(const struct list_defaults *defaults, list_row_fn *row_fn,
				      list_reject_fn *reject_fn, void *data);
/* Any chunking.  0, a callback's error, -ENOMEM, or -EINVAL with why (no usable header: nothing can be read).  After an
 * error nothing more is read and the error is given again. */
int list_reader_feed(struct list_reader *reader, const void *bytes, size_t len, struct weir_why *why);
/* The end of the file: the last row may lack its newline.  An empty file is -EINVAL; a header alone is a list of
 * none. */
int list_reader_finish(struct list_reader *reader, struct weir_why *why);
/* Lines seen so far. */
uint64_t list_reader_lines(const struct list_reader *reader);
void list_reader_free(struct list_reader *reader);

/* The mirror: "imei,svn,tac,from,to,list,imsi,pair,reason,source\n" and one line a row; devices print 15 digits with
 * check digit; a range that is a whole TAC prints as one.  source may be "".  Returns octets (and a NUL
 * behind them) or -ENOSPC. */
#define LIST_ROW_TEXT 160
extern const char list_header[];
int list_row_print(const struct list_row *row, const char *source, char *buf, size_t size);
