/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The names that ask over N5g-eir.  A name keeps its bucket of tokens when its last connection ends, so that nobody
 * fills it again by connecting again; the names that left are bounded, who left first goes first. */
#include "gate/n5g_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct llist_head *bucket_of(struct n5g *n5g, const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a: a table of our own peers, nobody gains by collisions but slow accepts */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return &n5g->client[(hash ^ hash >> 16) % N5G_BUCKETS];
}

static void renew(struct n5g *n5g, struct n5g_client *client)
{
	client->terms = config_rate_terms(&n5g->config->door, client->name);
	client->peer.terms = policy_terms(n5g->check->policy, WEIR_IF_N5G, client->name);
}

static struct n5g_client *make(struct n5g *n5g, struct llist_head *bucket, const char *name)
{
	struct n5g_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	snprintf(client->name, sizeof(client->name), "%s", name);
	client->peer.name = client->name;
	INIT_LLIST_HEAD(&client->idle);
	llist_add(&client->bucket, bucket);
	renew(n5g, client);
	return client;
}

static struct n5g_client *find(struct llist_head *bucket, const char *name)
{
	struct n5g_client *client;

	llist_for_each_entry(client, bucket, bucket) {
		if (!strncmp(client->name, name, sizeof(client->name) - 1))
			return client;
	}
	return NULL;
}

struct n5g_client *n5g_client_get(struct n5g *n5g, const char *name)
{
	struct llist_head *bucket = bucket_of(n5g, name);
	struct n5g_client *client = find(bucket, name);

	if (!client)
		client = make(n5g, bucket, name);
	if (!client || client->users++)
		return client;
	if (!llist_empty(&client->idle)) {
		llist_del_init(&client->idle);
		n5g->n_idle--;
	}
	client->peer.id = peers_id(n5g->peers, WEIR_IF_N5G, client->name);
	if (client->peer.id == PEER_NONE)
		n5g->counters.unnumbered++;
	return client;
}

static void drop(struct n5g_client *client)
{
	llist_del(&client->bucket);
	llist_del(&client->idle);
	free(client);
}

void n5g_client_put(struct n5g *n5g, struct n5g_client *client)
{
	if (!client || --client->users)
		return;
	peers_left(n5g->peers, client->peer.id);
	client->peer.id = PEER_NONE;
	llist_add_tail(&client->idle, &n5g->idle);
	if (n5g->n_idle < N5G_CLIENTS_IDLE)
		n5g->n_idle++;
	else
		drop(llist_first_entry(&n5g->idle, struct n5g_client, idle));
}

void n5g_clients_renew(struct n5g *n5g)
{
	struct n5g_client *client;

	for (unsigned i = 0; i < N5G_BUCKETS; i++) {
		llist_for_each_entry(client, &n5g->client[i], bucket)
			renew(n5g, client);
	}
}

void n5g_clients_free(struct n5g *n5g)
{
	struct n5g_client *client, *next;

	for (unsigned i = 0; i < N5G_BUCKETS; i++) {
		llist_for_each_entry_safe(client, next, &n5g->client[i], bucket)
			drop(client);
	}
}
