/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* libmicrohttpd in the loop.
 *
 * The library runs without threads: its epoll descriptor is one osmo_fd of ours, and because that set is edge-triggered
 * a timer follows MHD_get_timeout() after each MHD_run().  Its own time-outs are not used (they restart with every
 * octet): the reaper below cuts by total deadlines. */
#include "keeper/http_inside.h"

#include <osmocom/core/logging.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "keeper/main.h"

#define RUNS_A_TURN  4 /* MHD_run calls before the turn's work is done */
#define CLOSING_RUNS 50
#define IDLE_MIN_US  1000000 /* nobody loses his place sooner */

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void arm_run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (http->again)
		osmo_timer_schedule(&http->run_timer, 0, 0);
	else if (MHD_get_timeout(http->mhd, &ms) == MHD_YES)
		osmo_timer_schedule(&http->run_timer, (int)(ms / 1000), (int)(ms % 1000) * 1000);
	else
		osmo_timer_del(&http->run_timer);
}

void http_again(struct http *http)
{
	http->again = true;
	if (!http->running)
		arm_run(http);
}

static bool has_more(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(http->mhd, &ms) == MHD_YES && ms == 0;
}

static void http_run(struct http *http)
{
	unsigned runs = 0;

	http->running = true;
	http->again = false;
	do {
		MHD_run(http->mhd);
	} while (++runs < RUNS_A_TURN && has_more(http));
	if (http->spec.turn)
		http->spec.turn(http->spec.root);
	http->running = false;
	arm_run(http);
}

static int epoll_cb(struct osmo_fd *fd, unsigned what)
{
	(void)what;
	http_run(fd->data);
	return 0;
}

static void run_cb(void *data)
{
	http_run(data);
}

/* --- connections ------------------------------------------------------------------------------------------------ */

int64_t http_grace_us(const struct http *http)
{
	return (int64_t)http->spec.request_timeout_s * 1000000;
}

/* Nothing of it has passed our checks: it says nothing, or was refused and goes on sending. */
static bool is_idle(const struct http_connection *connection)
{
	const struct http_request *request = connection->request;

	return !request || !request->begun || (request->response && !request->opened);
}

/* Every place is taken and somebody waits: the idlest goes.  Each that comes then makes room for the next. */
static void make_room(struct http *http)
{
	struct http_connection *connection, *idlest = NULL;
	struct pollfd waiting = {.fd = http->listener, .events = POLLIN};

	if (http->stats.connections < http->spec.max_connections || poll(&waiting, 1, 0) != 1)
		return;
	llist_for_each_entry(connection, &http->connections, entry) {
		if (connection->deadline_us && is_idle(connection) &&
		    (!idlest || connection->idle_us < idlest->idle_us))
			idlest = connection;
	}
	if (!idlest || daemon_mono_us() - idlest->idle_us < IDLE_MIN_US)
		return;
	LOGP(DHTTP, LOGL_INFO, "%s is idle and its place is needed, cut\n", idlest->peer.actor);
	http->stats.cut++;
	idlest->deadline_us = 0;
	shutdown(idlest->fd, SHUT_RDWR);
}

static void reaper_cb(void *data)
{
	struct http *http = data;
	struct http_connection *connection;
	int64_t now = daemon_mono_us();

	llist_for_each_entry(connection, &http->connections, entry) {
		if (!connection->deadline_us || connection->deadline_us > now)
			continue;
		LOGP(DHTTP, LOGL_INFO, "%s is too slow, cut\n", connection->peer.actor);
		http->stats.cut++;
		connection->deadline_us = 0;
		shutdown(connection->fd, SHUT_RDWR);
	}
	make_room(http);
	osmo_timer_schedule(&http->reaper, 1, 0);
}

static struct http_connection *connection_alloc(struct http *http, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_connection *connection = calloc(1, sizeof(*connection));

	if (!connection || !info || http_peer_of(info->connect_fd, &connection->peer) < 0) {
		free(connection);
		return NULL;
	}
	connection->http = http;
	connection->fd = info->connect_fd;
	connection->idle_us = daemon_mono_us();
	connection->deadline_us = connection->idle_us + http_grace_us(http);
	llist_add_tail(&connection->entry, &http->connections);
	http->stats.accepted++;
	http->stats.connections++;
	make_room(http);
	return connection;
}

