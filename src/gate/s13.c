/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The S13 interface as a whole: configuration, the orderly end, what is shown.  Messages are s13_base.c's and
 * s13_ecr.c's. */
#include "gate/s13.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "core/chance.h"
#include "daemon/daemon.h"
#include "gate/s13_session.h"
#include "gate/tls.h"

static const struct s13_config no_config;

static void seed(struct s13 *s13)
{
	uint32_t now_s = (uint32_t)(daemon_now_ms() / 1000);

	if (getrandom(&s13->chance, sizeof(s13->chance), GRND_NONBLOCK) != sizeof(s13->chance))
		s13->chance = now_s;
	/* RFC 6733 3: the low 12 bits of the time, then chance; never the same again within four minutes */
	s13->end_to_end = now_s << 20 | chance_below(&s13->chance, 1 << 20);
	s13->us.state_id = now_s;
}

struct s13 *s13_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers)
{
	struct s13 *s13 = talloc_zero(ctx, struct s13);

	if (!s13)
		return NULL;
	s13->clients = clients_alloc(s13, WEIR_IF_S13, S13_CLIENTS, check, peers);
	if (!s13->clients) {
		talloc_free(s13);
		return NULL;
	}
	s13->check = check;
	s13->traffic = traffic;
	s13->config = &no_config;
	door_init(&s13->door, traffic, &s13_kind, s13);
	INIT_LLIST_HEAD(&s13->sessions);
	seed(s13);
	return s13;
}

static void end_sessions(struct s13 *s13)
{
	while (!llist_empty(&s13->sessions))
		s13_session_end(llist_first_entry(&s13->sessions, struct s13_session, entry), TRAFFIC_END_OURS);
}

void s13_free(struct s13 *s13)
{
	if (!s13)
		return;
	door_close(&s13->door);
	end_sessions(s13);
	talloc_free(s13);
}

void s13_stop(struct s13 *s13)
{
	struct s13_session *s, *next;

	s13->stopping = true;
	door_close(&s13->door);
	llist_for_each_entry_safe(s, next, &s13->sessions, entry)
		s13_session_goodbye(s, DIAMETER_REBOOTING);
	traffic_flush(s13->traffic);
}

/* --- configuration */

bool s13_serves_realm(const struct s13 *s13, const struct diameter_view *view, const struct diameter_field *realm)
{
	if (diameter_field_is(view, realm, s13->config->origin_realm))
		return true;
	for (unsigned i = 0; i < s13->config->n_realms; i++) {
		if (diameter_field_is(view, realm, s13->config->realm[i]))
			return true;
	}
	return false;
}

static bool serves_name(const struct s13_config *config, const char *realm)
{
	for (unsigned i = 0; i < config->n_realms; i++) {
		if (!strcmp(config->realm[i], realm))
			return true;
	}
	return !strcmp(config->origin_realm, realm);
}

bool s13_is_agent(const struct s13_config *config, const char *name)
{
	for (unsigned i = 0; i < config->n_agents; i++) {
		if (config_identity_matches(config->agent[i], name))
			return true;
	}
	return false;
}

static void judge_session(struct s13_session *s, bool renamed)
{
	const struct s13_config *config = s->s13->config;

	if (s->state == S13_WAIT_CER) {
		if (!config_covers_address(&config->door, &s->conn->remote))
			s13_session_end(s, TRAFFIC_END_OURS);
		return;
	}
	s->agent = s13_is_agent(config, s->client->name);
	s->home = serves_name(config, s->realm);
	s13_session_draw_tw(s);
	if (!config_allows_identity(&config->door, s->client->name, s->realm, &s->conn->remote))
		s13_session_goodbye(s, DIAMETER_DO_NOT_WANT_TO_TALK_TO_YOU);
	else if (renamed)
		s13_session_goodbye(s, DIAMETER_REBOOTING); /* it comes again and learns our name */
}

static int check_names(const struct s13_config *config, struct weir_why *why)
{
	if (config->door.n_listen && (!config->origin_host[0] || !config->origin_realm[0]))
		return why_set(why, -EINVAL,
			       "s13 listens and has no name; origin-host and origin-realm are needed, for example "
			       "eir.epc.mnc001.mcc001.3gppnetwork.org and epc.mnc001.mcc001.3gppnetwork.org");
	return 0;
}

int s13_check_config(const struct s13_config *config, struct weir_why *why)
{
	int rc = check_names(config, why);

	return rc ? rc : door_check(s13_kind.name, &config->door, TLS_PEER_MUST, NULL, why);
}

int s13_prepare(struct s13 *s13, const struct s13_config *config, struct weir_why *why)
{
	int rc = check_names(config, why);

	if (rc)
		return rc;
	s13->next = config;
	return s13->stopping ? 0 : door_prepare(&s13->door, &config->door, why);
}

void s13_abort(struct s13 *s13)
{
	door_abort(&s13->door);
}

