/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What must hold for every policy, query and register; and which drafts make no policy. */
#include "core/policy.h"

#include "core/policy_made.h"

#include "policy_rows.h"

#define DEVICE	   UINT64_C(35209900176148)
#define SUBSCRIBER UINT64_C(1001010000000001)
#define SERIAL	   77
#define OPEN                                                                                                           \
	{                                                                                                              \
		WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT                    \
	}
#define TOLD(prefix, action)                                                                                           \
	{                                                                                                              \
		{prefix}, action, WEIR_DO_INHERIT, WEIR_DO_INHERIT                                                     \
	}

/* --- for every policy, query and register ----------------------------------------------------- */

static enum weir_action pick(uint64_t *random, const enum weir_action *from, unsigned n)
{
	return from[rows_random_below(random, n)];
}
#define PICK(random, ...)                                                                                              \
	pick(random, (const enum weir_action[]){__VA_ARGS__},                                                          \
	     sizeof((const enum weir_action[]){__VA_ARGS__}) / sizeof(enum weir_action))
#define COLOURS WEIR_DO_WHITE, WEIR_DO_GREY, WEIR_DO_BLACK, WEIR_DO_UNKNOWN
#define CONTINUES                                                                                                      \
	WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE

static struct weir_terms any_terms(uint64_t *random)
{
	return (struct weir_terms){
		PICK(random, COLOURS, CONTINUES, CONTINUES, WEIR_DO_REFUSE, WEIR_DO_INHERIT),
		PICK(random, COLOURS, WEIR_DO_REFUSE, WEIR_DO_INHERIT),
		PICK(random, WEIR_DO_WHITE, WEIR_DO_BLACK, WEIR_DO_UNKNOWN, WEIR_DO_REFUSE, WEIR_DO_INHERIT),
		PICK(random, WEIR_DO_CONTINUE, WEIR_DO_GREY, WEIR_DO_BLACK, WEIR_DO_INHERIT),
		PICK(random, COLOURS, WEIR_DO_INHERIT),
	};
}

#define ANY_IMSI_RULES 40
#define ANY_PEER_RULES 6

/* Prefixes of 1 to 8 digits of 0 and 1, so that many lie within each other. */
static unsigned any_imsi_rules(uint64_t *random, struct weir_imsi_rule rules[static ANY_IMSI_RULES])
{
	unsigned n = 0, wanted = rows_random_below(random, ANY_IMSI_RULES + 1);

	for (unsigned tries = 0; n < wanted && tries < 200; tries++) {
		uint64_t packed = 1;
		bool is_new = true;
		for (unsigned digits = 1 + rows_random_below(random, 8); digits; digits--)
			packed = packed * 10 + rows_random_below(random, 2);
		for (unsigned i = 0; i < n; i++)
			is_new = is_new && rules[i].prefix.packed != packed;
		if (!is_new)
			continue;
		rules[n++] = (struct weir_imsi_rule){
			{packed},
			PICK(random, COLOURS, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_REFUSE),
			PICK(random, WEIR_DO_CONTINUE, WEIR_DO_GREY, WEIR_DO_BLACK, WEIR_DO_INHERIT),
			PICK(random, COLOURS, WEIR_DO_INHERIT),
		};
	}
	return n;
}

static struct weir_policy *any_policy(uint64_t *random)
{
	struct weir_imsi_rule imsi_rules[ANY_IMSI_RULES];
	struct weir_peer_rule peer_rules[ANY_PEER_RULES];
	struct weir_policy_draft draft;
	struct weir_policy *policy;
	struct weir_why why = {""};

	policy_draft_init(&draft);
	draft.override = PICK(random, CONTINUES, CONTINUES, CONTINUES, COLOURS);
	for (unsigned i = 0; i < WEIR_IMEI_N_CLASSES; i++)
		draft.special[i] = PICK(random, COLOURS, CONTINUES, WEIR_DO_REFUSE);
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		draft.interface[i] = any_terms(random);
	draft.defaults = any_terms(random);
	draft.imsi_rules = imsi_rules;
	draft.n_imsi_rules = any_imsi_rules(random, imsi_rules);
	draft.peer_rules = peer_rules;
	draft.n_peer_rules = rows_random_below(random, ANY_PEER_RULES + 1);
	for (unsigned i = 0; i < draft.n_peer_rules; i++) {
		peer_rules[i] = (struct weir_peer_rule){.interface = rows_random_below(random, WEIR_N_INTERFACES),
							.terms = any_terms(random)};
		snprintf(peer_rules[i].name, sizeof(peer_rules[i].name), "peer-%u", i);
	}
	policy = policy_alloc(&draft, &why);
	if (!policy)
		fail_msg("%s", why.text);
	return policy;
}

