/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What rows of a batch do to the entries, slice by slice: a merge of two ascending sequences, the rows and the entries.
 * Reading comes first and writing after it, so that no cursor stands on what is being changed. */

#include "keeper/import_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSIONS_MAX 101 /* none, and 00 to 99 */

void plan_clear(struct plan *plan)
{
	plan->n_writes = plan->n_devices = 0;
	plan->err = 0;
}

void plan_free(struct plan *plan)
{
	free(plan->write);
	free(plan->device);
	words_free(&plan->after);
	words_free(&plan->scratch);
	*plan = (struct plan){0};
}

static void plan_write(struct plan *plan, const struct ledger_entry *entry, const struct ledger_entry *before, bool put)
{
	struct plan_write *write;

	if (plan->dry)
		return;
	if (plan->n_writes == plan->size_writes) {
		unsigned size = plan->size_writes ? plan->size_writes * 2 : 1024;

		write = reallocarray(plan->write, size, sizeof(*write));
		if (!write) {
			plan->err = -ENOMEM;
			return;
		}
		plan->write = write;
		plan->size_writes = size;
	}
	write = &plan->write[plan->n_writes++];
	*write = (struct plan_write){.key = entry->key, .reason = entry->reason, .colour = entry->colour, .put = put};
	if (before) {
		write->before = before->damaged ? 2 : 1;
		write->before_reason = before->reason;
		write->before_colour = before->colour;
	}
}

static void plan_device(struct plan *plan, const struct plan_device *device)
{
	if (plan->dry)
		return;
	if (plan->n_devices == plan->size_devices) {
		unsigned size = plan->size_devices ? plan->size_devices * 2 : 1024;
		struct plan_device *larger = reallocarray(plan->device, size, sizeof(*larger));

		if (!larger) {
			plan->err = -ENOMEM;
			return;
		}
		plan->device = larger;
		plan->size_devices = size;
	}
	plan->device[plan->n_devices++] = *device;
}

/* --- one device ------------------------------------------------------------------------------- */

/* The usual case: nobody said anything of this device, and the file has one line on it. */
static void device_is_new(struct plan *plan, const struct ledger_row *row)
{
	uint64_t imei = row->key >> 7;
	const struct ledger_entry entry = {
		.key = row->key << 10 | plan->source, .reason = row->reason, .colour = row->colour};
	const struct plan_device device = {
		.imei = imei, .reason = row->reason, .lists = WEIR_ON(row->colour), .versions = (row->key & 0x7f) != 0};

	plan->counts.added++;
	if (row->colour == WEIR_BLACK) {
		plan->counts.turned_black++;
		if (!plan->dry)
			touch_flip(plan->touched, imei);
	}
	plan_write(plan, &entry, NULL, true);
	plan_device(plan, &device);
}

static const struct ledger_row *row_of_version(const struct ledger_row *rows, unsigned n, uint64_t key)
{
	for (unsigned i = 0; i < n; i++) {
		if (rows[i].key == key)
			return &rows[i];
	}
	return NULL;
}

/* after becomes after with this entry (put) or without it. */
static void after_apply(struct plan *plan, const struct ledger_entry *entry, bool put)
{
	struct device_words swap = plan->after;
	int rc = words_apply(&plan->scratch, &plan->after, entry, put);

	if (rc < 0)
		plan->err = rc;
	plan->after = plan->scratch;
	plan->scratch = swap;
}

static void plan_put(struct plan *plan, const struct device_words *words, const struct ledger_row *row)
{
	const struct ledger_entry entry = {.key = row->key << 10 | plan->source,
					   .serial = UINT64_MAX,
					   .reason = row->reason,
					   .colour = row->colour};
	const struct ledger_entry *before = plan->source ? words_find(words, entry.key) : NULL;

	if (before && !before->damaged && before->colour == row->colour && before->reason == row->reason) {
		plan->counts.unchanged++;
		return;
	}
	if (before)
		plan->counts.changed++;
	else
		plan->counts.added++;
	plan_write(plan, &entry, before, true);
	after_apply(plan, &entry, true);
}

