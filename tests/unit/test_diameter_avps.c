/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/diameter and wire/diameter_base: every fault that the walk over AVPs can find and what Failed-AVP says of it,
 * and the values that it checks. */

#include "wire/diameter_base.h"

#include "diameter_hand.h"
#include "rows.h"
#include "wire/s13.h"

#include <stdlib.h>

static const struct diameter_us eir = {"eir.weir.example", "weir.example", 1700000000};
static const struct diameter_address home = {1, {127, 0, 0, 1}};

/* --- the walk ------------------------------------------------------------------------------------------------- */

struct walk_row {
	const char *name;
	void (*make)(struct hand *h);
	enum diameter_result result;
	const char *failed; /* hex of what Failed-AVP holds; NULL: there is none */
};

static void begin(struct hand *h)
{
	hand_text(h, 264, "a.b");
	hand_text(h, 296, "b");
}

static void good(struct hand *h)
{
	begin(h);
}

static void only_a_code(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\1\x16", 4);
}

static void length_seven(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\1\x16\x40\0\0\7", 8);
}

static void length_past_the_end(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\1\x16\x40\0\0\x10\1\2\3\4", 12);
}

static void length_huge(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\1\x16\x40\xff\xff\xff\1\2\3\4", 12);
}

static void vendor_cut(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\5\x7a\xc0\0\0\x0b\0\0\x28\xaf", 12);
}

static void vendor_not_there(struct hand *h)
{
	begin(h);
	hand_octets(h, "\0\0\5\x7a\xc0\0\0\x08", 8);
}

static void number_of_five(struct hand *h)
{
	begin(h);
	hand_put(h, 278, HAND_M, 0, "\1\2\3\4\5", 5);
}

static void number_of_none(struct hand *h)
{
	begin(h);
	hand_put(h, 278, HAND_M, 0, "", 0);
}

static void vendor_nought(struct hand *h)
{
	begin(h);
	hand_put(h, 999, HAND_V, 0, "x", 1);
}

static void known_without_must(struct hand *h)
{
	hand_text(h, 264, "a.b");
	hand_put(h, 296, 0, 0, "b", 1);
}

static void unknown_may(struct hand *h)
{
	begin(h);
	hand_put(h, 999, 0, 0, "x", 1);
	hand_put(h, 264, HAND_V, 77, "another vendor's 264", 20);
}

static void unknown_must(struct hand *h)
{
	begin(h);
	hand_put(h, 999, HAND_M, 0, "x", 1);
}

static void vendors_264_must(struct hand *h)
{
	begin(h);
	hand_put(h, 264, HAND_V | HAND_M, 77, "a.b", 3);
}

static void twice(struct hand *h)
{
	begin(h);
	hand_text(h, 264, "c.d");
	hand_text(h, 264, "e.f");
}

static void sixty_four_hosts(struct hand *h)
{
	begin(h);
	for (unsigned i = 1; i < 64; i++)
		hand_text(h, 264, "x.y");
}

static void empty_name(struct hand *h)
{
	hand_text(h, 264, "");
	hand_text(h, 296, "b");
}

static void name_with_blank(struct hand *h)
{
	hand_text(h, 264, "a b");
	hand_text(h, 296, "b");
}

static void name_with_nul(struct hand *h)
{
	hand_put(h, 264, HAND_M, 0, "a\0b", 3);
	hand_text(h, 296, "b");
}

static void nothing(struct hand *h)
{
	(void)h;
}

static void no_realm(struct hand *h)
{
	hand_text(h, 264, "a.b");
}

static void the_first_fault_counts(struct hand *h)
{
	hand_text(h, 264, "a.b");
	hand_put(h, 999, HAND_M, 0, "x", 1);
	hand_octets(h, "\0\0\1\x16\x40\xff\xff\xff\1\2\3\4", 12);
}

