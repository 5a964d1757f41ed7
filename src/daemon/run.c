/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The life of a daemon: from its command line through its configuration into the loop and out again in order.
 *
 * Nothing is opened before the whole configuration was accepted, and nothing in the loop may wait: the watchdog is fed
 * from a timer of that loop. */
#define _GNU_SOURCE
#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/rate_ctr.h>
#include <osmocom/core/select.h>
#include <osmocom/core/stats.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>
#include <osmocom/ctrl/control_if.h>
#include <osmocom/vty/command.h>
#include <osmocom/vty/logging.h>
#include <osmocom/vty/misc.h>
#include <osmocom/vty/stats.h>
#include <osmocom/vty/telnet_interface.h>
#include <osmocom/vty/vty.h>
#include <systemd/sd-daemon.h>

#include "config.h"
#include "daemon/admin.h"
#include "daemon/config_text.h"
#include "daemon/nodes.h"
#include "daemon/options.h"
#include "daemon/pending.h"

#define STOP_MAX_S 10 /* an orderly end that takes longer is no longer one */
#define TICK_S     1

struct daemon {
	const struct daemon_spec *spec;
	struct options options;
	void *ctx;
	struct vty_app_info app_info;
	struct nodes nodes;
	struct node_ports ports; /* in force */
	struct pending pending;
	struct admin *admin;
	struct ctrl_handle *ctrl;
	bool telnet_open;
	bool serving; /* ports are open */
	struct osmo_signalfd *signals;
	struct osmo_timer_list tick, watchdog, stop_deadline;
	uint64_t watchdog_us; /* between feedings; 0: none asked for */
	bool was_ready, ready_known;
	bool stopping, quit;
	int status;
};

static struct daemon *the_daemon; /* for callbacks of libraries that carry no pointer */

#define LOGDAEMON(daemon, level, format, args...) LOGP((daemon)->spec->log_category, level, format, ##args)

long long daemon_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

long long daemon_mono_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

bool daemon_only_checks(void)
{
	return the_daemon && the_daemon->options.check_only;
}

const char *daemon_state_dir(void)
{
	return the_daemon->options.state_dir;
}

void daemon_quit(void)
{
	the_daemon->quit = true;
}

/* Pages */

static bool is_ready(struct daemon *daemon, struct weir_why *why)
{
	why->text[0] = 0;
	if (daemon->stopping) {
		why_set(why, 0, "stopping");
		return false;
	}
	return !daemon->spec->ready || daemon->spec->ready(daemon->spec->root, why);
}

static int page_metrics(struct daemon_text *page, void *data)
{
	struct daemon *daemon = data;
	struct weir_why why;

	daemon_metrics(page);
	daemon_text_add(page,
			"# HELP weir_ready Ready to serve (as /readyz says)\n# TYPE weir_ready gauge\nweir_ready %d\n",
			is_ready(daemon, &why));
	return 200;
}

static int page_livez(struct daemon_text *page, void *data)
{
	(void)data;
	daemon_text_add(page, "alive\n");
	return 200;
}

static int page_readyz(struct daemon_text *page, void *data)
{
	struct weir_why why;
	bool ready = is_ready(data, &why);

	daemon_text_add(page, "%s%s%s\n", ready ? "ready" : "not ready", why.text[0] ? ": " : "", why.text);
	return ready ? 200 : 503;
}

static const struct admin_page pages[] = {
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", page_metrics},
	{"/livez", "text/plain; charset=utf-8", page_livez},
	{"/readyz", "text/plain; charset=utf-8", page_readyz},
};

/* The admin listener of the draft: the one there is, a new one, or NULL for none. */
static int admin_prepare(struct daemon *daemon, struct admin **admin, struct weir_why *why)
{
	const struct node_port *port = &daemon->nodes.draft.admin;

	*admin = NULL;
	if (!port->on)
		return 0;
	if (admin_is_at(daemon->admin, port->addr, port->port)) {
		*admin = daemon->admin;
		return 0;
	}
	*admin = admin_alloc(daemon->ctx, port->addr, port->port, pages, sizeof(pages) / sizeof(pages[0]), daemon, why);
	return *admin ? 0 : -EADDRINUSE;
}

