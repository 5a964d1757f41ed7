/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Configuration commands of the node `s13` that no other interface has; listen, peer, rate and tls are door_vty.c's.
 * They write the draft and nothing else. */
#include "gate/vty.h"

#include <stdlib.h>

#include <osmocom/vty/vty.h>

#include "gate/gate.h"

static struct cmd_node s13_node = {.node = S13_NODE, .prompt = "%s(config-s13)# ", .vtysh = 1, .name = "s13"};

static struct s13_config *draft(void)
{
	return &the_gate->draft->s13;
}

DEFUN(cfg_s13, cfg_s13_cmd, "s13", "Diameter S13 and S13': MMEs and SGSNs, directly or through agents\n")
{
	vty->node = S13_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_origin_host, cfg_origin_host_cmd, "origin-host NAME",
      "Our own Diameter name; peers that are connected are asked to come again when it changes\n"
      "Such as eir.epc.mnc001.mcc001.3gppnetwork.org\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_set_name(draft()->origin_host, argv[0], &why), &why);
}

DEFUN(cfg_origin_realm, cfg_origin_realm_cmd, "origin-realm NAME",
      "Our own Diameter realm, which is served\nSuch as epc.mnc001.mcc001.3gppnetwork.org\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_set_name(draft()->origin_realm, argv[0], &why), &why);
}

#define REALM_HELP "A realm that is served besides our own; its clients are not foreign\n"

DEFUN(cfg_realm, cfg_realm_cmd, "realm NAME", REALM_HELP "The realm\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_add_realm(draft(), argv[0], &why), &why);
}

DEFUN(cfg_no_realm, cfg_no_realm_cmd, "no realm NAME", NO_STR REALM_HELP "The realm as it was given\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_del_realm(draft(), argv[0], &why), &why);
}

#define AGENT_HELP "A peer that may ask for others: a relay or proxy; the `peer` rules must allow it too\n"

DEFUN(cfg_agent, cfg_agent_cmd, "agent NAME", AGENT_HELP "Its Origin-Host, or the beginning of such and '*'\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_add_agent(draft(), argv[0], &why), &why);
}

DEFUN(cfg_no_agent, cfg_no_agent_cmd, "no agent NAME", NO_STR AGENT_HELP "Its name as it was given\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_del_agent(draft(), argv[0], &why), &why);
}

DEFUN(cfg_watchdog, cfg_watchdog_cmd, "watchdog <6-600>",
      "Ask a peer that was silent for so long whether it is there (RFC 3539)\nSeconds, 2 more or less\n")
{
	draft()->watchdog_s = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_connections, cfg_connections_cmd, "connections-per-peer <1-16>",
      "How many connections one peer may have; above it the oldest is told to go\nHow many\n")
{
	draft()->connections_per_peer = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

#define FOREIGN_HELP "Clients of realms that are not served\n"

DEFUN(cfg_foreign_limit, cfg_foreign_limit_cmd, "foreign limit <1-10000000>",
      FOREIGN_HELP "More of each client is refused as too busy\nChecks a second\n")
{
	draft()->foreign_refuse = false;
	draft()->foreign_limit = (uint32_t)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_foreign_refuse, cfg_foreign_refuse_cmd, "foreign refuse", FOREIGN_HELP "They may not ask\n")
{
	draft()->foreign_refuse = true;
	return CMD_SUCCESS;
}

static int write_s13(struct vty *vty)
{
	const struct s13_config *s13 = draft();

	vty_out(vty, "s13%s", VTY_NEWLINE);
	if (s13->origin_host[0])
		vty_out(vty, " origin-host %s%s", s13->origin_host, VTY_NEWLINE);
	if (s13->origin_realm[0])
		vty_out(vty, " origin-realm %s%s", s13->origin_realm, VTY_NEWLINE);
	for (unsigned i = 0; i < s13->n_realms; i++)
		vty_out(vty, " realm %s%s", s13->realm[i], VTY_NEWLINE);
	door_vty_write(vty, &s13->door);
	for (unsigned i = 0; i < s13->n_agents; i++)
		vty_out(vty, " agent %s%s", s13->agent[i], VTY_NEWLINE);
	vty_out(vty, " watchdog %u%s connections-per-peer %u%s", s13->watchdog_s, VTY_NEWLINE,
		s13->connections_per_peer, VTY_NEWLINE);
	if (s13->foreign_refuse)
		vty_out(vty, " foreign refuse%s", VTY_NEWLINE);
	else
		vty_out(vty, " foreign limit %u%s", s13->foreign_limit, VTY_NEWLINE);
	return 1;
}

void gate_s13_vty_init(void)
{
	struct cmd_element *const commands[] = {
		&cfg_origin_host_cmd,   &cfg_origin_realm_cmd,   &cfg_realm_cmd,    &cfg_no_realm_cmd,
		&cfg_agent_cmd,         &cfg_no_agent_cmd,       &cfg_watchdog_cmd, &cfg_connections_cmd,
		&cfg_foreign_limit_cmd, &cfg_foreign_refuse_cmd,
	};

	install_node(&s13_node, write_s13);
	install_element(CONFIG_NODE, &cfg_s13_cmd);
	door_vty_install(S13_NODE);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		install_element(S13_NODE, commands[i]);
}
