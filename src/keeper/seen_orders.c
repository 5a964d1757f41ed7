/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Datagrams to the gate.  Never blocks, keeps no queue of its own: the gate can always look at everybody. */
#include "keeper/seen_orders.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/timer.h>
#include <osmocom/core/utils.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/main.h"
#include "keeper/seen.h"

struct orders {
	struct sockaddr_un address;
	int fd;
	struct seen *seen;
	struct osmo_timer_list retry;
	uint64_t told; /* the serial of the last whole message that went out */
	uint64_t owed; /* the serial of one that did not; 0: none */
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
	if (errno == ENOENT || errno == ECONNREFUSED) {
		orders->stats.absent++;
		return -ENOENT;
	}
	orders->stats.lost++;
	return -EAGAIN;
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

static void retry_cb(void *data)
{
	struct orders *orders = data;

	if (send_sweep(orders, orders->owed) == -EAGAIN) {
		osmo_timer_schedule(&orders->retry, 1, 0);
		return;
	}
	orders->told = orders->owed;
	orders->owed = 0;
}

static void fill(struct orders *orders, struct weir_flips *flips, const uint64_t *imeis, unsigned n)
{
	struct seen_by by[FLIP_BATCH] = {0};

	if (orders->seen)
		seen_last_in(orders->seen, imeis, n, by);
	flips->n = n;
	for (unsigned i = 0; i < n; i++) {
		flips->flip[i] = (struct weir_flip){.imei = imeis[i], .imsi = by[i].imsi};
		memcpy(flips->flip[i].peer, by[i].peer, sizeof(by[i].peer));
	}
}

static int send_all(struct orders *orders, uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n)
{
	struct weir_flips flips;
	unsigned some;
	int rc;

	/* several calls for one change: what the gate was told already is not told as a gap */
	after_serial = OSMO_MAX(after_serial, OSMO_MIN(orders->told, serial));
	do {
		some = OSMO_MIN(n, (unsigned)FLIP_BATCH);
		memset(&flips, 0, sizeof(flips));
		flips.after_serial = after_serial;
		flips.serial = some == n ? serial : after_serial;
		fill(orders, &flips, imeis, some);
		rc = send_one(orders, &flips);
		imeis += some;
		n -= some;
	} while (rc == 0 && n);
	return rc;
}

void orders_flips(uint64_t after_serial, uint64_t serial, const uint64_t *imeis, unsigned n, void *data)
{
	struct orders *orders = data;
	int rc;

	if (!orders || orders->fd < 0)
		return;
	orders->stats.flips += n;
	if (after_serial > serial) /* LISTS_SWEEP */
		rc = send_sweep(orders, serial);
	else
		rc = send_all(orders, after_serial, serial, imeis, n);
	if (rc == -EAGAIN) {
		LOGP(DSEEN, LOGL_NOTICE, "the gate does not read its orders: it will look at everybody\n");
		orders->owed = serial;
		osmo_timer_schedule(&orders->retry, 1, 0);
	} else {
		orders->told = serial;
		orders->owed = 0;
		osmo_timer_del(&orders->retry);
	}
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
	osmo_timer_setup(&orders->retry, retry_cb, orders);
	return orders;
}

void orders_free(struct orders *orders)
{
	if (!orders)
		return;
	osmo_timer_del(&orders->retry);
	if (orders->fd >= 0)
		close(orders->fd);
	free(orders);
}

const struct orders_stats *orders_stats(const struct orders *orders)
{
	return &orders->stats;
}
