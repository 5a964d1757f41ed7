/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GET /v1/export and /v1/sources/{source}/export: CSV, a slice a turn, in key order.  Nothing is held between slices:
 * what changes while it runs may be in it or not.  Weir-Serial says where it began. */
#include "keeper/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/main.h"

#define ROWS_A_SLICE 256

struct export
{
	struct lists *lists;
	struct lists_place place;
	char source[LEDGER_NAME_MAX + 1]; /* "": all */
	bool ended, failed;
	char text[(ROWS_A_SLICE + 1) * LIST_ROW_TEXT];
	size_t len, at;
};

static int row_cb(const struct weir_entry *entry, const char *source, void *data)
{
	struct export *export = data;
	int n = list_row_print(&entry->row, source, export->text + export->len, sizeof(export->text) - export->len);

	if (n < 0)
		export->failed = true;
	else
		export->len += (size_t)n;
	return 0;
}

static void fill(struct export *export)
{
	int rc;

	export->at = export->len = 0;
	rc = lists_export(export->lists, *export->source ? export->source : NULL, &export->place, ROWS_A_SLICE, row_cb,
			  export);
	if (rc < 0)
		export->failed = true;
	if (rc == 0)
		export->ended = true;
}

static ssize_t next_cb(struct http_request *request, char *buf, size_t size)
{
	struct export *export = *http_data(request);
	size_t some;

	while (export->at == export->len) {
		if (export->failed)
			return HTTP_STREAM_BROKEN;
		if (export->ended)
			return HTTP_STREAM_END;
		fill(export);
	}
	some = export->len - export->at;
	if (some > size)
		some = size;
	memcpy(buf, export->text + export->at, some);
	export->at += some;
	return (ssize_t)some;
}

void api_get_export(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	const struct http_target *target = http_target(request);
	struct ledger_head head;
	struct export *export;
	char serial[24];

	if (target->n_segments == 4 &&
	    (strlen(target->segment[2]) > LEDGER_NAME_MAX || !api_source_exists(keeper, target->segment[2]))) {
		api_problem(request, 404, "no-such-source", "there is no source of that name");
		return;
	}
	export = calloc(1, sizeof(*export));
	if (!export) {
		api_problem_of(request, -ENOMEM, NULL);
		return;
	}
	*http_data(request) = export;
	export->lists = keeper->lists;
	if (target->n_segments == 4)
		snprintf(export->source, sizeof(export->source), "%s", target->segment[2]);
	export->len = (size_t)snprintf(export->text, sizeof(export->text), "%s", list_header);
	ledger_head(lists_ledger(keeper->lists), &head);
	snprintf(serial, sizeof(serial), "%llu", (unsigned long long)head.serial);
	http_header(request, "Weir-Serial", serial);
	http_answer_stream(request, 200, "text/csv; charset=utf-8", next_cb);
}

void api_export_gone(struct http_request *request)
{
	free(*http_data(request));
}
