/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The datagrams between gate and keeper (sighting.h).  Whole numbers are big-endian.
 *
 *   sightings   "WSig" version(1) count(1) size(2), then count times
 *               imei(8) imsi(8) time(4) svn(1) interface(1) tally(1) 0(1) peer(40)
 *   flips       "WFlp" version(1) count(1) size(2) after(8) serial(8), then count times
 *               imei(8) imsi(8) peer(40) 1+svn(1) interface(1) 0(6)
 *
 * size is the whole datagram's.  A decoder takes nothing that the encoder could not have written: both programs come
 * from one build, so anything else is a mistake or somebody else's datagram. */

#include "wire/sighting.h"

#include "core/imei.h"
#include "core/verdict.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define VERSION 1
#define ITEM    64

static const uint8_t sighting_magic[4] = {'W', 'S', 'i', 'g'}, flip_magic[4] = {'W', 'F', 'l', 'p'};

static uint8_t *put_be(uint8_t *p, uint64_t value, unsigned octets)
{
	for (unsigned i = octets; i-- > 0; value >>= 8)
		p[i] = (uint8_t)value;
	return p + octets;
}

static const uint8_t *get_be(const uint8_t *p, unsigned octets, uint64_t *value)
{
	*value = 0;
	for (unsigned i = 0; i < octets; i++)
		*value = *value << 8 | p[i];
	return p + octets;
}

static uint8_t *put_header(uint8_t *p, const uint8_t magic[static 4], unsigned n, size_t size)
{
	memcpy(p, magic, 4);
	p[4] = VERSION;
	p[5] = (uint8_t)n;
	return put_be(p + 6, size, 2);
}

/* How many items of a datagram that begins with magic and is header octets plus items long.  Or -EINVAL. */
static int get_header(const uint8_t *buf, size_t len, const uint8_t magic[static 4], size_t header, unsigned max)
{
	uint64_t size;

	if (len < header || memcmp(buf, magic, 4) != 0 || buf[4] != VERSION)
		return -EINVAL;
	get_be(buf + 6, 2, &size);
	if (size != len || buf[5] > max || len != header + buf[5] * (size_t)ITEM)
		return -EINVAL;
	return buf[5];
}

static uint8_t *put_peer(uint8_t *p, const char *peer)
{
	memset(p, 0, SIGHTING_PEER_MAX);
	memcpy(p, peer, strnlen(peer, SIGHTING_PEER_MAX));
	return p + SIGHTING_PEER_MAX;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	while (len > 0 && p[len - 1] == 0)
		len--;
	return len == 0;
}

/* False where something follows the first zero. */
static bool get_peer(const uint8_t *p, char peer[static SIGHTING_PEER_MAX + 1])
{
	size_t len = strnlen((const char *)p, SIGHTING_PEER_MAX);

	memset(peer, 0, SIGHTING_PEER_MAX + 1);
	memcpy(peer, p, len);
	return is_zero(p + len, SIGHTING_PEER_MAX - len);
}

/* None, or a 1 and 5 to 15 digits (core/digits.h). */
static bool is_imsi(uint64_t packed)
{
	uint64_t one = 100000;

	while (one <= packed / 2 && one < UINT64_C(1000000000000000))
		one *= 10;
	return packed == 0 || (packed >= one && packed < 2 * one);
}

static uint8_t *sighting_put(uint8_t *p, const struct weir_sighting *s)
{
	p = put_be(p, s->imei, 8);
	p = put_be(p, s->imsi.packed, 8);
	p = put_be(p, s->time_s, 4);
	*p++ = (uint8_t)s->svn;
	*p++ = s->interface;
	*p++ = s->tally;
	*p++ = 0;
	return put_peer(p, s->peer);
}