void s13_commit(struct s13 *s13)
{
	const struct s13_config *config = s13->next;
	bool renamed = strcmp(s13->config->origin_host, config->origin_host) ||
		       strcmp(s13->config->origin_realm, config->origin_realm);
	struct s13_session *s, *next;

	s13->config = config;
	s13->us.origin_host = config->origin_host;
	s13->us.origin_realm = config->origin_realm;
	s13_prepare_tail(&s13->tail, &s13->us);
	clients_refresh(s13->clients, &config->door);
	if (s13->stopping)
		return;
	door_commit(&s13->door);
	llist_for_each_entry_safe(s, next, &s13->sessions, entry)
		judge_session(s, renamed);
}

void s13_policy_changed(struct s13 *s13)
{
	clients_refresh(s13->clients, &s13->config->door);
}

/* --- what is shown */

#define ROW(field, text) COUNTER_ROW(struct s13_counters, field, text)

static const struct counter_row counter_rows[] = {
	ROW(connected, "peers that connected and were allowed"),
	ROW(ended, "connections of peers that were allowed, ended since"),
	ROW(replaced, "connections told to go because the peer opened too many"),
	ROW(stranger, "connections from an address that no rule covers"),
	ROW(unknown_peer, "peers refused because no rule allows their name and realm"),
	ROW(uncertified, "peers refused because their certificate does not carry their name"),
	ROW(unidentified, "connections that did not say who they are in time"),
	ROW(violated, "connections closed for what they sent instead of a good CER"),
	ROW(no_common, "peers refused because they neither speak S13 nor relay"),
	ROW(impostors, "peers refused because their name is connected from another host"),
	ROW(insecure, "peers refused because they want security inside of the connection"),
	ROW(hasty, "peers refused because they came too often in a second"),
	ROW(requests, "checks that came, whatever they were answered"),
	ROW(resent, "checks that the peer marked as sent again"),
	ROW(faulty, "checks refused because they break the rules of the protocol"),
	ROW(undeliverable, "checks refused because they are for another host or realm"),
	ROW(looped, "checks refused because they have been here before"),
	ROW(lent, "checks refused because they came in another's name from no agent"),
	ROW(foreign, "checks from a realm that is not ours"),
	ROW(foreign_shed, "checks from other realms refused by configuration or above their limit"),
	ROW(shed, "checks refused as too busy: above the limit of their client or of the gate"),
	ROW(crowded, "peers or clients refused because too many are known, or new at a time"),
	ROW(unsupported, "other requests: of another application, command or header"),
	ROW(bad_length, "connections closed for a message of a length that cannot be"),
	ROW(unasked, "answers that nobody asked for"),
	ROW(watchdogs, "watchdogs sent to silent peers"),
	ROW(suspected, "peers that did not answer a watchdog in time"),
	ROW(silent, "peers closed because they stayed silent"),
	ROW(goodbyes, "disconnections that we announced"),
	ROW(goodbyes_heard, "disconnections that peers announced"),
};

const struct clients *s13_client_table(const struct s13 *s13)
{
	return s13->clients;
}

struct counter_table s13_counter_table(const struct s13 *s13)
{
	return (struct counter_table){"s13", counter_rows, ARRAY_SIZE(counter_rows), &s13->counters};
}

const struct s13_counters *s13_counters(const struct s13 *s13)
{
	return &s13->counters;
}

const struct door *s13_door(const struct s13 *s13)
{
	return &s13->door;
}

const struct gate_place *s13_listening(const struct s13 *s13, unsigned n)
{
	return door_listening(&s13->door, n);
}

unsigned s13_clients(const struct s13 *s13)
{
	return clients_count(s13->clients);
}

static const char *const state_names[] = {
	[S13_WAIT_CER] = "cer awaited",
	[S13_OPEN] = "open",
	[S13_CLOSING] = "closing",
};

static const char *const watchdog_names[] = {
	[S13_OKAY] = "okay",
	[S13_ASKED] = "asked",
	[S13_SUSPECT] = "suspect",
};

void s13_each_peer(const struct s13 *s13, s13_peer_fn *fn, void *data)
{
	const struct s13_session *s;
	int64_t now = traffic_now_us(s13->traffic);

	llist_for_each_entry(s, &s13->sessions, entry) {
		const struct s13_peer_state state = {
			.name = s->client ? s->client->name : "?",
			.realm = s->client ? s->realm : "?",
			.state = state_names[s->state],
			.watchdog = watchdog_names[s->watchdog],
			.tls = s->conn->tls ? tls_describe(s->conn->tls) : "",
			.address = s->conn->remote,
			.transport = s->conn->transport,
			.id = s->client ? s->client->peer.id : 0,
			.agent = s->agent,
			.terms = s->client ? s->client->terms : (struct rate_terms){0},
			.up_s = (now - s->conn->since_us) / 1000000,
			.silent_s = (now - s->conn->heard_us) / 1000000,
			.checks = s->checks,
			.refused = s->refused,
			.shed = s->shed,
			.octets_in = s->conn->octets_in,
			.octets_out = s->conn->octets_out,
		};
		fn(&state, data);
	}
}
