/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Verify, the ledger's half: the chain of events, the batches' digests, every statement's CRC, that the event a
 * statement names really made it, and the sources' sums.  Read-only; it runs inside a guard and allocates only what
 * lists_verify.c frees. */

#include "keeper/lists_verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

#define EVENTS_SLICE 20000
#define CHUNKS_SLICE 512

static const char *source_name(const struct lists_verify *verify, unsigned id)
{
	const struct weir_source *source = ledger_source(verify->lists->ledger, id);

	return source ? source->name : "?";
}

/* --- events ----------------------------------------------------------------------------------- */

static void event_history(struct lists_verify *verify, const struct weir_event *event)
{
	uint64_t serial = 0;

	if ((event->type != LEDGER_PUT && event->type != LEDGER_REMOVE) || event->row.kind == LIST_RANGE)
		return;
	verify->singles++;
	if (ledger_history_get(verify->lists->ledger, &verify->txn, event->row.from, event->serial - 1, &serial, 1) !=
		    1 ||
	    serial != event->serial)
		verify_finding(verify, "ledger: table history: serial %llu is missing from its device's history",
			       (unsigned long long)event->serial);
}

static int event_check(struct lists_verify *verify, uint64_t serial, const struct ledger_head *head)
{
	struct weir_event event;
	int rc = ledger_event_get(verify->lists->ledger, &verify->txn, serial, &event);

	if (rc == -ENOENT || rc == -EUCLEAN) {
		verify_finding(verify, "ledger: table event: serial %llu is %s", (unsigned long long)serial,
			       rc == -ENOENT ? "missing" : "damaged: its digest is not right");
		memset(verify->previous, 0, sizeof(verify->previous));
		return 0;
	}
	if (rc < 0)
		return rc;
	/* After a damaged event the link cannot be judged: zeros say so, and no digest is all zeros. */
	if (memcmp(event.previous, verify->previous, LEDGER_DIGEST) &&
	    (serial == 1 || memcmp(verify->previous, (uint8_t[LEDGER_DIGEST]){0}, LEDGER_DIGEST)))
		verify_finding(
			verify,
			"ledger: table event: serial %llu does not follow from the one before it: the chain is broken",
			(unsigned long long)serial);
	if (event.epoch > head->epoch || event.origin == 0)
		verify_finding(verify, "ledger: table event: serial %llu is of epoch %u, the ledger of %u",
			       (unsigned long long)serial, event.epoch, head->epoch);
	memcpy(verify->previous, event.digest, LEDGER_DIGEST);
	event_history(verify, &event);
	verify->batches += event.type == LEDGER_BATCH;
	return 0;
}

int verify_events(struct lists_verify *verify)
{
	struct ledger *ledger = verify->lists->ledger;
	struct ledger_head head;
	uint64_t until, records = 0;
	int rc = 0;

	ledger_head(ledger, &head);
	until = head.serial - verify->serial > EVENTS_SLICE ? verify->serial + EVENTS_SLICE : head.serial;
	for (; rc == 0 && verify->serial < until; verify->serial++, verify->done++)
		rc = event_check(verify, verify->serial + 1, &head);
	if (rc < 0 || verify->serial < head.serial)
		return rc < 0 ? rc : 1;
	verify->head = head.serial;
	if (head.serial && memcmp(verify->previous, head.digest, LEDGER_DIGEST))
		verify_finding(verify, "ledger: the last event is not the one that the meta record names");
	rc = ledger_count(ledger, &verify->txn, LEDGER_T_HISTORY, &records);
	if (rc == 0 && records != verify->singles)
		verify_finding(verify, "ledger: table history has %llu records, the events make %llu",
			       (unsigned long long)records, (unsigned long long)verify->singles);
	return rc;
}

/* --- batches ---------------------------------------------------------------------------------- */

static void batch_end(struct lists_verify *verify)
{
	const struct ledger_batch *record = &verify->record;
	uint8_t digest[LEDGER_DIGEST];
	struct weir_event event;

	ledger_hash_end(&verify->hash, digest);
	verify->hashing = false;
	if (ledger_event_get(verify->lists->ledger, &verify->txn, record->serial, &event) < 0 ||
	    event.type != LEDGER_BATCH || event.batch.id != record->id) {
		verify_finding(verify, "ledger: table batch: batch %llu names serial %llu, which is not its event",
			       (unsigned long long)record->id, (unsigned long long)record->serial);
		return;
	}
	if (memcmp(digest, event.batch.digest, LEDGER_DIGEST))
		verify_finding(
			verify,
			"ledger: table chunk: the rows of batch %llu are not those its event (serial %llu) accepted",
			(unsigned long long)record->id, (unsigned long long)record->serial);
}

