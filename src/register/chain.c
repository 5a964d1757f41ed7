/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Keeps a table a chain.  Whatever it rewrites it has checked first: damage must end a batch (-EUCLEAN), never be given
 * a fresh sum. */
#include "register/chain.h"

#include <errno.h>
#include <string.h>

static int write(struct chain *chain, struct register_record *record)
{
	uint8_t key_buf[REGISTER_KEY_BYTES], buf[REGISTER_VALUE_BYTES];
	struct store_val key = register_key_encode(chain->table, record->key, key_buf);
	struct store_val value = register_encode(chain->table, record, buf);

	chain->digest += register_digest_of(chain->table, record);
	return store_cursor_put(&chain->cursor, key, value);
}

static int append(struct chain *chain, struct register_record *record)
{
	uint8_t key_buf[REGISTER_KEY_BYTES], buf[REGISTER_VALUE_BYTES];
	struct store_val key = register_key_encode(chain->table, record->key, key_buf), value;

	record->before = chain->last;
	value = register_encode(chain->table, record, buf);
	chain->digest += register_digest_of(chain->table, record);
	chain->last = record->key;
	return store_cursor_append(&chain->cursor, key, value);
}

int chain_make(enum register_table table, struct store_txn *txn, struct store_table handle)
{
	struct register_record sentinel = {.key = register_tables[table].sentinel, .before = REGISTER_KEY_NONE};
	uint8_t key_buf[REGISTER_KEY_BYTES], buf[REGISTER_VALUE_BYTES];
	struct store_val value = register_encode(table, &sentinel, buf);

	return store_put(txn, handle, register_key_encode(table, sentinel.key, key_buf), value);
}

int chain_begin(struct chain *chain, enum register_table table, struct store_txn *txn, struct store_table handle)
{
	chain->table = table;
	chain->txn = txn;
	chain->tail_open = false;
	return store_cursor_open(txn, handle, &chain->cursor);
}

int chain_close_tail(struct chain *chain)
{
	struct register_record sentinel = {.key = register_tables[chain->table].sentinel};

	if (!chain->tail_open)
		return 0;
	chain->tail_open = false;
	return append(chain, &sentinel);
}

int chain_find(struct chain *chain, struct register_key key, struct register_record *record)
{
	int err = chain_close_tail(chain);

	return err ? err : register_find(chain->table, &chain->cursor, key, record);
}

static bool same(enum register_table table, struct register_record *a, const struct register_record *b)
{
	uint8_t buf[REGISTER_VALUE_BYTES];

	/* the sum covers all that is stored, but it is 32 bits: compare what it sums up too */
	a->before = b->before;
	register_encode(table, a, buf);
	return a->crc == b->crc && a->paired == b->paired && a->from == b->from && a->rule == b->rule &&
	       a->listing.lists == b->listing.lists && a->listing.reason == b->listing.reason &&
	       a->n_rows == b->n_rows && !memcmp(a->row, b->row, a->n_rows * sizeof(a->row[0]));
}

static int replace(struct chain *chain, struct register_record *record, const struct register_record *old)
{
	if (same(chain->table, record, old))
		return 0;
	chain->digest -= register_digest_of(chain->table, old);
	return write(chain, record);
}

/* The cursor stands on the sentinel. */
static int open_tail(struct chain *chain, const struct register_record *sentinel)
{
	int err = store_cursor_delete(&chain->cursor);

	chain->tail_open = !err;
	chain->last = sentinel->before;
	return err;
}

static int insert(struct chain *chain, struct register_record *record, struct register_record *next)
{
	int err;

	record->before = next->before;
	chain->digest -= register_digest_of(chain->table, next);
	next->before = record->key;
	err = write(chain, next);
	if (!err)
		err = write(chain, record);
	return err;
}

int chain_put(struct chain *chain, struct register_record *record)
{
	struct register_record next = {0};
	int err;

	if (chain->tail_open &&
	    (register_key_is_none(chain->last) || register_key_compare(record->key, chain->last) > 0)) {
		chain->records++;
		return append(chain, record);
	}
	err = chain_find(chain, record->key, &next);
	if (err)
		return err;
	if (register_key_compare(next.key, record->key) == 0)
		return replace(chain, record, &next);
	chain->records++;
	if (!register_is_sentinel(chain->table, &next))
		return insert(chain, record, &next);
	err = open_tail(chain, &next);
	return err ? err : append(chain, record);
}

static struct register_key key_after(enum register_table table, struct register_key key)
{
	if (table == REGISTER_DEVICE || table == REGISTER_RANGE || key.lo == UINT64_MAX)
		return (struct register_key){key.hi + 1, 0};
	return (struct register_key){key.hi, key.lo + 1};
}

int chain_remove(struct chain *chain, struct register_key key)
{
	struct register_record old, next;
	int err;

	err = chain_find(chain, key, &old);
	if (err || register_key_compare(old.key, key) != 0)
		return err;
	err = store_cursor_delete(&chain->cursor);
	if (err)
		return err;
	chain->records--;
	chain->digest -= register_digest_of(chain->table, &old);
	/* what stands there now still names the removed one as its predecessor */
	err = register_find(chain->table, &chain->cursor, key_after(chain->table, key), &next);
	if (err)
		return err;
	if (register_key_compare(next.before, old.key) != 0)
		return -EUCLEAN;
	chain->digest -= register_digest_of(chain->table, &next);
	next.before = old.before;
	return write(chain, &next);
}
