#!/bin/bash
# New master keys of every kind, HMK and KPK: killed in the middle, run again,
# the same keys under the new one; other processes are served meanwhile; the
# old key leaves the token only by -retiremaster behind a backup; and no data
# key is shown to the host.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # LeakSanitizer finds what a kill leaves

new_store
printf '[backup]\npath = %s\nsame_device = on\n' "$dir/other" >>"$dir/conf"
mkdir "$dir/other"
# The owner's ceremony: two keys of a store that is then thrown away.
sed "s|^path = .*/kms.db|path = $dir/ceremony/kms.db|" "$dir/conf" >"$dir/conf2"
mkdir "$dir/ceremony"
lines '' '' ceremony '' '' ceremony
want 0 p11kms -config "$dir/conf2" -createemptydb
want 0 p11kmsutil -createkg -kgname ENCR_a
lines 'the phrase of a group' 'the phrase of a group'
want 0 p11kmsutil -createkg -kgname ENCR_b -phrase
new_key ENCR_a k1 -activate
tag=$(field tag)
for _ in 1 2 3 4 5 6; do
	want 0 p11kmsutil -createkey -kgname ENCR_b -nopphrase
done
want 0 p11kmsutil -listkeys -json
keys=$(printf %s "$out" | grep -o '"tag":"[0-9a-f]*"')
same "$(wc -l <<<"$keys")" 7
new_drive

# The module that counts, and dies on demand.
module=$(sed -n 's/.*module-path=\([^&]*\)&.*/\1/p' "$dir/token/uri")
export P11FAULT_MODULE=$module
sed -i "s|module-path=[^&]*|module-path=$bin/../test/p11fault.so|" "$dir/conf"

master_keys() {
	pkcs11-tool --module "$module" --token-label p11kms --login \
		--pin "$(cat "$dir/token/pin")" --list-objects --type secrkey \
		2>/dev/null | grep -c 'label: *p11kms' || :
}
served() {
	want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -json
	same "$(field tag)" "$tag" "$1"
}

# What the next rotation is asked, in $answers and $options.
answers=()
options=()
asked() {
	local role=$1 kind=$2 id=$3

	options=("-modify$role")
	case $kind in
	passphrase)
		answers=("the phrase of $id" "the phrase of $id" "$id")
		;;
	token)
		options+=(-nopphrase)
		answers=("$id")
		;;
	adopted)
		options+=(-adopt "-${role}label" "p11kms ${role^^} ceremony")
		answers=("$id")
		;;
	esac
}
# killed RULE: in that call of the token; what is there then must do.
killed() {
	local status=0

	(printf '%s\n' "${answers[@]}" |
		P11FAULT=$1 p11kmsutil "${options[@]}") >/dev/null 2>&1 ||
		status=$?
	same $status 137 "not killed at $1"
	served "after a kill at $1"
}

# rotation ROLE KIND KEYS RULE…: killed at each, then finished, then retired;
# so many of our keys are in the token then.
n=0
rotation() {
	local role=$1 kind=$2 left=$3 rule

	shift 3
	n=$((n + 1))
	echo "# $role, $kind: $*"
	asked "$role" "$kind" "$role $n"
	for rule in "$@"; do
		killed "$rule"
	done
	lines "${answers[@]}"
	want 0 p11kmsutil "${options[@]}" -json
	same "$(field id)" "$role $n"
	same "$(field origin)" "$kind"
	says 'note: backups made before'
	want 0 p11kmsutil -backup -json
	same "$(field unwrapped)" 8
	want 0 p11kms -retiremaster -reason 'test' -json
	same "$(field retired)" 1
	same "$(master_keys)" "$left"
	want 0 p11kmsutil -listkeys -json
	same "$(printf %s "$out" | grep -o '"tag":"[0-9a-f]*"')" "$keys"
	served "behind the rotation"
}

rotation hmk passphrase 4 C_CreateObject:3=kill
rotation hmk token 4 C_CreateObject:2=kill
rotation kpk passphrase 4 C_WrapKey:4=kill C_WrapKey:9=kill
rotation kpk token 4 C_UnwrapKey:30=kill

echo "# adopted: the key stays its owner's when it is superseded"
rotation kpk adopted 3 C_WrapKey:5=kill
rotation hmk adopted 2
rotation kpk passphrase 3

