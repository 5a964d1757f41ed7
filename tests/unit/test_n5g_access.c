/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/n5g: who may ask: strangers, names, access tokens, and crowds. */
#include "n5g_scene.h"

#include <sys/socket.h>

#include "gate/n5g_inside.h"
#include "rows.h"
#include "token_forge.h"

#define NRF  "5a1ad3c4-9b7e-41ee-8d2f-3b6f7a9a0001"
#define AMF  "7c1ad3c4-9b7e-41ee-8d2f-3b6f7a9a000"

/* --- who may ask */

static void remove_peers(struct n5g_config *config)
{
	config->door.n_peers = 0;
}

static void test_stranger(void **state)
{
	struct scene *scene = *state;

	remove_peers(scene->config);
	assert_int_equal(config_add_peer(&scene->config->door, "*", NULL, "10.0.0.0/8", NULL), 0);
	assert_int_equal(scene_configure(scene, scene->config), 0);
	assert_ended(client_connect(scene));
	assert_int_equal(counted(scene)->stranger, 1);
	assert_int_equal(counted(scene)->connected, 0);
}

static void test_name_not_allowed(void **state)
{
	struct scene *scene = *state;
	struct client *c;
	struct answer answer;

	remove_peers(scene->config);
	assert_int_equal(config_add_peer(&scene->config->door, "amf.example", NULL, "127.0.0.0/8", NULL), 0);
	assert_int_equal(scene_configure(scene, scene->config), 0);
	c = client_begin(scene);
	answer = client_get(c, check_path("00101"), NULL); /* its name is 127.0.0.1 */
	assert_cause(&answer, 403, NULL);
	assert_int_equal(counted(scene)->forbidden, 1);
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_SHED], 1);
	assert_int_equal(client_get(c, "/x", NULL).status, 400);
}

static void test_no_longer_allowed(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene), *unknown = client_begin(scene);
	struct n5g_config next = *scene->config;
	struct frame frame;

	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
	remove_peers(&next);
	assert_int_equal(config_add_peer(&next.door, "127.0.0.2", NULL, "127.0.0.1", NULL), 0);
	assert_int_equal(scene_configure(scene, &next), 0);
	assert_true(client_frame_of(c, GOAWAY, &frame));
	assert_int_equal(client_get(c, check_path("00101"), NULL).status, 403);
	scene_pass(scene, 2000);
	assert_ended(c);
	assert_quiet(unknown); /* who it is will be seen at its first request */
}

struct seen {
	unsigned n;
	struct n5g_connection_state last;
	char client[64];
};

static void see(const struct n5g_connection_state *connection, void *data)
{
	struct seen *seen = data;

	seen->n++;
	seen->last = *connection;
	snprintf(seen->client, sizeof(seen->client), "%s", connection->client);
}

static void test_show(void **state)
{
	struct scene *scene = *state;
	struct client *c = client_begin(scene);
	struct seen seen = {0};

	n5g_each_connection(scene->n5g, see, &seen);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.client, "?");
	client_get(c, check_path("00101"), NULL);
	client_get(c, check_path("00101"), NULL);
	scene_pass(scene, 3000);
	n5g_each_connection(scene->n5g, see, &seen);
	assert_string_equal(seen.client, "127.0.0.1");
	assert_int_equal(seen.last.requests, 2);
	assert_int_equal(seen.last.up_s, 3);
	assert_null(seen.last.tls);
	assert_int_equal(peers_find(scene->stage.peers, WEIR_IF_N5G, "127.0.0.1"), 1);
}

/* --- access tokens */

static void forge(char *bearer, size_t size, const struct forge_key *key, const char *subject, const char *scope)
{
	char claims[512], token[2048];

	snprintf(claims, sizeof(claims),
		 "{\"iss\":\"" NRF "\",\"sub\":\"%s\",\"aud\":\"5G_EIR\",\"scope\":\"%s\",\"exp\":%u}", subject, scope,
		 SCENE_WALL_S + 3600);
	forge_token(token, sizeof(token), key, "ES256", "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", claims);
	snprintf(bearer, size, "Bearer %s", token);
}

