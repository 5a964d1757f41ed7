/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Requests and answers of N5g-eir (TS 29.511 v19.1.0; patterns of TS 29.571 5.3.2; causes of TS 29.500
 * table 5.2.7.2-1). Most requests have nothing to decode and are read where they lie. */
#include "wire/n5g.h"

#include <errno.h>
#include <string.h>

#define API     "/n5g-eir-eic"
#define VERSION "/v1"
#define STATUS  "/equipment-status"

/* --- answers */

struct row {
	const char *name;
	unsigned status;
	const char *title, *cause, *detail; /* the title of a colour is its EquipmentStatus */
};

static const struct row rows[N5G_N_ANSWERS] = {
	[N5G_WHITE] = {"white", 200, "WHITELISTED", NULL, NULL},
	[N5G_GREY] = {"grey", 200, "GREYLISTED", NULL, NULL},
	[N5G_BLACK] = {"black", 200, "BLACKLISTED", NULL, NULL},
	[N5G_UNKNOWN] = {"unknown", 404, "Not Found", "ERROR_EQUIPMENT_UNKNOWN", NULL},
	[N5G_API_INVALID] = {"invalid-api", 400, "Bad Request", "INVALID_API", "this is n5g-eir-eic v1"},
	[N5G_PARAM_INVALID] = {"invalid-query-param", 400, "Bad Request", "INVALID_QUERY_PARAM", NULL},
	[N5G_PARAM_MISSING] = {"pei-missing", 400, "Bad Request", "MANDATORY_QUERY_PARAM_MISSING", NULL},
	[N5G_PARAM_INCORRECT] = {"pei-incorrect", 400, "Bad Request", "MANDATORY_QUERY_PARAM_INCORRECT", NULL},
	[N5G_OPTION_INCORRECT] = {"optional-incorrect", 400, "Bad Request", "OPTIONAL_QUERY_PARAM_INCORRECT", NULL},
	[N5G_AUTHORIZE_TWICE] = {"authorization-incorrect", 400, "Bad Request", "OPTIONAL_IE_INCORRECT",
				 "header authorization"},
	[N5G_TOKEN_MISSING] = {"token-missing", 401, "Unauthorized", NULL, "an access token is required"},
	[N5G_TOKEN_INVALID] = {"token-invalid", 401, "Unauthorized", NULL, "the access token is not accepted"},
	[N5G_TOKEN_SCOPE] = {"token-scope", 403, "Forbidden", NULL, "the access token is not for n5g-eir-eic"},
	[N5G_FORBIDDEN] = {"forbidden", 403, "Forbidden", NULL, "not allowed by configuration"},
	[N5G_PATH_UNKNOWN] = {"path-unknown", 404, "Not Found", "RESOURCE_URI_STRUCTURE_NOT_FOUND", NULL},
	[N5G_METHOD_WRONG] = {"method", 405, "Method Not Allowed", "METHOD_NOT_ALLOWED", NULL},
	[N5G_NOT_ACCEPTABLE] = {"not-acceptable", 406, "Not Acceptable", NULL, "application/json is what there is"},
	[N5G_BODY_TOO_LARGE] = {"body-too-large", 413, "Content Too Large", NULL, NULL},
	[N5G_URI_TOO_LONG] = {"uri-too-long", 414, "URI Too Long", NULL, NULL},
	[N5G_TOO_MANY] = {"too-many", 429, "Too Many Requests", "NF_CONGESTION_RISK", NULL},
	[N5G_FIELDS_TOO_LARGE] = {"header-too-large", 431, "Request Header Fields Too Large", NULL, NULL},
	[N5G_STORE_FAILED] = {"store-failed", 500, "Internal Server Error", "SYSTEM_FAILURE",
			      "the equipment register cannot be read"},
	[N5G_CONGESTED] = {"congested", 503, "Service Unavailable", "NF_CONGESTION", NULL},
	[N5G_TOKEN_BUSY] = {"token-busy", 503, "Service Unavailable", "NF_CONGESTION", "too many new access tokens"},
	[N5G_TIMED_OUT] = {"timed-out", 504, "Gateway Timeout", "TIMED_OUT_REQUEST", NULL},
};

