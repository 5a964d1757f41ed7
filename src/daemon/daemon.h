/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What weir-gate and weir-keeper stand on: options, configuration text, signals, readiness, metrics.
 *
 * A daemon fills struct daemon_spec, calls daemon_main and is called back; the libosmocore loop runs inside.
 * Options (one table, usage is printed from it): -S state directory, -c configuration file, -C 'line; line'
 * (repeatable, read after the file; ';' goes one node deeper), -t check the configuration and exit, -d log categories,
 * -s no colours, -T timestamps, -e level, -X all commands as XML, -V, -h.  Exit status: 0 ended in order, 1 the
 * configuration or the start failed, 2 a wrong command line.
 *
 * Configuration errors say "FILE:LINE: what is wrong; what would be right", and with -t end the program with 1 before
 * anything was touched (no port, no state).  A command refuses a value by printing one sentence with vty_out and
 * returning CMD_WARNING; the sentence becomes the error, with file and line before it.
 *
 * Drafts.  Commands write into a draft.  Reading the text is config_begin (back to the defaults), the commands,
 * then config_commit, or config_abort (the draft becomes what is in force).  After a commit the draft stays and equals
 * what is in force.  At a terminal commands change it, and config_commit is called again when their node is left
 * ("exit", "end"); where that fails the sentence is printed and what was in force stays in force.  The draft stays
 * pending then: it is not saved, and `discard` calls config_abort (pending.h).  What is pending is told from what the
 * nodes write, so a node writes every setting that is not the default.
 * Lines of libosmocore (log, stats, line vty) are in force as soon as they are read and are not taken back.
 * `admin` listen follows a reload; the telnet and control ports are those of the start.
 *
 * Signals: SIGTERM and SIGINT end in order (a second one at once), SIGHUP reads the configuration again and reopens
 * log files, SIGUSR1 prints a talloc report on stderr.  SIGPIPE is ignored.
 *
 * systemd is told READY=1 when start has returned, RELOADING=1 and STOPPING=1, the sentence of ready() as STATUS when
 * it changes, and WATCHDOG=1 from a timer in the loop, so that a loop that hangs is restarted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "core/why.h"

struct log_info;

/* Node of the VTY used by this room; rooms number theirs from _LAST_OSMOVTY_NODE + 1 to + 63. */
#define DAEMON_ADMIN_NODE (_LAST_OSMOVTY_NODE + 64)

struct daemon_spec {
	const char *name;     /* "weir-gate" */
	const char *sentence; /* what it is, one line, for -h */
	const struct log_info *log_info;
	int log_category; /* where this room logs: the daemon's DMAIN */
	int vty_port, ctrl_port, admin_port;
	void *root; /* handed to every callback */

	/* Each may be NULL.  In the order of a life. */
	void (*vty_init)(void *root);                           /* install nodes and commands */
	int (*config_begin)(void *root);                        /* start a fresh draft (start and SIGHUP) */
	int (*config_commit)(void *root, struct weir_why *why); /* the whole text was read: publish, or refuse it all */
	void (*config_abort)(void *root);                       /* forget the draft, keep what was */
	int (*start)(void *root, struct weir_why *why);         /* open state and ports */
	bool (*ready)(void *root, struct weir_why *why); /* for /readyz and STATUS; asked once a second, so cheap */
	void (*stop)(void *root); /* SIGTERM: end in order; daemon_quit() when done, within 10 s */
	void (*fini)(void *root); /* also after a start that failed, and after -t */
};

/* Run the daemon; returns its exit status. */
int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

const char *daemon_state_dir(void);
/* Was -t given?  What there is to say about a good configuration then goes to stderr, not into a log. */
bool daemon_only_checks(void);
/* Leave the loop after this turn. */
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
