/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Requests to the keeper over its UNIX socket.
 *
 * Nothing waits for ever: 5 s to connect, 30 s for a short answer; long work (imports, exports, verify, rebuild) is
 * given up when nothing moved for 60 s: no octet, and no step of what the keeper does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tools/weirctl.h"

struct ctl_answer {
	long status;
	char *text; /* terminated */
	size_t len;
	json_t *json; /* NULL where it is none */
};
void ctl_answer_free(struct ctl_answer *answer);

/* "/v1/sources/%/devices/%" with each % replaced by an argument, percent-encoded.  malloc; ends the program without
 * memory. */
char *ctl_path(const char *shape, ...);

/* Ask and wait.  CTL_OK for 2xx; otherwise the reason was printed: CTL_REFUSED or CTL_UNREACHABLE.  The answer is to be
 * freed always.  body NULL: none. */
int ctl_request(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
		struct ctl_answer *answer);
/* The same for work that takes its time. */
int ctl_request_long(const struct ctl *ctl, const char *method, const char *path, struct ctl_answer *answer);
/* As ctl_request without a word on stderr and 5 s at most, for questions on the side. */
int ctl_ask_quietly(const struct ctl *ctl, const char *path, struct ctl_answer *answer);

/* A GET or POST whose answer comes piece by piece; piece returns false to stop. Errors as ctl_request. */
typedef bool ctl_piece_fn(const char *bytes, size_t len, void *data);
int ctl_stream(const struct ctl *ctl, const char *method, const char *path, const char *accept, ctl_piece_fn *piece,
	       void *data);

/* POST a file.  read as read(2) for the next bytes; size -1: not known.  tick is called some times a second with the
 * bytes sent, until the answer is there. */
struct ctl_upload {
	ssize_t (*read)(void *data, char *buf, size_t size);
	void (*tick)(void *data, long long sent);
	void *data;
	long long size;
};
int ctl_post_file(const struct ctl *ctl, const char *path, const struct ctl_upload *upload, struct ctl_answer *answer);

/* Say what a problem document says. */
int ctl_refused(const struct ctl *ctl, const struct ctl_answer *answer);
