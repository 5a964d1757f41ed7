/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The register's bytes on disk.  Little-endian.  Private to register/; doc/STORE.md repeats it for people.
 *
 * Every table of records is a chain: a record's crc is CRC-32C over the key before it (nothing for the first), its own
 * key and its value without the crc.  The last record of each table is a sentinel whose key is above every real key,
 * so that "nothing between these two" can be proved for any key. */
#pragma once

#include <stdint.h>

#define REGISTER_MAGIC UINT64_C(0x31726765722d7277) /* "wr-regr1" */
#define REGISTER_SCHEMA 1u

#define REGISTER_FLAG_PAIRED 0x01u

struct register_listing_disk {
	uint8_t lists;
	uint8_t svn; /* row of an SVN: 0..99; else 0xff */
	uint16_t reason;
};

/* table "device": key u64 (14 digits; sentinel WEIR_IMEI_END) */
struct register_device_disk {
	uint32_t crc;
	uint8_t flags;
	uint8_t n_rows;
	uint8_t lists;  /* of the device itself, any version */
	uint8_t spare;
	uint16_t reason;
	uint16_t spare2;
	struct register_listing_disk svn_row[]; /* n_rows, ascending svn */
};
