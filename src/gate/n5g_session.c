/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One connection of the N5g-eir interface: from accept to its end, and who is at the other end.  Frames are h2.c's,
 * requests n5g_check.c's. */
#include "gate/n5g_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"
#include "gate/tls.h"

/* Of the names in its certificate. */
static const char *choose_name(const struct n5g_session *s)
{
	const struct door_config *door = &s->n5g->config->door;
	const char *best = NULL, *name;

	for (unsigned i = 0; s->conn->tls && (name = tls_peer_name(s->conn->tls, i)); i++) {
		if (!best || config_compare_names(door, &s->conn->remote, name, best) < 0)
			best = name;
	}
	return best;
}

const char *n5g_session_certified(struct n5g_session *s)
{
	if (!s->certified)
		s->certified = choose_name(s);
	return s->certified;
}

/* Only now it need not give way: whoever speaks HTTP/2 has shown nothing that a stranger could not. */
static void judge(struct n5g_session *s)
{
	s->allowed = config_allows_identity(&s->n5g->config->door, s->client->name, NULL, &s->conn->remote);
	if (s->allowed)
		traffic_known(s->conn);
}

int n5g_session_meet(struct n5g_session *s, const char *name)
{
	int64_t now_us = traffic_now_us(s->n5g->traffic);
	struct gate_client *client;

	if (s->client && !strcmp(s->client->name, name))
		return 0;
	client = clients_get(s->n5g->clients, name, now_us);
	if (!client || (!client->users && client->peer.id == PEER_NONE))
		s->n5g->counters.unnumbered++;
	if (!client)
		return -EBUSY;
	clients_join(client);
	clients_leave(s->n5g->clients, s->client, now_us);
	s->client = client;
	judge(s);
	return 0;
}

void n5g_session_judge(struct n5g_session *s)
{
	const struct door_config *door = &s->n5g->config->door;
	char address[GATE_ADDRESS_TEXT];
	const char *name;

	s->certified = NULL; /* by other rules another of its names may be the one */
	if (s->client && !s->by_token) {
		name = n5g_session_certified(s);
		/* where there is no place it keeps the one it has */
		n5g_session_meet(s, name ? name : address_print(address, &s->conn->remote));
	}
	if (s->client)
		judge(s);
	if (s->client ? !s->allowed : !config_covers_address(door, &s->conn->remote))
		h2_goodbye(s->h2);
}

static bool accepted(struct traffic_conn *conn, void *owner)
{
	struct n5g *n5g = owner;
	struct n5g_session *s;
	char text[GATE_ADDRESS_TEXT];

	if (!config_covers_address(&n5g->config->door, &conn->remote)) {
		n5g->counters.stranger++;
		if (gripe_now(&n5g->strangers, &conn->remote, traffic_now_us(n5g->traffic)))
			LOGP(DN5G, LOGL_NOTICE, "%s: refused: no peer rule covers this address\n",
			     address_print_port(text, &conn->remote));
		return false;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->h2 = h2_server_alloc(conn, &n5g->terms, s);
	if (!s->h2) {
		free(s);
		return false;
	}
	s->n5g = n5g;
	s->conn = conn;
	s->asker.from = conn->remote;
	conn->data = s;
	llist_add_tail(&s->entry, &n5g->sessions);
	n5g->counters.connected++;
	return true;
}

static ssize_t consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	struct n5g_session *s = conn->data;

	return h2_consume(s->h2, octets, len);
}

static void drained(struct traffic_conn *conn)
{
	struct n5g_session *s = conn->data;

	h2_drained(s->h2);
}

static void tick(struct traffic_conn *conn)
{
	struct n5g_session *s = conn->data;

	h2_tick(s->h2);
}

static void closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct n5g_session *s = conn->data;
	struct n5g *n5g = s->n5g;
	const char *reason = h2_ending(s->h2);
	char text[GATE_ADDRESS_TEXT];

	conn->data = NULL;
	if (reason && gripe_now(&n5g->faults, &conn->remote, traffic_now_us(n5g->traffic)))
		LOGP(DN5G, LOGL_NOTICE, "%s (%s): ended: %s\n", s->client ? s->client->name : "?",
		     address_print_port(text, &conn->remote), reason);
	else
		LOGP(DN5G, LOGL_INFO, "%s (%s): %s\n", s->client ? s->client->name : "?",
		     address_print_port(text, &conn->remote), traffic_end_name(end));
	h2_free(s->h2);
	clients_leave(n5g->clients, s->client, traffic_now_us(n5g->traffic));
	llist_del(&s->entry);
	free(s);
}

const struct traffic_kind n5g_kind = {
	.name = "n5g",
	.log = DN5G,
	.in_size = H2_IN_SIZE,
	.out_size = H2_OUT_SIZE,
	.accepted = accepted,
	.consume = consume,
	.drained = drained,
	.tick = tick,
	.closed = closed,
};
