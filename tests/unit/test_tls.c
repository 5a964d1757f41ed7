/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* TLS on traffic sockets, both ends of it: who is let in, that octets arrive whole and in order whatever the sizes, and
 * what a stranger can cost.  Certificates are made by the test. */
#include "pki.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "gate/config.h"
#include "gate/door.h"
#include "gate/tls.h"
#include "gate/traffic.h"
#include "hush.h"
#include "rows.h"

#define SECOND 1000000ll

static struct tls_context *context(enum tls_role role, const char *name, const char *ca, enum tls_demand demand,
				   const char *alpn)
{
	const struct tls_files f = pki_files(name, ca);
	struct tls_context *c = tls_context_alloc(role, &f, demand, alpn, NULL);

	assert_non_null(c);
	return c;
}

/* --- a server that echoes and a client that counts, in one set */

struct end {
	struct traffic_conn *conn;
	unsigned secured, connected, closed;
	enum traffic_end how;
	size_t sent, wanted, got;
	bool wrong;
};

struct stage {
	struct traffic *traffic;
	struct traffic_listener *listener;
	int64_t now_us;
};

static struct end server, client;

static uint8_t octet_at(size_t at)
{
	return (uint8_t)(at * 7 + at / 251);
}

static bool on_accepted(struct traffic_conn *conn, void *owner)
{
	(void)owner;
	server.conn = conn;
	conn->data = &server;
	return true;
}

static void on_secured(struct traffic_conn *conn)
{
	((struct end *)conn->data)->secured++;
}

/* Sends as much as there is room for. */
static void say_more(struct end *end)
{
	while (end->conn && end->sent < end->wanted) {
		size_t room = traffic_room(end->conn), n = end->wanted - end->sent;
		uint8_t *to;
		if (n > 3000)
			n = 3000;
		if (n > room)
			n = room;
		to = traffic_reserve(end->conn, n ? n : 1);
		if (!to || !n)
			return;
		for (size_t i = 0; i < n; i++)
			to[i] = octet_at(end->sent + i);
		traffic_commit(end->conn, n);
		end->sent += n;
	}
}

static void on_connected(struct traffic_conn *conn)
{
	((struct end *)conn->data)->connected++;
	say_more(conn->data);
}

static ssize_t server_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	size_t room = traffic_room(conn);

	if (!room) {
		traffic_reserve(conn, 1); /* drained will come */
		traffic_pause(conn);
		return 0;
	}
	if (len > room)
		len = room;
	assert_true(traffic_send(conn, octets, len));
	return (ssize_t)len;
}

static void server_drained(struct traffic_conn *conn)
{
	traffic_resume(conn);
}

static ssize_t client_consume(struct traffic_conn *conn, const uint8_t *octets, size_t len)
{
	struct end *end = conn->data;

	for (size_t i = 0; i < len; i++)
		end->wrong |= octets[i] != octet_at(end->got + i);
	end->got += len;
	return (ssize_t)len;
}

static void client_drained(struct traffic_conn *conn)
{
	say_more(conn->data);
}

static void on_closed(struct traffic_conn *conn, enum traffic_end how)
{
	struct end *end = conn->data;

	end->closed++;
	end->how = how;
	end->conn = NULL;
}

static const struct traffic_kind server_kind = {
	.name = "server",
	.in_size = 5000,
	.out_size = 7000,
	.accepted = on_accepted,
	.secured = on_secured,
	.consume = server_consume,
	.drained = server_drained,
	.closed = on_closed,
};
static const struct traffic_kind client_kind = {
	.name = "client",
	.in_size = 6000,
	.out_size = 40000,
	.connected = on_connected,
	.consume = client_consume,
	.drained = client_drained,
	.closed = on_closed,
};

static int stage_start(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	server = client = (struct end){0};
	stage->now_us = 100 * SECOND;
	stage->traffic = traffic_alloc(NULL, NULL, NULL);
	assert_non_null(stage->traffic);
	traffic_turn(stage->traffic, stage->now_us);
	*state = stage;
	return 0;
}

static int stage_end(void **state)
{
	struct stage *stage = *state;

	traffic_free(stage->traffic);
	free(stage);
	return 0;
}

