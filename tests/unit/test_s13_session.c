/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: who is let in and how he is turned away, and what strangers and the confused send. */
#include "s13_scene.h"

#include "gate/s13_session.h"
#include "rows.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_start, scene_end)

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
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(refused_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	ADD_ROWS(tests, n, refused_rows, refused);
	return cmocka_run_group_tests_name("s13 session", tests, NULL, NULL);
}
