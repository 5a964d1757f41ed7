/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The listening UNIX socket.  Never takes a living listener's place. */
#include "keeper/http_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Does somebody answer at the path?  A file that nobody listens on is what a killed keeper left. */
static bool is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

int http_listener_open(const char *path, struct weir_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return why_set(why, -ENAMETOOLONG, "%s: the path of a socket has at most %zu characters", path,
			       sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return why_set(why, -EEXIST, "%s is there and is no socket", path);
		if (is_alive(&address))
			return why_set(why, -EADDRINUSE, "%s: another keeper listens there", path);
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return why_set(why, -errno, "no socket: %s", strerror(errno));
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	if (rc == 0)
		rc = chmod(path, 0660);
	if (rc == 0)
		rc = listen(fd, SOMAXCONN);
	if (rc < 0) {
		rc = why_set(why, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
}
