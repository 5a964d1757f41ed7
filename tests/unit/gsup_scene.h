/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A stage for tests of the GSUP interface: the real interface on real loopback sockets, peers and an HLR played by the
 * test, and a clock that only the test moves.
 *
 * The policy is the stage's (stage.h); a subscriber without a rule finds no register and is counted as failed (white).
 * Frames are made by hand here, not by the code under test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/config.h"
#include "gate/gsup.h"
#include "stage.h"
#include "talk.h"

struct scene {
	struct stage stage;
	struct gsup *gsup;
	struct gsup_config *config; /* in force */
	int hlr_listen;             /* -1: no HLR */
	struct gate_address hlr;
};

/* cmocka setup and teardown: alone, or with an HLR that listens. */
int scene_alone(void **state);
int scene_with_hlr(void **state);
int scene_end(void **state);

/* Take another configuration into force. */
int scene_configure(struct scene *scene, const struct gsup_config *config);

/* Sockets of the test, non-blocking. */
int scene_connect(struct scene *scene);
int scene_hlr_accept(struct scene *scene); /* -1: nobody came */
int scene_listen(struct scene *scene, struct gate_address *address);

/* A peer past its handshake; with an HLR also the upstream leg past its own. */
int scene_peer(struct scene *scene, const char *name, int *hlr_fd);

/* The next frame that comes is this one. */
void assert_frame(struct scene *scene, int fd, const void *octets, size_t len);

/* Frames by hand. */
#define FRAME_MAX 20000
struct frame {
	uint8_t octets[FRAME_MAX];
	size_t len;
};
struct frame *ccm_frame(uint8_t type);
struct frame *id_resp_frame(const char *name);
struct frame *gsup_frame(uint8_t type, const char *imsi);      /* type and IMSI (NULL: none) */
struct frame *check_frame(const char *imsi, const char *imei); /* either may be NULL */
void add_ie(struct frame *frame, uint8_t tag, const void *value, uint8_t len);
void put_frame(struct scene *scene, int fd, const struct frame *frame);

/* Value of an IE of a frame that came, NULL where it is not there. */
const uint8_t *find_ie(const struct got *got, uint8_t tag, uint8_t *len);
/* The answer to a check must be this: type 0x32 with ACK or NACK, or 0x31 with a cause; for this subscriber. */
enum {
	ACK = 0,
	NACK = 1
};
void assert_result(struct scene *scene, int fd, const char *imsi, int result);
void assert_error(struct scene *scene, int fd, uint8_t type, const char *imsi, uint8_t cause);
