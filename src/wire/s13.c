/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* ME-Identity-Check (TS 29.272 7.2.19, 7.2.20) as grammars, what the grammar cannot see of a request, and answers.  It
 * must never decide about a device: colours come in as a status. */

#include "wire/s13.h"

#include <stddef.h>
#include <string.h>

#define ROWS(rows)                                                                                                     \
	{                                                                                                              \
		rows, sizeof(rows) / sizeof(rows[0])                                                                   \
	}

/* --- ECR ------------------------------------------------------------------------------------------------------ */

#define FIELD(field) offsetof(struct s13_ecr, field)

static const struct diameter_row application_rows[] = {
	{AVP_VENDOR_ID, 1, 1, FIELD(vendor_id), NULL},
	{AVP_AUTH_APPLICATION_ID, 0, 1, FIELD(application), NULL},
	{AVP_ACCT_APPLICATION_ID, 0, 1, 0, NULL},
};
static const struct diameter_grammar application_grammar = ROWS(application_rows);

/* TS 29.272 7.3.3. */
static const struct diameter_row terminal_rows[] = {
	{AVP_IMEI, 1, 1, FIELD(imei), NULL},
	{AVP_3GPP2_MEID, 0, 1, 0, NULL},
	{AVP_SOFTWARE_VERSION, 0, 1, FIELD(software_version), NULL},
};
static const struct diameter_grammar terminal_grammar = ROWS(terminal_rows);

static const struct diameter_row ecr_rows[] = {
	{AVP_SESSION_ID, 1, 1, FIELD(session_id), NULL},
	{AVP_VENDOR_SPECIFIC_APPLICATION_ID, 0, 1, FIELD(vendor_application), &application_grammar},
	{AVP_AUTH_SESSION_STATE, 1, 1, FIELD(auth_session_state), NULL},
	{AVP_ORIGIN_HOST, 1, 1, FIELD(origin_host), NULL},
	{AVP_ORIGIN_REALM, 1, 1, FIELD(origin_realm), NULL},
	{AVP_DESTINATION_HOST, 0, 1, FIELD(destination_host), NULL},
	{AVP_DESTINATION_REALM, 1, 1, FIELD(destination_realm), NULL},
	{AVP_TERMINAL_INFORMATION, 1, 1, FIELD(terminal_information), &terminal_grammar},
	{AVP_USER_NAME, 0, 1, FIELD(user_name), NULL},
	{AVP_DRMP, 0, 1, FIELD(drmp), NULL},
	{AVP_SUPPORTED_FEATURES, 0, DIAMETER_MANY, 0, NULL},
	{AVP_OC_SUPPORTED_FEATURES, 0, 1, 0, NULL},
	{AVP_AUTH_APPLICATION_ID, 0, 1, FIELD(auth_application_id), NULL},
	{AVP_ORIGIN_STATE_ID, 0, 1, 0, NULL},
	{AVP_PROXY_INFO, 0, DIAMETER_MANY, FIELD(proxy_info), NULL},
	{AVP_ROUTE_RECORD, 0, DIAMETER_MANY, FIELD(route_record), NULL},
};
static const struct diameter_grammar ecr_grammar = ROWS(ecr_rows);
#undef FIELD

static bool all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

/* core takes separators and 17 digits too; this AVP has neither (TS 29.272 7.3.4). */
static void read_imei(struct s13_ecr *ecr)
{
	const char *text = (const char *)diameter_value(&ecr->view, &ecr->imei);
	size_t len = ecr->imei.len;

	if (!all_digits(text, len))
		ecr->imei_fault = WEIR_IMEI_LETTER;
	else if (len > 16)
		ecr->imei_fault = WEIR_IMEI_LONG;
	else
		ecr->imei_fault = imei_from_text(text, len, &ecr->reading);
}

static enum diameter_result read_version(struct s13_ecr *ecr)
{
	const char *text = (const char *)diameter_value(&ecr->view, &ecr->software_version);
	int8_t svn;

