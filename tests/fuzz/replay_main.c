/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The main of a fuzz target that was not built for fuzzing: runs every file of a corpus through it once, as one TAP
 * test.  Without an argument the corpus is fuzz/seeds/NAME of a program fuzz_NAME.  A crash ends the program; the last
 * line on standard error then names the file. */

#include "fuzz.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE (1 << 20)

/* An exact heap copy, so that a sanitizer sees the first octet behind it. */
static int replay_file(const char *path)
{
	uint8_t *buf = malloc(MAX_FILE), *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f || !buf) {
		perror(path);
		return -1;
	}
	n = fread(buf, 1, MAX_FILE, f);
	fclose(f);
	exact = malloc(n ? n : 1);
	memcpy(exact, buf, n);
	free(buf);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

static int replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[1024];
	int n = 0;

	if (!dir) {
		perror(path);
		return -1;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (replay_file(file) < 0) {
			n = -1;
			break;
		}
		n++;
	}
	closedir(dir);
	return n;
}

static int replay(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? replay_file(path) : replay_folder(path);
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');
	const char *name = strstr(base ? base : argv[0], "fuzz_");
	char seeds[256];
	int n, total = 0;

	name = name ? name + strlen("fuzz_") : "";
	snprintf(seeds, sizeof(seeds), "fuzz/seeds/%s", name);
	for (int i = 1; i < argc || i == 1; i++) {
		n = replay(i < argc ? argv[i] : seeds);
		if (n < 0)
			total = -1;
		if (total >= 0)
			total += n;
	}
	printf("1..1\n%s 1 - %s: %d inputs replayed\n", total > 0 ? "ok" : "not ok", name, total);
	return total > 0 ? 0 : 1;
}
