/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Listeners and the certificate of one interface, changed as a whole.  Knows neither protocol nor connection. */
#include "gate/door.h"

#include <errno.h>
#include <string.h>

#include <osmocom/core/logging.h>

#include "gate/log.h"
#include "gate/traffic.h"

void door_init(struct door *door, struct traffic *traffic, const struct traffic_kind *kind, void *owner)
{
	static const struct door_config nothing;

	*door = (struct door){.traffic = traffic, .kind = kind, .owner = owner, .config = &nothing};
}

void door_close(struct door *door)
{
	door_abort(door);
	for (unsigned i = 0; i < door->n_listeners; i++)
		traffic_unlisten(door->listener[i]);
	door->n_listeners = 0;
	tls_context_put(door->tls);
	door->tls = NULL;
}

/* Listeners that stay are told by the place as it was configured: a port 0 of a test is another number by now.  One
 * that goes from clear to TLS stays too: it could not be opened a second time. */
static int find_listener(const struct door *door, const struct gate_place *place)
{
	for (unsigned i = 0; i < door->n_listeners; i++) {
		if (door->listener[i] && place_same_socket(&door->config->listen[i], place))
			return i;
	}
	return -ENOENT;
}

static int read_tls(const char *name, const struct door_config *config, enum tls_demand demand, const char *alpn,
		    struct tls_context **tls, struct weir_why *why)
{
	struct weir_why reason;

	*tls = NULL;
	if (!config_wants_tls(config))
		return 0;
	*tls = tls_context_alloc(TLS_SERVER, &config->tls, demand, alpn, &reason);
	return *tls ? 0 : why_set(why, -EINVAL, "%s: %s", name, reason.text);
}

int door_check(const char *name, const struct door_config *config, enum tls_demand demand, const char *alpn,
	       struct weir_why *why)
{
	struct tls_context *tls;
	int rc = read_tls(name, config, demand, alpn, &tls, why);

	tls_context_put(tls);
	return rc;
}

/* A place in clear stays so beside one with TLS. */
static struct tls_context *tls_for(const struct door *door, const struct gate_place *place)
{
	return place->transport == GATE_TLS ? door->next_tls : NULL;
}

/* Files that are not what they were, while a renewal writes them for example, are no reason to refuse a change of
 * something else: the certificate that is in force stays so. */
static int renew_tls(struct door *door, const struct door_config *config, struct weir_why *why)
{
	int rc = read_tls(door->kind->name, config, door->demand, door->alpn, &door->next_tls, why);

	if (!rc || !door->tls || memcmp(&config->tls, &door->config->tls, sizeof(config->tls)))
		return rc;
	LOGP(DGATE, LOGL_ERROR, "%s; the certificate that was read before stays in force\n", why->text);
	door->next_tls = tls_context_get(door->tls);
	return 0;
}

int door_prepare(struct door *door, const struct door_config *config, struct weir_why *why)
{
	int rc = renew_tls(door, config, why);

	door->next = config;
	for (unsigned i = 0; i < config->n_listen && !rc; i++) {
		if (find_listener(door, &config->listen[i]) < 0)
			rc = traffic_listen(door->traffic, door->kind, door->owner, &config->listen[i],
					    tls_for(door, &config->listen[i]), &door->fresh[i], why);
	}
	if (rc)
		door_abort(door);
	return rc;
}

void door_abort(struct door *door)
{
	for (unsigned i = 0; door->next && i < door->next->n_listen; i++) {
		traffic_unlisten(door->fresh[i]);
		door->fresh[i] = NULL;
	}
	tls_context_put(door->next_tls);
	door->next_tls = NULL;
	door->next = NULL;
}

void door_commit(struct door *door)
{
	const struct door_config *config = door->next;
	int at;

	for (unsigned i = 0; i < config->n_listen; i++) {
		if (door->fresh[i])
			continue;
		at = find_listener(door, &config->listen[i]);
		door->fresh[i] = door->listener[at];
		door->listener[at] = NULL;
		traffic_listener_tls(door->fresh[i], tls_for(door, &config->listen[i]));
	}
	for (unsigned i = 0; i < door->n_listeners; i++)
		traffic_unlisten(door->listener[i]); /* those that vanished; NULL is fine */
	memcpy(door->listener, door->fresh, sizeof(door->listener));
	memset(door->fresh, 0, sizeof(door->fresh));
	tls_context_put(door->tls);
	door->tls = door->next_tls;
	door->next_tls = NULL;
	door->n_listeners = config->n_listen;
	door->config = config;
	door->next = NULL;
}

const struct tls_context *door_certificate(const struct door *door)
{
	return door->tls;
}

const struct gate_place *door_listening(const struct door *door, unsigned n)
{
	return n < door->n_listeners ? traffic_listener_place(door->listener[n]) : NULL;
}
