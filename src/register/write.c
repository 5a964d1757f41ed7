/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Batches into the register, and its generations.  The keeper's half: weir-gate links none of it. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/imei.h"
#include "register/chain.h"

/* One generation, opened for writing. */
struct generation {
	char name[REGISTER_NAME];
	struct store *store; /* NULL: none */
	struct weir_register *reader;
	struct register_meta meta; /* as committed */
};

struct register_writer {
	char state_dir[PATH_MAX];
	struct generation current; /* what the link names, unless it is being rebuilt from nothing */
	struct generation next;    /* while rebuilding: batches go here */

	bool in_batch;
	int err; /* of the batch: sticky */
	struct generation *into;
	struct store_txn txn;
	struct register_meta pending; /* what the commit under way will make of it */
	struct chain chain[REGISTER_N_TABLES];
	bool in_chain[REGISTER_N_TABLES];
};

/* --- generations ------------------------------------------------------------------------------ */

static void generation_close(struct generation *generation)
{
	register_close(generation->reader);
	store_close(generation->store);
	*generation = (struct generation){0};
}

static int write_meta(struct store_txn *txn, struct store_table table, const struct register_meta *meta)
{
	struct register_meta_disk disk;

	register_meta_encode(meta, &disk);
	return store_put(txn, table, (struct store_val){REGISTER_META_KEY, strlen(REGISTER_META_KEY)},
			 (struct store_val){&disk, sizeof(disk)});
}

/* The tables of a new store: sentinels and a meta record that says "empty". */
static int make_tables(struct store *store, uint64_t number)
{
	struct register_meta meta = {.schema = REGISTER_SCHEMA, .generation = number};
	struct store_table table;
	struct store_txn txn;

	store_write_begin(store, &txn);
	for (unsigned i = 0; i < REGISTER_N_TABLES; i++) {
		if (store_table_open(&txn, register_tables[i].name, register_tables[i].keys, &table) == 0)
			chain_make(i, &txn, table);
	}
	if (store_table_open(&txn, REGISTER_META_TABLE, STORE_KEYS_BYTES, &table) == 0)
		write_meta(&txn, table, &meta);
	return store_commit(&txn);
}

static int attach(struct generation *generation, struct weir_why *why)
{
	int err;

	err = register_attach(generation->store, generation->name, &generation->reader, why);
	if (!err)
		err = register_meta(generation->reader, &generation->meta);
	return err;
}

static int generation_open(const char *state_dir, const char *name, bool create, struct generation *generation,
			   struct weir_why *why)
{
	char path[PATH_MAX];
	struct store_spec spec = {.dir = path, .writer = true, .create = create, .shared = true, .scrub = true};
	int err;

	*generation = (struct generation){0};
	memcpy(generation->name, name, sizeof(generation->name));
	if (generation_path(state_dir, name, path, sizeof(path)))
		return why_set(why, -ENAMETOOLONG, "the path of the state directory is too long");
	err = store_open(&spec, &generation->store, why);
	if (!err && create) {
		err = make_tables(generation->store, generation_number(name));
		if (err)
			why_set(why, err, "%s cannot be filled: %s", path, strerror(-err));
	}
	if (!err)
		err = attach(generation, why);
	if (err)
		generation_close(generation);
	return err;
}

static int generation_make(const char *state_dir, struct generation *generation, struct weir_why *why)
{
	char name[REGISTER_NAME];

	snprintf(name, sizeof(name), "register.%" PRIu64, generation_next(state_dir));
	return generation_open(state_dir, name, true, generation, why);
}

/* All but what the link names and what is being built. */
static void remove_others(struct register_writer *writer)
{
	char name[REGISTER_NAME];

	if (!generation_current(writer->state_dir, name, NULL))
		generation_remove_others(writer->state_dir, name, writer->next.name);
}

/* Readers that look see it; those that do not, see the link. */
static void retire(struct generation *generation)
{
	struct store_table table;
	struct store_txn txn;

	if (!generation->store || store_guard(generation->store))
		return;
	generation->meta.retired = true;
	store_write_begin(generation->store, &txn);
	if (store_table_open(&txn, REGISTER_META_TABLE, STORE_KEYS_BYTES, &table) == 0)
		write_meta(&txn, table, &generation->meta);
	store_commit(&txn);
	store_unguard(generation->store);
}

/* --- open and close --------------------------------------------------------------------------- */

