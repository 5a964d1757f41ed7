/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The life of the gate: configuration into force, ports open, the register followed, an orderly end.
 *
 * It decides nothing about a check and knows no protocol. */
#include "gate/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/talloc.h>

#include "daemon/daemon.h"
#include "gate/door.h"
#include "gate/gsup.h"
#include "gate/log.h"
#include "gate/n5g.h"
#include "gate/notify.h"
#include "gate/nrf.h"
#include "gate/peers.h"
#include "gate/s13.h"
#include "gate/traffic.h"
#include "gate/warnings.h"
#include "register/register.h"

#define OTHER_FILES   64 /* descriptors that are no traffic: store, VTY, log, listeners */
#define DAY_S         86400
#define STORE_CLEAR_S 10 /* no look-up failed for so long: the store is well again */

struct gate *gate_alloc(void *ctx)
{
	struct gate *gate = talloc_zero(ctx, struct gate);

	if (!gate)
		return NULL;
	gate->draft = talloc_zero(gate, struct gate_config);
	gate->current = talloc_zero(gate, struct gate_config);
	if (!gate->draft || !gate->current || nrf_uuid_make(gate->instance_id)) {
		talloc_free(gate);
		return NULL;
	}
	config_init(gate->draft);
	config_init(gate->current);
	return gate;
}

/* --- configuration */

/* Who registers must be somebody: for want of a configured NF instance id one of this start, which is not given back as
 * configuration. */
static void give_identity(const struct gate *gate, struct gate_config *config)
{
	if (!config->n5g.instance_id[0] && config->nrf.n_servers)
		memcpy(config->n5g.instance_id, gate->instance_id, sizeof(gate->instance_id));
}

static void forget_identity(const struct gate *gate, struct gate_config *config)
{
	if (!strcmp(config->n5g.instance_id, gate->instance_id))
		config->n5g.instance_id[0] = '\0';
}

int gate_config_begin(void *root)
{
	struct gate *gate = root;

	config_init(gate->draft);
	return 0;
}

void gate_config_abort(void *root)
{
	struct gate *gate = root;

	*gate->draft = *gate->current;
	forget_identity(gate, gate->draft);
}

/* Connections need descriptors; the usual soft limit of 1024 is for programs that use select(). */
static void raise_files(unsigned connections)
{
	struct rlimit files;
	rlim_t need = 2ull * connections + OTHER_FILES; /* each peer may have a connection to the HLR */

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= need)
		return;
	files.rlim_cur = need < files.rlim_max ? need : files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur < need)
		LOGP(DGATE, LOGL_ERROR,
		     "max-connections %u needs %llu open files, %llu are allowed; raise LimitNOFILE\n", connections,
		     (unsigned long long)need, (unsigned long long)files.rlim_cur);
}

static struct nrf_self nrf_self_of(const struct gate_config *config)
{
	return (struct nrf_self){
		.instance_id = config->n5g.instance_id,
		.door = &config->n5g.door,
		.oauth2_required = config->n5g.token.mode == TOKEN_REQUIRED,
	};
}

/* What can be said of a configuration without a port: at the start, and for -t. */
static int check_config(const struct gate_config *config, struct weir_why *why)
{
	const struct nrf_self self = nrf_self_of(config);
	int rc = s13_check_config(&config->s13, why);

	if (!rc)
		rc = n5g_check_config(&config->n5g, why);
	if (!rc)
		rc = nrf_check_config(&config->nrf, &self, why);
	return rc;
}

/* All interfaces get ready or none moves: ports that are taken and certificates that cannot be read show here. */
static int prepare(struct gate *gate, const struct gate_config *config, struct weir_why *why)
{
	const struct nrf_self self = nrf_self_of(config);
	int rc = gsup_prepare(gate->gsup, &config->gsup, why);

	if (!rc)
		rc = s13_prepare(gate->s13, &config->s13, why);
	if (!rc)
		rc = n5g_prepare(gate->n5g, &config->n5g, why);
	if (!rc)
		rc = nrf_prepare(gate->nrf, &config->nrf, &self, why);
	if (rc) {
		gsup_abort(gate->gsup);
		s13_abort(gate->s13);
		n5g_abort(gate->n5g);
		nrf_abort(gate->nrf);
	}
	return rc;
}

