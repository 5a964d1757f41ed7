/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* keeper/lists: what the sources say, merged; in the ledger, then in the register, then told; and the register healed
 * or made anew whatever happened to it. */

#define _GNU_SOURCE /* asprintf */
#include "keeper/lists_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "register/register.h"
#include "scene.h"

#define BLACK WEIR_ON(WEIR_BLACK)
#define GREY  WEIR_ON(WEIR_GREY)
#define WHITE WEIR_ON(WEIR_WHITE)

static struct list_row black(uint64_t imei)
{
	return scene_device(imei, WEIR_BLACK, WEIR_REASON_STOLEN);
}

static uint64_t head_of(struct scene *scene)
{
	struct ledger_head head;

	ledger_head(lists_ledger(scene->lists), &head);
	return head.serial;
}

/* --- one device, many sources ----------------------------------------------------------------- */

static void what_a_source_lists_is_in_force_at_once(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;
	struct weir_facts facts;

	assert_int_equal(scene_change(scene, LISTS_PUT, "police", black(SCENE_IMEI), &result), 0);
	assert_true(result.changed);
	assert_int_equal(result.before, WEIR_UNKNOWN);
	assert_int_equal(result.after, WEIR_BLACK);
	assert_int_equal(result.others, 0);
	assert_int_equal(result.serial, head_of(scene));
	facts = scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0);
	assert_int_equal(facts.device.lists, BLACK);
	assert_int_equal(facts.device.reason, WEIR_REASON_STOLEN);
	assert_int_equal(facts.serial, result.serial);
	scene_verify_clean(scene);
}

static void saying_it_again_is_no_event(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;
	uint64_t head;

	scene_put(scene, "police", black(SCENE_IMEI));
	head = head_of(scene);
	assert_int_equal(scene_change(scene, LISTS_PUT, "police", black(SCENE_IMEI), &result), 0);
	assert_false(result.changed);
	assert_int_equal(result.after, WEIR_BLACK);
	assert_int_equal(result.serial, head);
	assert_int_equal(head_of(scene), head);
}

static void nobody_takes_off_what_another_source_listed(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;

	scene_put(scene, "police", black(SCENE_IMEI));
	assert_int_equal(scene_change(scene, LISTS_REMOVE, "operator", black(SCENE_IMEI), &result), 0);
	assert_false(result.changed);
	assert_int_equal(result.others, 1);
	scene_put(scene, "operator", scene_device(SCENE_IMEI, WEIR_BLACK, WEIR_REASON_LOST));
	assert_int_equal(scene_change(scene, LISTS_REMOVE, "operator", black(SCENE_IMEI), &result), 0);
	assert_true(result.changed);
	assert_int_equal(result.before, WEIR_BLACK);
	assert_int_equal(result.after, WEIR_BLACK); /* still, by the police */
	assert_int_equal(result.others, 1);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_change(scene, LISTS_REMOVE, "police", black(SCENE_IMEI), &result), 0);
	assert_int_equal(result.after, WEIR_UNKNOWN);
	assert_int_equal(result.others, 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
}

static void a_device_is_on_every_list_that_some_source_put_it_on(void **state)
{
	struct scene *scene = *state;
	struct weir_facts facts;

	scene_put(scene, "desk", scene_device(SCENE_IMEI, WEIR_WHITE, WEIR_REASON_REGISTERED));
	scene_put(scene, "police", scene_device(SCENE_IMEI, WEIR_GREY, WEIR_REASON_TEST));
	facts = scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0);
	assert_int_equal(facts.device.lists, WHITE | GREY);
	assert_int_equal(facts.device.reason, WEIR_REASON_TEST); /* of the gravest list */
	scene_put(scene, "gsma", black(SCENE_IMEI));
	facts = scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0);
	assert_int_equal(facts.device.lists, WHITE | GREY | BLACK);
	assert_int_equal(facts.device.reason, WEIR_REASON_STOLEN);
}

static void among_equals_the_oldest_says_why(void **state)
{
	struct scene *scene = *state;

	lists_source_make(scene->lists, "first-made", "me", 1, NULL);
	scene_put(scene, "police", black(SCENE_IMEI));
	scene_put(scene, "first-made", scene_device(SCENE_IMEI, WEIR_BLACK, WEIR_REASON_FRAUD));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.reason, WEIR_REASON_STOLEN);
	scene_take(scene, "police", black(SCENE_IMEI));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.reason, WEIR_REASON_FRAUD);
}

static void a_source_changes_its_mind(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;

	scene_put(scene, "police", black(SCENE_IMEI));
	assert_int_equal(scene_change(scene, LISTS_PUT, "police", scene_device(SCENE_IMEI, WEIR_GREY, 0), &result), 0);
	assert_int_equal(result.before, WEIR_BLACK);
	assert_int_equal(result.after, WEIR_GREY);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, GREY);
	scene_verify_clean(scene);
}

/* --- versions, pairs, ranges ------------------------------------------------------------------ */

