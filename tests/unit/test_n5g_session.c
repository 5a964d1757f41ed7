/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/n5g: what is answered with which fields, deadlines, overload, configuration.  Who may ask is in
 * test_n5g_access.c. */
#include "n5g_scene.h"

#include "gate/n5g_inside.h"
#include "rows.h"

/* --- answers */

static void test_colours(void **state)
{
	struct client *c = client_begin(*state);
	struct answer answer = client_get(c, check_path("00101"), NULL);

	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "{\"status\":\"WHITELISTED\"}");
	assert_string_equal(answer_field(&answer, "content-type"), "application/json");
	assert_string_equal(answer_field(&answer, "content-length"), "24");
	assert_string_equal(answer_field(&answer, "cache-control"), "no-store");
	assert_string_equal(answer_field(&answer, "server"), "5G_EIR");
	assert_string_equal(answer_field(&answer, "date"), "Mon, 30 Nov 2026 00:53:20 GMT");
	answer = client_get(c, check_path("00102"), NULL);
	assert_string_equal(answer.body, "{\"status\":\"BLACKLISTED\"}");
	answer = client_get(c, check_path("00103"), NULL);
	assert_string_equal(answer.body, "{\"status\":\"GREYLISTED\"}");
	answer = client_get(c, check_path("00104"), NULL);
	assert_cause(&answer, 404, "ERROR_EQUIPMENT_UNKNOWN");
	answer = client_get(c, check_path("00105"), NULL);
	assert_cause(&answer, 403, NULL);
	answer = client_get(c, check_path("00199"), NULL);
	assert_cause(&answer, 500, "SYSTEM_FAILURE");
	assert_int_equal(checks(*state)->received, 6);
	assert_int_equal(checks(*state)->refused, 2);
	assert_int_equal(checks(*state)->tally[WEIR_TALLY_SHED], 1);
	assert_int_equal(checks(*state)->tally[WEIR_TALLY_FAILED], 1);
	assert_int_equal(counted(*state)->answer[N5G_WHITE], 1);
}

static void test_malformed_is_the_policys(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct weir_policy_draft draft;
	struct answer answer = client_get(c, PATH "?pei=imei-1", NULL);

	assert_cause(&answer, 400, "MANDATORY_QUERY_PARAM_INCORRECT");
	assert_non_null(strstr(answer.body, "\"param\":\"query pei\""));
	answer = client_get(c, PATH, NULL);
	assert_cause(&answer, 400, "MANDATORY_QUERY_PARAM_MISSING");
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_MALFORMED], 2);
	policy_draft_init(&draft);
	draft.interface[WEIR_IF_N5G].malformed = WEIR_DO_GREY;
	draft.special[WEIR_IMEI_ZERO] = WEIR_DO_REFUSE;
	stage_decide(scene, &draft);
	n5g_policy_changed(scene->n5g);
	answer = client_get(c, PATH "?pei=imei-1", NULL);
	assert_string_equal(answer.body, "{\"status\":\"GREYLISTED\"}");
	answer = client_get(c, PATH "?pei=imei-000000000000000", NULL);
	assert_cause(&answer, 400, "MANDATORY_QUERY_PARAM_INCORRECT");
	assert_non_null(strstr(answer.body, "is none that a device has"));
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_MALFORMED], 4);
}

/* A PEI that is no IMEI is on no list. */
static void test_other_kinds(void **state)
{
	struct client *c = client_begin(*state);
	struct answer answer = client_get(c, PATH "?pei=mac-00-0a-95-9d-68-16", NULL);

	assert_cause(&answer, 404, "ERROR_EQUIPMENT_UNKNOWN");
	answer = client_get(c, PATH "?pei=mac-00-0a-95-9d-68-16&supi=imsi-001020000000001", NULL);
	assert_string_equal(answer.body, "{\"status\":\"BLACKLISTED\"}"); /* the subscriber's rule */
	answer = client_get(c, PATH "?pei=mac-00-0a-95-9d-68", NULL);
	assert_cause(&answer, 400, "MANDATORY_QUERY_PARAM_INCORRECT");
	assert_int_equal(checks(*state)->tally[WEIR_TALLY_UNKNOWN], 1);
}

