/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The requests of N5g-eir: judged one by one, decided as a batch, answered in their order of completion.
 *
 * It decides no colour and never waits: every request that comes in here is answered before it returns.  Per check it
 * takes no clock and logs nothing above debug. */
#include "gate/n5g_inside.h"

#include <stdio.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "core/mask.h"
#include "gate/log.h"

enum wanted_field {
	ACCEPT = 0,
	AUTHORIZATION,
	SENDER_TIMESTAMP,
	MAX_RSP_TIME,
	MESSAGE_PRIORITY,
	CORRELATION_INFO,
	ORIGINATING_NETWORK_ID,
};

const char *const n5g_wanted[] = {
	[ACCEPT] = "accept",
	[AUTHORIZATION] = "authorization",
	[SENDER_TIMESTAMP] = "3gpp-sbi-sender-timestamp",
	[MAX_RSP_TIME] = "3gpp-sbi-max-rsp-time",
	[MESSAGE_PRIORITY] = "3gpp-sbi-message-priority",
	[CORRELATION_INFO] = "3gpp-sbi-correlation-info",
	[ORIGINATING_NETWORK_ID] = "3gpp-sbi-originating-network-id",
	NULL,
};

/* A request on its way to its answer. */
struct item {
	struct h2_request *request;
	struct n5g_question question;
	int64_t deadline_us; /* 0: none */
	unsigned retry_s;    /* Retry-After; 0: none */
	const char *challenge;
};

/* Those of one client that go to the decision. */
struct batch {
	struct n5g_session *session;
	unsigned n;
	bool debug;
	struct item item[H2_BATCH];
	struct weir_query query[H2_BATCH];
	struct weir_verdict verdict[H2_BATCH];
};

/* --- log */

static void log_item(struct n5g_session *s, int level, const struct item *item, enum n5g_answer answer)
{
	const struct h2_text *info = &item->request->header[CORRELATION_INFO];
	const struct h2_text *network = &item->request->header[ORIGINATING_NETWORK_ID];
	char where[GATE_ADDRESS_TEXT], device[WEIR_MASK_TEXT], subscriber[WEIR_MASK_TEXT];
	char correlation[SBI_LOG_TEXT] = "", origin[SBI_LOG_TEXT] = "";
	const struct weir_query *query = &item->question.query;

	if (info->at)
		sbi_correlation_mask(correlation, info->at, info->len);
	if (network->at)
		sbi_network_print(origin, network->at, network->len);
	LOGP(DN5G, level, "%s (%s): %s: device %s, subscriber %s%s%s%s%s\n", s->client ? s->client->name : "?",
	     address_print_port(where, &s->conn->remote), n5g_answer_name(answer),
	     query->fault ? "unreadable" : mask_imei(device, query->imei.key), mask_imsi(subscriber, query->imsi),
	     info->at ? ", correlation " : "", correlation, network->at ? ", from network " : "", origin);
}

/* What an operator may want to know of, without his log being filled by it. */
static void complain(struct n5g_session *s, const struct item *item, enum n5g_answer answer)
{
	if (log_check_level(DN5G, LOGL_INFO) &&
	    gripe_now(&s->n5g->refusals, &s->conn->remote, traffic_now_us(s->n5g->traffic)))
		log_item(s, LOGL_INFO, item, answer);
}

/* --- answers */

static const struct h2_field json = H2_FIELD("content-type", "application/json");
static const struct h2_field problem_json = H2_FIELD("content-type", "application/problem+json");
static const struct h2_field no_store = H2_FIELD("cache-control", "no-store");
static const struct h2_field allow_get = H2_FIELD("allow", "GET");

#define FIELDS 10

struct fields {
	struct h2_field field[FIELDS];
	unsigned n;
	char length[12], retry[12];
};

static void add(struct fields *f, const struct h2_field *field)
{
	f->field[f->n++] = *field;
}

/* again: it will come again, and is worth a place in the table of header compression. */
static void add_text(struct fields *f, const char *name, const char *value, size_t len, bool again)
{
	f->field[f->n++] = (struct h2_field){
		.name = name,
		.name_len = (uint16_t)strlen(name),
		.value = value,
		.value_len = (uint16_t)len,
		.again = again,
	};
}

static void add_number(struct fields *f, const char *name, char text[static 12], unsigned number)
{
	add_text(f, name, text, (size_t)snprintf(text, 12, "%u", number), true);
}

