/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl check, show, history, sources, status: questions, and how their answers look. */
#include "tools/weirctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/weirctl_http.h"

/* GET a path (freed); the printed answer where --json is given, else print. */
static int ask(const struct ctl_call *call, char *path, void (*print)(const json_t *answer), struct ctl_answer *answer)
{
	int rc = ctl_request(call->ctl, "GET", path, NULL, answer);

	free(path);
	if (rc == CTL_OK && call->ctl->json)
		puts(answer->text);
	else if (rc == CTL_OK)
		print(answer->json);
	return rc;
}

static int ask_only(const struct ctl_call *call, char *path, void (*print)(const json_t *answer))
{
	struct ctl_answer answer;
	int rc = ask(call, path, print, &answer);

	ctl_answer_free(&answer);
	return rc;
}

/* --- check ------------------------------------------------------------------------------------------------------ */

static void print_verdict(const json_t *answer)
{
	const char *reason = ctl_text(answer, "verdict.reason");

	printf("%s  %s", ctl_text(answer, "imei"), ctl_text(answer, "verdict.colour"));
	if (*reason && strcmp(reason, "none") != 0)
		printf(" (%s)", reason);
	if (!strcmp(ctl_text(answer, "verdict.answer"), "refuse"))
		printf(", refused");
	printf("  decided at step %s, %s\n", ctl_number_text(answer, "verdict.step"),
	       ctl_text(answer, "verdict.step_name"));
	if (ctl_at(answer, "remark"))
		printf("  the check digit given was %s: %s would be right\n", ctl_number_text(answer, "remark.given"),
		       ctl_text(answer, "remark.correction"));
}

static void add_level(struct ctl_table *table, const json_t *answer, const char *level)
{
	char path[40];
	const json_t *listing;

	snprintf(path, sizeof(path), "facts.%s", level);
	listing = ctl_at(answer, path);
	ctl_table_add(table, level, ctl_lists_text(ctl_at(listing, "lists")), ctl_text(listing, "reason"));
}

static void print_facts(const json_t *answer)
{
	struct ctl_table table = {.columns = 3};

	if (json_is_true(ctl_at(answer, "facts.failed"))) {
		puts("  the register could not say");
		return;
	}
	add_level(&table, answer, "svn");
	add_level(&table, answer, "device");
	add_level(&table, answer, "range");
	ctl_table_add(&table, "pair", ctl_text(answer, "facts.pair"), "");
	ctl_table_add(&table, "sim", ctl_text(answer, "facts.sim"), "");
	printf("register, serial %s:\n", ctl_number_text(answer, "facts.serial"));
	ctl_table_print(&table, "  ");
}

static void print_check(const json_t *answer)
{
	struct ctl_table table = {.columns = 4};
	const json_t *line;
	size_t i;

	print_verdict(answer);
	print_facts(answer);
	json_array_foreach(ctl_at(answer, "trace"), i, line)
		ctl_table_add(&table, ctl_number_text(line, "step"), ctl_text(line, "name"),
			      json_is_true(ctl_at(line, "decided")) ? "*" : " ", ctl_text(line, "text"));
	puts("steps:");
	ctl_table_print(&table, "  ");
	printf("%s\n", ctl_text(answer, "note"));
}

int ctl_check(const struct ctl_call *call)
{
	const char *imsi = ctl_option(call, "imsi"), *interface = ctl_option_or(call, "interface", "gsup");
	struct ctl_answer answer;
	const char *colour;
	int rc;

	rc = ask(call,
		 imsi ? ctl_path("/v1/check?imei=%&interface=%&imsi=%", call->arg[0], interface, imsi)
		      : ctl_path("/v1/check?imei=%&interface=%", call->arg[0], interface),
		 print_check, &answer);
	if (rc == CTL_UNREACHABLE)
		fputs("weirctl: check asks the keeper.  The gate answers checks without it: ask there, 'explain imei' "
		      "on its "
		      "VTY\n",
		      stderr);
	colour = ctl_text(answer.json, "verdict.colour");
	if (rc == CTL_OK && !strcmp(colour, "black"))
		rc = CTL_BLACK;
	else if (rc == CTL_OK && !strcmp(colour, "grey"))
		rc = CTL_GREY;
	ctl_answer_free(&answer);
	return rc;
}

/* --- show ------------------------------------------------------------------------------------------------------- */

static const char *row_text(const json_t *row)
{
	static char text[80];
	const char *kind = ctl_text(row, "kind");

	if (!strcmp(kind, "range"))
		snprintf(text, sizeof(text), "%s-%s", ctl_text(row, "from"), ctl_text(row, "to"));
	else if (!strcmp(kind, "pair"))
		snprintf(text, sizeof(text), "with %s", ctl_text(row, "imsi"));
	else if (ctl_at(row, "svn"))
		snprintf(text, sizeof(text), "version %02lld", (long long)ctl_number(row, "svn"));
	else
		snprintf(text, sizeof(text), "device");
	return text;
}

static const char *row_value(const json_t *row)
{
	return !strcmp(ctl_text(row, "kind"), "pair") ? ctl_text(row, "pair") : ctl_text(row, "list");
}

