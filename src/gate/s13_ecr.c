/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Checks over S13: what one read brought is read, judged, decided in one batch for each client, and answered in order
 * into the send buffer, which leaves as one write.
 *
 * In rounds of up to ROUND.  A round first collects what can be answered with the room there is, then acts on it; so
 * nothing is half done when the buffer is full: the rest stays in the receive buffer, unread, until there is room.
 * Must never allocate, take a clock or leave a request without an answer. */
#include "gate/s13_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROUND CHECK_BATCH

struct round {
	unsigned n;
	size_t len, need;                  /* octets of the n requests; of the answers at most */
	size_t wanted;                     /* for the answer of the one behind them; 0: there was room */
	struct gate_client *client[ROUND]; /* who asks; NULL: the answer is the fault in ecr.view */
	bool decided[ROUND];
	uint32_t room[ROUND]; /* for its answer, whatever it will be */
	struct s13_ecr ecr[ROUND];
	struct weir_verdict verdict[ROUND];
};

/* What a colour means on this wire. */
static const enum s13_status colour_status[WEIR_N_COLOURS] = {
	[WEIR_WHITE] = S13_WHITE,
	[WEIR_GREY] = S13_GREY,
	[WEIR_BLACK] = S13_BLACK,
	[WEIR_UNKNOWN] = S13_WHITE, /* never used: it is said another way */
};

bool s13_is_check(const struct diameter_message *m)
{
	const uint8_t flags = DIAMETER_REQUEST | DIAMETER_PROXIABLE;

	return m->version == 1 && m->command == S13_COMMAND && m->application == S13_APPLICATION &&
	       (m->flags & (flags | DIAMETER_ERROR)) == flags;
}

/* --- judging */

static enum diameter_result check_route(struct s13 *s13, const struct s13_ecr *ecr)
{
	const char *us = s13->us.origin_host;

	if (ecr->destination_host.at && !diameter_field_is(&ecr->view, &ecr->destination_host, us)) {
		s13->counters.undeliverable++;
		return DIAMETER_UNABLE_TO_DELIVER;
	}
	if (!s13_serves_realm(s13, &ecr->view, &ecr->destination_realm)) {
		s13->counters.undeliverable++;
		return DIAMETER_REALM_NOT_SERVED;
	}
	if (ecr->route_record.at && s13_passed(ecr, us)) {
		s13->counters.looped++;
		return DIAMETER_LOOP_DETECTED;
	}
	return DIAMETER_OK;
}

/* Somebody behind an agent.  NULL where too many new ones come with it, or there is no place. */
static struct gate_client *meet(struct s13_session *s, const char *name)
{
	struct clients *clients = s->s13->clients;
	int64_t now_us = traffic_now_us(s->s13->traffic);
	struct gate_client *client = clients_find(clients, name, now_us);

	if (client || !rate_take(&s->fresh, S13_NEW_CLIENTS, S13_NEW_CLIENTS, 1, now_us))
		return client;
	return clients_add(clients, name, now_us);
}

/* Who asks.  A peer that asks for itself, which is nearly always, costs one comparison. */
static enum diameter_result find_client(struct s13_session *s, const struct s13_ecr *ecr, struct gate_client **client)
{
	const uint8_t *host = diameter_value(&ecr->view, &ecr->origin_host);
	char name[DIAMETER_IDENTITY_TEXT];

	*client = s->client;
	if ((ecr->origin_host.len == s->host_len && !memcmp(host, s->host, s->host_len)) ||
	    diameter_field_is(&ecr->view, &ecr->origin_host, s->client->name))
		return DIAMETER_OK;
	if (!s->agent) {
		s->s13->counters.lent++;
		s13_session_gripe(s, "asks in another's name and is no agent; such checks are refused");
		return DIAMETER_AUTHORIZATION_REJECTED;
	}
	diameter_identity(&ecr->view, &ecr->origin_host, name);
	*client = meet(s, name);
	if (*client)
		return DIAMETER_OK;
	s->s13->counters.crowded++;
	return DIAMETER_TOO_BUSY;
}

/* Is there a foreign check left, for who asks, for who brings it, and for all of them?  Names are easily invented. */
static bool take_foreign(struct s13_session *s, struct gate_client *client)
{
	uint32_t limit = s->s13->config->foreign_limit, all = limit * S13_FOREIGN_CLIENTS;
	int64_t now_us = traffic_now_us(s->s13->traffic);

	return rate_take(&s->s13->foreign, all, all, 1, now_us) &&
	       rate_take(&s->client->foreign, limit, limit, 1, now_us) &&
	       (client == s->client || rate_take(&client->foreign, limit, limit, 1, now_us));
}

