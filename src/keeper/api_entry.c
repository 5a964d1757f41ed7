/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* /v1/sources and the single entries of a source: devices, ranges, TACs, pairs.  Changes go through the turn; the
 * answer comes when they are durable and in force; where the register cannot follow at once, it says so. */
#include "keeper/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"
#include "keeper/api_json.h"
#include "keeper/main.h"
#include "keeper/turn.h"

#define SOURCES_MAX 65535

/* /v1/sources/{source}/{kind}/{value}[/{imsi}] */
enum {
	SEGMENT_SOURCE = 2,
	SEGMENT_KIND,
	SEGMENT_VALUE,
	SEGMENT_IMSI
};

/* What a request names, and what its answer says of it beside the result. */
struct entry_request {
	struct http_request *request;
	struct lists_change change;
	struct weir_imei_reading reading;
	bool remark; /* the check digit given is not the right one */
};

/* --- sources ---------------------------------------------------------------------------------------------------- */

/* All sources (malloc); how many, or a negative errno. */
static int sources_read(struct keeper *keeper, struct weir_source **sources)
{
	unsigned max = 64;

	for (*sources = NULL;; max *= 8) {
		struct weir_source *more = realloc(*sources, max * sizeof(*more));
		int n;

		if (!more)
			return -ENOMEM;
		*sources = more;
		n = lists_sources(keeper->lists, more, max);
		if (n < (int)max || max >= SOURCES_MAX)
			return n;
	}
}

bool api_source_exists(struct keeper *keeper, const char *name)
{
	struct weir_source *sources;
	int n = sources_read(keeper, &sources);
	bool found = false;

	for (int i = 0; i < n && !found; i++)
		found = !strcmp(sources[i].name, name);
	free(sources);
	return found;
}

void api_get_sources(struct http_request *request)
{
	struct weir_source *sources;
	int n = sources_read(http_root(request), &sources);
	json_t *array;

	if (n < 0) {
		api_problem_of(request, n, NULL);
	} else {
		array = json_array();
		for (int i = 0; i < n; i++)
			json_array_append_new(array, api_json_source(&sources[i]));
		api_answer(request, 200, json_pack("{s:o}", "sources", array));
	}
	free(sources);
}

void api_put_source(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	const char *name = http_target(request)->segment[SEGMENT_SOURCE];
	struct weir_why why = {0};
	bool existed = api_source_exists(keeper, name);
	int rc = 0;

	if (!existed)
		rc = lists_source_make(keeper->lists, name, http_peer(request)->actor, daemon_now_ms(), &why);
	if (rc < 0)
		api_problem_of(request, rc, &why);
	else
		api_answer(request, existed ? 200 : 201, json_pack("{s:s, s:b}", "source", name, "made", !existed));
}

/* --- what a path names ------------------------------------------------------------------------------------------ */

bool api_read_imei(struct http_request *request, const char *text, struct weir_imei_reading *reading)
{
	enum weir_imei_fault fault = imei_from_text(text, strlen(text), reading);
	char sentence[160];

	if (fault == WEIR_IMEI_OK)
		return true;
	snprintf(sentence, sizeof(sentence),
		 "the IMEI %s; 14 to 17 digits are needed, '-', ' ', '/' and '.' may stand "
		 "between them",
		 imei_fault_text(fault));
	api_problem(request, 422, "imei", sentence);
	return false;
}

bool api_read_imsi(struct http_request *request, const char *text, struct weir_imsi *imsi)
{
	if (imsi_from_text(text, strlen(text), imsi) == 0)
		return true;
	api_problem(request, 422, "imsi", "the IMSI must have 5 to 15 digits");
	return false;
}

static bool read_digits(const char *text, size_t len, uint64_t *value)
{
	for (*value = 0; len--; text++) {
		if (*text < '0' || *text > '9')
			return false;
		*value = *value * 10 + (uint64_t)(*text - '0');
	}
	return true;
}

static bool read_range(struct http_request *request, const char *text, struct list_row *row)
{
	row->kind = LIST_RANGE;
	if (strlen(text) == 29 && text[14] == '-' && read_digits(text, 14, &row->from) &&
	    read_digits(text + 15, 14, &row->to) && row->from <= row->to)
		return true;
	api_problem(request, 422, "range", "a range is FROM-TO, 14 digits each, and FROM is not above TO");
	return false;
}

static bool read_tac(struct http_request *request, const char *text, struct list_row *row)
{
	uint64_t tac;

	row->kind = LIST_RANGE;
	if (strlen(text) != 8 || !read_digits(text, 8, &tac)) {
		api_problem(request, 422, "tac", "a TAC has 8 digits");
		return false;
	}
	row->from = tac * 1000000;
	row->to = row->from + 999999;
	return true;
}

