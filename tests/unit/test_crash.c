/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper's lists under kill -9 and on a full disk: what was acknowledged is there, what was not is there wholly or
 * not at all, and ledger and register agree.
 *
 * A child does random things and says after each that it is done; it is killed at a random moment.  Both sides draw the
 * same things from the same numbers, so the parent knows what must be in the lists after any number of them. */

#define _GNU_SOURCE /* unshare */
#include "keeper/lists.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scene.h"

#define ROUNDS  40
#define SOURCES 3
#define KEYS    120
#define NONE    0xff

static const char *const source_names[SOURCES] = {"police", "gsma", "desk"};

/* --- the model -------------------------------------------------------------------------------- */

/* What each source says of each key: a colour, for pairs a rule. */
struct model {
	uint8_t said[SOURCES][KEYS];
};

static struct list_row row_of(unsigned key, uint8_t what)
{
	uint64_t imei = 35209900000000 + key / 2 * 31;

	switch (key % 12) {
	case 0:
		return scene_range(35000000000000 + key * 500, 35000000000000 + key * 500 + key * 700, what);
	case 1:
		return scene_pair(imei, SCENE_IMSI + key % 3, what);
	case 2:
	case 3:
		return scene_version(imei, (int)key % 5, what);
	default:
		return scene_device(imei + key % 2, what, 0);
	}
}

static uint8_t what_of(unsigned key, uint64_t number)
{
	return (uint8_t)(key % 12 == 1 ? 1 + number % 3 : number % 3);
}

struct thing {
	enum {
		TURN,
		IMPORT,
		REBUILD
	} kind;
	enum lists_mode mode;
	unsigned source; /* import */
	unsigned n;
	struct {
		enum lists_op op;
		unsigned source, key;
		uint8_t what;
	} change[40];
};

static uint64_t mixed(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* The nth thing ever done. */
static struct thing nth_thing(uint64_t n)
{
	uint64_t number = mixed(n);
	struct thing thing = {.kind = number % 16 == 0 ? REBUILD : number % 16 < 5 ? IMPORT : TURN};

	thing.mode = (enum lists_mode)(number / 16 % 3);
	thing.source = (unsigned)(number / 64 % SOURCES);
	thing.n = (unsigned)(thing.kind == IMPORT ? number / 256 % 40 : 1 + number / 256 % 5);
	if (thing.kind == REBUILD)
		thing.n = 0;
	for (unsigned i = 0; i < thing.n; i++) {
		number = mixed(number + i);
		thing.change[i].op = number % 3 == 0 ? LISTS_REMOVE : LISTS_PUT;
		thing.change[i].source = (unsigned)(number / 4 % SOURCES);
		/* an import's keys are all different */
		thing.change[i].key =
			thing.kind == IMPORT ? (unsigned)(i * 3 + number / 16 % 3) : (unsigned)(number / 16 % KEYS);
		thing.change[i].what = what_of(thing.change[i].key, number / 4096);
	}
	return thing;
}

static void model_apply(struct model *model, const struct thing *thing)
{
	if (thing->kind == IMPORT && thing->mode == LISTS_REPLACE)
		memset(model->said[thing->source], NONE, KEYS);
	for (unsigned i = 0; i < thing->n; i++) {
		unsigned source = thing->kind == IMPORT ? thing->source : thing->change[i].source;
		bool off = thing->kind == IMPORT ? thing->mode == LISTS_TAKE_OFF : thing->change[i].op == LISTS_REMOVE;

		model->said[source][thing->change[i].key] = off ? NONE : thing->change[i].what;
	}
}

/* --- doing ------------------------------------------------------------------------------------ */

struct child {
	struct lists *lists;
	int64_t now_ms;
	bool rebuilding;
	unsigned importing; /* source */
};

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "child: %s: %s\n", what, strerror(-rc));
	_exit(3);
}

static void finish_background(struct child *child)
{
	struct lists_import *import = lists_import_current(child->lists);
	int rc = 1;

	while (child->rebuilding && (rc = lists_rebuild_step(child->lists)) == 1)
		;
	must(rc, "rebuild");
	child->rebuilding = false;
	for (rc = import ? 1 : 0; rc == 1;)
		rc = lists_import_step(import);
	must(rc, "import step");
	lists_import_free(import);
}

