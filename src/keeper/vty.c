/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper's configuration and show commands.  Commands write to the draft; main.c takes it over whole. */
#include "keeper/main.h"

#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/when.h"
#include "daemon/daemon.h"
#include "keeper/api_job.h"
#include "keeper/http.h"
#include "keeper/lists.h"
#include "keeper/seen.h"
#include "keeper/turn.h"
#include "register/register.h"

enum keeper_node {
	API_NODE = _LAST_OSMOVTY_NODE + 1,
	SEEN_NODE,
};

#define CONNECTIONS_DEFAULT 512
#define TIMEOUT_DEFAULT     10
#define SEEN_MAX_DEFAULT    5000000
#define SEEN_DAYS_DEFAULT   30

static struct keeper *the_keeper; /* commands carry no pointer */

void keeper_config_init(struct keeper_config *config)
{
	*config = (struct keeper_config){
		.connections = CONNECTIONS_DEFAULT,
		.request_timeout_s = TIMEOUT_DEFAULT,
		.seen_max = SEEN_MAX_DEFAULT,
		.seen_days = SEEN_DAYS_DEFAULT,
	};
}

static int refuse(struct vty *vty, const char *sentence)
{
	vty_out(vty, "%% %s%s", sentence, VTY_NEWLINE);
	return CMD_WARNING;
}

/* --- node api --------------------------------------------------------------------------------------------------- */

static struct cmd_node api_node = {.node = API_NODE, .prompt = "%s(config-api)# ", .vtysh = 1, .name = "api"};

DEFUN(cfg_api, cfg_api_cmd, "api", "The HTTP API on STATE/keeper.sock\n")
{
	vty->node = API_NODE;
	return CMD_SUCCESS;
}

static int allow(struct vty *vty, enum http_allow_kind kind, const char *name, const char *right)
{
	struct weir_why why = {0};

	if (http_access_allow(&the_keeper->draft.access, kind, name, strcmp(right, "write") ? HTTP_READ : HTTP_WRITE,
			      &why) < 0)
		return refuse(vty, why.text);
	return CMD_SUCCESS;
}

static int deny(struct vty *vty, enum http_allow_kind kind, const char *name)
{
	if (http_access_remove(&the_keeper->draft.access, kind, name) < 0)
		return refuse(vty, "there is no such rule");
	return CMD_SUCCESS;
}

#define ALLOW_STR "Let others than root and the keeper's own user in\n"
#define RIGHT_STR "May ask\nMay ask and change\n"

DEFUN(cfg_allow_uid, cfg_allow_uid_cmd, "allow uid <0-4294967294> (read|write)",
      ALLOW_STR "A user by number\nThe number\n" RIGHT_STR)
{
	return allow(vty, HTTP_ALLOW_UID, argv[0], argv[1]);
}

DEFUN(cfg_allow_user, cfg_allow_user_cmd, "allow user NAME (read|write)",
      ALLOW_STR "A user by name\nThe name\n" RIGHT_STR)
{
	return allow(vty, HTTP_ALLOW_USER, argv[0], argv[1]);
}

DEFUN(cfg_allow_group, cfg_allow_group_cmd, "allow group NAME (read|write)",
      ALLOW_STR "The members of a group\nIts name\n" RIGHT_STR)
{
	return allow(vty, HTTP_ALLOW_GROUP, argv[0], argv[1]);
}

DEFUN(cfg_no_allow_uid, cfg_no_allow_uid_cmd, "no allow uid <0-4294967294>",
      NO_STR ALLOW_STR "A user by number\nThe number\n")
{
	return deny(vty, HTTP_ALLOW_UID, argv[0]);
}

DEFUN(cfg_no_allow_user, cfg_no_allow_user_cmd, "no allow user NAME", NO_STR ALLOW_STR "A user by name\nThe name\n")
{
	return deny(vty, HTTP_ALLOW_USER, argv[0]);
}

DEFUN(cfg_no_allow_group, cfg_no_allow_group_cmd, "no allow group NAME",
      NO_STR ALLOW_STR "The members of a group\nIts name\n")
{
	return deny(vty, HTTP_ALLOW_GROUP, argv[0]);
}

