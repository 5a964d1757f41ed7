/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Writing Diameter (RFC 6733): header, AVPs, and what every answer takes over from its request.  Writes into the
 * caller's buffer; flags and codes come from the definitions.  It must never write an AVP of another length than its
 * header says, however wrong the one was that it quotes. */

#include "wire/diameter.h"

#include <errno.h>
#include <string.h>

#define VERSION           1
#define AVP_HEADER        8
#define AVP_VENDOR_HEADER 12
#define FLAG_VENDOR       0x80
#define FLAG_MUST         0x40
#define U24_MAX           0xffffff

/* --- octets --------------------------------------------------------------------------------------------------- */

static void set_u24(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 16);
	p[1] = (uint8_t)(value >> 8);
	p[2] = (uint8_t)value;
}

static void set_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	set_u24(p + 1, value);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* NULL where there is no room. */
static uint8_t *take(struct diameter_out *out, size_t len)
{
	uint8_t *at = out->buf + out->len;

	if (out->full || len > out->size - out->len) {
		out->full = true;
		return NULL;
	}
	out->len += len;
	return at;
}

void diameter_put_octets(struct diameter_out *out, const void *octets, size_t len)
{
	uint8_t *at = take(out, len);

	if (at && len)
		memcpy(at, octets, len);
}

static void put_zeros(struct diameter_out *out, size_t len)
{
	uint8_t *at = take(out, len);

	if (at)
		memset(at, 0, len);
}

/* --- messages ------------------------------------------------------------------------------------------------- */

void diameter_begin(struct diameter_out *out, uint8_t *buf, size_t size, uint8_t flags, uint32_t application,
		    uint32_t command, uint32_t hop_by_hop, uint32_t end_to_end)
{
	uint8_t *at;

	*out = (struct diameter_out){.buf = buf, .size = size};
	at = take(out, DIAMETER_HEADER);
	if (!at)
		return;
	at[0] = VERSION;
	at[4] = flags;
	set_u24(at + 5, command);
	set_u32(at + 8, application);
	set_u32(at + 12, hop_by_hop);
	set_u32(at + 16, end_to_end);
}

void diameter_begin_answer(struct diameter_out *out, uint8_t *buf, size_t size, const struct diameter_message *request,
			   enum diameter_result result)
{
	uint8_t flags = request->flags & DIAMETER_PROXIABLE;

	if (diameter_is_protocol_error(result))
		flags |= DIAMETER_ERROR;
	diameter_begin(out, buf, size, flags, request->application, request->command, request->hop_by_hop,
		       request->end_to_end);
}

int diameter_end(struct diameter_out *out)
{
	if (out->full || out->len > U24_MAX)
		return -ENOSPC;
	set_u24(out->buf + 1, (uint32_t)out->len);
	return (int)out->len;
}

/* --- AVPs ----------------------------------------------------------------------------------------------------- */

static size_t put_header(struct diameter_out *out, uint32_t code, uint8_t flags, uint32_t vendor, size_t len)
{
	size_t begun = out->len, header = flags & FLAG_VENDOR ? AVP_VENDOR_HEADER : AVP_HEADER;
	uint8_t *at = take(out, header);

	if (!at)
		return begun;
	set_u32(at, code);
	at[4] = flags;
	set_u24(at + 5, (uint32_t)(header + len));
	if (flags & FLAG_VENDOR)
		set_u32(at + 8, vendor);
	return begun;
}

static size_t put_defined_header(struct diameter_out *out, enum diameter_avp avp, size_t len)
{
	const struct diameter_definition *d = diameter_definition(avp);
	uint8_t flags = (d->must ? FLAG_MUST : 0) | (d->vendor ? FLAG_VENDOR : 0);

	return put_header(out, d->code, flags, d->vendor, len);
}

static void put_padded(struct diameter_out *out, const void *value, size_t len)
{
	diameter_put_octets(out, value, len);
	put_zeros(out, -len & 3);
}

void diameter_put(struct diameter_out *out, enum diameter_avp avp, const void *value, size_t len)
{
	put_defined_header(out, avp, len);
	put_padded(out, value, len);
}

void diameter_put_text(struct diameter_out *out, enum diameter_avp avp, const char *text)
{
	diameter_put(out, avp, text, strlen(text));
}

void diameter_put_unsigned(struct diameter_out *out, enum diameter_avp avp, uint32_t value)
{
	uint8_t octets[4];

	set_u32(octets, value);
	diameter_put(out, avp, octets, sizeof(octets));
}

size_t diameter_begin_group(struct diameter_out *out, enum diameter_avp avp)
{
	return put_defined_header(out, avp, 0);
}

void diameter_end_group(struct diameter_out *out, size_t begun)
{
	if (!out->full)
		set_u24(out->buf + begun + 5, (uint32_t)(out->len - begun));
}

/* --- what answers take over ----------------------------------------------------------------------------------- */

void diameter_put_session(struct diameter_out *out, const struct diameter_message *request)
{
	struct diameter_walk walk = diameter_walk_message(request);
	struct diameter_found found;

	if (diameter_walk_next(&walk, AVP_SESSION_ID, &found))
		diameter_put(out, AVP_SESSION_ID, found.value, found.len);
}

void diameter_put_proxy_infos(struct diameter_out *out, const struct diameter_message *request)
{
	struct diameter_walk walk = diameter_walk_message(request);
	struct diameter_found found;

	while (diameter_walk_next(&walk, AVP_PROXY_INFO, &found))
		diameter_put_octets(out, found.octets, found.whole);
}

