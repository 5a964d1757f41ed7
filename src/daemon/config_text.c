/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reading configuration text.
 *
 * libosmovty's config_from_file() keeps the rules of indentation and nodes, but its errors give neither file nor line.
 * So it is fed through a stream of our own that hands out one line a call: the line it stopped at is then the last one
 * handed out.  The same stream turns -C into lines, and refuses what libosmovty would take badly: a first line that is
 * indented (it would loop for ever), lines beyond its buffer (it would cut them in two), and the words of a terminal
 * ("write file" in a file would overwrite the file that is being read). */
#define _GNU_SOURCE
#include "daemon/config_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#include "daemon/hint.h"
#include "daemon/memory_vty.h"

struct reader {
	const struct config_source *source;
	struct config_fault *fault;
	struct vty *vty;
	bool failed;
	bool past_first; /* a command was handed out */
	FILE *file;      /* NULL when it is read to its end */
	char *raw;       /* getline's */
	size_t raw_size;
	unsigned line_no;
	unsigned option;  /* which -C, from 0 */
	const char *rest; /* of that -C, or NULL where it begins */
	unsigned depth;
	char text[VTY_BUFSIZ]; /* the line handed out, with its end */
	size_t len, at;
};

static void __attribute__((format(printf, 2, 3))) refuse(struct reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reader->fault->why.text, sizeof(reader->fault->why.text), format, args);
	va_end(args);
	reader->failed = true;
}

static void place_in_file(struct reader *reader)
{
	char *place = reader->fault->place;

	if (reader->line_no)
		snprintf(place, sizeof(reader->fault->place), "%.280s:%u", reader->source->file, reader->line_no);
	else
		snprintf(place, sizeof(reader->fault->place), "%.280s", reader->source->file);
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(text, word, len);
}

/* Take one line without its end; true when it can be handed out. */
static bool take_line(struct reader *reader, const char *line, size_t len)
{
	size_t indent, used;

	if (memchr(line, 0, len)) {
		refuse(reader, "the line holds a NUL; plain text would be right");
		return false;
	}
	used = (size_t)snprintf(reader->text, sizeof(reader->text), "%*s%.*s", (int)reader->depth, "", (int)len, line);
	if (used > CONFIG_MAX_LINE) {
		refuse(reader, "the line has %zu characters; at most %d are read", used, CONFIG_MAX_LINE);
		return false;
	}
	while (used && strchr(" \t\r", reader->text[used - 1]))
		reader->text[--used] = 0;
	indent = strspn(reader->text, " \t");
	reader->text[used] = '\n';
	reader->text[used + 1] = 0;
	reader->len = used + 1;
	reader->at = 0;
	if (indent == used || strchr("!#", reader->text[indent]))
		return true;
	if (indent && !reader->past_first) {
		refuse(reader, "the first line is indented; it must begin in the first column");
		return false;
	}
	reader->past_first = true;
	reader->text[used] = 0;
	if (hint_is_for_terminal(reader->text + indent)) {
		refuse(reader, "\"%.60s\" is for the terminal, not for a configuration; leave the line out%s",
		       reader->text + indent,
		       is_word(reader->text + indent, used - indent, "exit") ||
				       is_word(reader->text + indent, used - indent, "end")
			       ? " (less indentation leaves a node)"
			       : "");
		return false;
	}
	reader->text[used] = '\n';
	return true;
}

static bool next_of_file(struct reader *reader)
{
	ssize_t len = getline(&reader->raw, &reader->raw_size, reader->file);

	if (len < 0) {
		int err = ferror(reader->file) ? errno : 0;

		fclose(reader->file);
		reader->file = NULL;
		if (err)
			refuse(reader, "cannot be read further: %s", strerror(err));
		return false;
	}
	reader->line_no++;
	place_in_file(reader);
	if (len && reader->raw[len - 1] == '\n')
		len--;
	return take_line(reader, reader->raw, (size_t)len);
}

