/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* daemon/request: the input is what a peer of the admin port sends.  Once the reading has ended it stays as it ended,
 * whatever else arrives; a page is named only with 200. */

#include "daemon/request.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[REQUEST_MAX_PATH], first_path[REQUEST_MAX_PATH] = "";
	int first = REQUEST_MORE;

	for (size_t len = 0; len <= size && len <= 300; len++) {
		int status = request_read((const char *)data, len, path);

		MUST((status == 200) == (path[0] == '/'));
		MUST(status == REQUEST_MORE || status == 200 || (status >= 400 && status <= 505));
		if (first == REQUEST_MORE) {
			first = status;
			memcpy(first_path, path, sizeof(path));
		} else {
			MUST(status == first && !strcmp(path, first_path));
		}
	}
	MUST(request_read((const char *)data, size, path) != REQUEST_MORE || size < REQUEST_MAX);
	return 0;
}
