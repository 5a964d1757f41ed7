/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

#include "diameter_hand.h"

#include <stdlib.h>

#include "lines.h"
#include "rows.h"
#include "wire/diameter_base.h"
#include "wire/s13.h"

/* --- by hand -------------------------------------------------------------------------------------------------- */

static void set_u24(uint8_t *p, size_t value)
{
	p[0] = (uint8_t)(value >> 16);
	p[1] = (uint8_t)(value >> 8);
	p[2] = (uint8_t)value;
}

static void set_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	set_u24(p + 1, value & 0xffffff);
}

uint32_t hand_u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

uint32_t hand_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | hand_u24(p + 1);
}

void hand_set_length(struct hand *h, uint32_t len)
{
	set_u24(h->octets + 1, len);
}

void hand_set_ids(struct hand *h, uint32_t hop_by_hop, uint32_t end_to_end)
{
	set_u32(h->octets + 12, hop_by_hop);
	set_u32(h->octets + 16, end_to_end);
}

struct hand *hand(uint8_t flags, uint32_t command, uint32_t application)
{
	static struct hand ring[32];
	static unsigned at;
	struct hand *h = &ring[at++ % 32];

	memset(h, 0, sizeof(*h));
	h->len = 20;
	h->octets[0] = 1;
	h->octets[4] = flags;
	set_u24(h->octets + 5, command);
	set_u32(h->octets + 8, application);
	hand_set_ids(h, 0x11223344, 0x05566778);
	hand_set_length(h, 20);
	return h;
}

void hand_octets(struct hand *h, const void *octets, size_t len)
{
	assert_true(h->len + len <= HAND_MAX);
	memcpy(h->octets + h->len, octets, len);
	h->len += len;
	hand_set_length(h, (uint32_t)h->len);
}

static size_t put_header(struct hand *h, uint32_t code, uint8_t flags, uint32_t vendor, size_t len)
{
	uint8_t header[12];
	size_t n = flags & HAND_V ? 12 : 8, at = h->len;

	set_u32(header, code);
	header[4] = flags;
	set_u24(header + 5, n + len);
	set_u32(header + 8, vendor);
	hand_octets(h, header, n);
	return at;
}

void hand_put(struct hand *h, uint32_t code, uint8_t flags, uint32_t vendor, const void *value, size_t len)
{
	put_header(h, code, flags, vendor, len);
	hand_octets(h, value, len);
	hand_octets(h, "\0\0\0", -len & 3);
}

void hand_text(struct hand *h, uint32_t code, const char *text)
{
	hand_put(h, code, HAND_M, 0, text, strlen(text));
}

void hand_text_3gpp(struct hand *h, uint32_t code, const char *text)
{
	hand_put(h, code, HAND_V | HAND_M, G3, text, strlen(text));
}

void hand_unsigned(struct hand *h, uint32_t code, uint32_t value)
{
	uint8_t octets[4];

	set_u32(octets, value);
	hand_put(h, code, HAND_M, 0, octets, 4);
}

void hand_open(struct hand *h, uint32_t code, uint8_t flags, uint32_t vendor)
{
	assert_in_range(h->depth, 0, 3);
	h->open[h->depth++] = put_header(h, code, flags, vendor, 0);
}

void hand_close(struct hand *h)
{
	size_t at = h->open[--h->depth];

	set_u24(h->octets + at + 5, h->len - at);
}

const uint8_t *hand_find(const uint8_t *message, size_t len, uint32_t code, uint32_t vendor, unsigned n)
{
	for (size_t at = 20; at + 8 <= len;) {
		const uint8_t *avp = message + at;
		uint32_t v = avp[4] & HAND_V ? hand_u32(avp + 8) : 0;
		if (hand_u32(avp) == code && v == vendor && n-- == 0)
			return avp;
		at += (hand_u24(avp + 5) + 3) & ~3u;
	}
	return NULL;
}

const uint8_t *hand_value(const uint8_t *avp, size_t *len)
{
	size_t header = avp[4] & HAND_V ? 12 : 8;

	*len = hand_u24(avp + 5) - header;
	return avp + header;
}

uint32_t hand_number(const uint8_t *message, size_t len, uint32_t code, uint32_t vendor)
{
	const uint8_t *avp = hand_find(message, len, code, vendor, 0);
	size_t n;

	if (!avp)
		fail_msg("no AVP %u", code);
	avp = hand_value(avp, &n);
	assert_int_equal(n, 4);
	return hand_u32(avp);
}

void hand_try_prefix(const uint8_t *octets, size_t len, void (*fn)(const uint8_t *octets, size_t len, void *data),
		     void *data)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct diameter_message m;

	memcpy(copy, octets, len);
	assert_int_equal(diameter_next(copy, len, &m), DIAMETER_MORE);
	if (len >= 20) {
		set_u24(copy + 1, len);
		assert_int_equal(diameter_next(copy, len, &m), len % 4 ? DIAMETER_BAD_LENGTH : DIAMETER_WHOLE);
		fn(copy, len, data);
	}
	free(copy);
}

/* --- as text -------------------------------------------------------------------------------------------------- */

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

const char *hand_print(const uint8_t *octets, size_t len)
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