static struct weir_query any_query(uint64_t *random)
{
	static const uint64_t keys[] = {DEVICE, 0, UINT64_C(22222222222222), UINT64_C(1234567890123), 42, UINT64_MAX};
	struct weir_query query = {
		.imei = {.key = keys[rows_random_below(random, N_ROWS(keys))], .svn = WEIR_NO_SVN},
		.fault = rows_random_below(random, 5) ? 0 : rows_random_below(random, WEIR_IMEI_N_FAULTS + 2),
		.interface = rows_random_below(random, WEIR_N_INTERFACES + 2),
		.terms = (uint16_t)rows_random_below(random, 20),
	};

	if (rows_random_below(random, 8)) {
		query.imsi.packed = 1;
		for (unsigned digits = 5 + rows_random_below(random, 11); digits; digits--)
			query.imsi.packed = query.imsi.packed * 10 + rows_random_below(random, 2);
	}
	return query;
}

static struct weir_listing any_listing(uint64_t *random)
{
	uint8_t lists = rows_random_below(random, 2) ? 0 : (uint8_t)rows_random(random);

	return (struct weir_listing){lists, (uint16_t)rows_random_below(random, 20)};
}

static struct weir_facts any_facts(uint64_t *random)
{
	return (struct weir_facts){
		.failed = !rows_random_below(random, 6),
		.serial = SERIAL,
		.svn = any_listing(random),
		.device = any_listing(random),
		.range = any_listing(random),
		.pair = rows_random_below(random, 2) ? WEIR_PAIR_NONE
						     : rows_random_below(random, WEIR_N_PAIR_RULES + 1),
		.sim = rows_random_below(random, 4),
		.pair_reason = (uint16_t)rows_random(random),
	};
}

/* Exactly one tally, and the right kind of one. */
static void assert_tally(const struct weir_query *query, const struct weir_facts *facts, const struct weir_verdict *v)
{
	bool shed = v->answer == WEIR_ANSWER_REFUSE && (v->step == WEIR_STEP_PEER || v->step == WEIR_STEP_IMSI);
	bool no_imei = query->fault == WEIR_IMEI_SCHEME, unreadable = query->fault && !no_imei;
	bool malformed = !shed && (unreadable || (v->answer == WEIR_ANSWER_REFUSE && v->step == WEIR_STEP_IDENTITY));
	bool failed = v->step == WEIR_STEP_STORE;

	assert_in_range(v->tally, 0, WEIR_N_TALLIES - 1);
	assert_in_range(v->colour, 0, WEIR_N_COLOURS - 1);
	assert_in_range(v->reason, 0, WEIR_N_REASONS - 1);
	assert_in_range(v->step, WEIR_STEP_OVERRIDE, WEIR_STEP_DEFAULT);
	assert_int_equal(v->tally == WEIR_TALLY_SHED, shed);
	assert_int_equal(v->tally == WEIR_TALLY_MALFORMED, malformed);
	assert_int_equal(v->tally == WEIR_TALLY_FAILED, failed);
	if (!shed && !malformed && !failed)
		assert_int_equal(v->tally, v->colour);
	if (failed)
		assert_true(facts->failed);
	if (v->answer == WEIR_ANSWER_REFUSE)
		assert_int_equal(v->colour, WEIR_UNKNOWN);
	assert_true(v->step < WEIR_STEP_STORE || no_imei ? v->serial == 0 : v->serial == SERIAL);
	if (unreadable)
		assert_true(v->step <= WEIR_STEP_IDENTITY);
	if (no_imei) /* no list was asked, and nothing can have been wrong with the identity */
		assert_true(v->step != WEIR_STEP_IDENTITY &&
			    (v->step < WEIR_STEP_STORE || v->step >= WEIR_STEP_OVERLAP));
}

static void assert_trace(const struct weir_trace *trace, const struct weir_verdict *verdict)
{
	assert_in_range(trace->n, 1, WEIR_N_STEPS - 1);
	for (unsigned i = 0; i < trace->n; i++) {
		assert_non_null(trace->line[i].text);
		assert_int_equal(trace->line[i].decided, i == trace->n - 1);
		if (i)
			assert_true(trace->line[i].step > trace->line[i - 1].step);
	}
	assert_int_equal(trace->line[trace->n - 1].step, verdict->step);
}

/* needs_no_facts is true exactly where no facts whatever, not even their absence, change the verdict's step below 5. */
static void assert_needs(const struct weir_policy *policy, const struct weir_query *query, const struct weir_verdict *v,
			 uint64_t *random)
{
	struct weir_verdict other;
	struct weir_facts facts;

	if (!policy_needs_no_facts(policy, query)) {
		assert_true(v->step >= WEIR_STEP_STORE);
		policy_decide(policy, query, NULL, &other, NULL);
		assert_int_equal(other.tally, WEIR_TALLY_FAILED);
		return;
	}
	policy_decide(policy, query, NULL, &other, NULL);
	assert_same_verdict(&other, v);
	for (unsigned i = 0; i < 4; i++) {
		facts = any_facts(random);
		policy_decide(policy, query, &facts, &other, NULL);
		assert_same_verdict(&other, v);
	}
}

