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
		size_t cut; /* only so much of the name is known; 0: all */
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

static uint16_t add(struct peers *peers, enum weir_interface interface, const char *name)
{
	uint16_t id = peers->n < PEERS_MAX ? peers->n + 1 : longest_absent(peers);
	char *copy = id != PEER_NONE ? talloc_strdup(peers, name) : NULL;

	if (!copy)
		return PEER_NONE;
	talloc_free(peers->peer[id - 1].name);
	peers->peer[id - 1].interface = interface;
	peers->peer[id - 1].name = copy;
	peers->peer[id - 1].cut = 0;
	peers->n += id > peers->n;
	return id;
}

void peers_left(struct peers *peers, uint16_t id)
{
	if (id >= 1 && id <= peers->n)
		peers->peer[id - 1].left = ++peers->departures;
}

/* The one that is known by the beginning of this name only: from now on it has it all. */
static uint16_t complete(struct peers *peers, enum weir_interface interface, const char *name)
{
	for (unsigned i = 0; i < peers->n; i++) {
		char *whole;

		if (!peers->peer[i].cut || peers->peer[i].interface != interface ||
		    strncmp(peers->peer[i].name, name, peers->peer[i].cut) != 0)
			continue;
		whole = talloc_strdup(peers, name);
		if (!whole)
			return PEER_NONE;
		talloc_free(peers->peer[i].name);
		peers->peer[i].name = whole;
		peers->peer[i].cut = 0;
		return i + 1;
	}
	return PEER_NONE;
}

uint16_t peers_id(struct peers *peers, enum weir_interface interface, const char *name)
{
	uint16_t id = complete(peers, interface, name);

	if (id == PEER_NONE)
		id = peers_find(peers, interface, name);
	if (id == PEER_NONE)
		id = add(peers, interface, name);
	if (id != PEER_NONE)
		peers->peer[id - 1].left = 0;
	return id;
}

uint16_t peers_id_cut(struct peers *peers, enum weir_interface interface, const char *name, size_t len)
{
	uint16_t id = peers_find_cut(peers, name, len);

	if (id != PEER_NONE || !*name || peers->n >= PEERS_MAX / 4 * 3)
		return id;
	id = add(peers, interface, name);
	peers_left(peers, id); /* it is not here yet */
	if (id != PEER_NONE && strnlen(name, len) == len)
		peers->peer[id - 1].cut = len;
	return id;
}

const char *peers_name(const struct peers *peers, uint16_t id)
{
	return id >= 1 && id <= peers->n ? peers->peer[id - 1].name : NULL;
}

unsigned peers_count(const struct peers *peers)
{
	return peers->n;
}