static bool read_device(struct http_request *request, const char *text, struct entry_request *entry)
{
	struct list_row *row = &entry->change.row;

	if (!api_read_imei(request, text, &entry->reading))
		return false;
	row->from = row->to = entry->reading.imei.key; /* whatever version the form carries: the device is meant */
	entry->remark = entry->reading.given_check > 0 && imei_check_is_wrong(&entry->reading);
	return true;
}

/* ?svn=NN: only this software version of the device. */
static bool read_svn(struct http_request *request, struct list_row *row)
{
	const char *text = http_target_query(http_target(request), "svn");
	uint64_t svn;

	if (!text)
		return true;
	if (strlen(text) != 2 || !read_digits(text, 2, &svn)) {
		api_problem(request, 422, "svn", "a software version has 2 digits");
		return false;
	}
	row->svn = (int8_t)svn;
	return true;
}

static bool read_path(struct http_request *request, struct entry_request *entry)
{
	const struct http_target *target = http_target(request);
	const char *kind = target->segment[SEGMENT_KIND], *value = target->segment[SEGMENT_VALUE];
	struct list_row *row = &entry->change.row;

	row->svn = WEIR_NO_SVN;
	row->colour = WEIR_BLACK;
	if (!strcmp(kind, "ranges"))
		return read_range(request, value, row);
	if (!strcmp(kind, "tacs"))
		return read_tac(request, value, row);
	if (!read_device(request, value, entry))
		return false;
	if (strcmp(kind, "pairs") != 0)
		return read_svn(request, row);
	row->kind = LIST_PAIR;
	row->colour = WEIR_UNKNOWN;
	row->rule = WEIR_PAIR_ALLOW;
	return api_read_imsi(request, target->segment[SEGMENT_IMSI], &row->imsi);
}

/* --- what a body says ------------------------------------------------------------------------------------------- */

static bool refuse_member(struct http_request *request, const char *code, const char *name, const char *needed)
{
	char sentence[160];

	snprintf(sentence, sizeof(sentence), "\"%.32s\" %s", name, needed);
	api_problem(request, 422, code, sentence);
	return false;
}

static bool take_member(struct http_request *request, const char *name, json_t *value, struct list_row *row)
{
	const char *word = json_string_value(value);
	int number;

	if (!strcmp(name, "list") && row->kind != LIST_PAIR) {
		number = word ? colour_from_name(word) : -1;
		if (number < 0 || number == WEIR_UNKNOWN)
			return refuse_member(request, "list", name, "must be white, grey or black");
		row->colour = (enum weir_colour)number;
	} else if (!strcmp(name, "pair") && row->kind == LIST_PAIR) {
		number = word ? pair_rule_from_name(word) : -1;
		if (number <= WEIR_PAIR_NONE)
			return refuse_member(request, "pair", name, "must be allow, deny or fixed");
		row->rule = (enum weir_pair_rule)number;
	} else if (!strcmp(name, "reason")) {
		number = word ? reason_from_name(word) : -1;
		if (number < 0)
			return refuse_member(request, "reason", name, "must be a reason such as stolen or lost");
		row->reason = (uint16_t)number;
	} else {
		return refuse_member(request, "member", name, "is not known here");
	}
	return true;
}

static bool read_body(struct http_request *request, struct list_row *row)
{
	const char *name, *text;
	json_error_t error;
	json_t *object, *value;
	size_t len;
	bool good = true;

	text = http_body(request, &len);
	if (!len)
		return true;
	object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(object)) {
		json_decref(object);
		api_problem(request, 400, "json", "the body must be one JSON object without repeated names");
		return false;
	}
	json_object_foreach(object, name, value)
	{
		good = take_member(request, name, value, row);
		if (!good)
			break;
	}
	json_decref(object);
	return good;
}

/* --- put, delete ------------------------------------------------------------------------------------------------ */

static void add_names(json_t *value, const struct entry_request *entry)
{
	const struct list_row *row = &entry->change.row;
	char text[WEIR_IMEI_TEXT];

	json_object_set_new(value, "source", json_string(entry->change.source));
	json_object_set_new(value, "entry", api_json_row(row));
	if (row->kind == LIST_RANGE)
		return;
	json_object_set_new(value, "imei", api_json_imei(row->from));
	json_object_set_new(value, "device", json_string(imei_print(text, row->from)));
	if (entry->remark)
		json_object_set_new(value, "remark",
				    json_pack("{s:s, s:i, s:o}", "code", "check-digit", "given",
					      (int)entry->reading.given_check, "correction", api_json_imei(row->from)));
}

