#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What can be said about style by a script: licence lines, width, blanks, ASCII, no dead code, no bare reminders.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sources() { # TREE
	find "$1/src" "$1/tests" "$1/contrib" "$1/.ci" -type f \
		\( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -path '*/.ci/run' \) 2>/dev/null | sort
}

# Tabs are eight columns, as in the editor.
width_findings() { # FILE NAME
	expand -t 8 "$1" |
		awk -v name="$2" 'length($0) > 120 { print name ":" FNR ": " length($0) " columns, 120 is the wall" }'
}

dead='^[[:space:]]*#[[:space:]]*if[[:space:]]+0'
reminders='TODO|FIXME|XX[X]' # issue 2: these are the words themselves
licence='SPDX-License-Identifier: AGPL-3.0-or-later'

findings() { # TREE
	local file name
	while read -r file; do
		name=${file#"$1"/}
		head -n 3 "$file" | grep -q "$licence" || echo "$name: no '$licence' in its first three lines"
		width_findings "$file" "$name"
		grep -nE '[[:blank:]]+$' "$file" | sed -E "s|^([0-9]+):.*|$name:\\1: blanks at the end|"
		LC_ALL=C grep -n '[^[:print:][:space:]]' "$file" | sed -E "s|^([0-9]+):.*|$name:\\1: not ASCII|"
		grep -nE "$dead" "$file" | sed -E "s|^([0-9]+):.*|$name:\\1: dead code|"
		grep -nwE "$reminders" "$file" | grep -vE '#[0-9]+|issue [0-9]+' |
			sed -E "s|^([0-9]+):.*|$name:\\1: a reminder without the number of an issue|"
	done < <(sources "$1")
}

if=if # in pieces, or this file would be found itself
later=TO
later+=DO
spdx='/* SPDX-License-Identifier: AGPL-3.0-or-later\n'
plant src/core/a.c '#include <stdio.h>\n'
plant src/core/b.c "$spdx */

int a;\040
\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t123456789
#$if 0
/* $later: this */
/* $later #12: fine */
char b = '\\0303\\0244';
"
found=$(findings "$planted")
finds "a file without a licence" "$found" '^src/core/a.c: no '
finds "blanks at the end" "$found" '^src/core/b.c:4: blanks'
finds "a line beyond the wall" "$found" '^src/core/b.c:5: 129 columns'
finds "dead code" "$found" '^src/core/b.c:6: dead'
finds "a bare reminder" "$found" '^src/core/b.c:7: a reminder'
finds "letters beyond ASCII" "$found" '^src/core/b.c:9: not ASCII'
count "$found" 6
none "all sources keep to the style" "$(findings "$top")"
finish
