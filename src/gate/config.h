/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The settings of weir-gate as plain values.
 *
 * There are two copies: the draft, which VTY commands write, and what is in force.  The draft comes into force as a
 * whole (gate_publish) or not at all; a refused draft falls back to what is in force.  No pointers in it: copying is
 * assignment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/rate.h"
#include "core/why.h"
#include "gate/address.h"
#include "gate/nrf_config.h"
#include "gate/tls.h"
#include "gate/token.h"
#include "wire/n5g.h"

#define GATE_MAX_LISTEN     16
#define GATE_MAX_PEER_RULES 1024
#define GATE_MAX_RATE_RULES 256
#define GATE_PATTERN_TEXT   WEIR_PEER_TEXT

/* Who may connect: a name, or the beginning of names and '*', from an address in a prefix; with Diameter also the
 * realm ("" is any). */
struct gate_peer_rule {
	char pattern[GATE_PATTERN_TEXT], realm[GATE_PATTERN_TEXT];
	struct gate_prefix prefix;
};

/* How much a peer may ask: the first rule whose pattern matches. */
struct gate_rate_rule {
	char pattern[GATE_PATTERN_TEXT];
	struct rate_terms terms;
};

/* What every interface has (door.h). */
struct door_config {
	struct gate_place listen[GATE_MAX_LISTEN];
	unsigned n_listen;
	struct gate_peer_rule peer[GATE_MAX_PEER_RULES];
	unsigned n_peers;
	struct gate_rate_rule rate[GATE_MAX_RATE_RULES];
	unsigned n_rates;
	struct tls_files tls;
};

enum gsup_check_mode {
	GSUP_ANSWER_FIRST = 0, /* our answer at once; the HLR is told, its answer absorbed */
	GSUP_WAIT,             /* the HLR's answer if it comes in time, ours otherwise */
	GSUP_NEVER,            /* our answer; the HLR is not told */
};

#define GSUP_WAIT_MIN_MS 100
#define GSUP_WAIT_MAX_MS 4000 /* the client gives up after 5 s */

struct gsup_config {
	struct door_config door;
	struct gate_address hlr; /* family 0: none, we answer alone */
	enum gsup_check_mode check_mode;
	unsigned wait_ms;
};

#define S13_NAME_TEXT       256 /* a DiameterIdentity */
#define S13_MAX_REALMS      16
#define S13_MAX_AGENTS      64
#define S13_MAX_CONNECTIONS   16

struct s13_config {
	struct door_config door;
	char origin_host[S13_NAME_TEXT], origin_realm[S13_NAME_TEXT]; /* "": not set; needed where it listens */
	char realm[S13_MAX_REALMS][S13_NAME_TEXT];                    /* served besides origin_realm */
	unsigned n_realms;
	char agent[S13_MAX_AGENTS][GATE_PATTERN_TEXT]; /* who may speak for others */
	unsigned n_agents;
	unsigned watchdog_s, connections_per_peer;
	bool foreign_refuse;
	uint32_t foreign_limit; /* checks a second of a client from a realm that is not ours */
};

struct n5g_config {
	struct door_config door;
	char instance_id[SBI_UUID_TEXT]; /* our NF instance id; "": none */
	char prefix[N5G_PREFIX_MAX + 1]; /* of the apiRoot; "" or "/..." */
	unsigned max_streams;            /* of a connection at a time */
	unsigned max_age_s;              /* for which a client may keep an answer; 0: not at all */
	bool certificate_required;       /* of clients over TLS */
	bool ignore_stamps;              /* the time for an answer runs from when the request came */
	struct token_config token;
};

struct policy_config {
	struct weir_policy_draft draft; /* its arrays are the two below, set by config_policy_draft */
	struct weir_imsi_rule imsi[WEIR_POLICY_MAX_IMSI_RULES];
	struct weir_peer_rule peer[WEIR_POLICY_MAX_PEER_RULES];
	unsigned n_imsi, n_peers;
};

