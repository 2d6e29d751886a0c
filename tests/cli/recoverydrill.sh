#!/usr/bin/env bash
# A drill proves phrases, in parts too, and changes nothing but the date.
# shellcheck source=tests/cli/lib.sh
# run.sh: plain build only; unit tests run this code under the sanitizers.
. "$(dirname "$0")/lib.sh"

new_token
new_config
lines 'the first custodian A' 'the first custodian A' \
	'the second custodian A' 'the second custodian A' 'HMK parts' \
	'the first custodian B' 'the first custodian B' \
	'the second custodian B' 'the second custodian B' 'KPK parts'
want 0 p11kms -createemptydb -components 2
lines 'the group phrase, old' 'the group phrase, old'
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase
want 0 p11kmsutil -createkey -kgname ENCR_g -keyname old -nopphrase
lines 'the group phrase, new' 'the group phrase, new'
want 0 p11kmsutil -modifykg -kgname ENCR_g -phrase
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a own -activate
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase

drill=(p11kmsutil -recoverydrill -json)
state() {
	want 0 p11kmsutil -listkeys -json
	printf '%s\n' "$out"
	want 0 p11kmsutil -listkgs -json
	printf '%s\n' "$out"
}
before=$(state)
want 0 p11kmsutil -ksstats -json
generation=$(field generation)

echo "# all at once: HMK, KPK, key, each in its parts"
lines 'the first custodian A' 'the second custodian A' \
	'the first custodian B' 'the second custodian B' "$key_phrase"
want 0 "${drill[@]}" -kgname ENCR_a -keyname own -kpk -hmk
prints '"what":"hmk","group":null,"key":null,"proven":true' \
	'"what":"kpk","group":null,"key":null,"proven":true' \
	'"key":"own","proven":true'
echo "# the group's newest phrase, and a key's of the phrase before"
lines 'the group phrase, new'
want 0 "${drill[@]}" -kgname ENCR_g
lines 'the group phrase, old'
want 0 "${drill[@]}" -kgname ENCR_g -keyname old
same "$(state)" "$before" "a drill changed something"
want 0 p11kmsutil -ksstats -json
same "$(field generation)" $((generation + 5))

echo "# what is wrong is said, and records nothing"
lines 'the group phrase, old'
want 4 "${drill[@]}" -kgname ENCR_g
says ENCR_g 'not the passphrase'
lines 'the group phrase, new'
want 4 "${drill[@]}" -kgname ENCR_g -keyname old
lines 'the first custodian A' 'the second custodian B' \
	'the first custodian B' 'the second custodian B'
want 4 "${drill[@]}" -hmk -kpk
says HMK 'HMK parts'
prints '"what":"hmk","group":null,"key":null,"proven":false' \
	'"what":"kpk","group":null,"key":null,"proven":true'
lines 'the first custodian A'
want 2 "${drill[@]}" -hmk
lines x
want 8 "${drill[@]}" -kgname ENCR_a
says 'no passphrase'
lines x
want 8 "${drill[@]}" -kgname ENCR_a -keyname r1
says backup
lines x
want 3 "${drill[@]}" -kgname ENCR_a -keyname none
lines x
want 3 "${drill[@]}" -kgname none
want 2 "${drill[@]}"
says -hmk -kgname
want 2 "${drill[@]}" -keyname own
want 0 p11kmsutil -ksstats -json
same "$(field generation)" $((generation + 6))
want 0 p11kmsutil -quiescedb -owner copy
lines "$key_phrase"
want 8 "${drill[@]}" -kgname ENCR_a -keyname own
says quiesced 'is right'
prints '"proven":true,"time":null'
