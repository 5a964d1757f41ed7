/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Lists: the one path by which a device comes onto a list or off it.
 *
 * change  ->  ledger (event + entry, one synced commit for all changes of a loop turn)
 *         ->  register (the merged verdict of every device touched, with the serial)
 *         ->  told (the caller's reply; the gate's hint for what turned black)
 *
 * The merged verdict of a device is the union of the lists that its sources put it on, computed here and never when a
 * core asks.  The register has room for a device's own row and 15 of its versions (16 where it has no own row).  Where
 * more are listed, the least grave find no room, and the gravest colour among those widens to the device's own row, as
 * if the device were listed so: nothing that is listed is in force more mildly than it was meant.
 *
 * The register's serial trails the ledger's only between the two commits; lists_open heals what a crash left between
 * them, and rebuilds a register that is missing, damaged or of another epoch.
 *
 * An import is a stream: feed, finish (checked, nothing changed yet), then commit and step until done. */
#pragma once

#include "keeper/ledger.h"

struct lists;

/* What turned black or may have, after it is in force; whoever is told asks the register again.  A device is named too
 * where nothing lists it any more, or one of its versions, since a range or the policy speaks then.  By the events in
 * (after_serial, serial], as in wire/sighting.h.  Where more turned black than can be named (a large import, a healed
 * or rebuilt register, a range, a fixed SIM), n is 0 and after_serial is LISTS_SWEEP: no gate has seen that serial, so
 * each notices the gap and looks at everybody. */
#define LISTS_SWEEP     UINT64_MAX
#define LISTS_FLIPS_MAX 4096 /* named in one turn or slice */
typedef void lists_flips_fn(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data);

/* Opens ledger and register of the state directory; resumes and heals.  Long only after a crash or a lost register.
 * -ESTALE where the register knows later changes than the ledger: it was made of another one. */
int lists_open(const char *state_dir, lists_flips_fn *flips, void *data, struct lists **lists,
	       struct weir_why *why);
void lists_close(struct lists *lists);
struct ledger *lists_ledger(struct lists *lists);
struct weir_register *lists_register(struct lists *lists); /* NULL while it could not be opened */

/* How much is done in one call, and how much memory an import takes; zeros leave what is set. */
struct lists_tuning {
	unsigned slice_rows;     /* of an import, a rebuild, a verify: 200000 */
	unsigned run_rows;       /* of an import, sorted at once: 1 Mi, 16 octets each, twice */
	unsigned store_bytes;    /* of packed rows, stored in one commit: 24 MiB */
	unsigned runs_in_memory; /* so many sorted runs stay in memory, others go to an unlinked file: 12 */
};
void lists_tune(struct lists *lists, const struct lists_tuning *tuning);
/* Every few seconds: sweeps slots of dead readers, overwrites what was freed. */
void lists_tend(struct lists *lists);

/* --- single changes: begin, any number of change, commit; then everybody is told -------------- */

enum lists_op {
	LISTS_PUT,
	LISTS_REMOVE
};

struct lists_change {
	enum lists_op op;
	char source[LEDGER_NAME_MAX + 1];
	char actor[LEDGER_ACTOR_MAX];
	struct list_row row;
};

struct lists_result {
	uint64_t serial;                /* of the event; the unchanged head where nothing changed */
	bool changed;                   /* false: it was so already (put), or was not there (remove) */
	/* The gravest that the sources list the device with, or one of its versions: UNKNOWN where none does (even in a
	 * listed range), and for changes of ranges and pairs. */
	enum weir_colour before, after;
	unsigned others;                /* sources that still list the device */
};

int lists_begin(struct lists *lists, int64_t now_ms);
/* 0; -EBUSY while an import of that source is being applied; -EINVAL with why (bad source name, empty row). A failed
 * change leaves the others of the turn alone.  -ENOSPC, -EIO: the whole turn failed, commit will say so too. */
int lists_change(struct lists *lists, const struct lists_change *change, struct lists_result *result,
		 struct weir_why *why);
/* 0: durable in the ledger and in force in the register.  Otherwise nothing of this turn happened: -ENOSPC or -EIO.
 * Where the ledger committed and the register could not follow, returns 0 and lists_lag() is above zero until healed.
 */
int lists_commit(struct lists *lists);
/* How many events the register lacks, 1 at least where it cannot be written: the alarm's level. */
uint64_t lists_lag(struct lists *lists);
/* Try again, a slice a call: 1 call again soon, 0 done, <0 not now.  Call each second while there is lag. */
int lists_heal(struct lists *lists);

/* --- imports ---------------------------------------------------------------------------------- */

enum lists_mode {
	LISTS_MERGE,
	LISTS_REPLACE,
	LISTS_TAKE_OFF
};

struct lists_import;

