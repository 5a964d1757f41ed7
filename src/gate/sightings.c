/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The table of who was seen in which device, and the way of the reports to the keeper.  Called for every check: must
 * never wait, allocate after the start, or call the system outside sightings_flush. */
#include "gate/sightings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/sighting.h"

#define BUCKET	       4    /* entries of one hash value: two cache lines */
#define WALK_LOOKS_MAX 4096 /* entries looked at in one slice, however few are attached */
#define HUGE_PAGE      ((size_t)2 << 20)

enum {
	IN_USE = 1,
	IS_ATTACHED = 2,
	IS_REPORTED = 4, /* at reported_s */
};

struct entry {
	uint64_t imei;
	struct weir_imsi imsi;
	uint32_t seen_s, reported_s;
	uint16_t peer_id;
	int8_t svn;
	uint8_t tally;
	uint8_t flags;
	uint8_t spare[3];
};

/* The last device of a subscriber at a peer. */
struct last {
	uint64_t who; /* a hash of both: two that share it are one in 2^64 */
	uint64_t imei;
};

_Static_assert(sizeof(struct entry) == 32, "two entries are a cache line");
_Static_assert(SIGHTINGS_BUFFER % SIGHTING_BATCH == 0, "the buffer is made of whole datagrams");

struct sightings {
	uint64_t seed;
	struct entry *entries;
	struct last *lasts;
	size_t n_entries; /* of both */

	struct weir_sighting *waiting; /* a ring of SIGHTINGS_BUFFER */
	unsigned first, n_waiting;
	uint32_t away_s; /* when the keeper was last found away */

	int fd;
	struct sockaddr_un keeper;
	struct sightings_counters counters;
};

/* --- the table -------------------------------------------------------------------------------- */

