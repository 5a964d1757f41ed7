/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The commands of weir-gate: configuration (vty.c writes the draft, and gives it back) and show (show.c). */
#pragma once

#include <osmocom/vty/command.h>

struct gate;

enum gate_node {
	GSUP_NODE = _LAST_OSMOVTY_NODE + 1,
	POLICY_NODE,
	TRAFFIC_NODE,
};

/* libosmovty hands its commands no pointer of ours: this is the one root pointer of the program. */
extern struct gate *the_gate;

void gate_vty_init(void *gate); /* all of it */
void gate_show_init(void);
void gate_policy_vty_init(void);
