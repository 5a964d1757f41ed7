/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The store of sightings.  One table, "pair": key imei (8 octets, big-endian) and imsi (8, its packed form,
 * big-endian), so that one device's subscribers stand together; value SEEN_VALUE octets, little-endian.  Never fails
 * its caller. */
#include "keeper/seen.h"

#include <osmocom/core/bit32gen.h>
#include <osmocom/core/bit64gen.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/utils.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/main.h"
#include "store/store.h"

#define SEEN_BUFFER 4096
#define SEEN_KEY    16
#define SEEN_VALUE  (4 + 4 + 1 + 1 + SIGHTING_PEER_MAX)
#define SWEEP_LOOK  4096 /* entries looked at in a sweep */
#define SWEEP_DROP  512  /* of those forgotten at most */
#define SEEN_MAP    (UINT64_C(16) << 30)

struct seen {
	char dir[4096];
	struct store *store;
	struct store_table table;
	struct seen_limits limits;
	struct seen_stats stats;
	uint8_t swept_to[SEEN_KEY];
	unsigned n;
	struct weir_sighting buffer[SEEN_BUFFER];
};

static void key_encode(uint8_t key[static SEEN_KEY], uint64_t imei, struct weir_imsi imsi)
{
	osmo_store64be(imei, key);
	osmo_store64be(imsi.packed, key + 8);
}

static void value_encode(uint8_t value[static SEEN_VALUE], const struct seen_by *by)
{
	memset(value, 0, SEEN_VALUE);
	osmo_store32le(by->first_s, value);
	osmo_store32le(by->last_s, value + 4);
	value[8] = (uint8_t)by->svn;
	value[9] = by->interface;
	memcpy(value + 10, by->peer, strnlen(by->peer, SIGHTING_PEER_MAX));
}

static int value_decode(const struct store_val *value, struct seen_by *by)
{
	const uint8_t *at = value->data;

	if (value->len != SEEN_VALUE)
		return -EUCLEAN;
	by->first_s = osmo_load32le(at);
	by->last_s = osmo_load32le(at + 4);
	by->svn = (int8_t)at[8];
	by->interface = at[9];
	memcpy(by->peer, at + 10, SIGHTING_PEER_MAX);
	by->peer[SIGHTING_PEER_MAX] = '\0';
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static int table_open(struct seen *seen)
{
	struct store_txn txn;
	int rc = store_write_begin(seen->store, &txn);

	if (rc < 0)
		return rc;
	rc = store_table_open(&txn, "pair", STORE_KEYS_BYTES, &seen->table);
	if (rc == 0)
		rc = store_count(&txn, seen->table, &seen->stats.entries);
	if (rc < 0) {
		store_abort(&txn);
		return rc;
	}
	return store_commit(&txn);
}

static int try_open(struct seen *seen, struct weir_why *why)
{
	const struct store_spec spec = {.dir = seen->dir, .map_bytes = SEEN_MAP, .writer = true, .create = true};
	int rc = store_open(&spec, &seen->store, why);

	if (rc < 0)
		return rc;
	rc = table_open(seen);
	if (rc < 0) {
		store_close(seen->store);
		seen->store = NULL;
		why_set(why, rc, "%s: %s", seen->dir, strerror(-rc));
	}
	return rc;
}

static void remove_store(const char *dir)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char path[4200];

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* Damaged or not: afterwards there is one, unless the disk refuses. */
static int open_or_renew(struct seen *seen, struct weir_why *why)
{
	int rc = try_open(seen, why);

	if (rc != -EUCLEAN && rc != -EINVAL)
		return rc;
	LOGP(DSEEN, LOGL_NOTICE, "the store of sightings is damaged (%s): made anew, empty\n", why ? why->text : "");
	remove_store(seen->dir);
	return try_open(seen, why);
}

int seen_open(const char *state_dir, const struct seen_limits *limits, struct seen **out, struct weir_why *why)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	int rc;

	*out = NULL;
	if (!seen)
		return why_set(why, -ENOMEM, "no memory");
	seen->limits = *limits;
	snprintf(seen->dir, sizeof(seen->dir), "%s/seen", state_dir);
	rc = open_or_renew(seen, why);
	if (rc < 0) {
		free(seen);
		return rc;
	}
	*out = seen;
	return 0;
}

void seen_close(struct seen *seen)
{
	if (!seen)
		return;
	seen_flush(seen);
	store_close(seen->store);
	free(seen);
}

void seen_set_limits(struct seen *seen, const struct seen_limits *limits)
{
	seen->limits = *limits;
}

