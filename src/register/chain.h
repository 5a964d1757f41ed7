/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One table of the register as a chain that is being written: keeps predecessors, sums, counts and the digest true.
 *
 * Bulk in ascending order goes at LMDB's append speed: at the first key above all others the sentinel is taken off
 * ("the tail is open") and stays off until another kind of change, or chain_close_tail before the commit. */
#pragma once

#include "register/layout.h"

struct chain {
	enum register_table table;
	struct store_txn *txn;
	struct store_cursor cursor;
	bool tail_open;
	struct register_key last; /* greatest key, while the tail is open; NONE: there is none */
	uint64_t records, digest; /* sentinel not counted */
};

/* On a table whose sentinel exists. records and digest go on from what the chain holds. */
int chain_begin(struct chain *chain, enum register_table table, struct store_txn *txn, struct store_table handle);
/* The sentinel of a new table. */
int chain_make(enum register_table table, struct store_txn *txn, struct store_table handle);

/* Put, or replace what is there; record->before is set here.  Nothing is written where it is so already. */
int chain_put(struct chain *chain, struct register_record *record);
/* Remove; 0 also where there was none. */
int chain_remove(struct chain *chain, struct register_key key);
/* The first record at or above a key, as it stands now. */
int chain_find(struct chain *chain, struct register_key key, struct register_record *record);
int chain_close_tail(struct chain *chain);
