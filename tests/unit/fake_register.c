/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A register for tests: see fake_register.h. */
#include "fake_register.h"

#include <errno.h>
#include <stdlib.h>

void fake_list(struct weir_register *reg, uint64_t imei, uint8_t lists)
{
	unsigned i = 0;

	while (i < reg->n && reg->device[i].imei != imei)
		i++;
	if (i == FAKE_DEVICES)
		abort();
	reg->device[i].imei = imei;
	reg->device[i].lists = lists;
	if (i == reg->n)
		reg->n++;
}

static struct weir_facts facts_of(const struct weir_register *reg, uint64_t imei)
{
	struct weir_facts facts = {.serial = reg->serial,
				   .failed = reg->error || reg->lookup_error || (reg->bad && reg->bad == imei)};

	for (unsigned i = 0; i < reg->n && !facts.failed; i++)
		if (reg->device[i].imei == imei)
			facts.device.lists = reg->device[i].lists;
	return facts;
}

int register_lookup(struct weir_register *reg, const struct weir_query *queries, struct weir_facts *facts, unsigned n)
{
	int rc = !reg ? -ENODEV : reg->error ? reg->error : reg->lookup_error;

	for (unsigned i = 0; i < n; i++) {
		facts[i] = reg ? facts_of(reg, queries[i].imei.key) : (struct weir_facts){.failed = true};
		if (facts[i].failed && !rc)
			rc = -EUCLEAN;
	}
	if (reg) {
		reg->calls++;
		reg->asked += n;
		if (n)
			reg->last = queries[n - 1];
	}
	return rc;
}

int register_meta(struct weir_register *reg, struct register_meta *meta)
{
	if (!reg || reg->error)
		return -EIO;
	*meta = (struct register_meta){.serial = reg->serial};
	return 0;
}
