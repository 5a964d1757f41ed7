#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright (C) 2026 The Weir authors
#
# Shell scripts by shellcheck, Python by its compiler, words by codespell: each where it is installed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

scripts() { # TREE
	find "$1/tests" "$1/contrib" "$1/.ci" \( -name '*.sh' -o -path '*/.ci/run' \) -type f 2>/dev/null | sort
}

if command -v shellcheck >/dev/null; then
	# shellcheck disable=SC2016
	plant tests/a.sh '#!/bin/bash\nrm -r $1/x\n'
	finds "a variable without quotes" "$(scripts "$planted" | xargs shellcheck -f gcc 2>&1)" 'SC2086'
	none "shellcheck has nothing to say" \
		"$(scripts "$top" | xargs shellcheck -x -P SCRIPTDIR -P "$top" -e SC2317 -f gcc 2>&1)"
else
	skip "shellcheck" "shellcheck is not installed"
fi

syntax() { # FILES: without writing a byte code file beside them
	python3 -c 'import ast, sys
for path in sys.argv[1:]:
    try:
        ast.parse(open(path).read(), path)
    except SyntaxError as error:
        print(path, error)' "$@"
}
plant a.py 'if\n'
finds "Python that is none" "$(syntax "$planted/a.py")" 'a.py'
mapfile -t python < <(find "$top/tests" "$top/contrib" -name '*.py' -type f)
none "Python parses" "$(syntax "${python[@]}")"

# A program that a test starts must end with it, also when the test is killed: preexec_fn (PR_SET_PDEATHSIG).
orphans() { # FILES
	python3 -c 'import ast, sys
for path in sys.argv[1:]:
    for node in ast.walk(ast.parse(open(path).read(), path)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Popen":
            if "preexec_fn" not in [keyword.arg for keyword in node.keywords]:
                print(path + ":%d: Popen without preexec_fn" % node.lineno)' "$@"
}
plant b.py 'import subprocess\nsubprocess.Popen(["x"],\n  env={})\nsubprocess.Popen(["y"], preexec_fn=f)\n'
found=$(orphans "$planted/b.py")
finds "a program that may outlive its test" "$found" 'b.py:2: Popen'
count "$found" 1
none "no test leaves a program behind" "$(orphans "${python[@]}")"

if command -v codespell >/dev/null; then
	plant words.md 'This is teh end.\n'
	finds "a misspelt word" "$(codespell "$planted/words.md" 2>&1)" 'teh ==> the'
	none "codespell has nothing to say" "$(cd "$top" && codespell -q 3 -S '*.hex,corpus,*/lint/shell.sh' \
		--ignore-regex '\\[nrt]' -L te,ue,fo,ot,upto,fro,sav README.md doc src tests contrib debian 2>&1)"
else
	skip "codespell" "codespell is not installed"
fi
finish
