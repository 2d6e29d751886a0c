#!/bin/bash
# lint.sh FLAG...: each header compiled alone, clang-tidy (.clang-tidy),
# cppcheck and shellcheck over everything. FLAGs are the compiler's. ONLY=WORD
# looks at C files with WORD in their path.
#
# clang-tidy gets one file at a time: with several, clang 14 loses sight of
# va_start in all but the first.
# shellcheck disable=SC2317 # the steps are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

sources() {
	find kms hsm tape tools tests bench -name "$1" 2>/dev/null | sort |
		grep -e "${ONLY-}"
}

headers() {
	sources '*.h' | xargs -r -P 2 -n 20 gcc "$@" -fsyntax-only -Wall \
		-Wextra -Werror -Wno-unused-function -Wno-unused-variable \
		-Wno-unused-const-variable -x c
}

tidy() {
	tidy_below 'kms/|hsm/|tape/|tools/' '' "$@" &&
		tidy_below 'tests/|bench/' '-clang-analyzer-*' "$@"
}

# tidy_below PLACES CHECKS FLAG...: the analyser takes most of the time, and
# looks for what the sanitizers find in tests.
tidy_below() {
	local places=$1 checks=$2

	shift 2
	sources '*.c' | grep -E "^($places)" |
		xargs -r -P 2 -I FILE clang-tidy --quiet \
			--checks="$checks" FILE -- "$@" \
			2> >(grep -v -e ' warnings\? .*generated' -e '^Suppressed')
}

# What it gets wrong stays out: it does not see that a wait ends before the
# waiter's frame does, loses track of values in loops (clang's analyser does
# not), takes unnamed parameters for swapped ones, and stumbles over
# an attribute inside a struct.
cpp() {
	sources '*.c' | xargs -r cppcheck --quiet --std=c11 -j 2 -I. \
		-D_GNU_SOURCE --inline-suppr \
		--enable=warning,performance,portability --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=autoVariables \
		--suppress=uninitvar --suppress=uninitStructMember \
		--suppress=funcArgOrderDifferent \
		--suppress=unknownEvaluationOrder \
		--suppress=syntaxError:tape/virtual/preload.h
}

shell() {
	git ls-files -- '*.sh' .ci/run | xargs -r shellcheck -x -S warning
}

for what in headers tidy cpp shell; do
	start=$SECONDS
	if "$what" "$@"; then
		echo "lint: $what ok, $((SECONDS - start)) s"
	else
		echo "lint: $what: see above"
		bad=1
	fi
done
exit "$bad"
