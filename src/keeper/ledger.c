/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ledger's store: opening, the meta record, sources, transactions.  It decides nothing about lists and never writes
 * outside the one transaction; what is in memory (meta, sources) is what the last commit made durable, or the open
 * transaction's, and goes back with an abort. */

#include "keeper/ledger_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/crc.h"

/* table "source", key u64 id */
struct ledger_source_disk {
	uint32_t crc;
	uint16_t id;
	uint8_t name_len, spare;
	uint64_t devices, ranges, pairs, digest, serial;
	int64_t changed_ms;
	char name[LEDGER_NAME_MAX];
} __attribute__((packed));

_Static_assert(sizeof(struct ledger_meta_disk) == 96 && sizeof(struct ledger_source_disk) == 88, "doc/STORE.md");

static const struct {
	const char *name;
	enum store_keys keys;
} ledger_table[LEDGER_N_TABLES] = {
	[LEDGER_T_EVENT] = {"event", STORE_KEYS_U64},   [LEDGER_T_ENTRY] = {"entry", STORE_KEYS_U64},
	[LEDGER_T_RANGE] = {"range", STORE_KEYS_BYTES}, [LEDGER_T_PAIR] = {"pair", STORE_KEYS_BYTES},
	[LEDGER_T_SOURCE] = {"source", STORE_KEYS_U64}, [LEDGER_T_BATCH] = {"batch", STORE_KEYS_U64},
	[LEDGER_T_CHUNK] = {"chunk", STORE_KEYS_BYTES}, [LEDGER_T_HISTORY] = {"history", STORE_KEYS_BYTES},
	[LEDGER_T_META] = {"meta", STORE_KEYS_BYTES},
};

static const char meta_key[] = "meta";

uint32_t ledger_crc(struct store_val key, const void *value, size_t len)
{
	uint32_t crc = crc32c(0, key.data, key.len);

	return crc32c(crc, (const uint8_t *)value + 4, len - 4);
}

/* --- sources ---------------------------------------------------------------------------------- */

bool ledger_name_is_good(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");

	return len > 0 && len <= LEDGER_NAME_MAX && name[len] == '\0';
}

const struct weir_source *ledger_source(const struct ledger *ledger, unsigned id)
{
	return id >= 1 && id <= ledger->n_sources ? &ledger->source[id].now : NULL;
}

const struct weir_source *ledger_source_find(const struct ledger *ledger, const char *name)
{
	for (unsigned i = 1; i <= ledger->n_sources; i++) {
		if (!strcmp(ledger->source[i].now.name, name))
			return &ledger->source[i].now;
	}
	return NULL;
}

unsigned ledger_source_count(const struct ledger *ledger)
{
	return ledger->n_sources;
}

struct weir_source *ledger_source_touch(struct ledger *ledger, unsigned id)
{
	ledger->source[id].dirty = true;
	return &ledger->source[id].now;
}

int ledger_source_make(struct ledger *ledger, const char *name, const char *actor, int64_t now_ms, struct weir_why *why)
{
	const struct weir_source *found;
	struct weir_event event = {.type = LEDGER_SOURCE, .time_ms = now_ms};
	struct weir_source *source;
	int rc;

	if (!ledger_name_is_good(name))
		return why_set(why, -EINVAL, "a source's name is 1 to %d of a-z 0-9 - _ .", LEDGER_NAME_MAX);
	found = ledger_source_find(ledger, name);
	if (found)
		return found->id;
	if (ledger->n_sources == LEDGER_SOURCES_MAX)
		return why_set(why, -ENOSPC, "there are %d sources already and no more are possible",
			       LEDGER_SOURCES_MAX);
	snprintf(event.source, sizeof(event.source), "%s", name);
	snprintf(event.actor, sizeof(event.actor), "%s", actor);
	rc = ledger_append(ledger, &event);
	if (rc < 0)
		return why_set(why, rc, "the ledger cannot be written: %s", strerror(-rc));
	ledger->n_sources++;
	source = ledger_source_touch(ledger, ledger->n_sources);
	*source = (struct weir_source){.id = (uint16_t)ledger->n_sources, .serial = event.serial, .changed_ms = now_ms};
	memcpy(source->name, event.source, sizeof(source->name));
	return source->id;
}

static int source_write(struct ledger *ledger, const struct weir_source *source)
{
	struct ledger_source_disk disk = {
		.id = source->id,
		.name_len = (uint8_t)strlen(source->name),
		.devices = source->devices,
		.ranges = source->ranges,
		.pairs = source->pairs,
		.digest = source->digest,
		.serial = source->serial,
		.changed_ms = source->changed_ms,
	};
	uint64_t id = source->id;
	struct store_val key = ledger_val(&id, sizeof(id));

	memcpy(disk.name, source->name, disk.name_len);
	disk.crc = ledger_crc(key, &disk, sizeof(disk));
	return store_put(&ledger->txn, ledger->table[LEDGER_T_SOURCE], key, ledger_val(&disk, sizeof(disk)));
}

