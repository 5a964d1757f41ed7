/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Diameter (RFC 6733): messages, AVPs, one walk over a message by a table, and the writer of answers.
 *
 * Pure: bytes in, words out.  A message is read in place and once: what the walk finds are offsets into the receive
 * buffer, which must stay until the answer is written.  Nothing is copied, nothing allocated.
 *
 * Two tables say everything there is to know about an AVP, for reading, for writing and for logs: the definitions
 * (what an AVP is wherever it stands: code, vendor, flags, type) and, for each command, a grammar (which may stand in
 * it, how often, and where the reader shall find it).  A group is one level of such rows; groups within groups are not
 * looked into, so nothing here is deeper than two.
 *
 * The walk stops at the first fault and knows enough of it to say what RFC 6733 7.5 wants in a Failed-AVP.  What it
 * refuses, in this order for each AVP:
 *
 *  5014  a header that is not whole, a length below it or past the end; a value of a size its type cannot have
 *  3009  a vendor bit with vendor 0; a known AVP whose M bit is not set and must be
 *  5001  an unknown AVP with the M bit (without it is skipped, whatever is in it)
 *  5009  more of them than the grammar allows
 *  5004  a value its type does not know: not UTF-8, no name, an address of no family, beyond the enumeration
 *
 * and in the end, for a message and for each group, 5005 what is missing.  Reserved bits of header and AVPs are
 * ignored, as is the order of AVPs (RFC 6733 3.2 fixes it for Session-Id only, 8.8 says SHOULD).  The last AVP of a
 * group may lack its padding. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIAMETER_HEADER        20
#define DIAMETER_MAX           16384 /* octets of a message that we take: so that any answer to it fits in 64 KiB */
#define DIAMETER_IDENTITY_TEXT 256
#define DIAMETER_3GPP          UINT32_C(10415)      /* vendor */
#define DIAMETER_RELAY         UINT32_C(0xffffffff) /* application: a relay serves them all (RFC 6733 2.4) */

enum diameter_flag {
	DIAMETER_REQUEST = 0x80,
	DIAMETER_PROXIABLE = 0x40,
	DIAMETER_ERROR = 0x20,
	DIAMETER_RESENT = 0x10,
};

enum diameter_command {
	DIAMETER_CAPABILITIES_EXCHANGE = 257,
	DIAMETER_DEVICE_WATCHDOG = 280,
	DIAMETER_DISCONNECT_PEER = 282,
};

/* RFC 6733 7.1; the second digit of a log reader's life. */
enum diameter_result {
	DIAMETER_OK = 0, /* no fault; never on the wire */
	DIAMETER_SUCCESS = 2001,
	DIAMETER_COMMAND_UNSUPPORTED = 3001,
	DIAMETER_UNABLE_TO_DELIVER = 3002,
	DIAMETER_REALM_NOT_SERVED = 3003,
	DIAMETER_TOO_BUSY = 3004,
	DIAMETER_LOOP_DETECTED = 3005,
	DIAMETER_APPLICATION_UNSUPPORTED = 3007,
	DIAMETER_INVALID_HDR_BITS = 3008,
	DIAMETER_INVALID_AVP_BITS = 3009,
	DIAMETER_UNKNOWN_PEER = 3010,
	DIAMETER_AVP_UNSUPPORTED = 5001,
	DIAMETER_AUTHORIZATION_REJECTED = 5003,
	DIAMETER_INVALID_AVP_VALUE = 5004,
	DIAMETER_MISSING_AVP = 5005,
	DIAMETER_AVP_OCCURS_TOO_MANY_TIMES = 5009,
	DIAMETER_NO_COMMON_APPLICATION = 5010,
	DIAMETER_UNSUPPORTED_VERSION = 5011,
	DIAMETER_UNABLE_TO_COMPLY = 5012,
	DIAMETER_INVALID_AVP_LENGTH = 5014,
	DIAMETER_INVALID_MESSAGE_LENGTH = 5015,
	DIAMETER_NO_COMMON_SECURITY = 5017,
};
const char *diameter_result_name(enum diameter_result result); /* "missing-avp"; "?" */

/* 3xxx are protocol errors and carry the E bit, whatever the command (RFC 6733 7.1.3, 7.2). */
static inline bool diameter_is_protocol_error(enum diameter_result result)
{
	return result / 1000 == 3;
}

/* --- messages */

struct diameter_message {
	const uint8_t *octets;
	uint32_t len;
	uint8_t version, flags; /* of the flags, the reserved ones are not here */
	uint32_t command, application, hop_by_hop, end_to_end;
};

