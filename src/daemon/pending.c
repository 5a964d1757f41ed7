/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The draft at the terminal against what is in force.
 *
 * libosmovty 1.7.0 has no call to write some nodes, nor one to add a command to nodes of others, but it exports its
 * table of nodes, cmdvec; this file is the only one that looks there. */
#include "daemon/pending.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <osmocom/vty/command.h>
#include <osmocom/vty/vector.h>
#include <osmocom/vty/vty.h>

#include "daemon/memory_vty.h"

extern vector cmdvec; /* struct cmd_node by number; in no header of libosmovty */

static struct pending *the_pending; /* commands carry no pointer */

static struct cmd_node *node_at(unsigned number)
{
	return number < vector_active(cmdvec) ? vector_slot(cmdvec, number) : NULL;
}

/* Nodes whose commands write a draft: the rooms' and those of nodes.c. */
static bool is_ours(unsigned number)
{
	return number > _LAST_OSMOVTY_NODE || number == L_CTRL_NODE;
}

static void write_ours(struct vty *vty)
{
	for (unsigned i = 0; i < vector_active(cmdvec); i++)
		if (node_at(i) && is_ours(i) && node_at(i)->func)
			node_at(i)->func(vty);
}

/* What a VTY in memory holds, or NULL. */
static char *text_of(struct vty *vty)
{
	struct stat status;
	char *text;

	vty_flush(vty);
	if (fstat(vty->fd, &status))
		return NULL;
	text = calloc(1, (size_t)status.st_size + 1);
	if (text && pread(vty->fd, text, (size_t)status.st_size, 0) != status.st_size) {
		free(text);
		text = NULL;
	}
	return text;
}

/* The draft as text (malloc), or NULL. */
static char *draft_text(void)
{
	struct vty *vty = memory_vty_alloc();
	char *text;

	if (!vty)
		return NULL;
	write_ours(vty);
	text = text_of(vty);
	vty_close(vty);
	return text;
}

bool pending_is(const struct pending *pending)
{
	char *text = draft_text();
	bool same = text && pending->in_force && !strcmp(text, pending->in_force);

	free(text);
	return !same;
}

void pending_settle(struct pending *pending)
{
	free(pending->in_force);
	pending->in_force = draft_text();
	pending->why = (struct weir_why){0};
}

static void say(struct vty *vty, const char *what)
{
	const char *why = the_pending->why.text;

	vty_out(vty, "%s: %s; 'discard' drops what is pending%s", what,
		*why ? why : "a node was changed and not left yet", VTY_NEWLINE);
}

void pending_refuse(struct pending *pending, struct vty *vty, const struct weir_why *why)
{
	pending->why = *why;
	say(vty, "% Not in force");
}

int pending_may_save(struct vty *vty)
{
	if (!pending_is(the_pending))
		return 1;
	say(vty, "% Not saved: not in force");
	return 0;
}

/* The first node that is written: a comment at the top of `show running-config`. */
static int write_mark(struct vty *vty)
{
	if (vty->type == VTY_FILE || !pending_is(the_pending))
		return 0;
	say(vty, "! not in force");
	return 1;
}

DEFUN(discard, discard_cmd, "discard", "Drop what was typed and is not in force\n")
{
	if (!pending_is(the_pending)) {
		vty_out(vty, "Nothing is pending%s", VTY_NEWLINE);
		return CMD_SUCCESS;
	}
	the_pending->drop(the_pending->data);
	pending_settle(the_pending);
	return CMD_SUCCESS;
}

void pending_init(struct pending *pending, void (*drop)(void *data), void *data)
{
	the_pending = pending;
	*pending = (struct pending){.drop = drop, .data = data};
	for (unsigned i = ENABLE_NODE; i < vector_active(cmdvec); i++)
		if (node_at(i))
			install_element((int)i, &discard_cmd);
	node_at(ENABLE_NODE)->func = write_mark;
}

void pending_fini(struct pending *pending)
{
	free(pending->in_force);
	pending->in_force = NULL;
}