/* The next node or line of the -C that is being read, or the next -C. */
static bool next_of_options(struct reader *reader)
{
	const char *part, *end;
	size_t len;

	if (reader->option == reader->source->n_lines)
		return false;
	snprintf(reader->fault->place, sizeof(reader->fault->place), "-C %u", reader->option + 1);
	part = reader->rest ? reader->rest : reader->source->lines[reader->option];
	reader->depth = reader->rest ? reader->depth + 1 : 0;
	part += strspn(part, " \t");
	end = strchrnul(part, ';');
	len = (size_t)(end - part);
	if (memchr(part, '\n', len)) {
		refuse(reader, "there is a line end in it; use ';' to go one node deeper, another -C for another line");
		return false;
	}
	if (!len) {
		refuse(reader, "a part is empty; 'node; line' would be right");
		return false;
	}
	reader->rest = *end ? end + 1 : NULL;
	if (!reader->rest)
		reader->option++;
	return take_line(reader, part, len);
}

/* What the commands since the last call printed for a terminal, first line, without the '%' that stands for trouble. */
static const char *take_output(struct reader *reader, char buf[static VTY_BUFSIZ])
{
	char *from = buf;
	ssize_t len;

	vty_flush(reader->vty);
	len = pread(reader->vty->fd, buf, VTY_BUFSIZ - 1, 0);
	buf[len > 0 ? len : 0] = 0;
	if (len > 0 && (ftruncate(reader->vty->fd, 0) || lseek(reader->vty->fd, 0, SEEK_SET)))
		buf[0] = 0;
	from += strspn(from, "% \r\n");
	from[strcspn(from, "\r\n")] = 0;
	return from;
}

/* A command that was accepted and said something all the same. */
static void pass_remark(struct reader *reader)
{
	char buf[VTY_BUFSIZ];
	const char *remark = take_output(reader, buf);

	if (*remark)
		fprintf(stderr, "%s: %s\n", reader->fault->place, remark);
}

static bool next_line(struct reader *reader)
{
	if (reader->failed)
		return false;
	pass_remark(reader);
	if (reader->file && next_of_file(reader))
		return true;
	return !reader->failed && next_of_options(reader);
}

/* The stream's read function: never more than the rest of one line. */
static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	struct reader *reader = cookie;
	size_t n;

	if (reader->at == reader->len && !next_line(reader))
		return 0;
	n = reader->len - reader->at;
	if (n > size)
		n = size;
	memcpy(buf, reader->text + reader->at, n);
	reader->at += n;
	return (ssize_t)n;
}

/* The line handed out last was refused: in the command's own words, or else from the tree of commands. */
static void explain(struct reader *reader, int code)
{
	char buf[VTY_BUFSIZ];
	const char *said = take_output(reader, buf);

	reader->text[strcspn(reader->text, "\n")] = 0;
	if (code == CMD_WARNING && *said)
		why_set(&reader->fault->why, 0, "%s", said);
	else
		hint_explain(reader->vty, code, reader->text, !reader->file && reader->source->n_lines,
			     &reader->fault->why);
	reader->failed = true;
}

static void run(struct reader *reader, FILE *stream)
{
	int code = config_from_file(reader->vty, stream);

	if (reader->failed)
		return; /* our own stream refused a line and ended the text there */
	if (code != CMD_SUCCESS)
		explain(reader, code);
	else
		pass_remark(reader);
}

/* What is quoted from the text may be anything; a sentence is plain ASCII. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

int config_read(const struct config_source *source, struct config_fault *fault)
{
	struct reader reader = {.source = source, .fault = fault};
	FILE *stream = NULL;

	*fault = (struct config_fault){0};
	if (source->file) {
		place_in_file(&reader);
		reader.file = fopen(source->file, "re");
		if (!reader.file)
			refuse(&reader, "cannot be opened: %s; -c names the file", strerror(errno));
	}
	if (!reader.failed) {
		reader.vty = memory_vty_alloc(); /* a command that refuses says why there */
		stream = fopencookie(&reader, "r", (cookie_io_functions_t){.read = stream_read});
		if (reader.vty && stream)
			run(&reader, stream);
		else
			refuse(&reader, "no memory to read the configuration");
	}
	if (stream)
		fclose(stream);
	if (reader.vty)
		vty_close(reader.vty);
	if (reader.file)
		fclose(reader.file);
	free(reader.raw);
	make_plain(fault->why.text);
	return reader.failed ? -EINVAL : 0;
}
