/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* gate/clients: who gets a place, who loses it to whom, what a name keeps and for how long. */
#include "gate/clients.h"

#include <osmocom/core/talloc.h>

#include "gate/config.h"
#include "gate/peers.h"

#include "rows.h"

#define PLACES 8

struct scene {
	struct check check;
	struct peers *peers;
	struct door_config door;
	struct clients *clients;
	int64_t now_us;
};

/* One in which this name is refused. */
static struct weir_policy *policy_against(const char *name)
{
	struct weir_peer_rule rule = {
		.interface = WEIR_IF_S13,
		.terms = {WEIR_DO_REFUSE, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT, WEIR_DO_INHERIT},
	};
	struct weir_policy_draft draft;
	struct weir_policy *policy;

	snprintf(rule.name, sizeof(rule.name), "%s", name);
	policy_draft_init(&draft);
	draft.peer_rules = &rule;
	draft.n_peer_rules = 1;
	policy = policy_alloc(&draft, NULL);
	assert_non_null(policy);
	return policy;
}

static int begin_with(void **state, unsigned places)
{
	struct scene *scene = talloc_zero(NULL, struct scene);

	scene->now_us = 1000000;
	scene->check.policy = policy_against("bad*");
	scene->peers = peers_alloc(scene);
	scene->clients = clients_alloc(scene, WEIR_IF_S13, places, &scene->check, scene->peers);
	assert_non_null(scene->clients);
	*state = scene;
	return 0;
}

static int begin(void **state)
{
	return begin_with(state, PLACES);
}

static int begin_large(void **state)
{
	return begin_with(state, 2000);
}

static int end(void **state)
{
	struct scene *scene = *state;

	policy_free(scene->check.policy);
	talloc_free(scene);
	return 0;
}

static const char *numbered(const char *stem, unsigned i)
{
	static char text[4][32];
	static unsigned at;

	at = (at + 1) % N_ROWS(text);
	snprintf(text[at], sizeof(text[at]), "%s%u", stem, i);
	return text[at];
}

static struct gate_client *get(struct scene *scene, const char *name)
{
	return clients_get(scene->clients, name, scene->now_us);
}

static struct gate_client *find(struct scene *scene, const char *name)
{
	return clients_find(scene->clients, name, scene->now_us);
}

static struct gate_client *come(struct scene *scene, const char *name)
{
	struct gate_client *client = get(scene, name);

	assert_non_null(client);
	clients_join(client);
	return client;
}

static void leave(struct scene *scene, struct gate_client *client)
{
	clients_leave(scene->clients, client, scene->now_us);
}

/* "a0", "a1" ... each in a turn of its own, the first one longest ago. */
static void fill(struct scene *scene, unsigned n)
{
	for (unsigned i = 0; i < n; i++, scene->now_us++)
		assert_non_null(get(scene, numbered("a", i)));
}

static bool known(struct scene *scene, const char *name)
{
	return find(scene, name) != NULL;
}

/* --- names */

static void a_name_is_one_client(void **state)
{
	struct scene *scene = *state;
	struct gate_client *a = get(scene, "mme1"), *b = get(scene, "Mme1"), *c = get(scene, "mme11");

	assert_null(find(scene, "mme2"));
	assert_ptr_not_equal(a, b);
	assert_ptr_not_equal(a, c);
	scene->now_us++;
	assert_ptr_equal(get(scene, "mme1"), a);
	assert_ptr_equal(find(scene, "Mme1"), b);
	assert_int_equal(clients_count(scene->clients), 3);
	assert_string_equal(a->peer.name, "mme1");
	assert_ptr_equal(a->peer.name, a->name);
}

static void a_name_is_kept_whole_or_not_at_all(void **state)
{
	struct scene *scene = *state;
	char name[CLIENT_NAME_TEXT + 1];

	memset(name, 'n', sizeof(name));
	name[CLIENT_NAME_TEXT] = '\0';
	assert_null(get(scene, name));
	assert_int_equal(clients_count(scene->clients), 0);
	name[CLIENT_NAME_TEXT - 1] = '\0';
	assert_non_null(get(scene, name));
	assert_string_equal(find(scene, name)->name, name);
}

