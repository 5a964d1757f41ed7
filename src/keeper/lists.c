/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Opening, and single changes: all of a turn in one commit of the ledger, then one batch of the register, then told.
 * A change is checked wholly before the first octet is written, so that one that is refused leaves the turn as it was.
 */

#include "keeper/lists_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

static const struct lists_tuning tuning_default = {
	.slice_rows = 200000, .run_rows = 1u << 20, .runs_in_memory = 12, .store_bytes = 24u << 20};

int lists_open(const char *state_dir, lists_flips_fn *flips, void *data, struct lists **out,
	       struct weir_why *why)
{
	struct lists *lists = calloc(1, sizeof(*lists));
	int rc;

	*out = NULL;
	if (!lists)
		return why_set(why, -ENOMEM, "out of memory");
	lists->tuning = tuning_default;
	lists->flips = flips;
	lists->data = data;
	lists->state_dir = strdup(state_dir);
	rc = lists->state_dir ? ledger_open(state_dir, &lists->ledger, why) : -ENOMEM;
	if (rc == 0)
		rc = import_resume(lists, why);
	if (rc == 0) {
		do
			rc = project_heal(lists, why);
		while (rc == 1);
	}
	if (rc == 0) {
		rc = import_catch_up(lists);
		if (rc < 0)
			why_set(why, rc, "the register cannot follow the import: %s", strerror(-rc));
	}
	if (rc < 0) {
		lists_close(lists);
		return rc;
	}
	lists->told = lists->projected;
	*out = lists;
	return 0;
}

void lists_close(struct lists *lists)
{
	if (!lists)
		return;
	if (lists->turn)
		ledger_abort(lists->ledger);
	import_forget(lists);
	if (lists->rebuild.on)
		register_rebuild_abandon(lists->writer);
	register_writer_close(lists->writer);
	ledger_close(lists->ledger);
	touch_free(&lists->touched);
	words_free(&lists->words);
	words_free(&lists->after);
	free(lists->state_dir);
	free(lists);
}

struct ledger *lists_ledger(struct lists *lists)
{
	return lists->ledger;
}

struct weir_register *lists_register(struct lists *lists)
{
	return lists->writer ? register_writer_reader(lists->writer) : NULL;
}

void lists_tune(struct lists *lists, const struct lists_tuning *tuning)
{
	if (tuning->slice_rows)
		lists->tuning.slice_rows = tuning->slice_rows;
	if (tuning->run_rows)
		lists->tuning.run_rows = tuning->run_rows;
	if (tuning->store_bytes)
		lists->tuning.store_bytes = tuning->store_bytes;
	if (tuning->runs_in_memory)
		lists->tuning.runs_in_memory = tuning->runs_in_memory;
}

static int tend_ledger(struct store *store)
{
	store_sweep(store);
	return store_scrub(store);
}

void lists_tend(struct lists *lists)
{
	if (lists->writer)
		register_writer_tend(lists->writer);
	if (ledger_store(lists->ledger) && !ledger_is_writing(lists->ledger))
		LEDGER_GUARDED(lists->ledger, tend_ledger(ledger_store(lists->ledger)));
}

/* --- checks ----------------------------------------------------------------------------------- */

static int row_check(const struct list_row *row, struct weir_why *why)
{
	if (row->from >= WEIR_IMEI_END || row->to >= WEIR_IMEI_END || row->from > row->to)
		return why_set(why, -EINVAL, "the device is not 14 digits, or the range ends before it begins");
	if (row->kind != LIST_RANGE && row->from != row->to)
		return why_set(why, -EINVAL, "one device is wanted, not a range");
	if (row->reason >= WEIR_N_REASONS)
		return why_set(why, -EINVAL, "the reason %u is not known", row->reason);
	if (row->kind == LIST_PAIR) {
		if (row->imsi.packed == 0)
			return why_set(why, -EINVAL, "a pair needs an IMSI");
		if (row->rule <= WEIR_PAIR_NONE || row->rule >= WEIR_N_PAIR_RULES)
			return why_set(why, -EINVAL, "a pair says allow, deny or fixed");
		return 0;
	}
	if (row->kind != LIST_DEVICE && row->kind != LIST_RANGE)
		return why_set(why, -EINVAL, "a device, a range or a pair is wanted");
	if ((unsigned)row->colour >= WEIR_UNKNOWN)
		return why_set(why, -EINVAL, "a list is white, grey or black");
	if (row->kind == LIST_DEVICE && row->svn != WEIR_NO_SVN && (row->svn < 0 || row->svn > 99))
		return why_set(why, -EINVAL, "a software version is two digits");
	return 0;
}