static void serve(struct stage *stage, struct tls_context *tls)
{
	struct gate_place place = {.transport = GATE_TLS, .n = 1};

	assert_int_equal(address_from_text("127.0.0.1", 0, &place.address[0]), 0);
	assert_int_equal(traffic_listen(stage->traffic, &server_kind, NULL, &place, tls, &stage->listener, NULL), 0);
	tls_context_put(tls);
}

static const struct gate_address *where(const struct stage *stage)
{
	return &traffic_listener_place(stage->listener)->address[0];
}

static void ask(struct stage *stage, struct tls_context *tls, const char *name)
{
	client.conn = traffic_connect(stage->traffic, &client_kind, &client, where(stage), tls, name);
	assert_non_null(client.conn);
	tls_context_put(tls);
}

/* Until nothing moves any more. */
static void settle(struct stage *stage)
{
	for (unsigned quiet = 0; quiet < 20;) {
		quiet = traffic_turn(stage->traffic, stage->now_us) ? 0 : quiet + 1;
		if (quiet)
			usleep(200);
	}
}

/* From an address of our own: 127.0.0.N. */
static int raw_socket_from(const struct stage *stage, unsigned n)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + n)};
	struct sockaddr_storage sa;
	socklen_t len = address_to_sockaddr(where(stage), &sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static int raw_socket(const struct stage *stage)
{
	return raw_socket_from(stage, 1);
}

/* These names in this order, NULL at the end. */
static void assert_names(const char *const *name)
{
	unsigned n;

	for (n = 0; name[n]; n++) {
		assert_non_null(tls_peer_name(server.conn->tls, n));
		assert_string_equal(tls_peer_name(server.conn->tls, n), name[n]);
	}
	assert_null(tls_peer_name(server.conn->tls, n));
}

/* --- rows */

static void octets_come_back_whole_and_in_order(void **state)
{
	struct stage *stage = *state;

	client.wanted = 3 << 20;
	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	ask(stage, context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL), "eir.example.org");
	settle(stage);
	assert_int_equal(client.connected, 1);
	assert_int_equal(server.secured, 1);
	assert_int_equal(client.got, client.wanted);
	assert_false(client.wrong);
	assert_true(tls_peer_shown(server.conn->tls));
	assert_names((const char *const[]){"mme.example.org", NULL});
	assert_true(tls_peer_is(server.conn->tls, "MME.example.org"));
	assert_false(tls_peer_is(server.conn->tls, "mme2.example.org"));
	assert_non_null(strstr(tls_describe(server.conn->tls), "TLS1.3"));
	assert_int_equal(traffic_tls_failed(stage->traffic), 0);
}

static void an_end_is_told_after_the_last_octet(void **state)
{
	struct stage *stage = *state;

	client.wanted = 20000;
	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	ask(stage, context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL), "eir.example.org");
	settle(stage);
	assert_int_equal(client.got, 20000);
	traffic_finish(server.conn, TRAFFIC_END_OURS);
	settle(stage);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.how, TRAFFIC_END_PEER);
}

/* Not by a FIN alone, which anybody on the way could have sent: whoever closes says so inside of TLS. */
static void whoever_goes_is_told_goodbye(void **state)
{
	struct stage *stage = *state;
	struct tls_context *tls = context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL);
	struct tls_session *session;
	struct weir_why why;
	char octet;
	int fd, rc;

	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	fd = raw_socket(stage);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	session = tls_session_alloc(tls, fd, "eir.example.org");
	assert_non_null(session);
	while ((rc = tls_handshake(session, &why)) == -EAGAIN)
		settle(stage);
	assert_int_equal(rc, 0);
	for (unsigned i = 0; i < 100 && !server.secured; i++)
		settle(stage);
	assert_int_equal(server.secured, 1);
	assert_int_equal(tls_bye(session), 0);
	for (unsigned i = 0; i < 100 && !server.closed; i++)
		settle(stage);
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.how, TRAFFIC_END_PEER);
	rc = (int)recv(fd, &octet, 1, MSG_PEEK);
	assert_int_equal(rc, 1); /* a record before the end */
	assert_int_equal(tls_recv(session, &octet, 1), 0);
	tls_session_free(session);
	tls_context_put(tls);
	close(fd);
}

