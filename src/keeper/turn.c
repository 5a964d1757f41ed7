/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Group commit: begin, every change of the turn, commit, then the answers.  Never answers before the commit;
 * whether the register has caught up is the answer's to ask. */
#include "keeper/turn.h"

#include <osmocom/core/linuxlist.h>

#include <errno.h>
#include <stdlib.h>

struct wish {
	struct llist_head entry;
	struct lists_change change;
	struct lists_result result;
	struct weir_why why;
	turn_done_fn *done;
	void *data;
	int err;
};

struct turn {
	struct lists *lists;
	struct llist_head wishes;
	struct turn_stats stats;
};

struct turn *turn_alloc(struct lists *lists)
{
	struct turn *turn = calloc(1, sizeof(*turn));

	if (!turn)
		return NULL;
	turn->lists = lists;
	INIT_LLIST_HEAD(&turn->wishes);
	return turn;
}

int turn_submit(struct turn *turn, const struct lists_change *change, turn_done_fn *done, void *data)
{
	struct wish *wish = calloc(1, sizeof(*wish));

	if (!wish)
		return -ENOMEM;
	wish->change = *change;
	wish->done = done;
	wish->data = data;
	llist_add_tail(&wish->entry, &turn->wishes);
	return 0;
}

/* Answers may submit again: what they add is for the next turn. */
static void tell(struct turn *turn, struct llist_head *wishes)
{
	struct wish *wish, *next;

	llist_for_each_entry_safe(wish, next, wishes, entry) {
		llist_del(&wish->entry);
		if (wish->err)
			turn->stats.failed++;
		wish->done(wish->data, wish->err, &wish->result, &wish->why);
		free(wish);
	}
}

static void fail_all(struct llist_head *wishes, int err, const char *sentence)
{
	struct wish *wish;

	llist_for_each_entry(wish, wishes, entry) {
		if (!wish->err)
			wish->err = why_set(&wish->why, err, "%s", sentence);
	}
}

static int change_all(struct turn *turn, struct llist_head *wishes, int64_t now_ms)
{
	struct wish *wish;
	int rc = lists_begin(turn->lists, now_ms);

	if (rc < 0)
		return rc;
	llist_for_each_entry(wish, wishes, entry) {
		wish->err = lists_change(turn->lists, &wish->change, &wish->result, &wish->why);
		turn->stats.changes++;
	}
	turn->stats.commits++;
	return lists_commit(turn->lists);
}

static const char *sentence_of(int err)
{
	switch (err) {
	case -EBUSY:
		return "the keeper is busy with an import; nothing was changed, try again in a moment";
	case -ENOSPC:
		return "the disk is full; nothing was changed";
	default:
		return "the store could not be written; nothing was changed";
	}
}

void turn_flush(struct turn *turn, int64_t now_ms)
{
	LLIST_HEAD(wishes);
	int rc;

	if (llist_empty(&turn->wishes))
		return;
	llist_splice_init(&turn->wishes, &wishes);
	rc = change_all(turn, &wishes, now_ms);
	if (rc < 0)
		fail_all(&wishes, rc, sentence_of(rc));
	tell(turn, &wishes);
}

void turn_free(struct turn *turn)
{
	if (!turn)
		return;
	fail_all(&turn->wishes, -EBUSY, "the keeper is stopping");
	tell(turn, &turn->wishes);
	free(turn);
}

const struct turn_stats *turn_stats(const struct turn *turn)
{
	return &turn->stats;
}
