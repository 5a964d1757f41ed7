/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Sentences about a configuration that is good.  Decides nothing: who refuses is config.c, door.c and the interfaces.
 */
#include "gate/warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/when.h"
#include "gate/config.h"
#include "gate/nrf.h"
#include "gate/nrf_plan.h"
#include "gate/tls.h"

#define DAY_TEXT 10 /* of when_print */

struct teller {
	warning_fn *fn;
	void *data;
	int64_t now_s;
};

static void __attribute__((format(printf, 2, 3))) tell(const struct teller *t, const char *format, ...)
{
	char sentence[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	t->fn(sentence, t->data);
}

/* --- doors */

static void judge_door(const struct teller *t, const char *name, const struct door_config *door)
{
	if (door->n_listen && !door->n_peers)
		tell(t, "%s listens and no 'peer' is allowed: everybody will be refused", name);
	for (unsigned i = 0; i < door->n_rates; i++) {
		const struct rate_terms *terms = &door->rate[i].terms;
		if (terms->limit && terms->reserve > terms->limit)
			tell(t, "%s: rate %s: the reserve of %u is above the limit of %u", name, door->rate[i].pattern,
			     terms->reserve, terms->limit);
	}
}

/* --- certificates */

static void judge_dates(const struct teller *t, const char *interface, const char *file, const struct tls_context *own)
{
	int64_t begins_s = tls_context_begins_s(own), ends_s = tls_context_expires_s(own);
	char when[WEIR_WHEN_TEXT];

	if (ends_s <= t->now_s)
		tell(t, "%s: %s ended on %.*s: peers will refuse it", interface, file, DAY_TEXT,
		     when_print(when, ends_s * 1000));
	else if (ends_s - t->now_s < WARNINGS_AHEAD_S)
		tell(t, "%s: %s ends on %.*s, in %lld days", interface, file, DAY_TEXT, when_print(when, ends_s * 1000),
		     (long long)((ends_s - t->now_s) / 86400));
	if (begins_s > t->now_s)
		tell(t, "%s: %s begins on %.*s only: peers will refuse it", interface, file, DAY_TEXT,
		     when_print(when, begins_s * 1000));
}

static void judge_certificate(const struct teller *t, const char *interface, const char *file,
			      const struct tls_context *own, const char *name)
{
	if (!tls_context_expires_s(own))
		return;
	judge_dates(t, interface, file, own);
	if (name && *name && !tls_context_carries(own, name))
		tell(t, "%s: %s does not carry %s: peers that look will refuse it", interface, file, name);
}

void warnings_certificate(const char *interface, const char *file, const struct tls_context *own, const char *name,
			  int64_t now_s, warning_fn *fn, void *data)
{
	const struct teller t = {.fn = fn, .data = data, .now_s = now_s};

	judge_certificate(&t, interface, file, own, name);
}

/* Whether its files are good enough to be used is judged elsewhere. */
static void judge_door_certificate(const struct teller *t, const char *interface, const struct door_config *door,
				   const char *name)
{
	struct tls_context *own;
	struct weir_why why;

	if (!config_wants_tls(door))
		return;
	own = tls_context_alloc(TLS_SERVER, &door->tls, TLS_PEER_MAY, NULL, &why);
	judge_certificate(t, interface, door->tls.certificate, own, name);
	tls_context_put(own);
}

/* --- the NRF */

static bool is_loopback(const struct gate_address *address)
{
	static const uint8_t one[16] = {[15] = 1};

	return address->family == AF_INET ? address->octets[0] == 127 : !memcmp(address->octets, one, sizeof(one));
}

/* The first pair of an NRF elsewhere and an address of this machine's own; one sentence is enough. */
static void judge_offers(const struct teller *t, const struct nrf_plan *plan)
{
	const struct nrf_profile *profile = &plan->profile;
	char nrf[NRF_SERVER_TEXT], us[GATE_ADDRESS_TEXT];

	for (unsigned i = 0; i < profile->n_offers; i++) {
		if (!is_loopback(&profile->offer[i].address))
			continue;
		for (unsigned k = 0; k < plan->n_servers; k++) {
			if (is_loopback(&plan->server[k].place.address))
				continue;
			tell(t, "nrf: %s would be told that we are at %s://%s, which is its own machine",
			     nrf_server_print(nrf, &plan->server[k]), nrf_scheme_name(profile->offer[i].scheme),
			     address_print_port(us, &profile->offer[i].address));
			return;
		}
	}
}

static void judge_nrf(const struct teller *t, const struct nrf_config *config, const struct nrf_self *self)
{
	struct weir_why why;
	struct nrf_plan *plan = nrf_plan_alloc(NULL, config, self, &why);

	if (!plan)
		return;
	judge_offers(t, plan);
	judge_certificate(t, "nrf", config->tls.certificate, plan->tls, NULL);
	nrf_plan_free(plan);
}

void warnings_config(const struct gate_config *config, const struct nrf_self *nrf, int64_t now_s, warning_fn *fn,
		     void *data)
{
	const struct teller t = {.fn = fn, .data = data, .now_s = now_s};

	judge_door(&t, "gsup", &config->gsup.door);
	judge_door(&t, "s13", &config->s13.door);
	judge_door(&t, "n5g", &config->n5g.door);
	judge_door_certificate(&t, "s13", &config->s13.door, config->s13.origin_host);
	judge_door_certificate(&t, "n5g", &config->n5g.door, config->nrf.profile.fqdn);
	judge_nrf(&t, &config->nrf, nrf);
}
