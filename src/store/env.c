/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Opens a store, translates LMDB's errors, and keeps house: reader slots, map size, memory.  The only file that knows
 * what an LMDB error means; must never write a row. */
#include "store/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif
#define POPULATE_STEP ((size_t)2 << 20)

static const struct {
	int lmdb, err;
} errors[] = {
	{MDB_SUCCESS, 0},
	{MDB_NOTFOUND, -ENOENT},
	{MDB_KEYEXIST, -EINVAL}, /* an append that was not above the last key */
	{MDB_MAP_FULL, -ENOSPC},
	{MDB_TXN_FULL, -ENOSPC},
	{ENOSPC, -ENOSPC},
	{EDQUOT, -ENOSPC},
	{EFBIG, -ENOSPC},
	{MDB_READERS_FULL, -EBUSY},
	{MDB_TLS_FULL, -EBUSY},
	{MDB_DBS_FULL, -EINVAL},
	{MDB_PANIC, -ESTALE},
	{MDB_CORRUPTED, -EUCLEAN},
	{MDB_PAGE_NOTFOUND, -EUCLEAN},
	{MDB_CURSOR_FULL, -EUCLEAN},
	{MDB_PAGE_FULL, -EUCLEAN},
	{MDB_INVALID, -EUCLEAN},
	{MDB_VERSION_MISMATCH, -EUCLEAN},
	{MDB_INCOMPATIBLE, -EUCLEAN},
	{MDB_BAD_TXN, -EINVAL},
	{MDB_BAD_RSLOT, -EINVAL},
	{MDB_BAD_DBI, -EINVAL},
	{MDB_BAD_VALSIZE, -EINVAL},
	{MDB_MAP_RESIZED, -EBUSY}, /* only where it could not be adopted: this process reads */
};

int store_errno(struct store *store, int lmdb)
{
	if (lmdb == MDB_PANIC)
		store->broken = true;
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].lmdb == lmdb)
			return errors[i].err;
	}
	return lmdb > 0 ? -lmdb : -EIO;
}

int store_adopt_size(struct store *store)
{
	int err;

	if (store->active)
		return -EBUSY;
	err = store_errno(store, mdb_env_set_mapsize(store->env, 0));
	store->map = NULL;
	store->populated = 0;
	if (!err)
		store_find_map(store);
	else
		store->broken = true; /* LMDB has unmapped the old and has no new one */
	return err;
}

/* Every page carries its number, so one page gives the start of the map; page 0 must then look like what it is. */
static const uint8_t *map_of(const void *inside, size_t page_bytes)
{
	const uint8_t *page = (const uint8_t *)((uintptr_t)inside & ~(uintptr_t)(page_bytes - 1));
	struct store_page head;

	memcpy(&head, page, sizeof(head));
	if (head.number > ((uintptr_t)page >> 1) / page_bytes)
		return NULL;
	page -= head.number * page_bytes;
	memcpy(&head, page, sizeof(head));
	return head.number == 0 && head.flags & STORE_PAGE_META ? page : NULL;
}

static const uint8_t *find_map(struct store *store, MDB_cursor *cursor)
{
	MDB_val key, value;

	return mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == MDB_SUCCESS ? map_of(key.mv_data, store->page_bytes)
									      : NULL;
}

/* The cursor is not opened inside the guard: a fault would leave it behind. */
static void find_map_guarded(struct store *store, MDB_cursor *cursor)
{
	if (store->guarded) {
		store->map = find_map(store, cursor);
	} else if (!store_guard(store)) {
		store->map = find_map(store, cursor);
		store_unguard(store);
	}
}

void store_find_map(struct store *store)
{
	MDB_cursor *cursor;
	MDB_envinfo info;
	MDB_dbi names;
	MDB_txn *txn;

	if (store->map || mdb_env_info(store->env, &info) != MDB_SUCCESS ||
	    mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return;
	store->map_bytes = info.me_mapsize;
	if (mdb_dbi_open(txn, NULL, 0, &names) == MDB_SUCCESS && mdb_cursor_open(txn, names, &cursor) == MDB_SUCCESS) {
		find_map_guarded(store, cursor);
		mdb_cursor_close(cursor);
	}
	mdb_txn_commit(txn); /* of a reader: ends it and keeps the handle */
}

static int open_env(struct store *store, const struct store_spec *spec)
{
	int rc;

	mdb_env_set_userctx(store->env, store);
	mdb_env_set_assert(store->env, store_on_assert);
	rc = mdb_env_set_mapsize(store->env, spec->map_bytes ? spec->map_bytes : STORE_MAP_BYTES);
	if (!rc)
		rc = mdb_env_set_maxreaders(store->env, spec->readers ? spec->readers : STORE_READERS);
	if (!rc)
		rc = mdb_env_set_maxdbs(store->env, STORE_TABLES);
	if (!rc)
		rc = mdb_env_open(store->env, spec->dir, MDB_NOTLS | (spec->writer ? 0 : MDB_RDONLY), 0600);
	return store_errno(store, rc);
}

/* A writer that was killed between its meta page and the shared number of the last transaction leaves readers one
 * transaction behind for as long as any process keeps the lock file alive.  The next writer puts the number right when
 * it takes the lock, so it takes it once before anybody reads. */
static int recover(struct store *store)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (rc == MDB_SUCCESS)
		mdb_txn_abort(txn);
	return rc == MDB_MAP_RESIZED ? 0 : store_errno(store, rc);
}

