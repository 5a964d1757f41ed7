/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The gate's log, as its rooms expect it to be there, and nothing of it on stderr: refusals are what tests are about.
 */
#pragma once

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>

#include "gate/log.h"

/* As often as one likes. */
static inline void hush(void)
{
	static void *ctx;

	if (ctx)
		return;
	ctx = talloc_named_const(NULL, 0, "log");
	osmo_init_logging2(ctx, &gate_log_info);
	log_set_log_level(osmo_stderr_target, LOGL_FATAL);
}
