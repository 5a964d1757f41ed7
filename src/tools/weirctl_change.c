/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl block, unblock, pair, tac, range, source: one change each. */
#define _GNU_SOURCE /* asprintf */
#include "tools/weirctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/weirctl_http.h"

static const char *source_of(const struct ctl_call *call)
{
	return ctl_option_or(call, "source", "local");
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

/* The path with a query of one option behind it; takes path. */
static char *with_query(char *path, const char *name, const char *value)
{
	char *longer = NULL;

	if (path && asprintf(&longer, "%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', name, value) < 0)
		longer = NULL;
	free(path);
	return longer;
}

/* With ?check=ignore where --force was given; takes path. */
static char *forced(const struct ctl_call *call, char *path)
{
	return ctl_option(call, "force") ? with_query(path, "check", "ignore") : path;
}

/* A device's path, with ?svn=NN where --svn was given. */
static char *device_path(const struct ctl_call *call)
{
	char *path = ctl_path("/v1/sources/%/devices/%", source_of(call), call->arg[0]), *value;

	if (!ctl_option(call, "svn"))
		return path;
	value = ctl_path("%", ctl_option(call, "svn")); /* as a query needs it escaped, too */
	path = value ? with_query(path, "svn", value) : path;
	free(value);
	return path;
}

static int say_result(const struct ctl_call *call, const struct ctl_answer *answer, const char *what, bool put)
{
	const json_t *result = answer->json;
	const char *before = ctl_text(result, "before"), *after = ctl_text(result, "after");
	static const char now[] = "in force", later[] = "recorded; in force when the register has caught up";
	const char *force = json_is_false(ctl_at(result, "in_force")) ? later : now;
	json_int_t others = ctl_number(result, "others");

	if (call->ctl->json) {
		puts(answer->text);
		return CTL_OK;
	}
	if (json_is_true(ctl_at(result, "changed")))
		printf("%s: %s %s, %s (serial %s)", what, put ? "listed by" : "taken off by", source_of(call), force,
		       ctl_number_text(result, "serial"));
	else
		printf("%s: %s %s; nothing to change%s%s", what, put ? "was so already with" : "was not listed by",
		       source_of(call), force == now ? "" : "; ", force == now ? "" : force);
	if (!strcmp(ctl_text(result, "entry.kind"), "device"))
		printf("; own entries: %s%s%s", before, strcmp(before, after) ? " -> " : "",
		       strcmp(before, after) ? after : "");
	putchar('\n');
	if (!put && others)
		printf("%lld other source%s it: weirctl show %s\n", (long long)others,
		       others == 1 ? " still lists" : "s still list", what);
	return CTL_OK;
}

static void offer_correction(const struct ctl_answer *answer)
{
	if (!strcmp(ctl_text(answer->json, "code"), "check-digit"))
		fprintf(stderr, "weirctl: give %s if the rest is right; --force takes the number as it was typed\n",
			ctl_text(answer->json, "correction"));
}

/* Takes path and body. */
static int change(const struct ctl_call *call, const char *method, char *path, json_t *body, const char *what)
{
	struct ctl_answer answer;
	int rc;

	if (!path)
		return ctl_fail(CTL_LOCAL, "out of memory");
	rc = ctl_request(call->ctl, method, path, body, &answer);
	if (rc == CTL_OK)
		rc = say_result(call, &answer, *ctl_text(answer.json, "imei") ? ctl_text(answer.json, "imei") : what,
				*method == 'P');
	else if (rc == CTL_REFUSED)
		offer_correction(&answer);
	ctl_answer_free(&answer);
	json_decref(body);
	free(path);
	return rc;
}

static json_t *listing(const struct ctl_call *call)
{
	json_t *body = json_object();

	set_text(body, "list", ctl_option(call, "list"));
	set_text(body, "reason", ctl_option(call, "reason"));
	return body;
}

int ctl_block(const struct ctl_call *call)
{
	return change(call, "PUT", forced(call, device_path(call)), listing(call), call->arg[0]);
}

int ctl_unblock(const struct ctl_call *call)
{
	return change(call, "DELETE", device_path(call), NULL, call->arg[0]);
}

int ctl_pair(const struct ctl_call *call)
{
	char *path = ctl_path("/v1/sources/%/pairs/%/%", source_of(call), call->arg[1], call->arg[2]);
	json_t *body;

	if (!strcmp(call->arg[0], "remove"))
		return change(call, "DELETE", path, NULL, call->arg[1]);
	body = json_object();
	set_text(body, "pair", call->arg[0]);
	set_text(body, "reason", ctl_option(call, "reason"));
	return change(call, "PUT", forced(call, path), body, call->arg[1]);
}

/* put or remove at a path; takes path. */
static int put_or_remove(const struct ctl_call *call, char *path, const char *what)
{
	if (!strcmp(call->arg[0], "put"))
		return change(call, "PUT", path, listing(call), what);
	if (!strcmp(call->arg[0], "remove"))
		return change(call, "DELETE", path, NULL, what);
	free(path);
	return ctl_fail(CTL_USAGE, "%s: put or remove, not %s", call->verb->name, call->arg[0]);
}

int ctl_tac(const struct ctl_call *call)
{
	return put_or_remove(call, ctl_path("/v1/sources/%/tacs/%", source_of(call), call->arg[1]), call->arg[1]);
}

int ctl_range(const struct ctl_call *call)
{
	char what[64];

	snprintf(what, sizeof(what), "%.24s-%.24s", call->arg[1], call->arg[2]);
	return put_or_remove(call, ctl_path("/v1/sources/%/ranges/%", source_of(call), what), what);
}

int ctl_source(const struct ctl_call *call)
{
	char *path = ctl_path("/v1/sources/%", call->arg[0]);
	struct ctl_answer answer;
	int rc = ctl_request(call->ctl, "PUT", path, NULL, &answer);

	if (rc == CTL_OK && call->ctl->json)
		puts(answer.text);
	else if (rc == CTL_OK)
		printf("source %s: %s\n", call->arg[0],
		       json_is_true(ctl_at(answer.json, "made")) ? "made" : "was there already");
	ctl_answer_free(&answer);
	free(path);
	return rc;
}
