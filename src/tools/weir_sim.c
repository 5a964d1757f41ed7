/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weir-sim: stand-in counterparts of Weir.  This file has the table of them and the options they share; each
 * counterpart has a file of its own.  Adding one is a row here. */
#include "tools/weir_sim.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static const struct sim_counterpart *const counterparts[] = {
	&sim_gsup,
	&sim_s13,
	&sim_n5g,
};
#define N_COUNTERPARTS (sizeof(counterparts) / sizeof(counterparts[0]))

#define DEFAULT_IMSI "001010000000001"
#define DEFAULT_TIMEOUT_MS 5000 /* osmo-msc's own patience with a check */

static int usage(FILE *out)
{
	size_t i;

	fprintf(out, "usage: weir-sim COUNTERPART [options] COMMAND...\n"
		     "Plays a network element that asks an Equipment Identity Register.\n\n");
	for (i = 0; i < N_COUNTERPARTS; i++)
		fprintf(out, "%s: %s; asks 127.0.0.1:%s as %s unless told otherwise\n%s\n", counterparts[i]->name,
			counterparts[i]->sentence, counterparts[i]->port, counterparts[i]->called,
			counterparts[i]->commands);
	fprintf(out, "options\n"
		     "  -a HOST[:PORT]  whom to ask; [HOST]:PORT for IPv6\n"
		     "  -n NAME         what to be called\n"
		     "  -i IMSI         the subscriber asked for (" DEFAULT_IMSI ")\n"
		     "  -d DIGITS       send 14, 15 or 16 digits; without it as such a core does\n"
		     "  -t MS           how long to wait for an answer (%d)\n"
		     "  -T FILE         n5g: ask over TLS; FILE has the authorities of the server's certificate\n"
		     "  -c FILE         n5g: show this certificate; its key is in the same file\n"
		     "  -V, -h          version; this text\n\n"
		     "exit status: 0 every question was answered, 1 not, 2 wrong use\n",
		DEFAULT_TIMEOUT_MS);
	return out == stdout ? SIM_ANSWERED : SIM_USAGE;
}

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "weir-sim: %s: \"%s\" (weir-sim -h tells more)\n", what, value);
	return SIM_USAGE;
}

/* "HOST", "HOST:PORT" or "[HOST]:PORT", cut in place. */
static void read_address(char *text, struct sim_options *options)
{
	char *end = *text == '[' ? strchr(text, ']') : NULL;
	char *colon;

	if (end) {
		*end++ = '\0';
		options->host = text + 1;
		if (*end == ':')
			options->port = end + 1;
		return;
	}
	options->host = text;
	colon = strchr(text, ':');
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		options->port = colon + 1;
	}
}

/* A number of an option; -1 where it is none or out of range. */
static int read_number(const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text == '\0' || *end || n < min || n > max ? -1 : (int)n;
}

static int read_option(int option, char *value, struct sim_options *options)
{
	int n;

	switch (option) {
	case 'a':
		read_address(value, options);
		return 0;
	case 'n':
		options->name = value;
		return 0;
	case 'i':
		return imsi_from_text(value, strlen(value), &options->imsi) ? wrong("not an IMSI", value) : 0;
	case 'd':
		n = read_number(value, 14, 16);
		options->digits = n < 0 ? 0 : (unsigned)n;
		return n < 0 ? wrong("not 14, 15 or 16 digits", value) : 0;
	case 't':
		options->timeout_ms = read_number(value, 1, 3600000);
		return options->timeout_ms < 0 ? wrong("not a time in ms", value) : 0;
	case 'T':
		options->ca = value;
		return 0;
	case 'c':
		options->pair = value;
		return 0;
	default:
		usage(stderr);
		return SIM_USAGE;
	}
}

static int play(const struct sim_counterpart *counterpart, int argc, char **argv)
{
	struct sim_options options = {
		.host = "127.0.0.1", .port = counterpart->port, .name = counterpart->called,
		.timeout_ms = DEFAULT_TIMEOUT_MS,
	};
	int option, err;

	imsi_from_text(DEFAULT_IMSI, strlen(DEFAULT_IMSI), &options.imsi);
	while ((option = getopt(argc, argv, "+a:n:i:d:t:T:c:hV")) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (option == 'V')
			return puts("weir-sim " PACKAGE_VERSION) < 0;
		err = read_option(option, optarg, &options);
		if (err)
			return err;
	}
	if (options.ca && !counterpart->has_tls)
		return wrong("has no TLS", counterpart->name);
	return optind == argc ? usage(stderr) : counterpart->run(&options, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return usage(stdout);
	if (!strcmp(argv[1], "-V"))
		return puts("weir-sim " PACKAGE_VERSION) < 0;
	for (i = 0; i < N_COUNTERPARTS; i++)
		if (!strcmp(argv[1], counterparts[i]->name))
			return play(counterparts[i], argc - 1, argv + 1);
	return wrong("no such counterpart", argv[1]);
}
