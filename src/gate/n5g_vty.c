/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Configuration commands of the node `n5g`, besides those that every interface has (door_vty.c).  They write the draft
 * and nothing else. */
#include "gate/vty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/vty/vty.h>

#include "gate/gate.h"
#include "gate/h2.h"

static struct cmd_node n5g_node = {.node = N5G_NODE, .prompt = "%s(config-n5g)# ", .vtysh = 1, .name = "n5g"};

static struct n5g_config *draft(void)
{
	return &the_gate->draft->n5g;
}

DEFUN(cfg_n5g, cfg_n5g_cmd, "n5g", "N5g-eir: AMFs of the 5G core, over HTTP/2\n")
{
	vty->node = N5G_NODE;
	return CMD_SUCCESS;
}

#define INSTANCE_HELP "Our identity in the 5G core\nNF instance id\n"

DEFUN(cfg_instance, cfg_instance_cmd, "nf-instance-id UUID",
      INSTANCE_HELP "UUID, for example 4947a69a-f61b-4bc1-b9da-47c9c5d14b64\n")
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_uuid_read(argv[0], draft()->instance_id, &why), &why);
}

DEFUN(cfg_no_instance, cfg_no_instance_cmd, "no nf-instance-id", NO_STR "Our identity in the 5G core\n")
{
	draft()->instance_id[0] = '\0';
	return CMD_SUCCESS;
}

#define PREFIX_HELP "What stands in front of /n5g-eir-eic in paths (apiRoot of TS 29.501)\n"

DEFUN(cfg_prefix, cfg_prefix_cmd, "api-prefix PREFIX", PREFIX_HELP "For example /eir; not ending in a slash\n")
{
	struct weir_why why;

	if (!n5g_prefix_is_fit(argv[0]))
		return gate_vty_said(
			vty,
			why_set(&why, -EINVAL,
				"'%.40s' is no prefix; '/' and letters, digits, '-', '.', '_', '~', once or "
				"several times, at most %u characters are",
				argv[0], N5G_PREFIX_MAX),
			&why);
	snprintf(draft()->prefix, sizeof(draft()->prefix), "%s", argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_prefix, cfg_no_prefix_cmd, "no api-prefix", NO_STR PREFIX_HELP)
{
	draft()->prefix[0] = '\0';
	return CMD_SUCCESS;
}

DEFUN(cfg_streams, cfg_streams_cmd, "max-streams <1-1000>",
      "Requests that a connection may have under way, for connections from now on\nHow many\n")
{
	draft()->max_streams = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

#define AGE_HELP "For how long a client may keep an answer (cache-control); not at all unless configured\n"

DEFUN(cfg_age, cfg_age_cmd, "max-age <1-86400>",
      AGE_HELP "Seconds for which an unblocked device may still be refused\n")
{
	draft()->max_age_s = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_age, cfg_no_age_cmd, "no max-age", NO_STR AGE_HELP)
{
	draft()->max_age_s = 0;
	return CMD_SUCCESS;
}

DEFUN(cfg_certificate, cfg_certificate_cmd, "client-certificate (required|optional)",
      "Certificates of clients over TLS, where `tls ca` says who may sign them\n"
      "No connection without one\nWho has none is known by its token or address\n")
{
	draft()->certificate_required = !strcmp(argv[0], "required");
	return CMD_SUCCESS;
}

DEFUN(cfg_stamps, cfg_stamps_cmd, "response-time from (sender|arrival)",
      "Since when 3gpp-Sbi-Max-Rsp-Time counts\nSince when\n"
      "Since 3gpp-Sbi-Sender-Timestamp: clients' clocks must be right\nSince the request came\n")
{
	draft()->ignore_stamps = !strcmp(argv[0], "arrival");
	return CMD_SUCCESS;
}

static int write_n5g(struct vty *vty)
{
	const struct n5g_config *n5g = draft();

	vty_out(vty, "n5g%s", VTY_NEWLINE);
	door_vty_write(vty, &n5g->door);
	if (n5g->instance_id[0])
		vty_out(vty, " nf-instance-id %s%s", n5g->instance_id, VTY_NEWLINE);
	if (n5g->prefix[0])
		vty_out(vty, " api-prefix %s%s", n5g->prefix, VTY_NEWLINE);
	vty_out(vty, " max-streams %u%s", n5g->max_streams, VTY_NEWLINE);
	if (n5g->max_age_s)
		vty_out(vty, " max-age %u%s", n5g->max_age_s, VTY_NEWLINE);
	vty_out(vty, " client-certificate %s%s", n5g->certificate_required ? "required" : "optional", VTY_NEWLINE);
	vty_out(vty, " response-time from %s%s", n5g->ignore_stamps ? "arrival" : "sender", VTY_NEWLINE);
	oauth2_vty_write(vty, &n5g->token);
	return 1;
}

void gate_n5g_vty_init(void)
{
	install_node(&n5g_node, write_n5g);
	install_element(CONFIG_NODE, &cfg_n5g_cmd);
	door_vty_install(N5G_NODE);
	oauth2_vty_install(N5G_NODE);
	install_element(N5G_NODE, &cfg_instance_cmd);
	install_element(N5G_NODE, &cfg_no_instance_cmd);
	install_element(N5G_NODE, &cfg_prefix_cmd);
	install_element(N5G_NODE, &cfg_no_prefix_cmd);
	install_element(N5G_NODE, &cfg_streams_cmd);
	install_element(N5G_NODE, &cfg_age_cmd);
	install_element(N5G_NODE, &cfg_no_age_cmd);
	install_element(N5G_NODE, &cfg_certificate_cmd);
	install_element(N5G_NODE, &cfg_stamps_cmd);
}
