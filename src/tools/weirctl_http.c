/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* libcurl over the keeper's socket: the only file that includes curl.h.  No proxy, no redirect, no other host, ever. */
#include "tools/weirctl_http.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_S  5L
#define SIDE_S	   5L
#define ANSWER_S   30L
#define STALL_S	   60
#define LOOK_S	   5 /* so long without an octet: ask what the keeper does */
#define ANSWER_MAX (256u << 20)

static void no_memory(void)
{
	fputs("weirctl: out of memory\n", stderr);
	exit(CTL_LOCAL);
}

void ctl_answer_free(struct ctl_answer *answer)
{
	free(answer->text);
	json_decref(answer->json);
	*answer = (struct ctl_answer){0};
}

char *ctl_path(const char *shape, ...)
{
	char *path = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&path, &len);
	va_list args;

	if (!out)
		no_memory();
	va_start(args, shape);
	for (; *shape; shape++) {
		char *escaped;

		if (*shape != '%') {
			fputc(*shape, out);
			continue;
		}
		escaped = curl_easy_escape(NULL, va_arg(args, const char *), 0);
		if (!escaped)
			no_memory();
		fputs(escaped, out);
		curl_free(escaped);
	}
	va_end(args);
	if (fclose(out) != 0)
		no_memory();
	return path;
}

static size_t collect_cb(char *bytes, size_t size, size_t n, void *data)
{
	struct ctl_answer *answer = data;
	size_t len = size * n;
	char *text;

	if (len > ANSWER_MAX - answer->len)
		return 0;
	text = realloc(answer->text, answer->len + len + 1);
	if (!text)
		return 0;
	memcpy(text + answer->len, bytes, len);
	answer->text = text;
	answer->len += len;
	text[answer->len] = '\0';
	return len;
}

/* --- patience with long work ------------------------------------------------------------------------------------ */

struct patience {
	const struct ctl *ctl;
	curl_off_t octets;
	json_int_t done; /* of what the keeper does */
	time_t moved, looked;
	bool lost;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Has the keeper got on?  Where it does no import, that it answers is all that it can tell. */
static bool keeper_moves(struct patience *patience)
{
	struct ctl_answer answer;
	bool moves = ctl_ask_quietly(patience->ctl, "/v1/import", &answer) == CTL_OK;
	json_int_t done = ctl_number(answer.json, "done");

	if (moves && json_is_true(ctl_at(answer.json, "running")))
		moves = done != patience->done;
	patience->done = done;
	ctl_answer_free(&answer);
	return moves;
}

static int patience_cb(void *data, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	struct patience *patience = data;
	time_t now = now_s();

	(void)down_all;
	(void)up_all;
	if (down + up != patience->octets) {
		patience->octets = down + up;
		patience->moved = now;
	} else if (now - patience->moved >= LOOK_S && now - patience->looked >= LOOK_S) {
		patience->looked = now;
		if (keeper_moves(patience))
			patience->moved = now;
	}
	patience->lost = now_s() - patience->moved >= STALL_S;
	return patience->lost;
}

static void be_patient(CURL *curl, struct patience *patience)
{
	patience->moved = now_s();
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, patience_cb);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, patience);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 0L);
}

static CURL *handle_for(const struct ctl *ctl, const char *method, const char *path, struct ctl_answer *answer)
{
	char url[2048];
	CURL *curl = curl_easy_init();

	if (!curl)
		no_memory();
	*answer = (struct ctl_answer){0};
	snprintf(url, sizeof(url), "http://keeper%s", path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->socket);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect_cb);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	return curl;
}

