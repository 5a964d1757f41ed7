/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* wire/list: what each file says is written down as a transcript, and must not depend on how the file was cut into
 * pieces on its way. */

#include "wire/list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- transcript ----------------------------------------------------------------------------------------------- */

struct transcript {
	char *text;
	size_t len, size;
	unsigned rows, rejects, unknown_columns;
	int stop_at_row, stop_at_reject, stop; /* the callback that returns stop; 0: none */
};

static void __attribute__((format(printf, 2, 3))) note(struct transcript *t, const char *format, ...)
{
	va_list ap;

	if (t->size - t->len < 512)
		t->text = realloc(t->text, t->size += 65536);
	va_start(ap, format);
	t->len += (size_t)vsnprintf(t->text + t->len, 512, format, ap);
	va_end(ap);
}

static const char *svn_text(int svn)
{
	static char text[8];

	if (svn == WEIR_NO_SVN)
		return "";
	snprintf(text, sizeof(text), "/%02d", svn);
	return text;
}

/* "2 352099001761481 black stolen", "3 range A B grey none", "4 pair A IMSI allow none" */
static int on_row(const struct list_row *row, void *data)
{
	struct transcript *t = data;
	char a[WEIR_IMEI_TEXT], b[WEIR_IMEI_TEXT], imsi[WEIR_DIGITS_TEXT];
	unsigned long long line = row->line;

	imei_print(a, row->from);
	imei_print(b, row->to);
	if (row->kind == LIST_DEVICE)
		note(t, "%llu %s%s %s %s\n", line, a, svn_text(row->svn), colour_name(row->colour),
		     reason_name(row->reason));
	else if (row->kind == LIST_RANGE)
		note(t, "%llu range %s %s %s %s\n", line, a, b, colour_name(row->colour), reason_name(row->reason));
	else
		note(t, "%llu pair %s %s %s %s\n", line, a, imsi_print(imsi, row->imsi), pair_rule_name(row->rule),
		     reason_name(row->reason));
	assert_true(row->from <= row->to && row->to < WEIR_IMEI_END);
	assert_true(row->kind == LIST_RANGE || row->from == row->to);
	assert_true(row->kind == LIST_DEVICE || row->svn == WEIR_NO_SVN);
	assert_true((row->kind == LIST_PAIR) == (row->imsi.packed != 0));
	assert_true((row->kind == LIST_PAIR) == (row->rule != WEIR_PAIR_NONE));
	assert_true((row->kind == LIST_PAIR) == (row->colour == WEIR_UNKNOWN));
	return ++t->rows == (unsigned)t->stop_at_row ? t->stop : 0;
}

/* "2 ! too-short imei(1) "1234567890123" has 13 digits" ; "?" instead of "!" for a remark */
static int on_reject(const struct list_reject *reject, void *data)
{
	struct transcript *t = data;

	if (reject->fault == LIST_UNKNOWN_COLUMN) { /* has a test of its own; many files here have such a column */
		assert_true(reject->remark && reject->line == 1);
		t->unknown_columns++;
		return 0;
	}
	note(t, "%llu %c %s", (unsigned long long)reject->line, reject->remark ? '?' : '!',
	     list_fault_name(reject->fault));
	if (reject->column)
		note(t, " %s(%u) \"%s\"", reject->column_name, reject->column, reject->value);
	note(t, " %s\n", reject->text);
	return ++t->rejects == (unsigned)t->stop_at_reject ? t->stop : 0;
}

static const struct list_defaults plain = {.colour = WEIR_BLACK, .reason = WEIR_REASON_NONE};
static const struct list_defaults strict = {.colour = WEIR_BLACK, .strict_check_digit = true};
static const struct list_defaults grey_lost = {.colour = WEIR_GREY, .reason = WEIR_REASON_LOST};

/* Read a file in pieces of at most chunk octets (0: whole), each an own heap block. */
static int read_list(struct transcript *t, const struct list_defaults *defaults, const char *file, size_t len,
		     size_t chunk)
{
	struct list_reader *reader = list_reader_alloc(defaults, on_row, on_reject, t);
	struct weir_why why = {""};
	int rc = 0, end;

	assert_non_null(reader);
	for (size_t at = 0; at < len && !rc; at += chunk ? chunk : len) {
		size_t n = chunk && chunk < len - at ? chunk : len - at;
		char *piece = malloc(n);

		memcpy(piece, file + at, n);
		rc = list_reader_feed(reader, piece, n, &why);
		free(piece);
	}
	end = list_reader_finish(reader, &why);
	assert_true(!rc || rc == end); /* an error stays */
	if (end)
		note(t, "error %d %s\n", end, why.text);
	else
		note(t, "lines %llu\n", (unsigned long long)list_reader_lines(reader));
	list_reader_free(reader);
	return end;
}

static const size_t chunks[] = {0, 1, 2, 3, 7, 64, 1000};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void check(const char *rule, const struct list_defaults *defaults, const char *file, size_t len,
		  const char *expected)
{
	for (unsigned i = 0; i < N(chunks); i++) {
		struct transcript t = {0};

		read_list(&t, defaults, file, len, chunks[i]);
		if (strcmp(t.text, expected) != 0)
			fail_msg("%s, in pieces of %zu:\n%sinstead of\n%s", rule, chunks[i], t.text, expected);
		free(t.text);
	}
}

struct row {
	const char *rule;
	const char *file;
	size_t len;
	const char *expected;
	const struct list_defaults *defaults;
};

#define FILE_IS(text) text, sizeof(text) - 1

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(rows[i].rule, rows[i].defaults ? rows[i].defaults : &plain, rows[i].file, rows[i].len,
		      rows[i].expected);
}

