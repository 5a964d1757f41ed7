/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* The sentence for a configuration line that was refused: which word is the first wrong one, and which would be right.
 *
 * It walks the command tree with cmd_describe_command(), which lists what may follow some words, and never executes.
 * Traps of libosmovty 1.7.0: the status is not set in every case, and with CMD_ERR_NO_MATCH the returned vector is
 * freed already; it accepts abbreviations that a file may not use, so each word is compared here, exactly. */
#include "daemon/hint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <osmocom/core/talloc.h>
#include <osmocom/vty/command.h>
#include <osmocom/vty/vty.h>

#define MAX_WORD    64  /* longer words have no near ones */
#define MAX_NEAR    3   /* near words told */
#define MAX_CHOICES 160 /* characters of choices told */

static bool is_address(const char *pattern, const char *word)
{
	struct in6_addr out;
	int family = *pattern == 'X' ? AF_INET6 : AF_INET;
	char address[INET6_ADDRSTRLEN + 1];
	size_t len = strchr(pattern, '/') ? strcspn(word, "/") : strlen(word);

	if (len >= sizeof(address))
		return false;
	memcpy(address, word, len);
	address[len] = 0;
	return inet_pton(family, address, &out) == 1;
}

/* Does a word fit what the tree has at its place? */
static bool fits(const char *pattern, const char *word)
{
	char inner[256];
	size_t len = strlen(pattern);

	if (*pattern == '[' && len >= 3 && len - 2 < sizeof(inner)) {
		memcpy(inner, pattern + 1, len - 2);
		inner[len - 2] = 0;
		pattern = inner;
	}
	if (*pattern == '.')
		return true;
	if (*pattern == '<')
		return vty_cmd_range_match(pattern, word);
	if (!strncmp(pattern, "A.B.C.D", 7) || !strncmp(pattern, "X:X::X:X", 8))
		return is_address(pattern, word);
	return isupper((unsigned char)*pattern) || !strcmp(pattern, word);
}

static bool is_literal(const char *pattern)
{
	return islower((unsigned char)*pattern) || isdigit((unsigned char)*pattern);
}

/* What may follow the first n words (talloc: free with vector_free), or NULL. */
static vector choices_after(struct vty *vty, vector words, unsigned n)
{
	vector line = vector_init(n + 1);
	int status = CMD_SUCCESS;
	vector choices;

	for (unsigned i = 0; i < n; i++)
		vector_set(line, vector_slot(words, i));
	vector_set(line, NULL);
	choices = cmd_describe_command(line, vty, &status);
	vector_free(line);
	return status == CMD_SUCCESS ? choices : NULL;
}

static const struct desc *choice(vector choices, unsigned i)
{
	return vector_slot(choices, i);
}

static bool any_fits(vector choices, const char *word)
{
	for (unsigned i = 0; choices && i < vector_active(choices); i++)
		if (choice(choices, i) && strcmp(choice(choices, i)->cmd, "<cr>") &&
		    fits(choice(choices, i)->cmd, word))
			return true;
	return false;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, remove, change or swap to make one word of the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][MAX_WORD + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > MAX_WORD || lb > MAX_WORD)
		return MAX_WORD;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], before[j - 2] + 1, now[j]);
		}
	}
	return row[la % 3][lb];
}

static bool is_near(const char *word, const char *right)
{
	size_t len = strlen(word);

	if (len >= 2 && (!strncmp(word, right, len) || !strncmp(word, right, strlen(right))))
		return true; /* an abbreviation, or something added */
	return distance(word, right) <= (len <= 3 ? 1 : 2);
}

bool hint_is_for_terminal(const char *line)
{
	static const struct {
		const char *word;
		bool alone; /* only where nothing follows */
	} words[] = {{"write", false}, {"show", false}, {"list", true},   {"help", true},
		     {"exit", true},   {"end", true},   {"discard", true}};
	size_t len = strcspn(line, " \t");
	bool alone = !line[len + strspn(line + len, " \t")];

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (len == strlen(words[i].word) && !memcmp(line, words[i].word, len) && (alone || !words[i].alone))
			return true;
	return false;
}

/* Every node knows the words for the terminal; a configuration would be wrong with them. */
static void forget_terminal_words(vector choices)
{
	for (unsigned i = vector_active(choices); i-- > 0;)
		if (choice(choices, i) && hint_is_for_terminal(choice(choices, i)->cmd))
			vector_unset(choices, i);
}

static unsigned count(vector choices)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vector_active(choices); i++)
		n += choice(choices, i) != NULL;
	return n;
}

/* "a", "b" or "c" */
static unsigned print_near(char *buf, size_t size, vector choices, const char *word)
{
	unsigned n = 0;
	size_t at = 0;

	for (unsigned i = 0; i < vector_active(choices) && n < MAX_NEAR && at < size; i++) {
		const struct desc *desc = choice(choices, i);

		if (!desc || !is_literal(desc->cmd) || !is_near(word, desc->cmd))
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s\"%s\"", n ? " or " : "", desc->cmd);
		n++;
	}
	return n;
}