/* More than there are buckets, so that some share one; and out of the middle of those. */
static void who_shares_a_bucket_is_found(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client[2000];

	for (unsigned i = 0; i < 2000; i++, scene->now_us++)
		client[i] = get(scene, numbered("a", i));
	for (unsigned i = 0; i < 2000; i += 2, scene->now_us++)
		assert_ptr_equal(find(scene, numbered("a", i)), client[i]);
	for (unsigned i = 1; i < 2000; i += 2, scene->now_us++)
		assert_ptr_equal(get(scene, numbered("b", i)), client[i]);
	assert_int_equal(clients_count(scene->clients), 2000);
	for (unsigned i = 0; i < 2000; i++) {
		assert_ptr_equal(find(scene, numbered(i % 2 ? "b" : "a", i)), client[i]);
		assert_null(find(scene, numbered(i % 2 ? "a" : "b", i)));
	}
}

/* --- places */

static void unused_for_longest_goes(void **state)
{
	struct scene *scene = *state;

	fill(scene, PLACES);
	find(scene, "a0");
	scene->now_us++;
	assert_non_null(get(scene, "new"));
	assert_int_equal(clients_count(scene->clients), PLACES);
	assert_false(known(scene, "a1"));
	assert_true(known(scene, "a0"));
	for (unsigned i = 2; i < PLACES; i++)
		assert_true(known(scene, numbered("a", i)));
}

static void to_leave_is_to_have_been_there(void **state)
{
	struct scene *scene = *state;
	struct gate_client *a = come(scene, "peer");

	scene->now_us++;
	fill(scene, 1);
	for (unsigned i = 2; i < PLACES; i++, scene->now_us++)
		get(scene, numbered("b", i));
	leave(scene, a);
	scene->now_us++;
	assert_non_null(get(scene, "new"));
	assert_true(known(scene, "peer"));
	assert_false(known(scene, "a0"));
}

static void who_has_users_never_goes(void **state)
{
	struct scene *scene = *state;
	struct gate_client *peer[PLACES];

	for (unsigned i = 0; i < PLACES; i++)
		peer[i] = come(scene, numbered("a", i));
	clients_join(peer[3]);
	scene->now_us++;
	assert_null(get(scene, "new"));
	leave(scene, peer[3]);
	scene->now_us++;
	assert_null(get(scene, "new")); /* one of two users left */
	leave(scene, peer[3]);
	assert_null(get(scene, "new")); /* it was there in this turn */
	scene->now_us++;
	assert_ptr_equal(get(scene, "new"), peer[3]);
	for (unsigned i = 0; i < PLACES; i++)
		assert_true(known(scene, numbered("a", i)) == (i != 3));
}

static void what_this_turn_used_is_held(void **state)
{
	struct scene *scene = *state;
	struct gate_client *first;

	fill(scene, PLACES - 1);
	first = come(scene, "peer");
	scene->now_us++;
	for (unsigned i = 0; i < PLACES - 1; i++)
		find(scene, numbered("a", i));
	assert_null(get(scene, "new"));
	leave(scene, first);
	assert_null(get(scene, "new")); /* it left in this turn */
	assert_int_equal(clients_count(scene->clients), PLACES);
	scene->now_us++;
	assert_non_null(get(scene, "new"));
	assert_false(known(scene, "a0"));
}

static void who_was_forgotten_is_new(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client = get(scene, "a");

	client->rate.shed = client->rate.limit.at_us = client->foreign.at_us = 7;
	scene->now_us++;
	for (unsigned i = 0; i < PLACES; i++, scene->now_us++)
		get(scene, numbered("b", i));
	assert_false(known(scene, "a"));
	client = get(scene, "a");
	assert_int_equal(client->rate.shed, 0);
	assert_int_equal(client->rate.limit.at_us, 0);
	assert_int_equal(client->foreign.at_us, 0);
	assert_int_equal(client->users, 0);
}

