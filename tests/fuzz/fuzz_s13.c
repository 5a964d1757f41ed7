/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/diameter, wire/diameter_base and wire/s13: the input is what a peer sent, any number of messages.  Every field
 * must lie inside its message, every answer must fit in the room that was promised for it, must be a message that can
 * be read again, and must carry every Proxy-Info of its request. */

#include "fuzz.h"
#include "wire/diameter_base.h"
#include "wire/s13.h"

#include <string.h>

static const struct diameter_us us = {"eir.weir.example", "weir.example", 1};
static const struct diameter_address home = {1, {127, 0, 0, 1}};

static void check_field(const struct diameter_view *view, const struct diameter_field *field)
{
	if (!field->at) {
		MUST(!field->len && !field->count);
		return;
	}
	MUST(field->count >= 1);
	MUST(field->at >= DIAMETER_HEADER && field->at + 8u <= field->value);
	MUST(field->value + (uint32_t)field->len <= view->message.len);
}

static void check_fault(const struct diameter_view *view, enum diameter_result result)
{
	MUST(view->fault.result == result);
	MUST(view->fault.at < view->message.len && view->fault.group < view->message.len);
	MUST(result == DIAMETER_OK || view->fault.at || view->fault.missing);
}

static unsigned count(const struct diameter_message *m, enum diameter_avp avp)
{
	struct diameter_walk walk = diameter_walk_message(m);
	struct diameter_found found;
	unsigned n = 0;

	while (diameter_walk_next(&walk, avp, &found))
		n++;
	return n;
}

static void check_answer(const struct diameter_message *request, const uint8_t *buf, int len, size_t room)
{
	struct diameter_message answer;
	struct diameter_walk walk;
	struct diameter_found found;
	bool experimental;

	MUST(len >= DIAMETER_HEADER && (size_t)len <= room);
	if (len > DIAMETER_MAX)
		return;
	MUST(diameter_next(buf, (size_t)len, &answer) == DIAMETER_WHOLE && answer.len == (uint32_t)len);
	MUST(!(answer.flags & (DIAMETER_REQUEST | DIAMETER_RESENT)));
	MUST(answer.hop_by_hop == request->hop_by_hop && answer.end_to_end == request->end_to_end);
	MUST((answer.flags & DIAMETER_PROXIABLE) == (request->flags & DIAMETER_PROXIABLE));
	MUST(diameter_answer_result(&answer, &experimental) != 0);
	walk = diameter_walk_message(&answer);
	while (diameter_walk_next(&walk, AVP_NONE, &found))
		continue;
	MUST(walk.at == walk.end); /* every AVP of ours can be read */
}

static void try_ecr(const struct diameter_message *m)
{
	struct diameter_fault busy = {.result = DIAMETER_TOO_BUSY};
	static uint8_t buf[1 << 16];
	struct s13_tail tail;
	struct s13_ecr ecr;
	struct s13_eca eca;
	size_t room;

	check_fault(&ecr.view, s13_read_ecr(m, &ecr));
	for (const struct diameter_field *f = &ecr.session_id; f <= &ecr.drmp; f++)
		check_field(&ecr.view, f);
	check_fault(&eca.view, s13_read_eca(m, &eca));
	for (const struct diameter_field *f = &eca.session_id; f <= &eca.vendor_application; f++)
		check_field(&eca.view, f);
	s13_prepare_tail(&tail, &us);
	s13_passed(&ecr, us.origin_host);
	if (ecr.view.fault.result != DIAMETER_OK) {
		room = diameter_answer_room(m);
		check_answer(m, buf, s13_refuse(m, &us, &ecr.view.fault, buf, room), room);
		return;
	}
	MUST(ecr.reading.imei.key < WEIR_IMEI_END);
	MUST(ecr.imei_fault == WEIR_IMEI_OK || ecr.reading.imei.key == 0);
	room = s13_answer_room(&ecr, &tail);
	check_answer(m, buf, s13_answer(&ecr, &tail, S13_BLACK, buf, room), room);
	MUST(diameter_next(buf, room, &eca.view.message) != DIAMETER_WHOLE ||
	     count(&eca.view.message, AVP_PROXY_INFO) == count(m, AVP_PROXY_INFO));
	check_answer(m, buf, s13_answer_unknown(&ecr, &tail, buf, room), room);
	check_answer(m, buf, s13_refuse(m, &us, &busy, buf, room), room);
	s13_blame_imei(&ecr, DIAMETER_INVALID_AVP_VALUE);
	check_answer(m, buf, s13_refuse(m, &us, &ecr.view.fault, buf, room), room);
}

static void try_base(const struct diameter_message *m)
{
	const struct diameter_capabilities capabilities = {
		.us = us,
		.application = {DIAMETER_3GPP, S13_APPLICATION},
		.product = "Weir",
		.address = &home,
		.n_addresses = 1,
	};
	size_t room = m->len * 2u + DIAMETER_BASE_ROOM;
	static uint8_t buf[1 << 16];
	struct diameter_fault fault = {.result = DIAMETER_SUCCESS};
	struct diameter_cer cer;
	struct diameter_dwr dwr;
	struct diameter_dpr dpr;

	check_fault(&cer.view, diameter_read_cer(m, &cer));
	for (const struct diameter_field *f = &cer.origin_host; f <= &cer.vendor_application; f++)
		check_field(&cer.view, f);
	diameter_cer_offers(&cer, &capabilities.application);
	diameter_cer_without_security(&cer);
	check_answer(m, buf,
		     diameter_cea(m, &capabilities, cer.view.fault.result ? &cer.view.fault : &fault, buf, room), room);
	check_fault(&dwr.view, diameter_read_dwr(m, &dwr));
	check_answer(m, buf, diameter_dwa(m, &us, dwr.view.fault.result ? &dwr.view.fault : &fault, buf, room), room);
	check_fault(&dpr.view, diameter_read_dpr(m, &dpr));
	check_answer(m, buf, diameter_dpa(m, &us, dpr.view.fault.result ? &dpr.view.fault : &fault, buf, room), room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diameter_message m;

	while (diameter_next(data, size, &m) == DIAMETER_WHOLE) {
		MUST(m.len >= DIAMETER_HEADER && m.len <= size && m.len <= DIAMETER_MAX);
		try_ecr(&m);
		try_base(&m);
		data += m.len;
		size -= m.len;
	}
	return 0;
}
