/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The GSUP interface: a server for MSCs and SGSNs and, with an HLR configured, a transparent proxy in front of it.
 *
 * Session.  A connection from an address that no peer rule covers is closed at once.  We ask for the identity; the
 * first thing that counts must be the answer (IPA pings before it are answered), within GSUP_IDENTITY_S, and its name
 * (serial number tag) must be allowed from that address.  A second connection of the same name replaces the first: a
 * peer that reconnects knows better than we do whether the old one is dead.
 *
 * Proxy.  One upstream connection for each peer, introduced to the HLR with the peer's own ID_RESP octets, so that the
 * HLR routes by the names it knows.  Until the HLR has it only checks are taken from the peer.  Every frame passes
 * untouched both ways, except:
 * - IPA CCM (ping, pong, identity) is spoken on each leg by itself;
 * - Check-IMEI requests are decided here.  Refused ones stay here.  Accepted ones are answered and also passed on, so
 * that the HLR still stores the IMEI and creates subscribers on demand; what it says to them is absorbed, unless
 * somebody still waits for it (`hlr check-imei wait`);
 * - answers of a peer to cancels that we sent are absorbed.
 * If the upstream leg drops, the peer's connection is closed after what was written to it: its client connects again
 * and finds the HLR back, or not.  Answering location updates with errors in the meantime would cost phones their
 * service.
 *
 * The HLR never delays a check by itself.  One whose copy has no room, or comes before the HLR is there, is answered
 * (in wait mode too) and its copy dropped and counted.  What can delay it is another frame in front of it that has to
 * wait for the HLR: until GSUP_HLR_S have passed, or until the HLR has read nothing for TRAFFIC_STALL_S.  Then the
 * peer's connection is closed, and its client comes again.
 *
 * Order.  Frames leave each leg in the order in which they came.  Answers to checks are written in the turn in which
 * the check was read, before anything that was passed on in that turn has left; so nothing the HLR says in reaction to
 * a later frame of the same subscriber can overtake our answer.  In wait mode the answer is the HLR's own and in the
 * HLR's order.
 *
 * On the wire (TS 24.008 causes; osmo-msc takes any error as a refusal, so an error is never used where "allow" is
 * meant): white, grey, unknown -> result ACK; black -> result NACK; malformed refused -> error 96; else refused ->
 * error 17. Without an HLR, other requests are answered with error 17 (network failure: the phone may try again);
 * results and errors that nobody asked for are dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digits.h"
#include "core/why.h"
#include "gate/address.h"
#include "gate/check.h"
#include "gate/counters.h"
#include "wire/gsup.h"

#define GSUP_IDENTITY_S 5
#define GSUP_HLR_S      4 /* to connect and to ask who the peer is; less than a client's patience of 5 s */
#define GSUP_PING_S     20
#define GSUP_CANCEL_S   10   /* how long a peer's answer to our cancel is absorbed */
#define GSUP_CANCELS    4096 /* of them at a time */
#define GSUP_WAITING    1024 /* checks that wait for the HLR; more are answered at once */

struct gsup;
struct gsup_config;
struct peers;
struct traffic;

struct gsup_counters {
	uint64_t connected, replaced, stranger, unidentified, violated, upstream_failed, upstream_dropped;
	uint64_t unnumbered; /* no id left: block now cannot find the peer */
	uint64_t from_peer, to_peer, from_hlr, to_hlr; /* frames; to_hlr and to_peer count what was passed on */
	uint64_t told_hlr;                             /* accepted checks whose copy was passed on, in any mode */
	uint64_t absorbed;                             /* the HLR's answers to those */
	uint64_t hlr_decided;                          /* wait mode: the HLR's answer was relayed */
	uint64_t hlr_late;                             /* wait mode: ours went out */
	uint64_t hlr_crowded;                          /* wait mode: no place to wait, ours went out at once */
	uint64_t hlr_turned; /* wait mode: the device turned black meanwhile, ours went out as a refusal */
	uint64_t hlr_untold;                           /* checks answered, but no room or no HLR yet for their copy */
	uint64_t alone_refused;                        /* requests answered with an error because there is no HLR */
	uint64_t cancels, cancel_done, cancel_failed, cancel_lost; /* sent; result; error; no session, room or place */
	uint64_t cancel_expired;                                   /* sent, never answered */
};

/* Check, traffic and peers must outlive it. */
struct gsup *gsup_alloc(void *ctx, struct check *check, struct traffic *traffic, struct peers *peers);
void gsup_free(struct gsup *gsup);

/* Take a configuration into force, in two steps (door.h): prepare opens new addresses and may fail, then nothing has
 * changed; commit closes vanished ones and peers that are no longer allowed, and moves the others to another HLR
 * without closing them.  config must stay until the next commit. */
int gsup_prepare(struct gsup *gsup, const struct gsup_config *config, struct weir_why *why);
void gsup_commit(struct gsup *gsup);
void gsup_abort(struct gsup *gsup);
/* The policy was replaced: resolve every peer's terms again. */
void gsup_policy_changed(struct gsup *gsup);

/* Throw a subscriber off a peer: Location Cancel.  0; -ENOTCONN (peer not there), -ENOBUFS (no room or no place). */
int gsup_cancel(struct gsup *gsup, uint16_t peer_id, struct weir_imsi imsi, uint64_t imei);

/* Is it connected and past its handshake?  *terms: under the current policy. */
bool gsup_peer_ready(struct gsup *gsup, uint16_t peer_id, uint16_t *terms);

/* Answer the checks whose wait is over, forget cancels that nobody answered. */
void gsup_expire(struct gsup *gsup, int64_t now_us);

/* SIGTERM: no new connections; every session says what it has to say and ends. */
void gsup_stop(struct gsup *gsup);

const char *gsup_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict); /* check.h */

struct counter_table gsup_counter_table(const struct gsup *gsup);
const struct gsup_counters *gsup_counters(const struct gsup *gsup);
unsigned gsup_waiting(const struct gsup *gsup);
/* The n-th listening place with the real port, NULL past the last. */
const struct gate_place *gsup_listening(const struct gsup *gsup, unsigned n);

struct gsup_peer_state {
	const char *name, *state; /* "identity awaited", "hlr awaited", "proxy", "alone" */
	struct gate_address address;
	uint16_t id;
	enum gsup_cn_domain domain;
	int64_t up_s, silent_s;
	uint64_t checks, from_peer, from_hlr, octets_in, octets_out;
};
typedef void gsup_peer_fn(const struct gsup_peer_state *peer, void *data);
void gsup_each_peer(const struct gsup *gsup, gsup_peer_fn *fn, void *data);
