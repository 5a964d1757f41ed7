/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of who asks: places that are given away in the order in which they were last used.  Looked up per check
 * only for clients behind agents; must never allocate after it was made, walk all places but to refresh them, or give
 * away one that somebody may hold. */
#include "gate/clients.h"

#include <string.h>

#include <osmocom/core/talloc.h>

#include "gate/config.h"
#include "gate/peers.h"

#define BUCKETS 1024

struct clients {
	enum weir_interface interface;
	const struct check *check;
	struct peers *peers;
	const struct door_config *door;
	struct llist_head unused; /* clients without users, unused for longest in front */
	struct gate_client *bucket[BUCKETS];
	unsigned n, max;
	struct gate_client *place; /* the first n are clients */
};

struct clients *clients_alloc(void *ctx, enum weir_interface interface, unsigned max, const struct check *check,
			      struct peers *peers)
{
	static const struct door_config nothing;
	struct clients *clients = talloc_zero(ctx, struct clients);

	if (!clients)
		return NULL;
	clients->place = talloc_array(clients, struct gate_client, max); /* not touched before it is needed */
	if (!clients->place) {
		talloc_free(clients);
		return NULL;
	}
	clients->interface = interface;
	clients->max = max;
	clients->check = check;
	clients->peers = peers;
	clients->door = &nothing;
	INIT_LLIST_HEAD(&clients->unused);
	return clients;
}

/* FNV-1a: names that were chosen to collide cost who comes with them a walk among his like, no more. */
static struct gate_client **bucket_of(struct clients *clients, const char *name)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT32_C(16777619);
	return &clients->bucket[(hash ^ hash >> 16) % BUCKETS];
}

/* --- terms and number */

static void resolve(const struct clients *clients, struct gate_client *client)
{
	client->peer.terms = policy_terms(clients->check->policy, clients->interface, client->name);
	client->terms = config_rate_terms(clients->door, client->name);
}

void clients_refresh(struct clients *clients, const struct door_config *door)
{
	clients->door = door;
	for (unsigned i = 0; i < clients->n; i++)
		resolve(clients, &clients->place[i]);
}

static void arrive(struct clients *clients, struct gate_client *client)
{
	client->here = true;
	client->peer.id = peers_id(clients->peers, clients->interface, client->name);
}

static void depart(struct clients *clients, struct gate_client *client)
{
	peers_left(clients->peers, client->peer.id);
	client->here = false;
	client->peer.id = PEER_NONE;
}

/* --- places */

static void forget(struct clients *clients, struct gate_client *client)
{
	struct gate_client **at = bucket_of(clients, client->name);

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	llist_del(&client->unused);
	depart(clients, client);
}

static struct gate_client *free_place(struct clients *clients, int64_t now_us)
{
	struct gate_client *client;

	if (clients->n < clients->max)
		return &clients->place[clients->n++];
	if (llist_empty(&clients->unused))
		return NULL;
	client = llist_first_entry(&clients->unused, struct gate_client, unused);
	if (client->used_us >= now_us)
		return NULL; /* a batch may hold it, and all behind it */
	forget(clients, client);
	return client;
}

/* --- looked up */

struct gate_client *clients_find(struct clients *clients, const char *name, int64_t now_us)
{
	struct gate_client *client = *bucket_of(clients, name);

	while (client && strcmp(client->name, name) != 0)
		client = client->next;
	if (!client)
		return NULL;
	if (client->used_us != now_us && !client->users)
		llist_move_tail(&client->unused, &clients->unused);
	client->used_us = now_us;
	if (!client->here)
		arrive(clients, client);
	return client;
}

struct gate_client *clients_add(struct clients *clients, const char *name, int64_t now_us)
{
	struct gate_client **bucket = bucket_of(clients, name), *client;
	size_t len = strlen(name);

	client = len < CLIENT_NAME_TEXT ? free_place(clients, now_us) : NULL;
	if (!client)
		return NULL;
	*client = (struct gate_client){.used_us = now_us, .next = *bucket};
	*bucket = client;
	llist_add_tail(&client->unused, &clients->unused);
	memcpy(client->name, name, len);
	client->peer.name = client->name;
	resolve(clients, client);
	arrive(clients, client);
	return client;
}

struct gate_client *clients_get(struct clients *clients, const char *name, int64_t now_us)
{
	struct gate_client *client = clients_find(clients, name, now_us);

	return client ? client : clients_add(clients, name, now_us);
}

/* --- users */

void clients_join(struct gate_client *client)
{
	client->joined = true;
	if (client->users++ == 0)
		llist_del_init(&client->unused);
}

void clients_leave(struct clients *clients, struct gate_client *client, int64_t now_us)
{
	if (!client || --client->users)
		return;
	client->used_us = now_us;
	llist_add_tail(&client->unused, &clients->unused);
	depart(clients, client);
}

unsigned clients_count(const struct clients *clients)
{
	return clients->n;
}

void clients_each(const struct clients *clients, unsigned max, client_fn *fn, void *data)
{
	unsigned told = 0;

	for (unsigned used = 0; used < 2; used++) {
		for (unsigned i = 0; i < clients->n && told < max; i++) {
			if ((clients->place[i].users == 0) != used)
				continue;
			fn(&clients->place[i], data);
			told++;
		}
	}
}
