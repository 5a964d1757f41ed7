/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A policy as policy.c makes it and decide.c reads it.  Private to these two. */
#pragma once

#include "core/policy.h"

#define NO_PARENT UINT16_MAX

/* An IMSI rule where binary search finds it.  In the order of the digits a prefix stands before all that begin with it;
 * so the longest rule for an IMSI is the last one not above it, or one of that one's parents. */
struct imsi_rule {
	uint64_t order;	 /* the digits, filled up with zeros to 15, then the length */
	uint16_t parent; /* the longest other rule that this one's prefix begins with */
	struct weir_imsi_rule rule;
};

struct peer_rule {
	char name[WEIR_PEER_TEXT];
	enum weir_interface interface;
};

#define TERMS_OF_NOBODY	 WEIR_N_INTERFACES /* an interface that does not exist has the defaults */
#define FIRST_PEER_TERMS (WEIR_N_INTERFACES + 1)

struct weir_policy {
	enum weir_action override;
	enum weir_action special[WEIR_IMEI_N_CLASSES];
	struct imsi_rule *imsi_rules; /* ascending order */
	unsigned n_imsi_rules;
	struct peer_rule *peer_rules;
	unsigned n_peer_rules;
	struct weir_terms *terms; /* resolved: of the interfaces, of nobody, of the peer rules in their order */
	unsigned n_terms;
};

static inline enum weir_action action_inherit(enum weir_action own, enum weir_action wider)
{
	return own == WEIR_DO_INHERIT ? wider : own;
}

/* The longest rule that the IMSI begins with, or NULL. */
const struct weir_imsi_rule *policy_imsi_rule(const struct weir_policy *policy, struct weir_imsi imsi);
