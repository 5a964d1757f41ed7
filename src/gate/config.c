/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Settings as values: defaults, changes with their refusals in words, and the two questions about peers. */
#include "gate/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "gate/h2.h"
#include "wire/diameter.h"

void config_init(struct gate_config *config)
{
	memset(config, 0, sizeof(*config));
	config->max_connections = 1024;
	config->gsup.check_mode = GSUP_ANSWER_FIRST;
	config->gsup.wait_ms = 1000;
	config->s13.watchdog_s = 30;
	config->s13.connections_per_peer = 1;
	config->s13.foreign_limit = 10;
	config->n5g.max_streams = H2_STREAMS;
	nrf_config_init(&config->nrf);
	policy_draft_init(&config->policy.draft);
}

struct weir_policy_draft config_policy_draft(const struct gate_config *config)
{
	struct weir_policy_draft draft = config->policy.draft;

	draft.imsi_rules = config->policy.imsi;
	draft.n_imsi_rules = config->policy.n_imsi;
	draft.peer_rules = config->policy.peer;
	draft.n_peer_rules = config->policy.n_peers;
	return draft;
}

/* --- peers */

static bool pattern_matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return !strncmp(pattern, name, len - 1);
	return !strcmp(pattern, name);
}

bool config_covers_address(const struct door_config *config, const struct gate_address *address)
{
	for (unsigned i = 0; i < config->n_peers; i++) {
		if (prefix_covers(&config->peer[i].prefix, address))
			return true;
	}
	return false;
}

bool config_allows_peer(const struct door_config *config, const char *name, const struct gate_address *address)
{
	for (unsigned i = 0; i < config->n_peers; i++) {
		if (prefix_covers(&config->peer[i].prefix, address) &&
		    pattern_matches(config->peer[i].pattern, name))
			return true;
	}
	return false;
}

/* A dot at the end names the same (RFC 1034 3.1). */
static size_t length_without_dot(const char *name)
{
	size_t len = strlen(name);

	return len > 1 && name[len - 1] == '.' ? len - 1 : len;
}

/* As typed and as kept. */
static bool same_identity(const char *typed, const char *kept)
{
	size_t len = length_without_dot(typed);

	return strlen(kept) == len && !strncasecmp(typed, kept, len);
}

bool config_wants_tls(const struct door_config *config)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		if (config->listen[i].transport == GATE_TLS)
			return true;
	}
	return false;
}

bool config_identity_matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return !strncasecmp(pattern, name, len - 1);
	return same_identity(pattern, name);
}

static unsigned first_peer_rule(const struct door_config *config, const char *name, const char *realm,
				const struct gate_address *address)
{
	unsigned i;

	for (i = 0; i < config->n_peers; i++) {
		const struct gate_peer_rule *rule = &config->peer[i];
		if (prefix_covers(&rule->prefix, address) && config_identity_matches(rule->pattern, name) &&
		    (!realm || !rule->realm[0] || same_identity(rule->realm, realm)))
			break;
	}
	return i;
}

bool config_allows_identity(const struct door_config *config, const char *name, const char *realm,
			    const struct gate_address *address)
{
	return first_peer_rule(config, name, realm, address) < config->n_peers;
}

static unsigned first_rate_rule(const struct door_config *config, const char *name)
{
	unsigned i;

	for (i = 0; i < config->n_rates && !config_identity_matches(config->rate[i].pattern, name); i++)
		;
	return i;
}

struct rate_terms config_rate_terms(const struct door_config *config, const char *name)
{
	unsigned i = first_rate_rule(config, name);

	return i < config->n_rates ? config->rate[i].terms : (struct rate_terms){0};
}

static int compare(unsigned a, unsigned b)
{
	return a < b ? -1 : a > b;
}

int config_compare_names(const struct door_config *config, const struct gate_address *address, const char *a,
			 const char *b)
{
	unsigned peer_a = first_peer_rule(config, a, NULL, address), peer_b = first_peer_rule(config, b, NULL, address);
	int order = compare(peer_a == config->n_peers, peer_b == config->n_peers);

	if (!order)
		order = compare(first_rate_rule(config, a), first_rate_rule(config, b));
	if (!order)
		order = compare(peer_a, peer_b);
	return order ? order : strcasecmp(a, b);
}

static int pattern_check(const char *pattern, size_t size, struct weir_why *why)
{
	const char *star = strchr(pattern, '*');

	if (!*pattern || strlen(pattern) >= size)
		return why_set(why, -EINVAL, "peer name has %zu characters; 1 to %zu are needed", strlen(pattern),
			       size - 1);
	for (const char *p = pattern; *p; p++) {
		if (!isgraph((unsigned char)*p))
			return why_set(why, -EINVAL,
				       "peer name has a character that cannot be printed; use ASCII without spaces");
	}
	if (star && star[1])
		return why_set(why, -EINVAL,
			       "peer name '%.100s' has '*' in the middle; '*' may only be its last character", pattern);
	return 0;
}

