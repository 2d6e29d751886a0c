#!/bin/bash
# The manual pages and -help name the same operations and options, and no page
# gives a warning.
# run.sh: plain build only; -help is the same text.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

want 0 "$top/tests/house/pages.sh" "$bin"
same "$out$err" ''

# It would find a difference: an operation more, and an option less.
mkdir -p "$dir/tree/tests/house" "$dir/tree/doc"
cp "$top/tests/house/pages.sh" "$dir/tree/tests/house"
cp -R "$top/doc/man" "$dir/tree/doc"
sed -i 's/^\.Fl eject$/.Fl throw/; /^\.Op Fl lenient$/d' \
	"$dir/tree/doc/man/vtaped.8"
echo .Xyz >>"$dir/tree/doc/man/vtaped.8"
want 1 "$dir/tree/tests/house/pages.sh" "$bin" vtaped
prints '+-throw -drive SOCKET' '--eject -drive SOCKET' '[-lenient]' \
	'vtaped(8) differs' 'mandoc warns'
