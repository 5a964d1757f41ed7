/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Metrics in Prometheus text format 0.0.4, over everything libosmocore counts in this process.
 *
 * Counter "check:white" of group "gate.gsup" becomes weir_gate_gsup_check_white_total, with the label name="..." where
 * the group has a name of its own, else idx="..." where there are several.  A family (HELP, TYPE, samples) is written
 * once and whole, as the format demands, so groups are walked once for each kind of group.  Names keep to the rules of
 * `promtool check metrics`: no colons, counters and only counters end in _total. */
#include "daemon/daemon.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/rate_ctr.h>
#include <osmocom/core/stat_item.h>
#include <osmocom/core/utils.h>

#include "config.h"
#include "daemon/metrics.h"

#define MAX_HOOKS 8
#define MAX_KINDS 64 /* kinds of groups in one process */

static struct {
	daemon_metrics_fn *fn;
	void *data;
} hooks[MAX_HOOKS];
static unsigned n_hooks;

struct walk {
	struct daemon_text *out;
	const void *kinds[MAX_KINDS]; /* one description of each kind, in order of appearance */
	unsigned n_kinds;
	unsigned n_groups; /* of the kind that is being written */
	const char *kind;  /* its name */
	unsigned item;
	char name[METRICS_MAX_NAME];
};

/* Append text as part of a name: letters and digits, anything else a '_', never two together. */
static size_t name_add(char name[static METRICS_MAX_NAME], size_t at, const char *text)
{
	for (; *text && at < METRICS_MAX_NAME - 1; text++) {
		char c = isalnum((unsigned char)*text) ? (char)tolower((unsigned char)*text) : '_';

		if (c != '_' || (at && name[at - 1] != '_'))
			name[at++] = c;
	}
	name[at] = 0;
	return at;
}

static size_t name_drop(char name[static METRICS_MAX_NAME], size_t at, const char *suffix)
{
	size_t len = strlen(suffix);

	if (at > len && !strcmp(name + at - len, suffix))
		name[at -= len] = 0;
	return at;
}

void metrics_name(char name[static METRICS_MAX_NAME], const char *group, const char *item, bool counter)
{
	static const char *const reserved[] = {"_total", "_count", "_sum", "_bucket"};
	size_t at = 0;

	if (strncmp(group, "weir", 4))
		at = name_add(name, at, "weir_");
	at = name_add(name, at, group);
	at = name_add(name, at, "_");
	at = name_add(name, at, item);
	for (unsigned i = 0; i < (counter ? 1 : sizeof(reserved) / sizeof(reserved[0])); i++)
		at = name_drop(name, at, reserved[i]);
	if (counter)
		snprintf(name + (at < METRICS_MAX_NAME - 7 ? at : METRICS_MAX_NAME - 7), 7, "_total");
}

/* A label's value: backslash, quote and line end are escaped, other controls are not let in. */
static void value_add(struct daemon_text *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			daemon_text_add(out, "\\n");
		else if (*value == '\\' || *value == '"')
			daemon_text_add(out, "\\%c", *value);
		else if ((unsigned char)*value >= ' ' && *value != 0x7f)
			daemon_text_add(out, "%c", *value);
	}
}

static void help_add(struct daemon_text *out, const char *name, const char *help, const char *type)
{
	daemon_text_add(out, "# HELP %s ", name);
	for (; *help; help++)
		daemon_text_add(out, "%s%c", *help == '\n' || *help == '\\' ? "\\" : "", *help == '\n' ? 'n' : *help);
	daemon_text_add(out, "\n# TYPE %s %s\n", name, type);
}

static void sample_head(const struct walk *walk, unsigned idx, const char *group_name)
{
	daemon_text_add(walk->out, "%s", walk->name);
	if (group_name) {
		daemon_text_add(walk->out, "{name=\"");
		value_add(walk->out, group_name);
		daemon_text_add(walk->out, "\"}");
	} else if (walk->n_groups > 1) {
		daemon_text_add(walk->out, "{idx=\"%u\"}", idx);
	}
}

