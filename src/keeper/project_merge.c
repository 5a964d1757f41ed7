/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What many sources say, as one word.  Pure: entries in, a register's row out; no store, no clock.
 *
 * The lists of a device (and of each listed version) are the union over the sources.  The reason is the one of the
 * gravest list; among equals the oldest entry wins, so that a later source does not rewrite why a device was blocked.
 */

#include "keeper/lists_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MERGE_ROWS     16  /* of struct register_device: the device's own and its versions' */
#define MERGE_VERSIONS 100 /* 00 to 99 */

/* --- growing arrays --------------------------------------------------------------------------- */

static bool grow(void *array_pointer, unsigned n, unsigned *size, size_t each)
{
	void **array = array_pointer;
	unsigned wanted = *size ? *size * 2 : 16;
	void *larger;

	if (n < *size)
		return true;
	larger = reallocarray(*array, wanted, each);
	if (!larger)
		return false;
	*array = larger;
	*size = wanted;
	return true;
}

int words_add(struct device_words *words, const struct ledger_entry *entry)
{
	if (!grow(&words->entry, words->n, &words->size, sizeof(*words->entry)))
		return -ENOMEM;
	words->entry[words->n++] = *entry;
	words->damaged |= entry->damaged;
	return 0;
}

int words_load(struct device_words *words, struct ledger_walk *walk, uint64_t imei)
{
	words->imei = imei;
	words->n = 0;
	words->damaged = false;
	for (; walk->ok && ledger_key_imei(walk->entry.key) == imei; ledger_walk_next(walk)) {
		if (words_add(words, &walk->entry) < 0)
			return -ENOMEM;
	}
	return walk->err;
}

const struct ledger_entry *words_find(const struct device_words *words, uint64_t key)
{
	for (unsigned i = 0; i < words->n; i++) {
		if (words->entry[i].key == key)
			return &words->entry[i];
	}
	return NULL;
}

int words_apply(struct device_words *after, const struct device_words *words, const struct ledger_entry *entry,
		       bool put)
{
	bool placed = !put;
	int rc = 0;

	after->imei = words->imei;
	after->n = 0;
	after->damaged = false;
	for (unsigned i = 0; rc == 0 && i < words->n; i++) {
		if (!placed && words->entry[i].key >= entry->key) {
			rc = words_add(after, entry);
			placed = true;
		}
		if (rc == 0 && words->entry[i].key != entry->key)
			rc = words_add(after, &words->entry[i]);
	}
	return rc == 0 && !placed ? words_add(after, entry) : rc;
}

void words_free(struct device_words *words)
{
	free(words->entry);
	*words = (struct device_words){0};
}

void touch_imei(struct touched *touched, uint64_t imei)
{
	if (touched->n_imeis && touched->imei[touched->n_imeis - 1] == imei)
		return;
	if (!grow(&touched->imei, touched->n_imeis, &touched->size_imeis, sizeof(*touched->imei)))
		touched->failed = true;
	else
		touched->imei[touched->n_imeis++] = imei;
}

void touch_pair(struct touched *touched, uint64_t imei, uint64_t imsi)
{
	if (!grow(&touched->pair, touched->n_pairs, &touched->size_pairs, sizeof(*touched->pair)))
		touched->failed = true;
	else
		touched->pair[touched->n_pairs++] = (struct touched_pair){imei, imsi};
}

void touch_flip(struct touched *touched, uint64_t imei)
{
	if (touched->sweep || (touched->n_flips && touched->flip[touched->n_flips - 1] == imei))
		return;
	if (touched->n_flips == LISTS_FLIPS_MAX ||
	    !grow(&touched->flip, touched->n_flips, &touched->size_flips, sizeof(*touched->flip)))
		touched->sweep = true;
	else
		touched->flip[touched->n_flips++] = imei;
}

void touch_clear(struct touched *touched)
{
	touched->n_imeis = touched->n_pairs = touched->n_flips = 0;
	touched->ranges = touched->sweep = touched->failed = false;
}

void touch_free(struct touched *touched)
{
	free(touched->imei);
	free(touched->pair);
	free(touched->flip);
	*touched = (struct touched){0};
}

/* --- merging ---------------------------------------------------------------------------------- */

struct level {
	uint8_t lists;
	uint8_t gravest;
	uint16_t reason;
	uint64_t serial;
};

static void level_add(struct level *level, const struct ledger_entry *entry)
{
	bool graver = level->lists == 0 || entry->colour > level->gravest;
	bool older = entry->colour == level->gravest && entry->serial < level->serial;

	if (graver || older) {
		level->gravest = entry->colour;
		level->reason = entry->reason;
		level->serial = entry->serial;
	}
	level->lists |= WEIR_ON(entry->colour);
}

static void row_add(struct register_device *device, int8_t svn, const struct level *level)
{
	device->row[device->n_rows++] = (struct register_svn_row){
		.svn = svn, .listing = {.lists = level->lists, .reason = level->reason}};
}

