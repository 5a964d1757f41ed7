/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The GSUP counterpart: an MSC's VLR as far as equipment checks go.  It names itself when asked, answers pings, asks
 * Check-IMEI, and gives up a subscriber whose location is cancelled, as osmo-msc does.  It never decides anything. */
#include "tools/weir_sim.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/gsup.h"

#define IE_CAUSE 0x02
#define IE_IMEI_RESULT 0x51

struct msc {
	const struct sim_options *options;
	struct sim_link link;
	bool greeted;           /* the server asked who we are and was told */
	uint64_t cancels;
	/* questions under way, oldest first: answers come in their order */
	struct question {
		uint64_t key;
		int64_t sent_us;
	} *asked;
	unsigned first, n;
	struct sim_score score;
};

static const char *const verdicts[] = { "accepted", "refused", NULL };

/* --- reading ---------------------------------------------------------------------------------- */

/* The first octet of an IE of a GSUP frame, or -1. */
static int ie_octet(const struct ipa_frame *frame, uint8_t tag)
{
	size_t i = 2; /* extension and type */

	while (i + 2 <= frame->body_len) {
		size_t len = frame->body[i + 1];

		if (i + 2 + len > frame->body_len)
			return -1;
		if (frame->body[i] == tag)
			return len ? frame->body[i + 2] : -1;
		i += 2 + len;
	}
	return -1;
}

static const char *cause_text(int cause)
{
	switch (cause) {
	case GSUP_CAUSE_ILLEGAL_ME:
		return " illegal ME";
	case GSUP_CAUSE_NETWORK_FAILURE:
		return " network failure";
	case GSUP_CAUSE_INVALID_MANDATORY:
		return " invalid mandatory information";
	default:
		return "";
	}
}

/* What an MSC makes of an answer, or NULL where it is none. */
static const char *read_verdict(const struct ipa_frame *frame, uint8_t type, char buf[static SIM_VERDICT_TEXT])
{
	int octet = ie_octet(frame, type == GSUP_CHECK_IMEI_RESULT ? IE_IMEI_RESULT : IE_CAUSE);

	if (type == GSUP_CHECK_IMEI_RESULT)
		return octet == 0 || octet == 1 ? verdicts[octet] : NULL;
	snprintf(buf, SIM_VERDICT_TEXT, "error %d%s", octet, cause_text(octet));
	return buf;
}

/* The answer to the oldest question.  0, or -EPROTO where it is none. */
static int take_answer(struct msc *msc, const struct ipa_frame *frame, uint8_t type)
{
	const struct question *q = &msc->asked[msc->first];
	char buf[SIM_VERDICT_TEXT], asked[WEIR_IMEI_TEXT];
	const char *verdict = read_verdict(frame, type, buf);

	if (!msc->n) {
		fprintf(stderr, "weir-sim: an answer that was not asked for\n");
		return -EPROTO;
	}
	if (!verdict) {
		fprintf(stderr, "weir-sim: a result without a verdict\n");
		return -EPROTO;
	}
	sim_score_take(&msc->score, imei_print_checked(asked, q->key), verdict, sim_now_us() - q->sent_us);
	msc->first = (msc->first + 1) % SIM_DEPTH_MAX;
	msc->n--;
	return 0;
}

/* "Drop this subscriber": say when, and that it is done. */
static int take_cancel(struct msc *msc, const struct gsup_view *view)
{
	uint8_t frame[IPA_HEADER + 2 + 16] = { 0, 0, IPA_OSMO, IPA_EXT_GSUP, GSUP_LOCATION_CANCEL_RESULT };
	char when[16], imsi[WEIR_DIGITS_TEXT];

	if (!view->imsi_ie || view->imsi_ie_len > 16) {
		fprintf(stderr, "weir-sim: a location cancel without an IMSI\n");
		return -EPROTO;
	}
	memcpy(frame + 5, view->imsi_ie, view->imsi_ie_len);
	frame[1] = (uint8_t)(2 + view->imsi_ie_len);
	printf("%s  location cancel for %s\n", sim_clock_text(when), imsi_print(imsi, view->imsi));
	msc->cancels++;
	return sim_link_send(&msc->link, frame, 5u + view->imsi_ie_len);
}

