/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One HTTP/2 connection to an NRF, and the requests of the NFManagement service over it (TS 29.510 6.1.3.3.3). */
#include "gate/nrf_caller.h"

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/talloc.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gate/h2.h"
#include "gate/log.h"
#include "gate/traffic.h"

#define PATH_TEXT  96
#define HOST_TEXT  (NRF_NAME_TEXT + 8)
#define AGENT_TEXT 64

/* A connection.  It frees itself when it is closed, which may be later than the caller has another. */
struct link {
	struct llist_head entry;
	struct nrf_caller *caller; /* NULL: dropped */
	struct nrf_server server;
	struct traffic_conn *conn;
	struct h2_session *session;
	bool answered; /* a call was, over it */
};

struct nrf_caller {
	struct traffic *traffic;
	nrf_reply_fn *replied;
	void *data;
	struct link *link;
	struct llist_head links; /* that one and those that are still closing */
	bool busy, reused;
	char why[96]; /* the last connection ended */
	struct h2_counters h2;
	struct h2_terms terms;
};

/* --- the connection */

static void link_connected(struct traffic_conn *conn)
{
	(void)conn; /* the call waits in the send buffer and leaves by itself */
}

static ssize_t link_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	return h2_consume(((struct link *)conn->data)->session, octets, len);
}

static void link_drained(struct traffic_conn *conn)
{
	h2_drained(((struct link *)conn->data)->session);
}

static void link_tick(struct traffic_conn *conn)
{
	h2_tick(((struct link *)conn->data)->session);
}

static void say_end(struct nrf_caller *caller, const struct traffic_conn *conn, enum traffic_end end)
{
	int err = conn->connect_errno;
	const char *said = err == EPROTO ? "TLS failed" : err ? strerror(err) : "";

	snprintf(caller->why, sizeof(caller->why), "%s%s%s", traffic_end_name(end), *said ? ": " : "", said);
}

/* What was under way is told from within h2_free, and may be followed by a call over another connection: so this one is
 * forgotten first. */
static void link_closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct link *link = conn->data;
	struct h2_session *session = link->session;

	if (link->caller) {
		link->caller->link = NULL;
		say_end(link->caller, conn, end);
	}
	llist_del(&link->entry);
	talloc_free(link);
	h2_free(session);
}

static const struct traffic_kind link_kind = {
	.name = "nrf",
	.log = DNRF,
	.in_size = H2_IN_SIZE,
	.out_size = H2_OUT_SIZE,
	.connected = link_connected,
	.consume = link_consume,
	.drained = link_drained,
	.tick = link_tick,
	.closed = link_closed,
};

void nrf_caller_forget(struct nrf_caller *caller)
{
	if (caller->busy && caller->link)
		h2_forget(caller->link->session, caller);
	caller->busy = false;
}

void nrf_caller_drop(struct nrf_caller *caller, bool politely)
{
	struct link *link = caller->link;

	nrf_caller_forget(caller);
	caller->link = NULL;
	if (!link)
		return;
	link->caller = NULL;
	if (politely && link->session && !link->conn->connecting)
		h2_goodbye(link->session);
	else
		traffic_close(link->conn, TRAFFIC_END_OURS);
}

static bool connect_to(struct nrf_caller *caller, const struct nrf_server *server, struct tls_context *tls)
{
	struct link *link = talloc_zero(caller, struct link);

	if (!link)
		return false;
	link->server = *server;
	if (tls || server->place.scheme == NRF_HTTP)
		link->conn = traffic_connect(caller->traffic, &link_kind, link, &server->place.address, tls,
					     tls ? link->server.name : NULL);
	if (!link->conn) {
		talloc_free(link);
		return false;
	}
	llist_add(&link->entry, &caller->links);
	link->caller = caller;
	caller->link = link;
	link->session = h2_client_alloc(link->conn, &caller->terms, caller);
	if (!link->session)
		nrf_caller_drop(caller, false);
	return caller->link;
}

/* The connection that there is, if it leads there and is good for another call; else a new one. */
static bool ready(struct nrf_caller *caller, const struct nrf_server *server, struct tls_context *tls)
{
	if (caller->link && !h2_leaving(caller->link->session) &&
	    !memcmp(&caller->link->server, server, sizeof(*server)))
		return true;
	nrf_caller_drop(caller, true);
	return connect_to(caller, server, tls);
}