/* Not of a realm of ours: the client by its own word, or the peer that speaks for itself. */
static enum diameter_result check_foreign(struct s13_session *s, const struct s13_ecr *ecr, struct gate_client *client)
{
	const struct s13_config *config = s->s13->config;

	if (s13_serves_realm(s->s13, &ecr->view, &ecr->origin_realm) && (s->agent || s->home))
		return DIAMETER_OK;
	s->s13->counters.foreign++;
	if (config->foreign_refuse) {
		s->s13->counters.foreign_shed++;
		return DIAMETER_AUTHORIZATION_REJECTED;
	}
	if (take_foreign(s, client))
		return DIAMETER_OK;
	s->s13->counters.foreign_shed++;
	return DIAMETER_TOO_BUSY;
}

/* What an agent brings counts for it too, as far as it has a limit; its reservation is for what it asks itself. */
static bool agent_admits(struct s13_session *s, struct gate_client *client)
{
	const struct rate_terms terms = {.limit = s->client->terms.limit};

	return client == s->client || !terms.limit ||
	       rate_admit(&s->client->rate, &terms, NULL, 0, 0, traffic_now_us(s->s13->traffic)) == RATE_ADMIT;
}

static enum diameter_result check_rate(struct s13_session *s, const struct s13_ecr *ecr, struct gate_client *client)
{
	struct s13 *s13 = s->s13;
	unsigned drmp = ecr->priority == S13_PRIORITY_NONE ? RATE_DEFAULT_DRMP : ecr->priority;

	if (!agent_admits(s, client))
		return DIAMETER_TOO_BUSY;
	if (rate_admit(&client->rate, &client->terms, &s13->check->rate, s13->check->capacity, 2 * drmp,
		       traffic_now_us(s13->traffic)) == RATE_ADMIT)
		return DIAMETER_OK;
	return DIAMETER_TOO_BUSY;
}

/* May this be decided?  Else why not. */
static enum diameter_result admit(struct s13_session *s, const struct s13_ecr *ecr, struct gate_client **client)
{
	enum diameter_result result = find_client(s, ecr, client);

	if (result == DIAMETER_OK)
		result = check_foreign(s, ecr, *client);
	if (result == DIAMETER_OK)
		result = check_rate(s, ecr, *client);
	if (result == DIAMETER_OK)
		return result;
	check_shed(s->s13->check, WEIR_IF_S13, 1);
	if (*client)
		client_count(*client, 1, 1);
	if (result == DIAMETER_TOO_BUSY) {
		s->s13->counters.shed++;
		s->shed++;
	}
	return result;
}

static void judge(struct s13_session *s, struct s13_ecr *ecr, struct gate_client **client)
{
	enum diameter_result result;

	*client = NULL;
	s->s13->counters.requests++;
	s->s13->counters.resent += (ecr->view.message.flags & DIAMETER_RESENT) != 0;
	if (ecr->view.fault.result != DIAMETER_OK) {
		s->s13->counters.faulty++;
		return;
	}
	result = check_route(s->s13, ecr);
	if (result == DIAMETER_OK)
		result = admit(s, ecr, client);
	if (result == DIAMETER_OK)
		return;
	*client = NULL;
	diameter_blame(&ecr->view, result, NULL, NULL);
}

/* --- rounds */

/* Room for whatever the answer will be. */
static size_t room_for(const struct s13 *s13, const struct s13_ecr *ecr)
{
	if (ecr->view.fault.result != DIAMETER_OK)
		return diameter_answer_room(&ecr->view.message);
	return s13_answer_room(ecr, &s13->tail);
}

/* False: there is no room for the answer to this one yet. */
static bool collect_one(struct s13_session *s, struct round *r, const struct diameter_message *m)
{
	struct s13_ecr *ecr = &r->ecr[r->n];
	size_t room;

	s13_read_ecr(m, ecr);
	room = room_for(s->s13, ecr);
	if (traffic_room(s->conn) < r->need + room) {
		r->wanted = room;
		return false;
	}
	judge(s, ecr, &r->client[r->n]);
	r->decided[r->n] = false;
	r->room[r->n] = (uint32_t)room;
	r->need += room;
	r->len += m->len;
	r->n++;
	return true;
}

static void collect(struct s13_session *s, struct round *r, const uint8_t *octets, size_t len)
{
	struct diameter_message m;

	r->n = 0;
	r->len = r->need = r->wanted = 0;
	while (r->n < ROUND && diameter_next(octets + r->len, len - r->len, &m) == DIAMETER_WHOLE && s13_is_check(&m)) {
		if (!collect_one(s, r, &m))
			return;
	}
}

