/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Access tokens: each rule of gate/token.h has a row, and each token that passes is shown to fail when one letter of it
 * is another. */
#include "rows.h"

#include <talloc.h>

#include "gate/token.h"
#include "gate/token_key.h"
#include "token_forge.h"

#define NOW_S  1700000000ll
#define NOW_US (NOW_S * 1000000)
#define US     "4947a69a-f61b-4bc1-b9da-47c9c5d14b64"
#define NRF    "0a1b2c3d-0000-4000-8000-00000000000f"
#define AMF    "9faf1bbc-6e4a-4454-a507-a14ef8e1bc5c"
#define TEXT   (2 * TOKEN_MAX_TEXT)

enum {
	K_P256,
	K_OTHER,
	K_P384,
	K_RSA,
	N_KEYS
};

static const struct {
	enum forge_kind kind;
	const char *kid, *file;
} wanted[N_KEYS] = {
	[K_P256] = {FORGE_P256, "one", "p256.pem"},
	[K_OTHER] = {FORGE_P256, "none", "other.pem"}, /* never configured */
	[K_P384] = {FORGE_P384, "two", "p384.pem"},
	[K_RSA] = {FORGE_RSA2048, "", "rsa.pem"},
};

static struct scratch scratch;
static struct forge_key *key[N_KEYS];
static struct token_config config;
static struct tokens *tokens;
static struct token_asker asker;

static const char *write_pem(const char *name, const char *pem)
{
	scratch_write_at(scratch_path(&scratch, name), pem, strlen(pem), 0);
	return scratch_path(&scratch, name);
}

static void config_key(struct token_config *to, const char *path, const char *kid)
{
	struct token_key_config *at = &to->key[to->n_keys++];

	snprintf(at->file, sizeof(at->file), "%s", path);
	snprintf(at->kid, sizeof(at->kid), "%s", kid);
}

static int make_all(void **state)
{
	char pem[8192];

	(void)state;
	scratch_make(&scratch);
	config.mode = TOKEN_REQUIRED;
	strcpy(config.issuer, NRF);
	for (unsigned i = 0; i < N_KEYS; i++) {
		key[i] = forge_key_make(wanted[i].kind);
		if (i == K_RSA)
			forge_key_certificate(key[i], pem, sizeof(pem));
		else
			forge_key_public(key[i], pem, sizeof(pem));
		if (i != K_OTHER)
			config_key(&config, write_pem(wanted[i].file, pem), wanted[i].kid);
	}
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_KEYS; i++)
		forge_key_free(key[i]);
	scratch_remove(&scratch);
	return 0;
}

static int make_tokens(void **state)
{
	struct weir_why why;

	(void)state;
	tokens = tokens_alloc(NULL);
	asker = (struct token_asker){.known = false};
	assert_non_null(tokens);
	assert_int_equal(tokens_prepare(tokens, &config, US, &why), 0);
	tokens_commit(tokens);
	return 0;
}

static int free_tokens(void **state)
{
	(void)state;
	tokens_free(tokens);
	return 0;
}

static uint64_t counted(const char *name)
{
	struct counter_table table = token_counter_table(tokens);

	for (unsigned i = 0; i < table.n; i++) {
		if (!strcmp(table.row[i].name, name))
			return counter_value(&table, &table.row[i]);
	}
	fail_msg("no counter %s", name);
	return 0;
}

/* --- one row a rule */

#define HEAD(alg)          "{\"alg\":\"" alg "\",\"typ\":\"JWT\"}"
#define CLAIMS(aud, scope) CLAIMS_AT(aud, scope, "\"exp\":1700000600")
#define CLAIMS_AT(aud, scope, times)                                                                                   \
	"{\"iss\":\"" NRF "\",\"sub\":\"" AMF "\",\"aud\":" aud ",\"scope\":\"" scope "\"," times "}"
#define GOOD_CLAIMS CLAIMS("\"5G_EIR\"", "n5g-eir-eic")

struct row {
	const char *name;
	unsigned key;
	const char *alg, *header, *claims;
	enum token_answer answer;
	unsigned verified; /* signatures looked at until then */
};