static int store_failed(struct lists *lists, int err, struct weir_why *why)
{
	lists->turn_err = err == -ENOSPC ? -ENOSPC : -EIO;
	return why_set(why, lists->turn_err, "the ledger cannot be written: %s", strerror(-err));
}

/* --- one change ------------------------------------------------------------------------------- */

/* One change on its way: found, checked, then written. */
struct step {
	struct lists *lists;
	const struct lists_change *change;
	struct lists_result *result;
	struct weir_why *why;
	unsigned source; /* 0: not made yet */
};

static int step_source(struct step *step)
{
	struct lists *lists = step->lists;
	int rc;

	if (step->source)
		return 0;
	rc = ledger_source_make(lists->ledger, step->change->source, step->change->actor, lists->turn_ms, step->why);
	if (rc < 0)
		return rc == -ENOSPC || rc == -EINVAL ? rc : store_failed(lists, rc, step->why);
	step->source = (unsigned)rc;
	return 0;
}

static int step_event(struct step *step, const struct list_row *row)
{
	const struct lists_change *change = step->change;
	struct weir_event event = {.type = change->op == LISTS_PUT ? LEDGER_PUT : LEDGER_REMOVE,
				   .time_ms = step->lists->turn_ms,
				   .row = *row};
	int rc;

	event.row.line = 0;
	memcpy(event.source, change->source, sizeof(event.source));
	snprintf(event.actor, sizeof(event.actor), "%.*s", LEDGER_ACTOR_MAX - 1, change->actor);
	rc = ledger_append(step->lists->ledger, &event);
	if (rc < 0)
		return store_failed(step->lists, rc, step->why);
	step->result->serial = event.serial;
	step->result->changed = true;
	return 0;
}

static unsigned words_others(const struct device_words *words, unsigned source)
{
	unsigned others = 0, last = source;

	for (unsigned i = 0; i < words->n; i++) {
		unsigned id = ledger_key_source(words->entry[i].key);
		bool seen = id == source || id == last;

		for (unsigned k = 0; !seen && k < i; k++)
			seen = ledger_key_source(words->entry[k].key) == id;
		others += !seen;
		last = id;
	}
	return others;
}

static bool words_damaged_beside(const struct device_words *words, uint64_t key)
{
	for (unsigned i = 0; i < words->n; i++) {
		if (words->entry[i].damaged && words->entry[i].key != key)
			return true;
	}
	return false;
}

static int device_load(struct lists *lists, uint64_t imei, struct device_words *words)
{
	struct ledger_walk walk;
	int rc = ledger_walk_begin(lists->ledger, ledger_txn(lists->ledger), ledger_key(imei, WEIR_NO_SVN, 0), &walk);

	if (rc == 0)
		rc = words_load(words, &walk, imei);
	ledger_walk_end(&walk);
	return rc;
}

static int device_write(struct step *step, const struct ledger_entry *found, uint64_t key)
{
	const struct list_row *row = &step->change->row;
	struct list_row said = *row;
	struct ledger_entry entry = {.key = key, .colour = (uint8_t)row->colour, .reason = row->reason};
	int rc;

	if (step->change->op == LISTS_REMOVE && !found->damaged) {
		said.colour = found->colour; /* the event says what was taken off */
		said.reason = found->reason;
	}
	rc = step_event(step, &said);
	if (rc < 0)
		return rc;
	entry.serial = step->result->serial;
	rc = step->change->op == LISTS_PUT ? ledger_entry_put(step->lists->ledger, &entry, found)
					   : ledger_entry_remove(step->lists->ledger, found);
	return rc < 0 ? store_failed(step->lists, rc, step->why) : 0;
}

