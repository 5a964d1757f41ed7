/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The slicer, and what is under way. */
#include "keeper/api_job.h"

#include <stdlib.h>

#include "daemon/daemon.h"
#include "keeper/main.h"

#define SLICE_US 4000
#define LATER_US 100000

static void slice_cb(void *data)
{
	struct api_slicer *slicer = data;
	long long until = daemon_mono_us() + SLICE_US;
	enum api_slice slice;

	do {
		slice = slicer->step(slicer->data);
	} while (slice == API_SLICE_MORE && daemon_mono_us() < until);
	if (slice == API_SLICE_MORE)
		osmo_timer_schedule(&slicer->timer, 0, 0);
	else if (slice == API_SLICE_LATER)
		osmo_timer_schedule(&slicer->timer, 0, LATER_US);
}

void api_slicer_start(struct api_slicer *slicer, enum api_slice (*step)(void *data), void *data)
{
	slicer->step = step;
	slicer->data = data;
	osmo_timer_setup(&slicer->timer, slice_cb, slicer);
	osmo_timer_schedule(&slicer->timer, 0, 0);
}

void api_slicer_stop(struct api_slicer *slicer)
{
	if (slicer->step)
		osmo_timer_del(&slicer->timer);
}

struct api_jobs *api_jobs_alloc(struct keeper *keeper)
{
	struct api_jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs)
		jobs->keeper = keeper;
	return jobs;
}

void api_jobs_free(struct api_jobs *jobs)
{
	if (!jobs)
		return;
	if (jobs->import)
		api_import_forget(jobs->import);
	if (jobs->rebuild)
		api_rebuild_forget(jobs->rebuild);
	free(jobs);
}

void api_jobs_resume(struct api_jobs *jobs)
{
	struct lists_import *import = lists_import_current(jobs->keeper->lists);

	if (import)
		api_import_resume(jobs, import);
}
