/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* GnuTLS behind one door: contexts, handshakes, records, names (RFC 8446, RFC 5246, RFC 6125).
 *
 * It never touches an event loop and never waits.  Errors of GnuTLS become errno or a sentence here and nowhere else.
 */
#define _GNU_SOURCE /* memmem */
#include "gate/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* Forward secrecy and authenticated encryption only: RFC 9113 appendix A forbids the rest with HTTP/2, and nobody of
 * today needs it with Diameter. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

struct tls_context {
	unsigned users;
	enum tls_role role;
	enum tls_demand demand;
	bool asks; /* for the peer's certificate */
	const char *alpn;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	gnutls_x509_crt_t own; /* NULL: none */
};

#define LAST 7 /* octets of an alert in clear */

struct tls_session {
	struct tls_context *context;
	gnutls_session_t session;
	gnutls_x509_crt_t peer;    /* NULL: none shown */
	bool unsent;               /* a record that the socket did not take */
	bool heard, made;          /* something came; the handshake is done */
	uint8_t first, last[LAST]; /* octets that came while it was made */
	int fd;
	const char *complaint; /* the fatal alert of the peer */
	unsigned verified;     /* flags of a verification that failed */
	unsigned n_names;      /* of the peer */
	char *names;           /* each with its end, one behind the other */
	size_t names_len;
	char server[TLS_NAME_TEXT], text[96];
};

/* --- contexts */

/* A file of PEM as far as it tells why it is of no use: GnuTLS says "Error while reading file" for all of it. */
struct pem {
	char text[65536];
	size_t len;
};

