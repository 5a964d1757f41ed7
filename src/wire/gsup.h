/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GSUP over IPA: the frames of Osmocom's HLR interface, as far as an equipment register reads and writes them.
 *
 * Pure: bytes in, words out, no socket.  libosmogsm has a GSUP codec too; ours is here because the answer path
 * decodes in place from a receive buffer with many frames and encodes into one send buffer, and because the proxy
 * must be able to look at a frame without touching a byte of it.  libosmogsm's codec is the oracle in the tests.
 *
 * Frame (libosmo-abis, "IPA"): length of what follows the protocol octet (2, big-endian), protocol octet, then for
 * protocol 0xEE one extension octet (0x05 is GSUP).  CCM (0xFE) carries ping, pong and identities.
 * GSUP message: type octet, then IEs of tag (1), length (1), value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digits.h"
#include "core/imei.h"

enum ipa_protocol {
	IPA_OSMO = 0xee,
	IPA_CCM = 0xfe,
};
#define IPA_EXT_GSUP 0x05
#define IPA_HEADER 3
#define IPA_MAX_FRAME (IPA_HEADER + 0xffff)

struct ipa_frame {
	const uint8_t *bytes; /* the whole frame, header included */
	size_t len;
	uint8_t protocol;
	const uint8_t *body; /* after the header (for 0xEE: still with the extension octet) */
	size_t body_len;
};

/* Take the first frame of a buffer.  Returns its length, 0 where it is not whole yet.  Cannot fail: every length is
 * legal here; limits are the caller's. */
size_t ipa_frame_next(const uint8_t *buf, size_t len, struct ipa_frame *frame);

static inline bool ipa_is_gsup(const struct ipa_frame *f)
{
	return f->protocol == IPA_OSMO && f->body_len >= 2 && f->body[0] == IPA_EXT_GSUP;
}

enum ccm_type {
	CCM_PING = 0x00,
	CCM_PONG = 0x01,
	CCM_ID_GET = 0x04,
	CCM_ID_RESP = 0x05,
	CCM_ID_ACK = 0x06,
};

/* Constant frames. */
extern const uint8_t ccm_ping_frame[4], ccm_pong_frame[4], ccm_id_ack_frame[4];
/* The ID_GET that asks for every tag osmo-hlr asks for. */
extern const uint8_t ccm_id_get_frame[];
extern const size_t ccm_id_get_frame_len;

#define CCM_NAME_TEXT 128
/* The routing name of an ID_RESP: the serial number (tag 0x00), as osmo-hlr takes it.  Printable ASCII only; with or
 * without its closing NUL.  A name given twice is malformed: osmo-hlr would take the other one.
 * 0, -ENOENT (no such tag), -EINVAL (malformed). */
int ccm_id_resp_name(const struct ipa_frame *frame, char name[static CCM_NAME_TEXT]);
/* Build an ID_RESP that carries name as serial number and unit name, with unit id 0/0/0 (tools and tests).  Octets,
 * -ENOSPC, or -EINVAL: a name that ccm_id_resp_name would not take. */
int ccm_id_resp_encode(const char *name, uint8_t *buf, size_t size);

enum gsup_type {
	GSUP_UPDATE_LOCATION_REQUEST = 0x04,
	GSUP_LOCATION_CANCEL_REQUEST = 0x1c,
	GSUP_LOCATION_CANCEL_ERROR = 0x1d,
	GSUP_LOCATION_CANCEL_RESULT = 0x1e,
	GSUP_CHECK_IMEI_REQUEST = 0x30,
	GSUP_CHECK_IMEI_ERROR = 0x31,
	GSUP_CHECK_IMEI_RESULT = 0x32,
};

enum gsup_cn_domain { GSUP_CN_NONE = 0, GSUP_CN_PS = 1, GSUP_CN_CS = 2 };

/* GMM causes used (TS 24.008 10.5.5.14). */
enum gsup_cause {
	GSUP_CAUSE_ILLEGAL_ME = 6,
	GSUP_CAUSE_NETWORK_FAILURE = 17,
	GSUP_CAUSE_INVALID_MANDATORY = 96,
};

/* What we look at in any message.  Pointers go into the frame. */
struct gsup_view {
	uint8_t type;
	struct weir_imsi imsi;          /* none where missing or unreadable */
	bool has_imsi, has_imei;        /* the IE was there, readable or not */
	struct weir_imei_reading imei;
	enum weir_imei_fault imei_fault; /* WEIR_IMEI_EMPTY where there is no IE */
	enum gsup_cn_domain cn_domain;
	/* Tag, length, value: to be copied into an answer; NULL where missing or of a size that the IE cannot have. */
	const uint8_t *imsi_ie, *class_ie, *source_ie, *session_ie, *state_ie;
	uint16_t imsi_ie_len, class_ie_len, source_ie_len, session_ie_len, state_ie_len;
};

enum gsup_fault {
	GSUP_OK = 0,
	GSUP_TRUNCATED, /* an IE runs past the end, or no type octet */
	GSUP_REPEATED,  /* an IE we read came twice */
};

/* Read a GSUP frame (ipa_is_gsup).  Unknown IEs are skipped.  On a fault the view holds what was read until then, so
 * that an error answer can still name the subscriber. */
enum gsup_fault gsup_view(const struct ipa_frame *frame, struct gsup_view *view);

/* Answers to a Check-IMEI request, whole frames, IEs copied as osmo-hlr does: class; source name returned as
 * destination name; a session where both its id and its state came, ended.  A request without an IMSI is answered
 * without one; no peer can match that (osmo-hlr keeps silent there).  Return octets written or -ENOSPC;
 * GSUP_ANSWER_MAX always suffices. */
#define GSUP_ANSWER_MAX 600
int gsup_check_imei_result(const struct gsup_view *request, bool accept, uint8_t *buf, size_t size);
int gsup_error(const struct gsup_view *request, uint8_t cause, uint8_t *buf, size_t size); /* type | 1 */

/* What we send ourselves.  digits is 14, 15 (with the right check digit) or 16 (with the SVN).  The cancel means
 * "withdraw, illegal ME"; GSUP_CN_NONE leaves the domain out.  Octets, -ENOSPC, or -EINVAL: no IMSI, digits 16
 * without an SVN. */
int gsup_check_imei_request(struct weir_imsi imsi, const struct weir_imei *imei, unsigned digits, uint8_t *buf,
			    size_t size);
int gsup_location_cancel(struct weir_imsi imsi, enum gsup_cn_domain domain, uint8_t *buf, size_t size);
/* "check-imei request"; "?" for what libosmogsm 1.7 does not know either. */
const char *gsup_type_name(uint8_t type);
