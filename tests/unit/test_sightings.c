/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who was seen in which device: reports to the keeper once an hour, and who is attached. */
#include "gate/sightings.h"

#include "wire/sighting.h"

#include "state_dir.h"

#define DEVICE	   UINT64_C(35209900176148)
#define OTHER	   UINT64_C(35209900176149)
#define SUBSCRIBER UINT64_C(1001010000000001)
#define NOW	   1000000u
#define ENTRIES	   1024

struct scene {
	char dir[32];
	struct sightings *s;
	int keeper; /* or -1 */
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	state_dir_make(scene->dir);
	scene->keeper = -1;
	scene->s = sightings_alloc(scene->dir, ENTRIES, 4711, NULL);
	*state = scene;
	return scene->s ? 0 : -1;
}

static int setup_with_keeper(void **state)
{
	int rc = setup(state);
	struct scene *scene = *state;

	if (!rc)
		scene->keeper = state_dir_listen(scene->dir, SIGHTING_SOCKET);
	return rc;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	if (scene->keeper >= 0)
		close(scene->keeper);
	sightings_free(scene->s);
	state_dir_remove(scene->dir, SIGHTING_SOCKET);
	free(scene);
	return 0;
}

static void note_as(struct sightings *s, const struct check_peer *peer, struct weir_imei imei, uint64_t imsi,
		    enum weir_colour colour, uint32_t now_s)
{
	const struct weir_query query = {.imei = imei, .imsi = {imsi}};
	const struct weir_verdict verdict = {.colour = colour, .tally = (enum weir_tally)colour};

	sightings_note(s, WEIR_IF_GSUP, peer, &query, &verdict, now_s);
}

static const struct check_peer msc = {.name = "msc-1", .id = 1}, sgsn = {.name = "sgsn-1", .id = 2};

static void note(struct sightings *s, uint64_t imei, uint64_t imsi, enum weir_colour colour, uint32_t now_s)
{
	note_as(s, &msc, (struct weir_imei){imei, WEIR_NO_SVN}, imsi, colour, now_s);
}

/* All that the keeper has got, at most max; how many. */
static unsigned keeper_reads(const struct scene *scene, struct weir_sighting *out, unsigned max)
{
	struct weir_sighting batch[SIGHTING_BATCH];
	uint8_t buf[SIGHTING_DATAGRAM + 1];
	unsigned n = 0;
	ssize_t len;

	while ((len = recv(scene->keeper, buf, sizeof(buf), 0)) >= 0) {
		int in = sighting_decode(buf, (size_t)len, batch);
		assert_true(in > 0);
		for (int i = 0; i < in; i++) {
			assert_true(n < max);
			out[n++] = batch[i];
		}
	}
	return n;
}

/* --- reports ---------------------------------------------------------------------------------- */

static void test_a_report_says_what_was_seen(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting got[2];

	note_as(scene->s, &sgsn, (struct weir_imei){DEVICE, 23}, SUBSCRIBER, WEIR_GREY, NOW);
	assert_int_equal(sightings_flush(scene->s, NOW + 1), 1);
	assert_int_equal(keeper_reads(scene, got, 2), 1);
	assert_true(got[0].imei == DEVICE && got[0].imsi.packed == SUBSCRIBER && got[0].time_s == NOW);
	assert_int_equal(got[0].svn, 23);
	assert_int_equal(got[0].tally, WEIR_TALLY_GREY);
	assert_int_equal(got[0].interface, WEIR_IF_GSUP);
	assert_string_equal(got[0].peer, "sgsn-1");
}

static void test_a_long_name_is_cut(void **state)
{
	struct scene *scene = *state;
	const struct check_peer peer = {.name = "a-name-of-a-peer-that-is-longer-than-forty-characters", .id = 3};
	struct weir_sighting got[2];

	note_as(scene->s, &peer, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER, WEIR_WHITE, NOW);
	sightings_flush(scene->s, NOW + 1);
	assert_int_equal(keeper_reads(scene, got, 2), 1);
	assert_string_equal(got[0].peer, "a-name-of-a-peer-that-is-longer-than-for");
}

