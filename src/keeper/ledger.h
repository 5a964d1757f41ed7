/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ledger: the truth.  Every change is an event with a serial, chained by digest; entries, pairs, ranges and sources are
 * what the events add up to.
 *
 * Model.  One store (STATE/ledger, mode 0700), written by the keeper's loop thread only.  Events are appended in order:
 * origin (which site accepted it), epoch (a new one when history was broken by a restore), serial (from 1, no gaps), time,
 * actor, type, body, and the BLAKE2b-256 digest of the event before.  In the same transaction the event's effect is applied
 * to the entries.  A batch (an import) is one event that names the digest of its rows; the rows are stored as packed,
 * sorted chunks before it and applied after it in slices; meta says how far.
 *
 * Promises.
 * - What ledger_commit returned 0 for is durable and in order; a crash at any moment leaves a prefix of the events, and
 *   opening resumes a batch that was accepted but not wholly applied (lists.h).
 * - An entry belongs to (device, source): nobody else's change touches it.
 * - The chain can be checked from the first event on (ledger_verify).
 *
 * One transaction at a time: begin, any number of appends and writes, commit.  Bytes: doc/STORE.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "core/why.h"
#include "wire/list.h"

struct ledger;

#define LEDGER_NAME_MAX 32   /* of a source: a-z 0-9 - _ . */
#define LEDGER_ACTOR_MAX 64  /* "uid:1000(alice)" */

int ledger_open(const char *state_dir, int64_t now_ms, struct ledger **ledger, struct weir_why *why);
void ledger_close(struct ledger *ledger);

struct ledger_head {
	uint32_t epoch;
	uint64_t origin;   /* random, made with the ledger */
	uint64_t serial;   /* of the last event; 0: none yet */
	int64_t time_ms;
	uint8_t digest[32];/* of the last event */
};
void ledger_head(struct ledger *ledger, struct ledger_head *head);

enum ledger_event_type {
	LEDGER_SOURCE = 1, /* a source was made */
	LEDGER_PUT = 2,    /* one entry, range or pair put */
	LEDGER_REMOVE = 3,
	LEDGER_BATCH = 4,  /* rows imported: merged into the source's, or replacing them all */
};

struct weir_event {
	enum ledger_event_type type;
	uint64_t serial, origin;
	uint32_t epoch;
	int64_t time_ms;
	char actor[LEDGER_ACTOR_MAX];
	char source[LEDGER_NAME_MAX + 1];
	struct list_row row;      /* PUT, REMOVE */
	struct {                  /* BATCH */
		uint64_t id, rows;
		bool replace, remove; /* remove: its rows are taken off */
		uint8_t digest[32];
	} batch;
	uint8_t previous[32], digest[32];
};

/* One source's statement, as it stands. */
struct weir_entry {
	struct list_row row;
	uint16_t source;
	uint64_t serial;  /* of the event that made it so */
	int64_t since_ms;
};

struct weir_source {
	uint16_t id;
	char name[LEDGER_NAME_MAX + 1];
	uint64_t devices, ranges, pairs;
	uint64_t serial;
	int64_t changed_ms;
};
