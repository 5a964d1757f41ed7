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

const char *n5g_session_name(const struct n5g_session *s, char buf[static GATE_ADDRESS_TEXT])
{
	const char *name = s->conn->tls && tls_peer_shown(s->conn->tls) ? tls_peer_name(s->conn->tls) : "";

	return *name ? name : address_print(buf, &s->conn->remote);
}

int n5g_session_meet(struct n5g_session *s, const char *name)
{
	struct n5g_client *client;

	if (s->client && !strncmp(s->client->name, name, sizeof(s->client->name) - 1))
		return 0;
	client = n5g_client_get(s->n5g, name);
	if (!client)
		return -ENOMEM;
	n5g_client_put(s->n5g, s->client);
	s->client = client;
	s->allowed = config_allows_peer(&s->n5g->config->door, client->name, &s->conn->remote);
	return 0;
}

void n5g_session_judge(struct n5g_session *s)
{
	const struct door_config *door = &s->n5g->config->door;

	if (s->client)
		s->allowed = config_allows_peer(door, s->client->name, &s->conn->remote);
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
	n5g_client_put(n5g, s->client);
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
