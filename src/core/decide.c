/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The decision: the eleven steps of policy.h, one function each, asked in order until one of them says something.
 *
 * Colours are those of TS 22.016 clause 4; what an interface tells for "unknown" and for a refusal is its own table.
 * Must never take a clock, allocate, or look outside its arguments: the answer path runs here. */
#include "core/policy_made.h"

struct decision {
	const struct weir_policy *policy;
	const struct weir_query *query;
	const struct weir_facts *facts;
	const struct weir_terms *terms;
	enum weir_action restrictive, unknown; /* of the terms, or of the IMSI's rule */
	struct weir_verdict *verdict;
	struct weir_trace *trace;
};

static void trace_line(struct decision *d, enum weir_step step, bool decided, const char *text)
{
	struct weir_trace *trace = d->trace;

	if (!trace)
		return;
	trace->line[trace->n].step = step;
	trace->line[trace->n].decided = decided;
	trace->line[trace->n].text = text;
	trace->n++;
}

static bool pass(struct decision *d, enum weir_step step, const char *text)
{
	trace_line(d, step, false, text);
	return false;
}

/* A reason that a newer keeper wrote and this program has no word for. */
static enum weir_reason known_reason(unsigned reason)
{
	return reason < WEIR_N_REASONS ? (enum weir_reason)reason : WEIR_REASON_OTHER;
}

static bool say_as(struct decision *d, enum weir_step step, enum weir_action action, enum weir_tally tally,
		   unsigned reason, const char *text)
{
	*d->verdict = (struct weir_verdict){
		.colour = action == WEIR_DO_REFUSE ? WEIR_UNKNOWN : (enum weir_colour)action,
		.answer = action == WEIR_DO_REFUSE ? WEIR_ANSWER_REFUSE : WEIR_ANSWER_COLOUR,
		.reason = known_reason(reason),
		.step = step,
		.tally = tally,
		.serial = step >= WEIR_STEP_STORE && d->facts ? d->facts->serial : 0,
	};
	trace_line(d, step, true, text);
	return true;
}

/* A MAC address, an EUI-64 or another identity that is no IMEI (TS 29.571 5.3.2): readable, but on no list. */
static bool has_no_imei(const struct weir_query *query)
{
	return query->fault == WEIR_IMEI_SCHEME;
}

/* A colour, counted as such, or as malformed where the identity could not even be read. */
static bool say(struct decision *d, enum weir_step step, enum weir_action colour, unsigned reason, const char *text)
{
	bool unreadable = d->query->fault && !has_no_imei(d->query);
	enum weir_tally tally = unreadable ? WEIR_TALLY_MALFORMED : (enum weir_tally)colour;

	return say_as(d, step, colour, tally, reason, text);
}

/* 1 override: a global switch answers every check with one colour */
static bool step_override(struct decision *d)
{
	if (d->policy->override == WEIR_DO_CONTINUE)
		return pass(d, WEIR_STEP_OVERRIDE, "no override is set");
	return say(d, WEIR_STEP_OVERRIDE, d->policy->override, WEIR_REASON_NONE, "an override answers every check");
}

/* 2 peer: the peer may not ask at all, or is always told one colour */
static bool step_peer(struct decision *d)
{
	if (d->terms->peer == WEIR_DO_CONTINUE)
		return pass(d, WEIR_STEP_PEER, "the peer may ask");
	if (d->terms->peer == WEIR_DO_REFUSE)
		return say_as(d, WEIR_STEP_PEER, WEIR_DO_REFUSE, WEIR_TALLY_SHED, WEIR_REASON_NONE,
			      "the peer may not ask");
	return say(d, WEIR_STEP_PEER, d->terms->peer, WEIR_REASON_NONE, "the peer is always told one colour");
}

