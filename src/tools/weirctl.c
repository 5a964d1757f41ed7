/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl: the command line of the keeper's API.  This file has the table of verbs; parsing and help come from it. */
#include "tools/weirctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

/* clang-format off */
#define SOURCE {"source", "NAME", "whose statement it is (default: local)"}
#define REASON {"reason", "WORD", "stolen, lost, fraud, counterfeit, ... (default: none)"}
#define LIST   {"list", "COLOUR", "white, grey or black (default: black)"}
#define FORCE  {"force", NULL, "take the first 14 digits though the check digit is wrong"}
#define SVN    {"svn", "NN", "this software version of it only"}
#define NONE   {NULL, NULL, NULL}

static const struct ctl_verb verbs[] = {
	{"check", "IMEI", 1, 1, ctl_check, "imei verdict.colour facts trace",
	 "what would the core be told of this device, and why",
	 {{"imsi", "IMSI", "with this subscriber in it"},
	  {"interface", "NAME", "as asked over gsup, s13, n5g or map (default: gsup)"}}},
	{"block", "IMEI", 1, 1, ctl_block, "changed serial",
	 "put a device on a list", {SOURCE, REASON, LIST, SVN, FORCE}},
	{"unblock", "IMEI", 1, 1, ctl_unblock, "changed serial",
	 "take a device off the list of a source", {SOURCE, SVN}},
	{"pair", "allow|deny|fixed|remove IMEI IMSI", 3, 3, ctl_pair, "changed serial",
	 "rule for one subscriber in one device",
	 {SOURCE, REASON, FORCE}},
	{"tac", "put|remove TAC", 2, 2, ctl_tac, "changed serial",
	 "list every device of a type", {SOURCE, REASON, LIST}},
	{"range", "put|remove FROM TO", 3, 3, ctl_range, "changed serial",
	 "list a range of devices, 14 digits each, both ends in it",
	 {SOURCE, REASON, LIST}},
	{"show", "IMEI", 1, 1, ctl_show, "imei verdict.colour entries",
	 "who lists a device, and who was seen in it", {NONE}},
	{"history", "IMEI", 1, 1, ctl_history, "imei events whole",
	 "what happened to a device, oldest first", {NONE}},
	{"import", "FILE|-", 1, 1, ctl_import, "in_force rows",
	 "read a CSV file into the list of a source",
	 {{"source", "NAME", "the source; made where there is none (required)"},
	  {"mode", "MODE", "merge (default), replace (what the file lacks goes) or take-off"},
	  LIST,
	  REASON,
	  {"dry-run", NULL, "say what it would do, change nothing"},
	  {"strict", NULL, "reject rows with a wrong check digit"},
	  {"max-rejects", "N", "refuse it all when more rows are bad, 0: any (default: 1000 or 0.1 %)"}}},
	{"export", "", 0, 0, ctl_export, NULL, "write lists as CSV",
	 {{"source", "NAME", "of one source (default: of all)"},
	  {"output", "FILE", "into a file (default: standard output)"}}},
	{"sources", "", 0, 0, ctl_sources, "sources",
	 "the sources and how much each lists", {NONE}},
	{"source", "NAME", 1, 1, ctl_source, "source",
	 "make a source", {NONE}},
	{"status", "", 0, 0, ctl_status, "version ready ledger.serial register",
	 "ledger, register and API at a glance", {NONE}},
	{"verify", "", 0, 0, ctl_verify, "clean findings",
	 "check ledger and register, every record", {NONE}},
	{"rebuild", "", 0, 0, ctl_rebuild, "rebuilt",
	 "make the register anew from the ledger's entries", {NONE}},
};
/* clang-format on */
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char *const exits[CTL_N_EXITS] = {
	[CTL_OK] = "done; check: white or unknown",
	[CTL_USAGE] = "wrong command line",
	[CTL_REFUSED] = "the keeper refused; the sentence says why",
	[CTL_UNREACHABLE] = "the keeper could not be reached, hung up, or does not answer",
	[CTL_BLACK] = "check: black",
	[CTL_GREY] = "check: grey",
	[CTL_FINDINGS] = "verify: something is wrong, or it could not go on",
	[CTL_LOCAL] = "a file here could not be read or written",
};

