/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Where a peer is: IP addresses, ports and prefixes as configuration, sockets and logs need them.
 *
 * An IPv4 address that arrives mapped into IPv6 (::ffff:a.b.c.d, a socket that listens on ::) is the IPv4 address. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct gate_address {
	uint16_t family; /* AF_INET, AF_INET6; 0 is none */
	uint16_t port;
	uint8_t octets[16]; /* IPv4: the first four */
};

enum gate_transport {
	GATE_TCP = 0,
	GATE_TLS,  /* over TCP, from the first octet */
	GATE_SCTP, /* one-to-one; each message is one user message */
	GATE_N_TRANSPORTS
};

#define GATE_HOMES 4

/* Where to listen: several addresses (with one port) where SCTP is multi-homed. */
struct gate_place {
	enum gate_transport transport;
	unsigned n;
	struct gate_address address[GATE_HOMES];
};

struct gate_prefix {
	struct gate_address net; /* bits after the length are zero */
	uint8_t bits;
};

/* 0 or -EINVAL; *out is none on failure. */
int address_from_text(const char *text, uint16_t port, struct gate_address *out);
/* "10.0.0.0/8", "::1/128"; without a length the whole address.  Bits set after the length are refused. */
int prefix_from_text(const char *text, struct gate_prefix *out);

void address_from_sockaddr(const struct sockaddr_storage *sa, struct gate_address *out);
socklen_t address_to_sockaddr(const struct gate_address *address, struct sockaddr_storage *out);

bool address_same_host(const struct gate_address *a, const struct gate_address *b);
bool address_equal(const struct gate_address *a, const struct gate_address *b); /* port too */
bool prefix_covers(const struct gate_prefix *prefix, const struct gate_address *address);

bool place_equal(const struct gate_place *a, const struct gate_place *b);
/* One socket can be either: TCP in clear and with TLS differ in what is spoken, not in where. */
bool place_same_socket(const struct gate_place *a, const struct gate_place *b);
const char *transport_name(enum gate_transport transport); /* "tcp", "tls", "sctp" */

#define GATE_ADDRESS_TEXT 56
/* Address only; and with port: "127.0.0.1:4222", "[::1]:4222". */
const char *address_print(char buf[static GATE_ADDRESS_TEXT], const struct gate_address *address);
const char *address_print_port(char buf[static GATE_ADDRESS_TEXT], const struct gate_address *address);
const char *prefix_print(char buf[static GATE_ADDRESS_TEXT], const struct gate_prefix *prefix);
