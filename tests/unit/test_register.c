/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The register says what was set, and only that: by hand-written cases, and against a plain model under random changes.
 */
#include "register/register.h"

#include "rows.h"
#include "scratch.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct scratch scratch;
static struct register_writer *writer;

static int setup(void **state)
{
	struct weir_why why = {0};

	(void)state;
	scratch_make(&scratch);
	if (register_writer_open(scratch.dir, &writer, &why))
		fail_msg("%s", why.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	register_writer_close(writer);
	writer = NULL;
	scratch_remove(&scratch);
	return 0;
}

/* --- short words ------------------------------------------------------------------------------ */

static uint64_t serial;

static void begin(void)
{
	assert_int_equal(register_batch_begin(writer), 0);
}

static void commit(void)
{
	assert_int_equal(register_batch_commit(writer, 1, ++serial, 1000), 0);
}

static void list(uint64_t key, int svn, uint8_t lists, uint16_t reason)
{
	struct register_device device = {.key = key, .n_rows = 1, .row = {{(int8_t)svn, {lists, reason}}}};

	assert_int_equal(register_set_device(writer, &device), 0);
}

static void forget(uint64_t key)
{
	struct register_device device = {.key = key};

	assert_int_equal(register_set_device(writer, &device), 0);
}

static struct weir_facts ask(uint64_t key, int svn, uint64_t imsi)
{
	struct weir_query query = {.imei = {key, (int8_t)svn}, .imsi = {imsi}};
	struct weir_facts facts;

	assert_int_equal(register_lookup(register_writer_reader(writer), &query, &facts, 1), 0);
	assert_false(facts.failed);
	assert_int_equal(facts.serial, serial);
	return facts;
}

static void count_findings(const char *sentence, void *data)
{
	print_message("# finding: %s\n", sentence);
	++*(unsigned *)data;
}

static unsigned findings(void)
{
	unsigned n = 0;
	struct register_check *check = register_check_alloc(register_writer_reader(writer), count_findings, &n);
	int more;

	assert_non_null(check);
	while ((more = register_check_step(check, 100)) > 0)
		;
	assert_int_equal(more, 0);
	register_check_free(check);
	return n;
}

#define BLACK WEIR_ON(WEIR_BLACK)
#define GREY  WEIR_ON(WEIR_GREY)
#define WHITE WEIR_ON(WEIR_WHITE)
#define IMSI  UINT64_C(1001010000000001)

/* --- cases ------------------------------------------------------------------------------------ */

static void test_an_empty_register_knows_nothing_and_does_not_fail(void **state)
{
	struct weir_facts facts;
	struct register_meta meta;

	(void)state;
	serial = 0;
	facts = ask(35209900176148, WEIR_NO_SVN, IMSI);
	assert_int_equal(facts.device.lists, WEIR_ON_NONE);
	assert_int_equal(facts.range.lists, WEIR_ON_NONE);
	assert_int_equal(facts.sim, WEIR_SIM_FREE);
	assert_int_equal(register_meta(register_writer_reader(writer), &meta), 0);
	assert_int_equal(meta.schema, 1);
	assert_int_equal(meta.generation, 1);
	assert_int_equal(meta.digest, 0);
	assert_int_equal(findings(), 0);
}

static void test_a_device_is_found_with_its_lists_and_reason_and_its_neighbours_are_not(void **state)
{
	static const uint64_t keys[] = {0, 1, 35209900176147, 35209900176149, WEIR_IMEI_END - 2, WEIR_IMEI_END - 1};

	(void)state;
	serial = 0;
	begin();
	list(35209900176148, WEIR_NO_SVN, BLACK | WHITE, WEIR_REASON_STOLEN);
	commit();
	assert_int_equal(ask(35209900176148, WEIR_NO_SVN, 0).device.lists, BLACK | WHITE);
	assert_int_equal(ask(35209900176148, WEIR_NO_SVN, 0).device.reason, WEIR_REASON_STOLEN);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_int_equal(ask(keys[i], WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
}

static void test_the_least_and_the_greatest_imei_can_be_listed(void **state)
{
	(void)state;
	serial = 0;
	begin();
	list(WEIR_IMEI_END - 1, WEIR_NO_SVN, BLACK, 0);
	list(0, WEIR_NO_SVN, GREY, 0);
	commit();
	assert_int_equal(ask(0, WEIR_NO_SVN, 0).device.lists, GREY);
	assert_int_equal(ask(1, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(ask(WEIR_IMEI_END - 1, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(findings(), 0);
}

static void test_a_version_is_listed_apart_from_its_device(void **state)
{
	struct register_device device = {
		.key = 35209900176148,
		.n_rows = 3,
		.row = {{23, {BLACK, WEIR_REASON_FAULTY}}, {WEIR_NO_SVN, {WHITE, 0}}, {1, {GREY, WEIR_REASON_TEST}}},
	};
	struct weir_facts facts;

	(void)state;
	serial = 0;
	begin();
	assert_int_equal(register_set_device(writer, &device), 0);
	commit();
	facts = ask(device.key, 23, 0);
	assert_int_equal(facts.svn.lists, BLACK);
	assert_int_equal(facts.svn.reason, WEIR_REASON_FAULTY);
	assert_int_equal(facts.device.lists, WHITE);
	assert_int_equal(ask(device.key, 1, 0).svn.lists, GREY);
	assert_int_equal(ask(device.key, 2, 0).svn.lists, WEIR_ON_NONE);
	assert_int_equal(ask(device.key, WEIR_NO_SVN, 0).svn.lists, WEIR_ON_NONE);
	assert_int_equal(findings(), 0);
}

static void test_sixteen_versions_fit_and_two_rows_of_one_version_are_refused(void **state)
{
	struct register_device device = {.key = 7, .n_rows = 16};

	(void)state;
	serial = 0;
	for (int i = 0; i < 16; i++)
		device.row[i] = (struct register_svn_row){(int8_t)(99 - 3 * i), {BLACK, WEIR_REASON_OTHER}};
	begin();
	assert_int_equal(register_set_device(writer, &device), 0);
	commit();
	for (int svn = 0; svn < 100; svn++)
		assert_int_equal(ask(7, svn, 0).svn.lists, (99 - svn) % 3 || svn < 54 ? WEIR_ON_NONE : BLACK);
	device.row[1].svn = device.row[0].svn;
	begin();
	assert_int_equal(register_set_device(writer, &device), -EINVAL);
	assert_int_equal(register_batch_commit(writer, 1, 9, 9), -EINVAL);
	assert_int_equal(ask(7, 99, 0).svn.lists, BLACK);
}

static void test_an_error_sticks_and_the_batch_leaves_no_trace(void **state)
{
	struct register_device bad = {.key = WEIR_IMEI_END};

	(void)state;
	serial = 0;
	begin();
	list(1, WEIR_NO_SVN, BLACK, 0);
	assert_int_equal(register_set_device(writer, &bad), -EINVAL);
	assert_int_equal(register_set_pair(writer, 1, (struct weir_imsi){IMSI}, WEIR_PAIR_DENY, 0), -EINVAL);
	assert_int_equal(register_batch_commit(writer, 1, 1, 1), -EINVAL);
	assert_int_equal(ask(1, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	begin();
	list(2, WEIR_NO_SVN, BLACK, 0);
	register_batch_abort(writer);
	assert_int_equal(ask(2, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(findings(), 0);
}

static void test_a_pair_counts_where_the_device_is_marked(void **state)
{
	struct register_device device = {.key = 5, .paired = true};
	struct weir_facts facts;

	(void)state;
	serial = 0;
	begin();
	assert_int_equal(register_set_device(writer, &device), 0);
	assert_int_equal(register_set_pair(writer, 5, (struct weir_imsi){IMSI}, WEIR_PAIR_DENY, WEIR_REASON_FRAUD), 0);
	assert_int_equal(register_set_pair(writer, 5, (struct weir_imsi){IMSI + 2}, WEIR_PAIR_ALLOW, 0), 0);
	list(4, WEIR_NO_SVN, BLACK, 0);
	assert_int_equal(register_set_pair(writer, 4, (struct weir_imsi){IMSI}, WEIR_PAIR_ALLOW, 0), 0);
	commit();
	assert_int_equal(findings(), 1); /* it has a pair and no mark */
	assert_int_equal(ask(4, WEIR_NO_SVN, IMSI).pair, WEIR_PAIR_NONE);
	begin();
	assert_int_equal(register_set_pair(writer, 4, (struct weir_imsi){IMSI}, WEIR_PAIR_NONE, 0), 0);
	commit();
	facts = ask(5, WEIR_NO_SVN, IMSI);
	assert_int_equal(facts.pair, WEIR_PAIR_DENY);
	assert_int_equal(facts.pair_reason, WEIR_REASON_FRAUD);
	assert_int_equal(ask(5, WEIR_NO_SVN, IMSI + 1).pair, WEIR_PAIR_NONE);
	assert_int_equal(ask(5, WEIR_NO_SVN, IMSI + 2).pair, WEIR_PAIR_ALLOW);
	assert_int_equal(ask(5, WEIR_NO_SVN, 0).pair, WEIR_PAIR_NONE);
	assert_int_equal(ask(6, WEIR_NO_SVN, IMSI).pair, WEIR_PAIR_NONE);
	assert_int_equal(findings(), 0);
	begin();
	assert_int_equal(register_set_pair(writer, 5, (struct weir_imsi){IMSI}, WEIR_PAIR_NONE, 0), 0);
	commit();
	assert_int_equal(ask(5, WEIR_NO_SVN, IMSI).pair, WEIR_PAIR_NONE);
	assert_int_equal(ask(5, WEIR_NO_SVN, IMSI + 2).pair, WEIR_PAIR_ALLOW);
}

static void test_a_fixed_subscriber_is_at_home_elsewhere_or_free(void **state)
{
	(void)state;
	serial = 0;
	begin();
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, 100, true, 0), 0);
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, 200, true, 0), 0);
	commit();
	assert_int_equal(ask(100, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_AT_HOME);
	assert_int_equal(ask(200, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_AT_HOME);
	assert_int_equal(ask(99, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_ELSEWHERE);
	assert_int_equal(ask(150, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_ELSEWHERE);
	assert_int_equal(ask(201, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_ELSEWHERE);
	assert_int_equal(ask(100, WEIR_NO_SVN, IMSI + 1).sim, WEIR_SIM_FREE);
	assert_int_equal(ask(100, WEIR_NO_SVN, IMSI - 1).sim, WEIR_SIM_FREE);
	assert_int_equal(ask(100, WEIR_NO_SVN, 0).sim, WEIR_SIM_FREE);
	begin();
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, 100, false, 0), 0);
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, 200, false, 0), 0);
	commit();
	assert_int_equal(ask(99, WEIR_NO_SVN, IMSI).sim, WEIR_SIM_FREE);
	assert_int_equal(findings(), 0);
}

static void test_the_narrowest_range_speaks(void **state)
{
	const struct register_range ranges[] = {
		{35209900000000, 35209900999999, {WHITE, 0}},
		{35209900500000, 35209900599999, {BLACK, WEIR_REASON_STOLEN}},
	};

	(void)state;
	serial = 0;
	begin();
	assert_int_equal(register_set_ranges(writer, ranges, 2), 0);
	commit();
	assert_int_equal(ask(35209899999999, WEIR_NO_SVN, 0).range.lists, WEIR_ON_NONE);
	assert_int_equal(ask(35209900000000, WEIR_NO_SVN, 0).range.lists, WHITE);
	assert_int_equal(ask(35209900499999, WEIR_NO_SVN, 0).range.lists, WHITE);
	assert_int_equal(ask(35209900500000, WEIR_NO_SVN, 0).range.lists, BLACK);
	assert_int_equal(ask(35209900599999, WEIR_NO_SVN, 0).range.reason, WEIR_REASON_STOLEN);
	assert_int_equal(ask(35209900600000, WEIR_NO_SVN, 0).range.lists, WHITE);
	assert_int_equal(ask(35209901000000, WEIR_NO_SVN, 0).range.lists, WEIR_ON_NONE);
	assert_int_equal(findings(), 0);
	begin();
	assert_int_equal(register_set_ranges(writer, ranges, 1), 0);
	commit();
	assert_int_equal(ask(35209900500000, WEIR_NO_SVN, 0).range.lists, WHITE);
	begin();
	assert_int_equal(register_set_ranges(writer, NULL, 0), 0);
	commit();
	assert_int_equal(ask(35209900500000, WEIR_NO_SVN, 0).range.lists, WEIR_ON_NONE);
	assert_int_equal(findings(), 0);
}

static void test_a_query_that_could_not_be_read_is_left_alone(void **state)
{
	struct weir_query query[2] = {{.fault = WEIR_IMEI_SHORT}, {.imei = {3, WEIR_NO_SVN}}};
	struct weir_facts facts[2];

	(void)state;
	serial = 0;
	assert_int_equal(register_lookup(register_writer_reader(writer), query, facts, 2), 0);
	assert_false(facts[0].failed);
	assert_int_equal(register_lookup(NULL, query, facts, 2), -ENOENT);
	assert_false(facts[0].failed);
	assert_true(facts[1].failed);
}

/* --- against a model -------------------------------------------------------------------------- */

#define MODEL_KEYS 400 /* few, so that neighbours come and go */

static struct {
	uint8_t lists;
	uint8_t svn_lists; /* of version 5 */
	bool paired;
	uint8_t pair; /* with IMSI */
	bool home;    /* IMSI is fixed to it */
} model[MODEL_KEYS], committed[MODEL_KEYS];

static uint64_t key_of(unsigned i)
{
	return 35000000000000 + 977 * (uint64_t)i;
}

static void set_model(unsigned i)
{
	struct register_device device = {.key = key_of(i), .paired = model[i].paired};

	if (model[i].lists)
		device.row[device.n_rows++] = (struct register_svn_row){WEIR_NO_SVN, {model[i].lists, 1}};
	if (model[i].svn_lists)
		device.row[device.n_rows++] = (struct register_svn_row){5, {model[i].svn_lists, 2}};
	assert_int_equal(register_set_device(writer, &device), 0);
	assert_int_equal(register_set_pair(writer, key_of(i), (struct weir_imsi){IMSI}, model[i].pair, 0), 0);
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, key_of(i), model[i].home, 0), 0);
}

static void change_model(unsigned i, uint64_t random)
{
	bool gone = random & 1;

	model[i].lists = gone ? 0 : (random >> 1) & 7;
	model[i].svn_lists = gone ? 0 : (random >> 4) & 7;
	model[i].pair = gone ? 0 : (random >> 7) % 3;
	model[i].paired = model[i].pair;
	model[i].home = !gone && (random >> 10) % 2;
	set_model(i);
}

static void check_model(void)
{
	struct register_meta meta;
	uint64_t devices = 0, pairs = 0, sims = 0;
	struct weir_query query[64];
	struct weir_facts facts[64];
	bool any_home = false;

	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		devices += model[i].lists || model[i].svn_lists || model[i].paired;
		pairs += model[i].pair != 0;
		sims += model[i].home;
		any_home |= model[i].home;
	}
	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		for (unsigned j = 0; j < 64; j++)
			query[j] =
				(struct weir_query){.imei = {key_of((i * 7 + j * 13) % MODEL_KEYS), 5}, .imsi = {IMSI}};
		query[63].imei.key++; /* never listed */
		assert_int_equal(register_lookup(register_writer_reader(writer), query, facts, 64), 0);
		for (unsigned j = 0; j < 63; j++) {
			unsigned k = (i * 7 + j * 13) % MODEL_KEYS;

			assert_false(facts[j].failed);
			assert_int_equal(facts[j].device.lists, model[k].lists);
			assert_int_equal(facts[j].svn.lists, model[k].svn_lists);
			assert_int_equal(facts[j].pair, model[k].pair);
			assert_int_equal(facts[j].sim, model[k].home ? WEIR_SIM_AT_HOME
						       : any_home    ? WEIR_SIM_ELSEWHERE
								     : WEIR_SIM_FREE);
		}
		assert_int_equal(facts[63].device.lists, WEIR_ON_NONE);
	}
	assert_int_equal(register_meta(register_writer_reader(writer), &meta), 0);
	assert_int_equal(meta.devices, devices);
	assert_int_equal(meta.pairs, pairs);
	assert_int_equal(meta.sims, sims);
}

static void test_random_changes_leave_what_a_plain_model_says(void **state)
{
	uint64_t random = 20261124;
	struct weir_why why = {0};

	(void)state;
	serial = 0;
	memset(model, 0, sizeof(model));
	memset(committed, 0, sizeof(committed));
	for (unsigned round = 0; round < 60; round++) {
		unsigned n = 1 + rows_random(&random) % 80;
		/* by turns in order, so that the append path is taken and left, and at random */
		unsigned from = rows_random(&random) % MODEL_KEYS;

		begin();
		for (unsigned i = 0; i < n; i++)
			change_model(round % 3 ? rows_random(&random) % MODEL_KEYS : (from + i) % MODEL_KEYS,
				     rows_random(&random));
		if (round % 10 == 9) {
			register_batch_abort(writer);
			memcpy(model, committed, sizeof(model));
		} else {
			commit();
			memcpy(committed, model, sizeof(model));
		}
		if (round % 20 == 5) {
			register_writer_close(writer);
			if (register_writer_open(scratch.dir, &writer, &why))
				fail_msg("%s", why.text);
		}
		if (round % 6 == 0)
			check_model();
		assert_int_equal(findings(), 0);
	}
}

static void test_the_digest_depends_on_what_is_there_and_not_on_how_it_came(void **state)
{
	struct register_meta a, b;

	(void)state;
	serial = 0;
	begin();
	for (unsigned i = 0; i < 50; i++)
		list(key_of(i), WEIR_NO_SVN, BLACK, 0);
	commit();
	assert_int_equal(register_meta(register_writer_reader(writer), &a), 0);
	begin();
	for (unsigned i = 50; i--;)
		forget(key_of(i));
	for (unsigned i = 100; i--;)
		list(key_of(i), WEIR_NO_SVN, GREY, 0);
	commit();
	assert_int_equal(register_meta(register_writer_reader(writer), &b), 0);
	assert_int_not_equal(a.digest, b.digest);
	begin();
	for (unsigned i = 100; i-- > 50;)
		forget(key_of(i));
	for (unsigned i = 0; i < 50; i++)
		list(key_of(i), WEIR_NO_SVN, BLACK, 0);
	commit();
	assert_int_equal(register_meta(register_writer_reader(writer), &b), 0);
	assert_int_equal(a.digest, b.digest);
	assert_int_equal(b.devices, 50);
}

/* --- walking ---------------------------------------------------------------------------------- */

struct seen {
	uint64_t last;
	unsigned rows, svn_rows;
};

static int see(const struct register_row *row, int err, void *data)
{
	struct seen *seen = data;

	assert_int_equal(err, 0);
	assert_true(!seen->rows || row->from >= seen->last);
	assert_true(ask(row->from, WEIR_NO_SVN, 0).device.lists || row->svn != WEIR_NO_SVN); /* may look up */
	seen->last = row->from;
	seen->rows++;
	seen->svn_rows += row->svn != WEIR_NO_SVN;
	return 0;
}

static void test_a_walk_in_slices_sees_every_row_once_and_in_order(void **state)
{
	struct register_place place = {0};
	struct seen seen = {0};
	int n, records = 0;

	(void)state;
	serial = 0;
	begin();
	for (unsigned i = 0; i < 1000; i++)
		list(key_of(i), i % 10 ? WEIR_NO_SVN : 5, BLACK, 0);
	commit();
	while ((n = register_walk(register_writer_reader(writer), REGISTER_DEVICE, &place, 77, see, &seen)) > 0)
		records += n;
	assert_int_equal(n, 0);
	assert_int_equal(records, 1000);
	assert_int_equal(seen.rows, 1000);
	assert_int_equal(seen.svn_rows, 100);
}

/* --- generations ------------------------------------------------------------------------------ */

static void test_readers_follow_a_rebuilt_register(void **state)
{
	struct weir_query query = {.imei = {1, WEIR_NO_SVN}};
	struct weir_register *before = register_writer_reader(writer);
	struct weir_facts facts;
	struct register_meta meta;
	struct weir_why why = {0};

	(void)state;
	serial = 0;
	begin();
	list(1, WEIR_NO_SVN, BLACK, 0);
	commit();
	assert_int_equal(register_rebuild_begin(writer, &why), 0);
	begin();
	list(1, WEIR_NO_SVN, GREY, 0);
	commit();
	assert_ptr_equal(register_writer_reader(writer), before);
	assert_int_equal(register_lookup(before, &query, &facts, 1), 0);
	assert_int_equal(facts.device.lists, BLACK); /* the old one, until the switch */
	assert_int_equal(register_rebuild_switch(writer, &why), 0);
	assert_int_equal(ask(1, WEIR_NO_SVN, 0).device.lists, GREY);
	assert_int_equal(register_meta(register_writer_reader(writer), &meta), 0);
	assert_int_equal(meta.generation, 2);
	assert_false(scratch_holds(&scratch, "register.1"));
	assert_int_equal(findings(), 0);
}

static void test_an_abandoned_rebuild_leaves_no_trace(void **state)
{
	struct weir_why why = {0};

	(void)state;
	serial = 0;
	assert_int_equal(register_rebuild_begin(writer, &why), 0);
	begin();
	list(1, WEIR_NO_SVN, GREY, 0);
	assert_int_equal(register_batch_commit(writer, 1, 1, 1), 0);
	register_rebuild_abandon(writer);
	assert_false(scratch_holds(&scratch, "register.2"));
	assert_int_equal(ask(1, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
}

/* In another process, because a directory is opened once in a process. */
static int gate(int to_keeper, int from_keeper)
{
	struct weir_register *reg = NULL;
	struct weir_query query = {.imei = {1, WEIR_NO_SVN}};
	struct weir_facts facts;
	struct weir_why why;
	char answer;

	for (;;) {
		int changed = register_follow(scratch.dir, &reg, &why);

		if (read(from_keeper, &answer, 1) != 1)
			break;
		register_lookup(reg, &query, &facts, 1);
		answer = facts.failed ? 'f' : (char)('0' + facts.device.lists);
		if (changed < 0 && reg)
			answer = '!';
		if (write(to_keeper, &answer, 1) != 1)
			break;
	}
	register_close(reg);
	return 0;
}

static char ask_gate(int to_gate, int from_gate)
{
	char answer = 0;

	/* twice: its loop follows first and answers then */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(to_gate, "?", 1), 1);
		assert_int_equal(read(from_gate, &answer, 1), 1);
	}
	return answer;
}

static void test_a_gate_in_another_process_sees_commits_and_follows_generations(void **state)
{
	int to_gate[2], from_gate[2], status;
	struct weir_why why = {0};
	pid_t pid;

	(void)state;
	serial = 0;
	register_writer_close(writer); /* no fork after opening */
	writer = NULL;
	assert_int_equal(pipe(to_gate) | pipe(from_gate), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to_gate[1]);
		_exit(gate(from_gate[1], to_gate[0]));
	}
	close(to_gate[0]);
	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), 0);
	assert_int_equal(ask_gate(to_gate[1], from_gate[0]), '0');
	begin();
	list(1, WEIR_NO_SVN, BLACK, 0);
	commit();
	assert_int_equal(ask_gate(to_gate[1], from_gate[0]), '0' + BLACK);
	assert_int_equal(register_rebuild_begin(writer, &why), 0);
	begin();
	list(1, WEIR_NO_SVN, GREY, 0);
	commit();
	assert_int_equal(ask_gate(to_gate[1], from_gate[0]), '0' + BLACK);
	assert_int_equal(register_rebuild_switch(writer, &why), 0);
	assert_int_equal(ask_gate(to_gate[1], from_gate[0]), '0' + GREY);
	close(to_gate[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_there_is_no_register_before_the_keeper_made_one(void **state)
{
	struct weir_register *reg;
	struct weir_why why = {0};

	(void)state;
	assert_int_equal(unlink(scratch_path(&scratch, "register")), 0);
	assert_int_equal(register_open(scratch.dir, &reg, &why), -ENOENT);
	assert_null(reg);
	assert_non_null(strstr(why.text, "has not made it yet"));
	assert_int_equal(symlink("/etc", scratch_path(&scratch, "register")), 0);
	assert_int_equal(register_open(scratch.dir, &reg, &why), -EUCLEAN);
}

static void test_a_damaged_register_stays_linked_until_a_new_one_is_built(void **state)
{
	static const char junk[8192];
	struct register_writer *again;
	struct weir_why why = {0};

	(void)state;
	serial = 0;
	begin();
	list(1, WEIR_NO_SVN, BLACK, 0);
	commit();
	register_writer_close(writer);
	scratch_write_at(scratch_path(&scratch, "register/data.mdb"), junk, sizeof(junk), 0);
	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), -EUCLEAN);
	assert_null(writer);
	assert_int_equal(register_writer_open_to_rebuild(scratch.dir, &writer, &why), 0);
	assert_null(register_writer_reader(writer));
	assert_int_equal(register_batch_begin(writer), -EUCLEAN);
	assert_int_equal(register_rebuild_begin(writer, &why), 0);
	assert_true(scratch_holds(&scratch, "register.1"));
	register_rebuild_abandon(writer);
	assert_true(scratch_holds(&scratch, "register.1"));
	assert_int_equal(register_rebuild_begin(writer, &why), 0);
	begin();
	list(1, WEIR_NO_SVN, GREY, 0);
	commit();
	assert_int_equal(register_rebuild_switch(writer, &why), 0);
	assert_false(scratch_holds(&scratch, "register.1"));
	assert_int_equal(ask(1, WEIR_NO_SVN, 0).device.lists, GREY);
	assert_int_equal(register_writer_open(scratch.dir, &again, &why), -EINVAL);
	assert_non_null(strstr(why.text, "already open"));
}

/* A child commits batches, each of ten devices in the colour of its serial, and is killed in the middle of it. */
static void write_until_killed(int told)
{
	struct weir_why why;
	struct register_meta meta;

	if (register_writer_open(scratch.dir, &writer, &why) || register_meta(register_writer_reader(writer), &meta))
		_exit(1);
	for (uint64_t s = meta.serial + 1;; s++) {
		if (register_batch_begin(writer))
			_exit(2);
		for (unsigned i = 0; i < 10; i++) {
			struct register_device device = {.key = key_of((unsigned)(s * 7 + i) % 500),
							 .n_rows = 1,
							 .row = {{WEIR_NO_SVN, {1 + s % 7, 0}}}};

			register_set_device(writer, &device);
		}
		if (register_batch_commit(writer, 1, s, 1) || write(told, &s, sizeof(s)) != sizeof(s))
			_exit(3);
	}
}

static void check_after_kill(uint64_t acknowledged)
{
	uint8_t lists[500] = {0};
	struct register_meta meta;
	struct weir_why why = {0};

	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), 0);
	assert_int_equal(register_meta(register_writer_reader(writer), &meta), 0);
	assert_in_range(meta.serial, acknowledged, acknowledged + 1);
	for (uint64_t s = 1; s <= meta.serial; s++) {
		for (unsigned i = 0; i < 10; i++)
			lists[(s * 7 + i) % 500] = (uint8_t)(1 + s % 7);
	}
	serial = meta.serial;
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(ask(key_of(i), WEIR_NO_SVN, 0).device.lists, lists[i]);
	assert_int_equal(findings(), 0);
	register_writer_close(writer);
	writer = NULL;
}

