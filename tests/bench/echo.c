/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The baseline of the benchmarks: an epoll server that sends back what it reads, one read and one write a turn.  What
 * any server costs above it is its own work.
 *
 * With two sizes it sends ANSWER octets for each REQUEST octets instead, where the answers of those that it is compared
 * with are shorter than what they are asked; it looks at none of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES_MAX 8192

static uint8_t buf[256 * 1024];
static size_t request_len, answer_len; /* 0: as it came */
static size_t begun[FILES_MAX];        /* octets of a request that is not whole yet */

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1024)) {
		perror("echo");
		exit(1);
	}
	return fd;
}

static void watch(int set, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event)) {
		perror("echo: epoll");
		exit(1);
	}
}

/* How many octets answer n that were read. */
static ssize_t answer_of(int fd, ssize_t n)
{
	size_t have;

	if (!request_len || n <= 0)
		return n;
	have = begun[fd] + (size_t)n;
	begun[fd] = have % request_len;
	return (ssize_t)(have / request_len * answer_len);
}

/* Answer what one read brings; close where the peer did or does not take it. */
static void serve(int fd)
{
	/* Of requests not read whole the answer may be longer than what was read, but never than the buffer. */
	ssize_t n = recv(fd, buf, sizeof(buf) - 1024, 0), len = answer_of(fd, n), sent, at;

	for (at = 0; n > 0 && at < len; at += sent) {
		sent = send(fd, buf + at, (size_t)(len - at), MSG_NOSIGNAL);
		if (sent <= 0)
			n = sent;
	}
	if (n <= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	int set = epoll_create1(0), listener, one = 1, i, n;
	struct epoll_event events[16];

	if (argc == 4) {
		request_len = strtoul(argv[2], NULL, 10);
		answer_len = strtoul(argv[3], NULL, 10);
	}
	if ((argc != 2 && argc != 4) || answer_len > request_len || request_len > 1024) {
		fprintf(stderr, "usage: echo PORT [REQUEST ANSWER]\n"
				"ANSWER octets, at most REQUEST, for each REQUEST octets\n");
		return 2;
	}
	listener = listen_on((uint16_t)atoi(argv[1]));
	watch(set, listener);
	while ((n = epoll_wait(set, events, 16, -1)) >= 0 || errno == EINTR) {
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd == listener ? accept(listener, NULL, NULL) : events[i].data.fd;

			if (fd < 0)
				continue;
			if (fd >= FILES_MAX) {
				close(fd);
				continue;
			}
			if (events[i].data.fd != listener) {
				serve(fd);
				continue;
			}
			begun[fd] = 0;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			watch(set, fd);
		}
	}
	perror("echo: epoll_wait");
	return 1;
}
