/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: checks.  What each verdict is on the wire, who may ask for whom, batches, order, a reader that is
 * slow, and that every request gets exactly one answer. */
#include "s13_scene.h"

#include "rows.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- verdicts */

static void colours(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 0);
	put(scene, fd, ecr(BLACK_IMSI));
	assert_status(scene, fd, 1);
	put(scene, fd, ecr(GREY_IMSI));
	assert_status(scene, fd, 2);
	put(scene, fd, ecr(UNKNOWN_IMSI));
	assert_status(scene, fd, -1);
	assert_int_equal(tally(scene, WEIR_TALLY_WHITE), 1);
	assert_int_equal(tally(scene, WEIR_TALLY_BLACK), 1);
	assert_int_equal(tally(scene, WEIR_TALLY_GREY), 1);
	assert_int_equal(tally(scene, WEIR_TALLY_UNKNOWN), 1);
}

static void refusals(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct got *got;
	size_t len;

	put(scene, fd, ecr(REFUSED_IMSI));
	got = assert_answer(scene, fd, 324, 0x40, 5003);
	assert_null(hand_find(got->octets, got->len, 279, 0, 0));
	put(scene, fd, ecr(FAILED_IMSI));
	got = assert_answer(scene, fd, 324, 0x40, 5012);
	assert_null(hand_find(got->octets, got->len, 1445, G3, 0));
	put(scene, fd, ecr_of(MME, REALM, WHITE_IMSI, "0010010012345"));
	got = assert_answer(scene, fd, 324, 0x40, 5004);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 279, 0, 0), &len),
			    "\0\0\5\x79\xc0\0\0\x28\0\0\x28\xaf\0\0\5\x7a\xc0\0\0\x19\0\0\x28\xaf"
			    "0010010012345\0\0\0",
			    40);
	put(scene, fd, ecr_of(MME, REALM, WHITE_IMSI, NULL));
	assert_answer(scene, fd, 324, 0x40, 5005);
	assert_int_equal(tally(scene, WEIR_TALLY_SHED), 1);
	assert_int_equal(tally(scene, WEIR_TALLY_FAILED), 1);
	assert_int_equal(tally(scene, WEIR_TALLY_MALFORMED), 1);
	assert_int_equal(counted(scene)->requests, 4);
	assert_int_equal(counted(scene)->faulty, 1);
}

static void malformed_may_be_told_a_colour(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	scene_malformed(scene, WEIR_DO_GREY);
	put(scene, fd, ecr_of(MME, REALM, NULL, "0010010012345"));
	assert_status(scene, fd, 2);
	scene_malformed(scene, WEIR_DO_UNKNOWN);
	put(scene, fd, ecr_of(MME, REALM, NULL, ""));
	assert_status(scene, fd, -1);
	assert_int_equal(tally(scene, WEIR_TALLY_MALFORMED), 2);
}

static void an_answer_takes_over_what_it_must(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = ecr(BLACK_IMSI);
	const uint8_t *avp;
	struct got *got;
	size_t len;

	h->octets[4] = 0xdf; /* T, and the reserved bits */
	hand_set_ids(h, 0xdeadbeef, 0x12345678);
	hand_put(h, 284, HAND_M | 0x1f, 0, "second", 6);
	hand_put(h, 282, HAND_M, 0, "dra1.example", 12);
	hand_put(h, 284, HAND_M, 0, "first", 5);
	put(scene, fd, h);
	got = assert_status(scene, fd, 1);
	assert_memory_equal(got->octets + 12, "\xde\xad\xbe\xef\x12\x34\x56\x78", 8);
	assert_int_equal(hand_u32(got->octets + 20), 263);
	avp = hand_find(got->octets, got->len, 284, 0, 0);
	assert_memory_equal(avp, "\0\0\1\x1c\x5f\0\0\x0esecond\0\0", 16);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 284, 0, 1), &len), "first", 5);
	assert_null(hand_find(got->octets, got->len, 282, 0, 0));
	assert_int_equal(hand_number(got->octets, got->len, 277, 0), 1);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 260, 0, 0), &len),
			    "\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf\0\0\1\2\x40\0\0\x0c\1\0\0\x24", 24);
	assert_int_equal(counted(scene)->resent, 1);
}

/* --- routing */

