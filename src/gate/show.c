/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Show commands and `explain`.  They read; they never change anything.
 *
 * `explain` prints identities in clear: whoever asks has typed them. */
#include "gate/vty.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/utils.h>
#include <osmocom/vty/vty.h>

#include "core/when.h"
#include "daemon/daemon.h"
#include "gate/gate.h"
#include "gate/gsup.h"
#include "gate/notify.h"
#include "gate/peers.h"
#include "register/register.h"

#define OUT(fmt, args...) vty_out(vty, fmt "%s", ##args, VTY_NEWLINE)

static bool not_started(struct vty *vty)
{
	if (the_gate->started)
		return false;
	OUT("%% weir-gate has not started yet");
	return true;
}

/* --- counters */

static void show_interface(struct vty *vty, const char *name, const struct check_counters *c)
{
	vty_out(vty, "%-6s %12" PRIu64, name, c->received);
	for (unsigned t = 0; t < WEIR_N_TALLIES; t++)
		vty_out(vty, " %12" PRIu64, c->tally[t]);
	OUT(" %12" PRIu64 " %12" PRIu64 "  %s", c->refused, c->batches,
	    check_counters_close(c) ? "closes" : "DOES NOT CLOSE");
}

static void show_table(struct vty *vty, const struct counter_table *table)
{
	for (unsigned i = 0; i < table->n; i++)
		OUT("%-4s %-18s %12" PRIu64 "  %s", table->name, table->row[i].name,
		    counter_value(table, &table->row[i]), table->row[i].help);
}

DEFUN(show_counters, show_counters_cmd, "show counters", SHOW_STR "Checks by interface and outcome, then frames\n")
{
	struct counter_table table[GATE_COUNTER_TABLES];
	unsigned n;

	if (not_started(vty))
		return CMD_WARNING;
	vty_out(vty, "%-6s %12s", "", "received");
	for (unsigned t = 0; t < WEIR_N_TALLIES; t++)
		vty_out(vty, " %12s", tally_name(t));
	OUT(" %12s %12s", "refused", "batches");
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		show_interface(vty, interface_name(i), &the_gate->check.counters[i]);
	n = gate_counter_tables(the_gate, table);
	for (unsigned i = 0; i < n; i++)
		show_table(vty, &table[i]);
	OUT("gsup %-18s %12u", "waiting", gsup_waiting(the_gate->gsup));
	return CMD_SUCCESS;
}

static void show_one_histogram(struct vty *vty, enum weir_interface interface)
{
	const struct check_histogram *h = &the_gate->check.histogram[interface];
	uint64_t seen = 0;

	if (!h->count)
		return;
	OUT("%s: %" PRIu64 " checks, mean %" PRIu64 " us from read to write", interface_name(interface), h->count,
	    h->sum_us / h->count);
	for (unsigned b = 0; b < CHECK_HISTOGRAM; b++) {
		seen += h->bucket[b];
		if (h->bucket[b])
			OUT(" <= %9u us %12" PRIu64 "  %6.2f %%", 1u << b, h->bucket[b], 100.0 * seen / h->count);
	}
}

DEFUN(show_histogram, show_histogram_cmd, "show histogram", SHOW_STR "How long checks took here\n")
{
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		show_one_histogram(vty, i);
	return CMD_SUCCESS;
}

/* --- register */

DEFUN(show_register, show_register_cmd, "show register", SHOW_STR "What is asked: its serial, age and size\n")
{
	struct register_meta m;
	char when[WEIR_WHEN_TEXT];
	int rc = the_gate->check.reg ? register_meta(the_gate->check.reg, &m) : -ENOENT;

	OUT("state      %s%s%s", the_gate->store_failed ? "FAILED" : "well", the_gate->store_failed ? ": " : "",
	    the_gate->store_failed ? the_gate->store_why.text : "");
	OUT("failures   %" PRIu64, the_gate->store_failures);
	if (rc) {
		OUT("%% it cannot be read: %s", strerror(-rc));
		return CMD_WARNING;
	}
	OUT("serial     %" PRIu64 " of epoch %u, generation %" PRIu64, m.serial, m.epoch, m.generation);
	OUT("changed    %s, %lld s ago", when_print(when, m.changed_ms),
	    (daemon_now_ms() - (long long)m.changed_ms) / 1000);
	OUT("devices    %" PRIu64, m.devices);
	OUT("ranges     %" PRIu64, m.ranges);
	OUT("pairs      %" PRIu64 ", fixed SIMs %" PRIu64, m.pairs, m.sims);
	return CMD_SUCCESS;
}

DEFUN(show_attached, show_attached_cmd, "show attached",
      SHOW_STR "How many subscribers are attached whose device was checked here; only the number\n")
{
	int64_t n = the_gate->notify ? notify_attached(the_gate->notify) : -1;

	if (n < 0)
		OUT("not counted yet; the first count takes about a minute");
	else
		OUT("%" PRId64 " attached", n);
	return CMD_SUCCESS;
}

/* --- explain */

struct question {
	struct weir_query query;
	struct weir_imei_reading reading;
	char peer[WEIR_PEER_TEXT]; /* "": any */
};

