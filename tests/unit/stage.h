/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What the scenes of the interfaces stand on (gsup_scene.h, s13_scene.h, n5g_scene.h): the check, the peers and the
 * traffic of a gate on real sockets, and a clock that only the test moves.
 *
 * The policy decides by IMSI, so that no register is needed: 00101 white, 00102 black, 00103 grey, 00104 unknown, 00105
 * refused; everything else finds no register, and what that means is the interface's policy.
 *
 * Each interface has a struct scene of its own, which begins with the stage. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gate/address.h"
#include "gate/check.h"
#include "gate/peers.h"
#include "gate/traffic.h"

struct scene;

struct stage {
	struct check check;
	struct peers *peers;
	struct traffic *traffic;
	int64_t now_us;
	void (*tick)(struct scene *scene); /* of the interface, before each tick of the traffic; NULL: it has none */
	int fds[4096];                     /* of the test, closed at its end */
	unsigned n_fds;
};

/* A scene of this size with its stage, the rest nought.  Also the talloc context of what is on it. */
struct scene *stage_alloc(size_t size);
/* The counters of every interface close.  At the end of each scene, before its interface is freed. */
void assert_counters_close(struct scene *scene);
/* After the interface has been freed. */
void stage_free(struct scene *scene);

/* The rules by IMSI in a draft of nothing else; and decide by a draft from now on.  The interface is told by whoever
 * changes it in the middle of a scene. */
void stage_draft(struct weir_policy_draft *draft);
void stage_decide(struct scene *scene, const struct weir_policy_draft *draft);

/* Let everything that has arrived have its effect. */
void scene_settle(struct scene *scene);
/* Move the clock, a tick each second. */
void scene_pass(struct scene *scene, unsigned ms);

/* Sockets of the test, non-blocking.  Dialled only: nothing happens yet, and it is the caller's to close. */
int stage_dial(const struct gate_address *to);
int stage_connect(struct scene *scene, const struct gate_address *to);
/* Closed at the end of the scene; a negative one is none and given back. */
int stage_keep(struct scene *scene, int fd);
