/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Names and text of metrics; the page as a whole is read by test_daemon.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/daemon.h"
#include "daemon/metrics.h"

static void test_names(void **state)
{
	static const struct {
		const char *group, *item, *name;
		bool counter;
	} rows[] = {
		{"gate.gsup", "check:white", "weir_gate_gsup_check_white_total", true},
		{"gate", "check_total", "weir_gate_check_total", true},
		{"gate", "peers", "weir_gate_peers", false},
		{"gate", "peers:total", "weir_gate_peers", false},
		{"gate", "peers:count", "weir_gate_peers", false},
		{"gate", "count", "weir_gate", false},
		{"weir_keeper", "events", "weir_keeper_events_total", true},
		{"A--B", "..C", "weir_a_b_c", false},
	};
	char name[METRICS_MAX_NAME], lengthy[400];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		metrics_name(name, rows[i].group, rows[i].item, rows[i].counter);
		assert_string_equal(name, rows[i].name);
	}
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = 0;
	metrics_name(name, lengthy, lengthy, true);
	assert_int_equal(strlen(name), METRICS_MAX_NAME - 1);
	assert_string_equal(name + strlen(name) - 6, "_total");
}

static void test_text_grows(void **state)
{
	struct daemon_text text = {0};

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		daemon_text_add(&text, "%04u ", i);
	assert_false(text.failed);
	assert_int_equal(text.len, 25000);
	assert_int_equal(strlen(text.text), 25000);
	assert_memory_equal(text.text + 4999 * 5, "4999 ", 6);
	daemon_text_free(&text);
	assert_null(text.text);
	assert_int_equal(text.len, 0);
}

static void test_text_exact_fit(void **state)
{
	(void)state;
	for (size_t len = 4090; len < 4100; len++) {
		struct daemon_text text = {0};

		daemon_text_add(&text, "%*s", (int)len, "x");
		assert_int_equal(strlen(text.text), len);
		assert_true(text.size > len);
		daemon_text_free(&text);
	}
}

static void test_text_failure_sticks(void **state)
{
	struct daemon_text text = {0};
	int len = 60 << 20;

	(void)state;
	daemon_text_add(&text, "%*s", len, "x");
	assert_false(text.failed);
	daemon_text_add(&text, "%*s", len, "x");
	assert_true(text.failed);
	assert_null(text.text);
	daemon_text_add(&text, "more");
	assert_true(text.failed);
	assert_null(text.text);
	daemon_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_text_grows),
		cmocka_unit_test(test_text_exact_fit),
		cmocka_unit_test(test_text_failure_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
