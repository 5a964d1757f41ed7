/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of routes: what the API consists of. */
#include "keeper/api.h"

#define ENTRY_BODY_MAX 4096

#define ENTRY_ROUTES(path_)                                                                                            \
	{.method = HTTP_PUT,                                                                                            \
	 .path = path_,                                                                                                 \
	 .right = HTTP_WRITE,                                                                                           \
	 .body_max = ENTRY_BODY_MAX,                                                                                    \
	 .handle = api_put_entry,                                                                                       \
	 .gone = api_entry_gone},                                                                                       \
		{.method = HTTP_GET,                                                                                    \
		 .path = path_,                                                                                         \
		 .right = HTTP_READ,                                                                                    \
		 .handle = api_get_entry,                                                                               \
		 .gone = api_entry_gone},                                                                               \
	{                                                                                                               \
		.method = HTTP_DELETE, .path = path_, .right = HTTP_WRITE, .handle = api_delete_entry,                  \
		.gone = api_entry_gone                                                                                  \
	}

static const struct http_route routes[] = {
	{.method = HTTP_GET, .path = "/livez", .right = HTTP_ANYBODY, .handle = api_get_livez},
	{.method = HTTP_GET, .path = "/readyz", .right = HTTP_ANYBODY, .handle = api_get_readyz},
	{.method = HTTP_GET, .path = "/metrics", .right = HTTP_READ, .handle = api_get_metrics},
	{.method = HTTP_GET, .path = "/v1/status", .right = HTTP_READ, .handle = api_get_status},
	{.method = HTTP_GET, .path = "/v1/check", .right = HTTP_READ, .handle = api_get_check},
	{.method = HTTP_GET, .path = "/v1/devices/{imei}", .right = HTTP_READ, .handle = api_get_device},
	{.method = HTTP_GET, .path = "/v1/devices/{imei}/history", .right = HTTP_READ, .handle = api_get_history},
	{.method = HTTP_GET, .path = "/v1/sources", .right = HTTP_READ, .handle = api_get_sources},
	{.method = HTTP_PUT, .path = "/v1/sources/{source}", .right = HTTP_WRITE, .handle = api_put_source},
	ENTRY_ROUTES("/v1/sources/{source}/devices/{imei}"),
	ENTRY_ROUTES("/v1/sources/{source}/ranges/{range}"),
	ENTRY_ROUTES("/v1/sources/{source}/tacs/{tac}"),
	ENTRY_ROUTES("/v1/sources/{source}/pairs/{imei}/{imsi}"),
	{.method = HTTP_POST,
	 .path = "/v1/sources/{source}/import",
	 .right = HTTP_WRITE,
	 .begin = api_import_begin,
	 .body = api_import_body,
	 .handle = api_import_handle,
	 .gone = api_import_gone},
	{.method = HTTP_GET, .path = "/v1/import", .right = HTTP_READ, .handle = api_get_import},
	{.method = HTTP_GET,
	 .path = "/v1/sources/{source}/export",
	 .right = HTTP_READ,
	 .handle = api_get_export,
	 .gone = api_export_gone},
	{.method = HTTP_GET,
	 .path = "/v1/export",
	 .right = HTTP_READ,
	 .handle = api_get_export,
	 .gone = api_export_gone},
	{.method = HTTP_POST,
	 .path = "/v1/verify",
	 .right = HTTP_READ,
	 .handle = api_verify,
	 .gone = api_verify_gone},
	{.method = HTTP_POST,
	 .path = "/v1/rebuild",
	 .right = HTTP_WRITE,
	 .handle = api_rebuild,
	 .gone = api_rebuild_gone},
};

const struct http_route *api_routes(unsigned *n)
{
	*n = sizeof(routes) / sizeof(routes[0]);
	return routes;
}