static void a_version_is_listed_beside_its_device(void **state)
{
	struct scene *scene = *state;
	struct weir_facts facts;

	scene_put(scene, "gsma", scene_version(SCENE_IMEI, 5, WEIR_BLACK));
	scene_put(scene, "desk", scene_device(SCENE_IMEI, WEIR_WHITE, 0));
	facts = scene_ask(scene, SCENE_IMEI, 5, 0);
	assert_int_equal(facts.svn.lists, BLACK);
	assert_int_equal(facts.device.lists, WHITE);
	facts = scene_ask(scene, SCENE_IMEI, 6, 0);
	assert_int_equal(facts.svn.lists, WEIR_ON_NONE);
	assert_int_equal(facts.device.lists, WHITE);
	scene_take(scene, "gsma", scene_version(SCENE_IMEI, 5, WEIR_BLACK));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 5, 0).svn.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
}

/* A register's row has room for a device and 15 versions: what finds none there is the device's. */
static void versions_that_find_no_room_widen_to_the_device(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;

	for (int svn = 0; svn < 16; svn++)
		scene_put(scene, "gsma", scene_version(SCENE_IMEI, svn, svn < 9 ? WEIR_GREY : WEIR_BLACK));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 99, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(
		scene_change(scene, LISTS_PUT, "police", scene_version(SCENE_IMEI, 16, WEIR_BLACK), &result), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 16, 0).svn.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 8, 0).svn.lists, WEIR_ON_NONE); /* grey gave way */
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 8, 0).device.lists, GREY);
	scene_verify_clean(scene);
	for (int svn = 17; svn < 25; svn++)
		scene_put(scene, "police", scene_version(SCENE_IMEI, svn, WEIR_BLACK));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 99, 0).device.lists, BLACK);
	assert_int_equal(scene->n_flips, 1);
	scene_put(scene, "desk", scene_device(SCENE_IMEI, WEIR_WHITE, 0));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 24, 0).device.lists, WHITE | BLACK);
	scene_verify_clean(scene);
	for (int svn = 16; svn < 25; svn++)
		scene_take(scene, "police", scene_version(SCENE_IMEI, svn, WEIR_BLACK));
	scene_take(scene, "desk", scene_device(SCENE_IMEI, WEIR_WHITE, 0));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 8, 0).svn.lists, GREY);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 99, 0).device.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
}

static void pairs_of_all_sources_deny_before_they_allow(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_ALLOW);
	scene_put(scene, "police", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_DENY));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_DENY);
	scene_take(scene, "police", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_DENY));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_ALLOW);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI + 1).pair, WEIR_PAIR_NONE);
	scene_verify_clean(scene);
	scene_take(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_NONE);
	scene_verify_clean(scene);
}

static void a_fixed_sim_is_at_home_in_its_devices_only(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_FIXED));
	scene_put(scene, "desk", scene_pair(SCENE_IMEI + 1, SCENE_IMSI, WEIR_PAIR_FIXED));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).sim, WEIR_SIM_AT_HOME);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, SCENE_IMSI).sim, WEIR_SIM_AT_HOME);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 2, WEIR_NO_SVN, SCENE_IMSI).sim, WEIR_SIM_ELSEWHERE);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI + 1).sim, WEIR_SIM_FREE);
	scene_verify_clean(scene);
	scene_take(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_FIXED));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).sim, WEIR_SIM_ELSEWHERE);
	scene_verify_clean(scene);
}

static void a_listed_device_keeps_its_pairs_and_a_paired_one_its_lists(void **state)
{
	struct scene *scene = *state;
	struct weir_facts facts;

	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	scene_put(scene, "police", black(SCENE_IMEI));
	facts = scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI);
	assert_int_equal(facts.pair, WEIR_PAIR_ALLOW);
	assert_int_equal(facts.device.lists, BLACK);
	scene_take(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).device.lists, BLACK);
	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	scene_take(scene, "police", black(SCENE_IMEI));
	facts = scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI);
	assert_int_equal(facts.pair, WEIR_PAIR_ALLOW);
	assert_int_equal(facts.device.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
}

