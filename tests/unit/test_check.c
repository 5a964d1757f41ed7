/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The path of a check: every check is counted in exactly one place, in order, with one look-up a round. */
#include "gate/check.h"

#include <errno.h>

#include "gate/sightings.h"

#include "fake_register.h"
#include "policy_rows.h"
#include "state_dir.h"

#define N_DEVICES 16
#define DEVICE(i) (UINT64_C(35209900000000) + (i))
#define MSC                                                                                                            \
	(struct check_peer)                                                                                            \
	{                                                                                                              \
		.name = "msc-1", .id = 1, .terms = policy_terms(scene->check.policy, WEIR_IF_GSUP, "msc-1")            \
	}

struct scene {
	char dir[32];
	struct weir_register reg;
	struct check check;
};

static const struct weir_terms open_terms = {
	WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT,
};

static struct weir_policy *make_policy(void)
{
	struct weir_peer_rule peers[3] = {
		{"nobody", WEIR_IF_GSUP, open_terms},
		{"always-grey", WEIR_IF_GSUP, open_terms},
		{"strict", WEIR_IF_GSUP, open_terms},
	};
	struct weir_imsi_rule imsi = {{1999}, WEIR_DO_GREY, WEIR_DO_INHERIT, WEIR_DO_INHERIT};
	struct weir_policy_draft draft;
	struct weir_policy *policy;

	policy_draft_init(&draft);
	peers[0].terms.peer = WEIR_DO_REFUSE;
	peers[1].terms.peer = WEIR_DO_GREY;
	peers[2].terms.restrictive = WEIR_DO_BLACK;
	peers[2].terms.store_failure = WEIR_DO_REFUSE;
	draft.peer_rules = peers;
	draft.n_peer_rules = N_ROWS(peers);
	draft.imsi_rules = &imsi;
	draft.n_imsi_rules = 1;
	draft.interface[WEIR_IF_S13].unknown = WEIR_DO_WHITE;
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	return policy;
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	state_dir_make(scene->dir);
	scene->reg.serial = 7;
	for (unsigned i = 0; i < N_DEVICES; i++)
		fake_list(&scene->reg, DEVICE(i), (uint8_t)(i & 7));
	scene->check.reg = &scene->reg;
	scene->check.policy = make_policy();
	scene->check.sightings = sightings_alloc(scene->dir, 1024, 99, NULL);
	*state = scene;
	return scene->check.sightings ? 0 : -1;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	sightings_free(scene->check.sightings);
	policy_free(scene->check.policy);
	state_dir_remove(scene->dir, "keeper.sightings");
	free(scene);
	return 0;
}

static struct weir_query query_of(unsigned device, uint64_t imsi)
{
	return (struct weir_query){.imei = {DEVICE(device), WEIR_NO_SVN}, .imsi = {imsi}};
}

#define BLACK_DEVICE 4
#define WHITE_DEVICE 1
#define UNLISTED     40
#define SUBSCRIBER   UINT64_C(1001010000000001)
#define TOLD_GREY    UINT64_C(1999010000000001)

static void test_verdicts_come_in_the_order_of_the_queries(void **state)
{
	struct scene *scene = *state;
	const struct weir_query queries[] = {
		query_of(WHITE_DEVICE, SUBSCRIBER), query_of(WHITE_DEVICE, TOLD_GREY),
		query_of(BLACK_DEVICE, SUBSCRIBER), {.fault = WEIR_IMEI_SHORT},
		query_of(UNLISTED, SUBSCRIBER),	    query_of(BLACK_DEVICE, TOLD_GREY),
	};
	static const enum weir_tally tallies[] = {
		WEIR_TALLY_WHITE,     WEIR_TALLY_GREY,	  WEIR_TALLY_BLACK,
		WEIR_TALLY_MALFORMED, WEIR_TALLY_UNKNOWN, WEIR_TALLY_GREY,
	};
	struct weir_verdict verdicts[N_ROWS(queries)];

	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, N_ROWS(queries), 1000);
	for (unsigned i = 0; i < N_ROWS(queries); i++)
		assert_int_equal(verdicts[i].tally, tallies[i]);
	assert_int_equal(scene->reg.calls, 1);
	assert_int_equal(scene->reg.asked, 3); /* neither the malformed one nor those whose IMSI is always told grey */
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].received, 6);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].refused, 1);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].tally[WEIR_TALLY_GREY], 2);
}

