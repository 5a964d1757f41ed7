/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/gsup: the input is a play with three parts: what the peer sends, what the HLR sends, and what time and the
 * operator do.  Every check that was received is answered exactly once as long as the peer is there, counters close,
 * what reaches the peer is whole frames, and nothing is left behind at the end.
 *
 * Each step is one octet, what (the low three bits: see enum part) and how much (the rest), and for the senders that
 * many octets times four. */

#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/application.h>
#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>

#include "gate/gsup_session.h"
#include "gate/log.h"
#include "gate/peers.h"

enum part {
	PEER_SAYS = 0,
	PEER_KNOWN, /* the identity, whole */
	HLR_SAYS,
	HLR_ASKS, /* who we are */
	TIME_PASSES,
	OPERATOR, /* another mode, or a cancel */
	PEER_CHECKS,
	HLR_GOES,
};

static const uint8_t id_resp[] = {0, 9, IPA_CCM, CCM_ID_RESP, 0, 6, 0, 'M', 'S', 'C', '1', 0};
static const uint8_t id_get[] = {0, 3, IPA_CCM, CCM_ID_GET, 1, 0};
static const uint8_t good_check[] = {0,    26,   IPA_OSMO, 5, 0x30, 1,    8,    0, 1,    1,    0,    0,    0, 0,
				     0xf0, 0x50, 8,        7, 0x94, 0x10, 0x45, 2, 0x23, 0x73, 0x15, 0x0a, 1, 1};

struct play {
	struct check check;
	struct peers *peers;
	struct traffic *traffic;
	struct gsup *gsup;
	struct gsup_config config[2];
	unsigned at_config;
	int64_t now_us;
	int peer, hlr, listener;
	bool hlr_may_answer; /* it sent octets of its own: what the peer sees may be its words, or cut by them */
	uint8_t in[1 << 16];
	size_t in_len;
	uint64_t answers;
	bool ended;
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

static int listen_somewhere(struct gate_address *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	MUST(bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0 && listen(fd, 4) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	address_from_sockaddr(&sa, address);
	return fd;
}

static void begin(struct play *p)
{
	struct weir_policy_draft draft;
	struct traffic_conn *conn;
	int pair[2];

	set_up_once();
	policy_draft_init(&draft);
	p->check.policy = policy_alloc(&draft, NULL);
	p->now_us = 1000000000;
	p->hlr = -1;
	p->peers = peers_alloc(NULL);
	p->traffic = traffic_alloc(NULL, NULL, NULL);
	p->gsup = gsup_alloc(NULL, &p->check, p->traffic, p->peers);
	p->listener = listen_somewhere(&p->config[0].hlr);
	p->config[0].wait_ms = 500;
	MUST(config_add_peer(&p->config[0].door, "MSC*", NULL, "127.0.0.0/8", NULL) == 0);
	MUST(gsup_prepare(p->gsup, &p->config[0], NULL) == 0);
	gsup_commit(p->gsup);
	traffic_turn(p->traffic, p->now_us);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	p->peer = pair[0];
	conn = traffic_adopt(p->traffic, &gsup_down_kind, NULL, pair[1]);
	MUST(conn && address_from_text("127.0.0.1", 9, &conn->remote) == 0);
	MUST(gsup_down_kind.accepted(conn, p->gsup));
}

/* Count the answers among the whole frames that came, keep the rest. */
static void count_answers(struct play *p)
{
	struct ipa_frame frame;
	size_t taken = 0, n;

	while ((n = ipa_frame_next(p->in + taken, p->in_len - taken, &frame)) > 0) {
		taken += n;
		if (ipa_is_gsup(&frame) &&
		    (frame.body[1] == GSUP_CHECK_IMEI_RESULT || frame.body[1] == GSUP_CHECK_IMEI_ERROR))
			p->answers++;
	}
	memmove(p->in, p->in + taken, p->in_len - taken);
	p->in_len -= taken;
	MUST(p->hlr_may_answer || !p->in_len);
}

static void turns(struct play *p)
{
	ssize_t n;

	for (unsigned i = 0; i < 3; i++) {
		traffic_turn(p->traffic, p->now_us);
		if (p->hlr < 0)
			p->hlr = accept(p->listener, NULL, NULL);
		n = recv(p->peer, p->in + p->in_len, sizeof(p->in) - p->in_len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			p->ended = true;
		p->in_len += n > 0 ? n : 0;
		count_answers(p);
	}
}

static void say(struct play *p, int fd, const uint8_t *octets, size_t len)
{
	if (fd >= 0 && send(fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	turns(p);
}

static void pass(struct play *p, unsigned ms)
{
	p->now_us += ms * 1000ll;
	gsup_expire(p->gsup, p->now_us);
	traffic_tick(p->traffic, p->now_us);
	turns(p);
}

static void operate(struct play *p, unsigned how)
{
	struct gsup_config *next = &p->config[!p->at_config];
	struct weir_imsi imsi;

	if (how & 8) {
		MUST(imsi_from_bcd(good_check + 7, 8, &imsi) == 0);
		gsup_cancel(p->gsup, 1, imsi, 1);
	} else {
		*next = p->config[p->at_config];
		next->check_mode = how % 3;
		MUST(gsup_prepare(p->gsup, next, NULL) == 0);
		gsup_commit(p->gsup);
		p->at_config = !p->at_config;
	}
	turns(p);
}

static void hlr_goes(struct play *p)
{
	if (p->hlr >= 0)
		close(p->hlr);
	p->hlr = -1;
	turns(p);
}

/* Returns octets used of what is behind the step. */
static size_t step(struct play *p, uint8_t what, const uint8_t *octets, size_t left)
{
	unsigned much = what >> 3;
	size_t len = much * 4 < left ? much * 4 : left;

	switch ((enum part)(what & 7)) {
	case PEER_SAYS:
		say(p, p->peer, octets, len);
		return len;
	case HLR_SAYS:
		p->hlr_may_answer = true;
		say(p, p->hlr, octets, len);
		return len;
	case PEER_KNOWN:
		say(p, p->peer, id_resp, sizeof(id_resp));
		return 0;
	case HLR_ASKS:
		say(p, p->hlr, id_get, sizeof(id_get));
		return 0;
	case TIME_PASSES:
		pass(p, much * 100);
		return 0;
	case OPERATOR:
		operate(p, much);
		return 0;
	case PEER_CHECKS:
		say(p, p->peer, good_check, sizeof(good_check));
		return 0;
	case HLR_GOES:
		hlr_goes(p);
		return 0;
	}
	return 0;
}

static void end(struct play *p)
{
	const struct check_counters *counters = &p->check.counters[WEIR_IF_GSUP];

	p->config[p->at_config].check_mode = GSUP_NEVER;
	pass(p, 600); /* who waits is answered */
	MUST(check_counters_close(counters));
	MUST(gsup_waiting(p->gsup) == 0);
	MUST(p->ended || p->hlr_may_answer || p->answers == counters->received);
	gsup_stop(p->gsup);
	turns(p);
	MUST(p->hlr_may_answer || p->answers == counters->received);
	gsup_free(p->gsup);
	traffic_free(p->traffic);
	talloc_free(p->peers);
	policy_free(p->check.policy);
	close(p->peer);
	close(p->listener);
	if (p->hlr >= 0)
		close(p->hlr);
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
