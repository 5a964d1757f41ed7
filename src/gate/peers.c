/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of peers ever seen.  Asked when a peer connects, never per check, so a walk is good enough. */
#include "gate/peers.h"

#include <stdbool.h>
#include <string.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

struct peers {
	unsigned n;
	struct {
		enum weir_interface interface;
		char *name;
	} peer[PEERS_MAX];
};

struct peers *peers_alloc(void *ctx)
{
	return talloc_zero(ctx, struct peers);
}

uint16_t peers_find(const struct peers *peers, enum weir_interface interface, const char *name)
{
	for (unsigned i = 0; i < peers->n; i++) {
		if (peers->peer[i].interface == interface && !strcmp(peers->peer[i].name, name))
			return i + 1;
	}
	return PEER_NONE;
}

uint16_t peers_find_cut(const struct peers *peers, const char *name, size_t len)
{
	bool cut = strnlen(name, len) == len;

	for (unsigned i = 0; i < peers->n; i++) {
		if (cut ? !strncmp(peers->peer[i].name, name, len) : !strcmp(peers->peer[i].name, name))
			return i + 1;
	}
	return PEER_NONE;
}

enum weir_interface peers_interface(const struct peers *peers, uint16_t id)
{
	return id >= 1 && id <= peers->n ? peers->peer[id - 1].interface : WEIR_N_INTERFACES;
}

uint16_t peers_id(struct peers *peers, enum weir_interface interface, const char *name)
{
	uint16_t id = peers_find(peers, interface, name);
	char *copy;

	if (id != PEER_NONE || peers->n == PEERS_MAX)
		return id;
	copy = talloc_strdup(peers, name);
	if (!copy)
		return PEER_NONE;
	peers->peer[peers->n].interface = interface;
	peers->peer[peers->n].name = copy;
	return ++peers->n;
}

const char *peers_name(const struct peers *peers, uint16_t id)
{
	return id >= 1 && id <= peers->n ? peers->peer[id - 1].name : NULL;
}

unsigned peers_count(const struct peers *peers)
{
	return peers->n;
}
