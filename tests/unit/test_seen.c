/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Sightings kept, asked, bounded, forgotten; and orders to a gate that is there, is not there, or does not read. */
#include "keeper/seen.h"

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/select.h>
#include <osmocom/core/utils.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "keeper/lists.h"
#include "keeper/main.h"
#include "keeper/seen_orders.h"
#include "rows.h"

#define NOW 1795000000u
#define DAY 86400u

static char dir[] = "/tmp/weir-seen-XXXXXX";
static const struct seen_limits wide = {.max = 1000000, .days = 30};

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

static struct seen *open_seen(const struct seen_limits *limits)
{
	struct weir_why why = {0};
	struct seen *seen;

	if (seen_open(dir, limits, &seen, &why) < 0)
		fail_msg("%s", why.text);
	return seen;
}

static void note(struct seen *seen, uint64_t imei, uint64_t imsi, uint32_t time_s, const char *peer)
{
	struct weir_sighting sighting = {.imei = imei, .imsi = {imsi}, .time_s = time_s, .svn = WEIR_NO_SVN};

	snprintf(sighting.peer, sizeof(sighting.peer), "%s", peer);
	seen_note(seen, &sighting, 1, NOW);
}

static void test_asked_before_flush(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by[4];

	(void)state;
	note(seen, 35209900176148, 1001010000000001, NOW - 10, "msc-1");
	assert_int_equal(seen_in(seen, 35209900176148, by, 4), 1);
	assert_int_equal(by[0].imsi.packed, 1001010000000001);
	assert_string_equal(by[0].peer, "msc-1");
	assert_int_equal(seen_in(seen, 35209900176149, by, 4), 0);
	seen_close(seen);
}

static void test_kept_over_restart(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by[4];
	struct seen_stats stats;

	(void)state;
	note(seen, 7, 100, NOW - 100, "a");
	note(seen, 7, 100, NOW - 50, "b");
	note(seen, 7, 100, NOW - 70, "late");
	note(seen, 7, 200, NOW - 60, "c");
	note(seen, 8, 300, NOW, "d");
	seen_close(seen);
	seen = open_seen(&wide);
	assert_int_equal(seen_in(seen, 7, by, 4), 2);
	assert_int_equal(by[0].imsi.packed, 100);
	assert_int_equal(by[0].first_s, NOW - 100);
	assert_int_equal(by[0].last_s, NOW - 50);
	assert_string_equal(by[0].peer, "b");
	assert_int_equal(by[1].imsi.packed, 200);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 3);
	seen_close(seen);
}

static void test_latest_first_and_bounded(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by[3];

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		note(seen, 9, 1 + i, NOW - (i * 7 % 10), "x");
	assert_int_equal(seen_in(seen, 9, by, 3), 3);
	assert_int_equal(by[0].last_s, NOW);
	assert_int_equal(by[1].last_s, NOW - 1);
	assert_int_equal(by[2].last_s, NOW - 2);
	seen_close(seen);
}

static void test_full_drops_new_updates_old(void **state)
{
	const struct seen_limits limits = {.max = 2, .days = 30};
	struct seen *seen = open_seen(&limits);
	struct seen_stats stats;
	struct seen_by by;

	(void)state;
	note(seen, 1, 1, NOW - 9, "x");
	note(seen, 2, 1, NOW - 9, "x");
	note(seen, 3, 1, NOW - 9, "x");
	note(seen, 1, 1, NOW - 1, "y");
	seen_flush(seen);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 2);
	assert_int_equal(stats.dropped, 1);
	assert_int_equal(stats.noted, 4);
	assert_int_equal(seen_in(seen, 3, &by, 1), 0);
	assert_int_equal(seen_in(seen, 1, &by, 1), 1);
	assert_int_equal(by.last_s, NOW - 1);
	seen_close(seen);
}

static void test_more_than_the_buffer(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_stats stats;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		note(seen, i, 5, NOW, "x");
	seen_flush(seen);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 10000);
	assert_int_equal(stats.dropped, 0);
	seen_close(seen);
}

