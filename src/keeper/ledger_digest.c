/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ledger's hash and its random number: the only file of the ledger that knows libsodium.  It keeps no state. */

#include "keeper/ledger_digest.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct ledger_hash *)0)->state), "room for the state");
_Static_assert(LEDGER_DIGEST == crypto_generichash_BYTES, "BLAKE2b-256");

static crypto_generichash_state *state_of(struct ledger_hash *hash)
{
	return (crypto_generichash_state *)(void *)hash->state;
}

void ledger_hash_begin(struct ledger_hash *hash)
{
	crypto_generichash_init(state_of(hash), NULL, 0, LEDGER_DIGEST);
}

void ledger_hash_add(struct ledger_hash *hash, const void *bytes, size_t len)
{
	crypto_generichash_update(state_of(hash), bytes, len);
}

void ledger_hash_end(struct ledger_hash *hash, uint8_t digest[static LEDGER_DIGEST])
{
	crypto_generichash_final(state_of(hash), digest, LEDGER_DIGEST);
}

void ledger_digest(const void *bytes, size_t len, uint8_t digest[static LEDGER_DIGEST])
{
	crypto_generichash(digest, LEDGER_DIGEST, bytes, len, NULL, 0);
}

uint64_t ledger_random_id(void)
{
	uint64_t id = 0;

	while (id == 0)
		randombytes_buf(&id, sizeof(id));
	return id;
}
