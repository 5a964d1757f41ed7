/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The decision, a row per step and sub-case. */
#include "core/policy.h"

#include "core/why.h"

#include "policy_rows.h"

#define DEVICE	   UINT64_C(35209900176148)
#define SUBSCRIBER UINT64_C(1001010000000001) /* 001010000000001 */
#define SERIAL	   77

struct row {
	const char *rule;
	struct setting set[4];
	struct weir_imsi_rule imsi_rules[4];
	struct weir_peer_rule peer_rules[4];
	const char *peer; /* "msc-1" where not given */
	enum weir_interface interface;
	uint64_t imei; /* DEVICE where 0, unless zero_imei */
	bool zero_imei, no_imsi;
	uint64_t imsi;
	enum weir_imei_fault fault;
	struct weir_facts facts; /* serial is SERIAL */
	struct weir_verdict is;
};

#define COLOUR(of_step, of_colour, ...)                                                                                \
	{                                                                                                              \
		.step = WEIR_STEP_##of_step, .colour = WEIR_##of_colour, .tally = WEIR_TALLY_##of_colour,              \
		.serial = WEIR_STEP_##of_step >= WEIR_STEP_STORE ? SERIAL : 0, __VA_ARGS__                             \
	}
#define UNASKED(of_step, of_colour, ...) /* the register was not asked */                                              \
	{                                                                                                              \
		.step = WEIR_STEP_##of_step, .colour = WEIR_##of_colour, .tally = WEIR_TALLY_##of_colour, __VA_ARGS__  \
	}
#define COUNTED(of_step, of_colour, of_tally)                                                                          \
	{                                                                                                              \
		.step = WEIR_STEP_##of_step, .colour = WEIR_##of_colour, .tally = WEIR_TALLY_##of_tally,               \
		.serial = WEIR_STEP_##of_step >= WEIR_STEP_STORE ? SERIAL : 0                                          \
	}
#define REFUSED(of_step, of_tally)                                                                                     \
	{                                                                                                              \
		.step = WEIR_STEP_##of_step, .colour = WEIR_UNKNOWN, .answer = WEIR_ANSWER_REFUSE,                     \
		.tally = WEIR_TALLY_##of_tally, .serial = WEIR_STEP_##of_step >= WEIR_STEP_STORE ? SERIAL : 0          \
	}

#define W WEIR_ON(WEIR_WHITE)
#define G WEIR_ON(WEIR_GREY)
#define B WEIR_ON(WEIR_BLACK)
#define OPEN                                                                                                           \
	{                                                                                                              \
		WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT                    \
	}
#define STOLEN WEIR_REASON_STOLEN
#define ALWAYS(action)                                                                                                 \
	{                                                                                                              \
		action, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT                             \
	}
#define TOLD(prefix, action)                                                                                           \
	{                                                                                                              \
		{prefix}, action, WEIR_DO_INHERIT, WEIR_DO_INHERIT                                                     \
	}

