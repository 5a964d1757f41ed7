/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of log categories; apart from main.c so that tests log through the same one. */
#include "gate/log.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/utils.h>

static const struct log_info_cat categories[GATE_N_LOGS] = {
	[DGATE] = {.name = "DGATE",
		   .description = "Start, stop, configuration, register",
		   .enabled = 1,
		   .loglevel = LOGL_NOTICE},
	[DTRAFFIC] = {.name = "DTRAFFIC", .description = "Sockets of checks", .enabled = 1, .loglevel = LOGL_NOTICE},
	[DGSUP] = {.name = "DGSUP", .description = "GSUP peers and their HLR", .enabled = 1, .loglevel = LOGL_NOTICE},
	[DS13] = {.name = "DS13",
		  .description = "Diameter peers: S13 and S13'",
		  .enabled = 1,
		  .loglevel = LOGL_NOTICE},
	[DN5G] = {.name = "DN5G", .description = "N5g-eir clients", .enabled = 1, .loglevel = LOGL_NOTICE},
	[DNOTIFY] = {.name = "DNOTIFY",
		     .description = "Sightings and blocks between gate and keeper",
		     .enabled = 1,
		     .loglevel = LOGL_NOTICE},
	[DNRF] = {.name = "DNRF", .description = "Registration at the NRF", .enabled = 1, .loglevel = LOGL_NOTICE},
};

const struct log_info gate_log_info = {.cat = categories, .num_cat = ARRAY_SIZE(categories)};
