/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* "Once a minute": keeps who knocks a thousand times from filling the log.
 *
 * What is limited is a complaint: of an address or of a name, and about something.  Complaints do not hide each other;
 * they are told apart by a hash of 64 bits, which chance does not make equal.
 *
 * A fixed table; when it is full nothing more is said, so a flood from many addresses logs at most GRIPES lines a
 * minute.  Whoever can fill it silences all that share it: so strangers and those who are known have a table each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gate/address.h"

#define GRIPES        64
#define GRIPE_SPAN_US 60000000ll

struct gripes {
	struct gripe {
		uint64_t key;
		int64_t at_us;
		bool used;
	} gripe[GRIPES];
};

/* True where it may be logged now.  Of this address, its port ignored, whatever about; of this address, about what; of
 * this name, about what. */
bool gripe_now(struct gripes *gripes, const struct gate_address *from, int64_t now_us);
bool gripe_about(struct gripes *gripes, const struct gate_address *from, const char *what, int64_t now_us);
bool gripe_of(struct gripes *gripes, const char *name, const char *what, int64_t now_us);
