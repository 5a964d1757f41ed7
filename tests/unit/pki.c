/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The certificates of pki.h, made with GnuTLS and, where it would not, by hand. */
#include "pki.h"

#include <stdbool.h>

#include "scratch.h"

#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static struct scratch scratch;

struct identity {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

const char *pki_file(const char *name, const char *tail)
{
	static char path[8][256];
	static unsigned at;

	at = (at + 1) % 8;
	snprintf(path[at], sizeof(path[at]), "%.200s/%s%s.pem", scratch.dir, name, tail);
	return path[at];
}

static void save(const char *path, const gnutls_datum_t *pem)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
	fclose(f);
}

/* An identifier with a length of two octets (X.690 8.1.3.5). */
static size_t der_head(uint8_t *to, uint8_t tag, size_t len)
{
	const uint8_t head[] = {tag, 0x82, (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(to, head, sizeof(head));
	return sizeof(head);
}

/* dns: names with commas between.  By hand: GnuTLS writes no control characters. */
static void set_names(gnutls_x509_crt_t crt, const char *dns)
{
	uint8_t der[2048], names[2000];
	size_t at = 0, n;

	for (size_t len; *dns; dns += len + (dns[len] == ',')) {
		len = strcspn(dns, ",");
		at += der_head(names + at, 0x82, len); /* GeneralName, dNSName */
		memcpy(names + at, dns, len);
		at += len;
	}
	n = der_head(der, 0x30, at);
	memcpy(der + n, names, at);
	assert_int_equal(gnutls_x509_crt_set_extension_by_oid(crt, GNUTLS_X509EXT_OID_SAN, der, n + at, 0), 0);
}

static void make(const char *name, const char *dns, const struct identity *issuer, struct identity *out)
{
	gnutls_datum_t pem;
	struct identity self;

	assert_int_equal(gnutls_x509_privkey_init(&self.key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(self.key, GNUTLS_PK_ECDSA,
						      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
			 0);
	assert_int_equal(gnutls_x509_crt_init(&self.crt), 0);
	gnutls_x509_crt_set_version(self.crt, 3);
	gnutls_x509_crt_set_serial(self.crt, name, strlen(name));
	gnutls_x509_crt_set_activation_time(self.crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(self.crt, time(NULL) + 86400);
	gnutls_x509_crt_set_dn_by_oid(self.crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, strlen(name));
	if (dns)
		set_names(self.crt, dns);
	gnutls_x509_crt_set_basic_constraints(self.crt, issuer == NULL, -1);
	assert_int_equal(gnutls_x509_crt_set_key(self.crt, self.key), 0);
	if (!issuer)
		issuer = &self;
	assert_int_equal(gnutls_x509_crt_sign2(self.crt, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(self.crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	save(pki_file(name, ""), &pem);
	gnutls_free(pem.data);
	assert_int_equal(gnutls_x509_privkey_export2(self.key, GNUTLS_X509_FMT_PEM, &pem), 0);
	save(pki_file(name, "-key"), &pem);
	gnutls_free(pem.data);
	*out = self;
}

static void forget(struct identity *identity)
{
	gnutls_x509_crt_deinit(identity->crt);
	gnutls_x509_privkey_deinit(identity->key);
}

int pki_make(void **state)
{
	struct identity ca, other, one;

	(void)state;
	scratch_make(&scratch);
	make("ca", NULL, NULL, &ca);
	make("other-ca", NULL, NULL, &other);
	make("server", "eir.example.org", &ca, &one);
	forget(&one);
	make("client", "mme.example.org", &ca, &one);
	forget(&one);
	make("plain-name", NULL, &ca, &one);
	forget(&one);
	make("stranger", "mme.example.org", &other, &one);
	forget(&one);
	make("many",
	     "Pool.Example.ORG,a\nb.example.org,\x1b[2J.example.org,mme.example.org,\xfcml.example.org," LONG_NAME, &ca,
	     &one);
	forget(&one);
	make("unusable", "a\nb.example.org," LONG_NAME "x", &ca, &one);
	forget(&one);
	make("ba\td", NULL, &ca, &one);
	forget(&one);
	forget(&ca);
	forget(&other);
	return 0;
}

int pki_remove(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

struct tls_files pki_files(const char *name, const char *ca)
{
	struct tls_files f = {.ca = ""};

	if (name) {
		snprintf(f.certificate, sizeof(f.certificate), "%s", pki_file(name, ""));
		snprintf(f.private_key, sizeof(f.private_key), "%s", pki_file(name, "-key"));
	}
	if (ca)
		snprintf(f.ca, sizeof(f.ca), "%s", pki_file(ca, ""));
	return f;
}
