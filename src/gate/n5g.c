/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The N5g-eir interface as a whole: addresses, configuration, what is shown.  Connections are n5g_session.c's, requests
 * n5g_check.c's. */
#include "gate/n5g_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "gate/tls.h"

static const struct n5g_config no_config;

/* A text that answers may point to for as long as they like: those of old configurations stay. */
static struct h2_field keep(struct n5g *n5g, const char *name, char *text)
{
	struct h2_field field = {.name = name, .name_len = (uint16_t)strlen(name), .constant = true};

	field.value = text ? talloc_steal(n5g, text) : "";
	field.value_len = (uint16_t)strlen(field.value);
	return field;
}

/* Called for each configuration, so only what is new is kept. */
static void make_fields(struct n5g *n5g, const struct n5g_config *config)
{
	char *server = config->instance_id[0] ? talloc_asprintf(n5g, "5G_EIR-%s", config->instance_id)
					      : talloc_strdup(n5g, "5G_EIR");
	char *cache = config->max_age_s ? talloc_asprintf(n5g, "max-age=%u", config->max_age_s)
					: talloc_strdup(n5g, "no-store");

	if (server && n5g->server.value && !strcmp(server, n5g->server.value))
		talloc_free(server);
	else
		n5g->server = keep(n5g, "server", server);
	if (cache && n5g->cache.value && !strcmp(cache, n5g->cache.value))
		talloc_free(cache);
	else
		n5g->cache = keep(n5g, "cache-control", cache);
}

static void make_lengths(struct n5g *n5g)
{
	char buf[SBI_PROBLEM_TEXT];
	bool constant;
	size_t len;

	for (unsigned i = 0; i < N5G_USUAL; i++) {
		n5g_body((enum n5g_answer)i, NULL, buf, &len, &constant);
		n5g->length[i] = (struct h2_field){.name = "content-length", .name_len = 14, .constant = true};
		n5g->length[i].value = n5g->length_text[i];
		n5g->length[i].value_len = (uint16_t)snprintf(n5g->length_text[i], 4, "%u", (unsigned)len % 1000);
	}
}

#define ALPN "h2" /* RFC 9113 3.2 */

struct n5g *n5g_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers)
{
	struct n5g *n5g = talloc_zero(ctx, struct n5g);

	if (!n5g)
		return NULL;
	n5g->tokens = tokens_alloc(n5g);
	n5g->clients = clients_alloc(n5g, WEIR_IF_N5G, N5G_CLIENTS, check, peers);
	if (!n5g->tokens || !n5g->clients) {
		tokens_free(n5g->tokens);
		talloc_free(n5g);
		return NULL;
	}
	n5g->check = check;
	n5g->traffic = traffic;
	n5g->config = &no_config;
	n5g->terms = (struct h2_terms){
		.wanted = n5g_wanted,
		.body_max = N5G_BODY_MAX,
		.counters = &n5g->counters.h2,
		.requests = n5g_requests,
	};
	INIT_LLIST_HEAD(&n5g->sessions);
	door_init(&n5g->door, traffic, &n5g_kind, n5g);
	n5g->door.alpn = ALPN;
	make_lengths(n5g);
	make_fields(n5g, n5g->config);
	return n5g;
}

void n5g_stop(struct n5g *n5g)
{
	struct n5g_session *s, *next;

	n5g->stopping = true;
	door_close(&n5g->door);
	llist_for_each_entry_safe(s, next, &n5g->sessions, entry)
		h2_goodbye(s->h2);
	traffic_flush(n5g->traffic);
}

void n5g_free(struct n5g *n5g)
{
	if (!n5g)
		return;
	door_close(&n5g->door);
	while (!llist_empty(&n5g->sessions))
		traffic_close(llist_first_entry(&n5g->sessions, struct n5g_session, entry)->conn, TRAFFIC_END_OURS);
	tokens_free(n5g->tokens);
	talloc_free(n5g);
}

/* --- configuration */

static enum tls_demand demand_of(const struct n5g_config *config)
{
	return config->certificate_required ? TLS_PEER_MUST : TLS_PEER_MAY;
}

