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

struct vector {
	char name[VECTOR_NAME];
	uint8_t *bytes; /* exactly len octets of heap, so that a sanitizer sees the first one behind them */
	size_t len;
	char *text;
};

void vector_init(struct vector *vector, const char *room, const char *name);
void vector_fini(struct vector *vector);

/* The value of a key before "decoded:"; the test fails where there is none.  Terminated, cut at size. */
void vector_field(const struct vector *vector, const char *key, char *buf, size_t size);
/* What stands behind "decoded:", with its two spaces a line. */
const char *vector_decoded(const struct vector *vector);

/* Each vector of a room in turn, by name; a room without any fails. */
void vectors_each(const char *room, void (*fn)(const struct vector *vector, void *data), void *data);

/* --- what a codec promises for every vector of its room: the running test fails where it does not hold */

/* The decoded form of a message as the texts have it. */
typedef const char *vector_print_fn(const uint8_t *bytes, size_t len);
/* Write a vector's message: octets, or 0 where its text says that nobody does; -ENOSPC where the room is too small. */
typedef int vector_encode_fn(const struct vector *vector, uint8_t *buf, size_t size);

/* Decoded it is what its text says. */
void vectors_decode(const char *room, vector_print_fn *print);
/* Written it is what its bytes are.  Returns how many are written. */
unsigned vectors_encode(const char *room, vector_encode_fn *encode, vector_print_fn *print);
/* No size below its own is enough to write it, and nothing is written behind the size. */
void vectors_need_room(const char *room, vector_encode_fn *encode);

/* Each gets an own heap copy of exactly len octets. */
typedef void vector_fn(const uint8_t *bytes, size_t len, void *data);
/* Every proper prefix of every vector, the empty ones too. */
void vectors_prefixes(const char *room, vector_fn *fn, void *data);
/* Every vector with every bit turned once. */
void vectors_bitflips(const char *room, vector_fn *fn, void *data);
