/* SPDX-License-Identifier: AGPL-3.0-or-later
 * Copyright (C) 2026 The Weir authors */

/* Where freeDiameter enters: reads the options and starts what they name (s13.h). */
#include "peers/s13.h"

#include <stdlib.h>
#include <string.h>

static struct {
	struct s13_words words;
	struct s13_options options;
	char *text; /* what options point into */
} root = {
	.options = {.realm = "weir.test", .status = "white", .window = 1, .rounds = 1, .patience_s = 5},
};

static bool read_option(struct s13_options *o, char *word)
{
	const struct {
		const char *name;
		const char **text;
		unsigned *number;
	} options[] = {
		{"questions=", &o->questions, NULL}, {"realm=", &o->realm, NULL},   {"host=", &o->host, NULL},
		{"status=", &o->status, NULL},       {"window=", NULL, &o->window}, {"rounds=", NULL, &o->rounds},
		{"seconds=", NULL, &o->seconds},     {"pace=", NULL, &o->pace_ms},  {"linger=", NULL, &o->linger_s},
		{"patience=", NULL, &o->patience_s},
	};
	size_t i, len;

	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		len = strlen(options[i].name);
		if (strncmp(word, options[i].name, len))
			continue;
		if (options[i].text)
			*options[i].text = word + len;
		else
			*options[i].number = (unsigned)strtoul(word + len, NULL, 10);
		return true;
	}
	return false;
}

static int start(char *what)
{
	char *rest = NULL, *mode, *word;
	int error;

	root.text = strdup(what ? what : "watch");
	mode = root.text ? strtok_r(root.text, " ", &rest) : NULL;
	while (mode && (word = strtok_r(NULL, " ", &rest)))
		if (!read_option(&root.options, word)) {
			LOG_E("weir_s13: %s is no option", word);
			return EINVAL;
		}
	error = mode ? s13_watch_start() : EINVAL;
	if (error || !strcmp(mode, "watch"))
		return error;
	error = s13_words_define(&root.words);
	if (error)
		return error;
	if (!strcmp(mode, "server"))
		return s13_server_start(&root.words, &root.options);
	return !strcmp(mode, "client") && root.options.questions ? s13_client_start(&root.words, &root.options)
								 : EINVAL;
}

/* Called by name when freeDiameter ends. */
void fd_ext_fini(void);
void fd_ext_fini(void)
{
	s13_client_stop();
	free(root.text);
}

int fd_ext_init(int major, int minor, char *conffile);
extern const char *fd_ext_depends[];
EXTENSION_ENTRY("weir_s13", start)
