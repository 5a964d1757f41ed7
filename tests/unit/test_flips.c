/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* "Block now": who is attached with a device that turned black is thrown off, and nobody else. */
#include "gate/flips.h"

#include "gate/check.h"
#include "gate/sightings.h"

#include "fake_register.h"
#include "state_dir.h"

#define DEVICE(i)     (UINT64_C(35209900000000) + (i))
#define SUBSCRIBER(i) (UINT64_C(1001010000000000) + (i))
#define BLACK         WEIR_ON(WEIR_BLACK)
#define NOW           1000000u
#define MSC           1
#define SGSN          2
#define AWAY_PEER     3
#define KIND          4 /* always told white */

struct cancel {
	uint64_t imei, imsi;
	uint16_t peer_id;
};

struct scene {
	char dir[32];
	struct weir_register reg;
	struct check check;
	struct flips *flips;
	struct cancel cancel[1000];
	unsigned n_cancels;
	unsigned room; /* cancels that are taken before -ENOBUFS */
	int cancel_rc; /* of those that are taken */
	bool away_is_back;
};

static bool peer_by_id(uint16_t id, struct flips_peer *peer, void *data)
{
	struct scene *scene = data;

	if (id != MSC && id != SGSN && id != KIND && !(id == AWAY_PEER && scene->away_is_back))
		return false;
	*peer = (struct flips_peer){id, WEIR_IF_GSUP,
				    policy_terms(scene->check.policy, WEIR_IF_GSUP, id == KIND ? "kind" : "")};
	return true;
}

static uint16_t peer_named(const char *name, enum weir_interface interface, void *data)
{
	(void)data;
	assert_int_equal(interface, WEIR_IF_GSUP);
	if (!strcmp(name, "msc"))
		return MSC;
	if (!strcmp(name, "away"))
		return AWAY_PEER;
	return strcmp(name, "sgsn") ? 0 : SGSN;
}

static int cancel(struct weir_imsi imsi, uint64_t imei, const struct flips_peer *peer, void *data)
{
	struct scene *scene = data;

	if (!scene->room)
		return -ENOBUFS;
	scene->room--;
	assert_true(scene->n_cancels < N_ROWS(scene->cancel));
	scene->cancel[scene->n_cancels++] = (struct cancel){imei, imsi.packed, peer->id};
	return scene->cancel_rc;
}

static void set_policy(struct scene *scene, enum weir_action override, enum weir_action store_failure)
{
	struct weir_policy_draft draft;
	const struct weir_peer_rule kind = {
		"kind",
		WEIR_IF_GSUP,
		{WEIR_DO_WHITE, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT},
	};

	policy_draft_init(&draft);
	draft.peer_rules = &kind;
	draft.n_peer_rules = 1;
	draft.override = override;
	draft.defaults.store_failure = store_failure;
	policy_free(scene->check.policy);
	scene->check.policy = policy_alloc(&draft, NULL);
	assert_non_null(scene->check.policy);
}

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	state_dir_make(scene->dir);
	scene->room = 1000;
	scene->reg.serial = 100;
	scene->check.reg = &scene->reg;
	set_policy(scene, WEIR_DO_CONTINUE, WEIR_DO_BLACK);
	scene->check.sightings = sightings_alloc(scene->dir, 1 << 16, 1, NULL);
	scene->flips = flips_alloc(&scene->check, &(struct flips_calls){peer_by_id, peer_named, cancel, scene});
	*state = scene;
	return scene->check.sightings && scene->flips ? 0 : -1;
}

/* As after the first datagram and its sweep: the serial is known. */
static int setup_heard(void **state)
{
	int rc = setup(state);
	struct scene *scene = *state;

	if (rc)
		return rc;
	flips_handle(scene->flips, &(struct weir_flips){.after_serial = 99, .serial = 100});
	while (flips_sweep_step(scene->flips))
		;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	flips_free(scene->flips);
	sightings_free(scene->check.sightings);
	policy_free(scene->check.policy);
	state_dir_remove(scene->dir, FLIP_SOCKET);
	free(scene);
	return 0;
}

