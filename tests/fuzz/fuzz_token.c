/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/token_text: the input is a token.  What is read must keep its bounds; and what gets that far also goes through
 * libjwt, with a key that signed none of it. */
#include "fuzz.h"
#include "gate/token_key.h"
#include "gate/token_text.h"

#include <string.h>

static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
			  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEL8ieiaixhRKwyae2nkZwURi0kCjK\n"
			  "oOGy2169jrdgAFcfh+EIDWFChqNrv6CCaQM478gwvRiycA73TAcTU0k7Sw==\n"
			  "-----END PUBLIC KEY-----\n";

static void try_signature(const char *text, size_t len, enum token_alg alg)
{
	struct token_key key = {.algs = ~0u, .pem_len = sizeof(pem) - 1};
	char *terminated = malloc(len + 1);

	MUST(terminated);
	memcpy(terminated, text, len);
	terminated[len] = '\0';
	memcpy(key.pem, pem, sizeof(pem));
	MUST(!token_key_verify(&key, alg, terminated));
	free(terminated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct token_claims none;
	struct token_claims claims;
	const char *text = (const char *)data;

	if (token_read(text, size, "4947a69a-f61b-4bc1-b9da-47c9c5d14b64", &claims)) {
		MUST(!memcmp(&claims, &none, sizeof(none)));
		return 0;
	}
	MUST(size <= TOKEN_MAX_TEXT);
	MUST(claims.alg < TOKEN_N_ALGS);
	MUST(claims.exp_s > 0 && claims.nbf_s >= 0 && claims.iat_s >= 0);
	MUST(memchr(claims.kid, 0, sizeof(claims.kid)));
	MUST(memchr(claims.issuer, 0, sizeof(claims.issuer)));
	MUST(memchr(claims.subject, 0, sizeof(claims.subject)));
	MUST(claims.has_kid == (claims.kid[0] != '\0'));
	try_signature(text, size, claims.alg);
	return 0;
}