static void test_a_pair_is_reported_once_an_hour(void **state)
{
	struct scene *scene = *state;

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + SIGHTINGS_AGAIN_S - 1);
	assert_int_equal(sightings_waiting(scene->s), 1);
	assert_int_equal(sightings_counters(scene->s)->suppressed, 2);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + SIGHTINGS_AGAIN_S);
	assert_int_equal(sightings_waiting(scene->s), 2);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + SIGHTINGS_AGAIN_S + 1);
	assert_int_equal(sightings_waiting(scene->s), 2);
}

static void test_a_changed_tally_is_reported_at_once(void **state)
{
	struct scene *scene = *state;

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_BLACK, NOW + 1);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_BLACK, NOW + 2);
	assert_int_equal(sightings_waiting(scene->s), 2);
}

static void test_a_changed_version_is_reported_but_not_its_absence(void **state)
{
	struct scene *scene = *state;

	note_as(scene->s, &msc, (struct weir_imei){DEVICE, 1}, SUBSCRIBER, WEIR_WHITE, NOW);
	note_as(scene->s, &msc, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER, WEIR_WHITE, NOW);
	note_as(scene->s, &msc, (struct weir_imei){DEVICE, 1}, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_waiting(scene->s), 1);
	note_as(scene->s, &msc, (struct weir_imei){DEVICE, 2}, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_waiting(scene->s), 2);
}

static void test_every_pair_and_peer_is_reported(void **state)
{
	struct scene *scene = *state;

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, OTHER, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER + 1, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, 0, WEIR_WHITE, NOW);
	note_as(scene->s, &sgsn, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_waiting(scene->s), 5);
}

static void test_a_clock_that_goes_back_hides_nothing(void **state)
{
	struct scene *scene = *state;

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW - 5000);
	assert_int_equal(sightings_waiting(scene->s), 2);
}

static void test_a_part_of_a_datagram_waits_a_second(void **state)
{
	struct scene *scene = *state;

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_flush(scene->s, NOW), 0);
	assert_int_equal(sightings_flush(scene->s, NOW + 1), 1);
	assert_int_equal(sightings_flush(scene->s, NOW + 2), 0);
	assert_int_equal(sightings_counters(scene->s)->datagrams, 1);
}

static void test_a_whole_datagram_does_not_wait(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting got[2 * SIGHTING_BATCH];

	for (unsigned i = 0; i < SIGHTING_BATCH + 1; i++)
		note(scene->s, DEVICE + i, SUBSCRIBER + i, WEIR_WHITE, NOW);
	assert_int_equal(sightings_flush(scene->s, NOW), SIGHTING_BATCH);
	assert_int_equal(keeper_reads(scene, got, N_ROWS(got)), SIGHTING_BATCH);
	assert_int_equal(sightings_waiting(scene->s), 1);
}

/* A keeper that does not read: nothing is lost or doubled as long as the buffer lasts. */
static void test_a_slow_keeper_gets_everything_later(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting *got = calloc(SIGHTINGS_BUFFER, sizeof(*got));
	unsigned n = 0;

	assert_non_null(got);
	for (unsigned i = 0; i < SIGHTINGS_BUFFER; i++)
		note(scene->s, DEVICE + i, SUBSCRIBER + i, WEIR_WHITE, NOW);
	for (unsigned turn = 0; turn < 1000 && n < SIGHTINGS_BUFFER; turn++) {
		sightings_flush(scene->s, NOW);
		n += keeper_reads(scene, got + n, SIGHTINGS_BUFFER - n);
	}
	assert_int_equal(n, SIGHTINGS_BUFFER);
	for (unsigned i = 0; i < n; i++)
		assert_true(got[i].imei == DEVICE + i);
	assert_true(sightings_counters(scene->s)->keeper_full > 0);
	assert_int_equal(sightings_counters(scene->s)->dropped, 0);
	assert_int_equal(sightings_counters(scene->s)->reported, SIGHTINGS_BUFFER);
	free(got);
}