/* --- good files ----------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct row good_rows[] = {
	{"a column svn lists one version of the device",
	 FILE_IS("imei,svn\n35209900176148,23\n3520990017614823,24\n352099001761481,7\n352099001761481,\n"),
	 "2 35209900176148/23 black none\n3 35209900176148/24 black none\n4 35209900176148/07 black none\n"
	 "5 35209900176148 black none\nlines 5\n", NULL},
	{"14, 15, 16 and 17 digits all list the same device",
	 FILE_IS("imei\n35209900176148\n352099001761481\n3520990017614823\n35209900176148123\n"),
	 "2 35209900176148 black none\n3 35209900176148 black none\n4 35209900176148 black none\n"
	 "5 35209900176148 black none\nlines 5\n", NULL},
	{"separators and the form of *#06#",
	 FILE_IS("imei\n35-209900-176148-1\n35 209900 176148 1\n352099001761481/23\n35.209900.176148.1\n"),
	 "2 35209900176148 black none\n3 35209900176148 black none\n4 35209900176148 black none\n"
	 "5 35209900176148 black none\nlines 5\n", NULL},
	{"a check digit of 0 is the spare digit of TS 23.003", FILE_IS("imei\n352099001761480\n"),
	 "2 35209900176148 black none\nlines 2\n", NULL},
	{"a wrong check digit is a remark with the right one", FILE_IS("imei\n352099001761487\n"),
	 "2 ? check-digit imei(1) \"352099001761487\" check digit 7 given, 1 is right\n2 35209900176148 black none\n"
	 "lines 2\n", NULL},
	{"a wrong check digit of a 17-digit form too", FILE_IS("imei\n35209900176148723\n"),
	 "2 ? check-digit imei(1) \"35209900176148723\" check digit 7 given, 1 is right\n2 35209900176148 "
	 "black none\n"
	 "lines 2\n", NULL},
	{"strict: a wrong check digit refuses the row",
	 FILE_IS("imei\n352099001761487\n352099001761480\n352099001761481\n"),
	 "2 ! check-digit imei(1) \"352099001761487\" check digit 7 given, 1 is right\n3 35209900176148 black none\n"
	 "4 35209900176148 black none\nlines 4\n", &strict},
	{"the file's words beat the import's",
	 FILE_IS("imei,list,reason\n35209900176148,white,stolen\n35209900176149,,\n"),
	 "2 35209900176148 white stolen\n3 35209900176149 grey lost\nlines 3\n", &grey_lost},
	{"a reason of none is a word too", FILE_IS("imei,reason\n35209900176148,none\n"),
	 "2 35209900176148 grey none\nlines 2\n", &grey_lost},
	{"words in any case", FILE_IS("IMEI,List,REASON\n35209900176148,BLACK,Not-Type-Approved\n"),
	 "2 35209900176148 black not-type-approved\nlines 2\n", NULL},
	{"columns in any order, unknown ones ignored",
	 FILE_IS("operator,list,colour of case,imei\nX,white,\"red, blue\",35209900176148\n"),
	 "2 35209900176148 white none\nlines 2\n", NULL},
	{"a TAC is a range of a million", FILE_IS("tac\n35209900\n00000000\n99999999\n"),
	 "2 range 35209900000000 35209900999999 black none\n3 range 00000000000000 00000000999999 black none\n"
	 "4 range 99999999000000 99999999999999 black none\nlines 4\n", NULL},
	{"a range holds both its ends; one device is a range too",
	 FILE_IS("from,to,list\n35209900176148,35209900176150,grey\n35209900176148,35209900176148,white\n"),
	 "2 range 35209900176148 35209900176150 grey none\n3 range 35209900176148 35209900176148 white none\n"
	 "lines 3\n", NULL},
	{"device, TAC and range in one file",
	 FILE_IS("imei,tac,from,to\n35209900176148,,,\n,35209900,,\n,,00000000000000,99999999999999\n"),
	 "2 35209900176148 black none\n3 range 35209900000000 35209900999999 black none\n"
	 "4 range 00000000000000 99999999999999 black none\nlines 4\n", NULL},
	{"an IMSI makes a pair, allowed unless it says otherwise",
	 FILE_IS("imei,imsi,pair\n35209900176148,001010000000001,\n35209900176148,001010000000002,deny\n"
		 "3520990017614899,00101,FIXED\n"),
	 "2 pair 35209900176148 001010000000001 allow none\n3 pair 35209900176148 001010000000002 deny none\n"
	 "4 pair 35209900176148 00101 fixed none\nlines 4\n", &plain},
	{"DIRBS' pairing list as it is", FILE_IS("imei,imsi,msisdn\n35209900176148,001010000000001,4915112345678\n"),
	 "2 pair 35209900176148 001010000000001 allow none\nlines 2\n", NULL},
	{"DIRBS' stolen list as it is", FILE_IS("imei,reporting_date,status\n35209900176148,20260130,approved\n"),
	 "2 35209900176148 black none\nlines 2\n", NULL},
	{"no header: one column of IMEIs", FILE_IS("352099001761481\n35209900176149\n"),
	 "1 35209900176148 black none\n2 35209900176149 black none\nlines 2\n", NULL},
	{"no header, with separators, quotes and spaces", FILE_IS("\n \"35-209900-176148-1\" \r\n"),
	 "2 35209900176148 black none\nlines 2\n", NULL},
	{"no header, and the first check digit wrong", FILE_IS("352099001761487\n"),
	 "1 ? check-digit imei(1) \"352099001761487\" check digit 7 given, 1 is right\n1 35209900176148 black none\n"
	 "lines 1\n", NULL},
	{"a byte order mark", FILE_IS("\xef\xbb\xbfimei,list\n35209900176148,white\n"),
	 "2 35209900176148 white none\nlines 2\n", NULL},
	{"a byte order mark and no header", FILE_IS("\xef\xbb\xbf" "352099001761481\r\n"),
	 "1 35209900176148 black none\nlines 1\n", NULL},
	{"CRLF", FILE_IS("imei,list\r\n35209900176148,white\r\n35209900176149,grey\r\n"),
	 "2 35209900176148 white none\n3 35209900176149 grey none\nlines 3\n", NULL},
	{"semicolons", FILE_IS("imei;list\n35209900176148;white\n"), "2 35209900176148 white none\nlines 2\n", NULL},
	{"tabs, and an empty cell between two", FILE_IS("imei\treason\tlist\n35209900176148\t\twhite\n"),
	 "2 35209900176148 white none\nlines 2\n", NULL},
	{"pipes",
	 FILE_IS("imei|list|make\n35209900176148|white|A, B; C\n"), "2 35209900176148 white none\nlines 2\n", NULL},
	{"a delimiter inside quotes does not count", FILE_IS("imei;list;\"a,b,c,d\"\n35209900176148;white;x\n"),
	 "2 35209900176148 white none\nlines 2\n", NULL},
	{"quoted cells, doubled quotes, spaces around",
	 FILE_IS("\"imei\",\"note\",list\n\"35209900176148\",\"a \"\"b\"\" c\", white \n"
	 "  35209900176149 , x , \"grey\" \n"),
	 "2 35209900176148 white none\n3 35209900176149 grey none\nlines 3\n", NULL},
	{"a line break inside quotes belongs to its row, which has its first line's number",
	 FILE_IS("note,imei\n\"two\nlines, 35209900176147\",35209900176148\nx,35209900176149\n"),
	 "2 ? line-break has line ends inside quotes, and was read as one row; is that meant?\n"
	 "2 35209900176148 black none\n4 35209900176149 black none\nlines 4\n", NULL},
	{"blank lines count and say nothing", FILE_IS("\n\nimei\n\n35209900176148\n  \n\r\n35209900176149\n\n"),
	 "5 35209900176148 black none\n8 35209900176149 black none\nlines 9\n", NULL},
	{"the last line may lack its end", FILE_IS("imei,list\n35209900176148,white"),
	 "2 35209900176148 white none\nlines 2\n", NULL},
	{"a header alone is a list of none", FILE_IS("imei,list\n"), "lines 1\n", NULL},
	{"a header alone without its line end", FILE_IS("imei,list"), "lines 1\n", NULL},
	{"missing cells are empty, empty ones past the header are nothing",
	 FILE_IS("imei,list,reason\n35209900176148\n35209900176149,white,,,\n"),
	 "2 35209900176148 black none\n3 35209900176149 white none\nlines 3\n", NULL},
	{"14 digits among 15 that would be right behind a lost 0 are remarked, not changed",
	 FILE_IS("imei\n352099001761481\n12345600000017\n12345600000018\n"),
	 "2 35209900176148 black none\n"
	 "3 ? leading-zero imei(1) \"12345600000017\" has 14 digits where others have 15, and would be right "
	 "behind a 0; "
	 "was a leading zero lost?\n3 12345600000017 black none\n4 12345600000018 black none\nlines 4\n", NULL},
	{"14 digits everywhere are no reason for a remark", FILE_IS("imei\n12345600000017\n"),
	 "2 12345600000017 black none\nlines 2\n", NULL},
};
/* clang-format on */