static void plan_remove(struct plan *plan, const struct ledger_entry *before)
{
	plan->counts.removed++;
	plan_write(plan, before, before, false);
	after_apply(plan, before, false);
}

static void device_settle(struct plan *plan, const struct device_words *words)
{
	struct plan_device out = {.imei = words->imei};
	struct register_device before, after;
	bool was_black, is_black;

	merge_device(words, &before);
	merge_device(&plan->after, &after);
	if (words->damaged)
		before.n_rows = 0;
	if (plan->after.damaged)
		return; /* the register keeps what it says; verify names the entry */
	was_black = merge_colour(&before) == WEIR_BLACK;
	is_black = merge_colour(&after) == WEIR_BLACK;
	plan->counts.turned_black += is_black && !was_black;
	plan->counts.turned_from_black += was_black && !is_black;
	if (!plan->dry && merge_may_turn_black(&before, &after))
		touch_flip(plan->touched, words->imei);
	if (after.n_rows == 1 && after.row[0].svn == WEIR_NO_SVN) {
		out.lists = after.row[0].listing.lists;
		out.reason = after.row[0].listing.reason;
	} else {
		out.versions = after.n_rows > 0;
	}
	plan_device(plan, &out);
}

static void device_changes(struct plan *plan, const struct device_words *words, const struct ledger_row *rows,
			   unsigned n)
{
	uint64_t touched = plan->counts.added + plan->counts.changed + plan->counts.removed;
	int rc = 0;

	plan->after.imei = words->imei;
	plan->after.n = 0;
	plan->after.damaged = false;
	for (unsigned i = 0; rc == 0 && i < words->n; i++)
		rc = words_add(&plan->after, &words->entry[i]);
	if (rc < 0)
		plan->err = rc;
	for (unsigned i = 0; i < words->n; i++) {
		const struct ledger_entry *word = &words->entry[i];
		bool in_file = row_of_version(rows, n, word->key >> 10);

		if (ledger_key_source(word->key) != plan->source)
			continue;
		if (plan->mode == LEDGER_TAKE_OFF ? in_file : plan->mode == LEDGER_REPLACE && !in_file)
			plan_remove(plan, word);
	}
	for (unsigned i = 0; i < n && plan->mode != LEDGER_TAKE_OFF; i++)
		plan_put(plan, words, &rows[i]);
	for (unsigned i = 0; i < n && plan->mode == LEDGER_TAKE_OFF; i++)
		plan->counts.unchanged += !words_find(words, rows[i].key << 10 | plan->source);
	if (plan->counts.added + plan->counts.changed + plan->counts.removed != touched)
		device_settle(plan, words);
}

/* --- the merge -------------------------------------------------------------------------------- */

static unsigned rows_take(struct row_stream *stream, uint64_t imei, struct ledger_row rows[static VERSIONS_MAX])
{
	unsigned n = 0;

	for (; stream->ok && stream->row.key >> 7 == imei && n < VERSIONS_MAX; stream->next(stream))
		rows[n++] = stream->row;
	return n;
}

uint64_t plan_devices(struct plan *plan, struct row_stream *stream, struct ledger_walk *walk, uint64_t place,
		      unsigned budget)
{
	bool replace = plan->mode == LEDGER_REPLACE && plan->source;
	struct device_words *words = &plan->lists->words;
	struct ledger_row rows[VERSIONS_MAX];

	ledger_walk_seek(walk, ledger_key(place, WEIR_NO_SVN, 0));
	while (plan->err == 0 && stream->err == 0 && walk->err == 0) {
		uint64_t imei = stream->ok ? stream->row.key >> 7 : LEDGER_PLACE_END;
		unsigned n;

		if (replace && walk->ok && ledger_key_imei(walk->entry.key) < imei)
			imei = ledger_key_imei(walk->entry.key);
		if (imei == LEDGER_PLACE_END || budget-- == 0)
			return imei;
		n = rows_take(stream, imei, rows);
		ledger_walk_to(walk, ledger_key(imei, WEIR_NO_SVN, 0));
		plan->err = words_load(words, walk, imei);
		if (words->n == 0 && n == 1 && plan->mode != LEDGER_TAKE_OFF)
			device_is_new(plan, &rows[0]);
		else
			device_changes(plan, words, rows, n);
	}
	if (plan->err == 0)
		plan->err = stream->err < 0 ? stream->err : walk->err;
	return place;
}

