/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* keeper/import: a file's rows are sorted, folded, forecast, accepted and applied; the forecast is what happens, in
 * whatever slices, and nothing is lost where it is cut. */

#define _GNU_SOURCE /* asprintf */
#include "keeper/import_sort.h"
#include "keeper/lists.h"

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

/* --- sorting ---------------------------------------------------------------------------------- */

static uint64_t drawn = 1;

static uint64_t draw(void)
{
	drawn ^= drawn << 13;
	drawn ^= drawn >> 7;
	drawn ^= drawn << 17;
	return drawn;
}

static int by_key(const void *x, const void *y)
{
	const struct sort_row *a = x, *b = y;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->rest > b->rest) - (a->rest < b->rest);
}

/* rest numbers the rows, so that equal keys must come back in order of arrival. */
static void sort_and_compare(unsigned rows, unsigned run_rows, unsigned runs_in_memory, uint64_t mask)
{
	struct sort *sort = sort_alloc("/tmp", run_rows, runs_in_memory);
	struct sort_row *want = calloc(rows + 1, sizeof(*want)), row;

	assert_non_null(sort);
	assert_non_null(want);
	for (unsigned i = 0; i < rows; i++) {
		want[i] = (struct sort_row){draw() & mask, i};
		assert_int_equal(sort_add(sort, want[i].key, want[i].rest), 0);
	}
	assert_int_equal(sort_count(sort), rows);
	qsort(want, rows, sizeof(*want), by_key);
	assert_int_equal(sort_seal(sort), 0);
	for (unsigned i = 0; i < rows; i++) {
		assert_int_equal(sort_next(sort, &row), 1);
		assert_true(row.key == want[i].key && row.rest == want[i].rest);
	}
	assert_int_equal(sort_next(sort, &row), 0);
	assert_int_equal(sort_next(sort, &row), 0);
	sort_free(sort);
	free(want);
}

static void rows_are_sorted_however_many_runs_they_make(void **state)
{
	const uint64_t whole = (UINT64_C(1) << 54) - 1;

	(void)state;
	for (unsigned rows = 0; rows < 40; rows++)
		sort_and_compare(rows, 5, 3, whole);
	sort_and_compare(100000, 1u << 20, 12, whole);
	sort_and_compare(100000, 1000, 200, whole);
	sort_and_compare(100000, 1000, 0, whole);                        /* all in the file */
	sort_and_compare(100000, 777, 20, 0xff);                         /* many equal keys */
	sort_and_compare(50000, 6000, 2, whole & ~UINT64_C(0xffffffff)); /* digits that are all the same */
	sort_and_compare(20000, 20000, 1, whole);                        /* exactly one run */
	sort_and_compare(20001, 20000, 1, whole);                        /* and one row more */
}

static void a_spool_gives_back_what_it_took(void **state)
{
	enum {
		PIECE = 60000,
		PIECES = 400
	}; /* 24 MB: some in the file, some not */
	struct spool *spool = spool_alloc("/tmp");
	uint8_t piece[PIECE], back[PIECE];

	(void)state;
	assert_non_null(spool);
	for (unsigned i = 0; i < PIECES; i++) {
		memset(piece, (int)i, sizeof(piece));
		assert_int_equal(spool_append(spool, piece, sizeof(piece)), 0);
	}
	assert_int_equal(spool_size(spool), (uint64_t)PIECE * PIECES);
	for (unsigned i = 0; i + 1 < PIECES; i++) {
		assert_int_equal(spool_read(spool, (uint64_t)i * PIECE + PIECE / 2, back, PIECE),
				 0); /* across two pieces */
		assert_int_equal(back[0], i & 0xff);
		assert_int_equal(back[PIECE - 1], (i + 1) & 0xff);
	}
	assert_int_equal(spool_read(spool, (uint64_t)PIECE * PIECES - 10, back, 11), -EINVAL);
	assert_int_equal(spool_read(spool, UINT64_MAX, back, 1), -EINVAL);
	spool_free(spool);
}

/* --- what is taken ---------------------------------------------------------------------------- */

static void import(struct scene *scene, const char *source, enum lists_mode mode, const char *csv,
		   struct lists_receipt *receipt)
{
	struct weir_why why = {{0}};

