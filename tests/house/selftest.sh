#!/bin/sh
# Proves that house.sh names what it should: a small house in order, then one
# breach after the other in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/p11kms-house.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# A tree in order; the breach is made on top of it.
tree() {
	rm -rf "${dir:?}"/*
	mkdir -p "$dir/doc" "$dir/kms/base" "$dir/tape/virtual"
	cat >"$dir/doc/ARCHITECTURE.md" <<-'END'
		## kms/base/ — libbase.a, prefix `kms_`; libcrypto

		| file | owns | may also include |
		|---|---|---|
		| err | errors | |
		| file, file_two.c | files | EVP |

		## kms/ — libkms.a, prefix `kms_`; base

		| file | owns | may also include |
		|---|---|---|
		| rows.h, rows_sqlite.c | rows | sqlite3 |
		| key | keys | |
		| release | the door | |

		## tape/ — libtape.a, prefix `tape_`; base

		| file | owns | may also include |
		|---|---|---|
		| page | pages | |
		| sg | SCSI | sgutils2 |

		## tape/virtual/ — libvtape.a, prefix `vt_`; base; tape's sense, page

		| file | owns | may also include |
		|---|---|---|
		| vdrive | the drive | |

		## The end

		`->unwrap(` only in release and drill (phrases); SQL only in rows_*.

		| file | owns | may also include |
		|---|---|---|
		| nothing | no table of files | |
	END
	for h in err file; do
		: >"$dir/kms/base/$h.h"
	done
	for h in kms/rows kms/key kms/release tape/page tape/sg; do
		: >"$dir/$h.h"
	done
	cat >"$dir/kms/release.c" <<-'END'
		#include "kms/release.h"

		#include <stdio.h>
		#include <sys/stat.h>

		#include "kms/base/err.h"
		#include "kms/rows.h"

		int
		release(void)
		{
			return s->unwrap(s);
		}
	END
	printf '#include <sqlite3.h>\nint x = sqlite3_y("SELECT 1");\n' \
		>"$dir/kms/rows_sqlite.c"
	printf '#include <openssl/evp.h>\n#include <openssl/crypto.h>\n' \
		>"$dir/kms/base/file_two.c"
	printf '#include "tape/page.h"\n' >"$dir/tape/virtual/vdrive.c"
}

# run LINES: a function body of so many lines
body() {
	printf 'int\nf(void)\n{\n'
	i=3
	while [ "$i" -lt "$1" ]; do
		echo '	g();'
		i=$((i + 1))
	done
	echo '}'
}

accepts() {
	out=$("$here/house.sh" "$dir" 2>&1) || {
		printf 'house refuses %s:\n%s\n' "$1" "$out" >&2
		exit 1
	}
}

refuses() {
	if out=$("$here/house.sh" "$dir" 2>&1); then
		printf 'house does not see: %s\n' "$1" >&2
		exit 1
	fi
	case $out in
	*"$2"*) ;;
	*)
		printf 'house names something else than %s:\n%s\n' "$1" "$out" >&2
		exit 1
		;;
	esac
	tree
}

add() {
	printf '%b\n' "$2" >>"$dir/$1"
}

tree
accepts "a house in order"
add kms/new.c ''
refuses "a file in no table" "kms/new.c:1: is in no table"
add kms/rows.h '#include "kms/key.h"'
refuses "a file below" 'kms/rows.h:1: "kms/key.h" stands below'
add kms/base/err.h '#include "kms/key.h"'
refuses "an archive above" 'kms/base/err.h:1: "kms/key.h" is not among'
add tape/virtual/vdrive.c '#include "tape/sg.h"'
refuses "a header not named" 'vdrive.c:2: "tape/sg.h" is not among'
add kms/key.c '#include "key.h"'
refuses "an include not rooted" 'kms/key.c:1: "key.h" is in no table'
add kms/key.c '#include <sqlite3.h>'
refuses "a library not allowed" 'kms/key.c:1: <sqlite3.h> is not among'
add kms/base/err.c '#include <openssl/evp.h>'
refuses "a part of a library" 'kms/base/err.c:1: <openssl/evp.h> is not'
add kms/key.c '#include <curl/curl.h>'
refuses "an unknown library" 'kms/key.c:1: <curl/curl.h> belongs to no'
add kms/key.c 'int r = s->crypt(s);'
refuses "a second door" 'kms/key.c:1: uses a key'
add kms/key.c 'int r = s->unwrap(s);'
refuses "a second door" 'kms/key.c:1: unwraps a key'
add kms/key.c 'const char *q = "DELETE FROM rows";'
refuses "SQL" 'kms/key.c:1: SQL outside'
add kms/key.c 'int x; /* TODO */'
refuses "work left over" 'kms/key.c:1: not finished'
add kms/key.c "$(printf '%081d' 0 | sed 's/^/\\t/; s/0/ö/g');"
accepts "90 columns"
add kms/key.c "$(printf '%083d' 0 | sed 's/^/\\t/; s/0/ö/g');"
refuses "a long line" 'columns, over 90'
yes '' | head -600 >"$dir/kms/key.c"
accepts "a file of 600 lines"
add kms/key.c ''
refuses "a file of 601 lines" 'kms/key.c:601: over 600 lines'
# one in twenty may be over 60, so a short one goes with each long one
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
	printf 'int\ns%d(void)\n{\n}\n' "$i" >>"$dir/kms/release.c"
done
body 100 >"$dir/kms/key.c"
accepts "a function of 100 lines"
body 101 >"$dir/kms/key.c"
refuses "a function of 101 lines" 'f has 101 lines'
body 61 >"$dir/kms/key.c"
refuses "a long function among few" 'more than one function in twenty'
echo "house: the rules themselves are tested"
