/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The set of traffic sockets by itself: order of a turn, room, endings, and its place in the osmocom loop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>

#include "gate/traffic.h"
#include "hush.h"

#define SECOND 1000000ll

/* What a connection of the test saw. */
struct seen {
	struct traffic_conn *conn, *victim;
	unsigned consumed, connected, drained, closed;
	enum traffic_end end;
	bool hold;    /* take nothing */
	size_t want;  /* room that must be there before an octet is taken */
	int brisk_fd; /* the other end: empty it and write to it from within consume */
};

static struct seen accepted_seen[8];
static unsigned n_accepted;

static bool on_accepted(struct traffic_conn *conn, void *owner)
{
	(void)owner;
	if (n_accepted == sizeof(accepted_seen) / sizeof(accepted_seen[0]))
		return false;
	accepted_seen[n_accepted] = (struct seen){.conn = conn};
	conn->data = &accepted_seen[n_accepted++];
	return true;
}

static void on_connected(struct traffic_conn *conn)
{
	((struct seen *)conn->data)->connected++;
}

/* Echo. */
static ssize_t on_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	struct seen *seen = conn->data;

	seen->consumed++;
	if (seen->victim) {
		traffic_close(seen->victim, TRAFFIC_END_OURS);
		seen->victim = NULL;
	}
	if (seen->brisk_fd) {
		char sink[64];
		assert_true(recv(seen->brisk_fd, sink, sizeof(sink), MSG_DONTWAIT) != 0);
		assert_int_equal(send(seen->brisk_fd, "x", 1, 0), 1);
	}
	if (octets[0] == '!')
		return -EPROTO;
	if (seen->hold)
		return 0;
	if (seen->want && !traffic_reserve(conn, seen->want)) {
		traffic_pause(conn);
		return 0;
	}
	if (!traffic_send(conn, octets, len)) {
		traffic_pause(conn);
		return 0;
	}
	return len;
}

static void on_drained(struct traffic_conn *conn)
{
	((struct seen *)conn->data)->drained++;
	traffic_resume(conn);
}

static void on_closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct seen *seen = conn->data;

	seen->closed++;
	seen->end = end;
	seen->conn = NULL;
}

static const struct traffic_kind kind = {
	.name = "test",
	.in_size = 4096,
	.out_size = 8192,
	.accepted = on_accepted,
	.connected = on_connected,
	.consume = on_consume,
	.drained = on_drained,
	.closed = on_closed,
};

struct stage {
	struct traffic *traffic;
	int fd;
	struct seen seen;
	int64_t now_us;
};

static int stage_start(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	int pair[2];

	stage->now_us = 100 * SECOND;
	stage->traffic = traffic_alloc(NULL, NULL, NULL);
	assert_non_null(stage->traffic);
	traffic_turn(stage->traffic, stage->now_us);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stage->fd = pair[0];
	stage->seen.conn = traffic_adopt(stage->traffic, &kind, &stage->seen, pair[1]);
	assert_non_null(stage->seen.conn);
	n_accepted = 0;
	*state = stage;
	return 0;
}

static int stage_end(void **state)
{
	struct stage *stage = *state;

	traffic_free(stage->traffic);
	close(stage->fd);
	free(stage);
	return 0;
}

static void turns(struct stage *stage)
{
	for (unsigned i = 0; i < 4; i++)
		traffic_turn(stage->traffic, stage->now_us);
}

static void tick_after(struct stage *stage, int64_t us)
{
	stage->now_us += us;
	traffic_tick(stage->traffic, stage->now_us);
}

static ssize_t got(int fd, char *buf, size_t size)
{
	return recv(fd, buf, size, MSG_DONTWAIT);
}

/* --- rows */

static void one_read_one_consume_one_write(void **state)
{
	struct stage *stage = *state;
	char buf[64];

	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(send(stage->fd, "ab", 2, 0), 2);
	assert_int_equal(traffic_turn(stage->traffic, stage->now_us), 1);
	assert_int_equal(stage->seen.consumed, 1);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 20);
	assert_int_equal(traffic_turn(stage->traffic, stage->now_us), 0);
}

