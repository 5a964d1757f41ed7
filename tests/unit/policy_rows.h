/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* For the two tests of the policy. */
#pragma once

#include "core/policy.h"

#include "rows.h"

/* One action set in a draft by its place. */
struct setting {
	bool is_set;
	size_t at;
	enum weir_action action;
};
#define SET(field, to)                                                                                                 \
	{                                                                                                              \
		true, offsetof(struct weir_policy_draft, field), to                                                    \
	}

static inline void set_in_draft(struct weir_policy_draft *draft, const struct setting *setting)
{
	memcpy((char *)draft + setting->at, &setting->action, sizeof(setting->action));
}

static inline void assert_same_verdict(const struct weir_verdict *is, const struct weir_verdict *expected)
{
	assert_string_equal(step_name(is->step), step_name(expected->step));
	assert_string_equal(colour_name(is->colour), colour_name(expected->colour));
	assert_int_equal(is->answer, expected->answer);
	assert_string_equal(tally_name(is->tally), tally_name(expected->tally));
	assert_string_equal(reason_name(is->reason), reason_name(expected->reason));
	assert_true(is->serial == expected->serial);
}
