/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Questions about lists: sources, one device's entries and history, export.  Nothing is written and no snapshot
 * outlives a call: an export goes on from the place the caller keeps. */

#include "keeper/lists_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lists_sources(struct lists *lists, struct weir_source *out, unsigned max)
{
	unsigned n = ledger_source_count(lists->ledger);

	for (unsigned i = 0; i < n && i < max; i++)
		out[i] = *ledger_source(lists->ledger, i + 1);
	return (int)(n < max ? n : max);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Hands out entries with their time and their source's name; remembers the last event's time, because most entries of a
 * list come from a few. */
struct teller {
	struct lists *lists;
	struct store_txn *txn;
	uint64_t serial;
	int64_t time_ms;
	lists_entry_fn *fn;
	void *data;
};

static int tell(struct teller *teller, struct weir_entry *entry)
{
	const struct weir_source *source = ledger_source(teller->lists->ledger, entry->source);
	struct weir_event event;
	int rc;

	if (!source)
		return -EUCLEAN;
	if (entry->serial != teller->serial) {
		rc = ledger_event_get(teller->lists->ledger, teller->txn, entry->serial, &event);
		if (rc < 0)
			return rc == -ENOENT ? -EUCLEAN : rc;
		teller->serial = entry->serial;
		teller->time_ms = event.time_ms;
	}
	entry->since_ms = teller->time_ms;
	return teller->fn(entry, source->name, teller->data);
}

static int tell_device(struct teller *teller, const struct ledger_entry *from)
{
	uint64_t imei = ledger_key_imei(from->key);
	struct weir_entry entry = {.source = (uint16_t)ledger_key_source(from->key),
				   .serial = from->serial,
				   .row = {.kind = LIST_DEVICE,
					   .from = imei,
					   .to = imei,
					   .svn = ledger_key_svn(from->key),
					   .colour = from->colour,
					   .reason = from->reason}};

	return from->damaged ? -EUCLEAN : tell(teller, &entry);
}

static int tell_item(struct teller *teller, enum ledger_items table, const struct ledger_item *from)
{
	struct weir_entry entry = {.source = from->source,
				   .serial = from->serial,
				   .row = {.from = from->a,
					   .to = from->a,
					   .svn = WEIR_NO_SVN,
					   .colour = WEIR_UNKNOWN,
					   .reason = from->reason}};

	if (table == LEDGER_RANGES) {
		entry.row.kind = LIST_RANGE;
		entry.row.to = from->b;
		entry.row.colour = from->what;
	} else {
		entry.row.kind = LIST_PAIR;
		entry.row.imsi.packed = from->b;
		entry.row.rule = from->what;
	}
	return from->damaged ? -EUCLEAN : tell(teller, &entry);
}

static int tell_words(struct teller *teller, uint64_t imei)
{
	struct ledger_walk walk;
	int rc = ledger_walk_begin(teller->lists->ledger, teller->txn, ledger_key(imei, WEIR_NO_SVN, 0), &walk);

	for (; rc == 0 && walk.ok && ledger_key_imei(walk.entry.key) == imei; ledger_walk_next(&walk))
		rc = tell_device(teller, &walk.entry);
	if (rc == 0)
		rc = walk.err;
	ledger_walk_end(&walk);
	return rc;
}

static int tell_items(struct teller *teller, enum ledger_items table, uint64_t imei)
{
	const struct ledger_item from = {.a = table == LEDGER_PAIRS ? imei : 0};
	struct ledger_item_walk walk;
	int rc = ledger_items_begin(teller->lists->ledger, teller->txn, table, &from, &walk);

	for (; rc == 0 && walk.ok && walk.item.a <= imei; ledger_items_next(&walk)) {
		if (table == LEDGER_PAIRS || walk.item.b >= imei)
			rc = tell_item(teller, table, &walk.item);
	}
	if (rc == 0)
		rc = walk.err;
	ledger_items_end(&walk);
	return rc;
}

static int tell_all(struct teller *teller, uint64_t imei)
{
	int rc = tell_words(teller, imei);

	if (rc == 0)
		rc = tell_items(teller, LEDGER_PAIRS, imei);
	return rc < 0 ? rc : tell_items(teller, LEDGER_RANGES, imei);
}

int lists_entries(struct lists *lists, uint64_t imei, lists_entry_fn *fn, void *data)
{
	struct store_txn txn;
	struct teller teller = {.lists = lists, .txn = &txn, .fn = fn, .data = data};
	int rc = ledger_read_begin(lists->ledger, &txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(lists->ledger, tell_all(&teller, imei));
	store_read_end(&txn);
	return rc;
}

/* --- export ----------------------------------------------------------------------------------- */

/* The place: table 0 devices, 1 pairs, 2 ranges, 3 the end; key as in the table, big-endian for the eye. */
enum {
	EXPORT_DEVICES,
	EXPORT_PAIRS,
	EXPORT_RANGES,
	EXPORT_END
};

static void place_put(struct lists_place *place, const uint64_t *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < 8; k++)
			place->key[i * 8 + k] = (uint8_t)(words[i] >> (56 - 8 * k));
	}
	place->len = (uint8_t)(n * 8);
}