/* A device or a FIFO has no end, or none yet; all else is told when it is read. */
static int refuse_endless(const char *path, struct weir_why *why)
{
	struct stat st;

	if (stat(path, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return 0;
	return why_set(why, -EINVAL, "%.200s is no regular file", path);
}

static int pem_read(struct pem *pem, const char *path, struct weir_why *why)
{
	FILE *f = fopen(path, "r");
	int err = f ? 0 : errno;

	pem->len = f ? fread(pem->text, 1, sizeof(pem->text), f) : 0;
	if (f && ferror(f))
		err = errno; /* a directory opens */
	if (f)
		fclose(f);
	return err ? why_set(why, -err, "%.200s: %s", path, strerror(err)) : 0;
}

static bool pem_has(const struct pem *pem, const char *words)
{
	return memmem(pem->text, pem->len, words, strlen(words)) != NULL;
}

static int blame_certificate(struct pem *pem, const char *path, struct weir_why *why)
{
	int rc = pem_read(pem, path, why);

	if (rc || pem_has(pem, "BEGIN CERTIFICATE") || pem_has(pem, "BEGIN X509 CERTIFICATE"))
		return rc;
	return why_set(why, -EINVAL, "no certificate in %.200s", path);
}

static int blame_key(struct pem *pem, const char *path, struct weir_why *why)
{
	int rc = pem_read(pem, path, why);

	if (rc)
		return rc;
	if (!pem_has(pem, "PRIVATE KEY-----"))
		return why_set(why, -EINVAL, "no private key in %.200s", path);
	if (pem_has(pem, "BEGIN ENCRYPTED PRIVATE KEY") || pem_has(pem, "4,ENCRYPTED"))
		return why_set(why, -EINVAL, "%.180s: the key has a passphrase; that is not supported", path);
	return 0;
}

/* Which of the two files, and what of it.  The error of GnuTLS where neither tells. */
static int blame_own(const struct tls_files *files, int error, struct weir_why *why)
{
	struct pem *pem = malloc(sizeof(*pem));
	int rc = pem ? blame_certificate(pem, files->certificate, why) : 0;

	if (pem && !rc)
		rc = blame_key(pem, files->private_key, why);
	if (pem)
		explicit_bzero(pem, sizeof(*pem));
	free(pem);
	if (rc)
		return rc;
	if (error == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return why_set(why, -EINVAL, "the key %.100s is not that of %.100s", files->private_key,
			       files->certificate);
	return why_set(why, -EINVAL, "certificate %.90s with key %.90s: %s", files->certificate, files->private_key,
		       gnutls_strerror(error));
}

static void keep_own(struct tls_context *c)
{
	gnutls_x509_crt_t *chain;
	unsigned n;

	if (gnutls_certificate_get_x509_crt(c->credentials, 0, &chain, &n) < 0)
		return;
	for (unsigned i = 1; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	c->own = n ? chain[0] : NULL;
	gnutls_free(chain);
}

static int read_own(struct tls_context *c, const struct tls_files *files, struct weir_why *why)
{
	int rc;

	if (!files->certificate[0] && !files->private_key[0] && c->role == TLS_CLIENT)
		return 0;
	if (!files->certificate[0] || !files->private_key[0])
		return why_set(why, -EINVAL, "TLS needs 'tls certificate FILE' and 'tls key FILE'");
	rc = refuse_endless(files->certificate, why);
	if (!rc)
		rc = refuse_endless(files->private_key, why);
	if (rc)
		return rc;
	rc = gnutls_certificate_set_x509_key_file(c->credentials, files->certificate, files->private_key,
						  GNUTLS_X509_FMT_PEM);
	if (rc < 0)
		return blame_own(files, rc, why);
	keep_own(c);
	return 0;
}

static int blame_authorities(const char *path, int error, struct weir_why *why)
{
	struct pem *pem = malloc(sizeof(*pem));
	int rc = pem ? blame_certificate(pem, path, why) : 0;

	free(pem);
	return rc ? rc : why_set(why, -EINVAL, "authorities in %.180s: %s", path, gnutls_strerror(error));
}

static int read_authorities(struct tls_context *c, const struct tls_files *files, struct weir_why *why)
{
	int n;

	if (!files->ca[0]) {
		if (c->role == TLS_SERVER && c->demand == TLS_PEER_MAY)
			return 0;
		return why_set(why, -EINVAL,
			       "TLS needs 'tls ca FILE': the authorities that have signed the peers' certificates");
	}
	n = refuse_endless(files->ca, why);
	if (n)
		return n;
	n = gnutls_certificate_set_x509_trust_file(c->credentials, files->ca, GNUTLS_X509_FMT_PEM);
	if (n <= 0)
		return blame_authorities(files->ca, n, why);
	c->asks = true;
	return 0;
}

static int fill(struct tls_context *c, const struct tls_files *files, struct weir_why *why)
{
	int rc;

	if (gnutls_certificate_allocate_credentials(&c->credentials) < 0 ||
	    gnutls_priority_init(&c->priorities, PRIORITIES, NULL) < 0)
		return why_set(why, -ENOMEM, "GnuTLS does not know the ciphers wanted, or is out of memory");
	rc = read_own(c, files, why);
	return rc ? rc : read_authorities(c, files, why);
}

struct tls_context *tls_context_alloc(enum tls_role role, const struct tls_files *files, enum tls_demand demand,
				      const char *alpn, struct weir_why *why)
{
	struct tls_context *c = calloc(1, sizeof(*c));

	if (!c) {
		why_set(why, -ENOMEM, "out of memory for TLS");
		return NULL;
	}
	*c = (struct tls_context){.users = 1, .role = role, .demand = demand, .alpn = alpn};
	if (fill(c, files, why)) {
		tls_context_put(c);
		return NULL;
	}
	return c;
}

struct tls_context *tls_context_get(struct tls_context *c)
{
	if (c)
		c->users++;
	return c;
}

void tls_context_put(struct tls_context *c)
{
	if (!c || --c->users)
		return;
	if (c->credentials)
		gnutls_certificate_free_credentials(c->credentials);
	if (c->priorities)
		gnutls_priority_deinit(c->priorities);
	if (c->own)
		gnutls_x509_crt_deinit(c->own);
	free(c);
}

int64_t tls_context_expires_s(const struct tls_context *c)
{
	return c && c->own ? (int64_t)gnutls_x509_crt_get_expiration_time(c->own) : 0;
}

int64_t tls_context_begins_s(const struct tls_context *c)
{
	return c->own ? (int64_t)gnutls_x509_crt_get_activation_time(c->own) : 0;
}

bool tls_context_carries(const struct tls_context *c, const char *name)
{
	return c->own && gnutls_x509_crt_check_hostname(c->own, name) != 0;
}

/* --- sessions */

/* Called in the handshake when the peer's certificate is in, or is known not to come. */
static int verify(gnutls_session_t session)
{
	struct tls_session *s = gnutls_session_get_ptr(session);
	unsigned n = 0, status = 0;

	gnutls_certificate_get_peers(session, &n);
	if (!n)
		return s->context->role == TLS_SERVER && s->context->demand == TLS_PEER_MAY ? 0 : -1;
	if (gnutls_certificate_verify_peers3(session, s->server[0] ? s->server : NULL, &status) < 0)
		return -1;
	s->verified = status;
	return status ? -1 : 0;
}

/* The first octet of a record (RFC 8446 5.1)? */
static bool is_tls(uint8_t octet)
{
	return octet >= 20 && octet <= 23;
}

static void remember(struct tls_session *s, const uint8_t *octets, size_t len)
{
	size_t n = len < LAST ? len : LAST;

	if (!s->heard)
		s->first = octets[0];
	s->heard = true;
	memmove(s->last, s->last + n, LAST - n);
	memcpy(s->last + LAST - n, octets + len - n, n);
}

/* As GnuTLS itself reads a socket, with an eye on what came. */
static ssize_t pull(gnutls_transport_ptr_t ptr, void *buf, size_t size)
{
	struct tls_session *s = ptr;
	ssize_t n = recv(s->fd, buf, size, 0);

	if (n > 0 && !s->made)
		remember(s, buf, (size_t)n);
	if (n < 0)
		gnutls_transport_set_errno(s->session, errno);
	return n;
}

static int set_up(struct tls_session *s, int fd)
{
	const struct tls_context *c = s->context;
	unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;
	gnutls_datum_t alpn = {(unsigned char *)(uintptr_t)c->alpn, c->alpn ? (unsigned)strlen(c->alpn) : 0};

	if (gnutls_init(&s->session, flags | (c->role == TLS_SERVER ? GNUTLS_SERVER : GNUTLS_CLIENT)) < 0)
		return -ENOMEM;
	gnutls_session_set_ptr(s->session, s);
	gnutls_transport_set_ptr2(s->session, s, (gnutls_transport_ptr_t)(intptr_t)fd);
	gnutls_transport_set_pull_function(s->session, pull);
	gnutls_handshake_set_timeout(s->session, GNUTLS_INDEFINITE_TIMEOUT); /* the deadline is the loop's */
	if (gnutls_priority_set(s->session, c->priorities) < 0 ||
	    gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, c->credentials) < 0)
		return -ENOMEM;
	if (c->alpn && gnutls_alpn_set_protocols(s->session, &alpn, 1, GNUTLS_ALPN_MANDATORY) < 0)
		return -ENOMEM;
	/* Whom we trust is nobody's business, and a list of names makes some clients send no certificate at all. */
	gnutls_certificate_send_x509_rdn_sequence(s->session, 1);
	if (c->role == TLS_SERVER)
		gnutls_certificate_server_set_request(s->session, !c->asks                     ? GNUTLS_CERT_IGNORE
								  : c->demand == TLS_PEER_MUST ? GNUTLS_CERT_REQUIRE
											       : GNUTLS_CERT_REQUEST);
	else if (s->server[0] && !strpbrk(s->server, ":") && strspn(s->server, "0123456789.") != strlen(s->server))
		gnutls_server_name_set(s->session, GNUTLS_NAME_DNS, s->server, strlen(s->server));
	if (c->asks)
		gnutls_session_set_verify_function(s->session, verify);
	return 0;
}

struct tls_session *tls_session_alloc(struct tls_context *context, int fd, const char *name)
{
	struct tls_session *s;

	if (name && strlen(name) >= TLS_NAME_TEXT)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->context = tls_context_get(context);
	s->fd = fd;
	if (name)
		memcpy(s->server, name, strlen(name) + 1);
	if (set_up(s, fd)) {
		tls_session_free(s);
		return NULL;
	}
	return s;
}

void tls_session_free(struct tls_session *s)
{
	if (!s)
		return;
	if (s->peer)
		gnutls_x509_crt_deinit(s->peer);
	if (s->session)
		gnutls_deinit(s->session);
	free(s->names);
	tls_context_put(s->context);
	free(s);
}

/* A name with a NUL in it is cut by whoever prints it, one with other control characters is the terminal's: none. */
static bool can_be_printed(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (name[i] < ' ' || name[i] > '~')
			return false;
	}
	return len && len < TLS_NAME_TEXT;
}

static void keep_name(struct tls_session *s, const char *name, size_t len)
{
	char *names = can_be_printed(name, len) ? realloc(s->names, s->names_len + len + 1) : NULL;

	if (!names)
		return;
	s->names = names;
	for (size_t i = 0; i < len; i++)
		names[s->names_len++] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
	names[s->names_len++] = '\0';
	s->n_names++;
}

/* The common name says nothing beside a dNSName, however useless that is (RFC 6125 6.4.4). */
static void learn_names(struct tls_session *s)
{
	char name[TLS_NAME_TEXT];
	bool alone = true;
	size_t len;

	for (unsigned i = 0; i < TLS_NAMES; i++) {
		len = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(s->peer, i, name, &len, NULL);
		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (type != GNUTLS_SAN_DNSNAME)
			continue;
		alone = false;
		keep_name(s, name, len);
	}
	len = sizeof(name);
	if (alone && gnutls_x509_crt_get_dn_by_oid(s->peer, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) == 0)
		keep_name(s, name, len);
}

static void learn_peer(struct tls_session *s)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(s->session, &n);

	if (!chain || !n || gnutls_x509_crt_init(&s->peer) < 0)
		return;
	if (gnutls_x509_crt_import(s->peer, &chain[0], GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(s->peer);
		s->peer = NULL;
		return;
	}
	learn_names(s);
}

static void say_failure(struct tls_session *s, int rc, struct weir_why *why)
{
	gnutls_datum_t text = {NULL, 0};

	if (s->verified && gnutls_certificate_verification_status_print(s->verified, GNUTLS_CRT_X509, &text, 0) >= 0 &&
	    text.data)
		why_set(why, -EPROTO, "%s", (const char *)text.data);
	else if (s->complaint)
		why_set(why, -EPROTO, "the peer says: %s", s->complaint);
	else
		why_set(why, -EPROTO, "%s", gnutls_strerror(rc));
	gnutls_free(text.data);
}

static void learn_ciphers(struct tls_session *s)
{
	char *text = gnutls_session_get_desc(s->session);

	snprintf(s->text, sizeof(s->text), "%s", text ? text : "TLS");
	gnutls_free(text);
}

/* Who names no protocol does not speak it (RFC 9113 3.2); GnuTLS looks only at what is named. */
static int agree(const struct tls_session *s)
{
	gnutls_datum_t named;

	if (!s->context->alpn || gnutls_alpn_get_selected_protocol(s->session, &named) == GNUTLS_E_SUCCESS)
		return GNUTLS_E_SUCCESS;
	return GNUTLS_E_NO_APPLICATION_PROTOCOL;
}

/* OpenSSL refuses our certificate in clear, when we await records that are encrypted: GnuTLS cannot decrypt it. */
static void hear_clear_complaint(struct tls_session *s)
{
	static const uint8_t alert[LAST - 1] = {21, 3, 3, 0, 2, 2}; /* RFC 8446 5.1, 6: a fatal one */

	if (!memcmp(s->last, alert, sizeof(alert)))
		s->complaint = gnutls_alert_get_name(s->last[LAST - 1]) ?: "no";
}

/* The alert that ended it, if one did. */
static void hear_complaint(struct tls_session *s, int rc)
{
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
		s->complaint = gnutls_alert_get_name(gnutls_alert_get(s->session)) ?: "no";
	else if (rc == GNUTLS_E_DECRYPTION_FAILED)
		hear_clear_complaint(s);
}

int tls_handshake(struct tls_session *s, struct weir_why *why)
{
	int rc = gnutls_handshake(s->session);

	if (rc == GNUTLS_E_SUCCESS)
		rc = agree(s);
	if (rc == GNUTLS_E_SUCCESS) {
		s->made = true;
		learn_peer(s);
		learn_ciphers(s);
		return 0;
	}
	if (s->heard && !is_tls(s->first))
		return why_set(why, -EPROTO, "speaks in clear %s", /* and would not understand an alert */
			       s->context->role == TLS_SERVER ? "on a TLS port" : "where TLS is wanted");
	if (!gnutls_error_is_fatal(rc))
		return -EAGAIN;
	hear_complaint(s, rc);
	say_failure(s, rc, why);
	gnutls_alert_send_appropriate(s->session, rc); /* as far as the socket takes it at once */
	return -EPROTO;
}

bool tls_wants_write(const struct tls_session *s)
{
	return gnutls_record_get_direction(s->session) == 1;
}

ssize_t tls_recv(struct tls_session *s, void *buf, size_t size)
{
	ssize_t n = gnutls_record_recv(s->session, buf, size);

	if (n >= 0)
		return n;
	if (n == GNUTLS_E_REHANDSHAKE)
		return -EPROTO; /* nobody renegotiates with us */
	if (n == GNUTLS_E_PREMATURE_TERMINATION)
		return 0; /* our protocols carry their own lengths */
	hear_complaint(s, (int)n);
	return gnutls_error_is_fatal((int)n) ? -EPROTO : -EAGAIN;
}

const char *tls_complaint(const struct tls_session *s)
{
	return s->complaint;
}

/* What GnuTLS has made a record of must leave first; it says then how many octets of the caller's that were. */
ssize_t tls_send(struct tls_session *s, const void *buf, size_t len)
{
	ssize_t n = s->unsent ? gnutls_record_send(s->session, NULL, 0) : gnutls_record_send(s->session, buf, len);

	if (n >= 0) {
		s->unsent = false;
		return n;
	}
	if (gnutls_error_is_fatal((int)n))
		return -EPROTO;
	s->unsent = true;
	return -EAGAIN;
}

size_t tls_pending(const struct tls_session *s)
{
	return gnutls_record_check_pending(s->session);
}

int tls_bye(struct tls_session *s)
{
	int rc = gnutls_bye(s->session, GNUTLS_SHUT_WR);

	return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ? -EAGAIN : 0;
}

/* --- names */

bool tls_peer_shown(const struct tls_session *s)
{
	return s->peer != NULL;
}

bool tls_peer_is(const struct tls_session *s, const char *name)
{
	return s->peer && gnutls_x509_crt_check_hostname(s->peer, name) != 0;
}

const char *tls_peer_name(const struct tls_session *s, unsigned n)
{
	const char *name = s->names;

	if (n >= s->n_names)
		return NULL;
	while (n--)
		name += strlen(name) + 1;
	return name;
}

const char *tls_describe(const struct tls_session *s)
{
	return s->text;
}
