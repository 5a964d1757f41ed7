/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The ground of play.h.  It must never know an interface. */
#include "play.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/hush.h"

/* A play begins with its ground. */
static struct ground *ground_of(struct play *play)
{
	return (struct ground *)play;
}

void ground_begin(struct play *play)
{
	struct ground *g = ground_of(play);
	struct weir_policy_draft draft;

	hush();
	policy_draft_init(&draft);
	g->check.policy = policy_alloc(&draft, NULL);
	g->now_us = 1000000000;
	g->peers = peers_alloc(NULL);
	g->traffic = traffic_alloc(NULL, NULL, NULL);
	MUST(g->check.policy && g->peers && g->traffic);
	traffic_turn(g->traffic, g->now_us);
}

void ground_join(struct play *play, const struct traffic_kind *kind, void *owner, int sndbuf)
{
	struct ground *g = ground_of(play);
	struct traffic_conn *conn;
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	if (sndbuf)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	g->peer = pair[0];
	conn = traffic_adopt(g->traffic, kind, NULL, pair[1]);
	MUST(conn && address_from_text("127.0.0.1", 9, &conn->remote) == 0);
	MUST(kind->accepted(conn, owner));
}

void ground_end(struct play *play)
{
	struct ground *g = ground_of(play);

	traffic_free(g->traffic);
	talloc_free(g->peers);
	policy_free(g->check.policy);
	close(g->peer);
}

void play_turns(struct play *play)
{
	struct ground *g = ground_of(play);

	for (unsigned i = 0; i < 3; i++) {
		traffic_turn(g->traffic, g->now_us);
		play_look(play);
	}
}

void play_say(struct play *play, int fd, const void *octets, size_t len)
{
	(void)!send(fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	play_turns(play);
}

void play_hear(struct play *play, uint8_t *in, size_t *len, size_t size)
{
	struct ground *g = ground_of(play);
	ssize_t n = recv(g->peer, in + *len, size - *len, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		g->ended = true;
	*len += n > 0 ? (size_t)n : 0;
}

void play_pass(struct play *play, unsigned ms)
{
	struct ground *g = ground_of(play);

	g->now_us += ms * 1000ll;
	traffic_tick(g->traffic, g->now_us);
	play_turns(play);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play *play = play_begin();

	play_turns(play);
	for (size_t at = 0; at < size && size < PLAY_MAX;) {
		uint8_t what = data[at++];
		at += play_step(play, what, data + at, size - at);
	}
	play_end(play);
	return 0;
}
