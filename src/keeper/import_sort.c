/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Runs, their sorting and merging, and the spool: see the header.  Files are unlinked at birth, so a crash leaves
 * nothing. */

#define _GNU_SOURCE /* O_TMPFILE */
#include "keeper/import_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_unlinked(const char *dir)
{
	char path[4096];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd >= 0 ? fd : -errno;
	if (snprintf(path, sizeof(path), "%s/.import.XXXXXX", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int write_all(int fd, const void *bytes, size_t len, uint64_t offset)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int read_all(int fd, void *bytes, size_t len, uint64_t offset)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* --- sorting a run ---------------------------------------------------------------------------- */

#define RADIX_BITS   11
#define RADIX_SIZE   (1u << RADIX_BITS)
#define RADIX_PASSES 5 /* 55 bits: imei and version have 54 */

struct radix {
	uint32_t count[RADIX_PASSES][RADIX_SIZE];
};

static void radix_count(struct radix *radix, const struct sort_row *rows, unsigned n)
{
	memset(radix, 0, sizeof(*radix));
	for (unsigned i = 0; i < n; i++) {
		uint64_t key = rows[i].key;

		for (unsigned pass = 0; pass < RADIX_PASSES; pass++, key >>= RADIX_BITS)
			radix->count[pass][key & (RADIX_SIZE - 1)]++;
	}
}

static void radix_scatter(uint32_t *at, unsigned shift, const struct sort_row *from, struct sort_row *to, unsigned n)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < RADIX_SIZE; i++) {
		uint32_t count = at[i];

		at[i] = sum;
		sum += count;
	}
	for (unsigned i = 0; i < n; i++)
		to[at[from[i].key >> shift & (RADIX_SIZE - 1)]++] = from[i];
}

/* Returns which of the two holds the result. A digit that is the same in all rows costs nothing. */
static struct sort_row *radix_sort(struct radix *radix, struct sort_row *rows, struct sort_row *other, unsigned n)
{
	radix_count(radix, rows, n);
	for (unsigned pass = 0; n > 0 && pass < RADIX_PASSES; pass++) {
		unsigned shift = pass * RADIX_BITS;
		struct sort_row *swap = rows;

		if (radix->count[pass][rows[0].key >> shift & (RADIX_SIZE - 1)] == n)
			continue;
		radix_scatter(radix->count[pass], shift, rows, other, n);
		rows = other;
		other = swap;
	}
	return rows;
}

/* --- runs ------------------------------------------------------------------------------------- */

/* A window of one run; what is behind it is still in the file. */
struct run {
	const struct sort_row *at, *end;
	struct sort_row *window;
	uint64_t next, last; /* rows of the file; a run in memory is its window */
};

#define RUN_WINDOW 4096 /* rows: 64 KiB */

struct sort {
	char *dir;
	unsigned run_rows, in_memory, filled;
	struct sort_row *rows, *other; /* the run being filled; scratch */
	struct radix *radix;
	int fd;
	uint64_t kept, spilled; /* rows in runs; of these, in the file */
	struct run *run;
	unsigned n_runs, size_runs;
	int err;
	/* merging: a tree of losers over the runs, leaf i plays at (i + n_leaves) / 2 */
	unsigned *loser;
	uint64_t *head; /* the key each run is at, close together */
	unsigned n_leaves, winner;
	bool sealed;
};

struct sort *sort_alloc(const char *dir, unsigned run_rows, unsigned runs_in_memory)
{
	struct sort *sort = calloc(1, sizeof(*sort));

	if (!sort)
		return NULL;
	sort->fd = -1;
	sort->run_rows = run_rows;
	sort->in_memory = runs_in_memory;
	sort->dir = strdup(dir);
	if (!sort->dir) {
		free(sort);
		return NULL;
	}
	return sort;
}

static void runs_free(struct sort *sort)
{
	free(sort->rows);
	free(sort->other);
	free(sort->radix);
	sort->rows = sort->other = NULL;
	sort->radix = NULL;
}

void sort_free(struct sort *sort)
{
	if (!sort)
		return;
	if (sort->fd >= 0)
		close(sort->fd);
	runs_free(sort);
	for (unsigned i = 0; i < sort->n_runs; i++)
		free(sort->run[i].window);
	free(sort->run);
	free(sort->loser);
	free(sort->head);
	free(sort->dir);
	free(sort);
}

#define HUGE_PAGE (2u << 20)

/* Scattering over two thousand places is slow through small pages. */
static struct sort_row *rows_alloc(unsigned rows)
{
	size_t size = (rows * sizeof(struct sort_row) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *memory = aligned_alloc(HUGE_PAGE, size);

	if (memory)
		madvise(memory, size, MADV_HUGEPAGE); /* best effort */
	return memory;
}

static int sort_prepare(struct sort *sort)
{
	sort->rows = rows_alloc(sort->run_rows);
	sort->other = rows_alloc(sort->run_rows);
	sort->radix = malloc(sizeof(*sort->radix));
	return sort->rows && sort->other && sort->radix ? 0 : -ENOMEM;
}

static void run_sort(struct sort *sort)
{
	if (radix_sort(sort->radix, sort->rows, sort->other, sort->filled) == sort->other) {
		struct sort_row *swap = sort->rows;

		sort->rows = sort->other;
		sort->other = swap;
	}
}

static int run_spill(struct sort *sort, struct run *run)
{
	int rc;

	if (sort->fd < 0)
		sort->fd = file_unlinked(sort->dir);
	if (sort->fd < 0)
		return sort->fd;
	rc = write_all(sort->fd, sort->rows, sort->filled * sizeof(*sort->rows), sort->spilled * sizeof(*sort->rows));
	if (rc < 0)
		return rc;
	run->next = sort->spilled;
	sort->spilled += sort->filled;
	run->last = sort->spilled;
	return 0;
}

/* The filled run is sorted and put by: as it lies in memory, or into the file. */
static int run_keep(struct sort *sort)
{
	struct run *larger, run = {0};
	int rc = 0;

	if (sort->n_runs == sort->size_runs) {
		unsigned size = sort->size_runs ? sort->size_runs * 2 : 16;

		larger = reallocarray(sort->run, size, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		sort->run = larger;
		sort->size_runs = size;
	}
	run_sort(sort);
	if (sort->n_runs < sort->in_memory) {
		run.at = run.window = sort->rows;
		run.end = run.at + sort->filled;
		sort->rows = NULL;
	} else {
		rc = run_spill(sort, &run);
	}
	if (rc < 0)
		return rc;
	sort->run[sort->n_runs++] = run;
	sort->kept += sort->filled;
	sort->filled = 0;
	if (!sort->rows)
		sort->rows = rows_alloc(sort->run_rows);
	return sort->rows ? 0 : -ENOMEM;
}

int sort_add(struct sort *sort, uint64_t key, uint64_t rest)
{
	int rc = 0;

	if (!sort->radix)
		rc = sort_prepare(sort);
	else if (sort->filled == sort->run_rows)
		rc = run_keep(sort);
	if (rc < 0)
		return rc;
	sort->rows[sort->filled++] = (struct sort_row){key, rest};
	return 0;
}

uint64_t sort_count(const struct sort *sort)
{
	return sort->kept + sort->filled;
}

/* --- merging ---------------------------------------------------------------------------------- */

#define KEY_NONE UINT64_MAX /* of a run that is used up: it loses to all */

static void run_head(struct sort *sort, unsigned i)
{
	sort->head[i] = sort->run[i].at < sort->run[i].end ? sort->run[i].at->key : KEY_NONE;
}

/* Among equal keys the earlier run wins. */
static bool run_beats(const struct sort *sort, unsigned a, unsigned b)
{
	return sort->head[a] != sort->head[b] ? sort->head[a] < sort->head[b] : a < b;
}

static unsigned tree_build(struct sort *sort, unsigned node)
{
	unsigned left, right;

	if (node >= sort->n_leaves)
		return node - sort->n_leaves;
	left = tree_build(sort, node * 2);
	right = tree_build(sort, node * 2 + 1);
	if (run_beats(sort, left, right)) {
		sort->loser[node] = right;
		return left;
	}
	sort->loser[node] = left;
	return right;
}

/* Read on, where the window is used up and the run is not.  A run that cannot be read ends, and err says why. */
static int run_refill(struct sort *sort, struct run *run)
{
	uint64_t n = run->last - run->next < RUN_WINDOW ? run->last - run->next : RUN_WINDOW;
	int rc;

	if (run->at < run->end || n == 0)
		return 0;
	rc = read_all(sort->fd, run->window, n * sizeof(*run->window), run->next * sizeof(*run->window));
	if (rc < 0) {
		sort->err = rc;
		return rc;
	}
	run->next += n;
	run->at = run->window;
	run->end = run->window + n;
	return 0;
}

static int merge_prepare(struct sort *sort)
{
	sort->n_leaves = sort->n_runs;
	sort->loser = calloc(sort->n_leaves, sizeof(*sort->loser));
	sort->head = calloc(sort->n_leaves, sizeof(*sort->head));
	if (!sort->loser || !sort->head)
		return -ENOMEM;
	for (unsigned i = 0; i < sort->n_runs; i++) {
		struct run *run = &sort->run[i];
		int rc = 0;

		if (!run->window) {
			run->window = malloc(RUN_WINDOW * sizeof(*run->window));
			rc = run->window ? run_refill(sort, run) : -ENOMEM;
		}
		if (rc < 0)
			return rc;
		run_head(sort, i);
	}
	sort->winner = tree_build(sort, 1);
	return 0;
}

int sort_seal(struct sort *sort)
{
	int rc;

	if (sort->sealed)
		return 0;
	rc = sort->filled ? run_keep(sort) : 0;
	if (rc < 0)
		return rc;
	runs_free(sort);
	sort->sealed = true;
	return sort->n_runs ? merge_prepare(sort) : 0;
}

int sort_next(struct sort *sort, struct sort_row *row)
{
	unsigned winner = sort->winner;
	struct run *run;

	if (sort->err < 0)
		return sort->err;
	if (sort->n_runs == 0)
		return 0;
	run = &sort->run[winner];
	if (run->at == run->end)
		return 0;
	*row = *run->at++;
	if (run->at == run->end && run_refill(sort, run) < 0)
		return sort->err;
	run_head(sort, winner);
	for (unsigned node = (winner + sort->n_leaves) / 2; node > 0; node /= 2) {
		unsigned loser = sort->loser[node];

		if (run_beats(sort, loser, winner)) {
			sort->loser[node] = winner;
			winner = loser;
		}
	}
	sort->winner = winner;
	return 1;
}

/* --- the spool -------------------------------------------------------------------------------- */

#define SPOOL_IN_MEMORY (8u << 20)

struct spool {
	char *dir;
	uint8_t *bytes; /* what is not in the file yet, then nothing: begins at offset in_file */
	size_t filled;
	uint64_t in_file;
	int fd;
};

struct spool *spool_alloc(const char *dir)
{
	struct spool *spool = calloc(1, sizeof(*spool));

	if (!spool)
		return NULL;
	spool->fd = -1;
	spool->dir = strdup(dir);
	spool->bytes = malloc(SPOOL_IN_MEMORY);
	if (!spool->dir || !spool->bytes) {
		spool_free(spool);
		return NULL;
	}
	return spool;
}

void spool_free(struct spool *spool)
{
	if (!spool)
		return;
	if (spool->fd >= 0)
		close(spool->fd);
	free(spool->bytes);
	free(spool->dir);
	free(spool);
}

static int spool_spill(struct spool *spool)
{
	int rc;

	if (spool->fd < 0)
		spool->fd = file_unlinked(spool->dir);
	if (spool->fd < 0)
		return spool->fd;
	rc = write_all(spool->fd, spool->bytes, spool->filled, spool->in_file);
	if (rc < 0)
		return rc;
	spool->in_file += spool->filled;
	spool->filled = 0;
	return 0;
}

int spool_append(struct spool *spool, const void *bytes, size_t len)
{
	if (len > SPOOL_IN_MEMORY)
		return -EINVAL;
	if (spool->filled + len > SPOOL_IN_MEMORY) {
		int rc = spool_spill(spool);

		if (rc < 0)
			return rc;
	}
	memcpy(spool->bytes + spool->filled, bytes, len);
	spool->filled += len;
	return 0;
}

uint64_t spool_size(const struct spool *spool)
{
	return spool->in_file + spool->filled;
}

int spool_read(struct spool *spool, uint64_t offset, void *bytes, size_t len)
{
	size_t from_file = 0;

	if (len > spool_size(spool) || offset > spool_size(spool) - len)
		return -EINVAL;
	if (offset < spool->in_file) {
		int rc;

		from_file = spool->in_file - offset < len ? (size_t)(spool->in_file - offset) : len;
		rc = read_all(spool->fd, bytes, from_file, offset);
		if (rc < 0)
			return rc;
	}
	if (from_file < len)
		memcpy((uint8_t *)bytes + from_file, spool->bytes + (offset + from_file - spool->in_file),
		       len - from_file);
	return 0;
}