/* Checked and let through. */
static void attach_as(struct scene *scene, uint64_t imei, int8_t svn, uint64_t imsi, uint16_t peer_id)
{
	const struct check_peer peer = {peer_id == MSC ? "msc" : "sgsn", 0, peer_id};
	const struct weir_query query = {.imei = {imei, svn}, .imsi = {imsi}};
	const struct weir_verdict verdict = {.colour = WEIR_UNKNOWN, .tally = WEIR_TALLY_UNKNOWN};

	sightings_note(scene->check.sightings, WEIR_IF_GSUP, &peer, &query, &verdict, NOW);
}

static void attach(struct scene *scene, unsigned i)
{
	attach_as(scene, DEVICE(i), WEIR_NO_SVN, SUBSCRIBER(i), MSC);
}

/* The register moves on by one and the keeper says so, naming a device. */
static void turn_black(struct scene *scene, unsigned i)
{
	struct weir_flips message = {.after_serial = scene->reg.serial, .serial = scene->reg.serial + 1, .n = 1};

	message.flip[0].imei = DEVICE(i);
	scene->reg.serial++;
	fake_list(&scene->reg, DEVICE(i), BLACK);
	flips_handle(scene->flips, &message);
}

static int sweep_to_the_end(struct scene *scene)
{
	int rc, steps = 0;

	do {
		rc = flips_sweep_step(scene->flips);
		assert_true(++steps < 1000);
	} while (rc == 1);
	return rc;
}

/* --- hints ------------------------------------------------------------------------------------ */

static void test_who_is_attached_with_it_is_thrown_off(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	attach(scene, 2);
	attach_as(scene, DEVICE(1), WEIR_NO_SVN, SUBSCRIBER(1), SGSN);
	turn_black(scene, 1);
	assert_int_equal(scene->n_cancels, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(scene->cancel[i].imei == DEVICE(1) && scene->cancel[i].imsi == SUBSCRIBER(1));
	assert_int_equal(scene->cancel[0].peer_id + scene->cancel[1].peer_id, MSC + SGSN);
	assert_false(flips_sweeping(scene->flips));
	assert_int_equal(flips_counters(scene->flips)->cancelled, 2);
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		assert_int_equal(scene->check.counters[i].received, 0);
}

static void test_nobody_is_thrown_off_twice(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	turn_black(scene, 1);
	turn_black(scene, 1);
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
}

static void test_a_hint_is_not_believed_the_register_is(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 100, .n = 2};

	attach(scene, 1);
	attach(scene, 2);
	fake_list(&scene->reg, DEVICE(2), WEIR_ON(WEIR_GREY));
	message.flip[0].imei = DEVICE(1);
	message.flip[1].imei = DEVICE(2);
	flips_handle(scene->flips, &message);
	assert_int_equal(scene->n_cancels, 0);
	assert_int_equal(flips_counters(scene->flips)->looked, 2);
	assert_int_equal(flips_counters(scene->flips)->hints, 2);
}

static void test_whom_the_keeper_remembers_is_thrown_off_too(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {
		.after_serial = 100,
		.serial = 100,
		.n = 5,
		.flip =
			{
				{DEVICE(1), {SUBSCRIBER(1)}, "msc"},       /* seen before our start */
				{DEVICE(2), {SUBSCRIBER(2)}, "msc"},       /* ours too */
				{DEVICE(3), {SUBSCRIBER(3)}, "msc"},       /* since then in another phone */
				{DEVICE(4), {SUBSCRIBER(4)}, "elsewhere"}, /* not our peer */
				{DEVICE(5), {0}, "msc"},                   /* nobody known */
			},
	};

	for (unsigned i = 1; i <= 5; i++)
		fake_list(&scene->reg, DEVICE(i), BLACK);
	attach(scene, 2);
	attach_as(scene, DEVICE(9), WEIR_NO_SVN, SUBSCRIBER(3), MSC);
	flips_handle(scene->flips, &message);
	assert_int_equal(scene->n_cancels, 2);
	assert_true(scene->cancel[0].imei == DEVICE(1) && scene->cancel[0].imsi == SUBSCRIBER(1));
	assert_int_equal(scene->cancel[0].peer_id, MSC);
	assert_true(scene->cancel[1].imei == DEVICE(2));
}

