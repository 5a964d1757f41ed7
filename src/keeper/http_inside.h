/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of the HTTP server share; private to keeper/http*.c.  The only file that includes microhttpd.h.
 *
 * http.c has the library, its loop, connections and deadlines; http_request.c the life of a request; http_listener.c
 * the socket. */
#pragma once

#include <microhttpd.h>
#include <osmocom/core/linuxlist.h>
#include <osmocom/core/select.h>
#include <osmocom/core/timer.h>

#include <sys/un.h>

#include "keeper/http.h"

struct http_connection {
	struct llist_head entry;
	struct http *http;
	int fd;
	struct http_peer peer;
	int64_t deadline_us; /* 0: none, we are working */
	struct http_request *request; /* the one under way; NULL between two */
	int64_t idle_us;	      /* came, or was answered last */
};

struct http_request {
	struct llist_head entry;
	struct http *http;
	struct http_connection *connection;
	struct MHD_Connection *mhd;
	const struct http_route *route;
	struct http_target target;
	struct weir_why uri_why;
	int uri_err;
	struct http_guard guard;
	bool head; /* HEAD: no body goes out */
	bool begun, opened, handled, suspended, queued, broken;
	char *body;
	size_t body_len;
	uint64_t received, sent;
	int64_t since_us; /* the body or the answer began */
	struct MHD_Response *response;
	unsigned status;
	struct {
		const char *name;
		char value[80];
	} header[4];
	unsigned n_headers;
	http_stream_fn *stream;
	void *data;
};

struct http {
	struct http_spec spec;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct MHD_Daemon *mhd;
	struct osmo_fd epoll;
	struct osmo_timer_list run_timer, reaper;
	struct llist_head connections, requests;
	struct http_access access;
	struct http_stats stats;
	int listener;
	bool running, again, closing;
};

/* http.c: run the library soon; also after MHD_resume_connection. */
void http_again(struct http *http);
int64_t http_grace_us(const struct http *http);

/* http_listener.c: a listening socket at path, mode 0660; a stale one is removed.  Its descriptor, or -EADDRINUSE
 * (somebody listens there), -EEXIST (something else is there). */
int http_listener_open(const char *path, struct weir_why *why);

/* http_request.c: callbacks of the library; data is struct http. */
void *http_uri_cb(void *data, const char *uri, struct MHD_Connection *mhd);
size_t http_no_unescape_cb(void *data, struct MHD_Connection *mhd, char *text);
enum MHD_Result http_access_cb(void *data, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *bytes, size_t *len, void **slot);
void http_completed_cb(void *data, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode code);
/* At the end: answer what waits with 503, cut what streams. */
void http_request_end(struct http_request *request);
