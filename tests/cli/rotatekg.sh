#!/usr/bin/env bash
# A group's next key, by a timer: done once, gone on with after a failure, and
# never at the cost of a key that is served.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
rotate=(p11kmsutil -rotatekg -json -kgname)
active() {
	want 0 p11kmsutil -listkeys -kgname "$1" -activekey -json
	field name
}
count() {
	want 0 p11kmsutil -listkgs -kgname "$1" -json
	field keys
}

echo "# a group with a phrase: made and activated in one step"
lines 'the group phrase one' 'the group phrase one'
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase
want 3 "${rotate[@]}" ENCR_none -nopphrase
want 0 "${rotate[@]}" ENCR_g -nopphrase
prints '"rotated":true' '"backup":null'
same "$(field recoverable)" group
same "$(field state)" active
first=$(active ENCR_g)
before=$(fingerprint)
want 0 "${rotate[@]}" ENCR_g -older_than 90d # asks nothing: it is not due
prints '"rotated":false'
same "$(field name)" "$first"
same "$(fingerprint)" "$before" "it was not due"
want 0 "${rotate[@]}" ENCR_g -older_than 0s -nopphrase
[ "$(active ENCR_g)" != "$first" ] || fail "it was due"
want 0 p11kmsutil -listkeys -kgname ENCR_g -keyname "$first" -json
same "$(field state)" inactive
lines "$key_phrase" "$key_phrase"
want 0 "${rotate[@]}" ENCR_g
same "$(field recoverable)" passphrase
want 2 "${rotate[@]}" ENCR_g -older_than soon
want 0 p11kmsutil -quiescedb
want 8 "${rotate[@]}" ENCR_g -nopphrase
want 0 p11kmsutil -unquiescedb
same "$(count ENCR_g)" 3

echo "# random keys: without a place for the backup nothing is made"
want 0 p11kmsutil -createkg -kgname ENCR_r
new_key ENCR_r old -activate
want 2 "${rotate[@]}" ENCR_r -nopphrase
says path backup
same "$(count ENCR_r)" 1

echo "# the backup fails: the old key stays active, and why is said"
other=$dir/other
printf '[backup]\npath = %s\nsame_device = off\nkeep = 2\n' "$other" >>"$dir/conf"
want 3 "${rotate[@]}" ENCR_r -nopphrase
says "'old' stays active" 'waits prelive' "$other"
same "$(active ENCR_r)" old
same "$(count ENCR_r)" 2
echo "# it does not count: the same"
mkdir "$other"
want 8 "${rotate[@]}" ENCR_r -nopphrase -older_than 0s
says "'old' stays active" "own device"
same "$(active ENCR_r)" old
same "$(count ENCR_r)" 2 "another key was made"
echo "# a run for older keys leaves the rest alone"
want 0 "${rotate[@]}" ENCR_r -nopphrase -older_than 1d
prints '"rotated":false'
echo "# it counts: the key that was left is activated, no other made"
want 0 p11kmsutil -listkeys -kgname ENCR_r -json
left=$(field name)
sed -i 's/same_device = off/same_device = on/' "$dir/conf"
want 0 "${rotate[@]}" ENCR_r -nopphrase
prints '"rotated":true' '"backup":null' # one holds it already
same "$(field name)" "$left"
same "$(active ENCR_r)" "$left"
same "$(count ENCR_r)" 2

echo "# all of it in one run"
want 0 "${rotate[@]}" ENCR_r -nopphrase
prints "\"backup\":\"$other/"
same "$(field recoverable)" backup
same "$(count ENCR_r)" 3
want 0 p11kmsutil -ksstats -json
same "$(field unrecoverable)" 0

echo "# prelive keys of the administrator are not a rotation's"
new_key ENCR_g mine
want 0 "${rotate[@]}" ENCR_g -nopphrase
want 0 p11kmsutil -listkeys -kgname ENCR_g -keyname mine -json
same "$(field state)" prelive
