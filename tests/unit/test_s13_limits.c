/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: limits of clients, agents, strangers and the gate. */
#include "s13_scene.h"

#include "rows.h"

/* --- limits */

static void foreign_clients_are_limited(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, "dra1.example"), home = scene_peer(scene, MME);

	for (unsigned i = 0; i < 10; i++) {
		put(scene, fd, ecr_of("mme.abroad", "abroad", GREY_IMSI, IMEI));
		assert_status(scene, fd, 2);
	}
	put(scene, fd, ecr_of("mme.abroad", "abroad", GREY_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x60, 3004);
	put(scene, fd, ecr_of("mme2.abroad", "abroad", GREY_IMSI, IMEI)); /* another name is no way round it */
	assert_answer(scene, fd, 324, 0x60, 3004);
	put(scene, home, ecr(GREY_IMSI));
	assert_status(scene, home, 2);
	scene_pass(scene, 100);
	put(scene, fd, ecr_of("mme.abroad", "abroad", GREY_IMSI, IMEI));
	assert_status(scene, fd, 2);
	assert_int_equal(counted(scene)->foreign, 13);
	assert_int_equal(counted(scene)->foreign_shed, 2);
	assert_int_equal(counted(scene)->shed, 2);
	assert_int_equal(tally(scene, WEIR_TALLY_SHED), 2);
}