static void a_good_file_is_read(void **state)
{
	(void)state;
	check_rows(good_rows, N(good_rows));
}

/* --- rows that are refused ------------------------------------------------------------------------------------ */

#define NEXT      "35209900176149\n"
#define NEXT_READ "3 35209900176149 black none\nlines 3\n"

/* clang-format off */
static const struct row bad_rows[] = {
	{"13 digits hint at a lost zero", FILE_IS("imei\n3520990017614\n" NEXT),
	 "2 ! too-short imei(1) \"3520990017614\" has 13 digits, 14 to 17 are needed; was a leading zero lost?\n"
	 NEXT_READ, NULL},
	{"12 digits do not", FILE_IS("imei\n352099001761\n" NEXT),
	 "2 ! too-short imei(1) \"352099001761\" has 12 digits, 14 to 17 are needed\n" NEXT_READ, NULL},
	{"18 digits", FILE_IS("imei\n352099001761481234\n" NEXT),
	 "2 ! too-long imei(1) \"352099001761481234\" has 18 digits, 14 to 17 are needed\n" NEXT_READ, NULL},
	{"a very long cell", FILE_IS("imei\n11111111112222222222333333333344444444445555555555\n" NEXT),
	 "2 ! too-long imei(1) \"1111111111222222222233333333334\" has 50 characters; 14 to 17 digits are needed\n"
	 NEXT_READ,
	 NULL},
	{"letters", FILE_IS("imei\n35209900176I48\n" NEXT),
	 "2 ! bad-character imei(1) \"35209900176I48\" character 12 is \"I\"; digits are "
	 "needed, with '-', ' ', '/' or '.' "
	 "between\n" NEXT_READ, NULL},
	{"an MEID is not read as an IMEI", FILE_IS("imei\nA0000000002329\n" NEXT),
	 "2 ! bad-character imei(1) \"A0000000002329\" character 1 is \"A\"; digits are "
	 "needed, with '-', ' ', '/' or '.' "
	 "between\n" NEXT_READ, NULL},
	{"a spreadsheet's rounded number", FILE_IS("imei\n3.52099E+14\n" NEXT),
	 "2 ! bad-character imei(1) \"3.52099E+14\" a spreadsheet made a rounded number of it; export the "
	 "column as text\n"
	 NEXT_READ, NULL},
	{"a NUL", FILE_IS("imei\n3520990\0176148\n" NEXT),
	 "2 ! bad-character imei(1) \"3520990?6148\" character 8 is octet 0x0f; digits are needed\n" NEXT_READ, NULL},
	{"a NUL among 14 digits", FILE_IS("imei\n35209900\0" "176148\n" NEXT),
	 "2 ! bad-character imei(1) \"35209900?176148\" character 9 is octet 0x00; digits are needed\n"
	 NEXT_READ, NULL},
	{"only NULs", FILE_IS("imei\n\0\0\0\n" NEXT),
	 "2 ! bad-character imei(1) \"???\" character 1 is octet 0x00; digits are needed\n" NEXT_READ, NULL},
	{"a NUL inside a word", FILE_IS("imei,list\n35209900176148,bla\0ck\n" NEXT),
	 "2 ! bad-list list(2) \"bla?ck\" is not white, grey or black\n" NEXT_READ, NULL},
	{"a NUL behind a word", FILE_IS("imei,list\n35209900176148,black\0\n" NEXT),
	 "2 ! bad-list list(2) \"black?\" is not white, grey or black\n" NEXT_READ, NULL},
	{"octets above ASCII", FILE_IS("imei\n35209900\xc2\xa0" "176148\n" NEXT),
	 "2 ! bad-character imei(1) \"35209900??176148\" character 9 is octet 0xc2; digits are needed\n"
	 NEXT_READ, NULL},
	{"a CR in the middle", FILE_IS("imei\n3520990\r0176148\n" NEXT),
	 "2 ! bad-character imei(1) \"3520990?0176148\" character 8 is octet 0x0d; digits are needed\n"
	 NEXT_READ, NULL},
	{"separators alone", FILE_IS("imei\n--/\n" NEXT),
	 "2 ! empty imei(1) \"--/\" has no digit; 14 to 17 are needed\n" NEXT_READ, NULL},
	{"no key at all", FILE_IS("imei,list\n,black\n" NEXT),
	 "2 ! empty imei(1) \"\" has no imei, tac or range\n" NEXT_READ, NULL},
	{"only delimiters", FILE_IS("imei,list\n,\n" NEXT), "2 ! empty imei(1) \"\" has no imei, tac or range\n"
	 NEXT_READ,
	 NULL},
	{"an unknown list", FILE_IS("imei,list\n35209900176148,red\n" NEXT),
	 "2 ! bad-list list(2) \"red\" is not white, grey or black\n" NEXT_READ, NULL},
	{"unknown is a verdict and no list", FILE_IS("imei,list\n35209900176148,unknown\n" NEXT),
	 "2 ! bad-list list(2) \"unknown\" is not white, grey or black\n" NEXT_READ, NULL},
	{"an unknown reason", FILE_IS("imei,reason\n35209900176148,theft\n" NEXT),
	 "2 ! bad-reason reason(2) \"theft\" is not a reason such as stolen, lost or duplicate\n" NEXT_READ, NULL},
	{"a TAC of seven digits", FILE_IS("imei,tac\n,3520990\n" NEXT),
	 "2 ! bad-tac tac(2) \"3520990\" is not 8 digits; was a leading zero lost?\n" NEXT_READ, NULL},
	{"a TAC of letters", FILE_IS("imei,tac\n,3520990O\n" NEXT), "2 ! bad-tac tac(2) \"3520990O\" is not 8 digits\n"
	 NEXT_READ,
	 NULL},
	{"a range that ends before it begins", FILE_IS("imei,from,to\n,35209900176149,35209900176148\n" NEXT),
	 "2 ! bad-range to(3) \"35209900176148\" is below from; the lower end comes first\n" NEXT_READ, NULL},
	{"a range with an end of 15 digits", FILE_IS("imei,from,to\n,35209900176149,352099001761505\n" NEXT),
	 "2 ! bad-range to(3) \"352099001761505\" is not 14 digits\n" NEXT_READ, NULL},
	{"half a range", FILE_IS("imei,from,to\n,35209900176149,\n" NEXT), "2 ! bad-range to(3) \"\" is not 14 digits\n"
	 NEXT_READ,
	 NULL},
	{"the other half",
	 FILE_IS("imei,from,to\n,,35209900176149\n" NEXT), "2 ! bad-range from(2) \"\" is not 14 digits\n"
	 NEXT_READ,
	 NULL},
	{"a version of three digits", FILE_IS("imei,svn\n35209900176148,123\n" NEXT),
	 "2 ! bad-svn svn(2) \"123\" is not 2 digits\n" NEXT_READ, NULL},
	{"a version that is no number", FILE_IS("imei,svn\n35209900176148,0a\n" NEXT),
	 "2 ! bad-svn svn(2) \"0a\" is not 2 digits\n" NEXT_READ, NULL},
	{"a version of a whole TAC", FILE_IS("imei,svn,tac\n,07,35209900\n" NEXT),
	 "2 ! bad-svn svn(2) \"07\" a software version goes with an imei only\n" NEXT_READ, NULL},
	{"a version in a pair", FILE_IS("imei,svn,imsi\n35209900176148,07,001010000000001\n" NEXT),
	 "2 ! bad-pair svn(2) \"07\" must be empty where imsi makes the row a pair\n" NEXT_READ, NULL},
	{"imei and tac exclude each other", FILE_IS("imei,tac\n35209900176148,35209900\n" NEXT),
	 "2 ! bad-range tac(2) \"35209900\" imei, tac and from,to exclude each other; one of them is needed\n"
	 NEXT_READ, NULL},
	{"imei and a range exclude each other",
	 FILE_IS("imei,from,to\n35209900176148,35209900176148,35209900176148\n" NEXT),
	 "2 ! bad-range from(2) \"35209900176148\" imei, tac and from,to exclude each other; one of them is needed\n"
	 NEXT_READ,
	 NULL},
	{"an IMSI of four digits", FILE_IS("imei,imsi\n35209900176148,0010\n" NEXT),
	 "2 ! bad-imsi imsi(2) \"0010\" is not 5 to 15 digits\n" NEXT_READ, NULL},
	{"an IMSI of letters", FILE_IS("imei,imsi\n35209900176148,00101000000000X\n" NEXT),
	 "2 ! bad-imsi imsi(2) \"00101000000000X\" is not 5 to 15 digits\n" NEXT_READ, NULL},
	{"a pair on a list", FILE_IS("imei,imsi,list\n35209900176148,001010000000001,white\n" NEXT),
	 "2 ! bad-pair list(3) \"white\" must be empty where imsi makes the row a pair\n" NEXT_READ, NULL},
	{"a pair without an IMSI", FILE_IS("imei,imsi,pair\n35209900176148,,allow\n" NEXT),
	 "2 ! bad-pair pair(3) \"allow\" a pair needs an imsi\n" NEXT_READ, NULL},
	{"a pair of a whole TAC", FILE_IS("imei,tac,imsi\n,35209900,001010000000001\n" NEXT),
	 "2 ! bad-pair imsi(3) \"001010000000001\" a pair needs an imei, not a tac or a range\n" NEXT_READ, NULL},
	{"an unknown pair word", FILE_IS("imei,imsi,pair\n35209900176148,001010000000001,perhaps\n" NEXT),
	 "2 ! bad-pair pair(3) \"perhaps\" is not allow, deny or fixed\n" NEXT_READ, NULL},
	{"none is no pair word", FILE_IS("imei,imsi,pair\n35209900176148,001010000000001,none\n" NEXT),
	 "2 ! bad-pair pair(3) \"none\" is not allow, deny or fixed\n" NEXT_READ, NULL},
	{"a refusal overtakes a remark", FILE_IS("imei,list\n352099001761487,red\n" NEXT),
	 "2 ! bad-list list(2) \"red\" is not white, grey or black\n" NEXT_READ, NULL},
	{"more cells than the header names", FILE_IS("imei,note,list\n35209900176148,stolen, in a bar,black\n" NEXT),
	 "2 ! extra-cells has more cells than the header has columns\n" NEXT_READ, NULL},
	{"a quote inside a bare cell", FILE_IS("imei,note\n35209900176148,5\" phone\n" NEXT),
	 "2 ! bad-quotes a quote stands inside a cell; quote the cell and double the quote\n" NEXT_READ, NULL},
	{"text behind a closing quote", FILE_IS("imei,note\n35209900176148,\"a\"b\n" NEXT),
	 "2 ! bad-quotes a quote stands inside a cell; quote the cell and double the quote\n" NEXT_READ, NULL},
	{"a file cut inside a row", FILE_IS("imei,list,reason\n35209900176149,,\n352099001"),
	 "2 35209900176149 black none\n"
	 "3 ! cut is the last row, has no line end and too few cells: was the file cut?\nlines 3\n", NULL},
	{"a file cut inside its last cell", FILE_IS("imei,list\n35209900176149,\n35209900176148,bla"),
	 "2 35209900176149 black none\n3 ! bad-list list(2) \"bla\" is not white, grey or black\nlines 3\n", NULL},
	{"a file cut inside quotes", FILE_IS("imei,note\n35209900176149,\n35209900176148,\"was left in"),
	 "2 35209900176149 black none\n"
	 "3 ! bad-quotes opens a quote that the file does not close: was it cut?\nlines 3\n", NULL},
	{"a quote that is never closed loses its own line only",
	 FILE_IS("imei,note\n35209900176147,\"oops\n35209900176148,x\n35209900176149,y\n"),
	 "2 ! bad-quotes opens a quote that the file does not close: was it cut?\n"
	 "3 35209900176148 black none\n4 35209900176149 black none\nlines 4\n", NULL},
	{"a quote that only another row's quote would close loses its own line only",
	 FILE_IS("imei,note\n35209900176147,\"oops\n35209900176148,\"x\"\n35209900176149,\"a\nb\"\n"),
	 "2 ! bad-quotes opens a quote that is not closed where it should be\n"
	 "3 35209900176148 black none\n4 ? line-break has line ends inside quotes, and was read as one row; is "
	 "that meant?\n"
	 "4 35209900176149 black none\nlines 5\n", NULL},
	{"two open quotes, one behind the other, are a quoted cell, and remarked",
	 FILE_IS("imei,note\n35209900176146,\"\n35209900176147,x\n35209900176148,\"\n35209900176149,y\n"),
	 "2 ? line-break has line ends inside quotes, and was read as one row; is that meant?\n"
	 "2 35209900176146 black none\n5 35209900176149 black none\nlines 5\n", NULL},
	{"of a file cut inside quotes only the last row is cut",
	 FILE_IS("imei,note,list\n35209900176147,\"oops\n35209900176148\n35209900176149,y"),
	 "2 ! bad-quotes opens a quote that the file does not close: was it cut?\n3 35209900176148 black none\n"
	 "4 ! cut is the last row, has no line end and too few cells: was the file cut?\nlines 4\n", NULL},
	{"three open quotes: the last one is refused",
	 FILE_IS("imei,note\n35209900176146,\"\n35209900176147,\"\n35209900176148,\"\n35209900176149,y\n"),
	 "2 ? line-break has line ends inside quotes, and was read as one row; is that meant?\n"
	 "2 35209900176146 black none\n4 ! bad-quotes opens a quote that the file does not close: was it cut?\n"
	 "5 35209900176149 black none\nlines 5\n", NULL},
};
/* clang-format on */

