/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* From settings to a plan: what is missing is filled in from the N5g interface, or said in a sentence. */
#include "gate/nrf_plan.h"

#include <osmocom/core/talloc.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gate/config.h"
#include "gate/tls.h"

const char *nrf_server_print(char buf[static NRF_SERVER_TEXT], const struct nrf_server *server)
{
	char text[GATE_ADDRESS_TEXT];

	snprintf(buf, NRF_SERVER_TEXT, "%s://%s", nrf_scheme_name(server->place.scheme),
		 address_print_port(text, &server->place.address));
	return buf;
}

/* Everywhere that the N5g interface listens; "any address" is none that can be told. */
static void offer_listeners(struct nrf_profile *profile, const struct door_config *door)
{
	static const uint8_t any[16];

	for (unsigned i = 0; i < door->n_listen && profile->n_offers < NRF_MAX_OFFERS; i++) {
		const struct gate_address *address = &door->listen[i].address[0];
		struct nrf_place *offer = &profile->offer[profile->n_offers];
		if (!memcmp(address->octets, any, sizeof(any)) || door->listen[i].transport == GATE_SCTP)
			continue;
		offer->scheme = door->listen[i].transport == GATE_TLS ? NRF_HTTPS : NRF_HTTP;
		offer->address = *address;
		profile->n_offers++;
	}
}

static bool is_secure(const struct nrf_server *server)
{
	return server->place.scheme == NRF_HTTPS;
}

static int check_server(const struct nrf_server *server, const struct tls_files *tls, struct weir_why *why)
{
	char text[NRF_SERVER_TEXT];

	nrf_server_print(text, server);
	if (is_secure(server) && !server->name[0])
		return why_set(why, -EINVAL, "nrf: server %s: which name must its certificate carry? add 'name NAME'",
			       text);
	if (is_secure(server) && !tls->ca[0])
		return why_set(why, -EINVAL, "nrf: server %s: who may have signed its certificate? add 'tls ca FILE'",
			       text);
	return 0;
}

/* The profile whole. */
static void fill(struct nrf_profile *profile, const struct nrf_self *self)
{
	memset(profile->instance_id, 0, sizeof(profile->instance_id));
	memcpy(profile->instance_id, self->instance_id, strnlen(self->instance_id, sizeof(profile->instance_id) - 1));
	profile->oauth2_required = self->oauth2_required;
	if (!profile->n_offers)
		offer_listeners(profile, self->door);
}

int nrf_check_config(const struct nrf_config *config, const struct nrf_self *self, struct weir_why *why)
{
	struct nrf_profile profile = config->profile;
	int rc = 0;

	fill(&profile, self);
	for (unsigned i = 0; !rc && i < config->n_servers; i++)
		rc = check_server(&config->server[i], &config->tls, why);
	if (!rc && config->n_servers && !profile.n_offers)
		rc = why_set(why, -EINVAL,
			     "nrf: there is no address of ours to tell; add 'advertise http ADDRESS PORT', or let n5g "
			     "listen on an address of its own");
	return rc;
}

static bool wants_tls(const struct nrf_plan *plan)
{
	for (unsigned i = 0; i < plan->n_servers; i++) {
		if (is_secure(&plan->server[i]))
			return true;
	}
	return false;
}

static int read_tls(struct nrf_plan *plan, const struct nrf_config *config, struct weir_why *why)
{
	if (!wants_tls(plan))
		return 0;
	plan->tls = tls_context_alloc(TLS_CLIENT, &config->tls, TLS_PEER_MUST, "h2", why);
	return plan->tls ? 0 : -EINVAL;
}

struct nrf_plan *nrf_plan_alloc(void *ctx, const struct nrf_config *config, const struct nrf_self *self,
				struct weir_why *why)
{
	struct nrf_plan *plan = talloc_zero(ctx, struct nrf_plan);
	int rc;

	if (!plan) {
		why_set(why, -ENOMEM, "no memory for the NRF client");
		return NULL;
	}
	memcpy(plan->server, config->server, sizeof(plan->server));
	plan->n_servers = config->n_servers;
	memcpy(&plan->profile, &config->profile, sizeof(plan->profile));
	fill(&plan->profile, self);
	rc = nrf_check_config(config, self, why);
	if (!rc)
		rc = read_tls(plan, config, why);
	if (!rc)
		return plan;
	nrf_plan_free(plan);
	return NULL;
}

void nrf_plan_free(struct nrf_plan *plan)
{
	if (plan)
		tls_context_put(plan->tls);
	talloc_free(plan);
}

bool nrf_plan_same_servers(const struct nrf_plan *a, const struct nrf_plan *b)
{
	return a->n_servers == b->n_servers && !memcmp(a->server, b->server, sizeof(a->server));
}

bool nrf_plan_same_profile(const struct nrf_plan *a, const struct nrf_plan *b)
{
	return !memcmp(&a->profile, &b->profile, sizeof(a->profile));
}

int nrf_plan_find(const struct nrf_plan *plan, const struct nrf_server *server)
{
	for (unsigned i = 0; i < plan->n_servers; i++) {
		if (!memcmp(&plan->server[i], server, sizeof(*server)))
			return (int)i;
	}
	return -1;
}
