/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The NRF client without a network: what it says, when it says it, and what it makes of every answer.  Calls end in the
 * test (the functions of nrf_caller.h are below), time is moved by hand. */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

#include <talloc.h>

#include "gate/check.h"
#include "gate/config.h"
#include "gate/nrf.h"
#include "gate/nrf_caller.h"
#include "gate/traffic.h"
#include "hush.h"

#define US      "4947a69a-f61b-4bc1-b9da-47c9c5d14b64"
#define OTHER   "9faf1bbc-6e4a-4454-a507-a14ef8e1bc5c"
#define SECOND  1000000ll
#define START   (1000 * SECOND)
#define PROBLEM "{\"title\":\"no\",\"status\":400,\"cause\":\"MANDATORY_IE_INCORRECT\",\"detail\":\"nfType\"}"

/* --- the other side of nrf_caller.h */

static struct {
	nrf_reply_fn *replied;
	void *data;
	bool busy, refuse;
	unsigned calls, drops;
	struct nrf_server server;
	char method[8], id[SBI_UUID_TEXT], type[40], body[4096];
} line;

struct nrf_caller *nrf_caller_alloc(void *ctx, struct traffic *traffic, nrf_reply_fn *replied, void *data)
{
	(void)ctx, (void)traffic;
	memset(&line, 0, sizeof(line));
	line.replied = replied;
	line.data = data;
	return (struct nrf_caller *)&line;
}

void nrf_caller_free(struct nrf_caller *caller)
{
	(void)caller;
}

bool nrf_caller_call(struct nrf_caller *caller, const struct nrf_server *server, struct tls_context *tls,
		     const char *method, const char *instance_id, const char *type, const char *body, size_t len)
{
	(void)caller, (void)tls;
	assert_false(line.busy);
	if (line.refuse)
		return false;
	line.busy = true;
	line.calls++;
	line.server = *server;
	snprintf(line.method, sizeof(line.method), "%s", method);
	snprintf(line.id, sizeof(line.id), "%s", instance_id);
	snprintf(line.type, sizeof(line.type), "%s", type ? type : "");
	assert_in_range(len, 0, sizeof(line.body) - 1);
	snprintf(line.body, sizeof(line.body), "%.*s", (int)len, body ? body : "");
	return true;
}

bool nrf_caller_busy(const struct nrf_caller *caller)
{
	(void)caller;
	return line.busy;
}

void nrf_caller_forget(struct nrf_caller *caller)
{
	(void)caller;
	line.busy = false;
}

void nrf_caller_drop(struct nrf_caller *caller, bool politely)
{
	(void)caller, (void)politely;
	line.busy = false;
	line.drops++;
}

int64_t traffic_now_us(const struct traffic *traffic)
{
	(void)traffic;
	return 0;
}

/* --- the scene */

static struct check check;
static struct nrf *nrf;
static struct nrf_config config;
static struct door_config door;
static struct nrf_self self;
static int64_t now_us;

static int take(void)
{
	struct weir_why why;
	int rc = nrf_prepare(nrf, &config, &self, &why);

	if (!rc)
		nrf_commit(nrf);
	return rc;
}

