/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One traffic connection: its two buffers, reading, sending, pausing, the ways to end.
 *
 * Never frees itself: events of the same epoll_wait may still name it.  Never waits, never takes a clock. */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"
#include "gate/tls.h"

#define SECURES_A_TURN 2

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

static void conn_watch(struct traffic_conn *c, uint32_t want)
{
	if (!c->dead && want != c->events && traffic_watch(c->traffic, EPOLL_CTL_MOD, c->fd, want, c) == 0)
		c->events = want;
}

static void conn_events(struct traffic_conn *c)
{
	uint32_t want = 0;

	if (c->securing)
		want = tls_wants_write(c->tls) ? EPOLLOUT : EPOLLIN;
	else if (c->connecting || c->stalled_us)
		want |= EPOLLOUT;
	if (!c->connecting && !c->securing && !c->paused)
		want |= EPOLLIN;
	conn_watch(c, want);
}

static void conn_secured(struct traffic_conn *c)
{
	c->traffic->n_securing -= c->securing && c->host;
	c->securing = false;
}

void traffic_conn_bury(struct traffic_conn *c)
{
	struct traffic *t = c->traffic;

	if (c->dead)
		return;
	c->dead = true;
	if (c->tls && !c->securing && !c->shut)
		tls_bye(c->tls); /* RFC 8446 6.1; as far as the socket takes it at once */
	conn_secured(c);
	tls_session_free(c->tls);
	tls_context_put(c->connect_tls);
	c->tls = NULL;
	c->connect_tls = NULL;
	close(c->fd); /* leaves the epoll set with it */
	c->fd = -1;
	t->n_conns--;
	traffic_host_leave(c);
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
	if (c->connecting || c->securing) {
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
		c->room_wanted = len < c->out_size ? (uint32_t)len : c->out_size;
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

/* Somebody wants room, and there is so much now: at least half of the buffer, so that nobody is called for each octet.
 * Called only where a send made progress or there is nothing to send: else the two would call each other for ever. */
static void conn_drained(struct traffic_conn *c)
{
	size_t room = traffic_room(c);

	if (!c->room_wanted || room < c->room_wanted || room < c->out_size / 2)
		return;
	c->room_wanted = 0;
	if (c->kind && c->kind->drained)
		c->kind->drained(c);
}

/* False: the connection has gone. */
static bool conn_write(struct traffic_conn *c)
{
	ssize_t n = traffic_io_write(c, c->out + c->out_start, c->out_end - c->out_start);

	if (n < 0 && n != -EAGAIN) {
		traffic_close(c, TRAFFIC_END_ERROR);
		return false;
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
	return true;
}

/* TLS and SCTP take a record or some messages a call: more calls, as long as they take something. */
static bool conn_write_all(struct traffic_conn *c)
{
	uint32_t before;

	do {
		before = c->out_end - c->out_start;
		if (!conn_write(c))
			return false;
	} while (c->transport != GATE_TCP && c->out_end && c->out_end - c->out_start < before);
	return true;
}

void traffic_conn_send(struct traffic_conn *c)
{
	uint64_t before = c->octets_out;

	if (c->connecting || c->securing)
		return;
	if (c->out_end != c->out_start && !conn_write_all(c))
		return;
	if (c->finishing && !c->out_end && !c->shut) {
		c->shut = true;
		if (c->tls)
			tls_bye(c->tls); /* as far as the socket takes it: the end of TCP follows either way */
		shutdown(c->fd, SHUT_WR);
	}
	if (c->octets_out != before || !c->out_end)
		conn_drained(c);
}

static void conn_consume_once(struct traffic_conn *c)
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
		(void)!traffic_io_write(c, c->out + c->out_start, c->out_end - c->out_start);
	traffic_close(c, end);
}

static void conn_read_once(struct traffic_conn *c)
{
	ssize_t n;

	if (c->in_end == c->in_size)
		return; /* resumed in this turn: what is there is taken at its end */
	n = traffic_io_read(c, c->in + c->in_end, c->in_size - c->in_end);
	if (n == -EAGAIN)
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
	conn_consume_once(c);
}

/* What TLS has decrypted already no socket reports: it is read now or never. */
static void conn_read_pending(struct traffic_conn *c)
{
	while (!c->dead && !c->paused && traffic_io_pending(c) && c->in_end < c->in_size)
		conn_read_once(c);
}

static void conn_read(struct traffic_conn *c)
{
	conn_read_once(c);
	conn_read_pending(c);
}

void traffic_conn_consume(struct traffic_conn *c)
{
	conn_consume_once(c);
	conn_read_pending(c);
}

static void conn_ready(struct traffic_conn *c)
{
	bool ours = c->connecting;

	conn_secured(c);
	c->connecting = false;
	c->deadline_us = 0;
	c->heard_us = c->traffic->now_us;
	conn_events(c);
	if (ours && c->kind->connected)
		c->kind->connected(c);
	else if (!ours && c->kind->secured)
		c->kind->secured(c);
	if (!c->dead && c->out_end != c->out_start)
		traffic_conn_mark_dirty(c);
	conn_read_pending(c);
}

/* A step may cost a signature, which is a thousand answers' time: the set reports the others again in the next turn, or
 * when there are steps again.  Our own connections, of which there are few, do not wait. */
static bool conn_may_step(struct traffic_conn *c)
{
	struct traffic *t = c->traffic;

	if (c->connecting)
		return true;
	if (t->secured_now >= SECURES_A_TURN)
		return false;
	if (rate_take(&t->secure_rate, TRAFFIC_SECURE_STEPS, TRAFFIC_SECURE_BURST, 1, t->now_us)) {
		t->secured_now++;
		return true;
	}
	conn_watch(c, 0);
	traffic_want_secure(t);
	return false;
}

static void conn_secure_step(struct traffic_conn *c)
{
	int rc;

	if (!conn_may_step(c))
		return;
	rc = traffic_io_secure(c);
	if (rc == 0) {
		conn_ready(c);
	} else if (rc == -EAGAIN) {
		conn_events(c);
	} else {
		c->traffic->tls_failed++;
		c->connect_errno = c->connecting ? EPROTO : 0;
		traffic_close(c, c->connecting ? TRAFFIC_END_CONNECT : TRAFFIC_END_PROTOCOL);
	}
}

void traffic_conn_secure_again(struct traffic_conn *c)
{
	if (c->securing)
		conn_events(c);
}

bool traffic_conn_secure(struct traffic_conn *c, struct tls_context *tls, const char *name)
{
	c->tls = tls_session_alloc(tls, c->fd, name);
	if (!c->tls)
		return false;
	c->securing = true;
	c->traffic->n_securing += c->host != NULL;
	c->deadline_us = c->traffic->now_us + TRAFFIC_SECURE_S * 1000000ll;
	return true;
}

static void conn_connected(struct traffic_conn *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (c->connect_errno)
		err = c->connect_errno; /* connect() told it already and the socket forgot it */
	c->connect_errno = err;
	if (err) {
		LOGP(DTRAFFIC, LOGL_INFO, "%s: connect: %s\n", c->kind ? c->kind->name : "?", strerror(err));
		traffic_close(c, TRAFFIC_END_CONNECT);
		return;
	}
	if (!c->connect_tls) {
		conn_ready(c);
	} else if (traffic_conn_secure(c, c->connect_tls, c->connect_name)) {
		conn_secure_step(c); /* the client speaks first */
	} else {
		traffic_close(c, TRAFFIC_END_CONNECT);
	}
}

void traffic_conn_event(struct traffic_conn *c, uint32_t events)
{
	if (c->dead)
		return;
	if (c->securing) {
		conn_secure_step(c);
		return;
	}
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

struct traffic_conn *traffic_conn_alloc(struct traffic *t, const struct traffic_kind *kind, int fd, uint32_t events)
{
	struct traffic_conn *c = malloc(sizeof(*c) + kind->in_size + kind->out_size);

	if (!c)
		return NULL;
	*c = (struct traffic_conn){
		.kind = kind,
		.traffic = t,
		.message = kind->message,
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
				     const struct gate_address *address, struct tls_context *tls, const char *name)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(address, &sa);
	struct traffic_conn *c;
	int fd, err;

	fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	traffic_io_options(fd, kind, GATE_TCP);
	err = connect(fd, (const struct sockaddr *)&sa, len) ? errno : 0;
	/* Even an immediate success or failure is told from the next turn, never from within this call. */
	c = traffic_conn_alloc(t, kind, fd, EPOLLOUT);
	if (!c) {
		close(fd);
		return NULL;
	}
	c->data = data;
	c->remote = *address;
	c->transport = tls ? GATE_TLS : GATE_TCP;
	c->connect_tls = tls_context_get(tls);
	c->connect_name = name;
	c->connecting = true;
	c->connect_errno = err == EINPROGRESS ? 0 : err;
	c->deadline_us = t->now_us + TRAFFIC_CONNECT_S * 1000000ll;
	return c;
}

void traffic_conn_tick(struct traffic_conn *c)
{
	int64_t now = c->traffic->now_us;

	if (c->deadline_us && now >= c->deadline_us) {
		c->traffic->tls_failed += c->securing;
		c->connect_errno = c->connecting ? ETIMEDOUT : 0;
		traffic_close(c, c->connecting ? TRAFFIC_END_CONNECT : TRAFFIC_END_OURS);
	} else if (c->stalled_us && now - c->stalled_us >= TRAFFIC_STALL_S * 1000000ll) {
		traffic_close(c, TRAFFIC_END_STALLED);
	} else if (c->securing) {
		conn_events(c);
	} else if (c->kind && c->kind->tick) {
		c->kind->tick(c);
	}
}
