/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GSUP over IPA as osmo-hlr and its clients speak it (osmo-hlr user manual, "Generic Subscriber Update Protocol"; IMEI
 * digits as TS 24.008 10.5.4.7 packs a number).  Reads in place, writes into the caller's buffer, copies nothing else.
 * It must never change a frame it reads, decide anything, or believe a length before it compared it. */

#include "wire/gsup.h"

#include <errno.h>
#include <string.h>

enum gsup_ie {
	IE_IMSI = 0x01,
	IE_CAUSE = 0x02,
	IE_CANCEL_TYPE = 0x06,
	IE_MESSAGE_CLASS = 0x0a,
	IE_CN_DOMAIN = 0x28,
	IE_SESSION_ID = 0x30,
	IE_SESSION_STATE = 0x31,
	IE_IMEI = 0x50,
	IE_IMEI_RESULT = 0x51,
	IE_SOURCE_NAME = 0x60,
	IE_DESTINATION_NAME = 0x61,
};

enum {
	RESULT_ACK = 0,
	RESULT_NACK = 1
};
enum {
	CANCEL_WITHDRAW = 1
};
enum {
	CLASS_SUBSCRIBER_MANAGEMENT = 1
};
enum {
	SESSION_END = 3
};

enum ccm_tag {
	TAG_SERIAL = 0x00,
	TAG_UNIT_NAME = 0x01,
	TAG_UNIT_ID = 0x08,
};

const uint8_t ccm_ping_frame[4] = {0, 1, IPA_CCM, CCM_PING};
const uint8_t ccm_pong_frame[4] = {0, 1, IPA_CCM, CCM_PONG};
const uint8_t ccm_id_ack_frame[4] = {0, 1, IPA_CCM, CCM_ID_ACK};
const uint8_t ccm_id_get_frame[] = {0, 17, IPA_CCM, CCM_ID_GET, 1, 8, 1, 7, 1, 2, 1, 3, 1, 4, 1, 5, 1, 1, 1, 0};
const size_t ccm_id_get_frame_len = sizeof(ccm_id_get_frame);

/* --- frames --------------------------------------------------------------------------------------------------- */

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

size_t ipa_frame_next(const uint8_t *buf, size_t len, struct ipa_frame *frame)
{
	size_t whole;

	if (len < IPA_HEADER)
		return 0;
	whole = IPA_HEADER + (size_t)get_u16(buf);
	if (len < whole)
		return 0;
	frame->bytes = buf;
	frame->len = whole;
	frame->protocol = buf[2];
	frame->body = buf + IPA_HEADER;
	frame->body_len = whole - IPA_HEADER;
	return whole;
}

/* What is being written.  A put that does not fit sets full, and frame_end says so once. */
struct out {
	uint8_t *buf;
	size_t size, len;
	bool full;
};

static void put(struct out *out, const void *bytes, size_t len)
{
	if (out->full || len > out->size - out->len) {
		out->full = true;
		return;
	}
	memcpy(out->buf + out->len, bytes, len);
	out->len += len;
}

static void put_u8(struct out *out, uint8_t octet)
{
	put(out, &octet, 1);
}

static void frame_begin(struct out *out, uint8_t protocol, uint8_t *buf, size_t size)
{
	*out = (struct out){.buf = buf, .size = size};
	put(out, (const uint8_t[]){0, 0, protocol}, IPA_HEADER);
}

static int frame_end(struct out *out)
{
	size_t body;

	if (out->full || out->len > IPA_MAX_FRAME)
		return -ENOSPC;
	body = out->len - IPA_HEADER;
	out->buf[0] = (uint8_t)(body >> 8);
	out->buf[1] = (uint8_t)body;
	return (int)out->len;
}

/* --- CCM ------------------------------------------------------------------------------------------------------ */