static void test_old_is_forgotten(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_stats stats;

	(void)state;
	for (unsigned i = 0; i < 6000; i++)
		note(seen, i, 5, i % 3 ? NOW : NOW - 31 * DAY, "x");
	seen_flush(seen);
	for (unsigned i = 0; i < 20; i++)
		seen_sweep(seen, NOW);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 4000);
	assert_int_equal(stats.expired, 2000);
	for (unsigned i = 0; i < 40; i++)
		seen_sweep(seen, NOW + 29 * DAY);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 4000);
	for (unsigned i = 0; i < 40; i++)
		seen_sweep(seen, NOW + 31 * DAY);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 0);
	seen_close(seen);
}

static void test_future_is_now(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by;

	(void)state;
	note(seen, 1, 1, NOW + 400 * DAY, "x");
	assert_int_equal(seen_in(seen, 1, &by, 1), 1);
	assert_int_equal(by.last_s, NOW);
	seen_close(seen);
}

static void test_damage_is_made_anew(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_stats stats;
	char path[128];
	int fd;

	(void)state;
	note(seen, 1, 1, NOW, "x");
	seen_close(seen);
	snprintf(path, sizeof(path), "%s/seen/data.mdb", dir);
	fd = open(path, O_WRONLY);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pwrite(fd, "ruined by a test", 16, i * 4096 + 16), 16);
	close(fd);
	seen = open_seen(&wide);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, 0);
	note(seen, 1, 1, NOW, "x");
	assert_int_equal(seen_flush(seen), 0);
	seen_close(seen);
}

static void test_names_are_cleaned(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by;

	(void)state;
	note(seen, 1, 1, NOW, "a\xff\n");
	assert_int_equal(seen_in(seen, 1, &by, 1), 1);
	assert_string_equal(by.peer, "a??");
	seen_close(seen);
}

static void test_a_crowd_in_one_device_is_bounded(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_by by[SEEN_ASK_MAX];
	struct seen_stats stats;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		note(seen, 7, UINT64_C(1001010000000000) + i * 7919 % 100000, NOW - 100000 + i, "x");
	note(seen, 8, 1001010000000001, NOW, "x");
	assert_int_equal(seen_in(seen, 7, by, SEEN_ASK_MAX), SEEN_IN_MAX);
	for (unsigned i = 0; i < SEEN_IN_MAX; i++)
		assert_int_equal(by[i].last_s, NOW - 1 - i);
	assert_int_equal(seen_in(seen, 8, by, SEEN_ASK_MAX), 1);
	seen_stats(seen, &stats);
	assert_int_equal(stats.entries, SEEN_IN_MAX + 1);
	assert_int_equal(stats.dropped, 100000 - SEEN_IN_MAX);
	seen_close(seen);
}

static void test_everybody_is_walked_once(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_place place = {{0}};
	struct seen_pair pairs[SEEN_WALK_MAX];
	struct weir_sighting refused = {
		.imei = 5, .imsi = {1001010000000009}, .time_s = NOW, .tally = WEIR_TALLY_BLACK, .svn = WEIR_NO_SVN};
	unsigned n, met = 0;
	uint64_t last = 0;
	int more;

	(void)state;
	for (unsigned i = 0; i < 6000; i++)
		note(seen, 10 + i, 1001010000000001, i % 3 ? NOW : NOW - 2 * DAY, "x");
	note(seen, 4, 0, NOW, "x"); /* nobody */
	seen_note(seen, &refused, 1, NOW);
	do {
		more = seen_walk(seen, &place, NOW - DAY, pairs, &n);
		assert_true(more >= 0 && n <= SEEN_WALK_MAX);
		for (unsigned i = 0; i < n; i++, met++) {
			assert_true(pairs[i].imei > last && pairs[i].imei >= 10);
			assert_string_equal(pairs[i].by.peer, "x");
			last = pairs[i].imei;
		}
	} while (more);
	assert_int_equal(met, 4000);
	seen_close(seen);
}

/* --- orders ----------------------------------------------------------------------------------------------------- */

static int gate_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, FLIP_SOCKET);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int unlink_gate(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, FLIP_SOCKET);
	return unlink(path);
}

