/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A VTY whose output goes to memory, for what commands say and nodes write. */
#pragma once

struct vty;

/* In the node CONFIG_NODE, of type VTY_FILE.  What was printed is in the file vty->fd once vty_flush was called;
 * vty_close ends both.  NULL: no memory. */
struct vty *memory_vty_alloc(void);
