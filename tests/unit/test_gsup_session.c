/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GSUP peers without an HLR: who may speak, what is answered, what ends a connection. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <osmocom/core/talloc.h>

#include "gsup_scene.h"

#define IMEI "49015420323751"

static void one_peer(const struct gsup_peer_state *peer, void *data)
{
	(void)peer;
	++*(unsigned *)data;
}

static unsigned peers_there(struct scene *s)
{
	unsigned n = 0;

	gsup_each_peer(s->gsup, one_peer, &n);
	return n;
}

/* --- the handshake */

static void asks_for_the_identity_first(void **state)
{
	struct scene *s = *state;
	int fd = scene_connect(s);
	struct got *got = get(s, fd);

	assert_true(got->len > 5);
	assert_int_equal(got->octets[2], 0xfe);
	assert_int_equal(got->octets[3], 0x04);
	assert_quiet(s, fd);
}

static void an_allowed_name_is_acknowledged(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);

	assert_int_equal(gsup_counters(s->gsup)->connected, 1);
	put_frame(s, fd, check_frame("001010000000001", IMEI));
	assert_result(s, fd, "001010000000001", ACK);
}

static void a_ping_before_the_identity_is_answered(void **state)
{
	struct scene *s = *state;
	int fd = scene_connect(s);

	get(s, fd);
	put_frame(s, fd, ccm_frame(0x00));
	assert_frame(s, fd, ccm_frame(0x01)->octets, 4);
	put_frame(s, fd, id_resp_frame("MSC-1"));
	assert_frame(s, fd, ccm_frame(0x06)->octets, 4);
}

static void closes_on(struct scene *s, const struct frame *frame)
{
	int fd = scene_connect(s);

	get(s, fd);
	put_frame(s, fd, frame);
	assert_int_equal(get(s, fd)->len, 0);
	assert_ended(s, fd);
	assert_int_equal(peers_there(s), 0);
}

static void a_check_before_the_identity_closes(void **state)
{
	struct scene *s = *state;

	closes_on(s, check_frame("001010000000001", IMEI));
	assert_int_equal(s->stage.check.counters[WEIR_IF_GSUP].received, 0);
	assert_int_equal(gsup_counters(s->gsup)->violated, 1);
}

static void an_identity_request_from_a_peer_closes(void **state)
{
	closes_on(*state, ccm_frame(0x04));
}

static void a_name_that_no_rule_allows_closes(void **state)
{
	struct scene *s = *state;

	closes_on(s, id_resp_frame("SGSN-10"));
	closes_on(s, id_resp_frame("msc-1"));
	assert_int_equal(gsup_counters(s->gsup)->stranger, 2);
}

static void an_identity_without_serial_number_closes(void **state)
{
	struct frame *frame = ccm_frame(0x05);

	memcpy(frame->octets + frame->len, "\0\x06\x01MSC-1", 9);
	frame->len += 9;
	frame->octets[1] = frame->len - 3;
	closes_on(*state, frame);
}

static void an_endless_identity_closes(void **state)
{
	struct scene *s = *state;
	struct frame *frame = id_resp_frame("MSC-1");

	memset(frame->octets + frame->len, 0, 2000);
	frame->len += 2000;
	frame->octets[0] = (frame->len - 3) >> 8;
	frame->octets[1] = (frame->len - 3) & 0xff;
	closes_on(s, frame);
}

static void an_address_that_no_rule_covers_is_closed_at_once(void **state)
{
	struct scene *s = *state;
	struct gsup_config *config = talloc_memdup(s, s->config, sizeof(*config));
	int fd;

	config->door.n_peers = 0;
	assert_int_equal(config_add_peer(&config->door, "MSC-*", NULL, "10.0.0.0/8", NULL), 0);
	assert_int_equal(scene_configure(s, config), 0);
	fd = scene_connect(s);
	assert_int_equal(get(s, fd)->len, 0);
	assert_ended(s, fd);
	assert_int_equal(gsup_counters(s->gsup)->stranger, 1);
}

static void silence_instead_of_an_identity_closes_after_5_s(void **state)
{
	struct scene *s = *state;
	int fd = scene_connect(s);

	get(s, fd);
	scene_pass(s, 4000);
	put_frame(s, fd, ccm_frame(0x00)); /* pings are no identity */
	get(s, fd);
	scene_pass(s, 900);
	assert_quiet(s, fd);
	scene_pass(s, 100);
	assert_ended(s, fd);
	assert_int_equal(gsup_counters(s->gsup)->unidentified, 1);
}

