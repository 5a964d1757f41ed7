/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A directory for one test and the files that tests of the store turn over.  Everything asserts: a test stands on it.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct scratch {
	char dir[PATH_MAX - 300];
};

__attribute__((unused)) static void scratch_make(struct scratch *scratch)
{
	const char *base = getenv("TMPDIR");

	snprintf(scratch->dir, sizeof(scratch->dir), "%s/weir-test-XXXXXX", base && *base ? base : "/tmp");
	assert_non_null(mkdtemp(scratch->dir));
}

__attribute__((unused)) static void scratch_remove_tree(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *open = opendir(dir);

	if (!open)
		return;
	while ((entry = readdir(open))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (unlink(path) < 0)
			scratch_remove_tree(path);
	}
	closedir(open);
	rmdir(dir);
}

__attribute__((unused)) static void scratch_remove(struct scratch *scratch)
{
	scratch_remove_tree(scratch->dir);
}

/* A path below it; good until the fourth call after. */
__attribute__((unused)) static const char *scratch_path(const struct scratch *scratch, const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", scratch->dir, name);
	return path[turn];
}

__attribute__((unused)) static unsigned char *scratch_read(const char *path, size_t *size)
{
	unsigned char *bytes;
	struct stat stat;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	*size = (size_t)stat.st_size;
	bytes = malloc(*size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size), stat.st_size);
	close(fd);
	return bytes;
}

__attribute__((unused)) static void scratch_write_at(const char *path, const void *bytes, size_t size, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

/* Anything below whose name holds this word? */
__attribute__((unused)) static bool scratch_holds(const struct scratch *scratch, const char *word)
{
	struct dirent *entry;
	DIR *dir = opendir(scratch->dir);
	bool found = false;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		found |= strstr(entry->d_name, word) != NULL;
	closedir(dir);
	return found;
}
