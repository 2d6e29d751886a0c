#!/bin/bash
# After each operation, and before another program is run, no data key, phrase
# or PIN is anywhere in the process's memory that can be written. The same
# search finds a phrase that is given on the command line on purpose.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

if grep -q -e __asan_init -e __tsan_init "$bin/p11kmsutil"; then
	echo "a sanitizer keeps freed memory: searched in the plain build only"
	exit 0
fi
scan=$bin/../test/memscan.so
[ -e "$scan" ] || fail "$scan is not built"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive

hex() {
	od -An -v -tx1 | tr -d ' \n'
}
# The key as doc/FORMATS.md derives it, by openssl alone; cost 11h is 2^17.
salt=$(printf 'p11kms/1/data\0' | hex)${tag:0:4}000000000000${tag:16}
key=$(openssl kdf -keylen 32 -kdfopt digest:SHA512 \
	-kdfopt hexpass:"$(printf %s "$key_phrase" | hex)" \
	-kdfopt hexsalt:"$salt" -kdfopt iter:131072 PBKDF2 | tr -d ':\n')
check=$(printf 'p11kms check\0\0\0\0' |
	openssl enc -aes-256-ecb -K "${key,,}" -nopad | hex)
same "${check:0:12}" "${tag:4:12}" "openssl's key is not this tag's"

# needle NAME HEX
needle() {
	local i byte

	printf '%s ' "$1"
	for ((i = 0; i < ${#2}; i += 2)); do
		byte=$((16#${2:i:2} ^ 0x5a))
		printf %02x $byte
	done
	printf '\n'
}
text_needle() {
	needle "$1" "$(printf %s "$2" | hex)"
}
{
	needle key "$key"
	needle key_head "${key:0:32}"
	needle key_tail "${key:32}"
	text_needle key_phrase "$key_phrase"
	text_needle hmk_phrase "$hmk_phrase"
	text_needle kpk_phrase "$kpk_phrase"
	text_needle pin "$(cat "$dir/token/pin")"
} >"$dir/needles"

# searched WHEN STATUS COMMAND…: none of the needles is found.
scanned() {
	local status=$1

	shift
	rm -f "$dir/found"
	want "$status" env LD_PRELOAD="$scan" MEMSCAN="$dir/needles" \
		MEMSCAN_OUT="$dir/found" "$@"
}
clean() {
	local when=$1 status=$2

	shift 2
	scanned "$status" "$@"
	grep -q "^$when key " "$dir/found" ||
		fail "$* was not searched at $when"
	! grep "^$when " "$dir/found" | grep -v ' 0$' >"$dir/hits" ||
		fail "after $* in memory: $(tr '\n' ' ' <"$dir/hits")"
}

echo "# the search finds what is there"
scanned 0 p11kmsutil -createkg -kgname control -desc "$key_phrase"
grep -q '^flush key_phrase [1-9]' "$dir/found" || fail "the control was not found"
scanned 0 p11kmsutil -createkg -kgname control2 -desc "$(cat "$dir/token/pin")"
grep -q '^flush pin [1-9]' "$dir/found" || fail "the control was not found"

echo "# operations"
clean flush 0 p11kmsutil -listkeys
clean flush 0 p11kms -verifydb
clean flush 0 p11kms -tokeninfo
lines "$key_phrase" "$key_phrase"
clean flush 0 p11kmsutil -createkey -kgname ENCR_a -keyname k2
lines "$key_phrase"
clean flush 0 p11kmsutil -recoverkey -kgname ENCR_a -keyname k3 -tag "$tag"
clean flush 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
clean flush 0 p11kmsdrive -load -drive "$drive" -tag "$tag"
clean flush 0 p11kmsdrive -clear -drive "$drive"
lines "$key_phrase" "$key_phrase"
clean flush 0 p11kmsutil -modifykg -kgname ENCR_a -phrase
clean spawn 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- true
clean flush 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- true

rm "$dir/store/"kms.*
create_lines
clean flush 0 p11kms -createemptydb

echo "# nor in arguments, environment or messages"
lines "$key_phrase" "$key_phrase"
# shellcheck disable=SC2016
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tr "\0" "\n" </proc/$PPID/cmdline; tr "\0" "\n" </proc/$PPID/environ; env'
for secret in "$key" "$key_phrase" "$(cat "$dir/token/pin")"; do
	[ "${out/"$secret"/}" = "$out" ] || fail "a secret is in arguments or environment"
done
lines 'correct horse batterx'
want 4 p11kmsutil -recoverkey -kgname ENCR_a -keyname k9 -tag "$tag"
[ "${err/horse/}" = "$err" ] || fail "a phrase is in an error text"