static uint64_t place_get(const struct lists_place *place, unsigned i)
{
	uint64_t word = 0;

	for (unsigned k = 0; k < 8; k++)
		word = word << 8 | place->key[i * 8 + k];
	return (i + 1) * 8 <= place->len ? word : 0;
}

static void place_next_table(struct lists_place *place)
{
	place->table++;
	place->len = 0;
}

/* Rows told, or negative. Entries of other sources count against a slice's work but not against max. */
static int export_devices(struct teller *teller, unsigned source, struct lists_place *place, unsigned max)
{
	unsigned n = 0, seen = 0;
	struct ledger_walk walk;
	uint64_t next;
	int rc = ledger_walk_begin(teller->lists->ledger, teller->txn, place_get(place, 0), &walk);

	for (; rc == 0 && walk.ok && n < max && seen < teller->lists->tuning.slice_rows;
	     ledger_walk_next(&walk), seen++) {
		if (source && ledger_key_source(walk.entry.key) != source)
			continue;
		rc = tell_device(teller, &walk.entry);
		n++;
	}
	if (rc == 0)
		rc = walk.err;
	next = walk.entry.key;
	if (rc == 0 && walk.ok)
		place_put(place, &next, 1);
	else
		place_next_table(place);
	ledger_walk_end(&walk);
	return rc < 0 ? rc : (int)n;
}

static int export_items(struct teller *teller, enum ledger_items table, unsigned source, struct lists_place *place,
			unsigned max)
{
	const struct ledger_item from = {
		.a = place_get(place, 0), .b = place_get(place, 1), .source = (uint16_t)place_get(place, 2)};
	struct ledger_item_walk walk;
	unsigned n = 0, seen = 0;
	int rc = ledger_items_begin(teller->lists->ledger, teller->txn, table, &from, &walk);

	for (; rc == 0 && walk.ok && n < max && seen < teller->lists->tuning.slice_rows;
	     ledger_items_next(&walk), seen++) {
		if (source && walk.item.source != source)
			continue;
		rc = tell_item(teller, table, &walk.item);
		n++;
	}
	if (rc == 0)
		rc = walk.err;
	if (rc == 0 && walk.ok)
		place_put(place, (const uint64_t[]){walk.item.a, walk.item.b, walk.item.source}, 3);
	else
		place_next_table(place);
	ledger_items_end(&walk);
	return rc < 0 ? rc : (int)n;
}

static int export_table(struct teller *teller, unsigned source, struct lists_place *place, unsigned max)
{
	if (place->table == EXPORT_DEVICES)
		return export_devices(teller, source, place, max);
	return export_items(teller, place->table == EXPORT_PAIRS ? LEDGER_PAIRS : LEDGER_RANGES, source, place, max);
}

static int export_guarded(struct teller *teller, unsigned source, struct lists_place *place, unsigned max)
{
	return LEDGER_GUARDED(teller->lists->ledger, export_table(teller, source, place, max));
}

int lists_export(struct lists *lists, const char *source, struct lists_place *place, unsigned max, lists_entry_fn *fn,
		 void *data)
{
	const struct weir_source *only = source ? ledger_source_find(lists->ledger, source) : NULL;
	struct store_txn txn;
	struct teller teller = {.lists = lists, .txn = &txn, .fn = fn, .data = data};
	int rc;

	if (source && !only)
		return -ENOENT;
	if (place->table >= EXPORT_END || max == 0)
		return 0;
	rc = ledger_read_begin(lists->ledger, &txn);
	if (rc < 0)
		return rc;
	rc = export_guarded(&teller, only ? only->id : 0, place, max);
	store_read_end(&txn);
	return rc < 0 ? rc : 1;
}

