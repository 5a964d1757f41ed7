/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* S13 in freeDiameter's dictionary: the application, ECR and ECA with their rules (TS 29.272 clause 7.2.19, 7.2.20),
 * over the AVPs that freeDiameter and its dict_dcca_3gpp know. */
#include "peers/s13.h"

#include <string.h>

static const struct {
	const char *name;
	vendor_id_t vendor;
} avps[S13_N_AVPS] = {
	[S13_SESSION_ID] = {"Session-Id", 0},
	[S13_DRMP] = {"DRMP", 0},
	[S13_VENDOR_APPLICATION] = {"Vendor-Specific-Application-Id", 0},
	[S13_RESULT_CODE] = {"Result-Code", 0},
	[S13_EXPERIMENTAL_RESULT] = {"Experimental-Result", 0},
	[S13_EXPERIMENTAL_RESULT_CODE] = {"Experimental-Result-Code", 0},
	[S13_VENDOR_ID] = {"Vendor-Id", 0},
	[S13_AUTH_APPLICATION_ID] = {"Auth-Application-Id", 0},
	[S13_AUTH_SESSION_STATE] = {"Auth-Session-State", 0},
	[S13_ORIGIN_HOST] = {"Origin-Host", 0},
	[S13_ORIGIN_REALM] = {"Origin-Realm", 0},
	[S13_DESTINATION_HOST] = {"Destination-Host", 0},
	[S13_DESTINATION_REALM] = {"Destination-Realm", 0},
	[S13_USER_NAME] = {"User-Name", 0},
	[S13_FAILED_AVP] = {"Failed-AVP", 0},
	[S13_PROXY_INFO] = {"Proxy-Info", 0},
	[S13_ROUTE_RECORD] = {"Route-Record", 0},
	[S13_SUPPORTED_FEATURES] = {"Supported-Features", S13_VENDOR_3GPP},
	[S13_TERMINAL_INFORMATION] = {"Terminal-Information", S13_VENDOR_3GPP},
	[S13_IMEI] = {"IMEI", S13_VENDOR_3GPP},
	[S13_SOFTWARE_VERSION] = {"Software-Version", S13_VENDOR_3GPP},
	[S13_EQUIPMENT_STATUS] = {"Equipment-Status", S13_VENDOR_3GPP},
};

struct rule {
	enum s13_avp avp;
	enum rule_position position;
	int max; /* -1: any number */
};

static const struct rule ecr_rules[] = {
	{S13_SESSION_ID, RULE_FIXED_HEAD, 1},         {S13_DRMP, RULE_OPTIONAL, 1},
	{S13_VENDOR_APPLICATION, RULE_OPTIONAL, 1},   {S13_AUTH_SESSION_STATE, RULE_REQUIRED, 1},
	{S13_ORIGIN_HOST, RULE_REQUIRED, 1},          {S13_ORIGIN_REALM, RULE_REQUIRED, 1},
	{S13_DESTINATION_HOST, RULE_OPTIONAL, 1},     {S13_DESTINATION_REALM, RULE_REQUIRED, 1},
	{S13_TERMINAL_INFORMATION, RULE_REQUIRED, 1}, {S13_USER_NAME, RULE_OPTIONAL, 1},
	{S13_SUPPORTED_FEATURES, RULE_OPTIONAL, -1},  {S13_PROXY_INFO, RULE_OPTIONAL, -1},
	{S13_ROUTE_RECORD, RULE_OPTIONAL, -1},
};

static const struct rule eca_rules[] = {
	{S13_SESSION_ID, RULE_FIXED_HEAD, 1},        {S13_DRMP, RULE_OPTIONAL, 1},
	{S13_VENDOR_APPLICATION, RULE_OPTIONAL, 1},  {S13_RESULT_CODE, RULE_OPTIONAL, 1},
	{S13_EXPERIMENTAL_RESULT, RULE_OPTIONAL, 1}, {S13_AUTH_SESSION_STATE, RULE_REQUIRED, 1},
	{S13_ORIGIN_HOST, RULE_REQUIRED, 1},         {S13_ORIGIN_REALM, RULE_REQUIRED, 1},
	{S13_EQUIPMENT_STATUS, RULE_OPTIONAL, 1},    {S13_SUPPORTED_FEATURES, RULE_OPTIONAL, -1},
	{S13_FAILED_AVP, RULE_OPTIONAL, 1},          {S13_PROXY_INFO, RULE_OPTIONAL, -1},
	{S13_ROUTE_RECORD, RULE_OPTIONAL, -1},
};

/* What Terminal-Information may hold; dict_dcca_3gpp has no rule for it. */
static const struct rule terminal_rules[] = {
	{S13_IMEI, RULE_OPTIONAL, 1},
	{S13_SOFTWARE_VERSION, RULE_OPTIONAL, 1},
};

