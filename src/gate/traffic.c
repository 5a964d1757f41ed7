/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The set of traffic sockets and its turn.
 *
 * System calls of a turn with one ready connection: epoll_wait, recv, send.  Nothing else.  The clock is read once a turn, by
 * who begins it.  Never frees a connection inside a turn: events of the same epoll_wait may still name it. */
#define _GNU_SOURCE /* accept4 */
#include "gate/traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>
#include <osmocom/core/utils.h>

#include "daemon/daemon.h"
#include "gate/log.h"

#define TURN_EVENTS 128
#define ACCEPTS_A_TURN 64
#define LINGER_US 1000
#define BUSY_US 300

struct traffic_listener {
	struct traffic *traffic;
	const struct traffic_kind *kind;
	void *owner;
	struct gate_address address;
	int fd;
	bool paused;
	struct llist_head entry;
};

struct traffic {
	int epoll;
	int64_t now_us, worked_us; /* of this turn; of the last one that had work */
	bool in_turn, started;
	unsigned n_conns, max_conns;
	uint64_t refused;
	struct llist_head conns, listeners;
	struct llist_head dirty, resumed, graves; /* by conn->work */
	struct traffic_hooks hooks;
	struct osmo_fd ofd;
	struct osmo_timer_list ticker, flusher;
};

static const char *const end_names[TRAFFIC_N_ENDS] = {
	[TRAFFIC_END_PEER] = "closed by the peer",
	[TRAFFIC_END_ERROR] = "connection failed",
	[TRAFFIC_END_CONNECT] = "could not connect",
	[TRAFFIC_END_STALLED] = "peer does not read",
	[TRAFFIC_END_OVERSIZE] = "message too long",
	[TRAFFIC_END_PROTOCOL] = "protocol violated",
	[TRAFFIC_END_SILENT] = "peer is silent",
	[TRAFFIC_END_OURS] = "closed by us",
};

const char *traffic_end_name(enum traffic_end end)
{
	return (unsigned)end < TRAFFIC_N_ENDS ? end_names[end] : "?";
}

/* Low bit of the event's pointer: a listener. */
static void *tag_listener(struct traffic_listener *listener)
{
	return (void *)((uintptr_t)listener | 1);
}

static int watch(struct traffic *t, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data.ptr = ptr };

	return epoll_ctl(t->epoll, op, fd, &ev) ? -errno : 0;
}

/* Work done outside of a turn is sent by the next turn of the loop. */
static void want_flush(struct traffic *t)
{
	if (!t->in_turn && t->started && !osmo_timer_pending(&t->flusher))
		osmo_timer_schedule(&t->flusher, 0, 0);
}

/* --- one connection ------------------------------------------------------------------------------------------------ */

static void conn_events(struct traffic_conn *c)
{
	uint32_t want = 0;

	if (c->connecting || c->stalled_us)
		want |= EPOLLOUT;
	if (!c->connecting && !c->paused)
		want |= EPOLLIN;
	if (c->dead || want == c->events)
		return;
	if (watch(c->traffic, EPOLL_CTL_MOD, c->fd, want, c) == 0)
		c->events = want;
}

static void conn_bury(struct traffic_conn *c)
{
	struct traffic *t = c->traffic;

	if (c->dead)
		return;
	c->dead = true;
	close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	t->n_conns--;
	llist_del(&c->entry);
	llist_del(&c->work);
	c->dirty = c->resumed = false;
	llist_add_tail(&c->work, &t->graves);
	want_flush(t);
}

static void conn_let_go(struct traffic_conn *c, enum traffic_end end)
{
	const struct traffic_kind *kind = c->kind;

	c->kind = NULL;
	if (kind)
		kind->closed(c, end);
}

void traffic_close(struct traffic_conn *c, enum traffic_end end)
{
	conn_bury(c);
	conn_let_go(c, end);
}

static void conn_mark_dirty(struct traffic_conn *c)
{
	if (c->dirty || c->resumed || c->dead)
		return;
	c->dirty = true;
	llist_del(&c->work);
	llist_add_tail(&c->work, &c->traffic->dirty);
	want_flush(c->traffic);
}

