/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Overwrites the pages that a commit freed.
 *
 * LMDB never changes a page in place: each commit leaves the old copies of what it touched in free pages, whole and
 * plausible, until they are reused.  One damaged bit in a pointer (of a branch page, a table's root, a meta page) can
 * lead back to such a copy, and no checksum inside it can tell that it is of yesterday.  So they are overwritten with
 * zeros, which LMDB takes for no kind of page (MDB_CORRUPTED).  Remains of rows in the free room of live pages are
 * another matter: read.c refuses a value that lies there.
 *
 * When it is safe.  A page freed by transaction F belongs to snapshots before F only.  Commit F is durable, its meta
 * page is the newest, the next commit will overwrite the older one: so no crash can bring back a snapshot before F.
 * Left are readers, and those are asked for, under the writer's lock; new ones begin at the newest snapshot.  The zeros
 * need no sync of their own: lost, they are written again when the store is next opened.
 *
 * On a disk that lies about syncs this can cost the store what LMDB alone might have saved, the snapshot before: so it
 * is for stores that can be built again.  Must never write to a page that the free list does not name. */
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_PAGES 16u /* neighbours are written together */

struct scrub {
	struct store *store;
	int fd;
	uint64_t upto; /* freed by this transaction or an earlier one */
	uint64_t last_page;
	bool look_first; /* most are zeros already: read before writing */
	uint8_t *zeros;
};

/* A line of mdb_reader_list: "pid thread txn", or "-" where that slot reads nothing now. */
static int older_reader(const char *line, void *data)
{
	uint64_t *oldest = data;
	unsigned long long txn;

	if (sscanf(line, "%*d %*x %llu", &txn) == 1 && txn < *oldest)
		*oldest = txn;
	return 0;
}

static bool is_zero_already(const struct scrub *scrub, uint64_t page)
{
	static const uint8_t none[STORE_PAGE_HEADER];
	uint8_t head[STORE_PAGE_HEADER];

	return pread(scrub->fd, head, sizeof(head), (off_t)(page * scrub->store->page_bytes)) == sizeof(head) &&
	       !memcmp(head, none, sizeof(head));
}

static int write_zeros(const struct scrub *scrub, uint64_t page, unsigned n)
{
	size_t len = n * scrub->store->page_bytes;

	return pwrite(scrub->fd, scrub->zeros, len, (off_t)(page * scrub->store->page_bytes)) == (ssize_t)len ? 0
													      : -EIO;
}

/* One record of the free list: how many, then page numbers in descending order. */
static int scrub_record(const struct scrub *scrub, const MDB_val *value)
{
	const uint64_t *pages = value->mv_data;
	uint64_t n = value->mv_size / sizeof(*pages), i, run;
	int err = 0;

	if (!n || pages[0] > n - 1)
		return -EUCLEAN;
	n = pages[0];
	for (i = 1; i <= n && !err; i += run) {
		run = 1;
		if (pages[i] < 2 || pages[i] > scrub->last_page)
			return -EUCLEAN;
		if (scrub->look_first && is_zero_already(scrub, pages[i]))
			continue;
		while (run < RUN_PAGES && i + run <= n && pages[i + run] == pages[i] - run && pages[i] > run + 1)
			run++;
		err = write_zeros(scrub, pages[i + run - 1], (unsigned)run);
	}
	return err;
}

/* What a large transaction wrote ahead and then gave up lies behind the last page: nothing leads there, but later
 * commits grow into it. */
static int cut_rest(const struct scrub *scrub)
{
	off_t end = (off_t)((scrub->last_page + 1) * scrub->store->page_bytes);
	struct stat stat;

	if (fstat(scrub->fd, &stat) < 0 || (stat.st_size > end && ftruncate(scrub->fd, end) < 0))
		return -errno;
	return 0;
}

/* The free list is LMDB's table 0: readable in a read transaction, keyed by the transaction that freed. */
static int scrub_all(struct scrub *scrub, MDB_txn *view)
{
	uint64_t from = scrub->store->scrubbed + 1;
	MDB_val key = {sizeof(from), &from}, value;
	MDB_cursor *cursor;
	int rc, err = 0;

	rc = mdb_cursor_open(view, 0, &cursor);
	if (rc)
		return store_errno(scrub->store, rc);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	for (; !rc && !err; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size != sizeof(from) || *(const uint64_t *)key.mv_data > scrub->upto)
			break;
		err = scrub_record(scrub, &value);
	}
	mdb_cursor_close(cursor);
	return err ? err : rc == MDB_NOTFOUND ? 0 : store_errno(scrub->store, rc);
}

static int scrub_locked(struct store *store, MDB_txn *view)
{
	uint64_t now = mdb_txn_id(view);
	struct scrub scrub = {.store = store, .upto = now, .look_first = !store->scrubbed};
	MDB_envinfo info;
	int err;

	mdb_reader_list(store->env, older_reader, &scrub.upto);
	if (scrub.upto > store->scrubbed) {
		err = store_errno(store, mdb_env_get_fd(store->env, &scrub.fd));
		if (!err)
			err = store_errno(store, mdb_env_info(store->env, &info));
		scrub.last_page = info.me_last_pgno;
		scrub.zeros = err ? NULL : calloc(RUN_PAGES, store->page_bytes);
		if (!err && !scrub.zeros)
			err = -ENOMEM;
		if (!err && scrub.look_first)
			err = cut_rest(&scrub);
		if (!err)
			err = scrub_all(&scrub, view);
		free(scrub.zeros);
		if (err)
			return err;
		store->scrubbed = scrub.upto;
	}
	return scrub.upto < now;
}

int store_scrub(struct store *store)
{
	int err;

	if (store->broken)
		return -ESTALE;
	if (!store->writer)
		return -EINVAL;
	/* both are kept in the store: should reading fault inside a guard, store_close lets go of them */
	err = store_errno(store, mdb_txn_begin(store->env, NULL, 0, &store->scrub_lock));
	if (err)
		return err;
	err = store_errno(store, mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->scrub_view));
	if (!err) {
		err = scrub_locked(store, store->scrub_view);
		mdb_txn_abort(store->scrub_view);
	}
	mdb_txn_abort(store->scrub_lock);
	store->scrub_view = store->scrub_lock = NULL;
	return err;
}
