/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: who is let in and how he is turned away, watchdogs, goodbyes of both sides, several connections, new
 * configurations, and what strangers and the confused send. */
#include "s13_scene.h"

#include "gate/s13_session.h"
#include "rows.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/loggingrb.h>

/* --- capabilities */

static void a_peer_is_let_in(void **state)
{
	struct scene *scene = *state;
	int fd = scene_connect(scene);
	struct got *got;
	size_t len;

	put(scene, fd, cer("MME1.Example", "eXample"));
	got = assert_answer(scene, fd, 257, 0, 2001);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 296, 0, 0), &len), HOME, strlen(HOME));
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 257, 0, 0), &len), "\0\1\x7f\0\0\1", 6);
	assert_null(hand_find(got->octets, got->len, 257, 0, 1));
	assert_int_equal(hand_number(got->octets, got->len, 266, 0), 0);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 269, 0, 0), &len), "Weir", 4);
	assert_int_equal(hand_number(got->octets, got->len, 265, 0), G3);
	assert_true(hand_number(got->octets, got->len, 278, 0) > 1000000000);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 260, 0, 0), &len),
			    "\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf\0\0\1\2\x40\0\0\x0c\1\0\0\x24", 24);
	assert_int_equal(counted(scene)->connected, 1);
	assert_quiet(scene, fd);
}

static void octet_by_octet(void **state)
{
	struct scene *scene = *state;
	int fd = scene_connect(scene);
	struct hand *h = cer(MME, REALM);

	for (size_t i = 0; i < h->len; i++)
		put_octets(scene, fd, h->octets + i, 1);
	assert_answer(scene, fd, 257, 0, 2001);
	h = ecr(BLACK_IMSI);
	for (size_t i = 0; i < h->len; i++)
		put_octets(scene, fd, h->octets + i, 1);
	assert_status(scene, fd, 1);
}

static void all_in_one_write(void **state)
{
	struct scene *scene = *state;
	int fd = scene_connect(scene);
	struct hand *all = cer(MME, REALM);
	struct hand *more[] = {ecr(WHITE_IMSI), dwr(), ecr(GREY_IMSI)};
	size_t first = all->len;

	for (size_t i = 0; i < N_ROWS(more); i++)
		hand_octets(all, more[i]->octets, more[i]->len);
	hand_set_length(all, (uint32_t)first);
	put(scene, fd, all);
	assert_answer(scene, fd, 257, 0, 2001);
	assert_status(scene, fd, 0);
	assert_answer(scene, fd, 280, 0, 2001);
	assert_status(scene, fd, 2);
}

/* What a CER can be refused for; each is told, then closed. */
static void edit_name(struct hand *h)
{
	*h = *cer("hss.example", REALM);
}

static void edit_realm(struct hand *h)
{
	*h = *cer("mme9.example", "elsewhere");
}

static void edit_ourselves(struct hand *h)
{
	*h = *cer("eir.weir.example", HOME);
}

static void edit_empty_label(struct hand *h)
{
	*h = *cer("mme1..example", REALM);
}

static void edit_no_application(struct hand *h)
{
	h->octets[h->len - 1]--; /* the application behind S13 */
}

static void edit_other_vendor(struct hand *h)
{
	h->octets[h->len - 13]++;
}

static void edit_security(struct hand *h)
{
	hand_unsigned(h, 299, 1);
}

static void edit_no_address(struct hand *h)
{
	*h = *hand(0x80, 257, 0);
	hand_text(h, 264, MME);
	hand_text(h, 296, REALM);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, "test", 4);
}

static void edit_bad_family(struct hand *h)
{
	hand_put(h, 257, HAND_M, 0,
		 "\0\x08"
		 "49",
		 4);
}

static void edit_bad_address(struct hand *h)
{
	hand_put(h, 257, HAND_M, 0, "\0\2\x7f\0\0\1", 6);
}

static void edit_64_hosts(struct hand *h)
{
	for (unsigned i = 1; i < 64; i++)
		hand_text(h, 264, "mme1.example");
}

static void edit_unknown_must(struct hand *h)
{
	hand_put(h, 9999, HAND_M, 0, "x", 1);
}

static void edit_lying_length(struct hand *h)
{
	hand_octets(h, "\0\0\1\x16\x40\xff\xff\xff\1\2\3\4", 12);
}

