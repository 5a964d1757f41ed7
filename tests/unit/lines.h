/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The decoded form of a message as the vectors' texts have it (vectors.h): a line each, two spaces in front. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/imei.h"

void lines_begin(void);  /* none yet */
const char *lines(void); /* all of them since */
void __attribute__((format(printf, 1, 2))) line(const char *format, ...);
void line_hex(const char *key, const uint8_t *octets, size_t len); /* NULL: "none" */
/* What is wrong with it, or four lines: the 14 digits, how many came, SVN and check digit. */
void line_imei(enum weir_imei_fault fault, const struct weir_imei_reading *reading);