static void connection_cb(void *data, struct MHD_Connection *mhd, void **slot, enum MHD_ConnectionNotificationCode code)
{
	struct http *http = data;
	struct http_connection *connection = *slot;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*slot = connection_alloc(http, mhd);
	} else if (connection) {
		llist_del(&connection->entry);
		http->stats.connections--;
		http->again = true; /* at its limit the library looks at its listener again only when it runs */
		free(connection);
		*slot = NULL;
	}
}

/* --- the server ------------------------------------------------------------------------------------------------- */

static void log_cb(void *data, const char *format, va_list args)
{
	char text[240];

	(void)data;
	vsnprintf(text, sizeof(text), format, args);
	LOGP(DHTTP, LOGL_DEBUG, "%s", text);
}

static int start_library(struct http *http, struct weir_why *why)
{
	const union MHD_DaemonInfo *info;

	/* clang-format off */
	http->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, http_access_cb, http,
		MHD_OPTION_EXTERNAL_LOGGER, log_cb, http,
		MHD_OPTION_LISTEN_SOCKET, http->listener,
		MHD_OPTION_CONNECTION_LIMIT, http->spec.max_connections,
		MHD_OPTION_CONNECTION_TIMEOUT, 0u,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, connection_cb, http,
		MHD_OPTION_NOTIFY_COMPLETED, http_completed_cb, http,
		MHD_OPTION_URI_LOG_CALLBACK, http_uri_cb, http,
		MHD_OPTION_UNESCAPE_CALLBACK, http_no_unescape_cb, http,
		MHD_OPTION_END);
	/* clang-format on */
	if (!http->mhd)
		return why_set(why, -EIO, "libmicrohttpd did not start");
	info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return why_set(why, -EIO, "libmicrohttpd has no epoll descriptor");
	osmo_fd_setup(&http->epoll, info->epoll_fd, OSMO_FD_READ, epoll_cb, http, 0);
	return osmo_fd_register(&http->epoll);
}

int http_open(const struct http_spec *spec, struct http **out, struct weir_why *why)
{
	struct http *http = calloc(1, sizeof(*http));
	int rc;

	*out = NULL;
	if (!http)
		return why_set(why, -ENOMEM, "no memory");
	http->spec = *spec;
	http->epoll.fd = -1;
	INIT_LLIST_HEAD(&http->connections);
	INIT_LLIST_HEAD(&http->requests);
	osmo_timer_setup(&http->run_timer, run_cb, http);
	osmo_timer_setup(&http->reaper, reaper_cb, http);
	http->listener = http_listener_open(spec->path, why);
	if (http->listener < 0) {
		rc = http->listener;
		free(http);
		return rc;
	}
	snprintf(http->path, sizeof(http->path), "%s", spec->path);
	rc = start_library(http, why);
	if (rc < 0) {
		http_close(http);
		return rc;
	}
	osmo_timer_schedule(&http->reaper, 1, 0);
	arm_run(http);
	*out = http;
	return 0;
}

/* The library must not hold a suspended connection when it stops. */
static void end_requests(struct http *http)
{
	struct http_request *request, *next;

	llist_for_each_entry_safe(request, next, &http->requests, entry)
		http_request_end(request);
}

static bool is_sending(const struct http *http)
{
	const struct http_request *request;

	llist_for_each_entry(request, &http->requests, entry) {
		if (request->queued || request->response)
			return true;
	}
	return false;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	http->closing = true;
	http->running = true; /* nothing arms the timer from here on */
	unlink(http->path);
	if (http->mhd) {
		MHD_quiesce_daemon(http->mhd);
		end_requests(http);
		for (unsigned runs = 0; runs < CLOSING_RUNS; runs++) {
			MHD_run(http->mhd);
			end_requests(http);
			if (!is_sending(http))
				break;
			poll(NULL, 0, 10);
		}
		end_requests(http);
		MHD_run(http->mhd);
	}
	osmo_timer_del(&http->run_timer);
	osmo_timer_del(&http->reaper);
	if (osmo_fd_is_registered(&http->epoll))
		osmo_fd_unregister(&http->epoll);
	if (http->mhd)
		MHD_stop_daemon(http->mhd);
	close(http->listener);
	free(http);
}

void http_set_access(struct http *http, const struct http_access *access)
{
	http->access = *access;
}

void http_set_timeout(struct http *http, unsigned request_timeout_s)
{
	http->spec.request_timeout_s = request_timeout_s;
}

const struct http_stats *http_stats(const struct http *http)
{
	return &http->stats;
}
