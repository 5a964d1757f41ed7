/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Sightings and flips in the loop.  It decides nothing: flips.c does, and who is thrown off was decided anew by the
 * policy. */
#include "gate/notify.h"

#include <errno.h>
#include <sys/random.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>

#include "daemon/daemon.h"
#include "gate/check.h"
#include "gate/flips.h"
#include "gate/gsup.h"
#include "gate/log.h"
#include "gate/peers.h"
#include "gate/sightings.h"

#define COUNT_SLICES   4 /* a second */
#define FLUSH_PAUSE_US 1000

struct notify {
	struct check *check;
	struct gsup *gsup;
	struct peers *peers;
	struct flips *flips;
	struct osmo_fd orders;
	struct osmo_timer_list sweep;
	notify_follow_fn *follow;
	void *follow_data;
	uint64_t
		missed[PEERS_MAX / 64 + 1]; /* by peer id: somebody there was to be looked at while the peer was away */
	unsigned n_missed;
	int64_t flush_after_us; /* the keeper's socket was full */
	size_t place;           /* of the count under way */
	int64_t counting, attached;
};

/* --- what flips asks */

/* Whoever turned black while his peer was away cannot be thrown off now: look again when it is back. */
static void miss(struct notify *n, uint16_t id)
{
	uint64_t bit = UINT64_C(1) << id % 64;

	n->n_missed += !(n->missed[id / 64] & bit);
	n->missed[id / 64] |= bit;
}

static bool peer_by_id(uint16_t id, struct flips_peer *peer, void *data)
{
	struct notify *n = data;

	/* The interfaces that can cancel: GSUP, as long as there is no other. */
	if (peers_interface(n->peers, id) != WEIR_IF_GSUP)
		return false;
	if (!gsup_peer_ready(n->gsup, id, &peer->terms)) {
		miss(n, id);
		return false;
	}
	peer->id = id;
	peer->interface = WEIR_IF_GSUP;
	return true;
}

static uint16_t peer_named(const char *name, enum weir_interface interface, void *data)
{
	struct notify *n = data;

	return peers_id_cut(n->peers, interface, name, SIGHTING_PEER_MAX);
}

static int cancel(struct weir_imsi imsi, uint64_t imei, const struct flips_peer *peer, void *data)
{
	struct notify *n = data;

	return gsup_cancel(n->gsup, peer->id, imsi, imei);
}

/* --- in the loop */

static void schedule_sweep(struct notify *n)
{
	if (flips_sweeping(n->flips) && !osmo_timer_pending(&n->sweep))
		osmo_timer_schedule(&n->sweep, 0, 1000);
}

/* A slice at a time with a turn of the loop between: checks go first. */
static void sweep_cb(void *data)
{
	struct notify *n = data;
	int rc = flips_sweep_step(n->flips);

	if (rc == -EAGAIN)
		osmo_timer_schedule(&n->sweep, 1, 0);
	else if (rc)
		osmo_timer_schedule(&n->sweep, 0, 1000);
}

static int orders_cb(struct osmo_fd *ofd, unsigned int what)
{
	struct notify *n = ofd->data;

	(void)what;
	if (n->follow)
		n->follow(n->follow_data);
	flips_read(n->flips);
	schedule_sweep(n);
	return 0;
}

static int open_orders(struct notify *n, struct weir_why *why)
{
	int rc = flips_open(n->flips, daemon_state_dir(), why);

	if (rc)
		return rc;
	osmo_fd_setup(&n->orders, flips_fd(n->flips), OSMO_FD_READ, orders_cb, n, 0);
	rc = osmo_fd_register(&n->orders);
	return rc < 0 ? why_set(why, rc, "the keeper's orders cannot be hung into the loop") : 0;
}

static struct sightings *make_sightings(struct weir_why *why)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		why_set(why, -EIO, "no random numbers for the table of sightings");
		return NULL;
	}
	return sightings_alloc(daemon_state_dir(), SIGHTINGS_ENTRIES, seed, why);
}

struct notify *notify_alloc(void *ctx, struct check *check, struct gsup *gsup, struct peers *peers,
			    struct weir_why *why)
{
	struct notify *n = talloc_zero(ctx, struct notify);
	const struct flips_calls calls = {
		.peer_by_id = peer_by_id, .peer_named = peer_named, .cancel = cancel, .data = n};

	if (!n) {
		why_set(why, -ENOMEM, "out of memory");
		return NULL;
	}
	n->check = check;
	n->gsup = gsup;
	n->peers = peers;
	n->attached = -1;
	n->orders.fd = -1;
	osmo_timer_setup(&n->sweep, sweep_cb, n);
	check->sightings = make_sightings(why);
	n->flips = check->sightings ? flips_alloc(check, &calls) : NULL;
	if (n->flips && open_orders(n, why) == 0)
		return n;
	notify_free(n);
	return NULL;
}

void notify_set_follow(struct notify *n, notify_follow_fn *follow, void *data)
{
	n->follow = follow;
	n->follow_data = data;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	osmo_timer_del(&n->sweep);
	if (osmo_fd_is_registered(&n->orders))
		osmo_fd_unregister(&n->orders);
	flips_free(n->flips);
	sightings_free(n->check->sightings);
	n->check->sightings = NULL;
	talloc_free(n);
}

/* --- each turn, each second */

void notify_flush(struct notify *n, int64_t mono_us, uint32_t now_s)
{
	const struct sightings_counters *counters = sightings_counters(n->check->sightings);
	uint64_t full = counters->keeper_full;

	if (mono_us < n->flush_after_us)
		return;
	sightings_flush(n->check->sightings, now_s);
	if (counters->keeper_full != full)
		n->flush_after_us = mono_us + FLUSH_PAUSE_US;
}

static void count_one(const struct sightings_pair *pair, void *data)
{
	(void)pair;
	++*(int64_t *)data;
}

static void count_some(struct notify *n)
{
	for (unsigned i = 0; i < COUNT_SLICES; i++) {
		if (sightings_walk(n->check->sightings, &n->place, UINT32_MAX, count_one, &n->counting))
			continue;
		n->attached = n->counting;
		n->counting = 0;
		n->place = 0;
		return;
	}
}

static void look_again(struct notify *n)
{
	uint16_t terms;

	for (unsigned id = 1; id <= peers_count(n->peers) && n->n_missed; id++) {
		uint64_t bit = UINT64_C(1) << id % 64;
		if (!(n->missed[id / 64] & bit) || !gsup_peer_ready(n->gsup, id, &terms))
			continue;
		n->missed[id / 64] &= ~bit;
		n->n_missed--;
		flips_want_sweep(n->flips);
		schedule_sweep(n);
	}
}

void notify_second(struct notify *n)
{
	look_again(n);
	count_some(n);
}

int64_t notify_attached(const struct notify *n)
{
	return n->attached;
}

const struct flips_counters *notify_flips(const struct notify *n)
{
	return flips_counters(n->flips);
}
