/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One GSUP peer: who it is, its two legs, its pings, its end.  Never looks into a GSUP message: gsup_proxy.c does.
 *
 * A session lives from accept to the end of its downstream leg.  Whichever leg goes first takes the other with it. */
#include "gate/gsup_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"
#include "gate/peers.h"

#define IN_SIZE  16384
#define OUT_SIZE 32768

#define LOGSESSION(s, level, fmt, args...)                                                                             \
	do {                                                                                                           \
		char where_[GATE_ADDRESS_TEXT];                                                                        \
		LOGP(DGSUP, level, "%s (%s): " fmt, (s)->name[0] ? (s)->name : "?", session_print_address(where_, s),  \
		     ##args);                                                                                          \
	} while (0)

static const char *session_print_address(char buf[static GATE_ADDRESS_TEXT], const struct gsup_session *s)
{
	static const struct gate_address gone;

	return address_print_port(buf, s->down ? &s->down->remote : &gone);
}

bool gsup_session_ready(const struct gsup_session *s)
{
	return !s->ending && (s->state == GSUP_PROXY || s->state == GSUP_ALONE);
}

struct gsup_session *gsup_session_by_id(struct gsup *gsup, uint16_t peer_id)
{
	struct gsup_session *s;

	llist_for_each_entry(s, &gsup->sessions, entry) {
		if (peer_id != PEER_NONE && s->peer.id == peer_id && s->state != GSUP_IDENTITY)
			return s;
	}
	return NULL;
}

void gsup_session_end(struct gsup_session *s, enum traffic_end end)
{
	struct traffic_conn *down = s->down, *up = s->up;

	if (s->ending)
		return;
	LOGSESSION(s, gsup_session_ready(s) ? LOGL_NOTICE : LOGL_INFO, "%s\n", traffic_end_name(end));
	s->ending = true;
	gsup_wait_release(s);
	gsup_cancel_release(s);
	peers_left(s->gsup->peers, s->peer.id);
	s->down = s->up = NULL;
	if (down) {
		down->data = NULL;
		traffic_finish(down, end);
	}
	if (up) {
		up->data = NULL;
		traffic_finish(up, end);
	}
	llist_del(&s->entry);
	free(s);
}

/* --- the leg to the HLR */

static void upstream_forget(struct gsup_session *s)
{
	struct traffic_conn *up = s->up;

	s->up = NULL;
	if (!up)
		return;
	up->data = NULL;
	traffic_finish(up, TRAFFIC_END_OURS);
}

static void upstream_fail(struct gsup_session *s, const char *what)
{
	char hlr[GATE_ADDRESS_TEXT];

	s->gsup->counters.upstream_failed++;
	if (gripe_now(&s->gsup->quarrels, &s->down->remote, traffic_now_us(s->gsup->traffic)))
		LOGSESSION(s, LOGL_ERROR, "HLR at %s %s; the peer is closed and will come again\n",
			   address_print_port(hlr, &s->gsup->config->hlr), what);
	gsup_session_end(s, TRAFFIC_END_CONNECT);
}

/* From here on its frames are taken. */
void gsup_session_serve(struct gsup_session *s, enum gsup_state state)
{
	if (!gsup_session_ready(s))
		LOGSESSION(s, LOGL_NOTICE, "connected%s\n", state == GSUP_PROXY ? ", known to the HLR" : "");
	s->state = state;
	traffic_resume(s->down);
}

void gsup_session_upstream(struct gsup_session *s)
{
	const struct gate_address *hlr = &s->gsup->config->hlr;

	if (s->state == GSUP_IDENTITY)
		return;
	if (!hlr->family) {
		upstream_forget(s);
		gsup_session_serve(s, GSUP_ALONE);
		return;
	}
	if (s->up && address_equal(&s->up->remote, hlr))
		return;
	upstream_forget(s);
	s->state = GSUP_UPSTREAM; /* from here on only checks are taken from the peer */
	s->up_pinged_us = 0;
	s->upstream_us = traffic_now_us(s->gsup->traffic);
	s->up = traffic_connect(s->gsup->traffic, &gsup_up_kind, s, hlr, NULL, NULL);
	if (!s->up)
		upstream_fail(s, "cannot be reached");
}

/* --- identity */

static void replace_older(struct gsup_session *newer)
{
	struct gsup_session *s, *next;

	llist_for_each_entry_safe(s, next, &newer->gsup->sessions, entry) {
		if (s == newer || s->state == GSUP_IDENTITY || strcmp(s->name, newer->name))
			continue;
		newer->gsup->counters.replaced++;
		LOGSESSION(s, LOGL_NOTICE, "replaced by a newer connection of the same name\n");
		gsup_session_end(s, TRAFFIC_END_OURS);
	}
}

static int refuse(struct gsup_session *s, uint64_t *counter, const char *reason)
{
	(*counter)++;
	if (gripe_now(&s->gsup->strangers, &s->down->remote, traffic_now_us(s->gsup->traffic)))
		LOGSESSION(s, LOGL_NOTICE, "refused: %s\n", reason);
	return -EPROTO;
}

static int take_identity(struct gsup_session *s, const struct ipa_frame *frame)
{
	struct gsup *gsup = s->gsup;

	if (frame->len > sizeof(s->id_resp) || ccm_id_resp_name(frame, s->name)) {
		s->name[0] = '\0';
		return refuse(s, &gsup->counters.violated, "the identity has no readable serial number");
	}
	if (!config_allows_peer(&gsup->config->door, s->name, &s->down->remote))
		return refuse(s, &gsup->counters.stranger, "no peer rule allows this name from this address");
	memcpy(s->id_resp, frame->bytes, frame->len);
	s->id_resp_len = frame->len;
	traffic_known(s->down);
	replace_older(s);
	s->peer = (struct check_peer){
		.name = s->name,
		.terms = policy_terms(gsup->check->policy, WEIR_IF_GSUP, s->name),
		.id = peers_id(gsup->peers, WEIR_IF_GSUP, s->name),
	};
	if (s->peer.id == PEER_NONE) {
		gsup->counters.unnumbered++;
		if (gripe_now(&gsup->quarrels, &s->down->remote, traffic_now_us(gsup->traffic)))
			LOGSESSION(s, LOGL_ERROR, "more than %u peers: its subscribers cannot be thrown off\n",
				   PEERS_MAX);
	}
	gsup->counters.connected++;
	s->state = GSUP_UPSTREAM;
	traffic_send(s->down, ccm_id_ack_frame, sizeof(ccm_id_ack_frame));
	return 0;
}

/* Frames before the name is known: pings are answered (osmo-msc sends its first one before its identity), the identity
 * is judged, anything else ends it. */
static ssize_t meet(struct gsup_session *s, const uint8_t *octets, size_t len)
{
	struct ipa_frame frame;
	size_t taken = 0, n;

	while (s->state == GSUP_IDENTITY && (n = ipa_frame_next(octets + taken, len - taken, &frame)) > 0) {
		taken += n;
		if (frame.protocol != IPA_CCM || frame.body_len < 1)
			return refuse(s, &s->gsup->counters.violated, "spoke before it said who it is");
		if (frame.body[0] == CCM_PING && !traffic_send(s->down, ccm_pong_frame, sizeof(ccm_pong_frame)))
			return -EPROTO;
		if (frame.body[0] == CCM_PING || frame.body[0] == CCM_PONG)
			continue;
		if (frame.body[0] != CCM_ID_RESP)
			return refuse(s, &s->gsup->counters.violated, "spoke before it said who it is");
		if (take_identity(s, &frame))
			return -EPROTO;
	}
	return taken;
}

/* --- the leg to the peer */

static bool down_accepted(struct traffic_conn *conn, void *owner)
{
	struct gsup *gsup = owner;
	struct gsup_session *s;
	char text[GATE_ADDRESS_TEXT];

	if (!config_covers_address(&gsup->config->door, &conn->remote)) {
		gsup->counters.stranger++;
		if (gripe_now(&gsup->strangers, &conn->remote, traffic_now_us(gsup->traffic)))
			LOGP(DGSUP, LOGL_NOTICE, "%s: refused: no peer rule covers this address\n",
			     address_print_port(text, &conn->remote));
		return false;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->gsup = gsup;
	s->down = conn;
	conn->data = s;
	llist_add_tail(&s->entry, &gsup->sessions);
	traffic_send(conn, ccm_id_get_frame, ccm_id_get_frame_len);
	return true;
}

static ssize_t down_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	struct gsup_session *s = conn->data;
	ssize_t met = 0, taken;

	if (s->state == GSUP_IDENTITY) {
		met = meet(s, octets, len);
		if (met < 0 || s->state == GSUP_IDENTITY)
			return met;
		gsup_session_upstream(s); /* may end the session */
		if (conn->data != s)
			return met;
	}
	taken = gsup_frames_from_peer(s, octets + met, len - met);
	return taken < 0 ? taken : met + taken;
}

/* Nothing heard for a while: ask; nothing said to that: close.  True where it was closed. */
static bool ping(struct gsup_session *s, struct traffic_conn *conn, int64_t *pinged_us)
{
	int64_t now = traffic_now_us(s->gsup->traffic), span = GSUP_PING_S * 1000000ll;

	if (conn->paused || conn->connecting)
		*pinged_us = 0; /* we do not listen: silence says nothing */
	else if (*pinged_us > conn->heard_us && now - *pinged_us >= span) {
		gsup_session_end(s, TRAFFIC_END_SILENT);
		return true;
	} else if (*pinged_us <= conn->heard_us && now - conn->heard_us >= span) {
		if (traffic_send(conn, ccm_ping_frame, sizeof(ccm_ping_frame)))
			*pinged_us = now;
	}
	return false;
}

static void down_tick(struct traffic_conn *conn)
{
	struct gsup_session *s = conn->data;
	int64_t now = traffic_now_us(s->gsup->traffic);

	if (s->state == GSUP_IDENTITY) {
		if (now - conn->since_us < GSUP_IDENTITY_S * 1000000ll)
			return;
		refuse(s, &s->gsup->counters.unidentified, "did not say who it is in time");
		gsup_session_end(s, TRAFFIC_END_SILENT);
	} else if (s->state == GSUP_UPSTREAM && now - s->upstream_us >= GSUP_HLR_S * 1000000ll) {
		upstream_fail(s, "did not ask who we are");
	} else {
		ping(s, conn, &s->down_pinged_us);
	}
}

/* Room again in either leg's buffer: both may have waited for it. */
static void either_drained(struct traffic_conn *conn)
{
	struct gsup_session *s = conn->data;

	traffic_resume(s->down);
	if (s->up && !s->up->connecting)
		traffic_resume(s->up);
}

static void down_closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct gsup_session *s = conn->data;

	if (s)
		gsup_session_end(s, end);
}

