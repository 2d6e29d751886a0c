#!/bin/bash
# A job that changes tapes on a host with neither store nor token: the service
# has every tape in its catalog. One that it could not be told of ends the job
# with an error, and is recorded afterwards from that host.
# run.sh: plain build only; service.sh runs this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive
new_tls media01 media02
{
	server_section
	client_section media01 'ENCR_*' 'locate get add_attribute'
	client_section media02 'ENCR_*' 'locate get'
} >>"$dir/conf"
start_service
drive_host media01
drive_host media02
mkdir "$dir/data"
seq 1 340000 >"$dir/data/numbers"
for i in 1 2 3; do
	want 0 vtaped -create -cartridge "$dir/M$i.cart" -barcode "M0000${i}L8" \
		-size 1048576
done
cat >"$dir/changer" <<-'END'
	#!/bin/bash
	cd "$(dirname "$0")" || exit 1
	unset LD_PRELOAD
	vtaped -eject -drive drive
	vtaped -insert -cartridge "M$TAR_VOLUME.cart" -drive drive
	[ ! -e gone ] || kill "$(cat gone)"
END
chmod +x "$dir/changer"
archive() { # CLIENT STATUS: three tapes by one run
	vtaped -eject -drive "$dir/drive" 2>/dev/null || :
	want 0 vtaped -insert -cartridge "$dir/M1.cart" -drive "$dir/drive"
	want "$2" job "$dir/$1.conf"
	err=$(cat "$dir/tar.said")
}
job() { # CONFIG
	P11KMS_CONFIG=$1 p11kmsdrive -run -drive "$drive" -kgname ENCR_a \
		-keep_on_unload -- tar -M -F "$dir/changer" -b 20 -f /dev/nst9 \
		-C "$dir" -c data 2>"$dir/tar.said"
}
on_record() { # the volumes that need the key, in the order of first use
	want 0 p11kmsutil -catalog -tag "$tag" -json
	printf '%s\n' "$out" | tr '{' '\n' |
		sed -n 's/.*"volume":"\([^"]*\)".*"written":true.*/\1/p' | xargs
}
forget() { # the log, and with it the catalog
	rm "$dir/store/kms.log"
	want 0 p11kmsutil -createkg -kgname "ENCR_$RANDOM$RANDOM"
}

echo "# three tapes, told to the service"
archive media01 0
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'
want 0 p11kmsutil -catalog -volume M00003L8 -json
[ -n "$(field medium)" ] || fail 'no serial of the tape'
[ -n "$(field drive)" ] || fail 'no serial of the drive'

echo "# the first one could not be told, for its label: told again in the job"
forget
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -run -drive "$drive" \
	-kgname ENCR_a -volume 'LABEL;1' -- true
same "$(on_record)" M00003L8

echo "# a client that may not tell: said for each, as for the first"
forget
archive media02 0
same "$(grep -c volume_not_noted "$dir/tar.said")" 3

echo "# the service went away in mid-job"
forget
echo "$service_pid" >"$dir/gone"
archive media01 101
says M00002L8 'not in the catalog' "127.0.0.1:$port"
rm "$dir/gone"
wait "$service_pid" || fail "the service ended with $?"
exec {service_said}<&-
mapfile -t commands < <(sed -n 's/.*record it: \(p11kmsdrive -note .*\)/\1/p' "$dir/tar.said")
same "${#commands[@]}" 2 'commands'
start_service
for command in "${commands[@]}"; do
	read -ra words <<<"$command"
	P11KMS_CONFIG=$dir/media01.conf want 0 "${words[@]}" -server "127.0.0.1:$port"
done
same "$(on_record)" 'M00001L8 M00002L8 M00003L8'

echo "# by hand, and what is refused"
drive_host media01
drive_host media02
note() { # CLIENT STATUS OPTION…
	P11KMS_CONFIG=$dir/$1.conf want "$2" p11kmsdrive -note "${@:3}" -json
}
note media01 0 -tag "$tag" -volume X1
same "$(field volume)" X1
want 0 p11kmsutil -quiescedb
note media01 0 -tag "$tag" -volume X1
want 0 p11kmsutil -unquiescedb
note media02 8 -tag "$tag" -volume X2
note media01 3 -tag 0102 -volume X2
says 0102
note media01 2 -tag "$tag"
says -volume
note media01 2 -tag "$tag" -volume 'X;2'
stop_service
note media01 1 -tag "$tag" -volume X2
[ "${err/recoverkey/}" = "$err" ] || fail 'a key is said to be missing'
same "$(on_record)" 'M00001L8 M00002L8 M00003L8 X1'