static void test_a_killed_writer_loses_nothing_that_it_acknowledged(void **state)
{
	uint64_t random = 7, acknowledged = 0, s;

	(void)state;
	register_writer_close(writer);
	writer = NULL;
	for (unsigned round = 0; round < 15; round++) {
		int told[2];
		pid_t pid;

		assert_int_equal(pipe(told), 0);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL); /* no orphan where an assertion ends the test */
			write_until_killed(told[1]);
		}
		close(told[1]);
		if (read(told[0], &s, sizeof(s)) == sizeof(s))
			acknowledged = s;
		usleep((useconds_t)(rows_random(&random) % 20000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(told[0], &s, sizeof(s)) == sizeof(s))
			acknowledged = s;
		close(told[0]);
		check_after_kill(acknowledged);
	}
	assert_true(acknowledged > 15);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_empty_register_knows_nothing_and_does_not_fail),
		T(test_a_device_is_found_with_its_lists_and_reason_and_its_neighbours_are_not),
		T(test_the_least_and_the_greatest_imei_can_be_listed),
		T(test_a_version_is_listed_apart_from_its_device),
		T(test_sixteen_versions_fit_and_two_rows_of_one_version_are_refused),
		T(test_an_error_sticks_and_the_batch_leaves_no_trace),
		T(test_a_pair_counts_where_the_device_is_marked),
		T(test_a_fixed_subscriber_is_at_home_elsewhere_or_free),
		T(test_the_narrowest_range_speaks),
		T(test_a_query_that_could_not_be_read_is_left_alone),
		T(test_random_changes_leave_what_a_plain_model_says),
		T(test_the_digest_depends_on_what_is_there_and_not_on_how_it_came),
		T(test_a_walk_in_slices_sees_every_row_once_and_in_order),
		T(test_readers_follow_a_rebuilt_register),
		T(test_an_abandoned_rebuild_leaves_no_trace),
		T(test_a_gate_in_another_process_sees_commits_and_follows_generations),
		T(test_there_is_no_register_before_the_keeper_made_one),
		T(test_a_damaged_register_stays_linked_until_a_new_one_is_built),
		T(test_a_killed_writer_loses_nothing_that_it_acknowledged),
	};

	return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
