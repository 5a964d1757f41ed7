/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of routes: what the API consists of. */
#include "keeper/api.h"

#define ENTRY_BODY_MAX 4096

/* clang-format off */
#define ENTRY_ROUTES(path_) \
	{HTTP_PUT, path_, HTTP_WRITE, ENTRY_BODY_MAX, .handle = api_put_entry, .gone = api_entry_gone}, \
	{HTTP_GET, path_, HTTP_READ, .handle = api_get_entry, .gone = api_entry_gone}, \
	{HTTP_DELETE, path_, HTTP_WRITE, .handle = api_delete_entry, .gone = api_entry_gone}

static const struct http_route routes[] = {
	{HTTP_GET, "/livez", HTTP_ANYBODY, .handle = api_get_livez},
	{HTTP_GET, "/readyz", HTTP_ANYBODY, .handle = api_get_readyz},
	{HTTP_GET, "/metrics", HTTP_READ, .handle = api_get_metrics},
	{HTTP_GET, "/v1/status", HTTP_READ, .handle = api_get_status},
	{HTTP_GET, "/v1/check", HTTP_READ, .handle = api_get_check},
	{HTTP_GET, "/v1/devices/{imei}", HTTP_READ, .handle = api_get_device},
	{HTTP_GET, "/v1/devices/{imei}/history", HTTP_READ, .handle = api_get_history},
	{HTTP_GET, "/v1/sources", HTTP_READ, .handle = api_get_sources},
	{HTTP_PUT, "/v1/sources/{source}", HTTP_WRITE, .handle = api_put_source},
	ENTRY_ROUTES("/v1/sources/{source}/devices/{imei}"),
	ENTRY_ROUTES("/v1/sources/{source}/ranges/{range}"),
	ENTRY_ROUTES("/v1/sources/{source}/tacs/{tac}"),
	ENTRY_ROUTES("/v1/sources/{source}/pairs/{imei}/{imsi}"),
	{HTTP_POST, "/v1/sources/{source}/import", HTTP_WRITE, .begin = api_import_begin, .body = api_import_body,
	 .handle = api_import_handle, .gone = api_import_gone},
	{HTTP_GET, "/v1/import", HTTP_READ, .handle = api_get_import},
	{HTTP_GET, "/v1/sources/{source}/export", HTTP_READ, .handle = api_get_export, .gone = api_export_gone},
	{HTTP_GET, "/v1/export", HTTP_READ, .handle = api_get_export, .gone = api_export_gone},
	{HTTP_POST, "/v1/verify", HTTP_READ, .handle = api_verify, .gone = api_verify_gone},
	{HTTP_POST, "/v1/rebuild", HTTP_WRITE, .handle = api_rebuild, .gone = api_rebuild_gone},
};
/* clang-format on */

const struct http_route *api_routes(unsigned *n)
{
	*n = sizeof(routes) / sizeof(routes[0]);
	return routes;
}
