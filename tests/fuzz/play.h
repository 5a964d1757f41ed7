/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What fuzz targets of whole sessions have in common: the input is a play of steps, on a gate of one interface and one
 * connected peer, in a time that the play moves.
 *
 * Each step is one octet, what (the low three bits) and how much (the rest), and for those that need them octets behind
 * it.  A target has a struct play of its own, which begins with the ground, and gives the four functions below. */
#pragma once

#include "fuzz.h"

#include <stdbool.h>

#include "gate/check.h"
#include "gate/peers.h"
#include "gate/traffic.h"

#define PLAY_MAX 8192 /* of a longer input nothing is played */

struct play;

struct ground {
	struct check check;
	struct peers *peers;
	struct traffic *traffic;
	int64_t now_us;
	int peer;   /* its end of the connection */
	bool ended; /* it was told that nothing more comes */
};

/* --- given by the target */

struct play *play_begin(void); /* another play: nothing is left of the one before */
/* After each turn of the traffic: look at what came to the peer. */
void play_look(struct play *play);
/* Returns octets used of what is behind the step. */
size_t play_step(struct play *play, uint8_t what, const uint8_t *octets, size_t left);
void play_end(struct play *play); /* say goodbye, check that all is as promised, and leave nothing behind */

/* --- given to it */

/* A gate without an interface, and after that interface is there, its peer. */
void ground_begin(struct play *play);
/* sndbuf: of the gate's end; 0: as the system has it. */
void ground_join(struct play *play, const struct traffic_kind *kind, void *owner, int sndbuf);
/* After the interface has been freed. */
void ground_end(struct play *play);

void play_turns(struct play *play);
/* As much as the socket takes at once, then turns. */
void play_say(struct play *play, int fd, const void *octets, size_t len);
/* Once; what came goes behind what is there. */
void play_hear(struct play *play, uint8_t *in, size_t *len, size_t size);
void play_pass(struct play *play, unsigned ms); /* with one tick at its end */
