#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Identities reach a log only through mask_* (core/mask.h).  Looked at is every call whose text ends in a log or in a
# sentence (struct weir_why), with all its lines: it may neither print an identity itself, nor name a buffer that the
# same function filled with one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

findings() { # TREE
	find "$1/src" -name '*.c' | sort | while read -r file; do
		awk -v file="${file#"$1"/}" "$program" "$file"
	done
}

# A function's text is gathered; "filled" are the buffers it has given to an imei_print and the like.
# shellcheck disable=SC2016
program='
function say(line, what, call) { print file ":" line ": " what ": " substr(call, 1, 60) }
function check(call, line,    i, names, n) {
	gsub(/[ \t]+/, " ", call)
	if (call ~ /(imei|imsi|msisdn)_print(_checked)? *\(/) {
		say(line, "prints an identity", call)
		return
	}
	if (call ~ /(\.|->)(key|packed)([^A-Za-z0-9_]|$)/ && call !~ /mask_(imei|imsi|msisdn) *\(/) {
		say(line, "prints the digits of an identity", call)
		return
	}
	n = split(filled, names, " ")
	for (i = 1; i <= n; i++)
		if (call ~ ("[^A-Za-z0-9_.>\"]" names[i] "[^A-Za-z0-9_(\"]") &&
		    call !~ ("mask_[a-z]+ *\\( *" names[i] "[^A-Za-z0-9_]")) {
			say(line, "prints " names[i] ", which holds an identity", call)
			return
		}
}
function fill(text,    name) {
	while (match(text, /(imei|imsi|msisdn)_print(_checked)?[ \t]*\([ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*,/)) {
		name = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		sub(/^[^(]*\([ \t]*/, "", name)
		sub(/[ \t]*,$/, "", name)
		filled = filled " " name
	}
}
/^}/ { filled = "" }
{ fill($0) }
# A call begins on an indented line: not where the function itself is defined.
!open && /^[ \t]/ && match($0, log_call) { open = 1; call = ""; begun = FNR }
open {
	call = call " " $0
	if ($0 ~ /;[ \t]*(\/\*.*)?\\?$/ || $0 ~ /^}/ || $0 ~ /\{[ \t]*$/) {
		open = 0
		check(call, begun)
	}
}
BEGIN {
	log_call = "(^|[^A-Za-z0-9_])(LOG[A-Z0-9_]*|logp[a-z0-9_]*|gripe[a-z_]*|log_[a-z_]*|why_set|syslog|" \
		"fprintf[ \t]*\\([ \t]*stderr|sd_notifyf)[ \t]*[(,]"
}'

plant src/gate/a.c 'static void f(void)
{
\tLOGP(DMAIN, LOGL_INFO, "a %s", imei_print(buf, key));
\tLOGPEER(peer, LOGL_INFO, "b %s",
\t\timsi_print(buf, imsi));
\tLOGP(DMAIN, LOGL_INFO, "c %llu", query->imei.key);
\timei_print(text, key);
\twhy_set(why, -1, "d %s", text);
\tLOGP(DMAIN, LOGL_INFO, "fine %s", mask_imei(masked, query->imei.key));
\tvty_out(vty, "fine %s", text);
}
static void g(void)
{
\tLOGP(DMAIN, LOGL_INFO, "fine %s", text);
\tfprintf(stderr, "e %s",
\t\tmsisdn_print(buf, msisdn));
}
'
found=$(findings "$planted")
finds "an IMEI in a log line" "$found" 'a.c:3: prints an identity'
finds "an IMSI on the second line of a call" "$found" 'a.c:4: prints an identity'
finds "the number of a key" "$found" 'a.c:6: prints the digits'
finds "a buffer that holds one" "$found" 'a.c:8: prints text'
finds "an MSISDN on stderr" "$found" 'a.c:15: prints an identity'
count "$found" 5
none "no log line and no sentence holds an identity in clear" "$(findings "$top")"
finish
