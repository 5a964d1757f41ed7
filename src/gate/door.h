/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The door of an interface: where it listens, with which certificate, and who may come in.
 *
 * An interface has one door.  A new configuration comes in two steps, so that all interfaces move or none does:
 * door_prepare opens the sockets that are new and reads the certificate, and can fail (not for files under the same
 * names that cannot be read any more: then the certificate in force stays); door_commit closes what vanished
 * and cannot.  Sockets that stay are never closed. */
#pragma once

#include <stdbool.h>

#include "core/why.h"
#include "gate/config.h"
#include "gate/tls.h"

struct traffic;
struct traffic_kind;
struct traffic_listener;

struct door {
	struct traffic *traffic;
	const struct traffic_kind *kind;
	void *owner; /* handed to kind->accepted */
	enum tls_demand demand;
	const char *alpn;
	const struct door_config *config; /* in force; it must outlive the next commit */

	/* private */
	struct traffic_listener *listener[GATE_MAX_LISTEN], *fresh[GATE_MAX_LISTEN];
	unsigned n_listeners;
	const struct door_config *next;
	struct tls_context *tls, *next_tls;
};

void door_init(struct door *door, struct traffic *traffic, const struct traffic_kind *kind, void *owner);
/* Close all listeners and forget the certificate.  Connections are the interface's. */
void door_close(struct door *door);

/* Can its certificate be read, where one is needed?  For a configuration that is only checked: opens nothing. */
int door_check(const char *name, const struct door_config *config, enum tls_demand demand, const char *alpn,
	       struct weir_why *why);

/* 0, or a negative errno with why and nothing changed.  Followed by exactly one of commit and abort; abort without a
 * prepare is fine. */
int door_prepare(struct door *door, const struct door_config *config, struct weir_why *why);
void door_commit(struct door *door);
void door_abort(struct door *door);

const struct tls_context *door_certificate(const struct door *door); /* in force; NULL: none */
/* The n-th listening place with real ports, NULL past the last. */
const struct gate_place *door_listening(const struct door *door, unsigned n);
