/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What an NRF client may be told by its operator, and the profile that becomes of it. */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "gate/nrf.h"
#include "gate/nrf_json.h"

#define UUID "4947a69a-f61b-4bc1-b9da-47c9c5d14b64"

static struct nrf_config config;

/* One NRF, and one address to offer. */
static int begin(void **state)
{
	struct weir_why why;

	(void)state;
	nrf_config_init(&config);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.1", 7777, NULL, &why), 0);
	assert_int_equal(nrf_config_add_offer(&config, NRF_HTTP, "192.0.2.9", 7777, &why), 0);
	return 0;
}

static void test_settings_that_are_refused(void **state)
{
	static const char *const bad_type[] = {"AMF", "amf"};
	static const char *const types[] = {"AMF", "5G_EIR", "SCP"};
	char uuid[SBI_UUID_TEXT];
	struct weir_why why;

	(void)state;
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "nrf.example", 1, NULL, &why), -EINVAL);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.1", 1, "a..b", &why), -EINVAL);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.1", 1, "a b", &why), -EINVAL);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.1", 1, "a.", &why), -EINVAL);
	assert_int_equal(nrf_config_del_server(&config, NRF_HTTPS, "192.0.2.1", 7777, &why), -ENOENT);
	assert_int_equal(config.n_servers, 1);
	assert_int_equal(nrf_config_add_plmn(&config, "001", "01", &why), 0);
	assert_int_equal(nrf_config_add_plmn(&config, "001", "01", &why), 0);
	assert_int_equal(nrf_config_add_plmn(&config, "001", "001", &why), 0);
	assert_int_equal(nrf_config_add_plmn(&config, "1", "01", &why), -EINVAL);
	assert_int_equal(nrf_config_add_plmn(&config, "001", "0x", &why), -EINVAL);
	assert_int_equal(nrf_config_del_plmn(&config, "001", "02", &why), -ENOENT);
	assert_int_equal(nrf_config_del_plmn(&config, "001", "01", &why), 0);
	assert_int_equal(config.profile.n_plmns, 1);
	assert_int_equal(nrf_config_set_allowed(&config, bad_type, 2, &why), -EINVAL);
	assert_int_equal(config.profile.n_allowed, 1);
	assert_int_equal(nrf_config_set_allowed(&config, types, 3, &why), 0);
	assert_int_equal(config.profile.n_allowed, 3);
	assert_int_equal(nrf_uuid_read("4947A69A-F61B-4BC1-B9DA-47C9C5D14B64", uuid, &why), 0);
	assert_string_equal(uuid, UUID);
	assert_int_equal(nrf_uuid_read("4947a69a-f61b-4bc1-b9da-47c9c5d14b6", uuid, &why), -EINVAL);
	assert_int_equal(nrf_uuid_read("4947a69a-f61b-4bc1-b9da-47c9c5d14b644", uuid, &why), -EINVAL);
	assert_int_equal(nrf_uuid_read("4947a69aXf61b-4bc1-b9da-47c9c5d14b64", uuid, &why), -EINVAL);
	assert_int_equal(nrf_uuid_make(uuid), 0);
	assert_int_equal(nrf_uuid_read(uuid, uuid, &why), 0);
	assert_int_equal(uuid[14], '4');
}

/* --- the profile */

static json_t *profile_json(const struct nrf_profile *profile)
{
	const struct nrf_status status = {.load = 5};
	char *text = nrf_json_profile(profile, &status);
	json_t *json;

	assert_non_null(text);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	assert_true(json_is_object(json));
	return json;
}