struct lists_import_spec {
	char source[LEDGER_NAME_MAX + 1];
	char actor[LEDGER_ACTOR_MAX];
	enum lists_mode mode;
	struct list_defaults defaults;
	uint64_t max_rejects; /* more than this refuses the import; 0: the greater of 1000 and 0.1 % of the rows */
};

struct lists_receipt {
	uint64_t lines, rows; /* of the file, its header too; rows taken */
	uint64_t rejected, remarks, duplicates;
	uint64_t added, changed, removed, unchanged; /* entries: what it would do; when done, what it did */
	uint64_t turned_black, turned_from_black;    /* merged verdicts of devices */
	uint64_t batch, serial;                      /* 0 before commit */
};

/* One import at a time (-EBUSY with why).  Rows are held sorted in memory by runs and in an unlinked file beyond them.
 */
int lists_import_begin(struct lists *lists, const struct lists_import_spec *spec, struct lists_import **import,
		       struct weir_why *why);
int lists_import_feed(struct lists_import *import, const void *bytes, size_t len, struct weir_why *why);
/* The end of the file: fold duplicates, count effects.  Changes nothing.  -EINVAL with why where it cannot be read,
 * -E2BIG too many rejects.  In slices: 1 call again, 0 done. */
int lists_import_finish(struct lists_import *import, struct weir_why *why);
/* Accept: rows and event into the ledger, durable.  1 call again, 0 accepted. From here on it will be applied, even
 * after a crash. */
int lists_import_commit(struct lists_import *import, int64_t now_ms, struct weir_why *why);
/* Apply: entries and register, a slice a call.  1 call again, 0 done (in force), <0 could not go on now (try again). */
int lists_import_step(struct lists_import *import);
void lists_import_receipt(const struct lists_import *import, struct lists_receipt *receipt);
/* done/total of the phase, for progress bars: "reading", "checking", "storing", "applying". */
const char *lists_import_phase(const struct lists_import *import, uint64_t *done, uint64_t *total);
/* Rejected rows kept for the receipt (the first LISTS_REJECTS_KEPT), in order. */
#define LISTS_REJECTS_KEPT 10000
unsigned lists_import_rejects(const struct lists_import *import, const struct list_reject **rejects);
/* Before it is accepted: forgets it all.  While it is applied: nothing; it goes on by lists_import_current.  When done:
 * ends its life. */
void lists_import_free(struct lists_import *import);
/* The one under way, or taken up after a crash (step it to its end, then free it); or NULL. */
struct lists_import *lists_import_current(struct lists *lists);

/* --- questions -------------------------------------------------------------------------------- */

/* Sources, in order of id. */
int lists_sources(struct lists *lists, struct weir_source *out, unsigned max);
int lists_source_make(struct lists *lists, const char *name, const char *actor, int64_t now_ms, struct weir_why *why);

/* Every source's entries for one device, its pairs, and the ranges that hold it. */
typedef int lists_entry_fn(const struct weir_entry *entry, const char *source, void *data);
int lists_entries(struct lists *lists, uint64_t imei, lists_entry_fn *fn, void *data);

/* What happened to one device: every event that named it, and every batch that held it, oldest first.  A batch's event
 * is told once for each row on the device, with that row; batch.remove then says that the row was taken off: by a batch
 * that takes off, or by a replacing one that does not hold it (of pairs, what a replacing batch dropped is not told).
 */
typedef int lists_event_fn(const struct weir_event *event, void *data);
int lists_history(struct lists *lists, uint64_t imei, lists_event_fn *fn, void *data);

/* Entries of one source (or NULL: of all) in key order, from a place on (zeros: the start), at most max; for export. 1:
 * call again (it may have told none this time), 0: the end; -ENOENT: no such source; -EUCLEAN: an entry is damaged, run
 * verify. */
struct lists_place {
	uint8_t key[24];
	uint8_t len, table;
};
int lists_export(struct lists *lists, const char *source, struct lists_place *place, unsigned max, lists_entry_fn *fn,
		 void *data);

/* Check the ledger's chain and entries, the register's invariants, and that the register says what the entries add up
 * to. In slices; findings are sentences with masked identities. */
struct lists_verify;
typedef void lists_finding_fn(const char *sentence, void *data);
struct lists_verify *lists_verify_alloc(struct lists *lists, lists_finding_fn *fn, void *data);
int lists_verify_step(struct lists_verify *verify); /* 1 call again, 0 done, <0 */
void lists_verify_progress(const struct lists_verify *verify, uint64_t *done, uint64_t *total);
void lists_verify_free(struct lists_verify *verify);

/* Throw the register away and make it anew from the entries.  In slices: begin once, then step.  -EBUSY while an import
 * is stored or applied.  Single changes made meanwhile are accepted and durable, and come in force when the rebuild is
 * done: until then lists_lag counts them and gates answer from the old register. */
int lists_rebuild_begin(struct lists *lists, struct weir_why *why);
int lists_rebuild_step(struct lists *lists); /* 1, 0 done, <0 */