/* All of one client, from the first of them on. */
static void decide_client(struct s13 *s13, struct round *r, unsigned first)
{
	struct gate_client *client = r->client[first];
	struct weir_query query[ROUND];
	struct weir_verdict verdict[ROUND];
	uint8_t place[ROUND];
	unsigned n = 0;

	for (unsigned i = first; i < r->n; i++) {
		const struct s13_ecr *ecr = &r->ecr[i];
		if (r->client[i] != client)
			continue;
		query[n] = (struct weir_query){
			.imei = ecr->reading.imei,
			.imsi = ecr->imsi,
			.fault = ecr->imei_fault,
			.interface = WEIR_IF_S13,
			.terms = client->peer.terms,
		};
		r->decided[i] = true;
		place[n++] = (uint8_t)i;
	}
	check_answer(s13->check, WEIR_IF_S13, &client->peer, query, verdict, n, traffic_wall_s(s13->traffic));
	client_count(client, n, 0);
	for (unsigned i = 0; i < n; i++)
		r->verdict[place[i]] = verdict[i];
}

static void decide(struct s13 *s13, struct round *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->client[i] && !r->decided[i])
			decide_client(s13, r, i);
	}
}

/* --- answers */

static int refuse(struct s13 *s13, const struct s13_ecr *ecr, uint8_t *to, size_t room)
{
	return s13_refuse(&ecr->view.message, &s13->us, &ecr->view.fault, to, room);
}

/* What a refusal of the policy is on this wire. */
static enum diameter_result refusal_of(const struct weir_verdict *verdict)
{
	switch (verdict->tally) {
	case WEIR_TALLY_MALFORMED:
		return DIAMETER_INVALID_AVP_VALUE;
	case WEIR_TALLY_FAILED:
		return DIAMETER_UNABLE_TO_COMPLY;
	default:
		return DIAMETER_AUTHORIZATION_REJECTED;
	}
}

const char *s13_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict)
{
	if (verdict->answer == WEIR_ANSWER_REFUSE)
		snprintf(buf, CHECK_WORDS_TEXT, "%d (%s)", refusal_of(verdict),
			 diameter_result_name(refusal_of(verdict)));
	else if (verdict->colour == WEIR_UNKNOWN)
		snprintf(buf, CHECK_WORDS_TEXT, "%d (equipment unknown)", S13_ERROR_UNKNOWN);
	else
		snprintf(buf, CHECK_WORDS_TEXT, "%d, Equipment-Status %d (%s)", DIAMETER_SUCCESS,
			 colour_status[verdict->colour], colour_name(verdict->colour));
	return buf;
}

static int refuse_decided(struct s13 *s13, struct s13_ecr *ecr, const struct weir_verdict *verdict, uint8_t *to,
			  size_t room)
{
	if (verdict->tally == WEIR_TALLY_MALFORMED)
		s13_blame_imei(ecr, refusal_of(verdict));
	else
		diameter_blame(&ecr->view, refusal_of(verdict), NULL, NULL);
	return refuse(s13, ecr, to, room);
}

static int encode(struct s13 *s13, struct round *r, unsigned i, uint8_t *to, size_t room)
{
	const struct weir_verdict *verdict = &r->verdict[i];
	struct s13_ecr *ecr = &r->ecr[i];

	if (!r->client[i])
		return refuse(s13, ecr, to, room);
	if (verdict->answer == WEIR_ANSWER_REFUSE)
		return refuse_decided(s13, ecr, verdict, to, room);
	if (verdict->colour == WEIR_UNKNOWN)
		return s13_answer_unknown(ecr, &s13->tail, to, room);
	return s13_answer(ecr, &s13->tail, colour_status[verdict->colour], to, room);
}

static int answer(struct s13_session *s, struct round *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		uint8_t *to = traffic_reserve(s->conn, r->room[i]);
		int len = to ? encode(s->s13, r, i, to, r->room[i]) : -ENOBUFS;

		if (len < 0)
			return len; /* cannot be: collect counted it.  Rather no connection than no answer. */
		traffic_commit(s->conn, (size_t)len);
		s->refused += r->ecr[i].view.fault.result != DIAMETER_OK;
	}
	s->checks += r->n;
	return 0;
}

ssize_t s13_checks(struct s13_session *s, const uint8_t *octets, size_t len)
{
	struct round r;

	collect(s, &r, octets, len);
	if (!r.n) {
		s13_session_await_room(s, r.wanted);
		return 0;
	}
	decide(s->s13, &r);
	if (answer(s, &r) < 0)
		return -EPROTO;
	return (ssize_t)r.len;
}
