/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The log categories of weir-gate; the table is in log.c.  Nothing per check is logged above debug. */
#pragma once

enum gate_log {
	DGATE,    /* start, stop, configuration, register */
	DTRAFFIC, /* sockets */
	DGSUP,    /* GSUP sessions */
	DS13,     /* Diameter sessions */
	DN5G,     /* N5g-eir connections */
	DNOTIFY,  /* sightings out, flips in */
	DNRF,     /* the NRF and who we are there */
	GATE_N_LOGS
};

struct log_info;
extern const struct log_info gate_log_info;
