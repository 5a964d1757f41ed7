/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl import: sends a file, shows how far it is, prints the receipt. */
#define _GNU_SOURCE
#include "tools/weirctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/weirctl_http.h"

#define BAR           40
#define REJECTS_SHOWN 20
#define LOOK_BYTES    (16ll << 20) /* more than waits between us and the keeper */

struct upload {
	const struct ctl *ctl;
	const char *name;
	int fd;
	long long size; /* -1: not known */
	bool bar, all_read;
	const char *source;
	long long looked; /* at so many bytes sent: does the keeper still read? */
};

/* --- progress --------------------------------------------------------------------------------------------------- */

static void draw(const char *phase, long long done, long long total)
{
	int full;

	if (done > total)
		done = total;
	full = total > 0 ? (int)(done * BAR / total) : 0;
	fprintf(stderr, "\r%-9s [%.*s%.*s] %3lld %%", phase, full, "########################################",
		BAR - full, "........................................", total > 0 ? done * 100 / total : 0);
}

/* What the keeper does after it has the file. */
static void draw_keeper(const struct ctl *ctl)
{
	struct ctl_answer answer;

	if (ctl_ask_quietly(ctl, "/v1/import", &answer) == CTL_OK && json_is_true(ctl_at(answer.json, "running")))
		draw(ctl_text(answer.json, "phase"), ctl_number(answer.json, "done"), ctl_number(answer.json, "total"));
	ctl_answer_free(&answer);
}

/* A stream without end must end once the keeper has refused it: the reason comes only behind the last byte. */
static void look_for_refusal(struct upload *upload, long long sent)
{
	struct ctl_answer answer;

	if (upload->size >= 0 || upload->all_read || sent - upload->looked < LOOK_BYTES)
		return;
	upload->looked = sent;
	if (ctl_ask_quietly(upload->ctl, "/v1/import", &answer) == CTL_OK &&
	    strcmp(ctl_text(answer.json, "source"), upload->source) != 0)
		upload->all_read = true;
	ctl_answer_free(&answer);
}

static void tick_cb(void *data, long long sent)
{
	struct upload *upload = data;

	look_for_refusal(upload, sent);
	if (!upload->bar)
		return;
	if (upload->all_read && (upload->size < 0 || sent >= upload->size))
		draw_keeper(upload->ctl);
	else if (upload->size > 0)
		draw("sending", sent, upload->size);
	else
		fprintf(stderr, "\rsending   %lld MB", sent >> 20);
}

