/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Peer credentials of UNIX sockets (unix(7)).  Reads what the kernel recorded when the peer connected; never trusts
 * a word the peer sent. */
#define _GNU_SOURCE
#include "keeper/http_peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const kind_names[HTTP_N_ALLOW_KINDS] = {
	[HTTP_ALLOW_UID] = "uid",
	[HTTP_ALLOW_USER] = "user",
	[HTTP_ALLOW_GROUP] = "group",
};

const char *http_allow_kind_name(enum http_allow_kind kind)
{
	return kind < HTTP_N_ALLOW_KINDS ? kind_names[kind] : "?";
}

static int id_of(enum http_allow_kind kind, const char *name, uint32_t *id, struct weir_why *why)
{
	const struct passwd *user;
	const struct group *group;
	char *end;
	unsigned long number;

	switch (kind) {
	case HTTP_ALLOW_UID:
		number = strtoul(name, &end, 10);
		if (!*name || *end || number >= UINT32_MAX)
			return why_set(why, -EINVAL, "'%s' is not a uid: a number below 4294967295 is needed", name);
		*id = (uint32_t)number;
		return 0;
	case HTTP_ALLOW_USER:
		user = getpwnam(name);
		if (!user)
			return why_set(why, -ENOENT, "there is no user '%s' on this machine", name);
		*id = user->pw_uid;
		return 0;
	case HTTP_ALLOW_GROUP:
		group = getgrnam(name);
		if (!group)
			return why_set(why, -ENOENT, "there is no group '%s' on this machine", name);
		*id = group->gr_gid;
		return 0;
	default:
		return -EINVAL;
	}
}

static struct http_allow *find_rule(struct http_access *access, enum http_allow_kind kind, const char *name)
{
	for (unsigned i = 0; i < access->n; i++) {
		if (access->allow[i].kind == kind && !strcmp(access->allow[i].name, name))
			return &access->allow[i];
	}
	return NULL;
}

int http_access_allow(struct http_access *access, enum http_allow_kind kind, const char *name, enum http_right right,
		      struct weir_why *why)
{
	struct http_allow *rule = find_rule(access, kind, name);
	uint32_t id = 0;
	int rc = id_of(kind, name, &id, why);

	if (rc < 0)
		return rc;
	if (strlen(name) >= sizeof(rule->name))
		return why_set(why, -EINVAL, "'%s' is longer than a name may be (32)", name);
	if (!rule) {
		if (access->n == HTTP_ALLOW_MAX)
			return why_set(why, -ENOSPC, "there are %d rules already, no more are taken", HTTP_ALLOW_MAX);
		rule = &access->allow[access->n++];
	}
	*rule = (struct http_allow){.kind = kind, .id = id, .right = right};
	snprintf(rule->name, sizeof(rule->name), "%s", name);
	return 0;
}

int http_access_remove(struct http_access *access, enum http_allow_kind kind, const char *name)
{
	struct http_allow *rule = find_rule(access, kind, name);

	if (!rule)
		return -ENOENT;
	memmove(rule, rule + 1, (size_t)(access->allow + access->n - (rule + 1)) * sizeof(*rule));
	access->n--;
	return 0;
}

static void read_groups(int fd, struct http_peer *peer)
{
	socklen_t len = (HTTP_PEER_GROUPS - 1) * sizeof(gid_t);

	/* -ERANGE for somebody in more groups than we look at: his primary group still counts */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, &peer->group[1], &len) == 0)
		peer->n_groups = 1 + len / sizeof(gid_t);
}

/* Names of users, asked for once: a slow name service would stop the loop for every connection.  A name that changes is
 * noticed after a restart. */
#define NAMES_MAX 256

static struct {
	uid_t uid;
	char name[41]; /* empty: he has none */
} names[NAMES_MAX];
static unsigned n_names, next_name;

static const char *name_of(uid_t uid)
{
	const struct passwd *user;
	unsigned i;

	for (i = 0; i < n_names; i++) {
		if (names[i].uid == uid)
			return names[i].name;
	}
	user = getpwuid(uid);
	i = next_name++ % NAMES_MAX;
	n_names = i < n_names ? n_names : i + 1;
	names[i].uid = uid;
	snprintf(names[i].name, sizeof(names[i].name), "%.40s", user ? user->pw_name : "");
	return names[i].name;
}

int http_peer_of(int fd, struct http_peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	const char *name;

	memset(peer, 0, sizeof(*peer));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	peer->uid = cred.uid;
	peer->pid = cred.pid;
	peer->group[0] = cred.gid;
	peer->n_groups = 1;
	read_groups(fd, peer);
	name = name_of(cred.uid);
	if (*name)
		snprintf(peer->actor, sizeof(peer->actor), "uid:%u(%s)", (unsigned)cred.uid, name);
	else
		snprintf(peer->actor, sizeof(peer->actor), "uid:%u", (unsigned)cred.uid);
	return 0;
}

static bool is_in_group(const struct http_peer *peer, gid_t group)
{
	for (unsigned i = 0; i < peer->n_groups; i++) {
		if (peer->group[i] == group)
			return true;
	}
	return false;
}

enum http_right http_peer_right(const struct http_peer *peer, const struct http_access *access)
{
	enum http_right right = HTTP_ANYBODY;

	if (peer->uid == 0 || peer->uid == geteuid())
		return HTTP_WRITE;
	for (unsigned i = 0; i < access->n; i++) {
		const struct http_allow *rule = &access->allow[i];
		bool is_his = rule->kind == HTTP_ALLOW_GROUP ? is_in_group(peer, rule->id) : peer->uid == rule->id;

		if (is_his && rule->right > right)
			right = rule->right;
	}
	return right;
}
