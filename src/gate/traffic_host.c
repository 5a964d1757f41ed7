/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who makes place for whom when there are too many connections.  Counted by host, so that a crowd from one address
 * costs its own. */
#include "gate/traffic_inside.h"

#include <stdlib.h>
#include <string.h>

static struct llist_head *bucket_of(struct traffic *t, const struct gate_address *address)
{
	uint32_t hash = 2166136261u; /* FNV-1a; whoever makes addresses collide finds at most max-connections of them */

	for (unsigned i = 0; i < sizeof(address->octets); i++)
		hash = (hash ^ address->octets[i]) * 16777619u;
	return &t->hosts[(hash ^ hash >> 16) % TRAFFIC_HOSTS];
}

bool traffic_host_join(struct traffic_conn *c)
{
	struct llist_head *bucket = bucket_of(c->traffic, &c->remote);
	struct traffic_host *host;

	llist_for_each_entry(host, bucket, entry) {
		if (address_same_host(&host->address, &c->remote))
			goto found;
	}
	host = calloc(1, sizeof(*host));
	if (!host)
		return false;
	host->address = c->remote;
	llist_add(&host->entry, bucket);
found:
	host->n++;
	host->n_strangers++;
	c->host = host;
	c->traffic->n_taken++;
	return true;
}

void traffic_host_leave(struct traffic_conn *c)
{
	struct traffic_host *host = c->host;

	if (!host)
		return;
	c->traffic->n_taken--;
	c->host = NULL;
	host->n_strangers -= !c->known;
	if (--host->n)
		return;
	llist_del(&host->entry);
	free(host);
}

void traffic_known(struct traffic_conn *c)
{
	if (c->host)
		c->host->n_strangers -= !c->known;
	c->known = true;
}

/* --- victims */

/* Who has been here longest without saying who he is, of one host (NULL: of any). */
static struct traffic_conn *oldest_stranger(const struct traffic *t, const struct traffic_host *host)
{
	struct traffic_conn *c, *oldest = NULL;

	llist_for_each_entry(c, &t->conns, entry) {
		if (!c->host || c->known || (host && c->host != host))
			continue;
		if (!oldest || c->since_us < oldest->since_us)
			oldest = c;
	}
	return oldest;
}

static struct traffic_conn *longest_silent(const struct traffic *t, const struct traffic_host *host)
{
	struct traffic_conn *c, *silent = NULL;

	llist_for_each_entry(c, &t->conns, entry) {
		if (c->host == host && (!silent || c->heard_us < silent->heard_us))
			silent = c;
	}
	return silent;
}

static struct traffic_host *greatest_host(struct traffic *t)
{
	struct traffic_host *host, *greatest = NULL;

	for (unsigned i = 0; i < TRAFFIC_HOSTS; i++) {
		llist_for_each_entry(host, &t->hosts[i], entry) {
			if (!greatest || host->n > greatest->n)
				greatest = host;
		}
	}
	return greatest;
}

/* The newest one counts already.  NULL: there is place. */
static struct traffic_conn *who_goes(struct traffic *t, struct traffic_conn *newest)
{
	struct traffic_conn *victim;
	struct traffic_host *greatest;

	if (newest->host->n_strangers > TRAFFIC_STRANGERS)
		return oldest_stranger(t, newest->host);
	if (t->n_taken <= t->max_conns)
		return NULL;
	victim = oldest_stranger(t, NULL);
	if (victim && victim != newest)
		return victim;
	greatest = greatest_host(t);
	return greatest->n > newest->host->n ? longest_silent(t, greatest) : newest;
}

void traffic_host_make_place(struct traffic *t, struct traffic_conn *newest)
{
	struct traffic_conn *victim = who_goes(t, newest);

	if (!victim)
		return;
	if (victim == newest)
		t->refused++;
	else
		t->crowded++;
	traffic_close(victim, TRAFFIC_END_OURS);
}

/* --- handshakes */

static void count_securing(struct traffic *t)
{
	struct traffic_conn *c;

	llist_for_each_entry(c, &t->conns, entry) {
		if (c->host)
			c->host->n_securing = 0;
	}
	llist_for_each_entry(c, &t->conns, entry) {
		if (c->host && c->securing)
			c->host->n_securing++;
	}
}

/* The oldest of the host that has most: who goes on with it is through before he is the oldest. */
void traffic_host_make_place_to_secure(struct traffic *t)
{
	struct traffic_conn *c, *victim = NULL;

	if (t->n_securing < TRAFFIC_SECURING)
		return;
	count_securing(t);
	llist_for_each_entry(c, &t->conns, entry) {
		if (!c->host || !c->securing)
			continue;
		if (!victim || c->host->n_securing > victim->host->n_securing ||
		    (c->host == victim->host && c->since_us < victim->since_us))
			victim = c;
	}
	if (!victim)
		return;
	t->tls_refused++;
	traffic_close(victim, TRAFFIC_END_OURS);
}