DEFUN(cfg_connections, cfg_connections_cmd, "connections <8-4096>",
      "Connections at a time; more wait (in force after a restart)\nHow many\n")
{
	the_keeper->draft.connections = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_timeout, cfg_timeout_cmd, "request-timeout <1-600>",
      "Time for a request's head; then, and for bodies at 4 kB/s, it is cut\nSeconds\n")
{
	the_keeper->draft.request_timeout_s = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

static int write_api(struct vty *vty)
{
	const struct keeper_config *config = &the_keeper->draft;

	vty_out(vty, "api%s", VTY_NEWLINE);
	for (unsigned i = 0; i < config->access.n; i++) {
		const struct http_allow *rule = &config->access.allow[i];

		vty_out(vty, " allow %s %s %s%s", http_allow_kind_name(rule->kind), rule->name,
			rule->right == HTTP_WRITE ? "write" : "read", VTY_NEWLINE);
	}
	if (config->connections != CONNECTIONS_DEFAULT)
		vty_out(vty, " connections %u%s", config->connections, VTY_NEWLINE);
	if (config->request_timeout_s != TIMEOUT_DEFAULT)
		vty_out(vty, " request-timeout %u%s", config->request_timeout_s, VTY_NEWLINE);
	return CMD_SUCCESS;
}

/* --- node seen -------------------------------------------------------------------------------------------------- */

static struct cmd_node seen_node = {.node = SEEN_NODE, .prompt = "%s(config-seen)# ", .vtysh = 1, .name = "seen"};

DEFUN(cfg_seen, cfg_seen_cmd, "seen", "Who was seen in which device\n")
{
	vty->node = SEEN_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_seen_max, cfg_seen_max_cmd, "max-entries <1-100000000>",
      "Pairs of device and subscriber that are kept; more are dropped\nHow many\n")
{
	the_keeper->draft.seen_max = strtoull(argv[0], NULL, 10);
	return CMD_SUCCESS;
}

DEFUN(cfg_seen_days, cfg_seen_days_cmd, "days <1-3650>", "How long after it was last seen a pair is kept\nDays\n")
{
	the_keeper->draft.seen_days = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

static int write_seen(struct vty *vty)
{
	const struct keeper_config *config = &the_keeper->draft;

	vty_out(vty, "seen%s", VTY_NEWLINE);
	if (config->seen_max != SEEN_MAX_DEFAULT)
		vty_out(vty, " max-entries %llu%s", (unsigned long long)config->seen_max, VTY_NEWLINE);
	if (config->seen_days != SEEN_DAYS_DEFAULT)
		vty_out(vty, " days %u%s", config->seen_days, VTY_NEWLINE);
	return CMD_SUCCESS;
}

/* --- show ------------------------------------------------------------------------------------------------------- */

static void show_register(struct vty *vty)
{
	struct weir_register *reg = lists_register(the_keeper->lists);
	struct register_meta meta;

	if (!reg || register_meta(reg, &meta) < 0) {
		vty_out(vty, " Register: not open%s", VTY_NEWLINE);
		return;
	}
	vty_out(vty, " Register: serial %llu, lag %llu, generation %llu; %llu devices, %llu ranges, %llu pairs%s",
		(unsigned long long)meta.serial, (unsigned long long)lists_lag(the_keeper->lists),
		(unsigned long long)meta.generation, (unsigned long long)meta.devices, (unsigned long long)meta.ranges,
		(unsigned long long)meta.pairs, VTY_NEWLINE);
}

static void show_seen(struct vty *vty)
{
	struct seen_stats stats;

	if (!the_keeper->seen) {
		vty_out(vty, " Sightings: store not open%s", VTY_NEWLINE);
		return;
	}
	seen_stats(the_keeper->seen, &stats);
	vty_out(vty, " Sightings: %llu pairs kept, %llu noted, %llu dropped, %llu expired%s",
		(unsigned long long)stats.entries, (unsigned long long)stats.noted, (unsigned long long)stats.dropped,
		(unsigned long long)stats.expired, VTY_NEWLINE);
}

DEFUN(show_status, show_status_cmd, "show status", SHOW_STR "Ledger, register, API and sightings at a glance\n")
{
	const struct turn_stats *turns;
	struct weir_why why = {0};
	struct ledger_head head;
	char when[WEIR_WHEN_TEXT];

	if (!the_keeper->http)
		return refuse(vty, "the keeper is not running");
	ledger_head(lists_ledger(the_keeper->lists), &head);
	turns = turn_stats(the_keeper->turn);
	vty_out(vty, "weir-keeper %s: %s%s%s%s", PACKAGE_VERSION,
		keeper_is_ready(the_keeper, &why) ? "ready" : "not ready", *why.text ? ", " : "", why.text,
		VTY_NEWLINE);
	vty_out(vty, " Ledger: serial %llu, epoch %u, last event %s%s", (unsigned long long)head.serial, head.epoch,
		head.time_ms ? when_print(when, head.time_ms) : "none yet", VTY_NEWLINE);
	show_register(vty);
	vty_out(vty, " API: %u connections; %llu changes in %llu commits, %llu failed%s",
		http_stats(the_keeper->http)->connections, (unsigned long long)turns->changes,
		(unsigned long long)turns->commits, (unsigned long long)turns->failed, VTY_NEWLINE);
	show_seen(vty);
	return CMD_SUCCESS;
}

DEFUN(show_sources, show_sources_cmd, "show sources", SHOW_STR "Sources and how much each lists\n")
{
	struct weir_source sources[256];
	int n = the_keeper->lists ? lists_sources(the_keeper->lists, sources, 256) : 0;

	vty_out(vty, "%-32s %12s %8s %8s %12s%s", "source", "devices", "ranges", "pairs", "serial", VTY_NEWLINE);
	for (int i = 0; i < n; i++)
		vty_out(vty, "%-32s %12llu %8llu %8llu %12llu%s", sources[i].name,
			(unsigned long long)sources[i].devices, (unsigned long long)sources[i].ranges,
			(unsigned long long)sources[i].pairs, (unsigned long long)sources[i].serial, VTY_NEWLINE);
	return CMD_SUCCESS;
}

DEFUN(show_import, show_import_cmd, "show import", SHOW_STR "The import under way\n")
{
	struct api_import_state state;

	if (!the_keeper->jobs || !api_import_state(the_keeper->jobs, &state)) {
		vty_out(vty, "no import is under way%s", VTY_NEWLINE);
		return CMD_SUCCESS;
	}
	vty_out(vty, "source %s: %s, %llu of %llu%s%s%s", state.source, state.phase, (unsigned long long)state.done,
		(unsigned long long)state.total, state.dry_run ? ", dry run" : "",
		state.resumed ? ", resumed after a restart" : "", VTY_NEWLINE);
	return CMD_SUCCESS;
}

void keeper_vty_init(void *root)
{
	the_keeper = root;
	install_node(&api_node, write_api);
	install_element(CONFIG_NODE, &cfg_api_cmd);
	install_element(API_NODE, &cfg_allow_uid_cmd);
	install_element(API_NODE, &cfg_allow_user_cmd);
	install_element(API_NODE, &cfg_allow_group_cmd);
	install_element(API_NODE, &cfg_no_allow_uid_cmd);
	install_element(API_NODE, &cfg_no_allow_user_cmd);
	install_element(API_NODE, &cfg_no_allow_group_cmd);
	install_element(API_NODE, &cfg_connections_cmd);
	install_element(API_NODE, &cfg_timeout_cmd);
	install_node(&seen_node, write_seen);
	install_element(CONFIG_NODE, &cfg_seen_cmd);
	install_element(SEEN_NODE, &cfg_seen_max_cmd);
	install_element(SEEN_NODE, &cfg_seen_days_cmd);
	install_element_ve(&show_status_cmd);
	install_element_ve(&show_sources_cmd);
	install_element_ve(&show_import_cmd);
}
