#!/bin/bash
# A key of somebody else's server, whose names are UUIDs: the tape bears the
# UUID's 16 bytes, and reading turns them back. The host has no token.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

uuid=01234567-89ab-cdef-0123-456789abcdef

new_tls me
new_drive
mkfifo "$dir/said"
"$python" "$top/tests/cli/foreign_server.py" "$tls" >"$dir/said" 2>&1 &
pids+=("$!")
exec {service_said}<"$dir/said"
await 'port '
# shellcheck disable=SC2154 # await sets it
port=${said#port }
drive_host me
export P11KMS_CONFIG=$dir/me.conf

echo "# to write: Locate and Get in one message"
want 0 p11kmsdrive -load -drive "$drive" -kgname ENCR_a -volume V00001 -json
same "$(field tag)" "${uuid//-/}"
await Locate
await Get
await AddAttribute # which that server does not know: said, and no failure
says volume_not_noted
want 0 p11kmsdrive -clear -drive "$drive"

echo "# to tape, and back by what the tape says"
echo 'only with the key' >"$dir/data"
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tar -C '"$dir"' -cf "$TAPE" data'
! grep -aq 'only with the key' "$dir/A.cart" || fail "plaintext on tape"
! grep -raq "$(printf '\x01\x02\x03\x04\x05\x06\x07\x08\x09')" "$dir/A.cart" ||
	fail "the key is on the cartridge"
on_tape mt -f /dev/nst9 rewind
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -read -- \
	sh -c 'tar -xOf "$TAPE" data'
prints 'only with the key'
await "Get $uuid"

echo "# a tag that it does not know is explained"
want 3 p11kmsdrive -load -drive "$drive" -tag 0123
says "127.0.0.1:$port" 'did not make'