/* Kinds are told apart by name: libosmocore copies a description whose names it has to change, once for each group. */
static int note_counters(struct rate_ctr_group *group, void *data)
{
	struct walk *walk = data;

	for (unsigned i = 0; i < walk->n_kinds; i++) {
		const struct rate_ctr_group_desc *known = walk->kinds[i];

		if (!strcmp(known->group_name_prefix, group->desc->group_name_prefix))
			return 0;
	}
	if (walk->n_kinds < MAX_KINDS)
		walk->kinds[walk->n_kinds++] = group->desc;
	return 0;
}

static int count_counters(struct rate_ctr_group *group, void *data)
{
	struct walk *walk = data;

	walk->n_groups += !strcmp(group->desc->group_name_prefix, walk->kind);
	return 0;
}

static int sample_counter(struct rate_ctr_group *group, void *data)
{
	struct walk *walk = data;

	if (strcmp(group->desc->group_name_prefix, walk->kind) || walk->item >= group->desc->num_ctr)
		return 0;
	sample_head(walk, group->idx, group->name);
	daemon_text_add(walk->out, " %" PRIu64 "\n", rate_ctr_group_get_ctr(group, walk->item)->current);
	return 0;
}

static void write_counters(struct walk *walk, const struct rate_ctr_group_desc *desc)
{
	walk->kind = desc->group_name_prefix;
	walk->n_groups = 0;
	rate_ctr_for_each_group(count_counters, walk);
	for (walk->item = 0; walk->item < desc->num_ctr; walk->item++) {
		metrics_name(walk->name, desc->group_name_prefix, desc->ctr_desc[walk->item].name, true);
		help_add(walk->out, walk->name, desc->ctr_desc[walk->item].description, "counter");
		rate_ctr_for_each_group(sample_counter, walk);
	}
}

static int note_gauges(struct osmo_stat_item_group *group, void *data)
{
	struct walk *walk = data;

	for (unsigned i = 0; i < walk->n_kinds; i++) {
		const struct osmo_stat_item_group_desc *known = walk->kinds[i];

		if (!strcmp(known->group_name_prefix, group->desc->group_name_prefix))
			return 0;
	}
	if (walk->n_kinds < MAX_KINDS)
		walk->kinds[walk->n_kinds++] = group->desc;
	return 0;
}

static int count_gauges(struct osmo_stat_item_group *group, void *data)
{
	struct walk *walk = data;

	walk->n_groups += !strcmp(group->desc->group_name_prefix, walk->kind);
	return 0;
}

static int sample_gauge(struct osmo_stat_item_group *group, void *data)
{
	struct walk *walk = data;

	if (strcmp(group->desc->group_name_prefix, walk->kind) || walk->item >= group->desc->num_items)
		return 0;
	sample_head(walk, group->idx, group->name);
	daemon_text_add(walk->out, " %" PRId32 "\n",
			osmo_stat_item_get_last(osmo_stat_item_group_get_item(group, walk->item)));
	return 0;
}

static void write_gauges(struct walk *walk, const struct osmo_stat_item_group_desc *desc)
{
	walk->kind = desc->group_name_prefix;
	walk->n_groups = 0;
	osmo_stat_item_for_each_group(count_gauges, walk);
	for (walk->item = 0; walk->item < desc->num_items; walk->item++) {
		metrics_name(walk->name, desc->group_name_prefix, desc->item_desc[walk->item].name, false);
		help_add(walk->out, walk->name, desc->item_desc[walk->item].description, "gauge");
		osmo_stat_item_for_each_group(sample_gauge, walk);
	}
}

void daemon_metrics_hook(daemon_metrics_fn *fn, void *data)
{
	OSMO_ASSERT(n_hooks < MAX_HOOKS);
	hooks[n_hooks].fn = fn;
	hooks[n_hooks].data = data;
	n_hooks++;
}

void daemon_metrics(struct daemon_text *out)
{
	struct walk counters = {.out = out}, gauges = {.out = out};

	help_add(out, "weir_build_info", "The version that runs", "gauge");
	daemon_text_add(out, "weir_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
	rate_ctr_for_each_group(note_counters, &counters);
	for (unsigned i = 0; i < counters.n_kinds; i++)
		write_counters(&counters, counters.kinds[i]);
	osmo_stat_item_for_each_group(note_gauges, &gauges);
	for (unsigned i = 0; i < gauges.n_kinds; i++)
		write_gauges(&gauges, gauges.kinds[i]);
	for (unsigned i = 0; i < n_hooks; i++)
		hooks[i].fn(out, hooks[i].data);
}
