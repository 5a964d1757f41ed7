/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A Diameter peer for the tests: freeDiameter with S13 (TS 29.272) taught to it.
 *
 * weir_s13.fdx is an extension of Debian's freeDiameter, written from the headers that libfreediameter-dev installs. It
 * shares nothing with src/: what it finds in an answer is freeDiameter's reading of it.  In freeDiameter's
 * configuration
 *
 *   LoadExtension = "weir_s13.fdx" : "client questions=FILE ...";     ask, judge each answer, say how it was, end
 *   LoadExtension = "weir_s13.fdx" : "server status=white";           answer every ECR so
 *   LoadExtension = "weir_s13.fdx" : "watch";                         a relay: say what it sees of the base protocol
 *
 * dict_nasreq, dict_dcca and dict_dcca_3gpp must be loaded before it. */
#pragma once

#include <freeDiameter/extension.h>
#include <stdbool.h>
#include <stdint.h>

#define S13_APPLICATION 16777252
#define S13_COMMAND     324
#define S13_VENDOR_3GPP 10415

enum s13_avp {
	S13_SESSION_ID = 0,
	S13_DRMP, /* defined here: freeDiameter 1.2.1 is older than RFC 7944 */
	S13_VENDOR_APPLICATION,
	S13_RESULT_CODE,
	S13_EXPERIMENTAL_RESULT,
	S13_EXPERIMENTAL_RESULT_CODE,
	S13_VENDOR_ID,
	S13_AUTH_APPLICATION_ID,
	S13_AUTH_SESSION_STATE,
	S13_ORIGIN_HOST,
	S13_ORIGIN_REALM,
	S13_DESTINATION_HOST,
	S13_DESTINATION_REALM,
	S13_USER_NAME,
	S13_FAILED_AVP,
	S13_PROXY_INFO,
	S13_ROUTE_RECORD,
	S13_SUPPORTED_FEATURES,
	S13_TERMINAL_INFORMATION,
	S13_IMEI,
	S13_SOFTWARE_VERSION,
	S13_EQUIPMENT_STATUS,
	S13_N_AVPS
};

struct s13_words {
	struct dict_object *vendor, *application, *ecr, *eca;
	struct dict_object *avp[S13_N_AVPS];
};

/* What the word after the colon of LoadExtension says.  Strings are kept by whoever fills it. */
struct s13_options {
	const char
		*questions; /* lines of "imei svn imsi expected", "-" for none; expected as s13_answer_text prints it */
	const char *realm;  /* Destination-Realm of what is asked */
	const char *host;   /* Destination-Host, or NULL */
	const char *status; /* server: the Equipment-Status of every answer */
	unsigned window;    /* requests under way at a time */
	unsigned rounds;    /* how often the questions are asked */
	unsigned seconds;   /* at least so long: they are asked again until the time is over */
	unsigned pace_ms;   /* between two questions */
	unsigned linger_s;  /* stay connected so long after the last answer */
	unsigned patience_s; /* for an answer, and for a peer to ask */
};

/* Fill the dictionary, and say that we speak it.  0, or an errno as freeDiameter's functions have it. */
int s13_words_define(struct s13_words *words);

/* An AVP of this kind at the end of a message or of a group; value NULL for a group.  NULL on failure. */
struct avp *s13_add(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, union avp_value *value);
struct avp *s13_add_text(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, const char *text);
struct avp *s13_add_number(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, uint32_t number);
/* Vendor-Specific-Application-Id of S13. */
bool s13_add_application(const struct s13_words *words, struct msg *msg);

/* What an answer says, as the questions name it: "white", "black", "grey", "unknown" (5422), or a Result-Code in
 * digits. size: S13_ANSWER_TEXT.  Returns NULL and the answer in text, or what is wrong with its form. */
#define S13_ANSWER_TEXT 32
const char *s13_answer_judge(const struct s13_words *words, struct msg *answer, char *text);

/* Start; words and options must outlive what was started. */
int s13_client_start(const struct s13_words *words, const struct s13_options *options);
void s13_client_stop(void);
int s13_server_start(const struct s13_words *words, const struct s13_options *options);

/* Say each message of the base protocol that is sent or received, each peer that comes or goes, and what the dictionary
 * refused, on lines that begin with "weir_s13:". */
int s13_watch_start(void);
/* How often freeDiameter could not read a message, or found it against the rules. */
unsigned s13_watch_broken(void);
