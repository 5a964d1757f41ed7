/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

#include "diameter_vectors.h"

#include <stdlib.h>

#include "diameter_hand.h"
#include "lines.h"
#include "wire/s13.h"

static void line_text(const char *key, const struct diameter_view *view, const struct diameter_field *field)
{
	if (!field->at)
		line("%s: none", key);
	else
		line("%s: %.*s", key, (int)field->len, (const char *)diameter_value(view, field));
}

static void line_number(const char *key, const struct diameter_view *view, const struct diameter_field *field)
{
	if (!field->at)
		line("%s: none", key);
	else
		line("%s: %u", key, diameter_unsigned(view, field));
}

static void line_flags(uint8_t flags)
{
	char text[64] = "";

	snprintf(text, sizeof(text), "%s%s%s%s", flags & DIAMETER_REQUEST ? " request" : "",
		 flags & DIAMETER_PROXIABLE ? " proxiable" : "", flags & DIAMETER_ERROR ? " error" : "",
		 flags & DIAMETER_RESENT ? " resent" : "");
	line("flags: %s", *text ? text + 1 : "none");
}

static void line_fault(const struct diameter_view *view)
{
	const struct diameter_fault *f = &view->fault;
	char in[32] = "";

	if (f->result == DIAMETER_OK) {
		line("fault: ok");
		return;
	}
	if (f->group)
		snprintf(in, sizeof(in), " in AVP %u", hand_u32(view->message.octets + f->group));
	if (f->missing)
		line("fault: %u missing %s%s", f->result, diameter_definition(f->missing->avp)->name, in);
	else
		line("fault: %u AVP %u%s", f->result, hand_u32(view->message.octets + f->at), in);
}

static void print_cer(const struct diameter_message *m)
{
	const struct diameter_application s13 = {DIAMETER_3GPP, S13_APPLICATION};
	struct diameter_cer cer;

	diameter_read_cer(m, &cer);
	line_fault(&cer.view);
	line_text("origin-host", &cer.view, &cer.origin_host);
	line_text("origin-realm", &cer.view, &cer.origin_realm);
	line("addresses: %u", cer.host_ip_address.count);
	line_number("vendor", &cer.view, &cer.vendor_id);
	line_text("product", &cer.view, &cer.product_name);
	line_number("state", &cer.view, &cer.origin_state_id);
	line("offers-s13: %s", diameter_cer_offers(&cer, &s13) ? "yes" : "no");
	line("without-security: %s", diameter_cer_without_security(&cer) ? "yes" : "no");
}

static void print_dwr(const struct diameter_message *m)
{
	struct diameter_dwr dwr;

	diameter_read_dwr(m, &dwr);
	line_fault(&dwr.view);
	line_text("origin-host", &dwr.view, &dwr.origin_host);
	line_text("origin-realm", &dwr.view, &dwr.origin_realm);
	line_number("state", &dwr.view, &dwr.origin_state_id);
}

static void print_dpr(const struct diameter_message *m)
{
	struct diameter_dpr dpr;

	diameter_read_dpr(m, &dpr);
	line_fault(&dpr.view);
	line_text("origin-host", &dpr.view, &dpr.origin_host);
	line_text("origin-realm", &dpr.view, &dpr.origin_realm);
	/* what it said, or in doubt "rebooting" */
	line("cause: %u",
	     dpr.view.fault.result == DIAMETER_OK ? diameter_unsigned(&dpr.view, &dpr.disconnect_cause) : 0);
}

static void print_base_answer(const struct diameter_message *m)
{
	const uint8_t *avp;
	bool experimental;
	size_t n;

	line("result: %u", diameter_answer_result(m, &experimental));
	avp = hand_find(m->octets, m->len, 264, 0, 0);
	assert_non_null(avp);
	avp = hand_value(avp, &n);
	line("origin-host: %.*s", (int)n, (const char *)avp);
	avp = hand_find(m->octets, m->len, 279, 0, 0);
	n = 0;
	if (avp)
		avp = hand_value(avp, &n);
	line_hex("failed", avp, n);
}

static void print_ecr(const struct diameter_message *m)
{
	char imsi[WEIR_DIGITS_TEXT];
	struct s13_ecr ecr;

	s13_read_ecr(m, &ecr);
	line_fault(&ecr.view);
	line_text("session", &ecr.view, &ecr.session_id);
	line_text("origin-host", &ecr.view, &ecr.origin_host);
	line_text("origin-realm", &ecr.view, &ecr.origin_realm);
	line_text("destination-host", &ecr.view, &ecr.destination_host);
	line_text("destination-realm", &ecr.view, &ecr.destination_realm);
	line_imei(ecr.imei_fault, &ecr.reading);
	line("imsi: %s", ecr.imsi.packed ? imsi_print(imsi, ecr.imsi) : "none");
	if (ecr.priority == S13_PRIORITY_NONE)
		line("priority: none");
	else
		line("priority: %u", ecr.priority);
	line("proxies: %u", ecr.proxy_info.count);
	line("routes: %u", ecr.route_record.count);
}

