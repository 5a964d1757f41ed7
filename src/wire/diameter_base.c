/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The base commands (RFC 6733 5.3 to 5.5) as grammars, and their answers.  It decides nothing: who may come in is
 * judged above. */

#include "wire/diameter_base.h"

#include <stddef.h>

#define NO_INBAND_SECURITY 0

#define ROWS(rows)                                                                                                     \
	{                                                                                                              \
		rows, sizeof(rows) / sizeof(rows[0])                                                                   \
	}

/* --- grammars ------------------------------------------------------------------------------------------------- */

/* RFC 3588 allowed several Vendor-Ids; old peers still send them. */
static const struct diameter_row application_rows[] = {
	{AVP_VENDOR_ID, 1, DIAMETER_MANY, 0, NULL},
	{AVP_AUTH_APPLICATION_ID, 0, 1, 0, NULL},
	{AVP_ACCT_APPLICATION_ID, 0, 1, 0, NULL},
};
static const struct diameter_grammar application_grammar = ROWS(application_rows);

#define FIELD(field) offsetof(struct diameter_cer, field)
static const struct diameter_row cer_rows[] = {
	{AVP_ORIGIN_HOST, 1, 1, FIELD(origin_host), NULL},
	{AVP_ORIGIN_REALM, 1, 1, FIELD(origin_realm), NULL},
	{AVP_HOST_IP_ADDRESS, 1, DIAMETER_MANY, FIELD(host_ip_address), NULL},
	{AVP_VENDOR_ID, 1, 1, FIELD(vendor_id), NULL},
	{AVP_PRODUCT_NAME, 1, 1, FIELD(product_name), NULL},
	{AVP_ORIGIN_STATE_ID, 0, 1, FIELD(origin_state_id), NULL},
	{AVP_SUPPORTED_VENDOR_ID, 0, DIAMETER_MANY, 0, NULL},
	{AVP_AUTH_APPLICATION_ID, 0, DIAMETER_MANY, FIELD(auth_application_id), NULL},
	{AVP_INBAND_SECURITY_ID, 0, DIAMETER_MANY, FIELD(inband_security_id), NULL},
	{AVP_ACCT_APPLICATION_ID, 0, DIAMETER_MANY, FIELD(acct_application_id), NULL},
	{AVP_VENDOR_SPECIFIC_APPLICATION_ID, 0, DIAMETER_MANY, FIELD(vendor_application), &application_grammar},
	{AVP_FIRMWARE_REVISION, 0, 1, 0, NULL},
};
static const struct diameter_grammar cer_grammar = ROWS(cer_rows);
#undef FIELD

#define FIELD(field) offsetof(struct diameter_dwr, field)
static const struct diameter_row dwr_rows[] = {
	{AVP_ORIGIN_HOST, 1, 1, FIELD(origin_host), NULL},
	{AVP_ORIGIN_REALM, 1, 1, FIELD(origin_realm), NULL},
	{AVP_ORIGIN_STATE_ID, 0, 1, FIELD(origin_state_id), NULL},
};
static const struct diameter_grammar dwr_grammar = ROWS(dwr_rows);
#undef FIELD

#define FIELD(field) offsetof(struct diameter_dpr, field)
static const struct diameter_row dpr_rows[] = {
	{AVP_ORIGIN_HOST, 1, 1, FIELD(origin_host), NULL},
	{AVP_ORIGIN_REALM, 1, 1, FIELD(origin_realm), NULL},
	{AVP_DISCONNECT_CAUSE, 1, 1, FIELD(disconnect_cause), NULL},
};
static const struct diameter_grammar dpr_grammar = ROWS(dpr_rows);
#undef FIELD

enum diameter_result diameter_read_cer(const struct diameter_message *message, struct diameter_cer *cer)
{
	return diameter_read(message, &cer_grammar, &cer->view, sizeof(*cer));
}

enum diameter_result diameter_read_dwr(const struct diameter_message *message, struct diameter_dwr *dwr)
{
	return diameter_read(message, &dwr_grammar, &dwr->view, sizeof(*dwr));
}

enum diameter_result diameter_read_dpr(const struct diameter_message *message, struct diameter_dpr *dpr)
{
	return diameter_read(message, &dpr_grammar, &dpr->view, sizeof(*dpr));
}

/* --- capabilities --------------------------------------------------------------------------------------------- */

/* Is one of these AVPs this number? */
static bool walk_holds(struct diameter_walk walk, enum diameter_avp avp, uint32_t wanted)
{
	struct diameter_found found;
	uint32_t value;

	while (diameter_walk_next(&walk, avp, &found)) {
		if (diameter_found_unsigned(&found, &value) && value == wanted)
			return true;
	}
	return false;
}

bool diameter_cer_offers(const struct diameter_cer *cer, const struct diameter_application *application)
{
	struct diameter_walk top = diameter_walk_message(&cer->view.message), at = top;
	struct diameter_found group;

	if (walk_holds(top, AVP_AUTH_APPLICATION_ID, application->id) ||
	    walk_holds(top, AVP_AUTH_APPLICATION_ID, DIAMETER_RELAY) ||
	    walk_holds(top, AVP_ACCT_APPLICATION_ID, DIAMETER_RELAY))
		return true;
	while (diameter_walk_next(&at, AVP_VENDOR_SPECIFIC_APPLICATION_ID, &group)) {
		struct diameter_walk in = diameter_walk_group(&group);
		if (walk_holds(in, AVP_VENDOR_ID, application->vendor) &&
		    walk_holds(in, AVP_AUTH_APPLICATION_ID, application->id))
			return true;
	}
	return false;
}

