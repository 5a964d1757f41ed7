/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reads the two meta pages of a store before LMDB does, and refuses in words what LMDB would believe or die of: a file
 * shorter than it claims, another data format, pages of another machine, meta pages that do not follow each other.
 *
 * The layout is LMDB 0.9's (data format 1), which is frozen: 1.0 has a format number of its own and is refused.  Reads
 * through a descriptor of its own, which is safe: LMDB's locks are on the lock file. */
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC    0xBEEFC0DEu
#define FORMAT   1u
#define FIXEDMAP 0x01u

struct tree {
	uint32_t pad; /* of the first tree: bytes of a page */
	uint16_t flags, depth;
	uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta {
	struct store_page page;
	uint32_t magic, format;
	uint64_t address, map_bytes;
	struct tree tree[2]; /* free pages; names of tables */
	uint64_t last_page, txn;
};

static int read_meta(int fd, off_t at, struct meta *meta)
{
	ssize_t n = pread(fd, meta, sizeof(*meta), at);

	return n == sizeof(*meta) ? 0 : n < 0 ? -errno : -EUCLEAN;
}

static int check_meta(const char *dir, const struct meta *meta, unsigned number, struct weir_why *why)
{
	uint32_t page_bytes = meta->tree[0].pad;

	if (!(meta->page.flags & STORE_PAGE_META) || meta->magic != MAGIC)
		return why_set(why, -EUCLEAN, "%s/data.mdb is not an LMDB file, or its header %u is damaged", dir,
			       number);
	if (meta->format != FORMAT)
		return why_set(why, -EUCLEAN, "%s/data.mdb is of LMDB data format %u, this program reads format %u",
			       dir, meta->format, FORMAT);
	if (page_bytes < 512 || page_bytes > 32768 || page_bytes & (page_bytes - 1))
		return why_set(why, -EUCLEAN, "%s/data.mdb: header %u is damaged: pages of %u bytes", dir, number,
			       page_bytes);
	if (page_bytes > sysconf(_SC_PAGESIZE))
		return why_set(why, -EUCLEAN, "%s/data.mdb was made on a machine with larger pages (%u bytes)", dir,
			       page_bytes);
	if (meta->tree[0].flags & FIXEDMAP || meta->page.number != number || (meta->txn && (meta->txn & 1) != number))
		return why_set(why, -EUCLEAN, "%s/data.mdb: header %u is damaged", dir, number);
	return 0;
}

/* A commit writes the header whose turn it is, so their numbers are neighbours; a single damaged bit seldom leaves it
 * so. */
static bool follow_each_other(const struct meta *a, const struct meta *b)
{
	return a->txn + 1 == b->txn || b->txn + 1 == a->txn || (!a->txn && !b->txn);
}

static int check_file(const char *dir, int fd, struct store_head *head, struct weir_why *why)
{
	struct meta meta[2];
	const struct meta *newest;
	int err;

	err = read_meta(fd, 0, &meta[0]);
	if (!err)
		err = check_meta(dir, &meta[0], 0, why);
	else
		err = why_set(why, err, "%s/data.mdb is too short to be a store, or cannot be read: %s", dir,
			      strerror(-err));
	if (err)
		return err;
	head->page_bytes = meta[0].tree[0].pad;
	err = read_meta(fd, (off_t)head->page_bytes, &meta[1]);
	if (err)
		return why_set(why, err, "%s/data.mdb is too short to be a store, or cannot be read: %s", dir,
			       strerror(-err));
	err = check_meta(dir, &meta[1], 1, why);
	if (err)
		return err;
	if (meta[1].tree[0].pad != head->page_bytes || !follow_each_other(&meta[0], &meta[1]))
		return why_set(why, -EUCLEAN, "%s/data.mdb: its two headers do not follow each other: one is damaged",
			       dir);
	newest = meta[0].txn < meta[1].txn ? &meta[1] : &meta[0];
	if (newest->last_page < 1 || newest->last_page >= head->file_bytes / head->page_bytes)
		return why_set(why, -EUCLEAN,
			       "%s/data.mdb has %" PRIu64 " bytes, too few for page %" PRIu64
			       " that its header names: it was cut short",
			       dir, head->file_bytes, newest->last_page);
	return 0;
}

int store_head_check(const char *dir, struct store_head *head, struct weir_why *why)
{
	char path[4096];
	struct stat stat = {0};
	int fd, err;

	memset(head, 0, sizeof(*head));
	if (snprintf(path, sizeof(path), "%s/data.mdb", dir) >= (int)sizeof(path))
		return why_set(why, -ENAMETOOLONG, "the path of the store is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return why_set(why, -ENOENT, "there is no store at %s", dir);
	if (fd < 0)
		return why_set(why, -errno, "%s cannot be opened: %s", path, strerror(errno));
	err = fstat(fd, &stat) < 0 ? -errno : 0;
	head->dev = stat.st_dev;
	head->ino = stat.st_ino;
	head->file_bytes = (uint64_t)stat.st_size;
	if (!err)
		err = check_file(dir, fd, head, why);
	close(fd);
	return err;
}
