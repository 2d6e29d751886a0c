#!/bin/bash
# Every change and every release, in the order in which they happened; an edit,
# a removal or another order, of rows or of the log, is found and named.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive
serial=$(p11kmsdrive -status -drive "$drive" -json |
	sed -n 's/.*"serial":"\([^"]*\)".*/\1/p')
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -volume V00001
want 0 p11kmsdrive -load -drive "$drive" -tag "$tag"
new_key ENCR_a k2 -activate
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$drive"
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -name old

# audit OPTION…: the column of a field, one line each
events() {
	want 0 p11kmsutil -audit -json "$@"
	printf %s "$out" | grep -o '"event":"[^"]*"' | cut -d'"' -f4 | tr '\n' ' '
}

echo "# one sequence: a release stands behind the change it came after"
same "$(events)" "store.create group.create key.create key.release \
key.release key.state key.create key.release key.modify "
want 0 p11kmsutil -audit
prints "uid:$(id -u)" "$serial" V00001 A00001L8 write read "$tag"
[ "${out#*Time}" != "$out" ] || fail "no time"
want 0 p11kmsutil -audit -noverbose
same "$(printf '%s\n' "$out" | wc -l)" 9

echo "# a release is shown with what its key is called now"
want 0 p11kmsutil -audit -tag "$tag" -json
same "$(printf %s "$out" | grep -o '"event":"key.release"' | wc -l)" 2
prints "\"use\":\"write\",\"state\":\"active\",\"drive\":\"$serial\",\"volume\":\"V00001\"" \
	'"group":"ENCR_a","name":"old"'
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname old -state deprecated
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname old -state terminated
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname old -force -reason 'a test'
want 0 p11kmsutil -audit -tag "$tag" -json
prints '"event":"key.release"' '"name":"old"' '"reason":"a test"' '"forced":true'

echo "# filters"
same "$(events -since 1h | wc -w)" "$(events | wc -w)"
same "$(events -until 2001-01-01)" ''
same "$(events -since 2001-01-01T00:00:00Z -until 2001-01-02)" ''
same "$(events -actor nobody)" ''
same "$(events -actor "uid:$(id -u)" | wc -w)" "$(events | wc -w)"
want 2 p11kmsutil -audit -since yesterday
says yesterday 12h

echo "# verified, and how far the store vouches for the log"
want 0 p11kmsutil -audit -verify -json
same "$(field releases)" 3
same "$(field proven_releases)" 3
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsutil -audit -verify -json
same "$(field releases)" 4
same "$(field proven_releases)" 3 'no change since'
want 0 p11kmsutil -createkg -kgname ENCR_b
want 0 p11kmsutil -audit -verify -json
same "$(field proven_releases)" 4

echo "# signed: a third person needs the public key and openssl"
want 2 p11kmsutil -audit -sign -path "$dir/trail"
says sign_key
sed -i '/^lock_dir/a sign_key = pkcs11:object=p11kms-audit' "$dir/conf"
want 3 p11kmsutil -audit -sign -path "$dir/trail"
says 'no EC private key'
want 0 pkcs11-tool --module "${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}" \
	--token-label p11kms --login --pin "$(cat "$dir/token/pin")" \
	--keypairgen --key-type EC:prime256v1 --label p11kms-audit --id 41
want 2 p11kmsutil -audit -sign
want 8 p11kmsutil -audit -sign -path "$dir/conf"
[ ! -e "$dir/trail" ] || fail "a file is left that was not signed"
want 0 p11kmsutil -audit -sign -path "$dir/trail"
prints "openssl dgst -sha256 -verify $dir/trail.pub"
check=$(printf %s "$out" | sed -n 's/.*: \(openssl .*\)/\1/p')
# shellcheck disable=SC2086
want 0 $check
prints 'Verified OK'
same "$(grep -o '"event":"key.release"' "$dir/trail" | wc -l)" 4
pkcs11-tool --module "${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}" \
	--token-label p11kms --read-object --type pubkey --id 41 \
	-o "$dir/token.der" >/dev/null 2>&1
same "$(openssl pkey -pubin -inform DER -in "$dir/token.der" -pubout)" \
	"$(cat "$dir/trail.pub")"
sed -i 's/"forced":true/"forced":false/' "$dir/trail"
# shellcheck disable=SC2086
want 1 $check

log=$dir/store/kms.log
cp -p "$log" "$dir/log"
cp -p "$store" "$dir/db"
back() {
	cp -p "$dir/log" "$log"
	cp -p "$dir/db" "$store"
}
byte() { # FILE OFFSET: another byte there
	local b

	b=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $(((b + 1) % 256)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
u32() {
	od -An -tu1 -j "$2" -N 4 "$1" | awk '{print (($1*256+$2)*256+$3)*256+$4}'
}
# Where the records begin: at[1] …; at[5] is the end.
at=(0 64)
for i in 1 2 3 4; do
	at[i + 1]=$((at[i] + 4 + $(u32 "$log" "${at[i]}")))
done
piece() {
	dd if="$dir/log" bs=1 skip="${at[$1]}" count=$((at[$2] - at[$1])) status=none
}
refused() {
	local before

	before=$(fingerprint)
	want 6 p11kmsutil -audit -verify
	says kms.log "$@"
	want 6 p11kmsutil -catalog
	same "$(fingerprint)" "$before" "looking changed something"
	back
}

echo "# the log: edited, a record removed, two in another order, cut"
byte "$log" $((at[2] + 30))
refused 'record 2'
{ head -c 64 "$dir/log"; piece 1 2; piece 3 5; head -c 4096 /dev/zero; } >"$log"
refused 'record 2'
{ head -c 64 "$dir/log"; piece 1 2; piece 3 4; piece 2 3; piece 4 5; head -c 99 /dev/zero; } >"$log"
refused 'record 2'
{ head -c 64 "$dir/log"; piece 1 3; head -c 4096 /dev/zero; } >"$log"
refused 'record 2' 'the last 2 of the 4 releases' 'cannot be told'
head -c 64 "$dir/log" >"$log"
refused 'the last 4 of the 4'
rm "$log"
want 3 p11kmsutil -audit -verify
back

echo "# the store's rows: edited, removed, two in another order"
row() { # SQL: with $first and $last, the ids of two changes
	sqlite3 "$store" "$1"
	want 6 p11kmsutil -audit -verify
	says kms.db
	back
}
first=$(sqlite3 "$store" 'SELECT min(id) FROM rows WHERE kind = 4')
last=$(sqlite3 "$store" 'SELECT max(id) FROM rows WHERE kind = 4')
row "UPDATE rows SET sealed = CAST(substr(sealed, 1, 20) || x'00' ||
	substr(sealed, 22) AS BLOB) WHERE id = $first"
row "DELETE FROM rows WHERE id = $last"
row "UPDATE rows SET id = 99999 WHERE id = $first;
	UPDATE rows SET id = $first WHERE id = $last;
	UPDATE rows SET id = $last WHERE id = 99999"
row "UPDATE rows SET generation = generation + 1 WHERE id = $first"
want 0 p11kmsutil -audit -verify

echo "# a lost log is followed by another, which says so for ever"
rm "$log"
want 0 p11kmsutil -createkg -kgname ENCR_c
want 0 p11kmsutil -audit -verify -json
same "$(field lost_logs)" 1
same "$(field lost_releases)" 4
same "$(field releases)" 0
[[ " $(events) " == *' log.restart '* ]] || fail "no log.restart"