static int rule_from_text(const char *pattern, const char *realm, const char *prefix, struct gate_peer_rule *rule,
			  struct weir_why *why)
{
	int rc = pattern_check(pattern, sizeof(rule->pattern), why);

	memset(rule, 0, sizeof(*rule));
	if (!rc && realm && strlen(realm) >= sizeof(rule->realm))
		rc = why_set(why, -EINVAL, "a realm has at most %zu characters", sizeof(rule->realm) - 1);
	if (rc)
		return rc;
	if (prefix_from_text(prefix, &rule->prefix))
		return why_set(why, -EINVAL,
			       "'%.60s' is no address prefix; write for example 10.1.0.0/16 or 2001:db8::/32, "
			       "with no bits set behind the length",
			       prefix);
	snprintf(rule->pattern, sizeof(rule->pattern), "%s", pattern);
	snprintf(rule->realm, sizeof(rule->realm), "%s", realm ? realm : "");
	return 0;
}

static int find_peer(const struct door_config *config, const struct gate_peer_rule *rule)
{
	for (unsigned i = 0; i < config->n_peers; i++) {
		if (!memcmp(&config->peer[i], rule, sizeof(*rule)))
			return i;
	}
	return -ENOENT;
}

int config_add_peer(struct door_config *config, const char *pattern, const char *realm, const char *prefix,
		    struct weir_why *why)
{
	struct gate_peer_rule rule;
	int rc = rule_from_text(pattern, realm, prefix, &rule, why);

	if (rc || find_peer(config, &rule) >= 0)
		return rc;
	if (config->n_peers == GATE_MAX_PEER_RULES)
		return why_set(why, -ENOSPC, "more than %u peer rules; use a pattern like MSC-*", GATE_MAX_PEER_RULES);
	config->peer[config->n_peers++] = rule;
	return 0;
}

int config_del_peer(struct door_config *config, const char *pattern, const char *realm, const char *prefix,
		    struct weir_why *why)
{
	struct gate_peer_rule rule;
	int at, rc = rule_from_text(pattern, realm, prefix, &rule, why);

	if (rc)
		return rc;
	at = find_peer(config, &rule);
	if (at < 0)
		return why_set(why, at, "there is no rule 'peer %.90s%s%.60s address %.50s'", pattern,
			       realm ? " realm " : "", realm ? realm : "", prefix);
	config->n_peers--;
	memmove(&config->peer[at], &config->peer[at + 1], (config->n_peers - at) * sizeof(config->peer[0]));
	return 0;
}

static struct gate_rate_rule *find_rate(struct door_config *config, const char *pattern)
{
	for (unsigned i = 0; i < config->n_rates; i++) {
		if (!strcmp(config->rate[i].pattern, pattern))
			return &config->rate[i];
	}
	return NULL;
}

static void forget_rate(struct door_config *config, struct gate_rate_rule *rule)
{
	size_t behind = (size_t)(&config->rate[config->n_rates] - (rule + 1));

	memmove(rule, rule + 1, behind * sizeof(*rule));
	config->n_rates--;
}

int config_set_rate(struct door_config *config, const char *pattern, const struct rate_terms *terms,
		    struct weir_why *why)
{
	struct gate_rate_rule *rule = find_rate(config, pattern);
	int rc = pattern_check(pattern, sizeof(rule->pattern), why);

	if (rc)
		return rc;
	if (!terms->limit && !terms->reserve) {
		if (!rule)
			return why_set(why, -ENOENT, "there is no rule 'rate %.200s'", pattern);
		forget_rate(config, rule);
		return 0;
	}
	if (!rule && config->n_rates == GATE_MAX_RATE_RULES)
		return why_set(why, -ENOSPC, "more than %u rate rules; use a pattern", GATE_MAX_RATE_RULES);
	if (!rule) {
		rule = &config->rate[config->n_rates++];
		memset(rule, 0, sizeof(*rule));
		snprintf(rule->pattern, sizeof(rule->pattern), "%s", pattern);
	}
	rule->terms = *terms;
	return 0;
}

/* --- names of Diameter */