static int writer_alloc(const char *state_dir, struct register_writer **writer, struct weir_why *why)
{
	*writer = NULL;
	if (strlen(state_dir) >= sizeof((*writer)->state_dir))
		return why_set(why, -ENAMETOOLONG, "the path of the state directory is too long");
	*writer = calloc(1, sizeof(**writer));
	if (!*writer)
		return why_set(why, -ENOMEM, "out of memory");
	memcpy((*writer)->state_dir, state_dir, strlen(state_dir) + 1);
	return 0;
}

static int open_or_make(struct register_writer *writer, struct weir_why *why)
{
	char name[REGISTER_NAME];
	int err;

	err = generation_current(writer->state_dir, name, why);
	if (!err)
		return generation_open(writer->state_dir, name, false, &writer->current, why);
	if (err != -ENOENT)
		return err;
	err = generation_make(writer->state_dir, &writer->current, why);
	if (!err)
		err = generation_link(writer->state_dir, writer->current.name, why);
	return err;
}

int register_writer_open(const char *state_dir, struct register_writer **writer, struct weir_why *why)
{
	int err;

	err = writer_alloc(state_dir, writer, why);
	if (err)
		return err;
	err = open_or_make(*writer, why);
	if (err) {
		register_writer_close(*writer);
		*writer = NULL;
		/* a link that leads nowhere is damage, not absence */
		return err == -ENOENT ? -EUCLEAN : err;
	}
	remove_others(*writer);
	register_writer_tend(*writer);
	return 0;
}

int register_writer_open_to_rebuild(const char *state_dir, struct register_writer **writer, struct weir_why *why)
{
	return writer_alloc(state_dir, writer, why);
}

void register_writer_close(struct register_writer *writer)
{
	if (!writer)
		return;
	register_batch_abort(writer);
	generation_close(&writer->next);
	generation_close(&writer->current);
	free(writer);
}

struct weir_register *register_writer_reader(struct register_writer *writer)
{
	return writer->current.reader;
}

void register_writer_tend(struct register_writer *writer)
{
	if (writer->in_batch || !writer->current.store || store_guard(writer->current.store))
		return;
	store_sweep(writer->current.store);
	store_scrub(writer->current.store);
	store_unguard(writer->current.store);
}

/* --- batches ---------------------------------------------------------------------------------- */

static int fail(struct register_writer *writer, int err)
{
	if (err && !writer->err)
		writer->err = err;
	return writer->err;
}

/* Every change runs inside this: a fault of the mapping fails the batch, and abort lets go of LMDB's lock. */
#define GUARDED(writer, call)                                                                                          \
	({                                                                                                             \
		if (store_guard((writer)->into->store)) {                                                              \
			fail(writer, -EIO);                                                                            \
		} else {                                                                                               \
			fail(writer, call);                                                                            \
			store_unguard((writer)->into->store);                                                          \
		}                                                                                                      \
		(writer)->err;                                                                                         \
	})

/* What is built upon is what this very transaction sees: neither a commit that failed half-way nor a writer that was
 * killed may leave the counts of another snapshot in memory. */
static int begin(struct register_writer *writer)
{
	struct store_table table;
	int err = store_write_begin(writer->into->store, &writer->txn);

	if (!err)
		err = store_table_open(&writer->txn, REGISTER_META_TABLE, STORE_KEYS_BYTES, &table);
	return err ? err : register_read_meta(&writer->txn, table, &writer->into->meta);
}

int register_batch_begin(struct register_writer *writer)
{
	if (writer->in_batch)
		return -EINVAL;
	writer->into = writer->next.store ? &writer->next : &writer->current;
	memset(writer->in_chain, 0, sizeof(writer->in_chain));
	writer->txn = (struct store_txn){0};
	writer->err = writer->into->store ? 0 : -EUCLEAN;
	if (!writer->err)
		GUARDED(writer, begin(writer));
	writer->in_batch = !writer->err;
	return writer->err;
}

static uint64_t *records_of(struct register_meta *meta, enum register_table table)
{
	uint64_t *const records[REGISTER_N_TABLES] = {&meta->devices, &meta->ranges, &meta->pairs, &meta->sims};

	return records[table];
}

