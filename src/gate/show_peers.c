/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* `show peers`: who is connected over which interface, and how fast each interface is asked.  Reads and prints. */
#include "gate/vty.h"

#include <inttypes.h>

#include <osmocom/vty/vty.h>

#include "gate/gate.h"
#include "gate/gsup.h"
#include "gate/n5g.h"
#include "gate/peers.h"
#include "gate/s13.h"
#include "gate/traffic.h"

#define OUT(fmt, args...) vty_out(vty, fmt "%s", ##args, VTY_NEWLINE)

static const char *const domain_names[] = {[GSUP_CN_NONE] = "-", [GSUP_CN_PS] = "ps", [GSUP_CN_CS] = "cs"};

/* The columns that all have; the others stand behind them. */
struct peer_line {
	unsigned id;
	const char *name, *interface, *state;
	const struct gate_address *address;
	int64_t up_s, silent_s;
	uint64_t checks;
};

static void show_line(struct vty *vty, const struct peer_line *p)
{
	char text[GATE_ADDRESS_TEXT];

	vty_out(vty, "%4u  %-24s %-5s %-24s %-16s %8" PRId64 " s %6" PRId64 " s %10" PRIu64, p->id, p->name,
		p->interface, address_print_port(text, p->address), p->state, p->up_s, p->silent_s, p->checks);
}

static void show_head(struct vty *vty, const char *more)
{
	OUT("  id  %-24s %-5s %-24s %-16s %10s %8s %10s %s", "name", "if", "address", "state", "connected", "silent",
	    "checks", more);
}

static void show_rate(struct vty *vty, enum weir_interface interface)
{
	OUT("%s: %u checks in the last second", interface_name(interface), the_gate->check.per_second[interface]);
}

static void show_gsup_peer(const struct gsup_peer_state *p, void *data)
{
	struct vty *vty = data;

	show_line(vty, &(struct peer_line){p->id, p->name, interface_name(WEIR_IF_GSUP), p->state, &p->address, p->up_s,
					   p->silent_s, p->checks});
	OUT(" %4s %10" PRIu64 " %10" PRIu64, domain_names[p->domain], p->from_peer, p->from_hlr);
}

static void show_s13_peer(const struct s13_peer_state *p, void *data)
{
	struct vty *vty = data;

	show_line(vty, &(struct peer_line){p->id, p->name, interface_name(WEIR_IF_S13), p->state, &p->address, p->up_s,
					   p->silent_s, p->checks});
	OUT(" %10" PRIu64 " %10" PRIu64, p->refused, p->shed);
	OUT("      realm %s, %s%s%s, watchdog %s%s", p->realm, transport_name(p->transport), *p->tls ? " " : "", p->tls,
	    p->watchdog, p->agent ? ", an agent" : "");
}

static void show_n5g_peer(const struct n5g_connection_state *p, void *data)
{
	struct vty *vty = data;

	show_line(vty, &(struct peer_line){0, p->client, interface_name(WEIR_IF_N5G), p->leaving ? "leaving" : "open",
					   &p->address, p->up_s, p->silent_s, p->requests});
	OUT(" %10u %10" PRIu64 "  %s%s%s", p->streams, p->shed, transport_name(p->transport), p->tls ? " " : "",
	    p->tls ? p->tls : "");
}

DEFUN(show_peers, show_peers_cmd, "show peers", SHOW_STR "Who is connected, and how fast each interface is asked\n")
{
	if (!the_gate->started) {
		OUT("%% weir-gate has not started yet");
		return CMD_WARNING;
	}
	show_head(vty, "  cn     frames   from hlr");
	gsup_each_peer(the_gate->gsup, show_gsup_peer, vty);
	show_rate(vty, WEIR_IF_GSUP);
	show_head(vty, "   refused       shed");
	s13_each_peer(the_gate->s13, show_s13_peer, vty);
	show_rate(vty, WEIR_IF_S13);
	OUT("%u clients known over s13", s13_clients(the_gate->s13));
	show_head(vty, "   streams       shed");
	n5g_each_connection(the_gate->n5g, show_n5g_peer, vty);
	show_rate(vty, WEIR_IF_N5G);
	OUT("%u connections, %u peers known by name, %" PRIu64 " refused above the maximum, load %u %%",
	    traffic_count(the_gate->traffic), peers_count(the_gate->peers), traffic_refused(the_gate->traffic),
	    the_gate->check.load);
	return CMD_SUCCESS;
}

void gate_show_peers_init(void)
{
	install_element_ve(&show_peers_cmd);
}
