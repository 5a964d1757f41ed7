/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What counterparts do that ask over a connection of their own: take whole frames, wait, ask one after the other or
 * many at once.  It knows no protocol; struct sim_protocol does. */
#include "tools/weir_sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 64 /* questions in one write */

/* Wait once and take every whole frame.  1: something came; 0: the time is over; negative: it is of no use any more. */
static int turn(struct sim_dialog *dialog, int timeout_ms)
{
	struct sim_link *link = &dialog->link;
	int came = sim_link_receive(link, timeout_ms);
	ssize_t taken = 1;

	while (came > 0 && taken > 0) {
		taken = dialog->protocol->take(dialog, link->in + link->taken, link->used - link->taken);
		if (taken > 0)
			link->taken += (size_t)taken;
	}
	if (came < 0)
		fprintf(stderr, "weir-sim: %s\n",
			came == -EPIPE ? "the other side closed the connection" : strerror(-came));
	return taken < 0 ? (int)taken : came;
}

int sim_dialog_wait(struct sim_dialog *dialog, bool (*is_done)(const struct sim_dialog *dialog), int timeout_ms)
{
	int64_t stop = sim_now_us() + (int64_t)timeout_ms * 1000;
	int err = 0;

	while (err >= 0 && !is_done(dialog) && sim_now_us() < stop)
		err = turn(dialog, (int)((stop - sim_now_us()) / 1000) + 1);
	return err < 0 ? err : is_done(dialog) ? 0 : -ETIMEDOUT;
}

static int complain_of_silence(const struct sim_dialog *dialog)
{
	fprintf(stderr, "weir-sim: no answer within %d ms\n", dialog->options->timeout_ms);
	return -ETIMEDOUT;
}

static int add_question(struct sim_dialog *dialog, const char *asked, const struct weir_imei_reading *reading,
			int64_t now_us, uint8_t *buf)
{
	int len = dialog->protocol->write_question(dialog, asked, reading, now_us, buf, SIM_QUESTION_ROOM);

	dialog->n += len > 0;
	return len;
}

static bool is_answered(const struct sim_dialog *dialog)
{
	return !dialog->n;
}

static int ask(struct sim_dialog *dialog, const char *asked, const struct weir_imei_reading *reading)
{
	uint8_t buf[SIM_QUESTION_ROOM];
	int len = add_question(dialog, asked, reading, sim_now_us(), buf);
	int err = len < 0 ? len : sim_link_send(&dialog->link, buf, (size_t)len);

	if (!err)
		err = sim_dialog_wait(dialog, is_answered, dialog->options->timeout_ms);
	return err == -ETIMEDOUT ? complain_of_silence(dialog) : err;
}

/* --- commands --------------------------------------------------------------------------------- */

int sim_dialog_check(void *dialog, int argc, char **argv)
{
	struct weir_imei_reading reading;
	int i, err = 0;

	for (i = 0; i < argc && !err; i++)
		err = sim_read_imei(argv[i], &reading) ? -EINVAL : ask(dialog, argv[i], &reading);
	return err;
}

int sim_dialog_listen(void *dialog, int argc, char **argv)
{
	int err = sim_dialog_check(dialog, argc, argv);

	sim_catch_signals();
	if (!err)
		printf("listening\n");
	while (err >= 0 && !sim_was_ended())
		err = turn(dialog, 500);
	return err < 0 ? err : 0;
}

/* Fill up to depth questions under way, in one write. */
static int fill(struct sim_dialog *dialog, const struct sim_load *load, uint64_t *sent)
{
	uint8_t buf[AT_ONCE * SIM_QUESTION_ROOM];
	size_t used = 0;
	int64_t now_us = sim_now_us();
	unsigned i;

	for (i = 0; i < AT_ONCE && dialog->n < load->depth && *sent < load->count; i++) {
		const struct weir_imei_reading reading = {
			.imei = {.key = sim_load_key(*sent), .svn = WEIR_NO_SVN},
			.given_check = -1,
		};
		int len = add_question(dialog, "load", &reading, now_us, buf + used);

		if (len < 0)
			return len;
		used += (size_t)len;
		++*sent;
	}
	return used ? sim_link_send(&dialog->link, buf, used) : 0;
}

int sim_dialog_load(void *data, int argc, char **argv)
{
	struct sim_dialog *dialog = data;
	struct sim_load load;
	uint64_t sent = 0;
	int err = sim_load_begin(&load, argc, argv, &dialog->score);

	while (err >= 0 && dialog->score.answers < load.count) {
		err = fill(dialog, &load, &sent);
		if (err >= 0)
			err = turn(dialog, dialog->options->timeout_ms);
		if (err == 0)
			err = complain_of_silence(dialog);
	}
	if (err < 0)
		return err;
	sim_load_tell(&load, &dialog->score);
	return 0;
}

int sim_dialog_run(struct sim_dialog *dialog, const struct sim_command *command, int argc, char **argv)
{
	int err;

	dialog->link.fd = -1;
	err = dialog->protocol->begin(dialog);
	if (!err)
		err = command->run(dialog, argc, argv);
	if (!err)
		err = sim_score_result(&dialog->score);
	dialog->protocol->end(dialog, err);
	sim_link_close(&dialog->link);
	free(dialog->score.times_us);
	return sim_exit_of(err);
}
