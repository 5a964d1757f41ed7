/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The base protocol (RFC 6733 clause 5): who may come in, watchdogs, goodbyes, and the answers to what nobody here
 * knows.  One message at a time; none of this is the path of a check. */
#include "gate/s13_session.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"
#include "gate/tls.h"

#define US 1000000ll

static const struct diameter_application s13_application = {DIAMETER_3GPP, S13_APPLICATION};

/* What is wrong with a request before any of its AVPs is read.  PROXIABLE is what its command demands. */
static enum diameter_result header_fault(const struct diameter_message *m, uint8_t proxiable)
{
	if (m->version != 1)
		return DIAMETER_UNSUPPORTED_VERSION;
	if ((m->flags & DIAMETER_ERROR) || (m->flags & DIAMETER_PROXIABLE) != proxiable)
		return DIAMETER_INVALID_HDR_BITS;
	return DIAMETER_OK;
}

static bool is_request(const struct diameter_message *m, uint32_t command)
{
	return (m->flags & DIAMETER_REQUEST) && m->application == 0 && m->command == command;
}

typedef int write_fn(const struct diameter_message *request, const struct diameter_us *us,
		     const struct diameter_fault *fault, uint8_t *buf, size_t size);

static int reply(struct s13_session *s, const struct diameter_message *m, const struct diameter_fault *fault,
		 write_fn *write, size_t room)
{
	uint8_t *to = traffic_reserve(s->conn, room);
	int len = to ? write(m, &s->s13->us, fault, to, room) : -ENOSPC;

	if (len < 0)
		return -EPROTO;
	traffic_commit(s->conn, (size_t)len);
	return 0;
}

static void send_error(struct s13_session *s, const struct diameter_message *m, enum diameter_result result)
{
	const struct diameter_fault fault = {.result = result};

	reply(s, m, &fault, diameter_error, diameter_answer_room(m)); /* where there is room: it may be the last word */
}

void s13_base_bad_length(struct s13_session *s, const struct diameter_message *m)
{
	s->s13->counters.bad_length++;
	s13_session_gripe(s, s->state == S13_WAIT_CER && m->version == TLS_HANDSHAKE
				     ? "began with TLS on a port without it"
				     : "sent a message of a length that cannot be");
	/* to a stranger only where it begins like a CER: anything may knock here */
	if (m->version == 1 && (m->flags & DIAMETER_REQUEST) &&
	    (s->state != S13_WAIT_CER || is_request(m, DIAMETER_CAPABILITIES_EXCHANGE)))
		send_error(s, m, DIAMETER_INVALID_MESSAGE_LENGTH);
}

/* --- capabilities */

static unsigned homes(const struct traffic_conn *conn, struct diameter_address *out)
{
	struct gate_address local[GATE_HOMES];
	unsigned n = traffic_local(conn, local, GATE_HOMES);

	for (unsigned i = 0; i < n; i++) {
		out[i].family = local[i].family == AF_INET ? 1 : 2;
		memcpy(out[i].octets, local[i].octets, sizeof(out[i].octets));
	}
	return n;
}

static void send_cea(struct s13_session *s, const struct diameter_message *m, const struct diameter_fault *fault)
{
	struct diameter_address address[GATE_HOMES];
	const struct diameter_capabilities us = {
		.us = s->s13->us,
		.application = s13_application,
		.product = "Weir",
		.firmware = S13_FIRMWARE,
		.address = address,
		.n_addresses = homes(s->conn, address),
	};
	size_t room = diameter_answer_room(m) + DIAMETER_BASE_ROOM;
	uint8_t *to = traffic_reserve(s->conn, room);
	int len = to ? diameter_cea(m, &us, fault, to, room) : -ENOSPC;

	if (len > 0)
		traffic_commit(s->conn, (size_t)len);
}

/* Told why, then closed. */
static int turn_away(struct s13_session *s, const struct diameter_message *m, const struct diameter_fault *fault,
		     uint64_t *counter, const char *what)
{
	(*counter)++;
	s13_session_gripe(s, what);
	send_cea(s, m, fault);
	return -EPROTO;
}

static int turn_away_for(struct s13_session *s, const struct diameter_message *m, enum diameter_result result,
			 uint64_t *counter, const char *what)
{
	const struct diameter_fault fault = {.result = result};

	return turn_away(s, m, &fault, counter, what);
}

/* Of the client's sessions in this state, the one that is open longest; and how many there are. */
static struct s13_session *oldest_of(const struct s13 *s13, const struct gate_client *client, enum s13_state state,
				     unsigned *n)
{
	struct s13_session *s, *oldest = NULL;

	*n = 0;
	llist_for_each_entry(s, &s13->sessions, entry) {
		if (s->client != client || s->state != state)
			continue;
		if ((*n)++ == 0)
			oldest = s;
	}
	return oldest;
}

static void replace(struct s13_session *s)
{
	static const char what[] = "replaced by a newer connection of the same peer";

	int level = s13_session_level(s, &s->s13->goings, what);

	s->s13->counters.replaced++;
	LOGSESSION(s, level, "%s\n", what);
	s13_session_goodbye(s, DIAMETER_DO_NOT_WANT_TO_TALK_TO_YOU);
}