static void edit_proxiable(struct hand *h)
{
	h->octets[4] |= 0x40;
}

static void edit_error(struct hand *h)
{
	h->octets[4] |= 0x20;
}

static void edit_version(struct hand *h)
{
	h->octets[0] = 2;
}

static void edit_length_22(struct hand *h)
{
	hand_set_length(h, 22);
}

static void edit_length_4(struct hand *h)
{
	hand_set_length(h, 4);
}

static void edit_length_16m(struct hand *h)
{
	hand_set_length(h, 0xfffffc);
}

static const struct refused_row {
	const char *name;
	void (*edit)(struct hand *h);
	uint32_t result;
	size_t counter;
	bool failed; /* there is a Failed-AVP */
} refused_rows[] = {
	{"cer: a name that no rule allows", edit_name, 3010, offsetof(struct s13_counters, unknown_peer), false},
	{"cer: a realm that no rule allows", edit_realm, 3010, offsetof(struct s13_counters, unknown_peer), false},
	{"cer: our own name", edit_ourselves, 3010, offsetof(struct s13_counters, unknown_peer), false},
	{"cer: a name with nothing between two dots", edit_empty_label, 5004, offsetof(struct s13_counters, violated),
	 true},
	{"cer: another application", edit_no_application, 5010, offsetof(struct s13_counters, no_common), false},
	{"cer: S13 of another vendor", edit_other_vendor, 5010, offsetof(struct s13_counters, no_common), false},
	{"cer: security inside", edit_security, 5017, offsetof(struct s13_counters, insecure), false},
	{"cer: no address", edit_no_address, 5005, offsetof(struct s13_counters, violated), true},
	{"cer: an address of no family", edit_bad_family, 5004, offsetof(struct s13_counters, violated), true},
	{"cer: an address of a wrong length", edit_bad_address, 5014, offsetof(struct s13_counters, violated), true},
	{"cer: 64 Origin-Hosts", edit_64_hosts, 5009, offsetof(struct s13_counters, violated), true},
	{"cer: an unknown AVP with M", edit_unknown_must, 5001, offsetof(struct s13_counters, violated), true},
	{"cer: a length that lies", edit_lying_length, 5014, offsetof(struct s13_counters, violated), true},
	{"cer: proxiable", edit_proxiable, 3008, offsetof(struct s13_counters, violated), false},
	{"cer: E bit", edit_error, 3008, offsetof(struct s13_counters, violated), false},
	{"cer: version 2", edit_version, 5011, offsetof(struct s13_counters, violated), false},
	{"cer: length 22", edit_length_22, 5015, offsetof(struct s13_counters, bad_length), false},
	{"cer: length 4", edit_length_4, 5015, offsetof(struct s13_counters, bad_length), false},
	{"cer: 16 million octets", edit_length_16m, 5015, offsetof(struct s13_counters, bad_length), false},
};

static void refused(void **state)
{
	const struct refused_row *row = *state;
	struct s13_config *config;
	struct hand *h = cer(MME, REALM);
	struct scene *scene;
	void *stage;
	struct got *got;
	int fd;

	scene_start(&stage);
	scene = stage;
	config = scene_config(scene);
	assert_int_equal(config_add_peer(&config->door, "eir*", NULL, "127.0.0.0/8", NULL), 0);
	for (unsigned i = 0; i < config->door.n_peers; i++) {
		if (!strcmp(config->door.peer[i].pattern, "mme*"))
			strcpy(config->door.peer[i].realm, "EXAMPLE");
	}
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	fd = scene_connect(scene);
	row->edit(h);
	put(scene, fd, h);
	got = assert_answer(scene, fd, 257, (h->octets[4] & 0x40) | (row->result < 4000 ? 0x20 : 0), row->result);
	assert_int_equal(hand_find(got->octets, got->len, 279, 0, 0) != NULL, row->failed);
	assert_ended(scene, fd);
	assert_int_equal(*(const uint64_t *)((const char *)counted(scene) + row->counter), 1);
	assert_int_equal(counted(scene)->connected, 0);
	scene_end(&stage);
}

