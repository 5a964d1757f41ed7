/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The decision: one pure function over a query, the register's facts and a policy.
 *
 * It asks nobody, takes no clock and allocates nothing.  The first step that has something to say decides:
 *
 *  1 override  a global switch answers every check with one colour
 *  2 peer      the peer may not ask at all, or is always told one colour
 *  3 identity  unreadable, all-zero, repeated, counting and test identities.  One that is no IMEI (WEIR_IMEI_SCHEME) is
 *              readable: it is on no list, so 5 to 9 have nothing to say of it
 *  4 imsi      the longest matching IMSI prefix rule: a fixed colour, or its own mode and default for steps 10 and 11
 *  5 store     the store could not answer: allow, deny or refuse, as configured; counted as failed, never silence
 *  6 pair      deny beats allow; a subscriber fixed to other devices is black, unless an allow pair names this one;
 *              at home is no verdict of its own
 *  7 svn       this device with this software version is listed, and the device itself not more gravely (else 10
 *              decides)
 *  8 device    this device is listed
 *  9 range     the narrowest range or TAC that holds the device is listed
 * 10 overlap   the level that spoke (7, 8 or 9) is on several lists: black over grey over white.  In restrictive mode,
 *              a device that no level has on the white list gets the mode's colour; grey and black stay what they are
 * 11 default   on no list: unknown, or the colour configured for the interface or the peer
 *
 * Where the steps 7 to 9 find exactly one list they decide themselves; 10 decides where lists overlap.
 * An allow pair needs no list and beats them all ("black over white unless a pair says so").
 *
 * The settings of a peer ("terms") are resolved once, when the peer connects or the policy is published: what the
 * peer's own rule leaves open comes from its interface, what that leaves open from the defaults. */
#pragma once

#include "core/verdict.h"
#include "core/why.h"

/* What to do at a step: go on, tell a colour, or refuse in the protocol's own way.  The first four equal the
 * colours. */
enum weir_action {
	WEIR_DO_WHITE = WEIR_WHITE,
	WEIR_DO_GREY = WEIR_GREY,
	WEIR_DO_BLACK = WEIR_BLACK,
	WEIR_DO_UNKNOWN = WEIR_UNKNOWN,
	WEIR_DO_CONTINUE,
	WEIR_DO_REFUSE,
	WEIR_DO_INHERIT, /* in a rule: not set here, ask the next wider one */
	WEIR_N_ACTIONS
};

const char *action_name(enum weir_action action); /* "white" ... "continue", "refuse", "inherit" */
int action_from_name(const char *name);

/* What can be set per interface and per peer.  WEIR_DO_INHERIT everywhere is the empty rule. */
struct weir_terms {
	enum weir_action peer;          /* step 2: CONTINUE, REFUSE or a colour */
	enum weir_action malformed;     /* step 3: REFUSE (default) or a colour */
	enum weir_action store_failure; /* step 5: WHITE lets through (default), BLACK, UNKNOWN or REFUSE (default of
					   S13 and N5g, whose clients have a policy of their own for a failure) */
	enum weir_action restrictive;   /* step 10: CONTINUE: permissive (default); GREY or BLACK: not on white */
	enum weir_action unknown;       /* step 11: a colour; UNKNOWN (default) leaves it to the interface */
};

struct weir_imsi_rule {
	struct weir_imsi prefix;
	enum weir_action action;      /* a colour, REFUSE, or CONTINUE with the two below */
	enum weir_action restrictive; /* as in weir_terms; INHERIT: the peer's */
	enum weir_action unknown;
};

#define WEIR_PEER_TEXT 256 /* the longest names are those of Diameter: 255 octets (RFC 6733 4.3.1) */

struct weir_peer_rule {
	char name[WEIR_PEER_TEXT]; /* exact, or a prefix that ends in '*'; "*" is everybody */
	enum weir_interface interface;
	struct weir_terms terms;
};

#define WEIR_POLICY_MAX_IMSI_RULES 4096
#define WEIR_POLICY_MAX_PEER_RULES 1024

/* The draft that configuration writes.  The caller owns it and the two arrays in it. */
struct weir_policy_draft {
	enum weir_action override;                      /* CONTINUE (default) or a colour */
	enum weir_action special[WEIR_IMEI_N_CLASSES];  /* step 3; ORDINARY is ignored; default CONTINUE */
	struct weir_terms interface[WEIR_N_INTERFACES]; /* empty rules by default */
	struct weir_terms defaults;
	const struct weir_imsi_rule *imsi_rules;
	unsigned n_imsi_rules;
	const struct weir_peer_rule *peer_rules;
	unsigned n_peer_rules;
};

struct weir_policy; /* immutable; made from a draft, replaced whole */

/* Defaults of every field above; those of an interface that differ are set in interface[]. */
void policy_draft_init(struct weir_policy_draft *draft);

/* Make a policy.  It copies what it needs (malloc); the draft may change afterwards.  NULL and why on failure: an
 * action that its step does not know, a prefix given twice, too many rules, out of memory. */
struct weir_policy *policy_alloc(const struct weir_policy_draft *draft, struct weir_why *why);
void policy_free(struct weir_policy *policy);

/* The terms of a peer by interface and name, as an index for weir_query.terms.  Never fails: a peer that no rule names
 * has its interface's terms. The index is of this policy only: ask again after the policy was replaced. */
uint16_t policy_terms(const struct weir_policy *policy, enum weir_interface interface, const char *peer);

/* True where policy_decide would not look at facts: the caller may skip the look-up. */
bool policy_needs_no_facts(const struct weir_policy *policy, const struct weir_query *query);

/* Every step as it went, for `explain`, up to and with the one that decided.  text is a constant sentence; colour and
 * reason are in the verdict. */
struct weir_trace {
	struct {
		enum weir_step step;
		bool decided;
		const char *text;
	} line[WEIR_N_STEPS];
	unsigned n;
};

/* Decide.  trace may be NULL (the answer path).  Total: every input gives a verdict with exactly one tally:
 *
 *   shed       a peer or an IMSI rule refuses: nothing was looked at
 *   malformed  else, an identity that could not be read, whatever is answered, and a special one that is refused
 *   failed     else, the store could not say and was needed (step 5), whatever is answered
 *   colours    else, the one that is answered
 *
 * The colour of a refusal is unknown.  serial is 0 where the facts were not needed; facts may be NULL there. */
void policy_decide(const struct weir_policy *policy, const struct weir_query *query, const struct weir_facts *facts,
		   struct weir_verdict *verdict, struct weir_trace *trace);