static void other_destinations(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = ecr(WHITE_IMSI);
	struct got *got;
	size_t len;

	hand_text(h, 293, "EIR.weir.EXAMPLE");
	put(scene, fd, h);
	assert_status(scene, fd, 0);
	h = ecr(WHITE_IMSI);
	hand_text(h, 293, "eir2.weir.example");
	hand_put(h, 284, HAND_M, 0, "proxy", 5);
	put(scene, fd, h);
	got = assert_answer(scene, fd, 324, 0x60, 3002);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 284, 0, 0), &len), "proxy", 5);
	assert_int_equal(hand_u32(got->octets + 20), 263);
	h = ecr(WHITE_IMSI);
	hand_text(h, 282, "eir.weir.example");
	put(scene, fd, h);
	assert_answer(scene, fd, 324, 0x60, 3005);
	assert_int_equal(counted(scene)->undeliverable, 1);
	assert_int_equal(counted(scene)->looped, 1);
	assert_int_equal(tally(scene, WEIR_TALLY_WHITE), 1);
}

static void other_realms(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = hand(0xc0, 324, S13);

	hand_text(h, 263, "a;1;2");
	hand_unsigned(h, 277, 1);
	hand_text(h, 264, MME);
	hand_text(h, 296, REALM);
	hand_text(h, 283, "elsewhere");
	hand_open(h, 1401, HAND_V | HAND_M, G3);
	hand_text_3gpp(h, 1402, IMEI);
	hand_close(h);
	put(scene, fd, h);
	assert_answer(scene, fd, 324, 0x60, 3003);
}

/* --- who asks */

/* However the operator spells the peer. */
static void a_peer_has_its_policy(void **state)
{
	static struct policy_config policy;
	struct scene *scene = *state;
	struct weir_policy_draft draft;
	int fd = scene_peer(scene, MME), other = scene_peer(scene, "MME2.example");

	stage_draft(&draft);
	config_peer_terms(&policy, WEIR_IF_S13, "MME1.Example.", NULL)->terms.peer = WEIR_DO_BLACK;
	draft.peer_rules = policy.peer;
	draft.n_peer_rules = policy.n_peers;
	stage_decide(scene, &draft);
	s13_policy_changed(scene->s13);
	put(scene, fd, ecr(WHITE_IMSI));
	assert_status(scene, fd, 1);
	put(scene, other, ecr_of("mme2.example", REALM, WHITE_IMSI, IMEI));
	assert_status(scene, other, 0);
}

static void identities_are_not_lent(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, ecr_of("Mme1.EXAMPLE", REALM, WHITE_IMSI, IMEI));
	assert_status(scene, fd, 0);
	put(scene, fd, ecr_of("mme2.example", REALM, WHITE_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x40, 5003);
	assert_int_equal(counted(scene)->lent, 1);
	assert_int_equal(tally(scene, WEIR_TALLY_SHED), 1);
	assert_int_equal(s13_clients(scene->s13), 1);
}

static void agents_ask_for_others(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, "dra1.example");

	put(scene, fd, ecr_of("MME2.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, fd, 2);
	put(scene, fd, ecr_of("mme2.example", REALM, BLACK_IMSI, IMEI));
	assert_status(scene, fd, 1);
	put(scene, fd, ecr_of("mme3.example", REALM, BLACK_IMSI, IMEI));
	assert_status(scene, fd, 1);
	assert_int_equal(s13_clients(scene->s13), 3);
	assert_int_not_equal(peers_find(scene->stage.peers, WEIR_IF_S13, "mme2.example"), PEER_NONE);
}

static void an_agent_that_is_none_any_more(void **state)
{
	struct scene *scene = *state;
	struct s13_config *config = scene_config(scene);
	int fd = scene_peer(scene, "dra1.example");

	assert_int_equal(config_del_agent(config, "dra*", NULL), 0);
	assert_int_equal(scene_configure(scene, config, NULL), 0);
	put(scene, fd, ecr_of("mme2.example", REALM, GREY_IMSI, IMEI));
	assert_answer(scene, fd, 324, 0x40, 5003);
}

static void keep_name(const struct s13_peer_state *peer, void *data)
{
	*(const char **)data = peer->name;
}

/* New names behind an agent come at a bounded pace, and there are never more than there are places. */
static void many_clients_behind_an_agent(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, "dra1.example");
	unsigned served = 0, busy = 0;
	const char *peer = NULL;
	char name[64];

	for (unsigned i = 0; i < 3000; i++) {
		struct got *got;
		snprintf(name, sizeof(name), "mme%u.example", i);
		put(scene, fd, ecr_of(name, REALM, WHITE_IMSI, IMEI));
		got = get(scene, fd);
		assert_int_not_equal(got->len, 0);
		if (hand_number(got->octets, got->len, 268, 0) == 2001)
			served++;
		else
			busy++;
		if (i % 60 == 59)
			scene_pass(scene, 1000);
	}
	assert_int_equal(served, 2500);
	assert_int_equal(busy, 500);
	assert_int_equal(counted(scene)->crowded, 500);
	assert_int_equal(s13_clients(scene->s13), S13_CLIENTS);
	s13_each_peer(scene->s13, keep_name, &peer); /* whoever is connected keeps his place */
	assert_string_equal(peer, "dra1.example");
	put(scene, fd, ecr_of("dra1.example", REALM, GREY_IMSI, IMEI));
	assert_status(scene, fd, 2);
}

