/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One Diameter connection: its messages one by one, its watchdog (RFC 3539), its end.  Never looks into an AVP: what a
 * message means is s13_base.c's and s13_ecr.c's. */
#include "gate/s13_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "core/chance.h"
#include "gate/log.h"

#define IN_SIZE   65536
#define OUT_SIZE  65536 /* any answer fits: to DIAMETER_MAX octets it has up to MOST_WANTED */
#define SCTP_PPID 46    /* RFC 6733 2.1.1: Diameter in clear */
#define JITTER_US 2000000u
#define US        1000000ll

/* diameter_answer_room of the longest request, and what capabilities say on top. */
#define MOST_WANTED (2 * DIAMETER_MAX + 2 * DIAMETER_IDENTITY_TEXT + 256 + DIAMETER_BASE_ROOM)
_Static_assert(MOST_WANTED <= OUT_SIZE, "who waits for room must get it");

/* Strangers by their address, peers by their name: nobody hides what another one does. */
void s13_session_gripe(struct s13_session *s, const char *what)
{
	struct s13 *s13 = s->s13;
	int64_t now_us = traffic_now_us(s13->traffic);

	if (s->client ? gripe_of(&s13->quarrels, s->client->name, what, now_us)
		      : gripe_about(&s13->strangers, &s->conn->remote, what, now_us))
		LOGSESSION(s, LOGL_NOTICE, "%s\n", what);
}

int s13_session_level(struct s13_session *s, struct gripes *gripes, const char *what)
{
	return gripe_of(gripes, s->client->name, what, traffic_now_us(s->s13->traffic)) ? LOGL_NOTICE : LOGL_INFO;
}

static void tell_end(struct s13_session *s, const char *what)
{
	int level = s13_session_level(s, &s->s13->goings, what);

	s->s13->counters.ended++;
	LOGSESSION(s, level, "%s\n", what);
}

/* Its connection, which is nobody's now; NULL where it is ending already. */
static struct traffic_conn *let_go(struct s13_session *s, enum traffic_end end)
{
	struct traffic_conn *conn = s->conn;

	if (s->ending)
		return NULL;
	s->ending = true;
	if (s->client)
		tell_end(s, traffic_end_name(end));
	clients_leave(s->s13->clients, s->client, traffic_now_us(s->s13->traffic));
	conn->data = NULL;
	llist_del(&s->entry);
	free(s);
	return conn;
}

void s13_session_end(struct s13_session *s, enum traffic_end end)
{
	struct traffic_conn *conn = let_go(s, end);

	if (conn)
		traffic_finish(conn, end);
}

void s13_session_cut(struct s13_session *s, enum traffic_end end)
{
	struct traffic_conn *conn = let_go(s, end);

	if (conn)
		traffic_close(conn, end);
}

/* Our own requests carry ids that no two of a connection share. */
static void draw_ids(struct s13_session *s, uint32_t *hop_by_hop, uint32_t *end_to_end)
{
	*hop_by_hop = ++s->hop_by_hop;
	*end_to_end = ++s->s13->end_to_end;
}

static bool say_goodbye(struct s13_session *s, enum diameter_cause cause)
{
	uint8_t buf[DIAMETER_BASE_ROOM];
	uint32_t hop_by_hop, end_to_end;
	int len;

	draw_ids(s, &hop_by_hop, &end_to_end);
	len = diameter_dpr(&s->s13->us, cause, hop_by_hop, end_to_end, buf, sizeof(buf));
	return len > 0 && traffic_send(s->conn, buf, (size_t)len);
}

void s13_session_goodbye(struct s13_session *s, enum diameter_cause cause)
{
	int64_t deadline_us = traffic_now_us(s->s13->traffic) + S13_GOODBYE_S * US;

	if (s->state == S13_CLOSING) {
		s->deadline_us = s->deadline_us < deadline_us ? s->deadline_us : deadline_us;
		return;
	}
	if (s->state != S13_OPEN || !say_goodbye(s, cause)) {
		s13_session_end(s, TRAFFIC_END_OURS);
		return;
	}
	s->s13->counters.goodbyes++;
	s->state = S13_CLOSING;
	s->said_goodbye = true;
	s->deadline_us = deadline_us;
}

/* --- watchdog */

void s13_session_draw_tw(struct s13_session *s)
{
	s->tw_us = s->s13->config->watchdog_s * US + chance_below(&s->s13->chance, 2 * JITTER_US) - JITTER_US;
}

static void watch_from_now(struct s13_session *s, enum s13_watchdog watchdog)
{
	s->watchdog = watchdog;
	s->watched_us = traffic_now_us(s->s13->traffic);
	s13_session_draw_tw(s);
}

static void ask(struct s13_session *s)
{
	uint8_t buf[DIAMETER_BASE_ROOM];
	uint32_t hop_by_hop, end_to_end;
	int len;

	draw_ids(s, &hop_by_hop, &end_to_end);
	len = diameter_dwr(&s->s13->us, hop_by_hop, end_to_end, buf, sizeof(buf));
	if (len < 0 || !traffic_send(s->conn, buf, (size_t)len))
		return; /* no room: the peer does not read, which ends by itself */
	s->s13->counters.watchdogs++;
	watch_from_now(s, S13_ASKED);
}

