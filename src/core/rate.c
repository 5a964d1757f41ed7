/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Buckets of tokens.  Arithmetic only; tokens are counted in millionths so that a rate of one a second fills evenly
 * with turns of a few microseconds. */
#include "core/rate.h"

#include <stddef.h>

#define WHOLE INT64_C(1000000)

static int64_t full(uint32_t per_s)
{
	int64_t tokens = WHOLE * per_s / 1000 * RATE_BURST_MS;

	return tokens > WHOLE ? tokens : WHOLE;
}

/* A clock that went back fills nothing. */
static void fill(struct rate *rate, uint32_t per_s, int64_t burst, int64_t now_us)
{
	int64_t us = now_us - rate->at_us;

	if (!rate->at_us) {
		rate->tokens = burst;
	} else if (us > 0) {
		/* more than a full bucket's worth of time is not multiplied: it could overflow */
		int64_t enough = (burst - rate->tokens) / per_s + 1;
		rate->tokens = us >= enough ? burst : rate->tokens + us * per_s;
		if (rate->tokens > burst)
			rate->tokens = burst;
	}
	rate->at_us = now_us ? now_us : 1;
}

bool rate_take(struct rate *rate, uint32_t per_s, uint32_t burst, uint32_t cost, int64_t now_us)
{
	if (!per_s)
		return false;
	fill(rate, per_s, WHOLE * burst, now_us);
	if (rate->tokens < WHOLE * cost)
		return false;
	rate->tokens -= WHOLE * cost;
	return true;
}

static bool has_token(struct rate *rate, uint32_t per_s, int64_t now_us)
{
	fill(rate, per_s, full(per_s), now_us);
	return rate->tokens >= WHOLE;
}

/* The gate's bucket: enough in it for this priority? */
static bool gate_has(const struct rate *gate, int64_t burst, unsigned priority)
{
	unsigned p = priority < RATE_PRIORITIES ? priority : RATE_PRIORITIES - 1;

	return gate->tokens >= WHOLE && gate->tokens >= burst / 64 * (p & ~3u);
}

/* A reservation may lead into debt, by one burst at most: what it has taken must be worked off, but not for ever. */
static void gate_take(struct rate *gate, int64_t burst)
{
	gate->tokens -= WHOLE;
	if (gate->tokens < -burst)
		gate->tokens = -burst;
}

enum rate_answer rate_admit(struct rate_peer *peer, const struct rate_terms *terms, struct rate_gate *gate,
			    uint32_t capacity, unsigned priority, int64_t now_us)
{
	bool reserved;

	if (terms->limit && !has_token(&peer->limit, terms->limit, now_us)) {
		peer->shed++;
		return RATE_SHED_PEER;
	}
	if (capacity) {
		const int64_t burst = full(capacity);
		fill(&gate->bucket, capacity, burst, now_us);
		reserved = terms->reserve && has_token(&peer->reserve, terms->reserve, now_us);
		if (!reserved && !gate_has(&gate->bucket, burst, priority)) {
			peer->shed++;
			gate->shed++;
			return RATE_SHED_GATE;
		}
		if (reserved)
			peer->reserve.tokens -= WHOLE;
		gate_take(&gate->bucket, burst);
		gate->taken++;
	}
	if (terms->limit)
		peer->limit.tokens -= WHOLE;
	return RATE_ADMIT;
}

unsigned rate_wait_s(const struct rate *rate, uint32_t per_s, int64_t now_us)
{
	int64_t missing = WHOLE - rate->tokens, us;

	if (!per_s || missing <= 0)
		return 1;
	us = missing / per_s - (now_us - rate->at_us);
	return us <= 1000000 ? 1 : (unsigned)((us + 999999) / 1000000);
}
