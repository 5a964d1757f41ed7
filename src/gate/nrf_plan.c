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

static bool wants_tls(const struct nrf_plan *plan)
{
	for (unsigned i = 0; i < plan->n_servers; i++) {
		if (plan->server[i].place.scheme == NRF_HTTPS)
			return true;
	}
	return false;
}

static int check(const struct nrf_plan *plan, struct weir_why *why)
{
	char text[NRF_SERVER_TEXT];

	for (unsigned i = 0; i < plan->n_servers; i++) {
		if (plan->server[i].place.scheme == NRF_HTTPS && !plan->server[i].name[0])
			return why_set(why, -EINVAL, "NRF %s: which name must its certificate carry? add 'name NAME'",
				       nrf_server_print(text, &plan->server[i]));
	}
	if (plan->n_servers && !plan->profile.n_offers)
		return why_set(why, -EINVAL,
			       "an NRF is configured and there is no address to tell it; add 'advertise http ADDRESS "
			       "PORT', or let n5g listen on an address of its own");
	return 0;
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
	memcpy(plan->profile.instance_id, self->instance_id,
	       strnlen(self->instance_id, sizeof(plan->profile.instance_id) - 1));
	plan->profile.oauth2_required = self->oauth2_required;
	if (!plan->profile.n_offers)
		offer_listeners(&plan->profile, self->door);
	rc = check(plan, why);
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