static void suspect(struct s13_session *s)
{
	s->s13->counters.suspected++;
	watch_from_now(s, S13_SUSPECT);
}

static void give_up(struct s13_session *s)
{
	s->s13->counters.silent++;
	s13_session_end(s, TRAFFIC_END_SILENT);
}

/* RFC 3539 3.4.1: anything that is heard is as good as a DWA, and nobody is given up who was not asked.  While we do
 * not read ourselves there is nothing to be heard. */
static void watch(struct s13_session *s)
{
	int64_t now_us = traffic_now_us(s->s13->traffic);
	int64_t since_us;

	if (s->conn->paused || s->conn->heard_us >= s->watched_us)
		s->watchdog = S13_OKAY;
	since_us = s->watchdog == S13_OKAY ? s->conn->heard_us : s->watched_us;
	if (s->conn->paused || now_us - since_us < s->tw_us)
		return;
	switch (s->watchdog) {
	case S13_OKAY:
		ask(s);
		break;
	case S13_ASKED:
		suspect(s);
		break;
	case S13_SUSPECT:
		give_up(s);
		break;
	}
}

/* --- messages */

void s13_session_await_room(struct s13_session *s, size_t wanted)
{
	traffic_reserve(s->conn, wanted); /* cannot be had, so that drained() comes when it can */
	traffic_pause(s->conn);
}

/* One message that is no check, or the checks at the front.  Octets taken; 0: more or room is awaited; negative: the
 * session must end. */
static ssize_t take(struct s13_session *s, const uint8_t *octets, size_t len)
{
	struct diameter_message m;
	size_t wanted;

	switch (diameter_next(octets, len, &m)) {
	case DIAMETER_MORE:
		return 0;
	case DIAMETER_BAD_LENGTH:
		s13_base_bad_length(s, &m);
		return -EPROTO;
	case DIAMETER_WHOLE:
		break;
	}
	if (s->state != S13_WAIT_CER && s13_is_check(&m))
		return s13_checks(s, octets, len);
	wanted = diameter_answer_room(&m) + DIAMETER_BASE_ROOM;
	if (traffic_room(s->conn) < wanted) {
		s13_session_await_room(s, wanted);
		return 0;
	}
	return s13_base_message(s, &m) < 0 ? -EPROTO : (ssize_t)m.len;
}

static ssize_t consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	struct s13_session *s = conn->data;
	size_t taken = 0;
	ssize_t n;

	do {
		n = take(s, octets + taken, len - taken);
		if (conn->data != s)
			return (ssize_t)taken; /* it has ended meanwhile */
		if (n < 0) {
			s13_session_end(s, TRAFFIC_END_PROTOCOL);
			return (ssize_t)taken;
		}
		taken += (size_t)n;
	} while (n > 0 && taken < len);
	return (ssize_t)taken;
}

/* --- the connection */

static void refuse_address(struct s13 *s13, const struct traffic_conn *conn)
{
	static const char what[] = "refused: no peer rule covers this address";
	char text[GATE_ADDRESS_TEXT];

	s13->counters.stranger++;
	if (gripe_about(&s13->strangers, &conn->remote, what, traffic_now_us(s13->traffic)))
		LOGP(DS13, LOGL_NOTICE, "%s: %s\n", address_print_port(text, &conn->remote), what);
}

static bool accepted(struct traffic_conn *conn, void *owner)
{
	struct s13 *s13 = owner;
	struct s13_session *s;

	if (!config_covers_address(&s13->config->door, &conn->remote)) {
		refuse_address(s13, conn);
		return false;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->s13 = s13;
	s->conn = conn;
	s->deadline_us = traffic_now_us(s13->traffic) + S13_CER_S * US;
	s->hop_by_hop = (uint32_t)(chance_next(&s13->chance) >> 32);
	conn->data = s;
	llist_add_tail(&s->entry, &s13->sessions);
	return true;
}

/* TLS is done: the CER has its time from here. */
static void secured(struct traffic_conn *conn)
{
	struct s13_session *s = conn->data;

	s->deadline_us = traffic_now_us(s->s13->traffic) + S13_CER_S * US;
}

static void tick(struct traffic_conn *conn)
{
	struct s13_session *s = conn->data;

	if (s->state == S13_OPEN) {
		watch(s);
		return;
	}
	if (traffic_now_us(s->s13->traffic) < s->deadline_us)
		return;
	if (s->state == S13_WAIT_CER) {
		s->s13->counters.unidentified++;
		s13_session_gripe(s, "did not say who it is in time");
	}
	s13_session_end(s, s->state == S13_WAIT_CER ? TRAFFIC_END_SILENT : TRAFFIC_END_OURS);
}

static void closed(struct traffic_conn *conn, enum traffic_end end)
{
	struct s13_session *s = conn->data;

	if (s)
		s13_session_end(s, end);
}

const struct traffic_kind s13_kind = {
	.name = "s13",
	.log = DS13,
	.in_size = IN_SIZE,
	.out_size = OUT_SIZE,
	.sctp_ppid = SCTP_PPID,
	.message = diameter_length,
	.accepted = accepted,
	.secured = secured,
	.consume = consume,
	.drained = traffic_resume,
	.tick = tick,
	.closed = closed,
};
