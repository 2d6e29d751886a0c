#!/bin/bash
# A wrong PIN costs exactly one login, also over restarts, until the PIN
# file changes or somebody says -retrypin. A login shows as the one time that
# SoftHSM opens the token's file for writing.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # strace is in the place of LeakSanitizer

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
before=$(fingerprint)
good=$(cat "$dir/token/pin")

# logins STATUS COUNT COMMAND…
logins() {
	local status=$1 count=$2 got=0 n

	shift 2
	strace -f -o "$dir/trace" -e trace=openat "$@" \
		>"$dir/out" 2>"$dir/err" </dev/null || got=$?
	err=$(cat "$dir/err")
	same "$got" "$status" "$*: $err"
	n=$(grep -c 'token.object", O_RDWR' "$dir/trace" || :)
	same "$n" "$count" "logins by $*"
	[ "$status" = 0 ] || [ "$(wc -l <"$dir/err")" = 1 ] ||
		fail "not one line: $err"
}
list=(p11kmsutil -listkgs)

logins 0 1 "${list[@]}"

echo 'wrong-pin-1' >"$dir/token/pin"
logins 4 1 "${list[@]}"
says 'PIN is wrong' -retrypin
logins 4 0 "${list[@]}"
says 'failed before' -retrypin
logins 4 0 p11kmsutil -createkg -kgname ENCR_b
logins 4 0 p11kms -verifydb

# Once more because somebody said so; once more because it changed.
logins 4 1 p11kms -retrypin
logins 4 0 "${list[@]}"
echo 'wrong-pin-2' >"$dir/token/pin"
logins 4 1 "${list[@]}"
logins 4 0 "${list[@]}"

# The right one again: the guard is gone.
echo "$good" >"$dir/token/pin"
logins 0 1 "${list[@]}"
[ ! -e "$dir/store/pin.guard" ] || fail "the guard is still there"
logins 0 1 p11kms -retrypin
for bad in wrong-pin-1 wrong-pin-2 "$good"; do
	! grep -rqa "$bad" "$dir/store" || fail "'$bad' is in the store's directory"
done

# -retrypin with the right PIN is a change, audited; nothing else was one.
want 0 p11kms -verifydb -json
same "$(field audits)" 3
[ "$(fingerprint)" != "$before" ] || fail "-retrypin was not written down"

# A guard that cannot be written: no login at all.
if [ "$(id -u)" != 0 ]; then
	chmod 500 "$dir/store"
	logins 2 0 "${list[@]}"
	chmod 700 "$dir/store"
fi