/* As a gate must: false where it missed something. */
struct gate {
	uint64_t serial, flips;
	unsigned gaps, datagrams;
	struct weir_flip last;
};

static void gate_read(struct gate *gate, int fd)
{
	uint8_t datagram[FLIP_DATAGRAM + 1];
	struct weir_flips flips;
	ssize_t len;

	while ((len = recv(fd, datagram, sizeof(datagram), 0)) >= 0) {
		assert_int_equal(flips_decode(datagram, (size_t)len, &flips), 0);
		if (flips.after_serial != gate->serial)
			gate->gaps++;
		gate->serial = flips.serial;
		gate->flips += flips.n;
		gate->datagrams++;
		if (flips.n)
			gate->last = flips.flip[flips.n - 1];
	}
}

static void test_orders_in_batches(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct orders *orders = orders_alloc(dir, seen);
	struct gate gate = {.serial = 10};
	uint64_t imeis[150];
	int fd = gate_open();

	(void)state;
	for (unsigned i = 0; i < 150; i++)
		imeis[i] = i;
	note(seen, 149, 1001010000000001, NOW - 9, "old");
	note(seen, 149, 1001010000000002, NOW, "new");
	orders_flips(10, 12, imeis, 150, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.datagrams, 3);
	assert_int_equal(gate.flips, 150);
	assert_int_equal(gate.gaps, 0);
	assert_int_equal(gate.serial, 12);
	assert_int_equal(gate.last.imei, 149);
	assert_int_equal(gate.last.imsi.packed, 1001010000000002);
	assert_string_equal(gate.last.peer, "new");
	orders_flips(12, 13, NULL, 0, orders);
	orders_flips(12, 13, imeis, 1, orders); /* a second part of the same change */
	orders_flips(13, 14, imeis, 1, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 0);
	assert_int_equal(gate.flips, 152);
	orders_flips(LISTS_SWEEP, 20, NULL, 0, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 1);
	assert_int_equal(gate.serial, 20);
	orders_flips(LISTS_SWEEP, 20, NULL, 0, orders); /* the register was rebuilt: the serial is the same */
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 2);
	orders_flips(20, 21, imeis, 1, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 2);
	close(fd);
	orders_free(orders);
	seen_close(seen);
}

static void test_orders_lost_show_a_gap(void **state)
{
	struct orders *orders = orders_alloc(dir, NULL);
	struct gate gate = {.serial = 0};
	uint64_t serial = 0, imeis[64] = {0};
	int fd = gate_open();

	(void)state;
	while (!orders_stats(orders)->lost && serial < 10000) {
		orders_flips(serial, serial + 1, imeis, 64, orders);
		serial++;
	}
	assert_int_equal(orders_stats(orders)->lost, 1);
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 0);
	assert_true(gate.serial < serial);
	/* nothing more happens, and still it learns that it missed something */
	while (!gate.gaps) {
		osmo_select_main(0);
		gate_read(&gate, fd);
	}
	assert_int_equal(gate.serial, serial);
	orders_flips(serial, serial + 1, imeis, 1, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.gaps, 1);
	close(fd);
	orders_free(orders);
}

static void test_orders_without_a_gate(void **state)
{
	struct orders *orders = orders_alloc(dir, NULL);
	struct gate gate = {.serial = 5};
	uint64_t imei = 1;
	int fd;

	(void)state;
	orders_flips(4, 5, &imei, 1, orders);
	assert_int_equal(orders_stats(orders)->absent, 1);
	assert_int_equal(orders_stats(orders)->lost, 0);
	fd = gate_open();
	orders_flips(5, 6, &imei, 1, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.flips, 1);
	while (!gate.gaps) { /* and it is told that it missed something */
		osmo_select_main(0);
		gate_read(&gate, fd);
	}
	assert_int_equal(gate.serial, 6);
	close(fd);
	orders_free(orders);
}

/* A register in which every device with an even number is black, those of versions above 50 only. */
static int ask_even(const struct weir_query *queries, struct weir_facts *facts, unsigned n, void *data)
{
	int *rc = data;

	for (unsigned i = 0; i < n; i++) {
		facts[i] = (struct weir_facts){.failed = *rc < 0};
		if (queries[i].imei.svn > 50)
			facts[i].svn.lists = queries[i].imei.key % 2 ? 0 : WEIR_ON(WEIR_BLACK);
	}
	return *rc;
}

