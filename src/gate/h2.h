/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* HTTP/2 (RFC 9113) over a traffic connection: libnghttp2 does frames and HPACK, the loop and the buffers are ours.
 * A server's session takes requests and gives answers, a client's makes calls; nothing in here knows what they mean.
 *
 * Use.  The interface has a traffic_kind of its own with buffers of H2_IN_SIZE and H2_OUT_SIZE.  In accepted() (server)
 * or after traffic_connect() (client) it makes a session, which hangs in its own data, and its kind passes on:
 *
 *     consume   return h2_consume(session, octets, len);
 *     drained   h2_drained(session);
 *     tick      h2_tick(session);
 *     closed    h2_free(session);
 *
 * A client may make calls at once, while the connection is still being made; they leave when it is there.
 *
 * Promises.
 * - One read becomes one call of hooks->requests for each H2_BATCH requests that it completed, in their order, and what
 *   was answered leaves in one write.
 * - Anything in here may end the connection, so closed() may come from within any h2_ call and hooks may close the
 *   connection too: h2_free is fine from anywhere, the session's memory stays until the outermost call has returned.
 *   After a call of h2_ look at your own state before you use the session again.
 * - Everything is bounded: streams, header fields and octets, bodies, the time until a request is complete and an
 *   answer is taken, and the rate of frames that are no requests (below).  A peer that reads slowly is not read.
 * - Where the peer's preface does not come within H2_PREFACE_S, or no octet within H2_SILENCE_S and no answer to two
 *   PINGs, the connection is closed.  traffic_known() is the interface's to say: that a peer speaks HTTP/2 does not
 *   tell who it is.
 * - HTTP/1 is told "505" and closed (a server of cleartext with prior knowledge, TS 29.500 5.2.1, does not upgrade).
 *
 * Floods (rapid reset, CONTINUATION, PING, SETTINGS, empty DATA, WINDOW_UPDATE, PRIORITY, header errors).  Each
 * connection has a budget of H2_BUDGET that fills at H2_BUDGET_S a second and with each request that was answered
 * whole.  Frames that do no work (also DATA of a few octets, and HEADERS of a stream that is over) cost 1, a reset by
 * either side 2, what is against the rules 4.  When it is empty the connection ends with GOAWAY ENHANCE_YOUR_CALM and
 * the cause is counted.
 *
 * nghttp2.h stays behind h2.c and h2_*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct traffic_conn;
struct h2_session;

#define H2_IN_SIZE      16384
#define H2_OUT_SIZE     32768
#define H2_BATCH        64
#define H2_FIELDS       64     /* header fields of a request or an answer; more: fields_cut */
#define H2_FIELD_OCTETS 16384  /* names, values and 32 for each, as RFC 9113 6.5.2 counts them; more: fields_cut */
#define H2_KEPT_MAX     262144 /* octets of fields beyond the usual that all requests of a connection may keep */
#define H2_WANTED       24     /* names in h2_terms.wanted */
#define H2_BODY_MAX     65536  /* the most that h2_terms.body_max may say */
#define H2_STREAMS      100
#define H2_PREFACE_S    5
#define H2_SILENCE_S    30
#define H2_STREAM_S     10 /* for a request to be complete, and for its answer to be taken */
#define H2_GOODBYE_S    2  /* for what is under way after h2_goodbye */
#define H2_BUDGET       400
#define H2_BUDGET_S     200

/* Octets that came, with a NUL behind them that len does not count.  at NULL: not there. */
struct h2_text {
	const char *at;
	size_t len;
};

/* A header field to be sent: the name in lower case.  constant: name and value stay as they are for as long as the
 * program runs (they are not copied then); else they need to stay only during the call. */
struct h2_field {
	const char *name, *value;
	uint16_t name_len, value_len;
	bool constant;
	bool again; /* not constant, but will come again: worth a place in the peer's table of fields */
};
#define H2_FIELD(name_, value_)                                                                                        \
	{                                                                                                              \
		.name = (name_), .value = (value_), .name_len = sizeof(name_) - 1, .value_len = sizeof(value_) - 1,    \
		.constant = true                                                                                       \
	}

struct h2_field h2_field_of(const char *name, const char *value); /* not constant */

enum h2_calm {                /* why a connection was told to be calm: the cause that emptied the budget */
	H2_CALM_RESET = 0,    /* RST_STREAM by either side */
	H2_CALM_CONTINUATION, /* and header lists beyond the bounds */
	H2_CALM_PING,
	H2_CALM_SETTINGS,
	H2_CALM_DATA,  /* empty DATA frames */
	H2_CALM_OTHER, /* PRIORITY, WINDOW_UPDATE, unknown frames */
	H2_CALM_FAULT, /* frames or header fields against the rules */
	H2_N_CALMS
};

/* Of all sessions of an interface; the interface owns it. */
struct h2_counters {
	uint64_t requests; /* complete and handed over, or made */
	uint64_t resets_in, resets_out;
	uint64_t http1;      /* connections that spoke HTTP/1 */
	uint64_t no_preface; /* connections that spoke something else, or nothing in time */
	uint64_t silent;     /* connections whose peer did not answer PINGs */
	uint64_t incomplete; /* requests reset because the rest did not come within H2_STREAM_S */
	uint64_t untaken;    /* answers reset because the peer did not take them within their time */
	uint64_t stuck;      /* connections ended because answers stayed in the send buffer beyond their time */
	uint64_t fields_cut, body_cut;
	uint64_t broken; /* connections ended by an error of the protocol */
	uint64_t calm[H2_N_CALMS];
};