static void ranges_of_all_sources_lie_over_one_another(void **state)
{
	const uint64_t tac = 35209900000000;
	struct scene *scene = *state;

	scene_put(scene, "gsma", scene_range(tac, tac + 999999, WEIR_BLACK));
	scene_put(scene, "desk", scene_range(tac + 100, tac + 199, WEIR_WHITE));
	scene_put(scene, "police", scene_range(tac + 100, tac + 199, WEIR_GREY));
	assert_int_equal(scene_ask(scene, tac + 99, WEIR_NO_SVN, 0).range.lists, BLACK);
	assert_int_equal(scene_ask(scene, tac + 100, WEIR_NO_SVN, 0).range.lists, WHITE | GREY);
	assert_int_equal(scene_ask(scene, tac + 199, WEIR_NO_SVN, 0).range.lists, WHITE | GREY);
	assert_int_equal(scene_ask(scene, tac + 200, WEIR_NO_SVN, 0).range.lists, BLACK);
	assert_int_equal(scene_ask(scene, tac + 1000000, WEIR_NO_SVN, 0).range.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
	scene_take(scene, "desk", scene_range(tac + 100, tac + 199, WEIR_WHITE));
	assert_int_equal(scene_ask(scene, tac + 150, WEIR_NO_SVN, 0).range.lists, GREY);
	scene_take(scene, "police", scene_range(tac + 100, tac + 199, WEIR_GREY));
	assert_int_equal(scene_ask(scene, tac + 150, WEIR_NO_SVN, 0).range.lists, BLACK);
	scene_verify_clean(scene);
}

/* --- turns ------------------------------------------------------------------------------------ */

static int change_in_turn(struct scene *scene, enum lists_op op, struct list_row row, struct lists_result *result)
{
	struct lists_change change = {.op = op, .source = "police", .actor = "me", .row = row};
	struct weir_why why;

	return lists_change(scene->lists, &change, result, &why);
}

static void the_changes_of_a_turn_come_in_force_together(void **state)
{
	struct scene *scene = *state;
	struct lists_result one, two, three;

	assert_int_equal(lists_begin(scene->lists, 5000), 0);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(SCENE_IMEI), &one), 0);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(SCENE_IMEI + 1), &two), 0);
	assert_int_equal(change_in_turn(scene, LISTS_REMOVE, black(SCENE_IMEI), &three), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(lists_commit(scene->lists), 0);
	assert_int_equal(two.serial, one.serial + 1);
	assert_int_equal(three.serial, two.serial + 1);
	assert_int_equal(three.before, WEIR_BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene->told, 1);
	scene_verify_clean(scene);
}

static void a_refused_change_leaves_the_others_of_its_turn_alone(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;

	assert_int_equal(lists_begin(scene->lists, 5000), 0);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(SCENE_IMEI), &result), 0);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(WEIR_IMEI_END), &result), -EINVAL);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(SCENE_IMEI + 1), &result), 0);
	assert_int_equal(lists_commit(scene->lists), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, BLACK);
	scene_verify_clean(scene);
}

static void nonsense_is_refused_in_words(void **state)
{
	const struct {
		const char *rule;
		struct list_row row;
	} bad[] = {
		{"an IMEI has 14 digits", scene_device(WEIR_IMEI_END, WEIR_BLACK, 0)},
		{"unknown is no list", scene_device(SCENE_IMEI, WEIR_UNKNOWN, 0)},
		{"a version has two digits", scene_version(SCENE_IMEI, 100, WEIR_BLACK)},
		{"a range does not end before it begins", scene_range(SCENE_IMEI, SCENE_IMEI - 1, WEIR_BLACK)},
		{"a range ends among the IMEIs", scene_range(SCENE_IMEI, WEIR_IMEI_END, WEIR_BLACK)},
		{"a pair has an IMSI", scene_pair(SCENE_IMEI, 0, WEIR_PAIR_ALLOW)},
		{"a pair has a rule", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_NONE)},
		{"a reason is one we know", scene_device(SCENE_IMEI, WEIR_BLACK, WEIR_N_REASONS)},
	};
	struct scene *scene = *state;
	struct lists_result result;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scene_change(scene, LISTS_PUT, "police", bad[i].row, &result) != -EINVAL)
			fail_msg("%s", bad[i].rule);
	}
	assert_int_equal(scene_change(scene, LISTS_PUT, "No Name", black(SCENE_IMEI), &result), -EINVAL);
	assert_int_equal(head_of(scene), 0);
}

static void a_turn_without_news_is_no_commit(void **state)
{
	struct scene *scene = *state;

	assert_int_equal(lists_begin(scene->lists, 5000), 0);
	assert_int_equal(lists_begin(scene->lists, 5000), -EBUSY);
	assert_int_equal(lists_commit(scene->lists), 0);
	assert_int_equal(lists_commit(scene->lists), -EINVAL);
	assert_int_equal(scene->told, 0);
}

/* --- told ------------------------------------------------------------------------------------- */

static void who_turned_black_is_told_after_it_is_in_force(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "police", black(SCENE_IMEI));
	assert_int_equal(scene->n_flips, 1);
	assert_true(scene->flip[0] == SCENE_IMEI);
	assert_int_equal(scene->after_serial, 0);
	assert_int_equal(scene->serial, 2);
	scene_put(scene, "gsma", black(SCENE_IMEI)); /* was black already */
	assert_int_equal(scene->n_flips, 0);
	assert_int_equal(scene->after_serial, 2);
	assert_int_equal(scene->serial, 4);
	scene_take(scene, "gsma", black(SCENE_IMEI));
	assert_int_equal(scene->n_flips, 0);
	scene_put(scene, "police", scene_device(SCENE_IMEI + 1, WEIR_GREY, 0));
	assert_int_equal(scene->n_flips, 0);
	scene_put(scene, "police", scene_version(SCENE_IMEI + 1, 3, WEIR_BLACK));
	assert_int_equal(scene->n_flips, 1);
	scene_put(scene, "police", scene_pair(SCENE_IMEI + 2, SCENE_IMSI, WEIR_PAIR_DENY));
	assert_int_equal(scene->n_flips, 1);
	assert_int_equal(scene->sweeps, 0);
}

