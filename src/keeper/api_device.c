/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* /v1/devices/{imei}, its history, and /v1/check: what is known of one device, by whom, and what it comes to.  Reads
 * only. */
#include "keeper/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/api_json.h"
#include "keeper/main.h"
#include "register/register.h"

#define HISTORY_MAX 1000

static int entry_cb(const struct weir_entry *entry, const char *source, void *data)
{
	json_array_append_new(data, api_json_entry(entry, source));
	return 0;
}

static json_t *seen_in_json(struct keeper *keeper, uint64_t imei)
{
	struct seen_by by[SEEN_ASK_MAX];
	unsigned n = keeper->seen ? seen_in(keeper->seen, imei, by, SEEN_ASK_MAX) : 0;
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(array, api_json_seen(&by[i]));
	return array;
}

/* The register and the default policy, as an interface would ask them. */
static void decide(struct keeper *keeper, struct weir_query *query, struct weir_facts *facts,
		   struct weir_verdict *verdict, struct weir_trace *trace)
{
	memset(facts, 0, sizeof(*facts));
	query->terms = policy_terms(keeper->policy, query->interface, "");
	if (query->fault == WEIR_IMEI_OK)
		register_lookup(lists_register(keeper->lists), query, facts, 1);
	policy_decide(keeper->policy, query, facts, verdict, trace);
}

static void add_imei(json_t *value, const struct weir_imei_reading *reading)
{
	char text[WEIR_IMEI_TEXT];

	json_object_set_new(value, "imei", api_json_imei(reading->imei.key));
	json_object_set_new(value, "device", json_string(imei_print(text, reading->imei.key)));
	json_object_set_new(value, "class", json_string(imei_class_name(imei_classify(&reading->imei))));
	if (reading->imei.svn != WEIR_NO_SVN)
		json_object_set_new(value, "svn", json_integer(reading->imei.svn));
	if (reading->given_check > 0 && imei_check_is_wrong(reading))
		json_object_set_new(value, "remark",
				    json_pack("{s:s, s:i, s:o}", "code", "check-digit", "given",
					      (int)reading->given_check, "correction",
					      api_json_imei(reading->imei.key)));
}

void api_get_device(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct weir_query query = {.interface = WEIR_IF_GSUP};
	struct weir_imei_reading reading;
	struct weir_verdict verdict;
	struct weir_facts facts;
	struct weir_trace trace = {0};
	json_t *entries, *value;
	int rc;

	if (!api_read_imei(request, http_target(request)->segment[2], &reading))
		return;
	entries = json_array();
	rc = lists_entries(keeper->lists, reading.imei.key, entry_cb, entries);
	if (rc < 0) {
		json_decref(entries);
		api_problem_of(request, rc, NULL);
		return;
	}
	query.imei = reading.imei;
	decide(keeper, &query, &facts, &verdict, &trace);
	value = json_object();
	add_imei(value, &reading);
	json_object_set_new(value, "verdict", api_json_verdict(&verdict));
	json_object_set_new(value, "facts", api_json_facts(&facts));
	json_object_set_new(value, "entries", entries);
	json_object_set_new(value, "seen", seen_in_json(keeper, reading.imei.key));
	api_answer(request, 200, value);
}

static int event_cb(const struct weir_event *event, void *data)
{
	if (json_array_size(data) == HISTORY_MAX)
		return 1;
	json_array_append_new(data, api_json_event(event));
	return 0;
}

void api_get_history(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct weir_imei_reading reading;
	json_t *events, *value;
	int rc;

	if (!api_read_imei(request, http_target(request)->segment[2], &reading))
		return;
	events = json_array();
	rc = lists_history(keeper->lists, reading.imei.key, event_cb, events);
	if (rc < 0) {
		json_decref(events);
		api_problem_of(request, rc, NULL);
		return;
	}
	value = json_object();
	add_imei(value, &reading);
	json_object_set_new(value, "whole", json_boolean(rc == 0));
	json_object_set_new(value, "events", events);
	api_answer(request, 200, value);
}

static bool read_check(struct http_request *request, struct weir_query *query, struct weir_imei_reading *reading)
{
	const struct http_target *target = http_target(request);
	const char *imei = http_target_query(target, "imei"), *imsi = http_target_query(target, "imsi");
	const char *interface = http_target_query(target, "interface");
	int number = interface ? interface_from_name(interface) : WEIR_IF_GSUP;

	if (!imei) {
		api_problem(request, 422, "imei", "which device?  ?imei= is needed");
		return false;
	}
	if (number < 0) {
		api_problem(request, 422, "interface", "interface must be gsup, s13, n5g or map");
		return false;
	}
	if (!api_read_imei(request, imei, reading) || (imsi && !api_read_imsi(request, imsi, &query->imsi)))
		return false;
	query->imei = reading->imei;
	query->interface = (enum weir_interface)number;
	return true;
}

void api_get_check(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	struct weir_query query = {0};
	struct weir_imei_reading reading;
	struct weir_verdict verdict;
	struct weir_facts facts;
	struct weir_trace trace = {0};
	json_t *value;

	if (!read_check(request, &query, &reading))
		return;
	decide(keeper, &query, &facts, &verdict, &trace);
	value = json_object();
	add_imei(value, &reading);
	json_object_set_new(value, "imsi", api_json_imsi(query.imsi));
	json_object_set_new(value, "interface", json_string(interface_name(query.interface)));
	json_object_set_new(value, "verdict", api_json_verdict(&verdict));
	json_object_set_new(value, "facts", api_json_facts(&facts));
	json_object_set_new(value, "trace", api_json_trace(&trace));
	json_object_set_new(
		value, "note",
		json_string("by the keeper's register and the default policy; the gate's own policy (overrides, peers, "
			    "defaults) is not known here and may say otherwise: 'explain imei' on its VTY tells"));
	api_answer(request, 200, value);
}
