/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/s13: golden vectors both ways, cut and flipped messages, the forms of an IMEI, and what an answer takes over. */

#include "wire/s13.h"

#include "diameter_hand.h"
#include "diameter_vectors.h"
#include "rows.h"
#include "vectors.h"

#include <errno.h>
#include <stdlib.h>

/* --- encoding ------------------------------------------------------------------------------------------------- */

static const struct diameter_us eir = {"eir.weir.example", "weir.example", 1700000000};

static struct s13_tail *tail_of(const struct diameter_us *us)
{
	static struct s13_tail tail;

	s13_prepare_tail(&tail, us);
	return &tail;
}

static const struct question_row {
	const char *vector, *imei, *software_version, *user_name, *destination_host;
} question_rows[] = {
	{"ecr_14", "00100100123456", NULL, "001010000000001", NULL},
	{"ecr_14_svn", "00100100123456", "12", "001010000000001", NULL},
	{"ecr_15", "001001001234563", NULL, "001010000000001", NULL},
	{"ecr_16", "0010010012345612", NULL, "001010000000001", NULL},
	{"ecr_16_svn", "0010010012345612", "12", "001010000000001", NULL},
	{"ecr_no_user", "00100100123456", NULL, NULL, "eir.weir.example"},
	{"ecr_13", "0010010012345", NULL, "001010000000001", NULL},
	{"ecr_letter", "0010010012345x", NULL, "001010000000001", NULL},
	{"ecr_17", "00100100123456312", NULL, "001010000000001", NULL},
	{"ecr_empty", "", NULL, "001010000000001", NULL},
};

static int encode_question(const char *name, uint8_t *buf, size_t size)
{
	for (size_t i = 0; i < N_ROWS(question_rows); i++) {
		const struct question_row *row = &question_rows[i];
		struct s13_question q = {
			.session_id = "mme1.epc.mnc001.mcc001.3gppnetwork.org;1695000000;7;app_s13",
			.origin_host = "mme1.epc.mnc001.mcc001.3gppnetwork.org",
			.origin_realm = "epc.mnc001.mcc001.3gppnetwork.org",
			.destination_realm = "weir.example",
			.imei = row->imei,
			.destination_host = row->destination_host,
			.software_version = row->software_version,
			.user_name = row->user_name,
			.hop_by_hop = 0x11223344,
			.end_to_end = 0x05566778,
		};
		if (!strcmp(row->vector, name))
			return s13_ecr(&q, buf, size);
	}
	fail_msg("%s: no row says how it is encoded", name);
	return -1;
}

/* "answers REQUEST": the fault that reading it finds; "answers REQUEST NNNN": that result; else the status. */
static int encode_answer(const char *request, const char *how, uint8_t *buf, size_t size)
{
	static const char *const statuses[] = {"white", "black", "grey"};
	struct diameter_message m;
	struct s13_ecr ecr;
	struct vector v;
	int len = 0;

	vector_init(&v, "s13", request);
	assert_int_equal(diameter_next(v.bytes, v.len, &m), DIAMETER_WHOLE);
	s13_read_ecr(&m, &ecr);
	if (!*how || *how <= '9') {
		if (*how)
			diameter_blame(&ecr.view, (enum diameter_result)atoi(how), NULL, NULL);
		if (ecr.view.fault.result == DIAMETER_INVALID_AVP_VALUE && *how)
			s13_blame_imei(&ecr, DIAMETER_INVALID_AVP_VALUE);
		len = s13_refuse(&m, &eir, &ecr.view.fault, buf, size);
	} else if (!strcmp(how, "unknown")) {
		len = s13_answer_unknown(&ecr, tail_of(&eir), buf, size);
	}
	for (unsigned i = 0; i < N_ROWS(statuses); i++) {
		if (!strcmp(how, statuses[i]))
			len = s13_answer(&ecr, tail_of(&eir), (enum s13_status)i, buf, size);
	}
	vector_fini(&v);
	assert_int_not_equal(len, 0);
	return len;
}

