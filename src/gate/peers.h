/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Small numbers for peers: (interface, name) -> id, the same while the process lives, up to PEERS_MAX names.
 *
 * Sightings and "block now" remember a peer by its id.  Ids begin at 1.  Where the table is full, the name that was
 * absent longest gives its id to the new one.  What sightings still say of that id is not forgotten: "block now" may
 * send the new peer a cancel for a subscriber that it does not have, which it refuses, and the old one, when it comes
 * back under another id, is known by its next checks and by what the keeper saw.  PEER_NONE says that there is no id:
 * all PEERS_MAX are connected; the peer's checks are answered, but it cannot be found to cancel a subscriber. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"

#define PEER_NONE 0
#define PEERS_MAX 4096

struct peers;

struct peers *peers_alloc(void *ctx);
/* The id of a peer that is connected from now on, made at the first time. */
uint16_t peers_id(struct peers *peers, enum weir_interface interface, const char *name);
/* It is not connected any more.  PEER_NONE is fine. */
void peers_left(struct peers *peers, uint16_t id);
/* The id where it is known, else PEER_NONE.  */
uint16_t peers_find(const struct peers *peers, enum weir_interface interface, const char *name);
/* By a name as sightings carry it: on any interface, and only the first len octets where it was cut there. */
uint16_t peers_find_cut(const struct peers *peers, const char *name, size_t len);
/* The same, and made at the first time; one that was cut gets its whole name from peers_id when the peer comes.  As it
 * comes from a hint, a quarter of the table stays free for peers that are there. */
uint16_t peers_id_cut(struct peers *peers, enum weir_interface interface, const char *name, size_t len);
enum weir_interface peers_interface(const struct peers *peers, uint16_t id);
const char *peers_name(const struct peers *peers, uint16_t id); /* NULL: no such id */
unsigned peers_count(const struct peers *peers);
