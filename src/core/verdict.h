/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The words of a decision: colour, reason, the step that decided, and what the register knows.
 *
 * Each list below exists once: names for logs, metrics, VTY, API and files come from the tables in verdict.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/digits.h"
#include "core/imei.h"

/* TS 22.016: white may be used, grey is tracked, black is refused.  Unknown: on no list. */
enum weir_colour {
	WEIR_WHITE = 0,
	WEIR_GREY,
	WEIR_BLACK,
	WEIR_UNKNOWN,
	WEIR_N_COLOURS
};

/* The lists a device is on, as bits: it may be on several (several sources). */
#define WEIR_ON(colour) ((uint8_t)(1u << (colour)))
#define WEIR_ON_NONE 0u

/* Why a device is listed.  Numbers are stored: never renumber. */
enum weir_reason {
	WEIR_REASON_NONE = 0,
	WEIR_REASON_STOLEN = 1,
	WEIR_REASON_LOST = 2,
	WEIR_REASON_FRAUD = 3,             /* fraudulently obtained */
	WEIR_REASON_DUPLICATE = 4,
	WEIR_REASON_COUNTERFEIT = 5,       /* or TAC not allocated */
	WEIR_REASON_NOT_TYPE_APPROVED = 6,
	WEIR_REASON_NOT_REGISTERED = 7,
	WEIR_REASON_FAULTY = 8,
	WEIR_REASON_ADMINISTRATIVE = 9,
	WEIR_REASON_TEST = 10,
	WEIR_REASON_REGISTERED = 11,       /* on a white list because somebody registered it */
	WEIR_REASON_OTHER = 12,
	WEIR_N_REASONS
};

/* The numbered steps of core/policy.h, in order.  Numbers appear in logs and answers: never renumber. */
enum weir_step {
	WEIR_STEP_NONE = 0,
	WEIR_STEP_OVERRIDE = 1,
	WEIR_STEP_PEER = 2,
	WEIR_STEP_IDENTITY = 3,
	WEIR_STEP_IMSI = 4,
	WEIR_STEP_STORE = 5,
	WEIR_STEP_PAIR = 6,
	WEIR_STEP_SVN = 7,
	WEIR_STEP_DEVICE = 8,
	WEIR_STEP_RANGE = 9,
	WEIR_STEP_OVERLAP = 10,
	WEIR_STEP_DEFAULT = 11,
	WEIR_N_STEPS
};

/* Where a check is counted.  Every check received is counted in exactly one:
 * received = white + grey + black + unknown + malformed + shed + failed. */
enum weir_tally {
	WEIR_TALLY_WHITE = 0, /* the first four equal the colours */
	WEIR_TALLY_GREY,
	WEIR_TALLY_BLACK,
	WEIR_TALLY_UNKNOWN,
	WEIR_TALLY_MALFORMED, /* the identity could not be read */
	WEIR_TALLY_SHED,      /* not decided: the peer may not ask, or asks too much */
	WEIR_TALLY_FAILED,    /* the store could not say; answered by policy */
	WEIR_N_TALLIES
};

/* What the interface shall do.  What each means on the wire is a table of the interface's own. */
enum weir_answer {
	WEIR_ANSWER_COLOUR = 0, /* tell the colour */
	WEIR_ANSWER_REFUSE,     /* the protocol's own error: malformed, not allowed, or failure by configuration */
};

struct weir_verdict {
	enum weir_colour colour;
	enum weir_answer answer;
	enum weir_reason reason;
	enum weir_step step;
	enum weir_tally tally;
	uint64_t serial; /* of the register that was asked; 0 where it was not */
};

/* One level of the register's knowledge: on which lists, and why on the gravest of them. */
struct weir_listing {
	uint8_t lists;  /* WEIR_ON(...) bits; WEIR_ON_NONE: not listed at this level */
	uint16_t reason;
};

enum weir_pair_rule {
	WEIR_PAIR_NONE = 0,
	WEIR_PAIR_ALLOW = 1, /* this device with this subscriber: white, whatever the lists say */
	WEIR_PAIR_DENY = 2,  /* this device with this subscriber: black */
	WEIR_PAIR_FIXED = 3, /* this subscriber in this device only ("fixed SIM") */
	WEIR_N_PAIR_RULES
};

/* Is the subscriber bound to devices, and is this one of them? */
enum weir_sim {
	WEIR_SIM_FREE = 0,  /* no fixed pair for this IMSI */
	WEIR_SIM_AT_HOME,   /* fixed, and to this device */
	WEIR_SIM_ELSEWHERE, /* fixed, but to other devices */
};

/* What the register knows of one query in one snapshot. */
struct weir_facts {
	bool failed;                /* the store could not answer; nothing below is known */
	uint64_t serial;            /* of the snapshot */
	struct weir_listing svn;    /* this device with this software version */
	struct weir_listing device; /* this device, any version */
	struct weir_listing range;  /* the narrowest range or TAC that holds it */
	enum weir_pair_rule pair;   /* ALLOW, DENY or NONE */
	uint16_t pair_reason;
	enum weir_sim sim;
};

/* A core's question, decoded. */
enum weir_interface {
	WEIR_IF_GSUP = 0,
	WEIR_IF_S13,
	WEIR_IF_N5G,
	WEIR_IF_MAP,
	WEIR_N_INTERFACES
};

struct weir_query {
	struct weir_imei imei;
	struct weir_imsi imsi;      /* none where the core sent none */
	enum weir_imei_fault fault; /* not OK: imei is meaningless */
	enum weir_interface interface;
	uint16_t terms;             /* of the peer: index into the policy's terms (policy_terms) */
};

/* Words.  x_name gives the configuration and API word ("black", "not-type-approved", "range", "gsup", "allow");
 * x_from_name the value or -1.  Unknown values print as "?". */
const char *colour_name(enum weir_colour colour);
int colour_from_name(const char *name);
const char *reason_name(unsigned reason);
int reason_from_name(const char *name);
const char *step_name(enum weir_step step);
const char *tally_name(enum weir_tally tally);
const char *interface_name(enum weir_interface interface);
int interface_from_name(const char *name);
const char *pair_rule_name(enum weir_pair_rule rule);
int pair_rule_from_name(const char *name);

/* The gravest colour of a set of lists: black, then grey, then white; WEIR_UNKNOWN for none. */
enum weir_colour lists_gravest(uint8_t lists);
/* "white+black"; "none". */
const char *lists_print(char buf[static 24], uint8_t lists);