void traffic_finish(struct traffic_conn *c, enum traffic_end end)
{
	if (c->dead || c->finishing)
		return;
	if (c->connecting) {
		traffic_close(c, end);
		return;
	}
	c->finishing = true;
	c->paused = false;
	c->in_start = c->in_end = 0;
	c->deadline_us = c->traffic->now_us + TRAFFIC_FINISH_S * 1000000ll;
	conn_events(c);
	if (c->resumed) {
		c->resumed = false;
		llist_del_init(&c->work);
	}
	conn_mark_dirty(c);
	conn_let_go(c, end);
}

size_t traffic_room(const struct traffic_conn *c)
{
	return c->out_size - (c->out_end - c->out_start);
}

uint8_t *traffic_reserve(struct traffic_conn *c, size_t len)
{
	if (c->dead || c->finishing)
		return NULL;
	if (traffic_room(c) < len) {
		c->short_of_room = true;
		return NULL;
	}
	if (c->out_size - c->out_end < len) {
		memmove(c->out, c->out + c->out_start, c->out_end - c->out_start);
		c->out_end -= c->out_start;
		c->out_start = 0;
	}
	return c->out + c->out_end;
}

void traffic_commit(struct traffic_conn *c, size_t len)
{
	if (c->dead || !len)
		return;
	c->out_end += len;
	conn_mark_dirty(c);
}

bool traffic_send(struct traffic_conn *c, const void *octets, size_t len)
{
	uint8_t *to = traffic_reserve(c, len);

	if (!to)
		return false;
	memcpy(to, octets, len);
	traffic_commit(c, len);
	return true;
}

void traffic_pause(struct traffic_conn *c)
{
	if (c->finishing)
		return;
	c->paused = true; /* the set is told at the end of consume, or by its next event: often it is resumed by then */
}

void traffic_resume(struct traffic_conn *c)
{
	if (!c->paused || c->dead || c->finishing)
		return;
	c->paused = false;
	conn_events(c);
	if (c->resumed)
		return;
	c->resumed = true; /* sending follows from it: off the dirty list, on this one */
	c->dirty = false;
	llist_del(&c->work);
	llist_add_tail(&c->work, &c->traffic->resumed);
	want_flush(c->traffic);
}

/* Everything that can be sent is sent; the rest waits for EPOLLOUT. */
static void conn_send(struct traffic_conn *c)
{
	uint32_t len = c->out_end - c->out_start;
	ssize_t n;

	if (c->connecting)
		return;
	if (len) {
		n = send(c->fd, c->out + c->out_start, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			traffic_close(c, TRAFFIC_END_ERROR);
			return;
		}
		if (n > 0) {
			c->out_start += n;
			c->octets_out += n;
			c->stalled_us = 0;
		}
		if (c->out_start == c->out_end)
			c->out_start = c->out_end = 0;
		else if (!c->stalled_us)
			c->stalled_us = c->traffic->now_us ? c->traffic->now_us : 1;
		conn_events(c);
	}
	if (c->finishing && !c->out_end && !c->shut) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
	}
	if (c->short_of_room && c->out_end - c->out_start <= c->out_size / 2) {
		c->short_of_room = false;
		if (c->kind && c->kind->drained)
			c->kind->drained(c);
	}
}

static void conn_consume(struct traffic_conn *c)
{
	uint32_t len = c->in_end - c->in_start;
	ssize_t n;

	if (!c->kind || !len)
		return;
	n = c->kind->consume(c, c->in + c->in_start, len);
	if (c->dead || c->finishing)
		return;
	if (n < 0 || (size_t)n > len) {
		/* what was answered before the violation still leaves */
		traffic_finish(c, TRAFFIC_END_PROTOCOL);
		return;
	}
	c->in_start += n;
	if (c->in_start == c->in_end) {
		c->in_start = c->in_end = 0;
	} else if (c->in_start && c->in_size - c->in_end < c->in_size / 2) {
		memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
		c->in_end -= c->in_start;
		c->in_start = 0;
	}
	if (c->in_end - c->in_start == c->in_size && !c->paused)
		traffic_finish(c, TRAFFIC_END_OVERSIZE);
	else
		conn_events(c);
}