static void a_bad_row_is_refused_singly_and_the_next_one_read(void **state)
{
	(void)state;
	check_rows(bad_rows, N(bad_rows));
}

/* --- files that cannot be read -------------------------------------------------------------------------------- */

/* clang-format off */
static const struct row bad_files[] = {
	{"an empty file", FILE_IS(""),
	 "error -22 the file is empty; a first line is needed such as imei,list\n", NULL},
	{"blank lines only", FILE_IS("\n\r\n  \n"),
	 "error -22 the file is empty; a first line is needed such as imei,list\n", NULL},
	{"no column that names a device", FILE_IS("serial,list\n35209900176148,black\n"),
	 "error -22 line 1: the header needs a column imei, or tac, or from and to; it has: serial, list\n", NULL},
	{"half a range in the header", FILE_IS("from,list\n35209900176148,black\n"),
	 "error -22 line 1: the header needs a column imei, or tac, or from and to; it has: from, list\n", NULL},
	{"a header's digits are not repeated", FILE_IS("serial,35209900176148\n"),
	 "error -22 line 1: the header needs a column imei, or tac, or from and to; it has: serial, ?\n", NULL},
	{"several cells and no header", FILE_IS("352099001761481,black\n"),
	 "error -22 line 1: a row of several cells before any header; a first line is needed "
	 "such as imei,list\n", NULL},
	{"one column that begins with 13 digits", FILE_IS("3520990017614\n35209900176148\n"),
	 "error -22 line 1 names no column and is no IMEI either: it has too few digits; a header is needed "
	 "such as imei,list\n",
	 NULL},
	{"a column twice", FILE_IS("imei,list,IMEI\n"),
	 "error -22 line 1: columns 1 and 3 are both called imei\n", NULL},
	{"a file of differences", FILE_IS("imei,change_type\n35209900176148,remove\n"),
	 "error -22 line 1: a column change_type says that this file lists differences; a full list is needed\n", NULL},
	{"UTF-16", FILE_IS("\xff\xfei\0m\0e\0i\0\n\0"),
	 "error -22 line 1: the file is UTF-16; UTF-8 is needed\n", NULL},
	{"UTF-16, the other end first", FILE_IS("\xfe\xff\0i\0m\0e\0i\0\n"),
	 "error -22 line 1: the file is UTF-16; UTF-8 is needed\n", NULL},
	{"lines that end in CR alone", FILE_IS("imei,list\r35209900176148,black\r"),
	 "error -22 line 1: lines end in CR alone; LF or CRLF is needed\n", NULL},
	{"a header with a stray quote", FILE_IS("imei,li\"st\n35209900176148,black\n"),
	 "error -22 line 1: a quote stands inside a cell; quote the cell and double the quote\n", NULL},
	{"a header whose quote does not close", FILE_IS("imei,\"list\n35209900176148,black\n"),
	 "error -22 line 1: opens a quote that the file does not close: was it cut?\n", NULL},
};
/* clang-format on */