static int begin(void **state)
{
	struct weir_why why;

	(void)state;
	memset(&check, 0, sizeof(check));
	memset(&door, 0, sizeof(door));
	nrf_config_init(&config);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.1", 7777, NULL, &why), 0);
	assert_int_equal(nrf_config_add_offer(&config, NRF_HTTP, "192.0.2.9", 7777, &why), 0);
	self = (struct nrf_self){.instance_id = US, .door = &door};
	nrf = nrf_alloc(NULL, &check, NULL);
	assert_non_null(nrf);
	now_us = START;
	nrf_turn(nrf, now_us);
	assert_int_equal(line.calls, 0);
	assert_int_equal(take(), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	nrf_free(nrf);
	return 0;
}

/* Ten turns a second, as the gate has them, until a call begins; how long it took. */
static int64_t wait_for_call(int64_t at_most_us)
{
	int64_t from_us = now_us;
	unsigned calls = line.calls;

	while (line.calls == calls && now_us - from_us <= at_most_us) {
		nrf_turn(nrf, now_us);
		if (line.calls == calls)
			now_us += SECOND / 10;
	}
	return line.calls == calls ? -1 : now_us - from_us;
}

static void expect_call(const char *method, int64_t from_us, int64_t to_us)
{
	int64_t took_us = wait_for_call(to_us + SECOND);

	assert_string_equal(line.method, method);
	assert_in_range(took_us, from_us, to_us);
}

static void reply(unsigned status, const char *body)
{
	struct nrf_reply r = {.status = status, .body = body, .len = strlen(body)};

	assert_true(line.busy);
	line.busy = false;
	line.replied(line.data, &r);
}

static void no_reply(bool late, bool stale)
{
	struct nrf_reply r = {.why = late ? "no answer" : "connecting failed", .late = late, .stale = stale};

	assert_true(line.busy);
	line.busy = false;
	line.replied(line.data, &r);
}

static const char *phase(void)
{
	static struct nrf_state state;

	nrf_state(nrf, &state);
	return state.name;
}

static bool is_well(void)
{
	struct nrf_state state;

	nrf_state(nrf, &state);
	return state.registered;
}

static uint64_t counted(const char *name)
{
	struct counter_table table = nrf_counter_table(nrf);

	for (unsigned i = 0; i < table.n; i++) {
		if (!strcmp(table.row[i].name, name))
			return counter_value(&table, &table.row[i]);
	}
	fail_msg("no counter %s", name);
	return 0;
}

static void register_once(const char *answer)
{
	expect_call("PUT", 0, 0);
	reply(201, answer);
	assert_string_equal(phase(), "registered");
}

/* --- good days */

static void test_registers_and_beats(void **state)
{
	(void)state;
	expect_call("PUT", 0, 0);
	assert_string_equal(line.id, US);
	assert_string_equal(line.type, "application/json");
	assert_false(is_well());
	check.load = 37;
	reply(201, "{\"heartBeatTimer\":20}");
	assert_true(is_well());
	for (unsigned i = 0; i < 3; i++) {
		expect_call("PATCH", 17 * SECOND, 18 * SECOND);
		assert_string_equal(line.type, "application/json-patch+json");
		assert_string_equal(line.body, "[{\"op\":\"replace\",\"path\":\"/nfStatus\",\"value\":\"REGISTERED\"},"
					       "{\"op\":\"replace\",\"path\":\"/load\",\"value\":37}]");
		reply(204, "");
	}
	expect_call("PATCH", 17 * SECOND, 18 * SECOND);
	reply(200, "{\"heartBeatTimer\":5}");
	expect_call("PATCH", 4 * SECOND, 5 * SECOND);
	assert_int_equal(counted("heartbeats"), 4);
	assert_int_equal(counted("registered"), 1);
	assert_int_equal(counted("failed"), 0);
}

static const struct timer_row {
	const char *name, *answer;
	unsigned heartbeat_s;
} timer_rows[] = {
	{"an answer without a timer leaves what we proposed", "{\"nfInstanceId\":\"x\"}", 10},
	{"an answer without a body too", "", 10},
	{"a timer of one second", "{\"heartBeatTimer\":1}", 1},
	{"a timer of years is an hour", "{\"heartBeatTimer\":99999999}", 3600},
	{"a timer of zero is none", "{\"heartBeatTimer\":0}", 10},
	{"a negative timer is none", "{\"heartBeatTimer\":-1}", 10},
	{"a timer in words is none", "{\"heartBeatTimer\":\"20\"}", 10},
	{"a fraction is none", "{\"heartBeatTimer\":2.5}", 10},
	{"a list of timers is none", "{\"heartBeatTimer\":[1]}", 10},
	{"an answer that is no object", "[{\"heartBeatTimer\":1}]", 10},
	{"an answer that is no JSON", "<html>", 10},
	{"an answer that is cut", "{\"heartBeatTimer\":1", 10},
};

static void test_timer(void **state)
{
	const struct timer_row *row = *state;
	struct nrf_state shown;

	begin(NULL);
	register_once(row->answer);
	nrf_state(nrf, &shown);
	assert_int_equal(shown.heartbeat_s, row->heartbeat_s);
	end(NULL);
}

static void test_forgotten_is_told_at_once(void **state)
{
	(void)state;
	register_once("{\"heartBeatTimer\":10}");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	reply(404, PROBLEM);
	expect_call("PUT", 0, 0);
	reply(201, "");
	assert_true(is_well());
	assert_int_equal(counted("forgotten"), 1);
	assert_int_equal(counted("failed"), 0);
}

/* --- bad days */

static void test_backs_off(void **state)
{
	static const int64_t want_s[] = {1, 2, 4, 8, 16, 30, 30, 30};

	(void)state;
	expect_call("PUT", 0, 0);
	for (unsigned i = 0; i < N_ROWS(want_s); i++) {
		no_reply(i % 2, false);
		assert_false(is_well());
		expect_call("PUT", want_s[i] * SECOND * 4 / 5 - SECOND / 10, want_s[i] * SECOND * 6 / 5 + SECOND / 10);
	}
	assert_int_equal(counted("failed"), N_ROWS(want_s));
	assert_int_equal(counted("late"), N_ROWS(want_s) / 2);
	reply(200, "");
	assert_true(is_well());
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	no_reply(false, false);
	expect_call("PATCH", SECOND * 7 / 10, SECOND * 13 / 10); /* from the beginning, and it may know us still */
	reply(204, "");
	assert_true(is_well());
}

static const struct status_row {
	const char *name;
	unsigned status;
	const char *then; /* the next call, after a failed heartbeat */
	unsigned redirected;
} status_rows[] = {
	{"400 on a heartbeat: the whole profile next", 400, "PUT", 0},
	{"405 on a heartbeat: the whole profile next", 405, "PUT", 0},
	{"412 on a heartbeat: the whole profile next", 412, "PUT", 0},
	{"500 on a heartbeat: another heartbeat", 500, "PATCH", 0},
	{"503 on a heartbeat: another heartbeat", 503, "PATCH", 0},
	{"307 is not followed", 307, "PUT", 1},
	{"308 is not followed", 308, "PUT", 1},
	{"302 is not followed", 302, "PUT", 0},
};

static void test_status(void **state)
{
	const struct status_row *row = *state;
	struct nrf_state shown;
	char want[16];

	begin(NULL);
	register_once("");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	reply(row->status, PROBLEM);
	nrf_state(nrf, &shown);
	snprintf(want, sizeof(want), "answered %u", row->status);
	assert_non_null(strstr(shown.why, want));
	assert_non_null(strstr(shown.why, "MANDATORY_IE_INCORRECT"));
	assert_false(shown.registered);
	expect_call(row->then, SECOND * 7 / 10, SECOND * 13 / 10);
	assert_string_equal(line.id, US);
	assert_int_equal(line.server.place.address.port, 7777);
	assert_int_equal(counted("redirected"), row->redirected);
	end(NULL);
}

static void test_what_the_nrf_says_is_printable(void **state)
{
	struct nrf_state shown;

	(void)state;
	expect_call("PUT", 0, 0);
	reply(400, "{\"detail\":\"a\\u0007b\\n\\u00e9\",\"cause\":7}");
	nrf_state(nrf, &shown);
	assert_string_equal(shown.why, "answered 400: a?b???");
}

static void test_retry_after_is_heeded(void **state)
{
	struct nrf_reply r = {.status = 503, .body = "", .retry_after_s = 20};

	(void)state;
	expect_call("PUT", 0, 0);
	line.busy = false;
	line.replied(line.data, &r);
	expect_call("PUT", 19 * SECOND, 21 * SECOND);
}

static void test_a_stale_connection_is_no_failure(void **state)
{
	(void)state;
	register_once("");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	no_reply(false, true);
	assert_true(is_well());
	expect_call("PATCH", 0, 0);
	no_reply(false, false);
	assert_false(is_well());
	assert_int_equal(counted("failed"), 1);
}

static void test_no_descriptor(void **state)
{
	(void)state;
	line.refuse = true;
	assert_int_equal(wait_for_call(SECOND * 20), -1);
	assert_in_range(counted("failed"), 3, 6);
	line.refuse = false;
	assert_in_range(wait_for_call(40 * SECOND), 0, 36 * SECOND);
	reply(201, "");
	assert_true(is_well());
}

static void test_the_next_of_several(void **state)
{
	struct weir_why why;

	(void)state;
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.2", 7777, NULL, &why), 0);
	assert_int_equal(take(), 0);
	expect_call("PUT", 0, 0);
	assert_int_equal(line.server.place.address.octets[3], 1);
	no_reply(false, false);
	expect_call("PUT", 0, SECOND / 2);
	assert_int_equal(line.server.place.address.octets[3], 2);
	no_reply(false, false);
	expect_call("PUT", SECOND * 7 / 10, SECOND * 13 / 10);
	assert_int_equal(line.server.place.address.octets[3], 1);
	no_reply(false, false);
	expect_call("PUT", 0, SECOND / 2);
	reply(201, "");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	assert_int_equal(line.server.place.address.octets[3], 2);
	no_reply(true, false);
	expect_call("PUT", 0, SECOND / 2); /* the other has not heard of us */
	assert_int_equal(line.server.place.address.octets[3], 1);
	reply(201, "");
	assert_true(is_well());
}

/* --- status and configuration */

static const char *status_said(void)
{
	return strstr(line.body, "\"nfStatus\":\"SUSPENDED\"")    ? "SUSPENDED"
	       : strstr(line.body, "\"nfStatus\":\"REGISTERED\"") ? "REGISTERED"
								  : "";
}

static void test_suspended_while_the_store_fails(void **state)
{
	(void)state;
	register_once("");
	assert_string_equal(status_said(), "REGISTERED");
	nrf_operative(nrf, true);
	assert_int_equal(wait_for_call(SECOND), -1);
	nrf_operative(nrf, false);
	expect_call("PUT", 0, 0);
	assert_string_equal(status_said(), "SUSPENDED");
	nrf_operative(nrf, true); /* while that is under way */
	expect_call("PUT", 0, 0);
	assert_string_equal(status_said(), "REGISTERED");
	reply(200, "");
	assert_true(is_well());
	assert_int_equal(counted("registered"), 2);
}

static void test_a_changed_profile_is_put(void **state)
{
	(void)state;
	register_once("");
	assert_int_equal(take(), 0); /* the same again: nothing to say */
	assert_int_equal(wait_for_call(SECOND), -1);
	config.profile.capacity = 7;
	assert_int_equal(take(), 0);
	expect_call("PUT", 0, 0);
	assert_non_null(strstr(line.body, "\"capacity\":7"));
	reply(200, "");
	assert_string_equal(phase(), "registered");
}

static void test_another_identity_leaves_first(void **state)
{
	(void)state;
	register_once("");
	self.instance_id = OTHER;
	assert_int_equal(take(), 0);
	assert_string_equal(phase(), "leaving");
	expect_call("DELETE", 0, 0);
	assert_string_equal(line.id, US);
	reply(204, "");
	expect_call("PUT", 0, 0);
	assert_string_equal(line.id, OTHER);
	reply(201, "");
	assert_int_equal(counted("deregistered"), 1);
}

static void test_another_nrf_hears_after_the_old(void **state)
{
	struct weir_why why;

	(void)state;
	register_once("");
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.2", 7777, NULL, &why), 0);
	assert_int_equal(nrf_config_del_server(&config, NRF_HTTP, "192.0.2.1", 7777, &why), 0);
	assert_int_equal(take(), 0);
	expect_call("DELETE", 0, 0);
	assert_int_equal(line.server.place.address.octets[3], 1);
	no_reply(false, false);
	expect_call("PUT", 0, 0);
	assert_int_equal(line.server.place.address.octets[3], 2);
	reply(201, "");
	assert_true(is_well());
}

static void test_no_nrf_any_more(void **state)
{
	struct nrf_state shown;

	(void)state;
	register_once("");
	config.n_servers = 0;
	memset(config.server, 0, sizeof(config.server));
	assert_int_equal(take(), 0);
	expect_call("DELETE", 0, 0);
	reply(204, "");
	assert_string_equal(phase(), "off");
	assert_int_equal(wait_for_call(60 * SECOND), -1);
	nrf_state(nrf, &shown);
	assert_false(shown.on);
	end(NULL);
	begin(NULL); /* and one again */
	register_once("");
}

static void test_an_nrf_is_in_nobodys_way(void **state)
{
	(void)state;
	expect_call("PUT", 0, 0);
	config.profile.priority = 9; /* while the first is under way */
	assert_int_equal(take(), 0);
	expect_call("PUT", 0, 0);
	assert_non_null(strstr(line.body, "\"priority\":9"));
}

/* --- the end */

static void test_says_goodbye(void **state)
{
	(void)state;
	register_once("");
	nrf_stop(nrf);
	assert_string_equal(line.method, "DELETE"); /* from within */
	assert_string_equal(line.id, US);
	assert_string_equal(line.body, "");
	nrf_stop(nrf);
	assert_int_equal(line.calls, 2);
	reply(204, "");
	assert_string_equal(phase(), "stopped");
	assert_int_equal(wait_for_call(60 * SECOND), -1);
	assert_int_equal(counted("deregistered"), 1);
}

static void test_goodbye_has_an_end(void **state)
{
	unsigned drops;

	(void)state;
	register_once("");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND); /* a heartbeat is under way, and no answer comes any more */
	nrf_stop(nrf);
	assert_string_equal(line.method, "DELETE");
	drops = line.drops;
	assert_int_equal(wait_for_call(SECOND * 19 / 10), -1);
	assert_string_equal(phase(), "leaving");
	assert_int_equal(wait_for_call(SECOND * 2 / 10), -1);
	assert_string_equal(phase(), "stopped");
	assert_true(line.drops > drops);
}