static void what_is_not_taken_comes_again_with_more(void **state)
{
	struct stage *stage = *state;
	char buf[64];

	stage->seen.hold = true;
	send(stage->fd, "ab", 2, 0);
	turns(stage);
	assert_int_equal(stage->seen.consumed, 1); /* not asked again without news */
	stage->seen.hold = false;
	send(stage->fd, "cd", 2, 0);
	turns(stage);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "abcd", 4);
}

static void a_message_beyond_the_buffer_ends_it(void **state)
{
	struct stage *stage = *state;
	char big[4096] = {0};

	stage->seen.hold = true;
	assert_int_equal(send(stage->fd, big, sizeof(big), 0), sizeof(big));
	turns(stage);
	assert_int_equal(stage->seen.closed, 1);
	assert_int_equal(stage->seen.end, TRAFFIC_END_OVERSIZE);
}

static void a_full_send_buffer_stops_reading_until_it_is_half_empty(void **state)
{
	struct stage *stage = *state;
	static char chunk[2048], buf[65536];
	size_t sent = 0, back = 0;
	ssize_t n;

	for (unsigned i = 0; i < 2000; i++) {
		n = send(stage->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		sent += n > 0 ? n : 0;
		turns(stage);
	}
	assert_true(stage->seen.conn->paused);
	assert_int_equal(stage->seen.drained, 0);
	while (back < sent) {
		n = got(stage->fd, buf, sizeof(buf));
		back += n > 0 ? n : 0;
		turns(stage);
	}
	assert_int_equal(back, sent);
	assert_true(stage->seen.drained > 0);
	assert_false(stage->seen.conn->paused);
}

static void a_writer_without_progress_is_closed(void **state)
{
	struct stage *stage = *state;
	static char chunk[2048];

	for (unsigned i = 0; i < 2000; i++) {
		if (send(stage->fd, chunk, sizeof(chunk), MSG_DONTWAIT) < 0)
			turns(stage);
	}
	turns(stage);
	tick_after(stage, TRAFFIC_STALL_S * SECOND - 1);
	assert_int_equal(stage->seen.closed, 0);
	tick_after(stage, 1);
	assert_int_equal(stage->seen.end, TRAFFIC_END_STALLED);
	assert_int_equal(traffic_count(stage->traffic), 0);
}

/* Paused outside of a turn: the set learns it with the next event and then is quiet. */
static void a_paused_connection_does_not_keep_the_loop_busy(void **state)
{
	struct stage *stage = *state;
	char buf[8];

	traffic_pause(stage->seen.conn);
	send(stage->fd, "ab", 2, 0);
	turns(stage);
	assert_int_equal(traffic_turn(stage->traffic, stage->now_us), 0);
	assert_int_equal(stage->seen.consumed, 0);
	traffic_resume(stage->seen.conn);
	turns(stage);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 2);
}