/* A white version's row was the only thing between it and its device's black one. */
static void a_version_turns_black_when_its_own_row_goes(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "police", black(SCENE_IMEI));
	scene_put(scene, "desk", scene_version(SCENE_IMEI, 3, WEIR_WHITE));
	assert_int_equal(scene->n_flips, 0);
	scene_take(scene, "desk", scene_version(SCENE_IMEI, 3, WEIR_WHITE));
	assert_int_equal(scene->n_flips, 1);
}

/* Whoever goes may have stood before a black range, or before what a policy says of the unlisted. */
static void what_a_row_shielded_is_named_when_it_goes(void **state)
{
	static const enum weir_colour shields[] = {WEIR_WHITE, WEIR_GREY};
	struct scene *scene = *state;

	scene_put(scene, "gsma", scene_range(SCENE_IMEI, SCENE_IMEI + 9, WEIR_BLACK));
	for (unsigned i = 0; i < 2; i++) {
		scene_put(scene, "desk", scene_device(SCENE_IMEI, shields[i], 0));
		assert_int_equal(scene->n_flips, 0);
		scene_take(scene, "desk", scene_device(SCENE_IMEI, shields[i], 0));
		assert_int_equal(scene->n_flips, 1);
		assert_true(scene->flip[0] == SCENE_IMEI);
		scene_put(scene, "desk", scene_version(SCENE_IMEI, 3, shields[i]));
		assert_int_equal(scene->n_flips, 0);
		scene_take(scene, "desk", scene_version(SCENE_IMEI, 3, shields[i]));
		assert_int_equal(scene->n_flips, 1);
	}
	scene_put(scene, "desk", black(SCENE_IMEI));
	assert_int_equal(scene->n_flips, 1);
	scene_take(scene, "desk", black(SCENE_IMEI)); /* was black, so whatever it is now is no news */
	assert_int_equal(scene->n_flips, 0);
	assert_int_equal(scene->sweeps, 1);
}

/* Of two ranges that are one and the same, a word that changes may uncover the other's. */
static void a_range_that_changes_is_swept(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "desk", scene_range(SCENE_IMEI, SCENE_IMEI + 9, WEIR_GREY));
	assert_int_equal(scene->sweeps, 0);
	scene_put(scene, "desk", scene_range(SCENE_IMEI, SCENE_IMEI + 9, WEIR_WHITE));
	assert_int_equal(scene->sweeps, 1);
}

static void what_cannot_be_named_is_swept(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_FIXED));
	assert_int_equal(scene->sweeps, 1);
	assert_int_equal(scene->n_flips, 0);
	scene_put(scene, "gsma", scene_range(SCENE_IMEI, SCENE_IMEI + 9, WEIR_BLACK));
	assert_int_equal(scene->sweeps, 2);
	scene_put(scene, "gsma", scene_range(SCENE_IMEI, SCENE_IMEI + 5, WEIR_GREY));
	assert_int_equal(scene->sweeps, 2);
}

/* --- questions -------------------------------------------------------------------------------- */

struct notes {
	char text[4096];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) note(struct notes *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	notes->len += (size_t)vsnprintf(notes->text + notes->len, sizeof(notes->text) - notes->len, format, args);
	va_end(args);
	assert_true(notes->len < sizeof(notes->text));
}

static int on_entry(const struct weir_entry *entry, const char *source, void *data)
{
	static const char *const kind[] = {"device", "range", "pair"};

	note(data, "%s of %s since %lld\n", kind[entry->row.kind], source, (long long)entry->since_ms);
	return 0;
}

static void everything_said_of_a_device_is_listed(void **state)
{
	struct notes notes = {.len = 0};
	struct scene *scene = *state;

	scene_put(scene, "gsma", scene_range(35209900000000, 35209900999999, WEIR_GREY));
	scene_put(scene, "gsma", scene_range(35209800000000, 35209800999999, WEIR_GREY));
	scene_put(scene, "police", black(SCENE_IMEI));
	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	scene_put(scene, "desk", scene_version(SCENE_IMEI, 2, WEIR_WHITE));
	scene_put(scene, "desk", black(SCENE_IMEI + 1));
	assert_int_equal(lists_entries(scene->lists, SCENE_IMEI, on_entry, &notes), 0);
	assert_string_equal(notes.text, "device of police since 4000\n"
					"device of desk since 6000\n"
					"pair of desk since 5000\n"
					"range of gsma since 2000\n");
}

