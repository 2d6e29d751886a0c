#!/bin/bash
# An archive whose blocks were written under three keys is restored by one
# -run -read; so are tapes changed in mid-job. A key that cannot be had ends
# the job with its reason, and the drive without a key.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_drive
tags=()
next_tag() { # the group's next key
	new_key ENCR_a "k$((${#tags[@]} + 1))" -activate
	tags+=("$(field tag)")
}
loaded() { # and out and err stay
	local said=$err gave=$out

	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" "$1" "${2-}"
	err=$said
	out=$gave
}
# A drive counts a key that met a block of another one as wrong, and takes no
# more after ten, until the tape is unloaded.
rewind() {
	on_tape mt -f /dev/nst9 offline
	on_tape mt -f /dev/nst9 load
}
# restore STATUS COMMAND…: by one run, into an empty directory $dir/back.
restore() {
	local status=$1

	shift
	rm -rf "$dir/back"
	mkdir "$dir/back"
	want "$status" p11kmsdrive -run -drive "$drive" -read "$@"
	loaded false 'after a restore'
}
restored() {
	diff -r "$dir/data" "$dir/back/data" || fail 'it came back changed'
}
released() { # TAG: how often that key was released to be read
	want 0 p11kmsutil -audit -json
	printf '%s\n' "$out" | tr '{' '\n' | grep '"use":"read"' |
		grep -c "\"tag\":\"$1\"" || :
}
# append SKIP COUNT: blocks of the archive, under the group's active key, in
# the place of the filemark that the writer before left.
append() {
	[ "$1" = 0 ] || on_tape mt -f /dev/nst9 bsr 1 2>/dev/null || :
	want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -volume V00001 -- \
		dd if="$dir/archive" of=/dev/nst9 bs=10240 skip="$1" count="$2"
}

mkdir "$dir/data"
seq 1 20000 >"$dir/data/numbers"
seq 1 9000 | sed 's/^/line /' >"$dir/data/lines"
tar -C "$dir" -b 20 -cf "$dir/archive" data

echo "# one archive, the group's key rotated twice while it is written"
next_tag
append 0 7
next_tag
append 7 8
next_tag
append 15 1000
rewind
same "$(on_tape dd if=/dev/nst9 bs=10240 count=1 2>/dev/null | wc -c)" 0 \
	'read without a key'

echo "# read in one go, each key through the one door"
rewind
# shellcheck disable=SC2016
restore 0 -- sh -c 'tar -xf "$TAPE" -C "$1"' sh "$dir/back"
restored
for tag in "${tags[@]}"; do
	same "$(released "$tag")" 1 "releases of $tag"
done
echo "# several blocks a read, where the drive's blocks are fixed"
rewind
on_tape mt -f /dev/nst9 setblk 10240
restore 0 -- dd if=/dev/nst9 of="$dir/back/archive" bs=51200
cmp "$dir/archive" "$dir/back/archive"
on_tape mt -f /dev/nst9 setblk 0
echo "# back and forth between two keys"
rewind
restore 0 -- sh -c '
	dd if=/dev/nst9 of="$1/back/archive" bs=10240 count=9 &&
	mt -f /dev/nst9 seek 3 &&
	dd if=/dev/nst9 of="$1/back/archive" bs=10240 seek=3 conv=notrunc' sh "$dir"
cmp "$dir/archive" "$dir/back/archive"
[ -z "$(find "$dir" "${TMPDIR:-/tmp}" -maxdepth 1 -name 'p11kmsdrive-*' -newer "$dir/archive" -user "$(id -u)")" ] ||
	fail 'a directory was left'

echo "# as the kernel has it: no second chance for a read"
# Without the way to ask, the program fails where the keys change.
deaf=(sh -c 'unset P11KMS_NEXT_KEY; "$@" || exit 7' sh)
rewind
restore 7 -- "${deaf[@]}" dd if=/dev/nst9 of="$dir/back/archive" bs=10240
says "${tags[1]}" 'block 7' -each_key
cmp -n $((7 * 10240)) "$dir/archive" "$dir/back/archive"
restore 7 -- "${deaf[@]}" dd if=/dev/nst9 of="$dir/back/rest" bs=10240
says "${tags[2]}" 'block 15'
rewind
p11kmsdrive -run -drive "$drive" -read -each_key -- \
	"${deaf[@]}" dd if=/dev/nst9 bs=10240 2>/dev/null |
	cmp - "$dir/archive" || fail 'in three runs it came back changed'
loaded false
rewind
on_tape mt -f /dev/nst9 setblk 10240
want 108 p11kmsdrive -run -drive "$drive" -read -each_key -- touch "$dir/ran"
says setblk
on_tape mt -f /dev/nst9 setblk 0
want 102 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -each_key -- \
	touch "$dir/ran"
[ ! -e "$dir/ran" ] || fail 'the command ran'

