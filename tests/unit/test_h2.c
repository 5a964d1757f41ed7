/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/h2 as a server: prefaces, bounds, slow and silent clients, endings.  N5g is the interface on top. */
#include "n5g_scene.h"

#include <sys/socket.h>

#include "rows.h"

#define CALM 11

/* --- beginnings */

static void test_http1(void **state)
{
	struct client *c = client_connect(*state);
	const char *get = "GET / HTTP/1.1\r\nhost: eir\r\nupgrade: h2c\r\n\r\n";

	client_send(c, get, strlen(get));
	assert_memory_equal(c->buf, "HTTP/1.1 505 ", 13);
	c->len = 0;
	assert_ended(c);
	assert_int_equal(counted(*state)->h2.http1, 1);
}

static void test_something_else(void **state)
{
	struct client *c = client_connect(*state);

	client_send(c, "\x16\x03\x01\x02", 4); /* TLS to a port without */
	assert_int_equal(c->len, 0);
	assert_ended(c);
	assert_int_equal(counted(*state)->h2.no_preface, 1);
}

static void test_no_preface_in_time(void **state)
{
	struct client *c = client_connect(*state), *half = client_connect(*state);

	client_send(half, preface, 12);
	scene_pass(*state, 4000);
	assert_quiet(c);
	assert_quiet(half);
	scene_pass(*state, 1000);
	assert_ended(c);
	assert_ended(half);
	assert_int_equal(counted(*state)->h2.no_preface, 2);
}

static void test_octet_by_octet(void **state)
{
	struct client *c = client_connect(*state);
	struct octets *o = octets_new();

	add_octets(o, preface, sizeof(preface));
	add_frame(o, SETTINGS, 0, 0, NULL, 0);
	add_get(o, 1, check_path("00101"), NULL);
	for (size_t i = 0; i < o->len; i++)
		client_send(c, o->at + i, 1);
	assert_int_equal(client_answer(c).status, 200);
}

static void test_settings(void **state)
{
	struct client *c = client_connect(*state);
	struct octets *o = octets_new();
	struct frame frame;

	add_octets(o, preface, sizeof(preface));
	add_frame(o, SETTINGS, 0, 0, NULL, 0);
	client_send(c, o->at, o->len);
	assert_true(client_frame(c, &frame));
	assert_int_equal(frame.type, SETTINGS);
	assert_int_equal(frame.len, 12);
	assert_memory_equal(frame.payload, "\0\x03\0\0\0\x64\0\x06\0\0\x40\0", 12); /* 100 streams, 16384 of fields */
}

/* --- requests */

static void test_many_in_one_read(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	uint64_t batches = c->scene->stage.check.counters[WEIR_IF_N5G].batches;

	for (int32_t i = 0; i < 100; i++)
		add_get(o, 1 + 2 * i, check_path(i % 2 ? "00102" : "00101"), NULL);
	client_send(c, o->at, o->len);
	for (int32_t i = 0; i < 100; i++) {
		struct answer answer = client_answer(c);
		assert_int_equal(answer.id, 1 + 2 * i);
		assert_string_equal(answer.body,
				    i % 2 ? "{\"status\":\"BLACKLISTED\"}" : "{\"status\":\"WHITELISTED\"}");
	}
	batches = c->scene->stage.check.counters[WEIR_IF_N5G].batches - batches;
	assert_in_range(batches, 1, 4);
}

/* Before it can know of the limit it is refused a stream; afterwards it broke a promise. */
static void test_more_streams_than_allowed(void **state)
{
	struct scene *scene = *state;
	struct octets *o = octets_new(), *block = octets_new(), *begin = octets_new();
	struct client *early, *late;
	struct frame frame;

	scene->config->max_streams = 2;
	assert_int_equal(scene_configure(scene, scene->config), 0);
	add_fields(block, "GET", check_path("00101"), NULL);
	for (int32_t id = 1; id <= 5; id += 2)
		add_frame(o, HEADERS, END_HEADERS, id, block->at, block->len); /* bodies would follow */
	add_octets(begin, preface, sizeof(preface));
	add_frame(begin, SETTINGS, 0, 0, NULL, 0);
	add_octets(begin, o->at, o->len);
	early = client_connect(scene);
	client_send(early, begin->at, begin->len);
	assert_true(client_frame_of(early, RST_STREAM, &frame));
	assert_int_equal(frame.id, 5);
	assert_int_equal(frame.code, 7); /* REFUSED_STREAM */
	late = client_begin(scene);
	client_send(late, o->at, o->len);
	assert_goaway(late, 1); /* PROTOCOL_ERROR */
}

