/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* HTTP/1.1 on a UNIX stream socket, inside the libosmocore loop.
 *
 * Model.  A table of routes; each request is matched against it, checked (guard, rights, body limit) and handed to its
 * route's handler.  A handler answers at once, or keeps the request and answers later from the loop: until then the
 * connection is suspended.  Bodies are collected up to the route's limit, or handed on piece by piece.  Nothing here
 * knows what a device or a list is.
 *
 * Promises.
 * - route->gone is called exactly once for every request whose begin or handle was called, at its very end: answered
 *   and sent, or broken.  Between handle and gone the request stays valid, whatever the client does.
 * - After all events of a loop turn were read, spec.turn is called once: the place where what was wanted together is
 *   done together.
 * - A connection that does not get on is cut: a request's head in request_timeout_s, a body or an answer at 4 kB/s at
 *   least after the same grace, and a pause of six times that; 15 s without a request.  Where every place is taken and
 *   somebody waits, who is without an accepted request for longest (a second at least) makes room.  A connection whose
 *   request we are working on is never cut by us.
 *
 * Caveats.  One thread.  http_answer* once per request.  The library reads lines as C strings before we see them: a
 * line that begins with NUL is skipped like an empty one, and what follows a NUL in a value is not seen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/why.h"
#include "keeper/http_peer.h"
#include "keeper/http_target.h"

struct http;
struct http_request;

enum http_method {
	HTTP_GET,
	HTTP_PUT,
	HTTP_POST,
	HTTP_DELETE,
	HTTP_N_METHODS
};

struct http_route {
	enum http_method method;
	const char *path; /* "/v1/sources/{source}" */
	enum http_right right;
	size_t body_max; /* octets taken, collected in memory; with body below: handed on, 0 is no limit */
	/* Streamed bodies: begin when the head is in (may answer: then body is not called), body for each piece. */
	void (*begin)(struct http_request *request);
	void (*body)(struct http_request *request, const void *bytes, size_t len);
	void (*handle)(struct http_request *request); /* the whole request is here */
	void (*gone)(struct http_request *request);   /* may be NULL */
};

/* Answer with an error the transport found: the handlers' format for errors. */
typedef void http_problem_fn(struct http_request *request, unsigned status, const char *code, const char *sentence);

struct http_spec {
	const char *path; /* of the socket; a stale one is removed */
	const struct http_route *routes;
	unsigned n_routes;
	void *root; /* http_root() */
	http_problem_fn *problem;
	void (*turn)(void *root);
	unsigned max_connections;
	unsigned request_timeout_s;
};

/* -EADDRINUSE: another process listens there. */
int http_open(const struct http_spec *spec, struct http **http, struct weir_why *why);
/* Take no more connections, answer what waits with 503, then close.  NULL is fine. */
void http_close(struct http *http);
void http_set_access(struct http *http, const struct http_access *access);
void http_set_timeout(struct http *http, unsigned request_timeout_s);

struct http_stats {
	uint64_t status[600];   /* answers by status */
	uint64_t accepted, cut; /* connections; cut by the reaper */
	unsigned connections;
};
const struct http_stats *http_stats(const struct http *http);

/* --- a request, for handlers ------------------------------------------------------------------------------------ */

void *http_root(const struct http_request *request);
const struct http_target *http_target(const struct http_request *request);
const struct http_peer *http_peer(const struct http_request *request);
const char *http_body(const struct http_request *request, size_t *len);  /* collected; "" for none */
bool http_accepts(const struct http_request *request, const char *type); /* the Accept header names it */
/* The handler's own; NULL at first. */
void **http_data(struct http_request *request);
/* True when a client that waits for us has hung up. */
bool http_hung_up(const struct http_request *request);
/* True from http_answer* on. */
bool http_answered(const struct http_request *request);

/* Set before the answer. */
void http_header(struct http_request *request, const char *name, const char *value);
/* text is copied; NULL with len 0 for no body. */
void http_answer(struct http_request *request, unsigned status, const char *type, const char *text, size_t len);

/* The next octets of a long answer into buf: how many, or one of these. */
#define HTTP_STREAM_END    (-1)
#define HTTP_STREAM_BROKEN (-2) /* cut the connection, so that the client sees that it is not whole */
#define HTTP_STREAM_WAIT   (-3) /* nothing yet: called again after http_wake() */
typedef ssize_t http_stream_fn(struct http_request *request, char *buf, size_t size);
void http_answer_stream(struct http_request *request, unsigned status, const char *type, http_stream_fn *fn);
void http_wake(struct http_request *request);