static void test_no_checks(void **state)
{
	struct client *c = client_begin(*state);
	const char *const text_only[] = {"accept", "text/html", NULL};
	const char *const twice[] = {"accept", "text/html", "accept", "application/json", NULL};
	struct answer answer = client_get(c, "/n5g-eir-eic/v2/equipment-status", NULL);

	assert_cause(&answer, 400, "INVALID_API");
	assert_non_null(strstr(answer.body, "\"supportedApiVersions\":[\"v1\"]"));
	answer = client_get(c, "/n5g-eir-eic/v1/x", NULL);
	assert_cause(&answer, 404, "RESOURCE_URI_STRUCTURE_NOT_FOUND");
	answer = client_ask(c, "DELETE", check_path("00101"), NULL);
	assert_cause(&answer, 405, "METHOD_NOT_ALLOWED");
	assert_string_equal(answer_field(&answer, "allow"), "GET");
	answer = client_ask(c, "HEAD", check_path("00101"), NULL);
	assert_int_equal(answer.status, 405);
	assert_string_equal(answer.body, "");
	answer = client_get(c, check_path("00101"), text_only);
	assert_cause(&answer, 406, NULL);
	answer = client_get(c, check_path("00101"), twice);
	assert_int_equal(answer.status, 200);
	answer = client_get(c, PATH "?pei=imei-001001230000019&color=red", NULL);
	assert_cause(&answer, 400, "INVALID_QUERY_PARAM");
	answer = client_get(c, PATH "?pei=imei-001001230000019&supi=", NULL);
	assert_cause(&answer, 400, "OPTIONAL_QUERY_PARAM_INCORRECT");
	assert_int_equal(checks(*state)->received, 1);
}

static void test_uri_too_long(void **state)
{
	static char path[N5G_PATH_MAX + 2];
	struct client *c = client_begin(*state);
	struct answer answer;

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	answer = client_get(c, path, NULL);
	assert_cause(&answer, 414, NULL);
	path[N5G_PATH_MAX] = '\0';
	answer = client_get(c, path, NULL);
	assert_cause(&answer, 400, "INVALID_API");
}

/* --- time */

struct stamp_row {
	const char *name, *max, *stamp_sent;
	unsigned status;
	bool wrong, off;
};

static const struct stamp_row stamp_rows[] = {
	{"in time", "500", "Mon, 30 Nov 2026 00:53:20.000 GMT", 200, false, false},
	{"just in time", "500", "Mon, 30 Nov 2026 00:53:19.501 GMT", 200, false, false},
	{"just too late", "500", "Mon, 30 Nov 2026 00:53:19.500 GMT", 504, false, false},
	{"as late as a request can be", "500", "Mon, 30 Nov 2026 00:53:10.000 GMT", 504, false, false},
	{"that late and with more time", "10001", "Mon, 30 Nov 2026 00:53:10.000 GMT", 200, false, false},
	{"a sender whose clock is behind", "500", "Mon, 30 Nov 2026 00:53:09.999 GMT", 200, false, true},
	{"a sender whose clock is minutes behind", "500", "Mon, 30 Nov 2026 00:50:20.000 GMT", 200, false, true},
	{"a sender whose clock is days behind", "500", "Fri, 27 Nov 2026 00:53:20.000 GMT", 200, false, true},
	{"a sender whose clock is a little ahead", "500", "Mon, 30 Nov 2026 00:53:21.000 GMT", 200, false, false},
	{"a sender whose clock is ahead", "500", "Mon, 30 Nov 2026 00:53:21.001 GMT", 200, false, true},
	{"a sender whose clock is an hour ahead", "500", "Mon, 30 Nov 2026 01:53:20.000 GMT", 200, false, true},
	{"a sender whose clock is years ahead", "500", "Mon, 30 Nov 2037 00:53:20.000 GMT", 200, false, true},
	{"no stamp", "500", NULL, 200, false, false},
	{"a stamp that cannot be read", "500", "yesterday", 200, true, false},
	{"no time at all", "0", NULL, 504, false, false},
	{"a time that cannot be read", "soon", NULL, 200, true, false},
};

static void test_stamp(void **state)
{
	const struct stamp_row *row = *state;
	const char *const more[] = {"3gpp-sbi-max-rsp-time", row->max,
				    row->stamp_sent ? "3gpp-sbi-sender-timestamp" : NULL, row->stamp_sent, NULL};
	struct answer answer;
	void *scene;
	struct client *c;

	scene_begin(&scene);
	c = client_begin(scene);
	answer = client_get(c, check_path("00101"), more);
	assert_int_equal(answer.status, row->status);
	if (row->status == 504)
		assert_cause(&answer, 504, "TIMED_OUT_REQUEST");
	assert_int_equal(counted(scene)->field_wrong, row->wrong);
	assert_int_equal(counted(scene)->stamp_off, row->off);
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_SHED], row->status == 504);
	scene_end(&scene);
}

