/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GSUP with an HLR behind: what passes untouched, what is decided here, what is absorbed, and who is told what when a
 * leg goes.  The HLR is the test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <osmocom/core/talloc.h>

#include "gsup_scene.h"

#define IMEI    "49015420323751"
#define WHITE   "001010000000001"
#define BLACK   "001020000000001"
#define REFUSED "001050000000001"

static const struct gsup_counters *counters(struct scene *s)
{
	return gsup_counters(s->gsup);
}

static struct gsup_config *config_copy(struct scene *s)
{
	return talloc_memdup(s, s->config, sizeof(*s->config));
}

static void check_mode(struct scene *s, enum gsup_check_mode mode)
{
	struct gsup_config *config = config_copy(s);

	config->check_mode = mode;
	assert_int_equal(scene_configure(s, config), 0);
}

static uint16_t id_of(struct scene *s, const char *name)
{
	uint16_t id = peers_find(s->stage.peers, WEIR_IF_GSUP, name);

	assert_int_not_equal(id, PEER_NONE);
	return id;
}

static struct weir_imsi imsi_of(const char *text)
{
	struct weir_imsi imsi;

	assert_int_equal(imsi_from_text(text, strlen(text), &imsi), 0);
	return imsi;
}

static struct frame *result_frame(const char *imsi, uint8_t result)
{
	struct frame *frame = gsup_frame(0x32, imsi);

	add_ie(frame, 0x51, &result, 1);
	return frame;
}

static struct frame *error_frame(uint8_t type, const char *imsi, uint8_t cause)
{
	struct frame *frame = gsup_frame(type, imsi);

	add_ie(frame, 0x02, &cause, 1);
	return frame;
}

/* --- the upstream leg */

static void the_hlr_hears_the_peers_own_identity(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr); /* compares it octet by octet */

	put_frame(s, hlr, ccm_frame(0x06));
	assert_quiet(s, msc);
	put_octets(s, hlr, "\0\x03\xfe\x04\x01\x00", 6); /* asks again: is told again */
	assert_frame(s, hlr, id_resp_frame("MSC-1")->octets, id_resp_frame("MSC-1")->len);
	assert_quiet(s, hlr);
}

static void each_peer_has_an_upstream_of_its_own(void **state)
{
	struct scene *s = *state;
	int hlr1, hlr2, msc1 = scene_peer(s, "MSC-1", &hlr1), msc2 = scene_peer(s, "MSC-2", &hlr2);

	put_frame(s, msc1, gsup_frame(0x04, WHITE));
	put_frame(s, msc2, gsup_frame(0x08, WHITE));
	assert_frame(s, hlr1, gsup_frame(0x04, WHITE)->octets, gsup_frame(0x04, WHITE)->len);
	assert_frame(s, hlr2, gsup_frame(0x08, WHITE)->octets, gsup_frame(0x08, WHITE)->len);
	put_frame(s, hlr2, gsup_frame(0x06, WHITE));
	assert_frame(s, msc2, gsup_frame(0x06, WHITE)->octets, gsup_frame(0x06, WHITE)->len);
	assert_quiet(s, msc1);
}

static void frames_wait_until_the_hlr_knows_the_peer(void **state)
{
	struct scene *s = *state;
	int msc = scene_connect(s), hlr;
	struct frame *id = id_resp_frame("MSC-1"), *lu = gsup_frame(0x04, WHITE), *check = check_frame(WHITE, IMEI);

	get(s, msc);
	put_frame(s, msc, id);
	assert_frame(s, msc, ccm_frame(0x06)->octets, 4);
	put_frame(s, msc, lu);
	put_frame(s, msc, check);
	assert_quiet(s, msc);
	hlr = scene_hlr_accept(s);
	assert_true(hlr >= 0);
	assert_quiet(s, hlr);
	put_octets(s, hlr, "\0\x03\xfe\x04\x01\x00", 6);
	assert_frame(s, hlr, id->octets, id->len);
	assert_frame(s, hlr, lu->octets, lu->len);
	assert_frame(s, hlr, check->octets, check->len);
	assert_result(s, msc, WHITE, ACK);
}

