#!/bin/bash
# A new master server: the files are copied, the store is restored there, its
# keys are in the token already, bound, or made again from phrases in parts by
# several custodians; the old server is told who superseded it.
# run.sh: plain build only; new_token.sh and backup.sh run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# server NAME TOKEN [MODULE]: a host's own store directory and configuration.
server() {
	local uri

	mkdir -p "$dir/$1"
	uri=$(cat "$dir/$2/uri")
	[ $# = 2 ] ||
		uri=$(sed "s|module-path=[^&]*|module-path=$3|" "$dir/$2/uri")
	{
		printf '[store]\npath = %s\n' "$dir/$1/kms.db"
		printf '[token]\nuri = %s\nlock_dir = %s\n' "$uri" "$dir/$2"
		printf '[policy]\nkdf_cost = 17\n'
	} >"$dir/$1.conf"
}
# on NAME: the server that commands run on.
on() {
	export P11KMS_CONFIG=$dir/$1.conf
}

new_token
server one token
on one
part='a custodian with part'
lines "$part A" "$part A" "$part B" "$part B" "$part C" "$part C" 'HMK three' \
	"$part D" "$part D" "$part E" "$part E" "$part F" "$part F" 'KPK three'
want 0 p11kms -createemptydb -components 3
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
want 0 p11kmsutil -backup -path "$dir/backup.db"
new_drive
cd "$dir"
echo 'of the first server' >file
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tar cf "$TAPE" file'

runs() {
	want 0 p11kms -verifydb -json
	same "$(field bad)" 0 "$1"
	on_tape mt -f /dev/nst9 rewind
	want 0 p11kmsdrive -run -drive "$drive" -read -- tar xOf /dev/nst9
	same "$out" 'of the first server' "$1"
	want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -json
	same "$(field tag)" "$tag" "$1"
}

echo "# the same token, now at the new server"
server two token
on two
want 2 p11kms -restoredb -path "$dir/backup.db"
want 0 p11kms -restoredb -path "$dir/backup.db" -reason 'new server' -json
same "$(field complete)" true
runs 'the same token'
want 0 p11kmsutil -createkg -kgname ENCR_b
on one
want 6 p11kmsutil -createkg -kgname ENCR_c
want 6 p11kmsdrive -load -drive "$drive" -kgname ENCR_a

echo "# another device with the same keys: bound when they are proven"
server three token "$bin/../test/p11fault.so"
on three
want 0 p11kms -restoredb -path "$dir/backup.db" -reason 'new server' -json
export P11FAULT=serial
want 6 p11kmsutil -listkeys
says -rebind
want 0 p11kms -rebind
runs 'another device'
unset P11FAULT

echo "# an empty token: the custodians come, each with a part"
"$top/softhsm-conf/make-token.sh" "$dir/token4" p11kms >/dev/null
# shellcheck disable=SC1091
. "$dir/token4/token.env"
server four token4
on four
want 0 p11kms -restoredb -path "$dir/backup.db" -reason 'new server' -json
same "$(field complete)" false
objects() {
	(cd "$dir/token4" && find tokens -name '*.object' ! -name token.object)
}
before=$(sha256sum "$dir/four/kms.db")$(objects)
lines "$part A" "$part C" "$part B" # in the wrong order
want 4 p11kms -resethmk
says 'nothing was changed'
lines "$part A" "$part B" "$part D" # one of the other key's
want 4 p11kms -resethmk
lines "$part A" "$part B"
want 2 p11kms -resethmk
says 'part 3 of 3'
same "$(sha256sum "$dir/four/kms.db")$(objects)" "$before" 'was changed'
lines "$part A" "$part B" "$part C"
want 0 p11kms -resethmk
lines "$part D" "$part E" "$part F"
want 0 p11kms -resetkpk -json
same "$(field complete)" true
runs 'from custodians'
