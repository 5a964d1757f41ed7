/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

#include "lines.h"

#include <stdarg.h>

#include "rows.h"

static char printed[8192];

void lines_begin(void)
{
	printed[0] = '\0';
}

const char *lines(void)
{
	return printed;
}

void line(const char *format, ...)
{
	size_t used = strlen(printed);
	va_list ap;

	va_start(ap, format);
	used += (size_t)snprintf(printed + used, sizeof(printed) - used, "  ");
	vsnprintf(printed + used, sizeof(printed) - used, format, ap);
	va_end(ap);
	strncat(printed, "\n", sizeof(printed) - strlen(printed) - 1);
}

void line_hex(const char *key, const uint8_t *octets, size_t len)
{
	char hex[1024] = "none";

	for (size_t i = 0; octets && i < len && i < 500; i++)
		snprintf(hex + 2 * i, 3, "%02x", octets[i]);
	line("%s: %s", key, hex);
}

void line_imei(enum weir_imei_fault fault, const struct weir_imei_reading *reading)
{
	char digits[WEIR_IMEI_TEXT], svn[8] = "none", check[8] = "none";

	if (fault != WEIR_IMEI_OK) {
		line("imei: %s", imei_fault_text(fault));
		return;
	}
	if (reading->imei.svn != WEIR_NO_SVN)
		snprintf(svn, sizeof(svn), "%02d", reading->imei.svn);
	if (reading->given_check >= 0)
		snprintf(check, sizeof(check), "%d", reading->given_check);
	line("imei: %s", imei_print(digits, reading->imei.key));
	line("digits: %u", reading->digits);
	line("svn: %s", svn);
	line("check: %s", check);
}
