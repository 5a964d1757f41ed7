/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The one path from a core's question to its answer.
 *
 * Every interface decodes what one read brought into queries, calls check_answer once, and encodes the verdicts in
 * order.  Nothing in here waits, allocates, takes a clock or logs above debug.  Sightings are noted after the verdict
 * and leave the process later, in batches; a full buffer drops and counts.
 *
 * Counters always close: received = white + grey + black + unknown + malformed + shed + failed, per interface and in
 * all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/rate.h"
#include "core/verdict.h"

struct weir_register;
struct sightings;

/* What a verdict is on an interface's wire, in words: "2001, Equipment-Status 1 (black)".  For `explain`; each
 * interface has its own (gsup_words, s13_words, n5g_words), from the table that its encoder uses. */
#define CHECK_WORDS_TEXT 64

#define CHECK_BATCH 64 /* more are answered in several rounds by check_answer itself */

struct check_counters {
	uint64_t received;
	uint64_t tally[WEIR_N_TALLIES];
	uint64_t refused;    /* of those: answered with the protocol's own error */
	uint64_t batches;
};

/* Time from a read to its write, per loop turn and interface: bucket b counts what took longer than 2^(b-1) us and not
 * longer than 2^b us; what took longer than the last is in count and sum only. */
#define CHECK_HISTOGRAM 24
struct check_histogram {
	uint64_t bucket[CHECK_HISTOGRAM], count, sum_us;
};

struct check {
	struct weir_policy *policy;   /* never NULL once started */
	struct weir_register *reg;    /* NULL: no register yet, every check is "failed" */
	struct sightings *sightings;  /* NULL: nobody listens */
	struct check_counters counters[WEIR_N_INTERFACES];
	struct check_histogram histogram[WEIR_N_INTERFACES];
	unsigned answered[WEIR_N_INTERFACES]; /* in this turn: for the histogram, and 0 again after it */
	uint32_t capacity;            /* checks a second that the gate takes on; 0: no bound */
	struct rate_gate rate;        /* of all interfaces that can shed (core/rate.h) */
	unsigned per_second[WEIR_N_INTERFACES]; /* checks received in the last second */
	unsigned load;                /* share of the last second in which the loop worked, 0..100 */
	int store_error;              /* the last one, for the alarm; whoever follows the register makes it 0 again */
};

/* Who asks: the same for a whole read. */
struct check_peer {
	const char *name;
	uint16_t terms;               /* policy_terms() under the current policy */
	uint16_t id;                  /* small number of the peer for the sightings table; 0: cannot be found again */
};

/* Decide n queries of one interface and peer. now_s: the turn's clock, for suppression of sightings.  Interface and
 * terms are those of the arguments, whatever the queries say. */
void check_answer(struct check *check, enum weir_interface interface, const struct check_peer *peer,
		  const struct weir_query *queries, struct weir_verdict *verdicts, unsigned n, uint32_t now_s);

/* Decide the same way what nobody asked for (a look again at who is attached, "explain"): not counted, not noted.  The
 * queries carry their interfaces and terms.  Returns what register_lookup did. */
int check_decide(struct check *check, const struct weir_query *queries, struct weir_verdict *verdicts, unsigned n);

/* A query that never reached a decision because the peer may not ask or asks too much: counted as shed; refused only
 * where check_answer refused it. */
void check_shed(struct check *check, enum weir_interface interface, unsigned n);

void check_histogram_add(struct check_histogram *histogram, uint64_t us, unsigned n);

/* received equals the sum of its parts? */
bool check_counters_close(const struct check_counters *counters);
