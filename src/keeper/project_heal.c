/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* When the register is behind, gone or somebody else's: catch up by the events since its serial, or make it anew from
 * the entries.
 *
 * While a rebuild goes on, single changes are accepted: they are in the ledger (lists_lag counts them), and the events
 * since the rebuild began are projected again once the new generation is complete.  Until then gates answer from the
 * old one.  Both go in slices: nobody in the loop waits longer than for one. */

#include "keeper/lists_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEAL_EVENTS_MAX 100000 /* more than this: a rebuild is faster */

/* --- rebuild ---------------------------------------------------------------------------------- */

static int rebuild_start(struct lists *lists, bool healing, struct weir_why *why)
{
	struct ledger_head head;
	int rc;

	ledger_head(lists->ledger, &head);
	rc = register_rebuild_begin(lists->writer, why);
	if (rc < 0)
		return rc;
	lists->register_broken = false;
	lists->rebuild = (struct rebuild){.on = true, .healing = healing, .serial = head.serial};
	return 0;
}

int lists_rebuild_begin(struct lists *lists, struct weir_why *why)
{
	if (lists->rebuild.on)
		return why_set(why, -EBUSY, "a rebuild is under way");
	if (ledger_batch_under_way(lists->ledger))
		return why_set(why, -EBUSY, "an import is being stored or applied; rebuild when it is done");
	if (lists->turn)
		return why_set(why, -EBUSY, "changes are being made");
	if (!lists->writer)
		return why_set(why, -ESTALE, "the register could not be opened");
	return rebuild_start(lists, false, why);
}

static int walk_from(struct ledger_walk *walk, uint64_t key)
{
	ledger_walk_seek(walk, key);
	return walk->err;
}

static int device_first(struct lists *lists, struct ledger_walk *walk, uint64_t key)
{
	return LEDGER_GUARDED(lists->ledger, walk_from(walk, key));
}

static int device_next(struct lists *lists, struct ledger_walk *walk)
{
	return LEDGER_GUARDED(lists->ledger, words_load(&lists->words, walk, ledger_key_imei(walk->entry.key)));
}

static bool rebuild_devices(struct rebuild *rebuild, struct projection *projection, unsigned max)
{
	struct lists *lists = projection->lists;
	struct ledger_walk *walk = &projection->walk;
	struct device_words *words = &lists->words;
	struct register_device device;

	projection->err = device_first(lists, walk, rebuild->place);
	for (; walk->ok && max > 0 && projection->err == 0; max--) {
		projection->err = device_next(lists, walk);
		rebuild->place = ledger_key(words->imei + 1, WEIR_NO_SVN, 0);
		if (projection->err < 0 || words->damaged)
			continue;
		merge_device(words, &device);
		project_device(projection, &device);
	}
	return walk->ok;
}

static int pairs_from(struct ledger_item_walk *walk, const struct ledger_item *from)
{
	ledger_items_seek(walk, from);
	return walk->err;
}

static int pair_first(struct projection *projection, const struct ledger_item *from, struct ledger_item_walk *walk)
{
	struct ledger *ledger = projection->lists->ledger;

	return LEDGER_GUARDED(ledger, ledger_items_begin(ledger, &projection->txn, LEDGER_PAIRS, from, walk));
}

static int pair_next(struct projection *projection, const struct ledger_item *from, struct ledger_item_walk *walk)
{
	return LEDGER_GUARDED(projection->lists->ledger, pairs_from(walk, from));
}

/* Devices that only stand in pairs get their flag here. */
static bool rebuild_pairs(struct rebuild *rebuild, struct projection *projection, unsigned max)
{
	struct ledger_item_walk walk = {.open = false};
	bool more;

	projection->err = pair_first(projection, &rebuild->pair, &walk);
	for (; projection->err == 0 && walk.ok && max > 0; max--) {
		uint64_t imei = walk.item.a, imsi = walk.item.b;

		project_pair(projection, imei, imsi);
		project_imei(projection, imei);
		rebuild->pair = (struct ledger_item){.a = imei, .b = imsi + 1};
		if (projection->err == 0)
			projection->err = pair_next(projection, &rebuild->pair, &walk);
	}
	more = projection->err == 0 && walk.ok;
	ledger_items_end(&walk);
	return more;
}