/* One host that opens connections and says nothing keeps nobody out. */
static void a_flood_of_nameless_connections_keeps_nobody_out(void **state)
{
	struct scene *s = *state;
	int fd[TRAFFIC_STRANGERS + 8], msc = scene_peer(s, "MSC-1", NULL);

	for (unsigned i = 0; i < TRAFFIC_STRANGERS + 8; i++)
		fd[i] = scene_connect(s);
	assert_int_equal(traffic_count(s->stage.traffic), 1 + TRAFFIC_STRANGERS);
	for (unsigned i = 0; i < 8; i++)
		assert_ends_at_last(s, fd[i]);
	assert_int_equal(get(s, fd[8])->octets[3], 0x04);
	assert_quiet(s, fd[8]);
	put_frame(s, msc, check_frame("001010000000001", IMEI));
	assert_result(s, msc, "001010000000001", ACK);
	traffic_limit(s->stage.traffic, 20);
	scene_peer(s, "MSC-2", NULL);
	put_frame(s, msc, check_frame("001010000000001", IMEI));
	assert_result(s, msc, "001010000000001", ACK);
	assert_true(traffic_crowded(s->stage.traffic) > 8);
	assert_int_equal(traffic_refused(s->stage.traffic), 0);
}

static void a_second_connection_of_a_name_replaces_the_first(void **state)
{
	struct scene *s = *state;
	int old = scene_peer(s, "MSC-1", NULL), other = scene_peer(s, "MSC-2", NULL),
	    young = scene_peer(s, "MSC-1", NULL);

	assert_ended(s, old);
	put_frame(s, young, check_frame("001010000000001", IMEI));
	assert_result(s, young, "001010000000001", ACK);
	assert_quiet(s, other);
	assert_int_equal(gsup_counters(s->gsup)->replaced, 1);
	assert_int_equal(peers_count(s->stage.peers), 2);
}

/* --- answers */

static void each_colour_has_its_answer(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	const struct check_counters *c = &s->stage.check.counters[WEIR_IF_GSUP];

	put_frame(s, fd, check_frame("001010000000001", IMEI));
	assert_result(s, fd, "001010000000001", ACK);
	put_frame(s, fd, check_frame("001020000000001", IMEI));
	assert_result(s, fd, "001020000000001", NACK);
	put_frame(s, fd, check_frame("001030000000001", IMEI));
	assert_result(s, fd, "001030000000001", ACK);
	put_frame(s, fd, check_frame("001040000000001", IMEI));
	assert_result(s, fd, "001040000000001", ACK);
	put_frame(s, fd, check_frame("001050000000001", IMEI));
	assert_error(s, fd, 0x31, "001050000000001", 17);
	assert_int_equal(c->received, 5);
	assert_int_equal(c->tally[WEIR_TALLY_WHITE], 1);
	assert_int_equal(c->tally[WEIR_TALLY_BLACK], 1);
	assert_int_equal(c->tally[WEIR_TALLY_GREY], 1);
	assert_int_equal(c->tally[WEIR_TALLY_UNKNOWN], 1);
	assert_int_equal(c->refused, 1);
}

static void no_register_lets_through_and_counts(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);

	put_frame(s, fd, check_frame("262010000000001", IMEI));
	assert_result(s, fd, "262010000000001", ACK);
	assert_int_equal(s->stage.check.counters[WEIR_IF_GSUP].tally[WEIR_TALLY_FAILED], 1);
}

static void malformed_checks_get_error_96(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	struct frame *cut = check_frame("001010000000001", IMEI);

	put_frame(s, fd, check_frame("001010000000001", "4901542032375"));
	assert_error(s, fd, 0x31, "001010000000001", 96);
	put_frame(s, fd, check_frame("001010000000001", NULL));
	assert_error(s, fd, 0x31, "001010000000001", 96);
	put_frame(s, fd, check_frame(NULL, IMEI));
	assert_error(s, fd, 0x31, NULL, 96);
	cut->len -= 5; /* the class, and the last of the IMEI */
	cut->octets[1] -= 5;
	put_frame(s, fd, cut);
	assert_error(s, fd, 0x31, "001010000000001", 96);
	assert_int_equal(s->stage.check.counters[WEIR_IF_GSUP].tally[WEIR_TALLY_MALFORMED], 4);
}

