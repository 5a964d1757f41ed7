/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Who is on the other end of a UNIX socket, and what he may do.
 *
 * The kernel says who connected (SO_PEERCRED, SO_PEERGROUPS): no password, no token.  Root and the keeper's own user
 * may do everything; all others what the rules below give them, the widest that matches. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/why.h"

enum http_right {
	HTTP_ANYBODY = 0, /* who can connect; for the probes */
	HTTP_READ,
	HTTP_WRITE,
};

enum http_allow_kind {
	HTTP_ALLOW_UID,
	HTTP_ALLOW_USER,
	HTTP_ALLOW_GROUP,
	HTTP_N_ALLOW_KINDS
};

struct http_allow {
	enum http_allow_kind kind;
	char name[33]; /* as configured */
	uint32_t id;   /* uid or gid */
	enum http_right right;
};

#define HTTP_ALLOW_MAX 64
#define HTTP_ACTOR_MAX 64

struct http_access {
	struct http_allow allow[HTTP_ALLOW_MAX];
	unsigned n;
};

/* "uid", "user", "group". */
const char *http_allow_kind_name(enum http_allow_kind kind);
/* Add a rule, or change the right of the same one.  -ENOENT: no such user or group; -EINVAL; -ENOSPC. */
int http_access_allow(struct http_access *access, enum http_allow_kind kind, const char *name, enum http_right right,
		      struct weir_why *why);
int http_access_remove(struct http_access *access, enum http_allow_kind kind, const char *name);

#define HTTP_PEER_GROUPS 64

struct http_peer {
	uid_t uid;
	pid_t pid;
	gid_t group[HTTP_PEER_GROUPS];
	unsigned n_groups;
	char actor[HTTP_ACTOR_MAX]; /* "uid:1000(alice)" */
};

/* From a connected socket.  0 or a negative errno.  The system is asked for a user's name once; the 256 users asked for
 * last are remembered. */
int http_peer_of(int fd, struct http_peer *peer);
enum http_right http_peer_right(const struct http_peer *peer, const struct http_access *access);