static void a_column_that_may_be_misspelt_is_remarked(void **state)
{
	static const struct {
		const char *file;
		unsigned remarks;
	} row[] = {
		{"imei,colour\n352099001761481,white\n", 1},
		{"imei,colour,owner\n352099001761481,white,x\n", 1},
		{"imei,list,colour\n352099001761481,white,red\n", 0}, /* what it is listed as is said */
		{"imei,imsi,owner\n352099001761481,001010000000001,x\n", 0},
		{"imei,source\n352099001761481,police\n", 0}, /* as an export has it */
		{"352099001761481\n", 0},
	};

	(void)state;
	for (unsigned i = 0; i < N(row); i++) {
		struct transcript t = {0};

		read_list(&t, &plain, row[i].file, strlen(row[i].file), 0);
		assert_int_equal(t.unknown_columns, row[i].remarks);
		assert_int_equal(t.rows, 1);
		free(t.text);
	}
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
	(void)state;
	check_rows(bad_files, N(bad_files));
}

static void more_than_256_columns_are_refused(void **state)
{
	char header[1024] = "imei";

	(void)state;
	for (unsigned i = 1; i < 256; i++)
		strcat(header, ",x");
	strcat(header, "\n");
	check("256 columns", &plain, header, strlen(header), "lines 1\n");
	header[strlen(header) - 1] = '\0';
	strcat(header, ",x\n");
	check("257 columns", &plain, header, strlen(header), "error -22 line 1: more than 256 columns\n");
}

