/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Batches: what an import brought, kept for ever as packed rows (about four octets each) so that a crash can go on, a
 * replica can follow and a device's history can be told.  Rows are ascending and delta-coded; each chunk stands for
 * itself and has a CRC.  This file packs, unpacks and stores; what rows mean is import's. */

#include "keeper/ledger_internal.h"

#include <errno.h>
#include <string.h>

/* table "batch", key u64 id */
struct batch_disk {
	uint32_t crc;
	uint16_t source;
	uint8_t mode, state, phase, spare[7];
	uint64_t id, serial;
	int64_t time_ms;
	uint64_t rows, devices, ranges, pairs, lines, rejected, remarks, duplicates;
	uint64_t added, changed, removed, unchanged, turned_black, turned_from_black;
	uint64_t from, place;
	uint8_t digest[LEDGER_DIGEST];
} __attribute__((packed));

/* table "chunk", key batch BE8 | kind | first BE8: head, then the rows */
#define CHUNK_KEY 17
struct chunk_head {
	uint32_t crc; /* over batch BE8 | kind | first BE8 and what follows */
	uint32_t rows;
	uint64_t first, last;
	uint32_t len; /* of the whole value */
	uint8_t kind, spare[3];
} __attribute__((packed));

_Static_assert(sizeof(struct batch_disk) == 200 && sizeof(struct chunk_head) == 32, "doc/STORE.md");

#define CHUNK_ROW_MAX 16 /* flags and delta 10, version 1, colour 1, reason 2 */
#define CHUNK_ITEM    20

static void chunk_key(uint64_t batch, uint8_t kind, uint64_t first, uint8_t key[static CHUNK_KEY])
{
	ledger_be64(key, batch);
	key[8] = kind;
	ledger_be64(key + 9, first);
}

/* --- the batch's record ----------------------------------------------------------------------- */

int ledger_batch_put(struct ledger *ledger, struct ledger_batch *batch)
{
	struct batch_disk disk;
	struct store_val key;

	if (batch->id == 0)
		batch->id = ++ledger->meta.last_batch;
	disk = (struct batch_disk){.source = batch->source,
				   .mode = batch->mode,
				   .state = batch->state,
				   .phase = batch->phase,
				   .id = batch->id,
				   .serial = batch->serial,
				   .time_ms = batch->time_ms,
				   .rows = batch->rows,
				   .devices = batch->devices,
				   .ranges = batch->ranges,
				   .pairs = batch->pairs,
				   .lines = batch->lines,
				   .rejected = batch->rejected,
				   .remarks = batch->remarks,
				   .duplicates = batch->duplicates,
				   .added = batch->added,
				   .changed = batch->changed,
				   .removed = batch->removed,
				   .unchanged = batch->unchanged,
				   .turned_black = batch->turned_black,
				   .turned_from_black = batch->turned_from_black,
				   .from = batch->from,
				   .place = batch->place};
	memcpy(disk.digest, batch->digest, LEDGER_DIGEST);
	key = ledger_val(&batch->id, sizeof(batch->id));
	disk.crc = ledger_crc(key, &disk, sizeof(disk));
	ledger->meta.batch = batch->state == LEDGER_APPLIED ? 0 : batch->id;
	return store_put(&ledger->txn, ledger->table[LEDGER_T_BATCH], key, ledger_val(&disk, sizeof(disk)));
}

static int batch_parse(struct store_val key, struct store_val value, struct ledger_batch *batch)
{
	struct batch_disk disk;

	if (key.len != sizeof(uint64_t) || value.len != sizeof(disk))
		return -EUCLEAN;
	memcpy(&disk, value.data, sizeof(disk));
	if (disk.crc != ledger_crc(key, &disk, sizeof(disk)) || memcmp(key.data, &disk.id, sizeof(disk.id)))
		return -EUCLEAN;
	*batch = (struct ledger_batch){.id = disk.id,
				       .serial = disk.serial,
				       .time_ms = disk.time_ms,
				       .source = disk.source,
				       .mode = disk.mode,
				       .state = disk.state,
				       .phase = disk.phase,
				       .rows = disk.rows,
				       .devices = disk.devices,
				       .ranges = disk.ranges,
				       .pairs = disk.pairs,
				       .lines = disk.lines,
				       .rejected = disk.rejected,
				       .remarks = disk.remarks,
				       .duplicates = disk.duplicates,
				       .added = disk.added,
				       .changed = disk.changed,
				       .removed = disk.removed,
				       .unchanged = disk.unchanged,
				       .turned_black = disk.turned_black,
				       .turned_from_black = disk.turned_from_black,
				       .from = disk.from,
				       .place = disk.place};
	memcpy(batch->digest, disk.digest, LEDGER_DIGEST);
	return 0;
}