static void commit(struct gate *gate, const struct gate_config *config)
{
	gate->check.capacity = config->capacity;
	gsup_commit(gate->gsup);
	s13_commit(gate->s13);
	n5g_commit(gate->n5g);
	nrf_commit(gate->nrf); /* after the ports are open that it tells of */
}

static void limit_connections(struct gate *gate, const struct gate_config *config)
{
	raise_files(config->max_connections);
	traffic_limit(gate->traffic, config->max_connections);
}

/* The interfaces first: they can fail, for a port that is taken.  A policy that could be made is only swapped in. */
static int put_in_force(struct gate *gate, struct gate_config *config, struct weir_policy *policy, struct weir_why *why)
{
	int rc;

	if (gate->started) {
		limit_connections(gate, config);
		rc = prepare(gate, config, why);
		if (rc) {
			limit_connections(gate, gate->current);
			return rc;
		}
		commit(gate, config);
	}
	policy_free(gate->check.policy);
	gate->check.policy = policy;
	talloc_free(gate->current);
	gate->current = config;
	if (gate->started) {
		gsup_policy_changed(gate->gsup);
		s13_policy_changed(gate->s13);
		n5g_policy_changed(gate->n5g);
	}
	return 0;
}

static void warn(const char *sentence, void *data)
{
	(void)data;
	if (daemon_only_checks())
		fprintf(stderr, "weir-gate: warning: %s\n", sentence);
	else
		LOGP(DGATE, LOGL_NOTICE, "%s\n", sentence);
}

static void warn_of_config(const struct gate_config *config)
{
	const struct nrf_self self = nrf_self_of(config);

	warnings_config(config, &self, daemon_now_ms() / 1000, warn, NULL);
}

/* Those in force, which may be others than their files by now: once a day, so that an end in sight is heard of. */
static void warn_of_certificates(const struct gate *gate)
{
	const struct gate_config *config = gate->current;
	int64_t now_s = daemon_now_ms() / 1000;

	warnings_certificate("s13", config->s13.door.tls.certificate, door_certificate(s13_door(gate->s13)), NULL,
			     now_s, warn, NULL);
	warnings_certificate("n5g", config->n5g.door.tls.certificate, door_certificate(n5g_door(gate->n5g)), NULL,
			     now_s, warn, NULL);
	warnings_certificate("nrf", config->nrf.tls.certificate, nrf_certificate(gate->nrf), NULL, now_s, warn, NULL);
}

int gate_config_commit(void *root, struct weir_why *why)
{
	struct gate *gate = root;
	struct weir_policy_draft draft = config_policy_draft(gate->draft);
	struct gate_config *config = talloc_memdup(gate, gate->draft, sizeof(*gate->draft));
	struct weir_policy *policy = config ? policy_alloc(&draft, why) : NULL;
	int rc;

	if (!config)
		return why_set(why, -ENOMEM, "out of memory for the configuration");
	give_identity(gate, config);
	rc = policy ? 0 : -EINVAL;
	if (!rc && !gate->started)
		rc = check_config(config, why);
	if (!rc)
		rc = put_in_force(gate, config, policy, why);
	if (rc) {
		policy_free(policy);
		talloc_free(config);
	} else {
		warn_of_config(gate->current);
	}
	return rc;
}

/* --- the register */

static void raise_alarm(struct gate *gate, const char *sentence)
{
	why_set(&gate->store_why, 0, "%s", sentence);
	gate->store_failed = true;
	gate->store_failures++;
	LOGP(DGATE, LOGL_ERROR, "register failed: %s; checks are answered as the policy says for a failed store\n",
	     sentence);
}

static void clear_alarm(struct gate *gate)
{
	gate->store_failed = false;
	LOGP(DGATE, LOGL_NOTICE, "register is well again\n");
}

