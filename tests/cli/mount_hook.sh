#!/bin/bash
# The changer command for Bareos and Bacula, with a changer of two cartridges:
# what is written is encrypted, what is read gets its own key, no tape ends
# under two keys, and no key stays in the drive.
# run.sh: plain build only; drive_roundtrip.sh and catalog.sh run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
first=$(field tag)
new_drive
want 0 vtaped -create -cartridge "$dir/B.cart" -barcode B00002L8

# The site's changer: slot 1 and 2 are cartridges.
cat >"$dir/changer" <<-END
	#!/bin/sh
	echo "\$*" >>"$dir/calls"
	case \$2 in
	load) vtaped -insert -cartridge "$dir/\$3.cart" -drive "$dir/drive" ;;
	unload) vtaped -eject -drive "$dir/drive" ;;
	slots) echo 2 ;;
	esac
END
chmod +x "$dir/changer"
export P11KMS_CHANGER=$dir/changer
want 0 vtaped -eject -drive "$dir/drive"
as=() # the daemon's user and configuration
hook() { # POOL OPERATION SLOT [VOLUME]
	local pool=$1

	shift
	${as[@]+"${as[@]}"} "$top/packaging/p11kms-changer" "$pool" /dev/sg9 "$1" "$2" "$drive" 0 \
		${3+"$3"}
}
loaded() {
	want 0 p11kmsdrive -status -drive "$drive" -json
	same "$(field loaded)" "$1"
}
say() {
	on_tape mt -f /dev/nst9 rewind
	echo "$1" | on_tape dd of=/dev/nst9 bs=10240 conv=sync status=none
}
hear() {
	on_tape mt -f /dev/nst9 rewind
	on_tape dd if=/dev/nst9 bs=10240 count=1 status=none | tr -d '\0'
}

want 0 hook ENCR_a slots ''
same "$out" 2
want 0 hook ENCR_a load A VOL1
loaded true
say 'the first archive'
same "$(hear)" 'the first archive'
! grep -aq 'the first archive' "$dir/A.cart" || fail "it is in clear on tape"
want 0 hook ENCR_a unload A VOL1
loaded false

echo "# the same tape, the same key: goes on"
want 0 hook ENCR_a load A VOL1
want 0 hook ENCR_a unload A VOL1

echo "# after the next key: another tape is written, the old one is only read"
new_key ENCR_a k2 -activate
second=$(field tag)
want 0 hook ENCR_a load B VOL2
say 'the second archive'
want 0 hook ENCR_a unload B VOL2
want 1 hook ENCR_a load A VOL1
says VOL1 "$first" 'mark it Used'
loaded false
want 0 hook ENCR_a unload A VOL1
want 0 hook -read load A VOL1
same "$(hear)" 'the first archive'
want 0 p11kmsdrive -status -drive "$drive" -json
same "$(field encryption)" off 'a device for restores encrypts nothing'
want 0 hook -read unload A VOL1

echo "# the catalog knows both"
want 0 p11kmsutil -catalog -volume VOL1 -json
same "$(field tag)" "$first"
want 0 p11kmsutil -catalog -tag "$second" -json
same "$(field volume)" VOL2

echo "# no key, no tape"
want 1 hook ENCR_none load B VOL2
loaded false
want 3 hook ENCR_a load C VOL3
want 1 "$top/packaging/p11kms-changer" ENCR_a load
says usage

echo "# on a host without store and token, as a member of no group at all"
want 0 vtaped -create -cartridge "$dir/D.cart" -barcode D00004L8
vtaped -eject -drive "$dir/drive" 2>/dev/null || :
new_tls media01
{
	server_section
	client_section media01 'ENCR_*' 'locate get add_attribute'
} >>"$dir/conf"
start_service
drive_host media01
master=$P11KMS_CONFIG
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$dir" "$tls"
	chmod 666 "$dir/drive"
	mkdir "$dir/nobody"
	cp "$tls/media01."* "$tls/ca.pem" "$dir/nobody"
	sed -i "s|$tls|$dir/nobody|" "$dir/media01.conf"
	mv "$dir/media01.conf" "$dir/nobody"
	# as a tape library, which is nobody's
	mv "$dir/changer" "$dir/nobody"
	export P11KMS_CHANGER=$dir/nobody/changer
	touch "$dir/calls"
	chmod 666 "$dir/calls" "$dir"/*.cart
	chown -R nobody "$dir/nobody"
	as=(setpriv --reuid nobody --regid nogroup --clear-groups env
		P11KMS_CONFIG="$dir/nobody/media01.conf")
else
	as=(env P11KMS_CONFIG="$dir/media01.conf")
fi
want 0 hook ENCR_a load D VOL4
say 'the fourth archive'
want 0 hook ENCR_a unload D VOL4
want 0 hook ENCR_a load D VOL4
want 0 hook ENCR_a unload D VOL4
want 1 hook ENCR_a load A VOL1
says VOL1 "$first" 'mark it Used'
loaded false
want 0 hook -read unload A VOL1
want 0 hook -read load D VOL4
same "$(hear)" 'the fourth archive'
want 0 hook -read unload D VOL4
want 3 hook ENCR_none load B VOL2
loaded false
P11KMS_CONFIG=$master want 0 p11kmsutil -catalog -volume VOL4 -json
same "$(field tag)" "$second"
