/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One Diameter connection: its messages one by one, its watchdog (RFC 3539), its end.  Never looks into an AVP: what a
 * message means is s13_base.c's and s13_ecr.c's. */
#include "gate/s13_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"

#define IN_SIZE   65536
#define OUT_SIZE  65536 /* what remains of an answer to DIAMETER_MAX octets fits in it twice */
#define SCTP_PPID 46    /* RFC 6733 2.1.1: Diameter in clear */
#define JITTER_US 2000000u
#define US        1000000ll

void s13_session_gripe(struct s13_session *s, const char *what)
{
	if (gripe_now(&s->s13->strangers, &s->conn->remote, traffic_now_us(s->s13->traffic)))
		LOGSESSION(s, LOGL_NOTICE, "%s\n", what);
}

void s13_session_end(struct s13_session *s, enum traffic_end end)
{
	struct traffic_conn *conn = s->conn;

	if (s->ending)
		return;
	s->ending = true;
	if (s->state != S13_WAIT_CER)
		LOGSESSION(s, LOGL_NOTICE, "%s\n", traffic_end_name(end));
	if (s->client)
		s13_client_leave(s->s13, s->client);
	conn->data = NULL;
	llist_del(&s->entry);
	free(s);
	traffic_finish(conn, end);
}

void s13_session_ids(struct s13_session *s, uint32_t *hop_by_hop, uint32_t *end_to_end)
{
	*hop_by_hop = ++s->hop_by_hop;
	*end_to_end = ++s->s13->end_to_end;
}

static bool say_goodbye(struct s13_session *s, enum diameter_cause cause)
{
	uint8_t buf[DIAMETER_BASE_ROOM];
	uint32_t hop_by_hop, end_to_end;
	int len;

	s13_session_ids(s, &hop_by_hop, &end_to_end);
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

void s13_session_rearm(struct s13_session *s)
{
	s->watched_us = traffic_now_us(s->s13->traffic);
	s->tw_us = s->s13->config->watchdog_s * US + s13_chance(s->s13) % (2 * JITTER_US) - JITTER_US;
}

static void ask(struct s13_session *s)
{
	uint8_t buf[DIAMETER_BASE_ROOM];
	uint32_t hop_by_hop, end_to_end;
	int len;

	s13_session_ids(s, &hop_by_hop, &end_to_end);
	len = diameter_dwr(&s->s13->us, hop_by_hop, end_to_end, buf, sizeof(buf));
	if (len < 0 || !traffic_send(s->conn, buf, (size_t)len))
		return; /* no room: the peer does not read, which ends by itself */
	s->s13->counters.watchdogs++;
	s->watchdog = S13_ASKED;
	s13_session_rearm(s);
}

/* RFC 3539 3.4.1: anything that is heard is as good as a DWA. */
static void watch(struct s13_session *s)
{
	int64_t now_us = traffic_now_us(s->s13->traffic);

	if (s->conn->paused || s->conn->heard_us >= s->watched_us) {
		s->watchdog = S13_OKAY;
		if (now_us - s->conn->heard_us < s->tw_us || s->conn->paused)
			return;
		ask(s);
		return;
	}
	if (now_us - s->watched_us < s->tw_us)
		return;
	if (s->watchdog == S13_ASKED) {
		s->s13->counters.suspected++;
		s->watchdog = S13_SUSPECT;
		s13_session_rearm(s);
		return;
	}
	s->s13->counters.silent++;
	s13_session_end(s, TRAFFIC_END_SILENT);
}

/* --- messages */

/* One message that is no check, or the checks at the front.  Octets taken; 0: more or room is awaited; negative: the
 * session must end. */
static ssize_t take(struct s13_session *s, const uint8_t *octets, size_t len)
{
	struct diameter_message m;

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
	if (traffic_room(s->conn) < diameter_answer_room(&m) + DIAMETER_BASE_ROOM) {
		traffic_reserve(s->conn, traffic_room(s->conn) + 1);
		traffic_pause(s->conn); /* until drained */
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

static size_t message(const uint8_t *octets, size_t len)
{
	return diameter_length(octets, len);
}

/* --- the connection */

static bool accepted(struct traffic_conn *conn, void *owner)
{
	struct s13 *s13 = owner;
	char text[GATE_ADDRESS_TEXT];
	struct s13_session *s;

	if (!config_covers_address(&s13->config->door, &conn->remote)) {
		s13->counters.stranger++;
		if (gripe_now(&s13->strangers, &conn->remote, traffic_now_us(s13->traffic)))
			LOGP(DS13, LOGL_NOTICE, "%s: refused: no peer rule covers this address\n",
			     address_print_port(text, &conn->remote));
		return false;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return false;
	s->s13 = s13;
	s->conn = conn;
	s->deadline_us = traffic_now_us(s13->traffic) + S13_CER_S * US;
	s->hop_by_hop = s13_chance(s13);
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

static void drained(struct traffic_conn *conn)
{
	traffic_resume(conn);
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
	.message = message,
	.accepted = accepted,
	.secured = secured,
	.consume = consume,
	.drained = drained,
	.tick = tick,
	.closed = closed,
};
