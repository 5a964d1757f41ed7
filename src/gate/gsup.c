/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The GSUP interface as a whole: addresses, configuration, cancels, what is shown.  Frames are gsup_proxy.c's. */
#include "gate/gsup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "core/mask.h"
#include "gate/gsup_session.h"
#include "gate/log.h"
#include "gate/peers.h"

static const struct gsup_config no_config;

struct gsup *gsup_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers)
{
	struct gsup *gsup = talloc_zero(ctx, struct gsup);

	if (!gsup)
		return NULL;
	gsup->cancelled = talloc_zero_array(gsup, struct gsup_cancelled, GSUP_CANCELS);
	if (!gsup->cancelled) {
		talloc_free(gsup);
		return NULL;
	}
	gsup->check = check;
	gsup->traffic = traffic;
	gsup->peers = peers;
	gsup->config = &no_config;
	INIT_LLIST_HEAD(&gsup->sessions);
	gsup_wait_init(gsup);
	return gsup;
}

static void close_listeners(struct gsup *gsup)
{
	for (unsigned i = 0; i < gsup->n_listeners; i++)
		traffic_unlisten(gsup->listener[i]);
	gsup->n_listeners = 0;
}

static void end_sessions(struct gsup *gsup)
{
	while (!llist_empty(&gsup->sessions))
		gsup_session_end(llist_first_entry(&gsup->sessions, struct gsup_session, entry), TRAFFIC_END_OURS);
}

void gsup_stop(struct gsup *gsup)
{
	gsup->stopping = true;
	close_listeners(gsup);
	end_sessions(gsup);
	traffic_flush(gsup->traffic);
}

void gsup_free(struct gsup *gsup)
{
	if (!gsup)
		return;
	close_listeners(gsup);
	end_sessions(gsup);
	osmo_timer_del(&gsup->wait_timer);
	free(gsup->wait_places);
	talloc_free(gsup);
}

/* --- configuration */

/* Listeners that stay are told by the address as it was configured: a port 0 of a test is another number by now. */
static struct traffic_listener *take_listener(struct gsup *gsup, const struct gate_address *address)
{
	for (unsigned i = 0; i < gsup->n_listeners; i++) {
		struct traffic_listener *l = gsup->listener[i];
		if (l && i < gsup->config->n_listen && address_equal(&gsup->config->listen[i], address)) {
			gsup->listener[i] = NULL;
			return l;
		}
	}
	return NULL;
}

static int open_listeners(struct gsup *gsup, const struct gsup_config *config, struct traffic_listener **fresh,
			  struct weir_why *why)
{
	int rc;

	for (unsigned i = 0; i < config->n_listen; i++) {
		fresh[i] = NULL;
		for (unsigned k = 0; k < gsup->n_listeners && k < gsup->config->n_listen; k++) {
			if (address_equal(&gsup->config->listen[k], &config->listen[i]))
				goto next;
		}
		rc = traffic_listen(gsup->traffic, &gsup_down_kind, gsup, &config->listen[i], &fresh[i], why);
		if (rc) {
			while (i--)
				traffic_unlisten(fresh[i]);
			return rc;
		}
next:;
	}
	return 0;
}

static void swap_listeners(struct gsup *gsup, const struct gsup_config *config, struct traffic_listener **fresh)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		if (!fresh[i])
			fresh[i] = take_listener(gsup, &config->listen[i]);
	}
	close_listeners(gsup); /* those that vanished; NULL is fine */
	memcpy(gsup->listener, fresh, config->n_listen * sizeof(fresh[0]));
	gsup->n_listeners = config->n_listen;
}

static void judge_sessions(struct gsup *gsup)
{
	struct gsup_session *s, *next;

	llist_for_each_entry_safe(s, next, &gsup->sessions, entry) {
		bool allowed = s->state == GSUP_IDENTITY ? config_covers_address(gsup->config, &s->down->remote)
							 : config_allows_peer(gsup->config, s->name, &s->down->remote);
		if (!allowed)
			gsup_session_end(s, TRAFFIC_END_OURS);
		else
			gsup_session_upstream(s);
	}
}

