/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The register's own check: silent on what the writer writes, and one sentence for each thing that can be wrong.  Wrong
 * registers are made with the store's own words underneath the register's, sums and all: bit rot is
 * test_register_flip's. */
#include "register/layout.h"

#include "core/crc.h"
#include "rows.h"
#include "scratch.h"

#define KEY  UINT64_C(35209900176148)
#define IMSI UINT64_C(1001010000000001)

static struct scratch scratch;
static char sentences[4000];

static int setup(void **state)
{
	(void)state;
	scratch_make(&scratch);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* --- a sound one ------------------------------------------------------------------------------ */

static void list(struct register_writer *writer, uint64_t key, bool paired)
{
	struct register_device device = {
		.key = key,
		.paired = paired,
		.n_rows = 2,
		.row = {{WEIR_NO_SVN, {WEIR_ON(WEIR_BLACK), WEIR_REASON_STOLEN}}, {23, {WEIR_ON(WEIR_WHITE), 0}}},
	};

	assert_int_equal(register_set_device(writer, &device), 0);
}

static void make_sound_register(void)
{
	const struct register_range ranges[] = {{100, 199, {WEIR_ON(WEIR_GREY), 0}},
						{300, 399, {WEIR_ON(WEIR_BLACK), 1}}};
	struct register_writer *writer;
	struct weir_why why = {0};

	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), 0);
	assert_int_equal(register_batch_begin(writer), 0);
	for (unsigned i = 0; i < 500; i++)
		list(writer, KEY + 10 * i, i == 5);
	assert_int_equal(register_set_pair(writer, KEY + 50, (struct weir_imsi){IMSI}, WEIR_PAIR_DENY, 1), 0);
	assert_int_equal(register_set_sim(writer, (struct weir_imsi){IMSI}, KEY, true, 0), 0);
	assert_int_equal(register_set_ranges(writer, ranges, 2), 0);
	assert_int_equal(register_batch_commit(writer, 1, 1, 1), 0);
	register_writer_close(writer);
}

static void hear(const char *sentence, void *data)
{
	++*(unsigned *)data;
	if (strlen(sentences) + strlen(sentence) + 2 < sizeof(sentences))
		strcat(strcat(sentences, sentence), "\n");
}

static unsigned verify(unsigned slice)
{
	struct register_check *check;
	struct weir_register *reg;
	struct weir_why why = {0};
	unsigned findings = 0;
	int more;

	sentences[0] = '\0';
	assert_int_equal(register_open(scratch.dir, &reg, &why), 0);
	check = register_check_alloc(reg, hear, &findings);
	assert_non_null(check);
	while ((more = register_check_step(check, slice)) > 0)
		;
	assert_int_equal(register_check_step(check, slice), 0); /* once done, done */
	register_check_free(check);
	register_close(reg);
	assert_true(more == 0 || findings > 0);
	return findings;
}

static void test_a_sound_register_has_no_findings_in_any_slices(void **state)
{
	(void)state;
	make_sound_register();
	assert_int_equal(verify(1), 0);
	assert_int_equal(verify(7), 0);
	assert_int_equal(verify(1000000), 0);
}

/* --- wrong ones ------------------------------------------------------------------------------- */

struct edit {
	enum register_table table;
	struct store_txn txn;
	struct store_table handle;
};

static struct store_val key_val(enum register_table table, uint64_t hi, uint64_t lo)
{
	static uint8_t buf[REGISTER_KEY_BYTES];

	return register_key_encode(table, (struct register_key){hi, lo}, buf);
}

static struct register_record get(struct edit *edit, uint64_t hi, uint64_t lo)
{
	struct store_val key = key_val(edit->table, hi, lo), value;
	struct register_record record = {0};

	assert_int_equal(store_get(&edit->txn, edit->handle, key, &value), 0);
	assert_int_equal(register_decode(edit->table, key, value, &record), 0);
	return record;
}

static void put(struct edit *edit, struct register_record record)
{
	uint8_t buf[REGISTER_VALUE_BYTES];
	struct store_val value = register_encode(edit->table, &record, buf);

	assert_int_equal(store_put(&edit->txn, edit->handle, key_val(edit->table, record.key.hi, record.key.lo), value),
			 0);
}

static void remove_key(struct edit *edit, uint64_t hi)
{
	assert_int_equal(store_delete(&edit->txn, edit->handle, key_val(edit->table, hi, 0)), 0);
}

static void lose_a_device(struct edit *edit)
{
	remove_key(edit, KEY + 100);
}

