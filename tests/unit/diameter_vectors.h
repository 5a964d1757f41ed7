/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Golden vectors of rooms that hold Diameter messages (vectors.h). */
#pragma once

#include "rows.h"
#include "vectors.h"
#include "wire/diameter_base.h"

/* What the readers of wire/ find in a message, a line each, as the vectors' texts have it. */
const char *diameter_print(const uint8_t *octets, size_t len);

/* Whatever the message is, doing with it all that can be done is clean. */
typedef void diameter_use_fn(const struct diameter_message *m);

struct diameter_room {
	const char *name; /* of the folder in tests/vectors */
	vector_encode_fn *encode;
	unsigned n_written;   /* so many vectors at least */
	diameter_use_fn *use; /* gets damaged ones that are messages still; at least one is */
};

/* Both ways; no room; every proper prefix is awaited, and then claims to be the whole message; every bit turned once.
 * Returns how many tests that is. */
#define DIAMETER_ROOM_TESTS 5
size_t diameter_room_tests(const struct diameter_room *room, struct CMUnitTest tests[static DIAMETER_ROOM_TESTS]);