static void nothing_is_allocated_on_the_way(void **state)
{
	struct scene *scene = *state;
	size_t blocks = talloc_total_blocks(scene->clients), size = talloc_total_size(scene->clients);

	for (unsigned i = 0; i < 3 * PLACES; i++, scene->now_us++)
		get(scene, numbered("a", i));
	assert_int_equal(talloc_total_blocks(scene->clients), blocks);
	assert_int_equal(talloc_total_size(scene->clients), size);
}

/* --- terms */

static void terms_are_those_of_the_name(void **state)
{
	struct scene *scene = *state;
	struct weir_policy *old = scene->check.policy;
	const struct rate_terms ten = {.limit = 10, .reserve = 3};
	struct gate_client *good = come(scene, "good1"), *bad = get(scene, "bad1");

	assert_int_equal(good->peer.terms, policy_terms(old, WEIR_IF_S13, "good1"));
	assert_int_equal(bad->peer.terms, policy_terms(old, WEIR_IF_S13, "bad1"));
	assert_int_not_equal(good->peer.terms, bad->peer.terms);
	assert_int_equal(bad->terms.limit, 0);

	scene->check.policy = policy_against("good*");
	assert_int_equal(config_set_rate(&scene->door, "bad*", &ten, NULL), 0);
	clients_refresh(scene->clients, &scene->door);
	policy_free(old);
	assert_int_equal(good->peer.terms, policy_terms(scene->check.policy, WEIR_IF_S13, "good1"));
	assert_int_equal(bad->peer.terms, policy_terms(scene->check.policy, WEIR_IF_S13, "bad1"));
	assert_int_not_equal(good->peer.terms, bad->peer.terms);
	assert_int_equal(good->terms.limit, 0);
	assert_int_equal(bad->terms.limit, 10);
	assert_int_equal(bad->terms.reserve, 3);
	assert_int_equal(get(scene, "bad2")->terms.limit, 10); /* who comes later too */
}

/* --- buckets */

static unsigned admitted(struct scene *scene, struct gate_client *client)
{
	unsigned n = 0;

	while (n < 100 && rate_admit(&client->rate, &client->terms, NULL, 0, 0, scene->now_us) == RATE_ADMIT)
		n++;
	return n;
}

static void to_come_again_fills_no_bucket(void **state)
{
	const struct rate_terms fifty = {.limit = 50};
	struct scene *scene = *state;
	struct gate_client *client;

	assert_int_equal(config_set_rate(&scene->door, "*", &fifty, NULL), 0);
	clients_refresh(scene->clients, &scene->door);
	client = come(scene, "amf");
	assert_int_equal(admitted(scene, client), 5);
	leave(scene, client);
	scene->now_us++;
	client = come(scene, "amf");
	assert_int_equal(admitted(scene, client), 0);
	clients_refresh(scene->clients, &scene->door);
	assert_int_equal(admitted(scene, client), 0); /* nor does a new configuration */
	assert_int_equal(admitted(scene, get(scene, "amf2")), 5);
}

/* --- users and numbers */

static void a_number_lasts_as_long_as_there_are_users(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client = come(scene, "peer");
	uint16_t id = client->peer.id;

	assert_int_not_equal(id, PEER_NONE);
	assert_int_equal(peers_find(scene->peers, WEIR_IF_S13, "peer"), id);
	assert_int_equal(come(scene, "peer")->users, 2);
	leave(scene, client);
	assert_int_equal(client->peer.id, id);
	leave(scene, client);
	assert_int_equal(client->users, 0);
	assert_int_equal(client->peer.id, PEER_NONE);
	leave(scene, NULL);
	scene->now_us++;
	assert_int_equal(come(scene, "peer")->peer.id, id);
}

/* Behind an agent, after its own connection is over; in the same turn even. */
static void who_left_and_asks_has_a_number(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client = come(scene, "peer");
	uint16_t id = client->peer.id;

	leave(scene, client);
	assert_ptr_equal(find(scene, "peer"), client);
	assert_int_equal(client->peer.id, id);
}

/* Those of who left too: from here on a number is free only where somebody gives his back. */
static void take_all_numbers(struct scene *scene)
{
	for (unsigned i = 0; peers_id(scene->peers, WEIR_IF_GSUP, numbered("msc", i)) != PEER_NONE; i++)
		assert_in_range(i, 0, PEERS_MAX);
}

