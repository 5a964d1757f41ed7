/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The client's half of HTTP/2: calls and their replies.  done() is never called from within libnghttp2: replies wait in
 * session.done until it has returned. */
#include "gate/h2_inside.h"

#include <errno.h>
#include <string.h>

#include "gate/traffic.h"

#define CALL_FIELDS 24

static const char *const outcome_names[H2_N_OUTCOMES] = {
	[H2_ANSWERED] = "answered", [H2_REFUSED] = "refused", [H2_RESET] = "reset",
	[H2_LATE] = "no answer",    [H2_CUT] = "too long",    [H2_GONE] = "connection ended",
};

const char *h2_outcome_name(enum h2_outcome outcome)
{
	return (unsigned)outcome < H2_N_OUTCOMES ? outcome_names[outcome] : "?";
}

static int32_t submit(struct h2_stream *st, const struct h2_call *call)
{
	nghttp2_data_provider provider = {.source.ptr = st, .read_callback = h2_stream_read_out};
	const struct h2_field pseudo[] = {
		h2_field_of(":method", call->method),
		h2_field_of(":scheme", call->scheme),
		h2_field_of(":authority", call->authority),
		h2_field_of(":path", call->path),
	};
	nghttp2_nv nv[4 + CALL_FIELDS];

	for (unsigned i = 0; i < 4; i++)
		nv[i] = h2_nv(&pseudo[i]);
	for (unsigned i = 0; i < call->n_fields; i++)
		nv[4 + i] = h2_nv(&call->fields[i]);
	return nghttp2_submit_request(st->session->ng, NULL, nv, 4 + call->n_fields, call->body_len ? &provider : NULL,
				      st);
}

static bool is_crowded(const struct h2_session *s)
{
	uint32_t theirs = nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return s->n_streams >= H2_STREAMS || s->n_streams >= theirs;
}

int h2_call(struct h2_session *s, const struct h2_call *call)
{
	struct h2_stream *st;

	if (!s->conn || s->server || h2_leaving(s))
		return -ENOTCONN;
	if (call->n_fields > CALL_FIELDS || !call->done)
		return -EINVAL;
	if (is_crowded(s))
		return -ENOBUFS;
	st = h2_stream_alloc(s, 0);
	if (!st)
		return -ENOMEM;
	if (h2_stream_keep_out(st, call->body, call->body_len, false) == 0)
		st->id = submit(st, call);
	if (st->id <= 0) {
		h2_stream_free(st);
		return -ENOMEM;
	}
	st->done = call->done;
	st->data = call->data;
	st->deadline_us = h2_now_us(s) + call->timeout_ms * 1000ll;
	s->requests++;
	s->terms->counters->requests++;
	return 0;
}

/* --- replies */

static void settle(struct h2_stream *st, enum h2_outcome outcome)
{
	st->outcome = outcome;
	st->state = H2_IS_OVER;
	llist_del(&st->work);
	llist_add_tail(&st->work, &st->session->done);
}

void h2_client_closed(struct h2_stream *st, uint32_t error_code)
{
	enum h2_outcome outcome = H2_RESET;

	st->closed = true;
	if (st->request.fields_cut || st->request.body_cut)
		outcome = H2_CUT;
	else if (st->ended && st->status >= 200)
		outcome = H2_ANSWERED;
	else if (error_code == NGHTTP2_REFUSED_STREAM)
		outcome = H2_REFUSED;
	if (error_code == NGHTTP2_NO_ERROR)
		h2_budget_earn(&st->session->budget);
	settle(st, outcome);
}

static void tell(struct h2_stream *st, enum h2_outcome outcome)
{
	struct h2_reply reply = {
		.outcome = outcome,
		.status = st->status,
		.header = st->header,
		.body = st->request.body,
	};
	h2_done_fn *done = st->done;

	st->done = NULL;
	if (!reply.body.at)
		reply.body.at = "";
	if (done)
		done(st->data, &reply);
}

void h2_client_finish_calls(struct h2_session *s)
{
	while (!llist_empty(&s->done)) {
		struct h2_stream *st = llist_first_entry(&s->done, struct h2_stream, work);
		llist_del_init(&st->work);
		tell(st, st->outcome);
		if (st->closed) /* else libnghttp2 still knows it */
			h2_stream_free(st);
	}
}

void h2_client_expire(struct h2_session *s, int64_t now_us)
{
	struct h2_stream *st;

	llist_for_each_entry(st, &s->streams, entry) {
		if (st->state == H2_IS_OVER || now_us < st->deadline_us)
			continue;
		nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
		settle(st, H2_LATE);
	}
}

void h2_client_gone(struct h2_session *s)
{
	struct h2_stream *st;

	/* done() finds no connection any more, so that none is added; h2_forget may take some from under us */
	llist_for_each_entry(st, &s->streams, entry)
		tell(st, st->state == H2_IS_OVER ? st->outcome : H2_GONE);
}

unsigned h2_forget(struct h2_session *s, const void *data)
{
	struct h2_stream *st;
	unsigned n = 0;

	llist_for_each_entry(st, &s->streams, entry) {
		if (!st->done || st->data != data)
			continue;
		st->done = NULL;
		n++;
		if (st->state != H2_IS_OVER && s->conn)
			nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
	}
	return n;
}
