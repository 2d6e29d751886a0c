#!/bin/bash
# Which tapes need this key, and which keys does this tape need: by label, by
# barcode, by the tape's own serial, for -load and -run, written and read.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
want 0 p11kmsutil -createkg -kgname ENCR_b
want 0 p11kmsutil -catalog -json
same "$out" '{"complete":true,"catalog":[]}'
new_key ENCR_a a1 -activate
a1=$(field tag)
new_key ENCR_b b1 -activate
b1=$(field tag)
new_drive
want 0 vtaped -create -cartridge "$dir/B.cart" -barcode B00002L8
serial=$(p11kmsdrive -status -drive "$drive" -json |
	sed -n 's/.*"serial":"\([^"]*\)".*/\1/p')
run() {
	# shellcheck disable=SC2016
	want 0 p11kmsdrive -run -drive "$drive" "$@" -- sh -c \
		'mt -f "$TAPE" rewind; dd if=/dev/zero of="$TAPE" bs=1024 count=1'
}
rows() {
	want 0 p11kmsutil -catalog -noverbose "$@"
	printf %s "$out" | grep -c . || :
}

echo "# -run writes under a label; -load under the barcode; read as well"
run -kgname ENCR_a -volume VOL1
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
want 0 p11kmsdrive -clear -drive "$drive"
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -load -drive "$drive" -read -volume VOL1
want 0 p11kmsdrive -clear -drive "$drive"
want 0 vtaped -eject -drive "$dir/drive"
want 0 vtaped -insert -cartridge "$dir/B.cart" -drive "$dir/drive"
run -kgname ENCR_b -volume VOL2
want 0 p11kmsdrive -load -drive "$drive" -tag "$a1" -volume VOL2
want 0 p11kmsdrive -clear -drive "$drive"

echo "# which keys does this tape need"
want 0 p11kmsutil -catalog -volume VOL1 -json
same "$(field tag)" "$a1"
same "$(field drive)" "$serial"
same "$(field loads)" 2 'written and read'
same "$(field written)" true
same "$(field group)" ENCR_a
same "$(field name)" a1
medium=$(field medium)
[ -n "$medium" ] || fail "no serial of the tape"
[[ $(field first) < $(field last) || $(field first) == $(field last) ]] ||
	fail "first is after last"
same "$(rows -volume A00001L8)" 1 'by barcode'
same "$(rows -volume "$medium")" 2 'by serial: label and barcode'
same "$(rows -volume VOL2)" 2
want 0 p11kmsutil -catalog -volume VOL2 -tag "$a1" -json
same "$(field written)" false 'only read'

echo "# which tapes need this key, this group"
same "$(rows -tag "$a1")" 3
same "$(rows -tag "$b1")" 1
same "$(rows -kgname ENCR_a)" 3
same "$(rows -kgname ENCR_b)" 1
same "$(rows)" 4
want 0 p11kmsutil -catalog
prints VOL1 VOL2 'Key Tag' 'Number of Tapes and Keys: 4'

echo "# not there is said"
want 3 p11kmsutil -catalog -volume VOL3
says VOL3
want 3 p11kmsutil -catalog -kgname ENCR_c
new_key ENCR_a a2
want 3 p11kmsutil -catalog -tag "$(field tag)"
want 2 p11kmsutil -catalog -tag xyz

echo "# a deleted key's tapes are told still, with its name and without it"
for state in inactive deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname ENCR_b -keyname b1 -state $state
done
want 0 p11kmsutil -deletekey -kgname ENCR_b -keyname b1 -force -reason test
want 0 p11kmsutil -catalog -tag "$b1" -json
same "$(field name)" b1
same "$(field held)" false

echo "# what a lost log knew is missing, and that is said"
rm "$dir/store/kms.log"
want 3 p11kmsutil -catalog
says kms.log
want 0 p11kmsutil -createkg -kgname ENCR_d
want 0 p11kmsutil -catalog -json
same "$(field complete)" false