static void test_whom_the_keeper_remembers_is_looked_at_when_his_peer_is_back(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 100, .n = 1};

	message.flip[0] = (struct weir_flip){DEVICE(1), {SUBSCRIBER(1)}, "away", 23, WEIR_IF_GSUP};
	fake_list(&scene->reg, DEVICE(1), BLACK);
	flips_handle(scene->flips, &message);
	assert_int_equal(scene->n_cancels, 0);
	scene->away_is_back = true;
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(scene->cancel[0].peer_id, AWAY_PEER);
	assert_int_equal(scene->reg.last.imei.svn, 23);
	flips_handle(scene->flips, &message); /* thrown off: named again, he is known to be away */
	assert_int_equal(scene->n_cancels, 1);
}

static void test_whom_the_keeper_remembers_takes_nobodys_place(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 100, .n = 1};

	for (unsigned i = 1; i <= 4; i++)
		attach_as(scene, DEVICE(1), WEIR_NO_SVN, SUBSCRIBER(i), MSC);
	message.flip[0] = (struct weir_flip){DEVICE(1), {SUBSCRIBER(5)}, "msc", WEIR_NO_SVN, WEIR_IF_GSUP};
	fake_list(&scene->reg, DEVICE(1), BLACK);
	flips_handle(scene->flips, &message);
	assert_int_equal(scene->n_cancels, 5);
	assert_int_equal(sightings_counters(scene->check.sightings)->evicted, 0);
}

static void test_without_sightings_the_keeper_remembers(void **state)
{
	struct scene *scene = *state;
	struct sightings *sightings = scene->check.sightings;
	struct weir_flips message = {
		.after_serial = 100, .serial = 101, .n = 1, .flip = {{DEVICE(1), {SUBSCRIBER(1)}, "sgsn"}}};

	scene->check.sightings = NULL;
	scene->reg.serial = 101;
	fake_list(&scene->reg, DEVICE(1), BLACK);
	flips_handle(scene->flips, &message);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(scene->cancel[0].peer_id, SGSN);
	flips_want_sweep(scene->flips);
	assert_int_equal(flips_sweep_step(scene->flips), 0);
	scene->check.sightings = sightings;
}

static void test_more_than_a_slice_at_once(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 101, .n = FLIP_BATCH};

	scene->reg.serial = 101;
	for (unsigned i = 0; i < FLIP_BATCH; i++) {
		if (i % 2)
			fake_list(&scene->reg, DEVICE(i), BLACK);
		message.flip[i].imei = DEVICE(i);
		for (unsigned j = 0; j < 3; j++)
			attach_as(scene, DEVICE(i), WEIR_NO_SVN, SUBSCRIBER(3 * i + j), MSC);
	}
	flips_handle(scene->flips, &message);
	assert_int_equal(sightings_counters(scene->check.sightings)->evicted, 0);
	assert_int_equal(scene->n_cancels, 3 * FLIP_BATCH / 2);
	assert_int_equal(flips_counters(scene->flips)->looked, 3 * FLIP_BATCH);
}

static void test_a_peer_that_is_not_there_is_left_alone(void **state)
{
	struct scene *scene = *state;

	attach_as(scene, DEVICE(1), WEIR_NO_SVN, SUBSCRIBER(1), AWAY_PEER);
	turn_black(scene, 1);
	assert_int_equal(scene->n_cancels, 0);
	assert_int_equal(flips_counters(scene->flips)->looked, 0);
}

