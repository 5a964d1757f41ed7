/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The judgement on access tokens, and the memory that makes it cheap.
 *
 * Two memories, so that a flood of bad tokens never pushes out a good one: what carries a good signature (until exp),
 * and what does not (for a minute; with the same keys it will never be better).  A place is found by a hash that is
 * seeded by chance and belongs to a token only after all its octets were compared. */
#include "gate/token.h"

#include <osmocom/core/talloc.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "core/rate.h"
#include "gate/token_key.h"
#include "gate/token_text.h"

#define WAYS          4
#define REFUSED_S     60
#define BURST         10 /* verifications at once, of each half: 5 ms */
#define ADDRESS_BURST 5
#define ADDRESSES     1024 /* buckets; addresses that share one by chance share what it allows */

struct place {
	uint64_t hash;
	char *text; /* NULL: free */
	size_t len;
	enum token_answer answer;
	struct token_result result; /* expires_s: until when it is remembered */
};

struct memory {
	struct place *place;
	unsigned sets;
};

struct keys {
	struct token_config config;
	char instance_id[SBI_UUID_TEXT];
	struct token_key key[TOKEN_MAX_KEYS];
};

struct tokens {
	struct keys *keys, *next;
	struct memory good, bad;
	uint64_t seed;
	struct rate kept, fresh; /* verifications for who is known, and for all */
	struct rate address[ADDRESSES];
	struct token_counters counters;
};

/* --- memory */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_of(uint64_t seed, const char *text, size_t len)
{
	uint64_t hash = mix(seed, len), word;

	for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, text, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, text, len);
	return mix(mix(hash, word), seed);
}

static struct place *set_of(const struct memory *memory, uint64_t hash)
{
	return &memory->place[hash % memory->sets * WAYS];
}

static void place_free(struct place *place)
{
	talloc_free(place->text);
	memset(place, 0, sizeof(*place));
}

static struct place *memory_find(const struct memory *memory, uint64_t hash, const char *text, size_t len,
				 int64_t now_s)
{
	struct place *set = set_of(memory, hash);

	for (unsigned i = 0; i < WAYS; i++) {
		if (!set[i].text || set[i].hash != hash || set[i].len != len || memcmp(set[i].text, text, len))
			continue;
		if (set[i].result.expires_s > now_s)
			return &set[i];
		place_free(&set[i]);
	}
	return NULL;
}

/* A token that is not there; in a full set the one that ends first gives way.  Without memory it is verified again. */
static void memory_add(struct tokens *tokens, struct memory *memory, uint64_t hash, const char *text, size_t len,
		       enum token_answer answer, const struct token_result *result)
{
	struct place *set = set_of(memory, hash), *place = set;

	for (unsigned i = 1; i < WAYS && place->text; i++) {
		if (!set[i].text || set[i].result.expires_s < place->result.expires_s)
			place = &set[i];
	}
	place_free(place);
	place->text = talloc_memdup(tokens, text, len);
	place->hash = hash;
	place->len = len;
	place->answer = answer;
	place->result = *result;
}

static void memory_clear(struct memory *memory)
{
	for (unsigned i = 0; i < memory->sets * WAYS; i++)
		place_free(&memory->place[i]);
}

static bool memory_init(struct memory *memory, void *ctx, unsigned size)
{
	memory->sets = size / WAYS;
	memory->place = talloc_zero_array(ctx, struct place, size);
	return memory->place;
}

/* --- judgement */

static enum token_answer refuse(struct token_result *result, enum token_answer answer, const char *why)
{
	result->why = why;
	return answer;
}

/* What can be said without a key; NULL: nothing is wrong so far. */
static const char *claims_wrong(const struct keys *keys, const struct token_claims *claims, int64_t now_s)
{
	if (claims->exp_s <= now_s)
		return "it has expired";
	if (claims->nbf_s > now_s + TOKEN_LEEWAY_S)
		return "it is not valid yet";
	if (claims->iat_s > now_s + TOKEN_LEEWAY_S)
		return "it was issued in the future";
	if (keys->config.issuer[0] && strcasecmp(keys->config.issuer, claims->issuer))
		return "it is of another issuer";
	if (!claims->for_us)
		return "it is for another audience";
	return NULL;
}

/* Whoever has many addresses has them in one /64 mostly. */
static struct rate *rate_of(struct tokens *tokens, const struct gate_address *from)
{
	size_t len = from->family == AF_INET6 ? 8 : 4;

	return &tokens->address[hash_of(tokens->seed, (const char *)from->octets, len) % ADDRESSES];
}

static bool may_verify(struct tokens *tokens, const struct token_asker *asker, int64_t wall_us)
{
	if (asker->known && rate_take(&tokens->kept, TOKEN_KEPT_PER_S, BURST, 1, wall_us))
		return true;
	return rate_take(rate_of(tokens, &asker->from), TOKEN_ADDRESS_PER_S, ADDRESS_BURST, 1, wall_us) &&
	       rate_take(&tokens->fresh, TOKEN_PER_S - TOKEN_KEPT_PER_S, BURST, 1, wall_us);
}