static void pings_are_answered_on_each_leg_and_do_not_pass(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	put_frame(s, msc, ccm_frame(0x00));
	assert_frame(s, msc, ccm_frame(0x01)->octets, 4);
	put_frame(s, hlr, ccm_frame(0x00));
	assert_frame(s, hlr, ccm_frame(0x01)->octets, 4);
	assert_quiet(s, msc);
	assert_quiet(s, hlr);
}

static void a_silent_hlr_is_pinged_then_the_peer_is_closed(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	for (unsigned i = 0; i < 3; i++) {
		scene_pass(s, 10000);
		put_frame(s, msc, ccm_frame(0x00)); /* the peer is well */
		assert_frame(s, msc, ccm_frame(0x01)->octets, 4);
	}
	assert_frame(s, hlr, ccm_frame(0x00)->octets, 4);
	scene_pass(s, 9000);
	assert_quiet(s, msc);
	scene_pass(s, 1000);
	assert_ended(s, msc);
}

static void no_hlr_closes_the_peer(void **state)
{
	struct scene *s = *state;
	int msc;

	close(s->hlr_listen);
	msc = scene_connect(s);
	get(s, msc);
	put_frame(s, msc, id_resp_frame("MSC-1"));
	assert_frame(s, msc, ccm_frame(0x06)->octets, 4);
	assert_ended(s, msc);
	assert_int_equal(counters(s)->upstream_failed, 1);
}

static void an_hlr_that_never_asks_closes_the_peer(void **state)
{
	struct scene *s = *state;
	int msc = scene_connect(s);

	get(s, msc);
	put_frame(s, msc, id_resp_frame("MSC-1"));
	assert_frame(s, msc, ccm_frame(0x06)->octets, 4);
	put_frame(s, msc, gsup_frame(0x04, WHITE));
	scene_pass(s, 3000);
	assert_quiet(s, msc);
	scene_pass(s, 1000);
	assert_ended(s, msc);
	assert_int_equal(counters(s)->upstream_failed, 1);
}

static void the_hlrs_end_is_the_peers_end(void **state)
{
	struct scene *s = *state;
	int hlr, other, msc = scene_peer(s, "MSC-1", &hlr), msc2 = scene_peer(s, "MSC-2", &other);

	put_frame(s, hlr, gsup_frame(0x06, WHITE));
	close(hlr);
	assert_frame(s, msc, gsup_frame(0x06, WHITE)->octets, gsup_frame(0x06, WHITE)->len);
	assert_ended(s, msc);
	assert_quiet(s, msc2);
	assert_int_equal(counters(s)->upstream_dropped, 1);
}

static void the_peers_end_is_the_upstreams_end(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	put_frame(s, msc, gsup_frame(0x04, WHITE));
	close(msc);
	assert_frame(s, hlr, gsup_frame(0x04, WHITE)->octets, gsup_frame(0x04, WHITE)->len);
	assert_ended(s, hlr);
}

/* --- transparency */

/* A frame of any protocol, extension, type and content, except those that are ours: IPA CCM, checks, cancel answers. */
static void random_frame(struct frame *frame, unsigned i)
{
	static const uint8_t protocols[] = {0xee, 0xee, 0xee, 0x00, 0xff, 0xfc};
	size_t body = rand() % (i % 50 ? 60 : 4000);

	frame->octets[2] = protocols[rand() % sizeof(protocols)];
	for (size_t k = 0; k < body; k++)
		frame->octets[3 + k] = rand();
	if (frame->octets[2] == 0xee && body >= 2) {
		frame->octets[3] = rand() % 4 ? 0x05 : frame->octets[3];
		if ((frame->octets[4] & 0xf0) == 0x30 || (frame->octets[4] & 0xfc) == 0x1c)
			frame->octets[4] = 0x80;
	}
	frame->octets[0] = body >> 8;
	frame->octets[1] = body & 0xff;
	frame->len = 3 + body;
}