static int take_ccm(struct msc *msc, const struct ipa_frame *frame)
{
	uint8_t answer[CCM_NAME_TEXT * 4];
	int len;

	switch (frame->body_len ? frame->body[0] : -1) {
	case CCM_PING:
		return sim_link_send(&msc->link, ccm_pong_frame, sizeof(ccm_pong_frame));
	case CCM_ID_GET:
		len = ccm_id_resp_encode(msc->options->name, answer, sizeof(answer));
		if (len < 0)
			return len;
		msc->greeted = true;
		len = sim_link_send(&msc->link, answer, (size_t)len);
		return len ? len : sim_link_send(&msc->link, ccm_id_ack_frame, sizeof(ccm_id_ack_frame));
	default:
		return 0;
	}
}

static int take_frame(struct msc *msc, const struct ipa_frame *frame)
{
	struct gsup_view view;

	if (frame->protocol == IPA_CCM)
		return take_ccm(msc, frame);
	if (!ipa_is_gsup(frame) || gsup_view(frame, &view) != GSUP_OK) {
		fprintf(stderr, "weir-sim: a frame that is no GSUP message\n");
		return -EPROTO;
	}
	switch (view.type) {
	case GSUP_CHECK_IMEI_RESULT:
	case GSUP_CHECK_IMEI_ERROR:
		return take_answer(msc, frame, view.type);
	case GSUP_LOCATION_CANCEL_REQUEST:
		return take_cancel(msc, &view);
	default:
		fprintf(stderr, "weir-sim: unexpected %s\n", gsup_type_name(view.type));
		return 0;
	}
}

