/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Acceptance: packed rows and their event into the ledger.  Until the event is committed the rows are nobody's and a
 * crash forgets them; from then on the batch will be applied, whatever happens, and this file takes it up again at
 * opening. Nothing here touches entries or the register. */

#include "keeper/import_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_SLICE 4096 /* chunks removed in one commit */

/* --- storing ---------------------------------------------------------------------------------- */

static int chunks_forget(struct ledger *ledger, uint64_t id)
{
	int rc;

	do {
		rc = ledger_begin(ledger);
		if (rc < 0)
			return rc;
		rc = LEDGER_GUARDED(ledger, ledger_batch_forget(ledger, id, FORGET_SLICE));
		if (rc < 0) {
			ledger_abort(ledger);
			return rc;
		}
		if (ledger_commit(ledger) < 0)
			return -EIO;
	} while (rc == 1);
	return 0;
}

static int store_chunks(struct lists_import *import)
{
	struct ledger *ledger = import->lists->ledger;
	uint8_t bytes[LEDGER_CHUNK_MAX];
	uint64_t from = import->stored;
	uint32_t len;
	int rc = 0;

	while (rc == 0 && import->stored < spool_size(import->spool) &&
	       import->stored - from < import->lists->tuning.store_bytes) {
		rc = spool_read(import->spool, import->stored, &len, sizeof(len));
		if (rc == 0 && len > sizeof(bytes))
			rc = -EIO;
		if (rc == 0)
			rc = spool_read(import->spool, import->stored + sizeof(len), bytes, len);
		if (rc == 0)
			rc = ledger_chunk_append(ledger, import->batch.id, bytes, len);
		import->stored += sizeof(len) + len;
	}
	return rc;
}

/* The last chunks, the event and the batch's record in one commit: now it is accepted. */
static int accept_batch(struct lists_import *import, int64_t now_ms, struct weir_why *why)
{
	struct ledger *ledger = import->lists->ledger;
	struct ledger_batch *batch = &import->batch;
	struct weir_event event = {.type = LEDGER_BATCH,
				   .time_ms = now_ms,
				   .batch = {.id = batch->id,
					     .rows = batch->rows,
					     .replace = import->spec.mode == LISTS_REPLACE,
					     .remove = import->spec.mode == LISTS_TAKE_OFF}};
	int rc = ledger_source_make(ledger, import->spec.source, import->spec.actor, now_ms, why);

	if (rc < 0)
		return rc;
	batch->source = (uint16_t)rc;
	memcpy(event.source, import->spec.source, sizeof(event.source));
	snprintf(event.actor, sizeof(event.actor), "%.*s", LEDGER_ACTOR_MAX - 1, import->spec.actor);
	memcpy(event.batch.digest, batch->digest, LEDGER_DIGEST);
	rc = ledger_append(ledger, &event);
	if (rc < 0)
		return rc;
	batch->serial = event.serial;
	batch->time_ms = now_ms;
	batch->state = LEDGER_APPLYING;
	return 0;
}

static int store_begin(struct lists_import *import, int64_t now_ms)
{
	uint64_t left = ledger_batch_under_way(import->lists->ledger);
	const struct lists_receipt *receipt = &import->receipt;
	int rc = left ? chunks_forget(import->lists->ledger, left) : 0; /* one that failed while it was stored */

	if (rc < 0)
		return rc;
	import->batch.mode = (uint8_t)(import->spec.mode + 1);
	import->batch.state = LEDGER_STORING;
	import->batch.time_ms = now_ms;
	import->batch.lines = receipt->lines;
	import->batch.rejected = receipt->rejected;
	import->batch.remarks = receipt->remarks;
	import->batch.duplicates = receipt->duplicates;
	import->state = IMPORT_STORING;
	import->stored = 0;
	import->total = spool_size(import->spool);
	return 0;
}

static int store_write(struct lists_import *import, int64_t now_ms, struct weir_why *why)
{
	struct ledger *ledger = import->lists->ledger;
	int rc = ledger_batch_put(ledger, &import->batch); /* gives it its id */

	if (rc == 0)
		rc = store_chunks(import);
	if (rc < 0 || import->stored < spool_size(import->spool))
		return rc;
	rc = accept_batch(import, now_ms, why);
	return rc < 0 ? rc : ledger_batch_put(ledger, &import->batch);
}

/* 1 more, 0 accepted */
static int store_slice(struct lists_import *import, int64_t now_ms, struct weir_why *why)
{
	struct ledger *ledger = import->lists->ledger;
	struct ledger_batch batch = import->batch;
	bool last;
	int rc = ledger_begin(ledger);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(ledger, store_write(import, now_ms, why));
	if (rc < 0) {
		ledger_abort(ledger);
		import->batch = batch;
		return rc;
	}
	last = import->batch.state == LEDGER_APPLYING;
	rc = ledger_commit(ledger);
	if (rc < 0)
		import->batch = batch;
	return rc < 0 ? rc : !last;
}

