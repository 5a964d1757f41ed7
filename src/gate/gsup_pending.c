/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What is under way at a GSUP peer: checks whose answer is kept back for the HLR's, cancels whose answer is ours to
 * take.
 *
 * Both tables are bounded.  A check that finds no place is answered at once, a cancel that finds none is not sent. */
#include "gate/gsup_session.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/daemon.h"

/* --- checks that wait for the HLR */

static void wait_timer_cb(void *data)
{
	struct gsup *gsup = data;

	gsup_expire(gsup, daemon_mono_us());
	traffic_flush(gsup->traffic);
}

void gsup_wait_init(struct gsup *gsup)
{
	INIT_LLIST_HEAD(&gsup->wait_pool);
	INIT_LLIST_HEAD(&gsup->waiting);
	osmo_timer_setup(&gsup->wait_timer, wait_timer_cb, gsup);
}

static bool wait_make_places(struct gsup *gsup)
{
	if (gsup->wait_places)
		return true;
	gsup->wait_places = calloc(GSUP_WAITING, sizeof(*gsup->wait_places));
	for (unsigned i = 0; gsup->wait_places && i < GSUP_WAITING; i++)
		llist_add_tail(&gsup->wait_places[i].entry, &gsup->wait_pool);
	return gsup->wait_places != NULL;
}

static void wait_schedule(struct gsup *gsup)
{
	struct gsup_wait *first = llist_first_entry_or_null(&gsup->waiting, struct gsup_wait, entry);
	int64_t us;

	if (!first) {
		osmo_timer_del(&gsup->wait_timer);
		return;
	}
	us = first->deadline_us - traffic_now_us(gsup->traffic);
	if (us < 1000)
		us = 1000;
	osmo_timer_schedule(&gsup->wait_timer, us / 1000000, us % 1000000);
}

bool gsup_wait_add(struct gsup_session *s, const struct weir_query *query, const struct gsup_view *view,
		   const uint8_t *answer, size_t len)
{
	struct gsup *gsup = s->gsup;
	struct gsup_wait *w, *before;
	int refusal_len;

	if (len > GSUP_ANSWER_MAX || !wait_make_places(gsup) || llist_empty(&gsup->wait_pool))
		return false;
	w = llist_first_entry(&gsup->wait_pool, struct gsup_wait, entry);
	refusal_len = gsup_check_imei_result(view, false, w->refusal, sizeof(w->refusal));
	if (refusal_len < 0)
		return false;
	llist_del(&w->entry);
	w->session = s;
	w->query = *query;
	w->refusal_len = refusal_len;
	w->deadline_us = traffic_now_us(gsup->traffic) + gsup->config->wait_ms * 1000ll;
	w->len = len;
	memcpy(w->answer, answer, len);
	/* By deadline; with one waiting time for all that is the end of the list, at once. */
	llist_for_each_entry_reverse(before, &gsup->waiting, entry)
	{
		if (before->deadline_us <= w->deadline_us)
			break;
	}
	llist_add(&w->entry, &before->entry);
	gsup->n_waiting++;
	if (gsup->waiting.next == &w->entry)
		wait_schedule(gsup);
	return true;
}

static void wait_remove(struct gsup *gsup, struct gsup_wait *w)
{
	w->session = NULL;
	llist_del(&w->entry);
	llist_add(&w->entry, &gsup->wait_pool);
	gsup->n_waiting--;
}

/* Black by now?  A store that fails refuses nobody whom it let through before. */
static bool wait_turned(struct gsup_wait *w)
{
	struct weir_verdict verdict;

	w->query.terms = w->session->peer.terms;
	return check_decide(w->session->gsup->check, &w->query, &verdict, 1) == 0 &&
	       verdict.answer == WEIR_ANSWER_COLOUR && verdict.colour == WEIR_BLACK;
}

/* False where there was no room. */
static bool wait_send_refusal(struct gsup_wait *w)
{
	if (!traffic_send(w->session->down, w->refusal, w->refusal_len))
		return false;
	w->session->gsup->counters.hlr_turned++;
	return true;
}

