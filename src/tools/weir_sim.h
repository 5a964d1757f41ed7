/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weir-sim plays those who ask Weir: one counterpart a file, in the table of weir_sim.c.
 *
 * For the demo, for tests and for an operator who wants to see an answer before he points his core here.  It is a
 * client like any other: it shares Weir's codecs and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/digits.h"
#include "core/imei.h"

/* How a command ended, as exit status. */
enum sim_exit {
	SIM_ANSWERED = 0, /* every question got a verdict, whatever it was */
	SIM_FAILED = 1,   /* no connection, no answer in time, or an answer that is none */
	SIM_USAGE = 2,
};

/* What stands before the command: the same for every counterpart. */
struct sim_options {
	const char *host, *port;
	const char *name;       /* how the counterpart calls itself */
	struct weir_imsi imsi;  /* the subscriber it asks for */
	unsigned digits;        /* how many digits of an IMEI go on the wire; 0: 16 where there is an SVN, else 14 */
	int timeout_ms;         /* for each answer */
	const char *ca, *pair;  /* ask over TLS: PEM files, the authorities and our certificate with its key; or NULL */
};

/* A word behind the options.  run gets the connected counterpart and what stands behind the word: 0, -EINVAL for wrong
 * use (told), or another negative errno. */
struct sim_command {
	const char *name; /* NULL: the end of the table */
	int min, max;     /* arguments */
	int (*run)(void *counterpart, int argc, char **argv);
	const char *needs;           /* the arguments in a sentence */
	const char *arguments, *help; /* for -h */
};
#define SIM_CHECK_HELP "ask for each in turn; the verdict and the time it took"
#define SIM_LOAD_HELP                                                                                                  \
	"COUNT questions for test devices of TAC 00100000, DEPTH of them\n"                                            \
	"under way; rate, median, 99th percentile"

struct sim_counterpart {
	const char *name, *sentence, *port, *called;
	int (*run)(const struct sim_options *options, const struct sim_command *command, int argc, char **argv);
	const struct sim_command *commands;
	bool has_tls;
};

extern const struct sim_counterpart sim_gsup, sim_s13, sim_n5g;

/* --- weir_sim_play.c: what counterparts have in common ---------------------------------------- */

enum sim_exit sim_exit_of(int err);

/* 0, or -EINVAL and a sentence on stderr. */
int sim_read_imei(const char *typed, struct weir_imei_reading *reading);

#define SIM_VERDICT_TEXT 128

/* SIGINT and SIGTERM end listening in order. */
void sim_catch_signals(void);
bool sim_was_ended(void);

#define SIM_VERDICTS_MAX 4
#define SIM_ERRORS_MAX   8
/* What was answered so far.  A word of verdicts is one, any other is an error. */
struct sim_score {
	const char *const *verdicts; /* NULL at the end */
	uint64_t answers, good, n[SIM_VERDICTS_MAX];
	struct sim_error {
		char text[SIM_VERDICT_TEXT];
		uint64_t n;
	} errors[SIM_ERRORS_MAX]; /* the last one has all others too */
	uint32_t *times_us;       /* under load: one a verdict; NULL: every answer is told when it comes */
};
void sim_score_take(struct sim_score *score, const char *asked, const char *verdict, int64_t us);
/* 0, or -EREMOTEIO where an answer was an error. */
int sim_score_result(const struct sim_score *score);

#define SIM_DEPTH_MAX 4096
struct sim_load {
	uint64_t count;
	unsigned depth;
	int64_t began_us;
};
/* Of the two arguments COUNT and DEPTH; the score keeps times from now on: 0, -EINVAL (told), -ENOMEM. */
int sim_load_begin(struct sim_load *load, int argc, char **argv, struct sim_score *score);
/* The device of the n-th question: a test device, a million of them in turn. */
uint64_t sim_load_key(uint64_t n);
/* Rate and percentiles of the verdicts, and how many answers were what.  Sorts the times. */
void sim_load_tell(const struct sim_load *load, struct sim_score *score);

/* --- weir_sim_link.c: a TCP connection that is read in whole frames --------------------------- */

struct sim_link {
	int fd;
	uint8_t *in;
	size_t size, used, taken; /* in[taken .. used) is not looked at yet */
};

/* -1 and a sentence on stderr on failure. */
int sim_link_open(struct sim_link *link, const char *host, const char *port, int timeout_ms);
void sim_link_close(struct sim_link *link);
/* All of it, or a negative errno. */
int sim_link_send(struct sim_link *link, const uint8_t *bytes, size_t len);
/* Wait for more octets.  1: some came; 0: the time is over; -EPIPE: the other side closed; other negative errno. */
int sim_link_receive(struct sim_link *link, int timeout_ms);

/* Monotonic, in microseconds. */
int64_t sim_now_us(void);
/* The wall clock as people read it, "12:34:56.789". */
const char *sim_clock_text(char buf[static 16]);

/* --- weir_sim_dialog.c: a counterpart that asks over a link of its own ------------------------ */

#define SIM_QUESTION_ROOM 1024 /* more than a question of any protocol */

/* A counterpart's own struct begins with it. */
struct sim_dialog {
	const struct sim_options *options;
	const struct sim_protocol *protocol;
	struct sim_score score;
	struct sim_link link;
	unsigned n; /* questions under way: whoever takes an answer counts it down */
};

struct sim_protocol {
	/* Open the link and be let in: 0 or a negative errno (told). */
	int (*begin)(struct sim_dialog *dialog);
	/* Take the first whole frame: its octets; 0: not whole yet; a negative errno: no more can be taken (told). */
	ssize_t (*take)(struct sim_dialog *dialog, const uint8_t *octets, size_t len);
	/* One question: its octets or a negative errno.  asked, as it was typed, stays. */
	int (*write_question)(struct sim_dialog *dialog, const char *asked, const struct weir_imei_reading *reading,
			      int64_t now_us, uint8_t *buf, size_t size);
	/* Say goodbye where err and the protocol ask for it; free what is its own.  The link closes after. */
	void (*end)(struct sim_dialog *dialog, int err);
};

/* Until is_done() or the time is over: 0, -ETIMEDOUT (not told), or another negative errno. */
int sim_dialog_wait(struct sim_dialog *dialog, bool (*is_done)(const struct sim_dialog *dialog), int timeout_ms);
/* The commands: sim_command.run of such a counterpart. */
int sim_dialog_check(void *dialog, int argc, char **argv);
int sim_dialog_listen(void *dialog, int argc, char **argv);
int sim_dialog_load(void *dialog, int argc, char **argv);
/* From begin to end; options, protocol and the score's verdicts are set.  Returns the exit status. */
int sim_dialog_run(struct sim_dialog *dialog, const struct sim_command *command, int argc, char **argv);