/* Octets, or 0 where the text says that nobody writes it. */
static int encode_vector(const struct vector *v, uint8_t *buf, size_t size)
{
	char encode[128], request[64], how[16] = "";

	vector_field(v, "encode", encode, sizeof(encode));
	if (!strncmp(encode, "no: ", 4))
		return 0;
	if (!strcmp(encode, "yes"))
		return encode_question(v->name, buf, size);
	assert_in_range(sscanf(encode, "answers %63s %15s", request, how), 1, 2);
	return encode_answer(request, how, buf, size);
}

/* --- cut and flipped ------------------------------------------------------------------------------------------ */

static void check_ecr(const struct s13_ecr *ecr)
{
	if (ecr->view.fault.result != DIAMETER_OK)
		return;
	assert_true(ecr->session_id.at && ecr->origin_host.at && ecr->origin_realm.at && ecr->imei.at);
	if (ecr->imei_fault == WEIR_IMEI_OK) {
		assert_true(ecr->reading.imei.key < WEIR_IMEI_END);
		assert_in_range(ecr->reading.digits, 14, 16);
		assert_in_range(ecr->reading.imei.svn + 1, 0, 100);
	}
}

static void answer_fits(int len, size_t room)
{
	assert_true(len > 0);
	assert_in_range(len, DIAMETER_HEADER, room);
}

/* Every answer that can be decided fits in the room that was promised for it, and is a message. */
static void try_whole(const struct diameter_message *m)
{
	struct s13_tail *tail = tail_of(&eir);
	struct diameter_message answer;
	struct diameter_fault busy = {.result = DIAMETER_TOO_BUSY};
	struct s13_ecr ecr;
	struct s13_eca eca;
	size_t room;
	uint8_t *buf;

	s13_read_ecr(m, &ecr);
	s13_read_eca(m, &eca);
	check_ecr(&ecr);
	if (ecr.view.fault.result != DIAMETER_OK) {
		room = diameter_answer_room(m);
		buf = malloc(room);
		answer_fits(s13_refuse(m, &eir, &ecr.view.fault, buf, room), room);
		assert_int_equal(diameter_next(buf, room, &answer), DIAMETER_WHOLE);
		free(buf);
		return;
	}
	room = s13_answer_room(&ecr, tail);
	buf = malloc(room);
	answer_fits(s13_answer(&ecr, tail, S13_GREY, buf, room), room);
	assert_int_equal(diameter_next(buf, room, &answer), DIAMETER_WHOLE);
	assert_int_equal(s13_read_eca(&answer, &eca), DIAMETER_OK);
	answer_fits(s13_answer_unknown(&ecr, tail, buf, room), room);
	answer_fits(s13_refuse(m, &eir, &busy, buf, room), room);
	s13_blame_imei(&ecr, DIAMETER_INVALID_AVP_VALUE);
	answer_fits(s13_refuse(m, &eir, &ecr.view.fault, buf, room), room);
	free(buf);
}

static const struct diameter_room room = {"s13", encode_vector, 30, try_whole};

/* --- requests by hand ----------------------------------------------------------------------------------------- */

static void begin(struct hand *h)
{
	hand_text(h, 263, "mme.example;1;2");
	hand_unsigned(h, 277, 1);
	hand_text(h, 264, "mme.example");
	hand_text(h, 296, "example");
	hand_text(h, 283, "weir.example");
}

static void terminal(struct hand *h, const char *imei, const char *version)
{
	hand_open(h, 1401, HAND_V | HAND_M, G3);
	hand_text_3gpp(h, 1402, imei);
	if (version)
		hand_text_3gpp(h, 1403, version);
	hand_close(h);
}

static struct hand *ecr_hand(void)
{
	return hand(0xc0, S13_COMMAND, S13_APPLICATION);
}

/* One that lacks nothing. */
static struct hand *good_hand(void)
{
	struct hand *h = ecr_hand();

	begin(h);
	terminal(h, "00100100123456", NULL);
	return h;
}

static enum diameter_result read_hand(const struct hand *h, struct s13_ecr *ecr)
{
	struct diameter_message m;

	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	return s13_read_ecr(&m, ecr);
}

