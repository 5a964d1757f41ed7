/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The statements: entries (devices) and items (ranges, pairs), read and written with their CRC, summed up per source.
 * It knows nothing of events: who writes here has appended the event in the same transaction. */

#include "keeper/ledger_internal.h"

#include <errno.h>
#include <string.h>

#include "core/crc.h"

/* table "entry", key u64 (ledger_key) */
struct entry_disk {
	uint32_t crc;
	uint16_t what; /* colour << 14 | reason */
	uint16_t serial_high;
	uint32_t serial_low;
} __attribute__((packed));

/* tables "range" and "pair", key a BE8 | b BE8 | source BE2 */
#define ITEM_KEY 18
struct item_disk {
	uint32_t crc;
	uint8_t what, spare;
	uint16_t reason;
	uint64_t serial;
} __attribute__((packed));

_Static_assert(sizeof(struct entry_disk) == 12 && sizeof(struct item_disk) == 16, "doc/STORE.md");

static const enum ledger_table item_table[] = {[LEDGER_RANGES] = LEDGER_T_RANGE, [LEDGER_PAIRS] = LEDGER_T_PAIR};

/* --- sums ------------------------------------------------------------------------------------- */

/* splitmix64's finisher: every bit of the input moves half of the output's. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t ledger_entry_digest(const struct ledger_entry *entry)
{
	uint64_t what = (uint64_t)entry->colour << 16 | entry->reason;

	return mix((entry->key & ~UINT64_C(0x3ff)) ^
		   mix(what)); /* without the source: it has a number of its own elsewhere */
}

uint64_t ledger_item_digest(enum ledger_items table, const struct ledger_item *item)
{
	uint64_t what = (uint64_t)table << 32 | (uint64_t)1 << 40 | (uint64_t)item->what << 16 | item->reason;

	return mix(item->a ^ mix(item->b ^ mix(what)));
}

static uint64_t *item_counter(struct weir_source *source, enum ledger_items table)
{
	return table == LEDGER_RANGES ? &source->ranges : &source->pairs;
}

/* A damaged record's digest is not known any more: its source's sum stays wrong until the source is written anew, and
 * verify says so. */
