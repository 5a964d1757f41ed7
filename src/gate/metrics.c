/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The gate's numbers as Prometheus text.  They are plain integers in the rooms that count; nothing is counted twice for
 * the sake of a metric, and no identity of a person or device can get in here: labels are interfaces, tallies and the
 * names of network elements. */
#include <inttypes.h>
#include <string.h>

#include <osmocom/core/utils.h>

#include "daemon/daemon.h"
#include "gate/clients.h"
#include "gate/door.h"
#include "gate/flips.h"
#include "gate/gate.h"
#include "gate/gsup.h"
#include "gate/n5g.h"
#include "gate/notify.h"
#include "gate/nrf.h"
#include "gate/peers.h"
#include "gate/s13.h"
#include "gate/sightings.h"
#include "gate/tls.h"
#include "gate/traffic.h"
#include "register/register.h"

static void head(struct daemon_text *out, const char *name, const char *type, const char *help)
{
	daemon_text_add(out, "# HELP weir_gate_%s %s\n# TYPE weir_gate_%s %s\n", name, help, name, type);
}

static void one(struct daemon_text *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	daemon_text_add(out, "weir_gate_%s %" PRIu64 "\n", name, value);
}

static void checks(struct daemon_text *out, const struct check *check)
{
	head(out, "checks_received_total", "counter", "checks received");
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		daemon_text_add(out, "weir_gate_checks_received_total{interface=\"%s\"} %" PRIu64 "\n",
				interface_name(i), check->counters[i].received);
	head(out, "checks_total", "counter", "checks by outcome; their sum is checks_received");
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		for (unsigned t = 0; t < WEIR_N_TALLIES; t++)
			daemon_text_add(out, "weir_gate_checks_total{interface=\"%s\",tally=\"%s\"} %" PRIu64 "\n",
					interface_name(i), tally_name(t), check->counters[i].tally[t]);
	}
	head(out, "checks_refused_total", "counter", "checks answered with an error of the protocol");
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		daemon_text_add(out, "weir_gate_checks_refused_total{interface=\"%s\"} %" PRIu64 "\n",
				interface_name(i), check->counters[i].refused);
}

static void histogram(struct daemon_text *out, const char *interface, const struct check_histogram *h)
{
	uint64_t seen = 0;

	for (unsigned b = 0; b < CHECK_HISTOGRAM; b++) {
		seen += h->bucket[b];
		daemon_text_add(out, "weir_gate_check_seconds_bucket{interface=\"%s\",le=\"%g\"} %" PRIu64 "\n",
				interface, (double)(UINT64_C(1) << b) / 1e6, seen);
	}
	daemon_text_add(out, "weir_gate_check_seconds_bucket{interface=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", interface,
			h->count);
	daemon_text_add(out, "weir_gate_check_seconds_sum{interface=\"%s\"} %.6f\n", interface, h->sum_us / 1e6);
	daemon_text_add(out, "weir_gate_check_seconds_count{interface=\"%s\"} %" PRIu64 "\n", interface, h->count);
}

static void histograms(struct daemon_text *out, const struct check *check)
{
	head(out, "check_seconds", "histogram",
	     "time from the read that brought a check to the write that took its answer");
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		histogram(out, interface_name(i), &check->histogram[i]);
}

static void table(struct daemon_text *out, const struct counter_table *table)
{
	char name[64];

	for (unsigned i = 0; i < table->n; i++) {
		snprintf(name, sizeof(name), "%s_%s_total", table->name, table->row[i].name);
		one(out, name, "counter", table->row[i].help, counter_value(table, &table->row[i]));
	}
}

static void interfaces(struct daemon_text *out, const struct gate *gate)
{
	struct counter_table tables[GATE_COUNTER_TABLES];
	unsigned n = gate_counter_tables(gate, tables);

	for (unsigned i = 0; i < n; i++)
		table(out, &tables[i]);
	one(out, "gsup_waiting", "gauge", "checks that wait for the HLR's answer", gsup_waiting(gate->gsup));
}