const char *n5g_answer_name(enum n5g_answer answer)
{
	return (unsigned)answer < N5G_N_ANSWERS ? rows[answer].name : "?";
}

unsigned n5g_answer_status(enum n5g_answer answer)
{
	return (unsigned)answer < N5G_N_ANSWERS ? rows[answer].status : 500;
}

const char *n5g_answer_word(enum n5g_answer answer)
{
	if ((unsigned)answer >= N5G_N_ANSWERS)
		return "?";
	return rows[answer].cause ? rows[answer].cause : rows[answer].title;
}

#define BODY(text)                                                                                                     \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

/* Those that are not errors of anybody's. */
static const struct {
	const char *text;
	size_t len;
} bodies[] = {
	[N5G_WHITE] = BODY("{\"status\":\"WHITELISTED\"}"),
	[N5G_GREY] = BODY("{\"status\":\"GREYLISTED\"}"),
	[N5G_BLACK] = BODY("{\"status\":\"BLACKLISTED\"}"),
	[N5G_UNKNOWN] = BODY("{\"title\":\"Not Found\",\"status\":404,\"cause\":\"ERROR_EQUIPMENT_UNKNOWN\"}"),
};

static bool names_param(enum n5g_answer answer)
{
	return answer == N5G_PARAM_INVALID || answer == N5G_PARAM_MISSING || answer == N5G_PARAM_INCORRECT ||
	       answer == N5G_OPTION_INCORRECT;
}

const char *n5g_body(enum n5g_answer answer, const struct n5g_question *question, char buf[static SBI_PROBLEM_TEXT],
		     size_t *len, bool *constant)
{
	struct sbi_problem problem = {0};
	const struct row *row;

	*constant = answer < sizeof(bodies) / sizeof(bodies[0]);
	if (*constant) {
		*len = bodies[answer].len;
		return bodies[answer].text;
	}
	row = &rows[answer < N5G_N_ANSWERS ? answer : N5G_STORE_FAILED];
	problem.status = row->status;
	problem.title = row->title;
	problem.cause = row->cause;
	problem.detail = row->detail;
	problem.version = answer == N5G_API_INVALID ? &VERSION[1] : NULL;
	if (question && question->param && names_param(answer)) {
		problem.param = question->param;
		problem.param_len = question->param_len;
		problem.reason = question->reason;
	}
	*len = sbi_problem_print(buf, SBI_PROBLEM_TEXT, &problem);
	return buf;
}

/* --- path */

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

bool n5g_prefix_is_fit(const char *prefix)
{
	size_t len = strlen(prefix);

	if (!len)
		return true;
	if (prefix[0] != '/' || prefix[len - 1] == '/' || len > N5G_PREFIX_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_unreserved(prefix[i]) && !(prefix[i] == '/' && prefix[i + 1] != '/'))
			return false;
	}
	return true;
}

/* What is left of a path. */
struct path {
	const char *at, *end;
};

/* The next character; a percent-encoded one only where it is the same as the character itself (RFC 3986 2.3), else -1.
 */
static int path_next(struct path *path)
{
	char c = *path->at, decoded;

	if (c != '%') {
		path->at++;
		return (unsigned char)c;
	}
	if (path->end - path->at < 3 || sbi_decode(path->at, 3, &decoded, 1) != 1 || !is_unreserved(decoded))
		return -1;
	path->at += 3;
	return (unsigned char)decoded;
}

static bool path_takes(struct path *path, const char *word)
{
	struct path p = *path;

	if ((size_t)(p.end - p.at) >= strlen(word) && !memcmp(p.at, word, strlen(word))) {
		path->at += strlen(word);
		return true;
	}
	for (; *word; word++) {
		if (p.at >= p.end || path_next(&p) != (unsigned char)*word)
			return false;
	}
	*path = p;
	return true;
}

static bool path_ends_segment(const struct path *path)
{
	return path->at == path->end || *path->at == '/';
}

static enum n5g_answer read_path(struct path path, const char *prefix)
{
	if (!path_takes(&path, prefix) || !path_takes(&path, API) || !path_ends_segment(&path) ||
	    !path_takes(&path, VERSION) || !path_ends_segment(&path))
		return N5G_API_INVALID;
	return path_takes(&path, STATUS) && path.at == path.end ? N5G_WHITE : N5G_PATH_UNKNOWN;
}

