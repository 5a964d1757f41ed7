/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The N5g counterpart: an AMF as far as equipment checks go (TS 29.511 5.2.2.2).  It asks as Open5GS' AMF does: a GET
 * over HTTP/2 with pei and supi, with its patience in the 3gpp-Sbi headers.  Each check has a connection of its own:
 * Debian 12's libcurl cannot use one of cleartext HTTP/2 twice.  It never decides anything. */
#include "tools/weir_sim.h"

#include <curl/curl.h>
#include <jansson.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/sbi.h"

#define BODY_MAX 65536
#define PEI_TEXT 128

static const char *const verdicts[] = {"white", "grey", "black", "unknown", NULL};

/* All of a run. */
struct amfs {
	const struct sim_options *options;
	struct sim_score score;
};

/* One question. */
struct amf {
	const struct sim_options *options;
	struct sim_score *score;
	CURL *curl;
	struct curl_slist *headers;
	char body[BODY_MAX];
	size_t used;
	char problem[CURL_ERROR_SIZE];
};

/* --- reading ---------------------------------------------------------------------------------- */

static size_t collect_cb(char *bytes, size_t size, size_t n, void *data)
{
	struct amf *amf = data;
	size_t len = size * n;

	if (len > sizeof(amf->body) - amf->used)
		return 0;
	memcpy(amf->body + amf->used, bytes, len);
	amf->used += len;
	return len;
}

static const struct {
	const char *status, *verdict;
} statuses[] = {
	{"WHITELISTED", "white"},
	{"BLACKLISTED", "black"},
	{"GREYLISTED", "grey"},
};

/* At most size octets of what the other side says, safe for a terminal; returns the length. */
static size_t add_text(char *buf, size_t size, const char *before, const char *text)
{
	size_t i, len = text ? (size_t)snprintf(buf, size, "%s%s", before, text) : 0;

	len = len < size ? len : size - 1;
	for (i = 0; i < len; i++)
		if (buf[i] < ' ' || buf[i] > '~')
			buf[i] = '?';
	return len;
}

/* "error 403 not allowed by configuration" of a problem (TS 29.571 5.2.4.1): its cause and detail, else its title; NULL
 * where it has none of them. */
static const char *read_problem(long status, const json_t *body, char buf[static SIM_VERDICT_TEXT])
{
	const char *cause = json_string_value(json_object_get(body, "cause"));
	const char *detail = json_string_value(json_object_get(body, "detail"));
	size_t len = (size_t)snprintf(buf, SIM_VERDICT_TEXT, "error %ld", status);

	if (!cause && !detail)
		cause = json_string_value(json_object_get(body, "title"));
	if (!cause && !detail)
		return NULL;
	len += add_text(buf + len, SIM_VERDICT_TEXT - len, " ", cause);
	add_text(buf + len, SIM_VERDICT_TEXT - len, cause ? ": " : " ", detail);
	return buf;
}

/* What an AMF makes of an answer (TS 29.511 6.1.3.2.3.1), or NULL where it is none. */
static const char *read_verdict(long status, const char *type, const json_t *body, char buf[static SIM_VERDICT_TEXT])
{
	const char *text;
	size_t i;

	if (status == 200 && !strcmp(type, "application/json")) {
		text = json_string_value(json_object_get(body, "status"));
		for (i = 0; text && i < sizeof(statuses) / sizeof(statuses[0]); i++)
			if (!strcmp(text, statuses[i].status))
				return statuses[i].verdict;
		return NULL;
	}
	if (status < 400 || strcmp(type, "application/problem+json") != 0)
		return NULL;
	text = json_string_value(json_object_get(body, "cause"));
	return status == 404 && text && !strcmp(text, "ERROR_EQUIPMENT_UNKNOWN") ? "unknown"
										 : read_problem(status, body, buf);
}