static const struct row rows[] = {
	/* 1 override */
	{"override white beats a device on black",
	 {SET(override, WEIR_DO_WHITE)},
	 .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(OVERRIDE, WHITE)},
	{"override black beats a pair allow",
	 {SET(override, WEIR_DO_BLACK)},
	 .facts = {.pair = WEIR_PAIR_ALLOW},
	 .is = COLOUR(OVERRIDE, BLACK)},
	{"override grey beats a peer that may not ask",
	 {SET(override, WEIR_DO_GREY), SET(defaults.peer, WEIR_DO_REFUSE)},
	 .is = COLOUR(OVERRIDE, GREY)},
	{"override unknown beats a failed store",
	 {SET(override, WEIR_DO_UNKNOWN)},
	 .facts = {.failed = true},
	 .is = COLOUR(OVERRIDE, UNKNOWN)},
	{"override answers an unreadable identity, counted as malformed",
	 {SET(override, WEIR_DO_WHITE)},
	 .fault = WEIR_IMEI_SHORT,
	 .is = COUNTED(OVERRIDE, WHITE, MALFORMED)},

	/* 2 peer */
	{"a peer that may not ask is refused and shed",
	 {SET(defaults.peer, WEIR_DO_REFUSE)},
	 .facts = {.device = {W, 0}},
	 .is = REFUSED(PEER, SHED)},
	{"a peer that may not ask is shed even with an unreadable identity",
	 {SET(defaults.peer, WEIR_DO_REFUSE)},
	 .fault = WEIR_IMEI_LETTER,
	 .is = REFUSED(PEER, SHED)},
	{"a peer that may not ask is shed while the store fails",
	 {SET(defaults.peer, WEIR_DO_REFUSE)},
	 .facts = {.failed = true},
	 .is = REFUSED(PEER, SHED)},
	{"a peer that is always told grey",
	 {SET(defaults.peer, WEIR_DO_GREY)},
	 .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(PEER, GREY)},
	{"a peer that is always told white with an unreadable identity counts as malformed",
	 {SET(defaults.peer, WEIR_DO_WHITE)},
	 .fault = WEIR_IMEI_EMPTY,
	 .is = COUNTED(PEER, WHITE, MALFORMED)},
	{"a peer's colour beats a special identity",
	 {SET(defaults.peer, WEIR_DO_WHITE), SET(special[WEIR_IMEI_ZERO], WEIR_DO_BLACK)},
	 .zero_imei = true,
	 .is = COLOUR(PEER, WHITE)},
	{"an interface's rule for its peers",
	 {SET(interface[WEIR_IF_S13].peer, WEIR_DO_REFUSE)},
	 .interface = WEIR_IF_S13,
	 .is = REFUSED(PEER, SHED)},
	{"an interface's rule is not for other interfaces",
	 {SET(interface[WEIR_IF_S13].peer, WEIR_DO_REFUSE)},
	 .interface = WEIR_IF_GSUP,
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"a peer's rule beats its interface's",
	 {SET(interface[WEIR_IF_GSUP].peer, WEIR_DO_REFUSE)},
	 .peer_rules = {{"msc-1", WEIR_IF_GSUP, ALWAYS(WEIR_DO_CONTINUE)}},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"what a peer's rule leaves open comes from the interface",
	 {SET(interface[WEIR_IF_GSUP].unknown, WEIR_DO_GREY), SET(defaults.unknown, WEIR_DO_BLACK)},
	 .peer_rules = {{"msc-1", WEIR_IF_GSUP, OPEN}},
	 .is = COLOUR(DEFAULT, GREY)},
	{"what the interface leaves open comes from the defaults",
	 {SET(defaults.unknown, WEIR_DO_BLACK)},
	 .peer_rules = {{"msc-1", WEIR_IF_GSUP, OPEN}},
	 .is = COLOUR(DEFAULT, BLACK)},
	{"what the defaults leave open is built in",
	 {SET(defaults.unknown, WEIR_DO_INHERIT), SET(defaults.store_failure, WEIR_DO_INHERIT)},
	 .facts = {.failed = true},
	 .is = COUNTED(STORE, WHITE, FAILED)},
	{"an exact peer name beats a prefix",
	 .peer_rules = {{"msc-*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_BLACK)},
			{"msc-1", WEIR_IF_GSUP, ALWAYS(WEIR_DO_WHITE)},
			{"msc-1*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_GREY)}},
	 .is = COLOUR(PEER, WHITE)},
	{"a longer prefix beats a shorter one",
	 .peer_rules = {{"msc-1*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_GREY)},
			{"*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_BLACK)},
			{"msc-*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_WHITE)}},
	 .peer = "msc-12", .is = COLOUR(PEER, GREY)},
	{"a star is everybody", .peer_rules = {{"*", WEIR_IF_GSUP, ALWAYS(WEIR_DO_GREY)}}, .peer = "sgsn",
	 .is = COLOUR(PEER, GREY)},
	{"a name without a star is no prefix", .peer_rules = {{"msc", WEIR_IF_GSUP, ALWAYS(WEIR_DO_BLACK)}},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"the same name on another interface is another peer",
	 .peer_rules = {{"msc-1", WEIR_IF_MAP, ALWAYS(WEIR_DO_BLACK)}}, .is = COLOUR(DEFAULT, UNKNOWN)},

	/* 3 identity */
	{"an unreadable identity is refused and counted as malformed", .fault = WEIR_IMEI_SHORT,
	 .facts = {.device = {W, 0}}, .is = REFUSED(IDENTITY, MALFORMED)},
	{"an unreadable identity told white counts as malformed",
	 {SET(defaults.malformed, WEIR_DO_WHITE)},
	 .fault = WEIR_IMEI_LETTER,
	 .is = COUNTED(IDENTITY, WHITE, MALFORMED)},
	{"an unreadable identity told black counts as malformed",
	 {SET(defaults.malformed, WEIR_DO_BLACK)},
	 .fault = WEIR_IMEI_LETTER,
	 .is = COUNTED(IDENTITY, BLACK, MALFORMED)},
	{"an unreadable identity is malformed while the store fails", .fault = WEIR_IMEI_LONG,
	 .facts = {.failed = true}, .is = REFUSED(IDENTITY, MALFORMED)},
	{"an unreadable identity beats the IMSI's rule", .fault = WEIR_IMEI_LONG,
	 .imsi_rules = {TOLD(1001, WEIR_DO_WHITE)}, .is = REFUSED(IDENTITY, MALFORMED)},
	{"an unreadable identity is not taken for the all-zero one",
	 {SET(special[WEIR_IMEI_ZERO], WEIR_DO_WHITE)},
	 .zero_imei = true,
	 .fault = WEIR_IMEI_EMPTY,
	 .is = REFUSED(IDENTITY, MALFORMED)},
	{"a device without an IMEI is on no list", .fault = WEIR_IMEI_SCHEME, .facts = {.device = {B, STOLEN}},
	 .is = UNASKED(DEFAULT, UNKNOWN)},
	{"a device without an IMEI needs no store", .fault = WEIR_IMEI_SCHEME, .facts = {.failed = true},
	 .is = UNASKED(DEFAULT, UNKNOWN)},
	{"a device without an IMEI is told the default",
	 {SET(defaults.unknown, WEIR_DO_WHITE), SET(defaults.malformed, WEIR_DO_BLACK)},
	 .fault = WEIR_IMEI_SCHEME,
	 .is = UNASKED(DEFAULT, WHITE)},
	{"a device without an IMEI is on no white list either",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .fault = WEIR_IMEI_SCHEME,
	 .is = UNASKED(OVERLAP, BLACK, .reason = WEIR_REASON_NOT_REGISTERED)},
	{"a device without an IMEI is not taken for the all-zero one",
	 {SET(special[WEIR_IMEI_ZERO], WEIR_DO_BLACK)},
	 .zero_imei = true,
	 .fault = WEIR_IMEI_SCHEME,
	 .is = UNASKED(DEFAULT, UNKNOWN)},
	{"an IMSI's rule holds for a device without an IMEI", .fault = WEIR_IMEI_SCHEME,
	 .imsi_rules = {TOLD(1001, WEIR_DO_GREY)}, .is = COLOUR(IMSI, GREY)},
	{"special identities are ordinary by default", .zero_imei = true, .is = COLOUR(DEFAULT, UNKNOWN)},
	{"all-zero is black where told so",
	 {SET(special[WEIR_IMEI_ZERO], WEIR_DO_BLACK)},
	 .zero_imei = true,
	 .facts = {.pair = WEIR_PAIR_ALLOW},
	 .is = COLOUR(IDENTITY, BLACK)},
	{"repeated is grey where told so",
	 {SET(special[WEIR_IMEI_REPEATED], WEIR_DO_GREY)},
	 .imei = UINT64_C(11111111111111),
	 .is = COLOUR(IDENTITY, GREY)},
	{"counting is unknown where told so",
	 {SET(special[WEIR_IMEI_COUNTING], WEIR_DO_UNKNOWN)},
	 .imei = UINT64_C(12345678901234),
	 .is = COLOUR(IDENTITY, UNKNOWN)},
	{"test equipment is white where told so",
	 {SET(special[WEIR_IMEI_TEST], WEIR_DO_WHITE)},
	 .imei = UINT64_C(101234567890),
	 .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(IDENTITY, WHITE)},
	{"a refused special identity counts as malformed",
	 {SET(special[WEIR_IMEI_ZERO], WEIR_DO_REFUSE)},
	 .zero_imei = true,
	 .is = REFUSED(IDENTITY, MALFORMED)},
	{"an ordinary identity has no rule here",
	 {SET(special[WEIR_IMEI_ORDINARY], WEIR_DO_BLACK)},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"a special identity decides while the store fails",
	 {SET(special[WEIR_IMEI_ZERO], WEIR_DO_BLACK)},
	 .zero_imei = true,
	 .facts = {.failed = true},
	 .is = COLOUR(IDENTITY, BLACK)},

	/* 4 imsi */
	{"an IMSI prefix's colour beats a device on black", .imsi_rules = {TOLD(100101, WEIR_DO_WHITE)},
	 .facts = {.device = {B, STOLEN}}, .is = COLOUR(IMSI, WHITE)},
	{"an IMSI prefix's colour beats a pair", .imsi_rules = {TOLD(100101, WEIR_DO_BLACK)},
	 .facts = {.pair = WEIR_PAIR_ALLOW}, .is = COLOUR(IMSI, BLACK)},
	{"an IMSI prefix's colour decides while the store fails", .imsi_rules = {TOLD(100101, WEIR_DO_GREY)},
	 .facts = {.failed = true}, .is = COLOUR(IMSI, GREY)},
	{"an IMSI prefix that is refused is shed", .imsi_rules = {TOLD(100101, WEIR_DO_REFUSE)},
	 .is = REFUSED(IMSI, SHED)},
	{"the longest IMSI prefix decides",
	 .imsi_rules = {TOLD(1001, WEIR_DO_BLACK), TOLD(100101000, WEIR_DO_WHITE), TOLD(100101, WEIR_DO_GREY)},
	 .is = COLOUR(IMSI, WHITE)},
	{"a prefix beside the longest does not hide a shorter one",
	 .imsi_rules = {TOLD(1001, WEIR_DO_GREY), TOLD(1001009, WEIR_DO_BLACK), TOLD(10010099, WEIR_DO_BLACK)},
	 .is = COLOUR(IMSI, GREY)},
	{"another IMSI prefix says nothing", .imsi_rules = {TOLD(100102, WEIR_DO_BLACK)},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"a prefix longer than the IMSI says nothing", .imsi = 100101, .imsi_rules = {TOLD(1001010, WEIR_DO_BLACK)},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"without an IMSI no prefix matches", .no_imsi = true, .imsi_rules = {TOLD(10, WEIR_DO_BLACK)},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"an IMSI rule that continues may make it restrictive",
	 .imsi_rules = {{{100101}, WEIR_DO_CONTINUE, WEIR_DO_BLACK, WEIR_DO_INHERIT}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_NOT_REGISTERED)},
	{"an IMSI rule that continues may make it permissive",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .imsi_rules = {{{100101}, WEIR_DO_CONTINUE, WEIR_DO_CONTINUE, WEIR_DO_INHERIT}},
	 .is = COLOUR(DEFAULT, UNKNOWN)},
	{"an IMSI rule that continues may change the default",
	 {SET(defaults.unknown, WEIR_DO_BLACK)},
	 .imsi_rules = {{{100101}, WEIR_DO_CONTINUE, WEIR_DO_INHERIT, WEIR_DO_WHITE}},
	 .is = COLOUR(DEFAULT, WHITE)},
	{"an IMSI rule that continues and is open keeps the peer's",
	 {SET(defaults.unknown, WEIR_DO_GREY)},
	 .imsi_rules = {TOLD(100101, WEIR_DO_CONTINUE)},
	 .is = COLOUR(DEFAULT, GREY)},
	{"an IMSI rule that continues leaves listed devices listed",
	 .imsi_rules = {{{100101}, WEIR_DO_CONTINUE, WEIR_DO_INHERIT, WEIR_DO_WHITE}}, .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(DEVICE, BLACK, .reason = STOLEN)},
	{"only the longest IMSI rule counts, even where it is open",
	 {SET(defaults.unknown, WEIR_DO_GREY)},
	 .imsi_rules = {{{1001}, WEIR_DO_CONTINUE, WEIR_DO_INHERIT, WEIR_DO_BLACK}, TOLD(100101, WEIR_DO_CONTINUE)},
	 .is = COLOUR(DEFAULT, GREY)},
	{"an IMSI rule that continues does not hide a failed store",
	 .imsi_rules = {{{100101}, WEIR_DO_CONTINUE, WEIR_DO_INHERIT, WEIR_DO_BLACK}}, .facts = {.failed = true},
	 .is = COUNTED(STORE, WHITE, FAILED)},

	/* 5 store */
	{"a failed store lets through by default, counted as failed", .facts = {.failed = true},
	 .is = COUNTED(STORE, WHITE, FAILED)},
	{"a failed store denies where told so",
	 {SET(defaults.store_failure, WEIR_DO_BLACK)},
	 .facts = {.failed = true},
	 .is = COUNTED(STORE, BLACK, FAILED)},
	{"a failed store says unknown where told so",
	 {SET(defaults.store_failure, WEIR_DO_UNKNOWN)},
	 .facts = {.failed = true},
	 .is = COUNTED(STORE, UNKNOWN, FAILED)},
	{"a failed store refuses where told so",
	 {SET(defaults.store_failure, WEIR_DO_REFUSE)},
	 .facts = {.failed = true},
	 .is = REFUSED(STORE, FAILED)},
	{"nothing else of failed facts is believed",
	 .facts = {.failed = true, .device = {B, STOLEN}, .pair = WEIR_PAIR_DENY}, .is = COUNTED(STORE, WHITE, FAILED)},
	{"a failed store beats the restrictive mode",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .facts = {.failed = true},
	 .is = COUNTED(STORE, WHITE, FAILED)},

	/* 6 pair */
	{"pair allow beats device black",
	 .facts = {.pair = WEIR_PAIR_ALLOW, .pair_reason = WEIR_REASON_REGISTERED, .device = {B, STOLEN}},
	 .is = COLOUR(PAIR, WHITE, .reason = WEIR_REASON_REGISTERED)},
	{"pair allow beats svn, device and range black",
	 .facts = {.pair = WEIR_PAIR_ALLOW, .svn = {B, 1}, .device = {B, 1}, .range = {B, 1}},
	 .is = COLOUR(PAIR, WHITE)},
	{"pair allow beats the restrictive mode",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .facts = {.pair = WEIR_PAIR_ALLOW},
	 .is = COLOUR(PAIR, WHITE)},
	{"pair deny beats device white", .facts = {.pair = WEIR_PAIR_DENY, .pair_reason = STOLEN, .device = {W, 0}},
	 .is = COLOUR(PAIR, BLACK, .reason = STOLEN)},
	{"pair deny beats a SIM at home", .facts = {.pair = WEIR_PAIR_DENY, .sim = WEIR_SIM_AT_HOME},
	 .is = COLOUR(PAIR, BLACK)},
	{"a SIM fixed elsewhere is black", .facts = {.sim = WEIR_SIM_ELSEWHERE, .device = {W, 0}},
	 .is = COLOUR(PAIR, BLACK)},
	{"pair allow beats a SIM fixed elsewhere", .facts = {.pair = WEIR_PAIR_ALLOW, .sim = WEIR_SIM_ELSEWHERE},
	 .is = COLOUR(PAIR, WHITE)},
	{"a SIM at home says nothing of its own", .facts = {.sim = WEIR_SIM_AT_HOME}, .is = COLOUR(DEFAULT, UNKNOWN)},
	{"a SIM at home in a device on black is black", .facts = {.sim = WEIR_SIM_AT_HOME, .device = {B, STOLEN}},
	 .is = COLOUR(DEVICE, BLACK, .reason = STOLEN)},
	{"a SIM at home in restrictive mode must be on white too",
	 {SET(defaults.restrictive, WEIR_DO_GREY)},
	 .facts = {.sim = WEIR_SIM_AT_HOME},
	 .is = COLOUR(OVERLAP, GREY, .reason = WEIR_REASON_NOT_REGISTERED)},

	/* 7 svn */
	{"svn black beats device white", .facts = {.svn = {B, WEIR_REASON_FAULTY}, .device = {W, 0}},
	 .is = COLOUR(SVN, BLACK, .reason = WEIR_REASON_FAULTY)},
	{"device black beats svn white: black over white",
	 .facts = {.svn = {W, 0}, .device = {B, STOLEN}}, .is = COLOUR(OVERLAP, BLACK, .reason = STOLEN)},
	{"device grey beats svn white", .facts = {.svn = {W, 0}, .device = {G, STOLEN}},
	 .is = COLOUR(OVERLAP, GREY, .reason = STOLEN)},
	{"svn grey beats device white", .facts = {.svn = {G, 0}, .device = {W, 1}}, .is = COLOUR(SVN, GREY)},
	{"svn white beats range black", .facts = {.svn = {W, 0}, .range = {B, 1}}, .is = COLOUR(SVN, WHITE)},
	{"svn grey beats range black", .facts = {.svn = {G, 0}, .range = {B, 1}}, .is = COLOUR(SVN, GREY)},

	/* 8 device */
	{"device white beats TAC black",
	 .facts = {.device = {W, WEIR_REASON_REGISTERED}, .range = {B, WEIR_REASON_COUNTERFEIT}},
	 .is = COLOUR(DEVICE, WHITE, .reason = WEIR_REASON_REGISTERED)},
	{"device black beats TAC white", .facts = {.device = {B, STOLEN}, .range = {W, 0}},
	 .is = COLOUR(DEVICE, BLACK, .reason = STOLEN)},
	{"device grey is grey", .facts = {.device = {G, WEIR_REASON_LOST}},
	 .is = COLOUR(DEVICE, GREY, .reason = WEIR_REASON_LOST)},
	{"a reason from a newer keeper is other", .facts = {.device = {B, 999}},
	 .is = COLOUR(DEVICE, BLACK, .reason = WEIR_REASON_OTHER)},
	{"bits that are no list do not count", .facts = {.device = {0xf8, STOLEN}}, .is = COLOUR(DEFAULT, UNKNOWN)},
	{"a device is found without an IMSI", .no_imsi = true, .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(DEVICE, BLACK, .reason = STOLEN)},

	/* 9 range */
	{"range white is white", .facts = {.range = {W, 0}}, .is = COLOUR(RANGE, WHITE)},
	{"range black is black", .facts = {.range = {B, WEIR_REASON_NOT_TYPE_APPROVED}},
	 .is = COLOUR(RANGE, BLACK, .reason = WEIR_REASON_NOT_TYPE_APPROVED)},
	{"range grey beats the default",
	 {SET(defaults.unknown, WEIR_DO_BLACK)},
	 .facts = {.range = {G, 0}},
	 .is = COLOUR(RANGE, GREY)},

	/* 10 overlap */
	{"a device on white and black is black", .facts = {.device = {W | B, STOLEN}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = STOLEN)},
	{"a device on white and grey is grey", .facts = {.device = {W | G, WEIR_REASON_LOST}},
	 .is = COLOUR(OVERLAP, GREY, .reason = WEIR_REASON_LOST)},
	{"a device on grey and black is black", .facts = {.device = {G | B, STOLEN}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = STOLEN)},
	{"a device on all three is black", .facts = {.device = {W | G | B, STOLEN}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = STOLEN)},
	{"an svn on white and black is black, whatever the device", .facts = {.svn = {W | B, 8}, .device = {W, 0}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_FAULTY)},
	{"a range on white and black is black", .facts = {.range = {W | B, 5}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_COUNTERFEIT)},
	{"levels do not overlap each other: the nearest speaks alone", .facts = {.device = {W | G, 0}, .range = {B, 1}},
	 .is = COLOUR(OVERLAP, GREY)},
	{"restrictive: not on white is black",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_NOT_REGISTERED)},
	{"restrictive: not on white is grey where told so",
	 {SET(defaults.restrictive, WEIR_DO_GREY)},
	 .is = COLOUR(OVERLAP, GREY, .reason = WEIR_REASON_NOT_REGISTERED)},
	{"restrictive: beats the default for unknown",
	 {SET(defaults.restrictive, WEIR_DO_BLACK), SET(defaults.unknown, WEIR_DO_WHITE)},
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_NOT_REGISTERED)},
	{"restrictive: a device on white is white",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .facts = {.device = {W, 0}},
	 .is = COLOUR(DEVICE, WHITE)},
	{"restrictive: a type on white is white",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .facts = {.range = {W, 0}},
	 .is = COLOUR(RANGE, WHITE)},
	{"restrictive: a device on grey stays grey",
	 {SET(defaults.restrictive, WEIR_DO_BLACK)},
	 .facts = {.device = {G, 0}},
	 .is = COLOUR(DEVICE, GREY)},
	{"restrictive: a device on black stays black",
	 {SET(defaults.restrictive, WEIR_DO_GREY)},
	 .facts = {.device = {B, STOLEN}},
	 .is = COLOUR(DEVICE, BLACK, .reason = STOLEN)},
	{"restrictive: a device on grey and black is black",
	 {SET(defaults.restrictive, WEIR_DO_GREY)},
	 .facts = {.device = {G | B, STOLEN}},
	 .is = COLOUR(OVERLAP, BLACK, .reason = STOLEN)},
	{"restrictive: for one interface only",
	 {SET(interface[WEIR_IF_MAP].restrictive, WEIR_DO_BLACK)},
	 .interface = WEIR_IF_MAP,
	 .is = COLOUR(OVERLAP, BLACK, .reason = WEIR_REASON_NOT_REGISTERED)},

	/* 5 again: MMEs and AMFs know an explicit failure, and have a policy of their own for it */
	{"s13 is told a failure", .interface = WEIR_IF_S13, .facts = {.failed = true}, .is = REFUSED(STORE, FAILED)},
	{"n5g is told a failure", .interface = WEIR_IF_N5G, .facts = {.failed = true}, .is = REFUSED(STORE, FAILED)},
	{"s13 is told white where told so",
	 {SET(interface[WEIR_IF_S13].store_failure, WEIR_DO_WHITE)},
	 .interface = WEIR_IF_S13,
	 .facts = {.failed = true},
	 .is = COUNTED(STORE, WHITE, FAILED)},

	/* 11 default */
	{"on no list is unknown", .is = COLOUR(DEFAULT, UNKNOWN)},
	{"on no list is white where told so", {SET(defaults.unknown, WEIR_DO_WHITE)}, .is = COLOUR(DEFAULT, WHITE)},
	{"on no list is grey for one interface",
	 {SET(interface[WEIR_IF_GSUP].unknown, WEIR_DO_GREY)},
	 .is = COLOUR(DEFAULT, GREY)},
	{"on no list is black for one peer",
	 .peer_rules = {{"msc-1",
			 WEIR_IF_GSUP,
			 {WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_BLACK}}},
	 .is = COLOUR(DEFAULT, BLACK)},
};

static void draft_of_row(const struct row *row, struct weir_policy_draft *draft)
{
	policy_draft_init(draft);
	for (unsigned i = 0; i < N_ROWS(row->set) && row->set[i].is_set; i++)
		set_in_draft(draft, &row->set[i]);
	draft->imsi_rules = row->imsi_rules;
	while (draft->n_imsi_rules < N_ROWS(row->imsi_rules) && row->imsi_rules[draft->n_imsi_rules].prefix.packed)
		draft->n_imsi_rules++;
	draft->peer_rules = row->peer_rules;
	while (draft->n_peer_rules < N_ROWS(row->peer_rules) && row->peer_rules[draft->n_peer_rules].name[0])
		draft->n_peer_rules++;
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct weir_policy_draft draft;
	struct weir_policy *policy;
	struct weir_why why = {""};
	struct weir_facts facts = row->facts;
	struct weir_verdict verdict;
	struct weir_query query = {
		.imei = {.key = row->imei || row->zero_imei ? row->imei : DEVICE, .svn = WEIR_NO_SVN},
		.imsi = {row->no_imsi ? 0
			 : row->imsi  ? row->imsi
				      : SUBSCRIBER},
		.fault = row->fault,
		.interface = row->interface,
	};

	draft_of_row(row, &draft);
	policy = policy_alloc(&draft, &why);
	assert_string_equal(why.text, "");
	assert_non_null(policy);
	query.terms = policy_terms(policy, row->interface, row->peer ? row->peer : "msc-1");
	facts.serial = SERIAL;
	policy_decide(policy, &query, &facts, &verdict, NULL);
	assert_same_verdict(&verdict, &row->is);
	assert_int_equal(policy_needs_no_facts(policy, &query),
			 verdict.step < WEIR_STEP_STORE || query.fault == WEIR_IMEI_SCHEME);
	policy_free(policy);
}

int main(void)
{
	struct CMUnitTest tests[N_ROWS(rows)];

	for (unsigned i = 0; i < N_ROWS(rows); i++)
		tests[i] = ROW_TEST(rows[i].rule, test_row, &rows[i]);
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