static void the_source_name_comes_back_as_destination(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	struct frame *frame = check_frame("001010000000001", IMEI);
	struct got *got;
	const uint8_t *ie;
	uint8_t len = 0;

	add_ie(frame, 0x60, "MSC-9", 6);
	put_frame(s, fd, frame);
	got = get(s, fd);
	assert_int_equal(got->octets[4], 0x32);
	ie = find_ie(got, 0x61, &len);
	assert_non_null(ie);
	assert_int_equal(len, 6);
	assert_memory_equal(ie, "MSC-9", 6);
	ie = find_ie(got, 0x0a, &len);
	assert_non_null(ie);
	assert_int_equal(ie[0], 1);
}

/* Many in one write, more than a look-up batch, mixed colours. */
static void answers_come_in_the_order_of_the_questions(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	static uint8_t burst[32768];
	char imsi[16];
	size_t len = 0;

	for (unsigned i = 0; i < 500; i++) {
		snprintf(imsi, sizeof(imsi), "0010%u%010u", i % 4 + 1, i);
		struct frame *frame = check_frame(imsi, IMEI);
		memcpy(burst + len, frame->octets, frame->len);
		len += frame->len;
	}
	put_octets(s, fd, burst, len);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(imsi, sizeof(imsi), "0010%u%010u", i % 4 + 1, i);
		assert_result(s, fd, imsi, i % 4 + 1 == 2 ? NACK : ACK);
	}
	assert_true(s->stage.check.counters[WEIR_IF_GSUP].batches <= 500 / 16); /* they were answered together */
}

static void trickled_octets_are_put_together(void **state)
{
	struct scene *s = *state;
	int fd = scene_connect(s);
	const struct frame *id = id_resp_frame("MSC-1"), *check = check_frame("001020000000001", IMEI);

	get(s, fd);
	for (size_t i = 0; i < id->len; i++)
		put_octets(s, fd, id->octets + i, 1);
	assert_frame(s, fd, ccm_frame(0x06)->octets, 4);
	for (size_t i = 0; i < check->len; i++) {
		assert_quiet(s, fd);
		put_octets(s, fd, check->octets + i, 1);
	}
	assert_result(s, fd, "001020000000001", NACK);
}

static void other_requests_are_refused_not_ignored(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);

	put_frame(s, fd, gsup_frame(0x04, "001010000000001"));
	assert_error(s, fd, 0x05, "001010000000001", 17);
	put_frame(s, fd, gsup_frame(0x08, "001010000000001"));
	assert_error(s, fd, 0x09, "001010000000001", 17);
	put_frame(s, fd, gsup_frame(0x1e, "001010000000001"));
	put_frame(s, fd, gsup_frame(0x1d, "001010000000001"));
	put_octets(s, fd, "\0\x03\xee\x06\x00\x00", 6); /* OAP: not ours */
	put_octets(s, fd, "\0\x00\xee", 3);
	put_octets(s, fd, "\0\x01\xee\x05", 4); /* GSUP without a type */
	assert_quiet(s, fd);
	assert_int_equal(gsup_counters(s->gsup)->alone_refused, 2);
}

/* --- staying alive */

static void a_silent_peer_is_pinged_and_lives_by_its_pong(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);

	scene_pass(s, 19000);
	assert_quiet(s, fd);
	scene_pass(s, 1000);
	assert_frame(s, fd, ccm_frame(0x00)->octets, 4);
	put_frame(s, fd, ccm_frame(0x01));
	scene_pass(s, 19000);
	assert_quiet(s, fd);
	scene_pass(s, 1000);
	assert_frame(s, fd, ccm_frame(0x00)->octets, 4);
	scene_pass(s, 19000);
	assert_quiet(s, fd);
	scene_pass(s, 1000);
	assert_ended(s, fd);
}

static void a_busy_peer_is_not_pinged(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);

	for (unsigned i = 0; i < 6; i++) {
		scene_pass(s, 10000);
		put_frame(s, fd, ccm_frame(0x00));
		assert_frame(s, fd, ccm_frame(0x01)->octets, 4);
	}
	assert_quiet(s, fd);
}

