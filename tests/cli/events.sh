#!/bin/bash
# doc/EVENTS.md names every event that the code can write, and no other; what
# an operation does is one line to syslog, with the event's name.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

echo "# the page and the code"
{
	find "$top/kms" "$top/hsm" "$top/tape" "$top/tools" -name '*.c' -exec cat {} + |
		tr '\n' ' ' | grep -o 'kms_log([^;]*;' | grep -o '"[a-z]*\.[a-z_]*"' |
		tr -d '"'
	sed -n 's/.*X([0-9]*, [A-Z_]*, "\(.*\)").*/\1/p' "$top/kms/record.h"
} | sort -u >"$dir/code"
# shellcheck disable=SC2016
grep '^| `' "$top/doc/EVENTS.md" | sed 's/ |.*//; s/^| //' | tr -d '`' |
	tr ' ' '\n' | sort >"$dir/page"
[ "$(wc -l <"$dir/code")" -gt 50 ] || fail "the code's events were not found"
diff "$dir/code" "$dir/page" || fail "page and code differ"

# There need be no syslog: strace says that the connection stands, and shows
# what would go there.
first=1
sent() { # COMMAND…: the events of it
	want 0 strace -f -o "$dir/trace" -s 400 -e trace=connect,sendto \
		-e inject=connect:retval=0:when=$first+ "$@"
	sed -n 's/.*sendto(.*: event=\([a-z.-]*\) .*/\1/p' "$dir/trace" |
		sort -u | tr '\n' ' '
}

new_token
new_config
create_lines
same "$(sent p11kms -createemptydb)" 'store.create '
in=''
same "$(sent p11kmsutil -createkg -kgname 'a "b" event=x')" 'group.create '
grep -q 'group=..a ....b.... event=x' "$dir/trace" || fail "a name is not in quotes"
same "$(sent p11kmsutil -createkg -kgname ENCR_a)" 'group.create '
lines "$key_phrase" "$key_phrase"
same "$(sent p11kmsutil -createkey -kgname ENCR_a -keyname k1 -activate)" \
	'key.create '
in=''
new_drive
first=2 # the drive's own connection stands
same "$(sent p11kmsdrive -load -drive "$drive" -kgname ENCR_a -volume V1)" \
	'key.release '
grep -q 'use=write .*actor=.*volume=..V1' "$dir/trace" || fail "no volume"
first=1
same "$(sent p11kmsutil -deletekg -kgname 'a "b" event=x')" 'group.delete '
same "$(sent p11kmsutil -backup -path "$dir/b.db")" 'store.backup '
same "$(sent p11kmsutil -listkeys)" ''
