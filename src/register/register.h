/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The register: what weir-gate asks.  One merged verdict per device, ready to be read.
 *
 * Model.  The register is a projection of the keeper's ledger: it can be thrown away and rebuilt.  The keeper is its
 * only writer; any number of gates map it read-only and take no lock.  It lives in STATE/register, a symbolic link to
 * the directory of the current generation (register.1, register.2 ...); a rebuild makes a new generation beside the
 * old, switches the link atomically, and marks the old one retired, so that readers move over (register_follow).
 *
 * Tables (layout.h has the bytes): meta; device (14-digit key -> lists, reason, paired flag, rows per SVN); range
 * (disjoint, keyed by their last key); pair (imei, imsi -> rule); sim (imsi, imei: fixed SIMs).
 *
 * Promises.
 * - Every record names its predecessor and carries a CRC-32C over that, its own key and its value.  A hit is checked
 * before it is believed; a miss is believed only where the next record proves that nothing lies between it and its
 * predecessor. Old copies of pages are overwritten after each commit (store.h, scrub).  So a flipped bit or a wrong
 * page yields "failed" (struct weir_facts), never another verdict.
 * - register_lookup never blocks, never allocates and never fails otherwise than by facts.failed.
 * - All facts of one call come from one snapshot.
 *
 * Caveats.  One handle per process and directory.  Not to be called from two threads. */
#pragma once

#include "core/verdict.h"
#include "core/why.h"

struct weir_register;

/* --- reading (read.c, lookup.c, walk.c: all that weir-gate links) ----------------------------- */

/* Open STATE/register for reading.  -ENOENT: not made yet; -EUCLEAN: damaged or of another schema.  A NULL register is
 * a valid argument of register_lookup: everything is failed then. */
int register_open(const char *state_dir, struct weir_register **reg, struct weir_why *why);
void register_close(struct weir_register *reg);

/* Facts for n queries in one snapshot.  Queries whose fault is set are left alone (facts zeroed).  Returns 0, or the
 * errno that made the failed ones fail (logged once by the caller).  -EUCLEAN is about those queries: others are still
 * answered, and the keeper's verify and rebuild are the cure.  -EIO and -ESTALE are about the store: register_follow
 * reopens it. */
#define REGISTER_BATCH 64 /* at most so many in one call; more: all fail, -EINVAL */
int register_lookup(struct weir_register *reg, const struct weir_query *queries, struct weir_facts *facts, unsigned n);

/* Call between batches, about once a second: moves to a newer generation, reopens after a failure.  *reg may be NULL
 * (not open yet) and may change.  Returns 1 where it changed, 0 where not, or the error that keeps it from opening. */
int register_follow(const char *state_dir, struct weir_register **reg, struct weir_why *why);

struct register_meta {
	uint32_t schema;
	uint64_t generation;
	uint64_t serial;                       /* of the last ledger event that is in */
	uint32_t epoch;                        /* of the ledger */
	int64_t changed_ms;                    /* time of that event */
	uint64_t devices, ranges, pairs, sims; /* records, sentinels not counted */
	uint64_t digest;                       /* order-independent sum over all records of all tables */
	bool retired;                          /* a newer generation took over */
};
int register_meta(struct weir_register *reg, struct register_meta *meta);

/* Walk every record in order, in slices.  begin once, then next until 0. */
enum register_table {
	REGISTER_DEVICE,
	REGISTER_RANGE,
	REGISTER_PAIR,
	REGISTER_SIM,
	REGISTER_N_TABLES
};

struct register_row {
	enum register_table table;
	uint64_t from, to;     /* device and pair: both the imei; range: both ends */
	struct weir_imsi imsi; /* pair, sim */
	int8_t svn;            /* device: WEIR_NO_SVN or the version of this row */
	struct weir_listing listing;
	bool paired;              /* device: look at the pairs too */
	enum weir_pair_rule rule; /* pair, sim */
};

/* Calls back for each row of a table from a place on, at most max records; a record that cannot be believed, or before
 * which something is missing, is passed as err (-EUCLEAN) with its key.  A callback's error ends the walk and is
 * returned.  A device gives a row for itself and one for each version.  *place is moved past the last one.  Returns
 * records seen, 0 at the end, or a negative errno.  The callback may look up, not write. */
