/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Points in time as text.  Time itself always comes in as an argument: milliseconds since 1970-01-01T00:00:00Z. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WEIR_WHEN_TEXT 28

/* "2026-11-24T02:18:00.123Z" */
const char *when_print(char buf[static WEIR_WHEN_TEXT], int64_t ms);
/* RFC 3339 with Z or an offset, or a bare date (midnight UTC).  0 or -EINVAL. */
int when_from_text(const char *text, size_t len, int64_t *ms);