/* Wait once and take every whole frame.  1: something came; 0: the time is over; negative: it is of no use any more. */
static int turn(struct msc *msc, int timeout_ms)
{
	struct sim_link *link = &msc->link;
	struct ipa_frame frame;
	size_t len;
	int came = sim_link_receive(link, timeout_ms), err = 0;

	while (came > 0 && !err && (len = ipa_frame_next(link->in + link->taken, link->used - link->taken, &frame))) {
		link->taken += len;
		err = take_frame(msc, &frame);
	}
	if (came < 0)
		fprintf(stderr, "weir-sim: %s\n",
			came == -EPIPE ? "the other side closed the connection" : strerror(-came));
	return err ? err : came;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Append one question to a buffer; returns its octets. */
static int add_question(struct msc *msc, const struct weir_imei *imei, int64_t now_us, uint8_t *buf, size_t size)
{
	unsigned digits = msc->options->digits ? msc->options->digits : imei->svn == WEIR_NO_SVN ? 14 : 16;
	int len = gsup_check_imei_request(msc->options->imsi, imei, digits, buf, size);

	if (len > 0) {
		msc->asked[(msc->first + msc->n) % SIM_DEPTH_MAX] =
			(struct question){ .key = imei->key, .sent_us = now_us };
		msc->n++;
	}
	return len;
}

/* Ask one and wait for the answer. */
static int ask(struct msc *msc, const struct weir_imei *imei)
{
	uint8_t frame[GSUP_ANSWER_MAX];
	int len = add_question(msc, imei, sim_now_us(), frame, sizeof(frame)), err;
	int64_t stop = sim_now_us() + (int64_t)msc->options->timeout_ms * 1000;

	err = len < 0 ? len : sim_link_send(&msc->link, frame, (size_t)len);
	while (err >= 0 && msc->n && sim_now_us() < stop)
		err = turn(msc, (int)((stop - sim_now_us()) / 1000) + 1);
	if (err >= 0 && msc->n) {
		fprintf(stderr, "weir-sim: no answer within %d ms\n", msc->options->timeout_ms);
		return -ETIMEDOUT;
	}
	return err < 0 ? err : 0;
}

static int connect_msc(struct msc *msc, const struct sim_options *options)
{
	int64_t stop = sim_now_us() + (int64_t)options->timeout_ms * 1000;
	int err = 0;

	*msc = (struct msc){ .options = options, .score.verdicts = verdicts };
	if (sim_link_open(&msc->link, options->host, options->port, options->timeout_ms))
		return -ECONNREFUSED;
	msc->asked = calloc(SIM_DEPTH_MAX, sizeof(*msc->asked));
	if (!msc->asked)
		return -ENOMEM;
	while (err >= 0 && !msc->greeted && sim_now_us() < stop)
		err = turn(msc, (int)((stop - sim_now_us()) / 1000) + 1);
	if (err >= 0 && !msc->greeted) {
		fprintf(stderr, "weir-sim: the server did not ask who we are\n");
		return -ETIMEDOUT;
	}
	return err < 0 ? err : 0;
}

static void close_msc(struct msc *msc)
{
	sim_link_close(&msc->link);
	free(msc->asked);
	free(msc->score.times_us);
}

/* --- commands --------------------------------------------------------------------------------- */

static int run_check(void *data, int argc, char **argv)
{
	struct weir_imei_reading reading;
	int i, err = 0;

	for (i = 0; i < argc && !err; i++)
		err = sim_read_imei(argv[i], &reading) ? -EINVAL : ask(data, &reading.imei);
	return err;
}

static int run_listen(void *data, int argc, char **argv)
{
	int err = run_check(data, argc, argv);

	sim_catch_signals();
	if (!err)
		printf("listening\n");
	while (err >= 0 && !sim_was_ended())
		err = turn(data, 500);
	return err < 0 ? err : 0;
}

/* Fill up to depth questions under way, in one write. */
static int fill(struct msc *msc, const struct sim_load *load, uint64_t *sent)
{
	uint8_t buf[64 * 64];
	size_t used = 0;
	int64_t now_us = sim_now_us();

	while (msc->n < load->depth && *sent < load->count && used + 64 <= sizeof(buf)) {
		struct weir_imei imei = { .key = sim_load_key(*sent), .svn = WEIR_NO_SVN };
		int len = add_question(msc, &imei, now_us, buf + used, sizeof(buf) - used);

		if (len < 0)
			return len;
		used += (size_t)len;
		++*sent;
	}
	return used ? sim_link_send(&msc->link, buf, used) : 0;
}

static int run_load(void *data, int argc, char **argv)
{
	struct msc *msc = data;
	struct sim_load load;
	uint64_t sent = 0;
	int err = sim_load_begin(&load, argc, argv, &msc->score);

	while (err >= 0 && msc->score.answers < load.count) {
		err = fill(msc, &load, &sent);
		if (err >= 0)
			err = turn(msc, msc->options->timeout_ms);
		if (err == 0) {
			fprintf(stderr, "weir-sim: no answer within %d ms\n", msc->options->timeout_ms);
			err = -ETIMEDOUT;
		}
	}
	if (err < 0)
		return err;
	sim_load_tell(&load, &msc->score);
	return 0;
}

static const struct sim_command commands[] = {
	{ "check", 1, INT_MAX, run_check, "an IMEI", "IMEI...", SIM_CHECK_HELP },
	{ "listen", 0, INT_MAX, run_listen, "IMEIs", "[IMEI...]",
	  "ask, then stay connected and give up subscribers that are cancelled" },
	{ "load", 2, 2, run_load, "COUNT and DEPTH", "COUNT DEPTH", SIM_LOAD_HELP },
	{ 0 },
};

static int run_gsup(const struct sim_options *options, const struct sim_command *command, int argc, char **argv)
{
	struct msc msc;
	int err = connect_msc(&msc, options);

	if (!err)
		err = command->run(&msc, argc, argv);
	if (!err)
		err = sim_score_result(&msc.score);
	close_msc(&msc);
	return sim_exit_of(err);
}

const struct sim_counterpart sim_gsup = {
	.name = "gsup",
	.sentence = "an Osmocom MSC (GSUP, Check-IMEI)",
	.port = "4222",
	.called = "weir-sim",
	.run = run_gsup,
	.commands = commands,
};
