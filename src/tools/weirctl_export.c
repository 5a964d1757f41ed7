/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* weirctl export: CSV to standard output, or into a file that appears only when it is whole. */
#include "tools/weirctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/weirctl_http.h"

static bool piece_cb(const char *bytes, size_t len, void *data)
{
	return fwrite(bytes, 1, len, data) == len;
}

static int export_to(const struct ctl_call *call, FILE *out)
{
	const char *source = ctl_option(call, "source");
	char *path = source ? ctl_path("/v1/sources/%/export", source) : ctl_path("/v1/export");
	int rc = ctl_stream(call->ctl, "GET", path, "text/csv", piece_cb, out);

	free(path);
	if (fflush(out) != 0 && rc == CTL_OK)
		rc = CTL_LOCAL;
	return rc;
}

/* Whole and on the disk, or not there under its name. */
static int keep(FILE *out, const char *part, const char *name)
{
	bool good = fflush(out) == 0 && fsync(fileno(out)) == 0;

	good = fclose(out) == 0 && good;
	return good && rename(part, name) == 0 ? CTL_OK : CTL_LOCAL;
}

static int export_to_file(const struct ctl_call *call, const char *name)
{
	size_t size = strlen(name) + sizeof(".part");
	char *part = malloc(size);
	FILE *out;
	int rc;

	if (!part)
		return CTL_LOCAL;
	snprintf(part, size, "%s.part", name);
	out = fopen(part, "wxe");
	if (!out) {
		rc = ctl_fail(CTL_LOCAL, "%s: %s", part, strerror(errno));
		free(part);
		return rc;
	}
	rc = export_to(call, out);
	if (rc == CTL_OK)
		rc = keep(out, part, name);
	else
		fclose(out);
	if (rc == CTL_LOCAL)
		ctl_fail(rc, "%s: %s", name, strerror(errno));
	if (rc != CTL_OK)
		unlink(part);
	free(part);
	return rc;
}

int ctl_export(const struct ctl_call *call)
{
	const char *name = ctl_option(call, "output");
	int rc;

	if (name && strcmp(name, "-") != 0)
		return export_to_file(call, name);
	rc = export_to(call, stdout);
	if (rc == CTL_LOCAL)
		ctl_fail(rc, "standard output: %s", strerror(errno));
	return rc;
}