static void admin_commit(struct daemon *daemon, struct admin *admin)
{
	const struct node_port *port = &daemon->nodes.draft.admin;

	if (admin == daemon->admin)
		return;
	admin_free(daemon->admin);
	daemon->admin = admin;
	if (admin)
		LOGDAEMON(daemon, LOGL_NOTICE, "metrics and health on http://%s:%u\n", port->addr, port->port);
}

static void admin_abort(struct daemon *daemon, struct admin *admin)
{
	if (admin != daemon->admin)
		admin_free(admin);
}

/* Configuration */

/* Publish the draft, ours and the rooms', as a whole or not at all. */
static int commit(struct daemon *daemon, struct weir_why *why)
{
	struct admin *admin = NULL;
	int rc = 0;

	if (daemon->serving)
		rc = admin_prepare(daemon, &admin, why);
	if (!rc && daemon->spec->config_commit)
		rc = daemon->spec->config_commit(daemon->spec->root, why);
	if (rc) {
		admin_abort(daemon, admin);
		return rc;
	}
	if (daemon->serving)
		admin_commit(daemon, admin);
	daemon->ports = daemon->nodes.draft;
	pending_settle(&daemon->pending);
	return 0;
}

static void abort_draft(struct daemon *daemon)
{
	if (daemon->spec->config_abort)
		daemon->spec->config_abort(daemon->spec->root);
	daemon->nodes.draft = daemon->ports;
	pending_settle(&daemon->pending);
}

static void drop_pending(void *data)
{
	abort_draft(data);
}

static struct node_ports default_ports(const struct daemon_spec *spec)
{
	struct node_ports ports = {
		.admin = {.addr = "127.0.0.1", .port = (uint16_t)spec->admin_port, .on = spec->admin_port != 0},
		.ctrl = {.addr = "127.0.0.1", .port = (uint16_t)spec->ctrl_port, .on = spec->ctrl_port != 0},
	};

	return ports;
}

/* Read the text into a fresh draft and publish it, or nothing of it. */
static int configure(struct daemon *daemon, struct config_fault *fault)
{
	const struct options *options = &daemon->options;
	bool have_file = options->config_file_given || !access(options->config_file, F_OK);
	struct config_source source = {
		.file = have_file ? options->config_file : NULL, .lines = options->lines, .n_lines = options->n_lines};
	int rc = 0;

	*fault = (struct config_fault){0};
	daemon->nodes.draft = daemon->nodes.defaults;
	if (daemon->spec->config_begin)
		rc = daemon->spec->config_begin(daemon->spec->root);
	if (rc)
		why_set(&fault->why, rc, "no fresh configuration could be made: %s", strerror(-rc));
	if (!rc)
		rc = config_read(&source, fault);
	if (!rc) {
		snprintf(fault->place, sizeof(fault->place), "%s", have_file ? options->config_file : "configuration");
		rc = commit(daemon, &fault->why);
	}
	if (rc)
		abort_draft(daemon);
	return rc;
}

/* A node was left at a terminal: what is pending is published now. */
static int node_was_left(struct vty *vty)
{
	struct daemon *daemon = the_daemon;
	struct weir_why why = {0};

	if (vty->type == VTY_FILE || vty->node <= CONFIG_NODE)
		return 0;
	if (!pending_is(&daemon->pending))
		pending_settle(&daemon->pending);
	else if (commit(daemon, &why))
		pending_refuse(&daemon->pending, vty, &why);
	else
		LOGDAEMON(daemon, LOGL_NOTICE, "configuration changed at the terminal\n");
	return 0;
}

static void reload(struct daemon *daemon)
{
	char note[64];
	struct config_fault fault;

	snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%lld", daemon_mono_us());
	sd_notify(0, note);
	log_targets_reopen();
	if (configure(daemon, &fault))
		LOGDAEMON(daemon, LOGL_ERROR, "not reloaded, all stays as it was: %s: %s\n", fault.place,
			  fault.why.text);
	else
		LOGDAEMON(daemon, LOGL_NOTICE, "configuration reloaded\n");
	sd_notify(0, "READY=1");
}

/* Signals and timers */

static void stop_too_late(void *data)
{
	struct daemon *daemon = data;

	LOGDAEMON(daemon, LOGL_ERROR, "no orderly end within %d s, ending anyway\n", STOP_MAX_S);
	daemon->status = 1;
	daemon->quit = true;
}

