/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The stage of gsup_scene.h.  Frames and sockets live in static or leaked-to-the-scene memory: a test is one process.
 */
#define _GNU_SOURCE /* accept4 */
#include "gsup_scene.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>

#include "gate/log.h"

static const struct {
	const char *prefix;
	enum weir_action action;
} imsi_rules[] = {
	{"00101", WEIR_DO_WHITE},   {"00102", WEIR_DO_BLACK},  {"00103", WEIR_DO_GREY},
	{"00104", WEIR_DO_UNKNOWN}, {"00105", WEIR_DO_REFUSE},
};

static struct weir_policy *scene_policy(void)
{
	struct weir_imsi_rule rule[sizeof(imsi_rules) / sizeof(imsi_rules[0])];
	struct weir_policy_draft draft;
	struct weir_policy *policy;

	policy_draft_init(&draft);
	for (size_t i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		rule[i] = (struct weir_imsi_rule){
			.action = imsi_rules[i].action,
			.restrictive = WEIR_DO_INHERIT,
			.unknown = WEIR_DO_INHERIT,
		};
		assert_int_equal(imsi_prefix_from_text(imsi_rules[i].prefix, 5, &rule[i].prefix), 0);
	}
	draft.imsi_rules = rule;
	draft.n_imsi_rules = sizeof(rule) / sizeof(rule[0]);
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	return policy;
}

static void init_once(void *ctx)
{
	static bool done;
	struct rlimit files;

	if (done)
		return;
	done = true;
	osmo_init_logging2(ctx, &gate_log_info);
	log_set_log_level(osmo_stderr_target,
			  LOGL_FATAL); /* TAP is on stdout; refusals are what these tests are about */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int scene_start(void **state, bool with_hlr)
{
	static const char *const here = "127.0.0.1";
	static void *log_ctx;
	struct scene *scene;

	if (!log_ctx)
		log_ctx = talloc_named_const(NULL, 0, "log");
	init_once(log_ctx);
	scene = talloc_zero(NULL, struct scene);
	scene->ctx = scene;
	scene->now_us = 1000000000;
	scene->hlr_listen = -1;
	scene->check.policy = scene_policy();
	scene->peers = peers_alloc(scene);
	scene->traffic = traffic_alloc(scene, NULL, NULL);
	scene->gsup = gsup_alloc(scene, &scene->check, scene->traffic, scene->peers);
	scene->config = talloc_zero(scene, struct gsup_config);
	assert_non_null(scene->gsup);
	if (with_hlr)
		scene->hlr_listen = scene_listen(scene, &scene->hlr);
	traffic_turn(scene->traffic, scene->now_us);
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

	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		assert_true(check_counters_close(&scene->check.counters[i]));
	gsup_free(scene->gsup);
	traffic_free(scene->traffic);
	policy_free(scene->check.policy);
	for (unsigned i = 0; i < scene->n_fds; i++)
		close(scene->fds[i]); /* those that the test closed are closed twice; nothing else opens any in between
				       */
	talloc_free(scene);
	return 0;
}

void scene_settle(struct scene *scene)
{
	struct pollfd pfd = {.fd = traffic_fd(scene->traffic), .events = POLLIN};

	for (unsigned quiet = 0; quiet < 2;) {
		if (traffic_turn(scene->traffic, scene->now_us) == 0)
			quiet += poll(&pfd, 1, 1) == 0;
		else
			quiet = 0;
	}
}

void scene_pass(struct scene *scene, unsigned ms)
{
	scene_settle(scene);
	while (ms) {
		unsigned step = ms < 1000 ? ms : 1000;
		scene->now_us += step * 1000ll;
		ms -= step;
		gsup_expire(scene->gsup, scene->now_us);
		traffic_tick(scene->traffic, scene->now_us);
		scene_settle(scene);
	}
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

static int keep_fd(struct scene *scene, int fd)
{
	int one = 1;

	if (fd >= 0) /* two small writes in a row would else wait for a delayed acknowledgement */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd >= 0 && scene->n_fds < sizeof(scene->fds) / sizeof(scene->fds[0]))
		scene->fds[scene->n_fds++] = fd;
	return fd;
}

int scene_connect(struct scene *scene)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&gsup_listening(scene->gsup, 0)->address[0], &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(connect(fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS);
	keep_fd(scene, fd);
	scene_settle(scene);
	return fd;
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
	return keep_fd(scene, fd);
}

int scene_hlr_accept(struct scene *scene)
{
	scene_settle(scene);
	return keep_fd(scene, accept4(scene->hlr_listen, NULL, NULL, SOCK_NONBLOCK));
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
		put(scene, up, "\0\x03\xfe\x04\x01\x00", 6);
		assert_frame(scene, up, id->octets, id->len);
		if (hlr_fd)
			*hlr_fd = up;
	}
	return fd;
}

void put(struct scene *scene, int fd, const void *octets, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const uint8_t *)octets + done, len - done, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? n : 0;
		scene_settle(scene);
	}
}

void put_frame(struct scene *scene, int fd, const struct frame *frame)
{
	put(scene, fd, frame->octets, frame->len);
}

/* Octets of one frame, without taking more. */
static bool get_octets(struct scene *scene, int fd, struct got *got, size_t want)
{
	for (unsigned tries = 0; got->len < want && tries < 5;) {
		ssize_t n = recv(fd, got->octets + got->len, want - got->len, 0);
		if (n > 0) {
			got->len += n;
			continue;
		}
		if (n == 0 || errno != EAGAIN) {
			got->ended = true;
			return false;
		}
		tries++;
		scene_settle(scene);
	}
	return got->len == want;
}

struct got *get(struct scene *scene, int fd)
{
	static struct got ring[8];
	static unsigned at;
	struct got *got = &ring[at++ % 8];

	got->len = 0;
	got->ended = false;
	if (get_octets(scene, fd, got, 3))
		get_octets(scene, fd, got, 3 + (got->octets[0] << 8 | got->octets[1]));
	else
		got->len = 0;
	return got;
}

void assert_frame(struct scene *scene, int fd, const void *octets, size_t len)
{
	struct got *got = get(scene, fd);

	assert_int_equal(got->len, len);
	assert_memory_equal(got->octets, octets, len);
}

void assert_quiet(struct scene *scene, int fd)
{
	struct got *got = get(scene, fd);

	assert_int_equal(got->len, 0);
	assert_false(got->ended);
}

void assert_ended(struct scene *scene, int fd)
{
	struct got *got;

	do {
		got = get(scene, fd);
	} while (got->len);
	assert_true(got->ended);
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