/* Fills the socket and so much of the send buffer, while the other side does not read. */
static void leave_unsent(struct stage *stage, size_t unsent)
{
	int small = 1;
	char octets[512] = {0};

	setsockopt(stage->seen.conn->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	while (kind.out_size - traffic_room(stage->seen.conn) < unsent) {
		assert_true(traffic_send(stage->seen.conn, octets, sizeof(octets)));
		traffic_flush(stage->traffic);
	}
}

/* With half of the buffer free and more than that wanted, the loop went round and round for ever. */
static void whoever_wants_more_than_half_is_called_when_there_is_so_much(void **state)
{
	struct stage *stage = *state;
	char buf[256];
	size_t room;

	leave_unsent(stage, 7000);
	stage->seen.want = 6000;
	send(stage->fd, "ab", 2, 0);
	turns(stage);
	alarm(10); /* a turn that does not come back ends the test */
	while (!stage->seen.drained) {
		room = traffic_room(stage->seen.conn);
		assert_true(got(stage->fd, buf, sizeof(buf)) > 0);
		turns(stage);
	}
	alarm(0);
	assert_true(room < 6000);
	assert_true(stage->seen.consumed >= 2);
	stage->seen.want = 0;
	while (got(stage->fd, buf, sizeof(buf)) > 0)
		turns(stage);
	assert_int_equal(traffic_room(stage->seen.conn), kind.out_size);
}

static void whoever_waits_for_room_and_gets_none_is_closed(void **state)
{
	struct stage *stage = *state;

	leave_unsent(stage, 7000);
	stage->seen.want = 6000;
	send(stage->fd, "ab", 2, 0);
	turns(stage);
	tick_after(stage, TRAFFIC_STALL_S * SECOND);
	assert_int_equal(stage->seen.end, TRAFFIC_END_STALLED);
}

static void what_was_answered_before_a_violation_still_leaves(void **state)
{
	struct stage *stage = *state;
	char buf[8];

	send(stage->fd, "ok", 2, 0);
	turns(stage);
	send(stage->fd, "!", 1, 0);
	turns(stage);
	assert_int_equal(stage->seen.end, TRAFFIC_END_PROTOCOL);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 2);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 0);
}

static void a_finished_connection_says_all_and_waits_for_the_other_side(void **state)
{
	struct stage *stage = *state;
	char buf[8];

	assert_true(traffic_send(stage->seen.conn, "bye", 3));
	traffic_finish(stage->seen.conn, TRAFFIC_END_OURS);
	assert_int_equal(stage->seen.closed, 1);
	turns(stage);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 3);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 0);
	assert_int_equal(send(stage->fd, "late", 4, MSG_NOSIGNAL), 4); /* swallowed */
	turns(stage);
	assert_int_equal(traffic_count(stage->traffic), 1);
	tick_after(stage, TRAFFIC_FINISH_S * SECOND);
	assert_int_equal(traffic_count(stage->traffic), 0);
	assert_int_equal(stage->seen.closed, 1);
}