echo "# the old key stays until a backup was made under the new one"
lines 'hmk born'
want 0 p11kmsutil -modifyhmk -nopphrase
says 'born in the token' 'note: backups'
same "$(master_keys)" 4
want 8 p11kms -retiremaster -reason 'before a backup'
says -backup
same "$(master_keys)" 4
want 0 p11kmsutil -backup
want 0 p11kms -retiremaster -reason 'an adopted one' -json
same "$(field retired)" 1
same "$(master_keys)" 4
want 0 p11kms -retiremaster -reason 'again' -json
same "$(field retired)" 0

echo "# killed while it destroys: any command goes on, and so does it"
lines 'hmk to go'
want 0 p11kmsutil -modifyhmk -nopphrase
want 0 p11kmsutil -backup
i=1 status=137
while [ "$status" = 137 ]; do
	status=0
	(P11FAULT=C_DestroyObject:$i=kill \
		p11kms -retiremaster -reason 'in bits' || exit) \
		>/dev/null 2>&1 || status=$?
	served "after a kill at C_DestroyObject $i of -retiremaster"
	i=$((i + 1))
done
same "$status" 0
[ "$i" -gt 4 ] || fail "only $i"
same "$(master_keys)" 4
want 0 p11kms -verifydb -json
same "$(field bad)" 0
want 0 p11kms -retiremaster -reason 'again' -json
same "$(field retired)" 0
want 0 p11kmsutil -audit -json
prints '"event":"master.retire"' '"reason":"no longer in the token"' 'in bits'

echo "# a rotation under way: gone on with only as it was begun"
asked kpk passphrase 'KPK A'
killed C_WrapKey:8=kill
want 8 p11kms -retiremaster -reason 'in the middle'
says 'under way' 'KPK A'
lines "${answers[@]:0:2}" 'KPK B'
want 8 p11kmsutil -modifykpk
says 'under way' 'KPK A' passphrase
lines 'KPK A'
want 8 p11kmsutil -modifykpk -nopphrase
lines 'not the phrase of it' 'not the phrase of it' 'KPK A'
want 4 p11kmsutil -modifykpk
want 0 p11kmsutil -createkey -kgname ENCR_b -nopphrase -keyname meanwhile
served "in the middle"

echo "# a record that does not move is a failure, never done"
lines "${answers[@]}"
P11FAULT=C_WrapKey:4+=5 want 5 p11kmsutil -modifykpk
want 0 p11kmsutil -getkpkid
prints "kpk $n"
lines "${answers[@]}"
want 0 p11kmsutil -modifykpk -json
same "$(field resumed)" true
lines "${answers[@]}"
want 0 p11kmsutil -modifykpk -json
same "$(field was_done)" true
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 9

echo "# refusals"
lines "${answers[@]:0:2}" 'HMK A'
want 2 p11kmsutil -modifyhmk
says same
lines 'an HMK phrase of it' 'an HMK phrase of it' 'hmk to go'
want 8 p11kmsutil -modifyhmk
says 'ID of its own'
want 2 p11kmsutil -modifyhmk -adopt
says -hmklabel
want 2 p11kmsutil -modifyhmk -nopphrase -adopt -hmklabel 'by the owner'
want 2 p11kmsutil -modifyhmk -nopphrase -components 2
want 2 p11kms -retiremaster
says -reason

echo "# no data key is shown: as many keys as in a store that holds none"
shown() {
	: >"$dir/calls"
	lines 'shown'
	P11FAULT_LOG=$dir/calls want 0 p11kmsutil -config "$1" -modifykpk -nopphrase
	[ "$(grep -c C_UnwrapKey "$dir/calls")" -gt "$2" ] || fail 'too few calls'
	shown=$(grep -c 'key shown' "$dir/calls")
}
sed "s|module-path=[^&]*|module-path=$bin/../test/p11fault.so|" "$dir/conf2" \
	>"$dir/conf3"
shown "$dir/conf3" 5
none=$shown
shown "$dir/conf" 40
same "$shown" "$none" "keys shown to the host"

echo "# parts of several custodians"
part='the part of a custodian'
lines "$part A" "$part A" "$part B" "$part B" 'HMK P'
want 0 p11kmsutil -modifyhmk -components 2
want 0 p11kms -info -json
same "$(field hmk_components)" 2
