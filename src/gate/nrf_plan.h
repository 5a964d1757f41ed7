/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A configuration of the NRF client that was found to be usable, with the certificates that it names. */
#pragma once

#include <stdbool.h>

#include "core/why.h"
#include "gate/nrf.h"
#include "gate/nrf_config.h"

struct tls_context;

struct nrf_plan {
	struct nrf_server server[NRF_MAX_SERVERS];
	unsigned n_servers;
	struct nrf_profile profile; /* whole */
	struct tls_context *tls;    /* NULL where no server is asked over https */
};

/* NULL and why where it is not usable. */
struct nrf_plan *nrf_plan_alloc(void *ctx, const struct nrf_config *config, const struct nrf_self *self,
				struct weir_why *why);
void nrf_plan_free(struct nrf_plan *plan); /* NULL is fine */

bool nrf_plan_same_servers(const struct nrf_plan *a, const struct nrf_plan *b);
bool nrf_plan_same_profile(const struct nrf_plan *a, const struct nrf_plan *b);
/* Its place in plan->server, or -1. */
int nrf_plan_find(const struct nrf_plan *plan, const struct nrf_server *server);

#define NRF_SERVER_TEXT (GATE_ADDRESS_TEXT + 8)
const char *nrf_server_print(char buf[static NRF_SERVER_TEXT], const struct nrf_server *server);
