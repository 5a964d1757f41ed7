/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Verify: the ledger by itself, the register by itself, and that the register says what the entries add up to: every
 * row of the one is looked for in the other, both ways.  It changes nothing, and what it cannot compare because things
 * moved on it does not claim to have compared. */

#include "keeper/lists_verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

#define FINDINGS_MAX 1000
#define CHECK_SLICE  50000

void verify_finding(struct lists_verify *verify, const char *format, ...)
{
	char sentence[300];
	va_list args;

	if (verify->findings++ == FINDINGS_MAX)
		verify->fn("there are more findings; the first thousand were told", verify->data);
	if (verify->findings > FINDINGS_MAX)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	verify->fn(sentence, verify->data);
}

/* --- devices ---------------------------------------------------------------------------------- */

static void tell_missing(struct lists_verify *verify, const struct verify_row *row)
{
	verify_finding(verify, "register: %s is %s in the ledger and not in the register",
		       mask_imei((char[WEIR_MASK_TEXT]){0}, row->imei), lists_print((char[24]){0}, row->listing.lists));
}

/* Both sequences are in order of (imei, version), none first. */
static bool row_is_before(const struct verify_row *x, uint64_t imei, int8_t svn)
{
	return x->imei != imei ? x->imei < imei : x->svn < svn;
}

static int device_seen(const struct register_row *row, int err, void *data)
{
	struct lists_verify *verify = data;
	const struct verify_row *wanted;
	char masked[WEIR_MASK_TEXT];

	if (row->from >= verify->next || (err == 0 && row->listing.lists == WEIR_ON_NONE))
		return 0;
	mask_imei(masked, row->from);
	if (err < 0)
		return 0; /* the register's own check names it */
	for (; verify->at < verify->n_rows && row_is_before(&verify->row[verify->at], row->from, row->svn);
	     verify->at++) {
		if (verify->row[verify->at].svn != -2)
			tell_missing(verify, &verify->row[verify->at]);
		else if (verify->row[verify->at].imei == row->from)
			return 0;
	}
	wanted = verify->at < verify->n_rows ? &verify->row[verify->at] : NULL;
	if (!wanted || wanted->imei != row->from || wanted->svn != row->svn) {
		verify_finding(verify, "register: %s is %s in the register and not in the ledger", masked,
			       lists_print((char[24]){0}, row->listing.lists));
		return 0;
	}
	if (wanted->listing.lists != row->listing.lists || wanted->listing.reason != row->listing.reason)
		verify_finding(verify, "register: %s is %s (%s) in the register, %s (%s) in the ledger", masked,
			       lists_print((char[24]){0}, row->listing.lists), reason_name(row->listing.reason),
			       lists_print((char[24]){0}, wanted->listing.lists), reason_name(wanted->listing.reason));
	verify->at++;
	return 0;
}

static int compare_devices(struct lists_verify *verify)
{
	struct register_place place = {.hi = verify->place};
	int rc = 1;

	verify->at = 0;
	while (rc > 0 && place.hi < verify->next)
		rc = register_walk(lists_register(verify->lists), REGISTER_DEVICE, &place, 4096, device_seen, verify);
	for (; verify->at < verify->n_rows; verify->at++) {
		if (verify->row[verify->at].svn != -2)
			tell_missing(verify, &verify->row[verify->at]);
	}
	return rc < 0 ? rc : 0;
}

/* --- pairs ------------------------------------------------------------------------------------ */

struct pair_found {
	uint64_t imei, imsi;
	enum weir_pair_rule rule;
	uint16_t reason;
	bool found, damaged;
};

static int pair_seen(const struct register_row *row, int err, void *data)
{
	struct pair_found *pair = data;

	if (row->from != pair->imei || row->imsi.packed != pair->imsi)
		return 0;
	pair->found = true;
	pair->damaged = err < 0;
	pair->rule = row->rule;
	pair->reason = row->listing.reason;
	return 0;
}

static int compare_pair(struct lists_verify *verify, const struct verify_pair *want)
{
	struct pair_found pair = {.imei = want->imei, .imsi = want->imsi}, sim = pair;
	struct register_place place = {.hi = want->imei, .lo = want->imsi};
	struct weir_register *reg = lists_register(verify->lists);
	bool listed = want->merged.rule != WEIR_PAIR_NONE;
	char masked[WEIR_MASK_TEXT];
	int rc = register_walk(reg, REGISTER_PAIR, &place, 1, pair_seen, &pair);

	place = (struct register_place){.hi = want->imsi, .lo = want->imei};
	if (rc >= 0)
		rc = register_walk(reg, REGISTER_SIM, &place, 1, pair_seen, &sim);
	if (rc < 0)
		return rc;
	verify->n_pairs += listed;
	verify->n_sims += want->merged.fixed;
	mask_imei(masked, want->imei);
	if (want->merged.damaged || pair.damaged || sim.damaged)
		return 0;
	if (pair.found != listed || (listed && (pair.rule != want->merged.rule || pair.reason != want->merged.reason)))
		verify_finding(verify, "register: a pair of %s is %s in the register, %s in the ledger", masked,
			       pair.found ? pair_rule_name(pair.rule) : "missing", pair_rule_name(want->merged.rule));
	if (sim.found != want->merged.fixed || (sim.found && sim.reason != want->merged.fixed_reason))
		verify_finding(verify, "register: a fixed SIM of %s is not in the register as it is in the ledger",
			       masked);
	return 0;
}

