/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reading Diameter (RFC 6733): framing, the definitions of AVPs, the walk by a grammar.  Reads in place.  It must never
 * believe a length before it compared it, and never look at an octet behind the message. */

#include "wire/diameter.h"

#include <string.h>
#include <strings.h>

#define AVP_HEADER        8
#define AVP_VENDOR_HEADER 12

enum avp_flag {
	FLAG_VENDOR = 0x80,
	FLAG_MUST = 0x40
};

/* --- tables --------------------------------------------------------------------------------------------------- */

/* RFC 6733 4.5; RFC 7944 (DRMP); RFC 7683 (OC-...); TS 29.229 (Supported-Features); TS 29.272 7.3.1. */
static const struct diameter_definition definitions[N_AVPS] = {
	[AVP_NONE] = {0, 0, "?", DIAMETER_OCTETS, false, 0, 0},
	[AVP_USER_NAME] = {1, 0, "User-Name", DIAMETER_UTF8, true, 1, 0},
	[AVP_HOST_IP_ADDRESS] = {257, 0, "Host-IP-Address", DIAMETER_ADDRESS, true, 6, 0},
	[AVP_AUTH_APPLICATION_ID] = {258, 0, "Auth-Application-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_ACCT_APPLICATION_ID] = {259, 0, "Acct-Application-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_VENDOR_SPECIFIC_APPLICATION_ID] = {260, 0, "Vendor-Specific-Application-Id", DIAMETER_GROUPED, true, 0, 0},
	[AVP_SESSION_ID] = {263, 0, "Session-Id", DIAMETER_UTF8, true, 1, 0},
	[AVP_ORIGIN_HOST] = {264, 0, "Origin-Host", DIAMETER_IDENTITY, true, 1, 0},
	[AVP_SUPPORTED_VENDOR_ID] = {265, 0, "Supported-Vendor-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_VENDOR_ID] = {266, 0, "Vendor-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_FIRMWARE_REVISION] = {267, 0, "Firmware-Revision", DIAMETER_UNSIGNED, false, 4, 0},
	[AVP_RESULT_CODE] = {268, 0, "Result-Code", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_PRODUCT_NAME] = {269, 0, "Product-Name", DIAMETER_UTF8, false, 1, 0},
	[AVP_DISCONNECT_CAUSE] = {273, 0, "Disconnect-Cause", DIAMETER_ENUMERATED, true, 4, 2},
	[AVP_AUTH_SESSION_STATE] = {277, 0, "Auth-Session-State", DIAMETER_ENUMERATED, true, 4, 1},
	[AVP_ORIGIN_STATE_ID] = {278, 0, "Origin-State-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_FAILED_AVP] = {279, 0, "Failed-AVP", DIAMETER_GROUPED, true, 0, 0},
	[AVP_ERROR_MESSAGE] = {281, 0, "Error-Message", DIAMETER_UTF8, false, 1, 0},
	[AVP_ROUTE_RECORD] = {282, 0, "Route-Record", DIAMETER_IDENTITY, true, 1, 0},
	[AVP_DESTINATION_REALM] = {283, 0, "Destination-Realm", DIAMETER_IDENTITY, true, 1, 0},
	[AVP_PROXY_INFO] = {284, 0, "Proxy-Info", DIAMETER_GROUPED, true, 0, 0},
	[AVP_DESTINATION_HOST] = {293, 0, "Destination-Host", DIAMETER_IDENTITY, true, 1, 0},
	[AVP_ORIGIN_REALM] = {296, 0, "Origin-Realm", DIAMETER_IDENTITY, true, 1, 0},
	[AVP_EXPERIMENTAL_RESULT] = {297, 0, "Experimental-Result", DIAMETER_GROUPED, true, 0, 0},
	[AVP_EXPERIMENTAL_RESULT_CODE] = {298, 0, "Experimental-Result-Code", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_INBAND_SECURITY_ID] = {299, 0, "Inband-Security-Id", DIAMETER_UNSIGNED, true, 4, 0},
	[AVP_DRMP] = {301, 0, "DRMP", DIAMETER_ENUMERATED, false, 4, 15},
	[AVP_OC_SUPPORTED_FEATURES] = {621, 0, "OC-Supported-Features", DIAMETER_GROUPED, false, 0, 0},
	[AVP_SUPPORTED_FEATURES] = {628, DIAMETER_3GPP, "Supported-Features", DIAMETER_GROUPED, false, 0, 0},
	[AVP_TERMINAL_INFORMATION] = {1401, DIAMETER_3GPP, "Terminal-Information", DIAMETER_GROUPED, true, 0, 0},
	[AVP_IMEI] = {1402, DIAMETER_3GPP, "IMEI", DIAMETER_UTF8, true, 14, 0},
	[AVP_SOFTWARE_VERSION] = {1403, DIAMETER_3GPP, "Software-Version", DIAMETER_UTF8, true, 2, 0},
	[AVP_EQUIPMENT_STATUS] = {1445, DIAMETER_3GPP, "Equipment-Status", DIAMETER_ENUMERATED, true, 4, 2},
	[AVP_3GPP2_MEID] = {1471, DIAMETER_3GPP, "3GPP2-MEID", DIAMETER_OCTETS, true, 7, 0},
};

const struct diameter_definition *diameter_definition(enum diameter_avp avp)
{
	return &definitions[(unsigned)avp < N_AVPS ? avp : AVP_NONE];
}

static const struct {
	enum diameter_result result;
	const char *name;
} result_names[] = {
	{DIAMETER_SUCCESS, "success"},
	{DIAMETER_COMMAND_UNSUPPORTED, "command-unsupported"},
	{DIAMETER_UNABLE_TO_DELIVER, "unable-to-deliver"},
	{DIAMETER_REALM_NOT_SERVED, "realm-not-served"},
	{DIAMETER_TOO_BUSY, "too-busy"},
	{DIAMETER_LOOP_DETECTED, "loop-detected"},
	{DIAMETER_APPLICATION_UNSUPPORTED, "application-unsupported"},
	{DIAMETER_INVALID_HDR_BITS, "invalid-hdr-bits"},
	{DIAMETER_INVALID_AVP_BITS, "invalid-avp-bits"},
	{DIAMETER_UNKNOWN_PEER, "unknown-peer"},
	{DIAMETER_AVP_UNSUPPORTED, "avp-unsupported"},
	{DIAMETER_AUTHORIZATION_REJECTED, "authorization-rejected"},
	{DIAMETER_INVALID_AVP_VALUE, "invalid-avp-value"},
	{DIAMETER_MISSING_AVP, "missing-avp"},
	{DIAMETER_AVP_OCCURS_TOO_MANY_TIMES, "avp-occurs-too-many-times"},
	{DIAMETER_NO_COMMON_APPLICATION, "no-common-application"},
	{DIAMETER_UNSUPPORTED_VERSION, "unsupported-version"},
	{DIAMETER_UNABLE_TO_COMPLY, "unable-to-comply"},
	{DIAMETER_INVALID_AVP_LENGTH, "invalid-avp-length"},
	{DIAMETER_INVALID_MESSAGE_LENGTH, "invalid-message-length"},
	{DIAMETER_NO_COMMON_SECURITY, "no-common-security"},
};

const char *diameter_result_name(enum diameter_result result)
{
	for (size_t i = 0; i < sizeof(result_names) / sizeof(result_names[0]); i++) {
		if (result_names[i].result == result)
			return result_names[i].name;
	}
	return "?";
}

/* --- framing -------------------------------------------------------------------------------------------------- */

static uint32_t get_u24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | get_u24(p + 1);
}