static void without_a_number_it_is_served(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client;

	take_all_numbers(scene);
	client = come(scene, "peer");
	assert_int_equal(client->peer.id, PEER_NONE);
	leave(scene, client);
	assert_int_equal(peers_id(scene->peers, WEIR_IF_GSUP, "late"), PEER_NONE);
}

static void who_leaves_gives_its_number_back(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client = come(scene, "peer");
	uint16_t id = client->peer.id;

	take_all_numbers(scene);
	leave(scene, client);
	assert_int_equal(peers_id(scene->peers, WEIR_IF_GSUP, "late"), id);
}

/* And once: not again when it is forgotten, as by then the number is another's. */
static void who_left_has_no_number_to_give(void **state)
{
	struct scene *scene = *state;
	struct gate_client *client = come(scene, "peer");

	leave(scene, client);
	take_all_numbers(scene);
	assert_int_equal(peers_find(scene->peers, WEIR_IF_S13, "peer"), PEER_NONE);
	scene->now_us++;
	for (unsigned i = 0; i < PLACES; i++, scene->now_us++)
		assert_int_equal(get(scene, numbered("a", i))->peer.id, PEER_NONE);
	assert_false(known(scene, "peer"));
	assert_int_equal(peers_id(scene->peers, WEIR_IF_GSUP, "late"), PEER_NONE);
}

static void who_is_forgotten_gives_its_number_back(void **state)
{
	struct scene *scene = *state;

	fill(scene, PLACES);
	take_all_numbers(scene);
	get(scene, "new");
	assert_false(known(scene, "a0"));
	assert_int_not_equal(peers_find(scene->peers, WEIR_IF_S13, "new"), PEER_NONE); /* a0's */
	assert_int_equal(peers_find(scene->peers, WEIR_IF_S13, "a0"), PEER_NONE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

struct listed {
	unsigned n, used;
	uint64_t checks, shed;
};

static void list(const struct gate_client *client, void *data)
{
	struct listed *listed = data;

	assert_true(client->users == 0 || listed->n == listed->used); /* those with users come first */
	listed->n++;
	listed->used += client->users != 0;
	listed->checks += client->checks;
	listed->shed += client->shed;
}

static void so_many_are_listed_those_with_users_first(void **state)
{
	struct scene *scene = *state;
	struct listed listed = {0};
	struct gate_client *client;

	for (unsigned i = 0; i < 6; i++) {
		client = clients_get(scene->clients, numbered("a", i), scene->now_us);
		assert_non_null(client);
		client_count(client, 2, 1);
		if (i >= 4)
			clients_join(client);
		assert_int_equal(client->joined, i >= 4);
	}
	clients_each(scene->clients, 100, list, &listed);
	assert_int_equal(listed.n, 6);
	assert_int_equal(listed.used, 2);
	assert_int_equal(listed.checks, 12);
	assert_int_equal(listed.shed, 6);
	listed = (struct listed){0};
	clients_each(scene->clients, 3, list, &listed);
	assert_int_equal(listed.n, 3);
	assert_int_equal(listed.used, 2);
	clients_leave(scene->clients, client, scene->now_us);
	assert_true(client->joined);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_one_client),
		TEST(a_name_is_kept_whole_or_not_at_all),
		cmocka_unit_test_setup_teardown(who_shares_a_bucket_is_found, begin_large, end),
		TEST(unused_for_longest_goes),
		TEST(to_leave_is_to_have_been_there),
		TEST(who_has_users_never_goes),
		TEST(what_this_turn_used_is_held),
		TEST(who_was_forgotten_is_new),
		TEST(nothing_is_allocated_on_the_way),
		TEST(terms_are_those_of_the_name),
		TEST(to_come_again_fills_no_bucket),
		TEST(a_number_lasts_as_long_as_there_are_users),
		TEST(who_left_and_asks_has_a_number),
		TEST(without_a_number_it_is_served),
		TEST(who_leaves_gives_its_number_back),
		TEST(who_left_has_no_number_to_give),
		TEST(who_is_forgotten_gives_its_number_back),
		TEST(so_many_are_listed_those_with_users_first),
	};

	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