/* --- pairs and ranges ------------------------------------------------------------------------- */

static void item_touched(struct plan *plan, enum ledger_items table, const struct ledger_item *item)
{
	if (plan->dry)
		return;
	plan->touched->sweep = true; /* who is concerned cannot be named */
	if (table == LEDGER_RANGES) {
		plan->touched->ranges = true;
		return;
	}
	touch_pair(plan->touched, item->a, item->b);
	touch_imei(plan->touched, item->a);
}

static void item_remove(struct plan *plan, enum ledger_items table, const struct ledger_item *there)
{
	plan->counts.removed++;
	if (!plan->dry && plan->err == 0)
		plan->err = ledger_item_remove(plan->lists->ledger, table, there);
	item_touched(plan, table, there);
}

static void item_row(struct plan *plan, struct store_txn *txn, enum ledger_items table, struct ledger_item item)
{
	struct ledger *ledger = plan->lists->ledger;
	struct ledger_item there;
	int rc;

	item.source = (uint16_t)plan->source;
	there = item;
	rc = plan->source ? ledger_item_get(ledger, txn, table, &there) : -ENOENT;
	if (rc < 0 && rc != -ENOENT) {
		plan->err = rc;
		return;
	}
	if (plan->mode == LEDGER_TAKE_OFF) {
		if (rc == 0)
			item_remove(plan, table, &there);
		else
			plan->counts.unchanged++;
		return;
	}
	if (rc == 0 && !there.damaged && there.what == item.what && there.reason == item.reason) {
		plan->counts.unchanged++;
		return;
	}
	if (rc == 0)
		plan->counts.changed++;
	else
		plan->counts.added++;
	if (!plan->dry)
		plan->err = ledger_item_put(ledger, table, &item, rc == 0 ? &there : NULL);
	item_touched(plan, table, &item);
}

static bool items_hold(const struct import_items *items, const struct ledger_item *item)
{
	unsigned low = 0, high = items->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct ledger_item *row = &items->row[middle].item;

		if (row->a == item->a && row->b == item->b)
			return true;
		if (row->a < item->a || (row->a == item->a && row->b < item->b))
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void items_replace(struct plan *plan, struct store_txn *txn, enum ledger_items table,
			  const struct import_items *items)
{
	struct import_items gone = {0};
	struct ledger_item_walk walk;

	plan->err = ledger_items_begin(plan->lists->ledger, txn, table, NULL, &walk);
	for (; plan->err == 0 && walk.ok; ledger_items_next(&walk)) {
		if (walk.item.source == plan->source && !items_hold(items, &walk.item))
			plan->err = import_items_add(&gone, &walk.item, 0);
	}
	if (plan->err == 0)
		plan->err = walk.err;
	ledger_items_end(&walk);
	for (unsigned i = 0; plan->err == 0 && i < gone.n; i++)
		item_remove(plan, table, &gone.row[i].item);
	import_items_free(&gone);
}

int plan_items(struct plan *plan, struct store_txn *txn, enum ledger_items table, const struct import_items *items,
	       unsigned from, unsigned to, bool removals, uint64_t serial)
{
	for (unsigned i = from; i < to && plan->err == 0; i++) {
		struct ledger_item item = items->row[i].item;

		item.serial = serial;
		item_row(plan, txn, table, item);
	}
	if (removals && plan->err == 0 && plan->mode == LEDGER_REPLACE && plan->source)
		items_replace(plan, txn, table, items);
	return plan->err;
}
