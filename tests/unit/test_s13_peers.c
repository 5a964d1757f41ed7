/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: several connections of a peer and many peers, new configurations, what is logged of them and shown. */
#include "s13_scene.h"

#include "gate/door.h"
#include "gate/s13_session.h"
#include "pki.h"
#include "rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/loggingrb.h>

/* --- the log */

/* From now on, what an operator sees. */
static struct log_target *listen_to_log(void)
{
	struct log_target *log = log_target_create_rb(1000);

	assert_non_null(log);
	log_set_use_color(log, 0);
	log_add_target(log);
	return log;
}

/* Lines with this in them. */
static unsigned logged(const struct log_target *log, const char *what)
{
	unsigned n = 0;

	for (size_t i = 0; i < log_target_rb_used_size(log); i++)
		n += strstr(log_target_rb_get(log, i), what) != NULL;
	return n;
}

static void strangers_peers_and_what_they_do_do_not_hide_each_other(void **state)
{
	struct scene *scene = *state;
	struct log_target *log = listen_to_log();
	int a = scene_peer(scene, MME), b = scene_peer(scene, "mme2.example");

	for (unsigned i = 0; i < 2; i++) {
		put(scene, scene_connect(scene), dwr());
		put(scene, scene_connect(scene), cer("hss.example", REALM));
		put(scene, a, ecr_of("mme3.example", REALM, WHITE_IMSI, IMEI));
		put(scene, b, ecr_of("mme3.example", REALM, WHITE_IMSI, IMEI));
	}
	assert_int_equal(counted(scene)->lent, 4);
	assert_int_equal(logged(log, "spoke before it said who it is"), 1);
	assert_int_equal(logged(log, "no peer rule allows this name"), 1);
	assert_int_equal(logged(log, "asks in another's name"), 2);
	log_target_destroy(log);
}

/* Who comes again and again says so once a minute. */
static void comings_and_goings_are_told_once_a_minute(void **state)
{
	static const char *const words[] = {"connected, realm", "replaced by a newer connection", "closed by us",
					    "closed by the peer"};
	struct scene *scene = *state;
	struct log_target *log = listen_to_log();

	for (unsigned minute = 1; minute <= 2; minute++) {
		for (unsigned i = 0; i < 4; i++) {
			int old = scene_peer(scene, MME), new = scene_peer(scene, MME);
			put(scene, old, answer_to(assert_request(scene, old, 282)));
			assert_ended(scene, old);
			shutdown(new, SHUT_WR);
			assert_ended(scene, new);
			scene_pass(scene, 1000);
		}
		for (unsigned i = 0; i < N_ROWS(words); i++)
			assert_int_equal(logged(log, words[i]), minute);
		scene_pass(scene, 60000);
	}
	assert_int_equal(counted(scene)->connected, 16);
	assert_int_equal(counted(scene)->replaced, 8);
	assert_int_equal(counted(scene)->ended, 16);
	log_target_destroy(log);
}

/* --- several connections */

static void a_newer_connection_replaces_the_oldest(void **state)
{
	struct scene *scene = *state;
	int old = scene_peer(scene, MME), other = scene_peer(scene, "mme2.example"), new = scene_peer(scene, MME);
	struct got *got = assert_request(scene, old, 282);

	assert_int_equal(hand_number(got->octets, got->len, 273, 0), 2);
	put(scene, old, answer_to(got));
	assert_ended(scene, old);
	assert_quiet(scene, other);
	put(scene, new, ecr(WHITE_IMSI));
	assert_status(scene, new, 0);
	assert_int_equal(counted(scene)->replaced, 1);
}

/* Who was open first goes, not who connected first. */
static void the_oldest_is_who_is_open_longest(void **state)
{
	struct scene *scene = *state;
	int late = scene_connect(scene), early = scene_peer(scene, MME);

	put(scene, late, cer(MME, REALM));
	assert_answer(scene, late, 257, 0, 2001);
	assert_request(scene, early, 282);
	assert_quiet(scene, late);
}

static void as_many_as_are_allowed(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd[4];

	config->connections_per_peer = 3;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		fd[i] = scene_peer(scene, i % 2 ? MME : "MME1.example");
	assert_request(scene, fd[0], 282);
	for (unsigned i = 1; i < 4; i++) {
		assert_quiet(scene, fd[i]);
		put(scene, fd[i], ecr(GREY_IMSI));
		assert_status(scene, fd[i], 2);
	}
	assert_int_equal(s13_clients(scene->s13), 1);
}

