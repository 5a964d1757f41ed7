/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The baseline of the GSUP benchmark: an epoll server that sends back what it reads, one read and one write a turn.
 * What any server costs above it is its own work. */
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

static uint8_t buf[256 * 1024];

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)) {
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

/* Send back what one read brings; close where the peer did or does not take it. */
static void serve(int fd)
{
	ssize_t n = recv(fd, buf, sizeof(buf), 0), sent, at;

	for (at = 0; n > 0 && at < n; at += sent) {
		sent = send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
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

	if (argc != 2) {
		fprintf(stderr, "usage: echo PORT\n");
		return 2;
	}
	listener = listen_on((uint16_t)atoi(argv[1]));
	watch(set, listener);
	while ((n = epoll_wait(set, events, 16, -1)) >= 0 || errno == EINTR) {
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd == listener ? accept(listener, NULL, NULL) : events[i].data.fd;

			if (fd < 0)
				continue;
			if (events[i].data.fd != listener) {
				serve(fd);
				continue;
			}
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			watch(set, fd);
		}
	}
	perror("echo: epoll_wait");
	return 1;
}
