/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weir-keeper: puts its rooms together and takes them apart again, in order. */
#include "keeper/main.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/timer.h>
#include <osmocom/core/utils.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/policy.h"
#include "daemon/daemon.h"
#include "keeper/api.h"
#include "keeper/api_job.h"
#include "keeper/lists.h"
#include "keeper/seen.h"
#include "keeper/seen_orders.h"
#include "keeper/turn.h"
#include "register/register.h"

#define KEEPER_NICE 5
#define SLICE_ROWS 40000 /* of long work at once: some 50 ms, what a single request may have to wait */

#define VTY_PORT   4281
#define CTRL_PORT  4282
#define ADMIN_PORT 9281

static const struct log_info_cat log_categories[] = {
	[DMAIN] = {.name = "DMAIN", .description = "Start, end, configuration", .enabled = 1, .loglevel = LOGL_NOTICE},
	[DHTTP] = {.name = "DHTTP", .description = "The HTTP server", .enabled = 1, .loglevel = LOGL_NOTICE},
	[DLISTS] = {.name = "DLISTS",
		    .description = "Ledger, register, imports",
		    .enabled = 1,
		    .loglevel = LOGL_NOTICE},
	[DSEEN] = {.name = "DSEEN", .description = "Sightings and orders", .enabled = 1, .loglevel = LOGL_NOTICE},
};

static const struct log_info log_info = {.cat = log_categories, .num_cat = ARRAY_SIZE(log_categories)};

bool keeper_is_ready(struct keeper *keeper, struct weir_why *why)
{
	uint64_t lag;

	if (!keeper->lists || !lists_register(keeper->lists)) {
		why_set(why, 0, "the register is not open");
		return false;
	}
	lag = lists_lag(keeper->lists);
	if (lag) {
		why_set(why, 0, "the register is %llu events behind the ledger", (unsigned long long)lag);
		return false;
	}
	return true;
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

static int config_begin(void *root)
{
	struct keeper *keeper = root;

	keeper_config_init(&keeper->draft);
	return 0;
}

static struct seen_limits limits_of(const struct keeper_config *config)
{
	return (struct seen_limits){.max = config->seen_max, .days = config->seen_days};
}

static int config_commit(void *root, struct weir_why *why)
{
	struct keeper *keeper = root;
	struct seen_limits limits;

	(void)why; /* every command checked its own value */
	keeper->config = keeper->draft;
	limits = limits_of(&keeper->config);
	if (keeper->http) {
		http_set_access(keeper->http, &keeper->config.access);
		http_set_timeout(keeper->http, keeper->config.request_timeout_s);
	}
	if (keeper->seen)
		seen_set_limits(keeper->seen, &limits);
	return 0;
}

static void config_abort(void *root)
{
	struct keeper *keeper = root;

	keeper->draft = keeper->config;
}

/* --- start ------------------------------------------------------------------------------------------------------ */

static void turn_cb(void *root)
{
	struct keeper *keeper = root;

	turn_flush(keeper->turn, daemon_now_ms());
}

static void heal_cb(void *root)
{
	struct keeper *keeper = root;

	if (lists_lag(keeper->lists) && lists_heal(keeper->lists) == 1)
		osmo_timer_schedule(keeper->heal, 0, 0);
}

static void second_cb(void *root)
{
	struct keeper *keeper = root;

	heal_cb(keeper);
	lists_tend(keeper->lists);
	if (keeper->seen) {
		seen_flush(keeper->seen);
		seen_sweep(keeper->seen, (uint32_t)(daemon_now_ms() / 1000));
	}
	osmo_timer_schedule(keeper->second, 1, 0);
}

static int make_state_dir(const char *dir, struct weir_why *why)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	return why_set(why, -errno, "%s: %s; it must be a directory that the keeper may write", dir, strerror(errno));
}