static void stop(struct daemon *daemon, const char *signal_name)
{
	if (daemon->stopping) {
		daemon->quit = true;
		return;
	}
	daemon->stopping = true;
	LOGDAEMON(daemon, LOGL_NOTICE, "ending on %s\n", signal_name);
	sd_notify(0, "STOPPING=1");
	osmo_timer_setup(&daemon->stop_deadline, stop_too_late, daemon);
	osmo_timer_schedule(&daemon->stop_deadline, STOP_MAX_S, 0);
	if (daemon->spec->stop)
		daemon->spec->stop(daemon->spec->root);
	else
		daemon->quit = true;
}

static void signal_came(struct osmo_signalfd *signals, const struct signalfd_siginfo *info)
{
	struct daemon *daemon = signals->data;

	switch (info->ssi_signo) {
	case SIGTERM:
		stop(daemon, "SIGTERM");
		break;
	case SIGINT:
		stop(daemon, "SIGINT");
		break;
	case SIGHUP:
		if (!daemon->stopping)
			reload(daemon);
		break;
	case SIGUSR1:
		talloc_report_full(NULL, stderr);
		break;
	}
}

/* Signals come through the loop; also those that arrive while the configuration is read. */
static int take_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	daemon->signals = osmo_signalfd_setup(daemon->ctx, set, signal_came, daemon);
	return daemon->signals ? 0 : -EIO;
}

static void tell_readiness(struct daemon *daemon)
{
	struct weir_why why;
	bool ready = is_ready(daemon, &why);

	if (daemon->ready_known && ready == daemon->was_ready)
		return;
	daemon->ready_known = true;
	daemon->was_ready = ready;
	LOGDAEMON(daemon, ready ? LOGL_NOTICE : LOGL_ERROR, "%s%s%s\n", ready ? "ready" : "not ready",
		  why.text[0] ? ": " : "", why.text);
	sd_notifyf(0, "STATUS=%s%s%s", ready ? "ready" : "not ready", why.text[0] ? ": " : "", why.text);
}

static void tick(void *data)
{
	struct daemon *daemon = data;

	if (!daemon->stopping)
		tell_readiness(daemon);
	osmo_timer_schedule(&daemon->tick, TICK_S, 0);
}

static void feed_watchdog(void *data)
{
	struct daemon *daemon = data;

	sd_notify(0, "WATCHDOG=1");
	osmo_timer_schedule(&daemon->watchdog, (int)(daemon->watchdog_us / 1000000),
			    (int)(daemon->watchdog_us % 1000000));
}

static void start_timers(struct daemon *daemon)
{
	uint64_t us;

	osmo_timer_setup(&daemon->tick, tick, daemon);
	tick(daemon);
	osmo_timer_setup(&daemon->watchdog, feed_watchdog, daemon);
	if (sd_watchdog_enabled(0, &us) > 0) {
		daemon->watchdog_us = us / 3;
		feed_watchdog(daemon);
	}
}

static void stop_timers(struct daemon *daemon)
{
	osmo_timer_del(&daemon->tick);
	osmo_timer_del(&daemon->watchdog);
	osmo_timer_del(&daemon->stop_deadline);
}

/* Start and end */

static int start_logging(struct daemon *daemon)
{
	const struct options *options = &daemon->options;

	if (osmo_init_logging2(daemon->ctx, daemon->spec->log_info))
		return -ENOMEM;
	log_set_print_category(osmo_stderr_target, 1);
	log_set_print_category_hex(osmo_stderr_target, 0);
	log_set_print_level(osmo_stderr_target, 1);
	log_set_print_filename2(osmo_stderr_target, LOG_FILENAME_NONE);
	log_set_use_color(osmo_stderr_target, !options->no_colour && isatty(STDERR_FILENO));
	log_set_print_extended_timestamp(osmo_stderr_target, options->timestamps);
	if (options->level)
		log_set_log_level(osmo_stderr_target, atoi(options->level));
	if (options->categories)
		log_parse_category_mask(osmo_stderr_target, options->categories);
	return 0;
}