static int chain_of(struct register_writer *writer, enum register_table table, struct chain **chain)
{
	struct store_table handle;
	int err = 0;

	*chain = &writer->chain[table];
	if (writer->in_chain[table])
		return 0;
	err = store_table_open(&writer->txn, register_tables[table].name, register_tables[table].keys, &handle);
	if (!err)
		err = chain_begin(*chain, table, &writer->txn, handle);
	if (!err) {
		(*chain)->records = *records_of(&writer->into->meta, table);
		(*chain)->digest = 0;
		writer->in_chain[table] = true;
	}
	return err;
}

static int put(struct register_writer *writer, enum register_table table, struct register_record *record)
{
	struct chain *chain;
	int err = chain_of(writer, table, &chain);

	return err ? err : chain_put(chain, record);
}

static int remove_key(struct register_writer *writer, enum register_table table, struct register_key key)
{
	struct chain *chain;
	int err = chain_of(writer, table, &chain);

	return err ? err : chain_remove(chain, key);
}

static bool listing_is_sound(struct weir_listing listing)
{
	return !(listing.lists & ~REGISTER_LISTS) && listing.reason <= REGISTER_REASON_MAX;
}

static int add_row(struct register_record *record, const struct register_svn_row *row)
{
	struct register_listing_disk disk = {row->listing.lists, (uint8_t)row->svn, htole16(row->listing.reason)};
	unsigned at = record->n_rows;

	if (!listing_is_sound(row->listing) || row->svn > 99 || row->svn < WEIR_NO_SVN)
		return -EINVAL;
	if (row->svn == WEIR_NO_SVN) {
		record->listing = row->listing;
		return 0;
	}
	if (!row->listing.lists)
		return 0;
	for (; at && record->row[at - 1].svn >= disk.svn; at--) {
		if (record->row[at - 1].svn == disk.svn)
			return -EINVAL;
		record->row[at] = record->row[at - 1];
	}
	record->row[at] = disk;
	record->n_rows++;
	return 0;
}

static int set_device(struct register_writer *writer, const struct register_device *device)
{
	struct register_record record = {.key = {device->key, 0}, .paired = device->paired};
	int err = device->key < WEIR_IMEI_END && device->n_rows <= REGISTER_ROWS_MAX ? 0 : -EINVAL;

	for (unsigned i = 0; i < device->n_rows && !err; i++)
		err = add_row(&record, &device->row[i]);
	if (err)
		return err;
	if (!record.listing.lists)
		record.listing.reason = 0;
	if (!record.listing.lists && !record.n_rows && !record.paired)
		return remove_key(writer, REGISTER_DEVICE, record.key);
	return put(writer, REGISTER_DEVICE, &record);
}

int register_set_device(struct register_writer *writer, const struct register_device *device)
{
	if (!writer->in_batch || writer->err)
		return writer->err ? writer->err : -EINVAL;
	return GUARDED(writer, set_device(writer, device));
}

static int set_rule(struct register_writer *writer, enum register_table table, struct register_key key,
		    enum weir_pair_rule rule, uint16_t reason)
{
	struct register_record record = {.key = key, .rule = rule, .listing.reason = reason};

	if (reason > REGISTER_REASON_MAX || register_key_is_none(key))
		return -EINVAL;
	return rule == WEIR_PAIR_NONE ? remove_key(writer, table, key) : put(writer, table, &record);
}

int register_set_pair(struct register_writer *writer, uint64_t imei, struct weir_imsi imsi, enum weir_pair_rule rule,
		      uint16_t reason)
{
	if (!writer->in_batch || writer->err)
		return writer->err ? writer->err : -EINVAL;
	if (imei >= WEIR_IMEI_END || !imsi.packed ||
	    (rule != WEIR_PAIR_NONE && rule != WEIR_PAIR_ALLOW && rule != WEIR_PAIR_DENY))
		return fail(writer, -EINVAL);
	return GUARDED(writer, set_rule(writer, REGISTER_PAIR, (struct register_key){imei, imsi.packed}, rule, reason));
}

int register_set_sim(struct register_writer *writer, struct weir_imsi imsi, uint64_t imei, bool fixed, uint16_t reason)
{
	enum weir_pair_rule rule = fixed ? WEIR_PAIR_FIXED : WEIR_PAIR_NONE;

	if (!writer->in_batch || writer->err)
		return writer->err ? writer->err : -EINVAL;
	if (imei >= WEIR_IMEI_END || !imsi.packed)
		return fail(writer, -EINVAL);
	return GUARDED(writer, set_rule(writer, REGISTER_SIM, (struct register_key){imsi.packed, imei}, rule, reason));
}

