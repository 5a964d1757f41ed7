/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Looks again at who is attached when devices turned black.  Must never throw anybody off for another reason than what
 * the register says now, and never do more than a slice at a time. */
#include "gate/flips.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/policy.h"
#include "gate/check.h"
#include "gate/sightings.h"
#include "register/register.h"

#define SLICE    64 /* pairs decided together */
#define READ_MAX 64

struct flips {
	struct check *check;
	struct flips_calls calls;

	bool heard;      /* serial is known */
	uint64_t serial; /* of the last datagram */

	bool sweeping, again; /* again: something came while the sweep was under way */
	size_t place;

	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct flips_counters counters;
};

/* Pairs to be looked at together. */
struct slice {
	struct flips *flips;
	struct weir_query query[SLICE];
	struct flips_peer peer[SLICE];
	unsigned n;
	bool full, failed; /* some could not be cancelled for want of room; the store could say nothing at all */
};

/* --- looking again ---------------------------------------------------------------------------- */

static bool is_black_by_register(const struct weir_verdict *verdict)
{
	return verdict->tally == WEIR_TALLY_BLACK && verdict->step >= WEIR_STEP_PAIR;
}

static void throw_off(struct slice *slice, unsigned i)
{
	struct flips *flips = slice->flips;
	const struct weir_query *query = &slice->query[i];
	int rc = flips->calls.cancel(query->imsi, query->imei.key, &slice->peer[i], flips->calls.data);

	if (rc == -ENOBUFS) {
		flips->counters.cancel_full++;
		slice->full = true;
		return;
	}
	if (rc) {
		flips->counters.cancel_failed++;
		return;
	}
	flips->counters.cancelled++;
	if (flips->check->sightings)
		sightings_gone(flips->check->sightings, query->imei.key, query->imsi, slice->peer[i].id);
}

/* Decide a slice again and empty it. */
static void slice_judge(struct slice *slice)
{
	struct flips *flips = slice->flips;
	struct weir_verdict verdict[SLICE];
	unsigned undecided = 0;

	check_decide(flips->check, slice->query, verdict, slice->n);
	for (unsigned i = 0; i < slice->n; i++) {
		if (verdict[i].tally == WEIR_TALLY_FAILED)
			undecided++;
		else if (is_black_by_register(&verdict[i]))
			throw_off(slice, i);
	}
	flips->counters.looked += slice->n;
	flips->counters.undecided += undecided;
	if (slice->n && undecided == slice->n)
		slice->failed = true;
	slice->n = 0;
}

static void slice_add(struct slice *slice, const struct sightings_pair *pair, const struct flips_peer *peer)
{
	slice->query[slice->n] = (struct weir_query){
		.imei = {.key = pair->imei, .svn = pair->svn},
		.imsi = pair->imsi,
		.interface = peer->interface,
		.terms = peer->terms,
	};
	slice->peer[slice->n++] = *peer;
	if (slice->n == SLICE)
		slice_judge(slice);
}

/* One of our own table. */
static void add_attached(const struct sightings_pair *pair, void *data)
{
	struct slice *slice = data;
	const struct flips_calls *calls = &slice->flips->calls;
	struct flips_peer peer;

	if (calls->peer_by_id(pair->peer_id, &peer, calls->data))
		slice_add(slice, pair, &peer);
}

/* One whom the keeper remembers: where we know better, or he is among our own, he is left out. */
static void add_remembered(struct slice *slice, const struct weir_flip *flip)
{
	const struct flips_calls *calls = &slice->flips->calls;
	struct sightings *sightings = slice->flips->check->sightings;
	struct sightings_pair pair = {.imei = flip->imei, .imsi = flip->imsi, .svn = flip->svn};
	struct flips_peer peer;

	if (!flip->imsi.packed)
		return;
	pair.peer_id = calls->peer_named(flip->peer, (enum weir_interface)flip->interface, calls->data);
	if (!pair.peer_id)
		return;
	if (sightings && sightings_state(sightings, pair.imei, pair.imsi, pair.peer_id) != SIGHTINGS_NEVER_SEEN)
		return;
	if (sightings)
		sightings_remember(sightings, &pair);
	if (calls->peer_by_id(pair.peer_id, &peer, calls->data))
		slice_add(slice, &pair, &peer);
}

static void look_at_hints(struct flips *flips, const struct weir_flips *message)
{
	struct slice slice = {.flips = flips};

	for (unsigned i = 0; i < message->n; i++) {
		if (flips->check->sightings)
			sightings_attached(flips->check->sightings, message->flip[i].imei, add_attached, &slice);
		add_remembered(&slice, &message->flip[i]);
	}
	slice_judge(&slice);
	if (slice.full || slice.failed)
		flips_want_sweep(flips);
}

/* --- serials ---------------------------------------------------------------------------------- */

/* Is the register that we have open older than what the keeper spoke of? */
static bool is_behind(const struct flips *flips)
{
	struct register_meta meta;

	return !flips->check->reg || register_meta(flips->check->reg, &meta) || meta.serial < flips->serial;
}

