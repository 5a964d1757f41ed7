/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the four files of the GSUP interface share; private to them.
 *
 * gsup.c          the interface: addresses, configuration, cancels, what is shown
 * gsup_session.c  one peer: identity, the two legs, pings, the end
 * gsup_proxy.c    frames: decide, answer, pass on, absorb
 * gsup_pending.c  what is under way: checks that wait, cancels that were sent */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/timer.h>

#include "gate/check.h"
#include "gate/config.h"
#include "gate/door.h"
#include "gate/gripe.h"
#include "gate/gsup.h"
#include "gate/traffic.h"

#define GSUP_ID_RESP_MAX 1024

enum gsup_state {
	GSUP_IDENTITY, /* connected, name not known */
	GSUP_UPSTREAM, /* known; the HLR does not have it yet: checks are answered, the first other frame waits */
	GSUP_PROXY,    /* frames pass */
	GSUP_ALONE,    /* no HLR configured */
};

struct gsup_session {
	struct llist_head entry;
	struct gsup *gsup;
	enum gsup_state state;
	bool ending;
	struct traffic_conn *down, *up; /* to the peer; to the HLR, NULL where there is none */
	int64_t down_pinged_us, up_pinged_us, upstream_us;
	struct check_peer peer;
	enum gsup_cn_domain domain;
	uint64_t checks, from_peer, from_hlr;
	char name[CCM_NAME_TEXT];
	uint16_t id_resp_len;
	uint8_t id_resp[GSUP_ID_RESP_MAX]; /* the peer's own words, said again to the HLR */
};

/* A check that waits for the HLR, with our answers ready to go: as it was decided, and as a refusal. */
struct gsup_wait {
	struct llist_head entry; /* gsup.waiting by deadline, or gsup.wait_pool */
	struct gsup_session *session;
	struct weir_query query;
	int64_t deadline_us;
	uint16_t len, refusal_len;
	uint8_t answer[GSUP_ANSWER_MAX], refusal[GSUP_ANSWER_MAX];
};

/* A cancel that we sent and whose answer the HLR must not see. */
struct gsup_cancelled {
	struct gsup_session *session; /* NULL: free place */
	struct weir_imsi imsi;
	int64_t deadline_us;
};

struct gsup {
	struct check *check;
	struct traffic *traffic;
	struct peers *peers;
	const struct gsup_config *config, *next;
	struct door door;
	struct llist_head sessions;
	struct gsup_counters counters;
	struct gripes strangers, quarrels;
	bool stopping;

	struct gsup_wait *wait_places; /* GSUP_WAITING of them, made when first needed */
	struct llist_head wait_pool, waiting;
	unsigned n_waiting;
	struct osmo_timer_list wait_timer;

	struct gsup_cancelled *cancelled; /* GSUP_CANCELS of them */
	unsigned n_cancelled, cancelled_at;
};

/* gsup_session.c */
extern const struct traffic_kind gsup_down_kind, gsup_up_kind;
void gsup_session_end(struct gsup_session *session, enum traffic_end end);
/* Find the state that the configuration asks for: connect, move, or let go of the HLR. */
void gsup_session_upstream(struct gsup_session *session);
void gsup_session_serve(struct gsup_session *session, enum gsup_state state);
bool gsup_session_ready(const struct gsup_session *session);
struct gsup_session *gsup_session_by_id(struct gsup *gsup, uint16_t peer_id);

/* gsup_proxy.c */
ssize_t gsup_frames_from_peer(struct gsup_session *session, const uint8_t *octets, size_t len);
ssize_t gsup_frames_from_hlr(struct gsup_session *session, const uint8_t *octets, size_t len);

/* gsup_pending.c */
void gsup_wait_init(struct gsup *gsup);
/* Keep an answer back until its deadline.  False where there is no place: it must go out now.
 * Whoever waits is decided again at the end, whatever ends the wait: a device that is black by then is refused. */
bool gsup_wait_add(struct gsup_session *session, const struct weir_query *query, const struct gsup_view *view,
		   const uint8_t *answer, size_t len);
/* The subscriber is thrown off: those of his checks that are black by now are refused at once. */
void gsup_wait_refuse(struct gsup_session *session, struct weir_imsi imsi);
/* The oldest check of this subscriber that still waits is answered by the HLR.  False: its answer is not wanted; nobody
 * waits, or who waited was refused.  There must be room for GSUP_ANSWER_MAX. */
bool gsup_wait_take(struct gsup_session *session, struct weir_imsi imsi);
/* The session ends: its waiting checks get our answer. */
void gsup_wait_release(struct gsup_session *session);
void gsup_wait_expire(struct gsup *gsup, int64_t now_us);

/* A cancel goes out; its answer must go no further.  False where there is no place. */
bool gsup_cancel_note(struct gsup_session *session, struct weir_imsi imsi);
/* An answer came, done or refused.  False: not to one of ours. */
bool gsup_cancel_take(struct gsup_session *session, struct weir_imsi imsi, bool done);
void gsup_cancel_release(struct gsup_session *session);
void gsup_cancel_expire(struct gsup *gsup, int64_t now_us);
