/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Registration, heartbeats and the farewell (TS 29.510 5.2.2.2, 5.2.2.3, 5.2.2.4): one call at a time, and after each
 * the time of the next. */
#include "gate/nrf.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/chance.h"
#include "gate/check.h"
#include "gate/log.h"
#include "gate/nrf_caller.h"
#include "gate/nrf_json.h"
#include "gate/nrf_plan.h"
#include "gate/traffic.h"

#define SECOND     1000000ll
#define AT_NEXT_US 200000 /* to the next of several NRFs */

enum phase {
	NRF_OFF = 0,
	NRF_REGISTERING,
	NRF_REGISTERED,
	NRF_LEAVING,
	NRF_STOPPED
};

static const char *const phase_names[] = {
	[NRF_OFF] = "off",         [NRF_REGISTERING] = "registering", [NRF_REGISTERED] = "registered",
	[NRF_LEAVING] = "leaving", [NRF_STOPPED] = "stopped",
};

/* Where we are known, and as whom: what has to be told when we leave. */
struct home {
	bool known;
	struct nrf_server server;
	char instance_id[SBI_UUID_TEXT];
};

struct nrf {
	const struct check *check;
	struct traffic *traffic;
	struct nrf_plan *plan, *next;
	struct nrf_caller *caller;
	enum phase phase;
	struct home home, next_home; /* where we are known; where a registration is under way */
	struct nrf_status status;
	unsigned at; /* which server of the plan */
	bool stopping;
	int64_t now_us, due_us, leave_by_us, good_us;
	unsigned heartbeat_s, failures;
	char why[192];
	uint64_t chance;
	struct nrf_counters counters;
};

/* The later of the two clocks that we know: nrf_turn's, and that of the turn that brought an answer. */
static int64_t now(const struct nrf *nrf)
{
	int64_t turn_us = traffic_now_us(nrf->traffic);

	return turn_us > nrf->now_us ? turn_us : nrf->now_us;
}

static void due_now(struct nrf *nrf)
{
	nrf->due_us = now(nrf);
}

/* Whom the next call asks. */
static const struct nrf_server *asked(const struct nrf *nrf)
{
	return nrf->phase == NRF_LEAVING ? &nrf->home.server : &nrf->plan->server[nrf->at];
}

/* --- failures */

/* A fifth more or less, so that many of us do not come back to a restarted NRF in one moment. */
static int64_t scatter(struct nrf *nrf, int64_t us)
{
	return us - us / 5 + chance_below(&nrf->chance, (uint32_t)(us * 2 / 5));
}

/* After so many failures in a row: the other NRFs first, then once around again after 1, 2, 4 ... s. */
static int64_t backoff(struct nrf *nrf)
{
	unsigned rounds = nrf->failures / nrf->plan->n_servers;

	if (nrf->failures % nrf->plan->n_servers)
		return AT_NEXT_US;
	return scatter(nrf, rounds <= 5 ? SECOND << (rounds - 1) : NRF_BACKOFF_S * SECOND);
}

/* The farewell is over, said or not. */
static void left(struct nrf *nrf)
{
	nrf->home.known = false;
	nrf_caller_drop(nrf->caller, true);
	nrf->failures = 0;
	nrf->at = 0;
	nrf->phase = nrf->stopping ? NRF_STOPPED : nrf->plan->n_servers ? NRF_REGISTERING : NRF_OFF;
	due_now(nrf);
}

/* nrf->why says why. */
static void failed(struct nrf *nrf, unsigned retry_after_s)
{
	int64_t wait_us;
	char text[NRF_SERVER_TEXT];

	nrf->counters.failed++;
	nrf_server_print(text, asked(nrf));
	nrf_caller_drop(nrf->caller, false);
	if (nrf->phase == NRF_LEAVING) {
		LOGP(DNRF, LOGL_NOTICE, "could not deregister at NRF %s: %s; it will miss our heartbeat\n", text,
		     nrf->why);
		left(nrf);
		return;
	}
	if (!nrf->failures++)
		LOGP(DNRF, LOGL_ERROR, "NRF %s: %s; AMFs may not find us until it is well; trying again\n", text,
		     nrf->why);
	if (nrf->plan->n_servers > 1) {
		nrf->at = (nrf->at + 1) % nrf->plan->n_servers;
		nrf->phase = NRF_REGISTERING; /* that one has not heard of us */
	}
	wait_us = backoff(nrf);
	nrf->due_us = now(nrf) + (wait_us > retry_after_s * SECOND ? wait_us : retry_after_s * SECOND);
}

