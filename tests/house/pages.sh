#!/bin/bash
# pages.sh BIN [PROGRAM...]: the manual pages in doc/man against what the
# programs in BIN say with -help: the same operations, each with the same line
# of options. And no page may give a warning. One line per breach.
set -euo pipefail
bin=${1:?usage: pages.sh BIN [PROGRAM...]}
shift
[ $# -gt 0 ] || set -- p11kms p11kmsutil p11kmsdrive vtaped
cd "$(dirname "$0")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/pages.XXXXXX")
trap 'rm -rf "$work"' EXIT
bad=0
breach() {
	echo "pages: $*"
	bad=1
}

# The head of each operation, .It Xo to .Xc, as -help writes it.
heads() {
	awk '
	function plain(n,    i, text) {
		text = ""
		for (i = n; i <= NF; i++) {
			if ($i == "Fl")
				text = text " -" $(++i)
			else if ($i != "Ar")
				text = text " " $i
		}
		return substr(text, 2)
	}
	/^\.It Xo$/ { inside = 1; line = ""; next }
	/^\.Xc$/ { inside = 0; print substr(line, 2); next }
	!inside { next }
	/^\.Op / { line = line " [" plain(2) "]"; next }
	/^\.Pq / { line = line " (" plain(2) ")"; next }
	{ sub(/^\./, ""); line = line " " plain(1) }' "$1" |
		sed 's/-- CMD ARG \.\.\./-- CMD ARG…/'
}

for program in "$@"; do
	"$bin/$program" -help |
		sed -n 's/^  -\([a-z]*\)  *[^ ].*/\1/p' >"$work/operations"
	while read -r operation; do
		"$bin/$program" "-$operation" -help |
			sed -n "s/^usage: $program //p"
	done <"$work/operations" | sort >"$work/help"
	[ -s "$work/help" ] || breach "$program -help lists nothing"
	heads "doc/man/$program.8" | sort >"$work/page"
	diff --label "$program -help" --label "$program(8)" -U 0 \
		"$work/help" "$work/page" || breach "$program(8) differs"
done
for page in doc/man/*.[578]; do
	mandoc -T lint -W warning "$page" || breach "$page: mandoc warns"
	groff -mdoc -Tutf8 -ww -z "$page" >"$work/groff" 2>&1 || :
	[ ! -s "$work/groff" ] || breach "$page: $(cat "$work/groff")"
done
exit $bad