/* A request, valid until it is answered; answered exactly once, at the latest in a later turn (H2_STREAM_S). */
struct h2_request {
	struct h2_text method, path, authority;
	const struct h2_text *header; /* by the index in terms.wanted; one that came twice is joined with "," */
	struct h2_text body;          /* "" where terms.keep_body is false */
	size_t body_len;              /* octets that came, kept or not */
	bool fields_cut;              /* more than H2_FIELDS or H2_FIELD_OCTETS; what was over is missing */
	bool body_cut;                /* more than terms.body_max; handed over when that was known */
	int64_t begun_us;             /* its first header field */
};

/* What a session is made with; it must stay as long as the session. */
struct h2_terms {
	const char *const *wanted; /* lower-case names of header fields that are kept, NULL at the end */
	uint32_t max_streams;      /* of the peer at a time; 0: H2_STREAMS */
	uint32_t body_max;         /* of a request or of a reply */
	bool keep_body;
	struct h2_counters *counters;

	/* Server: answer each of them, now or later.  data is h2_data(). */
	void (*requests)(struct h2_session *session, struct h2_request *const *requests, unsigned n);
	/* Server: a request that was handed over and not answered yet is gone (reset, or the connection ended): forget
	 * it.  May be NULL where all are answered at once. */
	void (*forgotten)(struct h2_session *session, struct h2_request *request);
	/* Client: the server said GOAWAY; calls that it still answers go on, new ones need another connection.  May be
	 * NULL. */
	void (*leaving)(struct h2_session *session);
};

/* NULL: no memory.  data: the interface's. */
struct h2_session *h2_server_alloc(struct traffic_conn *conn, const struct h2_terms *terms, void *data);
struct h2_session *h2_client_alloc(struct traffic_conn *conn, const struct h2_terms *terms, void *data);
/* From the kind's closed(): never says anything to the peer.  Calls that are under way end with H2_GONE.  NULL is
 * fine. */
void h2_free(struct h2_session *session);

void *h2_data(const struct h2_session *session);
unsigned h2_streams(const struct h2_session *session);  /* open now */
uint64_t h2_requests(const struct h2_session *session); /* so far */
/* Why we ended it, or are about to, in a few words for the log; NULL where we did not, or in order. */
const char *h2_ending(const struct h2_session *session);

/* What the kind passes on.  h2_consume returns what consume shall return. */
ssize_t h2_consume(struct h2_session *session, const uint8_t *octets, size_t len);
void h2_drained(struct h2_session *session);
void h2_tick(struct h2_session *session);

/* GOAWAY, finish what is under way, then the end.  A server says it in two steps, so that requests that are on their
 * way are still answered. */
void h2_goodbye(struct h2_session *session);
bool h2_leaving(const struct h2_session *session); /* goodbye was said, by either side */

/* --- server */

struct h2_answer {
	unsigned status; /* 200..599 */
	const struct h2_field *fields;
	unsigned n_fields;
	const char *body;
	size_t body_len;     /* content-length is the caller's field */
	bool body_constant;  /* as h2_field.constant; else it is copied */
	int64_t deadline_us; /* by traffic_now_us; 0: none.  Reset the stream, or where the answer waits in the send
			      * buffer end the connection, rather than let it leave later (by more than a second) */
};

/* The request is gone afterwards.  Answers leave at the end of hooks->requests, or with h2_flush. */
void h2_respond(struct h2_session *session, struct h2_request *request, const struct h2_answer *answer);
/* Write what was answered or called outside of h2_consume. */
void h2_flush(struct h2_session *session);

/* --- client */

enum h2_outcome {
	H2_ANSWERED = 0,
	H2_REFUSED, /* the server did not look at it (REFUSED_STREAM, GOAWAY): may be asked again */
	H2_RESET,   /* the server ended it halfway */
	H2_LATE,    /* no answer in time */
	H2_CUT,     /* the answer has too many fields, or a body above terms.body_max */
	H2_GONE,    /* the connection ended */
	H2_N_OUTCOMES
};
const char *h2_outcome_name(enum h2_outcome outcome); /* "answered", "refused", ... */

/* Valid during done() only. */
struct h2_reply {
	enum h2_outcome outcome;
	unsigned status;              /* 0 where none came */
	const struct h2_text *header; /* by the index in terms.wanted */
	struct h2_text body;
};

typedef void h2_done_fn(void *data, const struct h2_reply *reply);

struct h2_call {
	const char *method, *scheme, *authority, *path;
	const struct h2_field *fields; /* behind those four */
	unsigned n_fields;
	const void *body; /* copied; NULL: none */
	size_t body_len;
	unsigned timeout_ms; /* looked at once a second */
	h2_done_fn *done;    /* exactly once, never from within h2_call; it may make the next call or close */
	void *data;
};

/* 0; -ENOTCONN (either side said GOAWAY, or it is closed), -ENOBUFS (as many calls as the server allows are under way,
 * or H2_STREAMS), -EINVAL, -ENOMEM.  Outside of the hooks and of done() follow it with h2_flush. */
int h2_call(struct h2_session *session, const struct h2_call *call);
/* Forget the calls with this data: done() does not come, the streams are reset.  Returns how many. */
unsigned h2_forget(struct h2_session *session, const void *data);