/* Everything the ledger has was found in the register; equal numbers then say that there is nothing else. */
static int compare_pairs(struct lists_verify *verify, bool last)
{
	struct register_meta meta;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < verify->n_expect; i++)
		rc = compare_pair(verify, &verify->expect[i]);
	if (rc < 0 || !last)
		return rc;
	rc = register_meta(lists_register(verify->lists), &meta);
	if (rc == 0 && (meta.pairs != verify->n_pairs || meta.sims != verify->n_sims))
		verify_finding(verify,
			       "register: %llu pairs and %llu fixed SIMs in the register, %llu and %llu in the ledger",
			       (unsigned long long)meta.pairs, (unsigned long long)meta.sims,
			       (unsigned long long)verify->n_pairs, (unsigned long long)verify->n_sims);
	return rc;
}

/* --- ranges ----------------------------------------------------------------------------------- */

struct ranges_found {
	struct lists_verify *verify;
	const struct register_range *flat;
	unsigned n, at;
	bool differs;
};

static int range_seen(const struct register_row *row, int err, void *data)
{
	struct ranges_found *found = data;
	const struct register_range *want = found->at < found->n ? &found->flat[found->at] : NULL;

	found->at++;
	if (err < 0 || found->differs)
		return 0;
	if (want && want->from == row->from && want->to == row->to && want->listing.lists == row->listing.lists &&
	    want->listing.reason == row->listing.reason)
		return 0;
	found->differs = true; /* what follows differs by this alone */
	verify_finding(found->verify, "register: the ranges from %s on are not those of the ledger",
		       mask_imei((char[WEIR_MASK_TEXT]){0}, row->from));
	return 0;
}

static int compare_ranges(struct lists_verify *verify)
{
	struct register_range *flat = calloc(2 * (size_t)verify->n_ranges + 1, sizeof(*flat));
	struct ranges_found found = {.verify = verify, .flat = flat};
	struct register_place place = {0};
	int rc = flat ? register_flatten(verify->range, verify->n_ranges, flat) : -ENOMEM;

	found.n = rc > 0 ? (unsigned)rc : 0;
	if (rc >= 0) {
		do
			rc = register_walk(lists_register(verify->lists), REGISTER_RANGE, &place, 4096, range_seen,
					   &found);
		while (rc > 0);
	}
	if (rc == 0 && !found.differs && found.at != found.n)
		verify_finding(verify, "register: it has %u ranges, the ledger makes %u", found.at, found.n);
	free(flat);
	return rc;
}

/* --- sums ------------------------------------------------------------------------------------- */

static void compare_sums(struct lists_verify *verify)
{
	struct ledger *ledger = verify->lists->ledger;
	struct ledger_head head;

	ledger_head(ledger, &head);
	if (head.serial != verify->head || ledger_batch_under_way(ledger))
		return; /* the sums are of several moments */
	for (unsigned id = 1; id <= ledger_source_count(ledger); id++) {
		const struct weir_source *source = ledger_source(ledger, id);
		const struct verify_sum *sum = &verify->sum[id];

		if (source->devices != sum->devices || source->ranges != sum->ranges || source->pairs != sum->pairs)
			verify_finding(verify,
				       "ledger: table source: %s should have %llu devices, %llu ranges, %llu pairs; it "
				       "has %llu, %llu, %llu",
				       source->name, (unsigned long long)source->devices,
				       (unsigned long long)source->ranges, (unsigned long long)source->pairs,
				       (unsigned long long)sum->devices, (unsigned long long)sum->ranges,
				       (unsigned long long)sum->pairs);
		else if (source->digest != sum->digest)
			verify_finding(verify,
				       "ledger: table source: the statements of %s are not those its digest sums up",
				       source->name);
	}
}

/* --- steps ------------------------------------------------------------------------------------ */

static int slice_read(struct lists_verify *verify)
{
	static int (*const read[VERIFY_N_PHASES])(struct lists_verify *) = {
		[VERIFY_EVENTS] = verify_events, [VERIFY_BATCHES] = verify_batches, [VERIFY_DEVICES] = verify_devices,
		[VERIFY_PAIRS] = verify_pairs,   [VERIFY_RANGES] = verify_ranges,
	};
	int rc;

	if (!read[verify->phase])
		return 0;
	rc = ledger_read_begin(verify->lists->ledger, &verify->txn);
	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(verify->lists->ledger, read[verify->phase](verify));
	store_read_end(&verify->txn);
	return rc;
}