/* It asks and asks and takes no answer: reading stops, memory stays what it was, and it is closed. */
static void a_peer_that_never_reads_is_stopped_and_closed(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL), other = scene_peer(s, "MSC-2", NULL), small = 4096;
	static uint8_t burst[16000];
	size_t len = 0, sent = 0;
	unsigned stuck = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	while (len + 64 < sizeof(burst)) {
		struct frame *frame = check_frame("001010000000001", IMEI);
		memcpy(burst + len, frame->octets, frame->len);
		len += frame->len;
	}
	while (stuck < 20 && sent < 64000000) { /* whole bursts, or none of a frame is lost: TCP keeps order anyway */
		ssize_t n = send(fd, burst + sent % len, len - sent % len, MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
		stuck = n > 0 ? 0 : stuck + 1;
		scene_settle(s);
	}
	assert_true(sent < 64000000);
	assert_true(s->stage.check.counters[WEIR_IF_GSUP].received * 29 < sent); /* it was not even read to the end */
	put_frame(s, other, check_frame("001020000000001", IMEI));
	assert_result(s, other, "001020000000001", NACK);
	assert_int_equal(peers_there(s), 2);
	scene_pass(s, 11000);
	assert_int_equal(peers_there(s), 1);
	put_frame(s, other, check_frame("001020000000001", IMEI));
	assert_result(s, other, "001020000000001", NACK);
}

/* A frame that is longer than a receive buffer can never be whole. */
static void a_frame_beyond_the_buffer_closes(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	uint8_t chunk[1024] = {0};

	put_octets(s, fd, "\xff\xff\xee\x05\x04", 5);
	for (unsigned i = 0; i < 40; i++) {
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
			break;
		scene_settle(s);
	}
	assert_int_equal(peers_there(s), 0);
}

static void a_thousand_peers_are_served_at_once(void **state)
{
	struct scene *s = *state;
	static int fd[1000];
	char name[32];

	traffic_limit(s->stage.traffic, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "MSC-%u", i);
		fd[i] = scene_peer(s, name, NULL);
	}
	for (unsigned i = 0; i < 1000; i++) {
		struct frame *frame = check_frame(i % 2 ? "001010000000001" : "001020000000001", IMEI);
		assert_int_equal(send(fd[i], frame->octets, frame->len, MSG_NOSIGNAL), frame->len);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_result(s, fd[i], i % 2 ? "001010000000001" : "001020000000001", i % 2 ? ACK : NACK);
	assert_ended(s, scene_connect(s)); /* one more than the limit */
	assert_int_equal(traffic_refused(s->stage.traffic), 1);
	close(fd[7]);
	scene_settle(s);
	scene_peer(s, "MSC-new", NULL);
	assert_int_equal(peers_there(s), 1000);
}

/* --- mutilated messages */

/* Send octets and close our side: whatever they are, the session ends and the next peer is served. */
static void survive(struct scene *s, bool known, const uint8_t *octets, size_t len)
{
	int fd = known ? scene_peer(s, "MSC-1", NULL) : scene_connect(s);

	if (len)
		assert_int_equal(send(fd, octets, len, MSG_NOSIGNAL), len);
	scene_settle(s);
	shutdown(fd, SHUT_WR);
	assert_ends_at_last(s, fd);
	close(fd);
	scene_settle(s);
	assert_int_equal(traffic_count(s->stage.traffic), 0);
}

static void survive_all(struct scene *s, bool known, const struct frame *original)
{
	struct frame bent;

	for (size_t len = 0; len < original->len; len++)
		survive(s, known, original->octets, len);
	for (size_t bit = 0; bit < original->len * 8; bit++) {
		bent = *original;
		bent.octets[bit / 8] ^= 1 << bit % 8;
		survive(s, known, bent.octets, bent.len);
	}
	assert_true(check_counters_close(&s->stage.check.counters[WEIR_IF_GSUP]));
}

static void every_truncated_or_bent_identity_ends_well(void **state)
{
	struct frame *frame = ccm_frame(0x05);

	memcpy(frame->octets + frame->len, "\0\x07\0MSC-1", 9);
	frame->len += 9;
	frame->octets[1] = frame->len - 3;
	survive_all(*state, false, frame);
}

static void every_truncated_or_bent_check_ends_well(void **state)
{
	struct frame *frame = check_frame("001010000000001", IMEI);

	add_ie(frame, 0x60, "MSC-9", 6);
	survive_all(*state, true, frame);
}

/* --- reload and stop */

