/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The scene of gsup_scene.h.  Frames live in a ring: a test is one process and holds a few at a time. */
#define _GNU_SOURCE /* accept4 */
#include "gsup_scene.h"

#include <sys/socket.h>

#include <osmocom/core/talloc.h>

#include "rows.h"

_Static_assert(offsetof(struct scene, stage) == 0, "a scene begins with its stage");

size_t talk_length(const uint8_t *octets, size_t len)
{
	return len < 3 ? 3 : 3 + (size_t)(octets[0] << 8 | octets[1]);
}

static void tick(struct scene *scene)
{
	gsup_expire(scene->gsup, scene->stage.now_us);
}

static int scene_start(void **state, bool with_hlr)
{
	static const char *const here = "127.0.0.1";
	struct scene *scene = stage_alloc(sizeof(*scene));

	scene->hlr_listen = -1;
	scene->stage.tick = tick;
	scene->gsup = gsup_alloc(scene, &scene->stage.check, scene->stage.traffic, scene->stage.peers);
	scene->config = talloc_zero(scene, struct gsup_config);
	assert_non_null(scene->gsup);
	if (with_hlr)
		scene->hlr_listen = scene_listen(scene, &scene->hlr);
	assert_int_equal(config_add_listen(&scene->config->door, GATE_TCP, &here, 1, 0, NULL), 0);
	assert_int_equal(config_add_peer(&scene->config->door, "MSC-*", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(config_add_peer(&scene->config->door, "SGSN-1", NULL, "127.0.0.1", NULL), 0);
	scene->config->hlr = scene->hlr;
	scene->config->wait_ms = 1000;
	assert_int_equal(gsup_prepare(scene->gsup, scene->config, NULL), 0);
	gsup_commit(scene->gsup);
	*state = scene;
	return 0;
}

int scene_alone(void **state)
{
	return scene_start(state, false);
}

int scene_with_hlr(void **state)
{
	return scene_start(state, true);
}

int scene_end(void **state)
{
	struct scene *scene = *state;

	assert_counters_close(scene);
	gsup_free(scene->gsup);
	stage_free(scene);
	return 0;
}

int scene_configure(struct scene *scene, const struct gsup_config *config)
{
	struct gsup_config *copy = talloc_memdup(scene, config, sizeof(*config));
	int rc = gsup_prepare(scene->gsup, copy, NULL);

	if (rc == 0) {
		gsup_commit(scene->gsup);
		scene->config = copy;
	} else {
		gsup_abort(scene->gsup);
	}
	scene_settle(scene);
	return rc;
}

/* --- sockets */

int scene_connect(struct scene *scene)
{
	return stage_connect(scene, &gsup_listening(scene->gsup, 0)->address[0]);
}

int scene_listen(struct scene *scene, struct gate_address *address)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct gate_address any;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(address_from_text("127.0.0.1", 0, &any), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, address_to_sockaddr(&any, &sa)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	address_from_sockaddr(&sa, address);
	return stage_keep(scene, fd);
}

int scene_hlr_accept(struct scene *scene)
{
	scene_settle(scene);
	return stage_keep(scene, accept4(scene->hlr_listen, NULL, NULL, SOCK_NONBLOCK));
}

int scene_peer(struct scene *scene, const char *name, int *hlr_fd)
{
	int fd = scene_connect(scene);
	struct frame *id = id_resp_frame(name);
	struct got *got = get(scene, fd);

	assert_int_equal(got->octets[3], 0x04);
	put_frame(scene, fd, id);
	assert_frame(scene, fd, ccm_frame(0x06)->octets, 4);
	if (scene->config->hlr.family) {
		int up = scene_hlr_accept(scene);
		assert_true(up >= 0);
		put_octets(scene, up, "\0\x03\xfe\x04\x01\x00", 6);
		assert_frame(scene, up, id->octets, id->len);
		if (hlr_fd)
			*hlr_fd = up;
	}
	return fd;
}

void put_frame(struct scene *scene, int fd, const struct frame *frame)
{
	put_octets(scene, fd, frame->octets, frame->len);
}

void assert_frame(struct scene *scene, int fd, const void *octets, size_t len)
{
	struct got *got = get(scene, fd);

	assert_int_equal(got->len, len);
	assert_memory_equal(got->octets, octets, len);
}

/* --- frames */

static struct frame *new_frame(void)
{
	static struct frame ring[16];
	static unsigned at;
	struct frame *frame = &ring[at++ % 16];

	frame->len = 0;
	return frame;
}

static void set_length(struct frame *frame)
{
	frame->octets[0] = (frame->len - 3) >> 8;
	frame->octets[1] = (frame->len - 3) & 0xff;
}

struct frame *ccm_frame(uint8_t type)
{
	struct frame *frame = new_frame();

	memcpy(frame->octets, (const uint8_t[]){0, 1, 0xfe, type}, 4);
	frame->len = 4;
	return frame;
}

static void add_identity(struct frame *frame, uint8_t tag, const char *text)
{
	size_t len = strlen(text) + 1;

	frame->octets[frame->len++] = (len + 1) >> 8;
	frame->octets[frame->len++] = (len + 1) & 0xff;
	frame->octets[frame->len++] = tag;
	memcpy(frame->octets + frame->len, text, len);
	frame->len += len;
	set_length(frame);
}

/* As osmo-msc 1.9 sends it: unit id, MAC, locations, version, software, unit name, serial number. */
struct frame *id_resp_frame(const char *name)
{
	struct frame *frame = ccm_frame(0x05);

	add_identity(frame, 0x08, "0/0/0");
	add_identity(frame, 0x07, "00:00:00:00:00:00");
	add_identity(frame, 0x05, "osmo-msc-1.9.0");
	add_identity(frame, 0x01, name);
	add_identity(frame, 0x00, name);
	return frame;
}

void add_ie(struct frame *frame, uint8_t tag, const void *value, uint8_t len)
{
	frame->octets[frame->len++] = tag;
	frame->octets[frame->len++] = len;
	memcpy(frame->octets + frame->len, value, len);
	frame->len += len;
	set_length(frame);
}

static uint8_t bcd(const char *digits, uint8_t *out)
{
	size_t n = strlen(digits);

	for (size_t i = 0; i < n; i += 2)
		out[i / 2] = (digits[i] - '0') | ((i + 1 < n ? digits[i + 1] - '0' : 0xf) << 4);
	return (n + 1) / 2;
}

struct frame *gsup_frame(uint8_t type, const char *imsi)
{
	struct frame *frame = new_frame();
	uint8_t value[16];

	memcpy(frame->octets, (const uint8_t[]){0, 2, 0xee, 0x05, type}, 5);
	frame->len = 5;
	set_length(frame);
	if (imsi)
		add_ie(frame, 0x01, value, bcd(imsi, value));
	return frame;
}

struct frame *check_frame(const char *imsi, const char *imei)
{
	struct frame *frame = gsup_frame(0x30, imsi);
	uint8_t value[16];

	if (imei) {
		value[0] = bcd(imei, value + 1);
		add_ie(frame, 0x50, value, value[0] + 1);
	}
	add_ie(frame, 0x0a, "\x01", 1);
	return frame;
}

const uint8_t *find_ie(const struct got *got, uint8_t tag, uint8_t *len)
{
	for (size_t at = 5; at + 2 <= got->len; at += 2 + got->octets[at + 1]) {
		if (got->octets[at] != tag)
			continue;
		*len = got->octets[at + 1];
		return got->octets + at + 2;
	}
	return NULL;
}

static void assert_about(const struct got *got, uint8_t type, const char *imsi)
{
	uint8_t value[16], len, want;
	const uint8_t *ie;

	assert_true(got->len >= 5);
	assert_int_equal(got->octets[2], 0xee);
	assert_int_equal(got->octets[3], 0x05);
	assert_int_equal(got->octets[4], type);
	ie = find_ie(got, 0x01, &len);
	if (!imsi) {
		assert_null(ie);
		return;
	}
	want = bcd(imsi, value);
	assert_non_null(ie);
	assert_int_equal(len, want);
	assert_memory_equal(ie, value, want);
}

void assert_result(struct scene *scene, int fd, const char *imsi, int result)
{
	struct got *got = get(scene, fd);
	const uint8_t *ie;
	uint8_t len;

	assert_about(got, 0x32, imsi);
	ie = find_ie(got, 0x51, &len);
	assert_non_null(ie);
	assert_int_equal(len, 1);
	assert_int_equal(ie[0], result);
}

void assert_error(struct scene *scene, int fd, uint8_t type, const char *imsi, uint8_t cause)
{
	struct got *got = get(scene, fd);
	const uint8_t *ie;
	uint8_t len;

	assert_about(got, type, imsi);
	ie = find_ie(got, 0x02, &len);
	assert_non_null(ie);
	assert_int_equal(len, 1);
	assert_int_equal(ie[0], cause);
}
