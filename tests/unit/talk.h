/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* How the peers of a scene talk where every message begins with its length: octets go out, and whole messages come
 * back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scene;

/* Given by the scene: octets of the message that begins so, or, where len are too few to tell, of its header. */
size_t talk_length(const uint8_t *octets, size_t len);

#define GOT_MAX 70000
struct got {
	uint8_t octets[GOT_MAX];
	size_t len; /* a whole message; 0: nothing more came */
	bool ended; /* the other side closed */
};

void put_octets(struct scene *scene, int fd, const void *octets, size_t len);
struct got *get(struct scene *scene, int fd); /* the next message; a ring of 8 */
void assert_quiet(struct scene *scene, int fd);
void assert_ended(struct scene *scene, int fd);        /* the end, and nothing before it */
void assert_ends_at_last(struct scene *scene, int fd); /* whatever comes before */
