/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* What a look-up in the register costs, against what memory and LMDB themselves cost, in one interleaved run.
 *
 *   chase   dependent reads around a random cycle in as much memory as the register's file has, in pages of 4 KiB: the
 * floor lmdb    mdb_get of the same keys in a plain table with values of 8 octets, a transaction renewed for each one
 * register_lookup of one query that depends on the last answer 64      register_lookup of 64 queries
 *
 * The list: N devices in up to 100,000 TACs of very different sizes, serial numbers spread evenly.  A miss asks for a
 * device of a listed TAC that is not listed itself, so that no look at the TAC alone can answer it.  Every answer is
 * checked.
 *
 *   bench_lookup [-n DEVICES] [-r ROUNDS] [-q QUERIES] [-d DIRECTORY] */
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/chance.h"
#include "register/register.h"

#define MAX_ROUNDS 99
#define BATCH      ((uint64_t)1 << 18)

static struct {
	uint64_t devices, queries; /* of one slice */
	unsigned rounds;
	char dir[512];
} options = {.devices = 1000000, .queries = 20000, .rounds = 25};

static uint64_t *keys;            /* listed, ascending */
static uint64_t *asked[2];        /* misses, hits: a slice for each round, and one to warm up */
static uint64_t *ask[2];          /* the slice of this round */
static volatile uint64_t nothing; /* always 0, but the compiler cannot know: makes a query depend on an answer */

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of this process alone: the machine may be shared. */
static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t random64(void)
{
	static uint64_t state = 20261124;

	return chance_next(&state);
}

static void *get_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("out of memory");
	return memory;
}

/* --- the list --------------------------------------------------------------------------------- */

/* Zipf-Mandelbrot, 600,000 devices of one TAC at most. */
static uint64_t add_tac(uint64_t n, uint64_t tac, double share)
{
	uint64_t count = (uint64_t)ceil(share * (double)options.devices), serial = 0;
	double gap;

	if (count > 600000)
		count = 600000;
	gap = 1e6 / (double)count;
	for (uint64_t i = 0; i < count && n < options.devices; i++) {
		uint64_t next = (uint64_t)(gap * ((double)i + (double)(random64() >> 11) / 9007199254740992.0));

		serial = i && next <= serial ? serial + 1 : next;
		if (serial > 999999)
			break;
		keys[n++] = tac * 1000000 + serial;
	}
	return n;
}

static void make_list(void)
{
	unsigned tacs = options.devices < 5000000 ? (unsigned)(options.devices / 50) + 1 : 100000;
	double sum = 0;
	uint64_t n = 0, tac = 35000000;

	keys = get_memory(options.devices * sizeof(*keys));
	for (unsigned i = 0; i < tacs; i++)
		sum += pow(i + 10, -0.8);
	while (n < options.devices) {
		/* the ranks of neighbouring TACs are unrelated; those cut off at the end are made up for by more TACs
		 */
		n = add_tac(n, tac, pow((double)(random64() % tacs) + 10, -0.8) / sum);
		tac += 1 + random64() % 400;
	}
}

static bool is_listed(uint64_t key)
{
	uint64_t low = 0, high = options.devices;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < options.devices && keys[low] == key;
}

static void make_queries(void)
{
	uint64_t n = options.queries * (options.rounds + 1);

	asked[0] = ask[0] = get_memory(n * sizeof(**ask));
	asked[1] = ask[1] = get_memory(n * sizeof(**ask));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t key = keys[random64() % options.devices], tac = key / 1000000;

		ask[1][i] = keys[random64() % options.devices];
		do
			key = tac * 1000000 + random64() % 1000000;
		while (is_listed(key));
		ask[0][i] = key;
	}
}

/* --- the register ----------------------------------------------------------------------------- */

static struct register_writer *writer;
static struct weir_register *reg;

static void make_register(void)
{
	struct register_device device = {.n_rows = 1,
					 .row = {{WEIR_NO_SVN, {WEIR_ON(WEIR_BLACK), WEIR_REASON_STOLEN}}}};
	struct weir_why why;
	double start = seconds();

	if (register_writer_open(options.dir, &writer, &why))
		die("%s", why.text);
	for (uint64_t i = 0; i < options.devices;) {
		register_batch_begin(writer);
		for (uint64_t end = i + 4 * BATCH; i < end && i < options.devices; i++) {
			device.key = keys[i];
			register_set_device(writer, &device);
		}
		if (register_batch_commit(writer, 1, i, 0))
			die("the register cannot be written");
	}
	printf("# register: %.2f million devices a second appended, synced\n",
	       (double)options.devices / 1e6 / (seconds() - start));
	register_writer_close(writer);
	if (register_open(options.dir, &reg, &why))
		die("%s", why.text);
}

