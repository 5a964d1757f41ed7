/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Long work in slices: a zero-delay timer steps it for a few milliseconds a turn, and everything else is served
 * between. */
#pragma once

#include <osmocom/core/timer.h>
#include <stdbool.h>
#include <stdint.h>

#include "keeper/lists.h"

struct http_request;
struct keeper;

/* What a step returns. */
enum api_slice {
	API_SLICE_DONE = 0,
	API_SLICE_MORE = 1,
	API_SLICE_LATER = 2, /* not now: in a tenth of a second */
};

struct api_slicer {
	struct osmo_timer_list timer;
	enum api_slice (*step)(void *data); /* may free data where it returns DONE */
	void *data;
};
void api_slicer_start(struct api_slicer *slicer, enum api_slice (*step)(void *data), void *data);
void api_slicer_stop(struct api_slicer *slicer);

struct api_job_stats {
	uint64_t imports, imports_refused, rows, rejects, verifies, findings, rebuilds;
};

struct api_import;
struct api_rebuild;

/* One import and one rebuild at a time; any number of verifications. */
struct api_jobs {
	struct keeper *keeper;
	struct api_import *import;
	struct api_rebuild *rebuild;
	struct api_job_stats stats;
};

struct api_jobs *api_jobs_alloc(struct keeper *keeper);
/* After http_close.  Forgets what may be forgotten; an accepted import goes on at the next start.  NULL is fine. */
void api_jobs_free(struct api_jobs *jobs);
/* Go on with the import that a crash interrupted. */
void api_jobs_resume(struct api_jobs *jobs);

/* For `show import`: false where none is under way. */
struct api_import_state {
	char source[LEDGER_NAME_MAX + 1];
	const char *phase;
	uint64_t done, total;
	bool dry_run, resumed;
};
bool api_import_state(const struct api_jobs *jobs, struct api_import_state *state);
void api_import_forget(struct api_import *import);
void api_import_resume(struct api_jobs *jobs, struct lists_import *import);
void api_rebuild_forget(struct api_rebuild *rebuild);