static void note_recent(struct seen *seen, unsigned n)
{
	uint32_t now_s = (uint32_t)time(NULL);

	for (unsigned i = 0; i < n; i++) {
		struct weir_sighting sighting = {.imei = 100 + i / 2,
						 .imsi = {UINT64_C(1001010000000000) + i},
						 .time_s = now_s,
						 .svn = 77,
						 .peer = "msc"};

		seen_note(seen, &sighting, 1, now_s);
	}
}

static void read_until(struct gate *gate, int fd, uint64_t flips)
{
	while (gate->flips < flips) {
		osmo_select_main(0);
		gate_read(gate, fd);
	}
}

static void test_a_sweep_names_who_was_seen(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct orders *orders = orders_alloc(dir, seen);
	struct gate gate = {.serial = 5};
	int fd = gate_open(), rc = 0;

	(void)state;
	note_recent(seen, 400);
	note(seen, 2, 1001010000000999, 1000, "long ago");
	orders_set_register(orders, ask_even, &rc);
	read_until(&gate, fd, 200); /* for the gate is new */
	orders_flips(LISTS_SWEEP, 6, NULL, 0, orders);
	gate.gaps = 0;
	read_until(&gate, fd, 400);
	assert_true(gate.gaps);
	assert_int_equal(gate.serial, 6);
	assert_int_equal(gate.last.imei, 298);
	assert_int_equal(gate.last.svn, 77);
	assert_string_equal(gate.last.peer, "msc");
	assert_int_equal(orders_stats(orders)->walks, 2);
	close(fd);
	orders_free(orders);
	seen_close(seen);
}

static void test_a_gate_that_was_away_is_told(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct orders *orders = orders_alloc(dir, seen);
	struct gate gate = {.serial = 5};
	uint64_t imei = 100;
	int fd, rc = -EIO;

	(void)state;
	note_recent(seen, 20);
	orders_set_register(orders, ask_even, &rc);
	orders_flips(4, 5, &imei, 1, orders);
	osmo_select_main(0);
	assert_int_equal(orders_stats(orders)->datagrams, 0);
	fd = gate_open();
	while (!gate.datagrams) {
		osmo_select_main(0);
		gate_read(&gate, fd);
	}
	osmo_select_main(0);
	gate_read(&gate, fd);
	assert_int_equal(gate.flips, 0); /* the register could not be asked */
	rc = 0;
	read_until(&gate, fd, 10);
	/* another one in its place, and nothing changed meanwhile */
	close(fd);
	assert_int_equal(unlink_gate(), 0);
	fd = gate_open();
	gate = (struct gate){.serial = 5};
	read_until(&gate, fd, 10);
	close(fd);
	orders_free(orders);
	seen_close(seen);
}

static void test_all_who_were_seen_in_it_are_named(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct orders *orders = orders_alloc(dir, seen);
	struct gate gate = {.serial = 5};
	uint64_t imei = 7, now_s = (uint64_t)time(NULL);
	int fd = gate_open();

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		struct weir_sighting sighting = {.imei = 7,
						 .imsi = {1001010000000000 + i},
						 .time_s = (uint32_t)now_s - i * 3600,
						 .svn = WEIR_NO_SVN};

		seen_note(seen, &sighting, 1, (uint32_t)now_s);
	}
	orders_flips(5, 6, &imei, 1, orders);
	gate_read(&gate, fd);
	assert_int_equal(gate.flips, ORDERS_SEEN_MAX);
	assert_int_equal(gate.last.imsi.packed, 1001010000000000 + ORDERS_SEEN_MAX - 1);
	assert_int_equal(gate.gaps, 0);
	close(fd);
	orders_free(orders);
	seen_close(seen);
}

