/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of HTTP/2 share; private to them.
 *
 * h2.c         sessions: octets in and out, time, endings
 * h2_stream.c  streams: what libnghttp2 tells of them, and the header fields and bodies that they keep
 * h2_server.c  requests handed over, answers
 * h2_client.c  calls and their replies
 * h2_budget.c  what frames cost */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#include <osmocom/core/linuxlist.h>

#include "gate/h2.h"

#define STREAM_TEXT  768 /* kept octets of a usual request */
#define STREAM_SPARE 32  /* streams kept for the next requests */

/* --- h2_budget.c: pure, but for the words */

/* Frames are counted from their headers alone, before libnghttp2 sees them: it does not tell of all that it ignores. */
struct h2_budget {
	int32_t left; /* in tokens */
	int64_t filled_us;
	uint32_t payload_left; /* of the frame that is under way */
	uint8_t header[9], header_len;
	uint32_t last_id; /* the greatest stream that HEADERS have named */
	bool empty;
	enum h2_calm cause; /* of empty */
};

void h2_budget_init(struct h2_budget *budget, int64_t now_us);
void h2_budget_fill(struct h2_budget *budget, int64_t now_us);
void h2_budget_charge(struct h2_budget *budget, enum h2_calm cause, unsigned cost);
void h2_budget_earn(struct h2_budget *budget); /* for a stream that ended well */
/* Charge for what these octets begin. */
void h2_budget_walk(struct h2_budget *budget, const uint8_t *octets, size_t len);

/* --- sessions and streams */

enum h2_state {
	H2_IS_OPEN,     /* fields or body still come */
	H2_IS_READY,    /* server: whole, in session.ready */
	H2_IS_HANDED,   /* server: the interface has it */
	H2_IS_ANSWERED, /* server: the answer is libnghttp2's by now */
	H2_IS_OVER,     /* the stream is closed or being reset; nobody waits */
};

struct h2_stream {
	struct llist_head entry; /* session.streams, oldest first; session.spare */
	struct llist_head work;  /* session.ready, session.done */
	struct h2_session *session;
	int32_t id;
	enum h2_state state;
	bool ended;   /* the peer said END_STREAM */
	bool trailer; /* fields that come now are behind the body */
	int64_t deadline_us;
	uint32_t n_fields, field_octets;

	struct h2_request request; /* its texts are used for replies too */
	struct h2_text header[H2_WANTED];
	char *more; /* H2_FIELD_OCTETS, where the text below was not enough */
	uint32_t text_len, more_len;
	char *body;
	uint32_t body_size;

	const char *out; /* body to be sent */
	size_t out_len, out_at;
	char *out_owned;

	h2_done_fn *done; /* client */
	void *data;
	unsigned status;
	enum h2_outcome outcome;
	bool closed; /* libnghttp2 has forgotten it */

	char text[STREAM_TEXT]; /* last: not cleared */
};

/* Answers in the send buffer that may not leave late: up to so many octets of the connection, and the first of their
 * deadlines. */
struct h2_mark {
	uint64_t until;
	int64_t deadline_us; /* 0: none */
};

struct h2_session {
	struct traffic_conn *conn; /* NULL once closed */
	const struct h2_terms *terms;
	void *data;
	nghttp2_session *ng;
	bool server, dead;
	unsigned depth; /* calls of h2_ under way */
	bool walked;    /* the budget saw octets: the client's preface is behind us */
	bool greeted;   /* the client's preface is in, or we are the client */
	bool settled;   /* the peer's SETTINGS are in */
	bool blocked;   /* no room in the send buffer: the peer is not read */
	bool finish;    /* the connection ends when everything has been written */
	bool peer_leaves, told_leaving;
	const char *ending; /* a few words, where we had a reason to end it */
	unsigned goodbye;   /* 0; 1 announced; 2 said */
	int64_t goodbye_us, born_us, pinged_us;
	unsigned pings; /* unanswered */
	struct h2_budget budget;
	struct llist_head streams, ready, done, spare;
	unsigned n_streams, n_spare, n_unsent; /* n_unsent: answered, and not all of it written */
	struct h2_mark mark[2]; /* server; the second is of what was written while the first had not left */
	uint64_t requests;
	size_t kept; /* octets in more of all streams */
	uint8_t wanted_len[H2_WANTED];
	unsigned n_wanted;
	const uint8_t *pending; /* of a frame that was half written */
	size_t pending_len;
	struct h2_stream *current; /* whose fields came last */
};

/* h2.c */
int64_t h2_now_us(const struct h2_session *session);
void h2_enter(struct h2_session *session);
void h2_leave(struct h2_session *session); /* may free it */
/* GOAWAY with this code, then the end. */
void h2_terminate(struct h2_session *session, uint32_t error_code, const char *why);
void h2_write(struct h2_session *session);
void h2_ping_answered(struct h2_session *session);

/* h2_stream.c */
int h2_callbacks(nghttp2_session_callbacks **callbacks);
struct h2_stream *h2_stream_alloc(struct h2_session *session, int32_t id);
void h2_stream_free(struct h2_stream *stream);
/* Its fields and its body were looked at for the last time. */
void h2_stream_forget(struct h2_stream *stream);
/* RST_STREAM; nobody waits for it any more. */
void h2_stream_reset(struct h2_stream *stream, uint32_t error_code);
ssize_t h2_stream_read_out(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t size, uint32_t *flags,
			   nghttp2_data_source *source, void *data);
/* Keep octets to be sent.  0 or -ENOMEM. */
int h2_stream_keep_out(struct h2_stream *stream, const void *octets, size_t len, bool constant);
nghttp2_nv h2_nv(const struct h2_field *field);

/* h2_server.c */
void h2_server_whole(struct h2_stream *stream); /* it is complete, or will not be read further */
void h2_server_closed(struct h2_stream *stream, uint32_t error_code);
void h2_server_hand_over(struct h2_session *session);
/* The connection has gone: what was handed over need not be answered. */
void h2_server_gone(struct h2_session *session);
/* Its last frame went into the send buffer. */
void h2_server_written(const struct h2_stream *stream);
/* Are there answers that have not left? */
bool h2_server_waits(struct h2_session *session);
/* Is one in the send buffer that may not leave any more? */
bool h2_server_stuck(struct h2_session *session, int64_t now_us);
void h2_server_expire(struct h2_session *session, int64_t now_us);

/* h2_client.c */
void h2_client_closed(struct h2_stream *stream, uint32_t error_code);
void h2_client_finish_calls(struct h2_session *session);
void h2_client_expire(struct h2_session *session, int64_t now_us);
void h2_client_gone(struct h2_session *session);