static void print_eca(const struct diameter_message *m)
{
	static const char *const statuses[] = {"white", "black", "grey"};
	struct s13_eca eca;
	size_t n = 0;
	const uint8_t *failed;

	s13_read_eca(m, &eca);
	failed = diameter_value(&eca.view, &eca.failed_avp);
	n = eca.failed_avp.len;
	line_fault(&eca.view);
	line_text("session", &eca.view, &eca.session_id);
	line_number("result", &eca.view, &eca.result_code);
	line_number("experimental", &eca.view, &eca.experimental_code);
	line_number("state", &eca.view, &eca.auth_session_state);
	line_text("origin-host", &eca.view, &eca.origin_host);
	line_text("origin-realm", &eca.view, &eca.origin_realm);
	line("status: %s",
	     eca.equipment_status.at ? statuses[diameter_unsigned(&eca.view, &eca.equipment_status)] : "none");
	line_hex("failed", eca.failed_avp.at ? failed : NULL, n);
	line("proxies: %u", eca.proxy_info.count);
}

static const struct {
	uint32_t application, command;
	const char *request, *answer;
	void (*print_request)(const struct diameter_message *m);
	void (*print_answer)(const struct diameter_message *m);
} commands[] = {
	{0, 257, "cer", "cea", print_cer, print_base_answer},
	{0, 280, "dwr", "dwa", print_dwr, print_base_answer},
	{0, 282, "dpr", "dpa", print_dpr, print_base_answer},
	{S13_APPLICATION, 324, "ecr", "eca", print_ecr, print_eca},
};

const char *diameter_print(const uint8_t *octets, size_t len)
{
	struct diameter_message m;

	lines_begin();
	assert_int_equal(diameter_next(octets, len, &m), DIAMETER_WHOLE);
	assert_int_equal(m.len, len);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		bool request = m.flags & DIAMETER_REQUEST;
		if (commands[i].application != m.application || commands[i].command != m.command)
			continue;
		line("command: %s", request ? commands[i].request : commands[i].answer);
		line_flags(m.flags);
		(request ? commands[i].print_request : commands[i].print_answer)(&m);
		return lines();
	}
	line("command: unknown");
	line_flags(m.flags);
	if (!(m.flags & DIAMETER_REQUEST))
		print_base_answer(&m);
	return lines();
}

/* --- cut and flipped */

struct reading {
	diameter_use_fn *fn;
	unsigned read;
};

static void read_whole(const uint8_t *octets, size_t len, void *data)
{
	struct reading *reading = data;
	struct diameter_message m;

	if (diameter_next(octets, len, &m) != DIAMETER_WHOLE)
		return;
	reading->read++;
	reading->fn(&m);
}

/* It is awaited; and then it claims to be the whole message. */
static void read_prefix(const uint8_t *octets, size_t len, void *data)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct diameter_message m;

	memcpy(copy, octets, len);
	assert_int_equal(diameter_next(copy, len, &m), DIAMETER_MORE);
	if (len >= 20) {
		copy[2] = (uint8_t)(len >> 8);
		copy[3] = (uint8_t)len;
		assert_int_equal(diameter_next(copy, len, &m), len % 4 ? DIAMETER_BAD_LENGTH : DIAMETER_WHOLE);
		read_whole(copy, len, data);
	}
	free(copy);
}

/* --- the tests of a room */

static void decode_equals_text(void **state)
{
	const struct diameter_room *room = *state;

	vectors_decode(room->name, diameter_print);
}

static void encode_equals_bytes(void **state)
{
	const struct diameter_room *room = *state;

	assert_in_range(vectors_encode(room->name, room->encode, diameter_print), room->n_written, 1000);
}

static void no_room_is_told(void **state)
{
	const struct diameter_room *room = *state;

	vectors_need_room(room->name, room->encode);
}

static void every_prefix_is_clean(void **state)
{
	const struct diameter_room *room = *state;
	struct reading reading = {.fn = room->use};

	vectors_prefixes(room->name, read_prefix, &reading);
	assert_int_not_equal(reading.read, 0);
}

static void every_flip_is_clean(void **state)
{
	const struct diameter_room *room = *state;
	struct reading reading = {.fn = room->use};

	vectors_bitflips(room->name, read_whole, &reading);
	assert_int_not_equal(reading.read, 0);
}

size_t diameter_room_tests(const struct diameter_room *room, struct CMUnitTest tests[static DIAMETER_ROOM_TESTS])
{
	size_t n = 0;

	tests[n++] = ROW_TEST("decode equals text", decode_equals_text, room);
	tests[n++] = ROW_TEST("encode equals bytes", encode_equals_bytes, room);
	tests[n++] = ROW_TEST("no room is told", no_room_is_told, room);
	tests[n++] = ROW_TEST("every prefix is clean", every_prefix_is_clean, room);
	tests[n++] = ROW_TEST("every flip is clean", every_flip_is_clean, room);
	return n;
}