static void closing_another_ready_connection_in_a_turn_is_safe(void **state)
{
	struct stage *stage = *state;
	struct seen other = {.consumed = 0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	other.conn = traffic_adopt(stage->traffic, &kind, &other, pair[1]);
	stage->seen.victim = other.conn;
	other.victim = stage->seen.conn;
	send(stage->fd, "a", 1, 0);
	send(pair[0], "b", 1, 0);
	assert_int_equal(traffic_turn(stage->traffic, stage->now_us), 2);
	assert_int_equal(stage->seen.closed + other.closed, 1);
	assert_int_equal(stage->seen.consumed + other.consumed, 1);
	assert_int_equal(traffic_count(stage->traffic), 1);
	close(pair[0]);
}

/* --- connecting and listening */

static struct gate_place loopback(uint16_t port)
{
	struct gate_place place = {.n = 1};

	assert_int_equal(address_from_text("127.0.0.1", port, &place.address[0]), 0);
	return place;
}

static void a_refused_connect_is_told_from_the_next_turn(void **state)
{
	struct stage *stage = *state;
	struct seen seen = {.connected = 0};
	struct traffic_listener *listener;
	struct gate_address nobody;
	const struct gate_place any = loopback(0);

	assert_int_equal(traffic_listen(stage->traffic, &kind, NULL, &any, NULL, &listener, NULL), 0);
	nobody = traffic_listener_place(listener)->address[0];
	traffic_unlisten(listener);
	seen.conn = traffic_connect(stage->traffic, &kind, &seen, &nobody, NULL, NULL);
	assert_non_null(seen.conn);
	assert_int_equal(seen.closed, 0);
	for (unsigned i = 0; i < 100 && !seen.closed; i++, usleep(1000))
		turns(stage);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(seen.connected, 0);
	assert_int_equal(seen.end, TRAFFIC_END_CONNECT);
}

static void a_connect_has_a_deadline(void **state)
{
	struct stage *stage = *state;
	struct seen seen = {.connected = 0};
	struct traffic_listener *listener;
	const struct gate_place any = loopback(0);

	assert_int_equal(traffic_listen(stage->traffic, &kind, NULL, &any, NULL, &listener, NULL), 0);
	seen.conn = traffic_connect(stage->traffic, &kind, &seen, &traffic_listener_place(listener)->address[0], NULL,
				    NULL);
	tick_after(stage,
		   TRAFFIC_CONNECT_S * SECOND - 1); /* no turn in between: it does not know that it is connected */
	assert_int_equal(seen.closed, 0);
	tick_after(stage, 1);
	assert_int_equal(seen.end, TRAFFIC_END_CONNECT);
}

static void out_of_descriptors_pauses_accepting_until_the_next_tick(void **state)
{
	struct stage *stage = *state;
	struct traffic_listener *listener;
	const struct gate_place any = loopback(0);
	struct sockaddr_storage sa;
	socklen_t len;
	struct rlimit before, tight;
	int fd = socket(AF_INET, SOCK_STREAM, 0), probe;

	assert_int_equal(traffic_listen(stage->traffic, &kind, NULL, &any, NULL, &listener, NULL), 0);
	len = address_to_sockaddr(&traffic_listener_place(listener)->address[0], &sa);
	probe = dup(0);
	close(probe);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = probe;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	turns(stage);
	assert_int_equal(n_accepted, 0);
	assert_int_equal(traffic_turn(stage->traffic, stage->now_us), 0); /* not spinning */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	turns(stage);
	assert_int_equal(n_accepted, 0);
	tick_after(stage, SECOND);
	turns(stage);
	assert_int_equal(n_accepted, 1);
	close(fd);
}

static void above_the_maximum_new_ones_are_closed_and_old_ones_stay(void **state)
{
	struct stage *stage = *state;
	struct traffic_listener *listener;
	const struct gate_place any = loopback(0);
	struct sockaddr_storage sa;
	socklen_t len;
	int first = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[4];

	traffic_limit(stage->traffic, 1); /* the stage's own connection was not accepted: it does not count */
	assert_int_equal(traffic_listen(stage->traffic, &kind, NULL, &any, NULL, &listener, NULL), 0);
	len = address_to_sockaddr(&traffic_listener_place(listener)->address[0], &sa);
	assert_int_equal(connect(first, (struct sockaddr *)&sa, len), 0);
	turns(stage);
	assert_int_equal(n_accepted, 1);
	traffic_known(accepted_seen[0].conn);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	turns(stage);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 0);
	assert_int_equal(accepted_seen[0].closed, 0);
	assert_int_equal(traffic_crowded(stage->traffic), 0);
	close(first);
	assert_int_equal(traffic_refused(stage->traffic), 1);
	send(stage->fd, "ab", 2, 0);
	turns(stage);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 2);
	close(fd);
}

