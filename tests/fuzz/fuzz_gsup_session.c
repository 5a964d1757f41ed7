/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/gsup: the input is a play with three parts: what the peer sends, what the HLR sends, and what time and the
 * operator do.  Every check that was received is answered exactly once as long as the peer is there, counters close,
 * what reaches the peer is whole frames, and nothing is left behind at the end.
 *
 * How much of a step (play.h) is, for those who say something, octets times four. */
#include "play.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/gsup_session.h"

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
	struct ground ground;
	struct gsup *gsup;
	struct gsup_config config[2];
	unsigned at_config;
	int hlr, listener;
	bool hlr_may_answer; /* it sent octets of its own: what the peer sees may be its words, or cut by them */
	uint8_t in[1 << 16];
	size_t in_len;
	uint64_t answers;
};

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

struct play *play_begin(void)
{
	static struct play play;
	struct play *p = &play;

	memset(p, 0, sizeof(*p));
	ground_begin(p);
	p->hlr = -1;
	p->gsup = gsup_alloc(NULL, &p->ground.check, p->ground.traffic, p->ground.peers);
	p->listener = listen_somewhere(&p->config[0].hlr);
	p->config[0].wait_ms = 500;
	MUST(config_add_peer(&p->config[0].door, "MSC*", NULL, "127.0.0.0/8", NULL) == 0);
	MUST(gsup_prepare(p->gsup, &p->config[0], NULL) == 0);
	gsup_commit(p->gsup);
	ground_join(p, &gsup_down_kind, p->gsup, 0);
	return p;
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

void play_look(struct play *p)
{
	if (p->hlr < 0)
		p->hlr = accept(p->listener, NULL, NULL);
	play_hear(p, p->in, &p->in_len, sizeof(p->in));
	count_answers(p);
}

static void pass(struct play *p, unsigned ms)
{
	gsup_expire(p->gsup, p->ground.now_us + ms * 1000ll);
	play_pass(p, ms);
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
	play_turns(p);
}

static void hlr_goes(struct play *p)
{
	if (p->hlr >= 0)
		close(p->hlr);
	p->hlr = -1;
	play_turns(p);
}

size_t play_step(struct play *p, uint8_t what, const uint8_t *octets, size_t left)
{
	unsigned much = what >> 3;
	size_t len = much * 4 < left ? much * 4 : left;

	switch ((enum part)(what & 7)) {
	case PEER_SAYS:
		play_say(p, p->ground.peer, octets, len);
		return len;
	case HLR_SAYS:
		p->hlr_may_answer = true;
		play_say(p, p->hlr, octets, len);
		return len;
	case PEER_KNOWN:
		play_say(p, p->ground.peer, id_resp, sizeof(id_resp));
		return 0;
	case HLR_ASKS:
		play_say(p, p->hlr, id_get, sizeof(id_get));
		return 0;
	case TIME_PASSES:
		pass(p, much * 100);
		return 0;
	case OPERATOR:
		operate(p, much);
		return 0;
	case PEER_CHECKS:
		play_say(p, p->ground.peer, good_check, sizeof(good_check));
		return 0;
	case HLR_GOES:
		hlr_goes(p);
		return 0;
	}
	return 0;
}

void play_end(struct play *p)
{
	const struct check_counters *counters = &p->ground.check.counters[WEIR_IF_GSUP];

	p->config[p->at_config].check_mode = GSUP_NEVER;
	pass(p, 600); /* who waits is answered */
	MUST(check_counters_close(counters));
	MUST(gsup_waiting(p->gsup) == 0);
	MUST(p->ground.ended || p->hlr_may_answer || p->answers == counters->received);
	gsup_stop(p->gsup);
	play_turns(p);
	MUST(p->hlr_may_answer || p->answers == counters->received);
	gsup_free(p->gsup);
	ground_end(p);
	close(p->listener);
	if (p->hlr >= 0)
		close(p->hlr);
}
