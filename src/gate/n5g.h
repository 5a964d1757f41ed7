/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The N5g-eir interface (TS 29.511 over TS 29.500): an HTTP/2 server for AMFs and for proxies (SCP) in front of them.
 *
 * Client.  Who asks is told by the certificate of its connection, else by the subject of its access token, else by
 * its address.  That name is what peer rules allow, rate rules bound and the policy's terms are for; of several in a
 * certificate any may match, and the rules decide which one it is (config_compare_names).  Connections of
 * one name share its bucket, and the name keeps it when the last of them ends (gate/clients.h).  N5G_CLIENTS names
 * are told apart; while as many are connected, a new one is answered 503.  A connection from an address that no peer
 * rule covers is closed at once; a name that is not allowed from its address is answered 403.  A connection gives way
 * to newer ones (traffic.h) until a first request came from a client that is allowed.
 *
 * Request.  What wire/n5g.h finds wrong is answered at once and is no check.  The others are checks; in this order:
 *  token       where tokens are on (gate/token.h): 401, 403, or 503 where too many new ones come
 *  allowed     403
 *  in time     504 TIMED_OUT_REQUEST where 3gpp-Sbi-Max-Rsp-Time is over, counted from 3gpp-Sbi-Sender-Timestamp, or
 *              from when the request began to arrive where there is none, where it cannot be right, or where the
 *              configuration says so.  It cannot where it lies more than N5G_STAMP_LATE_S before that moment, which is
 *              longer than a proxy and TCP's repetitions hold a request, or behind it: where somebody's clock is
 *              wrong, an answer too many is better than none at all.  An answer that cannot leave in time (flow
 *              control, a full buffer) is replaced by a reset; where it is in the send buffer, which cannot be taken
 *              back, the connection ends.  That is looked at when something comes and once a second: so nothing leaves
 *              that is later than that, but for the last of a connection that ends (TRAFFIC_FINISH_S).  What the
 *              system took to send has left (TS 29.500 6.11)
 *  rate        429 above the client's own limit, 503 above the gate's capacity, by 3gpp-Sbi-Message-Priority
 *              (core/rate.h), both with Retry-After
 * Whatever ends there is counted as shed; the rest goes through check_answer, as one batch for each read and client.
 *
 * Answers.  white, grey, black: 200; unknown: 404 ERROR_EQUIPMENT_UNKNOWN.  Refusals of the policy: an identity 400, a
 * peer or an IMSI rule 403, a failed store 500 SYSTEM_FAILURE.
 *
 * Load.  With an NF instance id, answers carry 3gpp-Sbi-Oci while the gate sheds because of its capacity, and
 * 3gpp-Sbi-Lci when the load of the gate changed by N5G_LOAD_STEP since this connection was told, once a second at
 * most.
 *
 * End.  On SIGTERM a connection is told GOAWAY in two steps and ends when everything under way was answered. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/why.h"
#include "gate/address.h"
#include "gate/check.h"
#include "gate/counters.h"
#include "gate/h2.h"
#include "wire/n5g.h"

#define N5G_STAMP_LATE_S  10 /* so long a request may be on its way; a timestamp further back is not believed */
#define N5G_STAMP_AHEAD_S 1  /* clocks that agree may differ by so much; more is counted */
#define N5G_OCI_VALID_S   5
#define N5G_LOAD_STEP     20    /* percent */
#define N5G_CLIENTS       4096  /* names that are told apart, those that left included */
#define N5G_BODY_MAX      16384 /* octets of a body behind GET that are ignored; more is 413 */

struct clients;
struct n5g;
struct n5g_config;
struct peers;
struct tokens;
struct traffic;

struct n5g_counters {
	uint64_t connected, stranger;
	uint64_t forbidden;   /* checks of clients whose name is not allowed from there */
	uint64_t unnumbered;  /* clients without an id, as in gsup.h */
	uint64_t stamp_off;   /* requests whose sender's clock cannot be right */
	uint64_t field_wrong; /* 3gpp-Sbi header fields that could not be read, and were ignored */
	uint64_t oci, lci;    /* answers that carried them */
	uint64_t answer[N5G_N_ANSWERS];
	struct h2_counters h2;
};

/* Check, traffic and peers must outlive it. */
struct n5g *n5g_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers);
void n5g_free(struct n5g *n5g);

/* What is wrong with a configuration, whatever ports are free: 0, or a negative errno and why. */
int n5g_check_config(const struct n5g_config *config, struct weir_why *why);

/* Take a configuration into force, in two steps (door.h).  Commit closes vanished addresses, reads keys and
 * certificates anew, and says goodbye to clients that are no longer allowed.  config must stay until the next commit.
 */
int n5g_prepare(struct n5g *n5g, const struct n5g_config *config, struct weir_why *why);
void n5g_commit(struct n5g *n5g);
void n5g_abort(struct n5g *n5g);
/* The policy was replaced: resolve every client's terms again. */
void n5g_policy_changed(struct n5g *n5g);

/* SIGTERM: no new connections; those that stand end by themselves when they were answered, in H2_GOODBYE_S at most. */
void n5g_stop(struct n5g *n5g);

const char *n5g_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict); /* check.h */

const struct clients *n5g_client_table(const struct n5g *n5g); /* for their numbers */
struct counter_table n5g_counter_table(const struct n5g *n5g);
struct tokens *n5g_tokens(const struct n5g *n5g);   /* for their counters */
const struct door *n5g_door(const struct n5g *n5g); /* for its certificate and where it listens */

struct n5g_connection_state {
	const char *client; /* "?" before its first request */
	const char *tls;    /* "TLS1.3 ..."; NULL without */
	struct gate_address address;
	enum gate_transport transport;
	uint16_t id;
	struct rate_terms terms;
	unsigned streams;
	int64_t up_s, silent_s;
	uint64_t requests, shed, octets_in, octets_out; /* requests and shed of this connection */
	bool leaving;
};
typedef void n5g_connection_fn(const struct n5g_connection_state *connection, void *data);
void n5g_each_connection(const struct n5g *n5g, n5g_connection_fn *fn, void *data);
