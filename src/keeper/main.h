/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper: what its files share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/why.h"
#include "keeper/http_peer.h"

struct api_jobs;
struct http;
struct lists;
struct orders;
struct seen;
struct turn;
struct weir_policy;

enum keeper_log {
	DMAIN,
	DHTTP,
	DLISTS,
	DSEEN,
};

/* What configuration sets.  The draft is written by the VTY, and taken over whole. */
struct keeper_config {
	struct http_access access;
	unsigned connections;
	unsigned request_timeout_s;
	uint64_t seen_max;
	unsigned seen_days;
};

struct keeper {
	struct keeper_config config, draft;
	struct lists *lists;
	struct http *http;
	struct turn *turn;
	struct seen *seen;     /* NULL where its store could not be opened: nobody was seen */
	struct orders *orders;
	struct api_jobs *jobs;
	struct weir_policy *policy; /* the default one: for `check` */
	int64_t started_ms;
};

void keeper_config_init(struct keeper_config *config);

/* vty.c */
void keeper_vty_init(void *root);

/* metrics.c: all that is not a libosmocore counter */
struct daemon_text;
void keeper_metrics(struct daemon_text *out, void *root);