/* Fewer from now on: those that are too many say goodbye when the next one comes. */
static void a_lower_limit_takes_hold_with_the_next_one(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd[S13_MAX_CONNECTIONS];

	config->connections_per_peer = S13_MAX_CONNECTIONS;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	for (unsigned i = 0; i < S13_MAX_CONNECTIONS; i++)
		fd[i] = scene_peer(scene, MME);
	for (unsigned i = 0; i < S13_MAX_CONNECTIONS; i++)
		assert_quiet(scene, fd[i]);
	config = scene_config(scene);
	config->connections_per_peer = 1;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	assert_quiet(scene, scene_peer(scene, MME));
	for (unsigned i = 0; i < S13_MAX_CONNECTIONS; i++)
		assert_request(scene, fd[i], 282);
}

/* However it goes about it: it answers no goodbye, or says its own, or answers all of them. */
static const struct crowd_row {
	const char *name;
	bool says_goodbye, answers;
	unsigned most; /* at a time */
} crowd_rows[] = {
	{"crowd: one name that answers nothing", false, false, 1 + S13_LEAVING},
	{"crowd: one name that leaves all the time", true, false, 1 + S13_LEAVING},
	{"crowd: one name that answers every goodbye", false, true, 2 + S13_CERS_BURST + TRAFFIC_FINISH_S *S13_CERS},
};

/* Comes once more.  Whoever is refused leaves at once: what is counted then are those that were let in. */
static int come_again(struct scene *scene)
{
	int fd = scene_connect(scene);
	struct got *got;

	put(scene, fd, cer(MME, REALM));
	got = get(scene, fd);
	assert_int_not_equal(got->len, 0);
	if (hand_number(got->octets, got->len, 268, 0) == 2001)
		return fd;
	assert_int_equal(hand_number(got->octets, got->len, 268, 0), 3004);
	assert_int_equal(got->octets[4], 0x20);
	assert_ended(scene, fd);
	shutdown(fd, SHUT_WR);
	scene_settle(scene);
	return -1;
}

static void crowd(void **state)
{
	const struct crowd_row *row = *state;
	unsigned most = 0, let_in = 0;
	struct scene *scene;
	int fd, last = -1;
	void *stage;

	scene_start(&stage);
	scene = stage;
	for (unsigned i = 0; i < 300; i++) {
		fd = come_again(scene);
		if (fd >= 0 && row->says_goodbye)
			put(scene, fd, dpr(0));
		if (fd >= 0 && row->answers && last >= 0)
			put(scene, last, answer_to(assert_request(scene, last, 282)));
		last = fd < 0 ? last : fd;
		let_in += fd >= 0;
		if (traffic_count(scene->stage.traffic) > most)
			most = traffic_count(scene->stage.traffic);
		scene_pass(scene, 10);
	}
	assert_in_range(let_in, S13_CERS_BURST, S13_CERS_BURST + 3 * S13_CERS);
	assert_int_equal(counted(scene)->hasty, 300 - let_in);
	assert_in_range(most, 2, row->most);
	scene_end(&stage);
}

static void two_hundred_peers(void **state)
{
	struct scene *scene = *state;
	char name[64];
	int fd[200];

	traffic_limit(scene->stage.traffic, 5000);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "mme%u.example", i);
		fd[i] = scene_peer(scene, name);
	}
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "mme%u.example", i);
		put(scene, fd[i], ecr_of(name, REALM, WHITE_IMSI, IMEI));
	}
	for (unsigned i = 0; i < 200; i++)
		assert_status(scene, fd[i], 0);
	assert_int_equal(counted(scene)->connected, 200);
	assert_int_equal(s13_clients(scene->s13), 200);
}

/* From another host of ours. */
static int connect_from(struct scene *scene, const char *host)
{
	struct gate_address from;
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(address_from_text(host, 0, &from), 0);
	len = address_to_sockaddr(&from, &sa);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	len = address_to_sockaddr(&s13_listening(scene->s13, 0)->address[0], &sa);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	scene_settle(scene);
	return stage_keep(scene, fd);
}

/* Whoever has a peer's name but not its address does not push it out while it is there (RFC 6733 5.6: R-Reject). */
static void another_host_with_a_peers_name(void **state)
{
	struct scene *scene = *state;
	int peer = scene_peer(scene, MME), other = connect_from(scene, "127.0.0.2");

	put(scene, other, cer(MME, REALM));
	assert_answer(scene, other, 257, 0x20, 3010);
	assert_ended(scene, other);
	assert_int_equal(counted(scene)->impostors, 1);
	put(scene, peer, ecr(GREY_IMSI));
	assert_status(scene, peer, 2);
	scene_pass(scene, 33000); /* it is silent, and asked */
	assert_request(scene, peer, 280);
	other = connect_from(scene, "127.0.0.2");
	put(scene, other, cer(MME, REALM));
	assert_answer(scene, other, 257, 0, 2001);
	assert_request(scene, peer, 282);
}

