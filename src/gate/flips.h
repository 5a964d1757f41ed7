/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* "Block now": when a device turns black, whoever is attached with it is thrown off at once.
 *
 * The keeper says which devices turned black (wire/sighting.h, struct weir_flips) after the register says so too.  That
 * is a hint to look again: each subscriber who is attached with such a device, by our own table or by what the keeper
 * saw, is decided anew, and who is black now is handed to cancel().  Nothing of this is counted as a check.  Whom the
 * keeper saw before our time goes into our own table as attached: where his peer is away, the sweep when it is back
 * finds him.
 *
 * A datagram that was missed shows as a gap: it does not begin where the last one ended.  Then, and after the first
 * datagram of our life, everybody attached is looked at again: a sweep, in slices, beside the checks.  The same where a
 * hint could not be acted on: the datagram cannot be read, the register that we have open is older than it, the store
 * fails, or the peer's side has no room for more cancels.  A keeper with more to name than fits into a datagram sends
 * several; from the second on their after_serial is the serial of the one before.
 *
 * Only what the register says throws off (steps 6 to 11 of the policy): a switch in the configuration decides the next
 * check, not those who are attached.  A store that fails throws nobody off.
 *
 * No clock, no loop, no log: the caller watches flips_fd, calls flips_read when it is readable, and flips_sweep_step
 * while that says so. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/verdict.h"
#include "core/why.h"
#include "wire/sighting.h"

struct check;
struct flips;

struct flips_peer {
	uint16_t id;
	enum weir_interface interface;
	uint16_t terms; /* under the current policy */
};

struct flips_calls {
	/* Fill *peer; false where there is no such peer now: ask for a sweep when it is back. */
	bool (*peer_by_id)(uint16_t id, struct flips_peer *peer, void *data);
	/* The id of the peer that the keeper calls so, made where it was not seen yet; 0 where it can have none.  A
	 * name has at most SIGHTING_PEER_MAX octets; a longer one is cut. */
	uint16_t (*peer_named)(const char *name, enum weir_interface interface, void *data);
	/* Throw off.  0; -ENOBUFS: no room now, ask again later; another error: the next sweep tries. */
	int (*cancel)(struct weir_imsi imsi, uint64_t imei, const struct flips_peer *peer, void *data);
	void *data;
};

/* check outlives it and has the sightings; without them only the keeper's own sightings are looked at.  NULL: no
 * memory. */
struct flips *flips_alloc(struct check *check, const struct flips_calls *calls);
void flips_free(struct flips *flips);

/* Bind STATE/gate.orders (mode 0660).  A socket that nobody listens to any more is replaced; -EADDRINUSE where another
 * gate works in this directory. */
int flips_open(struct flips *flips, const char *state_dir, struct weir_why *why);
int flips_fd(const struct flips *flips); /* -1 while not open */
/* Read and handle what has come, at most 64 datagrams.  Returns how many. */
unsigned flips_read(struct flips *flips);

void flips_handle(struct flips *flips, const struct weir_flips *message);

/* Look at everybody attached again, when there is time. */
void flips_want_sweep(struct flips *flips);
/* One slice of the sweep, at most 64 pairs.  1: go on soon; 0: nothing to do; -EAGAIN: try again in a second. */
int flips_sweep_step(struct flips *flips);

struct flips_counters {
	uint64_t datagrams, malformed;
	uint64_t hints;     /* devices that the keeper named */
	uint64_t gaps;      /* serials missed, the first datagram counted as one */
	uint64_t sweeps;    /* finished */
	uint64_t looked;    /* pairs decided again */
	uint64_t undecided; /* of those: the store could not say */
	uint64_t cancelled, cancel_full, cancel_failed;
};
const struct flips_counters *flips_counters(const struct flips *flips);
bool flips_sweeping(const struct flips *flips);
