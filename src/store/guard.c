/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Which stores this process has open, and what happens when reading one of them faults.
 *
 * A disk that lost a sector, or a file cut short under us, shows as SIGBUS in the middle of a look-up; a damaged page
 * can also lead LMDB to a wild address (SIGSEGV) or into one of its assertions.  Inside a guard these end the guarded
 * call and the store is broken; outside of one they are nobody's business here, and whoever handled them before us
 * does.
 *
 * The table below is the one static of this room: a signal handler is handed no argument, and "open once in a process"
 * is a promise about the process. */
#include "store/inside.h"

#include <errno.h>
#include <string.h>

#define MAX_OPEN 16

static struct {
	pthread_mutex_t lock; /* for the writers of the table; the handler only reads */
	struct store *store[MAX_OPEN];
	struct store *left_behind; /* after a fault; never freed */
	struct sigaction before_bus, before_segv;
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct store *guarded_here(void)
{
	for (unsigned i = 0; i < MAX_OPEN; i++) {
		struct store *store = __atomic_load_n(&process.store[i], __ATOMIC_ACQUIRE);

		if (store && store->guarded && pthread_equal(store->guard_thread, pthread_self()))
			return store;
	}
	return NULL;
}

static void leave_guard(struct store *store)
{
	store->guarded = 0;
	store->broken = store->faulted = true;
	siglongjmp(store->guard_jump, 1);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	struct store *store = guarded_here();

	(void)context;
	if (store)
		leave_guard(store);
	/* Not ours: as if we had never been here.  The faulting instruction runs again under the handler before ours;
	 * a signal that somebody sent must be sent again. */
	sigaction(signal, signal == SIGBUS ? &process.before_bus : &process.before_segv, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

/* At each opening, in case somebody took the signal over since. */
static void install(int signal, struct sigaction *before)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK}, now;

	sigemptyset(&action.sa_mask);
	if (sigaction(signal, NULL, &now) < 0 || (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault))
		return;
	*before = now;
	sigaction(signal, &action, NULL);
}

void store_on_assert(MDB_env *env, const char *message)
{
	struct store *store = mdb_env_get_userctx(env);

	(void)message;
	if (store && store->guarded && pthread_equal(store->guard_thread, pthread_self()))
		leave_guard(store);
	/* returning lets LMDB print its message and abort: outside of a guard that is still right */
}

sigjmp_buf *store_guard_enter(struct store *store)
{
	store->guard_thread = pthread_self();
	store->guarded = 1;
	return &store->guard_jump;
}

void store_unguard(struct store *store)
{
	store->guarded = 0;
}

bool store_is_open(dev_t dev, ino_t ino)
{
	bool found = false;

	pthread_mutex_lock(&process.lock);
	for (unsigned i = 0; i < MAX_OPEN && !found; i++)
		found = process.store[i] && process.store[i]->dev == dev && process.store[i]->ino == ino;
	pthread_mutex_unlock(&process.lock);
	return found;
}

int store_register(struct store *store)
{
	int err = -EMFILE;

	pthread_mutex_lock(&process.lock);
	install(SIGBUS, &process.before_bus);
	install(SIGSEGV, &process.before_segv);
	for (unsigned i = 0; i < MAX_OPEN && err; i++) {
		if (process.store[i])
			continue;
		__atomic_store_n(&process.store[i], store, __ATOMIC_RELEASE);
		err = 0;
	}
	pthread_mutex_unlock(&process.lock);
	return err;
}

void store_unregister(struct store *store)
{
	pthread_mutex_lock(&process.lock);
	for (unsigned i = 0; i < MAX_OPEN; i++) {
		if (process.store[i] == store)
			__atomic_store_n(&process.store[i], NULL, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&process.lock);
}

void store_keep(struct store *store)
{
	pthread_mutex_lock(&process.lock);
	store->next = process.left_behind;
	process.left_behind = store;
	pthread_mutex_unlock(&process.lock);
}
