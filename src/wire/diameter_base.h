/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The three commands of the Diameter base protocol that a server without accounting has (RFC 6733 clause 5):
 * capabilities (CER/CEA), watchdog (DWR/DWA), disconnection (DPR/DPA). */
#pragma once

#include "wire/diameter.h"

/* An application as capabilities name it. */
struct diameter_application {
	uint32_t vendor, id;
};

struct diameter_cer {
	struct diameter_view view;
	struct diameter_field origin_host, origin_realm, host_ip_address, vendor_id, product_name, origin_state_id;
	struct diameter_field inband_security_id, auth_application_id, acct_application_id, vendor_application;
};
enum diameter_result diameter_read_cer(const struct diameter_message *message, struct diameter_cer *cer);

/* Does it serve this application, or relay them all (RFC 6733 5.3)? */
bool diameter_cer_offers(const struct diameter_cer *cer, const struct diameter_application *application);
/* Is it content without security inside the connection, which is the only way we know (RFC 6733 6.10)? */
bool diameter_cer_without_security(const struct diameter_cer *cer);

struct diameter_dwr {
	struct diameter_view view;
	struct diameter_field origin_host, origin_realm, origin_state_id;
};
enum diameter_result diameter_read_dwr(const struct diameter_message *message, struct diameter_dwr *dwr);

enum diameter_cause {
	DIAMETER_REBOOTING = 0,
	DIAMETER_BUSY = 1,
	DIAMETER_DO_NOT_WANT_TO_TALK_TO_YOU = 2,
};

struct diameter_dpr {
	struct diameter_view view;
	struct diameter_field origin_host, origin_realm, disconnect_cause;
};
enum diameter_result diameter_read_dpr(const struct diameter_message *message, struct diameter_dpr *dpr);

/* Result-Code of an answer, or its Experimental-Result-Code (*experimental); 0: it has neither. */
uint32_t diameter_answer_result(const struct diameter_message *answer, bool *experimental);

/* An address as Host-IP-Address has it. */
struct diameter_address {
	uint16_t family; /* 1: IPv4, 2: IPv6 */
	uint8_t octets[16];
};

/* What capabilities say of us. */
struct diameter_capabilities {
	struct diameter_us us;
	struct diameter_application application;
	const char *product;
	uint32_t vendor, firmware;
	const struct diameter_address *address;
	unsigned n_addresses;
};

/* Octets, or -ENOSPC; DIAMETER_BASE_ROOM more than the request suffice, or that much alone for a request. */
#define DIAMETER_BASE_ROOM 2048
int diameter_cer(const struct diameter_capabilities *capabilities, uint32_t hop_by_hop, uint32_t end_to_end,
		 uint8_t *buf, size_t size);
/* fault->result: DIAMETER_SUCCESS, or what is wrong with the request. */
int diameter_cea(const struct diameter_message *request, const struct diameter_capabilities *capabilities,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size);
int diameter_dwr(const struct diameter_us *us, uint32_t hop_by_hop, uint32_t end_to_end, uint8_t *buf, size_t size);
int diameter_dwa(const struct diameter_message *request, const struct diameter_us *us,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size);
int diameter_dpr(const struct diameter_us *us, enum diameter_cause cause, uint32_t hop_by_hop, uint32_t end_to_end,
		 uint8_t *buf, size_t size);
int diameter_dpa(const struct diameter_message *request, const struct diameter_us *us,
		 const struct diameter_fault *fault, uint8_t *buf, size_t size);
