/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): finds a flipped bit in a stored record.  Not a signature. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Continue a sum over more bytes; start with 0.  crc32c(crc32c(0, a), b) is the sum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);
/* The same by table, whatever the processor can do.  crc32c uses it where there is no SSE4.2; both give equal sums. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len);
