/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The talk of talk.h.  Messages live in a ring: a test is one process and holds a few at a time. */
#include "talk.h"

#include <errno.h>
#include <sys/socket.h>

#include "rows.h"
#include "stage.h"

void put_octets(struct scene *scene, int fd, const void *octets, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const uint8_t *)octets + done, len - done, MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
		scene_settle(scene);
	}
}

/* Octets of one message, without taking more. */
static bool get_octets(struct scene *scene, int fd, struct got *got, size_t want)
{
	assert_in_range(want, 0, sizeof(got->octets));
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
	if (get_octets(scene, fd, got, talk_length(got->octets, 0)))
		assert_true(get_octets(scene, fd, got, talk_length(got->octets, got->len)));
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

void assert_ends_at_last(struct scene *scene, int fd)
{
	struct got *got;

	do {
		got = get(scene, fd);
	} while (got->len);
	assert_true(got->ended);
}
