/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/s13: the input is a play: what a peer sends, what time and the operator do.  Counters close, what reaches the
 * peer is whole messages that can be read, every request that was a check is answered exactly once as long as the peer
 * is there, and nothing is left behind at the end.
 *
 * Each step is one octet, what (the low three bits: see enum part) and how much (the rest), and for what the peer says
 * that many octets times eight. */

#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>

#include "gate/log.h"
#include "gate/peers.h"
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
	struct check check;
	struct peers *peers;
	struct traffic *traffic;
	struct s13 *s13;
	struct s13_config config[2];
	unsigned at_config;
	int64_t now_us;
	int peer;
	bool deaf, ended;
	uint8_t in[1 << 17];
	size_t in_len;
	uint64_t answers; /* to checks */
	uint32_t asked_command, hop_by_hop, end_to_end;
};

static void set_up_once(void)
{
	static void *ctx;

	if (ctx)
		return;
	ctx = talloc_named_const(NULL, 0, "log");
	osmo_init_logging2(ctx, &gate_log_info);
	log_set_log_level(osmo_stderr_target, LOGL_FATAL);
}

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

static void begin(struct play *p)
{
	struct weir_policy_draft draft;
	struct traffic_conn *conn;
	int pair[2], small = 8192;

	set_up_once();
	policy_draft_init(&draft);
	p->check.policy = policy_alloc(&draft, NULL);
	p->now_us = 1000000000;
	p->peers = peers_alloc(NULL);
	p->traffic = traffic_alloc(NULL, NULL, NULL);
	p->s13 = s13_alloc(NULL, &p->check, p->traffic, p->peers);
	first_config(&p->config[0]);
	MUST(s13_prepare(p->s13, &p->config[0], NULL) == 0);
	s13_commit(p->s13);
	traffic_turn(p->traffic, p->now_us);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	p->peer = pair[0];
	conn = traffic_adopt(p->traffic, &s13_kind, NULL, pair[1]);
	MUST(conn && address_from_text("127.0.0.1", 9, &conn->remote) == 0);
	MUST(s13_kind.accepted(conn, p->s13));
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

static void turns(struct play *p)
{
	ssize_t n;

	for (unsigned i = 0; i < 3; i++) {
		traffic_turn(p->traffic, p->now_us);
		if (p->deaf)
			continue;
		n = recv(p->peer, p->in + p->in_len, sizeof(p->in) - p->in_len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			p->ended = true;
		p->in_len += n > 0 ? (size_t)n : 0;
		take_messages(p);
	}
}

static void say(struct play *p, const uint8_t *octets, size_t len)
{
	if (send(p->peer, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		turns(p);
}

static void pass(struct play *p, unsigned ms)
{
	for (; ms; ms -= ms < 1000 ? ms : 1000) {
		p->now_us += (ms < 1000 ? ms : 1000) * 1000ll;
		traffic_tick(p->traffic, p->now_us);
		turns(p);
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
	p->check.capacity = how & 2 ? 50 : 0;
	MUST(s13_prepare(p->s13, next, NULL) == 0);
	s13_commit(p->s13);
	p->at_config = !p->at_config;
	turns(p);
}

/* Returns octets used of what is behind the step. */
static size_t step(struct play *p, uint8_t what, const uint8_t *octets, size_t left)
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
		turns(p);
		return 0;
	case WE_STOP:
		s13_stop(p->s13);
		turns(p);
		return 0;
	}
	return 0;
}

static void end(struct play *p)
{
	const struct check_counters *counters = &p->check.counters[WEIR_IF_S13];
	const struct s13_counters *s13 = s13_counters(p->s13);

	p->deaf = false;
	for (unsigned i = 0; i < 200 && !p->ended && (i < 3 || p->answers < s13->requests); i++)
		turns(p);
	MUST(check_counters_close(counters));
	MUST(s13->requests >= counters->received);
	MUST(p->ended || p->answers >= s13->requests);
	MUST(p->answers <= s13->requests + s13->unsupported + s13->bad_length);
	MUST(p->ended || !p->in_len);
	s13_stop(p->s13);
	turns(p);
	pass(p, 8000);
	MUST(traffic_count(p->traffic) == 0);
	s13_free(p->s13);
	traffic_free(p->traffic);
	talloc_free(p->peers);
	policy_free(p->check.policy);
	close(p->peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct play play;

	memset(&play, 0, sizeof(play));
	begin(&play);
	turns(&play);
	for (size_t at = 0; at < size && size < 8192;) {
		uint8_t what = data[at++];
		at += step(&play, what, data + at, size - at);
	}
	end(&play);
	return 0;
}
