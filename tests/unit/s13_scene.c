/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The stage of s13_scene.h.  Messages live in rings: a test is one process and holds a few at a time. */
#include "s13_scene.h"

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
#include <osmocom/core/talloc.h>

#include "gate/log.h"

static const struct {
	const char *prefix;
	enum weir_action action;
} imsi_rules[] = {
	{"00101", WEIR_DO_WHITE},   {"00102", WEIR_DO_BLACK},  {"00103", WEIR_DO_GREY},
	{"00104", WEIR_DO_UNKNOWN}, {"00105", WEIR_DO_REFUSE},
};

static struct weir_policy *scene_policy(enum weir_action malformed)
{
	struct weir_imsi_rule rule[sizeof(imsi_rules) / sizeof(imsi_rules[0])];
	struct weir_policy_draft draft;
	struct weir_policy *policy;

	policy_draft_init(&draft);
	draft.interface[WEIR_IF_S13].malformed = malformed;
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

static void init_once(void)
{
	static bool done;
	struct rlimit files;

	if (done)
		return;
	done = true;
	osmo_init_logging2(talloc_named_const(NULL, 0, "log"), &gate_log_info);
	log_set_log_level(osmo_stderr_target, LOGL_FATAL); /* refusals are what these tests are about */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
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
	struct scene *scene;

	init_once();
	scene = talloc_zero(NULL, struct scene);
	scene->ctx = scene;
	scene->now_us = 1000000000;
	scene->check.policy = scene_policy(WEIR_DO_REFUSE);
	scene->peers = peers_alloc(scene);
	scene->traffic = traffic_alloc(scene, NULL, NULL);
	scene->s13 = s13_alloc(scene, &scene->check, scene->traffic, scene->peers);
	assert_non_null(scene->s13);
	scene->config = talloc_zero(scene, struct s13_config);
	first_config(scene->config);
	traffic_turn(scene->traffic, scene->now_us);
	assert_int_equal(s13_prepare(scene->s13, scene->config, NULL), 0);
	s13_commit(scene->s13);
	*state = scene;
	return 0;
}

int scene_end(void **state)
{
	struct scene *scene = *state;

	assert_true(check_counters_close(&scene->check.counters[WEIR_IF_S13]));
	s13_free(scene->s13);
	traffic_free(scene->traffic);
	policy_free(scene->check.policy);
	for (unsigned i = 0; i < scene->n_fds; i++)
		close(scene->fds[i]); /* those that the test closed are closed twice; nothing else opens any */
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
		traffic_tick(scene->traffic, scene->now_us);
		scene_settle(scene);
	}
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
	policy_free(scene->check.policy);
	scene->check.policy = scene_policy(action);
	s13_policy_changed(scene->s13);
}

const struct s13_counters *counted(struct scene *scene)
{
	return s13_counters(scene->s13);
}

uint64_t tally(struct scene *scene, enum weir_tally t)
{
	return scene->check.counters[WEIR_IF_S13].tally[t];
}

/* --- sockets */

int scene_connect(struct scene *scene)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&s13_listening(scene->s13, 0)->address[0], &sa);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(connect(fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* two writes in a row would else wait */
	assert_in_range(scene->n_fds, 0, sizeof(scene->fds) / sizeof(scene->fds[0]) - 1);
	scene->fds[scene->n_fds++] = fd;
	scene_settle(scene);
	return fd;
}

int scene_peer(struct scene *scene, const char *name)
{
	int fd = scene_connect(scene);

	put(scene, fd, cer(name, REALM));
	assert_answer(scene, fd, 257, 0, 2001);
	return fd;
}

void put_octets(struct scene *scene, int fd, const void *octets, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const uint8_t *)octets + done, len - done, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
		scene_settle(scene);
	}
}

void put(struct scene *scene, int fd, const struct hand *message)
{
	put_octets(scene, fd, message->octets, message->len);
}

/* Octets of one message, without taking more. */
static bool get_octets(struct scene *scene, int fd, struct got *got, size_t want)
{
	for (unsigned tries = 0; got->len < want && tries < 5;) {
		ssize_t n = recv(fd, got->octets + got->len, want - got->len, 0);
		if (n > 0) {
			got->len += (size_t)n;
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
	if (get_octets(scene, fd, got, 20))
		assert_true(get_octets(scene, fd, got, hand_u24(got->octets + 1)));
	else
		got->len = 0;
	return got;
}

void assert_quiet(struct scene *scene, int fd)
{
	struct got *got = get(scene, fd);

	assert_int_equal(got->len, 0);
	assert_false(got->ended);
}

void assert_ended(struct scene *scene, int fd)
{
	struct got *got = get(scene, fd);

	assert_int_equal(got->len, 0);
	assert_true(got->ended);
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
