#!/usr/bin/env bash
# The token is lost in the middle of a rotation: a backup made then lies under
# two keys of one role, and both come back from their phrases.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # LeakSanitizer finds what a kill leaves

new_store
mkdir "$dir/other"
backups() {
	printf '[backup]\npath = %s\nsame_device = on\n' "$dir/other" >>"$dir/conf"
}
backups
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase

# Two custodians' parts; killed when the first key has moved.
part='the part of a custodian'
answers=("$part A" "$part A" "$part B" "$part B" 'KPK two')
module=$(sed -n 's/.*module-path=\([^&]*\)&.*/\1/p' "$dir/token/uri")
sed "s|module-path=[^&]*|module-path=$bin/../test/p11fault.so|" "$dir/conf" \
	>"$dir/conf2"
(printf '%s\n' "${answers[@]}" |
	P11FAULT_MODULE=$module P11FAULT=C_UnwrapKey:24=kill \
		p11kmsutil -config "$dir/conf2" -modifykpk -components 2) \
	>/dev/null 2>&1 || :
want 0 p11kms -verifydb -json
want 0 p11kmsutil -backup -json
backup=$(field path)
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname r1 -json
same "$(field recoverable)" backup

rm -rf "$dir/token" "$dir/store"
new_token
new_config
backups
want 0 p11kms -restoredb -path "$backup" -reason 'building burnt' -json
same "$(field complete)" false
lines "$hmk_phrase"
want 0 p11kms -resethmk -json
lines "$kpk_phrase"
want 0 p11kms -resetkpk -json
same "$(field complete)" false
prints 'KPK two'
lines "$part A" "$part C"
want 4 p11kms -resetkpk
says 'KPK one' 'KPK two' 'nothing was changed'
lines "$part A" "$part B"
want 0 p11kms -resetkpk -json
same "$(field complete)" true
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 2
lines "${answers[@]}"
want 0 p11kmsutil -modifykpk -components 2 -json
same "$(field resumed)" true
want 0 p11kms -verifydb -json
same "$(field bad)" 0
