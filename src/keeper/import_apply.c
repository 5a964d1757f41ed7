/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* An import's deed: what was accepted goes into entries and register, in slices.
 *
 * A slice is one commit of the ledger, which also says how far the batch is, and one of the register.  A crash between
 * the two is healed by projecting the slice again; one before them by doing it again.  Other sources' single changes go
 * on between slices. */

#include "keeper/import_internal.h"

#include <errno.h>
#include <string.h>

const struct ledger_batch *import_batch(const struct lists *lists)
{
	return lists->import && lists->import->state == IMPORT_APPLYING ? &lists->import->batch : NULL;
}

bool import_register_is_behind(const struct lists *lists)
{
	return import_batch(lists) && lists->import->register_behind;
}

bool import_holds(const struct lists *lists, const char *source)
{
	return import_batch(lists) && !strcmp(lists->import->spec.source, source);
}

/* --- applying --------------------------------------------------------------------------------- */

static void stored_next(struct row_stream *stream)
{
	struct ledger_rows *rows = stream->data;

	ledger_rows_next(rows);
	stream->ok = rows->ok;
	stream->err = rows->err;
	stream->row = rows->row;
}

static int rows_to_stream(struct lists_import *import, struct store_txn *txn, uint64_t place, struct ledger_rows *rows,
			  struct row_stream *stream)
{
	int rc = ledger_rows_begin(import->lists->ledger, txn, import->batch.id, LEDGER_CHUNK_DEVICES,
				   ledger_row_key(place, WEIR_NO_SVN), rows);

	*stream = (struct row_stream){
		.ok = rows->ok, .err = rows->err, .row = rows->row, .next = stored_next, .data = rows};
	return rc;
}

static int plan_rows(struct lists_import *import, struct store_txn *txn, uint64_t *next)
{
	struct lists *lists = import->lists;
	struct row_stream stream;
	struct ledger_rows rows;
	struct ledger_walk walk;
	int rc = rows_to_stream(import, txn, import->batch.place, &rows, &stream);

	if (rc == 0)
		rc = ledger_walk_begin(lists->ledger, txn, 0, &walk);
	if (rc == 0) {
		*next = plan_devices(&import->plan, &stream, &walk, import->batch.place, lists->tuning.slice_rows);
		rc = import->plan.err;
		ledger_walk_end(&walk);
	}
	ledger_rows_end(&rows);
	return rc;
}

static int plan_slice(struct lists_import *import, uint64_t *next)
{
	struct store_txn txn;
	int rc = ledger_read_begin(import->lists->ledger, &txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(import->lists->ledger, plan_rows(import, &txn, next));
	store_read_end(&txn);
	return rc;
}

static int write_slice(struct lists_import *import)
{
	struct ledger *ledger = import->lists->ledger;
	struct plan *plan = &import->plan;
	struct ledger_bulk bulk;
	int rc = ledger_bulk_begin(ledger, &bulk);

	for (unsigned i = 0; rc == 0 && i < plan->n_writes; i++) {
		const struct plan_write *write = &plan->write[i];
		const struct ledger_entry entry = {.key = write->key,
						   .serial = import->batch.serial,
						   .reason = write->reason,
						   .colour = write->colour};
		const struct ledger_entry before = {.key = write->key,
						    .reason = write->before_reason,
						    .colour = write->before_colour,
						    .damaged = write->before == 2};

		if (write->put)
			rc = ledger_bulk_put(ledger, &bulk, &entry, write->before ? &before : NULL);
		else
			rc = ledger_entry_remove(ledger, &before);
	}
	ledger_bulk_end(&bulk);
	return rc;
}

static void batch_count(struct ledger_batch *batch, const struct import_counts *counts)
{
	batch->added += counts->added;
	batch->changed += counts->changed;
	batch->removed += counts->removed;
	batch->unchanged += counts->unchanged;
	batch->turned_black += counts->turned_black;
	batch->turned_from_black += counts->turned_from_black;
}

static void slice_begin(struct lists_import *import)
{
	struct plan *plan = &import->plan;
	bool sweep = import->touched.sweep; /* told once, at the end */

	touch_clear(&import->touched);
	import->touched.sweep = sweep;
	plan_clear(plan);
	plan->lists = import->lists;
	plan->source = import->batch.source;
	plan->mode = import->batch.mode;
	plan->dry = false;
	plan->counts = (struct import_counts){0};
	plan->touched = &import->touched;
}

/* Commit what the slice wrote, with how far we are. */
static int slice_commit(struct lists_import *import, uint64_t next)
{
	struct ledger *ledger = import->lists->ledger;
	struct ledger_batch batch = import->batch;
	int rc;

	batch.from = batch.place;
	batch.place = next;
	batch_count(&batch, &import->plan.counts);
	rc = ledger_batch_put(ledger, &batch);
	if (rc < 0) {
		ledger_abort(ledger);
		return rc;
	}
	rc = ledger_commit(ledger);
	if (rc < 0)
		return rc;
	import->batch = batch;
	import->register_behind = true;
	return 0;
}

static int devices_slice(struct lists_import *import)
{
	struct plan *plan = &import->plan;
	struct projection projection;
	uint64_t next = 0;
	int rc;

	slice_begin(import);
	rc = plan_slice(import, &next);
	if (rc == 0)
		rc = ledger_begin(import->lists->ledger);
	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(import->lists->ledger, write_slice(import));
	if (rc < 0) {
		ledger_abort(import->lists->ledger);
		return rc;
	}
	rc = slice_commit(import, next);
	if (rc == 0)
		rc = project_begin(import->lists, &projection);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < plan->n_devices; i++) {
		const struct plan_device *said = &plan->device[i];
		struct register_device device = {.key = said->imei};

		if (said->versions) {
			project_imei(&projection, said->imei);
			continue;
		}
		device.n_rows = said->lists != 0;
		device.row[0].svn = WEIR_NO_SVN;
		device.row[0].listing = (struct weir_listing){.lists = said->lists, .reason = said->reason};
		project_device(&projection, &device);
	}
	return project_commit(&projection, project_serial(import->lists, import->lists->projected));
}

