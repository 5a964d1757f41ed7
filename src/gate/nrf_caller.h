/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Calls to NRFs: one connection at a time, kept for the next call to the same server; one call at a time over it.
 *
 * A call ends with one reply, an answer or the words why there is none, and never from within nrf_caller_call.  What
 * comes is bounded (H2_BODY_MAX, NRF_PATIENCE_S) and Location is not read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gate/nrf_config.h"

#define NRF_PATIENCE_S    3
#define NRF_RETRY_AFTER_S 60 /* the longest Retry-After that is heeded */

struct nrf_caller;
struct tls_context;
struct traffic;

struct nrf_reply {
	unsigned status; /* 0: there is no answer */
	const char *why; /* no answer: a few words */
	bool late;       /* no answer: in time */
	bool stale;      /* no answer: over a connection that had served before; it may have been closed just then */
	const char *body;
	size_t len;
	unsigned retry_after_s;
};
typedef void nrf_reply_fn(void *data, const struct nrf_reply *reply);

/* The traffic must outlive it. */
struct nrf_caller *nrf_caller_alloc(void *ctx, struct traffic *traffic, nrf_reply_fn *replied, void *data);
void nrf_caller_free(struct nrf_caller *caller);

/* tls: of a client, for https.  type: of the body, NULL where there is none.  False: no descriptor, stream or memory.
 */
bool nrf_caller_call(struct nrf_caller *caller, const struct nrf_server *server, struct tls_context *tls,
		     const char *method, const char *instance_id, const char *type, const char *body, size_t len);
bool nrf_caller_busy(const struct nrf_caller *caller);
/* Forget the call that is under way, if one is: no reply comes. */
void nrf_caller_forget(struct nrf_caller *caller);
/* Forget it and the connection too.  politely: with a GOAWAY, and time for the server to hear it. */
void nrf_caller_drop(struct nrf_caller *caller, bool politely);