static void test_who_needs_no_facts_costs_no_lookup(void **state)
{
	struct scene *scene = *state;
	const struct weir_query query = query_of(BLACK_DEVICE, TOLD_GREY);
	struct weir_verdict verdict;

	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_GREY);
	assert_int_equal(scene->reg.calls, 0);
}

static void test_more_than_a_batch_goes_in_rounds(void **state)
{
	struct scene *scene = *state;
	struct weir_query queries[3 * CHECK_BATCH];
	struct weir_verdict verdicts[3 * CHECK_BATCH];

	for (unsigned i = 0; i < N_ROWS(queries); i++)
		queries[i] = query_of(i % 2 ? BLACK_DEVICE : WHITE_DEVICE, SUBSCRIBER + i);
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 2 * CHECK_BATCH + 1, 1000);
	assert_int_equal(scene->reg.calls, 3);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].batches, 3);
	for (unsigned i = 0; i < 2 * CHECK_BATCH + 1; i++)
		assert_int_equal(verdicts[i].colour, i % 2 ? WEIR_BLACK : WEIR_WHITE);
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 0, 1000);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].batches, 3);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].received, 2 * CHECK_BATCH + 1);
}

static void test_interface_and_terms_are_those_of_the_caller(void **state)
{
	struct scene *scene = *state;
	const struct check_peer strict = {"strict", policy_terms(scene->check.policy, WEIR_IF_GSUP, "strict"), 2};
	const struct check_peer mme = {"mme", policy_terms(scene->check.policy, WEIR_IF_S13, "mme"), 3};
	struct weir_query query = query_of(UNLISTED, SUBSCRIBER);
	struct weir_verdict verdict;

	query.interface = WEIR_IF_MAP;
	query.terms = 999;
	check_answer(&scene->check, WEIR_IF_GSUP, &strict, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_BLACK);
	check_answer(&scene->check, WEIR_IF_S13, &mme, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_WHITE);
	assert_int_equal(scene->check.counters[WEIR_IF_S13].received, 1);
	assert_int_equal(scene->check.counters[WEIR_IF_MAP].received, 0);
	/* terms of a policy that is no more: those of the interface */
	check_answer(&scene->check, WEIR_IF_S13, &(struct check_peer){"mme", 60000, 3}, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_WHITE);
}

static void test_a_failed_store_is_answered_counted_and_remembered(void **state)
{
	struct scene *scene = *state;
	const struct weir_query queries[] = {query_of(WHITE_DEVICE, SUBSCRIBER), query_of(BLACK_DEVICE, SUBSCRIBER)};
	struct weir_verdict verdicts[2];

	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 2, 1000);
	assert_int_equal(scene->check.store_error, 0);
	scene->reg.bad = DEVICE(BLACK_DEVICE);
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 2, 1000);
	assert_int_equal(verdicts[0].tally, WEIR_TALLY_WHITE);
	assert_int_equal(verdicts[1].tally, WEIR_TALLY_FAILED);
	assert_int_equal(verdicts[1].colour, WEIR_WHITE);
	assert_int_equal(scene->check.store_error, -EUCLEAN);
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 1, 1000);
	assert_int_equal(scene->check.store_error, -EUCLEAN); /* until who follows the register says otherwise */
}

static void test_without_a_register_every_check_is_failed(void **state)
{
	struct scene *scene = *state;
	const struct weir_query query = query_of(BLACK_DEVICE, SUBSCRIBER);
	const struct check_peer strict = {"strict", policy_terms(scene->check.policy, WEIR_IF_GSUP, "strict"), 2};
	struct weir_verdict verdict;

	scene->check.reg = NULL;
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_FAILED);
	assert_int_equal(verdict.answer, WEIR_ANSWER_COLOUR);
	check_answer(&scene->check, WEIR_IF_GSUP, &strict, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_FAILED);
	assert_int_equal(verdict.answer, WEIR_ANSWER_REFUSE);
	assert_int_equal(scene->check.store_error, -ENODEV);
}