static void test_a_missing_keeper_is_tried_once_a_second(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting got[2];

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(sightings_flush(scene->s, NOW + 1), 0);
	assert_int_equal(sightings_counters(scene->s)->keeper_away, 1);
	assert_int_equal(sightings_flush(scene->s, NOW + 2), 0);
	assert_int_equal(sightings_counters(scene->s)->keeper_away, 2);
	scene->keeper = state_dir_listen(scene->dir, SIGHTING_SOCKET);
	assert_int_equal(sightings_flush(scene->s, NOW + 3), 1);
	assert_int_equal(keeper_reads(scene, got, 2), 1);
	assert_int_equal(got[0].time_s, NOW);
}

static void test_a_killed_keeper_is_away(void **state)
{
	struct scene *scene = *state;

	close(scene->keeper); /* its name stays, as after kill -9 */
	scene->keeper = -1;
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_flush(scene->s, NOW + 1), 0);
	assert_int_equal(sightings_counters(scene->s)->keeper_away, 1);
	assert_int_equal(sightings_waiting(scene->s), 1);
}

static void test_what_was_dropped_is_reported_at_the_next_check(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting got[10];
	char buf[SIGHTING_DATAGRAM];

	for (unsigned i = 0; i < SIGHTINGS_BUFFER; i++)
		note(scene->s, DEVICE + 1 + i, SUBSCRIBER + 1 + i, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 1);
	assert_int_equal(sightings_counters(scene->s)->dropped, 2);
	assert_int_equal(sightings_waiting(scene->s), SIGHTINGS_BUFFER);
	scene->keeper = state_dir_listen(scene->dir, SIGHTING_SOCKET);
	while (sightings_waiting(scene->s)) {
		sightings_flush(scene->s, NOW + 1);
		while (recv(scene->keeper, buf, sizeof(buf), 0) >= 0)
			;
	}
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 2);
	sightings_flush(scene->s, NOW + 3);
	assert_int_equal(keeper_reads(scene, got, N_ROWS(got)), 1);
	assert_true(got[0].imei == DEVICE && got[0].time_s == NOW + 2);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 3);
	assert_int_equal(sightings_waiting(scene->s), 0);
}

static void test_a_dropped_change_is_reported_at_the_next_check(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < SIGHTINGS_BUFFER; i++)
		note(scene->s, DEVICE + i, SUBSCRIBER + i, WEIR_WHITE, NOW);
	note(scene->s, DEVICE + 4000, SUBSCRIBER + 4000, WEIR_BLACK, NOW + 1);
	note(scene->s, DEVICE + 4000, SUBSCRIBER + 4000, WEIR_BLACK, NOW + 2);
	assert_int_equal(sightings_counters(scene->s)->dropped, 2);
}

/* The ring's end in the middle of a datagram. */
static void test_the_buffer_goes_round(void **state)
{
	struct scene *scene = *state;
	struct weir_sighting *got = calloc(SIGHTINGS_BUFFER, sizeof(*got));
	unsigned n = 0;

	assert_non_null(got);
	note(scene->s, OTHER, SUBSCRIBER, WEIR_WHITE, NOW);
	sightings_flush(scene->s, NOW + 1);
	assert_int_equal(keeper_reads(scene, got, 1), 1);
	for (unsigned i = 0; i < SIGHTINGS_BUFFER; i++)
		note(scene->s, DEVICE + 2 + i, SUBSCRIBER + i, WEIR_WHITE, NOW + 1);
	for (unsigned turn = 0; turn < 1000 && n < SIGHTINGS_BUFFER; turn++) {
		sightings_flush(scene->s, NOW + 2);
		n += keeper_reads(scene, got + n, SIGHTINGS_BUFFER - n);
	}
	assert_int_equal(n, SIGHTINGS_BUFFER);
	for (unsigned i = 0; i < n; i++)
		assert_true(got[i].imei == DEVICE + 2 + i);
	free(got);
}

/* --- who is attached -------------------------------------------------------------------------- */

struct found {
	struct sightings_pair pair[8];
	unsigned n;
};

static void find(const struct sightings_pair *pair, void *data)
{
	struct found *found = data;

	assert_true(found->n < N_ROWS(found->pair));
	found->pair[found->n++] = *pair;
}

static unsigned attached(struct scene *scene, uint64_t imei)
{
	struct found found = {.n = 0};
	unsigned n = sightings_attached(scene->s, imei, find, &found);

	assert_int_equal(n, found.n);
	for (unsigned i = 0; i < found.n; i++)
		assert_true(found.pair[i].imei == imei);
	return found.n;
}