static uint64_t file_bytes(const char *name)
{
	char path[600];
	struct stat file;

	snprintf(path, sizeof(path), "%s/%s/data.mdb", options.dir, name);
	if (stat(path, &file) < 0)
		die("%s: %s", path, strerror(errno));
	return (uint64_t)file.st_size;
}

static double time_register(int hits, unsigned n)
{
	struct weir_query query[REGISTER_BATCH] = {0};
	struct weir_facts facts[REGISTER_BATCH];
	uint64_t found = 0, n_asked = 0, last = 0;
	double start = cpu_seconds();

	for (uint64_t i = 0; i + n <= options.queries; i += n) {
		for (unsigned j = 0; j < n; j++)
			query[j].imei = (struct weir_imei){ask[hits][i + j] + (last & nothing), WEIR_NO_SVN};
		if (register_lookup(reg, query, facts, n))
			die("a look-up failed");
		for (unsigned j = 0; j < n; j++)
			found += facts[j].device.lists != 0;
		last = found;
		n_asked += n;
	}
	start = cpu_seconds() - start;
	if (found != (hits ? n_asked : 0))
		die("%" PRIu64 " of %" PRIu64 " found", found, n_asked);
	return start * 1e9 / (double)n_asked;
}

/* --- plain LMDB ------------------------------------------------------------------------------- */

static MDB_env *env;
static MDB_dbi dbi;
static MDB_txn *txn;

static void must(int rc)
{
	if (rc)
		die("lmdb: %s", mdb_strerror(rc));
}

static void make_plain(void)
{
	char path[600];
	uint64_t value = 5;
	double start = seconds();

	snprintf(path, sizeof(path), "%s/plain", options.dir);
	if (mkdir(path, 0700) < 0)
		die("%s: %s", path, strerror(errno));
	must(mdb_env_create(&env));
	must(mdb_env_set_mapsize(env, (size_t)64 << 30));
	must(mdb_env_set_maxdbs(env, 4));
	must(mdb_env_open(env, path, MDB_NOTLS, 0600));
	for (uint64_t i = 0; i < options.devices;) {
		must(mdb_txn_begin(env, NULL, 0, &txn));
		must(mdb_dbi_open(txn, "device", MDB_CREATE | MDB_INTEGERKEY, &dbi));
		for (uint64_t end = i + 4 * BATCH; i < end && i < options.devices; i++) {
			MDB_val k = {8, &keys[i]}, v = {8, &value};

			must(mdb_put(txn, dbi, &k, &v, MDB_APPEND));
		}
		must(mdb_txn_commit(txn));
	}
	printf("# lmdb: %.2f million devices a second appended, synced\n",
	       (double)options.devices / 1e6 / (seconds() - start));
	must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
	/* touched once, as the register is by register_open */
	for (uint64_t i = 0; i < options.devices; i += 64) {
		MDB_val k = {8, &keys[i]}, v;

		must(mdb_get(txn, dbi, &k, &v));
	}
	mdb_txn_reset(txn);
}

static double time_plain(int hits)
{
	uint64_t found = 0, last = 0;
	double start = cpu_seconds();

	for (uint64_t i = 0; i < options.queries; i++) {
		uint64_t key = ask[hits][i] + (last & nothing);
		MDB_val k = {8, &key}, v;

		must(mdb_txn_renew(txn));
		if (!mdb_get(txn, dbi, &k, &v))
			found += *(uint64_t *)v.mv_data == 5;
		mdb_txn_reset(txn);
		last = found;
	}
	start = cpu_seconds() - start;
	if (found != (hits ? options.queries : 0))
		die("lmdb: %" PRIu64 " found", found);
	return start * 1e9 / (double)options.queries;
}

/* --- the floor -------------------------------------------------------------------------------- */

struct node {
	struct node *next;
	char rest[56];
};

static struct node *nodes;

