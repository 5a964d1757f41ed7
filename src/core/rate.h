/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* How many checks may be answered: a bucket of tokens for each peer and one for the whole gate.
 *
 * A bucket fills at its rate and holds RATE_BURST_MS worth of it, at least one.  Three questions decide a check, in
 * this order:
 *
 *  limit     the peer has a limit and its bucket is empty: shed, whatever else is free
 *  reserve   the peer has a reservation and its bucket is not empty: admitted, also when the gate is at its capacity
 *  capacity  the gate has a capacity and its bucket is too low for this priority: shed
 *
 * Priority is 0 (first) to 31 (last), as 3gpp-Sbi-Message-Priority (TS 29.500 6.8.4) has it; a DRMP AVP (RFC 7944)
 * of p is 2p; without one it is 10 (RFC 7944 8).  The lower the gate's bucket, the fewer priorities are admitted: in
 * steps of four, p needs p/64 of a full bucket, so that 0 to 3 are answered to the last token and 28 to 31 are shed
 * when it is nearly half empty.
 *
 * What a reservation admits is taken from the gate's bucket too, which may go into debt by one burst: then everybody
 * else is shed until it has recovered.
 *
 * Pure arithmetic: time comes in, nobody is asked.  All zero is a valid start: a bucket that was never used is full. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_MS         100
#define RATE_PRIORITIES       32
#define RATE_DEFAULT_PRIORITY 24 /* TS 29.500 6.8.4.2: what a request over HTTP/2 without one has */
#define RATE_DEFAULT_DRMP     10 /* RFC 7944 8: and one over Diameter; twice that is its priority */

struct rate {
	int64_t at_us;  /* 0: never used */
	int64_t tokens; /* in millionths; negative: debt */
};

/* Of the whole gate, and what became of the checks that wanted a part of its capacity. */
struct rate_gate {
	struct rate bucket;
	uint64_t taken, shed;
};

/* What is configured for a peer, checks a second; 0: none. */
struct rate_terms {
	uint32_t limit, reserve;
};

struct rate_peer {
	struct rate limit, reserve;
	uint64_t shed;
};

enum rate_answer {
	RATE_ADMIT = 0,
	RATE_SHED_PEER, /* more than this peer may ask */
	RATE_SHED_GATE, /* more than the gate takes on */
};

/* May one check be answered now?  gate may be NULL where capacity is 0. */
enum rate_answer rate_admit(struct rate_peer *peer, const struct rate_terms *terms, struct rate_gate *gate,
			    uint32_t capacity, unsigned priority, int64_t now_us);

/* A bucket alone: take cost tokens of one that fills at per_s and holds burst.  False where there are fewer. */
bool rate_take(struct rate *rate, uint32_t per_s, uint32_t burst, uint32_t cost, int64_t now_us);

/* Seconds until a bucket of this rate has a token again, at least 1: for Retry-After. */
unsigned rate_wait_s(const struct rate *rate, uint32_t per_s, int64_t now_us);