/* Of the versions that have a level, the one that gives way next: the least grave, and of those the last. */
static struct level *least_grave(struct level *version)
{
	struct level *least = NULL;

	for (struct level *level = version; level < version + MERGE_VERSIONS; level++) {
		if (level->lists && (!least || level->lists <= least->lists))
			least = level;
	}
	return least;
}

/* A version that finds no room is answered by the device's row, which must be no milder: the gravest of those speaks
 * there too, unless it was said of the device itself. */
static void level_widen(struct level *device, const struct level *version)
{
	if (device->lists & WEIR_ON(version->gravest))
		return;
	if (device->lists == 0 || version->gravest > device->gravest) {
		device->gravest = version->gravest;
		device->reason = version->reason;
	}
	device->lists |= WEIR_ON(version->gravest);
}

/* Leaves no more levels than there are rows. */
static void levels_fit(struct level *device, struct level *version, unsigned n)
{
	struct level widest = {0};

	if (n + (device->lists != 0) <= MERGE_ROWS)
		return;
	for (; n > MERGE_ROWS - 1; n--) {
		struct level *least = least_grave(version);

		if (widest.lists == 0 || least->gravest > widest.gravest)
			widest = *least;
		least->lists = 0;
	}
	level_widen(device, &widest);
}

void merge_device(const struct device_words *words, struct register_device *device)
{
	struct level own = {0}, version[MERGE_VERSIONS] = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < words->n; i++) {
		int8_t svn = ledger_key_svn(words->entry[i].key);

		if (svn >= MERGE_VERSIONS)
			continue; /* there is no such version: verify says who wrote it */
		if (svn != WEIR_NO_SVN)
			n += version[svn].lists == 0;
		level_add(svn == WEIR_NO_SVN ? &own : &version[svn], &words->entry[i]);
	}
	levels_fit(&own, version, n);
	device->key = words->imei;
	device->paired = false;
	device->n_rows = 0;
	if (own.lists)
		row_add(device, WEIR_NO_SVN, &own);
	for (int8_t svn = 0; n > 0 && svn < MERGE_VERSIONS; svn++) {
		if (version[svn].lists)
			row_add(device, svn, &version[svn]);
	}
}

enum weir_colour merge_colour(const struct register_device *device)
{
	uint8_t lists = 0;

	for (unsigned i = 0; i < device->n_rows; i++)
		lists |= device->row[i].listing.lists;
	return lists_gravest(lists);
}

static const struct register_svn_row *row_of(const struct register_device *device, int8_t svn)
{
	for (unsigned i = 0; i < device->n_rows; i++) {
		if (device->row[i].svn == svn)
			return &device->row[i];
	}
	return NULL;
}

/* A version's own row speaks for it; where it has none, the device's does. */
static uint8_t version_lists(const struct register_device *device, int8_t svn)
{
	const struct register_svn_row *row = row_of(device, svn);

	if (!row)
		row = row_of(device, WEIR_NO_SVN);
	return row ? row->listing.lists : WEIR_ON_NONE;
}

/* Who was on the black list was black, and white or grey alone is not black.  On no list, a range or the policy speaks.
 */
static bool version_may_turn_black(const struct register_device *before, const struct register_device *after,
				   int8_t svn)
{
	uint8_t was = version_lists(before, svn), is = version_lists(after, svn);

	return is != was && !(was & WEIR_ON(WEIR_BLACK)) && (is == WEIR_ON_NONE || is & WEIR_ON(WEIR_BLACK));
}

bool merge_may_turn_black(const struct register_device *before, const struct register_device *after)
{
	bool may = version_may_turn_black(before, after, WEIR_NO_SVN);

	for (unsigned i = 0; !may && i < after->n_rows; i++)
		may = version_may_turn_black(before, after, after->row[i].svn);
	for (unsigned i = 0; !may && i < before->n_rows; i++)
		may = version_may_turn_black(before, after, before->row[i].svn);
	return may;
}

void merge_pair(const struct ledger_item *items, unsigned n, struct merged_pair *pair)
{
	uint64_t serial = 0, fixed_serial = 0;

	*pair = (struct merged_pair){.rule = WEIR_PAIR_NONE};
	for (unsigned i = 0; i < n; i++) {
		const struct ledger_item *item = &items[i];

		if (item->damaged) {
			pair->damaged = true;
		} else if (item->what == WEIR_PAIR_FIXED) {
			if (!pair->fixed || item->serial < fixed_serial) {
				pair->fixed_reason = item->reason;
				fixed_serial = item->serial;
			}
			pair->fixed = true;
		} else if (item->what > pair->rule || (item->what == pair->rule && item->serial < serial)) {
			pair->rule = item->what; /* DENY is above ALLOW is above NONE */
			pair->reason = item->reason;
			serial = item->serial;
		}
	}
}
