/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/gsup: the input is what a peer sent, any number of frames.  Every view must stay inside its frame, every answer
 * must fit, and every answer must itself be a frame that names the same subscriber. */

#include "fuzz.h"
#include "wire/gsup.h"

#include <string.h>

static void check_inside(const struct ipa_frame *frame, const uint8_t *ie, unsigned len)
{
	if (!ie)
		return;
	MUST(ie >= frame->body + 2);
	MUST(ie + len <= frame->bytes + frame->len);
	MUST(len == 2u + ie[1]);
}

static void check_answer(const struct gsup_view *request, const uint8_t *buf, int len)
{
	struct ipa_frame frame;
	struct gsup_view answer;

	MUST(len > IPA_HEADER + 1 && len <= GSUP_ANSWER_MAX);
	MUST(ipa_frame_next(buf, (size_t)len, &frame) == (size_t)len);
	MUST(ipa_is_gsup(&frame));
	MUST(gsup_view(&frame, &answer) == GSUP_OK);
	MUST((answer.type & ~3) == (request->type & ~3));
	MUST(answer.has_imsi == request->has_imsi);
	MUST(answer.imsi.packed == request->imsi.packed);
	MUST(!answer.class_ie == !request->class_ie);
}

static void try_gsup(const struct ipa_frame *frame)
{
	uint8_t buf[GSUP_ANSWER_MAX];
	struct gsup_view view;

	gsup_view(frame, &view);
	check_inside(frame, view.imsi_ie, view.imsi_ie_len);
	check_inside(frame, view.class_ie, view.class_ie_len);
	check_inside(frame, view.source_ie, view.source_ie_len);
	check_inside(frame, view.session_ie, view.session_ie_len);
	check_inside(frame, view.state_ie, view.state_ie_len);
	MUST(view.has_imsi || !view.imsi.packed);
	MUST(view.has_imei || view.imei_fault == WEIR_IMEI_EMPTY);
	MUST(view.imei.imei.key < WEIR_IMEI_END);
	check_answer(&view, buf, gsup_check_imei_result(&view, true, buf, sizeof(buf)));
	check_answer(&view, buf, gsup_error(&view, GSUP_CAUSE_INVALID_MANDATORY, buf, sizeof(buf)));
	if (view.imsi.packed && view.imei_fault == WEIR_IMEI_OK)
		MUST(gsup_check_imei_request(view.imsi, &view.imei.imei, 14, buf, sizeof(buf)) > 0);
}

static void try_ccm(const struct ipa_frame *frame)
{
	char name[CCM_NAME_TEXT], again[CCM_NAME_TEXT];
	struct ipa_frame own;
	uint8_t buf[512];
	int len;

	if (ccm_id_resp_name(frame, name) < 0) {
		MUST(name[0] == '\0');
		return;
	}
	len = ccm_id_resp_encode(name, buf, sizeof(buf));
	MUST(len > 0 && ipa_frame_next(buf, (size_t)len, &own) == (size_t)len);
	MUST(ccm_id_resp_name(&own, again) == 0 && strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipa_frame frame;
	size_t n;

	for (; (n = ipa_frame_next(data, size, &frame)) > 0; data += n, size -= n) {
		MUST(n <= size && frame.len == n);
		if (ipa_is_gsup(&frame))
			try_gsup(&frame);
		try_ccm(&frame);
	}
	return 0;
}