static int source_parse(struct store_val key, struct store_val value, struct weir_source *source)
{
	struct ledger_source_disk disk;
	uint64_t id;

	if (key.len != sizeof(id) || value.len != sizeof(disk))
		return -EUCLEAN;
	memcpy(&id, key.data, sizeof(id));
	memcpy(&disk, value.data, sizeof(disk));
	if (disk.crc != ledger_crc(key, &disk, sizeof(disk)) || disk.id != id || disk.name_len > LEDGER_NAME_MAX)
		return -EUCLEAN;
	*source = (struct weir_source){.id = disk.id,
				       .devices = disk.devices,
				       .ranges = disk.ranges,
				       .pairs = disk.pairs,
				       .digest = disk.digest,
				       .serial = disk.serial,
				       .changed_ms = disk.changed_ms};
	memcpy(source->name, disk.name, disk.name_len);
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int meta_write(struct ledger *ledger)
{
	struct store_val key = ledger_val(meta_key, sizeof(meta_key) - 1);

	ledger->meta.crc = ledger_crc(key, &ledger->meta, sizeof(ledger->meta));
	return store_put(&ledger->txn, ledger->table[LEDGER_T_META], key,
			 ledger_val(&ledger->meta, sizeof(ledger->meta)));
}

static int meta_load(struct ledger *ledger, struct store_txn *txn, struct weir_why *why)
{
	struct store_val key = ledger_val(meta_key, sizeof(meta_key) - 1), value;
	int rc = store_get(txn, ledger->table[LEDGER_T_META], key, &value);

	if (rc < 0)
		return why_set(why, rc == -ENOENT ? -EUCLEAN : rc, "%s: the ledger's meta record cannot be read",
			       ledger->dir);
	if (value.len != sizeof(ledger->meta))
		return why_set(why, -EUCLEAN, "%s: the ledger's meta record has %zu octets, not %zu", ledger->dir,
			       value.len, sizeof(ledger->meta));
	memcpy(&ledger->meta, value.data, sizeof(ledger->meta));
	if (ledger->meta.magic != LEDGER_MAGIC)
		return why_set(why, -EUCLEAN, "%s is not a ledger of Weir", ledger->dir);
	if (ledger->meta.schema != LEDGER_SCHEMA)
		return why_set(why, -EUCLEAN, "%s: the ledger has schema %u, this program knows %u", ledger->dir,
			       ledger->meta.schema, LEDGER_SCHEMA);
	if (ledger->meta.crc != ledger_crc(key, &ledger->meta, sizeof(ledger->meta)))
		return why_set(why, -EUCLEAN, "%s: the ledger's meta record is damaged", ledger->dir);
	return 0;
}

static int sources_load(struct ledger *ledger, struct store_txn *txn, struct weir_why *why)
{
	struct store_cursor cursor;
	struct store_val key, value;
	int rc = store_cursor_open(txn, ledger->table[LEDGER_T_SOURCE], &cursor);

	if (rc < 0)
		return why_set(why, rc, "%s: the sources cannot be read", ledger->dir);
	memset(ledger->source, 0, sizeof(ledger->source));
	ledger->n_sources = 0;
	for (rc = store_cursor_move(&cursor, STORE_FIRST, &key, &value); rc == 0;
	     rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value)) {
		struct weir_source source;

		if (source_parse(key, value, &source) < 0 || source.id != ledger->n_sources + 1) {
			rc = why_set(why, -EUCLEAN, "%s: table source: record %u is damaged", ledger->dir,
				     ledger->n_sources + 1);
			break;
		}
		ledger->n_sources++;
		ledger->source[source.id].now = ledger->source[source.id].committed = source;
	}
	store_cursor_close(&cursor);
	ledger->n_committed = ledger->n_sources;
	return rc == -ENOENT ? 0 : rc;
}

/* The meta's head and the table's last event must be the same one. */
static int head_check(struct ledger *ledger, struct store_txn *txn, struct weir_why *why)
{
	struct weir_event event;
	uint64_t events;
	int rc = store_count(txn, ledger->table[LEDGER_T_EVENT], &events);

	if (rc < 0)
		return why_set(why, rc, "%s: the events cannot be read", ledger->dir);
	if (events != ledger->meta.serial)
		return why_set(why, -EUCLEAN, "%s: the ledger holds %llu events, its meta record says %llu",
			       ledger->dir, (unsigned long long)events, (unsigned long long)ledger->meta.serial);
	if (events == 0)
		return 0;
	rc = ledger_event_get(ledger, txn, events, &event);
	if (rc < 0 || memcmp(event.digest, ledger->meta.digest, LEDGER_DIGEST))
		return why_set(
			why, rc < 0 && rc != -ENOENT ? rc : -EUCLEAN,
			"%s: table event: the last event (serial %llu) is damaged or not the one the meta record names",
			ledger->dir, (unsigned long long)events);
	return 0;
}