int gsup_configure(struct gsup *gsup, const struct gsup_config *config, struct weir_why *why)
{
	struct traffic_listener *fresh[GATE_MAX_LISTEN];
	int rc;

	if (gsup->stopping) {
		gsup->config = config;
		return 0;
	}
	rc = open_listeners(gsup, config, fresh, why);
	if (rc)
		return rc;
	swap_listeners(gsup, config, fresh);
	gsup->config = config;
	judge_sessions(gsup);
	return 0;
}

void gsup_policy_changed(struct gsup *gsup)
{
	struct gsup_session *s;

	llist_for_each_entry(s, &gsup->sessions, entry) {
		if (s->state != GSUP_IDENTITY)
			s->peer.terms = policy_terms(gsup->check->policy, WEIR_IF_GSUP, s->name);
	}
}

/* --- block now */

/* What the peer's own Update Locations said; before the first one, what its name says: osmo-msc's default is MSC-...,
 * and a Location Cancel without a domain means packet-switched. */
static enum gsup_cn_domain session_domain(const struct gsup_session *s)
{
	if (s->domain != GSUP_CN_NONE)
		return s->domain;
	return !strncmp(s->name, "MSC", 3) || !strncmp(s->name, "VLR", 3) ? GSUP_CN_CS : GSUP_CN_PS;
}

static int send_cancel(struct gsup_session *s, struct weir_imsi imsi)
{
	uint8_t buf[GSUP_ANSWER_MAX];
	int len = gsup_location_cancel(imsi, session_domain(s), buf, sizeof(buf));

	if (len < 0)
		return len;
	if (traffic_room(s->down) < (size_t)len || !gsup_cancel_note(s, imsi))
		return -ENOBUFS;
	traffic_send(s->down, buf, len);
	return 0;
}

int gsup_cancel(struct gsup *gsup, uint16_t peer_id, struct weir_imsi imsi, uint64_t imei)
{
	struct gsup_session *s = gsup_session_by_id(gsup, peer_id);
	char i1[WEIR_MASK_TEXT], i2[WEIR_MASK_TEXT];
	const char *name = peers_name(gsup->peers, peer_id);
	int rc = -ENOTCONN;

	if (s) {
		gsup_wait_refuse(s, imsi); /* who is not let in yet is told so before he is thrown out */
		rc = send_cancel(s, imsi);
	}
	if (rc == 0)
		gsup->counters.cancels++;
	else
		gsup->counters.cancel_lost++;
	LOGP(DGSUP, LOGL_NOTICE, "%s: %s subscriber %s in device %s%s%s\n", name ? name : "?",
	     rc ? "could not cancel" : "cancelled", mask_imsi(i1, imsi), mask_imei(i2, imei), rc ? ": " : "",
	     rc ? strerror(-rc) : "");
	return rc;
}

bool gsup_peer_ready(struct gsup *gsup, uint16_t peer_id, uint16_t *terms)
{
	const struct gsup_session *s = gsup_session_by_id(gsup, peer_id);

	if (!s || !gsup_session_ready(s))
		return false;
	*terms = s->peer.terms;
	return true;
}

/* --- time */

void gsup_expire(struct gsup *gsup, int64_t now_us)
{
	gsup_wait_expire(gsup, now_us);
	gsup_cancel_expire(gsup, now_us);
}

void gsup_set_clock(struct gsup *gsup, int64_t wall_minus_mono_us)
{
	gsup->wall_minus_mono_us = wall_minus_mono_us;
}

uint32_t gsup_wall_s(const struct gsup *gsup)
{
	return (traffic_now_us(gsup->traffic) + gsup->wall_minus_mono_us) / 1000000;
}

/* --- what is shown */

