/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl verify and rebuild. */
#include "tools/weirctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/weirctl_http.h"

#define LINE_MAX_OCTETS 4096

struct verify {
	char line[LINE_MAX_OCTETS];
	size_t len;
	bool tty, ended, clean;
	long long findings;
};

static void take_line(struct verify *verify)
{
	json_t *value = json_loadb(verify->line, verify->len, 0, NULL);
	long long done = ctl_number(value, "progress.done"), total = ctl_number(value, "progress.total");

	if (ctl_at(value, "progress") && verify->tty)
		fprintf(stderr, "\rverify  %3lld %%  ", total ? done * 100 / total : 0);
	if (ctl_at(value, "finding"))
		printf("%s%s\n", verify->tty ? "\r" : "", ctl_text(value, "finding"));
	if (ctl_at(value, "result.clean")) {
		verify->ended = true;
		verify->clean = json_is_true(ctl_at(value, "result.clean"));
		verify->findings = ctl_number(value, "result.findings");
	}
	json_decref(value);
}

static bool piece_cb(const char *bytes, size_t len, void *data)
{
	struct verify *verify = data;

	for (; len--; bytes++) {
		if (*bytes == '\n') {
			take_line(verify);
			verify->len = 0;
		} else if (verify->len < sizeof(verify->line)) {
			verify->line[verify->len++] = *bytes;
		}
	}
	return true;
}

static int verify_json(const struct ctl_call *call)
{
	struct ctl_answer answer;
	int rc = ctl_request_long(call->ctl, "POST", "/v1/verify", &answer);

	if (rc == CTL_OK) {
		puts(answer.text);
		rc = json_is_true(ctl_at(answer.json, "clean")) ? CTL_OK : CTL_FINDINGS;
	}
	ctl_answer_free(&answer);
	return rc;
}

int ctl_verify(const struct ctl_call *call)
{
	struct verify verify = {.tty = isatty(STDERR_FILENO)};
	int rc;

	if (call->ctl->json)
		return verify_json(call);
	rc = ctl_stream(call->ctl, "POST", "/v1/verify", "application/x-ndjson", piece_cb, &verify);
	if (verify.tty)
		fputs("\r                    \r", stderr);
	if (rc != CTL_OK)
		return rc;
	if (!verify.ended)
		return ctl_fail(CTL_UNREACHABLE, "the keeper's answer cannot be understood");
	if (verify.clean) {
		puts("clean: ledger and register are whole and agree");
		return CTL_OK;
	}
	printf("%lld finding%s\n", verify.findings, verify.findings == 1 ? "" : "s");
	return CTL_FINDINGS;
}

int ctl_rebuild(const struct ctl_call *call)
{
	struct ctl_answer answer;
	int rc = ctl_request_long(call->ctl, "POST", "/v1/rebuild", &answer);

	if (rc == CTL_OK)
		puts(call->ctl->json ? answer.text : "the register was made anew");
	ctl_answer_free(&answer);
	return rc;
}