static void source_count(struct ledger *ledger, unsigned id, bool is_item, enum ledger_items table, int step,
			 uint64_t digest, uint64_t serial)
{
	struct weir_source *source = ledger_source_touch(ledger, id);
	uint64_t *counter = is_item ? item_counter(source, table) : &source->devices;

	*counter += (uint64_t)(int64_t)step;
	source->digest += digest;
	if (serial > source->serial)
		source->serial = serial;
	source->changed_ms = ledger->meta.time_ms;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void entry_parse(struct store_val key, struct store_val value, struct ledger_entry *entry)
{
	struct entry_disk disk;
	uint8_t sum[sizeof(uint64_t) + sizeof(disk) - 4];

	*entry = (struct ledger_entry){.damaged = true};
	if (key.len != sizeof(entry->key))
		return;
	memcpy(&entry->key, key.data, sizeof(entry->key));
	if (value.len != sizeof(disk))
		return;
	memcpy(&disk, value.data, sizeof(disk));
	memcpy(sum, &entry->key, sizeof(uint64_t));
	memcpy(sum + sizeof(uint64_t), (const uint8_t *)&disk + 4, sizeof(disk) - 4);
	if (disk.crc != crc32c(0, sum, sizeof(sum)))
		return;
	entry->damaged = false;
	entry->colour = (uint8_t)(disk.what >> 14);
	entry->reason = disk.what & LEDGER_REASON_MAX;
	entry->serial = (uint64_t)disk.serial_high << 32 | disk.serial_low;
}

static void entry_print(const struct ledger_entry *entry, struct entry_disk *disk)
{
	uint8_t sum[sizeof(uint64_t) + sizeof(*disk) - 4];

	disk->what = (uint16_t)(entry->colour << 14 | (entry->reason & LEDGER_REASON_MAX));
	disk->serial_high = (uint16_t)(entry->serial >> 32);
	disk->serial_low = (uint32_t)entry->serial;
	memcpy(sum, &entry->key, sizeof(uint64_t));
	memcpy(sum + sizeof(uint64_t), (const uint8_t *)disk + 4, sizeof(*disk) - 4);
	disk->crc = crc32c(0, sum, sizeof(sum));
}

static void walk_move(struct ledger_walk *walk, enum store_move move, uint64_t at)
{
	struct store_val key = ledger_val(&at, sizeof(at)), value;
	int rc = store_cursor_move(&walk->cursor, move, &key, &value);

	walk->ok = rc == 0;
	if (rc == 0)
		entry_parse(key, value, &walk->entry);
	else if (rc != -ENOENT)
		walk->err = rc;
}

int ledger_walk_begin(struct ledger *ledger, struct store_txn *txn, uint64_t key, struct ledger_walk *walk)
{
	*walk = (struct ledger_walk){0};
	walk->err = store_cursor_open(txn, ledger->table[LEDGER_T_ENTRY], &walk->cursor);
	if (walk->err < 0)
		return walk->err;
	walk->open = true;
	walk_move(walk, STORE_AT_LEAST, key);
	return walk->err;
}

void ledger_walk_next(struct ledger_walk *walk)
{
	if (walk->ok)
		walk_move(walk, STORE_NEXT, 0);
}

void ledger_walk_seek(struct ledger_walk *walk, uint64_t key)
{
	if (walk->open && walk->err == 0)
		walk_move(walk, STORE_AT_LEAST, key);
}

void ledger_walk_to(struct ledger_walk *walk, uint64_t key)
{
	for (unsigned i = 0; i < 8; i++) {
		if (!walk->ok || walk->entry.key >= key)
			return;
		walk_move(walk, STORE_NEXT, 0);
	}
	if (walk->ok && walk->entry.key < key)
		walk_move(walk, STORE_AT_LEAST, key);
}

void ledger_walk_end(struct ledger_walk *walk)
{
	if (walk->open)
		store_cursor_close(&walk->cursor);
	walk->open = walk->ok = false;
}

int ledger_entry_get(struct ledger *ledger, struct store_txn *txn, uint64_t key, struct ledger_entry *entry)
{
	struct store_val at = ledger_val(&key, sizeof(key)), value;
	int rc = store_get(txn, ledger->table[LEDGER_T_ENTRY], at, &value);

	if (rc == 0)
		entry_parse(at, value, entry);
	return rc;
}

static void entry_sum(struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_entry *before)
{
	const struct ledger_entry *any = entry ? entry : before;
	uint64_t digest = entry ? ledger_entry_digest(entry) : 0;

	if (before && !before->damaged)
		digest -= ledger_entry_digest(before);
	source_count(ledger, ledger_key_source(any->key), false, 0, (entry ? 1 : 0) - (before ? 1 : 0), digest,
		     ledger->meta.serial);
}

int ledger_entry_put(struct ledger *ledger, const struct ledger_entry *entry, const struct ledger_entry *before)
{
	struct entry_disk disk;

	entry_print(entry, &disk);
	entry_sum(ledger, entry, before);
	return store_put(&ledger->txn, ledger->table[LEDGER_T_ENTRY], ledger_val(&entry->key, sizeof(entry->key)),
			 ledger_val(&disk, sizeof(disk)));
}

int ledger_entry_remove(struct ledger *ledger, const struct ledger_entry *before)
{
	entry_sum(ledger, NULL, before);
	return store_delete(&ledger->txn, ledger->table[LEDGER_T_ENTRY], ledger_val(&before->key, sizeof(before->key)));
}

int ledger_bulk_begin(struct ledger *ledger, struct ledger_bulk *bulk)
{
	struct store_val key, value;
	int rc;

	*bulk = (struct ledger_bulk){0};
	rc = store_cursor_open(&ledger->txn, ledger->table[LEDGER_T_ENTRY], &bulk->cursor);
	if (rc < 0)
		return rc;
	bulk->open = true;
	rc = store_cursor_move(&bulk->cursor, STORE_LAST, &key, &value);
	if (rc == 0 && key.len == sizeof(bulk->last)) {
		memcpy(&bulk->last, key.data, sizeof(bulk->last));
		bulk->any = true;
	}
	return rc == -ENOENT ? 0 : rc;
}

void ledger_bulk_end(struct ledger_bulk *bulk)
{
	if (bulk->open)
		store_cursor_close(&bulk->cursor);
	bulk->open = false;
}

int ledger_bulk_put(struct ledger *ledger, struct ledger_bulk *bulk, const struct ledger_entry *entry,
		    const struct ledger_entry *before)
{
	struct entry_disk disk;

	if (bulk->any && entry->key <= bulk->last)
		return ledger_entry_put(ledger, entry, before);
	entry_print(entry, &disk);
	entry_sum(ledger, entry, before);
	bulk->last = entry->key;
	bulk->any = true;
	return store_cursor_append(&bulk->cursor, ledger_val(&entry->key, sizeof(entry->key)),
				   ledger_val(&disk, sizeof(disk)));
}

/* --- items ------------------------------------------------------------------------------------ */

int ledger_item_compare(const struct ledger_item *x, const struct ledger_item *y)
{
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	if (x->b != y->b)
		return x->b < y->b ? -1 : 1;
	return (x->source > y->source) - (x->source < y->source);
}

static void item_key(const struct ledger_item *item, uint8_t key[static ITEM_KEY])
{
	ledger_be64(key, item->a);
	ledger_be64(key + 8, item->b);
	key[16] = (uint8_t)(item->source >> 8);
	key[17] = (uint8_t)item->source;
}

static void item_parse(struct store_val key, struct store_val value, struct ledger_item *item)
{
	const uint8_t *at = key.data;
	struct item_disk disk;

	*item = (struct ledger_item){.damaged = true};
	if (key.len != ITEM_KEY)
		return;
	item->a = ledger_from_be64(at);
	item->b = ledger_from_be64(at + 8);
	item->source = (uint16_t)(at[16] << 8 | at[17]);
	if (value.len != sizeof(disk))
		return;
	memcpy(&disk, value.data, sizeof(disk));
	if (disk.crc != ledger_crc(key, &disk, sizeof(disk)))
		return;
	item->damaged = false;
	item->what = disk.what;
	item->reason = disk.reason;
	item->serial = disk.serial;
}

static void items_move(struct ledger_item_walk *walk, enum store_move move, const struct ledger_item *from)
{
	uint8_t at[ITEM_KEY];
	struct store_val key = ledger_val(at, sizeof(at)), value;
	int rc;

	if (from)
		item_key(from, at);
	rc = store_cursor_move(&walk->cursor, move, &key, &value);
	walk->ok = rc == 0;
	if (rc == 0)
		item_parse(key, value, &walk->item);
	else if (rc != -ENOENT)
		walk->err = rc;
}

int ledger_items_begin(struct ledger *ledger, struct store_txn *txn, enum ledger_items table,
		       const struct ledger_item *from, struct ledger_item_walk *walk)
{
	*walk = (struct ledger_item_walk){.table = table};
	walk->err = store_cursor_open(txn, ledger->table[item_table[table]], &walk->cursor);
	if (walk->err < 0)
		return walk->err;
	walk->open = true;
	items_move(walk, from ? STORE_AT_LEAST : STORE_FIRST, from);
	return walk->err;
}

void ledger_items_next(struct ledger_item_walk *walk)
{
	if (walk->ok)
		items_move(walk, STORE_NEXT, NULL);
}

void ledger_items_seek(struct ledger_item_walk *walk, const struct ledger_item *from)
{
	if (walk->open && walk->err == 0)
		items_move(walk, STORE_AT_LEAST, from);
}

void ledger_items_end(struct ledger_item_walk *walk)
{
	if (walk->open)
		store_cursor_close(&walk->cursor);
	walk->open = walk->ok = false;
}

int ledger_item_get(struct ledger *ledger, struct store_txn *txn, enum ledger_items table, struct ledger_item *item)
{
	uint8_t at[ITEM_KEY];
	struct store_val key = ledger_val(at, sizeof(at)), value;
	int rc;

	item_key(item, at);
	rc = store_get(txn, ledger->table[item_table[table]], key, &value);
	if (rc == 0)
		item_parse(key, value, item);
	return rc;
}

static void item_sum(struct ledger *ledger, enum ledger_items table, const struct ledger_item *item,
		     const struct ledger_item *before)
{
	const struct ledger_item *any = item ? item : before;
	uint64_t digest = item ? ledger_item_digest(table, item) : 0;

	if (before && !before->damaged)
		digest -= ledger_item_digest(table, before);
	source_count(ledger, any->source, true, table, (item ? 1 : 0) - (before ? 1 : 0), digest, ledger->meta.serial);
}

int ledger_item_put(struct ledger *ledger, enum ledger_items table, const struct ledger_item *item,
		    const struct ledger_item *before)
{
	struct item_disk disk = {.what = item->what, .reason = item->reason, .serial = item->serial};
	uint8_t at[ITEM_KEY];
	struct store_val key = ledger_val(at, sizeof(at));

	item_key(item, at);
	disk.crc = ledger_crc(key, &disk, sizeof(disk));
	item_sum(ledger, table, item, before);
	return store_put(&ledger->txn, ledger->table[item_table[table]], key, ledger_val(&disk, sizeof(disk)));
}

int ledger_item_remove(struct ledger *ledger, enum ledger_items table, const struct ledger_item *before)
{
	uint8_t at[ITEM_KEY];

	item_key(before, at);
	item_sum(ledger, table, NULL, before);
	return store_delete(&ledger->txn, ledger->table[item_table[table]], ledger_val(at, sizeof(at)));
}