static void respond(struct n5g_session *s, const struct item *item, enum n5g_answer answer)
{
	struct n5g *n5g = s->n5g;
	struct h2_answer out = {.status = n5g_answer_status(answer), .deadline_us = item->deadline_us};
	char body[SBI_PROBLEM_TEXT];
	struct fields f;

	f.n = 0;
	out.body = n5g_body(answer, &item->question, body, &out.body_len, &out.body_constant);
	add(&f, out.status == 200 ? &json : &problem_json);
	if (answer < N5G_USUAL)
		add(&f, &n5g->length[answer]);
	else
		add_number(&f, "content-length", f.length, (unsigned)out.body_len);
	add(&f, out.status == 200 ? &n5g->cache : &no_store);
	add(&f, &n5g->server);
	add_text(&f, "date", n5g->load.date, strlen(n5g->load.date), true);
	if (answer == N5G_METHOD_WRONG) {
		add(&f, &allow_get);
		if (item->request->method.len == 4 && !memcmp(item->request->method.at, "HEAD", 4))
			out.body_len = 0;
	}
	if (item->challenge)
		add_text(&f, "www-authenticate", item->challenge, strlen(item->challenge), false);
	if (item->retry_s)
		add_number(&f, "retry-after", f.retry, item->retry_s);
	f.n += n5g_load_fields(s, f.field + f.n);
	out.fields = f.field;
	out.n_fields = f.n;
	n5g->counters.answer[answer]++;
	h2_respond(s->h2, item->request, &out);
}

/* A check that is not decided. */
static void shed(struct n5g_session *s, const struct item *item, enum n5g_answer answer)
{
	check_shed(s->n5g->check, WEIR_IF_N5G, 1);
	s->shed++;
	if (s->client)
		client_count(s->client, 1, 1);
	complain(s, item, answer);
	respond(s, item, answer);
}

/* --- decided */

/* What a colour means on this wire. */
static const enum n5g_answer colours[WEIR_N_COLOURS] = {
	[WEIR_WHITE] = N5G_WHITE,
	[WEIR_GREY] = N5G_GREY,
	[WEIR_BLACK] = N5G_BLACK,
	[WEIR_UNKNOWN] = N5G_UNKNOWN,
};

/* malformed: of the pei's fault, where the policy refuses it. */
static enum n5g_answer answer_of(const struct weir_verdict *verdict, enum n5g_answer malformed)
{
	if (verdict->answer != WEIR_ANSWER_REFUSE)
		return colours[verdict->colour];
	switch (verdict->tally) {
	case WEIR_TALLY_MALFORMED:
		return malformed;
	case WEIR_TALLY_SHED:
		return N5G_FORBIDDEN;
	default:
		return N5G_STORE_FAILED;
	}
}

const char *n5g_words(char buf[static CHECK_WORDS_TEXT], const struct weir_verdict *verdict)
{
	enum n5g_answer answer = answer_of(verdict, N5G_PARAM_INCORRECT);

	snprintf(buf, CHECK_WORDS_TEXT, "%u %s", n5g_answer_status(answer), n5g_answer_word(answer));
	return buf;
}

/* It could be read, but the policy takes it for none. */
static void blame_pei(struct n5g_question *question)
{
	if (question->param)
		return;
	question->param = "pei";
	question->param_len = 3;
	question->reason = "is none that a device has";
}

static void decide(struct batch *b)
{
	struct n5g_session *s = b->session;
	struct n5g *n5g = s->n5g;

	if (!b->n)
		return;
	check_answer(n5g->check, WEIR_IF_N5G, &s->client->peer, b->query, b->verdict, b->n,
		     traffic_wall_s(n5g->traffic));
	client_count(s->client, b->n, 0);
	for (unsigned i = 0; i < b->n; i++) {
		const struct weir_verdict *verdict = &b->verdict[i];
		bool refused = verdict->answer == WEIR_ANSWER_REFUSE;
		enum n5g_answer answer = answer_of(verdict, b->item[i].question.refusal);
		if (refused && verdict->tally == WEIR_TALLY_MALFORMED)
			blame_pei(&b->item[i].question);
		if (b->debug)
			log_item(s, LOGL_DEBUG, &b->item[i], answer);
		else if (refused)
			complain(s, &b->item[i], answer);
		respond(s, &b->item[i], answer);
	}
	b->n = 0;
}