/* A connection of this host of ours, known at once. */
static int known_from(struct stage *stage, const struct traffic_listener *listener, const char *host)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&traffic_listener_place(listener)->address[0], &sa);
	struct sockaddr_storage from;
	struct gate_address address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unsigned before = n_accepted;

	assert_int_equal(address_from_text(host, 0, &address), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, address_to_sockaddr(&address, &from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	turns(stage);
	if (n_accepted > before && accepted_seen[before].conn)
		traffic_known(accepted_seen[before].conn);
	stage->now_us += 1000;
	return fd;
}

/* Who has said who he is need not give way to a stranger, but to another host that has less. */
static void one_host_cannot_keep_all_connections(void **state)
{
	struct stage *stage = *state;
	struct traffic_listener *listener;
	const struct gate_place any = loopback(0);
	int fd[6];

	traffic_limit(stage->traffic, 3);
	assert_int_equal(traffic_listen(stage->traffic, &kind, NULL, &any, NULL, &listener, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		fd[i] = known_from(stage, listener, "127.0.0.1");
	fd[3] = known_from(stage, listener, "127.0.0.1"); /* no more of the same */
	assert_int_equal(accepted_seen[3].closed, 1);
	assert_int_equal(traffic_refused(stage->traffic), 1);
	send(fd[0], "a", 1, 0);
	turns(stage);
	fd[4] = known_from(stage, listener, "127.0.0.2");
	assert_int_equal(accepted_seen[4].closed, 0);
	assert_int_equal(accepted_seen[0].closed, 0); /* was heard since */
	assert_int_equal(accepted_seen[1].closed, 1);
	assert_int_equal(traffic_crowded(stage->traffic), 1);
	fd[5] = known_from(stage, listener, "127.0.0.3"); /* 2, 1 and this one */
	assert_int_equal(accepted_seen[5].closed, 0);
	assert_int_equal(accepted_seen[2].closed, 1);
	assert_int_equal(accepted_seen[0].closed + accepted_seen[4].closed, 0);
	for (unsigned i = 0; i < 6; i++)
		close(fd[i]);
}

/* --- in the loop */

static unsigned timer_fired;
static struct osmo_timer_list timer;

static void timer_cb(void *data)
{
	(void)data;
	timer_fired++;
	osmo_timer_schedule(&timer, 0, 5000);
}

/* The set is ready again after each turn, for ever: every call of the loop must come back all the same. */
static void brisk_traffic_does_not_starve_the_rest_of_the_loop(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(traffic_start(stage->traffic), 0);
	osmo_timer_setup(&timer, timer_cb, NULL);
	osmo_timer_schedule(&timer, 0, 5000);
	timer_fired = 0;
	stage->seen.brisk_fd = stage->fd;
	assert_int_equal(send(stage->fd, "x", 1, 0), 1);
	alarm(20); /* a call that does not come back ends the test */
	for (unsigned i = 0; i < 100; i++)
		osmo_select_main(0);
	alarm(0);
	osmo_timer_del(&timer);
	assert_true(stage->seen.consumed > 200); /* several turns a call: it does linger */
	assert_true(timer_fired >= 5);
}

static void what_is_written_outside_of_a_turn_leaves_with_the_loop(void **state)
{
	struct stage *stage = *state;
	char buf[8];

	assert_int_equal(traffic_start(stage->traffic), 0);
	assert_true(traffic_send(stage->seen.conn, "hello", 5));
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), -1);
	for (unsigned i = 0; i < 3; i++)
		osmo_select_main(1);
	assert_int_equal(got(stage->fd, buf, sizeof(buf)), 5);
}

#define T(f) cmocka_unit_test_setup_teardown(f, stage_start, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_read_one_consume_one_write),
		T(what_is_not_taken_comes_again_with_more),
		T(a_message_beyond_the_buffer_ends_it),
		T(a_full_send_buffer_stops_reading_until_it_is_half_empty),
		T(a_writer_without_progress_is_closed),
		T(a_paused_connection_does_not_keep_the_loop_busy),
		T(whoever_wants_more_than_half_is_called_when_there_is_so_much),
		T(whoever_waits_for_room_and_gets_none_is_closed),
		T(what_was_answered_before_a_violation_still_leaves),
		T(a_finished_connection_says_all_and_waits_for_the_other_side),
		T(closing_another_ready_connection_in_a_turn_is_safe),
		T(a_refused_connect_is_told_from_the_next_turn),
		T(a_connect_has_a_deadline),
		T(out_of_descriptors_pauses_accepting_until_the_next_tick),
		T(above_the_maximum_new_ones_are_closed_and_old_ones_stay),
		T(one_host_cannot_keep_all_connections),
		T(brisk_traffic_does_not_starve_the_rest_of_the_loop),
		T(what_is_written_outside_of_a_turn_leaves_with_the_loop),
	};

	hush();
	return cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
}
