/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who asks: a bounded table of names, with what an interface keeps for each of them.  One table an interface.
 *
 * Client.  A name that asks: a peer that is connected, or somebody behind one that speaks for others.  With it are
 * kept the terms that policy and configuration have for the name, its buckets of tokens (core/rate.h) and its number
 * for sightings (gate/peers.h).  Names are compared octet by octet: where case does not matter, they come in in lower
 * case.
 *
 * Users.  Connections that ask under the name; whoever joins leaves once.  A client is used when it is looked up and
 * when its last user leaves.
 *
 * Place.  There are as many as clients_alloc was told, and never more.  A name keeps its place, and with it its
 * buckets, when its last user leaves: nobody fills his bucket by coming again.  Where there is none free, the client
 * that was unused for longest is forgotten for the new one; never one that has users, and never one that was used in
 * this turn.  So what was looked up may be held until the turn ends, by a batch for example, and as long as one wants
 * by a user.
 *
 * Number.  peer.id is its number from when it is looked up until its last user leaves or it is forgotten; PEER_NONE
 * where as many as can be told apart are connected.
 *
 * All memory is taken by clients_alloc.  Time is an argument: now_us is that of the turn, and never goes back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>

#include "core/rate.h"
#include "core/verdict.h"
#include "gate/check.h"

#define CLIENT_NAME_TEXT 256 /* a DiameterIdentity, or the name in a certificate */

struct clients;
struct door_config;
struct peers;

struct gate_client {
	struct check_peer peer; /* as check_answer wants it; its name is the one below */
	struct rate_terms terms;
	struct rate_peer rate;
	struct rate foreign; /* of checks from abroad, for an interface that limits them; only kept here */
	struct rate comings; /* of its connections, likewise */
	unsigned users;
	uint64_t checks,
		shed; /* since it has its place: that came under the name, and of those that were not decided */

	/* private */
	bool joined; /* it had users, not only somebody who spoke for it */
	bool here;   /* numbered, and not left since */
	int64_t used_us;
	struct llist_head unused; /* among those without users */
	struct gate_client *next; /* of its bucket */

	char name[CLIENT_NAME_TEXT];
};

/* With max places, freed by talloc_free.  Check and peers must outlive it.  NULL: no memory. */
struct clients *clients_alloc(void *ctx, enum weir_interface interface, unsigned max, const struct check *check,
			      struct peers *peers);

/* Configuration or policy have changed: resolve the terms of all again.  door must stay until the next call; before the
 * first one no name has a limit. */
void clients_refresh(struct clients *clients, const struct door_config *door);

/* The client of this name; NULL where it is not known. */
struct gate_client *clients_find(struct clients *clients, const char *name, int64_t now_us);
/* A new one, of a name that is not known.  NULL where there is no place, or the name has CLIENT_NAME_TEXT octets. */
struct gate_client *clients_add(struct clients *clients, const char *name, int64_t now_us);
/* Either of the two. */
struct gate_client *clients_get(struct clients *clients, const char *name, int64_t now_us);

/* A user more, in the turn in which the client was looked up. */
void clients_join(struct gate_client *client);
/* A user less.  NULL is fine. */
void clients_leave(struct clients *clients, struct gate_client *client, int64_t now_us);

/* Count checks that came, and those of them that were not decided. */
static inline void client_count(struct gate_client *client, unsigned checks, unsigned shed)
{
	client->checks += checks;
	client->shed += shed;
}

unsigned clients_count(const struct clients *clients); /* how many are known */
/* At most max of them, those with users first. */
typedef void client_fn(const struct gate_client *client, void *data);
void clients_each(const struct clients *clients, unsigned max, client_fn *fn, void *data);
