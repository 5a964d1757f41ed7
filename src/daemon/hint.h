/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What was wrong with a configuration line, from the tree of commands: libosmovty itself says only that there is no
 * such command. */
#pragma once

#include <stdbool.h>

#include "core/why.h"

struct vty;

/* line was refused with code (CMD_ERR_*) in the node vty stands in; in_option: it came from -C, where ';' goes deeper.
 */
void hint_explain(struct vty *vty, int code, const char *line, bool in_option, struct weir_why *why);

/* Words that every node knows and that are for people at a terminal; line begins with its first word. */
bool hint_is_for_terminal(const char *line);