int n5g_check_config(const struct n5g_config *config, struct weir_why *why)
{
	struct tokens *tokens = tokens_alloc(NULL);
	int rc = tokens ? tokens_prepare(tokens, &config->token, config->instance_id, why) : -ENOMEM;

	tokens_free(tokens);
	return rc ? rc : door_check(n5g_kind.name, &config->door, demand_of(config), ALPN, why);
}

int n5g_prepare(struct n5g *n5g, const struct n5g_config *config, struct weir_why *why)
{
	int rc = tokens_prepare(n5g->tokens, &config->token, config->instance_id, why);

	n5g->next = config;
	n5g->door.demand = demand_of(config); /* of the context that is made now; abort takes it back */
	if (!rc && !n5g->stopping)
		rc = door_prepare(&n5g->door, &config->door, why);
	if (rc)
		n5g_abort(n5g);
	return rc;
}

void n5g_abort(struct n5g *n5g)
{
	tokens_abort(n5g->tokens);
	door_abort(&n5g->door);
	n5g->door.demand = demand_of(n5g->config);
	n5g->next = NULL;
}

void n5g_commit(struct n5g *n5g)
{
	struct n5g_session *s, *next;

	tokens_commit(n5g->tokens);
	if (!n5g->stopping)
		door_commit(&n5g->door);
	n5g->config = n5g->next;
	n5g->next = NULL;
	n5g->terms.max_streams = n5g->config->max_streams;
	make_fields(n5g, n5g->config);
	clients_refresh(n5g->clients, &n5g->config->door);
	llist_for_each_entry_safe(s, next, &n5g->sessions, entry)
		n5g_session_judge(s);
}

void n5g_policy_changed(struct n5g *n5g)
{
	clients_refresh(n5g->clients, &n5g->config->door);
}

/* --- what is shown */

#define ROW(field, text) COUNTER_ROW(struct n5g_counters, field, text)
#define ANSWER(n, word, text)                                                                                          \
	{                                                                                                              \
		"answer_" word, "answers with " text, offsetof(struct n5g_counters, answer[n])                         \
	}
#define H2(field, text)                                                                                                \
	{                                                                                                              \
		"h2_" #field, text, offsetof(struct n5g_counters, h2.field)                                            \
	}
#define CALM(n, word, text)                                                                                            \
	{                                                                                                              \
		"h2_calm_" word, text, offsetof(struct n5g_counters, h2.calm[n])                                       \
	}

