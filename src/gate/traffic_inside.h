/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the two files of the traffic sockets share; private to them.
 *
 * traffic.c       the set: listening, turns, ticks, its place in the loop
 * traffic_conn.c  one connection: buffers, reading, sending, endings */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/select.h>
#include <osmocom/core/timer.h>

#include "gate/traffic.h"

struct traffic {
	int epoll;
	int64_t now_us, worked_us; /* of this turn; of the last one that had work */
	bool in_turn, started;
	unsigned n_conns, n_taken, max_conns; /* n_taken of n_conns came from a listener */
	uint64_t refused, crowded;
	struct llist_head conns, listeners;
	struct llist_head dirty, resumed, graves; /* by conn->work */
	struct traffic_hooks hooks;
	struct osmo_fd ofd;
	struct osmo_timer_list ticker, flusher;
};

/* traffic.c */
int traffic_watch(struct traffic *t, int op, int fd, uint32_t events, void *ptr);
/* Work done outside of a turn is sent by the next turn of the loop. */
void traffic_want_flush(struct traffic *t);

/* traffic_conn.c */
struct traffic_conn *traffic_conn_alloc(struct traffic *t, const struct traffic_kind *kind, int fd, uint32_t events);
void traffic_socket_options(int fd);
/* What the set said of it. */
void traffic_conn_event(struct traffic_conn *c, uint32_t events);
/* Hand over what is in the receive buffer. */
void traffic_conn_consume(struct traffic_conn *c);
/* Everything that can be sent is sent; the rest waits for EPOLLOUT. */
void traffic_conn_send(struct traffic_conn *c);
void traffic_conn_mark_dirty(struct traffic_conn *c);
void traffic_conn_tick(struct traffic_conn *c);
/* Gone, without closed(); freed at the end of the turn. */
void traffic_conn_bury(struct traffic_conn *c);
