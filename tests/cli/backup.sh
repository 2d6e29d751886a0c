#!/usr/bin/env bash
# Backups: consistent while changes go on, verified, never over a file nor to
# a tape; one key fetched out of one; a host restored from one by one command.
# shellcheck source=tests/cli/lib.sh
# run.sh: plain build only; unit tests run this code under the sanitizers.
. "$(dirname "$0")/lib.sh"

new_store
mkdir "$dir/other"
printf '[backup]\npath = %s\nkeep = 2\nsame_device = on\n' "$dir/other" \
	>>"$dir/conf"
want 0 p11kms -info -json
uuid=$(field uuid)
want 0 p11kmsutil -createkg -kgname ENCR_a
backup() {
	want 0 p11kmsutil -backup -json "$@"
	file=$(field path)
}

echo "# while others change the store, each is whole"
(
	for _ in 1 2 3 4 5 6; do
		p11kmsutil -createkey -kgname ENCR_a -nopphrase >"$dir/writer" 2>&1
	done
	: >"$dir/written"
) &
writer=$!
n=0
until [ -e "$dir/written" ]; do
	n=$((n + 1))
	backup -path "$dir/other/during-$n.db"
	want 0 p11kms -verifydb -store "$dir/other/during-$n.db" -json
	same "$(field bad)" 0
done
wait "$writer" || fail "the writer: $(cat "$dir/writer")"
want 0 p11kmsutil -listkeys -noverbose
same "$(printf '%s\n' "$out" | wc -l)" 6
rm "$dir/other/"*

echo "# named by store and generation; the newest are kept"
for _ in 1 2 3; do
	backup
	same "$file" "$dir/other/$uuid-$(field generation).db"
done
same "$(find "$dir/other" -name '*.db' | wc -l)" 2
[ -e "$file" ] || fail "the newest is gone"
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase -activate -json
tag=$(field tag)
same "$(field recoverable)" none
backup
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname r1 -json
same "$(field recoverable)" backup

echo "# a relative path is recorded whole, and without links"
mkdir "$dir/other/deep"
ln -s other "$dir/short"
cd "$dir"
backup -path short/deep/../rel.db
same "$file" "$dir/other/rel.db"
cd "$dir/other"
backup -path here.db
same "$file" "$dir/other/here.db"
cd "$top"
want 0 p11kmsutil -audit -json
prints "\"reason\":\"$dir/other/here.db\""
rm -r "$dir/other/deep" "$dir/other/rel."* "$dir/other/here."*
backup

echo "# never over a file, never to a device"
taken=$(sha256sum "$file")
want 8 p11kmsutil -backup -path "$file"
says 'exists already'
ln -s "$dir/nowhere" "$dir/other/link.db"
want 8 p11kmsutil -backup -path "$dir/other/link.db"
echo other >"$dir/other/other.log"
want 8 p11kmsutil -backup -path "$dir/other/other.db"
says other.log
[ ! -e "$dir/other/other.db" ] || fail 'half a backup is left'
want 2 p11kmsutil -backup -path /dev/nst9
want 2 p11kmsutil -backup -path /dev/null
want 3 p11kmsutil -backup -path "$dir/none/b.db"
same "$(sha256sum "$file")" "$taken"

echo "# read again later: what was changed in it is found"
want 0 p11kms -verifydb -store "$file" -json
same "$(field bad)" 0
same "$(sha256sum "$file")" "$taken"
cp "$file" "$dir/bad.db"
# In every page but the first three: SQLite fills a page from its end, and
# which of them are of rows depends on what was changed in the meantime.
size=$(stat -c %s "$dir/bad.db")
for ((at = 4 * 4096 - 100; at < size; at += 4096)); do
	head -c 64 /dev/urandom | dd of="$dir/bad.db" bs=1 seek=$at \
		conv=notrunc status=none
done
want 6 p11kms -verifydb -store "$dir/bad.db"

echo "# one key out of it, deleted meanwhile: the tape it wrote is read"
new_drive
echo 'written before' >"$dir/file"
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c "tar cf \$TAPE -C '$dir' file"
for state in inactive deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname r1 -state $state
done
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname r1 -force -reason mistake
recover() { # STATUS NAME FILE OPTION…
	local status=$1 name=$2 from=$3

	shift 3
	want "$status" p11kmsutil -recoverkey -kgname ENCR_a -keyname "$name" \
		-from "$from" -json "$@"
}
before=$(fingerprint)
recover 3 r2 "$file"
says r2 "$file"
recover 3 r1 "$file" -tag "b0${tag#??????}0000"
recover 6 r1 "$dir/bad.db"
recover 3 r1 "$dir/none.db"
want 2 p11kmsutil -recoverkey -kgname ENCR_a -keyname r1
same "$(fingerprint)" "$before" 'a refusal changed the store'
on_tape mt -f /dev/nst9 rewind
want 103 p11kmsdrive -run -drive "$drive" -read -- true
recover 0 r1 "$file"
same "$(field tag)" "$tag"
same "$(field state)" inactive
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -run -drive "$drive" -read -- sh -c "tar xOf \$TAPE"
prints 'written before'
before=$(fingerprint)
recover 0 other "$file" -tag "$tag"
same "$(field name)" r1
same "$(fingerprint)" "$before" 'held already, and yet changed'

echo "# also after the KPK was rotated, until the old one is retired"
lines 'a new phrase for the KPK' 'a new phrase for the KPK' 'KPK two'
want 0 p11kmsutil -modifykpk
want 0 p11kmsutil -createkg -kgname ENCR_b
for state in deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname r1 -state $state
done
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname r1 -force -reason mistake
recover 0 back "$file" -tag "$tag"
same "$(field name)" back
want 0 p11kms -verifydb
cp -p "$file" "$dir/old.db"
backup
want 0 p11kms -retiremaster -reason test
recover 5 back "$dir/old.db"
says "$dir/old.db" 'master keys'

echo "# how old a backup is, also from before a rotation"
want 5 p11kms -verifydb -store "$dir/old.db"
says "$dir/old.db: older: wrapped under KPK 'KPK one'" "by 'KPK two'" \
	'retired at 2'
before=$file
lines 'HMK two'
want 0 p11kmsutil -modifyhmk -nopphrase
want 0 p11kms -verifydb -store "$before" -json
same "$(field anchor) $(field sealed_under) $(field bad)" 'older HMK one 0'
[ -n "$(field rotated)" ] || fail 'no time'
want 0 p11kms -verifydb -store "$before"
prints "older: sealed under HMK 'HMK one', which was superseded by 'HMK two' at 2"
backup
want 0 p11kms -verifydb -store "$file" -json
same "$(field anchor)" older # by the change that recorded it
want 0 p11kms -retiremaster -reason test
want 5 p11kms -verifydb -store "$before"
says "older: sealed under HMK 'HMK one'" "'HMK two'" 'retired at 2'
mv "$store" "$dir/away.db" # nobody can tell
want 5 p11kms -verifydb -store "$before"
says 'not in the token'
mv "$dir/away.db" "$store"

echo "# the backup of another store"
mv "$dir/store" "$dir/first"
mkdir "$dir/store"
create_lines
want 0 p11kms -createemptydb
want 0 p11kmsutil -createkg -kgname ENCR_a
recover 2 back "$file"
says 'another store'

echo "# onto an empty host, by one command"
rm -r "$dir/store"
mkdir "$dir/store"
want 0 p11kms -restoredb -path "$file" -reason 'new host' -json
same "$(field complete)" true
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname back -json
same "$(field tag)" "$tag"
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -run -drive "$drive" -read -- sh -c "tar xOf \$TAPE"
prints 'written before'
