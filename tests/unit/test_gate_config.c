/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The gate's settings as values: addresses, prefixes, who may connect, numbers of peers, the limit of complaints. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <osmocom/core/talloc.h>

#include "gate/address.h"
#include "gate/config.h"
#include "gate/gripe.h"
#include "gate/peers.h"
#include "rows.h"

static const struct {
	const char *prefix, *printed; /* printed NULL: refused */
	const char *in, *out;
} prefix_rows[] = {
	{"10.1.0.0/16", "10.1.0.0/16", "10.1.255.255", "10.2.0.0"},
	{"10.1.2.3", "10.1.2.3/32", "10.1.2.3", "10.1.2.2"},
	{"10.1.2.3/32", "10.1.2.3/32", "10.1.2.3", "10.1.2.2"},
	{"128.0.0.0/1", "128.0.0.0/1", "255.0.0.1", "127.255.255.255"},
	{"10.1.2.128/25", "10.1.2.128/25", "10.1.2.129", "10.1.2.127"},
	{"10.1.2.4/31", "10.1.2.4/31", "10.1.2.5", "10.1.2.6"},
	{"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", "::1"},
	{"::/0", "::/0", "2001:db8::1", "10.0.0.1"},
	{"2001:db8::/33", "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
	{"::1", "::1/128", "::1", "::2"},
	{"10.1.0.1/16", NULL, NULL, NULL}, /* bits behind the length */
	{"10.1.0.0/33", NULL, NULL, NULL},
	{"10.1.0.0/-1", NULL, NULL, NULL},
	{"10.1.0.0/", NULL, NULL, NULL},
	{"10.1.0.0/8x", NULL, NULL, NULL},
	{"10.1.0.0/ 8", NULL, NULL, NULL},
	{"10.1.0", NULL, NULL, NULL},
	{"localhost", NULL, NULL, NULL},
	{"", NULL, NULL, NULL},
	{"/8", NULL, NULL, NULL},
	{"2001:db8::1/64", NULL, NULL, NULL},
	{"2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/64", NULL, NULL, NULL},
};

static void a_prefix_covers_what_begins_with_its_bits(void **state)
{
	struct gate_prefix prefix;
	struct gate_address address;
	char text[GATE_ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(prefix_rows) / sizeof(prefix_rows[0]); i++) {
		int rc = prefix_from_text(prefix_rows[i].prefix, &prefix);
		if (!prefix_rows[i].printed) {
			assert_int_equal(rc, -EINVAL);
			assert_int_equal(prefix.net.family, 0);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(prefix_print(text, &prefix), prefix_rows[i].printed);
		assert_int_equal(address_from_text(prefix_rows[i].in, 99, &address), 0);
		assert_true(prefix_covers(&prefix, &address));
		assert_int_equal(address_from_text(prefix_rows[i].out, 99, &address), 0);
		assert_false(prefix_covers(&prefix, &address));
	}
}

static void the_empty_prefix_covers_nothing(void **state)
{
	const struct gate_prefix none = {0};
	const struct gate_address nowhere = {0};

	(void)state;
	assert_false(prefix_covers(&none, &nowhere));
}

static void an_address_survives_the_socket(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "255.255.255.255", "::1", "2001:db8::42"};
	struct gate_address in, out;
	struct sockaddr_storage sa;
	char text[GATE_ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(address_from_text(texts[i], 4222, &in), 0);
		assert_true(address_to_sockaddr(&in, &sa) > 0);
		address_from_sockaddr(&sa, &out);
		assert_true(address_equal(&in, &out));
		assert_string_equal(address_print(text, &out), texts[i]);
	}
	assert_string_equal(address_print_port(text, &out), "[2001:db8::42]:4222");
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
	struct sockaddr_storage sa;
	struct gate_address address;
	char text[GATE_ADDRESS_TEXT];

	(void)state;
	memcpy(in6.sin6_addr.s6_addr + 10, "\xff\xff\x0a\x01\x02\x03", 6);
	memset(&sa, 0, sizeof(sa));
	memcpy(&sa, &in6, sizeof(in6));
	address_from_sockaddr(&sa, &address);
	assert_string_equal(address_print_port(text, &address), "10.1.2.3:7");
}

/* --- who may connect */

static const struct {
	const char *name, *from;
	bool covered, allowed;
} peer_rows[] = {
	{"MSC-1", "10.1.0.5", true, true},      {"MSC-", "10.1.0.5", true, true},
	{"MSC", "10.1.0.5", true, false},       {"msc-1", "10.1.0.5", true, false},
	{"MSC-1", "10.2.0.5", true, false},     {"SGSN-1", "10.2.0.5", true, true},
	{"SGSN-10", "10.2.0.5", true, false},   {"SGSN-1", "10.3.0.5", false, false},
	{"anybody", "2001:db8::7", true, true}, {"anybody", "2001:db9::7", false, false},
};

static const char *const here[] = {"127.0.0.1"};

static void a_peer_needs_its_name_and_its_address(void **state)
{
	static struct gate_config config;
	struct gate_address from;

	(void)state;
	config_init(&config);
	assert_int_equal(config_add_peer(&config.gsup.door, "MSC-*", NULL, "10.1.0.0/16", NULL), 0);
	assert_int_equal(config_add_peer(&config.gsup.door, "SGSN-1", NULL, "10.2.0.0/16", NULL), 0);
	assert_int_equal(config_add_peer(&config.gsup.door, "*", NULL, "2001:db8::/32", NULL), 0);
	assert_int_equal(config_add_peer(&config.gsup.door, "*", NULL, "2001:db8::/32", NULL), 0); /* twice is once */
	assert_int_equal(config.gsup.door.n_peers, 3);
	for (size_t i = 0; i < sizeof(peer_rows) / sizeof(peer_rows[0]); i++) {
		assert_int_equal(address_from_text(peer_rows[i].from, 1, &from), 0);
		assert_int_equal(config_covers_address(&config.gsup.door, &from), peer_rows[i].covered);
		assert_int_equal(config_allows_peer(&config.gsup.door, peer_rows[i].name, &from), peer_rows[i].allowed);
	}
}

static void nobody_may_connect_by_default(void **state)
{
	static struct gate_config config;
	struct gate_address from;

	(void)state;
	config_init(&config);
	assert_int_equal(address_from_text("127.0.0.1", 1, &from), 0);
	assert_false(config_covers_address(&config.gsup.door, &from));
	assert_int_equal(config.gsup.door.n_listen, 0);
}

static void what_is_refused_is_told_in_a_sentence(void **state)
{
	static struct gate_config config;
	struct weir_why why;
	char name[GATE_PATTERN_TEXT + 1];

	(void)state;
	config_init(&config);
	memset(name, 'A', GATE_PATTERN_TEXT);
	name[GATE_PATTERN_TEXT] = '\0';
	assert_int_equal(config_add_peer(&config.gsup.door, name, NULL, "10.0.0.0/8", &why), -EINVAL);
	assert_non_null(strstr(why.text, "1 to 255"));
	assert_int_equal(config_add_peer(&config.gsup.door, "A*B", NULL, "10.0.0.0/8", &why), -EINVAL);
	assert_non_null(strstr(why.text, "last character"));
	assert_int_equal(config_add_peer(&config.gsup.door, "A\xc3\xa4", NULL, "10.0.0.0/8", &why), -EINVAL);
	assert_int_equal(config_add_peer(&config.gsup.door, "A", NULL, "10.0.0.0/7.5", &why), -EINVAL);
	assert_non_null(strstr(why.text, "10.1.0.0/16"));
	assert_int_equal(config_del_peer(&config.gsup.door, "A", NULL, "10.0.0.0/8", &why), -ENOENT);
	assert_int_equal(config_set_hlr(&config.gsup, "hlr.example", 4222, &why), -EINVAL);
	assert_non_null(strstr(why.text, "not resolved"));
	assert_int_equal(config_del_listen(&config.gsup.door, GATE_TCP, here, 1, 1, &why), -ENOENT);
	assert_int_equal(config.gsup.door.n_peers, 0);
}

static void an_identity_of_diameter_has_no_case_and_may_need_a_realm(void **state)
{
	static struct gate_config config;
	struct door_config *door = &config.gsup.door;
	struct gate_address from, elsewhere;

	(void)state;
	config_init(&config);
	assert_int_equal(address_from_text("10.0.0.1", 1, &from), 0);
	assert_int_equal(address_from_text("10.9.0.1", 1, &elsewhere), 0);
	assert_int_equal(config_add_peer(door, "mme*", "epc.example.org", "10.0.0.0/24", NULL), 0);
	assert_int_equal(config_add_peer(door, "dra.example.org", NULL, "10.9.0.0/16", NULL), 0);
	assert_true(config_allows_identity(door, "MME1.epc.example.org", "EPC.example.ORG", &from));
	assert_false(config_allows_identity(door, "mme1.epc.example.org", "example.org", &from));
	assert_false(config_allows_identity(door, "mme1.epc.example.org", "epc.example.org", &elsewhere));
	assert_true(config_allows_identity(door, "DRA.example.org", "anything", &elsewhere));
	assert_false(config_allows_identity(door, "dra.example.org2", "anything", &elsewhere));
	assert_true(config_allows_identity(door, "mme1.epc.example.org", NULL, &from));
	assert_int_equal(config_del_peer(door, "mme*", NULL, "10.0.0.0/24", NULL), -ENOENT);
	assert_int_equal(config_del_peer(door, "mme*", "epc.example.org", "10.0.0.0/24", NULL), 0);
	assert_int_equal(door->n_peers, 1);
}

/* TS 23.003 19.4.2.4: an MME of a pool has 69 octets; a DiameterIdentity may have 255. */
static void names_may_be_as_long_as_diameter_has_them(void **state)
{
	static struct gate_config config;
	struct door_config *door = &config.s13.door;
	struct gate_address from;
	struct weir_why why;
	char name[GATE_PATTERN_TEXT + 1], other[GATE_PATTERN_TEXT];

	(void)state;
	config_init(&config);
	memset(name, 'm', GATE_PATTERN_TEXT);
	name[GATE_PATTERN_TEXT] = '\0';
	assert_int_equal(address_from_text("10.0.0.1", 1, &from), 0);
	assert_int_equal(config_add_peer(door, name, NULL, "10.0.0.0/8", &why), -EINVAL);
	assert_int_equal(config_add_peer(door, "m", name, "10.0.0.0/8", &why), -EINVAL);
	assert_int_equal(config_set_rate(door, name, &(struct rate_terms){.limit = 7}, &why), -EINVAL);
	assert_int_equal(config_add_agent(&config.s13, name, &why), -EINVAL);
	assert_null(config_peer_terms(&config.policy, WEIR_IF_S13, name, &why));
	name[255] = '\0';
	memcpy(other, name, sizeof(other));
	other[254] = 'n';
	assert_int_equal(config_add_peer(door, name, name, "10.0.0.0/8", &why), 0);
	assert_true(config_allows_identity(door, name, name, &from));
	assert_false(config_allows_identity(door, other, name, &from));
	assert_false(config_allows_identity(door, name, other, &from));
	assert_int_equal(config_set_rate(door, name, &(struct rate_terms){.limit = 7}, &why), 0);
	assert_int_equal(config_rate_terms(door, name).limit, 7);
	assert_int_equal(config_rate_terms(door, other).limit, 0);
	assert_int_equal(config_add_agent(&config.s13, name, &why), 0);
	assert_string_equal(config.s13.agent[0], name);
	assert_non_null(config_peer_terms(&config.policy, WEIR_IF_S13, name, &why));
	assert_int_equal(config_del_peer(door, name, name, "10.0.0.0/8", &why), 0);
	assert_int_equal(config_del_agent(&config.s13, name, &why), 0);
}

static void the_first_rate_that_matches_counts(void **state)
{
	static struct gate_config config;
	struct door_config *door = &config.gsup.door;
	struct weir_why why;

	(void)state;
	config_init(&config);
	assert_int_equal(config_set_rate(door, "mme1", &(struct rate_terms){.limit = 5}, NULL), 0);
	assert_int_equal(config_set_rate(door, "*", &(struct rate_terms){.limit = 7, .reserve = 3}, NULL), 0);
	assert_int_equal(config_rate_terms(door, "mme1").limit, 5);
	assert_int_equal(config_rate_terms(door, "mme2").limit, 7);
	assert_int_equal(config_rate_terms(door, "mme2").reserve, 3);
	assert_int_equal(config_set_rate(door, "mme1", &(struct rate_terms){.reserve = 9}, NULL), 0);
	assert_int_equal(config_rate_terms(door, "mme1").limit, 0);
	assert_int_equal(config_rate_terms(door, "mme1").reserve, 9);
	assert_int_equal(config_set_rate(door, "mme1", &(struct rate_terms){0}, NULL), 0);
	assert_int_equal(config_rate_terms(door, "mme1").limit, 7);
	assert_int_equal(config_set_rate(door, "mme1", &(struct rate_terms){0}, &why), -ENOENT);
	assert_int_equal(config_set_rate(door, "a b", &(struct rate_terms){.limit = 1}, &why), -EINVAL);
	for (unsigned i = door->n_rates; i < GATE_MAX_RATE_RULES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "p%u", i);
		assert_int_equal(config_set_rate(door, name, &(struct rate_terms){.limit = 1}, NULL), 0);
	}
	assert_int_equal(config_set_rate(door, "one-more", &(struct rate_terms){.limit = 1}, &why), -ENOSPC);
}