	if (scene_import(scene, source, mode, csv, receipt, &why) < 0)
		fail_msg("import: %s", why.text);
	scene_verify_clean(scene);
}

static void every_kind_of_row_comes_in_force(void **state)
{
	struct scene *scene = *state;
	struct lists_receipt receipt;

	import(scene, "gsma", LISTS_MERGE,
	       "imei,svn,tac,from,to,list,imsi,pair,reason\n"
	       "352099001761481,,,,,black,,,stolen\n"
	       "352099001761499,05,,,,grey,,,\n"
	       ",,35000000,,,black,,,\n"
	       ",,,36000000000000,36000000000009,white,,,\n"
	       "352099001761481,,,,,,001010000000001,allow,\n"
	       "352099001761499,,,,,,001010000000002,fixed,\n",
	       &receipt);
	assert_int_equal(receipt.rows, 6);
	assert_int_equal(receipt.added, 6);
	assert_int_equal(receipt.turned_black, 1);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.reason, WEIR_REASON_STOLEN);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, 5, 0).svn.lists, GREY);
	assert_int_equal(scene_ask(scene, 35000000000001, WEIR_NO_SVN, 0).range.lists, BLACK);
	assert_int_equal(scene_ask(scene, 36000000000009, WEIR_NO_SVN, 0).range.lists, WEIR_ON(WEIR_WHITE));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_ALLOW);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI + 1).sim, WEIR_SIM_ELSEWHERE);
	assert_int_equal(scene->sweeps, 1);
}

static void equal_repetitions_are_folded_and_others_rejected(void **state)
{
	struct scene *scene = *state;
	struct lists_import *checked;
	const struct list_reject *rejects;
	struct lists_receipt receipt;

	checked = scene_import_checked(scene, "gsma", LISTS_MERGE,
				       "imei,list,imsi,pair,tac\n"
				       "352099001761481,black,,,\n"
				       "352099001761499,black,,,\n"
				       "35209900176148,black,,,\n"
				       "35-209900-176148-1,grey,,,\n"
				       "1,black,,,\n"
				       "352099001761481,,001010000000001,allow,\n"
				       "352099001761481,,001010000000001,deny,\n"
				       "352099001761481,,001010000000001,allow,\n"
				       ",grey,,,35000000\n"
				       ",black,,,35000000\n");
	lists_import_receipt(checked, &receipt);
	assert_int_equal(receipt.rows, 4);
	assert_int_equal(receipt.duplicates, 2);
	assert_int_equal(receipt.rejected, 4);
	assert_int_equal(lists_import_rejects(checked, &rejects), 4);
	assert_int_equal(rejects[0].line, 5);
	assert_int_equal(rejects[0].fault, LIST_CONFLICT);
	assert_string_equal(rejects[0].value, "35209900176148");
	assert_string_equal(rejects[0].text, "line 2 lists it otherwise; that one was taken");
	assert_int_equal(rejects[1].line, 6); /* in order of lines, whoever found them */
	assert_int_equal(rejects[1].fault, LIST_TOO_SHORT);
	assert_int_equal(rejects[2].line, 8);
	assert_int_equal(rejects[3].line, 11);
	scene_import_accept(scene, checked);
	scene_import_apply(checked);
	lists_import_free(checked);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, SCENE_IMSI).pair, WEIR_PAIR_ALLOW);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	scene_verify_clean(scene);
}

static void merging_adds_and_changes_and_takes_nothing_off(void **state)
{
	struct scene *scene = *state;
	struct lists_receipt receipt;

	import(scene, "gsma", LISTS_MERGE,
	       "imei,list\n35209900176148,black\n35209900176149,black\n35209900176150,grey\n", &receipt);
	assert_int_equal(receipt.added, 3);
	import(scene, "gsma", LISTS_MERGE,
	       "imei,list\n35209900176149,grey\n35209900176150,grey\n35209900176151,black\n", &receipt);
	assert_int_equal(receipt.added, 1);
	assert_int_equal(receipt.changed, 1);
	assert_int_equal(receipt.unchanged, 1);
	assert_int_equal(receipt.removed, 0);
	assert_int_equal(receipt.turned_black, 1);
	assert_int_equal(receipt.turned_from_black, 1);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, GREY);
}

