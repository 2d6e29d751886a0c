#!/usr/bin/env bash
# The token is lost; the store's file and the two phrases bring it all back.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
want 0 p11kmsutil -listkeys -json
keys=$out
cp -p "$store" "$dir/saved.db"
mkdir "$dir/other"
printf '[backup]\npath = %s\nsame_device = on\n' "$dir/other" >>"$dir/conf"

# A backup, and what it makes of a random key.
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase -json
same "$(field recoverable)" none
want 0 p11kmsutil -backup -json
backup=$(field path)
[ -f "$backup" ] || fail "no file $backup"
want 0 p11kmsutil -listkeys -keyname r1 -kgname ENCR_a -json
same "$(field recoverable)" backup
want 0 p11kmsutil -ksstats -json
same "$(field unrecoverable)" 0
want 0 p11kms -verifydb -store "$backup" -json
want 8 p11kms -restoredb -path "$backup" -reason test
says 'not touched'

# Only the file is left, the token is new and empty.
rm -rf "$dir/token" "$dir/store"
new_token
new_config
want 0 p11kms -restoredb -path "$backup" -reason 'building burnt' -json
same "$(field complete)" false
want 5 p11kmsutil -listkeys
before=$(fingerprint)
lines 'not the phrase of it'
want 4 p11kms -resethmk
says 'nothing was changed'
same "$(fingerprint)" "$before"
lines "$hmk_phrase"
want 0 p11kms -resethmk -json
same "$(field complete)" false
lines "$kpk_phrase"
want 0 p11kms -resetkpk -json
same "$(field complete)" true
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname k1 -json
same "$(field tag)" "$(out=$keys field tag)"
want 0 p11kms -verifydb -json
same "$(field bad)" 0
want 8 p11kms -rebind
says 'already'