/* Nor are many names, each with a connection of its own: there is a bound for all of them together. */
static void foreign_peers_together_are_limited(void **state)
{
	struct scene *scene = *state;
	char name[64];
	int fd;

	for (unsigned i = 0; i < S13_FOREIGN_CLIENTS; i++) {
		snprintf(name, sizeof(name), "mme%u.example", i);
		fd = scene_connect(scene);
		put(scene, fd, cer(name, "abroad"));
		assert_answer(scene, fd, 257, 0, 2001);
		for (unsigned k = 0; k < 10; k++) {
			put(scene, fd, ecr_of(name, "abroad", GREY_IMSI, IMEI));
			assert_status(scene, fd, 2);
		}
	}
	fd = scene_connect(scene);
	put(scene, fd, cer("mme99.example", "abroad"));
	assert_answer(scene, fd, 257, 0, 2001);
	put(scene, fd, ecr_of("mme99.example", "abroad", GREY_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x60, 3004);
}

/* What an agent brings counts for it too, whoever asks. */
static void an_agent_has_its_limit(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, "dra1.example"), other = scene_peer(scene, "dra2.example");
	char name[64];

	assert_int_equal(config_set_rate(&config->door, "dra1*", &(struct rate_terms){.limit = 50}, NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	for (unsigned i = 0; i < 5; i++) { /* a tenth of a second's worth */
		snprintf(name, sizeof(name), "mme%u.example", i);
		put(scene, fd, ecr_of(name, REALM, GREY_IMSI, IMEI));
		assert_status(scene, fd, 2);
	}
	put(scene, fd, ecr_of("mme9.example", REALM, GREY_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x60, 3004);
	put(scene, other, ecr_of("mme9.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, other, 2);
	scene_pass(scene, 20);
	put(scene, fd, ecr_of("mme9.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, fd, 2);
}

/* New names that one agent invents are no reason to turn away those of another. */
static void each_agent_has_its_own_new_clients(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, "dra1.example"), other = scene_peer(scene, "dra2.example");
	char name[64];

	for (unsigned i = 0; i < S13_NEW_CLIENTS; i++) {
		snprintf(name, sizeof(name), "invented%u.example", i);
		put(scene, fd, ecr_of(name, REALM, GREY_IMSI, IMEI));
		assert_status(scene, fd, 2);
	}
	put(scene, fd, ecr_of("invented.example", REALM, GREY_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x60, 3004);
	put(scene, other, ecr_of("mme9.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, other, 2);
}

/* Whose realm is not ours is foreign, whatever realm its requests name. */
static void a_foreign_peer_is_foreign(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_connect(scene);

	config->foreign_refuse = true;
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	put(scene, fd, cer("mme1.example", "abroad"));
	assert_answer(scene, fd, 257, 0, 2001);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_answer(scene, fd, 324, 0x40, 5003);
	assert_int_equal(counted(scene)->foreign, 1);
	assert_int_equal(counted(scene)->foreign_shed, 1);
}

static void each_client_has_its_limit(void **state)
{
	const struct rate_terms ten = {.limit = 10};
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, MME), other = scene_peer(scene, "mme2.example");
	struct got *got;

	assert_int_equal(config_set_rate(&config->door, "MME1*", &ten, NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	put(scene, fd, ecr(GREY_IMSI)); /* a tenth of a second's worth is one */
	assert_status(scene, fd, 2);
	put(scene, fd, ecr(GREY_IMSI));
	got = assert_answer(scene, fd, 324, 0x60, 3004);
	assert_non_null(hand_find(got->octets, got->len, 263, 0, 0));
	put(scene, other, ecr_of("mme2.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, other, 2);
	scene_pass(scene, 100);
	put(scene, fd, ecr(GREY_IMSI));
	assert_status(scene, fd, 2);
	assert_int_equal(counted(scene)->shed, 1);
}

static void the_gate_has_a_capacity(void **state)
{
	const struct rate_terms some = {.reserve = 20};
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, MME), reserved = scene_peer(scene, "mme2.example");
	struct hand *urgent = ecr(GREY_IMSI);

	assert_int_equal(config_set_rate(&config->door, "mme2.example", &some, NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	scene->stage.check.capacity = 100; /* ten at a time */
	hand_put(urgent, 301, 0, 0, "\0\0\0\0", 4);
	for (unsigned i = 0; i < 6; i++) {
		put(scene, fd, ecr(GREY_IMSI));
		assert_status(scene, fd, 2);
	}
	put(scene, fd, ecr(GREY_IMSI)); /* four left: kept for what is more urgent */
	put(scene, fd, ecr(GREY_IMSI));
	put(scene, fd, ecr(GREY_IMSI));
	while (get(scene, fd)->len)
		continue;
	assert_int_not_equal(counted(scene)->shed, 0);
	put(scene, fd, urgent);
	assert_status(scene, fd, 2);
	for (unsigned i = 0; i < 20; i++)
		put(scene, fd, urgent);
	while (get(scene, fd)->len)
		continue;
	put(scene, reserved, ecr_of("mme2.example", REALM, BLACK_IMSI, IMEI));
	assert_status(scene, reserved, 1);
	put(scene, fd, urgent);
	assert_answer(scene, fd, 324, 0x60, 3004);
}

/* Of 120 checks at once with this DRMP (-1: without), by a gate whose bucket has 100. */
static unsigned answered_of_many(struct scene *scene, int fd, int drmp)
{
	uint64_t before = tally(scene, WEIR_TALLY_GREY);
	struct hand *h = ecr(GREY_IMSI);

	if (drmp >= 0)
		hand_put(h, 301, 0, 0, (const uint8_t[]){0, 0, 0, (uint8_t)drmp}, 4);
	scene_pass(scene, 1000);
	for (unsigned i = 0; i < 120; i++) {
		put(scene, fd, h);
		get(scene, fd);
	}
	return (unsigned)(tally(scene, WEIR_TALLY_GREY) - before);
}

/* RFC 7944 8. */
static void whoever_names_no_priority_has_the_tenth(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	unsigned without;

	scene->stage.check.capacity = 1000;
	without = answered_of_many(scene, fd, -1);
	assert_int_equal(answered_of_many(scene, fd, 0), 100);
	assert_in_range(without, 50, 90);
	assert_int_equal(answered_of_many(scene, fd, 10), without);
	assert_true(answered_of_many(scene, fd, 9) > without);
	assert_true(answered_of_many(scene, fd, 12) < without);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_start, scene_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(foreign_clients_are_limited),
		TEST(foreign_peers_together_are_limited),
		TEST(an_agent_has_its_limit),
		TEST(each_agent_has_its_own_new_clients),
		TEST(a_foreign_peer_is_foreign),
		TEST(each_client_has_its_limit),
		TEST(the_gate_has_a_capacity),
		TEST(whoever_names_no_priority_has_the_tenth),
	};

	return cmocka_run_group_tests_name("s13 limits", tests, NULL, NULL);
}
