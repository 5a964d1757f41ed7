/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The only way an identity reaches a log, a metric or an alarm.
 *
 * Kept is what an operator needs to place a line (TAC; MCC and MNC; the last digits of nothing), hidden is what
 * names a person's phone.  Answers to an authorised question (the API, `explain` on the VTY) print in clear and
 * do not come through here.  tests/lint/identities.sh fails where a log line prints an identity by other means. */
#pragma once

#include "core/digits.h"
#include "core/imei.h"

#define WEIR_MASK_TEXT 20

/* "35209900******" ; "00101**********" ; "49*********" ; "none" where there is none. */
const char *mask_imei(char buf[static WEIR_MASK_TEXT], uint64_t key);
const char *mask_imsi(char buf[static WEIR_MASK_TEXT], struct weir_imsi imsi);
const char *mask_msisdn(char buf[static WEIR_MASK_TEXT], struct weir_msisdn msisdn);
