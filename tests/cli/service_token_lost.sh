#!/bin/bash
# The token goes away under the running service and comes back: clients are
# told so in KMIP, health says so, and after at most two tries keys are served
# again, without a restart. A PIN that fails meanwhile costs one login.
# shellcheck disable=SC2119
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
new_tls media01
{
	server_section
	client_section media01 '*' '*'
} >>"$dir/conf"
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
tag=$(field tag)
new_drive

# The service alone goes through the module that counts logins.
export P11FAULT_LOG=$dir/calls P11FAULT=
: >"$P11FAULT_LOG"
fault=$bin/../test/p11fault.so
[ -e "$fault" ] || fail "$fault is not built"
cp "$dir/conf" "$dir/service.conf"
sed -i "s|module-path=[^?&]*|module-path=$fault|" "$dir/service.conf"
P11KMS_CONFIG=$dir/service.conf start_service
drive_host media01
logins() {
	grep -c '^C_Login ' "$P11FAULT_LOG" || :
}

load() {
	P11KMS_CONFIG=$dir/media01.conf want "$1" p11kmsdrive -load \
		-drive "$drive" -tag "$tag"
	[ "$1" != 0 ] || want 0 p11kmsdrive -clear -drive "$drive"
}
# A key again, in at most two tries.
served_again() {
	local got=0

	P11KMS_CONFIG=$dir/media01.conf p11kmsdrive -load -drive "$drive" \
		-tag "$tag" >/dev/null 2>&1 || got=$?
	[ $got = 0 ] || load 0
	want 0 p11kmsdrive -clear -drive "$drive"
	same "$(metric p11kms_token_up)" 1
}

load 0
same "$(metric p11kms_token_up)" 1
same "$(logins)" 1

echo "# the token is gone, and comes back"
mv "$dir/token/tokens" "$dir/token/away"
load 1
says token
same "$(metric p11kms_token_up)" 0
load 1
await service.token_down
mv "$dir/token/away" "$dir/token/tokens"
served_again
before=$(logins)
[ "$before" -le 3 ] || fail "$before logins for one outage"

echo "# it comes back with another PIN: one login, until the PIN is there"
cp "$dir/token/pin" "$dir/pin"
mv "$dir/token/tokens" "$dir/token/away"
load 1
echo 'not-the-pin-1' >"$dir/token/pin"
mv "$dir/token/away" "$dir/token/tokens"
for _ in 1 2 3 4 5; do
	load 1
done
same "$(metric p11kms_token_up)" 0
same "$(logins)" $((before + 1)) "logins with a wrong PIN"
cat "$dir/pin" >"$dir/token/pin"
served_again
same "$(logins)" $((before + 2)) "logins"
await service.token_up
stop_service
