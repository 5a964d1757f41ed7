/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* How a store opens, refuses, fails and recovers: each way in which LMDB or the file under it can fail, made to happen.
 */
#define _GNU_SOURCE /* unshare, memmem */
#include "store/store.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "rows.h"
#include "scratch.h"

static struct scratch scratch;
static const char *dir;

static int setup(void **state)
{
	static char path[PATH_MAX];

	(void)state;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s/store", scratch.dir);
	dir = path;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

/* --- short words ------------------------------------------------------------------------------ */

static struct store *open_with(struct store_spec spec)
{
	struct store *store;
	struct weir_why why = {0};

	spec.dir = dir;
	if (store_open(&spec, &store, &why))
		fail_msg("%s", why.text);
	return store;
}

static struct store *open_writer(void)
{
	return open_with((struct store_spec){.writer = true, .create = true});
}

static int try_open(struct store_spec spec, struct weir_why *why)
{
	struct store *store = (struct store *)1;
	int err;

	spec.dir = dir;
	why->text[0] = '\0';
	err = store_open(&spec, &store, why);
	if (!err) {
		store_close(store);
		return 0;
	}
	assert_null(store);
	assert_true(why->text[0]);
	return err;
}

static struct store_val u64(const uint64_t *number)
{
	return (struct store_val){number, sizeof(*number)};
}

static int put_one(struct store *store, uint64_t key, const void *value, size_t len)
{
	struct store_table table;
	struct store_txn txn;

	store_write_begin(store, &txn);
	store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	store_put(&txn, table, u64(&key), (struct store_val){value, len});
	return store_commit(&txn);
}

static int put_rows(struct store *store, uint64_t from, uint64_t n)
{
	struct store_table table;
	struct store_txn txn;

	store_write_begin(store, &txn);
	store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	for (uint64_t key = from; key < from + n; key++)
		store_put(&txn, table, u64(&key), u64(&key));
	return store_commit(&txn);
}

static int get_one(struct store *store, uint64_t key, uint64_t *value)
{
	struct store_table table;
	struct store_val found;
	struct store_txn txn;
	int err;

	*value = 0;
	err = store_read_begin(store, &txn);
	if (!err)
		err = store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	if (!err)
		err = store_get(&txn, table, u64(&key), &found);
	if (!err && found.len == sizeof(*value))
		memcpy(value, found.data, sizeof(*value));
	store_read_end(&txn);
	return err;
}

#define assert_holds(store, key)                                                                                       \
	do {                                                                                                           \
		uint64_t value_;                                                                                       \
		assert_int_equal(get_one(store, key, &value_), 0);                                                     \
		assert_int_equal(value_, key);                                                                         \
	} while (0)

static const char *data_file(void)
{
	return scratch_path(&scratch, "store/data.mdb");
}

/* --- opening ---------------------------------------------------------------------------------- */

static void test_a_reader_is_told_where_there_is_no_store(void **state)
{
	struct weir_why why;

	(void)state;
	assert_int_equal(try_open((struct store_spec){0}, &why), -ENOENT);
	assert_non_null(strstr(why.text, "there is no store at"));
	assert_int_equal(try_open((struct store_spec){.writer = true}, &why), -ENOENT);
	assert_int_equal(try_open((struct store_spec){.create = true}, &why), -EINVAL);
	assert_int_not_equal(access(dir, F_OK), 0);
}

static void test_a_store_is_made_whole_and_leftovers_are_removed(void **state)
{
	struct stat stat_;
	struct store *store;

	(void)state;
	assert_int_equal(mkdir(scratch_path(&scratch, "store.new-abcdef"), 0700), 0);
	scratch_write_at(scratch_path(&scratch, "store.new-abcdef/data.mdb"), "half", 4, 0);
	store = open_writer();
	assert_false(scratch_holds(&scratch, ".new-"));
	assert_int_equal(stat(dir, &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0700);
	assert_int_equal(stat(data_file(), &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0600);
	store_close(store);
}

static void test_a_shared_store_can_be_read_by_the_group_only(void **state)
{
	struct stat stat_;

	(void)state;
	store_close(open_with((struct store_spec){.writer = true, .create = true, .shared = true}));
	assert_int_equal(stat(dir, &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0750);
	assert_int_equal(stat(data_file(), &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0640);
	assert_int_equal(stat(scratch_path(&scratch, "store/lock.mdb"), &stat_), 0);
	assert_int_equal(stat_.st_mode & 0777, 0660);
}

static void test_what_was_committed_is_there_after_reopening(void **state)
{
	struct store *store = open_writer();
	uint64_t value;

	(void)state;
	assert_int_equal(put_rows(store, 1, 100), 0);
	assert_holds(store, 7);
	store_close(store);
	store = open_with((struct store_spec){0});
	assert_holds(store, 100);
	assert_int_equal(get_one(store, 101, &value), -ENOENT);
	store_close(store);
}

static void test_one_directory_is_opened_once_in_a_process(void **state)
{
	struct store *store = open_writer();
	struct weir_why why;

	(void)state;
	assert_int_equal(try_open((struct store_spec){0}, &why), -EINVAL);
	assert_non_null(strstr(why.text, "already open"));
	assert_int_equal(symlink("store", scratch_path(&scratch, "other")), 0);
	dir = scratch_path(&scratch, "other");
	assert_int_equal(try_open((struct store_spec){0}, &why), -EINVAL); /* also by another name */
	store_close(store);
	assert_int_equal(try_open((struct store_spec){0}, &why), 0);
}

/* What a header may be damaged to, and the words for it. */
static const struct {
	const char *name;
	size_t at, len;
	unsigned char bytes[8];
	const char *word;
} heads[] = {
	{"a wrong magic is refused", 16, 4, {1, 2, 3, 4}, "not an LMDB file"},
	{"a wrong magic of the second header is refused", 4096 + 16, 4, {1, 2, 3, 4}, "not an LMDB file"},
	{"the format of LMDB 1.0 is refused", 20, 4, {2, 0, 0, 0}, "data format 2"},
	{"pages of 3000 octets are refused", 40, 4, {0xb8, 0x0b, 0, 0}, "pages of 3000 bytes"},
	{"pages larger than this machine's are refused", 40, 4, {0, 0x40, 0, 0}, "larger pages"},
	{"a page that says it is no header is refused", 10, 2, {2, 0}, "not an LMDB file"},
	{"headers that do not follow each other are refused", 144, 8, {0x42, 1, 0, 0, 0, 0, 0, 0}, "do not follow"},
	{"a header in the other's place is refused", 144, 8, {3, 0, 0, 0, 0, 0, 0, 0}, "header 0 is damaged"},
	{"more pages than the file holds are refused", 136, 8, {0, 1, 0, 0, 0, 0, 0, 0}, "cut short"},
	{"pages without number are refused", 136, 8, {255, 255, 255, 255, 255, 255, 255, 255}, "cut short"},
};

static void test_head(void **state)
{
	unsigned row = (unsigned)(uintptr_t)*state;
	struct store *store;
	struct weir_why why;

	setup(NULL);
	store = open_writer();
	assert_int_equal(put_rows(store, 1, 10), 0);
	assert_int_equal(put_rows(store, 1, 10), 0); /* the second transaction: its header is page 0 */
	store_close(store);
	assert_int_equal(try_open((struct store_spec){0}, &why), 0);
	scratch_write_at(data_file(), heads[row].bytes, heads[row].len, (off_t)heads[row].at);
	assert_int_equal(try_open((struct store_spec){0}, &why), -EUCLEAN);
	if (!strstr(why.text, heads[row].word))
		fail_msg("'%s' does not say '%s'", why.text, heads[row].word);
	assert_int_equal(try_open((struct store_spec){.writer = true, .create = true}, &why), -EUCLEAN);
	teardown(NULL);
}

static void test_a_file_cut_short_anywhere_is_refused_in_words(void **state)
{
	struct store *store = open_writer();
	struct weir_why why;
	size_t size;

	(void)state;
	assert_int_equal(put_rows(store, 1, 5000), 0);
	store_close(store);
	free(scratch_read(data_file(), &size));
	for (size_t cut = size - 1; cut + 4096 > size; cut -= 997) {
		assert_int_equal(truncate(data_file(), (off_t)cut), 0);
		assert_int_equal(try_open((struct store_spec){0}, &why), -EUCLEAN);
		assert_non_null(strstr(why.text, "cut short"));
	}
	for (size_t cut = size / 2; cut; cut /= 2) {
		assert_int_equal(truncate(data_file(), (off_t)cut), 0);
		assert_int_equal(try_open((struct store_spec){0}, &why), -EUCLEAN);
	}
	assert_int_equal(truncate(data_file(), 0), 0);
	assert_int_equal(try_open((struct store_spec){0}, &why), -EUCLEAN);
	assert_int_equal(try_open((struct store_spec){.writer = true, .create = true}, &why), -EUCLEAN);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void test_an_error_sticks_and_commit_becomes_abort(void **state)
{
	struct store *store = open_writer();
	struct store_table table;
	struct store_txn txn;
	struct store_val found;
	uint64_t key = 5, none = 6;

	(void)state;
	store_write_begin(store, &txn);
	store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	assert_int_equal(store_append(&txn, table, u64(&key), u64(&key)), 0);
	assert_int_equal(store_get(&txn, table, u64(&none), &found), -ENOENT); /* an answer */
	assert_int_equal(store_delete(&txn, table, u64(&none)), -ENOENT);
	assert_int_equal(txn.err, 0);
	assert_int_equal(store_append(&txn, table, u64(&key), u64(&key)), -EINVAL); /* not above the last */
	assert_int_equal(store_put(&txn, table, u64(&none), u64(&none)), -EINVAL);
	assert_int_equal(store_commit(&txn), -EINVAL);
	store_abort(&txn);
	assert_int_equal(get_one(store, 5, &key), -ENOENT);
	store_close(store);
}

static void test_a_snapshot_does_not_move_and_its_number_names_it(void **state)
{
	struct store *store = open_writer();
	struct store_table table;
	struct store_txn txn = {0}, other;
	struct store_val found;
	uint64_t key = 2, id;

	(void)state;
	assert_int_equal(put_rows(store, 1, 1), 0);
	assert_int_equal(store_read_begin(store, &other), 0);
	assert_int_equal(store_table_open(&other, "t", STORE_KEYS_U64, &table), 0);
	store_read_end(&other);
	assert_int_equal(store_read_renew(store, &txn), 0);
	id = store_txn_id(&txn);
	assert_int_equal(put_rows(store, 2, 1), 0);
	assert_int_equal(store_get(&txn, table, u64(&key), &found), -ENOENT);
	store_read_reset(&txn);
	assert_int_equal(store_get(&txn, table, u64(&key), &found), -EBADF); /* not begun */
	assert_int_equal(store_read_renew(store, &txn), 0);
	assert_int_equal(store_get(&txn, table, u64(&key), &found), 0);
	assert_int_equal(store_txn_id(&txn), id + 1);
	store_read_end(&txn);
	store_close(store);
}

static void test_a_cursor_goes_where_it_is_told(void **state)
{
	struct store *store = open_writer();
	struct store_table table;
	struct store_cursor cursor;
	struct store_val key, value;
	struct store_txn txn;
	uint64_t want;

	(void)state;
	store_write_begin(store, &txn);
	store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	for (uint64_t n = 10; n <= 1000; n += 10)
		store_put(&txn, table, u64(&n), u64(&n));
	assert_int_equal(store_commit(&txn), 0);
	assert_int_equal(store_read_begin(store, &txn), 0);
	assert_int_equal(store_cursor_open(&txn, table, &cursor), 0);
#define GO(move, to)                                                                                                   \
	do {                                                                                                           \
		assert_int_equal(store_cursor_move(&cursor, move, &key, &value), 0);                                   \
		assert_int_equal(*(const uint64_t *)key.data, to);                                                     \
	} while (0)
	GO(STORE_FIRST, 10);
	assert_int_equal(store_cursor_move(&cursor, STORE_PREV, &key, &value), -ENOENT);
	GO(STORE_LAST, 1000);
	assert_int_equal(store_cursor_move(&cursor, STORE_NEXT, &key, &value), -ENOENT);
	want = 495;
	key = u64(&want);
	GO(STORE_AT_LEAST, 500);
	GO(STORE_NEXT, 510);
	key = u64(&want);
	assert_int_equal(store_cursor_move(&cursor, STORE_AT, &key, &value), -ENOENT);
	want = 1001;
	key = u64(&want);
	assert_int_equal(store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value), -ENOENT);
	store_cursor_close(&cursor);
	store_read_end(&txn);
	store_close(store);
}

static void test_a_table_of_another_kind_is_refused(void **state)
{
	struct store *store = open_writer();
	struct store_table table;
	struct store_txn txn;

	(void)state;
	assert_int_equal(put_rows(store, 1, 1), 0);
	assert_int_equal(store_read_begin(store, &txn), 0);
	assert_int_equal(store_table_open(&txn, "none", STORE_KEYS_BYTES, &table), -ENOENT);
	assert_int_equal(store_table_open(&txn, "t", STORE_KEYS_BYTES, &table), -EUCLEAN);
	store_read_end(&txn);
	store_close(store);
}

static void test_a_reader_does_not_write(void **state)
{
	struct store *store = open_writer();
	struct store_txn txn;

	(void)state;
	store_close(store);
	store = open_with((struct store_spec){0});
	assert_int_equal(store_write_begin(store, &txn), -EINVAL);
	assert_int_equal(store_commit(&txn), -EINVAL);
	assert_int_equal(store_scrub(store), -EINVAL);
	store_close(store);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void test_a_full_map_refuses_and_a_larger_one_takes_more(void **state)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .map_bytes = 1 << 20});
	uint64_t rows = 0, value;

	(void)state;
	while (put_rows(store, rows + 1, 1000) == 0)
		rows += 1000;
	assert_in_range(rows, 10000, 100000);
	assert_int_equal(put_rows(store, rows + 1, 1000), -ENOSPC);
	assert_false(store_is_broken(store));
	assert_holds(store, rows);
	assert_int_equal(get_one(store, rows + 1, &value), -ENOENT);
	store_close(store);
	store = open_with((struct store_spec){.writer = true, .map_bytes = 2 << 20});
	assert_int_equal(put_rows(store, rows + 1, 1000), 0);
	assert_holds(store, rows + 1000);
	store_close(store);
}

/* In a mount namespace of its own; needs root. */
static void fill_a_small_disk(void)
{
	struct store *store;
	uint64_t rows = 0, key = 1, value;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("small", scratch.dir, "tmpfs", 0, "size=2m"))
		_exit(77);
	store = open_writer();
	while (put_rows(store, rows + 1, 1000) == 0)
		rows += 1000;
	if (put_rows(store, rows + 1, 20000) != -ENOSPC || store_is_broken(store))
		_exit(1);
	if (get_one(store, rows, &value) || value != rows || put_one(store, key, &key, sizeof(key)))
		_exit(2);
	store_close(store);
	store = open_writer();
	if (rows < 1000 || get_one(store, rows, &value) || value != rows || get_one(store, rows + 1, &value) != -ENOENT)
		_exit(3);
	_exit(0);
}

static void test_a_full_disk_refuses_and_loses_nothing(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid)
		fill_a_small_disk();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("# no right to mount a tmpfs here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A child that begins to read and says so, then hangs until it is killed. */
static pid_t start_reader(unsigned slots)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		struct store *store = open_with((struct store_spec){.readers = 4});
		struct store_txn txn[8];

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* no orphan where an assertion ends the test */
		for (unsigned i = 0; i < slots; i++) {
			if (store_read_begin(store, &txn[i]))
				_exit(1);
		}
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_reader(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_slots_of_killed_readers_are_found_free(void **state)
{
	struct store *store;
	struct store_txn txn;
	pid_t pid;

	(void)state;
	store = open_with((struct store_spec){.writer = true, .create = true, .readers = 4});
	store_close(store); /* no fork after opening */
	pid = start_reader(4);
	store = open_with((struct store_spec){.writer = true, .readers = 4});
	assert_int_equal(store_read_begin(store, &txn), -EBUSY); /* they live */
	store_read_end(&txn);
	kill_reader(pid);
	assert_int_equal(store_read_begin(store, &txn), 0); /* swept */
	store_read_end(&txn);
	store_close(store);
}

static void test_a_killed_reader_does_not_make_the_file_grow(void **state)
{
	struct store_usage usage;
	struct store *store;
	pid_t pid;

	(void)state;
	store = open_writer();
	assert_int_equal(put_rows(store, 1, 1000), 0);
	store_close(store);
	pid = start_reader(1);
	store = open_with((struct store_spec){.writer = true});
	kill_reader(pid);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(put_rows(store, 1, 1), 0);
	assert_int_equal(store_usage(store, &usage), 0);
	assert_true(usage.used_bytes < 300000);
	store_close(store);
}

/* The map may move only when nothing is read, however often a transaction failed to begin and was ended. */
static int adopt_when_nothing_is_read(struct store *store, struct store_txn *kept, struct store_txn *other)
{
	int while_read = store_read_renew(store, kept), after;

	store_read_reset(kept);
	store_read_reset(kept);
	store_read_end(other);
	after = store_read_renew(store, kept);
	store_read_end(kept);
	store_read_end(kept);
	return while_read == -EBUSY ? after : -EPROTO;
}

/* The child answers each octet with whether it can read the row of that number. */
static void read_when_asked(int asked, int answered)
{
	struct store *store = open_with((struct store_spec){.map_bytes = 1 << 20});
	struct store_txn kept = {0}, other = {0};
	unsigned char rows;
	uint64_t value;
	int err;

	while (read(asked, &rows, 1) == 1) {
		err = kept.lmdb ? adopt_when_nothing_is_read(store, &kept, &other) : store_read_renew(store, &kept);
		if (!err)
			err = get_one(store, (uint64_t)rows * 1000, &value);
		store_read_reset(&kept);
		if (rows == 1)
			store_read_begin(store, &other);
		rows = (unsigned char)-err;
		if (write(answered, &rows, 1) != 1)
			break;
	}
	_exit(0);
}

static void test_a_map_grown_by_another_process_is_adopted(void **state)
{
	int asked[2], answered[2];
	unsigned char byte = 1;
	struct store *store;
	pid_t pid;

	(void)state;
	store = open_with((struct store_spec){.writer = true, .create = true, .map_bytes = 1 << 20});
	assert_int_equal(put_rows(store, 1, 1000), 0);
	store_close(store);
	assert_int_equal(pipe(asked) | pipe(answered), 0);
	pid = fork();
	if (!pid) {
		close(asked[1]);
		read_when_asked(asked[0], answered[1]);
	}
	close(asked[0]);
	assert_int_equal(write(asked[1], &byte, 1), 1);
	assert_int_equal(read(answered[0], &byte, 1), 1);
	assert_int_equal(byte, 0);
	store = open_with((struct store_spec){.writer = true, .map_bytes = 1 << 26});
	assert_int_equal(put_rows(store, 1, 200000), 0);
	byte = 200;
	assert_int_equal(write(asked[1], &byte, 1), 1);
	assert_int_equal(read(answered[0], &byte, 1), 1);
	assert_int_equal(byte, 0);
	close(asked[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	store_close(store);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* The transaction is begun outside: what a fault interrupts must not need freeing. */
static int get_guarded(struct store *store, uint64_t key)
{
	struct store_table table;
	struct store_val found;
	struct store_txn txn;
	int err;

	err = store_read_begin(store, &txn);
	if (err)
		return err;
	if (store_guard(store)) {
		store_read_end(&txn);
		return -EIO;
	}
	err = store_table_open(&txn, "t", STORE_KEYS_U64, &table);
	if (!err)
		err = store_get(&txn, table, u64(&key), &found);
	store_unguard(store);
	store_read_end(&txn);
	return err;
}

static void test_a_file_cut_short_under_a_reader_ends_the_call_and_not_the_process(void **state)
{
	struct store *store = open_writer();
	uint64_t value;

	(void)state;
	assert_int_equal(put_rows(store, 1, 20000), 0);
	store_close(store);
	store = open_with((struct store_spec){0});
	assert_int_equal(get_guarded(store, 1), 0);
	assert_int_equal(truncate(data_file(), 2 * 4096), 0);
	assert_int_equal(get_guarded(store, 1), -EIO);
	assert_true(store_is_broken(store));
	assert_int_equal(get_guarded(store, 1), -ESTALE);
	assert_int_equal(get_one(store, 1, &value), -ESTALE);
	store_close(store);
}

/* Beside a reader in another process: else the next to open would make the lock anew. */
static void cut_under_a_writer(off_t left)
{
	struct store *store = open_writer();
	struct store_table table;
	struct store_txn txn = {0};
	uint64_t key = 1;
	size_t size;
	void *bytes;
	pid_t pid;

	assert_int_equal(put_rows(store, 1, 20000), 0);
	store_close(store);
	bytes = scratch_read(data_file(), &size);
	pid = start_reader(1);
	store = open_writer();
	assert_int_equal(truncate(data_file(), left), 0);
	if (!store_guard(store)) {
		store_write_begin(store, &txn);
		store_table_open(&txn, "t", STORE_KEYS_U64, &table);
		store_put(&txn, table, u64(&key), u64(&key));
		store_unguard(store);
		fail_msg("wrote into a file that was cut short");
	}
	assert_int_not_equal(store_commit(&txn), 0);
	assert_true(store_is_broken(store));
	store_close(store);
	scratch_write_at(data_file(), bytes, size, 0);
	free(bytes);
	store = open_writer();
	alarm(30); /* or it waits for itself */
	assert_int_equal(put_rows(store, 1, 1), 0);
	alarm(0);
	store_close(store);
	kill_reader(pid);
}

static void test_a_writer_whose_file_was_cut_short_lets_go_of_the_lock(void **state)
{
	(void)state;
	cut_under_a_writer(2 * 4096);
	cut_under_a_writer(4096);
	cut_under_a_writer(0);
}

static void test_a_fault_outside_of_a_guard_is_left_alone(void **state)
{
	struct store *store = open_writer();
	int status;
	pid_t pid;

	(void)state;
	store_close(store);
	pid = fork();
	if (!pid) {
		const struct rlimit no_core = {0, 0};
		uint64_t value;

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGBUS, SIG_DFL);
		store = open_writer();
		put_rows(store, 1, 20000);
		if (truncate(data_file(), 0))
			_exit(1);
		get_one(store, 1, &value);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* Where a page of a kind begins. */
static size_t find_page(const unsigned char *bytes, size_t size, unsigned flags, size_t least_used)
{
	for (size_t page = 2 * 4096; page < size; page += 4096) {
		uint16_t half[3];

		memcpy(half, bytes + page + 10, sizeof(half));
		if (half[0] == flags && half[1] >= least_used)
			return page;
	}
	fail_msg("no such page");
	return 0;
}

static void test_a_page_in_another_pages_place_is_damage(void **state)
{
	struct store *store = open_writer();
	unsigned char *bytes;
	uint64_t value;
	size_t size, page;

	(void)state;
	assert_int_equal(put_rows(store, 1, 100), 0);
	store_close(store);
	bytes = scratch_read(data_file(), &size);
	page = find_page(bytes, size, 2, 100);
	bytes[page] ^= 1; /* its own number */
	scratch_write_at(data_file(), bytes, size, 0);
	free(bytes);
	store = open_with((struct store_spec){0});
	assert_int_equal(get_one(store, 50, &value), -EUCLEAN);
	store_close(store);
}

static void test_the_remains_of_a_row_are_no_row(void **state)
{
	struct store *store = open_writer();
	unsigned char *bytes;
	uint16_t lower, upper, pointer;
	uint64_t value;
	size_t size, page;

	(void)state;
	assert_int_equal(put_rows(store, 1, 20), 0);
	store_close(store);
	bytes = scratch_read(data_file(), &size);
	page = find_page(bytes, size, 2, 16 + 40);
	memcpy(&lower, bytes + page + 12, 2);
	memcpy(&upper, bytes + page + 14, 2);
	/* a copy of the last row in the free room, and the pointer of that row to it: as deletions leave them */
	memcpy(&pointer, bytes + page + lower - 2, 2);
	memcpy(bytes + page + upper - 64, bytes + page + pointer, 24);
	bytes[page + upper - 64 + 16] = 77; /* its value was another then */
	pointer = upper - 64;
	memcpy(bytes + page + lower - 2, &pointer, 2);
	scratch_write_at(data_file(), bytes, size, 0);
	free(bytes);
	store = open_with((struct store_spec){0});
	assert_int_equal(get_one(store, 20, &value), -EUCLEAN);
	assert_holds(store, 19);
	store_close(store);
}

static void test_large_values_come_back_whole(void **state)
{
	struct store *store = open_writer();
	static char large[100000];
	struct store_table table;
	struct store_val found;
	struct store_txn txn;
	uint64_t key = 5;

	(void)state;
	memset(large, 'x', sizeof(large));
	assert_int_equal(put_one(store, key, large, sizeof(large)), 0);
	assert_int_equal(put_rows(store, 1, 3), 0);
	assert_int_equal(store_read_begin(store, &txn), 0);
	assert_int_equal(store_table_open(&txn, "t", STORE_KEYS_U64, &table), 0);
	assert_int_equal(store_get(&txn, table, u64(&key), &found), 0);
	assert_int_equal(found.len, sizeof(large));
	assert_memory_equal(found.data, large, sizeof(large));
	store_read_end(&txn);
	store_close(store);
}

/* --- a disk that fails: the meta page cannot be written --------------------------------------- */

/* The limit on file size fails a write as a bad disk does; a page is written after the meta page's place was passed. */
static void test_a_panic_is_remembered_until_it_is_opened_again(void **state)
{
	/* LMDB panics when the meta page cannot be written: its second descriptor is closed under it */
	struct store *store = open_writer();
	uint64_t value;
	int status;
	pid_t pid;

	(void)state;
	store_close(store);
	pid = fork();
	if (!pid) {
		char link[64], target[PATH_MAX];
		ssize_t len;
		int null = open("/dev/full", O_WRONLY), seen = 0;

		store = open_writer();
		put_rows(store, 1, 10);
		for (int fd = 3; fd < 64; fd++) {
			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
			len = readlink(link, target, sizeof(target) - 1);
			if (len > 8 && !memcmp(target + len - 8, "data.mdb", 8) && seen++)
				dup2(null, fd); /* the second one: for meta pages */
		}
		if (seen != 2)
			_exit(10);
		if (put_rows(store, 11, 10) == 0)
			_exit(11);
		if (put_rows(store, 11, 10) != -ESTALE || get_one(store, 1, &value) != -ESTALE ||
		    !store_is_broken(store))
			_exit(12);
		store_close(store);
		store = open_writer();
		if (put_rows(store, 11, 10) || get_one(store, 1, &value) || get_one(store, 11, &value))
			_exit(13);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- scrubbing -------------------------------------------------------------------------------- */

static unsigned count_in(const unsigned char *bytes, size_t size, const char *word)
{
	const unsigned char *at = bytes;
	unsigned n = 0;

	for (; (at = memmem(at, size - (size_t)(at - bytes), word, strlen(word))); at++)
		n++;
	return n;
}

/* How often a word stands in the file, the free room inside of pages not counted. */
static unsigned count_word(const char *word)
{
	unsigned char *bytes;
	unsigned n = 0;
	size_t size;

	bytes = scratch_read(data_file(), &size);
	for (size_t page = 0; page < size; page += 4096) {
		uint16_t half[3];

		memcpy(half, bytes + page + 10, sizeof(half));
		if (half[0] & 3 && half[2] <= 4096)
			n += count_in(bytes + page + half[2], 4096u - half[2], word);
		else
			n += count_in(bytes + page, 4096, word);
	}
	free(bytes);
	return n;
}

/* Rows that say SECRET, then all of them changed. */
static void write_secret_and_change_it(struct store *store)
{
	for (uint64_t key = 0; key < 300; key++)
		assert_int_equal(put_one(store, key, "SECRET..", 8), 0);
	for (uint64_t key = 0; key < 300; key++)
		assert_int_equal(put_one(store, key, "harmless", 8), 0);
}

static void test_old_copies_of_pages_are_overwritten(void **state)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .scrub = true});

	(void)state;
	write_secret_and_change_it(store);
	store_close(store);
	assert_int_equal(count_word("SECRET.."), 0);
	assert_int_equal(count_word("harmless"), 300);
}

static void test_without_scrubbing_they_stay_and_a_later_scrub_finds_them_all(void **state)
{
	struct store *store = open_writer();

	(void)state;
	write_secret_and_change_it(store);
	store_close(store);
	assert_true(count_word("SECRET..") > 0);
	/* a scrub of the whole free list, as at the writer's next start */
	store = open_with((struct store_spec){.writer = true, .scrub = true});
	assert_int_equal(store_scrub(store), 0);
	store_close(store);
	assert_int_equal(count_word("SECRET.."), 0);
}

static void test_scrubbing_waits_for_a_reader_and_goes_on_after_it(void **state)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .scrub = true});
	struct store_table table;
	struct store_val found;
	struct store_txn txn;
	uint64_t key = 7;

	(void)state;
	assert_int_equal(put_one(store, key, "SECRET..", 8), 0);
	assert_int_equal(store_read_begin(store, &txn), 0);
	assert_int_equal(store_table_open(&txn, "t", STORE_KEYS_U64, &table), 0);
	assert_int_equal(put_one(store, key, "harmless", 8), 0);
	assert_int_equal(put_one(store, key, "harmless", 8), 0);
	assert_int_equal(store_get(&txn, table, u64(&key), &found), 0);
	assert_memory_equal(found.data, "SECRET..", 8);
	assert_int_equal(store_scrub(store), 1);
	assert_int_equal(count_word("SECRET.."), 1);
	store_read_end(&txn);
	assert_int_equal(store_scrub(store), 0);
	assert_int_equal(count_word("SECRET.."), 0);
	store_close(store);
}

static void test_what_lies_behind_the_last_page_is_cut_off(void **state)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .scrub = true});
	size_t size, longer;

	(void)state;
	assert_int_equal(put_rows(store, 1, 100), 0);
	store_close(store);
	free(scratch_read(data_file(), &size));
	scratch_write_at(data_file(), "SECRET..", 8, (off_t)size + 5000); /* as an aborted transaction leaves it */
	free(scratch_read(data_file(), &longer));
	assert_int_equal(longer, size + 5008);
	store = open_with((struct store_spec){.writer = true, .scrub = true});
	assert_int_equal(store_scrub(store), 0);
	free(scratch_read(data_file(), &longer));
	assert_int_equal(longer, size);
	assert_holds(store, 100);
	assert_int_equal(put_rows(store, 101, 1000), 0);
	assert_holds(store, 1100);
	store_close(store);
}

static void test_a_large_transaction_leaves_nothing_behind_kept_or_not(void **state)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .scrub = true});
	struct store_table table;
	struct store_txn txn;
	uint64_t value;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		store_write_begin(store, &txn);
		store_table_open(&txn, "t", STORE_KEYS_U64, &table);
		for (uint64_t key = 0; key < 60000; key++)
			store_put(&txn, table, u64(&key), (struct store_val){"SECRET..", 8});
		store_clear(&txn, table);
		if (round)
			store_abort(&txn);
		else
			assert_int_equal(store_commit(&txn), 0);
	}
	assert_int_equal(put_rows(store, 1, 10), 0);
	assert_int_equal(get_one(store, 1, &value), 0);
	store_close(store);
	assert_int_equal(count_word("SECRET.."), 0);
}