/* Without a stamp the time runs from the first field: a body that trickles uses it up. */
static void test_arrival(void **state)
{
	const char *const more[] = {"3gpp-sbi-max-rsp-time", "1500", "3gpp-sbi-sender-timestamp",
				    "Mon, 30 Nov 2026 00:00:00.000 GMT", NULL};
	struct scene *scene = *state;
	struct client *c;
	struct octets *o = octets_new(), *block = octets_new();
	struct answer answer;

	scene->config->ignore_stamps = true;
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_begin(scene);
	add_fields(block, "GET", check_path("00101"), more);
	for (int32_t id = 1; id <= 3; id += 2)
		add_frame(o, HEADERS, END_HEADERS, id, block->at, block->len);
	add_frame(o, DATA, END_STREAM, 1, NULL, 0);
	client_send(c, o->at, o->len);
	assert_int_equal(client_answer(c).status, 200);
	scene_pass(scene, 1600);
	o->len = 0;
	add_frame(o, DATA, END_STREAM, 3, NULL, 0);
	client_send(c, o->at, o->len);
	answer = client_answer(c);
	assert_cause(&answer, 504, "TIMED_OUT_REQUEST");
}

/* No request was sent after it came: a clock that is ahead gives nobody more time, by little or by much. */
static void test_ahead(void **state)
{
	static const char *const stamps[] = {"Mon, 30 Nov 2026 00:53:20.900 GMT", "Mon, 30 Nov 2026 00:54:20.000 GMT",
					     "Mon, 30 Nov 2026 12:53:20.000 GMT"};
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct octets *o = octets_new();

	for (unsigned i = 0; i < N_ROWS(stamps); i++) {
		const char *const more[] = {"3gpp-sbi-max-rsp-time", "1500", "3gpp-sbi-sender-timestamp", stamps[i],
					    NULL};
		struct octets *block = octets_new();
		add_fields(block, "GET", check_path("00101"), more);
		add_frame(o, HEADERS, END_HEADERS, 1 + 2 * (int32_t)i, block->at, block->len);
	}
	client_send(c, o->at, o->len);
	scene_pass(scene, 1600);
	for (unsigned i = 0; i < N_ROWS(stamps); i++) {
		struct answer answer;
		o->len = 0;
		add_frame(o, DATA, END_STREAM, 1 + 2 * (int32_t)i, NULL, 0);
		client_send(c, o->at, o->len);
		answer = client_answer(c);
		assert_cause(&answer, 504, "TIMED_OUT_REQUEST");
	}
}

/* --- rates */

static void test_limit_of_a_client(void **state)
{
	struct scene *scene = *state;
	struct client *a = client_begin(scene), *b;
	unsigned taken = 0;
	struct answer answer;

	scene_limit(scene, 50, 0, 0); /* five at once */
	for (unsigned i = 0; i < 10; i++)
		taken += client_get(a, check_path("00101"), NULL).status == 200;
	assert_int_equal(taken, 5);
	answer = client_get(a, check_path("00101"), NULL);
	assert_cause(&answer, 429, "NF_CONGESTION_RISK");
	assert_string_equal(answer_field(&answer, "retry-after"), "1");
	b = client_begin(scene); /* of the same name: the same bucket */
	assert_int_equal(client_get(b, check_path("00101"), NULL).status, 429);
	client_close(a);
	client_close(b);
	scene_settle(scene);
	a = client_begin(scene); /* nor does it help to come again */
	assert_int_equal(client_get(a, check_path("00101"), NULL).status, 429);
	scene_pass(scene, 1000);
	assert_int_equal(client_get(a, check_path("00101"), NULL).status, 200);
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_SHED], 8);
	assert_null(answer_field(&answer, "3gpp-sbi-oci")); /* the gate is not overloaded */
}

/* As many names as can be told apart are connected: told so, and served when one of them has gone. */
static void test_a_name_too_many(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct gate_client *others = NULL;
	struct answer answer;
	char name[32];

	for (unsigned i = 0; i < N5G_CLIENTS; i++) {
		snprintf(name, sizeof(name), "amf%u", i);
		others = clients_get(scene->n5g->clients, name, scene->stage.now_us);
		assert_non_null(others);
		clients_join(others);
	}
	answer = client_get(c, check_path("00101"), NULL);
	assert_cause(&answer, 503, "NF_CONGESTION");
	assert_string_equal(answer_field(&answer, "retry-after"), "1");
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_SHED], 1);
	assert_int_equal(counted(scene)->unnumbered, 1);
	clients_leave(scene->n5g->clients, others, scene->stage.now_us);
	scene_pass(scene, 1);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	assert_int_equal(counted(scene)->unnumbered, 1); /* it has the number of the one that has gone */
}

