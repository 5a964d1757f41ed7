/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Keys, certificates and signatures of tests. */
#include "token_forge.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <time.h>

struct forge_key {
	gnutls_x509_privkey_t x509;
	gnutls_privkey_t key;
};

static const struct {
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
} kinds[] = {
	[FORGE_P256] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	[FORGE_P384] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
	[FORGE_P521] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1)},
	[FORGE_RSA2048] = {GNUTLS_PK_RSA, 2048},
	[FORGE_RSA1024] = {GNUTLS_PK_RSA, 1024},
	[FORGE_ED25519] = {GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)},
};

struct forge_key *forge_key_make(enum forge_kind kind)
{
	struct forge_key *key = calloc(1, sizeof(*key));

	assert_non_null(key);
	assert_int_equal(gnutls_x509_privkey_init(&key->x509), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key->x509, kinds[kind].algorithm, kinds[kind].bits, 0), 0);
	assert_int_equal(gnutls_privkey_init(&key->key), 0);
	assert_int_equal(gnutls_privkey_import_x509(key->key, key->x509, 0), 0);
	return key;
}

void forge_key_free(struct forge_key *key)
{
	gnutls_privkey_deinit(key->key);
	gnutls_x509_privkey_deinit(key->x509);
	free(key);
}

void forge_key_public(const struct forge_key *key, char *pem, size_t size)
{
	gnutls_pubkey_t pub;

	assert_int_equal(gnutls_pubkey_init(&pub), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(pub, key->key, 0, 0), 0);
	size--;
	assert_int_equal(gnutls_pubkey_export(pub, GNUTLS_X509_FMT_PEM, pem, &size), 0);
	pem[size] = '\0';
	gnutls_pubkey_deinit(pub);
}

void forge_key_private(const struct forge_key *key, char *pem, size_t size)
{
	size--;
	assert_int_equal(gnutls_x509_privkey_export(key->x509, GNUTLS_X509_FMT_PEM, pem, &size), 0);
	pem[size] = '\0';
}

void forge_key_certificate(const struct forge_key *key, char *pem, size_t size)
{
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL)), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=nrf.example", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key->x509), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key->x509, GNUTLS_DIG_SHA256, 0), 0);
	size--;
	assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, pem, &size), 0);
	pem[size] = '\0';
	gnutls_x509_crt_deinit(crt);
}

/* --- tokens */

void forge_append(char *text, size_t size, const void *octets, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *p = octets;
	size_t at = strlen(text);

	for (size_t bit = 0; bit < len * 8; bit += 6) {
		unsigned pair = p[bit / 8] << 8 | (bit / 8 + 1 < len ? p[bit / 8 + 1] : 0);
		assert_true(at + 1 < size);
		text[at++] = letters[pair >> (10 - bit % 8) & 63];
	}
	text[at] = '\0';
}

static void append_dot(char *text, size_t size)
{
	size_t at = strlen(text);

	assert_true(at + 1 < size);
	strcpy(text + at, ".");
}

static void start(char *text, size_t size, const char *header, const char *claims)
{
	text[0] = '\0';
	forge_append(text, size, header, strlen(header));
	append_dot(text, size);
	forge_append(text, size, claims, strlen(claims));
}

/* r and s as two numbers of this many octets each (RFC 7518 3.4). */
static void append_rs(char *text, size_t size, const gnutls_datum_t *der, size_t half)
{
	unsigned char octets[132] = {0};
	gnutls_datum_t part[2];

	assert_int_equal(gnutls_decode_rs_value(der, &part[0], &part[1]), 0);
	for (unsigned i = 0; i < 2; i++) {
		unsigned skip = part[i].size > half ? part[i].size - (unsigned)half : 0;
		size_t n = part[i].size - skip;
		memcpy(octets + i * half + half - n, part[i].data + skip, n);
		gnutls_free(part[i].data);
	}
	forge_append(text, size, octets, 2 * half);
}

void forge_token(char *text, size_t size, const struct forge_key *key, const char *alg, const char *header,
		 const char *claims)
{
	gnutls_digest_algorithm_t digest = strstr(alg, "256")   ? GNUTLS_DIG_SHA256
					   : strstr(alg, "384") ? GNUTLS_DIG_SHA384
								: GNUTLS_DIG_SHA512;
	gnutls_datum_t signature, data;

	start(text, size, header, claims);
	data = (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
	assert_int_equal(gnutls_privkey_sign_data(key->key, digest, 0, &data, &signature), 0);
	append_dot(text, size);
	if (gnutls_privkey_get_pk_algorithm(key->key, NULL) == GNUTLS_PK_RSA)
		forge_append(text, size, signature.data, signature.size);
	else
		append_rs(text, size, &signature, strstr(alg, "256") ? 32 : strstr(alg, "384") ? 48 : 66);
	gnutls_free(signature.data);
}

void forge_token_hs256(char *text, size_t size, const char *secret, const char *header, const char *claims)
{
	unsigned char mac[32];

	start(text, size, header, claims);
	assert_int_equal(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, strlen(secret), text, strlen(text), mac), 0);
	append_dot(text, size);
	forge_append(text, size, mac, sizeof(mac));
}
