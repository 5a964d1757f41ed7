/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/nrf_json: the input is the body of an NRF's answer.  Whatever it is, the timer keeps its bounds and the detail
 * may be logged. */
#include "fuzz.h"
#include "gate/nrf_json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nrf_answer answer;

	nrf_json_answer((const char *)data, size, &answer);
	MUST(answer.heartbeat_s <= NRF_HEARTBEAT_MAX_S);
	MUST(memchr(answer.detail, 0, sizeof(answer.detail)));
	for (const char *p = answer.detail; *p; p++)
		MUST(*p >= ' ' && *p <= '~');
	return 0;
}