/* text is terminated here: libjwt wants it so. */
static enum token_answer verify(struct tokens *tokens, const struct token_asker *asker,
				const struct token_claims *claims, const char *text, int64_t wall_us)
{
	const struct keys *keys = tokens->keys;

	for (unsigned i = 0; i < keys->config.n_keys; i++) {
		if (!token_key_fits(&keys->key[i], claims))
			continue;
		if (!may_verify(tokens, asker, wall_us))
			return TOKEN_BUSY;
		tokens->counters.verified++;
		if (token_key_verify(&keys->key[i], claims->alg, text))
			return claims->has_scope ? TOKEN_GOOD : TOKEN_NO_SCOPE;
	}
	return TOKEN_INVALID;
}

static bool some_key_fits(const struct keys *keys, const struct token_claims *claims)
{
	for (unsigned i = 0; i < keys->config.n_keys; i++) {
		if (token_key_fits(&keys->key[i], claims))
			return true;
	}
	return false;
}

/* A token that nobody remembers. */
static enum token_answer judge(struct tokens *tokens, const struct token_asker *asker, const char *text, size_t len,
			       uint64_t hash, int64_t wall_us, struct token_result *result)
{
	char terminated[TOKEN_MAX_TEXT + 1];
	struct token_claims claims;
	int64_t now_s = wall_us / 1000000;
	enum token_answer answer;
	const char *wrong = token_read(text, len, tokens->keys->instance_id, &claims);

	if (!wrong)
		wrong = claims_wrong(tokens->keys, &claims, now_s);
	if (!wrong && !some_key_fits(tokens->keys, &claims))
		wrong = "there is no key for its alg and kid";
	if (wrong)
		return refuse(result, TOKEN_INVALID, wrong);

	memcpy(terminated, text, len);
	terminated[len] = '\0';
	answer = verify(tokens, asker, &claims, terminated, wall_us);
	if (answer == TOKEN_BUSY)
		return refuse(result, answer, "too many new tokens at a time");
	result->expires_s = claims.exp_s;
	if (answer == TOKEN_INVALID) {
		result->expires_s = now_s + REFUSED_S;
		result->why = "no key made its signature";
	} else if (answer == TOKEN_NO_SCOPE) {
		result->why = "its scope has not " TOKEN_SCOPE;
	} else {
		memcpy(result->subject, claims.subject, sizeof(result->subject));
	}
	memory_add(tokens, answer == TOKEN_INVALID ? &tokens->bad : &tokens->good, hash, text, len, answer, result);
	return answer;
}

static enum token_answer remember_or_judge(struct tokens *tokens, const struct token_asker *asker, const char *text,
					   size_t len, int64_t wall_us, struct token_result *result)
{
	uint64_t hash;
	const struct place *place;

	if (len > TOKEN_MAX_TEXT)
		return refuse(result, TOKEN_INVALID, "it is too long");
	hash = hash_of(tokens->seed, text, len);
	place = memory_find(&tokens->good, hash, text, len, wall_us / 1000000);
	if (place)
		tokens->counters.remembered++;
	else
		place = memory_find(&tokens->bad, hash, text, len, wall_us / 1000000);
	if (!place)
		return judge(tokens, asker, text, len, hash, wall_us, result);
	*result = place->result;
	return place->answer;
}

static void count(struct token_counters *counters, enum token_answer answer)
{
	switch (answer) {
	case TOKEN_GOOD:
		counters->good++;
		break;
	case TOKEN_MISSING:
		counters->missing++;
		break;
	case TOKEN_INVALID:
		counters->invalid++;
		break;
	case TOKEN_NO_SCOPE:
		counters->no_scope++;
		break;
	case TOKEN_BUSY:
		counters->busy++;
		break;
	case TOKEN_NOT_ASKED:
	case TOKEN_N_ANSWERS:
		break;
	}
}

enum token_answer token_check(struct tokens *tokens, struct token_asker *asker, const char *text, size_t len,
			      int64_t wall_us, struct token_result *result)
{
	enum token_answer answer;

	memset(result, 0, sizeof(*result));
	answer = remember_or_judge(tokens, asker, text, len, wall_us, result);
	if (answer == TOKEN_GOOD)
		asker->known = true;
	else
		result->expires_s = 0;
	count(&tokens->counters, answer);
	return answer;
}

enum token_mode tokens_mode(const struct tokens *tokens)
{
	return tokens->keys->config.mode;
}

const char *token_mode_name(enum token_mode mode)
{
	static const char *const names[] = {
		[TOKEN_OFF] = "off", [TOKEN_OPTIONAL] = "optional", [TOKEN_REQUIRED] = "required"};

	return mode <= TOKEN_REQUIRED ? names[mode] : "?";
}

/* --- the Authorization header */

#define SCHEME "Bearer"

/* The token behind "Bearer" and blanks (RFC 6750 2.1, RFC 9110 11.1: the scheme in any case); NULL: another scheme. */
static const char *bearer(const char *value, size_t *len)
{
	size_t at = sizeof(SCHEME) - 1, end = *len;

	if (end <= at || strncasecmp(value, SCHEME, at) || value[at] != ' ')
		return NULL;
	while (at < end && value[at] == ' ')
		at++;
	while (end > at && value[end - 1] == ' ')
		end--;
	*len = end - at;
	return value + at;
}

