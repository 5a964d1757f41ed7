/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What passes of the base protocol, told line by line, so that a test can see that it did. */
#include "peers/s13.h"

#include <stdatomic.h>
#include <stdio.h>

static atomic_uint broken;

static const char *base_name(const struct msg_hdr *header, char *text, size_t size)
{
	static const struct {
		command_code_t code;
		const char *name;
	} names[] = {{257, "CE"}, {280, "DW"}, {282, "DP"}};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code == header->msg_code) {
			snprintf(text, size, "%s%c", names[i].name, header->msg_flags & CMD_FLAG_REQUEST ? 'R' : 'A');
			return text;
		}
	return NULL;
}

static void on_message(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		       struct fd_hook_permsgdata *pmd, void *data)
{
	struct msg_hdr *header = NULL;
	const char *name = NULL;
	char text[8];

	(void)other;
	(void)pmd;
	(void)data;
	if (msg && !fd_msg_hdr(msg, &header))
		name = base_name(header, text, sizeof(text));
	if (name)
		LOG_N("weir_s13: %s %s, %s", type == HOOK_MESSAGE_RECEIVED ? "received" : "sent", name,
		      peer ? peer->info.pi_diamid : "a new peer");
}

static void on_peer(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		    struct fd_hook_permsgdata *pmd, void *data)
{
	char how[64] = "";

	(void)msg;
	(void)pmd;
	(void)data;
	if (type == HOOK_PEER_CONNECT_SUCCESS && peer)
		fd_peer_cnx_proto_info(peer, how, sizeof(how));
	LOG_N("weir_s13: %s %s %s", type == HOOK_PEER_CONNECT_SUCCESS ? "connected" : "not connected",
	      peer ? peer->info.pi_diamid : "a peer", type == HOOK_PEER_CONNECT_SUCCESS ? how : (const char *)other);
}

static void on_broken(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		      struct fd_hook_permsgdata *pmd, void *data)
{
	(void)type;
	(void)peer;
	(void)pmd;
	(void)data;
	broken++;
	LOG_N("weir_s13: broken: %s", msg && other ? (const char *)other : "octets that are no message");
}

int s13_watch_start(void)
{
	struct fd_hook_hdl *handle;
	int error =
		fd_hook_register(HOOK_MASK(HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_SENT), on_message, NULL, NULL, &handle);

	error = error ? error
		      : fd_hook_register(HOOK_MASK(HOOK_PEER_CONNECT_SUCCESS, HOOK_PEER_CONNECT_FAILED), on_peer, NULL,
					 NULL, &handle);
	return error ? error : fd_hook_register(HOOK_MASK(HOOK_MESSAGE_PARSING_ERROR), on_broken, NULL, NULL, &handle);
}

unsigned s13_watch_broken(void)
{
	return broken;
}
