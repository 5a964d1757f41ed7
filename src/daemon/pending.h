/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What was typed at a terminal and is not in force.
 *
 * Whether something is pending is told from the text: what the nodes of ours write now against what they wrote when it
 * came into force.  So it holds for every way to leave a draft behind: a node that is not left yet, a commit that was
 * refused, a session that was closed.  Lines of libosmocore (log, stats, line vty) are in force as they are read and
 * never pending.
 *
 * As long as something is pending `write file` refuses, `show running-config` says so in its first line, and `discard`
 * takes the draft back. */
#pragma once

#include <stdbool.h>

#include "core/why.h"

struct vty;

struct pending {
	char *in_force;      /* malloc; NULL before the first pending_settle, or for want of memory */
	struct weir_why why; /* why it is not in force; "" when that was not tried */
	void (*drop)(void *data);
	void *data;
};

/* Install `discard` in all nodes that are there, the mark and its command.  drop(data) takes the draft back to what is
 * in force.  *pending stays for as long as the program runs. */
void pending_init(struct pending *pending, void (*drop)(void *data), void *data);
void pending_fini(struct pending *pending);

/* Is there a draft that is not in force?  True for want of memory. */
bool pending_is(const struct pending *pending);
/* The draft is in force from now on. */
void pending_settle(struct pending *pending);
/* It was tried and refused for this; said on the terminal. */
void pending_refuse(struct pending *pending, struct vty *vty, const struct weir_why *why);

/* vty_app_info.config_is_consistent: may the draft be saved?  Where not, says why. */
int pending_may_save(struct vty *vty);
