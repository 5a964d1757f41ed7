/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A limit for log lines about strangers.  Takes time as an argument; never allocates. */
#include "gate/gripe.h"

#include <stddef.h>

bool gripe_now(struct gripes *gripes, const struct gate_address *from, int64_t now_us)
{
	struct gate_address key = *from;
	struct gripe *place = NULL;

	key.port = 0;
	for (unsigned i = 0; i < GRIPES; i++) {
		struct gripe *g = &gripes->gripe[i];
		if (g->used && now_us - g->at_us >= GRIPE_SPAN_US)
			g->used = false;
		if (g->used && address_equal(&g->from, &key))
			return false;
		if (!g->used && !place)
			place = g;
	}
	if (!place)
		return false; /* enough said in this minute */
	*place = (struct gripe){.from = key, .at_us = now_us, .used = true};
	return true;
}