/* The level of the alarm.  What keeps it from opening counts at once; a look-up that failed counts until none has for a
 * while, so that one bad record that is asked for now and then does not ring again and again. */
static int store_level(struct gate *gate, int follow)
{
	int err = gate->check.store_error;

	if (follow < 0)
		return follow;
	if (follow == 1) {
		gate->check.store_error = 0; /* another one: what the last one failed with says nothing about it */
		return 0;
	}
	gate->check.store_error = 0; /* the next failure sets it again */
	gate->store_well_s = err ? 0 : gate->store_well_s + 1;
	return err || !gate->store_failed || gate->store_well_s >= STORE_CLEAR_S ? err : -EIO;
}

void gate_follow(struct gate *gate)
{
	struct weir_why why = {""};
	int rc = store_level(gate, register_follow(daemon_state_dir(), &gate->check.reg, &why));

	if (rc && !gate->store_failed)
		raise_alarm(gate, why.text[0] ? why.text : strerror(abs(rc)));
	else if (!rc && gate->store_failed)
		clear_alarm(gate);
}

void gate_follow_soon(struct gate *gate)
{
	if (!gate->check.reg || register_follow(daemon_state_dir(), &gate->check.reg, NULL) != 1)
		return;
	gate->check.store_error = 0;
	if (gate->store_failed)
		clear_alarm(gate);
}

static void set_clock(struct gate *gate)
{
	traffic_set_clock(gate->traffic, daemon_now_ms() * 1000 - daemon_mono_us());
}

/* Everybody has gone and the NRF knows it. */
static void quit_when_done(struct gate *gate)
{
	if (gate->stopping && !traffic_count(gate->traffic) && nrf_done(gate->nrf))
		daemon_quit();
}

static void each_tenth(void *data)
{
	struct gate *gate = data;

	osmo_timer_schedule(&gate->tenth, 0, 100 * 1000);
	gate_follow_soon(gate);
	nrf_turn(gate->nrf, daemon_mono_us());
	quit_when_done(gate);
}

static void orders_came(void *data)
{
	gate_follow_soon(data);
}

/* Turns that answered, of the time since the last look; idle turns and other work of the loop do not count.  And how
 * many checks that were. */
static void measure_load(struct gate *gate)
{
	int64_t now_us = daemon_mono_us(), span_us = now_us - gate->load_since_us;

	if (gate->load_since_us && span_us > 0)
		gate->check.load = gate->busy_us >= span_us ? 100 : (unsigned)(gate->busy_us * 100 / span_us);
	gate->busy_us = 0;
	gate->load_since_us = now_us;
	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		gate->check.per_second[i] = (unsigned)(gate->check.counters[i].received - gate->received[i]);
		gate->received[i] = gate->check.counters[i].received;
	}
}

static void each_second(void *data)
{
	struct gate *gate = data;

	osmo_timer_schedule(&gate->second, 1, 0);
	gate_follow(gate);
	set_clock(gate);
	measure_load(gate);
	nrf_operative(gate->nrf, !gate->store_failed);
	gsup_expire(gate->gsup, daemon_mono_us());
	notify_flush(gate->notify, daemon_mono_us(), daemon_now_ms() / 1000);
	notify_second(gate->notify);
	if (++gate->certificates_s >= DAY_S) {
		gate->certificates_s = 0;
		warn_of_certificates(gate);
	}
}

unsigned gate_counter_tables(const struct gate *gate, struct counter_table tables[static GATE_COUNTER_TABLES])
{
	unsigned n = 0;

	tables[n++] = gsup_counter_table(gate->gsup);
	tables[n++] = s13_counter_table(gate->s13);
	tables[n++] = n5g_counter_table(gate->n5g);
	tables[n++] = token_counter_table(n5g_tokens(gate->n5g));
	tables[n++] = nrf_counter_table(gate->nrf);
	return n;
}

/* --- start and stop */

