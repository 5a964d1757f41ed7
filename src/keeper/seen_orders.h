/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* STATE/gate.orders: tells the gate what turned black, and who was seen in it.  A hint (wire/sighting.h): never waits,
 * and no gate is no error.
 *
 * One change of the serial may need many datagrams: all but the last say "(after, after]", so that the gate's serial
 * moves when it has them all.  Where one could not be sent the rest is held back: the next one that arrives then shows
 * the gate a gap, and it looks at everybody.  Until one arrived, an empty one is tried each second.  A gate must take
 * every after_serial that is not its own serial, also a lower one, for a gap.
 *
 * A gate remembers who is attached only as long as it lives; the store of sightings remembers for it.  Whenever the
 * gate is to look at everybody (a range, a TAC, a fixed SIM, a large import), was not there or did not read, or is
 * another than the last one (its socket is new), the store is walked in slices: whoever was seen lately and was not
 * refused then, in a device that the register may call black now, is named to the gate. */
#pragma once

#include <stdint.h>

#include "core/verdict.h"

struct orders;
struct seen;

struct orders *orders_alloc(const char *state_dir, struct seen *seen);
void orders_free(struct orders *orders); /* NULL is fine */

/* Ask the register, as register_lookup does.  Without it nobody is walked. */
typedef int orders_ask_fn(const struct weir_query *queries, struct weir_facts *facts, unsigned n, void *data);
void orders_set_register(struct orders *orders, orders_ask_fn *ask, void *data);

#define ORDERS_RECENT_S (24 * 3600)
#define ORDERS_SEEN_MAX 16 /* subscribers of one device named when it turns black */

/* lists_flips_fn; data is the orders. */
void orders_flips(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data);

struct orders_stats {
	uint64_t flips, datagrams, absent, lost; /* absent: no gate there; lost: the gate did not read */
	uint64_t walks;                          /* of the store, to the end */
	uint64_t named;                          /* by these: pairs */
};
const struct orders_stats *orders_stats(const struct orders *orders);