enum diameter_framing diameter_next(const uint8_t *octets, size_t len, struct diameter_message *message)
{
	uint32_t whole;
	bool bad;

	if (len < DIAMETER_HEADER)
		return DIAMETER_MORE;
	whole = get_u24(octets + 1);
	bad = whole < DIAMETER_HEADER || whole % 4 || whole > DIAMETER_MAX;
	if (!bad && len < whole)
		return DIAMETER_MORE;
	*message = (struct diameter_message){
		.octets = octets,
		.len = bad ? DIAMETER_HEADER : whole,
		.version = octets[0],
		.flags = octets[4] & (DIAMETER_REQUEST | DIAMETER_PROXIABLE | DIAMETER_ERROR | DIAMETER_RESENT),
		.command = get_u24(octets + 5),
		.application = get_u32(octets + 8),
		.hop_by_hop = get_u32(octets + 12),
		.end_to_end = get_u32(octets + 16),
	};
	return bad ? DIAMETER_BAD_LENGTH : DIAMETER_WHOLE;
}

size_t diameter_length(const uint8_t *octets, size_t len)
{
	size_t whole = len < 4 ? len : get_u24(octets + 1);

	return whole && whole < len ? whole : len;
}

/* --- one AVP -------------------------------------------------------------------------------------------------- */