/* The names of one peer in every order: who is first by the rules comes out. */
static void of_several_names_the_rules_choose(void **state)
{
	static const char *const names[] = {"pool.example.org", "a.example.org", "AMF1.example.org", "amf2.example.org",
					    "b.example.org"};
	static const struct {
		const char *peer[3], *rate[3], *chosen;
	} rows[] = {
		{{NULL}, {NULL}, "a.example.org"}, /* none is allowed */
		{{NULL}, {"pool*"}, "pool.example.org"},
		{{"*"}, {NULL}, "a.example.org"},
		{{"amf*"}, {NULL}, "AMF1.example.org"},
		{{"amf2.example.org", "amf1.*"}, {NULL}, "amf2.example.org"},
		{{"amf2.example.org", "amf1.*"}, {"AmF1.*"}, "AMF1.example.org"},
		{{"*"}, {"nobody", "B.example.*", "a.*"}, "b.example.org"},
		{{"amf*"}, {"pool*"}, "AMF1.example.org"},
	};
	struct gate_address from;

	(void)state;
	assert_int_equal(address_from_text("10.0.0.1", 1, &from), 0);
	for (unsigned i = 0; i < N_ROWS(rows); i++) {
		static struct gate_config config;
		struct door_config *door = &config.n5g.door;
		config_init(&config);
		config_add_peer(door, "*", NULL, "10.9.0.0/16", NULL); /* from elsewhere: no matter */
		for (unsigned j = 0; j < 3 && rows[i].peer[j]; j++)
			config_add_peer(door, rows[i].peer[j], NULL, "10.0.0.0/24", NULL);
		for (unsigned j = 0; j < 3 && rows[i].rate[j]; j++)
			config_set_rate(door, rows[i].rate[j], &(struct rate_terms){.limit = 1}, NULL);
		for (unsigned first = 0; first < N_ROWS(names); first++) {
			const char *best = names[first];
			for (unsigned j = 1; j < N_ROWS(names); j++) {
				const char *name = names[(first + j) % N_ROWS(names)];
				best = config_compare_names(door, &from, name, best) < 0 ? name : best;
			}
			assert_string_equal(best, rows[i].chosen);
		}
	}
}