static void replacing_takes_off_what_the_file_lacks_and_only_its_sources(void **state)
{
	struct scene *scene = *state;
	struct lists_receipt receipt;
	char *text;

	scene_put(scene, "police", scene_device(SCENE_IMEI, WEIR_BLACK, 0));
	import(scene, "gsma", LISTS_MERGE,
	       "imei,svn,list,imsi,tac\n35209900176148,,black,,\n35209900176148,77,black,,\n35209900176149,,black,,\n"
	       "35209900176148,,,001010000000001,\n,,black,,35000000\n,,black,,35000001\n",
	       NULL);
	import(scene, "gsma", LISTS_REPLACE,
	       "imei,list,imsi,tac\n35209900176149,black,,\n35209900176150,black,,\n,black,,35000001\n", &receipt);
	assert_int_equal(receipt.added, 1);
	assert_int_equal(receipt.unchanged, 2);
	assert_int_equal(receipt.removed, 4);
	assert_int_equal(receipt.turned_black, 1);
	assert_int_equal(receipt.turned_from_black, 0); /* the police still list it */
	text = scene_export(scene, NULL);
	assert_string_equal(text, "352099001761481,,,,,black,,,none,police\n"
				  "352099001761499,,,,,black,,,none,gsma\n"
				  "352099001761507,,,,,black,,,none,gsma\n"
				  ",,35000001,,,black,,,none,gsma\n");
	free(text);
	import(scene, "gsma", LISTS_REPLACE, "imei\n", &receipt); /* a header alone is a list of none */
	assert_int_equal(receipt.removed, 3);
	assert_int_equal(receipt.turned_from_black, 2);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
}

static void taking_off_removes_the_files_rows_whatever_their_list(void **state)
{
	struct scene *scene = *state;
	struct lists_receipt receipt;

	scene_put(scene, "police", scene_device(SCENE_IMEI, WEIR_GREY, 0));
	import(scene, "gsma", LISTS_MERGE,
	       "imei,list,imsi,tac\n35209900176148,black,,\n35209900176149,black,,\n"
	       "35209900176148,,001010000000001,\n,black,,35000000\n",
	       NULL);
	import(scene, "gsma", LISTS_TAKE_OFF,
	       "imei,list,imsi,tac\n35209900176148,grey,,\n35209900176155,black,,\n"
	       "35209900176148,black,,\n35209900176148,,001010000000001,\n,grey,,35000000\n",
	       &receipt);
	assert_int_equal(receipt.removed, 3);
	assert_int_equal(receipt.unchanged, 1); /* was not there */
	assert_int_equal(receipt.duplicates, 1);
	assert_int_equal(receipt.turned_from_black, 1);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, GREY);
	assert_int_equal(scene_ask(scene, SCENE_IMEI + 1, WEIR_NO_SVN, 0).device.lists, BLACK);
}

static void a_dry_run_changes_nothing(void **state)
{
	struct scene *scene = *state;
	struct lists_import *checked;
	struct lists_receipt receipt;
	struct ledger_head before, after;

	scene_put(scene, "gsma", scene_device(SCENE_IMEI, WEIR_BLACK, 0));
	ledger_head(lists_ledger(scene->lists), &before);
	checked = scene_import_checked(scene, "gsma", LISTS_REPLACE, "imei\n35209900176149\n");
	lists_import_receipt(checked, &receipt);
	assert_int_equal(receipt.added, 1);
	assert_int_equal(receipt.removed, 1);
	assert_int_equal(receipt.turned_black, 1);
	assert_int_equal(receipt.turned_from_black, 1);
	assert_int_equal(receipt.serial, 0);
	lists_import_free(checked);
	assert_null(lists_import_current(scene->lists));
	ledger_head(lists_ledger(scene->lists), &after);
	assert_int_equal(after.serial, before.serial);
	scene_verify_clean(scene);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void one_import_at_a_time(void **state)
{
	const struct lists_import_spec spec = {.source = "police"};
	struct lists_import *first, *second;
	struct scene *scene = *state;
	struct weir_why why = {{0}};

	assert_int_equal(lists_import_begin(scene->lists, &spec, &first, &why), 0);
	assert_int_equal(lists_import_begin(scene->lists, &spec, &second, &why), -EBUSY);
	assert_non_null(strstr(why.text, "police"));
	assert_null(second);
	lists_import_free(first);
	assert_int_equal(lists_import_begin(scene->lists, &spec, &second, &why), 0);
	lists_import_free(second);
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
	const struct lists_import_spec odd = {.source = "gsma", .defaults = {.reason = WEIR_N_REASONS}};
	struct lists_import *import_;
	struct scene *scene = *state;
	struct weir_why why = {{0}};

	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, "", NULL, &why), -EINVAL);
	assert_true(why.text[0]);
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, "name,colour\nx,y\n", NULL, &why), -EINVAL);
	assert_non_null(strstr(why.text, "line 1"));
	assert_int_equal(scene_import(scene, "Bad Name", LISTS_MERGE, "imei\n", NULL, &why), -EINVAL);
	assert_int_equal(lists_import_begin(scene->lists, &odd, &import_, &why), -EINVAL);
	assert_null(lists_import_current(scene->lists));
}

