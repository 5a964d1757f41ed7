/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Writing: one transaction at a time, durable when its commit returned 0. */
#include "store/inside.h"

#include <errno.h>
#include <string.h>

/* So many rows in one transaction may have made LMDB write pages ahead of the commit, and free some of them again. */
#define MAY_HAVE_SPILLED 50000

static int stick(struct store_txn *txn, int err)
{
	if (err && err != -ENOENT)
		txn->err = err;
	return err;
}

/* Under a guard, a fault must come before the writer's lock is had rather than after: LMDB reads these two next. */
static void touch_heads(const struct store *store)
{
	if (!store->map)
		return;
	(void)*(const volatile uint8_t *)store->map;
	(void)*(const volatile uint8_t *)(store->map + store->page_bytes);
}

int store_write_begin(struct store *store, struct store_txn *txn)
{
	MDB_txn *lmdb;
	int rc;

	*txn = (struct store_txn){.store = store, .writes = true};
	if (store->broken)
		return txn->err = -ESTALE;
	if (!store->writer)
		return txn->err = -EINVAL;
	touch_heads(store);
	mdb_reader_check(store->env, NULL);
	store->written = 0;
	rc = mdb_txn_begin(store->env, NULL, 0, &lmdb);
	if (rc == MDB_MAP_RESIZED && store_adopt_size(store) == 0)
		rc = mdb_txn_begin(store->env, NULL, 0, &lmdb);
	txn->err = store_errno(store, rc);
	if (!txn->err)
		txn->lmdb = lmdb;
	return txn->err;
}

/* After a large transaction, whether it was kept or not, every free page is looked at again. */
static void forget_scrubbed_after_spill(struct store *store)
{
	if (store->written > MAY_HAVE_SPILLED)
		store->scrubbed = 0;
}

int store_commit(struct store_txn *txn)
{
	struct store *store = txn->store;
	int err = txn->err;

	if (!txn->lmdb)
		return err ? err : -EINVAL;
	if (err || store->broken) {
		store_abort(txn);
		return txn->err = err ? err : -ESTALE;
	}
	err = store_errno(store, mdb_txn_commit(txn->lmdb));
	txn->lmdb = NULL;
	forget_scrubbed_after_spill(store);
	if (err == -EIO)
		err = -ENOSPC; /* LMDB reports a short write as EIO: a full disk and a bad one look alike here */
	if (err) {
		txn->err = err;
		return err;
	}
	txn->err = -EBADF;
	store_find_map(store);
	if (store->scrub)
		store_scrub(store);
	return 0;
}

void store_abort(struct store_txn *txn)
{
	if (!txn->lmdb)
		return;
	mdb_txn_abort(txn->lmdb);
	txn->lmdb = NULL;
	if (!txn->err)
		txn->err = -EBADF;
	forget_scrubbed_after_spill(txn->store);
}

static int put(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val value,
	       unsigned flags)
{
	MDB_val k = {key.len, (void *)key.data}, v = {value.len, (void *)value.data};

	if (txn->err)
		return txn->err;
	txn->store->written++;
	return stick(txn, store_errno(txn->store, mdb_put(txn->lmdb, table.handle, &k, &v, flags)));
}

int store_put(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val value)
{
	return put(txn, table, key, value, 0);
}

int store_append(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val value)
{
	return put(txn, table, key, value, MDB_APPEND);
}

int store_delete(struct store_txn *txn, struct store_table table, struct store_val key)
{
	MDB_val k = {key.len, (void *)key.data};

	if (txn->err)
		return txn->err;
	txn->store->written++;
	return stick(txn, store_errno(txn->store, mdb_del(txn->lmdb, table.handle, &k, NULL)));
}

int store_clear(struct store_txn *txn, struct store_table table)
{
	if (txn->err)
		return txn->err;
	txn->store->written++;
	return stick(txn, store_errno(txn->store, mdb_drop(txn->lmdb, table.handle, 0)));
}

static int cursor_put(struct store_cursor *cursor, struct store_val key, struct store_val value, unsigned flags)
{
	MDB_val k = {key.len, (void *)key.data}, v = {value.len, (void *)value.data};
	struct store_txn *txn = cursor->txn;

	if (txn->err)
		return txn->err;
	txn->store->written++;
	return stick(txn, store_errno(txn->store, mdb_cursor_put(cursor->lmdb, &k, &v, flags)));
}

int store_cursor_put(struct store_cursor *cursor, struct store_val key, struct store_val value)
{
	return cursor_put(cursor, key, value, 0);
}

int store_cursor_append(struct store_cursor *cursor, struct store_val key, struct store_val value)
{
	return cursor_put(cursor, key, value, MDB_APPEND);
}

int store_cursor_delete(struct store_cursor *cursor)
{
	struct store_txn *txn = cursor->txn;

	if (txn->err)
		return txn->err;
	txn->store->written++;
	return stick(txn, store_errno(txn->store, mdb_cursor_del(cursor->lmdb, 0)));
}