static void only_sctp_has_several_homes(void **state)
{
	static const char *const homes[] = {"10.0.0.1", "10.1.0.1", "2001:db8::1", "10.2.0.1", "10.3.0.1"};
	static struct gate_config config;
	struct door_config *door = &config.gsup.door;
	struct weir_why why;

	(void)state;
	config_init(&config);
	assert_int_equal(config_add_listen(door, GATE_TCP, homes, 2, 3868, &why), -EINVAL);
	assert_non_null(strstr(why.text, "SCTP"));
	assert_int_equal(config_add_listen(door, GATE_SCTP, homes, GATE_HOMES + 1, 3868, &why), -EINVAL);
	assert_int_equal(config_add_listen(door, GATE_SCTP, homes, GATE_HOMES, 3868, &why), 0);
	assert_int_equal(config_add_listen(door, GATE_SCTP, homes, GATE_HOMES, 3868, &why), 0);
	assert_int_equal(door->n_listen, 1);
	assert_int_equal(config_add_listen(door, GATE_SCTP, homes, 1, 3868, &why), 0);
	assert_int_equal(config_del_listen(door, GATE_TCP, homes, 1, 3868, &why), -ENOENT);
	assert_int_equal(config_del_listen(door, GATE_SCTP, homes, GATE_HOMES, 3868, &why), 0);
	assert_int_equal(door->n_listen, 1);
	assert_int_equal(door->listen[0].n, 1);
}