/* A peer that closed: what is still to be sent has one chance. */
static void conn_ended(struct traffic_conn *c, enum traffic_end end)
{
	if (end == TRAFFIC_END_PEER && c->out_end != c->out_start)
		(void)!send(c->fd, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
	traffic_close(c, end);
}

static void conn_read(struct traffic_conn *c)
{
	ssize_t n;

	n = recv(c->fd, c->in + c->in_end, c->in_size - c->in_end, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_ended(c, n ? TRAFFIC_END_ERROR : TRAFFIC_END_PEER);
		return;
	}
	if (c->finishing)
		return; /* read only so that the peer's system does not throw our last answers away */
	c->in_end += n;
	c->octets_in += n;
	c->heard_us = c->traffic->now_us;
	conn_consume(c);
}

static void conn_connected(struct traffic_conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (c->connect_errno)
		err = c->connect_errno; /* connect() told it already and the socket forgot it */
	if (err) {
		LOGP(DTRAFFIC, LOGL_INFO, "%s: connect: %s\n", c->kind ? c->kind->name : "?", strerror(err));
		traffic_close(c, TRAFFIC_END_CONNECT);
		return;
	}
	c->connecting = false;
	c->deadline_us = 0;
	c->heard_us = c->traffic->now_us;
	conn_events(c);
	if (c->kind->connected)
		c->kind->connected(c);
	if (!c->dead && c->out_end != c->out_start)
		conn_mark_dirty(c);
}

static void conn_event(struct traffic_conn *c, uint32_t events)
{
	if (c->dead)
		return;
	if (c->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			conn_connected(c);
		return;
	}
	if (events & EPOLLOUT)
		conn_mark_dirty(c);
	if (!c->paused && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		conn_read(c);
	else if (events & (EPOLLERR | EPOLLHUP))
		traffic_close(c, TRAFFIC_END_ERROR); /* gone, as far as can be told without reading */
	else
		conn_events(c); /* paused outside of a turn: the set does not know it yet */
}

static void socket_options(int fd)
{
	int one = 1;

	/* Best effort: a socketpair of a test knows neither, and an answer without them is still an answer. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

static struct traffic_conn *conn_alloc(struct traffic *t, const struct traffic_kind *kind, int fd, uint32_t events)
{
	struct traffic_conn *c = malloc(sizeof(*c) + kind->in_size + kind->out_size);

	if (!c)
		return NULL;
	*c = (struct traffic_conn){
		.kind = kind, .traffic = t, .fd = fd, .events = events, .in_size = kind->in_size, .out_size = kind->out_size,
		.since_us = t->now_us, .heard_us = t->now_us,
	};
	c->in = (uint8_t *)(c + 1);
	c->out = c->in + kind->in_size;
	if (watch(t, EPOLL_CTL_ADD, fd, events, c)) {
		free(c);
		return NULL;
	}
	INIT_LLIST_HEAD(&c->work);
	llist_add_tail(&c->entry, &t->conns);
	t->n_conns++;
	return c;
}

struct traffic_conn *traffic_adopt(struct traffic *t, const struct traffic_kind *kind, void *data, int fd)
{
	struct traffic_conn *c = conn_alloc(t, kind, fd, EPOLLIN);

	if (c)
		c->data = data;
	return c;
}

struct traffic_conn *traffic_connect(struct traffic *t, const struct traffic_kind *kind, void *data,
				     const struct gate_address *address)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(address, &sa);
	struct traffic_conn *c;
	int fd, err;

	fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	socket_options(fd);
	err = connect(fd, (const struct sockaddr *)&sa, len) ? errno : 0;
	/* Even an immediate success or failure is told from the next turn, never from within this call. */
	c = err == 0 || err == EINPROGRESS || err == ECONNREFUSED ? conn_alloc(t, kind, fd, EPOLLOUT) : NULL;
	if (!c) {
		close(fd);
		return NULL;
	}
	c->data = data;
	c->remote = *address;
	c->connecting = true;
	c->connect_errno = err == EINPROGRESS ? 0 : err;
	c->deadline_us = t->now_us + TRAFFIC_CONNECT_S * 1000000ll;
	return c;
}

/* --- listening ----------------------------------------------------------------------------------------------------- */

static void listener_pause(struct traffic_listener *l, bool pause)
{
	if (l->paused != pause && watch(l->traffic, EPOLL_CTL_MOD, l->fd, pause ? 0 : EPOLLIN, tag_listener(l)) == 0)
		l->paused = pause;
}

static void listener_take(struct traffic_listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct traffic *t = l->traffic;
	struct traffic_conn *c;

	if (t->n_conns >= t->max_conns) {
		t->refused++;
		close(fd);
		return;
	}
	c = conn_alloc(t, l->kind, fd, EPOLLIN);
	if (!c) {
		close(fd);
		listener_pause(l, true);
		return;
	}
	socket_options(fd);
	address_from_sockaddr(sa, &c->remote);
	if (!l->kind->accepted(c, l->owner)) {
		c->kind = NULL;
		conn_bury(c);
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
	if (!l || watch(t, EPOLL_CTL_ADD, rc, EPOLLIN, tag_listener(l))) {
		close(rc);
		talloc_free(l);
		return why_set(why, -ENOMEM, "%s cannot listen: out of memory", kind->name);
	}
	*l = (struct traffic_listener){ .traffic = t, .kind = kind, .owner = owner, .address = *address, .fd = rc };
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

/* --- turns --------------------------------------------------------------------------------------------------------- */

/* Resumed connections first: they write.  Sending may drain, draining may resume: each round takes octets out of receive
 * buffers that are not refilled here, so it ends. */
static void run_work(struct traffic *t)
{
	struct traffic_conn *c;

	while (!llist_empty(&t->resumed) || !llist_empty(&t->dirty)) {
		while (!llist_empty(&t->resumed)) {
			c = llist_first_entry(&t->resumed, struct traffic_conn, work);
			llist_del_init(&c->work);
			c->resumed = false;
			if (c->out_end != c->out_start)
				conn_mark_dirty(c);
			conn_consume(c);
		}
		if (llist_empty(&t->dirty))
			continue;
		c = llist_first_entry(&t->dirty, struct traffic_conn, work);
		llist_del_init(&c->work);
		c->dirty = false;
		conn_send(c);
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
			conn_event((struct traffic_conn *)ptr, ev[i].events);
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

static void conn_tick(struct traffic_conn *c)
{
	int64_t now = c->traffic->now_us;

	if (c->deadline_us && now >= c->deadline_us)
		traffic_close(c, c->connecting ? TRAFFIC_END_CONNECT : TRAFFIC_END_OURS);
	else if (c->stalled_us && now - c->stalled_us >= TRAFFIC_STALL_S * 1000000ll)
		traffic_close(c, TRAFFIC_END_STALLED);
	else if (c->kind && c->kind->tick)
		c->kind->tick(c);
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
		conn_tick(c);
	}
	llist_for_each_entry(l, &t->listeners, entry)
		listener_pause(l, false);
	end_turn(t);
}

/* --- the set ------------------------------------------------------------------------------------------------------- */

/* Is the next octet likely to be here sooner than a turn of the whole loop is worth? */
static bool is_busy(struct traffic *t, int n)
{
	int64_t since = t->now_us - t->worked_us;

	if (n > 0)
		t->worked_us = t->now_us;
	return n > 0 && since < BUSY_US;
}

/* The loop found the set readable.  Its own turn costs as much as an answer: poll() over every other descriptor, timers,
 * then epoll_wait.  So while traffic is brisk the next turns wait in the set itself, for LINGER_US in all and 1 ms at a time;
 * the rest of the loop (timers, signals, VTY, the keeper) is late by 2 ms at most. */
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
	want_flush(t);
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
	t->hooks = (struct traffic_hooks){ 0 };
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

void traffic_limit(struct traffic *t, unsigned max_connections)
{
	t->max_conns = max_connections;
}