static int items_read(struct lists_import *import, struct store_txn *txn, enum ledger_chunks kind,
		      struct import_items *items)
{
	struct ledger_rows rows;
	int rc = ledger_rows_begin(import->lists->ledger, txn, import->batch.id, kind, 0, &rows);

	for (; rc == 0 && rows.ok; ledger_rows_next(&rows))
		rc = import_items_add(items, &rows.item, 0);
	if (rc == 0)
		rc = rows.err;
	ledger_rows_end(&rows);
	return rc;
}

static int items_load(struct lists_import *import, enum ledger_chunks kind, struct import_items *items)
{
	struct store_txn txn;
	int rc = ledger_read_begin(import->lists->ledger, &txn);

	if (rc < 0)
		return rc;
	import_items_free(items);
	rc = LEDGER_GUARDED(import->lists->ledger, items_read(import, &txn, kind, items));
	store_read_end(&txn);
	return rc;
}

/* Pairs in slices, the removals of a replacing file with the last; ranges all at once. */
static int write_items(struct lists_import *import, bool pairs, const struct import_items *items, uint64_t *next)
{
	unsigned from = (unsigned)import->batch.place, to = items->n;
	unsigned most = import->lists->tuning.slice_rows;

	if (pairs && to - from > most)
		to = from + most;
	*next = to == items->n ? LEDGER_PLACE_END : to;
	return plan_items(&import->plan, ledger_txn(import->lists->ledger), pairs ? LEDGER_PAIRS : LEDGER_RANGES, items,
			  from, to, to == items->n, import->batch.serial);
}

static int items_guarded(struct lists_import *import, bool pairs, const struct import_items *items, uint64_t *next)
{
	return LEDGER_GUARDED(import->lists->ledger, write_items(import, pairs, items, next));
}

static int items_slice(struct lists_import *import)
{
	struct lists *lists = import->lists;
	bool pairs = import->batch.phase == LEDGER_DOING_PAIRS;
	struct import_items *items = pairs ? &import->pairs : &import->ranges;
	uint64_t next = 0;
	int rc = 0;

	if (!import->items_loaded)
		rc = items_load(import, pairs ? LEDGER_CHUNK_PAIRS : LEDGER_CHUNK_RANGES, items);
	if (rc < 0)
		return rc;
	import->items_loaded = true;
	slice_begin(import);
	rc = ledger_begin(lists->ledger);
	if (rc < 0)
		return rc;
	rc = items_guarded(import, pairs, items, &next);
	if (rc < 0) {
		ledger_abort(lists->ledger);
		return rc;
	}
	rc = slice_commit(import, next);
	return rc < 0 ? rc : project_touched(lists, &import->touched, project_serial(lists, lists->projected));
}

/* --- catching the register up ----------------------------------------------------------------- */

static int touch_walked(const struct register_row *row, int err, void *data)
{
	struct touched *touched = data;

	(void)err; /* whatever is wrong with it is written anew */
	if (row->table == REGISTER_DEVICE)
		touch_imei(touched, row->from);
	else
		touch_pair(touched, row->from, row->imsi.packed);
	return 0;
}

/* What a replacing batch took off stands in no row: look at all that the register has there. */
static int touch_register(struct lists_import *import, enum register_table table, struct register_place place,
			  struct touched *touched)
{
	struct weir_register *reg = register_writer_reader(import->lists->writer);
	int rc;

	do {
		rc = register_walk(reg, table, &place, 4096, touch_walked, touched);
	} while (rc > 0 && (table != REGISTER_DEVICE || place.hi < import->batch.place));
	return rc < 0 ? rc : 0;
}

