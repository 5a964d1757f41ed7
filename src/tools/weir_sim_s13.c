/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The S13 counterpart: an MME as far as equipment checks go (TS 29.272 clause 6).  It exchanges capabilities, asks
 * ME-Identity-Check of the realm that the other side named as its own, answers watchdogs, and says goodbye.  It never
 * decides anything. */
#include "tools/weir_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "wire/diameter_base.h"
#include "wire/s13.h"

#define GOODBYE_MS 1000

struct mme {
	struct sim_dialog dialog;
	struct diameter_us us;
	char their_realm[DIAMETER_IDENTITY_TEXT]; /* "": they did not greet yet */
	bool parted;                              /* our DPR was answered */
	uint32_t next;                            /* identifier of the next request of ours */
	/* questions under way, by the identifier modulo SIM_DEPTH_MAX */
	struct question {
		const char *asked; /* NULL: none here */
		uint32_t id;
		int64_t sent_us;
	} * question;
};

static const char *const verdicts[] = {"white", "grey", "black", "unknown", NULL};

static struct question *question_of(struct mme *mme, uint32_t id)
{
	return &mme->question[id % SIM_DEPTH_MAX];
}

/* With the second of our start in it no other run had the same (RFC 6733 8.8). */
static void print_session(const struct mme *mme, uint32_t id, char *buf, size_t size)
{
	snprintf(buf, size, "%s;%" PRIu32 ";%" PRIu32, mme->us.origin_host, mme->us.state_id, id);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What an MME makes of an answer, or NULL where it is none. */
static const char *read_verdict(const struct s13_eca *eca, char buf[static SIM_VERDICT_TEXT])
{
	static const char *const names[] = {[S13_WHITE] = "white", [S13_BLACK] = "black", [S13_GREY] = "grey"};
	bool experimental;
	uint32_t result = diameter_answer_result(&eca->view.message, &experimental), status;

	if (!experimental && result == DIAMETER_SUCCESS) {
		if (!eca->equipment_status.at)
			return NULL;
		status = diameter_unsigned(&eca->view, &eca->equipment_status);
		return status < sizeof(names) / sizeof(names[0]) ? names[status] : NULL;
	}
	if (experimental && result == S13_ERROR_UNKNOWN)
		return "unknown";
	if (!result)
		return NULL;
	snprintf(buf, SIM_VERDICT_TEXT, "error %" PRIu32 " %s", result,
		 experimental ? "experimental" : diameter_result_name(result));
	return buf;
}

static int complain(const char *what)
{
	fprintf(stderr, "weir-sim: %s\n", what);
	return -EPROTO;
}

static bool is_its_session(const struct mme *mme, const struct s13_eca *eca, uint32_t id)
{
	char session[DIAMETER_IDENTITY_TEXT + 32];

	print_session(mme, id, session, sizeof(session));
	return eca->session_id.at && eca->session_id.len == strlen(session) &&
	       !memcmp(diameter_value(&eca->view, &eca->session_id), session, eca->session_id.len);
}

static int take_answer(struct mme *mme, const struct diameter_message *message)
{
	struct question *q = question_of(mme, message->hop_by_hop);
	char buf[SIM_VERDICT_TEXT];
	const char *verdict;
	struct s13_eca eca;

	if (!q->asked || q->id != message->hop_by_hop || q->id != message->end_to_end)
		return complain("an answer that was not asked for");
	if (s13_read_eca(message, &eca) != DIAMETER_OK || !is_its_session(mme, &eca, q->id))
		return complain("an answer that cannot be read, or of another session");
	verdict = read_verdict(&eca, buf);
	if (!verdict)
		return complain("an answer without a verdict");
	sim_score_take(&mme->dialog.score, q->asked, verdict, sim_now_us() - q->sent_us);
	q->asked = NULL;
	mme->dialog.n--;
	return 0;
}

static int take_cea(struct mme *mme, const struct diameter_message *message)
{
	struct diameter_walk walk = diameter_walk_message(message);
	struct diameter_found found;
	bool experimental;
	uint32_t result = diameter_answer_result(message, &experimental);

	if (result != DIAMETER_SUCCESS) {
		fprintf(stderr, "weir-sim: not let in: %" PRIu32 " %s\n", result, diameter_result_name(result));
		return -EACCES;
	}
	if (!diameter_walk_next(&walk, AVP_ORIGIN_REALM, &found) || !found.len || found.len >= sizeof(mme->their_realm))
		return complain("capabilities without a realm");
	memcpy(mme->their_realm, found.value, found.len);
	mme->their_realm[found.len] = '\0';
	return 0;
}

/* A watchdog or a goodbye of theirs. */
static int take_request(struct mme *mme, const struct diameter_message *message)
{
	static const struct diameter_fault success = {.result = DIAMETER_SUCCESS};
	static uint8_t buf[DIAMETER_MAX + DIAMETER_BASE_ROOM];
	char when[16];
	int len, err;

	switch (message->command) {
	case DIAMETER_DEVICE_WATCHDOG:
		len = diameter_dwa(message, &mme->us, &success, buf, sizeof(buf));
		return len < 0 ? len : sim_link_send(&mme->dialog.link, buf, (size_t)len);
	case DIAMETER_DISCONNECT_PEER:
		len = diameter_dpa(message, &mme->us, &success, buf, sizeof(buf));
		err = len < 0 ? len : sim_link_send(&mme->dialog.link, buf, (size_t)len);
		fprintf(stderr, "weir-sim: %s  the other side says goodbye\n", sim_clock_text(when));
		return err ? err : -EPIPE;
	default:
		fprintf(stderr, "weir-sim: unexpected request %" PRIu32 "\n", message->command);
		return 0;
	}
}

static int take_message(struct mme *mme, const struct diameter_message *message)
{
	if (message->flags & DIAMETER_REQUEST)
		return take_request(mme, message);
	if (message->command == DIAMETER_CAPABILITIES_EXCHANGE)
		return take_cea(mme, message);
	if (message->command == S13_COMMAND)
		return take_answer(mme, message);
	mme->parted |= message->command == DIAMETER_DISCONNECT_PEER;
	return 0;
}

static ssize_t take(struct sim_dialog *dialog, const uint8_t *octets, size_t len)
{
	struct diameter_message message;
	int err;

	switch (diameter_next(octets, len, &message)) {
	case DIAMETER_MORE:
		return 0;
	case DIAMETER_BAD_LENGTH:
		return complain("a message of a wrong length");
	case DIAMETER_WHOLE:
		break;
	}
	err = take_message((struct mme *)dialog, &message);
	return err ? err : (ssize_t)message.len;
}

static bool is_greeted(const struct sim_dialog *dialog)
{
	return ((const struct mme *)dialog)->their_realm[0];
}

static bool is_parted(const struct sim_dialog *dialog)
{
	return ((const struct mme *)dialog)->parted;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* What goes into the AVPs IMEI and Software-Version; the latter stands apart, as MMEs have it, unless -d 16 is given.
 */
struct identity {
	char imei[32], svn[8];
};

static struct identity identity_of(const struct sim_options *options, const struct weir_imei_reading *reading)
{
	const uint64_t key = reading->imei.key;
	const unsigned check = reading->given_check < 0 ? imei_check_digit(key) : (unsigned)reading->given_check;
	char digits[WEIR_IMEI_TEXT];
	struct identity it = {.svn = ""};

	imei_print(digits, key);
	if (options->digits == 15)
		snprintf(it.imei, sizeof(it.imei), "%s%u", digits, check);
	else if (options->digits == 16)
		snprintf(it.imei, sizeof(it.imei), "%s%02d", digits,
			 reading->imei.svn == WEIR_NO_SVN ? 0 : reading->imei.svn);
	else
		snprintf(it.imei, sizeof(it.imei), "%s", digits);
	if (options->digits != 16 && reading->imei.svn != WEIR_NO_SVN)
		snprintf(it.svn, sizeof(it.svn), "%02d", reading->imei.svn);
	return it;
}

static int write_question(struct sim_dialog *dialog, const char *asked, const struct weir_imei_reading *reading,
			  int64_t now_us, uint8_t *buf, size_t size)
{
	struct mme *mme = (struct mme *)dialog;
	const struct identity it = identity_of(dialog->options, reading);
	char session[DIAMETER_IDENTITY_TEXT + 32], imsi[WEIR_DIGITS_TEXT];
	struct s13_question question = {
		.session_id = session,
		.origin_host = mme->us.origin_host,
		.origin_realm = mme->us.origin_realm,
		.destination_realm = mme->their_realm,
		.imei = it.imei,
		.hop_by_hop = mme->next,
		.end_to_end = mme->next,
	};
	int len;

	print_session(mme, mme->next, session, sizeof(session));
	question.software_version = it.svn[0] ? it.svn : NULL;
	question.user_name = imsi_print(imsi, dialog->options->imsi);
	len = s13_ecr(&question, buf, size);
	if (len > 0) {
		*question_of(mme, mme->next) = (struct question){.asked = asked, .id = mme->next, .sent_us = now_us};
		mme->next++;
	}
	return len;
}

/* Our end of the connection, as Host-IP-Address has it. */
static struct diameter_address own_address(int fd)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof(own);
	struct diameter_address address = {.family = 1};

	getsockname(fd, (struct sockaddr *)&own, &len);
	if (own.ss_family == AF_INET6) {
		address.family = 2;
		memcpy(address.octets, &((struct sockaddr_in6 *)&own)->sin6_addr, 16);
	} else {
		memcpy(address.octets, &((struct sockaddr_in *)&own)->sin_addr, 4);
	}
	return address;
}

static int greet(struct mme *mme)
{
	const struct diameter_address address = own_address(mme->dialog.link.fd);
	const struct diameter_capabilities capabilities = {
		.us = mme->us,
		.application = {.vendor = DIAMETER_3GPP, .id = S13_APPLICATION},
		.product = "weir-sim",
		.vendor = DIAMETER_3GPP,
		.address = &address,
		.n_addresses = 1,
	};
	uint8_t buf[DIAMETER_BASE_ROOM];
	int len = diameter_cer(&capabilities, mme->next, mme->next, buf, sizeof(buf)), err;

	mme->next++;
	err = len < 0 ? len : sim_link_send(&mme->dialog.link, buf, (size_t)len);
	if (!err)
		err = sim_dialog_wait(&mme->dialog, is_greeted, mme->dialog.options->timeout_ms);
	if (err == -ETIMEDOUT)
		fprintf(stderr, "weir-sim: the server did not answer our capabilities\n");
	return err;
}

static int begin(struct sim_dialog *dialog)
{
	const struct sim_options *options = dialog->options;
	struct mme *mme = (struct mme *)dialog;
	const char *dot = strchr(options->name, '.');

	if (!dot || !dot[1] || !diameter_identity_valid(options->name)) {
		fprintf(stderr, "weir-sim: \"%s\" is no Origin-Host; it has a realm behind its first dot\n",
			options->name);
		return -EINVAL;
	}
	mme->us = (struct diameter_us){
		.origin_host = options->name,
		.origin_realm = dot + 1,
		.state_id = (uint32_t)time(NULL),
	};
	mme->question = calloc(SIM_DEPTH_MAX, sizeof(*mme->question));
	if (!mme->question)
		return -ENOMEM;
	if (sim_link_open(&dialog->link, options->host, options->port, options->timeout_ms))
		return -ECONNREFUSED;
	return greet(mme);
}

/* Politely where that is of use. */
static void end(struct sim_dialog *dialog, int err)
{
	struct mme *mme = (struct mme *)dialog;
	uint8_t buf[DIAMETER_BASE_ROOM];
	int len;

	if (!err || err == -ETIMEDOUT || err == -EREMOTEIO || (err == -EINVAL && is_greeted(dialog))) {
		len = diameter_dpr(&mme->us, DIAMETER_DO_NOT_WANT_TO_TALK_TO_YOU, mme->next, mme->next, buf,
				   sizeof(buf));
		if (len > 0 && !sim_link_send(&dialog->link, buf, (size_t)len))
			sim_dialog_wait(dialog, is_parted, GOODBYE_MS);
	}
	free(mme->question);
}

/* --- commands --------------------------------------------------------------------------------- */

static const struct sim_protocol protocol = {begin, take, write_question, end};

static const struct sim_command commands[] = {
	{"check", 1, INT_MAX, sim_dialog_check, "an IMEI", "IMEI...", SIM_CHECK_HELP},
	{"listen", 0, INT_MAX, sim_dialog_listen, "IMEIs", "[IMEI...]",
	 "ask, then stay connected and answer watchdogs"},
	{"load", 2, 2, sim_dialog_load, "COUNT and DEPTH", "COUNT DEPTH", SIM_LOAD_HELP},
	{0},
};

static int run_s13(const struct sim_options *options, const struct sim_command *command, int argc, char **argv)
{
	struct mme mme = {.dialog = {.options = options, .protocol = &protocol, .score.verdicts = verdicts}};

	return sim_dialog_run(&mme.dialog, command, argc, argv);
}

const struct sim_counterpart sim_s13 = {
	.name = "s13",
	.sentence = "an MME (Diameter S13)",
	.port = "3868",
	.called = "mme.epc.mnc001.mcc001.3gppnetwork.org",
	.run = run_s13,
	.commands = commands,
};
