/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What an ECA says, and whether it is one: what freeDiameter's rules leave open.  The rules themselves (s13_words.c)
 * are checked by freeDiameter before an answer comes here. */
#include "peers/s13.h"

#include <stdio.h>
#include <string.h>

#define EQUIPMENT_UNKNOWN 5422

static struct avp_hdr *header_of(struct avp *avp)
{
	struct avp_hdr *header = NULL;

	return avp && !fd_msg_avp_hdr(avp, &header) ? header : NULL;
}

static struct avp *child(msg_or_avp *of, struct dict_object *kind)
{
	struct dict_object *model;
	struct avp *avp = NULL;

	fd_msg_browse(of, MSG_BRW_FIRST_CHILD, &avp, NULL);
	while (avp && (fd_msg_model(avp, &model) || model != kind))
		if (fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL))
			return NULL;
	return avp;
}

/* The number in an AVP; false where it is not there. */
static bool number(const struct s13_words *words, msg_or_avp *of, enum s13_avp kind, uint32_t *value)
{
	struct avp_hdr *header = header_of(child(of, words->avp[kind]));

	if (!header || !header->avp_value)
		return false;
	*value = header->avp_value->u32;
	return true;
}

/* Flags as the dictionary wants them, reserved bits 0, nothing that nobody knows; Failed-AVP holds what was sent. */
static const char *bad_avp(const struct s13_words *words, msg_or_avp *of)
{
	struct avp *avp = NULL;
	const char *why = NULL;

	for (fd_msg_browse(of, MSG_BRW_FIRST_CHILD, &avp, NULL); avp && !why;
	     fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL)) {
		struct avp_hdr *header = header_of(avp);
		struct dict_object *model = NULL;
		struct dict_avp_data data;

		if (!header || fd_msg_model(avp, &model) || !model || fd_dict_getval(model, &data))
			why = "an AVP that the dictionary does not know";
		else if ((header->avp_flags ^ data.avp_flag_val) & data.avp_flag_mask)
			why = "an AVP whose flags are not as they must be";
		else if (header->avp_flags & ~(AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY))
			why = "an AVP with reserved flags";
		else if (data.avp_basetype == AVP_TYPE_GROUPED && model != words->avp[S13_FAILED_AVP])
			why = bad_avp(words, avp);
	}
	return why;
}

static const char *bad_header(struct msg *answer, bool is_protocol_error)
{
	struct msg_hdr *header = NULL;

	if (fd_msg_hdr(answer, &header))
		return "no header";
	if (header->msg_code != S13_COMMAND || header->msg_appl != S13_APPLICATION)
		return "another command or application";
	if (!(header->msg_flags & CMD_FLAG_PROXIABLE))
		return "the P bit is not copied";
	if (header->msg_flags & (CMD_FLAG_REQUEST | CMD_FLAG_RETRANSMIT | 0x0f))
		return "a flag that no answer has";
	if (!!(header->msg_flags & CMD_FLAG_ERROR) != is_protocol_error)
		return "the E bit does not fit the result";
	return NULL;
}

/* Of an application's answer: the verdict in words. */
static const char *verdict(const struct s13_words *words, struct msg *answer, uint32_t code, bool experimental,
			   char *text)
{
	static const char *const status_names[] = {"white", "black", "grey"};
	uint32_t status, state, vendor = S13_VENDOR_3GPP;
	bool has_status = number(words, answer, S13_EQUIPMENT_STATUS, &status);

	if (!number(words, answer, S13_AUTH_SESSION_STATE, &state) || state != 1)
		return "Auth-Session-State is not NO_STATE_MAINTAINED";
	if (experimental)
		number(words, child(answer, words->avp[S13_EXPERIMENTAL_RESULT]), S13_VENDOR_ID, &vendor);
	if (vendor != S13_VENDOR_3GPP)
		return "an experimental result that is not 3GPP's";
	if (has_status != (!experimental && code == 2001))
		return "an Equipment-Status without a success, or a success without";
	if (has_status && status > 2)
		return "a status that there is not";
	if (has_status)
		strcpy(text, status_names[status]);
	else if (experimental && code == EQUIPMENT_UNKNOWN)
		strcpy(text, "unknown");
	else
		snprintf(text, S13_ANSWER_TEXT, "%s%u", experimental ? "experimental-" : "", code);
	return NULL;
}

const char *s13_answer_judge(const struct s13_words *words, struct msg *answer, char *text)
{
	uint32_t code = 0, ecode = 0;
	bool plain = number(words, answer, S13_RESULT_CODE, &code);
	struct avp *group = child(answer, words->avp[S13_EXPERIMENTAL_RESULT]);
	bool experimental = group && number(words, group, S13_EXPERIMENTAL_RESULT_CODE, &ecode);
	bool is_protocol_error = code >= 3000 && code < 4000;
	const char *why = bad_header(answer, is_protocol_error);

	if (why)
		return why;
	if (plain == experimental)
		return "not exactly one of Result-Code and Experimental-Result";
	why = bad_avp(words, answer);
	if (why)
		return why;
	if (!is_protocol_error)
		return verdict(words, answer, plain ? code : ecode, experimental, text);
	snprintf(text, S13_ANSWER_TEXT, "%u", code);
	return NULL;
}
