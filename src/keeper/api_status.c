/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* /v1/status, /livez, /readyz, /metrics. */
#include "keeper/api.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "daemon/daemon.h"
#include "keeper/api_job.h"
#include "keeper/api_json.h"
#include "keeper/main.h"
#include "keeper/turn.h"
#include "register/register.h"

static json_t *ledger_json(struct keeper *keeper)
{
	struct ledger_head head;
	char origin[20];

	ledger_head(lists_ledger(keeper->lists), &head);
	snprintf(origin, sizeof(origin), "%016llx", (unsigned long long)head.origin);
	return json_pack("{s:s, s:I, s:I, s:o, s:o}", "origin", origin, "epoch", (json_int_t)head.epoch, "serial",
			 (json_int_t)head.serial, "time", api_json_time(head.time_ms), "digest",
			 api_json_hex(head.digest, sizeof(head.digest)));
}

static json_t *register_json(struct keeper *keeper)
{
	struct register_meta meta;
	struct weir_register *reg = lists_register(keeper->lists);
	char digest[20];

	if (!reg || register_meta(reg, &meta) < 0)
		return json_pack("{s:b, s:I}", "open", 0, "lag", (json_int_t)lists_lag(keeper->lists));
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)meta.digest);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "open", 1, "generation",
			 (json_int_t)meta.generation, "serial", (json_int_t)meta.serial, "lag",
			 (json_int_t)lists_lag(keeper->lists), "devices", (json_int_t)meta.devices, "ranges",
			 (json_int_t)meta.ranges, "pairs", (json_int_t)meta.pairs, "sims", (json_int_t)meta.sims,
			 "changed", api_json_time(meta.changed_ms), "digest", digest);
}

static json_t *seen_json(struct keeper *keeper)
{
	struct seen_stats stats;

	if (!keeper->seen)
		return json_pack("{s:b}", "open", 0);
	seen_stats(keeper->seen, &stats);
	return json_pack("{s:b, s:I, s:I, s:I, s:I}", "open", 1, "entries", (json_int_t)stats.entries, "noted",
			 (json_int_t)stats.noted, "dropped", (json_int_t)stats.dropped, "expired",
			 (json_int_t)stats.expired);
}

static json_t *import_json(struct keeper *keeper)
{
	struct api_import_state state;

	if (!api_import_state(keeper->jobs, &state))
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:I}", "source", state.source, "phase", state.phase, "done",
			 (json_int_t)state.done, "total", (json_int_t)state.total);
}

void api_get_status(struct http_request *request)
{
	struct keeper *keeper = http_root(request);
	const struct turn_stats *turns = turn_stats(keeper->turn);
	const struct http_stats *http = http_stats(keeper->http);
	struct weir_why why = {0};
	bool ready = keeper_is_ready(keeper, &why);
	json_t *value;

	value = json_pack("{s:s, s:b, s:s, s:o, s:I}", "version", PACKAGE_VERSION, "ready", (int)ready, "why", why.text,
			  "started", api_json_time(keeper->started_ms), "up_s",
			  (json_int_t)((daemon_now_ms() - keeper->started_ms) / 1000));
	json_object_set_new(value, "ledger", ledger_json(keeper));
	json_object_set_new(value, "register", register_json(keeper));
	json_object_set_new(value, "import", import_json(keeper));
	json_object_set_new(value, "turns",
			    json_pack("{s:I, s:I, s:I}", "commits", (json_int_t)turns->commits, "changes",
				      (json_int_t)turns->changes, "failed", (json_int_t)turns->failed));
	json_object_set_new(value, "http",
			    json_pack("{s:i, s:I, s:I}", "connections", (int)http->connections, "accepted",
				      (json_int_t)http->accepted, "cut", (json_int_t)http->cut));
	json_object_set_new(value, "seen", seen_json(keeper));
	api_answer(request, 200, value);
}

void api_get_livez(struct http_request *request)
{
	http_answer(request, 200, "text/plain", "alive\n", 6);
}

void api_get_readyz(struct http_request *request)
{
	struct weir_why why = {0};
	bool ready = keeper_is_ready(http_root(request), &why);
	char text[280];
	int len = snprintf(text, sizeof(text), "%s%s%s\n", ready ? "ready" : "not ready", *why.text ? ": " : "",
			   why.text);

	http_answer(request, ready ? 200 : 503, "text/plain", text, (size_t)len);
}

void api_get_metrics(struct http_request *request)
{
	struct daemon_text text = {0};

	daemon_metrics(&text);
	if (text.failed)
		api_problem(request, 500, "memory", "no memory for the metrics");
	else
		http_answer(request, 200, "text/plain; version=0.0.4; charset=utf-8", text.text, text.len);
	daemon_text_free(&text);
}