enum reading {
	READ_END = 0,
	READ_ONE,
	READ_BAD
};

/* Of one that is bad only octets is set. */
static enum reading read_avp(const uint8_t *at, const uint8_t *end, struct diameter_found *avp)
{
	size_t left = (size_t)(end - at);
	uint32_t header, len;

	avp->octets = at;
	if (!left)
		return READ_END;
	if (left < AVP_HEADER)
		return READ_BAD;
	avp->code = get_u32(at);
	avp->flags = at[4];
	len = get_u24(at + 5);
	header = avp->flags & FLAG_VENDOR ? AVP_VENDOR_HEADER : AVP_HEADER;
	if (len < header || len > left)
		return READ_BAD;
	avp->vendor = avp->flags & FLAG_VENDOR ? get_u32(at + 8) : 0;
	avp->value = at + header;
	avp->len = len - header;
	avp->whole = (len + 3) & ~3u;
	if (avp->whole > left)
		avp->whole = (uint32_t)left;
	return READ_ONE;
}

struct diameter_walk diameter_walk_message(const struct diameter_message *message)
{
	return (struct diameter_walk){message->octets + DIAMETER_HEADER, message->octets + message->len};
}

struct diameter_walk diameter_walk_group(const struct diameter_found *group)
{
	return (struct diameter_walk){group->value, group->value + group->len};
}

bool diameter_walk_next(struct diameter_walk *walk, enum diameter_avp avp, struct diameter_found *found)
{
	const struct diameter_definition *wanted = &definitions[avp];

	while (read_avp(walk->at, walk->end, found) == READ_ONE) {
		walk->at += found->whole;
		if (avp == AVP_NONE || (found->code == wanted->code && found->vendor == wanted->vendor))
			return true;
	}
	return false;
}

bool diameter_found_unsigned(const struct diameter_found *found, uint32_t *value)
{
	if (found->len != 4)
		return false;
	*value = get_u32(found->value);
	return true;
}

/* --- values --------------------------------------------------------------------------------------------------- */

/* Octets that follow the first one of a character, or -1; and the least second octet that is not over-long. */
static int utf8_tail(uint8_t first, uint8_t *low, uint8_t *high)
{
	*low = 0x80;
	*high = 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 1;
	if (first >= 0xe0 && first <= 0xef) {
		if (first == 0xe0)
			*low = 0xa0;
		if (first == 0xed) /* surrogates */
			*high = 0x9f;
		return 2;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		if (first == 0xf0)
			*low = 0x90;
		if (first == 0xf4)
			*high = 0x8f;
		return 3;
	}
	return -1;
}

/* RFC 3629. */
static bool is_utf8(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint8_t low, high;
	uint64_t eight;
	int tail;

	while (p < end) {
		for (; end - p >= 8; p += 8) {
			memcpy(&eight, p, 8);
			if (eight & UINT64_C(0x8080808080808080))
				break;
		}
		if (p == end)
			break;
		if (*p < 0x80) {
			p++;
			continue;
		}
		tail = utf8_tail(*p++, &low, &high);
		if (tail < 0 || tail > end - p || *p < low || *p > high)
			return false;
		for (p++; tail > 1; tail--, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
		}
	}
	return true;
}

/* What the labels of host names and realms are made of; the underscore is no part of them and often seen. */
static bool is_label_octet(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '-' || c == '_';
}

/* Labels with dots between them, and perhaps one behind the last. */
static bool is_identity(const uint8_t *p, size_t len)
{
	bool in_label = false;

	if (len < 1 || len >= DIAMETER_IDENTITY_TEXT)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '.' ? !in_label : !is_label_octet(p[i]))
			return false;
		in_label = p[i] != '.';
	}
	return true;
}

