/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Events: their bytes, their chain, and the history that finds them by device.  An event is written once and never
 * again; it names everything it speaks of by itself (the source by name), so that another site can read it. */

#include "keeper/ledger_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define EVENT_VERSION 1

/* table "event", key u64 serial: head, actor, source, body, previous digest, digest over all that and nothing else. */
struct event_head_disk {
	uint8_t version, type;
	uint8_t actor_len, source_len;
	uint32_t epoch;
	uint64_t origin, serial;
	int64_t time_ms;
} __attribute__((packed));

struct event_row_disk {
	uint8_t kind, colour, rule;
	int8_t svn;
	uint16_t reason, spare;
	uint64_t from, to, imsi;
} __attribute__((packed));

struct event_batch_disk {
	uint64_t id, rows;
	uint8_t replace, remove, spare[6];
	uint8_t digest[LEDGER_DIGEST];
} __attribute__((packed));

_Static_assert(sizeof(struct event_head_disk) == 32 && sizeof(struct event_row_disk) == 32 &&
		       sizeof(struct event_batch_disk) == 56,
	       "doc/STORE.md");

#define EVENT_BODY_MAX 64
#define EVENT_MAX                                                                                                      \
	(sizeof(struct event_head_disk) + LEDGER_ACTOR_MAX + LEDGER_NAME_MAX + EVENT_BODY_MAX + 2 * LEDGER_DIGEST)

_Static_assert(sizeof(struct event_row_disk) <= EVENT_BODY_MAX && sizeof(struct event_batch_disk) <= EVENT_BODY_MAX,
	       "body");

static const char *const event_type_name[LEDGER_N_TYPES] = {
	[LEDGER_SOURCE] = "source",
	[LEDGER_PUT] = "put",
	[LEDGER_REMOVE] = "remove",
	[LEDGER_BATCH] = "batch",
};

const char *ledger_event_type_name(enum ledger_event_type type)
{
	return type >= LEDGER_SOURCE && type < LEDGER_N_TYPES ? event_type_name[type] : "?";
}

static size_t body_len(unsigned type)
{
	switch (type) {
	case LEDGER_PUT:
	case LEDGER_REMOVE:
		return sizeof(struct event_row_disk);
	case LEDGER_BATCH:
		return sizeof(struct event_batch_disk);
	default:
		return 0;
	}
}

static void body_encode(const struct weir_event *event, uint8_t *at)
{
	const struct list_row *row = &event->row;
	const struct event_row_disk row_disk = {
		.kind = (uint8_t)row->kind,
		.colour = (uint8_t)row->colour,
		.rule = (uint8_t)row->rule,
		.svn = row->svn,
		.reason = row->reason,
		.from = row->from,
		.to = row->to,
		.imsi = row->imsi.packed,
	};
	struct event_batch_disk batch_disk = {.id = event->batch.id,
					      .rows = event->batch.rows,
					      .replace = event->batch.replace,
					      .remove = event->batch.remove};

	memcpy(batch_disk.digest, event->batch.digest, LEDGER_DIGEST);
	if (event->type == LEDGER_BATCH)
		memcpy(at, &batch_disk, sizeof(batch_disk));
	else if (event->type != LEDGER_SOURCE)
		memcpy(at, &row_disk, sizeof(row_disk));
}

static void body_decode(const uint8_t *at, struct weir_event *event)
{
	struct event_row_disk row;
	struct event_batch_disk batch;

	if (event->type == LEDGER_BATCH) {
		memcpy(&batch, at, sizeof(batch));
		event->batch.id = batch.id;
		event->batch.rows = batch.rows;
		event->batch.replace = batch.replace;
		event->batch.remove = batch.remove;
		memcpy(event->batch.digest, batch.digest, LEDGER_DIGEST);
	} else if (event->type != LEDGER_SOURCE) {
		memcpy(&row, at, sizeof(row));
		event->row = (struct list_row){.kind = row.kind,
					       .from = row.from,
					       .to = row.to,
					       .svn = row.svn,
					       .imsi = {row.imsi},
					       .colour = row.colour,
					       .rule = row.rule,
					       .reason = row.reason};
	}
}

/* Writes all but the digest; returns how much. */
static size_t event_encode(const struct weir_event *event, uint8_t buf[static EVENT_MAX])
{
	struct event_head_disk head = {.version = EVENT_VERSION,
				       .type = (uint8_t)event->type,
				       .actor_len = (uint8_t)strnlen(event->actor, LEDGER_ACTOR_MAX - 1),
				       .source_len = (uint8_t)strnlen(event->source, LEDGER_NAME_MAX),
				       .epoch = event->epoch,
				       .origin = event->origin,
				       .serial = event->serial,
				       .time_ms = event->time_ms};
	uint8_t *at = buf;

	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	memcpy(at, event->actor, head.actor_len);
	at += head.actor_len;
	memcpy(at, event->source, head.source_len);
	at += head.source_len;
	body_encode(event, at);
	at += body_len(event->type);
	memcpy(at, event->previous, LEDGER_DIGEST);
	return (size_t)(at + LEDGER_DIGEST - buf);
}

