/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weir-gate: answers the equipment checks of mobile cores.  Writes no file, holds no secret. */
#include <osmocom/core/talloc.h>

#include "daemon/daemon.h"
#include "gate/gate.h"
#include "gate/log.h"
#include "gate/vty.h"

int main(int argc, char **argv)
{
	void *ctx = talloc_named_const(NULL, 0, "weir-gate");
	struct daemon_spec spec = {
		.name = "weir-gate",
		.sentence = "answers the equipment checks of mobile cores from Weir's register",
		.log_info = &gate_log_info,
		.log_category = DGATE,
		.vty_port = 4279,
		.ctrl_port = 4280,
		.admin_port = 8483,
		.root = gate_alloc(ctx),
		.vty_init = gate_vty_init,
		.config_begin = gate_config_begin,
		.config_commit = gate_config_commit,
		.config_abort = gate_config_abort,
		.start = gate_start,
		.stop = gate_stop,
		.ready = gate_ready,
		.fini = gate_fini,
	};
	int status = spec.root ? daemon_main(&spec, argc, argv) : 1;

	talloc_free(ctx);
	return status;
}
