/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: watchdogs and goodbyes of both sides, and room for the answers to them. */
#include "s13_scene.h"

#include "gate/s13_session.h"
#include "rows.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- watchdog */

static void a_dwr_is_answered(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;

	put(scene, fd, dwr());
	got = assert_answer(scene, fd, 280, 0, 2001);
	assert_true(hand_number(got->octets, got->len, 278, 0) > 1000000000);
	put(scene, fd, hand(0x80, 280, 0));
	got = assert_answer(scene, fd, 280, 0, 5005);
	assert_non_null(hand_find(got->octets, got->len, 279, 0, 0));
}

static void the_silent_are_asked_and_closed(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;

	scene_pass(scene, 27000);
	assert_quiet(scene, fd);
	scene_pass(scene, 6000);
	got = assert_request(scene, fd, 280);
	assert_true(hand_number(got->octets, got->len, 278, 0) > 1000000000);
	scene_pass(scene, 33000);
	assert_quiet(scene, fd);
	assert_int_equal(counted(scene)->suspected, 1);
	scene_pass(scene, 33000);
	assert_ended(scene, fd);
	assert_int_equal(counted(scene)->watchdogs, 1);
	assert_int_equal(counted(scene)->silent, 1);
}

static void whoever_answers_stays(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	for (unsigned i = 0; i < 5; i++) {
		scene_pass(scene, 33000);
		put(scene, fd, answer_to(assert_request(scene, fd, 280)));
	}
	assert_int_equal(counted(scene)->unasked, 0);
	assert_int_equal(counted(scene)->suspected, 0);
	scene_pass(scene, 20000);
	put(scene, fd, ecr(WHITE_IMSI)); /* as good as an answer */
	assert_status(scene, fd, 0);
	scene_pass(scene, 20000);
	assert_quiet(scene, fd);
}

static void a_suspect_may_come_back(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;

	scene_pass(scene, 33000);
	got = assert_request(scene, fd, 280);
	scene_pass(scene, 33000);
	assert_int_equal(counted(scene)->suspected, 1);
	put(scene, fd, answer_to(got));
	scene_pass(scene, 33000);
	put(scene, fd, answer_to(assert_request(scene, fd, 280)));
	scene_pass(scene, 20000);
	assert_quiet(scene, fd);
}

static void configure_as_before(struct scene *scene)
{
	assert_int_equal(scene_configure(scene, scene_config(scene), NULL), 0);
}

/* A new configuration is no silence of the peer: who is quiet is asked as ever, and not later for it either. */
static void the_quiet_are_asked_whatever_the_operator_does(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	scene_pass(scene, 20000);
	configure_as_before(scene);
	scene_pass(scene, 13000);
	put(scene, fd, answer_to(assert_request(scene, fd, 280)));
	for (unsigned i = 0; i < 11; i++) {
		configure_as_before(scene);
		scene_pass(scene, 3000);
	}
	put(scene, fd, answer_to(assert_request(scene, fd, 280)));
	assert_int_equal(counted(scene)->suspected, 0);
}

/* Neither is it an answer. */
static void the_silent_are_closed_whatever_the_operator_does(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	scene_pass(scene, 33000);
	assert_request(scene, fd, 280);
	for (unsigned i = 0; i < 66; i++) {
		configure_as_before(scene);
		scene_pass(scene, 1000);
	}
	assert_ended(scene, fd);
	assert_int_equal(counted(scene)->watchdogs, 1);
	assert_int_equal(counted(scene)->silent, 1);
}

/* freeDiameter once died of this: a DWA that says no, or nothing at all. */
static void odd_watchdog_answers_do_no_harm(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;
	struct hand *h;

	scene_pass(scene, 33000);
	got = assert_request(scene, fd, 280);
	h = hand(0x20, 280, 0);
	hand_set_ids(h, hand_u32(got->octets + 12), hand_u32(got->octets + 16));
	put(scene, fd, h);
	hand_set_ids(h, 1, 2);
	put(scene, fd, h);
	assert_int_equal(counted(scene)->unasked, 1);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
}

/* --- room */

/* A peer at the end of a socket that takes little: what it does not read soon stays with us. */
static int narrow_peer(struct scene *scene, struct traffic_conn **conn)
{
	int pair[2], small = 4608;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	stage_keep(scene, pair[0]);
	*conn = traffic_adopt(scene->stage.traffic, &s13_kind, NULL, pair[1]);
	assert_non_null(*conn);
	assert_int_equal(address_from_text("127.0.0.1", 9, &(*conn)->remote), 0);
	assert_true(s13_kind.accepted(*conn, scene->s13));
	put(scene, pair[0], cer(MME, REALM));
	assert_answer(scene, pair[0], 257, 0, 2001);
	return pair[0];
}

/* As long as one may be. */
static struct hand *stuffed(struct hand *h)
{
	uint8_t *nothing = calloc(1, DIAMETER_MAX);

	hand_put(h, 9999, 0, 0, nothing, DIAMETER_MAX - h->len - 8);
	assert_int_equal(h->len, DIAMETER_MAX);
	free(nothing);
	return h;
}

static struct hand *great_dwr(void)
{
	return stuffed(dwr());
}