/* --- judged */

static const struct h2_text *sent(const struct item *item, enum wanted_field field)
{
	const struct h2_text *text = &item->request->header[field];

	return text->at ? text : NULL;
}

/* Who asks?  N5G_WHITE: somebody who may. */
static enum n5g_answer judge_client(struct batch *b, struct item *item)
{
	static const enum n5g_answer refusals[TOKEN_N_ANSWERS] = {
		[TOKEN_MISSING] = N5G_TOKEN_MISSING,
		[TOKEN_INVALID] = N5G_TOKEN_INVALID,
		[TOKEN_NO_SCOPE] = N5G_TOKEN_SCOPE,
		[TOKEN_BUSY] = N5G_TOKEN_BUSY,
	};
	struct n5g_session *s = b->session;
	const struct h2_text *text = sent(item, AUTHORIZATION);
	struct token_result token = {.subject = ""};
	enum token_answer answer = TOKEN_NOT_ASKED;
	char address[GATE_ADDRESS_TEXT];
	const char *name;

	if (tokens_mode(s->n5g->tokens) != TOKEN_OFF && text && memchr(text->at, ',', text->len))
		return N5G_AUTHORIZE_TWICE; /* joined by h2: a token has no comma */
	if (tokens_mode(s->n5g->tokens) != TOKEN_OFF)
		answer = token_authorize(s->n5g->tokens, &s->asker, text ? text->at : NULL, text ? text->len : 0,
					 traffic_wall_us(s->n5g->traffic), &token);
	if (answer != TOKEN_NOT_ASKED && answer != TOKEN_GOOD) {
		item->challenge = token_challenge(answer);
		item->retry_s = answer == TOKEN_BUSY;
		return refusals[answer];
	}
	if (s->client && answer == TOKEN_NOT_ASKED && !s->by_token)
		return s->allowed ? N5G_WHITE : N5G_FORBIDDEN;
	name = n5g_session_certified(s);
	s->by_token = !name && token.subject[0];
	if (s->by_token)
		name = token.subject;
	else if (!name)
		name = address_print(address, &s->conn->remote);
	if (s->client && strcmp(s->client->name, name))
		decide(b); /* those before it are another's */
	if (n5g_session_meet(s, name)) {
		item->retry_s = 1;
		return N5G_CONGESTED;
	}
	return s->allowed ? N5G_WHITE : N5G_FORBIDDEN;
}

/* When the client sent it, by our monotonic clock: what its timestamp says where that can be, else when it began to
 * arrive. */
static int64_t sent_us(struct n5g *n5g, const struct item *item)
{
	const struct h2_text *stamp = sent(item, SENDER_TIMESTAMP);
	int64_t begun_us = item->request->begun_us, ms, sent_us;

	if (!stamp || n5g->config->ignore_stamps)
		return begun_us;
	if (sbi_timestamp_read(stamp->at, stamp->len, &ms)) {
		n5g->counters.field_wrong++;
		return begun_us;
	}
	sent_us = ms * 1000 - traffic_wall_us(n5g->traffic) + traffic_now_us(n5g->traffic);
	if (sent_us >= begun_us - N5G_STAMP_LATE_S * 1000000ll && sent_us <= begun_us + N5G_STAMP_AHEAD_S * 1000000ll)
		return sent_us < begun_us ? sent_us : begun_us;
	n5g->counters.stamp_off++;
	return begun_us;
}

/* Late by its own clock although it came just now: either the way here is very slow, or a clock is wrong and the client
 * will be refused for ever. */
static void suspect_clock(struct n5g_session *s, const struct item *item, int64_t begun_us)
{
	int64_t now_us = traffic_now_us(s->n5g->traffic);
	char where[GATE_ADDRESS_TEXT];

	if (begun_us == item->request->begun_us || !gripe_now(&s->n5g->late, &s->conn->remote, now_us))
		return;
	LOGP(DN5G, LOGL_NOTICE, "%s (%s): refused as too late: sent %lld ms ago, by its own clock; is that right?\n",
	     s->client->name, address_print_port(where, &s->conn->remote), (long long)((now_us - begun_us) / 1000));
}

