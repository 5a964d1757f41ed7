/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The frames of a GSUP peer and of its HLR: decide, answer, pass on, absorb.
 *
 * A frame that is passed on is copied octet by octet, never encoded again.  Only what must be understood is read:
 * Check-IMEI both ways, the domain of an Update Location, answers to our own cancels.
 *
 * Frames of one read are worked on in rounds.  A round first collects frames, as many as both send buffers can take the
 * consequences of; then decides all its checks together; then walks the frames again in order and acts.  So nothing is
 * half done when a buffer is full: the rest stays in the receive buffer and the leg is not read until there is room.
 *
 * A check never waits for room on the HLR's side, nor for an HLR that is not connected yet: then its copy is dropped
 * and counted.  Only what stands behind another frame that has to wait waits with it. */
#include "gate/gsup_session.h"

#include <errno.h>
#include <stdio.h>

#define ROUND         64 /* frames of a round: one look-up batch */
#define ANSWER_GROWTH 32 /* an answer carries what its request carried, less the IMEI, and result or cause and class   \
			  */

/* What a colour means on this wire. */
static const bool colour_accepts[WEIR_N_COLOURS] = {
	[WEIR_WHITE] = true,
	[WEIR_GREY] = true,
	[WEIR_BLACK] = false,
	[WEIR_UNKNOWN] = true,
};

struct round {
	unsigned n, n_checks;
	size_t len; /* octets of the n frames */
	size_t down_need, up_need;
	struct ipa_frame frame[ROUND];
	bool is_check[ROUND], has_room[ROUND]; /* of the frames; is there room on the HLR's side */
	struct gsup_view view[ROUND];          /* of the checks, in order */
	struct weir_query query[ROUND];
	struct weir_verdict verdict[ROUND];
};

static uint8_t gsup_type(const struct ipa_frame *frame)
{
	return frame->body[1];
}

static bool is_request(uint8_t type)
{
	return (type & 3) == 0;
}

/* The answer to a cancel of ours? */
static bool absorb_cancel(struct gsup_session *s, const struct ipa_frame *frame)
{
	struct gsup_view view;
	uint8_t type = gsup_type(frame);

	if (type != GSUP_LOCATION_CANCEL_RESULT && type != GSUP_LOCATION_CANCEL_ERROR)
		return false;
	if (!s->gsup->n_cancelled || gsup_view(frame, &view) != GSUP_OK)
		return false;
	return gsup_cancel_take(s, view.imsi, type == GSUP_LOCATION_CANCEL_RESULT);
}

/* --- from the peer */

/* A check as a query.  An IMSI is mandatory in this protocol, so one without counts as malformed, like one without
 * IMEI. */
static void read_check(const struct ipa_frame *frame, struct gsup_view *view, struct weir_query *query, uint16_t terms)
{
	enum gsup_fault fault = gsup_view(frame, view);

	*query = (struct weir_query){
		.imei = view->imei.imei,
		.imsi = view->imsi,
		.fault = view->imei_fault,
		.interface = WEIR_IF_GSUP,
		.terms = terms,
	};
	if (query->fault == WEIR_IMEI_OK && (fault != GSUP_OK || !view->has_imei || !view->imsi.packed))
		query->fault = WEIR_IMEI_EMPTY;
}

static size_t answer_room(const struct ipa_frame *frame)
{
	size_t room = frame->len + ANSWER_GROWTH;

	return room < GSUP_ANSWER_MAX ? room : GSUP_ANSWER_MAX;
}

static bool is_check(const struct ipa_frame *frame)
{
	return ipa_is_gsup(frame) && gsup_type(frame) == GSUP_CHECK_IMEI_REQUEST;
}

/* NULL where it was taken, else the leg that it must wait for.  A check that finds no room for its copy while room is
 * only promised to frames before it comes again in the next round, when it is known what they really took. */
static struct traffic_conn *collect_one(struct gsup_session *s, struct round *r, const struct ipa_frame *frame)
{
	size_t down = answer_room(frame), up = s->up && frame->protocol != IPA_CCM ? frame->len : 0;
	bool check = is_check(frame),
	     has_room = !up || (s->state == GSUP_PROXY && traffic_room(s->up) >= r->up_need + up);

	if (traffic_room(s->down) < r->down_need + down)
		return s->down;
	if (!has_room && (!check || r->up_need))
		return s->up;
	r->down_need += down;
	r->up_need += has_room ? up : 0;
	r->len += frame->len;
	r->is_check[r->n] = check;
	r->has_room[r->n] = has_room;
	if (check) {
		read_check(frame, &r->view[r->n_checks], &r->query[r->n_checks], s->peer.terms);
		r->n_checks++;
	}
	r->n++;
	return NULL;
}

