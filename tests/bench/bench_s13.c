/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The client of the S13 benchmark: a closed loop of ECRs over some connections, DEPTH of them under way on each.
 *
 * Each request has a Session-Id and an IMEI of its own; all else is made before the clock starts.  It reads and writes
 * once a turn and connection, so that it costs the same whoever answers.  It checks every answer by its hop-by-hop
 * identifier (freeDiameter's come in another order): of a server that knows the list (-L) each listed device must be
 * black and each other unknown; of one with a constant answer (-C) each white; an echo (-E LEN) must send LEN octets a
 * request.  Idle connections (-i) say who they are and nothing more.  Connections are named by number, from FIRST (-f)
 * on: freeDiameter loses answers to a name that comes back.
 *
 * Diameter is written out here and not taken from src/wire, so that the two can disagree.
 *
 * Prints one line: rate [1/s], p50 [ns], p99 [ns], server's CPU [ns an answer], server's allocations [an answer],
 * octets of a request, octets of an answer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/measure.h"

enum server { SERVER_LIST = 0, SERVER_CONSTANT, SERVER_ECHO };

#define DEPTH_MAX   4096
#define CONNS_MAX   4096
#define MESSAGE_MAX 1024
#define IN_SIZE     (128 * 1024)
#define REALM       "epc.mnc001.mcc001.3gppnetwork.org"
#define APPLICATION 16777252u
#define VENDOR_3GPP 10415u

#define R 0x80
#define P 0x40

struct conn {
	int fd;
	uint8_t request[MESSAGE_MAX]; /* as all of this connection's requests are, but for three places */
	size_t request_len, session_at, imei_at;
	unsigned under_way;
	uint32_t *order; /* of what is under way: an echo says nothing but answers in order */
	unsigned oldest;
	uint8_t *in;
	size_t used;
};

struct bench {
	enum server server;
	const char *host, *counter;
	uint16_t port;
	uint64_t rows, count, seed;
	unsigned depth, n_conns, n_idle, first;
	size_t echo_len;
	int pid, set;

	struct conn conns[CONNS_MAX];
	uint64_t *keys;    /* what is asked for, in order */
	int64_t *sent_ns;  /* negative once answered */
	uint32_t *times_ns;
	uint64_t sent, answered;
	size_t answer_len;
	uint8_t out[DEPTH_MAX * MESSAGE_MAX];
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "bench_s13: %s\n", what);
	exit(1);
}

/* --- Diameter --------------------------------------------------------------------------------- */

static void put_u32(uint8_t *to, uint32_t value)
{
	value = htonl(value);
	memcpy(to, &value, sizeof(value));
}

static uint32_t get_u32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return ntohl(value);
}

static uint32_t get_u24(const uint8_t *from)
{
	return get_u32(from) & 0xffffff;
}

/* A message or a group as it grows; a group's length is set when it ends. */
static size_t begin_avp(uint8_t *at, uint32_t code, uint32_t vendor)
{
	put_u32(at, code);
	put_u32(at + 4, vendor ? 0xc0000000 : 0x40000000);
	if (vendor)
		put_u32(at + 8, vendor);
	return vendor ? 12 : 8;
}

static size_t end_avp(uint8_t *at, size_t len)
{
	put_u32(at + 4, (get_u32(at + 4) & 0xff000000) | (uint32_t)len);
	while (len % 4)
		at[len++] = 0;
	return len;
}

static size_t put_text(uint8_t *at, uint32_t code, uint32_t vendor, const char *text)
{
	size_t header = begin_avp(at, code, vendor);

	memcpy(at + header, text, strlen(text));
	return end_avp(at, header + strlen(text));
}

static size_t put_number(uint8_t *at, uint32_t code, uint32_t number)
{
	size_t header = begin_avp(at, code, 0);

	put_u32(at + header, number);
	return end_avp(at, header + 4);
}

static size_t put_application(uint8_t *at)
{
	size_t len = begin_avp(at, 260, 0);

	len += put_number(at + len, 266, VENDOR_3GPP);
	len += put_number(at + len, 258, APPLICATION);
	return end_avp(at, len);
}

static size_t begin_message(uint8_t *at, uint32_t flags, uint32_t code, uint32_t application)
{
	memset(at, 0, 20);
	put_u32(at + 4, flags << 24 | code);
	put_u32(at + 8, application);
	return 20;
}

static size_t end_message(uint8_t *at, size_t len)
{
	put_u32(at, 0x01000000 | (uint32_t)len);
	return len;
}