static void too_many_rejects_refuse_the_file(void **state)
{
	struct scene *scene = *state;
	struct lists_receipt receipt = {0};
	struct weir_why why = {{0}};
	char *csv = calloc(1, 100000), *at = csv;

	at += sprintf(at, "imei\n35209900176148\n");
	for (unsigned i = 0; i < 1001; i++)
		at += sprintf(at, "%u\n", i);
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, csv, &receipt, &why), -E2BIG);
	assert_int_equal(receipt.rejected, 1001);
	assert_non_null(strstr(why.text, "1001 of 1003"));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, WEIR_ON_NONE);
	at[-5] = '\0'; /* one fewer is not too many */
	assert_int_equal(scene_import(scene, "gsma", LISTS_MERGE, csv, &receipt, &why), 0);
	assert_int_equal(receipt.rejected, 1000);
	free(csv);
}

static void a_limit_given_ends_the_reading_early(void **state)
{
	const struct lists_import_spec spec = {.source = "gsma", .max_rejects = 2};
	static const char csv[] = "imei\n1\n2\n3\n";
	struct lists_import *import_;
	struct scene *scene = *state;
	struct weir_why why = {{0}};

	assert_int_equal(lists_import_begin(scene->lists, &spec, &import_, &why), 0);
	assert_int_equal(lists_import_feed(import_, csv, strlen(csv), &why), -E2BIG);
	assert_int_equal(lists_import_feed(import_, csv, strlen(csv), &why), -EINVAL);
	assert_int_equal(lists_import_finish(import_, &why), -EINVAL);
	assert_int_equal(lists_import_commit(import_, 1, &why), -EINVAL);
	assert_int_equal(lists_import_step(import_), -EINVAL);
	lists_import_free(import_);
}

/* --- slices ----------------------------------------------------------------------------------- */

static char *random_csv(unsigned rows, unsigned devices)
{
	static const char *const list[] = {"white", "grey", "black", "black"};
	char *csv = malloc(rows * 64 + 64), *at = csv;

	assert_non_null(csv);
	at += sprintf(at, "imei,list,imsi,tac\n");
	for (unsigned i = 0; i < rows; i++) {
		uint64_t imei = 35000000000000 + draw() % devices * 997;
		unsigned kind = (unsigned)(draw() % 20);

		if (kind == 0)
			at += sprintf(at, "%014llu,,00101%010u,\n", (unsigned long long)imei, (unsigned)(draw() % 50));
		else if (kind == 1)
			at += sprintf(at, ",%s,,%08u\n", list[draw() % 4], 35000000 + (unsigned)(draw() % 20));
		else if (kind < 5)
			at += sprintf(at, "%014llu0%u,%s,,\n", (unsigned long long)imei, (unsigned)(draw() % 8),
				      list[draw() % 4]);
		else
			at += sprintf(at, "%014llu,%s,,\n", (unsigned long long)imei, list[draw() % 4]);
	}
	return csv;
}

static void effects(const struct lists_receipt *r, char text[static 200])
{
	snprintf(text, 200, "rows %llu, +%llu ~%llu -%llu =%llu, black +%llu -%llu", (unsigned long long)r->rows,
		 (unsigned long long)r->added, (unsigned long long)r->changed, (unsigned long long)r->removed,
		 (unsigned long long)r->unchanged, (unsigned long long)r->turned_black,
		 (unsigned long long)r->turned_from_black);
}

/* The same files through slices of every size leave the same lists, and what the check foretold is what the deed did.
 */