static void do_turn(struct child *child, const struct thing *thing)
{
	struct lists_result result;

	must(lists_begin(child->lists, ++child->now_ms), "begin");
	for (unsigned i = 0; i < thing->n; i++) {
		struct lists_change change = {.op = thing->change[i].op,
					      .actor = "crash",
					      .row = row_of(thing->change[i].key, thing->change[i].what)};

		strcpy(change.source, source_names[thing->change[i].source]);
		must(lists_change(child->lists, &change, &result, NULL), "change");
	}
	must(lists_commit(child->lists), "commit");
}

static void do_import(struct child *child, const struct thing *thing)
{
	struct lists_import_spec spec = {.mode = thing->mode, .actor = "crash"};
	struct lists_import *import;
	char line[LIST_ROW_TEXT];
	struct weir_why why = {{0}};
	int rc;

	finish_background(child);
	child->importing = thing->source;
	strcpy(spec.source, source_names[thing->source]);
	must(lists_import_begin(child->lists, &spec, &import, &why), "import begin");
	must(lists_import_feed(import, list_header, strlen(list_header), &why), "feed");
	for (unsigned i = 0; i < thing->n; i++) {
		const struct list_row row = row_of(thing->change[i].key, thing->change[i].what);
		int len = list_row_print(&row, "", line, sizeof(line));

		must(len, "print");
		must(lists_import_feed(import, line, (size_t)len, &why), "feed");
	}
	while ((rc = lists_import_finish(import, &why)) == 1)
		;
	must(rc, why.text);
	while ((rc = lists_import_commit(import, ++child->now_ms, &why)) == 1)
		;
	must(rc, why.text);
}

static bool names_source(const struct thing *thing, unsigned source)
{
	for (unsigned i = 0; i < thing->n; i++) {
		if (thing->change[i].source == source)
			return true;
	}
	return false;
}

/* Imports and rebuilds go on in the background, a slice between two things. */
static void do_thing(struct child *child, const struct thing *thing)
{
	struct lists_import *import = lists_import_current(child->lists);
	int rc;

	if (child->rebuilding) {
		rc = lists_rebuild_step(child->lists);
		must(rc, "rebuild step");
		child->rebuilding = rc == 1;
	} else if (import) {
		rc = lists_import_step(import);
		must(rc, "import step");
		if (rc == 0)
			lists_import_free(import);
	}
	if (thing->kind == IMPORT) {
		do_import(child, thing);
	} else if (thing->kind == REBUILD) {
		finish_background(child);
		child->rebuilding = lists_rebuild_begin(child->lists, NULL) == 0;
	} else {
		if (names_source(thing, child->importing) && lists_import_current(child->lists))
			finish_background(child); /* its own source would be told to wait */
		do_turn(child, thing);
	}
}

static void __attribute__((noreturn)) child_run(const char *dir, uint64_t from, int acks)
{
	const struct lists_tuning tuning = {.slice_rows = 4, .run_rows = 16, .runs_in_memory = 1, .store_bytes = 100};
	struct child child = {.now_ms = 1000};
	struct weir_why why = {{0}};

	must(lists_open(dir, NULL, NULL, &child.lists, &why), why.text);
	lists_tune(child.lists, &tuning);
	for (uint64_t n = from;; n++) {
		const struct thing thing = nth_thing(n);

		do_thing(&child, &thing);
		if (write(acks, &n, sizeof(n)) != sizeof(n))
			_exit(4);
	}
}

/* --- holding against -------------------------------------------------------------------------- */

static int seen_entry(const struct weir_entry *entry, const char *source, void *data)
{
	struct model *seen = data;
	unsigned s = 0, key;

	while (s < SOURCES && strcmp(source, source_names[s]))
		s++;
	assert_true(s < SOURCES);
	for (key = 0; key < KEYS; key++) {
		const struct list_row row = row_of(key, 1);

		if (row.kind == entry->row.kind && row.from == entry->row.from && row.to == entry->row.to &&
		    row.svn == entry->row.svn && row.imsi.packed == entry->row.imsi.packed)
			break;
	}
	assert_true(key < KEYS);
	assert_int_equal(seen->said[s][key], NONE);
	seen->said[s][key] = (uint8_t)(entry->row.kind == LIST_PAIR ? (int)entry->row.rule : (int)entry->row.colour);
	return 0;
}

