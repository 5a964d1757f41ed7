/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The sockets that carry checks: listening, accepting, connecting, buffers, back-pressure, deadlines.
 *
 * Model.  One epoll set holds every such socket; the set's own descriptor hangs as one osmo_fd in the libosmocore loop,
 * which would else pay for each idle connection on each turn.  A turn: take the clock, ask the set once, then for each
 * ready connection one recv, one call of the interface's consume, which takes the whole messages and writes answers
 * straight into send buffers; at the end of the turn one send for each connection that has something to send.
 *
 * The set is level-triggered on purpose: "read once a turn" leaves octets behind on a busy connection, and
 * level-triggered epoll reports and rotates such connections by itself.  Edge-triggered would save nothing here (both
 * need one epoll_wait and one recv a turn) and would need a list of half-read connections of our own.
 *
 * Promises.
 * - One receive and one send buffer a connection, allocated with it, never grown.  Above that the socket is not read.
 * - TLS is a matter of the listener: handlers see octets.  What they write waits for the end of the handshake, which
 * has TRAFFIC_SECURE_S.  Over SCTP each message leaves as one user message, whatever the turn has gathered.
 * - A writer that makes no progress for TRAFFIC_STALL_S is closed.  So is a connect that takes too long.
 * - Out of descriptors or above the maximum of connections, those that stand go on; accepting pauses until the next
 * tick.
 * - The maximum is of accepted connections; those that we made (to the HLR) come on top.  Whoever has not said
 * who he is (traffic_known) gives way: above the maximum, or above TRAFFIC_STRANGERS of his address, the one of them
 * that has been here longest is closed for the new one.  Where all are known, the host that has most gives the one that
 * was silent longest to a host that has fewer: so nobody can keep all connections for himself.
 * - closed() is called exactly once for every connection that accepted() or traffic_connect() took, and the pointer
 * must be forgotten there.  It may be called from within any traffic_ call on that connection.
 * - Time comes in as an argument (monotonic microseconds): tests move it by hand.
 *
 * GSUP, Diameter and HTTP/2 use it; nothing in here knows a protocol. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <osmocom/core/linuxlist.h>

#include "core/why.h"
#include "gate/address.h"

#define TRAFFIC_STALL_S   10
#define TRAFFIC_FINISH_S  2
#define TRAFFIC_CONNECT_S 3
#define TRAFFIC_SECURE_S  5
#define TRAFFIC_SECURING  64 /* TLS handshakes under way at a time: the oldest of the host that has most gives way */
#define TRAFFIC_SECURE_STEPS 400 /* steps of handshakes a second; one has two or three */
#define TRAFFIC_SECURE_BURST 80
/* Connections of one address that have not said who they are: more than the clients that come back at once from behind
 * one address, a proxy's or a pool's. */
#define TRAFFIC_STRANGERS 128

struct tls_context;
struct tls_session;
struct traffic;
struct traffic_conn;
struct traffic_listener;

enum traffic_end {
	TRAFFIC_END_PEER = 0, /* the peer closed */
	TRAFFIC_END_ERROR,    /* the socket failed */
	TRAFFIC_END_CONNECT,  /* connecting failed or took too long */
	TRAFFIC_END_STALLED,  /* the peer did not read */
	TRAFFIC_END_OVERSIZE, /* a message greater than the receive buffer */
	TRAFFIC_END_PROTOCOL, /* consume said so */
	TRAFFIC_END_SILENT,   /* closed by the interface: nothing came */
	TRAFFIC_END_OURS,     /* closed by us in order: reload, stop, replaced */
	TRAFFIC_N_ENDS
};
const char *traffic_end_name(enum traffic_end end);

/* What an interface gives for a kind of connection. */
struct traffic_kind {
	const char *name;
	int log; /* category: what TLS has to say of a peer goes there */
	uint32_t in_size, out_size; /* in_size bounds a message */
	uint32_t sctp_ppid;         /* payload protocol identifier of what we send over SCTP */
	/* Over SCTP: octets of the first message in the send buffer, which is sent as one user message.  Else not
	 * called, and may be NULL. */
	size_t (*message)(const uint8_t *octets, size_t len);
	/* A listener took a connection.  Set conn->data; false closes it without calling closed(). */
	bool (*accepted)(struct traffic_conn *conn, void *owner);
	/* traffic_connect succeeded, with TLS the handshake too. */
	void (*connected)(struct traffic_conn *conn);
	/* The TLS handshake of an accepted connection is done (conn->tls tells who it is); called before the first
	 * consume.  May close.  May be NULL. */
	void (*secured)(struct traffic_conn *conn);
	/* Take whole messages from the front.  Returns octets taken, or a negative number to close (END_PROTOCOL). What
	 * is left comes again, with more behind it; after traffic_pause only after traffic_resume. */
	ssize_t (*consume)(struct traffic_conn *conn, const uint8_t *octets, size_t len);
	/* The send buffer had been too full for traffic_reserve.  It has as much room as was asked for now, and is at
	 * most half full.  May be NULL. */
	void (*drained)(struct traffic_conn *conn);
	/* About once a second.  May be NULL. */
	void (*tick)(struct traffic_conn *conn);
	void (*closed)(struct traffic_conn *conn, enum traffic_end end);
};

