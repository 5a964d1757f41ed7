/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Diameter for tests: messages made and looked at by hand, not by the code under test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HAND_MAX 70000

struct hand {
	uint8_t octets[HAND_MAX];
	size_t len;
	size_t open[4]; /* groups that are not closed yet */
	unsigned depth;
};

#define G3 10415 /* vendor 3GPP */

enum hand_flag {
	HAND_V = 0x80,
	HAND_M = 0x40
};

/* A ring of 32: a test holds a few at a time. */
struct hand *hand(uint8_t flags, uint32_t command, uint32_t application);
/* An AVP with padding; vendor is written where the flags say so.  The length of the message follows. */
void hand_put(struct hand *hand, uint32_t code, uint8_t flags, uint32_t vendor, const void *value, size_t len);
void hand_text(struct hand *hand, uint32_t code, const char *text);               /* M */
void hand_unsigned(struct hand *hand, uint32_t code, uint32_t value);             /* M */
void hand_text_3gpp(struct hand *hand, uint32_t code, const char *text);          /* V and M */
void hand_open(struct hand *hand, uint32_t code, uint8_t flags, uint32_t vendor); /* a group begins */
void hand_close(struct hand *hand);
void hand_octets(struct hand *hand, const void *octets, size_t len); /* as they are */
void hand_set_length(struct hand *hand, uint32_t len);               /* of the message, whatever it is */
void hand_set_ids(struct hand *hand, uint32_t hop_by_hop, uint32_t end_to_end);

uint32_t hand_u32(const uint8_t *octets);
uint32_t hand_u24(const uint8_t *octets);

/* The n-th AVP of this kind at the top of a message, from its header on; NULL: there are not so many. */
const uint8_t *hand_find(const uint8_t *message, size_t len, uint32_t code, uint32_t vendor, unsigned n);
/* Its value. */
const uint8_t *hand_value(const uint8_t *avp, size_t *len);
/* The number of the first one of this code; fails the test where there is none. */
uint32_t hand_number(const uint8_t *message, size_t len, uint32_t code, uint32_t vendor);
