/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of the traffic sockets share; private to them.
 *
 * traffic.c         the set: turns, ticks, its place in the loop
 * traffic_listen.c  listening and accepting
 * traffic_host.c    who makes place for whom
 * traffic_conn.c    one connection: buffers, reading, sending, endings
 * traffic_io.c      how octets travel: TCP, TLS, SCTP */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/select.h>
#include <osmocom/core/timer.h>

#include "core/rate.h"
#include "gate/traffic.h"

/* An address of whom connections were taken. */
#define TRAFFIC_HOSTS 256 /* buckets */
struct traffic_host {
	struct llist_head entry;
	struct gate_address address;  /* without port */
	unsigned n, n_strangers, n_securing;
};

struct traffic {
	int epoll;
	int64_t now_us, worked_us; /* of this turn; of the last one that had work */
	bool in_turn, started;
	unsigned secured_now; /* handshake steps of this turn */
	unsigned n_conns, max_conns;
	unsigned n_taken, n_securing; /* of n_conns: came from a listener; of these: in a TLS handshake */
	uint64_t refused, crowded, tls_failed, tls_refused;
	int64_t wall_minus_mono_us;
	struct llist_head conns, listeners;
	struct llist_head dirty, resumed, graves; /* by conn->work */
	struct traffic_hooks hooks;
	struct osmo_fd ofd;
	struct osmo_timer_list ticker, flusher, securer;
	struct rate secure_rate;
	struct llist_head hosts[TRAFFIC_HOSTS];
};

/* traffic.c */
int traffic_watch(struct traffic *t, int op, int fd, uint32_t events, void *ptr);
/* Go on with handshakes in a moment. */
void traffic_want_secure(struct traffic *t);
/* Work done outside of a turn is sent by the next turn of the loop. */
void traffic_want_flush(struct traffic *t);

/* traffic_listen.c.  Low bit of an event's pointer: a listener. */
void traffic_listener_event(struct traffic_listener *listener);
void traffic_listeners_resume(struct traffic *t);
void traffic_unlisten_all(struct traffic *t);
static inline bool traffic_is_listener(const void *ptr)
{
	return (uintptr_t)ptr & 1;
}
static inline struct traffic_listener *traffic_to_listener(void *ptr)
{
	return (struct traffic_listener *)((uintptr_t)ptr & ~(uintptr_t)1);
}

/* traffic_host.c */
bool traffic_host_join(struct traffic_conn *c); /* false: no memory */
void traffic_host_leave(struct traffic_conn *c);
/* The newest one is here: somebody goes where there are too many, it may be itself. */
void traffic_host_make_place(struct traffic *t, struct traffic_conn *newest);
/* There shall be one more handshake: likewise. */
void traffic_host_make_place_to_secure(struct traffic *t);

/* traffic_io.c.  Octets, 0 at the peer's end, -EAGAIN or another negative errno. */
ssize_t traffic_io_read(struct traffic_conn *c, void *buf, size_t size);
ssize_t traffic_io_write(struct traffic_conn *c, const uint8_t *octets, size_t len);
/* Is there more to read that the socket does not know of? */
bool traffic_io_pending(const struct traffic_conn *c);
/* One step of the TLS handshake: 0 done, -EAGAIN, or -EPROTO. */
int traffic_io_secure(struct traffic_conn *c);
void traffic_io_options(int fd, const struct traffic_kind *kind, enum gate_transport transport);
/* A socket that listens, or a negative errno. */
int traffic_io_listen(const struct gate_place *place);

/* traffic_conn.c */
struct traffic_conn *traffic_conn_alloc(struct traffic *t, const struct traffic_kind *kind, int fd, uint32_t events);
/* Begin a TLS handshake.  False where there is no memory. */
bool traffic_conn_secure(struct traffic_conn *c, struct tls_context *tls, const char *name);
/* What the set said of it. */
void traffic_conn_event(struct traffic_conn *c, uint32_t events);
/* There are steps again for a handshake that had to wait. */
void traffic_conn_secure_again(struct traffic_conn *c);
/* Hand over what is in the receive buffer. */
void traffic_conn_consume(struct traffic_conn *c);
/* Everything that can be sent is sent; the rest waits for EPOLLOUT. */
void traffic_conn_send(struct traffic_conn *c);
void traffic_conn_mark_dirty(struct traffic_conn *c);
void traffic_conn_tick(struct traffic_conn *c);
/* Gone, without closed(); freed at the end of the turn. */
void traffic_conn_bury(struct traffic_conn *c);
