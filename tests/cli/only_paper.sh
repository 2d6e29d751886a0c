#!/usr/bin/env bash
# Nothing is left but paper: a tape written before host, store and token were
# destroyed is read again with the keys that phrases and tags bring back, one
# by one and by the recovery kit's list.
# run.sh: plain build only; group_phrase.sh and recoverykit.sh run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
want 0 p11kmsutil -createkg -kgname 'srv:disk 1'
new_key ENCR_a k1 -activate
tag1=$(field tag)
lines 'another phrase for k2' 'another phrase for k2'
want 0 p11kmsutil -createkey -kgname 'srv:disk 1' -keyname k2 -json
tag2=$(field tag)
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase -json
random=$(field tag)
want 0 p11kmsutil -recoverykit -path "$dir/kit.html" -json
printf '%s\n' "$out" >"$dir/KIT.json"

new_drive
echo 'written before the fire' >"$dir/file"
cd "$dir"
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tar -cf "$TAPE" file'
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 3

fire() {
	rm -rf "$dir/token" "$dir/store"
	new_token
	new_config
	lines 'a new phrase for HMK' 'a new phrase for HMK' 'HMK two' \
		'a new phrase for KPK' 'a new phrase for KPK' 'KPK two'
	want 0 p11kms -createemptydb
}
groups() {
	want 0 p11kmsutil -createkg -kgname ENCR_a
	want 0 p11kmsutil -createkg -kgname 'srv:disk 1'
}
reads_the_tape() {
	on_tape mt -f /dev/nst9 rewind
	rm -rf "$dir/back"
	mkdir "$dir/back"
	# shellcheck disable=SC2016
	want 0 p11kmsdrive -run -drive "$drive" -read -- \
		sh -c 'tar -xf "$TAPE" -C back'
	same "$(cat "$dir/back/file")" 'written before the fire'
}

echo "# one by one"
fire
# shellcheck disable=SC2016
want 103 p11kmsdrive -run -drive "$drive" -read -- sh -c 'tar -tf "$TAPE"'
lines "$key_phrase"
want 3 p11kmsutil -recoverkey -kgname ENCR_a -keyname k1 -tag "$tag1"
says 'ENCR_a' -createkg
groups
lines "${key_phrase}x"
want 4 p11kmsutil -recoverkey -kgname ENCR_a -keyname k1 -tag "$tag1"
says 'phrase or tag is wrong'
want 3 p11kmsutil -listkeys -kgname ENCR_a -keyname k1
lines "$key_phrase"
want 4 p11kmsutil -recoverkey -kgname ENCR_a -keyname k1 \
	-tag "${tag1%?}$([ "${tag1: -1}" = 0 ] && echo 1 || echo 0)"
lines "$key_phrase"
want 2 p11kmsutil -recoverkey -kgname ENCR_a -keyname r1 -tag "$random"
says 'no passphrase exists'
lines "$key_phrase"
want 0 p11kmsutil -recoverkey -kgname ENCR_a -keyname k1 -tag "$tag1" -json
same "$(field state)" inactive
reads_the_tape
want 2 p11kmsutil -recoverkey -kgname ENCR_a -tag "$tag1"
want 2 p11kmsutil -recoverkey -kgname ENCR_a -keyname k1
want 2 p11kmsutil -recoverkey -kgname ENCR_a -list "$dir/KIT.json"

echo "# by the list: what is right is kept, what is refused is named"
fire
list=(p11kmsutil -recoverkey -list "$dir/KIT.json" -json)
want 3 "${list[@]}"
says 'ENCR_a/k1' -createkg
groups
want 2 "${list[@]}"
says 'ENCR_a/k1' ended
lines "$key_phrase" 'not the phrase of k2'
want 4 "${list[@]}"
says 'srv:disk 1/k2' 'phrase or tag is wrong'
prints "$tag1"
# The random key has no phrase, and no store holds it any more.
lines "$key_phrase" 'another phrase for k2'
want 3 "${list[@]}"
says 'ENCR_a/r1' 'no passphrase exists'
prints "$tag1" "$tag2"
want 0 p11kmsutil -listkeys -json
same "$(field name)" k2
same "$(field state)" inactive
same "$(field recoverable)" passphrase
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 2
reads_the_tape

echo "# again: nothing is changed"
grep -v '"r1"' "$dir/KIT.json" >"$dir/bad.json" # no JSON any more
want 2 p11kmsutil -recoverkey -list "$dir/bad.json"
want 3 p11kmsutil -recoverkey -list "$dir/no.json"
sed 's/"needs": "backup"/"needs": "phrase"/' "$dir/KIT.json" >"$dir/bad.json"
want 2 p11kmsutil -recoverkey -list "$dir/bad.json"
says bad.json 'ENCR_a/r1' 'no passphrase exists'
sed 's/"kit": 1/"kit": 9/' "$dir/KIT.json" >"$dir/bad.json"
want 6 p11kmsutil -recoverkey -list "$dir/bad.json"
says newer
before=$(fingerprint)
lines "$key_phrase" 'another phrase for k2'
want 3 "${list[@]}"
same "$(fingerprint)" "$before"

echo "# a key that is held under another name stays as it is"
want 0 p11kmsutil -modifykey -kgname 'srv:disk 1' -keyname k2 -name k3
new_key 'srv:disk 1' k2
sed "s/$tag2/$(field tag)/; s/\"k2\"/\"k4\"/" "$dir/KIT.json" >"$dir/other.json"
lines "$key_phrase" "$key_phrase"
want 3 p11kmsutil -recoverkey -list "$dir/other.json" -json # held as k2
prints '"name":"k2"'
