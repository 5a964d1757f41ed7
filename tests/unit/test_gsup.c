/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/gsup: golden vectors both ways, cut and flipped frames, trickled frames, and libosmogsm as the oracle. */

#include "wire/gsup.h"

#include "lines.h"
#include "rows.h"
#include "vectors.h"

#include <osmocom/core/logging.h>
#include <osmocom/core/msgb.h>
#include <osmocom/gsm/gsm48_ie.h>
#include <osmocom/gsm/gsup.h>

#include <errno.h>
#include <stdlib.h>

/* --- decoded form as text ------------------------------------------------------------------------------------- */

static void line_ie(const char *key, const uint8_t *ie, unsigned len)
{
	if (ie)
		line_hex(key, ie, len);
}

static void print_gsup(const struct ipa_frame *frame)
{
	static const char *const faults[] = {"ok", "truncated", "repeated"};
	static const char *const domains[] = {NULL, "ps", "cs"};
	struct gsup_view view;
	enum gsup_fault fault = gsup_view(frame, &view);
	char imsi[WEIR_DIGITS_TEXT];

	line("protocol: gsup");
	line("type: %s", gsup_type_name(view.type));
	line("fault: %s", faults[fault]);
	line("imsi: %s", !view.has_imsi ? "missing" : view.imsi.packed ? imsi_print(imsi, view.imsi) : "unreadable");
	if (view.has_imei)
		line_imei(view.imei_fault, &view.imei);
	line_ie("class", view.class_ie, view.class_ie_len);
	if (view.cn_domain)
		line("cn-domain: %s", domains[view.cn_domain]);
	line_ie("source", view.source_ie, view.source_ie_len);
	line_ie("session", view.session_ie, view.session_ie_len);
	line_ie("state", view.state_ie, view.state_ie_len);
}

static void print_ccm(const struct ipa_frame *frame)
{
	static const char *const types[] = {
		[CCM_PING] = "ping",       [CCM_PONG] = "pong",     [CCM_ID_GET] = "id-get",
		[CCM_ID_RESP] = "id-resp", [CCM_ID_ACK] = "id-ack",
	};
	char name[CCM_NAME_TEXT];

	line("protocol: ccm");
	line("type: %s", types[frame->body[0]]);
	if (ccm_id_resp_name(frame, name) == 0)
		line("name: %s", name);
}

static const char *print_frame(const struct ipa_frame *frame)
{
	lines_begin();
	if (ipa_is_gsup(frame))
		print_gsup(frame);
	else
		print_ccm(frame);
	return lines();
}

static const char *print_bytes(const uint8_t *bytes, size_t len)
{
	struct ipa_frame frame;

	assert_int_equal(ipa_frame_next(bytes, len, &frame), len);
	return print_frame(&frame);
}

static void decode_equals_text(void **state)
{
	(void)state;
	vectors_decode("gsup", print_bytes);
}

/* --- encoding ------------------------------------------------------------------------------------------------- */

static const struct weir_imei phone = {.key = 100100123456, .svn = 12},
			      other_phone = {.key = 100100654321, .svn = WEIR_NO_SVN};

static struct weir_imsi imsi_of(const char *digits)
{
	struct weir_imsi imsi;

	assert_int_equal(imsi_from_text(digits, strlen(digits), &imsi), 0);
	return imsi;
}

static struct vector answered; /* the request that an answer is made for */

static void view_vector(const char *name, struct gsup_view *view)
{
	struct ipa_frame frame;

	if (answered.bytes)
		vector_fini(&answered);
	vector_init(&answered, "gsup", name);
	assert_int_equal(ipa_frame_next(answered.bytes, answered.len, &frame), answered.len);
	assert_int_equal(gsup_view(&frame, view), GSUP_OK);
}

static int copy(const uint8_t *frame, size_t len, uint8_t *buf)
{
	memcpy(buf, frame, len);
	return (int)len;
}

static int request(const char *imsi, const struct weir_imei *imei, unsigned digits, uint8_t *buf, size_t size)
{
	return gsup_check_imei_request(imsi_of(imsi), imei, digits, buf, size);
}

static int answer(const char *name, int cause, bool accept, uint8_t *buf, size_t size)
{
	struct gsup_view view;

	view_vector(name, &view);
	return cause ? gsup_error(&view, (uint8_t)cause, buf, size) : gsup_check_imei_result(&view, accept, buf, size);
}

