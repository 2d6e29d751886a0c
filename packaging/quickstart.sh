#!/bin/bash
# quickstart.sh BUILD: from an empty token to an encrypted tape and back, on a
# software token and a virtual drive, all in BUILD/quickstart. Prints each
# command as it could be typed there, what it answered, and what that proves.
# shellcheck disable=SC2016 # commands are shown, then evaluated
set -euo pipefail
umask 077
unset P11KMS_CONFIG VTAPE LD_PRELOAD SOFTHSM2_CONF
here=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: quickstart.sh BUILD}" && pwd)
work=$build/quickstart
# A socket's path and a line of the configuration have their limits.
[ ${#work} -le 70 ] || work=/tmp/p11kms-quickstart-$(id -u)
began=$SECONDS
drive_pid=

end() {
	local status=$?

	[ -z "$drive_pid" ] || kill "$drive_pid" 2>/dev/null || :
	[ $status = 0 ] || echo "quickstart: stopped here, status $status" >&2
}
trap end EXIT

say() {
	printf '\n# %s\n' "$*"
}
# Shows a line, then runs it as it stands.
run() {
	printf '$ %s\n' "$1"
	eval "$1"
}
# As run, for a line that must fail: its first line and its status.
fails() {
	local answer status=0

	printf '$ %s\n' "$1"
	answer=$(eval "$1" 2>&1) || status=$?
	if [ $status = 0 ]; then
		echo "quickstart: this should have failed" >&2
		exit 1
	fi
	printf '%s\n' "$answer" | head -n 1
	echo "(status $status)"
}

rm -rf "$work"
mkdir -p "$work"
cd "$work"
PATH=$build/bin:$PATH
echo "In $work, with $build/bin in PATH:"

say 'A token (SoftHSM here, your HSM in life), and a configuration.'
run "$here/softhsm-conf/make-token.sh token >/dev/null && . token/token.env"
mkdir store data
cat >p11kms.conf <<END
[store]
path = $work/store/kms.db
[token]
uri = $(cat token/uri)
lock_dir = $work/token
END
# Containers that allow hardly any locked memory should see this run too.
locked=$(ulimit -l)
[ "$locked" = unlimited ] || [ "$locked" -ge 1024 ] ||
	printf '[policy]\nmemory_lock = optional\n' >>p11kms.conf
run "export P11KMS_CONFIG=$work/p11kms.conf"

say 'Both master keys into the token, then the store. A terminal is asked six' \
	'lines; here a file has them.'
printf '%s\n' 'a host master key phrase' 'a host master key phrase' HMK-1 \
	'a key protection phrase' 'a key protection phrase' KPK-1 >six-lines
run 'p11kms -createemptydb <six-lines | grep "K ID"'

say 'A key group named as the volume pool, and a key from a phrase.'
printf '%s\n' 'the phrase of this key' 'the phrase of this key' >phrase-twice
run 'p11kmsutil -createkg -kgname ENCR_demo >/dev/null'
run 'p11kmsutil -createkey -kgname ENCR_demo -keyname first -activate <phrase-twice | sed -n 3,5p'

say 'A virtual LTO drive, and a real tar that writes while the key is loaded.'
cp "$here"/doc/*.md data/
echo 'the needle in the haystack' >data/needle
mkfifo ready
run 'vtaped -create -cartridge cart -barcode DEMO01L8'
run 'vtaped -listen drive -cartridge cart >ready 2>vtaped.log &'
drive_pid=$!
read -r _ <ready
run 'p11kmsdrive -run -drive vtape:drive -kgname ENCR_demo -- sh -c '\''tar cf $TAPE data'\'
run 'p11kmsdrive -status -drive vtape:drive | grep Loaded'

say 'No plaintext on the cartridge, and nothing to read without the key.'
run 'grep -ac needle data/needle cart'
run "t='env VTAPE=/dev/nst9=$work/drive LD_PRELOAD=$build/lib/libvtape-preload.so'"
fails '$t mt -f /dev/nst9 rewind; $t tar tf /dev/nst9'

say 'The tape itself says which key it needs: it comes back identical.'
run 'read_back() { $t mt -f /dev/nst9 rewind && p11kmsdrive -run -drive vtape:drive -read -- sh -c '\''tar xf $TAPE --transform s/data/back/'\'' && diff -r data back && echo identical; }'
run read_back

say 'The next key becomes active, the first inactive; the old tape still reads.'
run 'p11kmsutil -createkey -kgname ENCR_demo -keyname second -activate <phrase-twice >/dev/null'
run 'p11kmsutil -listkeys -noverbose | cut -f 1,2,4,5'
run read_back

say 'The first key is deleted (it was used: that takes -force) and comes back' \
	'from nothing but the phrase and the tape.'
run 'for s in deprecated terminated; do p11kmsutil -modifykey -kgname ENCR_demo -keyname first -state $s >/dev/null; done'
run 'p11kmsutil -deletekey -kgname ENCR_demo -keyname first -force -reason demo'
fails '$t mt -f /dev/nst9 rewind; p11kmsdrive -load -drive vtape:drive -read'
run 'tag=$(p11kmsdrive -status -drive vtape:drive -json | sed "s/.*next_tag\":\"//; s/\".*//")'
run 'head -n 1 phrase-twice | p11kmsutil -recoverkey -kgname ENCR_demo -keyname first -tag $tag | grep State'
run read_back

say "Done in $((SECONDS - began)) s. Where to go next:"
cat <<END
  README.md        a first real configuration, for your HSM and your drive
  doc/COMMANDS.md  every operation; doc/FORMATS.md: a key back with openssl alone
  make check       every test, plain and under sanitizers
END