int ctl_fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("weirctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

/* --- help ------------------------------------------------------------------------------------------------------- */

static void print_options(const struct ctl_verb *verb)
{
	char text[40];

	for (unsigned i = 0; i < CTL_OPTIONS_MAX && verb->option[i].name; i++) {
		const struct ctl_option *option = &verb->option[i];

		snprintf(text, sizeof(text), "--%s%s%s", option->name, option->value ? " " : "",
			 option->value ? option->value : "");
		printf("  %-20s %s\n", text, option->help);
	}
}

static void print_verb(const struct ctl_verb *verb)
{
	printf("usage: weirctl [-S DIR] [--json] %s%s%s%s\n%s\n", verb->name, *verb->args ? " " : "", verb->args,
	       verb->option[0].name ? " [options]" : "", verb->sentence);
	print_options(verb);
}

static void print_help(void)
{
	char text[80];

	printf("usage: weirctl [-S DIR] [--json] VERB ...\n"
	       "Talks to weir-keeper over the socket in its state directory.\n\n"
	       "  -S DIR               state directory (default: " LOCALSTATEDIR "/lib/weir)\n"
	       "  --json               print the API's JSON instead of tables\n"
	       "  -V, --version        print the version\n"
	       "  -h, --help           print this; weirctl VERB --help tells more of a verb\n\nverbs:\n");
	for (unsigned i = 0; i < N_VERBS; i++) {
		snprintf(text, sizeof(text), "%s %s", verbs[i].name, verbs[i].args);
		printf("  %-40s %s\n", text, verbs[i].sentence);
	}
	printf("\nIMEIs have 14 to 17 digits; '-', ' ', '/' and '.' may stand between them.\n\nexit status:\n");
	for (unsigned i = 0; i < CTL_N_EXITS; i++)
		printf("  %u  %s\n", i, exits[i]);
}

/* --- parsing ---------------------------------------------------------------------------------------------------- */

const char *ctl_option(const struct ctl_call *call, const char *name)
{
	for (unsigned i = 0; i < CTL_OPTIONS_MAX && call->verb->option[i].name; i++) {
		if (!strcmp(call->verb->option[i].name, name))
			return call->value[i];
	}
	return NULL;
}

const char *ctl_option_or(const struct ctl_call *call, const char *name, const char *otherwise)
{
	const char *value = ctl_option(call, name);

	return value ? value : otherwise;
}

/* "--name", "--name VALUE", "--name=VALUE" or the first letter "-n VALUE".  How many words were used, 0 where it is
 * none. */
static int take_option(struct ctl_call *call, const char *word, const char *next)
{
	bool is_long = word[1] == '-';
	const char *name = word + 1 + is_long, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);

	for (unsigned i = 0; i < CTL_OPTIONS_MAX && call->verb->option[i].name; i++) {
		const struct ctl_option *option = &call->verb->option[i];

		if (is_long ? strncmp(option->name, name, len) || option->name[len]
			    : len != 1 || *option->name != *name)
			continue;
		if (!option->value) {
			call->value[i] = "";
			return equals ? 0 : 1;
		}
		call->value[i] = equals ? equals + 1 : next;
		return call->value[i] ? 1 + !equals : 0;
	}
	return 0;
}

static int usage_error(const struct ctl_verb *verb, const char *what, const char *word)
{
	return ctl_fail(CTL_USAGE, "%s: %s%s%s; weirctl %s --help tells more", verb->name, what, *word ? " " : "", word,
			verb->name);
}

static int run_verb(const struct ctl *given, const struct ctl_verb *verb, int argc, char **argv)
{
	struct ctl ctl = *given;
	struct ctl_call call = {.ctl = &ctl, .verb = verb};
	bool only_args = false;

	for (int i = 0; i < argc;) {
		int used = 1;

		if (!only_args && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
			print_verb(verb);
			return CTL_OK;
		}
		if (!only_args && !strcmp(argv[i], "--")) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			used = take_option(&call, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
			if (!used)
				return usage_error(verb, "no such option, or its value is missing:", argv[i]);
		} else if (call.n_args == verb->max_args) {
			return usage_error(verb, "one word too many:", argv[i]);
		} else {
			call.arg[call.n_args++] = argv[i];
		}
		i += used;
	}
	if (call.n_args < verb->min_args)
		return usage_error(verb, "needs", verb->args);
	ctl.needs = verb->needs;
	return verb->run(&call);
}

static int find_and_run(const struct ctl *ctl, int argc, char **argv)
{
	if (!argc) {
		print_help();
		return CTL_USAGE;
	}
	for (unsigned i = 0; i < N_VERBS; i++) {
		if (!strcmp(verbs[i].name, argv[0]))
			return run_verb(ctl, &verbs[i], argc - 1, argv + 1);
	}
	return ctl_fail(CTL_USAGE, "no such verb: %s; weirctl --help lists them", argv[0]);
}

/* Options before the verb.  Words used, or -1 where there is nothing left to do; *status is the exit then. */
static int take_globals(struct ctl *ctl, int argc, char **argv, int *status)
{
	int i = 1;

	*status = CTL_OK;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--json")) {
			ctl->json = true;
		} else if (!strcmp(argv[i], "-S") && i + 1 < argc) {
			ctl->state_dir = argv[++i];
		} else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help")) {
			print_help();
			return -1;
		} else if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version")) {
			puts("weirctl " PACKAGE_VERSION);
			return -1;
		} else {
			*status = ctl_fail(CTL_USAGE,
					   "no such option, or its value is missing: %s; weirctl --help lists them",
					   argv[i]);
			return -1;
		}
	}
	return i;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.state_dir = LOCALSTATEDIR "/lib/weir"};
	int status, used = take_globals(&ctl, argc, argv, &status);

	if (used < 0)
		return status;
	if (snprintf(ctl.socket, sizeof(ctl.socket), "%s/keeper.sock", ctl.state_dir) >= (int)sizeof(ctl.socket))
		return ctl_fail(CTL_USAGE,
				"%s: the path of the socket in it would be longer than a socket's path may be (107)",
				ctl.state_dir);
	return find_and_run(&ctl, argc - used, argv + used);
}
