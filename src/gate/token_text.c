/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Reading a token's words: three segments, base64url, two JSON objects.  Knows no key and believes nothing. */
#include "gate/token_text.h"

#include <jansson.h>

#include <string.h>
#include <strings.h>

/* RSA keys of 2048 to 8192 bits. */
#define RSA_MIN 256
#define RSA_MAX 1024

static const struct {
	const char *name;
	size_t signature_min, signature_max; /* octets: RFC 7518 3.4 for ES*, the modulus for RS* */
} algs[TOKEN_N_ALGS] = {
	[TOKEN_ES256] = {"ES256", 64, 64},           [TOKEN_ES384] = {"ES384", 96, 96},
	[TOKEN_RS256] = {"RS256", RSA_MIN, RSA_MAX}, [TOKEN_RS384] = {"RS384", RSA_MIN, RSA_MAX},
	[TOKEN_RS512] = {"RS512", RSA_MIN, RSA_MAX},
};

/* --- base64url (RFC 4648 5), without padding (RFC 7515 2) */

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

struct segment {
	const char *text;
	size_t len;
};

/* Octets, or -1.  Bits behind the last octet must be zero: one value has one spelling. */
static ssize_t segment_decode(const struct segment *segment, char *out, size_t size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (segment->len % 4 == 1)
		return -1;
	for (size_t i = 0; i < segment->len; i++) {
		int six = sextet(segment->text[i]);
		if (six < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)six) & 0xffffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == size)
			return -1;
		out[n++] = (char)(bits >> have);
	}
	return bits & ((1u << have) - 1) ? -1 : (ssize_t)n;
}

static bool split(const char *text, size_t len, struct segment segment[static 3])
{
	const char *end = text + len;

	for (unsigned i = 0; i < 3; i++) {
		const char *dot = i < 2 ? memchr(text, '.', end - text) : end;
		if (!dot || dot == text)
			return false;
		segment[i] = (struct segment){text, dot - text};
		text = i < 2 ? dot + 1 : end;
	}
	return true;
}

static json_t *segment_json(const struct segment *segment)
{
	char octets[TOKEN_MAX_TEXT * 3 / 4];
	ssize_t n = segment_decode(segment, octets, sizeof(octets));
	json_t *json = n > 0 ? json_loadb(octets, n, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (json && !json_is_object(json)) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* --- the header */

static bool alg_from_text(const char *text, enum token_alg *alg)
{
	for (unsigned i = 0; text && i < TOKEN_N_ALGS; i++) {
		if (!strcmp(text, algs[i].name)) {
			*alg = i;
			return true;
		}
	}
	return false;
}

/* A member that is a text of 1 to size - 1 octets; NULL else. */
static const char *short_text(const json_t *object, const char *name, size_t size)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) && json_string_length(value) && json_string_length(value) < size
		       ? json_string_value(value)
		       : NULL;
}

static const char *header_read(const json_t *header, struct token_claims *claims)
{
	const json_t *typ = json_object_get(header, "typ");
	const char *kid = short_text(header, "kid", sizeof(claims->kid));

	if (!alg_from_text(json_string_value(json_object_get(header, "alg")), &claims->alg))
		return "alg is none that is taken";
	if (json_object_get(header, "crit"))
		return "it has critical extensions";
	if (typ && (!json_is_string(typ) || strcasecmp(json_string_value(typ), "JWT")))
		return "typ is not JWT";
	claims->has_kid = json_object_get(header, "kid");
	if (claims->has_kid && !kid)
		return "kid is no text of a usable length";
	if (kid)
		memcpy(claims->kid, kid, strlen(kid) + 1);
	return NULL;
}

/* --- the claims */

static bool is_us(const json_t *value, const char *instance_id)
{
	const char *text = json_string_value(value);

	return text && (!strcmp(text, TOKEN_AUDIENCE) || (*instance_id && !strcasecmp(text, instance_id)));
}

static bool audience_has_us(const json_t *aud, const char *instance_id)
{
	if (!json_is_array(aud))
		return is_us(aud, instance_id);
	for (size_t i = 0; i < json_array_size(aud); i++) {
		if (is_us(json_array_get(aud, i), instance_id))
			return true;
	}
	return false;
}

/* Words with single blanks between them (RFC 6749 3.3). */
static bool scope_has(const char *scope, const char *word)
{
	size_t len = strlen(word);

	while (scope && *scope) {
		size_t n = strcspn(scope, " ");
		if (n == len && !memcmp(scope, word, len))
			return true;
		scope += n + (scope[n] == ' ');
	}
	return false;
}

/* A NumericDate (RFC 7519 2), which may have a fraction; 0 where it is none. */
static int64_t moment(const json_t *value)
{
	double s = json_number_value(value);

	return s >= 1 && s < 9e15 ? (int64_t)s : 0;
}

static bool moment_or_absent(const json_t *claims, const char *name, int64_t *out)
{
	const json_t *value = json_object_get(claims, name);

	*out = moment(value);
	return !value || *out;
}

static void subject_read(const json_t *claims, char out[static TOKEN_SUBJECT_TEXT])
{
	const char *sub = short_text(claims, "sub", TOKEN_SUBJECT_TEXT);

	for (const char *p = sub; p && *p; p++) {
		if (*p <= ' ' || *p > '~')
			return;
	}
	for (size_t i = 0; sub && sub[i]; i++)
		out[i] = (char)(sub[i] >= 'A' && sub[i] <= 'Z' ? sub[i] - 'A' + 'a' : sub[i]);
}

static const char *claims_read(const json_t *json, const char *instance_id, struct token_claims *claims)
{
	const char *iss = short_text(json, "iss", sizeof(claims->issuer));

	claims->exp_s = moment(json_object_get(json, "exp"));
	if (!claims->exp_s)
		return "exp is not there or no time";
	if (!moment_or_absent(json, "nbf", &claims->nbf_s) || !moment_or_absent(json, "iat", &claims->iat_s))
		return "nbf or iat is no time";
	if (iss)
		memcpy(claims->issuer, iss, strlen(iss) + 1);
	subject_read(json, claims->subject);
	claims->for_us = audience_has_us(json_object_get(json, "aud"), instance_id);
	claims->has_scope = scope_has(json_string_value(json_object_get(json, "scope")), TOKEN_SCOPE);
	return NULL;
}

static const char *signature_check(const struct segment *segment, enum token_alg alg)
{
	char octets[RSA_MAX];
	ssize_t n = segment_decode(segment, octets, sizeof(octets));

	if (n < (ssize_t)algs[alg].signature_min || n > (ssize_t)algs[alg].signature_max)
		return "the signature has not the length of its alg";
	return NULL;
}

/* --- all of it */

const char *token_read(const char *text, size_t len, const char *instance_id, struct token_claims *claims)
{
	struct segment segment[3];
	json_t *header = NULL, *body = NULL;
	const char *wrong;

	memset(claims, 0, sizeof(*claims));
	if (len > TOKEN_MAX_TEXT)
		return "it is too long";
	if (!split(text, len, segment))
		return "it has not three parts";
	header = segment_json(&segment[0]);
	body = segment_json(&segment[1]);
	wrong = header && body ? header_read(header, claims) : "a part is no base64url of a JSON object";
	if (!wrong)
		wrong = signature_check(&segment[2], claims->alg);
	if (!wrong)
		wrong = claims_read(body, instance_id, claims);
	json_decref(header);
	json_decref(body);
	if (wrong)
		memset(claims, 0, sizeof(*claims));
	return wrong;
}
