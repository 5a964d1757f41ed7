/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* From the ledger's entries to the register's verdicts.  A projection reads one snapshot of the ledger and writes one
 * batch of the register; it never looks at what the register said before, so it can be repeated. */

#include "keeper/lists_internal.h"

#include <errno.h>
#include <stdlib.h>

static int cursors_begin(struct projection *projection)
{
	struct ledger *ledger = projection->lists->ledger;
	int rc = ledger_walk_begin(ledger, &projection->txn, 0, &projection->walk);

	return rc < 0 ? rc : ledger_items_begin(ledger, &projection->txn, LEDGER_PAIRS, NULL, &projection->pairs);
}

int project_begin(struct lists *lists, struct projection *projection)
{
	int rc;

	*projection = (struct projection){.lists = lists};
	if (!lists->writer || lists->register_broken)
		return -ESTALE;
	rc = ledger_read_begin(lists->ledger, &projection->txn);
	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(lists->ledger, cursors_begin(projection));
	if (rc == 0)
		rc = register_batch_begin(lists->writer);
	if (rc < 0) {
		ledger_items_end(&projection->pairs);
		ledger_walk_end(&projection->walk);
		store_read_end(&projection->txn);
		lists->register_broken |= rc != -ENOMEM && rc != -ENOSPC;
	}
	return rc;
}

/* To the first pair of a device. Devices mostly come in ascending order, and mostly there is no pair. */
static bool pairs_to(struct projection *projection, uint64_t imei)
{
	struct ledger_item_walk *pairs = &projection->pairs;
	const struct ledger_item from = {.a = imei};

	if (imei < projection->pairs_from)
		ledger_items_seek(pairs, &from);
	while (pairs->ok && pairs->item.a < imei) {
		ledger_items_next(pairs);
		if (pairs->ok && pairs->item.a < imei)
			ledger_items_seek(pairs, &from);
	}
	projection->pairs_from = imei;
	return pairs->ok && pairs->item.a == imei;
}

static int find_paired(struct projection *projection, uint64_t imei)
{
	struct ledger_item_walk *pairs = &projection->pairs;

	for (bool more = pairs_to(projection, imei); more; more = pairs->ok && pairs->item.a == imei) {
		if (pairs->item.damaged || pairs->item.what != WEIR_PAIR_FIXED)
			return 1;
		ledger_items_next(pairs);
		projection->pairs_from = imei + 1;
	}
	return pairs->err;
}

/* Does any source allow or deny a pair with this device?  Damaged words count as yes: the pair itself decides then. */
static bool is_paired(struct projection *projection, uint64_t imei)
{
	const struct ledger_item_walk *pairs = &projection->pairs;
	int rc;

	if (imei >= projection->pairs_from && pairs->err == 0 && (!pairs->ok || pairs->item.a > imei))
		return false; /* nearly always */
	rc = LEDGER_GUARDED(projection->lists->ledger, find_paired(projection, imei));
	if (rc < 0 && projection->err == 0)
		projection->err = rc;
	return rc == 1;
}

void project_device(struct projection *projection, struct register_device *device)
{
	device->paired = is_paired(projection, device->key);
	if (projection->err == 0)
		register_set_device(projection->lists->writer, device); /* its error is sticky: commit says it */
}

static int words_seek(struct device_words *words, struct ledger_walk *walk, uint64_t imei)
{
	ledger_walk_seek(walk, ledger_key(imei, WEIR_NO_SVN, 0));
	return words_load(words, walk, imei);
}

void project_imei(struct projection *projection, uint64_t imei)
{
	struct device_words *words = &projection->lists->words;
	struct register_device device;
	int rc;

	if (projection->err < 0)
		return;
	rc = LEDGER_GUARDED(projection->lists->ledger, words_seek(words, &projection->walk, imei));
	if (rc < 0) {
		projection->err = rc;
		return;
	}
	if (words->damaged)
		return; /* the register keeps what it says; verify names the entry */
	merge_device(words, &device);
	project_device(projection, &device);
}

static int pair_load(struct projection *projection, uint64_t imei, uint64_t imsi, struct merged_pair *merged)
{
	struct ledger_item_walk *pairs = &projection->pairs;
	const struct ledger_item from = {.a = imei, .b = imsi};
	struct ledger_item item[LEDGER_SOURCES_MAX];
	unsigned n = 0;

	projection->pairs_from = UINT64_MAX;
	ledger_items_seek(pairs, &from);
	for (; pairs->ok && pairs->item.a == imei && pairs->item.b == imsi && n < LEDGER_SOURCES_MAX;
	     ledger_items_next(pairs))
		item[n++] = pairs->item;
	merge_pair(item, n, merged);
	return pairs->err;
}

void project_pair(struct projection *projection, uint64_t imei, uint64_t imsi)
{
	struct lists *lists = projection->lists;
	struct merged_pair merged;

	if (projection->err == 0)
		projection->err = LEDGER_GUARDED(lists->ledger, pair_load(projection, imei, imsi, &merged));
	if (projection->err < 0 || merged.damaged)
		return;
	register_set_pair(lists->writer, imei, (struct weir_imsi){imsi}, merged.rule, merged.reason);
	register_set_sim(lists->writer, (struct weir_imsi){imsi}, imei, merged.fixed, merged.fixed_reason);
}

