/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The admin listener.
 *
 * Own code, because weir-gate may link no HTTP library (tests/lint/symbols.sh) and three pages for machines need none:
 * reading a request head is request.c, and an answer is always one block that ends the connection.  It must stay
 * this small: what people use is the keeper's interface, with a library under it.
 *
 * A connection reads, then writes, then drains (so that closing does not reset what the peer has yet to read) and has
 * one timer for the step it is in. */
#define _GNU_SOURCE
#include "daemon/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/linuxlist.h>
#include <osmocom/core/select.h>
#include <osmocom/core/talloc.h>
#include <osmocom/core/timer.h>

#include "daemon/daemon.h"
#include "daemon/request.h"

#define DRAIN_MS 1000

struct admin {
	struct osmo_fd listener;
	char addr[16];
	uint16_t port;
	const struct admin_page *pages;
	unsigned n_pages;
	void *data;
	struct llist_head connections;
	unsigned n_connections;
};

enum admin_step {
	ADMIN_READING,
	ADMIN_WRITING,
	ADMIN_DRAINING
};

struct connection {
	struct llist_head entry;
	struct admin *admin;
	struct osmo_fd ofd;
	struct osmo_timer_list timer;
	enum admin_step step;
	char request[REQUEST_MAX];
	size_t len;
	struct daemon_text answer;
	size_t sent;
};

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{200, "OK"},
	{400, "Bad Request"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{414, "URI Too Long"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

static const char *status_phrase(int status)
{
	for (unsigned i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "";
}

static void connection_free(struct connection *connection)
{
	osmo_timer_del(&connection->timer);
	osmo_fd_unregister(&connection->ofd);
	close(connection->ofd.fd);
	llist_del(&connection->entry);
	connection->admin->n_connections--;
	daemon_text_free(&connection->answer);
	talloc_free(connection);
}

static void step_to(struct connection *connection, enum admin_step step, unsigned ms)
{
	connection->step = step;
	if (step == ADMIN_WRITING)
		osmo_fd_write_enable(&connection->ofd);
	else
		osmo_fd_write_disable(&connection->ofd);
	if (step == ADMIN_WRITING)
		osmo_fd_read_disable(&connection->ofd);
	else
		osmo_fd_read_enable(&connection->ofd);
	osmo_timer_schedule(&connection->timer, ms / 1000, (ms % 1000) * 1000);
}

/* Head and body of an answer; page may have failed. */
static void answer_write(struct daemon_text *out, int status, const char *type, const struct daemon_text *page)
{
	if (page->failed)
		status = 500;
	daemon_text_add(out,
			"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s"
			"Connection: close\r\n\r\n%s",
			status, status_phrase(status), type, page->len, status == 405 ? "Allow: GET\r\n" : "",
			page->text ? page->text : "");
}

static void answer_error(struct daemon_text *out, int status)
{
	struct daemon_text page = {0};

	daemon_text_add(&page, "%d %s\n", status, status_phrase(status));
	answer_write(out, status, "text/plain; charset=utf-8", &page);
	daemon_text_free(&page);
}

static void answer_page(struct connection *connection, const char *path)
{
	const struct admin *admin = connection->admin;
	struct daemon_text page = {0};

	for (unsigned i = 0; i < admin->n_pages; i++) {
		int status;

		if (strcmp(admin->pages[i].path, path))
			continue;
		status = admin->pages[i].write(&page, admin->data);
		answer_write(&connection->answer, status, admin->pages[i].type, &page);
		daemon_text_free(&page);
		return;
	}
	answer_error(&connection->answer, 404);
}

static void connection_answer(struct connection *connection, int status, const char *path)
{
	if (status == 200)
		answer_page(connection, path);
	else
		answer_error(&connection->answer, status);
	if (connection->answer.failed)
		connection_free(connection); /* no memory for an answer */
	else
		step_to(connection, ADMIN_WRITING, ADMIN_ANSWER_MS);
}

static void connection_read(struct connection *connection)
{
	char path[REQUEST_MAX_PATH];
	ssize_t n;
	int status;

	n = read(connection->ofd.fd, connection->request + connection->len,
		 sizeof(connection->request) - connection->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_free(connection);
		return;
	}
	connection->len += (size_t)n;
	status = request_read(connection->request, connection->len, path);
	if (status != REQUEST_MORE)
		connection_answer(connection, status, path);
}

static void connection_write(struct connection *connection)
{
	const struct daemon_text *answer = &connection->answer;
	ssize_t n =
		send(connection->ofd.fd, answer->text + connection->sent, answer->len - connection->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_free(connection);
		return;
	}
	connection->sent += (size_t)n;
	if (connection->sent < answer->len)
		return;
	shutdown(connection->ofd.fd, SHUT_WR);
	step_to(connection, ADMIN_DRAINING, DRAIN_MS);
}

static void connection_drain(struct connection *connection)
{
	ssize_t n = read(connection->ofd.fd, connection->request, sizeof(connection->request));

	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_free(connection);
}

static int connection_event(struct osmo_fd *ofd, unsigned what)
{
	struct connection *connection = ofd->data;

	(void)what;
	if (connection->step == ADMIN_READING)
		connection_read(connection);
	else if (connection->step == ADMIN_WRITING)
		connection_write(connection);
	else
		connection_drain(connection);
	return 0;
}

static void connection_timeout(void *data)
{
	struct connection *connection = data;

	if (connection->step == ADMIN_READING)
		connection_answer(connection, 408, NULL);
	else
		connection_free(connection);
}

/* One more than we keep: told so as far as its buffer takes it, and closed. */
static void turn_away(int fd)
{
	struct daemon_text answer = {0};

	answer_error(&answer, 503);
	if (answer.text && send(fd, answer.text, answer.len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	daemon_text_free(&answer);
	close(fd);
}

static void connection_alloc(struct admin *admin, int fd)
{
	struct connection *connection = talloc_zero(admin, struct connection);

	if (!connection) {
		close(fd);
		return;
	}
	connection->admin = admin;
	osmo_fd_setup(&connection->ofd, fd, OSMO_FD_READ, connection_event, connection, 0);
	if (osmo_fd_register(&connection->ofd)) {
		close(fd);
		talloc_free(connection);
		return;
	}
	osmo_timer_setup(&connection->timer, connection_timeout, connection);
	llist_add_tail(&connection->entry, &admin->connections);
	admin->n_connections++;
	step_to(connection, ADMIN_READING, ADMIN_REQUEST_MS);
}

static int listener_event(struct osmo_fd *ofd, unsigned what)
{
	struct admin *admin = ofd->data;
	int fd = accept4(ofd->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return 0;
	if (admin->n_connections >= ADMIN_MAX_CONNECTIONS)
		turn_away(fd);
	else
		connection_alloc(admin, fd);
	return 0;
}

/* A listening socket or a negative errno. */
static int listen_at(const char *addr, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd, err, on = 1;

	if (inet_pton(AF_INET, addr, &at.sin_addr) != 1)
		return -EINVAL;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, ADMIN_MAX_CONNECTIONS))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

struct admin *admin_alloc(void *ctx, const char *addr, uint16_t port, const struct admin_page *pages, unsigned n,
			  void *data, struct weir_why *why)
{
	struct admin *admin;
	int fd = listen_at(addr, port);

	if (fd < 0) {
		why_set(why, fd, "admin listen %s %u: %s; another port or 'no listen' would be right", addr, port,
			strerror(-fd));
		return NULL;
	}
	admin = talloc_zero(ctx, struct admin);
	if (!admin) {
		close(fd);
		why_set(why, -ENOMEM, "admin listen: no memory");
		return NULL;
	}
	snprintf(admin->addr, sizeof(admin->addr), "%s", addr);
	admin->port = port;
	admin->pages = pages;
	admin->n_pages = n;
	admin->data = data;
	INIT_LLIST_HEAD(&admin->connections);
	osmo_fd_setup(&admin->listener, fd, OSMO_FD_READ, listener_event, admin, 0);
	osmo_fd_register(&admin->listener);
	return admin;
}

void admin_free(struct admin *admin)
{
	struct connection *connection, *next;

	if (!admin)
		return;
	llist_for_each_entry_safe(connection, next, &admin->connections, entry)
		connection_free(connection);
	osmo_fd_unregister(&admin->listener);
	close(admin->listener.fd);
	talloc_free(admin);
}

bool admin_is_at(const struct admin *admin, const char *addr, uint16_t port)
{
	return admin && admin->port == port && !strcmp(admin->addr, addr);
}
