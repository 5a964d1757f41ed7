/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A session of HTTP/2: octets between the connection and libnghttp2, time, endings.
 *
 * libnghttp2's functions that read and write must not be called from within its callbacks, and what a callback hands on
 * may close the connection.  So: octets go in, then whole requests are handed over, then replies are told, then frames
 * are written, each after the other; and the memory of a session goes when the outermost call returns. */
#include "gate/h2_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate/tls.h"
#include "gate/traffic.h"

#define PINGS_MISSED 2

static const char http1_answer[] = "HTTP/1.1 505 HTTP Version Not Supported\r\n"
				   "connection: close\r\n"
				   "content-type: text/plain\r\n"
				   "content-length: 41\r\n"
				   "\r\n"
				   "HTTP/2 with prior knowledge is spoken.  \n";

static const char *const calm_words[H2_N_CALMS] = {
	[H2_CALM_RESET] = "too many streams were reset",
	[H2_CALM_CONTINUATION] = "too many header fields or CONTINUATION frames",
	[H2_CALM_PING] = "too many PING frames",
	[H2_CALM_SETTINGS] = "too many SETTINGS frames",
	[H2_CALM_DATA] = "too many empty DATA frames",
	[H2_CALM_OTHER] = "too many frames that ask nothing",
	[H2_CALM_FAULT] = "too many faulty frames",
};

int64_t h2_now_us(const struct h2_session *s)
{
	return s->conn ? traffic_now_us(s->conn->traffic) : 0;
}

/* --- life */

static const nghttp2_settings_entry server_settings[] = {
	{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS}, /* replaced by what is configured */
	{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_FIELD_OCTETS},
};
static const nghttp2_settings_entry client_settings[] = {
	{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
	{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
	{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_FIELD_OCTETS},
};

static int submit_settings(struct h2_session *s)
{
	nghttp2_settings_entry server[2] = {server_settings[0], server_settings[1]};

	if (!s->server)
		return nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, client_settings, 3);
	if (s->terms->max_streams)
		server[0].value = s->terms->max_streams;
	return nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, server, 2);
}