typedef int register_row_fn(const struct register_row *row, int err, void *data);
struct register_place {
	uint64_t hi, lo; /* the first key not yet seen; start with zeros */
};
int register_walk(struct weir_register *reg, enum register_table table, struct register_place *place, unsigned max,
		  register_row_fn *fn, void *data);

/* --- writing (write.c, chain.c, ranges.c; keeper only) ---------------------------------------- */

struct register_writer;

/* Open for writing; makes an empty one (serial 0) where there is none.  Removes what no link names any more
 * (a link in its place is removed, never followed).
 * -EUCLEAN: damaged.  One writer at a time: the caller holds the ledger. */
int register_writer_open(const char *state_dir, struct register_writer **writer, struct weir_why *why);
/* The same for a register that is damaged, or missing while the ledger is not empty: nothing is opened and nothing is
 * made current, gates keep what they have.  Only rebuild_begin and what follows it is allowed until rebuild_switch. */
int register_writer_open_to_rebuild(const char *state_dir, struct register_writer **writer, struct weir_why *why);
void register_writer_close(struct register_writer *writer);
/* The reading side of the current generation, for the keeper's own questions and for verify.  Owned by the writer, NULL
 * before the first switch of open_to_rebuild; another one after a switch. */
struct weir_register *register_writer_reader(struct register_writer *writer);
/* Every few seconds: sweeps slots of dead readers and overwrites what they or slow ones held on to. */
void register_writer_tend(struct register_writer *writer);

/* What the register shall say of one device: replaces all it said. n_rows 0 and not paired: forget it.
 * rows: at most one per svn (WEIR_NO_SVN is the device itself). */
struct register_device {
	uint64_t key;
	bool paired;
	uint8_t n_rows;
	struct register_svn_row {
		int8_t svn;
		struct weir_listing listing;
	} row[16];
};

/* One batch is one transaction. begin, any number of set_*, commit (durable, with the new serial in the meta).  The
 * error is sticky: test commit's result only.  For bulk, set devices in ascending order: appends are recognised.
 * -EUCLEAN: the register is damaged, rebuild it; -EIO, -ESTALE: close the writer and open it again; -ENOSPC: try later.
 */
int register_batch_begin(struct register_writer *writer);
int register_set_device(struct register_writer *writer, const struct register_device *device);
int register_set_pair(struct register_writer *writer, uint64_t imei, struct weir_imsi imsi, enum weir_pair_rule rule,
		      uint16_t reason); /* NONE removes */
int register_set_sim(struct register_writer *writer, struct weir_imsi imsi, uint64_t imei, bool fixed, uint16_t reason);
/* All ranges at once: any overlaps; they are flattened into disjoint ones, the narrowest winning, equals merged. */
struct register_range {
	uint64_t from, to; /* both inclusive */
	struct weir_listing listing;
};
int register_set_ranges(struct register_writer *writer, const struct register_range *ranges, unsigned n);
/* The flattening by itself.  flat has room for 2n; ascending, disjoint.  Returns how many, -EINVAL for a range that is
 * empty, ends above the greatest IMEI or is on no list, -ENOMEM.  Where several of the same width overlap without being
 * equal, they are merged too. */
int register_flatten(const struct register_range *ranges, unsigned n, struct register_range *flat);
int register_batch_commit(struct register_writer *writer, uint32_t epoch, uint64_t serial, int64_t changed_ms);
void register_batch_abort(struct register_writer *writer);

/* Start a new, empty generation beside the current one; batches then go into it. switch makes it current and retires
 * the old one; abandon throws it away. */
int register_rebuild_begin(struct register_writer *writer, struct weir_why *why);
int register_rebuild_switch(struct register_writer *writer, struct weir_why *why);
void register_rebuild_abandon(struct register_writer *writer);

/* --- verify.c --------------------------------------------------------------------------------- */

/* Check every invariant that the register can check by itself: CRC chain, order, counts, digest, ranges disjoint and
 * non-empty, colours and reasons known, a paired device for every pair and a pair for every paired device.  In slices:
 * call until it returns 0.  Findings are sentences with masked identities.  All slices see one snapshot, which costs
 * space while others write: go on briskly, and free it before the register is closed. */
struct register_check;
typedef void register_finding_fn(const char *sentence, void *data);
struct register_check *register_check_alloc(struct weir_register *reg, register_finding_fn *fn, void *data);
int register_check_step(struct register_check *check, unsigned records); /* 1 go on, 0 done, <0 cannot go on */
void register_check_free(struct register_check *check);
