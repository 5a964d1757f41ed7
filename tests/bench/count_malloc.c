/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Preloaded into a server, counts how often it allocates: in the first eight octets of the file COUNT_MALLOC_FILE,
 * which must be there and have them.  Freeing is not counted: what is never allocated is never freed. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What glibc calls its own; used rather than dlsym, which allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic uint64_t nobody_looks, *counter = &nobody_looks;

static void __attribute__((constructor)) map_counter(void)
{
	const char *path = getenv("COUNT_MALLOC_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		counter = at;
	if (fd >= 0)
		close(fd);
}

void *malloc(size_t size)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	return __libc_realloc(old, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : 12; /* ENOMEM */
}

void *aligned_alloc(size_t alignment, size_t size)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
	return __libc_memalign(alignment, size);
}