static const struct row rows[] = {
	{"ES256 for our type", K_P256, "ES256", HEAD("ES256"), GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"ES384 for our type", K_P384, "ES384", HEAD("ES384"), GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"RS256 for our type", K_RSA, "RS256", HEAD("RS256"), GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"RS384 for our type", K_RSA, "RS384", HEAD("RS384"), GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"RS512 for our type", K_RSA, "RS512", HEAD("RS512"), GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"a header without typ", K_P256, "ES256", "{\"alg\":\"ES256\"}", GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"kid of its key", K_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"one\"}", GOOD_CLAIMS, TOKEN_GOOD, 1},
	{"a key without kid takes any", K_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"elsewhere\"}", GOOD_CLAIMS,
	 TOKEN_GOOD, 1},
	{"for our instance", K_P256, "ES256", HEAD("ES256"), CLAIMS("\"" US "\"", "n5g-eir-eic"), TOKEN_GOOD, 1},
	{"for several, us among them", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS("[\"" AMF "\",7,\"4947A69A-F61B-4BC1-B9DA-47C9C5D14B64\"]", "n5g-eir-eic"), TOKEN_GOOD, 1},
	{"our scope among others", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS("\"5G_EIR\"", "namf-comm n5g-eir-eic nudm-sdm"), TOKEN_GOOD, 1},
	{"nbf and iat within the leeway", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"nbf\":1700000030,\"iat\":1700000030,\"exp\":1700000600.5"),
	 TOKEN_GOOD, 1},
	{"exp in the next second", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1700000001"), TOKEN_GOOD, 1},

	{"exp now", K_P256, "ES256", HEAD("ES256"), CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1700000000"),
	 TOKEN_INVALID, 0},
	{"no exp", K_P256, "ES256", HEAD("ES256"), CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"x\":1"), TOKEN_INVALID, 0},
	{"exp as a text", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":\"1700000600\""), TOKEN_INVALID, 0},
	{"exp beyond any year", K_P256, "ES256", HEAD("ES256"), CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1e300"),
	 TOKEN_INVALID, 0},
	{"exp twice", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1700000600,\"exp\":1700000600"), TOKEN_INVALID, 0},
	{"nbf in the future", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"nbf\":1700000031,\"exp\":1700000600"), TOKEN_INVALID, 0},
	{"iat in the future", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"iat\":1700000031,\"exp\":1700000600"), TOKEN_INVALID, 0},
	{"nbf as a text", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"nbf\":\"1\",\"exp\":1700000600"), TOKEN_INVALID, 0},
	{"another NF type", K_P256, "ES256", HEAD("ES256"), CLAIMS("\"UDM\"", "n5g-eir-eic"), TOKEN_INVALID, 0},
	{"our NF type in small letters", K_P256, "ES256", HEAD("ES256"), CLAIMS("\"5g_eir\"", "n5g-eir-eic"),
	 TOKEN_INVALID, 0},
	{"another instance", K_P256, "ES256", HEAD("ES256"), CLAIMS("\"" AMF "\"", "n5g-eir-eic"), TOKEN_INVALID, 0},
	{"an audience of nobody", K_P256, "ES256", HEAD("ES256"), CLAIMS("[]", "n5g-eir-eic"), TOKEN_INVALID, 0},
	{"no audience", K_P256, "ES256", HEAD("ES256"),
	 "{\"iss\":\"" NRF "\",\"scope\":\"n5g-eir-eic\",\"exp\":1700000600}", TOKEN_INVALID, 0},
	{"another issuer", K_P256, "ES256", HEAD("ES256"),
	 "{\"iss\":\"" AMF "\",\"aud\":\"5G_EIR\",\"scope\":\"n5g-eir-eic\",\"exp\":1700000600}", TOKEN_INVALID, 0},
	{"no issuer", K_P256, "ES256", HEAD("ES256"),
	 "{\"aud\":\"5G_EIR\",\"scope\":\"n5g-eir-eic\",\"exp\":1700000600}", TOKEN_INVALID, 0},
	{"a kid that no key of its alg has", K_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"two\"}", GOOD_CLAIMS,
	 TOKEN_INVALID, 0},
	{"a kid that is a number", K_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":1}", GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"another typ", K_P256, "ES256", "{\"alg\":\"ES256\",\"typ\":\"JOSE\"}", GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"critical extensions", K_P256, "ES256", "{\"alg\":\"ES256\",\"crit\":[\"b64\"]}", GOOD_CLAIMS, TOKEN_INVALID,
	 0},
	{"alg none with a signature", K_P256, "ES256", HEAD("none"), GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"alg in small letters", K_P256, "ES256", HEAD("es256"), GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"no alg", K_P256, "ES256", "{\"typ\":\"JWT\"}", GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"alg twice", K_P256, "ES256", "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"ES512, which no key is for", K_P256, "ES512", HEAD("ES512"), GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"ES256 of 132 octets", K_P256, "ES512", HEAD("ES256"), GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"ES256 by a key of another curve", K_P384, "ES256", "{\"alg\":\"ES256\",\"kid\":\"two\"}", GOOD_CLAIMS,
	 TOKEN_INVALID, 0},
	{"RS256 by an ES256 signature", K_P256, "ES256", HEAD("RS256"), GOOD_CLAIMS, TOKEN_INVALID, 0},
	{"RS512 in name, RS256 in fact", K_RSA, "RS256", HEAD("RS512"), GOOD_CLAIMS, TOKEN_INVALID, 1},
	{"a key that nobody configured", K_OTHER, "ES256", HEAD("ES256"), GOOD_CLAIMS, TOKEN_INVALID, 1},
	{"claims that are no object", K_P256, "ES256", HEAD("ES256"), "[1]", TOKEN_INVALID, 0},
	{"claims that are no JSON", K_P256, "ES256", HEAD("ES256"), "{", TOKEN_INVALID, 0},
	{"claims with more behind them", K_P256, "ES256", HEAD("ES256"), GOOD_CLAIMS "{}", TOKEN_INVALID, 0},

	{"no scope", K_P256, "ES256", HEAD("ES256"), "{\"iss\":\"" NRF "\",\"aud\":\"5G_EIR\",\"exp\":1700000600}",
	 TOKEN_NO_SCOPE, 1},
	{"another scope", K_P256, "ES256", HEAD("ES256"), CLAIMS("\"5G_EIR\"", "nudm-sdm"), TOKEN_NO_SCOPE, 1},
	{"our scope as a part of a word", K_P256, "ES256", HEAD("ES256"),
	 CLAIMS("\"5G_EIR\"", "xn5g-eir-eic n5g-eir-eic:x n5g-eir-ei"), TOKEN_NO_SCOPE, 1},
	{"another scope by a key that nobody configured", K_OTHER, "ES256", HEAD("ES256"),
	 CLAIMS("\"5G_EIR\"", "nudm-sdm"), TOKEN_INVALID, 1},
};

