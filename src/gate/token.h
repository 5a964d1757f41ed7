/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Access tokens of the 5G core (TS 29.500 13.4.1, TS 29.510 6.3.5.2.4, RFC 7515, RFC 7519, RFC 6750).
 *
 * A consumer shows a signed token that it had from the NRF: "Authorization: Bearer HEADER.CLAIMS.SIGNATURE".  It is
 * good for us where
 *
 *  alg    is one that the key of this kid is for: ES256, ES384, RS256, RS384 or RS512.  A key decides its algorithms
 *         when it is read and the token never does: no "none", no HS*, and no public key taken for a shared secret
 *  iss    is the configured NRF, where one is configured
 *  aud    is, or has among it, our NF instance id or our type "5G_EIR"
 *  exp    is there and not over; nbf and iat, where they are there, are not in the future by more than TOKEN_LEEWAY_S
 *  scope  has the word n5g-eir-eic
 *
 * Verifying one takes up to half a millisecond, as libjwt reads the key each time.  So accepted tokens are remembered,
 * whole, until exp; what failed its signature is remembered too; and new ones are verified at most TOKEN_PER_S a
 * second: more get TOKEN_BUSY, an answer of 503.  Everything that can be refused without the key is, before that.
 *
 * Anybody can make tokens that only the key tells from good ones.  So that he keeps no others out, TOKEN_KEPT_PER_S of
 * those verifications are for connections on which a good token came already, and the rest are for all, at most
 * TOKEN_ADDRESS_PER_S for an address (IPv6: for a /64).
 *
 * The room keeps public keys only.  A token reaches no log: it is a secret while it lasts.  jwt.h stays behind token.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/why.h"
#include "gate/address.h"
#include "gate/counters.h"
#include "wire/sbi.h"

#define TOKEN_MAX_TEXT      4096 /* octets of a token; longer ones are refused unread */
#define TOKEN_MAX_KEYS      8
#define TOKEN_PATH_TEXT     256
#define TOKEN_KID_TEXT      64
#define TOKEN_SUBJECT_TEXT  64
#define TOKEN_LEEWAY_S      30
#define TOKEN_PER_S         100 /* verifications a second: a twentieth of one core */
#define TOKEN_KEPT_PER_S    50
#define TOKEN_ADDRESS_PER_S 5
#define TOKEN_ACCEPTED      1024 /* remembered at a time; the one that ends first gives way */
#define TOKEN_REFUSED       256
#define TOKEN_SCOPE         "n5g-eir-eic"
#define TOKEN_AUDIENCE      "5G_EIR"

enum token_mode {
	TOKEN_OFF = 0,  /* an Authorization header is not looked at */
	TOKEN_OPTIONAL, /* none is fine; one that is there must be good */
	TOKEN_REQUIRED,
};

struct token_key_config {
	char file[TOKEN_PATH_TEXT]; /* PEM public key or certificate */
	char kid[TOKEN_KID_TEXT];   /* "": tried for every token, whatever its kid */
};

struct token_config {
	enum token_mode mode;
	char issuer[SBI_UUID_TEXT]; /* "": any whose signature is good */
	struct token_key_config key[TOKEN_MAX_KEYS];
	unsigned n_keys;
};

/* What becomes of a request; the status code is the one that RFC 6750 3.1 and TS 29.500 6.7.3 have for it. */
enum token_answer {
	TOKEN_NOT_ASKED = 0, /* go on: nobody asked for one (mode off; or optional and none shown) */
	TOKEN_GOOD,          /* go on: accepted */
	TOKEN_MISSING,       /* 401 */
	TOKEN_INVALID,       /* 401 */
	TOKEN_NO_SCOPE,      /* 403 */
	TOKEN_BUSY,          /* 503 with Retry-After: 1 */
	TOKEN_N_ANSWERS
};

struct token_result {
	char subject[TOKEN_SUBJECT_TEXT]; /* of a good one: the consumer's NF instance id; printable ASCII, or "" */
	int64_t expires_s;                /* of a good one: seconds since 1970 */
	const char *why;                  /* of a refused one: a few words, for a log or an error_description; static */
};

/* A connection that shows tokens; the interface keeps one for each. */
struct token_asker {
	struct gate_address from; /* whatever port */
	bool known;               /* false at first: a good one came */
};

struct token_counters {
	uint64_t good, remembered, missing, invalid, no_scope, busy; /* remembered: of the good, without verifying */
	uint64_t verified;                                           /* signatures looked at */
};

struct tokens;

struct tokens *tokens_alloc(void *ctx);
void tokens_free(struct tokens *tokens);

/* Read the keys.  0, or a negative errno with why and nothing changed.  Followed by exactly one of commit and abort
 * (abort without a prepare is fine).  Called for each configuration and at SIGHUP, so that renewed files are read.
 * Where keys and settings are others than before, commit forgets every remembered token: a key that has gone takes its
 * tokens with it. */
int tokens_prepare(struct tokens *tokens, const struct token_config *config, const char *instance_id,
		   struct weir_why *why);
void tokens_commit(struct tokens *tokens);
void tokens_abort(struct tokens *tokens);

/* Judge the value of an Authorization header (not terminated; NULL: the request has none; two of them: the caller's
 * 400). wall_us: microseconds since 1970 (traffic_wall_us).  *result is always set. */
enum token_answer token_authorize(struct tokens *tokens, struct token_asker *asker, const char *value, size_t len,
				  int64_t wall_us, struct token_result *result);
/* The same for the token alone, whatever the mode. */
enum token_answer token_check(struct tokens *tokens, struct token_asker *asker, const char *text, size_t len,
			      int64_t wall_us, struct token_result *result);

/* The value of WWW-Authenticate that goes with 401 and 403 (RFC 6750 3); NULL with the others. */
const char *token_challenge(enum token_answer answer);

enum token_mode tokens_mode(const struct tokens *tokens);
const char *token_mode_name(enum token_mode mode); /* "off", "optional", "required" */

struct counter_table token_counter_table(const struct tokens *tokens); /* good as long as the tokens are */
/* Tokens remembered as good. */
unsigned tokens_remembered(const struct tokens *tokens);
