#!/bin/bash
# A copied store or log without the token shows no name, no tag, no text.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_secretgroup -desc 'a secret describing'
lines "$key_phrase" "$key_phrase"
want 0 p11kmsutil -createkey -kgname ENCR_secretgroup -keyname secretkey \
	-activate -desc 'another describing' -json
tag=$(field tag)
new_drive
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_secretgroup \
	-volume SECRETVOL -- true
want 0 p11kmsutil -createkg -kgname ENCR_deleted
want 0 p11kmsutil -deletekg -kgname ENCR_deleted
want 0 p11kmsutil -modifykg -kgname ENCR_secretgroup -name ENCR_renamed
want 8 p11kmsutil -modifykey -kgname ENCR_renamed -keyname secretkey -state deprecated
lines '' ''
want 0 p11kmsutil -createkey -kgname ENCR_renamed -keyname doomed
want 0 p11kmsutil -deletekey -kgname ENCR_renamed -keyname doomed

mkdir "$dir/copy"
cp "$dir/store/"kms.* "$dir/copy"
hex() {
	od -An -v -tx1 "$@" | tr -d ' \n'
}
found() {
	grep -qaF -e "$1" "$dir/copy/"*
}
found "$(printf 'SQLite format 3')" || fail "the search finds nothing at all"
found 'HMK one' || fail "the search does not find what is in clear"
for text in ENCR_s secretgroup secretkey describing SECRETVOL renamed doomed \
	deleted VIRTUAL "$hmk_phrase" "$kpk_phrase" "$key_phrase" "$(uname -n)" \
	"$(cat "$dir/token/pin")"; do
	[ ${#text} -ge 6 ] || continue # random bytes hold it by chance
	! found "$text" || fail "'$text' is in the copied files"
done
! hex "$dir/copy/"* | grep -q "$tag" || fail "the tag is in the copied files"
! hex "$dir/copy/"* | grep -q "${tag:16}" || fail "the tag's salt is there"

# What the copy does show, to anybody.
want 0 p11kms -info -store "$dir/copy/kms.db"
prints 'HMK one' 'KPK one' passphrase