static void test_capacity_and_priority(void **state)
{
	const char *const first[] = {"3gpp-sbi-message-priority", "0", NULL};
	const char *const last[] = {"3gpp-sbi-message-priority", "31", NULL};
	const char *const none[] = {"3gpp-sbi-message-priority", "many", NULL};
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct answer answer;
	unsigned n;

	scene_limit(scene, 0, 0, 1000); /* a hundred at once */
	for (n = 0; client_get(c, check_path("00101"), last).status == 200; n++)
		;
	assert_in_range(n, 50, 60); /* the last ones give way when the bucket is half empty */
	answer = client_get(c, check_path("00101"), last);
	assert_cause(&answer, 503, "NF_CONGESTION");
	assert_string_equal(answer_field(&answer, "retry-after"), "1");
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	assert_int_equal(client_get(c, check_path("00101"), none).status, 200);
	assert_int_equal(counted(scene)->field_wrong, 1);
	for (n = 0; client_get(c, check_path("00101"), NULL).status == 200; n++)
		;
	for (n = 0; client_get(c, check_path("00101"), first).status == 200; n++)
		;
	assert_in_range(n, 30, 45); /* the first ones have all that is left */
}

static void test_reservation(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	unsigned n;

	scene_limit(scene, 0, 300, 10);
	for (n = 0; client_get(c, check_path("00101"), NULL).status == 200; n++)
		;
	assert_int_equal(n, 30); /* a tenth of a second's, whatever the gate takes on */
}

/* --- load */

static void test_oci(void **state)
{
	struct scene *scene = *state;
	struct client *c;
	struct answer answer;

	snprintf(scene->config->instance_id, sizeof(scene->config->instance_id), "%s", UUID);
	scene_limit(scene, 0, 0, 10);
	c = client_begin(scene);
	answer = client_get(c, check_path("00101"), NULL);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_field(&answer, "server"), "5G_EIR-" UUID);
	assert_null(answer_field(&answer, "3gpp-sbi-oci"));
	answer = client_get(c, check_path("00101"), NULL);
	assert_int_equal(answer.status, 503);
	assert_string_equal(answer_field(&answer, "3gpp-sbi-oci"),
			    "Timestamp: \"Mon, 30 Nov 2026 00:53:20 GMT\"; Period-of-Validity: 5s; "
			    "Overload-Reduction-Metric: 50%; NF-Instance: " UUID);
	client_get(c, check_path("00101"), NULL);
	client_get(c, check_path("00101"), NULL);
	scene_pass(scene, 1000);
	answer = client_get(c, check_path("00101"), NULL); /* one of four was taken */
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_field(&answer, "3gpp-sbi-oci"),
			    "Timestamp: \"Mon, 30 Nov 2026 00:53:21 GMT\"; Period-of-Validity: 5s; "
			    "Overload-Reduction-Metric: 75%; NF-Instance: " UUID);
	scene_pass(scene, 5000);
	answer = client_get(c, check_path("00101"), NULL);
	assert_null(answer_field(&answer, "3gpp-sbi-oci"));
}

/* The share is that of the gate's capacity: what a client's own limit shed has no part in it, what was taken and shed
 * on other interfaces has. */
static void test_oci_is_of_the_whole_gate(void **state)
{
	struct scene *scene = *state;
	struct rate_peer mme = {0};
	struct client *c;
	struct answer answer;

	snprintf(scene->config->instance_id, sizeof(scene->config->instance_id), "%s", UUID);
	scene_limit(scene, 10, 0, 20);
	c = client_begin(scene);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 429);
	for (unsigned i = 0; i < 3; i++)
		rate_admit(&mme, &(struct rate_terms){0}, &scene->stage.check.rate, 20, 0, scene->stage.now_us);
	assert_int_equal(mme.shed, 2);
	scene_pass(scene, 1000);
	answer = client_get(c, check_path("00101"), NULL);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_field(&answer, "3gpp-sbi-oci"),
			    "Timestamp: \"Mon, 30 Nov 2026 00:53:21 GMT\"; Period-of-Validity: 5s; "
			    "Overload-Reduction-Metric: 50%; NF-Instance: " UUID);
	scene_pass(scene, 1000);
	for (unsigned i = 0; i < 4; i++)
		rate_admit(&mme, &(struct rate_terms){0}, &scene->stage.check.rate, 20, 0, scene->stage.now_us);
	scene_pass(scene, 60000);
	answer = client_get(c, check_path("00101"), NULL);
	assert_null(answer_field(&answer, "3gpp-sbi-oci")); /* a minute ago */
}