static int make_ng(struct h2_session *s)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int rc = -ENOMEM;

	if (h2_callbacks(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		nghttp2_option_set_no_closed_streams(option, 1); /* of no use without priorities */
		rc = s->server ? nghttp2_session_server_new2(&s->ng, callbacks, s, option)
			       : nghttp2_session_client_new2(&s->ng, callbacks, s, option);
		if (rc == 0)
			rc = submit_settings(s);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return rc ? -ENOMEM : 0;
}

static void destroy(struct h2_session *s)
{
	struct h2_stream *st, *next;

	nghttp2_session_del(s->ng);
	llist_for_each_entry_safe(st, next, &s->streams, entry)
		h2_stream_free(st);
	llist_for_each_entry_safe(st, next, &s->spare, entry)
		free(st);
	free(s);
}

static struct h2_session *session_alloc(struct traffic_conn *conn, const struct h2_terms *terms, void *data,
					bool server)
{
	struct h2_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->conn = conn;
	s->terms = terms;
	s->data = data;
	s->server = server;
	s->greeted = !server;
	s->born_us = h2_now_us(s);
	h2_budget_init(&s->budget, s->born_us);
	INIT_LLIST_HEAD(&s->streams);
	INIT_LLIST_HEAD(&s->ready);
	INIT_LLIST_HEAD(&s->done);
	INIT_LLIST_HEAD(&s->spare);
	for (; s->n_wanted < H2_WANTED && terms->wanted[s->n_wanted]; s->n_wanted++)
		s->wanted_len[s->n_wanted] = (uint8_t)strlen(terms->wanted[s->n_wanted]);
	if (make_ng(s)) {
		destroy(s);
		return NULL;
	}
	return s;
}

struct h2_session *h2_server_alloc(struct traffic_conn *conn, const struct h2_terms *terms, void *data)
{
	return session_alloc(conn, terms, data, true);
}

struct h2_session *h2_client_alloc(struct traffic_conn *conn, const struct h2_terms *terms, void *data)
{
	return session_alloc(conn, terms, data, false);
}

void h2_enter(struct h2_session *s)
{
	s->depth++;
}

void h2_leave(struct h2_session *s)
{
	if (--s->depth == 0 && s->dead)
		destroy(s);
}

void h2_free(struct h2_session *s)
{
	if (!s || s->dead)
		return;
	h2_enter(s);
	s->conn = NULL;
	s->dead = true;
	if (s->server)
		h2_server_gone(s);
	else
		h2_client_gone(s);
	h2_leave(s);
}

void *h2_data(const struct h2_session *s)
{
	return s->data;
}

unsigned h2_streams(const struct h2_session *s)
{
	return s->n_streams;
}

uint64_t h2_requests(const struct h2_session *s)
{
	return s->requests;
}

bool h2_leaving(const struct h2_session *s)
{
	return s->goodbye || s->peer_leaves || s->finish || s->dead;
}

const char *h2_ending(const struct h2_session *s)
{
	return s->ending;
}

/* --- out */

/* Is there nothing left to wait for? */
static bool is_over(const struct h2_session *s)
{
	if (nghttp2_session_want_write(s->ng) || s->pending_len)
		return false;
	return s->finish || !nghttp2_session_want_read(s->ng);
}

static bool write_pending(struct h2_session *s)
{
	size_t room = traffic_room(s->conn), n = room < s->pending_len ? room : s->pending_len;

	if (n) {
		traffic_send(s->conn, s->pending, n);
		s->pending += n;
		s->pending_len -= n;
	}
	if (s->pending_len && s->conn)
		traffic_reserve(s->conn, traffic_room(s->conn) + 1); /* for drained() */
	return !s->pending_len;
}

static ssize_t fill_pending(struct h2_session *s)
{
	ssize_t n = nghttp2_session_mem_send(s->ng, &s->pending);

	s->pending_len = n > 0 ? (size_t)n : 0;
	return n;
}

void h2_write(struct h2_session *s)
{
	ssize_t n = 0;

	if (!s->conn || !s->greeted)
		return;
	s->blocked = false;
	while (s->conn && (s->pending_len || (n = fill_pending(s)) > 0)) {
		if (!write_pending(s)) {
			s->blocked = true;
			return;
		}
	}
	if (s->conn && (n < 0 || is_over(s)))
		traffic_finish(s->conn, s->ending ? TRAFFIC_END_PROTOCOL : TRAFFIC_END_OURS);
}

/* All that comes after octets or time have had their effect. */
static void settle(struct h2_session *s)
{
	if (s->server && !s->finish)
		h2_server_hand_over(s);
	h2_client_finish_calls(s);
	if (s->peer_leaves && !s->told_leaving && s->conn) {
		s->told_leaving = true;
		if (s->terms->leaving)
			s->terms->leaving(s);
	}
	h2_write(s);
	h2_client_finish_calls(s); /* writing may have closed streams */
}

void h2_flush(struct h2_session *s)
{
	h2_enter(s);
	h2_write(s);
	h2_leave(s);
}

void h2_terminate(struct h2_session *s, uint32_t error_code, const char *why)
{
	s->ending = why;
	s->finish = true;
	nghttp2_session_terminate_session(s->ng, error_code);
}

/* --- in */

/* The client's preface.  1: it is there; 0: not whole yet; negative: something else. */
static int greet(struct h2_session *s, const uint8_t *octets, size_t len)
{
	size_t n = len < NGHTTP2_CLIENT_MAGIC_LEN ? len : NGHTTP2_CLIENT_MAGIC_LEN;

	if (!memcmp(octets, NGHTTP2_CLIENT_MAGIC, n)) {
		s->greeted = n == NGHTTP2_CLIENT_MAGIC_LEN;
		return s->greeted;
	}
	if (octets[0] >= 'A' && octets[0] <= 'Z') {
		s->ending = "speaks HTTP/1";
		s->terms->counters->http1++;
		traffic_send(s->conn, http1_answer, sizeof(http1_answer) - 1);
	} else {
		s->ending =
			octets[0] == TLS_HANDSHAKE ? "began with TLS on a port without it" : "speaks something else";
		s->terms->counters->no_preface++;
	}
	return -EPROTO;
}

static void calm(struct h2_session *s)
{
	s->terms->counters->calm[s->budget.cause]++;
	h2_terminate(s, NGHTTP2_ENHANCE_YOUR_CALM, calm_words[s->budget.cause]);
}

/* libnghttp2 reads no further. */
static void broken(struct h2_session *s, ssize_t error)
{
	if (error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h2_budget_charge(&s->budget, H2_CALM_CONTINUATION, H2_BUDGET + 1);
	else if (error == NGHTTP2_ERR_FLOODED)
		h2_budget_charge(&s->budget, H2_CALM_OTHER, H2_BUDGET + 1);
	if (s->budget.empty) {
		calm(s);
		return;
	}
	s->terms->counters->broken++;
	h2_terminate(s, error == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_PROTOCOL_ERROR,
		     "protocol violated");
}

static void end_now(struct h2_session *s, uint64_t *counter, enum traffic_end end, const char *why)
{
	(*counter)++;
	s->ending = why;
	traffic_close(s->conn, end);
}

/* False: the connection had to end, as what is in its send buffer cannot be taken back. */
static bool expire(struct h2_session *s)
{
	int64_t now = h2_now_us(s);

	if (!s->server) {
		h2_client_expire(s, now);
	} else if (h2_server_stuck(s, now)) {
		end_now(s, &s->terms->counters->stuck, TRAFFIC_END_STALLED, "did not take answers in time");
		return false;
	} else {
		h2_server_expire(s, now);
	}
	return true;
}

/* Something may have waited for the peer: not all of it may still leave. */
static bool expire_waiting(struct h2_session *s)
{
	return !h2_server_waits(s) || expire(s);
}

static void take(struct h2_session *s, const uint8_t *octets, size_t len)
{
	size_t skip = s->server && !s->walked ? NGHTTP2_CLIENT_MAGIC_LEN : 0;
	ssize_t n;

	s->walked = true;
	h2_budget_fill(&s->budget, h2_now_us(s));
	h2_budget_walk(&s->budget, octets + skip, len - skip);
	n = s->budget.empty ? 0 : nghttp2_session_mem_recv(s->ng, octets, len);
	if (n < 0)
		broken(s, n);
	else if (s->budget.empty)
		calm(s);
}

ssize_t h2_consume(struct h2_session *s, const uint8_t *octets, size_t len)
{
	int rc;

	if (!s->greeted) {
		rc = greet(s, octets, len);
		if (rc <= 0)
			return rc;
	}
	if (s->finish)
		return (ssize_t)len; /* it was told goodbye: nothing of it counts */
	if (s->blocked) {
		traffic_pause(s->conn);
		return 0;
	}
	h2_enter(s);
	s->pings = 0;
	if (expire_waiting(s)) {
		take(s, octets, len);
		settle(s);
	}
	h2_leave(s);
	return (ssize_t)len;
}

void h2_drained(struct h2_session *s)
{
	h2_enter(s);
	if (expire_waiting(s))
		h2_write(s);
	if (s->conn && !s->blocked)
		traffic_resume(s->conn);
	h2_leave(s);
}

/* --- time */

static void mind_silence(struct h2_session *s, int64_t now)
{
	int64_t heard = s->conn->heard_us > s->pinged_us ? s->conn->heard_us : s->pinged_us;

	if (s->blocked || now - heard < H2_SILENCE_S * 1000000ll)
		return; /* whom we do not listen to may be silent; traffic minds those who do not read */
	if (s->pings >= PINGS_MISSED) {
		end_now(s, &s->terms->counters->silent, TRAFFIC_END_SILENT, "did not answer PINGs");
		return;
	}
	s->pings++;
	s->pinged_us = now;
	nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL);
}

/* The second step, when what was on its way at the first one has arrived. */
static void say_goodbye(struct h2_session *s)
{
	s->goodbye = 2;
	nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng),
			      NGHTTP2_NO_ERROR, NULL, 0);
}

