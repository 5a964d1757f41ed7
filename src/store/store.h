/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One LMDB environment, and the one place that knows how it fails.
 *
 * Model.  A store is a directory (data.mdb, lock.mdb) with named tables of sorted keys.  Readers see one snapshot
 * from begin to end and take no lock; there is one writer.  All LMDB error codes end here and become negative errno:
 *
 *   -ENOENT    no such key, table or store          -ENOSPC  map full, disk full, or a commit that met EIO/ENOSPC
 *   -EIO       the disk failed                      -EUCLEAN damaged: not ours, wrong version, corrupt, truncated
 *   -EBUSY     reader slots full, after one sweep   -ESTALE  panicked: the store must be closed and opened again
 *   -ENOMEM    out of memory                        -EINVAL  wrong use
 *
 * Promises.
 * - Opening compares the file's size with what its meta page claims, and refuses a shorter one in words (-EUCLEAN)
 *   instead of dying of SIGBUS later.  A store written by another major LMDB format is refused likewise.
 * - A new store is made in a temporary directory beside its place, synced, and renamed: a crash while creating it
 *   leaves nothing that looks like a store.
 * - What earlier attempts left beside a store is removed; a link of such a name is never followed.
 * - MDB_MAP_RESIZED is adopted, stale readers are swept when a writer begins and when the slots are full (once, then
 *   -EBUSY); MDB_PANIC becomes -ESTALE for every later call.
 * - A page fault (SIGBUS) inside store_guard..store_unguard on this store's mapping ends the guarded call with
 *   -EIO and marks the store broken (-ESTALE from then on); outside of a guard, signals are left alone.
 * - Never MDB_WRITEMAP, never MDB_NOSYNC: a commit that returned 0 survives a power cut.
 * - A value handed out lies in the used part of a page of its kind that carries its own number (-EUCLEAN else): a
 * misplaced page or the remains of a deleted row are never taken for data.
 * - Where the spec asks to scrub, pages that a commit freed are overwritten with zeros as soon as no reader needs them:
 * a damaged pointer can only lead to what is there now or to nothing (scrub.c).  It does not erase: LMDB writes its
 * buffers as they are, and the free room of a live page may hold remains of deleted rows.
 *
 * Caveats.  Never open one directory twice in a process.  Never fork after opening.  A read transaction that stays
 * open makes the file grow: begin and end it in the same function.  Values die with their transaction.
 *
 * Files: env.c (open, errors), head.c (the file's own claims), create.c, guard.c (faults), read.c; write.c and scrub.c.
 * A program that must not write links no symbol of the last two. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/why.h"

struct store;

struct store_spec {
	const char *dir;
	uint64_t map_bytes; /* address space, not disk: choose it far above need; 0 is 64 GiB */
	unsigned readers;   /* reader slots; 0 is 126 */
	bool writer;        /* false: opened read-only; the lock file is still written */
	bool create;        /* writer only: make it where it is not there */
	bool shared;        /* create: the group may read (0750, 0640, lock file 0660); else nobody else (0700, 0600) */
	bool scrub;         /* writer only: overwrite freed pages */
};

/* Open.  -ENOENT where there is none and create is not set; -EUCLEAN where it is damaged. *store is NULL on failure. */
int store_open(const struct store_spec *spec, struct store **store, struct weir_why *why);
void store_close(struct store *store); /* NULL is fine */

/* Map size, bytes in use, entries and so on: for status and alarms. */
struct store_usage {
	uint64_t map_bytes, used_bytes, file_bytes;
	unsigned readers, readers_max;
};
int store_usage(struct store *store, struct store_usage *usage);

/* Bring the used part of the mapping into memory (MADV_POPULATE_READ), so that no first touch costs a page fault.  Best
 * effort: at most half of the machine's memory, and about so many milliseconds; calling again goes on from there and
 * takes in what was added. */
void store_populate(struct store *store, unsigned max_ms);

/* Sweep reader slots of dead processes; returns how many. */
int store_sweep(struct store *store);

/* It broke (a fault, a panic): every call says -ESTALE until it is closed and opened again. */
bool store_is_broken(const struct store *store);

/* --- tables ----------------------------------------------------------------------------------- */

enum store_keys {
	STORE_KEYS_BYTES, /* compared as bytes */
	STORE_KEYS_U64,   /* native 64-bit integers, 8 bytes */
};

struct store_table {
	unsigned handle;
};

/* Inside a transaction; a reader gets -ENOENT where it was never made, a writer makes it.  The handle is good for the
 * life of the store once that transaction committed (or, for a reader, ended). */
struct store_txn;
int store_table_open(struct store_txn *txn, const char *name, enum store_keys keys, struct store_table *table);

/* --- transactions and cursors ----------------------------------------------------------------- */

/* Storage is the caller's; fields are the store's.  err is sticky: once set every call is a no-op that returns it
 * and commit becomes abort.  -ENOENT from a look-up is an answer and does not stick. */
struct store_txn {
	struct store *store;
	void *lmdb;
	int err;
	bool writes;
	bool begun; /* of a reader: holds a snapshot */
};

struct store_val {
	const void *data;
	size_t len;
};

int store_read_begin(struct store *store, struct store_txn *txn);
void store_read_end(struct store_txn *txn);
/* The same for a caller that reads again and again (the answer path): the slot is kept and renewed. */
int store_read_renew(struct store *store, struct store_txn *txn); /* txn zeroed before the first time */
void store_read_reset(struct store_txn *txn);

/* Names the snapshot: the same number in the same open store is the same content. */
uint64_t store_txn_id(const struct store_txn *txn);

int store_get(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val *value);
int store_count(struct store_txn *txn, struct store_table table, uint64_t *entries);

struct store_cursor {
	struct store_txn *txn;
	void *lmdb;
};

enum store_move {
	STORE_FIRST,
	STORE_LAST,
	STORE_NEXT,
	STORE_PREV,
	STORE_AT,       /* exactly the key */
	STORE_AT_LEAST, /* the first one not below the key */
};

int store_cursor_open(struct store_txn *txn, struct store_table table, struct store_cursor *cursor);
void store_cursor_close(struct store_cursor *cursor);
/* Renew a kept cursor in a renewed read transaction. */
int store_cursor_renew(struct store_txn *txn, struct store_cursor *cursor);
/* key is read for AT and AT_LEAST and written by all.  -ENOENT past either end. */
int store_cursor_move(struct store_cursor *cursor, enum store_move move, struct store_val *key,
		      struct store_val *value);

/* --- write.c ---------------------------------------------------------------------------------- */

int store_write_begin(struct store *store, struct store_txn *txn);
/* Durable when it returns 0.  The transaction is over either way. */
int store_commit(struct store_txn *txn);
void store_abort(struct store_txn *txn); /* also after commit: harmless */

int store_put(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val value);
/* Key must be above every key of the table (-EINVAL else): 18 to 30 times faster for sorted bulk. */
int store_append(struct store_txn *txn, struct store_table table, struct store_val key, struct store_val value);
int store_delete(struct store_txn *txn, struct store_table table, struct store_val key); /* -ENOENT does not stick */
int store_clear(struct store_txn *txn, struct store_table table);                        /* empty it */
int store_cursor_put(struct store_cursor *cursor, struct store_val key, struct store_val value);
int store_cursor_append(struct store_cursor *cursor, struct store_val key, struct store_val value);
int store_cursor_delete(struct store_cursor *cursor); /* the row it stands on */

/* Overwrite what was freed and is not needed by any reader.  Each commit does it where the spec asked; call it now and
 * then as well, for what a reader held on to meanwhile.  1: something is left because of a reader; 0: none. */
int store_scrub(struct store *store);

/* --- faults of the mapping -------------------------------------------------------------------- */

/* if (store_guard(store)) return -EIO;  ...reads...  store_unguard(store);
 * One guard at a time on a store; what the guarded code allocated must not need freeing, and locals that it changed are
 * lost.  Also caught inside a guard, because damaged pages can lead LMDB there: SIGSEGV, and LMDB's own assertions. */
sigjmp_buf *store_guard_enter(struct store *store);
void store_unguard(struct store *store);
#define store_guard(store) (sigsetjmp(*store_guard_enter(store), 0) != 0)
