/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Makes a policy of a draft: checked, sorted and resolved once, so that a decision (decide.c) has nothing to search but
 * the IMSI's rule.  Must never take what a step would not know, and never point into the draft. */
#include "core/policy_made.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

static const char *const action_names[WEIR_N_ACTIONS] = {
	[WEIR_DO_WHITE] = "white",     [WEIR_DO_GREY] = "grey",		[WEIR_DO_BLACK] = "black",
	[WEIR_DO_UNKNOWN] = "unknown", [WEIR_DO_CONTINUE] = "continue", [WEIR_DO_REFUSE] = "refuse",
	[WEIR_DO_INHERIT] = "inherit",
};

const char *action_name(enum weir_action action)
{
	return (unsigned)action < WEIR_N_ACTIONS ? action_names[action] : "?";
}

int action_from_name(const char *name)
{
	for (unsigned i = 0; i < WEIR_N_ACTIONS; i++)
		if (!strcmp(action_names[i], name))
			return (int)i;
	return -1;
}

#define MAY(action) (1u << (action))
#define MAY_COLOUR  (MAY(WEIR_DO_WHITE) | MAY(WEIR_DO_GREY) | MAY(WEIR_DO_BLACK) | MAY(WEIR_DO_UNKNOWN))

/* What each setting may be. */
enum {
	MAY_OVERRIDE = MAY_COLOUR | MAY(WEIR_DO_CONTINUE),
	MAY_SPECIAL = MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE),
	MAY_PEER = MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE) | MAY(WEIR_DO_INHERIT),
	MAY_MALFORMED = MAY_COLOUR | MAY(WEIR_DO_REFUSE) | MAY(WEIR_DO_INHERIT),
	MAY_STORE_FAILURE = MAY(WEIR_DO_WHITE) | MAY(WEIR_DO_BLACK) | MAY(WEIR_DO_UNKNOWN) | MAY(WEIR_DO_REFUSE) |
			    MAY(WEIR_DO_INHERIT),
	MAY_RESTRICTIVE = MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_GREY) | MAY(WEIR_DO_BLACK) | MAY(WEIR_DO_INHERIT),
	MAY_UNKNOWN = MAY_COLOUR | MAY(WEIR_DO_INHERIT),
	MAY_IMSI = MAY_COLOUR | MAY(WEIR_DO_CONTINUE) | MAY(WEIR_DO_REFUSE),
};

static const struct weir_terms built_in_terms = {
	.peer = WEIR_DO_CONTINUE,
	.malformed = WEIR_DO_REFUSE,
	.store_failure = WEIR_DO_WHITE,
	.restrictive = WEIR_DO_CONTINUE,
	.unknown = WEIR_DO_UNKNOWN,
};

static const struct weir_terms empty_terms = {
	.peer = WEIR_DO_INHERIT,
	.malformed = WEIR_DO_INHERIT,
	.store_failure = WEIR_DO_INHERIT,
	.restrictive = WEIR_DO_INHERIT,
	.unknown = WEIR_DO_INHERIT,
};

void policy_draft_init(struct weir_policy_draft *draft)
{
	*draft = (struct weir_policy_draft){.override = WEIR_DO_CONTINUE, .defaults = built_in_terms};
	for (unsigned i = 0; i < WEIR_IMEI_N_CLASSES; i++)
		draft->special[i] = WEIR_DO_CONTINUE;
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		draft->interface[i] = empty_terms;
	draft->interface[WEIR_IF_S13].store_failure = WEIR_DO_REFUSE;
	draft->interface[WEIR_IF_N5G].store_failure = WEIR_DO_REFUSE;
}

static bool may(enum weir_action action, unsigned allowed)
{
	return (unsigned)action < WEIR_N_ACTIONS && (allowed & MAY(action));
}

static int check_action(enum weir_action action, unsigned allowed, const char *where, const char *setting,
			struct weir_why *why)
{
	if (may(action, allowed))
		return 0;
	return why_set(why, -EINVAL, "%s: %s cannot be \"%s\"", where, setting, action_name(action));
}

static int check_terms(const struct weir_terms *terms, const char *where, struct weir_why *why)
{
	const struct {
		enum weir_action action;
		unsigned allowed;
		const char *name;
	} setting[] = {
		{terms->peer, MAY_PEER, "peer"},
		{terms->malformed, MAY_MALFORMED, "malformed"},
		{terms->store_failure, MAY_STORE_FAILURE, "store failure"},
		{terms->restrictive, MAY_RESTRICTIVE, "restrictive"},
		{terms->unknown, MAY_UNKNOWN, "unknown"},
	};
	int rc = 0;

	for (unsigned i = 0; i < sizeof(setting) / sizeof(setting[0]) && !rc; i++)
		rc = check_action(setting[i].action, setting[i].allowed, where, setting[i].name, why);
	return rc;
}

