/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The gate as a whole: what is configured, what is open, and how one becomes the other.
 *
 * Life: gate_alloc, then the callbacks of daemon.h in their order.  A configuration comes into force as a whole: the
 * policy is made first, then the interfaces take the new settings; whatever is refused leaves everything as it was.
 *
 * The register is followed ten times a second.  A store that fails raises one alarm (a log line, a gauge) and clears it
 * again; checks are answered in the meantime as the policy says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/timer.h>

#include "core/why.h"
#include "gate/check.h"
#include "gate/config.h"
#include "gate/counters.h"

struct daemon_text;
struct gsup;
struct n5g;
struct notify;
struct nrf;
struct peers;
struct s13;
struct traffic;

struct gate {
	struct gate_config *draft;   /* written by commands */
	struct gate_config *current; /* in force; never changed in place */
	struct check check;
	struct peers *peers;
	struct traffic *traffic;
	struct gsup *gsup;
	struct s13 *s13;
	struct n5g *n5g;
	struct nrf *nrf;
	struct notify *notify;
	struct osmo_timer_list second, tenth;
	char instance_id[SBI_UUID_TEXT]; /* of this start, for want of a configured one */
	bool started, stopping;
	unsigned certificates_s;   /* since our certificates were judged */
	bool store_failed;         /* the alarm is raised */
	unsigned store_well_s;     /* how long no look-up has failed */
	struct weir_why store_why; /* what was said when it was raised */
	uint64_t store_failures;   /* how often it was */
	int64_t busy_us, load_since_us; /* for check.load */
	uint64_t received[WEIR_N_INTERFACES]; /* a second ago, for check.per_second */
};

struct gate *gate_alloc(void *ctx);

/* Callbacks of struct daemon_spec; root is the gate. */
int gate_config_begin(void *root);
int gate_config_commit(void *root, struct weir_why *why);
void gate_config_abort(void *root);
int gate_start(void *root, struct weir_why *why);
bool gate_ready(void *root, struct weir_why *why);
void gate_stop(void *root);
void gate_fini(void *root);

/* Follow the register and judge its health; called once a second and at the start. */
void gate_follow(struct gate *gate);
/* Move to a newer register where there is one; called ten times a second and when orders have come.  What fails is left
 * to gate_follow. */
void gate_follow_soon(struct gate *gate);

/* The counters of every interface, for show.c and metrics.c.  Returns how many tables. */
#define GATE_COUNTER_TABLES 8
unsigned gate_counter_tables(const struct gate *gate, struct counter_table tables[static GATE_COUNTER_TABLES]);

/* metrics.c: Prometheus text. */
void gate_metrics(struct daemon_text *out, void *gate);