static void body_of(struct client *c, int32_t id, size_t len)
{
	struct octets *o = octets_new(), *block = octets_new();
	static uint8_t zeros[8000];

	add_fields(block, "GET", check_path("00101"), NULL);
	add_frame(o, HEADERS, END_HEADERS, id, block->at, block->len);
	while (len > sizeof(zeros)) {
		add_frame(o, DATA, 0, id, zeros, sizeof(zeros));
		len -= sizeof(zeros);
	}
	add_frame(o, DATA, END_STREAM, id, zeros, len);
	client_send(c, o->at, o->len);
}

static void test_bodies(void **state)
{
	struct client *c = client_begin(*state);
	struct answer answer;

	body_of(c, 1, 0);
	assert_int_equal(client_answer(c).status, 200);
	body_of(c, 3, N5G_BODY_MAX);
	assert_int_equal(client_answer(c).status, 200);
	body_of(c, 5, N5G_BODY_MAX + 1);
	answer = client_answer(c);
	assert_cause(&answer, 413, NULL);
	assert_int_equal(counted(*state)->h2.body_cut, 1);
	c->next_id = 7;
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
}

/* Who sends more after 413 is told that it is not wanted. */
static void test_body_that_goes_on(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new(), *block = octets_new();
	static uint8_t zeros[N5G_BODY_MAX];
	struct answer answer;

	add_fields(block, "GET", check_path("00101"), NULL);
	add_frame(o, HEADERS, END_HEADERS, 1, block->at, block->len);
	add_frame(o, DATA, 0, 1, zeros, sizeof(zeros));
	add_frame(o, DATA, 0, 1, zeros, 1);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 413);
	answer = client_answer(c);
	assert_int_equal(answer.reset, 0); /* NO_ERROR */
}

static void test_fields(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new(), *block = octets_new();
	static char long_value[9000];
	struct answer answer;

	memset(long_value, 'x', sizeof(long_value) - 1);
	add_fields(block, "GET", check_path("00101"), NULL);
	add_field(block, "a", long_value);
	add_frame(o, HEADERS, END_STREAM, 1, block->at, block->len);
	block->len = 0;
	add_field(block, "b", long_value);
	add_frame(o, CONTINUATION, END_HEADERS, 1, block->at, block->len);
	client_send(c, o->at, o->len);
	answer = client_answer(c);
	assert_cause(&answer, 431, NULL);
	o->len = block->len = 0;
	add_fields(block, "GET", check_path("00101"), NULL);
	for (unsigned i = 4; i < H2_FIELDS; i++)
		add_field(block, "x-some", "1");
	add_frame(o, HEADERS, END_STREAM | END_HEADERS, 3, block->at, block->len);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 200);
	add_field(block, "x-some", "1");
	o = octets_new();
	add_frame(o, HEADERS, END_STREAM | END_HEADERS, 5, block->at, block->len);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 431);
	assert_int_equal(counted(*state)->h2.fields_cut, 2);
}

/* Header fields in several CONTINUATION frames, as some proxies send them. */
static void test_continuation(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new(), *block = octets_new();

	add_fields(block, "GET", check_path("00101"), NULL);
	add_frame(o, HEADERS, END_STREAM, 1, block->at, 10);
	add_frame(o, CONTINUATION, 0, 1, block->at + 10, 20);
	add_frame(o, CONTINUATION, END_HEADERS, 1, block->at + 30, block->len - 30);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 200);
}

