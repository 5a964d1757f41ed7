/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What lists*.c, project*.c and import*.c share.  Nobody else includes this.
 *
 * projected is the last event whose effect the register holds, the batch being applied aside: how far that one is, its
 * own record in the ledger says.  Every projection computes what the register shall say from the entries as they stand,
 * so doing one twice is harmless and healing is doing it again. */
#pragma once

#include "keeper/ledger_table.h"
#include "keeper/lists.h"
#include "register/register.h"

/* Everything the sources say of one device, in order of (version, source). */
struct device_words {
	uint64_t imei;
	struct ledger_entry *entry;
	unsigned n, size;
	bool damaged; /* one of them: the device is not projected */
};

/* Imeis, pairs and ranges that changed and are to be projected. */
struct touched {
	uint64_t *imei;
	struct touched_pair {
		uint64_t imei, imsi;
	} * pair;
	uint64_t *flip; /* newly black */
	unsigned n_imeis, size_imeis, n_pairs, size_pairs, n_flips, size_flips;
	bool ranges, sweep; /* sweep: more turned black than flip names */
	bool failed;        /* out of memory: something is missing here */
};

struct rebuild {
	bool on;
	enum {
		REBUILD_DEVICES,
		REBUILD_PAIRS,
		REBUILD_RANGES,
		REBUILD_SWITCH,
		REBUILD_REPLAY /* the new generation is current; what came since the rebuild began follows */
	} phase;
	bool healing; /* lists_heal goes on with it */
	uint64_t place;
	struct ledger_item pair;
	uint64_t serial; /* the ledger's when it began: what came later is replayed at the end */
};

struct lists {
	char *state_dir;
	struct ledger *ledger;
	struct register_writer *writer; /* NULL: could not be opened; lists_heal tries again */
	lists_flips_fn *flips;
	void *data;
	struct lists_tuning tuning;
	uint64_t projected, told;
	bool register_broken;  /* to be opened again before it is written */
	bool register_damaged; /* to be rebuilt */
	/* the turn */
	bool turn;
	int turn_err;
	int64_t turn_ms;
	uint64_t turn_serial; /* the head when it began */
	struct touched touched;
	struct device_words words, after; /* scratch */
	struct lists_import *import;
	struct rebuild rebuild;
};

/* --- project_merge.c: pure -------------------------------------------------------------------- */

/* What the register says of a device on which the sources say this; of versions that find no room, see lists.h. */
void merge_device(const struct device_words *words, struct register_device *device);
enum weir_colour merge_colour(const struct register_device *device);
/* May any of its versions be black now that was not?  Yes too where the lists say nothing any more: a range may, or the
 * policy. */
bool merge_may_turn_black(const struct register_device *before, const struct register_device *after);
/* The rules of all sources on one pair: deny beats allow; fixed stands beside them. */
struct merged_pair {
	enum weir_pair_rule rule;
	uint16_t reason, fixed_reason;
	bool fixed, damaged;
};
void merge_pair(const struct ledger_item *items, unsigned n, struct merged_pair *pair);

int words_add(struct device_words *words, const struct ledger_entry *entry);
/* All entries of a device. The walk is left behind them. */
int words_load(struct device_words *words, struct ledger_walk *walk, uint64_t imei);
/* One source's word on one version; NULL where it has none. */
const struct ledger_entry *words_find(const struct device_words *words, uint64_t key);
/* after: the words with this entry (put) or without it. */
int words_apply(struct device_words *after, const struct device_words *words, const struct ledger_entry *entry,
		bool put);
void words_free(struct device_words *words);

void touch_imei(struct touched *touched, uint64_t imei);
void touch_pair(struct touched *touched, uint64_t imei, uint64_t imsi);
void touch_flip(struct touched *touched, uint64_t imei);
void touch_clear(struct touched *touched);
void touch_free(struct touched *touched);

/* --- project.c -------------------------------------------------------------------------------- */

/* A register batch with the ledger's snapshot it is computed from. */
struct projection {
	struct lists *lists;
	struct store_txn txn;
	struct ledger_walk walk;
	struct ledger_item_walk pairs; /* on the first pair of a device at or above pairs_from */
	uint64_t pairs_from;
	int err;
};

int project_begin(struct lists *lists, struct projection *projection);
/* From the entries. */
void project_imei(struct projection *projection, uint64_t imei);
/* Given by the caller, who has just merged it; paired is found here. */
void project_device(struct projection *projection, struct register_device *device);
void project_pair(struct projection *projection, uint64_t imei, uint64_t imsi);
void project_ranges(struct projection *projection);
/* 0: durable with this serial. Otherwise the register says what it said, and is marked broken where it must be
 * reopened. */
int project_commit(struct projection *projection, uint64_t serial);

/* All sources' words on one and the same range become one; different ranges are the register's to flatten.  -EUCLEAN
 * where one of them is damaged.  The caller frees. */
int project_collect_ranges(struct lists *lists, struct store_txn *txn, struct register_range **out, unsigned *out_n);
int project_touched(struct lists *lists, struct touched *touched, uint64_t serial);
/* The serial the register may claim when all up to this one is projected, the batch being applied aside. */
uint64_t project_serial(const struct lists *lists, uint64_t serial);
void project_tell(struct lists *lists, struct touched *touched);

/* --- project_heal.c --------------------------------------------------------------------------- */

/* Opens the register where it must be, and brings it to the ledger's head, a slice a call: 1 call again, 0 done. */
int project_heal(struct lists *lists, struct weir_why *why);

/* --- import*.c -------------------------------------------------------------------------------- */

/* At opening: forget what was being stored, take up what was being applied. */
int import_resume(struct lists *lists, struct weir_why *why);
/* Rows of this source are being applied now. */
bool import_holds(const struct lists *lists, const char *source);
/* The batch being applied, or NULL. */
const struct ledger_batch *import_batch(const struct lists *lists);
/* The slice that a crash kept from the register, into it. */
int import_catch_up(struct lists *lists);
/* A slice of it is in the entries and not yet in the register. */
bool import_register_is_behind(const struct lists *lists);
/* At closing. */
void import_forget(struct lists *lists);
