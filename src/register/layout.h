/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The register's bytes on disk.  Little-endian.  Private to register/; doc/STORE.md repeats it for people.
 *
 * Every table of records is a chain: a record holds the key of the one before it, and its crc is CRC-32C over its own
 * key (with the table's tag) and its value after the crc.  The last record of each table is a sentinel whose key is
 * above every real key.  So the first record at or above a key answers for it alone: it is the key's own, or it proves
 * that nothing lies between its predecessor and itself.
 *
 * Why the predecessor stands in the record, and is not only summed up with it: then neither a hit nor a miss needs a
 * neighbour, a look-up is one descent of the tree like a plain get; and an insertion learns the predecessor from the
 * successor it must rewrite anyway.  The price is 6 octets a device (47 bits of a word that holds the listing too): the
 * alternative, two sums of 4 octets, would cost more and make a miss step back to a neighbour (doc/STORE.md has the
 * measurement). */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "register/register.h"
#include "store/store.h"

#define REGISTER_MAGIC      UINT64_C(0x31726765722d7277) /* "wr-regr1" */
#define REGISTER_SCHEMA     1u
#define REGISTER_LISTS      0x07u /* white, grey, black */
#define REGISTER_REASON_MAX 0xffu
#define REGISTER_ROWS_MAX   16u

/* table "device": key u64, 14 digits as a number; the sentinel's is WEIR_IMEI_END */
struct register_listing_disk {
	uint8_t lists;
	uint8_t svn; /* 0..99 */
	uint16_t reason;
} __attribute__((packed));

struct register_device_disk {
	uint32_t crc;
	uint64_t word;
	struct register_listing_disk row[]; /* ascending svn */
} __attribute__((packed));

#define REGISTER_WORD_BEFORE ((UINT64_C(1) << 47) - 1) /* bits 0..46; all ones: the first one */
#define REGISTER_WORD_PAIRED 47                        /* look at table pair too */
#define REGISTER_WORD_LISTS  48                        /* 3 bits: of the device itself, any version */
#define REGISTER_WORD_ROWS   51                        /* 5 bits: how many rows follow */
#define REGISTER_WORD_REASON 56                        /* 8 bits */

/* table "range": key u64, the range's last device; the sentinel's is WEIR_IMEI_END */
struct register_range_disk {
	uint32_t crc;
	uint64_t before; /* all ones: the first one */
	uint64_t from;
	uint8_t lists;
	uint8_t spare;
	uint16_t reason;
} __attribute__((packed));

/* tables "pair" and "sim": key 16 octets, big-endian so that they sort as two numbers: imei, imsi ("sim": imsi, imei);
 * the sentinel's is all ones */
struct register_pair_disk {
	uint32_t crc;
	uint64_t before_hi, before_lo; /* all ones: the first one */
	uint8_t rule;
	uint8_t spare;
	uint16_t reason;
} __attribute__((packed));

/* table "meta": one record, key "register" */
struct register_meta_disk {
	uint64_t magic;
	uint32_t schema;
	uint32_t epoch;
	uint64_t generation, serial, changed_ms;
	uint64_t records[REGISTER_N_TABLES]; /* sentinels not counted */
	uint64_t digest;
	uint32_t retired;
	uint32_t crc; /* of all before it */
} __attribute__((packed));

#define REGISTER_META_TABLE "meta"
#define REGISTER_META_KEY   "register"

/* --- the same in memory (record.c) ------------------------------------------------------------ */

struct register_key {
	uint64_t hi, lo; /* device, range: lo is 0 */
};

#define REGISTER_KEY_NONE ((struct register_key){UINT64_MAX, UINT64_MAX}) /* "before" of the first */

struct register_record {
	struct register_key key, before;
	uint64_t from;               /* range */
	struct weir_listing listing; /* device, range; of pair and sim the reason */
	enum weir_pair_rule rule;    /* pair, sim */
	bool paired;                 /* device */
	uint8_t n_rows;
	struct register_listing_disk row[REGISTER_ROWS_MAX];
	uint32_t crc; /* as stored */
};

/* Name and kind of a table's keys. */
extern const struct register_table_info {
	const char *name;
	enum store_keys keys;
	struct register_key sentinel;
} register_tables[REGISTER_N_TABLES];

int register_key_compare(struct register_key a, struct register_key b);
static inline bool register_key_is_none(struct register_key key)
{
	return key.hi == UINT64_MAX && key.lo == UINT64_MAX;
}

/* The key as the table's octets. */
#define REGISTER_KEY_BYTES 16
struct store_val register_key_encode(enum register_table table, struct register_key key,
				     uint8_t buf[static REGISTER_KEY_BYTES]);
/* 0 or -EUCLEAN. */
int register_key_decode(enum register_table table, struct store_val bytes, struct register_key *key);

#define REGISTER_VALUE_BYTES                                                                                           \
	(sizeof(struct register_device_disk) + REGISTER_ROWS_MAX * sizeof(struct register_listing_disk))
/* Sets record->crc. */
struct store_val register_encode(enum register_table table, struct register_record *record,
				 uint8_t buf[static REGISTER_VALUE_BYTES]);
/* 0, or -EUCLEAN where it is not a record of this table as it was written. */
int register_decode(enum register_table table, struct store_val key, struct store_val value,
		    struct register_record *record);

/* What one record adds to the digest; the sentinel adds nothing. */
uint64_t register_digest_of(enum register_table table, const struct register_record *record);
bool register_is_sentinel(enum register_table table, const struct register_record *record);

void register_meta_encode(const struct register_meta *meta, struct register_meta_disk *disk);
int register_meta_decode(struct store_val value, struct register_meta *meta); /* 0 or -EUCLEAN */

/* --- generations and their directories (generation.c) ----------------------------------------- */

#define REGISTER_NAME 32 /* "register.N" */

/* What STATE/register points to.  0, -ENOENT, or -EUCLEAN where that is no name of a generation. */
int generation_current(const char *state_dir, char name[static REGISTER_NAME], struct weir_why *why);
int generation_path(const char *state_dir, const char *name, char *path, size_t size);
uint64_t generation_number(const char *name); /* 0: not a name of one */

/* generation_write.c, keeper only */
uint64_t generation_next(const char *state_dir);
int generation_link(const char *state_dir, const char *name, struct weir_why *why); /* make it current, durably */
void generation_remove_others(const char *state_dir, const char *keep_a, const char *keep_b);

/* --- the reading half as the other files here use it (read.c) --------------------------------- */

struct weir_register {
	struct store *store;
	bool owns_store;
	char name[REGISTER_NAME];
	struct store_txn txn; /* kept and renewed */
	struct store_table meta_table, table[REGISTER_N_TABLES];
	struct store_cursor cursor[REGISTER_N_TABLES];
	struct register_meta meta; /* of the snapshot meta_of */
	uint64_t meta_of;
};

/* A reading side on a store that is open already. */
int register_attach(struct store *store, const char *name, struct weir_register **reg, struct weir_why *why);
/* Begin and end a snapshot in the kept transaction, with cursors and meta of it.  Under a guard. */
int register_snapshot_begin(struct weir_register *reg);
void register_snapshot_end(struct weir_register *reg);
int register_read_meta(struct store_txn *txn, struct store_table table, struct register_meta *meta);
/* The first record at or above a key, checked; the caller compares. Every key has one: the sentinel at last. */
int register_find(enum register_table table, struct store_cursor *cursor, struct register_key key,
		  struct register_record *record);