static void test_malformed_and_shed_are_no_sightings(void **state)
{
	struct scene *scene = *state;
	const struct check_peer nobody = {"nobody", policy_terms(scene->check.policy, WEIR_IF_GSUP, "nobody"), 4};
	const struct weir_query queries[] = {{.fault = WEIR_IMEI_EMPTY}, query_of(WHITE_DEVICE, SUBSCRIBER)};
	struct weir_verdict verdicts[2];

	check_answer(&scene->check, WEIR_IF_GSUP, &nobody, queries, verdicts, 2, 1000);
	assert_int_equal(scene->check.counters[WEIR_IF_GSUP].tally[WEIR_TALLY_SHED], 2);
	assert_int_equal(sightings_waiting(scene->check.sightings), 0);
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, queries, verdicts, 2, 1000);
	assert_int_equal(sightings_waiting(scene->check.sightings), 1);
}

static void test_nobody_needs_to_listen(void **state)
{
	struct scene *scene = *state;
	struct sightings *sightings = scene->check.sightings;
	const struct weir_query query = query_of(BLACK_DEVICE, SUBSCRIBER);
	struct weir_verdict verdict;

	scene->check.sightings = NULL;
	check_answer(&scene->check, WEIR_IF_GSUP, &MSC, &query, &verdict, 1, 1000);
	assert_int_equal(verdict.tally, WEIR_TALLY_BLACK);
	scene->check.sightings = sightings;
}

static void test_looking_again_counts_and_notes_nothing(void **state)
{
	struct scene *scene = *state;
	struct weir_query queries[CHECK_BATCH + 2];
	struct weir_verdict verdicts[CHECK_BATCH + 2];

	for (unsigned i = 0; i < N_ROWS(queries); i++) {
		queries[i] = query_of(i == CHECK_BATCH + 1 ? BLACK_DEVICE : UNLISTED, i % 3 ? SUBSCRIBER : TOLD_GREY);
		queries[i].terms = policy_terms(scene->check.policy, WEIR_IF_GSUP, "msc-1");
	}
	queries[1].interface = WEIR_IF_S13;
	queries[1].terms = policy_terms(scene->check.policy, WEIR_IF_S13, "mme");
	assert_int_equal(check_decide(&scene->check, queries, verdicts, N_ROWS(queries)), 0);
	assert_int_equal(verdicts[0].tally, WEIR_TALLY_GREY);
	assert_int_equal(verdicts[1].tally, WEIR_TALLY_WHITE);
	assert_int_equal(verdicts[2].tally, WEIR_TALLY_UNKNOWN);
	assert_int_equal(verdicts[CHECK_BATCH + 1].tally, WEIR_TALLY_BLACK);
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		assert_int_equal(scene->check.counters[i].received, 0);
	assert_int_equal(sightings_waiting(scene->check.sightings), 0);
	scene->reg.bad = queries[1].imei.key;
	queries[CHECK_BATCH] = queries[CHECK_BATCH + 1]; /* the second round is well */
	assert_int_equal(check_decide(&scene->check, queries, verdicts, N_ROWS(queries)), -EUCLEAN);
	scene->reg.error = -EIO;
	assert_int_equal(check_decide(&scene->check, queries, verdicts, N_ROWS(queries)), -EIO);
	assert_int_equal(scene->check.store_error, -EIO);
}

static void test_shed_checks_are_counted(void **state)
{
	struct scene *scene = *state;
	const struct check_counters *counters = &scene->check.counters[WEIR_IF_MAP];

	check_shed(&scene->check, WEIR_IF_MAP, 5);
	assert_int_equal(counters->received, 5);
	assert_int_equal(counters->tally[WEIR_TALLY_SHED], 5);
	assert_int_equal(counters->refused, 0);
	assert_true(check_counters_close(counters));
}

static void test_counters_that_do_not_close_show(void **state)
{
	struct check_counters counters = {.received = 3, .tally = {[WEIR_TALLY_BLACK] = 2, [WEIR_TALLY_FAILED] = 1}};

	(void)state;
	assert_true(check_counters_close(&counters));
	for (unsigned i = 0; i < WEIR_N_TALLIES; i++) {
		counters.tally[i]++;
		assert_false(check_counters_close(&counters));
		counters.tally[i]--;
	}
	counters.received++;
	assert_false(check_counters_close(&counters));
}