static void test_incomplete(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new(), *block = octets_new();
	struct answer answer;

	add_fields(block, "GET", check_path("00101"), NULL);
	add_frame(o, HEADERS, END_HEADERS, 1, block->at, block->len);
	client_send(c, o->at, o->len);
	scene_pass(*state, 9000);
	assert_quiet(c);
	scene_pass(*state, 1000);
	answer = client_answer(c);
	assert_int_equal(answer.reset, 8); /* CANCEL */
	assert_int_equal(counted(*state)->h2.incomplete, 1);
	c->next_id = 3;
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
}

static void test_reset_before_answer(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	uint64_t received = c->scene->stage.check.counters[WEIR_IF_N5G].received;

	add_get(o, 1, check_path("00101"), NULL);
	add_frame(o, RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	client_send(c, o->at, o->len);
	assert_quiet(c);
	assert_int_equal(c->scene->stage.check.counters[WEIR_IF_N5G].received, received);
	assert_int_equal(counted(*state)->h2.resets_in, 1);
}

/* --- slow and silent */

static void test_flow_control(void **state)
{
	const char *const in_time[] = {"3gpp-sbi-max-rsp-time", "3000", NULL};
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	struct answer answer;
	struct frame frame;

	add_frame(o, SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6); /* no window for streams */
	add_get(o, 1, check_path("00101"), in_time);
	add_get(o, 3, check_path("00101"), in_time);
	client_send(c, o->at, o->len);
	assert_true(client_frame_of(c, HEADERS, &frame));
	assert_true(client_frame_of(c, HEADERS, &frame));
	assert_quiet(c);
	scene_pass(*state, 2000);
	o = octets_new();
	add_frame(o, WINDOW_UPDATE, 0, 1, "\0\0\0\x64", 4);
	client_send(c, o->at, o->len);
	answer = client_answer(c);
	assert_int_equal(answer.id, 1);
	assert_string_equal(answer.body, "{\"status\":\"WHITELISTED\"}");
	((struct scene *)*state)->stage.now_us += 1500000; /* no tick in between: the window comes too late */
	o = octets_new();
	add_frame(o, WINDOW_UPDATE, 0, 3, "\0\0\0\x64", 4);
	client_send(c, o->at, o->len);
	answer = client_answer(c);
	assert_int_equal(answer.id, 3);
	assert_int_equal(answer.reset, 8);
	assert_string_equal(answer.body, "");
	assert_int_equal(counted(*state)->h2.untaken, 1);
}

static void test_answer_never_taken(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	struct answer answer;

	add_frame(o, SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6);
	add_get(o, 1, check_path("00101"), NULL);
	client_send(c, o->at, o->len);
	scene_pass(*state, H2_STREAM_S * 1000);
	answer = client_answer(c);
	assert_int_equal(answer.status, 200); /* began */
	assert_int_equal(answer.reset, 8);
}

static void add_check(struct octets *o, int32_t id, const char *time_ms)
{
	const char *const more[] = {"3gpp-sbi-max-rsp-time", time_ms, NULL};

	add_get(o, id, check_path("00104"), more); /* 404, a long answer */
}

static struct client *begin_narrow(struct scene *scene)
{
	struct client *c;
	struct octets *o = octets_new();

	scene->config->max_streams = 1000;
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_pair(scene, 4096);
	client_greet(c);
	add_frame(o, WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
	client_send(c, o->at, o->len);
	return c;
}

/* So many checks, and nothing is read. */
static void ask_and_not_read(struct client *c, unsigned n, const char *time_ms)
{
	struct octets *o = octets_new();

	for (unsigned i = 0; i < n; i++, c->next_id += 2)
		add_check(o, c->next_id, time_ms);
	assert_int_equal(send(c->fd, o->at, o->len, MSG_NOSIGNAL | MSG_DONTWAIT), o->len);
	scene_settle(c->scene);
}

/* What is in the send buffer cannot be taken back: rather than let it leave late the connection ends. */
static void test_buffered_too_long(void **state)
{
	struct client *c = begin_narrow(*state);
	unsigned answered = 0;

	ask_and_not_read(c, 300, "900");
	assert_int_equal(counted(*state)->h2.requests, 300);
	scene_pass(*state, 1000);
	while (client_answer(c).status == 404)
		answered++;
	assert_in_range(answered, 1, 290); /* what the socket had taken by then */
	assert_ended(c);
	assert_int_equal(counted(*state)->h2.stuck, 1);
}

static void test_buffered_not_too_long(void **state)
{
	struct client *c = begin_narrow(*state);

	ask_and_not_read(c, 300, "1500");
	scene_pass(*state, 1000);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(client_answer(c).status, 404);
	scene_pass(*state, 1000);
	assert_quiet(c);
}

/* A buffer that is never empty, and in which nothing stays for long. */
static void test_buffered_always(void **state)
{
	struct client *c = begin_narrow(*state);
	char some[4000];

	ask_and_not_read(c, 150, "3000");
	for (unsigned round = 0; round < 60; round++) {
		ask_and_not_read(c, 42, "3000"); /* as much as is read */
		scene_pass(*state, 100);
		for (ssize_t n = 0, left = sizeof(some); left && n >= 0; left -= n > 0 ? n : 0)
			n = recv(c->fd, some, (size_t)left, MSG_DONTWAIT);
		scene_pass(*state, 100);
	}
	assert_int_equal(counted(*state)->h2.stuck, 0);
	assert_int_equal(counted(*state)->h2.untaken, 0);
	assert_int_equal(counted(*state)->h2.requests, 150 + 60 * 42);
}

/* It asks and does not read: it is not read either, loses nothing, and gets all answers when it reads again. */
static void test_slow_reader(void **state)
{
	struct scene *scene = *state;
	struct client *c;
	struct octets *o = octets_new();
	unsigned answered = 0;
	size_t done = 0;
	ssize_t n = 1;

	scene->config->max_streams = 1000;
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_pair(scene, 4096);
	client_greet(c);
	add_frame(o, WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
	for (int32_t i = 0; i < 1000; i++)
		add_get(o, 1 + 2 * i, PATH, NULL); /* 400, a long answer */
	for (; n > 0; done += n > 0 ? (size_t)n : 0) {
		n = send(c->fd, o->at + done, o->len - done < 4000 ? o->len - done : 4000, MSG_DONTWAIT);
		scene_settle(scene);
	}
	assert_in_range(counted(scene)->h2.requests, 50, 900); /* the rest is not read */
	client_send(c, o->at + done, o->len - done);
	for (struct answer answer; (answer = client_answer(c)).status; answered++)
		assert_int_equal(answer.status, 400);
	assert_int_equal(answered, 1000);
	assert_int_equal(counted(scene)->h2.requests, 1000);
}

static void test_silence(void **state)
{
	struct client *c = client_begin(*state), *answers = client_begin(*state);
	struct frame frame;

	scene_pass(*state, 29000);
	assert_quiet(c);
	scene_pass(*state, 1000);
	assert_true(client_frame_of(c, PING, &frame));
	for (unsigned i = 0; i < 3; i++) {
		struct octets *o = octets_new();
		assert_true(client_frame_of(answers, PING, &frame));
		add_frame(o, PING, ACK, 0, frame.payload, 8);
		client_send(answers, o->at, o->len);
		scene_pass(*state, 30000);
	}
	assert_ended(c);
	assert_false(answers->ended);
	assert_int_equal(counted(*state)->h2.silent, 1);
}

/* --- endings */

static void test_goodbye(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct octets *o = octets_new();
	struct frame frame;

	n5g_stop(scene->n5g);
	assert_true(client_frame_of(c, GOAWAY, &frame));
	assert_int_equal(frame.last, 0x7fffffff);
	assert_int_equal(frame.code, 0);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200); /* it was on its way */
	assert_false(c->ended);
	add_frame(o, PING, ACK, 0, "\0\0\0\0\0\0\0\0", 8);
	client_send(c, o->at, o->len);
	assert_true(client_frame_of(c, GOAWAY, &frame));
	assert_int_equal(frame.last, 1);
	assert_ended(c);
}

static void test_goodbye_to_the_deaf(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene), *new = client_connect(scene);
	struct octets *o = octets_new(), *block = octets_new();
	struct frame frame;

	add_fields(block, "GET", check_path("00101"), NULL);
	add_frame(o, HEADERS, END_HEADERS, 1, block->at, block->len);
	client_send(c, o->at, o->len);
	n5g_stop(scene->n5g);
	assert_ended(new); /* it had not begun */
	scene_pass(scene, 1000);
	assert_true(client_frame_of(c, GOAWAY, &frame));
	assert_true(client_frame_of(c, GOAWAY, &frame));
	assert_int_equal(frame.last, 1);
	assert_false(c->ended); /* its request is under way */
	scene_pass(scene, 2000);
	assert_ended(c);
}

static void test_client_says_goodbye(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();

	add_get(o, 1, check_path("00101"), NULL);
	add_frame(o, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 200);
	assert_ended(c);
}

static void test_protocol_errors(void **state)
{
	static const struct {
		uint8_t type, flags, id;
		const char *payload;
		size_t len;
	} bad[] = {
		{PING, 0, 1, "12345678", 8},             /* on a stream */
		{PING, 0, 0, "1234", 4},                 /* of a wrong size */
		{DATA, 0, 1, "x", 1},                    /* on an idle stream */
		{SETTINGS, 0, 0, "\0\x02\0\0\0\x07", 6}, /* push 7 */
		{CONTINUATION, 0, 1, "", 0},             /* of nothing */
		{PUSH_PROMISE, 0, 1, "\0\0\0\x02", 4},
		{HEADERS, END_HEADERS, 2, "\x82", 1},                         /* an even id */
		{HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff\xff", 7}, /* an index beyond everything */
		{WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4},                 /* overflow */
		{WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4},
		{RST_STREAM, 0, 0, "\0\0\0\0", 4},
	};

	for (size_t i = 0; i < N_ROWS(bad); i++) {
		struct client *c = client_begin(*state);
		struct octets *o = octets_new();
		struct frame frame;
		add_frame(o, bad[i].type, bad[i].flags, bad[i].id, bad[i].payload, bad[i].len);
		client_send(c, o->at, o->len);
		assert_true(client_frame_of(c, GOAWAY, &frame));
		assert_true(frame.code != 0 && frame.code != CALM);
		assert_ended(c);
		assert_int_equal(counted(*state)->h2.broken, i + 1);
	}
}

/* A frame that says it is 16 MB long. */
static void test_length_lie(void **state)
{
	struct client *c = client_begin(*state);

	client_send(c, "\xff\xff\xff\x01\x05\0\0\0\x01", 9);
	assert_goaway(c, 6); /* FRAME_SIZE_ERROR */
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, scene_begin, scene_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STAGED(test_http1),
		STAGED(test_something_else),
		STAGED(test_no_preface_in_time),
		STAGED(test_octet_by_octet),
		STAGED(test_settings),
		STAGED(test_many_in_one_read),
		STAGED(test_more_streams_than_allowed),
		STAGED(test_bodies),
		STAGED(test_body_that_goes_on),
		STAGED(test_fields),
		STAGED(test_continuation),
		STAGED(test_incomplete),
		STAGED(test_reset_before_answer),
		STAGED(test_flow_control),
		STAGED(test_answer_never_taken),
		STAGED(test_buffered_too_long),
		STAGED(test_buffered_not_too_long),
		STAGED(test_buffered_always),
		STAGED(test_slow_reader),
		STAGED(test_silence),
		STAGED(test_goodbye),
		STAGED(test_goodbye_to_the_deaf),
		STAGED(test_client_says_goodbye),
		STAGED(test_protocol_errors),
		STAGED(test_length_lie),
	};

	return cmocka_run_group_tests_name("h2", tests, NULL, NULL);
}