static void a_relay_is_let_in(void **state)
{
	struct scene *scene = *state;
	int fd = scene_connect(scene);
	struct hand *h = hand(0x80, 257, 0);

	hand_text(h, 264, "dra1.example");
	hand_text(h, 296, REALM);
	hand_put(h, 257, HAND_M, 0, "\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 18);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, "relay", 5);
	hand_unsigned(h, 299, 0);
	hand_unsigned(h, 258, 0xffffffff);
	put(scene, fd, h);
	assert_answer(scene, fd, 257, 0, 2001);
}

static void another_address_is_not_served(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd;

	config->door.n_peers = 0;
	assert_int_equal(config_add_peer(&config->door, "*", NULL, "10.0.0.0/8", NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	fd = scene_connect(scene);
	assert_ended(scene, fd);
	assert_int_equal(counted(scene)->stranger, 1);
}

static const char first_words[][64] = {
	"GET / HTTP/1.1\r\nHost: eir.weir.example\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 client hello",
	"nothing that anybody here would know",
};

static void other_protocols_get_no_word(void **state)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < N_ROWS(first_words); i++) {
		int fd = scene_connect(scene);
		put_octets(scene, fd, first_words[i], 36);
		assert_ended(scene, fd);
	}
}

static void nobody_speaks_before_the_cer(void **state)
{
	struct scene *scene = *state;
	struct hand *first[] = {ecr(WHITE_IMSI), dwr(), dpr(0), hand(0, 257, 0), hand(0x80, 257, S13)};

	for (size_t i = 0; i < N_ROWS(first); i++) {
		int fd = scene_connect(scene);
		put(scene, fd, first[i]);
		assert_ended(scene, fd);
	}
	assert_int_equal(counted(scene)->violated, N_ROWS(first));
	assert_int_equal(scene->stage.check.counters[WEIR_IF_S13].received, 0);
}

static void the_silent_are_closed(void **state)
{
	struct scene *scene = *state;
	int fd = scene_connect(scene), half = scene_connect(scene);

	put_octets(scene, half, cer(MME, REALM)->octets, 30);
	scene_pass(scene, 9000);
	assert_quiet(scene, fd);
	scene_pass(scene, 1000);
	assert_ended(scene, fd);
	assert_ended(scene, half);
	assert_int_equal(counted(scene)->unidentified, 2);
}

static void a_second_cer_of_the_same_peer_is_answered(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, cer("Mme1.example", REALM));
	assert_answer(scene, fd, 257, 0, 2001);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
	put(scene, fd, cer("mme2.example", REALM));
	assert_answer(scene, fd, 257, 0x20, 3010);
	assert_ended(scene, fd);
}

/* Another spelling of a name is no other peer. */
static void a_final_dot_makes_no_other_peer(void **state)
{
	struct scene *scene = *state;
	int plain = scene_peer(scene, MME), dotted = scene_connect(scene);
	struct hand *h = ecr_of(MME ".", REALM ".", WHITE_IMSI, IMEI);

	hand_text(h, 293, EIR "."); /* Destination-Host */
	put(scene, plain, h);
	assert_status(scene, plain, 0);
	put(scene, dotted, cer(MME ".", REALM "."));
	assert_answer(scene, dotted, 257, 0, 2001);
	assert_request(scene, plain, 282);
	put(scene, dotted, ecr(WHITE_IMSI));
	assert_status(scene, dotted, 0);
	put(scene, dotted, h);
	assert_status(scene, dotted, 0);
	put(scene, dotted, cer(MME, REALM));
	assert_answer(scene, dotted, 257, 0, 2001);
	assert_int_equal(s13_clients(scene->s13), 1);
	assert_int_equal(counted(scene)->foreign, 0);
}

static void a_bad_length_ends_an_open_session(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = ecr(WHITE_IMSI);

	hand_set_length(h, 0xfffffc);
	put(scene, fd, h);
	assert_answer(scene, fd, 324, 0x40, 5015);
	assert_ended(scene, fd);
	assert_int_equal(counted(scene)->bad_length, 1);
}

/* --- what nobody here knows */

