/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Settings of the NRF client as values: defaults, and changes with their refusals in words. */
#include "gate/nrf_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

const char *nrf_scheme_name(enum nrf_scheme scheme)
{
	return scheme == NRF_HTTPS ? "https" : "http";
}

void nrf_config_init(struct nrf_config *config)
{
	memset(config, 0, sizeof(*config));
	config->profile.capacity = 100;
	config->profile.heartbeat_s = 10;
	config->profile.n_allowed = 1;
	strcpy(config->profile.allowed[0], "AMF");
}

/* Labels of letters, digits and '-' with dots between them (TS 29.571 Fqdn); copied with zeros behind. */
static int fqdn_read(const char *text, char out[static NRF_NAME_TEXT], struct weir_why *why)
{
	size_t len = strlen(text), label = 0;

	for (const char *p = text; *p; p++) {
		label = *p == '.' ? 0 : label + 1;
		if (!(isalnum((unsigned char)*p) || *p == '-' || (*p == '.' && p > text && p[-1] != '.')) || label > 63)
			len = 0;
	}
	if (!len || len >= NRF_NAME_TEXT || text[len - 1] == '.')
		return why_set(why, -EINVAL, "'%.60s' is no host name; write for example nrf.5gc.example", text);
	memset(out, 0, NRF_NAME_TEXT);
	memcpy(out, text, len);
	return 0;
}

static int place_read(enum nrf_scheme scheme, const char *address, unsigned port, struct nrf_place *out,
		      struct weir_why *why)
{
	memset(out, 0, sizeof(*out));
	out->scheme = scheme;
	if (address_from_text(address, (uint16_t)port, &out->address))
		return why_set(why, -EINVAL, "'%.60s' is no IP address; names are not resolved", address);
	return 0;
}

static bool same_place(const struct nrf_place *a, const struct nrf_place *b)
{
	return a->scheme == b->scheme && address_equal(&a->address, &b->address);
}

/* --- servers */

static int server_find(const struct nrf_config *config, const struct nrf_place *place)
{
	for (unsigned i = 0; i < config->n_servers; i++) {
		if (same_place(&config->server[i].place, place))
			return (int)i;
	}
	return -ENOENT;
}

int nrf_config_add_server(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			  const char *name, struct weir_why *why)
{
	struct nrf_server server = {.name = ""};
	int at, rc = place_read(scheme, address, port, &server.place, why);

	if (!rc && name)
		rc = fqdn_read(name, server.name, why);
	if (rc)
		return rc;
	at = server_find(config, &server.place);
	if (at < 0 && config->n_servers == NRF_MAX_SERVERS)
		return why_set(why, -ENOSPC, "more than %u NRFs", NRF_MAX_SERVERS);
	config->server[at >= 0 ? (unsigned)at : config->n_servers++] = server;
	return 0;
}

int nrf_config_del_server(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			  struct weir_why *why)
{
	struct nrf_place place;
	int at, rc = place_read(scheme, address, port, &place, why);

	if (rc)
		return rc;
	at = server_find(config, &place);
	if (at < 0)
		return why_set(why, at, "there is no 'server %s %.60s %u'", nrf_scheme_name(scheme), address, port);
	config->n_servers--;
	memmove(&config->server[at], &config->server[at + 1], (config->n_servers - at) * sizeof(config->server[0]));
	memset(&config->server[config->n_servers], 0, sizeof(config->server[0]));
	return 0;
}

/* --- where we are */

static int offer_find(const struct nrf_profile *profile, const struct nrf_place *place)
{
	for (unsigned i = 0; i < profile->n_offers; i++) {
		if (same_place(&profile->offer[i], place))
			return (int)i;
	}
	return -ENOENT;
}

int nrf_config_add_offer(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			 struct weir_why *why)
{
	struct nrf_profile *profile = &config->profile;
	struct nrf_place place;
	int rc = place_read(scheme, address, port, &place, why);

	if (rc || offer_find(profile, &place) >= 0)
		return rc;
	if (profile->n_offers == NRF_MAX_OFFERS)
		return why_set(why, -ENOSPC, "more than %u addresses to advertise", NRF_MAX_OFFERS);
	profile->offer[profile->n_offers++] = place;
	return 0;
}

int nrf_config_del_offer(struct nrf_config *config, enum nrf_scheme scheme, const char *address, unsigned port,
			 struct weir_why *why)
{
	struct nrf_profile *profile = &config->profile;
	struct nrf_place place;
	int at, rc = place_read(scheme, address, port, &place, why);

	if (rc)
		return rc;
	at = offer_find(profile, &place);
	if (at < 0)
		return why_set(why, at, "there is no 'advertise %s %.60s %u'", nrf_scheme_name(scheme), address, port);
	profile->n_offers--;
	memmove(&profile->offer[at], &profile->offer[at + 1], (profile->n_offers - at) * sizeof(profile->offer[0]));
	memset(&profile->offer[profile->n_offers], 0, sizeof(profile->offer[0]));
	return 0;
}