static void the_forecast_is_what_happens_in_any_slices(void **state)
{
	static const unsigned slice[] = {200000, 3, 64};
	struct scene *scene = *state;
	char *first = NULL;

	for (unsigned round = 0; round < sizeof(slice) / sizeof(slice[0]); round++) {
		const struct lists_tuning tuning = {
			.slice_rows = slice[round], .run_rows = round ? 50 : 0, .runs_in_memory = round ? 2 : 0};
		char *text;

		drawn = 42;
		scene_close(scene);
		scene_remove(scene->dir);
		assert_true(mkdtemp(strcpy(scene->dir + strlen(scene->dir) - 6, "XXXXXX") - strlen(scene->dir) + 6) !=
			    NULL);
		scene_open(scene);
		lists_tune(scene->lists, &tuning);
		for (unsigned i = 0; i < 9; i++) {
			char *csv = random_csv(i == 4 ? 10 : 150, 100), want[200], got[200];
			const char *source = i % 3 == 2 ? "police" : "gsma";
			struct lists_receipt receipt;
			struct lists_import *checked =
				scene_import_checked(scene, source, (enum lists_mode)(i / 2 % 3), csv);

			lists_import_receipt(checked, &receipt);
			effects(&receipt, want);
			scene_import_accept(scene, checked);
			scene_import_apply(checked);
			lists_import_receipt(checked, &receipt);
			effects(&receipt, got);
			assert_string_equal(got, want);
			lists_import_free(checked);
			free(csv);
		}
		scene_verify_clean(scene);
		text = scene_export(scene, NULL);
		if (first)
			assert_string_equal(text, first);
		else
			first = strdup(text);
		free(text);
	}
	free(first);
}

/* A replacing batch, cut after one step, after two, and so on; each time it is taken up again to its end. */
static void a_batch_that_is_cut_anywhere_goes_on_where_it_was(void **state)
{
	const struct lists_tuning tuning = {.slice_rows = 4};
	struct scene *scene = *state;
	char *csv[2], *cut, *whole;
	unsigned steps = 0;
	int rc;

	drawn = 7;
	csv[0] = random_csv(100, 100);
	csv[1] = random_csv(100, 100);
	import(scene, "gsma", LISTS_MERGE, csv[1], NULL);
	whole = scene_export(scene, NULL);
	do {
		struct lists_import *cutting;

		lists_tune(scene->lists, &tuning);
		import(scene, "gsma", LISTS_REPLACE, csv[0], NULL);
		cutting = scene_import_checked(scene, "gsma", LISTS_REPLACE, csv[1]);
		scene_import_accept(scene, cutting);
		rc = 1;
		for (unsigned i = 0; i < steps && rc == 1; i++)
			rc = lists_import_step(cutting);
		assert_true(rc >= 0);
		lists_import_free(cutting); /* once it is accepted, this does not stop it */
		scene_reopen(scene);
		cutting = lists_import_current(scene->lists);
		assert_int_equal(cutting != NULL, rc == 1);
		if (cutting)
			scene_import_apply(cutting);
		lists_import_free(cutting);
		assert_null(lists_import_current(scene->lists));
		scene_verify_clean(scene);
		cut = scene_export(scene, NULL);
		assert_string_equal(cut, whole);
		free(cut);
		steps++;
	} while (rc == 1);
	assert_true(steps > 15);
	free(whole);
	free(csv[0]);
	free(csv[1]);
}

static void what_was_stored_and_not_accepted_is_forgotten(void **state)
{
	const struct lists_tuning tuning = {.store_bytes = 1};
	struct scene *scene = *state;
	struct lists_import *checked;
	struct lists_receipt receipt;
	struct weir_why why;
	char *csv;

	csv = random_csv(20000, 10000000); /* several chunks */
	lists_tune(scene->lists, &tuning);
	checked = scene_import_checked(scene, "gsma", LISTS_MERGE, csv);
	assert_int_equal(lists_import_commit(checked, 1, &why), 1);
	assert_int_equal(lists_import_commit(checked, 1, &why), 1);
	scene_reopen(scene); /* the process ends here */
	assert_null(lists_import_current(scene->lists));
	scene_verify_clean(scene);
	lists_tune(scene->lists, &tuning);
	checked = scene_import_checked(scene, "gsma", LISTS_MERGE, csv);
	assert_int_equal(lists_import_commit(checked, 1, &why), 1);
	lists_import_free(checked); /* somebody thought better of it */
	scene_verify_clean(scene);
	import(scene, "gsma", LISTS_MERGE, "imei\n35209900176148\n", &receipt);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, WEIR_NO_SVN, 0).device.lists, BLACK);
	assert_int_equal(receipt.serial, 2); /* the source, the batch: what was forgotten was no event */
	free(csv);
}

