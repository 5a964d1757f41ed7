/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The admin listener: a few pages over HTTP/1.1 for machines on this host (Prometheus, a supervisor, curl).
 *
 * GET only, one request a connection.  Everything is bounded: connections (the next one is told 503), octets of a
 * request, time for request and answer.  It works inside the loop and never waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/why.h"

struct daemon_text;
struct admin;

#define ADMIN_MAX_CONNECTIONS 16
#define ADMIN_REQUEST_MS      2000 /* from connecting to the end of the request */
#define ADMIN_ANSWER_MS       5000 /* from then to the last octet taken */

struct admin_page {
	const char *path;
	const char *type;
	/* Write the page; return the status, 200 or 503. */
	int (*write)(struct daemon_text *page, void *data);
};

/* Listen on addr and port.  pages has n rows and, as data, outlives the listener.  NULL and why on failure. */
struct admin *admin_alloc(void *ctx, const char *addr, uint16_t port, const struct admin_page *pages, unsigned n,
			  void *data, struct weir_why *why);
/* Close it and its connections.  NULL is fine. */
void admin_free(struct admin *admin);
bool admin_is_at(const struct admin *admin, const char *addr, uint16_t port);