static void tables_are_bounded(void **state)
{
	static struct gate_config config;
	struct weir_why why;
	char name[32];

	(void)state;
	config_init(&config);
	for (unsigned i = 0; i < GATE_MAX_PEER_RULES; i++) {
		snprintf(name, sizeof(name), "P%u", i);
		assert_int_equal(config_add_peer(&config.gsup.door, name, NULL, "10.0.0.0/8", &why), 0);
	}
	assert_int_equal(config_add_peer(&config.gsup.door, "more", NULL, "10.0.0.0/8", &why), -ENOSPC);
	for (unsigned i = 0; i < GATE_MAX_LISTEN; i++)
		assert_int_equal(config_add_listen(&config.gsup.door, GATE_TCP, here, 1, 1000 + i, &why), 0);
	assert_int_equal(config_add_listen(&config.gsup.door, GATE_TCP, here, 1, 999, &why), -ENOSPC);
	assert_int_equal(config_del_listen(&config.gsup.door, GATE_TCP, here, 1, 1000, &why), 0);
	assert_int_equal(config_add_listen(&config.gsup.door, GATE_TCP, here, 1, 999, &why), 0);
	for (unsigned i = 0; i < WEIR_POLICY_MAX_IMSI_RULES; i++) {
		snprintf(name, sizeof(name), "9%05u", i);
		assert_non_null(config_imsi_rule(&config.policy, name, &why));
	}
	assert_null(config_imsi_rule(&config.policy, "1", &why));
	assert_int_equal(config_del_imsi_rule(&config.policy, "900001", &why), 0);
	assert_int_equal(config_del_imsi_rule(&config.policy, "900001", &why), -ENOENT);
	assert_non_null(config_imsi_rule(&config.policy, "1", &why));
}

