/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The server: the same answer to every ECR.  What freeDiameter costs when the application costs nothing. */
#include "peers/s13.h"

#include <string.h>

static struct {
	const struct s13_words *words;
	uint32_t status;
} server;

static int answer(struct msg **msg, struct avp *avp, struct session *session, void *data, enum disp_action *action)
{
	static char success[] = "DIAMETER_SUCCESS";

	(void)avp;
	(void)session;
	(void)data;
	if (fd_msg_new_answer_from_req(fd_g_config->cnf_dict, msg, 0) || !s13_add_application(server.words, *msg) ||
	    fd_msg_rescode_set(*msg, success, NULL, NULL, 1) ||
	    !s13_add_number(server.words, *msg, S13_AUTH_SESSION_STATE, 1) ||
	    !s13_add_number(server.words, *msg, S13_EQUIPMENT_STATUS, server.status))
		return ENOMEM;
	*action = DISP_ACT_SEND;
	return 0;
}

int s13_server_start(const struct s13_words *words, const struct s13_options *options)
{
	struct disp_when when = {.app = words->application, .command = words->ecr};

	server.words = words;
	server.status = !strcmp(options->status, "black") ? 1 : !strcmp(options->status, "grey") ? 2 : 0;
	return fd_disp_register(answer, DISP_HOW_CC, &when, NULL, NULL);
}
