/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/n5g and gate/h2: the input is a play: what a client sends, what time and the operator do.  Every request that
 * was handed over is answered exactly once, counters close, what reaches the client is whole frames, and nothing is
 * left behind at the end.
 *
 * How much of a step (play.h) is, for those that send octets, octets times four. */
#include "play.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "gate/n5g_inside.h"

enum part {
	SAYS = 0,
	BEGINS, /* preface and SETTINGS */
	ASKS,   /* a good request on the next stream; which one */
	FRAME,  /* a type and flags, and octets as its payload, with the right length */
	TIME_PASSES,
	OPERATOR, /* another configuration, capacity or policy, or goodbye */
	WINDOW,   /* more room for answers */
	DEAF,     /* what comes is read, or is not */
};

static const uint8_t beginning[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

static const char *const paths[] = {
	"/n5g-eir-eic/v1/equipment-status?pei=imei-001001230000019&supi=imsi-001010000000001",
	"/n5g-eir-eic/v1/equipment-status?pei=mac-00-0a-95-9d-68-16",
	"/n5g-eir-eic/v1/equipment-status",
	"/x",
};

struct play {
	struct ground ground;
	struct n5g *n5g;
	struct n5g_config config[2];
	unsigned at_config;
	int32_t next_id;
	bool deaf, was_deaf, http1, stopped;
	uint8_t header[9]; /* of the frame that comes */
	size_t header_len, payload_left;
};

struct play *play_begin(void)
{
	static struct play play;
	struct play *p = &play;

	memset(p, 0, sizeof(*p));
	ground_begin(p);
	traffic_set_clock(p->ground.traffic, 1796000000000000 - p->ground.now_us);
	p->next_id = 1;
	p->n5g = n5g_alloc(NULL, &p->ground.check, p->ground.traffic, p->ground.peers);
	p->config[0].max_streams = 20;
	MUST(config_add_peer(&p->config[0].door, "*", NULL, "127.0.0.0/8", NULL) == 0);
	MUST(n5g_prepare(p->n5g, &p->config[0], NULL) == 0);
	n5g_commit(p->n5g);
	ground_join(p, &n5g_kind, p->n5g, 4096);
	return p;
}

/* Whole frames, none longer than a client that said nothing else must take. */
static void take(struct play *p, const uint8_t *octets, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n;
		if (p->payload_left) {
			n = p->payload_left < len - i ? p->payload_left : len - i;
			p->payload_left -= n;
			i += n;
			continue;
		}
		p->header[p->header_len++] = octets[i++];
		if (p->header_len < sizeof(p->header))
			continue;
		p->payload_left = (size_t)p->header[0] << 16 | p->header[1] << 8 | p->header[2];
		p->header_len = 0;
		MUST(p->payload_left <= 16384);
	}
}

void play_look(struct play *p)
{
	uint8_t buf[4096];
	ssize_t n;

	while (!p->deaf && (n = recv(p->ground.peer, buf, sizeof(buf), MSG_DONTWAIT)) != -1) {
		if (n == 0) {
			p->ground.ended = true;
			return;
		}
		if (!p->header_len && !p->payload_left && buf[0] == 'H')
			p->http1 = true;
		if (!p->http1)
			take(p, buf, (size_t)n);
	}
	if (!p->deaf && errno != EAGAIN)
		p->ground.ended = true;
}

static void say(struct play *p, const void *octets, size_t len)
{
	play_say(p, p->ground.peer, octets, len);
}

static void say_frame(struct play *p, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
	uint8_t frame[9 + 1024] = {0, (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0,
				   0, (uint8_t)(id >> 8),  (uint8_t)id};

	memcpy(frame + 9, payload, len);
	say(p, frame, 9 + len);
}

static void add_field(uint8_t *block, size_t *len, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	block[(*len)++] = 0;
	block[(*len)++] = (uint8_t)n;
	memcpy(block + *len, name, n);
	*len += n;
	block[(*len)++] = (uint8_t)v;
	memcpy(block + *len, value, v);
	*len += v;
}

static void ask(struct play *p, unsigned how)
{
	uint8_t block[512];
	size_t len = 0;

	add_field(block, &len, ":method", how & 4 ? "POST" : "GET");
	add_field(block, &len, ":scheme", "http");
	add_field(block, &len, ":path", paths[how & 3]);
	add_field(block, &len, ":authority", "eir");
	if (how & 8)
		add_field(block, &len, "3gpp-sbi-max-rsp-time", "900");
	say_frame(p, 1, how & 16 ? 4 : 5, p->next_id, block, len); /* END_HEADERS, and END_STREAM */
	p->next_id += 2;
}

static void operate(struct play *p, unsigned how)
{
	struct n5g_config *next = &p->config[!p->at_config];

	switch (how % 4) {
	case 0:
		*next = p->config[p->at_config];
		next->max_age_s = how;
		next->door.n_peers = how & 8 ? 0 : 1;
		MUST(n5g_prepare(p->n5g, next, NULL) == 0);
		if (how & 16) {
			n5g_abort(p->n5g);
			break;
		}
		n5g_commit(p->n5g);
		p->at_config = !p->at_config;
		break;
	case 1:
		p->ground.check.capacity = how;
		break;
	case 2:
		n5g_policy_changed(p->n5g);
		break;
	default:
		n5g_stop(p->n5g);
		p->stopped = true;
	}
	play_turns(p);
}

size_t play_step(struct play *p, uint8_t what, const uint8_t *octets, size_t left)
{
	unsigned much = what >> 3;
	size_t len = much * 4 < left ? much * 4 : left;

	switch ((enum part)(what & 7)) {
	case SAYS:
		say(p, octets, len);
		return len;
	case BEGINS:
		say(p, beginning, sizeof(beginning));
		return 0;
	case ASKS:
		ask(p, much);
		return 0;
	case FRAME:
		if (len < 4)
			return len;
		say_frame(p, octets[0], octets[1], octets[2], octets + 3, len - 3);
		return len;
	case TIME_PASSES:
		play_pass(p, much * 100);
		return 0;
	case OPERATOR:
		operate(p, much);
		return 0;
	case WINDOW:
		say_frame(p, 8, 0, (int32_t)much, "\0\0\1\0", 4);
		return 0;
	case DEAF:
		p->deaf = much & 1;
		p->was_deaf |= p->deaf;
		play_turns(p);
		return 0;
	}
	return 0;
}

static void check_counters(const struct play *p)
{
	const struct n5g_counters *counters = n5g_counter_table(p->n5g).counters;
	uint64_t answers = 0;

	for (unsigned i = 0; i < N5G_N_ANSWERS; i++)
		answers += counters->answer[i];
	MUST(answers == counters->h2.requests);
	MUST(p->ground.check.counters[WEIR_IF_N5G].received <= answers);
	MUST(check_counters_close(&p->ground.check.counters[WEIR_IF_N5G]));
}

void play_end(struct play *p)
{
	p->deaf = false;
	for (unsigned i = 0; i < 16; i++) /* all that waited for the client to read */
		play_turns(p);
	check_counters(p);
	if (!p->stopped)
		n5g_stop(p->n5g);
	for (unsigned i = 0; i < 4; i++)
		play_pass(p, 1000);
	MUST(p->ground.ended);
	/* who does not read for seconds may find it cut */
	MUST(p->http1 || p->was_deaf || (!p->header_len && !p->payload_left));
	check_counters(p);
	n5g_free(p->n5g);
	ground_end(p);
}