static void an_empty_rule_of_a_peer_disappears(void **state)
{
	static struct gate_config config;
	struct weir_peer_rule *rule;

	(void)state;
	config_init(&config);
	rule = config_peer_terms(&config.policy, WEIR_IF_GSUP, "MSC-*", NULL);
	assert_non_null(rule);
	rule->terms.unknown = WEIR_DO_BLACK;
	config_tidy(&config.policy);
	assert_int_equal(config.policy.n_peers, 1);
	assert_ptr_equal(config_peer_terms(&config.policy, WEIR_IF_GSUP, "MSC-*", NULL), rule);
	rule->terms.unknown = WEIR_DO_INHERIT;
	config_tidy(&config.policy);
	assert_int_equal(config.policy.n_peers, 0);
}

/* Diameter compares names without case and the policy does not: they are kept in lower case. */
static void names_without_case_are_kept_in_lower_case(void **state)
{
	static struct gate_config config;
	struct weir_peer_rule *rule;
	struct weir_why why;

	(void)state;
	config_init(&config);
	rule = config_peer_terms(&config.policy, WEIR_IF_S13, "MME.A*", NULL);
	assert_string_equal(rule->name, "mme.a*");
	assert_ptr_equal(config_peer_terms(&config.policy, WEIR_IF_S13, "mme.A*", NULL), rule);
	assert_string_equal(config_peer_terms(&config.policy, WEIR_IF_N5G, "AMF.A*", NULL)->name, "amf.a*");
	assert_string_equal(config_peer_terms(&config.policy, WEIR_IF_GSUP, "MSC-A*", NULL)->name, "MSC-A*");
	assert_int_equal(config_set_name(config.s13.origin_host, "EIR.Example", NULL), 0);
	assert_string_equal(config.s13.origin_host, "eir.example");
	assert_int_equal(config_add_realm(&config.s13, "Example", NULL), 0);
	assert_int_equal(config_add_realm(&config.s13, "EXAMPLE", NULL), 0);
	assert_int_equal(config.s13.n_realms, 1);
	assert_int_equal(config_del_realm(&config.s13, "exAmple", NULL), 0);
	assert_int_equal(config.s13.n_realms, 0);
	assert_int_equal(config_del_realm(&config.s13, "example", &why), -ENOENT);
	assert_string_equal(why.text, "there is no 'realm example'");
}

