#!/bin/bash
# A store that an earlier version made is opened on a new token from its
# phrases; each key is the one it was: it reads what was written with it then.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
golden=$top/tests/golden
hmk_phrase='golden HMK passphrase'
kpk_phrase='golden KPK passphrase'

# put FILE: into the store's place, with the log beside it.
put() {
	rm -f "$dir/store/"kms.*
	install -m 600 "$golden/$1" "$store"
	install -m 600 "$golden/store-1.log" "$dir/store/kms.log"
}
complete() {
	lines "$hmk_phrase"
	want 0 p11kms -resethmk
	lines "$kpk_phrase"
	want 0 p11kms -resetkpk -json
	same "$(field complete)" true
}
# What of a listing depends on neither clock nor device.
listing() {
	want 0 p11kmsutil -listkeys -noverbose
	printf '%s\n' "$out" | cut -f 1-4,8-10 >"$dir/keys"
	cut -f 1-4,8-10 "$golden/store-1.keys" | diff - "$dir/keys" ||
		fail "the keys are not those of then"
}

# Reads the tape of then, with whatever store there is now.
reads_the_tape() {
	local group

	on_tape mt -f /dev/nst9 rewind
	# shellcheck disable=SC2016
	for group in ENCR_own ENCR_group server:volume; do
		want 0 p11kmsdrive -run -drive "$drive" -read -- \
			sh -c 'dd if="$TAPE" bs=512 count=1 status=none | tr -d "\0"; mt -f "$TAPE" fsf'
		same "$out" "written with the active key of $group"
	done
}

new_token
new_config
put store-1.db
want 0 p11kms -info -json
same "$(field format)" 1
same "$(field hmk_id)" 'golden HMK'
same "$(field hmk_origin)" passphrase
want 5 p11kmsutil -listkeys
lines 'golden HMK passphrasf'
want 4 p11kms -resethmk
complete
want 0 p11kms -verifydb -json
same "$(field bad)" 0
same "$(field unwrapped)" 6
same "$(field tombstones)" 1
listing

echo "# the tape of then: own phrase, group phrase, random"
install -m 600 "$golden/store-1.cart" "$dir/A.cart"
new_drive
reads_the_tape

echo "# quiesced then is quiesced now; the log knows what was used"
want 8 p11kmsutil -createkg -kgname late
says golden
want 0 p11kmsutil -unquiescedb -owner golden
want 0 p11kmsutil -createkg -kgname late
for state in inactive deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname server:volume -keyname random \
		-state $state
done
want 8 p11kmsutil -deletekey -kgname server:volume -keyname random
says -force

echo "# a key held already is compared with what its phrase makes"
while read -r name tag phrase; do
	lines "$phrase"
	want 0 p11kmsutil -recoverkey -kgname ENCR_own -keyname "x$name" \
		-tag "$tag" -json
	same "$(field name)" "$name"
done <<END
own $(awk '$2 == "own" { print $3 }' "$golden/store-1.keys") golden key passphrase
old1 $(awk '$2 == "old1" { print $3 }' "$golden/store-1.keys") golden key passphrase1
old2 $(awk '$2 == "old2" { print $3 }' "$golden/store-1.keys") golden key passphrase2
END

echo "# the backup of then, onto a new host"
want 0 p11kms -verifydb -store "$golden/backup-1.db" -json
same "$(field bad)" 0
rm -f "$dir/store/"kms.*
want 0 p11kms -restoredb -path "$golden/backup-1.db" -reason 'long ago' -json
same "$(field complete)" true
listing
want 0 p11kms -verifydb
reads_the_tape

echo "# the export of then, into another store on another token"
rm -rf "$dir/token" "$dir/store"
new_token
new_config
create_lines
want 0 p11kms -createemptydb
lines 'golden export passphrasf'
want 4 p11kmsutil -import -path "$golden/export-1.p11kexp"
lines 'golden export passphrase'
want 0 p11kmsutil -import -path "$golden/export-1.p11kexp" -preserve_kgname
want 0 p11kmsutil -listkeys -noverbose
cut -f 3 <<<"$out" | sort >"$dir/tags"
cut -f 3 "$golden/store-1.keys" | sort | diff - "$dir/tags" ||
	fail 'not the keys of then'
reads_the_tape