static const struct encode_row {
	const char *vector;
	enum {
		PING,
		PONG,
		ID_GET,
		ID_ACK,
		ID_RESP,
		REQUEST,
		RESULT,
		ERROR,
		CANCEL
	} what;
	const char *from; /* request: IMSI; result and error: vector of the request; id-resp: name */
	const struct weir_imei *imei;
	int arg; /* request: digits; result: accept; error: cause */
} encode_rows[] = {
	{"ccm_ping", PING, NULL, NULL, 0},
	{"ccm_pong", PONG, NULL, NULL, 0},
	{"ccm_id_get", ID_GET, NULL, NULL, 0},
	{"ccm_id_ack", ID_ACK, NULL, NULL, 0},
	{"ccm_id_resp_tool", ID_RESP, "weir-cap", NULL, 0},
	{"check_imei_request_14", REQUEST, "001010000000001", &phone, 14},
	{"check_imei_request_14_other", REQUEST, "001010000000002", &other_phone, 14},
	{"check_imei_request_15", REQUEST, "001010000000001", &phone, 15},
	{"check_imei_request_16", REQUEST, "001010000000001", &phone, 16},
	{"check_imei_result_ack", RESULT, "check_imei_request_14", NULL, true},
	{"check_imei_result_ack", RESULT, "check_imei_request_unknown_ie", NULL, true},
	{"check_imei_result_ack", RESULT, "check_imei_request_cn_domain", NULL, true},
	{"check_imei_result_ack", RESULT, "check_imei_request_session_no_state", NULL, true},
	{"check_imei_result_nack", RESULT, "check_imei_request_14", NULL, false},
	{"check_imei_result_ack_no_class", RESULT, "check_imei_request_no_class", NULL, true},
	{"check_imei_result_ack_class_4", RESULT, "check_imei_request_class_4", NULL, true},
	{"check_imei_result_ack_source", RESULT, "check_imei_request_source", NULL, true},
	{"check_imei_result_ack_session", RESULT, "check_imei_request_session", NULL, true},
	{"check_imei_error_96", ERROR, "check_imei_request_13", NULL, GSUP_CAUSE_INVALID_MANDATORY},
	{"check_imei_error_96", ERROR, "check_imei_request_no_imei", NULL, GSUP_CAUSE_INVALID_MANDATORY},
	{"check_imei_error_96_session", ERROR, "check_imei_request_session_15", NULL, GSUP_CAUSE_INVALID_MANDATORY},
	{"location_cancel_cs", CANCEL, "001010000000001", NULL, GSUP_CN_CS},
};

#define N_ENCODE_ROWS (sizeof(encode_rows) / sizeof(encode_rows[0]))

static int encode(const struct encode_row *row, uint8_t *buf, size_t size)
{
	switch (row->what) {
	case PING:
		return copy(ccm_ping_frame, sizeof(ccm_ping_frame), buf);
	case PONG:
		return copy(ccm_pong_frame, sizeof(ccm_pong_frame), buf);
	case ID_GET:
		return copy(ccm_id_get_frame, ccm_id_get_frame_len, buf);
	case ID_ACK:
		return copy(ccm_id_ack_frame, sizeof(ccm_id_ack_frame), buf);
	case ID_RESP:
		return ccm_id_resp_encode(row->from, buf, size);
	case REQUEST:
		return request(row->from, row->imei, (unsigned)row->arg, buf, size);
	case RESULT:
		return answer(row->from, 0, row->arg, buf, size);
	case ERROR:
		return answer(row->from, row->arg, false, buf, size);
	case CANCEL:
		return gsup_location_cancel(imsi_of(row->from), (enum gsup_cn_domain)row->arg, buf, size);
	}
	return -EINVAL;
}

static bool is_constant(const struct encode_row *row)
{
	return row->what <= ID_ACK;
}

static void encode_equals_bytes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ENCODE_ROWS; i++) {
		uint8_t buf[GSUP_ANSWER_MAX];
		struct vector v;

		vector_init(&v, "gsup", encode_rows[i].vector);
		assert_int_equal(encode(&encode_rows[i], buf, sizeof(buf)), v.len);
		assert_memory_equal(buf, v.bytes, v.len);
		vector_fini(&v);
	}
	vector_fini(&answered);
}

static void is_encoded_or_says_why_not(const struct vector *v, void *data)
{
	bool has_row = false;
	char field[200];

	(void)data;
	vector_field(v, "encode", field, sizeof(field));
	for (unsigned k = 0; k < N_ENCODE_ROWS; k++)
		has_row |= !strcmp(encode_rows[k].vector, v->name);
	if (has_row != !strcmp(field, "yes") || (!has_row && strncmp(field, "no, ", 4) != 0))
		fail_msg("%s.txt says \"encode: %s\" and the table says otherwise", v->name, field);
}

