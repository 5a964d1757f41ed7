/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* `explain`: how a check would be answered, step by step, and what would go over the wire.  Reads; nothing is counted.
 *
 * It prints identities in clear: whoever asks has typed them. */
#include "gate/vty.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/utils.h>
#include <osmocom/vty/vty.h>

#include "gate/gate.h"
#include "gate/gsup.h"
#include "gate/n5g.h"
#include "gate/peers.h"
#include "gate/s13.h"
#include "register/register.h"

#define OUT(fmt, args...) vty_out(vty, fmt "%s", ##args, VTY_NEWLINE)

struct question {
	struct weir_query query;
	struct weir_imei_reading reading;
	char peer[WEIR_PEER_TEXT]; /* "": any */
	int interface;             /* -1: each that there is */
};

/* The interfaces that there are, and what each says for a verdict. */
static const struct {
	enum weir_interface interface;
	const char *(*words)(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict);
} spoken[] = {
	{WEIR_IF_GSUP, gsup_words},
	{WEIR_IF_S13, s13_words},
	{WEIR_IF_N5G, n5g_words},
};

/* "imsi X", "peer Y", "interface Z" in any order. */
static int read_option(struct vty *vty, struct question *q, const char *word, const char *value)
{
	if (!strcmp(word, "imsi")) {
		if (imsi_from_text(value, strlen(value), &q->query.imsi) == 0)
			return CMD_SUCCESS;
		OUT("%% '%.20s' is no IMSI; 5 to 15 digits are needed", value);
	} else if (!strcmp(word, "peer")) {
		snprintf(q->peer, sizeof(q->peer), "%s", value);
		return CMD_SUCCESS;
	} else if (!strcmp(word, "interface")) {
		q->interface = interface_from_name(value);
		if (q->interface >= 0)
			return CMD_SUCCESS;
		OUT("%% '%.20s' is no interface; gsup, s13, n5g or map is", value);
	} else {
		OUT("%% '%.20s' is not known here; imsi IMSI, peer NAME and interface NAME are", word);
	}
	return CMD_WARNING;
}

static void print_listing(struct vty *vty, const char *level, const struct weir_listing *listing)
{
	char lists[24];

	if (listing->lists == WEIR_ON_NONE)
		OUT("  %-8s not listed", level);
	else
		OUT("  %-8s %s, %s", level, lists_print(lists, listing->lists), reason_name(listing->reason));
}

static const char *const sim_texts[] = {
	[WEIR_SIM_FREE] = "free",
	[WEIR_SIM_AT_HOME] = "fixed to this device",
	[WEIR_SIM_ELSEWHERE] = "fixed to other devices",
};

static void print_facts(struct vty *vty, const struct weir_facts *f)
{
	if (f->failed) {
		OUT("facts: the register could not say");
		return;
	}
	OUT("facts at serial %" PRIu64, f->serial);
	print_listing(vty, "svn", &f->svn);
	print_listing(vty, "device", &f->device);
	print_listing(vty, "range", &f->range);
	OUT("  %-8s %s%s%s", "pair", pair_rule_name(f->pair), f->pair ? ", " : "",
	    f->pair ? reason_name(f->pair_reason) : "");
	OUT("  %-8s %s", "sim", sim_texts[f->sim]);
}

static void print_decision(struct vty *vty, const struct weir_verdict *v, const struct weir_trace *t)
{
	for (unsigned i = 0; i < t->n; i++)
		OUT("  %2u %-9s %s %s", t->line[i].step, step_name(t->line[i].step), t->line[i].decided ? "->" : "  ",
		    t->line[i].text);
	OUT("verdict: %s, decided by step %u %s, reason %s, counted as %s",
	    v->answer == WEIR_ANSWER_REFUSE ? "refused" : colour_name(v->colour), v->step, step_name(v->step),
	    reason_name(v->reason), tally_name(v->tally));
}

