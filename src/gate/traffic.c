/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The set of traffic sockets and its turn.
 *
 * System calls of a turn with one ready connection: epoll_wait, recv, send.  Nothing else.  The clock is read once a
 * turn, by who begins it.  Never frees a connection inside a turn: events of the same epoll_wait may still name it. */
#define _GNU_SOURCE /* accept4 */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "daemon/daemon.h"

#define TURN_EVENTS    128
#define ACCEPTS_A_TURN 64
#define LINGER_US      1000
#define BUSY_US        300

struct traffic_listener {
	struct traffic *traffic;
	const struct traffic_kind *kind;
	void *owner;
	struct gate_address address;
	int fd;
	bool paused;
	struct llist_head entry;
};

/* Low bit of the event's pointer: a listener. */
static void *tag_listener(struct traffic_listener *listener)
{
	return (void *)((uintptr_t)listener | 1);
}

int traffic_watch(struct traffic *t, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event ev = {.events = events, .data.ptr = ptr};

	return epoll_ctl(t->epoll, op, fd, &ev) ? -errno : 0;
}

void traffic_want_flush(struct traffic *t)
{
	if (!t->in_turn && t->started && !osmo_timer_pending(&t->flusher))
		osmo_timer_schedule(&t->flusher, 0, 0);
}

/* --- listening */

static void listener_pause(struct traffic_listener *l, bool pause)
{
	if (l->paused != pause &&
	    traffic_watch(l->traffic, EPOLL_CTL_MOD, l->fd, pause ? 0 : EPOLLIN, tag_listener(l)) == 0)
		l->paused = pause;
}

static bool same_host(const struct gate_address *a, const struct gate_address *b)
{
	struct gate_address at = *a;

	at.port = b->port;
	return address_equal(&at, b);
}

/* The connection that has been here longest without saying who it is, of one host (NULL: of any); and how many there
 * are. */
static struct traffic_conn *oldest_stranger(struct traffic *t, const struct gate_address *host, unsigned *n)
{
	struct traffic_conn *c, *oldest = NULL;

	*n = 0;
	llist_for_each_entry(c, &t->conns, entry) {
		if (!c->taken || c->known || (host && !same_host(&c->remote, host)))
			continue;
		(*n)++;
		if (!oldest || c->since_us < oldest->since_us)
			oldest = c;
	}
	return oldest;
}

/* The newest one counts already, and is itself the last that gives way. */
static void make_place(struct traffic *t, struct traffic_conn *newest)
{
	struct traffic_conn *victim;
	unsigned n;

	victim = oldest_stranger(t, &newest->remote, &n);
	if (n <= TRAFFIC_STRANGERS) {
		if (t->n_taken <= t->max_conns)
			return;
		victim = oldest_stranger(t, NULL, &n);
	}
	if (victim == newest)
		t->refused++;
	else
		t->crowded++;
	traffic_close(victim, TRAFFIC_END_OURS);
}

static void listener_take(struct traffic_listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct traffic *t = l->traffic;
	struct traffic_conn *c;

	c = traffic_conn_alloc(t, l->kind, fd, EPOLLIN);
	if (!c) {
		close(fd);
		listener_pause(l, true);
		return;
	}
	traffic_socket_options(fd);
	address_from_sockaddr(sa, &c->remote);
	c->taken = true;
	t->n_taken++;
	if (!l->kind->accepted(c, l->owner)) {
		c->kind = NULL;
		traffic_conn_bury(c);
	} else {
		make_place(t, c);
	}
}

static void listener_event(struct traffic_listener *l)
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

