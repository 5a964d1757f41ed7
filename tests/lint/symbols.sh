#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What the linker says: weir-gate writes no store and calls no cipher by itself; each library that it needs for TLS and
# HTTP/2 lives in the files that the table names; core and wire are pure.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Undefined symbols weir-gate may not have.
denied_in_gate='^(mdb_(put|del|drop|cursor_put|cursor_del|env_copy.*)|MHD_.*|curl_.*'
denied_in_gate+='|gnutls_(cipher|aead|hmac|privkey_sign).*'
denied_in_gate+='|sqlite3_.*|sodium_.*|crypto_.*|randombytes.*|gcry_.*|EVP_.*|SSL_.*|RSA_.*|AES_.*|HMAC.*'
denied_in_gate+='|MD5_.*|crypt(_r)?|SHA(1|224|256|384|512)?_.*)$'
# Libraries weir-gate may name: a list of what is allowed, so that a new one is a decision.
allowed_libraries='^(libosmo(core|gsm|vty|ctrl)|libtalloc|liblmdb|libsystemd|libc|libm|libpthread|libgcc_s'
allowed_libraries+='|libgnutls|libnghttp2|libjwt-gnutls|libjansson'
allowed_libraries+='|libasan|libubsan|ld-linux.*)\.so'
# Undefined symbols of the pure rooms: no clock, no files, no sockets, no log, no environment, no chance.
denied_in_pure='^(time|clock.*|gettimeofday|localtime.*|nanosleep|f?open(64)?|read|write|send.*|recv.*|socket|connect'
denied_in_pure+='|v?f?printf|puts|fputs|fwrite|perror|syslog|logp.*|getenv|rand|random|getrandom|drand48'
denied_in_pure+='|mdb_.*|talloc_.*|_talloc_.*)$'

# Symbols of a library and the objects of libgate.a that may have them.
homes='gnutls_ (tls|token_key) nghttp2_ h2[a-z_]* jwt_ token_key json_ (token_text|nrf_json)'

# "object symbol" lines in, those out that are not at home.
strays() {
	local object symbol prefix home
	while read -r object symbol; do
		# shellcheck disable=SC2086
		set -- $homes
		while [ $# -gt 0 ]; do
			prefix=$1 home=$2
			shift 2
			[[ $symbol == "$prefix"* ]] || continue
			[[ $object =~ ^(libgate_a-)?$home\.o$ ]] || echo "$object: $symbol lives in $home.c"
		done
	done
}

members() { # ARCHIVE: "object symbol"
	nm -A -u -P "$1" 2>/dev/null | sed -nE 's/^[^[]*\[([^]]*)\]: ([^ @]+).*/\1 \2/p' | sort -u
}

undefined() { # FILE
	nm -u -P "$1" 2>/dev/null | awk '{ print $1 }' | sed 's/@.*//' | sort -u
}

findings() { # DENIED: symbols come in
	grep -E "$1" | sed 's/^/undefined symbol /'
}

plant a.c 'int mdb_put(void);
int crypto_hash(void);
int MHD_run(void);
int fine(void);
long time(long *);
int main(void)
{
\treturn mdb_put() + crypto_hash() + MHD_run() + fine() + (int)time(0);
}
'
if ${CC:-cc} -c -o "$planted/a.o" "$planted/a.c" 2>/dev/null; then
	found=$(undefined "$planted/a.o" | findings "$denied_in_gate")
	finds "a store write" "$found" 'mdb_put$'
	finds "a cipher" "$found" 'crypto_hash$'
	finds "an HTTP library" "$found" 'MHD_run$'
	count "$found" 3
	found=$(undefined "$planted/a.o" | findings "$denied_in_pure")
	finds "a clock" "$found" 'time$'
else
	skip "planted symbols" "no compiler"
fi
finds "a library that is not on the list" "$(echo libmicrohttpd.so.12 | grep -vE "$allowed_libraries")" microhttpd

gate=$build/src/weir-gate
if [ -x "$gate" ]; then
	symbols=$(undefined "$gate")
	finds "undefined symbols of weir-gate at all" "$symbols" '^mdb_get$'
	none "weir-gate has no store write, cipher or HTTP symbol" "$(findings "$denied_in_gate" <<<"$symbols")"
	found=$(printf '%s\n' 'libgate_a-s13.o gnutls_init' 'libgate_a-tls.o gnutls_init' 'h2.o nghttp2_x' \
		'tls.o nghttp2_x' | strays)
	finds "a library outside its file" "$found" '^libgate_a-s13.o: gnutls_init lives in'
	finds "another one" "$found" '^tls.o: nghttp2_x lives in'
	count "$found" 2
	finds "members of libgate.a at all" "$(members "$build/src/libgate.a")" '^libgate_a-tls.o gnutls_init$'
	none "each library stays in its files" "$(members "$build/src/libgate.a" | strays)"
	libraries=$(readelf -d "$gate" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
	finds "the libraries of weir-gate at all" "$libraries" '^liblmdb'
	none "weir-gate names only libraries on the list" "$(grep -vE "$allowed_libraries" <<<"$libraries")"
else
	result 1 "weir-gate is built" "$gate is not there"
fi
for room in core wire; do
	archive=$build/src/lib$room.a
	if [ -f "$archive" ]; then
		none "$room is pure" "$(undefined "$archive" | findings "$denied_in_pure")"
	else
		result 1 "$room is built" "$archive is not there"
	fi
done
finish
