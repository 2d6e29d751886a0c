#!/bin/bash
# The quickstart runs to its end, twice, and fits on a screen and a half.
# run.sh: plain build only; other scenarios run its commands under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$dir/build"
ln -s "$bin" "$dir/build/bin"
ln -s "$bin/../lib" "$dir/build/lib"
for round in 1 2; do
	want 0 "$top/packaging/quickstart.sh" "$dir/build"
	[ "$(wc -l <"$dir/out")" -le 66 ] || fail "round $round: too long"
	same "$(grep -c '^identical$' "$dir/out")" 3
	prints 'cart:0' 'Where to go next'
done
