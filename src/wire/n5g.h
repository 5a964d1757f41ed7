/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* N5g-eir_EquipmentIdentityCheck (TS 29.511): a request's method, target and Accept become a question, verdicts become
 * status codes and bodies.
 *
 *     GET {apiRoot}/n5g-eir-eic/v1/equipment-status?pei=...[&supi=...][&gpsi=...][&supported-features=...]
 *
 * What is looked at, in this order, the first that is wrong being the answer:
 *  length    more than N5G_PATH_MAX octets: 414
 *  path      another API, or another version of it: 400 INVALID_API; another resource in it: 404
 *            RESOURCE_URI_STRUCTURE_NOT_FOUND.  Letters, digits and "-._~" may be percent-encoded (RFC 3986 6.2.2.2)
 *  method    not GET: 405
 *  accept    application/json is not accepted: 406
 *  query     parameters in any order.  One that is not of the API: 400 INVALID_QUERY_PARAM (TS 29.500 5.2.9 leaves a
 *            server the choice; who misspells "supi" should hear of it).  supi, gpsi, supported-features: 400
 *            OPTIONAL_QUERY_PARAM_INCORRECT where they are not of their pattern (TS 29.571), cannot be decoded, or come
 *            twice
 *            ck, the cache key of proxies, is ignored
 *  pei       missing, not of its pattern, or twice: the question has a fault.  It is counted and judged like any other
 *            check of a device that cannot be read; where the policy refuses it, 400 MANDATORY_QUERY_PARAM_MISSING or
 *            _INCORRECT
 *
 * A pei that is no IMEI but good (mac-, eui-, or another kind: the pattern ends in ".+") has the fault
 * WEIR_IMEI_SCHEME: the policy takes it for a device on no list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/verdict.h"
#include "wire/sbi.h"

#define N5G_PATH_MAX   2048
#define N5G_PREFIX_MAX 128
#define N5G_VALUE_MAX  320 /* octets of a decoded parameter; the longest, a NAI, has 253 */

/* What can become of a request; each is a row of a table with its status code and cause. */
enum n5g_answer {
	N5G_WHITE = 0, /* the first three equal the colours */
	N5G_GREY,
	N5G_BLACK,
	N5G_UNKNOWN,          /* 404 ERROR_EQUIPMENT_UNKNOWN */
	N5G_API_INVALID,      /* 400 INVALID_API */
	N5G_PARAM_INVALID,    /* 400 INVALID_QUERY_PARAM */
	N5G_PARAM_MISSING,    /* 400 MANDATORY_QUERY_PARAM_MISSING */
	N5G_PARAM_INCORRECT,  /* 400 MANDATORY_QUERY_PARAM_INCORRECT */
	N5G_OPTION_INCORRECT, /* 400 OPTIONAL_QUERY_PARAM_INCORRECT */
	N5G_AUTHORIZE_TWICE,  /* 400 OPTIONAL_IE_INCORRECT */
	N5G_TOKEN_MISSING,    /* 401 */
	N5G_TOKEN_INVALID,    /* 401 */
	N5G_TOKEN_SCOPE,      /* 403 */
	N5G_FORBIDDEN,        /* 403: this client or this subscriber may not */
	N5G_PATH_UNKNOWN,     /* 404 RESOURCE_URI_STRUCTURE_NOT_FOUND */
	N5G_METHOD_WRONG,     /* 405 */
	N5G_NOT_ACCEPTABLE,   /* 406 */
	N5G_BODY_TOO_LARGE,   /* 413 */
	N5G_URI_TOO_LONG,     /* 414 */
	N5G_TOO_MANY,         /* 429 NF_CONGESTION_RISK: more than this client may ask */
	N5G_FIELDS_TOO_LARGE, /* 431 */
	N5G_STORE_FAILED,     /* 500 SYSTEM_FAILURE */
	N5G_CONGESTED,        /* 503 NF_CONGESTION: more than the gate takes on */
	N5G_TOKEN_BUSY,       /* 503 NF_CONGESTION: more new tokens than are verified */
	N5G_TIMED_OUT,        /* 504 TIMED_OUT_REQUEST */
	N5G_N_ANSWERS
};
const char *n5g_answer_name(enum n5g_answer answer); /* for metrics: "white", "invalid-api" ... */
unsigned n5g_answer_status(enum n5g_answer answer);
const char *n5g_answer_word(enum n5g_answer answer); /* its EquipmentStatus, else its cause, else its title */

struct n5g_question {
	struct weir_query query;
	/* Of what is wrong: the parameter's name (into the request's path, not decoded, or constant) and a few words.
	 */
	const char *param, *reason;
	size_t param_len;
	enum n5g_answer refusal; /* of the pei's fault, should the policy refuse it */
};

/* Read a request.  prefix: of the apiRoot, "" or beginning with '/'.  accept NULL: none was sent.  N5G_WHITE: there is
 * a question to decide; else the answer. question is always set. */
enum n5g_answer n5g_read(const char *method, size_t method_len, const char *path, size_t path_len, const char *prefix,
			 const char *accept, size_t accept_len, struct n5g_question *question);

/* The body of an answer: constant (*constant true) or printed into buf, which must have SBI_PROBLEM_TEXT.  question may
 * be NULL. */
const char *n5g_body(enum n5g_answer answer, const struct n5g_question *question, char buf[static SBI_PROBLEM_TEXT],
		     size_t *len, bool *constant);

/* Is this fit to be a prefix of the apiRoot: "" or "/segment..." of unreserved characters, not ending in '/'? */
bool n5g_prefix_is_fit(const char *prefix);
