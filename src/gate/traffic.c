/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The set of traffic sockets and its turn.
 *
 * System calls of a turn with one ready connection: epoll_wait, recv, send.  Nothing else.  The clock is read once a
 * turn, by who begins it.  Never frees a connection inside a turn: events of the same epoll_wait may still name it. */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <osmocom/core/talloc.h>
#include <osmocom/core/utils.h>

#include "daemon/daemon.h"

#define TURN_EVENTS 128
#define LINGER_US   1000
#define LINGER_MS   5
#define BUSY_US     300

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
	t->secured_now = 0;
	t->in_turn = true;
	for (int i = 0; i < n; i++) {
		if (!traffic_is_listener(ev[i].data.ptr))
			traffic_conn_event(ev[i].data.ptr, ev[i].events);
	}
	for (int i = 0; i < n; i++) { /* last: who has said who he is does not give way to those that come now */
		if (traffic_is_listener(ev[i].data.ptr))
			traffic_listener_event(traffic_to_listener(ev[i].data.ptr));
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
	traffic_listeners_resume(t);
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
 * timers, then epoll_wait.  So while traffic is brisk the next turns wait in the set itself, for LINGER_US in all and
 * LINGER_MS at a time; the rest of the loop (timers, signals, VTY, the keeper) is late by the sum of both at most.
 *
 * LINGER_MS is more than a tick of the kernel on purpose: a shorter one is the next timer to fire, and setting the
 * clock of a virtual machine for it, and back, cost 4 us a turn: a quarter of an answer at depth 1. */
static int set_readable(struct osmo_fd *ofd, unsigned int what)
{
	struct traffic *t = ofd->data;
	struct epoll_event ev[TURN_EVENTS];
	int64_t start = daemon_mono_us();
	int n = traffic_turn(t, start);

	(void)what;
	while (is_busy(t, n) && t->now_us - start < LINGER_US) {
		n = epoll_wait(t->epoll, ev, TURN_EVENTS, LINGER_MS);
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

static void securer_cb(void *data)
{
	struct traffic *t = data;
	struct traffic_conn *c;

	llist_for_each_entry(c, &t->conns, entry)
		traffic_conn_secure_again(c);
}

void traffic_want_secure(struct traffic *t)
{
	if (t->started && !osmo_timer_pending(&t->securer))
		osmo_timer_schedule(&t->securer, 0, 10000);
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
	osmo_timer_setup(&t->securer, securer_cb, t);
	for (unsigned i = 0; i < TRAFFIC_HOSTS; i++)
		INIT_LLIST_HEAD(&t->hosts[i]);
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
	if (!t)
		return;
	osmo_timer_del(&t->ticker);
	if (t->started)
		osmo_fd_unregister(&t->ofd);
	t->started = false;
	t->hooks = (struct traffic_hooks){0};
	traffic_unlisten_all(t);
	while (!llist_empty(&t->conns))
		traffic_close(llist_first_entry(&t->conns, struct traffic_conn, entry), TRAFFIC_END_OURS);
	clear_graves(t);
	osmo_timer_del(&t->flusher);
	osmo_timer_del(&t->securer);
	close(t->epoll);
	talloc_free(t);
}

int64_t traffic_now_us(const struct traffic *t)
{
	return t->now_us;
}

void traffic_set_clock(struct traffic *t, int64_t wall_minus_mono_us)
{
	t->wall_minus_mono_us = wall_minus_mono_us;
}

int64_t traffic_wall_us(const struct traffic *t)
{
	return t->now_us + t->wall_minus_mono_us;
}

uint64_t traffic_tls_failed(const struct traffic *t)
{
	return t->tls_failed;
}

uint64_t traffic_tls_refused(const struct traffic *t)
{
	return t->tls_refused;
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