static void test_nothing_to_say_goodbye_to(void **state)
{
	(void)state;
	expect_call("PUT", 0, 0);
	no_reply(false, false);
	nrf_stop(nrf);
	assert_string_equal(phase(), "stopped");
	assert_int_equal(line.calls, 1);
}

static void test_goodbye_before_the_answer(void **state)
{
	(void)state;
	expect_call("PUT", 0, 0);
	nrf_stop(nrf);
	assert_string_equal(line.method, "DELETE");
	assert_string_equal(line.id, US);
	reply(204, "");
	assert_string_equal(phase(), "stopped");
}

static void test_goodbye_to_the_one_that_is_being_told(void **state)
{
	struct weir_why why;

	(void)state;
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.2", 7777, NULL, &why), 0);
	assert_int_equal(take(), 0);
	register_once("");
	expect_call("PATCH", 8 * SECOND, 9 * SECOND);
	no_reply(false, false);
	expect_call("PUT", 0, SECOND / 2);
	nrf_stop(nrf);
	assert_string_equal(line.method, "DELETE");
	assert_int_equal(line.server.place.address.octets[3], 2);
}

static void test_another_nrf_before_the_answer(void **state)
{
	struct weir_why why;

	(void)state;
	expect_call("PUT", 0, 0);
	assert_int_equal(nrf_config_del_server(&config, NRF_HTTP, "192.0.2.1", 7777, &why), 0);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTP, "192.0.2.2", 7777, NULL, &why), 0);
	assert_int_equal(take(), 0);
	expect_call("DELETE", 0, 0);
	assert_int_equal(line.server.place.address.octets[3], 1);
	reply(204, "");
	expect_call("PUT", 0, 0);
	assert_int_equal(line.server.place.address.octets[3], 2);
}