static void model_see(struct scene *scene, struct model *seen)
{
	struct lists_place place = {{0}, 0, 0};
	int rc;

	memset(seen, NONE, sizeof(*seen));
	do
		rc = lists_export(scene->lists, NULL, &place, 1000, seen_entry, seen);
	while (rc == 1);
	assert_int_equal(rc, 0);
}

static void import_to_its_end(struct scene *scene)
{
	struct lists_import *import = lists_import_current(scene->lists);

	if (!import)
		return;
	scene_verify_clean(scene); /* in the middle, too */
	scene_import_apply(import);
	lists_import_free(import);
}

static void nothing_acknowledged_is_lost_by_kill_9(void **state)
{
	struct scene *scene = *state;
	unsigned ahead = 0, resumed = 0;
	struct model model, next, seen;
	uint64_t done = 0; /* things */

	memset(&model, NONE, sizeof(model));
	srandom(20261124);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned wanted = (unsigned)random() % 25;
		uint64_t acked, last = done;
		struct thing thing;
		int acks[2];
		pid_t pid;

		scene_close(scene);
		assert_int_equal(pipe(acks), 0);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL); /* no orphan where an assertion ends the test */
			child_run(scene->dir, done + 1, acks[1]);
		}
		close(acks[1]);
		while (last < done + wanted && read(acks[0], &acked, sizeof(acked)) == sizeof(acked))
			last = acked;
		usleep((useconds_t)random() % 4000);
		kill(pid, SIGKILL);
		while (read(acks[0], &acked, sizeof(acked)) == sizeof(acked))
			last = acked;
		close(acks[0]);
		assert_int_equal(waitpid(pid, &acks[1], 0), pid);
		assert_true(WIFSIGNALED(acks[1])); /* and not by its own hand */
		scene_open(scene);
		resumed += lists_import_current(scene->lists) != NULL;
		import_to_its_end(scene);
		scene_verify_clean(scene);
		assert_int_equal(lists_lag(scene->lists), 0);
		for (; done < last; done++) {
			thing = nth_thing(done + 1);
			model_apply(&model, &thing);
		}
		/* the one that was not acknowledged: wholly or not at all */
		next = model;
		thing = nth_thing(done + 1);
		model_apply(&next, &thing);
		model_see(scene, &seen);
		if (memcmp(&seen, &next, sizeof(seen)) == 0 && memcmp(&next, &model, sizeof(next))) {
			model = next;
			done++;
			ahead++;
		}
		assert_memory_equal(&seen, &model, sizeof(seen));
	}
	print_message("# %u rounds, %llu things; %u times one more was in than acknowledged, %u times an import was "
		      "taken up\n",
		      ROUNDS, (unsigned long long)done, ahead, resumed);
	assert_true(done > ROUNDS);
}

/* --- a full disk ------------------------------------------------------------------------------ */

static bool small_disk(const char *dir, const char *size)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("tmpfs", dir, "tmpfs", 0, size) == 0;
}