/* An answer that helps nobody. */
static void refused(struct nrf *nrf, const struct nrf_reply *reply, const struct nrf_answer *answer)
{
	bool elsewhere = reply->status == 307 || reply->status == 308;

	nrf->counters.redirected += elsewhere;
	snprintf(nrf->why, sizeof(nrf->why), "answered %u%s%s%s", reply->status,
		 elsewhere ? ", go elsewhere, which we do not" : "", answer->detail[0] ? ": " : "", answer->detail);
	if (nrf->phase == NRF_REGISTERED && reply->status < 500)
		nrf->phase = NRF_REGISTERING; /* it does not like our heartbeat: it gets the whole */
	failed(nrf, reply->retry_after_s);
}

/* --- good answers */

/* Nine tenths of what is wanted, so that no delay on the way makes it late. */
static void well(struct nrf *nrf, const struct nrf_answer *answer)
{
	if (answer->heartbeat_s)
		nrf->heartbeat_s = answer->heartbeat_s;
	nrf->failures = 0;
	nrf->why[0] = '\0';
	nrf->good_us = now(nrf);
	nrf->due_us = nrf->good_us + nrf->heartbeat_s * (SECOND / 10 * 9);
}

static void registered(struct nrf *nrf, const struct nrf_answer *answer)
{
	char text[NRF_SERVER_TEXT];
	const struct nrf_profile *profile = &nrf->plan->profile;
	bool news = nrf->failures || !nrf->home.known;

	nrf->counters.registered++;
	nrf->phase = NRF_REGISTERED;
	nrf->home = nrf->next_home;
	nrf->heartbeat_s = profile->heartbeat_s ? profile->heartbeat_s : NRF_HEARTBEAT_S;
	well(nrf, answer);
	LOGP(DNRF, news ? LOGL_NOTICE : LOGL_INFO, "registered at NRF %s as %s, heartbeat every %u s\n",
	     nrf_server_print(text, &nrf->home.server), nrf->home.instance_id, nrf->heartbeat_s);
}

static void heartbeat_taken(struct nrf *nrf, const struct nrf_answer *answer)
{
	char text[NRF_SERVER_TEXT];

	nrf->counters.heartbeats++;
	if (nrf->failures)
		LOGP(DNRF, LOGL_NOTICE, "NRF %s is well again\n", nrf_server_print(text, &nrf->home.server));
	well(nrf, answer);
}

static void forgotten(struct nrf *nrf)
{
	char text[NRF_SERVER_TEXT];

	nrf->counters.forgotten++;
	LOGP(DNRF, LOGL_NOTICE, "NRF %s has forgotten us; registering anew\n",
	     nrf_server_print(text, &nrf->home.server));
	nrf->home.known = false;
	nrf->phase = NRF_REGISTERING;
	due_now(nrf);
}

static void deregistered(struct nrf *nrf)
{
	char text[NRF_SERVER_TEXT];

	nrf->counters.deregistered++;
	LOGP(DNRF, LOGL_NOTICE, "deregistered at NRF %s\n", nrf_server_print(text, &nrf->home.server));
	left(nrf);
}

static void judge(struct nrf *nrf, const struct nrf_reply *reply)
{
	bool good = reply->status >= 200 && reply->status < 300;
	struct nrf_answer answer;

	nrf_json_answer(reply->body, reply->len, &answer);
	if (nrf->phase == NRF_LEAVING && (good || reply->status == 404))
		deregistered(nrf);
	else if (nrf->phase == NRF_REGISTERED && reply->status == 404)
		forgotten(nrf);
	else if (!good)
		refused(nrf, reply, &answer);
	else if (nrf->phase == NRF_REGISTERED)
		heartbeat_taken(nrf, &answer);
	else
		registered(nrf, &answer);
}

