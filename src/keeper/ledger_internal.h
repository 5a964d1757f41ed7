/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the ledger_*.c files share: the open store, its tables and the meta record.  Nobody else includes this. */
#pragma once

#include <limits.h>

#include "keeper/ledger_table.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian and written as they are");

#define LEDGER_MAGIC  UINT64_C(0x316764656c2d7277) /* "wr-ledg1" */
#define LEDGER_SCHEMA 1u

/* table "meta", key "meta".  crc is over key and what follows it; so in every record below. */
struct ledger_meta_disk {
	uint32_t crc;
	uint32_t schema;
	uint64_t magic, origin;
	uint32_t epoch;
	uint32_t commits; /* counts them, so that no two leave the same record */
	uint64_t serial;
	int64_t time_ms;
	uint64_t batch;      /* being stored or applied; 0 none */
	uint64_t last_batch; /* ids given */
	uint8_t digest[LEDGER_DIGEST];
} __attribute__((packed));

struct ledger_source_slot {
	struct weir_source now, committed;
	bool dirty;
};

struct ledger {
	char dir[PATH_MAX];
	struct store *store;
	struct store_table table[LEDGER_N_TABLES];
	struct store_txn txn;
	bool writing;
	bool broken; /* panicked: opened again before the next transaction */
	struct ledger_meta_disk meta, committed;
	unsigned n_sources, n_committed;
	struct ledger_source_slot source[LEDGER_SOURCES_MAX + 1];
};

/* The source's record, to be changed in the open transaction; ids come from our own records or from the caller's
 * checks. */
struct weir_source *ledger_source_touch(struct ledger *ledger, unsigned id);

static inline void ledger_be64(uint8_t *at, uint64_t value)
{
	value = __builtin_bswap64(value);
	__builtin_memcpy(at, &value, 8);
}

static inline uint64_t ledger_from_be64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, 8);
	return __builtin_bswap64(value);
}

#define ledger_val(bytes, octets) ((struct store_val){.data = (bytes), .len = (octets)})

/* The CRC of a record: key, then everything of the value behind its first four octets. */
uint32_t ledger_crc(struct store_val key, const void *value, size_t len);
