/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The client of the NRF: says that a 5G-EIR is here, so that AMFs find it (TS 29.510 5.2.2).
 *
 * Life.  PUT nf-instances/ID registers; its answer says how often a heartbeat is wanted (heartBeatTimer), and PATCHes
 * with status and load follow in nine tenths of that.  An NRF that has forgotten us (404) is told anew at once.  A
 * profile that changed, and a store that fails or is well again (nfStatus SUSPENDED and REGISTERED), is PUT again.
 * DELETE on stop and where the configuration names other NRFs or another instance: at most NRF_GOODBYE_S.
 *
 * Failures (no connection, no answer in NRF_PATIENCE_S, any other status) are tried again: at the next configured NRF
 * soon, and once around after 1 s, doubling to NRF_BACKOFF_S, a fifth more or less by chance.  One log line when they
 * begin and one when they end.  Checks never wait for any of it: an AMF that knows us goes on asking.
 *
 * An NRF is not trusted with more than this.  It is never followed elsewhere: 307 and 308 count as failures, Location
 * is not even read.  Bodies are bounded by H2_BODY_MAX, and whatever is in them can make us register again, slowly, and
 * no more.
 *
 * One connection, one call at a time; kept between heartbeats.  Time comes in with nrf_turn. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/why.h"
#include "gate/counters.h"
#include "gate/nrf_config.h"

#define NRF_BACKOFF_S   30
#define NRF_GOODBYE_S   2
#define NRF_HEARTBEAT_S 10 /* where neither we nor the NRF said how often */

struct check;
struct door_config;
struct nrf;
struct tls_context;
struct traffic;

struct nrf_counters {
	uint64_t registered, heartbeats, deregistered;
	uint64_t forgotten;  /* the NRF did not know us any more */
	uint64_t failed;     /* calls without a good answer, whatever for */
	uint64_t late;       /* of those: no answer in time */
	uint64_t redirected; /* of those: told to go elsewhere */
};

/* check (its load is told) and traffic must outlive it. */
struct nrf *nrf_alloc(void *ctx, const struct check *check, struct traffic *traffic);
void nrf_free(struct nrf *nrf);

/* What the N5g interface adds to the profile: where it listens (for want of `advertise`) and whether it wants tokens.
 */
struct nrf_self {
	const char *instance_id;
	const struct door_config *door;
	bool oauth2_required;
};

/* What is wrong with a configuration as it stands: 0, or -EINVAL and why. */
int nrf_check_config(const struct nrf_config *config, const struct nrf_self *self, struct weir_why *why);

/* 0, or a negative errno with why and nothing changed.  Followed by exactly one of commit and abort; abort without a
 * prepare is fine. */
int nrf_prepare(struct nrf *nrf, const struct nrf_config *config, const struct nrf_self *self, struct weir_why *why);
void nrf_commit(struct nrf *nrf);
void nrf_abort(struct nrf *nrf);

/* Do what is due; called about ten times a second, also while stopping. */
void nrf_turn(struct nrf *nrf, int64_t now_us);
/* Can we answer?  Told to the NRF where it changed. */
void nrf_operative(struct nrf *nrf, bool operative);
/* SIGTERM: deregister.  Its connection is gone NRF_GOODBYE_S later at the latest. */
void nrf_stop(struct nrf *nrf);

/* --- to be shown */

/* Nothing more is to be said: there is no NRF, or it was told goodbye, or does not listen. */
bool nrf_done(const struct nrf *nrf);

struct nrf_state {
	const char *name; /* "off", "registering", "registered", "leaving", "stopped" */
	bool on;          /* there is an NRF to be registered at */
	bool registered;  /* and the last call went well: what the alarm is the opposite of */
	bool known;       /* an NRF has heard of us and was not told goodbye */
	char server[GATE_ADDRESS_TEXT + 8];
	const char *instance_id;
	unsigned heartbeat_s;
	unsigned failures;     /* in a row */
	int64_t since_good_us; /* time since the last good answer; -1: there was none */
	int64_t until_next_us; /* time until the next call; -1: none is due or one is under way */
	const char *why;       /* the last failure, "" */
	const struct nrf_profile *profile; /* what it is told; good until the next commit */
};
void nrf_state(const struct nrf *nrf, struct nrf_state *state);

const struct tls_context *nrf_certificate(const struct nrf *nrf); /* ours, in force; NULL: none */

struct counter_table nrf_counter_table(const struct nrf *nrf); /* good as long as the client is */
