#!/usr/bin/env bash
# Keys made unattended come back from their group's one phrase and the tags on
# the tapes; after the phrase was replaced, each key from the phrase it was
# made of.
# shellcheck source=tests/cli/lib.sh
# run.sh: plain build only; unit tests run this derivation under the sanitizers.
. "$(dirname "$0")/lib.sh"

old='the group phrase, at first'
new='the group phrase, replaced'

new_store
lines "$old" "${old}x"
want 2 p11kmsutil -createkg -kgname ENCR_g -phrase
says repeat
lines short short
want 2 p11kmsutil -createkg -kgname ENCR_g -phrase
want 3 p11kmsutil -listkgs -kgname ENCR_g
lines "$old" "$old"
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase -json
same "$(field phrase)" true

tags=()
make() { # N of keys, unattended: no terminal, nothing to read
	local i

	for ((i = 0; i < $1; i++)); do
		want 0 p11kmsutil -createkey -kgname ENCR_g -nopphrase \
			-activate -json
		same "$(field recoverable)" group
		tags+=("$(field tag)")
	done
}
make 7
same "${tags[0]:0:2}" b3
same "${tags[0]:16:32}" "${tags[6]:16:32}" "the salt of the group's phrase"

new_drive
echo 'made of the old phrase' >"$dir/file"
cd "$dir"
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_g -- \
	sh -c 'tar -cf "$TAPE" file'

lines "$new" "$new"
want 0 p11kmsutil -modifykg -kgname ENCR_g -phrase
make 3
[ "${tags[6]:16:32}" != "${tags[7]:16:32}" ] || fail "the same phrase"
want 0 p11kmsutil -recoverykit -json
printf '%s\n' "$out" >"$dir/KIT.json"

fire() {
	rm -rf "$dir/token" "$dir/store"
	new_store
	want 0 p11kmsutil -createkg -kgname ENCR_g
}

echo "# by the tag that the tape itself tells, and one phrase"
fire
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -status -drive "$drive" -json
prints "${tags[6]}"
# shellcheck disable=SC2016
want 103 p11kmsdrive -run -drive "$drive" -read -- sh -c 'tar -xOf "$TAPE"'
says group
recover() { # STATUS TAG PHRASE
	lines "$3"
	want "$1" p11kmsutil -recoverkey -kgname ENCR_g -keyname "k${2:48}" \
		-tag "$2" -json
}
recover 4 "${tags[6]}" "$new"
says 'phrase or tag is wrong'
recover 0 "${tags[6]}" "$old"
same "$(field recoverable)" group
same "$(field state)" inactive
on_tape mt -f /dev/nst9 rewind
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -read -- sh -c 'tar -xOf "$TAPE"'
same "$out" 'made of the old phrase'
recover 4 "${tags[9]}" "$old"
recover 0 "${tags[9]}" "$new"

echo "# all ten by the kit: two phrases, in its order"
list=(p11kmsutil -recoverkey -list "$dir/KIT.json" -json)
lines "$new" "$new"
want 4 "${list[@]}"
says 'ENCR_g' 'phrase or tag is wrong'
lines "$old" "$new"
want 0 "${list[@]}"
for tag in "${tags[@]}"; do
	prints "$tag"
done
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 10
before=$(fingerprint)
lines "$old" "$new"
want 0 "${list[@]}"
same "$(fingerprint)" "$before"

echo "# a group without a phrase gives random keys, and says so"
want 0 p11kmsutil -createkey -kgname ENCR_g -nopphrase -json
same "$(field recoverable)" none
