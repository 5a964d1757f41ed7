/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The life of a request: read, checked, matched, handed to its route, answered, gone.  Never looks into a body. */
#include "keeper/http_inside.h"

#include <osmocom/core/logging.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/daemon.h"
#include "keeper/main.h"

#define FLOOR_RATE   4096 /* octets a second that a transfer must make after its grace */
#define PAUSE_GRACES 6    /* a transfer may pause for so many times the request's time-out */
#define STREAM_BLOCK 32768
#define DRAIN_MAX    (1u << 20) /* of a body that nobody wants: read so that the client gets to read our answer */
#define IDLE_S       15

static const char *const method_names[HTTP_N_METHODS] = {
	[HTTP_GET] = MHD_HTTP_METHOD_GET,
	[HTTP_PUT] = MHD_HTTP_METHOD_PUT,
	[HTTP_POST] = MHD_HTTP_METHOD_POST,
	[HTTP_DELETE] = MHD_HTTP_METHOD_DELETE,
};

static void resume(struct http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->mhd);
	http_again(request->http);
}

/* So many octets since since_us: when must the next ones have come, at the lowest rate and after the longest pause that
 * we suffer? */
static int64_t transfer_deadline(const struct http_request *request, uint64_t octets)
{
	int64_t grace = http_grace_us(request->http);
	int64_t by_rate = request->since_us + grace + (int64_t)(octets * 1000000 / FLOOR_RATE);
	int64_t by_pause = daemon_mono_us() + PAUSE_GRACES * grace;

	return by_rate < by_pause ? by_rate : by_pause;
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static void add_headers(struct http_request *request, struct MHD_Response *response, const char *type)
{
	if (type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	for (unsigned i = 0; i < request->n_headers; i++)
		MHD_add_response_header(response, request->header[i].name, request->header[i].value);
}

static void answer_with(struct http_request *request, unsigned status, const char *type, struct MHD_Response *response)
{
	if (request->response) { /* our own mistake: the first answer stands */
		LOGP(DHTTP, LOGL_ERROR, "second answer (%u) to one request\n", status);
		if (response)
			MHD_destroy_response(response);
		return;
	}
	if (!response) { /* no memory for an answer: the client sees the connection end */
		request->broken = true;
	} else {
		add_headers(request, response, type);
		request->response = response;
		request->status = status;
		if (status < 600)
			request->http->stats.status[status]++;
	}
	resume(request);
}

void http_header(struct http_request *request, const char *name, const char *value)
{
	if (request->n_headers == sizeof(request->header) / sizeof(request->header[0]))
		return;
	request->header[request->n_headers].name = name;
	snprintf(request->header[request->n_headers].value, sizeof(request->header[0].value), "%s", value);
	request->n_headers++;
}

void http_answer(struct http_request *request, unsigned status, const char *type, const char *text, size_t len)
{
	answer_with(request, status, type,
		    MHD_create_response_from_buffer(len, (void *)(uintptr_t)(len ? text : ""), MHD_RESPMEM_MUST_COPY));
}

static ssize_t stream_cb(void *data, uint64_t pos, char *buf, size_t size)
{
	struct http_request *request = data;
	ssize_t n;

	if (request->http->closing)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	request->sent = pos;
	request->connection->deadline_us = transfer_deadline(request, pos);
	n = request->stream(request, buf, size);
	if (n >= 0)
		return n;
	if (n == HTTP_STREAM_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == HTTP_STREAM_BROKEN)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	request->connection->deadline_us = 0;
	request->suspended = true;
	MHD_suspend_connection(request->mhd);
	return 0;
}

/* The library ends a chunked answer to HEAD with a last chunk, which the client would read as the beginning of the next
 * answer: such an answer is not chunked, and the connection ends behind it. */
static struct MHD_Response *without_chunks(struct MHD_Response *response)
{
	if (response && MHD_set_response_options(response, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END) != MHD_YES) {
		MHD_destroy_response(response);
		return NULL;
	}
	return response;
}

void http_answer_stream(struct http_request *request, unsigned status, const char *type, http_stream_fn *fn)
{
	struct MHD_Response *response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_cb, request, NULL);

	request->stream = fn;
	answer_with(request, status, type, request->head ? without_chunks(response) : response);
}

void http_wake(struct http_request *request)
{
	/* what we waited for is not the client's time: his grace begins anew */
	if (request->suspended)
		request->since_us = daemon_mono_us() - (int64_t)(request->sent * 1000000 / FLOOR_RATE);
	resume(request);
}

static enum MHD_Result queue_answer(struct http_request *request)
{
	request->queued = true;
	request->since_us = daemon_mono_us();
	request->connection->deadline_us = transfer_deadline(request, 0);
	return MHD_queue_response(request->mhd, request->status, request->response);
}

static void refuse(struct http_request *request, unsigned status, const char *code, const char *sentence)
{
	if (!request->response)
		request->http->spec.problem(request, status, code, sentence);
}

/* A request that cannot be trusted to end where we think: nothing after it on this connection. */
static void refuse_and_close(struct http_request *request, unsigned status, const char *code, const char *sentence)
{
	http_header(request, MHD_HTTP_HEADER_CONNECTION, "close");
	refuse(request, status, code, sentence);
}

/* --- a request's life ------------------------------------------------------------------------------------------- */

void *http_uri_cb(void *data, const char *uri, struct MHD_Connection *mhd)
{
	struct http *http = data;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_request *request;

	if (!info || !info->socket_context)
		return NULL;
	request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->http = http;
	request->mhd = mhd;
	request->connection = info->socket_context;
	request->connection->deadline_us = daemon_mono_us() + http_grace_us(http);
	request->connection->request = request;
	request->uri_err = http_target_parse(uri, &request->target, &request->uri_why);
	llist_add_tail(&request->entry, &http->requests);
	return request;
}

/* The library must not decode: http_target does. */
size_t http_no_unescape_cb(void *data, struct MHD_Connection *mhd, char *text)
{
	(void)data;
	(void)mhd;
	return strlen(text);
}

static enum MHD_Result header_cb(void *data, enum MHD_ValueKind kind, const char *name, size_t name_len,
				 const char *value, size_t value_len)
{
	struct http_request *request = data;

	(void)kind;
	return http_guard_header(&request->guard, name, name_len, value ? value : "", value_len) ? MHD_YES : MHD_NO;
}

static int method_of(const char *name)
{
	if (!strcmp(name, MHD_HTTP_METHOD_HEAD))
		return HTTP_GET;
	for (int i = 0; i < HTTP_N_METHODS; i++) {
		if (!strcmp(method_names[i], name))
			return i;
	}
	return -1;
}

static void find_route(struct http_request *request, const char *method_name)
{
	const struct http_spec *spec = &request->http->spec;
	int method = method_of(method_name);
	char allowed[64] = "";

	for (unsigned i = 0; i < spec->n_routes && !request->route; i++) {
		const struct http_route *route = &spec->routes[i];

		if (!http_target_matches(&request->target, route->path))
			continue;
		if ((int)route->method == method)
			request->route = route;
		else
			snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
				 *allowed ? ", " : "", method_names[route->method]);
	}
	if (request->route)
		return;
	if (!*allowed) {
		refuse(request, MHD_HTTP_NOT_FOUND, "no-such-route", "there is nothing at this path");
		return;
	}
	http_header(request, MHD_HTTP_HEADER_ALLOW, allowed);
	refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "this path does not know that method; see Allow");
}

