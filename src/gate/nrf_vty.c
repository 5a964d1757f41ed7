/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Commands of the node `nrf`, the oauth2 commands of the node `n5g`, and `show nrf`.  The first two write the draft and
 * nothing else. */
#include "gate/vty.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <osmocom/vty/vty.h>

#include "gate/gate.h"
#include "gate/n5g.h"
#include "gate/nrf.h"
#include "gate/token.h"

static struct cmd_node nrf_node = {.node = NRF_NODE, .prompt = "%s(config-nrf)# ", .vtysh = 1, .name = "nrf"};

static struct nrf_config *draft(void)
{
	return &the_gate->draft->nrf;
}

static struct token_config *draft_token(void)
{
	return &the_gate->draft->n5g.token;
}

static enum nrf_scheme scheme(const char *word)
{
	return strcmp(word, "https") ? NRF_HTTP : NRF_HTTPS;
}

DEFUN(cfg_nrf, cfg_nrf_cmd, "nrf", "The NRF of the 5G core: where N5g-eir is registered so that AMFs find it\n")
{
	vty->node = NRF_NODE;
	return CMD_SUCCESS;
}

#define SCHEME_CMD   "(http|https)"
#define SCHEME_HELP  "HTTP/2 in clear, with prior knowledge\nHTTP/2 over TLS\n"
#define ADDRESS_HELP "IPv4 address\nIPv6 address\n"
#define PORT_HELP    "Port\n"

/* --- server */

#define SERVER_CMD  "server " SCHEME_CMD " " VTY_IPV46_CMD " <1-65535>"
#define SERVER_HELP "An NRF; the first of several that answers is used\n" SCHEME_HELP ADDRESS_HELP PORT_HELP

DEFUN(cfg_server, cfg_server_cmd, SERVER_CMD, SERVER_HELP)
{
	struct weir_why why;
	unsigned port = (unsigned)atoi(argv[2]);

	return gate_vty_said(vty, nrf_config_add_server(draft(), scheme(argv[0]), argv[1], port, NULL, &why), &why);
}

DEFUN(cfg_server_name, cfg_server_name_cmd, SERVER_CMD " name NAME",
      SERVER_HELP "Its name\nThe one that its certificate must carry\n")
{
	struct weir_why why;
	unsigned port = (unsigned)atoi(argv[2]);

	return gate_vty_said(vty, nrf_config_add_server(draft(), scheme(argv[0]), argv[1], port, argv[3], &why), &why);
}

DEFUN(cfg_no_server, cfg_no_server_cmd, "no " SERVER_CMD, NO_STR SERVER_HELP)
{
	struct weir_why why;
	unsigned port = (unsigned)atoi(argv[2]);

	return gate_vty_said(vty, nrf_config_del_server(draft(), scheme(argv[0]), argv[1], port, &why), &why);
}

/* --- what it is told */

#define ADVERTISE_CMD  "advertise " SCHEME_CMD " " VTY_IPV46_CMD " <1-65535>"
#define ADVERTISE_HELP "Where AMFs shall ask, if not where n5g listens\n" SCHEME_HELP ADDRESS_HELP PORT_HELP

DEFUN(cfg_advertise, cfg_advertise_cmd, ADVERTISE_CMD, ADVERTISE_HELP)
{
	struct weir_why why;
	unsigned port = (unsigned)atoi(argv[2]);

	return gate_vty_said(vty, nrf_config_add_offer(draft(), scheme(argv[0]), argv[1], port, &why), &why);
}

DEFUN(cfg_no_advertise, cfg_no_advertise_cmd, "no " ADVERTISE_CMD, NO_STR ADVERTISE_HELP)
{
	struct weir_why why;
	unsigned port = (unsigned)atoi(argv[2]);

	return gate_vty_said(vty, nrf_config_del_offer(draft(), scheme(argv[0]), argv[1], port, &why), &why);
}

#define FQDN_HELP "Our host name, for clients that check our certificate\n"

DEFUN(cfg_fqdn, cfg_fqdn_cmd, "fqdn NAME", FQDN_HELP "The name\n")
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_config_set_fqdn(draft(), argv[0], &why), &why);
}

DEFUN(cfg_no_fqdn, cfg_no_fqdn_cmd, "no fqdn", NO_STR FQDN_HELP)
{
	memset(draft()->profile.fqdn, 0, sizeof(draft()->profile.fqdn));
	return CMD_SUCCESS;
}

#define PLMN_HELP "A PLMN that we serve; none: those of the NRF\nMobile country code\nMobile network code\n"

DEFUN(cfg_plmn, cfg_plmn_cmd, "plmn MCC MNC", PLMN_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_config_add_plmn(draft(), argv[0], argv[1], &why), &why);
}

