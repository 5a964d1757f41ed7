/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/h2 as a server: floods of whatever makes work and is no request, and trickles of the same.  N5g is the interface
 * on top. */
#include "n5g_scene.h"

#include <sys/socket.h>

#include "rows.h"

#define CALM 11

/* --- floods */

struct flood {
	const char *name;
	enum h2_calm calm;
	unsigned cost;
	void (*add)(struct octets *o, int32_t id);
};

static void add_ping(struct octets *o, int32_t id)
{
	(void)id;
	add_frame(o, PING, 0, 0, "12345678", 8);
}

static void add_settings(struct octets *o, int32_t id)
{
	(void)id;
	add_frame(o, SETTINGS, 0, 0, NULL, 0);
}

/* Of a body of the first request, which begins before it. */
static void add_data(struct octets *o, int32_t id, uint8_t flags, const char *payload, size_t len)
{
	struct octets *block;

	if (id == 1) {
		block = octets_new();
		add_fields(block, "GET", check_path("00101"), NULL);
		add_frame(o, HEADERS, END_HEADERS, 1, block->at, block->len);
	}
	add_frame(o, DATA, flags, 1, payload, len);
}

static void add_empty_data(struct octets *o, int32_t id)
{
	add_data(o, id, 0, NULL, 0);
}

static void add_padded_data(struct octets *o, int32_t id)
{
	add_data(o, id, PADDED, "\x01", 2);
}

static void add_priority(struct octets *o, int32_t id)
{
	add_frame(o, PRIORITY, 0, id, "\0\0\0\0\x10", 5);
}

static void add_window(struct octets *o, int32_t id)
{
	(void)id;
	add_frame(o, WINDOW_UPDATE, 0, 0, "\0\0\0\x18", 4); /* a body's worth */
}

static void add_unknown(struct octets *o, int32_t id)
{
	(void)id;
	add_frame(o, 0x42, 0, 0, NULL, 0);
}

static void add_rapid_reset(struct octets *o, int32_t id)
{
	add_get(o, id, check_path("00101"), NULL);
	add_frame(o, RST_STREAM, 0, id, "\0\0\0\x08", 4);
}

/* Nobody sends a body octet by octet, and nobody sends one at all who asks for equipment. */
static void add_tiny_data(struct octets *o, int32_t id)
{
	if (id == 1)
		add_empty_data(o, id);
	add_frame(o, DATA, 0, 1, "x", 1);
}

/* An upper-case name: the stream is reset by us, the connection stands. */
static void add_bad_field(struct octets *o, int32_t id)
{
	const char *const bad[] = {"Upper", "1", NULL};

	add_get(o, id, check_path("00101"), bad);
}

static const struct flood floods[] = {
	{"PING", H2_CALM_PING, 1, add_ping},
	{"SETTINGS", H2_CALM_SETTINGS, 1, add_settings},
	{"empty DATA", H2_CALM_DATA, 1, add_empty_data},
	{"DATA that is padding", H2_CALM_DATA, 1, add_padded_data},
	{"DATA of one octet", H2_CALM_DATA, 1, add_tiny_data},
	{"PRIORITY", H2_CALM_OTHER, 1, add_priority},
	{"WINDOW_UPDATE", H2_CALM_OTHER, 1, add_window},
	{"unknown frames", H2_CALM_OTHER, 1, add_unknown},
	{"rapid reset", H2_CALM_RESET, 2, add_rapid_reset},
	{"header errors", H2_CALM_FAULT, 6, add_bad_field},
};

/* Seven at a time, as if no time passed: over after the budget and not much later. */
static void test_flood(void **state)
{
	const struct flood *flood = *state;
	void *stage;
	struct client *c;
	unsigned sent = 0;
	int32_t id = 1;

	scene_begin(&stage);
	c = client_begin(stage);
	while (!c->ended && sent < 2 * H2_BUDGET) {
		struct octets *o = octets_new();
		for (unsigned i = 0; i < 7; i++, id += 2, sent++)
			flood->add(o, id);
		client_send(c, o->at, o->len);
	}
	assert_in_range(sent * flood->cost, H2_BUDGET - 30, H2_BUDGET + 70);
	assert_goaway(c, CALM);
	assert_int_equal(counted(stage)->h2.calm[flood->calm], 1);
	scene_end(&stage);
}

/* At half of what fills up again, for a long time, nothing happens. */
static void test_trickle(void **state)
{
	const struct flood *flood = *state;
	void *stage;
	struct client *c;
	int32_t id = 1;

	if (flood->calm == H2_CALM_DATA)
		return; /* the request itself has its time */
	scene_begin(&stage);
	c = client_begin(stage);
	for (unsigned s = 0; s < 20; s++) {
		struct octets *o = octets_new();
		for (unsigned i = 0; i < H2_BUDGET_S / 2 / flood->cost; i++, id += 2)
			flood->add(o, id);
		client_send(c, o->at, o->len);
		scene_pass(stage, 1000);
	}
	assert_false(c->ended);
	scene_end(&stage);
}