static int rebuild_slice(struct lists *lists)
{
	struct rebuild *rebuild = &lists->rebuild;
	struct rebuild next = *rebuild;
	struct projection projection;
	bool more = false;
	int rc = project_begin(lists, &projection);

	if (rc < 0)
		return rc;
	if (rebuild->phase == REBUILD_DEVICES)
		more = rebuild_devices(&next, &projection, lists->tuning.slice_rows);
	else if (rebuild->phase == REBUILD_PAIRS)
		more = rebuild_pairs(&next, &projection, lists->tuning.slice_rows);
	else
		project_ranges(&projection);
	rc = project_commit(&projection, project_serial(lists, rebuild->serial));
	if (rc < 0)
		return rc;
	*rebuild = next;
	if (!more)
		rebuild->phase++;
	return 1;
}

/* --- catching up ------------------------------------------------------------------------------ */

static void touch_event(struct touched *touched, const struct weir_event *event)
{
	if (event->type != LEDGER_PUT && event->type != LEDGER_REMOVE)
		return;
	if (event->row.kind == LIST_RANGE) {
		touched->ranges = true;
		return;
	}
	if (event->row.kind == LIST_PAIR)
		touch_pair(touched, event->row.from, event->row.imsi.packed);
	touch_imei(touched, event->row.from);
}

/* 0, 1: these events cannot be replayed one by one (rebuild), or negative. */
static int replay_collect(struct lists *lists, uint64_t from, uint64_t to, struct touched *touched)
{
	const struct ledger_batch *batch = import_batch(lists);
	struct store_txn txn;
	int rc;

	if (to - from > HEAL_EVENTS_MAX)
		return 1;
	rc = ledger_read_begin(lists->ledger, &txn);
	if (rc < 0)
		return rc;
	for (uint64_t serial = from + 1; rc == 0 && serial <= to; serial++) {
		struct weir_event event;

		rc = LEDGER_GUARDED(lists->ledger, ledger_event_get(lists->ledger, &txn, serial, &event));
		if (rc == -EUCLEAN || rc == -ENOENT)
			rc = 1; /* a damaged event cannot say what it touched: all of it, then */
		else if (rc == 0 && event.type == LEDGER_BATCH && (!batch || batch->serial != serial))
			rc = 1;
		else if (rc == 0)
			touch_event(touched, &event);
	}
	store_read_end(&txn);
	return rc;
}

/* The events of one slice.  1: there are more, or a rebuild was begun instead. */
static int replay_slice(struct lists *lists, uint64_t head)
{
	struct touched touched = {.sweep = true};
	uint64_t behind = lists->projected, to = head;
	int rc = 1;

	if (to - behind > lists->tuning.slice_rows)
		to = behind + lists->tuning.slice_rows;
	if (head - behind <= HEAL_EVENTS_MAX)
		rc = replay_collect(lists, behind, to, &touched);
	if (rc == 1) {
		rc = rebuild_start(lists, !lists->rebuild.on || lists->rebuild.healing, NULL);
		rc = rc < 0 ? rc : 1;
	} else if (rc == 0) {
		lists->projected = to;
		rc = project_touched(lists, &touched, project_serial(lists, to));
		if (rc < 0)
			lists->projected = behind;
		else
			project_tell(lists, &touched);
		rc = rc < 0 ? rc : to != head;
	}
	touch_free(&touched);
	return rc;
}

static int replay(struct lists *lists)
{
	struct ledger_head head;

	ledger_head(lists->ledger, &head);
	return lists->projected == head.serial ? 0 : replay_slice(lists, head.serial);
}

/* --- a rebuild's steps ------------------------------------------------------------------------ */

static int rebuild_switch(struct lists *lists)
{
	struct touched sweep = {.sweep = true};
	int rc = register_rebuild_switch(lists->writer, NULL);

	if (rc < 0)
		return rc;
	lists->register_damaged = false;
	lists->projected = lists->rebuild.serial;
	lists->rebuild.phase = REBUILD_REPLAY;
	project_tell(lists, &sweep);
	return 1;
}

static int rebuild_go_on(struct lists *lists)
{
	switch (lists->rebuild.phase) {
	case REBUILD_SWITCH:
		return rebuild_switch(lists);
	case REBUILD_REPLAY:
		return replay(lists);
	default:
		return rebuild_slice(lists);
	}
}

