#!/bin/bash
# A job that changes tapes has every one of them in the catalog, with a local
# store: told by the virtual drive, by a volume script, or at its end. What
# cannot be recorded ends the job with an error and the command that does it.
# run.sh: plain build only; unit tests run this code under the sanitizers.
# shellcheck disable=SC2016 # other shells expand them
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive
serial=$(p11kmsdrive -status -drive "$drive" -json |
	sed -n 's/.*"serial":"\([^"]*\)".*/\1/p')
mkdir "$dir/data"
seq 1 340000 >"$dir/data/numbers"
for i in 1 2 3; do
	want 0 vtaped -create -cartridge "$dir/M$i.cart" -barcode "M0000${i}L8" \
		-size 1048576
done
# The changer: a program of ours, not to be preloaded. HOOK runs when the next
# tape is in.
cat >"$dir/changer" <<-'END'
	#!/bin/bash
	cd "$(dirname "$0")" || exit 1
	unset LD_PRELOAD
	vtaped -eject -drive drive 2>/dev/null
	vtaped -insert -cartridge "M$TAR_VOLUME.cart" -drive drive &&
		eval "${HOOK-}"
END
chmod +x "$dir/changer"
export HOOK=''
put_in() {
	vtaped -eject -drive "$dir/drive" 2>/dev/null || :
	want 0 vtaped -insert -cartridge "$dir/$1.cart" -drive "$dir/drive"
}
# What tar says, and a line for each tape, comes besides our one error line.
job() { # OPTION… -- CMD…
	p11kmsdrive -run -drive "$drive" -kgname ENCR_a "$@" 2>"$dir/said"
}
# archive STATUS OPTION…: three tapes by one run; "${as[@]}" starts tar.
volumes=(tar -M -F "$dir/changer" -b 20 -f /dev/nst9 -C)
as=()
archive() {
	local status=$1

	shift
	put_in M1
	want "$status" job "$@" -- ${as[@]+"${as[@]}"} \
		"${volumes[@]}" "$dir" -c data
	err=$(cat "$dir/said")
}
keep=-keep_on_unload
# As through the kernel's tape driver: nobody tells of a tape.
deaf=(sh -c 'unset P11KMS_NEW_TAPE; exec "$@"' sh)
forget() { # the log, and with it the catalog
	rm "$dir/store/kms.log"
	want 0 p11kmsutil -createkg -kgname "ENCR_$RANDOM$RANDOM"
}
on_record() { # the volumes that need the key, in the order of first use
	want 0 p11kmsutil -catalog -tag "$tag" -json
	printf '%s\n' "$out" | tr '{' '\n' |
		sed -n 's/.*"volume":"\([^"]*\)".*"written":true.*/\1/p' | xargs
}
loads() { # VOLUME
	want 0 p11kmsutil -catalog -volume "$1" -json
	field loads
}

echo "# three tapes, each with serial, tag, drive and times"
archive 0 $keep
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'
for i in 1 2 3; do
	want 0 p11kmsutil -catalog -volume "M0000${i}L8" -json
	same "$(field tag) $(field drive) $(field loads)" "$tag $serial 1"
	[ -n "$(field medium)" ] || fail 'no serial of the tape'
	[[ $(field first) == 20* ]] || fail 'no time'
done
medium=$(field medium)
want 0 p11kmsutil -catalog -volume "$medium" -json
same "$(field volume)" M00003L8
want 0 p11kmsutil -audit -verify
want 0 p11kmsutil -audit -json
same "$(printf '%s\n' "$out" | tr '{' '\n' | grep -c '"use":"note"')" 2
echo "# on record before the first block, not when the job has ended"
forget
HOOK='vtaped -eject -drive drive; false'
archive 107 $keep -volume LABEL1
says 'not seen: 1'
same "$(on_record)" LABEL1 'an empty drive is no tape'
HOOK='[ $TAR_VOLUME = 2 ] || p11kmsutil -catalog -volume M00002L8 -json >seen'
archive 0 $keep -volume LABEL1
grep -q "$tag" "$dir/seen" || fail 'not on record while the next tape goes in'
same "$(on_record)" 'LABEL1 M00002L8 M00003L8' 'the label is the first one'\''s'