static void test_unknown_at_goodbye(void **state)
{
	(void)state;
	register_once("");
	nrf_stop(nrf);
	reply(404, PROBLEM);
	assert_string_equal(phase(), "stopped");
	assert_int_equal(counted("deregistered"), 1);
	assert_int_equal(counted("failed"), 0);
}

/* --- what makes a configuration unusable */

static void test_refused_configurations(void **state)
{
	struct weir_why why = {""};

	(void)state;
	config.profile.n_offers = 0;
	memset(config.profile.offer, 0, sizeof(config.profile.offer));
	assert_int_equal(nrf_prepare(nrf, &config, &self, &why), -EINVAL);
	assert_non_null(strstr(why.text, "advertise"));
	door.n_listen = 1;
	door.listen[0] = (struct gate_place){.n = 1, .address[0] = {.family = AF_INET, .port = 7777}}; /* any */
	assert_int_equal(nrf_prepare(nrf, &config, &self, &why), -EINVAL);
	assert_int_equal(address_from_text("2001:db8::9", 7778, &door.listen[1].address[0]), 0);
	door.n_listen = 2;
	assert_int_equal(nrf_prepare(nrf, &config, &self, &why), 0);
	nrf_abort(nrf);
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTPS, "192.0.2.3", 443, NULL, &why), 0);
	assert_int_equal(nrf_prepare(nrf, &config, &self, &why), -EINVAL);
	assert_non_null(strstr(why.text, "name NAME"));
	assert_int_equal(nrf_config_add_server(&config, NRF_HTTPS, "192.0.2.3", 443, "nrf.example", &why), 0);
	assert_int_equal(nrf_prepare(nrf, &config, &self, &why), -EINVAL);
	assert_non_null(strstr(why.text, "tls ca"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	static const struct CMUnitTest whole[] = {
		TEST(test_registers_and_beats),
		TEST(test_forgotten_is_told_at_once),
		TEST(test_backs_off),
		TEST(test_what_the_nrf_says_is_printable),
		TEST(test_retry_after_is_heeded),
		TEST(test_a_stale_connection_is_no_failure),
		TEST(test_no_descriptor),
		TEST(test_the_next_of_several),
		TEST(test_suspended_while_the_store_fails),
		TEST(test_a_changed_profile_is_put),
		TEST(test_another_identity_leaves_first),
		TEST(test_another_nrf_hears_after_the_old),
		TEST(test_no_nrf_any_more),
		TEST(test_an_nrf_is_in_nobodys_way),
		TEST(test_says_goodbye),
		TEST(test_goodbye_has_an_end),
		TEST(test_nothing_to_say_goodbye_to),
		TEST(test_goodbye_before_the_answer),
		TEST(test_goodbye_to_the_one_that_is_being_told),
		TEST(test_another_nrf_before_the_answer),
		TEST(test_unknown_at_goodbye),
		TEST(test_refused_configurations),
	};
	struct CMUnitTest all[N_ROWS(whole) + N_ROWS(timer_rows) + N_ROWS(status_rows)];
	unsigned n = 0;

	hush();
	ADD_ROWS(all, n, timer_rows, test_timer);
	ADD_ROWS(all, n, status_rows, test_status);
	memcpy(all + n, whole, sizeof(whole));
	return cmocka_run_group_tests_name("nrf", all, NULL, NULL);
}
