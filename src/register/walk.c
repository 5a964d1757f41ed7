/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Walks a table from record to record, proving on the way that none is missing.  Records are copied out under the guard
 * in small lots and handed over outside of it, so that a callback may do what it likes. */
#include "register/layout.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define LOT 32u

struct lot {
	struct register_record record[LOT];
	int err[LOT];
	unsigned n;
	int end; /* 0: there is more; 1: the sentinel was reached; <0: cannot go on */
};

static struct register_place after(enum register_table table, struct register_key key)
{
	if (table == REGISTER_DEVICE || table == REGISTER_RANGE || key.lo == UINT64_MAX)
		return (struct register_place){key.hi + 1, 0};
	return (struct register_place){key.hi, key.lo + 1};
}

static bool is_before(struct register_key key, const struct register_place *place)
{
	return register_key_compare(key, (struct register_key){place->hi, place->lo}) < 0;
}

/* One record.  One that is damaged is taken by its key, as long as that leads onwards. */
static int read_one(enum register_table table, struct store_cursor *cursor, enum store_move move,
		    const struct register_place *place, struct register_record *record)
{
	uint8_t buf[REGISTER_KEY_BYTES];
	struct store_val key = register_key_encode(table, (struct register_key){place->hi, place->lo}, buf), value;
	int err;

	memset(record, 0, sizeof(*record));
	err = store_cursor_move(cursor, move, &key, &value);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err; /* the end is the sentinel, not this */
	err = register_decode(table, key, value, record);
	if (!err && !register_key_is_none(record->before) && !is_before(record->before, place))
		err = -EUCLEAN; /* something is missing before it */
	if (is_before(record->key, place))
		return -EUCLEAN; /* leads backwards */
	return err ? 1 : 0;
}

static int read_lot(struct store_txn *txn, struct store_table handle, enum register_table table,
		    struct register_place place, unsigned max, struct lot *lot)
{
	enum store_move move = STORE_AT_LEAST;
	struct store_cursor cursor;
	int err;

	err = store_cursor_open(txn, handle, &cursor);
	for (lot->n = 0; !err && lot->n < max && lot->n < LOT && !lot->end; move = STORE_NEXT) {
		struct register_record *record = &lot->record[lot->n];
		int damaged = read_one(table, &cursor, move, &place, record);

		if (damaged < 0)
			lot->end = damaged;
		else if (register_is_sentinel(table, record))
			lot->end = damaged ? -EUCLEAN : 1;
		else
			lot->err[lot->n++] = damaged ? -EUCLEAN : 0;
		place = after(table, record->key);
	}
	store_cursor_close(&cursor);
	return err;
}

static int read_guarded(struct weir_register *reg, struct store_txn *txn, enum register_table table,
			struct register_place place, unsigned max, struct lot *lot)
{
	int err;

	lot->n = 0;
	lot->end = 0;
	if (store_guard(reg->store))
		return -EIO;
	err = read_lot(txn, reg->table[table], table, place, max, lot);
	store_unguard(reg->store);
	return err;
}

/* --- handing over ----------------------------------------------------------------------------- */

static void fill_row(enum register_table table, const struct register_record *record, struct register_row *row)
{
	*row = (struct register_row){.table = table, .svn = WEIR_NO_SVN, .listing = record->listing};
	switch (table) {
	case REGISTER_DEVICE:
		row->from = row->to = record->key.hi;
		row->paired = record->paired;
		break;
	case REGISTER_RANGE:
		row->from = record->from;
		row->to = record->key.hi;
		break;
	case REGISTER_PAIR:
		row->from = row->to = record->key.hi;
		row->imsi.packed = record->key.lo;
		row->rule = record->rule;
		break;
	default:
		row->from = row->to = record->key.lo;
		row->imsi.packed = record->key.hi;
		row->rule = record->rule;
	}
}

static int hand_over(enum register_table table, const struct register_record *record, int damaged, register_row_fn *fn,
		     void *data)
{
	struct register_row row;
	int err = 0;

	fill_row(table, record, &row);
	if (damaged || table != REGISTER_DEVICE || row.listing.lists || !record->n_rows)
		err = fn(&row, damaged, data);
	for (unsigned i = 0; i < record->n_rows && !err && !damaged; i++) {
		row.svn = (int8_t)record->row[i].svn;
		row.listing = (struct weir_listing){record->row[i].lists, le16toh(record->row[i].reason)};
		err = fn(&row, 0, data);
	}
	return err;
}

int register_walk(struct weir_register *reg, enum register_table table, struct register_place *place, unsigned max,
		  register_row_fn *fn, void *data)
{
	struct store_txn txn;
	struct lot lot = {0};
	unsigned seen = 0;
	int err;

	err = store_read_begin(reg->store, &txn);
	while (!err && seen < max && !lot.end) {
		err = read_guarded(reg, &txn, table, *place, max - seen, &lot);
		for (unsigned i = 0; i < lot.n && !err; i++) {
			err = hand_over(table, &lot.record[i], lot.err[i], fn, data);
			*place = after(table, lot.record[i].key);
			seen++;
		}
	}
	store_read_end(&txn);
	if (!err && lot.end < 0 && !seen)
		err = lot.end;
	return err ? err : (int)seen;
}