	if (!ecr->software_version.at)
		return DIAMETER_OK;
	if (ecr->software_version.len != 2 || !all_digits(text, 2))
		return DIAMETER_INVALID_AVP_VALUE;
	svn = (int8_t)((text[0] - '0') * 10 + (text[1] - '0'));
	if (ecr->imei_fault != WEIR_IMEI_OK)
		return DIAMETER_OK;
	if (ecr->reading.imei.svn != WEIR_NO_SVN && ecr->reading.imei.svn != svn)
		return DIAMETER_INVALID_AVP_VALUE;
	ecr->reading.imei.svn = svn;
	return DIAMETER_OK;
}

/* User-Name is the IMSI (TS 29.272 6.2.1.1). */
static bool read_imsi(struct s13_ecr *ecr)
{
	return !ecr->user_name.at || imsi_from_text((const char *)diameter_value(&ecr->view, &ecr->user_name),
						    ecr->user_name.len, &ecr->imsi) == 0;
}

static bool is_other(const struct s13_ecr *ecr, const struct diameter_field *field, uint32_t wanted)
{
	return field->at && diameter_unsigned(&ecr->view, field) != wanted;
}

/* "The value of the Application-Id field in the header MUST be the same as any relevant Application-Id AVPs". */
static enum diameter_result check_application(struct s13_ecr *ecr)
{
	if (is_other(ecr, &ecr->vendor_id, DIAMETER_3GPP))
		return diameter_blame(&ecr->view, DIAMETER_INVALID_AVP_VALUE, &ecr->vendor_id,
				      &ecr->vendor_application);
	if (is_other(ecr, &ecr->application, S13_APPLICATION))
		return diameter_blame(&ecr->view, DIAMETER_INVALID_AVP_VALUE, &ecr->application,
				      &ecr->vendor_application);
	if (is_other(ecr, &ecr->auth_application_id, S13_APPLICATION))
		return diameter_blame(&ecr->view, DIAMETER_INVALID_AVP_VALUE, &ecr->auth_application_id, NULL);
	return DIAMETER_OK;
}

enum diameter_result s13_read_ecr(const struct diameter_message *message, struct s13_ecr *ecr)
{
	enum diameter_result result = diameter_read(message, &ecr_grammar, &ecr->view, sizeof(*ecr));

	ecr->reading = (struct weir_imei_reading){.imei.svn = WEIR_NO_SVN, .given_check = -1};
	ecr->imei_fault = WEIR_IMEI_EMPTY;
	ecr->priority = S13_PRIORITY_NONE;
	if (result != DIAMETER_OK)
		return result;
	if (ecr->drmp.at)
		ecr->priority = (uint8_t)diameter_unsigned(&ecr->view, &ecr->drmp);
	result = check_application(ecr);
	if (result != DIAMETER_OK)
		return result;
	read_imei(ecr);
	if (read_version(ecr) != DIAMETER_OK)
		return diameter_blame(&ecr->view, DIAMETER_INVALID_AVP_VALUE, &ecr->software_version,
				      &ecr->terminal_information);
	if (!read_imsi(ecr))
		return diameter_blame(&ecr->view, DIAMETER_INVALID_AVP_VALUE, &ecr->user_name, NULL);
	return DIAMETER_OK;
}

bool s13_passed(const struct s13_ecr *ecr, const char *name)
{
	struct diameter_walk walk = diameter_walk_message(&ecr->view.message);
	struct diameter_found found;

	if (!ecr->route_record.at)
		return false;
	while (diameter_walk_next(&walk, AVP_ROUTE_RECORD, &found)) {
		struct diameter_field field = {
			.at = 1,
			.value = (uint16_t)(found.value - ecr->view.message.octets),
			.len = (uint16_t)found.len,
		};
		if (diameter_field_is(&ecr->view, &field, name))
			return true;
	}
	return false;
}