static void every_vector_is_encoded_or_says_why_not(void **state)
{
	(void)state;
	vectors_each("gsup", is_encoded_or_says_why_not, NULL);
}

static void a_small_buffer_is_refused_and_not_overrun(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_ENCODE_ROWS; i++) {
		uint8_t whole[GSUP_ANSWER_MAX];
		int len = encode(&encode_rows[i], whole, sizeof(whole));

		if (is_constant(&encode_rows[i]))
			continue;
		for (int size = 0; size < len; size++) {
			uint8_t *buf = malloc(size ? (size_t)size : 1);

			assert_int_equal(encode(&encode_rows[i], buf, (size_t)size), -ENOSPC);
			free(buf);
		}
	}
	vector_fini(&answered);
}

static void the_longest_request_is_answered_in_the_promised_room(void **state)
{
	uint8_t in[2048] = {0, 0, IPA_OSMO, IPA_EXT_GSUP, GSUP_CHECK_IMEI_REQUEST}, out[GSUP_ANSWER_MAX];
	static const uint8_t tags[] = {0x01, 0x30, 0x31, 0x0a, 0x60};
	struct ipa_frame frame;
	struct gsup_view view;
	size_t len = 5;

	(void)state;
	for (unsigned i = 0; i < sizeof(tags); i++) {
		in[len++] = tags[i];
		in[len++] = 255;
		memset(in + len, 0x11, 255);
		len += 255;
	}
	in[0] = (uint8_t)((len - 3) >> 8);
	in[1] = (uint8_t)(len - 3);
	assert_int_equal(ipa_frame_next(in, len, &frame), len);
	assert_int_equal(gsup_view(&frame, &view), GSUP_OK);
	assert_true(view.has_imsi && !view.imsi.packed);
	assert_int_equal(view.imsi_ie_len, 257);
	assert_int_equal(view.source_ie_len, 257);
	assert_null(view.class_ie);
	assert_null(view.session_ie);
	assert_null(view.state_ie);
	assert_int_equal(gsup_check_imei_result(&view, true, out, sizeof(out)), 5 + 257 + 3 + 257);
	assert_int_equal(gsup_error(&view, GSUP_CAUSE_INVALID_MANDATORY, out, sizeof(out)), 5 + 257 + 3 + 257);
}