/* Nor does a final dot count. */
static void a_final_dot_of_a_name_of_diameter_is_dropped(void **state)
{
	static struct gate_config config;
	struct door_config *door = &config.s13.door;
	struct gate_address from;

	(void)state;
	config_init(&config);
	assert_int_equal(address_from_text("10.0.0.1", 1, &from), 0);
	assert_int_equal(config_set_name(config.s13.origin_host, "EIR.Example.", NULL), 0);
	assert_string_equal(config.s13.origin_host, "eir.example");
	assert_int_equal(config_set_name(config.s13.origin_host, "eir..example", NULL), -EINVAL);
	assert_int_equal(config_add_realm(&config.s13, "example.", NULL), 0);
	assert_int_equal(config_add_realm(&config.s13, "Example", NULL), 0);
	assert_int_equal(config_add_realm(&config.s13, "example.", NULL), 0);
	assert_int_equal(config.s13.n_realms, 1);
	assert_string_equal(config_peer_terms(&config.policy, WEIR_IF_S13, "MME.a.", NULL)->name, "mme.a");
	assert_string_equal(config_peer_terms(&config.policy, WEIR_IF_S13, "mme.*", NULL)->name, "mme.*");
	assert_string_equal(config_peer_terms(&config.policy, WEIR_IF_GSUP, "MSC.", NULL)->name, "MSC.");
	assert_int_equal(config_add_peer(door, "mme.a.", "Example.", "10.0.0.0/8", NULL), 0);
	assert_true(config_allows_identity(door, "mme.a", "example", &from));
	assert_false(config_allows_identity(door, "mme.", "example", &from));
	assert_false(config_allows_identity(door, "mme.a", "exampl", &from));
	assert_int_equal(config_set_rate(door, "mme.a.", &(struct rate_terms){.limit = 7}, NULL), 0);
	assert_int_equal(config_rate_terms(door, "mme.a").limit, 7);
	assert_int_equal(config_del_realm(&config.s13, "EXAMPLE.", NULL), 0);
}

/* A draft moved to another place keeps its arrays. */
static void a_copied_draft_makes_the_same_policy(void **state)
{
	static struct gate_config config, copy;
	struct weir_policy_draft draft;
	struct weir_policy *policy;
	struct weir_imsi imsi;
	struct weir_verdict verdict;
	struct weir_query query = {.imei = {.key = 35209900176148, .svn = WEIR_NO_SVN}};

	(void)state;
	config_init(&config);
	config_imsi_rule(&config.policy, "00102", NULL)->action = WEIR_DO_BLACK;
	copy = config;
	memset(&config, 0xaa, sizeof(config));
	draft = config_policy_draft(&copy);
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	assert_int_equal(imsi_from_text("001020000000001", 15, &imsi), 0);
	query.imsi = imsi;
	query.terms = policy_terms(policy, WEIR_IF_GSUP, "MSC-1");
	policy_decide(policy, &query, NULL, &verdict, NULL);
	assert_int_equal(verdict.colour, WEIR_BLACK);
	assert_int_equal(verdict.step, WEIR_STEP_IMSI);
	policy_free(policy);
}