int nrf_config_set_fqdn(struct nrf_config *config, const char *fqdn, struct weir_why *why)
{
	return fqdn_read(fqdn, config->profile.fqdn, why);
}

/* --- PLMNs */

static int plmn_read(const char *mcc, const char *mnc, struct nrf_plmn *out, struct weir_why *why)
{
	memset(out, 0, sizeof(*out));
	if (strlen(mcc) != 3 || strspn(mcc, "0123456789") != 3)
		return why_set(why, -EINVAL, "'%.20s' is no MCC; three digits are needed", mcc);
	if (strlen(mnc) < 2 || strlen(mnc) > 3 || strspn(mnc, "0123456789") != strlen(mnc))
		return why_set(why, -EINVAL, "'%.20s' is no MNC; two or three digits are needed", mnc);
	strcpy(out->mcc, mcc);
	strcpy(out->mnc, mnc);
	return 0;
}

static int plmn_find(const struct nrf_profile *profile, const struct nrf_plmn *plmn)
{
	for (unsigned i = 0; i < profile->n_plmns; i++) {
		if (!memcmp(&profile->plmn[i], plmn, sizeof(*plmn)))
			return (int)i;
	}
	return -ENOENT;
}

int nrf_config_add_plmn(struct nrf_config *config, const char *mcc, const char *mnc, struct weir_why *why)
{
	struct nrf_profile *profile = &config->profile;
	struct nrf_plmn plmn;
	int rc = plmn_read(mcc, mnc, &plmn, why);

	if (rc || plmn_find(profile, &plmn) >= 0)
		return rc;
	if (profile->n_plmns == NRF_MAX_PLMNS)
		return why_set(why, -ENOSPC, "more than %u PLMNs", NRF_MAX_PLMNS);
	profile->plmn[profile->n_plmns++] = plmn;
	return 0;
}

int nrf_config_del_plmn(struct nrf_config *config, const char *mcc, const char *mnc, struct weir_why *why)
{
	struct nrf_profile *profile = &config->profile;
	struct nrf_plmn plmn;
	int at, rc = plmn_read(mcc, mnc, &plmn, why);

	if (rc)
		return rc;
	at = plmn_find(profile, &plmn);
	if (at < 0)
		return why_set(why, at, "there is no 'plmn %.3s %.3s'", mcc, mnc);
	profile->n_plmns--;
	memmove(&profile->plmn[at], &profile->plmn[at + 1], (profile->n_plmns - at) * sizeof(profile->plmn[0]));
	memset(&profile->plmn[profile->n_plmns], 0, sizeof(profile->plmn[0]));
	return 0;
}

/* --- NF types: capital letters, digits and '_' (TS 29.510 6.1.6.3.3; new ones come with each release) */

int nrf_config_set_allowed(struct nrf_config *config, const char *const *types, unsigned n, struct weir_why *why)
{
	char allowed[NRF_MAX_ALLOWED][NRF_TYPE_TEXT];

	memset(allowed, 0, sizeof(allowed));
	if (n > NRF_MAX_ALLOWED)
		return why_set(why, -ENOSPC, "more than %u NF types", NRF_MAX_ALLOWED);
	for (unsigned i = 0; i < n; i++) {
		size_t len = strspn(types[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (!len || types[i][len] || len >= NRF_TYPE_TEXT)
			return why_set(why, -EINVAL, "'%.30s' is no NF type; write for example AMF", types[i]);
		memcpy(allowed[i], types[i], len);
	}
	memcpy(config->profile.allowed, allowed, sizeof(allowed));
	config->profile.n_allowed = n;
	return 0;
}

/* --- UUIDs */

int nrf_uuid_read(const char *text, char out[static SBI_UUID_TEXT], struct weir_why *why)
{
	if (sbi_uuid_read(text, strlen(text), out) == 0)
		return 0;
	return why_set(why, -EINVAL, "'%.40s' is no UUID; hexadecimal digits in groups of 8-4-4-4-12 are", text);
}

int nrf_uuid_make(char out[static SBI_UUID_TEXT])
{
	unsigned char o[16];

	if (getrandom(o, sizeof(o), 0) != sizeof(o))
		return -errno;
	o[6] = (o[6] & 0x0f) | 0x40; /* RFC 4122 4.4 */
	o[8] = (o[8] & 0x3f) | 0x80;
	snprintf(out, SBI_UUID_TEXT, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", o[0], o[1],
		 o[2], o[3], o[4], o[5], o[6], o[7], o[8], o[9], o[10], o[11], o[12], o[13], o[14], o[15]);
	return 0;
}