/* 3 identity: unreadable, all-zero, repeated, counting and test identities */
static bool step_identity(struct decision *d)
{
	enum weir_action action;

	if (has_no_imei(d->query))
		return pass(d, WEIR_STEP_IDENTITY, "the identity is no IMEI: no list can hold it");
	if (d->query->fault)
		return say_as(d, WEIR_STEP_IDENTITY, d->terms->malformed, WEIR_TALLY_MALFORMED, WEIR_REASON_NONE,
			      "the identity cannot be read");
	action = d->policy->special[imei_classify(&d->query->imei)];
	if (action == WEIR_DO_CONTINUE)
		return pass(d, WEIR_STEP_IDENTITY, "the identity is readable and has no rule of its own");
	if (action == WEIR_DO_REFUSE)
		return say_as(d, WEIR_STEP_IDENTITY, action, WEIR_TALLY_MALFORMED, WEIR_REASON_NONE,
			      "identities of this kind are refused");
	return say(d, WEIR_STEP_IDENTITY, action, WEIR_REASON_NONE, "identities of this kind have a rule");
}

/* 4 imsi: the longest matching IMSI prefix rule: a fixed colour, or its own mode and default for steps 10 and 11 */
static bool step_imsi(struct decision *d)
{
	const struct weir_imsi_rule *rule = policy_imsi_rule(d->policy, d->query->imsi);

	if (!rule)
		return pass(d, WEIR_STEP_IMSI, "no rule for this IMSI");
	if (rule->action == WEIR_DO_REFUSE)
		return say_as(d, WEIR_STEP_IMSI, WEIR_DO_REFUSE, WEIR_TALLY_SHED, WEIR_REASON_NONE,
			      "checks of this IMSI prefix are refused");
	if (rule->action != WEIR_DO_CONTINUE)
		return say(d, WEIR_STEP_IMSI, rule->action, WEIR_REASON_NONE, "this IMSI prefix is told one colour");
	d->restrictive = action_inherit(rule->restrictive, d->restrictive);
	d->unknown = action_inherit(rule->unknown, d->unknown);
	return pass(d, WEIR_STEP_IMSI, "this IMSI prefix may have a mode and default of its own");
}

/* 5 store: the store could not answer: allow, deny or refuse, as configured; counted as failed, never silence */
static bool step_store(struct decision *d)
{
	if (d->facts && !d->facts->failed)
		return pass(d, WEIR_STEP_STORE, "the register answered");
	return say_as(d, WEIR_STEP_STORE, d->terms->store_failure, WEIR_TALLY_FAILED, WEIR_REASON_NONE,
		      "the register could not answer");
}

/* 6 pair: deny beats allow; a subscriber fixed to other devices is black, unless an allow pair names this one; at home
 * is no verdict of its own */
static bool step_pair(struct decision *d)
{
	const struct weir_facts *facts = d->facts;

	if (facts->pair == WEIR_PAIR_DENY)
		return say(d, WEIR_STEP_PAIR, WEIR_DO_BLACK, facts->pair_reason,
			   "this device is denied to this subscriber");
	if (facts->pair == WEIR_PAIR_ALLOW)
		return say(d, WEIR_STEP_PAIR, WEIR_DO_WHITE, facts->pair_reason,
			   "this device is allowed to this subscriber");
	if (facts->sim == WEIR_SIM_ELSEWHERE)
		return say(d, WEIR_STEP_PAIR, WEIR_DO_BLACK, facts->pair_reason,
			   "this subscriber is fixed to other devices");
	if (facts->sim == WEIR_SIM_AT_HOME)
		return pass(d, WEIR_STEP_PAIR, "this subscriber is fixed to this device: the lists decide");
	return pass(d, WEIR_STEP_PAIR, "no rule for this pair");
}

#define ON_ANY (WEIR_ON(WEIR_WHITE) | WEIR_ON(WEIR_GREY) | WEIR_ON(WEIR_BLACK))

/* The steps 7 to 10 of one level: silent, or on one list (decides there), or on several (decides in 10). */
static bool level_decides(struct decision *d, enum weir_step step, const struct weir_listing *level)
{
	const uint8_t lists = level->lists & ON_ANY;
	const enum weir_colour gravest = lists_gravest(lists);

	if (!lists)
		return pass(d, step, "not listed here");
	if (lists == WEIR_ON(gravest))
		return say(d, step, (enum weir_action)gravest, level->reason, "listed here");
	pass(d, step, "listed here on several lists");
	return say(d, WEIR_STEP_OVERLAP, (enum weir_action)gravest, level->reason,
		   "on several lists: black over grey over white");
}

