/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The words for the numbers of verdict.h.  Each list exists here once; whatever prints or parses one comes here. */
#include "core/verdict.h"

#include <string.h>

#define N_NAMES(table) (sizeof(table) / sizeof((table)[0]))

static const char *const colour_names[WEIR_N_COLOURS] = {
	[WEIR_WHITE] = "white",
	[WEIR_GREY] = "grey",
	[WEIR_BLACK] = "black",
	[WEIR_UNKNOWN] = "unknown",
};

static const char *const reason_names[WEIR_N_REASONS] = {
	[WEIR_REASON_NONE] = "none",
	[WEIR_REASON_STOLEN] = "stolen",
	[WEIR_REASON_LOST] = "lost",
	[WEIR_REASON_FRAUD] = "fraud",
	[WEIR_REASON_DUPLICATE] = "duplicate",
	[WEIR_REASON_COUNTERFEIT] = "counterfeit",
	[WEIR_REASON_NOT_TYPE_APPROVED] = "not-type-approved",
	[WEIR_REASON_NOT_REGISTERED] = "not-registered",
	[WEIR_REASON_FAULTY] = "faulty",
	[WEIR_REASON_ADMINISTRATIVE] = "administrative",
	[WEIR_REASON_TEST] = "test",
	[WEIR_REASON_REGISTERED] = "registered",
	[WEIR_REASON_OTHER] = "other",
};

static const char *const step_names[WEIR_N_STEPS] = {
	[WEIR_STEP_NONE] = "none",	   [WEIR_STEP_OVERRIDE] = "override", [WEIR_STEP_PEER] = "peer",
	[WEIR_STEP_IDENTITY] = "identity", [WEIR_STEP_IMSI] = "imsi",	      [WEIR_STEP_STORE] = "store",
	[WEIR_STEP_PAIR] = "pair",	   [WEIR_STEP_SVN] = "svn",	      [WEIR_STEP_DEVICE] = "device",
	[WEIR_STEP_RANGE] = "range",	   [WEIR_STEP_OVERLAP] = "overlap",   [WEIR_STEP_DEFAULT] = "default",
};

static const char *const tally_names[WEIR_N_TALLIES] = {
	[WEIR_TALLY_WHITE] = "white",	  [WEIR_TALLY_GREY] = "grey",		[WEIR_TALLY_BLACK] = "black",
	[WEIR_TALLY_UNKNOWN] = "unknown", [WEIR_TALLY_MALFORMED] = "malformed", [WEIR_TALLY_SHED] = "shed",
	[WEIR_TALLY_FAILED] = "failed",
};

static const char *const interface_names[WEIR_N_INTERFACES] = {
	[WEIR_IF_GSUP] = "gsup",
	[WEIR_IF_S13] = "s13",
	[WEIR_IF_N5G] = "n5g",
	[WEIR_IF_MAP] = "map",
};

static const char *const pair_rule_names[WEIR_N_PAIR_RULES] = {
	[WEIR_PAIR_NONE] = "none",
	[WEIR_PAIR_ALLOW] = "allow",
	[WEIR_PAIR_DENY] = "deny",
	[WEIR_PAIR_FIXED] = "fixed",
};

static const char *name_of(const char *const *names, size_t n, unsigned value)
{
	return value < n ? names[value] : "?";
}

static int value_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return (int)i;
	return -1;
}

const char *colour_name(enum weir_colour colour)
{
	return name_of(colour_names, N_NAMES(colour_names), colour);
}

int colour_from_name(const char *name)
{
	return value_of(colour_names, N_NAMES(colour_names), name);
}

const char *reason_name(unsigned reason)
{
	return name_of(reason_names, N_NAMES(reason_names), reason);
}

int reason_from_name(const char *name)
{
	return value_of(reason_names, N_NAMES(reason_names), name);
}

const char *step_name(enum weir_step step)
{
	return name_of(step_names, N_NAMES(step_names), step);
}

const char *tally_name(enum weir_tally tally)
{
	return name_of(tally_names, N_NAMES(tally_names), tally);
}

const char *interface_name(enum weir_interface interface)
{
	return name_of(interface_names, N_NAMES(interface_names), interface);
}

int interface_from_name(const char *name)
{
	return value_of(interface_names, N_NAMES(interface_names), name);
}

const char *pair_rule_name(enum weir_pair_rule rule)
{
	return name_of(pair_rule_names, N_NAMES(pair_rule_names), rule);
}

int pair_rule_from_name(const char *name)
{
	return value_of(pair_rule_names, N_NAMES(pair_rule_names), name);
}

enum weir_colour lists_gravest(uint8_t lists)
{
	if (lists & WEIR_ON(WEIR_BLACK))
		return WEIR_BLACK;
	if (lists & WEIR_ON(WEIR_GREY))
		return WEIR_GREY;
	if (lists & WEIR_ON(WEIR_WHITE))
		return WEIR_WHITE;
	return WEIR_UNKNOWN;
}

const char *lists_print(char buf[static 24], uint8_t lists)
{
	char *end = buf;

	/* "unknown" is not a list: the longest text is "white+grey+black". */
	for (unsigned colour = WEIR_WHITE; colour <= WEIR_BLACK; colour++) {
		if (!(lists & WEIR_ON(colour)))
			continue;
		if (end != buf)
			*end++ = '+';
		end = stpcpy(end, colour_names[colour]);
	}
	if (end == buf)
		stpcpy(end, "none");
	return buf;
}
