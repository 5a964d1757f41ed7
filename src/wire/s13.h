/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* S13 and S13' (TS 29.272 clauses 6 and 7): ME-Identity-Check, the one command of its Diameter application.
 *
 * The register's side is an ECR read and an ECA written: s13_read_ecr once for each request, then s13_answer with what
 * was decided, or s13_refuse with a fault.  An answer that tells a status is the Session-Id of the request between two
 * pieces of octets that were made when the configuration came (struct s13_tail): nothing is assembled.
 *
 * The other side (weir-sim, tests) writes ECRs and reads ECAs.
 *
 * An IMEI of 14, 15 or 16 digits is taken, without separators; the 15th digit is the check digit or a spare and never
 * counts.  With 16 digits the last two are the software version, and a Software-Version AVP that says another is a
 * contradiction (5004).  An IMEI AVP that cannot be read is no fault of the protocol: imei_fault says it, and the
 * policy has the word.  A missing one is (5005). */
#pragma once

#include "core/digits.h"
#include "core/imei.h"
#include "core/verdict.h"
#include "wire/diameter.h"

#define S13_APPLICATION   UINT32_C(16777252)
#define S13_COMMAND       324  /* ME-Identity-Check */
#define S13_ERROR_UNKNOWN 5422 /* DIAMETER_ERROR_EQUIPMENT_UNKNOWN, experimental */

enum s13_status {
	S13_WHITE = 0,
	S13_BLACK = 1,
	S13_GREY = 2,
};

/* Auth-Session-State: S13 keeps none. */
#define S13_NO_STATE_MAINTAINED 1

#define S13_PRIORITY_NONE 0xff

struct s13_ecr {
	struct diameter_view view;
	struct diameter_field session_id, application, auth_application_id, auth_session_state;
	struct diameter_field origin_host, origin_realm, destination_host, destination_realm;
	struct diameter_field terminal_information, imei, software_version, user_name;
	struct diameter_field vendor_application, vendor_id;
	struct diameter_field proxy_info, route_record, drmp;

	struct weir_imei_reading reading;
	enum weir_imei_fault imei_fault; /* OK, SHORT, LONG, LETTER or EMPTY (there, with nothing in it) */
	struct weir_imsi imsi;           /* of User-Name; none where there is none */
	uint8_t priority;                /* DRMP, 0 (first) to 15; S13_PRIORITY_NONE */
};

/* DIAMETER_OK, or view.fault.result. */
enum diameter_result s13_read_ecr(const struct diameter_message *message, struct s13_ecr *ecr);

/* One of its Route-Records is this name. */
bool s13_passed(const struct s13_ecr *ecr, const char *name);

/* Blame the IMEI. */
enum diameter_result s13_blame_imei(struct s13_ecr *ecr, enum diameter_result result);

/* The constant part of answers: what stands behind the Session-Id.  known ends with the status. */
struct s13_tail {
	uint16_t known_len, unknown_len;
	uint8_t known[768], unknown[768];
};
void s13_prepare_tail(struct s13_tail *tail, const struct diameter_us *us);

/* Room that suffices for the answer that is decided: a status, unknown, or a refusal that blames the IMEI. */
size_t s13_answer_room(const struct s13_ecr *ecr, const struct s13_tail *tail);
/* Success with this status; or that the equipment is unknown.  Octets, or -ENOSPC. */
int s13_answer(const struct s13_ecr *ecr, const struct s13_tail *tail, enum s13_status status, uint8_t *buf,
	       size_t size);
int s13_answer_unknown(const struct s13_ecr *ecr, const struct s13_tail *tail, uint8_t *buf, size_t size);
/* ECA with a failure (TS 29.272 7.2.20), or for 3xxx the error answer of RFC 6733 7.2. */
int s13_refuse(const struct diameter_message *request, const struct diameter_us *us, const struct diameter_fault *fault,
	       uint8_t *buf, size_t size);

/* --- the other side */

struct s13_question {
	const char *session_id, *origin_host, *origin_realm, *destination_realm, *imei;
	const char *destination_host, *software_version, *user_name; /* NULL: without */
	uint32_t hop_by_hop, end_to_end;
};
int s13_ecr(const struct s13_question *question, uint8_t *buf, size_t size);

struct s13_eca {
	struct diameter_view view;
	struct diameter_field session_id, result_code, experimental_result, experimental_code, auth_session_state;
	struct diameter_field origin_host, origin_realm, equipment_status, failed_avp, error_message, proxy_info;
	struct diameter_field vendor_application;
};
enum diameter_result s13_read_eca(const struct diameter_message *message, struct s13_eca *eca);