int ledger_batch_get(struct ledger *ledger, struct store_txn *txn, uint64_t id, struct ledger_batch *batch)
{
	struct store_val key = ledger_val(&id, sizeof(id)), value;
	int rc = store_get(txn, ledger->table[LEDGER_T_BATCH], key, &value);

	return rc < 0 ? rc : batch_parse(key, value, batch);
}

int ledger_batch_next(struct ledger *ledger, struct store_txn *txn, uint64_t id, struct ledger_batch *batch)
{
	struct store_cursor cursor;
	struct store_val key, value;
	int rc = store_cursor_open(txn, ledger->table[LEDGER_T_BATCH], &cursor);

	if (rc < 0)
		return rc;
	id++;
	key = ledger_val(&id, sizeof(id));
	rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	if (rc == 0)
		rc = batch_parse(key, value, batch);
	store_cursor_close(&cursor);
	return rc;
}

int ledger_batch_forget(struct ledger *ledger, uint64_t id, unsigned max)
{
	struct store_cursor cursor;
	struct store_val key, value;
	uint8_t from[CHUNK_KEY], bare[8];
	int rc = store_cursor_open(&ledger->txn, ledger->table[LEDGER_T_CHUNK], &cursor);

	if (rc < 0)
		return rc;
	chunk_key(id, 0, 0, from);
	ledger_be64(bare, id);
	while (max-- > 0) {
		key = ledger_val(from, sizeof(from));
		rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
		if (rc < 0 || key.len != CHUNK_KEY || memcmp(key.data, bare, sizeof(bare)))
			break;
		rc = store_cursor_delete(&cursor);
		if (rc < 0)
			break;
		rc = 1;
	}
	store_cursor_close(&cursor);
	if (rc == 1 || (rc < 0 && rc != -ENOENT))
		return rc;
	rc = store_delete(&ledger->txn, ledger->table[LEDGER_T_BATCH], ledger_val(&id, sizeof(id)));
	if (ledger->meta.batch == id)
		ledger->meta.batch = 0;
	return rc == -ENOENT ? 0 : rc;
}

/* --- packing ---------------------------------------------------------------------------------- */

/* A row: varint of (delta of the imei << 2 | has a version << 1 | another colour or reason than the row before), then
 * the version, then colour and reason, as far as said.  The first row's delta is from 0 and it always says what it is.
 */

void ledger_chunk_begin(struct ledger_chunk *chunk, enum ledger_chunks kind)
{
	chunk->len = sizeof(struct chunk_head);
	chunk->rows = 0;
	chunk->first = chunk->last = 0;
	chunk->previous_imei = 0;
	chunk->kind = (uint8_t)kind;
}

static uint8_t *varint_put(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

static const uint8_t *varint_get(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
	uint64_t sum = 0;

	for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
		uint8_t octet = *at++;

		sum |= (uint64_t)(octet & 0x7f) << shift;
		if (!(octet & 0x80)) {
			*value = sum;
			return at;
		}
	}
	return NULL;
}

bool ledger_chunk_pack(struct ledger_chunk *chunk, const struct ledger_row *row)
{
	uint64_t imei = row->key >> 7, version = row->key & 0x7f;
	bool other = chunk->rows == 0 || row->colour != chunk->colour || row->reason != chunk->reason;
	uint8_t *at = chunk->bytes + chunk->len;

	if (chunk->len + CHUNK_ROW_MAX > LEDGER_CHUNK_MAX)
		return false;
	at = varint_put(at, (imei - chunk->previous_imei) << 2 | (uint64_t)(version != 0) << 1 | other);
	if (version != 0)
		*at++ = (uint8_t)version;
	if (other) {
		*at++ = row->colour;
		*at++ = (uint8_t)row->reason;
		*at++ = (uint8_t)(row->reason >> 8);
	}
	if (chunk->rows++ == 0)
		chunk->first = row->key;
	chunk->last = row->key;
	chunk->previous_imei = imei;
	chunk->colour = row->colour;
	chunk->reason = row->reason;
	chunk->len = (uint32_t)(at - chunk->bytes);
	return true;
}

