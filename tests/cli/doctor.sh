#!/usr/bin/env bash
# The doctor finds each thing that would hurt later, says what to do next, and
# changes nothing; with the token gone it still says what it can.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
# finds STATUS CHECK TEXT…: the line of that check.
finds() {
	local line text

	line=$(grep -P "^$1\t$2\t" "$dir/out") || fail "no $1 of $2"
	shift 2
	for text in "$@"; do
		[ "${line/"$text"/}" != "$line" ] || fail "no '$text' in: $line"
	done
}
config() { # SECTION LINE…
	printf '[%s]\n' "$1" >>"$dir/conf"
	shift
	printf '%s\n' "$@" >>"$dir/conf"
}

echo "# a new store: nothing is wrong, something is to be done"
before=$(fingerprint)
want 0 p11kmsutil -doctor
same "$(fingerprint)" "$before" "the doctor changed something"
finds ok permissions
finds ok gates
finds ok token p11kms
finds ok pin
finds ok debris
finds ok store 'generation 1'
finds ok masters
finds ok rollback
finds ok release-log
finds warning backup-place '[backup]'
finds warning backup 'no backup' -backup
finds warning drill HMK KPK -recoverydrill
want 0 p11kmsutil -doctor -json
prints '"status":"warning","check":"drill","finding":"passphrases never proven'
[ "${out/problem/}" = "$out" ] || fail "a problem"

echo "# drilled, backed up, rotated"
lines "$hmk_phrase" "$kpk_phrase"
want 0 p11kmsutil -recoverydrill -hmk -kpk
lines 'the group phrase one' 'the group phrase one'
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase
want 0 p11kmsutil -createkg -kgname ENCR_r
want 0 p11kmsutil -createkey -kgname ENCR_r -keyname r1 -nopphrase
mkdir "$dir/other"
config backup "path = $dir/other" 'same_device = on'
want 0 p11kmsutil -doctor
finds warning drill ENCR_g
finds warning groups ENCR_g ENCR_r
finds warning keys ENCR_r/r1 -backup
finds warning gates same_device
want 0 p11kmsutil -modifykey -kgname ENCR_r -keyname r1 -activate
want 1 p11kmsutil -doctor
says 'problem'
finds problem keys ENCR_r/r1
want 0 p11kmsutil -backup
lines 'the group phrase one'
want 0 p11kmsutil -recoverydrill -kgname ENCR_g
want 0 p11kmsutil -createkey -kgname ENCR_g -nopphrase -activate
want 0 p11kmsutil -doctor
finds ok keys
finds ok groups
finds ok backup
finds ok drill

echo "# too old"
config backup 'max_age = 0s'
config policy 'drill_max_age = 0s' 'serve_gate = off'
want 0 p11kmsutil -doctor
finds warning backup old
finds warning drill proven
finds warning gates serve_gate
lines 'the group phrase two' 'the group phrase two'
want 0 p11kmsutil -modifykg -kgname ENCR_g -phrase
want 0 p11kmsutil -quiescedb
want 0 p11kmsutil -doctor
finds warning drill ENCR_g # the new one was not proven
finds warning quiesce -unquiescedb
want 0 p11kmsutil -unquiescedb

echo "# certificates"
cert() { # DAYS
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/key" -out "$dir/cert" -subj /CN=kms \
		-days "$1" 2>/dev/null
}
config server "cert = $dir/cert"
want 1 p11kmsutil -doctor
finds problem server-cert "$dir/cert"
cert 400
want 0 p11kmsutil -doctor
finds ok server-cert
cert 5
want 0 p11kmsutil -doctor
finds warning server-cert renew

echo "# half-made objects, open files, a lost log"
module=$(sed -n 's/.*module-path=\([^&]*\)&.*/\1/p' "$dir/token/uri")
pkcs11-tool --module "$module" --token-label p11kms --login \
	--pin "$(cat "$dir/token/pin")" --write-object "$dir/key" --type data \
	--application-label p11kms >/dev/null 2>&1 || fail "pkcs11-tool"
chmod 755 "$dir/store"
want 1 p11kmsutil -doctor
finds problem permissions chmod
chmod 700 "$dir/store"
want 0 p11kmsutil -doctor
finds warning debris half-made
mv "$dir/store/kms.log" "$dir/log"
want 1 p11kmsutil -doctor
finds problem release-log
mv "$dir/log" "$dir/store/kms.log"

echo "# no PIN, no token, no store"
cp "$dir/token/pin" "$dir/pin"
echo 99999999 >"$dir/token/pin"
want 1 p11kmsutil -doctor
finds problem login PIN
finds warning store 'not looked into'
cp "$dir/pin" "$dir/token/pin"
want 0 p11kmsutil -doctor
mv "$dir/token/tokens" "$dir/token/gone"
mkdir "$dir/token/tokens"
want 1 p11kmsutil -doctor
finds problem token 'not found'
finds ok masters
finds warning store token
rmdir "$dir/token/tokens"
mv "$dir/token/gone" "$dir/token/tokens"
head -c 5000 /dev/urandom >"$store"
want 1 p11kmsutil -doctor
finds problem header
finds problem store