static int tables_open(struct ledger *ledger, struct store_txn *txn)
{
	for (unsigned i = 0; i < LEDGER_N_TABLES; i++) {
		int rc = store_table_open(txn, ledger_table[i].name, ledger_table[i].keys, &ledger->table[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Tables and a meta record for a store that has just been made.  Never for one that holds something: a damaged page can
 * hide a table's name, and an empty table in its place would lose it for good. */
static int ledger_found(struct ledger *ledger)
{
	int rc = store_write_begin(ledger->store, &ledger->txn);

	if (rc == 0)
		rc = tables_open(ledger, &ledger->txn);
	ledger->meta = (struct ledger_meta_disk){
		.magic = LEDGER_MAGIC, .schema = LEDGER_SCHEMA, .origin = ledger_random_id(), .epoch = 1};
	if (rc == 0)
		rc = meta_write(ledger);
	if (rc == 0)
		rc = store_commit(&ledger->txn);
	store_abort(&ledger->txn);
	return rc;
}

/* Nothing was ever written (there are only LMDB's own two pages): the store was made, and a crash came before the first
 * commit. */
static bool ledger_is_new(struct ledger *ledger)
{
	struct store_usage usage;

	return store_usage(ledger->store, &usage) == 0 && usage.used_bytes <= 2 * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int ledger_tables(struct ledger *ledger, struct weir_why *why)
{
	struct store_txn txn;
	int rc;

	if (ledger_is_new(ledger)) {
		rc = ledger_found(ledger);
		return rc < 0 ? why_set(why, rc, "%s: the ledger cannot be made: %s", ledger->dir, strerror(-rc)) : 0;
	}
	rc = store_read_begin(ledger->store, &txn);
	if (rc < 0)
		return why_set(why, rc, "%s: the ledger cannot be read: %s", ledger->dir, strerror(-rc));
	rc = tables_open(ledger, &txn);
	store_read_end(&txn);
	if (rc == -ENOENT)
		return why_set(why, -EUCLEAN, "%s: the ledger is damaged: a table is missing", ledger->dir);
	return rc < 0 ? why_set(why, rc, "%s: the ledger's tables cannot be opened: %s", ledger->dir, strerror(-rc))
		      : 0;
}

static int ledger_read(struct ledger *ledger, struct weir_why *why)
{
	struct store_txn txn;
	int rc = store_read_begin(ledger->store, &txn);

	if (rc < 0)
		return why_set(why, rc, "%s: the ledger cannot be read: %s", ledger->dir, strerror(-rc));
	rc = meta_load(ledger, &txn, why);
	if (rc == 0)
		rc = sources_load(ledger, &txn, why);
	if (rc == 0)
		rc = head_check(ledger, &txn, why);
	store_read_end(&txn);
	ledger->committed = ledger->meta;
	return rc;
}

static int ledger_load(struct ledger *ledger, struct weir_why *why)
{
	const struct store_spec spec = {
		.dir = ledger->dir, .writer = true, .create = true, .scrub = true, .map_bytes = (uint64_t)256 << 30};
	int rc = store_open(&spec, &ledger->store, why);

	if (rc < 0)
		return rc;
	if (why)
		why->text[0] = '\0';
	ledger->broken = false;
	rc = LEDGER_GUARDED(ledger, ledger_tables(ledger, why));
	if (rc == 0)
		rc = LEDGER_GUARDED(ledger, ledger_read(ledger, why));
	if (rc < 0 && why && !why->text[0])
		why_set(why, -EUCLEAN, "%s: the ledger is damaged: a page cannot be read", ledger->dir);
	return ledger->broken ? -EUCLEAN : rc;
}

int ledger_open(const char *state_dir, struct ledger **out, struct weir_why *why)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	int rc;

	*out = NULL;
	if (!ledger)
		return why_set(why, -ENOMEM, "out of memory");
	if (snprintf(ledger->dir, sizeof(ledger->dir), "%s/ledger", state_dir) >= (int)sizeof(ledger->dir)) {
		free(ledger);
		return why_set(why, -ENAMETOOLONG, "the state directory's path is too long");
	}
	rc = ledger_load(ledger, why);
	if (rc < 0) {
		ledger_close(ledger);
		return rc;
	}
	*out = ledger;
	return 0;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	ledger_abort(ledger);
	store_close(ledger->store);
	free(ledger);
}

void ledger_head(struct ledger *ledger, struct ledger_head *head)
{
	*head = (struct ledger_head){.epoch = ledger->meta.epoch,
				     .origin = ledger->meta.origin,
				     .serial = ledger->meta.serial,
				     .time_ms = ledger->meta.time_ms};
	memcpy(head->digest, ledger->meta.digest, LEDGER_DIGEST);
}

struct store *ledger_store(struct ledger *ledger)
{
	return ledger->store;
}

uint64_t ledger_batch_under_way(const struct ledger *ledger)
{
	return ledger->meta.batch;
}

uint64_t ledger_batch_last(const struct ledger *ledger)
{
	return ledger->meta.last_batch;
}

int ledger_count(struct ledger *ledger, struct store_txn *txn, enum ledger_table table, uint64_t *records)
{
	return store_count(txn, ledger->table[table], records);
}

/* --- transactions ----------------------------------------------------------------------------- */

static int ledger_reopen(struct ledger *ledger)
{
	int rc;

	store_close(ledger->store);
	ledger->store = NULL;
	rc = ledger_load(ledger, NULL);
	if (rc < 0) {
		store_close(ledger->store);
		ledger->store = NULL;
		ledger->broken = true;
	}
	return rc;
}

static int ledger_mend(struct ledger *ledger)
{
	return ledger->broken || !ledger->store ? ledger_reopen(ledger) : 0;
}

int ledger_begin(struct ledger *ledger)
{
	int rc;

	if (ledger->writing)
		return -EBUSY;
	rc = ledger_mend(ledger);
	if (rc < 0)
		return rc;
	rc = store_write_begin(ledger->store, &ledger->txn);
	if (rc == -ESTALE) {
		ledger->broken = true;
		rc = ledger_mend(ledger);
		if (rc == 0)
			rc = store_write_begin(ledger->store, &ledger->txn);
	}
	ledger->writing = rc == 0;
	return rc;
}

static void sources_settle(struct ledger *ledger, bool commit)
{
	if (!commit)
		ledger->n_sources = ledger->n_committed;
	ledger->n_committed = ledger->n_sources;
	for (unsigned i = 1; i <= LEDGER_SOURCES_MAX; i++) {
		struct ledger_source_slot *slot = &ledger->source[i];

		if (!slot->dirty)
			continue;
		slot->dirty = false;
		if (commit)
			slot->committed = slot->now;
		else
			slot->now = slot->committed;
	}
}

void ledger_abort(struct ledger *ledger)
{
	if (!ledger->writing)
		return;
	store_abort(&ledger->txn);
	ledger->writing = false;
	ledger->meta = ledger->committed;
	sources_settle(ledger, false);
}

static int commit_all(struct ledger *ledger)
{
	int rc = 0;

	for (unsigned i = 1; rc == 0 && i <= ledger->n_sources; i++) {
		if (ledger->source[i].dirty)
			rc = source_write(ledger, &ledger->source[i].now);
	}
	if (rc == 0)
		rc = meta_write(ledger);
	return rc < 0 ? rc : store_commit(&ledger->txn);
}

/* Nobody can say whether a commit that failed reached the disk: read again what is there.  Every commit writes
 * the record of meta, unlike any before. */
static int commit_failed(struct ledger *ledger, int err)
{
	const struct ledger_meta_disk meant = ledger->meta;

	ledger_abort(ledger);
	if (err == -ENOMEM)
		return err;
	ledger->broken = true;
	if (ledger_mend(ledger) == 0 && memcmp(&ledger->meta, &meant, sizeof(meant)) == 0)
		return 0;
	return err;
}

int ledger_commit(struct ledger *ledger)
{
	int rc;

	if (!ledger->writing)
		return -EINVAL;
	ledger->meta.commits++;
	rc = LEDGER_GUARDED(ledger, commit_all(ledger));
	if (rc < 0)
		return commit_failed(ledger, rc);
	ledger->writing = false;
	ledger->committed = ledger->meta;
	sources_settle(ledger, true);
	return 0;
}

bool ledger_is_writing(const struct ledger *ledger)
{
	return ledger->writing;
}

int ledger_fault(struct ledger *ledger)
{
	ledger->broken = true;
	return -EIO;
}

struct store_txn *ledger_txn(struct ledger *ledger)
{
	return &ledger->txn;
}

int ledger_read_begin(struct ledger *ledger, struct store_txn *txn)
{
	int rc;

	if (!ledger->writing) {
		rc = ledger_mend(ledger);
		if (rc < 0)
			return rc;
	}
	rc = store_read_begin(ledger->store, txn);
	if (rc == -ESTALE)
		ledger->broken = true;
	return rc;
}
