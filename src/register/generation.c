/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Which generation is current: what the link STATE/register says, if it says the name of one. */
#include "register/layout.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "register."

uint64_t generation_number(const char *name)
{
	unsigned long long number;
	char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return 0;
	name += strlen(PREFIX);
	if (*name < '1' || *name > '9' || strlen(name) > 19)
		return 0;
	number = strtoull(name, &end, 10);
	return *end ? 0 : number;
}

int generation_path(const char *state_dir, const char *name, char *path, size_t size)
{
	return snprintf(path, size, "%s/%s", state_dir, name) < (int)size ? 0 : -ENAMETOOLONG;
}

int generation_current(const char *state_dir, char name[static REGISTER_NAME], struct weir_why *why)
{
	char link[PATH_MAX];
	ssize_t len;

	name[0] = '\0';
	if (generation_path(state_dir, "register", link, sizeof(link)))
		return why_set(why, -ENAMETOOLONG, "the path of the state directory is too long");
	len = readlink(link, name, REGISTER_NAME);
	if (len < 0 && errno == ENOENT)
		return why_set(why, -ENOENT, "%s does not exist: the keeper has not made it yet", link);
	if (len < 0 && errno != EINVAL)
		return why_set(why, -errno, "%s cannot be read: %s", link, strerror(errno));
	name[len > 0 && len < REGISTER_NAME ? len : 0] = '\0';
	if (!generation_number(name)) {
		name[0] = '\0';
		return why_set(why, -EUCLEAN, "%s is not a link to register.N", link);
	}
	return 0;
}
