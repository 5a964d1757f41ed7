/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The client: asks a file of questions with a window of requests under way, judges each answer, says how it was.
 *
 * One thread of ours sends; answers and expiries come in freeDiameter's threads.  Its last line is
 *   weir_s13: N asked, N right, N wrong, N silent, N undelivered, N broken, N/s, p50 N us, p99 N us
 * silent: no answer within the patience; undelivered: freeDiameter had no peer to send it to, or lost the connection;
 * broken: messages that its dictionary refused (an answer is wrong too).  Then freeDiameter ends. */
#include "peers/s13.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIELD_TEXT 40
#define COMPLAINTS 100
#define TIMES_MAX  (1u << 20)

struct question {
	char imei[FIELD_TEXT], svn[FIELD_TEXT], imsi[FIELD_TEXT], expected[FIELD_TEXT];
};

struct asked {
	const struct question *question;
	int64_t sent_ns;
};

static struct client {
	const struct s13_words *words;
	const struct s13_options *options;
	struct question *questions;
	size_t n_questions;
	pthread_t thread;
	bool started;
	sem_t room; /* how many more may be under way */
	atomic_bool stop;
	atomic_uint asked, right, wrong, silent, undelivered, n_times;
	uint32_t times_us[TIMES_MAX];
} client;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

/* --- the questions ---------------------------------------------------------------------------- */

static int read_questions(struct client *c)
{
	FILE *file = fopen(c->options->questions, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		struct question *more = realloc(c->questions, (c->n_questions + 1) * sizeof(*more)), *q;

		if (!more)
			break;
		c->questions = more;
		q = &more[c->n_questions];
		memset(q, 0, sizeof(*q));
		if (sscanf(line, "%39s %39s %39s %39s", q->imei, q->svn, q->imsi, q->expected) != 4)
			break;
		c->n_questions++;
	}
	if (!file || ferror(file) || !feof(file) || !c->n_questions) {
		LOG_E("weir_s13: %s cannot be read: line %zu", c->options->questions, c->n_questions + 1);
		return EINVAL;
	}
	fclose(file);
	return 0;
}

static bool given(const char *field)
{
	return strcmp(field, "-") != 0;
}

static struct msg *make_request(const struct client *c, const struct question *q)
{
	static uint8_t tail[] = "s13";
	const struct s13_words *w = c->words;
	struct msg *msg = NULL;
	struct avp *terminal = NULL;
	bool good = !fd_msg_new(w->ecr, MSGFL_ALLOC_ETEID, &msg) && !fd_msg_new_session(msg, tail, sizeof(tail) - 1) &&
		    s13_add_application(w, msg) && s13_add_number(w, msg, S13_AUTH_SESSION_STATE, 1) &&
		    !fd_msg_add_origin(msg, 0) && s13_add_text(w, msg, S13_DESTINATION_REALM, c->options->realm) &&
		    (!c->options->host || s13_add_text(w, msg, S13_DESTINATION_HOST, c->options->host)) &&
		    (terminal = s13_add(w, msg, S13_TERMINAL_INFORMATION, NULL)) &&
		    (!given(q->imei) || s13_add_text(w, terminal, S13_IMEI, q->imei)) &&
		    (!given(q->svn) || s13_add_text(w, terminal, S13_SOFTWARE_VERSION, q->svn)) &&
		    (!given(q->imsi) || s13_add_text(w, msg, S13_USER_NAME, q->imsi));

	if (!good && msg)
		fd_msg_free(msg);
	return good ? msg : NULL;
}

/* --- answers, in freeDiameter's threads ------------------------------------------------------- */

static void complain(const struct question *q, const char *found)
{
	if (client.wrong++ < COMPLAINTS)
		LOG_N("weir_s13: wrong: %s %s %s: %s, wanted %s", q->imei, q->svn, q->imsi, found, q->expected);
}

/* An answer that freeDiameter itself made because it could not send the request. */
static bool is_own(struct msg *answer)
{
	struct avp *origin = NULL;
	struct avp_hdr *header = NULL;

	if (fd_msg_search_avp(answer, client.words->avp[S13_ORIGIN_HOST], &origin) || !origin ||
	    fd_msg_avp_hdr(origin, &header) || !header->avp_value)
		return false;
	return header->avp_value->os.len == fd_g_config->cnf_diamid_len &&
	       !memcmp(header->avp_value->os.data, fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len);
}

static void on_answer(void *data, struct msg **msg)
{
	struct asked *asked = data;
	char text[S13_ANSWER_TEXT] = "";
	const char *why;
	unsigned at;

	if (is_own(*msg)) {
		client.undelivered++;
	} else if ((why = s13_answer_judge(client.words, *msg, text))) {
		complain(asked->question, why);
	} else if (strcmp(text, asked->question->expected)) {
		complain(asked->question, text);
	} else {
		client.right++;
		at = client.n_times++;
		if (at < TIMES_MAX)
			client.times_us[at] = (uint32_t)((now_ns() - asked->sent_ns) / 1000);
	}
	fd_msg_free(*msg);
	*msg = NULL;
	free(asked);
	sem_post(&client.room);
}

