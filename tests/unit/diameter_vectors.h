/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Golden vectors of rooms that hold Diameter messages (vectors.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/diameter_base.h"

/* What the readers of wire/ find in a message, a line each, as the vectors' texts have it. */
const char *diameter_print(const uint8_t *octets, size_t len);

/* Damaged vectors of a room as far as they are messages still, and at least one is.  Every proper prefix is awaited,
 * and then claims to be the whole message; every bit is turned once. */
typedef void diameter_fn(const struct diameter_message *m);
void diameter_prefixes(const char *room, diameter_fn *fn);
void diameter_bitflips(const char *room, diameter_fn *fn);