/* All octets of a stream arrive at the other end, in pieces of any size, both ways at once. */
static void whatever_is_not_ours_passes_octet_by_octet(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	static uint8_t up[300000], down[300000], got[300000];
	size_t n = 0, sent = 0, back = 0, arrived = 0, returned = 0;
	struct frame frame;

	srand(1);
	for (unsigned i = 0; n + FRAME_MAX < sizeof(up); i++) {
		random_frame(&frame, i);
		memcpy(up + n, frame.octets, frame.len);
		memcpy(down + n, frame.octets, frame.len);
		n += frame.len;
	}
	while (arrived < n || returned < n) {
		size_t piece = 1 + rand() % 5000;
		ssize_t rc = send(msc, up + sent, piece < n - sent ? piece : n - sent, MSG_NOSIGNAL);
		sent += rc > 0 ? rc : 0;
		piece = 1 + rand() % 5000;
		rc = send(hlr, down + back, piece < n - back ? piece : n - back, MSG_NOSIGNAL);
		back += rc > 0 ? rc : 0;
		scene_settle(s);
		rc = recv(hlr, got, sizeof(got), 0);
		assert_true(rc > 0 || errno == EAGAIN);
		if (rc > 0)
			assert_memory_equal(got, up + arrived, rc);
		arrived += rc > 0 ? rc : 0;
		rc = recv(msc, got, sizeof(got), 0);
		assert_true(rc > 0 || errno == EAGAIN);
		if (rc > 0)
			assert_memory_equal(got, down + returned, rc);
		returned += rc > 0 ? rc : 0;
	}
	assert_quiet(s, msc);
	assert_quiet(s, hlr);
}

static void unknown_elements_of_a_check_reach_the_hlr(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	struct frame *frame = check_frame(WHITE, IMEI);

	add_ie(frame, 0xee, "\x00\x01\x02", 3);
	add_ie(frame, 0x7f, "", 0);
	put_frame(s, msc, frame);
	assert_frame(s, hlr, frame->octets, frame->len);
	assert_result(s, msc, WHITE, ACK);
}

static void frames_reach_the_hlr_in_their_order(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	static uint8_t burst[16384];
	static struct frame frames[100];
	size_t len = 0;

	for (unsigned i = 0; i < 100; i++) {
		frames[i] = i % 3 ? *gsup_frame(i % 2 ? 0x04 : 0x08, WHITE) : *check_frame(i % 2 ? WHITE : BLACK, IMEI);
		add_ie(&frames[i], 0xf0, &i, sizeof(i));
		memcpy(burst + len, frames[i].octets, frames[i].len);
		len += frames[i].len;
	}
	put_octets(s, msc, burst, len);
	for (unsigned i = 0; i < 100; i++) {
		if (i % 3 || i % 2)
			assert_frame(s, hlr, frames[i].octets, frames[i].len);
	}
	assert_quiet(s, hlr);
}