static const struct {
	const char *client, *name[4];
} named[] = {
	{"plain-name", {"plain-name"}},
	{"many", {"pool.example.org", "mme.example.org", LONG_NAME}},
	{"unusable", {NULL}}, /* it has dNSNames: its common name is none */
	{"ba\td", {NULL}},
};

/* All that can be printed, in small letters. */
static void a_certificate_has_these_names(void **state)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		struct stage *stage;
		stage_start(state);
		stage = *state;
		serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
		ask(stage, context(TLS_CLIENT, named[i].client, "ca", TLS_PEER_MUST, NULL), "eir.example.org");
		settle(stage);
		assert_int_equal(server.secured, 1);
		assert_names(named[i].name);
		stage_end(state);
	}
	stage_start(state);
}

static const struct refusal {
	const char *name, *client, *client_ca, *server_name, *alpn_server, *alpn_client;
	enum tls_demand demand;
	bool let_in;
} refusals[] = {
	{"no certificate where one must be", NULL, "ca", "eir.example.org", NULL, NULL, TLS_PEER_MUST, false},
	{"no certificate where one may be", NULL, "ca", "eir.example.org", NULL, NULL, TLS_PEER_MAY, true},
	{"a stranger's certificate", "stranger", "ca", "eir.example.org", NULL, NULL, TLS_PEER_MUST, false},
	{"a stranger's certificate where one may be", "stranger", "ca", "eir.example.org", NULL, NULL, TLS_PEER_MAY,
	 false},
	{"a server of another authority", "client", "other-ca", "eir.example.org", NULL, NULL, TLS_PEER_MUST, false},
	{"a server of another name", "client", "ca", "hss.example.org", NULL, NULL, TLS_PEER_MUST, false},
	{"the protocol that is spoken", "client", "ca", "eir.example.org", "h2", "h2", TLS_PEER_MUST, true},
	{"another protocol", "client", "ca", "eir.example.org", "h2", "http/1.1", TLS_PEER_MUST, false},
	{"no protocol where one is spoken", "client", "ca", "eir.example.org", "h2", NULL, TLS_PEER_MUST, false},
	{"a server that names none", "client", "ca", "eir.example.org", NULL, "h2", TLS_PEER_MUST, false},
};

static void who_is_let_in(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct stage *stage;
		stage_start(state);
		stage = *state;
		client.wanted = 10;
		serve(stage, context(TLS_SERVER, "server", "ca", r->demand, r->alpn_server));
		ask(stage, context(TLS_CLIENT, r->client, r->client_ca, TLS_PEER_MUST, r->alpn_client), r->server_name);
		settle(stage);
		if ((client.got == 10) != r->let_in || (server.conn != NULL) != r->let_in)
			fail_msg("%s: got %zu", r->name, client.got);
		if (r->let_in && !r->client)
			assert_false(tls_peer_shown(server.conn->tls));
		if (!r->let_in)
			assert_true(traffic_tls_failed(stage->traffic) > 0);
		stage_end(state);
	}
	stage_start(state);
}

static void octets_that_are_no_tls_end_it(void **state)
{
	struct stage *stage = *state;
	char buf[8];
	int fd;

	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	fd = raw_socket(stage);
	settle(stage);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	settle(stage);
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.secured, 0);
	assert_int_equal(traffic_tls_failed(stage->traffic), 1);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		; /* the alert, and the end */
	close(fd);
}

static void silence_has_a_deadline(void **state)
{
	struct stage *stage = *state;
	int fd;

	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	fd = raw_socket(stage);
	settle(stage);
	stage->now_us += TRAFFIC_SECURE_S * SECOND - 1;
	traffic_tick(stage->traffic, stage->now_us);
	assert_int_equal(server.closed, 0);
	stage->now_us++;
	traffic_tick(stage->traffic, stage->now_us);
	assert_int_equal(server.closed, 1);
	close(fd);
}

static bool take_any(struct traffic_conn *conn, void *owner)
{
	static struct end many[2 * TRAFFIC_SECURING];
	static unsigned n;

	(void)owner;
	conn->data = &many[n++ % (2 * TRAFFIC_SECURING)];
	return true;
}