static int on_event(const struct weir_event *event, void *data)
{
	note(data, "%llu %s%s %s %s by %s\n", (unsigned long long)event->serial, ledger_event_type_name(event->type),
	     event->type == LEDGER_BATCH && event->batch.remove ? " off" : "", event->source,
	     event->row.kind == LIST_PAIR ? pair_rule_name(event->row.rule) : colour_name(event->row.colour),
	     event->actor);
	return 0;
}

static void a_devices_history_is_told_in_order(void **state)
{
	struct notes notes = {.len = 0};
	struct scene *scene = *state;

	scene_put(scene, "police", black(SCENE_IMEI));
	scene_put(scene, "police", black(SCENE_IMEI + 1));
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE,
				      "imei,list,imsi\n35209900176148,grey,\n35209900176148,,001010000000001\n", NULL,
				      NULL),
			 0);
	scene_take(scene, "police", black(SCENE_IMEI));
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, "imei\n35209900176149\n", NULL, NULL), 0);
	assert_int_equal(scene_import(scene, "gsma", LISTS_REPLACE, "imei\n35209900176149\n", NULL, NULL), 0);
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, "imei\n35209900176148\n", NULL, NULL), 0);
	assert_int_equal(scene_import(scene, "gsma", LISTS_TAKE_OFF, "imei\n35209900176148\n", NULL, NULL), 0);
	assert_int_equal(lists_history(scene->lists, SCENE_IMEI, on_event, &notes), 0);
	assert_string_equal(notes.text, "2 put police black by uid:1000(alice)\n"
					"5 batch gsma grey by uid:1000(alice)\n"
					"5 batch gsma allow by uid:1000(alice)\n"
					"6 remove police black by uid:1000(alice)\n"
					"8 batch off gsma grey by uid:1000(alice)\n"
					"9 batch gsma black by uid:1000(alice)\n"
					"10 batch off gsma black by uid:1000(alice)\n");
}

static void an_export_goes_through_in_small_slices(void **state)
{
	struct scene *scene = *state;
	char *text;

	scene_put(scene, "police", black(SCENE_IMEI + 5));
	scene_put(scene, "police", scene_version(SCENE_IMEI, 7, WEIR_GREY));
	scene_put(scene, "gsma", scene_range(35000000000000, 35000000999999, WEIR_BLACK));
	scene_put(scene, "gsma", scene_range(35000000000000, 35000001999998, WEIR_BLACK));
	scene_put(scene, "police", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_DENY));
	scene_put(scene, "police", scene_pair(SCENE_IMEI, SCENE_IMSI + 1, WEIR_PAIR_ALLOW));
	for (unsigned i = 0; i < 10; i++)
		scene_put(scene, "gsma", scene_device(SCENE_IMEI + i, WEIR_WHITE, WEIR_REASON_REGISTERED));
	text = scene_export(scene, "police");
	assert_string_equal(text, "352099001761481,07,,,,grey,,,none,police\n"
				  "352099001761531,,,,,black,,,stolen,police\n"
				  "352099001761481,,,,,,001010000000001,deny,none,police\n"
				  "352099001761481,,,,,,001010000000002,allow,none,police\n");
	free(text);
	text = scene_export(scene, NULL);
	assert_int_equal(strlen(text) > 600, 1);
	assert_non_null(strstr(text, ",35000000,,,black"));
	assert_non_null(strstr(text, "35000000000000,35000001999998,black"));
	free(text);
}

static void an_exported_list_imports_to_the_same_list(void **state)
{
	struct scene *scene = *state;
	struct weir_source source[2];
	char *text, *whole;

	scene_put(scene, "police", black(SCENE_IMEI + 5));
	scene_put(scene, "police", scene_version(SCENE_IMEI, 7, WEIR_GREY));
	scene_put(scene, "police", scene_range(35000000000000, 35000000999999, WEIR_BLACK));
	scene_put(scene, "police", scene_range(35000000000000, 35000001999998, WEIR_WHITE));
	scene_put(scene, "police", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_DENY));
	text = scene_export(scene, "police");
	assert_true(asprintf(&whole, "%s%s", list_header, text) > 0);
	assert_int_equal(scene_import(scene, "copy", LISTS_REPLACE, whole, NULL, NULL), 0);
	assert_int_equal(lists_sources(scene->lists, source, 2), 2);
	assert_true(source[0].digest == source[1].digest);
	assert_int_equal(source[0].devices, source[1].devices);
	free(text);
	free(whole);
	scene_verify_clean(scene);
}

/* --- healing ---------------------------------------------------------------------------------- */

static void a_scene_to_heal(struct scene *scene)
{
	scene_put(scene, "police", black(SCENE_IMEI));
	scene_put(scene, "police", scene_version(SCENE_IMEI, 3, WEIR_GREY));
	scene_put(scene, "desk", scene_pair(SCENE_IMEI, SCENE_IMSI, WEIR_PAIR_ALLOW));
	scene_put(scene, "desk", scene_pair(SCENE_IMEI + 9, SCENE_IMSI, WEIR_PAIR_FIXED));
	scene_put(scene, "gsma", scene_range(35000000000000, 35000000999999, WEIR_BLACK));
}

