#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What the documents name exists: paths of the tree, our programs and their options.  Looked at is what stands in `code`
# and in fenced blocks of README.md and doc/*.md, and in the sources of the man pages.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Code of a document, one piece a line.
code() { # FILE
	awk '/^```/ { fenced = !fenced; next }
	fenced { print; next }
	{ text = $0; while (match(text, /`[^`]+`/)) {
		print substr(text, RSTART + 1, RLENGTH - 2); text = substr(text, RSTART + RLENGTH) } }' "$1"
}

documents() { # TREE
	find "$1/README.md" "$1/doc" \( -name '*.md' -o -name '*.adoc' \) -type f 2>/dev/null | sort
}

path_findings() { # FILE NAME TREE
	local path
	local ours='(src|tests|contrib|doc|debian|share)/[A-Za-z0-9_./*-]*[A-Za-z0-9_*]'
	code "$1" | grep -oE "(^|[ \"(=.])/?$ours" |
		grep -vE '^[ "(=]?/|/(ROOM|NAME|FILE|DIR)' | sed -E 's/^[ "(=.]*\/?//' | sort -u |
		while read -r path; do
		compgen -G "$3/$path" >/dev/null || compgen -G "$3/$path.c" >/dev/null ||
			compgen -G "$build/$path" >/dev/null ||
			echo "$2: there is no $path"
	done
}

# Help of a program as built, with the help of weirctl's commands; empty where there is none.
help_of() { # PROGRAM
	local verb
	"$build/src/$1" -h 2>/dev/null || return
	"$build/src/$1" -h | sed -nE '/^verbs:/,$s/^  ([a-z]+) .*/\1/p' | while read -r verb; do
		"$build/src/$1" "$verb" -h 2>/dev/null
	done
}

option_findings() { # FILE NAME
	local program line option help
	for program in weir-gate weir-keeper weirctl weir-sim; do
		code "$1" | grep -qE "(^|[ /])$program( |\$)" || continue
		help=$(help_of "$program")
		if [ -z "$help" ]; then
			echo "$2: $program has no help to compare with"
			continue
		fi
		code "$1" | grep -oE "(^|[ /])$program [^|;&#]*" | sed "s/'[^']*'//g" | while read -r line; do
			grep -oE '(^| )--?[A-Za-z][a-z-]*' <<<"$line" | while read -r option; do
				grep -qE -- "(^|[^A-Za-z-])$option([^A-Za-z-]|\$)" <<<"$help" ||
					echo "$2: $program -h does not know $option ($line)"
			done
		done | sort -u
	done
}

# Commands of a program's own nodes, from its XML: "node command", one a line.  Each must stand in the manual.
commands_of() { # PROGRAM
	"$build/src/$1" -X 2>/dev/null | python3 -c '
import re, sys, xml.etree.ElementTree as tree
for node in tree.fromstring(re.sub(r"(?s)</vtydoc>.*", "</vtydoc>", sys.stdin.read())):
    name = node.get("id") or ""
    for command in node:
        words = command.get("id") or ""
        own = name in ("view", "enable") and words.startswith(("show ", "explain "))
        if own or not name.startswith(("config", "_", "view", "enable")) and not words.startswith("no "):
            print(name, re.sub(r" [(<.A-Z\\[].*", "", words))' | sort -u
}

# What libosmocore brings in the nodes of a terminal; its own manuals tell of it.
lent='show (pid|uptime|version|online-help|history|logging|alarms|stats|asciidoc|rate-counters|talloc-context|fsm'
lent+='|startup)'

manual_findings() { # PROGRAM TREE
	local node words word page
	commands_of "$1" | grep -vE "^(view|enable) $lent" | while read -r node words; do
		page=$2/doc/man/$1.cfg.5.adoc
		case $node in
		view | enable) page=$2/doc/man/$1.8.adoc ;;
		admin | ctrl) page=$2/doc/man/cfg-common.adoc ;;
		esac
		[ "$words" != discard ] || page=$2/doc/man/cfg-syntax.adoc # of every node
		for word in $words; do
			grep -qE -- "[\`*][a-z0-9 -]*${word}[\` *]" "$page" 2>/dev/null ||
				echo "${page#"$2"/}: nothing about '$word' of '$words' of node $node"
		done
	done
}

example_findings() { # TREE
	local program
	for program in weir-gate weir-keeper; do
		"$build/src/$program" -t -c "$1/doc/examples/$program.cfg" 2>"$planted/said" >/dev/null ||
			cat "$planted/said"
	done
}

findings() { # TREE
	local file
	while read -r file; do
		path_findings "$file" "${file#"$1"/}" "$1"
		option_findings "$file" "${file#"$1"/}"
	done < <(documents "$1")
}

# shellcheck disable=SC2016
plant README.md 'See `src/core/imei.h`, `tests/lint/*.sh` and `/etc/doc/x`.
```sh
./contrib/demo.sh
build/src/weir-gate -c FILE -Q
```
'
plant src/core/imei.h ''
plant tests/lint/a.sh ''
real=$build
build=$planted/build
plant build/src/weir-gate '#!/bin/sh\necho "-c, --config-file FILE"\n'
chmod +x "$planted/build/src/weir-gate"
found=$(findings "$planted")
finds "a path that is not there" "$found" 'README.md: there is no contrib/demo.sh'
finds "an option that is not there" "$found" 'README.md: weir-gate -h does not know -Q'
count "$found" 2
build=$real
if [ -f "$top/README.md" ]; then
	none "what the documents name exists" "$(findings "$top")"
else
	result 1 "there is a README.md"
fi
for program in weir-gate weir-keeper; do
	finds "commands of $program at all" "$(commands_of $program)" '^admin listen'
	finds "a command without a manual" "$(manual_findings $program "$planted")" "'listen' of node admin"
	none "the manual of $program has all its commands" "$(manual_findings $program "$top")"
done
none "the example configurations are good" "$(example_findings "$top")"
finds "an example that is not good" "$(example_findings "$planted")" 'weir-keeper.cfg: cannot be opened'
finish
