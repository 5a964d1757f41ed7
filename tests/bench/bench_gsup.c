/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The client of the GSUP benchmark: a closed loop of Check-IMEI requests over one connection, DEPTH of them under way.
 *
 * Everything it sends is made before the clock starts, and it reads and writes once a turn, so that it costs the same
 * whoever answers.  It checks every verdict: of a server that knows the list (-L) each listed device must be refused
 * and each other accepted; osmo-hlr (-H) must accept all; an echo (-E) must send back each frame's octets.
 *
 * Prints one line: rate [1/s], p50 [ns], p99 [ns], server's CPU [ns an answer]. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "wire/gsup.h"

enum server { SERVER_LIST, SERVER_HLR, SERVER_ECHO };

#define DEPTH_MAX 4096
#define IE_IMEI_RESULT 0x51

struct bench {
	enum server server;
	uint16_t port;
	const char *host, *name;
	struct weir_imsi imsi;
	uint64_t rows, count;
	unsigned depth;
	uint64_t seed;
	int pid;

	int fd;
	uint8_t *frames;       /* count requests of frame_len octets */
	size_t frame_len;
	bool *listed;          /* what each answer must say */
	uint32_t *times_ns;
	int64_t sent_ns[DEPTH_MAX];
	uint64_t sent, answered;
	uint8_t in[256 * 1024];
	size_t used;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "bench_gsup: %s\n", what);
	exit(1);
}

/* --- before the clock starts ------------------------------------------------------------------ */

static void make_frames(struct bench *b)
{
	uint8_t frame[GSUP_ANSWER_MAX];
	uint64_t i;

	for (i = 0; i < b->count; i++) {
		uint64_t at = bench_permute(i % (2 * b->rows), 2 * b->rows, b->seed);
		struct weir_imei imei = { .key = BENCH_FIRST_KEY + at, .svn = WEIR_NO_SVN };
		int len = gsup_check_imei_request(b->imsi, &imei, 14, frame, sizeof(frame));

		if (len < 0 || (i && (size_t)len != b->frame_len))
			die("cannot encode a request");
		if (!i) {
			b->frame_len = (size_t)len;
			b->frames = malloc(b->frame_len * b->count);
			b->listed = malloc(b->count * sizeof(*b->listed));
			b->times_ns = malloc(b->count * sizeof(*b->times_ns));
			if (!b->frames || !b->listed || !b->times_ns)
				die("out of memory");
		}
		memcpy(b->frames + i * b->frame_len, frame, b->frame_len);
		b->listed[i] = bench_is_listed(imei.key, b->rows);
	}
}

static void send_all(struct bench *b, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(b->fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			die("the server does not take what is sent");
		bytes += n;
		len -= (size_t)n;
	}
}

static void receive(struct bench *b)
{
	ssize_t n = recv(b->fd, b->in + b->used, sizeof(b->in) - b->used, 0);

	if (n <= 0)
		die(n ? "no answer in time" : "the server closed the connection");
	b->used += (size_t)n;
}

static void connect_to(struct bench *b)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(b->port) };
	struct timeval patience = { .tv_sec = 10 };
	int one = 1;

	b->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (b->fd < 0 || inet_pton(AF_INET, b->host, &to.sin_addr) != 1 ||
	    connect(b->fd, (struct sockaddr *)&to, sizeof(to)))
		die("cannot connect");
	setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* Wait to be asked who we are, and say it. */
static void greet(struct bench *b)
{
	struct ipa_frame frame;
	uint8_t answer[CCM_NAME_TEXT * 4];
	int len = ccm_id_resp_encode(b->name, answer, sizeof(answer));
	size_t taken;

	if (len < 0)
		die("cannot encode an identity");
	while (!(taken = ipa_frame_next(b->in, b->used, &frame)))
		receive(b);
	if (frame.protocol != IPA_CCM || !frame.body_len || frame.body[0] != CCM_ID_GET)
		die("the server did not ask who we are");
	b->used -= taken;
	memmove(b->in, b->in + taken, b->used);
	send_all(b, answer, (size_t)len);
	send_all(b, ccm_id_ack_frame, sizeof(ccm_id_ack_frame));
}

/* --- the loop --------------------------------------------------------------------------------- */

/* What a result says: 0 accepted, 1 refused, -1 neither. */
static int verdict(const struct ipa_frame *frame)
{
	size_t i = 2;

	if (!ipa_is_gsup(frame) || frame->body[1] != GSUP_CHECK_IMEI_RESULT)
		return -1;
	for (; i + 3 <= frame->body_len; i += 2u + frame->body[i + 1])
		if (frame->body[i] == IE_IMEI_RESULT)
			return frame->body[i + 2];
	return -1;
}