/* --- the longest row ------------------------------------------------------------------------------------------ */

/* header, a row with a note that makes it len octets with its line end, and one more row */
static char *file_with_row_of(size_t len, const char *quote, size_t *file_len)
{
	char *file = malloc(len + 200);
	size_t at = (size_t)sprintf(file, "imei,note\n");
	size_t row = at;

	at += (size_t)sprintf(file + at, "35209900176148,%s", quote);
	for (; at - row < len - 1 - strlen(quote); at++)
		file[at] = at % 50 == 0 && *quote ? '\n' : 'x';
	at += (size_t)sprintf(file + at, "%s\n35209900176149,y\n", quote);
	*file_len = at;
	return file;
}

static void a_row_of_the_longest_length_is_read_and_a_longer_one_refused(void **state)
{
	size_t len;
	char *file;

	(void)state;
	file = file_with_row_of(LIST_LINE_MAX, "", &len);
	check("4096 octets", &plain, file, len, "2 35209900176148 black none\n3 35209900176149 black none\nlines 3\n");
	free(file);
	file = file_with_row_of(LIST_LINE_MAX + 1, "", &len);
	check("4097 octets", &plain, file, len,
	      "2 ! row-too-long is longer than 4096 octets; is its line end LF or CRLF?\n3 35209900176149 black "
	      "none\nlines 3\n");
	free(file);
	file = file_with_row_of(100000, "", &len);
	check("100000 octets", &plain, file, len,
	      "2 ! row-too-long is longer than 4096 octets; is its line end LF or CRLF?\n3 35209900176149 black "
	      "none\nlines 3\n");
	check("cut inside a long row", &plain, file, len / 2,
	      "2 ! row-too-long is longer than 4096 octets; is its line end LF or CRLF?\nlines 2\n");
	free(file);
}

static void a_header_longer_than_a_row_is_refused(void **state)
{
	char *file = malloc(5000);

	(void)state;
	memset(file, 'x', 5000);
	check("a header of 5000 octets", &plain, file, 5000,
	      "error -22 line 1: is longer than 4096 octets; is its line end LF or CRLF?\n");
	free(file);
}

static void a_quoted_row_of_many_lines_has_the_same_limit(void **state)
{
	struct transcript t = {0};
	char expected[128];
	unsigned lines = 0;
	size_t len;
	char *file;

	(void)state;
	file = file_with_row_of(LIST_LINE_MAX, "\"", &len);
	read_list(&t, &plain, file, len, 0);
	for (size_t i = 0; i < len; i++)
		lines += file[i] == '\n';
	snprintf(expected, sizeof(expected), "2 35209900176148 black none\n%u 35209900176149 black none\nlines %u\n",
		 lines, lines);
	assert_non_null(strstr(t.text, expected));
	assert_int_equal(t.rows, 2);
	assert_int_equal(t.rejects, 1); /* the remark */
	free(t.text);
	free(file);
	memset(&t, 0, sizeof(t));
	file = file_with_row_of(LIST_LINE_MAX + 1, "\"", &len);
	read_list(&t, &plain, file, len, 0);
	assert_ptr_equal(strstr(t.text, "2 ! bad-quotes opens a quote that is not closed within 4096 octets\n"),
			 t.text);
	assert_non_null(strstr(t.text, " 35209900176149 black none\n"));
	assert_int_equal(t.rows, 1);
	free(t.text);
	free(file);
}