DEFUN(cfg_no_plmn, cfg_no_plmn_cmd, "no plmn MCC MNC", NO_STR PLMN_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_config_del_plmn(draft(), argv[0], argv[1], &why), &why);
}

DEFUN(cfg_priority, cfg_priority_cmd, "priority <0-65535>",
      "Among several 5G-EIRs the lowest is asked first\nPriority, 0 unless configured\n")
{
	draft()->profile.priority = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_capacity, cfg_capacity_cmd, "capacity <0-65535>",
      "Our share among 5G-EIRs of the same priority\nWeight, 100 unless configured\n")
{
	draft()->profile.capacity = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

#define BEAT_HELP "How often we propose to be heard of; the NRF decides\n"

DEFUN(cfg_heartbeat, cfg_heartbeat_cmd, "heartbeat <1-3600>", BEAT_HELP "Seconds, 10 unless configured\n")
{
	draft()->profile.heartbeat_s = (unsigned)atoi(argv[0]);
	return CMD_SUCCESS;
}

DEFUN(cfg_no_heartbeat, cfg_no_heartbeat_cmd, "no heartbeat", NO_STR BEAT_HELP)
{
	draft()->profile.heartbeat_s = 0;
	return CMD_SUCCESS;
}

#define ALLOWED_HELP "Which network functions may find us; AMF unless configured\n"

DEFUN(cfg_allowed, cfg_allowed_cmd, "allowed-nf-types .TYPES", ALLOWED_HELP "NF types, for example AMF SCP\n")
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_config_set_allowed(draft(), argv, (unsigned)argc, &why), &why);
}

DEFUN(cfg_no_allowed, cfg_no_allowed_cmd, "no allowed-nf-types", NO_STR "All may find us\n")
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_config_set_allowed(draft(), NULL, 0, &why), &why);
}

/* --- files */

#define TLS_HELP "Certificates for NRFs over TLS; files are read again at SIGHUP\n"
#define FILE_HELP                                                                                                      \
	"Our own, for NRFs that ask for one\nIts private key\n"                                                        \
	"The authorities that have signed the NRFs' certificates\n"

DEFUN(cfg_nrf_tls, cfg_nrf_tls_cmd, "tls (certificate|key|ca) FILE", TLS_HELP FILE_HELP "PEM file\n")
{
	return tls_vty_set(vty, &draft()->tls, argv[0], argv[1]);
}

DEFUN(cfg_no_nrf_tls, cfg_no_nrf_tls_cmd, "no tls (certificate|key|ca)", NO_STR TLS_HELP FILE_HELP)
{
	tls_vty_clear(&draft()->tls, argv[0]);
	return CMD_SUCCESS;
}

static void write_place(struct vty *vty, const char *word, const struct nrf_place *place)
{
	char text[GATE_ADDRESS_TEXT];

	vty_out(vty, " %s %s %s %u", word, nrf_scheme_name(place->scheme), address_print(text, &place->address),
		place->address.port);
}

static void write_servers(struct vty *vty, const struct nrf_config *nrf)
{
	for (unsigned i = 0; i < nrf->n_servers; i++) {
		write_place(vty, "server", &nrf->server[i].place);
		vty_out(vty, "%s%s%s", nrf->server[i].name[0] ? " name " : "", nrf->server[i].name, VTY_NEWLINE);
	}
	tls_vty_write(vty, &nrf->tls);
}

static void write_allowed(struct vty *vty, const struct nrf_profile *profile)
{
	vty_out(vty, profile->n_allowed ? " allowed-nf-types" : " no allowed-nf-types");
	for (unsigned i = 0; i < profile->n_allowed; i++)
		vty_out(vty, " %s", profile->allowed[i]);
	vty_out(vty, "%s", VTY_NEWLINE);
}

static void write_profile(struct vty *vty, const struct nrf_profile *profile)
{
	for (unsigned i = 0; i < profile->n_offers; i++) {
		write_place(vty, "advertise", &profile->offer[i]);
		vty_out(vty, "%s", VTY_NEWLINE);
	}
	if (profile->fqdn[0])
		vty_out(vty, " fqdn %s%s", profile->fqdn, VTY_NEWLINE);
	for (unsigned i = 0; i < profile->n_plmns; i++)
		vty_out(vty, " plmn %s %s%s", profile->plmn[i].mcc, profile->plmn[i].mnc, VTY_NEWLINE);
	vty_out(vty, " priority %u%s", profile->priority, VTY_NEWLINE);
	vty_out(vty, " capacity %u%s", profile->capacity, VTY_NEWLINE);
	if (profile->heartbeat_s)
		vty_out(vty, " heartbeat %u%s", profile->heartbeat_s, VTY_NEWLINE);
	else
		vty_out(vty, " no heartbeat%s", VTY_NEWLINE);
	write_allowed(vty, profile);
}