/* --- Failed-AVP ----------------------------------------------------------------------------------------------- */

static void put_example_value(struct diameter_out *out, const struct diameter_definition *d)
{
	put_zeros(out, d->least);
	put_zeros(out, -(size_t)d->least & 3);
}

/* 5005: "an example of the missing AVP complete with the Vendor-Id if applicable; the value field ... of correct
 * minimum length and contain zeros".  A group holds what it must hold. */
static void put_example(struct diameter_out *out, const struct diameter_row *row)
{
	size_t begun = put_defined_header(out, row->avp, diameter_definition(row->avp)->least);

	put_example_value(out, diameter_definition(row->avp));
	for (unsigned i = 0; row->group && i < row->group->n; i++) {
		const struct diameter_row *member = &row->group->row[i];
		if (!member->min)
			continue;
		put_defined_header(out, member->avp, diameter_definition(member->avp)->least);
		put_example_value(out, diameter_definition(member->avp));
	}
	if (row->group)
		diameter_end_group(out, begun);
}

static const struct diameter_definition *known_as(uint32_t code, uint32_t vendor)
{
	for (unsigned avp = AVP_NONE + 1; avp < N_AVPS; avp++) {
		const struct diameter_definition *d = diameter_definition(avp);
		if (d->code == code && d->vendor == vendor)
			return d;
	}
	return diameter_definition(AVP_NONE);
}

/* 5014: its header, as far as there is one, and a payload of zeros of the least length of its type. */
static void put_header_only(struct diameter_out *out, const uint8_t *at, size_t left)
{
	uint8_t header[AVP_VENDOR_HEADER] = {0};
	const struct diameter_definition *d;
	uint32_t code, vendor;

	memcpy(header, at, left < sizeof(header) ? left : sizeof(header));
	code = get_u32(header);
	vendor = header[4] & FLAG_VENDOR ? get_u32(header + 8) : 0;
	d = known_as(code, vendor);
	put_header(out, code, header[4], vendor, d->least);
	put_example_value(out, d);
}

static uint32_t length_at(const uint8_t *avp)
{
	return get_u32(avp + 4) & U24_MAX;
}

static size_t begin_group_at(struct diameter_out *out, const uint8_t *avp)
{
	return put_header(out, get_u32(avp), avp[4], avp[4] & FLAG_VENDOR ? get_u32(avp + 8) : 0, 0);
}

/* Where the header of the one that failed must end at the latest. */
static const uint8_t *end_of(const struct diameter_message *request, const struct diameter_fault *fault)
{
	if (!fault->group)
		return request->octets + request->len;
	return request->octets + fault->group + length_at(request->octets + fault->group);
}

/* The walk has judged the length of a group, and of whatever it blames for anything but its length. */
static void put_offender(struct diameter_out *out, const struct diameter_message *request,
			 const struct diameter_fault *fault)
{
	const uint8_t *avp = request->octets + fault->at;

	if (fault->missing)
		put_example(out, fault->missing);
	else if (fault->result == DIAMETER_INVALID_AVP_LENGTH)
		put_header_only(out, avp, (size_t)(end_of(request, fault) - avp));
	else
		put_padded(out, avp, length_at(avp));
}

void diameter_put_failed(struct diameter_out *out, const struct diameter_message *request,
			 const struct diameter_fault *fault)
{
	size_t failed, group;

	if (!fault->missing && !fault->at)
		return;
	failed = diameter_begin_group(out, AVP_FAILED_AVP);
	group = out->len;
	if (fault->group)
		group = begin_group_at(out, request->octets + fault->group);
	put_offender(out, request, fault);
	if (fault->group)
		diameter_end_group(out, group);
	diameter_end_group(out, failed);
}

/* --- what many say -------------------------------------------------------------------------------------------- */

void diameter_put_of_vendor(struct diameter_out *out, enum diameter_avp group, uint32_t vendor, enum diameter_avp avp,
			    uint32_t value)
{
	size_t at = diameter_begin_group(out, group);

	diameter_put_unsigned(out, AVP_VENDOR_ID, vendor);
	diameter_put_unsigned(out, avp, value);
	diameter_end_group(out, at);
}

void diameter_put_us(struct diameter_out *out, const struct diameter_us *us)
{
	diameter_put_text(out, AVP_ORIGIN_HOST, us->origin_host);
	diameter_put_text(out, AVP_ORIGIN_REALM, us->origin_realm);
}

/* --- error answers -------------------------------------------------------------------------------------------- */

int diameter_error(const struct diameter_message *request, const struct diameter_us *us,
		   const struct diameter_fault *fault, uint8_t *buf, size_t size)
{
	struct diameter_out out;

	diameter_begin_answer(&out, buf, size, request, fault->result);
	diameter_put_session(&out, request);
	diameter_put_us(&out, us);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, fault->result);
	diameter_put_failed(&out, request, fault);
	diameter_put_proxy_infos(&out, request);
	return diameter_end(&out);
}

/* Session-Id, Proxy-Info and the one that failed come from the request, the last at most once more; the rest is two
 * names and a few numbers. */
size_t diameter_answer_room(const struct diameter_message *request)
{
	return 2 * (size_t)request->len + 2 * DIAMETER_IDENTITY_TEXT + 256;
}