/* --- history ---------------------------------------------------------------------------------- */

/* What one source said of one version of the device so far: needed to know what a replacing batch took off. */
struct standing {
	uint16_t source;
	int8_t svn;
	uint16_t reason;
	uint8_t colour;
	bool listed;
};

struct history {
	struct lists *lists;
	struct store_txn txn;
	uint64_t imei;
	struct standing *standing;
	unsigned n, size;
	lists_event_fn *fn;
	void *data;
};

static struct standing *standing_of(struct history *history, unsigned source, int8_t svn)
{
	struct standing *larger;

	for (unsigned i = 0; i < history->n; i++) {
		if (history->standing[i].source == source && history->standing[i].svn == svn)
			return &history->standing[i];
	}
	if (history->n == history->size) {
		unsigned size = history->size ? history->size * 2 : 16;

		larger = reallocarray(history->standing, size, sizeof(*larger));
		if (!larger)
			return NULL;
		history->standing = larger;
		history->size = size;
	}
	history->standing[history->n] = (struct standing){.source = (uint16_t)source, .svn = svn};
	return &history->standing[history->n++];
}

static int history_single(struct history *history, uint64_t serial)
{
	const struct weir_source *source;
	struct standing *standing;
	struct weir_event event;
	int rc = ledger_event_get(history->lists->ledger, &history->txn, serial, &event);

	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	if ((event.type != LEDGER_PUT && event.type != LEDGER_REMOVE) || event.row.from != history->imei)
		return -EUCLEAN; /* the history leads to an event that is not this device's */
	source = ledger_source_find(history->lists->ledger, event.source);
	if (event.row.kind == LIST_DEVICE && source) {
		standing = standing_of(history, source->id, event.row.svn);
		if (!standing)
			return -ENOMEM;
		standing->listed = event.type == LEDGER_PUT;
		standing->colour = (uint8_t)event.row.colour;
		standing->reason = event.row.reason;
	}
	return history->fn(&event, history->data);
}

static void event_row(struct weir_event *event, const struct history *history, const struct standing *standing)
{
	event->row = (struct list_row){.kind = LIST_DEVICE,
				       .from = history->imei,
				       .to = history->imei,
				       .svn = standing->svn,
				       .colour = standing->colour,
				       .reason = standing->reason};
}

/* The batch's rows on this device, each told as an event; what stands is brought up to it. */
static int history_rows(struct history *history, const struct ledger_batch *batch, struct weir_event *event)
{
	struct ledger_rows rows;
	int rc = ledger_rows_begin(history->lists->ledger, &history->txn, batch->id, LEDGER_CHUNK_DEVICES,
				   ledger_row_key(history->imei, WEIR_NO_SVN), &rows);

	for (; rc == 0 && rows.ok && rows.row.key >> 7 == history->imei; ledger_rows_next(&rows)) {
		struct standing *standing = standing_of(history, batch->source, (int8_t)((rows.row.key & 0x7f) - 1));

		if (!standing) {
			rc = -ENOMEM;
			break;
		}
		standing->listed = batch->mode != LEDGER_TAKE_OFF;
		standing->colour = rows.row.colour;
		standing->reason = rows.row.reason;
		event->batch.remove = batch->mode == LEDGER_TAKE_OFF;
		event_row(event, history, standing);
		rc = history->fn(event, history->data);
	}
	if (rc == 0)
		rc = rows.err;
	ledger_rows_end(&rows);
	return rc;
}

static void event_pair(struct weir_event *event, const struct ledger_item *item)
{
	event->row = (struct list_row){.kind = LIST_PAIR,
				       .from = item->a,
				       .to = item->a,
				       .svn = WEIR_NO_SVN,
				       .colour = WEIR_UNKNOWN,
				       .imsi = {item->b},
				       .rule = item->what,
				       .reason = item->reason};
}

