/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The commands that every interface's node has: listen, peer, rate, tls.  One set of functions; the node that a command
 * was typed in says whose door is meant. */
#include "gate/vty.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/utils.h>
#include <osmocom/vty/vty.h>

#include "gate/gate.h"

enum feature {
	HAS_TLS = 1,
	HAS_SCTP = 2,
	HAS_REALM = 4,
	HAS_RATE = 8,
};

static const struct door_row {
	int node;
	size_t offset; /* of its door_config in struct gate_config */
	unsigned features;
} doors[] = {
	{GSUP_NODE, offsetof(struct gate_config, gsup.door), 0},
	{S13_NODE, offsetof(struct gate_config, s13.door), HAS_TLS | HAS_SCTP | HAS_REALM | HAS_RATE},
	{N5G_NODE, offsetof(struct gate_config, n5g.door), HAS_TLS | HAS_RATE},
};

static const struct door_row *row_of(int node)
{
	for (unsigned i = 0; i < ARRAY_SIZE(doors); i++) {
		if (doors[i].node == node)
			return &doors[i];
	}
	return NULL;
}

static struct door_config *draft(const struct vty *vty)
{
	return (struct door_config *)((char *)the_gate->draft + row_of(vty->node)->offset);
}

#define ADDRESS_HELP "IPv4 address\nIPv6 address\n"
#define PORT_HELP    "Port\n"
#define LISTEN_HELP  "Accept peers here; may be given several times\n"
#define SCTP_HELP    "Over SCTP\n"
#define HOMES_HELP   "Further addresses of the same socket: multi-homed\n"

/* --- listen */

static int listen_or_not(struct vty *vty, enum gate_transport transport, int argc, const char *argv[], bool no)
{
	const char *address[GATE_HOMES + 1] = {argv[0]};
	unsigned n = 1, port = (unsigned)atoi(argv[1]);
	struct weir_why why;
	int rc;

	for (int i = 2; i < argc && n <= GATE_HOMES; i++)
		address[n++] = argv[i];
	rc = no ? config_del_listen(draft(vty), transport, address, n, port, &why)
		: config_add_listen(draft(vty), transport, address, n, port, &why);
	return gate_vty_said(vty, rc, &why);
}

DEFUN(cfg_listen, cfg_listen_cmd, "listen " VTY_IPV46_CMD " <1-65535>", LISTEN_HELP ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_TCP, argc, argv, false);
}

DEFUN(cfg_no_listen, cfg_no_listen_cmd, "no listen " VTY_IPV46_CMD " <1-65535>",
      NO_STR "Accept no peers here\n" ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_TCP, argc, argv, true);
}

DEFUN(cfg_listen_tls, cfg_listen_tls_cmd, "listen tls " VTY_IPV46_CMD " <1-65535>",
      LISTEN_HELP "Over TLS, from the first octet\n" ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_TLS, argc, argv, false);
}

DEFUN(cfg_no_listen_tls, cfg_no_listen_tls_cmd, "no listen tls " VTY_IPV46_CMD " <1-65535>",
      NO_STR "Accept no peers here\nOver TLS\n" ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_TLS, argc, argv, true);
}

DEFUN(cfg_listen_sctp, cfg_listen_sctp_cmd, "listen sctp " VTY_IPV46_CMD " <1-65535>",
      LISTEN_HELP SCTP_HELP ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_SCTP, argc, argv, false);
}

ALIAS(cfg_listen_sctp, cfg_listen_sctp_homes_cmd, "listen sctp " VTY_IPV46_CMD " <1-65535> .ADDRESSES",
      LISTEN_HELP SCTP_HELP ADDRESS_HELP PORT_HELP HOMES_HELP)

DEFUN(cfg_no_listen_sctp, cfg_no_listen_sctp_cmd, "no listen sctp " VTY_IPV46_CMD " <1-65535>",
      NO_STR "Accept no peers here\n" SCTP_HELP ADDRESS_HELP PORT_HELP)
{
	return listen_or_not(vty, GATE_SCTP, argc, argv, true);
}

ALIAS(cfg_no_listen_sctp, cfg_no_listen_sctp_homes_cmd, "no listen sctp " VTY_IPV46_CMD " <1-65535> .ADDRESSES",
      NO_STR "Accept no peers here\n" SCTP_HELP ADDRESS_HELP PORT_HELP HOMES_HELP)