static const struct walk_row walk_rows[] = {
	{"walk: what is wanted is enough", good, DIAMETER_OK, NULL},
	{"walk: an AVP's header is cut behind its code", only_a_code, DIAMETER_INVALID_AVP_LENGTH,
	 "000001160000000c00000000"},
	{"walk: an AVP is shorter than its header", length_seven, DIAMETER_INVALID_AVP_LENGTH,
	 "000001164000000c00000000"},
	{"walk: an AVP ends behind the message", length_past_the_end, DIAMETER_INVALID_AVP_LENGTH,
	 "000001164000000c00000000"},
	{"walk: an AVP of sixteen million octets", length_huge, DIAMETER_INVALID_AVP_LENGTH,
	 "000001164000000c00000000"},
	{"walk: a vendor's AVP is shorter than its header", vendor_cut, DIAMETER_INVALID_AVP_LENGTH,
	 "0000057ac000001a000028af00000000000000000000000000000000"},
	{"walk: a vendor's AVP without vendor", vendor_not_there, DIAMETER_INVALID_AVP_LENGTH,
	 "0000057ac000000c00000000"},
	{"walk: a number of five octets", number_of_five, DIAMETER_INVALID_AVP_LENGTH, "000001164000000c00000000"},
	{"walk: a number of no octet", number_of_none, DIAMETER_INVALID_AVP_LENGTH, "000001164000000c00000000"},
	{"walk: vendor 0", vendor_nought, DIAMETER_INVALID_AVP_BITS, "000003e78000000d0000000078000000"},
	{"walk: a known AVP without M", known_without_must, DIAMETER_INVALID_AVP_BITS, "000001280000000962000000"},
	{"walk: an unknown AVP without M is skipped", unknown_may, DIAMETER_OK, NULL},
	{"walk: an unknown AVP with M", unknown_must, DIAMETER_AVP_UNSUPPORTED, "000003e74000000978000000"},
	{"walk: another vendor's AVP with M", vendors_264_must, DIAMETER_AVP_UNSUPPORTED,
	 "00000108c000000f0000004d612e6200"},
	{"walk: the first AVP too many", twice, DIAMETER_AVP_OCCURS_TOO_MANY_TIMES, "000001084000000b632e6400"},
	{"walk: 64 of them", sixty_four_hosts, DIAMETER_AVP_OCCURS_TOO_MANY_TIMES, "000001084000000b782e7900"},
	{"walk: a name of no letter", empty_name, DIAMETER_INVALID_AVP_VALUE, "0000010840000008"},
	{"walk: a name with a blank", name_with_blank, DIAMETER_INVALID_AVP_VALUE, "000001084000000b61206200"},
	{"walk: a name with a NUL", name_with_nul, DIAMETER_INVALID_AVP_VALUE, "000001084000000b61006200"},
	{"walk: nothing at all", nothing, DIAMETER_MISSING_AVP, "000001084000000900000000"},
	{"walk: no realm", no_realm, DIAMETER_MISSING_AVP, "000001284000000900000000"},
	{"walk: the first fault counts", the_first_fault_counts, DIAMETER_AVP_UNSUPPORTED, "000003e74000000978000000"},
};

static void assert_hex(const uint8_t *octets, size_t len, const char *hex)
{
	char text[4096] = "";

	for (size_t i = 0; i < len && 2 * i + 3 < sizeof(text); i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	assert_string_equal(text, hex);
}

/* The message in memory of exactly its length, to be freed. */
static uint8_t *frame_exactly(const struct hand *h, struct diameter_message *m)
{
	uint8_t *exact = malloc(h->len);

	memcpy(exact, h->octets, h->len);
	assert_int_equal(diameter_next(exact, h->len, m), DIAMETER_WHOLE);
	return exact;
}

/* As a DWR: the least grammar there is. */
static void walks(void **state)
{
	const struct walk_row *row = *state;
	struct hand *h = hand(0x80, 280, 0);
	struct diameter_message m;
	struct diameter_dwr dwr;
	const uint8_t *avp;
	uint8_t *exact, buf[4096];
	size_t n;
	int len;

	row->make(h);
	exact = frame_exactly(h, &m);
	assert_int_equal(diameter_read_dwr(&m, &dwr), row->result);
	assert_int_equal(dwr.view.fault.result, row->result);
	if (row->result != DIAMETER_OK) {
		len = diameter_dwa(&m, &eir, &dwr.view.fault, buf, sizeof(buf));
		assert_true(len > 0);
		avp = hand_find(buf, (size_t)len, 279, 0, 0);
		assert_non_null(avp);
		avp = hand_value(avp, &n);
		assert_hex(avp, n, row->failed);
		assert_int_equal(hand_number(buf, (size_t)len, 268, 0), row->result);
		assert_int_equal(buf[4], row->result < 4000 ? DIAMETER_ERROR : 0);
	}
	free(exact);
}

static void the_last_of_a_group_may_lack_padding(void **state)
{
	struct hand *h = hand(0x80, 257, 0);
	const struct diameter_application s13 = {DIAMETER_3GPP, S13_APPLICATION};
	struct diameter_message m;
	struct diameter_cer cer;

	(void)state;
	begin(h);
	hand_put(h, 257, HAND_M, 0, "\0\1\x7f\0\0\1", 6);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, "x", 1);
	/* Vendor-Id, Auth-Application-Id, then nine octets of an unknown AVP without its padding */
	hand_put(h, 260, HAND_M, 0,
		 "\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf"
		 "\0\0\1\2\x40\0\0\x0c\1\0\0\x24"
		 "\0\1\0\0\0\0\0\x09x",
		 33);
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	assert_int_equal(diameter_read_cer(&m, &cer), DIAMETER_OK);
	assert_true(diameter_cer_offers(&cer, &s13));
}

