/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The command line of a daemon.  One table in options.c holds letter, argument and help. */
#pragma once

#include <stdbool.h>

struct daemon_spec;

#define OPTIONS_MAX_LINES 64
#define OPTIONS_MAX_PATH  256

struct options {
	char state_dir[OPTIONS_MAX_PATH];
	char config_file[OPTIONS_MAX_PATH];
	bool config_file_given;
	const char *lines[OPTIONS_MAX_LINES]; /* of -C, in order; they point into argv */
	unsigned n_lines;
	const char *categories; /* of -d, or NULL */
	const char *level;      /* of -e, or NULL */
	bool check_only, no_colour, timestamps, print_reference;
};

#define OPTIONS_GO_ON (-1)

/* Read the command line.  OPTIONS_GO_ON, or the status to exit with: 0 after -h and -V, 2 for a line that cannot be
 * meant (said on stderr). */
int options_read(struct options *options, const struct daemon_spec *spec, int argc, char **argv);