/* --- peer */

#define PEER_HELP                                                                                                      \
	"Allow a peer; may be given several times, everybody else is refused\n"                                        \
	"Its name (GSUP: serial number of its IPA identity; Diameter: Origin-Host; HTTP/2: of its certificate, or "    \
	"its "                                                                                                         \
	"address), or the beginning of names and '*'\n"
#define FROM_HELP "From where it may connect\nAddress or prefix, for example 10.1.0.0/16 or 2001:db8::/32\n"

DEFUN(cfg_peer, cfg_peer_cmd, "peer NAME address PREFIX", PEER_HELP FROM_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, config_add_peer(draft(vty), argv[0], NULL, argv[1], &why), &why);
}

DEFUN(cfg_no_peer, cfg_no_peer_cmd, "no peer NAME address PREFIX",
      NO_STR "Allow a peer no longer\nIts name as it was given\nIts prefix\nAddress or prefix as it was given\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_del_peer(draft(vty), argv[0], NULL, argv[1], &why), &why);
}

DEFUN(cfg_peer_realm, cfg_peer_realm_cmd, "peer NAME realm REALM address PREFIX",
      PEER_HELP "Only with this Origin-Realm\nThe realm\n" FROM_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, config_add_peer(draft(vty), argv[0], argv[1], argv[2], &why), &why);
}

DEFUN(cfg_no_peer_realm, cfg_no_peer_realm_cmd, "no peer NAME realm REALM address PREFIX",
      NO_STR "Allow a peer no longer\nIts name as it was given\nIts realm\nThe realm as it was given\nIts prefix\n"
	     "Address or prefix as it was given\n")
{
	struct weir_why why;

	return gate_vty_said(vty, config_del_peer(draft(vty), argv[0], argv[1], argv[2], &why), &why);
}

/* --- rate */

#define RATE_HELP                                                                                                      \
	"How much a peer may ask; the first rule that matches its name counts\n"                                       \
	"Its name, or the beginning of names and '*'\n"
#define LIMIT_HELP   "More is refused\nChecks a second\n"
#define RESERVE_HELP "Answered also where the gate is at its capacity\nChecks a second\n"

static int set_rate(struct vty *vty, const char *name, const char *limit, const char *reserve)
{
	const struct rate_terms terms = {.limit = (uint32_t)atoi(limit), .reserve = (uint32_t)atoi(reserve)};
	struct weir_why why;

	return gate_vty_said(vty, config_set_rate(draft(vty), name, &terms, &why), &why);
}

DEFUN(cfg_rate_limit, cfg_rate_limit_cmd, "rate NAME limit <1-100000000>", RATE_HELP LIMIT_HELP)
{
	return set_rate(vty, argv[0], argv[1], "0");
}

DEFUN(cfg_rate_reserve, cfg_rate_reserve_cmd, "rate NAME reserve <1-100000000>", RATE_HELP RESERVE_HELP)
{
	return set_rate(vty, argv[0], "0", argv[1]);
}

DEFUN(cfg_rate_both, cfg_rate_both_cmd, "rate NAME limit <1-100000000> reserve <1-100000000>",
      RATE_HELP LIMIT_HELP RESERVE_HELP)
{
	return set_rate(vty, argv[0], argv[1], argv[2]);
}

DEFUN(cfg_no_rate, cfg_no_rate_cmd, "no rate NAME", NO_STR "Forget a rule\nIts name as it was given\n")
{
	return set_rate(vty, argv[0], "0", "0");
}

/* --- tls */

#define TLS_HELP "Certificates of this interface; files are read again at SIGHUP\n"
#define FILE_HELP                                                                                                      \
	"Our own, with what leads to its authority\nIts private key\n"                                                 \
	"The authorities that have signed the peers' certificates\n"

static char *tls_file(struct tls_files *files, const char *which)
{
	return !strcmp(which, "certificate") ? files->certificate
	       : !strcmp(which, "key")       ? files->private_key
					     : files->ca;
}

int tls_vty_set(struct vty *vty, struct tls_files *files, const char *which, const char *path)
{
	struct weir_why why;

	if (strlen(path) >= TLS_PATH_TEXT)
		return gate_vty_said(
			vty, why_set(&why, -EINVAL, "the name of a file has at most %u characters", TLS_PATH_TEXT - 1),
			&why);
	snprintf(tls_file(files, which), TLS_PATH_TEXT, "%s", path);
	return CMD_SUCCESS;
}