static void test_what_cannot_be_cancelled_is_tried_by_the_next_sweep(void **state)
{
	struct scene *scene = *state;

	scene->cancel_rc = -ENOTCONN;
	attach(scene, 1);
	turn_black(scene, 1);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(flips_counters(scene->flips)->cancel_failed, 1);
	assert_int_equal(flips_counters(scene->flips)->cancelled, 0);
	assert_false(flips_sweeping(scene->flips)); /* nobody waits for a peer that is gone */
	scene->cancel_rc = 0;
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 2);
	assert_int_equal(flips_counters(scene->flips)->cancelled, 1);
}

/* --- only the register throws off ------------------------------------------------------------- */

static void test_a_failed_store_throws_nobody_off(void **state)
{
	struct scene *scene = *state; /* whose policy denies while the store fails */

	attach(scene, 1);
	attach(scene, 2);
	scene->reg.error = -EIO;
	turn_black(scene, 1);
	assert_int_equal(scene->n_cancels, 0);
	assert_true(flips_sweeping(scene->flips));
	assert_int_equal(flips_sweep_step(scene->flips), -EAGAIN);
	scene->reg.error = 0;
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
	assert_true(scene->cancel[0].imei == DEVICE(1));
}

static void test_a_store_that_can_say_nothing_is_asked_again(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	attach(scene, 2);
	scene->reg.lookup_error = -EAGAIN; /* no reader slot, while the rest of the register is well */
	turn_black(scene, 1);
	assert_true(flips_sweeping(scene->flips));
	assert_int_equal(sweep_to_the_end(scene), -EAGAIN);
	assert_int_equal(scene->n_cancels, 0);
	scene->reg.lookup_error = 0;
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
}

static void test_the_version_is_the_one_that_was_seen(void **state)
{
	struct scene *scene = *state;

	attach_as(scene, DEVICE(1), 23, SUBSCRIBER(1), MSC);
	turn_black(scene, 1);
	assert_true(scene->reg.last.imei.key == DEVICE(1));
	assert_int_equal(scene->reg.last.imei.svn, 23);
	assert_int_equal(scene->reg.last.interface, WEIR_IF_GSUP);
}

static void test_the_terms_are_those_of_the_peer(void **state)
{
	struct scene *scene = *state;

	attach_as(scene, DEVICE(1), WEIR_NO_SVN, SUBSCRIBER(1), KIND);
	attach_as(scene, DEVICE(1), WEIR_NO_SVN, SUBSCRIBER(1), MSC);
	turn_black(scene, 1);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(scene->cancel[0].peer_id, MSC);
}

static void test_one_damaged_record_does_not_stop_the_sweep(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 10; i++)
		attach(scene, i);
	fake_list(&scene->reg, DEVICE(7), BLACK);
	scene->reg.bad = DEVICE(3);
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(flips_counters(scene->flips)->undecided, 1);
}

static void test_an_override_throws_nobody_off(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	set_policy(scene, WEIR_DO_BLACK, WEIR_DO_BLACK);
	turn_black(scene, 1);
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 0);
}

/* --- serials and sweeps ----------------------------------------------------------------------- */

static void test_the_first_datagram_of_a_new_ledger_sweeps_too(void **state)
{
	struct scene *scene = *state;

	flips_handle(scene->flips, &(struct weir_flips){.after_serial = 0, .serial = 1});
	assert_true(flips_sweeping(scene->flips));
}

static void test_the_first_datagram_sweeps(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	fake_list(&scene->reg, DEVICE(1), BLACK);
	assert_int_equal(flips_sweep_step(scene->flips), 0);
	flips_handle(scene->flips, &(struct weir_flips){.after_serial = 100, .serial = 100});
	assert_true(flips_sweeping(scene->flips));
	assert_int_equal(scene->n_cancels, 0);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(flips_counters(scene->flips)->sweeps, 1);
	assert_int_equal(flips_counters(scene->flips)->gaps, 1);
}