static int event_decode(struct store_val value, struct weir_event *event)
{
	const uint8_t *at = value.data;
	struct event_head_disk head;
	uint8_t digest[LEDGER_DIGEST];

	if (value.len < sizeof(head) + 2 * LEDGER_DIGEST || value.len > EVENT_MAX)
		return -EUCLEAN;
	ledger_digest(at, value.len - LEDGER_DIGEST, digest);
	if (memcmp(at + value.len - LEDGER_DIGEST, digest, LEDGER_DIGEST))
		return -EUCLEAN;
	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	if (head.version != EVENT_VERSION || head.type < LEDGER_SOURCE || head.type >= LEDGER_N_TYPES ||
	    head.actor_len >= LEDGER_ACTOR_MAX || head.source_len > LEDGER_NAME_MAX ||
	    value.len != sizeof(head) + head.actor_len + head.source_len + body_len(head.type) + 2 * LEDGER_DIGEST)
		return -EUCLEAN;
	*event = (struct weir_event){.type = head.type,
				     .serial = head.serial,
				     .origin = head.origin,
				     .epoch = head.epoch,
				     .time_ms = head.time_ms};
	memcpy(event->actor, at, head.actor_len);
	at += head.actor_len;
	memcpy(event->source, at, head.source_len);
	at += head.source_len;
	body_decode(at, event);
	at += body_len(head.type);
	memcpy(event->previous, at, LEDGER_DIGEST);
	memcpy(event->digest, digest, LEDGER_DIGEST);
	return 0;
}

/* table "history", key imei BE8 | serial BE8, one octet: the kind.  The event itself says the rest. */
static int history_append(struct ledger *ledger, const struct weir_event *event)
{
	uint8_t key[16], kind = (uint8_t)event->row.kind;

	if (event->type != LEDGER_PUT && event->type != LEDGER_REMOVE)
		return 0;
	if (event->row.kind == LIST_RANGE)
		return 0;
	ledger_be64(key, event->row.from);
	ledger_be64(key + 8, event->serial);
	return store_put(&ledger->txn, ledger->table[LEDGER_T_HISTORY], ledger_val(key, sizeof(key)),
			 ledger_val(&kind, 1));
}

int ledger_append(struct ledger *ledger, struct weir_event *event)
{
	uint8_t buf[EVENT_MAX];
	uint64_t serial = ledger->meta.serial + 1;
	size_t len;
	int rc;

	if (!ledger->writing)
		return -EINVAL;
	event->serial = serial;
	event->origin = ledger->meta.origin;
	event->epoch = ledger->meta.epoch;
	memcpy(event->previous, ledger->meta.digest, LEDGER_DIGEST);
	len = event_encode(event, buf);
	ledger_digest(buf, len, event->digest);
	memcpy(buf + len, event->digest, LEDGER_DIGEST);
	rc = store_append(&ledger->txn, ledger->table[LEDGER_T_EVENT], ledger_val(&serial, sizeof(serial)),
			  ledger_val(buf, len + LEDGER_DIGEST));
	if (rc == 0)
		rc = history_append(ledger, event);
	if (rc < 0)
		return rc;
	ledger->meta.serial = serial;
	ledger->meta.time_ms = event->time_ms;
	memcpy(ledger->meta.digest, event->digest, LEDGER_DIGEST);
	return 0;
}

int ledger_event_get(struct ledger *ledger, struct store_txn *txn, uint64_t serial, struct weir_event *event)
{
	struct store_val value;
	int rc = store_get(txn, ledger->table[LEDGER_T_EVENT], ledger_val(&serial, sizeof(serial)), &value);

	if (rc == 0)
		rc = event_decode(value, event);
	if (rc == 0 && event->serial != serial)
		rc = -EUCLEAN;
	return rc;
}

int ledger_event_read(struct ledger *ledger, uint64_t serial, struct weir_event *event)
{
	struct store_txn txn;
	int rc = ledger_read_begin(ledger, &txn);

	if (rc < 0)
		return rc;
	rc = LEDGER_GUARDED(ledger, ledger_event_get(ledger, &txn, serial, event));
	store_read_end(&txn);
	return rc;
}

int ledger_history_get(struct ledger *ledger, struct store_txn *txn, uint64_t imei, uint64_t after, uint64_t *serials,
		       unsigned max)
{
	struct store_cursor cursor;
	struct store_val key, value;
	uint8_t from[16];
	unsigned n = 0;
	int rc = store_cursor_open(txn, ledger->table[LEDGER_T_HISTORY], &cursor);

	if (rc < 0)
		return rc;
	ledger_be64(from, imei);
	ledger_be64(from + 8, after + 1);
	key = ledger_val(from, sizeof(from));
	for (rc = store_cursor_move(&cursor, STORE_AT_LEAST, &key, &value); rc == 0 && n < max;
	     rc = store_cursor_move(&cursor, STORE_NEXT, &key, &value)) {
		const uint8_t *at = key.data;

		if (key.len != sizeof(from)) {
			rc = -EUCLEAN;
			break;
		}
		if (ledger_from_be64(at) != imei)
			break;
		serials[n++] = ledger_from_be64(at + 8);
	}
	store_cursor_close(&cursor);
	return rc < 0 && rc != -ENOENT ? rc : (int)n;
}
