/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Listening and accepting.  Who makes place for whom is traffic_host.c's. */
#define _GNU_SOURCE /* accept4 */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "gate/tls.h"

#define ACCEPTS_A_TURN 64 /* less than the events of a turn, so that who speaks at once is heard before he gives way */

struct traffic_listener {
	struct traffic *traffic;
	const struct traffic_kind *kind;
	void *owner;
	struct gate_place place;
	struct tls_context *tls; /* NULL without TLS */
	int fd;
	bool paused;
	struct llist_head entry;
};

static void *tag_listener(struct traffic_listener *listener)
{
	return (void *)((uintptr_t)listener | 1);
}

static void listener_pause(struct traffic_listener *l, bool pause)
{
	if (l->paused != pause &&
	    traffic_watch(l->traffic, EPOLL_CTL_MOD, l->fd, pause ? 0 : EPOLLIN, tag_listener(l)) == 0)
		l->paused = pause;
}

static void listener_forget(struct traffic_conn *c)
{
	c->kind = NULL;
	traffic_conn_bury(c);
}

static struct traffic_conn *listener_conn(struct traffic_listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct traffic *t = l->traffic;
	struct traffic_conn *c = traffic_conn_alloc(t, l->kind, fd, EPOLLIN);

	if (!c) {
		close(fd);
		listener_pause(l, true);
		return NULL;
	}
	traffic_io_options(fd, l->kind, l->place.transport);
	address_from_sockaddr(sa, &c->remote);
	c->transport = l->place.transport;
	if (!traffic_host_join(c)) {
		listener_forget(c);
		return NULL;
	}
	return c;
}

/* A stranger pays for our handshake first: so only so many at a time. */
static void listener_take(struct traffic_listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct traffic_conn *c = listener_conn(l, fd, sa);

	if (!c)
		return;
	if (!l->kind->accepted(c, l->owner)) {
		listener_forget(c);
		return;
	}
	if (l->tls && !c->dead)
		traffic_host_make_place_to_secure(l->traffic);
	if (l->tls && !c->dead && !traffic_conn_secure(c, l->tls, NULL))
		traffic_close(c, TRAFFIC_END_OURS);
	else if (!c->dead)
		traffic_host_make_place(l->traffic, c);
}

void traffic_listener_event(struct traffic_listener *l)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd;

	for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
		len = sizeof(sa);
		fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		listener_take(l, fd, &sa);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		listener_pause(l, true); /* the queue stays readable: without this the loop would spin */
}

static int refuse(const struct traffic_kind *kind, const struct gate_place *place, int rc, struct weir_why *why)
{
	char text[GATE_ADDRESS_TEXT];

	if (rc == -EPROTONOSUPPORT)
		return why_set(why, rc, "%s cannot listen on %s over SCTP: this kernel has no SCTP (modprobe sctp)",
			       kind->name, address_print_port(text, &place->address[0]));
	return why_set(why, rc, "%s cannot listen on %s: %s; choose an address of this machine and a free port",
		       kind->name, address_print_port(text, &place->address[0]), strerror(-rc));
}

/* Port 0 of a test is another number now. */
static void learn_port(struct traffic_listener *l)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct gate_address real;

	if (getsockname(l->fd, (struct sockaddr *)&sa, &len))
		return;
	address_from_sockaddr(&sa, &real);
	for (unsigned i = 0; i < l->place.n; i++)
		l->place.address[i].port = real.port;
}

int traffic_listen(struct traffic *t, const struct traffic_kind *kind, void *owner, const struct gate_place *place,
		   struct tls_context *tls, struct traffic_listener **listener, struct weir_why *why)
{
	struct traffic_listener *l;
	int rc = traffic_io_listen(place);

	*listener = NULL;
	if (rc < 0)
		return refuse(kind, place, rc, why);
	l = talloc_zero(t, struct traffic_listener);
	if (!l || traffic_watch(t, EPOLL_CTL_ADD, rc, EPOLLIN, tag_listener(l))) {
		close(rc);
		talloc_free(l);
		return why_set(why, -ENOMEM, "%s cannot listen: out of memory", kind->name);
	}
	*l = (struct traffic_listener){.traffic = t, .kind = kind, .owner = owner, .place = *place, .fd = rc};
	l->tls = tls_context_get(tls);
	learn_port(l);
	llist_add_tail(&l->entry, &t->listeners);
	*listener = l;
	return 0;
}

void traffic_unlisten(struct traffic_listener *l)
{
	if (!l)
		return;
	OSMO_ASSERT(!l->traffic->in_turn); /* an event of this turn may name it */
	close(l->fd);
	llist_del(&l->entry);
	tls_context_put(l->tls);
	talloc_free(l);
}

void traffic_unlisten_all(struct traffic *t)
{
	while (!llist_empty(&t->listeners))
		traffic_unlisten(llist_first_entry(&t->listeners, struct traffic_listener, entry));
}

void traffic_listeners_resume(struct traffic *t)
{
	struct traffic_listener *l;

	llist_for_each_entry(l, &t->listeners, entry)
		listener_pause(l, false);
}

void traffic_listener_tls(struct traffic_listener *l, struct tls_context *tls)
{
	tls_context_get(tls);
	tls_context_put(l->tls);
	l->tls = tls;
	if (l->place.transport != GATE_SCTP)
		l->place.transport = tls ? GATE_TLS : GATE_TCP;
}

const struct gate_place *traffic_listener_place(const struct traffic_listener *l)
{
	return &l->place;
}