/* A group that is cut inside: the header of the member ends where the group does. */
static void a_member_that_is_cut(void **state)
{
	struct hand *h = hand(0x80, 257, 0);
	const struct diameter_capabilities us = {
		.us = eir,
		.application = {DIAMETER_3GPP, S13_APPLICATION},
		.product = "Weir",
		.address = &home,
		.n_addresses = 1,
	};
	struct diameter_message m;
	struct diameter_cer cer;
	const uint8_t *avp;
	uint8_t buf[2048];
	size_t n;
	int len;

	(void)state;
	begin(h);
	hand_put(h, 260, HAND_M, 0, "\0\0\1\x0a\xc0\0", 6);
	hand_octets(h, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	assert_int_equal(diameter_read_cer(&m, &cer), DIAMETER_INVALID_AVP_LENGTH);
	len = diameter_cea(&m, &us, &cer.view.fault, buf, sizeof(buf));
	assert_true(len > 0);
	avp = hand_value(hand_find(buf, (size_t)len, 279, 0, 0), &n);
	assert_hex(avp, n, "00000104400000180000010ac00000100000000000000000");
}

/* --- values --------------------------------------------------------------------------------------------------- */

static const struct utf8_row {
	const char *name, *text;
	bool valid;
} utf8_rows[] = {
	{"utf-8: nothing", "", true},
	{"utf-8: letters, more than eight of them", "abcdefghijklmnopqrs", true},
	{"utf-8: two octets", "abcdefg\xc3\xa4", true},
	{"utf-8: three octets", "\xe2\x82\xac and more letters", true},
	{"utf-8: four octets", "\xf0\x9f\x98\x80", true},
	{"utf-8: the last one there is", "\xf4\x8f\xbf\xbf", true},
	{"utf-8: a tail alone", "abc\x80", false},
	{"utf-8: cut after the first", "abc\xc3", false},
	{"utf-8: cut after the second", "abc\xe2\x82", false},
	{"utf-8: cut after the third", "\xf0\x9f\x98", false},
	{"utf-8: another letter in the tail", "\xe2\x28\xa1", false},
	{"utf-8: another letter at the end", "\xf0\x9f\x98(", false},
	{"utf-8: over-long slash", "\xc0\xaf", false},
	{"utf-8: over-long in three", "\xe0\x9f\xbf", false},
	{"utf-8: over-long in four", "\xf0\x8f\xbf\xbf", false},
	{"utf-8: a surrogate", "\xed\xa0\x80", false},
	{"utf-8: beyond the last", "\xf4\x90\x80\x80", false},
	{"utf-8: no first octet at all", "\xff", false},
	{"utf-8: behind eight letters", "abcdefgh\xff", false},
};

static void product_name(void **state)
{
	const struct utf8_row *row = *state;
	struct hand *h = hand(0x80, 257, 0);
	struct diameter_message m;
	struct diameter_cer cer;
	uint8_t *exact;

	begin(h);
	hand_put(h, 257, HAND_M, 0, "\0\1\x7f\0\0\1", 6);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, row->text, strlen(row->text));
	exact = frame_exactly(h, &m);
	assert_int_equal(diameter_read_cer(&m, &cer), row->valid ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE);
	free(exact);
}