/* Make the table say what flat says, touching only what differs: one TAC more among 100,000 is one record more. */
static int set_ranges(struct register_writer *writer, const struct register_range *flat, unsigned n)
{
	struct register_key from = {0};
	struct register_record old;
	struct chain *chain;
	unsigned next = 0;
	int err;

	err = chain_of(writer, REGISTER_RANGE, &chain);
	while (!err) {
		err = chain_find(chain, from, &old);
		if (err || register_is_sentinel(REGISTER_RANGE, &old))
			break;
		while (next < n && flat[next].to < old.key.hi)
			next++;
		if (next == n || flat[next].to != old.key.hi)
			err = chain_remove(chain, old.key);
		from.hi = old.key.hi + 1;
	}
	for (next = 0; next < n && !err; next++) {
		struct register_record record = {
			.key = {flat[next].to, 0}, .from = flat[next].from, .listing = flat[next].listing};

		err = chain_put(chain, &record);
	}
	return err;
}

int register_set_ranges(struct register_writer *writer, const struct register_range *ranges, unsigned n)
{
	struct register_range *flat;
	int n_flat;

	if (!writer->in_batch || writer->err)
		return writer->err ? writer->err : -EINVAL;
	flat = n < INT_MAX / 2 ? calloc(2 * (size_t)n + 1, sizeof(*flat)) : NULL;
	if (!flat)
		return fail(writer, -ENOMEM);
	n_flat = register_flatten(ranges, n, flat);
	if (n_flat < 0)
		fail(writer, n_flat);
	else
		GUARDED(writer, set_ranges(writer, flat, (unsigned)n_flat));
	free(flat);
	return writer->err;
}

static int commit(struct register_writer *writer, struct register_meta *meta)
{
	struct store_table table;
	int err = 0;

	for (unsigned i = 0; i < REGISTER_N_TABLES && !err; i++) {
		if (!writer->in_chain[i])
			continue;
		err = chain_close_tail(&writer->chain[i]);
		*records_of(meta, i) = writer->chain[i].records;
		meta->digest += writer->chain[i].digest;
	}
	if (!err)
		err = store_table_open(&writer->txn, REGISTER_META_TABLE, STORE_KEYS_BYTES, &table);
	if (!err)
		err = write_meta(&writer->txn, table, meta);
	return err ? err : store_commit(&writer->txn);
}

int register_batch_commit(struct register_writer *writer, uint32_t epoch, uint64_t serial, int64_t changed_ms)
{
	struct register_meta *meta;
	int err;

	if (!writer->in_batch)
		return writer->err ? writer->err : -EINVAL;
	/* not a local: what a guarded call changes in one is lost when it faults */
	meta = &writer->pending;
	*meta = writer->into->meta;
	meta->epoch = epoch;
	meta->serial = serial;
	meta->changed_ms = changed_ms;
	if (!writer->err)
		GUARDED(writer, commit(writer, meta));
	err = writer->err;
	if (!err)
		writer->into->meta = *meta;
	register_batch_abort(writer);
	return err;
}

void register_batch_abort(struct register_writer *writer)
{
	if (writer->in_batch)
		store_abort(&writer->txn);
	writer->in_batch = false;
	writer->err = 0;
}

/* --- rebuilding ------------------------------------------------------------------------------- */

int register_rebuild_begin(struct register_writer *writer, struct weir_why *why)
{
	if (writer->in_batch || writer->next.store)
		return why_set(why, -EINVAL, "the register is being written or rebuilt already");
	return generation_make(writer->state_dir, &writer->next, why);
}

int register_rebuild_switch(struct register_writer *writer, struct weir_why *why)
{
	int err;

	if (writer->in_batch || !writer->next.store)
		return why_set(why, -EINVAL, "there is no rebuilt register to switch to");
	err = generation_link(writer->state_dir, writer->next.name, why);
	if (err)
		return err;
	retire(&writer->current);
	generation_close(&writer->current);
	writer->current = writer->next;
	writer->next = (struct generation){0};
	remove_others(writer);
	return 0;
}

void register_rebuild_abandon(struct register_writer *writer)
{
	if (writer->in_batch || !writer->next.store)
		return;
	generation_close(&writer->next);
	remove_others(writer);
}