static void test_row(void **state)
{
	const struct row *row = *state;
	struct token_result result;
	char text[TEXT];

	make_tokens(NULL);
	forge_token(text, sizeof(text), key[row->key], row->alg, row->header, row->claims);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), row->answer);
	assert_int_equal(counted("verified"), row->verified);
	assert_true((row->answer == TOKEN_GOOD) == (result.why == NULL));
	assert_true((row->answer == TOKEN_GOOD) == (result.expires_s > NOW_S));
	assert_string_equal(result.subject, row->answer == TOKEN_GOOD ? AMF : "");
	/* and once more from memory: the same, and no work */
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), row->answer);
	assert_int_equal(counted("verified"), row->verified);
	free_tokens(NULL);
}

/* --- whole tokens turned over */

static enum token_answer check(const char *text, size_t len)
{
	struct token_result result;

	return token_check(tokens, &asker, text, len, NOW_US, &result);
}

/* A copy of exactly these octets, so that the sanitizer sees a step beyond them. */
static enum token_answer check_exact(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	enum token_answer answer;

	assert_non_null(copy);
	memcpy(copy, text, len);
	answer = check(copy, len);
	free(copy);
	return answer;
}

static void test_every_prefix_is_refused(void **state)
{
	char text[TEXT];
	size_t len;

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	len = strlen(text);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(check_exact(text, n), TOKEN_INVALID);
	assert_int_equal(check_exact(text, len), TOKEN_GOOD);
}