/* 7 svn: this device with this software version is listed.  It is the same device as in step 8, only named more
 * closely: a version may make it graver, and is lifted from nothing that the device itself is on. */
static bool step_svn(struct decision *d)
{
	const struct weir_listing *svn = &d->facts->svn, *device = &d->facts->device;
	const enum weir_colour graver = lists_gravest(device->lists & ON_ANY);

	if (!(svn->lists & ON_ANY) || !(device->lists & ON_ANY) || graver <= lists_gravest(svn->lists & ON_ANY))
		return level_decides(d, WEIR_STEP_SVN, svn);
	pass(d, WEIR_STEP_SVN, "this version is listed, the device more gravely");
	return say(d, WEIR_STEP_OVERLAP, (enum weir_action)graver, device->reason,
		   "on several lists: black over grey over white");
}

/* 8 device: this device is listed */
static bool step_device(struct decision *d)
{
	return level_decides(d, WEIR_STEP_DEVICE, &d->facts->device);
}

/* 9 range: the narrowest range or TAC that holds the device is listed */
static bool step_range(struct decision *d)
{
	return level_decides(d, WEIR_STEP_RANGE, &d->facts->range);
}

/* 10 overlap: the level that spoke is on several lists: black over grey over white (in level_decides).  In restrictive
 * mode, a device that no level has on the white list gets the mode's colour.  A level that spoke has decided by now,
 * and grey and black stay what they are: here the device is on no list at all. */
static bool step_overlap(struct decision *d)
{
	if (d->restrictive == WEIR_DO_CONTINUE)
		return pass(d, WEIR_STEP_OVERLAP, "nothing overlaps, and the mode is permissive");
	return say(d, WEIR_STEP_OVERLAP, d->restrictive, WEIR_REASON_NOT_REGISTERED,
		   "the mode is restrictive and the device is not on the white list");
}

/* 11 default: on no list: unknown, or the colour configured for the interface or the peer */
static bool step_default(struct decision *d)
{
	return say(d, WEIR_STEP_DEFAULT, d->unknown, WEIR_REASON_NONE, "on no list");
}

static void decision_init(struct decision *d, const struct weir_policy *policy, const struct weir_query *query)
{
	unsigned terms = query->terms;

	if (terms >= policy->n_terms)
		terms = (unsigned)query->interface < WEIR_N_INTERFACES ? query->interface : TERMS_OF_NOBODY;
	d->policy = policy;
	d->query = query;
	d->terms = &policy->terms[terms];
	d->restrictive = d->terms->restrictive;
	d->unknown = d->terms->unknown;
}

static bool steps_before_the_store(struct decision *d)
{
	return step_override(d) || step_peer(d) || step_identity(d) || step_imsi(d);
}

bool policy_needs_no_facts(const struct weir_policy *policy, const struct weir_query *query)
{
	struct weir_verdict verdict;
	struct decision d = {.verdict = &verdict};

	decision_init(&d, policy, query);
	return has_no_imei(query) || steps_before_the_store(&d);
}

static bool steps_of_the_store(struct decision *d)
{
	return step_store(d) || step_pair(d) || step_svn(d) || step_device(d) || step_range(d);
}

void policy_decide(const struct weir_policy *policy, const struct weir_query *query, const struct weir_facts *facts,
		   struct weir_verdict *verdict, struct weir_trace *trace)
{
	struct decision d = {.facts = has_no_imei(query) ? NULL : facts, .verdict = verdict, .trace = trace};

	if (trace)
		trace->n = 0;
	decision_init(&d, policy, query);
	(void)(steps_before_the_store(&d) || (!has_no_imei(query) && steps_of_the_store(&d)) || step_overlap(&d) ||
	       step_default(&d));
}