static int define_rules(const struct s13_words *words, struct dict_object *parent, const struct rule *rules, size_t n)
{
	int error = 0;
	size_t i;

	for (i = 0; i < n && !error; i++) {
		struct dict_rule_data data = {
			.rule_avp = words->avp[rules[i].avp],
			.rule_position = rules[i].position,
			.rule_order = rules[i].position == RULE_FIXED_HEAD,
			.rule_min = -1,
			.rule_max = rules[i].max,
		};

		error = fd_dict_new(fd_g_config->cnf_dict, DICT_RULE, &data, parent, NULL);
		if (error == EEXIST)
			error = 0;
	}
	return error;
}

static int define_drmp(void)
{
	static char name[] = "DRMP";
	struct dict_avp_data data = {
		.avp_code = 301,
		.avp_name = name,
		.avp_flag_mask = AVP_FLAG_VENDOR,
		.avp_basetype = AVP_TYPE_INTEGER32,
	};

	return fd_dict_new(fd_g_config->cnf_dict, DICT_AVP, &data, NULL, NULL);
}

static int find_avps(struct s13_words *words)
{
	int error = 0, i;

	for (i = 0; i < S13_N_AVPS && !error; i++) {
		struct dict_avp_request_ex wanted = {
			.avp_vendor.vendor_id = avps[i].vendor,
			.avp_data.avp_name = avps[i].name,
		};

		error = avps[i].vendor ? fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_STRUCT, &wanted,
							&words->avp[i], ENOENT)
				       : fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, avps[i].name,
							&words->avp[i], ENOENT);
		if (error)
			LOG_E("weir_s13: the dictionary has no %s: are dict_nasreq, dict_dcca, dict_dcca_3gpp loaded?",
			      avps[i].name);
	}
	return error;
}

static int define_command(struct s13_words *words, bool request, struct dict_object **command)
{
	static char ecr[] = "ME-Identity-Check-Request", eca[] = "ME-Identity-Check-Answer";
	struct dict_cmd_data data = {
		.cmd_code = S13_COMMAND,
		.cmd_name = request ? ecr : eca,
		.cmd_flag_mask = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE | (request ? CMD_FLAG_ERROR : 0),
		.cmd_flag_val = CMD_FLAG_PROXIABLE | (request ? CMD_FLAG_REQUEST : 0),
	};

	return fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &data, words->application, command);
}

int s13_words_define(struct s13_words *words)
{
	static char name[] = "3GPP S13/S13'";
	struct dict_application_data application = {S13_APPLICATION, name};
	vendor_id_t vendor = S13_VENDOR_3GPP;
	struct dictionary *dict = fd_g_config->cnf_dict;
	int error = fd_dict_search(dict, DICT_VENDOR, VENDOR_BY_ID, &vendor, &words->vendor, ENOENT);

	error = error ? error : define_drmp();
	error = error ? error : find_avps(words);
	error = error ? error : fd_dict_new(dict, DICT_APPLICATION, &application, words->vendor, &words->application);
	error = error ? error : define_command(words, true, &words->ecr);
	error = error ? error : define_command(words, false, &words->eca);
	error = error ? error : define_rules(words, words->ecr, ecr_rules, sizeof(ecr_rules) / sizeof(*ecr_rules));
	error = error ? error : define_rules(words, words->eca, eca_rules, sizeof(eca_rules) / sizeof(*eca_rules));
	error = error ? error
		      : define_rules(words, words->avp[S13_TERMINAL_INFORMATION], terminal_rules,
				     sizeof(terminal_rules) / sizeof(*terminal_rules));
	return error ? error : fd_disp_app_support(words->application, words->vendor, 1, 0);
}

struct avp *s13_add(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, union avp_value *value)
{
	struct avp *avp = NULL;

	if (fd_msg_avp_new(words->avp[kind], 0, &avp))
		return NULL;
	if ((value && fd_msg_avp_setvalue(avp, value)) || fd_msg_avp_add(to, MSG_BRW_LAST_CHILD, avp)) {
		fd_msg_free(avp);
		return NULL;
	}
	return avp;
}

struct avp *s13_add_text(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, const char *text)
{
	/* freeDiameter copies what it is given, and does not say const. */
	union avp_value value = {.os = {.data = (uint8_t *)(uintptr_t)text, .len = strlen(text)}};

	return s13_add(words, to, kind, &value);
}

struct avp *s13_add_number(const struct s13_words *words, msg_or_avp *to, enum s13_avp kind, uint32_t number)
{
	union avp_value value = {.u32 = number};

	return s13_add(words, to, kind, &value);
}

bool s13_add_application(const struct s13_words *words, struct msg *msg)
{
	struct avp *group = s13_add(words, msg, S13_VENDOR_APPLICATION, NULL);

	return group && s13_add_number(words, group, S13_VENDOR_ID, S13_VENDOR_3GPP) &&
	       s13_add_number(words, group, S13_AUTH_APPLICATION_ID, S13_APPLICATION);
}