bool ledger_chunk_pack_item(struct ledger_chunk *chunk, uint64_t ordinal, const struct ledger_item *item)
{
	uint8_t *at = chunk->bytes + chunk->len;

	if (chunk->len + CHUNK_ITEM > LEDGER_CHUNK_MAX)
		return false;
	memcpy(at, &item->a, 8);
	memcpy(at + 8, &item->b, 8);
	memcpy(at + 16, &item->reason, 2);
	at[18] = item->what;
	at[19] = 0;
	if (chunk->rows++ == 0)
		chunk->first = ordinal;
	chunk->last = ordinal;
	chunk->len += CHUNK_ITEM;
	return true;
}

void ledger_chunk_seal(struct ledger_chunk *chunk)
{
	const struct chunk_head head = {.rows = chunk->rows,
					.first = chunk->first,
					.last = chunk->last,
					.len = chunk->len,
					.kind = chunk->kind};

	memcpy(chunk->bytes, &head, sizeof(head));
}

int ledger_chunk_append(struct ledger *ledger, uint64_t batch, void *bytes, size_t len)
{
	struct chunk_head head;
	uint8_t at[CHUNK_KEY];
	struct store_val key = ledger_val(at, sizeof(at));

	if (len < sizeof(head) || len > LEDGER_CHUNK_MAX)
		return -EINVAL;
	memcpy(&head, bytes, sizeof(head));
	chunk_key(batch, head.kind, head.first, at);
	head.crc = ledger_crc(key, bytes, len);
	memcpy(bytes, &head, sizeof(head));
	return store_append(&ledger->txn, ledger->table[LEDGER_T_CHUNK], key, ledger_val(bytes, len));
}

/* --- reading ---------------------------------------------------------------------------------- */

static int chunk_check(struct store_val key, struct store_val value, struct chunk_head *head)
{
	if (key.len != CHUNK_KEY || value.len < sizeof(*head) || value.len > LEDGER_CHUNK_MAX)
		return -EUCLEAN;
	memcpy(head, value.data, sizeof(*head));
	if (head->len != value.len || head->crc != ledger_crc(key, value.data, value.len))
		return -EUCLEAN;
	if (head->kind != ((const uint8_t *)key.data)[8] ||
	    head->first != ledger_from_be64((const uint8_t *)key.data + 9))
		return -EUCLEAN;
	return 0;
}

static bool key_is_of(struct store_val key, uint64_t batch, uint8_t kind)
{
	const uint8_t *at = key.data;

	return key.len == CHUNK_KEY && ledger_from_be64(at) == batch && at[8] == kind;
}

/* The chunk under the cursor becomes what is read. */
static void rows_load(struct ledger_rows *rows, struct store_val key, struct store_val value)
{
	struct chunk_head head;

	rows->left = 0;
	if (!key_is_of(key, rows->batch, rows->kind))
		return;
	rows->err = chunk_check(key, value, &head);
	if (rows->err < 0)
		return;
	rows->left = head.rows;
	rows->at = (const uint8_t *)value.data + sizeof(head);
	rows->end = (const uint8_t *)value.data + value.len;
	rows->imei = 0;
	rows->ordinal = head.first - 1;
}

static bool row_unpack(struct ledger_rows *rows)
{
	uint64_t word = 0, version = 0;
	const uint8_t *at = varint_get(rows->at, rows->end, &word);

	if (!at || (word & 2 && at == rows->end))
		return false;
	if (word & 2)
		version = *at++;
	if (word & 1) {
		if (rows->end - at < 3)
			return false;
		rows->row.colour = at[0];
		rows->row.reason = (uint16_t)(at[1] | at[2] << 8);
		at += 3;
	}
	rows->imei += word >> 2;
	rows->row.key = rows->imei << 7 | version;
	rows->at = at;
	return true;
}

static bool item_unpack(struct ledger_rows *rows)
{
	if (rows->end - rows->at < CHUNK_ITEM)
		return false;
	rows->item = (struct ledger_item){.what = rows->at[18]};
	memcpy(&rows->item.a, rows->at, 8);
	memcpy(&rows->item.b, rows->at + 8, 8);
	memcpy(&rows->item.reason, rows->at + 16, 2);
	rows->at += CHUNK_ITEM;
	rows->ordinal++;
	return true;
}