/* A store that failed is closed and opened again, renewed where it was damaged.  True where there is one. */
static bool is_usable(struct seen *seen)
{
	return seen->store || open_or_renew(seen, NULL) == 0;
}

static void give_up(struct seen *seen, int err)
{
	seen->stats.failed++;
	LOGP(DSEEN, LOGL_ERROR, "the store of sightings failed: %s; opened again\n", strerror(-err));
	store_close(seen->store);
	seen->store = NULL;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void by_from_sighting(const struct weir_sighting *sighting, struct seen_by *by)
{
	*by = (struct seen_by){.imsi = sighting->imsi,
			       .first_s = sighting->time_s,
			       .last_s = sighting->time_s,
			       .svn = sighting->svn,
			       .interface = sighting->interface};
	memcpy(by->peer, sighting->peer, sizeof(by->peer));
}

/* a then b, of the same pair: the later one's circumstances, the earlier one's beginning. */
static void by_merge(struct seen_by *a, const struct seen_by *b)
{
	uint32_t first = OSMO_MIN(a->first_s, b->first_s);

	if (b->last_s >= a->last_s)
		*a = *b;
	a->first_s = first;
}

static void put_one(struct seen *seen, struct store_txn *txn, const struct weir_sighting *sighting)
{
	uint8_t key[SEEN_KEY], value[SEEN_VALUE];
	const struct store_val k = {key, sizeof(key)}, v = {value, sizeof(value)};
	struct store_val old;
	struct seen_by by, before;
	int rc;

	by_from_sighting(sighting, &by);
	key_encode(key, sighting->imei, sighting->imsi);
	rc = store_get(txn, seen->table, k, &old);
	if (rc == 0 && value_decode(&old, &before) == 0) {
		before.imsi = by.imsi;
		by_merge(&before, &by);
		by = before;
	} else if (rc == -ENOENT) {
		if (seen->stats.entries >= seen->limits.max) {
			seen->stats.dropped++;
			return;
		}
		seen->stats.entries++;
	}
	value_encode(value, &by);
	store_put(txn, seen->table, k, v);
}

int seen_flush(struct seen *seen)
{
	struct store_txn txn;
	uint64_t entries = seen->stats.entries;
	unsigned n = seen->n;
	int rc;

	seen->n = 0;
	if (!n)
		return 0;
	if (!is_usable(seen)) {
		seen->stats.dropped += n;
		return -EIO;
	}
	rc = store_write_begin(seen->store, &txn);
	if (rc == 0) {
		for (unsigned i = 0; i < n; i++)
			put_one(seen, &txn, &seen->buffer[i]);
		rc = store_commit(&txn);
	}
	if (rc < 0) {
		seen->stats.entries = entries;
		seen->stats.dropped += n;
		give_up(seen, rc);
	}
	return rc;
}

/* The name goes into answers: printable ASCII only. */
static void clean_name(char name[static SIGHTING_PEER_MAX + 1])
{
	name[SIGHTING_PEER_MAX] = '\0';
	for (; *name; name++) {
		if (*name < 0x20 || *name > 0x7e)
			*name = '?';
	}
}

void seen_note(struct seen *seen, const struct weir_sighting *sightings, unsigned n, uint32_t now_s)
{
	for (unsigned i = 0; i < n; i++) {
		struct weir_sighting *slot;

		if (seen->n == SEEN_BUFFER)
			seen_flush(seen);
		slot = &seen->buffer[seen->n++];
		*slot = sightings[i];
		slot->time_s = OSMO_MIN(slot->time_s, now_s);
		clean_name(slot->peer);
		seen->stats.noted++;
	}
}

/* --- forgetting ------------------------------------------------------------------------------------------------- */

/* Collect keys last seen before the limit, from swept_to on. */
static int collect_old(struct seen *seen, uint32_t before_s, uint8_t old[][SEEN_KEY], unsigned *n)
{
	struct store_val key = {seen->swept_to, SEEN_KEY}, value;
	struct store_cursor cursor;
	struct store_txn txn;
	struct seen_by by;
	unsigned looked = 0;
	int rc = store_read_begin(seen->store, &txn);

	if (rc < 0)
		return rc;
	rc = store_cursor_open(&txn, seen->table, &cursor);
	if (rc == 0) {
		rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
		while (rc == 0 && looked++ < SWEEP_LOOK && *n < SWEEP_DROP && key.len == SEEN_KEY) {
			if (value_decode(&value, &by) < 0 || by.last_s < before_s)
				memcpy(old[(*n)++], key.data, SEEN_KEY);
			memcpy(seen->swept_to, key.data, SEEN_KEY);
			rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value);
		}
		if (rc == -ENOENT) { /* the end: begin again */
			memset(seen->swept_to, 0, SEEN_KEY);
			rc = 0;
		}
		store_cursor_close(&cursor);
	}
	store_read_end(&txn);
	return rc;
}

