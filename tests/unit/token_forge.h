/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Tokens and keys as an NRF has them, made with GnuTLS: libjwt's own encoder writes ES256 signatures that nobody else
 * reads (132 octets).  Everything asserts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "scratch.h"

struct forge_key;

enum forge_kind {
	FORGE_P256,
	FORGE_P384,
	FORGE_P521,
	FORGE_RSA2048,
	FORGE_RSA1024,
	FORGE_ED25519
};

struct forge_key *forge_key_make(enum forge_kind kind);
void forge_key_free(struct forge_key *key);
/* PEM of the public key; the buffer is the caller's. */
void forge_key_public(const struct forge_key *key, char *pem, size_t size);
void forge_key_private(const struct forge_key *key, char *pem, size_t size);
/* A certificate that the key signed itself. */
void forge_key_certificate(const struct forge_key *key, char *pem, size_t size);

/* base64url of octets, appended to text. */
void forge_append(char *text, size_t size, const void *octets, size_t len);

/* HEADER.CLAIMS.SIGNATURE of two JSON texts.  The hash is that of alg, which need not be what header says. */
void forge_token(char *text, size_t size, const struct forge_key *key, const char *alg, const char *header,
		 const char *claims);
/* The same with an HMAC over a secret, as HS256 has it. */
void forge_token_hs256(char *text, size_t size, const char *secret, const char *header, const char *claims);