static void done_cb(void *data, int err, const struct lists_result *result, const struct weir_why *why)
{
	const struct entry_request *entry = data;
	struct keeper *keeper = http_root(entry->request);
	bool in_force;
	json_t *value;

	if (err) {
		api_problem_of(entry->request, err, why);
		return;
	}
	in_force = lists_lag(keeper->lists) == 0;
	value = json_pack("{s:b, s:b, s:I, s:s, s:s, s:i}", "changed", (int)result->changed, "in_force", (int)in_force,
			  "serial", (json_int_t)result->serial, "before", colour_name(result->before), "after",
			  colour_name(result->after), "others", (int)result->others);
	add_names(value, entry);
	api_answer(entry->request, in_force ? 200 : 202, value);
}

static bool refuse_check_digit(struct entry_request *entry)
{
	const char *check = http_target_query(http_target(entry->request), "check");
	char right[WEIR_IMEI_TEXT], sentence[200];

	if (!entry->remark || (check && !strcmp(check, "ignore")))
		return false;
	imei_print_checked(right, entry->change.row.from);
	snprintf(sentence, sizeof(sentence), "the check digit %d is wrong: %s would be right; was a digit mistyped?",
		 entry->reading.given_check, right);
	api_answer_problem(entry->request, 422, "check-digit", sentence, json_pack("{s:s}", "correction", right));
	return true;
}

static struct entry_request *entry_alloc(struct http_request *request)
{
	struct entry_request *entry = calloc(1, sizeof(*entry));

	if (!entry) {
		api_problem_of(request, -ENOMEM, NULL);
		return NULL;
	}
	*http_data(request) = entry;
	entry->request = request;
	snprintf(entry->change.actor, sizeof(entry->change.actor), "%s", http_peer(request)->actor);
	return entry;
}

/* Everything that can be wrong before the lists are asked; the answer is given where it returns NULL. */
static struct entry_request *entry_begin(struct http_request *request)
{
	const char *source = http_target(request)->segment[SEGMENT_SOURCE];
	struct entry_request *entry = entry_alloc(request);

	if (!entry || !read_path(request, entry))
		return NULL;
	if (strlen(source) > LEDGER_NAME_MAX || !api_source_exists(http_root(request), source)) {
		api_problem(request, 404, "no-such-source",
			    "there is no source of that name; PUT /v1/sources/NAME "
			    "makes one");
		return NULL;
	}
	snprintf(entry->change.source, sizeof(entry->change.source), "%s", source);
	return entry;
}

static void submit(struct entry_request *entry, enum lists_op op)
{
	struct keeper *keeper = http_root(entry->request);

	entry->change.op = op;
	if (turn_submit(keeper->turn, &entry->change, done_cb, entry) < 0)
		api_problem_of(entry->request, -ENOMEM, NULL);
}

void api_put_entry(struct http_request *request)
{
	struct entry_request *entry = entry_begin(request);

	if (entry && read_body(request, &entry->change.row) && !refuse_check_digit(entry))
		submit(entry, LISTS_PUT);
}

void api_delete_entry(struct http_request *request)
{
	struct entry_request *entry = entry_begin(request);

	if (entry)
		submit(entry, LISTS_REMOVE);
}

void api_entry_gone(struct http_request *request)
{
	free(*http_data(request));
}

/* --- get -------------------------------------------------------------------------------------------------------- */

struct finding {
	const struct entry_request *entry;
	json_t *value;
};

static bool is_same(const struct list_row *a, const struct list_row *b)
{
	return a->kind == b->kind && a->from == b->from && a->to == b->to &&
	       (a->kind != LIST_DEVICE || a->svn == b->svn) &&
	       (a->kind != LIST_PAIR || a->imsi.packed == b->imsi.packed);
}

static int find_cb(const struct weir_entry *entry, const char *source, void *data)
{
	struct finding *finding = data;

	if (!finding->value && !strcmp(source, finding->entry->change.source) &&
	    is_same(&entry->row, &finding->entry->change.row))
		finding->value = api_json_entry(entry, source);
	return 0;
}

void api_get_entry(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct finding finding = {.entry = entry_begin(request)};
	int rc;

	if (!finding.entry)
		return;
	rc = lists_entries(keeper->lists, finding.entry->change.row.from, find_cb, &finding);
	if (rc < 0) {
		json_decref(finding.value);
		api_problem_of(request, rc, NULL);
	} else if (!finding.value) {
		api_problem(request, 404, "not-listed", "this source does not list it");
	} else {
		add_names(finding.value, finding.entry);
		json_object_del(finding.value, "entry");
		api_answer(request, 200, finding.value);
	}
}
