/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A counterpart's TCP connection: blocking writes, reads with a time limit into one buffer.  It knows no protocol;
 * whoever reads takes whole frames from the buffer and says how far it got (link->taken). */
#include "tools/weir_sim.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINK_BUFFER (256 * 1024) /* more than the longest frame, so that there is always room for the rest of one */

int64_t sim_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *sim_clock_text(char buf[static 16])
{
	struct timespec now;
	struct tm parts;
	char seconds[12];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &parts);
	strftime(seconds, sizeof(seconds), "%H:%M:%S", &parts);
	snprintf(buf, 16, "%.8s.%03u", seconds, (unsigned)(now.tv_nsec / 1000000) % 1000u);
	return buf;
}

/* Connect within the time; the socket is blocking afterwards. */
static int connect_one(const struct addrinfo *to, int timeout_ms)
{
	struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	int fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC, to->ai_protocol), one = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* also limits connect() */
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		err = errno == EINPROGRESS ? ETIMEDOUT : errno;
		close(fd);
		return -err;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

int sim_link_open(struct sim_link *link, const char *host, const char *port, int timeout_ms)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *to;
	int err = getaddrinfo(host, port, &hints, &list);

	*link = (struct sim_link){ .fd = -1 };
	if (err) {
		fprintf(stderr, "weir-sim: %s port %s: %s\n", host, port, gai_strerror(err));
		return -1;
	}
	for (to = list; to && link->fd < 0; to = to->ai_next)
		link->fd = connect_one(to, timeout_ms);
	freeaddrinfo(list);
	if (link->fd < 0) {
		fprintf(stderr, "weir-sim: cannot connect to %s port %s: %s\n", host, port, strerror(-link->fd));
		return -1;
	}
	link->size = LINK_BUFFER;
	link->in = malloc(link->size);
	if (!link->in) {
		fprintf(stderr, "weir-sim: out of memory\n");
		sim_link_close(link);
		return -1;
	}
	return 0;
}

void sim_link_close(struct sim_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	free(link->in);
	*link = (struct sim_link){ .fd = -1 };
}

int sim_link_send(struct sim_link *link, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(link->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int sim_link_receive(struct sim_link *link, int timeout_ms)
{
	struct pollfd wait = { .fd = link->fd, .events = POLLIN };
	ssize_t n;
	int ready = poll(&wait, 1, timeout_ms);

	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -errno : 0;
	if (link->taken) {
		memmove(link->in, link->in + link->taken, link->used - link->taken);
		link->used -= link->taken;
		link->taken = 0;
	}
	n = recv(link->fd, link->in + link->used, link->size - link->used, 0);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	link->used += (size_t)n;
	return 1;
}
