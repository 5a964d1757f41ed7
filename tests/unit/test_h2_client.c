/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/h2 as a client: each outcome of a call, with a server of the same code or one that the test plays. */
#include "gate/h2.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/traffic.h"
#include "rows.h"

#define SMALL 1000 /* body_max */

static const char *const wanted[] = {"x-echo", "content-type", NULL};

/* Both ends in one set of sockets. */
struct stage {
	struct traffic *traffic;
	int64_t now_us;
	struct h2_counters counters[2];
	struct h2_terms server_terms, client_terms;
	struct h2_session *server, *client;
	struct traffic_conn *server_conn, *client_conn;
	struct h2_request *held[128]; /* not answered yet */
	unsigned n_held, n_forgotten, n_leaving;
	bool hold, close_in_done;
	unsigned outcome[H2_N_OUTCOMES], n_done;
	unsigned status;
	char header[64], body[SMALL + 1];
};

static struct stage *on_stage; /* hooks of traffic have no place for it before data is set */

static ssize_t server_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	(void)conn;
	return h2_consume(on_stage->server, octets, len);
}

static void server_tick(struct traffic_conn *conn)
{
	(void)conn;
	h2_tick(on_stage->server);
}

static void server_drained(struct traffic_conn *conn)
{
	(void)conn;
	h2_drained(on_stage->server);
}

static void server_closed(struct traffic_conn *conn, enum traffic_end end)
{
	(void)conn, (void)end;
	h2_free(on_stage->server);
	on_stage->server = NULL;
	on_stage->server_conn = NULL;
}

static ssize_t client_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	(void)conn;
	return h2_consume(on_stage->client, octets, len);
}

static void client_tick(struct traffic_conn *conn)
{
	(void)conn;
	h2_tick(on_stage->client);
}

static void client_drained(struct traffic_conn *conn)
{
	(void)conn;
	h2_drained(on_stage->client);
}

static void client_closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct h2_session *client = on_stage->client;

	(void)conn, (void)end;
	on_stage->client = NULL;
	on_stage->client_conn = NULL;
	h2_free(client);
}

static const struct traffic_kind server_kind = {
	.name = "server",
	.in_size = H2_IN_SIZE,
	.out_size = H2_OUT_SIZE,
	.consume = server_consume,
	.drained = server_drained,
	.tick = server_tick,
	.closed = server_closed,
};

static const struct traffic_kind client_kind = {
	.name = "client",
	.in_size = H2_IN_SIZE,
	.out_size = H2_OUT_SIZE,
	.consume = client_consume,
	.drained = client_drained,
	.tick = client_tick,
	.closed = client_closed,
};

/* --- the server: echoes, or holds what it gets */

static void echo(struct stage *stage, struct h2_request *request)
{
	const struct h2_field fields[] = {
		{.name = "x-echo", .name_len = 6, .value = request->path.at, .value_len = (uint16_t)request->path.len},
		H2_FIELD("content-type", "text/plain"),
	};
	const struct h2_answer answer = {
		.status = 201,
		.fields = fields,
		.n_fields = 2,
		.body = request->body.at,
		.body_len = request->body.len,
	};

	h2_respond(stage->server, request, &answer);
}

static void requests(struct h2_session *session, struct h2_request *const *request, unsigned n)
{
	struct stage *stage = h2_data(session);

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(request[i]->header[1].len, request[i]->header[1].at ? 16 : 0);
		if (stage->hold && stage->n_held < N_ROWS(stage->held))
			stage->held[stage->n_held++] = request[i];
		else
			echo(stage, request[i]);
	}
}

static void forgotten(struct h2_session *session, struct h2_request *request)
{
	struct stage *stage = h2_data(session);

	stage->n_forgotten++;
	for (unsigned i = 0; i < stage->n_held; i++) {
		if (stage->held[i] == request)
			stage->held[i] = stage->held[--stage->n_held];
	}
}

static void leaving(struct h2_session *session)
{
	struct stage *stage = h2_data(session);

	stage->n_leaving++;
}

/* --- stage */

static void settle(struct stage *stage)
{
	struct pollfd pfd = {.fd = traffic_fd(stage->traffic), .events = POLLIN};

	traffic_flush(stage->traffic);
	for (unsigned quiet = 0; quiet < 2;)
		quiet = traffic_turn(stage->traffic, stage->now_us) ? 0 : quiet + (poll(&pfd, 1, 1) == 0);
}

static void pass(struct stage *stage, unsigned s)
{
	settle(stage);
	for (; s; s--) {
		stage->now_us += 1000000;
		traffic_tick(stage->traffic, stage->now_us);
		settle(stage);
	}
}