static void what_cannot_be_said_is_refused(void **state)
{
	const struct weir_imei no_svn = {.key = 1, .svn = WEIR_NO_SVN},
			       no_key = {.key = WEIR_IMEI_END, .svn = WEIR_NO_SVN};
	const struct weir_imsi none = {0}, imsi = imsi_of("00101123456789");
	char long_name[CCM_NAME_TEXT + 1];
	uint8_t buf[256];

	(void)state;
	assert_int_equal(gsup_check_imei_request(none, &phone, 14, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gsup_check_imei_request(imsi, &no_svn, 16, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gsup_check_imei_request(imsi, &no_key, 14, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gsup_check_imei_request(imsi, &phone, 13, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gsup_check_imei_request(imsi, &phone, 17, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gsup_location_cancel(none, GSUP_CN_CS, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(ccm_id_resp_encode("", buf, sizeof(buf)), -EINVAL);
	assert_int_equal(ccm_id_resp_encode("a\tb", buf, sizeof(buf)), -EINVAL);
	memset(long_name, 'n', CCM_NAME_TEXT);
	long_name[CCM_NAME_TEXT] = '\0';
	assert_int_equal(ccm_id_resp_encode(long_name, buf, sizeof(buf)), -EINVAL);
	long_name[CCM_NAME_TEXT - 1] = '\0';
	assert_true(ccm_id_resp_encode(long_name, buf, sizeof(buf)) < 0); /* 256 octets do not hold it twice */
}

/* --- damaged frames ------------------------------------------------------------------------------------------- */

/* Whatever came, a view may be used: pointers stay inside the frame, values inside their ranges. */
static void check_view(const struct ipa_frame *frame, const struct gsup_view *view)
{
	const uint8_t *ies[] = {view->imsi_ie, view->class_ie, view->source_ie, view->session_ie, view->state_ie};
	const unsigned lens[] = {view->imsi_ie_len, view->class_ie_len, view->source_ie_len, view->session_ie_len,
				 view->state_ie_len};
	uint8_t buf[GSUP_ANSWER_MAX];

	for (unsigned i = 0; i < 5; i++) {
		if (!ies[i])
			continue;
		assert_true(ies[i] >= frame->body + 2);
		assert_true(ies[i] + lens[i] <= frame->bytes + frame->len);
		assert_int_equal(lens[i], ies[i][1] + 2);
	}
	assert_in_range(view->cn_domain, 0, 2);
	assert_in_range(view->imei_fault, 0, WEIR_IMEI_N_FAULTS - 1);
	assert_true(view->imei.imei.key < WEIR_IMEI_END);
	assert_true(view->imei.imei.svn >= WEIR_NO_SVN && view->imei.imei.svn < 100);
	assert_true(view->has_imsi || !view->imsi.packed);
	assert_true(view->has_imei || view->imei_fault == WEIR_IMEI_EMPTY);
	assert_in_range(gsup_check_imei_result(view, true, buf, sizeof(buf)), 8, GSUP_ANSWER_MAX);
	assert_in_range(gsup_error(view, GSUP_CAUSE_INVALID_MANDATORY, buf, sizeof(buf)), 8, GSUP_ANSWER_MAX);
}

static void check_frame(const struct ipa_frame *frame)
{
	char name[CCM_NAME_TEXT];
	struct gsup_view view;

	if (ipa_is_gsup(frame)) {
		gsup_view(frame, &view);
		check_view(frame, &view);
	}
	if (ccm_id_resp_name(frame, name) == 0)
		assert_in_range(strlen(name), 1, CCM_NAME_TEXT - 1);
	else
		assert_string_equal(name, "");
}

static void flipped(const uint8_t *bytes, size_t len, void *data)
{
	struct ipa_frame frame;
	size_t n;

	(void)data;
	for (n = ipa_frame_next(bytes, len, &frame); n > 0; n = ipa_frame_next(bytes, len, &frame)) {
		check_frame(&frame);
		bytes += n;
		len -= n;
	}
}

static void a_flipped_bit_never_yields_an_invalid_view(void **state)
{
	(void)state;
	vectors_bitflips("gsup", flipped, NULL);
}

static void not_whole(const uint8_t *bytes, size_t len, void *data)
{
	struct ipa_frame frame;

	(void)data;
	assert_int_equal(ipa_frame_next(bytes, len, &frame), 0);
}

/* The same prefix, but with a frame length that agrees: the message is cut, not the frame. */
static void cut_message(const uint8_t *bytes, size_t len, void *data)
{
	uint8_t *own;
	struct ipa_frame frame;

	(void)data;
	if (len < IPA_HEADER)
		return;
	own = malloc(len);
	memcpy(own, bytes, len);
	own[0] = (uint8_t)((len - IPA_HEADER) >> 8);
	own[1] = (uint8_t)(len - IPA_HEADER);
	assert_int_equal(ipa_frame_next(own, len, &frame), len);
	check_frame(&frame);
	free(own);
}

static void no_proper_prefix_is_a_frame_and_no_cut_message_is_overread(void **state)
{
	(void)state;
	vectors_prefixes("gsup", not_whole, NULL);
	vectors_prefixes("gsup", cut_message, NULL);
}

static void a_message_cut_inside_an_ie_is_truncated(void **state)
{
	/* where the IEs of check_imei_request_14 end: behind the type, IMSI, IMEI; the class ends the message */
	static const uint8_t ends[] = {2, 12, 22, 25};
	struct ipa_frame frame;
	struct gsup_view view;
	struct vector v;

	(void)state;
	vector_init(&v, "gsup", "check_imei_request_14");
	assert_int_equal(v.len, 3 + 25);
	for (unsigned body = 0; body <= 25; body++) {
		bool at_end = memchr(ends, (int)body, sizeof(ends)) != NULL;

		ipa_frame_next(v.bytes, v.len, &frame);
		frame.len = IPA_HEADER + body;
		frame.body_len = body;
		assert_int_equal(gsup_view(&frame, &view), at_end ? GSUP_OK : GSUP_TRUNCATED);
		assert_int_equal(view.has_imsi, body >= 12);
		assert_int_equal(view.has_imei, body >= 22);
	}
	vector_fini(&v);
}

static void an_ie_twice_is_a_fault_and_the_first_one_is_kept(void **state)
{
	static const uint8_t twice[] = {0x00, 0x1d, 0xee, 0x05, 0x30, 0x01, 0x08, 0,    1,    1,    0,
					0,    0,    0,    0xf1, 0x50, 0x08, 0x07, 0,    0x01, 0x10, 0,
					0x21, 0x43, 0x65, 0x01, 0x05, 0x21, 0x43, 0x65, 0x87, 0x09};
	struct ipa_frame frame;
	struct gsup_view view;
	char imsi[WEIR_DIGITS_TEXT];

	(void)state;
	assert_int_equal(ipa_frame_next(twice, sizeof(twice), &frame), sizeof(twice));
	assert_int_equal(gsup_view(&frame, &view), GSUP_REPEATED);
	assert_string_equal(imsi_print(imsi, view.imsi), "001010000000001");
	assert_int_equal(view.imei_fault, WEIR_IMEI_OK);
}

static void trickle(const struct vector *v, void *data)
{
	struct ipa_frame frame;
	uint8_t buf[1024];

	(void)data;
	for (size_t k = 0; k < v->len; k++) {
		buf[k] = v->bytes[k];
		assert_int_equal(ipa_frame_next(buf, k + 1, &frame), k + 1 == v->len ? v->len : 0);
	}
	assert_string_equal(print_frame(&frame), vector_decoded(v));
}

static void frames_come_out_of_a_trickle_one_by_one(void **state)
{
	(void)state;
	vectors_each("gsup", trickle, NULL);
}

struct train {
	uint8_t all[65536];
	size_t len, at;
};

static void append(const struct vector *v, void *data)
{
	struct train *train = data;

	assert_in_range(train->len + v->len, 0, sizeof(train->all));
	memcpy(train->all + train->len, v->bytes, v->len);
	train->len += v->len;
}

static void take_next(const struct vector *v, void *data)
{
	struct train *train = data;
	const uint8_t *at = train->all + train->at;
	struct ipa_frame frame;

	assert_int_equal(ipa_frame_next(at, train->len - train->at, &frame), v->len);
	assert_ptr_equal(frame.bytes, at);
	assert_memory_equal(frame.bytes, v->bytes, v->len);
	train->at += frame.len;
}

static void frames_in_one_buffer_come_out_in_order(void **state)
{
	struct train *train = calloc(1, sizeof(*train));
	struct ipa_frame frame;

	(void)state;
	vectors_each("gsup", append, train);
	vectors_each("gsup", take_next, train);
	assert_int_equal(ipa_frame_next(train->all + train->at, train->len - train->at, &frame), 0);
	free(train);
}

/* --- CCM identities ------------------------------------------------------------------------------------------- */

static const struct {
	const char *rule;
	const char *ies; /* hex, behind the type octet */
	int rc;
	const char *name;
} id_rows[] = {
	{"a name with its NUL", "0005004d534300", 0, "MSC"},
	{"a name without a NUL", "0004004d5343", 0, "MSC"},
	{"other tags before and behind",
	 "00020800"
	 "0005004d534300"
	 "00030161"
	 "00",
	 0, "MSC"},
	{"no serial number",
	 "00030161"
	 "00",
	 -ENOENT, ""},
	{"no IE at all", "", -ENOENT, ""},
	{"an empty name", "000100", -EINVAL, ""},
	{"a name that is only a NUL", "00020000", -EINVAL, ""},
	{"a NUL inside the name",
	 "0006004d005300"
	 "00",
	 -EINVAL, ""},
	{"a control character", "0005004d0a4300", -EINVAL, ""},
	{"an octet above ASCII", "0005004d804300", -EINVAL, ""},
	{"a DEL", "0005004d7f4300", -EINVAL, ""},
	{"the serial number twice",
	 "0005004d534300"
	 "0005004d534400",
	 -EINVAL, ""},
	{"a length of nothing",
	 "0000"
	 "0005004d534300",
	 -EINVAL, ""},
	{"a length of nothing, all else printable",
	 "0000"
	 "0021"
	 "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40",
	 -EINVAL, ""},
	{"a length past the end", "0006004d534300", -EINVAL, ""},
	{"a length octet alone",
	 "0005004d534300"
	 "00",
	 -EINVAL, ""},
	{"a length without a tag",
	 "0005004d534300"
	 "0001",
	 -EINVAL, ""},
};

/* An exact heap copy of a frame with the octets of hex behind its first ones. */
static uint8_t *make_frame(uint8_t protocol, const char *hex, struct ipa_frame *frame)
{
	size_t len = IPA_HEADER + strlen(hex) / 2;
	uint8_t *bytes = malloc(len);

	bytes[0] = (uint8_t)((len - IPA_HEADER) >> 8);
	bytes[1] = (uint8_t)(len - IPA_HEADER);
	bytes[2] = protocol;
	for (size_t i = IPA_HEADER; i < len; i++)
		assert_int_equal(sscanf(hex + 2 * (i - IPA_HEADER), "%2hhx", &bytes[i]), 1);
	assert_int_equal(ipa_frame_next(bytes, len, frame), len);
	return bytes;
}

static void a_routing_name_is_taken_or_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(id_rows) / sizeof(id_rows[0]); i++) {
		char name[CCM_NAME_TEXT], hex[160];
		struct ipa_frame frame;
		uint8_t *bytes;
		int rc;

		snprintf(hex, sizeof(hex), "05%s", id_rows[i].ies);
		bytes = make_frame(IPA_CCM, hex, &frame);
		rc = ccm_id_resp_name(&frame, name);
		if (rc != id_rows[i].rc || strcmp(name, id_rows[i].name) != 0)
			fail_msg("%s: %d and \"%s\"", id_rows[i].rule, rc, name);
		free(bytes);
	}
}

static const struct {
	const char *rule;
	const char *ies; /* hex, behind extension and type */
	enum weir_imei_fault fault;
} imei_rows[] = {
	{"an IE without a number", "5000", WEIR_IMEI_EMPTY},
	{"a number without digits", "500100", WEIR_IMEI_EMPTY},
	{"a number longer than its IE", "50080800011000214365", WEIR_IMEI_SHORT},
	{"a number shorter than its IE is what it says",
	 "500a070001100021436599"
	 "99",
	 WEIR_IMEI_OK},
	{"a number of nine octets", "500a09000110002143651032", WEIR_IMEI_LONG},
	{"fillers only", "500807ffffffffffffff", WEIR_IMEI_EMPTY},
};

static void an_imei_that_is_none_is_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(imei_rows) / sizeof(imei_rows[0]); i++) {
		struct ipa_frame frame;
		struct gsup_view view;
		char hex[160];
		uint8_t *bytes;

		snprintf(hex, sizeof(hex), "0530%s", imei_rows[i].ies);
		bytes = make_frame(IPA_OSMO, hex, &frame);
		assert_int_equal(gsup_view(&frame, &view), GSUP_OK);
		assert_true(view.has_imei);
		if (view.imei_fault != imei_rows[i].fault)
			fail_msg("%s: %s", imei_rows[i].rule, imei_fault_text(view.imei_fault));
		free(bytes);
	}
}

static void only_an_id_resp_has_a_name(void **state)
{
	static const uint8_t id_get[] = {0, 8, IPA_CCM, CCM_ID_GET, 0, 5, 0, 'M', 'S', 'C', 0},
			     empty[] = {0, 0, IPA_CCM};
	struct ipa_frame frame;
	char name[CCM_NAME_TEXT];

	(void)state;
	ipa_frame_next(id_get, sizeof(id_get), &frame);
	assert_int_equal(ccm_id_resp_name(&frame, name), -EINVAL);
	ipa_frame_next(empty, sizeof(empty), &frame);
	assert_int_equal(ccm_id_resp_name(&frame, name), -EINVAL);
}

/* --- names ---------------------------------------------------------------------------------------------------- */

static void every_type_that_libosmogsm_knows_has_a_name(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		bool known = get_value_string_or_null(osmo_gsup_message_type_names, type) != NULL;

		if (known == !strcmp(gsup_type_name((uint8_t)type), "?"))
			fail_msg("type 0x%02x", type);
	}
}

/* --- libosmogsm as the oracle --------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

static bool chance(uint32_t percent)
{
	return any(100) < percent;
}

static void any_digits(char *text, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text[i] = (char)('0' + any(10));
	text[n] = '\0';
}

/* A request as libosmogsm would send it, with everything that may be there or not. */
struct scene {
	struct osmo_gsup_message msg;
	uint8_t imei[10], name[40];
	char digits[20];
};

static void any_scene(struct scene *s)
{
	struct osmo_gsup_message *m = &s->msg;
	int len;

	memset(s, 0, sizeof(*s));
	m->message_type = OSMO_GSUP_MSGT_CHECK_IMEI_REQUEST;
	any_digits(m->imsi, 6 + any(10));
	any_digits(s->digits, 12 + any(6));
	len = gsm48_encode_bcd_number(s->imei, sizeof(s->imei), 0, s->digits);
	assert_in_range(len, 1, sizeof(s->imei));
	m->imei_enc = s->imei;
	m->imei_enc_len = (size_t)len;
	m->message_class = chance(70) ? 1 + any(4) : 0;
	m->cn_domain = chance(50) ? 1 + any(2) : 0;
	if (chance(50)) {
		m->session_state = 1 + any(3);
		m->session_id = any(0x7fffffff);
	}
	if (chance(50)) {
		any_digits((char *)s->name, 1 + any(30));
		m->source_name = s->name;
		m->source_name_len = strlen((char *)s->name) + 1;
	}
}

static size_t oracle_frame(const struct osmo_gsup_message *m, uint8_t *buf)
{
	struct msgb *msg = msgb_alloc(1024, "oracle");
	size_t len;

	assert_int_equal(osmo_gsup_encode(msg, m), 0);
	len = msgb_length(msg) + 1;
	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	buf[2] = IPA_OSMO;
	buf[3] = IPA_EXT_GSUP;
	memcpy(buf + 4, msgb_data(msg), msgb_length(msg));
	msgb_free(msg);
	return len + 3;
}

static void check_same_imei(const char *digits, const struct gsup_view *view)
{
	struct weir_imei_reading text;
	enum weir_imei_fault fault = imei_from_text(digits, strlen(digits), &text);

	/* 17 digits are a form of people's, not of the wire: nine octets */
	if (strlen(digits) > 16)
		fault = WEIR_IMEI_LONG;
	assert_int_equal(view->imei_fault, fault);
	if (fault != WEIR_IMEI_OK)
		return;
	assert_int_equal(view->imei.imei.key, text.imei.key);
	assert_int_equal(view->imei.imei.svn, text.imei.svn);
	assert_int_equal(view->imei.digits, strlen(digits));
}

static void what_libosmogsm_sends_is_read_the_same(void **state)
{
	seed = 2;
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char imsi[WEIR_DIGITS_TEXT];
		struct ipa_frame frame;
		struct gsup_view view;
		struct scene s;
		uint8_t buf[1100];
		size_t len;

		any_scene(&s);
		len = oracle_frame(&s.msg, buf);
		assert_int_equal(ipa_frame_next(buf, len, &frame), len);
		assert_int_equal(gsup_view(&frame, &view), GSUP_OK);
		assert_string_equal(imsi_print(imsi, view.imsi), s.msg.imsi);
		assert_int_equal(view.cn_domain, s.msg.cn_domain);
		check_same_imei(s.digits, &view);
	}
}

static void our_answers_are_octet_for_octet_libosmogsms(void **state)
{
	seed = 3;
	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct osmo_gsup_message m;
		struct ipa_frame frame;
		struct gsup_view view;
		struct scene s;
		uint8_t buf[1100], ours[GSUP_ANSWER_MAX], theirs[1100];
		bool error = chance(50);
		size_t len;
		int n;

		any_scene(&s);
		len = oracle_frame(&s.msg, buf);
		assert_int_equal(ipa_frame_next(buf, len, &frame), len);
		assert_int_equal(gsup_view(&frame, &view), GSUP_OK);
		memset(&m, 0, sizeof(m));
		memcpy(m.imsi, s.msg.imsi, sizeof(m.imsi));
		m.message_type = error ? OSMO_GSUP_MSGT_CHECK_IMEI_ERROR : OSMO_GSUP_MSGT_CHECK_IMEI_RESULT;
		if (error)
			m.cause = 1 + any(255);
		else
			m.imei_result = 1 + any(2);
		m.message_class = s.msg.message_class;
		m.session_id = s.msg.session_id;
		m.session_state = s.msg.session_state ? OSMO_GSUP_SESSION_STATE_END : 0;
		m.destination_name = s.msg.source_name;
		m.destination_name_len = s.msg.source_name_len;
		n = error ? gsup_error(&view, (uint8_t)m.cause, ours, sizeof(ours))
			  : gsup_check_imei_result(&view, m.imei_result == OSMO_GSUP_IMEI_RESULT_ACK, ours,
						   sizeof(ours));
		assert_int_equal(n, oracle_frame(&m, theirs));
		assert_memory_equal(ours, theirs, (size_t)n);
	}
}