void tls_vty_clear(struct tls_files *files, const char *which)
{
	tls_file(files, which)[0] = '\0';
}

static void write_file(struct vty *vty, const char *which, const char *file)
{
	if (file[0])
		vty_out(vty, " tls %s %s%s", which, file, VTY_NEWLINE);
}

void tls_vty_write(struct vty *vty, const struct tls_files *files)
{
	write_file(vty, "certificate", files->certificate);
	write_file(vty, "key", files->private_key);
	write_file(vty, "ca", files->ca);
}

DEFUN(cfg_tls, cfg_tls_cmd, "tls (certificate|key|ca) FILE", TLS_HELP FILE_HELP "PEM file\n")
{
	return tls_vty_set(vty, &draft(vty)->tls, argv[0], argv[1]);
}

DEFUN(cfg_no_tls, cfg_no_tls_cmd, "no tls (certificate|key|ca)", NO_STR TLS_HELP FILE_HELP)
{
	tls_vty_clear(&draft(vty)->tls, argv[0]);
	return CMD_SUCCESS;
}

/* --- giving it back */

static void write_place(struct vty *vty, const struct gate_place *place)
{
	char text[GATE_ADDRESS_TEXT];

	vty_out(vty, " listen %s%s%s %u", place->transport == GATE_TCP ? "" : transport_name(place->transport),
		place->transport == GATE_TCP ? "" : " ", address_print(text, &place->address[0]),
		place->address[0].port);
	for (unsigned i = 1; i < place->n; i++)
		vty_out(vty, " %s", address_print(text, &place->address[i]));
	vty_out(vty, "%s", VTY_NEWLINE);
}

static void write_peer(struct vty *vty, const struct gate_peer_rule *rule)
{
	char text[GATE_ADDRESS_TEXT];

	vty_out(vty, " peer %s%s%s address %s%s", rule->pattern, rule->realm[0] ? " realm " : "", rule->realm,
		prefix_print(text, &rule->prefix), VTY_NEWLINE);
}

static void write_rate(struct vty *vty, const struct gate_rate_rule *rule)
{
	vty_out(vty, " rate %s", rule->pattern);
	if (rule->terms.limit)
		vty_out(vty, " limit %u", rule->terms.limit);
	if (rule->terms.reserve)
		vty_out(vty, " reserve %u", rule->terms.reserve);
	vty_out(vty, "%s", VTY_NEWLINE);
}

void door_vty_write(struct vty *vty, const struct door_config *door)
{
	tls_vty_write(vty, &door->tls);
	for (unsigned i = 0; i < door->n_listen; i++)
		write_place(vty, &door->listen[i]);
	for (unsigned i = 0; i < door->n_peers; i++)
		write_peer(vty, &door->peer[i]);
	for (unsigned i = 0; i < door->n_rates; i++)
		write_rate(vty, &door->rate[i]);
}

void door_vty_install(int node)
{
	const unsigned has = row_of(node)->features;
	const struct {
		unsigned needs;
		struct cmd_element *cmd;
	} commands[] = {
		{0, &cfg_listen_cmd},
		{0, &cfg_no_listen_cmd},
		{HAS_TLS, &cfg_listen_tls_cmd},
		{HAS_TLS, &cfg_no_listen_tls_cmd},
		{HAS_SCTP, &cfg_listen_sctp_cmd},
		{HAS_SCTP, &cfg_listen_sctp_homes_cmd},
		{HAS_SCTP, &cfg_no_listen_sctp_cmd},
		{HAS_SCTP, &cfg_no_listen_sctp_homes_cmd},
		{0, &cfg_peer_cmd},
		{0, &cfg_no_peer_cmd},
		{HAS_REALM, &cfg_peer_realm_cmd},
		{HAS_REALM, &cfg_no_peer_realm_cmd},
		{HAS_RATE, &cfg_rate_limit_cmd},
		{HAS_RATE, &cfg_rate_reserve_cmd},
		{HAS_RATE, &cfg_rate_both_cmd},
		{HAS_RATE, &cfg_no_rate_cmd},
		{HAS_TLS, &cfg_tls_cmd},
		{HAS_TLS, &cfg_no_tls_cmd},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if ((commands[i].needs & has) == commands[i].needs)
			install_element(node, commands[i].cmd);
	}
}