void ledger_rows_next(struct ledger_rows *rows)
{
	struct store_val key, value;
	int rc;

	rows->ok = false;
	if (rows->err < 0)
		return;
	if (rows->left == 0) {
		rc = store_cursor_move(&rows->cursor, STORE_NEXT, &key, &value);
		if (rc < 0) {
			rows->err = rc == -ENOENT ? 0 : rc;
			return;
		}
		rows_load(rows, key, value);
		if (rows->err < 0 || rows->left == 0)
			return;
	}
	rows->ok = rows->kind == LEDGER_CHUNK_DEVICES ? row_unpack(rows) : item_unpack(rows);
	rows->left--;
	if (!rows->ok)
		rows->err = -EUCLEAN;
}

/* The last chunk of the batch and kind that begins at or below the key, else the first one. */
static int rows_seek(struct ledger_rows *rows, uint64_t first)
{
	uint8_t at[CHUNK_KEY];
	struct store_val key = ledger_val(at, sizeof(at)), value;
	int rc;

	chunk_key(rows->batch, rows->kind, first, at);
	rc = store_cursor_move(&rows->cursor, STORE_AT_LEAST, &key, &value);
	if (rc == 0 && key_is_of(key, rows->batch, rows->kind) &&
	    ledger_from_be64((const uint8_t *)key.data + 9) == first) {
		rows_load(rows, key, value);
		return rows->err;
	}
	if (rc == 0)
		rc = store_cursor_move(&rows->cursor, STORE_PREV, &key, &value);
	else if (rc == -ENOENT)
		rc = store_cursor_move(&rows->cursor, STORE_LAST, &key, &value);
	if (rc == 0 && key_is_of(key, rows->batch, rows->kind)) {
		rows_load(rows, key, value);
		return rows->err;
	}
	if (rc < 0 && rc != -ENOENT)
		return rc;
	chunk_key(rows->batch, rows->kind, 0, at);
	key = ledger_val(at, sizeof(at));
	rc = store_cursor_move(&rows->cursor, STORE_AT_LEAST, &key, &value);
	if (rc == 0)
		rows_load(rows, key, value);
	return rc == -ENOENT ? 0 : rc < 0 ? rc : rows->err;
}

int ledger_rows_begin(struct ledger *ledger, struct store_txn *txn, uint64_t batch, enum ledger_chunks kind,
		      uint64_t key, struct ledger_rows *rows)
{
	*rows = (struct ledger_rows){.batch = batch, .kind = (uint8_t)kind};
	rows->err = store_cursor_open(txn, ledger->table[LEDGER_T_CHUNK], &rows->cursor);
	if (rows->err < 0)
		return rows->err;
	rows->open = true;
	rows->err = rows_seek(rows, key);
	if (rows->err < 0 || rows->left == 0)
		return rows->err;
	do
		ledger_rows_next(rows);
	while (rows->ok && (kind == LEDGER_CHUNK_DEVICES ? rows->row.key : rows->ordinal) < key);
	return rows->err;
}

void ledger_rows_end(struct ledger_rows *rows)
{
	if (rows->open)
		store_cursor_close(&rows->cursor);
	rows->open = rows->ok = false;
}

int ledger_chunk_next(struct ledger *ledger, struct store_txn *txn, uint64_t batch, struct ledger_chunk_place *place,
		      struct store_val *bytes)
{
	struct store_cursor cursor;
	struct chunk_head head;
	uint8_t at[CHUNK_KEY];
	struct store_val key = ledger_val(at, sizeof(at)), value;
	int rc = store_cursor_open(txn, ledger->table[LEDGER_T_CHUNK], &cursor);

	if (rc < 0)
		return rc;
	chunk_key(batch, place->kind, place->first + (place->started ? 1 : 0), at);
	rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value);
	store_cursor_close(&cursor);
	if (rc < 0)
		return rc;
	if (key.len != CHUNK_KEY || ledger_from_be64(key.data) != batch)
		return -ENOENT;
	place->started = true;
	place->kind = ((const uint8_t *)key.data)[8];
	place->first = ledger_from_be64((const uint8_t *)key.data + 9);
	*bytes = value;
	return chunk_check(key, value, &head);
}