/* The HLR does not read: the peer is not read any more either, nothing is lost, and a stalled HLR is given up. */
static void an_hlr_that_does_not_read_stops_the_peer(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	static uint8_t stream[32 * 1024];
	size_t len = 0, sent = 0, arrived = 0;
	unsigned stuck = 0;

	while (len < sizeof(stream)) {
		struct frame *frame = gsup_frame(0x04, WHITE);
		add_ie(frame, 0xf0, stream, 256 - 2 - frame->len);
		assert_int_equal(frame->len, 256);
		memcpy(stream + len, frame->octets, frame->len);
		len += frame->len;
	}
	while (stuck < 20 && sent < 64000000) {
		ssize_t n = send(msc, stream + sent % len, len - sent % len, MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
		stuck = n > 0 ? 0 : stuck + 1;
		scene_settle(s);
	}
	assert_true(sent < 64000000);
	scene_pass(s, 5000);
	for (unsigned tries = 0; arrived < sent && tries < 20;) { /* it reads again: everything is there */
		static uint8_t got[65536];
		ssize_t n = recv(hlr, got, sizeof(got), 0);
		tries = n > 0 ? 0 : tries + 1;
		for (ssize_t i = 0; i < n; i++, arrived++)
			assert_int_equal(got[i], stream[arrived % len]);
		scene_settle(s);
	}
	assert_int_equal(arrived, sent);
	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_result(s, msc, BLACK, NACK);
	for (stuck = 0; stuck < 20;) {
		ssize_t n = send(msc, stream, len, MSG_NOSIGNAL);
		stuck = n > 0 ? 0 : stuck + 1;
		scene_settle(s);
	}
	scene_pass(s, 11000);
	assert_ended(s, msc);
}

/* --- checks while the HLR is slow or not there */

/* A peer whose identity was taken, and an HLR that has not asked yet. */
static int peer_before_the_hlr(struct scene *s)
{
	int msc = scene_connect(s);

	get(s, msc);
	put_frame(s, msc, id_resp_frame("MSC-1"));
	assert_frame(s, msc, ccm_frame(0x06)->octets, 4);
	return msc;
}

static void checks_do_not_wait_for_an_hlr_that_never_asks(void **state)
{
	struct scene *s = *state;
	int msc = peer_before_the_hlr(s);

	put_frame(s, msc, check_frame(WHITE, IMEI));
	assert_result(s, msc, WHITE, ACK);
	put_frame(s, msc, ccm_frame(0x00));
	assert_frame(s, msc, ccm_frame(0x01)->octets, 4);
	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_result(s, msc, BLACK, NACK);
	assert_int_equal(counters(s)->hlr_untold, 1);
	assert_int_equal(counters(s)->told_hlr, 0);
	put_frame(s, msc, gsup_frame(0x04, WHITE)); /* waits, and what is behind it too */
	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_quiet(s, msc);
	scene_pass(s, 4000);
	assert_ended(s, msc);
}

/* Its queue of connections is full: the system's connect neither succeeds nor fails. */
static void checks_do_not_wait_for_an_hlr_that_does_not_answer_the_connect(void **state)
{
	struct scene *s = *state;
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&s->hlr, &sa);
	int msc;

	assert_int_equal(listen(s->hlr_listen, 0), 0);
	for (unsigned i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fd, (struct sockaddr *)&sa, len);
		stage_keep(s, fd);
	}
	msc = peer_before_the_hlr(s);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	assert_result(s, msc, WHITE, ACK);
	scene_pass(s, 2000);
	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_result(s, msc, BLACK, NACK);
	scene_pass(s, 2000);
	assert_ended(s, msc);
	assert_int_equal(counters(s)->upstream_failed, 1);
	assert_int_equal(counters(s)->hlr_untold, 1);
}

/* The HLR connects late in its time and asks never: all in all no longer than a client is patient. */
static void an_hlr_has_one_deadline_for_all_of_its_handshake(void **state)
{
	struct scene *s = *state;
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&s->hlr, &sa);
	int msc, filler[2];

	assert_int_equal(listen(s->hlr_listen, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(filler[i], (struct sockaddr *)&sa, len);
		stage_keep(s, filler[i]);
	}
	msc = peer_before_the_hlr(s);
	scene_pass(s, 2000);
	for (unsigned i = 0; i < 2; i++)
		stage_keep(s, accept(s->hlr_listen, NULL, NULL));
	usleep(1300000); /* the system's own repetition of the SYN */
	scene_settle(s);
	scene_pass(s, 2000);
	assert_ended(s, msc);
	assert_int_equal(counters(s)->upstream_failed, 1);
}

static void flood_checks(struct scene *s, int msc, const char *imsi, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put_frame(s, msc, check_frame(imsi, IMEI));
		assert_result(s, msc, imsi, strcmp(imsi, BLACK) ? ACK : NACK);
	}
}

/* Checks with a long copy for an HLR that does not read, until there is no room for them: the peer must be read on. */
static void fill_the_way_to_the_hlr(struct scene *s, int msc)
{
	static uint8_t sink[65536], ballast[200];
	struct frame *frame = check_frame(WHITE, IMEI);
	unsigned stuck = 0;
	size_t at = 0;

	add_ie(frame, 0xf0, ballast, sizeof(ballast));
	while ((!counters(s)->hlr_untold || at) && stuck < 100) {
		ssize_t n = send(msc, frame->octets + at, frame->len - at, MSG_NOSIGNAL);
		at = (at + (n > 0 ? n : 0)) % frame->len;
		stuck = n > 0 ? 0 : stuck + 1;
		scene_settle(s);
		while (recv(msc, sink, sizeof(sink), 0) > 0)
			;
	}
	assert_int_equal(stuck, 0);
}