/* --- peers and gripes */

static void a_peer_keeps_its_number(void **state)
{
	struct peers *peers = peers_alloc(NULL);
	uint16_t msc = peers_id(peers, WEIR_IF_GSUP, "MSC-1"), same = peers_id(peers, WEIR_IF_S13, "MSC-1");
	char name[64];

	(void)state;
	assert_int_not_equal(msc, PEER_NONE);
	assert_int_not_equal(msc, same);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "MSC-1"), msc);
	assert_int_equal(peers_find(peers, WEIR_IF_GSUP, "MSC-2"), PEER_NONE);
	assert_string_equal(peers_name(peers, msc), "MSC-1");
	assert_int_equal(peers_interface(peers, same), WEIR_IF_S13);
	assert_null(peers_name(peers, PEER_NONE));
	assert_null(peers_name(peers, 999));
	for (unsigned i = 2; i < PEERS_MAX; i++) {
		snprintf(name, sizeof(name), "P%u", i);
		assert_int_not_equal(peers_id(peers, WEIR_IF_GSUP, name), PEER_NONE);
	}
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "one more"), PEER_NONE);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "MSC-1"), msc);
	talloc_free(peers);
}

static void the_longest_absent_gives_its_number_to_a_new_name(void **state)
{
	struct peers *peers = peers_alloc(NULL);
	uint16_t id[PEERS_MAX];
	char name[64];

	(void)state;
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		snprintf(name, sizeof(name), "P%u", i);
		id[i] = peers_id(peers, WEIR_IF_GSUP, name);
	}
	peers_left(peers, PEER_NONE);
	peers_left(peers, id[7]);
	peers_left(peers, id[3]);
	peers_left(peers, id[5]);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "P7"), id[7]); /* back again: has not been absent longest */
	peers_left(peers, id[7]);
	assert_int_equal(peers_id(peers, WEIR_IF_S13, "new 1"), id[3]);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "new 2"), id[5]);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "new 3"), id[7]);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "new 4"), PEER_NONE);
	assert_string_equal(peers_name(peers, id[3]), "new 1");
	assert_int_equal(peers_interface(peers, id[3]), WEIR_IF_S13);
	assert_int_equal(peers_find(peers, WEIR_IF_GSUP, "P3"), PEER_NONE);
	assert_int_equal(peers_count(peers), PEERS_MAX);
	talloc_free(peers);
}

static void a_cut_name_finds_the_whole_one(void **state)
{
	struct peers *peers = peers_alloc(NULL);
	uint16_t id = peers_id(peers, WEIR_IF_GSUP, "MSC-00-00-00-00-00-01");

	(void)state;
	assert_int_equal(peers_find_cut(peers, "MSC-00-00-00-00-00-01", 40), id);
	assert_int_equal(peers_find_cut(peers, "MSC-00-00-", 10), id);
	assert_int_equal(peers_find_cut(peers, "MSC-00-00", 10), PEER_NONE); /* shorter than the cut: it is whole */
	id = peers_id_cut(peers, WEIR_IF_GSUP, "MSC-77-77-", 10);
	assert_int_not_equal(id, PEER_NONE);
	assert_int_equal(peers_id_cut(peers, WEIR_IF_GSUP, "MSC-77-77-", 10), id);
	assert_int_equal(peers_id(peers, WEIR_IF_GSUP, "MSC-77-77-01"), id); /* it has its whole name now */
	assert_string_equal(peers_name(peers, id), "MSC-77-77-01");
	assert_int_not_equal(peers_id(peers, WEIR_IF_GSUP, "MSC-77-77-02"), id);
	talloc_free(peers);
}

