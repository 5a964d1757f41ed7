/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The public keys of NRFs: read from PEM files, each with the algorithms that it is for, and the question whether one
 * of them signed a token.
 *
 * libjwt 1.10.2 verifies.  What it leaves open is closed here and in token_text.h: the algorithm is bound to the key
 * and compared again afterwards, and ES* signatures of foreign lengths never get to it (its encoder writes such).
 * libjwt and this use of GnuTLS stay behind token_key.c. */
#pragma once

#include <stdbool.h>

#include "core/why.h"
#include "gate/token.h"
#include "gate/token_text.h"

#define TOKEN_KEY_FILE 16384 /* octets of a PEM file at most */
#define TOKEN_KEY_PEM  4096  /* of a public key alone */

struct token_key {
	char kid[TOKEN_KID_TEXT];
	unsigned algs; /* bit 1 << enum token_alg */
	unsigned pem_len;
	char pem[TOKEN_KEY_PEM];
};

/* "PUBLIC KEY" or "CERTIFICATE", of P-256, P-384 or RSA of 2048 bits and more.  0, or a negative errno with why. */
int token_key_read(struct token_key *key, const struct token_key_config *config, struct weir_why *why);

/* May this key have signed a token of this header? */
bool token_key_fits(const struct token_key *key, const struct token_claims *claims);

/* Did it?  text is a terminated token that token_read took.  About half a millisecond. */
bool token_key_verify(const struct token_key *key, enum token_alg alg, const char *text);
