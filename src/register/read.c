/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Opens the register for reading, takes snapshots, and follows it from generation to generation. */
#include "register/layout.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* How long mapping it may take: before the first answer; between answers, for a new generation (the keeper has just
 * written it, so it is in memory); each second for what is left and what was added. */
#define POPULATE_FIRST_MS 2000
#define POPULATE_NEXT_MS  100
#define POPULATE_MORE_MS  5

int register_read_meta(struct store_txn *txn, struct store_table table, struct register_meta *meta)
{
	struct store_val value;
	int err;

	err = store_get(txn, table, (struct store_val){REGISTER_META_KEY, strlen(REGISTER_META_KEY)}, &value);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	return register_meta_decode(value, meta);
}

int register_find(enum register_table table, struct store_cursor *cursor, struct register_key key,
		  struct register_record *record)
{
	uint8_t buf[REGISTER_KEY_BYTES];
	struct store_val found = register_key_encode(table, key, buf), value;
	int err;

	err = store_cursor_move(cursor, STORE_AT_LEAST, &found, &value);
	if (err)
		return err == -ENOENT ? -EUCLEAN : err; /* there is always the sentinel */
	err = register_decode(table, found, value, record);
	if (err)
		return err;
	/* it proves what it was found for: at the key, or the key lies between its predecessor and it */
	if (register_key_compare(record->key, key) < 0 ||
	    (!register_key_is_none(record->before) && register_key_compare(record->before, key) >= 0))
		return -EUCLEAN;
	return 0;
}

/* --- snapshots -------------------------------------------------------------------------------- */

static uint64_t records_of(const struct register_meta *meta, enum register_table table)
{
	const uint64_t records[REGISTER_N_TABLES] = {meta->devices, meta->ranges, meta->pairs, meta->sims};

	return records[table];
}

int register_snapshot_begin(struct weir_register *reg)
{
	int err;

	err = store_read_renew(reg->store, &reg->txn);
	if (!err && reg->meta_of != store_txn_id(&reg->txn)) {
		reg->meta_of = 0;
		err = register_read_meta(&reg->txn, reg->meta_table, &reg->meta);
		if (!err)
			reg->meta_of = store_txn_id(&reg->txn);
	}
	for (unsigned i = 0; i < REGISTER_N_TABLES && !err; i++) {
		if (records_of(&reg->meta, i))
			err = store_cursor_renew(&reg->txn, &reg->cursor[i]);
	}
	if (err)
		register_snapshot_end(reg);
	return err;
}

void register_snapshot_end(struct weir_register *reg)
{
	store_read_reset(&reg->txn);
}