enum token_answer token_authorize(struct tokens *tokens, struct token_asker *asker, const char *value, size_t len,
				  int64_t wall_us, struct token_result *result)
{
	enum token_mode mode = tokens_mode(tokens);
	enum token_answer answer;
	const char *text = value ? bearer(value, &len) : NULL;

	memset(result, 0, sizeof(*result));
	if (mode == TOKEN_OFF || (!value && mode == TOKEN_OPTIONAL))
		return TOKEN_NOT_ASKED;
	if (text)
		return token_check(tokens, asker, text, len, wall_us, result);
	answer = value ? refuse(result, TOKEN_INVALID, "the Authorization is no Bearer token")
		       : refuse(result, TOKEN_MISSING, "an access token is needed");
	count(&tokens->counters, answer);
	return answer;
}

const char *token_challenge(enum token_answer answer)
{
	switch (answer) {
	case TOKEN_MISSING:
		return SCHEME " realm=\"" TOKEN_SCOPE "\"";
	case TOKEN_INVALID:
		return SCHEME " realm=\"" TOKEN_SCOPE "\", error=\"invalid_token\"";
	case TOKEN_NO_SCOPE:
		return SCHEME " realm=\"" TOKEN_SCOPE "\", error=\"insufficient_scope\", scope=\"" TOKEN_SCOPE "\"";
	default:
		return NULL;
	}
}

/* --- configuration */

/* Nothing in force: everything is off. */
static const struct keys no_keys;

struct tokens *tokens_alloc(void *ctx)
{
	struct tokens *tokens = talloc_zero(ctx, struct tokens);

	if (!tokens)
		return NULL;
	tokens->keys = talloc_memdup(tokens, &no_keys, sizeof(no_keys));
	if (!tokens->keys || !memory_init(&tokens->good, tokens, TOKEN_ACCEPTED) ||
	    !memory_init(&tokens->bad, tokens, TOKEN_REFUSED) ||
	    getrandom(&tokens->seed, sizeof(tokens->seed), 0) != sizeof(tokens->seed)) {
		talloc_free(tokens);
		return NULL;
	}
	return tokens;
}

void tokens_free(struct tokens *tokens)
{
	talloc_free(tokens);
}

int tokens_prepare(struct tokens *tokens, const struct token_config *config, const char *instance_id,
		   struct weir_why *why)
{
	struct keys *next = talloc_zero(tokens, struct keys);
	int rc = next ? 0 : why_set(why, -ENOMEM, "no memory for the keys of access tokens");

	if (rc)
		return rc;
	next->config = *config;
	memcpy(next->instance_id, instance_id, strnlen(instance_id, sizeof(next->instance_id) - 1));
	if (config->mode != TOKEN_OFF && !config->n_keys)
		rc = why_set(why, -EINVAL, "oauth2 is %s and no key is given; add 'oauth2 key FILE'",
			     token_mode_name(config->mode));
	for (unsigned i = 0; !rc && config->mode != TOKEN_OFF && i < config->n_keys; i++)
		rc = token_key_read(&next->key[i], &config->key[i], why);
	if (rc) {
		talloc_free(next);
		return rc;
	}
	talloc_free(tokens->next);
	tokens->next = next;
	return 0;
}

/* Would every token be judged the same?  Keys are compared as they were read, wherever they were. */
static bool judge_alike(const struct keys *a, const struct keys *b)
{
	return !strcmp(a->config.issuer, b->config.issuer) && !strcmp(a->instance_id, b->instance_id) &&
	       a->config.n_keys == b->config.n_keys && !memcmp(a->key, b->key, sizeof(a->key));
}

void tokens_commit(struct tokens *tokens)
{
	if (!tokens->next)
		return;
	if (!judge_alike(tokens->keys, tokens->next)) {
		memory_clear(&tokens->good);
		memory_clear(&tokens->bad);
	}
	talloc_free(tokens->keys);
	tokens->keys = tokens->next;
	tokens->next = NULL;
}

void tokens_abort(struct tokens *tokens)
{
	talloc_free(tokens->next);
	tokens->next = NULL;
}

/* --- counters */

#define ROW(field, text) COUNTER_ROW(struct token_counters, field, text)

static const struct counter_row rows[] = {
	ROW(good, "requests with a good access token"),
	ROW(remembered, "requests whose access token was known from before"),
	ROW(missing, "requests without the access token that is required"),
	ROW(invalid, "requests with a bad access token"),
	ROW(no_scope, "requests with an access token for other services"),
	ROW(busy, "requests with a new access token beyond the rate of verifications"),
	ROW(verified, "signatures of access tokens verified"),
};

struct counter_table token_counter_table(const struct tokens *tokens)
{
	return (struct counter_table){"token", rows, sizeof(rows) / sizeof(rows[0]), &tokens->counters};
}

unsigned tokens_remembered(const struct tokens *tokens)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tokens->good.sets * WAYS; i++)
		n += tokens->good.place[i].text != NULL;
	return n;
}
