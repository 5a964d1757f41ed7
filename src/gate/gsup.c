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
	door_init(&gsup->door, traffic, &gsup_down_kind, gsup);
	INIT_LLIST_HEAD(&gsup->sessions);
	gsup_wait_init(gsup);
	return gsup;
}

static void end_sessions(struct gsup *gsup)
{
	while (!llist_empty(&gsup->sessions))
		gsup_session_end(llist_first_entry(&gsup->sessions, struct gsup_session, entry), TRAFFIC_END_OURS);
}

void gsup_stop(struct gsup *gsup)
{
	gsup->stopping = true;
	door_close(&gsup->door);
	end_sessions(gsup);
	traffic_flush(gsup->traffic);
}

void gsup_free(struct gsup *gsup)
{
	if (!gsup)
		return;
	door_close(&gsup->door);
	end_sessions(gsup);
	osmo_timer_del(&gsup->wait_timer);
	free(gsup->wait_places);
	talloc_free(gsup);
}

/* --- configuration */

static void judge_sessions(struct gsup *gsup)
{
	const struct door_config *door = &gsup->config->door;
	struct gsup_session *s, *next;

	llist_for_each_entry_safe(s, next, &gsup->sessions, entry) {
		bool allowed = s->state == GSUP_IDENTITY ? config_covers_address(door, &s->down->remote)
							 : config_allows_peer(door, s->name, &s->down->remote);
		if (!allowed)
			gsup_session_end(s, TRAFFIC_END_OURS);
		else
			gsup_session_upstream(s);
	}
}

int gsup_prepare(struct gsup *gsup, const struct gsup_config *config, struct weir_why *why)
{
	gsup->next = config;
	return gsup->stopping ? 0 : door_prepare(&gsup->door, &config->door, why);
}

void gsup_abort(struct gsup *gsup)
{
	door_abort(&gsup->door);
}

void gsup_commit(struct gsup *gsup)
{
	gsup->config = gsup->next;
	if (gsup->stopping)
		return;
	door_commit(&gsup->door);
	judge_sessions(gsup);
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

/* --- what is shown */

const struct gsup_counters *gsup_counters(const struct gsup *gsup)
{
	return &gsup->counters;
}

#define ROW(field, text) COUNTER_ROW(struct gsup_counters, field, text)

static const struct counter_row counter_rows[] = {
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

struct counter_table gsup_counter_table(const struct gsup *gsup)
{
	return (struct counter_table){"gsup", counter_rows, ARRAY_SIZE(counter_rows), &gsup->counters};
}

unsigned gsup_waiting(const struct gsup *gsup)
{
	return gsup->n_waiting;
}

const struct gate_place *gsup_listening(const struct gsup *gsup, unsigned n)
{
	return door_listening(&gsup->door, n);
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
