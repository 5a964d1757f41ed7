/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Datagrams to the gate.  Never blocks, keeps no queue of its own: the gate can always look at everybody, and the store
 * of sightings can always be walked. */
#include "keeper/seen_orders.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/timer.h>
#include <osmocom/core/utils.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "keeper/main.h"
#include "keeper/seen.h"
#include "wire/sighting.h"

#define WALK_PIECES 16 /* of the store in one slice */
#define WALK_PAUSE_US 5000

/* Which gate is there: its socket is made when it starts. */
struct gate_mark {
	ino_t inode;
	struct timespec made;
};

struct orders {
	struct sockaddr_un address;
	int fd;
	struct seen *seen;
	orders_ask_fn *ask;
	void *ask_data;
	struct osmo_timer_list second, walk;
	struct gate_mark gate; /* the last that was told; zeros: none */
	uint64_t serial;       /* the last that we know of */
	uint64_t told;         /* the serial of the last whole message that went out */
	bool owed;             /* something did not go out */
	bool walking, again;   /* again: wanted while one is under way */
	struct seen_place place;
	struct orders_stats stats;
};

/* 0 sent, -ENOENT no gate, -EAGAIN the gate does not read. */
static int send_one(struct orders *orders, const struct weir_flips *flips)
{
	uint8_t datagram[FLIP_DATAGRAM];
	size_t len = flips_encode(flips, datagram);

	if (sendto(orders->fd, datagram, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&orders->address,
		   sizeof(orders->address)) == (ssize_t)len) {
		orders->stats.datagrams++;
		return 0;
	}
	return errno == ENOENT || errno == ECONNREFUSED ? -ENOENT : -EAGAIN;
}

/* Make the gate look at everybody: (serial, serial] is a gap for every gate that is not there yet, and (serial - 1,
 * serial] for those that are. */
static int send_sweep(struct orders *orders, uint64_t serial)
{
	const struct weir_flips behind = {.after_serial = serial, .serial = serial};
	const struct weir_flips there = {.after_serial = serial - 1, .serial = serial};
	int rc = send_one(orders, &behind);

	if (rc == 0 && serial && (orders->told == serial || !orders->told))
		rc = send_one(orders, &there);
	return rc;
}

