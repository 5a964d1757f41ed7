/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The scene of the keeper's tests: a state directory of its own, lists in it, and short ways to say what the tests say
 * often. Time is moved by hand (scene->now_ms). */
#pragma once

#include "keeper/lists.h"

#define SCENE_IMEI UINT64_C(35209900176148)
#define SCENE_IMSI UINT64_C(1001010000000001) /* packed: a 1 before 001010000000001 */

struct scene {
	char dir[256];
	struct lists *lists;
	int64_t now_ms;
	/* what the flips callback was told last, and how often */
	uint64_t after_serial, serial, flip[LISTS_FLIPS_MAX];
	unsigned n_flips, told, sweeps;
};

int scene_setup(void **state);    /* makes the directory and opens the lists */
int scene_teardown(void **state); /* closes and removes everything */
void scene_open(struct scene *scene);
void scene_close(struct scene *scene);
void scene_reopen(struct scene *scene);
void scene_remove(const char *dir); /* a directory and all in it */

/* Rows. */
struct list_row scene_device(uint64_t imei, enum weir_colour colour, enum weir_reason reason);
struct list_row scene_version(uint64_t imei, int svn, enum weir_colour colour);
struct list_row scene_range(uint64_t from, uint64_t to, enum weir_colour colour);
struct list_row scene_pair(uint64_t imei, uint64_t imsi, enum weir_pair_rule rule);

/* One change in a turn of its own, committed. Returns lists_change's answer. */
int scene_change(struct scene *scene, enum lists_op op, const char *source, struct list_row row,
		 struct lists_result *result);
/* The same, which must succeed and change something. */
void scene_put(struct scene *scene, const char *source, struct list_row row);
void scene_take(struct scene *scene, const char *source, struct list_row row);

/* What the register says. */
struct weir_facts scene_ask(struct scene *scene, uint64_t imei, int svn, uint64_t imsi);

/* A whole import of a text, to its end.  Returns the first error of any step; why may be NULL. */
int scene_import(struct scene *scene, const char *source, enum lists_mode mode, const char *csv,
		 struct lists_receipt *receipt, struct weir_why *why);
/* Feed and finish only. */
struct lists_import *scene_import_checked(struct scene *scene, const char *source, enum lists_mode mode,
					  const char *csv);
void scene_import_accept(struct scene *scene, struct lists_import *import);
void scene_import_apply(struct lists_import *import);

/* Everything verify has to say, one sentence a line; "" is what is wanted.  The caller frees. */
char *scene_verify(struct scene *scene);
void scene_verify_clean(struct scene *scene);

/* A transcript of the lists as they stand: export of all, one row of CSV a line with its source.  The caller frees. */
char *scene_export(struct scene *scene, const char *source);