/* 1 go on with it, 0 done with it */
static int batch_chunks(struct lists_verify *verify, unsigned *budget)
{
	struct store_val bytes;
	int rc;

	for (; *budget > 0; (*budget)--) {
		rc = ledger_chunk_next(verify->lists->ledger, &verify->txn, verify->batch, &verify->chunk, &bytes);
		if (rc == -ENOENT)
			return 0;
		if (rc == -EUCLEAN)
			verify_finding(verify,
				       "ledger: table chunk: batch %llu: the chunk of kind %u from %s on is damaged",
				       (unsigned long long)verify->batch, verify->chunk.kind,
				       verify->chunk.kind == LEDGER_CHUNK_DEVICES
					       ? mask_imei((char[WEIR_MASK_TEXT]){0}, verify->chunk.first >> 7)
					       : "its place");
		else if (rc < 0)
			return rc;
		verify->chunks++;
		verify->done += LEDGER_CHUNK_MAX / 4;
		if (rc == 0)
			ledger_hash_add(&verify->hash, (const uint8_t *)bytes.data + 4, bytes.len - 4);
	}
	return 1;
}

static void batches_end(struct lists_verify *verify)
{
	struct ledger *ledger = verify->lists->ledger;
	struct ledger_head head;
	uint64_t records = 0;

	ledger_head(ledger, &head);
	if (head.serial != verify->head || ledger_batch_under_way(ledger))
		return; /* it went on meanwhile: the counts are of another moment */
	if (ledger_count(ledger, &verify->txn, LEDGER_T_BATCH, &records) == 0 && records != verify->batches)
		verify_finding(verify, "ledger: table batch has %llu records, the events make %llu",
			       (unsigned long long)records, (unsigned long long)verify->batches);
	if (ledger_count(ledger, &verify->txn, LEDGER_T_CHUNK, &records) == 0 && records != verify->chunks)
		verify_finding(verify, "ledger: table chunk has %llu records, the batches %llu",
			       (unsigned long long)records, (unsigned long long)verify->chunks);
}

int verify_batches(struct lists_verify *verify)
{
	unsigned budget = CHUNKS_SLICE;
	int rc;

	for (;;) {
		if (!verify->hashing) {
			rc = ledger_batch_next(verify->lists->ledger, &verify->txn, verify->batch, &verify->record);
			if (rc == -ENOENT) {
				batches_end(verify);
				return 0;
			}
			if (rc == -EUCLEAN) {
				verify_finding(verify, "ledger: table batch: the record behind batch %llu is damaged",
					       (unsigned long long)verify->batch);
				if (++verify->batch > ledger_batch_last(verify->lists->ledger))
					return 0;
				continue;
			}
			if (rc < 0)
				return rc;
			verify->batch = verify->record.id;
			verify->chunk = (struct ledger_chunk_place){0};
			verify->hashing = verify->record.state != LEDGER_STORING;
			ledger_hash_begin(&verify->hash);
			continue;
		}
		rc = batch_chunks(verify, &budget);
		if (rc != 0)
			return rc;
		batch_end(verify);
	}
}

/* --- what an entry's event says --------------------------------------------------------------- */

static struct verify_event *event_of(struct lists_verify *verify, uint64_t serial)
{
	struct verify_event *slot = &verify->event[serial % VERIFY_EVENTS_KEPT];

	if (slot->serial == serial && serial)
		return slot;
	ledger_rows_end(&slot->rows);
	slot->serial = serial;
	slot->err = ledger_event_get(verify->lists->ledger, &verify->txn, serial, &slot->event);
	slot->batch = slot->err == 0 && slot->event.type == LEDGER_BATCH ? slot->event.batch.id : 0;
	return slot;
}

/* Entries and a batch's rows have the same order, so the reader only goes forward. */
static bool batch_holds(struct lists_verify *verify, struct verify_event *slot, const struct ledger_entry *entry)
{
	uint64_t key = entry->key >> 10;

	if (slot->event.batch.remove)
		return false;
	if (!slot->rows.open && ledger_rows_begin(verify->lists->ledger, &verify->txn, slot->batch,
						  LEDGER_CHUNK_DEVICES, key, &slot->rows) < 0)
		return false;
	while (slot->rows.ok && slot->rows.row.key < key)
		ledger_rows_next(&slot->rows);
	return slot->rows.ok && slot->rows.row.key == key && slot->rows.row.colour == entry->colour &&
	       slot->rows.row.reason == entry->reason;
}

