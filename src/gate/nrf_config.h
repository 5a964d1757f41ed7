/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The settings of the NRF client (gate/nrf.h) as plain values, and what we tell an NRF about ourselves.
 *
 * No pointers: copying is assignment.  Everything starts as zero octets and is filled whole, so that two of a kind are
 * equal where memcmp says so. */
#pragma once

#include <stdbool.h>

#include "core/why.h"
#include "gate/address.h"
#include "gate/tls.h"
#include "gate/token.h"

#define NRF_MAX_SERVERS 4
#define NRF_MAX_OFFERS  8
#define NRF_MAX_PLMNS   16
#define NRF_MAX_ALLOWED 8
#define NRF_TYPE_TEXT   24
#define NRF_NAME_TEXT   128

#define NRF_HEARTBEAT_MAX_S 3600

enum nrf_scheme {
	NRF_HTTP = 0,
	NRF_HTTPS
};
const char *nrf_scheme_name(enum nrf_scheme scheme); /* "http", "https" */

/* Where an NRF is, or where we are. */
struct nrf_place {
	enum nrf_scheme scheme;
	struct gate_address address;
};

struct nrf_server {
	struct nrf_place place;
	char name[NRF_NAME_TEXT]; /* https: of its certificate, and the authority; "": its address is */
};

struct nrf_plmn {
	char mcc[4], mnc[4];
};

/* What an NFProfile says of us besides what is the same for every 5G-EIR (TS 29.510 6.1.6.2.2). */
struct nrf_profile {
	char instance_id[SBI_UUID_TEXT];
	bool oauth2_required;
	char fqdn[NRF_NAME_TEXT]; /* "": none */
	struct nrf_place offer[NRF_MAX_OFFERS];
	struct nrf_plmn plmn[NRF_MAX_PLMNS];
	char allowed[NRF_MAX_ALLOWED][NRF_TYPE_TEXT]; /* NF types that may find us */
	unsigned n_offers, n_plmns, n_allowed;
	unsigned priority, capacity; /* 0..65535 */
	unsigned heartbeat_s;        /* that we propose; 0: none */
};

struct nrf_config {
	struct nrf_server server[NRF_MAX_SERVERS]; /* the first that answers; none: no NRF */
	unsigned n_servers;
	struct nrf_profile profile; /* instance_id and oauth2_required are set by nrf_prepare */
	struct tls_files tls;
};

/* Nobody to register with; AMFs may find us; heartbeat every 10 s, capacity 100, priority 0. */
void nrf_config_init(struct nrf_config *config);

/* Changes, as the commands make them.  -EINVAL, -ENOSPC or -ENOENT with a sentence; adding what is there is fine. */
int nrf_config_add_server(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			  const char *name, struct weir_why *why); /* name may be NULL */
int nrf_config_del_server(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			  struct weir_why *why);
int nrf_config_add_offer(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			 struct weir_why *why);
int nrf_config_del_offer(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			 struct weir_why *why);
int nrf_config_set_fqdn(struct nrf_config *config, const char *fqdn, struct weir_why *why);
int nrf_config_add_plmn(struct nrf_config *config, const char *mcc, const char *mnc, struct weir_why *why);
int nrf_config_del_plmn(struct nrf_config *config, const char *mcc, const char *mnc, struct weir_why *why);
int nrf_config_set_allowed(struct nrf_config *config, const char *const *types, unsigned n, struct weir_why *why);

/* A UUID in any case of letters (RFC 4122 3), small letters out; 0 or -EINVAL with a sentence. */
int nrf_uuid_read(const char *text, char out[static SBI_UUID_TEXT], struct weir_why *why);
/* A random one (version 4).  0 or a negative errno. */
int nrf_uuid_make(char out[static SBI_UUID_TEXT]);