static void lose_the_last_device(struct edit *edit)
{
	remove_key(edit, KEY + 4990);
}

static void lose_the_sentinel(struct edit *edit)
{
	remove_key(edit, WEIR_IMEI_END);
}

static void mark_as_paired(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.paired = true;
	put(edit, record);
}

static void unmark(struct edit *edit)
{
	struct register_record record = get(edit, KEY + 50, 0);

	record.paired = false;
	put(edit, record);
}

static void give_an_unknown_reason(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.listing.reason = WEIR_N_REASONS;
	put(edit, record);
}

static void take_off_all_lists(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.listing = (struct weir_listing){0};
	record.n_rows = 0;
	put(edit, record);
}

static void disorder_versions(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.n_rows = 2;
	record.row[1] = record.row[0];
	put(edit, record);
}

static void give_a_version_no_list(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.row[0].lists = 8;
	put(edit, record);
}

static void change_silently(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);

	record.listing.lists = WEIR_ON(WEIR_WHITE);
	put(edit, record);
}

static void overlap(struct edit *edit)
{
	struct register_record record = get(edit, 399, 0);

	record.from = 150;
	put(edit, record);
}

static void turn_around(struct edit *edit)
{
	struct register_record record = get(edit, 399, 0);

	record.from = 400;
	put(edit, record);
}

static void take_off_range(struct edit *edit)
{
	struct register_record record = get(edit, 399, 0);

	record.listing.lists = 0;
	put(edit, record);
}

static void fix_a_pair(struct edit *edit)
{
	struct register_record record = get(edit, KEY + 50, IMSI);

	record.rule = WEIR_PAIR_FIXED;
	put(edit, record);
}

static void allow_a_sim(struct edit *edit)
{
	struct register_record record = get(edit, IMSI, KEY);

	record.rule = WEIR_PAIR_ALLOW;
	put(edit, record);
}

static void spoil_the_sum(struct edit *edit)
{
	struct register_record record = get(edit, KEY, 0);
	uint8_t buf[REGISTER_VALUE_BYTES];
	struct store_val value = register_encode(edit->table, &record, buf);

	buf[0] ^= 1;
	assert_int_equal(store_put(&edit->txn, edit->handle, key_val(edit->table, KEY, 0), value), 0);
}

/* One wrong thing, and a word of the sentence that must come of it. */
static const struct {
	const char *name;
	enum register_table table;
	void (*make)(struct edit *edit);
	const char *word;
} wrongs[] = {
	{"a lost device is missed by its successor", REGISTER_DEVICE, lose_a_device,
	 "does not follow the record before it"},
	{"a lost device is missed by the count", REGISTER_DEVICE, lose_a_device, "the meta record says 500"},
	{"a lost last device is missed by the sentinel", REGISTER_DEVICE, lose_the_last_device, "missing at its end"},
	{"a lost sentinel is missed", REGISTER_DEVICE, lose_the_sentinel, "its sentinel is missing"},
	{"a mark without a pair is found", REGISTER_DEVICE, mark_as_paired, "there is no pair of it"},
	{"a pair without a mark is found", REGISTER_DEVICE, unmark, "the device is not marked as paired"},
	{"an unknown reason is found", REGISTER_DEVICE, give_an_unknown_reason, "unknown reason"},
	{"a device on no list is found", REGISTER_DEVICE, take_off_all_lists, "should not be here"},
	{"versions out of order are found", REGISTER_DEVICE, disorder_versions, "out of order"},
	{"a version on an unknown list is found", REGISTER_DEVICE, give_a_version_no_list, "no known list"},
	{"a record with a sum of its own but never written is found", REGISTER_DEVICE, change_silently, "digest"},
	{"overlapping ranges are found", REGISTER_RANGE, overlap, "overlaps the one before it"},
	{"a range that ends before it begins is found", REGISTER_RANGE, turn_around, "is empty"},
	{"a range on no list is found", REGISTER_RANGE, take_off_range, "no known list"},
	{"a pair with a rule of a SIM is found", REGISTER_PAIR, fix_a_pair, "rule that does not belong"},
	{"a SIM with a rule of a pair is found", REGISTER_SIM, allow_a_sim, "rule that does not belong"},
	{"a wrong sum is found", REGISTER_DEVICE, spoil_the_sum, "its sum does not fit"},
};