static void so_many_handshakes_at_a_time(void **state)
{
	struct stage *stage = *state;
	struct tls_context *tls = context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL);
	struct gate_place place = {.transport = GATE_TLS, .n = 1};
	static struct traffic_kind any;
	int fd[TRAFFIC_SECURING + 8];

	any = server_kind;
	any.accepted = take_any;
	assert_int_equal(address_from_text("127.0.0.1", 0, &place.address[0]), 0);
	assert_int_equal(traffic_listen(stage->traffic, &any, NULL, &place, tls, &stage->listener, NULL), 0);
	tls_context_put(tls);
	for (unsigned i = 0; i < TRAFFIC_SECURING + 8; i++) {
		fd[i] = raw_socket(stage);
		traffic_turn(stage->traffic, stage->now_us);
	}
	settle(stage);
	assert_true(traffic_count(stage->traffic) <= TRAFFIC_SECURING);
	for (unsigned i = 0; i < TRAFFIC_SECURING + 8; i++)
		close(fd[i]);
}

/* Handshakes that nobody goes on with, of two other hosts, are no reason to turn away one who does. */
static void silent_handshakes_give_way(void **state)
{
	struct stage *stage = *state;
	struct tls_context *tls = context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL);
	struct gate_place place = {.transport = GATE_TLS, .n = 1};
	static struct traffic_kind any;
	int fd[2 * TRAFFIC_SECURING];

	any = server_kind;
	any.accepted = take_any;
	assert_int_equal(address_from_text("127.0.0.1", 0, &place.address[0]), 0);
	assert_int_equal(traffic_listen(stage->traffic, &any, NULL, &place, tls, &stage->listener, NULL), 0);
	tls_context_put(tls);
	for (unsigned i = 0; i < 2 * TRAFFIC_SECURING; i++) {
		fd[i] = raw_socket_from(stage, 2 + i % 2);
		traffic_turn(stage->traffic, stage->now_us);
	}
	assert_int_equal(traffic_count(stage->traffic), TRAFFIC_SECURING);
	ask(stage, context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL), "eir.example.org");
	settle(stage);
	assert_int_equal(client.connected, 1);
	for (unsigned i = 0; i < 2 * TRAFFIC_SECURING; i++)
		close(fd[i]);
}

/* A signature costs a thousand answers: so many a second, and the others wait for their turn. */
static void handshakes_have_a_rate(void **state)
{
	struct stage *stage = *state;
	unsigned secured = 0;

	serve(stage, context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL));
	for (unsigned i = 0; i < TRAFFIC_SECURE_BURST; i++) {
		client = server = (struct end){0};
		ask(stage, context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL), "eir.example.org");
		settle(stage);
		secured += server.secured;
	}
	assert_in_range(secured, TRAFFIC_SECURE_BURST / 4, TRAFFIC_SECURE_BURST - 1);
	assert_int_equal(server.secured, 0);
	assert_int_equal(server.closed, 0); /* it waits */
	for (unsigned i = 0; i < 20 && !server.secured; i++) {
		stage->now_us += SECOND / 10;
		traffic_tick(stage->traffic, stage->now_us);
		settle(stage);
	}
	assert_true(server.secured > 0);
}

static void save_copy(const char *from, const char *to)
{
	char octets[8192];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	assert_true(in && out);
	n = fread(octets, 1, sizeof(octets), in);
	assert_int_equal(fwrite(octets, 1, n, out), n);
	fclose(in);
	fclose(out);
}

