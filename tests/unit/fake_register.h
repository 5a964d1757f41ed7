/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A register for tests, instead of libregister: devices with their lists, a serial, and failures on demand. */
#pragma once

#include "register/register.h"

#define FAKE_DEVICES 64

struct weir_register {
	uint64_t serial;
	unsigned n;
	struct {
		uint64_t imei;
		uint8_t lists;
	} device[FAKE_DEVICES];
	int error;		/* of every look-up and of the meta */
	int lookup_error;	/* of every look-up only */
	uint64_t bad;		/* a look-up of this device fails: a damaged record */
	unsigned calls;		/* of register_lookup */
	unsigned asked;		/* queries handed to it */
	struct weir_query last; /* of them */
};

void fake_list(struct weir_register *reg, uint64_t imei, uint8_t lists);
