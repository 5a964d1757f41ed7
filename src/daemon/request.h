/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The head of an HTTP/1 request (RFC 9112 clause 2 to 5), as far as a page for machines needs it: a method, a path and
 * lines that look like fields.  Pure: bytes in, status out. */
#pragma once

#include <stddef.h>

#define REQUEST_MAX      4096 /* octets of the whole head */
#define REQUEST_MAX_PATH 64

#define REQUEST_MORE 0 /* the head is not complete yet */

/* Read what has arrived.  REQUEST_MORE; 200 and the path without its query in path; or the status to refuse with: 400
 * not HTTP, 405 another method than GET, 414 a long target, 431 a long head, 505 another version.  Wrong beginnings are
 * refused at once and not when the head is complete. */
int request_read(const char *bytes, size_t len, char path[static REQUEST_MAX_PATH]);