static void complain_answer(const struct amf *amf, long status, const char *type)
{
	char safe[64] = "no type";

	add_text(safe, sizeof(safe), "", type);
	fprintf(stderr, "weir-sim: status %ld with %zu octets of \"%s\" is no verdict\n", status, amf->used, safe);
}

static int take_answer(struct amf *amf, const char *asked)
{
	json_t *body = json_loadb(amf->body, amf->used, JSON_REJECT_DUPLICATES, NULL);
	curl_off_t sent_us = 0, done_us = 0;
	const char *verdict;
	char buf[SIM_VERDICT_TEXT], *type = NULL;
	long status = 0;

	curl_easy_getinfo(amf->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(amf->curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(amf->curl, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
	curl_easy_getinfo(amf->curl, CURLINFO_TOTAL_TIME_T, &done_us);
	verdict = read_verdict(status, type ? type : "", body, buf);
	if (verdict)
		sim_score_take(amf->score, asked, verdict, done_us - sent_us);
	else
		complain_answer(amf, status, type);
	json_decref(body);
	return verdict ? 0 : -EPROTO;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* The PEI (TS 29.571 5.3.2) of what was typed: digits in their form, anything with a kind in front as it is. */
static int write_pei(const struct sim_options *options, const char *typed, char buf[static PEI_TEXT])
{
	struct weir_imei_reading reading;
	enum weir_imei_fault fault = imei_from_text(typed, strlen(typed), &reading);
	unsigned digits = options->digits ? options->digits : reading.digits < 16 ? 15 : 16;
	char text[WEIR_IMEI_TEXT];

	if (typed[0] >= 'a' && typed[0] <= 'z')
		return snprintf(buf, PEI_TEXT, "%s", typed) < PEI_TEXT ? 0 : -EINVAL;
	if (fault || digits == 14) {
		fprintf(stderr, "weir-sim: \"%s\" %s\n", typed,
			fault ? imei_fault_text(fault) : "has no PEI of 14 digits");
		return -EINVAL;
	}
	if (digits == 16)
		snprintf(buf, PEI_TEXT, "imeisv-%s%02d", imei_print(text, reading.imei.key),
			 reading.imei.svn == WEIR_NO_SVN ? 0 : reading.imei.svn);
	else if (reading.given_check >= 0)
		snprintf(buf, PEI_TEXT, "imei-%s%d", imei_print(text, reading.imei.key), reading.given_check);
	else
		snprintf(buf, PEI_TEXT, "imei-%s", imei_print_checked(text, reading.imei.key));
	return 0;
}

static int write_url(const struct amf *amf, const char *typed, char *buf, size_t size)
{
	const struct sim_options *options = amf->options;
	char pei[PEI_TEXT], imsi[WEIR_DIGITS_TEXT], *escaped;
	bool is_ipv6 = strchr(options->host, ':') != NULL;
	int len;

	if (write_pei(options, typed, pei))
		return -EINVAL;
	escaped = curl_easy_escape(amf->curl, pei, 0);
	if (!escaped)
		return -ENOMEM;
	len = snprintf(buf, size, "%s://%s%s%s:%s/n5g-eir-eic/v1/equipment-status?pei=%s&supi=imsi-%s",
		       options->ca ? "https" : "http", is_ipv6 ? "[" : "", options->host, is_ipv6 ? "]" : "",
		       options->port, escaped, imsi_print(imsi, options->imsi));
	curl_free(escaped);
	return len < 0 || (size_t)len >= size ? -EINVAL : 0;
}

/* The time, and how long we wait for the answer. */
static int write_headers(struct amf *amf)
{
	char lines[3][96] = {"accept: application/json,application/problem+json"}, stamp[SBI_TIMESTAMP_TEXT];
	struct timespec now;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	sbi_timestamp_print(stamp, sizeof(stamp), now.tv_sec * 1000ll + now.tv_nsec / 1000000);
	snprintf(lines[1], sizeof(lines[1]), "3gpp-sbi-sender-timestamp: %s", stamp);
	snprintf(lines[2], sizeof(lines[2]), "3gpp-sbi-max-rsp-time: %d", amf->options->timeout_ms);
	for (i = 0; i < 3; i++) {
		struct curl_slist *list = curl_slist_append(amf->headers, lines[i]);

		if (!list)
			return -ENOMEM;
		amf->headers = list;
	}
	curl_easy_setopt(amf->curl, CURLOPT_HTTPHEADER, amf->headers);
	return 0;
}

static void set_tls(CURL *curl, const struct sim_options *options)
{
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
			 options->ca ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	if (!options->ca)
		return;
	curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca);
	if (options->pair) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, options->pair);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, options->pair);
	}
}

