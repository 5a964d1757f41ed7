/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One synced commit for all that was wanted in one turn of the loop.
 *
 * Handlers submit; when the turn's input was read, turn_flush makes all changes in one transaction and tells everybody.
 * While the disk syncs, the next turn's wishes wait in their sockets: the busier the keeper, the more changes a commit
 * carries.  Nobody is told before the change is durable, and in force
 * but for a register that lags (lists_lag): a rebuild is under way, or it could not be written. */
#pragma once

#include <stdint.h>

#include "keeper/lists.h"

struct turn;

/* err 0: durable, and in force where nothing lags, result says what; -EBUSY: later; -EINVAL with why; -ENOSPC, -EIO:
 * nothing of it happened. */
typedef void turn_done_fn(void *data, int err, const struct lists_result *result, const struct weir_why *why);

struct turn *turn_alloc(struct lists *lists);
/* What was submitted and not flushed is answered with -EBUSY.  NULL is fine. */
void turn_free(struct turn *turn);

/* Copies the change.  done is called by turn_flush, always.  0 or -ENOMEM (done is not called then). */
int turn_submit(struct turn *turn, const struct lists_change *change, turn_done_fn *done, void *data);
void turn_flush(struct turn *turn, int64_t now_ms);

struct turn_stats {
	uint64_t commits, changes, failed; /* commits that were tried; changes in them; changes that were not made */
};
const struct turn_stats *turn_stats(const struct turn *turn);
