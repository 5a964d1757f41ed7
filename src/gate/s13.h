/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The Diameter interface S13 and S13' (TS 29.272, RFC 6733): a server for MMEs, SGSNs and the agents before them.
 *
 * Session.  A connection from an address that no peer rule covers is closed at once.  The first message must be a CER,
 * within S13_CER_S; whoever speaks of something else is closed without a word.  The CER must be whole, name an identity
 * and realm that a peer rule allows from this address (else 3010), over TLS one that the peer's certificate carries
 * (else 3010), offer S13 or relay (else 5010), and do without security inside the connection (else 5017).  Whoever is
 * refused is told so and closed.  A CER in an open session is answered again if it names the same peer.
 * Of one peer as many connections are open as `connections-per-peer` says; above it the oldest one is told to go.  Of
 * those that are on their way out S13_LEAVING are waited for, more end at once.  A peer may come S13_CERS times a
 * second and S13_CERS_BURST times at once; more is refused (3004).  So no name holds many connections, whatever it
 * does.
 *
 * Ways to end.  We say DPR and wait S13_GOODBYE_S for the DPA: where the peer is replaced, is not allowed any more,
 * knows us by a name that we have no longer, or the gate stops (REBOOTING).  Until then its requests are answered.  A
 * DPR of the peer gets its DPA, and the peer S13_CLOSE_S to close.  Silence for Tw (`watchdog`, 2 s more or less) gets
 * a DWR; silence for Tw after that makes the peer suspect, and once more Tw ends it (RFC 3539 3.4).
 *
 * Who asks.  A check counts for its client: the Origin-Host of the ECR.  It must be the peer itself, unless the peer
 * is one that the configuration calls an agent; else it is refused (5003) and counted: identities are not lent.
 * Clients behind agents are known by name, S13_CLIENTS of them with the peers; who was unused for longest makes place
 * (gate/clients.h), and new ones are taken on at S13_NEW_CLIENTS a second.  A client's policy, limit and reservation
 * are those of its name.  A check from a realm that is not ours, by the client or by the peer that speaks, is foreign:
 * limited by itself, or refused.
 *
 * An ECR is judged in this order; the first that applies is the answer:
 *  what the reader says      5xxx, 3009 with Failed-AVP (wire/diameter.h)
 *  Destination-Host not us   3002
 *  Destination-Realm         3003 where it is none of ours
 *  Route-Record of ours      3005
 *  identity lent             5003
 *  foreign, refused          5003; more than its limit: 3004
 *  more than the client or the gate takes on (core/rate.h)    3004
 * and else by check_answer, all of a read and a client in one batch.  Every one of them gets an answer: shedding is
 * told, never silence.
 *
 * On the wire: white, black, grey are 2001 with Equipment-Status 0, 1, 2; unknown is 5422; malformed that the policy
 * refuses is 5004 with the IMEI; a failed store that it refuses is 5012; other refusals are 5003.
 *
 * Names are kept and compared in lower case. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/why.h"
#include "gate/address.h"
#include "gate/check.h"
#include "gate/counters.h"

#define S13_FOREIGN_CLIENTS 10 /* all foreign ones together may ask so many times what one may */
#define S13_CER_S           10
#define S13_GOODBYE_S       2
#define S13_CLOSE_S         5
#define S13_CLIENTS         1024
#define S13_NEW_CLIENTS     50 /* behind agents, a second */
#define S13_LEAVING         16 /* as many as may be open */
#define S13_CERS            10 /* of a client, a second */
#define S13_CERS_BURST      20 /* more than may be open */

struct peers;
struct clients;
struct s13;
struct s13_config;
struct traffic;

struct s13_counters {
	uint64_t connected, ended, replaced, stranger, unknown_peer, uncertified, unidentified, violated;
	uint64_t no_common, insecure, hasty, impostors;
	uint64_t requests, resent, faulty, undeliverable, looped, lent, foreign, foreign_shed, shed, crowded;
	uint64_t unsupported, bad_length, unasked;
	uint64_t watchdogs, suspected, silent, goodbyes, goodbyes_heard;
};

/* Check, traffic and peers must outlive it. */
struct s13 *s13_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers);
void s13_free(struct s13 *s13);

/* What is wrong with a configuration, whatever ports are free: 0, or a negative errno and why. */
int s13_check_config(const struct s13_config *config, struct weir_why *why);

/* A configuration in two steps: prepare opens what is new and can fail, commit cannot.  Followed by exactly one of
 * commit and abort; abort without a prepare is fine.  config must stay until the next commit. */
int s13_prepare(struct s13 *s13, const struct s13_config *config, struct weir_why *why);
void s13_commit(struct s13 *s13);
void s13_abort(struct s13 *s13);
/* The policy was replaced: resolve every client's terms again. */
void s13_policy_changed(struct s13 *s13);

/* SIGTERM: no new connections; every session says goodbye, answers what still comes and ends. */
void s13_stop(struct s13 *s13);

const char *s13_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict); /* check.h */

const struct clients *s13_client_table(const struct s13 *s13); /* for their numbers */
struct counter_table s13_counter_table(const struct s13 *s13);
const struct s13_counters *s13_counters(const struct s13 *s13);
const struct door *s13_door(const struct s13 *s13);                        /* for its certificate */
const struct gate_place *s13_listening(const struct s13 *s13, unsigned n); /* NULL past the last */
unsigned s13_clients(const struct s13 *s13);                               /* how many are known */

struct s13_peer_state {
	const char *name, *realm; /* Origin-Host, Origin-Realm; "?" before the CER */
	const char *state;        /* "cer awaited", "open", "closing" */
	const char *watchdog;     /* "okay", "asked", "suspect" */
	const char *tls;          /* "" without */
	struct gate_address address;
	enum gate_transport transport;
	uint16_t id;
	bool agent;
	struct rate_terms terms;
	int64_t up_s, silent_s;
	uint64_t checks, refused, shed; /* ECRs; of those answered with a fault; with 3004 */
	uint64_t octets_in, octets_out;
};
typedef void s13_peer_fn(const struct s13_peer_state *peer, void *data);
void s13_each_peer(const struct s13 *s13, s13_peer_fn *fn, void *data);