static void larger_disk(const char *dir)
{
	assert_int_equal(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=64m"), 0);
}

/* The tests of a full disk run in a child, in a mount namespace of its own; without the right to have one, they cannot.
 */
static void on_a_small_disk(struct scene *scene, const char *size, void (*test)(struct scene *))
{
	int status;
	pid_t pid;

	scene_close(scene);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!small_disk(scene->dir, size))
			_exit(77);
		scene_open(scene);
		test(scene);
		scene_close(scene);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	scene_open(scene);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* needs root */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A child must not return into cmocka. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

static int put_one(struct scene *scene, uint64_t imei)
{
	struct lists_change change = {.op = LISTS_PUT,
				      .source = "police",
				      .actor = "full",
				      .row = scene_device(imei, WEIR_BLACK, WEIR_REASON_STOLEN)};
	struct lists_result result;
	int rc, changed = 0;

	rc = lists_begin(scene->lists, ++scene->now_ms);
	if (rc == 0) {
		changed = lists_change(scene->lists, &change, &result, NULL);
		rc = lists_commit(scene->lists);
	}
	CHECK(changed == 0 || rc < 0); /* who could not change is told so by commit too */
	return rc;
}

static void clean_or_die(struct scene *scene)
{
	char *findings = scene_verify(scene);

	if (findings[0]) {
		fprintf(stderr, "verify: %s", findings);
		_exit(1);
	}
	free(findings);
}

static void full_by_singles(struct scene *scene)
{
	unsigned accepted = 0, lagged = 0;
	uint64_t refused;
	int rc = 0;

	while (rc == 0 && accepted < 1000000) {
		rc = put_one(scene, 35000000000000 + accepted * 7919);
		accepted += rc == 0;
		if (lists_lag(scene->lists) && lagged++ > 20)
			break;
	}
	refused = 35000000000000 + accepted * 7919;
	CHECK(rc == -ENOSPC || rc == -EIO || lagged);
	CHECK(accepted > 20);
	if (rc < 0)
		CHECK(put_one(scene, refused) < 0); /* it stays refused, in words, and does not fall over */
	larger_disk(scene->dir);
	for (unsigned i = 0; i < 3 && lists_lag(scene->lists); i++)
		lists_heal(scene->lists);
	CHECK(lists_lag(scene->lists) == 0);
	clean_or_die(scene);
	CHECK(put_one(scene, 35000000000001) == 0); /* and goes on when there is room again */
	clean_or_die(scene);
	scene_reopen(scene);
	clean_or_die(scene);
	for (unsigned i = 0; i < accepted; i++)
		CHECK(scene_ask(scene, 35000000000000 + i * 7919, WEIR_NO_SVN, 0).device.lists == WEIR_ON(WEIR_BLACK));
}

static void changes_on_a_full_disk_are_refused_or_kept(void **state)
{
	on_a_small_disk(*state, "size=700k", full_by_singles);
}

static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	CHECK(system(command) == 0);
}

/* Where the ledger has room and the register has not: accepted, lagging in so many words, healed. */
static void full_register(struct scene *scene, bool next_change_heals)
{
	const uint64_t first = 35000000000000;
	uint64_t last = first;
	char *findings;

	CHECK(put_one(scene, first) == 0);
	scene_close(scene);
	shell("cd '%s' && r=$(readlink register) && mv $r aside && mkdir $r && mount -t tmpfs -o size=120k none $r && "
	      "cp aside/* $r",
	      scene->dir);
	scene_open(scene);
	while (lists_lag(scene->lists) == 0 && last < first + 20000)
		CHECK(put_one(scene, ++last) == 0);
	CHECK(lists_lag(scene->lists) == 1);
	CHECK(put_one(scene, ++last) == 0); /* still accepted: it is in the ledger */
	CHECK(lists_lag(scene->lists) == 2);
	CHECK(lists_heal(scene->lists) < 0);
	findings = scene_verify(scene);
	CHECK(strstr(findings, "it lags by 2 and was not compared"));
	free(findings);
	CHECK(scene_ask(scene, last - 2, WEIR_NO_SVN, 0).device.lists == WEIR_ON(WEIR_BLACK));
	CHECK(scene_ask(scene, last, WEIR_NO_SVN, 0).device.lists == WEIR_ON_NONE);
	shell("mount -o remount,size=10m '%s'/$(readlink '%s'/register)", scene->dir, scene->dir);
	scene->sweeps = 0;
	if (next_change_heals)
		CHECK(put_one(scene, first + 100000) == 0); /* what was left behind comes in force with it */
	else
		CHECK(lists_heal(scene->lists) == 0);
	CHECK(lists_lag(scene->lists) == 0);
	CHECK(scene->sweeps == 1);
	CHECK(scene_ask(scene, last, WEIR_NO_SVN, 0).device.lists == WEIR_ON(WEIR_BLACK));
	clean_or_die(scene);
}

static void full_register_heals(struct scene *scene)
{
	full_register(scene, false);
}

static void full_register_goes_on(struct scene *scene)
{
	full_register(scene, true);
}

static void a_register_without_room_lags_and_heals(void **state)
{
	on_a_small_disk(*state, "size=64m", full_register_heals);
}