/* --- calls */

static unsigned retry_after(const struct h2_text *text)
{
	unsigned s = 0;

	for (size_t i = 0; text->at && i < text->len && text->at[i] >= '0' && text->at[i] <= '9'; i++)
		s = s < NRF_RETRY_AFTER_S ? s * 10 + (unsigned)(text->at[i] - '0') : s;
	return s < NRF_RETRY_AFTER_S ? s : NRF_RETRY_AFTER_S;
}

static void answered(void *data, const struct h2_reply *h2)
{
	struct nrf_caller *caller = data;
	struct nrf_reply reply = {.status = h2->status, .body = h2->body.at, .len = h2->body.len};

	caller->busy = false;
	if (h2->outcome == H2_ANSWERED) {
		reply.retry_after_s = retry_after(&h2->header[0]);
		if (caller->link)
			caller->link->answered = true;
	} else {
		reply.status = 0;
		reply.why = h2->outcome == H2_GONE ? caller->why : h2_outcome_name(h2->outcome);
		reply.late = h2->outcome == H2_LATE;
		reply.stale = caller->reused && (h2->outcome == H2_GONE || h2->outcome == H2_REFUSED);
	}
	caller->replied(caller->data, &reply);
}

static const char *host_print(char buf[static HOST_TEXT], const struct nrf_server *server)
{
	char text[GATE_ADDRESS_TEXT];

	if (server->name[0])
		snprintf(buf, HOST_TEXT, "%s:%u", server->name, server->place.address.port);
	else
		snprintf(buf, HOST_TEXT, "%s", address_print_port(text, &server->place.address));
	return buf;
}

/* TS 29.500 5.2.2.2: the NF type, and behind it which one. */
static const char *agent_print(char buf[static AGENT_TEXT], const char *instance_id)
{
	snprintf(buf, AGENT_TEXT, TOKEN_AUDIENCE "-%s", instance_id);
	return buf;
}

bool nrf_caller_call(struct nrf_caller *caller, const struct nrf_server *server, struct tls_context *tls,
		     const char *method, const char *instance_id, const char *type, const char *body, size_t len)
{
	char path[PATH_TEXT], host[HOST_TEXT], agent[AGENT_TEXT];
	const struct h2_field fields[] = {
		h2_field_of("accept", "application/json,application/problem+json"),
		h2_field_of("user-agent", agent_print(agent, instance_id)),
		h2_field_of("content-type", type ? type : ""),
	};
	const struct h2_call call = {
		.method = method,
		.scheme = nrf_scheme_name(server->place.scheme),
		.authority = host_print(host, server),
		.path = path,
		.fields = fields,
		.n_fields = type ? 3 : 2,
		.body = body,
		.body_len = len,
		.timeout_ms = NRF_PATIENCE_S * 1000,
		.done = answered,
		.data = caller,
	};

	if (!ready(caller, server, tls))
		return false;
	snprintf(path, sizeof(path), "/nnrf-nfm/v1/nf-instances/%s", instance_id);
	caller->reused = caller->link->answered;
	caller->busy = h2_call(caller->link->session, &call) == 0;
	if (!caller->busy)
		return false;
	h2_flush(caller->link->session); /* may close it, with all that follows */
	return true;
}

bool nrf_caller_busy(const struct nrf_caller *caller)
{
	return caller->busy;
}

/* --- life */

static const char *const wanted[] = {"retry-after", NULL};

struct nrf_caller *nrf_caller_alloc(void *ctx, struct traffic *traffic, nrf_reply_fn *replied, void *data)
{
	struct nrf_caller *caller = talloc_zero(ctx, struct nrf_caller);

	if (!caller)
		return NULL;
	INIT_LLIST_HEAD(&caller->links);
	caller->traffic = traffic;
	caller->replied = replied;
	caller->data = data;
	caller->terms = (struct h2_terms){
		.wanted = wanted,
		.body_max = H2_BODY_MAX,
		.keep_body = true,
		.counters = &caller->h2,
	};
	return caller;
}

void nrf_caller_free(struct nrf_caller *caller)
{
	struct link *link, *next;

	if (!caller)
		return;
	nrf_caller_drop(caller, false);
	llist_for_each_entry_safe(link, next, &caller->links, entry)
		traffic_close(link->conn, TRAFFIC_END_OURS);
	talloc_free(caller);
}