static void reload_closes_only_who_is_no_longer_allowed(void **state)
{
	struct scene *s = *state;
	int msc = scene_peer(s, "MSC-1", NULL), sgsn = scene_peer(s, "SGSN-1", NULL);
	struct gsup_config *config = talloc_memdup(s, s->config, sizeof(*config));

	assert_int_equal(config_del_peer(&config->door, "MSC-*", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(scene_configure(s, config), 0);
	assert_ended(s, msc);
	put_frame(s, sgsn, check_frame("001020000000001", IMEI));
	assert_result(s, sgsn, "001020000000001", NACK);
}

static bool somebody_listens(const struct gate_address *address)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(address, &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0), rc = connect(fd, (struct sockaddr *)&sa, len);

	close(fd);
	return rc == 0;
}

static void reload_opens_and_closes_addresses(void **state)
{
	struct scene *s = *state;
	int peer = scene_peer(s, "MSC-1", NULL);
	struct gate_place second = {.n = 1}, first = *gsup_listening(s->gsup, 0);
	struct gsup_config *config = talloc_memdup(s, s->config, sizeof(*config));
	int taken = scene_listen(s, &second.address[0]);

	config->door.listen[config->door.n_listen++] = second;
	assert_int_equal(scene_configure(s, config), -EADDRINUSE);
	assert_non_null(gsup_listening(s->gsup, 0)); /* nothing has changed */
	assert_null(gsup_listening(s->gsup, 1));
	close(taken);
	assert_int_equal(scene_configure(s, config), 0);
	assert_true(place_equal(gsup_listening(s->gsup, 0), &first));
	assert_true(place_equal(gsup_listening(s->gsup, 1), &second));
	config->door.listen[0] = second;
	config->door.n_listen = 1;
	assert_int_equal(scene_configure(s, config), 0);
	assert_true(place_equal(gsup_listening(s->gsup, 0), &second));
	assert_null(gsup_listening(s->gsup, 1));
	assert_false(somebody_listens(&first.address[0]));
	assert_true(somebody_listens(&second.address[0]));
	put_frame(s, peer, check_frame("001020000000001", IMEI));
	assert_result(s, peer, "001020000000001", NACK);
	scene_peer(s, "MSC-2", NULL);
}

static void a_stop_answers_what_was_read_and_ends(void **state)
{
	struct scene *s = *state;
	int fd = scene_peer(s, "MSC-1", NULL);
	struct frame *frame = check_frame("001020000000001", IMEI);

	assert_int_equal(send(fd, frame->octets, frame->len, 0), frame->len);
	traffic_turn(s->stage.traffic, s->stage.now_us);
	gsup_stop(s->gsup);
	assert_result(s, fd, "001020000000001", NACK);
	assert_ended(s, fd);
	close(fd);
	scene_settle(s);
	assert_int_equal(traffic_count(s->stage.traffic), 0);
}

static void a_stop_does_not_wait_for_a_peer_that_stays(void **state)
{
	struct scene *s = *state;

	scene_peer(s, "MSC-1", NULL);
	gsup_stop(s->gsup);
	scene_settle(s);
	assert_int_equal(traffic_count(s->stage.traffic), 1);
	scene_pass(s, TRAFFIC_FINISH_S * 1000);
	assert_int_equal(traffic_count(s->stage.traffic), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scene_alone, scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(asks_for_the_identity_first),
		T(an_allowed_name_is_acknowledged),
		T(a_ping_before_the_identity_is_answered),
		T(a_check_before_the_identity_closes),
		T(an_identity_request_from_a_peer_closes),
		T(a_name_that_no_rule_allows_closes),
		T(an_identity_without_serial_number_closes),
		T(an_endless_identity_closes),
		T(an_address_that_no_rule_covers_is_closed_at_once),
		T(silence_instead_of_an_identity_closes_after_5_s),
		T(a_flood_of_nameless_connections_keeps_nobody_out),
		T(a_second_connection_of_a_name_replaces_the_first),
		T(each_colour_has_its_answer),
		T(no_register_lets_through_and_counts),
		T(malformed_checks_get_error_96),
		T(the_source_name_comes_back_as_destination),
		T(answers_come_in_the_order_of_the_questions),
		T(trickled_octets_are_put_together),
		T(other_requests_are_refused_not_ignored),
		T(a_silent_peer_is_pinged_and_lives_by_its_pong),
		T(a_busy_peer_is_not_pinged),
		T(a_peer_that_never_reads_is_stopped_and_closed),
		T(a_frame_beyond_the_buffer_closes),
		T(a_thousand_peers_are_served_at_once),
		T(every_truncated_or_bent_identity_ends_well),
		T(every_truncated_or_bent_check_ends_well),
		T(reload_closes_only_who_is_no_longer_allowed),
		T(reload_opens_and_closes_addresses),
		T(a_stop_answers_what_was_read_and_ends),
		T(a_stop_does_not_wait_for_a_peer_that_stays),
	};

	return cmocka_run_group_tests_name("gsup session", tests, NULL, NULL);
}