/* Anything, from anybody, with a store that fails now and then: nothing is lost, doubled or swapped. */
static void test_counters_always_close(void **state)
{
	struct scene *scene = *state;
	struct check *check = &scene->check;
	static const char *const names[] = {"msc-1", "nobody", "always-grey", "strict", "mme"};
	uint64_t random = 17, received = 0, refused = 0, tally[WEIR_N_TALLIES] = {0};

	for (unsigned turn = 0; turn < 3000; turn++) {
		struct weir_query queries[200];
		struct weir_verdict verdicts[200], expected;
		unsigned n = rows_random_below(&random, N_ROWS(queries) + 1),
			 who = rows_random_below(&random, N_ROWS(names));
		enum weir_interface interface = rows_random_below(&random, WEIR_N_INTERFACES);
		struct check_peer peer = {names[who], policy_terms(check->policy, interface, names[who]),
					  (uint16_t)who};

		scene->reg.error = rows_random_below(&random, 10) ? 0 : -EIO;
		scene->reg.bad = rows_random_below(&random, 3) ? 0 : DEVICE(rows_random_below(&random, 20));
		for (unsigned i = 0; i < n; i++) {
			queries[i] = query_of(rows_random_below(&random, 20),
					      rows_random_below(&random, 6) ? SUBSCRIBER : TOLD_GREY);
			queries[i].fault =
				rows_random_below(&random, 8) ? 0 : rows_random_below(&random, WEIR_IMEI_N_FAULTS);
		}
		check_answer(check, interface, &peer, queries, verdicts, n, turn);
		for (unsigned i = 0; i < n; i++) {
			struct weir_facts facts;
			queries[i].interface = interface;
			queries[i].terms = peer.terms;
			register_lookup(&scene->reg, &queries[i], &facts, 1);
			policy_decide(check->policy, &queries[i], &facts, &expected, NULL);
			assert_same_verdict(&verdicts[i], &expected);
			tally[expected.tally]++;
			refused += expected.answer == WEIR_ANSWER_REFUSE;
		}
		received += n;
	}
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		const struct check_counters *c = &check->counters[i];
		assert_true(check_counters_close(c));
		received -= c->received;
		refused -= c->refused;
		for (unsigned j = 0; j < WEIR_N_TALLIES; j++) {
			assert_true(c->tally[j] <= tally[j]);
			tally[j] -= c->tally[j];
		}
	}
	assert_true(received == 0 && refused == 0);
	for (unsigned j = 0; j < WEIR_N_TALLIES; j++)
		assert_true(tally[j] == 0);
}

static void test_times_fall_into_powers_of_two(void **state)
{
	static const struct {
		uint64_t us;
		int bucket; /* -1: longer than the last */
	} rows[] = {
		{0, 0},
		{1, 0},
		{2, 1},
		{3, 2},
		{4, 2},
		{5, 3},
		{8, 3},
		{9, 4},
		{1024, 10},
		{1025, 11},
		{UINT64_C(1) << 23, 23},
		{(UINT64_C(1) << 23) + 1, -1},
		{UINT64_C(1) << 40, -1},
	};

	(void)state;
	for (unsigned i = 0; i < N_ROWS(rows); i++) {
		struct check_histogram h = {.count = 0};
		check_histogram_add(&h, rows[i].us, 3);
		assert_int_equal(h.count, 3);
		assert_true(h.sum_us == 3 * rows[i].us);
		for (int b = 0; b < CHECK_HISTOGRAM; b++)
			assert_int_equal(h.bucket[b], b == rows[i].bucket ? 3 : 0);
	}
}

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(test_verdicts_come_in_the_order_of_the_queries),
		SCENE_TEST(test_who_needs_no_facts_costs_no_lookup),
		SCENE_TEST(test_more_than_a_batch_goes_in_rounds),
		SCENE_TEST(test_interface_and_terms_are_those_of_the_caller),
		SCENE_TEST(test_a_failed_store_is_answered_counted_and_remembered),
		SCENE_TEST(test_without_a_register_every_check_is_failed),
		SCENE_TEST(test_malformed_and_shed_are_no_sightings),
		SCENE_TEST(test_nobody_needs_to_listen),
		SCENE_TEST(test_looking_again_counts_and_notes_nothing),
		SCENE_TEST(test_shed_checks_are_counted),
		SCENE_TEST(test_counters_always_close),
		cmocka_unit_test(test_counters_that_do_not_close_show),
		cmocka_unit_test(test_times_fall_into_powers_of_two),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