static void checks_do_not_wait_for_an_hlr_that_does_not_read(void **state)
{
	struct scene *s = *state;
	int hlr, small = 4096, msc;
	uint64_t untold;

	setsockopt(s->hlr_listen, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	msc = scene_peer(s, "MSC-1", &hlr);
	fill_the_way_to_the_hlr(s, msc);
	untold = counters(s)->hlr_untold;
	assert_true(untold > 0);
	while (get(s, msc)->len)
		;
	flood_checks(s, msc, BLACK, 10);
	assert_int_equal(counters(s)->hlr_untold, untold); /* the HLR was not to be told */
	/* as many as are left of room: the system may make more of it meanwhile, but not without end */
	for (unsigned i = 0; i < 20 && counters(s)->hlr_untold == untold; i++)
		flood_checks(s, msc, WHITE, 300);
	assert_true(counters(s)->hlr_untold > untold);
	untold = counters(s)->hlr_untold;
	check_mode(s, GSUP_NEVER);
	flood_checks(s, msc, WHITE, 10);
	assert_int_equal(counters(s)->hlr_untold, untold);
	check_mode(s, GSUP_WAIT); /* nothing can come from the HLR: nothing is waited for */
	flood_checks(s, msc, WHITE, 10);
	assert_int_equal(counters(s)->hlr_untold, untold + 10);
	assert_int_equal(gsup_waiting(s->gsup), 0);
}

/* --- checks: answer first */

static void an_accepted_check_is_answered_and_told(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	struct frame *check = check_frame(WHITE, IMEI);

	put_frame(s, msc, check);
	assert_result(s, msc, WHITE, ACK); /* before the HLR has said a word */
	assert_frame(s, hlr, check->octets, check->len);
	put_frame(s, hlr, result_frame(WHITE, NACK));
	assert_quiet(s, msc);
	put_frame(s, msc, check);
	assert_result(s, msc, WHITE, ACK);
	assert_frame(s, hlr, check->octets, check->len);
	put_frame(s, hlr, error_frame(0x31, WHITE, 2));
	assert_quiet(s, msc);
	assert_int_equal(counters(s)->told_hlr, 2);
	assert_int_equal(counters(s)->absorbed, 2);
}

static void a_refused_check_stays_here(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_result(s, msc, BLACK, NACK);
	put_frame(s, msc, check_frame(REFUSED, IMEI));
	assert_error(s, msc, 0x31, REFUSED, 17);
	put_frame(s, msc, check_frame(WHITE, "490154203237"));
	assert_error(s, msc, 0x31, WHITE, 96);
	assert_quiet(s, hlr);
	assert_int_equal(counters(s)->told_hlr, 0);
}

static void never_means_that_the_hlr_is_not_told(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_NEVER);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	assert_result(s, msc, WHITE, ACK);
	assert_quiet(s, hlr);
}

/* --- checks: wait for the HLR */

static void in_wait_mode_the_hlrs_answer_passes_untouched(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	struct frame *check = check_frame(WHITE, IMEI), *result = result_frame(WHITE, NACK);

	check_mode(s, GSUP_WAIT);
	add_ie(result, 0xf0, "new", 3);
	put_frame(s, msc, check);
	assert_frame(s, hlr, check->octets, check->len);
	assert_quiet(s, msc);
	assert_int_equal(gsup_waiting(s->gsup), 1);
	put_frame(s, hlr, result);
	assert_frame(s, msc, result->octets, result->len);
	put_frame(s, msc, check);
	put_frame(s, hlr, error_frame(0x31, WHITE, 2));
	assert_error(s, msc, 0x31, WHITE, 2);
	scene_pass(s, 2000);
	assert_quiet(s, msc);
	assert_int_equal(counters(s)->hlr_decided, 2);
	assert_int_equal(gsup_waiting(s->gsup), 0);
}

static void in_wait_mode_a_black_device_does_not_wait(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(BLACK, IMEI));
	assert_result(s, msc, BLACK, NACK);
	assert_quiet(s, hlr);
}

static void a_late_hlr_is_overtaken_and_then_absorbed(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	scene_pass(s, 999);
	assert_quiet(s, msc);
	scene_pass(s, 1);
	assert_result(s, msc, WHITE, ACK);
	put_frame(s, hlr, result_frame(WHITE, NACK));
	assert_quiet(s, msc);
	assert_int_equal(counters(s)->hlr_late, 1);
	assert_int_equal(counters(s)->absorbed, 1);
}

static void another_subscribers_result_answers_nobody(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	put_frame(s, hlr, result_frame("001010000000002", ACK));
	assert_quiet(s, msc);
	assert_int_equal(gsup_waiting(s->gsup), 1);
}

