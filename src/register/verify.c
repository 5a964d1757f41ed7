/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Checks what the register can know about itself, record by record, in one snapshot, and says what is wrong in
 * sentences. Identities are masked: findings end up in logs and mails. */
#include "register/layout.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

struct register_check {
	struct weir_register *reg;
	register_finding_fn *fn;
	void *data;

	struct store_txn txn;
	struct store_cursor cursor[REGISTER_N_TABLES];
	struct store_cursor other; /* on table device or pair, for the question whether both sides know each other */
	struct register_meta meta;

	enum register_table table;
	bool started, done; /* with this table; with all */
	struct register_key previous;
	uint64_t records, digest;
	uint64_t findings;
};

static const char *const nouns[REGISTER_N_TABLES] = {"device", "range up to", "pair of device", "fixed SIM of device"};

/* Findings may be many where one page is gone: enough is enough. */
#define MAX_FINDINGS 1000

__attribute__((format(printf, 2, 3))) static void say(struct register_check *check, const char *format, ...)
{
	char sentence[200];
	va_list args;

	if (++check->findings > MAX_FINDINGS)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	check->fn(sentence, check->data);
	if (check->findings == MAX_FINDINGS)
		check->fn("there are more findings like these", check->data);
}

static void say_record(struct register_check *check, const struct register_record *record, const char *what)
{
	char imei[WEIR_MASK_TEXT], imsi[WEIR_MASK_TEXT];
	bool sim = check->table == REGISTER_SIM, pair = check->table == REGISTER_PAIR;

	mask_imei(imei, sim ? record->key.lo : record->key.hi);
	if (!sim && !pair) {
		say(check, "%s %s %s", nouns[check->table], imei, what);
		return;
	}
	mask_imsi(imsi, (struct weir_imsi){sim ? record->key.hi : record->key.lo});
	say(check, "%s %s and subscriber %s %s", nouns[check->table], imei, imsi, what);
}

/* --- one record ------------------------------------------------------------------------------- */

static bool listing_is_known(struct weir_listing listing)
{
	return !(listing.lists & ~REGISTER_LISTS) && listing.reason < WEIR_N_REASONS;
}

static void check_rows(struct register_check *check, const struct register_record *record)
{
	for (unsigned i = 0; i < record->n_rows; i++) {
		const struct register_listing_disk *row = &record->row[i];

		if (row->svn > 99 || (i && row[-1].svn >= row->svn))
			say_record(check, record, "has versions that are out of order or above 99");
		if (!row->lists || !listing_is_known((struct weir_listing){row->lists, le16toh(row->reason)}))
			say_record(check, record, "has a version on no known list or for an unknown reason");
	}
}

/* Does the other table know of it?  true also where it cannot be said: that is found where that table is checked. */
static bool pair_exists(struct register_check *check, uint64_t imei)
{
	struct register_record pair;

	return register_find(REGISTER_PAIR, &check->other, (struct register_key){imei, 0}, &pair) ||
	       pair.key.hi == imei;
}

static bool device_is_paired(struct register_check *check, uint64_t imei)
{
	struct register_record device;

	return register_find(REGISTER_DEVICE, &check->other, (struct register_key){imei, 0}, &device) ||
	       (device.key.hi == imei && device.paired);
}

static void check_device(struct register_check *check, const struct register_record *record)
{
	if (record->key.hi >= WEIR_IMEI_END)
		say_record(check, record, "is no device: it has more than 14 digits");
	if (!listing_is_known(record->listing))
		say_record(check, record, "is on an unknown list or listed for an unknown reason");
	if (!record->listing.lists && !record->n_rows && !record->paired)
		say_record(check, record, "is on no list and in no pair, so it should not be here");
	check_rows(check, record);
	if (record->paired && !pair_exists(check, record->key.hi))
		say_record(check, record, "is marked as paired, but there is no pair of it");
}

static void check_range(struct register_check *check, const struct register_record *record)
{
	if (record->from > record->key.hi || record->key.hi >= WEIR_IMEI_END)
		say_record(check, record, "is empty or ends above the greatest IMEI");
	if (!register_key_is_none(record->before) && record->from <= record->before.hi)
		say_record(check, record, "overlaps the one before it");
	if (!record->listing.lists || !listing_is_known(record->listing))
		say_record(check, record, "is on no known list or listed for an unknown reason");
}

static void check_pair(struct register_check *check, const struct register_record *record)
{
	bool sim = check->table == REGISTER_SIM;
	uint64_t imei = sim ? record->key.lo : record->key.hi, imsi = sim ? record->key.hi : record->key.lo;

	if (imei >= WEIR_IMEI_END || !imsi)
		say_record(check, record, "has no possible IMEI or no IMSI");
	if (sim ? record->rule != WEIR_PAIR_FIXED : record->rule != WEIR_PAIR_ALLOW && record->rule != WEIR_PAIR_DENY)
		say_record(check, record, "has a rule that does not belong there");
	if (record->listing.reason >= WEIR_N_REASONS)
		say_record(check, record, "has an unknown reason");
	if (!sim && !device_is_paired(check, imei))
		say_record(check, record, "is never asked for: the device is not marked as paired");
}

