/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* POST /v1/verify: check ledger and register, findings as they are found (NDJSON where the client accepts it, one
 * document else).  POST /v1/rebuild: the register anew from the entries. */
#include "keeper/api.h"

#include <osmocom/core/logging.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "keeper/api_job.h"
#include "keeper/api_json.h"
#include "keeper/main.h"
#include "register/register.h"

#define NDJSON        "application/x-ndjson"
#define PROGRESS_US   250000
#define TEXT_HIGH     (1u << 20) /* a reader this far behind is waited for */
#define FINDINGS_TOLD 1000

/* --- verify ----------------------------------------------------------------------------------------------------- */

struct verify {
	struct api_jobs *jobs;
	struct http_request *request;
	struct lists_verify *verify;
	struct api_slicer slicer;
	uint64_t generation; /* of the register that is verified */
	bool streams, ended;
	json_t *findings; /* where it does not stream */
	uint64_t n_findings;
	struct daemon_text text; /* what the client has not read yet */
	size_t at;
	long long told_us;
};

/* Takes value. */
static void say(struct verify *job, json_t *value)
{
	char *line = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(value);
	daemon_text_add(&job->text, "%s\n", line ? line : "{}");
	free(line);
	http_wake(job->request);
}

static void finding_cb(const char *sentence, void *data)
{
	struct verify *job = data;

	job->jobs->stats.findings++;
	if (++job->n_findings <= FINDINGS_TOLD)
		LOGP(DLISTS, LOGL_ERROR, "verify: %s\n", sentence);
	if (job->streams)
		say(job, json_pack("{s:s}", "finding", sentence));
	else if (job->n_findings <= FINDINGS_TOLD)
		json_array_append_new(job->findings, json_string(sentence));
}

static json_t *result_json(const struct verify *job, int rc)
{
	return json_pack("{s:b, s:b, s:I}", "whole", rc == 0, "clean", rc == 0 && !job->n_findings, "findings",
			 (json_int_t)job->n_findings);
}

static void verify_end(struct verify *job, int rc)
{
	json_t *value;

	job->ended = true;
	if (rc < 0 && rc != -ECANCELED)
		finding_cb("verification could not go on: the store failed", job);
	if (job->streams) {
		say(job, json_pack("{s:o}", "result", result_json(job, rc)));
		return;
	}
	value = result_json(job, rc);
	json_object_set(value, "sentences", job->findings);
	api_answer(job->request, 200, value);
}

static void tell_progress(struct verify *job)
{
	long long now = daemon_mono_us();
	uint64_t done, total;

	if (!job->streams || now - job->told_us < PROGRESS_US)
		return;
	job->told_us = now;
	lists_verify_progress(job->verify, &done, &total);
	say(job, json_pack("{s:{s:I, s:I}}", "progress", "done", (json_int_t)done, "total", (json_int_t)total));
}

/* Of the register as it is now; 0 where there is none. */
static uint64_t generation_of(const struct verify *job)
{
	struct weir_register *reg = lists_register(job->jobs->keeper->lists);
	struct register_meta meta;

	return reg && register_meta(reg, &meta) == 0 ? meta.generation : 0;
}

/* A rebuild replaces the register under our hands, and what is half compared with the old one is nothing wrong. Begins
 * again when the new one is there. */
static enum api_slice verify_again(struct verify *job)
{
	lists_verify_free(job->verify);
	job->verify = NULL;
	if (job->jobs->rebuild)
		return API_SLICE_LATER;
	job->generation = generation_of(job);
	job->verify = lists_verify_alloc(job->jobs->keeper->lists, finding_cb, job);
	if (job->verify)
		return API_SLICE_MORE;
	verify_end(job, -ENOMEM);
	return API_SLICE_DONE;
}

static enum api_slice verify_step(void *data)
{
	struct verify *job = data;
	int rc;

	if (job->text.len - job->at > TEXT_HIGH)
		return API_SLICE_LATER;
	if (!job->streams && http_hung_up(job->request)) {
		verify_end(job, -ECANCELED);
		return API_SLICE_DONE;
	}
	if (!job->verify || job->jobs->rebuild || job->generation != generation_of(job))
		return verify_again(job);
	rc = lists_verify_step(job->verify);
	if (rc == -EBUSY)
		return API_SLICE_LATER;
	if (rc > 0) {
		tell_progress(job);
		return API_SLICE_MORE;
	}
	verify_end(job, rc);
	return API_SLICE_DONE;
}

