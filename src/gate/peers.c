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
	uint64_t departures;
	struct {
		enum weir_interface interface;
		uint64_t left; /* number of its departure; 0: it is connected */
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

static uint16_t longest_absent(const struct peers *peers)
{
	uint16_t id = PEER_NONE;

	for (unsigned i = 0; i < peers->n; i++) {
		if (peers->peer[i].left && (id == PEER_NONE || peers->peer[i].left < peers->peer[id - 1].left))
			id = i + 1;
	}
	return id;
}

uint16_t peers_id(struct peers *peers, enum weir_interface interface, const char *name)
{
	uint16_t id = peers_find(peers, interface, name);
	char *copy;

	if (id == PEER_NONE) {
		id = peers->n < PEERS_MAX ? peers->n + 1 : longest_absent(peers);
		copy = id != PEER_NONE ? talloc_strdup(peers, name) : NULL;
		if (!copy)
			return PEER_NONE;
		talloc_free(peers->peer[id - 1].name);
		peers->peer[id - 1].interface = interface;
		peers->peer[id - 1].name = copy;
		peers->n += id > peers->n;
	}
	peers->peer[id - 1].left = 0;
	return id;
}

void peers_left(struct peers *peers, uint16_t id)
{
	if (id >= 1 && id <= peers->n)
		peers->peer[id - 1].left = ++peers->departures;
}

const char *peers_name(const struct peers *peers, uint16_t id)
{
	return id >= 1 && id <= peers->n ? peers->peer[id - 1].name : NULL;
}

unsigned peers_count(const struct peers *peers)
{
	return peers->n;
}
