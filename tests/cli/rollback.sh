#!/bin/bash
# An older store put back is noticed, with the number of changes that would
# be lost, and refused until somebody accepts it; then the newer one is the
# foreign one.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
mkdir "$dir/old" "$dir/new"
cp -p "$dir/store/"kms.* "$dir/old"
want 0 p11kmsutil -createkg -kgname ENCR_b
want 0 p11kmsutil -createkg -kgname ENCR_c
new_key ENCR_a k2 -activate
cp -p "$dir/store/"kms.* "$dir/new"
put() {
	rm -f "$dir/store/"kms.*
	cp -p "$dir/$1/"kms.* "$dir/store"
}
refused_everywhere() {
	local before

	before=$(fingerprint)
	want 6 p11kmsutil -listkeys
	says "$@"
	want 6 p11kmsutil -createkg -kgname ENCR_d
	want 6 p11kms -verifydb
	want 6 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
	says "$@"
	same "$(fingerprint)" "$before" "a refused store was changed"
}

want 8 p11kms -acceptrestore -reason 'nothing to accept'
new_drive
put old
refused_everywhere 3 -acceptrestore

# Read where it lies, it says how far behind it is.
want 0 p11kms -verifydb -store "$dir/old/kms.db" -json
same "$(field anchor)" older
same "$(field behind)" 3

want 0 p11kms -acceptrestore -reason 'the disk died' -json
same "$(field lost)" 3
want 0 p11kmsutil -listkgs -noverbose
same "$(printf '%s\n' "$out" | wc -l)" 1
want 0 p11kmsutil -listkeys -activekey -json
same "$(field name)" k1
want 0 p11kmsutil -createkg -kgname ENCR_e
want 0 p11kms -verifydb

# The history that was given up is now another lineage.
put new
refused_everywhere
want 0 p11kms -acceptrestore -reason 'after all' -json
want 0 p11kmsutil -listkeys -activekey -json
same "$(field name)" k2
want 0 p11kms -verifydb

# Another store made in the same token does not disturb this one's anchor.
mv "$store" "$dir/mine.db"
mv "$dir/store/kms.log" "$dir/mine.log"
lines "$hmk_phrase" "$hmk_phrase" 'HMK one' \
	"$kpk_phrase" "$kpk_phrase" 'KPK one'
want 0 p11kms -createemptydb
rm -f "$dir/store/"kms.*
cp -p "$dir/mine.db" "$store"
cp -p "$dir/mine.log" "$dir/store/kms.log"
want 0 p11kms -verifydb
