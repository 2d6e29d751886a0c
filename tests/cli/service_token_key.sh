#!/bin/bash
# The server's own TLS key lives in the token and is never a file; a new one
# is taken by SIGHUP, and it goes on after the token was away.
# run.sh: plain build only; others run this code under the sanitizers.
# shellcheck disable=SC2119
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cli/lib_service.sh
. "$(dirname "$0")/lib_service.sh"

new_store
new_tls media01
tool=(pkcs11-tool --module "${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}"
	--token-label p11kms)

# certified ID LABEL: a key pair in the token, and server.pem for it
certified() {
	want 0 "${tool[@]}" --login --pin "$(cat "$dir/token/pin")" \
		--keypairgen --key-type EC:prime256v1 --label "$2" --id "$1"
	want 0 "${tool[@]}" --read-object --type pubkey --id "$1" \
		-o "$dir/key.der"
	want 0 openssl pkey -pubin -inform DER -in "$dir/key.der" \
		-pubout -out "$dir/key.pub"
	printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' \
		>"$dir/ext"
	want 0 openssl x509 -new -subj /CN=server -force_pubkey "$dir/key.pub" \
		-CA "$tls/ca.pem" -CAkey "$tls/ca.key" -days 30 \
		-extfile "$dir/ext" -out "$tls/server.pem"
}
served() {
	P11KMS_CONFIG=$dir/media01.conf want 0 p11kmsdrive -load \
		-drive "$drive" -kgname ENCR_a
	want 0 p11kmsdrive -clear -drive "$drive"
}

rm "$tls/server.key"
certified 51 tls-one
{
	server_section
	client_section media01 '*' '*'
} >>"$dir/conf"
sed -i 's/^key = .*/key = pkcs11:object=tls-none/' "$dir/conf"
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
new_drive
want 3 p11kms
says '[server] key' 'EC private key'
sed -i 's/tls-none/tls-one/' "$dir/conf"
start_service
drive_host media01
served

echo "# another key, by SIGHUP; a certificate of another key changes nothing"
certified 52 tls-two
kill -HUP "$service_pid"
await service.not_reloaded
served
sed -i 's/tls-one/tls-two/' "$dir/conf"
kill -HUP "$service_pid"
await service.reloaded
served

echo "# the token is away and comes back"
mv "$dir/token/tokens" "$dir/token/away"
P11KMS_CONFIG=$dir/media01.conf want 1 p11kmsdrive -load -drive "$drive" \
	-kgname ENCR_a
mv "$dir/token/away" "$dir/token/tokens"
# at most two tries
P11KMS_CONFIG=$dir/media01.conf p11kmsdrive -load -drive "$drive" \
	-kgname ENCR_a >"$dir/out" 2>&1 || served
served
stop_service