static void what_we_send_is_read_by_libosmogsm(void **state)
{
	seed = 4;
	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct weir_imei imei = {.key = any(100000000) * UINT64_C(1000000) + any(1000000),
					 .svn = (int8_t)any(100)};
		unsigned digits = 14 + any(3);
		char text[20], imsi[20], back[32], key[WEIR_IMEI_TEXT];
		struct osmo_gsup_message m;
		uint8_t buf[128];
		int n;

		any_digits(imsi, 6 + any(10));
		n = gsup_check_imei_request(imsi_of(imsi), &imei, digits, buf, sizeof(buf));
		assert_in_range(n, 20, sizeof(buf));
		assert_int_equal(osmo_gsup_decode(buf + 4, (size_t)n - 4, &m), 0);
		assert_string_equal(m.imsi, imsi);
		assert_int_equal(m.message_type, OSMO_GSUP_MSGT_CHECK_IMEI_REQUEST);
		assert_int_equal(m.message_class, OSMO_GSUP_MESSAGE_CLASS_SUBSCRIBER_MANAGEMENT);
		assert_int_equal(gsm48_decode_bcd_number2(back, sizeof(back), m.imei_enc, m.imei_enc_len, 0), 0);
		if (digits == 16)
			snprintf(text, sizeof(text), "%s%02d", imei_print(key, imei.key), imei.svn);
		else
			snprintf(text, sizeof(text), "%s",
				 digits == 15 ? imei_print_checked(key, imei.key) : imei_print(key, imei.key));
		assert_string_equal(back, text);
		n = gsup_location_cancel(imsi_of(imsi), (enum gsup_cn_domain)any(3), buf, sizeof(buf));
		assert_int_equal(osmo_gsup_decode(buf + 4, (size_t)n - 4, &m), 0);
		assert_string_equal(m.imsi, imsi);
		assert_int_equal(m.cancel_type, OSMO_GSUP_CANCEL_TYPE_WITHDRAW);
		assert_int_equal(m.cause, GSUP_CAUSE_ILLEGAL_ME);
	}
}