/* Something between the last datagram and this one is missing; or the serials went back, to another ledger or because
 * the keeper wants everybody looked at. */
static bool is_gap(const struct flips *flips, const struct weir_flips *message)
{
	return !flips->heard || message->after_serial != flips->serial;
}

void flips_handle(struct flips *flips, const struct weir_flips *message)
{
	bool gap = is_gap(flips, message);

	flips->counters.hints += message->n;
	flips->counters.gaps += gap;
	flips->heard = true;
	flips->serial = message->serial;
	if (gap || (message->n && is_behind(flips)))
		flips_want_sweep(flips);
	look_at_hints(flips, message);
}

/* --- the sweep -------------------------------------------------------------------------------- */

void flips_want_sweep(struct flips *flips)
{
	if (flips->sweeping && flips->place) {
		flips->again = true;
		return;
	}
	flips->sweeping = true;
}

static int sweep_end(struct flips *flips)
{
	flips->counters.sweeps++;
	flips->place = 0;
	flips->sweeping = flips->again;
	flips->again = false;
	return flips->sweeping;
}

int flips_sweep_step(struct flips *flips)
{
	struct slice slice = {.flips = flips};
	size_t from = flips->place;
	bool more;

	if (!flips->sweeping)
		return 0;
	if (!flips->check->sightings)
		return sweep_end(flips);
	if (is_behind(flips))
		return -EAGAIN;
	more = sightings_walk(flips->check->sightings, &flips->place, SLICE, add_attached, &slice);
	slice_judge(&slice);
	if (slice.full || slice.failed) {
		flips->place = from;
		return -EAGAIN;
	}
	return more ? 1 : sweep_end(flips);
}

bool flips_sweeping(const struct flips *flips)
{
	return flips->sweeping;
}

/* --- the socket ------------------------------------------------------------------------------- */

/* Remove what a gate that is no more left behind. */
static int remove_stale(int fd, const struct sockaddr_un *address, struct weir_why *why)
{
	struct stat st;

	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : why_set(why, -errno, "%s: %s", address->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, -EEXIST, "%s is in the way: it is not a socket", address->sun_path);
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return why_set(why, -EADDRINUSE, "%s is in use: another weir-gate works in this directory",
			       address->sun_path);
	if (errno != ECONNREFUSED)
		return why_set(why, -errno, "%s is in the way: %s", address->sun_path, strerror(errno));
	if (unlink(address->sun_path) && errno != ENOENT)
		return why_set(why, -errno, "%s cannot be removed: %s", address->sun_path, strerror(errno));
	return 0;
}

/* The mode is that of the open socket when it is bound, less the umask; so it is never wider than in the end. */
static int bind_socket(int fd, const struct sockaddr_un *address, struct weir_why *why)
{
	if (fchmod(fd, 0660) || bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    chmod(address->sun_path, 0660))
		return why_set(why, -errno, "%s: %s", address->sun_path, strerror(errno));
	return 0;
}

static int open_socket(const struct sockaddr_un *address, struct weir_why *why)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return why_set(why, -errno, "no socket for the keeper's orders: %s", strerror(errno));
	rc = remove_stale(fd, address, why);
	if (!rc)
		rc = bind_socket(fd, address, why);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

int flips_open(struct flips *flips, const char *state_dir, struct weir_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", state_dir, FLIP_SOCKET);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return why_set(why, -ENAMETOOLONG, "%s/%s is longer than the name of a socket may be", state_dir,
			       FLIP_SOCKET);
	fd = open_socket(&address, why);
	if (fd < 0)
		return fd;
	flips->fd = fd;
	memcpy(flips->path, address.sun_path, sizeof(flips->path));
	return 0;
}

int flips_fd(const struct flips *flips)
{
	return flips->fd;
}

unsigned flips_read(struct flips *flips)
{
	uint8_t buf[FLIP_DATAGRAM + 1]; /* one more, so that a longer one shows */
	struct weir_flips message;
	unsigned n;

	for (n = 0; n < READ_MAX; n++) {
		ssize_t len = recv(flips->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (len < 0)
			break;
		flips->counters.datagrams++;
		if (!flips_decode(buf, (size_t)len, &message)) {
			flips_handle(flips, &message);
			continue;
		}
		flips->counters.malformed++;
		flips_want_sweep(flips); /* what it said is missed */
	}
	return n;
}

/* --- life ------------------------------------------------------------------------------------- */

struct flips *flips_alloc(struct check *check, const struct flips_calls *calls)
{
	struct flips *flips = calloc(1, sizeof(*flips));

	if (!flips)
		return NULL;
	flips->check = check;
	flips->calls = *calls;
	flips->fd = -1;
	return flips;
}

void flips_free(struct flips *flips)
{
	if (!flips)
		return;
	if (flips->fd >= 0) {
		close(flips->fd);
		unlink(flips->path);
	}
	free(flips);
}

const struct flips_counters *flips_counters(const struct flips *flips)
{
	return &flips->counters;
}