static void check_record(struct register_check *check, const struct register_record *record)
{
	if (register_key_compare(record->before, check->previous) != 0)
		say_record(check, record, "does not follow the record before it: something is missing or out of order");
	if (check->table == REGISTER_DEVICE)
		check_device(check, record);
	else if (check->table == REGISTER_RANGE)
		check_range(check, record);
	else
		check_pair(check, record);
	check->records++;
	check->digest += register_digest_of(check->table, record);
}

/* --- tables ----------------------------------------------------------------------------------- */

static int begin_table(struct register_check *check)
{
	int err = 0;

	check->started = true;
	check->records = 0;
	check->previous = REGISTER_KEY_NONE;
	store_cursor_close(&check->other);
	if (check->table == REGISTER_DEVICE)
		err = store_cursor_open(&check->txn, check->reg->table[REGISTER_PAIR], &check->other);
	else if (check->table == REGISTER_PAIR)
		err = store_cursor_open(&check->txn, check->reg->table[REGISTER_DEVICE], &check->other);
	return err ? err
		   : store_cursor_open(&check->txn, check->reg->table[check->table], &check->cursor[check->table]);
}

static void end_table(struct register_check *check)
{
	const uint64_t claimed[REGISTER_N_TABLES] = {check->meta.devices, check->meta.ranges, check->meta.pairs,
						     check->meta.sims};
	const char *name = register_tables[check->table].name;
	uint64_t entries;

	if (check->records != claimed[check->table])
		say(check, "table %s holds %" PRIu64 " records, the meta record says %" PRIu64, name, check->records,
		    claimed[check->table]);
	if (!store_count(&check->txn, check->reg->table[check->table], &entries) && entries != check->records + 1)
		say(check, "table %s holds %" PRIu64 " records and its sentinel, LMDB counts %" PRIu64, name,
		    check->records, entries);
	check->started = false;
	check->table++;
	if (check->table < REGISTER_N_TABLES)
		return;
	if (check->digest != check->meta.digest)
		say(check, "the digest of all records is not the one of the meta record");
	check->done = true;
}

/* 1 go on, 0 the table is done. */
static int check_next(struct register_check *check)
{
	struct register_record record = {0};
	struct store_val key = {0}, value;
	int err;

	err = store_cursor_move(&check->cursor[check->table], STORE_NEXT, &key, &value);
	if (err == -ENOENT)
		say(check, "table %s has no end: its sentinel is missing", register_tables[check->table].name);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = register_decode(check->table, key, value, &record);
	if (err) {
		say_record(check, &record, "is damaged: its sum does not fit");
		check->previous = record.key;
		check->records++;
		return 1;
	}
	if (register_is_sentinel(check->table, &record)) {
		if (register_key_compare(record.before, check->previous) != 0)
			say(check, "table %s: something is missing at its end", register_tables[check->table].name);
		return 0;
	}
	check_record(check, &record);
	check->previous = record.key;
	return 1;
}

static int step(struct register_check *check, unsigned records)
{
	int more = 1;

	for (unsigned i = 0; i < records && !check->done && more >= 0; i++) {
		if (!check->started)
			more = begin_table(check);
		if (more >= 0)
			more = check_next(check);
		if (more == 0)
			end_table(check);
	}
	return more < 0 ? more : !check->done;
}

static int step_guarded(struct register_check *check, unsigned records)
{
	int more;

	if (store_guard(check->reg->store))
		return -EIO;
	more = step(check, records);
	store_unguard(check->reg->store);
	return more;
}

/* A snapshot and its meta record. */
static int begin(struct register_check *check)
{
	int err;

	err = store_read_begin(check->reg->store, &check->txn);
	if (!err)
		err = register_read_meta(&check->txn, check->reg->meta_table, &check->meta);
	return err;
}

static int begin_guarded(struct register_check *check)
{
	int err;

	if (store_guard(check->reg->store))
		return -EIO;
	err = begin(check);
	store_unguard(check->reg->store);
	return err;
}

struct register_check *register_check_alloc(struct weir_register *reg, register_finding_fn *fn, void *data)
{
	struct register_check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->reg = reg;
	check->fn = fn;
	check->data = data;
	return check;
}

int register_check_step(struct register_check *check, unsigned records)
{
	int more;

	if (check->done)
		return 0;
	more = check->txn.store ? 1 : begin_guarded(check);
	if (more >= 0)
		more = step_guarded(check, records);
	if (more < 0) {
		say(check, "the register cannot be read on: %s", more == -EUCLEAN ? "it is damaged" : strerror(-more));
		check->done = true;
	}
	return more;
}

void register_check_free(struct register_check *check)
{
	if (!check)
		return;
	store_cursor_close(&check->other);
	for (unsigned i = 0; i < REGISTER_N_TABLES; i++)
		store_cursor_close(&check->cursor[i]);
	store_read_end(&check->txn);
	free(check);
}