/* Random damage: where both accept, both must have read the same. */
static void on_damaged_frames_both_agree_where_both_accept(void **state)
{
	unsigned both = 0;

	seed = 5;
	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char imsi[WEIR_DIGITS_TEXT], back[32], key[WEIR_IMEI_TEXT];
		struct osmo_gsup_message m;
		struct ipa_frame frame;
		struct gsup_view view;
		struct scene s;
		uint8_t buf[1100], *own;
		size_t len;

		any_scene(&s);
		len = oracle_frame(&s.msg, buf);
		for (unsigned k = 1 + any(3); k > 0; k--)
			buf[4 + any((uint32_t)len - 4)] = (uint8_t)any(256);
		own = malloc(len - 4);
		memcpy(own, buf + 4, len - 4);
		assert_int_equal(ipa_frame_next(buf, len, &frame), len);
		if (osmo_gsup_decode(own, len - 4, &m) == 0 && gsup_view(&frame, &view) == GSUP_OK &&
		    view.imsi.packed) {
			both++;
			assert_int_equal(m.message_type, view.type);
			assert_string_equal(imsi_print(imsi, view.imsi), m.imsi);
			if (view.cn_domain) /* libosmogsm takes any value */
				assert_int_equal(m.cn_domain, view.cn_domain);
			if (view.imei_fault == WEIR_IMEI_OK) {
				assert_non_null(m.imei_enc);
				assert_int_equal(
					gsm48_decode_bcd_number2(back, sizeof(back), m.imei_enc, m.imei_enc_len, 0), 0);
				assert_memory_equal(back, imei_print(key, view.imei.imei.key), 14);
			}
		}
		free(own);
	}
	assert_true(both > 20000);
}

