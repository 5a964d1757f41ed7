/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* For tests with sockets: a state directory that goes away again, and the keeper's end in it. */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rows.h"

static inline void state_dir_make(char dir[static 32])
{
	strcpy(dir, "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline struct sockaddr_un state_dir_address(const char *dir, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
	return address;
}

static inline void state_dir_remove(const char *dir, const char *name)
{
	unlink(state_dir_address(dir, name).sun_path);
	assert_int_equal(rmdir(dir), 0);
}

/* A datagram socket that reads under this name. */
static inline int state_dir_listen(const char *dir, const char *name)
{
	struct sockaddr_un address = state_dir_address(dir, name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}
