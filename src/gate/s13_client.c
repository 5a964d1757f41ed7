/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who asks over S13: a fixed table of names with their policy terms and limits.  Nothing here is per check but the look
 * for a client behind an agent; a client that a session or a batch may hold is never given away under it. */
#include "gate/s13_session.h"

#include <string.h>

#include <osmocom/core/talloc.h>

#include "gate/peers.h"

struct s13_client_table *s13_client_table_alloc(void *ctx)
{
	return talloc_zero(ctx, struct s13_client_table);
}

/* FNV-1a. */
static unsigned bucket_of(const char *name)
{
	uint32_t hash = UINT32_C(2166136261);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT32_C(16777619);
	return (hash ^ hash >> 16) % S13_BUCKETS;
}

static struct s13_client *find(struct s13_client_table *table, const char *name)
{
	for (unsigned at = table->bucket[bucket_of(name)]; at; at = table->place[at - 1].next) {
		if (!strcmp(table->place[at - 1].name, name))
			return &table->place[at - 1];
	}
	return NULL;
}

static void unlink_client(struct s13_client_table *table, struct s13_client *client)
{
	uint16_t *at = &table->bucket[bucket_of(client->name)];

	while (&table->place[*at - 1] != client)
		at = &table->place[*at - 1].next;
	*at = client->next;
}

/* Silent for longest, and no peer; not one of this turn, which a batch may hold. */
static struct s13_client *longest_silent(struct s13_client_table *table, int64_t now_us)
{
	struct s13_client *oldest = NULL;

	for (unsigned i = 0; i < S13_CLIENTS; i++) {
		struct s13_client *c = &table->place[i];
		if (c->sessions || c->used_us >= now_us)
			continue;
		if (!oldest || c->used_us < oldest->used_us)
			oldest = c;
	}
	return oldest;
}

static struct s13_client *free_place(struct s13 *s13, int64_t now_us)
{
	struct s13_client_table *table = s13->clients;
	struct s13_client *c;

	if (table->n < S13_CLIENTS)
		return &table->place[table->n++];
	c = longest_silent(table, now_us);
	if (!c)
		return NULL;
	unlink_client(table, c);
	peers_left(s13->peers, c->peer.id);
	return c;
}

static void refresh(struct s13 *s13, struct s13_client *client)
{
	client->peer.terms = policy_terms(s13->check->policy, WEIR_IF_S13, client->name);
	client->terms = config_rate_terms(&s13->config->door, client->name);
}

struct s13_client *s13_client_get(struct s13 *s13, const char *name, bool hasty)
{
	struct s13_client_table *table = s13->clients;
	int64_t now_us = traffic_now_us(s13->traffic);
	struct s13_client *c = find(table, name);
	unsigned bucket;

	if (c) {
		c->used_us = now_us;
		return c;
	}
	if (hasty && !rate_take(&table->fresh, S13_NEW_CLIENTS, S13_NEW_CLIENTS, 1, now_us))
		return NULL;
	c = free_place(s13, now_us);
	if (!c)
		return NULL;
	*c = (struct s13_client){.used_us = now_us};
	memcpy(c->name, name, strlen(name) + 1);
	c->peer.name = c->name;
	c->peer.id = peers_id(s13->peers, WEIR_IF_S13, name);
	refresh(s13, c);
	bucket = bucket_of(name);
	c->next = table->bucket[bucket];
	table->bucket[bucket] = (uint16_t)(c - table->place + 1);
	return c;
}

void s13_client_refresh(struct s13 *s13)
{
	for (unsigned i = 0; i < s13->clients->n; i++)
		refresh(s13, &s13->clients->place[i]);
}

void s13_client_join(struct s13 *s13, struct s13_client *client)
{
	if (client->sessions++ == 0)
		client->peer.id = peers_id(s13->peers, WEIR_IF_S13, client->name);
}

void s13_client_leave(struct s13 *s13, struct s13_client *client)
{
	if (--client->sessions == 0)
		peers_left(s13->peers, client->peer.id);
}