static int unreachable(const struct ctl *ctl, CURL *curl, CURLcode rc)
{
	long error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	if (rc == CURLE_OPERATION_TIMEDOUT || rc == CURLE_ABORTED_BY_CALLBACK)
		return ctl_fail(CTL_UNREACHABLE,
				"the keeper at %s does not answer: nothing came in %d s.  Is it stopped?", ctl->socket,
			 rc == CURLE_OPERATION_TIMEDOUT ? (int)ANSWER_S : STALL_S);
	if (rc != CURLE_COULDNT_CONNECT)
		return ctl_fail(CTL_UNREACHABLE, "the keeper hung up before its answer was whole (%s)",
				curl_easy_strerror(rc));
	if (error == EACCES)
		return ctl_fail(CTL_UNREACHABLE, "%s: this user may not connect; be in the socket's group, or be root",
				ctl->socket);
	return ctl_fail(CTL_UNREACHABLE, "no keeper answers at %s.  Does weir-keeper run, and is -S right?",
			ctl->socket);
}

int ctl_refused(const struct ctl *ctl, const struct ctl_answer *answer)
{
	const char *detail = ctl_text(answer->json, "detail");

	if (ctl->json && answer->json)
		puts(answer->text);
	if (*detail)
		return ctl_fail(CTL_REFUSED, "refused: %s [%s]", detail, ctl_text(answer->json, "code"));
	return ctl_fail(CTL_REFUSED, "refused with HTTP status %ld", answer->status);
}

/* Has the answer what the verb needs? */
static bool is_understood(const struct ctl *ctl, const struct ctl_answer *answer)
{
	char needs[80], *rest = NULL;

	snprintf(needs, sizeof(needs), "%s", ctl->needs ? ctl->needs : "");
	for (char *path = strtok_r(needs, " ", &rest); path; path = strtok_r(NULL, " ", &rest)) {
		if (!ctl_at(answer->json, path))
			return false;
	}
	return true;
}

static int not_understood(void)
{
	return ctl_fail(CTL_UNREACHABLE, "the keeper's answer cannot be understood");
}

/* The transfer is over: what came of it? */
static int conclude(const struct ctl *ctl, CURL *curl, CURLcode rc, struct ctl_answer *answer, bool quiet)
{
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	if (rc != CURLE_OK)
		return quiet ? CTL_UNREACHABLE : unreachable(ctl, curl, rc);
	if (!answer->text)
		answer->text = strdup("");
	if (!answer->text)
		no_memory();
	if (answer->len)
		answer->json = json_loadb(answer->text, answer->len, JSON_REJECT_DUPLICATES, NULL);
	if (answer->status >= 200 && answer->status < 300)
		return CTL_OK;
	return quiet ? CTL_REFUSED : ctl_refused(ctl, answer);
}

enum wait {
	WAIT_SHORT,
	WAIT_LONG,
	WAIT_SIDE, /* and quietly */
};

static int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
	       struct ctl_answer *answer, enum wait wait)
{
	struct patience patience = {.ctl = ctl};
	CURL *curl = handle_for(ctl, method, path, answer);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *headers = NULL;
	int rc;

	if (wait == WAIT_LONG)
		be_patient(curl, &patience);
	else if (wait == WAIT_SIDE)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT, SIDE_S);
	if (body) {
		headers = curl_slist_append(NULL, "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text ? text : "");
	}
	rc = conclude(ctl, curl, curl_easy_perform(curl), answer, wait == WAIT_SIDE);
	if (rc == CTL_OK && wait != WAIT_SIDE && !is_understood(ctl, answer))
		rc = not_understood();
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	free(text);
	return rc;
}

int ctl_request(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
		struct ctl_answer *answer)
{
	return ask(ctl, method, path, body, answer, WAIT_SHORT);
}

int ctl_request_long(const struct ctl *ctl, const char *method, const char *path, struct ctl_answer *answer)
{
	return ask(ctl, method, path, NULL, answer, WAIT_LONG);
}

int ctl_ask_quietly(const struct ctl *ctl, const char *path, struct ctl_answer *answer)
{
	return ask(ctl, "GET", path, NULL, answer, WAIT_SIDE);
}

/* --- answers in pieces ------------------------------------------------------------------------------------------ */

