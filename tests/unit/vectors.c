/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Loads golden vectors for the unit tests (vectors.h).  It must never know what is in one. */

#include "vectors.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH_SIZE   512
#define VECTORS_MAX 256

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
	return at ? at + strlen("\ndecoded:\n") : "";
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

/* The names in tests/vectors/ROOM, sorted.  Returns how many. */
static unsigned vector_names(const char *room, char names[static VECTORS_MAX][VECTOR_NAME])
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

void vectors_each(const char *room, void (*fn)(const struct vector *vector, void *data), void *data)
{
	char names[VECTORS_MAX][VECTOR_NAME];
	unsigned n = vector_names(room, names);

	for (unsigned i = 0; i < n; i++) {
		struct vector v;

		vector_init(&v, room, names[i]);
		fn(&v, data);
		vector_fini(&v);
	}
}

/* --- decoding and encoding */

struct codec {
	vector_print_fn *print;
	vector_encode_fn *encode;
	unsigned written;
};

static void decode_one(const struct vector *v, void *data)
{
	const struct codec *codec = data;
	const char *printed = codec->print(v->bytes, v->len);

	if (strcmp(printed, vector_decoded(v)) != 0)
		fail_msg("%s decodes as\n%snot\n%s", v->name, printed, vector_decoded(v));
}

void vectors_decode(const char *room, vector_print_fn *print)
{
	struct codec codec = {.print = print};

	vectors_each(room, decode_one, &codec);
}

static void encode_one(const struct vector *v, void *data)
{
	struct codec *codec = data;
	uint8_t buf[4096];
	int len = codec->encode(v, buf, sizeof(buf));

	if (len && ((size_t)len != v->len || memcmp(buf, v->bytes, v->len) != 0))
		fail_msg("%s: encoded %d octets, not its %zu:\n%s", v->name, len, v->len,
			 len > 0 ? codec->print(buf, (size_t)len) : "");
	codec->written += len > 0;
}

unsigned vectors_encode(const char *room, vector_encode_fn *encode, vector_print_fn *print)
{
	struct codec codec = {.print = print, .encode = encode};

	vectors_each(room, encode_one, &codec);
	return codec.written;
}

static void encode_cramped(const struct vector *v, void *data)
{
	const struct codec *codec = data;

	for (size_t size = 0; size < v->len; size++) {
		uint8_t *exact = malloc(size ? size : 1);
		int len = codec->encode(v, exact, size);

		free(exact);
		if (!len)
			break;
		assert_int_equal(len, -ENOSPC);
	}
}

void vectors_need_room(const char *room, vector_encode_fn *encode)
{
	struct codec codec = {.encode = encode};

	vectors_each(room, encode_cramped, &codec);
}

/* --- cut and flipped */

struct damage {
	vector_fn *fn;
	void *data;
};

static void each_prefix(const struct vector *vector, void *data)
{
	const struct damage *damage = data;

	for (size_t len = 0; len < vector->len; len++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, vector->bytes, len);
		damage->fn(copy, len, damage->data);
		free(copy);
	}
}

void vectors_prefixes(const char *room, vector_fn *fn, void *data)
{
	struct damage damage = {fn, data};

	vectors_each(room, each_prefix, &damage);
}

static void each_bitflip(const struct vector *vector, void *data)
{
	const struct damage *damage = data;
	uint8_t *copy = malloc(vector->len);

	memcpy(copy, vector->bytes, vector->len);
	for (size_t bit = 0; bit < vector->len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		damage->fn(copy, vector->len, damage->data);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(copy);
}

void vectors_bitflips(const char *room, vector_fn *fn, void *data)
{
	struct damage damage = {fn, data};

	vectors_each(room, each_bitflip, &damage);
}
