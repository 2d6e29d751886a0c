#!/bin/bash
# From a pilot on one token to another token: keys with phrases move, keys
# that were born in a token do not, and what is possible then works.
# run.sh: plain build only; rotation.sh and new_token.sh run this code under the sanitizers.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# The pilot: no phrase for anything.
new_token
new_config
printf '[backup]\npath = %s\nsame_device = on\n' "$dir/other" >>"$dir/conf"
mkdir "$dir/other"
lines '' '' 'HMK pilot' '' '' 'KPK pilot'
want 0 p11kms -createemptydb
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
want 0 p11kmsutil -createkey -kgname ENCR_a -keyname r1 -nopphrase
want 0 p11kmsutil -listkeys -json
keys=$(printf %s "$out" | grep -o '"tag":"[0-9a-f]*"')
new_drive
cd "$dir"
echo 'written in the pilot' >file
# shellcheck disable=SC2016
want 0 p11kmsdrive -run -drive "$drive" -kgname ENCR_a -- \
	sh -c 'tar cf "$TAPE" file'
"$top/softhsm-conf/make-token.sh" "$dir/hsm" hsm >/dev/null

# use DIR: the token that the configuration names from here on.
use() {
	# shellcheck disable=SC1091
	. "$dir/$1/token.env"
	sed -i -e "s|^uri = .*|uri = $(sed 's/&/\\&/g' "$dir/$1/uri")|" \
		-e "s|^lock_dir = .*|lock_dir = $dir/$1|" "$dir/conf"
}
objects() {
	(cd "$dir" && find token/tokens hsm/tokens -name '*.object' \
		! -name token.object | sort)
}
whole() {
	want 0 p11kms -verifydb -json
	same "$(field unwrapped)" 2 "$1"
	want 0 p11kmsutil -listkeys -json
	same "$(printf %s "$out" | grep -o '"tag":"[0-9a-f]*"')" "$keys" "$1"
	on_tape mt -f /dev/nst9 rewind
	want 0 p11kmsdrive -run -drive "$drive" -read -- tar xOf /dev/nst9
	same "$out" 'written in the pilot' "$1"
}

echo "# keys that were born in a token stay there"
use hsm
before=$(fingerprint)$(objects)
want 5 p11kmsutil -listkeys
says 'HMK pilot' 'not in the token' p11kms
for op in -resethmk -resetkpk; do
	lines 'a phrase that there never was'
	want 8 p11kms $op
	says "HSM's own backup" -rebind
done
want 5 p11kms -rebind
lines 'the HSM phrase of the HMK' 'the HSM phrase of the HMK' 'HMK hsm'
want 5 p11kmsutil -modifyhmk
same "$(fingerprint)$(objects)" "$before" "something was changed"

echo "# so the pilot gets keys with phrases first"
use token
lines 'the moving HMK phrase' 'the moving HMK phrase' 'HMK moving'
want 0 p11kmsutil -modifyhmk
lines 'the moving KPK phrase' 'the moving KPK phrase' 'KPK moving'
want 0 p11kmsutil -modifykpk
want 0 p11kmsutil -backup -json
backup=$(field path)
want 0 p11kms -retiremaster -reason 'the pilot ends'

echo "# and the other token the same two keys"
use hsm
before=$(fingerprint)$(objects)
lines 'the moving KPK phrase'
want 5 p11kms -resetkpk
says -resethmk
lines 'not the moving phrase'
want 4 p11kms -resethmk
says 'nothing was changed'
same "$(fingerprint)$(objects)" "$before" "a wrong phrase changed something"
lines 'the moving HMK phrase'
want 0 p11kms -resethmk -json
same "$(field complete)" false
lines 'not the moving phrase'
want 4 p11kms -resetkpk
want 5 p11kmsutil -listkeys
lines 'the moving KPK phrase'
want 0 p11kms -resetkpk -json
same "$(field complete)" true
want 0 p11kms -info -json
same "$(field token_label)" hsm
whole "in the other token"

echo "# the pilot is out of date from the first change on"
want 0 p11kmsutil -createkg -kgname ENCR_b
use token
want 6 p11kmsutil -listkeys
use hsm

echo "# keys of the new token's own, and the pilot destroyed"
lines 'HMK hsm'
want 0 p11kmsutil -modifyhmk -nopphrase
lines 'KPK hsm'
want 0 p11kmsutil -modifykpk -nopphrase
want 0 p11kms -attesthsmbackup -reason 'HSM backup, safe 2'
want 0 p11kmsutil -backup
want 0 p11kms -retiremaster -reason 'moved' -json
same "$(field retired)" 2
rm -rf "$dir/token"
whole "without the pilot"
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname r1 -json
same "$(field recoverable)" backup
same "$(field needs_token)" true

echo "# the pilot's last backup still opens with its phrases, in any token"
mv "$dir/store" "$dir/away"
mkdir "$dir/store"
"$top/softhsm-conf/make-token.sh" "$dir/third" third >/dev/null
use third
want 0 p11kms -restoredb -path "$backup" -reason test
lines 'the moving HMK phrase'
want 0 p11kms -resethmk
lines 'the moving KPK phrase'
want 0 p11kms -resetkpk
whole "from the pilot's backup"