static void too_many_that_wait_are_answered_at_once(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);
	char imsi[16];

	check_mode(s, GSUP_WAIT);
	for (unsigned i = 0; i < GSUP_WAITING + 3; i++) {
		static uint8_t sink[4096];
		struct frame *frame;
		snprintf(imsi, sizeof(imsi), "00101%010u", i);
		frame = check_frame(imsi, IMEI);
		assert_int_equal(send(msc, frame->octets, frame->len, MSG_NOSIGNAL), frame->len);
		if (i % 32 == 0)
			scene_settle(s);
		while (recv(hlr, sink, sizeof(sink), 0) > 0)
			;
	}
	for (unsigned i = 0; i < 3; i++) {
		snprintf(imsi, sizeof(imsi), "00101%010u", GSUP_WAITING + i);
		assert_result(s, msc, imsi, ACK);
	}
	assert_quiet(s, msc);
	assert_int_equal(counters(s)->hlr_crowded, 3);
	scene_pass(s, 1000);
	for (unsigned i = 0; i < GSUP_WAITING; i++) {
		snprintf(imsi, sizeof(imsi), "00101%010u", i);
		assert_result(s, msc, imsi, ACK);
	}
	assert_int_equal(gsup_waiting(s->gsup), 0);
}

static void who_waits_is_answered_when_the_hlr_goes(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	close(hlr);
	assert_result(s, msc, WHITE, ACK);
	assert_ended(s, msc);
	assert_int_equal(gsup_waiting(s->gsup), 0);
}

static void who_waits_is_answered_at_the_stop(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	gsup_stop(s->gsup);
	assert_result(s, msc, WHITE, ACK);
	assert_ended(s, msc);
}

/* From here on these subscribers are black. */
static void turn_black(struct scene *s, const char *prefix)
{
	struct weir_imsi_rule rule = {
		.action = WEIR_DO_BLACK, .restrictive = WEIR_DO_INHERIT, .unknown = WEIR_DO_INHERIT};
	struct weir_policy_draft draft;

	policy_draft_init(&draft);
	assert_int_equal(imsi_prefix_from_text(prefix, strlen(prefix), &rule.prefix), 0);
	draft.imsi_rules = &rule;
	draft.n_imsi_rules = 1;
	stage_decide(s, &draft);
	gsup_policy_changed(s->gsup);
}

static void who_turns_black_while_he_waits_is_refused(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	for (unsigned i = 0; i < 3; i++)
		put_frame(s, msc, check_frame(i < 2 ? WHITE : "001010000000002", IMEI));
	assert_int_equal(counters(s)->told_hlr, 3);
	turn_black(s, "00101");
	put_frame(s, hlr, result_frame(WHITE, ACK)); /* the HLR's word comes too late */
	assert_result(s, msc, WHITE, NACK);
	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 49015420323751), 0);
	scene_settle(s);
	assert_result(s, msc, WHITE, NACK);
	assert_int_equal(get(s, msc)->octets[4], 0x1c);
	put_frame(s, hlr, result_frame(WHITE, ACK));
	assert_quiet(s, msc);
	scene_pass(s, 1000);
	assert_result(s, msc, "001010000000002", NACK);
	assert_int_equal(counters(s)->hlr_turned, 3);
	assert_int_equal(counters(s)->hlr_decided, 0);
	assert_int_equal(gsup_waiting(s->gsup), 0);
}

static void who_turned_black_is_refused_when_the_hlr_goes(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	turn_black(s, "00101");
	close(hlr);
	assert_result(s, msc, WHITE, NACK);
	assert_ended(s, msc);
}

/* --- block now */

static struct got *assert_cancel(struct scene *s, int msc, const char *imsi, uint8_t domain)
{
	struct got *got = get(s, msc);
	const uint8_t *ie;
	uint8_t len;

	(void)imsi;
	assert_true(got->len > 5);
	assert_int_equal(got->octets[4], 0x1c);
	ie = find_ie(got, 0x28, &len);
	assert_non_null(ie);
	assert_int_equal(ie[0], domain);
	return got;
}