unsigned gsup_take_answered(struct gsup *gsup)
{
	unsigned n = gsup->answered;

	gsup->answered = 0;
	return n;
}

const struct gsup_counters *gsup_counters(const struct gsup *gsup)
{
	return &gsup->counters;
}

#define ROW(field, text)                                                                                               \
	{                                                                                                              \
#field, text, offsetof(struct gsup_counters, field)                                                    \
	}

static const struct gsup_counter_row counter_rows[] = {
	ROW(connected, "peers that connected and were allowed"),
	ROW(replaced, "connections replaced by a newer one of the same name"),
	ROW(stranger, "connections from an address or name that no rule allows"),
	ROW(unidentified, "connections that did not say who they are in time"),
	ROW(violated, "connections that broke the rules of the handshake"),
	ROW(upstream_failed, "peers closed because the HLR could not be reached"),
	ROW(upstream_dropped, "peers closed because the HLR closed"),
	ROW(unnumbered, "peers that connected while as many as can be told apart were connected"),
	ROW(from_peer, "frames from peers"),
	ROW(to_peer, "frames passed on to peers"),
	ROW(from_hlr, "frames from the HLR"),
	ROW(to_hlr, "frames passed on to the HLR"),
	ROW(told_hlr, "accepted checks of which the HLR was told"),
	ROW(absorbed, "answers of the HLR that nobody waited for"),
	ROW(hlr_decided, "checks for which the HLR's answer came in time"),
	ROW(hlr_late, "checks for which the HLR's answer did not come in time"),
	ROW(hlr_crowded, "checks answered at once because too many waited for the HLR"),
	ROW(hlr_turned, "checks refused in the end because the device turned black while they waited"),
	ROW(hlr_untold, "checks answered here of which the HLR could not be told"),
	ROW(alone_refused, "other requests refused because there is no HLR"),
	ROW(cancels, "subscribers cancelled because their device turned black"),
	ROW(cancel_done, "cancels that the peer confirmed"),
	ROW(cancel_failed, "cancels that the peer refused"),
	ROW(cancel_lost, "cancels that could not be sent"),
	ROW(cancel_expired, "cancels that the peer did not answer"),
};

const struct gsup_counter_row *gsup_counter_row(unsigned n)
{
	return n < ARRAY_SIZE(counter_rows) ? &counter_rows[n] : NULL;
}

uint64_t gsup_counter(const struct gsup *gsup, const struct gsup_counter_row *row)
{
	return *(const uint64_t *)((const char *)&gsup->counters + row->offset);
}

unsigned gsup_waiting(const struct gsup *gsup)
{
	return gsup->n_waiting;
}

const struct gate_address *gsup_listening(const struct gsup *gsup, unsigned n)
{
	return n < gsup->n_listeners ? traffic_listener_address(gsup->listener[n]) : NULL;
}

static const char *const state_names[] = {
	[GSUP_IDENTITY] = "identity awaited",
	[GSUP_UPSTREAM] = "hlr awaited",
	[GSUP_PROXY] = "proxy",
	[GSUP_ALONE] = "alone",
};

void gsup_each_peer(const struct gsup *gsup, gsup_peer_fn *fn, void *data)
{
	const struct gsup_session *s;
	int64_t now = traffic_now_us(gsup->traffic);

	llist_for_each_entry(s, &gsup->sessions, entry) {
		struct gsup_peer_state state = {
			.name = s->name[0] ? s->name : "?",
			.state = state_names[s->state],
			.address = s->down->remote,
			.id = s->peer.id,
			.domain = s->domain,
			.up_s = (now - s->down->since_us) / 1000000,
			.silent_s = (now - s->down->heard_us) / 1000000,
			.checks = s->checks,
			.from_peer = s->from_peer,
			.from_hlr = s->from_hlr,
			.octets_in = s->down->octets_in,
			.octets_out = s->down->octets_out,
		};
		fn(&state, data);
	}
}
