/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The server's half of HTTP/2: whole requests to the interface, answers to libnghttp2. */
#include "gate/h2_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/traffic.h"

#define ANSWER_FIELDS 16

static struct h2_stream *stream_of(struct h2_request *request)
{
	return (struct h2_stream *)((char *)request - offsetof(struct h2_stream, request));
}

void h2_server_whole(struct h2_stream *st)
{
	if (st->state != H2_IS_OPEN)
		return;
	st->state = H2_IS_READY;
	llist_add_tail(&st->work, &st->session->ready);
}

static void forget(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	if (st->state == H2_IS_HANDED && s->terms->forgotten)
		s->terms->forgotten(s, &st->request);
}

void h2_server_closed(struct h2_stream *st, uint32_t error_code)
{
	if (st->state == H2_IS_ANSWERED && error_code == NGHTTP2_NO_ERROR)
		h2_budget_earn(&st->session->budget);
	forget(st);
	h2_stream_free(st);
}

void h2_server_gone(struct h2_session *s)
{
	struct h2_stream *st;

	llist_for_each_entry(st, &s->streams, entry) {
		forget(st);
		st->state = H2_IS_OVER;
	}
}

void h2_server_hand_over(struct h2_session *s)
{
	struct h2_request *batch[H2_BATCH];
	struct h2_stream *st;
	unsigned n;

	while (!llist_empty(&s->ready) && s->conn) {
		for (n = 0; n < H2_BATCH && !llist_empty(&s->ready); n++) {
			st = llist_first_entry(&s->ready, struct h2_stream, work);
			llist_del_init(&st->work);
			st->state = H2_IS_HANDED;
			if (!st->request.body.at)
				st->request.body.at = "";
			batch[n] = &st->request;
		}
		s->requests += n;
		s->terms->counters->requests += n;
		s->terms->requests(s, batch, n);
	}
}

/* --- answers */

static const struct {
	unsigned status;
	struct h2_field field;
} statuses[] = {
	{200, H2_FIELD(":status", "200")}, {400, H2_FIELD(":status", "400")}, {401, H2_FIELD(":status", "401")},
	{403, H2_FIELD(":status", "403")}, {404, H2_FIELD(":status", "404")}, {405, H2_FIELD(":status", "405")},
	{406, H2_FIELD(":status", "406")}, {413, H2_FIELD(":status", "413")}, {414, H2_FIELD(":status", "414")},
	{429, H2_FIELD(":status", "429")}, {431, H2_FIELD(":status", "431")}, {500, H2_FIELD(":status", "500")},
	{503, H2_FIELD(":status", "503")}, {504, H2_FIELD(":status", "504")},
};

static nghttp2_nv status_nv(unsigned status, char text[static 4])
{
	struct h2_field field = {.name = ":status", .name_len = 7, .value = text, .value_len = 3};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].status == status)
			return h2_nv(&statuses[i].field);
	}
	snprintf(text, 4, "%03u", status % 1000);
	return h2_nv(&field);
}

/* 0, or libnghttp2's error. */
static int submit(struct h2_stream *st, const struct h2_answer *answer)
{
	nghttp2_data_provider provider = {.source.ptr = st, .read_callback = h2_stream_read_out};
	nghttp2_nv nv[1 + ANSWER_FIELDS];
	char text[4];
	unsigned n = answer->n_fields < ANSWER_FIELDS ? answer->n_fields : ANSWER_FIELDS;

	if (h2_stream_keep_out(st, answer->body, answer->body_len, answer->body_constant))
		return NGHTTP2_ERR_NOMEM;
	nv[0] = status_nv(answer->status, text);
	for (unsigned i = 0; i < n; i++)
		nv[1 + i] = h2_nv(&answer->fields[i]);
	return nghttp2_submit_response(st->session->ng, st->id, nv, 1 + n, answer->body_len ? &provider : NULL);
}

void h2_respond(struct h2_session *s, struct h2_request *request, const struct h2_answer *answer)
{
	struct h2_stream *st = stream_of(request);

	if (st->state != H2_IS_HANDED)
		return;
	st->deadline_us = answer->deadline_us;
	if (submit(st, answer)) {
		h2_stream_reset(st, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	st->state = H2_IS_ANSWERED;
	s->n_unsent++;
	h2_stream_forget(st);
}

/* --- time */

static void forget_marks(struct h2_session *s)
{
	while (s->mark[0].deadline_us && s->conn->octets_out >= s->mark[0].until) {
		s->mark[0] = s->mark[1];
		s->mark[1] = (struct h2_mark){0};
	}
}

/* Two marks are enough: what is called stuck by mistake has left, but within the time that the buffer takes to empty,
 * and that is longer than half of what the answer had. */
void h2_server_written(const struct h2_stream *st)
{
	struct h2_session *s = st->session;
	struct h2_mark *mark;

	if (!st->deadline_us || !s->conn)
		return;
	forget_marks(s);
	mark = &s->mark[s->mark[0].deadline_us != 0];
	mark->until = s->conn->octets_out + s->conn->out_size - traffic_room(s->conn);
	if (!mark->deadline_us || st->deadline_us < mark->deadline_us)
		mark->deadline_us = st->deadline_us;
}

bool h2_server_waits(struct h2_session *s)
{
	forget_marks(s);
	return s->n_unsent || s->mark[0].deadline_us;
}

bool h2_server_stuck(struct h2_session *s, int64_t now_us)
{
	forget_marks(s);
	for (unsigned i = 0; i < 2; i++) {
		if (s->mark[i].deadline_us && now_us > s->mark[i].deadline_us)
			return true;
	}
	return false;
}

static void expire(struct h2_stream *st, int64_t now_us)
{
	struct h2_counters *counters = st->session->terms->counters;
	bool old = now_us - st->request.begun_us >= H2_STREAM_S * 1000000ll;

	switch (st->state) {
	case H2_IS_OPEN:
		if (!old)
			return;
		counters->incomplete++;
		break;
	case H2_IS_ANSWERED:
		if (!old && !(st->deadline_us && now_us > st->deadline_us))
			return;
		counters->untaken++;
		break;
	case H2_IS_HANDED:
		if (!old)
			return;
		forget(st);
		break;
	default:
		return;
	}
	h2_stream_reset(st, NGHTTP2_CANCEL);
}

void h2_server_expire(struct h2_session *s, int64_t now_us)
{
	struct h2_stream *st;

	llist_for_each_entry(st, &s->streams, entry)
		expire(st, now_us);
}
