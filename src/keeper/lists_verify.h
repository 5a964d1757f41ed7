/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the two files of verify share: lists_verify_ledger.c reads the ledger (inside a guard, because a damaged page
 * can lead anywhere), lists_verify.c drives it and holds the register against what was read. */
#pragma once

#include "keeper/lists_internal.h"

enum verify_phase {
	VERIFY_EVENTS,
	VERIFY_BATCHES,
	VERIFY_DEVICES,
	VERIFY_PAIRS,
	VERIFY_RANGES,
	VERIFY_SOURCES,
	VERIFY_REGISTER, /* what it can check by itself */
	VERIFY_DONE,
	VERIFY_N_PHASES
};

/* What the register should say, row by row. */
struct verify_row {
	uint64_t imei;
	struct weir_listing listing;
	int8_t svn;
};

struct verify_sum {
	uint64_t devices, ranges, pairs, digest;
};

/* An event that entries name, and where its batch's rows are being read. */
struct verify_event {
	uint64_t serial, batch;
	struct weir_event event;
	int err;
	struct ledger_rows rows;
};
#define VERIFY_EVENTS_KEPT 64

struct lists_verify {
	struct lists *lists;
	lists_finding_fn *fn;
	void *data;
	enum verify_phase phase;
	uint64_t findings, done, total;
	uint64_t head; /* the ledger's serial when the events had been read */
	bool compare;  /* the register is where the ledger is */
	struct store_txn txn;
	/* events */
	uint64_t serial, singles;
	uint8_t previous[LEDGER_DIGEST];
	/* batches */
	uint64_t batch, batches, chunks;
	bool hashing;
	struct ledger_batch record;
	struct ledger_chunk_place chunk;
	struct ledger_hash hash;
	/* devices */
	uint64_t place, next;
	struct verify_row *row;
	unsigned n_rows, size_rows, at;
	struct verify_event event[VERIFY_EVENTS_KEPT];
	struct verify_sum sum[LEDGER_SOURCES_MAX + 1];
	/* pairs */
	struct ledger_item pair;
	struct verify_pair {
		uint64_t imei, imsi;
		struct merged_pair merged;
	} * expect;
	unsigned n_expect, size_expect;
	uint64_t n_pairs, n_sims;
	/* ranges */
	struct register_range *range;
	unsigned n_ranges, size_ranges;
	/* the register by itself */
	struct register_check *check;
};

void verify_finding(struct lists_verify *verify, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One slice of the phase, in the open read transaction.  1 more of this phase, 0 done with it, negative. */
int verify_events(struct lists_verify *verify);
int verify_batches(struct lists_verify *verify);
int verify_devices(struct lists_verify *verify); /* leaves rows expected of [place, next) */
int verify_pairs(struct lists_verify *verify);   /* leaves what is expected of some pairs */
int verify_ranges(struct lists_verify *verify);  /* leaves the ranges */