static size_t put_origin(uint8_t *at, unsigned number)
{
	char host[64];
	size_t len;

	snprintf(host, sizeof(host), "m%04u." REALM, number);
	len = put_text(at, 264, 0, host);
	return len + put_text(at + len, 296, 0, REALM);
}

static size_t make_cer(uint8_t *at, unsigned number)
{
	size_t len = begin_message(at, R, 257, 0);

	len += put_origin(at + len, number);
	begin_avp(at + len, 257, 0);
	memcpy(at + len + 8, "\0\1\177\0\0\1", 6);
	len += end_avp(at + len, 14);
	len += put_number(at + len, 266, 0);
	len += put_text(at + len, 269, 0, "bench");
	at[len - 12] = 0; /* Product-Name has no M bit */
	len += put_number(at + len, 265, VENDOR_3GPP);
	len += put_application(at + len);
	return end_message(at, len);
}

static size_t make_dwa(uint8_t *at, const uint8_t *request, unsigned number)
{
	size_t len = begin_message(at, 0, 280, 0);

	memcpy(at + 12, request + 12, 8);
	len += put_number(at + len, 268, 2001);
	len += put_origin(at + len, number);
	return end_message(at, len);
}

/* 348 octets, as an MME with names of usual length sends it. */
static void make_request(struct conn *c, unsigned number)
{
	char session[96];
	uint8_t *at = c->request;
	size_t len = begin_message(at, R | P, 324, APPLICATION), group;

	snprintf(session, sizeof(session), "m%04u." REALM ";000000000;0000000000", number);
	c->session_at = len + 8 + strlen(session) - 10;
	len += put_text(at + len, 263, 0, session);
	len += put_application(at + len);
	len += put_number(at + len, 277, 1);
	len += put_origin(at + len, number);
	len += put_text(at + len, 283, 0, REALM);
	group = begin_avp(at + len, 1401, VENDOR_3GPP);
	c->imei_at = len + group + 12;
	group += put_text(at + len + group, 1402, VENDOR_3GPP, "00000000000000");
	group += put_text(at + len + group, 1403, VENDOR_3GPP, "01");
	len += end_avp(at + len, group);
	len += put_text(at + len, 1, 0, "001010000000001");
	c->request_len = end_message(at, len);
}

static void put_digits(uint8_t *at, unsigned width, uint64_t value)
{
	while (width) {
		at[--width] = (uint8_t)('0' + value % 10);
		value /= 10;
	}
}

/* --- connections ------------------------------------------------------------------------------ */

static void send_all(const struct conn *c, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			die("the server does not take what is sent");
		bytes += n;
		len -= (size_t)n;
	}
}

static void receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->used, IN_SIZE - c->used, 0);

	if (n <= 0)
		die(n ? "no answer in time" : "the server closed the connection");
	c->used += (size_t)n;
}

/* The length of the first whole message in the buffer; 0: there is none. */
static size_t whole(const struct bench *b, const uint8_t *at, size_t len)
{
	size_t wanted = b->server == SERVER_ECHO ? b->echo_len : len >= 4 ? get_u24(at) : 4;

	if (b->server != SERVER_ECHO && len >= 4 && (at[0] != 1 || wanted < 20))
		die("octets that are no message");
	return wanted <= len ? wanted : 0;
}

static void take(struct conn *c, size_t len)
{
	c->used -= len;
	memmove(c->in, c->in + len, c->used);
}

/* Say who we are; the answer must be a success. */
static void greet(struct bench *b, struct conn *c, unsigned number)
{
	uint8_t cer[MESSAGE_MAX];
	size_t len, at;

	send_all(c, cer, make_cer(cer, number));
	while (!(len = whole(b, c->in, c->used)))
		receive(c);
	for (at = 20; at < len && get_u32(c->in + at) != 268; at += (get_u24(c->in + at + 4) + 3) & ~3u)
		;
	if (at + 12 > len || get_u32(c->in + at + 8) != 2001)
		die("the server did not take us in");
	take(c, len);
}

static void connect_to(struct bench *b, struct conn *c, unsigned number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(b->port) };
	struct timeval patience = { .tv_sec = 10 };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->in = malloc(IN_SIZE);
	c->order = malloc(b->depth * sizeof(*c->order));
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!c->in || !c->order || c->fd < 0 || inet_pton(AF_INET, b->host, &to.sin_addr) != 1 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die("cannot connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	make_request(c, number);
	if (b->server != SERVER_ECHO)
		greet(b, c, number);
	if (epoll_ctl(b->set, EPOLL_CTL_ADD, c->fd, &event))
		die("epoll");
}

