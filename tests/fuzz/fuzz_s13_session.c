/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: the input is a play: what a peer sends, what time and the operator do.  Counters close, what reaches the
 * peer is whole messages that can be read, every request that was a check is answered exactly once as long as the peer
 * is there, and nothing is left behind at the end.
 *
 * How much of a step (play.h) is, for what the peer says, octets times eight. */
#include "play.h"

#include <string.h>

#include "gate/s13_session.h"

enum part {
	PEER_SAYS = 0, /* octets of the input */
	PEER_COMES,    /* a whole CER */
	PEER_CHECKS,   /* good checks, several in one write */
	PEER_ANSWERS,  /* DWA or DPA, with the ids that were asked with */
	TIME_PASSES,
	OPERATOR, /* another configuration */
	PEER_DOES_NOT_READ,
	WE_STOP,
};

struct play {
	struct ground ground;
	struct s13 *s13;
	struct s13_config config[2];
	unsigned at_config;
	bool deaf;
	uint8_t in[1 << 17];
	size_t in_len;
	uint64_t answers; /* to checks */
	uint32_t asked_command, hop_by_hop, end_to_end;
};

static void first_config(struct s13_config *config)
{
	MUST(config_add_peer(&config->door, "mme*", NULL, "127.0.0.0/8", NULL) == 0);
	MUST(config_set_name(config->origin_host, "eir.weir.example", NULL) == 0);
	MUST(config_set_name(config->origin_realm, "weir.example", NULL) == 0);
	MUST(config_add_realm(config, "example", NULL) == 0);
	MUST(config_add_agent(config, "mme9*", NULL) == 0);
	config->watchdog_s = 6;
	config->connections_per_peer = 1;
	config->foreign_limit = 3;
}

struct play *play_begin(void)
{
	static struct play play;
	struct play *p = &play;

	memset(p, 0, sizeof(*p));
	ground_begin(p);
	p->s13 = s13_alloc(NULL, &p->ground.check, p->ground.traffic, p->ground.peers);
	first_config(&p->config[0]);
	MUST(s13_prepare(p->s13, &p->config[0], NULL) == 0);
	s13_commit(p->s13);
	ground_join(p, &s13_kind, p->s13, 8192);
	return p;
}

/* Every AVP of ours can be read, and there is one at least. */
static void check_message(const struct diameter_message *m)
{
	struct diameter_walk walk = diameter_walk_message(m);
	struct diameter_found found;

	MUST(m->version == 1);
	while (diameter_walk_next(&walk, AVP_NONE, &found))
		continue;
	MUST(walk.at == walk.end);
	MUST(m->len > DIAMETER_HEADER);
}

static void take_messages(struct play *p)
{
	struct diameter_message m;
	size_t taken = 0;

	/* our answers to great requests may be greater than what we take */
	while (p->in_len - taken >= DIAMETER_HEADER) {
		size_t whole = diameter_length(p->in + taken, SIZE_MAX);
		if (p->in_len - taken < whole)
			break;
		if (whole <= DIAMETER_MAX) {
			MUST(diameter_next(p->in + taken, whole, &m) == DIAMETER_WHOLE);
			check_message(&m);
			if (m.flags & DIAMETER_REQUEST) {
				p->asked_command = m.command;
				p->hop_by_hop = m.hop_by_hop;
				p->end_to_end = m.end_to_end;
			}
		}
		p->answers += !(p->in[taken + 4] & DIAMETER_REQUEST) && p->in[taken + 6] == S13_COMMAND >> 8 &&
			      p->in[taken + 7] == (S13_COMMAND & 0xff);
		taken += whole;
	}
	memmove(p->in, p->in + taken, p->in_len - taken);
	p->in_len -= taken;
}

void play_look(struct play *p)
{
	if (p->deaf)
		return;
	play_hear(p, p->in, &p->in_len, sizeof(p->in));
	take_messages(p);
}

static void say(struct play *p, const uint8_t *octets, size_t len)
{
	play_say(p, p->ground.peer, octets, len);
}

static void pass(struct play *p, unsigned ms)
{
	for (unsigned step; ms; ms -= step) {
		step = ms < 1000 ? ms : 1000;
		play_pass(p, step);
	}
}