bool diameter_cer_without_security(const struct diameter_cer *cer)
{
	return !cer->inband_security_id.at ||
	       walk_holds(diameter_walk_message(&cer->view.message), AVP_INBAND_SECURITY_ID, NO_INBAND_SECURITY);
}

uint32_t diameter_answer_result(const struct diameter_message *answer, bool *experimental)
{
	struct diameter_walk walk = diameter_walk_message(answer);
	struct diameter_found found;
	uint32_t value;

	*experimental = false;
	if (diameter_walk_next(&walk, AVP_RESULT_CODE, &found))
		return diameter_found_unsigned(&found, &value) ? value : 0;
	walk = diameter_walk_message(answer);
	if (!diameter_walk_next(&walk, AVP_EXPERIMENTAL_RESULT, &found))
		return 0;
	*experimental = true;
	walk = diameter_walk_group(&found);
	return diameter_walk_next(&walk, AVP_EXPERIMENTAL_RESULT_CODE, &found) &&
			       diameter_found_unsigned(&found, &value)
		       ? value
		       : 0;
}

/* --- writing -------------------------------------------------------------------------------------------------- */

static void put_address(struct diameter_out *out, const struct diameter_address *address)
{
	size_t len = address->family == 1 ? 4 : 16;
	uint8_t octets[2 + 16] = {0, (uint8_t)address->family};

	for (size_t i = 0; i < len; i++)
		octets[2 + i] = address->octets[i];
	diameter_put(out, AVP_HOST_IP_ADDRESS, octets, 2 + len);
}

static void put_capabilities(struct diameter_out *out, const struct diameter_capabilities *c)
{
	diameter_put_us(out, &c->us);
	for (unsigned i = 0; i < c->n_addresses; i++)
		put_address(out, &c->address[i]);
	diameter_put_unsigned(out, AVP_VENDOR_ID, c->vendor);
	diameter_put_text(out, AVP_PRODUCT_NAME, c->product);
	diameter_put_unsigned(out, AVP_ORIGIN_STATE_ID, c->us.state_id);
	diameter_put_unsigned(out, AVP_SUPPORTED_VENDOR_ID, c->application.vendor);
	diameter_put_of_vendor(out, AVP_VENDOR_SPECIFIC_APPLICATION_ID, c->application.vendor, AVP_AUTH_APPLICATION_ID,
			       c->application.id);
	diameter_put_unsigned(out, AVP_FIRMWARE_REVISION, c->firmware);
}

int diameter_cer(const struct diameter_capabilities *capabilities, uint32_t hop_by_hop, uint32_t end_to_end,
		 uint8_t *buf, size_t size)
{
	struct diameter_out out;

	diameter_begin(&out, buf, size, DIAMETER_REQUEST, 0, DIAMETER_CAPABILITIES_EXCHANGE, hop_by_hop, end_to_end);
	put_capabilities(&out, capabilities);
	return diameter_end(&out);
}

int diameter_cea(const struct diameter_message *request, const struct diameter_capabilities *capabilities,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size)
{
	struct diameter_out out;

	if (diameter_is_protocol_error(fault->result))
		return diameter_error(request, &capabilities->us, fault, buf, size);
	diameter_begin_answer(&out, buf, size, request, fault->result);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, fault->result);
	put_capabilities(&out, capabilities);
	diameter_put_failed(&out, request, fault);
	return diameter_end(&out);
}

static void begin_request(struct diameter_out *out, enum diameter_command command, const struct diameter_us *us,
			  uint32_t hop_by_hop, uint32_t end_to_end, uint8_t *buf, size_t size)
{
	diameter_begin(out, buf, size, DIAMETER_REQUEST, 0, command, hop_by_hop, end_to_end);
	diameter_put_us(out, us);
}

int diameter_dwr(const struct diameter_us *us, uint32_t hop_by_hop, uint32_t end_to_end, uint8_t *buf, size_t size)
{
	struct diameter_out out;

	begin_request(&out, DIAMETER_DEVICE_WATCHDOG, us, hop_by_hop, end_to_end, buf, size);
	diameter_put_unsigned(&out, AVP_ORIGIN_STATE_ID, us->state_id);
	return diameter_end(&out);
}

int diameter_dpr(const struct diameter_us *us, enum diameter_cause cause, uint32_t hop_by_hop, uint32_t end_to_end,
		 uint8_t *buf, size_t size)
{
	struct diameter_out out;

	begin_request(&out, DIAMETER_DISCONNECT_PEER, us, hop_by_hop, end_to_end, buf, size);
	diameter_put_unsigned(&out, AVP_DISCONNECT_CAUSE, cause);
	return diameter_end(&out);
}

static int answer(const struct diameter_message *request, const struct diameter_us *us,
		  const struct diameter_fault *fault, bool with_state, uint8_t *buf, size_t size)
{
	struct diameter_out out;

	if (diameter_is_protocol_error(fault->result))
		return diameter_error(request, us, fault, buf, size);
	diameter_begin_answer(&out, buf, size, request, fault->result);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, fault->result);
	diameter_put_us(&out, us);
	diameter_put_failed(&out, request, fault);
	if (with_state)
		diameter_put_unsigned(&out, AVP_ORIGIN_STATE_ID, us->state_id);
	return diameter_end(&out);
}

int diameter_dpa(const struct diameter_message *request, const struct diameter_us *us,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size)
{
	return answer(request, us, fault, false, buf, size);
}

int diameter_dwa(const struct diameter_message *request, const struct diameter_us *us,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size)
{
	return answer(request, us, fault, true, buf, size);
}
