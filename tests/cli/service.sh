#!/bin/bash
# The key service as an administrator runs it: it starts, serves a drive that
# has neither token nor store, follows what the command line changes, reads its
# files again, and ends politely.
# shellcheck disable=SC2016,SC2119 # TAPE is for the command; no arguments
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

echo "# nothing to serve with, nothing served"
new_store
want 2 p11kms
says '[server] cert' -newca
new_tls media01 media02
want 8 p11kms -newca -path "$tls"
says exists
want 2 p11kms -newclient ../x -path "$tls"
want 3 p11kms -newclient x -path "$dir/none"
says -newca
same "$(stat -c %a "$tls/ca.key" "$tls/server.key" "$tls/media01.key" |
	sort -u)" 600
{
	server_section
	client_section media01 'ENCR_*' 'locate get add_attribute'
} >>"$dir/conf"
sed -i 's/^\(listen =\).*/\1 127.0.0.1:none/' "$dir/conf"
want 2 p11kms
says 127.0.0.1:none
sed -i 's/^\(listen =\).*/\1 127.0.0.1:0/' "$dir/conf"

want 0 p11kmsutil -createkg -kgname ENCR_a
want 0 p11kmsutil -createkg -kgname other
new_key ENCR_a k1 -activate
tag1=$(field tag)
new_key other o1 -activate
tag_other=$(field tag)
new_drive

echo "# it says what is gated, and serves"
start_service
grep -q 'service.gated.*group=ENCR_a' "$dir/service.log" ||
	fail "nothing about the gated group"
drive_host media01
drive_host media02

# On the drive's host: no store, no token in the configuration, any user.
load() {
	P11KMS_CONFIG=$dir/$1.conf want "$2" p11kmsdrive -load -drive "$drive" \
		"${@:3}" -json
}
clear_drive() {
	want 0 p11kmsdrive -clear -drive "$drive"
}
load media01 0 -kgname ENCR_a -volume V00001
same "$(field tag)" "$tag1"
clear_drive
want 0 p11kmsutil -catalog -volume V00001 -json
same "$(field tag)" "$tag1" "the master does not know of the tape"
same "$(field written)" true
load media01 0 -tag "$tag1"
clear_drive
P11KMS_CONFIG=$dir/media01.conf want 2 p11kmsutil -listkeys
says '[store] path is missing'
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -run -drive "$drive" \
	-kgname ENCR_a -- sh -c 'tar -C '"$top"' -cf "$TAPE" README.md'
on_tape mt -f /dev/nst9 rewind
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -run -drive "$drive" \
	-read -- sh -c 'tar -tf "$TAPE"'
prints README.md

echo "# as somebody who may nothing here"
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$dir" "$dir/tls"
	chmod 666 "$dir/drive"
	mkdir "$dir/nobody"
	cp "$tls/media01."* "$tls/ca.pem" "$dir/nobody"
	sed "s|$tls|$dir/nobody|" "$dir/media01.conf" >"$dir/nobody/conf"
	chown -R nobody "$dir/nobody"
	want 0 setpriv --reuid nobody --regid nogroup --clear-groups \
		"$bin/p11kmsdrive" -load -config "$dir/nobody/conf" \
		-drive "$drive" -kgname ENCR_a -json
	same "$(field tag)" "$tag1"
	clear_drive
fi

echo "# each client only what its section says"
load media02 1 -kgname ENCR_a
says '127.0.0.1'
load media01 3 -kgname other
load media01 3 -tag "$tag_other"
says "$tag_other" passphrase
load media01 3 -kgname ENCR_none

echo "# what the command line changes, the next request sees"
new_key ENCR_a k2 -activate
tag2=$(field tag)
load media01 0 -kgname ENCR_a
same "$(field tag)" "$tag2"
clear_drive
load media01 0 -tag "$tag1"
clear_drive
on_tape mt -f /dev/nst9 eod
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -run -drive "$drive" \
	-kgname ENCR_a -- sh -c 'echo two | dd of="$TAPE" bs=512 conv=sync'
on_tape mt -f /dev/nst9 rewind
P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -run -drive "$drive" -read -- \
	sh -c 'mt -f "$TAPE" fsf 1 && dd if="$TAPE" bs=512 status=none | tr -d "\0"'
same "$out" two 'a tape of two keys'
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -state deprecated
load media01 8 -tag "$tag1"
want 0 p11kmsutil -createkg -kgname ENCR_random
lines '' ''
want 0 p11kmsutil -createkey -kgname ENCR_random -activate
load media01 8 -kgname ENCR_random
says backup passphrase

echo "# several servers in order"
drive_host media01 "127.0.0.1:1, 127.0.0.1:$port"
load media01 0 -kgname ENCR_a
clear_drive
load media01 1 -kgname ENCR_a -server 127.0.0.1:1
says 127.0.0.1:1
load media01 0 -kgname ENCR_a -server "localhost:$port"
clear_drive
drive_host media01

echo "# SIGHUP: another client, a certificate revoked, a file that is bad"
sed -i 's/^cn = media01/cn = media02/' "$dir/conf"
kill -HUP "$service_pid"
await service.reloaded
load media02 0 -kgname ENCR_a
clear_drive
load media01 1 -kgname ENCR_a
echo 'nonsense' >>"$dir/conf"
kill -HUP "$service_pid"
await service.not_reloaded
load media02 0 -kgname ENCR_a
clear_drive
sed -i '$d' "$dir/conf"

echo "# the metrics say what happened"
same "$(metric p11kms_token_up)" 1
[ "$(metric p11kms_connections_refused_total)" -ge 2 ] || fail "refused"
[ "$(metric p11kms_certificate_days_left)" -gt 700 ] || fail "days"

echo "# SIGTERM: it goes, and everything it released is in the log"
stop_service
grep -q service.stopping "$dir/service.log"
[ ! -e "$dir/metrics" ] || fail "the metrics socket stayed"
load media02 1 -kgname ENCR_a
want 0 p11kms -verifydb
