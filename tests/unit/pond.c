/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A small daemon on the daemon room, for tests: a pond with a depth, a name and inlets.  It has what the real ones
 * have: a draft that is published whole or not at all, commands that refuse, counters, gauges, readiness, an end that
 * takes a while.  It keeps a file in the state directory to show when state is touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/rate_ctr.h>
#include <osmocom/core/stat_item.h>
#include <osmocom/core/timer.h>
#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#include "daemon/daemon.h"

enum {
	DMAIN
};

enum {
	POND_NODE = _LAST_OSMOVTY_NODE + 1,
	INLET_NODE
};

struct pond_config {
	int depth, limit;
	char name[32];
	char inlet[32];
	int flow;
	int slow_ms; /* how long the end takes */
};

static struct pond {
	struct pond_config draft, now;
	struct rate_ctr_group *counters, *named, *lot[2];
	struct osmo_stat_item_group *gauges;
	struct osmo_timer_list end;
	char state[300];
} pond;

static const struct log_info_cat categories[] = {
	[DMAIN] = {.name = "DMAIN", .description = "Main", .enabled = 1, .loglevel = LOGL_NOTICE},
};
static const struct log_info log_info = {.cat = categories, .num_cat = 1};

static const struct rate_ctr_desc counter_rows[] = {{"fish:in", "Fish that came"},
						    {"fish:total", "All fish\nand more"}};
static const struct rate_ctr_group_desc counter_group = {"pond.gate", "The gate", 0, 2, counter_rows};
static const struct rate_ctr_desc named_rows[] = {{"drops", "Drops that fell"}};
static const struct rate_ctr_group_desc named_group = {"inlet", "An inlet", 0, 1, named_rows};
static const struct rate_ctr_desc lot_rows[] = {{"used", "How often"}};
static const struct rate_ctr_group_desc lot_group = {"lot.of", "One of several; the dot makes libosmocore copy this", 0,
						     1, lot_rows};
static const struct osmo_stat_item_desc gauge_rows[] = {{"level:total", "Level", "cm", 0, -3}};
static const struct osmo_stat_item_group_desc gauge_group = {"pond", "The pond", 0, 1, gauge_rows};

static struct cmd_node pond_node = {.node = POND_NODE, .prompt = "%s(config-pond)# ", .vtysh = 1};
static struct cmd_node inlet_node = {.node = INLET_NODE, .prompt = "%s(config-inlet)# ", .vtysh = 1};

