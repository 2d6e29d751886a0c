#!/bin/bash
# Any byte of the store or its log changed: a command answers exactly as
# before or refuses, never anything else. A stride here; the unit tests take
# every byte.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
want 0 p11kmsutil -createkg -kgname ENCR_b
new_drive
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$drive"
want 0 p11kmsutil -listkeys -json
answer=$out
mkdir "$dir/good"
cp -p "$dir/store/"kms.* "$dir/good"

flip() {
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "$(printf '\\%03o' $((byte ^ $3)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# try FILE OFFSET: counts what came of it.
asbefore=0
refused=0
try() {
	local status=0

	flip "$1" "$2" $((1 << ($2 % 8)))
	out=$(p11kmsutil -listkeys -json 2>"$dir/err") || status=$?
	err=$(cat "$dir/err")
	case $status in
	0)
		same "$out" "$answer" "byte $2 of $1 changed"
		asbefore=$((asbefore + 1))
		;;
	5 | 6)
		[ "$(wc -l <"$dir/err")" = 1 ] || fail "byte $2: not one line"
		[ -z "$out" ] || fail "byte $2: an answer and a refusal"
		refused=$((refused + 1))
		;;
	*) fail "byte $2 of $1 changed: status $status" ;;
	esac
	cp -p "$dir/good/"kms.* "$dir/store"
}

# Bytes that say something: most of a small store is empty pages.
offsets() {
	cmp -l "$1" /dev/zero 2>/dev/null | awk '{ print $1 - 1 }' >"$dir/all"
	awk -v step=$(($(wc -l <"$dir/all") / $2 | 1)) 'NR % step == 1' "$dir/all"
}
size=$(stat -c %s "$store")
for at in $(offsets "$store" "$(fewer 40)"); do
	try "$store" "$at"
done
[ $refused -gt 3 ] || fail "only $refused of $((refused + asbefore)) were refused"

log=$dir/store/kms.log
for at in $(offsets "$log" "$(fewer 12)"); do
	try "$log" "$at"
done

# Cut off, empty, or not a database at all.
for cut in 0 100 4096 $((size - 4096)); do
	head -c $cut "$dir/good/kms.db" >"$store"
	want 6 p11kmsutil -listkeys
	cp -p "$dir/good/"kms.* "$dir/store"
done
want 0 p11kms -verifydb
