/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The command line: one table from which parsing and usage come.  It touches nothing but the struct and stdio. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "daemon/daemon.h"

struct option_row {
	char letter;
	const char *word; /* long form */
	const char *argument;
	const char *help;
};

static const struct option_row rows[] = {
	{'c', "config-file", "FILE", "configuration (default " SYSCONFDIR "/weir/NAME.cfg)"},
	{'C', "config-line", "LINES", "configuration after the file; ';' goes one node deeper; repeatable"},
	{'S', "state-dir", "DIR", "state directory (default " LOCALSTATEDIR "/lib/weir)"},
	{'t', "test", NULL, "check the configuration and exit: 0 good, 1 bad"},
	{'d', "debug", "CATEGORIES", "log these at debug level, such as DMAIN:DLGLOBAL"},
	{'e', "log-level", "LEVEL", "lowest level on stderr: 1 debug, 3 info, 5 notice, 7 error"},
	{'s', "no-colour", NULL, "log to stderr without colours"},
	{'T', "timestamp", NULL, "log to stderr with time stamps"},
	{'X', "vty-ref-xml", NULL, "print all commands as XML and exit"},
	{'V', "version", NULL, "print the version and exit"},
	{'h', "help", NULL, "print this and exit"},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* NAME in a help stands for the name of the program. */
static void print_row(const struct daemon_spec *spec, const struct option_row *row)
{
	const char *name = strstr(row->help, "NAME");
	int before = name ? (int)(name - row->help) : (int)strlen(row->help);
	char form[40];

	snprintf(form, sizeof(form), "-%c, --%s%s%s", row->letter, row->word, row->argument ? " " : "",
		 row->argument ? row->argument : "");
	printf("  %-28s %.*s%s%s\n", form, before, row->help, name ? spec->name : "",
	       name ? name + strlen("NAME") : "");
}

static void print_usage(const struct daemon_spec *spec)
{
	printf("Usage: %s [OPTIONS]\n%s\n\n", spec->name, spec->sentence);
	for (unsigned i = 0; i < N_ROWS; i++)
		print_row(spec, &rows[i]);
}

static void print_version(const struct daemon_spec *spec)
{
	printf("%s %s\nCopyright (C) 2026 The Weir authors\n"
	       "License AGPLv3+: GNU Affero GPL version 3 or later <https://gnu.org/licenses/agpl.html>\n"
	       "This is free software: you are free to change and redistribute it.  There is NO WARRANTY.\n",
	       spec->name, PACKAGE_VERSION);
}

static int refuse(const struct daemon_spec *spec, const char *what, const char *value)
{
	fprintf(stderr, "%s: %s%s; %s -h lists the options\n", spec->name, what, value, spec->name);
	return 2;
}

static int copy_path(char out[static OPTIONS_MAX_PATH], const char *path)
{
	size_t len = strlen(path);

	if (!len || len >= OPTIONS_MAX_PATH)
		return -1;
	memcpy(out, path, len + 1);
	return 0;
}

/* One option. OPTIONS_GO_ON or the exit status. */
static int take(struct options *options, const struct daemon_spec *spec, int letter, const char *value)
{
	switch (letter) {
	case 'c':
		options->config_file_given = true;
		return copy_path(options->config_file, value) ? refuse(spec, "-c needs a file name, not ", value)
							      : OPTIONS_GO_ON;
	case 'S':
		return copy_path(options->state_dir, value) ? refuse(spec, "-S needs a directory, not ", value)
							    : OPTIONS_GO_ON;
	case 'C':
		if (options->n_lines == OPTIONS_MAX_LINES)
			return refuse(spec, "too many -C, write a file instead of ", value);
		options->lines[options->n_lines++] = value;
		return OPTIONS_GO_ON;
	case 't':
		options->check_only = true;
		return OPTIONS_GO_ON;
	case 'd':
		options->categories = value;
		return OPTIONS_GO_ON;
	case 'e':
		if (value[0] < '1' || value[0] > '8' || value[1])
			return refuse(spec, "-e needs a level from 1 to 8, not ", value);
		options->level = value;
		return OPTIONS_GO_ON;
	case 's':
		options->no_colour = true;
		return OPTIONS_GO_ON;
	case 'T':
		options->timestamps = true;
		return OPTIONS_GO_ON;
	case 'X':
		options->print_reference = true;
		return OPTIONS_GO_ON;
	case 'V':
		print_version(spec);
		return 0;
	case 'h':
		print_usage(spec);
		return 0;
	default:
		fprintf(stderr, "%s -h lists the options\n", spec->name); /* getopt has said which option */
		return 2;
	}
}

int options_read(struct options *options, const struct daemon_spec *spec, int argc, char **argv)
{
	struct option longs[N_ROWS + 1] = {0};
	char shorts[2 * N_ROWS + 1], *end = shorts;
	int letter, status;

	*options = (struct options){0};
	snprintf(options->config_file, sizeof(options->config_file), "%s/weir/%s.cfg", SYSCONFDIR, spec->name);
	snprintf(options->state_dir, sizeof(options->state_dir), "%s/lib/weir", LOCALSTATEDIR);
	for (unsigned i = 0; i < N_ROWS; i++) {
		longs[i] = (struct option){rows[i].word, rows[i].argument ? required_argument : no_argument, NULL,
					   rows[i].letter};
		*end++ = rows[i].letter;
		if (rows[i].argument)
			*end++ = ':';
	}
	*end = 0;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		status = take(options, spec, letter, optarg);
		if (status != OPTIONS_GO_ON)
			return status;
	}
	if (optind < argc)
		return refuse(spec, "no arguments are taken, but there is ", argv[optind]);
	return OPTIONS_GO_ON;
}
