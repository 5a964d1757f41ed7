/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* POST /v1/sources/{source}/import: a CSV streamed in, checked whole, then accepted and applied.
 *
 * A client that leaves before the file was checked leaves nothing behind.  From acceptance on the import goes on
 * without its client.  The answer waits until it is in force. */
#include "keeper/api.h"

#include <osmocom/core/logging.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "keeper/api_job.h"
#include "keeper/api_json.h"
#include "keeper/main.h"

#define REJECTS_TOLD 1000
#define STUCK_US     10000000 /* so long an import may stand still before its client is told */

enum stage {
	READING,
	CHECKING,
	ACCEPTING,
	APPLYING
};

struct api_import {
	struct api_jobs *jobs;
	struct http_request *request; /* NULL: nobody waits */
	struct lists_import *import;
	struct lists_import_spec spec;
	struct api_slicer slicer;
	enum stage stage;
	bool dry_run, resumed;
	int64_t stuck_us; /* since when it cannot go on; 0: it does */
	bool no_rejects; /* max_rejects=0: lists.h has its default there */
};

static const char *const mode_names[] = {
	[LISTS_MERGE] = "merge",
	[LISTS_REPLACE] = "replace",
	[LISTS_TAKE_OFF] = "take-off",
};

/* --- what the query says ---------------------------------------------------------------------------------------- */

static bool read_word(const char *text, const char *const *names, unsigned n, int *value)
{
	for (unsigned i = 0; i < n; i++) {
		if (!strcmp(names[i], text)) {
			*value = (int)i;
			return true;
		}
	}
	return false;
}

static bool read_flag(const char *text, bool *flag)
{
	static const char *const names[] = {"0", "1"};
	int value;

	if (!read_word(text, names, 2, &value))
		return false;
	*flag = value;
	return true;
}