static void tick(struct h2_session *s, int64_t now)
{
	if (!s->settled && now - s->born_us >= H2_PREFACE_S * 1000000ll) {
		end_now(s, &s->terms->counters->no_preface, TRAFFIC_END_SILENT, "did not say its preface in time");
		return;
	}
	if (s->goodbye && now - s->goodbye_us >= H2_GOODBYE_S * 1000000ll) {
		traffic_finish(s->conn, TRAFFIC_END_OURS);
		return;
	}
	if (s->goodbye == 1)
		say_goodbye(s);
	if (expire(s))
		mind_silence(s, now);
	if (s->conn)
		settle(s);
}

void h2_tick(struct h2_session *s)
{
	int64_t now = h2_now_us(s);

	if (s->conn->connecting || s->conn->securing) {
		s->born_us = now;
		return;
	}
	h2_enter(s);
	h2_budget_fill(&s->budget, now);
	tick(s, now);
	h2_leave(s);
}

void h2_goodbye(struct h2_session *s)
{
	if (!s->conn || s->goodbye || s->finish)
		return;
	h2_enter(s);
	s->goodbye = 1;
	s->goodbye_us = h2_now_us(s);
	if (!s->settled) {
		traffic_finish(s->conn, TRAFFIC_END_OURS);
	} else if (!s->server) {
		say_goodbye(s);
		h2_write(s);
	} else {
		nghttp2_submit_shutdown_notice(s->ng);
		nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL); /* its answer: the notice was read */
		h2_write(s);
	}
	h2_leave(s);
}

void h2_ping_answered(struct h2_session *s)
{
	if (s->goodbye == 1)
		say_goodbye(s);
}
