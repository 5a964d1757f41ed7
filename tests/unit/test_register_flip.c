/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* One flipped bit, anywhere in the register's file: whoever asks gets the right answer or "failed", never another one.
 *
 * The register has a history: every kind of record was changed and removed after it was first written, so that old
 * copies of pages lie about, where a flipped pointer might lead.  All bits of the file's two headers and of the pages
 * that lead to others are flipped, and many at random elsewhere; each before opening and again while open. */
#include "register/register.h"

#include "rows.h"
#include "scratch.h"

#define N_KEYS    4000u
#define N_QUERIES 256u /* four batches */
#define PAGE      4096u

static struct scratch scratch;
static unsigned char *file; /* as it should be */
static size_t size;
static struct weir_query queries[N_QUERIES];
static struct weir_facts right[N_QUERIES];

static struct {
	unsigned flips, refused, some_failed, no_effect, failed_answers;
} tally;

static uint64_t key_of(unsigned i)
{
	return 35000000000000 + 1013 * (uint64_t)i;
}

static uint64_t imsi_of(unsigned i)
{
	return UINT64_C(1001010000000000) + i;
}

/* --- a register with a history ---------------------------------------------------------------- */

static void set(struct register_writer *writer, unsigned i, unsigned age)
{
	struct register_device device = {.key = key_of(i), .paired = i % 16 == 0};
	uint8_t lists = (uint8_t)(1 + (i + age) % 7);

	device.row[device.n_rows++] = (struct register_svn_row){WEIR_NO_SVN, {lists, (uint16_t)(i % 13)}};
	if ((i + age) % 5 == 0)
		device.row[device.n_rows++] = (struct register_svn_row){7, {(uint8_t)(8 - lists), 1}};
	if ((i + age) % 10 == 0)
		device.row[device.n_rows++] = (struct register_svn_row){42, {lists, 2}};
	if (age && i % 11 == 0)
		device = (struct register_device){.key = key_of(i), .paired = device.paired};
	assert_int_equal(register_set_device(writer, &device), 0);
	if (i % 16)
		return;
	assert_int_equal(register_set_pair(writer, key_of(i), (struct weir_imsi){imsi_of(i)},
					   (i / 16 + age) % 2 ? WEIR_PAIR_ALLOW : WEIR_PAIR_DENY, 3),
			 0);
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){imsi_of(i / 4 + age % 2)}, key_of(i),
					  (i / 16 + age) % 3, 0),
			 0);
}

static void set_ranges(struct register_writer *writer, unsigned age)
{
	static struct register_range range[600];

	for (unsigned i = 0; i < 600; i++) {
		uint64_t from = 35000000000000 + UINT64_C(6000) * i;

		range[i] =
			(struct register_range){from, from + 3000 + (i + age) % 2, {(uint8_t)(1 + (i + age) % 7), 1}};
	}
	assert_int_equal(register_set_ranges(writer, range, 600 - age), 0);
}

static void make_register(void)
{
	struct register_writer *writer;
	struct weir_why why = {0};
	uint64_t random = 99;

	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), 0);
	for (unsigned age = 0; age < 40; age++) {
		assert_int_equal(register_batch_begin(writer), 0);
		if (age % 8 == 0)
			set_ranges(writer, age);
		for (unsigned n = 0; n < (age ? 100 : N_KEYS); n++)
			set(writer, age ? rows_random_below(&random, N_KEYS) : n, age);
		assert_int_equal(register_batch_commit(writer, 1, age + 1, 1), 0);
	}
	register_writer_close(writer);
}

static void ask(struct weir_register *reg, struct weir_facts *facts)
{
	for (unsigned i = 0; i < N_QUERIES; i += REGISTER_BATCH)
		register_lookup(reg, queries + i, facts + i, REGISTER_BATCH);
}

static void make_queries(void)
{
	struct weir_register *reg;
	struct weir_why why = {0};
	uint64_t random = 5;

	for (unsigned i = 0; i < N_QUERIES; i++) {
		unsigned k = i % 2 ? rows_random_below(&random, N_KEYS) : rows_random_below(&random, N_KEYS / 16) * 16;

		queries[i] = (struct weir_query){
			.imei = {key_of(k) + (i % 4 == 3), i % 3 ? 7 : 42},
			.imsi = {imsi_of(i % 8 < 4 ? k : k / 4)},
		};
	}
	assert_int_equal(register_open(scratch.dir, &reg, &why), 0);
	ask(reg, right);
	for (unsigned i = 0; i < N_QUERIES; i++)
		assert_false(right[i].failed);
	register_close(reg);
}

static int setup(void **state)
{
	(void)state;
	scratch_make(&scratch);
	make_register();
	make_queries();
	file = scratch_read(scratch_path(&scratch, "register/data.mdb"), &size);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(file);
	scratch_remove(&scratch);
	return 0;
}

/* --- one flip --------------------------------------------------------------------------------- */

static void put_byte(size_t at, unsigned char byte)
{
	scratch_write_at(scratch_path(&scratch, "register/data.mdb"), &byte, 1, (off_t)at);
}

static bool same(const struct weir_facts *a, const struct weir_facts *b)
{
	return a->serial == b->serial && a->svn.lists == b->svn.lists && a->svn.reason == b->svn.reason &&
	       a->device.lists == b->device.lists && a->device.reason == b->device.reason &&
	       a->range.lists == b->range.lists && a->range.reason == b->range.reason && a->pair == b->pair &&
	       a->pair_reason == b->pair_reason && a->sim == b->sim;
}

