/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The answer path: what the register knows of each query, in one snapshot.  Takes no lock, allocates nothing, believes
 * nothing that its record does not prove. */
#include "register/layout.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SNAPSHOTS 3 /* how often a batch is begun anew because the keeper committed in between */

struct batch {
	struct weir_register *reg;
	const struct weir_query *queries;
	struct weir_facts *facts;
	unsigned n;
	uint64_t damaged; /* bit i: query i met damage, do not try again */
	int err;
};

static int find(struct weir_register *reg, enum register_table table, uint64_t hi, uint64_t lo,
		struct register_record *record)
{
	return register_find(table, &reg->cursor[table], (struct register_key){hi, lo}, record);
}

static void take_svn(const struct register_record *record, int svn, struct weir_listing *listing)
{
	for (unsigned i = 0; i < record->n_rows; i++) {
		if (record->row[i].svn == svn)
			*listing = (struct weir_listing){record->row[i].lists, le16toh(record->row[i].reason)};
	}
}

static int look_up_device(struct weir_register *reg, const struct weir_query *query, struct weir_facts *facts,
			  bool *paired)
{
	struct register_record record;
	int err;

	err = find(reg, REGISTER_DEVICE, query->imei.key, 0, &record);
	if (err || record.key.hi != query->imei.key)
		return err;
	facts->device = record.listing;
	*paired = record.paired;
	if (query->imei.svn != WEIR_NO_SVN)
		take_svn(&record, query->imei.svn, &facts->svn);
	return 0;
}

static int look_up_range(struct weir_register *reg, const struct weir_query *query, struct weir_facts *facts)
{
	struct register_record record;
	int err;

	err = find(reg, REGISTER_RANGE, query->imei.key, 0, &record);
	if (!err && record.from <= query->imei.key && !register_is_sentinel(REGISTER_RANGE, &record))
		facts->range = record.listing;
	return err;
}

static int look_up_pair(struct weir_register *reg, const struct weir_query *query, struct weir_facts *facts)
{
	struct register_record record;
	int err;

	err = find(reg, REGISTER_PAIR, query->imei.key, query->imsi.packed, &record);
	if (err || record.key.hi != query->imei.key || record.key.lo != query->imsi.packed)
		return err;
	facts->pair = record.rule;
	facts->pair_reason = record.listing.reason;
	return 0;
}

/* A subscriber's devices stand together, so the record found or its predecessor is one of them if there is any. */
static int look_up_sim(struct weir_register *reg, const struct weir_query *query, struct weir_facts *facts)
{
	struct register_record record;
	int err;

	err = find(reg, REGISTER_SIM, query->imsi.packed, query->imei.key, &record);
	if (err)
		return err;
	if (record.key.hi == query->imsi.packed && record.key.lo == query->imei.key)
		facts->sim = WEIR_SIM_AT_HOME;
	else if (record.key.hi == query->imsi.packed || record.before.hi == query->imsi.packed)
		facts->sim = WEIR_SIM_ELSEWHERE;
	return 0;
}

static int look_up(struct weir_register *reg, const struct weir_query *query, struct weir_facts *facts)
{
	struct weir_facts found = {.serial = reg->meta.serial};
	bool paired = false;
	int err = 0;

	if (reg->meta.devices)
		err = look_up_device(reg, query, &found, &paired);
	if (!err && reg->meta.ranges)
		err = look_up_range(reg, query, &found);
	if (!err && paired && query->imsi.packed && reg->meta.pairs)
		err = look_up_pair(reg, query, &found);
	if (!err && query->imsi.packed && reg->meta.sims)
		err = look_up_sim(reg, query, &found);
	if (!err)
		*facts = found;
	return err;
}

/* Until something is known. */
static void fail_all(struct batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++)
		batch->facts[i] = (struct weir_facts){.failed = batch->queries[i].fault == WEIR_IMEI_OK};
}

/* After damage LMDB gives the transaction up.  Go on in a new one, if it is of the same snapshot: 0.  -EAGAIN: it is
 * not. */
static int go_on(struct batch *batch)
{
	uint64_t snapshot = batch->reg->meta_of;
	int err;

	register_snapshot_end(batch->reg);
	err = register_snapshot_begin(batch->reg);
	if (err)
		return err;
	return batch->reg->meta_of == snapshot ? 0 : -EAGAIN;
}

static int look_up_each(struct batch *batch)
{
	struct weir_register *reg = batch->reg;
	int err;

	for (unsigned i = 0; i < batch->n; i++) {
		if (batch->queries[i].fault != WEIR_IMEI_OK || batch->damaged >> i & 1)
			continue;
		err = look_up(reg, &batch->queries[i], &batch->facts[i]);
		if (!err)
			continue;
		batch->err = err;
		batch->damaged |= UINT64_C(1) << i;
		err = reg->txn.err ? go_on(batch) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* not inlined: sigsetjmp below must see no locals that it changes */
__attribute__((noinline)) static int look_up_all(struct batch *batch)
{
	int err = -EAGAIN;

	for (unsigned tries = 0; tries < SNAPSHOTS && err == -EAGAIN; tries++) {
		fail_all(batch);
		err = register_snapshot_begin(batch->reg);
		if (err)
			return err;
		err = look_up_each(batch);
		register_snapshot_end(batch->reg);
	}
	if (err)
		fail_all(batch);
	return err ? err : batch->err;
}

int register_lookup(struct weir_register *reg, const struct weir_query *queries, struct weir_facts *facts, unsigned n)
{
	struct batch batch = {.reg = reg, .queries = queries, .facts = facts, .n = n};
	int err;

	fail_all(&batch);
	if (!reg || n > REGISTER_BATCH)
		return reg ? -EINVAL : -ENOENT;
	if (store_guard(reg->store))
		return -EIO; /* what was found before the fault stands, the rest is failed */
	err = look_up_all(&batch);
	store_unguard(reg->store);
	return err;
}