static void store(struct daemon_text *out, const struct gate *gate)
{
	struct register_meta meta;

	one(out, "store_failed", "gauge", "1 while the register cannot be asked", gate->store_failed);
	one(out, "store_failures_total", "counter", "how often that began", gate->store_failures);
	if (!gate->check.reg || register_meta(gate->check.reg, &meta))
		return;
	one(out, "register_serial", "gauge", "serial of the last event in the register", meta.serial);
	one(out, "register_generation", "gauge", "which rebuild of the register is read", meta.generation);
	one(out, "register_devices", "gauge", "devices in the register", meta.devices);
	head(out, "register_age_seconds", "gauge", "time since the register changed");
	daemon_text_add(out, "weir_gate_register_age_seconds %.3f\n",
			(daemon_now_ms() - (long long)meta.changed_ms) / 1e3);
}

static void notify(struct daemon_text *out, const struct gate *gate)
{
	const struct sightings_counters *s = sightings_counters(gate->check.sightings);
	const struct flips_counters *f = notify_flips(gate->notify);

	one(out, "sightings_reported_total", "counter", "sightings that left for the keeper", s->reported);
	one(out, "sightings_suppressed_total", "counter", "sightings told within the hour", s->suppressed);
	one(out, "sightings_dropped_total", "counter", "sightings that did not fit into the buffer", s->dropped);
	one(out, "sightings_evicted_total", "counter", "pairs that made room in the table", s->evicted);
	one(out, "sightings_waiting", "gauge", "sightings that wait for the keeper",
	    sightings_waiting(gate->check.sightings));
	one(out, "flips_hints_total", "counter", "devices that the keeper said turned black", f->hints);
	one(out, "flips_gaps_total", "counter", "gaps in the keeper's serials, each followed by a look at everybody",
	    f->gaps);
	one(out, "flips_looked_total", "counter", "attached pairs decided again", f->looked);
	one(out, "flips_malformed_total", "counter", "datagrams from the keeper that could not be read", f->malformed);
	if (notify_attached(gate->notify) >= 0)
		one(out, "attached", "gauge", "subscribers attached whose device was checked here",
		    notify_attached(gate->notify));
}

static void nrf(struct daemon_text *out, const struct gate *gate)
{
	struct nrf_state state;

	nrf_state(gate->nrf, &state);
	one(out, "nrf_configured", "gauge", "1 while there is an NRF to be registered at", state.on);
	one(out, "nrf_registered", "gauge", "1 while the NRF knows us and takes our heartbeats", state.registered);
}

/* How many connections of an interface are in which state: the words are the interfaces' own. */
#define STATES 8
struct states {
	const char *name[STATES];
	unsigned n[STATES];
};

static void count_state(struct states *states, const char *name)
{
	for (unsigned i = 0; i < STATES; i++) {
		if (!states->name[i])
			states->name[i] = name;
		if (!strcmp(states->name[i], name)) {
			states->n[i]++;
			return;
		}
	}
}

static void count_gsup(const struct gsup_peer_state *peer, void *states)
{
	count_state(states, peer->state);
}

static void count_s13(const struct s13_peer_state *peer, void *states)
{
	count_state(states, peer->state);
}

static void count_n5g(const struct n5g_connection_state *connection, void *states)
{
	count_state(states, connection->leaving ? "leaving" : "open");
}

static void print_states(struct daemon_text *out, enum weir_interface interface, const struct states *states)
{
	for (unsigned i = 0; i < STATES && states->name[i]; i++)
		daemon_text_add(out, "weir_gate_peer_connections{interface=\"%s\",state=\"%s\"} %u\n",
				interface_name(interface), states->name[i], states->n[i]);
}

static void peer_states(struct daemon_text *out, const struct gate *gate)
{
	struct states gsup = {{NULL}, {0}}, s13 = {{NULL}, {0}}, n5g = {{NULL}, {0}};

	gsup_each_peer(gate->gsup, count_gsup, &gsup);
	s13_each_peer(gate->s13, count_s13, &s13);
	n5g_each_connection(gate->n5g, count_n5g, &n5g);
	head(out, "peer_connections", "gauge", "connections of peers by state");
	print_states(out, WEIR_IF_GSUP, &gsup);
	print_states(out, WEIR_IF_S13, &s13);
	print_states(out, WEIR_IF_N5G, &n5g);
}

/* --- by peer: names of network elements, and no more than PEER_ROWS an interface */

#define PEER_ROWS 256

static uint64_t peer_checks(const struct gate_client *client)
{
	return client->checks;
}

static uint64_t peer_shed(const struct gate_client *client)
{
	return client->shed;
}

static uint64_t peer_up(const struct gate_client *client)
{
	return client->users != 0;
}