int project_collect_ranges(struct lists *lists, struct store_txn *txn, struct register_range **out, unsigned *out_n)
{
	struct ledger_item_walk walk;
	struct register_range *range = NULL;
	unsigned n = 0, size = 0;
	uint64_t serial = 0;
	int rc = ledger_items_begin(lists->ledger, txn, LEDGER_RANGES, NULL, &walk);

	for (; rc == 0 && walk.ok; ledger_items_next(&walk)) {
		const struct ledger_item *item = &walk.item;
		struct weir_listing *listing;

		if (item->damaged) {
			rc = -EUCLEAN;
			break;
		}
		if (n == 0 || range[n - 1].from != item->a || range[n - 1].to != item->b) {
			if (n == size) {
				struct register_range *larger =
					reallocarray(range, size ? size * 2 : 64, sizeof(*range));

				if (!larger) {
					rc = -ENOMEM;
					break;
				}
				range = larger;
				size = size ? size * 2 : 64;
			}
			range[n++] = (struct register_range){.from = item->a, .to = item->b};
		}
		listing = &range[n - 1].listing;
		if (listing->lists < WEIR_ON(item->what) ||
		    (lists_gravest(listing->lists) == item->what && item->serial < serial)) {
			listing->reason = item->reason;
			serial = item->serial;
		}
		listing->lists |= WEIR_ON(item->what);
	}
	if (rc == 0)
		rc = walk.err;
	ledger_items_end(&walk);
	if (rc < 0) {
		free(range);
		range = NULL;
		n = 0;
	}
	*out = range;
	*out_n = n;
	return rc;
}

void project_ranges(struct projection *projection)
{
	struct register_range *range = NULL;
	unsigned n = 0;

	if (projection->err < 0)
		return;
	projection->err = LEDGER_GUARDED(projection->lists->ledger,
					 project_collect_ranges(projection->lists, &projection->txn, &range, &n));
	if (projection->err == 0)
		register_set_ranges(projection->lists->writer, range, n);
	else if (projection->err == -EUCLEAN)
		projection->err = 0; /* the register keeps the ranges it has; verify names the damaged one */
	free(range);
}

static int event_time(struct projection *projection, uint64_t serial, int64_t *time_ms)
{
	struct ledger *ledger = projection->lists->ledger;
	struct weir_event event;

	if (LEDGER_GUARDED(ledger, ledger_event_get(ledger, &projection->txn, serial, &event)) < 0)
		return -EUCLEAN;
	*time_ms = event.time_ms;
	return 0;
}

int project_commit(struct projection *projection, uint64_t serial)
{
	struct lists *lists = projection->lists;
	struct ledger_head head;
	int64_t changed_ms = 0;
	int rc = projection->err;

	ledger_head(lists->ledger, &head);
	if (rc == 0)
		rc = projection->walk.err < 0 ? projection->walk.err : projection->pairs.err;
	if (serial == head.serial)
		changed_ms = head.time_ms;
	else if (serial > 0)
		event_time(projection, serial, &changed_ms); /* a damaged event has no time: verify names it */
	ledger_items_end(&projection->pairs);
	ledger_walk_end(&projection->walk);
	store_read_end(&projection->txn);
	if (rc < 0) {
		register_batch_abort(lists->writer);
		return rc;
	}
	rc = register_batch_commit(lists->writer, head.epoch, serial, changed_ms);
	lists->register_broken |= rc == -ESTALE || rc == -EIO || rc == -EUCLEAN;
	lists->register_damaged |= rc == -EUCLEAN;
	return rc;
}

static int by_value(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return (a > b) - (a < b);
}

int project_touched(struct lists *lists, struct touched *touched, uint64_t serial)
{
	struct projection projection;
	int rc;

	if (touched->failed)
		return -ENOMEM;
	rc = project_begin(lists, &projection);
	if (rc < 0)
		return rc;
	if (touched->n_imeis)
		qsort(touched->imei, touched->n_imeis, sizeof(*touched->imei), by_value);
	for (unsigned i = 0; i < touched->n_pairs; i++)
		project_pair(&projection, touched->pair[i].imei, touched->pair[i].imsi);
	for (unsigned i = 0; i < touched->n_imeis; i++)
		project_imei(&projection, touched->imei[i]);
	if (touched->ranges)
		project_ranges(&projection);
	return project_commit(&projection, serial);
}

uint64_t project_serial(const struct lists *lists, uint64_t serial)
{
	const struct ledger_batch *batch = import_batch(lists);

	/* A batch that is not wholly in must not be claimed by its serial. */
	if (batch && !ledger_batch_is_in(batch) && batch->serial == serial)
		return serial - 1;
	return serial;
}

void project_tell(struct lists *lists, struct touched *touched)
{
	uint64_t after = touched->sweep ? LISTS_SWEEP : lists->told;

	lists->told = project_serial(lists, lists->projected);
	if (!lists->flips)
		return;
	lists->flips(after, lists->told, touched->flip, touched->sweep ? 0 : touched->n_flips, lists->data);
}
