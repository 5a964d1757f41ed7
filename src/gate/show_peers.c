/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* `show peers`: who is connected over which interface, and how fast each interface is asked.  Reads and prints. */
#include "gate/vty.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/utils.h>
#include <osmocom/vty/vty.h>

#include "gate/gate.h"
#include "gate/gsup.h"
#include "gate/n5g.h"
#include "gate/peers.h"
#include "gate/s13.h"
#include "gate/traffic.h"

#define OUT(fmt, args...) vty_out(vty, fmt "%s", ##args, VTY_NEWLINE)

static const char *const domain_names[] = {[GSUP_CN_NONE] = "-", [GSUP_CN_PS] = "ps", [GSUP_CN_CS] = "cs"};

/* One interface's lines, with the names of the columns above the first of them. */
struct listing {
	struct vty *vty;
	const char *more; /* columns of this interface only */
	unsigned n;
};

/* The columns that all have; those of the interface stand behind them, then where it is and who it is, which may be
 * long. */
struct peer_line {
	unsigned id;
	const char *name, *interface, *state;
	const struct gate_address *address;
	int64_t up_s, silent_s;
	uint64_t checks;
};

static void __attribute__((format(printf, 3, 4)))
show_line(struct listing *l, const struct peer_line *p, const char *format, ...)
{
	struct vty *vty = l->vty;
	char more[64], text[GATE_ADDRESS_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(more, sizeof(more), format, args);
	va_end(args);
	if (!l->n++)
		OUT("  id if   %-16s %11s %10s %10s %s  %-22s %s", "state", "connected", "silent", "checks", l->more,
		    "address", "name");
	OUT("%4u %-4s %-16s %9" PRId64 " s %8" PRId64 " s %10" PRIu64 " %s  %-22s %s", p->id, p->interface, p->state,
	    p->up_s, p->silent_s, p->checks, more, address_print_port(text, p->address), p->name);
}

static void show_end(const struct listing *l, enum weir_interface interface)
{
	struct vty *vty = l->vty;

	OUT("%s: %u connected, %u checks in the last second", interface_name(interface), l->n,
	    the_gate->check.per_second[interface]);
}

/* "-": none. */
static const char *print_rate(char buf[static 12], uint32_t rate)
{
	snprintf(buf, 12, rate ? "%" PRIu32 : "-", rate);
	return buf;
}

/* --- gsup */

static void show_gsup_peer(const struct gsup_peer_state *p, void *data)
{
	show_line(data,
		  &(struct peer_line){p->id, p->name, interface_name(WEIR_IF_GSUP), p->state, &p->address, p->up_s,
				      p->silent_s, p->checks},
		  "%4s %10" PRIu64 " %10" PRIu64, domain_names[p->domain], p->from_peer, p->from_hlr);
}

static void show_gsup(struct vty *vty)
{
	struct listing l = {.vty = vty, .more = "  cn     frames   from hlr"};

	gsup_each_peer(the_gate->gsup, show_gsup_peer, &l);
	show_end(&l, WEIR_IF_GSUP);
}

/* --- s13 */

static void show_s13_peer(const struct s13_peer_state *p, void *data)
{
	struct vty *vty = ((struct listing *)data)->vty;
	char limit[12], reserve[12];

	show_line(data,
		  &(struct peer_line){p->id, p->name, interface_name(WEIR_IF_S13), p->state, &p->address, p->up_s,
				      p->silent_s, p->checks},
		  "%9s %9s %10" PRIu64 " %10" PRIu64, print_rate(limit, p->terms.limit),
		  print_rate(reserve, p->terms.reserve), p->refused, p->shed);
	OUT("          realm %s, %s%s%s, watchdog %s%s", p->realm, transport_name(p->transport), *p->tls ? " " : "",
	    p->tls, p->watchdog, p->agent ? ", an agent" : "");
}

static void show_s13(struct vty *vty)
{
	struct listing l = {.vty = vty, .more = "    limit   reserve    refused       shed"};

	s13_each_peer(the_gate->s13, show_s13_peer, &l);
	show_end(&l, WEIR_IF_S13);
	OUT("s13: %u clients known by name", s13_clients(the_gate->s13));
}

/* --- n5g */

static void show_n5g_peer(const struct n5g_connection_state *p, void *data)
{
	struct vty *vty = ((struct listing *)data)->vty;
	char limit[12], reserve[12];

	show_line(data,
		  &(struct peer_line){p->id, p->client, interface_name(WEIR_IF_N5G), p->leaving ? "leaving" : "open",
				      &p->address, p->up_s, p->silent_s, p->requests},
		  "%9s %9s %10u %10" PRIu64, print_rate(limit, p->terms.limit), print_rate(reserve, p->terms.reserve),
		  p->streams, p->shed);
	OUT("          %s%s%s", transport_name(p->transport), p->tls ? " " : "", p->tls ? p->tls : "");
}

static void show_n5g(struct vty *vty)
{
	struct listing l = {.vty = vty, .more = "    limit   reserve    streams       shed"};

	n5g_each_connection(the_gate->n5g, show_n5g_peer, &l);
	show_end(&l, WEIR_IF_N5G);
}

static const struct {
	const char *name;
	void (*show)(struct vty *vty);
} interfaces[] = {{"gsup", show_gsup}, {"s13", show_s13}, {"n5g", show_n5g}};

/* only NULL: all. */
static int show_those(struct vty *vty, const char *only)
{
	if (gate_vty_not_started(vty))
		return CMD_WARNING;
	for (unsigned i = 0; i < ARRAY_SIZE(interfaces); i++) {
		if (!only || !strcmp(only, interfaces[i].name))
			interfaces[i].show(vty);
	}
	if (!only)
		OUT("%u connections, %u peers known by name, %" PRIu64 " refused above the maximum, load %u %%",
		    traffic_count(the_gate->traffic), peers_count(the_gate->peers), traffic_refused(the_gate->traffic),
		    the_gate->check.load);
	return CMD_SUCCESS;
}

#define PEERS_HELP SHOW_STR "Who is connected, and how fast each interface is asked\n"

DEFUN(show_peers, show_peers_cmd, "show peers", PEERS_HELP)
{
	return show_those(vty, NULL);
}

DEFUN(show_peers_of, show_peers_of_cmd, "show peers (gsup|s13|n5g)",
      PEERS_HELP "Over GSUP\nOver Diameter: S13 and S13'\nOver N5g-eir\n")
{
	return show_those(vty, argv[0]);
}

void gate_show_peers_init(void)
{
	install_element_ve(&show_peers_cmd);
	install_element_ve(&show_peers_of_cmd);
}