/* Each letter replaced by its neighbour in the alphabet, which changes its lowest bit.  The clock moves, so that the
 * rate of verifications is not what refuses. */
static void test_every_letter_counts(void **state)
{
	struct token_result result;
	char text[TEXT];
	size_t len;

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"),
		    CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1799999999"));
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		char good = text[i];
		text[i] = good == '.'   ? '-'
			  : good == 'B' ? 'A'
			  : good == 'A' ? 'B'
			  : good == '9' ? '8'
			  : good == 'z' ? 'y'
			  : good == 'Z' ? 'Y'
			  : good == '_' ? '-'
			  : good == '-' ? '_'
					: (char)(good ^ 1);
		assert_int_equal(token_check(tokens, &asker, text, len, NOW_US + (int64_t)i * 1000000, &result),
				 TOKEN_INVALID);
		text[i] = good;
	}
	assert_int_equal(token_check(tokens, &asker, text, len, NOW_US + (int64_t)len * 1000000, &result), TOKEN_GOOD);
}

static void test_one_value_has_one_spelling(void **state)
{
	char text[TEXT], other[TEXT + 8];
	size_t len;

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	len = strlen(text);
	assert_int_equal(check(text, len), TOKEN_GOOD);
	/* 64 octets are 86 letters, the last of which carries four bits that mean nothing */
	memcpy(other, text, len + 1);
	other[len - 1] = (char)(other[len - 1] == 'A' || other[len - 1] == 'Q' ? other[len - 1] + 1
				: other[len - 1] == 'g'                        ? 'h'
									       : 'x');
	assert_int_equal(check(other, len), TOKEN_INVALID);
	snprintf(other, sizeof(other), "%s==", text);
	assert_int_equal(check(other, len + 2), TOKEN_INVALID);
	snprintf(other, sizeof(other), "%s.", text);
	assert_int_equal(check(other, len + 1), TOKEN_INVALID);
	snprintf(other, sizeof(other), "%s ", text);
	assert_int_equal(check(other, len + 1), TOKEN_INVALID);
	memcpy(other, text, len + 1);
	assert_int_equal(check(other, len + 1), TOKEN_INVALID); /* with the NUL */
	assert_int_equal(counted("verified"), 1);
}

static void test_none_and_secrets_are_refused(void **state)
{
	char text[TEXT], pem[8192];

	(void)state;
	text[0] = '\0';
	forge_append(text, sizeof(text), "{\"alg\":\"none\"}", 14);
	strcat(text, ".");
	forge_append(text, sizeof(text), GOOD_CLAIMS, strlen(GOOD_CLAIMS));
	strcat(text, ".");
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
	strcat(text, "AAAA");
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);

	/* the public key, which everybody has, as the secret */
	forge_key_public(key[K_P256], pem, sizeof(pem));
	forge_token_hs256(text, sizeof(text), pem, HEAD("HS256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
	forge_token_hs256(text, sizeof(text), pem, HEAD("ES256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
	forge_token_hs256(text, sizeof(text), "", HEAD("HS256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
	assert_int_equal(counted("verified"), 0);
}

static void forge_padded(char *text, size_t size, size_t padding)
{
	char claims[TEXT];

	snprintf(claims, sizeof(claims), "%.*s,\"x\":\"%0*d\"}", (int)strlen(GOOD_CLAIMS) - 1, GOOD_CLAIMS,
		 (int)padding, 0);
	forge_token(text, size, key[K_P256], "ES256", HEAD("ES256"), claims);
}

static void test_the_longest_and_longer(void **state)
{
	static char text[2 * TEXT];
	size_t padding = 2500;

	(void)state;
	for (forge_padded(text, sizeof(text), padding); strlen(text) <= TOKEN_MAX_TEXT - 4; padding++)
		forge_padded(text, sizeof(text), padding);
	assert_true(strlen(text) <= TOKEN_MAX_TEXT);
	assert_int_equal(check_exact(text, strlen(text)), TOKEN_GOOD);
	forge_padded(text, sizeof(text), padding + 8);
	assert_true(strlen(text) > TOKEN_MAX_TEXT);
	assert_int_equal(check_exact(text, strlen(text)), TOKEN_INVALID);
	memset(text, '[', sizeof(text));
	assert_int_equal(check(text, TOKEN_MAX_TEXT), TOKEN_INVALID);
	assert_int_equal(check(text, sizeof(text)), TOKEN_INVALID);
}

static void test_deep_claims_are_refused(void **state)
{
	char text[TEXT], claims[3000];

	(void)state;
	memset(claims, '[', sizeof(claims) - 1);
	claims[sizeof(claims) - 1] = '\0';
	memcpy(claims, "{\"a\":", 5);
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), claims);
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
}

static void test_subjects_that_cannot_be_printed(void **state)
{
	struct token_result result;
	char text[TEXT];

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"),
		    "{\"iss\":\"" NRF "\",\"sub\":\"a\\nb\",\"aud\":\"5G_EIR\",\"scope\":\"n5g-eir-eic\","
		    "\"exp\":1700000600}");
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), TOKEN_GOOD);
	assert_string_equal(result.subject, "");
}