static uint32_t recently(void)
{
	return (uint32_t)(daemon_now_ms() / 1000 - ORDERS_RECENT_S);
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

static void want_walk(struct orders *orders)
{
	if (!orders->seen || !orders->ask)
		return;
	orders->again = orders->walking;
	if (orders->walking)
		return;
	orders->walking = true;
	memset(&orders->place, 0, sizeof(orders->place));
	osmo_timer_schedule(&orders->walk, 0, 0);
}

static bool may_be_black(const struct weir_facts *facts)
{
	const uint8_t lists = facts->svn.lists | facts->device.lists | facts->range.lists;

	return !facts->failed && ((lists & WEIR_ON(WEIR_BLACK)) || facts->pair == WEIR_PAIR_DENY ||
				  facts->sim == WEIR_SIM_ELSEWHERE);
}

static void flip_of(struct weir_flip *flip, uint64_t imei, const struct seen_by *by)
{
	*flip = (struct weir_flip){.imei = imei, .imsi = by->imsi, .svn = by->svn, .interface = by->interface};
	memcpy(flip->peer, by->peer, sizeof(flip->peer));
}

/* Ask for these and name who may be black.  A damaged record is the register's own matter: the others go on. */
static int name_black(struct orders *orders, const struct seen_pair *pairs, unsigned n)
{
	struct weir_query query[SEEN_WALK_MAX] = {0};
	struct weir_facts facts[SEEN_WALK_MAX] = {0};
	struct weir_flips flips = {.after_serial = orders->told, .serial = orders->told};
	int rc;

	for (unsigned i = 0; i < n; i++)
		query[i] = (struct weir_query){.imei = {pairs[i].imei, pairs[i].by.svn},
					       .imsi = pairs[i].by.imsi,
					       .interface = (enum weir_interface)pairs[i].by.interface};
	rc = n ? orders->ask(query, facts, n, orders->ask_data) : 0;
	if (rc < 0 && rc != -EUCLEAN)
		return rc;
	for (unsigned i = 0; i < n; i++) {
		if (may_be_black(&facts[i]))
			flip_of(&flips.flip[flips.n++], pairs[i].imei, &pairs[i].by);
	}
	rc = flips.n ? send_one(orders, &flips) : 0;
	orders->stats.named += rc == 0 ? flips.n : 0;
	return rc;
}

/* 1 more, 0 done, <0 not now: the place stands before what was not said. */
static int walk_slice(struct orders *orders)
{
	struct seen_pair pairs[SEEN_WALK_MAX];
	struct seen_place before;
	unsigned n, pieces = 0;
	int more, rc = 0;

	do {
		before = orders->place;
		more = seen_walk(orders->seen, &orders->place, recently(), pairs, &n);
		if (more >= 0)
			rc = name_black(orders, pairs, n);
		if (rc < 0)
			orders->place = before;
	} while (rc == 0 && more == 1 && ++pieces < WALK_PIECES);
	return rc < 0 ? rc : more;
}

static void walk_cb(void *data)
{
	struct orders *orders = data;
	int rc = walk_slice(orders);

	if (rc == 1) {
		osmo_timer_schedule(&orders->walk, 0, WALK_PAUSE_US);
	} else if (rc == -ENOENT) { /* the gate is gone: the next one is told from the start */
		orders->walking = false;
		orders->owed = true;
	} else if (rc < 0) {
		osmo_timer_schedule(&orders->walk, 1, 0);
	} else {
		orders->stats.walks++;
		orders->walking = false;
		if (orders->again)
			want_walk(orders);
	}
}

/* --- each second ------------------------------------------------------------------------------------------------ */

/* Is the gate that listens another one than the last?  What that one knew of who is attached is gone. */
static bool is_another_gate(struct orders *orders, struct gate_mark *mark)
{
	struct stat st;

	memset(mark, 0, sizeof(*mark));
	if (lstat(orders->address.sun_path, &st) < 0)
		return false;
	mark->inode = st.st_ino;
	mark->made = st.st_ctim;
	return mark->inode != orders->gate.inode || mark->made.tv_sec != orders->gate.made.tv_sec ||
	       mark->made.tv_nsec != orders->gate.made.tv_nsec;
}

static void second_cb(void *data)
{
	struct orders *orders = data;
	struct gate_mark mark;
	bool another = is_another_gate(orders, &mark);

	osmo_timer_schedule(&orders->second, 1, 0);
	if ((!orders->owed && !another) || !mark.inode || send_sweep(orders, orders->serial) < 0)
		return;
	orders->gate = mark;
	orders->told = orders->serial;
	orders->owed = false;
	want_walk(orders);
}

/* --- what turned black ------------------------------------------------------------------------------------------ */

/* Datagrams of one change, filled one after another. */
struct message {
	struct orders *orders;
	struct weir_flips flips;
	int rc;
};

static struct weir_flip *message_next(struct message *message)
{
	struct weir_flips *flips = &message->flips;

	if (flips->n == FLIP_BATCH) { /* there is more: the serial does not move yet */
		if (message->rc == 0)
			message->rc = send_one(message->orders, flips);
		flips->n = 0;
	}
	return &flips->flip[flips->n++];
}

/* The one seen last, and the others who were seen lately. */
static void add_device(struct message *message, uint64_t imei, uint32_t since_s)
{
	struct seen_by by[ORDERS_SEEN_MAX] = {{.svn = WEIR_NO_SVN}};
	struct seen *seen = message->orders->seen;
	unsigned n = seen ? seen_in(seen, imei, by, ORDERS_SEEN_MAX) : 0;

	flip_of(message_next(message), imei, &by[0]);
	for (unsigned i = 1; i < n && by[i].last_s >= since_s; i++)
		flip_of(message_next(message), imei, &by[i]);
}

static int send_all(struct orders *orders, uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n)
{
	struct message message = {.orders = orders};
	uint32_t since_s = recently();

	/* several calls for one change: what the gate was told already is not told as a gap */
	after_serial = OSMO_MAX(after_serial, OSMO_MIN(orders->told, serial));
	message.flips.after_serial = message.flips.serial = after_serial;
	for (unsigned i = 0; i < n && message.rc == 0; i++)
		add_device(&message, imeis[i], since_s);
	message.flips.serial = serial;
	return message.rc < 0 ? message.rc : send_one(orders, &message.flips);
}

static void not_told(struct orders *orders, int err)
{
	if (err == -ENOENT) {
		orders->stats.absent++;
	} else {
		orders->stats.lost++;
		LOGP(DSEEN, LOGL_NOTICE, "the gate does not read its orders: it will look at everybody\n");
	}
	orders->owed = true;
}

void orders_flips(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data)
{
	struct orders *orders = data;
	bool is_sweep = after_serial > serial; /* LISTS_SWEEP */
	int rc;

	if (!orders || orders->fd < 0)
		return;
	orders->stats.flips += n;
	orders->serial = serial;
	if (is_sweep)
		rc = send_sweep(orders, serial);
	else
		rc = send_all(orders, after_serial, serial, imeis, n);
	if (rc < 0) {
		not_told(orders, rc);
		return;
	}
	orders->told = serial;
	if (is_sweep)
		want_walk(orders);
}

void orders_set_register(struct orders *orders, orders_ask_fn *ask, void *data)
{
	orders->ask = ask;
	orders->ask_data = data;
}

struct orders *orders_alloc(const char *state_dir, struct seen *seen)
{
	struct orders *orders = calloc(1, sizeof(*orders));
	int len;

	if (!orders)
		return NULL;
	orders->seen = seen;
	orders->address.sun_family = AF_UNIX;
	len = snprintf(orders->address.sun_path, sizeof(orders->address.sun_path), "%s/%s", state_dir, FLIP_SOCKET);
	orders->fd = -1;
	if (len < (int)sizeof(orders->address.sun_path))
		orders->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	osmo_timer_setup(&orders->walk, walk_cb, orders);
	osmo_timer_setup(&orders->second, second_cb, orders);
	if (orders->fd >= 0)
		osmo_timer_schedule(&orders->second, 1, 0);
	return orders;
}

void orders_free(struct orders *orders)
{
	if (!orders)
		return;
	osmo_timer_del(&orders->second);
	osmo_timer_del(&orders->walk);
	if (orders->fd >= 0)
		close(orders->fd);
	free(orders);
}

const struct orders_stats *orders_stats(const struct orders *orders)
{
	return &orders->stats;
}
