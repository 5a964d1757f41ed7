/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Golden vectors: tests/vectors/ROOM/NAME.hex is what is on the wire, NAME.txt says what it is.
 *
 * The text is one line of title, then "key: value" lines (clause, provenance, encode, ...), then "decoded:" and the
 * decoded form, two spaces in front of each line.  A room's test prints what it decodes in the same form and compares.
 *
 * Everything here fails the running cmocka test instead of returning an error. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_NAME 64
#define VECTORS_MAX 256

struct vector {
	char name[VECTOR_NAME];
	uint8_t *bytes; /* exactly len octets of heap, so that a sanitizer sees the first one behind them */
	size_t len;
	char *text;
};

/* The names in tests/vectors/ROOM, sorted.  Returns how many; a room without any fails. */
unsigned vector_names(const char *room, char names[static VECTORS_MAX][VECTOR_NAME]);

void vector_init(struct vector *vector, const char *room, const char *name);
void vector_fini(struct vector *vector);

/* The value of a key before "decoded:"; the test fails where there is none.  Terminated, cut at size. */
void vector_field(const struct vector *vector, const char *key, char *buf, size_t size);
/* What stands behind "decoded:", with its two spaces a line. */
const char *vector_decoded(const struct vector *vector);

/* Each gets an own heap copy of exactly len octets. */
typedef void vector_fn(const uint8_t *bytes, size_t len, void *data);
void vector_each_prefix(const struct vector *vector, vector_fn *fn,
			void *data); /* every proper one, the empty one too */
void vector_each_bitflip(const struct vector *vector, vector_fn *fn, void *data); /* every bit turned once */
