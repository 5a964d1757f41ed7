/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Configuration text: the file of -c, then the lines of -C, as one text in the language of the Osmocom VTY.
 *
 * The commands run as the lines are read; what they write is a draft of the rooms (daemon.h) that nobody uses before
 * the whole text was read.  On the first line that is wrong reading ends with a place and a sentence. */
#pragma once

#include "core/why.h"

struct config_source {
	const char *file;         /* or NULL */
	const char *const *lines; /* of -C: nodes are separated by ';' */
	unsigned n_lines;
};

struct config_fault {
	char place[300];     /* "/etc/weir/weir-gate.cfg:12" or "-C 2" */
	struct weir_why why; /* "what is wrong; what would be right" */
};

/* Longest line, without its end. */
#define CONFIG_MAX_LINE 500

/* 0, or a negative errno and *fault. */
int config_read(const struct config_source *source, struct config_fault *fault);
