/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ledger's tables as lists, imports, projection and verify use them: one transaction is passed in, nothing outlives
 * it.
 *
 * Statements are of two shapes.  An entry is one source's word on one device (or one software version of it) and its
 * whole key is one integer, because there are hundreds of millions of them.  An item is a range or a pair: few, keyed
 * by bytes.
 *
 * What is read is checked: a record whose CRC is wrong comes back with damaged set and nothing else of its value.  What
 * is written keeps its source's counts and digest; the transaction's commit writes those. */
#pragma once

#include "keeper/ledger.h"
#include "keeper/ledger_digest.h"
#include "store/store.h"

/* --- entries: imei (47 bits), version (7), source (10) ---------------------------------------- */

struct ledger_entry {
	uint64_t key;
	uint64_t serial; /* of the event that made it so; 48 bits on disk */
	uint16_t reason;
	uint8_t colour;
	bool damaged;
};

#define LEDGER_REASON_MAX 0x3fff /* 14 bits on disk, 2 for the colour */

/* The version comes before the source so that all sources' words on one version stand together; none sorts first. */
static inline uint64_t ledger_key(uint64_t imei, int svn, unsigned source)
{
	return imei << 17 | (uint64_t)(svn + 1) << 10 | source;
}

static inline uint64_t ledger_key_imei(uint64_t key)
{
	return key >> 17;
}

static inline int8_t ledger_key_svn(uint64_t key)
{
	return (int8_t)((key >> 10 & 0x7f) - 1);
}

static inline unsigned ledger_key_source(uint64_t key)
{
	return key & 0x3ff;
}

/* Cursor over entries.  ok is false past the end; err is set where reading failed (then ok is false too). */
struct ledger_walk {
	struct store_cursor cursor;
	struct ledger_entry entry;
	bool open, ok;
	int err;
};

/* Stands on the first entry at or above the key. */
int ledger_walk_begin(struct ledger *ledger, struct store_txn *txn, uint64_t key, struct ledger_walk *walk);
void ledger_walk_next(struct ledger_walk *walk);
/* Forward to the first entry at or above the key: a few steps, then a seek.  Never backward. */
void ledger_walk_to(struct ledger_walk *walk, uint64_t key);
/* To the first entry at or above the key, wherever that is. */
void ledger_walk_seek(struct ledger_walk *walk, uint64_t key);
void ledger_walk_end(struct ledger_walk *walk);

int ledger_entry_get(struct ledger *ledger, struct store_txn *txn, uint64_t key, struct ledger_entry *entry);
/* In the ledger's own transaction.  before is what stands there (NULL: nothing), for the source's sums. */
int ledger_entry_put(struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_entry *before);
int ledger_entry_remove(struct ledger *ledger, const struct ledger_entry *before);
/* Bulk: keys ascending.  Those above the table's last are appended. */
struct ledger_bulk {
	struct store_cursor cursor;
	uint64_t last;
	bool any, open;
};
int ledger_bulk_begin(struct ledger *ledger, struct ledger_bulk *bulk);
int ledger_bulk_put(struct ledger *ledger, struct ledger_bulk *bulk, const struct ledger_entry *entry,
		    const struct ledger_entry *before);
void ledger_bulk_end(struct ledger_bulk *bulk);

/* --- items: ranges and pairs ------------------------------------------------------------------ */

enum ledger_items {
	LEDGER_RANGES,
	LEDGER_PAIRS
};

struct ledger_item {
	uint64_t a, b; /* range: from, to; pair: imei, imsi.packed */
	uint16_t source;
	uint16_t reason;
	uint64_t serial;
	uint8_t what; /* enum weir_colour or enum weir_pair_rule */
	bool damaged;
};

/* In order of (a, b, source). */
int ledger_item_compare(const struct ledger_item *x, const struct ledger_item *y);

struct ledger_item_walk {
	struct store_cursor cursor;
	enum ledger_items table;
	struct ledger_item item;
	bool open, ok;
	int err;
};

int ledger_items_begin(struct ledger *ledger, struct store_txn *txn, enum ledger_items table,
		       const struct ledger_item *from, struct ledger_item_walk *walk);
