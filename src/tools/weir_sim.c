/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weir-sim: stand-in counterparts of Weir.  This file has the table of them and the options they share; each
 * counterpart has a file of its own.  Adding one is a row here. */
#include "tools/weir_sim.h"

#include <getopt.h>
#include <stdarg.h>
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

#define DEFAULT_IMSI       "001010000000001"
#define DEFAULT_TIMEOUT_MS 5000 /* osmo-msc's own patience with a check */

/* A sentence on stderr. */
static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *format, ...)
{
	va_list arguments;

	fputs("weir-sim: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return SIM_USAGE;
}

/* --- help ------------------------------------------------------------------------------------- */

static void print_command(const struct sim_command *command)
{
	const char *line = command->help, *end;
	char left[32];

	snprintf(left, sizeof(left), "%s %s", command->name, command->arguments);
	while ((end = strchr(line, '\n'))) {
		printf("  %-18s  %.*s\n", left, (int)(end - line), line);
		left[0] = '\0';
		line = end + 1;
	}
	printf("  %-18s  %s\n", left, line);
}

static void print_counterpart(const struct sim_counterpart *counterpart)
{
	const struct sim_command *command;

	printf("%s: %s; asks 127.0.0.1:%s as %s unless told otherwise\n", counterpart->name, counterpart->sentence,
	       counterpart->port, counterpart->called);
	for (command = counterpart->commands; command->name; command++)
		print_command(command);
	printf("\n");
}

/* Of one counterpart, or of all where it is NULL. */
static int help(const struct sim_counterpart *only)
{
	size_t i;

	printf("usage: weir-sim %s [options] COMMAND...\n"
	       "Plays a network element that asks an Equipment Identity Register.\n\n",
	       only ? only->name : "COUNTERPART");
	for (i = 0; i < N_COUNTERPARTS; i++)
		if (!only || only == counterparts[i])
			print_counterpart(counterparts[i]);
	printf("options\n"
	       "  -a HOST[:PORT]  whom to ask; [HOST]:PORT for IPv6\n"
	       "  -n NAME         what to be called\n"
	       "  -i IMSI         the subscriber asked for (" DEFAULT_IMSI ")\n"
	       "  -d DIGITS       send 14, 15 or 16 digits; without it as such a core does\n"
	       "  -t MS           how long to wait for an answer (%d)\n",
	       DEFAULT_TIMEOUT_MS);
	if (!only || only->has_tls)
		printf("  -T FILE         %sask over TLS; FILE has the authorities of the server's certificate\n"
		       "  -c FILE         %sshow this certificate; its key is in the same file\n",
		       only ? "" : "n5g: ", only ? "" : "n5g: ");
	printf("  -V, -h          version; this text\n\n"
	       "exit status: 0 every question got a verdict, 1 not, 2 wrong use\n");
	return SIM_ANSWERED;
}

static int version(void)
{
	return puts("weir-sim " PACKAGE_VERSION) < 0 ? SIM_FAILED : SIM_ANSWERED;
}

/* --- options ---------------------------------------------------------------------------------- */

/* A number of an option; -1 where it is none or out of range. */
static int read_number(const char *text, long min, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text == '\0' || *end || n < min || n > max ? -1 : (int)n;
}

/* "HOST", "HOST:PORT" or "[HOST]:PORT", cut in place. */
static int read_address(char *text, struct sim_options *options)
{
	char *bracket = *text == '[' ? strchr(text, ']') : NULL;
	char *colon = bracket ? bracket + 1 : strchr(text, ':');

	if (*text == ':' && !strchr(text + 1, ':'))
		return wrong("a host is missing: \"%s\"", text);
	if (*text == '[' && (!bracket || (*colon && *colon != ':')))
		return wrong("a host is missing: \"%s\"", text);
	options->host = bracket ? text + 1 : text;
	if (!colon || !*colon || (!bracket && strchr(colon + 1, ':')))
		return 0;
	options->port = colon + 1;
	if (read_number(options->port, 1, 65535) < 0)
		return wrong("port: 1 to 65535, not \"%s\"", options->port);
	*(bracket ? bracket : colon) = '\0';
	return 0;
}

static int read_option(int option, char *value, struct sim_options *options)
{
	int n;

	switch (option) {
	case 'a':
		return read_address(value, options);
	case 'n':
		options->name = value;
		return 0;
	case 'i':
		return imsi_from_text(value, strlen(value), &options->imsi) ? wrong("not an IMSI: \"%s\"", value) : 0;
	case 'd':
		n = read_number(value, 14, 16);
		options->digits = n < 0 ? 0 : (unsigned)n;
		return n < 0 ? wrong("digits: 14, 15 or 16, not \"%s\"", value) : 0;
	case 't':
		options->timeout_ms = read_number(value, 1, 3600000);
		return options->timeout_ms < 0 ? wrong("not a time in ms: \"%s\"", value) : 0;
	case 'T':
		options->ca = value;
		return 0;
	default:
		options->pair = value;
		return 0;
	}
}

/* What getopt has no word for: it is in optopt, or the argument that was looked at last. */
static int wrong_option(int option, const char *looked_at, const struct sim_counterpart *counterpart)
{
	if (option == ':')
		return wrong("-%c needs a value", optopt);
	if (optopt)
		return wrong("-%c is no option of %s (weir-sim %s -h tells them)", optopt, counterpart->name,
			     counterpart->name);
	return wrong("%s is no option of %s (weir-sim %s -h tells them)", looked_at, counterpart->name,
		     counterpart->name);
}

/* --- commands --------------------------------------------------------------------------------- */

/* "check, listen, load" */
static const char *names_of(const struct sim_command *commands, char *buf, size_t size)
{
	size_t len = 0;

	for (*buf = '\0'; commands->name && len < size; commands++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? ", " : "", commands->name);
	return buf;
}

/* The one that argv[0] names, with as many arguments as it takes; NULL, and why on stderr, where there is none. */
static const struct sim_command *command_of(const struct sim_counterpart *counterpart, int argc, char **argv)
{
	const struct sim_command *command = counterpart->commands;
	char names[64];

	names_of(command, names, sizeof(names));
	if (!argc) {
		wrong("%s needs a command: %s", counterpart->name, names);
		return NULL;
	}
	while (command->name && strcmp(argv[0], command->name) != 0)
		command++;
	if (!command->name)
		wrong("\"%s\" is no command of %s; %s %s", argv[0], counterpart->name, names,
		      strchr(names, ',') ? "are" : "is");
	else if (argc - 1 < command->min || argc - 1 > command->max)
		wrong("%s needs %s%s", command->name, command->needs, argc - 1 < command->min ? "" : " and no more");
	else
		return command;
	return NULL;
}

static int play(const struct sim_counterpart *counterpart, int argc, char **argv)
{
	static const struct option names[] = {{"help", 0, NULL, 'h'}, {"version", 0, NULL, 'V'}, {0}};
	struct sim_options options = {
		.host = "127.0.0.1",
		.port = counterpart->port,
		.name = counterpart->called,
		.timeout_ms = DEFAULT_TIMEOUT_MS,
	};
	const struct sim_command *command;
	int option, err;

	imsi_from_text(DEFAULT_IMSI, strlen(DEFAULT_IMSI), &options.imsi);
	while ((option = getopt_long(argc, argv, "+:a:n:i:d:t:T:c:hV", names, NULL)) != -1) {
		if (option == 'h')
			return help(counterpart);
		if (option == 'V')
			return version();
		if (option == ':' || option == '?')
			return wrong_option(option, argv[optind - 1], counterpart);
		err = read_option(option, optarg, &options);
		if (err)
			return err;
	}
	if ((options.ca || options.pair) && !counterpart->has_tls)
		return wrong("%s has no TLS (weir-sim(1) says what else has)", counterpart->name);
	if (options.pair && !options.ca)
		return wrong("-c needs -T: a certificate is shown over TLS only");
	command = command_of(counterpart, argc - optind, argv + optind);
	return command ? counterpart->run(&options, command, argc - optind - 1, argv + optind + 1) : SIM_USAGE;
}

static int no_counterpart(const char *typed)
{
	char names[64] = "";
	size_t i, len = 0;

	for (i = 0; i < N_COUNTERPARTS && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", counterparts[i]->name);
	return typed ? wrong("\"%s\" is no counterpart; %s are (weir-sim -h tells more)", typed, names)
		     : wrong("whom shall it play? %s (weir-sim -h tells more)", names);
}

int main(int argc, char **argv)
{
	const char *first = argc > 1 ? argv[1] : NULL;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (first && (!strcmp(first, "-h") || !strcmp(first, "--help")))
		return help(NULL);
	if (first && (!strcmp(first, "-V") || !strcmp(first, "--version")))
		return version();
	for (i = 0; first && i < N_COUNTERPARTS; i++)
		if (!strcmp(first, counterparts[i]->name))
			return play(counterparts[i], argc - 1, argv + 1);
	return no_counterpart(first);
}