static ssize_t verify_next(struct http_request *request, char *buf, size_t size)
{
	struct verify *job = *http_data(request);
	size_t some = job->text.len - job->at;

	if (job->text.failed)
		return HTTP_STREAM_BROKEN;
	if (!some)
		return job->ended ? HTTP_STREAM_END : HTTP_STREAM_WAIT;
	if (some > size)
		some = size;
	memcpy(buf, job->text.text + job->at, some);
	job->at += some;
	if (job->at == job->text.len) {
		daemon_text_free(&job->text);
		memset(&job->text, 0, sizeof(job->text));
		job->at = 0;
	}
	return (ssize_t)some;
}

void api_verify(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct verify *job;

	if (keeper->jobs->rebuild) {
		api_problem(request, 409, "busy", "a rebuild is under way; verify when it is done");
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		api_problem_of(request, -ENOMEM, NULL);
		return;
	}
	*http_data(request) = job;
	job->jobs = keeper->jobs;
	job->request = request;
	job->streams = http_accepts(request, NDJSON);
	job->findings = json_array();
	job->generation = generation_of(job);
	job->verify = lists_verify_alloc(keeper->lists, finding_cb, job);
	if (!job->verify) {
		api_problem_of(request, -ENOMEM, NULL);
		return;
	}
	keeper->jobs->stats.verifies++;
	if (job->streams)
		http_answer_stream(request, 200, NDJSON, verify_next);
	api_slicer_start(&job->slicer, verify_step, job);
}

void api_verify_gone(struct http_request *request)
{
	struct verify *job = *http_data(request);

	if (!job)
		return;
	api_slicer_stop(&job->slicer);
	if (job->verify)
		lists_verify_free(job->verify);
	json_decref(job->findings);
	daemon_text_free(&job->text);
	free(job);
}

/* --- rebuild ---------------------------------------------------------------------------------------------------- */

struct api_rebuild {
	struct api_jobs *jobs;
	struct http_request *request; /* NULL: nobody waits any more */
	struct api_slicer slicer;
};

static enum api_slice rebuild_step(void *data)
{
	struct api_rebuild *job = data;
	int rc = lists_rebuild_step(job->jobs->keeper->lists);

	if (rc > 0)
		return API_SLICE_MORE;
	if (job->request) {
		if (rc < 0)
			api_problem_of(job->request, rc, NULL);
		else
			api_answer(job->request, 200, json_pack("{s:b}", "rebuilt", 1));
	}
	if (rc == 0)
		LOGP(DLISTS, LOGL_NOTICE, "the register was made anew\n");
	else
		LOGP(DLISTS, LOGL_ERROR, "the register could not be made anew: %s\n", strerror(-rc));
	api_rebuild_forget(job);
	return API_SLICE_DONE;
}

void api_rebuild(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct weir_why why = {0};
	struct api_rebuild *job;
	int rc;

	if (keeper->jobs->import || keeper->jobs->rebuild) {
		api_problem(request, 409, "import-running",
			    "an import or another rebuild is under way; wait for its end");
		return;
	}
	job = calloc(1, sizeof(*job));
	rc = job ? lists_rebuild_begin(keeper->lists, &why) : -ENOMEM;
	if (rc < 0) {
		free(job);
		api_problem_of(request, rc, &why);
		return;
	}
	job->jobs = keeper->jobs;
	job->request = request;
	keeper->jobs->rebuild = job;
	keeper->jobs->stats.rebuilds++;
	*http_data(request) = job;
	api_slicer_start(&job->slicer, rebuild_step, job);
}

void api_rebuild_forget(struct api_rebuild *job)
{
	api_slicer_stop(&job->slicer);
	if (job->request)
		*http_data(job->request) = NULL;
	job->jobs->rebuild = NULL;
	free(job);
}

void api_rebuild_gone(struct http_request *request)
{
	struct api_rebuild *job = *http_data(request);

	if (job)
		job->request = NULL;
}