/* --- identities */

struct value {
	const char *at;
	size_t len;
};

static bool begins(const struct value *v, const char *word)
{
	size_t len = strlen(word);

	return v->len >= len && !memcmp(v->at, word, len);
}

/* "-xx" n times from an offset; where it ends, or 0. */
static size_t hex_pairs(const struct value *v, size_t from, unsigned n)
{
	for (; n; n--, from += 3) {
		if (v->len - from < 3 || v->at[from] != '-' || !sbi_is_hex(v->at[from + 1]) ||
		    !sbi_is_hex(v->at[from + 2]))
			return 0;
	}
	return from;
}

static bool is_mac(const struct value *v)
{
	size_t end = hex_pairs(v, 3, 6);

	return end && (end == v->len || (v->len - end == 10 && !memcmp(v->at + end, "-untrusted", 10)));
}

static bool is_eui(const struct value *v)
{
	return hex_pairs(v, 3, 8) == v->len;
}

/* ".+" of the patterns: no control characters. */
static bool is_anything(const struct value *v)
{
	for (size_t i = 0; i < v->len; i++) {
		if ((unsigned char)v->at[i] < 0x20 || v->at[i] == 0x7f)
			return false;
	}
	return v->len;
}

static enum weir_imei_fault read_pei(const struct value *v, struct weir_imei *imei)
{
	struct weir_imei_reading reading;
	enum weir_imei_fault fault;

	if (begins(v, "imei-") || begins(v, "imeisv-")) {
		fault = imei_from_pei(v->at, v->len, &reading);
		*imei = reading.imei;
		return fault;
	}
	if (begins(v, "mac-") ? is_mac(v) : begins(v, "eui-") ? is_eui(v) : is_anything(v))
		return WEIR_IMEI_SCHEME;
	return v->len ? WEIR_IMEI_LETTER : WEIR_IMEI_EMPTY;
}

static bool read_supi(const struct value *v, struct weir_imsi *imsi)
{
	if (begins(v, "imsi-"))
		return imsi_from_text(v->at + 5, v->len - 5, imsi) == 0;
	return is_anything(v);
}

static bool is_gpsi(const struct value *v)
{
	struct weir_imsi digits; /* 5 to 15 of them, as an MSISDN here has */
	const char *at;

	if (begins(v, "msisdn-"))
		return imsi_from_text(v->at + 7, v->len - 7, &digits) == 0;
	if (begins(v, "extid-")) {
		at = memchr(v->at + 6, '@', v->len - 6);
		return at && at > v->at + 6 && at + 1 < v->at + v->len && is_anything(v);
	}
	return is_anything(v);
}

static bool is_features(const struct value *v)
{
	for (size_t i = 0; i < v->len; i++) {
		if (!sbi_is_hex(v->at[i]))
			return false;
	}
	return true;
}

/* --- query */

enum param {
	PEI = 0,
	SUPI,
	GPSI,
	FEATURES,
	CACHE_KEY, /* of a proxy on the way (TS 29.500 6.10.2.6): nothing to us */
	N_PARAMS
};

static const struct value param_names[N_PARAMS] = {[PEI] = {"pei", 3},
						   [SUPI] = {"supi", 4},
						   [GPSI] = {"gpsi", 4},
						   [FEATURES] = {"supported-features", 18},
						   [CACHE_KEY] = {"ck", 2}};

static enum n5g_answer wrong(struct n5g_question *q, enum param param, const char *reason)
{
	q->param = param_names[param].at;
	q->param_len = param_names[param].len;
	q->reason = reason;
	return N5G_OPTION_INCORRECT;
}

/* The pei's faults are the policy's to judge. */
static void pei_wrong(struct n5g_question *q, enum weir_imei_fault fault, const char *reason)
{
	wrong(q, PEI, reason);
	q->query.fault = fault;
	q->refusal = N5G_PARAM_INCORRECT;
}

static int find_param(const struct value *name)
{
	for (unsigned i = 0; i < N_PARAMS; i++) {
		if (name->len == param_names[i].len && !memcmp(name->at, param_names[i].at, name->len))
			return (int)i;
	}
	return -1;
}

