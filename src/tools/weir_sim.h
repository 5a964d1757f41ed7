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

struct sim_counterpart {
	const char *name, *sentence, *port, *called;
	int (*run)(const struct sim_options *options, int argc, char **argv);
	const char *commands;   /* for -h */
	bool has_tls;
};

extern const struct sim_counterpart sim_gsup, sim_s13, sim_n5g;

/* --- weir_sim_play.c: what counterparts have in common ---------------------------------------- */

/* What a connected counterpart can do.  run gets it and what stands behind the command: 0, -EINVAL for wrong use, or
 * another negative errno. */
struct sim_command {
	const char *name; /* NULL: the end of the table */
	int min, max;     /* arguments */
	int (*run)(void *counterpart, int argc, char **argv);
};
/* The one that argv[0] names; NULL, and the known ones on stderr, where there is none. */
const struct sim_command *sim_command_of(const struct sim_counterpart *counterpart, const struct sim_command *commands,
					 int argc, char **argv);
enum sim_exit sim_exit_of(int err);

/* 0, or -EINVAL and a sentence on stderr. */
int sim_read_imei(const char *typed, struct weir_imei_reading *reading);

#define SIM_VERDICT_TEXT 96
/* One line: what was asked for, what was answered, how long it took. */
void sim_tell(const char *asked, const char *verdict, int64_t us);

/* SIGINT and SIGTERM end listening in order. */
void sim_catch_signals(void);
bool sim_was_ended(void);

#define SIM_DEPTH_MAX 4096
struct sim_load {
	uint64_t count;
	unsigned depth;
	int64_t began_us;
};
/* Of the two arguments COUNT and DEPTH, with room for a time for each answer: 0, -EINVAL (told), -ENOMEM. */
int sim_load_begin(struct sim_load *load, int argc, char **argv, uint32_t **times_us);
/* The device of the n-th question: a test device, a million of them in turn. */
uint64_t sim_load_key(uint64_t n);
/* Rate and percentiles, without the end of the line.  Sorts the times. */
void sim_load_tell(const struct sim_load *load, uint32_t *times_us);

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