static int store_failed(struct lists_import *import, int rc, struct weir_why *why)
{
	import->state = IMPORT_FAILED;
	if (import->batch.id)
		chunks_forget(import->lists->ledger, import->batch.id); /* else the next import or opening does it */
	rc = rc == -ENOSPC || rc == -EINVAL || rc == -EUCLEAN ? rc : -EIO;
	return why && why->text[0] ? rc
				   : why_set(why, rc, "the rows cannot be stored in the ledger: %s", strerror(-rc));
}

int lists_import_commit(struct lists_import *import, int64_t now_ms, struct weir_why *why)
{
	struct lists *lists = import->lists;
	struct ledger_head before, head;
	int rc = 0;

	if (why)
		why->text[0] = '\0';
	if (import->state != IMPORT_CHECKED && import->state != IMPORT_STORING)
		return why_set(why, -EINVAL, "only an import that was checked can be accepted, and once");
	if (lists->turn || lists->rebuild.on)
		return why_set(why, -EBUSY,
			       lists->turn ? "changes are being made" : "the register is being rebuilt; try again");
	if (import->state == IMPORT_CHECKED)
		rc = store_begin(import, now_ms);
	ledger_head(lists->ledger, &before);
	if (rc == 0)
		rc = store_slice(import, now_ms, why);
	if (rc < 0)
		return store_failed(import, rc, why);
	import->done = import->stored;
	if (rc == 1)
		return 1;
	ledger_head(lists->ledger, &head);
	if (lists->projected == before.serial)
		lists->projected = head.serial; /* the batch aside, see lists_internal.h */
	import->receipt.batch = import->batch.id;
	import->receipt.serial = import->batch.serial;
	import->state = IMPORT_APPLYING;
	import_release(import);
	plan_free(&import->plan);
	return 0;
}

void import_batch_receipt(const struct ledger_batch *batch, struct lists_receipt *receipt)
{
	*receipt = (struct lists_receipt){.lines = batch->lines,
					  .rows = batch->rows,
					  .rejected = batch->rejected,
					  .remarks = batch->remarks,
					  .duplicates = batch->duplicates,
					  .added = batch->added,
					  .changed = batch->changed,
					  .removed = batch->removed,
					  .unchanged = batch->unchanged,
					  .turned_black = batch->turned_black,
					  .turned_from_black = batch->turned_from_black,
					  .batch = batch->id,
					  .serial = batch->serial};
}

/* --- birth and death -------------------------------------------------------------------------- */

static void import_destroy(struct lists_import *import)
{
	import_release(import);
	plan_free(&import->plan);
	touch_free(&import->touched);
	free(import->reject);
	free(import);
}

void lists_import_free(struct lists_import *import)
{
	struct lists *lists;

	if (!import || import->state == IMPORT_APPLYING)
		return;
	lists = import->lists;
	if (import->state == IMPORT_STORING && import->batch.id)
		chunks_forget(lists->ledger, import->batch.id); /* else the next import or opening does it */
	if (lists->import == import)
		lists->import = NULL;
	import_destroy(import);
}

void import_forget(struct lists *lists)
{
	if (lists->import)
		import_destroy(lists->import);
	lists->import = NULL;
}

static int import_take_up(struct lists *lists, const struct ledger_batch *batch, struct weir_why *why)
{
	const struct weir_source *source = ledger_source(lists->ledger, batch->source);
	struct lists_import *import;

	if (!source)
		return why_set(why, -EUCLEAN, "the import that was being applied is of a source that is not known");
	import = calloc(1, sizeof(*import));
	if (!import)
		return why_set(why, -ENOMEM, "out of memory");
	import->lists = lists;
	import->batch = *batch;
	import->state = IMPORT_APPLYING;
	import->register_behind = true;
	import->touched.sweep = true;
	memcpy(import->spec.source, source->name, sizeof(import->spec.source));
	import->spec.mode = batch->mode - 1;
	import_batch_receipt(batch, &import->receipt);
	lists->import = import;
	return 0;
}

int import_resume(struct lists *lists, struct weir_why *why)
{
	uint64_t id = ledger_batch_under_way(lists->ledger);
	struct ledger_batch batch;
	struct store_txn txn;
	int rc;

	if (!id)
		return 0;
	rc = ledger_read_begin(lists->ledger, &txn);
	if (rc == 0) {
		rc = LEDGER_GUARDED(lists->ledger, ledger_batch_get(lists->ledger, &txn, id, &batch));
		store_read_end(&txn);
	}
	if (rc == 0 && batch.state == LEDGER_APPLYING)
		return import_take_up(lists, &batch, why);
	if (rc == 0)
		rc = chunks_forget(lists->ledger, id);
	return rc < 0 ? why_set(why, rc, "the import that was being stored cannot be taken up or forgotten: %s",
				strerror(-rc))
		      : 0;
}