static void a_stranger_is_logged_once_a_minute(void **state)
{
	static struct gripes gripes;
	struct gate_address a, b, many;
	unsigned said = 0;

	(void)state;
	assert_int_equal(address_from_text("10.0.0.1", 1, &a), 0);
	assert_int_equal(address_from_text("10.0.0.2", 1, &b), 0);
	assert_true(gripe_now(&gripes, &a, 1000));
	a.port = 2;
	assert_false(gripe_now(&gripes, &a, 2000));
	assert_true(gripe_now(&gripes, &b, 2000));
	assert_false(gripe_now(&gripes, &a, 1000 + GRIPE_SPAN_US - 1));
	assert_true(gripe_now(&gripes, &a, 1000 + GRIPE_SPAN_US));
	many = a;
	for (unsigned i = 0; i < 1000; i++) {
		many.octets[1] = 1 + i / 250;
		many.octets[2] = i % 250;
		said += gripe_now(&gripes, &many, 1000 + GRIPE_SPAN_US);
	}
	assert_int_equal(said, GRIPES - 2); /* a and b have theirs */
}

static void complaints_do_not_hide_each_other(void **state)
{
	static struct gripes gripes;
	struct gate_address a, b;

	(void)state;
	assert_int_equal(address_from_text("10.0.0.1", 1, &a), 0);
	assert_int_equal(address_from_text("10.0.0.2", 1, &b), 0);
	for (unsigned minute = 0; minute < 2; minute++) {
		int64_t now_us = minute * GRIPE_SPAN_US;
		for (unsigned first = 1; first < 2; first--) {
			assert_int_equal(gripe_now(&gripes, &a, now_us), first);
			assert_int_equal(gripe_about(&gripes, &a, "late", now_us), first);
			assert_int_equal(gripe_about(&gripes, &a, "loud", now_us), first);
			assert_int_equal(gripe_about(&gripes, &b, "late", now_us), first);
			assert_int_equal(gripe_of(&gripes, "mme1", "late", now_us), first);
			assert_int_equal(gripe_of(&gripes, "mme1", "loud", now_us), first);
			assert_int_equal(gripe_of(&gripes, "mme2", "late", now_us), first);
			assert_int_equal(gripe_of(&gripes, "mme", "1late", now_us), first);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_covers_what_begins_with_its_bits),
		cmocka_unit_test(the_empty_prefix_covers_nothing),
		cmocka_unit_test(an_address_survives_the_socket),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(a_peer_needs_its_name_and_its_address),
		cmocka_unit_test(nobody_may_connect_by_default),
		cmocka_unit_test(what_is_refused_is_told_in_a_sentence),
		cmocka_unit_test(an_identity_of_diameter_has_no_case_and_may_need_a_realm),
		cmocka_unit_test(names_may_be_as_long_as_diameter_has_them),
		cmocka_unit_test(the_first_rate_that_matches_counts),
		cmocka_unit_test(of_several_names_the_rules_choose),
		cmocka_unit_test(only_sctp_has_several_homes),
		cmocka_unit_test(tables_are_bounded),
		cmocka_unit_test(an_empty_rule_of_a_peer_disappears),
		cmocka_unit_test(names_without_case_are_kept_in_lower_case),
		cmocka_unit_test(a_final_dot_of_a_name_of_diameter_is_dropped),
		cmocka_unit_test(a_copied_draft_makes_the_same_policy),
		cmocka_unit_test(a_peer_keeps_its_number),
		cmocka_unit_test(the_longest_absent_gives_its_number_to_a_new_name),
		cmocka_unit_test(a_cut_name_finds_the_whole_one),
		cmocka_unit_test(a_stranger_is_logged_once_a_minute),
		cmocka_unit_test(complaints_do_not_hide_each_other),
	};

	return cmocka_run_group_tests_name("gate config", tests, NULL, NULL);
}