enum diameter_result s13_blame_imei(struct s13_ecr *ecr, enum diameter_result result)
{
	return diameter_blame(&ecr->view, result, &ecr->imei, &ecr->terminal_information);
}

/* --- answers -------------------------------------------------------------------------------------------------- */

static void put_application(struct diameter_out *out)
{
	diameter_put_of_vendor(out, AVP_VENDOR_SPECIFIC_APPLICATION_ID, DIAMETER_3GPP, AVP_AUTH_APPLICATION_ID,
			       S13_APPLICATION);
}

static void put_rest(struct diameter_out *out, const struct diameter_us *us)
{
	diameter_put_unsigned(out, AVP_AUTH_SESSION_STATE, S13_NO_STATE_MAINTAINED);
	diameter_put_us(out, us);
}

void s13_prepare_tail(struct s13_tail *tail, const struct diameter_us *us)
{
	struct diameter_out out = {.buf = tail->known, .size = sizeof(tail->known)};

	put_application(&out);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, DIAMETER_SUCCESS);
	put_rest(&out, us);
	diameter_put_unsigned(&out, AVP_EQUIPMENT_STATUS, S13_WHITE);
	tail->known_len = (uint16_t)out.len;
	out = (struct diameter_out){.buf = tail->unknown, .size = sizeof(tail->unknown)};
	put_application(&out);
	diameter_put_of_vendor(&out, AVP_EXPERIMENTAL_RESULT, DIAMETER_3GPP, AVP_EXPERIMENTAL_RESULT_CODE,
			       S13_ERROR_UNKNOWN);
	put_rest(&out, us);
	tail->unknown_len = (uint16_t)out.len;
}

static size_t proxy_infos_room(const struct s13_ecr *ecr)
{
	return ecr->proxy_info.at ? ecr->view.message.len : 0;
}

size_t s13_answer_room(const struct s13_ecr *ecr, const struct s13_tail *tail)
{
	size_t tail_len = tail->known_len > tail->unknown_len ? tail->known_len : tail->unknown_len;

	return DIAMETER_HEADER + 12u + ecr->session_id.len + tail_len + ecr->imei.len + 40u + proxy_infos_room(ecr);
}

static int answer(const struct s13_ecr *ecr, const uint8_t *tail, size_t tail_len, int status, uint8_t *buf,
		  size_t size)
{
	const struct diameter_view *view = &ecr->view;
	struct diameter_out out;

	diameter_begin_answer(&out, buf, size, &view->message, DIAMETER_SUCCESS);
	diameter_put(&out, AVP_SESSION_ID, diameter_value(view, &ecr->session_id), ecr->session_id.len);
	diameter_put_octets(&out, tail, tail_len);
	if (status >= 0 && !out.full)
		out.buf[out.len - 1] = (uint8_t)status;
	if (ecr->proxy_info.at)
		diameter_put_proxy_infos(&out, &view->message);
	return diameter_end(&out);
}

int s13_answer(const struct s13_ecr *ecr, const struct s13_tail *tail, enum s13_status status, uint8_t *buf,
	       size_t size)
{
	return answer(ecr, tail->known, tail->known_len, status, buf, size);
}

int s13_answer_unknown(const struct s13_ecr *ecr, const struct s13_tail *tail, uint8_t *buf, size_t size)
{
	return answer(ecr, tail->unknown, tail->unknown_len, -1, buf, size);
}

int s13_refuse(const struct diameter_message *request, const struct diameter_us *us, const struct diameter_fault *fault,
	       uint8_t *buf, size_t size)
{
	struct diameter_out out;

	if (diameter_is_protocol_error(fault->result))
		return diameter_error(request, us, fault, buf, size);
	diameter_begin_answer(&out, buf, size, request, fault->result);
	diameter_put_session(&out, request);
	put_application(&out);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, fault->result);
	put_rest(&out, us);
	diameter_put_failed(&out, request, fault);
	diameter_put_proxy_infos(&out, request);
	return diameter_end(&out);
}