/* Would a connection of this name, of another host and well, have to go for it?  RFC 6733 5.6 rejects the newcomer; a
 * peer that comes back from the same host knows better than we do whether its old connection is dead. */
static bool is_impostor(const struct s13_session *newcomer, const struct gate_client *client)
{
	unsigned n;
	const struct s13_session *oldest = oldest_of(newcomer->s13, client, S13_OPEN, &n);

	return oldest && n >= newcomer->s13->config->connections_per_peer && oldest->watchdog == S13_OKAY &&
	       !address_same_host(&oldest->conn->remote, &newcomer->conn->remote);
}

/* Above what the configuration allows, the oldest connections of the same peer go; above S13_LEAVING on their way out,
 * the oldest of those are waited for no longer. */
static void limit_connections(const struct s13 *s13, const struct gate_client *client)
{
	struct s13_session *oldest;
	unsigned n;

	while ((oldest = oldest_of(s13, client, S13_OPEN, &n)) && n > s13->config->connections_per_peer)
		replace(oldest);
	while ((oldest = oldest_of(s13, client, S13_CLOSING, &n)) && n > S13_LEAVING)
		s13_session_cut(oldest, TRAFFIC_END_OURS);
}

static void open_session(struct s13_session *s, const struct diameter_cer *cer, struct gate_client *client)
{
	static const struct diameter_fault none = {.result = DIAMETER_SUCCESS};
	struct s13 *s13 = s->s13;
	int level;

	memcpy(s->host, diameter_value(&cer->view, &cer->origin_host), cer->origin_host.len);
	s->host_len = cer->origin_host.len;
	diameter_identity(&cer->view, &cer->origin_realm, s->realm);
	s->home = s13_serves_realm(s13, &cer->view, &cer->origin_realm);
	s->agent = s13_is_agent(s13->config, client->name);
	s->client = client;
	clients_join(client);
	s->state = S13_OPEN;
	llist_del(&s->entry); /* behind those that were open before it */
	llist_add_tail(&s->entry, &s13->sessions);
	s13->counters.connected++;
	traffic_known(s->conn);
	send_cea(s, &cer->view.message, &none);
	s13_session_draw_tw(s);
	level = s13_session_level(s, &s13->comings, "connected");
	LOGSESSION(s, level, "connected, realm %s%s%s\n", s->realm, s->agent ? ", an agent" : "",
		   s->home ? "" : ", foreign");
	limit_connections(s13, client);
}

/* Who does it say it is, and may it? */
static int judge_cer(struct s13_session *s, const struct diameter_cer *cer)
{
	const struct diameter_message *m = &cer->view.message;
	char name[DIAMETER_IDENTITY_TEXT], realm[DIAMETER_IDENTITY_TEXT];
	struct s13 *s13 = s->s13;
	struct gate_client *client;

	diameter_identity(&cer->view, &cer->origin_host, name);
	diameter_identity(&cer->view, &cer->origin_realm, realm);
	if (!config_allows_identity(&s13->config->door, name, realm, &s->conn->remote) ||
	    !strcmp(name, s13->us.origin_host))
		return turn_away_for(s, m, DIAMETER_UNKNOWN_PEER, &s13->counters.unknown_peer,
				     "refused: no peer rule allows this name and realm from this address");
	if (s->conn->tls && !tls_peer_is(s->conn->tls, name))
		return turn_away_for(s, m, DIAMETER_UNKNOWN_PEER, &s13->counters.uncertified,
				     "refused: its certificate does not carry its Origin-Host");
	if (!diameter_cer_offers(cer, &s13_application))
		return turn_away_for(s, m, DIAMETER_NO_COMMON_APPLICATION, &s13->counters.no_common,
				     "refused: it neither speaks S13 nor relays");
	if (!diameter_cer_without_security(cer))
		return turn_away_for(s, m, DIAMETER_NO_COMMON_SECURITY, &s13->counters.insecure,
				     "refused: it wants security inside of the connection");
	client = clients_get(s13->clients, name, traffic_now_us(s13->traffic));
	if (!client)
		return turn_away_for(s, m, DIAMETER_TOO_BUSY, &s13->counters.crowded,
				     "refused: as many peers as can be told apart are connected");
	if (!rate_take(&client->comings, S13_CERS, S13_CERS_BURST, 1, traffic_now_us(s13->traffic)))
		return turn_away_for(s, m, DIAMETER_TOO_BUSY, &s13->counters.hasty,
				     "refused: it came too often in a second");
	if (is_impostor(s, client))
		return turn_away_for(s, m, DIAMETER_UNKNOWN_PEER, &s13->counters.impostors,
				     "refused: its name is connected from another host, and well");
	open_session(s, cer, client);
	return 0;
}