static void on_silence(void *data, DiamId_t peer, size_t peer_len, struct msg **msg)
{
	struct asked *asked = data;

	(void)peer;
	(void)peer_len;
	if (client.silent++ < COMPLAINTS)
		LOG_N("weir_s13: silent: %s %s %s", asked->question->imei, asked->question->svn, asked->question->imsi);
	fd_msg_free(*msg);
	*msg = NULL;
	free(asked);
	sem_post(&client.room);
}

/* An answer that the dictionary refused: freeDiameter drops it, and calls nobody. */
static void on_dropped(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		       struct fd_hook_permsgdata *pmd, void *regdata)
{
	void (*called)(void *, struct msg **) = NULL;
	struct msg *request = NULL;
	void *data = NULL;

	(void)type;
	(void)peer;
	(void)pmd;
	(void)regdata;
	if (!msg || fd_msg_answ_getq(msg, &request) || !request || fd_msg_anscb_get(request, &called, NULL, &data) ||
	    called != on_answer || !data)
		return;
	complain(((struct asked *)data)->question, other ? other : "an answer that cannot be read");
	free(data);
	sem_post(&client.room);
}

/* --- the thread that asks --------------------------------------------------------------------- */

static bool has_open_peer(void)
{
	struct fd_list *entry;
	bool found = false;

	pthread_rwlock_rdlock(&fd_g_peers_rw);
	for (entry = fd_g_peers.next; entry != &fd_g_peers && !found; entry = entry->next)
		found = fd_peer_get_state((struct peer_hdr *)entry->o) == STATE_OPEN;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return found;
}

static bool wait_for_peer(const struct client *c)
{
	int64_t stop_ns = now_ns() + (int64_t)c->options->patience_s * 1000000000;

	while (!c->stop && now_ns() < stop_ns) {
		if (has_open_peer())
			return true;
		sleep_ms(10);
	}
	return false;
}

static void ask(struct client *c, const struct question *q)
{
	struct asked *asked = malloc(sizeof(*asked));
	struct msg *msg = make_request(c, q);
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += c->options->patience_s;
	c->asked++;
	if (asked && msg) {
		*asked = (struct asked){q, now_ns()};
		if (!fd_msg_send_timeout(&msg, on_answer, asked, on_silence, &until))
			return;
		fd_msg_free(msg);
	}
	free(asked);
	complain(q, "a request that could not be made");
	sem_post(&c->room);
}

static void ask_all(struct client *c)
{
	int64_t stop_ns = now_ns() + (int64_t)c->options->seconds * 1000000000;
	uint64_t i, n = (uint64_t)c->n_questions * c->options->rounds;

	for (i = 0; !c->stop && (i < n || now_ns() < stop_ns); i++) {
		if (!wait_for_peer(c)) {
			LOG_N("weir_s13: no peer");
			return;
		}
		while (sem_wait(&c->room) && !c->stop)
			;
		ask(c, &c->questions[i % c->n_questions]);
		if (c->options->pace_ms)
			sleep_ms(c->options->pace_ms);
	}
}

/* What is under way is answered or expires. */
static void wait_for_answers(struct client *c)
{
	struct timespec until;
	unsigned i;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += c->options->patience_s + 2;
	for (i = 0; i < c->options->window; i++)
		sem_timedwait(&c->room, &until);
}

static int compare(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

static void report(struct client *c, int64_t took_ns)
{
	unsigned n = c->n_times < TIMES_MAX ? c->n_times : TIMES_MAX;

	qsort(c->times_us, n, sizeof(*c->times_us), compare);
	LOG_N("weir_s13: %u asked, %u right, %u wrong, %u silent, %u undelivered, %u broken, %.0f/s, p50 %u us, p99 %u "
	      "us",
	      c->asked, c->right, c->wrong, c->silent, c->undelivered, s13_watch_broken(),
	      c->asked * 1e9 / (double)took_ns, n ? c->times_us[n / 2] : 0, n ? c->times_us[n - 1 - n / 100] : 0);
}

static void *run(void *data)
{
	struct client *c = data;
	int64_t began;
	unsigned i;

	fd_core_waitstartcomplete();
	wait_for_peer(c);
	began = now_ns();
	ask_all(c);
	began = now_ns() - began;
	wait_for_answers(c);
	report(c, began);
	for (i = 0; i < c->options->linger_s * 10 && !c->stop; i++)
		sleep_ms(100);
	fd_core_shutdown();
	return NULL;
}

int s13_client_start(const struct s13_words *words, const struct s13_options *options)
{
	struct fd_hook_hdl *handle;
	int error;

	client.words = words;
	client.options = options;
	error = read_questions(&client);
	error = error ? error : fd_hook_register(HOOK_MASK(HOOK_MESSAGE_DROPPED), on_dropped, NULL, NULL, &handle);
	if (error)
		return error;
	sem_init(&client.room, 0, options->window);
	error = pthread_create(&client.thread, NULL, run, &client);
	client.started = !error;
	return error;
}

void s13_client_stop(void)
{
	client.stop = true;
	if (client.started)
		pthread_join(client.thread, NULL);
	client.started = false;
	free(client.questions);
	client.questions = NULL;
}
