/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the counterparts of weir-sim have in common besides a connection: commands, identities as they are typed, what
 * is told, and the figures of a load. */
#include "tools/weir_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX UINT64_C(100000000)

const struct sim_command *sim_command_of(const struct sim_counterpart *counterpart, const struct sim_command *commands,
					 int argc, char **argv)
{
	for (; commands->name; commands++) {
		if (!strcmp(argv[0], commands->name) && argc - 1 >= commands->min && argc - 1 <= commands->max)
			return commands;
	}
	fprintf(stderr, "weir-sim: %s knows\n%s", counterpart->name, counterpart->commands);
	return NULL;
}

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

void sim_tell(const char *asked, const char *verdict, int64_t us)
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

/* --- load ------------------------------------------------------------------------------------- */

int sim_load_begin(struct sim_load *load, int argc, char **argv, uint32_t **times_us)
{
	char *end[2];
	unsigned long depth = strtoul(argv[argc - 1], &end[1], 10);

	*load = (struct sim_load){.count = strtoull(argv[0], &end[0], 10), .depth = (unsigned)depth};
	if (*end[0] || *end[1] || !load->count || load->count > COUNT_MAX || !depth || depth > SIM_DEPTH_MAX) {
		fprintf(stderr, "weir-sim: load takes a count up to %" PRIu64 " and a depth up to %d\n", COUNT_MAX,
			SIM_DEPTH_MAX);
		return -EINVAL;
	}
	*times_us = calloc(load->count, sizeof(**times_us));
	load->began_us = sim_now_us();
	return *times_us ? 0 : -ENOMEM;
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

void sim_load_tell(const struct sim_load *load, uint32_t *times_us)
{
	uint64_t count = load->count;
	int64_t took_us = sim_now_us() - load->began_us;

	qsort(times_us, count, sizeof(*times_us), compare_times);
	printf("%" PRIu64 " answers, %.0f a second; p50 %u us, p99 %u us", count,
	       (double)count * 1e6 / (double)(took_us ? took_us : 1), times_us[count / 2],
	       times_us[count - 1 - count / 100]);
}