enum diameter_framing {
	DIAMETER_MORE = 0,   /* not whole yet; message is not written */
	DIAMETER_WHOLE,      /* message is the first one of the buffer */
	DIAMETER_BAD_LENGTH, /* below 20, no multiple of 4 or above DIAMETER_MAX: only the header can be believed, and
			      * where the next message begins cannot be known */
};
enum diameter_framing diameter_next(const uint8_t *octets, size_t len, struct diameter_message *message);

/* Octets of the first message of a buffer, as its header has it; at most len. */
size_t diameter_length(const uint8_t *octets, size_t len);

/* --- AVPs */

enum diameter_avp {
	AVP_NONE = 0,
	AVP_USER_NAME,
	AVP_HOST_IP_ADDRESS,
	AVP_AUTH_APPLICATION_ID,
	AVP_ACCT_APPLICATION_ID,
	AVP_VENDOR_SPECIFIC_APPLICATION_ID,
	AVP_SESSION_ID,
	AVP_ORIGIN_HOST,
	AVP_SUPPORTED_VENDOR_ID,
	AVP_VENDOR_ID,
	AVP_FIRMWARE_REVISION,
	AVP_RESULT_CODE,
	AVP_PRODUCT_NAME,
	AVP_DISCONNECT_CAUSE,
	AVP_AUTH_SESSION_STATE,
	AVP_ORIGIN_STATE_ID,
	AVP_FAILED_AVP,
	AVP_ERROR_MESSAGE,
	AVP_ROUTE_RECORD,
	AVP_DESTINATION_REALM,
	AVP_PROXY_INFO,
	AVP_DESTINATION_HOST,
	AVP_ORIGIN_REALM,
	AVP_EXPERIMENTAL_RESULT,
	AVP_EXPERIMENTAL_RESULT_CODE,
	AVP_INBAND_SECURITY_ID,
	AVP_DRMP,
	AVP_OC_SUPPORTED_FEATURES,
	AVP_SUPPORTED_FEATURES,
	AVP_TERMINAL_INFORMATION,
	AVP_IMEI,
	AVP_SOFTWARE_VERSION,
	AVP_EQUIPMENT_STATUS,
	AVP_3GPP2_MEID,
	N_AVPS
};

enum diameter_type {
	DIAMETER_OCTETS = 0, /* any; groups that nobody looks into too */
	DIAMETER_UTF8,
	DIAMETER_IDENTITY, /* DiameterIdentity: a host name or realm, 1 to 255 octets, no label of it empty */
	DIAMETER_UNSIGNED,
	DIAMETER_ENUMERATED,
	DIAMETER_ADDRESS, /* family and address; IPv4 and IPv6 only */
	DIAMETER_GROUPED,
};

struct diameter_definition {
	uint32_t code, vendor;
	const char *name;
	enum diameter_type type;
	bool must;         /* the M bit: we set it, and want it set */
	uint8_t least;     /* octets of the shortest value, for examples */
	uint32_t greatest; /* of an enumeration */
};
const struct diameter_definition *diameter_definition(enum diameter_avp avp);

/* Where something was found: offsets into the message. */
struct diameter_field {
	uint16_t at;    /* of the AVP; 0: it was not there */
	uint16_t value; /* of its value */
	uint16_t len;   /* of the value */
	uint16_t count; /* how many there were; the others are behind this one */
};

#define DIAMETER_MANY UINT8_MAX

/* Field offsets are into the struct that begins with the struct diameter_view; 0: nobody wants it. */
struct diameter_row {
	enum diameter_avp avp;
	uint8_t min, max; /* 0 or 1; 1 or DIAMETER_MANY */
	uint16_t field;
	const struct diameter_grammar *group; /* of what it is made; NULL: it is not looked into */
};

struct diameter_grammar {
	const struct diameter_row *row;
	unsigned n; /* at most 64 */
};

struct diameter_fault {
	enum diameter_result result;
	uint16_t at;                        /* the offending AVP; 0: there is none */
	uint16_t group;                     /* the AVP that holds it, or lacks the missing one; 0: the message */
	const struct diameter_row *missing; /* else NULL */
};

/* How every message struct begins. */
struct diameter_view {
	struct diameter_message message;
	struct diameter_fault fault;
};

/* Read the AVPs by a grammar.  view is the beginning of a greater struct, of which size octets are cleared first.  The
 * same as view->fault.result: what was found before a fault stays. */
enum diameter_result diameter_read(const struct diameter_message *message, const struct diameter_grammar *grammar,
				   struct diameter_view *view, size_t size);