struct gate_config {
	unsigned max_connections;
	uint32_t capacity; /* checks a second that the gate takes on; 0: no bound */
	struct gsup_config gsup;
	struct s13_config s13;
	struct n5g_config n5g;
	struct nrf_config nrf;
	struct policy_config policy;
};

/* Defaults: nothing listens, nobody may connect. */
void config_init(struct gate_config *config);

/* The policy's draft with its arrays in place. Valid as long as config is neither moved nor changed. */
struct weir_policy_draft config_policy_draft(const struct gate_config *config);

/* May this peer connect?  By address alone (before it said its name), and by both. */
bool config_covers_address(const struct door_config *config, const struct gate_address *address);
bool config_allows_peer(const struct door_config *config, const char *name, const struct gate_address *address);
/* The same without regard to case, as Diameter (RFC 6733 4.3.1) and certificates (RFC 6125 6.4.1) compare names; those
 * of GSUP are as they are.  realm NULL: it is not asked for. */
bool config_allows_identity(const struct door_config *config, const char *name, const char *realm,
			    const struct gate_address *address);
/* Which of two names that the same peer has is the one for its rates and terms?  One that is allowed from there before
 * one that is not; then the one whose rate rule, and then whose peer rule, comes first; then the alphabet: so whoever
 * orders the names has no say.  Negative: a; 0 where they are equal. */
int config_compare_names(const struct door_config *config, const struct gate_address *address, const char *a,
			 const char *b);
/* All zero where no rule speaks of this name. */
struct rate_terms config_rate_terms(const struct door_config *config, const char *name);

/* Changes, as the commands make them.  -EINVAL, -ENOSPC or -ENOENT with a sentence. */
int config_add_listen(struct door_config *config, enum gate_transport transport, const char *const *addresses,
		      unsigned n, unsigned port, struct weir_why *why);
int config_del_listen(struct door_config *config, enum gate_transport transport, const char *const *addresses,
		      unsigned n, unsigned port, struct weir_why *why);
/* realm may be NULL: any. */
int config_add_peer(struct door_config *config, const char *pattern, const char *realm, const char *prefix,
		    struct weir_why *why);
int config_del_peer(struct door_config *config, const char *pattern, const char *realm, const char *prefix,
		    struct weir_why *why);
/* Both 0 forgets the rule. */
int config_set_rate(struct door_config *config, const char *pattern, const struct rate_terms *terms,
		    struct weir_why *why);
/* Diameter compares names without regard to case (RFC 6733 4.3.1), and a final dot names the same: they are kept in
 * lower case and without it. */
void config_keep_identity(char *name);
/* Names of Diameter: ours, the realms that we serve, agents. */
int config_set_name(char name[static S13_NAME_TEXT], const char *text, struct weir_why *why);
int config_add_realm(struct s13_config *config, const char *realm, struct weir_why *why);
int config_del_realm(struct s13_config *config, const char *realm, struct weir_why *why);
int config_add_agent(struct s13_config *config, const char *pattern, struct weir_why *why);
int config_del_agent(struct s13_config *config, const char *pattern, struct weir_why *why);
bool config_wants_tls(const struct door_config *config);
/* The pattern as it was typed, the name as it is kept. */
bool config_identity_matches(const char *pattern, const char *name);

int config_set_hlr(struct gsup_config *config, const char *address, unsigned port, struct weir_why *why);

/* The rule of a prefix or of a peer, made where it is not there; NULL with why where there is no more room.  A rule
 * that says nothing any more goes with config_tidy.  Names of S13 and N5g are kept as Diameter's. */
struct weir_imsi_rule *config_imsi_rule(struct policy_config *config, const char *prefix, struct weir_why *why);
int config_del_imsi_rule(struct policy_config *config, const char *prefix, struct weir_why *why);
struct weir_peer_rule *config_peer_terms(struct policy_config *config, enum weir_interface interface,
					 const char *pattern, struct weir_why *why);
void config_tidy(struct policy_config *config);