static unsigned number_of(const struct bench *b, const struct conn *c)
{
	return (unsigned)(c - b->conns) + b->first;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* 0 white, 1 black, 2 grey, 3 unknown, -1 anything else. */
static int verdict(const uint8_t *at, size_t len)
{
	uint32_t result = 0, experimental = 0, status = 99;
	size_t i, size;

	for (i = 20; i + 12 <= len; i += (size + 3) & ~(size_t)3) {
		size = get_u24(at + i + 4);
		if (size < 8 || i + size > len)
			return -1;
		switch (get_u32(at + i)) {
		case 268: result = get_u32(at + i + 8); break;
		case 297: experimental = size == 32 ? get_u32(at + i + 28) : 0; break;
		case 1445: status = size == 16 ? get_u32(at + i + 12) : 99; break;
		}
	}
	if (i != len)
		return -1;
	if (experimental == 5422 && !result && status == 99)
		return 3;
	return result == 2001 && !experimental && status <= 2 ? (int)status : -1;
}

static void judge(const struct bench *b, const uint8_t *at, size_t len, uint64_t index)
{
	if (b->server == SERVER_ECHO)
		return; /* its length was all there is to it */
	if (get_u32(at + 4) != ((uint32_t)P << 24 | 324))
		die("not an answer to what was asked");
	switch (verdict(at, len)) {
	case 0:
		if (b->server == SERVER_CONSTANT)
			return;
		break;
	case 1:
		if (b->server == SERVER_LIST && bench_is_listed(b->keys[index], b->rows))
			return;
		break;
	case 3:
		if (b->server == SERVER_LIST && !bench_is_listed(b->keys[index], b->rows))
			return;
		break;
	}
	die("a wrong verdict");
}

static void take_answer(struct bench *b, struct conn *c, const uint8_t *at, size_t len, int64_t now)
{
	uint64_t index = b->server == SERVER_ECHO ? c->order[c->oldest] : get_u32(at + 12);

	c->oldest = (c->oldest + 1) % b->depth;
	if (!c->under_way || index >= b->sent || b->sent_ns[index] < 0)
		die("an answer to what was not asked");
	judge(b, at, len, index);
	b->times_ns[b->answered++] = (uint32_t)(now - b->sent_ns[index]);
	b->sent_ns[index] = -1;
	b->answer_len = len;
	c->under_way--;
}

static void take_answers(struct bench *b, struct conn *c)
{
	size_t taken = 0, len;
	int64_t now = now_ns();

	while ((len = whole(b, c->in + taken, c->used - taken))) {
		const uint8_t *at = c->in + taken;

		if (b->server != SERVER_ECHO && (at[4] & R)) {
			uint8_t dwa[MESSAGE_MAX];

			if (get_u24(at + 4) != 280)
				die("a request that is no watchdog");
			send_all(c, dwa, make_dwa(dwa, at, number_of(b, c)));
		} else {
			take_answer(b, c, at, len, now);
		}
		taken += len;
	}
	take(c, taken);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void ask(struct bench *b, struct conn *c)
{
	uint64_t n = b->depth - c->under_way, i;
	int64_t now = now_ns();
	uint8_t *out = b->out;

	if (n > b->count - b->sent)
		n = b->count - b->sent;
	for (i = 0; i < n; i++, out += c->request_len) {
		uint64_t index = b->sent + i;

		memcpy(out, c->request, c->request_len);
		put_u32(out + 12, (uint32_t)index);
		put_u32(out + 16, (uint32_t)index);
		put_digits(out + c->session_at, 10, index);
		put_digits(out + c->imei_at, 14, b->keys[index]);
		b->sent_ns[index] = now;
		c->order[(c->oldest + c->under_way + i) % b->depth] = (uint32_t)index;
	}
	b->sent += n;
	c->under_way += (unsigned)n;
	if (n)
		send_all(c, b->out, (size_t)(out - b->out));
}

static void serve(struct bench *b, struct conn *c)
{
	receive(c);
	take_answers(b, c);
	if (c < b->conns + b->n_conns)
		ask(b, c);
}

static void loop(struct bench *b)
{
	struct epoll_event events[256];
	unsigned i;
	int n;

	for (i = 0; i < b->n_conns; i++)
		ask(b, &b->conns[i]);
	while (b->answered < b->count && b->n_conns == 1)
		serve(b, &b->conns[0]);
	while (b->answered < b->count) {
		n = epoll_wait(b->set, events, 256, 10000);
		if (n <= 0)
			die("no answer in time");
		while (n-- > 0)
			serve(b, events[n].data.ptr);
	}
}

/* How often the server has allocated (bench/count_malloc.c); 0 where that is not counted. */
static uint64_t allocations(const struct bench *b)
{
	FILE *file = b->counter ? fopen(b->counter, "r") : NULL;
	uint64_t n = 0;

	if (b->counter && (!file || fread(&n, sizeof(n), 1, file) != 1))
		die("the counter of allocations cannot be read");
	if (file)
		fclose(file);
	return n;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_s13 -L|-C|-E LEN [-a ADDR] -p PORT -r ROWS -c COUNT -d DEPTH\n"
			"                 [-n CONNECTIONS] [-i IDLE] [-f FIRST-NUMBER-OF-NAMES] [-s SEED]\n"
			"                 [-P PID-OF-SERVER] [-M COUNTER-OF-ALLOCATIONS]\n");
	return 2;
}

static int read_options(struct bench *b, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "LCE:a:p:r:c:d:n:i:f:s:P:M:")) != -1) {
		switch (option) {
		case 'L': b->server = SERVER_LIST; break;
		case 'C': b->server = SERVER_CONSTANT; break;
		case 'E': b->server = SERVER_ECHO; b->echo_len = strtoull(optarg, NULL, 10); break;
		case 'a': b->host = optarg; break;
		case 'p': b->port = (uint16_t)atoi(optarg); break;
		case 'r': b->rows = strtoull(optarg, NULL, 10); break;
		case 'c': b->count = strtoull(optarg, NULL, 10); break;
		case 'd': b->depth = (unsigned)atoi(optarg); break;
		case 'n': b->n_conns = (unsigned)atoi(optarg); break;
		case 'i': b->n_idle = (unsigned)atoi(optarg); break;
		case 'f': b->first = (unsigned)atoi(optarg); break;
		case 's': b->seed = strtoull(optarg, NULL, 10); break;
		case 'P': b->pid = atoi(optarg); break;
		case 'M': b->counter = optarg; break;
		default: return usage();
		}
	}
	if (b->server == SERVER_ECHO && (!b->echo_len || b->echo_len > MESSAGE_MAX))
		return usage();
	if (!b->n_conns || b->n_conns > CONNS_MAX || b->n_idle > CONNS_MAX - b->n_conns)
		return usage();
	if (!b->depth || b->depth > DEPTH_MAX)
		return usage();
	return b->port && b->rows && b->count && b->count < UINT32_MAX ? 0 : usage();
}

