#!/bin/bash
# What nothing could bring back is not written with; what a tape may need is
# not deleted; and what was done in spite of that is told for ever.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# A directory on another device than the store's, for backups that count.
elsewhere=''
for at in /dev/shm /tmp /var/tmp "$top" "$HOME"; do
	if [ -w "$at" ] && [ "$(stat -c %d "$at")" != "$(stat -c %d "$dir")" ]; then
		elsewhere=$(mktemp -d "$at/p11kms.XXXXXX")
		break
	fi
done
trap 'cleanup; rm -rf ${elsewhere:+"$elsewhere"}' EXIT
[ -n "$elsewhere" ] || {
	echo "no second device here: not tested"
	exit 0
}

new_store
new_drive
want 0 p11kmsutil -createkg -kgname ENCR_a
key() { # NAME OPTION…: a random one
	local name=$1

	shift
	want "${status:-0}" p11kmsutil -createkey -kgname ENCR_a -keyname "$name" \
		-nopphrase -json "$@"
}
modify() { # STATUS NAME OPTION…
	local status=$1 name=$2

	shift 2
	want "$status" p11kmsutil -modifykey -kgname ENCR_a -keyname "$name" "$@"
}
write=(p11kmsdrive -load -drive "$drive" -kgname ENCR_a)
unwritable() {
	want 8 "${write[@]}"
	says -backup -allowserve
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" false 'a refused key is in the drive'
}
writable() {
	want 0 "${write[@]}"
	want 0 p11kmsdrive -clear -drive "$drive"
}

echo "# a random key: not before a verified backup on another device holds it"
key random -activate
tag=$(field tag)
same "$(field recoverable)" none
unwritable
want 0 p11kmsdrive -load -drive "$drive" -tag "$tag"
want 0 p11kmsdrive -clear -drive "$drive"
want 0 p11kmsutil -backup -path "$dir/here.db" -json
same "$(field other_device)" false
unwritable
want 0 p11kmsutil -ksstats -json
same "$(field unrecoverable)" 1
want 0 p11kmsutil -backup -path "$elsewhere/one.db" -json
same "$(field other_device)" true
writable
want 0 p11kmsutil -listkeys -tag "$tag" -json
same "$(field recoverable)" backup

echo "# a key younger than the backup is not in it, and displaces nothing"
status=8 key young -activate
says young
key young
modify 8 young -activate
want 0 p11kmsutil -listkeys -kgname ENCR_a -activekey -json
same "$(field name)" random
want 0 p11kmsutil -backup -path "$elsewhere/two.db"
modify 0 young -activate
writable

echo "# after a rotation no older backup counts"
lines "$kpk_phrase two" "$kpk_phrase two" 'KPK two'
want 0 p11kmsutil -modifykpk
unwritable
want 0 p11kmsutil -backup -path "$elsewhere/three.db"
writable

echo "# the waiver is told for ever, also when its key is gone"
key waived
modify 2 waived -allowserve
modify 0 waived -allowserve -reason 'no other disk yet'
modify 0 waived -activate
writable
modify 0 waived -state inactive
modify 0 waived -state deprecated
modify 0 waived -state terminated

echo "# a released key is deleted by force and with a reason only"
delete() {
	want "$1" p11kmsutil -deletekey -kgname ENCR_a -keyname "${@:2}"
}
delete 8 waived
says -force -reason
delete 2 waived -force
delete 0 waived -force -reason 'never written with'
want 0 p11kmsutil -ksstats -json
same "$(field waived)" 1
same "$(field forced)" 1
want 0 p11kmsutil -audit -json
prints '"event":"key.allowserve"' '"reason":"no other disk yet"' \
	'"event":"key.delete"' '"forced":true,"reason":"never written with"'
key unused
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname unused

echo "# also when an older backup is put back and the log survived"
key later
latertag=$(field tag)
want 0 p11kmsutil -backup -path "$elsewhere/four.db"
modify 0 later -activate
writable
mv "$store" "$dir/newer.db"
want 0 p11kms -restoredb -path "$elsewhere/four.db" -reason 'a disk was lost'
want 0 p11kmsutil -listkeys -tag "$latertag" -json
same "$(field state)" prelive
delete 8 later
says -force -reason
want 0 p11kmsutil -ksstats -json
same "$(field waived)" 1 'counted off the restored rows'

echo "# and when nothing of the log since that backup survived"
rm "$dir/store/"kms.*
want 0 p11kms -restoredb -path "$elsewhere/four.db" -reason 'the host was lost'
delete 8 later

echo "# the HSM's own keys: not before its owner says that it is backed up"
rm -rf "$dir/token" "$dir/store"
new_token
lines '' '' 'HMK of the token' '' '' 'KPK of the token'
want 0 p11kms -createemptydb
want 0 p11kmsutil -createkg -kgname ENCR_a
key random -activate
want 0 p11kmsutil -backup -path "$elsewhere/five.db"
unwritable
want 0 p11kmsutil -listkeys -kgname ENCR_a -json
same "$(field needs_token)" true
want 0 p11kms -attesthsmbackup -reason 'cloned to the HSM in the other house'
writable
want 0 p11kmsutil -audit -json
prints '"event":"hsm.attest-backup"' 'the other house'