/* --- memory and rate */

static void test_remembered_until_it_ends(void **state)
{
	struct token_result result;
	char text[TEXT];

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), TOKEN_GOOD);
	assert_int_equal(counted("verified"), 1);
	assert_int_equal(counted("remembered"), 999);
	assert_int_equal(tokens_remembered(tokens), 1);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US + 599999999, &result), TOKEN_GOOD);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US + 600000000, &result), TOKEN_INVALID);
	assert_int_equal(tokens_remembered(tokens), 0);
}

/* Distinct tokens of the same claims: the n-th. */
static void forge_numbered(char *text, size_t size, unsigned by, unsigned n)
{
	char claims[512];

	snprintf(claims, sizeof(claims),
		 "{\"iss\":\"" NRF "\",\"sub\":\"%u\",\"aud\":\"5G_EIR\",\"scope\":\"n5g-eir-eic\",\"exp\":1700009999}",
		 n);
	forge_token(text, size, key[by], "ES256", HEAD("ES256"), claims);
}

static void test_verifications_have_a_rate(void **state)
{
	unsigned busy = 0, good = 0;
	struct token_result result;
	char text[TEXT];

	(void)state;
	forge_numbered(text, sizeof(text), K_P256, 0);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), TOKEN_GOOD);
	for (unsigned i = 1; i < 200; i++) {
		char other[TEXT];
		enum token_answer answer;
		forge_numbered(other, sizeof(other), K_P256, i);
		answer = token_check(tokens, &asker, other, strlen(other), NOW_US, &result);
		busy += answer == TOKEN_BUSY;
		good += answer == TOKEN_GOOD;
	}
	assert_int_equal(good + busy, 199);
	assert_in_range(good, 1, TOKEN_PER_S);
	assert_int_equal(counted("busy"), busy);
	/* whom we know is not troubled, and a second later there is room */
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), TOKEN_GOOD);
	forge_numbered(text, sizeof(text), K_P256, 199);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US, &result), TOKEN_BUSY);
	assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US + 1000000, &result), TOKEN_GOOD);
}

/* Enough bad ones to fill the memory of good ones several times, all of which would be kept for longer. */
static void test_bad_ones_do_not_push_out_good_ones(void **state)
{
	const unsigned n = 3 * TOKEN_ACCEPTED;
	char good[TEXT], bad[TEXT];
	struct token_result result;
	int64_t at_us = NOW_US;

	(void)state;
	forge_token(good, sizeof(good), key[K_P256], "ES256", HEAD("ES256"),
		    CLAIMS_AT("\"5G_EIR\"", "n5g-eir-eic", "\"exp\":1700000070"));
	assert_int_equal(token_check(tokens, &asker, good, strlen(good), at_us, &result), TOKEN_GOOD);
	for (unsigned i = 0; i < n; i++, at_us += 1000000 / TOKEN_KEPT_PER_S) {
		forge_numbered(bad, sizeof(bad), K_OTHER, i);
		assert_int_equal(token_check(tokens, &asker, bad, strlen(bad), at_us, &result), TOKEN_INVALID);
	}
	assert_int_equal(counted("verified"), 1 + n);
	assert_int_equal(token_check(tokens, &asker, good, strlen(good), at_us, &result), TOKEN_GOOD);
	assert_int_equal(token_check(tokens, &asker, bad, strlen(bad), at_us, &result), TOKEN_INVALID);
	assert_int_equal(counted("verified"), 1 + n);
	/* a minute later it is looked at again */
	assert_int_equal(token_check(tokens, &asker, bad, strlen(bad), at_us + 61000000, &result), TOKEN_INVALID);
	assert_int_equal(counted("verified"), 2 + n);
}