/* a, b, <1-65535> (TCP port) ...; false: it was cut. */
static bool print_list(char *buf, size_t size, vector choices, bool help)
{
	size_t at = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < vector_active(choices); i++) {
		const struct desc *desc = choice(choices, i);
		char one[120];
		int len;

		if (!desc)
			continue;
		if (help && desc->str && *desc->str && strcmp(desc->cmd, "<cr>"))
			len = snprintf(one, sizeof(one), "%s%s (%s)", at ? ", " : "", desc->cmd, desc->str);
		else
			len = snprintf(one, sizeof(one), "%s%s", at ? ", " : "",
				       strcmp(desc->cmd, "<cr>") ? desc->cmd : "the end of the line");
		if (len < 0 || (size_t)len >= sizeof(one) || at + (size_t)len + 5 >= size) {
			snprintf(buf + at, size - at, " ...");
			return false;
		}
		memcpy(buf + at, one, (size_t)len + 1);
		at += (size_t)len;
	}
	return true;
}

/* Helps where there are few choices and their helps are short. */
static void print_choices(char *buf, size_t size, vector choices)
{
	if (count(choices) > 3 || !print_list(buf, size, choices, true))
		print_list(buf, size, choices, false);
}

/* The words before the wrong one, as they stand in the line. */
static void print_before(char *buf, size_t size, vector words, unsigned n)
{
	size_t at = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? " " : "", (char *)vector_slot(words, i));
}

/* "in node gsup" from the prompt "%s(config-gsup)# ". */
static void print_node(char *buf, size_t size, int node)
{
	const char *prompt = cmd_prompt(node), *name = prompt ? strstr(prompt, "(config-") : NULL;

	if (name)
		snprintf(buf, size, "in node %.*s", (int)strcspn(name + 8, ")"), name + 8);
	else
		snprintf(buf, size, "at the top level");
}

/* The node above in which the line would begin well, or -1. */
static int node_above(struct vty *vty, vector words)
{
	struct vty_parent_node *parent;
	int node = vty->node, found = -1;

	llist_for_each_entry(parent, &vty->parent_nodes, entry) {
		vector choices;

		vty->node = parent->node;
		choices = choices_after(vty, words, 0);
		if (any_fits(choices, vector_slot(words, 0)))
			found = parent->node;
		if (choices)
			vector_free(choices);
		if (found >= 0)
			break;
	}
	vty->node = node;
	return found;
}

static void explain_first(struct vty *vty, vector words, vector choices, struct weir_why *why)
{
	const char *word = vector_slot(words, 0);
	char node[60], above[60], near[120], all[MAX_CHOICES];
	int parent = node_above(vty, words);

	forget_terminal_words(choices);
	print_node(node, sizeof(node), vty->node);
	if (parent >= 0) {
		print_node(above, sizeof(above), parent);
		why_set(why, 0, "\"%.40s\" is not known %s; with less indentation it would be right, %s", word, node,
			above);
	} else if (print_near(near, sizeof(near), choices, word)) {
		why_set(why, 0, "\"%.40s\" is not known %s; %s would be right", word, node, near);
	} else {
		print_choices(all, sizeof(all), choices);
		why_set(why, 0, "\"%.40s\" is not known %s; right would be: %s", word, node, all);
	}
}

static void explain_later(vector words, unsigned n, vector choices, struct weir_why *why)
{
	const char *word = vector_slot(words, n);
	char before[80], near[120], all[MAX_CHOICES];

	print_before(before, sizeof(before), words, n);
	if (vector_active(choices) == 1 && !strcmp(choice(choices, 0)->cmd, "<cr>")) {
		why_set(why, 0, "\"%.40s\" is too much; the line would be right if it ended after \"%s\"", word,
			before);
	} else if (print_near(near, sizeof(near), choices, word)) {
		why_set(why, 0, "\"%.40s\" cannot follow \"%s\"; %s would be right", word, before, near);
	} else {
		print_choices(all, sizeof(all), choices);
		why_set(why, 0, "\"%.40s\" cannot follow \"%s\"; right would be: %s", word, before, all);
	}
}

/* Find the first word that fits nowhere; none: the line stops too early. */
static void explain_words(struct vty *vty, const char *line, vector words, struct weir_why *why)
{
	unsigned n = vector_active(words);
	char all[MAX_CHOICES];

	for (unsigned i = 0; i <= n; i++) {
		vector choices = choices_after(vty, words, i);

		if (!choices)
			break;
		if (i < n && any_fits(choices, vector_slot(words, i))) {
			vector_free(choices);
			continue;
		}
		if (i == n) {
			print_choices(all, sizeof(all), choices);
			why_set(why, 0, "\"%.60s\" is not complete; what follows would be: %s", line, all);
		} else if (i) {
			explain_later(words, i, choices, why);
		} else {
			explain_first(vty, words, choices, why);
		}
		vector_free(choices);
		return;
	}
	why_set(why, 0, "\"%.100s\" is not a command here; \"list\" at the terminal shows what is", line);
}

static void explain_indent(const char *line, bool in_option, struct weir_why *why)
{
	if (in_option)
		why_set(why, 0,
			"nothing can follow with ';' before \"%.60s\", it opens no node; another -C would be right",
			line);
	else
		why_set(why, 0,
			"\"%.60s\" is indented unlike the lines above; the column of the line above would be right, "
			"and one space more only below a line that opens a node",
			line);
}

void hint_explain(struct vty *vty, int code, const char *line, bool in_option, struct weir_why *why)
{
	vector words;

	line += strspn(line, " \t");
	if (code == CMD_ERR_INVALID_INDENT) {
		explain_indent(line, in_option, why);
		return;
	}
	if (code != CMD_ERR_NO_MATCH && code != CMD_ERR_INCOMPLETE && code != CMD_ERR_AMBIGUOUS) {
		why_set(why, 0, "\"%.100s\" was refused", line);
		return;
	}
	words = cmd_make_strvec(line);
	explain_words(vty, line, words, why);
	cmd_free_strvec(words);
}
