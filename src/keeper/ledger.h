/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ledger: the truth.  Every change is an event with a serial, chained by digest; entries, pairs, ranges and sources
 * are what the events add up to.
 *
 * Model.  One store (STATE/ledger, mode 0700), written by the keeper's loop thread only.  Events are appended in order:
 * origin (which site accepted it), epoch (a new one when history was broken by a restore), serial (from 1, no gaps),
 * time, actor, type, body, and the BLAKE2b-256 digest of the event before.  In the same transaction the event's effect
 * is applied to the entries.  A batch (an import) is one event that names the digest of its rows; the rows are stored
 * as packed, sorted chunks before it and applied after it in slices; meta says how far.
 *
 * Promises.
 * - What ledger_commit returned 0 for is durable and in order; a crash at any moment leaves a prefix of the events, and
 *   opening resumes a batch that was accepted but not wholly applied (lists.h).
 * - An entry belongs to (device, source): nobody else's change touches it.
 * - Every record has a CRC or a digest of its own: damage is found when it is read and named, never used.
 * - The chain can be checked from the first event on (ledger_verify).
 *
 * One transaction at a time: begin, any number of appends and writes, commit.  Bytes: doc/STORE.md.
 *
 * Files: ledger.c (open, sources, transactions), ledger_event.c (events and their chain), ledger_table.c (entries,
 * ranges, pairs), ledger_batch.c (batches and their chunks), ledger_digest.c (all that includes sodium.h).  What lists
 * and imports need of the tables is in ledger_table.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "core/why.h"
#include "wire/list.h"

struct ledger;

#define LEDGER_NAME_MAX  32 /* of a source: a-z 0-9 - _ . */
#define LEDGER_ACTOR_MAX 64 /* "uid:1000(alice)" */

int ledger_open(const char *state_dir, struct ledger **ledger, struct weir_why *why);
void ledger_close(struct ledger *ledger);

struct ledger_head {
	uint32_t epoch;
	uint64_t origin; /* random, made with the ledger */
	uint64_t serial; /* of the last event; 0: none yet */
	int64_t time_ms;
	uint8_t digest[32]; /* of the last event */
};
void ledger_head(struct ledger *ledger, struct ledger_head *head);

enum ledger_event_type {
	LEDGER_SOURCE = 1, /* a source was made */
	LEDGER_PUT = 2,    /* one entry, range or pair put */
	LEDGER_REMOVE = 3,
	LEDGER_BATCH = 4, /* rows imported: merged into the source's, or replacing them all */
	LEDGER_N_TYPES
};

/* "source", "put", "remove", "batch": API words. */
const char *ledger_event_type_name(enum ledger_event_type type);

struct weir_event {
	enum ledger_event_type type;
	uint64_t serial, origin;
	uint32_t epoch;
	int64_t time_ms;
	char actor[LEDGER_ACTOR_MAX];
	char source[LEDGER_NAME_MAX + 1];
	struct list_row row; /* PUT, REMOVE; line is 0 */
	struct {             /* BATCH */
		uint64_t id, rows;
		bool replace, remove; /* replace: what it does not hold goes; remove: its rows are taken off */
		uint8_t digest[32];
	} batch;
	uint8_t previous[32], digest[32];
};

/* One source's statement, as it stands. */
struct weir_entry {
	struct list_row row;
	uint16_t source;
	uint64_t serial; /* of the event that made it so */
	int64_t since_ms;
};

struct weir_source {
	uint16_t id;
	char name[LEDGER_NAME_MAX + 1];
	uint64_t devices, ranges, pairs;
	uint64_t digest; /* order-independent sum over its statements: equal lists have equal digests, whatever their
			    history */
	uint64_t serial; /* of the last event that changed it */
	int64_t changed_ms;
};

#define LEDGER_SOURCES_MAX 1023 /* the entry's key has ten bits for the source */

/* --- sources ---------------------------------------------------------------------------------- */

/* Pointers are good until the next call that writes.  NULL: no such source. */
const struct weir_source *ledger_source(const struct ledger *ledger, unsigned id);
const struct weir_source *ledger_source_find(const struct ledger *ledger, const char *name);
unsigned ledger_source_count(const struct ledger *ledger); /* ids are 1..count */
/* 1 to LEDGER_NAME_MAX of a-z 0-9 - _ . */
bool ledger_name_is_good(const char *name);

/* --- writing: begin, appends, commit; one transaction at a time ------------------------------- */

/* -EBUSY where one is open; -ESTALE never: a store that panicked is opened again here.  -EIO, -ENOSPC as store.h. */
int ledger_begin(struct ledger *ledger);
/* The caller sets type, time_ms, actor, source and the body; serial, origin, epoch, previous and digest are written
 * here. A device's or pair's event is also found by its history from now on. */
int ledger_append(struct ledger *ledger, struct weir_event *event);
/* Make a source, with its event.  Returns its id, the existing one's where there is one already, or -EINVAL (bad name),
 * -ENOSPC (too many) with why. */
int ledger_source_make(struct ledger *ledger, const char *name, const char *actor, int64_t now_ms,
		       struct weir_why *why);
/* Durable when it returns 0; otherwise nothing of it happened: where the store says that it failed, the ledger is
 * opened again and what stands there decides.  (Only where it cannot be opened either does nobody know before it can.)
 */
int ledger_commit(struct ledger *ledger);
void ledger_abort(struct ledger *ledger);
bool ledger_is_writing(const struct ledger *ledger);

/* --- reading ---------------------------------------------------------------------------------- */

/* One event as it is stored and committed.  -ENOENT: no such serial; -EUCLEAN: its digest is not right. */
int ledger_event_read(struct ledger *ledger, uint64_t serial, struct weir_event *event);

struct store;
/* For status and alarms: store_usage, store_sweep. */
struct store *ledger_store(struct ledger *ledger);
