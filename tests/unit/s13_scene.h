/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A stage for tests of the S13 interface: the real interface on real loopback sockets, peers played by the test, and a
 * clock that only the test moves.
 *
 * The policy is the stage's (stage.h); a subscriber without a rule finds no register and is refused (5012).  Messages
 * are made by hand (diameter_hand.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diameter_hand.h"
#include "gate/config.h"
#include "gate/s13.h"
#include "stage.h"
#include "talk.h"

#define MME   "mme1.example"
#define REALM "example"
#define EIR   "eir.weir.example"
#define HOME  "weir.example"
#define S13   16777252u

#define WHITE_IMSI   "001010000000001"
#define BLACK_IMSI   "001020000000001"
#define GREY_IMSI    "001030000000001"
#define UNKNOWN_IMSI "001040000000001"
#define REFUSED_IMSI "001050000000001"
#define FAILED_IMSI  "001060000000001"
#define IMEI         "00100100123456"

struct scene {
	struct stage stage;
	struct s13 *s13;
	struct s13_config *config; /* in force */
};

/* cmocka setup and teardown.  Peers mme* and dra* may come from 127/8, dra* are agents; "example" is served. */
int scene_start(void **state);
int scene_end(void **state);

/* A copy of the configuration in force, to be changed; and take it into force. */
struct s13_config *scene_config(struct scene *scene);
int scene_configure(struct scene *scene, const struct s13_config *config, struct weir_why *why);
/* Malformed identities are told this colour instead of being refused. */
void scene_malformed(struct scene *scene, enum weir_action action);

int scene_connect(struct scene *scene);
/* A peer past its capabilities exchange. */
int scene_peer(struct scene *scene, const char *name);

void put(struct scene *scene, int fd, const struct hand *message);

/* Messages by hand. */
struct hand *cer(const char *host, const char *realm);
struct hand *dwr(void);
struct hand *dpr(uint32_t cause);
struct hand *answer_to(const struct got *request); /* with success and MME's name */
struct hand *ecr_of(const char *host, const char *realm, const char *imsi, const char *imei);
struct hand *ecr(const char *imsi); /* of MME, with IMEI */

/* The next message is the answer to a command, with these flags and Result-Code. */
struct got *assert_answer(struct scene *scene, int fd, uint32_t command, uint8_t flags, uint32_t result);
/* The next message is a request of ours. */
struct got *assert_request(struct scene *scene, int fd, uint32_t command);
/* The next message tells a status (0 white, 1 black, 2 grey), or -1: unknown equipment. */
struct got *assert_status(struct scene *scene, int fd, int status);
const struct s13_counters *counted(struct scene *scene);
uint64_t tally(struct scene *scene, enum weir_tally tally);