/* --- the other side ------------------------------------------------------------------------------------------- */

int s13_ecr(const struct s13_question *q, uint8_t *buf, size_t size)
{
	struct diameter_out out;
	size_t group;

	diameter_begin(&out, buf, size, DIAMETER_REQUEST | DIAMETER_PROXIABLE, S13_APPLICATION, S13_COMMAND,
		       q->hop_by_hop, q->end_to_end);
	diameter_put_text(&out, AVP_SESSION_ID, q->session_id);
	put_application(&out);
	diameter_put_unsigned(&out, AVP_AUTH_SESSION_STATE, S13_NO_STATE_MAINTAINED);
	diameter_put_text(&out, AVP_ORIGIN_HOST, q->origin_host);
	diameter_put_text(&out, AVP_ORIGIN_REALM, q->origin_realm);
	if (q->destination_host)
		diameter_put_text(&out, AVP_DESTINATION_HOST, q->destination_host);
	diameter_put_text(&out, AVP_DESTINATION_REALM, q->destination_realm);
	group = diameter_begin_group(&out, AVP_TERMINAL_INFORMATION);
	diameter_put_text(&out, AVP_IMEI, q->imei);
	if (q->software_version)
		diameter_put_text(&out, AVP_SOFTWARE_VERSION, q->software_version);
	diameter_end_group(&out, group);
	if (q->user_name)
		diameter_put_text(&out, AVP_USER_NAME, q->user_name);
	return diameter_end(&out);
}

#define FIELD(field) offsetof(struct s13_eca, field)

static const struct diameter_row experimental_rows[] = {
	{AVP_VENDOR_ID, 1, 1, 0, NULL},
	{AVP_EXPERIMENTAL_RESULT_CODE, 1, 1, FIELD(experimental_code), NULL},
};
static const struct diameter_grammar experimental_grammar = ROWS(experimental_rows);

/* Both kinds: an ECA, and the error answer of RFC 6733 7.2, in which nearly everything is missing. */
static const struct diameter_row eca_rows[] = {
	{AVP_SESSION_ID, 0, 1, FIELD(session_id), NULL},
	{AVP_VENDOR_SPECIFIC_APPLICATION_ID, 0, 1, FIELD(vendor_application), NULL},
	{AVP_RESULT_CODE, 0, 1, FIELD(result_code), NULL},
	{AVP_EXPERIMENTAL_RESULT, 0, 1, FIELD(experimental_result), &experimental_grammar},
	{AVP_AUTH_SESSION_STATE, 0, 1, FIELD(auth_session_state), NULL},
	{AVP_ORIGIN_HOST, 1, 1, FIELD(origin_host), NULL},
	{AVP_ORIGIN_REALM, 1, 1, FIELD(origin_realm), NULL},
	{AVP_EQUIPMENT_STATUS, 0, 1, FIELD(equipment_status), NULL},
	{AVP_ERROR_MESSAGE, 0, 1, FIELD(error_message), NULL},
	{AVP_FAILED_AVP, 0, DIAMETER_MANY, FIELD(failed_avp), NULL},
	{AVP_PROXY_INFO, 0, DIAMETER_MANY, FIELD(proxy_info), NULL},
	{AVP_ROUTE_RECORD, 0, DIAMETER_MANY, 0, NULL},
	{AVP_ORIGIN_STATE_ID, 0, 1, 0, NULL},
	{AVP_SUPPORTED_FEATURES, 0, DIAMETER_MANY, 0, NULL},
};
static const struct diameter_grammar eca_grammar = ROWS(eca_rows);
#undef FIELD

enum diameter_result s13_read_eca(const struct diameter_message *message, struct s13_eca *eca)
{
	return diameter_read(message, &eca_grammar, &eca->view, sizeof(*eca));
}
