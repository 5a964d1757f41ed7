/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What clients of N5g-eir are told of load and overload (TS 29.500 6.3.3, 6.4.3), and the date of answers.  Texts are
 * made once a second, not for each answer. */
#include "gate/n5g_inside.h"

/* The share that was shed, on whatever interface, is the share that should not have been sent. */
static void make_oci(struct n5g *n5g)
{
	const struct rate_gate *gate = &n5g->check->rate;
	struct n5g_load *load = &n5g->load;
	uint64_t shed = gate->shed - load->shed, all = gate->taken - load->taken + shed;
	unsigned percent = all ? (unsigned)(100 * shed / all) : 0;

	load->oci_s = load->second;
	load->oci_until_s = load->second + N5G_OCI_VALID_S;
	sbi_oci_print(load->oci, sizeof(load->oci), load->second, N5G_OCI_VALID_S, percent ? percent : 1,
		      n5g->config->instance_id);
}

void n5g_load_turn(struct n5g *n5g)
{
	const struct rate_gate *gate = &n5g->check->rate;
	struct n5g_load *load = &n5g->load;
	uint32_t now = traffic_wall_s(n5g->traffic), before = load->second;

	if (now == before)
		return;
	load->second = now;
	if (gate->shed != load->shed && now - before < N5G_OCI_VALID_S) /* else it was long ago, for all we know */
		make_oci(n5g);
	load->taken = gate->taken;
	load->shed = gate->shed;
	sbi_date_print(load->date, sizeof(load->date), now);
}

void n5g_load_shed(struct n5g *n5g)
{
	if (n5g->load.second >= n5g->load.oci_until_s) /* the first in a while: do not wait for the second's end */
		make_oci(n5g);
}

static bool load_changed(const struct n5g_session *s)
{
	unsigned now = s->n5g->check->load, told = s->told_load;

	return s->told_s != s->n5g->load.second && (now > told ? now - told : told - now) >= N5G_LOAD_STEP;
}

static void make_lci(struct n5g *n5g)
{
	struct n5g_load *load = &n5g->load;

	if (load->lci_s == load->second && load->lci_load == n5g->check->load)
		return;
	load->lci_s = load->second;
	load->lci_load = n5g->check->load;
	sbi_lci_print(load->lci, sizeof(load->lci), load->second, load->lci_load, n5g->config->instance_id);
}

unsigned n5g_load_fields(struct n5g_session *s, struct h2_field fields[static 2])
{
	struct n5g *n5g = s->n5g;
	struct n5g_load *load = &n5g->load;
	unsigned n = 0;

	if (!n5g->config->instance_id[0])
		return 0;
	if (load->second < load->oci_until_s) {
		fields[n++] = h2_field_of("3gpp-sbi-oci", load->oci);
		n5g->counters.oci++;
	}
	if (load_changed(s)) {
		make_lci(n5g);
		s->told_s = load->second;
		s->told_load = load->lci_load;
		fields[n++] = h2_field_of("3gpp-sbi-lci", load->lci);
		n5g->counters.lci++;
	}
	return n;
}