echo "# begun without a tape: the one that comes"
forget
vtaped -eject -drive "$dir/drive"
HOOK=''
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -keep_on_unload -- \
	sh -c 'TAR_VOLUME=2 "$0" && echo x | dd of=/dev/nst9 bs=512 conv=sync' \
	"$dir/changer"
same "$(loads M00002L8)" 1

echo "# through the kernel's driver: a volume script tells"
forget
as=("${deaf[@]}")
bell='P11KMS_NEW_TAPE=$BELL p11kmsdrive -note'
HOOK=$bell
as=(sh -c 'BELL=$P11KMS_NEW_TAPE; export BELL; unset P11KMS_NEW_TAPE
	exec "$@"' sh)
archive 0 $keep
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'
same "$(loads M00003L8)" 1

echo "# nobody tells: the last one is seen, one is missed, and that is an error"
forget
HOOK=''
as=("${deaf[@]}")
archive 107 $keep
same "$(on_record)" 'M00001L8 M00003L8'
says 'not seen: 1' -note
put_in M2
want 0 p11kmsdrive -note -drive "$drive" -tag "$tag"
prints M00002L8 "$tag" "$serial"
same "$(on_record)" 'M00001L8 M00003L8 M00002L8'

echo "# without -keep_on_unload the key is lost, the tapes are on record"
forget
as=()
archive 107
says lost -keep_on_unload
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'

echo "# the record cannot be made: written all the same, and said"
forget
pin=$(sed 's/.*pin-source=file:\([^&]*\).*/\1/' "$dir/token/uri")
HOOK="[ \$TAR_VOLUME = 3 ] || mv '$pin' '$pin.away'"
archive 102 $keep
says M00002L8 'not in the catalog'
mapfile -t commands < <(sed -n 's/.*record it: \(p11kmsdrive -note .*\)/\1/p' "$dir/said")
same "${#commands[@]}" 2 'commands'
mv "$pin.away" "$pin"
put_in M1
same "$(on_record)" M00001L8
for command in "${commands[@]}"; do
	read -ra words <<<"$command"
	want 0 "${words[@]}"
done
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'
want 0 p11kmsutil -catalog -volume M00003L8 -json
same "$(field drive) $(field medium)" "$serial $medium"
echo "# what it was that failed is gone when the job ends: nothing to say"
forget
HOOK="[ \$TAR_VOLUME = 3 ] || { mv '$pin' '$pin.away'; }; [ \$TAR_VOLUME = 2 ] || mv '$pin.away' '$pin'"
archive 0 $keep
same "$(on_record)" 'M00001L8 M00003L8 M00002L8'
HOOK=''

echo "# by hand"
want 2 p11kmsdrive -note
says -drive -tag -volume
want 2 p11kmsdrive -note -tag "$tag"
says -volume
want 2 p11kmsdrive -note -volume M1
says -tag
want 8 p11kmsdrive -note -drive "$drive"
says -tag
want 3 p11kmsdrive -note -tag 0102 -volume X1
says 0102
vtaped -eject -drive "$dir/drive"
want 3 p11kmsdrive -note -drive "$drive" -tag "$tag"
says 'no tape'
want 0 p11kmsdrive -note -tag "$tag" -volume X1 -json
same "$(field volume) $(field tag) $(field medium)" "X1 $tag null"
put_in M1
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -note -drive "$drive" -json
same "$(field volume) $(field tag)" "M00001L8 $tag"
want 0 p11kmsdrive -clear -drive "$drive"

echo "# goes on while changes are refused"
want 0 p11kmsutil -quiescedb
want 0 p11kmsdrive -note -tag "$tag" -volume X2
want 0 p11kmsutil -unquiescedb

echo "# the delete gate knows a tape that was only noted"
new_key ENCR_a k2
other=$(field tag)
new_key ENCR_a k3
spare=$(field tag)
same "${other/"$spare"/}" "$other"
want 0 p11kmsdrive -note -tag "$other" -volume OLD001
want 8 p11kmsutil -deletekey -kgname ENCR_a -keyname k2
says -force
want 0 p11kmsutil -deletekey -kgname ENCR_a -keyname k3