static int begin(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	int pair[2];

	on_stage = stage;
	stage->now_us = 1000000000;
	stage->traffic = traffic_alloc(NULL, NULL, NULL);
	traffic_turn(stage->traffic, stage->now_us);
	stage->server_terms = (struct h2_terms){.wanted = wanted,
						.body_max = 2 * SMALL,
						.keep_body = true,
						.counters = &stage->counters[0],
						.requests = requests,
						.forgotten = forgotten};
	stage->client_terms = (struct h2_terms){.wanted = wanted,
						.body_max = SMALL,
						.keep_body = true,
						.counters = &stage->counters[1],
						.leaving = leaving};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stage->server_conn = traffic_adopt(stage->traffic, &server_kind, NULL, pair[0]);
	stage->client_conn = traffic_adopt(stage->traffic, &client_kind, NULL, pair[1]);
	stage->server = h2_server_alloc(stage->server_conn, &stage->server_terms, stage);
	stage->client = h2_client_alloc(stage->client_conn, &stage->client_terms, stage);
	assert_non_null(stage->server);
	assert_non_null(stage->client);
	*state = stage;
	return 0;
}

static int end(void **state)
{
	struct stage *stage = *state;

	traffic_free(stage->traffic);
	assert_null(stage->client);
	free(stage);
	return 0;
}

/* --- calls */

static void done(void *data, const struct h2_reply *reply)
{
	struct stage *stage = on_stage;

	(void)data;
	stage->n_done++;
	stage->outcome[reply->outcome]++;
	stage->status = reply->status;
	snprintf(stage->header, sizeof(stage->header), "%s", reply->header[0].at ? reply->header[0].at : "");
	assert_in_range(reply->body.len, 0, SMALL);
	memcpy(stage->body, reply->body.at, reply->body.len + 1);
	if (stage->close_in_done && stage->client_conn)
		traffic_close(stage->client_conn, TRAFFIC_END_OURS);
}

static int call(struct stage *stage, const char *path, const char *body, unsigned timeout_ms, void *data)
{
	static const struct h2_field fields[] = {H2_FIELD("content-type", "application/json")};
	const struct h2_call c = {
		.method = body ? "PUT" : "GET",
		.scheme = "http",
		.authority = "nrf",
		.path = path,
		.fields = fields,
		.n_fields = 1,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = timeout_ms,
		.done = done,
		.data = data,
	};
	int rc = stage->client ? h2_call(stage->client, &c) : -ENOTCONN;

	if (rc == 0)
		h2_flush(stage->client);
	return rc;
}

static void test_answered(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(call(stage, "/one", "a body", 1000, NULL), 0);
	assert_int_equal(stage->n_done, 0);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
	assert_int_equal(stage->status, 201);
	assert_string_equal(stage->header, "/one");
	assert_string_equal(stage->body, "a body");
	assert_int_equal(call(stage, "/two", NULL, 1000, NULL), 0);
	settle(stage);
	assert_string_equal(stage->header, "/two");
	assert_string_equal(stage->body, "");
	assert_int_equal(stage->counters[0].requests, 2);
	pass(stage, 100); /* PINGs are answered */
	assert_non_null(stage->client_conn);
	assert_int_equal(stage->n_done, 2);
}

static void test_long_bodies(void **state)
{
	struct stage *stage = *state;
	char body[2 * SMALL + 2] = "";

	memset(body, 'x', SMALL);
	assert_int_equal(call(stage, "/", body, 1000, NULL), 0);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
	assert_string_equal(stage->body, body);
	body[SMALL] = 'x'; /* one more than the client takes */
	assert_int_equal(call(stage, "/", body, 1000, NULL), 0);
	settle(stage);
	assert_int_equal(stage->outcome[H2_CUT], 1);
	assert_int_equal(call(stage, "/after", NULL, 1000, NULL), 0);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 2);
}

static void test_late(void **state)
{
	struct stage *stage = *state;

	stage->hold = true;
	assert_int_equal(call(stage, "/", NULL, 2000, NULL), 0);
	pass(stage, 1);
	assert_int_equal(stage->n_done, 0);
	assert_int_equal(stage->n_held, 1);
	pass(stage, 1);
	assert_int_equal(stage->outcome[H2_LATE], 1);
	assert_int_equal(stage->n_forgotten, 1); /* the server hears of it */
	assert_int_equal(stage->n_held, 0);
	stage->hold = false;
	assert_int_equal(call(stage, "/after", NULL, 1000, NULL), 0);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
	assert_int_equal(h2_streams(stage->client), 0);
}