static int check_imsi_rule(const struct weir_imsi_rule *rule, struct weir_why *why)
{
	char prefix[WEIR_MASK_TEXT], where[48] = "imsi ";
	int rc;

	strcat(where, mask_imsi(prefix, rule->prefix));
	if (!imsi_length(rule->prefix))
		return why_set(why, -EINVAL, "an imsi rule has no prefix, 1 to 15 digits are needed");
	rc = check_action(rule->action, MAY_IMSI, where, "action", why);
	if (!rc)
		rc = check_action(rule->restrictive, MAY_RESTRICTIVE, where, "restrictive", why);
	if (!rc)
		rc = check_action(rule->unknown, MAY_UNKNOWN, where, "unknown", why);
	return rc;
}

static int check_peer_name(const struct weir_peer_rule *rule, struct weir_why *why)
{
	size_t len = strnlen(rule->name, sizeof(rule->name));
	const char *star;

	if (!len || len == sizeof(rule->name))
		return why_set(why, -EINVAL, "a peer's name has 1 to %zu characters", sizeof(rule->name) - 1);
	star = strchr(rule->name, '*');
	if (star && star[1])
		return why_set(why, -EINVAL, "peer %s: '*' can only be the last character", rule->name);
	if ((unsigned)rule->interface >= WEIR_N_INTERFACES)
		return why_set(why, -EINVAL, "peer %s: no such interface", rule->name);
	return 0;
}