static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static void a_lost_register_is_made_anew(void **state)
{
	struct scene *scene = *state;

	a_scene_to_heal(scene);
	scene_close(scene);
	shell("rm -r '%s'/register '%s'/register.*", scene->dir, scene->dir);
	scene_open(scene);
	assert_int_equal(lists_lag(scene->lists), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).serial, head_of(scene));
	scene_verify_clean(scene);
}

static void a_damaged_register_is_made_anew(void **state)
{
	struct scene *scene = *state;

	a_scene_to_heal(scene);
	scene_close(scene);
	shell("truncate -s 4096 '%s'/register/data.mdb", scene->dir);
	scene_open(scene);
	scene_verify_clean(scene);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
}

static void a_register_that_is_behind_catches_up(void **state)
{
	struct scene *scene = *state;
	struct register_meta before, after;

	scene_put(scene, "gsma", black(SCENE_IMEI + 20));
	scene_close(scene);
	shell("cp -a '%s'/register/data.mdb '%s'/aside", scene->dir, scene->dir);
	scene_open(scene);
	a_scene_to_heal(scene);
	scene_take(scene, "gsma", black(SCENE_IMEI + 20));
	scene_close(scene);
	shell("cp '%s'/aside '%s'/register/data.mdb", scene->dir, scene->dir);
	scene_open(scene);
	assert_int_equal(register_meta(lists_register(scene->lists), &after), 0);
	assert_int_equal(after.serial, head_of(scene));
	assert_int_equal(lists_lag(scene->lists), 0);
	assert_int_equal(scene->sweeps, 3); /* the fixed SIM's, the range's, and the healing's */
	scene_verify_clean(scene);
	before = after;
	scene_reopen(scene); /* what is well is left alone */
	assert_int_equal(register_meta(lists_register(scene->lists), &after), 0);
	assert_int_equal(after.generation, before.generation);
}

static void a_lost_ledger_does_not_empty_the_register(void **state)
{
	struct scene *scene = *state;
	struct weir_why why = {{0}};

	a_scene_to_heal(scene);
	scene_close(scene);
	shell("rm -r '%s'/ledger", scene->dir);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lists_open(scene->dir, NULL, NULL, &scene->lists, &why), -ESTALE);
		assert_non_null(strstr(why.text, "is it the right one?"));
		assert_null(scene->lists);
	}
	shell("rm '%s'/register", scene->dir);
	scene_open(scene);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	scene_verify_clean(scene);
}

static void a_batch_behind_the_register_means_a_rebuild(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "gsma", black(SCENE_IMEI + 20));
	scene_close(scene);
	shell("cp -a '%s'/register/data.mdb '%s'/aside", scene->dir, scene->dir);
	scene_open(scene);
	assert_int_equal(scene_import(scene, "gsma", LISTS_REPLACE, "imei\n35209900176148\n", NULL, NULL), 0);
	scene_close(scene);
	shell("cp '%s'/aside '%s'/register/data.mdb", scene->dir, scene->dir);
	scene_open(scene);
	scene_verify_clean(scene);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 20, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
}

/* Tending is safe at any moment, in a turn too. */
static void tending_disturbs_nobody(void **state)
{
	struct scene *scene = *state;
	struct lists_result result;

	a_scene_to_heal(scene);
	lists_tend(scene->lists);
	assert_int_equal(lists_begin(scene->lists, 9000), 0);
	assert_int_equal(change_in_turn(scene, LISTS_PUT, black(SCENE_IMEI + 1), &result), 0);
	lists_tend(scene->lists);
	assert_int_equal(lists_commit(scene->lists), 0);
	lists_tend(scene->lists);
	scene_verify_clean(scene);
}