/* What the server answers after it was given up is nobody's. */
static void test_held_then_answered(void **state)
{
	struct stage *stage = *state;

	stage->hold = true;
	assert_int_equal(call(stage, "/", NULL, 8000, NULL), 0);
	pass(stage, 3);
	assert_int_equal(stage->n_held, 1);
	echo(stage, stage->held[0]);
	stage->n_held = 0;
	h2_flush(stage->server);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
}

static void test_reset(void **state)
{
	struct stage *stage = *state;

	stage->hold = true;
	assert_int_equal(call(stage, "/", NULL, 60000, NULL), 0);
	pass(stage, H2_STREAM_S); /* the server gives up */
	assert_int_equal(stage->n_forgotten, 1);
	assert_int_equal(stage->outcome[H2_RESET], 1);
}

static void test_gone(void **state)
{
	struct stage *stage = *state;

	stage->hold = true;
	assert_int_equal(call(stage, "/a", NULL, 5000, NULL), 0);
	assert_int_equal(call(stage, "/b", NULL, 5000, NULL), 0);
	settle(stage);
	traffic_close(stage->server_conn, TRAFFIC_END_OURS);
	settle(stage);
	assert_int_equal(stage->outcome[H2_GONE], 2);
	assert_int_equal(stage->n_forgotten, 2);
	assert_null(stage->client_conn);
}

/* The server leaves: what it has is answered, what comes then is refused here. */
static void test_server_leaves(void **state)
{
	struct stage *stage = *state;

	stage->hold = true;
	assert_int_equal(call(stage, "/", NULL, 5000, NULL), 0);
	settle(stage);
	h2_goodbye(stage->server);
	settle(stage);
	assert_int_equal(stage->n_leaving, 1);
	assert_true(h2_leaving(stage->client));
	assert_int_equal(call(stage, "/", NULL, 5000, NULL), -ENOTCONN);
	echo(stage, stage->held[0]);
	h2_flush(stage->server);
	settle(stage);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
	assert_null(stage->client_conn); /* nothing is left to be done */
	assert_null(stage->server_conn);
}

static void test_client_leaves(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(call(stage, "/", NULL, 5000, NULL), 0);
	settle(stage);
	h2_goodbye(stage->client);
	settle(stage);
	assert_null(stage->client_conn);
	assert_int_equal(stage->outcome[H2_ANSWERED], 1);
}

static void test_as_many_as_allowed(void **state)
{
	struct stage *stage = *state;
	unsigned n;

	stage->hold = true;
	for (n = 0; n < 300 && call(stage, "/", NULL, 5000, NULL) == 0; n++)
		settle(stage);
	assert_int_equal(n, H2_STREAMS);
	assert_int_equal(call(stage, "/", NULL, 5000, NULL), -ENOBUFS);
	pass(stage, 5);
	assert_int_equal(stage->n_held, 0);
	assert_int_equal(stage->n_done, H2_STREAMS);
	assert_int_equal(call(stage, "/", NULL, 5000, NULL), 0);
}

static void test_forget(void **state)
{
	struct stage *stage = *state;
	int a, b;

	stage->hold = true;
	assert_int_equal(call(stage, "/a", NULL, 1000, &a), 0);
	assert_int_equal(call(stage, "/b", NULL, 1000, &b), 0);
	assert_int_equal(call(stage, "/c", NULL, 1000, &a), 0);
	settle(stage);
	assert_int_equal(h2_forget(stage->client, &a), 2);
	assert_int_equal(h2_forget(stage->client, &a), 0);
	h2_flush(stage->client);
	settle(stage);
	assert_int_equal(stage->n_forgotten, 2);
	pass(stage, 2);
	assert_int_equal(stage->n_done, 1);
	assert_int_equal(h2_streams(stage->client), 0);
}

/* Closing from within done(), with calls under way: each is told once. */
static void test_close_in_done(void **state)
{
	struct stage *stage = *state;

	stage->close_in_done = true;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(call(stage, "/", NULL, 1000, NULL), 0);
	settle(stage);
	assert_int_equal(stage->n_done, 5);
	assert_null(stage->client_conn);
}

static void test_too_much_of_it(void **state)
{
	static struct h2_field many[30];
	struct stage *stage = *state;
	struct h2_call c = {.method = "GET", .scheme = "http", .authority = "nrf", .path = "/", .done = done};

	c.fields = many;
	c.n_fields = N_ROWS(many);
	assert_int_equal(h2_call(stage->client, &c), -EINVAL);
	c.n_fields = 0;
	c.done = NULL;
	assert_int_equal(h2_call(stage->client, &c), -EINVAL);
	assert_int_equal(h2_call(stage->server, &c), -ENOTCONN);
}