static void test_lci(void **state)
{
	struct scene *scene = *state;
	struct client *c;
	struct answer answer;

	snprintf(scene->config->instance_id, sizeof(scene->config->instance_id), "%s", UUID);
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_begin(scene);
	scene->stage.check.load = 19;
	answer = client_get(c, check_path("00101"), NULL);
	assert_null(answer_field(&answer, "3gpp-sbi-lci"));
	scene->stage.check.load = 20;
	answer = client_get(c, check_path("00101"), NULL);
	assert_string_equal(answer_field(&answer, "3gpp-sbi-lci"),
			    "Timestamp: \"Mon, 30 Nov 2026 00:53:20 GMT\"; Load-Metric: 20%; NF-Instance: " UUID);
	scene->stage.check.load = 90;
	answer = client_get(c, check_path("00101"), NULL);
	assert_null(answer_field(&answer, "3gpp-sbi-lci")); /* once a second */
	scene_pass(scene, 1000);
	answer = client_get(c, check_path("00101"), NULL);
	assert_non_null(answer_field(&answer, "3gpp-sbi-lci"));
	answer = client_get(client_begin(scene), check_path("00101"), NULL);
	assert_non_null(answer_field(&answer, "3gpp-sbi-lci")); /* a client that was not told yet */
}

/* --- configuration */

static void test_prefix_and_age(void **state)
{
	struct scene *scene = *state;
	struct client *c;
	struct answer answer;

	snprintf(scene->config->prefix, sizeof(scene->config->prefix), "/eir");
	scene->config->max_age_s = 60;
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_begin(scene);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 400);
	answer = client_get(c, "/eir" PATH "?pei=imei-001001230000019&supi=imsi-001010000000001", NULL);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_field(&answer, "cache-control"), "max-age=60");
	answer = client_get(c, "/eir" PATH "?pei=imei-001001230000019&supi=imsi-001040000000001", NULL);
	assert_cause(&answer, 404, "ERROR_EQUIPMENT_UNKNOWN"); /* not kept */
}

/* A port that is taken: everything stays as it was, answers too. */
static void test_refused_configuration(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct n5g_config next = *scene->config;
	const char *loopback = "127.0.0.1";
	unsigned port = door_listening(n5g_door(scene->n5g), 0)->address[0].port;
	struct weir_why why;

	snprintf(next.prefix, sizeof(next.prefix), "/eir");
	next.certificate_required = true;
	assert_int_equal(config_add_listen(&next.door, GATE_TCP, &loopback, 1, port, NULL), 0);
	assert_true(n5g_prepare(scene->n5g, &next, &why) < 0);
	assert_int_equal(n5g_door(scene->n5g)->demand, TLS_PEER_MAY);
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	assert_int_equal(client_get(client_begin(scene), check_path("00101"), NULL).status, 200);
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, scene_begin, scene_end)

int main(void)
{
	static struct CMUnitTest tests[64];
	const struct CMUnitTest staged[] = {
		STAGED(test_colours),
		STAGED(test_malformed_is_the_policys),
		STAGED(test_other_kinds),
		STAGED(test_no_checks),
		STAGED(test_uri_too_long),
		STAGED(test_arrival),
		STAGED(test_ahead),
		STAGED(test_limit_of_a_client),
		STAGED(test_a_name_too_many),
		STAGED(test_capacity_and_priority),
		STAGED(test_reservation),
		STAGED(test_oci),
		STAGED(test_oci_is_of_the_whole_gate),
		STAGED(test_lci),
		STAGED(test_prefix_and_age),
		STAGED(test_refused_configuration),
	};
	size_t n = N_ROWS(staged);

	memcpy(tests, staged, sizeof(staged));
	for (size_t i = 0; i < N_ROWS(stamp_rows); i++)
		tests[n++] = ROW_TEST(stamp_rows[i].name, test_stamp, &stamp_rows[i]);
	return _cmocka_run_group_tests("n5g_session", tests, n, NULL, NULL);
}
