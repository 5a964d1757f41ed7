/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* PEM files to keys, and tokens to yes or no.  Never a private key: a file that has one is refused, since nothing here
 * needs it and it would sit in a process that answers strangers. */
#include "gate/token_key.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <jwt.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192

static const jwt_alg_t library_alg[TOKEN_N_ALGS] = {
	[TOKEN_ES256] = JWT_ALG_ES256, [TOKEN_ES384] = JWT_ALG_ES384, [TOKEN_RS256] = JWT_ALG_RS256,
	[TOKEN_RS384] = JWT_ALG_RS384, [TOKEN_RS512] = JWT_ALG_RS512,
};

/* --- files */

/* All of a regular file, terminated; octets or a negative errno. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = 0, got = 1;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size >= (off_t)size)
		n = -EFBIG;
	while (n >= 0 && n < (ssize_t)size - 1 && got > 0) {
		got = read(fd, buf + n, size - 1 - n);
		n = got < 0 ? -errno : n + got;
	}
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

static int import_certificate(gnutls_pubkey_t pub, const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t crt;
	int rc = gnutls_x509_crt_init(&crt);

	if (rc)
		return rc;
	rc = gnutls_x509_crt_import(crt, pem, GNUTLS_X509_FMT_PEM);
	if (!rc)
		rc = gnutls_pubkey_import_x509(pub, crt, 0);
	gnutls_x509_crt_deinit(crt);
	return rc;
}

static int import(gnutls_pubkey_t pub, const char *text, size_t len)
{
	const gnutls_datum_t pem = {(unsigned char *)(uintptr_t)text, len};

	return strstr(text, "-----BEGIN CERTIFICATE-----") ? import_certificate(pub, &pem)
							   : gnutls_pubkey_import(pub, &pem, GNUTLS_X509_FMT_PEM);
}

/* The algorithms that a key is for; 0: none. */
static unsigned algs_of(gnutls_pubkey_t pub)
{
	unsigned bits = 0;
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

	switch (gnutls_pubkey_get_pk_algorithm(pub, &bits)) {
	case GNUTLS_PK_RSA:
		return bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS
			       ? 1u << TOKEN_RS256 | 1u << TOKEN_RS384 | 1u << TOKEN_RS512
			       : 0;
	case GNUTLS_PK_ECDSA:
		if (gnutls_pubkey_export_ecc_raw2(pub, &curve, NULL, NULL, 0))
			return 0;
		return curve == GNUTLS_ECC_CURVE_SECP256R1   ? 1u << TOKEN_ES256
		       : curve == GNUTLS_ECC_CURVE_SECP384R1 ? 1u << TOKEN_ES384
							     : 0;
	default:
		return 0;
	}
}

static int key_take(struct token_key *key, gnutls_pubkey_t pub, const char *text, size_t len, const char *path,
		    struct weir_why *why)
{
	size_t size = sizeof(key->pem) - 1;

	if (import(pub, text, len))
		return why_set(why, -EINVAL, "%.120s has no public key or certificate in PEM", path);
	key->algs = algs_of(pub);
	if (!key->algs)
		return why_set(why, -EINVAL,
			       "the key in %.120s is of a kind that is not taken; use P-256, P-384 or RSA "
			       "of %u to %u bits",
			       path, RSA_MIN_BITS, RSA_MAX_BITS);
	if (gnutls_pubkey_export(pub, GNUTLS_X509_FMT_PEM, key->pem, &size))
		return why_set(why, -EINVAL, "the key in %.120s cannot be written as PEM", path);
	key->pem[size] = '\0';
	key->pem_len = (unsigned)size;
	return 0;
}

int token_key_read(struct token_key *key, const struct token_key_config *config, struct weir_why *why)
{
	char text[TOKEN_KEY_FILE];
	gnutls_pubkey_t pub;
	ssize_t len = slurp(config->file, text, sizeof(text));
	int rc;

	memset(key, 0, sizeof(*key));
	if (len < 0)
		return why_set(why, (int)len, "cannot read the key %.120s: %s", config->file, strerror((int)-len));
	if (strstr(text, "PRIVATE KEY-----"))
		return why_set(why, -EINVAL, "%.120s has a private key in it; give the public one alone", config->file);
	if (gnutls_pubkey_init(&pub))
		return why_set(why, -ENOMEM, "no memory for the key %.120s", config->file);
	rc = key_take(key, pub, text, len, config->file, why);
	gnutls_pubkey_deinit(pub);
	if (rc)
		memset(key, 0, sizeof(*key));
	else
		snprintf(key->kid, sizeof(key->kid), "%s", config->kid);
	return rc;
}

/* --- tokens */

bool token_key_fits(const struct token_key *key, const struct token_claims *claims)
{
	if (!(key->algs & 1u << claims->alg))
		return false;
	return !key->kid[0] || !claims->has_kid || !strcmp(key->kid, claims->kid);
}

bool token_key_verify(const struct token_key *key, enum token_alg alg, const char *text)
{
	jwt_t *jwt = NULL;
	bool good;

	if (jwt_decode(&jwt, text, (const unsigned char *)key->pem, (int)key->pem_len))
		return false;
	good = jwt_get_alg(jwt) == library_alg[alg];
	jwt_free(jwt);
	return good;
}