/* A reload may put TLS on a port that spoke in clear: the socket stays, it could not be opened twice. */
static void a_port_goes_from_clear_to_tls_and_back(void **state)
{
	static const char *const here[] = {"127.0.0.1"};
	static struct door_config config[3];
	struct stage *stage = *state;
	struct weir_why why;
	struct door door;
	uint16_t port;

	memset(config, 0, sizeof(config));
	door_init(&door, stage->traffic, &server_kind, NULL);
	for (unsigned i = 0; i < 3; i++) {
		config[i].tls = pki_files("server", "ca");
		assert_int_equal(config_add_listen(&config[i], i == 1 ? GATE_TLS : GATE_TCP, here, 1, 0, &why), 0);
		assert_int_equal(config_add_listen(&config[i], i == 1 ? GATE_TCP : GATE_TLS, here, 1, 0, &why),
				 -EEXIST);
	}
	for (unsigned i = 0; i < 3; i++) {
		client = server = (struct end){.wanted = 10};
		assert_int_equal(door_prepare(&door, &config[i], &why), 0);
		door_commit(&door);
		if (i)
			assert_int_equal(door_listening(&door, 0)->address[0].port, port);
		port = door_listening(&door, 0)->address[0].port;
		stage->listener = door.listener[0];
		ask(stage, i == 1 ? context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL) : NULL,
		    i == 1 ? "eir.example.org" : NULL);
		settle(stage);
		assert_int_equal(client.got, 10);
		assert_int_equal(server.secured, i == 1);
	}
	door_close(&door);
}

/* Both ends until one of them is done or fails. */
static int shake(struct tls_session *a, struct tls_session *b, struct weir_why *why_a)
{
	struct weir_why why;
	int rc = -EAGAIN;

	for (unsigned i = 0; i < 100 && rc == -EAGAIN; i++) {
		tls_handshake(b, &why);
		rc = tls_handshake(a, why_a);
	}
	return rc;
}

static void the_peers_complaint_is_heard(void **state)
{
	struct tls_context *ours = context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL),
			   *theirs = context(TLS_CLIENT, "client", "other-ca", TLS_PEER_MUST, NULL);
	struct tls_session *server_end, *client_end;
	struct weir_why why = {""};
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	server_end = tls_session_alloc(ours, fd[0], NULL);
	client_end = tls_session_alloc(theirs, fd[1], "eir.example.org");
	assert_int_equal(shake(server_end, client_end, &why), -EPROTO);
	assert_non_null(strstr(why.text, "the peer says: "));
	assert_non_null(tls_complaint(server_end));
	assert_null(tls_complaint(client_end));
	tls_session_free(server_end);
	tls_session_free(client_end);
	tls_context_put(ours);
	tls_context_put(theirs);
	close(fd[0]);
	close(fd[1]);
}

static void who_speaks_in_clear_is_known_by_it(void **state)
{
	static const char *const words[] = {"PRI * HTTP/2.0", "\1", "\24", "\30"};
	struct tls_context *ours = context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL);
	struct tls_session *end;
	struct weir_why why = {""};
	int fd[2];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		end = tls_session_alloc(ours, fd[0], NULL);
		assert_int_equal(tls_handshake(end, &why), -EAGAIN);
		assert_int_equal(write(fd[1], words[i], strlen(words[i])), strlen(words[i]));
		assert_int_equal(tls_handshake(end, &why), words[i][0] == 20 ? -EAGAIN : -EPROTO);
		if (words[i][0] != 20)
			assert_non_null(strstr(why.text, "speaks in clear"));
		tls_session_free(end);
		close(fd[0]);
		close(fd[1]);
	}
	tls_context_put(ours);
}

static void the_own_certificate_is_known(void **state)
{
	struct tls_context *c = context(TLS_SERVER, "server", "ca", TLS_PEER_MUST, NULL);

	(void)state;
	assert_true(tls_context_carries(c, "eir.example.org"));
	assert_true(tls_context_carries(c, "EIR.example.org"));
	assert_false(tls_context_carries(c, "server")); /* its common name, which a dNSName overrules */
	assert_in_range(tls_context_expires_s(c), time(NULL) + 80000, time(NULL) + 90000);
	assert_in_range(tls_context_begins_s(c), time(NULL) - 4000, time(NULL) - 3000);
	tls_context_put(c);
	c = context(TLS_CLIENT, NULL, "ca", TLS_PEER_MUST, NULL);
	assert_false(tls_context_carries(c, "eir.example.org"));
	assert_int_equal(tls_context_expires_s(c), 0);
	tls_context_put(c);
}