/* Returns the leg that the next frame must wait for, NULL where there is no such frame. */
static struct traffic_conn *collect(struct gsup_session *s, struct round *r, const uint8_t *octets, size_t len)
{
	struct traffic_conn *awaited = NULL;

	r->n = r->n_checks = 0;
	r->len = r->down_need = r->up_need = 0;
	while (!awaited && r->n < ROUND && ipa_frame_next(octets + r->len, len - r->len, &r->frame[r->n]) > 0)
		awaited = collect_one(s, r, &r->frame[r->n]);
	return awaited;
}

static enum gsup_cause cause_of(const struct weir_verdict *verdict)
{
	return verdict->tally == WEIR_TALLY_MALFORMED ? GSUP_CAUSE_INVALID_MANDATORY : GSUP_CAUSE_NETWORK_FAILURE;
}

const char *gsup_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict)
{
	if (verdict->answer == WEIR_ANSWER_REFUSE)
		snprintf(buf, CHECK_WORDS_TEXT, "Check-IMEI Error, cause %u", cause_of(verdict));
	else
		snprintf(buf, CHECK_WORDS_TEXT, "Check-IMEI Result, %s",
			 colour_accepts[verdict->colour] ? "ACK" : "NACK");
	return buf;
}

static int encode_answer(const struct gsup_view *view, const struct weir_verdict *verdict, uint8_t *buf, size_t size)
{
	if (verdict->answer == WEIR_ANSWER_REFUSE)
		return gsup_error(view, cause_of(verdict), buf, size);
	return gsup_check_imei_result(view, colour_accepts[verdict->colour], buf, size);
}

/* Tell the HLR of an accepted check.  True where its answer is waited for, ours kept back. */
static bool tell_hlr(struct gsup_session *s, const struct ipa_frame *frame, bool has_room, const struct gsup_view *view,
		     const struct weir_query *query, const uint8_t *answer, size_t len)
{
	struct gsup *gsup = s->gsup;

	if (gsup->config->check_mode == GSUP_NEVER)
		return false;
	if (!has_room || !traffic_send(s->up, frame->bytes, frame->len)) {
		gsup->counters.hlr_untold++;
		return false;
	}
	gsup->counters.told_hlr++;
	if (gsup->config->check_mode != GSUP_WAIT)
		return false;
	if (gsup_wait_add(s, query, view, answer, len))
		return true;
	gsup->counters.hlr_crowded++;
	return false;
}

static int answer_check(struct gsup_session *s, const struct ipa_frame *frame, bool has_room,
			const struct gsup_view *view, const struct weir_query *query,
			const struct weir_verdict *verdict)
{
	bool accepted = verdict->answer == WEIR_ANSWER_COLOUR && colour_accepts[verdict->colour];
	size_t room = answer_room(frame);
	uint8_t *to = traffic_reserve(s->down, room);
	int len;

	len = to ? encode_answer(view, verdict, to, room) : -ENOBUFS;
	if (len < 0)
		return len; /* cannot be: collect counted it.  Rather no connection than no answer. */
	s->checks++;
	if (accepted && s->up && query->fault == WEIR_IMEI_OK && tell_hlr(s, frame, has_room, view, query, to, len))
		return 0;
	traffic_commit(s->down, len);
	return 0;
}

/* IPA's own words on either leg; identities are asked and told by the sessions only. */
static void ccm(struct traffic_conn *conn, const struct ipa_frame *frame)
{
	if (frame->body_len >= 1 && frame->body[0] == CCM_PING)
		traffic_send(conn, ccm_pong_frame, sizeof(ccm_pong_frame));
}

static void answer_alone(struct gsup_session *s, const struct ipa_frame *frame)
{
	struct gsup_view view;
	uint8_t buf[GSUP_ANSWER_MAX];
	int len;

	if (!ipa_is_gsup(frame) || !is_request(gsup_type(frame)))
		return;
	gsup_view(frame, &view);
	len = gsup_error(&view, GSUP_CAUSE_NETWORK_FAILURE, buf, sizeof(buf));
	if (len > 0 && traffic_send(s->down, buf, len))
		s->gsup->counters.alone_refused++;
}

static void learn_domain(struct gsup_session *s, const struct ipa_frame *frame)
{
	struct gsup_view view;

	if (gsup_view(frame, &view) == GSUP_OK && view.cn_domain != GSUP_CN_NONE)
		s->domain = view.cn_domain;
}