static const struct imei_row {
	const char *name, *imei, *version;
	enum weir_imei_fault fault;
	uint64_t key;
	int svn;
	enum diameter_result result;
} imei_rows[] = {
	{"imei: 14 digits", "00100100123456", NULL, WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: 15 digits, a right one", "001001001234563", NULL, WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: 15 digits, a spare", "001001001234560", NULL, WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: 16 digits", "0010010012345601", NULL, WEIR_IMEI_OK, 100100123456, 1, DIAMETER_OK},
	{"imei: 14 digits and a version", "00100100123456", "99", WEIR_IMEI_OK, 100100123456, 99, DIAMETER_OK},
	{"imei: 15 digits and a version", "001001001234563", "00", WEIR_IMEI_OK, 100100123456, 0, DIAMETER_OK},
	{"imei: 16 digits and the same version", "0010010012345601", "01", WEIR_IMEI_OK, 100100123456, 1, DIAMETER_OK},
	{"imei: 16 digits and another version", "0010010012345601", "02", WEIR_IMEI_OK, 100100123456, 1,
	 DIAMETER_INVALID_AVP_VALUE},
	{"imei: a version of one digit", "00100100123456", "1", WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN,
	 DIAMETER_INVALID_AVP_VALUE},
	{"imei: a version of no digit", "00100100123456", "", WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN,
	 DIAMETER_INVALID_AVP_VALUE},
	{"imei: a version of letters", "00100100123456", "1a", WEIR_IMEI_OK, 100100123456, WEIR_NO_SVN,
	 DIAMETER_INVALID_AVP_VALUE},
	{"imei: 13 digits", "0010010012345", NULL, WEIR_IMEI_SHORT, 0, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: 13 digits and a version", "0010010012345", "01", WEIR_IMEI_SHORT, 0, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: 17 digits, which text elsewhere may have", "00100100123456301", NULL, WEIR_IMEI_LONG, 0, WEIR_NO_SVN,
	 DIAMETER_OK},
	{"imei: separators, which text elsewhere may have", "001001-00-123456", NULL, WEIR_IMEI_LETTER, 0, WEIR_NO_SVN,
	 DIAMETER_OK},
	{"imei: a letter", "0010010012345f", NULL, WEIR_IMEI_LETTER, 0, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: nothing", "", NULL, WEIR_IMEI_EMPTY, 0, WEIR_NO_SVN, DIAMETER_OK},
	{"imei: other digits than ours", "\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0", NULL,
	 WEIR_IMEI_LETTER, 0, WEIR_NO_SVN, DIAMETER_OK},
};

static void imei(void **state)
{
	const struct imei_row *row = *state;
	struct hand *h = ecr_hand();
	struct s13_ecr ecr;

	begin(h);
	terminal(h, row->imei, row->version);
	assert_int_equal(read_hand(h, &ecr), row->result);
	assert_int_equal(ecr.imei_fault, row->fault);
	assert_int_equal(ecr.reading.imei.key, row->key);
	assert_int_equal(ecr.reading.imei.svn, row->svn);
	assert_int_equal(ecr.imsi.packed, 0);
}

static const struct user_row {
	const char *name, *user;
	bool taken;
} user_rows[] = {
	{"user: 15 digits", "001010000000001", true},
	{"user: 14 digits", "00101000000001", true},
	{"user: 5 digits", "00101", true},
	{"user: 4 digits", "0010", false},
	{"user: 16 digits", "0010100000000011", false},
	{"user: a letter", "00101000000000a", false},
	{"user: nothing", "", false},
	{"user: a network access identifier", "001010000000001@example", false},
};

static void user(void **state)
{
	const struct user_row *row = *state;
	struct hand *h = good_hand();
	struct s13_ecr ecr;

	hand_text(h, 1, row->user);
	assert_int_equal(read_hand(h, &ecr), row->taken ? DIAMETER_OK : DIAMETER_INVALID_AVP_VALUE);
	assert_int_equal(ecr.imsi.packed != 0, row->taken);
}

static void order_does_not_count(void **state)
{
	struct hand *h = ecr_hand();
	struct s13_ecr ecr;

	(void)state;
	terminal(h, "00100100123456", "12");
	hand_text(h, 1, "001010000000001");
	begin(h);
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_int_equal(ecr.reading.imei.key, 100100123456);
	assert_int_equal(ecr.session_id.len, 15);
}

static void application_must_agree(void **state)
{
	struct hand *h = good_hand();
	struct s13_ecr ecr;

	(void)state;
	hand_unsigned(h, 258, S13_APPLICATION);
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	h = good_hand();
	hand_unsigned(h, 258, S13_APPLICATION - 1);
	assert_int_equal(read_hand(h, &ecr), DIAMETER_INVALID_AVP_VALUE);
	h = ecr_hand();
	begin(h);
	hand_open(h, 260, HAND_M, 0);
	hand_unsigned(h, 266, 9);
	hand_unsigned(h, 258, S13_APPLICATION);
	hand_close(h);
	terminal(h, "00100100123456", NULL);
	assert_int_equal(read_hand(h, &ecr), DIAMETER_INVALID_AVP_VALUE);
}

static void routes_are_found(void **state)
{
	struct hand *h = good_hand();
	struct s13_ecr ecr;

	(void)state;
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_false(s13_passed(&ecr, "eir.weir.example"));
	hand_text(h, 282, "dra1.example");
	hand_text(h, 282, "eir.weir.exampl");
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_false(s13_passed(&ecr, "eir.weir.example"));
	hand_text(h, 282, "EIR.weir.example");
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_true(s13_passed(&ecr, "eir.weir.example"));
	assert_int_equal(ecr.route_record.count, 3);
	assert_false(s13_passed(&ecr, "eir2.weir.example"));
	hand_text(h, 282, "eir2.weir.example.");
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_true(s13_passed(&ecr, "eir2.weir.example"));
}

static void priority(void **state)
{
	struct hand *h = good_hand();
	struct s13_ecr ecr;

	(void)state;
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_int_equal(ecr.priority, S13_PRIORITY_NONE);
	hand_put(h, 301, 0, 0, "\0\0\0\x0f", 4);
	assert_int_equal(read_hand(h, &ecr), DIAMETER_OK);
	assert_int_equal(ecr.priority, 15);
	h->octets[h->len - 1] = 16;
	assert_int_equal(read_hand(h, &ecr), DIAMETER_INVALID_AVP_VALUE);
}

/* The greatest names there can be still fit in the tail, and Session-Id and Proxy-Info of any size in the answer. */
static void great_answers_fit(void **state)
{
	struct hand *h = ecr_hand();
	char name[256], session[3000];
	uint8_t *proxy = calloc(1, 9000);
	struct diameter_us us = {name, name, 1};
	struct diameter_message m;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[255] = '\0';
	memset(session, 's', sizeof(session) - 1);
	session[sizeof(session) - 1] = '\0';
	assert_in_range(tail_of(&us)->known_len, 500, sizeof(tail_of(&us)->known) - 1);
	assert_in_range(tail_of(&us)->unknown_len, 500, sizeof(tail_of(&us)->unknown) - 1);
	hand_text(h, 263, session);
	hand_unsigned(h, 277, 1);
	hand_text(h, 264, name);
	hand_text(h, 296, "example");
	hand_text(h, 283, "weir.example");
	terminal(h, "001001001234567890123456789012345678901234567890123456789012345678901234567890", NULL);
	hand_put(h, 284, HAND_M, 0, proxy, 9000);
	assert_int_equal(diameter_next(h->octets, h->len, &m), DIAMETER_WHOLE);
	try_whole(&m);
	free(proxy);
}

int main(void)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(order_does_not_count), cmocka_unit_test(application_must_agree),
		cmocka_unit_test(routes_are_found),     cmocka_unit_test(priority),
		cmocka_unit_test(great_answers_fit),
	};
	struct CMUnitTest tests[DIAMETER_ROOM_TESTS + N_ROWS(single) + N_ROWS(imei_rows) + N_ROWS(user_rows)];
	size_t n = diameter_room_tests(&room, tests);

	memcpy(tests + n, single, sizeof(single));
	n += N_ROWS(single);
	ADD_ROWS(tests, n, imei_rows, imei);
	ADD_ROWS(tests, n, user_rows, user);
	return cmocka_run_group_tests_name("s13", tests, NULL, NULL);
}