struct serial_row {
	const char *rule;
	uint64_t after, serial; /* 100 was the last */
	bool sweeps;
};

static const struct serial_row serial_rows[] = {
	{"the next serial is no gap", 100, 101, false},
	{"several serials at once are no gap", 100, 110, false},
	{"a serial that did not move is no gap", 100, 100, false},
	{"what overlaps the last one is a gap", 90, 105, true},
	{"the last serial again is a gap: the keeper wants a sweep", 99, 100, true},
	{"a missed serial is a gap", 101, 102, true},
	{"serials that went back are another ledger", 40, 50, true},
	{"a serial that nobody has seen asks for a sweep", UINT64_MAX, 101, true},
};

static void test_serial_row(void **state)
{
	const struct serial_row *row = *state;
	struct scene *scene;

	assert_int_equal(setup_heard((void **)&scene), 0);
	scene->reg.serial = row->serial;
	flips_handle(scene->flips, &(struct weir_flips){.after_serial = row->after, .serial = row->serial});
	assert_int_equal(flips_sweeping(scene->flips), row->sweeps);
	sweep_to_the_end(scene);
	/* and the serial was taken: what follows it is no gap */
	scene->reg.serial = row->serial + 1;
	flips_handle(scene->flips, &(struct weir_flips){.after_serial = row->serial, .serial = row->serial + 1});
	assert_false(flips_sweeping(scene->flips));
	teardown((void **)&scene);
}

static void test_a_sweep_waits_for_the_register(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 101, .n = 1, .flip = {{.imei = DEVICE(1)}}};

	attach(scene, 1);
	flips_handle(scene->flips, &message); /* a new generation that we did not open yet */
	assert_int_equal(scene->n_cancels, 0);
	assert_int_equal(flips_sweep_step(scene->flips), -EAGAIN);
	scene->check.reg = NULL;
	assert_int_equal(flips_sweep_step(scene->flips), -EAGAIN);
	scene->check.reg = &scene->reg;
	scene->reg.serial = 101;
	fake_list(&scene->reg, DEVICE(1), BLACK);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
}

static void test_a_sweep_looks_at_everybody_once(void **state)
{
	struct scene *scene = *state;
	unsigned steps = 0;

	for (unsigned i = 0; i < 500; i++)
		attach(scene, i);
	for (unsigned i = 0; i < 500; i += 10)
		fake_list(&scene->reg, DEVICE(i), BLACK);
	flips_want_sweep(scene->flips);
	while (flips_sweep_step(scene->flips) == 1) {
		steps++;
		assert_true(flips_counters(scene->flips)->looked <= steps * 64);
	}
	assert_int_equal(flips_counters(scene->flips)->looked, 500);
	assert_int_equal(scene->n_cancels, 50);
	assert_true(steps >= 500 / 64);
	assert_int_equal(flips_sweep_step(scene->flips), 0);
}

static void test_what_comes_during_a_sweep_sweeps_again(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 200; i++)
		attach(scene, i);
	flips_want_sweep(scene->flips);
	assert_int_equal(flips_sweep_step(scene->flips), 1);
	for (unsigned i = 0; i < FAKE_DEVICES; i++)
		fake_list(&scene->reg, DEVICE(i), BLACK);
	flips_want_sweep(scene->flips);
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, FAKE_DEVICES);
	assert_int_equal(flips_counters(scene->flips)->sweeps, 1 + 2); /* setup's and these */
}

static void test_a_sweep_goes_on_where_there_was_no_room(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 60; i++) {
		attach(scene, i);
		fake_list(&scene->reg, DEVICE(i), BLACK);
	}
	flips_want_sweep(scene->flips);
	for (unsigned tries = 1; tries <= 6; tries++) {
		scene->room = 10;
		assert_int_equal(sweep_to_the_end(scene), tries < 6 ? -EAGAIN : 0);
		assert_int_equal(scene->n_cancels, 10 * tries);
	}
	for (unsigned i = 0; i < 60; i++)
		for (unsigned j = 0; j < i; j++)
			assert_true(scene->cancel[i].imei != scene->cancel[j].imei);
}

