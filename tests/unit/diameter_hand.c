/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

#include "diameter_hand.h"

#include "rows.h"

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