static void test_a_second_one_leaves_a_live_socket_alone(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_socket *first, *second;
	struct weir_why why = {""};
	char path[128];

	(void)state;
	assert_int_equal(seen_socket_open(dir, seen, &first, &why), 0);
	assert_int_equal(seen_socket_open(dir, seen, &second, &why), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(why.text, "another weir-keeper"));
	snprintf(path, sizeof(path), "%s/%s", dir, SIGHTING_SOCKET);
	assert_int_equal(access(path, F_OK), 0);
	seen_socket_close(first);
	assert_int_equal(access(path, F_OK), -1);
	seen_close(seen);
}

static void test_socket_to_store(void **state)
{
	struct seen *seen = open_seen(&wide);
	struct seen_socket *seen_socket;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct weir_sighting sightings[2] = {{.imei = 1, .imsi = {100101}, .time_s = 100, .peer = "p"},
					     {.imei = 2, .time_s = 100}};
	uint8_t datagram[SIGHTING_DATAGRAM + 10] = {0};
	struct seen_by by;
	size_t len;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(seen_socket_open(dir, seen, &seen_socket, NULL), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, SIGHTING_SOCKET);
	len = sighting_encode(sightings, 2, datagram);
	assert_int_equal(sendto(fd, datagram, len, 0, (struct sockaddr *)&address, sizeof(address)), len);
	assert_int_equal(sendto(fd, datagram, len - 1, 0, (struct sockaddr *)&address, sizeof(address)), len - 1);
	assert_int_equal(sendto(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&address, sizeof(address)),
			 sizeof(datagram));
	osmo_select_main(1);
	assert_int_equal(seen_socket_stats(seen_socket)->datagrams, 3);
	assert_int_equal(seen_socket_stats(seen_socket)->malformed, 2);
	assert_int_equal(seen_in(seen, 1, &by, 1), 1);
	assert_int_equal(by.imsi.packed, 100101);
	assert_int_equal(seen_in(seen, 2, &by, 1), 1);
	close(fd);
	seen_socket_close(seen_socket);
	seen_close(seen);
}

#define IN_DIR(name, fn) ((struct CMUnitTest){name, fn, make_dir, remove_dir, NULL})

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR("a sighting is known before it is on the disk", test_asked_before_flush),
		IN_DIR("sightings of one pair merge and stay over a restart", test_kept_over_restart),
		IN_DIR("the latest come first, no more than asked for", test_latest_first_and_bounded),
		IN_DIR("a full store drops new pairs and follows known ones", test_full_drops_new_updates_old),
		IN_DIR("more than the buffer holds is not lost", test_more_than_the_buffer),
		IN_DIR("what is too old is forgotten, the rest is not", test_old_is_forgotten),
		IN_DIR("a sighting from the future is of now", test_future_is_now),
		IN_DIR("a damaged store is made anew", test_damage_is_made_anew),
		IN_DIR("a peer's name is cleaned", test_names_are_cleaned),
		IN_DIR("datagrams from the socket reach the store, bad ones are counted", test_socket_to_store),
		IN_DIR("orders of one change move the serial once", test_orders_in_batches),
		IN_DIR("an order that is lost shows as a gap, without another order", test_orders_lost_show_a_gap),
		IN_DIR("no gate is no error, and it is told when it is there", test_orders_without_a_gate),
		IN_DIR("of a hundred thousand in one device the last stay", test_a_crowd_in_one_device_is_bounded),
		IN_DIR("a walk meets all who are recent once, none who was refused", test_everybody_is_walked_once),
		IN_DIR("a sweep names who was seen in what may be black", test_a_sweep_names_who_was_seen),
		IN_DIR("a gate that was away, or is another, is told all", test_a_gate_that_was_away_is_told),
		IN_DIR("all who were lately seen in a device are named", test_all_who_were_seen_in_it_are_named),
		IN_DIR("a live socket for sightings is not taken away", test_a_second_one_leaves_a_live_socket_alone),
	};
	static const struct log_info_cat categories[] = {
		[DSEEN] = {.name = "DSEEN", .loglevel = LOGL_FATAL, .enabled = 1}};
	static const struct log_info log_info = {.cat = categories, .num_cat = DSEEN + 1};

	osmo_init_logging2(NULL, &log_info);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
