/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Words to JSON, and answers in it.  Decides nothing. */
#include "keeper/api_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/when.h"
#include "keeper/api.h"

#define RETRY_AFTER_S "1"

void api_answer(struct http_request *request, unsigned status, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(value);
	if (text)
		http_answer(request, status, "application/json", text, strlen(text));
	else
		http_answer(request, 500, "text/plain", "no memory for an answer\n", 24);
	free(text);
}

/* Part of the sentence may have come from outside: what is not ASCII text must not spoil the document. */
static const char *cleaned(char out[static 320], const char *sentence)
{
	size_t n = 0;

	for (; sentence[n] && n < 319; n++)
		out[n] = sentence[n] < 0x20 || sentence[n] > 0x7e ? '?' : sentence[n];
	out[n] = '\0';
	return out;
}

void api_answer_problem(struct http_request *request, unsigned status, const char *code, const char *sentence,
			json_t *more)
{
	char type[80], clean[320];
	json_t *value;
	char *text;

	snprintf(type, sizeof(type), "urn:weir:problem:%s", code);
	value = json_pack("{s:s, s:i, s:s, s:s}", "type", type, "status", (int)status, "code", code, "detail",
			  cleaned(clean, sentence && *sentence ? sentence : code));
	if (value && more)
		json_object_update_missing(value, more);
	json_decref(more);
	if (status == 503)
		http_header(request, "Retry-After", RETRY_AFTER_S);
	text = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	http_answer(request, status, "application/problem+json", text, text ? strlen(text) : 0);
	free(text);
	json_decref(value);
}

void api_problem(struct http_request *request, unsigned status, const char *code, const char *sentence)
{
	api_answer_problem(request, status, code, sentence, NULL);
}

void api_problem_of(struct http_request *request, int err, const struct weir_why *why)
{
	static const struct {
		int err;
		unsigned status;
		const char *code, *sentence;
	} table[] = {
		{-EINVAL, 422, "invalid", "this cannot be taken as it is"},
		{-E2BIG, 422, "too-many-rejects", "too many rows were rejected"},
		{-ENOENT, 404, "not-found", "there is no such thing"},
		{-EBUSY, 503, "busy", "the keeper is busy; try again in a moment"},
		{-ENOSPC, 507, "disk-full", "the disk is full; nothing was changed"},
		{-EIO, 507, "store-failed", "the store could not be written; nothing was changed"},
		{-ESTALE, 507, "store-failed", "the store failed and must be opened again"},
	};
	const char *sentence = why && *why->text ? why->text : NULL;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].err == err) {
			api_problem(request, table[i].status, table[i].code, sentence ? sentence : table[i].sentence);
			return;
		}
	}
	api_problem(request, 500, "failed", sentence ? sentence : strerror(-err));
}

json_t *api_json_imei(uint64_t key)
{
	char text[WEIR_IMEI_TEXT];

	return json_string(imei_print_checked(text, key));
}

json_t *api_json_imsi(struct weir_imsi imsi)
{
	char text[WEIR_DIGITS_TEXT];

	return imsi.packed ? json_string(imsi_print(text, imsi)) : json_null();
}

json_t *api_json_time(int64_t ms)
{
	char text[WEIR_WHEN_TEXT];

	return ms ? json_string(when_print(text, ms)) : json_null();
}

json_t *api_json_hex(const uint8_t *bytes, size_t len)
{
	char text[65];

	for (size_t i = 0; i < len && i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_stringn(text, 2 * len);
}

json_t *api_json_lists(uint8_t lists)
{
	json_t *array = json_array();

	for (int colour = WEIR_WHITE; colour <= WEIR_BLACK; colour++) {
		if (lists & WEIR_ON(colour))
			json_array_append_new(array, json_string(colour_name(colour)));
	}
	return array;
}

json_t *api_json_listing(const struct weir_listing *listing)
{
	return json_pack("{s:o, s:s}", "lists", api_json_lists(listing->lists), "reason", reason_name(listing->reason));
}

json_t *api_json_row(const struct list_row *row)
{
	char from[WEIR_IMEI_TEXT], to[WEIR_IMEI_TEXT];
	json_t *value;

	switch (row->kind) {
	case LIST_RANGE:
		return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", "range", "from", imei_print(from, row->from),
				 "to", imei_print(to, row->to), "list", colour_name(row->colour), "reason",
				 reason_name(row->reason));
	case LIST_PAIR:
		return json_pack("{s:s, s:o, s:o, s:s, s:s}", "kind", "pair", "imei", api_json_imei(row->from), "imsi",
				 api_json_imsi(row->imsi), "pair", pair_rule_name(row->rule), "reason",
				 reason_name(row->reason));
	case LIST_DEVICE:
	default:
		value = json_pack("{s:s, s:o, s:s, s:s}", "kind", "device", "imei", api_json_imei(row->from), "list",
				  colour_name(row->colour), "reason", reason_name(row->reason));
		if (row->svn != WEIR_NO_SVN)
			json_object_set_new(value, "svn", json_integer(row->svn));
		return value;
	}
}

