/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* STATE/keeper.sightings: datagrams from the gate.  Reads a bounded number a turn; what does not parse is counted. */
#include "keeper/seen.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/select.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "keeper/main.h"

#define DATAGRAMS_A_TURN 64

struct seen_socket {
	struct osmo_fd fd;
	struct seen *seen;
	struct seen_socket_stats stats;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void read_one(struct seen_socket *self, const uint8_t *datagram, size_t len, uint32_t now_s)
{
	struct weir_sighting sightings[SIGHTING_BATCH];
	int n = sighting_decode(datagram, len, sightings);

	self->stats.datagrams++;
	if (n < 0)
		self->stats.malformed++;
	else
		seen_note(self->seen, sightings, (unsigned)n, now_s);
}

static int read_cb(struct osmo_fd *fd, unsigned what)
{
	struct seen_socket *self = fd->data;
	uint32_t now_s = (uint32_t)(daemon_now_ms() / 1000);
	uint8_t datagram[SIGHTING_DATAGRAM + 1]; /* one more: a longer one is not taken for a whole one */

	(void)what;
	for (unsigned i = 0; i < DATAGRAMS_A_TURN; i++) {
		ssize_t len = recv(fd->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

		if (len < 0)
			break;
		read_one(self, datagram, (size_t)len, now_s);
	}
	return 0;
}

/* Remove what a keeper that is no more left behind; never what somebody reads. */
static int remove_stale(int fd, const struct sockaddr_un *address, struct weir_why *why)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : why_set(why, -errno, "%s: %s", address->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, -EEXIST, "%s is in the way: it is not a socket", address->sun_path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return why_set(why, -EADDRINUSE, "%s is in use: another weir-keeper works in this directory",
			       address->sun_path);
	if (errno != ECONNREFUSED)
		return why_set(why, -errno, "%s is in the way: %s", address->sun_path, strerror(errno));
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return why_set(why, -errno, "%s cannot be removed: %s", address->sun_path, strerror(errno));
	return 0;
}

static int bind_at(const char *path, struct weir_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return why_set(why, -ENAMETOOLONG, "%s: the path of a socket has at most %zu characters", path,
			       sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return why_set(why, -errno, "no socket: %s", strerror(errno));
	rc = remove_stale(fd, &address, why);
	if (rc == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && chmod(path, 0660) == 0)
		return fd;
	if (rc == 0)
		rc = why_set(why, -errno, "%s: %s", path, strerror(errno));
	close(fd);
	return rc;
}

int seen_socket_open(const char *state_dir, struct seen *seen, struct seen_socket **out, struct weir_why *why)
{
	struct seen_socket *self = calloc(1, sizeof(*self));
	char path[4200];
	int fd;

	*out = NULL;
	if (!self)
		return why_set(why, -ENOMEM, "no memory");
	snprintf(path, sizeof(path), "%s/%s", state_dir, SIGHTING_SOCKET);
	fd = bind_at(path, why);
	if (fd < 0) {
		free(self);
		return fd;
	}
	snprintf(self->path, sizeof(self->path), "%.*s", (int)sizeof(self->path) - 1, path);
	self->seen = seen;
	osmo_fd_setup(&self->fd, fd, OSMO_FD_READ, read_cb, self, 0);
	osmo_fd_register(&self->fd);
	*out = self;
	return 0;
}

void seen_socket_close(struct seen_socket *self)
{
	if (!self)
		return;
	osmo_fd_unregister(&self->fd);
	close(self->fd.fd);
	unlink(self->path);
	free(self);
}

const struct seen_socket_stats *seen_socket_stats(const struct seen_socket *self)
{
	return &self->stats;
}
