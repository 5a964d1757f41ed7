/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* libosmovty prints to descriptors only; a memfd is one. */
#define _GNU_SOURCE
#include "daemon/memory_vty.h"

#include <sys/mman.h>
#include <unistd.h>

#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

struct vty *memory_vty_alloc(void)
{
	int fd = memfd_create("weir-vty", MFD_CLOEXEC);
	struct vty *vty;

	if (fd < 0)
		return NULL;
	vty = vty_new();
	if (!vty) {
		close(fd);
		return NULL;
	}
	vty->type = VTY_FILE;
	vty->node = CONFIG_NODE;
	vty->fd = fd;
	return vty;
}