/* --- killed ----------------------------------------------------------------------------------- */

static void write_until_killed(int told, uint64_t from)
{
	struct store *store = open_with((struct store_spec){.writer = true, .create = true, .scrub = true});

	for (uint64_t key = from;; key++) {
		if (put_rows(store, key, 1) || write(told, &key, sizeof(key)) != sizeof(key))
			_exit(1);
	}
}

static void test_a_writer_killed_at_any_moment_loses_nothing_and_locks_nobody_out(void **state)
{
	uint64_t random = 3, last = 0, key;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct store *store;
		int told[2];
		pid_t pid;

		assert_int_equal(pipe(told), 0);
		pid = fork();
		if (!pid)
			write_until_killed(told[1], last + 1);
		close(told[1]);
		/* the first rounds are killed while the store is being made, the others once they are at work */
		if (round >= 8 && read(told[0], &key, sizeof(key)) == sizeof(key))
			last = key;
		usleep((useconds_t)(rows_random(&random) % 5000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		while (read(told[0], &key, sizeof(key)) == sizeof(key))
			last = key;
		close(told[0]);
		store = open_writer();
		for (key = 1; key <= last; key++)
			assert_holds(store, key);
		last += get_one(store, last + 1, &key) == 0; /* committed, not told */
		assert_int_equal(put_rows(store, 1, 1 + (last == 0)), 0);
		last += last == 0 ? 2 : 0;
		store_close(store);
	}
	assert_true(last >= 12);
}

static void test_usage_says_what_is_used_and_populating_is_harmless(void **state)
{
	struct store *store = open_writer();
	struct store_usage usage;

	(void)state;
	store_populate(store, 1000); /* no table yet */
	assert_int_equal(put_rows(store, 1, 50000), 0);
	store_populate(store, 1000);
	store_populate(store, 1000);
	assert_int_equal(store_usage(store, &usage), 0);
	assert_in_range(usage.used_bytes, 50000 * 20, 50000 * 60);
	assert_true(usage.file_bytes >= usage.used_bytes);
	assert_true(usage.map_bytes == UINT64_C(64) << 30);
	assert_int_equal(store_sweep(store), 0);
	store_close(store);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest cases[] = {
		T(test_a_reader_is_told_where_there_is_no_store),
		T(test_a_store_is_made_whole_and_leftovers_are_removed),
		T(test_a_shared_store_can_be_read_by_the_group_only),
		T(test_what_was_committed_is_there_after_reopening),
		T(test_one_directory_is_opened_once_in_a_process),
		T(test_a_file_cut_short_anywhere_is_refused_in_words),
		T(test_an_error_sticks_and_commit_becomes_abort),
		T(test_a_snapshot_does_not_move_and_its_number_names_it),
		T(test_a_cursor_goes_where_it_is_told),
		T(test_a_table_of_another_kind_is_refused),
		T(test_a_reader_does_not_write),
		T(test_a_full_map_refuses_and_a_larger_one_takes_more),
		T(test_a_full_disk_refuses_and_loses_nothing),
		T(test_slots_of_killed_readers_are_found_free),
		T(test_a_killed_reader_does_not_make_the_file_grow),
		T(test_a_map_grown_by_another_process_is_adopted),
		T(test_a_file_cut_short_under_a_reader_ends_the_call_and_not_the_process),
		T(test_a_writer_whose_file_was_cut_short_lets_go_of_the_lock),
		T(test_a_fault_outside_of_a_guard_is_left_alone),
		T(test_a_page_in_another_pages_place_is_damage),
		T(test_the_remains_of_a_row_are_no_row),
		T(test_large_values_come_back_whole),
		T(test_a_panic_is_remembered_until_it_is_opened_again),
		T(test_old_copies_of_pages_are_overwritten),
		T(test_without_scrubbing_they_stay_and_a_later_scrub_finds_them_all),
		T(test_scrubbing_waits_for_a_reader_and_goes_on_after_it),
		T(test_what_lies_behind_the_last_page_is_cut_off),
		T(test_a_large_transaction_leaves_nothing_behind_kept_or_not),
		T(test_a_writer_killed_at_any_moment_loses_nothing_and_locks_nobody_out),
		T(test_usage_says_what_is_used_and_populating_is_harmless),
	};
	struct CMUnitTest tests[N_ROWS(cases) + N_ROWS(heads)];

	memcpy(tests, cases, sizeof(cases));
	for (unsigned i = 0; i < N_ROWS(heads); i++)
		tests[N_ROWS(cases) + i] = ROW_TEST(heads[i].name, test_head, i);
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
