/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper's HTTP API, version 1: routes and handlers.  doc/API.md is its manual for people.
 *
 * A handler decodes, calls the one path (turn, lists, register), encodes.  Errors are RFC 9457 problem documents whose
 * "code" is a stable word and whose "detail" is a sentence for people.  Identities are printed in clear: who may ask
 * may see them.  Long work (imports, verify, rebuild) goes in slices between which other requests are served. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/digits.h"
#include "core/imei.h"
#include "keeper/http.h"
#include "keeper/lists.h"

struct keeper;

const struct http_route *api_routes(unsigned *n);

/* http_problem_fn */
void api_problem(struct http_request *request, unsigned status, const char *code, const char *sentence);
/* A room's error as a problem: -EINVAL 422, -ENOENT 404, -EBUSY 503, -ENOSPC and -EIO 507, else 500. */
void api_problem_of(struct http_request *request, int err, const struct weir_why *why);

/* --- handlers, by file ------------------------------------------------------------------------------------------ */

void api_get_status(struct http_request *request); /* api_status.c */
void api_get_livez(struct http_request *request);
void api_get_readyz(struct http_request *request);
void api_get_metrics(struct http_request *request);

void api_get_sources(struct http_request *request); /* api_entry.c */
void api_put_source(struct http_request *request);
void api_put_entry(struct http_request *request);
void api_get_entry(struct http_request *request);
void api_delete_entry(struct http_request *request);
void api_entry_gone(struct http_request *request);

/* Does the keeper have a source of that name? */
bool api_source_exists(struct keeper *keeper, const char *name);
/* A device from a part of the path or the query; answers the problem itself and returns false where it is none. */
bool api_read_imei(struct http_request *request, const char *text, struct weir_imei_reading *reading);
bool api_read_imsi(struct http_request *request, const char *text, struct weir_imsi *imsi);

void api_get_device(struct http_request *request); /* api_device.c */
void api_get_history(struct http_request *request);
void api_get_check(struct http_request *request);

void api_import_begin(struct http_request *request); /* api_import.c */
void api_import_body(struct http_request *request, const void *bytes, size_t len);
void api_import_handle(struct http_request *request);
void api_import_gone(struct http_request *request);
void api_get_import(struct http_request *request);

void api_get_export(struct http_request *request); /* api_export.c */
void api_export_gone(struct http_request *request);

void api_verify(struct http_request *request); /* api_care.c */
void api_verify_gone(struct http_request *request);
void api_rebuild(struct http_request *request);
void api_rebuild_gone(struct http_request *request);