static int check_peer_rules(const struct weir_peer_rule *rules, unsigned n, struct weir_why *why)
{
	char where[sizeof(rules->name) + 8];
	int rc;

	for (unsigned i = 0; i < n; i++) {
		rc = check_peer_name(&rules[i], why);
		if (rc)
			return rc;
		for (unsigned j = 0; j < i; j++)
			if (rules[i].interface == rules[j].interface && !strcmp(rules[i].name, rules[j].name))
				return why_set(why, -EEXIST, "peer %s is given twice for %s", rules[i].name,
					       interface_name(rules[i].interface));
		stpcpy(stpcpy(where, "peer "), rules[i].name);
		rc = check_terms(&rules[i].terms, where, why);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_draft(const struct weir_policy_draft *draft, struct weir_why *why)
{
	int rc = check_action(draft->override, MAY_OVERRIDE, "policy", "override", why);

	if (draft->n_imsi_rules > WEIR_POLICY_MAX_IMSI_RULES)
		return why_set(why, -E2BIG, "%u imsi rules, at most %u are taken", draft->n_imsi_rules,
			       WEIR_POLICY_MAX_IMSI_RULES);
	if (draft->n_peer_rules > WEIR_POLICY_MAX_PEER_RULES)
		return why_set(why, -E2BIG, "%u peer rules, at most %u are taken", draft->n_peer_rules,
			       WEIR_POLICY_MAX_PEER_RULES);
	for (unsigned i = WEIR_IMEI_ORDINARY + 1; i < WEIR_IMEI_N_CLASSES && !rc; i++)
		rc = check_action(draft->special[i], MAY_SPECIAL, "identity", imei_class_name(i), why);
	for (unsigned i = 0; i < WEIR_N_INTERFACES && !rc; i++)
		rc = check_terms(&draft->interface[i], interface_name(i), why);
	if (!rc)
		rc = check_terms(&draft->defaults, "defaults", why);
	for (unsigned i = 0; i < draft->n_imsi_rules && !rc; i++)
		rc = check_imsi_rule(&draft->imsi_rules[i], why);
	if (!rc)
		rc = check_peer_rules(draft->peer_rules, draft->n_peer_rules, why);
	return rc;
}

static struct weir_terms inherit_terms(const struct weir_terms *own, const struct weir_terms *wider)
{
	return (struct weir_terms){
		.peer = action_inherit(own->peer, wider->peer),
		.malformed = action_inherit(own->malformed, wider->malformed),
		.store_failure = action_inherit(own->store_failure, wider->store_failure),
		.restrictive = action_inherit(own->restrictive, wider->restrictive),
		.unknown = action_inherit(own->unknown, wider->unknown),
	};
}

static void resolve_terms(struct weir_policy *policy, const struct weir_policy_draft *draft)
{
	const struct weir_terms defaults = inherit_terms(&draft->defaults, &built_in_terms);

	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		policy->terms[i] = inherit_terms(&draft->interface[i], &defaults);
	policy->terms[TERMS_OF_NOBODY] = defaults;
	for (unsigned i = 0; i < draft->n_peer_rules; i++) {
		const struct weir_peer_rule *rule = &draft->peer_rules[i];
		policy->terms[FIRST_PEER_TERMS + i] = inherit_terms(&rule->terms, &policy->terms[rule->interface]);
		strcpy(policy->peer_rules[i].name, rule->name);
		policy->peer_rules[i].interface = rule->interface;
	}
}

static uint64_t imsi_order(struct weir_imsi imsi)
{
	unsigned n = imsi_length(imsi);
	uint64_t filled = imsi.packed;

	for (unsigned i = n; i < 15; i++)
		filled *= 10;
	return filled << 4 | n;
}

static int compare_imsi_rules(const void *a, const void *b)
{
	const struct imsi_rule *left = a, *right = b;

	return (left->order > right->order) - (left->order < right->order);
}

/* Up from a rule (and with it) to the first whose prefix the IMSI begins with. */
static unsigned climb(const struct weir_policy *policy, unsigned i, struct weir_imsi imsi)
{
	while (i != NO_PARENT && !imsi_has_prefix(imsi, policy->imsi_rules[i].rule.prefix))
		i = policy->imsi_rules[i].parent;
	return i;
}

static int sort_imsi_rules(struct weir_policy *policy, const struct weir_policy_draft *draft, struct weir_why *why)
{
	struct imsi_rule *rules = policy->imsi_rules;
	char prefix[WEIR_MASK_TEXT];

	for (unsigned i = 0; i < draft->n_imsi_rules; i++)
		rules[i] = (struct imsi_rule){imsi_order(draft->imsi_rules[i].prefix), NO_PARENT, draft->imsi_rules[i]};
	if (draft->n_imsi_rules)
		qsort(rules, draft->n_imsi_rules, sizeof(*rules), compare_imsi_rules);
	for (unsigned i = 1; i < draft->n_imsi_rules; i++) {
		if (rules[i].order == rules[i - 1].order)
			return why_set(why, -EEXIST, "imsi %s is given twice", mask_imsi(prefix, rules[i].rule.prefix));
		rules[i].parent = (uint16_t)climb(policy, i - 1, rules[i].rule.prefix);
	}
	return 0;
}

void policy_free(struct weir_policy *policy)
{
	if (!policy)
		return;
	free(policy->imsi_rules);
	free(policy->peer_rules);
	free(policy->terms);
	free(policy);
}

/* One more than needed, so that no count is an allocation of nothing. */
static struct weir_policy *policy_alloc_empty(unsigned n_imsi_rules, unsigned n_peer_rules)
{
	struct weir_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->n_imsi_rules = n_imsi_rules;
	policy->n_peer_rules = n_peer_rules;
	policy->n_terms = FIRST_PEER_TERMS + n_peer_rules;
	policy->imsi_rules = calloc(n_imsi_rules + 1, sizeof(*policy->imsi_rules));
	policy->peer_rules = calloc(n_peer_rules + 1, sizeof(*policy->peer_rules));
	policy->terms = calloc(policy->n_terms, sizeof(*policy->terms));
	if (policy->imsi_rules && policy->peer_rules && policy->terms)
		return policy;
	policy_free(policy);
	return NULL;
}

struct weir_policy *policy_alloc(const struct weir_policy_draft *draft, struct weir_why *why)
{
	struct weir_policy *policy;

	if (check_draft(draft, why))
		return NULL;
	policy = policy_alloc_empty(draft->n_imsi_rules, draft->n_peer_rules);
	if (!policy) {
		why_set(why, -ENOMEM, "out of memory for the policy");
		return NULL;
	}
	policy->override = draft->override;
	memcpy(policy->special, draft->special, sizeof(policy->special));
	policy->special[WEIR_IMEI_ORDINARY] = WEIR_DO_CONTINUE;
	resolve_terms(policy, draft);
	if (sort_imsi_rules(policy, draft, why)) {
		policy_free(policy);
		return NULL;
	}
	return policy;
}

/* How well a rule's name fits: 0 not at all, more for more characters, most for the exact name. */
static size_t name_fits(const char *rule, const char *peer)
{
	size_t len = strlen(rule);

	if (rule[len - 1] == '*')
		return strncmp(rule, peer, len - 1) ? 0 : len;
	return strcmp(rule, peer) ? 0 : SIZE_MAX;
}

uint16_t policy_terms(const struct weir_policy *policy, enum weir_interface interface, const char *peer)
{
	unsigned terms = (unsigned)interface < WEIR_N_INTERFACES ? interface : TERMS_OF_NOBODY;
	size_t best = 0;

	for (unsigned i = 0; i < policy->n_peer_rules; i++) {
		size_t fits = name_fits(policy->peer_rules[i].name, peer ? peer : "");
		if (policy->peer_rules[i].interface != interface || fits <= best)
			continue;
		best = fits;
		terms = FIRST_PEER_TERMS + i;
	}
	return (uint16_t)terms;
}

const struct weir_imsi_rule *policy_imsi_rule(const struct weir_policy *policy, struct weir_imsi imsi)
{
	uint64_t order = imsi_order(imsi);
	unsigned from = 0, to = policy->n_imsi_rules; /* the last one not above is in [from, to), or there is none */

	if (!imsi.packed || !to || policy->imsi_rules[0].order > order)
		return NULL;
	while (to - from > 1) {
		unsigned middle = from + (to - from) / 2;
		if (policy->imsi_rules[middle].order <= order)
			from = middle;
		else
			to = middle;
	}
	from = climb(policy, from, imsi);
	return from == NO_PARENT ? NULL : &policy->imsi_rules[from].rule;
}