static bool event_made(struct lists_verify *verify, const struct ledger_entry *entry)
{
	struct verify_event *slot = event_of(verify, entry->serial);
	const struct list_row *row = &slot->event.row;

	if (slot->err < 0 || strcmp(slot->event.source, source_name(verify, ledger_key_source(entry->key))))
		return false;
	if (slot->event.type == LEDGER_BATCH)
		return batch_holds(verify, slot, entry);
	return slot->event.type == LEDGER_PUT && row->kind == LIST_DEVICE && row->from == ledger_key_imei(entry->key) &&
	       row->svn == ledger_key_svn(entry->key) && (uint8_t)row->colour == entry->colour &&
	       row->reason == entry->reason;
}

static void events_close(struct lists_verify *verify)
{
	for (unsigned i = 0; i < VERIFY_EVENTS_KEPT; i++) {
		ledger_rows_end(&verify->event[i].rows);
		verify->event[i].serial = 0;
	}
}

/* --- devices ---------------------------------------------------------------------------------- */

static void entry_check(struct lists_verify *verify, const struct ledger_entry *entry)
{
	unsigned source = ledger_key_source(entry->key);
	char masked[WEIR_MASK_TEXT];

	mask_imei(masked, ledger_key_imei(entry->key));
	verify->sum[source].devices++;
	if (entry->damaged) {
		verify_finding(verify, "ledger: table entry: what source %s says of %s is damaged",
			       source_name(verify, source), masked);
		return;
	}
	verify->sum[source].digest += ledger_entry_digest(entry);
	if (!ledger_source(verify->lists->ledger, source))
		verify_finding(verify, "ledger: table entry: %s is listed by source number %u, which there is not",
			       masked, source);
	else if (entry->colour >= WEIR_UNKNOWN)
		verify_finding(verify, "ledger: table entry: source %s puts %s on no known list",
			       source_name(verify, source), masked);
	else if (!event_made(verify, entry))
		verify_finding(verify, "ledger: table entry: what source %s says of %s is not what serial %llu made so",
			       source_name(verify, source), masked, (unsigned long long)entry->serial);
}

