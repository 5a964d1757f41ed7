# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
"""TAP for Python tests: functions named test_* of a module, one line each, with the reason under a failure."""

import ctypes
import os
import signal
import subprocess
import sys
import traceback


def die_with_parent():
    """For preexec_fn of every program that a test starts: however the test ends, nothing outlives it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def enter_namespace(before):
    """Start this script again in a network namespace with a loopback, where that is allowed; before() goes first."""
    if os.environ.get("WEIR_IN_NAMESPACE"):
        return
    probe = subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True,
                           preexec_fn=die_with_parent)
    if probe.returncode == 0:
        os.environ["WEIR_IN_NAMESPACE"] = "1"
        before()
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable,
                              os.path.abspath(sys.argv[0])] + sys.argv[1:])


def run(module_globals):
    """Run every test_* function in order of definition; exit 1 when one failed."""
    tests = [(name, fn) for name, fn in module_globals.items() if name.startswith("test_") and callable(fn)]
    only = sys.argv[1:]
    if only:
        tests = [(name, fn) for name, fn in tests if name in only]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for number, (name, fn) in enumerate(tests, 1):
        try:
            fn()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # a test may fail in any way
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    sys.exit(1 if failed else 0)
