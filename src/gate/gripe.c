/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A limit for log lines about strangers and peers.  Takes time as an argument; never allocates. */
#include "gate/gripe.h"

#include <stddef.h>
#include <string.h>

/* FNV-1a; 0 begins. */
static uint64_t hash(uint64_t key, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	key = key ? key : UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		key = (key ^ p[i]) * UINT64_C(0x100000001b3);
	return key;
}

static uint64_t hash_text(uint64_t key, const char *text)
{
	return hash(key, text, strlen(text) + 1);
}

static uint64_t hash_address(const struct gate_address *from)
{
	return hash(hash(0, &from->family, sizeof(from->family)), from->octets, sizeof(from->octets));
}

static bool may(struct gripes *gripes, uint64_t key, int64_t now_us)
{
	struct gripe *place = NULL;

	for (unsigned i = 0; i < GRIPES; i++) {
		struct gripe *g = &gripes->gripe[i];
		if (g->used && now_us - g->at_us >= GRIPE_SPAN_US)
			g->used = false;
		if (g->used && g->key == key)
			return false;
		if (!g->used && !place)
			place = g;
	}
	if (!place)
		return false; /* enough said in this minute */
	*place = (struct gripe){.key = key, .at_us = now_us, .used = true};
	return true;
}

bool gripe_now(struct gripes *gripes, const struct gate_address *from, int64_t now_us)
{
	return may(gripes, hash_address(from), now_us);
}

bool gripe_about(struct gripes *gripes, const struct gate_address *from, const char *what, int64_t now_us)
{
	return may(gripes, hash_text(hash_address(from), what), now_us);
}

bool gripe_of(struct gripes *gripes, const char *name, const char *what, int64_t now_us)
{
	return may(gripes, hash_text(hash_text(0, name), what), now_us);
}
