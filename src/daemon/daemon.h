/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What weir-gate and weir-keeper stand on: options, configuration text, signals, readiness, metrics.
 *
 * A daemon fills struct daemon_spec, calls daemon_main and is called back; the libosmocore loop runs inside.
 * Options (one table, usage is printed from it): -S state directory, -c configuration file, -C 'line; line' (repeatable, read
 * after the file; ';' goes one node deeper), -t check the configuration and exit, -d log categories, -s no colours, -T
 * timestamps, -e level, -V, -h.
 *
 * Configuration errors say "FILE:LINE: what is wrong; what would be right", and with -t end the program with 1 before
 * anything was touched (no port, no state). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/why.h"

struct vty_app_info;
struct log_info;

struct daemon_spec {
	const char *name;            /* "weir-gate" */
	const char *sentence;        /* what it is, one line, for -h */
	const struct log_info *log_info;
	int vty_port, ctrl_port, admin_port;
	void *root;                  /* handed to every callback */

	void (*vty_init)(void *root);                        /* install nodes and commands */
	int (*config_begin)(void *root);                     /* start a fresh draft (start and SIGHUP) */
	int (*config_commit)(void *root, struct weir_why *why); /* the whole text was read: publish, or refuse it all */
	void (*config_abort)(void *root);                    /* forget the draft, keep what was */
	int (*start)(void *root, struct weir_why *why);      /* open state and ports */
	void (*stop)(void *root);                            /* SIGTERM: end in order; daemon_quit() when done */
	bool (*ready)(void *root, struct weir_why *why);     /* for /readyz and sd_notify */
	void (*fini)(void *root);
};

int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

const char *daemon_state_dir(void);
void daemon_quit(void);

/* Wall clock in ms and monotonic clock in us: taken once per loop turn by those who need it. */
long long daemon_now_ms(void);
long long daemon_mono_us(void);

/* Growable text for metrics and answers (malloc); errors are sticky, text is NULL then. */
struct daemon_text {
	char *text;
	size_t len, size;
	bool failed;
};
void daemon_text_add(struct daemon_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void daemon_text_free(struct daemon_text *text);

/* All counters and gauges of libosmocore (rate_ctr, stat_item) in Prometheus text format, then what the hooks add. */
void daemon_metrics(struct daemon_text *out);
typedef void daemon_metrics_fn(struct daemon_text *out, void *data);
void daemon_metrics_hook(daemon_metrics_fn *fn, void *data);