static void test_more_than_fit_are_still_judged(void **state)
{
	struct token_result result;
	char text[TEXT];

	(void)state;
	for (unsigned i = 0; i < TOKEN_ACCEPTED + 200; i++) {
		forge_numbered(text, sizeof(text), K_P256, i);
		assert_int_equal(token_check(tokens, &asker, text, strlen(text), NOW_US + i * 20000, &result),
				 TOKEN_GOOD);
	}
	assert_in_range(tokens_remembered(tokens), TOKEN_ACCEPTED / 2, TOKEN_ACCEPTED);
}

static struct token_asker asker_at(unsigned host)
{
	char text[32];
	struct token_asker at = {.known = false};

	snprintf(text, sizeof(text), "10.0.%u.%u", host / 250, host % 250 + 1);
	assert_int_equal(address_from_text(text, 1000 + host, &at.from), 0);
	return at;
}

/* What so many addresses can make of tokens that nobody signed, on a new connection each time. */
static void flood(unsigned addresses, int64_t now_us)
{
	static unsigned n;
	struct token_result result;
	char text[TEXT];

	for (unsigned i = 0; i < 500; i++) {
		struct token_asker forger = asker_at(100 + i % addresses);
		enum token_answer answer;
		forge_numbered(text, sizeof(text), K_OTHER, n++);
		answer = token_check(tokens, &forger, text, strlen(text), now_us, &result);
		assert_true(answer == TOKEN_INVALID || answer == TOKEN_BUSY);
	}
}

static void test_forgers_keep_nobody_out(void **state)
{
	struct token_asker amf = asker_at(1);
	struct token_result result;
	char text[TEXT];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		int64_t now_us = NOW_US + i * 500000;
		struct token_asker other = asker_at(2 + i);
		flood(1, now_us);
		forge_numbered(text, sizeof(text), K_P256, 2 * i); /* it renews its token */
		assert_int_equal(token_check(tokens, &amf, text, strlen(text), now_us, &result), TOKEN_GOOD);
		forge_numbered(text, sizeof(text), K_P256, 2 * i + 1); /* it was never here */
		assert_int_equal(token_check(tokens, &other, text, strlen(text), now_us, &result), TOKEN_GOOD);
	}
	assert_in_range(counted("verified"), 20, 20 + 5 + 5 * TOKEN_ADDRESS_PER_S);
}

/* So many that new ones are kept out, but nobody who had a good token. */
static void test_many_forgers_keep_out_no_known(void **state)
{
	struct token_asker amf = asker_at(1), other = asker_at(2);
	struct token_result result;
	char text[TEXT];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		int64_t now_us = NOW_US + i * 500000;
		forge_numbered(text, sizeof(text), K_P256, i);
		if (i)
			flood(50, now_us);
		assert_int_equal(token_check(tokens, &amf, text, strlen(text), now_us, &result), TOKEN_GOOD);
	}
	forge_numbered(text, sizeof(text), K_P256, 10);
	assert_int_equal(token_check(tokens, &other, text, strlen(text), NOW_US + 9 * 500000, &result), TOKEN_BUSY);
	assert_in_range(counted("verified"), 20, 10 + 5 * TOKEN_PER_S);
}

/* --- the header */

static enum token_answer authorize(const char *value, struct token_result *result)
{
	return token_authorize(tokens, &asker, value, value ? strlen(value) : 0, NOW_US, result);
}

static void set_mode(enum token_mode mode)
{
	struct token_config other = config;
	struct weir_why why;

	other.mode = mode;
	assert_int_equal(tokens_prepare(tokens, &other, US, &why), 0);
	tokens_commit(tokens);
	assert_int_equal(tokens_mode(tokens), mode);
}