static void check_right(struct http_request *request)
{
	enum http_right right = http_peer_right(&request->connection->peer, &request->http->access);

	if (right >= request->route->right)
		return;
	if (request->route->right == HTTP_WRITE)
		refuse(request, MHD_HTTP_FORBIDDEN, "no-right-to-write",
		       "this user may not change anything here; 'allow' in the keeper's node 'api' would let him");
	else
		refuse(request, MHD_HTTP_FORBIDDEN, "no-right-to-read",
		       "this user may not ask anything here; 'allow' in the keeper's node 'api' would let him");
}

static uint64_t announced_length(const struct http_request *request)
{
	const char *text = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return text ? strtoull(text, NULL, 10) : 0;
}

static bool is_over(const struct http_request *request, uint64_t octets)
{
	const struct http_route *route = request->route;

	return octets > route->body_max && (!route->body || route->body_max);
}

static void check_head(struct http_request *request, const char *method)
{
	const char *fault;

	MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, header_cb, request);
	fault = http_guard_fault(&request->guard);
	if (fault)
		refuse_and_close(request, MHD_HTTP_BAD_REQUEST, "malformed", fault);
	else if (request->uri_err == -ENAMETOOLONG)
		refuse_and_close(request, MHD_HTTP_URI_TOO_LONG, "target-too-long", request->uri_why.text);
	else if (request->uri_err)
		refuse_and_close(request, MHD_HTTP_BAD_REQUEST, "malformed", request->uri_why.text);
	else if (request->http->closing)
		refuse_and_close(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", "the keeper is stopping");
	if (!request->response)
		find_route(request, method);
	if (!request->response)
		check_right(request);
	if (!request->response && is_over(request, announced_length(request)))
		refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large", "the body is larger than this path takes");
}