static const char *word(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void check_service(const json_t *service, const char *id, const char *scheme, const char *kind,
			  const char *address, int port)
{
	const json_t *version = json_array_get(json_object_get(service, "versions"), 0);
	const json_t *point = json_array_get(json_object_get(service, "ipEndPoints"), 0);

	assert_string_equal(word(service, "serviceInstanceId"), id);
	assert_string_equal(word(service, "serviceName"), "n5g-eir-eic");
	assert_string_equal(word(version, "apiVersionInUri"), "v1");
	assert_int_equal(strncmp(word(version, "apiFullVersion"), "1.", 2), 0);
	assert_string_equal(word(service, "scheme"), scheme);
	assert_string_equal(word(service, "nfServiceStatus"), "REGISTERED");
	assert_string_equal(word(point, kind), address);
	assert_int_equal(json_integer_value(json_object_get(point, "port")), port);
	assert_true(json_is_true(json_object_get(service, "oauth2Required")));
}

static void test_the_profile(void **state)
{
	struct nrf_profile *p = &config.profile;
	json_t *json, *map, *array;
	struct weir_why why;

	(void)state;
	strcpy(p->instance_id, UUID);
	p->oauth2_required = true;
	assert_int_equal(nrf_config_set_fqdn(&config, "eir.5gc.example", &why), 0);
	assert_int_equal(nrf_config_add_offer(&config, NRF_HTTP, "192.0.2.9", 7778, &why), 0);
	assert_int_equal(nrf_config_add_offer(&config, NRF_HTTPS, "2001:db8::9", 443, &why), 0);
	assert_int_equal(nrf_config_add_plmn(&config, "001", "01", &why), 0);
	json = profile_json(p);
	assert_string_equal(word(json, "nfInstanceId"), UUID);
	assert_string_equal(word(json, "nfType"), "5G_EIR");
	assert_string_equal(word(json, "nfStatus"), "REGISTERED");
	assert_string_equal(word(json, "fqdn"), "eir.5gc.example");
	assert_int_equal(json_integer_value(json_object_get(json, "load")), 5);
	assert_int_equal(json_integer_value(json_object_get(json, "capacity")), 100);
	assert_int_equal(json_integer_value(json_object_get(json, "heartBeatTimer")), 10);
	assert_int_equal(json_array_size(json_object_get(json, "ipv4Addresses")), 1); /* once, with two ports */
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "ipv6Addresses"), 0)),
			    "2001:db8::9");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "allowedNfTypes"), 0)), "AMF");
	assert_string_equal(word(json_array_get(json_object_get(json, "plmnList"), 0), "mnc"), "01");
	map = json_object_get(json, "nfServiceList");
	array = json_object_get(json, "nfServices");
	assert_int_equal(json_object_size(map), 2);
	assert_int_equal(json_array_size(array), 2);
	check_service(json_object_get(map, "n5g-eir-eic-http"), "n5g-eir-eic-http", "http", "ipv4Address", "192.0.2.9",
		      7777);
	check_service(json_object_get(map, "n5g-eir-eic-https"), "n5g-eir-eic-https", "https", "ipv6Address",
		      "2001:db8::9", 443);
	for (size_t i = 0; i < 2; i++)
		assert_true(json_equal(json_array_get(array, i),
				       json_object_get(map, word(json_array_get(array, i), "serviceInstanceId"))));
	json_decref(json);
}

static void test_a_profile_without_what_is_not_known(void **state)
{
	json_t *json;

	(void)state;
	config.profile.heartbeat_s = 0;
	config.profile.n_allowed = 0;
	json = profile_json(&config.profile);
	assert_null(json_object_get(json, "heartBeatTimer"));
	assert_null(json_object_get(json, "fqdn"));
	assert_null(json_object_get(json, "plmnList")); /* the NRF's own are assumed */
	assert_null(json_object_get(json, "ipv6Addresses"));
	assert_null(json_object_get(json, "allowedNfTypes"));
	json_decref(json);
}

#define TEST(fn) cmocka_unit_test_setup(fn, begin)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_settings_that_are_refused),
		TEST(test_the_profile),
		TEST(test_a_profile_without_what_is_not_known),
	};

	return cmocka_run_group_tests_name("nrf config", tests, NULL, NULL);
}
