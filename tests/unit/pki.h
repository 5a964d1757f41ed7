/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Certificates for tests of TLS: NAME.pem and NAME-key.pem in a scratch folder.
 *
 * The authorities are "ca" and "other-ca".  Of the first: "server" for eir.example.org, "client" for mme.example.org,
 * "plain-name" with a common name alone, "many" with names fit and unfit, "unusable" with unfit ones only, "ba\td" with
 * an unfit common name.  Of the other: "stranger", for mme.example.org. */
#pragma once

#include "gate/tls.h"

/* The longest that is a name: TLS_NAME_TEXT with its end. */
#define LABEL     "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-abc."
#define LONG_NAME LABEL LABEL LABEL "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-abc"

/* cmocka's setup and teardown of a group. */
int pki_make(void **state);
int pki_remove(void **state);

/* The path of NAME TAIL .pem; one of a few. */
const char *pki_file(const char *name, const char *tail);
/* A certificate with its key, and authorities: what is NULL is not there. */
struct tls_files pki_files(const char *name, const char *ca);