static void prepare(struct bench *b)
{
	struct rlimit files;
	uint64_t i;

	b->keys = malloc(b->count * sizeof(*b->keys));
	b->sent_ns = malloc(b->count * sizeof(*b->sent_ns));
	b->times_ns = malloc(b->count * sizeof(*b->times_ns));
	b->set = epoll_create1(0);
	if (!b->keys || !b->sent_ns || !b->times_ns || b->set < 0)
		die("out of memory");
	for (i = 0; i < b->count; i++)
		b->keys[i] = BENCH_FIRST_KEY + bench_permute(i % (2 * b->rows), 2 * b->rows, b->seed);
	memset(b->sent_ns, 0, b->count * sizeof(*b->sent_ns));
	memset(b->times_ns, 0, b->count * sizeof(*b->times_ns));
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 0; i < b->n_conns + b->n_idle; i++)
		connect_to(b, &b->conns[i], b->first + (unsigned)i);
}

int main(int argc, char **argv)
{
	static struct bench b = { .host = "127.0.0.1", .seed = 1, .n_conns = 1 };
	int64_t began;
	uint64_t cpu, allocated;

	if (read_options(&b, argc, argv))
		return 2;
	prepare(&b);
	allocated = allocations(&b);
	cpu = cpu_ns(b.pid);
	began = now_ns();
	loop(&b);
	began = now_ns() - began;
	cpu = cpu_ns(b.pid) - cpu;
	allocated = allocations(&b) - allocated;
	sort_times(b.times_ns, b.count);
	printf("%.0f %u %u %.0f %.4f %zu %zu\n", (double)b.count * 1e9 / (double)began, b.times_ns[b.count / 2],
	       b.times_ns[b.count - 1 - b.count / 100], (double)cpu / (double)b.count,
	       (double)allocated / (double)b.count, b.conns[0].request_len, b.answer_len);
	return 0;
}