static void several_clients_in_one_read(void **state)
{
	static const char *const names[] = {"mme1.example", "mme2.example", "dra1.example"};
	static const char *const imsis[] = {WHITE_IMSI, BLACK_IMSI, GREY_IMSI, UNKNOWN_IMSI};
	static const int statuses[] = {0, 1, 2, -1};
	struct scene *scene = *state;
	int fd = scene_peer(scene, "dra1.example");
	struct hand *all = ecr_of(names[0], REALM, imsis[0], IMEI);
	size_t first = all->len;

	for (unsigned i = 1; i < 24; i++) {
		struct hand *h = ecr_of(names[i % 3], REALM, imsis[i % 4], IMEI);
		hand_set_ids(h, i, i);
		hand_octets(all, h->octets, h->len);
	}
	hand_set_length(all, (uint32_t)first);
	hand_set_ids(all, 0, 0);
	put(scene, fd, all);
	for (unsigned i = 0; i < 24; i++)
		assert_int_equal(hand_u32(assert_status(scene, fd, statuses[i % 4])->octets + 12), i);
	assert_int_equal(scene->stage.check.counters[WEIR_IF_S13].batches, 3);
}

/* --- batches and room */

static struct hand *many(unsigned n, const struct hand *one)
{
	struct hand *all = hand(0xc0, 324, S13);

	all->len = 0;
	for (unsigned i = 0; i < n; i++) {
		struct hand h = *one;
		hand_set_ids(&h, i, i);
		hand_octets(all, h.octets, h.len);
	}
	hand_set_length(all, (uint32_t)one->len);
	return all;
}

static void one_read_is_one_batch(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);

	put(scene, fd, many(64, ecr(GREY_IMSI)));
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(hand_u32(assert_status(scene, fd, 2)->octets + 12), i);
	assert_in_range(scene->stage.check.counters[WEIR_IF_S13].batches, 1, 2);
	assert_int_equal(scene->stage.check.counters[WEIR_IF_S13].received, 64);
}

struct reader {
	int fd;
	uint8_t octets[200000];
	size_t len;
	unsigned got;
	uint32_t result;
};

/* What has arrived, in order. */
static void read_some(struct reader *r)
{
	ssize_t n = recv(r->fd, r->octets + r->len, sizeof(r->octets) - r->len, 0);
	size_t at = 0;

	assert_true(n > 0 || errno == EAGAIN);
	r->len += n > 0 ? (size_t)n : 0;
	while (r->len - at >= 20 && r->len - at >= hand_u24(r->octets + at + 1)) {
		size_t whole = hand_u24(r->octets + at + 1);
		assert_int_equal(hand_u32(r->octets + at + 12), r->got++);
		assert_int_equal(hand_number(r->octets + at, whole, 268, 0), r->result);
		at += whole;
	}
	memmove(r->octets, r->octets + at, r->len - at);
	r->len -= at;
}

/* A peer that sends and does not read is not read either, and gets everything in order once it reads.  Returns how much
 * it could send before. */
static unsigned slow_reader(struct scene *scene, const struct hand *one, unsigned n, uint32_t result)
{
	static struct reader r;
	struct pollfd readable = {.events = POLLIN};
	struct hand h = *one;
	unsigned sent = 0, first = 0;
	int some = 1 << 18;
	size_t at = 0;

	r = (struct reader){.fd = scene_peer(scene, MME), .result = result};
	readable.fd = r.fd;
	setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &some, sizeof(some));
	for (unsigned idle = 0; r.got < n; idle++) {
		ssize_t did = -1;
		hand_set_ids(&h, sent, sent);
		if (sent < n)
			did = send(r.fd, h.octets + at, h.len - at, MSG_NOSIGNAL);
		at += did > 0 ? (size_t)did : 0;
		if (at == h.len) {
			at = 0;
			sent++;
		}
		traffic_turn(scene->stage.traffic, scene->stage.now_us);
		if (did >= 0)
			idle = 0;
		else if (!first)
			first = sent; /* both ways are full, or all is sent: from now on it reads */
		if (first && poll(&readable, 1, did < 0 ? 10 : 0) > 0) {
			read_some(&r);
			idle = 0;
		}
		assert_in_range(idle, 0, 500);
	}
	assert_int_equal(r.len, 0);
	return first;
}

