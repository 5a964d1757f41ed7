/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/diameter and wire/diameter_base: golden vectors both ways, cut and flipped messages, framing, and the writer at
 * the end of its room.  What the walk over AVPs finds is in test_diameter_avps.c. */

#include "wire/diameter_base.h"

#include "diameter_hand.h"
#include "diameter_vectors.h"
#include "rows.h"
#include "vectors.h"
#include "wire/s13.h"

#include <stdlib.h>

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

static const struct diameter_room room = {"diameter", encode_vector, 12, read_and_answer};

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
		cmocka_unit_test(reserved_bits_are_ignored),
		cmocka_unit_test(length_is_what_the_header_says),
		cmocka_unit_test(every_definition_is_whole),
	};
	struct CMUnitTest tests[DIAMETER_ROOM_TESTS + N_ROWS(single) + N_ROWS(framing_rows)];
	size_t n = diameter_room_tests(&room, tests);

	memcpy(tests + n, single, sizeof(single));
	n += N_ROWS(single);
	ADD_ROWS(tests, n, framing_rows, frames);
	return cmocka_run_group_tests_name("diameter", tests, NULL, NULL);
}
