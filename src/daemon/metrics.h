/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Names of metrics; the pages themselves are in daemon.h. */
#pragma once

#include <stdbool.h>

#define METRICS_MAX_NAME 160

/* "weir_GROUP_ITEM", lower case, "_" for all else; counters, and only they, end in _total. */
void metrics_name(char name[static METRICS_MAX_NAME], const char *group, const char *item, bool counter);