/* One keeper a directory: the kernel lets go of the lock when we end, however we end. */
static int lock_state_dir(struct keeper *keeper, const char *dir, struct weir_why *why)
{
	char path[4200], pid[16] = "";

	snprintf(path, sizeof(path), "%s/keeper.lock", dir);
	keeper->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (keeper->lock_fd < 0)
		return why_set(why, -errno, "%s: %s", path, strerror(errno));
	if (flock(keeper->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		pid[0] = pread(keeper->lock_fd, pid, sizeof(pid) - 1, 0) > 0 ? pid[0] : '?';
		return why_set(why, -EBUSY, "another weir-keeper (pid %s) works in %s", pid, dir);
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(keeper->lock_fd, 0) < 0 || pwrite(keeper->lock_fd, pid, strlen(pid), 0) < 0)
		return why_set(why, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Sightings are a convenience: without them the keeper runs. */
static void start_seen(struct keeper *keeper)
{
	struct seen_limits limits = limits_of(&keeper->config);
	struct weir_why why = {0};

	if (seen_open(daemon_state_dir(), &limits, &keeper->seen, &why) < 0) {
		LOGP(DSEEN, LOGL_ERROR, "nobody will be seen: %s\n", why.text);
		return;
	}
	if (seen_socket_open(daemon_state_dir(), keeper->seen, &keeper->seen_socket, &why) < 0)
		LOGP(DSEEN, LOGL_ERROR, "no sightings will come: %s\n", why.text);
}

static int ask_register(const struct weir_query *queries, struct weir_facts *facts, unsigned n, void *data)
{
	struct keeper *keeper = data;

	return register_lookup(keeper->lists ? lists_register(keeper->lists) : NULL, queries, facts, n);
}

/* What a gate was told before our start is not known: it is told from the start. */
static void start_orders(struct keeper *keeper)
{
	struct weir_register *reg = lists_register(keeper->lists);
	struct register_meta meta;

	orders_set_register(keeper->orders, ask_register, keeper);
	if (reg && register_meta(reg, &meta) == 0)
		orders_flips(LISTS_SWEEP, meta.serial, NULL, 0, keeper->orders);
}

static int start_lists(struct keeper *keeper, struct weir_why *why)
{
	const struct lists_tuning tuning = {.slice_rows = SLICE_ROWS};
	struct weir_policy_draft draft;
	int rc;

	keeper->orders = orders_alloc(daemon_state_dir(), keeper->seen);
	if (!keeper->orders)
		return why_set(why, -ENOMEM, "no memory");
	rc = lists_open(daemon_state_dir(), orders_flips, keeper->orders, &keeper->lists, why);
	if (rc < 0)
		return rc;
	start_orders(keeper);
	lists_tune(keeper->lists, &tuning);
	rc = lists_source_make(keeper->lists, KEEPER_LOCAL_SOURCE, "keeper", daemon_now_ms(), why);
	if (rc < 0)
		return rc;
	policy_draft_init(&draft);
	keeper->policy = policy_alloc(&draft, why);
	keeper->turn = turn_alloc(keeper->lists);
	keeper->jobs = api_jobs_alloc(keeper);
	return keeper->policy && keeper->turn && keeper->jobs ? 0 : why_set(why, -ENOMEM, "no memory");
}

static int start_http(struct keeper *keeper, struct weir_why *why)
{
	char path[4200];
	struct http_spec spec = {
		.path = path,
		.root = keeper,
		.problem = api_problem,
		.turn = turn_cb,
		.max_connections = keeper->config.connections,
		.request_timeout_s = keeper->config.request_timeout_s,
	};
	int rc;

	snprintf(path, sizeof(path), "%s/%s", daemon_state_dir(), KEEPER_SOCKET);
	spec.routes = api_routes(&spec.n_routes);
	rc = http_open(&spec, &keeper->http, why);
	if (rc == 0)
		http_set_access(keeper->http, &keeper->config.access);
	return rc;
}

/* Checks come first: where the two share a processor, the keeper's work waits for the gate's and not the other way
 * round.  Whoever started us with a niceness has chosen already. */
static void stand_back(void)
{
	if (getpriority(PRIO_PROCESS, 0) == 0 && setpriority(PRIO_PROCESS, 0, KEEPER_NICE) < 0)
		LOGP(DMAIN, LOGL_NOTICE, "cannot give checks the right of way: %s\n", strerror(errno));
}

static int start(void *root, struct weir_why *why)
{
	static struct osmo_timer_list second, heal;
	struct keeper *keeper = root;
	int rc;

	stand_back();
	keeper->started_ms = daemon_now_ms();
	rc = make_state_dir(daemon_state_dir(), why);
	if (rc == 0)
		rc = lock_state_dir(keeper, daemon_state_dir(), why);
	if (rc == 0) {
		start_seen(keeper);
		rc = start_lists(keeper, why);
	}
	if (rc == 0)
		rc = start_http(keeper, why);
	if (rc < 0)
		return rc;
	api_jobs_resume(keeper->jobs);
	osmo_timer_setup(&heal, heal_cb, keeper);
	keeper->heal = &heal;
	osmo_timer_setup(&second, second_cb, keeper);
	keeper->second = &second;
	osmo_timer_schedule(keeper->second, 1, 0);
	daemon_metrics_hook(keeper_metrics, keeper);
	LOGP(DMAIN, LOGL_NOTICE, "the API is at %s/%s\n", daemon_state_dir(), KEEPER_SOCKET);
	return 0;
}

static bool ready(void *root, struct weir_why *why)
{
	return keeper_is_ready(root, why);
}

/* --- end -------------------------------------------------------------------------------------------------------- */

/* Nobody new, who waits is answered, then the loop ends; what is open is closed in fini. */
static void stop(void *root)
{
	struct keeper *keeper = root;

	if (keeper->turn)
		turn_flush(keeper->turn, daemon_now_ms());
	http_close(keeper->http);
	keeper->http = NULL;
	daemon_quit();
}

static void fini(void *root)
{
	struct keeper *keeper = root;

	if (keeper->second) {
		osmo_timer_del(keeper->second);
		osmo_timer_del(keeper->heal);
	}
	http_close(keeper->http);
	keeper->http = NULL;
	api_jobs_free(keeper->jobs);
	turn_free(keeper->turn);
	if (keeper->lists)
		lists_close(keeper->lists);
	orders_free(keeper->orders);
	seen_socket_close(keeper->seen_socket);
	seen_close(keeper->seen);
	policy_free(keeper->policy);
	if (keeper->lock_fd >= 0)
		close(keeper->lock_fd);
}

int main(int argc, char **argv)
{
	static struct keeper keeper = {.lock_fd = -1};
	static const struct daemon_spec spec = {
		.name = "weir-keeper",
		.sentence =
			"Weir's keeper: the ledger, the lists and the register, with an HTTP API on STATE/keeper.sock.",
		.log_info = &log_info,
		.log_category = DMAIN,
		.vty_port = VTY_PORT,
		.ctrl_port = CTRL_PORT,
		.admin_port = ADMIN_PORT,
		.root = &keeper,
		.config_begin = config_begin,
		.config_commit = config_commit,
		.config_abort = config_abort,
		.start = start,
		.ready = ready,
		.stop = stop,
		.fini = fini,
		.vty_init = keeper_vty_init,
	};

	return daemon_main(&spec, argc, argv);
}
