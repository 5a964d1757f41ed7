/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* CRC-32C: the published sums, and that the processor and the table never differ. */
#include "core/crc.h"

#include <stdlib.h>

#include "rows.h"

/* RFC 3720 appendix B.4, and the usual check string. */
static void test_published_sums(void **state)
{
	uint8_t up[32], down[32], zeros[32] = {0}, ones[32];
	static const uint8_t iscsi_read[48] = {
		0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
	assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
	assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
	assert_int_equal(crc32c(0, down, 32), 0x113fdb5c);
	assert_int_equal(crc32c(0, iscsi_read, 48), 0xd9963a56);
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c_by_table(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_by_table(0, iscsi_read, 48), 0xd9963a56);
}

static void test_processor_and_table_never_differ(void **state)
{
	uint64_t random = 1;
	uint8_t bytes[300];

	(void)state;
#ifdef __x86_64__
	if (!__builtin_cpu_supports("sse4.2"))
		skip();
#else
	skip();
#endif
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rows_random(&random);
	for (unsigned from = 0; from < 16; from++)
		for (unsigned len = 0; from + len <= sizeof(bytes); len++) {
			uint32_t start = (uint32_t)rows_random(&random);
			assert_int_equal(crc32c(start, bytes + from, len), crc32c_by_table(start, bytes + from, len));
		}
}

static void test_a_sum_continues_over_any_cut(void **state)
{
	const char text[] = "device 35209900176148 is on the black list";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, sizeof(text) - cut),
				 crc32c(0, text, sizeof(text)));
		assert_int_equal(crc32c_by_table(crc32c_by_table(0, text, cut), text + cut, sizeof(text) - cut),
				 crc32c(0, text, sizeof(text)));
	}
}

static void test_every_flipped_bit_changes_the_sum(void **state)
{
	uint8_t record[24];
	uint32_t sum;

	(void)state;
	memset(record, 0x5a, sizeof(record));
	sum = crc32c(0, record, sizeof(record));
	for (unsigned bit = 0; bit < 8 * sizeof(record); bit++) {
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(crc32c(0, record, sizeof(record)), sum);
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_sums),
		cmocka_unit_test(test_processor_and_table_never_differ),
		cmocka_unit_test(test_a_sum_continues_over_any_cut),
		cmocka_unit_test(test_every_flipped_bit_changes_the_sum),
	};

	return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}