/* After the answers have left: how long it took, and what the keeper should know.  The second look at the clock is the
 * last of the turn and no system call. */
static void turned(void *data, int64_t start_us)
{
	struct gate *gate = data;
	int64_t now_us = 0;

	for (unsigned i = 0; i < WEIR_N_INTERFACES; i++) {
		unsigned n = gate->check.answered[i];
		if (!n)
			continue;
		if (!now_us)
			now_us = daemon_mono_us();
		check_histogram_add(&gate->check.histogram[i], now_us - start_us, n);
		gate->check.answered[i] = 0;
	}
	if (!now_us)
		return;
	gate->busy_us += now_us - start_us;
	if (gate->notify)
		notify_flush(gate->notify, now_us, traffic_wall_s(gate->traffic));
}

static void idle(void *data)
{
	quit_when_done(data);
}

static int open_interfaces(struct gate *gate, struct weir_why *why)
{
	const struct traffic_hooks hooks = {.turned = turned, .idle = idle, .data = gate};
	int rc;

	gate->peers = peers_alloc(gate);
	gate->traffic = traffic_alloc(gate, &hooks, why);
	if (!gate->peers || !gate->traffic)
		return -ENOMEM;
	gate->gsup = gsup_alloc(gate, &gate->check, gate->traffic, gate->peers);
	gate->s13 = s13_alloc(gate, &gate->check, gate->traffic, gate->peers);
	gate->n5g = n5g_alloc(gate, &gate->check, gate->traffic, gate->peers);
	gate->nrf = nrf_alloc(gate, &gate->check, gate->traffic);
	if (!gate->gsup || !gate->s13 || !gate->n5g || !gate->nrf)
		return why_set(why, -ENOMEM, "out of memory");
	gate->notify = notify_alloc(gate, &gate->check, gate->gsup, gate->peers, why);
	if (!gate->notify)
		return -EIO;
	notify_set_follow(gate->notify, orders_came, gate);
	limit_connections(gate, gate->current);
	set_clock(gate);
	rc = prepare(gate, gate->current, why);
	if (rc)
		return rc;
	commit(gate, gate->current);
	nrf_operative(gate->nrf, !gate->store_failed);
	if (traffic_start(gate->traffic))
		return why_set(why, -ENOMEM, "the traffic sockets cannot be hung into the loop");
	return 0;
}

int gate_start(void *root, struct weir_why *why)
{
	struct gate *gate = root;
	int rc;

	gate_follow(gate);
	rc = open_interfaces(gate, why);
	if (rc)
		return rc;
	gate->started = true;
	osmo_timer_setup(&gate->second, each_second, gate);
	osmo_timer_schedule(&gate->second, 1, 0);
	osmo_timer_setup(&gate->tenth, each_tenth, gate);
	osmo_timer_schedule(&gate->tenth, 0, 100 * 1000);
	daemon_metrics_hook(gate_metrics, gate);
	return 0;
}

bool gate_ready(void *root, struct weir_why *why)
{
	struct gate *gate = root;

	if (!gate->store_failed)
		return true;
	why_set(why, 0, "register: %s", gate->store_why.text);
	return false;
}

void gate_stop(void *root)
{
	struct gate *gate = root;

	gate->stopping = true;
	traffic_turn(gate->traffic, daemon_mono_us()); /* what has arrived by now is still answered */
	nrf_stop(gate->nrf); /* first: who is told goodbye below need not find us there any more */
	gsup_stop(gate->gsup);
	s13_stop(gate->s13);
	n5g_stop(gate->n5g);
	quit_when_done(gate);
}

void gate_fini(void *root)
{
	struct gate *gate = root;

	osmo_timer_del(&gate->second);
	osmo_timer_del(&gate->tenth);
	notify_free(gate->notify);
	gsup_free(gate->gsup);
	s13_free(gate->s13);
	nrf_free(gate->nrf);
	n5g_free(gate->n5g);
	traffic_free(gate->traffic);
	register_close(gate->check.reg);
	policy_free(gate->check.policy);
	talloc_free(gate);
}
