/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One traffic connection: its two buffers, reading, sending, pausing, the ways to end.
 *
 * Never frees itself: events of the same epoll_wait may still name it.  Never waits, never takes a clock. */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"

static const char *const end_names[TRAFFIC_N_ENDS] = {
	[TRAFFIC_END_PEER] = "closed by the peer",   [TRAFFIC_END_ERROR] = "connection failed",
	[TRAFFIC_END_CONNECT] = "could not connect", [TRAFFIC_END_STALLED] = "peer does not read",
	[TRAFFIC_END_OVERSIZE] = "message too long", [TRAFFIC_END_PROTOCOL] = "protocol violated",
	[TRAFFIC_END_SILENT] = "peer is silent",     [TRAFFIC_END_OURS] = "closed by us",
};

const char *traffic_end_name(enum traffic_end end)
{
	return (unsigned)end < TRAFFIC_N_ENDS ? end_names[end] : "?";
}

static void conn_events(struct traffic_conn *c)
{
	uint32_t want = 0;

	if (c->connecting || c->stalled_us)
		want |= EPOLLOUT;
	if (!c->connecting && !c->paused)
		want |= EPOLLIN;
	if (c->dead || want == c->events)
		return;
	if (traffic_watch(c->traffic, EPOLL_CTL_MOD, c->fd, want, c) == 0)
		c->events = want;
}

void traffic_conn_bury(struct traffic_conn *c)
{
	struct traffic *t = c->traffic;

	if (c->dead)
		return;
	c->dead = true;
	close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	t->n_conns--;
	t->n_taken -= c->taken;
	llist_del(&c->entry);
	llist_del(&c->work);
	c->dirty = c->resumed = false;
	llist_add_tail(&c->work, &t->graves);
	traffic_want_flush(t);
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
	traffic_conn_bury(c);
	conn_let_go(c, end);
}

void traffic_conn_mark_dirty(struct traffic_conn *c)
{
	if (c->dirty || c->resumed || c->dead)
		return;
	c->dirty = true;
	llist_del(&c->work);
	llist_add_tail(&c->work, &c->traffic->dirty);
	traffic_want_flush(c->traffic);
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
	traffic_conn_mark_dirty(c);
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
	traffic_conn_mark_dirty(c);
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

void traffic_known(struct traffic_conn *c)
{
	c->known = true;
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
	traffic_want_flush(c->traffic);
}

void traffic_conn_send(struct traffic_conn *c)
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

void traffic_conn_consume(struct traffic_conn *c)
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
	traffic_conn_consume(c);
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
		traffic_conn_mark_dirty(c);
}

void traffic_conn_event(struct traffic_conn *c, uint32_t events)
{
	if (c->dead)
		return;
	if (c->connecting) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			conn_connected(c);
		return;
	}
	if (events & EPOLLOUT)
		traffic_conn_mark_dirty(c);
	if (!c->paused && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		conn_read(c);
	else if (events & (EPOLLERR | EPOLLHUP))
		traffic_close(c, TRAFFIC_END_ERROR); /* gone, as far as can be told without reading */
	else
		conn_events(c); /* paused outside of a turn: the set does not know it yet */
}

void traffic_socket_options(int fd)
{
	int one = 1;

	/* Best effort: a socketpair of a test knows neither, and an answer without them is still an answer. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

struct traffic_conn *traffic_conn_alloc(struct traffic *t, const struct traffic_kind *kind, int fd, uint32_t events)
{
	struct traffic_conn *c = malloc(sizeof(*c) + kind->in_size + kind->out_size);

	if (!c)
		return NULL;
	*c = (struct traffic_conn){
		.kind = kind,
		.traffic = t,
		.fd = fd,
		.events = events,
		.in_size = kind->in_size,
		.out_size = kind->out_size,
		.since_us = t->now_us,
		.heard_us = t->now_us,
	};
	c->in = (uint8_t *)(c + 1);
	c->out = c->in + kind->in_size;
	if (traffic_watch(t, EPOLL_CTL_ADD, fd, events, c)) {
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
	struct traffic_conn *c = traffic_conn_alloc(t, kind, fd, EPOLLIN);

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
	traffic_socket_options(fd);
	err = connect(fd, (const struct sockaddr *)&sa, len) ? errno : 0;
	/* Even an immediate success or failure is told from the next turn, never from within this call. */
	c = err == 0 || err == EINPROGRESS || err == ECONNREFUSED ? traffic_conn_alloc(t, kind, fd, EPOLLOUT) : NULL;
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

void traffic_conn_tick(struct traffic_conn *c)
{
	int64_t now = c->traffic->now_us;

	if (c->deadline_us && now >= c->deadline_us)
		traffic_close(c, c->connecting ? TRAFFIC_END_CONNECT : TRAFFIC_END_OURS);
	else if (c->stalled_us && now - c->stalled_us >= TRAFFIC_STALL_S * 1000000ll)
		traffic_close(c, TRAFFIC_END_STALLED);
	else if (c->kind && c->kind->tick)
		c->kind->tick(c);
}