static unsigned check(struct weir_register *reg, size_t bit, const char *when)
{
	struct weir_facts facts[N_QUERIES];
	unsigned failed = 0;

	ask(reg, facts);
	for (unsigned i = 0; i < N_QUERIES; i++) {
		failed += facts[i].failed;
		if (!facts[i].failed && !same(&facts[i], &right[i]))
			fail_msg("bit %zu (page %zu octet %zu) flipped %s: query %u has another answer (serial %u, not "
				 "%u)",
				 bit, bit / 8 / PAGE, bit / 8 % PAGE, when, i, (unsigned)facts[i].serial,
				 (unsigned)right[i].serial);
	}
	return failed;
}

static struct weir_register *standing; /* opened before the flips, and again when one broke it */

static void flip_while_open(size_t bit)
{
	struct weir_why why = {0};

	if (!standing)
		assert_int_equal(register_open(scratch.dir, &standing, &why), 0);
	put_byte(bit / 8, file[bit / 8] ^ (unsigned char)(1u << bit % 8));
	check(standing, bit, "while open");
	put_byte(bit / 8, file[bit / 8]);
	if (register_follow(scratch.dir, &standing, &why) < 0)
		fail_msg("%s", why.text);
	if (check(standing, bit, "and back"))
		fail_msg("bit %zu flipped and back while open: still failing", bit);
}

static void flip_before_opening(size_t bit)
{
	struct weir_register *reg;
	struct weir_why why = {0};
	unsigned failed;

	register_close(standing);
	standing = NULL;
	put_byte(bit / 8, file[bit / 8] ^ (unsigned char)(1u << bit % 8));
	if (register_open(scratch.dir, &reg, &why)) {
		tally.refused++;
		assert_true(why.text[0]);
	} else {
		failed = check(reg, bit, "before opening");
		tally.failed_answers += failed;
		tally.some_failed += failed != 0;
		tally.no_effect += !failed;
		register_close(reg);
	}
	put_byte(bit / 8, file[bit / 8]);
	tally.flips++;
}

static void flip(size_t bit)
{
	flip_before_opening(bit);
	flip_while_open(bit);
}

static void flip_octets(size_t from, size_t to, unsigned step)
{
	for (size_t bit = from * 8; bit < to * 8; bit += step)
		flip(bit);
}

static void say_tally(const char *what)
{
	register_close(standing);
	standing = NULL;
	print_message("# %s: %u flips; opening refused %u, some answers failed %u (%u of all), no effect %u\n", what,
		      tally.flips, tally.refused, tally.some_failed, tally.failed_answers, tally.no_effect);
	assert_true(tally.flips > 0);
	memset(&tally, 0, sizeof(tally));
}

/* --- where ------------------------------------------------------------------------------------ */

static uint16_t half_at(size_t at)
{
	uint16_t half;

	memcpy(&half, file + at, sizeof(half));
	return half;
}

/* Both headers, all that LMDB keeps in them. */
static void test_every_bit_of_the_headers(void **state)
{
	(void)state;
	flip_octets(0, 152, 1);
	flip_octets(PAGE, PAGE + 152, 1);
	say_tally("headers");
}

/* Branch pages, and the small leaves: the table of tables and the meta record are there. */
static void test_bits_of_pages_that_lead_to_others(void **state)
{
	unsigned branches = 0, leaves = 0, step = getenv("FLIPS") ? 1 : 3;

	(void)state;
	for (size_t page = 2 * PAGE; page < size; page += PAGE) {
		uint16_t flags = half_at(page + 10), lower = half_at(page + 12), upper = half_at(page + 14);

		if (flags != 1 && (flags != 2 || upper < PAGE / 2 + 1024))
			continue;
		branches += flags == 1;
		leaves += flags == 2;
		flip_octets(page, page + lower, step);
		flip_octets(page + upper, page + PAGE, step);
	}
	print_message("# %u branch pages, %u small leaves\n", branches, leaves);
	assert_true(branches >= 2 && leaves >= 2);
	say_tally("leading pages");
}

static void test_bits_at_random_anywhere(void **state)
{
	const char *more = getenv("FLIPS");
	unsigned flips = more ? (unsigned)atoi(more) : 2000;
	uint64_t random = 20261124;

	(void)state;
	for (unsigned i = 0; i < flips; i++)
		flip((size_t)(rows_random(&random) % (size * 8)));
	assert_true(tally.some_failed > 0 && tally.no_effect > 0);
	say_tally("anywhere");
}

/* What makes the above true of changed records: nothing in a free page can be taken for a page of a tree. */
static void test_no_old_copy_of_a_page_is_left(void **state)
{
	unsigned pages = 0, zero = 0;

	(void)state;
	for (size_t page = 2 * PAGE; page < size; page += PAGE, pages++)
		zero += half_at(page + 10) == 0;
	print_message("# %u pages, %u of them free and zero\n", pages, zero);
	assert_true(zero > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_old_copy_of_a_page_is_left),
		cmocka_unit_test(test_every_bit_of_the_headers),
		cmocka_unit_test(test_bits_of_pages_that_lead_to_others),
		cmocka_unit_test(test_bits_at_random_anywhere),
	};

	return cmocka_run_group_tests_name("register-flip", tests, setup, teardown);
}
