#!/bin/bash
# Files of a newer format are refused by that name, and left alone.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
new_drive
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$drive"
mkdir "$dir/good"
cp -p "$dir/store/"kms.* "$dir/good"

# edit FILE OFFSET BYTES: as printf has them.
edit() {
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
newer() {
	local before

	before=$(fingerprint)
	want 6 "$@"
	says 'newer than this program'
	same "$(fingerprint)" "$before" "$* changed it"
}

echo "# the store (SQLite's user_version)"
edit "$store" 60 '\0\0\0\2'
newer p11kmsutil -listkeys
says "$store" 'format 2'
newer p11kmsutil -createkg -kgname ENCR_b
newer p11kms -info
newer p11kms -verifydb
newer p11kmsdrive -load -drive "$drive" -kgname ENCR_a
lines "$hmk_phrase"
newer p11kms -resethmk
lines "$hmk_phrase"
newer p11kms -acceptrestore -reason T
want 0 p11kms -info -store "$dir/good/kms.db"
newer p11kms -verifydb -store "$store"
mv "$store" "$dir/newer.db"
newer p11kms -restoredb -path "$dir/newer.db" -reason T
cp -p "$dir/good/kms.db" "$store"

echo "# the release log: nothing is released, and no new one is begun over it"
edit "$dir/store/kms.log" 7 '\2'
newer p11kmsdrive -load -drive "$drive" -kgname ENCR_a
says kms.log
newer p11kmsutil -createkg -kgname ENCR_b
cp -p "$dir/good/kms.log" "$dir/store/kms.log"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kms -verifydb

echo "# an export container"
printf 'export = on\n' >>"$dir/conf" # its end is [policy]
lines 'correct horse export battery' 'correct horse export battery'
want 0 p11kmsutil -export -path "$dir/out.p11kexp"
edit "$dir/out.p11kexp" 9 '\2'
lines 'correct horse export battery'
newer p11kmsutil -import -path "$dir/out.p11kexp"