static int row_add(struct lists_verify *verify, const struct verify_row *row)
{
	if (verify->n_rows == verify->size_rows) {
		unsigned size = verify->size_rows ? verify->size_rows * 2 : 4096;
		struct verify_row *larger = reallocarray(verify->row, size, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		verify->row = larger;
		verify->size_rows = size;
	}
	verify->row[verify->n_rows++] = *row;
	return 0;
}

/* A damaged device may say anything: svn -2 tells the comparison to let it be. */
static int device_expect(struct lists_verify *verify, const struct device_words *words)
{
	struct register_device device;
	int rc = 0;

	if (words->damaged)
		return row_add(verify, &(struct verify_row){.imei = words->imei, .svn = -2});
	merge_device(words, &device);
	for (unsigned i = 0; rc == 0 && i < device.n_rows; i++)
		rc = row_add(verify, &(struct verify_row){.imei = words->imei,
							  .svn = device.row[i].svn,
							  .listing = device.row[i].listing});
	return rc;
}

int verify_devices(struct lists_verify *verify)
{
	struct lists *lists = verify->lists;
	struct device_words *words = &lists->words;
	unsigned budget = lists->tuning.slice_rows;
	struct ledger_walk walk;
	int rc = ledger_walk_begin(lists->ledger, &verify->txn, ledger_key(verify->place, WEIR_NO_SVN, 0), &walk);

	verify->n_rows = 0;
	verify->next = WEIR_IMEI_END;
	while (rc == 0 && walk.ok) {
		if (budget-- == 0) {
			verify->next = ledger_key_imei(walk.entry.key);
			break;
		}
		rc = words_load(words, &walk, ledger_key_imei(walk.entry.key));
		for (unsigned i = 0; rc == 0 && i < words->n; i++)
			entry_check(verify, &words->entry[i]);
		if (rc == 0)
			rc = device_expect(verify, words);
		verify->done += words->n;
	}
	if (rc == 0)
		rc = walk.err;
	ledger_walk_end(&walk);
	events_close(verify);
	return rc < 0 ? rc : verify->next != WEIR_IMEI_END;
}

/* --- pairs and ranges ------------------------------------------------------------------------- */

/* Single puts are held against their event; rows of batches are covered by the batch's digest and the source's sum. */
static bool item_made(struct lists_verify *verify, enum ledger_items table, const struct ledger_item *item)
{
	struct verify_event *slot = event_of(verify, item->serial);
	const struct list_row *row = &slot->event.row;
	bool range = table == LEDGER_RANGES;

	if (slot->err < 0 || strcmp(slot->event.source, source_name(verify, item->source)))
		return false;
	if (slot->event.type == LEDGER_BATCH)
		return !slot->event.batch.remove;
	return slot->event.type == LEDGER_PUT && row->kind == (range ? LIST_RANGE : LIST_PAIR) &&
	       row->from == item->a && (range ? row->to : row->imsi.packed) == item->b && row->reason == item->reason &&
	       (range ? (unsigned)row->colour : (unsigned)row->rule) == item->what;
}

static void item_check(struct lists_verify *verify, enum ledger_items table, const struct ledger_item *item)
{
	const char *name = table == LEDGER_RANGES ? "range" : "pair";
	struct verify_sum *sum = &verify->sum[item->source & LEDGER_SOURCES_MAX];
	char masked[WEIR_MASK_TEXT];

	mask_imei(masked, item->a);
	if (table == LEDGER_RANGES)
		sum->ranges++;
	else
		sum->pairs++;
	if (item->damaged) {
		verify_finding(verify, "ledger: table %s: what source %s says from %s on is damaged", name,
			       source_name(verify, item->source), masked);
		return;
	}
	sum->digest += ledger_item_digest(table, item);
	if (!ledger_source(verify->lists->ledger, item->source))
		verify_finding(verify, "ledger: table %s: %s is listed by source number %u, which there is not", name,
			       masked, item->source);
	else if (!item_made(verify, table, item))
		verify_finding(verify, "ledger: table %s: what source %s says of %s is not what serial %llu made so",
			       name, source_name(verify, item->source), masked, (unsigned long long)item->serial);
}

static int pair_expect(struct lists_verify *verify, const struct ledger_item *items, unsigned n)
{
	if (verify->n_expect == verify->size_expect) {
		unsigned size = verify->size_expect ? verify->size_expect * 2 : 256;
		struct verify_pair *larger = reallocarray(verify->expect, size, sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		verify->expect = larger;
		verify->size_expect = size;
	}
	verify->expect[verify->n_expect] = (struct verify_pair){.imei = items->a, .imsi = items->b};
	merge_pair(items, n, &verify->expect[verify->n_expect++].merged);
	return 0;
}

int verify_pairs(struct lists_verify *verify)
{
	struct lists *lists = verify->lists;
	struct ledger_item item[LEDGER_SOURCES_MAX];
	unsigned budget = lists->tuning.slice_rows;
	struct ledger_item_walk walk;
	int rc = ledger_items_begin(lists->ledger, &verify->txn, LEDGER_PAIRS, &verify->pair, &walk);

	verify->n_expect = 0;
	while (rc == 0 && walk.ok && budget-- > 0) {
		unsigned n = 0;

		verify->pair = walk.item;
		for (; walk.ok && walk.item.a == verify->pair.a && walk.item.b == verify->pair.b &&
		       n < LEDGER_SOURCES_MAX;
		     ledger_items_next(&walk)) {
			item[n] = walk.item;
			item_check(verify, LEDGER_PAIRS, &item[n++]);
		}
		rc = pair_expect(verify, item, n);
		verify->pair.b++;
		verify->pair.source = 0;
	}
	if (rc == 0)
		rc = walk.err;
	if (rc == 0)
		rc = walk.ok;
	ledger_items_end(&walk);
	events_close(verify);
	return rc;
}

int verify_ranges(struct lists_verify *verify)
{
	struct ledger_item_walk walk;
	int rc = ledger_items_begin(verify->lists->ledger, &verify->txn, LEDGER_RANGES, NULL, &walk);

	free(verify->range);
	verify->range = NULL;
	verify->n_ranges = 0;
	for (; rc == 0 && walk.ok; ledger_items_next(&walk)) {
		item_check(verify, LEDGER_RANGES, &walk.item);
		if (walk.item.damaged)
			verify->compare = false; /* the register keeps the ranges it has */
	}
	if (rc == 0)
		rc = walk.err;
	ledger_items_end(&walk);
	events_close(verify);
	if (rc == 0)
		rc = project_collect_ranges(verify->lists, &verify->txn, &verify->range, &verify->n_ranges);
	return rc == -EUCLEAN ? 0 : rc;
}
