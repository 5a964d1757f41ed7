/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The scene of n5g_scene.h.  Frames are made by hand, not by the code under test. */
#include "n5g_scene.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <osmocom/core/talloc.h>

#include "gate/n5g_inside.h"
#include "rows.h"

_Static_assert(offsetof(struct scene, stage) == 0, "a scene begins with its stage");

int scene_begin(void **state)
{
	const char *loopback = "127.0.0.1";
	struct scene *scene = stage_alloc(sizeof(*scene));

	scene->n5g = n5g_alloc(scene, &scene->stage.check, scene->stage.traffic, scene->stage.peers);
	scene->config = talloc_zero(scene, struct n5g_config);
	assert_non_null(scene->n5g);
	traffic_set_clock(scene->stage.traffic, SCENE_WALL_S * 1000000ll - scene->stage.now_us);
	scene->config->max_streams = 100;
	assert_int_equal(config_add_listen(&scene->config->door, GATE_TCP, &loopback, 1, 0, NULL), 0);
	assert_int_equal(config_add_peer(&scene->config->door, "*", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(n5g_prepare(scene->n5g, scene->config, NULL), 0);
	n5g_commit(scene->n5g);
	*state = scene;
	return 0;
}

int scene_end(void **state)
{
	struct scene *scene = *state;

	assert_counters_close(scene);
	while (scene->clients)
		client_close(scene->clients);
	n5g_free(scene->n5g);
	stage_free(scene);
	return 0;
}

int scene_configure(struct scene *scene, const struct n5g_config *config)
{
	struct n5g_config *copy = talloc_memdup(scene, config, sizeof(*config));
	int rc = n5g_prepare(scene->n5g, copy, NULL);

	if (rc == 0) {
		n5g_commit(scene->n5g);
		scene->config = copy;
	}
	scene_settle(scene);
	return rc;
}

void scene_limit(struct scene *scene, uint32_t limit, uint32_t reserve, uint32_t capacity)
{
	const struct rate_terms terms = {.limit = limit, .reserve = reserve};
	struct n5g_config *config = talloc_memdup(scene, scene->config, sizeof(*config));

	config_set_rate(&config->door, "*", &terms, NULL);
	assert_int_equal(scene_configure(scene, config), 0);
	scene->stage.check.capacity = capacity;
	talloc_free(config);
}

const struct n5g_counters *counted(const struct scene *scene)
{
	return n5g_counter_table(scene->n5g).counters;
}

const struct check_counters *checks(const struct scene *scene)
{
	return &scene->stage.check.counters[WEIR_IF_N5G];
}

/* --- clients */

const uint8_t preface[24] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct client *client_alloc(struct scene *scene, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	nghttp2_hd_inflater *inflater;

	assert_non_null(client);
	assert_true(fd >= 0);
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	client->inflater = inflater;
	client->fd = fd;
	client->scene = scene;
	client->next = scene->clients;
	client->next_id = 1;
	scene->clients = client;
	return client;
}

struct client *client_dial(struct scene *scene)
{
	return client_alloc(scene, stage_dial(&door_listening(n5g_door(scene->n5g), 0)->address[0]));
}

struct client *client_connect(struct scene *scene)
{
	struct client *client = client_dial(scene);

	scene_settle(scene);
	return client;
}

struct client *client_pair(struct scene *scene, int sndbuf)
{
	struct traffic_conn *conn;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	conn = traffic_adopt(scene->stage.traffic, &n5g_kind, NULL, pair[1]);
	assert_non_null(conn);
	assert_int_equal(address_from_text("127.0.0.1", 9, &conn->remote), 0);
	assert_true(n5g_kind.accepted(conn, scene->n5g));
	return client_alloc(scene, pair[0]);
}

void client_greet(struct client *client)
{
	struct octets *o = octets_new();
	struct frame frame;

	add_octets(o, preface, sizeof(preface));
	add_frame(o, SETTINGS, 0, 0, NULL, 0);
	client_send(client, o->at, o->len);
	assert_true(client_frame_of(client, SETTINGS, &frame));
	assert_int_equal(frame.flags, 0);
	o->len = 0;
	add_frame(o, SETTINGS, ACK, 0, NULL, 0);
	client_send(client, o->at, o->len);
	assert_true(client_frame_of(client, SETTINGS, &frame));
	assert_int_equal(frame.flags, ACK);
}

struct client *client_begin(struct scene *scene)
{
	struct client *client = client_connect(scene);

	client_greet(client);
	return client;
}

void client_close(struct client *client)
{
	struct client **at = &client->scene->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	close(client->fd);
	nghttp2_hd_inflate_del(client->inflater);
	free(client);
}

/* What came so far. */
static void client_read(struct client *client)
{
	ssize_t n = 1;

	while (client->len < CLIENT_BUF &&
	       (n = recv(client->fd, client->buf + client->len, CLIENT_BUF - client->len, MSG_DONTWAIT)) > 0)
		client->len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN))
		client->ended = true;
}