static void changes_made_during_a_rebuild_are_in_force_after_it(void **state)
{
	struct lists_tuning tuning = {.slice_rows = 3};
	struct scene *scene = *state;
	struct register_meta before, after;
	struct weir_why why;
	unsigned steps = 0;
	int rc;

	lists_tune(scene->lists, &tuning);
	a_scene_to_heal(scene);
	for (unsigned i = 0; i < 20; i++)
		scene_put(scene, "police", black(SCENE_IMEI + 100 + i));
	assert_int_equal(register_meta(lists_register(scene->lists), &before), 0);
	assert_int_equal(lists_rebuild_begin(scene->lists, &why), 0);
	assert_int_equal(lists_rebuild_begin(scene->lists, &why), -EBUSY);
	do {
		rc = lists_rebuild_step(scene->lists);
		if (steps++ == 3) {
			/* one that the walk has passed, one that it has not, one that goes */
			scene_put(scene, "desk", black(SCENE_IMEI + 1));
			scene_put(scene, "desk", black(SCENE_IMEI + 115));
			scene_take(scene, "police", black(SCENE_IMEI + 100));
			assert_true(lists_lag(scene->lists) >= 3);
			assert_int_equal(lists_heal(scene->lists), -EBUSY);
		}
	} while (rc == 1);
	assert_int_equal(rc, 0);
	assert_true(steps > 8);
	assert_int_equal(lists_lag(scene->lists), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 100, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(register_meta(lists_register(scene->lists), &after), 0);
	assert_int_equal(after.generation, before.generation + 1);
	scene_verify_clean(scene);
}

/* A register found damaged while the keeper runs is made anew without stopping the loop, and changes go on. */
static void healing_goes_in_slices(void **state)
{
	const struct lists_tuning tuning = {.slice_rows = 3};
	struct scene *scene = *state;
	struct weir_why why;
	unsigned calls = 0;

	lists_tune(scene->lists, &tuning);
	a_scene_to_heal(scene);
	for (unsigned i = 0; i < 20; i++)
		scene_put(scene, "police", black(SCENE_IMEI + 100 + i));
	scene->lists->register_broken = scene->lists->register_damaged = true;
	scene->sweeps = 0;
	for (int rc = 1; rc == 1; calls++) {
		assert_true(lists_lag(scene->lists) > 0);
		rc = lists_heal(scene->lists);
		assert_true(rc >= 0);
		if (calls == 3) {
			scene_put(scene, "police", black(SCENE_IMEI + 1));
			assert_int_equal(lists_rebuild_begin(scene->lists, &why), -EBUSY);
		}
	}
	assert_true(calls > 8);
	assert_int_equal(lists_lag(scene->lists), 0);
	assert_true(scene->sweeps > 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, BLACK);
	scene_verify_clean(scene);
	scene_reopen(scene);
	scene_verify_clean(scene);
}

/* --- commits that fail ------------------------------------------------------------------------ */

/* The next commit's failure: none, said although it reached the disk, or true. */
static enum {
	FAILS_NOT,
	FAILS_LATE,
	FAILS
} next_commit;

int __real_store_commit(struct store_txn *txn); /* the linker's name */
int __wrap_store_commit(struct store_txn *txn); /* the linker's name */

int __wrap_store_commit(struct store_txn *txn)
{
	int mode = next_commit, rc = 0;

	next_commit = FAILS_NOT;
	if (mode == FAILS)
		store_abort(txn);
	else
		rc = __real_store_commit(txn);
	return mode == FAILS_NOT ? rc : -ENOSPC;
}

static int put_when(struct scene *scene, uint64_t imei, int mode)
{
	const struct lists_change change = {.source = "police", .actor = "test", .row = black(imei)};
	struct lists_result result;
	struct weir_why why;

	assert_int_equal(lists_begin(scene->lists, 1), 0);
	assert_int_equal(lists_change(scene->lists, &change, &result, &why), 0);
	next_commit = mode;
	return lists_commit(scene->lists);
}

/* What a commit that failed says of itself is not believed: the ledger is opened again and asked. */
static void a_failed_commit_is_what_the_disk_says(void **state)
{
	struct scene *scene = *state;
	uint64_t head;

	scene_put(scene, "police", black(SCENE_IMEI));
	head = head_of(scene);
	assert_int_equal(put_when(scene, SCENE_IMEI + 1, FAILS), -ENOSPC);
	assert_int_equal(head_of(scene), head);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	assert_int_equal(put_when(scene, SCENE_IMEI + 2, FAILS_LATE), 0);
	assert_int_equal(head_of(scene), head + 1);
	assert_int_equal(lists_lag(scene->lists), 0);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 2, WEIR_NO_SVN, 0).device.lists, BLACK);
	scene_put(scene, "gsma", black(SCENE_IMEI + 3));
	scene_verify_clean(scene);
	scene_reopen(scene);
	scene_verify_clean(scene);
}

/* --- verify sees ------------------------------------------------------------------------------ */

struct tamper {
	const char *finding;
	void (*with)(struct register_writer *writer);
};

static void set_device(struct register_writer *writer, uint64_t imei, uint8_t lists, uint16_t reason)
{
	struct register_device device = {
		.key = imei, .n_rows = lists != 0, .row = {{.svn = WEIR_NO_SVN, .listing = {lists, reason}}}};

	register_set_device(writer, &device);
}

static void add_a_device(struct register_writer *writer)
{
	set_device(writer, SCENE_IMEI + 50, BLACK, 0);
}

static void add_the_last_device(struct register_writer *writer)
{
	set_device(writer, WEIR_IMEI_END - 1, BLACK, 0);
}

static void drop_a_device(struct register_writer *writer)
{
	set_device(writer, SCENE_IMEI + 30, 0, 0);
}

static void change_a_list(struct register_writer *writer)
{
	set_device(writer, SCENE_IMEI + 30, GREY, WEIR_REASON_STOLEN);
}

static void change_a_reason(struct register_writer *writer)
{
	set_device(writer, SCENE_IMEI + 30, BLACK, WEIR_REASON_LOST);
}

static void turn_a_pair(struct register_writer *writer)
{
	register_set_pair(writer, SCENE_IMEI, (struct weir_imsi){SCENE_IMSI}, WEIR_PAIR_DENY, 0);
}

