/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Loads golden vectors for the unit tests (vectors.h).  It must never know what is in one. */

#include "vectors.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH_SIZE 512

static void vector_path(char path[static PATH_SIZE], const char *room, const char *name, const char *ending)
{
	int n = snprintf(path, PATH_SIZE, "%s/vectors/%s/%s%s", TESTS_SRCDIR, room, name, ending);

	assert_in_range(n, 1, PATH_SIZE - 1);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);
	size_t n;

	if (!f)
		fail_msg("%s is missing", path);
	n = fread(text, 1, 65535, f);
	fclose(f);
	if (n == 0)
		fail_msg("%s is empty", path);
	return text;
}

static unsigned nibble(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	if (!c || !at)
		fail_msg("'%c' in a .hex file; lower-case digits and white space are needed", c);
	return (unsigned)(at - digits);
}

/* Hex digits with white space between octets. */
static void read_hex(struct vector *vector, const char *hex)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	size_t n = 0;

	for (const char *p = hex; *p;) {
		if (strchr(" \n", *p)) {
			p++;
			continue;
		}
		bytes[n++] = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
		p += 2;
	}
	vector->bytes = malloc(n);
	vector->len = n;
	memcpy(vector->bytes, bytes, n);
	free(bytes);
}

void vector_init(struct vector *vector, const char *room, const char *name)
{
	char path[PATH_SIZE], *hex;

	memset(vector, 0, sizeof(*vector));
	snprintf(vector->name, sizeof(vector->name), "%s", name);
	vector_path(path, room, name, ".hex");
	hex = read_file(path);
	read_hex(vector, hex);
	free(hex);
	vector_path(path, room, name, ".txt");
	vector->text = read_file(path);
}

void vector_fini(struct vector *vector)
{
	free(vector->bytes);
	free(vector->text);
	memset(vector, 0, sizeof(*vector));
}

const char *vector_decoded(const struct vector *vector)
{
	const char *at = strstr(vector->text, "\ndecoded:\n");

	if (!at)
		fail_msg("%s.txt has no \"decoded:\"", vector->name);
	return at + strlen("\ndecoded:\n");
}

void vector_field(const struct vector *vector, const char *key, char *buf, size_t size)
{
	const char *end = vector_decoded(vector), *line = vector->text;
	size_t len = strlen(key);

	while (line < end) {
		size_t n = strcspn(line, "\n");

		if (!strncmp(line, key, len) && !strncmp(line + len, ": ", 2)) {
			snprintf(buf, size, "%.*s", (int)(n - len - 2), line + len + 2);
			return;
		}
		line += n + 1;
	}
	fail_msg("%s.txt has no line \"%s: \"", vector->name, key);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned vector_names(const char *room, char names[static VECTORS_MAX][VECTOR_NAME])
{
	char path[PATH_SIZE];
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	vector_path(path, room, "", "");
	dir = opendir(path);
	if (!dir)
		fail_msg("%s is missing", path);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 4, ".hex") != 0)
			continue;
		assert_in_range(n, 0, VECTORS_MAX - 1);
		assert_in_range(len - 4, 1, VECTOR_NAME - 1);
		snprintf(names[n++], VECTOR_NAME, "%.*s", (int)(len - 4), entry->d_name);
	}
	closedir(dir);
	if (n == 0)
		fail_msg("%s holds no vector", path);
	qsort(names, n, VECTOR_NAME, by_name);
	return n;
}

void vector_each_prefix(const struct vector *vector, vector_fn *fn, void *data)
{
	for (size_t len = 0; len < vector->len; len++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, vector->bytes, len);
		fn(copy, len, data);
		free(copy);
	}
}

void vector_each_bitflip(const struct vector *vector, vector_fn *fn, void *data)
{
	uint8_t *copy = malloc(vector->len);

	memcpy(copy, vector->bytes, vector->len);
	for (size_t bit = 0; bit < vector->len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		fn(copy, vector->len, data);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(copy);
}
