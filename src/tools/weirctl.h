/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl: what its files share.  A verb is a row of the table in weirctl.c: help, parsing and calling come from it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit status; scripts rely on them, --help prints them. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_USAGE = 1,
	CTL_REFUSED = 2,
	CTL_UNREACHABLE = 3,
	CTL_BLACK = 4,
	CTL_GREY = 5,
	CTL_FINDINGS = 6,
	CTL_LOCAL = 7,
	CTL_N_EXITS
};

struct ctl {
	const char *state_dir;
	char socket[108]; /* as long as a UNIX socket's path can be */
	bool json;
	const char *needs; /* of the verb that runs */
};

#define CTL_ARGS_MAX    4
#define CTL_OPTIONS_MAX 8

struct ctl_option {
	const char *name;  /* "source": given as --source NAME or --source=NAME */
	const char *value; /* "NAME"; NULL: a switch */
	const char *help;
};

struct ctl_call;

struct ctl_verb {
	const char *name, *args;
	unsigned min_args, max_args;
	int (*run)(const struct ctl_call *call);
	const char *needs; /* members of its answer: "serial" and the like, blanks between; NULL: it looks itself */
	const char *sentence;
	struct ctl_option option[CTL_OPTIONS_MAX];
};

/* A verb as it was typed. */
struct ctl_call {
	const struct ctl *ctl;
	const struct ctl_verb *verb;
	const char *arg[CTL_ARGS_MAX];
	unsigned n_args;
	const char *value[CTL_OPTIONS_MAX]; /* beside verb->option; "" for a switch; NULL: not given */
};

/* NULL: not given. */
const char *ctl_option(const struct ctl_call *call, const char *name);
const char *ctl_option_or(const struct ctl_call *call, const char *name, const char *otherwise);
/* "weirctl: ..." on stderr; returns status. */
int ctl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- verbs ------------------------------------------------------------------------------------------------------ */

int ctl_import(const struct ctl_call *call); /* weirctl_import.c */
int ctl_export(const struct ctl_call *call); /* weirctl_export.c */
int ctl_block(const struct ctl_call *call);  /* weirctl_change.c */
int ctl_unblock(const struct ctl_call *call);
int ctl_pair(const struct ctl_call *call);
int ctl_range(const struct ctl_call *call);
int ctl_tac(const struct ctl_call *call);
int ctl_source(const struct ctl_call *call);
int ctl_check(const struct ctl_call *call); /* weirctl_ask.c */
int ctl_show(const struct ctl_call *call);
int ctl_history(const struct ctl_call *call);
int ctl_sources(const struct ctl_call *call);
int ctl_status(const struct ctl_call *call);
int ctl_verify(const struct ctl_call *call); /* weirctl_care.c */
int ctl_rebuild(const struct ctl_call *call);

/* --- tables (weirctl_table.c) ----------------------------------------------------------------------------------- */

struct ctl_table {
	unsigned columns, rows;
	char **cell;
};
/* A row of table->columns strings (NULL prints as "-").  Out of memory ends the program. */
void ctl_table_add(struct ctl_table *table, ...);
/* Aligned, two spaces between, each line after indent. */
void ctl_table_print(struct ctl_table *table, const char *indent); /* and empties it */

/* What is at a path of members, "verdict.colour"; never NULL: "" where it is not there. */
const char *ctl_text(const json_t *value, const char *path);
json_int_t ctl_number(const json_t *value, const char *path);
const json_t *ctl_at(const json_t *value, const char *path);
/* A number as text, good until the eighth call after. */
const char *ctl_number_text(const json_t *value, const char *path);
/* ["white","black"] as "white+black", "none" for none. */
const char *ctl_lists_text(const json_t *array);