static int change_device(struct step *step)
{
	struct lists *lists = step->lists;
	const struct list_row *row = &step->change->row;
	struct device_words *words = &lists->words;
	struct register_device before, after;
	struct ledger_entry entry = {.colour = (uint8_t)row->colour, .reason = row->reason, .serial = UINT64_MAX};
	const struct ledger_entry *found;
	char masked[WEIR_MASK_TEXT];
	bool put = step->change->op == LISTS_PUT;
	int rc = device_load(lists, row->from, words);

	if (rc < 0)
		return store_failed(lists, rc, step->why);
	entry.key = ledger_key(row->from, row->svn, step->source);
	if (words_damaged_beside(words, entry.key))
		return why_set(step->why, -EUCLEAN,
			       "what another source says of device %s is damaged in the ledger; run verify",
			       mask_imei(masked, row->from));
	found = step->source ? words_find(words, entry.key) : NULL;
	merge_device(words, &before);
	if (words->damaged)
		before.n_rows = 0;
	step->result->before = step->result->after = merge_colour(&before);
	step->result->others = words_others(words, step->source);
	if (!put && !found)
		return 0;
	if (put && found && !found->damaged && found->colour == row->colour && found->reason == row->reason)
		return 0;
	rc = words_apply(&lists->after, words, &entry, put);
	if (rc < 0)
		return store_failed(lists, rc, step->why);
	merge_device(&lists->after, &after);
	rc = step_source(step);
	if (rc == 0)
		rc = device_write(step, found, ledger_key(row->from, row->svn, step->source));
	if (rc < 0)
		return rc;
	step->result->after = merge_colour(&after);
	touch_imei(&lists->touched, row->from);
	if (merge_may_turn_black(&before, &after))
		touch_flip(&lists->touched, row->from);
	return 0;
}

static int item_of(const struct list_row *row, unsigned source, struct ledger_item *item)
{
	*item = (struct ledger_item){.a = row->from, .source = (uint16_t)source, .reason = row->reason};
	item->b = row->kind == LIST_RANGE ? row->to : row->imsi.packed;
	item->what = (uint8_t)(row->kind == LIST_RANGE ? (int)row->colour : (int)row->rule);
	return row->kind == LIST_RANGE ? LEDGER_RANGES : LEDGER_PAIRS;
}

/* Other sources with the same range or pair, and is one of those damaged? */
static int items_others(struct step *step, enum ledger_items table, const struct ledger_item *item, bool *damaged)
{
	const struct ledger_item from = {.a = item->a, .b = item->b};
	struct ledger *ledger = step->lists->ledger;
	struct ledger_item_walk walk;
	int rc = ledger_items_begin(ledger, ledger_txn(ledger), table, &from, &walk);

	for (; rc == 0 && walk.ok && walk.item.a == item->a && walk.item.b == item->b; ledger_items_next(&walk)) {
		step->result->others += walk.item.source != step->source;
		*damaged |= walk.item.damaged && walk.item.source != step->source;
	}
	rc = rc < 0 ? rc : walk.err;
	ledger_items_end(&walk);
	return rc;
}

static int item_write(struct step *step, enum ledger_items table, struct ledger_item *item,
		      const struct ledger_item *found)
{
	struct list_row said = step->change->row;
	struct ledger *ledger = step->lists->ledger;
	int rc = step_source(step);

	if (step->change->op == LISTS_REMOVE && !found->damaged) {
		said.reason = found->reason;
		if (table == LEDGER_RANGES)
			said.colour = found->what;
		else
			said.rule = found->what;
	}
	if (rc == 0)
		rc = step_event(step, &said);
	if (rc < 0)
		return rc;
	item->source = (uint16_t)step->source;
	item->serial = step->result->serial;
	rc = step->change->op == LISTS_PUT ? ledger_item_put(ledger, table, item, found)
					   : ledger_item_remove(ledger, table, found);
	return rc < 0 ? store_failed(step->lists, rc, step->why) : 0;
}

static void item_touch(struct lists *lists, enum ledger_items table, const struct ledger_item *item, bool put,
		       bool replaced)
{
	if (table == LEDGER_RANGES) {
		lists->touched.ranges = true;
		lists->touched.sweep |=
			!put || replaced || item->what == WEIR_BLACK; /* a white one gone may leave black */
		return;
	}
	touch_pair(&lists->touched, item->a, item->b);
	touch_imei(&lists->touched, item->a);
	if (put && item->what == WEIR_PAIR_FIXED)
		lists->touched.sweep = true; /* the subscriber may be in any device now */
	else
		touch_flip(&lists->touched, item->a);
}