struct stream {
	CURL *curl;
	struct ctl_answer answer; /* of a refusal: collected */
	ctl_piece_fn *piece;
	void *data;
	bool stopped;
};

static size_t piece_cb(char *bytes, size_t size, size_t n, void *data)
{
	struct stream *stream = data;
	long status = 0;

	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status >= 300)
		return collect_cb(bytes, size, n, &stream->answer);
	if (stream->piece(bytes, size * n, stream->data))
		return size * n;
	stream->stopped = true;
	return 0;
}

int ctl_stream(const struct ctl *ctl, const char *method, const char *path, const char *accept, ctl_piece_fn *piece,
	       void *data)
{
	struct stream stream = {.piece = piece, .data = data};
	struct patience patience = {.ctl = ctl};
	struct curl_slist *headers = NULL;
	char line[80];
	CURLcode code;
	int rc;

	stream.curl = handle_for(ctl, method, path, &stream.answer);
	be_patient(stream.curl, &patience);
	snprintf(line, sizeof(line), "Accept: %s", accept);
	headers = curl_slist_append(NULL, line);
	curl_easy_setopt(stream.curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(stream.curl, CURLOPT_WRITEFUNCTION, piece_cb);
	curl_easy_setopt(stream.curl, CURLOPT_WRITEDATA, &stream);
	code = curl_easy_perform(stream.curl);
	rc = stream.stopped ? CTL_LOCAL : conclude(ctl, stream.curl, code, &stream.answer, false);
	curl_slist_free_all(headers);
	curl_easy_cleanup(stream.curl);
	ctl_answer_free(&stream.answer);
	return rc;
}

/* --- uploads ---------------------------------------------------------------------------------------------------- */

static size_t read_cb(char *buf, size_t size, size_t n, void *data)
{
	const struct ctl_upload *upload = data;
	ssize_t got = upload->read(upload->data, buf, size * n);

	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

/* Until the transfer is over; its result. */
static CURLcode drive(CURLM *multi, CURL *curl, const struct ctl_upload *upload)
{
	int running = 1, left;
	curl_off_t sent = 0;
	CURLMsg *message;

	while (running) {
		if (curl_multi_perform(multi, &running) != CURLM_OK ||
		    (running && curl_multi_poll(multi, NULL, 0, 150, NULL) != CURLM_OK))
			return CURLE_OUT_OF_MEMORY;
		curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &sent);
		upload->tick(upload->data, sent);
	}
	message = curl_multi_info_read(multi, &left);
	return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_RECV_ERROR;
}

int ctl_post_file(const struct ctl *ctl, const char *path, const struct ctl_upload *upload, struct ctl_answer *answer)
{
	CURL *curl = handle_for(ctl, "POST", path, answer);
	CURLM *multi = curl_multi_init();
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/csv");
	struct patience patience = {.ctl = ctl};
	CURLcode code;
	int rc;

	be_patient(curl, &patience);
	/* the keeper may refuse before it was sent a gigabyte */
	headers = curl_slist_append(headers, "Expect: 100-continue");
	if (upload->size < 0)
		headers = curl_slist_append(headers, "Transfer-Encoding: chunked");
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_cb);
	curl_easy_setopt(curl, CURLOPT_READDATA, (void *)(uintptr_t)upload);
	curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
	if (upload->size >= 0)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)upload->size);
	if (!multi || curl_multi_add_handle(multi, curl) != CURLM_OK)
		no_memory();
	code = drive(multi, curl, upload);
	curl_multi_remove_handle(multi, curl);
	rc = conclude(ctl, curl, code, answer, true);
	if (rc == CTL_UNREACHABLE && code == CURLE_ABORTED_BY_CALLBACK && !patience.lost)
		rc = CTL_LOCAL;
	else if (rc == CTL_UNREACHABLE)
		unreachable(ctl, curl, code);
	if (rc == CTL_OK && !is_understood(ctl, answer))
		rc = not_understood();
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return rc;
}
