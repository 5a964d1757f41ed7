/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The commands of weir-gate: configuration (vty.c writes the draft, and gives it back) and show (show.c). */
#pragma once

#include <stdbool.h>

#include <osmocom/vty/command.h>

struct door_config;
struct gate;
struct tls_files;
struct token_config;
struct weir_why;

enum gate_node {
	GSUP_NODE = _LAST_OSMOVTY_NODE + 1,
	POLICY_NODE,
	TRAFFIC_NODE,
	S13_NODE,
	N5G_NODE,
	NRF_NODE,
};

/* libosmovty hands its commands no pointer of ours: this is the one root pointer of the program. */
extern struct gate *the_gate;

void gate_vty_init(void *gate); /* all of it */
/* CMD_SUCCESS, or the sentence of a refusal and CMD_WARNING. */
int gate_vty_said(struct vty *vty, int rc, const struct weir_why *why);
/* Says so, if there is nothing to show yet. */
bool gate_vty_not_started(struct vty *vty);
void gate_show_init(void);
void gate_show_peers_init(void);
void gate_explain_init(void);
void gate_n5g_vty_init(void);
void gate_nrf_vty_init(void);
void gate_policy_vty_init(void);
void gate_s13_vty_init(void);

/* door_vty.c: listen, peer, rate and tls, as far as the node's interface has them; and how they are given back. */
void door_vty_install(int node);
void door_vty_write(struct vty *vty, const struct door_config *door);
/* The certificates of any node: which is "certificate", "key" or "ca". */
int tls_vty_set(struct vty *vty, struct tls_files *files, const char *which, const char *path);
void tls_vty_clear(struct tls_files *files, const char *which);
void tls_vty_write(struct vty *vty, const struct tls_files *files);

/* nrf_vty.c: the oauth2 commands of the node n5g; and how they are given back. */
void oauth2_vty_install(int node);
void oauth2_vty_write(struct vty *vty, const struct token_config *token);
