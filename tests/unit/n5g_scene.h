/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A stage for tests of the N5g-eir interface: the real interface on a real loopback socket, clients whose frames the
 * test makes octet by octet, and clocks that only the test moves.
 *
 * The policy is the stage's (stage.h); a subscriber without a rule finds no register and is counted as failed
 * (refused). Requests are literals of header compression by hand; what comes back is decoded with libnghttp2's inflater
 * alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/config.h"
#include "gate/n5g.h"
#include "stage.h"

#define SCENE_WALL_S 1796000000                             /* Tue, 30 Nov 2026 */
#define UUID         "4947a69a-f61b-4bc1-b9da-47c9c5d14b64" /* of the gate, where a test gives it one */

struct scene {
	struct stage stage;
	struct n5g *n5g;
	struct n5g_config *config; /* in force */
	struct client *clients;
};

int scene_begin(void **state);
int scene_end(void **state);
int scene_configure(struct scene *scene, const struct n5g_config *config);
/* Clients of this name (or "*") only, from loopback. */
void scene_limit(struct scene *scene, uint32_t limit, uint32_t reserve, uint32_t capacity);

const struct n5g_counters *counted(const struct scene *scene);
const struct check_counters *checks(const struct scene *scene);

/* --- clients */

#define CLIENT_BUF     (1 << 20)
#define CLIENT_STREAMS 512

struct client {
	struct client *next;
	struct scene *scene;
	void *inflater;
	int fd;
	bool ended;
	int32_t next_id;
	size_t len;
	uint8_t buf[CLIENT_BUF]; /* what came and was not taken */
	struct {                 /* by stream: fields come long before bodies where many answers leave together */
		unsigned status;
		char fields[1024];
	} begun[CLIENT_STREAMS];
};

struct client *client_connect(struct scene *scene);          /* a socket and nothing else */
struct client *client_dial(struct scene *scene);             /* the same, and nothing happens yet */
struct client *client_pair(struct scene *scene, int sndbuf); /* the same, with little room on our side */
struct client *client_begin(struct scene *scene);            /* past preface and both SETTINGS */
void client_greet(struct client *client);                    /* preface and both SETTINGS */
void client_close(struct client *client);
void client_send(struct client *client, const void *octets, size_t len); /* and settle */

enum frame_type {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION
};
enum {
	END_STREAM = 1,
	ACK = 1,
	END_HEADERS = 4,
	PADDED = 8
};

/* Octets by hand. */
struct octets {
	size_t len;
	uint8_t at[1 << 18];
};
struct octets *octets_new(void); /* one of a few, empty */
void add_octets(struct octets *octets, const void *at, size_t len);
void add_frame(struct octets *octets, enum frame_type type, uint8_t flags, int32_t id, const void *payload, size_t len);
void add_field(struct octets *block, const char *name, const char *value);
/* The fields of a request; more: pairs of name and value, NULL at the end; may be NULL. */
void add_fields(struct octets *block, const char *method, const char *path, const char *const *more);
void add_get(struct octets *octets, int32_t id, const char *path, const char *const *more);
extern const uint8_t preface[24];

/* What comes back. */
struct frame {
	enum frame_type type;
	uint8_t flags;
	int32_t id;
	uint32_t code; /* of RST_STREAM and GOAWAY */
	int32_t last;  /* of GOAWAY */
	unsigned status;
	char fields[1024]; /* "name: value\n" each */
	const uint8_t *payload;
	size_t len;
};
bool client_frame(struct client *client, struct frame *frame); /* the next; false: nothing more came */
/* The next of this type; frames of other types in front of it are dropped. */
bool client_frame_of(struct client *client, enum frame_type type, struct frame *frame);
void assert_quiet(struct client *client); /* nothing comes and it stands; answers to SETTINGS do not count */
void assert_ended(struct client *client); /* the connection ended */
void assert_goaway(struct client *client, uint32_t code); /* this one, then the end */

struct answer {
	int32_t id;
	unsigned status; /* 0: none */
	uint32_t reset;  /* code of RST_STREAM; 0xffff: not reset */
	char fields[1024], body[2048];
};
/* The next answer, whole: fields and body, or a reset. */
struct answer client_answer(struct client *client);
/* Ask and get the answer.  more as above. */
struct answer client_get(struct client *client, const char *path, const char *const *more);
struct answer client_ask(struct client *client, const char *method, const char *path, const char *const *more);
/* The value of a field of an answer; NULL where it is not there. */
const char *answer_field(const struct answer *answer, const char *name);
void assert_cause(const struct answer *answer, unsigned status, const char *cause);

/* A check of this subscriber in some device: "imsi-00101..." with the MCC and MNC given. */
const char *check_path(const char *mccmnc);
#define PATH "/n5g-eir-eic/v1/equipment-status"