static void from_peer(struct gsup_session *s, const struct ipa_frame *frame)
{
	if (frame->protocol == IPA_CCM) {
		ccm(s->down, frame);
		return;
	}
	if (ipa_is_gsup(frame)) {
		if (absorb_cancel(s, frame))
			return;
		if (gsup_type(frame) == GSUP_UPDATE_LOCATION_REQUEST)
			learn_domain(s, frame);
	}
	if (!s->up) {
		answer_alone(s, frame);
		return;
	}
	traffic_send(s->up, frame->bytes, frame->len);
	s->gsup->counters.to_hlr++;
}

static int act(struct gsup_session *s, const struct round *r)
{
	unsigned check = 0;
	int rc;

	for (unsigned i = 0; i < r->n; i++) {
		if (!r->is_check[i]) {
			from_peer(s, &r->frame[i]);
			continue;
		}
		rc = answer_check(s, &r->frame[i], r->has_room[i], &r->view[check], &r->query[check],
				  &r->verdict[check]);
		if (rc < 0)
			return rc;
		check++;
	}
	s->gsup->counters.from_peer += r->n;
	s->from_peer += r->n;
	return 0;
}

/* Ask for more room than there is, so that drained() will call us again.  Only of the leg that is awaited: the other
 * one has room and would call at once, again and again.  An HLR that is not there yet calls through
 * gsup_session_serve. */
static void pause_for_room(struct gsup_session *s, struct traffic_conn *reader, struct traffic_conn *awaited)
{
	if (awaited == s->down || s->state == GSUP_PROXY)
		traffic_reserve(awaited, traffic_room(awaited) + 1);
	traffic_pause(reader);
}

ssize_t gsup_frames_from_peer(struct gsup_session *s, const uint8_t *octets, size_t len)
{
	struct gsup *gsup = s->gsup;
	struct round r;
	size_t taken = 0;

	while (taken < len) {
		struct traffic_conn *awaited = collect(s, &r, octets + taken, len - taken);
		if (awaited && !r.n)
			pause_for_room(s, s->down, awaited);
		if (!r.n)
			break;
		if (r.n_checks)
			check_answer(gsup->check, WEIR_IF_GSUP, &s->peer, r.query, r.verdict, r.n_checks,
				     traffic_wall_s(gsup->traffic));
		if (act(s, &r) < 0)
			return -EPROTO;
		taken += r.len; /* and again, even where not all fitted: the need was over-estimated */
	}
	return taken;
}

/* --- from the HLR */

static void ccm_from_hlr(struct gsup_session *s, const struct ipa_frame *frame)
{
	if (frame->body_len < 1 || frame->body[0] != CCM_ID_GET) {
		ccm(s->up, frame);
		return;
	}
	traffic_send(s->up, s->id_resp, s->id_resp_len);
	if (s->state != GSUP_UPSTREAM)
		return;
	/* What follows the identity on this connection is read after it, so there is nothing to wait for: osmo-hlr
	 * sends no acknowledgement that could be waited for. */
	gsup_session_serve(s, GSUP_PROXY);
}

/* The HLR's word on a check: wanted only where somebody still waits for it. */
static bool absorb_check(struct gsup_session *s, const struct ipa_frame *frame)
{
	struct gsup_view view;

	if (gsup_type(frame) != GSUP_CHECK_IMEI_RESULT && gsup_type(frame) != GSUP_CHECK_IMEI_ERROR)
		return false;
	gsup_view(frame, &view);
	if (gsup_wait_take(s, view.imsi)) {
		s->gsup->counters.hlr_decided++;
		return false;
	}
	s->gsup->counters.absorbed++;
	return true;
}

ssize_t gsup_frames_from_hlr(struct gsup_session *s, const uint8_t *octets, size_t len)
{
	struct ipa_frame frame;
	size_t taken = 0, n;

	while ((n = ipa_frame_next(octets + taken, len - taken, &frame)) > 0) {
		/* either the frame goes down, or a few octets of CCM go back up */
		size_t need = n > GSUP_ANSWER_MAX ? n : GSUP_ANSWER_MAX;
		if (traffic_room(s->down) < need || traffic_room(s->up) < GSUP_ID_RESP_MAX) {
			pause_for_room(s, s->up, traffic_room(s->down) < need ? s->down : s->up);
			break;
		}
		taken += n;
		s->from_hlr++;
		s->gsup->counters.from_hlr++;
		if (frame.protocol == IPA_CCM) {
			ccm_from_hlr(s, &frame);
		} else if (!ipa_is_gsup(&frame) || !absorb_check(s, &frame)) {
			traffic_send(s->down, frame.bytes, n);
			s->gsup->counters.to_peer++;
		}
	}
	return taken;
}
