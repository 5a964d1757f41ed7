/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Streams of HTTP/2, for both roles: what libnghttp2 tells of them becomes texts, bodies and states.
 *
 * Everything here runs inside of nghttp2_session_mem_recv or mem_send: it may submit frames, but neither hand over to
 * the interface (but for what it has to forget) nor end the connection. */
#include "gate/h2_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_OVERHEAD 32 /* RFC 9113 6.5.2 */
#define MORE_SIZE      (H2_FIELD_OCTETS + H2_FIELDS)
#define PATIENCE       4  /* so many times the bounds are read on to tell the peer 431; more is reset */

/* --- life */

struct h2_stream *h2_stream_alloc(struct h2_session *s, int32_t id)
{
	struct h2_stream *st;

	if (s->n_spare) {
		st = llist_first_entry(&s->spare, struct h2_stream, entry);
		llist_del(&st->entry);
		s->n_spare--;
	} else {
		st = malloc(sizeof(*st));
		if (!st)
			return NULL;
	}
	memset(st, 0, offsetof(struct h2_stream, text));
	st->session = s;
	st->id = id;
	st->request.header = st->header;
	st->request.begun_us = h2_now_us(s);
	INIT_LLIST_HEAD(&st->work);
	llist_add_tail(&st->entry, &s->streams);
	s->n_streams++;
	return st;
}

void h2_stream_forget(struct h2_stream *st)
{
	st->session->kept -= st->more ? MORE_SIZE : 0;
	free(st->more);
	free(st->body);
	st->more = st->body = NULL;
}

void h2_stream_free(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	llist_del(&st->entry);
	llist_del(&st->work);
	s->n_streams--;
	s->n_unsent -= s->server && st->state == H2_IS_ANSWERED;
	if (s->current == st)
		s->current = NULL;
	h2_stream_forget(st);
	free(st->out_owned);
	if (s->n_spare < STREAM_SPARE) {
		llist_add(&st->entry, &s->spare);
		s->n_spare++;
	} else {
		free(st);
	}
}

void h2_stream_reset(struct h2_stream *st, uint32_t error_code)
{
	struct h2_session *s = st->session;

	llist_del_init(&st->work);
	s->n_unsent -= s->server && st->state == H2_IS_ANSWERED;
	st->state = H2_IS_OVER;
	nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, error_code);
}

static struct h2_stream *find(struct h2_session *s, int32_t id)
{
	if (!id)
		return NULL;
	return s->current && s->current->id == id ? s->current : nghttp2_session_get_stream_user_data(s->ng, id);
}

/* --- header fields */

static char *room(struct h2_stream *st, size_t need)
{
	const size_t more_size = MORE_SIZE;
	struct h2_session *s = st->session;

	if (STREAM_TEXT - st->text_len >= need) {
		st->text_len += (uint32_t)need;
		return st->text + st->text_len - need;
	}
	if (!st->more && s->kept + more_size <= H2_KEPT_MAX) {
		st->more = malloc(more_size);
		s->kept += st->more ? more_size : 0;
	}
	if (!st->more || more_size - st->more_len < need)
		return NULL;
	st->more_len += (uint32_t)need;
	return st->more + st->more_len - need;
}

/* One that was there already is joined (RFC 9110 5.3). */
static bool keep(struct h2_stream *st, struct h2_text *text, const uint8_t *value, size_t len)
{
	size_t had = text->at ? text->len + 1 : 0;
	char *at = room(st, had + len + 1);

	if (!at)
		return false;
	if (had) {
		memcpy(at, text->at, text->len);
		at[text->len] = ',';
	}
	memcpy(at + had, value, len);
	at[had + len] = '\0';
	text->at = at;
	text->len = had + len;
	return true;
}

static bool is(const uint8_t *name, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(name, word, len);
}

static struct h2_text *wanted(struct h2_stream *st, const uint8_t *name, size_t len)
{
	const struct h2_session *s = st->session;

	if (name[0] == ':') {
		if (is(name, len, ":path"))
			return &st->request.path;
		if (is(name, len, ":method"))
			return &st->request.method;
		return is(name, len, ":authority") ? &st->request.authority : NULL;
	}
	for (unsigned i = 0; i < s->n_wanted; i++) {
		if (s->wanted_len[i] == len && !memcmp(name, s->terms->wanted[i], len))
			return &st->header[i];
	}
	return NULL;
}

static void cut_fields(struct h2_stream *st)
{
	if (!st->request.fields_cut)
		st->session->terms->counters->fields_cut++;
	st->request.fields_cut = true;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t value_len, uint8_t flags, void *data)
{
	struct h2_session *s = data;
	struct h2_stream *st = find(s, frame->hd.stream_id);
	struct h2_text *text;

	(void)ng, (void)flags;
	if (s->budget.empty)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (!st)
		return 0;
	st->n_fields++;
	st->field_octets += (uint32_t)(name_len + value_len + FIELD_OVERHEAD);
	if (st->n_fields > H2_FIELDS || st->field_octets > H2_FIELD_OCTETS) {
		cut_fields(st);
		if (st->n_fields <= PATIENCE * H2_FIELDS && st->field_octets <= PATIENCE * H2_FIELD_OCTETS)
			return 0;
		h2_budget_charge(&s->budget, H2_CALM_CONTINUATION, 4);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	if (st->trailer || !name_len)
		return 0;
	if (!s->server && is(name, name_len, ":status")) {
		st->status = (unsigned)strtoul((const char *)value, NULL, 10); /* three digits: libnghttp2 looked */
		return 0;
	}
	text = wanted(st, name, name_len);
	if (text && !keep(st, text, value, value_len))
		cut_fields(st);
	return 0;
}

/* An informational answer came before: what follows is the real one. */
static void forget_fields(struct h2_stream *st)
{
	memset(st->header, 0, sizeof(st->header));
	st->text_len = st->more_len = 0;
	st->status = 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
	struct h2_session *s = data;
	struct h2_stream *st;

	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (s->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		st = h2_stream_alloc(s, frame->hd.stream_id);
		if (!st)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, st);
	} else {
		st = find(s, frame->hd.stream_id);
		if (st && !s->server && st->status < 200)
			forget_fields(st);
		else if (st)
			st->trailer = true;
	}
	s->current = st;
	return 0;
}

