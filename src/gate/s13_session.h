/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the files of the S13 interface share; private to them.
 *
 * s13.c          the interface: configuration, stop, what is shown
 * s13_session.c  one connection: framing, life and end, watchdog
 * s13_base.c     the base protocol: capabilities, watchdog, disconnection, what nobody knows
 * s13_ecr.c      checks: read, judge, decide, answer */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <osmocom/core/linuxlist.h>

#include "gate/check.h"
#include "gate/clients.h"
#include "gate/config.h"
#include "gate/door.h"
#include "gate/gripe.h"
#include "gate/s13.h"
#include "gate/traffic.h"
#include "wire/diameter_base.h"
#include "wire/s13.h"

#define S13_FIRMWARE 1 /* Firmware-Revision */

enum s13_state {
	S13_WAIT_CER,
	S13_OPEN,
	S13_CLOSING, /* a DPR was said by one of us; checks are still answered */
};

enum s13_watchdog {
	S13_OKAY,
	S13_ASKED,
	S13_SUSPECT,
};

_Static_assert(CLIENT_NAME_TEXT >= DIAMETER_IDENTITY_TEXT, "a client has a whole DiameterIdentity for a name");

struct s13_session {
	struct llist_head entry; /* among the open ones, the longest open first */
	struct s13 *s13;
	struct traffic_conn *conn;
	enum s13_state state;
	enum s13_watchdog watchdog;
	bool agent, home, ending; /* home: its realm is one of ours */
	bool said_goodbye;
	int64_t deadline_us; /* waiting for a CER, closing */
	int64_t watched_us;  /* when it was asked, or suspected, last; 0: never */
	int64_t tw_us;       /* how long the watchdog waits */
	uint32_t hop_by_hop; /* of our last request */
	uint64_t checks, refused, shed;
	struct rate fresh;          /* new clients that come with this agent */
	struct gate_client *client; /* NULL before the CER */
	uint16_t host_len;
	char host[DIAMETER_IDENTITY_TEXT]; /* as the peer spells itself */
	char realm[DIAMETER_IDENTITY_TEXT];
};

struct s13 {
	struct check *check;
	struct traffic *traffic;
	const struct s13_config *config, *next;
	struct door door;
	struct llist_head sessions;
	struct s13_counters counters;
	struct gripes strangers, quarrels, comings, goings;
	struct diameter_us us; /* its names are those of config */
	struct s13_tail tail;
	struct clients *clients;
	struct rate foreign; /* checks of all foreign clients together */
	uint64_t chance;
	uint32_t end_to_end;
	bool stopping;
};

#define LOGSESSION(s, level, fmt, args...)                                                                             \
	do {                                                                                                           \
		char where_[GATE_ADDRESS_TEXT];                                                                        \
		LOGP(DS13, level, "%s (%s): " fmt, (s)->client ? (s)->client->name : "?",                              \
		     address_print_port(where_, &(s)->conn->remote), ##args);                                          \
	} while (0)

/* s13.c */
bool s13_serves_realm(const struct s13 *s13, const struct diameter_view *view, const struct diameter_field *realm);
bool s13_is_agent(const struct s13_config *config, const char *name);

/* s13_session.c */
extern const struct traffic_kind s13_kind;
/* What was written is sent, and the peer given TRAFFIC_FINISH_S to close; or all is closed at once. */
void s13_session_end(struct s13_session *session, enum traffic_end end);
void s13_session_cut(struct s13_session *session, enum traffic_end end);
/* Say DPR, and end when it is answered or S13_GOODBYE_S is over. */
void s13_session_goodbye(struct s13_session *session, enum diameter_cause cause);
/* How long the watchdog waits, by the configuration in force and chance.  Not since when: a new configuration is no
 * word of the peer. */
void s13_session_draw_tw(struct s13_session *session);
/* There is less room than wanted for the next answer: read on when there is as much. */
void s13_session_await_room(struct s13_session *session, size_t wanted);
/* Log it once a minute: of a peer, or of the address of one who is none yet. */
void s13_session_gripe(struct s13_session *session, const char *what);
/* The level at which a peer's coming or going is told: NOTICE once a minute, else INFO.  Asked once for each:
 * LOGSESSION looks at its level twice. */
int s13_session_level(struct s13_session *session, struct gripes *gripes, const char *what);

/* s13_base.c: one message that is no check.  Negative: the session must end. */
int s13_base_message(struct s13_session *session, const struct diameter_message *message);
/* A header whose length cannot be. */
void s13_base_bad_length(struct s13_session *session, const struct diameter_message *message);

/* s13_ecr.c */
bool s13_is_check(const struct diameter_message *message);
/* The checks at the front of a buffer.  Octets taken, 0 where there is no room for the answer of the first; -EPROTO. */
ssize_t s13_checks(struct s13_session *session, const uint8_t *octets, size_t len);