static void lag_tell(struct lists_verify *verify)
{
	struct register_meta meta = {0};
	struct ledger_head head;

	ledger_head(verify->lists->ledger, &head);
	verify->compare = false;
	if (!lists_register(verify->lists))
		verify_finding(verify, "register: it cannot be read; rebuild it");
	else if (register_meta(lists_register(verify->lists), &meta) < 0)
		verify_finding(verify, "register: its meta record cannot be read; rebuild it");
	else if (meta.epoch != head.epoch && meta.serial)
		verify_finding(verify, "register: it is of epoch %u, the ledger of %u; rebuild it", meta.epoch,
			       head.epoch);
	else if (meta.serial != project_serial(verify->lists, head.serial))
		verify_finding(
			verify,
			"register: it is at serial %llu, the ledger at %llu: it lags by %llu and was not compared",
			(unsigned long long)meta.serial, (unsigned long long)head.serial,
			(unsigned long long)(head.serial - meta.serial));
	else if (import_register_is_behind(verify->lists))
		verify_finding(verify,
			       "register: it lacks a slice of the import that is being applied and was not compared");
	else
		verify->compare = true;
}

static int slice_compare(struct lists_verify *verify, bool last)
{
	if (verify->phase >= VERIFY_DEVICES && verify->phase <= VERIFY_RANGES && verify->compare &&
	    (lists_lag(verify->lists) || import_register_is_behind(verify->lists)))
		lag_tell(verify);
	if (!verify->compare && verify->phase != VERIFY_SOURCES)
		return 0;
	switch (verify->phase) {
	case VERIFY_DEVICES:
		return compare_devices(verify);
	case VERIFY_PAIRS:
		return compare_pairs(verify, last);
	case VERIFY_RANGES:
		return compare_ranges(verify);
	case VERIFY_SOURCES:
		compare_sums(verify);
		return 0;
	default:
		return 0;
	}
}

static int register_slice(struct lists_verify *verify)
{
	struct weir_register *reg = lists_register(verify->lists);
	int rc;

	if (!reg)
		return 0;
	if (!verify->check)
		verify->check = register_check_alloc(reg, verify->fn, verify->data);
	if (!verify->check)
		return -ENOMEM;
	rc = register_check_step(verify->check, CHECK_SLICE);
	verify->done += CHECK_SLICE;
	if (rc <= 0) {
		register_check_free(verify->check);
		verify->check = NULL;
	}
	return rc;
}

int lists_verify_step(struct lists_verify *verify)
{
	int rc, compared;

	if (verify->phase == VERIFY_DONE)
		return 0;
	if (verify->lists->turn || verify->lists->rebuild.on)
		return -EBUSY;
	if (verify->phase == VERIFY_REGISTER) {
		rc = register_slice(verify);
	} else {
		rc = slice_read(verify);
		if (rc >= 0) {
			compared = slice_compare(verify, rc == 0);
			rc = compared < 0 ? compared : rc;
		}
		verify->place = verify->next;
	}
	if (rc < 0) {
		verify_finding(verify, "verify cannot go on: %s",
			       rc == -EIO || rc == -ESTALE ? "a page of the store cannot be read; restore a backup, or "
							     "rebuild the register if it is that"
							   : strerror(-rc));
		verify->phase = VERIFY_DONE;
		return rc;
	}
	if (rc == 0)
		verify->phase++;
	if (verify->phase == VERIFY_DONE)
		verify->done = verify->total;
	return verify->phase != VERIFY_DONE;
}

struct lists_verify *lists_verify_alloc(struct lists *lists, lists_finding_fn *fn, void *data)
{
	struct lists_verify *verify = calloc(1, sizeof(*verify));
	struct ledger_head head;

	if (!verify)
		return NULL;
	verify->lists = lists;
	verify->fn = fn;
	verify->data = data;
	ledger_head(lists->ledger, &head);
	verify->total = head.serial;
	for (unsigned id = 1; id <= ledger_source_count(lists->ledger); id++)
		verify->total += 2 * ledger_source(lists->ledger, id)->devices;
	lag_tell(verify);
	return verify;
}

void lists_verify_progress(const struct lists_verify *verify, uint64_t *done, uint64_t *total)
{
	*done = verify->done;
	*total = verify->total > verify->done ? verify->total : verify->done;
}

void lists_verify_free(struct lists_verify *verify)
{
	if (!verify)
		return;
	register_check_free(verify->check);
	free(verify->row);
	free(verify->expect);
	free(verify->range);
	free(verify);
}
