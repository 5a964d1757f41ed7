/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The configuration nodes that every daemon has: `admin` (listen A.B.C.D PORT, no listen) and `ctrl` (bind A.B.C.D
 * [PORT]). The telnet port is libosmovty's own `line vty`, `bind A.B.C.D [PORT]`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct node_port {
	char addr[16];
	uint16_t port;
	bool on;
};

struct node_ports {
	struct node_port admin, ctrl;
};

struct nodes {
	struct node_ports draft;    /* what the commands write */
	struct node_ports defaults; /* left out of the written configuration */
};

/* Install the nodes.  Their commands write to nodes, which the caller keeps for as long as the program runs. */
void nodes_init(struct nodes *nodes);
