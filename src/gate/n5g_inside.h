/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of the N5g-eir interface share; private to them.
 *
 * n5g.c          the interface: configuration, what is shown
 * n5g_session.c  one connection: accept, end, who is at the other end
 * n5g_check.c    requests: judge, decide, answer
 * n5g_load.c     what clients are told of load and overload */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>

#include "gate/check.h"
#include "gate/clients.h"
#include "gate/config.h"
#include "gate/door.h"
#include "gate/gripe.h"
#include "gate/n5g.h"
#include "gate/peers.h"
#include "gate/tls.h"
#include "gate/token.h"
#include "gate/traffic.h"

#define N5G_USUAL (N5G_UNKNOWN + 1)

_Static_assert(CLIENT_NAME_TEXT >= TLS_NAME_TEXT && CLIENT_NAME_TEXT >= TOKEN_SUBJECT_TEXT &&
		       CLIENT_NAME_TEXT >= GATE_ADDRESS_TEXT,
	       "a client has its whole name");

struct n5g_session {
	struct llist_head entry;
	struct n5g *n5g;
	struct traffic_conn *conn;
	struct h2_session *h2;
	struct gate_client *client; /* of the last request; NULL before the first */
	const char *certified;      /* the one of its certificate's names that counts; NULL: not chosen yet, or none */
	bool allowed;               /* that client, from there */
	bool by_token;              /* its name is that of its last token */
	struct token_asker asker;
	unsigned told_load;
	uint32_t told_s;
	uint64_t shed;
};

/* n5g_load.c: counted by the second of the wall clock. */
struct n5g_load {
	uint32_t second;
	uint64_t taken, shed;  /* by the gate's capacity, until this second began (core/rate.h) */
	uint32_t oci_until_s;  /* answers carry it while this is not over */
	uint32_t oci_s, lci_s; /* when the texts were made */
	unsigned lci_load;
	char oci[SBI_CONTROL_TEXT], lci[SBI_CONTROL_TEXT], date[SBI_DATE_TEXT];
};

struct n5g {
	struct check *check;
	struct traffic *traffic;
	const struct n5g_config *config, *next;
	struct door door;
	struct tokens *tokens;
	struct h2_terms terms;
	struct llist_head sessions;
	struct clients *clients;
	struct n5g_counters counters;
	struct gripes strangers, refusals, faults, late;
	struct n5g_load load;
	struct h2_field length[N5G_USUAL]; /* content-length of the answers that are constant */
	char length_text[N5G_USUAL][4];
	struct h2_field server, cache; /* of the configuration; their texts stay, as answers point to them */
	bool stopping;
};

/* n5g_session.c */
extern const struct traffic_kind n5g_kind;
/* The name in the certificate by which it is known; NULL: it has none, and its address is its name. */
const char *n5g_session_certified(struct n5g_session *session);
/* From now on it asks under this name.  0, or -EBUSY where as many names as can be told apart are connected. */
int n5g_session_meet(struct n5g_session *session, const char *name);
/* Is it still allowed?  Says goodbye where not. */
void n5g_session_judge(struct n5g_session *session);

/* n5g_check.c */
extern const char *const n5g_wanted[];
void n5g_requests(struct h2_session *h2, struct h2_request *const *requests, unsigned n);

/* n5g_load.c */
void n5g_load_turn(struct n5g *n5g); /* before a batch: second and date */
void n5g_load_shed(struct n5g *n5g); /* by the gate's capacity */
/* Fields for an answer to this session, at most two.  Returns how many; they need to stay only until it is given. */
unsigned n5g_load_fields(struct n5g_session *session, struct h2_field fields[static 2]);