static void other_requests_are_refused(void **state)
{
	static const struct {
		uint8_t flags, answer;
		uint32_t command, application, result;
	} rows[] = {
		{0xc0, 0x60, 316, 16777251, 3007},   {0xc0, 0x60, 324, 16777251, 3007},
		{0xc0, 0x60, 324, 0xffffffff, 3007}, {0xc0, 0x60, 324, 0, 3001},
		{0xc0, 0x60, 275, S13, 3001},        {0x80, 0x20, 999, 0, 3001},
		{0x80, 0x20, 280, S13, 3001},        {0x80, 0x20, 324, S13, 3008},
		{0xe0, 0x60, 324, S13, 3008},        {0xc0, 0x60, 280, 0, 3008},
		{0xa0, 0x20, 282, 0, 3008},          {0xe0, 0x60, 999, 0, 3008},
	};
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;
	size_t len;

	for (size_t i = 0; i < N_ROWS(rows); i++) {
		struct hand *h = hand(rows[i].flags, rows[i].command, rows[i].application);
		hand_text(h, 263, "a;1;2");
		hand_put(h, 284, HAND_M, 0, "opaque", 6);
		put(scene, fd, h);
		got = assert_answer(scene, fd, rows[i].command, rows[i].answer, rows[i].result);
		assert_memory_equal(hand_value(hand_find(got->octets, got->len, 263, 0, 0), &len), "a;1;2", 5);
		assert_memory_equal(hand_value(hand_find(got->octets, got->len, 284, 0, 0), &len), "opaque", 6);
		assert_memory_equal(got->octets + 12, h->octets + 12, 8);
	}
	assert_int_equal(counted(scene)->unsupported, N_ROWS(rows));
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
}

static void another_version_is_refused(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = ecr(WHITE_IMSI);

	h->octets[0] = 2;
	put(scene, fd, h);
	assert_answer(scene, fd, 324, 0x40, 5011);
	h = dwr();
	h->octets[0] = 0;
	put(scene, fd, h);
	assert_answer(scene, fd, 280, 0, 5011);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
}

static void answers_that_nobody_asked_for_are_dropped(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = hand(0x40, 324, S13);

	put(scene, fd, h);
	put(scene, fd, hand(0, 280, 0));
	put(scene, fd, hand(0, 282, 0));
	put(scene, fd, hand(0x20, 999, 7));
	assert_quiet(scene, fd);
	assert_int_equal(counted(scene)->unasked, 4);
}

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

int main(void)
{
	static const struct CMUnitTest single[] = {
		TEST(a_peer_is_let_in),
		TEST(octet_by_octet),
		TEST(all_in_one_write),
		TEST(a_relay_is_let_in),
		TEST(another_address_is_not_served),
		TEST(other_protocols_get_no_word),
		TEST(nobody_speaks_before_the_cer),
		TEST(the_silent_are_closed),
		TEST(a_second_cer_of_the_same_peer_is_answered),
		TEST(a_final_dot_makes_no_other_peer),
		TEST(a_bad_length_ends_an_open_session),
		TEST(other_requests_are_refused),
		TEST(another_version_is_refused),
		TEST(answers_that_nobody_asked_for_are_dropped),
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
		TEST(strangers_peers_and_what_they_do_do_not_hide_each_other),
		TEST(comings_and_goings_are_told_once_a_minute),
		TEST(a_newer_connection_replaces_the_oldest),
		TEST(the_oldest_is_who_is_open_longest),
		TEST(as_many_as_are_allowed),
		TEST(a_lower_limit_takes_hold_with_the_next_one),
		TEST(two_hundred_peers),
		TEST(it_needs_a_name_to_listen),
		TEST(peers_that_stay_are_not_disturbed),
		TEST(a_new_name_is_learnt_by_coming_again),
		TEST(what_is_shown),
		TEST(another_host_with_a_peers_name),
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(refused_rows) + N_ROWS(room_rows) + N_ROWS(crowd_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < N_ROWS(refused_rows); i++)
		tests[n++] = ROW_TEST(refused_rows[i].name, refused, &refused_rows[i]);
	for (size_t i = 0; i < N_ROWS(room_rows); i++)
		tests[n++] = ROW_TEST(room_rows[i].name, room, &room_rows[i]);
	for (size_t i = 0; i < N_ROWS(crowd_rows); i++)
		tests[n++] = ROW_TEST(crowd_rows[i].name, crowd, &crowd_rows[i]);
	return cmocka_run_group_tests_name("s13 session", tests, NULL, NULL);
}