static void test_every_verdict_has_exactly_one_tally(void **state)
{
	unsigned tallies[WEIR_N_TALLIES] = {0}, steps[WEIR_N_STEPS] = {0};
	uint64_t random = 2026;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct weir_policy *policy = any_policy(&random);
		for (unsigned j = 0; j < 100; j++) {
			struct weir_query query = any_query(&random);
			struct weir_facts facts = any_facts(&random);
			struct weir_verdict verdict, traced;
			struct weir_trace trace;

			memset(&verdict, 0x55, sizeof(verdict));
			policy_decide(policy, &query, &facts, &verdict, NULL);
			assert_tally(&query, &facts, &verdict);
			assert_needs(policy, &query, &verdict, &random);
			policy_decide(policy, &query, &facts, &traced, &trace);
			assert_same_verdict(&traced, &verdict);
			assert_trace(&trace, &verdict);
			tallies[verdict.tally]++;
			steps[verdict.step]++;
		}
		policy_free(policy);
	}
	for (unsigned i = 0; i < WEIR_N_TALLIES; i++)
		assert_true(tallies[i] > 500); /* the sample meets every tally and every step */
	for (unsigned i = WEIR_STEP_OVERRIDE; i < WEIR_N_STEPS; i++)
		assert_true(steps[i] > 500);
}

/* The search among IMSI rules against the plain way: look at all, keep the longest. */
static void test_the_longest_imsi_rule_is_found(void **state)
{
	uint64_t random = 5;
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct weir_policy *policy = any_policy(&random);
		for (unsigned j = 0; j < 100; j++) {
			struct weir_imsi imsi = any_query(&random).imsi;
			const struct weir_imsi_rule *longest = NULL, *rule = policy_imsi_rule(policy, imsi);
			for (unsigned k = 0; k < policy->n_imsi_rules; k++) {
				const struct weir_imsi_rule *other = &policy->imsi_rules[k].rule;
				if (imsi_has_prefix(imsi, other->prefix) &&
				    (!longest || other->prefix.packed > longest->prefix.packed))
					longest = other;
			}
			assert_ptr_equal(rule, longest);
			found += longest != NULL;
		}
		policy_free(policy);
	}
	assert_true(found > 5000);
}

/* --- drafts ----------------------------------------------------------------------------------- */

static void assert_refused(const struct weir_policy_draft *draft, const char *sentence)
{
	struct weir_why why = {""};

	assert_null(policy_alloc(draft, &why));
	assert_string_equal(why.text, sentence);
	assert_null(policy_alloc(draft, NULL));
}

struct refusal {
	const char *rule;
	struct setting set;
	const char *sentence;
};

static const struct refusal refusals[] = {
	{"an override cannot refuse", SET(override, WEIR_DO_REFUSE), "policy: override cannot be \"refuse\""},
	{"an override cannot inherit", SET(override, WEIR_DO_INHERIT), "policy: override cannot be \"inherit\""},
	{"a special identity cannot inherit", SET(special[WEIR_IMEI_ZERO], WEIR_DO_INHERIT),
	 "identity: all-zero cannot be \"inherit\""},
	{"malformed cannot continue", SET(defaults.malformed, WEIR_DO_CONTINUE),
	 "defaults: malformed cannot be \"continue\""},
	{"a failed store cannot continue", SET(interface[WEIR_IF_S13].store_failure, WEIR_DO_CONTINUE),
	 "s13: store failure cannot be \"continue\""},
	{"a failed store cannot be grey", SET(defaults.store_failure, WEIR_DO_GREY),
	 "defaults: store failure cannot be \"grey\""},
	{"restrictive cannot be white", SET(interface[WEIR_IF_GSUP].restrictive, WEIR_DO_WHITE),
	 "gsup: restrictive cannot be \"white\""},
	{"unknown cannot refuse", SET(interface[WEIR_IF_N5G].unknown, WEIR_DO_REFUSE),
	 "n5g: unknown cannot be \"refuse\""},
	{"a number that is no action", SET(defaults.peer, 99), "defaults: peer cannot be \"?\""},
};

static void test_refusal(void **state)
{
	const struct refusal *row = *state;
	struct weir_policy_draft draft;

	policy_draft_init(&draft);
	set_in_draft(&draft, &row->set);
	assert_refused(&draft, row->sentence);
}

