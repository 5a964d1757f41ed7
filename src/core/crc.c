/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* CRC-32C (RFC 3720 appendix B.4) by the processor's own instruction where it has one (x86 SSE4.2, asked at run time),
 * by a table otherwise.  The two must never differ: stores move between machines. */
#include "core/crc.h"

#include <string.h>

/* The sum of one octet is the XOR of the sums of its bits (polynomial 0x1EDC6F41, reflected). */
#define OCTET(n)                                                                                                       \
	(((n)&1 ? 0xf26b8303u : 0) ^ ((n)&2 ? 0xe13b70f7u : 0) ^ ((n)&4 ? 0xc79a971fu : 0) ^                           \
	 ((n)&8 ? 0x8ad958cfu : 0) ^ ((n)&16 ? 0x105ec76fu : 0) ^ ((n)&32 ? 0x20bd8edeu : 0) ^                         \
	 ((n)&64 ? 0x417b1dbcu : 0) ^ ((n)&128 ? 0x82f63b78u : 0))
#define OCTETS_4(n)  OCTET(n), OCTET((n) + 1), OCTET((n) + 2), OCTET((n) + 3)
#define OCTETS_16(n) OCTETS_4(n), OCTETS_4((n) + 4), OCTETS_4((n) + 8), OCTETS_4((n) + 12)
#define OCTETS_64(n) OCTETS_16(n), OCTETS_16((n) + 16), OCTETS_16((n) + 32), OCTETS_16((n) + 48)

static const uint32_t octet_sums[256] = {OCTETS_64(0), OCTETS_64(64), OCTETS_64(128), OCTETS_64(192)};

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	crc = ~crc;
	for (; len; len--)
		crc = crc >> 8 ^ octet_sums[(crc ^ *at++) & 0xff];
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_sse(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t sum = ~crc, word;

	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = __builtin_ia32_crc32di(sum, word);
	}
	crc = (uint32_t)sum;
	for (; len; len--)
		crc = __builtin_ia32_crc32qi(crc, *at++);
	return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_by_sse(crc, bytes, len) : crc32c_by_table(crc, bytes, len);
}
#else
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return crc32c_by_table(crc, bytes, len);
}
#endif