/* First call for a request: the head is in.  An answer that is ready goes out now where the client waits for a word
 * before it sends its body, or where the body is too long to be read for nothing; otherwise after the body. */
static enum MHD_Result begin_request(struct http_request *request, const char *method)
{
	request->begun = true;
	request->head = !strcmp(method, MHD_HTTP_METHOD_HEAD);
	check_head(request, method);
	if (!request->response && request->route->begin) {
		request->opened = true;
		request->route->begin(request);
	}
	request->since_us = daemon_mono_us();
	request->connection->deadline_us = transfer_deadline(request, 0);
	if (!request->response)
		return MHD_YES;
	if (request->guard.fault || request->guard.expects || (!request->guard.lengths && !request->guard.codings) ||
	    http_guard_fault(&request->guard) || announced_length(request) > DRAIN_MAX)
		return queue_answer(request);
	return MHD_YES;
}

static void collect(struct http_request *request, const char *bytes, size_t len)
{
	char *body;

	if (is_over(request, request->received)) {
		refuse_and_close(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
				 "the body is larger than this path takes");
		return;
	}
	body = realloc(request->body, request->body_len + len + 1);
	if (!body) {
		refuse(request, MHD_HTTP_INSUFFICIENT_STORAGE, "memory", "no memory for the body");
		return;
	}
	memcpy(body + request->body_len, bytes, len);
	request->body = body;
	request->body_len += len;
	body[request->body_len] = '\0';
}

static enum MHD_Result feed_request(struct http_request *request, const char *bytes, size_t *len)
{
	size_t n = *len;

	*len = 0;
	request->received += n;
	request->connection->deadline_us = transfer_deadline(request, request->received);
	if (request->response) {
		/* refused already, and he goes on sending: for a while, for the sake of the answer */
		return !request->opened && request->received > DRAIN_MAX ? MHD_NO : MHD_YES;
	}
	if (!request->route->body)
		collect(request, bytes, n);
	else if (is_over(request, request->received))
		refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "too-large", "the body is larger than this path takes");
	else
		request->route->body(request, bytes, n);
	return MHD_YES;
}

static enum MHD_Result end_request(struct http_request *request)
{
	if (!request->response && !request->handled) {
		request->handled = true;
		request->opened = true;
		request->route->handle(request);
	}
	if (request->broken)
		return MHD_NO;
	if (request->response)
		return queue_answer(request);
	request->connection->deadline_us = 0;
	request->suspended = true;
	MHD_suspend_connection(request->mhd);
	return MHD_YES;
}

enum MHD_Result http_access_cb(void *data, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *bytes, size_t *len, void **slot)
{
	struct http_request *request = *slot;

	(void)data;
	(void)mhd;
	(void)url;
	(void)version;
	if (!request || !request->connection)
		return MHD_NO;
	if (!request->begun)
		return begin_request(request, method);
	if (*len)
		return feed_request(request, bytes, len);
	if (request->queued)
		return MHD_YES;
	return end_request(request);
}

void http_completed_cb(void *data, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *slot;

	(void)data;
	(void)mhd;
	(void)code;
	if (!request)
		return;
	*slot = NULL;
	llist_del(&request->entry);
	if (request->opened && request->route->gone)
		request->route->gone(request);
	if (request->response)
		MHD_destroy_response(request->response);
	request->connection->request = NULL;
	request->connection->idle_us = daemon_mono_us();
	request->connection->deadline_us = request->connection->idle_us + (int64_t)IDLE_S * 1000000;
	free(request->body);
	free(request);
}

void *http_root(const struct http_request *request)
{
	return request->http->spec.root;
}

const struct http_target *http_target(const struct http_request *request)
{
	return &request->target;
}

const struct http_peer *http_peer(const struct http_request *request)
{
	return &request->connection->peer;
}

const char *http_body(const struct http_request *request, size_t *len)
{
	*len = request->body_len;
	return request->body ? request->body : "";
}

bool http_accepts(const struct http_request *request, const char *type)
{
	const char *accept = MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, type);
}

void **http_data(struct http_request *request)
{
	return &request->data;
}

bool http_hung_up(const struct http_request *request)
{
	struct pollfd fd = {.fd = request->connection->fd};

	return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLHUP | POLLERR));
}

bool http_answered(const struct http_request *request)
{
	return request->response;
}

void http_request_end(struct http_request *request)
{
	if (!request->suspended)
		return;
	if (request->response) {
		shutdown(request->connection->fd, SHUT_RDWR);
		resume(request);
	} else {
		refuse_and_close(request, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", "the keeper is stopping");
	}
}
