/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* A list of ROWS distinct test devices in shuffled order, as CSV on standard output: 15 digits with their check digit,
 * all black, reason stolen.  No header with -n (sqlite3 .import into an existing table would take it for a row). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/imei.h"

int main(int argc, char **argv)
{
	bool header = !(argc == 3 && !strcmp(argv[1], "-n"));
	uint64_t rows = argc > 1 ? strtoull(argv[argc - 1], NULL, 10) : 0, i;
	char text[WEIR_IMEI_TEXT];
	static char buf[1 << 20];

	if (!rows || rows > BENCH_ROWS_MAX) {
		fprintf(stderr, "usage: gen_list [-n] ROWS\n");
		return 2;
	}
	setvbuf(stdout, buf, _IOFBF, sizeof(buf));
	if (header)
		puts("imei,list,reason");
	for (i = 0; i < rows; i++) {
		fputs(imei_print_checked(text, bench_listed_key(i, rows)), stdout);
		fputs(",black,stolen\n", stdout);
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
