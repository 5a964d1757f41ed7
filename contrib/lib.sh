# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# What demo.sh and check.sh share: install what is missing, configure and build.  Sourced, not run; it sets $top.
#
# Dependencies come from debian/control, the one list; whether they are there is asked of pkg-config with the modules
# that configure.ac names, so that a machine that has them needs neither root nor network.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*" >&2; }
complain() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# Run a command quietly; where it fails say how it ended and show what it printed last.
quietly() { # WHAT COMMAND...
	local what=$1 log status
	shift
	log=$(mktemp "${TMPDIR:-/tmp}/weir-log.XXXXXX") || return 1
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	if [ $status -ne 0 ]; then
		complain "$what failed ($status): $*"
		tail -n 40 "$log" >&2
	fi
	rm -f "$log"
	return $status
}

# The modules of configure.ac with their versions, one requirement a line.
modules() {
	sed -nE 's/^PKG_CHECK_MODULES\(\[[A-Z]+\], \[([^]]*)\].*/\1/p' "$top/configure.ac" |
		sed -E 's/ *>= */>=/g; s/ +/\n/g' | sed 's/>=/ >= /'
}

# What is missing to build, in words; nothing where all is there.
missing_dependencies() {
	local tool module
	for tool in autoreconf automake make cc pkg-config awk python3; do
		command -v $tool >/dev/null || printf '%s ' "$tool"
	done
	command -v pkg-config >/dev/null || return
	modules | while read -r module; do
		pkg-config --exists "$module" 2>/dev/null || printf '%s ' "${module%% *}"
	done
	[ -f /usr/include/csv.h ] || printf 'libcsv '
}

# apt-get as it can be run unattended; another apt that holds the lock is waited for.
apt() {
	DEBIAN_FRONTEND=noninteractive timeout -k 10 600 \
		apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

may_install() { # WHAT
	if [ "$(id -u)" != 0 ]; then
		complain "missing: $1"
		complain "run it once as root, or install it with: sudo apt-get build-dep $top/"
		return 1
	fi
	if ! command -v apt-get >/dev/null; then
		complain "missing: $1; this script installs with apt-get only, which is not here"
		return 1
	fi
}

# Everything debian/control names, where something of it is missing.
install_dependencies() {
	local missing
	missing=$(missing_dependencies)
	[ -n "$missing" ] || return 0
	may_install "$missing" || return 1
	say "installing what is missing: $missing"
	quietly "apt-get update" apt update || return 1
	quietly "apt-get build-dep" apt build-dep "$top/" || return 1
	missing=$(missing_dependencies)
	[ -z "$missing" ] && return 0
	complain "still missing after the installation: $missing"
	return 1
}

# Configure into a folder where that was not done, or not for this configure.ac, and build all.
build_here() { # FOLDER CONFIGURE-OPTION...
	local build=$1
	shift
	if [ ! -f "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		say "autoreconf"
		(cd "$top" && quietly autoreconf autoreconf -fi) || return 1
	fi
	mkdir -p "$build" || return 1
	if [ ! -f "$build/Makefile" ] || [ "$top/configure" -nt "$build/config.status" ]; then
		say "configure in $build $*"
		(cd "$build" && quietly configure "$top/configure" -q "$@") || return 1
	fi
	say "make in $build"
	quietly make make -s -C "$build" -j"$(nproc)" all
}
