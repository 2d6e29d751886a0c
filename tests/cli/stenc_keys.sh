#!/usr/bin/env bash
# A tape that Debian's stenc had the drive encrypt is read with the key that
# -importkey took out of stenc's own key file.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_old
hex=00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef
printf '%s\nmonthly 2019-04\n' "$hex" >"$dir/stenc.key"
tag=$(printf 'monthly 2019-04' | od -An -v -tx1 | tr -d ' \n')
import_key() { # STATUS FILE OPTION…
	local status=$1 file=$2

	shift 2
	want "$status" p11kmsutil -importkey -kgname ENCR_old -keyname apr19 \
		-keyfile "$file" -json "$@"
}

echo "# key files that are refused, and nothing of them is said"
before=$(fingerprint)
import_key 3 "$dir/none"
chmod 640 "$dir/stenc.key"
import_key 2 "$dir/stenc.key"
says "$dir/stenc.key" chmod
chmod 600 "$dir/stenc.key"
printf '%s\n' "${hex%????}" >"$dir/bad.key"
import_key 2 "$dir/bad.key"
printf '%s\n' "${hex%?}g" >"$dir/bad.key"
import_key 2 "$dir/bad.key"
printf '%s00\n' "$hex" >"$dir/bad.key"
import_key 2 "$dir/bad.key"
printf '%s\nname\nmore\n' "$hex" >"$dir/bad.key"
import_key 2 "$dir/bad.key"
[ "${err/"${hex:0:16}"/}" = "$err" ] || fail "the key is in the error"
printf '%s\n%s\n' "$hex" 'a descriptor of over thirty-two bytes' >"$dir/bad.key"
import_key 2 "$dir/bad.key"
: >"$dir/bad.key"
import_key 2 "$dir/bad.key"
printf '%s\n' "$hex" >"$dir/bare.key"
import_key 2 "$dir/bare.key"
says -tag
import_key 2 "$dir/stenc.key" -tag abcd
says -tag
same "$(fingerprint)" "$before" 'a refusal changed the store'

echo "# written with stenc's key"
new_drive
# stenc is for root alone; else the same key under the same tag, by us.
if command -v stenc >/dev/null && [ "$(id -u)" = 0 ]; then
	on_tape stenc -f /dev/nst9 -e on -k "$dir/stenc.key" -a 1 >/dev/null
else
	want 0 p11kmsutil -createkg -kgname ENCR_tmp
	want 0 p11kmsutil -importkey -kgname ENCR_tmp -keyname t \
		-keyfile "$dir/stenc.key"
	want 0 p11kmsutil -modifykey -kgname ENCR_tmp -keyname t -activate \
		-allowserve -reason test
	want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_tmp
	for state in inactive deprecated terminated; do
		want 0 p11kmsutil -modifykey -kgname ENCR_tmp -keyname t -state $state
	done
	want 0 p11kmsutil -deletekey -kgname ENCR_tmp -keyname t -force -reason test
fi
echo 'out of 2019' >"$dir/file"
on_tape tar -cf /dev/nst9 -C "$dir" file
want 0 vtaped -reset -drive "$dir/drive"
on_tape mt -f /dev/nst9 rewind
want 3 p11kmsdrive -load -drive "$drive" -read
says "$tag" -importkey

echo "# read with what was imported"
import_key 0 "$dir/stenc.key" -desc 'from stenc'
same "$(field tag)" "$tag"
same "$(field state)" inactive
same "$(field recoverable)" none
import_key 0 "$dir/stenc.key"
printf '%s\n' "${hex/0/f}" >"$dir/other.key"
import_key 8 "$dir/other.key" -tag "$tag"
says 'another key'
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -load -drive "$drive" -read -json
same "$(field loaded)" true
on_tape mt -f /dev/nst9 rewind
mkdir "$dir/back"
on_tape tar -xf /dev/nst9 -C "$dir/back"
same "$(cat "$dir/back/file")" 'out of 2019'
want 0 p11kmsdrive -clear -drive "$drive"

echo "# it writes only once a backup holds it"
want 0 p11kmsutil -modifykey -kgname ENCR_old -keyname apr19 -activate
want 8 p11kmsdrive -load -drive "$drive" -kgname ENCR_old
says -backup
want 0 p11kms -verifydb