static struct hand *great_faulty_ecr(void)
{
	return stuffed(ecr_of(MME, REALM, WHITE_IMSI, NULL));
}

static const struct room_row {
	const char *name;
	struct hand *(*great)(void);
	uint32_t command, result;
	uint8_t flags;
	bool reads; /* in the end */
} room_rows[] = {
	{"room: a great DWR of one who never reads", great_dwr, 280, 2001, 0, false},
	{"room: a great ECR of one who never reads", great_faulty_ecr, 324, 5005, 0x40, false},
	{"room: a great DWR of one who reads late", great_dwr, 280, 2001, 0, true},
	{"room: a great ECR of one who reads late", great_faulty_ecr, 324, 5005, 0x40, true},
};

#define HALF 32768 /* of the send buffer */
#define DWA  128   /* is less */

/* Its answers fill our buffer nearly by half: with what is free there is no telling yet whether the answer to a great
 * request will fit.  Nobody spins over that, which the alarm is for. */
static void room(void **state)
{
	const struct room_row *row = *state;
	struct hand *all, *great, *small;
	struct traffic_conn *conn;
	struct scene *scene;
	unsigned asked = 1;
	void *stage;
	int fd;

	scene_start(&stage);
	scene = stage;
	fd = narrow_peer(scene, &conn);
	for (; asked < 2000 && traffic_room(conn) >= HALF + 768; asked++)
		put(scene, fd, dwr());
	assert_in_range(traffic_room(conn), HALF + DWA, HALF + 767);
	all = dwr(), great = row->great(), small = dwr();
	hand_octets(all, great->octets, great->len);
	hand_octets(all, small->octets, small->len);
	hand_set_length(all, (uint32_t)small->len);
	alarm(30);
	put(scene, fd, all);
	assert_true(conn->paused);
	if (row->reads) {
		while (asked--)
			assert_answer(scene, fd, 280, 0, 2001);
		assert_answer(scene, fd, row->command, row->flags, row->result);
		assert_answer(scene, fd, 280, 0, 2001);
	} else {
		scene_pass(scene, (TRAFFIC_STALL_S + 2) * 1000);
		assert_int_equal(traffic_count(scene->stage.traffic), 0);
	}
	alarm(0);
	scene_end(&stage);
}

/* --- goodbyes */

static void a_peer_says_goodbye(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, dpr(0));
	assert_answer(scene, fd, 282, 0, 2001);
	put(scene, fd, ecr(WHITE_IMSI)); /* it was on its way */
	assert_status(scene, fd, 0);
	assert_int_equal(counted(scene)->goodbyes_heard, 1);
	scene_pass(scene, 4000);
	assert_quiet(scene, fd);
	scene_pass(scene, 2000);
	assert_ended(scene, fd);
}

static void a_wrong_goodbye_is_none(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, dpr(3));
	assert_answer(scene, fd, 282, 0, 5004);
	scene_pass(scene, 6000);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
}

static void we_say_goodbye(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME), nameless = scene_connect(scene);
	struct got *got;

	s13_stop(scene->s13);
	assert_ended(scene, nameless);
	got = assert_request(scene, fd, 282);
	assert_int_equal(hand_number(got->octets, got->len, 273, 0), 0);
	put(scene, fd, ecr(BLACK_IMSI)); /* it was on its way */
	assert_status(scene, fd, 1);
	put(scene, fd, answer_to(got));
	assert_ended(scene, fd);
	assert_int_equal(traffic_count(scene->stage.traffic), 2); /* both wait for the other side to close */
	shutdown(fd, SHUT_WR);
	shutdown(nameless, SHUT_WR);
	scene_settle(scene);
	assert_int_equal(traffic_count(scene->stage.traffic), 0);
}

/* One that said goodbye itself does not keep us from stopping. */
static void we_stop_while_a_peer_leaves(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, dpr(0));
	assert_answer(scene, fd, 282, 0, 2001);
	s13_stop(scene->s13);
	scene_pass(scene, 2000);
	assert_ended(scene, fd);
}

static void goodbye_does_not_wait_for_ever(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	s13_stop(scene->s13);
	assert_request(scene, fd, 282);
	scene_pass(scene, 1000);
	assert_quiet(scene, fd);
	scene_pass(scene, 1000);
	assert_ended(scene, fd);
	scene_pass(scene, 3000);
	assert_int_equal(traffic_count(scene->stage.traffic), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_start, scene_end)

int main(void)
{
	static const struct CMUnitTest single[] = {
		TEST(a_dwr_is_answered),
		TEST(the_silent_are_asked_and_closed),
		TEST(whoever_answers_stays),
		TEST(a_suspect_may_come_back),
		TEST(the_quiet_are_asked_whatever_the_operator_does),
		TEST(the_silent_are_closed_whatever_the_operator_does),
		TEST(odd_watchdog_answers_do_no_harm),
		TEST(a_peer_says_goodbye),
		TEST(a_wrong_goodbye_is_none),
		TEST(we_say_goodbye),
		TEST(we_stop_while_a_peer_leaves),
		TEST(goodbye_does_not_wait_for_ever),
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(room_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	ADD_ROWS(tests, n, room_rows, room);
	return cmocka_run_group_tests_name("s13 base", tests, NULL, NULL);
}