static void the_next_change_brings_what_lagged(void **state)
{
	on_a_small_disk(*state, "size=64m", full_register_goes_on);
}

static void full_by_import(struct scene *scene)
{
	const struct lists_tuning tuning = {.slice_rows = 2000, .store_bytes = 20000};
	const struct lists_import_spec spec = {.source = "gsma", .actor = "full", .defaults = {.colour = WEIR_BLACK}};
	struct lists_import *import;
	struct weir_why why = {{0}};
	unsigned rows = 0;
	char line[32];
	int rc;

	lists_tune(scene->lists, &tuning);
	CHECK(lists_import_begin(scene->lists, &spec, &import, &why) == 0);
	CHECK(lists_import_feed(import, "imei\n", 5, &why) == 0);
	for (; rows < 20000; rows++) {
		snprintf(line, sizeof(line), "%014llu\n", 35000000000000ull + rows * 7919ull);
		CHECK(lists_import_feed(import, line, 15, &why) == 0);
	}
	while ((rc = lists_import_finish(import, &why)) == 1)
		;
	CHECK(rc == 0);
	while ((rc = lists_import_commit(import, 1, &why)) == 1)
		;
	CHECK(rc == 0);
	while ((rc = lists_import_step(import)) == 1)
		;
	CHECK(rc < 0);
	CHECK(lists_import_step(import) < 0); /* again: no room, no harm */
	larger_disk(scene->dir);
	for (unsigned i = 0; (rc = lists_import_step(import)) != 0; i++)
		CHECK(i < 100);
	lists_import_free(import);
	clean_or_die(scene);
	for (unsigned i = 0; i < rows; i += 13)
		CHECK(scene_ask(scene, 35000000000000 + i * 7919, WEIR_NO_SVN, 0).device.lists == WEIR_ON(WEIR_BLACK));
}

static void an_import_that_fills_the_disk_goes_on_when_there_is_room(void **state)
{
	on_a_small_disk(*state, "size=1200k", full_by_import);
}

static void full_before_acceptance(struct scene *scene)
{
	const struct lists_tuning tuning = {.run_rows = 5000, .runs_in_memory = 100};
	const struct lists_import_spec spec = {.source = "gsma", .actor = "full", .defaults = {.colour = WEIR_BLACK}};
	struct lists_import *import;
	struct weir_why why = {{0}};
	struct ledger_head before, after;
	char line[32];
	int rc;

	lists_tune(scene->lists, &tuning);
	CHECK(put_one(scene, 35000000000001) == 0);
	ledger_head(lists_ledger(scene->lists), &before);
	CHECK(lists_import_begin(scene->lists, &spec, &import, &why) == 0);
	CHECK(lists_import_feed(import, "imei\n", 5, &why) == 0);
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(line, sizeof(line), "%014llu\n", 35000000000000ull + i * 7919ull);
		CHECK(lists_import_feed(import, line, 15, &why) == 0);
	}
	while ((rc = lists_import_finish(import, &why)) == 1)
		;
	CHECK(rc == 0);
	while ((rc = lists_import_commit(import, 1, &why)) == 1)
		;
	CHECK(rc == -ENOSPC || rc == -EIO);
	CHECK(why.text[0]);
	lists_import_free(import);
	CHECK(lists_import_current(scene->lists) == NULL);
	scene_reopen(scene);
	ledger_head(lists_ledger(scene->lists), &after);
	CHECK(after.serial == before.serial);
	clean_or_die(scene);
	CHECK(scene_ask(scene, 35000000000001, WEIR_NO_SVN, 0).device.lists == WEIR_ON(WEIR_BLACK));
}

static void an_import_without_room_is_refused_and_leaves_nothing(void **state)
{
	on_a_small_disk(*state, "size=600k", full_before_acceptance);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_acknowledged_is_lost_by_kill_9),
		TEST(changes_on_a_full_disk_are_refused_or_kept),
		TEST(a_register_without_room_lags_and_heals),
		TEST(the_next_change_brings_what_lagged),
		TEST(an_import_that_fills_the_disk_goes_on_when_there_is_room),
		TEST(an_import_without_room_is_refused_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
