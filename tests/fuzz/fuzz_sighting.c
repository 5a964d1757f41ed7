/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/sighting: the input is one datagram.  What a decoder takes must encode to the same octets. */

#include "fuzz.h"
#include "wire/sighting.h"

#include <string.h>

static void try_sightings(const uint8_t *data, size_t size)
{
	struct weir_sighting out[SIGHTING_BATCH];
	uint8_t again[SIGHTING_DATAGRAM];
	int n = sighting_decode(data, size, out);

	if (n < 0)
		return;
	MUST(n <= SIGHTING_BATCH);
	MUST(sighting_encode(out, (unsigned)n, again) == size);
	MUST(memcmp(again, data, size) == 0);
}

static void try_flips(const uint8_t *data, size_t size)
{
	static struct weir_flips out;
	uint8_t again[FLIP_DATAGRAM];

	if (flips_decode(data, size, &out) < 0)
		return;
	MUST(out.n <= FLIP_BATCH && out.after_serial <= out.serial);
	MUST(flips_encode(&out, again) == size);
	MUST(memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_sightings(data, size);
	try_flips(data, size);
	return 0;
}
