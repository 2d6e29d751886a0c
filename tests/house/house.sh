#!/bin/sh
# house.sh [DIR]: the house rules that a program can check, against the tables
# in DIR/doc/ARCHITECTURE.md: files and includes outside them, functions over
# 100 lines, files over 600, lines over 90 columns, keys unwrapped outside the
# few places that may, SQL outside rows_*. One line per breach; then figures.
set -eu
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}"

command -v ctags >/dev/null || {
	echo "house: ctags is missing; make deps LINT=1" >&2
	exit 1
}
files=$(find kms hsm tape tools -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || {
	echo "house: no sources here" >&2
	exit 1
}
bad=0

# shellcheck disable=SC2086 # file names of this project have no blanks
awk -f "$here/tables.awk" doc/ARCHITECTURE.md $files || bad=1
# shellcheck disable=SC2086
ctags --languages=C --langmap=C:.c.h --kinds-C=f --fields=ne -n -f - $files |
	awk -f "$here/functions.awk" || bad=1
if git grep -n -e '^<<<<<<< ' -e '^>>>>>>> ' 2>/dev/null; then
	echo "house: conflict markers"
	bad=1
fi
exit "$bad"
