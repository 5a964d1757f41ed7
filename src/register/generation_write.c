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

/* Readers that still have it open keep its files until they let go: their names may vanish. */
static void remove_one(const char *state_dir, const char *name)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char dir[PATH_MAX], path[PATH_MAX];

	if (generation_path(state_dir, name, dir, sizeof(dir)))
		return;
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!generation_path(dir, files[i], path, sizeof(path)))
			unlink(path);
	}
	rmdir(dir);
}

void generation_remove_others(const char *state_dir, const char *keep_a, const char *keep_b)
{
	struct dirent *entry;
	DIR *dir = opendir(state_dir);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (generation_number(entry->d_name) && strcmp(entry->d_name, keep_a) && strcmp(entry->d_name, keep_b))
			remove_one(state_dir, entry->d_name);
	}
	closedir(dir);
}