static int write_nrf(struct vty *vty)
{
	vty_out(vty, "nrf%s", VTY_NEWLINE);
	write_servers(vty, draft());
	write_profile(vty, &draft()->profile);
	return 1;
}

/* --- oauth2, in the node n5g */

#define OAUTH2_HELP "Access tokens of the NRF (OAuth 2.0)\n"

DEFUN(cfg_oauth2, cfg_oauth2_cmd, "oauth2 (off|optional|required)",
      OAUTH2_HELP "Not looked at\nA request may come without one; one that is there must be good\n"
		  "No answer without a good one\n")
{
	draft_token()->mode = !strcmp(argv[0], "off")        ? TOKEN_OFF
			      : !strcmp(argv[0], "optional") ? TOKEN_OPTIONAL
							     : TOKEN_REQUIRED;
	return CMD_SUCCESS;
}

#define ISSUER_HELP OAUTH2_HELP "The NRF that must have made them; any whose signature is good unless configured\n"

DEFUN(cfg_issuer, cfg_issuer_cmd, "oauth2 issuer UUID", ISSUER_HELP "Its NF instance id\n")
{
	struct weir_why why;

	return gate_vty_said(vty, nrf_uuid_read(argv[0], draft_token()->issuer, &why), &why);
}

DEFUN(cfg_no_issuer, cfg_no_issuer_cmd, "no oauth2 issuer", NO_STR ISSUER_HELP)
{
	draft_token()->issuer[0] = '\0';
	return CMD_SUCCESS;
}

static int key_index(const struct token_config *token, const char *file)
{
	for (unsigned i = 0; i < token->n_keys; i++) {
		if (!strcmp(token->key[i].file, file))
			return (int)i;
	}
	return -ENOENT;
}

static int key_add(struct token_config *token, const char *file, const char *kid, struct weir_why *why)
{
	int at = key_index(token, file);
	struct token_key_config *key = &token->key[at >= 0 ? (unsigned)at : token->n_keys];

	if (strlen(file) >= sizeof(key->file))
		return why_set(why, -EINVAL, "the name of a file has at most %zu characters", sizeof(key->file) - 1);
	if (strlen(kid) >= sizeof(key->kid))
		return why_set(why, -EINVAL, "a key id has at most %zu characters", sizeof(key->kid) - 1);
	if (at < 0 && token->n_keys == TOKEN_MAX_KEYS)
		return why_set(why, -ENOSPC, "more than %u keys", TOKEN_MAX_KEYS);
	token->n_keys += at < 0;
	memset(key, 0, sizeof(*key));
	strcpy(key->file, file);
	strcpy(key->kid, kid);
	return 0;
}

static int key_del(struct token_config *token, const char *file, struct weir_why *why)
{
	int at = key_index(token, file);

	if (at < 0)
		return why_set(why, at, "there is no 'oauth2 key %.100s'", file);
	token->n_keys--;
	memmove(&token->key[at], &token->key[at + 1], (token->n_keys - at) * sizeof(token->key[0]));
	return 0;
}

#define KEY_HELP                                                                                                       \
	OAUTH2_HELP "A public key of the NRF; may be given several times\n"                                            \
		    "PEM file with a public key or certificate, read again at SIGHUP\n"

DEFUN(cfg_key, cfg_key_cmd, "oauth2 key FILE [KID]", KEY_HELP "Its id: the kid of the tokens that it is for\n")
{
	struct weir_why why;

	return gate_vty_said(vty, key_add(draft_token(), argv[0], argc > 1 ? argv[1] : "", &why), &why);
}

DEFUN(cfg_no_key, cfg_no_key_cmd, "no oauth2 key FILE", NO_STR KEY_HELP)
{
	struct weir_why why;

	return gate_vty_said(vty, key_del(draft_token(), argv[0], &why), &why);
}

void oauth2_vty_write(struct vty *vty, const struct token_config *token)
{
	vty_out(vty, " oauth2 %s%s", token_mode_name(token->mode), VTY_NEWLINE);
	if (token->issuer[0])
		vty_out(vty, " oauth2 issuer %s%s", token->issuer, VTY_NEWLINE);
	for (unsigned i = 0; i < token->n_keys; i++)
		vty_out(vty, " oauth2 key %s%s%s%s", token->key[i].file, token->key[i].kid[0] ? " " : "",
			token->key[i].kid, VTY_NEWLINE);
}