static void make_wrong(unsigned row)
{
	char path[PATH_MAX];
	struct store_spec spec = {.dir = path, .writer = true};
	struct edit edit = {.table = wrongs[row].table};
	const struct register_table_info *info = &register_tables[edit.table];
	struct store *store;
	struct weir_why why = {0};

	snprintf(path, sizeof(path), "%s/register", scratch.dir);
	assert_int_equal(store_open(&spec, &store, &why), 0);
	assert_int_equal(store_write_begin(store, &edit.txn), 0);
	assert_int_equal(store_table_open(&edit.txn, info->name, info->keys, &edit.handle), 0);
	wrongs[row].make(&edit);
	assert_int_equal(store_commit(&edit.txn), 0);
	store_close(store);
}

static void test_wrong(void **state)
{
	unsigned row = (unsigned)(uintptr_t)*state;
	char digits[32];

	setup(NULL);
	make_sound_register();
	make_wrong(row);
	assert_true(verify(50) > 0);
	if (!strstr(sentences, wrongs[row].word))
		fail_msg("no finding says '%s':\n%s", wrongs[row].word, sentences);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)(KEY / 10));
	assert_null(strstr(sentences, digits)); /* masked */
	teardown(NULL);
}

/* --- the writer and damage -------------------------------------------------------------------- */

static unsigned spoil_row(void)
{
	for (unsigned i = 0; i < N_ROWS(wrongs); i++) {
		if (wrongs[i].make == spoil_the_sum)
			return i;
	}
	return 0;
}

/* A damaged record must not get a fresh sum because its neighbour or itself is changed. */
static void test_a_batch_over_damage_fails_and_changes_nothing(void **state)
{
	static const int64_t offsets[] = {-1, 0};
	struct register_device device = {.n_rows = 1, .row = {{WEIR_NO_SVN, {WEIR_ON(WEIR_GREY), 0}}}};
	struct register_writer *writer;
	struct weir_why why = {0};

	(void)state;
	make_sound_register();
	make_wrong(spoil_row());
	assert_int_equal(register_writer_open(scratch.dir, &writer, &why), 0);
	for (unsigned i = 0; i < N_ROWS(offsets); i++) {
		device.key = (uint64_t)((int64_t)KEY + offsets[i]);
		assert_int_equal(register_batch_begin(writer), 0);
		assert_int_equal(register_set_device(writer, &device), -EUCLEAN);
		assert_int_equal(register_batch_commit(writer, 1, 2, 2), -EUCLEAN);
	}
	device.key = KEY + 4000; /* elsewhere it goes on */
	assert_int_equal(register_batch_begin(writer), 0);
	assert_int_equal(register_set_device(writer, &device), 0);
	assert_int_equal(register_batch_commit(writer, 1, 2, 2), 0);
	register_writer_close(writer);
	assert_int_not_equal(verify(10), 0);
}

static int count_damaged(const struct register_row *row, int err, void *data)
{
	unsigned *n = data;

	(void)row;
	n[err != 0]++;
	return 0;
}

static void test_a_walk_passes_damage_on_and_goes_on(void **state)
{
	struct register_place place = {0};
	struct weir_register *reg;
	struct weir_why why = {0};
	unsigned n[2] = {0};

	(void)state;
	make_sound_register();
	make_wrong(spoil_row());
	assert_int_equal(register_open(scratch.dir, &reg, &why), 0);
	while (register_walk(reg, REGISTER_DEVICE, &place, 33, count_damaged, n) > 0)
		;
	assert_int_equal(n[1], 1);
	assert_int_equal(n[0], 2 * 499); /* a row for itself and one for its version */
	register_close(reg);
}

static void test_a_walk_notices_what_is_missing(void **state)
{
	struct register_place place = {0};
	struct weir_register *reg;
	struct weir_why why = {0};
	unsigned n[2] = {0};

	(void)state;
	make_sound_register();
	make_wrong(0); /* loses a device */
	assert_int_equal(register_open(scratch.dir, &reg, &why), 0);
	while (register_walk(reg, REGISTER_DEVICE, &place, 1, count_damaged, n) > 0)
		;
	assert_int_equal(n[1], 1);
	register_close(reg);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		T(test_a_sound_register_has_no_findings_in_any_slices),
		T(test_a_batch_over_damage_fails_and_changes_nothing),
		T(test_a_walk_passes_damage_on_and_goes_on),
		T(test_a_walk_notices_what_is_missing),
	};
	struct CMUnitTest tests[N_ROWS(cases) + N_ROWS(wrongs)];

	memcpy(tests, cases, sizeof(cases));
	for (unsigned i = 0; i < N_ROWS(wrongs); i++)
		tests[N_ROWS(cases) + i] = ROW_TEST(wrongs[i].name, test_wrong, i);
	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