static void come(struct play *p, unsigned how)
{
	static const struct diameter_address home = {1, {127, 0, 0, 1}};
	const struct diameter_capabilities us = {
		.us = {how & 1 ? "mme9.example" : "mme1.example", how & 2 ? "abroad" : "example", 1},
		.application = {DIAMETER_3GPP, S13_APPLICATION},
		.product = "fuzz",
		.address = &home,
		.n_addresses = 1,
	};
	uint8_t buf[DIAMETER_BASE_ROOM];
	int len = diameter_cer(&us, 1, 2, buf, sizeof(buf));

	MUST(len > 0);
	say(p, buf, (size_t)len);
}

static void ask(struct play *p, unsigned n)
{
	const struct s13_question question = {
		.session_id = "mme1.example;1;2",
		.origin_host = "mme1.example",
		.origin_realm = "example",
		.destination_realm = "weir.example",
		.imei = "00100100123456",
		.user_name = "001010000000001",
	};
	static uint8_t buf[32 * 400];
	size_t len = 0;

	for (unsigned i = 0; i <= n; i++) {
		int one = s13_ecr(&question, buf + len, sizeof(buf) - len);
		MUST(one > 0);
		len += (size_t)one;
	}
	say(p, buf, len);
}

static void answer(struct play *p)
{
	const struct diameter_us us = {"mme1.example", "example", 1};
	const struct diameter_fault fault = {.result = DIAMETER_SUCCESS};
	const struct diameter_message request = {
		.command = p->asked_command, .hop_by_hop = p->hop_by_hop, .end_to_end = p->end_to_end};
	uint8_t buf[DIAMETER_BASE_ROOM];
	struct diameter_out out;

	diameter_begin_answer(&out, buf, sizeof(buf), &request, fault.result);
	diameter_put_unsigned(&out, AVP_RESULT_CODE, DIAMETER_SUCCESS);
	diameter_put_text(&out, AVP_ORIGIN_HOST, us.origin_host);
	say(p, buf, (size_t)diameter_end(&out));
}

static void operate(struct play *p, unsigned how)
{
	struct s13_config *next = &p->config[!p->at_config];

	*next = p->config[p->at_config];
	next->watchdog_s = 6 + how % 4;
	next->foreign_refuse = how & 1;
	if (how == 29)
		next->door.n_peers = 0;
	if (how == 30)
		next->n_agents = 0;
	if (how == 31)
		MUST(config_set_name(next->origin_host, "eir2.weir.example", NULL) == 0);
	p->ground.check.capacity = how & 2 ? 50 : 0;
	MUST(s13_prepare(p->s13, next, NULL) == 0);
	s13_commit(p->s13);
	p->at_config = !p->at_config;
	play_turns(p);
}

size_t play_step(struct play *p, uint8_t what, const uint8_t *octets, size_t left)
{
	unsigned much = what >> 3;
	size_t len = much * 8 < left ? much * 8 : left;

	switch ((enum part)(what & 7)) {
	case PEER_SAYS:
		say(p, octets, len);
		return len;
	case PEER_COMES:
		come(p, much);
		return 0;
	case PEER_CHECKS:
		ask(p, much);
		return 0;
	case PEER_ANSWERS:
		answer(p);
		return 0;
	case TIME_PASSES:
		pass(p, much * 250);
		return 0;
	case OPERATOR:
		operate(p, much);
		return 0;
	case PEER_DOES_NOT_READ:
		p->deaf = much & 1;
		play_turns(p);
		return 0;
	case WE_STOP:
		s13_stop(p->s13);
		play_turns(p);
		return 0;
	}
	return 0;
}

void play_end(struct play *p)
{
	const struct check_counters *counters = &p->ground.check.counters[WEIR_IF_S13];
	const struct s13_counters *s13 = s13_counters(p->s13);

	p->deaf = false;
	for (unsigned i = 0; i < 200 && !p->ground.ended && (i < 3 || p->answers < s13->requests); i++)
		play_turns(p);
	MUST(check_counters_close(counters));
	MUST(s13->requests >= counters->received);
	MUST(p->ground.ended || p->answers >= s13->requests);
	MUST(p->answers <= s13->requests + s13->unsupported + s13->bad_length);
	MUST(p->ground.ended || !p->in_len);
	s13_stop(p->s13);
	play_turns(p);
	pass(p, 8000);
	MUST(traffic_count(p->ground.traffic) == 0);
	s13_free(p->s13);
	ground_end(p);
}
