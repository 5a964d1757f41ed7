/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who was seen in which device: told to the keeper once an hour, and remembered for "block now".
 *
 * A table of fixed size, allocated once.  An entry is a pair at a peer: (device, subscriber, peer).  Four entries of a
 * device stand side by side (two cache lines); where a fifth comes, the one that was seen longest ago makes room and
 * is counted as evicted.  So the table should have four times as many entries as subscribers are expected, and a device
 * that more than four subscribers show (a cloned one) is known in part; the keeper knows the rest.  A second, smaller
 * table remembers the last device of a subscriber at a peer, so that one who changed his phone is not attached with the
 * old one.  Two that share a place in it forget each other: then both phones count as attached.
 *
 * Reports.  New pairs, pairs whose tally or software version changed, and pairs last reported an hour ago go into a
 * buffer; sightings_flush sends it as datagrams (wire/sighting.h) to STATE/keeper.sightings.  Nothing waits for the
 * keeper: while it is away or slow the buffer keeps what it has, what does not fit any more is counted as dropped and
 * stays unreported, so that the next check of the pair tries again.  What the keeper had in its socket when it was
 * killed is lost until the pair's next hour.
 *
 * sightings_note costs two or three cache misses (sightings_prefetch hides them) and no system call.  Time is an
 * argument. No locks: one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "core/why.h"
#include "gate/check.h"

#define SIGHTINGS_ENTRIES     (1u << 20) /* the default: 48 MiB */
#define SIGHTINGS_MAX_ENTRIES (1u << 28)
#define SIGHTINGS_AGAIN_S     3600 /* a pair is reported again after */
#define SIGHTINGS_BUFFER      4096 /* reports that wait for the keeper */

struct sightings;

/* entries: a power of two from 4 to SIGHTINGS_MAX_ENTRIES.  seed: any random number, so that nobody can choose IMEIs
 * which evict others.  NULL and why on failure.  The keeper need not be there. */
struct sightings *sightings_alloc(const char *state_dir, unsigned entries, uint64_t seed, struct weir_why *why);
void sightings_free(struct sightings *sightings);

/* Bring the pair's lines near; a while later comes sightings_note. */
void sightings_prefetch(const struct sightings *sightings, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id);

/* This was answered just now.  Attached is who was told a colour other than black. */
void sightings_note(struct sightings *sightings, enum weir_interface interface, const struct check_peer *peer,
		    const struct weir_query *query, const struct weir_verdict *verdict, uint32_t now_s);

/* Send what is due: whole datagrams at once, a part of one when its first report is a second old.  Call it every turn;
 * a keeper that is away is tried once a second.  Returns how many reports left. */
unsigned sightings_flush(struct sightings *sightings, uint32_t now_s);

/* --- who is attached -------------------------------------------------------------------------- */

struct sightings_pair {
	uint64_t imei;
	struct weir_imsi imsi;
	uint16_t peer_id;
	int8_t svn; /* as last sent, or WEIR_NO_SVN */
	uint32_t seen_s;
};

typedef void sightings_pair_fn(const struct sightings_pair *pair, void *data);

/* Everybody who is attached with this device, as far as the table knows.  Returns how many.  fn may call
 * sightings_gone. */
unsigned sightings_attached(struct sightings *sightings, uint64_t imei, sightings_pair_fn *fn, void *data);

/* Everybody who is attached, in slices: from *place (start with 0) on, at most max pairs.  *place is moved behind the
 * last one looked at.  True while there is more. */
bool sightings_walk(struct sightings *sightings, size_t *place, unsigned max, sightings_pair_fn *fn, void *data);

enum sightings_state {
	SIGHTINGS_NEVER_SEEN, /* or evicted */
	SIGHTINGS_ATTACHED,
	SIGHTINGS_AWAY, /* refused, thrown off, or since seen in another device */
};
enum sightings_state sightings_state(const struct sightings *sightings, uint64_t imei, struct weir_imsi imsi,
				     uint16_t peer_id);

/* The keeper saw this pair before our time, and it may be attached still: attached until something better is known.  It
 * takes no place from one who is attached.  True where the table has it now as attached; false also for a pair that is
 * known to be away. */
bool sightings_remember(struct sightings *sightings, const struct sightings_pair *pair);

/* Was thrown off: attached again when seen again. */
void sightings_gone(struct sightings *sightings, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id);

/* --- numbers ---------------------------------------------------------------------------------- */

struct sightings_counters {
	uint64_t reported;   /* left for the keeper */
	uint64_t suppressed; /* told within the hour */
	uint64_t dropped;    /* did not fit into the buffer; tried again at the pair's next check */
	uint64_t evicted;    /* entries that made room while they were still in use */
	uint64_t datagrams;
	uint64_t keeper_full, keeper_away; /* sends that failed; nothing is lost by that alone */
};

const struct sightings_counters *sightings_counters(const struct sightings *sightings);
unsigned sightings_waiting(const struct sightings *sightings); /* reports in the buffer */