static void replied(void *data, const struct nrf_reply *reply)
{
	struct nrf *nrf = data;

	if (reply->status) {
		judge(nrf, reply);
	} else if (reply->stale) { /* once more, over a new connection */
		nrf_caller_drop(nrf->caller, true);
		due_now(nrf);
	} else {
		nrf->counters.late += reply->late;
		snprintf(nrf->why, sizeof(nrf->why), "%s", reply->why);
		failed(nrf, 0);
	}
}

/* --- calls */

static bool call(struct nrf *nrf, const char *method, const char *instance_id, const char *type, const char *body)
{
	return nrf_caller_call(nrf->caller, asked(nrf), nrf->plan->tls, method, instance_id, type, body,
			       body ? strlen(body) : 0);
}

static bool call_register(struct nrf *nrf)
{
	char *profile = nrf_json_profile(&nrf->plan->profile, &nrf->status);
	bool made;

	nrf->next_home = (struct home){.known = true, .server = *asked(nrf)};
	memcpy(nrf->next_home.instance_id, nrf->plan->profile.instance_id, sizeof(nrf->next_home.instance_id));
	made = profile && call(nrf, "PUT", nrf->plan->profile.instance_id, "application/json", profile);

	free(profile);
	return made;
}

static bool call_heartbeat(struct nrf *nrf)
{
	char patch[NRF_PATCH_TEXT];

	nrf_json_patch(patch, &nrf->status);
	return call(nrf, "PATCH", nrf->home.instance_id, "application/json-patch+json", patch);
}

static void act(struct nrf *nrf)
{
	bool made;

	nrf->status.load = nrf->check->load;
	if (nrf->phase == NRF_LEAVING)
		made = call(nrf, "DELETE", nrf->home.instance_id, NULL, NULL);
	else if (nrf->phase == NRF_REGISTERED)
		made = call_heartbeat(nrf);
	else
		made = call_register(nrf);
	if (made)
		return;
	snprintf(nrf->why, sizeof(nrf->why), "no memory, descriptor or stream for a call");
	failed(nrf, 0);
}

void nrf_turn(struct nrf *nrf, int64_t now_us)
{
	nrf->now_us = now_us;
	if (nrf->phase == NRF_OFF || nrf->phase == NRF_STOPPED)
		return;
	if (nrf->phase == NRF_LEAVING && now_us >= nrf->leave_by_us) {
		snprintf(nrf->why, sizeof(nrf->why), "no answer in time");
		failed(nrf, 0);
	} else if (!nrf_caller_busy(nrf->caller) && now_us >= nrf->due_us) {
		act(nrf);
	}
}

/* --- what makes a call due before its time */

static void leave(struct nrf *nrf)
{
	if (nrf->phase == NRF_REGISTERING && nrf_caller_busy(nrf->caller))
		nrf->home = nrf->next_home; /* it may know us, though it has not said so yet */
	nrf_caller_forget(nrf->caller);
	due_now(nrf);
	if (!nrf->home.known) {
		left(nrf);
		return;
	}
	nrf->phase = NRF_LEAVING;
	nrf->leave_by_us = now(nrf) + NRF_GOODBYE_S * SECOND;
}

/* What was said, or is being said, is not true any more. */
static void say_again(struct nrf *nrf)
{
	if (nrf->phase != NRF_REGISTERED && nrf->phase != NRF_REGISTERING)
		return;
	nrf_caller_forget(nrf->caller);
	nrf->phase = NRF_REGISTERING;
	due_now(nrf);
}

void nrf_operative(struct nrf *nrf, bool operative)
{
	if (nrf->status.suspended == !operative)
		return;
	nrf->status.suspended = !operative;
	say_again(nrf);
}

bool nrf_done(const struct nrf *nrf)
{
	return nrf->phase == NRF_OFF || nrf->phase == NRF_STOPPED;
}

void nrf_stop(struct nrf *nrf)
{
	nrf->stopping = true;
	if (nrf->phase == NRF_LEAVING || nrf->phase == NRF_STOPPED)
		return;
	leave(nrf);
	if (nrf->phase == NRF_LEAVING)
		act(nrf);
}

/* --- configuration */

int nrf_check_config(const struct nrf_config *config, const struct nrf_self *self, struct weir_why *why)
{
	struct nrf_plan *plan = nrf_plan_alloc(NULL, config, self, why);

	nrf_plan_free(plan);
	return plan ? 0 : -EINVAL;
}