static void make_chase(uint64_t bytes)
{
	uint64_t n = bytes / sizeof(*nodes);
	uint32_t *order = get_memory(n * sizeof(*order));

	nodes = get_memory(n * sizeof(*nodes));
	madvise(nodes, n * sizeof(*nodes), MADV_NOHUGEPAGE);
	for (uint64_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (uint64_t i = n - 1; i > 0; i--) {
		uint64_t j = random64() % (i + 1);
		uint32_t kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	for (uint64_t i = 0; i < n; i++)
		nodes[order[i]].next = &nodes[order[(i + 1) % n]];
	munmap(order, n * sizeof(*order));
}

static double time_chase(void)
{
	static struct node *at;
	double start = cpu_seconds();

	at = at ? at : nodes;
	for (uint64_t i = 0; i < options.queries; i++)
		at = at->next;
	start = cpu_seconds() - start;
	nothing = at ? 0 : 1;
	return start * 1e9 / (double)options.queries;
}

/* --- the run ---------------------------------------------------------------------------------- */

enum {
	CHASE,
	PLAIN_HIT,
	PLAIN_MISS,
	ONE_HIT,
	ONE_MISS,
	MANY_HIT,
	MANY_MISS,
	N_FIGURES
};

static const char *const names[N_FIGURES] = {
	"chase of the same size",    "lmdb, hit",           "lmdb, miss",           "register one by one, hit",
	"register one by one, miss", "register by 64, hit", "register by 64, miss",
};

static double figure[N_FIGURES][MAX_ROUNDS];

static double measure(int what)
{
	switch (what) {
	case CHASE:
		return time_chase();
	case PLAIN_HIT:
	case PLAIN_MISS:
		return time_plain(what == PLAIN_HIT);
	case ONE_HIT:
	case ONE_MISS:
		return time_register(what == ONE_HIT, 1);
	default:
		return time_register(what == MANY_HIT, REGISTER_BATCH);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *of)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, of, options.rounds * sizeof(*sorted));
	qsort(sorted, options.rounds, sizeof(*sorted), compare);
	return sorted[options.rounds / 2];
}

/* Of the pairs of one round: noise that hits a round hits both. */
static double ratio(int a, int b)
{
	double ratios[MAX_ROUNDS];

	for (unsigned i = 0; i < options.rounds; i++)
		ratios[i] = figure[a][i] / figure[b][i];
	return median(ratios);
}

static void report(void)
{
	printf("%-28s %10s %9s %9s\n", "", "ns", "x chase", "x lmdb");
	for (int i = 0; i < N_FIGURES; i++) {
		bool miss = i == PLAIN_MISS || i == ONE_MISS || i == MANY_MISS;

		printf("%-28s %10.0f %9.2f", names[i], median(figure[i]), ratio(i, CHASE));
		if (i == CHASE)
			printf("\n");
		else
			printf(" %9.2f\n", ratio(i, miss ? PLAIN_MISS : PLAIN_HIT));
	}
}

static void read_options(int argc, char **argv)
{
	const char *base = getenv("TMPDIR");
	int option;

	while ((option = getopt(argc, argv, "n:r:q:d:")) != -1) {
		if (option == 'n')
			options.devices = strtoull(optarg, NULL, 10);
		else if (option == 'r')
			options.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'q')
			options.queries = strtoull(optarg, NULL, 10);
		else if (option == 'd')
			base = optarg;
		else
			die("usage: bench_lookup [-n DEVICES] [-r ROUNDS] [-q QUERIES] [-d DIRECTORY]");
	}
	if (!options.devices || options.devices > 400000000 || !options.rounds || options.rounds > MAX_ROUNDS ||
	    options.queries < REGISTER_BATCH)
		die("1 to 400000000 devices, 1 to %d rounds, at least %d queries", MAX_ROUNDS, REGISTER_BATCH);
	snprintf(options.dir, sizeof(options.dir), "%s/weir-bench-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(options.dir))
		die("%s: %s", options.dir, strerror(errno));
}

static void clean_up(void)
{
	char command[600];

	snprintf(command, sizeof(command), "rm -rf '%s'", options.dir);
	if (options.dir[0] && system(command))
		fprintf(stderr, "%s is left\n", options.dir);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	atexit(clean_up);
	make_list();
	make_queries();
	make_register();
	make_plain();
	make_chase(file_bytes("register"));
	printf("# %" PRIu64
	       " devices, register %.0f MiB (%.1f octets a device), plain table %.0f MiB; %u rounds of %" PRIu64
	       " queries, medians of CPU time\n",
	       options.devices, (double)file_bytes("register") / 1048576,
	       (double)file_bytes("register") / (double)options.devices, (double)file_bytes("plain") / 1048576,
	       options.rounds, options.queries);
	for (int i = 0; i < N_FIGURES; i++)
		measure(i); /* warm */
	for (unsigned round = 0; round < options.rounds; round++) {
		for (int hits = 0; hits < 2; hits++)
			ask[hits] = asked[hits] + (round + 1) * options.queries;
		for (int i = 0; i < N_FIGURES; i++)
			figure[i][round] = measure(i);
	}
	report();
	register_close(reg);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return 0;
}