static void start_vty(struct daemon *daemon)
{
	daemon->nodes.defaults = default_ports(daemon->spec);
	daemon->app_info = (struct vty_app_info){
		.name = daemon->spec->name,
		.version = PACKAGE_VERSION,
		.copyright = "Copyright (C) 2026 The Weir authors\r\nLicense AGPLv3+, no warranty\r\n",
		.tall_ctx = daemon->ctx,
		.go_parent_cb = node_was_left,
		.config_is_consistent = pending_may_save,
	};
	vty_init(&daemon->app_info);
	logging_vty_add_cmds();
	osmo_stats_vty_add_cmds();
	osmo_talloc_vty_add_cmds();
	osmo_fsm_vty_add_cmds();
	nodes_init(&daemon->nodes);
	if (daemon->spec->vty_init)
		daemon->spec->vty_init(daemon->spec->root);
	pending_init(&daemon->pending, drop_pending, daemon);
	host_config_set(daemon->options.config_file);
}

static int open_ports(struct daemon *daemon, struct weir_why *why)
{
	const struct daemon_spec *spec = daemon->spec;
	const struct node_port *ctrl = &daemon->ports.ctrl;
	int vty_port = vty_get_bind_port(spec->vty_port);
	struct admin *admin;
	int rc;

	if (spec->vty_port && telnet_init_dynif(daemon->ctx, NULL, vty_get_bind_addr(), vty_port))
		return why_set(why, -EADDRINUSE,
			       "line vty, bind %s %d: cannot listen there; a free port would be right",
			       vty_get_bind_addr(), vty_port);
	daemon->telnet_open = spec->vty_port != 0;
	if (ctrl->on) {
		daemon->ctrl = ctrl_interface_setup_dynip2(daemon->ctx, ctrl->addr, ctrl->port, NULL, 0);
		if (!daemon->ctrl)
			return why_set(why, -EADDRINUSE,
				       "ctrl, bind %s %u: cannot listen there; a free port would be right", ctrl->addr,
				       ctrl->port);
	}
	rc = admin_prepare(daemon, &admin, why);
	if (!rc)
		admin_commit(daemon, admin);
	daemon->serving = !rc;
	return rc;
}

static void close_ports(struct daemon *daemon)
{
	admin_free(daemon->admin);
	if (daemon->ctrl) {
		osmo_fd_unregister(&daemon->ctrl->listen_fd);
		close(daemon->ctrl->listen_fd.fd);
	}
	if (daemon->telnet_open)
		telnet_exit();
}

static int start(struct daemon *daemon, struct weir_why *why)
{
	int rc = open_ports(daemon, why);

	if (!rc && daemon->spec->start)
		rc = daemon->spec->start(daemon->spec->root, why);
	return rc;
}

static void loop(struct daemon *daemon)
{
	start_timers(daemon);
	sd_notify(0, "READY=1");
	while (!daemon->quit)
		osmo_select_main(0);
	stop_timers(daemon);
}

/* What is done with the configuration once it was read well. */
static int serve(struct daemon *daemon)
{
	struct weir_why why = {0};

	if (daemon->options.check_only) {
		printf("%s: the configuration is good\n", daemon->spec->name);
		return 0;
	}
	if (start(daemon, &why)) {
		fprintf(stderr, "%s: cannot start: %s\n", daemon->spec->name, why.text);
		daemon->status = 1;
	} else {
		loop(daemon);
	}
	close_ports(daemon);
	return daemon->status;
}

static int configure_and_serve(struct daemon *daemon)
{
	struct config_fault fault;

	if (daemon->options.print_reference)
		return vty_dump_xml_ref_mode(stdout, VTY_REF_GEN_MODE_DEFAULT) ? 1 : 0;
	if (configure(daemon, &fault)) {
		fprintf(stderr, "%s%s%s\n", fault.place, fault.place[0] ? ": " : "", fault.why.text);
		return 1;
	}
	return serve(daemon);
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
	static struct daemon daemon;
	int status;

	daemon.spec = spec;
	the_daemon = &daemon;
	status = options_read(&daemon.options, spec, argc, argv);
	if (status != OPTIONS_GO_ON)
		return status;
	talloc_enable_null_tracking();
	daemon.ctx = talloc_named_const(NULL, 0, spec->name);
	if (start_logging(&daemon) || take_signals(&daemon)) {
		fprintf(stderr, "%s: cannot start: no memory or no signals\n", spec->name);
		return 1;
	}
	osmo_stats_init(daemon.ctx);
	rate_ctr_init(daemon.ctx);
	start_vty(&daemon);
	status = configure_and_serve(&daemon);
	if (spec->fini)
		spec->fini(spec->root);
	pending_fini(&daemon.pending);
	osmo_fd_unregister(&daemon.signals->ofd);
	close(daemon.signals->ofd.fd);
	return status;
}