/* A handle that asks once: no proxy, no redirect. */
static int prepare(struct amf *amf, const char *url)
{
	amf->curl = curl_easy_init();
	if (!amf->curl)
		return -ENOMEM;
	curl_easy_setopt(amf->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(amf->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(amf->curl, CURLOPT_TIMEOUT_MS, (long)amf->options->timeout_ms);
	curl_easy_setopt(amf->curl, CURLOPT_USERAGENT, amf->options->name);
	curl_easy_setopt(amf->curl, CURLOPT_WRITEFUNCTION, collect_cb);
	curl_easy_setopt(amf->curl, CURLOPT_WRITEDATA, amf);
	curl_easy_setopt(amf->curl, CURLOPT_ERRORBUFFER, amf->problem);
	curl_easy_setopt(amf->curl, CURLOPT_URL, url);
	set_tls(amf->curl, amf->options);
	return write_headers(amf);
}

static int complain(const struct amf *amf, CURLcode code)
{
	const struct sim_options *options = amf->options;

	if (code == CURLE_OPERATION_TIMEDOUT)
		fprintf(stderr, "weir-sim: no answer within %d ms\n", options->timeout_ms);
	else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		fprintf(stderr, "weir-sim: cannot connect to %s port %s: %s\n", options->host, options->port,
			curl_easy_strerror(code));
	else
		fprintf(stderr, "weir-sim: %s\n", amf->problem[0] ? amf->problem : curl_easy_strerror(code));
	return -EIO;
}

static int ask(struct amfs *amfs, const char *typed)
{
	struct amf *amf = calloc(1, sizeof(*amf));
	char url[1024];
	CURLcode code;
	int err;

	if (!amf)
		return -ENOMEM;
	amf->options = amfs->options;
	amf->score = &amfs->score;
	err = write_url(amf, typed, url, sizeof(url));
	if (!err)
		err = prepare(amf, url);
	if (!err) {
		code = curl_easy_perform(amf->curl);
		err = code == CURLE_OK ? take_answer(amf, typed) : complain(amf, code);
	}
	curl_slist_free_all(amf->headers);
	curl_easy_cleanup(amf->curl);
	free(amf);
	return err;
}

static int run_check(void *data, int argc, char **argv)
{
	int i, err = 0;

	for (i = 0; i < argc && !err; i++)
		err = ask(data, argv[i]);
	return err;
}

static const struct sim_command commands[] = {
	{"check", 1, INT_MAX, run_check, "an IMEI", "IMEI...",
	 SIM_CHECK_HELP ".\n"
			"What begins with a small letter is a PEI and is sent as it is"},
	{0},
};

static int run_n5g(const struct sim_options *options, const struct sim_command *command, int argc, char **argv)
{
	struct amfs amfs = {.options = options, .score.verdicts = verdicts};
	int err;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	err = command->run(&amfs, argc, argv);
	curl_global_cleanup();
	return sim_exit_of(err ? err : sim_score_result(&amfs.score));
}

const struct sim_counterpart sim_n5g = {
	.name = "n5g",
	.sentence = "an AMF (N5g-eir over HTTP/2)",
	.port = "7777",
	.called = "AMF-weir-sim",
	.has_tls = true,
	.run = run_n5g,
	.commands = commands,
};
