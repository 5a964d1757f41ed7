/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* TLS for traffic sockets: GnuTLS does the handshake and the records, the loop stays ours.
 *
 * A context is a certificate with its key, the authorities that peers must come from, and what is demanded of them.  It
 * is made when a configuration comes into force (each time anew, so that SIGHUP takes renewed files) and counted:
 * connections keep theirs.  A session belongs to one connection; traffic_conn.c drives it.
 *
 * TLS 1.3 and 1.2 only.  No renegotiation, no compression, no early data, no resumption.  A peer's certificate is
 * verified against the authorities in the handshake; who the peer says it is, above TLS, is compared by the interface
 * with tls_peer_is.
 *
 * The private key is the one secret in the gate: it proves who the gate is, and reaches nothing of the keeper's.
 * gnutls.h stays behind this file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/why.h"

#define TLS_PATH_TEXT 256
#define TLS_NAME_TEXT 256
#define TLS_NAMES     64
/* The first octet of who begins with TLS (RFC 8446 5.1): not to be met on a port in clear. */
#define TLS_HANDSHAKE 0x16

struct tls_files {
	char certificate[TLS_PATH_TEXT]; /* PEM, the chain; "" is none (a client may do without) */
	char private_key[TLS_PATH_TEXT]; /* PEM */
	char ca[TLS_PATH_TEXT];          /* PEM, who may have signed the peer's; "": nobody's is asked for */
};

enum tls_role {
	TLS_SERVER,
	TLS_CLIENT
};

enum tls_demand {
	TLS_PEER_MUST = 0, /* no handshake without a certificate that the authorities signed */
	TLS_PEER_MAY,      /* asked for; who has none is let in, who has a bad one is not */
};

struct tls_context;
struct tls_session;

/* alpn: the only protocol that is accepted ("h2"), or NULL for none.  NULL and why on failure: files that cannot be
 * read or do not belong together. */
struct tls_context *tls_context_alloc(enum tls_role role, const struct tls_files *files, enum tls_demand demand,
				      const char *alpn, struct weir_why *why);
struct tls_context *tls_context_get(struct tls_context *context); /* one more user; NULL is fine */
void tls_context_put(struct tls_context *context);                /* one less; NULL is fine */
/* Seconds since 1970 when the own certificate ends; 0: there is none, or the context is NULL. */
int64_t tls_context_expires_s(const struct tls_context *context);
int64_t tls_context_begins_s(const struct tls_context *context);
/* Does the own certificate carry this host name, as those judge who verify names?  False where there is none. */
bool tls_context_carries(const struct tls_context *context, const char *name);

/* name: of the server that a client connects to, which its certificate must carry; NULL at a server.  The session uses
 * fd and does not close it. */
struct tls_session *tls_session_alloc(struct tls_context *context, int fd, const char *name);
void tls_session_free(struct tls_session *session); /* NULL is fine; says nothing to the peer */

/* One step.  0: done; -EAGAIN: wait, for what tls_wants_write says; -EPROTO: failed, why says how. */
int tls_handshake(struct tls_session *session, struct weir_why *why);
bool tls_wants_write(const struct tls_session *session);

/* As recv and send: octets, 0 at the peer's orderly end, -EAGAIN, -EPROTO, or another negative errno.  After a send of
 * -EAGAIN the same octets must come first in the next one; they may have moved. */
ssize_t tls_recv(struct tls_session *session, void *buf, size_t size);
ssize_t tls_send(struct tls_session *session, const void *buf, size_t len);
/* What the peer said when tls_recv or tls_handshake failed: "Certificate is bad".  NULL: it said nothing. */
const char *tls_complaint(const struct tls_session *session);
/* Octets that were decrypted and that tls_recv returns without the socket. */
size_t tls_pending(const struct tls_session *session);
/* Tell the peer that nothing more comes: 0, or -EAGAIN. */
int tls_bye(struct tls_session *session);

/* Did the peer show a certificate (it was verified), and is this its name (RFC 6125: dNSName, else the common name)? */
bool tls_peer_shown(const struct tls_session *session);
bool tls_peer_is(const struct tls_session *session, const char *name);
/* The n-th of the names in its certificate, NULL past the last: its dNSNames (the first TLS_NAMES), or its common name
 * where it has none of those.  In small letters, as case does not matter in them (RFC 6125 6.4.1).  What is longer than
 * TLS_NAME_TEXT or has characters that cannot be printed is no name: it would reach logs and terminals. */
const char *tls_peer_name(const struct tls_session *session, unsigned n);
/* "TLS1.3 ECDHE-..."; for show. */
const char *tls_describe(const struct tls_session *session);