static const struct peer_metric {
	const char *name, *type, *help;
	uint64_t (*value)(const struct gate_client *client);
	bool connected_only; /* of those that connect themselves, not of those behind an agent */
} peer_metrics[] = {
	{"peer_checks_total", "counter", "checks that came under this name since it was first met", peer_checks, false},
	{"peer_shed_total", "counter", "checks under this name that were not decided", peer_shed, false},
	{"peer_up", "gauge", "1 while a connection of this name is open", peer_up, true},
};

struct peer_rows {
	struct daemon_text *out;
	const struct peer_metric *metric;
	enum weir_interface interface;
};

/* As the text format wants it: a backslash before a backslash and a quotation mark. */
static const char *print_label(char buf[static 2 * CLIENT_NAME_TEXT], const char *name)
{
	char *to = buf;

	for (; *name; name++) {
		if (*name == '\\' || *name == '"')
			*to++ = '\\';
		*to++ = *name == '\n' ? ' ' : *name;
	}
	*to = '\0';
	return buf;
}

static void peer_row(const struct gate_client *client, void *data)
{
	const struct peer_rows *rows = data;
	char name[2 * CLIENT_NAME_TEXT];

	if (rows->metric->connected_only && !client->joined)
		return;
	daemon_text_add(rows->out, "weir_gate_%s{interface=\"%s\",peer=\"%s\"} %" PRIu64 "\n", rows->metric->name,
			interface_name(rows->interface), print_label(name, client->name), rows->metric->value(client));
}

static void peers_by_name(struct daemon_text *out, const struct gate *gate)
{
	for (unsigned i = 0; i < ARRAY_SIZE(peer_metrics); i++) {
		const struct peer_metric *m = &peer_metrics[i];
		struct peer_rows rows = {.out = out, .metric = m, .interface = WEIR_IF_S13};
		head(out, m->name, m->type, m->help);
		clients_each(s13_client_table(gate->s13), PEER_ROWS, peer_row, &rows);
		rows.interface = WEIR_IF_N5G;
		clients_each(n5g_client_table(gate->n5g), PEER_ROWS, peer_row, &rows);
	}
}

/* An alarm on it is a rule of whoever watches: so many days before. */
static void certificates(struct daemon_text *out, const struct gate *gate)
{
	const int64_t s13 = tls_context_expires_s(door_certificate(s13_door(gate->s13))),
		      n5g = tls_context_expires_s(door_certificate(n5g_door(gate->n5g))),
		      nrf = tls_context_expires_s(nrf_certificate(gate->nrf));

	head(out, "certificate_ends_seconds", "gauge",
	     "when our certificate ends, in seconds since 1970; 0: there is none");
	daemon_text_add(out, "weir_gate_certificate_ends_seconds{interface=\"s13\"} %" PRId64 "\n", s13);
	daemon_text_add(out, "weir_gate_certificate_ends_seconds{interface=\"n5g\"} %" PRId64 "\n", n5g);
	daemon_text_add(out, "weir_gate_certificate_ends_seconds{interface=\"nrf\"} %" PRId64 "\n", nrf);
}

void gate_metrics(struct daemon_text *out, void *data)
{
	const struct gate *gate = data;

	checks(out, &gate->check);
	histograms(out, &gate->check);
	interfaces(out, gate);
	nrf(out, gate);
	peer_states(out, gate);
	peers_by_name(out, gate);
	certificates(out, gate);
	store(out, gate);
	notify(out, gate);
	one(out, "connections", "gauge", "connections that carry checks, to peers and to the HLR",
	    traffic_count(gate->traffic));
	one(out, "connections_refused_total", "counter", "connections closed at once: too many",
	    traffic_refused(gate->traffic));
	one(out, "connections_crowded_total", "counter",
	    "connections closed for newer ones before they said who they are", traffic_crowded(gate->traffic));
	one(out, "load_percent", "gauge", "share of the last second in which answering kept the loop busy",
	    gate->check.load);
	one(out, "tls_failed_total", "counter", "TLS handshakes that failed or took too long",
	    traffic_tls_failed(gate->traffic));
	one(out, "tls_refused_total", "counter", "TLS handshakes refused because too many were under way",
	    traffic_tls_refused(gate->traffic));
	one(out, "peers", "gauge", "peers known by name, connected or not", peers_count(gate->peers));
}