static void a_cancel_goes_to_the_peer_and_its_answer_no_further(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 49015420323751), 0);
	assert_cancel(s, msc, WHITE, 2);
	assert_quiet(s, hlr);
	put_frame(s, msc, gsup_frame(0x1e, WHITE));
	assert_quiet(s, hlr);
	assert_int_equal(counters(s)->cancel_done, 1);
	put_frame(s, msc, gsup_frame(0x1e, WHITE)); /* the answer to one of the HLR's own */
	assert_frame(s, hlr, gsup_frame(0x1e, WHITE)->octets, gsup_frame(0x1e, WHITE)->len);
}

static void a_cancel_that_the_peer_refuses_is_absorbed_too(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 49015420323751), 0);
	get(s, msc);
	put_frame(s, msc, error_frame(0x1d, "001010000000002", 2)); /* of somebody else: passes */
	assert_int_equal(get(s, hlr)->octets[4], 0x1d);
	put_frame(s, msc, error_frame(0x1d, WHITE, 2));
	assert_quiet(s, hlr);
	assert_int_equal(counters(s)->cancel_failed, 1);
}

static void the_domain_is_what_the_peer_said_last(void **state)
{
	struct scene *s = *state;
	int hlr, sgsn = scene_peer(s, "SGSN-1", &hlr);
	struct frame *lu = gsup_frame(0x04, WHITE);

	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "SGSN-1"), imsi_of(WHITE), 1), 0);
	assert_cancel(s, sgsn, WHITE, 1); /* an SGSN by its name */
	add_ie(lu, 0x28, "\x02", 1);
	put_frame(s, sgsn, lu);
	assert_frame(s, hlr, lu->octets, lu->len);
	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "SGSN-1"), imsi_of(WHITE), 1), 0);
	assert_cancel(s, sgsn, WHITE, 2);
}

static void an_unanswered_cancel_is_forgotten(void **state)
{
	struct scene *s = *state;
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	assert_int_equal(gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 1), 0);
	get(s, msc);
	scene_pass(s, GSUP_CANCEL_S * 1000 + 1000);
	assert_int_equal(counters(s)->cancel_expired, 1);
	put_frame(s, msc, gsup_frame(0x1e, WHITE));
	assert_frame(s, hlr, gsup_frame(0x1e, WHITE)->octets, gsup_frame(0x1e, WHITE)->len);
}

static void a_cancel_for_a_peer_that_is_gone_fails(void **state)
{
	struct scene *s = *state;
	int msc = scene_peer(s, "MSC-1", NULL);
	uint16_t id = id_of(s, "MSC-1");

	close(msc);
	scene_settle(s);
	assert_int_equal(gsup_cancel(s->gsup, id, imsi_of(WHITE), 1), -ENOTCONN);
	assert_int_equal(gsup_cancel(s->gsup, PEER_NONE, imsi_of(WHITE), 1), -ENOTCONN);
	scene_peer(s, "MSC-1", NULL);
	assert_int_equal(id_of(s, "MSC-1"), id); /* the same name keeps its number */
	assert_int_equal(gsup_cancel(s->gsup, id, imsi_of(WHITE), 1), 0);
	assert_int_equal(counters(s)->cancel_lost, 2);
}

static void cancels_are_bounded(void **state)
{
	struct scene *s = *state;
	int msc = scene_peer(s, "MSC-1", NULL), rc = 0;
	unsigned sent = 0;

	while (sent < GSUP_CANCELS + 10 && rc == 0) {
		rc = gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 1);
		sent += rc == 0;
		if (sent % 256 == 0) {
			scene_settle(s);
			while (get(s, msc)->len)
				;
		}
	}
	assert_int_equal(rc, -ENOBUFS);
	assert_int_equal(sent, GSUP_CANCELS);
}

/* --- reload */

static void another_hlr_takes_over_without_closing_the_peer(void **state)
{
	struct scene *s = *state;
	int hlr, next, msc = scene_peer(s, "MSC-1", &hlr), old = s->hlr_listen;
	struct gsup_config *config = config_copy(s);

	s->hlr_listen = scene_listen(s, &config->hlr);
	assert_int_equal(scene_configure(s, config), 0);
	put_frame(s, msc, gsup_frame(0x04, WHITE));
	assert_ended(s, hlr);
	next = scene_hlr_accept(s);
	assert_true(next >= 0);
	put_octets(s, next, "\0\x03\xfe\x04\x01\x00", 6);
	assert_frame(s, next, id_resp_frame("MSC-1")->octets, id_resp_frame("MSC-1")->len);
	assert_frame(s, next, gsup_frame(0x04, WHITE)->octets, gsup_frame(0x04, WHITE)->len);
	assert_quiet(s, msc);
	config = config_copy(s);
	config->hlr = (struct gate_address){0};
	assert_int_equal(scene_configure(s, config), 0);
	assert_ended(s, next);
	put_frame(s, msc, gsup_frame(0x04, WHITE));
	assert_error(s, msc, 0x05, WHITE, 17);
	close(old);
}