static void test_names(void **state)
{
	(void)state;
	for (enum h2_outcome a = 0; a < H2_N_OUTCOMES; a++) {
		assert_non_null(h2_outcome_name(a));
		for (enum h2_outcome b = 0; b < a; b++)
			assert_string_not_equal(h2_outcome_name(a), h2_outcome_name(b));
	}
	assert_string_equal(h2_outcome_name(H2_N_OUTCOMES), "?");
}

/* --- a server that the test plays: octets by hand */

struct play {
	struct stage *stage;
	int fd;
};

static struct play play(struct stage *stage)
{
	struct traffic_conn *conn;
	int pair[2];

	traffic_close(stage->server_conn, TRAFFIC_END_OURS);
	settle(stage);
	assert_null(stage->client_conn);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	conn = traffic_adopt(stage->traffic, &client_kind, NULL, pair[1]);
	stage->client_conn = conn;
	stage->client = h2_client_alloc(conn, &stage->client_terms, stage);
	assert_int_equal(call(stage, "/", NULL, 5000, NULL), 0);
	settle(stage);
	return (struct play){stage, pair[0]};
}

static void say(const struct play *p, const void *octets, size_t len)
{
	assert_int_equal(send(p->fd, octets, len, MSG_NOSIGNAL), len);
	settle(p->stage);
}

#define SAY(p, text) say(p, text, sizeof(text) - 1)
#define SETTINGS     "\0\0\0\x04\0\0\0\0\0"

static void test_refused(void **state)
{
	struct play p = play(*state);

	SAY(&p, SETTINGS "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0"); /* GOAWAY, nothing was looked at */
	assert_int_equal(p.stage->outcome[H2_REFUSED], 1);
	assert_int_equal(p.stage->n_leaving, 1);
	assert_null(p.stage->client_conn);
	close(p.fd);
}

static void test_refused_stream(void **state)
{
	struct play p = play(*state);

	SAY(&p, SETTINGS "\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07");
	assert_int_equal(p.stage->outcome[H2_REFUSED], 1);
	assert_non_null(p.stage->client_conn);
	close(p.fd);
}

/* 100 first, then 200 with a field that only the second has. */
static void test_informational(void **state)
{
	struct play p = play(*state);

	SAY(&p, SETTINGS "\0\0\x0f\x01\x04\0\0\0\x01\x48\x03"
			 "103\0\x06x-echo\x01"
			 "a");
	assert_int_equal(p.stage->n_done, 0);
	SAY(&p, "\0\0\x0b\x01\x05\0\0\0\x01\x88\0\x06x-echo\x01"
		"b");
	assert_int_equal(p.stage->outcome[H2_ANSWERED], 1);
	assert_int_equal(p.stage->status, 200);
	assert_string_equal(p.stage->header, "b");
	close(p.fd);
}

static void test_nonsense(void **state)
{
	struct play p = play(*state);

	SAY(&p, "HTTP/1.1 400 Bad Request\r\n\r\n");
	assert_int_equal(p.stage->outcome[H2_GONE], 1);
	assert_null(p.stage->client_conn);
	close(p.fd);
}

static void test_half_an_answer(void **state)
{
	struct play p = play(*state);

	SAY(&p, SETTINGS "\0\0\x01\x01\x04\0\0\0\x01\x88"); /* 200, and no body comes */
	close(p.fd);
	settle(p.stage);
	assert_int_equal(p.stage->outcome[H2_GONE], 1);
}

static void test_silent_server(void **state)
{
	struct play p = play(*state);

	pass(p.stage, H2_PREFACE_S);
	assert_int_equal(p.stage->outcome[H2_GONE], 1);
	assert_null(p.stage->client_conn);
	assert_int_equal(p.stage->counters[1].no_preface, 1);
	close(p.fd);
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(test_answered),
		STAGED(test_long_bodies),
		STAGED(test_late),
		STAGED(test_held_then_answered),
		STAGED(test_reset),
		STAGED(test_gone),
		STAGED(test_server_leaves),
		STAGED(test_client_leaves),
		STAGED(test_as_many_as_allowed),
		STAGED(test_forget),
		STAGED(test_close_in_done),
		STAGED(test_too_much_of_it),
		STAGED(test_names),
		STAGED(test_refused),
		STAGED(test_refused_stream),
		STAGED(test_informational),
		STAGED(test_nonsense),
		STAGED(test_half_an_answer),
		STAGED(test_silent_server),
	};

	return cmocka_run_group_tests_name("h2_client", tests, NULL, NULL);
}