/* --- configuration */

static void it_needs_a_name_to_listen(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	struct weir_why why;

	config->origin_realm[0] = '\0';
	assert_true(scene_configure(scene, config, &why) < 0);
	assert_non_null(strstr(why.text, "origin-host and origin-realm are needed"));
	config->door.n_listen = 0;
	assert_int_equal(scene_configure(scene, config, &why), 0);
}

static void peers_that_stay_are_not_disturbed(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, MME), gone = scene_peer(scene, "dra1.example");
	struct got *got;

	assert_int_equal(config_del_peer(&config->door, "dra*", NULL, "127.0.0.0/8", NULL), 0);
	config->watchdog_s = 6;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	got = assert_request(scene, gone, 282);
	assert_int_equal(hand_number(got->octets, got->len, 273, 0), 2);
	assert_quiet(scene, fd);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
	scene_pass(scene, 9000);
	assert_request(scene, fd, 280);
}

static void a_new_name_is_learnt_by_coming_again(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, MME);
	struct got *got;
	size_t len;

	assert_int_equal(config_set_name(config->origin_host, "EIR2.weir.example", NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	got = assert_request(scene, fd, 282);
	assert_int_equal(hand_number(got->octets, got->len, 273, 0), 0);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 264, 0, 0), &len), "eir2.weir.example", 17);
}

/* --- what is shown */

static void keep_peer(const struct s13_peer_state *peer, void *data)
{
	struct s13_peer_state *keep = data;

	*keep = *peer;
}

/* A file that is half written while something else changes. */
static void a_certificate_that_is_being_renewed_stays_in_force(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	const char *address = "127.0.0.1";
	const struct tls_context *before;

	config->door.n_listen = 0;
	config->door.tls = pki_files("server", "ca");
	assert_int_equal(config_add_listen(&config->door, GATE_TLS, &address, 1, 0, NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	before = door_certificate(s13_door(scene->s13));
	assert_non_null(before);
	assert_int_equal(truncate(config->door.tls.certificate, 0), 0);
	config->watchdog_s = 40;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	assert_ptr_equal(door_certificate(s13_door(scene->s13)), before);
}

static void what_is_shown(void **state)
{
	struct scene *scene = *state;
	struct counter_table table = s13_counter_table(scene->s13);
	struct s13_peer_state peer = {.name = NULL};
	int fd = scene_connect(scene);

	s13_each_peer(scene->s13, keep_peer, &peer);
	assert_string_equal(peer.name, "?");
	assert_string_equal(peer.state, "cer awaited");
	put(scene, fd, cer("DRA1.example", REALM));
	assert_answer(scene, fd, 257, 0, 2001);
	put(scene, fd, ecr_of("dra1.example", REALM, WHITE_IMSI, IMEI));
	put(scene, fd, ecr_of("dra1.example", REALM, WHITE_IMSI, NULL));
	s13_each_peer(scene->s13, keep_peer, &peer);
	assert_string_equal(peer.name, "dra1.example");
	assert_string_equal(peer.realm, REALM);
	assert_string_equal(peer.state, "open");
	assert_string_equal(peer.watchdog, "okay");
	assert_string_equal(peer.tls, "");
	assert_true(peer.agent);
	assert_int_equal(peer.checks, 2);
	assert_int_equal(peer.refused, 1);
	assert_int_equal(peer.id, peers_find(scene->stage.peers, WEIR_IF_S13, "dra1.example"));
	assert_int_equal(table.n * sizeof(uint64_t), sizeof(struct s13_counters));
	for (unsigned i = 0; i < table.n; i++)
		assert_true(table.row[i].offset % sizeof(uint64_t) == 0 && *table.row[i].help);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_start, scene_end)

int main(void)
{
	static const struct CMUnitTest single[] = {
		TEST(strangers_peers_and_what_they_do_do_not_hide_each_other),
		TEST(comings_and_goings_are_told_once_a_minute),
		TEST(a_newer_connection_replaces_the_oldest),
		TEST(the_oldest_is_who_is_open_longest),
		TEST(as_many_as_are_allowed),
		TEST(a_lower_limit_takes_hold_with_the_next_one),
		TEST(two_hundred_peers),
		TEST(another_host_with_a_peers_name),
		TEST(it_needs_a_name_to_listen),
		TEST(peers_that_stay_are_not_disturbed),
		TEST(a_new_name_is_learnt_by_coming_again),
		TEST(a_certificate_that_is_being_renewed_stays_in_force),
		TEST(what_is_shown),
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(crowd_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	ADD_ROWS(tests, n, crowd_rows, crowd);
	return cmocka_run_group_tests_name("s13 peers", tests, pki_make, pki_remove);
}