static void print_seen(const json_t *answer)
{
	struct ctl_table table = {.columns = 5};
	const json_t *by;
	size_t i;

	if (!json_array_size(ctl_at(answer, "seen"))) {
		puts("nobody was seen in it");
		return;
	}
	ctl_table_add(&table, "seen", "first", "last", "over", "peer");
	json_array_foreach(ctl_at(answer, "seen"), i, by)
		ctl_table_add(&table, ctl_text(by, "imsi"), ctl_text(by, "first"), ctl_text(by, "last"),
			      ctl_text(by, "interface"), ctl_text(by, "peer"));
	ctl_table_print(&table, "");
}

static void print_device(const json_t *answer)
{
	struct ctl_table table = {.columns = 6};
	const json_t *entry;
	size_t i;

	print_verdict(answer);
	if (!json_array_size(ctl_at(answer, "entries"))) {
		puts("no source lists it");
	} else {
		ctl_table_add(&table, "source", "what", "list", "reason", "since", "serial");
		json_array_foreach(ctl_at(answer, "entries"), i, entry) ctl_table_add(
			&table, ctl_text(entry, "source"), row_text(entry), row_value(entry), ctl_text(entry, "reason"),
			ctl_text(entry, "since"), ctl_number_text(entry, "serial"));
		ctl_table_print(&table, "");
	}
	print_seen(answer);
}

int ctl_show(const struct ctl_call *call)
{
	return ask_only(call, ctl_path("/v1/devices/%", call->arg[0]), print_device);
}

/* --- history ---------------------------------------------------------------------------------------------------- */

static void print_history(const json_t *answer)
{
	struct ctl_table table = {.columns = 7};
	const json_t *event;
	size_t i;

	if (!json_array_size(ctl_at(answer, "events"))) {
		printf("%s: nothing happened to it\n", ctl_text(answer, "imei"));
		return;
	}
	ctl_table_add(&table, "serial", "time", "event", "source", "by", "what", "value");
	json_array_foreach(ctl_at(answer, "events"), i, event)
	{
		const json_t *row = ctl_at(event, "row");

		ctl_table_add(&table, ctl_number_text(event, "serial"), ctl_text(event, "time"),
			      ctl_text(event, "event"), ctl_text(event, "source"), ctl_text(event, "actor"),
			      row_text(row), row_value(row));
	}
	printf("%s\n", ctl_text(answer, "imei"));
	ctl_table_print(&table, "");
	if (!json_is_true(ctl_at(answer, "whole")))
		puts("there is more than is shown here");
}

int ctl_history(const struct ctl_call *call)
{
	return ask_only(call, ctl_path("/v1/devices/%/history", call->arg[0]), print_history);
}

/* --- sources, status -------------------------------------------------------------------------------------------- */

static void print_sources(const json_t *answer)
{
	struct ctl_table table = {.columns = 6};
	const json_t *source;
	size_t i;

	ctl_table_add(&table, "source", "devices", "ranges", "pairs", "serial", "changed");
	json_array_foreach(ctl_at(answer, "sources"), i, source)
		ctl_table_add(&table, ctl_text(source, "source"), ctl_number_text(source, "devices"),
			      ctl_number_text(source, "ranges"), ctl_number_text(source, "pairs"),
			      ctl_number_text(source, "serial"), ctl_text(source, "changed"));
	ctl_table_print(&table, "");
}

int ctl_sources(const struct ctl_call *call)
{
	return ask_only(call, ctl_path("/v1/sources"), print_sources);
}

static void print_status(const json_t *answer)
{
	const char *why = ctl_text(answer, "why");

	printf("weir-keeper %s: %s%s%s, since %s\n", ctl_text(answer, "version"),
	       json_is_true(ctl_at(answer, "ready")) ? "ready" : "not ready", *why ? ", " : "", why,
	       ctl_text(answer, "started"));
	printf("ledger     serial %s, epoch %s, origin %s\n", ctl_number_text(answer, "ledger.serial"),
	       ctl_number_text(answer, "ledger.epoch"), ctl_text(answer, "ledger.origin"));
	printf("           digest %s\n", ctl_text(answer, "ledger.digest"));
	printf("register   serial %s, %s behind; %s devices, %s ranges, %s pairs\n",
	       ctl_number_text(answer, "register.serial"), ctl_number_text(answer, "register.lag"),
	       ctl_number_text(answer, "register.devices"), ctl_number_text(answer, "register.ranges"),
	       ctl_number_text(answer, "register.pairs"));
	printf("changes    %s in %s commits, %s failed\n", ctl_number_text(answer, "turns.changes"),
	       ctl_number_text(answer, "turns.commits"), ctl_number_text(answer, "turns.failed"));
	printf("seen       %s pairs kept, %s dropped\n", ctl_number_text(answer, "seen.entries"),
	       ctl_number_text(answer, "seen.dropped"));
	if (json_is_object(ctl_at(answer, "import")))
		printf("import     into %s: %s, %s of %s\n", ctl_text(answer, "import.source"),
		       ctl_text(answer, "import.phase"), ctl_number_text(answer, "import.done"),
		       ctl_number_text(answer, "import.total"));
}

int ctl_status(const struct ctl_call *call)
{
	return ask_only(call, ctl_path("/v1/status"), print_status);
}