static void test_the_authorization_header(void **state)
{
	char text[TEXT], value[TEXT + 32];
	struct token_result result;

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	for (enum token_mode mode = TOKEN_OFF; mode <= TOKEN_REQUIRED; mode++) {
		bool off = mode == TOKEN_OFF;
		set_mode(mode);
		assert_int_equal(authorize(NULL, &result), mode == TOKEN_REQUIRED ? TOKEN_MISSING : TOKEN_NOT_ASKED);
		snprintf(value, sizeof(value), "Bearer %s", text);
		assert_int_equal(authorize(value, &result), off ? TOKEN_NOT_ASKED : TOKEN_GOOD);
		snprintf(value, sizeof(value), "bEARER   %s ", text);
		assert_int_equal(authorize(value, &result), off ? TOKEN_NOT_ASKED : TOKEN_GOOD);
		snprintf(value, sizeof(value), "Bearer%s", text);
		assert_int_equal(authorize(value, &result), off ? TOKEN_NOT_ASKED : TOKEN_INVALID);
		assert_int_equal(authorize("Basic dGVzdDp0ZXN0", &result), off ? TOKEN_NOT_ASKED : TOKEN_INVALID);
		assert_int_equal(authorize("Bearer ", &result), off ? TOKEN_NOT_ASKED : TOKEN_INVALID);
		assert_int_equal(authorize("Bearer", &result), off ? TOKEN_NOT_ASKED : TOKEN_INVALID);
		assert_int_equal(authorize("", &result), off ? TOKEN_NOT_ASKED : TOKEN_INVALID);
	}
}

static void test_challenges(void **state)
{
	(void)state;
	assert_string_equal(token_challenge(TOKEN_MISSING), "Bearer realm=\"n5g-eir-eic\"");
	assert_non_null(strstr(token_challenge(TOKEN_INVALID), "error=\"invalid_token\""));
	assert_non_null(strstr(token_challenge(TOKEN_NO_SCOPE), "error=\"insufficient_scope\""));
	assert_null(token_challenge(TOKEN_GOOD));
	assert_null(token_challenge(TOKEN_BUSY));
}

/* --- configuration */

/* 0, or what prepare says with this one key; whatever it says, what is in force stays. */
static int prepare_one(const char *path, struct weir_why *why)
{
	struct token_config one = {.mode = TOKEN_REQUIRED};
	int rc;

	config_key(&one, path, "");
	rc = tokens_prepare(tokens, &one, US, why);
	tokens_abort(tokens);
	return rc;
}

static void test_keys_that_are_not_taken(void **state)
{
	static const enum forge_kind foreign[] = {FORGE_P521, FORGE_RSA1024, FORGE_ED25519};
	char pem[8192], text[TEXT];
	struct weir_why why;

	(void)state;
	for (unsigned i = 0; i < N_ROWS(foreign); i++) {
		struct forge_key *bad = forge_key_make(foreign[i]);
		char name[16];
		snprintf(name, sizeof(name), "bad%u.pem", i);
		forge_key_public(bad, pem, sizeof(pem));
		assert_int_equal(prepare_one(write_pem(name, pem), &why), -EINVAL);
		assert_non_null(strstr(why.text, "P-256"));
		forge_key_free(bad);
	}
	forge_key_public(key[K_P256], pem, sizeof(pem));
	forge_key_private(key[K_P256], pem + strlen(pem), sizeof(pem) - strlen(pem));
	assert_int_equal(prepare_one(write_pem("both.pem", pem), &why), -EINVAL);
	assert_non_null(strstr(why.text, "has a private key"));
	assert_int_equal(prepare_one(write_pem("empty.pem", ""), &why), -EINVAL);
	assert_int_equal(prepare_one(write_pem("text.pem", "-----BEGIN PUBLIC KEY-----\nx"), &why), -EINVAL);
	assert_int_equal(prepare_one(scratch_path(&scratch, "absent.pem"), &why), -ENOENT);
	assert_int_equal(prepare_one(scratch.dir, &why), -EFBIG);
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
}