/* Interfaces read all of it and write data. */
struct traffic_conn {
	void *data;
	const struct traffic_kind *kind; /* NULL once closed or finishing */
	struct traffic *traffic;
	struct gate_address remote;
	enum gate_transport transport;
	struct tls_session *tls;    /* NULL without TLS */
	int64_t since_us, heard_us; /* made; last octets received */
	uint64_t octets_in, octets_out;
	bool connecting, paused;
	bool securing; /* the TLS handshake is under way: what is written waits for it */
	int connect_errno; /* END_CONNECT: why; EPROTO: no TLS, which is logged */

	/* private to traffic.c */
	int fd;
	size_t (*message)(const uint8_t *octets, size_t len); /* of the kind, also when that has let go */
	struct tls_context *connect_tls;
	const char *connect_name;
	bool dead, finishing, shut, dirty, resumed;
	uint32_t room_wanted;      /* by traffic_reserve in vain; 0: nobody waits */
	struct traffic_host *host; /* of a taken one */
	bool known;                /* said who it is */
	uint32_t events;
	uint32_t in_start, in_end, in_size, out_start, out_end, out_size;
	int64_t stalled_us, deadline_us;
	struct llist_head entry, work;
	uint8_t *in, *out;
};

struct traffic_hooks {
	void (*turned)(void *data, int64_t start_us); /* after the sends of a turn */
	void (*idle)(void *data);                     /* the last connection has gone */
	void *data;
};

struct traffic *traffic_alloc(void *ctx, const struct traffic_hooks *hooks, struct weir_why *why);
/* Closes everything at once, with closed() called. */
void traffic_free(struct traffic *traffic);

/* Hang the set into the libosmocore loop, with a timer for the ticks. */
int traffic_start(struct traffic *traffic);

/* One turn, without waiting.  Returns how many sockets were ready. */
int traffic_turn(struct traffic *traffic, int64_t now_us);
void traffic_tick(struct traffic *traffic, int64_t now_us);
/* Run what was resumed and send what was written outside of a turn; else it happens in the next turn of the loop. */
void traffic_flush(struct traffic *traffic);

int64_t traffic_now_us(const struct traffic *traffic); /* of the current turn */
/* The wall clock without asking for it: the offset is set once a second. */
void traffic_set_clock(struct traffic *traffic, int64_t wall_minus_mono_us);
int64_t traffic_wall_us(const struct traffic *traffic);
static inline uint32_t traffic_wall_s(const struct traffic *traffic)
{
	return (uint32_t)(traffic_wall_us(traffic) / 1000000);
}
int traffic_fd(const struct traffic *traffic); /* the set: readable when a turn has work */
unsigned traffic_count(const struct traffic *traffic);
uint64_t traffic_refused(const struct traffic *traffic); /* accepted and closed at once: above the maximum */
uint64_t traffic_crowded(const struct traffic *traffic); /* not known yet and closed for a newer one */
void traffic_limit(struct traffic *traffic, unsigned max_connections);

/* tls: for GATE_TLS, counted while the listener has it; else NULL. */
int traffic_listen(struct traffic *traffic, const struct traffic_kind *kind, void *owner,
		   const struct gate_place *place, struct tls_context *tls, struct traffic_listener **listener,
		   struct weir_why *why);
void traffic_unlisten(struct traffic_listener *listener); /* NULL is fine */
/* For connections from now on: TLS with this context, or NULL: in clear. */
void traffic_listener_tls(struct traffic_listener *listener, struct tls_context *tls);
const struct gate_place *traffic_listener_place(const struct traffic_listener *listener); /* with the real port */

/* Connect without waiting.  NULL where there is no descriptor or memory; every later failure comes as closed().  tls:
 * a client's context and the name that the server's certificate must carry (it outlives the connection), or NULL. */
struct traffic_conn *traffic_connect(struct traffic *traffic, const struct traffic_kind *kind, void *data,
				     const struct gate_address *address, struct tls_context *tls, const char *name);

/* Our addresses of this connection: one, with SCTP up to max of all its homes.  Returns how many. */
unsigned traffic_local(const struct traffic_conn *conn, struct gate_address *out, unsigned max);

/* TLS handshakes that failed, and that had to give way because too many were under way at a time. */
uint64_t traffic_tls_failed(const struct traffic *traffic);
uint64_t traffic_tls_refused(const struct traffic *traffic);

/* Take over a connected socket (tests: one end of a socketpair). */
struct traffic_conn *traffic_adopt(struct traffic *traffic, const struct traffic_kind *kind, void *data, int fd);

/* Room for len octets at the end of the send buffer, or NULL: then drained() will come.  Written octets count only
 * after traffic_commit; they leave at the end of the turn. */
uint8_t *traffic_reserve(struct traffic_conn *conn, size_t len);
void traffic_commit(struct traffic_conn *conn, size_t len);
size_t traffic_room(const struct traffic_conn *conn);
bool traffic_send(struct traffic_conn *conn, const void *octets, size_t len); /* reserve, copy, commit */

/* It said who it is: it need not give way any more. */
void traffic_known(struct traffic_conn *conn);

/* Stop reading; go on with what is in the receive buffer, then read again. */
void traffic_pause(struct traffic_conn *conn);
void traffic_resume(struct traffic_conn *conn);

/* End it now, octets to be sent are lost.  Or: send what there is, tell the peer that nothing more comes, wait
 * TRAFFIC_FINISH_S for it to close.  closed() is called at once in both. */
void traffic_close(struct traffic_conn *conn, enum traffic_end end);
void traffic_finish(struct traffic_conn *conn, enum traffic_end end);
