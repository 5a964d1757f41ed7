/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Plain aligned tables, and small readers of answers. */
#include "tools/weirctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ctl_table_add(struct ctl_table *table, ...)
{
	char **cell = realloc(table->cell, (table->rows + 1) * table->columns * sizeof(*cell));
	va_list args;

	if (!cell)
		exit(ctl_fail(CTL_LOCAL, "out of memory"));
	table->cell = cell;
	cell += table->rows++ * table->columns;
	va_start(args, table);
	for (unsigned i = 0; i < table->columns; i++) {
		const char *text = va_arg(args, const char *);

		cell[i] = strdup(text && *text ? text : "-");
		if (!cell[i])
			exit(ctl_fail(CTL_LOCAL, "out of memory"));
	}
	va_end(args);
}

static int column_width(const struct ctl_table *table, unsigned column)
{
	size_t width = 0;

	for (unsigned i = 0; i < table->rows; i++) {
		size_t len = strlen(table->cell[i * table->columns + column]);

		if (len > width)
			width = len;
	}
	return (int)width;
}

void ctl_table_print(struct ctl_table *table, const char *indent)
{
	for (unsigned row = 0; row < table->rows; row++) {
		fputs(indent, stdout);
		for (unsigned column = 0; column < table->columns; column++) {
			char *cell = table->cell[row * table->columns + column];

			if (column + 1 == table->columns)
				puts(cell);
			else
				printf("%-*s  ", column_width(table, column), cell);
		}
	}
	for (unsigned i = 0; i < table->rows * table->columns; i++)
		free(table->cell[i]);
	free(table->cell);
	*table = (struct ctl_table){.columns = table->columns};
}

const json_t *ctl_at(const json_t *value, const char *path)
{
	char name[40];

	while (value && *path) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		value = json_object_get(value, name);
		path += len + (path[len] == '.');
	}
	return value;
}

const char *ctl_text(const json_t *value, const char *path)
{
	const char *text = json_string_value(ctl_at(value, path));

	return text ? text : "";
}

json_int_t ctl_number(const json_t *value, const char *path)
{
	return json_integer_value(ctl_at(value, path));
}

const char *ctl_number_text(const json_t *value, const char *path)
{
	static char texts[8][24];
	static unsigned next;
	char *text = texts[next++ % 8];

	if (!json_is_integer(ctl_at(value, path)))
		return "";
	snprintf(text, sizeof(texts[0]), "%lld", (long long)ctl_number(value, path));
	return text;
}

const char *ctl_lists_text(const json_t *array)
{
	static char text[40];
	const json_t *word;
	size_t i;

	*text = '\0';
	json_array_foreach(array, i, word) snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
						    *text ? "+" : "", json_string_value(word));
	return *text ? text : "none";
}
