/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Records of the register: octets to struct and back.  Decoding believes nothing: length, sum, order and spare bits are
 * checked, whatever does not fit is -EUCLEAN. */
#include "register/layout.h"

#include <errno.h>
#include <string.h>

#include "core/crc.h"

const struct register_table_info register_tables[REGISTER_N_TABLES] = {
	[REGISTER_DEVICE] = {"device", STORE_KEYS_U64, {WEIR_IMEI_END, 0}},
	[REGISTER_RANGE] = {"range", STORE_KEYS_U64, {WEIR_IMEI_END, 0}},
	[REGISTER_PAIR] = {"pair", STORE_KEYS_BYTES, {UINT64_MAX, UINT64_MAX}},
	[REGISTER_SIM] = {"sim", STORE_KEYS_BYTES, {UINT64_MAX, UINT64_MAX}},
};

static bool has_two_parts(enum register_table table)
{
	return table == REGISTER_PAIR || table == REGISTER_SIM;
}

int register_key_compare(struct register_key a, struct register_key b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

struct store_val register_key_encode(enum register_table table, struct register_key key,
				     uint8_t buf[static REGISTER_KEY_BYTES])
{
	uint64_t part[2] = {htobe64(key.hi), htobe64(key.lo)};

	if (has_two_parts(table)) {
		memcpy(buf, part, sizeof(part));
		return (struct store_val){buf, sizeof(part)};
	}
	memcpy(buf, &key.hi, sizeof(key.hi));
	return (struct store_val){buf, sizeof(key.hi)};
}

int register_key_decode(enum register_table table, struct store_val bytes, struct register_key *key)
{
	uint64_t part[2];

	*key = (struct register_key){0};
	if (bytes.len != (has_two_parts(table) ? sizeof(part) : sizeof(key->hi)))
		return -EUCLEAN;
	if (has_two_parts(table)) {
		memcpy(part, bytes.data, sizeof(part));
		*key = (struct register_key){be64toh(part[0]), be64toh(part[1])};
	} else {
		memcpy(&key->hi, bytes.data, sizeof(key->hi));
	}
	return 0;
}

bool register_is_sentinel(enum register_table table, const struct register_record *record)
{
	return register_key_compare(record->key, register_tables[table].sentinel) == 0;
}

/* The tag makes a record of one table no record of another with the same kind of key. */
static uint32_t sum(enum register_table table, struct register_key key, const void *value, size_t len)
{
	uint64_t part[2] = {htole64(key.hi ^ (uint64_t)(table + 1) << 56), htole64(key.lo)};
	uint32_t crc = crc32c(0, part, has_two_parts(table) ? sizeof(part) : sizeof(part[0]));

	return crc32c(crc, (const uint8_t *)value + sizeof(uint32_t), len - sizeof(uint32_t));
}

/* --- encoding --------------------------------------------------------------------------------- */

static size_t encode_device(const struct register_record *record, uint8_t *buf)
{
	struct register_device_disk disk;
	uint64_t before = register_key_is_none(record->before) ? REGISTER_WORD_BEFORE : record->before.hi;

	disk.crc = 0;
	disk.word = htole64(before | (uint64_t)record->paired << REGISTER_WORD_PAIRED |
			    (uint64_t)record->listing.lists << REGISTER_WORD_LISTS |
			    (uint64_t)record->n_rows << REGISTER_WORD_ROWS |
			    (uint64_t)record->listing.reason << REGISTER_WORD_REASON);
	memcpy(buf, &disk, sizeof(disk));
	memcpy(buf + sizeof(disk), record->row, record->n_rows * sizeof(record->row[0]));
	return sizeof(disk) + record->n_rows * sizeof(record->row[0]);
}

static size_t encode_range(const struct register_record *record, uint8_t *buf)
{
	struct register_range_disk disk = {
		.before = htole64(record->before.hi),
		.from = htole64(record->from),
		.lists = record->listing.lists,
		.reason = htole16(record->listing.reason),
	};

	memcpy(buf, &disk, sizeof(disk));
	return sizeof(disk);
}

static size_t encode_pair(const struct register_record *record, uint8_t *buf)
{
	struct register_pair_disk disk = {
		.before_hi = htole64(record->before.hi),
		.before_lo = htole64(record->before.lo),
		.rule = (uint8_t)record->rule,
		.reason = htole16(record->listing.reason),
	};

	memcpy(buf, &disk, sizeof(disk));
	return sizeof(disk);
}

struct store_val register_encode(enum register_table table, struct register_record *record,
				 uint8_t buf[static REGISTER_VALUE_BYTES])
{
	size_t len;
	uint32_t crc;

	if (table == REGISTER_DEVICE)
		len = encode_device(record, buf);
	else if (table == REGISTER_RANGE)
		len = encode_range(record, buf);
	else
		len = encode_pair(record, buf);
	record->crc = sum(table, record->key, buf, len);
	crc = htole32(record->crc);
	memcpy(buf, &crc, sizeof(crc));
	return (struct store_val){buf, len};
}

/* --- decoding --------------------------------------------------------------------------------- */

static int decode_device(struct store_val value, struct register_record *record)
{
	struct register_device_disk disk;
	uint64_t word;

	memcpy(&disk, value.data, sizeof(disk));
	word = le64toh(disk.word);
	record->n_rows = word >> REGISTER_WORD_ROWS & 0x1f;
	if (record->n_rows > REGISTER_ROWS_MAX || value.len != sizeof(disk) + record->n_rows * sizeof(record->row[0]))
		return -EUCLEAN;
	record->before = (word & REGISTER_WORD_BEFORE) == REGISTER_WORD_BEFORE
				 ? REGISTER_KEY_NONE
				 : (struct register_key){word & REGISTER_WORD_BEFORE, 0};
	record->paired = word >> REGISTER_WORD_PAIRED & 1;
	record->listing.lists = word >> REGISTER_WORD_LISTS & REGISTER_LISTS;
	record->listing.reason = (uint16_t)(word >> REGISTER_WORD_REASON);
	if (record->n_rows)
		memcpy(record->row, (const uint8_t *)value.data + sizeof(disk),
		       record->n_rows * sizeof(record->row[0]));
	return 0;
}

static int decode_range(struct store_val value, struct register_record *record)
{
	struct register_range_disk disk;

	if (value.len != sizeof(disk))
		return -EUCLEAN;
	memcpy(&disk, value.data, sizeof(disk));
	record->before.hi = le64toh(disk.before);
	record->before.lo = record->before.hi == UINT64_MAX ? UINT64_MAX : 0;
	record->from = le64toh(disk.from);
	record->listing = (struct weir_listing){disk.lists, le16toh(disk.reason)};
	return 0;
}

static int decode_pair(struct store_val value, struct register_record *record)
{
	struct register_pair_disk disk;

	if (value.len != sizeof(disk))
		return -EUCLEAN;
	memcpy(&disk, value.data, sizeof(disk));
	record->before = (struct register_key){le64toh(disk.before_hi), le64toh(disk.before_lo)};
	record->rule = disk.rule;
	record->listing = (struct weir_listing){WEIR_ON_NONE, le16toh(disk.reason)};
	return 0;
}

int register_decode(enum register_table table, struct store_val key, struct store_val value,
		    struct register_record *record)
{
	uint32_t crc;
	int err;

	err = register_key_decode(table, key, &record->key);
	if (err || value.len < sizeof(struct register_device_disk) || value.len > REGISTER_VALUE_BYTES)
		return -EUCLEAN;
	memcpy(&crc, value.data, sizeof(crc));
	record->crc = le32toh(crc);
	if (record->crc != sum(table, record->key, value.data, value.len))
		return -EUCLEAN;
	if (table == REGISTER_DEVICE)
		err = decode_device(value, record);
	else if (table == REGISTER_RANGE)
		err = decode_range(value, record);
	else
		err = decode_pair(value, record);
	if (err || (!register_key_is_none(record->before) && register_key_compare(record->before, record->key) >= 0))
		return -EUCLEAN;
	return 0;
}

/* --- digest and meta -------------------------------------------------------------------------- */

/* The finisher of splitmix64: every bit in moves every bit out. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t register_digest_of(enum register_table table, const struct register_record *record)
{
	if (register_is_sentinel(table, record))
		return 0;
	return mix(record->key.hi ^ mix(record->key.lo ^ mix((uint64_t)(table + 1) << 56 | record->crc)));
}

void register_meta_encode(const struct register_meta *meta, struct register_meta_disk *disk)
{
	*disk = (struct register_meta_disk){
		.magic = htole64(REGISTER_MAGIC),
		.schema = htole32(meta->schema),
		.epoch = htole32(meta->epoch),
		.generation = htole64(meta->generation),
		.serial = htole64(meta->serial),
		.changed_ms = htole64((uint64_t)meta->changed_ms),
		.records = {htole64(meta->devices), htole64(meta->ranges), htole64(meta->pairs), htole64(meta->sims)},
		.digest = htole64(meta->digest),
		.retired = htole32(meta->retired),
	};
	disk->crc = htole32(crc32c(0, disk, offsetof(struct register_meta_disk, crc)));
}

int register_meta_decode(struct store_val value, struct register_meta *meta)
{
	struct register_meta_disk disk;

	memset(meta, 0, sizeof(*meta));
	if (value.len != sizeof(disk))
		return -EUCLEAN;
	memcpy(&disk, value.data, sizeof(disk));
	if (le32toh(disk.crc) != crc32c(0, &disk, offsetof(struct register_meta_disk, crc)) ||
	    le64toh(disk.magic) != REGISTER_MAGIC)
		return -EUCLEAN;
	*meta = (struct register_meta){
		.schema = le32toh(disk.schema),
		.epoch = le32toh(disk.epoch),
		.generation = le64toh(disk.generation),
		.serial = le64toh(disk.serial),
		.changed_ms = (int64_t)le64toh(disk.changed_ms),
		.devices = le64toh(disk.records[REGISTER_DEVICE]),
		.ranges = le64toh(disk.records[REGISTER_RANGE]),
		.pairs = le64toh(disk.records[REGISTER_PAIR]),
		.sims = le64toh(disk.records[REGISTER_SIM]),
		.digest = le64toh(disk.digest),
		.retired = le32toh(disk.retired),
	};
	return 0;
}