static void drop_a_sim(struct register_writer *writer)
{
	register_set_sim(writer, (struct weir_imsi){SCENE_IMSI}, SCENE_IMEI + 9, false, 0);
}

static void add_a_sim(struct register_writer *writer)
{
	register_set_sim(writer, (struct weir_imsi){SCENE_IMSI + 7}, SCENE_IMEI + 9, true, 0);
}

static void change_ranges(struct register_writer *writer)
{
	const struct register_range range = {35000000000000, 35000000999998, {BLACK, 0}};

	register_set_ranges(writer, &range, 1);
}

static void drop_ranges(struct register_writer *writer)
{
	register_set_ranges(writer, NULL, 0);
}

static const struct tamper tampers[] = {
	{"is black in the register and not in the ledger", add_a_device},
	{"999999**", add_the_last_device},
	{"is black in the ledger and not in the register", drop_a_device},
	{"is grey (stolen) in the register, black (stolen) in the ledger", change_a_list},
	{"is black (lost) in the register, black (stolen) in the ledger", change_a_reason},
	{"is deny in the register, allow in the ledger", turn_a_pair},
	{"fixed SIM of 35209900****** is not in the register", drop_a_sim},
	{"1 pairs and 2 fixed SIMs in the register, 1 and 1 in the ledger", add_a_sim},
	{"the ranges from 35000000****** on are not those of the ledger", change_ranges},
	{"it has 0 ranges, the ledger makes 1", drop_ranges},
};

/* Somebody writes into the register past the ledger, leaving it well by itself. */
static void a_register_that_says_something_else_is_found(void **state)
{
	struct scene *scene = *state;
	struct register_writer *writer;
	struct register_meta meta;
	char *findings;

	a_scene_to_heal(scene);
	scene_put(scene, "police", black(SCENE_IMEI + 30));
	for (unsigned i = 0; i < sizeof(tampers) / sizeof(tampers[0]); i++) {
		assert_int_equal(register_meta(lists_register(scene->lists), &meta), 0);
		scene_close(scene);
		assert_int_equal(register_writer_open(scene->dir, &writer, NULL), 0);
		assert_int_equal(register_batch_begin(writer), 0);
		tampers[i].with(writer);
		assert_int_equal(register_batch_commit(writer, meta.epoch, meta.serial, meta.changed_ms), 0);
		register_writer_close(writer);
		scene_open(scene);
		findings = scene_verify(scene);
		if (!strstr(findings, tampers[i].finding))
			fail_msg("\"%s\" is not among: %s", tampers[i].finding, findings);
		free(findings);
		assert_int_equal(lists_rebuild_begin(scene->lists, NULL), 0);
		while (lists_rebuild_step(scene->lists) == 1)
			;
		scene_verify_clean(scene); /* a rebuild is the cure */
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_source_lists_is_in_force_at_once),
		TEST(saying_it_again_is_no_event),
		TEST(nobody_takes_off_what_another_source_listed),
		TEST(a_device_is_on_every_list_that_some_source_put_it_on),
		TEST(among_equals_the_oldest_says_why),
		TEST(a_source_changes_its_mind),
		TEST(a_version_is_listed_beside_its_device),
		TEST(versions_that_find_no_room_widen_to_the_device),
		TEST(pairs_of_all_sources_deny_before_they_allow),
		TEST(a_fixed_sim_is_at_home_in_its_devices_only),
		TEST(a_listed_device_keeps_its_pairs_and_a_paired_one_its_lists),
		TEST(ranges_of_all_sources_lie_over_one_another),
		TEST(the_changes_of_a_turn_come_in_force_together),
		TEST(a_refused_change_leaves_the_others_of_its_turn_alone),
		TEST(nonsense_is_refused_in_words),
		TEST(a_turn_without_news_is_no_commit),
		TEST(who_turned_black_is_told_after_it_is_in_force),
		TEST(a_version_turns_black_when_its_own_row_goes),
		TEST(what_a_row_shielded_is_named_when_it_goes),
		TEST(a_range_that_changes_is_swept),
		TEST(what_cannot_be_named_is_swept),
		TEST(everything_said_of_a_device_is_listed),
		TEST(a_devices_history_is_told_in_order),
		TEST(an_export_goes_through_in_small_slices),
		TEST(an_exported_list_imports_to_the_same_list),
		TEST(a_lost_register_is_made_anew),
		TEST(a_damaged_register_is_made_anew),
		TEST(a_register_that_is_behind_catches_up),
		TEST(a_lost_ledger_does_not_empty_the_register),
		TEST(a_batch_behind_the_register_means_a_rebuild),
		TEST(tending_disturbs_nobody),
		TEST(changes_made_during_a_rebuild_are_in_force_after_it),
		TEST(healing_goes_in_slices),
		TEST(a_failed_commit_is_what_the_disk_says),
		TEST(a_register_that_says_something_else_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
