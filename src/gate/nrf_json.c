/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* NFProfile, JSON Patch and answers.  Building goes through jansson and fails as a whole: json_pack and the _new calls
 * take NULL for what could not be made. */
#include "gate/nrf_json.h"

#include <jansson.h>

#include <stdio.h>
#include <string.h>

#define SERVICE     "n5g-eir-eic"
#define API_VERSION "1.4.0" /* TS 29.511 v19.1.0 annex A */

static const char *status_word(const struct nrf_status *status)
{
	return status->suspended ? "SUSPENDED" : "REGISTERED";
}

static json_t *addresses(const struct nrf_profile *profile, uint16_t family)
{
	json_t *array = json_array();
	char text[GATE_ADDRESS_TEXT];

	for (unsigned i = 0; i < profile->n_offers; i++) {
		bool again = false;
		if (profile->offer[i].address.family != family)
			continue;
		address_print(text, &profile->offer[i].address);
		for (size_t k = 0; k < json_array_size(array); k++)
			again |= !strcmp(json_string_value(json_array_get(array, k)), text);
		if (!again)
			json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *end_points(const struct nrf_profile *profile, enum nrf_scheme scheme)
{
	json_t *array = json_array();
	char text[GATE_ADDRESS_TEXT];

	for (unsigned i = 0; i < profile->n_offers; i++) {
		const struct gate_address *a = &profile->offer[i].address;
		if (profile->offer[i].scheme != scheme)
			continue;
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:i}", a->family == AF_INET ? "ipv4Address" : "ipv6Address",
						address_print(text, a), "transport", "TCP", "port", a->port));
	}
	return array;
}

static json_t *allowed_types(const struct nrf_profile *profile)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < profile->n_allowed; i++)
		json_array_append_new(array, json_string(profile->allowed[i]));
	return array;
}

static json_t *plmns(const struct nrf_profile *profile)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < profile->n_plmns; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:s}", "mcc", profile->plmn[i].mcc, "mnc", profile->plmn[i].mnc));
	return array;
}

/* An array that the schema wants to have a member, or to be absent. */
static void set_unless_empty(json_t *object, const char *name, json_t *array)
{
	if (json_array_size(array))
		json_object_set(object, name, array);
	json_decref(array);
}

/* An NFService (TS 29.510 6.1.6.2.3): one for each scheme, since a service has one. */
static json_t *service(const struct nrf_profile *profile, const struct nrf_status *status, enum nrf_scheme scheme)
{
	char id[32];
	json_t *json;

	snprintf(id, sizeof(id), "%s-%s", SERVICE, nrf_scheme_name(scheme));
	json = json_pack("{s:s, s:s, s:[{s:s, s:s}], s:s, s:s, s:i, s:i, s:b}", "serviceInstanceId", id, "serviceName",
			 SERVICE, "versions", "apiVersionInUri", "v1", "apiFullVersion", API_VERSION, "scheme",
			 nrf_scheme_name(scheme), "nfServiceStatus", status_word(status), "priority",
			 (int)profile->priority, "capacity", (int)profile->capacity, "oauth2Required",
			 profile->oauth2_required);
	if (profile->fqdn[0])
		json_object_set_new(json, "fqdn", json_string(profile->fqdn));
	set_unless_empty(json, "ipEndPoints", end_points(profile, scheme));
	set_unless_empty(json, "allowedNfTypes", allowed_types(profile));
	return json;
}

static bool offers(const struct nrf_profile *profile, enum nrf_scheme scheme)
{
	for (unsigned i = 0; i < profile->n_offers; i++) {
		if (profile->offer[i].scheme == scheme)
			return true;
	}
	return false;
}

/* The same services in both shapes. */
static bool set_services(json_t *object, const struct nrf_profile *profile, const struct nrf_status *status)
{
	json_t *array = json_array(), *map = json_object();
	bool well = array && map;

	for (enum nrf_scheme scheme = NRF_HTTP; well && scheme <= NRF_HTTPS; scheme++) {
		json_t *one;
		if (!offers(profile, scheme))
			continue;
		one = service(profile, status, scheme);
		well = one && !json_array_append(array, one) &&
		       !json_object_set(map, json_string_value(json_object_get(one, "serviceInstanceId")), one);
		json_decref(one);
	}
	well = well && !json_object_set(object, "nfServices", array) && !json_object_set(object, "nfServiceList", map);
	json_decref(array);
	json_decref(map);
	return well;
}

char *nrf_json_profile(const struct nrf_profile *profile, const struct nrf_status *status)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "nfInstanceId", profile->instance_id, "nfType",
				 TOKEN_AUDIENCE, "nfStatus", status_word(status), "priority", (int)profile->priority,
				 "capacity", (int)profile->capacity, "load", (int)status->load);
	char *text = NULL;

	if (profile->heartbeat_s)
		json_object_set_new(json, "heartBeatTimer", json_integer(profile->heartbeat_s));
	if (profile->fqdn[0])
		json_object_set_new(json, "fqdn", json_string(profile->fqdn));
	set_unless_empty(json, "plmnList", plmns(profile));
	set_unless_empty(json, "ipv4Addresses", addresses(profile, AF_INET));
	set_unless_empty(json, "ipv6Addresses", addresses(profile, AF_INET6));
	set_unless_empty(json, "allowedNfTypes", allowed_types(profile));
	if (json && set_services(json, profile, status))
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

size_t nrf_json_patch(char out[static NRF_PATCH_TEXT], const struct nrf_status *status)
{
	return (size_t)snprintf(out, NRF_PATCH_TEXT,
				"[{\"op\":\"replace\",\"path\":\"/nfStatus\",\"value\":\"%s\"},"
				"{\"op\":\"replace\",\"path\":\"/load\",\"value\":%u}]",
				status_word(status), status->load > 100 ? 100 : status->load);
}

/* --- answers */

/* What may go into a log line: printable ASCII. */
static void copy_printable(char out[static NRF_DETAIL_TEXT], const char *text)
{
	size_t n = 0;

	for (; *text && n < NRF_DETAIL_TEXT - 1; text++)
		out[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	out[n] = '\0';
}

static void detail_read(const json_t *json, char out[static NRF_DETAIL_TEXT])
{
	static const char *const names[] = {"cause", "detail", "title"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]) && !out[0]; i++) {
		const char *text = json_string_value(json_object_get(json, names[i]));
		if (text)
			copy_printable(out, text);
	}
}

void nrf_json_answer(const char *body, size_t len, struct nrf_answer *answer)
{
	json_t *json = len ? json_loadb(body, len, 0, NULL) : NULL;
	json_int_t timer = json_integer_value(json_object_get(json, "heartBeatTimer"));

	memset(answer, 0, sizeof(*answer));
	if (timer > 0)
		answer->heartbeat_s = timer < NRF_HEARTBEAT_MAX_S ? (unsigned)timer : NRF_HEARTBEAT_MAX_S;
	detail_read(json, answer->detail);
	json_decref(json);
}