/* A quote left open at line 2 of ten thousand: every other row is still there, in order. */
static void one_open_quote_in_a_long_file_costs_one_row(void **state)
{
	char *file = malloc(10000 * 24 + 100);
	size_t len = (size_t)sprintf(file, "imei,note\n35209900000000,\"\n");

	(void)state;
	for (unsigned i = 1; i < 10000; i++)
		len += (size_t)sprintf(file + len, "%014llu,x\n", 35209900000000ULL + i);
	for (unsigned k = 0; k < N(chunks); k++) {
		struct transcript t = {0};
		unsigned long long line, key;
		const char *p;

		assert_int_equal(read_list(&t, &plain, file, len, chunks[k]), 0);
		assert_int_equal(t.rejects, 1);
		assert_int_equal(t.rows, 9999);
		p = strchr(t.text, '\n') + 1;
		for (unsigned i = 1; i < 10000; i++) {
			assert_int_equal(sscanf(p, "%llu %llu", &line, &key), 2);
			assert_int_equal(line, i + 2);
			assert_int_equal(key, 35209900000000ULL + i);
			p = strchr(p, '\n') + 1;
		}
		free(t.text);
	}
	free(file);
}

/* --- stopping ------------------------------------------------------------------------------------------------- */

static void a_callback_stops_the_reading_with_its_error(void **state)
{
	static const char file[] = "imei\n35209900176148\n352099001761487\nx\n35209900176149\n";

	(void)state;
	for (unsigned i = 0; i < N(chunks); i++) {
		struct transcript t = {.stop_at_row = 1, .stop = -ECANCELED};

		assert_int_equal(read_list(&t, &plain, file, sizeof(file) - 1, chunks[i]), -ECANCELED);
		assert_int_equal(t.rows, 1);
		assert_int_equal(t.rejects, 0);
		free(t.text);
		t = (struct transcript){.stop_at_reject = 1, .stop = 7};
		assert_int_equal(read_list(&t, &plain, file, sizeof(file) - 1, chunks[i]), 7);
		assert_int_equal(t.rows, 1); /* the row of the remark is not handed over any more */
		assert_int_equal(t.rejects, 1);
		free(t.text);
	}
}

/* --- every cut and every flipped bit -------------------------------------------------------------------------- */

static const char sample[] = "imei,tac,from,to,list,imsi,pair,reason,note\r\n"
			     "352099001761481,,,,black,,,stolen,\"a \"\"b\"\"\"\r\n"
			     ",35209901,,,grey,,,none,\r\n"
			     ",,35209902000000,35209902000099,white,,,,\"two\r\nlines\"\r\n"
			     "3520990017614999,,,,,,,,\r\n"
			     "352099001761481,,,,,001010000000001,deny,,x\r\n";

static void every_cut_file_is_read_to_its_cut(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(sample) - 1; len++) {
		struct transcript whole = {0}, pieces = {0};

		read_list(&whole, &plain, sample, len, 0);
		read_list(&pieces, &plain, sample, len, 5);
		assert_string_equal(whole.text, pieces.text);
		assert_true(whole.rows <= 5 && whole.rejects <= 3);
		free(whole.text);
		free(pieces.text);
	}
}

static void a_flipped_bit_gives_the_same_in_any_pieces(void **state)
{
	char file[sizeof(sample)];

	(void)state;
	memcpy(file, sample, sizeof(sample));
	for (size_t bit = 0; bit < (sizeof(sample) - 1) * 8; bit++) {
		struct transcript whole = {0}, pieces = {0};

		file[bit / 8] ^= (char)(1 << bit % 8);
		read_list(&whole, &plain, file, sizeof(sample) - 1, 0);
		read_list(&pieces, &plain, file, sizeof(sample) - 1, 11);
		assert_string_equal(whole.text, pieces.text);
		file[bit / 8] ^= (char)(1 << bit % 8);
		free(whole.text);
		free(pieces.text);
	}
}

/* --- and back ------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t any(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 11) % below;
}

static struct weir_imsi any_imsi(void)
{
	uint64_t one = 100000;

	for (uint64_t n = any(11); n > 0; n--)
		one *= 10;
	return (struct weir_imsi){one + any(one)};
}

static struct list_row any_row(void)
{
	struct list_row row = {.kind = (enum list_kind)any(3), .svn = WEIR_NO_SVN, .line = 2};

	row.from = row.to = any(WEIR_IMEI_END);
	row.colour = row.kind == LIST_PAIR ? WEIR_UNKNOWN : (enum weir_colour)any(WEIR_UNKNOWN);
	row.reason = (uint16_t)any(WEIR_N_REASONS);
	if (row.kind == LIST_DEVICE && any(2))
		row.svn = (int8_t)any(100);
	if (row.kind == LIST_PAIR) {
		row.imsi = any_imsi();
		row.rule = (enum weir_pair_rule)(1 + any(WEIR_N_PAIR_RULES - 1));
	}
	if (row.kind == LIST_RANGE) {
		row.to = row.from + any(WEIR_IMEI_END - row.from);
		if (any(2)) {
			row.from -= row.from % 1000000;
			row.to = row.from + 999999;
		}
	}
	return row;
}

struct only {
	struct list_row row;
	unsigned n;
};

static int keep(const struct list_row *row, void *data)
{
	struct only *only = data;

	only->row = *row;
	only->n++;
	return 0;
}

static int complain(const struct list_reject *reject, void *data)
{
	(void)data;
	if (reject->fault == LIST_LINE_BREAK) /* a source's name may hold one */
		return 0;
	fail_msg("%s: %s", list_fault_name(reject->fault), reject->text);
	return -EINVAL;
}

static void check_same(const struct list_row *a, const struct list_row *b, const char *text)
{
	if (a->kind != b->kind || a->from != b->from || a->to != b->to || a->svn != b->svn ||
	    a->imsi.packed != b->imsi.packed || a->colour != b->colour || a->rule != b->rule ||
	    a->reason != b->reason || a->line != b->line)
		fail_msg("another row came back from %s", text);
}

