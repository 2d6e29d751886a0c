#!/bin/bash
# After each operation, and before another program is run, no data key, phrase
# or PIN is anywhere in the process's memory that can be written. The same
# search finds a phrase that is given on the command line on purpose. A
# sanitizer keeps freed memory:
# run.sh: plain build only; what it looks for would be found.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

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

pbkdf2() { # PHRASE USE SALT-HEX
	openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt pass:"$1" \
		-kdfopt hexsalt:"$(printf '%s\0' "$2" | hex)$3" \
		-kdfopt iter:131072 PBKDF2 | tr -d ':\n'
}

# master_keys: the master keys and the file key, by openssl from the clear
# header (doc/FORMATS.md §2), as $hmk, $kpk and $file_key.
master_keys() {
	local at header role salt len text wrapped=''

	at=$(grep -obUaF p11khdr "$store" | head -n 1 | cut -d : -f 1)
	header=$(tail -c +$((at + 1)) "$store" | head -c 4000 | hex)
	header=${header:68} # 34 bytes before the slots
	for role in 1 2; do
		same "${header:4:2}" 0$role "the slot's role"
		salt=${header:18:32}
		header=${header:50}
		header=${header:$((2 + 2 * 16#${header:0:2}))} # CKA_ID
		for text in id label serial; do
			len=${header:0:4}
			header=${header:$((4 + 2 * 16#$len))}
		done
		len=$((2 * 16#${header:0:2}))
		[ $role = 2 ] || wrapped=${header:2:len}
		header=${header:$((2 + len + (len ? 16 : 0)))}
		[ $role = 2 ] || hmk=$(pbkdf2 "$hmk_phrase" p11kms/1/hmk "$salt")
		[ $role = 1 ] || kpk=$(pbkdf2 "$kpk_phrase" p11kms/1/kpk "$salt")
	done
	file_key=$(unhex "$wrapped" | openssl enc -d -id-aes256-wrap -K "$hmk" \
		-iv A6A6A6A6A6A6A6A6 | hex)
	same ${#file_key} 64 "openssl's file key has 32 bytes"
}
unhex() {
	# shellcheck disable=SC2059
	printf "$(printf %s "$1" | sed 's/../\\x&/g')"
}
hmk='' kpk='' file_key=''
master_keys

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
	needle hmk "$hmk"
	needle kpk "$kpk"
	needle file_key "$file_key"
	text_needle key_hex "${key,,}"
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
export MEMSCAN_SEND=1
scanned 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
unset MEMSCAN_SEND
grep -q '^send key [1-9]' "$dir/found" || fail "the key on its way was not found"

echo "# operations"
clean flush 0 p11kmsutil -listkeys
clean flush 0 p11kms -verifydb
clean flush 0 p11kms -tokeninfo
lines "$key_phrase" "$key_phrase"
clean flush 0 p11kmsutil -createkey -kgname ENCR_a -keyname k2
lines "$hmk_phrase"
clean flush 0 p11kms -resethmk
lines "$kpk_phrase"
clean flush 0 p11kms -resetkpk
lines "$key_phrase"
clean flush 0 p11kmsutil -recoverkey -kgname ENCR_a -keyname k3 -tag "$tag"
clean flush 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
clean flush 0 p11kmsdrive -load -drive "$drive" -tag "$tag"
clean flush 0 p11kmsdrive -clear -drive "$drive"
lines "$key_phrase" "$key_phrase"
clean flush 0 p11kmsutil -modifykg -kgname ENCR_a -phrase
clean spawn 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- true
clean flush 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- true

echo export = on >>"$dir/conf"
lines "$key_phrase" "$key_phrase"
clean flush 0 p11kmsutil -export -path "$dir/c.kms" -key_groups ENCR_a
printf '%s\nname\n' "${key,,}" >"$dir/file.key"
clean flush 0 p11kmsutil -importkey -kgname ENCR_a -keyname k4 \
	-keyfile "$dir/file.key"

rm "$dir/store/"kms.*
create_lines
clean flush 0 p11kms -createemptydb
lines "$key_phrase"
clean flush 0 p11kmsutil -import -path "$dir/c.kms"

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