/* --- beside it -------------------------------------------------------------------------------- */

static void other_sources_go_on_while_a_batch_is_applied(void **state)
{
	const struct lists_tuning tuning = {.slice_rows = 10};
	struct scene *scene = *state;
	struct lists_import *applying;
	struct lists_result result;
	struct register_meta meta;
	unsigned steps = 0, changes = 0;
	char *csv;
	int rc;

	drawn = 3;
	csv = random_csv(200, 80);
	lists_tune(scene->lists, &tuning);
	applying = scene_import_checked(scene, "gsma", LISTS_MERGE, csv);
	scene_import_accept(scene, applying);
	assert_int_equal(register_meta(lists_register(scene->lists), &meta), 0);
	assert_int_equal(meta.serial, 0); /* accepted is not yet in force */
	do {
		uint64_t imei = 35000000000000 + draw() % 80 * 997;

		rc = lists_import_step(applying);
		if (rc != 1)
			break;
		steps++;
		assert_int_equal(scene_change(scene, LISTS_PUT, "gsma", scene_device(imei, WEIR_BLACK, 0), &result),
				 -EBUSY);
		assert_int_equal(scene_change(scene, LISTS_PUT, "police", scene_device(imei, WEIR_BLACK, 0), &result),
				 0);
		changes += result.changed;
		assert_true(scene_ask(scene, imei, WEIR_NO_SVN, 0).device.lists & BLACK);
		if (steps == 3)
			scene_verify_clean(scene); /* in the middle, too */
	} while (true);
	assert_int_equal(rc, 0);
	assert_true(steps > 8);
	lists_import_free(applying);
	scene_verify_clean(scene);
	assert_int_equal(register_meta(lists_register(scene->lists), &meta), 0);
	assert_int_equal(meta.serial, 3 + changes); /* two sources, the batch, the changes */
	free(csv);
}

static void a_turn_and_a_slice_do_not_mix(void **state)
{
	struct scene *scene = *state;
	struct lists_import *checked = scene_import_checked(scene, "gsma", LISTS_MERGE, "imei\n35209900176148\n");
	struct weir_why why;

	assert_int_equal(lists_begin(scene->lists, 1), 0);
	assert_int_equal(lists_import_commit(checked, 1, &why), -EBUSY);
	assert_int_equal(lists_commit(scene->lists), 0);
	scene_import_accept(scene, checked);
	assert_int_equal(lists_rebuild_begin(scene->lists, &why), -EBUSY);
	assert_int_equal(lists_begin(scene->lists, 1), 0);
	assert_int_equal(lists_import_step(checked), -EBUSY);
	assert_int_equal(lists_commit(scene->lists), 0);
	scene_import_apply(checked);
	lists_import_free(checked);
	scene_verify_clean(scene);
}

static void a_register_lost_in_the_middle_of_a_batch_is_made_anew(void **state)
{
	const struct lists_tuning tuning = {.slice_rows = 10};
	struct scene *scene = *state;
	struct lists_import *applying;
	char *csv, command[600];

	drawn = 9;
	csv = random_csv(200, 80);
	lists_tune(scene->lists, &tuning);
	applying = scene_import_checked(scene, "gsma", LISTS_MERGE, csv);
	scene_import_accept(scene, applying);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(lists_import_step(applying), 1);
	scene_close(scene);
	snprintf(command, sizeof(command), "rm -r '%s'/register '%s'/register.*", scene->dir, scene->dir);
	assert_int_equal(system(command), 0);
	scene_open(scene);
	applying = lists_import_current(scene->lists);
	assert_non_null(applying);
	scene_verify_clean(scene);
	scene_import_apply(applying);
	lists_import_free(applying);
	scene_verify_clean(scene);
	free(csv);
}