/* "imsi X", "peer Y", "interface Z" in any order. */
static int read_option(struct vty *vty, struct question *q, const char *word, const char *value)
{
	int interface;

	if (!strcmp(word, "imsi")) {
		if (imsi_from_text(value, strlen(value), &q->query.imsi) == 0)
			return CMD_SUCCESS;
		OUT("%% '%.20s' is no IMSI; 5 to 15 digits are needed", value);
	} else if (!strcmp(word, "peer")) {
		snprintf(q->peer, sizeof(q->peer), "%s", value);
		return CMD_SUCCESS;
	} else if (!strcmp(word, "interface")) {
		interface = interface_from_name(value);
		if (interface >= 0) {
			q->query.interface = interface;
			return CMD_SUCCESS;
		}
		OUT("%% '%.20s' is no interface; gsup, s13, n5g or map is", value);
	} else {
		OUT("%% '%.20s' is not known here; imsi IMSI, peer NAME and interface NAME are", word);
	}
	return CMD_WARNING;
}

static void print_listing(struct vty *vty, const char *level, const struct weir_listing *listing)
{
	char lists[24];

	if (listing->lists == WEIR_ON_NONE)
		OUT("  %-8s not listed", level);
	else
		OUT("  %-8s %s, %s", level, lists_print(lists, listing->lists), reason_name(listing->reason));
}

static const char *const sim_texts[] = {
	[WEIR_SIM_FREE] = "free",
	[WEIR_SIM_AT_HOME] = "fixed to this device",
	[WEIR_SIM_ELSEWHERE] = "fixed to other devices",
};

static void print_facts(struct vty *vty, const struct weir_facts *f)
{
	if (f->failed) {
		OUT("facts: the register could not say");
		return;
	}
	OUT("facts at serial %" PRIu64, f->serial);
	print_listing(vty, "svn", &f->svn);
	print_listing(vty, "device", &f->device);
	print_listing(vty, "range", &f->range);
	OUT("  %-8s %s%s%s", "pair", pair_rule_name(f->pair), f->pair ? ", " : "",
	    f->pair ? reason_name(f->pair_reason) : "");
	OUT("  %-8s %s", "sim", sim_texts[f->sim]);
}

static void print_decision(struct vty *vty, const struct weir_verdict *v, const struct weir_trace *t)
{
	for (unsigned i = 0; i < t->n; i++)
		OUT("  %2u %-9s %s %s", t->line[i].step, step_name(t->line[i].step), t->line[i].decided ? "->" : "  ",
		    t->line[i].text);
	OUT("verdict: %s, decided by step %u %s, reason %s, counted as %s",
	    v->answer == WEIR_ANSWER_REFUSE ? "refused" : colour_name(v->colour), v->step, step_name(v->step),
	    reason_name(v->reason), tally_name(v->tally));
}

static void print_question(struct vty *vty, const struct question *q)
{
	char imei[WEIR_IMEI_TEXT], imsi[WEIR_DIGITS_TEXT];

	if (q->query.fault)
		OUT("imei %s", imei_fault_text(q->query.fault));
	else if (q->query.imei.svn == WEIR_NO_SVN)
		OUT("imei %s", imei_print_checked(imei, q->query.imei.key));
	else
		OUT("imei %s, software version %02d", imei_print_checked(imei, q->query.imei.key), q->query.imei.svn);
	OUT("imsi %s, peer %s, interface %s", q->query.imsi.packed ? imsi_print(imsi, q->query.imsi) : "none",
	    *q->peer ? q->peer : "any", interface_name(q->query.interface));
}

#define EXPLAIN_HELP "Say how a check would be answered, and why\nA device\n14 to 17 digits\n"

DEFUN(explain, explain_cmd, "explain imei IMEI .OPTIONS",
      EXPLAIN_HELP "imsi IMSI, peer NAME, interface (gsup|s13|n5g|map), in any order\n")
{
	struct question q = {.query = {.interface = WEIR_IF_GSUP}};
	struct weir_verdict verdict;
	struct weir_trace trace = {.n = 0};
	struct weir_facts facts = {.failed = false};
	int i, rc = CMD_SUCCESS;

	q.query.fault = imei_from_text(argv[0], strlen(argv[0]), &q.reading);
	q.query.imei = q.reading.imei;
	for (i = 1; i + 1 < argc && rc == CMD_SUCCESS; i += 2)
		rc = read_option(vty, &q, argv[i], argv[i + 1]);
	if (rc != CMD_SUCCESS)
		return rc;
	if (i < argc) {
		OUT("%% '%.20s' needs a value behind it", argv[i]);
		return CMD_WARNING;
	}
	if (q.query.interface == WEIR_IF_S13)
		config_keep_identity(q.peer);
	q.query.terms = policy_terms(the_gate->check.policy, q.query.interface, q.peer);
	if (!q.query.fault) /* also where an earlier step decides: who asks wants to see them */
		register_lookup(the_gate->check.reg, &q.query, &facts, 1);
	policy_decide(the_gate->check.policy, &q.query, &facts, &verdict, &trace);
	print_question(vty, &q);
	if (!q.query.fault)
		print_facts(vty, &facts);
	print_decision(vty, &verdict, &trace);
	return CMD_SUCCESS;
}

ALIAS(explain, explain_plain_cmd, "explain imei IMEI", EXPLAIN_HELP)

void gate_show_init(void)
{
	gate_show_peers_init();
	install_element_ve(&show_counters_cmd);
	install_element_ve(&show_histogram_cmd);
	install_element_ve(&show_register_cmd);
	install_element_ve(&show_attached_cmd);
	install_element_ve(&explain_cmd);
	install_element_ve(&explain_plain_cmd);
}
