/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What goes between gate and keeper beside the register: sightings out, "these devices turned black" in.
 *
 * This is the glue of sightings.h and flips.h with the loop: sockets, timers, peers.  Both are droppable: without a
 * keeper every check is answered just the same. */
#pragma once

#include <stdint.h>

#include "core/why.h"

struct check;
struct flips_counters;
struct gsup;
struct notify;
struct peers;

/* Allocate the table of sightings and listen for the keeper's orders.  Sets check->sightings.  All outlive it. */
struct notify *notify_alloc(void *ctx, struct check *check, struct gsup *gsup, struct peers *peers,
			    struct weir_why *why);
void notify_free(struct notify *notify);

/* Called when orders have come, before they are looked at: to move to the register that they speak of. */
typedef void notify_follow_fn(void *data);
void notify_set_follow(struct notify *notify, notify_follow_fn *follow, void *data);

/* Send what is due: after each turn that answered, and each second.  A keeper whose socket is full is left alone for a
 * millisecond: trying again in each turn would cost every answer a system call. */
void notify_flush(struct notify *notify, int64_t mono_us, uint32_t now_s);
/* Each second: count a part of who is attached; look again at everybody when a peer has come. */
void notify_second(struct notify *notify);

/* How many pairs are attached, as counted in the last whole pass over the table (it takes about a minute); -1: none
 * yet. */
int64_t notify_attached(const struct notify *notify);
const struct flips_counters *notify_flips(const struct notify *notify);