static void test_attached_is_who_was_let_through(void **state)
{
	struct scene *scene = *state;
	struct found found = {.n = 0};

	assert_int_equal(attached(scene, DEVICE), 0);
	note_as(scene->s, &msc, (struct weir_imei){DEVICE, 23}, SUBSCRIBER, WEIR_UNKNOWN, NOW);
	note_as(scene->s, &sgsn, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER + 1, WEIR_GREY, NOW + 1);
	assert_int_equal(sightings_attached(scene->s, DEVICE, find, &found), 2);
	assert_true(found.pair[0].imsi.packed == SUBSCRIBER && found.pair[1].imsi.packed == SUBSCRIBER + 1);
	assert_int_equal(found.pair[0].peer_id, msc.id);
	assert_int_equal(found.pair[1].peer_id, sgsn.id);
	assert_int_equal(found.pair[0].svn, 23);
	assert_int_equal(found.pair[1].svn, WEIR_NO_SVN);
	assert_int_equal(found.pair[1].seen_s, NOW + 1);
	assert_int_equal(attached(scene, OTHER), 0);
}

static void test_who_was_refused_is_not_attached(void **state)
{
	struct scene *scene = *state;
	const struct weir_query query = {.imei = {OTHER, WEIR_NO_SVN}, .imsi = {SUBSCRIBER + 1}};
	const struct weir_verdict refused = {
		.colour = WEIR_UNKNOWN, .answer = WEIR_ANSWER_REFUSE, .tally = WEIR_TALLY_FAILED};

	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_BLACK, NOW + 1);
	assert_int_equal(attached(scene, DEVICE), 0);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 2);
	assert_int_equal(attached(scene, DEVICE), 1);
	sightings_note(scene->s, WEIR_IF_GSUP, &msc, &query, &refused, NOW);
	assert_int_equal(attached(scene, OTHER), 0);
}

static void test_nobody_is_attached_without_imsi_or_peer(void **state)
{
	struct scene *scene = *state;
	const struct check_peer lost = {.name = "lost", .id = 0};

	note(scene->s, DEVICE, 0, WEIR_WHITE, NOW);
	note_as(scene->s, &lost, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(attached(scene, DEVICE), 0);
	assert_int_equal(sightings_waiting(scene->s), 2);
}

static void test_who_changed_the_phone_is_attached_with_the_new_one(void **state)
{
	struct scene *scene = *state;

	note_as(scene->s, &sgsn, (struct weir_imei){DEVICE, WEIR_NO_SVN}, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(scene->s, OTHER, SUBSCRIBER, WEIR_WHITE, NOW + 1);
	assert_int_equal(attached(scene, DEVICE), 1); /* at the SGSN */
	assert_int_equal(attached(scene, OTHER), 1);
	assert_int_equal(sightings_state(scene->s, DEVICE, (struct weir_imsi){SUBSCRIBER}, msc.id), SIGHTINGS_AWAY);
	assert_int_equal(sightings_state(scene->s, DEVICE, (struct weir_imsi){SUBSCRIBER}, sgsn.id),
			 SIGHTINGS_ATTACHED);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 2); /* and back, within the hour */
	assert_int_equal(attached(scene, DEVICE), 2);
	assert_int_equal(attached(scene, OTHER), 0);
	note(scene->s, OTHER, SUBSCRIBER, WEIR_BLACK, NOW + 3); /* the SIM is in the other phone, which was refused */
	assert_int_equal(attached(scene, DEVICE), 1);
	assert_int_equal(attached(scene, OTHER), 0);
}

static void test_who_was_thrown_off_is_not_attached(void **state)
{
	struct scene *scene = *state;
	const struct weir_imsi imsi = {SUBSCRIBER};

	assert_int_equal(sightings_state(scene->s, DEVICE, imsi, msc.id), SIGHTINGS_NEVER_SEEN);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	assert_int_equal(sightings_state(scene->s, DEVICE, imsi, msc.id), SIGHTINGS_ATTACHED);
	assert_int_equal(sightings_state(scene->s, OTHER, imsi, msc.id), SIGHTINGS_AWAY);
	sightings_gone(scene->s, DEVICE, imsi, msc.id);
	assert_int_equal(attached(scene, DEVICE), 0);
	assert_int_equal(sightings_state(scene->s, DEVICE, imsi, msc.id), SIGHTINGS_AWAY);
	sightings_gone(scene->s, OTHER, imsi, msc.id); /* never seen: nothing happens */
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 1);
	assert_int_equal(attached(scene, DEVICE), 1);
	assert_int_equal(sightings_waiting(scene->s), 1);
}