int register_meta(struct weir_register *reg, struct register_meta *meta)
{
	int err;

	memset(meta, 0, sizeof(*meta));
	if (store_guard(reg->store))
		return -EIO;
	err = register_snapshot_begin(reg);
	if (!err) {
		*meta = reg->meta;
		register_snapshot_end(reg);
	}
	store_unguard(reg->store);
	return err;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_tables(struct weir_register *reg)
{
	int err;

	err = store_table_open(&reg->txn, REGISTER_META_TABLE, STORE_KEYS_BYTES, &reg->meta_table);
	for (unsigned i = 0; i < REGISTER_N_TABLES && !err; i++)
		err = store_table_open(&reg->txn, register_tables[i].name, register_tables[i].keys, &reg->table[i]);
	if (!err)
		err = register_read_meta(&reg->txn, reg->meta_table, &reg->meta);
	return err == -ENOENT ? -EUCLEAN : err;
}

/* Twice, because handles of tables are good only after the transaction that opened them has ended.  Each table is asked
 * for its count before a cursor is opened on it: should reading its root fault, nothing is left behind. */
static int attach(struct weir_register *reg)
{
	uint64_t entries;
	int err;

	err = store_read_renew(reg->store, &reg->txn);
	if (!err)
		err = open_tables(reg);
	store_read_end(&reg->txn);
	if (!err && reg->meta.schema != REGISTER_SCHEMA)
		err = -EUCLEAN;
	if (!err)
		err = store_read_begin(reg->store, &reg->txn);
	for (unsigned i = 0; i < REGISTER_N_TABLES && !err; i++) {
		err = store_count(&reg->txn, reg->table[i], &entries);
		if (!err)
			err = store_cursor_open(&reg->txn, reg->table[i], &reg->cursor[i]);
	}
	store_read_reset(&reg->txn);
	return err;
}

static int attach_guarded(struct weir_register *reg)
{
	int err;

	if (store_guard(reg->store))
		return -EUCLEAN;
	err = attach(reg);
	store_unguard(reg->store);
	return err;
}

int register_attach(struct store *store, const char *name, struct weir_register **reg, struct weir_why *why)
{
	struct weir_register *opened = calloc(1, sizeof(*opened));
	int err;

	*reg = NULL;
	if (!opened)
		return why_set(why, -ENOMEM, "out of memory");
	opened->store = store;
	strncpy(opened->name, name, sizeof(opened->name) - 1);
	err = attach_guarded(opened);
	if (!err) {
		*reg = opened;
		return 0;
	}
	if (err == -EUCLEAN && opened->meta.schema && opened->meta.schema != REGISTER_SCHEMA)
		why_set(why, err, "%s is of schema %u, this program reads schema %u", name, opened->meta.schema,
			REGISTER_SCHEMA);
	else
		why_set(why, err, "%s cannot be read: %s", name, err == -EUCLEAN ? "it is damaged" : strerror(-err));
	register_close(opened);
	return err;
}

static int open_named(const char *state_dir, const char *name, unsigned populate_ms, struct weir_register **reg,
		      struct weir_why *why)
{
	char path[PATH_MAX];
	struct store_spec spec = {.dir = path};
	struct store *store;
	int err;

	if (generation_path(state_dir, name, path, sizeof(path)))
		return why_set(why, -ENAMETOOLONG, "the path of the state directory is too long");
	err = store_open(&spec, &store, why);
	if (err)
		return err;
	err = register_attach(store, name, reg, why);
	if (err) {
		store_close(store);
		return err;
	}
	(*reg)->owns_store = true;
	store_populate(store, populate_ms);
	return 0;
}

int register_open(const char *state_dir, struct weir_register **reg, struct weir_why *why)
{
	char name[REGISTER_NAME], again[REGISTER_NAME];
	int err;

	*reg = NULL;
	err = generation_current(state_dir, name, why);
	while (!err) {
		err = open_named(state_dir, name, POPULATE_FIRST_MS, reg, why);
		if (err != -ENOENT || generation_current(state_dir, again, NULL) || !strcmp(again, name))
			break;
		/* the keeper switched and removed it meanwhile */
		memcpy(name, again, sizeof(name));
		err = 0;
	}
	return err;
}

void register_close(struct weir_register *reg)
{
	if (!reg)
		return;
	for (unsigned i = 0; i < REGISTER_N_TABLES; i++)
		store_cursor_close(&reg->cursor[i]);
	store_read_end(&reg->txn);
	if (reg->owns_store)
		store_close(reg->store);
	free(reg);
}

/* --- following -------------------------------------------------------------------------------- */

static int reopen(const char *state_dir, struct weir_register **reg, struct weir_why *why)
{
	int err;

	register_close(*reg);
	*reg = NULL;
	err = register_open(state_dir, reg, why);
	return err ? err : 1;
}

int register_follow(const char *state_dir, struct weir_register **reg, struct weir_why *why)
{
	struct weir_register *next;
	char name[REGISTER_NAME];
	int err;

	if (!*reg || store_is_broken((*reg)->store))
		return reopen(state_dir, reg, why);
	err = generation_current(state_dir, name, why);
	if (err)
		return err;
	if (!strcmp(name, (*reg)->name)) {
		store_populate((*reg)->store, POPULATE_MORE_MS);
		return 0;
	}
	err = open_named(state_dir, name, POPULATE_NEXT_MS, &next, why);
	if (err)
		return err; /* the one we have goes on answering */
	register_close(*reg);
	*reg = next;
	return 1;
}
