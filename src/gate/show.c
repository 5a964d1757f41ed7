/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Show commands.  They read; they never change anything. */
#include "gate/vty.h"

#include <errno.h>
#include <inttypes.h>
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

/* --- counters */

/* Of what shall be shown. */
struct wish {
	const char *of; /* an interface or table; NULL: of all */
	bool nonzero;
};

static bool wished(const struct wish *wish, const char *name)
{
	return !wish->of || !strcmp(wish->of, name);
}

/* There is nothing behind MAP yet. */
static bool is_spoken(enum weir_interface interface)
{
	return interface != WEIR_IF_MAP;
}

static void show_head(struct vty *vty)
{
	vty_out(vty, "%-4s %12s", "", "received");
	for (unsigned t = 0; t < WEIR_N_TALLIES; t++)
		vty_out(vty, " %12s", tally_name(t));
	OUT(" %12s %12s  %s", "refused", "batches", "sum");
}

static void show_interface(struct vty *vty, const char *name, const struct check_counters *c)
{
	vty_out(vty, "%-4s %12" PRIu64, name, c->received);
	for (unsigned t = 0; t < WEIR_N_TALLIES; t++)
		vty_out(vty, " %12" PRIu64, c->tally[t]);
	OUT(" %12" PRIu64 " %12" PRIu64 "  %s", c->refused, c->batches,
	    check_counters_close(c) ? "closes" : "DOES NOT CLOSE");
}

static void show_checks(struct vty *vty, const struct wish *wish)
{
	bool any = false;

	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		const struct check_counters *c = &the_gate->check.counters[i];
		if (!is_spoken(i) || !wished(wish, interface_name(i)) || (wish->nonzero && !c->received))
			continue;
		if (!any)
			show_head(vty);
		any = true;
		show_interface(vty, interface_name(i), c);
	}
}

static void show_counter(struct vty *vty, const struct wish *wish, const char *table, const char *name, uint64_t value,
			 const char *help)
{
	if (value || !wish->nonzero)
		OUT("%-5s %-30s %12" PRIu64 "  %s", table, name, value, help);
}

static void show_table(struct vty *vty, const struct wish *wish, const struct counter_table *table)
{
	if (!wished(wish, table->name))
		return;
	for (unsigned i = 0; i < table->n; i++)
		show_counter(vty, wish, table->name, table->row[i].name, counter_value(table, &table->row[i]),
			     table->row[i].help);
}

static int show_all(struct vty *vty, const struct wish *wish)
{
	struct counter_table table[GATE_COUNTER_TABLES];
	unsigned n;

	if (gate_vty_not_started(vty))
		return CMD_WARNING;
	show_checks(vty, wish);
	n = gate_counter_tables(the_gate, table);
	for (unsigned i = 0; i < n; i++)
		show_table(vty, wish, &table[i]);
	if (wished(wish, interface_name(WEIR_IF_GSUP)))
		show_counter(vty, wish, interface_name(WEIR_IF_GSUP), "waiting", gsup_waiting(the_gate->gsup),
			     "checks that wait for the HLR's answer now");
	return CMD_SUCCESS;
}

#define COUNTERS_HELP SHOW_STR "Checks by interface and outcome, then what happened there\n"

DEFUN(show_counters, show_counters_cmd, "show counters", COUNTERS_HELP)
{
	return show_all(vty, &(struct wish){NULL, false});
}

DEFUN(show_counters_of, show_counters_of_cmd, "show counters (gsup|s13|n5g|nrf|token)",
      COUNTERS_HELP
      "Of GSUP\nOf Diameter: S13 and S13'\nOf N5g-eir\nOf the registration at the NRF\nOf access tokens\n")
{
	return show_all(vty, &(struct wish){argv[0], false});
}

DEFUN(show_counters_nonzero, show_counters_nonzero_cmd, "show counters nonzero",
      COUNTERS_HELP "Only those that have counted something\n")
{
	return show_all(vty, &(struct wish){NULL, true});
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

void gate_show_init(void)
{
	gate_show_peers_init();
	gate_explain_init();
	install_element_ve(&show_counters_cmd);
	install_element_ve(&show_counters_of_cmd);
	install_element_ve(&show_counters_nonzero_cmd);
	install_element_ve(&show_histogram_cmd);
	install_element_ve(&show_register_cmd);
	install_element_ve(&show_attached_cmd);
}
