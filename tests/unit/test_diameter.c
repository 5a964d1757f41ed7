/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/diameter and wire/diameter_base: golden vectors both ways, cut and flipped messages, framing, every fault that
 * the walk can find, and the writer at the end of its room. */

#include "wire/diameter_base.h"

#include "diameter_hand.h"
#include "rows.h"
#include "vectors.h"
#include "wire/s13.h"

#include <errno.h>
#include <stdlib.h>

static char names[VECTORS_MAX][VECTOR_NAME];

static void decode_equals_text(void **state)
{
	unsigned n = vector_names("diameter", names);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct vector v;
		const char *printed;

		vector_init(&v, "diameter", names[i]);
		printed = hand_print(v.bytes, v.len);
		if (strcmp(printed, vector_decoded(&v)) != 0)
			fail_msg("%s decodes as\n%snot\n%s", v.name, printed, vector_decoded(&v));
		vector_fini(&v);
	}
}

/* --- encoding ------------------------------------------------------------------------------------------------- */

static const struct diameter_us eir = {"eir.weir.example", "weir.example", 1700000000};
static const struct diameter_us mme = {"mme1.epc.mnc001.mcc001.3gppnetwork.org", "epc.mnc001.mcc001.3gppnetwork.org",
				       1700000000};
static const struct diameter_address homes[] = {
	{1, {127, 0, 0, 1}},
	{1, {192, 0, 2, 1}},
	{2, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	{1, {192, 0, 2, 2}},
};

#define HOP UINT32_C(0x11223344)
#define END UINT32_C(0x05566778)

static struct diameter_capabilities capabilities(const struct diameter_us *us, unsigned first, unsigned n)
{
	return (struct diameter_capabilities){
		.us = *us,
		.application = {DIAMETER_3GPP, S13_APPLICATION},
		.product = "Weir",
		.firmware = 3,
		.address = homes + first,
		.n_addresses = n,
	};
}

static int encode_request(const char *name, uint8_t *buf, size_t size)
{
	struct diameter_capabilities one = capabilities(&mme, 0, 1), three = capabilities(&mme, 1, 3);

	if (!strcmp(name, "cer"))
		return diameter_cer(&one, HOP, END, buf, size);
	if (!strcmp(name, "cer_multihomed"))
		return diameter_cer(&three, HOP, END, buf, size);
	if (!strcmp(name, "dwr"))
		return diameter_dwr(&eir, HOP, END, buf, size);
	assert_string_equal(name, "dpr");
	return diameter_dpr(&eir, DIAMETER_REBOOTING, HOP, END, buf, size);
}

/* The answer that an answer's vector is, to the request that its text names. */
static int encode_answer(const char *name, const struct vector *request, uint8_t *buf, size_t size)
{
	struct diameter_capabilities us = capabilities(&eir, 0, 1);
	struct diameter_fault fault;
	struct diameter_message m;
	struct diameter_cer cer;
	struct diameter_dpr dpr;
	const char *number = strpbrk(name, "0123456789");

	assert_int_equal(diameter_next(request->bytes, request->len, &m), DIAMETER_WHOLE);
	fault = (struct diameter_fault){.result = number ? (enum diameter_result)atoi(number) : DIAMETER_SUCCESS};
	if (m.command == DIAMETER_CAPABILITIES_EXCHANGE) {
		if (diameter_read_cer(&m, &cer) != DIAMETER_OK)
			fault = cer.view.fault;
		return diameter_cea(&m, &us, &fault, buf, size);
	}
	if (m.command == DIAMETER_DEVICE_WATCHDOG)
		return diameter_dwa(&m, &eir, &fault, buf, size);
	if (m.command == DIAMETER_DISCONNECT_PEER) {
		if (diameter_read_dpr(&m, &dpr) != DIAMETER_OK)
			fault = dpr.view.fault;
		return diameter_dpa(&m, &eir, &fault, buf, size);
	}
	return diameter_error(&m, &eir, &fault, buf, size);
}

/* Octets, or 0 where the text says that nobody writes it. */
static int encode_vector(const struct vector *v, uint8_t *buf, size_t size)
{
	char how[128];
	struct vector request;
	int len;

	vector_field(v, "encode", how, sizeof(how));
	if (!strncmp(how, "no: ", 4))
		return 0;
	if (!strcmp(how, "yes"))
		return encode_request(v->name, buf, size);
	assert_memory_equal(how, "answers ", 8);
	vector_init(&request, "diameter", how + 8);
	len = encode_answer(v->name, &request, buf, size);
	vector_fini(&request);
	return len;
}

static void encode_equals_bytes(void **state)
{
	unsigned n = vector_names("diameter", names), written = 0;
	uint8_t buf[4096];

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct vector v;
		int len;

		vector_init(&v, "diameter", names[i]);
		len = encode_vector(&v, buf, sizeof(buf));
		if (len && ((size_t)len != v.len || memcmp(buf, v.bytes, v.len) != 0))
			fail_msg("%s: encoded %d octets, not its %zu:\n%s", v.name, len, v.len,
				 len > 0 ? hand_print(buf, (size_t)len) : "");
		written += len > 0;
		vector_fini(&v);
	}
	assert_in_range(written, 12, n);
}

