/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Addresses and prefixes: parsing, comparing, printing.  Never resolves a name: a gate must not wait for DNS. */
#include "gate/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned family_bits(uint16_t family)
{
	return family == AF_INET ? 32 : 128;
}

int address_from_text(const char *text, uint16_t port, struct gate_address *out)
{
	*out = (struct gate_address){.port = port};
	if (inet_pton(AF_INET, text, out->octets) == 1)
		out->family = AF_INET;
	else if (inet_pton(AF_INET6, text, out->octets) == 1)
		out->family = AF_INET6;
	if (out->family)
		return 0;
	*out = (struct gate_address){0};
	return -EINVAL;
}

static bool tail_is_zero(const struct gate_address *net, unsigned bits)
{
	for (unsigned bit = bits; bit < family_bits(net->family); bit++) {
		if (net->octets[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	}
	return true;
}

int prefix_from_text(const char *text, struct gate_prefix *out)
{
	char host[GATE_ADDRESS_TEXT];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct gate_prefix p = {0};

	*out = p;
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (address_from_text(host, 0, &p.net))
		return -EINVAL;
	p.bits = family_bits(p.net.family);
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > p.bits)
			return -EINVAL;
		p.bits = bits;
	}
	if (!tail_is_zero(&p.net, p.bits))
		return -EINVAL;
	*out = p;
	return 0;
}

void address_from_sockaddr(const struct sockaddr_storage *sa, struct gate_address *out)
{
	*out = (struct gate_address){.family = sa->ss_family};
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		out->port = ntohs(in->sin_port);
		memcpy(out->octets, &in->sin_addr, 4);
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		out->port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			out->family = AF_INET;
			memcpy(out->octets, in6->sin6_addr.s6_addr + 12, 4);
		} else {
			memcpy(out->octets, &in6->sin6_addr, 16);
		}
	} else {
		out->family = 0;
	}
}

socklen_t address_to_sockaddr(const struct gate_address *address, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_family = address->family;
	if (address->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_port = htons(address->port);
		memcpy(&in->sin_addr, address->octets, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_port = htons(address->port);
	memcpy(&in6->sin6_addr, address->octets, 16);
	return sizeof(*in6);
}

bool address_same_host(const struct gate_address *a, const struct gate_address *b)
{
	return a->family == b->family && !memcmp(a->octets, b->octets, sizeof(a->octets));
}

bool address_equal(const struct gate_address *a, const struct gate_address *b)
{
	return a->port == b->port && address_same_host(a, b);
}

bool place_equal(const struct gate_place *a, const struct gate_place *b)
{
	return a->transport == b->transport && place_same_socket(a, b);
}

bool place_same_socket(const struct gate_place *a, const struct gate_place *b)
{
	if ((a->transport == GATE_SCTP) != (b->transport == GATE_SCTP) || a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++) {
		if (!address_equal(&a->address[i], &b->address[i]))
			return false;
	}
	return true;
}

const char *transport_name(enum gate_transport transport)
{
	static const char *const names[GATE_N_TRANSPORTS] = {
		[GATE_TCP] = "tcp", [GATE_TLS] = "tls", [GATE_SCTP] = "sctp"};

	return (unsigned)transport < GATE_N_TRANSPORTS ? names[transport] : "?";
}

bool prefix_covers(const struct gate_prefix *prefix, const struct gate_address *address)
{
	unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (!prefix->net.family || prefix->net.family != address->family)
		return false;
	if (memcmp(prefix->net.octets, address->octets, whole))
		return false;
	return !rest || !((prefix->net.octets[whole] ^ address->octets[whole]) & (0xff00u >> rest) & 0xff);
}

const char *address_print(char buf[static GATE_ADDRESS_TEXT], const struct gate_address *address)
{
	if (!address->family || !inet_ntop(address->family, address->octets, buf, GATE_ADDRESS_TEXT))
		snprintf(buf, GATE_ADDRESS_TEXT, "none");
	return buf;
}

const char *address_print_port(char buf[static GATE_ADDRESS_TEXT], const struct gate_address *address)
{
	char host[GATE_ADDRESS_TEXT];

	address_print(host, address);
	snprintf(buf, GATE_ADDRESS_TEXT, address->family == AF_INET6 ? "[%.46s]:%u" : "%.46s:%u", host, address->port);
	return buf;
}

const char *prefix_print(char buf[static GATE_ADDRESS_TEXT], const struct gate_prefix *prefix)
{
	char host[GATE_ADDRESS_TEXT];

	address_print(host, &prefix->net);
	snprintf(buf, GATE_ADDRESS_TEXT, "%.46s/%u", host, prefix->bits);
	return buf;
}