void client_send(struct client *client, const void *octets, size_t len)
{
	for (size_t done = 0; done < len && !client->ended;) {
		ssize_t n = send(client->fd, (const uint8_t *)octets + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break; /* it ended: whoever cares looks */
		done += n > 0 ? (size_t)n : 0;
		scene_settle(client->scene);
		client_read(client);
	}
}

/* --- frames out */

struct octets *octets_new(void)
{
	static struct octets ring[8];
	static unsigned at;
	struct octets *o = &ring[at++ % 8];

	o->len = 0;
	return o;
}

void add_octets(struct octets *o, const void *at, size_t len)
{
	assert_true(o->len + len <= sizeof(o->at));
	if (len)
		memcpy(o->at + o->len, at, len);
	o->len += len;
}

void add_frame(struct octets *o, enum frame_type type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
	const uint8_t header[9] = {len >> 16, len >> 8, len, (uint8_t)type, flags, id >> 24, id >> 16, id >> 8, id};

	add_octets(o, header, sizeof(header));
	add_octets(o, payload, len);
}

/* A length with a prefix of seven bits (RFC 7541 5.1). */
static void add_length(struct octets *o, size_t len)
{
	uint8_t octet = len < 127 ? (uint8_t)len : 127;

	add_octets(o, &octet, 1);
	if (len < 127)
		return;
	for (len -= 127; len >= 128; len /= 128) {
		octet = len % 128 + 128;
		add_octets(o, &octet, 1);
	}
	octet = (uint8_t)len;
	add_octets(o, &octet, 1);
}

void add_field(struct octets *block, const char *name, const char *value)
{
	add_octets(block, "", 1); /* a literal that is not indexed, with a new name */
	add_length(block, strlen(name));
	add_octets(block, name, strlen(name));
	add_length(block, strlen(value));
	add_octets(block, value, strlen(value));
}

void add_fields(struct octets *block, const char *method, const char *path, const char *const *more)
{
	add_field(block, ":method", method);
	add_field(block, ":scheme", "http");
	add_field(block, ":authority", "eir");
	add_field(block, ":path", path);
	for (; more && *more; more += 2)
		add_field(block, more[0], more[1]);
}

void add_get(struct octets *o, int32_t id, const char *path, const char *const *more)
{
	static struct octets block;

	block.len = 0;
	add_fields(&block, "GET", path, more);
	add_frame(o, HEADERS, END_STREAM | END_HEADERS, id, block.at, block.len);
}

/* --- frames in */

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static void inflate(struct client *client, struct frame *frame)
{
	const uint8_t *in = frame->payload;
	size_t left = frame->len;
	int flags;

	for (;;) {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(client->inflater, &nv, &flags, in, left, 1);
		assert_true(n >= 0);
		in += n;
		left -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			size_t used = strlen(frame->fields);
			snprintf(frame->fields + used, sizeof(frame->fields) - used, "%s: %s\n", nv.name, nv.value);
			if (!strcmp((char *)nv.name, ":status"))
				frame->status = (unsigned)atoi((char *)nv.value);
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(client->inflater);
}

static void read_payload(struct client *client, struct frame *frame)
{
	switch (frame->type) {
	case HEADERS:
		inflate(client, frame);
		break;
	case RST_STREAM:
		frame->code = get_u32(frame->payload);
		break;
	case GOAWAY:
		frame->last = (int32_t)get_u32(frame->payload);
		frame->code = get_u32(frame->payload + 4);
		break;
	default:
		break;
	}
}

static bool has_frame(const struct client *client)
{
	return client->len >= 9 && client->len >= 9 + (get_u32(client->buf) >> 8);
}

bool client_frame(struct client *client, struct frame *frame)
{
	static uint8_t payload[1 << 17];
	size_t len;

	memset(frame, 0, sizeof(*frame));
	if (!has_frame(client)) {
		scene_settle(client->scene);
		client_read(client);
	}
	if (!has_frame(client))
		return false;
	len = get_u32(client->buf) >> 8;
	assert_true(len <= sizeof(payload));
	frame->type = client->buf[3];
	frame->flags = client->buf[4];
	frame->id = (int32_t)get_u32(client->buf + 5);
	memcpy(payload, client->buf + 9, len);
	frame->payload = payload;
	frame->len = len;
	client->len -= 9 + len;
	memmove(client->buf, client->buf + 9 + len, client->len);
	read_payload(client, frame);
	return true;
}

bool client_frame_of(struct client *client, enum frame_type type, struct frame *frame)
{
	while (client_frame(client, frame)) {
		if (frame->type == type)
			return true;
	}
	return false;
}

void assert_quiet(struct client *client)
{
	struct frame frame;

	while (client_frame(client, &frame))
		assert_true(frame.type == SETTINGS && (frame.flags & ACK));
	assert_false(client->ended);
}

void assert_ended(struct client *client)
{
	struct frame frame;

	while (client_frame(client, &frame))
		;
	assert_true(client->ended);
}

void assert_goaway(struct client *client, uint32_t code)
{
	struct frame frame;

	assert_true(client_frame_of(client, GOAWAY, &frame));
	assert_int_equal(frame.code, code);
	assert_ended(client);
}

static void begin_answer(struct client *client, const struct frame *frame)
{
	unsigned at = (unsigned)frame->id / 2 % CLIENT_STREAMS;

	client->begun[at].status = frame->status;
	memcpy(client->begun[at].fields, frame->fields, sizeof(frame->fields));
}

struct answer client_answer(struct client *client)
{
	struct answer answer = {.reset = 0xffff};
	struct frame frame;
	unsigned at;

	while (client_frame(client, &frame)) {
		if (frame.type == HEADERS)
			begin_answer(client, &frame);
		if (frame.type == RST_STREAM)
			answer.reset = frame.code;
		if (frame.type == DATA) {
			assert_true(strlen(answer.body) + frame.len < sizeof(answer.body));
			strncat(answer.body, (const char *)frame.payload, frame.len);
		}
		if (frame.type != RST_STREAM &&
		    ((frame.type != HEADERS && frame.type != DATA) || !(frame.flags & END_STREAM)))
			continue;
		at = (unsigned)frame.id / 2 % CLIENT_STREAMS;
		answer.id = frame.id;
		answer.status = client->begun[at].status;
		memcpy(answer.fields, client->begun[at].fields, sizeof(answer.fields));
		client->begun[at].status = 0;
		break;
	}
	return answer;
}

struct answer client_ask(struct client *client, const char *method, const char *path, const char *const *more)
{
	struct octets *o = octets_new(), *block = octets_new();
	struct answer answer;

	add_fields(block, method, path, more);
	add_frame(o, HEADERS, END_STREAM | END_HEADERS, client->next_id, block->at, block->len);
	client_send(client, o->at, o->len);
	answer = client_answer(client);
	if (answer.id)
		assert_int_equal(answer.id, client->next_id);
	client->next_id += 2;
	return answer;
}

struct answer client_get(struct client *client, const char *path, const char *const *more)
{
	return client_ask(client, "GET", path, more);
}

const char *answer_field(const struct answer *answer, const char *name)
{
	static char value[512];
	size_t len = strlen(name);

	for (const char *at = answer->fields; *at; at = strchr(at, '\n') + 1) {
		if (!strncmp(at, name, len) && !strncmp(at + len, ": ", 2)) {
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(at + len + 2, "\n"), at + len + 2);
			return value;
		}
	}
	return NULL;
}

void assert_cause(const struct answer *answer, unsigned status, const char *cause)
{
	char part[128], length[24];

	assert_int_equal(answer->status, status);
	snprintf(part, sizeof(part), "\"status\":%u", status);
	assert_non_null(strstr(answer->body, part));
	if (cause) {
		snprintf(part, sizeof(part), "\"cause\":\"%s\"", cause);
		assert_non_null(strstr(answer->body, part));
	} else {
		assert_null(strstr(answer->body, "\"cause\""));
	}
	assert_string_equal(answer_field(answer, "content-type"), "application/problem+json");
	assert_string_equal(answer_field(answer, "cache-control"), "no-store");
	snprintf(length, sizeof(length), "%zu", strlen(answer->body));
	assert_string_equal(answer_field(answer, "content-length"), length);
}

const char *check_path(const char *mccmnc)
{
	static char ring[8][160];
	static unsigned at;
	char *path = ring[at++ % 8];

	snprintf(path, sizeof(ring[0]), PATH "?pei=imei-001001230000019&supi=imsi-%s0000000001", mccmnc);
	return path;
}