static void no_room_is_told(void **state)
{
	unsigned n = vector_names("diameter", names);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct vector v;

		vector_init(&v, "diameter", names[i]);
		for (size_t size = 0; size < v.len; size++) {
			uint8_t *exact = malloc(size + 1);
			int len = encode_vector(&v, exact, size);
			free(exact);
			if (!len)
				break;
			assert_int_equal(len, -ENOSPC);
		}
		vector_fini(&v);
	}
}

/* --- cut and flipped ------------------------------------------------------------------------------------------ */

/* Whatever it is, reading it is clean, and the answer to it fits where we say that it fits. */
static void read_and_answer(const struct diameter_message *m)
{
	struct diameter_capabilities us = capabilities(&eir, 0, 4);
	size_t room = diameter_answer_room(m) + DIAMETER_BASE_ROOM;
	struct diameter_fault fault = {.result = DIAMETER_COMMAND_UNSUPPORTED};
	uint8_t *buf = malloc(room);
	struct diameter_message answer;
	struct diameter_cer cer;
	struct diameter_dwr dwr;
	struct diameter_dpr dpr;
	int len;

	diameter_read_dwr(m, &dwr);
	diameter_read_dpr(m, &dpr);
	if (diameter_read_cer(m, &cer) != DIAMETER_OK)
		fault = cer.view.fault;
	len = diameter_error(m, &eir, &fault, buf, diameter_answer_room(m));
	assert_true(len > 0);
	assert_int_equal(diameter_next(buf, (size_t)len, &answer), DIAMETER_WHOLE);
	len = diameter_cea(m, &us, &fault, buf, room);
	assert_true(len > 0);
	assert_int_equal(diameter_next(buf, (size_t)len, &answer), DIAMETER_WHOLE);
	free(buf);
}

static void try_whole(const uint8_t *octets, size_t len, void *data)
{
	struct diameter_message m;
	unsigned *read = data;

	if (diameter_next(octets, len, &m) != DIAMETER_WHOLE)
		return;
	(*read)++;
	read_and_answer(&m);
}

/* A prefix that claims to be the whole message. */
static void try_prefix(const uint8_t *octets, size_t len, void *data)
{
	uint8_t *copy = malloc(len + 1);
	struct diameter_message m;

	memcpy(copy, octets, len);
	assert_int_equal(diameter_next(copy, len, &m), DIAMETER_MORE);
	if (len >= 20) {
		copy[2] = (uint8_t)(len >> 8);
		copy[3] = (uint8_t)len;
		assert_int_equal(diameter_next(copy, len, &m), len % 4 ? DIAMETER_BAD_LENGTH : DIAMETER_WHOLE);
		try_whole(copy, len, data);
	}
	free(copy);
}

static void every_vector(vector_fn *fn, void (*each)(const struct vector *, vector_fn *, void *))
{
	unsigned n = vector_names("diameter", names), read = 0;

	for (unsigned i = 0; i < n; i++) {
		struct vector v;

		vector_init(&v, "diameter", names[i]);
		each(&v, fn, &read);
		vector_fini(&v);
	}
	assert_in_range(read, 1, 1u << 30);
}

static void every_prefix_is_clean(void **state)
{
	(void)state;
	every_vector(try_prefix, vector_each_prefix);
}

static void every_flip_is_clean(void **state)
{
	(void)state;
	every_vector(try_whole, vector_each_bitflip);
}

/* --- framing -------------------------------------------------------------------------------------------------- */

static const struct framing_row {
	const char *name;
	uint32_t said;
	size_t there;
	enum diameter_framing framing;
} framing_rows[] = {
	{"framing: a header alone is a message", 20, 20, DIAMETER_WHOLE},
	{"framing: what follows is not looked at", 20, 44, DIAMETER_WHOLE},
	{"framing: nineteen octets are no header, whatever they say", 4, 19, DIAMETER_MORE},
	{"framing: one octet is awaited", 24, 23, DIAMETER_MORE},
	{"framing: length 0", 0, 20, DIAMETER_BAD_LENGTH},
	{"framing: length 16", 16, 20, DIAMETER_BAD_LENGTH},
	{"framing: length 19", 19, 20, DIAMETER_BAD_LENGTH},
	{"framing: no multiple of four", 22, 40, DIAMETER_BAD_LENGTH},
	{"framing: the greatest we take", DIAMETER_MAX, DIAMETER_MAX, DIAMETER_WHOLE},
	{"framing: four more", DIAMETER_MAX + 4, 20, DIAMETER_BAD_LENGTH},
	{"framing: sixteen million", 0xfffffc, 20, DIAMETER_BAD_LENGTH},
};

