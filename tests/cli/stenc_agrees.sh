#!/bin/bash
# After each load and clear of ours, Debian's stenc says of the drive what
# -status says; after each of stenc's, -status says what stenc did. The same
# of what sg_inq, sg_raw and mt see. Skipped without stenc.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

command -v stenc >/dev/null || exit 77
# It is for root alone, though on a virtual drive it needs nothing of root's.
if [ "$(id -u)" != 0 ]; then
	preload+=:$bin/../test/asroot.so
fi
new_store
new_drive
want 0 p11kmsutil -createkg -kgname ENCR_a
name='monthly 2026-11'
printf '%s\n%s\n' "$(printf '%064d' 26)" "$name" >"$dir/stenc.key"
want 0 p11kmsutil -importkey -kgname ENCR_a -keyname k1 -keyfile "$dir/stenc.key"
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -activate \
	-allowserve -reason test
hex() {
	printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

stenc_says=''
# stenc's sentence after a label, without the blanks around it.
line() {
	printf '%s\n' "$stenc_says" | sed -n "s/^$1: *\(.*[^ ]\) *\$/\1/p"
}
has_line() {
	[ "${stenc_says/"$1"/}" != "$stenc_says" ]
}
# What stenc --detail says, in the words of -status.
translate() {
	local enc=off dec=off next='' kad

	[ "$(line 'Drive Input')" = Encrypting ] && enc=encrypt
	if [ "$(line 'Drive Output')" = Decrypting ]; then
		dec=decrypt
		has_line 'Unencrypted data outputted' && dec=mixed
	elif ! has_line 'Raw encrypted data not outputted'; then
		dec=raw
	fi
	case $(line 'Volume Encryption') in
	'Encrypted and able to decrypt') next=readable ;;
	'Encrypted, but unable to decrypt'*) next=locked ;;
	'Not encrypted') next=clear ;;
	esac
	kad=$(line 'Drive Key Desc.(uKAD)')
	echo "$enc $dec kic=$(line 'Key Instance Counter') tag=$(hex "$kad")" \
		"next=$next next_tag=$(hex "$(line 'Volume Key Desc.(uKAD)')")"
}

# agree ENC DEC NEXT: -status says so, stenc the same, and they agree on the
# counter and both tags.
agree() {
	local ours tag next next_tag

	on_tape mt -f /dev/nst9 rewind
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field encryption) $(field decryption) $(field next_block)" "$*"
	tag=$(field tag) next=$(field next_block) next_tag=$(field next_tag)
	# At a blank tape's end stenc says nothing of the volume; of a block
	# that can be decrypted it names no key.
	[ "$next" != unknown ] || next=
	[ "$next" = locked ] || next_tag=null
	ours="$(field encryption) $(field decryption)"
	ours+=" kic=$(field key_instance_counter) tag=${tag#null}"
	ours+=" next=$next next_tag=${next_tag#null}"
	want 0 on_tape stenc -f /dev/nst9 --detail
	stenc_says=$out
	same "$(translate)" "$ours" 'stenc, and -status'
	on_tape mt -f /dev/nst9 rewind
}

echo "# ours, seen by stenc"
agree off off unknown
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a
agree encrypt mixed unknown
same "$(line 'Drive Key Desc.(uKAD)')" "$name"
echo 'sealed' | on_tape dd of=/dev/nst9 bs=10240 conv=sync status=none
agree encrypt mixed readable
want 0 p11kmsdrive -clear -drive "$drive"
agree off off locked
same "$(line 'Volume Key Desc.(uKAD)')" "$name"
want 0 p11kmsdrive -load -drive "$drive" -read
agree off mixed readable
want 0 p11kmsdrive -load -drive "$drive" -tag "$(hex "$name")"
agree off mixed readable
want 0 p11kmsdrive -run -drive "$drive" -read -- true
agree off off locked

echo "# stenc's, seen by us"
stenc_sets() {
	want 0 on_tape stenc -f /dev/nst9 -a 1 "$@"
}
stenc_sets -e on -k "$dir/stenc.key"
agree encrypt decrypt readable
stenc_sets -e mixed -k "$dir/stenc.key" --ckod
agree encrypt mixed readable
stenc_sets -e rawread -k "$dir/stenc.key"
agree encrypt raw locked
stenc_sets -e off
agree off off locked
# A tape that stenc's key wrote is read by the same key out of the store.
stenc_sets -e on -k "$dir/stenc.key"
echo 'by stenc' | on_tape dd of=/dev/nst9 bs=10240 conv=sync status=none
stenc_sets -e off
on_tape mt -f /dev/nst9 rewind
want 0 p11kmsdrive -run -drive "$drive" -read -- \
	sh -c 'dd if=/dev/nst9 bs=10240 status=none | tr -d "\0"'
same "$out" 'by stenc'
agree off off locked
# And the other way round.
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'echo "by us" | dd of=/dev/nst9 bs=10240 conv=sync status=none'
stenc_sets -e on -k "$dir/stenc.key"
on_tape mt -f /dev/nst9 rewind
same "$(on_tape dd if=/dev/nst9 bs=10240 status=none | tr -d '\0')" 'by us'
stenc_sets -e off

echo "# written in clear"
on_tape mt -f /dev/nst9 rewind
echo clear | on_tape dd of=/dev/nst9 bs=10240 conv=sync status=none
agree off off clear

echo "# sg_inq, sg_raw and mt see the same drive"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -json
serial=$(field serial)
kic=$(field key_instance_counter)
want 0 on_tape sg_inq /dev/sg9
prints 'Peripheral device type: tape' "Vendor identification: P11KMS" \
	'Product identification: VIRTUAL LTO-8' "Unit serial number: $serial"
want 0 on_tape sg_inq -p 0x83 /dev/nst9
prints "$serial"
# SECURITY PROTOCOL IN, data encryption status: modes 2 and 3, the counter,
# the U-KAD.
want 0 on_tape sg_raw -R -r 256 -o "$dir/page" /dev/sg9 \
	a2 20 00 20 00 00 00 00 01 00 00 00
page=$(od -An -v -tx1 "$dir/page" | tr -d ' \n')
same "${page:0:4} ${page:10:4} ${page:16:8}" "0020 0203 $(printf %08x "$kic")"
[ "${page/"$(hex "$name")"/}" != "$page" ] || fail "no tag in $page"
want 0 on_tape mt -f /dev/nst9 status
prints 'BOT ONLINE' 'LTO-8'
want 0 on_tape mt -f /dev/nst9 tell
prints 'block 0'
# Its offline takes the key along.
want 0 on_tape mt -f /dev/nst9 offline
want 0 p11kmsdrive -status -drive "$drive" -json
same "$(field loaded) $(field medium)" 'false false'