/* --- mutilated messages from the HLR */

static void survive(struct scene *s, const uint8_t *octets, size_t len)
{
	int hlr, msc = scene_peer(s, "MSC-1", &hlr);

	check_mode(s, GSUP_WAIT);
	put_frame(s, msc, check_frame(WHITE, IMEI));
	gsup_cancel(s->gsup, id_of(s, "MSC-1"), imsi_of(WHITE), 1);
	assert_int_equal(send(hlr, octets, len, MSG_NOSIGNAL), len);
	scene_settle(s);
	shutdown(hlr, SHUT_WR);
	assert_ends_at_last(s, msc);
	close(msc);
	close(hlr);
	scene_settle(s);
	assert_int_equal(traffic_count(s->stage.traffic), 0);
}

static void every_truncated_or_bent_answer_ends_well(void **state)
{
	struct scene *s = *state;
	struct frame original = *result_frame(WHITE, ACK), bent;

	for (size_t len = 1; len < original.len; len++)
		survive(s, original.octets, len);
	for (size_t bit = 0; bit < original.len * 8; bit++) {
		bent = original;
		bent.octets[bit / 8] ^= 1 << bit % 8;
		survive(s, bent.octets, bent.len);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, scene_with_hlr, scene_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_hlr_hears_the_peers_own_identity),
		T(each_peer_has_an_upstream_of_its_own),
		T(frames_wait_until_the_hlr_knows_the_peer),
		T(pings_are_answered_on_each_leg_and_do_not_pass),
		T(a_silent_hlr_is_pinged_then_the_peer_is_closed),
		T(no_hlr_closes_the_peer),
		T(an_hlr_that_never_asks_closes_the_peer),
		T(the_hlrs_end_is_the_peers_end),
		T(the_peers_end_is_the_upstreams_end),
		T(whatever_is_not_ours_passes_octet_by_octet),
		T(unknown_elements_of_a_check_reach_the_hlr),
		T(frames_reach_the_hlr_in_their_order),
		T(an_hlr_that_does_not_read_stops_the_peer),
		T(checks_do_not_wait_for_an_hlr_that_never_asks),
		T(checks_do_not_wait_for_an_hlr_that_does_not_answer_the_connect),
		T(an_hlr_has_one_deadline_for_all_of_its_handshake),
		T(checks_do_not_wait_for_an_hlr_that_does_not_read),
		T(an_accepted_check_is_answered_and_told),
		T(a_refused_check_stays_here),
		T(never_means_that_the_hlr_is_not_told),
		T(in_wait_mode_the_hlrs_answer_passes_untouched),
		T(in_wait_mode_a_black_device_does_not_wait),
		T(a_late_hlr_is_overtaken_and_then_absorbed),
		T(another_subscribers_result_answers_nobody),
		T(too_many_that_wait_are_answered_at_once),
		T(who_waits_is_answered_when_the_hlr_goes),
		T(who_waits_is_answered_at_the_stop),
		T(who_turns_black_while_he_waits_is_refused),
		T(who_turned_black_is_refused_when_the_hlr_goes),
		T(a_cancel_goes_to_the_peer_and_its_answer_no_further),
		T(a_cancel_that_the_peer_refuses_is_absorbed_too),
		T(the_domain_is_what_the_peer_said_last),
		T(an_unanswered_cancel_is_forgotten),
		T(a_cancel_for_a_peer_that_is_gone_fails),
		T(cancels_are_bounded),
		T(another_hlr_takes_over_without_closing_the_peer),
		T(every_truncated_or_bent_answer_ends_well),
	};

	return cmocka_run_group_tests_name("gsup proxy", tests, NULL, NULL);
}