/* A renewal that is half written, and a change of something else. */
static void a_broken_file_leaves_the_certificate_in_force(void **state)
{
	static const char *const here[] = {"127.0.0.1"};
	static struct door_config config[3];
	struct stage *stage = *state;
	struct weir_why why;
	struct door door;
	FILE *f;

	memset(config, 0, sizeof(config));
	door_init(&door, stage->traffic, &server_kind, NULL);
	for (unsigned i = 0; i < 3; i++) {
		config[i].tls = pki_files("server", "ca");
		assert_int_equal(config_add_listen(&config[i], GATE_TLS, here, 1, 0, &why), 0);
	}
	snprintf(config[0].tls.certificate, TLS_PATH_TEXT, "%s", pki_file("renewed", ""));
	config[1].tls = config[0].tls;
	save_copy(pki_file("server", ""), config[0].tls.certificate);
	assert_int_equal(door_prepare(&door, &config[0], &why), 0);
	door_commit(&door);
	f = fopen(config[0].tls.certificate, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(door_prepare(&door, &config[1], &why), 0);
	door_commit(&door);
	client.wanted = 10;
	stage->listener = door.listener[0];
	ask(stage, context(TLS_CLIENT, "client", "ca", TLS_PEER_MUST, NULL), "eir.example.org");
	settle(stage);
	assert_int_equal(client.got, 10);
	snprintf(config[2].tls.certificate, TLS_PATH_TEXT, "%s", pki_file("nowhere", "")); /* a change */
	assert_true(door_prepare(&door, &config[2], &why) < 0);
	door_close(&door);
}

static void files_are_refused_in_words(void **state)
{
	struct weir_why why;
	struct tls_files f = pki_files("server", NULL);

	(void)state;
	assert_null(tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MUST, NULL, &why));
	assert_non_null(strstr(why.text, "tls ca FILE"));
	f = pki_files("server", "ca");
	snprintf(f.private_key, sizeof(f.private_key), "%s", pki_file("client", "-key"));
	assert_null(tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MUST, NULL, &why));
	assert_non_null(strstr(why.text, "is not that of"));
	f = pki_files(NULL, "ca");
	assert_null(tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MUST, NULL, &why));
	assert_non_null(strstr(why.text, "tls certificate FILE"));
	f = pki_files("server", "server-key");
	assert_null(tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MUST, NULL, &why));
	assert_non_null(strstr(why.text, "no certificate in "));
	f = pki_files("server", NULL);
	struct tls_context *c = tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MAY, NULL, &why);
	assert_non_null(c);
	assert_in_range(tls_context_expires_s(c), time(NULL) + 86000, time(NULL) + 86400);
	tls_context_put(c);
}

/* Who opens a FIFO for reading waits for a writer. */
static void files_that_do_not_end_are_refused(void **state)
{
	char fifo[TLS_PATH_TEXT];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s", pki_file("fifo", ""));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(20);
	for (unsigned i = 0; i < 3; i++) {
		struct tls_files f = pki_files("server", "ca");
		char *path[] = {f.certificate, f.private_key, f.ca};
		struct weir_why why;

		snprintf(path[i], TLS_PATH_TEXT, "%s", fifo);
		assert_null(tls_context_alloc(TLS_SERVER, &f, TLS_PEER_MUST, NULL, &why));
		assert_non_null(strstr(why.text, "is no regular file"));
	}
	alarm(0);
	unlink(fifo);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, stage_start, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(octets_come_back_whole_and_in_order),
		ROW(an_end_is_told_after_the_last_octet),
		ROW(whoever_goes_is_told_goodbye),
		cmocka_unit_test_setup_teardown(a_certificate_has_these_names, NULL, stage_end),
		cmocka_unit_test_setup_teardown(who_is_let_in, NULL, stage_end),
		ROW(octets_that_are_no_tls_end_it),
		ROW(silence_has_a_deadline),
		ROW(so_many_handshakes_at_a_time),
		ROW(silent_handshakes_give_way),
		ROW(handshakes_have_a_rate),
		ROW(a_port_goes_from_clear_to_tls_and_back),
		ROW(a_broken_file_leaves_the_certificate_in_force),
		cmocka_unit_test(files_are_refused_in_words), cmocka_unit_test(files_that_do_not_end_are_refused),
		cmocka_unit_test(the_peers_complaint_is_heard),
		cmocka_unit_test(who_speaks_in_clear_is_known_by_it),
		cmocka_unit_test(the_own_certificate_is_known),
	};

	hush();
	return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