static int change_item(struct step *step)
{
	struct lists *lists = step->lists;
	struct ledger_item item, found, *there = NULL;
	enum ledger_items table = item_of(&step->change->row, step->source, &item);
	bool put = step->change->op == LISTS_PUT, damaged = false;
	int rc = items_others(step, table, &item, &damaged);

	if (rc == 0 && step->source) {
		found = item;
		rc = ledger_item_get(lists->ledger, ledger_txn(lists->ledger), table, &found);
		there = rc == 0 ? &found : NULL;
		rc = rc == -ENOENT ? 0 : rc;
	}
	if (rc < 0)
		return store_failed(lists, rc, step->why);
	if (damaged)
		return why_set(step->why, -EUCLEAN,
			       "what another source says of this %s is damaged in the ledger; run verify",
			       table == LEDGER_RANGES ? "range" : "pair");
	if (!put && !there)
		return 0;
	if (put && there && !there->damaged && there->what == item.what && there->reason == item.reason)
		return 0;
	rc = item_write(step, table, &item, there);
	if (rc < 0)
		return rc;
	item_touch(lists, table, &item, put, there != NULL);
	return 0;
}

/* --- the turn --------------------------------------------------------------------------------- */

int lists_begin(struct lists *lists, int64_t now_ms)
{
	struct ledger_head head;
	int rc;

	if (lists->turn)
		return -EBUSY;
	rc = ledger_begin(lists->ledger);
	if (rc < 0)
		return rc == -EBUSY || rc == -ENOSPC || rc == -EUCLEAN ? rc : -EIO;
	ledger_head(lists->ledger, &head);
	lists->turn = true;
	lists->turn_err = 0;
	lists->turn_serial = head.serial;
	lists->turn_ms = now_ms;
	touch_clear(&lists->touched);
	return 0;
}

int lists_change(struct lists *lists, const struct lists_change *change, struct lists_result *result,
		 struct weir_why *why)
{
	struct step step = {.lists = lists, .change = change, .result = result, .why = why};
	const struct weir_source *source;
	struct ledger_head head;
	int rc;

	ledger_head(lists->ledger, &head);
	*result = (struct lists_result){.serial = head.serial, .before = WEIR_UNKNOWN, .after = WEIR_UNKNOWN};
	if (!lists->turn)
		return why_set(why, -EINVAL, "no turn was begun");
	if (lists->turn_err)
		return why_set(why, lists->turn_err, "the ledger cannot be written");
	if (!ledger_name_is_good(change->source))
		return why_set(why, -EINVAL, "a source's name is 1 to %d of a-z 0-9 - _ .", LEDGER_NAME_MAX);
	rc = row_check(&change->row, why);
	if (rc < 0)
		return rc;
	if (import_holds(lists, change->source))
		return why_set(why, -EBUSY, "an import of source %s is being applied; try again when it is done",
			       change->source);
	source = ledger_source_find(lists->ledger, change->source);
	step.source = source ? source->id : 0;
	rc = LEDGER_GUARDED(lists->ledger, change->row.kind == LIST_DEVICE ? change_device(&step) : change_item(&step));
	return rc == -EIO ? store_failed(lists, rc, why) : rc;
}

int lists_commit(struct lists *lists)
{
	struct ledger_head head;
	uint64_t behind = lists->projected;
	int rc = lists->turn_err;

	if (!lists->turn)
		return -EINVAL;
	lists->turn = false;
	ledger_head(lists->ledger, &head);
	if (rc < 0 || head.serial == lists->turn_serial) {
		ledger_abort(lists->ledger); /* failed, or nothing was new */
		return rc;
	}
	rc = ledger_commit(lists->ledger);
	if (rc < 0)
		return rc == -ENOSPC ? -ENOSPC : -EIO;
	if (lists->rebuild.on)
		return 0; /* replayed when the new generation is complete */
	if (behind != lists->turn_serial) {
		project_heal(lists, NULL); /* it lagged before: all of it, this turn's too */
		return 0;
	}
	lists->projected = head.serial;
	rc = project_touched(lists, &lists->touched, project_serial(lists, lists->projected));
	if (rc == 0)
		project_tell(lists, &lists->touched);
	else
		lists->projected = behind;
	return 0;
}

int lists_source_make(struct lists *lists, const char *name, const char *actor, int64_t now_ms, struct weir_why *why)
{
	bool own = !lists->turn;
	int rc, id;

	rc = own ? lists_begin(lists, now_ms) : 0;
	if (rc < 0)
		return why_set(why, rc, "the ledger cannot be written: %s", strerror(-rc));
	id = ledger_source_make(lists->ledger, name, actor, now_ms, why);
	if (!own)
		return id;
	rc = lists_commit(lists);
	if (id < 0)
		return id;
	return rc < 0 ? why_set(why, rc, "the ledger cannot be written: %s", strerror(-rc)) : id;
}
