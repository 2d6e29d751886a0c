#!/bin/bash
# A key's whole life: made, used up, deleted, brought back; what every listing
# says of it.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

new_store
prints 'HMK ID                : HMK one' 'KPK ID                : KPK one'

want 0 p11kms -info -json
same "$(field hmk_id)" 'HMK one'
same "$(field kpk_id)" 'KPK one'
same "$(field hmk_origin)" passphrase
same "$(field anchor)" true
want 0 p11kmsutil -gethmkid
same "$out" 'HMK ID                : HMK one'
want 0 p11kmsutil -getkpkid -json
same "$out" '{"kpk_id":"KPK one"}'

want 0 p11kmsutil createkg --kgname ENCR_a --desc 'first pool'
prints 'Key Group Name        : ENCR_a' 'Description           : first pool'
want 8 p11kmsutil -createkg -kgname ENCR_a
says ENCR_a
want 0 p11kmsutil -listkgs -emptykgs -json
same "$(field name)" ENCR_a
same "$(field active_key)" null

new_key ENCR_a k1
same "$(field state)" prelive
same "$(field recoverable)" passphrase
same "$(field needs_token)" false
tag=$(field tag)
[ "${tag#b111}" != "$tag" ] || fail "tag $tag is not of kind B1, cost 17"
for name in group name tag state recoverable needs_token created modified \
	description; do
	[ -n "$(field $name)" ] || [ $name = description ] || fail "no $name"
done

# States: adjacent steps only.
want 8 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -state deprecated
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -activate -json
same "$(field state)" active
want 8 p11kmsutil -deletekey -kgname ENCR_a -keyname k1

# Activating another moves the first to inactive, in the same change.
new_key ENCR_a k2 -activate
want 0 p11kmsutil -listkeys -kgname ENCR_a -activekey -json
same "$(field name)" k2
want 0 p11kmsutil -listkeys -kgname ENCR_a -keyname k1 -json
same "$(field state)" inactive
want 0 p11kmsutil -listkgs -noverbose
same "$(printf %s "$out" | cut -f 1,3,4,5)" "ENCR_a	2	Yes	k2"

# Without a name it is called GROUP-GENERATION.
lines '' ''
want 0 p11kmsutil -createkey -kgname ENCR_a -json
same "$(field recoverable)" none
[[ $(field name) =~ ^ENCR_a-[0-9]+$ ]] || fail "the name is $(field name)"
want 8 p11kmsutil -modifykey -kgname ENCR_a -keyname "$(field name)" -activate

# Rename, describe, move: the tag stays.
want 0 p11kmsutil -createkg -kgname other
want 0 p11kmsutil -modifykey -kgname ENCR_a -keyname k1 -name old \
	-desc 'two words' -move_to_kgname other -json
same "$(field group)" other
same "$(field name)" old
same "$(field tag)" "$tag"
same "$(field description)" 'two words'
want 0 p11kmsutil -listkeys -tag "${tag^^}" -json
same "$(field name)" old

# Deleted, and brought back by phrase and tag.
for state in deprecated terminated; do
	want 0 p11kmsutil -modifykey -kgname other -keyname old -state $state
done
want 0 p11kmsutil -deletekey -kgname other -keyname old
want 3 p11kmsutil -listkeys -tag "$tag"
lines 'correct horse key batterx'
want 4 p11kmsutil -recoverkey -kgname other -keyname back -tag "$tag"
says 'phrase or tag is wrong'
lines "$key_phrase"
want 0 p11kmsutil -recoverkey -kgname other -keyname back -json \
	-tag "$(printf %s "$tag" | sed 's/..../& /g')"
same "$(field state)" inactive
same "$(field tag)" "$tag"

# Held already: done, and nothing is changed.
want 0 p11kmsutil -ksstats -json
before=$(field generation)
lines "$key_phrase"
want 0 p11kmsutil -recoverkey -kgname other -keyname again -tag "$tag" -json
same "$(field name)" back
want 0 p11kmsutil -ksstats -json
same "$(field generation)" "$before"
same "$(field groups)" 2
same "$(field keys)" 3
same "$(field active)" 1
same "$(field inactive)" 1
same "$(field prelive)" 1
same "$(field last_backup)" null
same "$(field token)" p11kms
for name in deprecated terminated quiesced unrecoverable waived forced; do
	[ -n "$(field $name)" ] || fail "no $name in -ksstats"
done

# A group with a key is not deleted; an empty one is.
want 8 p11kmsutil -deletekg -kgname other
want 0 p11kmsutil -createkg -kgname gone
want 0 p11kmsutil -deletekg -kgname gone
want 3 p11kmsutil -listkgs -kgname gone
want 0 p11kmsutil -modifykg -kgname other -name disk:volume -desc T -json
same "$(field name)" disk:volume

# Keys of a group's phrase, unattended.
lines 'correct horse group battery' 'correct horse group battery'
want 0 p11kmsutil -createkg -kgname ENCR_g -phrase
want 0 p11kmsutil -createkey -kgname ENCR_g -keyname g1 -activate -nopphrase -json
same "$(field recoverable)" group
gtag=$(field tag)
[ "${gtag#b3}" != "$gtag" ] || fail "tag $gtag is not of kind B3"

# Quiesced: changes are refused, reads go on.
want 0 p11kmsutil -quiescedb -owner copy -json
same "$(field quiesced)" 1
want 8 p11kmsutil -createkg -kgname late
want 0 p11kmsutil -listkgs
want 0 p11kmsutil -unquiescedb -owner copy -json
same "$(field quiesced)" 0
want 0 p11kmsutil -createkg -kgname late

want 0 p11kms -verifydb -json
same "$(field bad)" 0
same "$(field unwrapped)" 5