static void frames(void **state)
{
	const struct framing_row *row = *state;
	struct hand *h = hand(0xc0, 324, S13_APPLICATION);
	struct diameter_message m = {.len = 77};
	uint8_t *exact = malloc(row->there);

	hand_set_length(h, row->said);
	memcpy(exact, h->octets, row->there);
	assert_int_equal(diameter_next(exact, row->there, &m), row->framing);
	assert_int_equal(m.len, row->framing == DIAMETER_MORE    ? 77
				: row->framing == DIAMETER_WHOLE ? row->said
								 : DIAMETER_HEADER);
	free(exact);
}

static void reserved_bits_are_ignored(void **state)
{
	struct hand *h = hand(0xff, 280, 0);
	struct diameter_message m;
	struct diameter_dwr dwr;

	(void)state;
	hand_put(h, 264, HAND_M | 0x3f, 0, "a.b", 3);
	hand_text(h, 296, "b");
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	assert_int_equal(m.flags, 0xf0);
	assert_int_equal(diameter_read_dwr(&m, &dwr), DIAMETER_OK);
}

static void length_is_what_the_header_says(void **state)
{
	struct hand *h = hand(0x80, 280, 0);

	(void)state;
	hand_text(h, 264, "a.b");
	assert_int_equal(diameter_length(h->octets, h->len + 100), h->len);
	assert_int_equal(diameter_length(h->octets, 10), 10);
	assert_int_equal(diameter_length(h->octets, 3), 3);
	hand_set_length(h, 0);
	assert_int_equal(diameter_length(h->octets, h->len), h->len);
}

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
	exact = malloc(h->len);
	memcpy(exact, h->octets, h->len);
	assert_int_equal(diameter_next(exact, h->len, &m), DIAMETER_WHOLE);
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
	struct diameter_capabilities us = capabilities(&eir, 0, 1);
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
	exact = malloc(h->len);
	memcpy(exact, h->octets, h->len);
	assert_int_equal(diameter_next(exact, h->len, &m), DIAMETER_WHOLE);
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

/* --- definitions ---------------------------------------------------------------------------------------------- */

static void every_definition_is_whole(void **state)
{
	(void)state;
	for (unsigned i = AVP_NONE + 1; i < N_AVPS; i++) {
		const struct diameter_definition *d = diameter_definition((enum diameter_avp)i);
		assert_int_not_equal(d->code, 0);
		assert_true(d->name && *d->name != '?');
		for (unsigned k = AVP_NONE + 1; k < i; k++) {
			const struct diameter_definition *other = diameter_definition((enum diameter_avp)k);
			assert_false(d->code == other->code && d->vendor == other->vendor);
		}
	}
	assert_string_equal(diameter_definition(N_AVPS)->name, "?");
	assert_string_equal(diameter_result_name(DIAMETER_MISSING_AVP), "missing-avp");
	assert_string_equal(diameter_result_name(DIAMETER_OK), "?");
}

int main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(decode_equals_text),
		cmocka_unit_test(encode_equals_bytes),
		cmocka_unit_test(no_room_is_told),
		cmocka_unit_test(every_prefix_is_clean),
		cmocka_unit_test(every_flip_is_clean),
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(length_is_what_the_header_says),
		cmocka_unit_test(the_last_of_a_group_may_lack_padding),
		cmocka_unit_test(a_member_that_is_cut),
		cmocka_unit_test(names_are_compared_without_case),
		cmocka_unit_test(a_final_dot_is_dropped),
		cmocka_unit_test(names_have_an_end),
		cmocka_unit_test(every_definition_is_whole),
	};
	struct CMUnitTest tests[N_ROWS(single) + N_ROWS(framing_rows) + N_ROWS(walk_rows) + N_ROWS(utf8_rows) +
				N_ROWS(address_rows)];
	size_t n = N_ROWS(single);

	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < N_ROWS(framing_rows); i++)
		tests[n++] = ROW_TEST(framing_rows[i].name, frames, &framing_rows[i]);
	for (size_t i = 0; i < N_ROWS(walk_rows); i++)
		tests[n++] = ROW_TEST(walk_rows[i].name, walks, &walk_rows[i]);
	for (size_t i = 0; i < N_ROWS(utf8_rows); i++)
		tests[n++] = ROW_TEST(utf8_rows[i].name, product_name, &utf8_rows[i]);
	for (size_t i = 0; i < N_ROWS(address_rows); i++)
		tests[n++] = ROW_TEST(address_rows[i].name, host_ip_address, &address_rows[i]);
	return cmocka_run_group_tests_name("diameter", tests, NULL, NULL);
}