static void require_tokens(struct scene *scene, const struct forge_key *key)
{
	struct token_config *token = &scene->config->token;
	struct scratch scratch;
	char pem[1024];
	struct weir_why why;

	forge_key_public(key, pem, sizeof(pem));
	scratch_make(&scratch);
	scratch_write_at(scratch_path(&scratch, "nrf.pem"), pem, strlen(pem), 0);
	snprintf(token->key[0].file, sizeof(token->key[0].file), "%.200s", scratch_path(&scratch, "nrf.pem"));
	token->n_keys = 1;
	token->mode = TOKEN_REQUIRED;
	snprintf(scene->config->instance_id, sizeof(scene->config->instance_id), "%s", UUID);
	remove_peers(scene->config);
	assert_int_equal(config_add_peer(&scene->config->door, AMF "*", NULL, "127.0.0.0/8", NULL), 0);
	if (n5g_prepare(scene->n5g, scene->config, &why))
		fail_msg("%s", why.text);
	n5g_commit(scene->n5g);
	scratch_remove(&scratch);
}

static void test_tokens(void **state)
{
	char one[2200], two[2200], other[2200], stranger[2200];
	const char *const as_one[] = {"authorization", one, NULL}, *const as_two[] = {"authorization", two, NULL};
	const char *const as_other[] = {"authorization", other, NULL}, *const nonsense[] = {"authorization", "Bearer x",
											    NULL};
	const char *const as_stranger[] = {"authorization", stranger, NULL};
	const char *const as_both[] = {"authorization", one, "authorization", two, NULL};
	struct forge_key *key = forge_key_make(FORGE_P256);
	struct scene *scene = *state;
	struct seen seen = {0};
	struct answer answer;
	struct client *c;

	forge(one, sizeof(one), key, AMF "1", "n5g-eir-eic");
	forge(two, sizeof(two), key, "7C1AD3C4-9B7E-41EE-8D2F-3B6F7A9A0002", "namf-comm n5g-eir-eic"); /* AMF "2" */
	forge(other, sizeof(other), key, AMF "1", "namf-comm");
	forge(stranger, sizeof(stranger), key, NRF, "n5g-eir-eic");
	require_tokens(scene, key);
	c = client_begin(scene);
	answer = client_get(c, check_path("00101"), NULL);
	assert_cause(&answer, 401, NULL);
	assert_non_null(strstr(answer_field(&answer, "www-authenticate"), "Bearer"));
	answer = client_get(c, check_path("00101"), nonsense);
	assert_cause(&answer, 401, NULL);
	assert_non_null(strstr(answer_field(&answer, "www-authenticate"), "invalid_token"));
	answer = client_get(c, check_path("00101"), as_other);
	assert_cause(&answer, 403, NULL);
	assert_non_null(strstr(answer_field(&answer, "www-authenticate"), "insufficient_scope"));
	assert_int_equal(client_get(c, check_path("00101"), as_stranger).status, 403); /* no peer rule */
	answer = client_get(c, check_path("00101"), as_both);
	assert_cause(&answer, 400, "OPTIONAL_IE_INCORRECT");
	assert_int_equal(client_get(c, check_path("00101"), as_one).status, 200);
	n5g_each_connection(scene->n5g, see, &seen);
	assert_string_equal(seen.client, AMF "1");
	assert_int_equal(client_get(c, check_path("00102"), as_two).status, 200);
	n5g_each_connection(scene->n5g, see, &seen);
	assert_string_equal(seen.client, AMF "2");
	assert_int_equal(client_get(c, "/x", NULL).status, 400);
	assert_int_equal(checks(scene)->tally[WEIR_TALLY_SHED], 5);
	assert_int_equal(counted(scene)->forbidden, 1);
	forge_key_free(key);
}