json_t *api_json_entry(const struct weir_entry *entry, const char *source)
{
	json_t *value = api_json_row(&entry->row);

	json_object_set_new(value, "source", json_string(source));
	json_object_set_new(value, "serial", json_integer((json_int_t)entry->serial));
	json_object_set_new(value, "since", api_json_time(entry->since_ms));
	return value;
}

json_t *api_json_source(const struct weir_source *source)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "source", source->name, "devices",
			 (json_int_t)source->devices, "ranges", (json_int_t)source->ranges, "pairs",
			 (json_int_t)source->pairs, "serial", (json_int_t)source->serial, "changed",
			 api_json_time(source->changed_ms));
}

static const char *event_name(const struct weir_event *event)
{
	if (event->type != LEDGER_BATCH)
		return ledger_event_type_name(event->type);
	if (event->batch.replace)
		return "replace";
	return event->batch.remove ? "take-off" : "merge";
}

json_t *api_json_event(const struct weir_event *event)
{
	json_t *value = json_pack("{s:I, s:I, s:o, s:s, s:s, s:s}", "serial", (json_int_t)event->serial, "epoch",
				  (json_int_t)event->epoch, "time", api_json_time(event->time_ms), "event",
				  event_name(event), "source", event->source, "actor", event->actor);

	if (event->type == LEDGER_PUT || event->type == LEDGER_REMOVE || event->type == LEDGER_BATCH)
		json_object_set_new(value, "row", api_json_row(&event->row));
	if (event->type == LEDGER_BATCH)
		json_object_set_new(value, "batch",
				    json_pack("{s:I, s:I, s:o}", "id", (json_int_t)event->batch.id, "rows",
					      (json_int_t)event->batch.rows, "digest",
					      api_json_hex(event->batch.digest, 32)));
	json_object_set_new(value, "digest", api_json_hex(event->digest, 32));
	return value;
}

json_t *api_json_facts(const struct weir_facts *facts)
{
	static const char *const sims[] = {"free", "at-home", "elsewhere"};

	if (facts->failed)
		return json_pack("{s:b}", "failed", 1);
	return json_pack("{s:b, s:I, s:o, s:o, s:o, s:s, s:s}", "failed", 0, "serial", (json_int_t)facts->serial, "svn",
			 api_json_listing(&facts->svn), "device", api_json_listing(&facts->device), "range",
			 api_json_listing(&facts->range), "pair", pair_rule_name(facts->pair), "sim",
			 facts->sim <= WEIR_SIM_ELSEWHERE ? sims[facts->sim] : "?");
}

json_t *api_json_verdict(const struct weir_verdict *verdict)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:I}", "colour", colour_name(verdict->colour), "answer",
			 verdict->answer == WEIR_ANSWER_REFUSE ? "refuse" : "colour", "reason",
			 reason_name(verdict->reason), "step", (int)verdict->step, "step_name",
			 step_name(verdict->step), "serial", (json_int_t)verdict->serial);
}

json_t *api_json_trace(const struct weir_trace *trace)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < trace->n; i++)
		json_array_append_new(array,
				      json_pack("{s:i, s:s, s:b, s:s}", "step", (int)trace->line[i].step, "name",
						step_name(trace->line[i].step), "decided", (int)trace->line[i].decided,
						"text", trace->line[i].text ? trace->line[i].text : ""));
	return array;
}

json_t *api_json_receipt(const struct lists_receipt *receipt)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{"lines", receipt->lines},
		{"rows", receipt->rows},
		{"rejected", receipt->rejected},
		{"remarks", receipt->remarks},
		{"duplicates", receipt->duplicates},
		{"added", receipt->added},
		{"changed", receipt->changed},
		{"removed", receipt->removed},
		{"unchanged", receipt->unchanged},
		{"turned_black", receipt->turned_black},
		{"turned_from_black", receipt->turned_from_black},
		{"batch", receipt->batch},
		{"serial", receipt->serial},
	};
	json_t *value = json_object();

	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(value, counts[i].name, json_integer((json_int_t)counts[i].value));
	return value;
}

json_t *api_json_reject(const struct list_reject *reject)
{
	return json_pack("{s:I, s:i, s:s, s:s, s:b, s:s, s:s}", "line", (json_int_t)reject->line, "column",
			 (int)reject->column, "column_name", reject->column_name ? reject->column_name : "", "code",
			 list_fault_name(reject->fault), "remark", (int)reject->remark, "value", reject->value, "text",
			 reject->text);
}

json_t *api_json_seen(const struct seen_by *by)
{
	json_t *value =
		json_pack("{s:o, s:o, s:o, s:s, s:s}", "imsi", api_json_imsi(by->imsi), "first",
			  api_json_time((int64_t)by->first_s * 1000), "last", api_json_time((int64_t)by->last_s * 1000),
			  "interface", interface_name(by->interface), "peer", by->peer);

	if (by->svn != WEIR_NO_SVN)
		json_object_set_new(value, "svn", json_integer(by->svn));
	return value;
}
