/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* STATE/gate.orders: tells the gate what turned black, and who was last seen in it.  A hint (wire/sighting.h): never
 * waits, and no gate is no error.
 *
 * One change of the serial may need many datagrams: all but the last say "(after, after]", so that the gate's serial
 * moves when it has them all.  Where one could not be sent the rest is held back: the next one that arrives then shows
 * the gate a gap, and it looks at everybody.  Until one arrived, an empty one is tried each second.  A gate must take
 * every after_serial that is not its own serial, also a lower one, for a gap. */
#pragma once

#include <stdint.h>

struct orders;
struct seen;

struct orders *orders_alloc(const char *state_dir, struct seen *seen);
void orders_free(struct orders *orders); /* NULL is fine */

/* lists_flips_fn; data is the orders. */
void orders_flips(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data);

struct orders_stats {
	uint64_t flips, datagrams, absent, lost; /* absent: no gate there; lost: the gate did not read */
};
const struct orders_stats *orders_stats(const struct orders *orders);
