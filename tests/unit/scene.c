/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* See the header.  Failures end the test at once: a scene that cannot be set is no test. */

#define _GNU_SOURCE /* nftw's flags */
#include "scene.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "register/register.h"

/* --- setting ---------------------------------------------------------------------------------- */

static void on_flips(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data)
{
	struct scene *scene = data;

	scene->after_serial = after_serial;
	scene->serial = serial;
	scene->n_flips = n;
	for (unsigned i = 0; i < n; i++)
		scene->flip[i] = imeis[i];
	scene->told++;
	scene->sweeps += after_serial == LISTS_SWEEP;
}

void scene_open(struct scene *scene)
{
	struct weir_why why = {{0}};

	if (lists_open(scene->dir, on_flips, scene, &scene->lists, &why) < 0)
		fail_msg("lists_open: %s", why.text);
}

void scene_close(struct scene *scene)
{
	lists_close(scene->lists);
	scene->lists = NULL;
}

void scene_reopen(struct scene *scene)
{
	scene_close(scene);
	scene_open(scene);
}

int scene_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	snprintf(scene->dir, sizeof(scene->dir), "%.200s/weir-keeper.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(scene->dir))
		return -1;
	scene->now_ms = 1000;
	*state = scene;
	scene_open(scene);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scene_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int scene_teardown(void **state)
{
	struct scene *scene = *state;

	scene_close(scene);
	scene_remove(scene->dir);
	free(scene);
	return 0;
}

/* --- rows ------------------------------------------------------------------------------------- */

struct list_row scene_device(uint64_t imei, enum weir_colour colour, enum weir_reason reason)
{
	return (struct list_row){
		.kind = LIST_DEVICE, .from = imei, .to = imei, .svn = WEIR_NO_SVN, .colour = colour, .reason = reason};
}

struct list_row scene_version(uint64_t imei, int svn, enum weir_colour colour)
{
	return (struct list_row){.kind = LIST_DEVICE, .from = imei, .to = imei, .svn = (int8_t)svn, .colour = colour};
}

struct list_row scene_range(uint64_t from, uint64_t to, enum weir_colour colour)
{
	return (struct list_row){.kind = LIST_RANGE, .from = from, .to = to, .svn = WEIR_NO_SVN, .colour = colour};
}

struct list_row scene_pair(uint64_t imei, uint64_t imsi, enum weir_pair_rule rule)
{
	return (struct list_row){.kind = LIST_PAIR,
				 .from = imei,
				 .to = imei,
				 .svn = WEIR_NO_SVN,
				 .imsi = {imsi},
				 .colour = WEIR_UNKNOWN,
				 .rule = rule};
}

/* --- doing ------------------------------------------------------------------------------------ */

int scene_change(struct scene *scene, enum lists_op op, const char *source, struct list_row row,
		 struct lists_result *result)
{
	struct lists_change change = {.op = op, .actor = "uid:1000(alice)", .row = row};
	struct weir_why why = {{0}};
	int rc;

	snprintf(change.source, sizeof(change.source), "%s", source);
	scene->now_ms += 1000;
	assert_int_equal(lists_begin(scene->lists, scene->now_ms), 0);
	rc = lists_change(scene->lists, &change, result, &why);
	assert_int_equal(lists_commit(scene->lists), 0);
	if (rc < 0)
		assert_true(why.text[0]); /* whoever fails says why */
	return rc;
}

static void must_change(struct scene *scene, enum lists_op op, const char *source, struct list_row row)
{
	struct lists_result result;

	assert_int_equal(scene_change(scene, op, source, row, &result), 0);
	assert_true(result.changed);
}

void scene_put(struct scene *scene, const char *source, struct list_row row)
{
	must_change(scene, LISTS_PUT, source, row);
}

void scene_take(struct scene *scene, const char *source, struct list_row row)
{
	must_change(scene, LISTS_REMOVE, source, row);
}

struct weir_facts scene_ask(struct scene *scene, uint64_t imei, int svn, uint64_t imsi)
{
	const struct weir_query query = {.imei = {.key = imei, .svn = (int8_t)svn}, .imsi = {imsi}};
	struct weir_facts facts;

	assert_int_equal(register_lookup(lists_register(scene->lists), &query, &facts, 1), 0);
	return facts;
}

/* --- imports ---------------------------------------------------------------------------------- */

static int import_check(struct scene *scene, const char *source, enum lists_mode mode, const char *csv,
			struct lists_import **import, struct weir_why *why)
{
	struct lists_import_spec spec = {.mode = mode, .actor = "uid:1000(alice)", .defaults = {.colour = WEIR_BLACK}};
	size_t len = strlen(csv);
	int rc;

	snprintf(spec.source, sizeof(spec.source), "%s", source);
	rc = lists_import_begin(scene->lists, &spec, import, why);
	/* in two pieces, so that a row is cut in the middle */
	if (rc == 0)
		rc = lists_import_feed(*import, csv, len / 2, why);
	if (rc == 0)
		rc = lists_import_feed(*import, csv + len / 2, len - len / 2, why);
	if (rc == 0) {
		do
			rc = lists_import_finish(*import, why);
		while (rc == 1);
	}
	return rc;
}

struct lists_import *scene_import_checked(struct scene *scene, const char *source, enum lists_mode mode,
					  const char *csv)
{
	struct lists_import *import = NULL;
	struct weir_why why = {{0}};

	if (import_check(scene, source, mode, csv, &import, &why) < 0)
		fail_msg("import: %s", why.text);
	return import;
}

void scene_import_accept(struct scene *scene, struct lists_import *import)
{
	struct weir_why why = {{0}};
	int rc;

	scene->now_ms += 1000;
	do
		rc = lists_import_commit(import, scene->now_ms, &why);
	while (rc == 1);
	if (rc < 0)
		fail_msg("import: %s", why.text);
}

void scene_import_apply(struct lists_import *import)
{
	int rc;

	do
		rc = lists_import_step(import);
	while (rc == 1);
	assert_int_equal(rc, 0);
}

int scene_import(struct scene *scene, const char *source, enum lists_mode mode, const char *csv,
		 struct lists_receipt *receipt, struct weir_why *why)
{
	struct lists_import *import = NULL;
	int rc = import_check(scene, source, mode, csv, &import, why);

	if (rc == 0) {
		scene_import_accept(scene, import);
		scene_import_apply(import);
	}
	if (import && receipt)
		lists_import_receipt(import, receipt);
	lists_import_free(import);
	return rc;
}

/* --- seeing ----------------------------------------------------------------------------------- */

struct transcript {
	FILE *file;
	char *text;
	size_t size;
};

static void on_finding(const char *sentence, void *data)
{
	fprintf(((struct transcript *)data)->file, "%s\n", sentence);
}

char *scene_verify(struct scene *scene)
{
	struct transcript transcript = {0};
	struct lists_verify *verify;
	int rc;

	transcript.file = open_memstream(&transcript.text, &transcript.size);
	verify = lists_verify_alloc(scene->lists, on_finding, &transcript);
	assert_non_null(verify);
	do
		rc = lists_verify_step(verify);
	while (rc == 1);
	lists_verify_free(verify);
	fclose(transcript.file);
	return transcript.text;
}

void scene_verify_clean(struct scene *scene)
{
	char *findings = scene_verify(scene);

	assert_string_equal(findings, "");
	free(findings);
}

static int on_entry(const struct weir_entry *entry, const char *source, void *data)
{
	char line[LIST_ROW_TEXT];

	assert_true(list_row_print(&entry->row, source, line, sizeof(line)) > 0);
	fputs(line, ((struct transcript *)data)->file);
	return 0;
}

char *scene_export(struct scene *scene, const char *source)
{
	struct transcript transcript = {0};
	struct lists_place place = {{0}, 0, 0};
	int rc;

	transcript.file = open_memstream(&transcript.text, &transcript.size);
	do
		rc = lists_export(scene->lists, source, &place, 3, on_entry, &transcript);
	while (rc == 1);
	assert_int_equal(rc, 0);
	fclose(transcript.file);
	return transcript.text;
}
