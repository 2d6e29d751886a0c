#!/bin/bash
# Master keys that the token's owner made are taken over by label or CKA_ID
# once their attributes are proven; -preview shows them and changes nothing.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# The owner's ceremony: here p11kms makes the keys (empty lines: born in the
# token) for a store that is then thrown away.
new_token
new_config
lines '' '' 'ceremony' '' '' 'ceremony'
want 0 p11kms -createemptydb -json
says 'born in the token'
same "$(field hmk_origin)" token
rm "$dir/store/"kms.*

objects() {
	(cd "$dir/token/tokens" && find . -name '*.object' -size +0 | sort)
}
before=$(objects)
adopt=(p11kms -createemptydb -adopt)

want 0 "${adopt[@]}" -preview -hmklabel 'p11kms HMK ceremony' \
	-kpklabel 'p11kms KPK ceremony' -json
prints '"name":"CKA_EXTRACTABLE","required":"false","found":"false","ok":true'
[ "${out/'"ok":false'/}" = "$out" ] || fail "something is not good"
want 0 "${adopt[@]}" -preview -hmklabel 'p11kms HMK ceremony' \
	-kpklabel 'p11kms KPK ceremony'
prints 'HMK, mechanism aes-key-wrap' CKA_SENSITIVE
[ ! -e "$store" ] || fail "a preview made a store"
same "$(objects)" "$before" "a preview changed the token"

want 2 "${adopt[@]}" -hmklabel 'p11kms HMK ceremony'
want 2 "${adopt[@]}" -hmklabel a -hmkid 00 -kpklabel b
want 2 "${adopt[@]}" -hmkid xy -kpklabel b
want 2 "${adopt[@]}" -components 2 -hmklabel a -kpklabel b
want 3 "${adopt[@]}" -preview -hmklabel 'no such' -kpklabel 'p11kms KPK ceremony'
says HMK label
lines 'HMK adopted' 'KPK adopted'
want 3 "${adopt[@]}" -hmklabel 'no such' -kpklabel 'p11kms KPK ceremony'
[ ! -e "$store" ] || fail "a store was made"

# A key that may be taken out, or used otherwise, is shown and refused.
module=$(sed -n 's/.*module-path=\([^&]*\)&.*/\1/p' "$dir/token/uri")
p11() {
	pkcs11-tool --module "$module" --token-label p11kms --login \
		--pin "$(cat "$dir/token/pin")" "$@" >"$dir/p11.out" 2>&1 ||
		fail "pkcs11-tool: $(cat "$dir/p11.out")"
}
p11 --keygen --key-type AES:32 --label weak --id 77 --sensitive --private \
	--usage-wrap --extractable
want 6 "${adopt[@]}" -preview -hmklabel weak -kpklabel 'p11kms KPK ceremony'
prints CKA_EXTRACTABLE BAD
lines 'HMK adopted' 'KPK adopted'
want 6 "${adopt[@]}" -hmkid 77 -kpklabel 'p11kms KPK ceremony'
says CKA_
[ ! -e "$store" ] || fail "a store was made"

# As common tools make one: it encrypts too, and may be changed. With either
# of them whoever has the PIN has the token show what it unwraps.
p11 --keygen --key-type AES:32 --label common --id 78 --sensitive --private \
	--usage-wrap
want 6 "${adopt[@]}" -preview -hmklabel common \
	-kpklabel 'p11kms KPK ceremony'
for name in CKA_ENCRYPT CKA_DECRYPT CKA_MODIFIABLE CKA_COPYABLE; do
	grep "$name" "$dir/out" | grep -q BAD || fail "$name is taken"
done
lines 'HMK adopted' 'KPK adopted'
want 6 "${adopt[@]}" -hmkid 78 -kpklabel 'p11kms KPK ceremony'
says CKA_ -preview
[ ! -e "$store" ] || fail "a store was made"

lines 'HMK adopted' 'KPK adopted'
want 0 "${adopt[@]}" -hmklabel 'p11kms HMK ceremony' \
	-kpklabel 'p11kms KPK ceremony' -json
same "$(field hmk_origin)" adopted
same "$(field kpk_origin)" adopted
same "$(field kpk_id)" 'KPK adopted'
want 0 p11kms -tokeninfo
prints 'HMK from adopted'
want 0 p11kmsutil -createkg -kgname ENCR_a
new_key ENCR_a k1 -activate
want 0 p11kms -verifydb -json
same "$(field unwrapped)" 1