static int touch_rows(struct lists_import *import, struct store_txn *txn, enum ledger_chunks kind,
		      struct touched *touched)
{
	const struct ledger_batch *batch = &import->batch;
	bool devices = kind == LEDGER_CHUNK_DEVICES;
	struct ledger_rows rows;
	int rc = ledger_rows_begin(import->lists->ledger, txn, batch->id, kind,
				   devices ? ledger_row_key(batch->from, WEIR_NO_SVN) : batch->from, &rows);

	for (; rc == 0 && rows.ok; ledger_rows_next(&rows)) {
		if ((devices ? rows.row.key >> 7 : rows.ordinal) >= batch->place)
			break;
		if (!devices)
			touch_pair(touched, rows.item.a, rows.item.b);
		touch_imei(touched, devices ? rows.row.key >> 7 : rows.item.a);
	}
	if (rc == 0)
		rc = rows.err;
	ledger_rows_end(&rows);
	return rc;
}

static int touch_slice(struct lists_import *import, enum ledger_chunks kind, struct touched *touched)
{
	struct store_txn txn;
	int rc = ledger_read_begin(import->lists->ledger, &txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(import->lists->ledger, touch_rows(import, &txn, kind, touched));
	store_read_end(&txn);
	return rc;
}

/* The last slice into the register again. */
static int slice_project(struct lists_import *import)
{
	const struct ledger_batch *batch = &import->batch;
	struct touched touched = {0};
	const struct register_place here = {.hi = batch->from}, start = {0};
	int rc = 0;

	if (!import->lists->writer)
		return -ESTALE;
	if (batch->phase == LEDGER_DOING_RANGES) {
		touched.ranges = batch->place != 0;
	} else {
		bool devices = batch->phase == LEDGER_DOING_DEVICES;

		rc = touch_slice(import, devices ? LEDGER_CHUNK_DEVICES : LEDGER_CHUNK_PAIRS, &touched);
		if (rc == 0 && batch->mode == LEDGER_REPLACE)
			rc = touch_register(import, devices ? REGISTER_DEVICE : REGISTER_PAIR, devices ? here : start,
					    &touched);
		if (rc == 0 && batch->mode == LEDGER_REPLACE && !devices)
			rc = touch_register(import, REGISTER_SIM, start, &touched);
		for (unsigned i = 0; i < touched.n_pairs; i++)
			touch_imei(&touched, touched.pair[i].imei);
	}
	if (rc == 0)
		rc = project_touched(import->lists, &touched, project_serial(import->lists, import->lists->projected));
	touch_free(&touched);
	import->touched.sweep = true; /* what flipped in it is not known any more */
	return rc;
}

/* --- steps ------------------------------------------------------------------------------------ */

int import_catch_up(struct lists *lists)
{
	int rc = import_register_is_behind(lists) ? slice_project(lists->import) : 0;

	if (rc == 0 && lists->import)
		lists->import->register_behind = false;
	return rc;
}

static int apply_end(struct lists_import *import)
{
	struct lists *lists = import->lists;
	struct ledger_batch batch = import->batch;
	int rc = ledger_begin(lists->ledger);

	if (rc < 0)
		return rc;
	batch.state = LEDGER_APPLIED;
	rc = ledger_batch_put(lists->ledger, &batch);
	if (rc < 0) {
		ledger_abort(lists->ledger);
		return rc;
	}
	rc = ledger_commit(lists->ledger);
	if (rc < 0)
		return rc;
	import_batch_receipt(&batch, &import->receipt);
	import->batch = batch;
	import->state = IMPORT_DONE;
	lists->import = NULL;
	import_release(import);
	plan_free(&import->plan);
	if (import->touched.sweep) {
		touch_clear(&import->touched);
		import->touched.sweep = true;
		project_tell(lists, &import->touched);
	}
	return 0;
}

static int apply_slice(struct lists_import *import)
{
	struct ledger_batch *batch = &import->batch;

	if (batch->place == LEDGER_PLACE_END) {
		batch->phase++;
		batch->from = batch->place = 0;
		import->items_loaded = false;
		import_items_free(&import->pairs);
	}
	return batch->phase == LEDGER_DOING_DEVICES ? devices_slice(import) : items_slice(import);
}

int lists_import_step(struct lists_import *import)
{
	struct lists *lists = import->lists;
	int rc = 0;

	if (import->state == IMPORT_DONE)
		return 0;
	if (import->state != IMPORT_APPLYING)
		return -EINVAL;
	if (lists->turn || (lists->rebuild.on && !lists->rebuild.healing))
		return -EBUSY;
	if (lists_lag(lists))
		rc = project_heal(lists, NULL);
	if (rc == 1)
		return 1; /* healed in slices too */
	if (rc == 0 && import->register_behind)
		rc = slice_project(import);
	else if (rc == 0 && !ledger_batch_is_in(&import->batch))
		rc = apply_slice(import);
	if (rc < 0)
		return rc;
	import->register_behind = false;
	if (!import->touched.sweep)
		project_tell(lists, &import->touched);
	return ledger_batch_is_in(&import->batch) ? apply_end(import) : 1;
}
