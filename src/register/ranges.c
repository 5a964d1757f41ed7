/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Flattens ranges that overlap into disjoint ones, each saying what the narrowest range that covers it says.
 *
 * A sweep over their sorted ends.  The ranges that cover the place of the sweep are in a heap, the narrowest on top;
 * one that ended is thrown out when it comes to the top.  n log n, whatever overlaps what, as long as not many of the
 * very same width overlap without being equal.  Pure: no store, no clock. */
#include "register/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct heap {
	const struct register_range *ranges; /* ascending by start */
	unsigned *item;
	unsigned n;
};

static uint64_t width(const struct register_range *range)
{
	return range->to - range->from;
}

static bool goes_above(const struct heap *heap, unsigned a, unsigned b)
{
	return width(&heap->ranges[heap->item[a]]) < width(&heap->ranges[heap->item[b]]);
}

static void swap(struct heap *heap, unsigned a, unsigned b)
{
	unsigned kept = heap->item[a];

	heap->item[a] = heap->item[b];
	heap->item[b] = kept;
}

static void heap_push(struct heap *heap, unsigned range)
{
	unsigned at = heap->n++;

	heap->item[at] = range;
	for (; at && goes_above(heap, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(heap, at, (at - 1) / 2);
}

static unsigned heap_pop(struct heap *heap)
{
	unsigned top = heap->item[0], at = 0, child;

	heap->item[0] = heap->item[--heap->n];
	while ((child = 2 * at + 1) < heap->n) {
		if (child + 1 < heap->n && goes_above(heap, child + 1, child))
			child++;
		if (!goes_above(heap, child, at))
			break;
		swap(heap, at, child);
		at = child;
	}
	return top;
}

/* The union of the lists; the reason of the graver one, of two equally grave the smaller that says something. */
static struct weir_listing merge(struct weir_listing a, struct weir_listing b)
{
	struct weir_listing both = {a.lists | b.lists, a.reason};
	bool a_grave = lists_gravest(a.lists) == lists_gravest(both.lists);
	bool b_grave = lists_gravest(b.lists) == lists_gravest(both.lists);

	if (b_grave && (!a_grave || !a.reason || (b.reason && b.reason < a.reason)))
		both.reason = b.reason;
	return both;
}

/* What holds at a place, and up to where nothing narrower ends.  false: nothing covers it. */
static bool what_holds(struct heap *heap, uint64_t at, unsigned *kept, struct register_range *out)
{
	const struct register_range *top;
	unsigned n_kept = 0;

	while (heap->n && heap->ranges[heap->item[0]].to < at)
		heap_pop(heap);
	if (!heap->n)
		return false;
	top = &heap->ranges[heap->item[0]];
	*out = (struct register_range){at, top->to, top->listing};
	/* those of the same width take part; they go back afterwards */
	while (heap->n && width(&heap->ranges[heap->item[0]]) == width(top)) {
		const struct register_range *range = &heap->ranges[heap->item[0]];

		if (range->to >= at) {
			out->listing = merge(out->listing, range->listing);
			out->to = range->to < out->to ? range->to : out->to;
			kept[n_kept++] = heap->item[0];
		}
		heap_pop(heap);
	}
	while (n_kept)
		heap_push(heap, kept[--n_kept]);
	return true;
}

static bool joins(const struct register_range *before, const struct register_range *next, bool same_top)
{
	return same_top && before->to + 1 == next->from && before->listing.lists == next->listing.lists &&
	       before->listing.reason == next->listing.reason;
}

static int compare_starts(const void *a, const void *b)
{
	const struct register_range *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* Equal ones become one before the sweep: sources often list the same TAC. */
static unsigned merge_equal(struct register_range *sorted, unsigned n)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		if (out && sorted[out - 1].from == sorted[i].from && sorted[out - 1].to == sorted[i].to)
			sorted[out - 1].listing = merge(sorted[out - 1].listing, sorted[i].listing);
		else
			sorted[out++] = sorted[i];
	}
	return out;
}

static unsigned sweep(struct heap *heap, unsigned n, unsigned *kept, struct register_range *flat)
{
	unsigned next = 0, out = 0, top = 0;
	struct register_range piece;
	uint64_t at = 0;

	while (next < n || heap->n) {
		while (next < n && heap->ranges[next].from <= at)
			heap_push(heap, next++);
		if (!what_holds(heap, at, kept, &piece)) {
			if (next == n)
				break;
			at = heap->ranges[next].from;
			continue;
		}
		if (next < n && heap->ranges[next].from <= piece.to)
			piece.to = heap->ranges[next].from - 1;
		if (out && joins(&flat[out - 1], &piece, top == heap->item[0]))
			flat[out - 1].to = piece.to;
		else
			flat[out++] = piece;
		top = heap->item[0];
		at = piece.to + 1;
	}
	return out;
}

static bool is_sound(const struct register_range *range)
{
	return range->from <= range->to && range->to < WEIR_IMEI_END && range->listing.lists &&
	       !(range->listing.lists & ~REGISTER_LISTS) && range->listing.reason <= REGISTER_REASON_MAX;
}

int register_flatten(const struct register_range *ranges, unsigned n, struct register_range *flat)
{
	struct register_range *sorted = calloc(n + 1, sizeof(*sorted));
	unsigned *items = calloc(2 * (size_t)n + 1, sizeof(*items));
	struct heap heap = {.ranges = sorted, .item = items};
	int err = sorted && items ? 0 : -ENOMEM;

	for (unsigned i = 0; i < n && !err; i++)
		err = is_sound(&ranges[i]) ? 0 : -EINVAL;
	if (!err && n) {
		memcpy(sorted, ranges, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), compare_starts);
		n = merge_equal(sorted, n);
		err = (int)sweep(&heap, n, items + n, flat);
	}
	free(sorted);
	free(items);
	return err;
}