int lists_rebuild_step(struct lists *lists)
{
	bool made;
	int rc;

	if (!lists->rebuild.on)
		return 0;
	if (lists->turn)
		return -EBUSY;
	rc = rebuild_go_on(lists);
	if (rc == 1)
		return rc;
	made = lists->rebuild.phase == REBUILD_REPLAY;
	if (!made) {
		register_rebuild_abandon(lists->writer);
		lists->register_broken |= lists->rebuild.healing; /* what it was to heal is there still */
	}
	lists->rebuild.on = lists->rebuild.healing = false;
	return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Is this register made of this ledger's events? */
static bool register_fits(struct lists *lists, struct ledger_head *head)
{
	struct register_meta meta;

	ledger_head(lists->ledger, head);
	if (register_meta(register_writer_reader(lists->writer), &meta) < 0)
		return false;
	if (meta.serial == 0 && meta.devices == 0 && meta.ranges == 0 && meta.pairs == 0 && meta.sims == 0) {
		lists->projected = 0;
		return true;
	}
	lists->projected = meta.serial;
	return meta.epoch == head->epoch && meta.serial <= head->serial;
}

static bool register_is_there(const struct lists *lists)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/register", lists->state_dir) >= (int)sizeof(path) ||
	       lstat(path, &st) == 0;
}

/* 0, 1: it must be rebuilt before it can be used (gates keep what they have until then), or negative. */
static int writer_open(struct lists *lists, struct weir_why *why)
{
	struct ledger_head head;
	int rc = -EUCLEAN;

	register_writer_close(lists->writer);
	lists->writer = NULL;
	ledger_head(lists->ledger, &head);
	if (head.serial == 0 || register_is_there(lists))
		rc = register_writer_open(lists->state_dir, &lists->writer, why);
	if (rc == -EUCLEAN) {
		rc = register_writer_open_to_rebuild(lists->state_dir, &lists->writer, why);
		rc = rc == 0 ? 1 : rc;
	}
	if (rc >= 0)
		lists->register_broken = false;
	return rc;
}

/* A register that knows later changes than the ledger was made of another ledger: a volume that is not mounted, a copy
 * that was restored.  To follow such a ledger would free every device that it does not know; somebody must say so
 * first. */
static int refuse_lost_ledger(struct lists *lists, struct weir_why *why)
{
	struct register_meta meta;
	struct ledger_head head;

	ledger_head(lists->ledger, &head);
	if (register_meta(register_writer_reader(lists->writer), &meta) < 0 || meta.serial <= head.serial)
		return 0;
	return why_set(why, -ESTALE,
		       "the register knows change %llu, but the ledger in %.80s ends with %llu: is it the right one?  "
		       "If so, remove the link %.80s/register first",
		       (unsigned long long)meta.serial, lists->state_dir, (unsigned long long)head.serial,
		       lists->state_dir);
}

/* 1: it is being rebuilt. */
static int project_open(struct lists *lists, struct weir_why *why)
{
	struct ledger_head head;
	int rc = writer_open(lists, why);

	if (rc == 0)
		rc = refuse_lost_ledger(lists, why);
	if (rc < 0)
		return rc;
	if (rc == 0 && !lists->register_damaged && register_fits(lists, &head))
		return 0;
	lists->register_damaged = true; /* until a rebuild is through */
	lists->projected = 0;
	rc = rebuild_start(lists, true, why);
	lists->register_broken |= rc < 0;
	return rc < 0 ? rc : 1;
}

static int heal_on(struct lists *lists, struct weir_why *why)
{
	int rc = 0;

	if (lists->rebuild.on)
		return lists_rebuild_step(lists);
	if (!lists->writer || lists->register_broken)
		rc = project_open(lists, why);
	return rc == 0 ? replay(lists) : rc;
}

int project_heal(struct lists *lists, struct weir_why *why)
{
	int rc = heal_on(lists, why);

	if (rc < 0 && why && !why->text[0])
		why_set(why, rc, "the register cannot follow the ledger: %s", strerror(-rc));
	return rc;
}

uint64_t lists_lag(struct lists *lists)
{
	struct ledger_head head;
	uint64_t lag;

	ledger_head(lists->ledger, &head);
	lag = head.serial - lists->projected;
	return lag == 0 && (!lists->writer || lists->register_broken || lists->rebuild.healing) ? 1 : lag;
}

int lists_heal(struct lists *lists)
{
	if (lists->turn || (lists->rebuild.on && !lists->rebuild.healing))
		return -EBUSY;
	return lists_lag(lists) ? project_heal(lists, NULL) : 0;
}
