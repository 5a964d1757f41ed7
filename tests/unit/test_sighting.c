/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/sighting: what goes in comes out, and nothing that the encoder could not have written is taken. */

#include "wire/sighting.h"

#include "core/imei.h"
#include "core/verdict.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed;

static uint64_t any(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 11) % below;
}

static struct weir_imsi any_imsi(void)
{
	uint64_t one = 100000;

	if (any(4) == 0)
		return (struct weir_imsi){0};
	for (uint64_t n = any(11); n > 0; n--)
		one *= 10;
	return (struct weir_imsi){one + any(one)};
}

static void any_peer(char peer[static SIGHTING_PEER_MAX + 1])
{
	size_t len = any(SIGHTING_PEER_MAX + 1);

	memset(peer, 0, SIGHTING_PEER_MAX + 1);
	for (size_t i = 0; i < len; i++)
		peer[i] = (char)('!' + any(90));
}

static struct weir_sighting any_sighting(void)
{
	struct weir_sighting s;

	memset(&s, 0, sizeof(s));
	s.imei = any(WEIR_IMEI_END);
	s.imsi = any_imsi();
	s.time_s = (uint32_t)any(UINT64_C(1) << 32);
	s.svn = (int8_t)(any(101) - 1);
	s.interface = (uint8_t)any(WEIR_N_INTERFACES);
	s.tally = (uint8_t)any(WEIR_N_TALLIES);
	any_peer(s.peer);
	return s;
}

static void check_sighting(const struct weir_sighting *a, const struct weir_sighting *b)
{
	assert_int_equal(a->imei, b->imei);
	assert_int_equal(a->imsi.packed, b->imsi.packed);
	assert_int_equal(a->time_s, b->time_s);
	assert_int_equal(a->svn, b->svn);
	assert_int_equal(a->interface, b->interface);
	assert_int_equal(a->tally, b->tally);
	assert_memory_equal(a->peer, b->peer, sizeof(a->peer));
}

static void every_batch_of_sightings_comes_back(void **state)
{
	(void)state;
	seed = 1;
	for (unsigned round = 0; round < 2000; round++) {
		struct weir_sighting in[SIGHTING_BATCH], out[SIGHTING_BATCH];
		uint8_t buf[SIGHTING_DATAGRAM];
		unsigned n = round % (SIGHTING_BATCH + 1);
		size_t len;

		for (unsigned i = 0; i < n; i++)
			in[i] = any_sighting();
		len = sighting_encode(in, n, buf);
		assert_int_equal(len, 8 + n * 64);
		assert_int_equal(sighting_decode(buf, len, out), n);
		for (unsigned i = 0; i < n; i++)
			check_sighting(&in[i], &out[i]);
	}
}

static void any_flips(struct weir_flips *flips, unsigned n)
{
	memset(flips, 0, sizeof(*flips));
	flips->after_serial = any(1000000);
	flips->serial = flips->after_serial + any(1000);
	flips->n = n;
	for (unsigned i = 0; i < n; i++) {
		flips->flip[i].imei = any(WEIR_IMEI_END);
		flips->flip[i].imsi = any_imsi();
		any_peer(flips->flip[i].peer);
		flips->flip[i].svn = (int8_t)((int)any(101) - 1);
		flips->flip[i].interface = (uint8_t)any(WEIR_N_INTERFACES);
	}
}

static void check_flips(const struct weir_flips *a, const struct weir_flips *b)
{
	assert_int_equal(a->after_serial, b->after_serial);
	assert_int_equal(a->serial, b->serial);
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		assert_int_equal(a->flip[i].imei, b->flip[i].imei);
		assert_int_equal(a->flip[i].imsi.packed, b->flip[i].imsi.packed);
		assert_memory_equal(a->flip[i].peer, b->flip[i].peer, sizeof(a->flip[i].peer));
		assert_int_equal(a->flip[i].svn, b->flip[i].svn);
		assert_int_equal(a->flip[i].interface, b->flip[i].interface);
	}
}