/* The finaliser of splitmix64: every bit of the number moves every bit of the hash. */
static uint64_t mix(uint64_t n)
{
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static struct entry *bucket_of(const struct sightings *s, uint64_t imei)
{
	return &s->entries[mix(imei + s->seed) & (s->n_entries - 1) & ~(size_t)(BUCKET - 1)];
}

/* Never 0, which is nobody. */
static uint64_t who_is(const struct sightings *s, struct weir_imsi imsi, uint16_t peer_id)
{
	return mix(mix(imsi.packed + s->seed) + peer_id) | 1;
}

static struct last *last_of(const struct sightings *s, uint64_t who)
{
	return &s->lasts[who >> 1 & (s->n_entries - 1)];
}

static struct entry *find(const struct sightings *s, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id)
{
	struct entry *bucket = bucket_of(s, imei);

	for (unsigned i = 0; i < BUCKET; i++)
		if ((bucket[i].flags & IN_USE) && bucket[i].imei == imei && bucket[i].imsi.packed == imsi.packed &&
		    bucket[i].peer_id == peer_id)
			return &bucket[i];
	return NULL;
}

/* A free entry of the bucket, or the one seen longest ago. */
static struct entry *make_room(struct sightings *s, uint64_t imei)
{
	struct entry *bucket = bucket_of(s, imei), *oldest = bucket;

	for (unsigned i = 0; i < BUCKET; i++) {
		if (!(bucket[i].flags & IN_USE))
			return &bucket[i];
		if ((int32_t)(bucket[i].seen_s - oldest->seen_s) < 0)
			oldest = &bucket[i];
	}
	s->counters.evicted++;
	return oldest;
}

static struct entry *find_or_make(struct sightings *s, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id)
{
	struct entry *entry = find(s, imei, imsi, peer_id);

	if (entry)
		return entry;
	entry = make_room(s, imei);
	*entry = (struct entry){.imei = imei, .imsi = imsi, .peer_id = peer_id, .svn = WEIR_NO_SVN, .flags = IN_USE};
	return entry;
}

static bool moved_on(const struct sightings *s, const struct entry *entry)
{
	uint64_t who = who_is(s, entry->imsi, entry->peer_id);
	const struct last *last = last_of(s, who);

	return last->who == who && last->imei != entry->imei;
}

static bool is_attached(const struct sightings *s, const struct entry *entry)
{
	const unsigned flags = IN_USE | IS_ATTACHED;

	return (entry->flags & flags) == flags && !moved_on(s, entry);
}

static void tell(const struct entry *entry, sightings_pair_fn *fn, void *data)
{
	const struct sightings_pair pair = {
		.imei = entry->imei,
		.imsi = entry->imsi,
		.peer_id = entry->peer_id,
		.svn = entry->svn,
		.seen_s = entry->seen_s,
	};

	fn(&pair, data);
}

unsigned sightings_attached(struct sightings *s, uint64_t imei, sightings_pair_fn *fn, void *data)
{
	struct entry *bucket = bucket_of(s, imei);
	unsigned n = 0;

	for (unsigned i = 0; i < BUCKET; i++) {
		if (bucket[i].imei != imei || !is_attached(s, &bucket[i]))
			continue;
		tell(&bucket[i], fn, data);
		n++;
	}
	return n;
}

bool sightings_walk(struct sightings *s, size_t *place, unsigned max, sightings_pair_fn *fn, void *data)
{
	for (unsigned looks = 0; looks < WALK_LOOKS_MAX && max && *place < s->n_entries; looks++) {
		const struct entry *entry = &s->entries[(*place)++];
		if (!is_attached(s, entry))
			continue;
		tell(entry, fn, data);
		max--;
	}
	return *place < s->n_entries;
}

enum sightings_state sightings_state(const struct sightings *s, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id)
{
	const struct entry unseen = {.imei = imei, .imsi = imsi, .peer_id = peer_id};
	const struct entry *entry = find(s, imei, imsi, peer_id);

	if (entry)
		return is_attached(s, entry) ? SIGHTINGS_ATTACHED : SIGHTINGS_AWAY;
	return moved_on(s, &unseen) ? SIGHTINGS_AWAY : SIGHTINGS_NEVER_SEEN;
}

/* An entry of the bucket that is free, or of somebody who is not attached. */
static struct entry *spare_room(struct sightings *s, uint64_t imei)
{
	struct entry *bucket = bucket_of(s, imei);

	for (unsigned i = 0; i < BUCKET; i++) {
		if (is_attached(s, &bucket[i]))
			continue;
		s->counters.evicted += (bucket[i].flags & IN_USE) != 0;
		return &bucket[i];
	}
	return NULL;
}

bool sightings_remember(struct sightings *s, const struct sightings_pair *pair)
{
	enum sightings_state state = sightings_state(s, pair->imei, pair->imsi, pair->peer_id);
	struct entry *entry;

	if (state != SIGHTINGS_NEVER_SEEN)
		return state == SIGHTINGS_ATTACHED;
	entry = pair->imsi.packed && pair->peer_id ? spare_room(s, pair->imei) : NULL;
	if (!entry)
		return false;
	*entry = (struct entry){
		.imei = pair->imei,
		.imsi = pair->imsi,
		.seen_s = pair->seen_s,
		.peer_id = pair->peer_id,
		.svn = pair->svn,
		.flags = IN_USE | IS_ATTACHED,
	};
	return true;
}

void sightings_gone(struct sightings *s, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id)
{
	struct entry *entry = find(s, imei, imsi, peer_id);

	if (entry)
		entry->flags &= (uint8_t)~IS_ATTACHED;
}

/* --- noting ----------------------------------------------------------------------------------- */

void sightings_prefetch(const struct sightings *s, uint64_t imei, struct weir_imsi imsi, uint16_t peer_id)
{
	const struct entry *bucket = bucket_of(s, imei);

	__builtin_prefetch(&bucket[0], 1);
	__builtin_prefetch(&bucket[BUCKET / 2], 1);
	__builtin_prefetch(last_of(s, who_is(s, imsi, peer_id)), 1);
}

static bool put_into_buffer(struct sightings *s, const struct entry *entry, enum weir_interface interface,
			    const char *peer)
{
	struct weir_sighting *sighting;

	if (s->n_waiting == SIGHTINGS_BUFFER)
		return false;
	sighting = &s->waiting[(s->first + s->n_waiting++) % SIGHTINGS_BUFFER];
	*sighting = (struct weir_sighting){
		.imei = entry->imei,
		.imsi = entry->imsi,
		.time_s = entry->seen_s,
		.svn = entry->svn,
		.interface = (uint8_t)interface,
		.tally = entry->tally,
	};
	memcpy(sighting->peer, peer, strnlen(peer, SIGHTING_PEER_MAX));
	return true;
}

static void report(struct sightings *s, struct entry *entry, enum weir_interface interface, const char *peer)
{
	if (put_into_buffer(s, entry, interface, peer)) {
		entry->flags |= IS_REPORTED;
		entry->reported_s = entry->seen_s;
		return;
	}
	entry->flags &= (uint8_t)~IS_REPORTED;
	s->counters.dropped++;
}

/* Write down what was seen; true where the keeper should know. */
static bool update(struct entry *entry, const struct weir_query *query, const struct weir_verdict *verdict,
		   uint32_t now_s)
{
	bool lets_through = verdict->answer == WEIR_ANSWER_COLOUR && verdict->colour != WEIR_BLACK;
	bool is_news = !(entry->flags & IS_REPORTED) || entry->tally != verdict->tally ||
		       now_s - entry->reported_s >= SIGHTINGS_AGAIN_S;

	/* Some send the version at times only: one that is not sent is not a change. */
	if (query->imei.svn != WEIR_NO_SVN && query->imei.svn != entry->svn) {
		entry->svn = query->imei.svn;
		is_news = true;
	}
	entry->tally = (uint8_t)verdict->tally;
	entry->seen_s = now_s;
	if (lets_through && entry->imsi.packed && entry->peer_id)
		entry->flags |= IS_ATTACHED;
	else
		entry->flags &= (uint8_t)~IS_ATTACHED;
	return is_news;
}

void sightings_note(struct sightings *s, enum weir_interface interface, const struct check_peer *peer,
		    const struct weir_query *query, const struct weir_verdict *verdict, uint32_t now_s)
{
	struct entry *entry = find_or_make(s, query->imei.key, query->imsi, peer->id);
	uint64_t who = who_is(s, query->imsi, peer->id);

	if (query->imsi.packed)
		*last_of(s, who) = (struct last){who, query->imei.key};
	if (update(entry, query, verdict, now_s))
		report(s, entry, interface, peer->name);
	else
		s->counters.suppressed++;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* Is a datagram full, or did its first report wait for a second? */
static bool is_due(const struct sightings *s, uint32_t now_s)
{
	return s->n_waiting >= SIGHTING_BATCH || (s->n_waiting && s->waiting[s->first].time_s != now_s);
}

/* 0, or why not; the keeper may be away (-ENOENT, -ECONNREFUSED) or slow (-EAGAIN). */
static int send_some(struct sightings *s, unsigned n)
{
	uint8_t buf[SIGHTING_DATAGRAM];
	size_t len = sighting_encode(&s->waiting[s->first], n, buf);

	if (sendto(s->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&s->keeper,
		   sizeof(s->keeper)) >= 0)
		return 0;
	return -errno;
}

static void send_failed(struct sightings *s, int err, uint32_t now_s)
{
	if (err == -EAGAIN || err == -ENOBUFS || err == -EINTR) {
		s->counters.keeper_full++;
		return;
	}
	s->counters.keeper_away++;
	s->away_s = now_s;
}

static unsigned at_most(unsigned n, unsigned most)
{
	return n < most ? n : most;
}

unsigned sightings_flush(struct sightings *s, uint32_t now_s)
{
	unsigned sent = 0;

	if (s->away_s == now_s)
		return 0;
	while (is_due(s, now_s)) {
		/* up to the ring's end; the rest goes next */
		unsigned n = at_most(at_most(s->n_waiting, SIGHTING_BATCH), SIGHTINGS_BUFFER - s->first);
		int err = send_some(s, n);
		if (err) {
			send_failed(s, err, now_s);
			break;
		}
		s->first = (s->first + n) % SIGHTINGS_BUFFER;
		s->n_waiting -= n;
		s->counters.datagrams++;
		s->counters.reported += n;
		sent += n;
	}
	return sent;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Zeroed and touched now, so that no check pays for a page; in huge pages where the kernel has them. */
static void *table_alloc(size_t size)
{
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 128;
	void *table;

	size = (size + align - 1) / align * align;
	table = aligned_alloc(align, size);
	if (!table)
		return NULL;
	madvise(table, size, MADV_HUGEPAGE);
	memset(table, 0, size);
	return table;
}

static int set_keeper(struct sockaddr_un *keeper, const char *state_dir, struct weir_why *why)
{
	int n = snprintf(keeper->sun_path, sizeof(keeper->sun_path), "%s/%s", state_dir, SIGHTING_SOCKET);

	keeper->sun_family = AF_UNIX;
	if (n < 0 || (size_t)n >= sizeof(keeper->sun_path))
		return why_set(why, -ENAMETOOLONG, "%s/%s is longer than the name of a socket may be", state_dir,
			       SIGHTING_SOCKET);
	return 0;
}

static int sightings_init(struct sightings *s, const char *state_dir, unsigned entries, uint64_t seed,
			  struct weir_why *why)
{
	s->fd = -1;
	if (entries < BUCKET || entries > SIGHTINGS_MAX_ENTRIES || (entries & (entries - 1)))
		return why_set(why, -EINVAL, "%u entries for sightings; a power of two from %u to %u is needed",
			       entries, BUCKET, SIGHTINGS_MAX_ENTRIES);
	if (set_keeper(&s->keeper, state_dir, why))
		return -ENAMETOOLONG;
	s->seed = seed;
	s->n_entries = entries;
	s->entries = table_alloc(entries * sizeof(*s->entries));
	s->lasts = table_alloc(entries * sizeof(*s->lasts));
	s->waiting = calloc(SIGHTINGS_BUFFER, sizeof(*s->waiting));
	if (!s->entries || !s->lasts || !s->waiting)
		return why_set(why, -ENOMEM, "out of memory for %u entries of sightings", entries);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return why_set(why, -errno, "no socket for sightings: %s", strerror(errno));
	return 0;
}

struct sightings *sightings_alloc(const char *state_dir, unsigned entries, uint64_t seed, struct weir_why *why)
{
	struct sightings *s = calloc(1, sizeof(*s));

	if (!s) {
		why_set(why, -ENOMEM, "out of memory for sightings");
		return NULL;
	}
	if (!sightings_init(s, state_dir, entries, seed, why))
		return s;
	sightings_free(s);
	return NULL;
}

void sightings_free(struct sightings *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->entries);
	free(s->lasts);
	free(s->waiting);
	free(s);
}

const struct sightings_counters *sightings_counters(const struct sightings *s)
{
	return &s->counters;
}

unsigned sightings_waiting(const struct sightings *s)
{
	return s->n_waiting;
}