static const struct address_row {
	const char *name, *value;
	size_t len;
	enum diameter_result result;
} address_rows[] = {
	{"address: IPv4", "\0\1\x7f\0\0\1", 6, DIAMETER_OK},
	{"address: IPv6", "\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 18, DIAMETER_OK},
	{"address: empty", "", 0, DIAMETER_INVALID_AVP_LENGTH},
	{"address: half a family", "\0", 1, DIAMETER_INVALID_AVP_LENGTH},
	{"address: a family alone", "\0\1", 2, DIAMETER_INVALID_AVP_LENGTH},
	{"address: IPv4 of five octets", "\0\1\x7f\0\0\1\1", 7, DIAMETER_INVALID_AVP_LENGTH},
	{"address: IPv6 of four octets", "\0\2\x7f\0\0\1", 6, DIAMETER_INVALID_AVP_LENGTH},
	{"address: family 0", "\0\0\x7f\0\0\1", 6, DIAMETER_INVALID_AVP_VALUE},
	{"address: a telephone number",
	 "\0\x08"
	 "49",
	 4, DIAMETER_INVALID_AVP_VALUE},
	{"address: no family, and alone", "\xff\xff", 2, DIAMETER_INVALID_AVP_VALUE},
};

static void host_ip_address(void **state)
{
	const struct address_row *row = *state;
	struct hand *h = hand(0x80, 257, 0);
	struct diameter_message m;
	struct diameter_cer cer;

	begin(h);
	hand_put(h, 257, HAND_M, 0, "\0\1\x7f\0\0\1", 6);
	hand_put(h, 257, HAND_M, 0, row->value, row->len);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, "x", 1);
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	assert_int_equal(diameter_read_cer(&m, &cer), row->result);
}

static void names_are_compared_without_case(void **state)
{
	struct hand *h = hand(0x80, 280, 0);
	char name[DIAMETER_IDENTITY_TEXT];
	struct diameter_message m;
	struct diameter_dwr dwr;

	(void)state;
	hand_text(h, 264, "Mme1.Example");
	hand_text(h, 296, "example");
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	assert_int_equal(diameter_read_dwr(&m, &dwr), DIAMETER_OK);
	assert_true(diameter_field_is(&dwr.view, &dwr.origin_host, "mME1.eXAMPLE"));
	assert_false(diameter_field_is(&dwr.view, &dwr.origin_host, "mme1.exampl"));
	assert_false(diameter_field_is(&dwr.view, &dwr.origin_host, "mme1.example2"));
	diameter_identity(&dwr.view, &dwr.origin_host, name);
	assert_string_equal(name, "mme1.example");
	diameter_identity(&dwr.view, &dwr.origin_state_id, name); /* not there */
	assert_string_equal(name, "");
	assert_true(diameter_identity_valid("eir_1.weir-x.example"));
	assert_false(diameter_identity_valid("eir 1"));
	assert_false(diameter_identity_valid(""));
}

/* "a." is "a" (RFC 1034 3.1); nothing between two dots is no label. */
static const struct dot_row {
	const char *name, *kept; /* NULL: no name at all */
} dot_rows[] = {
	{"a.", "a"},
	{"Mme1.Example.", "mme1.example"},
	{"mme1.example", "mme1.example"},
	{".", NULL},
	{"..", NULL},
	{"a..", NULL},
	{".a", NULL},
	{"mme1..example", NULL},
	{"mme1.example..", NULL},
};

static void a_final_dot_is_dropped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ROWS(dot_rows); i++) {
		const struct dot_row *row = &dot_rows[i];
		struct hand *h = hand(0x80, 280, 0);
		char name[DIAMETER_IDENTITY_TEXT];
		struct diameter_message m;
		struct diameter_dwr dwr;

		assert_int_equal(diameter_identity_valid(row->name), row->kept != NULL);
		hand_text(h, 264, row->name);
		hand_text(h, 296, "example");
		assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
		assert_int_equal(diameter_read_dwr(&m, &dwr), row->kept ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE);
		if (!row->kept)
			continue;
		diameter_identity(&dwr.view, &dwr.origin_host, name);
		assert_string_equal(name, row->kept);
		assert_true(diameter_field_is(&dwr.view, &dwr.origin_host, row->kept));
		assert_false(diameter_field_is(&dwr.view, &dwr.origin_host, "mme1.exampl"));
	}
}

/* A name of 255 octets is one, of 256 is none. */
static void names_have_an_end(void **state)
{
	char name[257];

	(void)state;
	memset(name, 'a', 256);
	name[256] = '\0';
	assert_false(diameter_identity_valid(name));
	name[255] = '\0';
	assert_true(diameter_identity_valid(name));
}

int main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(the_last_of_a_group_may_lack_padding),
		cmocka_unit_test(a_member_that_is_cut),
		cmocka_unit_test(names_are_compared_without_case),
		cmocka_unit_test(a_final_dot_is_dropped),
		cmocka_unit_test(names_have_an_end),
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(walk_rows) + N_ROWS(utf8_rows) + N_ROWS(address_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	ADD_ROWS(tests, n, walk_rows, walks);
	ADD_ROWS(tests, n, utf8_rows, product_name);
	ADD_ROWS(tests, n, address_rows, host_ip_address);
	return cmocka_run_group_tests_name("diameter avps", tests, NULL, NULL);
}