static bool read_count(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* One member of the query; NULL, or what it should have been. */
static const char *read_setting(struct api_import *job, const char *name, const char *text)
{
	struct lists_import_spec *spec = &job->spec;
	int value;

	if (!strcmp(name, "mode")) {
		if (!read_word(text, mode_names, 3, &value))
			return "mode must be merge, replace or take-off";
		spec->mode = (enum lists_mode)value;
	} else if (!strcmp(name, "list")) {
		value = colour_from_name(text);
		if (value < 0 || value == WEIR_UNKNOWN)
			return "list must be white, grey or black";
		spec->defaults.colour = (enum weir_colour)value;
	} else if (!strcmp(name, "reason")) {
		value = reason_from_name(text);
		if (value < 0)
			return "reason must be a reason such as stolen or lost";
		spec->defaults.reason = (uint16_t)value;
	} else if (!strcmp(name, "dry_run")) {
		return read_flag(text, &job->dry_run) ? NULL : "dry_run must be 0 or 1";
	} else if (!strcmp(name, "strict")) {
		return read_flag(text, &spec->defaults.strict_check_digit) ? NULL : "strict must be 0 or 1";
	} else if (!strcmp(name, "max_rejects")) {
		if (!read_count(text, &spec->max_rejects))
			return "max_rejects must be a number, 18446744073709551615 at most";
		job->no_rejects = spec->max_rejects == 0;
	} else {
		return "only mode, list, reason, dry_run, strict and max_rejects are known here";
	}
	return NULL;
}

static bool read_settings(struct http_request *request, struct api_import *job)
{
	const struct http_target *target = http_target(request);
	const char *source = target->segment[2], *fault = NULL;

	job->spec.defaults.colour = WEIR_BLACK;
	for (unsigned i = 0; i < target->n_queries && !fault; i++)
		fault = read_setting(job, target->query[i].name, target->query[i].value);
	if (fault) {
		api_problem(request, 422, "query", fault);
		return false;
	}
	if (strlen(source) > LEDGER_NAME_MAX || !api_source_exists(job->jobs->keeper, source)) {
		api_problem(request, 404, "no-such-source",
			    "there is no source of that name; PUT /v1/sources/NAME "
			    "makes one");
		return false;
	}
	snprintf(job->spec.source, sizeof(job->spec.source), "%s", source);
	snprintf(job->spec.actor, sizeof(job->spec.actor), "%s", http_peer(request)->actor);
	return true;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

/* The job is over: its import forgotten or done, its client answered before. */
static void job_free(struct api_import *job)
{
	api_slicer_stop(&job->slicer);
	if (job->request)
		*http_data(job->request) = NULL;
	if (job->jobs->import == job)
		job->jobs->import = NULL;
	if (job->import)
		lists_import_free(job->import);
	free(job);
}

static json_t *receipt_json(const struct api_import *job, bool in_force)
{
	struct lists_receipt receipt;
	const struct list_reject *rejects;
	unsigned n = lists_import_rejects(job->import, &rejects);
	json_t *value, *array = json_array();

	lists_import_receipt(job->import, &receipt);
	value = api_json_receipt(&receipt);
	json_object_set_new(value, "source", json_string(job->spec.source));
	json_object_set_new(value, "mode", json_string(mode_names[job->spec.mode]));
	json_object_set_new(value, "dry_run", json_boolean(job->dry_run));
	json_object_set_new(value, "in_force", json_boolean(in_force));
	for (unsigned i = 0; i < n && i < REJECTS_TOLD; i++)
		json_array_append_new(array, api_json_reject(&rejects[i]));
	json_object_set_new(value, "rejects_whole",
			    json_boolean(receipt.rejected + receipt.remarks <= json_array_size(array)));
	json_object_set_new(value, "rejects", array);
	return value;
}

static void count_import(struct api_import *job, bool accepted)
{
	struct api_job_stats *stats = &job->jobs->stats;
	struct lists_receipt receipt;

	lists_import_receipt(job->import, &receipt);
	stats->rejects += receipt.rejected;
	if (!accepted) {
		stats->imports_refused++;
		return;
	}
	stats->imports++;
	stats->rows += receipt.rows;
	if (job->resumed) { /* whose it was, the ledger knows */
		LOGP(DLISTS, LOGL_NOTICE, "the import that was resumed is in force\n");
		return;
	}
	LOGP(DLISTS, LOGL_NOTICE, "import into source %s by %s in force: %llu rows, %llu rejected, serial %llu\n",
	     job->spec.source, job->spec.actor, (unsigned long long)receipt.rows, (unsigned long long)receipt.rejected,
	     (unsigned long long)receipt.serial);
}

static void job_refused(struct api_import *job, int err, const struct weir_why *why)
{
	if (job->request && (err == -EINVAL || err == -E2BIG))
		api_answer_problem(job->request, 422, err == -E2BIG ? "too-many-rejects" : "unreadable", why->text,
				   json_pack("{s:o}", "receipt", receipt_json(job, false)));
	else if (job->request)
		api_problem_of(job->request, err, why);
	count_import(job, false);
	job_free(job);
}

static void job_done(struct api_import *job, bool in_force)
{
	if (in_force)
		count_import(job, true);
	if (job->request)
		api_answer(job->request, 200, receipt_json(job, in_force));
	job_free(job);
}

/* Where not one row may be rejected: is there one?  Then the import is refused. */
static bool has_forbidden_reject(struct api_import *job)
{
	struct lists_receipt receipt;
	struct weir_why why = {0};

	if (!job->no_rejects)
		return false;
	lists_import_receipt(job->import, &receipt);
	if (!receipt.rejected)
		return false;
	job_refused(job, why_set(&why, -E2BIG, "%llu rows are rejected, none is allowed (max_rejects=0)",
				 (unsigned long long)receipt.rejected),
		    &why);
	return true;
}

/* --- the slices ------------------------------------------------------------------------------------------------- */

static enum api_slice check_step(struct api_import *job)
{
	struct weir_why why = {0};
	int rc = lists_import_finish(job->import, &why);

	if (rc > 0)
		return API_SLICE_MORE;
	if (rc < 0) {
		job_refused(job, rc, &why);
		return API_SLICE_DONE;
	}
	if (has_forbidden_reject(job))
		return API_SLICE_DONE;
	if (job->dry_run || (job->request && http_hung_up(job->request))) {
		job_done(job, false);
		return API_SLICE_DONE;
	}
	job->stage = ACCEPTING;
	return API_SLICE_MORE;
}

static enum api_slice accept_step(struct api_import *job)
{
	struct weir_why why = {0};
	int rc = lists_import_commit(job->import, daemon_now_ms(), &why);

	if (rc < 0) {
		job_refused(job, rc, &why);
		return API_SLICE_DONE;
	}
	if (rc == 0)
		job->stage = APPLYING;
	return API_SLICE_MORE;
}

/* 202: accepted, and it cannot go on now.  From here on nobody waits for it. */
static void answer_stuck(struct api_import *job)
{
	json_t *value = receipt_json(job, false);
	uint64_t done, total;
	const char *phase = lists_import_phase(job->import, &done, &total);

	json_object_set_new(value, "phase", json_string(phase));
	json_object_set_new(value, "done", json_integer((json_int_t)done));
	json_object_set_new(value, "total", json_integer((json_int_t)total));
	json_object_set_new(value, "detail",
			    json_string("the import is accepted and cannot go on now: the store cannot be written (is "
					"the disk full?); it goes on by itself when it can"));
	*http_data(job->request) = NULL;
	api_answer(job->request, 202, value);
	job->request = NULL;
}

/* Another try in a moment; says so once in the log, and to the client when it takes long. */
static enum api_slice stuck(struct api_import *job, int err)
{
	int64_t now = daemon_mono_us();

	if (!job->stuck_us) {
		job->stuck_us = now;
		LOGP(DLISTS, LOGL_ERROR, "the import into %s cannot go on: %s; it is tried again and again\n",
		     job->resumed ? "a list" : job->spec.source, strerror(-err));
	}
	if (job->request && now - job->stuck_us > STUCK_US)
		answer_stuck(job);
	return API_SLICE_LATER;
}

static enum api_slice apply_step(struct api_import *job)
{
	int rc = lists_import_step(job->import);

	if (rc < 0)
		return stuck(job, rc);
	if (job->stuck_us)
		LOGP(DLISTS, LOGL_NOTICE, "the import into %s goes on\n",
		     job->resumed ? "a list" : job->spec.source);
	job->stuck_us = 0;
	if (rc > 0)
		return API_SLICE_MORE;
	job_done(job, true);
	return API_SLICE_DONE;
}

static enum api_slice job_step(void *data)
{
	struct api_import *job = data;

	switch (job->stage) {
	case CHECKING:
		return check_step(job);
	case ACCEPTING:
		return accept_step(job);
	case APPLYING:
		return apply_step(job);
	default:
		return API_SLICE_DONE;
	}
}

/* --- the request ------------------------------------------------------------------------------------------------ */

static struct api_import *job_alloc(struct api_jobs *jobs, struct http_request *request)
{
	struct api_import *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->jobs = jobs;
	job->request = request;
	jobs->import = job;
	if (request)
		*http_data(request) = job;
	return job;
}

void api_import_begin(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct api_jobs *jobs = keeper->jobs;
	struct weir_why why = {0};
	struct api_import *job;
	int rc;

	if (jobs->import || jobs->rebuild) {
		api_problem(request, 409, "import-running",
			    "another import or a rebuild is under way; wait for its end");
		return;
	}
	job = job_alloc(jobs, request);
	if (!job) {
		api_problem_of(request, -ENOMEM, NULL);
		return;
	}
	if (!read_settings(request, job)) {
		job_free(job);
		return;
	}
	rc = lists_import_begin(keeper->lists, &job->spec, &job->import, &why);
	if (rc < 0) {
		if (rc == -EBUSY)
			api_problem(request, 409, "import-running", why.text);
		else
			api_problem_of(request, rc, &why);
		job_free(job);
	}
}

void api_import_body(struct http_request *request, const void *bytes, size_t len)
{
	struct api_import *job = *http_data(request);
	struct weir_why why = {0};
	int rc = lists_import_feed(job->import, bytes, len, &why);

	if (rc < 0)
		job_refused(job, rc, &why);
	else
		has_forbidden_reject(job);
}

void api_import_handle(struct http_request *request)
{
	struct api_import *job = *http_data(request);

	job->stage = CHECKING;
	api_slicer_start(&job->slicer, job_step, job);
}

void api_import_gone(struct http_request *request)
{
	struct api_import *job = *http_data(request);

	if (!job)
		return;
	if (job->stage == READING) {
		LOGP(DLISTS, LOGL_NOTICE,
		     "import into source %s by %s: the client left in the middle, nothing was changed\n",
		     job->spec.source, job->spec.actor);
		job_free(job);
		return;
	}
	job->request = NULL;
}

void api_import_resume(struct api_jobs *jobs, struct lists_import *import)
{
	struct api_import *job = job_alloc(jobs, NULL);

	if (!job)
		return;
	LOGP(DLISTS, LOGL_NOTICE, "an import that was accepted before the last end is being applied\n");
	job->import = import;
	job->resumed = true;
	job->stage = APPLYING;
	api_slicer_start(&job->slicer, job_step, job);
}

void api_import_forget(struct api_import *job)
{
	if (job->stage == APPLYING)
		job->import = NULL; /* the ledger has it; lists_close frees what is in memory */
	job_free(job);
}

bool api_import_state(const struct api_jobs *jobs, struct api_import_state *state)
{
	const struct api_import *job = jobs->import;

	memset(state, 0, sizeof(*state));
	if (!job || !job->import)
		return false;
	memcpy(state->source, job->spec.source, sizeof(state->source));
	state->phase = lists_import_phase(job->import, &state->done, &state->total);
	state->dry_run = job->dry_run;
	state->resumed = job->resumed;
	return true;
}

void api_get_import(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct api_import_state state;

	if (!api_import_state(keeper->jobs, &state)) {
		api_answer(request, 200, json_pack("{s:b}", "running", 0));
		return;
	}
	api_answer(request, 200,
		   json_pack("{s:b, s:s, s:s, s:I, s:I, s:b, s:b}", "running", 1, "source", state.source, "phase",
			     state.phase, "done", (json_int_t)state.done, "total", (json_int_t)state.total, "dry_run",
			     (int)state.dry_run, "resumed", (int)state.resumed));
}
