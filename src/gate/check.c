/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The one path from a core's question to its answer: one look-up for a round of queries, the policy for each, counters,
 * sightings.  Must never wait, allocate, take a clock or leave a check uncounted. */
#include "gate/check.h"

#include "gate/sightings.h"
#include "register/register.h"

/* Those of a round that need the register, side by side as the register wants them. */
struct round {
	struct weir_query query[CHECK_BATCH];
	struct weir_facts facts[CHECK_BATCH];
	uint8_t place[CHECK_BATCH]; /* in the caller's arrays */
	unsigned n;
};

/* Decide what needs no facts; the others wait in the round. */
static void round_take(struct round *round, const struct check *check, const struct weir_query *query, unsigned place,
		       struct weir_verdict *verdict)
{
	if (policy_needs_no_facts(check->policy, query)) {
		policy_decide(check->policy, query, NULL, verdict, NULL);
		return;
	}
	round->query[round->n] = *query;
	round->place[round->n++] = (uint8_t)place;
}

static int round_decide(struct round *round, struct check *check, struct weir_verdict *verdicts)
{
	int rc;

	if (!round->n)
		return 0;
	rc = register_lookup(check->reg, round->query, round->facts, round->n);
	if (rc)
		check->store_error = rc;
	for (unsigned i = 0; i < round->n; i++)
		policy_decide(check->policy, &round->query[i], &round->facts[i], &verdicts[round->place[i]], NULL);
	return rc;
}

static void count(struct check_counters *counters, const struct weir_verdict *verdict)
{
	counters->received++;
	counters->tally[verdict->tally]++;
	if (verdict->answer == WEIR_ANSWER_REFUSE)
		counters->refused++;
}

/* Who was seen in which device: not where there is no IMEI to tell. */
static bool is_sighting(const struct weir_query *query, const struct weir_verdict *verdict)
{
	return !query->fault && verdict->tally != WEIR_TALLY_MALFORMED && verdict->tally != WEIR_TALLY_SHED;
}

static void answer_round(struct check *check, enum weir_interface interface, const struct check_peer *peer,
			 const struct weir_query *queries, struct weir_verdict *verdicts, unsigned n, uint32_t now_s)
{
	struct round round;

	round.n = 0;
	for (unsigned i = 0; i < n; i++) {
		struct weir_query query = queries[i];
		query.interface = interface;
		query.terms = peer->terms;
		if (check->sightings)
			sightings_prefetch(check->sightings, query.imei.key, query.imsi, peer->id);
		round_take(&round, check, &query, i, &verdicts[i]);
	}
	round_decide(&round, check, verdicts);
	check->counters[interface].batches++;
	check->answered[interface] += n;
	for (unsigned i = 0; i < n; i++) {
		count(&check->counters[interface], &verdicts[i]);
		if (check->sightings && is_sighting(&queries[i], &verdicts[i]))
			sightings_note(check->sightings, interface, peer, &queries[i], &verdicts[i], now_s);
	}
}

void check_answer(struct check *check, enum weir_interface interface, const struct check_peer *peer,
		  const struct weir_query *queries, struct weir_verdict *verdicts, unsigned n, uint32_t now_s)
{
	for (unsigned done = 0; done < n; done += CHECK_BATCH)
		answer_round(check, interface, peer, queries + done, verdicts + done,
			     n - done < CHECK_BATCH ? n - done : CHECK_BATCH, now_s);
}

int check_decide(struct check *check, const struct weir_query *queries, struct weir_verdict *verdicts, unsigned n)
{
	struct round round;
	int rc = 0;

	for (unsigned done = 0; done < n; done += CHECK_BATCH) {
		int err;
		round.n = 0;
		for (unsigned i = 0; i < CHECK_BATCH && done + i < n; i++)
			round_take(&round, check, &queries[done + i], i, &verdicts[done + i]);
		err = round_decide(&round, check, verdicts + done);
		rc = rc ? rc : err;
	}
	return rc;
}

void check_shed(struct check *check, enum weir_interface interface, unsigned n)
{
	check->counters[interface].received += n;
	check->counters[interface].tally[WEIR_TALLY_SHED] += n;
}

void check_histogram_add(struct check_histogram *histogram, uint64_t us, unsigned n)
{
	unsigned bucket = us > 1 ? 64 - (unsigned)__builtin_clzll(us - 1) : 0;

	if (bucket < CHECK_HISTOGRAM)
		histogram->bucket[bucket] += n;
	histogram->count += n;
	histogram->sum_us += us * n;
}

bool check_counters_close(const struct check_counters *counters)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WEIR_N_TALLIES; i++)
		sum += counters->tally[i];
	return sum == counters->received;
}