static void the_small_are_told_by_name_and_the_many_by_a_sweep(void **state)
{
	struct scene *scene = *state;
	char *csv = malloc(LISTS_FLIPS_MAX * 16 + 100), *at = csv;

	import(scene, "gsma", LISTS_MERGE, "imei\n35209900176148\n35209900176149\n", NULL);
	assert_int_equal(scene->sweeps, 0);
	at += sprintf(at, "imei\n");
	for (unsigned i = 0; i < LISTS_FLIPS_MAX + 1; i++)
		at += sprintf(at, "%014u\n", 1000 + i);
	scene->told = 0;
	import(scene, "gsma", LISTS_MERGE, csv, NULL);
	assert_int_equal(scene->sweeps, 1);
	assert_int_equal(scene->told, 1);
	free(csv);
}

/* 10 grey and 10 black versions, of two sources that each would fit. */
static void versions_that_find_no_room_widen_to_the_device(void **state)
{
	struct scene *scene = *state;
	char csv[1000] = "imei,svn,list\n", *at = csv + strlen(csv);

	for (int svn = 0; svn < 10; svn++)
		at += sprintf(at, "35209900176148,%02d,grey\n", svn);
	import(scene, "gsma", LISTS_MERGE, csv, NULL);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 99, 0).device.lists, WEIR_ON_NONE);
	at = csv + sprintf(csv, "imei,svn,list\n");
	for (int svn = 10; svn < 20; svn++)
		at += sprintf(at, "35209900176148,%02d,black\n", svn);
	import(scene, "police", LISTS_MERGE, csv, NULL);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 19, 0).svn.lists, WEIR_ON(WEIR_BLACK));
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 9, 0).svn.lists, WEIR_ON_NONE);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 9, 0).device.lists, WEIR_ON(WEIR_GREY));
	scene_verify_clean(scene);
	at = csv + sprintf(csv, "imei,svn,list\n");
	for (int svn = 50; svn < 60; svn++)
		at += sprintf(at, "35209900176148,%02d,black\n", svn);
	import(scene, "fraud", LISTS_MERGE, csv, NULL);
	assert_int_equal(scene_ask(scene, SCENE_IMEI, 59, 0).device.lists, WEIR_ON(WEIR_BLACK));
	scene_verify_clean(scene);
}

static void what_a_row_shielded_is_named_when_a_file_lacks_it(void **state)
{
	struct scene *scene = *state;

	scene_put(scene, "gsma", scene_range(SCENE_IMEI, SCENE_IMEI + 9, WEIR_BLACK));
	import(scene, "desk", LISTS_REPLACE, "imei,list\n35209900176148,white\n35209900176149,grey\n", NULL);
	assert_true(scene->flip[0] == 0);
	import(scene, "desk", LISTS_REPLACE, "imei,list\n35209900176149,grey\n", NULL);
	assert_int_equal(scene->sweeps, 1); /* the range's */
	assert_true(scene->flip[0] == SCENE_IMEI);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sorted_however_many_runs_they_make),
		cmocka_unit_test(a_spool_gives_back_what_it_took),
		TEST(every_kind_of_row_comes_in_force),
		TEST(equal_repetitions_are_folded_and_others_rejected),
		TEST(merging_adds_and_changes_and_takes_nothing_off),
		TEST(replacing_takes_off_what_the_file_lacks_and_only_its_sources),
		TEST(taking_off_removes_the_files_rows_whatever_their_list),
		TEST(a_dry_run_changes_nothing),
		TEST(one_import_at_a_time),
		TEST(a_file_that_cannot_be_read_is_refused),
		TEST(too_many_rejects_refuse_the_file),
		TEST(a_limit_given_ends_the_reading_early),
		TEST(the_forecast_is_what_happens_in_any_slices),
		TEST(a_batch_that_is_cut_anywhere_goes_on_where_it_was),
		TEST(what_was_stored_and_not_accepted_is_forgotten),
		TEST(other_sources_go_on_while_a_batch_is_applied),
		TEST(a_turn_and_a_slice_do_not_mix),
		TEST(a_register_lost_in_the_middle_of_a_batch_is_made_anew),
		TEST(the_small_are_told_by_name_and_the_many_by_a_sweep),
		TEST(versions_that_find_no_room_widen_to_the_device),
		TEST(what_a_row_shielded_is_named_when_a_file_lacks_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
