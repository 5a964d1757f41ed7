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

#define IE_CAUSE       0x02
#define IE_IMEI_RESULT 0x51

struct msc {
	struct sim_dialog dialog;
	bool greeted; /* the server asked who we are and was told */
	/* questions under way, oldest first: answers come in their order */
	struct question {
		uint64_t key;
		int64_t sent_us;
	} * asked;
	unsigned first;
};

static const char *const verdicts[] = {"accepted", "refused", NULL};

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

	if (!msc->dialog.n) {
		fprintf(stderr, "weir-sim: an answer that was not asked for\n");
		return -EPROTO;
	}
	if (!verdict) {
		fprintf(stderr, "weir-sim: a result without a verdict\n");
		return -EPROTO;
	}
	sim_score_take(&msc->dialog.score, imei_print_checked(asked, q->key), verdict, sim_now_us() - q->sent_us);
	msc->first = (msc->first + 1) % SIM_DEPTH_MAX;
	msc->dialog.n--;
	return 0;
}

/* "Drop this subscriber": say when, and that it is done. */
static int take_cancel(struct msc *msc, const struct gsup_view *view)
{
	uint8_t frame[IPA_HEADER + 2 + 16] = {0, 0, IPA_OSMO, IPA_EXT_GSUP, GSUP_LOCATION_CANCEL_RESULT};
	char when[16], imsi[WEIR_DIGITS_TEXT];

	if (!view->imsi_ie || view->imsi_ie_len > 16) {
		fprintf(stderr, "weir-sim: a location cancel without an IMSI\n");
		return -EPROTO;
	}
	memcpy(frame + 5, view->imsi_ie, view->imsi_ie_len);
	frame[1] = (uint8_t)(2 + view->imsi_ie_len);
	printf("%s  location cancel for %s\n", sim_clock_text(when), imsi_print(imsi, view->imsi));
	return sim_link_send(&msc->dialog.link, frame, 5u + view->imsi_ie_len);
}

static int take_ccm(struct msc *msc, const struct ipa_frame *frame)
{
	uint8_t answer[CCM_NAME_TEXT * 4];
	int len;

	switch (frame->body_len ? frame->body[0] : -1) {
	case CCM_PING:
		return sim_link_send(&msc->dialog.link, ccm_pong_frame, sizeof(ccm_pong_frame));
	case CCM_ID_GET:
		len = ccm_id_resp_encode(msc->dialog.options->name, answer, sizeof(answer));
		if (len < 0)
			return len;
		msc->greeted = true;
		len = sim_link_send(&msc->dialog.link, answer, (size_t)len);
		return len ? len : sim_link_send(&msc->dialog.link, ccm_id_ack_frame, sizeof(ccm_id_ack_frame));
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

static ssize_t take(struct sim_dialog *dialog, const uint8_t *octets, size_t len)
{
	struct ipa_frame frame;
	size_t whole = ipa_frame_next(octets, len, &frame);
	int err = whole ? take_frame((struct msc *)dialog, &frame) : 0;

	return err ? err : (ssize_t)whole;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int write_question(struct sim_dialog *dialog, const char *asked, const struct weir_imei_reading *reading,
			  int64_t now_us, uint8_t *buf, size_t size)
{
	struct msc *msc = (struct msc *)dialog;
	const struct sim_options *options = dialog->options;
	const struct weir_imei *imei = &reading->imei;
	unsigned digits = options->digits ? options->digits : imei->svn == WEIR_NO_SVN ? 14 : 16;
	int len = gsup_check_imei_request(options->imsi, imei, digits, buf, size);

	(void)asked;
	if (len > 0)
		msc->asked[(msc->first + dialog->n) % SIM_DEPTH_MAX] =
			(struct question){.key = imei->key, .sent_us = now_us};
	return len;
}

static bool is_greeted(const struct sim_dialog *dialog)
{
	return ((const struct msc *)dialog)->greeted;
}

static int begin(struct sim_dialog *dialog)
{
	const struct sim_options *options = dialog->options;
	struct msc *msc = (struct msc *)dialog;
	int err;

	if (sim_link_open(&dialog->link, options->host, options->port, options->timeout_ms))
		return -ECONNREFUSED;
	msc->asked = calloc(SIM_DEPTH_MAX, sizeof(*msc->asked));
	if (!msc->asked)
		return -ENOMEM;
	err = sim_dialog_wait(dialog, is_greeted, options->timeout_ms);
	if (err == -ETIMEDOUT)
		fprintf(stderr, "weir-sim: the server did not ask who we are\n");
	return err;
}

static void end(struct sim_dialog *dialog, int err)
{
	(void)err;
	free(((struct msc *)dialog)->asked);
}

/* --- commands --------------------------------------------------------------------------------- */

static const struct sim_protocol protocol = {begin, take, write_question, end};

static const struct sim_command commands[] = {
	{"check", 1, INT_MAX, sim_dialog_check, "an IMEI", "IMEI...", SIM_CHECK_HELP},
	{"listen", 0, INT_MAX, sim_dialog_listen, "IMEIs", "[IMEI...]",
	 "ask, then stay connected and give up subscribers that are cancelled"},
	{"load", 2, 2, sim_dialog_load, "COUNT and DEPTH", "COUNT DEPTH", SIM_LOAD_HELP},
	{0},
};

static int run_gsup(const struct sim_options *options, const struct sim_command *command, int argc, char **argv)
{
	struct msc msc = {.dialog = {.options = options, .protocol = &protocol, .score.verdicts = verdicts}};

	return sim_dialog_run(&msc.dialog, command, argc, argv);
}

const struct sim_counterpart sim_gsup = {
	.name = "gsup",
	.sentence = "an Osmocom MSC (GSUP, Check-IMEI)",
	.port = "4222",
	.called = "weir-sim",
	.run = run_gsup,
	.commands = commands,
};
