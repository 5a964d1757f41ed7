/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Between list.c, which finds cells, and list_row.c, which knows what they mean.  Nobody else includes this. */
#pragma once

#include "wire/list.h"

/* The columns we read.  Numbers are indices only. */
enum list_column {
	LIST_COLUMN_IMEI = 0,
	LIST_COLUMN_SVN,
	LIST_COLUMN_TAC,
	LIST_COLUMN_FROM,
	LIST_COLUMN_TO,
	LIST_COLUMN_LIST,
	LIST_COLUMN_IMSI,
	LIST_COLUMN_PAIR,
	LIST_COLUMN_REASON,
	LIST_N_COLUMNS
};

#define LIST_CELL_MAX 48

/* One row's cells by column. */
struct list_cells {
	uint16_t len[LIST_N_COLUMNS];             /* as given; text holds at most LIST_CELL_MAX - 1 of them */
	uint16_t column[LIST_N_COLUMNS];          /* where the column stands, from 1; 0: not in this file */
	char text[LIST_N_COLUMNS][LIST_CELL_MAX]; /* terminated; may hold NULs */
};

extern const char *const list_column_names[LIST_N_COLUMNS];

/* Make a row of cells.  True: *row is good.  reject->fault tells why not, or is a remark on a good row, or LIST_OK.
 * *fifteen remembers over a file whether a row had 15 digits. */
bool list_row_read(const struct list_defaults *defaults, const struct list_cells *cells, uint64_t line, bool *fifteen,
		   struct list_row *row, struct list_reject *reject);

/* Fill a reject of a whole row. */
void list_reject_row(struct list_reject *reject, enum list_fault fault, uint64_t line, const char *text);