static void test_required_needs_a_key(void **state)
{
	struct token_config none = {.mode = TOKEN_REQUIRED};
	struct weir_why why;

	(void)state;
	assert_int_equal(tokens_prepare(tokens, &none, US, &why), -EINVAL);
	assert_non_null(strstr(why.text, "oauth2 key"));
	none.mode = TOKEN_OPTIONAL;
	assert_int_equal(tokens_prepare(tokens, &none, US, &why), -EINVAL);
	none.mode = TOKEN_OFF;
	assert_int_equal(tokens_prepare(tokens, &none, US, &why), 0);
}

static void test_a_key_that_goes_takes_its_tokens_with_it(void **state)
{
	struct token_config other = {.mode = TOKEN_REQUIRED};
	struct weir_why why;
	char text[TEXT];

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
	config_key(&other, scratch_path(&scratch, "p384.pem"), "");
	assert_int_equal(tokens_prepare(tokens, &other, US, &why), 0);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD); /* not in force yet */
	tokens_commit(tokens);
	assert_int_equal(check(text, strlen(text)), TOKEN_INVALID);
}

/* Renewed files that are the same, SIGHUP: nobody's token is verified again. */
static void test_what_stays_the_same_forgets_nothing(void **state)
{
	struct token_config same = config;
	struct weir_why why;
	char text[TEXT], bad[TEXT], pem[8192];

	(void)state;
	forge_token(text, sizeof(text), key[K_P256], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	forge_token(bad, sizeof(bad), key[K_OTHER], "ES256", HEAD("ES256"), GOOD_CLAIMS);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
	assert_int_equal(check(bad, strlen(bad)), TOKEN_INVALID);
	same.mode = TOKEN_OPTIONAL;
	forge_key_public(key[K_P256], pem, sizeof(pem));
	snprintf(same.key[0].file, sizeof(same.key[0].file), "%s", write_pem("again.pem", pem));
	assert_int_equal(tokens_prepare(tokens, &same, US, &why), 0);
	tokens_commit(tokens);
	assert_int_equal(tokens_mode(tokens), TOKEN_OPTIONAL);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
	assert_int_equal(check(bad, strlen(bad)), TOKEN_INVALID);
	assert_int_equal(counted("verified"), 2);
	same.key[0].kid[0] = '\0'; /* another setting: another judgement */
	assert_int_equal(tokens_prepare(tokens, &same, US, &why), 0);
	tokens_commit(tokens);
	assert_int_equal(tokens_remembered(tokens), 0);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
	assert_int_equal(tokens_prepare(tokens, &same, NRF, &why), 0);
	tokens_commit(tokens);
	assert_int_equal(tokens_remembered(tokens), 0);
	assert_int_equal(check(text, strlen(text)), TOKEN_GOOD);
	same.issuer[0] = '\0';
	assert_int_equal(tokens_prepare(tokens, &same, NRF, &why), 0);
	tokens_commit(tokens);
	assert_int_equal(tokens_remembered(tokens), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_tokens, free_tokens)

int main(void)
{
	static const struct CMUnitTest whole[] = {
		TEST(test_every_prefix_is_refused),
		TEST(test_every_letter_counts),
		TEST(test_one_value_has_one_spelling),
		TEST(test_none_and_secrets_are_refused),
		TEST(test_the_longest_and_longer),
		TEST(test_deep_claims_are_refused),
		TEST(test_subjects_that_cannot_be_printed),
		TEST(test_remembered_until_it_ends),
		TEST(test_verifications_have_a_rate),
		TEST(test_forgers_keep_nobody_out),
		TEST(test_many_forgers_keep_out_no_known),
		TEST(test_bad_ones_do_not_push_out_good_ones),
		TEST(test_more_than_fit_are_still_judged),
		TEST(test_the_authorization_header),
		TEST(test_challenges),
		TEST(test_keys_that_are_not_taken),
		TEST(test_required_needs_a_key),
		TEST(test_a_key_that_goes_takes_its_tokens_with_it),
		TEST(test_what_stays_the_same_forgets_nothing),
	};
	struct CMUnitTest all[N_ROWS(rows) + N_ROWS(whole)];

	for (unsigned i = 0; i < N_ROWS(rows); i++)
		all[i] = ROW_TEST(rows[i].name, test_row, &rows[i]);
	memcpy(all + N_ROWS(rows), whole, sizeof(whole));
	return cmocka_run_group_tests_name("token", all, make_all, free_all);
}
