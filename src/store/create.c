/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Makes a new, empty store so that it is there whole or not at all: in a temporary directory beside its place, synced,
 * then renamed, then the parent synced.  (LMDB alone leaves an unusable file when the power fails while it creates
 * one.) Must never touch a store that exists. */
#include "store/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".new-"

static const char *const files[] = {"data.mdb", "lock.mdb"};
#define N_FILES (sizeof(files) / sizeof(files[0]))

static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	int err;

	if (fd < 0)
		return -errno;
	err = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* A link is removed as a link, never followed: others may be allowed to make names beside a store. */
static void remove_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		unlink(dir);
		return;
	}
	for (unsigned i = 0; i < N_FILES; i++)
		unlinkat(fd, files[i], 0);
	close(fd);
	rmdir(dir);
}

/* The directory that a path stands in, and the last word of it. */
static const char *parent_of(const char *path, char parent[static PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(parent, PATH_MAX, ".");
	else
		snprintf(parent, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return slash ? slash + 1 : path;
}

/* What earlier attempts left behind: only a writer creates, and there is one. */
static void remove_leftovers(const char *parent, const char *name)
{
	char path[PATH_MAX];
	size_t len = strlen(name);
	struct dirent *entry;
	DIR *dir = opendir(parent);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, name, len) || strncmp(entry->d_name + len, TEMPORARY, strlen(TEMPORARY)))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) < (int)sizeof(path))
			remove_dir(path);
	}
	closedir(dir);
}

/* LMDB writes both headers when it opens an empty directory; the lock file keeps at least so many slots. */
static int make_files(const char *dir, unsigned readers)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc)
		return rc > 0 ? -rc : -EIO;
	rc = mdb_env_set_maxreaders(env, readers);
	if (!rc)
		rc = mdb_env_open(env, dir, MDB_NOTLS, 0600);
	mdb_env_close(env);
	return rc > 0 ? -rc : rc ? -EIO : 0;
}

static int sync_files(const char *dir, bool shared)
{
	static const mode_t modes[N_FILES] = {0640, 0660};
	char path[PATH_MAX];
	int err = 0;

	for (unsigned i = 0; i < N_FILES && !err; i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, files[i]) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		if (chmod(path, shared ? modes[i] : 0600) < 0)
			return -errno;
		err = sync_path(path, 0);
	}
	if (!err && chmod(dir, shared ? 0750 : 0700) < 0)
		err = -errno;
	return err ? err : sync_path(dir, O_DIRECTORY);
}

static int make_and_move(const struct store_spec *spec, const char *temporary, const char *parent)
{
	int err;

	err = make_files(temporary, spec->readers ? spec->readers : STORE_READERS);
	if (!err)
		err = sync_files(temporary, spec->shared);
	if (!err && rename(temporary, spec->dir) < 0)
		err = -errno;
	return err ? err : sync_path(parent, O_DIRECTORY);
}

int store_create(const struct store_spec *spec, struct weir_why *why)
{
	char path[PATH_MAX], parent[PATH_MAX], temporary[PATH_MAX];
	struct stat stat_;
	const char *name;
	int err;

	if (snprintf(path, sizeof(path), "%s/data.mdb", spec->dir) >= (int)sizeof(path) ||
	    snprintf(temporary, sizeof(temporary), "%s" TEMPORARY "XXXXXX", spec->dir) >= (int)sizeof(temporary))
		return why_set(why, -ENAMETOOLONG, "the path of the store is too long");
	if (!stat(path, &stat_))
		return 0;
	name = parent_of(spec->dir, parent);
	remove_leftovers(parent, name);
	if (!mkdtemp(temporary))
		return why_set(why, -errno, "no store can be made in %s: %s", parent, strerror(errno));
	err = make_and_move(spec, temporary, parent);
	if (!err)
		return 0;
	remove_dir(temporary);
	return why_set(why, err, "the store %s cannot be made: %s", spec->dir, strerror(-err));
}