/* One read with checks of two clients: each is decided by the terms of its own. */
static void test_tokens_in_one_read(void **state)
{
	char one[2200], two[2200];
	const char *const as_one[] = {"authorization", one, NULL}, *const as_two[] = {"authorization", two, NULL};
	struct forge_key *key = forge_key_make(FORGE_P256);
	struct scene *scene = *state;
	struct weir_policy_draft draft;
	struct weir_peer_rule rule = {.name = AMF "2", .interface = WEIR_IF_N5G};
	struct octets *o = octets_new();
	struct client *c;

	policy_draft_init(&draft);
	rule.terms = draft.interface[WEIR_IF_N5G];
	rule.terms.peer = WEIR_DO_GREY;
	draft.override = WEIR_DO_CONTINUE;
	draft.interface[WEIR_IF_N5G].peer = WEIR_DO_BLACK;
	draft.peer_rules = &rule;
	draft.n_peer_rules = 1;
	stage_decide(scene, &draft);
	forge(one, sizeof(one), key, AMF "1", "n5g-eir-eic");
	forge(two, sizeof(two), key, AMF "2", "n5g-eir-eic");
	require_tokens(scene, key);
	n5g_policy_changed(scene->n5g);
	c = client_begin(scene);
	for (int32_t i = 0; i < 6; i++)
		add_get(o, 1 + 2 * i, check_path("00101"), i % 3 == 1 ? as_two : as_one);
	client_send(c, o->at, o->len);
	for (int32_t i = 0; i < 6; i++) {
		struct answer answer = client_answer(c);
		assert_int_equal(answer.id, 1 + 2 * i);
		assert_string_equal(answer.body,
				    i % 3 == 1 ? "{\"status\":\"GREYLISTED\"}" : "{\"status\":\"BLACKLISTED\"}");
	}
	forge_key_free(key);
}

/* --- crowds */

/* All at once, from one address: more than may be nameless at a time, and each says at once what it wants. */
static void test_a_crowd_at_once(void **state)
{
	struct scene *scene = *state;
	struct client *crowd[TRAFFIC_STRANGERS + 100];
	struct octets *o = octets_new();

	add_octets(o, preface, sizeof(preface));
	add_frame(o, SETTINGS, 0, 0, NULL, 0);
	add_get(o, 1, check_path("00101"), NULL);
	for (unsigned i = 0; i < N_ROWS(crowd); i++) {
		crowd[i] = client_dial(scene);
		assert_int_equal(send(crowd[i]->fd, o->at, o->len, MSG_NOSIGNAL), o->len);
	}
	scene_settle(scene);
	assert_int_equal(traffic_crowded(scene->stage.traffic), 0);
	for (unsigned i = 0; i < N_ROWS(crowd); i++)
		assert_int_equal(client_answer(crowd[i]).status, 200);
}

/* Whoever was not let in yet gives way, however well he speaks HTTP/2; whoever was stays. */
static void test_who_was_not_let_in_gives_way(void **state)
{
	struct scene *scene = *state;
	struct client *known = client_begin(scene), *refused, *asked;

	assert_int_equal(client_get(known, check_path("00101"), NULL).status, 200);
	remove_peers(scene->config); /* behind the gate's back: who stands is not judged again */
	assert_int_equal(config_add_peer(&scene->config->door, "amf1", NULL, "127.0.0.0/8", NULL), 0);
	refused = client_begin(scene);
	assert_int_equal(client_get(refused, check_path("00101"), NULL).status, 403);
	asked = client_begin(scene);
	assert_int_equal(client_get(asked, PATH "?color=red", NULL).status, 400); /* no check: nobody was judged */
	for (unsigned i = 0; i < TRAFFIC_STRANGERS - 2; i++)
		client_begin(scene);
	assert_int_equal(traffic_crowded(scene->stage.traffic), 0);
	client_begin(scene);
	assert_int_equal(traffic_crowded(scene->stage.traffic), 1);
	assert_ended(refused);
	client_begin(scene);
	assert_int_equal(traffic_crowded(scene->stage.traffic), 2);
	assert_ended(asked);
	assert_int_equal(client_get(known, check_path("00101"), NULL).status, 200);
}

static void test_many_clients_come_and_go(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < 50; i++) {
		struct client *c = client_begin(scene);
		assert_int_equal(client_get(c, check_path("00101"), NULL).status, 200);
		if (i % 3)
			client_close(c);
	}
	assert_int_equal(counted(scene)->connected, 50);
	assert_int_equal(peers_count(scene->stage.peers), 1);
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, scene_begin, scene_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STAGED(test_stranger),
		STAGED(test_name_not_allowed),
		STAGED(test_no_longer_allowed),
		STAGED(test_show),
		STAGED(test_tokens),
		STAGED(test_tokens_in_one_read),
		STAGED(test_a_crowd_at_once),
		STAGED(test_who_was_not_let_in_gives_way),
		STAGED(test_many_clients_come_and_go),
	};

	return cmocka_run_group_tests_name("n5g access", tests, NULL, NULL);
}