static int open_checked(struct store *store, const struct store_spec *spec, struct weir_why *why)
{
	struct store_head head;
	int err;

	err = store_head_check(spec->dir, &head, why);
	if (err)
		return err;
	if (store_is_open(head.dev, head.ino))
		return why_set(why, -EINVAL, "the store at %s is already open in this process", spec->dir);
	store->dev = head.dev;
	store->ino = head.ino;
	store->page_bytes = head.page_bytes;
	store->writer = spec->writer;
	store->scrub = spec->writer && spec->scrub;
	err = store_errno(store, mdb_env_create(&store->env));
	if (!err)
		err = open_env(store, spec);
	if (!err && spec->writer)
		err = recover(store);
	if (!err)
		err = store_register(store);
	if (err)
		return why_set(why, err, "the store at %s cannot be opened: %s", spec->dir, strerror(-err));
	store_find_map(store);
	if (store->broken)
		return why_set(why, -EUCLEAN, "the store at %s is damaged: its table of tables cannot be read",
			       spec->dir);
	return 0;
}

int store_open(const struct store_spec *spec, struct store **store, struct weir_why *why)
{
	struct store *new;
	int err;

	*store = NULL;
	if (spec->create && !spec->writer)
		return why_set(why, -EINVAL, "a reader does not create a store");
	err = spec->create ? store_create(spec, why) : 0;
	if (err)
		return err;
	new = calloc(1, sizeof(*new));
	if (!new)
		return why_set(why, -ENOMEM, "out of memory");
	err = open_checked(new, spec, why);
	if (err) {
		store_close(new);
		return err;
	}
	*store = new;
	return 0;
}

/* After a fault LMDB may have been left in the middle of anything, its lock held by this very thread: to unmap the lock
 * would leave a dangling link in the thread's list of robust locks, and to end a transaction may fault again.  So the
 * mapping is left where it is; that costs address space and descriptors once for each fault. */
static void leave_behind(struct store *store)
{
	store_unregister(store);
	store_keep(store);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->faulted) {
		leave_behind(store);
		return;
	}
	if (store->scrub_view)
		mdb_txn_abort(store->scrub_view);
	if (store->scrub_lock)
		mdb_txn_abort(store->scrub_lock);
	store_unregister(store);
	if (store->env)
		mdb_env_close(store->env);
	free(store);
}

int store_usage(struct store *store, struct store_usage *usage)
{
	MDB_envinfo info;
	struct stat stat;
	int fd, err;

	memset(usage, 0, sizeof(*usage));
	if (store->broken)
		return -ESTALE;
	err = store_errno(store, mdb_env_info(store->env, &info));
	if (!err)
		err = store_errno(store, mdb_env_get_fd(store->env, &fd));
	if (!err && fstat(fd, &stat) < 0)
		err = -errno;
	if (err)
		return err;
	usage->map_bytes = info.me_mapsize;
	usage->used_bytes = (info.me_last_pgno + 1) * store->page_bytes;
	usage->file_bytes = (uint64_t)stat.st_size;
	usage->readers = info.me_numreaders;
	usage->readers_max = info.me_maxreaders;
	return 0;
}

static size_t populate_limit(struct store *store)
{
	struct store_usage usage;
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	if (!store->map || store_usage(store, &usage) < 0)
		return 0;
	if (usage.used_bytes > usage.file_bytes)
		usage.used_bytes = usage.file_bytes;
	return (size_t)(usage.used_bytes < memory / 2 ? usage.used_bytes : memory / 2);
}

static unsigned ms_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned)((now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000);
}

void store_populate(struct store *store, unsigned max_ms)
{
	struct timespec begin;
	size_t limit, step;

	store_find_map(store);
	limit = populate_limit(store);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (store->populated < limit) {
		step = limit - store->populated < POPULATE_STEP ? limit - store->populated : POPULATE_STEP;
		if (madvise((void *)(store->map + store->populated), step, MADV_POPULATE_READ) < 0)
			return;
		store->populated += step;
		if (ms_since(&begin) >= max_ms)
			return;
	}
}

int store_sweep(struct store *store)
{
	int dead = 0, err;

	if (store->broken)
		return -ESTALE;
	err = store_errno(store, mdb_reader_check(store->env, &dead));
	return err ? err : dead;
}

bool store_is_broken(const struct store *store)
{
	return store->broken;
}