static int listener_socket(const struct gate_address *address)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(address, &sa);
	int fd, err, one = 1;

	fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&sa, len) == 0 && listen(fd, 1024) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int traffic_listen(struct traffic *t, const struct traffic_kind *kind, void *owner, const struct gate_address *address,
		   struct traffic_listener **listener, struct weir_why *why)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char text[GATE_ADDRESS_TEXT];
	struct traffic_listener *l;
	int rc;

	*listener = NULL;
	rc = listener_socket(address);
	if (rc < 0)
		return why_set(why, rc, "%s cannot listen on %s: %s; choose an address of this machine and a free port",
			       kind->name, address_print_port(text, address), strerror(-rc));
	l = talloc_zero(t, struct traffic_listener);
	if (!l || traffic_watch(t, EPOLL_CTL_ADD, rc, EPOLLIN, tag_listener(l))) {
		close(rc);
		talloc_free(l);
		return why_set(why, -ENOMEM, "%s cannot listen: out of memory", kind->name);
	}
	*l = (struct traffic_listener){.traffic = t, .kind = kind, .owner = owner, .address = *address, .fd = rc};
	if (getsockname(l->fd, (struct sockaddr *)&sa, &len) == 0)
		address_from_sockaddr(&sa, &l->address);
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
	talloc_free(l);
}

const struct gate_address *traffic_listener_address(const struct traffic_listener *l)
{
	return &l->address;
}

/* --- turns */

/* Resumed connections first: they write.  Sending may drain, draining may resume: each round takes octets out of
 * receive buffers that are not refilled here, so it ends. */
static void run_work(struct traffic *t)
{
	struct traffic_conn *c;

	while (!llist_empty(&t->resumed) || !llist_empty(&t->dirty)) {
		while (!llist_empty(&t->resumed)) {
			c = llist_first_entry(&t->resumed, struct traffic_conn, work);
			llist_del_init(&c->work);
			c->resumed = false;
			if (c->out_end != c->out_start)
				traffic_conn_mark_dirty(c);
			traffic_conn_consume(c);
		}
		if (llist_empty(&t->dirty))
			continue;
		c = llist_first_entry(&t->dirty, struct traffic_conn, work);
		llist_del_init(&c->work);
		c->dirty = false;
		traffic_conn_send(c);
	}
}

static void clear_graves(struct traffic *t)
{
	struct traffic_conn *c, *next;
	bool any = !llist_empty(&t->graves);

	llist_for_each_entry_safe(c, next, &t->graves, work) {
		llist_del(&c->work);
		free(c);
	}
	if (any && !t->n_conns && t->hooks.idle)
		t->hooks.idle(t->hooks.data);
}

static void end_turn(struct traffic *t)
{
	run_work(t);
	t->in_turn = false;
	if (!llist_empty(&t->graves))
		clear_graves(t);
}

static void run_events(struct traffic *t, const struct epoll_event *ev, int n, int64_t now_us)
{
	t->now_us = now_us;
	t->in_turn = true;
	for (int i = 0; i < n; i++) {
		uintptr_t ptr = (uintptr_t)ev[i].data.ptr;
		if (ptr & 1)
			listener_event((struct traffic_listener *)(ptr & ~(uintptr_t)1));
		else
			traffic_conn_event((struct traffic_conn *)ptr, ev[i].events);
	}
	end_turn(t);
	if (t->hooks.turned)
		t->hooks.turned(t->hooks.data, now_us);
}

int traffic_turn(struct traffic *t, int64_t now_us)
{
	struct epoll_event ev[TURN_EVENTS];
	int n = epoll_wait(t->epoll, ev, TURN_EVENTS, 0);

	run_events(t, ev, n, now_us);
	return n;
}

void traffic_flush(struct traffic *t)
{
	if (t->in_turn)
		return;
	t->in_turn = true;
	end_turn(t);
}

void traffic_tick(struct traffic *t, int64_t now_us)
{
	struct llist_head visited;
	struct traffic_conn *c;
	struct traffic_listener *l;

	t->now_us = now_us;
	t->in_turn = true;
	/* A tick may close any other connection: walk by taking each one off the list, not by remembering the next. */
	INIT_LLIST_HEAD(&visited);
	llist_splice_init(&t->conns, &visited);
	while (!llist_empty(&visited)) {
		c = llist_first_entry(&visited, struct traffic_conn, entry);
		llist_del(&c->entry);
		llist_add_tail(&c->entry, &t->conns);
		traffic_conn_tick(c);
	}
	llist_for_each_entry(l, &t->listeners, entry)
		listener_pause(l, false);
	end_turn(t);
}

