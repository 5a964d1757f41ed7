/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Makes a generation current, and removes those that no link names.  The link is replaced by a rename, so that at every
 * moment, also after a power cut, it names a whole register.  For the one writer only. */
#include "register/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NEW_LINK "register-link.new"

uint64_t generation_next(const char *state_dir)
{
	uint64_t greatest = 0, number;
	struct dirent *entry;
	DIR *dir = opendir(state_dir);

	if (!dir)
		return 1;
	while ((entry = readdir(dir))) {
		number = generation_number(entry->d_name);
		if (number > greatest)
			greatest = number;
	}
	closedir(dir);
	return greatest + 1;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int replace_link(const char *state_dir, const char *name)
{
	char link[PATH_MAX], new_link[PATH_MAX];

	if (generation_path(state_dir, "register", link, sizeof(link)) ||
	    generation_path(state_dir, NEW_LINK, new_link, sizeof(new_link)))
		return -ENAMETOOLONG;
	if (unlink(new_link) < 0 && errno != ENOENT)
		return -errno;
	if (symlink(name, new_link) < 0 || rename(new_link, link) < 0)
		return -errno;
	return sync_dir(state_dir);
}

int generation_link(const char *state_dir, const char *name, struct weir_why *why)
{
	int err = replace_link(state_dir, name);

	return err ? why_set(why, err, "%s/register cannot be made a link to %s: %s", state_dir, name, strerror(-err))
		   : 0;
}

/* Readers that still have it open keep its files until they let go: their names may vanish.  The gate may make names
 * in the state directory: a link is removed as a link, never followed to what it names. */
static void remove_one(int state_fd, const char *name)
{
	int fd = openat(state_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		unlinkat(state_fd, name, 0);
		return;
	}
	unlinkat(fd, "data.mdb", 0);
	unlinkat(fd, "lock.mdb", 0);
	close(fd);
	unlinkat(state_fd, name, AT_REMOVEDIR);
}

void generation_remove_others(const char *state_dir, const char *keep_a, const char *keep_b)
{
	struct dirent *entry;
	DIR *dir = opendir(state_dir);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (generation_number(entry->d_name) && strcmp(entry->d_name, keep_a) && strcmp(entry->d_name, keep_b))
			remove_one(dirfd(dir), entry->d_name);
	}
	closedir(dir);
}