DEFUN(cfg_pond, cfg_pond_cmd, "pond", "The pond\n")
{
	vty->node = POND_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_depth, cfg_depth_cmd, "depth <1-100>", "How deep\nin cm\n")
{
	pond.draft.depth = atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_name, cfg_name_cmd, "name NAME", "What it is called\nThe name\n")
{
	if (strlen(argv[0]) >= sizeof(pond.draft.name)) {
		vty_out(vty, "%% the name \"%s\" is too long; 31 letters are enough%s", argv[0], VTY_NEWLINE);
		return CMD_WARNING;
	}
	snprintf(pond.draft.name, sizeof(pond.draft.name), "%s", argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_limit, cfg_limit_cmd, "limit <1-100>", "Greatest depth\nin cm\n")
{
	pond.draft.limit = atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_slow, cfg_slow_cmd, "slow-end <0-60000>", "How long the end takes\nin ms\n")
{
	pond.draft.slow_ms = atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_inlet, cfg_inlet_cmd, "inlet NAME", "An inlet\nIts name\n")
{
	snprintf(pond.draft.inlet, sizeof(pond.draft.inlet), "%s", argv[0]);
	vty->node = INLET_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_flow, cfg_flow_cmd, "flow (slow|fast)", "How it flows\nSlowly\nFast\n")
{
	pond.draft.flow = !strcmp(argv[0], "fast");
	return CMD_SUCCESS;
}

DEFUN(show_pond, show_pond_cmd, "show pond", SHOW_STR "The pond\n")
{
	vty_out(vty, "depth %d name %s inlet %s %s%s", pond.now.depth, pond.now.name, pond.now.inlet,
		pond.now.flow ? "fast" : "slow", VTY_NEWLINE);
	return CMD_SUCCESS;
}

static int write_pond(struct vty *vty)
{
	vty_out(vty, "pond%s depth %d%s name %s%s", VTY_NEWLINE, pond.draft.depth, VTY_NEWLINE, pond.draft.name,
		VTY_NEWLINE);
	if (pond.draft.limit != 90)
		vty_out(vty, " limit %d%s", pond.draft.limit, VTY_NEWLINE);
	if (pond.draft.slow_ms)
		vty_out(vty, " slow-end %d%s", pond.draft.slow_ms, VTY_NEWLINE);
	if (pond.draft.inlet[0])
		vty_out(vty, " inlet %s%s  flow %s%s", pond.draft.inlet, VTY_NEWLINE, pond.draft.flow ? "fast" : "slow",
			VTY_NEWLINE);
	return 1;
}

static void on_vty_init(void *root)
{
	(void)root;
	install_node(&pond_node, write_pond);
	install_element(CONFIG_NODE, &cfg_pond_cmd);
	install_element(POND_NODE, &cfg_depth_cmd);
	install_element(POND_NODE, &cfg_name_cmd);
	install_element(POND_NODE, &cfg_limit_cmd);
	install_element(POND_NODE, &cfg_slow_cmd);
	install_element(POND_NODE, &cfg_inlet_cmd);
	install_node(&inlet_node, NULL);
	install_element(INLET_NODE, &cfg_flow_cmd);
	install_element_ve(&show_pond_cmd);
}

static int on_config_begin(void *root)
{
	(void)root;
	pond.draft = (struct pond_config){.depth = 10, .limit = 90, .name = "unnamed"};
	return 0;
}

static int on_config_commit(void *root, struct weir_why *why)
{
	(void)root;
	if (pond.draft.depth > pond.draft.limit)
		return why_set(why, -22, "depth %d is beyond limit %d", pond.draft.depth, pond.draft.limit);
	pond.now = pond.draft;
	return 0;
}

static void on_config_abort(void *root)
{
	(void)root;
	pond.draft = pond.now;
}

static void add_more(struct daemon_text *out, void *data)
{
	(void)data;
	daemon_text_add(out, "# HELP weir_pond_hook From a hook\n# TYPE weir_pond_hook gauge\nweir_pond_hook %d\n",
			pond.now.depth);
}

static int on_start(void *root, struct weir_why *why)
{
	FILE *file;

	(void)root;
	snprintf(pond.state, sizeof(pond.state), "%s/pond", daemon_state_dir());
	file = fopen(pond.state, "w");
	if (!file)
		return why_set(why, -2, "%s cannot be written", pond.state);
	fclose(file);
	pond.counters = rate_ctr_group_alloc(NULL, &counter_group, 0);
	pond.named = rate_ctr_group_alloc(NULL, &named_group, 0);
	rate_ctr_group_set_name(pond.named, "a\"b\\c\nd");
	pond.lot[0] = rate_ctr_group_alloc(NULL, &lot_group, 0);
	pond.lot[1] = rate_ctr_group_alloc(NULL, &lot_group, 3);
	rate_ctr_add(rate_ctr_group_get_ctr(pond.lot[1], 0), 4);
	pond.gauges = osmo_stat_item_group_alloc(NULL, &gauge_group, 0);
	rate_ctr_add(rate_ctr_group_get_ctr(pond.counters, 0), 7);
	daemon_metrics_hook(add_more, NULL);
	return 0;
}

static bool on_ready(void *root, struct weir_why *why)
{
	(void)root;
	if (!strcmp(pond.now.name, "dry")) {
		why_set(why, 0, "the pond is dry");
		return false;
	}
	return true;
}

static void end_now(void *data)
{
	(void)data;
	daemon_quit();
}

static void on_stop(void *root)
{
	(void)root;
	osmo_timer_setup(&pond.end, end_now, NULL);
	osmo_timer_schedule(&pond.end, pond.now.slow_ms / 1000, pond.now.slow_ms % 1000 * 1000);
}

static void on_fini(void *root)
{
	(void)root;
	osmo_timer_del(&pond.end);
	if (pond.counters) {
		rate_ctr_group_free(pond.counters);
		rate_ctr_group_free(pond.named);
		rate_ctr_group_free(pond.lot[0]);
		rate_ctr_group_free(pond.lot[1]);
		osmo_stat_item_group_free(pond.gauges);
	}
	printf("pond: ended\n");
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "pond",
		.sentence = "A pond, to test what daemons stand on.",
		.log_info = &log_info,
		.log_category = DMAIN,
		.vty_port = 4279,
		.ctrl_port = 4280,
		.admin_port = 9280,
		.root = &pond,
		.vty_init = on_vty_init,
		.config_begin = on_config_begin,
		.config_commit = on_config_commit,
		.config_abort = on_config_abort,
		.start = on_start,
		.ready = on_ready,
		.stop = on_stop,
		.fini = on_fini,
	};

	return daemon_main(&spec, argc, argv);
}
