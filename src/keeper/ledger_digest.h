/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* BLAKE2b-256 and randomness for the ledger; the library behind it is libsodium's and stays in ledger_digest.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LEDGER_DIGEST 32

struct ledger_hash {
	_Alignas(64) unsigned char state[384];
};

void ledger_hash_begin(struct ledger_hash *hash);
void ledger_hash_add(struct ledger_hash *hash, const void *bytes, size_t len);
void ledger_hash_end(struct ledger_hash *hash, uint8_t digest[static LEDGER_DIGEST]);

/* Of one piece. */
void ledger_digest(const void *bytes, size_t len, uint8_t digest[static LEDGER_DIGEST]);

/* A number that nobody else has drawn: the origin of a new ledger. */
uint64_t ledger_random_id(void);