int nrf_prepare(struct nrf *nrf, const struct nrf_config *config, const struct nrf_self *self, struct weir_why *why)
{
	struct nrf_plan *plan = nrf_plan_alloc(nrf, config, self, why);

	if (!plan)
		return -EINVAL;
	nrf_plan_free(nrf->next);
	nrf->next = plan;
	return 0;
}

/* Is where we are known, and as whom, not what is wanted any more? */
static bool moves(struct nrf *nrf, const struct nrf_plan *before)
{
	int at;

	if (!nrf->home.known)
		return !nrf_plan_same_servers(before, nrf->plan);
	at = nrf_plan_find(nrf->plan, &nrf->home.server);
	if (at < 0 || strcmp(nrf->home.instance_id, nrf->plan->profile.instance_id))
		return true;
	nrf->at = (unsigned)at;
	return false;
}

void nrf_commit(struct nrf *nrf)
{
	struct nrf_plan *before = nrf->plan;

	if (!nrf->next)
		return;
	nrf->plan = nrf->next;
	nrf->next = NULL;
	if (nrf->phase != NRF_LEAVING && nrf->phase != NRF_STOPPED) {
		if (moves(nrf, before))
			leave(nrf);
		else if (!nrf_plan_same_profile(before, nrf->plan))
			say_again(nrf);
	}
	nrf_plan_free(before);
}

void nrf_abort(struct nrf *nrf)
{
	nrf_plan_free(nrf->next);
	nrf->next = NULL;
}

/* --- life */

struct nrf *nrf_alloc(void *ctx, const struct check *check, struct traffic *traffic)
{
	struct nrf *nrf = talloc_zero(ctx, struct nrf);

	if (!nrf)
		return NULL;
	nrf->check = check;
	nrf->traffic = traffic;
	nrf->plan = talloc_zero(nrf, struct nrf_plan);
	nrf->caller = nrf_caller_alloc(nrf, traffic, replied, nrf);
	if (!nrf->plan || !nrf->caller || getrandom(&nrf->chance, sizeof(nrf->chance), 0) != sizeof(nrf->chance)) {
		talloc_free(nrf);
		return NULL;
	}
	return nrf;
}

void nrf_free(struct nrf *nrf)
{
	if (!nrf)
		return;
	nrf_caller_free(nrf->caller);
	nrf_plan_free(nrf->next);
	nrf_plan_free(nrf->plan);
	talloc_free(nrf);
}

/* --- to be shown */

void nrf_state(const struct nrf *nrf, struct nrf_state *state)
{
	bool on = nrf->phase != NRF_OFF && nrf->phase != NRF_STOPPED;

	*state = (struct nrf_state){
		.name = phase_names[nrf->phase],
		.on = on,
		.registered = nrf->phase == NRF_REGISTERED && !nrf->failures,
		.known = nrf->home.known,
		.profile = &nrf->plan->profile,
		.instance_id = nrf->plan->profile.instance_id,
		.heartbeat_s = nrf->heartbeat_s,
		.failures = nrf->failures,
		.since_good_us = nrf->good_us ? now(nrf) - nrf->good_us : -1,
		.until_next_us = on && !nrf_caller_busy(nrf->caller) ? nrf->due_us - now(nrf) : -1,
		.why = nrf->why,
	};
	if (on)
		nrf_server_print(state->server, asked(nrf));
}

const struct tls_context *nrf_certificate(const struct nrf *nrf)
{
	return nrf->plan->tls;
}

#define ROW(field, text) COUNTER_ROW(struct nrf_counters, field, text)

static const struct counter_row rows[] = {
	ROW(registered, "registrations, whole profiles taken"),
	ROW(heartbeats, "heartbeats taken"),
	ROW(deregistered, "farewells taken"),
	ROW(forgotten, "heartbeats whose sender the NRF did not know any more"),
	ROW(failed, "calls to NRFs without a good answer"),
	ROW(late, "calls to NRFs that were not answered in time"),
	ROW(redirected, "calls to NRFs that were told to go elsewhere, where we do not go"),
};

struct counter_table nrf_counter_table(const struct nrf *nrf)
{
	return (struct counter_table){"nrf", rows, sizeof(rows) / sizeof(rows[0]), &nrf->counters};
}
