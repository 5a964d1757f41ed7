/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The two datagrams between gate and keeper, over UNIX sockets in the state directory.
 *
 * STATE/keeper.sightings (keeper reads): "these subscribers were seen in these devices".  Many fixed-size sightings
 * in one datagram; droppable, the gate counts what it drops.
 * STATE/gate.orders (gate reads): "these devices just turned black".  A hint to look again at who is attached; what
 * counts is what the register says when the gate looks.  Each datagram says from which serial to which it speaks, so
 * a gate that misses one notices the gap and looks at everybody. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/digits.h"

#define SIGHTING_SOCKET "keeper.sightings"
#define FLIP_SOCKET "gate.orders"

#define SIGHTING_PEER_MAX 40 /* octets of the peer's name kept, zero-padded */

struct weir_sighting {
	uint64_t imei;
	struct weir_imsi imsi; /* may be none */
	uint32_t time_s;       /* seconds since 1970 */
	int8_t svn;
	uint8_t interface;     /* enum weir_interface */
	uint8_t tally;         /* enum weir_tally of the answer */
	char peer[SIGHTING_PEER_MAX + 1];
};

#define SIGHTING_BATCH 32
#define SIGHTING_DATAGRAM (8 + SIGHTING_BATCH * 64)

/* n <= SIGHTING_BATCH.  Returns octets. */
size_t sighting_encode(const struct weir_sighting *sightings, unsigned n, uint8_t buf[static SIGHTING_DATAGRAM]);
/* Returns how many, or -EINVAL (wrong magic, version, size). */
int sighting_decode(const uint8_t *buf, size_t len, struct weir_sighting out[static SIGHTING_BATCH]);

#define FLIP_BATCH 64
#define FLIP_DATAGRAM (24 + FLIP_BATCH * 64)

/* One device that turned black, with one whom the keeper saw in it, and how (imsi none: nobody is known, or the gate's
 * own table knows him better).  Several subscribers of one device are several of these. */
struct weir_flip {
	uint64_t imei;
	struct weir_imsi imsi;
	char peer[SIGHTING_PEER_MAX + 1];
	int8_t svn;        /* that was seen, or WEIR_NO_SVN */
	uint8_t interface; /* of the peer */
};

struct weir_flips {
	uint64_t after_serial, serial; /* what turned black by the events in (after_serial, serial] */
	unsigned n;                    /* 0 is fine: "nothing, but the serial moved on" */
	struct weir_flip flip[FLIP_BATCH];
};

size_t flips_encode(const struct weir_flips *flips, uint8_t buf[static FLIP_DATAGRAM]);
int flips_decode(const uint8_t *buf, size_t len, struct weir_flips *out);