static int quiet(void **state)
{
	static const struct log_info no_categories;

	(void)state;
	log_init(&no_categories, NULL); /* no target: libosmogsm need not tell what it refuses */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_equals_text),
		cmocka_unit_test(encode_equals_bytes),
		cmocka_unit_test(every_vector_is_encoded_or_says_why_not),
		cmocka_unit_test(a_small_buffer_is_refused_and_not_overrun),
		cmocka_unit_test(the_longest_request_is_answered_in_the_promised_room),
		cmocka_unit_test(what_cannot_be_said_is_refused),
		cmocka_unit_test(a_flipped_bit_never_yields_an_invalid_view),
		cmocka_unit_test(no_proper_prefix_is_a_frame_and_no_cut_message_is_overread),
		cmocka_unit_test(a_message_cut_inside_an_ie_is_truncated),
		cmocka_unit_test(an_ie_twice_is_a_fault_and_the_first_one_is_kept),
		cmocka_unit_test(frames_come_out_of_a_trickle_one_by_one),
		cmocka_unit_test(frames_in_one_buffer_come_out_in_order),
		cmocka_unit_test(a_routing_name_is_taken_or_refused),
		cmocka_unit_test(an_imei_that_is_none_is_named),
		cmocka_unit_test(only_an_id_resp_has_a_name),
		cmocka_unit_test(every_type_that_libosmogsm_knows_has_a_name),
		cmocka_unit_test(what_libosmogsm_sends_is_read_the_same),
		cmocka_unit_test(our_answers_are_octet_for_octet_libosmogsms),
		cmocka_unit_test(what_we_send_is_read_by_libosmogsm),
		cmocka_unit_test(on_damaged_frames_both_agree_where_both_accept),
	};

	return cmocka_run_group_tests_name("gsup", tests, quiet, NULL);
}
