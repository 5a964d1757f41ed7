/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The scene of s13_scene.h. */
#include "s13_scene.h"

#include <osmocom/core/talloc.h>

#include "rows.h"

_Static_assert(offsetof(struct scene, stage) == 0, "a scene begins with its stage");

size_t talk_length(const uint8_t *octets, size_t len)
{
	return len < 20 ? 20 : hand_u24(octets + 1);
}

static void first_config(struct s13_config *config)
{
	const char *address = "127.0.0.1";

	assert_int_equal(config_add_listen(&config->door, GATE_TCP, &address, 1, 0, NULL), 0);
	assert_int_equal(config_add_peer(&config->door, "mme*", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(config_add_peer(&config->door, "dra*", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(config_set_name(config->origin_host, EIR, NULL), 0);
	assert_int_equal(config_set_name(config->origin_realm, HOME, NULL), 0);
	assert_int_equal(config_add_realm(config, REALM, NULL), 0);
	assert_int_equal(config_add_agent(config, "dra*", NULL), 0);
	config->watchdog_s = 30;
	config->connections_per_peer = 1;
	config->foreign_limit = 10;
}

int scene_start(void **state)
{
	struct scene *scene = stage_alloc(sizeof(*scene));

	scene->s13 = s13_alloc(scene, &scene->stage.check, scene->stage.traffic, scene->stage.peers);
	assert_non_null(scene->s13);
	scene->config = talloc_zero(scene, struct s13_config);
	first_config(scene->config);
	assert_int_equal(s13_prepare(scene->s13, scene->config, NULL), 0);
	s13_commit(scene->s13);
	*state = scene;
	return 0;
}

int scene_end(void **state)
{
	struct scene *scene = *state;

	assert_counters_close(scene);
	s13_free(scene->s13);
	stage_free(scene);
	return 0;
}

struct s13_config *scene_config(struct scene *scene)
{
	return talloc_memdup(scene, scene->config, sizeof(*scene->config));
}

int scene_configure(struct scene *scene, const struct s13_config *config, struct weir_why *why)
{
	struct s13_config *copy = talloc_memdup(scene, config, sizeof(*config));
	int rc = s13_prepare(scene->s13, copy, why);

	if (rc) {
		s13_abort(scene->s13);
		return rc;
	}
	s13_commit(scene->s13);
	scene->config = copy;
	scene_settle(scene);
	return 0;
}

void scene_malformed(struct scene *scene, enum weir_action action)
{
	struct weir_policy_draft draft;

	stage_draft(&draft);
	draft.interface[WEIR_IF_S13].malformed = action;
	stage_decide(scene, &draft);
	s13_policy_changed(scene->s13);
}

const struct s13_counters *counted(struct scene *scene)
{
	return s13_counters(scene->s13);
}

uint64_t tally(struct scene *scene, enum weir_tally t)
{
	return scene->stage.check.counters[WEIR_IF_S13].tally[t];
}

/* --- sockets */

int scene_connect(struct scene *scene)
{
	return stage_connect(scene, &s13_listening(scene->s13, 0)->address[0]);
}

int scene_peer(struct scene *scene, const char *name)
{
	int fd = scene_connect(scene);

	put(scene, fd, cer(name, REALM));
	assert_answer(scene, fd, 257, 0, 2001);
	return fd;
}

void put(struct scene *scene, int fd, const struct hand *message)
{
	put_octets(scene, fd, message->octets, message->len);
}

/* --- messages */

static void add_names(struct hand *h, const char *host, const char *realm)
{
	hand_text(h, 264, host);
	hand_text(h, 296, realm);
}

struct hand *cer(const char *host, const char *realm)
{
	struct hand *h = hand(0x80, 257, 0);

	add_names(h, host, realm);
	hand_put(h, 257, HAND_M, 0, "\0\1\x7f\0\0\1", 6);
	hand_unsigned(h, 266, 0);
	hand_put(h, 269, 0, 0, "test", 4);
	hand_open(h, 260, HAND_M, 0);
	hand_unsigned(h, 266, G3);
	hand_unsigned(h, 258, S13);
	hand_close(h);
	return h;
}

struct hand *dwr(void)
{
	struct hand *h = hand(0x80, 280, 0);

	add_names(h, MME, REALM);
	return h;
}

struct hand *dpr(uint32_t cause)
{
	struct hand *h = hand(0x80, 282, 0);

	add_names(h, MME, REALM);
	hand_unsigned(h, 273, cause);
	return h;
}

struct hand *answer_to(const struct got *request)
{
	struct hand *h = hand(0, hand_u24(request->octets + 5), hand_u32(request->octets + 8));

	hand_set_ids(h, hand_u32(request->octets + 12), hand_u32(request->octets + 16));
	hand_unsigned(h, 268, 2001);
	add_names(h, MME, REALM);
	return h;
}

struct hand *ecr_of(const char *host, const char *realm, const char *imsi, const char *imei)
{
	struct hand *h = hand(0xc0, 324, S13);

	hand_text(h, 263, "mme1.example;1;2");
	hand_open(h, 260, HAND_M, 0);
	hand_unsigned(h, 266, G3);
	hand_unsigned(h, 258, S13);
	hand_close(h);
	hand_unsigned(h, 277, 1);
	add_names(h, host, realm);
	hand_text(h, 283, HOME);
	hand_open(h, 1401, HAND_V | HAND_M, G3);
	if (imei)
		hand_text_3gpp(h, 1402, imei);
	hand_close(h);
	if (imsi)
		hand_text(h, 1, imsi);
	return h;
}

struct hand *ecr(const char *imsi)
{
	return ecr_of(MME, REALM, imsi, IMEI);
}

struct got *assert_answer(struct scene *scene, int fd, uint32_t command, uint8_t flags, uint32_t result)
{
	struct got *got = get(scene, fd);
	size_t len;

	assert_int_not_equal(got->len, 0);
	assert_int_equal(hand_u24(got->octets + 5), command);
	assert_int_equal(got->octets[4], flags);
	assert_int_equal(hand_number(got->octets, got->len, 268, 0), result);
	assert_memory_equal(hand_value(hand_find(got->octets, got->len, 264, 0, 0), &len), EIR, strlen(EIR));
	return got;
}

struct got *assert_request(struct scene *scene, int fd, uint32_t command)
{
	struct got *got = get(scene, fd);

	assert_int_not_equal(got->len, 0);
	assert_int_equal(hand_u24(got->octets + 5), command);
	assert_int_equal(got->octets[4], 0x80);
	assert_int_equal(hand_u32(got->octets + 8), 0);
	return got;
}

struct got *assert_status(struct scene *scene, int fd, int status)
{
	struct got *got;
	const uint8_t *avp;
	size_t len;

	if (status >= 0) {
		got = assert_answer(scene, fd, 324, 0x40, 2001);
		assert_int_equal(hand_number(got->octets, got->len, 1445, G3), status);
		return got;
	}
	got = get(scene, fd);
	assert_int_not_equal(got->len, 0);
	assert_int_equal(got->octets[4], 0x40);
	assert_null(hand_find(got->octets, got->len, 268, 0, 0));
	assert_null(hand_find(got->octets, got->len, 1445, G3, 0));
	avp = hand_value(hand_find(got->octets, got->len, 297, 0, 0), &len);
	assert_int_equal(len, 24);
	assert_memory_equal(avp, "\0\0\1\x0a\x40\0\0\x0c\0\0\x28\xaf\0\0\1\x2a\x40\0\0\x0c\0\0\x15\x2e", 24);
	return got;
}
