/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The stage of stage.h.  It must never know an interface. */
#include "stage.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hush.h"
#include "rows.h"

static const struct {
	const char *prefix;
	enum weir_action action;
} imsi_rules[] = {
	{"00101", WEIR_DO_WHITE},   {"00102", WEIR_DO_BLACK},  {"00103", WEIR_DO_GREY},
	{"00104", WEIR_DO_UNKNOWN}, {"00105", WEIR_DO_REFUSE},
};

/* A scene begins with its stage. */
static struct stage *stage_of(struct scene *scene)
{
	return (struct stage *)scene;
}

void stage_draft(struct weir_policy_draft *draft)
{
	static struct weir_imsi_rule rule[N_ROWS(imsi_rules)];

	policy_draft_init(draft);
	for (size_t i = 0; i < N_ROWS(rule); i++) {
		rule[i] = (struct weir_imsi_rule){
			.action = imsi_rules[i].action,
			.restrictive = WEIR_DO_INHERIT,
			.unknown = WEIR_DO_INHERIT,
		};
		assert_int_equal(imsi_prefix_from_text(imsi_rules[i].prefix, 5, &rule[i].prefix), 0);
	}
	draft->imsi_rules = rule;
	draft->n_imsi_rules = N_ROWS(rule);
}

void stage_decide(struct scene *scene, const struct weir_policy_draft *draft)
{
	struct check *check = &stage_of(scene)->check;

	policy_free(check->policy);
	check->policy = policy_alloc(draft, NULL);
	assert_non_null(check->policy);
}

static void allow_many_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

struct scene *stage_alloc(size_t size)
{
	struct scene *scene = talloc_zero_size(NULL, size);
	struct stage *stage = stage_of(scene);
	struct weir_policy_draft draft;

	hush();
	allow_many_descriptors();
	stage->now_us = 1000000000;
	stage_draft(&draft);
	stage_decide(scene, &draft);
	stage->peers = peers_alloc(scene);
	stage->traffic = traffic_alloc(scene, NULL, NULL);
	assert_non_null(stage->traffic);
	traffic_turn(stage->traffic, stage->now_us);
	return scene;
}

void assert_counters_close(struct scene *scene)
{
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++)
		assert_true(check_counters_close(&stage_of(scene)->check.counters[i]));
}

void stage_free(struct scene *scene)
{
	struct stage *stage = stage_of(scene);

	traffic_free(stage->traffic);
	policy_free(stage->check.policy);
	for (unsigned i = 0; i < stage->n_fds; i++)
		close(stage->fds[i]); /* those that the test closed are closed twice: nothing else opens any in between
				       */
	talloc_free(scene);
}

/* --- time */

void scene_settle(struct scene *scene)
{
	struct stage *stage = stage_of(scene);
	struct pollfd pfd = {.fd = traffic_fd(stage->traffic), .events = POLLIN};

	for (unsigned quiet = 0; quiet < 2;) {
		if (traffic_turn(stage->traffic, stage->now_us) == 0)
			quiet += poll(&pfd, 1, 1) == 0;
		else
			quiet = 0;
	}
}

void scene_pass(struct scene *scene, unsigned ms)
{
	struct stage *stage = stage_of(scene);

	scene_settle(scene);
	while (ms) {
		unsigned step = ms < 1000 ? ms : 1000;
		stage->now_us += step * 1000ll;
		ms -= step;
		if (stage->tick)
			stage->tick(scene);
		traffic_tick(stage->traffic, stage->now_us);
		scene_settle(scene);
	}
}

/* --- sockets */

/* Two small writes in a row would else wait for a delayed acknowledgement. */
static void send_at_once(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int stage_dial(const struct gate_address *to)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(to, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	send_at_once(fd);
	assert_true(connect(fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS);
	return fd;
}

int stage_keep(struct scene *scene, int fd)
{
	struct stage *stage = stage_of(scene);

	if (fd < 0)
		return fd;
	send_at_once(fd);
	assert_in_range(stage->n_fds, 0, N_ROWS(stage->fds) - 1);
	stage->fds[stage->n_fds++] = fd;
	return fd;
}

int stage_connect(struct scene *scene, const struct gate_address *to)
{
	int fd = stage_keep(scene, stage_dial(to));

	scene_settle(scene);
	return fd;
}
