/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the frames of a connection cost (gate/h2.h, "Floods").  libnghttp2 1.52 bounds resets and CONTINUATION but
 * neither PING, SETTINGS, empty DATA nor header errors.
 *
 * A client that asks earns more with each answer (EARNED) than the frames cost that some clients send along with it: a
 * WINDOW_UPDATE for the stream and one for the connection, a PING.  So only those run dry who do not ask. */
#include "gate/h2_inside.h"

#include <string.h>

#define EARNED 4
#define TINY   64 /* octets of DATA */

void h2_budget_init(struct h2_budget *budget, int64_t now_us)
{
	memset(budget, 0, sizeof(*budget));
	budget->left = H2_BUDGET;
	budget->filled_us = now_us;
}

void h2_budget_fill(struct h2_budget *budget, int64_t now_us)
{
	int64_t span = now_us - budget->filled_us, more;

	if (span < 1000000 / H2_BUDGET_S)
		return;
	more = span >= 1000000ll * H2_BUDGET / H2_BUDGET_S ? H2_BUDGET : span * H2_BUDGET_S / 1000000;
	budget->filled_us = now_us;
	budget->left = budget->left + more > H2_BUDGET ? H2_BUDGET : (int32_t)(budget->left + more);
}

void h2_budget_charge(struct h2_budget *budget, enum h2_calm cause, unsigned cost)
{
	if (budget->empty)
		return;
	budget->left -= (int32_t)cost;
	if (budget->left >= 0)
		return;
	budget->empty = true;
	budget->cause = cause;
}

void h2_budget_earn(struct h2_budget *budget)
{
	budget->left = budget->left + EARNED > H2_BUDGET ? H2_BUDGET : budget->left + EARNED;
}

/* Flags and types of RFC 9113 6. */
static void charge_frame(struct h2_budget *budget, const uint8_t header[static 9])
{
	uint32_t len = (uint32_t)header[0] << 16 | header[1] << 8 | header[2];
	uint32_t id = (uint32_t)(header[5] & 0x7f) << 24 | header[6] << 16 | header[7] << 8 | header[8];
	uint8_t type = header[3], flags = header[4];

	switch (type) {
	case NGHTTP2_DATA: /* that carries next to nothing; padded ones carry little, and nobody pads who asks */
		if (!(flags & NGHTTP2_FLAG_END_STREAM) && (len < TINY || (flags & NGHTTP2_FLAG_PADDED)))
			h2_budget_charge(budget, H2_CALM_DATA, 1);
		break;
	case NGHTTP2_HEADERS: /* trailers, or of a stream that is over */
		if (id <= budget->last_id)
			h2_budget_charge(budget, H2_CALM_OTHER, 1);
		else
			budget->last_id = id;
		break;
	case NGHTTP2_RST_STREAM:
		h2_budget_charge(budget, H2_CALM_RESET, 2);
		break;
	case NGHTTP2_SETTINGS:
		h2_budget_charge(budget, H2_CALM_SETTINGS, 1);
		break;
	case NGHTTP2_PING:
		h2_budget_charge(budget, H2_CALM_PING, 1);
		break;
	case NGHTTP2_CONTINUATION:
		h2_budget_charge(budget, H2_CALM_CONTINUATION, 1);
		break;
	default:
		h2_budget_charge(budget, H2_CALM_OTHER, 1);
	}
}

void h2_budget_walk(struct h2_budget *budget, const uint8_t *octets, size_t len)
{
	size_t n;

	while (len) {
		if (budget->payload_left) {
			n = budget->payload_left < len ? budget->payload_left : len;
			budget->payload_left -= (uint32_t)n;
		} else {
			n = sizeof(budget->header) - budget->header_len;
			n = n < len ? n : len;
			memcpy(budget->header + budget->header_len, octets, n);
			budget->header_len += (uint8_t)n;
			if (budget->header_len == sizeof(budget->header)) {
				charge_frame(budget, budget->header);
				budget->payload_left =
					(uint32_t)budget->header[0] << 16 | budget->header[1] << 8 | budget->header[2];
				budget->header_len = 0;
			}
		}
		octets += n;
		len -= n;
	}
}