static const struct counter_row counter_rows[] = {
	ROW(connected, "connections that were accepted"),
	ROW(stranger, "connections from an address that no peer rule covers"),
	ROW(forbidden, "checks of clients whose name is not allowed from their address"),
	ROW(unnumbered, "clients that came while as many as can be told apart were connected"),
	ROW(stamp_off, "requests whose sender's clock or ours must be wrong"),
	ROW(field_wrong, "3gpp-Sbi header fields that could not be read"),
	ROW(oci, "answers that said how much less should be sent"),
	ROW(lci, "answers that said what the load is"),
	ANSWER(N5G_WHITE, "white", "200 WHITELISTED"),
	ANSWER(N5G_GREY, "grey", "200 GREYLISTED"),
	ANSWER(N5G_BLACK, "black", "200 BLACKLISTED"),
	ANSWER(N5G_UNKNOWN, "unknown", "404 ERROR_EQUIPMENT_UNKNOWN"),
	ANSWER(N5G_API_INVALID, "invalid_api", "400 INVALID_API"),
	ANSWER(N5G_PARAM_INVALID, "invalid_query_param", "400 INVALID_QUERY_PARAM"),
	ANSWER(N5G_PARAM_MISSING, "pei_missing", "400 MANDATORY_QUERY_PARAM_MISSING"),
	ANSWER(N5G_PARAM_INCORRECT, "pei_incorrect", "400 MANDATORY_QUERY_PARAM_INCORRECT"),
	ANSWER(N5G_OPTION_INCORRECT, "optional_incorrect", "400 OPTIONAL_QUERY_PARAM_INCORRECT"),
	ANSWER(N5G_AUTHORIZE_TWICE, "authorization_incorrect", "400 OPTIONAL_IE_INCORRECT, two access tokens"),
	ANSWER(N5G_TOKEN_MISSING, "token_missing", "401, no access token"),
	ANSWER(N5G_TOKEN_INVALID, "token_invalid", "401 invalid_token"),
	ANSWER(N5G_TOKEN_SCOPE, "token_scope", "403 insufficient_scope"),
	ANSWER(N5G_FORBIDDEN, "forbidden", "403, by a peer or IMSI rule"),
	ANSWER(N5G_PATH_UNKNOWN, "path_unknown", "404 RESOURCE_URI_STRUCTURE_NOT_FOUND"),
	ANSWER(N5G_METHOD_WRONG, "method", "405"),
	ANSWER(N5G_NOT_ACCEPTABLE, "not_acceptable", "406"),
	ANSWER(N5G_BODY_TOO_LARGE, "body_too_large", "413"),
	ANSWER(N5G_URI_TOO_LONG, "uri_too_long", "414"),
	ANSWER(N5G_TOO_MANY, "too_many", "429, above the client's limit"),
	ANSWER(N5G_FIELDS_TOO_LARGE, "header_too_large", "431"),
	ANSWER(N5G_STORE_FAILED, "store_failed", "500 SYSTEM_FAILURE"),
	ANSWER(N5G_CONGESTED, "congested", "503, above the gate's capacity"),
	ANSWER(N5G_TOKEN_BUSY, "token_busy", "503, too many new access tokens"),
	ANSWER(N5G_TIMED_OUT, "timed_out", "504, too late to be of use"),
	H2(requests, "requests that came whole"),
	H2(resets_in, "streams that the client reset"),
	H2(resets_out, "streams that we reset"),
	H2(incomplete, "requests whose rest did not come in time"),
	H2(untaken, "answers that could not leave in time"),
	H2(stuck, "connections ended because answers stayed in the send buffer beyond their time"),
	H2(http1, "connections that spoke HTTP/1"),
	H2(no_preface, "connections that did not begin as HTTP/2 does"),
	H2(silent, "connections whose client did not answer PINGs"),
	H2(fields_cut, "requests with too many or too long header fields"),
	H2(body_cut, "requests with too long a body"),
	H2(broken, "connections ended by an error of the protocol"),
	CALM(H2_CALM_RESET, "reset", "connections ended for too many resets"),
	CALM(H2_CALM_CONTINUATION, "continuation",
	     "connections ended for too many header fields or CONTINUATION frames"),
	CALM(H2_CALM_PING, "ping", "connections ended for too many PING frames"),
	CALM(H2_CALM_SETTINGS, "settings", "connections ended for too many SETTINGS frames"),
	CALM(H2_CALM_DATA, "data", "connections ended for too many empty DATA frames"),
	CALM(H2_CALM_OTHER, "other", "connections ended for too many other frames that ask nothing"),
	CALM(H2_CALM_FAULT, "fault", "connections ended for too many faulty frames"),
};

const struct clients *n5g_client_table(const struct n5g *n5g)
{
	return n5g->clients;
}

struct counter_table n5g_counter_table(const struct n5g *n5g)
{
	return (struct counter_table){"n5g", counter_rows, ARRAY_SIZE(counter_rows), &n5g->counters};
}

struct tokens *n5g_tokens(const struct n5g *n5g)
{
	return n5g->tokens;
}

const struct door *n5g_door(const struct n5g *n5g)
{
	return &n5g->door;
}

void n5g_each_connection(const struct n5g *n5g, n5g_connection_fn *fn, void *data)
{
	const struct n5g_session *s;
	int64_t now = traffic_now_us(n5g->traffic);

	llist_for_each_entry(s, &n5g->sessions, entry) {
		struct n5g_connection_state state = {
			.client = s->client ? s->client->name : "?",
			.tls = s->conn->tls ? tls_describe(s->conn->tls) : NULL,
			.address = s->conn->remote,
			.transport = s->conn->transport,
			.id = s->client ? s->client->peer.id : 0,
			.terms = s->client ? s->client->terms : (struct rate_terms){0},
			.streams = h2_streams(s->h2),
			.up_s = (now - s->conn->since_us) / 1000000,
			.silent_s = (now - s->conn->heard_us) / 1000000,
			.requests = h2_requests(s->h2),
			.shed = s->shed,
			.octets_in = s->conn->octets_in,
			.octets_out = s->conn->octets_out,
			.leaving = h2_leaving(s->h2),
		};
		fn(&state, data);
	}
}
