/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Configuration commands of the nodes `traffic` and `gsup`.  They write the draft and nothing else; the daemon
 * publishes it when the text was read or the node is left.  A value that is refused is told in one sentence. */
#include "gate/vty.h"

#include <stdlib.h>
#include <string.h>

#include <osmocom/vty/vty.h>

#include "gate/gate.h"

struct gate *the_gate;

static struct cmd_node gsup_node = {.node = GSUP_NODE, .prompt = "%s(config-gsup)# ", .vtysh = 1, .name = "gsup"};
static struct cmd_node traffic_node = {
	.node = TRAFFIC_NODE, .prompt = "%s(config-traffic)# ", .vtysh = 1, .name = "traffic"};

#define ADDRESS_HELP "IPv4 address\nIPv6 address\n"
#define PORT_HELP    "TCP port\n"

int gate_vty_said(struct vty *vty, int rc, const struct weir_why *why)
{
	if (rc >= 0)
		return CMD_SUCCESS;
	vty_out(vty, "%% %s%s", why->text, VTY_NEWLINE);
	return CMD_WARNING;
}

bool gate_vty_not_started(struct vty *vty)
{
	if (the_gate->started)
		return false;
	vty_out(vty, "%% weir-gate has not started yet%s", VTY_NEWLINE);
	return true;
}

/* --- traffic */

DEFUN(cfg_traffic, cfg_traffic_cmd, "traffic", "All connections that carry checks\n")
{
	vty->node = TRAFFIC_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_max_connections, cfg_max_connections_cmd, "max-connections <2-65000>",
      "Connections of peers at a time, those to the HLR not counted; more are closed at once\nHow many\n")
{
	the_gate->draft->max_connections = atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_capacity, cfg_capacity_cmd, "capacity <1-100000000>",
      "Checks a second that the gate takes on over S13 and N5g; more are refused, the least urgent first\nHow many\n")
{
	the_gate->draft->capacity = (uint32_t)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_capacity, cfg_no_capacity_cmd, "no capacity", NO_STR "Take on whatever comes\n")
{
	the_gate->draft->capacity = 0;
	return CMD_SUCCESS;
}

static int write_traffic(struct vty *vty)
{
	vty_out(vty, "traffic%s max-connections %u%s", VTY_NEWLINE, the_gate->draft->max_connections, VTY_NEWLINE);
	if (the_gate->draft->capacity)
		vty_out(vty, " capacity %u%s", the_gate->draft->capacity, VTY_NEWLINE);
	return 1;
}

/* --- gsup */

DEFUN(cfg_gsup, cfg_gsup_cmd, "gsup", "GSUP: MSCs and SGSNs of Osmocom, and their HLR\n")
{
	vty->node = GSUP_NODE;
	return CMD_SUCCESS;
}

DEFUN(cfg_hlr, cfg_hlr_cmd, "hlr " VTY_IPV46_CMD " <1-65535>",
      "The HLR behind us: all but equipment checks is passed through to it\n" ADDRESS_HELP PORT_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, config_set_hlr(&the_gate->draft->gsup, argv[0], atoi(argv[1]), &why), &why);
}

DEFUN(cfg_no_hlr, cfg_no_hlr_cmd, "no hlr", NO_STR "There is no HLR: answer checks alone and refuse other requests\n")
{
	the_gate->draft->gsup.hlr = (struct gate_address){0};
	return CMD_SUCCESS;
}

#define CHECK_IMEI_HELP "The HLR behind us\nWhat the HLR hears of checks that we accepted\n"

DEFUN(cfg_check_imei, cfg_check_imei_cmd, "hlr check-imei (answer-first|never)",
      CHECK_IMEI_HELP "Our answer goes out at once; the HLR is told and its answer absorbed\nThe HLR is not told\n")
{
	the_gate->draft->gsup.check_mode = strcmp(argv[0], "never") ? GSUP_ANSWER_FIRST : GSUP_NEVER;
	return CMD_SUCCESS;
}

DEFUN(cfg_check_imei_wait, cfg_check_imei_wait_cmd, "hlr check-imei wait <100-4000>",
      CHECK_IMEI_HELP "The HLR's own answer goes out if it comes in time, ours otherwise\n"
		      "Milliseconds; the client gives up after 5000\n")
{
	the_gate->draft->gsup.check_mode = GSUP_WAIT;
	the_gate->draft->gsup.wait_ms = atoi(argv[0]);
	return CMD_SUCCESS;
}

static void write_hlr(struct vty *vty, const struct gsup_config *gsup)
{
	char text[GATE_ADDRESS_TEXT];

	if (gsup->hlr.family)
		vty_out(vty, " hlr %s %u%s", address_print(text, &gsup->hlr), gsup->hlr.port, VTY_NEWLINE);
	if (gsup->check_mode == GSUP_WAIT)
		vty_out(vty, " hlr check-imei wait %u%s", gsup->wait_ms, VTY_NEWLINE);
	else
		vty_out(vty, " hlr check-imei %s%s", gsup->check_mode == GSUP_NEVER ? "never" : "answer-first",
			VTY_NEWLINE);
}

static int write_gsup(struct vty *vty)
{
	const struct gsup_config *gsup = &the_gate->draft->gsup;

	vty_out(vty, "gsup%s", VTY_NEWLINE);
	door_vty_write(vty, &gsup->door);
	write_hlr(vty, gsup);
	return 1;
}

void gate_vty_init(void *gate)
{
	the_gate = gate;
	install_node(&traffic_node, write_traffic);
	install_element(CONFIG_NODE, &cfg_traffic_cmd);
	install_element(TRAFFIC_NODE, &cfg_max_connections_cmd);
	install_element(TRAFFIC_NODE, &cfg_capacity_cmd);
	install_element(TRAFFIC_NODE, &cfg_no_capacity_cmd);
	install_node(&gsup_node, write_gsup);
	install_element(CONFIG_NODE, &cfg_gsup_cmd);
	door_vty_install(GSUP_NODE);
	install_element(GSUP_NODE, &cfg_hlr_cmd);
	install_element(GSUP_NODE, &cfg_no_hlr_cmd);
	install_element(GSUP_NODE, &cfg_check_imei_cmd);
	install_element(GSUP_NODE, &cfg_check_imei_wait_cmd);
	gate_s13_vty_init();
	gate_n5g_vty_init();
	gate_nrf_vty_init();
	gate_policy_vty_init();
	gate_show_init();
}