static void test_a_hint_without_room_becomes_a_sweep(void **state)
{
	struct scene *scene = *state;

	attach(scene, 1);
	scene->room = 0;
	turn_black(scene, 1);
	assert_true(flips_sweeping(scene->flips));
	assert_int_equal(flips_counters(scene->flips)->cancel_full, 1);
	scene->room = 1;
	assert_int_equal(sweep_to_the_end(scene), 0);
	assert_int_equal(scene->n_cancels, 1);
}

/* --- the socket ------------------------------------------------------------------------------- */

static void send_octets(struct scene *scene, const void *octets, size_t len)
{
	struct sockaddr_un address = state_dir_address(scene->dir, FLIP_SOCKET);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, octets, len, 0, (const struct sockaddr *)&address, sizeof(address)), len);
	close(fd);
}

static void test_orders_come_through_the_socket(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 101, .n = 1, .flip = {{.imei = DEVICE(1)}}};
	uint8_t buf[FLIP_DATAGRAM];

	assert_int_equal(flips_fd(scene->flips), -1);
	assert_int_equal(flips_open(scene->flips, scene->dir, NULL), 0);
	assert_true(flips_fd(scene->flips) >= 0);
	attach(scene, 1);
	fake_list(&scene->reg, DEVICE(1), BLACK);
	scene->reg.serial = 101;
	assert_int_equal(flips_read(scene->flips), 0);
	send_octets(scene, buf, flips_encode(&message, buf));
	assert_int_equal(flips_read(scene->flips), 1);
	assert_int_equal(scene->n_cancels, 1);
	assert_int_equal(flips_counters(scene->flips)->datagrams, 1);
}

static void test_what_cannot_be_read_is_counted_and_sweeps(void **state)
{
	struct scene *scene = *state;
	struct weir_flips message = {.after_serial = 100, .serial = 101, .n = FLIP_BATCH};
	uint8_t buf[FLIP_DATAGRAM + 1] = {0};

	assert_int_equal(flips_open(scene->flips, scene->dir, NULL), 0);
	send_octets(scene, "", 0);
	send_octets(scene, "WFlp", 4);
	assert_int_equal(flips_encode(&message, buf), FLIP_DATAGRAM);
	send_octets(scene, buf, FLIP_DATAGRAM + 1);
	assert_int_equal(flips_read(scene->flips), 3);
	assert_int_equal(flips_counters(scene->flips)->malformed, 3);
	assert_int_equal(scene->n_cancels, 0);
	assert_true(flips_sweeping(scene->flips));
}

