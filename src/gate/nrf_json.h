/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The JSON of the NFManagement service (TS 29.510 6.1.6): what we say, and what is taken from an answer.
 *
 * The services are given twice, as nfServiceList (a map, since release 16) and as nfServices (the array of release 15,
 * deprecated since): an NRF of release 15 and free5GC's look into the array only, Open5GS' reads both and takes what
 * has the same serviceInstanceId for one.  An NRF that knows one of them ignores the other (TS 29.501 5.3.15: unknown
 * attributes are).
 *
 * Answers come from another machine: they are bounded before they come here, read for the two or three members that
 * matter, and whatever has another type than it should is as good as absent.  jansson.h stays behind nrf_json.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "gate/nrf_config.h"

#define NRF_PATCH_TEXT  160
#define NRF_DETAIL_TEXT 128

/* What changes between heartbeats. */
struct nrf_status {
	bool suspended; /* nfStatus SUSPENDED: we are there and cannot answer; else REGISTERED */
	unsigned load;  /* 0..100 */
};

/* An NFProfile; free() it.  NULL: no memory. */
char *nrf_json_profile(const struct nrf_profile *profile, const struct nrf_status *status);
/* A JSON Patch (RFC 6902) for a heartbeat; returns its length. */
size_t nrf_json_patch(char out[static NRF_PATCH_TEXT], const struct nrf_status *status);

struct nrf_answer {
	unsigned heartbeat_s;         /* heartBeatTimer, 1 to NRF_HEARTBEAT_MAX_S; 0: none that can be used */
	char detail[NRF_DETAIL_TEXT]; /* of ProblemDetails: cause, title or detail; printable ASCII, or "" */
};
/* Of a body of len octets, which may be anything; *answer is always set. */
void nrf_json_answer(const char *body, size_t len, struct nrf_answer *answer);