static void judge(const struct bench *b, const struct ipa_frame *frame)
{
	switch (b->server) {
	case SERVER_ECHO:
		if (frame->len != b->frame_len ||
		    memcmp(frame->bytes, b->frames + b->answered * b->frame_len, frame->len))
			die("an echo that is none");
		break;
	case SERVER_HLR:
		if (verdict(frame) != 0)
			die("osmo-hlr did not accept");
		break;
	case SERVER_LIST:
		if (verdict(frame) != b->listed[b->answered])
			die(b->listed[b->answered] ? "a listed device was not refused"
						   : "a device on no list was not accepted");
		break;
	}
}

/* A ping of the server is no answer. */
static bool is_ccm(struct bench *b, const struct ipa_frame *frame)
{
	if (frame->protocol != IPA_CCM || b->server == SERVER_ECHO)
		return false;
	if (frame->body_len && frame->body[0] == CCM_PING)
		send_all(b, ccm_pong_frame, sizeof(ccm_pong_frame));
	return true;
}

static void take_answers(struct bench *b)
{
	struct ipa_frame frame;
	size_t taken = 0, len;
	int64_t now = now_ns();

	while ((len = ipa_frame_next(b->in + taken, b->used - taken, &frame))) {
		taken += len;
		if (is_ccm(b, &frame))
			continue;
		if (b->answered == b->sent)
			die("more answers than questions");
		judge(b, &frame);
		b->times_ns[b->answered] = (uint32_t)(now - b->sent_ns[b->answered % DEPTH_MAX]);
		b->answered++;
	}
	b->used -= taken;
	memmove(b->in, b->in + taken, b->used);
}

static void loop(struct bench *b)
{
	while (b->answered < b->count) {
		uint64_t n = b->depth - (b->sent - b->answered), i;
		int64_t now = now_ns();

		if (n > b->count - b->sent)
			n = b->count - b->sent;
		for (i = 0; i < n; i++)
			b->sent_ns[(b->sent + i) % DEPTH_MAX] = now;
		b->sent += n;
		if (n)
			send_all(b, b->frames + (b->sent - n) * b->frame_len, n * b->frame_len);
		receive(b);
		take_answers(b);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_gsup -E|-H|-L [-a ADDR] -p PORT -r ROWS -c COUNT -d DEPTH [-n NAME] [-i IMSI]\n"
			"                  [-s SEED] [-P PID-OF-SERVER]\n");
	return 2;
}

static int read_options(struct bench *b, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "EHLa:p:r:c:d:n:i:s:P:")) != -1) {
		switch (option) {
		case 'E': b->server = SERVER_ECHO; break;
		case 'H': b->server = SERVER_HLR; break;
		case 'L': b->server = SERVER_LIST; break;
		case 'a': b->host = optarg; break;
		case 'p': b->port = (uint16_t)atoi(optarg); break;
		case 'r': b->rows = strtoull(optarg, NULL, 10); break;
		case 'c': b->count = strtoull(optarg, NULL, 10); break;
		case 'd': b->depth = (unsigned)atoi(optarg); break;
		case 'n': b->name = optarg; break;
		case 'i': imsi_from_text(optarg, strlen(optarg), &b->imsi); break;
		case 's': b->seed = strtoull(optarg, NULL, 10); break;
		case 'P': b->pid = atoi(optarg); break;
		default: return usage();
		}
	}
	return b->port && b->rows && b->count && b->depth && b->depth <= DEPTH_MAX && b->imsi.packed ? 0 : usage();
}

int main(int argc, char **argv)
{
	static struct bench b = { .host = "127.0.0.1", .name = "MSC-bench", .seed = 1 };
	int64_t began;
	uint64_t cpu;

	imsi_from_text("001010000000001", 15, &b.imsi);
	if (read_options(&b, argc, argv))
		return 2;
	make_frames(&b);
	connect_to(&b);
	if (b.server != SERVER_ECHO)
		greet(&b);
	cpu = cpu_ns(b.pid);
	began = now_ns();
	loop(&b);
	began = now_ns() - began;
	cpu = cpu_ns(b.pid) - cpu;
	sort_times(b.times_ns, b.count);
	printf("%.0f %u %u %.0f\n", (double)b.count * 1e9 / (double)began, b.times_ns[b.count / 2],
	       b.times_ns[b.count - 1 - b.count / 100], (double)cpu / (double)b.count);
	return 0;
}