static void test_the_socket_is_for_the_group(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = state_dir_address(scene->dir, FLIP_SOCKET);
	struct stat st;
	mode_t mask = umask(0777);

	assert_int_equal(flips_open(scene->flips, scene->dir, NULL), 0);
	umask(mask);
	assert_int_equal(stat(address.sun_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	flips_free(scene->flips);
	scene->flips = NULL;
	assert_int_equal(stat(address.sun_path, &st), -1); /* an orderly end leaves nothing */
}

static void test_a_stale_socket_is_replaced(void **state)
{
	struct scene *scene = *state;

	close(state_dir_listen(scene->dir, FLIP_SOCKET)); /* as after kill -9 */
	assert_int_equal(flips_open(scene->flips, scene->dir, NULL), 0);
}

static void test_another_gate_is_not_robbed(void **state)
{
	struct scene *scene = *state;
	struct weir_why why = {""};
	int other = state_dir_listen(scene->dir, FLIP_SOCKET);

	assert_int_equal(flips_open(scene->flips, scene->dir, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "another weir-gate"));
	assert_int_equal(flips_fd(scene->flips), -1);
	send_octets(scene, "x", 1); /* it still listens */
	close(other);
}

static void test_what_is_no_socket_is_left_alone(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = state_dir_address(scene->dir, FLIP_SOCKET);
	struct weir_why why = {""};
	FILE *file = fopen(address.sun_path, "w");

	assert_non_null(file);
	fclose(file);
	assert_int_equal(flips_open(scene->flips, scene->dir, &why), -EEXIST);
	assert_non_null(strstr(why.text, "it is not a socket"));
	assert_int_equal(access(address.sun_path, F_OK), 0);
}

static void test_a_directory_that_is_not_there(void **state)
{
	struct scene *scene = *state;
	struct weir_why why = {""};
	char dir[200];

	assert_int_equal(flips_open(scene->flips, "/nonexistent/weir", &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/weir/gate.orders"));
	memset(dir, 'x', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(flips_open(scene->flips, dir, &why), -ENAMETOOLONG);
}

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_heard, teardown)

int main(void)
{
	const struct CMUnitTest others[] = {
		SCENE_TEST(test_who_is_attached_with_it_is_thrown_off),
		SCENE_TEST(test_nobody_is_thrown_off_twice),
		SCENE_TEST(test_a_hint_is_not_believed_the_register_is),
		SCENE_TEST(test_whom_the_keeper_remembers_is_thrown_off_too),
		SCENE_TEST(test_whom_the_keeper_remembers_is_looked_at_when_his_peer_is_back),
		SCENE_TEST(test_whom_the_keeper_remembers_takes_nobodys_place),
		SCENE_TEST(test_without_sightings_the_keeper_remembers),
		SCENE_TEST(test_more_than_a_slice_at_once),
		SCENE_TEST(test_a_peer_that_is_not_there_is_left_alone),
		SCENE_TEST(test_what_cannot_be_cancelled_is_tried_by_the_next_sweep),
		SCENE_TEST(test_a_failed_store_throws_nobody_off),
		SCENE_TEST(test_a_store_that_can_say_nothing_is_asked_again),
		SCENE_TEST(test_the_version_is_the_one_that_was_seen),
		SCENE_TEST(test_the_terms_are_those_of_the_peer),
		SCENE_TEST(test_one_damaged_record_does_not_stop_the_sweep),
		SCENE_TEST(test_an_override_throws_nobody_off),
		cmocka_unit_test_setup_teardown(test_the_first_datagram_of_a_new_ledger_sweeps_too, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_first_datagram_sweeps, setup, teardown),
		SCENE_TEST(test_a_sweep_waits_for_the_register),
		SCENE_TEST(test_a_sweep_looks_at_everybody_once),
		SCENE_TEST(test_what_comes_during_a_sweep_sweeps_again),
		SCENE_TEST(test_a_sweep_goes_on_where_there_was_no_room),
		SCENE_TEST(test_a_hint_without_room_becomes_a_sweep),
		SCENE_TEST(test_orders_come_through_the_socket),
		SCENE_TEST(test_what_cannot_be_read_is_counted_and_sweeps),
		SCENE_TEST(test_the_socket_is_for_the_group),
		SCENE_TEST(test_a_stale_socket_is_replaced),
		SCENE_TEST(test_another_gate_is_not_robbed),
		SCENE_TEST(test_what_is_no_socket_is_left_alone),
		SCENE_TEST(test_a_directory_that_is_not_there),
	};
	struct CMUnitTest tests[N_ROWS(others) + N_ROWS(serial_rows)];

	memcpy(tests, others, sizeof(others));
	for (unsigned i = 0; i < N_ROWS(serial_rows); i++)
		tests[N_ROWS(others) + i] = ROW_TEST(serial_rows[i].rule, test_serial_row, &serial_rows[i]);
	return cmocka_run_group_tests_name("flips", tests, NULL, NULL);
}