static void test_a_fifth_subscriber_of_a_device_evicts_the_oldest(void **state)
{
	struct scene *scene = *state;
	struct found found = {.n = 0};

	for (unsigned i = 0; i < 4; i++)
		note(scene->s, DEVICE, SUBSCRIBER + i, WEIR_WHITE, NOW + i);
	note(scene->s, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW + 4); /* the first is the youngest again */
	assert_int_equal(sightings_counters(scene->s)->evicted, 0);
	note(scene->s, DEVICE, SUBSCRIBER + 4, WEIR_WHITE, NOW + 5);
	assert_int_equal(sightings_counters(scene->s)->evicted, 1);
	assert_int_equal(sightings_attached(scene->s, DEVICE, find, &found), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(found.pair[i].imsi.packed != SUBSCRIBER + 1);
}

static void test_devices_that_share_a_place_are_told_apart(void **state)
{
	struct scene *scene = *state;
	struct sightings *smallest = sightings_alloc(scene->dir, 4, 1, NULL);
	struct found found = {.n = 0};

	assert_non_null(smallest);
	note(smallest, DEVICE, SUBSCRIBER, WEIR_WHITE, NOW);
	note(smallest, OTHER, SUBSCRIBER + 1, WEIR_WHITE, NOW);
	assert_int_equal(sightings_attached(smallest, OTHER, find, &found), 1);
	assert_true(found.pair[0].imei == OTHER);
	sightings_free(smallest);
}

/* A plain list as the model: no table, no hash. */
#define MODEL 200
struct model {
	uint64_t imei, imsi;
	uint16_t peer_id;
	bool is_attached;
};
static struct model model[MODEL];

static void model_note(uint64_t imei, uint64_t imsi, uint16_t peer_id, bool is_attached)
{
	unsigned place = MODEL;

	for (unsigned i = MODEL; i-- > 0;) {
		bool is_his = model[i].imsi == imsi && model[i].peer_id == peer_id;
		if (is_his)
			model[i].is_attached = false;
		if (!model[i].imsi && place == MODEL)
			place = i;
	}
	for (unsigned i = 0; i < MODEL; i++)
		if (model[i].imei == imei && model[i].imsi == imsi && model[i].peer_id == peer_id)
			place = i;
	assert_true(place < MODEL);
	model[place] = (struct model){imei, imsi, peer_id, is_attached};
}

static void seen_in_model(const struct sightings_pair *pair, void *data)
{
	unsigned *n = data;

	for (unsigned i = 0; i < MODEL; i++)
		if (model[i].imei == pair->imei && model[i].imsi == pair->imsi.packed &&
		    model[i].peer_id == pair->peer_id) {
			assert_true(model[i].is_attached);
			(*n)++;
			return;
		}
	fail_msg("a pair that nobody noted");
}

static void test_the_table_equals_a_plain_list(void **state)
{
	struct scene *scene = *state;
	uint64_t random = 31;
	bool more;

	memset(model, 0, sizeof(model));
	for (unsigned turn = 0; turn < 20000; turn++) {
		uint64_t imei = DEVICE + rows_random_below(&random, 30), imsi = SUBSCRIBER + imei % 10 % 3;
		const struct check_peer *peer = rows_random_below(&random, 4) ? &msc : &sgsn;
		enum weir_colour colour = rows_random_below(&random, WEIR_N_COLOURS);
		unsigned expected = 0, walked = 0, slices = 0;
		size_t place = 0;

		note_as(scene->s, peer, (struct weir_imei){imei, WEIR_NO_SVN}, imsi, colour, NOW + turn);
		model_note(imei, imsi, peer->id, colour != WEIR_BLACK);
		if (turn % 50)
			continue;
		for (unsigned i = 0; i < MODEL; i++)
			expected += model[i].is_attached;
		do {
			unsigned before = walked;
			more = sightings_walk(scene->s, &place, 2, seen_in_model, &walked);
			assert_true(walked - before <= 2);
			slices++;
		} while (more);
		assert_int_equal(walked, expected);
		assert_true(slices >= expected / 2);
	}
	assert_int_equal(sightings_counters(scene->s)->evicted, 0);
}

static void test_a_walk_stops_after_so_many_entries(void **state)
{
	struct scene *scene = *state;
	struct sightings *large = sightings_alloc(scene->dir, 1 << 16, 1, NULL);
	unsigned steps = 0, walked = 0;
	size_t place = 0, before = 0;
	bool more = true;

	assert_non_null(large);
	for (; more; steps++) {
		more = sightings_walk(large, &place, 64, seen_in_model, &walked);
		assert_true(place - before <= 4096);
		before = place;
	}
	assert_int_equal(walked, 0);
	assert_true(steps >= 16);
	sightings_free(large);
}

/* --- life ------------------------------------------------------------------------------------- */

static void test_sizes_and_places_that_are_refused(void **state)
{
	static const unsigned sizes[] = {0, 1, 2, 3, 5, 1000, (1u << 28) + 1, 1u << 29, UINT32_MAX};
	struct weir_why why;
	char dir[150];

	(void)state;
	for (unsigned i = 0; i < N_ROWS(sizes); i++) {
		why.text[0] = '\0';
		assert_null(sightings_alloc("/tmp", sizes[i], 0, &why));
		assert_non_null(strstr(why.text, "a power of two from 4 to 268435456 is needed"));
	}
	memset(dir, 'x', sizeof(dir));
	dir[sizeof(dir) - 1] = '\0';
	assert_null(sightings_alloc(dir, 4, 0, &why));
	assert_non_null(strstr(why.text, "is longer than the name of a socket may be"));
	sightings_free(NULL);
}

#define SCENE_TEST(fn)	cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define KEEPER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_with_keeper, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEEPER_TEST(test_a_report_says_what_was_seen),
		KEEPER_TEST(test_a_long_name_is_cut),
		SCENE_TEST(test_a_pair_is_reported_once_an_hour),
		SCENE_TEST(test_a_changed_tally_is_reported_at_once),
		SCENE_TEST(test_a_changed_version_is_reported_but_not_its_absence),
		SCENE_TEST(test_every_pair_and_peer_is_reported),
		SCENE_TEST(test_a_clock_that_goes_back_hides_nothing),
		KEEPER_TEST(test_a_part_of_a_datagram_waits_a_second),
		KEEPER_TEST(test_a_whole_datagram_does_not_wait),
		KEEPER_TEST(test_a_slow_keeper_gets_everything_later),
		SCENE_TEST(test_a_missing_keeper_is_tried_once_a_second),
		KEEPER_TEST(test_a_killed_keeper_is_away),
		SCENE_TEST(test_what_was_dropped_is_reported_at_the_next_check),
		SCENE_TEST(test_a_dropped_change_is_reported_at_the_next_check),
		KEEPER_TEST(test_the_buffer_goes_round),
		SCENE_TEST(test_attached_is_who_was_let_through),
		SCENE_TEST(test_devices_that_share_a_place_are_told_apart),
		SCENE_TEST(test_who_was_refused_is_not_attached),
		SCENE_TEST(test_nobody_is_attached_without_imsi_or_peer),
		SCENE_TEST(test_who_changed_the_phone_is_attached_with_the_new_one),
		SCENE_TEST(test_who_was_thrown_off_is_not_attached),
		SCENE_TEST(test_a_fifth_subscriber_of_a_device_evicts_the_oldest),
		SCENE_TEST(test_the_table_equals_a_plain_list),
		SCENE_TEST(test_a_walk_stops_after_so_many_entries),
		cmocka_unit_test(test_sizes_and_places_that_are_refused),
	};

	return cmocka_run_group_tests_name("sightings", tests, NULL, NULL);
}
