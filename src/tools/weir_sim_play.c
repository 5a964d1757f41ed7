/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the counterparts of weir-sim have in common besides a connection: identities as they are typed, what is told,
 * and the figures of a load. */
#include "tools/weir_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX UINT64_C(100000000)

enum sim_exit sim_exit_of(int err)
{
	return err >= 0 ? SIM_ANSWERED : err == -EINVAL ? SIM_USAGE : SIM_FAILED;
}

int sim_read_imei(const char *typed, struct weir_imei_reading *reading)
{
	enum weir_imei_fault fault = imei_from_text(typed, strlen(typed), reading);

	if (!fault)
		return 0;
	fprintf(stderr, "weir-sim: \"%s\" %s\n", typed, imei_fault_text(fault));
	return -EINVAL;
}

/* One line: what was asked for, what was answered, how long it took. */
static void tell(const char *asked, const char *verdict, int64_t us)
{
	printf("%s  %-10s %7.3f ms\n", asked, verdict, (double)us / 1000);
}

/* --- listening -------------------------------------------------------------------------------- */

static volatile sig_atomic_t ended;

static void end_cb(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

void sim_catch_signals(void)
{
	const struct sigaction end = {.sa_handler = end_cb};

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
}

bool sim_was_ended(void)
{
	return ended;
}

/* --- the score -------------------------------------------------------------------------------- */

static void take_error(struct sim_score *score, const char *text)
{
	struct sim_error *error = score->errors, *last = &score->errors[SIM_ERRORS_MAX - 1];

	while (error < last && error->n && strcmp(error->text, text) != 0)
		error++;
	if (!error->n)
		snprintf(error->text, sizeof(error->text), "%s", error == last ? "error others" : text);
	error->n++;
}

void sim_score_take(struct sim_score *score, const char *asked, const char *verdict, int64_t us)
{
	unsigned i;

	if (!score->times_us)
		tell(asked, verdict, us);
	score->answers++;
	for (i = 0; score->verdicts[i] && strcmp(verdict, score->verdicts[i]) != 0; i++)
		;
	if (!score->verdicts[i]) {
		take_error(score, verdict);
		return;
	}
	if (score->times_us)
		score->times_us[score->good] = (uint32_t)us;
	score->good++;
	score->n[i]++;
}

int sim_score_result(const struct sim_score *score)
{
	return score->answers > score->good ? -EREMOTEIO : 0;
}

/* "white 5, grey 0, errors 45: 3004 too-busy 25, 5012 unable-to-comply 20" */
static void print_score(const struct sim_score *score)
{
	const struct sim_error *error = score->errors;
	unsigned i;

	for (i = 0; score->verdicts[i]; i++)
		printf("%s %" PRIu64 ", ", score->verdicts[i], score->n[i]);
	printf("errors %" PRIu64, score->answers - score->good);
	for (i = 0; i < SIM_ERRORS_MAX && error[i].n; i++)
		printf("%s %s %" PRIu64, i ? "," : ":", error[i].text + strlen("error "), error[i].n);
	putchar('\n');
}

/* --- load ------------------------------------------------------------------------------------- */

int sim_load_begin(struct sim_load *load, int argc, char **argv, struct sim_score *score)
{
	char *end[2];
	unsigned long depth = strtoul(argv[argc - 1], &end[1], 10);

	*load = (struct sim_load){.count = strtoull(argv[0], &end[0], 10), .depth = (unsigned)depth};
	if (*end[0] || *end[1] || !load->count || load->count > COUNT_MAX || !depth || depth > SIM_DEPTH_MAX) {
		fprintf(stderr, "weir-sim: load takes a count up to %" PRIu64 " and a depth up to %d\n", COUNT_MAX,
			SIM_DEPTH_MAX);
		return -EINVAL;
	}
	score->times_us = calloc(load->count, sizeof(*score->times_us));
	load->began_us = sim_now_us();
	return score->times_us ? 0 : -ENOMEM;
}

uint64_t sim_load_key(uint64_t n)
{
	static const uint64_t first_key = UINT64_C(100000000000); /* TAC 00100000, the tests' own */

	return first_key + (n * UINT64_C(7919)) % 1000000;
}

static int compare_times(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void sim_load_tell(const struct sim_load *load, struct sim_score *score)
{
	uint64_t good = score->good;
	int64_t took_us = sim_now_us() - load->began_us;

	printf("%" PRIu64 " answers; %" PRIu64 " verdicts", score->answers, good);
	if (good) {
		qsort(score->times_us, good, sizeof(*score->times_us), compare_times);
		printf(", %.0f a second; p50 %u us, p99 %u us", (double)good * 1e6 / (double)(took_us ? took_us : 1),
		       score->times_us[good / 2], score->times_us[good - 1 - good / 100]);
	}
	printf("; ");
	print_score(score);
}
