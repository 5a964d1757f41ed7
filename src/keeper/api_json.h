/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Our words as JSON.  Each function returns a new value, NULL where memory ran out; NULL goes through jansson's
 * functions unharmed, and api_answer turns it into a 500. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/verdict.h"
#include "keeper/http.h"
#include "keeper/lists.h"
#include "keeper/seen.h"

/* Takes value. */
void api_answer(struct http_request *request, unsigned status, json_t *value);
/* A problem document, with members of its own added; takes more (may be NULL). */
void api_answer_problem(struct http_request *request, unsigned status, const char *code, const char *sentence,
			json_t *more);

json_t *api_json_imei(uint64_t key);          /* "352099001761481" */
json_t *api_json_imsi(struct weir_imsi imsi); /* null for none */
json_t *api_json_time(int64_t ms);            /* "2026-..Z"; null for 0 */
json_t *api_json_hex(const uint8_t *bytes, size_t len);
json_t *api_json_lists(uint8_t lists); /* ["white","black"] */
json_t *api_json_listing(const struct weir_listing *listing);
/* {"imei":..,"svn":..} / {"from","to"} / {"imei","imsi","pair"} with "list" and "reason" */
json_t *api_json_row(const struct list_row *row);
json_t *api_json_entry(const struct weir_entry *entry, const char *source);
json_t *api_json_source(const struct weir_source *source);
json_t *api_json_event(const struct weir_event *event);
json_t *api_json_facts(const struct weir_facts *facts);
json_t *api_json_verdict(const struct weir_verdict *verdict);
json_t *api_json_trace(const struct weir_trace *trace);
json_t *api_json_receipt(const struct lists_receipt *receipt);
json_t *api_json_reject(const struct list_reject *reject);
json_t *api_json_seen(const struct seen_by *by);