static void test_imsi_rules_that_are_refused(void **state)
{
	struct weir_imsi_rule rules[3] = {
		TOLD(100101, WEIR_DO_WHITE),
		TOLD(UINT64_C(1001010000000001), WEIR_DO_WHITE),
		TOLD(1001, WEIR_DO_WHITE),
	};
	struct weir_policy_draft draft;

	(void)state;
	policy_draft_init(&draft);
	draft.imsi_rules = rules;
	draft.n_imsi_rules = 3;
	rules[1].action = WEIR_DO_INHERIT;
	assert_refused(&draft, "imsi 00101**********: action cannot be \"inherit\"");
	rules[1].action = WEIR_DO_WHITE;
	rules[1].unknown = WEIR_DO_CONTINUE;
	assert_refused(&draft, "imsi 00101**********: unknown cannot be \"continue\"");
	rules[1].unknown = WEIR_DO_INHERIT;
	rules[2].prefix = rules[0].prefix;
	assert_refused(&draft, "imsi 00101 is given twice");
	rules[2].prefix.packed = 0;
	assert_refused(&draft, "an imsi rule has no prefix, 1 to 15 digits are needed");
	draft.n_imsi_rules = WEIR_POLICY_MAX_IMSI_RULES + 1;
	assert_refused(&draft, "4097 imsi rules, at most 4096 are taken");
}

static void test_peer_rules_that_are_refused(void **state)
{
	struct weir_peer_rule rules[2] = {{"msc-1", WEIR_IF_GSUP, OPEN}, {"msc-1", WEIR_IF_MAP, OPEN}};
	struct weir_policy_draft draft;
	struct weir_policy *policy;

	(void)state;
	policy_draft_init(&draft);
	draft.peer_rules = rules;
	draft.n_peer_rules = 2;
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	policy_free(policy);
	rules[1].interface = WEIR_IF_GSUP;
	assert_refused(&draft, "peer msc-1 is given twice for gsup");
	rules[1].interface = WEIR_N_INTERFACES;
	assert_refused(&draft, "peer msc-1: no such interface");
	rules[1] = (struct weir_peer_rule){"m*c", WEIR_IF_GSUP, OPEN};
	assert_refused(&draft, "peer m*c: '*' can only be the last character");
	rules[1] = (struct weir_peer_rule){"", WEIR_IF_GSUP, OPEN};
	assert_refused(&draft, "a peer's name has 1 to 255 characters");
	memset(rules[1].name, 'x', sizeof(rules[1].name));
	assert_refused(&draft, "a peer's name has 1 to 255 characters");
	rules[1] = (struct weir_peer_rule){"sgsn", WEIR_IF_GSUP, OPEN};
	rules[1].terms.unknown = WEIR_DO_CONTINUE;
	assert_refused(&draft, "peer sgsn: unknown cannot be \"continue\"");
	draft.n_peer_rules = WEIR_POLICY_MAX_PEER_RULES + 1;
	assert_refused(&draft, "1025 peer rules, at most 1024 are taken");
}

static void test_the_draft_may_change_afterwards(void **state)
{
	struct weir_imsi_rule rule = TOLD(1001, WEIR_DO_GREY);
	struct weir_policy_draft draft;
	struct weir_policy *policy;
	struct weir_query query = {.imei = {DEVICE, WEIR_NO_SVN}, .imsi = {SUBSCRIBER}};
	struct weir_verdict verdict;

	(void)state;
	policy_draft_init(&draft);
	draft.imsi_rules = &rule;
	draft.n_imsi_rules = 1;
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	memset(&rule, 0, sizeof(rule));
	memset(&draft, 0, sizeof(draft));
	policy_decide(policy, &query, NULL, &verdict, NULL);
	assert_int_equal(verdict.colour, WEIR_GREY);
	policy_free(policy);
	policy_free(NULL);
}

static void test_every_action_has_a_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_N_ACTIONS; i++)
		assert_int_equal(action_from_name(action_name(i)), i);
	for (unsigned i = 0; i < WEIR_N_COLOURS; i++)
		assert_string_equal(action_name(i), colour_name(i));
	assert_int_equal(action_from_name("allow"), -1);
	assert_string_equal(action_name(WEIR_N_ACTIONS), "?");
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(test_every_verdict_has_exactly_one_tally),
		cmocka_unit_test(test_the_longest_imsi_rule_is_found),
		cmocka_unit_test(test_imsi_rules_that_are_refused),
		cmocka_unit_test(test_peer_rules_that_are_refused),
		cmocka_unit_test(test_the_draft_may_change_afterwards),
		cmocka_unit_test(test_every_action_has_a_word),
	};
	struct CMUnitTest tests[N_ROWS(refusals) + N_ROWS(others)];

	for (unsigned i = 0; i < N_ROWS(refusals); i++)
		tests[i] = ROW_TEST(refusals[i].rule, test_refusal, &refusals[i]);
	memcpy(tests + N_ROWS(refusals), others, sizeof(others));
	return cmocka_run_group_tests_name("policy laws", tests, NULL, NULL);
}