static ssize_t read_cb(void *data, char *buf, size_t size)
{
	struct upload *upload = data;
	ssize_t n;

	if (upload->all_read)
		return 0;
	do {
		n = read(upload->fd, buf, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		ctl_fail(CTL_LOCAL, "%s: %s", upload->name, strerror(errno));
	if (n == 0)
		upload->all_read = true;
	if (upload->size > 0 && lseek(upload->fd, 0, SEEK_CUR) >= upload->size)
		upload->all_read = true;
	return n;
}

/* --- the receipt ------------------------------------------------------------------------------------------------ */

static void print_rejects(const json_t *receipt)
{
	struct ctl_table table = {.columns = 5};
	const json_t *rejects = ctl_at(receipt, "rejects"), *reject;
	long long all = ctl_number(receipt, "rejected") + ctl_number(receipt, "remarks");
	size_t i;

	if (!json_array_size(rejects))
		return;
	ctl_table_add(&table, "line", "column", "code", "value", "what is wrong");
	json_array_foreach(rejects, i, reject)
	{
		if (i == REJECTS_SHOWN)
			break;
		ctl_table_add(&table, ctl_number_text(reject, "line"), ctl_text(reject, "column_name"),
			      ctl_text(reject, "code"), ctl_text(reject, "value"), ctl_text(reject, "text"));
	}
	ctl_table_print(&table, "  ");
	if (all > (long long)i)
		printf("  and %lld more; --json lists the first 1000\n", all - (long long)i);
}

static void print_receipt(const json_t *receipt)
{
	if (json_is_true(ctl_at(receipt, "in_force")))
		printf("source %s: %s, in force (serial %s)\n", ctl_text(receipt, "source"), ctl_text(receipt, "mode"),
		       ctl_number_text(receipt, "serial"));
	else
		printf("source %s: %s, nothing was changed; it would be\n", ctl_text(receipt, "source"),
		       ctl_text(receipt, "mode"));
	printf("  %s rows taken of %s lines; %s rejected, %s with a remark, %s duplicates\n",
	       ctl_number_text(receipt, "rows"), ctl_number_text(receipt, "lines"),
	       ctl_number_text(receipt, "rejected"), ctl_number_text(receipt, "remarks"),
	       ctl_number_text(receipt, "duplicates"));
	printf("  %s added, %s changed, %s removed, %s unchanged\n", ctl_number_text(receipt, "added"),
	       ctl_number_text(receipt, "changed"), ctl_number_text(receipt, "removed"),
	       ctl_number_text(receipt, "unchanged"));
	printf("  %s devices turned black, %s are black no longer\n", ctl_number_text(receipt, "turned_black"),
	       ctl_number_text(receipt, "turned_from_black"));
	print_rejects(receipt);
}

static int conclude(const struct ctl_call *call, int rc, const struct ctl_answer *answer)
{
	if (rc == CTL_REFUSED) {
		ctl_refused(call->ctl, answer);
		if (!call->ctl->json)
			print_rejects(ctl_at(answer->json, "receipt"));
	} else if (rc == CTL_OK && answer->status == 202) {
		if (call->ctl->json)
			puts(answer->text);
		rc = ctl_fail(CTL_REFUSED, "%s (%s: %s of %s)", ctl_text(answer->json, "detail"),
			      ctl_text(answer->json, "phase"), ctl_number_text(answer->json, "done"),
			      ctl_number_text(answer->json, "total"));
	} else if (rc == CTL_OK && call->ctl->json) {
		puts(answer->text);
	} else if (rc == CTL_OK) {
		print_receipt(answer->json);
	}
	return rc;
}

/* --- the verb --------------------------------------------------------------------------------------------------- */

static char *import_path(const struct ctl_call *call, const char *source)
{
	static const char *const names[][2] = {{"list", "list"}, {"reason", "reason"}, {"max-rejects", "max_rejects"}};
	char *path = ctl_path("/v1/sources/%/import?mode=%", source, ctl_option_or(call, "mode", "merge"));

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = ctl_option(call, names[i][0]);
		char *longer, *escaped;

		if (!value)
			continue;
		escaped = ctl_path("%", value);
		if (asprintf(&longer, "%s&%s=%s", path, names[i][1], escaped) < 0)
			exit(ctl_fail(CTL_LOCAL, "out of memory"));
		free(escaped);
		free(path);
		path = longer;
	}
	if (ctl_option(call, "dry-run") || ctl_option(call, "strict")) {
		char *longer;

		if (asprintf(&longer, "%s%s%s", path, ctl_option(call, "dry-run") ? "&dry_run=1" : "",
			     ctl_option(call, "strict") ? "&strict=1" : "") < 0)
			exit(ctl_fail(CTL_LOCAL, "out of memory"));
		free(path);
		path = longer;
	}
	return path;
}

static int make_source(const struct ctl *given, const char *name)
{
	struct ctl own = *given, *ctl = &own;
	char *path = ctl_path("/v1/sources/%", name);
	struct ctl_answer answer;
	int rc;

	own.needs = "source";
	rc = ctl_request(ctl, "PUT", path, NULL, &answer);

	ctl_answer_free(&answer);
	free(path);
	return rc;
}

static int open_file(const char *name, struct upload *upload)
{
	struct stat st;

	upload->name = name;
	upload->fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (upload->fd < 0 || fstat(upload->fd, &st) < 0)
		return ctl_fail(CTL_LOCAL, "%s: %s", name, strerror(errno));
	upload->size = S_ISREG(st.st_mode) ? (long long)st.st_size - lseek(upload->fd, 0, SEEK_CUR) : -1;
	return CTL_OK;
}

int ctl_import(const struct ctl_call *call)
{
	const char *source = ctl_option(call, "source");
	struct upload upload = {.ctl = call->ctl, .source = source, .bar = isatty(STDERR_FILENO) && !call->ctl->json};
	struct ctl_upload spec = {.read = read_cb, .tick = tick_cb, .data = &upload};
	struct ctl_answer answer = {0};
	char *path;
	int rc;

	if (!source)
		return ctl_fail(CTL_USAGE, "import: --source NAME is needed: whose list is it?");
	rc = open_file(call->arg[0], &upload);
	if (rc == CTL_OK)
		rc = make_source(call->ctl, source);
	if (rc != CTL_OK)
		return rc;
	spec.size = upload.size;
	path = import_path(call, source);
	rc = ctl_post_file(call->ctl, path, &spec, &answer);
	if (upload.bar)
		fprintf(stderr, "\r%*s\r", BAR + 20, "");
	rc = conclude(call, rc, &answer);
	ctl_answer_free(&answer);
	free(path);
	if (upload.fd != STDIN_FILENO)
		close(upload.fd);
	return rc;
}