void ledger_items_next(struct ledger_item_walk *walk);
void ledger_items_seek(struct ledger_item_walk *walk, const struct ledger_item *from);
void ledger_items_end(struct ledger_item_walk *walk);
int ledger_item_get(struct ledger *ledger, struct store_txn *txn, enum ledger_items table, struct ledger_item *item);
int ledger_item_put(struct ledger *ledger, enum ledger_items table, const struct ledger_item *item,
		    const struct ledger_item *before);
int ledger_item_remove(struct ledger *ledger, enum ledger_items table, const struct ledger_item *before);

/* What a source's digest sums up: its statement without serial and time, so that two sites' lists compare. */
uint64_t ledger_entry_digest(const struct ledger_entry *entry);
uint64_t ledger_item_digest(enum ledger_items table, const struct ledger_item *item);

/* --- transactions ----------------------------------------------------------------------------- */

int ledger_read_begin(struct ledger *ledger, struct store_txn *txn);
/* A damaged page can lead LMDB anywhere.  What reads or writes tables runs inside this (store.h, store_guard): a fault
 * ends the call with -EIO, and the store is opened again before the next transaction.  Never around a call into the
 * register, which has guards of its own. */
#define LEDGER_GUARDED(ledger, call)                                                                                   \
	({                                                                                                             \
		int guarded_rc_;                                                                                       \
		if (store_guard(ledger_store(ledger))) {                                                               \
			guarded_rc_ = ledger_fault(ledger);                                                            \
		} else {                                                                                               \
			guarded_rc_ = (call);                                                                          \
			store_unguard(ledger_store(ledger));                                                           \
		}                                                                                                      \
		guarded_rc_;                                                                                           \
	})
int ledger_fault(struct ledger *ledger); /* -EIO */
/* The writing transaction, while there is one. */
struct store_txn *ledger_txn(struct ledger *ledger);

/* --- events ----------------------------------------------------------------------------------- */

int ledger_event_get(struct ledger *ledger, struct store_txn *txn, uint64_t serial, struct weir_event *event);

/* Serials of the single changes that named a device, ascending, after a serial.  Returns how many, or a negative errno.
 */
int ledger_history_get(struct ledger *ledger, struct store_txn *txn, uint64_t imei, uint64_t after, uint64_t *serials,
		       unsigned max);

/* --- batches ---------------------------------------------------------------------------------- */

enum ledger_batch_state {
	LEDGER_STORING = 1,  /* chunks are being written; no event yet: a crash forgets it */
	LEDGER_APPLYING = 2, /* accepted; entries and register follow in slices */
	LEDGER_APPLIED = 3,
};

enum ledger_batch_mode {
	LEDGER_MERGE = 1,
	LEDGER_REPLACE = 2,
	LEDGER_TAKE_OFF = 3
};

enum ledger_batch_phase {
	LEDGER_DOING_DEVICES = 0,
	LEDGER_DOING_PAIRS = 1,
	LEDGER_DOING_RANGES = 2
};

struct ledger_batch {
	uint64_t id, serial;
	int64_t time_ms;
	uint16_t source;
	uint8_t mode, state;
	uint64_t rows, devices, ranges, pairs; /* in its chunks */
	uint64_t lines, rejected, remarks, duplicates;
	uint64_t added, changed, removed, unchanged, turned_black, turned_from_black;
	uint8_t digest[LEDGER_DIGEST];
	/* How far: entries of the phase are done below place (an imei; an ordinal for pairs), LEDGER_PLACE_END: all of
	 * them. The register may lack what lies between from and place. */
	uint8_t phase;
	uint64_t from, place;
};

#define LEDGER_PLACE_END UINT64_MAX

/* Every row is in the entries. */
static inline bool ledger_batch_is_in(const struct ledger_batch *batch)
{
	return batch->phase == LEDGER_DOING_RANGES && batch->place == LEDGER_PLACE_END;
}