/* --- the set */

/* Is the next octet likely to be here sooner than a turn of the whole loop is worth? */
static bool is_busy(struct traffic *t, int n)
{
	int64_t since = t->now_us - t->worked_us;

	if (n > 0)
		t->worked_us = t->now_us;
	return n > 0 && since < BUSY_US;
}

/* The loop found the set readable.  Its own turn costs as much as an answer: poll() over every other descriptor,
 * timers, then epoll_wait.  So while traffic is brisk the next turns wait in the set itself, for LINGER_US in all and 1
 * ms at a time; the rest of the loop (timers, signals, VTY, the keeper) is late by 2 ms at most. */
static int set_readable(struct osmo_fd *ofd, unsigned int what)
{
	struct traffic *t = ofd->data;
	struct epoll_event ev[TURN_EVENTS];
	int64_t start = daemon_mono_us();
	int n = traffic_turn(t, start);

	(void)what;
	while (is_busy(t, n) && t->now_us - start < LINGER_US) {
		n = epoll_wait(t->epoll, ev, TURN_EVENTS, 1);
		run_events(t, ev, n, daemon_mono_us());
	}
	return 0;
}

static void ticker_cb(void *data)
{
	struct traffic *t = data;

	osmo_timer_schedule(&t->ticker, 1, 0);
	traffic_tick(t, daemon_mono_us());
}

static void flusher_cb(void *data)
{
	traffic_flush(data);
}

struct traffic *traffic_alloc(void *ctx, const struct traffic_hooks *hooks, struct weir_why *why)
{
	struct traffic *t = talloc_zero(ctx, struct traffic);

	if (!t) {
		why_set(why, -ENOMEM, "out of memory");
		return NULL;
	}
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (t->epoll < 0) {
		why_set(why, -errno, "no epoll set: %s", strerror(errno));
		talloc_free(t);
		return NULL;
	}
	t->max_conns = 1024;
	INIT_LLIST_HEAD(&t->conns);
	INIT_LLIST_HEAD(&t->listeners);
	INIT_LLIST_HEAD(&t->dirty);
	INIT_LLIST_HEAD(&t->resumed);
	INIT_LLIST_HEAD(&t->graves);
	if (hooks)
		t->hooks = *hooks;
	osmo_timer_setup(&t->ticker, ticker_cb, t);
	osmo_timer_setup(&t->flusher, flusher_cb, t);
	osmo_fd_setup(&t->ofd, t->epoll, OSMO_FD_READ, set_readable, t, 0);
	return t;
}

int traffic_start(struct traffic *t)
{
	int rc = osmo_fd_register(&t->ofd);

	if (rc < 0)
		return rc;
	t->started = true;
	t->now_us = daemon_mono_us();
	osmo_timer_schedule(&t->ticker, 1, 0);
	traffic_want_flush(t);
	return 0;
}

void traffic_free(struct traffic *t)
{
	struct traffic_listener *l, *next;

	if (!t)
		return;
	osmo_timer_del(&t->ticker);
	if (t->started)
		osmo_fd_unregister(&t->ofd);
	t->started = false;
	t->hooks = (struct traffic_hooks){0};
	llist_for_each_entry_safe(l, next, &t->listeners, entry)
		traffic_unlisten(l);
	while (!llist_empty(&t->conns))
		traffic_close(llist_first_entry(&t->conns, struct traffic_conn, entry), TRAFFIC_END_OURS);
	clear_graves(t);
	osmo_timer_del(&t->flusher);
	close(t->epoll);
	talloc_free(t);
}

int64_t traffic_now_us(const struct traffic *t)
{
	return t->now_us;
}

int traffic_fd(const struct traffic *t)
{
	return t->epoll;
}

unsigned traffic_count(const struct traffic *t)
{
	return t->n_conns;
}

uint64_t traffic_refused(const struct traffic *t)
{
	return t->refused;
}

uint64_t traffic_crowded(const struct traffic *t)
{
	return t->crowded;
}

void traffic_limit(struct traffic *t, unsigned max_connections)
{
	t->max_conns = max_connections;
}
