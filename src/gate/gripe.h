/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* "Once per address and minute": keeps a stranger who knocks a thousand times from filling the log.
 *
 * A fixed table; when it is full nothing more is said, so a flood from many addresses logs at most GRIPES lines a
 * minute. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gate/address.h"

#define GRIPES        64
#define GRIPE_SPAN_US 60000000ll

struct gripes {
	struct gripe {
		struct gate_address from; /* port ignored */
		int64_t at_us;
		bool used;
	} gripe[GRIPES];
};

/* True where this may be logged now. */
bool gripe_now(struct gripes *gripes, const struct gate_address *from, int64_t now_us);