/* id 0: the next free one is given. */
int ledger_batch_put(struct ledger *ledger, struct ledger_batch *batch);
int ledger_batch_get(struct ledger *ledger, struct store_txn *txn, uint64_t id, struct ledger_batch *batch);
/* The next batch above an id; -ENOENT. */
int ledger_batch_next(struct ledger *ledger, struct store_txn *txn, uint64_t id, struct ledger_batch *batch);
/* Removes chunks of a batch, at most max; 1 more are left, 0 none. */
int ledger_batch_forget(struct ledger *ledger, uint64_t id, unsigned max);

/* Rows of a batch: key is imei << 7 | version + 1. */
struct ledger_row {
	uint64_t key;
	uint16_t reason;
	uint8_t colour;
};

static inline uint64_t ledger_row_key(uint64_t imei, int svn)
{
	return imei << 7 | (uint64_t)(svn + 1);
}

enum ledger_chunks {
	LEDGER_CHUNK_DEVICES = 0,
	LEDGER_CHUNK_PAIRS = 1,
	LEDGER_CHUNK_RANGES = 2
};

#define LEDGER_CHUNK_MAX 16368 /* with LMDB's page header, four pages */

/* A chunk being packed: rows ascending, delta-coded.  pack returns false where it is full. */
struct ledger_chunk {
	uint32_t len, rows;
	uint64_t first, last;
	uint64_t previous_imei;
	uint16_t reason;
	uint8_t colour, kind;
	uint8_t bytes[LEDGER_CHUNK_MAX];
};

void ledger_chunk_begin(struct ledger_chunk *chunk, enum ledger_chunks kind);
bool ledger_chunk_pack(struct ledger_chunk *chunk, const struct ledger_row *row);
/* Pairs and ranges: first is the ordinal of the item in the batch. */
bool ledger_chunk_pack_item(struct ledger_chunk *chunk, uint64_t ordinal, const struct ledger_item *item);
/* Fill in head and CRC; the bytes are then what is stored. */
void ledger_chunk_seal(struct ledger_chunk *chunk);

/* Chunks of a batch must come in order of (kind, first). */
/* The CRC, which covers the key, is written into bytes. */
int ledger_chunk_append(struct ledger *ledger, uint64_t batch, void *bytes, size_t len);

/* Reading rows of a batch in order from a key on. row is good while ok. */
struct ledger_rows {
	struct store_cursor cursor;
	uint64_t batch;
	uint8_t kind;
	const uint8_t *at, *end;
	uint32_t left;
	uint64_t imei, ordinal;
	struct ledger_row row;   /* kind devices */
	struct ledger_item item; /* pairs, ranges: a, b, what, reason; ordinal is its place */
	bool open, ok;
	int err;
};

int ledger_rows_begin(struct ledger *ledger, struct store_txn *txn, uint64_t batch, enum ledger_chunks kind,
		      uint64_t key, struct ledger_rows *rows);
void ledger_rows_next(struct ledger_rows *rows);
void ledger_rows_end(struct ledger_rows *rows);
/* The stored chunks themselves, for the digest: the first one behind the place (all zeros: the very first), which is
 * moved onto it.  -ENOENT at the end. */
struct ledger_chunk_place {
	bool started;
	uint8_t kind;
	uint64_t first;
};
int ledger_chunk_next(struct ledger *ledger, struct store_txn *txn, uint64_t batch, struct ledger_chunk_place *place,
		      struct store_val *bytes);

/* --- numbers for verify ----------------------------------------------------------------------- */

enum ledger_table {
	LEDGER_T_EVENT,
	LEDGER_T_ENTRY,
	LEDGER_T_RANGE,
	LEDGER_T_PAIR,
	LEDGER_T_SOURCE,
	LEDGER_T_BATCH,
	LEDGER_T_CHUNK,
	LEDGER_T_HISTORY,
	LEDGER_T_META,
	LEDGER_N_TABLES
};
int ledger_count(struct ledger *ledger, struct store_txn *txn, enum ledger_table table, uint64_t *records);
/* The unfinished batch that was accepted, 0 for none.  At most one. */
uint64_t ledger_batch_under_way(const struct ledger *ledger);