static void test_continuation_flood(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();

	add_frame(o, HEADERS, END_STREAM, 1, NULL, 0);
	for (unsigned i = 0; i < 100; i++)
		add_frame(o, CONTINUATION, 0, 1, NULL, 0);
	client_send(c, o->at, o->len);
	assert_goaway(c, CALM);
	assert_int_equal(counted(*state)->h2.calm[H2_CALM_CONTINUATION], 1);
}

/* One octet each names a field of 4 KiB: 16 KiB of them in a frame are 64 MiB. */
static void test_header_bomb(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new(), *block = octets_new();
	static char long_value[4000];
	struct answer answer;

	memset(long_value, 'x', sizeof(long_value) - 1);
	add_fields(block, "GET", check_path("00101"), NULL);
	add_octets(block,
		   "\x40\x01"
		   "a",
		   3);                        /* a literal that is indexed */
	add_octets(block, "\x7f\xa0\x1e", 3); /* its length: 127 + 32 + 30 * 128 */
	add_octets(block, long_value, 3999);
	for (unsigned i = 0; i < 12000; i++)
		add_octets(block, "\xbe", 1);
	add_frame(o, HEADERS, END_STREAM | END_HEADERS, 1, block->at, block->len);
	client_send(c, o->at, o->len);
	answer = client_answer(c);
	assert_int_equal(answer.status, 0);
	assert_int_equal(answer.reset, 2); /* INTERNAL_ERROR */
	assert_int_equal(counted(*state)->h2.fields_cut, 1);
}

/* On a stream that is over: libnghttp2 ignores it without a word. */
static void test_headers_of_a_stream_that_is_over(void **state)
{
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	unsigned sent = 0;

	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	add_get(o, 1, check_path("00101"), NULL);
	for (; !c->ended && sent < 2 * H2_BUDGET; sent++)
		client_send(c, o->at, o->len);
	assert_in_range(sent, H2_BUDGET - 10, H2_BUDGET + 10);
	assert_int_equal(counted(*state)->h2.calm[H2_CALM_OTHER], 1);
}

/* Requests that are begun and never ended, each with as many octets as it may have. */
static void test_what_unfinished_requests_keep(void **state)
{
	static char token[15000];
	struct client *c = client_begin(*state);
	struct octets *o = octets_new();
	const char *const fields[] = {"authorization", token, NULL};
	struct octets *block = octets_new();
	struct answer answer;

	memset(token, 'x', sizeof(token) - 1);
	add_fields(block, "POST", check_path("00101"), fields);
	for (unsigned i = 0; i < 40; i++) {
		o->len = 0;
		add_frame(o, HEADERS, END_HEADERS, 1 + 2 * i, block->at, block->len);
		client_send(c, o->at, o->len);
	}
	assert_true(counted(*state)->h2.fields_cut >= 40 - H2_KEPT_MAX / H2_FIELD_OCTETS);
	o->len = 0;
	add_get(o, 101, check_path("00101"), NULL); /* a usual one needs none of it */
	client_send(c, o->at, o->len);
	do
		answer = client_answer(c);
	while (answer.id && answer.id != 101); /* the others: 431, and a reset of what was still to come */
	assert_int_equal(answer.status, 200);
}

/* Twice as many frames that ask nothing as requests: what some clients do. */
static void test_good_client(void **state)
{
	struct client *c = client_begin(*state);
	int32_t id = 1;

	for (unsigned round = 0; round < 100; round++) {
		struct octets *o = octets_new();
		for (unsigned i = 0; i < 50; i++, id += 2) {
			add_get(o, id, check_path("00101"), NULL);
			add_window(o, id);
			add_ping(o, id);
		}
		client_send(c, o->at, o->len);
		for (unsigned i = 0; i < 50; i++)
			assert_int_equal(client_answer(c).status, 200);
	}
	assert_quiet(c);
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, scene_begin, scene_end)

int main(void)
{
	static struct CMUnitTest tests[64];
	const struct CMUnitTest staged[] = {
		STAGED(test_continuation_flood),
		STAGED(test_headers_of_a_stream_that_is_over),
		STAGED(test_what_unfinished_requests_keep),
		STAGED(test_header_bomb),
		STAGED(test_good_client),
	};
	static char names[2 * N_ROWS(floods)][64];
	size_t n = N_ROWS(staged);

	memcpy(tests, staged, sizeof(staged));
	for (size_t i = 0; i < N_ROWS(floods); i++) {
		snprintf(names[2 * i], sizeof(names[0]), "flood of %s", floods[i].name);
		snprintf(names[2 * i + 1], sizeof(names[0]), "trickle of %s", floods[i].name);
		tests[n++] = ROW_TEST(names[2 * i], test_flood, &floods[i]);
		tests[n++] = ROW_TEST(names[2 * i + 1], test_trickle, &floods[i]);
	}
	return _cmocka_run_group_tests("h2 flood", tests, n, NULL, NULL);
}