void oauth2_vty_install(int node)
{
	install_element(node, &cfg_oauth2_cmd);
	install_element(node, &cfg_issuer_cmd);
	install_element(node, &cfg_no_issuer_cmd);
	install_element(node, &cfg_key_cmd);
	install_element(node, &cfg_no_key_cmd);
}

/* --- show */

#define OUT(fmt, args...) vty_out(vty, fmt "%s", ##args, VTY_NEWLINE)

static const char *state_text(const struct nrf_state *state)
{
	if (strcmp(state->name, "registering") != 0)
		return state->name;
	return state->known ? "registered, and telling something new" : "not registered, trying";
}

/* What AMFs find. */
static void show_profile(struct vty *vty, const struct nrf_profile *profile)
{
	char text[GATE_ADDRESS_TEXT];

	vty_out(vty, "told      ");
	for (unsigned i = 0; i < profile->n_offers; i++)
		vty_out(vty, "%s %s %s %u", i ? "," : "", nrf_scheme_name(profile->offer[i].scheme),
			address_print(text, &profile->offer[i].address), profile->offer[i].address.port);
	if (profile->fqdn[0])
		vty_out(vty, ", fqdn %s", profile->fqdn);
	for (unsigned i = 0; i < profile->n_plmns; i++)
		vty_out(vty, ", plmn %s-%s", profile->plmn[i].mcc, profile->plmn[i].mnc);
	OUT("%s", profile->n_plmns ? "" : ", no plmn: those of the NRF");
}

static void show_times(struct vty *vty, const struct nrf_state *state)
{
	if (state->since_good_us >= 0)
		OUT("last good  %" PRId64 " s ago", state->since_good_us / 1000000);
	else
		OUT("last good  never");
	if (state->until_next_us >= 0)
		OUT("next call  in %.1f s", (double)state->until_next_us / 1e6);
	else
		OUT("next call  under way");
}

DEFUN(show_nrf, show_nrf_cmd, "show nrf", SHOW_STR "Our registration at the NRF\n")
{
	struct nrf_state state;

	if (gate_vty_not_started(vty))
		return CMD_WARNING;
	nrf_state(the_gate->nrf, &state);
	OUT("state      %s", state_text(&state));
	if (!state.on)
		return CMD_SUCCESS;
	OUT("nrf        %s", state.server);
	OUT("instance   %s", state.instance_id);
	show_profile(vty, state.profile);
	if (state.known)
		OUT("heartbeat  every %u s", state.heartbeat_s);
	else
		OUT("heartbeat  -");
	show_times(vty, &state);
	OUT("failures   %u in a row%s%s", state.failures, state.why[0] ? ", the last: " : "", state.why);
	return CMD_SUCCESS;
}

DEFUN(show_tokens, show_tokens_cmd, "show oauth2", SHOW_STR "Access tokens of clients of N5g-eir\n")
{
	const struct tokens *tokens;

	if (gate_vty_not_started(vty))
		return CMD_WARNING;
	tokens = n5g_tokens(the_gate->n5g);
	OUT("tokens are %s, %u are remembered", token_mode_name(tokens_mode(tokens)), tokens_remembered(tokens));
	return CMD_SUCCESS;
}

void gate_nrf_vty_init(void)
{
	install_node(&nrf_node, write_nrf);
	install_element(CONFIG_NODE, &cfg_nrf_cmd);
	install_element(NRF_NODE, &cfg_server_cmd);
	install_element(NRF_NODE, &cfg_server_name_cmd);
	install_element(NRF_NODE, &cfg_no_server_cmd);
	install_element(NRF_NODE, &cfg_advertise_cmd);
	install_element(NRF_NODE, &cfg_no_advertise_cmd);
	install_element(NRF_NODE, &cfg_fqdn_cmd);
	install_element(NRF_NODE, &cfg_no_fqdn_cmd);
	install_element(NRF_NODE, &cfg_plmn_cmd);
	install_element(NRF_NODE, &cfg_no_plmn_cmd);
	install_element(NRF_NODE, &cfg_priority_cmd);
	install_element(NRF_NODE, &cfg_capacity_cmd);
	install_element(NRF_NODE, &cfg_heartbeat_cmd);
	install_element(NRF_NODE, &cfg_no_heartbeat_cmd);
	install_element(NRF_NODE, &cfg_allowed_cmd);
	install_element(NRF_NODE, &cfg_no_allowed_cmd);
	install_element(NRF_NODE, &cfg_nrf_tls_cmd);
	install_element(NRF_NODE, &cfg_no_nrf_tls_cmd);
	install_element_ve(&show_nrf_cmd);
	install_element_ve(&show_tokens_cmd);
}
