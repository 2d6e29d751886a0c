#!/bin/bash
# The vendor's walk-through, in its order and with its words: only the
# commands have other names.
# run.sh: plain build only; walkthrough.sh runs these operations under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_token
new_config

echo "# six lines on standard input; a phrase of one character is too short here"
lines "$hmk_phrase" "$hmk_phrase" 1 1 1 1
want 2 p11kms -createemptydb
says 15
[ ! -e "$store" ] || fail 'there is a store'
lines "$hmk_phrase" "$hmk_phrase" 1 "$kpk_phrase" "$kpk_phrase" 2
want 0 p11kms -createemptydb
lines "$hmk_phrase" "$hmk_phrase" 1 "$kpk_phrase" "$kpk_phrase" 2
want 8 p11kms -createemptydb
want 0 p11kms -info
prints 'HMK ID                : 1' 'KPK ID                : 2'

want 0 p11kmsutil -createkg -kgname ENCR_kms_pool
prints 'Key Group Name        : ENCR_kms_pool' \
	'Supported Cypher      : AES_256' 'Number of Keys        : 0' \
	'Has Active Key        : No' 'Creation Time         : ' \
	'Last Modification Time: ' 'Description           : -'
lines "$key_phrase" "$key_phrase"
want 0 p11kmsutil -createkey -activate -kgname ENCR_kms_pool -keyname kms_key1 \
	-desc 'The first key'
want 0 p11kmsutil -listkeys -kgname ENCR_kms_pool
prints 'Key Group Name        : ENCR_kms_pool' 'Number of Keys        : 1' \
	'Key Name              : kms_key1' 'Current State         : active' \
	'Description           : The first key'
tag=$(sed -n 's/^ *Key Tag *: //p' "$dir/out")
[[ $tag =~ ^[0-9a-f]{64}$ ]] || fail "the tag is '$tag'"

echo "# through every state and back, then to its end"
for state in inactive deprecated terminated deprecated inactive active \
	inactive deprecated terminated; do
	want 0 p11kmsutil -modifykey -state $state -kgname ENCR_kms_pool \
		-keyname kms_key1
done
want 0 p11kmsutil -deletekey -kgname ENCR_kms_pool -keyname kms_key1
want 0 p11kmsutil -listkeys -kgname ENCR_kms_pool -noverbose
same "$out" ''

echo "# and back"
lines "$key_phrase"
want 0 p11kmsutil -recoverkey -kgname ENCR_kms_pool -keyname kms_key1 \
	-tag "$tag" -desc 'back again'
prints 'Current State         : inactive' "$tag"
want 0 p11kmsutil -modifykey -state active -kgname ENCR_kms_pool -keyname kms_key1
want 0 p11kmsutil -gethmkid
prints 'HMK ID                : 1'
want 0 p11kmsutil -getkpkid
prints 'KPK ID                : 2'
want 0 p11kmsutil -ksstats
prints 'Number of Key Groups  : 1' 'Number of Keys        : 1' 'Outstanding Quiesces  : 0'

echo "# quiesced, copied, unquiesced; a drive gets its key meanwhile"
new_drive
want 0 p11kmsutil -quiescedb
mkdir "$dir/copy"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_kms_pool
want 8 p11kmsutil -createkg -kgname ENCR_other
want 0 p11kmsutil -listkeys
cp -p "$dir/store/kms.db" "$dir/store/kms.log" "$dir/copy"
want 0 p11kmsutil -unquiescedb
want 0 p11kmsutil -createkg -kgname ENCR_other
want 0 p11kms -verifydb -store "$dir/copy/kms.db" -json
same "$(field bad)" 0

echo "# a counter, each hold with its owner"
want 0 p11kmsutil -quiescedb -owner one -json
want 0 p11kmsutil -quiescedb -owner two -json
same "$(field quiesced)" 2
want 0 p11kmsutil -quiescedb -owner one -json
same "$(field quiesced)" 3
want 0 p11kmsutil -unquiescedb -owner one -json
want 8 p11kmsutil -unquiescedb -owner three
want 0 p11kmsutil -unquiescedb -owner one -json
same "$(field quiesced)" 1
want 8 p11kmsutil -createkg -kgname late
says two
want 0 p11kmsutil -unquiescedb -json
same "$(field quiesced)" 0
want 0 p11kmsutil -createkg -kgname late

echo "# one that expires: changes go on, and the copy may be torn"
want 0 p11kmsutil -quiescedb -owner copy -expires 1s
tries=0
until p11kmsutil -createkg -kgname later >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] || fail 'it does not expire'
done
want 1 p11kmsutil -unquiescedb -owner copy
says torn

echo "# disk and cloud: a group for a server's volume"
want 0 p11kmsutil -createkg -kgname server1:volume1 -desc 'AdvancedDisk'
new_key server1:volume1 d1 -activate
want 0 p11kmsutil -createkg -kgname s3.example.com:bucket
new_key s3.example.com:bucket c1 -activate
want 0 p11kmsutil -listkeys -kgname server1:volume1 -activekey -json
same "$(field name)" d1
want 0 p11kmsutil -modifykg -kgname server1:volume1 -name server2:volume1
want 0 p11kmsutil -listkeys -kgname server2:volume1 -json
same "$(field name)" d1