static void every_batch_of_flips_comes_back(void **state)
{
	static struct weir_flips in, out;

	(void)state;
	seed = 2;
	for (unsigned round = 0; round < 2000; round++) {
		uint8_t buf[FLIP_DATAGRAM];
		unsigned n = round % (FLIP_BATCH + 1);
		size_t len;

		any_flips(&in, n);
		len = flips_encode(&in, buf);
		assert_int_equal(len, 24 + n * 64);
		assert_int_equal(flips_decode(buf, len, &out), 0);
		check_flips(&in, &out);
	}
}

static void a_peer_without_an_end_is_cut(void **state)
{
	struct weir_sighting in, out[SIGHTING_BATCH];
	uint8_t buf[SIGHTING_DATAGRAM];

	(void)state;
	seed = 3;
	in = any_sighting();
	memset(in.peer, 'p', sizeof(in.peer));
	assert_int_equal(sighting_decode(buf, sighting_encode(&in, 1, buf), out), 1);
	assert_int_equal(strlen(out[0].peer), SIGHTING_PEER_MAX);
}

/* --- damage --------------------------------------------------------------------------------------------------- */

static bool zeroed(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static void check_ranges(uint64_t imei, struct weir_imsi imsi, const char *peer)
{
	char text[WEIR_DIGITS_TEXT];
	struct weir_imsi again = {0};

	assert_true(imei < WEIR_IMEI_END);
	assert_true(strnlen(peer, SIGHTING_PEER_MAX + 1) <= SIGHTING_PEER_MAX);
	if (imsi.packed)
		assert_int_equal(imsi_from_text(imsi_print(text, imsi), strlen(imsi_print(text, imsi)), &again), 0);
	assert_int_equal(again.packed, imsi.packed);
}

/* Decode from a heap copy of exactly len octets.  What is taken encodes to the same octets again. */
static int decode_sightings(const uint8_t *bytes, size_t len)
{
	uint8_t *own = malloc(len ? len : 1), again[SIGHTING_DATAGRAM];
	struct weir_sighting out[SIGHTING_BATCH];
	int n;

	memcpy(own, bytes, len);
	memset(out, 0xa5, sizeof(out));
	n = sighting_decode(own, len, out);
	for (int i = 0; i < n; i++) {
		check_ranges(out[i].imei, out[i].imsi, out[i].peer);
		assert_true(out[i].interface < WEIR_N_INTERFACES && out[i].tally < WEIR_N_TALLIES);
		assert_true(out[i].svn >= WEIR_NO_SVN && out[i].svn < 100);
	}
	if (n >= 0) {
		assert_int_equal(sighting_encode(out, (unsigned)n, again), len);
		assert_memory_equal(again, own, len);
	}
	free(own);
	return n;
}

static int decode_flips(const uint8_t *bytes, size_t len)
{
	uint8_t *own = malloc(len ? len : 1), again[FLIP_DATAGRAM];
	static struct weir_flips out;
	int rc;

	memcpy(own, bytes, len);
	memset(&out, 0xa5, sizeof(out));
	rc = flips_decode(own, len, &out);
	if (rc == 0) {
		for (unsigned i = 0; i < out.n; i++)
			check_ranges(out.flip[i].imei, out.flip[i].imsi, out.flip[i].peer);
		assert_true(out.after_serial <= out.serial);
		assert_int_equal(flips_encode(&out, again), len);
		assert_memory_equal(again, own, len);
	} else {
		assert_true(zeroed(&out, sizeof(out)));
	}
	free(own);
	return rc;
}

static size_t make_sightings(uint8_t *buf)
{
	struct weir_sighting in[2];

	seed = 4;
	in[0] = any_sighting();
	in[1] = any_sighting();
	return sighting_encode(in, 2, buf);
}

static size_t make_flips(uint8_t *buf)
{
	static struct weir_flips in;

	seed = 5;
	any_flips(&in, 2);
	return flips_encode(&in, buf);
}

static void no_proper_prefix_and_no_longer_datagram_is_taken(void **state)
{
	uint8_t s[SIGHTING_DATAGRAM + 1] = {0}, f[FLIP_DATAGRAM + 1] = {0};
	size_t s_len = make_sightings(s), f_len = make_flips(f);

	(void)state;
	for (size_t len = 0; len <= s_len + 1; len++)
		assert_int_equal(decode_sightings(s, len), len == s_len ? 2 : -EINVAL);
	for (size_t len = 0; len <= f_len + 1; len++)
		assert_int_equal(decode_flips(f, len), len == f_len ? 0 : -EINVAL);
}

static void a_flipped_bit_never_yields_an_invalid_struct(void **state)
{
	uint8_t s[SIGHTING_DATAGRAM], f[FLIP_DATAGRAM];
	size_t s_len = make_sightings(s), f_len = make_flips(f);

	(void)state;
	for (size_t bit = 0; bit < s_len * 8; bit++) {
		s[bit / 8] ^= (uint8_t)(1u << bit % 8);
		decode_sightings(s, s_len);
		s[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t bit = 0; bit < f_len * 8; bit++) {
		f[bit / 8] ^= (uint8_t)(1u << bit % 8);
		decode_flips(f, f_len);
		f[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static const struct {
	const char *rule;
	size_t at;
	uint8_t octet;
} refused_sightings[] = {
	{"another magic", 0, 'X'},
	{"another version", 4, 2},
	{"a count that the size denies", 5, 1},
	{"a size that the datagram denies", 7, 9},
	{"an IMEI of 15 digits", 8, 1},
	{"an IMSI that does not begin with the 1 of core/digits.h", 16, 1},
	{"a software version of three digits", 28, 100},
	{"an interface that does not exist", 29, WEIR_N_INTERFACES},
	{"a tally that does not exist", 30, WEIR_N_TALLIES},
	{"something in the reserved octet", 31, 1},
	{"something behind the end of the peer", 71, 'x'},
};

static void what_no_encoder_writes_is_refused(void **state)
{
	struct weir_sighting in = {.imei = 1, .peer = "MSC-1"};

	(void)state;
	for (unsigned i = 0; i < sizeof(refused_sightings) / sizeof(refused_sightings[0]); i++) {
		uint8_t buf[SIGHTING_DATAGRAM];
		size_t len = sighting_encode((struct weir_sighting[]){in, in}, 2, buf);

		assert_int_equal(decode_sightings(buf, len), 2);
		buf[refused_sightings[i].at] = refused_sightings[i].octet;
		if (decode_sightings(buf, len) != -EINVAL)
			fail_msg("%s was taken", refused_sightings[i].rule);
	}
}

static void flips_from_the_future_to_the_past_are_refused(void **state)
{
	struct weir_flips in = {.after_serial = 5, .serial = 5};
	uint8_t buf[FLIP_DATAGRAM];

	(void)state;
	assert_int_equal(decode_flips(buf, flips_encode(&in, buf)), 0);
	in.serial = 4;
	assert_int_equal(decode_flips(buf, flips_encode(&in, buf)), -EINVAL);
}

static void one_kind_is_not_taken_for_the_other(void **state)
{
	uint8_t s[SIGHTING_DATAGRAM], f[FLIP_DATAGRAM];
	size_t s_len = make_sightings(s), f_len = make_flips(f);

	(void)state;
	assert_int_equal(decode_flips(s, s_len), -EINVAL);
	assert_int_equal(decode_sightings(f, f_len), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_batch_of_sightings_comes_back),
		cmocka_unit_test(every_batch_of_flips_comes_back),
		cmocka_unit_test(a_peer_without_an_end_is_cut),
		cmocka_unit_test(no_proper_prefix_and_no_longer_datagram_is_taken),
		cmocka_unit_test(a_flipped_bit_never_yields_an_invalid_struct),
		cmocka_unit_test(what_no_encoder_writes_is_refused),
		cmocka_unit_test(flips_from_the_future_to_the_past_are_refused),
		cmocka_unit_test(one_kind_is_not_taken_for_the_other),
	};

	return cmocka_run_group_tests_name("sighting", tests, NULL, NULL);
}