static const char *const sources[] = {"", "police", "a,b", "say \"no\"", "two\nlines", "0"};

static void what_is_printed_is_read_as_the_same_row(void **state)
{
	(void)state;
	seed = 1;
	for (unsigned i = 0; i < 30000; i++) {
		const struct list_defaults other = {.colour = (enum weir_colour)any(3),
						    .reason = (uint16_t)any(WEIR_N_REASONS)};
		struct list_row row = any_row();
		char text[LIST_ROW_TEXT];
		struct only back = {.n = 0};
		struct list_reader *reader = list_reader_alloc(&other, keep, complain, &back);
		int len = list_row_print(&row, sources[any(N(sources))], text, sizeof(text));

		assert_in_range(len, 20, sizeof(text) - 1);
		assert_int_equal(text[len - 1], '\n');
		assert_int_equal(text[len], '\0');
		assert_int_equal(list_reader_feed(reader, list_header, strlen(list_header), NULL), 0);
		assert_int_equal(list_reader_feed(reader, text, (size_t)len, NULL), 0);
		assert_int_equal(list_reader_finish(reader, NULL), 0);
		assert_int_equal(back.n, 1);
		check_same(&row, &back.row, text);
		list_reader_free(reader);
	}
}

static void what_does_not_fit_is_refused_and_not_overrun(void **state)
{
	(void)state;
	seed = 2;
	for (unsigned i = 0; i < 300; i++) {
		struct list_row row = any_row();
		const char *source = sources[any(N(sources))];
		char text[LIST_ROW_TEXT];
		int len = list_row_print(&row, source, text, sizeof(text));

		for (int size = 0; size <= len + 1; size++) {
			char *buf = malloc(size ? (size_t)size : 1);

			assert_int_equal(list_row_print(&row, source, buf, (size_t)size), size > len ? len : -ENOSPC);
			if (size > len)
				assert_string_equal(buf, text);
			free(buf);
		}
	}
}

static const struct {
	struct list_row row;
	const char *source, *text;
} printed[] = {
	{{.kind = LIST_DEVICE,
	  .from = 35209900176148,
	  .to = 35209900176148,
	  .svn = WEIR_NO_SVN,
	  .colour = WEIR_BLACK,
	  .reason = WEIR_REASON_STOLEN},
	 "police",
	 "352099001761481,,,,,black,,,stolen,police\n"},
	{{.kind = LIST_DEVICE, .from = 123456, .to = 123456, .svn = 7, .colour = WEIR_GREY},
	 "",
	 "000000001234566,07,,,,grey,,,none,\n"},
	{{.kind = LIST_RANGE, .from = 35209900000000, .to = 35209900999999, .svn = WEIR_NO_SVN, .colour = WEIR_WHITE},
	 "x",
	 ",,35209900,,,white,,,none,x\n"},
	{{.kind = LIST_RANGE, .from = 35209900000000, .to = 35209901999999, .svn = WEIR_NO_SVN, .colour = WEIR_WHITE},
	 "x",
	 ",,,35209900000000,35209901999999,white,,,none,x\n"},
	{{.kind = LIST_RANGE, .from = 35209900000001, .to = 35209901000000, .svn = WEIR_NO_SVN, .colour = WEIR_GREY},
	 "x",
	 ",,,35209900000001,35209901000000,grey,,,none,x\n"},
	{{.kind = LIST_PAIR,
	  .from = 35209900176148,
	  .to = 35209900176148,
	  .svn = WEIR_NO_SVN,
	  .colour = WEIR_UNKNOWN,
	  .imsi = {UINT64_C(1001010000000001)},
	  .rule = WEIR_PAIR_FIXED,
	  .reason = WEIR_REASON_REGISTERED},
	 "a \"b\", c",
	 "352099001761481,,,,,,001010000000001,fixed,registered,\"a \"\"b\"\", c\"\n"},
};

static void rows_are_printed_as_the_header_says(void **state)
{
	(void)state;
	assert_string_equal(list_header, "imei,svn,tac,from,to,list,imsi,pair,reason,source\n");
	for (unsigned i = 0; i < N(printed); i++) {
		char text[LIST_ROW_TEXT];

		assert_int_equal(list_row_print(&printed[i].row, printed[i].source, text, sizeof(text)),
				 strlen(printed[i].text));
		assert_string_equal(text, printed[i].text);
	}
}

static void every_fault_has_its_own_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIST_N_FAULTS; i++) {
		assert_non_null(list_fault_name((enum list_fault)i));
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(list_fault_name((enum list_fault)i),
						list_fault_name((enum list_fault)k));
	}
	assert_string_equal(list_fault_name(LIST_N_FAULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_is_read),
		cmocka_unit_test(a_bad_row_is_refused_singly_and_the_next_one_read),
		cmocka_unit_test(a_column_that_may_be_misspelt_is_remarked),
		cmocka_unit_test(a_file_that_cannot_be_read_says_why),
		cmocka_unit_test(more_than_256_columns_are_refused),
		cmocka_unit_test(a_row_of_the_longest_length_is_read_and_a_longer_one_refused),
		cmocka_unit_test(a_header_longer_than_a_row_is_refused),
		cmocka_unit_test(a_quoted_row_of_many_lines_has_the_same_limit),
		cmocka_unit_test(one_open_quote_in_a_long_file_costs_one_row),
		cmocka_unit_test(a_callback_stops_the_reading_with_its_error),
		cmocka_unit_test(every_cut_file_is_read_to_its_cut),
		cmocka_unit_test(a_flipped_bit_gives_the_same_in_any_pieces),
		cmocka_unit_test(what_is_printed_is_read_as_the_same_row),
		cmocka_unit_test(what_does_not_fit_is_refused_and_not_overrun),
		cmocka_unit_test(rows_are_printed_as_the_header_says),
		cmocka_unit_test(every_fault_has_its_own_name),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