static int drop_all(struct seen *seen, uint8_t old[][SEEN_KEY], unsigned n)
{
	struct store_txn txn;
	unsigned dropped = 0;
	int rc = store_write_begin(seen->store, &txn);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < n; i++)
		dropped += store_delete(&txn, seen->table, (struct store_val){old[i], SEEN_KEY}) == 0;
	rc = store_commit(&txn);
	if (rc == 0) {
		seen->stats.expired += dropped;
		seen->stats.entries -= OSMO_MIN(seen->stats.entries, dropped);
	}
	return rc;
}

void seen_sweep(struct seen *seen, uint32_t now_s)
{
	uint8_t old[SWEEP_DROP][SEEN_KEY];
	uint64_t span_s = (uint64_t)seen->limits.days * 86400;
	unsigned n = 0;
	int rc;

	if (!is_usable(seen) || span_s >= now_s)
		return;
	rc = collect_old(seen, now_s - (uint32_t)span_s, old, &n);
	if (rc == 0 && n)
		rc = drop_all(seen, old, n);
	if (rc < 0)
		give_up(seen, rc);
}

/* --- questions -------------------------------------------------------------------------------------------------- */

struct answer {
	struct seen_by *by;
	unsigned n, max;
};

/* Insert by time, the latest first; what falls off the end is forgotten. */
static void answer_add(struct answer *answer, const struct seen_by *by)
{
	unsigned i = answer->n;

	if (i == answer->max && (!i || answer->by[i - 1].last_s >= by->last_s))
		return;
	if (i < answer->max)
		answer->n++;
	else
		i--;
	for (; i > 0 && answer->by[i - 1].last_s < by->last_s; i--)
		answer->by[i] = answer->by[i - 1];
	answer->by[i] = *by;
}

static int ask_store(struct seen *seen, struct store_txn *txn, uint64_t imei, struct answer *answer)
{
	uint8_t from[SEEN_KEY];
	struct store_val key = {from, SEEN_KEY}, value;
	struct store_cursor cursor;
	struct seen_by by;
	int rc = store_cursor_open(txn, seen->table, &cursor);

	if (rc < 0)
		return rc;
	key_encode(from, imei, (struct weir_imsi){0});
	for (rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	     rc == 0 && key.len == SEEN_KEY && osmo_load64be(key.data) == imei;
	     rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value)) {
		by.imsi.packed = osmo_load64be((const uint8_t *)key.data + 8);
		if (value_decode(&value, &by) == 0)
			answer_add(answer, &by);
	}
	store_cursor_close(&cursor);
	return rc == -ENOENT ? 0 : rc;
}

static void ask_all(struct seen *seen, const uint64_t *imeis, unsigned n, struct answer *answers)
{
	struct store_txn txn;
	int rc;

	seen_flush(seen);
	if (!is_usable(seen))
		return;
	rc = store_read_begin(seen->store, &txn);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = ask_store(seen, &txn, imeis[i], &answers[i]);
	store_read_end(&txn);
	if (rc < 0)
		give_up(seen, rc);
}

unsigned seen_in(struct seen *seen, uint64_t imei, struct seen_by *out, unsigned max)
{
	struct answer answer = {.by = out, .max = max};

	ask_all(seen, &imei, 1, &answer);
	return answer.n;
}

void seen_last_in(struct seen *seen, const uint64_t *imeis, unsigned n, struct seen_by *out)
{
	struct answer answers[64];

	memset(out, 0, n * sizeof(*out));
	while (n) {
		unsigned some = OSMO_MIN(n, ARRAY_SIZE(answers));

		for (unsigned i = 0; i < some; i++)
			answers[i] = (struct answer){.by = &out[i], .max = 1};
		ask_all(seen, imeis, some, answers);
		imeis += some;
		out += some;
		n -= some;
	}
}

void seen_stats(const struct seen *seen, struct seen_stats *stats)
{
	struct store_usage usage;

	*stats = seen->stats;
	if (seen->store && store_usage(seen->store, &usage) == 0)
		stats->used_bytes = usage.used_bytes;
}