/* Its pairs with this device: they are sorted, and numbered through. */
static int history_pairs(struct history *history, const struct ledger_batch *batch, struct weir_event *event)
{
	struct ledger *ledger = history->lists->ledger;
	uint64_t low = 0, high = batch->pairs;
	struct ledger_rows rows;
	int rc = 0;

	while (rc == 0 && low < high) {
		uint64_t middle = low + (high - low) / 2;

		rc = ledger_rows_begin(ledger, &history->txn, batch->id, LEDGER_CHUNK_PAIRS, middle, &rows);
		if (rc == 0 && rows.ok && rows.item.a < history->imei)
			low = middle + 1;
		else
			high = middle;
		ledger_rows_end(&rows);
	}
	if (rc < 0 || low == batch->pairs)
		return rc;
	rc = ledger_rows_begin(ledger, &history->txn, batch->id, LEDGER_CHUNK_PAIRS, low, &rows);
	for (; rc == 0 && rows.ok && rows.item.a == history->imei; ledger_rows_next(&rows)) {
		event->batch.remove = batch->mode == LEDGER_TAKE_OFF;
		event_pair(event, &rows.item);
		rc = history->fn(event, history->data);
	}
	if (rc == 0)
		rc = rows.err;
	ledger_rows_end(&rows);
	return rc;
}

/* A replacing batch also took off what it does not hold. */
static int history_replaced(struct history *history, const struct ledger_batch *batch, struct weir_event *event)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < history->n; i++) {
		struct standing *standing = &history->standing[i];
		struct ledger_rows rows;
		uint64_t key = ledger_row_key(history->imei, standing->svn);
		bool held;

		if (standing->source != batch->source || !standing->listed)
			continue;
		rc = ledger_rows_begin(history->lists->ledger, &history->txn, batch->id, LEDGER_CHUNK_DEVICES, key,
				       &rows);
		held = rows.ok && rows.row.key == key;
		ledger_rows_end(&rows);
		if (rc < 0 || held)
			continue;
		standing->listed = false;
		event->batch.remove = true;
		event_row(event, history, standing);
		rc = history->fn(event, history->data);
	}
	return rc;
}

static int history_batch(struct history *history, const struct ledger_batch *batch)
{
	struct weir_event event;
	int rc;

	if (batch->state == LEDGER_STORING)
		return 0;
	rc = ledger_event_get(history->lists->ledger, &history->txn, batch->serial, &event);
	if (rc < 0 || event.type != LEDGER_BATCH)
		return rc < 0 && rc != -ENOENT ? rc : -EUCLEAN;
	if (batch->mode == LEDGER_REPLACE)
		rc = history_replaced(history, batch, &event);
	if (rc == 0)
		rc = history_rows(history, batch, &event);
	return rc < 0 ? rc : history_pairs(history, batch, &event);
}

/* Single changes and batches, merged by serial. */
static int history_merge(struct history *history)
{
	struct ledger *ledger = history->lists->ledger;
	struct ledger_batch batch;
	uint64_t single[256], after = 0, batch_id = 0;
	unsigned at = 0;
	int n = ledger_history_get(ledger, &history->txn, history->imei, 0, single, 256);
	int more = ledger_batch_next(ledger, &history->txn, 0, &batch), rc = 0;

	while (rc == 0) {
		if (n < 0 || (more < 0 && more != -ENOENT))
			return n < 0 ? n : more;
		if (at < (unsigned)n &&
		    (more == -ENOENT || single[at] < batch.serial || batch.state == LEDGER_STORING)) {
			after = single[at++];
			rc = history_single(history, after);
			if (at == (unsigned)n) {
				n = ledger_history_get(ledger, &history->txn, history->imei, after, single, 256);
				at = 0;
			}
		} else if (more == 0) {
			batch_id = batch.id;
			rc = history_batch(history, &batch);
			more = ledger_batch_next(ledger, &history->txn, batch_id, &batch);
		} else {
			break;
		}
	}
	return rc;
}

int lists_history(struct lists *lists, uint64_t imei, lists_event_fn *fn, void *data)
{
	struct history history = {.lists = lists, .imei = imei, .fn = fn, .data = data};
	int rc = ledger_read_begin(lists->ledger, &history.txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(lists->ledger, history_merge(&history));
	store_read_end(&history.txn);
	free(history.standing);
	return rc;
}
