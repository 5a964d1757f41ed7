/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What an access token says of itself, before anybody knows whether it is true: header and claims of a compact JWS
 * (RFC 7515 7.1, RFC 7519 4.1, TS 29.510 6.3.5.2.4), read strictly.
 *
 * Strict, because libjwt reads the same octets again and must not read them otherwise: base64url without padding and
 * without stray bits, JSON objects without repeated names, a signature of exactly the length that its algorithm has, no
 * "crit".  Whatever is not understood is refused in a few words.  jansson.h stays behind token_text.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/token.h"

/* All that are taken; "none" and HS* have no place here, so that nothing can ask for them. */
enum token_alg {
	TOKEN_ES256 = 0,
	TOKEN_ES384,
	TOKEN_RS256,
	TOKEN_RS384,
	TOKEN_RS512,
	TOKEN_N_ALGS
};

struct token_claims {
	enum token_alg alg;
	bool has_kid;
	char kid[TOKEN_KID_TEXT];
	char issuer[SBI_UUID_TEXT];       /* "": none */
	char subject[TOKEN_SUBJECT_TEXT]; /* in small letters, as a UUID has no case; "": none that can be printed */
	int64_t exp_s, nbf_s, iat_s;      /* nbf and iat: 0 is none */
	bool for_us;                      /* aud has instance_id or our NF type */
	bool has_scope;                   /* scope has our service */
};

/* NULL and *claims; or what is wrong with it, a static text, and *claims all zero. */
const char *token_read(const char *text, size_t len, const char *instance_id, struct token_claims *claims);
