/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper: what its files share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/why.h"
#include "keeper/http_peer.h"

struct api_jobs;
struct daemon_text;
struct http;
struct lists;
struct osmo_timer_list;
struct orders;
struct seen;
struct seen_socket;
struct turn;
struct weir_policy;

enum keeper_log {
	DMAIN,
	DHTTP,
	DLISTS,
	DSEEN,
};

#define KEEPER_SOCKET       "keeper.sock"
#define KEEPER_LOCAL_SOURCE "local" /* there from the start: what people block by hand */

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
	struct seen *seen; /* NULL where its store could not be opened: nobody was seen */
	struct seen_socket *seen_socket;
	struct orders *orders;
	struct api_jobs *jobs;
	struct weir_policy *policy;     /* the default one: for `check` */
	struct osmo_timer_list *second; /* each second: healing, tending, sightings */
	struct osmo_timer_list *heal;   /* while healing takes more slices */
	int64_t started_ms;
	int lock_fd; /* of STATE/keeper.lock; -1: not held */
};

/* Ready: the register is open and says what the ledger says. */
bool keeper_is_ready(struct keeper *keeper, struct weir_why *why);

/* vty.c */
void keeper_config_init(struct keeper_config *config);
void keeper_vty_init(void *root);

/* main_metrics.c: a daemon_metrics_fn; data is the keeper */
void keeper_metrics(struct daemon_text *out, void *data);