const struct traffic_kind gsup_down_kind = {
	.name = "gsup",
	.log = DGSUP,
	.in_size = IN_SIZE,
	.out_size = OUT_SIZE,
	.accepted = down_accepted,
	.consume = down_consume,
	.drained = either_drained,
	.tick = down_tick,
	.closed = down_closed,
};

/* --- upstream callbacks */

static ssize_t up_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	return gsup_frames_from_hlr(conn->data, octets, len);
}

static void up_tick(struct traffic_conn *conn)
{
	struct gsup_session *s = conn->data;

	ping(s, conn, &s->up_pinged_us);
}

static void up_closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct gsup_session *s = conn->data;

	if (!s)
		return;
	s->up = NULL;
	if (end == TRAFFIC_END_CONNECT) {
		upstream_fail(s, "cannot be reached");
		return;
	}
	s->gsup->counters.upstream_dropped++;
	LOGSESSION(s, LOGL_ERROR, "the HLR's side has ended (%s), so the peer is closed\n", traffic_end_name(end));
	gsup_session_end(s, end);
}

const struct traffic_kind gsup_up_kind = {
	.name = "gsup-hlr",
	.log = DGSUP,
	.in_size = IN_SIZE,
	.out_size = OUT_SIZE,
	.consume = up_consume,
	.drained = either_drained,
	.tick = up_tick,
	.closed = up_closed,
};
