/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who was seen in which device: what the gate reports, kept for a while.
 *
 * Model.  (device, subscriber) -> first and last time, by which peer, in a store of its own, STATE/seen.  It is a
 * convenience, never the truth: it can be deleted at any time, is made anew where it is damaged, and what does not fit
 * is dropped and counted.  Reports are buffered and committed about once a second; questions look at the buffer too.
 *
 * Of one device the SEEN_IN_MAX subscribers seen last are kept: a cloned number cannot make a question long.
 *
 * Personal data: it holds no more than max entries, and nothing older than days (swept a piece a second). */
#pragma once

#include <stdint.h>

#include "core/digits.h"
#include "core/why.h"
#include "wire/sighting.h"

struct seen;

struct seen_limits {
	uint64_t max;  /* entries */
	unsigned days; /* since last seen */
};

struct seen_by {
	struct weir_imsi imsi; /* none: the core did not say who */
	uint32_t first_s, last_s;
	int8_t svn;
	uint8_t interface;
	uint8_t tally; /* of the last answer */
	char peer[SIGHTING_PEER_MAX + 1];
};

int seen_open(const char *state_dir, const struct seen_limits *limits, struct seen **seen, struct weir_why *why);
void seen_close(struct seen *seen); /* flushes; NULL is fine */
void seen_set_limits(struct seen *seen, const struct seen_limits *limits);

/* Into the buffer; a full buffer is flushed. */
void seen_note(struct seen *seen, const struct weir_sighting *sightings, unsigned n, uint32_t now_s);
/* Buffer to store, one commit.  After a failure the buffer is dropped and counted. */
int seen_flush(struct seen *seen);
/* Forget what is too old, a piece at a time. */
void seen_sweep(struct seen *seen, uint32_t now_s);

#define SEEN_IN_MAX  64 /* subscribers kept of one device */
#define SEEN_ASK_MAX 100
/* In one device, the latest first; at most max (<= SEEN_ASK_MAX).  Returns how many; 0 also where the store failed. */
unsigned seen_in(struct seen *seen, uint64_t imei, struct seen_by *out, unsigned max);

/* Everybody, in order of device, a piece at a time: from *place (zeros: the start) on. */
struct seen_place {
	uint8_t key[16];
};
struct seen_pair {
	uint64_t imei;
	struct seen_by by;
};
#define SEEN_WALK_MAX 64
/* Who was seen since since_s and was not refused then; *n <= SEEN_WALK_MAX.  1: call again (there may have been none
 * this time); 0: the end; <0: the store failed. */
int seen_walk(struct seen *seen, struct seen_place *place, uint32_t since_s, struct seen_pair *out, unsigned *n);

struct seen_stats {
	uint64_t entries, noted, dropped, expired, failed; /* dropped: for want of room, of pairs in one device too */
	uint64_t used_bytes;
};
void seen_stats(const struct seen *seen, struct seen_stats *stats);

/* --- seen_socket.c: STATE/keeper.sightings ---------------------------------------------------------------------- */

struct seen_socket;
struct seen_socket_stats {
	uint64_t datagrams, malformed;
};
int seen_socket_open(const char *state_dir, struct seen *seen, struct seen_socket **socket, struct weir_why *why);
void seen_socket_close(struct seen_socket *socket); /* NULL is fine */
const struct seen_socket_stats *seen_socket_stats(const struct seen_socket *socket);
