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
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect_cb);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	return curl;
}

static int unreachable(const struct ctl *ctl, CURL *curl, CURLcode rc)
{
	long error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
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

static int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
	       struct ctl_answer *answer, bool quiet)
{
	CURL *curl = handle_for(ctl, method, path, answer);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct curl_slist *headers = NULL;
	int rc;

	if (body) {
		headers = curl_slist_append(NULL, "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text ? text : "");
	}
	rc = conclude(ctl, curl, curl_easy_perform(curl), answer, quiet);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	free(text);
	return rc;
}

int ctl_request(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
		struct ctl_answer *answer)
{
	return ask(ctl, method, path, body, answer, false);
}

int ctl_ask_quietly(const struct ctl *ctl, const char *path, struct ctl_answer *answer)
{
	return ask(ctl, "GET", path, NULL, answer, true);
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
	struct curl_slist *headers = NULL;
	char line[80];
	CURLcode code;
	int rc;

	stream.curl = handle_for(ctl, method, path, &stream.answer);
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
	CURLcode code;
	int rc;

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
	if (rc == CTL_UNREACHABLE && code == CURLE_ABORTED_BY_CALLBACK)
		rc = CTL_LOCAL;
	else if (rc == CTL_UNREACHABLE)
		unreachable(ctl, curl, code);
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return rc;
}