/* Sets the deadline; false where it is over. */
static bool judge_time(struct n5g_session *s, struct item *item)
{
	const struct h2_text *span = sent(item, MAX_RSP_TIME);
	int64_t begun_us;
	uint32_t ms;

	if (!span)
		return true;
	if (sbi_max_rsp_time_read(span->at, span->len, &ms)) {
		s->n5g->counters.field_wrong++;
		return true;
	}
	begun_us = sent_us(s->n5g, item);
	item->deadline_us = begun_us + ms * 1000ll;
	if (item->deadline_us > traffic_now_us(s->n5g->traffic))
		return true;
	suspect_clock(s, item, begun_us);
	return false;
}

static unsigned priority_of(struct n5g_session *s, const struct item *item)
{
	const struct h2_text *text = sent(item, MESSAGE_PRIORITY);
	unsigned priority = RATE_DEFAULT_PRIORITY;

	if (text && sbi_priority_read(text->at, text->len, &priority))
		s->n5g->counters.field_wrong++;
	return priority;
}

static enum n5g_answer judge_rate(struct n5g_session *s, struct item *item)
{
	struct gate_client *client = s->client;
	struct check *check = s->n5g->check;
	int64_t now_us = traffic_now_us(s->n5g->traffic);
	enum rate_answer answer;

	if (!check->capacity && !client->terms.limit)
		return N5G_WHITE;
	answer = rate_admit(&client->rate, &client->terms, &check->rate, check->capacity, priority_of(s, item), now_us);
	if (answer == RATE_SHED_PEER) {
		item->retry_s = rate_wait_s(&client->rate.limit, client->terms.limit, now_us);
		return N5G_TOO_MANY;
	}
	if (answer == RATE_SHED_GATE) {
		n5g_load_shed(s->n5g);
		item->retry_s = rate_wait_s(&check->rate.bucket, check->capacity, now_us);
		return N5G_CONGESTED;
	}
	return N5G_WHITE;
}

static enum n5g_answer judge_check(struct batch *b, struct item *item)
{
	struct n5g_session *s = b->session;
	enum n5g_answer answer = judge_client(b, item);

	if (answer == N5G_FORBIDDEN)
		s->n5g->counters.forbidden++;
	if (answer == N5G_WHITE && !judge_time(s, item)) {
		item->deadline_us = 0; /* that it is late is not too late to say */
		answer = N5G_TIMED_OUT;
	}
	if (answer == N5G_WHITE)
		answer = judge_rate(s, item);
	return answer;
}

/* Is it a request of this API at all? */
static enum n5g_answer judge_request(struct n5g_session *s, struct item *item)
{
	const struct h2_request *r = item->request;
	const struct h2_text *accept = sent(item, ACCEPT);

	if (r->fields_cut || r->body_cut) { /* n5g_read says it of all others */
		item->question = (struct n5g_question){.query.fault = WEIR_IMEI_EMPTY};
		return r->fields_cut ? N5G_FIELDS_TOO_LARGE : N5G_BODY_TOO_LARGE;
	}
	return n5g_read(r->method.at, r->method.len, r->path.at ? r->path.at : "", r->path.len, s->n5g->config->prefix,
			accept ? accept->at : NULL, accept ? accept->len : 0, &item->question);
}

static void take(struct batch *b, struct h2_request *request)
{
	struct item *item = &b->item[b->n];
	enum n5g_answer answer;

	item->request = request;
	item->deadline_us = 0;
	item->retry_s = 0;
	item->challenge = NULL;
	answer = judge_request(b->session, item);
	if (answer != N5G_WHITE) {
		complain(b->session, item, answer);
		respond(b->session, item, answer);
		return;
	}
	answer = judge_check(b, item);
	if (answer != N5G_WHITE) {
		shed(b->session, item, answer);
		return;
	}
	if (item != &b->item[b->n]) /* the batch before it was decided */
		b->item[b->n] = *item;
	b->query[b->n] = b->item[b->n].question.query;
	b->n++;
}

void n5g_requests(struct h2_session *h2, struct h2_request *const *requests, unsigned n)
{
	struct n5g_session *s = h2_data(h2);
	struct batch b;

	b.session = s;
	b.n = 0;
	b.debug = log_check_level(DN5G, LOGL_DEBUG);
	n5g_load_turn(s->n5g);
	for (unsigned i = 0; i < n; i++)
		take(&b, requests[i]);
	decide(&b);
}