/* A value as it is meant; buf is used where something has to be decoded.  NULL, or why it cannot be. */
static const char *decode(struct value *v, char buf[static N5G_VALUE_MAX])
{
	int n;

	if (!memchr(v->at, '%', v->len))
		return v->len <= N5G_VALUE_MAX ? NULL : "is too long";
	n = sbi_decode(v->at, v->len, buf, N5G_VALUE_MAX);
	if (n < 0)
		return n == -ENOSPC ? "is too long" : "its percent-encoding is broken";
	v->at = buf;
	v->len = (size_t)n;
	return NULL;
}

static enum n5g_answer take_param(struct n5g_question *q, enum param param, struct value v, bool again)
{
	char buf[N5G_VALUE_MAX];
	const char *reason = again ? "comes more than once" : decode(&v, buf);

	if (param == PEI) {
		enum weir_imei_fault fault = reason ? WEIR_IMEI_LETTER : read_pei(&v, &q->query.imei);
		if (!fault || fault == WEIR_IMEI_SCHEME)
			q->query.fault = fault;
		else
			pei_wrong(q, fault, reason ? reason : imei_fault_text(fault));
		return N5G_WHITE;
	}
	if (reason)
		return wrong(q, param, reason);
	if (param == SUPI && !read_supi(&v, &q->query.imsi))
		return wrong(q, param, "is not of the form of a SUPI");
	if (param == GPSI && !is_gpsi(&v))
		return wrong(q, param, "is not of the form of a GPSI");
	if (param == FEATURES && !is_features(&v))
		return wrong(q, param, "is not hexadecimal");
	return N5G_WHITE;
}

static enum n5g_answer take_pair(struct n5g_question *q, const char *at, const char *end, unsigned *seen)
{
	const char *equals = memchr(at, '=', (size_t)(end - at));
	struct value name = {at, (size_t)((equals ? equals : end) - at)};
	struct value value = {equals ? equals + 1 : end, (size_t)(equals ? end - equals - 1 : 0)};
	char buf[N5G_VALUE_MAX];
	struct value plain = name;
	int param = decode(&plain, buf) ? -1 : find_param(&plain);
	bool again;

	if (param < 0) {
		q->param = name.at;
		q->param_len = name.len;
		q->reason = "is not a parameter of this API";
		return N5G_PARAM_INVALID;
	}
	again = *seen & 1u << param;
	*seen |= 1u << param;
	return take_param(q, (enum param)param, value, again);
}

static enum n5g_answer read_query(const char *at, const char *end, struct n5g_question *q)
{
	enum n5g_answer answer;
	unsigned seen = 0;

	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		next = next ? next : end;
		answer = next == at ? N5G_WHITE : take_pair(q, at, next, &seen);
		if (answer != N5G_WHITE)
			return answer;
		at = next + 1;
	}
	if (!(seen & 1u << PEI)) {
		pei_wrong(q, WEIR_IMEI_EMPTY, "is missing");
		q->refusal = N5G_PARAM_MISSING;
	}
	return N5G_WHITE;
}

static void begin(struct n5g_question *q)
{
	memset(q, 0, sizeof(*q));
	q->query.imei.svn = WEIR_NO_SVN;
	q->query.interface = WEIR_IF_N5G;
	q->query.fault = WEIR_IMEI_EMPTY;
	q->refusal = N5G_PARAM_INCORRECT;
}

enum n5g_answer n5g_read(const char *method, size_t method_len, const char *path, size_t path_len, const char *prefix,
			 const char *accept, size_t accept_len, struct n5g_question *q)
{
	const char *end = path + path_len, *mark;
	enum n5g_answer answer;

	begin(q);
	if (path_len > N5G_PATH_MAX)
		return N5G_URI_TOO_LONG;
	mark = memchr(path, '?', path_len);
	answer = read_path((struct path){path, mark ? mark : end}, prefix);
	if (answer != N5G_WHITE)
		return answer;
	if (method_len != 3 || memcmp(method, "GET", 3))
		return N5G_METHOD_WRONG;
	if (accept && !sbi_accepts_json(accept, accept_len))
		return N5G_NOT_ACCEPTABLE;
	return read_query(mark ? mark + 1 : end, end, q);
}