static bool sighting_get(const uint8_t *p, struct weir_sighting *s)
{
	uint64_t time_s;

	p = get_be(p, 8, &s->imei);
	p = get_be(p, 8, &s->imsi.packed);
	p = get_be(p, 4, &time_s);
	s->time_s = (uint32_t)time_s;
	s->svn = p[0] == UINT8_MAX ? WEIR_NO_SVN : (int8_t)p[0];
	s->interface = p[1];
	s->tally = p[2];
	return s->imei < WEIR_IMEI_END && is_imsi(s->imsi.packed) && (p[0] < 100 || p[0] == UINT8_MAX) &&
	       s->interface < WEIR_N_INTERFACES && s->tally < WEIR_N_TALLIES && p[3] == 0 && get_peer(p + 4, s->peer);
}

size_t sighting_encode(const struct weir_sighting *sightings, unsigned n, uint8_t buf[static SIGHTING_DATAGRAM])
{
	size_t size = SIGHTING_DATAGRAM - (size_t)(SIGHTING_BATCH - n) * ITEM;
	uint8_t *p = put_header(buf, sighting_magic, n, size);

	for (unsigned i = 0; i < n; i++)
		p = sighting_put(p, &sightings[i]);
	return size;
}

int sighting_decode(const uint8_t *buf, size_t len, struct weir_sighting out[static SIGHTING_BATCH])
{
	const size_t header = SIGHTING_DATAGRAM - SIGHTING_BATCH * ITEM;
	int n = get_header(buf, len, sighting_magic, header, SIGHTING_BATCH);

	for (int i = 0; i < n; i++) {
		if (sighting_get(buf + header + (size_t)i * ITEM, &out[i]))
			continue;
		memset(out, 0, SIGHTING_BATCH * sizeof(*out));
		return -EINVAL;
	}
	return n;
}

static uint8_t *flip_put(uint8_t *p, const struct weir_flip *flip)
{
	p = put_be(p, flip->imei, 8);
	p = put_be(p, flip->imsi.packed, 8);
	p = put_peer(p, flip->peer);
	*p++ = (uint8_t)(flip->svn - WEIR_NO_SVN); /* 0: none */
	*p++ = flip->interface;
	return put_be(p, 0, 6);
}

static bool flip_get(const uint8_t *p, struct weir_flip *flip)
{
	p = get_be(p, 8, &flip->imei);
	p = get_be(p, 8, &flip->imsi.packed);
	if (!get_peer(p, flip->peer))
		return false;
	p += SIGHTING_PEER_MAX;
	flip->svn = p[0] <= 100 ? (int8_t)(p[0] + WEIR_NO_SVN) : WEIR_NO_SVN;
	flip->interface = p[1];
	return flip->imei < WEIR_IMEI_END && is_imsi(flip->imsi.packed) && p[0] <= 100 &&
	       flip->interface < WEIR_N_INTERFACES && is_zero(p + 2, 6);
}

size_t flips_encode(const struct weir_flips *flips, uint8_t buf[static FLIP_DATAGRAM])
{
	size_t size = FLIP_DATAGRAM - (size_t)(FLIP_BATCH - flips->n) * ITEM;
	uint8_t *p = put_header(buf, flip_magic, flips->n, size);

	p = put_be(p, flips->after_serial, 8);
	p = put_be(p, flips->serial, 8);
	for (unsigned i = 0; i < flips->n; i++)
		p = flip_put(p, &flips->flip[i]);
	return size;
}

static bool flips_get(const uint8_t *buf, struct weir_flips *out)
{
	const uint8_t *p = buf + 8;

	p = get_be(p, 8, &out->after_serial);
	p = get_be(p, 8, &out->serial);
	for (unsigned i = 0; i < out->n; i++)
		if (!flip_get(p + i * ITEM, &out->flip[i]))
			return false;
	return out->after_serial <= out->serial;
}

int flips_decode(const uint8_t *buf, size_t len, struct weir_flips *out)
{
	int n = get_header(buf, len, flip_magic, FLIP_DATAGRAM - FLIP_BATCH * ITEM, FLIP_BATCH);

	out->n = n > 0 ? (unsigned)n : 0;
	if (n >= 0 && flips_get(buf, out))
		return 0;
	memset(out, 0, sizeof(*out));
	return -EINVAL;
}