bool gsup_wait_take(struct gsup_session *s, struct weir_imsi imsi)
{
	struct gsup_wait *w;
	bool refused;

	llist_for_each_entry(w, &s->gsup->waiting, entry) {
		if (w->session != s || w->query.imsi.packed != imsi.packed)
			continue;
		refused = wait_turned(w) && wait_send_refusal(w);
		wait_remove(s->gsup, w);
		return !refused;
	}
	return false;
}

void gsup_wait_refuse(struct gsup_session *s, struct weir_imsi imsi)
{
	struct gsup_wait *w, *next;

	llist_for_each_entry_safe(w, next, &s->gsup->waiting, entry) {
		if (w->session == s && w->query.imsi.packed == imsi.packed && wait_turned(w) && wait_send_refusal(w))
			wait_remove(s->gsup, w);
	}
}

/* Our answer as it is by now.  False where there was no room. */
static bool wait_answer(struct gsup_wait *w)
{
	if (wait_turned(w))
		return wait_send_refusal(w);
	return traffic_send(w->session->down, w->answer, w->len);
}

void gsup_wait_release(struct gsup_session *s)
{
	struct gsup *gsup = s->gsup;
	struct gsup_wait *w, *next;

	llist_for_each_entry_safe(w, next, &gsup->waiting, entry) {
		if (w->session != s)
			continue;
		if (s->down)
			wait_answer(w);
		wait_remove(gsup, w);
	}
}

void gsup_wait_expire(struct gsup *gsup, int64_t now_us)
{
	struct gsup_wait *w;
	struct gsup_session *s;

	while ((w = llist_first_entry_or_null(&gsup->waiting, struct gsup_wait, entry)) && w->deadline_us <= now_us) {
		s = w->session;
		if (!wait_answer(w)) {
			gsup_session_end(
				s, TRAFFIC_END_STALLED); /* full of answers that it does not read; takes w along */
			continue;
		}
		gsup->counters.hlr_late++;
		wait_remove(gsup, w);
	}
	wait_schedule(gsup);
}

/* --- cancels */

bool gsup_cancel_note(struct gsup_session *s, struct weir_imsi imsi)
{
	struct gsup *gsup = s->gsup;
	struct gsup_cancelled *c = &gsup->cancelled[gsup->cancelled_at];

	if (c->session)
		return false; /* the oldest place is not free yet: all are taken */
	*c = (struct gsup_cancelled){
		.session = s,
		.imsi = imsi,
		.deadline_us = traffic_now_us(gsup->traffic) + GSUP_CANCEL_S * 1000000ll,
	};
	gsup->cancelled_at = (gsup->cancelled_at + 1) % GSUP_CANCELS;
	gsup->n_cancelled++;
	return true;
}

static void cancel_free(struct gsup *gsup, struct gsup_cancelled *c)
{
	c->session = NULL;
	gsup->n_cancelled--;
}

void gsup_cancel_expire(struct gsup *gsup, int64_t now_us)
{
	for (unsigned i = 0; i < GSUP_CANCELS && gsup->n_cancelled; i++) {
		struct gsup_cancelled *c = &gsup->cancelled[i];
		if (!c->session || c->deadline_us > now_us)
			continue;
		cancel_free(gsup, c);
		gsup->counters.cancel_expired++;
	}
}

void gsup_cancel_release(struct gsup_session *s)
{
	struct gsup *gsup = s->gsup;

	for (unsigned i = 0; i < GSUP_CANCELS && gsup->n_cancelled; i++) {
		if (gsup->cancelled[i].session == s)
			cancel_free(gsup, &gsup->cancelled[i]);
	}
}

bool gsup_cancel_take(struct gsup_session *s, struct weir_imsi imsi, bool done)
{
	struct gsup *gsup = s->gsup;

	for (unsigned i = 0; i < GSUP_CANCELS && gsup->n_cancelled; i++) {
		struct gsup_cancelled *c = &gsup->cancelled[i];
		if (c->session != s || c->imsi.packed != imsi.packed)
			continue;
		cancel_free(gsup, c);
		if (done)
			gsup->counters.cancel_done++;
		else
			gsup->counters.cancel_failed++;
		return true;
	}
	return false;
}
