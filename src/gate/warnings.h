/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What of a good configuration can hardly be meant, one sentence each: a door that lets nobody in, a certificate that
 * peers will refuse, an address that leads AMFs to themselves.  They are told with -t, at the start and when a
 * configuration comes into force, and refuse nothing. */
#pragma once

#include <stdint.h>

struct gate_config;
struct nrf_self;
struct tls_context;

#define WARNINGS_AHEAD_S (30 * 86400) /* before a certificate ends */

typedef void warning_fn(const char *sentence, void *data);

/* All of them.  Reads the certificates' files; nrf as for nrf_prepare. */
void warnings_config(const struct gate_config *config, const struct nrf_self *nrf, int64_t now_s, warning_fn *fn,
		     void *data);

/* Of one certificate of ours.  own may be NULL; name: the host name that it must carry, NULL or "": none. */
void warnings_certificate(const char *interface, const char *file, const struct tls_context *own, const char *name,
			  int64_t now_s, warning_fn *fn, void *data);
