/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The nodes `admin` and `ctrl`.  libosmoctrl 1.7.0 has a node `ctrl` of its own, but its `bind` takes no port, so two
 * daemons on one machine could not both be moved.  Commands only write the draft. */
#include "daemon/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#include "daemon/daemon.h"

static struct nodes *the_nodes; /* commands carry no pointer */

static struct cmd_node admin_node = {
	.node = DAEMON_ADMIN_NODE, .prompt = "%s(config-admin)# ", .vtysh = 1, .name = "admin"};
static struct cmd_node ctrl_node = {.node = L_CTRL_NODE, .prompt = "%s(config-ctrl)# ", .vtysh = 1, .name = "ctrl"};

static void set_port(struct node_port *port, const char *addr, int number)
{
	snprintf(port->addr, sizeof(port->addr), "%s", addr);
	port->port = (uint16_t)number;
	port->on = true;
}

static bool is_default(const struct node_port *port, const struct node_port *def)
{
	return port->on == def->on && port->port == def->port && !strcmp(port->addr, def->addr);
}

DEFUN(cfg_admin, cfg_admin_cmd, "admin", "Metrics and health over HTTP, for this machine only\n")
{
	vty->node = DAEMON_ADMIN_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_admin_listen, cfg_admin_listen_cmd, "listen " VTY_IPV4_CMD " <1-65535>",
      "Answer GET /metrics, /livez and /readyz\n"
      "Local address, on loopback\n"
      "TCP port\n")
{
	if (strncmp(argv[0], "127.", 4)) {
		vty_out(vty,
			"%% %s is not on loopback, and this port has neither login nor encryption; 127.0.0.1 would be "
			"right%s",
			argv[0], VTY_NEWLINE);
		return CMD_WARNING;
	}
	set_port(&the_nodes->draft.admin, argv[0], atoi(argv[1]));
	return CMD_SUCCESS;
}

DEFUN(cfg_admin_no_listen, cfg_admin_no_listen_cmd, "no listen", NO_STR "Answer nothing: no metrics and no health\n")
{
	the_nodes->draft.admin.on = false;
	return CMD_SUCCESS;
}

static int write_admin(struct vty *vty)
{
	if (is_default(&the_nodes->draft.admin, &the_nodes->defaults.admin))
		return 0;
	vty_out(vty, "admin%s", VTY_NEWLINE);
	if (the_nodes->draft.admin.on)
		vty_out(vty, " listen %s %u%s", the_nodes->draft.admin.addr, the_nodes->draft.admin.port, VTY_NEWLINE);
	else
		vty_out(vty, " no listen%s", VTY_NEWLINE);
	return 1;
}

DEFUN(cfg_ctrl, cfg_ctrl_cmd, "ctrl", "The control interface for programs\n")
{
	vty->node = L_CTRL_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_ctrl_bind, cfg_ctrl_bind_cmd, "bind " VTY_IPV4_CMD " [<1-65535>]",
      "Where to listen, from the next start on\n"
      "Local address\n"
      "TCP port\n")
{
	set_port(&the_nodes->draft.ctrl, argv[0], argc > 1 ? atoi(argv[1]) : the_nodes->defaults.ctrl.port);
	return CMD_SUCCESS;
}

static int write_ctrl(struct vty *vty)
{
	if (is_default(&the_nodes->draft.ctrl, &the_nodes->defaults.ctrl))
		return 0;
	vty_out(vty, "ctrl%s", VTY_NEWLINE);
	vty_out(vty, " bind %s %u%s", the_nodes->draft.ctrl.addr, the_nodes->draft.ctrl.port, VTY_NEWLINE);
	return 1;
}

void nodes_init(struct nodes *nodes)
{
	the_nodes = nodes;
	install_node(&admin_node, write_admin);
	install_element(CONFIG_NODE, &cfg_admin_cmd);
	install_element(DAEMON_ADMIN_NODE, &cfg_admin_listen_cmd);
	install_element(DAEMON_ADMIN_NODE, &cfg_admin_no_listen_cmd);
	install_node(&ctrl_node, write_ctrl);
	install_element(CONFIG_NODE, &cfg_ctrl_cmd);
	install_element(L_CTRL_NODE, &cfg_ctrl_bind_cmd);
}