static void print_question(struct vty *vty, const struct question *q)
{
	char imei[WEIR_IMEI_TEXT], imsi[WEIR_DIGITS_TEXT];

	if (q->query.fault)
		OUT("imei %s", imei_fault_text(q->query.fault));
	else if (q->query.imei.svn == WEIR_NO_SVN)
		OUT("imei %s", imei_print_checked(imei, q->query.imei.key));
	else
		OUT("imei %s, software version %02d", imei_print_checked(imei, q->query.imei.key), q->query.imei.svn);
	OUT("imsi %s, peer %s", q->query.imsi.packed ? imsi_print(imsi, q->query.imsi) : "none",
	    *q->peer ? q->peer : "any");
}

/* As this interface is asked and answers. */
static void explain_one(struct vty *vty, const struct question *q, const struct weir_facts *facts, unsigned i)
{
	const char *name = interface_name(spoken[i].interface);
	struct weir_query query = q->query;
	struct weir_trace trace = {.n = 0};
	struct weir_verdict verdict;
	char peer[WEIR_PEER_TEXT], words[CHECK_WORDS_TEXT];

	snprintf(peer, sizeof(peer), "%s", q->peer);
	if (spoken[i].interface != WEIR_IF_GSUP)
		config_keep_identity(peer);
	query.interface = spoken[i].interface;
	query.terms = policy_terms(the_gate->check.policy, query.interface, peer);
	policy_decide(the_gate->check.policy, &query, facts, &verdict, &trace);
	OUT("interface %s", name);
	print_decision(vty, &verdict, &trace);
	OUT("%s: %s", name, spoken[i].words(words, &verdict));
}

static void explain_all(struct vty *vty, struct question *q)
{
	struct weir_facts facts = {.failed = false};
	unsigned told = 0;

	print_question(vty, q);
	if (!q->query.fault) { /* also where an earlier step decides: who asks wants to see them */
		register_lookup(the_gate->check.reg, &q->query, &facts, 1);
		print_facts(vty, &facts);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(spoken); i++) {
		if (q->interface >= 0 && (enum weir_interface)q->interface != spoken[i].interface)
			continue;
		explain_one(vty, q, &facts, i);
		told++;
	}
	if (!told)
		OUT("%% %s is not spoken by this version", interface_name(q->interface));
}

/* Digits, or a PEI, which begins with a letter. */
static enum weir_imei_fault read_device(const char *text, struct weir_imei_reading *reading)
{
	if (isalpha((unsigned char)*text))
		return imei_from_pei(text, strlen(text), reading);
	return imei_from_text(text, strlen(text), reading);
}

#define EXPLAIN_HELP                                                                                                   \
	"Say how a check would be answered, and why\nA device\n"                                                       \
	"14 to 17 digits, or a PEI: imei-, imeisv-, mac- and so on\n"

DEFUN(explain, explain_cmd, "explain imei IMEI .OPTIONS",
      EXPLAIN_HELP "imsi IMSI, peer NAME, interface (gsup|s13|n5g|map), in any order; all interfaces unless given\n")
{
	struct question q = {.interface = -1};
	int i, rc = CMD_SUCCESS;

	q.query.fault = read_device(argv[0], &q.reading);
	q.query.imei = q.reading.imei;
	for (i = 1; i + 1 < argc && rc == CMD_SUCCESS; i += 2)
		rc = read_option(vty, &q, argv[i], argv[i + 1]);
	if (rc != CMD_SUCCESS)
		return rc;
	if (i < argc) {
		OUT("%% '%.20s' needs a value behind it", argv[i]);
		return CMD_WARNING;
	}
	explain_all(vty, &q);
	return CMD_SUCCESS;
}

ALIAS(explain, explain_plain_cmd, "explain imei IMEI", EXPLAIN_HELP)

void gate_explain_init(void)
{
	install_element_ve(&explain_cmd);
	install_element_ve(&explain_plain_cmd);
}
