#!/bin/bash
# The manual pages and -help name the same operations and options, and no page
# gives a warning.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

want 0 "$top/tests/house/pages.sh" "$bin"
same "$out$err" ''

# It would find a difference: an operation more, and an option less.
mkdir -p "$dir/tree/tests/house" "$dir/tree/doc"
cp "$top/tests/house/pages.sh" "$dir/tree/tests/house"
cp -R "$top/doc/man" "$dir/tree/doc"
sed -i 's/^\.Fl quiescedb$/.Fl quiescedb2/' "$dir/tree/doc/man/p11kmsutil.8"
sed -i '/^\.Op Fl preview$/d' "$dir/tree/doc/man/p11kms.8"
want 1 "$dir/tree/tests/house/pages.sh" "$bin"
prints '+-quiescedb2' '-quiescedb [' '[-preview]' 'p11kms(8) differs' \
	'p11kmsutil(8) differs'
