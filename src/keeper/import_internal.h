/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What import*.c share.  import.c reads and checks, import_plan.c works out what rows do to the entries (for the check
 * and for the deed alike, so that the forecast is what happens), import_store.c accepts, import_apply.c
 * applies. */
#pragma once

#include "keeper/import_sort.h"
#include "keeper/lists_internal.h"

enum import_state {
	IMPORT_READING,
	IMPORT_CHECKING,
	IMPORT_CHECKED,
	IMPORT_STORING,
	IMPORT_APPLYING,
	IMPORT_DONE,
	IMPORT_FAILED
};

/* Pairs or ranges of the file. */
struct import_items {
	struct import_item {
		struct ledger_item item;
		uint64_t line;
	} * row;
	unsigned n, size;
};

#define IMPORT_ITEMS_MAX (16u << 20)

struct import_counts {
	uint64_t added, changed, removed, unchanged, turned_black, turned_from_black;
};

/* Rows in ascending order, one at a time; ok while row is one. */
struct row_stream {
	bool ok;
	int err;
	struct ledger_row row;
	void (*next)(struct row_stream *stream);
	void *data;
};

/* What a slice does. */
struct plan_write {
	uint64_t key;
	uint16_t reason, before_reason;
	uint8_t colour, before_colour;
	bool put;
	uint8_t before; /* 0 nothing stands there, 1 something, 2 something damaged */
};

struct plan_device {
	uint64_t imei;
	uint16_t reason;
	uint8_t lists;
	bool versions; /* more to say than lists and reason: read it from the entries */
};

struct plan {
	struct lists *lists;
	unsigned source; /* 0: not made yet, so it has no entries */
	uint8_t mode;
	bool dry; /* count only */
	struct import_counts counts;
	struct plan_write *write;
	struct plan_device *device;
	unsigned n_writes, size_writes, n_devices, size_devices;
	struct device_words after, scratch;
	struct touched *touched;
	int err;
};

/* From the stream's row and place on, about budget rows and entries.  Returns the imei to go on with, LEDGER_PLACE_END
 * at the end. */
uint64_t plan_devices(struct plan *plan, struct row_stream *stream, struct ledger_walk *walk, uint64_t place,
		      unsigned budget);
/* Pairs or ranges [from, to) of the sorted rows; with removals also what a replacing file does not hold.  A deed writes
 * into the ledger's open transaction at once. */
int plan_items(struct plan *plan, struct store_txn *txn, enum ledger_items table, const struct import_items *items,
	       unsigned from, unsigned to, bool removals, uint64_t serial);
void plan_clear(struct plan *plan);
void plan_free(struct plan *plan);

struct lists_import {
	struct lists *lists;
	struct lists_import_spec spec;
	enum import_state state;
	struct list_reader *reader;
	struct sort *sort;
	struct import_items pairs, ranges;
	struct lists_receipt receipt;
	struct list_reject *reject;
	unsigned n_rejects, size_rejects;
	int err; /* of a callback */
	/* checking */
	struct row_stream stream;
	struct sort_row head;
	bool have_head;
	struct plan plan;
	uint64_t place, done, total;
	struct ledger_chunk chunk;
	struct spool *spool;
	struct ledger_hash hash;
	struct ledger_batch batch;
	/* storing, applying */
	uint64_t stored;
	bool register_behind; /* the register lacks the last slice */
	bool items_loaded;
	struct touched touched;
};

void import_items_free(struct import_items *items);
int import_items_add(struct import_items *items, const struct ledger_item *item, uint64_t line);
/* The receipt of a batch as far as it is applied. */
void import_batch_receipt(const struct ledger_batch *batch, struct lists_receipt *receipt);
/* Give back what only reading and checking needed. */
void import_release(struct lists_import *import);
