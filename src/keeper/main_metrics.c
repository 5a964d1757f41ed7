/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The keeper's metrics in Prometheus text format.  No label carries an identity. */
#include "keeper/main.h"

#include <stdio.h>
#include <sys/stat.h>

#include "daemon/daemon.h"
#include "keeper/api_job.h"
#include "keeper/http.h"
#include "keeper/lists.h"
#include "keeper/seen.h"
#include "keeper/seen_orders.h"
#include "keeper/turn.h"
#include "register/register.h"

static void add(struct daemon_text *out, const char *name, const char *type, const char *help, uint64_t value)
{
	daemon_text_add(out, "# HELP weir_keeper_%s %s\n# TYPE weir_keeper_%s %s\nweir_keeper_%s %llu\n", name, help,
			name, type, name, (unsigned long long)value);
}

static void add_lists(struct daemon_text *out, struct keeper *keeper)
{
	struct weir_register *reg = lists_register(keeper->lists);
	struct register_meta meta = {0};
	struct ledger_head head;

	ledger_head(lists_ledger(keeper->lists), &head);
	add(out, "ledger_serial", "gauge", "Serial of the last event of the ledger", head.serial);
	add(out, "ledger_epoch", "gauge", "Epoch of the ledger", head.epoch);
	add(out, "register_lag", "gauge", "Events of the ledger that are not in the register yet",
	    lists_lag(keeper->lists));
	if (reg && register_meta(reg, &meta) == 0) {
		add(out, "register_serial", "gauge", "Serial of the last event in the register", meta.serial);
		add(out, "register_devices", "gauge", "Devices in the register", meta.devices);
		add(out, "register_ranges", "gauge", "Disjoint ranges in the register", meta.ranges);
		add(out, "register_pairs", "gauge", "Pairs in the register", meta.pairs);
	}
}

static void add_sources(struct daemon_text *out, struct keeper *keeper)
{
	struct weir_source sources[64];
	int n = lists_sources(keeper->lists, sources, 64);

	if (n > 0)
		daemon_text_add(out, "# HELP weir_keeper_entries Entries by source and kind\n"
				     "# TYPE weir_keeper_entries gauge\n");
	for (int i = 0; i < n; i++)
		daemon_text_add(out,
				"weir_keeper_entries{source=\"%s\",kind=\"device\"} %llu\n"
				"weir_keeper_entries{source=\"%s\",kind=\"range\"} %llu\n"
				"weir_keeper_entries{source=\"%s\",kind=\"pair\"} %llu\n",
				sources[i].name, (unsigned long long)sources[i].devices, sources[i].name,
				(unsigned long long)sources[i].ranges, sources[i].name,
				(unsigned long long)sources[i].pairs);
}

static void add_work(struct daemon_text *out, const struct keeper *keeper)
{
	const struct turn_stats *turns = turn_stats(keeper->turn);
	const struct api_job_stats *jobs = &keeper->jobs->stats;

	add(out, "commits_total", "counter", "Synced commits of single changes", turns->commits);
	add(out, "changes_total", "counter", "Single changes asked for", turns->changes);
	add(out, "changes_failed_total", "counter", "Single changes that were not made", turns->failed);
	add(out, "imports_total", "counter", "Imports in force", jobs->imports);
	add(out, "imports_refused_total", "counter", "Imports refused", jobs->imports_refused);
	add(out, "import_rows_total", "counter", "Rows of imports in force", jobs->rows);
	add(out, "import_rejects_total", "counter", "Rows rejected", jobs->rejects);
	add(out, "verify_findings_total", "counter", "What verifications found wrong", jobs->findings);
}

static void add_http(struct daemon_text *out, const struct keeper *keeper)
{
	const struct http_stats *stats = http_stats(keeper->http);

	add(out, "http_connections", "gauge", "Connections to the API", stats->connections);
	add(out, "http_connections_cut_total", "counter", "Connections cut because they were too slow", stats->cut);
	daemon_text_add(out, "# HELP weir_keeper_http_requests_total Requests answered, by status\n"
			     "# TYPE weir_keeper_http_requests_total counter\n");
	for (unsigned status = 100; status < 600; status++) {
		if (stats->status[status])
			daemon_text_add(out, "weir_keeper_http_requests_total{status=\"%u\"} %llu\n", status,
					(unsigned long long)stats->status[status]);
	}
}

static void add_seen(struct daemon_text *out, const struct keeper *keeper)
{
	const struct orders_stats *orders = orders_stats(keeper->orders);
	struct seen_stats stats;

	add(out, "flips_total", "counter", "Devices that turned black, told to the gate", orders->flips);
	add(out, "orders_lost_total", "counter", "Datagrams that the gate did not take", orders->lost);
	if (!keeper->seen)
		return;
	seen_stats(keeper->seen, &stats);
	add(out, "seen_entries", "gauge", "Pairs of device and subscriber seen", stats.entries);
	add(out, "sightings_total", "counter", "Sightings received", stats.noted);
	add(out, "sightings_dropped_total", "counter", "Sightings dropped: no room, or the store failed",
	    stats.dropped);
	add(out, "sightings_expired_total", "counter", "Sightings forgotten after their time", stats.expired);
	add(out, "seen_used_bytes", "gauge", "Octets in use in the store of sightings", stats.used_bytes);
	if (keeper->seen_socket)
		add(out, "sightings_malformed_total", "counter", "Datagrams that could not be read",
		    seen_socket_stats(keeper->seen_socket)->malformed);
}

static void add_files(struct daemon_text *out)
{
	static const char *const stores[] = {"ledger", "register", "seen"};
	char path[4200];
	struct stat st;

	daemon_text_add(out, "# HELP weir_keeper_store_file_bytes Size of a store's file\n"
			     "# TYPE weir_keeper_store_file_bytes gauge\n");
	for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s/data.mdb", daemon_state_dir(), stores[i]);
		if (stat(path, &st) == 0)
			daemon_text_add(out, "weir_keeper_store_file_bytes{store=\"%s\"} %lld\n", stores[i],
					(long long)st.st_size);
	}
}

void keeper_metrics(struct daemon_text *out, void *data)
{
	struct keeper *keeper = data;

	if (!keeper->http) /* started not yet, or stopping */
		return;
	add_lists(out, keeper);
	add_sources(out, keeper);
	add_work(out, keeper);
	add_http(out, keeper);
	add_seen(out, keeper);
	add_files(out);
}
