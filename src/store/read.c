/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reading: snapshots, look-ups, cursors.  Takes no lock after a slot was had, allocates nothing in a kept transaction.
 */
#include "store/inside.h"

#include <errno.h>
#include <string.h>

static const unsigned key_flags[] = {
	[STORE_KEYS_BYTES] = 0,
	[STORE_KEYS_U64] = MDB_INTEGERKEY,
};

static const MDB_cursor_op moves[] = {
	[STORE_FIRST] = MDB_FIRST, [STORE_LAST] = MDB_LAST,  [STORE_NEXT] = MDB_NEXT,
	[STORE_PREV] = MDB_PREV,   [STORE_AT] = MDB_SET_KEY, [STORE_AT_LEAST] = MDB_SET_RANGE,
};

/* -ENOENT is an answer; everything else ends the transaction. */
static int stick(struct store_txn *txn, int err)
{
	if (err && err != -ENOENT)
		txn->err = err;
	return err;
}

/* Is the value where a value may be?  Only what comes from the mapping can be asked: a writer's own pages are in
 * memory. */
static bool value_lies_well(const struct store *store, const MDB_val *value)
{
	const uint8_t *at = value->mv_data, *page;
	struct store_page head;
	size_t offset;

	if (!store->map || at < store->map || at >= store->map + store->map_bytes)
		return true;
	offset = (size_t)(at - store->map) & (store->page_bytes - 1);
	page = at - offset;
	memcpy(&head, page, sizeof(head));
	if (head.number != (uint64_t)(page - store->map) / store->page_bytes)
		return false;
	if (head.flags & STORE_PAGE_LEAF)
		return offset >= head.upper && offset + value->mv_size <= store->page_bytes;
	return head.flags & STORE_PAGE_OVERFLOW && offset == STORE_PAGE_HEADER &&
	       offset + value->mv_size <= ((uint64_t)head.upper << 16 | head.lower) * store->page_bytes;
}

static int begin(struct store *store, struct store_txn *txn)
{
	MDB_txn *kept = txn->lmdb;
	int rc = kept ? mdb_txn_renew(kept) : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &kept);

	if (!rc)
		txn->lmdb = kept;
	return rc;
}

int store_read_renew(struct store *store, struct store_txn *txn)
{
	int rc;

	txn->store = store;
	txn->writes = false;
	txn->err = store->broken ? -ESTALE : 0;
	if (txn->err)
		return txn->err;
	rc = begin(store, txn);
	if (rc == MDB_READERS_FULL) {
		mdb_reader_check(store->env, NULL);
		rc = begin(store, txn);
	} else if (rc == MDB_MAP_RESIZED && store_adopt_size(store) == 0) {
		rc = begin(store, txn);
	}
	txn->err = store_errno(store, rc);
	txn->begun = !txn->err;
	store->active += txn->begun;
	return txn->err;
}

static void no_longer(struct store_txn *txn)
{
	txn->store->active -= txn->begun;
	txn->begun = false;
	txn->err = -EBADF;
}

void store_read_reset(struct store_txn *txn)
{
	if (!txn->begun)
		return;
	mdb_txn_reset(txn->lmdb);
	no_longer(txn);
}

int store_read_begin(struct store *store, struct store_txn *txn)
{
	memset(txn, 0, sizeof(*txn));
	return store_read_renew(store, txn);
}

void store_read_end(struct store_txn *txn)
{
	if (!txn->lmdb)
		return;
	mdb_txn_commit(txn->lmdb); /* of a reader: ends it; handles of tables opened in it stay good */
	txn->lmdb = NULL;
	no_longer(txn);
}

uint64_t store_txn_id(const struct store_txn *txn)
{
	return txn->lmdb ? mdb_txn_id(txn->lmdb) : 0;
}

int store_table_open(struct store_txn *txn, const char *name, enum store_keys keys, struct store_table *table)
{
	unsigned flags = 0;
	MDB_dbi handle;
	int rc;

	table->handle = 0;
	if (txn->err)
		return txn->err;
	rc = mdb_dbi_open(txn->lmdb, name, key_flags[keys] | (txn->writes ? MDB_CREATE : 0), &handle);
	if (!rc)
		rc = mdb_dbi_flags(txn->lmdb, handle, &flags);
	if (!rc && (flags & 0xffff) != key_flags[keys])
		rc = MDB_INCOMPATIBLE;
	if (!rc)
		table->handle = handle;
	return stick(txn, store_errno(txn->store, rc));
}

static int take(struct store_txn *txn, int rc, const MDB_val *data, struct store_val *value)
{
	if (!rc && !value_lies_well(txn->store, data))
		rc = MDB_CORRUPTED;
	if (rc) {
		*value = (struct store_val){0};
		return stick(txn, store_errno(txn->store, rc));
	}
	value->data = data->mv_data;
	value->len = data->mv_size;
	return 0;
}

int store_get(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val *value)
{
	MDB_val k = {key.len, (void *)key.data}, v = {0};

	if (txn->err)
		return txn->err;
	return take(txn, mdb_get(txn->lmdb, table.handle, &k, &v), &v, value);
}

int store_count(struct store_txn *txn, struct store_table table, uint64_t *entries)
{
	MDB_stat stat;

	*entries = 0;
	if (txn->err)
		return txn->err;
	stick(txn, store_errno(txn->store, mdb_stat(txn->lmdb, table.handle, &stat)));
	if (!txn->err)
		*entries = stat.ms_entries;
	return txn->err;
}

int store_cursor_open(struct store_txn *txn, struct store_table table, struct store_cursor *cursor)
{
	MDB_cursor *lmdb = NULL;

	cursor->txn = txn;
	cursor->lmdb = NULL;
	if (txn->err)
		return txn->err;
	stick(txn, store_errno(txn->store, mdb_cursor_open(txn->lmdb, table.handle, &lmdb)));
	cursor->lmdb = lmdb;
	return txn->err;
}

void store_cursor_close(struct store_cursor *cursor)
{
	if (cursor->lmdb)
		mdb_cursor_close(cursor->lmdb);
	cursor->lmdb = NULL;
}

int store_cursor_renew(struct store_txn *txn, struct store_cursor *cursor)
{
	cursor->txn = txn;
	if (txn->err)
		return txn->err;
	return stick(txn, store_errno(txn->store, mdb_cursor_renew(txn->lmdb, cursor->lmdb)));
}

int store_cursor_move(struct store_cursor *cursor, enum store_move move, struct store_val *key, struct store_val *value)
{
	MDB_val k = {key->len, (void *)key->data}, v = {0};
	int err;

	if (cursor->txn->err)
		return cursor->txn->err;
	err = take(cursor->txn, mdb_cursor_get(cursor->lmdb, &k, &v, moves[move]), &v, value);
	if (!err) {
		key->data = k.mv_data;
		key->len = k.mv_size;
	}
	return err;
}