bool diameter_identity_valid(const char *name)
{
	return is_identity((const uint8_t *)name, strlen(name));
}

/* RFC 6733 4.3.1: family (IANA: 1 is IPv4, 2 is IPv6), then the address. */
static enum diameter_result check_address(const uint8_t *p, size_t len)
{
	unsigned family;

	if (len < 2)
		return DIAMETER_INVALID_AVP_LENGTH;
	family = (unsigned)p[0] << 8 | p[1];
	if (family != 1 && family != 2)
		return DIAMETER_INVALID_AVP_VALUE;
	return len == (family == 1 ? 6 : 18) ? DIAMETER_OK : DIAMETER_INVALID_AVP_LENGTH;
}

static enum diameter_result check_value(const struct diameter_definition *d, const struct diameter_found *avp)
{
	switch (d->type) {
	case DIAMETER_OCTETS:
	case DIAMETER_GROUPED:
		return DIAMETER_OK;
	case DIAMETER_UTF8:
		return is_utf8(avp->value, avp->len) ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE;
	case DIAMETER_IDENTITY:
		return is_identity(avp->value, avp->len) ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE;
	case DIAMETER_UNSIGNED:
		return avp->len == 4 ? DIAMETER_OK : DIAMETER_INVALID_AVP_LENGTH;
	case DIAMETER_ENUMERATED:
		if (avp->len != 4)
			return DIAMETER_INVALID_AVP_LENGTH;
		return get_u32(avp->value) <= d->greatest ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE;
	case DIAMETER_ADDRESS:
		return check_address(avp->value, avp->len);
	}
	return DIAMETER_OK;
}

/* --- the walk ------------------------------------------------------------------------------------------------- */

/* One level of it: the message, or a group in it. */
struct level {
	const struct diameter_grammar *grammar;
	const uint8_t *at, *end;
	uint16_t group; /* offset; 0: the message */
	unsigned row;   /* where the last one was found */
	uint64_t seen;
};

static enum diameter_result blame(struct diameter_view *view, const struct level *level, enum diameter_result result,
				  const uint8_t *avp)
{
	view->fault = (struct diameter_fault){
		.result = result,
		.at = avp ? (uint16_t)(avp - view->message.octets) : 0,
		.group = level->group,
	};
	return result;
}

/* AVPs mostly come in the order of the rows: the search begins behind the last one found. */
static const struct diameter_row *find_row(struct level *level, const struct diameter_found *avp)
{
	const struct diameter_row *row = level->grammar->row;
	const unsigned n = level->grammar->n;
	unsigned i = level->row;

	for (unsigned left = n; left; left--) {
		i = i + 1 < n ? i + 1 : 0;
		if (definitions[row[i].avp].code == avp->code && definitions[row[i].avp].vendor == avp->vendor) {
			level->row = i;
			return &row[i];
		}
	}
	return NULL;
}

static void keep(struct diameter_view *view, const struct diameter_row *row, const struct diameter_found *avp)
{
	struct diameter_field *field = (struct diameter_field *)((uint8_t *)view + row->field);

	if (!row->field || field->count++)
		return;
	field->at = (uint16_t)(avp->octets - view->message.octets);
	field->value = (uint16_t)(avp->value - view->message.octets);
	field->len = (uint16_t)avp->len;
}

/* *row: NULL where it is to be skipped. */
static enum diameter_result judge(struct level *level, const struct diameter_found *avp,
				  const struct diameter_row **row)
{
	const struct diameter_definition *d;
	uint64_t bit;

	if ((avp->flags & FLAG_VENDOR) && !avp->vendor)
		return DIAMETER_INVALID_AVP_BITS;
	*row = find_row(level, avp);
	if (!*row)
		return avp->flags & FLAG_MUST ? DIAMETER_AVP_UNSUPPORTED : DIAMETER_OK;
	d = &definitions[(*row)->avp];
	if (d->must && !(avp->flags & FLAG_MUST))
		return DIAMETER_INVALID_AVP_BITS;
	bit = UINT64_C(1) << level->row;
	if ((level->seen & bit) && (*row)->max == 1)
		return DIAMETER_AVP_OCCURS_TOO_MANY_TIMES;
	level->seen |= bit;
	return check_value(d, avp);
}