/* Printable ASCII, at least one character, with or without one NUL behind it.  Length without the NUL, or 0. */
static size_t name_length(const uint8_t *value, size_t len)
{
	size_t i;

	if (len && value[len - 1] == '\0')
		len--;
	for (i = 0; i < len; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return 0;
	return len < CCM_NAME_TEXT ? len : 0;
}

/* Each IE: length of tag and value (2), tag (1), value. */
int ccm_id_resp_name(const struct ipa_frame *frame, char name[static CCM_NAME_TEXT])
{
	const uint8_t *p, *end = frame->body + frame->body_len, *serial = NULL;
	size_t len, serial_len = 0;

	name[0] = '\0';
	if (frame->protocol != IPA_CCM || frame->body_len < 1 || frame->body[0] != CCM_ID_RESP)
		return -EINVAL;
	for (p = frame->body + 1; p < end; p += 2 + len) {
		if (end - p < 3)
			return -EINVAL;
		len = get_u16(p);
		if (len < 1 || len > (size_t)(end - p - 2))
			return -EINVAL;
		if (p[2] != TAG_SERIAL)
			continue;
		if (serial)
			return -EINVAL;
		serial = p + 3;
		serial_len = len - 1;
	}
	if (!serial)
		return -ENOENT;
	serial_len = name_length(serial, serial_len);
	if (!serial_len)
		return -EINVAL;
	memcpy(name, serial, serial_len);
	name[serial_len] = '\0';
	return 0;
}

static void put_ccm(struct out *out, uint8_t tag, const char *text)
{
	size_t len = strlen(text) + 1;

	put(out, (const uint8_t[]){(uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), tag}, 3);
	put(out, text, len);
}

int ccm_id_resp_encode(const char *name, uint8_t *buf, size_t size)
{
	struct out out;

	if (!name_length((const uint8_t *)name, strlen(name)))
		return -EINVAL;
	frame_begin(&out, IPA_CCM, buf, size);
	put_u8(&out, CCM_ID_RESP);
	put_ccm(&out, TAG_UNIT_ID, "0/0/0");
	put_ccm(&out, TAG_UNIT_NAME, name);
	put_ccm(&out, TAG_SERIAL, name);
	return frame_end(&out);
}

/* --- reading GSUP --------------------------------------------------------------------------------------------- */

/* ie points at the tag; ie[1] octets of value follow.  A size that the IE cannot have leaves the view as it was. */
typedef void ie_reader(struct gsup_view *view, const uint8_t *ie);

static uint16_t ie_len(const uint8_t *ie)
{
	return (uint16_t)(2 + ie[1]);
}

static void read_imsi(struct gsup_view *view, const uint8_t *ie)
{
	view->has_imsi = true;
	view->imsi_ie = ie;
	view->imsi_ie_len = ie_len(ie);
	imsi_from_bcd(ie + 2, ie[1], &view->imsi); /* none on failure, which is what the view says of it */
}

static void read_class(struct gsup_view *view, const uint8_t *ie)
{
	if (ie[1] != 1)
		return;
	view->class_ie = ie;
	view->class_ie_len = ie_len(ie);
}

static void read_cn_domain(struct gsup_view *view, const uint8_t *ie)
{
	if (ie[1] == 1 && (ie[2] == GSUP_CN_PS || ie[2] == GSUP_CN_CS))
		view->cn_domain = ie[2];
}

static void read_session_id(struct gsup_view *view, const uint8_t *ie)
{
	if (ie[1] != 4)
		return;
	view->session_ie = ie;
	view->session_ie_len = ie_len(ie);
}

static void read_session_state(struct gsup_view *view, const uint8_t *ie)
{
	if (ie[1] != 1)
		return;
	view->state_ie = ie;
	view->state_ie_len = ie_len(ie);
}

/* The value is a BCD number of its own: how many octets, then the digits. */
static void read_imei(struct gsup_view *view, const uint8_t *ie)
{
	uint8_t len = ie[1];

	view->has_imei = true;
	if (len == 0)
		return;
	if (ie[2] > len - 1) {
		view->imei_fault = WEIR_IMEI_SHORT;
		return;
	}
	view->imei_fault = imei_from_tbcd(ie + 3, ie[2], &view->imei);
}

static void read_source_name(struct gsup_view *view, const uint8_t *ie)
{
	view->source_ie = ie;
	view->source_ie_len = ie_len(ie);
}

static ie_reader *const readers[256] = {
	[IE_IMSI] = read_imsi,
	[IE_MESSAGE_CLASS] = read_class,
	[IE_CN_DOMAIN] = read_cn_domain,
	[IE_SESSION_ID] = read_session_id,
	[IE_SESSION_STATE] = read_session_state,
	[IE_IMEI] = read_imei,
	[IE_SOURCE_NAME] = read_source_name,
};

static bool mark(uint64_t seen[static 4], uint8_t tag)
{
	uint64_t bit = UINT64_C(1) << (tag & 63);
	bool before = seen[tag >> 6] & bit;

	seen[tag >> 6] |= bit;
	return before;
}

enum gsup_fault gsup_view(const struct ipa_frame *frame, struct gsup_view *view)
{
	const uint8_t *p, *end = frame->body + frame->body_len;
	uint64_t seen[4] = {0};

	*view = (struct gsup_view){.imei = {.imei = {.svn = WEIR_NO_SVN}, .given_check = -1},
				   .imei_fault = WEIR_IMEI_EMPTY};
	if (frame->body_len < 2)
		return GSUP_TRUNCATED;
	view->type = frame->body[1];
	for (p = frame->body + 2; p < end; p += ie_len(p)) {
		if (end - p < 2 || p[1] > end - p - 2)
			return GSUP_TRUNCATED;
		if (!readers[p[0]])
			continue;
		if (mark(seen, p[0]))
			return GSUP_REPEATED;
		readers[p[0]](view, p);
	}
	return GSUP_OK;
}

/* --- writing GSUP --------------------------------------------------------------------------------------------- */

static void gsup_begin(struct out *out, uint8_t type, uint8_t *buf, size_t size)
{
	frame_begin(out, IPA_OSMO, buf, size);
	put_u8(out, IPA_EXT_GSUP);
	put_u8(out, type);
}

static void put_octet_ie(struct out *out, uint8_t tag, uint8_t value)
{
	put(out, (const uint8_t[]){tag, 1, value}, 3);
}

static void put_imsi(struct out *out, struct weir_imsi imsi)
{
	uint8_t bcd[8];
	int len = imsi_to_bcd(imsi, bcd, sizeof(bcd));

	if (len <= 0) {
		out->full = true;
		return;
	}
	put(out, (const uint8_t[]){IE_IMSI, (uint8_t)len}, 2);
	put(out, bcd, (size_t)len);
}

static void put_session_end(struct out *out, const struct gsup_view *request)
{
	if (!request->session_ie || !request->state_ie)
		return;
	put(out, request->session_ie, request->session_ie_len);
	put_octet_ie(out, IE_SESSION_STATE, SESSION_END);
}

/* The last two IEs of every answer. */
static int answer_end(struct out *out, const struct gsup_view *request)
{
	if (request->class_ie)
		put(out, request->class_ie, request->class_ie_len);
	if (request->source_ie) {
		put_u8(out, IE_DESTINATION_NAME);
		put(out, request->source_ie + 1, request->source_ie_len - 1u);
	}
	return frame_end(out);
}

/* Of a request's type the last two bits say what kind of answer it is: 1 error, 2 result. */
static void answer_begin(struct out *out, const struct gsup_view *request, uint8_t kind, uint8_t *buf, size_t size)
{
	gsup_begin(out, (uint8_t)((request->type & ~3u) | kind), buf, size);
	if (request->imsi_ie)
		put(out, request->imsi_ie, request->imsi_ie_len);
}

int gsup_check_imei_result(const struct gsup_view *request, bool accept, uint8_t *buf, size_t size)
{
	struct out out;

	answer_begin(&out, request, 2, buf, size);
	put_session_end(&out, request);
	put_octet_ie(&out, IE_IMEI_RESULT, accept ? RESULT_ACK : RESULT_NACK);
	return answer_end(&out, request);
}

int gsup_error(const struct gsup_view *request, uint8_t cause, uint8_t *buf, size_t size)
{
	struct out out;

	answer_begin(&out, request, 1, buf, size);
	put_octet_ie(&out, IE_CAUSE, cause);
	put_session_end(&out, request);
	return answer_end(&out, request);
}

/* n digits of value, low nibble first, filler above an odd last one.  Octets written. */
static size_t pack_digits(uint64_t value, unsigned n, uint8_t buf[static 8])
{
	size_t octets = (n + 1) / 2;
	unsigned i;

	memset(buf, 0xff, octets);
	for (i = n; i-- > 0; value /= 10) {
		unsigned digit = (unsigned)(value % 10);

		if (i & 1)
			buf[i / 2] = (uint8_t)((buf[i / 2] & 0x0f) | digit << 4);
		else
			buf[i / 2] = (uint8_t)((buf[i / 2] & 0xf0) | digit);
	}
	return octets;
}

static int put_imei(struct out *out, const struct weir_imei *imei, unsigned digits)
{
	uint64_t value = imei->key;
	uint8_t bcd[8];
	size_t len;

	if (imei->key >= WEIR_IMEI_END)
		return -EINVAL;
	if (digits == 15)
		value = value * 10 + imei_check_digit(imei->key);
	else if (digits == 16 && imei->svn >= 0 && imei->svn < 100)
		value = value * 100 + (unsigned)imei->svn;
	else if (digits != 14)
		return -EINVAL;
	len = pack_digits(value, digits, bcd);
	put(out, (const uint8_t[]){IE_IMEI, (uint8_t)(len + 1), (uint8_t)len}, 3);
	put(out, bcd, len);
	return 0;
}

int gsup_check_imei_request(struct weir_imsi imsi, const struct weir_imei *imei, unsigned digits, uint8_t *buf,
			    size_t size)
{
	struct out out;

	if (!imsi.packed)
		return -EINVAL;
	gsup_begin(&out, GSUP_CHECK_IMEI_REQUEST, buf, size);
	put_imsi(&out, imsi);
	if (put_imei(&out, imei, digits) < 0)
		return -EINVAL;
	put_octet_ie(&out, IE_MESSAGE_CLASS, CLASS_SUBSCRIBER_MANAGEMENT);
	return frame_end(&out);
}

int gsup_location_cancel(struct weir_imsi imsi, enum gsup_cn_domain domain, uint8_t *buf, size_t size)
{
	struct out out;

	if (!imsi.packed)
		return -EINVAL;
	gsup_begin(&out, GSUP_LOCATION_CANCEL_REQUEST, buf, size);
	put_imsi(&out, imsi);
	put_octet_ie(&out, IE_CAUSE, GSUP_CAUSE_ILLEGAL_ME);
	put_octet_ie(&out, IE_CANCEL_TYPE, CANCEL_WITHDRAW);
	if (domain != GSUP_CN_NONE)
		put_octet_ie(&out, IE_CN_DOMAIN, (uint8_t)domain);
	put_octet_ie(&out, IE_MESSAGE_CLASS, CLASS_SUBSCRIBER_MANAGEMENT);
	return frame_end(&out);
}

/* --- names ---------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const char *const type_names[] = {
	[0x04] = "update-location request", [0x05] = "update-location error", [0x06] = "update-location result",
	[0x08] = "send-auth-info request", [0x09] = "send-auth-info error", [0x0a] = "send-auth-info result",
	[0x0b] = "auth-failure report",
	[0x0c] = "purge-ms request", [0x0d] = "purge-ms error", [0x0e] = "purge-ms result",
	[0x10] = "insert-data request", [0x11] = "insert-data error", [0x12] = "insert-data result",
	[0x14] = "delete-data request", [0x15] = "delete-data error", [0x16] = "delete-data result",
	[0x1c] = "location-cancel request", [0x1d] = "location-cancel error", [0x1e] = "location-cancel result",
	[0x20] = "proc-ss request", [0x21] = "proc-ss error", [0x22] = "proc-ss result",
	[0x24] = "mo-forward-sm request", [0x25] = "mo-forward-sm error", [0x26] = "mo-forward-sm result",
	[0x28] = "mt-forward-sm request", [0x29] = "mt-forward-sm error", [0x2a] = "mt-forward-sm result",
	[0x2c] = "ready-for-sm request", [0x2d] = "ready-for-sm error", [0x2e] = "ready-for-sm result",
	[0x30] = "check-imei request", [0x31] = "check-imei error", [0x32] = "check-imei result",
	[0x34] = "e-prepare-handover request", [0x35] = "e-prepare-handover error",
	[0x36] = "e-prepare-handover result",
	[0x38] = "e-prepare-subsequent-handover request", [0x39] = "e-prepare-subsequent-handover error",
	[0x3a] = "e-prepare-subsequent-handover result",
	[0x3c] = "e-send-end-signal request", [0x3d] = "e-send-end-signal error", [0x3e] = "e-send-end-signal result",
	[0x40] = "e-process-access-signalling request", [0x44] = "e-forward-access-signalling request",
	[0x47] = "e-close", [0x4b] = "e-abort", [0x4e] = "routing error",
};
/* clang-format on */

const char *gsup_type_name(uint8_t type)
{
	if (type >= sizeof(type_names) / sizeof(type_names[0]) || !type_names[type])
		return "?";
	return type_names[type];
}