echo "# a key that may not be used, or is not there"
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k2 -state deprecated
# shellcheck disable=SC2016
untar=(sh -c 'tar -xf "$TAPE" -C "$1" 2>/dev/null' sh "$dir/back")
refused() { # STATUS TEXT…
	local status=$1

	shift
	rewind
	restore "$status" -- "${untar[@]}"
	says 'block 7' "$@"
	[ -e "$dir/back/data" ] || fail 'nothing came before the change'
	rewind
	want "$status" p11kmsdrive -run -drive "$drive" -read -each_key -- \
		"${deaf[@]}" sh -c 'dd if=/dev/nst9 bs=10240 >>"$0" 2>/dev/null' \
		"$dir/back/part"
	says 'block 7' "$@"
	loaded false
}
refused 108 "${tags[1]}" deprecated
# A program that does not mind is told all the same.
rewind
restore 108 -- sh -c 'dd if=/dev/nst9 bs=10240 of="$0" 2>/dev/null || :' "$dir/back/part"
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k2 -state terminated
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname k2 -force -reason test
refused 103 "${tags[1]}" -recoverkey

echo "# another key under its tag: not believed, no other tried"
hex=$(printf '%064d' 7)
key_file() { # the key one has, under the name of the other
	printf '%s\nthe same name\n' "$1" >"$dir/stenc.key"
	want 0 p11kmsutil -importkey -kgname "$2" -keyname one \
		-keyfile "$dir/stenc.key"
}
want 0 p11kmsutil -createkg -kgname ENCR_tmp
key_file "$hex" ENCR_tmp
want 0 p11kmsutil -modifykey -kgname ENCR_tmp -keyname one -activate \
	-allowserve -reason test
rewind
want 0 p11kmsutil -createkg -kgname ENCR_b
next_tag
append 0 5
on_tape mt -f /dev/nst9 bsr 1 2>/dev/null || :
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_tmp -- \
	dd if="$dir/archive" of=/dev/nst9 bs=10240 skip=5
for state in inactive deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname ENCR_tmp -keyname one -state $state
done
want 0 p11kmsutil -deletekey -kgname ENCR_tmp -keyname one -force -reason test
key_file "${hex/7/8}" ENCR_b
rewind
restore 107 -- "${untar[@]}"
says 'block 5' 'needs another key' 'did not prove' cleared

echo "# in clear at first, then under two keys"
rewind
on_tape dd if="$dir/archive" of=/dev/nst9 bs=10240 count=3 status=none
append 3 9
next_tag
append 12 1000
rewind
want 3 p11kmsdrive -load -drive "$drive" -read
says 'not encrypted'
restore 0 -- dd if=/dev/nst9 of="$dir/back/archive" bs=10240
cmp "$dir/archive" "$dir/back/archive"
rewind
on_tape mt -f /dev/nst9 seek 2
restore 0 -- dd if=/dev/nst9 bs=10240 count=1 of="$dir/back/clear"
same "$(released "${tags[-1]}")" 1 'a key that was not needed was released'

echo "# an archive over several cartridges, changed in mid-job"
seq 1 340000 >"$dir/data/more"
for i in 1 2 3; do
	want 0 vtaped -create -cartridge "$dir/M$i.cart" -barcode "M0000${i}L8" \
		-size 1048576
done
cat >"$dir/changer" <<-END
	#!/bin/bash
	# A program of ours, not to be preloaded.
	unset LD_PRELOAD
	vtaped -eject -drive "$dir/drive" &&
		vtaped -insert -cartridge "$dir/M\$TAR_VOLUME.cart" -drive "$dir/drive"
END
chmod +x "$dir/changer"
put_in() {
	want 0 vtaped -eject -drive "$dir/drive"
	want 0 vtaped -insert -cartridge "$dir/$1.cart" -drive "$dir/drive"
}
volumes=(tar -M -F "$dir/changer" -b 20 -f /dev/nst9 -C)
put_in M1
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -keep_on_unload -- \
	"${volumes[@]}" "$dir" -c data
loaded false
for i in 1 2 3; do
	! grep -aq '^[0-9]*777$' "$dir/M$i.cart" || fail "M$i is in clear"
	[ "$(stat -c %s "$dir/M$i.cart")" -gt 90000 ] || fail "M$i is empty"
done
put_in M1
restore 0 -keep_on_unload -- "${volumes[@]}" "$dir/back" -x
restored

echo "# without it, a tape changed in mid-job is a lost key"
quiet=(sh -c '"$@" 2>/dev/null' sh)
put_in M1
restore 107 -- "${quiet[@]}" "${volumes[@]}" "$dir/back" -x
says lost -keep_on_unload
put_in M1
want 107 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	"${quiet[@]}" "${volumes[@]}" "$dir" -c data
says lost -keep_on_unload
loaded false