/* Blame a field, or a member of a group (else NULL), for what the grammar cannot see. */
enum diameter_result diameter_blame(struct diameter_view *view, enum diameter_result result,
				    const struct diameter_field *field, const struct diameter_field *group);

static inline const uint8_t *diameter_value(const struct diameter_view *view, const struct diameter_field *field)
{
	return view->message.octets + field->value;
}
uint32_t diameter_unsigned(const struct diameter_view *view, const struct diameter_field *field);
/* Is it this name, which is without final dot?  Without regard to case and to a final dot of the field (RFC
 * 6733 4.3.1). False where it was not there. */
bool diameter_field_is(const struct diameter_view *view, const struct diameter_field *field, const char *name);
/* In lower case, without final dot, terminated: the form in which names are kept and compared. */
void diameter_identity(const struct diameter_view *view, const struct diameter_field *field,
		       char name[static DIAMETER_IDENTITY_TEXT]);
/* Would a configured name be a DiameterIdentity? */
bool diameter_identity_valid(const char *name);

/* One AVP after the other, by no grammar: for those that may stand there more than once. */
struct diameter_walk {
	const uint8_t *at, *end;
};
struct diameter_found {
	const uint8_t *octets, *value;
	uint32_t code, vendor, len;
	uint32_t whole; /* with header and padding */
	uint8_t flags;
};
struct diameter_walk diameter_walk_message(const struct diameter_message *message);
struct diameter_walk diameter_walk_group(const struct diameter_found *group);
/* The next one of this kind; AVP_NONE: of any.  False at the end, and at the first that cannot be read. */
bool diameter_walk_next(struct diameter_walk *walk, enum diameter_avp avp, struct diameter_found *found);
/* The value of an unsigned one; false where it is of another size. */
bool diameter_found_unsigned(const struct diameter_found *found, uint32_t *value);

/* --- writing */

/* A put that does not fit sets full, and diameter_end says so once. */
struct diameter_out {
	uint8_t *buf;
	size_t size, len;
	bool full;
};

void diameter_begin(struct diameter_out *out, uint8_t *buf, size_t size, uint8_t flags, uint32_t application,
		    uint32_t command, uint32_t hop_by_hop, uint32_t end_to_end);
/* Header of an answer: P as in the request, E for a protocol error, T never. */
void diameter_begin_answer(struct diameter_out *out, uint8_t *buf, size_t size, const struct diameter_message *request,
			   enum diameter_result result);
/* Octets written, or -ENOSPC. */
int diameter_end(struct diameter_out *out);

void diameter_put(struct diameter_out *out, enum diameter_avp avp, const void *value, size_t len);
void diameter_put_text(struct diameter_out *out, enum diameter_avp avp, const char *text);
void diameter_put_unsigned(struct diameter_out *out, enum diameter_avp avp, uint32_t value);
/* Returns what diameter_end_group wants. */
size_t diameter_begin_group(struct diameter_out *out, enum diameter_avp avp);
void diameter_end_group(struct diameter_out *out, size_t begun);
/* Octets that are AVPs already. */
void diameter_put_octets(struct diameter_out *out, const void *octets, size_t len);

/* What an answer takes over, also from a message that was not read or could not be: the Session-Id where there is one;
 * every Proxy-Info, in order, untouched (RFC 6733 6.2). */
void diameter_put_session(struct diameter_out *out, const struct diameter_message *request);
void diameter_put_proxy_infos(struct diameter_out *out, const struct diameter_message *request);
/* Failed-AVP (RFC 6733 7.5), nested in the header of its group; nothing for a fault of no AVP. */
void diameter_put_failed(struct diameter_out *out, const struct diameter_message *request,
			 const struct diameter_fault *fault);

/* Who we are. */
struct diameter_us {
	const char *origin_host, *origin_realm;
	uint32_t state_id; /* Origin-State-Id: rises when we forget (RFC 6733 8.16) */
};
/* A group of a Vendor-Id and one number of that vendor's. */
void diameter_put_of_vendor(struct diameter_out *out, enum diameter_avp group, uint32_t vendor, enum diameter_avp avp,
			    uint32_t value);
/* Origin-Host and Origin-Realm. */
void diameter_put_us(struct diameter_out *out, const struct diameter_us *us);

/* An answer of RFC 6733 7.2 to any request: Session-Id, Origin-Host, Origin-Realm, Result-Code, Failed-AVP, Proxy-Info.
 * See diameter_answer_room. */
int diameter_error(const struct diameter_message *request, const struct diameter_us *us,
		   const struct diameter_fault *fault, uint8_t *buf, size_t size);
/* Room that suffices for any answer to this request that says no more than what is in this header. */
size_t diameter_answer_room(const struct diameter_message *request);
