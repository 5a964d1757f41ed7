/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The store of sightings.  One table, "pair": key imei (8 octets, big-endian) and imsi (8, its packed form,
 * big-endian), so that one device's subscribers stand together; value SEEN_VALUE octets, little-endian: first_s,
 * last_s, svn, the interface with the tally above it, the peer.  Never fails its caller, never walks without a bound.
 */
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

#include "core/verdict.h"
#include "keeper/main.h"
#include "store/store.h"

#define SEEN_BUFFER 4096
#define SEEN_KEY    16
#define SEEN_VALUE  (4 + 4 + 1 + 1 + SIGHTING_PEER_MAX)
#define SWEEP_LOOK  4096 /* entries looked at in a sweep */
#define SWEEP_DROP  512  /* of those forgotten at most */
#define LOOK_IN     (4 * SEEN_IN_MAX) /* entries of one device looked at: it has no more, but for old stores */
#define WALK_LOOK   2048              /* entries looked at in a walk's piece */
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
	value[9] = (uint8_t)(by->interface | by->tally << 4);
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
	by->interface = at[9] & 0x0f;
	by->tally = at[9] >> 4;
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
			       .interface = sighting->interface,
			       .tally = sighting->tally};
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

/* Who stands in one device, as far as we look. */
struct crowd {
	struct weir_imsi imsi[LOOK_IN];
	uint32_t last_s[LOOK_IN];
	unsigned n;
};

static int crowd_read(struct seen *seen, struct store_txn *txn, uint64_t imei, struct crowd *crowd)
{
	uint8_t from[SEEN_KEY];
	struct store_val key = {from, SEEN_KEY}, value;
	struct store_cursor cursor;
	struct seen_by by;
	int rc = store_cursor_open(txn, seen->table, &cursor);

	crowd->n = 0;
	if (rc < 0)
		return rc;
	key_encode(from, imei, (struct weir_imsi){0});
	for (rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	     rc == 0 && crowd->n < LOOK_IN && key.len == SEEN_KEY && osmo_load64be(key.data) == imei;
	     rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value)) {
		crowd->imsi[crowd->n].packed = osmo_load64be((const uint8_t *)key.data + 8);
		crowd->last_s[crowd->n++] = value_decode(&value, &by) == 0 ? by.last_s : 0;
	}
	store_cursor_close(&cursor);
	return rc == -ENOENT ? 0 : rc;
}

/* One more comes into this device: the oldest go, so that it has its place. */
static void make_room_in(struct seen *seen, struct store_txn *txn, uint64_t imei)
{
	struct crowd crowd;
	uint8_t key[SEEN_KEY];

	if (crowd_read(seen, txn, imei, &crowd) < 0)
		return;
	while (crowd.n >= SEEN_IN_MAX) {
		unsigned oldest = 0;

		for (unsigned i = 1; i < crowd.n; i++)
			oldest = crowd.last_s[i] < crowd.last_s[oldest] ? i : oldest;
		key_encode(key, imei, crowd.imsi[oldest]);
		if (store_delete(txn, seen->table, (struct store_val){key, sizeof(key)}) == 0) {
			seen->stats.dropped++;
			seen->stats.entries -= OSMO_MIN(seen->stats.entries, 1u);
		}
		crowd.n--;
		crowd.imsi[oldest] = crowd.imsi[crowd.n];
		crowd.last_s[oldest] = crowd.last_s[crowd.n];
	}
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
		make_room_in(seen, txn, sighting->imei);
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
	unsigned looked = 0;
	int rc = store_cursor_open(txn, seen->table, &cursor);

	if (rc < 0)
		return rc;
	key_encode(from, imei, (struct weir_imsi){0});
	for (rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	     rc == 0 && looked++ < LOOK_IN && key.len == SEEN_KEY && osmo_load64be(key.data) == imei;
	     rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value)) {
		by.imsi.packed = osmo_load64be((const uint8_t *)key.data + 8);
		if (value_decode(&value, &by) == 0)
			answer_add(answer, &by);
	}
	store_cursor_close(&cursor);
	return rc == -ENOENT ? 0 : rc;
}

unsigned seen_in(struct seen *seen, uint64_t imei, struct seen_by *out, unsigned max)
{
	struct answer answer = {.by = out, .max = max};
	struct store_txn txn;
	int rc;

	seen_flush(seen);
	if (!is_usable(seen))
		return 0;
	rc = store_read_begin(seen->store, &txn);
	if (rc == 0) {
		rc = ask_store(seen, &txn, imei, &answer);
		store_read_end(&txn);
	}
	if (rc < 0)
		give_up(seen, rc);
	return rc < 0 ? 0 : answer.n;
}

/* The place behind a key: the next number, as the octets are in order. */
static void place_behind(struct seen_place *place, const struct store_val *key)
{
	memcpy(place->key, key->data, SEEN_KEY);
	for (unsigned i = SEEN_KEY; i-- > 0 && ++place->key[i] == 0;)
		;
}

static void walk_one(const struct store_val *key, const struct store_val *value, uint32_t since_s,
		     struct seen_pair *out, unsigned *n)
{
	struct seen_pair *pair = &out[*n];

	if (value_decode(value, &pair->by) < 0 || pair->by.last_s < since_s || pair->by.tally == WEIR_TALLY_BLACK)
		return;
	pair->imei = osmo_load64be(key->data);
	pair->by.imsi.packed = osmo_load64be((const uint8_t *)key->data + 8);
	*n += pair->by.imsi.packed != 0;
}

static int walk_piece(struct seen *seen, struct store_txn *txn, struct seen_place *place, uint32_t since_s,
		      struct seen_pair *out, unsigned *n)
{
	struct seen_place from = *place;
	struct store_val key = {from.key, SEEN_KEY}, value;
	struct store_cursor cursor;
	unsigned looked = 0;
	int rc = store_cursor_open(txn, seen->table, &cursor);

	if (rc < 0)
		return rc;
	rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	while (rc == 0 && key.len == SEEN_KEY) {
		walk_one(&key, &value, since_s, out, n);
		place_behind(place, &key);
		if (*n == SEEN_WALK_MAX || ++looked == WALK_LOOK)
			break;
		rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value);
	}
	store_cursor_close(&cursor);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : 1;
}

int seen_walk(struct seen *seen, struct seen_place *place, uint32_t since_s, struct seen_pair *out, unsigned *n)
{
	struct store_txn txn;
	int rc;

	*n = 0;
	seen_flush(seen);
	if (!is_usable(seen))
		return -EIO;
	rc = store_read_begin(seen->store, &txn);
	if (rc == 0) {
		rc = walk_piece(seen, &txn, place, since_s, out, n);
		store_read_end(&txn);
	}
	if (rc < 0)
		give_up(seen, rc);
	return rc;
}

void seen_stats(const struct seen *seen, struct seen_stats *stats)
{
	struct store_usage usage;

	*stats = seen->stats;
	if (seen->store && store_usage(seen->store, &usage) == 0)
		stats->used_bytes = usage.used_bytes;
}