/* --- bodies */

static bool keep_body(struct h2_stream *st, const uint8_t *octets, size_t len)
{
	size_t need = st->request.body.len + len + 1, size = st->body_size;
	char *body;

	if (need > size) {
		size = need < 1024 ? 1024 : 2 * need;
		body = realloc(st->body, size);
		if (!body)
			return false;
		st->body = body;
		st->body_size = (uint32_t)size;
	}
	memcpy(st->body + st->request.body.len, octets, len);
	st->request.body.len += len;
	st->body[st->request.body.len] = '\0';
	st->request.body.at = st->body;
	return true;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *octets, size_t len, void *data)
{
	struct h2_session *s = data;
	struct h2_stream *st = find(s, id);

	(void)ng, (void)flags;
	if (!st || st->request.body_cut)
		return 0;
	st->request.body_len += len;
	if (st->request.body_len <= s->terms->body_max && (!s->terms->keep_body || keep_body(st, octets, len)))
		return 0;
	st->request.body_cut = true;
	s->terms->counters->body_cut++;
	if (s->server)
		h2_server_whole(st);
	else
		nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
	return 0;
}

int h2_stream_keep_out(struct h2_stream *st, const void *octets, size_t len, bool constant)
{
	if (!constant && len) {
		st->out_owned = malloc(len);
		if (!st->out_owned)
			return -ENOMEM;
		memcpy(st->out_owned, octets, len);
		octets = st->out_owned;
	}
	st->out = octets;
	st->out_len = len;
	return 0;
}

ssize_t h2_stream_read_out(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t size, uint32_t *flags,
			   nghttp2_data_source *source, void *data)
{
	struct h2_stream *st = source->ptr;
	size_t n = st->out_len - st->out_at;

	(void)ng, (void)id, (void)data;
	n = n < size ? n : size;
	memcpy(buf, st->out + st->out_at, n);
	st->out_at += n;
	if (st->out_at == st->out_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

struct h2_field h2_field_of(const char *name, const char *value)
{
	return (struct h2_field){
		.name = name,
		.value = value,
		.name_len = (uint16_t)strlen(name),
		.value_len = (uint16_t)strlen(value),
	};
}

nghttp2_nv h2_nv(const struct h2_field *field)
{
	/* libnghttp2 takes octets without const, as it does for all fields; it writes none of them. */
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)field->name,
		.value = (uint8_t *)(uintptr_t)field->value,
		.namelen = field->name_len,
		.valuelen = field->value_len,
		.flags = field->constant ? NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
			 : field->again  ? NGHTTP2_NV_FLAG_NONE
					 : NGHTTP2_NV_FLAG_NO_INDEX,
	};
}

/* --- frames */

static void take_settings(struct h2_session *s, const nghttp2_frame *frame)
{
	if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
		s->settled = true;
}

static void take_end(struct h2_session *s, const nghttp2_frame *frame)
{
	struct h2_stream *st = find(s, frame->hd.stream_id);
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (!st)
		return;
	st->ended |= end;
	if (s->server && st->state == H2_IS_OPEN && (end || st->request.fields_cut))
		h2_server_whole(st);
	else if (!s->server && end && st->out_at < st->out_len)
		nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
	struct h2_session *s = data;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		take_end(s, frame);
		break;
	case NGHTTP2_RST_STREAM:
		s->terms->counters->resets_in++;
		break;
	case NGHTTP2_SETTINGS:
		take_settings(s, frame);
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			h2_ping_answered(s);
		break;
	case NGHTTP2_GOAWAY:
		s->peer_leaves = true;
		break;
	default:
		break;
	}
	return s->budget.empty ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *data)
{
	struct h2_session *s = data;

	(void)ng, (void)frame, (void)error;
	h2_budget_charge(&s->budget, H2_CALM_FAULT, 4);
	return 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *data)
{
	struct h2_session *s = data;
	struct h2_stream *st;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		if (!s->server || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
			break;
		st = find(s, frame->hd.stream_id);
		if (st)
			h2_server_written(st);
		if (st && !st->ended) /* answered before it was whole: the rest need not come */
			nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
		break;
	case NGHTTP2_RST_STREAM:
		s->terms->counters->resets_out++;
		h2_budget_charge(&s->budget, H2_CALM_RESET, 2);
		break;
	case NGHTTP2_GOAWAY:
		if (frame->goaway.error_code == NGHTTP2_NO_ERROR)
			break;
		if (!s->finish)
			s->terms->counters->broken++;
		s->finish = true;
		if (!s->ending)
			s->ending = "protocol violated";
		break;
	default:
		break;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error_code, void *data)
{
	struct h2_session *s = data;
	struct h2_stream *st = nghttp2_session_get_stream_user_data(ng, id);

	if (!st)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (s->server)
		h2_server_closed(st, error_code);
	else
		h2_client_closed(st, error_code);
	return 0;
}

int h2_callbacks(nghttp2_session_callbacks **out)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	*out = cb;
	return 0;
}