static void a_slow_reader(void **state)
{
	struct scene *scene = *state;

	assert_in_range(slow_reader(scene, ecr(BLACK_IMSI), 60000, 2001), 1000, 59999);
	assert_int_equal(scene->stage.check.counters[WEIR_IF_S13].received, 60000);
}

static void a_slow_reader_of_faults(void **state)
{
	struct hand *h = ecr(BLACK_IMSI);
	uint8_t *great = calloc(1, 12000);

	hand_put(h, 9999, HAND_M, 0, great, 12000);
	hand_put(h, 284, HAND_M, 0, great, 3000);
	assert_in_range(h->len, 15000, 16384);
	assert_in_range(slow_reader(*state, h, 1500, 5001), 100, 1499);
	assert_int_equal(counted(*state)->faulty, 1500);
	free(great);
}

/* The greatest there is, twice in its answer, and one octet more. */
static void the_greatest_request(void **state)
{
	struct scene *scene = *state;
	int fd = scene_peer(scene, MME);
	struct hand *h = ecr(BLACK_IMSI);
	uint8_t *great = calloc(1, 20000);
	struct got *got;

	hand_put(h, 284, HAND_M, 0, great, 16384 - h->len - 8);
	assert_int_equal(h->len, 16384);
	put(scene, fd, h);
	got = assert_status(scene, fd, 1);
	assert_in_range(got->len, 15000, 17000);
	hand_put(h, 284, HAND_M, 0, great, 0);
	put(scene, fd, h);
	assert_answer(scene, fd, 324, 0x40, 5015);
	assert_ended(scene, fd);
	free(great);
}

/* --- every prefix, every flip, on an open session */

/* What flipped requests are answered with, each at least once; 0: with nothing. */
static const uint32_t flip_results[] = {0, 2001, 3001, 3007, 3008, 3009, 5001, 5004, 5005, 5011, 5014, 5015};

/* Whatever comes: one answer that says why, or none where it is no request any more or not whole; and a watchdog behind
 * it is answered as long as the session stands. */
static void flipped_requests(void **state)
{
	struct scene *scene = *state;
	struct hand *good = ecr(WHITE_IMSI);
	unsigned seen[N_ROWS(flip_results)] = {0};
	int fd = scene_peer(scene, MME);

	for (size_t bit = 0; bit < good->len * 8; bit += bit < 160 ? 1 : 11) {
		struct hand h = *good;
		struct got *got;
		uint32_t result;
		h.octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(scene, fd, &h);
		got = get(scene, fd);
		result = got->len ? hand_number(got->octets, got->len, 268, 0) : 0;
		for (unsigned i = 0; i < N_ROWS(flip_results); i++)
			seen[i] += flip_results[i] == result;
		if (result && result != 5015 && bit / 32 != 0) { /* else what is left begins another message */
			put(scene, fd, dwr());
			assert_answer(scene, fd, 280, 0, 2001);
			continue;
		}
		assert_true(result || !got->ended);
		shutdown(fd, SHUT_RDWR);
		scene_pass(scene, 1000 / S13_CERS); /* no faster may it come again */
		fd = scene_peer(scene, MME);
	}
	for (unsigned i = 0; i < N_ROWS(flip_results); i++)
		assert_int_not_equal(seen[i], 0);
	assert_in_range(seen[0], 1, 16);
	assert_true(seen[1] > 50);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, scene_start, scene_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(colours),
		TEST(refusals),
		TEST(malformed_may_be_told_a_colour),
		TEST(an_answer_takes_over_what_it_must),
		TEST(other_destinations),
		TEST(other_realms),
		TEST(a_peer_has_its_policy),
		TEST(identities_are_not_lent),
		TEST(agents_ask_for_others),
		TEST(an_agent_that_is_none_any_more),
		TEST(many_clients_behind_an_agent),
		TEST(several_clients_in_one_read),
		TEST(one_read_is_one_batch),
		TEST(a_slow_reader),
		TEST(a_slow_reader_of_faults),
		TEST(the_greatest_request),
		TEST(flipped_requests),
	};

	return cmocka_run_group_tests_name("s13 checks", tests, NULL, NULL);
}
