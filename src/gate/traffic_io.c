/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* How octets travel: plain TCP, TLS over it (RFC 8446), SCTP (RFC 9260, RFC 6458).
 *
 * Above this file a connection is two streams of octets.  Here is the rest: records of TLS, of which some may be
 * decrypted already while the socket is quiet, and user messages of SCTP, of which each holds one message of the
 * protocol (RFC 6733 2.1.1).  SCTP sockets are one-to-one: they read like a stream. */
#define _GNU_SOURCE /* sendmmsg */
#include "gate/traffic_inside.h"

#include <errno.h>
#include <linux/sctp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <osmocom/core/logging.h>
#include <osmocom/core/socket.h>
#include <osmocom/core/utils.h>

#include "gate/log.h"
#include "gate/tls.h"

#define MESSAGES_AT_ONCE 32

/* A read brings one user message: several reads, so that what has come is answered together. */
static ssize_t read_messages(struct traffic_conn *c, uint8_t *buf, size_t size)
{
	size_t got = 0;
	ssize_t n = 0;

	for (unsigned i = 0; i < MESSAGES_AT_ONCE && got < size; i++) {
		n = recv(c->fd, buf + got, size - got, 0);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (got)
		return (ssize_t)got; /* an end or an error comes again */
	return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : 0;
}

/* Under the interface's own name: who looks for a peer that does not come looks there. */
static void log_tls(const struct traffic_conn *c, const char *what, const char *said)
{
	char text[GATE_ADDRESS_TEXT];

	LOGP(c->kind ? c->kind->log : DTRAFFIC, LOGL_INFO, "%s: %s: %s: %s\n", c->kind ? c->kind->name : "?",
	     address_print_port(text, &c->remote), what, said);
}

ssize_t traffic_io_read(struct traffic_conn *c, void *buf, size_t size)
{
	ssize_t n;

	if (c->transport == GATE_SCTP)
		return read_messages(c, buf, size);
	n = c->tls ? tls_recv(c->tls, buf, size) : recv(c->fd, buf, size, 0);

	if (c->tls && n == -EPROTO && tls_complaint(c->tls))
		log_tls(c, "the peer says", tls_complaint(c->tls));
	if (c->tls || n >= 0)
		return n;
	return errno == EINTR ? -EAGAIN : -errno;
}

bool traffic_io_pending(const struct traffic_conn *c)
{
	return c->tls && !c->securing && tls_pending(c->tls) > 0;
}

/* Each message on its own; what does not go any more is told by how much did. */
static ssize_t write_messages(struct traffic_conn *c, const uint8_t *octets, size_t len)
{
	struct mmsghdr message[MESSAGES_AT_ONCE] = {0};
	struct iovec piece[MESSAGES_AT_ONCE];
	size_t at = 0, sent = 0;
	unsigned n = 0;
	int rc;

	while (at < len && n < MESSAGES_AT_ONCE) {
		size_t one = c->message ? c->message(octets + at, len - at) : 0;
		if (!one || one > len - at)
			one = len - at;
		piece[n] = (struct iovec){.iov_base = (void *)(uintptr_t)(octets + at), .iov_len = one};
		message[n].msg_hdr = (struct msghdr){.msg_iov = &piece[n], .msg_iovlen = 1};
		at += one;
		n++;
	}
	rc = sendmmsg(c->fd, message, n, MSG_NOSIGNAL);
	if (rc < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	for (int i = 0; i < rc; i++)
		sent += message[i].msg_len;
	return (ssize_t)sent;
}

ssize_t traffic_io_write(struct traffic_conn *c, const uint8_t *octets, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_send(c->tls, octets, len);
	if (c->transport == GATE_SCTP)
		return write_messages(c, octets, len);
	n = send(c->fd, octets, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

int traffic_io_secure(struct traffic_conn *c)
{
	struct weir_why why = {""};
	int rc = tls_handshake(c->tls, &why);

	if (rc == -EPROTO)
		log_tls(c, "TLS failed", why.text);
	return rc;
}

/* --- sockets */

void traffic_io_options(int fd, const struct traffic_kind *kind, enum gate_transport transport)
{
	struct sctp_sndrcvinfo info = {.sinfo_ppid = htonl(kind->sctp_ppid)};
	int one = 1;

	/* Best effort: a socketpair of a test knows none, and an answer without them is still an answer. */
	if (transport == GATE_SCTP) {
		setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_SCTP, SCTP_DEFAULT_SEND_PARAM, &info, sizeof(info));
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

static int listen_sctp(const struct gate_place *place)
{
	char text[GATE_HOMES][GATE_ADDRESS_TEXT];
	const char *host[GATE_HOMES];
	int fd;

	for (unsigned i = 0; i < place->n; i++)
		host[i] = address_print(text[i], &place->address[i]);
	fd = osmo_sock_init2_multiaddr(AF_UNSPEC, SOCK_STREAM, IPPROTO_SCTP, host, place->n, place->address[0].port,
				       NULL, 0, 0, OSMO_SOCK_F_BIND | OSMO_SOCK_F_NONBLOCK);
	if (fd < 0)
		return errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT ? -EPROTONOSUPPORT : fd;
	if (listen(fd, 1024)) {
		int err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int traffic_io_listen(const struct gate_place *place)
{
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(&place->address[0], &sa);
	int fd, err, one = 1;

	if (place->transport == GATE_SCTP)
		return listen_sctp(place);
	fd = socket(place->address[0].family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&sa, len) == 0 && listen(fd, 1024) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* --- our addresses */

static unsigned sctp_homes(int fd, struct gate_address *out, unsigned max)
{
	union {
		struct sctp_getaddrs head;
		uint8_t octets[sizeof(struct sctp_getaddrs) + 16 * sizeof(struct sockaddr_in6)];
	} buf = {.head.assoc_id = 0};
	socklen_t len = sizeof(buf);
	size_t at = offsetof(struct sctp_getaddrs, addrs);
	unsigned n = 0;

	if (getsockopt(fd, IPPROTO_SCTP, SCTP_GET_LOCAL_ADDRS, &buf, &len))
		return 0;
	for (unsigned i = 0; i < buf.head.addr_num && n < max; i++) {
		struct sockaddr_storage sa = {0};
		const struct sockaddr *one = (const struct sockaddr *)(buf.octets + at);
		size_t size = one->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		if (at + size > sizeof(buf))
			break;
		memcpy(&sa, one, size);
		address_from_sockaddr(&sa, &out[n]);
		n += out[n].family != 0;
		at += size;
	}
	return n;
}

unsigned traffic_local(const struct traffic_conn *c, struct gate_address *out, unsigned max)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	unsigned n = c->transport == GATE_SCTP ? sctp_homes(c->fd, out, max) : 0;

	if (n || !max || getsockname(c->fd, (struct sockaddr *)&sa, &len))
		return n;
	address_from_sockaddr(&sa, out);
	return out->family ? 1 : 0;
}