static int first_cer(struct s13_session *s, const struct diameter_message *m)
{
	enum diameter_result result = header_fault(m, 0);
	struct diameter_cer cer;

	if (result != DIAMETER_OK)
		return turn_away_for(s, m, result, &s->s13->counters.violated, "refused: its CER has a wrong header");
	if (diameter_read_cer(m, &cer) != DIAMETER_OK)
		return turn_away(s, m, &cer.view.fault, &s->s13->counters.violated, "refused: its CER cannot be read");
	return judge_cer(s, &cer);
}

/* In an open session: the same peer may ask again, nobody else. */
static int another_cer(struct s13_session *s, const struct diameter_message *m)
{
	static const struct diameter_fault none = {.result = DIAMETER_SUCCESS};
	struct diameter_cer cer;

	if (diameter_read_cer(m, &cer) != DIAMETER_OK)
		return turn_away(s, m, &cer.view.fault, &s->s13->counters.violated, "a second CER cannot be read");
	if (!diameter_field_is(&cer.view, &cer.origin_host, s->client->name) ||
	    !diameter_field_is(&cer.view, &cer.origin_realm, s->realm))
		return turn_away_for(s, m, DIAMETER_UNKNOWN_PEER, &s->s13->counters.violated,
				     "a second CER has another name");
	send_cea(s, m, &none);
	return 0;
}

/* --- watchdog and goodbye */

static int take_dwr(struct s13_session *s, const struct diameter_message *m)
{
	struct diameter_fault fault = {.result = DIAMETER_SUCCESS};
	struct diameter_dwr dwr;

	if (diameter_read_dwr(m, &dwr) != DIAMETER_OK)
		fault = dwr.view.fault;
	return reply(s, m, &fault, diameter_dwa, diameter_answer_room(m) + DIAMETER_BASE_ROOM);
}

/* The peer goes, and closes when it has our answer. */
static int take_dpr(struct s13_session *s, const struct diameter_message *m)
{
	struct diameter_fault fault = {.result = DIAMETER_SUCCESS};
	struct diameter_dpr dpr;

	if (diameter_read_dpr(m, &dpr) != DIAMETER_OK)
		fault = dpr.view.fault;
	if (reply(s, m, &fault, diameter_dpa, diameter_answer_room(m) + DIAMETER_BASE_ROOM))
		return -EPROTO;
	if (fault.result != DIAMETER_SUCCESS)
		return 0;
	s->s13->counters.goodbyes_heard++;
	s->state = S13_CLOSING;
	s->deadline_us = traffic_now_us(s->s13->traffic) + S13_CLOSE_S * US;
	return 0;
}

/* Ours are DWA and DPA; what they say is no matter, only that they came. */
static void take_answer(struct s13_session *s, const struct diameter_message *m)
{
	bool ours = m->hop_by_hop == s->hop_by_hop && m->application == 0;

	if (ours && m->command == DIAMETER_DISCONNECT_PEER && s->said_goodbye)
		s13_session_end(s, TRAFFIC_END_OURS);
	else if (!ours || m->command != DIAMETER_DEVICE_WATCHDOG)
		s->s13->counters.unasked++;
}

/* --- all of it */

static const struct {
	uint32_t command;
	int (*take)(struct s13_session *s, const struct diameter_message *m);
} commands[] = {
	{DIAMETER_CAPABILITIES_EXCHANGE, another_cer},
	{DIAMETER_DEVICE_WATCHDOG, take_dwr},
	{DIAMETER_DISCONNECT_PEER, take_dpr},
};

/* A request that is no check and no command of the base protocol, or has a header that neither has. */
static void refuse_unknown(struct s13_session *s, const struct diameter_message *m)
{
	enum diameter_result result = header_fault(m, m->flags & DIAMETER_PROXIABLE);

	if (result == DIAMETER_OK && m->application != 0 && m->application != S13_APPLICATION)
		result = DIAMETER_APPLICATION_UNSUPPORTED;
	else if (result == DIAMETER_OK && m->application == S13_APPLICATION && m->command == S13_COMMAND)
		result = DIAMETER_INVALID_HDR_BITS; /* not proxiable */
	else if (result == DIAMETER_OK)
		result = DIAMETER_COMMAND_UNSUPPORTED;
	s->s13->counters.unsupported++;
	send_error(s, m, result);
}

int s13_base_message(struct s13_session *s, const struct diameter_message *m)
{
	if (s->state == S13_WAIT_CER) {
		if (is_request(m, DIAMETER_CAPABILITIES_EXCHANGE))
			return first_cer(s, m);
		s->s13->counters.violated++;
		s13_session_gripe(s, "spoke before it said who it is");
		return -EPROTO;
	}
	if (!(m->flags & DIAMETER_REQUEST)) {
		take_answer(s, m);
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (is_request(m, commands[i].command) && header_fault(m, 0) == DIAMETER_OK)
			return commands[i].take(s, m);
		if (is_request(m, commands[i].command)) {
			s->s13->counters.unsupported++;
			send_error(s, m, header_fault(m, 0));
			return 0;
		}
	}
	refuse_unknown(s, m);
	return 0;
}
