/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of store/ share and nobody else sees. */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include "store/store.h"

#define STORE_MAP_BYTES (UINT64_C(64) << 30)
#define STORE_READERS   126u
#define STORE_TABLES    32u

struct store {
	MDB_env *env;
	bool writer, scrub;
	bool broken; /* a fault or a panic: nothing works until it is opened again */
	bool faulted; /* a fault: not even closing is safe (store_close) */
	struct store *next; /* of those left behind */
	dev_t dev;   /* of data.mdb: a file is opened once in a process */
	ino_t ino;
	size_t page_bytes;
	const uint8_t *map; /* where page 0 is; NULL while the store has no table yet */
	size_t map_bytes;
	size_t populated; /* bytes from the start of the map */
	unsigned active;  /* read transactions under way: the map may only move when there are none */

	volatile sig_atomic_t guarded;
	pthread_t guard_thread;
	sigjmp_buf guard_jump;

	uint64_t scrubbed;                /* what was freed by transactions up to this one is overwritten */
	uint64_t written;                 /* rows put or deleted in the transaction under way */
	MDB_txn *scrub_lock, *scrub_view; /* of a scrub under way; left behind only by a fault */
};

/* env.c: the one place where LMDB's errors become ours.  Marks the store broken where that is what it means. */
int store_errno(struct store *store, int lmdb);
/* Another process made the map larger: take its size over.  -EBUSY while this process reads. */
int store_adopt_size(struct store *store);
/* Where is the mapping?  LMDB does not tell, so it is worked out from the first page that can be had. */
void store_find_map(struct store *store);

/* head.c: what the two meta pages of DIR/data.mdb say, and whether the file can keep that promise. */
struct store_head {
	dev_t dev;
	ino_t ino;
	size_t page_bytes;
	uint64_t file_bytes;
};
int store_head_check(const char *dir, struct store_head *head, struct weir_why *why);

/* The header of a page as LMDB 0.9 (data format 1, checked by head.c) lays it out. */
struct store_page {
	uint64_t number;
	uint16_t pad;
	uint16_t flags;
	uint16_t lower, upper; /* a leaf's free room lies between; of an overflow page: 32 bits, how many pages */
};
#define STORE_PAGE_LEAF     0x02u
#define STORE_PAGE_OVERFLOW 0x04u
#define STORE_PAGE_META     0x08u
#define STORE_PAGE_HEADER   16u

/* create.c */
int store_create(const struct store_spec *spec, struct weir_why *why);

/* guard.c */
int store_register(struct store *store);
void store_unregister(struct store *store);
void store_keep(struct store *store); /* one that cannot be closed any more */
bool store_is_open(dev_t dev, ino_t ino);
void store_on_assert(MDB_env *env, const char *message);