void config_keep_identity(char *name)
{
	name[length_without_dot(name)] = '\0';
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

int config_set_name(char name[static S13_NAME_TEXT], const char *text, struct weir_why *why)
{
	if (!diameter_identity_valid(text))
		return why_set(why, -EINVAL,
			       "'%.60s' is no Diameter name; letters, digits, '-' and '_' are, with dots between them, "
			       "at most %u",
			       text, S13_NAME_TEXT - 1);
	snprintf(name, S13_NAME_TEXT, "%s", text);
	config_keep_identity(name);
	return 0;
}

static int find_realm(const struct s13_config *config, const char *realm)
{
	for (unsigned i = 0; i < config->n_realms; i++) {
		if (same_identity(realm, config->realm[i]))
			return (int)i;
	}
	return -ENOENT;
}

int config_add_realm(struct s13_config *config, const char *realm, struct weir_why *why)
{
	int rc;

	if (find_realm(config, realm) >= 0)
		return 0;
	if (config->n_realms == S13_MAX_REALMS)
		return why_set(why, -ENOSPC, "more than %u realms", S13_MAX_REALMS);
	rc = config_set_name(config->realm[config->n_realms], realm, why);
	config->n_realms += rc == 0;
	return rc;
}

int config_del_realm(struct s13_config *config, const char *realm, struct weir_why *why)
{
	int at = find_realm(config, realm);

	if (at < 0)
		return why_set(why, at, "there is no 'realm %.200s'", realm);
	config->n_realms--;
	memmove(config->realm[at], config->realm[at + 1], (config->n_realms - (unsigned)at) * sizeof(config->realm[0]));
	return 0;
}

static int find_agent(const struct s13_config *config, const char *pattern)
{
	for (unsigned i = 0; i < config->n_agents; i++) {
		if (!strcmp(config->agent[i], pattern))
			return (int)i;
	}
	return -ENOENT;
}

int config_add_agent(struct s13_config *config, const char *pattern, struct weir_why *why)
{
	int rc = pattern_check(pattern, sizeof(config->agent[0]), why);

	if (rc || find_agent(config, pattern) >= 0)
		return rc;
	if (config->n_agents == S13_MAX_AGENTS)
		return why_set(why, -ENOSPC, "more than %u agents; use a pattern like dra-*", S13_MAX_AGENTS);
	snprintf(config->agent[config->n_agents++], sizeof(config->agent[0]), "%s", pattern);
	return 0;
}

int config_del_agent(struct s13_config *config, const char *pattern, struct weir_why *why)
{
	int at = find_agent(config, pattern);

	if (at < 0)
		return why_set(why, at, "there is no 'agent %.200s'", pattern);
	config->n_agents--;
	memmove(config->agent[at], config->agent[at + 1], (config->n_agents - (unsigned)at) * sizeof(config->agent[0]));
	return 0;
}

/* --- addresses */

static int address_for(const char *text, unsigned port, struct gate_address *address, struct weir_why *why)
{
	if (address_from_text(text, port, address))
		return why_set(why, -EINVAL, "'%.60s' is no IP address; names are not resolved", text);
	return 0;
}

static int place_for(enum gate_transport transport, const char *const *texts, unsigned n, unsigned port,
		     struct gate_place *place, struct weir_why *why)
{
	int rc = 0;

	*place = (struct gate_place){.transport = transport, .n = n};
	if (n < 1 || n > GATE_HOMES || (n > 1 && transport != GATE_SCTP))
		return why_set(why, -EINVAL, "%u addresses; SCTP takes up to %u, everything else one", n, GATE_HOMES);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = address_for(texts[i], port, &place->address[i], why);
	return rc;
}

static int find_listen(const struct door_config *config, const struct gate_place *place)
{
	for (unsigned i = 0; i < config->n_listen; i++) {
		if (place_equal(&config->listen[i], place))
			return i;
	}
	return -ENOENT;
}

int config_add_listen(struct door_config *config, enum gate_transport transport, const char *const *texts, unsigned n,
		      unsigned port, struct weir_why *why)
{
	struct gate_place place;
	int rc = place_for(transport, texts, n, port, &place, why);

	if (rc || find_listen(config, &place) >= 0)
		return rc;
	for (unsigned i = 0; i < config->n_listen; i++) {
		if (place_same_socket(&config->listen[i], &place))
			return why_set(why, -EEXIST,
				       "port %u of %.60s listens already, %s; say 'no listen' of that first", port,
				       texts[0], config->listen[i].transport == GATE_TLS ? "with TLS" : "in clear");
	}
	if (config->n_listen == GATE_MAX_LISTEN)
		return why_set(why, -ENOSPC, "more than %u listen addresses", GATE_MAX_LISTEN);
	config->listen[config->n_listen++] = place;
	return 0;
}

int config_del_listen(struct door_config *config, enum gate_transport transport, const char *const *texts, unsigned n,
		      unsigned port, struct weir_why *why)
{
	struct gate_place place;
	int at, rc = place_for(transport, texts, n, port, &place, why);

	if (rc)
		return rc;
	at = find_listen(config, &place);
	if (at < 0)
		return why_set(why, at, "not listening on %.60s port %u", texts[0], port);
	config->n_listen--;
	memmove(&config->listen[at], &config->listen[at + 1], (config->n_listen - at) * sizeof(config->listen[0]));
	return 0;
}

int config_set_hlr(struct gsup_config *config, const char *text, unsigned port, struct weir_why *why)
{
	struct gate_address address;
	int rc = address_for(text, port, &address, why);

	if (rc == 0)
		config->hlr = address;
	return rc;
}

/* --- policy */

static int find_imsi(const struct policy_config *config, const char *text, struct weir_imsi *prefix,
		     struct weir_why *why)
{
	if (imsi_prefix_from_text(text, strlen(text), prefix))
		return why_set(why, -EINVAL, "'%.20s' is no IMSI prefix; 1 to 15 digits are needed", text);
	for (unsigned i = 0; i < config->n_imsi; i++) {
		if (config->imsi[i].prefix.packed == prefix->packed)
			return i;
	}
	return -ENOENT;
}

struct weir_imsi_rule *config_imsi_rule(struct policy_config *config, const char *text, struct weir_why *why)
{
	struct weir_imsi prefix;
	int at = find_imsi(config, text, &prefix, why);

	if (at >= 0)
		return &config->imsi[at];
	if (at != -ENOENT)
		return NULL;
	if (config->n_imsi == WEIR_POLICY_MAX_IMSI_RULES) {
		why_set(why, -ENOSPC, "more than %u IMSI prefix rules", WEIR_POLICY_MAX_IMSI_RULES);
		return NULL;
	}
	config->imsi[config->n_imsi] = (struct weir_imsi_rule){
		.prefix = prefix,
		.action = WEIR_DO_CONTINUE,
		.restrictive = WEIR_DO_INHERIT,
		.unknown = WEIR_DO_INHERIT,
	};
	return &config->imsi[config->n_imsi++];
}

int config_del_imsi_rule(struct policy_config *config, const char *text, struct weir_why *why)
{
	struct weir_imsi prefix;
	int at = find_imsi(config, text, &prefix, why);

	if (at == -ENOENT)
		return why_set(why, at, "there is no rule for IMSI prefix %.20s", text);
	if (at < 0)
		return at;
	config->n_imsi--;
	memmove(&config->imsi[at], &config->imsi[at + 1], (config->n_imsi - at) * sizeof(config->imsi[0]));
	return 0;
}

static const struct weir_terms empty_terms = {
	.peer = WEIR_DO_INHERIT,
	.malformed = WEIR_DO_INHERIT,
	.store_failure = WEIR_DO_INHERIT,
	.restrictive = WEIR_DO_INHERIT,
	.unknown = WEIR_DO_INHERIT,
};

struct weir_peer_rule *config_peer_terms(struct policy_config *config, enum weir_interface interface,
					 const char *pattern, struct weir_why *why)
{
	struct weir_peer_rule *rule;
	char name[sizeof(rule->name)];

	if (pattern_check(pattern, sizeof(rule->name), why))
		return NULL;
	snprintf(name, sizeof(name), "%s", pattern);
	if (interface != WEIR_IF_GSUP)
		config_keep_identity(name);
	for (unsigned i = 0; i < config->n_peers; i++) {
		rule = &config->peer[i];
		if (rule->interface == interface && !strcmp(rule->name, name))
			return rule;
	}
	if (config->n_peers == WEIR_POLICY_MAX_PEER_RULES) {
		why_set(why, -ENOSPC, "more than %u rules for peers", WEIR_POLICY_MAX_PEER_RULES);
		return NULL;
	}
	rule = &config->peer[config->n_peers++];
	*rule = (struct weir_peer_rule){.interface = interface, .terms = empty_terms};
	memcpy(rule->name, name, sizeof(rule->name));
	return rule;
}

static bool terms_are_empty(const struct weir_terms *t)
{
	return t->peer == WEIR_DO_INHERIT && t->malformed == WEIR_DO_INHERIT && t->store_failure == WEIR_DO_INHERIT &&
	       t->restrictive == WEIR_DO_INHERIT && t->unknown == WEIR_DO_INHERIT;
}

void config_tidy(struct policy_config *config)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < config->n_peers; i++) {
		if (!terms_are_empty(&config->peer[i].terms))
			config->peer[kept++] = config->peer[i];
	}
	config->n_peers = kept;
}
