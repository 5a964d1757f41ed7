/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A file on its way in: read, sorted, its duplicates folded, packed, and its effect counted.  Nothing here changes the
 * ledger or the register; what is packed lies in memory or in an unlinked file until import_apply.c stores it. */

#include "keeper/import_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

_Static_assert(LISTS_MERGE + 1 == LEDGER_MERGE && LISTS_REPLACE + 1 == LEDGER_REPLACE &&
		       LISTS_TAKE_OFF + 1 == LEDGER_TAKE_OFF,
	       "modes have the same order on disk");

#define REJECTS_FREE 1000 /* that many rejected rows are never too many */

/* --- what the reader gives -------------------------------------------------------------------- */

void import_items_free(struct import_items *items)
{
	free(items->row);
	*items = (struct import_items){0};
}

int import_items_add(struct import_items *items, const struct ledger_item *item, uint64_t line)
{
	if (items->n == items->size) {
		unsigned size = items->size ? items->size * 2 : 64;
		struct import_item *larger;

		if (items->n == IMPORT_ITEMS_MAX)
			return -E2BIG;
		larger = reallocarray(items->row, size, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		items->row = larger;
		items->size = size;
	}
	items->row[items->n++] = (struct import_item){*item, line};
	return 0;
}

static int take_row(const struct list_row *row, void *data)
{
	struct lists_import *import = data;
	struct ledger_item item = {.a = row->from, .reason = row->reason};
	int rc;

	if (row->kind == LIST_DEVICE) {
		rc = sort_add(import->sort, ledger_row_key(row->from, row->svn),
			      row->line << 24 | (uint64_t)row->reason << 8 | (uint8_t)row->colour);
	} else if (row->kind == LIST_RANGE) {
		item.b = row->to;
		item.what = (uint8_t)row->colour;
		rc = import_items_add(&import->ranges, &item, row->line);
	} else {
		item.b = row->imsi.packed;
		item.what = (uint8_t)row->rule;
		rc = import_items_add(&import->pairs, &item, row->line);
	}
	return import->err = rc;
}

static int keep_reject(struct lists_import *import, const struct list_reject *reject)
{
	if (import->n_rejects == import->size_rejects) {
		unsigned size = import->size_rejects ? import->size_rejects * 2 : 16;
		struct list_reject *larger;

		if (import->n_rejects >= 2 * LISTS_REJECTS_KEPT)
			return 0; /* counted, not kept */
		larger = reallocarray(import->reject, size, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		import->reject = larger;
		import->size_rejects = size;
	}
	import->reject[import->n_rejects++] = *reject;
	return 0;
}

static int take_reject(const struct list_reject *reject, void *data)
{
	struct lists_import *import = data;

	if (reject->remark)
		import->receipt.remarks++;
	else
		import->receipt.rejected++;
	if (import->n_rejects >= LISTS_REJECTS_KEPT)
		return 0;
	return import->err = keep_reject(import, reject);
}

static bool too_many_rejects(const struct lists_import *import, bool at_the_end)
{
	uint64_t most = import->spec.max_rejects;

	if (most == 0) {
		most = import->receipt.lines / 1000 > REJECTS_FREE ? import->receipt.lines / 1000 : REJECTS_FREE;
		if (!at_the_end)
			return false;
	}
	return import->receipt.rejected > most;
}

/* --- begin, feed ------------------------------------------------------------------------------ */

static int import_fail(struct lists_import *import, int rc, struct weir_why *why)
{
	import->state = IMPORT_FAILED;
	import->err = rc;
	if (rc == -ENOSPC)
		return why_set(why, rc, "the disk under the state directory is full");
	if (rc == -E2BIG)
		return why_set(why, rc, "more than %u pairs or ranges in one file; split it", IMPORT_ITEMS_MAX);
	if (rc == -EUCLEAN)
		return why_set(why, rc, "the ledger is damaged where the import reads it; run verify");
	return why_set(why, rc, "the import cannot go on: %s", strerror(-rc));
}

int lists_import_begin(struct lists *lists, const struct lists_import_spec *spec, struct lists_import **out,
		       struct weir_why *why)
{
	struct lists_import *import;

	*out = NULL;
	if (lists->import)
		return why_set(why, -EBUSY, "another import (source %s) is under way", lists->import->spec.source);
	if (!ledger_name_is_good(spec->source))
		return why_set(why, -EINVAL, "a source's name is 1 to %d of a-z 0-9 - _ .", LEDGER_NAME_MAX);
	if ((unsigned)spec->mode > LISTS_TAKE_OFF || (unsigned)spec->defaults.colour >= WEIR_UNKNOWN ||
	    spec->defaults.reason >= WEIR_N_REASONS)
		return why_set(why, -EINVAL, "the import's mode, list or reason is not known");
	import = calloc(1, sizeof(*import));
	if (!import)
		return why_set(why, -ENOMEM, "out of memory");
	import->lists = lists;
	import->spec = *spec;
	import->sort = sort_alloc(lists->state_dir, lists->tuning.run_rows, lists->tuning.runs_in_memory);
	import->reader = list_reader_alloc(&import->spec.defaults, take_row, take_reject, import);
	if (!import->sort || !import->reader) {
		import_release(import);
		free(import);
		return why_set(why, -ENOMEM, "out of memory");
	}
	lists->import = *out = import;
	return 0;
}

int lists_import_feed(struct lists_import *import, const void *bytes, size_t len, struct weir_why *why)
{
	int rc;

	if (import->state != IMPORT_READING)
		return why_set(why, -EINVAL, "this import reads no more");
	rc = list_reader_feed(import->reader, bytes, len, why);
	import->receipt.lines = list_reader_lines(import->reader);
	if (rc < 0 && rc == import->err)
		return import_fail(import, rc, why);
	if (rc < 0) {
		import->state = IMPORT_FAILED;
		return rc;
	}
	if (too_many_rejects(import, false)) {
		import->state = IMPORT_FAILED;
		return why_set(why, -E2BIG, "%llu rows are rejected already, %llu are allowed",
			       (unsigned long long)import->receipt.rejected,
			       (unsigned long long)import->spec.max_rejects);
	}
	return 0;
}

/* --- folding ---------------------------------------------------------------------------------- */

/* The same key earlier in the file.  0: equal, folded; 1: rejected. */
static int fold(struct lists_import *import, bool equal, uint64_t line, uint64_t earlier, uint64_t imei)
{
	struct list_reject reject = {.fault = LIST_CONFLICT, .line = line};
	int rc;

	if (equal || import->spec.mode == LISTS_TAKE_OFF) {
		import->receipt.duplicates++;
		return 0;
	}
	import->receipt.rejected++;
	imei_print(reject.value, imei);
	snprintf(reject.text, sizeof(reject.text), "line %llu lists it otherwise; that one was taken",
		 (unsigned long long)earlier);
	rc = keep_reject(import, &reject);
	if (rc < 0)
		import->err = rc;
	return 1;
}

static int item_order(const void *x, const void *y)
{
	const struct import_item *a = x, *b = y;
	int order = ledger_item_compare(&a->item, &b->item);

	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static void items_fold(struct lists_import *import, struct import_items *items)
{
	unsigned kept = 0;

	if (items->n)
		qsort(items->row, items->n, sizeof(*items->row), item_order);
	for (unsigned i = 0; i < items->n; i++) {
		struct import_item *row = &items->row[i], *last = kept ? &items->row[kept - 1] : NULL;

		if (last && last->item.a == row->item.a && last->item.b == row->item.b)
			fold(import, last->item.what == row->item.what && last->item.reason == row->item.reason,
			     row->line, last->line, row->item.a);
		else
			items->row[kept++] = *row;
	}
	items->n = kept;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* A sealed chunk goes to the spool behind its length; the batch's digest is over the chunks without their CRC, which
 * holds the batch's number. */
static int chunk_out(struct lists_import *import, enum ledger_chunks next)
{
	struct ledger_chunk *chunk = &import->chunk;
	uint32_t len;
	int rc = 0;

	if (chunk->rows) {
		ledger_chunk_seal(chunk);
		len = chunk->len;
		ledger_hash_add(&import->hash, chunk->bytes + 4, len - 4);
		rc = spool_append(import->spool, &len, sizeof(len));
		if (rc == 0)
			rc = spool_append(import->spool, chunk->bytes, len);
	}
	ledger_chunk_begin(chunk, next);
	return rc;
}

static int pack_row(struct lists_import *import, const struct ledger_row *row)
{
	int rc = 0;

	if (!ledger_chunk_pack(&import->chunk, row)) {
		rc = chunk_out(import, LEDGER_CHUNK_DEVICES);
		ledger_chunk_pack(&import->chunk, row);
	}
	return rc;
}

static int pack_items(struct lists_import *import, const struct import_items *items, enum ledger_chunks kind)
{
	int rc = chunk_out(import, kind);

	for (unsigned i = 0; rc == 0 && i < items->n; i++) {
		if (ledger_chunk_pack_item(&import->chunk, i, &items->row[i].item))
			continue;
		rc = chunk_out(import, kind);
		ledger_chunk_pack_item(&import->chunk, i, &items->row[i].item);
	}
	return rc;
}

/* --- checking --------------------------------------------------------------------------------- */

/* The next row that is not a repetition. */
static void merged_next(struct row_stream *stream)
{
	struct lists_import *import = stream->data;
	struct sort_row *head = &import->head, row;
	int rc;

	stream->ok = false;
	if (!import->have_head)
		return;
	stream->row = (struct ledger_row){
		.key = head->key, .reason = (uint16_t)(head->rest >> 8), .colour = (uint8_t)head->rest};
	import->have_head = false;
	while ((rc = sort_next(import->sort, &row)) == 1) {
		import->done++;
		if (row.key != head->key) {
			import->head = row;
			import->have_head = true;
			break;
		}
		fold(import, (row.rest & 0xffffff) == (head->rest & 0xffffff), row.rest >> 24, head->rest >> 24,
		     row.key >> 7);
	}
	if (rc == 0 || rc == 1)
		rc = pack_row(import, &stream->row);
	if (rc == 0)
		rc = import->err;
	stream->err = rc;
	stream->ok = rc == 0;
	import->batch.devices += stream->ok;
}

static int check_begin(struct lists_import *import)
{
	const struct weir_source *source = ledger_source_find(import->lists->ledger, import->spec.source);
	int rc = sort_seal(import->sort);

	if (rc < 0)
		return rc;
	import->total = sort_count(import->sort);
	import->spool = spool_alloc(import->lists->state_dir);
	if (!import->spool)
		return -ENOMEM;
	import->plan = (struct plan){.lists = import->lists,
				     .source = source ? source->id : 0,
				     .mode = (uint8_t)(import->spec.mode + 1),
				     .dry = true,
				     .touched = &import->touched};
	ledger_hash_begin(&import->hash);
	ledger_chunk_begin(&import->chunk, LEDGER_CHUNK_DEVICES);
	items_fold(import, &import->pairs);
	items_fold(import, &import->ranges);
	rc = sort_next(import->sort, &import->head);
	import->have_head = rc == 1;
	import->done = rc == 1;
	import->stream = (struct row_stream){.next = merged_next, .data = import};
	if (rc >= 0)
		merged_next(&import->stream);
	return rc < 0 ? rc : import->stream.err;
}

static void counts_to_receipt(const struct import_counts *counts, struct lists_receipt *receipt)
{
	receipt->added = counts->added;
	receipt->changed = counts->changed;
	receipt->removed = counts->removed;
	receipt->unchanged = counts->unchanged;
	receipt->turned_black = counts->turned_black;
	receipt->turned_from_black = counts->turned_from_black;
}

static int check_items(struct lists_import *import, struct store_txn *txn)
{
	struct plan *plan = &import->plan;
	int rc;

	plan_items(plan, txn, LEDGER_PAIRS, &import->pairs, 0, import->pairs.n, true, 0);
	plan_items(plan, txn, LEDGER_RANGES, &import->ranges, 0, import->ranges.n, true, 0);
	rc = plan->err;
	if (rc == 0)
		rc = pack_items(import, &import->pairs, LEDGER_CHUNK_PAIRS);
	if (rc == 0)
		rc = pack_items(import, &import->ranges, LEDGER_CHUNK_RANGES);
	if (rc == 0)
		rc = chunk_out(import, LEDGER_CHUNK_RANGES);
	ledger_hash_end(&import->hash, import->batch.digest);
	import->batch.pairs = import->pairs.n;
	import->batch.ranges = import->ranges.n;
	import->batch.rows = import->receipt.rows = import->batch.devices + import->pairs.n + import->ranges.n;
	counts_to_receipt(&plan->counts, &import->receipt);
	return rc;
}

static int check_rows(struct lists_import *import, struct store_txn *txn)
{
	struct lists *lists = import->lists;
	struct ledger_walk walk;
	int rc = ledger_walk_begin(lists->ledger, txn, 0, &walk);

	if (rc == 0) {
		import->place =
			plan_devices(&import->plan, &import->stream, &walk, import->place, lists->tuning.slice_rows);
		rc = import->plan.err;
	}
	ledger_walk_end(&walk);
	if (rc < 0)
		return rc;
	return import->place != LEDGER_PLACE_END ? 1 : check_items(import, txn);
}

/* 1 more, 0 all, negative */
static int check_slice(struct lists_import *import)
{
	struct lists *lists = import->lists;
	struct store_txn txn;
	int rc = ledger_read_begin(lists->ledger, &txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(lists->ledger, check_rows(import, &txn));
	store_read_end(&txn);
	return rc;
}

static int by_line(const void *x, const void *y)
{
	const struct list_reject *a = x, *b = y;

	return (a->line > b->line) - (a->line < b->line);
}

static int check_end(struct lists_import *import, struct weir_why *why)
{
	if (import->n_rejects)
		qsort(import->reject, import->n_rejects, sizeof(*import->reject), by_line);
	if (import->n_rejects > LISTS_REJECTS_KEPT)
		import->n_rejects = LISTS_REJECTS_KEPT;
	sort_free(import->sort);
	import->sort = NULL;
	if (too_many_rejects(import, true)) {
		import->state = IMPORT_FAILED;
		return why_set(why, -E2BIG,
			       "%llu of %llu rows were rejected: more than an import may have; see the first ones",
			       (unsigned long long)import->receipt.rejected, (unsigned long long)import->receipt.lines);
	}
	import->state = IMPORT_CHECKED;
	return 0;
}

int lists_import_finish(struct lists_import *import, struct weir_why *why)
{
	int rc;

	if (import->state == IMPORT_CHECKED)
		return 0;
	if (import->state == IMPORT_READING) {
		rc = list_reader_finish(import->reader, why);
		import->receipt.lines = list_reader_lines(import->reader);
		if (rc < 0 && rc != import->err) {
			import->state = IMPORT_FAILED;
			return rc;
		}
		if (rc == 0)
			rc = check_begin(import);
		if (rc < 0)
			return import_fail(import, rc, why);
		import->state = IMPORT_CHECKING;
		return 1;
	}
	if (import->state != IMPORT_CHECKING)
		return why_set(why, -EINVAL, "this import cannot be checked");
	rc = check_slice(import);
	if (rc < 0)
		return import_fail(import, rc, why);
	return rc == 1 ? 1 : check_end(import, why);
}

/* --- asked about ------------------------------------------------------------------------------ */

void lists_import_receipt(const struct lists_import *import, struct lists_receipt *receipt)
{
	*receipt = import->receipt;
}

const char *lists_import_phase(const struct lists_import *import, uint64_t *done, uint64_t *total)
{
	static const char *const name[] = {
		[IMPORT_READING] = "reading", [IMPORT_CHECKING] = "checking", [IMPORT_CHECKED] = "checked",
		[IMPORT_STORING] = "storing", [IMPORT_APPLYING] = "applying", [IMPORT_DONE] = "done",
		[IMPORT_FAILED] = "failed",
	};
	const struct ledger_batch *batch = &import->batch;

	*done = import->done;
	*total = import->total;
	if (import->state == IMPORT_READING) {
		*done = import->receipt.lines;
		*total = 0;
	} else if (import->state == IMPORT_APPLYING) {
		*done = batch->added + batch->changed + batch->unchanged +
			(batch->mode == LEDGER_TAKE_OFF ? batch->removed : 0);
		*total = batch->rows;
	}
	return name[import->state];
}

unsigned lists_import_rejects(const struct lists_import *import, const struct list_reject **rejects)
{
	*rejects = import->reject;
	return import->n_rejects;
}

struct lists_import *lists_import_current(struct lists *lists)
{
	return lists->import;
}

void import_release(struct lists_import *import)
{
	list_reader_free(import->reader);
	import->reader = NULL;
	sort_free(import->sort);
	import->sort = NULL;
	spool_free(import->spool);
	import->spool = NULL;
	import_items_free(&import->pairs);
	import_items_free(&import->ranges);
}