/* The next AVP of a level.  READ_BAD: view->fault says why. */
static enum reading step(struct diameter_view *view, struct level *level, struct diameter_found *avp,
			 const struct diameter_row **row)
{
	enum reading reading = read_avp(level->at, level->end, avp);
	enum diameter_result result = DIAMETER_INVALID_AVP_LENGTH;

	if (reading == READ_END)
		return READ_END;
	if (reading == READ_ONE)
		result = judge(level, avp, row);
	if (result != DIAMETER_OK) {
		blame(view, level, result, avp->octets);
		return READ_BAD;
	}
	level->at += avp->whole;
	if (*row)
		keep(view, *row, avp);
	return READ_ONE;
}

static enum diameter_result find_missing(struct diameter_view *view, const struct level *level)
{
	const struct diameter_grammar *g = level->grammar;

	for (unsigned i = 0; i < g->n; i++) {
		if (!g->row[i].min || (level->seen >> i & 1))
			continue;
		blame(view, level, DIAMETER_MISSING_AVP, NULL);
		view->fault.missing = &g->row[i];
		return DIAMETER_MISSING_AVP;
	}
	return DIAMETER_OK;
}

/* A group of a group is known but not looked into. */
static enum diameter_result read_group(struct diameter_view *view, const struct diameter_grammar *grammar,
				       const struct diameter_found *group)
{
	struct level level = {
		.grammar = grammar,
		.at = group->value,
		.end = group->value + group->len,
		.group = (uint16_t)(group->octets - view->message.octets),
		.row = grammar->n - 1,
	};
	const struct diameter_row *row;
	struct diameter_found avp;
	enum reading reading;

	do {
		reading = step(view, &level, &avp, &row);
	} while (reading == READ_ONE);
	return reading == READ_BAD ? view->fault.result : find_missing(view, &level);
}

enum diameter_result diameter_read(const struct diameter_message *message, const struct diameter_grammar *grammar,
				   struct diameter_view *view, size_t size)
{
	struct level level = {
		.grammar = grammar,
		.at = message->octets + DIAMETER_HEADER,
		.end = message->octets + message->len,
		.row = grammar->n - 1,
	};
	const struct diameter_row *row;
	struct diameter_found avp;
	enum reading reading;

	memset(view, 0, size);
	view->message = *message;
	while ((reading = step(view, &level, &avp, &row)) == READ_ONE) {
		if (row && row->group && read_group(view, row->group, &avp) != DIAMETER_OK)
			return view->fault.result;
	}
	return reading == READ_BAD ? view->fault.result : find_missing(view, &level);
}

enum diameter_result diameter_blame(struct diameter_view *view, enum diameter_result result,
				    const struct diameter_field *field, const struct diameter_field *group)
{
	view->fault = (struct diameter_fault){
		.result = result,
		.at = field ? field->at : 0,
		.group = group ? group->at : 0,
	};
	return result;
}

/* --- fields --------------------------------------------------------------------------------------------------- */

uint32_t diameter_unsigned(const struct diameter_view *view, const struct diameter_field *field)
{
	return field->at ? get_u32(diameter_value(view, field)) : 0;
}

/* Without the dot at the end, which names the same host or realm (RFC 1034 3.1). */
static size_t identity_len(const uint8_t *value, size_t len)
{
	return len > 1 && value[len - 1] == '.' ? len - 1 : len;
}

bool diameter_field_is(const struct diameter_view *view, const struct diameter_field *field, const char *name)
{
	const uint8_t *value = diameter_value(view, field);
	size_t len = strlen(name);

	return field->at && identity_len(value, field->len) == len && !strncasecmp((const char *)value, name, len);
}

void diameter_identity(const struct diameter_view *view, const struct diameter_field *field,
		       char name[static DIAMETER_IDENTITY_TEXT])
{
	const uint8_t *value = diameter_value(view, field);
	unsigned len = field->at && field->len < DIAMETER_IDENTITY_TEXT ? field->len : 0;

	len = (unsigned)identity_len(value, len);
	for (unsigned i = 0; i < len; i++)
		name[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] + ('a' - 'A') : value[i]);
	name[len] = '\0';
}
